//! What handlers take from a request: JSON bodies, queries and headers, with refusals that name the place.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::header::{CONTENT_TYPE, IF_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};

use super::error::Problem;

/// Bytes of the largest body that the API takes.
pub const MOST_BYTES: usize = 1024 * 1024;
/// How long a client may take to send it.
const BODY_TIME: Duration = Duration::from_secs(30);

/// A JSON body.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Self::Rejection> {
        expect_media_type(request.headers(), &["application/json"])?;
        let bytes = read_body(request).await?;
        from_json(&bytes).map(Self)
    }
}

/// A JSON body, or none at all (`null` is none, too) where every field has a default.
#[derive(Debug)]
pub struct OptionalBody<T>(pub T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for OptionalBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Self::Rejection> {
        let media_type = expect_media_type(request.headers(), &["application/json"]);
        let bytes = read_body(request).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        media_type?;
        from_json::<Option<T>>(&bytes).map(|body| Self(body.unwrap_or_default()))
    }
}

/// A query string.
#[derive(Debug)]
pub struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        if parts.uri.query().is_some_and(|query| query.contains("%00")) {
            return Err(Problem::query("there is a NUL character in the query"));
        }
        match Query::<T>::try_from_uri(&parts.uri) {
            Ok(Query(query)) => Ok(Self(query)),
            Err(rejection) => {
                let text = rejection.body_text();
                let words = text.split_once(": ").map_or(text.as_str(), |(_, words)| words);
                Err(Problem::query(words))
            }
        }
    }
}

/// No query string, on a route that takes none: a parameter that is passed over might have meant "do not really do it".
#[derive(Clone, Copy, Debug)]
pub struct NoParams;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl<S: Send + Sync> FromRequestParts<S> for NoParams {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        Params::<Nothing>::from_request_parts(parts, state).await.map(|_| Self)
    }
}

/// `If-Match`: the version that is to be changed; `None` for any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IfMatch(pub Option<i64>);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let Some(text) = one_header(&parts.headers, IF_MATCH.as_str())? else { return Ok(Self(None)) };
        if text == "*" {
            return Ok(Self(None));
        }
        let version = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).and_then(|tag| tag.parse().ok());
        // A tag that we never gave out matches nothing.
        Ok(Self(Some(version.unwrap_or(-1))))
    }
}

/// `Idempotency-Key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(pub Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let key = one_header(&parts.headers, "idempotency-key")?;
        if key.is_some_and(|key| key.is_empty() || key.len() > 255) {
            return Err(bad_header("Idempotency-Key must have 1 to 255 characters"));
        }
        Ok(Self(key.map(str::to_owned)))
    }
}

impl IdempotencyKey {
    /// As the use-cases take it.
    #[must_use]
    pub fn as_deref(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

/// Refuses a body of another media type; parameters such as a charset do not count.
pub fn expect_media_type(headers: &HeaderMap, allowed: &[&str]) -> Result<(), Problem> {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    if allowed.iter().any(|allowed| essence.eq_ignore_ascii_case(allowed)) {
        return Ok(());
    }
    let words = format!("send the body as Content-Type: {}", allowed.join(" or "));
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", words))
}

/// The body, within limits of size and time.
pub async fn read_body(request: Request) -> Result<Bytes, Problem> {
    read_body_within(request, MOST_BYTES).await
}

/// The body, of at most so many bytes.
pub async fn read_body_within(request: Request, most: usize) -> Result<Bytes, Problem> {
    let body = Limited::new(request.into_body(), most).collect();
    match tokio::time::timeout(BODY_TIME, body).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let words = format!("the body has more than {most} bytes");
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", words))
        }
        Ok(Err(_)) => Err(Problem::new(StatusCode::BAD_REQUEST, "incomplete_body", "the body did not arrive whole")),
        Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "timeout", "the body took too long to arrive")),
    }
}

/// Reads JSON; what is wrong is told with its place.
pub fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // Fields would be taken from an array too, by their order.
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        return Err(Problem::invalid("", "the body must be an object"));
    }
    read_json(bytes)
}

/// Reads a JSON array likewise.
pub fn from_json_list<T: DeserializeOwned>(bytes: &[u8]) -> Result<Vec<T>, Problem> {
    read_json(bytes)
}

fn read_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| misfit(&error))?;
    reader.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

/// Reads JSON that was read before, as something more definite.
pub fn from_value<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(value).map_err(|error| misfit(&error))
}

fn misfit(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let words = plain(&error.inner().to_string());
    if error.inner().is_data() {
        return Problem::invalid(&pointer(error.path(), &words), words);
    }
    malformed(error.inner())
}

fn malformed(error: &serde_json::Error) -> Problem {
    let words = format!("the body is not JSON: line {}, column {}", error.line(), error.column());
    Problem::new(StatusCode::BAD_REQUEST, "malformed_json", words)
}

/// Without the place in the text that serde_json adds: the pointer says it better.
fn plain(words: &str) -> String {
    words.rsplit_once(" at line ").map_or(words, |(words, _)| words).to_owned()
}

/// The JSON pointer of a path; a missing or unknown field belongs to it too.
fn pointer(path: &Path, words: &str) -> String {
    let mut pointer = String::new();
    let mut last = String::new();
    for segment in path.iter() {
        last = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } | Segment::Enum { variant: key } => key.replace('~', "~0").replace('/', "~1"),
            Segment::Unknown => continue,
        };
        pointer.push('/');
        pointer.push_str(&last);
    }
    let field = ["missing field `", "unknown field `", "duplicate field `"]
        .iter()
        .find_map(|start| words.strip_prefix(start)?.split_once('`'))
        .map(|(field, _)| field.replace('~', "~0").replace('/', "~1"));
    if let Some(field) = field.filter(|field| *field != last) {
        pointer.push('/');
        pointer.push_str(&field);
    }
    pointer
}

fn one_header<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => match value.to_str() {
            Ok(text) => Ok(Some(text.trim())),
            Err(_) => Err(bad_header(&format!("{name} holds characters that are not printable ASCII"))),
        },
        _ => Err(bad_header(&format!("{name} was sent more than once"))),
    }
}

fn bad_header(words: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_header", words)
}

#[cfg(test)]
#[path = "extract/tests.rs"]
mod tests;
