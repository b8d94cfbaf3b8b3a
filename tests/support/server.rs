//! The server under test: the real program, started on free ports with a data directory of its own.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::time::{Duration, Instant};

use rustls::ClientConfig;

use super::api::Api;
use super::http::{Connection, Request, Response, Tls, once};
use super::keys::Key;
use super::{database, unique};

const READY_WITHIN: Duration = Duration::from_secs(60);

/// A running server. It is killed when dropped, and also when the test process dies in any other way.
pub struct Server {
    home: PathBuf,
    overrides: Vec<(String, String)>,
    process: Option<Process>,
    /// The database stays when this server is gone: others use it, or it is not the tests' own.
    spares_database: bool,
    keys_used: AtomicUsize,
    web: Arc<ClientConfig>,
    /// The root with which it began.
    root: Vec<u8>,
    pub url: String,
    pub device_url: String,
}

struct Process {
    child: Child,
    /// Disconnected when the process has ended.
    ended: Mutex<mpsc::Receiver<String>>,
    /// Every line of standard output after the ready line.
    more_output: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// A fresh installation with the default configuration.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// A fresh installation; `overrides` are environment variables such as `MUSTER__ENROLL__MAX_DEVICES_PER_USER`.
    /// The listener for operators is off: its default port is fixed.
    pub fn start_with(overrides: &[(&str, &str)]) -> Self {
        Self::attached(fresh_installation(), "", "").launched(overrides)
    }

    /// A fresh installation on an empty PostgreSQL database that the caller looks after.
    pub fn start_on(database: &str, overrides: &[(&str, &str)]) -> Self {
        let home = new_home();
        initialise(&home.join("data"), Some(database));
        let mut server = Self::attached(home, "", "");
        server.spares_database = true;
        server.launched(overrides)
    }

    /// A fresh installation on SQLite, whatever the other tests run on.
    pub fn start_on_file(overrides: &[(&str, &str)]) -> Self {
        let home = new_home();
        initialise(&home.join("data"), None);
        let mut server = Self::attached(home, "", "");
        server.spares_database = true;
        server.launched(overrides)
    }

    /// Another server on the database of this one, which must be PostgreSQL, with a copy of its data folder.
    pub fn further_node(&self, overrides: &[(&str, &str)]) -> Self {
        let home = new_home();
        copy_tree(&self.data(), &home.join("data"));
        let _ = fs::remove_file(home.join("data/run.json"));
        let mut node = Self::attached(home, "", "");
        node.spares_database = true;
        node.launched(overrides)
    }

    fn launched(mut self, overrides: &[(&str, &str)]) -> Self {
        let usual = [("MUSTER__OPS__LISTEN", "off")];
        self.overrides = usual.iter().chain(overrides).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        self.launch();
        self
    }

    /// The same with its SQLite database in another folder.
    pub fn start_with_database_in(folder: &Path, overrides: &[(&str, &str)]) -> Self {
        let home = fresh_installation();
        let database = folder.join("muster.db");
        fs::copy(home.join("data/muster.db"), &database).expect("the folder is writable");
        fs::remove_file(home.join("data/muster.db")).expect("the copy can be removed");
        let url = format!("sqlite:{}", database.display());
        let usual = [("MUSTER__OPS__LISTEN", "off"), ("MUSTER__DATABASE__URL", url.as_str())];
        let mut server = Self::attached(home, "", "");
        server.overrides = usual.iter().chain(overrides).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        server.launch();
        server
    }

    /// An installation that somebody else serves, in this process for instance.
    pub fn attached(home: PathBuf, url: &str, device_url: &str) -> Self {
        let root = fs::read(home.join("data/ca/root.pem")).expect("init writes ca/root.pem");
        let web = Tls::trusting(&root).config();
        Self {
            home,
            overrides: Vec::new(),
            process: None,
            spares_database: false,
            keys_used: AtomicUsize::new(0),
            web,
            root,
            url: url.trim_end_matches('/').to_owned(),
            device_url: device_url.trim_end_matches('/').to_owned(),
        }
    }

    /// The server that all tests of one file share; started by the first that asks.
    #[track_caller]
    pub fn shared() -> &'static Self {
        static SHARED: Mutex<BTreeMap<&str, &OnceLock<Server>>> = Mutex::new(BTreeMap::new());
        let file = Location::caller().file();
        let place = *SHARED
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(file)
            .or_insert_with(|| Box::leak(Box::default()));
        place.get_or_init(Self::start)
    }

    pub fn data(&self) -> PathBuf {
        self.home.join("data")
    }

    pub fn root_pem(&self) -> Vec<u8> {
        let mut roots = fs::read(self.data().join("ca/root.pem")).expect("init writes ca/root.pem");
        // The server certificate may still stand under the root before.
        roots.extend(fs::read(self.data().join("ca/previous.pem")).unwrap_or_default());
        roots
    }

    pub fn token(&self) -> String {
        fs::read_to_string(self.data().join("admin.token")).expect("init writes admin.token").trim().to_owned()
    }

    /// What the running server wrote down about itself.
    pub fn run_file(&self) -> serde_json::Value {
        let text = fs::read(self.data().join("run.json")).expect("a running server has a run.json");
        serde_json::from_slice(&text).expect("run.json is JSON")
    }

    /// What its page for operators answers, head and all; for a server that shows it: `MUSTER__OPS__LISTEN`.
    pub fn operators(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.run_file()["ops"].as_str().expect("it has one")).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// TLS towards this server, trusting its root.
    pub fn tls(&self) -> Tls {
        Tls::trusting(&self.root_pem())
    }

    /// The API with the administrator's token.
    pub fn api(&self) -> Api {
        Api::new(&self.url, &self.tls(), Some(&self.token()))
    }

    /// An RSA key that no enrollment of this installation has used.
    pub fn key(&self) -> Key {
        Key::number(self.keys_used.fetch_add(1, Ordering::Relaxed))
    }

    /// Sends one request to the web host without credentials.
    #[track_caller]
    pub fn web(&self, request: &Request) -> Response {
        // Another CA may have taken the place of the one with which it began.
        let web = if self.root_pem() == self.root { &self.web } else { &self.tls().config() };
        once(&self.url, web, request)
    }

    /// An open connection to the web host.
    pub fn web_connection(&self) -> Connection {
        let address = super::http::Address::of(&self.url);
        Connection::open(&address, &self.web).expect("the web host takes TLS connections")
    }

    /// Everything the server has written to standard error, over all its starts.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.home.join("stderr.log")).unwrap_or_default()).into_owned()
    }

    /// What the server wrote to standard output besides the ready line.
    pub fn more_output(&self) -> Vec<String> {
        let process = self.process.as_ref().expect("the server runs");
        process.more_output.lock().expect("the reader does not panic").clone()
    }

    /// Ends the process at once, as a power cut would.
    pub fn kill9(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.child.kill().expect("the server can be killed");
            process.child.wait().expect("the server ends");
            let _ = fs::remove_file(self.home.join("pid"));
        }
    }

    /// Asks the process to end and waits for it; returns how it ended and how long it took.
    pub fn terminate(&mut self) -> (ExitStatus, Duration) {
        let mut process = self.process.take().expect("the server runs");
        let began = Instant::now();
        let pid = i32::try_from(process.child.id()).expect("process ids are positive");
        let pid = rustix::process::Pid::from_raw(pid).expect("process ids are positive");
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("the server takes a signal");
        let status = process.child.wait().expect("the server ends");
        let _ = fs::remove_file(self.home.join("pid"));
        (status, began.elapsed())
    }

    /// Starts again on the same data directory; the ports are new.
    pub fn restart(&mut self) {
        self.kill9();
        self.launch();
    }

    /// Starts again with these environment variables beside the usual ones; false: the process ended before it served.
    pub fn restart_under(&mut self, environment: &[(&str, &str)]) -> bool {
        self.kill9();
        self.try_launch(environment)
    }

    /// Whether the process ends by itself within this time.
    pub fn dies_within(&mut self, limit: Duration) -> bool {
        let process = self.process.as_mut().expect("the server was started");
        let ended = process.ended.get_mut().expect("nobody panics with the lock");
        let has_ended = matches!(ended.recv_timeout(limit), Err(mpsc::RecvTimeoutError::Disconnected));
        if has_ended {
            self.kill9();
        }
        has_ended
    }

    fn launch(&mut self) {
        assert!(self.try_launch(&[]), "the server did not get ready; its log:\n{}", self.log());
    }

    fn try_launch(&mut self, environment: &[(&str, &str)]) -> bool {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.home.join("stderr.log"));
        let mut child = muster()
            .args(["serve", "--data"])
            .arg(self.data())
            .envs(self.overrides.iter().map(|(k, v)| (k, v)))
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log.expect("the log file can be opened"))
            .spawn()
            .expect("the server program starts");
        fs::write(self.home.join("pid"), child.id().to_string()).expect("the pid file can be written");
        let (ended, more_output) = watch_output(&mut child);
        let first = ended.recv_timeout(READY_WITHIN);
        self.process = Some(Process { child, ended: Mutex::new(ended), more_output });
        let Ok(line) = first else {
            self.kill9();
            return false;
        };
        (self.url, self.device_url) = parse_ready(&line);
        true
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill9();
        if !std::thread::panicking() {
            if !self.spares_database {
                database::remove_of(&self.data());
            }
            let _ = fs::remove_dir_all(&self.home);
        }
    }
}

/// The program under test, without any setting of the caller's environment.
pub fn muster() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MUSTER")) {
        command.env_remove(name);
    }
    command.env_remove("FAILPOINTS");
    command
}

/// Runs the program on the installation of a server: standard output and standard error of a success.
#[track_caller]
pub fn run(server: &Server, line: &[&str]) -> (String, String) {
    let output = muster().args(line).env("MUSTER_DATA", server.data()).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{line:?}: {told}");
    (String::from_utf8(output.stdout).unwrap(), told)
}

/// The URLs of a ready line.
fn parse_ready(line: &str) -> (String, String) {
    let urls = line.strip_prefix("ready url=").and_then(|rest| rest.split_once(" device_url="));
    let (url, device_url) = urls.unwrap_or_else(|| panic!("not a ready line: {line:?}"));
    for part in [url, device_url] {
        assert!(super::http::Address::of(part).port != 0, "the ready line names no bound port: {line}");
    }
    (url.trim_end_matches('/').to_owned(), device_url.trim_end_matches('/').to_owned())
}

/// Waits for a process whose output is piped; None (and the process killed) when it does not end in time.
pub fn wait_with_timeout(child: &mut Child, limit: Duration) -> Option<(ExitStatus, String, String)> {
    let mut stdout = child.stdout.take().expect("standard output is piped");
    let mut stderr = child.stderr.take().expect("standard error is piped");
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut out, mut err) = (String::new(), String::new());
        let _ = stdout.read_to_string(&mut out);
        let _ = stderr.read_to_string(&mut err);
        let _ = send.send((out, err));
    });
    let Ok((out, err)) = receive.recv_timeout(limit) else {
        let _ = child.kill();
        let _ = child.wait();
        return None;
    };
    Some((child.wait().expect("the process ends"), out, err))
}

fn watch_output(child: &mut Child) -> (mpsc::Receiver<String>, Arc<Mutex<Vec<String>>>) {
    let stdout = child.stdout.take().expect("standard output is piped");
    let (send, receive) = mpsc::channel();
    let more = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&more);
    std::thread::spawn(move || {
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        let Some(first) = lines.next() else { return };
        let _ = send.send(first);
        for line in lines {
            sink.lock().expect("nobody panics with the lock").push(line);
        }
    });
    (receive, more)
}

/// A data directory ready to serve, in a folder of its own: a copy of one that was initialised once per test binary.
pub fn fresh_installation() -> PathBuf {
    let home = new_home();
    copy_tree(template(), &home.join("data"));
    database::copy_for(&home.join("data"));
    home
}

fn new_home() -> PathBuf {
    let home = workspace().join(format!("installation-{}", unique()));
    fs::create_dir(&home).expect("the workspace is writable");
    home
}

fn template() -> &'static Path {
    static TEMPLATE: OnceLock<PathBuf> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let data = workspace().join("template");
        initialise(&data, database::for_template().as_deref());
        let config = fs::read_to_string(data.join("muster.toml")).expect("init writes muster.toml");
        let place = data.to_string_lossy().into_owned();
        assert!(!config.contains(&place), "muster.toml names the data directory, so it cannot be moved:\n{config}");
        data
    })
}

fn initialise(data: &Path, database: Option<&str>) {
    let output = muster()
        .args(["init", "--url", "https://localhost:0", "--admin", "admin@example.test", "--data"])
        .arg(data)
        .args(database.iter().flat_map(|url| ["--database", url]))
        .stdin(Stdio::null())
        .output()
        .expect("the server program starts");
    assert!(output.status.success(), "init failed: {}", String::from_utf8_lossy(&output.stderr));
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir(to).expect("the target is new");
    fs::set_permissions(to, fs::metadata(from).expect("the source exists").permissions()).expect("permissions copy");
    for entry in fs::read_dir(from).expect("the source is readable") {
        let entry = entry.expect("the source is readable");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("the source is readable").is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("the file copies");
        }
    }
}

/// The folder of this test process. A small shell process removes it, unmounts what was left mounted in it, and ends
/// servers that were left running, when the test process ends: its standard input is a pipe that closes then, whatever the reason.
pub fn workspace() -> &'static Path {
    static WORKSPACE: OnceLock<(PathBuf, Child)> = OnceLock::new();
    let (folder, _) = WORKSPACE.get_or_init(|| {
        let folder = tempfile::Builder::new().prefix("muster-test-").tempdir().expect("a temporary folder").keep();
        let script = r#"cat >/dev/null
            for disk in "$1"/disk-*; do [ -d "$disk" ] && umount -l "$disk" 2>/dev/null; done
            for pid in "$1"/*/pid; do [ -f "$pid" ] && kill -9 "$(cat "$pid")" 2>/dev/null; done
            rm -rf "$1""#;
        let keeper = Command::new("sh")
            .args(["-c", script, "sh"])
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh starts");
        (folder, keeper)
    });
    folder
}
