//! `/api/v1`: one file for each resource, each with its handlers and its documents.
//!
//! Lists answer `{items, next_cursor}` and are bounded; times are RFC 3339 in UTC; ids are opaque and may be shortened
//! to a beginning that only one has.

#![allow(unused_qualifications, reason = "the code that utoipa writes for query parameters has some")]

pub mod actions;
pub mod alerts;
pub mod attempts;
pub mod audit;
pub mod ca;
pub mod certificates;
pub mod commands;
pub mod csp;
pub mod devices;
pub mod drain;
pub mod enrollment_url;
pub mod events;
pub mod invitation_templates;
pub mod invitations;
pub mod me;
pub mod openapi;
pub mod packages;
pub mod period;
pub mod registered;
pub mod sessions;
pub mod tokens;
pub mod uploads;
pub mod users;

use axum::http::HeaderValue;
use axum::http::header::{ETAG, LOCATION};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::StaticFormatDescription;
use time::macros::format_description;
use utoipa::{IntoParams, ToSchema};

use super::error::Problem;
use crate::app::ports::{Cursor, Listed, Page, Table};
use crate::app::{App, Error};
use crate::domain::Id;

/// A part of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct List<T> {
    /// The part.
    pub items: Vec<T>,
    /// Give it back as `cursor` for the next part; null at the end.
    pub next_cursor: Option<String>,
}

impl<T> List<T> {
    /// The documents of a page.
    fn of<R>(listed: Listed<R>, document: impl FnMut(R) -> T) -> Self {
        Self {
            items: listed.items.into_iter().map(document).collect(),
            next_cursor: listed.next.as_ref().map(encode_cursor),
        }
    }
}

/// How to take a request that changes something.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DryRunQuery {
    /// Only say what would happen.
    dry_run: Option<bool>,
}

impl DryRunQuery {
    fn is_dry(&self) -> bool {
        self.dry_run.unwrap_or(false)
    }
}

/// Items of a list where nothing is said.
const USUAL_LIMIT: u32 = 50;
/// Items of the longest list.
const HIGHEST_LIMIT: u32 = 500;

fn limit(asked: Option<u32>) -> Result<u32, Problem> {
    match asked {
        Some(0) => Err(Problem::query(format!("limit must be 1 to {HIGHEST_LIMIT}"))),
        asked => Ok(asked.unwrap_or(USUAL_LIMIT).min(HIGHEST_LIMIT)),
    }
}

fn page(asked: Option<u32>, cursor: Option<&str>) -> Result<Page, Problem> {
    let after = cursor.filter(|text| !text.is_empty()).map(decode_cursor).transpose()?;
    Ok(Page { limit: limit(asked)?, after })
}

fn encode_cursor(cursor: &Cursor) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("{} {}", cursor.at, cursor.id))
}

fn decode_cursor(text: &str) -> Result<Cursor, Problem> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok();
    let plain = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let parts = plain.as_deref().and_then(|plain| plain.split_once(' '));
    parts
        .and_then(|(at, id)| Some(Cursor { at: at.parse().ok()?, id: id.to_owned() }))
        .ok_or_else(|| Problem::query("cursor is none that this server gave out"))
}

/// A value of a query by its word.
fn word<T>(name: &str, text: Option<&str>, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Problem> {
    match text {
        None | Some("") => Ok(None),
        Some(text) => parse(text).map(Some).ok_or_else(|| Problem::query(format!("{name}: there is no `{text}`"))),
    }
}

/// An object of a query by its id; one that is not there selects nothing.
async fn named<T>(
    app: &App,
    table: Table,
    what: &'static str,
    text: Option<&str>,
) -> Result<Option<Named<T>>, Problem> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    match app.resolve(table, what, text).await {
        Ok(id) => Ok(Some(Named::One(id))),
        Err(Error::NotFound(_)) => Ok(Some(Named::Nothing)),
        Err(error) => Err(error.into()),
    }
}

/// What the id in a query names.
enum Named<T> {
    One(Id<T>),
    Nothing,
}

/// A time as the API writes it: RFC 3339, UTC, milliseconds.
fn stamp(at: OffsetDateTime) -> String {
    const FORMAT: StaticFormatDescription =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    at.to_offset(time::UtcOffset::UTC).format(FORMAT).expect("every part of the format is in a date with time")
}

fn location(path: &str, id: &str) -> (axum::http::HeaderName, HeaderValue) {
    let value = HeaderValue::from_str(&format!("/api/v1/{path}/{id}"));
    (LOCATION, value.expect("ids are hex digits and dashes"))
}

fn etag(version: i64) -> (axum::http::HeaderName, HeaderValue) {
    (ETAG, HeaderValue::from_str(&format!("\"{version}\"")).expect("numbers are ASCII"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_read_as_they_are_written() {
        let cursor = Cursor { at: -5, id: "019a-\u{fc} x".to_owned() };
        assert_eq!(decode_cursor(&encode_cursor(&cursor)).unwrap(), cursor);
        for bad in ["!", "", "AAAA", "eA"] {
            assert!(decode_cursor(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn lists_are_bounded() {
        assert_eq!(limit(None).unwrap(), 50);
        assert_eq!(limit(Some(7)).unwrap(), 7);
        assert_eq!(limit(Some(u32::MAX)).unwrap(), 500);
        assert!(limit(Some(0)).is_err());
    }

    #[test]
    fn times_are_utc_with_milliseconds() {
        let at = time::macros::datetime!(2026-11-20 16:05:06.007_8 +1);
        assert_eq!(stamp(at), "2026-11-20T15:05:06.007Z");
    }
}
