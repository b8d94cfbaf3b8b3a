//! Every route of the API has one audience, and a stranger is in none of them.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::device::FakeDevice;
use crate::support::http::{Request, Response, once};
use crate::support::server::Server;
use crate::support::{database, soap};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// Method and path of every operation that the served OpenAPI document describes, placeholders filled in.
fn operations(server: &Server) -> Vec<(String, String)> {
    let config = server.tls().config();
    let request = Request::get("/api/openapi.json").header("Authorization", &format!("Bearer {}", server.token()));
    let response = once(&server.url, &config, &request);
    response.expect_status("the OpenAPI document", 200);
    let document: Value = serde_json::from_slice(&response.body).expect("the OpenAPI document is JSON");
    assert!(document["openapi"].as_str().is_some_and(|v| v.starts_with("3.1")), "OpenAPI 3.1: {}", document["openapi"]);
    let mut operations = Vec::new();
    for (path, entry) in document["paths"].as_object().expect("the document has paths") {
        for method in METHODS.iter().filter(|m| entry.get(**m).is_some()) {
            operations.push((method.to_uppercase(), filled_in(path)));
        }
    }
    operations
}

fn filled_in(path: &str) -> String {
    let id = "00000000-0000-0000-0000-000000000000";
    path.split('/').map(|s| if s.starts_with('{') { id } else { s }).collect::<Vec<_>>().join("/")
}

fn as_stranger(server: &Server, request: &Request) -> Response {
    once(&server.url, &server.tls().config(), request)
}

#[track_caller]
fn assert_stranger(item: &str, response: &Response) {
    assert!(matches!(response.status, 401 | 403 | 404), "{item}: {} {}", response.status, response.text());
    let kind = response.header("content-type").unwrap_or_default();
    assert!(!kind.contains("html"), "{item}: errors of the API are never HTML");
    soap::check_gives_nothing_away(response.text());
}

#[test]
// covers: S-09
fn a_stranger_is_refused_everywhere() {
    let server = Server::shared();
    let operations = operations(server);
    assert!(operations.len() >= 20, "S-09: the document describes every route: {operations:?}");
    for (method, path) in &operations {
        let bare = Request::new(method, path);
        let with_body =
            Request { body: b"{\"a\":".to_vec(), ..bare.clone() }.header("Content-Type", "application/json");
        for request in [bare, with_body] {
            assert_stranger(&format!("S-09: {method} {path}"), &as_stranger(server, &request));
        }
    }
}

#[test]
// covers: S-09, S-13
fn a_wrong_token_is_no_token() {
    let server = Server::shared();
    let token = server.token();
    let mut altered = token.clone();
    let last = altered.pop().unwrap();
    altered.push(if last == 'a' { 'b' } else { 'a' });
    let headers = [
        "Bearer wrong".to_owned(),
        format!("Bearer {altered}"),
        format!("Bearer {}", token.to_uppercase() + "x"),
        format!("Basic {token}"),
        token.clone(),
        "Bearer ".to_owned(),
        format!("Bearer {}", &token[..token.len() / 2]),
        format!("Bearer {}", "x".repeat(10_000)),
    ];
    for header in headers {
        let request = Request::get("/api/v1/users").header("Authorization", &header);
        as_stranger(server, &request).expect_status(&format!("S-09: {header:.40}"), 401);
    }
    for path in [format!("/api/v1/users?token={token}"), format!("/api/v1/users?access_token={token}")] {
        as_stranger(server, &Request::get(&path)).expect_status("S-13: no token in URLs", 401);
    }
    let cookie = Request::get("/api/v1/users").header("Cookie", &format!("token={token}; session={token}"));
    as_stranger(server, &cookie).expect_status("S-09", 401);
    server.api().get("/users");
}

#[test]
// covers: S-09
fn bent_paths_open_nothing() {
    let server = Server::shared();
    let paths = [
        "//api/v1/users",
        "/api//v1/users",
        "/api/v1/users/",
        "/api/v1/./users",
        "/api/v1/x/../users",
        "/api/v1/%2e/users",
        "/api/v1/users;x=y",
        "/api/v1;x=y/users",
        "/API/V1/USERS",
        "/api/v1/users%2f",
        "/api/v1/users%00",
        "/api/v1/users?a=1;b",
        "/EnrollmentServer/../api/v1/users",
        "/pki/../api/v1/users",
        "/api/v1/users#x",
        "/%61pi/v1/users",
    ];
    for path in paths {
        let response = as_stranger(server, &Request::get(path));
        assert!((400..500).contains(&response.status), "S-09: {path}: {}", response.status);
        assert!(!response.text().contains("admin@example.test"), "S-09: {path}");
    }
    let headers = [
        ("X-Original-URL", "/api/v1/users"),
        ("X-Rewrite-URL", "/api/v1/users"),
        ("X-Forwarded-Prefix", "/api/v1"),
        ("X-HTTP-Method-Override", "GET"),
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Real-IP", "127.0.0.1"),
        ("X-Forwarded-User", "admin@example.test"),
        ("Remote-User", "admin@example.test"),
    ];
    for (name, value) in headers {
        for path in ["/api/v1/users", "/EnrollmentServer/Discovery.svc"] {
            let response = as_stranger(server, &Request::get(path).header(name, value));
            assert!(!response.text().contains("admin@example.test"), "S-09: {name} at {path}");
            assert!(path != "/api/v1/users" || response.status == 401, "S-09: {name}: {}", response.status);
        }
    }
}

#[test]
// covers: S-09
fn http_1_0_opens_nothing() {
    let server = Server::shared();
    let wire = b"GET /api/v1/users HTTP/1.0\r\nConnection: close\r\n\r\n";
    if let Ok(response) = server.web_connection().send_bytes(wire, false) {
        assert!((400..506).contains(&response.status), "S-09: {}", response.status);
    }
}

#[test]
// covers: S-09
fn the_device_host_has_no_administration() {
    let server = Server::shared();
    let config = server.tls().config();
    for path in ["/api/v1/users", "/api/openapi.json", "/console", "/portal", "/pki/ca.cer", "/healthz", "/metrics"] {
        let request = Request::get(path).header("Authorization", &format!("Bearer {}", server.token()));
        let response = once(&server.device_url, &config, &request);
        assert!(matches!(response.status, 403 | 404), "S-09: {path}: {}", response.status);
    }
    for path in ["/metrics", "/debug/pprof", "/debug", "/readyz"] {
        let response = as_stranger(server, &Request::get(path));
        assert!(matches!(response.status, 401 | 403 | 404), "S-09: {path} is not for strangers: {}", response.status);
    }
}

#[test]
// covers: S-09
fn methods_are_told_to_those_who_may_call() {
    let server = Server::shared();
    for (method, path) in [("PUT", "/api/v1/users"), ("POST", "/api/v1/me"), ("OPTIONS", "/api/v1/devices")] {
        let response = as_stranger(server, &Request::new(method, path));
        response.expect_status(&format!("S-09: {method} {path}"), 401);
        assert_eq!(response.header("allow"), None, "S-09: {method} {path}");
    }
    let response = server.api().send(Request::new("PUT", "/users"));
    response.expect_status("a good token", 405);
    assert_eq!(response.header("allow"), Some("GET, HEAD, POST"));
    let (device, _) = FakeDevice::settled(server);
    let request = Request { method: "GET".to_owned(), body: Vec::new(), ..device.request("") };
    let response = device.connect().send(&request).unwrap();
    response.expect_status("a device with another method", 405);
    assert_eq!((response.header("allow"), response.text()), (Some("POST"), ""));
    let response = once(&server.device_url, &server.tls().config(), &Request::get("/ManagementServer/MDM.svc"));
    response.expect_status("S-09: without a certificate", 403);
    assert_eq!(response.header("allow"), None, "S-09");
}

#[test]
// covers: S-13
fn wrong_tokens_leave_a_trace() {
    let server = Server::start();
    for _ in 0..5 {
        let request = Request::get("/api/v1/users").header("Authorization", "Bearer mst_guessed");
        as_stranger(&server, &request).expect_status("S-13", 401);
    }
    let rows = server.api().list("/audit?limit=100");
    let rows: Vec<&Value> = rows.iter().filter(|row| row["action"] == "token.authenticate").collect();
    assert_eq!(rows.len(), 1, "once a minute: {rows:?}");
    assert_eq!((&rows[0]["outcome"], &rows[0]["address"]), (&json!("refused"), &json!("127.0.0.1")), "{rows:?}");
    assert!(server.log().contains("bearer token refused") && !server.log().contains("mst_guessed"));
}

#[test]
// covers: S-13
fn the_token_file_is_for_the_owner_only() {
    let server = Server::shared();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o077;
    assert_eq!(mode(&server.data().join("admin.token")), 0, "S-13: admin.token is 0600");
    assert!(server.token().len() >= 22, "S-13: 128 bits");
    for file in database::files_below(&server.data()) {
        let holds_key = std::fs::read(&file).is_ok_and(|bytes| database::contains(&bytes, b"PRIVATE KEY"));
        assert!(!holds_key || mode(&file) == 0, "S-23: {} is readable by others", file.display());
    }
}

#[test]
// covers: S-20, S-05
fn sql_in_parameters_is_text() {
    let server = Server::shared();
    let api = server.api();
    api.add_user();
    let hostile = [
        "%27",
        "%27--",
        "%25",
        "_",
        "%00",
        "%22%3B%20DROP%20TABLE%20users%3B",
        "x%27%20OR%20%271%27=%271",
        "%F0%9F%92%A9",
    ];
    for value in hostile {
        for path in [
            "/users?query=",
            "/devices?query=",
            "/devices?state=",
            "/devices?user=",
            "/devices?limit=",
            "/users?cursor=",
            "/events?after=",
            "/sessions?device=",
        ] {
            let response = api.send(Request::get(&format!("{path}{value}")));
            assert!(response.status < 500, "S-20: {path}{value}: {}", response.status);
            soap::check_gives_nothing_away(response.text());
        }
        let response = api.send(Request::get(&format!("/users/{value}")));
        assert!(matches!(response.status, 400 | 404 | 422), "S-20: /users/{value}: {}", response.status);
    }
    let ordered = api.send(Request::get("/users?order_by=password_hash"));
    assert!(ordered.status < 500, "S-20: {}", ordered.status);
    assert!(!api.list("/users?limit=200").is_empty(), "S-20: the table is still there");
}

#[test]
// covers: S-05
fn input_errors_are_problem_documents() {
    let api = Server::shared().api();
    let bodies = [
        json!({}),
        json!({"email": 7}),
        json!({"email": "no at sign"}),
        json!({"email": ""}),
        json!([1]),
        json!({"email": "a@b.test", "unknown": 1}),
    ];
    for body in bodies {
        let request = Request::post("/users", body.to_string()).header("Content-Type", "application/json");
        let response = api.send(request);
        if response.status == 201 {
            assert!(body.get("unknown").is_some(), "{body} was accepted");
            continue;
        }
        assert!(matches!(response.status, 400 | 422), "{body}: {}", response.status);
        let problem: Value = serde_json::from_slice(&response.body).unwrap();
        assert!(problem["code"].is_string(), "RFC 9457 with a stable code: {problem}");
        assert_eq!(problem["status"], json!(response.status), "{problem}");
    }
    api.send(Request::get("/users/00000000-0000-0000-0000-000000000000")).expect_status("unknown", 404);
    api.send(Request::get("/no/such/route")).expect_status("unknown", 404);
    let wrong_method = api.send(Request::new("PUT", "/users"));
    wrong_method.expect_status("wrong method", 405);
}

#[test]
// covers: S-13
fn no_document_shows_a_secret() {
    let server = Server::shared();
    let api = server.api();
    let user = api.add_user();
    for path in ["/users?limit=200", "/devices?limit=200", "/audit?limit=200", "/events?after=&limit=100", "/me"] {
        let text = api.get(path).to_string();
        assert!(!text.contains(&user.password), "S-13: {path}");
        assert!(!text.contains(&server.token()), "S-13: {path}");
        assert!(!text.contains("$argon2"), "S-13: {path} shows a password hash");
    }
    assert_listed_with_bounds(&api);
}

/// Lists are cut into pages and never unbounded.
fn assert_listed_with_bounds(api: &Api) {
    for _ in 0..3 {
        api.add_user();
    }
    let page = api.get("/users?limit=2");
    assert_eq!(page["items"].as_array().map(Vec::len), Some(2), "{page}");
    assert!(page["next_cursor"].is_string(), "{page}");
    let all = api.list("/users?limit=2");
    let mut ids: Vec<String> = all.iter().map(|u| u["id"].to_string()).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "each item stands on one page only");
    let huge = api.send(Request::get("/users?limit=1000000000"));
    assert!(huge.status == 200 || (400..500).contains(&huge.status), "{}", huge.status);
}

#[test]
// covers: S-32, S-09
fn answers_carry_protective_headers_and_no_banner() {
    let server = Server::shared();
    for path in ["/api/v1/users", "/EnrollmentServer/Discovery.svc", "/nothing"] {
        let response = as_stranger(server, &Request::get(path));
        let banner = response.header("server").unwrap_or_default().to_lowercase();
        assert!(!banner.contains("hyper") && !banner.contains("axum"), "S-32: {banner}");
        assert!(response.header("x-powered-by").is_none(), "S-32");
    }
}
