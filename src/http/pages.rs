//! Pages for people: written on the server, whole without script, nothing loaded from anywhere.
//!
//! Templates are in `templates/`, the one stylesheet is `muster.css`, what is said stands in `messages/`, one file for
//! each language. The stylesheet is part of every page and named by its hash, so the policy of a page allows it and
//! nothing else.

mod go;
mod invitation;
mod messages;
mod nowhere;
mod password;
mod qr;
mod self_test;
mod signpost;
mod stale;

use std::sync::LazyLock;

use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::header::{
    ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

use super::Shared;
use super::error::Problem;
use crate::domain::language::Language;
use messages::Messages;

pub(super) use go::page as go;
pub(super) use invitation::page as invitation;
pub(super) use nowhere::page as nowhere;
pub(super) use password::{choose as choose_password, page as password};
pub(super) use self_test::page as self_test;
pub(super) use signpost::page as signpost;
pub(super) use stale::page as stale_url;

/// What all pages share: the language of whoever reads it, and whose server it is.
pub struct Frame {
    language: Language,
    messages: &'static Messages,
    /// Whose server it is.
    organization: String,
    /// Whom to ask, in words of the administrator; empty where that is not configured.
    contact: String,
    /// The path of this page.
    path: String,
    /// What stands behind the language in its address, such as `&for=example.com`.
    query: String,
    /// Whether there is a self-test to go to.
    has_self_test: bool,
}

impl Frame {
    /// For whoever asks like that.
    pub(super) fn of(uri: &Uri, headers: &HeaderMap, shared: &Shared) -> Self {
        let query = uri.query().unwrap_or_default();
        let asked = query.split('&').find_map(|pair| pair.strip_prefix("lang=")).and_then(Language::parse);
        let header = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let language = asked.unwrap_or_else(|| Language::negotiate(header));
        let settings = &shared.app.settings;
        Self {
            language,
            messages: Messages::of(language),
            organization: settings.display_name.clone(),
            contact: settings.contact.clone(),
            path: uri.path().to_owned(),
            query: String::new(),
            has_self_test: settings.self_test,
        }
    }

    /// A text of the language.
    fn t(&self, id: impl AsRef<str>) -> String {
        self.messages.text(id.as_ref(), &[])
    }

    /// A text with one value in it.
    fn with(&self, id: &str, name: &str, value: &str) -> String {
        self.messages.text(id, &[(name, value)])
    }

    fn lang(&self) -> &'static str {
        self.language.tag()
    }

    fn style(&self) -> &'static str {
        STYLE
    }

    /// The other languages: their tags and their own names.
    fn others(&self) -> impl Iterator<Item = (&'static str, &'static str)> + use<> {
        let own = self.language;
        Language::ALL.into_iter().filter(move |other| *other != own).map(|other| (other.tag(), other.own_name()))
    }
}

impl FromRequestParts<Shared> for Frame {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Self::Rejection> {
        Ok(Self::of(&parts.uri, &parts.headers, shared))
    }
}

/// A page as an answer.
fn answer(status: StatusCode, language: Language, page: &impl Template) -> Response {
    write(status, language, page, &POLICY)
}

/// The same with a form whose answer is a page of this server.
fn answer_with_form(status: StatusCode, language: Language, page: &impl Template) -> Response {
    write(status, language, page, &POLICY_WITH_FORM)
}

fn write(status: StatusCode, language: Language, page: &impl Template, policy: &str) -> Response {
    let html = match page.render() {
        Ok(html) => html,
        Err(error) => return Problem::internal(format!("a page cannot be written: {error}")).into_response(),
    };
    let headers: [(HeaderName, &str); 5] = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_LANGUAGE, language.tag()),
        (CONTENT_SECURITY_POLICY, policy),
        (CACHE_CONTROL, "no-cache"),
        (VARY, "Accept-Language"),
    ];
    (status, headers, html).into_response()
}

const STYLE: &str = include_str!("pages/muster.css");

/// Nothing is loaded; the one stylesheet in the page is named by its hash.
static POLICY: LazyLock<String> = LazyLock::new(|| policy("'none'"));
static POLICY_WITH_FORM: LazyLock<String> = LazyLock::new(|| policy("'self'"));

fn policy(form_action: &str) -> String {
    let hash = BASE64_STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    let rest = format!("base-uri 'none'; form-action {form_action}; frame-ancestors 'none'");
    format!("default-src 'none'; style-src 'sha256-{hash}'; {rest}")
}

#[cfg(test)]
mod tests;
