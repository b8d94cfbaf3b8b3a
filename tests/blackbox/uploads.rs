//! Logs that a device packs and uploads: the order, the one upload that its URL takes, and who may fetch it.

use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::csp::Answer;
use crate::support::device::FakeDevice;
use crate::support::http::{Request, Response};
use crate::support::server::{Server, muster};
use crate::support::timed::{DAY, HOUR, MINUTE, Timed};

const RESULTS: &str = "/DiagnosticArchive/ArchiveResults";

/// An order that a device has accepted.
struct Order {
    device: FakeDevice,
    api: Api,
    device_id: String,
    /// Id of the action and of the upload.
    id: String,
    /// Where to upload, from the slash on.
    path: String,
}

impl Order {
    fn place(server: &Server) -> Self {
        Self::place_with(server, &json!({"type": "collect_diagnostics"}))
    }

    fn place_with(server: &Server, body: &Value) -> Self {
        let (mut device, _) = FakeDevice::settled(server);
        let (api, device_id) = (server.api(), device.id(server));
        device.csp.rule("Get", RESULTS, Answer::Value("chr".to_owned(), String::new()));
        let id = api.act(&device_id, body);
        let visit = device.check_in();
        let exec = visit.find("Exec", "/DiagnosticArchive/ArchiveDefinition").expect("the definition goes out");
        let definition = exec.data().unwrap().to_owned();
        let url = between(&definition, "<SasUrl>", "</SasUrl>");
        assert!(definition.contains(&format!("<ID>{id}</ID>")), "{definition}");
        let path = url.strip_prefix(&server.url).expect("it is on `url`: the uploader has no certificate");
        assert!(path.starts_with(&format!("/upload/{id}?sig=")), "{path}");
        Self { device, api, device_id, id, path: path.to_owned() }
    }

    fn secret(&self) -> &str {
        self.path.split_once("sig=").unwrap().1
    }

    /// What the device says of it from now on.
    fn results(&mut self, hresult: &str, id: &str) {
        let text =
            format!(r#"<Collection HRESULT="{hresult}"><ID>{id}</ID><Events HRESULT="0">A</Events></Collection>"#);
        self.device.csp.rule("Get", RESULTS, Answer::Value("chr".to_owned(), text));
    }

    fn upload(&self) -> Value {
        self.api.get(&format!("/uploads/{}", self.id))
    }

    fn content(&self, api: &Api) -> Response {
        api.send(Request::get(&format!("/uploads/{}/content", self.id)))
    }
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    text.split_once(before).and_then(|(_, rest)| rest.split_once(after)).unwrap_or_else(|| panic!("{before}: {text}")).0
}

/// One PUT as the device makes it, without a certificate.
fn put(server: &Server, path: &str, file: &[u8]) -> Response {
    let mut request = Request::new("PUT", path).header("x-ms-blob-type", "BlockBlob");
    request.body = file.to_vec();
    server.web(&request)
}

fn file(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|index| (index * 31 % 251) as u8).collect()
}

#[test]
// covers: S-18, M-146
fn a_device_uploads_once_and_an_operator_fetches_it() {
    let mut server = Server::start();
    let mut order = Order::place(&server);
    assert_eq!((order.upload()["state"].as_str(), &order.upload()["bytes"]), (Some("waiting"), &Value::Null));
    let logs = file(700_000);
    for (path, status) in [
        (order.path.replace("sig=", "sig=x"), 403),
        (format!("/upload/{}", order.id), 403),
        (order.path.replace(&order.id, "00000000-0000-7000-8000-000000000000"), 403),
        (format!("{}&comp=block&blockid=AAAA", order.path), 400),
    ] {
        assert_eq!(put(&server, &path, &logs).status, status, "{path}");
    }
    assert_eq!(put(&server, &order.path, b"").status, 400, "no file");
    assert_eq!(order.content(&order.api).status, 409);
    assert_eq!(order.api.action_state(&order.id), "sent");

    let done = put(&server, &order.path, &logs);
    assert_eq!(done.status, 201, "{}", done.text());
    assert!(done.header("etag").is_some());
    assert_eq!(put(&server, &order.path, &logs).status, 409, "it is used up");
    let shown = order.upload();
    assert_eq!((&shown["state"], &shown["bytes"]), (&json!("received"), &json!(700_000)), "{shown}");
    order.api.wait_for_event("upload.received", &order.device_id);

    server.restart();
    order.api = server.api();
    let fetched = order.content(&order.api);
    assert!(fetched.status == 200 && fetched.body == logs, "{} bytes", fetched.body.len());
    assert_eq!(fetched.header("content-length"), Some("700000"));
    assert!(fetched.header("content-disposition").unwrap().starts_with("attachment; filename="));
    assert_eq!(fetched.header("x-content-type-options"), Some("nosniff"));
    let listed = order.api.list(&format!("/uploads?device={}", order.device_id));
    assert_eq!(listed, [order.upload()]);
    let rows = order.api.list(&format!("/audit?object={}", order.id));
    let mut actions: Vec<&str> = rows.iter().map(|row| row["action"].as_str().unwrap()).collect();
    actions.sort_unstable();
    assert_eq!(actions, ["upload.download", "upload.receive"], "{rows:#?}");

    order.api.delete(&format!("/uploads/{}", order.id));
    assert_eq!(order.content(&order.api).status, 404);
    assert_eq!(put(&server, &order.path, &logs).status, 403);
    let told = format!("{}{:?}{:?}", server.log(), order.api.events(), order.api.list("/audit"));
    assert!(!told.contains(order.secret()), "the secret is nowhere");
    let sessions = order.api.sessions(&order.device_id);
    let transcripts: String = sessions
        .iter()
        .map(|session| order.api.get(&format!("/sessions/{}", session["id"].as_str().unwrap())).to_string())
        .collect();
    assert!(transcripts.contains("ArchiveDefinition") && !transcripts.contains(order.secret()));
    assert!(!crate::support::database::holds(&server, order.secret()));
}

#[test]
fn who_may_only_look_does_not_fetch() {
    let server = Server::shared();
    let order = Order::place(server);
    assert_eq!(put(server, &order.path, &file(10)).status, 201);
    let token = order.api.post("/tokens", &json!({"name": "eyes", "role": "viewer", "expires_in": "1d"}), 201);
    let viewer = order.api.with_token(token["token"].as_str());
    assert_eq!(viewer.get(&format!("/uploads/{}", order.id))["state"], "received");
    assert_eq!(order.content(&viewer).status, 403);
    assert_eq!(viewer.send(Request::new("DELETE", &format!("/uploads/{}", order.id))).status, 403);
    assert_eq!(order.content(&server.api().with_token(None)).status, 401);
}

#[test]
fn what_is_too_large_or_breaks_off_leaves_nothing() {
    let server = Server::start_with(&[("MUSTER__LIMITS__UPLOAD_BYTES", "1000000")]);
    let order = Order::place(&server);
    assert_eq!(put(&server, &order.path, &file(1_000_001)).status, 413);
    assert_eq!(order.upload()["state"], "waiting");
    // Without a length: the server finds out only on the way.
    let mut chunked = format!(
        "PUT {} HTTP/1.1\r\nHost: {}\r\nx-ms-blob-type: BlockBlob\r\nTransfer-Encoding: chunked\r\n\r\n",
        order.path,
        server.url.trim_start_matches("https://")
    )
    .into_bytes();
    for part in file(1_200_000).chunks(400_000) {
        chunked.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
        chunked.extend_from_slice(part);
        chunked.extend_from_slice(b"\r\n");
    }
    let mut connection = server.web_connection();
    let begun = chunked.clone();
    chunked.extend_from_slice(b"0\r\n\r\n");
    assert_eq!(connection.send_bytes(&chunked, false).unwrap().status, 413);
    assert_eq!(order.upload()["state"], "waiting");

    let half = begun.len() / 2;
    let mut connection = server.web_connection();
    connection.send_only(&begun[..half]).unwrap();
    crate::support::eventually("the upload is under way", || (order.upload()["state"] == "receiving").then_some(()));
    drop(connection);
    crate::support::eventually("what broke off is gone", || (order.upload()["state"] == "waiting").then_some(()));
    let mut silent = server.web_connection();
    silent.send_only(&begun[..half]).unwrap();
    crate::support::eventually("another try is under way", || (order.upload()["state"] == "receiving").then_some(()));
    assert_eq!(
        put(&server, &order.path, &file(999_999)).status,
        201,
        "the newest try counts, also beside a silent one"
    );
    drop(silent);
    assert_eq!(order.content(&order.api).body, file(999_999));
    assert_eq!(put(&server, &order.path, &file(10)).status, 409, "it is used up");
}

#[test]
fn a_withdrawn_order_takes_no_upload() {
    let server = Server::shared();
    let order = Order::place(server);
    order.api.delete(&format!("/actions/{}", order.id));
    assert_eq!(put(server, &order.path, &file(10)).status, 403);
    let mut left = Order::place(server);
    let farewell = left.device.leave();
    left.device.post(farewell.xml());
    assert_eq!(put(server, &left.path, &file(10)).status, 403);
    let waiting = left.api.list(&format!("/uploads?device={}", left.device_id));
    assert_eq!(waiting[0]["state"], "waiting");
}

#[test]
fn what_the_device_tells_of_its_archive_decides() {
    let timed = Timed::start();
    let server = &timed.server;
    let mut good = Order::place(server);
    let mut order = Order::place_with(server, &json!({"type": "collect_diagnostics", "files": ["C:\\a & b\\*.log"]}));
    order.results("0", "6f6a6f2e-2f0b-4a3f-9d6c-1e0f7a0e9b21");
    let id = good.id.clone();
    good.results("0", &id);
    timed.pass(3 * MINUTE);
    good.device.check_in();
    assert_eq!(good.api.action_state(&good.id), "succeeded");
    order.device.check_in();
    assert_eq!(order.api.action_state(&order.id), "sent", "of another archive");
    let id = order.id.clone();
    order.results("-2147024891", &id);
    timed.pass(HOUR);
    order.device.check_in();
    let failed = order.api.action(&order.id);
    assert_eq!(failed["state"], "failed", "{failed}");
    assert!(failed["detail"].as_str().unwrap().contains("0x80070005"), "{failed}");
    let (mut device, _) = FakeDevice::settled(server);
    device.csp.rule("Exec", "/ArchiveDefinition", Answer::Status(404));
    let old = order.api.act(&device.id(server), &json!({"type": "collect_diagnostics"}));
    device.check_in();
    assert_eq!(order.api.action_state(&old), "unsupported");
    let refused = json!({"type": "collect_diagnostics", "files": [""]});
    let refused = order.api.post(&format!("/devices/{}/actions", order.device_id), &refused, 422);
    assert_eq!(refused["errors"][0]["pointer"], "/files/0", "{refused}");
    let told = order.api.get(&format!("/commands/{}", order.id)).to_string();
    assert!(told.contains("ArchiveResults") && !told.contains("<Collection"), "it may hold the URL: {told}");
}

#[test]
fn a_url_ends_and_a_file_is_kept_for_its_time() {
    let timed = Timed::configured(&[("uploads_days", "2")]);
    let (waits, came) = (Order::place(&timed.server), Order::place(&timed.server));
    assert_eq!(put(&timed.server, &came.path, &file(300_000)).status, 201);
    timed.pass(DAY);
    assert_eq!(came.upload()["state"], "received");
    timed.pass(2 * DAY);
    let gone = |order: &Order| order.api.send(Request::get(&format!("/uploads/{}", order.id))).status == 404;
    crate::support::eventually("the file is gone", || gone(&came).then_some(()));
    assert_eq!(waits.upload()["state"], "waiting");
    timed.pass(40 * DAY);
    assert_eq!(put(&timed.server, &waits.path, &file(10)).status, 403);
    crate::support::eventually("the URL is forgotten", || gone(&waits).then_some(()));
}

#[test]
fn it_is_all_on_the_command_line() {
    let server = Server::shared();
    let (mut device, _) = FakeDevice::settled(server);
    device.csp.rule("Get", RESULTS, Answer::Value("chr".to_owned(), String::new()));
    let id = device.id(server);
    let run = |line: &[&str]| {
        let output = muster().args(line).env("MUSTER_DATA", server.data()).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };
    let (code, out, err) = run(&["device", "collect-diagnostics", &id, "--event-logs", "Application", "--json"]);
    assert_eq!(code, 0, "{err}");
    let action: Value = serde_json::from_str(&out).unwrap();
    let action = action["id"].as_str().unwrap();
    let visit = device.check_in();
    let definition = visit.find("Exec", "/ArchiveDefinition").unwrap().data().unwrap().to_owned();
    assert!(definition.contains("<Events>Application</Events></Collection>"), "{definition}");
    let path = between(&definition, "<SasUrl>", "</SasUrl>").strip_prefix(&server.url).unwrap();
    let target = crate::support::server::workspace().join(format!("{action}.zip"));
    let fetch = ["upload", "download", action, "--out", target.to_str().unwrap()];
    let (code, _, err) = run(&fetch);
    assert!(code == 1 && err.contains("not uploaded") && !target.exists(), "{err}");
    assert_eq!(put(server, path, &file(300_000)).status, 201);
    let (code, out, _) = run(&["upload", "list", "--device", &id]);
    assert!(code == 0 && out.contains("received") && out.contains("300000"), "{out}");
    let (code, _, err) = run(&fetch);
    assert_eq!(code, 0, "{err}");
    assert!(std::fs::read(&target).unwrap() == file(300_000));
    assert_eq!(run(&fetch).0, 1, "nothing is overwritten");
    assert!(run(&["upload", "show", action]).1.contains("SHA-256"));
    assert_eq!(run(&["upload", "delete", action]).0, 0);
    assert_eq!(run(&["upload", "show", action]).0, 1);
}
