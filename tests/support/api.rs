//! The JSON API as a program of somebody else would use it.

use std::sync::Arc;

use rustls::ClientConfig;
use serde_json::{Value, json};

use super::certificate::same_serial;
use super::http::{Address, Connection, Request, Response, Tls, once};
use super::unique;

/// A caller of `/api/v1`, with a token or without.
#[derive(Clone)]
pub struct Api {
    url: String,
    config: Arc<ClientConfig>,
    token: Option<String>,
}

/// A person made by [`Api::add_user`].
#[derive(Clone, Debug)]
pub struct User {
    pub id: String,
    pub email: String,
    pub password: String,
}

impl Api {
    pub fn new(url: &str, tls: &Tls, token: Option<&str>) -> Self {
        Self { url: url.to_owned(), config: tls.config(), token: token.map(str::to_owned) }
    }

    /// The same API with another token, or none.
    pub fn with_token(&self, token: Option<&str>) -> Self {
        Self { token: token.map(str::to_owned), ..self.clone() }
    }

    /// Sends a request with the token; `path` begins after `/api/v1`.
    pub fn send(&self, request: Request) -> Response {
        once(&self.url, &self.config, &self.complete(request))
    }

    /// The same to a server that may die meanwhile.
    pub fn try_send(&self, request: Request) -> std::io::Result<Response> {
        Connection::open(&Address::of(&self.url), &self.config)?.send(&self.complete(request))
    }

    fn complete(&self, mut request: Request) -> Request {
        request.path = format!("/api/v1{}", request.path);
        match &self.token {
            Some(token) => request.header("Authorization", &format!("Bearer {token}")),
            None => request,
        }
    }

    fn send_json(&self, method: &str, path: &str, body: &Value) -> Response {
        let mut request = Request::new(method, path).header("Content-Type", "application/json");
        request.body = serde_json::to_vec(body).expect("JSON writes");
        self.send(request)
    }

    /// GET that must succeed.
    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        document(self.send(Request::get(path)), 200, path)
    }

    /// All items of a list, page by page.
    #[track_caller]
    pub fn list(&self, path: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut cursor = None::<String>;
        loop {
            let joint = if path.contains('?') { '&' } else { '?' };
            let page = match &cursor {
                None => self.get(path),
                Some(cursor) => self.get(&format!("{path}{joint}cursor={cursor}")),
            };
            items.extend(page["items"].as_array().unwrap_or_else(|| panic!("{path}: no items in {page}")).clone());
            match page["next_cursor"].as_str() {
                Some(next) if !next.is_empty() => cursor = Some(next.to_owned()),
                _ => return items,
            }
        }
    }

    /// POST with the status the caller expects; an empty answer is `null`.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value, status: u16) -> Value {
        document(self.send_json("POST", path, body), status, path)
    }

    /// PUT with the status the caller expects.
    #[track_caller]
    pub fn put(&self, path: &str, body: &Value, status: u16) -> Value {
        document(self.send_json("PUT", path, body), status, path)
    }

    #[track_caller]
    pub fn patch(&self, path: &str, body: &Value) -> Value {
        document(self.send_json("PATCH", path, body), 200, path)
    }

    /// DELETE; any 2xx will do.
    #[track_caller]
    pub fn delete(&self, path: &str) {
        let response = self.send(Request::new("DELETE", path));
        assert!((200..300).contains(&response.status), "DELETE {path}: {} {}", response.status, response.text());
    }

    /// A person with a password nobody else has.
    #[track_caller]
    pub fn add_user(&self) -> User {
        self.add_user_named(&format!("user-{}@example.test", unique()))
    }

    #[track_caller]
    pub fn add_user_named(&self, email: &str) -> User {
        let password = format!("correct horse {} battery", super::random_hex(6));
        let body = json!({"email": email, "name": "Ada Example", "password": password});
        let made = self.post("/users", &body, 201);
        let id = made["id"].as_str().unwrap_or_else(|| panic!("a user without id: {made}")).to_owned();
        User { id, email: email.to_owned(), password }
    }

    #[track_caller]
    pub fn device(&self, id: &str) -> Value {
        self.get(&format!("/devices/{id}"))
    }

    /// The devices that have a hardware id.
    #[track_caller]
    pub fn devices_with_hardware(&self, hw_dev_id: &str) -> Vec<Value> {
        let same = |d: &Value| d["hw_dev_id"].as_str().is_some_and(|id| id.eq_ignore_ascii_case(hw_dev_id));
        self.list("/devices?limit=200").into_iter().filter(same).collect()
    }

    /// The devices of a user, whatever their state.
    #[track_caller]
    pub fn devices_of(&self, user: &User) -> Vec<Value> {
        self.list("/devices?limit=200").into_iter().filter(|d| d["user"] == user.email.as_str()).collect()
    }

    /// Orders an action that must be taken on; returns its id.
    #[track_caller]
    pub fn act(&self, device: &str, body: &Value) -> String {
        let action = self.post(&format!("/devices/{device}/actions"), body, 202);
        assert_eq!(action["state"], "queued", "a new action is queued: {action}");
        action["id"].as_str().unwrap_or_else(|| panic!("an action without id: {action}")).to_owned()
    }

    /// Orders an action that must be refused with a problem document; returns its `code`.
    #[track_caller]
    pub fn act_refused(&self, device: &str, body: &Value) -> String {
        let problem = self.post(&format!("/devices/{device}/actions"), body, 409);
        problem["code"].as_str().unwrap_or_else(|| panic!("a problem without code: {problem}")).to_owned()
    }

    #[track_caller]
    pub fn action(&self, id: &str) -> Value {
        self.get(&format!("/actions/{id}"))
    }

    #[track_caller]
    pub fn action_state(&self, id: &str) -> String {
        self.action(id)["state"].as_str().expect("an action has a state").to_owned()
    }

    /// Queues raw SyncML commands; returns the answer.
    pub fn try_command(&self, device: &str, xml: &str, query: &str) -> Response {
        let path = format!("/devices/{device}/commands{query}");
        self.send(Request::post(&path, xml).header("Content-Type", "application/vnd.syncml.dm+xml"))
    }

    /// Queues raw SyncML commands that must be taken on, past the catalogue's opinion; returns the id.
    #[track_caller]
    pub fn command(&self, device: &str, xml: &str) -> String {
        let made = document(self.try_command(device, xml, "?unchecked=true"), 202, "commands");
        made["id"].as_str().unwrap_or_else(|| panic!("a command without id: {made}")).to_owned()
    }

    #[track_caller]
    pub fn command_document(&self, id: &str) -> Value {
        self.get(&format!("/commands/{id}"))
    }

    #[track_caller]
    pub fn command_state(&self, id: &str) -> String {
        self.command_document(id)["state"].as_str().expect("a command has a state").to_owned()
    }

    /// The sessions of a device, each with its messages.
    #[track_caller]
    pub fn sessions(&self, device: &str) -> Vec<Value> {
        let ids = self.list(&format!("/sessions?device={device}"));
        ids.iter().map(|s| self.get(&format!("/sessions/{}", s["id"].as_str().expect("a session has an id")))).collect()
    }

    /// The sessions of a device without their messages, in whatever order the list has.
    #[track_caller]
    pub fn session_count(&self, device: &str) -> usize {
        self.list(&format!("/sessions?device={device}")).len()
    }

    /// The certificate of a serial number as the API shows it.
    #[track_caller]
    pub fn certificate(&self, serial: &str) -> Value {
        let same = |c: &Value| same_serial(c["serial"].as_str().unwrap_or_default(), serial);
        let found = self.list("/certificates?limit=200").into_iter().find(same);
        found.unwrap_or_else(|| panic!("no certificate {serial} in the list"))
    }

    #[track_caller]
    pub fn is_revoked(&self, serial: &str) -> bool {
        let shown = self.certificate(serial);
        shown["state"] == "revoked" || shown["status"] == "revoked" || shown["revoked_at"].is_string()
    }

    /// All events, oldest first.
    #[track_caller]
    pub fn events(&self) -> Vec<Value> {
        let mut events = Vec::new();
        let mut after = String::new();
        loop {
            let page = self.get(&format!("/events?limit=100&after={after}"));
            let items = page["items"].as_array().or_else(|| page.as_array()).expect("events are a list").clone();
            let Some(last) = items.last() else { return events };
            after = last["id"].as_str().expect("an event has an id").to_owned();
            events.extend(items);
        }
    }

    /// Waits for an event of a type about a device.
    #[track_caller]
    pub fn wait_for_event(&self, kind: &str, device: &str) -> Value {
        let kind = format!("muster.{kind}");
        super::eventually(&format!("an event {kind} about {device}"), || {
            self.events().into_iter().find(|e| e["type"] == kind.as_str() && e["subject"] == device)
        })
    }
}

#[track_caller]
fn document(response: Response, status: u16, path: &str) -> Value {
    response.expect_status(path, status);
    if response.body.is_empty() {
        return Value::Null;
    }
    let kind = response.header("content-type").unwrap_or_default();
    let expected = if status >= 400 { "application/problem+json" } else { "application/json" };
    assert!(kind.starts_with(expected), "{path}: content type {kind:?}, expected {expected}");
    serde_json::from_slice(&response.body).unwrap_or_else(|e| panic!("{path}: no JSON: {e}\n{}", response.text()))
}
