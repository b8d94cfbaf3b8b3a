//! The database files from outside: for locking them, and for looking whether something stands in them in clear.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::server::Server;

/// Whether the installations under test keep their data in SQLite files. A test that is about these files ends early
/// where they do not, and says so.
pub fn is_sqlite() -> bool {
    let is_other = std::env::var("MUSTER_TEST_DATABASE").is_ok_and(|name| name == "postgres");
    if is_other {
        eprintln!("skipped: this test is about SQLite files, and the database is PostgreSQL");
    }
    !is_other
}

/// Holds the write lock of the installation's SQLite database until dropped.
pub struct Lock {
    connection: rusqlite::Connection,
}

impl Lock {
    pub fn take(server: &Server) -> Self {
        let path = main_file(&server.data());
        let connection = rusqlite::Connection::open(&path).expect("the database opens");
        connection.busy_timeout(std::time::Duration::from_secs(10)).expect("a timeout can be set");
        connection.execute_batch("BEGIN EXCLUSIVE").expect("the database can be locked");
        Self { connection }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.connection.execute_batch("ROLLBACK");
    }
}

/// A reader of another program that holds on to what it saw at the beginning.
pub struct Snapshot {
    connection: rusqlite::Connection,
}

impl Snapshot {
    pub fn take(server: &Server) -> Self {
        let connection = rusqlite::Connection::open(main_file(&server.data())).expect("the database opens");
        connection.execute_batch("BEGIN; SELECT COUNT(*) FROM commands").expect("the database can be read");
        Self { connection }
    }

    /// How many commands there are, as it sees the database.
    pub fn commands(&self) -> i64 {
        self.connection.query_row("SELECT COUNT(*) FROM commands", (), |row| row.get(0)).expect("the snapshot stands")
    }
}

/// The log beside the database. It may be looked up while nothing of this process holds a lock on the database, and must
/// not be opened meanwhile: closing a file gives up every lock that the process has on it.
pub fn log_file(server: &Server) -> PathBuf {
    PathBuf::from(format!("{}-wal", main_file(&server.data()).display()))
}

/// Whether these bytes stand anywhere in the database or its log.
pub fn holds(server: &Server, needle: &str) -> bool {
    let main = main_file(&server.data());
    let wal = PathBuf::from(format!("{}-wal", main.display()));
    [main, wal].iter().any(|file| fs::read(file).is_ok_and(|bytes| contains(&bytes, needle.as_bytes())))
}

pub fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// Every file below a folder.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is readable") {
        let path = entry.expect("the folder is readable").path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}

/// The file that begins as SQLite databases do.
fn main_file(data: &Path) -> PathBuf {
    let is_database = |path: &PathBuf| {
        let mut begin = [0; 16];
        let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut begin));
        read.is_ok() && begin == *b"SQLite format 3\0"
    };
    files_below(data).into_iter().find(is_database).expect("the data directory holds a SQLite database")
}
