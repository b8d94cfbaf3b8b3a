//! `/sessions`: management sessions and their redacted transcripts.

use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{List, Named, named, page, stamp};
use crate::app::ports::{SessionFilter, Table};
use crate::app::{App, TranscriptLine};
use crate::domain::entra::TokenEvidence;
use crate::domain::proof::Proof;
use crate::domain::session_record::SessionRecord;
use crate::http::error::Problem;
use crate::http::extract::Params;

/// A management session.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionDocument {
    /// Identifier.
    id: String,
    /// The hardware.
    device_id: String,
    /// The period of management.
    enrollment_id: String,
    /// `SessionID` as the device sent it.
    session_id: String,
    /// `open`, `completed`, `aborted`, `superseded`, `timed_out` or `unenrolled`.
    state: String,
    /// First message.
    #[schema(format = DateTime)]
    opened_at: String,
    /// Last message.
    #[schema(format = DateTime)]
    last_at: String,
    /// When it was closed.
    #[schema(format = DateTime)]
    closed_at: Option<String>,
    /// Messages of the device so far.
    message_count: u32,
    /// `user`, `others` or `none`: who was signed in.
    login: String,
    /// `user` or `system`, where the device said so.
    mode: Option<String>,
    /// Correlation vector of the first request (`MS-CV`).
    correlation: Option<String>,
    /// `client-request-id` of the first request.
    client_request_id: Option<String>,
    /// What was odd, in words.
    remarks: Vec<String>,
    /// What proved the device when it began: `certificate`, `proxy_certificate`, `signature`, `digest`.
    authentication: Vec<&'static str>,
    /// What the Entra tokens that came with it are worth; null where none came.
    entra: Option<EntraDocument>,
}

/// What the Entra tokens of a session are worth. The tokens themselves are kept nowhere.
#[derive(Debug, Serialize, ToSchema)]
pub struct EntraDocument {
    /// Whether all of them were proven. If not, nothing was sent in that session that concerns the user.
    proven: bool,
    /// Why one of them was not.
    reason: Option<String>,
    /// Tenant that made them out.
    tenant_id: Option<String>,
    /// The device object in Entra.
    device_id: Option<String>,
    /// Object id of the user.
    user_id: Option<String>,
    /// Name of the user.
    user: Option<String>,
}

impl EntraDocument {
    fn of(tokens: TokenEvidence) -> Option<Self> {
        let TokenEvidence { claims, rejected } = tokens;
        let came = claims.is_some() || rejected.is_some();
        let tenant_id = claims.as_ref().map(|claims| claims.tenant_id.to_string());
        let claims = claims.unwrap_or_default();
        came.then(|| Self {
            proven: rejected.is_none(),
            reason: rejected,
            tenant_id,
            device_id: claims.device_id.map(|id| id.to_string()),
            user_id: claims.user_id.map(|id| id.to_string()),
            user: claims.upn,
        })
    }
}

impl From<SessionRecord> for SessionDocument {
    fn from(session: SessionRecord) -> Self {
        Self {
            id: session.id.to_string(),
            device_id: session.device_id.to_string(),
            enrollment_id: session.enrollment_id.to_string(),
            session_id: session.wire_id,
            state: session.state,
            opened_at: stamp(session.opened_at),
            last_at: stamp(session.last_at),
            closed_at: session.closed_at.map(stamp),
            message_count: session.messages,
            login: session.login,
            mode: session.mode,
            correlation: session.correlation,
            client_request_id: session.client_request_id,
            remarks: session.remarks,
            authentication: session.proofs.into_iter().map(Proof::as_str).collect(),
            entra: EntraDocument::of(session.tokens),
        }
    }
}

/// A session with its messages.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionDetailDocument {
    /// The session.
    #[serde(flatten)]
    session: SessionDocument,
    /// Its messages in order, redacted.
    messages: Vec<MessageDocument>,
}

/// A message of a session.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageDocument {
    /// `device` or `server`: who sent it.
    direction: &'static str,
    /// When.
    #[schema(format = DateTime)]
    at: String,
    /// `xml` or `wbxml`: its form on the wire.
    encoding: &'static str,
    /// The HTTP status of an answer; a body other than that of 200 is one line of text.
    status: Option<u16>,
    /// The SyncML message as XML; credentials and secret values are replaced by marks.
    body: String,
    /// What was known when a message of the device was answered, redacted: what `muster session replay` needs beside the
    /// message. It may differ from version to version.
    #[schema(value_type = Object)]
    given: Option<serde_json::Value>,
}

impl From<TranscriptLine> for MessageDocument {
    fn from(shown: TranscriptLine) -> Self {
        Self {
            direction: shown.direction.as_str(),
            at: stamp(shown.at),
            encoding: shown.encoding.as_str(),
            status: shown.status,
            body: shown.body,
            given: shown.given,
        }
    }
}

/// Which sessions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SessionQuery {
    /// Of one device.
    device: Option<String>,
    /// Most items, 1 to 500; default 50.
    limit: Option<u32>,
    /// `next_cursor` of the part before.
    cursor: Option<String>,
}

/// Lists sessions, newest first.
#[utoipa::path(get, path = "/api/v1/sessions", tag = "sessions", params(SessionQuery),
    responses((status = 200, body = List<SessionDocument>)))]
pub async fn list(
    State(app): State<App>,
    Params(query): Params<SessionQuery>,
) -> Result<Json<List<SessionDocument>>, Problem> {
    let page = page(query.limit, query.cursor.as_deref())?;
    let device = match named(&app, Table::Devices, "device", query.device.as_deref()).await? {
        Some(Named::Nothing) => return Ok(Json(List { items: Vec::new(), next_cursor: None })),
        Some(Named::One(id)) => Some(id),
        None => None,
    };
    let listed = app.sessions(&SessionFilter { device }, &page).await?;
    Ok(Json(List::of(listed, SessionDocument::from)))
}

/// Shows a session with its transcript.
#[utoipa::path(get, path = "/api/v1/sessions/{id}", tag = "sessions", params(("id" = String, Path)),
    responses((status = 200, body = SessionDetailDocument)))]
pub async fn show(State(app): State<App>, Path(id): Path<String>) -> Result<Json<SessionDetailDocument>, Problem> {
    let id = app.resolve(Table::Sessions, "session", &id).await?;
    let session = app.session(id).await?;
    let transcript = app.transcript(id).await?;
    let messages = transcript.into_iter().map(MessageDocument::from).collect();
    Ok(Json(SessionDetailDocument { session: session.into(), messages }))
}
