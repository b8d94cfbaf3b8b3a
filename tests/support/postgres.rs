//! A PostgreSQL cluster of its own for a test process, and a hand on its databases.
//!
//! The cluster lives in a temporary folder. A small shell process stops it and removes the folder when the test process
//! ends in whatever way: its standard input is a pipe that closes then.
//!
//! Unit tests of the store include this file by its path: it may use nothing else of the tests.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part of this module")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed expectation ends the test")]

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{OnceLock, mpsc};
use std::thread::JoinHandle;

use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

/// The owner of everything in a cluster. Only the Unix socket takes it without password.
const SUPERUSER: &str = "muster";

/// A socket's path may not be longer than this on Linux.
const LONGEST_SOCKET_PATH: usize = 107;

/// How a cluster is to be reached over TCP.
pub struct Tls<'a> {
    /// PEM, the server's certificate first.
    pub certificate: &'a [u8],
    /// PEM.
    pub key: &'a [u8],
    /// The superuser's, asked for over TCP.
    pub password: &'a str,
}

/// A running PostgreSQL, ended when dropped.
pub struct Cluster {
    programs: PathBuf,
    folder: PathBuf,
    owner: Option<(u32, u32)>,
    /// Where TCP is taken; `None`: the Unix socket alone.
    port: Option<u16>,
    keeper: Child,
}

impl Cluster {
    /// The cluster that all tests of one process share, started by the first that asks. `None`, with a message, where
    /// PostgreSQL is not installed.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref()
    }

    /// A cluster with a Unix socket alone.
    pub fn start() -> Option<Self> {
        let cluster = Self::prepared(None)?;
        cluster.begin();
        Some(cluster)
    }

    /// A cluster that takes TCP with TLS and a password as well, on a free port of 127.0.0.1.
    pub fn start_with(tls: &Tls<'_>) -> Option<Self> {
        for _ in 0..10 {
            let cluster = Self::prepared(Some(tls))?;
            // Somebody else may have taken the port since it was found free.
            if cluster.try_begin().is_ok() {
                return Some(cluster);
            }
        }
        panic!("no free port for PostgreSQL in ten attempts");
    }

    fn prepared(tls: Option<&Tls<'_>>) -> Option<Self> {
        let programs = programs()?;
        let (folder, owner) = new_folder();
        let keeper = keeper(&folder, &programs, owner);
        let port = tls.map(|_| free_port());
        let cluster = Self { programs, folder, owner, port, keeper };
        let init = ["-N", "-U", SUPERUSER, "-E", "UTF8", "--locale=C", "-A", "trust", "-D"];
        cluster.run("initdb", &[&init[..], &["data"]].concat()).unwrap_or_else(|said| panic!("initdb: {said}"));
        cluster.configure(tls);
        Some(cluster)
    }

    fn configure(&self, tls: Option<&Tls<'_>>) {
        let socket = self.folder.display();
        let mut settings = format!(
            "unix_socket_directories = '{socket}'\nlisten_addresses = ''\nmax_connections = 1000\nfsync = off\n\
             full_page_writes = off\nsynchronous_commit = on\ndynamic_shared_memory_type = mmap\nlc_messages = 'C'\n"
        );
        let mut access = "local all all trust\n".to_owned();
        if let (Some(tls), Some(port)) = (tls, self.port) {
            self.write("data/server.crt", tls.certificate);
            self.write("data/server.key", tls.key);
            settings.push_str(&format!("listen_addresses = '127.0.0.1'\nport = {port}\nssl = on\n"));
            access.push_str("hostssl all all 127.0.0.1/32 scram-sha-256\n");
        }
        let path = self.folder.join("data/postgresql.conf");
        let mut file = fs::OpenOptions::new().append(true).open(path).expect("initdb writes postgresql.conf");
        file.write_all(settings.as_bytes()).expect("the configuration can be written");
        self.write("data/pg_hba.conf", access.as_bytes());
        if let Some(tls) = tls {
            self.begin_without_tcp();
            self.execute("postgres", &format!("ALTER USER {SUPERUSER} PASSWORD '{}'", tls.password));
            self.stop();
        }
    }

    /// Writes a file that the owner of the cluster alone may read.
    fn write(&self, name: &str, content: &[u8]) {
        let path = self.folder.join(name);
        fs::write(&path, content).expect("the cluster's folder is writable");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("permissions can be set");
        give(&path, self.owner);
    }

    /// Starts a cluster that was stopped; the addresses stay.
    pub fn begin(&self) {
        self.try_begin().unwrap_or_else(|said| panic!("PostgreSQL does not start: {said}"));
    }

    fn try_begin(&self) -> Result<(), String> {
        let start = ["start", "-s", "-w", "-t", "120", "-l", "log", "-D", "data"];
        self.run("pg_ctl", &start).map_err(|said| format!("{said}\n{}", self.log()))
    }

    fn begin_without_tcp(&self) {
        let start = ["start", "-s", "-w", "-t", "120", "-l", "log", "-D", "data", "-o", "-c listen_addresses=''"];
        self.run("pg_ctl", &start).unwrap_or_else(|said| panic!("PostgreSQL does not start: {said}\n{}", self.log()));
    }

    /// Ends it in good order; connections are cut.
    pub fn stop(&self) {
        self.end("fast");
    }

    /// Ends it at once, as a crash would: what is not in the log is lost, the next start recovers.
    pub fn stop_immediate(&self) {
        self.end("immediate");
    }

    fn end(&self, mode: &str) {
        let stop = ["stop", "-s", "-w", "-t", "120", "-D", "data", "-m", mode];
        self.run("pg_ctl", &stop).unwrap_or_else(|said| panic!("PostgreSQL does not end: {said}\n{}", self.log()));
    }

    /// What PostgreSQL wrote down.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.join("log")).unwrap_or_default()).into_owned()
    }

    /// Runs one of PostgreSQL's programs in the cluster's folder, as its owner; what it said if it failed.
    fn run(&self, program: &str, arguments: &[&str]) -> Result<(), String> {
        let output = fs::File::create(self.folder.join("said")).expect("the cluster's folder is writable");
        let mut command = Command::new(self.programs.join(program));
        command.args(arguments).current_dir(&self.folder).stdin(Stdio::null());
        // A file and no pipe: the server inherits it and would keep a pipe open.
        command.stdout(output.try_clone().expect("a file can be shared")).stderr(output);
        let status = as_owner(&mut command, self.owner).status().expect("PostgreSQL's programs start");
        let said = fs::read(self.folder.join("said")).unwrap_or_default();
        if status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&said).into_owned()) }
    }

    /// The folder of the Unix socket.
    pub fn sockets(&self) -> &Path {
        &self.folder
    }

    /// Where a database is, over the Unix socket.
    pub fn url(&self, database: &str) -> String {
        let host = self.folder.display().to_string().replace('%', "%25").replace('/', "%2F");
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("postgres://{SUPERUSER}@{host}{port}/{database}")
    }

    /// Where a database is, over TCP; `options` such as `sslmode=require`.
    pub fn tcp_url(&self, host: &str, password: &str, database: &str, options: &str) -> String {
        let port = self.port.expect("the cluster takes TCP");
        format!("postgres://{SUPERUSER}:{password}@{host}:{port}/{database}?{options}")
    }

    /// A new, empty database. It sorts text unlike SQLite does: nothing may depend on that.
    pub fn create_database(&self, name: &str) -> String {
        let base = format!("CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8'");
        let with_icu = format!("{base} LOCALE_PROVIDER icu ICU_LOCALE 'und'");
        if let Err(refusal) = self.query("postgres", &with_icu) {
            let refusal = refusal.as_db_error().map_or_else(|| refusal.to_string(), |e| e.message().to_owned());
            eprintln!("no ICU collation ({refusal}): the database sorts by bytes");
            self.execute("postgres", &base);
        }
        self.url(name)
    }

    /// A copy of a database that nobody uses.
    pub fn copy_database(&self, from: &str, name: &str) -> String {
        self.execute("postgres", &format!("CREATE DATABASE \"{name}\" TEMPLATE \"{from}\""));
        self.url(name)
    }

    /// Removes a database; its connections are cut.
    pub fn drop_database(&self, name: &str) {
        self.execute("postgres", &format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)"));
    }

    /// Runs statements that must succeed.
    pub fn execute(&self, database: &str, sql: &str) {
        self.query(database, sql).unwrap_or_else(|refusal| panic!("{sql}: {refusal:?}"));
    }

    /// The rows that statements bring, each value as PostgreSQL writes it down as text.
    pub fn rows(&self, database: &str, sql: &str) -> Vec<Vec<Option<String>>> {
        let messages = self.query(database, sql).unwrap_or_else(|refusal| panic!("{sql}: {refusal:?}"));
        let rows = messages.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        rows.map(|row| (0..row.len()).map(|n| row.get(n).map(str::to_owned)).collect()).collect()
    }

    fn query(&self, database: &str, sql: &str) -> Result<Vec<SimpleQueryMessage>, tokio_postgres::Error> {
        query(&self.url(database), sql)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// Runs statements at a URL without TLS, on a connection of their own.
pub fn query(url: &str, sql: &str) -> Result<Vec<SimpleQueryMessage>, tokio_postgres::Error> {
    connected(url, async |client| client.simple_query(sql).await)
}

/// Statements in a transaction that stays open until this is dropped, and is rolled back then.
pub struct Transaction {
    release: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Transaction {
    pub fn begin(url: &str, sql: &str) -> Result<Self, tokio_postgres::Error> {
        let (release, released) = mpsc::channel::<()>();
        let (begun, has_begun) = mpsc::channel();
        let (url, sql) = (url.to_owned(), format!("BEGIN; {sql}"));
        let thread = std::thread::spawn(move || {
            let failed = begun.clone();
            let done = connected(&url, async move |client| {
                client.simple_query(&sql).await?;
                let _ = begun.send(Ok(()));
                // Nothing else runs on this thread meanwhile, and nothing needs to.
                let _ = released.recv();
                client.simple_query("ROLLBACK").await.map(drop)
            });
            let _ = failed.send(done);
        });
        has_begun.recv().expect("the thread tells how it goes")?;
        Ok(Self { release: Some(release), thread: Some(thread) })
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        drop(self.release.take());
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Does something with a connection, on a thread of its own so that callers inside a runtime may block as well.
fn connected<T: Send>(
    url: &str,
    work: impl AsyncFnOnce(&Client) -> Result<T, tokio_postgres::Error> + Send,
) -> Result<T, tokio_postgres::Error> {
    let config: Config = url.parse().expect("the URL is well-formed");
    let conversation = async move || {
        let (client, connection) = config.connect(NoTls).await?;
        let driver = tokio::spawn(connection);
        let answer = work(&client).await;
        drop(client);
        let _ = driver.await;
        answer
    };
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    std::thread::scope(|scope| scope.spawn(|| runtime().block_on(conversation())).join().expect("nobody panics"))
}

/// The folder of PostgreSQL's programs. `None`, with a message, when there is none, unless PostgreSQL was asked for.
fn programs() -> Option<PathBuf> {
    let is_complete =
        |folder: &PathBuf| ["initdb", "pg_ctl", "postgres"].iter().all(|name| folder.join(name).is_file());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&path).find(is_complete);
    let found = in_path.or_else(|| debian_folders().into_iter().rfind(is_complete));
    if found.is_none() {
        let missing = "PostgreSQL is not installed: initdb, pg_ctl and postgres are neither in PATH nor in \
                       /usr/lib/postgresql/*/bin";
        assert!(std::env::var("MUSTER_TEST_DATABASE").as_deref() != Ok("postgres"), "{missing}");
        eprintln!("skipped: {missing}");
    }
    found
}

/// Where Debian puts the programs, the newest version last.
fn debian_folders() -> Vec<PathBuf> {
    let entries = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let version = |path: &Path| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok()).unwrap_or(0);
    let mut versions: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    versions.sort_by_key(|path| version(path));
    versions.into_iter().map(|path| path.join("bin")).collect()
}

/// A temporary folder short enough for a socket, and whose it is if not the caller's: PostgreSQL refuses to run as root.
fn new_folder() -> (PathBuf, Option<(u32, u32)>) {
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix("muster-pg-");
    let mut folder = builder.tempdir().expect("a temporary folder");
    if folder.path().as_os_str().len() + "/.s.PGSQL.65535.lock".len() > LONGEST_SOCKET_PATH {
        folder = builder.tempdir_in("/tmp").expect("a temporary folder");
    }
    let folder = folder.keep();
    let is_root = fs::metadata(&folder).expect("the folder is there").uid() == 0;
    let owner = is_root.then(|| unprivileged().expect("there is a user postgres or nobody"));
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).expect("permissions can be set");
    give(&folder, owner);
    (folder, owner)
}

/// The user and group of `postgres`, else of `nobody`.
fn unprivileged() -> Option<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let find = |wanted: &str| {
        let mut fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let user = fields.find(|fields| fields[0] == wanted)?;
        Some((user.get(2)?.parse().ok()?, user.get(3)?.parse().ok()?))
    };
    find("postgres").or_else(|| find("nobody"))
}

fn give(path: &Path, owner: Option<(u32, u32)>) {
    if let Some((user, group)) = owner {
        chown(path, Some(user), Some(group)).expect("root may give files away");
    }
}

fn as_owner(command: &mut Command, owner: Option<(u32, u32)>) -> &mut Command {
    if let Some((user, group)) = owner {
        command.uid(user).gid(group);
    }
    command
}

/// The process that stops the cluster and removes its folder when this process is gone. It is in a group of its own, so
/// that a Ctrl-C does not end it first.
fn keeper(folder: &Path, programs: &Path, owner: Option<(u32, u32)>) -> Child {
    // Again and again: a program that was starting it may still be at work.
    let script = r#"cat >/dev/null
        for attempt in 1 2 3 4 5 6 7 8 9 10; do
            [ -f data/postmaster.pid ] && "$2/pg_ctl" stop -s -w -t 30 -m immediate -D data
            pid=$(head -n 1 data/postmaster.pid) && kill -9 "$pid"
            rm -rf "$1" && exit
            sleep 1
        done"#;
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).arg(folder).arg(programs).current_dir(folder).process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    as_owner(&mut command, owner).spawn().expect("sh starts")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    listener.local_addr().expect("the listener has an address").port()
}
