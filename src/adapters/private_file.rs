//! Files that nobody else may read, and writing files whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Why a file was not read or written. Every message names the file and, where there is one, the fix.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be opened or read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It can be read or written by others than its owner.
    #[error("{path} may be read by others (mode {mode:04o}); run: chmod 600 {path}", path = path.display())]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// There is a file of that name already, and it is not replaced.
    #[error("{} exists already and is left as it is", path.display())]
    Exists {
        /// Which file.
        path: PathBuf,
    },
    /// It cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Reads a file that only its owner may read.
///
/// # Errors
/// [`FileError::Read`] or [`FileError::Exposed`].
pub fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let unreadable = |source| FileError::Read { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(FileError::Exposed { path: path.to_owned(), mode });
    }
    let mut contents = Zeroizing::new(Vec::new());
    file.read_to_end(&mut contents).map_err(unreadable)?;
    Ok(contents)
}

/// Reads a text file that anybody may read.
///
/// # Errors
/// [`FileError::Read`].
pub fn read_public(path: &Path) -> Result<String, FileError> {
    fs::read_to_string(path).map_err(|source| FileError::Read { path: path.to_owned(), source })
}

/// Makes a folder that only its owner may enter, with its parents; an existing one stays as it is.
///
/// # Errors
/// [`FileError::Write`].
pub fn create_folder(path: &Path) -> Result<(), FileError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| FileError::Write { path: path.to_owned(), source })
}

/// Writes a new file: whole and on the disk when this returns, or not there at all.
///
/// # Errors
/// [`FileError::Exists`] or [`FileError::Write`].
pub fn write_new(path: &Path, contents: &[u8], mode: u32) -> Result<(), FileError> {
    let temporary = write_beside(path, contents, mode)?;
    // A link, unlike a rename, never replaces what is there.
    let linked = fs::hard_link(&temporary, path);
    let removed = fs::remove_file(&temporary);
    match linked.and(removed).and_then(|()| sync_folder(path)) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Err(FileError::Exists { path: path.to_owned() }),
        Err(source) => Err(FileError::Write { path: path.to_owned(), source }),
    }
}

/// Writes a file, replacing an older one in one step.
///
/// # Errors
/// [`FileError::Write`]; the older file is then untouched.
pub fn replace(path: &Path, contents: &[u8], mode: u32) -> Result<(), FileError> {
    let temporary = write_beside(path, contents, mode)?;
    fs::rename(&temporary, path).and_then(|()| sync_folder(path)).map_err(|source| {
        let _ = fs::remove_file(&temporary);
        FileError::Write { path: path.to_owned(), source }
    })
}

/// Moves a file or folder to a name that is free; the move is on the disk when this returns.
///
/// # Errors
/// [`FileError::Exists`] or [`FileError::Write`]; the file is then where it was.
pub fn move_new(from: &Path, to: &Path) -> Result<(), FileError> {
    if fs::symlink_metadata(to).is_ok() {
        return Err(FileError::Exists { path: to.to_owned() });
    }
    let moved = open_folder(to).and_then(|folder| {
        fs::rename(from, to)?;
        folder.sync_all().or_else(|error| fs::rename(to, from).and(Err(error)))
    });
    moved.map_err(|source| FileError::Write { path: to.to_owned(), source })
}

/// Writes and syncs a file of a name that is in nobody's way.
fn write_beside(path: &Path, contents: &[u8], mode: u32) -> Result<PathBuf, FileError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let write = || {
        // A leftover of a process that had our number and died.
        match fs::remove_file(&temporary) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
        // The mode given at creation is cut by the umask.
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.write_all(contents)?;
        file.sync_all()
    };
    write().map_err(|source| {
        let _ = fs::remove_file(&temporary);
        FileError::Write { path: path.to_owned(), source }
    })?;
    Ok(temporary)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    open_folder(path)?.sync_all()
}

/// The folder in which a path lies.
fn open_folder(path: &Path) -> io::Result<File> {
    File::open(path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new(".")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_files_are_private_whole_and_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        write_new(&path, b"one", 0o600).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(write_new(&path, b"two", 0o600), Err(FileError::Exists { .. })));
        assert_eq!(read_private(&path).unwrap().as_slice(), b"one");
        replace(&path, b"three", 0o600).unwrap();
        assert_eq!(read_private(&path).unwrap().as_slice(), b"three");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_move_replaces_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| folder.path().join(name));
        write_new(&from, b"one", 0o600).unwrap();
        write_new(&to, b"two", 0o600).unwrap();
        assert!(matches!(move_new(&from, &to), Err(FileError::Exists { .. })));
        fs::remove_file(&to).unwrap();
        move_new(&from, &to).unwrap();
        assert_eq!((read_private(&to).unwrap().as_slice(), from.exists()), (&b"one"[..], false));
    }

    #[test]
    fn files_open_to_others_are_refused_with_the_fix() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        for mode in [0o640, 0o604, 0o620, 0o644] {
            replace(&path, b"x", mode).unwrap();
            let message = read_private(&path).unwrap_err().to_string();
            let expected = format!("{0} may be read by others (mode {mode:04o}); run: chmod 600 {0}", path.display());
            assert_eq!(message, expected);
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read_private(Path::new("no/such/file")).unwrap_err();
        assert!(error.to_string().starts_with("cannot read no/such/file: "), "{error}");
    }
}
