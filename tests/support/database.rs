//! The database from outside: which one the tests run on, locking it, and looking whether something stands in it in clear.
//!
//! `MUSTER_TEST_DATABASE` chooses: `sqlite`, which is the default, or `postgres`.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::postgres::{Cluster, Transaction};
use super::server::Server;
use super::unique;

/// The database of installations that wait to be copied.
const TEMPLATE: &str = "template_installation";

/// Whether the servers under test keep their data in SQLite.
pub fn is_sqlite() -> bool {
    match std::env::var("MUSTER_TEST_DATABASE").as_deref() {
        Err(_) | Ok("" | "sqlite") => true,
        Ok("postgres") => false,
        Ok(other) => panic!("MUSTER_TEST_DATABASE={other}: it may be sqlite or postgres"),
    }
}

/// Whether the servers under test keep their data in PostgreSQL; a message tells what is skipped otherwise.
pub fn is_postgres(what: &str) -> bool {
    if is_sqlite() {
        eprintln!("skipped without PostgreSQL: {what}");
    }
    !is_sqlite()
}

/// Whether the servers under test keep their data in SQLite; a message tells what is skipped otherwise.
pub fn has_files(what: &str) -> bool {
    if !is_sqlite() {
        eprintln!("skipped without the files of SQLite: {what}");
    }
    is_sqlite()
}

/// The URL of an empty PostgreSQL database for the installation that the others are copies of; `None` on SQLite.
pub fn for_template() -> Option<String> {
    (!is_sqlite()).then(|| cluster().create_database(TEMPLATE))
}

/// Gives a copied data folder a copy of the PostgreSQL database as well. SQLite's was copied with the folder.
pub fn copy_for(data: &Path) {
    if is_sqlite() {
        return;
    }
    let path = data.join("muster.toml");
    let config = fs::read_to_string(&path).expect("the template has a muster.toml");
    let copy = cluster().copy_database(TEMPLATE, &format!("installation_{}", unique()));
    let changed = config.replace(&cluster().url(TEMPLATE), &copy);
    assert_ne!(changed, config, "muster.toml names the database");
    fs::write(&path, changed).expect("the copied muster.toml is writable");
}

/// Removes the PostgreSQL database of an installation that is not needed any more.
pub fn remove_of(data: &Path) {
    if !is_sqlite() {
        cluster().drop_database(name_in(&url_of(data)));
    }
}

/// The cluster that was asked for.
pub fn cluster() -> &'static Cluster {
    Cluster::shared().expect("PostgreSQL was asked for")
}

/// The URL in the configuration of an installation.
pub fn url_of(data: &Path) -> String {
    let config = fs::read_to_string(data.join("muster.toml")).expect("an installation has a muster.toml");
    let config: toml::Table = config.parse().expect("muster.toml is TOML");
    config["database"]["url"].as_str().expect("muster.toml names the database").to_owned()
}

/// Whether a process has the database of an installation open.
pub fn is_open(data: &Path) -> bool {
    if is_sqlite() {
        return data.join("muster.db-wal").exists();
    }
    let name = name_in(&url_of(data)).to_owned();
    !cluster().rows("postgres", &format!("SELECT 1 FROM pg_stat_activity WHERE datname = '{name}'")).is_empty()
}

fn name_in(url: &str) -> &str {
    let path = url.rsplit('/').next().expect("a URL has parts");
    path.split('?').next().expect("there is a part before the options")
}

/// Keeps everybody else from writing to the installation's database until dropped.
pub enum Lock {
    Sqlite(rusqlite::Connection),
    Postgres(Transaction),
}

impl Lock {
    pub fn take(server: &Server) -> Self {
        if is_sqlite() { Self::Sqlite(lock_file(server)) } else { Self::Postgres(lock_tables(server)) }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Self::Sqlite(connection) = self {
            let _ = connection.execute_batch("ROLLBACK");
        }
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

fn lock_file(server: &Server) -> rusqlite::Connection {
    let path = main_file(&server.data());
    let connection = rusqlite::Connection::open(&path).expect("the database opens");
    connection.busy_timeout(std::time::Duration::from_secs(10)).expect("a timeout can be set");
    connection.execute_batch("BEGIN EXCLUSIVE").expect("the database can be locked");
    connection
}

fn lock_tables(server: &Server) -> Transaction {
    let url = url_of(&server.data());
    let locking = format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", tables(name_in(&url)).join(", "));
    let mut attempts = (0..10).map(|_| Transaction::begin(&url, &locking));
    // The server's statements may stand in the way of each other's and of this one.
    attempts.find_map(Result::ok).expect("the tables can be locked")
}

fn tables(database: &str) -> Vec<String> {
    let sql = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables \
               WHERE schemaname NOT IN ('pg_catalog', 'information_schema')";
    let names: Vec<String> = cluster().rows(database, sql).into_iter().flatten().flatten().collect();
    assert!(!names.is_empty(), "{database} has no tables");
    names
}

/// Whether these bytes stand anywhere in the database or SQLite's log.
pub fn holds(server: &Server, needle: &str) -> bool {
    if !is_sqlite() {
        return rows_hold(name_in(&url_of(&server.data())), needle);
    }
    let main = main_file(&server.data());
    let wal = PathBuf::from(format!("{}-wal", main.display()));
    [main, wal].iter().any(|file| fs::read(file).is_ok_and(|bytes| contains(&bytes, needle.as_bytes())))
}

/// The bytes in a column, those that are not null.
pub fn bytes_of(server: &Server, table: &str, column: &str) -> Vec<Vec<u8>> {
    let rows = |value: &str| format!("SELECT {value} FROM {table} WHERE {column} IS NOT NULL");
    if is_sqlite() {
        let connection = rusqlite::Connection::open(main_file(&server.data())).expect("the database opens");
        let mut statement = connection.prepare(&rows(column)).expect("the table has that column");
        let found = statement.query_map((), |row| row.get(0)).expect("it can be read");
        return found.collect::<Result<_, _>>().expect("it holds bytes");
    }
    let found = cluster().rows(name_in(&url_of(&server.data())), &rows(&format!("encode({column}, 'hex')")));
    let byte = |hex: &str, at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("it is hexadecimal");
    let bytes = |hex: &String| (0..hex.len()).step_by(2).map(|at| byte(hex, at)).collect();
    found.iter().flatten().flatten().map(bytes).collect()
}

/// Whether a value holds the text, or bytes that are the text.
fn rows_hold(database: &str, needle: &str) -> bool {
    let hex: String = needle.bytes().map(|byte| format!("{byte:02x}")).collect();
    let holds = |value: &String| value.contains(needle) || value.starts_with("\\x") && value.contains(&hex);
    let any_row = |table: &String| cluster().rows(database, &format!("SELECT * FROM {table}"));
    tables(database).iter().any(|table| any_row(table).iter().flatten().flatten().any(holds))
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

/// How many rows a table of the installation has.
pub fn count(server: &Server, table: &str) -> usize {
    let sql = format!("SELECT COUNT(*) FROM {table}");
    if !is_sqlite() {
        let rows = cluster().rows(name_in(&url_of(&server.data())), &sql);
        return rows[0][0].as_deref().expect("a count").parse().expect("a number");
    }
    let connection = rusqlite::Connection::open(main_file(&server.data())).expect("the database opens");
    let count: i64 = connection.query_row(&sql, (), |row| row.get(0)).expect("the table can be read");
    usize::try_from(count).expect("a count")
}
