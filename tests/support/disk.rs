//! A small disk of its own, for filling it up.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::server::workspace;
use super::unique;

/// A file system in memory, unmounted when dropped.
pub struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    /// Mounts one. None, and a word about it, where this process may not mount.
    pub fn mount(megabytes: u32) -> Option<Self> {
        let path = workspace().join(format!("disk-{}", unique()));
        std::fs::create_dir(&path).expect("the workspace is writable");
        let size = format!("size={megabytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&path).output();
        let refused = match mounted {
            Ok(output) if output.status.success() => return Some(Self { path }),
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => error.to_string(),
        };
        eprintln!("skipped: a full disk needs a small one, and this process may not mount: {refused}");
        None
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes all the room that is left; more of it at each call.
    pub fn fill(&self) {
        let filler = File::options().create(true).append(true).open(self.filler());
        let mut filler = filler.expect("the filler can be opened");
        let zeros = vec![0; 64 << 10];
        let mut piece = zeros.len();
        while piece >= 1024 {
            match filler.write_all(&zeros[..piece]) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => piece /= 2,
                Err(error) => panic!("the disk cannot be filled: {error}"),
            }
        }
    }

    /// Gives back what was taken.
    pub fn clear(&self) {
        std::fs::remove_file(self.filler()).expect("the filler can be removed");
    }

    fn filler(&self) -> PathBuf {
        self.path.join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.path).stderr(Stdio::null()).status();
    }
}
