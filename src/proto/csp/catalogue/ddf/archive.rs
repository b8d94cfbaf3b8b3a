//! The zip archive that a set of descriptions comes in, read as something that may be hostile: a bomb, a trap, a lie.

use std::io::{Cursor, Read};

use zip::ZipArchive;
use zip::read::ZipFile;
use zip::result::ZipError;

/// Why an archive is not read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Not a zip archive, or a damaged one.
    #[error("not a zip archive that can be read: {0}")]
    Unreadable(String),
    /// Too large as it is.
    #[error("the archive has more than {} MiB", MOST_ARCHIVE_BYTES >> 20)]
    TooLarge,
    /// Too many files.
    #[error("the archive has more than {MOST_ENTRIES} entries")]
    TooManyEntries,
    /// A name that leaves the archive.
    #[error("the entry {0} has a name that leads out of the archive")]
    Name(String),
    /// An archive in the archive.
    #[error("the entry {0} is an archive itself")]
    Nested(String),
    /// Encrypted, or compressed in a way that is not read.
    #[error("the entry {0} is encrypted, or compressed in another way than deflate")]
    Method(String),
    /// A file that unpacks to too much.
    #[error("the entry {0} unpacks to more than {mib} MiB", mib = MOST_FILE >> 20)]
    FileTooLarge(String),
    /// Compressed beyond what text can be.
    #[error("the entry {0} unpacks to more than {MOST_RATIO} times its size")]
    Ratio(String),
    /// All files together unpack to too much.
    #[error("the archive unpacks to more than {} MiB", MOST_UNPACKED >> 20)]
    UnpacksToTooMuch,
    /// The directory of the archive says another size than the data have.
    #[error("the entry {0} has not the size that the archive says")]
    Lies(String),
}

/// Bytes of the largest archive.
pub const MOST_ARCHIVE_BYTES: usize = 16 << 20;
/// Entries of the longest directory.
pub(super) const MOST_ENTRIES: usize = 2000;
/// Bytes of the largest file, unpacked.
pub(super) const MOST_FILE: u64 = 8 << 20;
/// Bytes of all files, unpacked.
pub(super) const MOST_UNPACKED: u64 = 96 << 20;
/// By how much a file may grow; descriptions grow by about twenty.
pub(super) const MOST_RATIO: u64 = 100;
/// A file that is small all the same may grow by more.
const SMALL: u64 = 64 << 10;

/// A folder's name, and files with theirs.
type Files = (Option<String>, Vec<(String, Vec<u8>)>);

/// The descriptions in an archive, by name, and the name of the folder that they lie in. Other files are passed over.
pub(super) fn read(bytes: &[u8]) -> Result<Files, ArchiveError> {
    if bytes.len() > MOST_ARCHIVE_BYTES {
        return Err(ArchiveError::TooLarge);
    }
    check_directory(bytes)?;
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(unreadable)?;
    if archive.len() > MOST_ENTRIES {
        return Err(ArchiveError::TooManyEntries);
    }
    let mut files = Vec::new();
    let (mut folder, mut unpacked) = (None, 0);
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|error| refused(index, error))?;
        let name = checked_name(&entry)?;
        if entry.is_dir() || !name.to_ascii_lowercase().ends_with(".xml") {
            continue;
        }
        let content = content(&mut entry, &name)?;
        unpacked += content.len() as u64;
        if unpacked > MOST_UNPACKED {
            return Err(ArchiveError::UnpacksToTooMuch);
        }
        folder = folder.or_else(|| name.rsplit_once('/').map(|(folder, _)| folder.to_owned()));
        files.push((name, content));
    }
    files.sort();
    Ok((folder, files))
}

/// Refuses a directory that is too long before anything is made of it: every end-of-directory record that a reader might
/// take counts, and large-file forms, which no set of descriptions needs, are refused.
fn check_directory(bytes: &[u8]) -> Result<(), ArchiveError> {
    let tail = &bytes[bytes.len().saturating_sub(LONGEST_END)..];
    let mut found = false;
    for at in 0..tail.len() {
        let record = &tail[at..];
        if record.starts_with(END_64) {
            return Err(ArchiveError::TooManyEntries);
        }
        if record.starts_with(END) {
            found = true;
            let entries = record.get(10..12).map_or(0, |count| u16::from_le_bytes([count[0], count[1]]));
            if usize::from(entries) > MOST_ENTRIES {
                return Err(ArchiveError::TooManyEntries);
            }
        }
    }
    if found { Ok(()) } else { Err(ArchiveError::Unreadable("it has no directory".to_owned())) }
}

/// The name of an entry; none that could mean a place outside, and no archive.
fn checked_name<R: Read>(entry: &ZipFile<'_, R>) -> Result<String, ArchiveError> {
    let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
    let leads_out = name.starts_with('/')
        || name.contains(['\\', ':', '\0'])
        || name.split('/').any(|segment| segment == "..")
        || entry.is_symlink();
    let shown = || name.chars().filter(|c| !c.is_control()).take(80).collect::<String>();
    if leads_out {
        return Err(ArchiveError::Name(shown()));
    }
    let lower = name.to_ascii_lowercase();
    if ARCHIVES.iter().any(|ending| lower.ends_with(ending)) {
        return Err(ArchiveError::Nested(shown()));
    }
    Ok(name)
}

/// What is in an entry, as far as it may be unpacked.
fn content<R: Read>(entry: &mut ZipFile<'_, R>, name: &str) -> Result<Vec<u8>, ArchiveError> {
    let named = |error: fn(String) -> ArchiveError| error(name.to_owned());
    let (said, packed) = (entry.size(), entry.compressed_size());
    if said > MOST_FILE {
        return Err(named(ArchiveError::FileTooLarge));
    }
    if said > SMALL && said > packed.saturating_mul(MOST_RATIO) {
        return Err(named(ArchiveError::Ratio));
    }
    let mut content = Vec::new();
    // One byte more than was said is enough to know.
    let read = entry.take(said + 1).read_to_end(&mut content);
    if content.len() as u64 != said {
        return Err(named(ArchiveError::Lies));
    }
    read.map_err(|error| ArchiveError::Unreadable(error.to_string()))?;
    if content.starts_with(LOCAL_FILE) {
        return Err(named(ArchiveError::Nested));
    }
    Ok(content)
}

fn unreadable(error: ZipError) -> ArchiveError {
    ArchiveError::Unreadable(error.to_string())
}

fn refused(index: usize, error: ZipError) -> ArchiveError {
    match error {
        ZipError::UnsupportedArchive(_) | ZipError::CompressionMethodNotSupported(_) => {
            ArchiveError::Method(format!("number {}", index + 1))
        }
        error => unreadable(error),
    }
}

const ARCHIVES: &[&str] = &[".zip", ".gz", ".tgz", ".tar", ".7z", ".rar", ".cab", ".xz", ".bz2", ".zst"];
/// First bytes of an entry, of the end of a directory, and of the two records that stand for more than 65,535 entries.
const LOCAL_FILE: &[u8] = b"PK\x03\x04";
const END: &[u8] = b"PK\x05\x06";
const END_64: &[u8] = b"PK\x06\x07";
/// The end of the directory, with the longest comment behind it and the record before it.
const LONGEST_END: usize = 22 + 65_535 + 20;
