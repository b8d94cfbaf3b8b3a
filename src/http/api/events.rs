//! `/events`: what happened, in order, as CloudEvents 1.0.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{List, limit, stamp};
use crate::app::{App, Error};
use crate::domain::event::Event;
use crate::http::error::Problem;
use crate::http::extract::Params;

/// An event (CloudEvents 1.0).
#[derive(Debug, Serialize, ToSchema)]
pub struct EventDocument {
    /// `1.0`.
    specversion: &'static str,
    /// Identifier; the same event never has two.
    id: String,
    /// The URL of this server.
    source: String,
    /// What happened.
    #[schema(example = "muster.device.enrolled")]
    r#type: String,
    /// When.
    #[schema(format = DateTime)]
    time: String,
    /// Identifier of the device, where one is concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    /// `application/json`.
    datacontenttype: &'static str,
    /// Details.
    #[schema(value_type = Object)]
    data: serde_json::Value,
}

impl EventDocument {
    fn of(event: Event, source: &str) -> Self {
        Self {
            specversion: "1.0",
            id: event.id.to_string(),
            source: source.to_owned(),
            r#type: event.kind,
            time: stamp(event.time),
            subject: event.subject,
            datacontenttype: "application/json",
            data: event.data,
        }
    }
}

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventQuery {
    /// After that event; without it from the oldest that is kept.
    after: Option<String>,
    /// The same as `after`, as in other lists.
    cursor: Option<String>,
    /// Of one device.
    subject: Option<String>,
    /// Most items, 1 to 500; default 50.
    limit: Option<u32>,
}

/// Lists events, oldest first. `next_cursor` is the id of the last one and null where nothing came after it; ask again
/// with the last id to hear of more.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", params(EventQuery),
    responses((status = 200, body = List<EventDocument>)))]
pub async fn list(
    State(app): State<App>,
    Params(query): Params<EventQuery>,
) -> Result<Json<List<EventDocument>>, Problem> {
    let limit = limit(query.limit)?;
    let after = match query.after.or(query.cursor).filter(|id| !id.is_empty()) {
        Some(text) => Some(text.parse().map_err(|_| Problem::from(Error::NotFound("event")))?),
        None => None,
    };
    let subject = query.subject.as_deref().filter(|subject| !subject.is_empty());
    // One more than asked tells whether this is the end.
    let mut events = app.events_after(after, subject, limit + 1).await?;
    let is_end = events.len() <= limit as usize;
    events.truncate(limit as usize);
    let next_cursor = events.last().filter(|_| !is_end).map(|event| event.id.to_string());
    let source = app.settings.url.as_str();
    let items = events.into_iter().map(|event| EventDocument::of(event, source)).collect();
    Ok(Json(List { items, next_cursor }))
}
