//! People who are invited, and the pages that they are shown.

use serde_json::{Value, json};

use super::api::{Api, User};
use super::http::{Address, Request, Response};
use super::server::Server;
use super::unique;

/// An address of somebody whom nobody knows yet.
pub fn new_address(who: &str) -> String {
    format!("{who}-{}@example.test", unique())
}

/// A text of a document that has to be there.
#[track_caller]
pub fn text<'v>(document: &'v Value, name: &str) -> &'v str {
    document[name].as_str().unwrap_or_else(|| panic!("no {name} in {document}"))
}

/// An invitation with a PIN for somebody new.
pub fn invited(api: &Api, email: &str) -> (Value, User) {
    let invitation = api.post("/invitations", &json!({"email": email, "pin": true}), 201);
    let id = text(&invitation, "user_id").to_owned();
    let user = User { id, email: email.to_owned(), password: text(&invitation, "pin").to_owned() };
    (invitation, user)
}

/// A page, with the headers that every page must have.
#[track_caller]
pub fn page(server: &Server, url: &str, language: &str, status: u16) -> Response {
    let request = Request::get(&Address::of(url).path).header("Accept-Language", language);
    let request = request.header("Accept", "text/html,application/xhtml+xml,*/*;q=0.8");
    let response = server.web(&request);
    response.expect_status(url, status);
    assert!(response.header("content-type").unwrap().starts_with("text/html"), "{url}");
    assert_eq!(response.header("referrer-policy"), Some("no-referrer"), "S-13: no address leaks in Referer");
    let policy = response.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "S-07: {policy}");
    assert!(!response.text().contains("<script"), "{url}: no script");
    response
}
