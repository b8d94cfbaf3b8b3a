//! The ZIP archive in which the files of a package are handed over.

use std::io::{Cursor, Write};

use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A file of an archive.
#[derive(Clone, Debug)]
pub struct ArchiveFile {
    /// Its name, without folders.
    pub name: String,
    /// What it holds.
    pub content: Vec<u8>,
}

impl ArchiveFile {
    /// A file of that name.
    #[must_use]
    pub fn new(name: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), content: content.into() }
    }
}

/// The archive of these files, in this order. It tells nothing of when and by whom it was made.
///
/// # Errors
/// When two files have the same name, or there is no memory for it.
pub fn pack(files: &[ArchiveFile]) -> Result<Vec<u8>, String> {
    let words = |error: ZipError| error.to_string();
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for file in files {
        writer.start_file(file.name.as_str(), options).map_err(words)?;
        writer.write_all(&file.content).map_err(|error| error.to_string())?;
    }
    Ok(writer.finish().map_err(words)?.into_inner())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn what_is_packed_is_unpacked_again() {
        let files = [ArchiveFile::new("a.xml", "<a/>".repeat(1000)), ArchiveFile::new("b.cer", vec![0, 255, 7])];
        let packed = pack(&files).unwrap();
        assert_eq!(packed, pack(&files).unwrap(), "the same files make the same archive");
        let mut archive = zip::ZipArchive::new(Cursor::new(packed)).unwrap();
        assert_eq!(archive.len(), files.len());
        for file in &files {
            let mut content = Vec::new();
            archive.by_name(&file.name).unwrap().read_to_end(&mut content).unwrap();
            assert_eq!(content, file.content, "{}", file.name);
        }
    }

    #[test]
    fn a_name_stands_for_one_file() {
        let file = ArchiveFile::new("a.xml", "");
        assert!(pack(&[file.clone(), file]).is_err());
    }
}
