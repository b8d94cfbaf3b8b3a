//! What proves a device beside the certificate of its TLS connection: one that a proxy hands over, a signature, a digest;
//! and what Entra tokens add.

mod digest;
mod entra;
mod proxy;
mod signing;
mod tokens;

use serde_json::Value;

use crate::support::device::FakeDevice;
use crate::support::http::Response;
use crate::support::server::Server;

const GET: &str = "<Get><CmdID>1</CmdID><Item><Target><LocURI>./DevDetail/HwV</LocURI></Target></Item></Get>";

/// Asserts that a message was refused: 403 and nothing else.
#[track_caller]
fn assert_forbidden(item: &str, response: &Response) {
    response.expect_status(item, 403);
    assert!(response.body.is_empty(), "{item}: {}", response.text());
    assert!(response.header("www-authenticate").is_none(), "{item}: authentication is not asked for");
}

/// What proved the newest session of a device.
fn proofs(server: &Server, device: &FakeDevice) -> Value {
    newest_session(server, device)["authentication"].clone()
}

fn newest_session(server: &Server, device: &FakeDevice) -> Value {
    server.api().sessions(&device.id(server)).first().expect("there is a session").clone()
}

/// Whether the audit trail tells of a refusal with those words, and of that device.
fn is_audited(server: &Server, device: Option<&str>, words: &str) -> bool {
    let rows = server.api().list("/audit?limit=200");
    rows.iter().any(|row| {
        row["outcome"] == "refused"
            && row["detail"].as_str().unwrap_or_default().contains(words)
            && device.is_none_or(|id| row["object"]["id"] == id)
    })
}
