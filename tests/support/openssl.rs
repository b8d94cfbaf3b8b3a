//! OpenSSL's program as a second opinion and as a signer of what modern libraries refuse to sign.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::{server, unique};

/// Runs `openssl` with some input and returns its standard output; the run must succeed.
#[track_caller]
pub fn run(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let output = attempt(arguments, input);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments:?}: {said}{}", String::from_utf8_lossy(&output.stdout));
    output.stdout
}

/// Runs `openssl` and returns what came of it.
pub fn attempt(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the openssl program is needed for these tests");
    child.stdin.take().expect("standard input is piped").write_all(input).expect("openssl reads its input");
    child.wait_with_output().expect("openssl ends")
}

/// Signs with a key file; `digest` is an option such as `-sha1`.
pub fn sign(key: &Path, digest: &str, message: &[u8]) -> Vec<u8> {
    run(&["dgst", digest, "-sign", &key.to_string_lossy()], message)
}

/// A new RSA key of an odd size, as a PEM file.
pub fn generate_rsa(bits: &str, exponent: &str) -> PathBuf {
    let path = temporary("key.pem", b"");
    let size = format!("rsa_keygen_bits:{bits}");
    let public = format!("rsa_keygen_pubexp:{exponent}");
    let options = ["genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", &size, "-pkeyopt", &public];
    let pem = run(&options, b"");
    std::fs::write(&path, pem).expect("the workspace is writable");
    path
}

/// A file in the workspace of this test process.
pub fn temporary(name: &str, content: &[u8]) -> PathBuf {
    let path = server::workspace().join(format!("{}-{name}", unique()));
    std::fs::write(&path, content).expect("the workspace is writable");
    path
}
