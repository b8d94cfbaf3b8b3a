//! Where a new installation is made before it is one: nothing of it has its name until all of it is there, and what fails
//! leaves nothing behind.
//!
//! A data folder that is not there comes into being whole, by one rename of a folder beside it. In one that is there (a
//! mounted volume, perhaps, or one that a package made) the parts are made in a folder inside and moved up, `muster.toml`
//! last: without it there is no installation.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use zeroize::Zeroizing;

use crate::adapters::private_file::{create_folder, move_new, write_new};
use crate::adapters::system::SystemRng;

/// The file that makes a folder an installation.
const CONFIG: &str = "muster.toml";
/// In the name of every folder where something is being made.
const MARK: &str = ".init-";
/// Lies in a folder from the moment in which its parts are moved up, with their names.
const MOVING: &str = ".moving";
/// The sealing keys.
const KEYS: &str = "keys";
/// What an installation consists of, besides its configuration and its sealing keys.
const PARTS: [&str; 8] =
    ["ca", "tls", "admin.token", "muster.db", "muster.db-wal", "muster.db-shm", "muster.db.lock", "muster.db.reserve"];

/// A folder in which an installation is being made; removed unless it is [kept](Self::keep).
pub(super) struct Staging {
    data: PathBuf,
    folder: PathBuf,
    is_inside: bool,
    /// What lies in its final place already.
    placed: Vec<PathBuf>,
    is_finished: bool,
    /// Keeps a second `init` out while this lives.
    _lock: Option<File>,
}

/// Refuses a data folder that has an installation, or parts of one; looks only.
pub(super) fn refuse_taken(data: &Path) -> Result<()> {
    if fs::symlink_metadata(data.join(CONFIG)).is_ok() {
        bail!("{} holds an installation already", data.display());
    }
    let ours = half_moved(data)?;
    let is_foreign =
        |part: &&&str| fs::symlink_metadata(data.join(part)).is_ok() && !ours.iter().any(|name| name == **part);
    match PARTS.iter().find(is_foreign) {
        None => Ok(()),
        Some(part) => bail!(
            "{data} holds `{part}`, but no {CONFIG}: it may be what is left of an installation; give another folder, or \
             move it away",
            data = data.display()
        ),
    }
}

impl Staging {
    /// Makes the folder. What an `init` that was killed left in the data folder is cleared away.
    pub(super) fn begin(data: &Path) -> Result<Self> {
        let data = std::path::absolute(data)?;
        let random: String = SystemRng.bytes::<4>().iter().map(|byte| format!("{byte:02x}")).collect();
        let (folder, is_inside, lock) = match (data.is_dir(), data.file_name()) {
            (false, Some(name)) => {
                clear_beside(&data)?;
                let mut name = name.to_owned();
                name.push(format!("{MARK}{random}"));
                (data.with_file_name(name), false, None)
            }
            _ => {
                let lock = lock(&data)?;
                refuse_taken(&data)?;
                clear(&data)?;
                (data.join(format!("{MARK}{random}")), true, lock)
            }
        };
        create_folder(&folder)?;
        let lock = if is_inside { lock } else { self::lock(&folder)? };
        Ok(Self { data, folder, is_inside, placed: Vec::new(), is_finished: false, _lock: lock })
    }

    /// The folder, laid out like the data folder.
    pub(super) fn path(&self) -> &Path {
        &self.folder
    }

    /// Brings a file of the folder to a place outside the data folder, where nothing may be.
    pub(super) fn carry(&mut self, file: &Path, to: &Path) -> Result<()> {
        let from = self.folder.join(file);
        let contents = Zeroizing::new(fs::read(&from)?);
        write_new(to, &contents, 0o600)?;
        self.placed.push(to.to_owned());
        fs::remove_file(&from).with_context(|| from.display().to_string())
    }

    /// Puts everything in its place, from which it is taken away again unless it is to [stay](Self::keep).
    pub(super) fn place(&mut self) -> Result<()> {
        if self.is_inside {
            return self.move_up();
        }
        move_new(&self.folder, &self.data)?;
        self.placed.push(self.data.clone());
        Ok(())
    }

    /// What was put in its place stays there.
    pub(super) fn keep(mut self) {
        self.is_finished = true;
    }

    #[cfg(test)]
    fn finish(mut self) -> Result<()> {
        self.place()?;
        self.keep();
        Ok(())
    }

    fn move_up(&mut self) -> Result<()> {
        let names = names(&self.folder)?;
        write_new(&self.folder.join(MOVING), names.join("\n").as_bytes(), 0o600)?;
        let (last, parts): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| name == CONFIG);
        for name in parts.into_iter().chain(last) {
            let to = self.data.join(&name);
            move_new(&self.folder.join(&name), &to)?;
            self.placed.push(to);
        }
        // Nothing else is in it now; if it stays, it is in nobody's way.
        remove(&self.folder);
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.is_finished {
            self.placed.iter().for_each(|path| remove(path));
            remove(&self.folder);
        }
    }
}

/// What an `init` that was killed had moved into the data folder already: what its list names and its folder no longer has.
fn half_moved(data: &Path) -> Result<Vec<String>> {
    let mut moved = Vec::new();
    for folder in names(data)?.into_iter().filter(|name| name.starts_with(MARK)).map(|name| data.join(name)) {
        let list = match fs::read_to_string(folder.join(MOVING)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            list => list.with_context(|| format!("cannot read {}", folder.join(MOVING).display()))?,
        };
        moved.extend(list.lines().filter(|name| fs::symlink_metadata(folder.join(name)).is_err()).map(str::to_owned));
    }
    Ok(moved)
}

/// Clears away what is not finished. The sealing keys stay: a database outside may be sealed with them.
fn clear(data: &Path) -> Result<()> {
    half_moved(data)?.iter().filter(|name| *name != KEYS).for_each(|name| remove(&data.join(name)));
    names(data)?.iter().filter(|name| name.starts_with(MARK)).for_each(|name| remove(&data.join(name)));
    Ok(())
}

/// Clears away folders beside a data folder that is not there, each of an `init` that was killed: nobody holds its lock.
fn clear_beside(data: &Path) -> Result<()> {
    let (Some(parent), Some(name)) = (data.parent(), data.file_name().and_then(|name| name.to_str())) else {
        return Ok(());
    };
    let mark = format!("{name}{MARK}");
    for folder in names(parent)?.into_iter().filter(|name| name.starts_with(&mark)).map(|name| parent.join(name)) {
        if lock(&folder).is_ok_and(|lock| lock.is_some()) {
            remove(&folder);
        }
    }
    Ok(())
}

/// The names in a folder; none if it is not there. Names that are no UTF-8 are none of ours.
fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.with_context(|| format!("cannot look into {}", folder.display()))?,
    };
    let names: io::Result<Vec<_>> = entries.map(|entry| Ok(entry?.file_name())).collect();
    Ok(names?.into_iter().filter_map(|name| name.into_string().ok()).collect())
}

fn lock(data: &Path) -> Result<Option<File>> {
    let folder = File::open(data).with_context(|| format!("cannot look into {}", data.display()))?;
    match folder.try_lock() {
        Ok(()) => Ok(Some(folder)),
        Err(TryLockError::WouldBlock) => bail!("another init is at work in {}", data.display()),
        // Not every file system can lock a folder.
        Err(TryLockError::Error(_)) => Ok(None),
    }
}

fn remove(path: &Path) {
    let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(staging: &Staging) {
        create_folder(&staging.path().join("ca")).unwrap();
        for name in [CONFIG, "ca/root.pem", "keys"] {
            write_new(&staging.path().join(name), b"x", 0o600).unwrap();
        }
    }

    fn all(folder: &Path) -> Vec<String> {
        let mut names = names(folder).unwrap();
        names.sort();
        names
    }

    #[test]
    fn a_new_folder_comes_into_being_whole() {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("a/data");
        let staging = Staging::begin(&data).unwrap();
        make(&staging);
        assert!(!data.exists());
        staging.finish().unwrap();
        assert_eq!(all(&data), ["ca", "keys", CONFIG]);
        assert_eq!(all(&home.path().join("a")), ["data"]);
        assert!(refuse_taken(&data).is_err());
    }

    #[test]
    fn a_folder_that_is_there_is_filled() {
        let data = tempfile::tempdir().unwrap();
        fs::create_dir(data.path().join("lost+found")).unwrap();
        let staging = Staging::begin(data.path()).unwrap();
        make(&staging);
        assert!(Staging::begin(data.path()).is_err_and(|error| error.to_string().starts_with("another init")));
        staging.finish().unwrap();
        assert_eq!(all(data.path()), ["ca", "keys", "lost+found", CONFIG]);
    }

    #[test]
    fn what_fails_leaves_nothing() {
        let home = tempfile::tempdir().unwrap();
        for name in ["new", "there"] {
            let data = home.path().join(name);
            let outside = home.path().join("keys");
            if name == "there" {
                fs::create_dir(&data).unwrap();
            }
            let mut staging = Staging::begin(&data).unwrap();
            make(&staging);
            staging.carry(Path::new("keys"), &outside).unwrap();
            assert!(outside.exists() && !staging.path().join("keys").exists());
            drop(staging);
            assert!(!outside.exists());
            assert_eq!(all(&data), Vec::<String>::new());
        }
        assert_eq!(all(home.path()), ["there"]);
    }

    #[test]
    fn what_is_in_place_is_taken_away_again_unless_it_is_kept() {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("there")).unwrap();
        fs::write(home.path().join("there/mine"), "x").unwrap();
        for name in ["new", "there"] {
            let mut staging = Staging::begin(&home.path().join(name)).unwrap();
            make(&staging);
            staging.place().unwrap();
            assert!(home.path().join(name).join(CONFIG).exists());
        }
        assert_eq!(all(home.path()), ["there"]);
        assert_eq!(all(&home.path().join("there")), ["mine"]);
    }

    #[test]
    fn what_is_there_is_never_overwritten() {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        fs::create_dir(&data).unwrap();
        let mut staging = Staging::begin(&data).unwrap();
        make(&staging);
        let outside = home.path().join("outside");
        fs::write(&outside, "mine").unwrap();
        assert!(staging.carry(Path::new("keys"), &outside).is_err());
        fs::write(data.join("keys"), "mine").unwrap();
        assert!(staging.finish().is_err());
        assert_eq!(all(&data), ["keys"], "the parts that were moved are gone again");
        for path in [outside, data.join("keys")] {
            assert_eq!(fs::read(path).unwrap(), b"mine");
        }
    }

    #[test]
    fn parts_without_an_installation_are_left_alone() {
        let data = tempfile::tempdir().unwrap();
        fs::create_dir(data.path().join("ca")).unwrap();
        let refused = refuse_taken(data.path()).unwrap_err().to_string();
        assert!(refused.contains("holds `ca`"), "{refused}");
        assert!(Staging::begin(data.path()).is_err());
        assert_eq!(all(data.path()), ["ca"]);
    }

    #[test]
    fn what_others_put_there_after_an_init_was_killed_is_left_alone() {
        let data = tempfile::tempdir().unwrap();
        let mut staging = Staging::begin(data.path()).unwrap();
        make(&staging);
        staging.is_finished = true;
        drop(staging);
        fs::create_dir(data.path().join("tls")).unwrap();
        assert!(refuse_taken(data.path()).unwrap_err().to_string().contains("holds `tls`"));
        fs::remove_dir(data.path().join("tls")).unwrap();
        fs::write(data.path().join("mine"), "x").unwrap();
        drop(Staging::begin(data.path()).unwrap());
        assert_eq!(all(data.path()), ["mine"]);
    }

    #[test]
    fn a_folder_beside_that_a_killed_init_left_is_cleared_away_and_one_in_use_is_not() {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        let mut killed = Staging::begin(&data).unwrap();
        make(&killed);
        killed.is_finished = true;
        drop(killed);
        let first = Staging::begin(&data).unwrap();
        assert_eq!(all(home.path()).len(), 1);
        let second = Staging::begin(&data).unwrap();
        assert!(first.path().is_dir() && second.path().is_dir());
        second.finish().unwrap();
        drop(first);
        assert_eq!(all(home.path()), ["data"]);
    }

    #[test]
    fn what_a_killed_init_left_is_cleared_away() {
        let data = tempfile::tempdir().unwrap();
        let mut staging = Staging::begin(data.path()).unwrap();
        make(&staging);
        fs::write(staging.path().join(MOVING), format!("ca\nkeys\n{CONFIG}")).unwrap();
        move_new(&staging.path().join("ca"), &data.path().join("ca")).unwrap();
        move_new(&staging.path().join("keys"), &data.path().join("keys")).unwrap();
        let left = staging.path().to_owned();
        // As if the process had ended here.
        staging.is_finished = true;
        drop(staging);
        assert!(left.exists());
        refuse_taken(data.path()).unwrap();
        let staging = Staging::begin(data.path()).unwrap();
        assert_eq!(names(data.path()).unwrap().len(), 2, "the keys and the new folder");
        assert!(!left.exists());
        drop(staging);
        assert_eq!(all(data.path()), ["keys"]);
    }
}
