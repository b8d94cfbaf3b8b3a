use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, Request};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::app::testing::Ground;
use crate::http::Doors;
use crate::http::api::openapi;
use crate::http::gate::Gate;
use crate::http::peer::{Peer, Side};
use crate::observe::Metrics;

struct Web {
    ground: Ground,
    shared: Shared,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&self.body)))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

impl Web {
    async fn new() -> Self {
        let ground = Ground::new().await;
        let shared = Shared {
            app: ground.app.clone(),
            metrics: Arc::new(Metrics::new()),
            proxies: Arc::default(),
            forwarded: None,
            doors: Doors {
                soap_body_bytes: 1 << 20,
                message_bytes: 5 << 20,
                wbxml: true,
                body_deadline: Duration::from_secs(60),
            },
            gate: Gate::open(),
        };
        // Nobody else carries the order out; the database stays open.
        let gate = Arc::clone(&shared.gate);
        tokio::spawn(async move {
            gate.ordered().await;
            gate.close();
        });
        Self { ground, shared }
    }

    async fn send(&self, router: Router, request: Request<Body>) -> Answer {
        let mut request = request;
        let address = "192.0.2.7:4711".parse().unwrap();
        request.extensions_mut().insert(Peer { address, side: Side::Web, server_name: None, certificate: None });
        let (parts, body) = router.oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    async fn ask(&self, method: &str, path: &str, token: Option<&str>, body: Value) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header(CONTENT_TYPE, "application/json");
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        self.send(web(&self.shared), request.body(body).unwrap()).await
    }

    async fn get(&self, path: &str, token: Option<&str>) -> Answer {
        self.ask("GET", path, token, Value::Null).await
    }
}

fn api_routes() -> impl Iterator<Item = &'static Route> {
    table().iter().filter(|route| route.audience == Audience::Api)
}

fn concrete(path: &str) -> String {
    let path = path.replace("{id}", "019a0000-0000-7000-8000-000000000000");
    path.replace("{serial}", &"0a".repeat(16)).replace("{number}", "1").replace("{language}", "en")
}

fn is_problem(answer: &Answer, code: &str) -> bool {
    answer.header("content-type") == "application/problem+json" && answer.json()["code"] == code
}

// covers: S-09
#[test]
fn the_table_is_the_one_that_was_agreed() {
    let mut text = String::new();
    for route in table() {
        let role = route.role.map_or("-", Role::as_str);
        let (listener, audience) = (route.listener.as_str(), route.audience.as_str());
        text.push_str(&format!("{listener:<10} {audience:<9} {role:<8} {:<6} {}\n", route.method, route.path));
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../../tests/snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| insta::assert_snapshot!("routes", text));
}

#[test]
fn every_api_route_is_described() {
    let document: Value = serde_json::from_str(&openapi::text()).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    let mut described: Vec<String> = Vec::new();
    let mut names = std::collections::BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for operation in item.as_object().unwrap().values() {
            assert!(names.insert(operation["operationId"].as_str().unwrap().to_owned()), "{operation}");
        }
        described.extend(item.as_object().unwrap().keys().map(|method| format!("{} {path}", method.to_uppercase())));
    }
    let mut routed: Vec<String> = api_routes().map(|route| format!("{} {}", route.method, route.path)).collect();
    described.sort();
    routed.sort();
    assert_eq!(described, routed);
}

#[test]
fn the_description_is_the_one_that_was_agreed() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../../tests/snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.add_filter(r#""version": "[0-9.]+""#, r#""version": "[version]""#);
    settings.bind(|| insta::assert_snapshot!("openapi", openapi::text()));
}

// covers: S-09
#[tokio::test]
async fn nobody_passes_without_a_token_whatever_they_send() {
    let web = Web::new().await;
    for route in api_routes() {
        let path = concrete(route.path);
        for (path, body) in
            [(path.clone(), Value::Null), (format!("{path}?limit=x&${{7*7}}={{{{7*7}}}}"), json!({"a": "${7*7}"}))]
        {
            let path = path.replace(['{', '}'], "_").replace('$', "_");
            let answer = web.ask(route.method.as_str(), &path, None, body).await;
            assert_eq!(answer.status, 401, "{} {path}", route.method);
            assert!(is_problem(&answer, "unauthenticated") && answer.header("www-authenticate") == "Bearer");
        }
        let answer = web.ask(route.method.as_str(), &path, Some("mst_wrong"), Value::Null).await;
        assert_eq!(answer.status, 401, "{} {path}", route.method);
    }
}

// covers: S-09, S-12
#[tokio::test]
async fn every_role_ends_where_the_table_says() {
    let web = Web::new().await;
    for role in [User, Viewer, Operator, Admin] {
        let (_, token) = web.ground.bearer(role).await;
        for route in api_routes() {
            let path = concrete(route.path);
            let answer = web.ask(route.method.as_str(), &path, Some(&token), Value::Null).await;
            let is_allowed = route.role.is_some_and(|least| role >= least);
            assert_eq!(answer.status != 403, is_allowed, "{role:?} {} {path}: {}", route.method, answer.status);
            assert!(answer.status < 500, "{} {path}: {}", route.method, answer.status);
        }
    }
    let rows = web.ground.app.audit_rows(None, &crate::app::ports::Page { limit: 500, after: None }).await.unwrap();
    assert!(rows.items.iter().any(|row| row.outcome == "refused" && row.action == "POST /api/v1/users"));
}

// covers: S-09
#[tokio::test]
async fn mutated_paths_reach_no_handler() {
    let web = Web::new().await;
    let (_, token) = web.ground.bearer(Admin).await;
    let paths = [
        "//api/v1/users",
        "/api//v1/users",
        "/api/v1//users",
        "/./api/v1/users",
        "/api/./v1/users",
        "/api/v1/../v1/users",
        "/x/../api/v1/users",
        "/api/v1/users/",
        "/api/v1/users;x=y",
        "/api/v1;x=y/users",
        "/%61pi/v1/users",
        "/api/v1/%75sers",
        "/api%2fv1%2fusers",
        "/api/v1/users%2f",
        "/api/v1/%2e/users",
        "/api/v1/users/%2e%2e/users",
        "/API/v1/users",
        "/api/V1/users",
        "/api/v1/Users",
        "/api/v1/users.json",
        "/api/v2/users",
        "/api/v1/users%00",
        "/mifs/asfV3/api/v2/admins/users",
        "/healthz",
        "/readyz",
        "/metrics",
        "/EnrollmentServer/Renew.svc",
        "/ManagementServer/MDM.svc",
    ];
    for path in paths {
        for token in [None, Some(token.as_str())] {
            let answer = web.get(path, token).await;
            assert_eq!(answer.status, 404, "{path}");
            assert!(is_problem(&answer, "not_found"), "{path}");
        }
    }
}

// covers: S-09
#[tokio::test]
async fn headers_that_name_another_path_or_client_change_nothing() {
    let web = Web::new().await;
    for (name, value) in [
        ("x-original-url", "/api/v1/users"),
        ("x-rewrite-url", "/api/v1/users"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-host", "localhost"),
        ("x-http-method-override", "GET"),
        ("forwarded", "for=127.0.0.1"),
    ] {
        let request = Request::builder().uri("/").header(name, value).body(Body::empty()).unwrap();
        let answer = web.send(super::web(&web.shared), request).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "text/html; charset=utf-8"), "{name}");
        let request = Request::builder().uri("/api/v1/users").header(name, value).body(Body::empty()).unwrap();
        assert_eq!(web.send(super::web(&web.shared), request).await.status, 401, "{name}");
    }
    let (_, token) = web.ground.bearer(User).await;
    let request = Request::builder().uri("/api/v1/me").header(AUTHORIZATION, format!("Bearer {token}"));
    let request = request.header("x-forwarded-for", "127.0.0.1").body(Body::empty()).unwrap();
    let me = web.send(super::web(&web.shared), request).await.json();
    assert_eq!(me["address"], "192.0.2.7");
}

#[tokio::test]
async fn browsers_are_told_in_words_that_there_is_nothing() {
    let web = Web::new().await;
    for (path, language, accept, page) in [
        ("/nowhere", "en", "text/html,application/xhtml+xml,*/*;q=0.8", Some("There is nothing at this address")),
        ("/nowhere", "fr-CA", "text/html", Some("Il n’y a rien à cette adresse")),
        // Not in its canonical spelling; not repeated as an address of another host either.
        ("//elsewhere.example/go", "en", "text/html", Some("There is nothing at this address")),
        ("/nowhere", "en", "*/*", None),
        ("/api/v1/nowhere", "en", "text/html", None),
    ] {
        let request = Request::builder().uri(path).header("accept", accept).header("accept-language", language);
        let answer = web.send(super::web(&web.shared), request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, 404, "{path} {accept}");
        match page {
            Some(title) => {
                let html = String::from_utf8(answer.body.to_vec()).unwrap();
                assert_eq!(answer.header("content-type"), "text/html; charset=utf-8", "{path}");
                assert!(html.contains(title) && !html.contains("elsewhere.example"), "{path}: {html}");
            }
            None => assert!(is_problem(&answer, "not_found"), "{path} {accept}"),
        }
    }
}

#[tokio::test]
async fn wrong_methods_are_told_the_right_ones() {
    let web = Web::new().await;
    let (_, token) = web.ground.bearer(User).await;
    for (method, path, allow) in [
        ("PUT", "/api/v1/users", "GET, HEAD, POST"),
        ("DELETE", "/", "GET, HEAD"),
        ("OPTIONS", "/api/v1/users/019a", "DELETE, GET, HEAD, PATCH"),
        ("GET", "/EnrollmentServer/Policy.svc", "POST"),
        ("TRACE", "/EnrollmentServer/Discovery.svc", "GET, HEAD, POST"),
    ] {
        let answer = web.ask(method, path, Some(&token), Value::Null).await;
        assert_eq!((answer.status, answer.header("allow")), (405, allow), "{method} {path}");
        assert!(is_problem(&answer, "method_not_allowed"));
    }
}

// covers: S-09
#[tokio::test]
async fn strangers_do_not_learn_which_methods_the_api_has() {
    for route in api_routes() {
        // One for each: wrong tokens are throttled.
        let web = Web::new().await;
        let path = concrete(route.path);
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE"] {
            for token in [None, Some("mst_wrong")] {
                let answer = web.ask(method, &path, token, Value::Null).await;
                assert_eq!((answer.status, answer.header("allow")), (401, ""), "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn what_changes_something_takes_no_parameter_that_it_does_not_know() {
    let web = Web::new().await;
    let (_, token) = web.ground.bearer(Admin).await;
    for route in api_routes().filter(|route| route.method != Get) {
        let path = concrete(route.path);
        for query in ["dry-run=true", "dryrun", "limit=1", "force=true&dry_run=true"] {
            let answer = web.ask(route.method.as_str(), &format!("{path}?{query}"), Some(&token), json!({})).await;
            assert!(answer.status == 400 && is_problem(&answer, "invalid_query"), "{} {path}?{query}", route.method);
        }
        let answer = web.ask(route.method.as_str(), &format!("{path}?"), Some(&token), Value::Null).await;
        let is_refused = answer.status == 400 && is_problem(&answer, "invalid_query");
        assert!(!is_refused, "{} {path}: an empty query is none", route.method);
    }
}

#[tokio::test]
async fn the_removal_of_a_user_can_be_tried() {
    let web = Web::new().await;
    let (_, token) = web.ground.bearer(Admin).await;
    let (ada, _) = web.ground.bearer(Viewer).await;
    let path = format!("/api/v1/users/{}", ada.id);
    let tried = web.ask("DELETE", &format!("{path}?dry_run=true"), Some(&token), Value::Null).await;
    let document = tried.json();
    assert_eq!((tried.status, &document["dry_run"]), (200, &json!(true)), "{document}");
    assert_eq!(
        (&document["user"]["email"], &document["devices"], &document["tokens"]),
        (&json!(ada.email), &json!(0), &json!(1))
    );
    assert_eq!(web.get(&path, Some(&token)).await.status, 200, "nothing was changed");
    assert_eq!(web.ask("DELETE", &format!("{path}?dry_run=false"), Some(&token), Value::Null).await.status, 204);
    assert_eq!(web.get(&path, Some(&token)).await.status, 404);
}

#[tokio::test]
async fn devices_are_in_no_space_yet() {
    let web = Web::new().await;
    let (_, token) = web.ground.bearer(Viewer).await;
    for query in ["space=", "space=019a", "space=no-such", "space=x&state=active&limit=1"] {
        let answer = web.get(&format!("/api/v1/devices?{query}"), Some(&token)).await;
        assert_eq!((answer.status, answer.json()), (200, json!({"items": [], "next_cursor": null})), "{query}");
    }
    let answer = web.get("/api/v1/devices?space=x&state=lost", Some(&token)).await;
    assert_eq!(answer.status, 400, "the rest of the query is looked at all the same");
}

#[tokio::test]
async fn answers_carry_the_headers_that_browsers_obey() {
    let web = Web::new().await;
    for path in ["/", "/api/v1/users", "/pki/ca.cer", "/nothing", "/api/openapi.json"] {
        let answer = web.get(path, None).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert!(answer.header("content-security-policy").starts_with("default-src 'none'"), "{path}");
        assert!(answer.header("strict-transport-security").starts_with("max-age="), "{path}");
        assert_eq!(answer.header("cache-control") == "no-store", path.starts_with("/api/"), "{path}");
    }
}

#[tokio::test]
async fn everybody_may_read_what_is_public() {
    let web = Web::new().await;
    let authority = web.ground.app.authority.current();
    assert_eq!(web.get("/pki/ca.cer", None).await.body, authority.root());
    let pem = String::from_utf8(web.get("/pki/ca.pem", None).await.body).unwrap();
    assert_eq!(pem.matches("-----BEGIN CERTIFICATE-----").count(), 2);
    let list = web.get("/pki/device.crl", None).await;
    assert_eq!((list.status, list.header("content-type")), (200, "application/pkix-crl"));
    assert_eq!(web.get("/api/openapi.json", None).await.json()["info"]["title"], "Muster");
    let head = web.ask("HEAD", "/pki/ca.cer", None, Value::Null).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[tokio::test]
async fn the_device_side_has_its_routes_and_silence() {
    let web = Web::new().await;
    let paths = ["/", "/api/v1/users", "/EnrollmentServer/Discovery.svc", "/healthz", "//ManagementServer/MDM.svc"];
    for path in paths.into_iter().chain(["/ManagementServer/MDM.svc", "/EnrollmentServer/Renew.svc"]) {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let answer = web.send(device(&web.shared), request).await;
        assert_eq!((answer.status, answer.body.len()), (403, 0), "without a certificate nobody learns of {path}");
        assert_eq!(answer.header("allow"), "", "{path}");
    }
}

#[tokio::test]
async fn operators_see_health_and_counts() {
    let web = Web::new().await;
    web.get("/api/v1/users/019a", None).await;
    web.get("/api/v1/no/such/thing", None).await;
    let ask = async |path: &str| {
        web.send(operators(&web.shared), Request::builder().uri(path).body(Body::empty()).unwrap()).await
    };
    assert_eq!(ask("/healthz").await.status, 200);
    assert_eq!(ask("/readyz").await.status, 200);
    let text = String::from_utf8(ask("/metrics").await.body).unwrap();
    for line in [
        "muster_http_requests_total{method=\"GET\",route=\"/api/v1/users/{id}\",status=\"401\"} 1",
        "muster_http_requests_total{method=\"GET\",route=\"unknown\",status=\"404\"} 1",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert_eq!(ask("/api/v1/users").await.status, 404);
}

#[tokio::test]
async fn a_server_that_gave_its_database_up_is_alive_and_not_ready() {
    let web = Web::new().await;
    let (_, token) = web.ground.bearer(Admin).await;
    let ask = async |path: &str| {
        web.send(operators(&web.shared), Request::builder().uri(path).body(Body::empty()).unwrap()).await.status
    };
    assert_eq!(ask("/readyz").await, 200);
    assert_eq!(web.ask("POST", "/api/v1/drain", Some(&token), Value::Null).await.status, 204);
    assert_eq!((ask("/readyz").await, ask("/healthz").await), (503, 200));
    let rows = web.ground.app.audit_rows(None, &crate::app::ports::Page { limit: 5, after: None }).await.unwrap();
    assert!(rows.items.iter().any(|row| row.action == "server.drain" && row.outcome == "ok"));
}

#[tokio::test]
async fn users_are_administered_from_end_to_end() {
    let web = Web::new().await;
    let (_, token) = web.ground.bearer(Admin).await;
    let bearer = format!("Bearer {token}");
    let token = Some(token.as_str());
    let body = json!({"email": "ada@example.test", "name": "Ada", "password": "correct horse"});
    let made = web.ask("POST", "/api/v1/users", token, body.clone()).await;
    assert_eq!(made.status, 201);
    let user = made.json();
    let path = made.header("location").to_owned();
    assert_eq!(path, format!("/api/v1/users/{}", user["id"].as_str().unwrap()));
    assert_eq!((&user["kind"], &user["role"], &user["has_password"]), (&json!("person"), &json!("user"), &json!(true)));
    assert!(!String::from_utf8_lossy(&made.body).contains("horse"));
    let again = web.ask("POST", "/api/v1/users", token, body).await;
    assert!(again.status == 409 && is_problem(&again, "user_exists"));

    let changed = web.ask("PATCH", &path, token, json!({"name": null, "role": "viewer"})).await.json();
    assert_eq!((&changed["name"], &changed["role"]), (&Value::Null, &json!("viewer")));
    assert_eq!(web.get(&path, token).await.header("etag"), format!("\"{}\"", changed["version"]));
    let stale = Request::builder().method("DELETE").uri(&path).header("if-match", made.header("etag"));
    let stale = stale.header(AUTHORIZATION, bearer).body(Body::empty()).unwrap();
    let stale = web.send(super::web(&web.shared), stale).await;
    assert!(stale.status == 412 && is_problem(&stale, "version_mismatch"));
    assert_eq!(web.ask("DELETE", &path, token, Value::Null).await.status, 204);
    assert!(is_problem(&web.get(&path, token).await, "not_found"));
}

#[tokio::test]
async fn lists_go_on_where_they_left_off() {
    let web = Web::new().await;
    let (_, token) = web.ground.bearer(Admin).await;
    for n in 0..4 {
        web.ground.user(&format!("user-{n}@example.test"), User).await;
    }
    let mut seen = Vec::new();
    let mut path = "/api/v1/users?limit=2&query=user-".to_owned();
    loop {
        let page = web.get(&path, Some(&token)).await.json();
        seen.extend(page["items"].as_array().unwrap().iter().map(|user| user["email"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/api/v1/users?limit=2&query=user-&cursor={cursor}");
    }
    assert_eq!(seen, ["user-3@example.test", "user-2@example.test", "user-1@example.test", "user-0@example.test"]);
    for query in ["limit=0", "limit=x", "cursor=x", "order_by=token_hash", "limit=1&limit=2", "query=a%00b"] {
        let answer = web.get(&format!("/api/v1/users?{query}"), Some(&token)).await;
        assert!(answer.status == 400 && is_problem(&answer, "invalid_query"), "{query}: {}", answer.status);
    }
}

#[tokio::test]
async fn bodies_are_refused_with_the_place_of_the_mistake() {
    let web = Web::new().await;
    let (_, token) = web.ground.bearer(Admin).await;
    for (body, pointer) in [
        (json!({"email": 5}), "/email"),
        (json!({"name": "x"}), "/email"),
        (json!({"email": "a@b.test", "admin": true}), "/admin"),
        (json!({"email": "a@b.test", "role": "god"}), "/role"),
        (json!({"email": "a@b.test", "password": "short"}), "/password"),
        (json!({"email": "a b"}), "/email"),
    ] {
        let answer = web.ask("POST", "/api/v1/users", Some(&token), body.clone()).await;
        assert_eq!(answer.status, 422, "{body}");
        let problem = answer.json();
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        assert!(problem["trace_id"].as_str().is_some_and(|id| id.len() == 36), "{problem}");
    }
    let form = Request::builder().method("POST").uri("/api/v1/users").header(CONTENT_TYPE, "text/plain");
    let form = form.header(AUTHORIZATION, format!("Bearer {token}")).body(Body::from("{}")).unwrap();
    assert_eq!(web.send(super::web(&web.shared), form).await.status, 415);
}

// covers: S-17, S-20
#[tokio::test]
async fn what_looks_like_code_stays_text() {
    let web = Web::new().await;
    let (_, token) = web.ground.bearer(Admin).await;
    for name in ["<script>alert(1)</script>", "'; DROP TABLE users; --", "${7*7}{{7*7}}", "100%_\"", "\u{202e}gnp"] {
        let email = format!("user-{}@example.test", web.ground.app.new_trace_id());
        let body = json!({"email": email, "name": name});
        let made = web.ask("POST", "/api/v1/users", Some(&token), body).await;
        assert_eq!((made.status, made.json()["name"].as_str()), (201, Some(name)));
    }
    assert_eq!(web.get("/api/v1/users?query=%25", Some(&token)).await.json()["items"].as_array().unwrap().len(), 1);
}

// covers: S-23
#[tokio::test]
async fn no_answer_holds_a_key() {
    let web = Web::new().await;
    let (_, token) = web.ground.bearer(Admin).await;
    for route in table().iter().filter(|route| route.method == Get && route.listener == Listener::Web) {
        let answer = web.get(&concrete(route.path), Some(&token)).await;
        assert!(!String::from_utf8_lossy(&answer.body).contains("PRIVATE KEY"), "{}", route.path);
    }
}
