//! Runs `docs/enroll-with-curl.sh` against the real program: an enrollment that shares no code with the server, with
//! OpenSSL as the judge of the certificate.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

const USER: &str = "ada@example.test";
/// Holds what XML must escape.
const PASSWORD: &str = "corr&ct <horse> \"battery\"";

// covers: E-01, E-04, E-05, E-12, E-13, E-29, E-58, E-59, E-74, E-76, E-77, E-78, E-81
#[test]
fn curl_and_openssl_enroll_a_device() {
    if let Some(tool) = ["bash", "curl", "openssl", "xmllint"].into_iter().find(|tool| !is_installed(tool)) {
        println!("skipped: {tool} is not installed");
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start(folder.path());
    let root = folder.path().join("root.pem");
    fs::write(&root, server.root_certificate()).expect("the root can be written");

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/enroll-with-curl.sh");
    let root = root.to_str().expect("a temporary path is text");
    let good = run(Command::new(&script).args([server.url.as_str(), root, USER, "-"]), &format!("{PASSWORD}\n"));
    assert!(good.status.success(), "{}\n{}", told(&good), server.log());
    let lines = String::from_utf8_lossy(&good.stdout).lines().filter(|line| line.starts_with("ok ")).count();
    assert_eq!(lines, 7, "each step prints one line:\n{}", told(&good));

    let wrong = run(Command::new(&script).args([server.url.as_str(), root, USER, "wrong"]), "");
    assert_eq!(wrong.status.code(), Some(1), "{}", told(&wrong));
    assert!(told(&wrong).contains("FAILED  policy: status 500, s:Authentication"), "{}", told(&wrong));
}

/// `muster serve` on ports of its own choice, ended when dropped.
struct Server {
    child: Child,
    url: String,
    log: PathBuf,
}

impl Server {
    fn start(folder: &Path) -> Self {
        let data = folder.join("data");
        let urls = ["--url", "https://localhost:0", "--device-url", "https://localhost:0"];
        let init = ["init", "--admin", "admin@example.test", "--data"];
        let done = run(muster().args(init).arg(&data).args(urls), "");
        assert!(done.status.success(), "init: {}", told(&done));

        let log = folder.join("serve.log");
        let errors = File::create(&log).expect("a log file");
        let mut child = muster()
            .args(["serve", "--data"])
            .arg(&data)
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .expect("muster starts");
        let output = child.stdout.take().expect("standard output is a pipe");
        let mut ready = String::new();
        BufReader::new(output).read_line(&mut ready).expect("standard output is text");
        let url = ready.split_whitespace().find_map(|word| word.strip_prefix("url=")).unwrap_or_default().to_owned();
        let server = Self { child, url, log };
        assert!(server.url.starts_with("https://"), "serve said {ready:?}\n{}", server.log());

        let mut add = muster();
        add.arg("--data").arg(&data).args(["user", "add", USER, "--password-stdin"]);
        let done = run(&mut add, &format!("{PASSWORD}\n"));
        assert!(done.status.success(), "user add: {}\n{}", told(&done), server.log());
        server
    }

    /// The root as the server offers it for download: nothing can vouch for it yet, so it is taken as it comes.
    fn root_certificate(&self) -> Vec<u8> {
        let address = format!("{}/pki/ca.pem", self.url.trim_end_matches('/'));
        let done = run(Command::new("curl").args(["--silent", "--show-error", "--fail", "--insecure", &address]), "");
        assert!(done.status.success(), "ca.pem: {}\n{}", told(&done), self.log());
        done.stdout
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn muster() -> Command {
    Command::new(env!("CARGO_BIN_EXE_muster"))
}

fn run(command: &mut Command, input: &str) -> Output {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().expect("the program starts");
    // A program that does not read its input may be gone already; its exit code tells the story.
    let _ = child.stdin.take().expect("standard input is a pipe").write_all(input.as_bytes());
    child.wait_with_output().expect("the program ends")
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn is_installed(tool: &str) -> bool {
    Command::new("sh")
        .args(["-c", &format!("command -v {tool}")])
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
}
