//! Room on the disk that is kept back for the moment in which there is no other: a file beside the database, which is
//! removed so that what it held can be written to.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate, statvfs};
use rustix::io::Errno;

use super::{beside, private_file};

/// What is kept back: a few rows of the audit trail with their indexes, and what a log of usual length needs to be moved
/// into the database.
pub(super) const SIZE: u64 = 4 << 20;

/// The file, whether it is there or not.
pub(super) struct Reserve {
    path: PathBuf,
    is_there: bool,
}

impl Reserve {
    /// Beside that database. Without room for it there is none, and the database works all the same.
    pub(super) fn open(database: &Path) -> Self {
        let mut reserve = Self { path: beside(database, ".reserve"), is_there: false };
        if let Err(error) = reserve.fill() {
            tracing::warn!(%error, path = %reserve.path.display(), "no room is kept back for a full disk");
        }
        reserve
    }

    /// Gives up what there may be beside a database that is not open.
    pub(super) fn give_up(database: &Path) {
        Self { path: beside(database, ".reserve"), is_there: true }.release();
    }

    /// Gives the room up.
    pub(super) fn release(&mut self) {
        self.is_there = false;
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, path = %self.path.display(), "the room that was kept back could not be freed");
            }
            _ => {}
        }
    }

    /// Whether it is there; it is made again where twice the room is free, so that a disk that has just enough for it
    /// does not count as one with room.
    pub(super) fn secure(&mut self) -> bool {
        if !self.is_there
            && self.has_room(2 * SIZE)
            && let Err(error) = self.fill()
        {
            tracing::warn!(%error, path = %self.path.display(), "no room could be kept back again");
        }
        self.is_there
    }

    /// Asked first: an allocation that fails halfway would take from others what little there is.
    fn has_room(&self, bytes: u64) -> bool {
        let folder =
            self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        statvfs(folder).is_ok_and(|found| found.f_bavail.saturating_mul(found.f_frsize) >= bytes)
    }

    /// Makes the file, or there is none afterwards.
    fn fill(&mut self) -> io::Result<()> {
        let filled = private_file(&self.path).and_then(|file| allocate(&file, SIZE));
        self.is_there = filled.is_ok();
        if !self.is_there {
            let _ = std::fs::remove_file(&self.path);
        }
        filled
    }
}

/// Allocates the blocks; where the file system cannot, they are written.
fn allocate(mut file: &File, bytes: u64) -> io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), 0, bytes) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {
            let zeros = [0; 64 << 10];
            for _ in 0..bytes.div_ceil(zeros.len() as u64) {
                file.write_all(&zeros)?;
            }
            file.sync_all()
        }
        allocated => Ok(allocated?),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::*;

    #[test]
    fn the_room_is_really_taken_and_really_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("muster.db");
        let file = folder.path().join("muster.db.reserve");
        let mut reserve = Reserve::open(&database);
        let found = file.metadata().unwrap();
        assert_eq!((found.len(), found.permissions().mode() & 0o777), (SIZE, 0o600));
        assert!(found.blocks() * 512 >= SIZE, "a hole keeps nothing back");
        reserve.release();
        assert!(!file.exists());
        reserve.release();
        assert!(reserve.secure() && reserve.secure());
        assert_eq!(file.metadata().unwrap().len(), SIZE);
    }

    #[test]
    fn without_a_place_there_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let mut reserve = Reserve::open(&folder.path().join("no/muster.db"));
        assert!(!reserve.secure());
    }
}
