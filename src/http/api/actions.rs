//! `/actions`: what is asked of devices, and what became of it.

mod kinds;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

pub use kinds::RequestAction;

use super::{DryRunQuery, List, Named, location, named, page, stamp, word};
use crate::app::ports::{CommandFilter, Listed, Table};
use crate::app::{App, Error};
use crate::domain::Id;
use crate::domain::action::Action;
use crate::domain::command::{CommandState, QueuedCommand};
use crate::http::auth::By;
use crate::http::error::Problem;
use crate::http::extract::{Body, IdempotencyKey, NoParams, Params};
use crate::proto::syncml::{StatusCode as SyncMlStatus, status_words};

/// An action on a device.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActionDocument {
    /// Identifier.
    id: String,
    /// The hardware.
    device_id: String,
    /// The period of management whose queue it is in.
    enrollment_id: String,
    /// What it is.
    #[schema(example = "wipe")]
    r#type: &'static str,
    /// Its parameters, as they were asked for; without secrets and without what is long.
    #[serde(flatten)]
    #[schema(value_type = Object, example = json!({"variant": "keep_user_data"}))]
    parameters: Map<String, Value>,
    /// `queued`, `sent`, `succeeded`, `failed`, `unsupported`, `expired`, `cancelled` or `unknown`.
    state: &'static str,
    /// Where it stands, in words.
    detail: String,
    /// The OMA-DM status that decided.
    status: Option<u16>,
    /// That status in words.
    status_text: Option<&'static str>,
    /// The HRESULT beside it.
    hresult: Option<String>,
    /// Why, in the words of who asked.
    reason: Option<String>,
    /// When it was asked for.
    #[schema(format = DateTime)]
    created_at: String,
    /// Who asked.
    created_by: String,
    /// When it is given up if the device does not come.
    #[schema(format = DateTime)]
    expires_at: String,
    /// When it reached a final state.
    #[schema(format = DateTime)]
    finished_at: Option<String>,
    /// How often it was put into a message.
    offers: u32,
    /// When the device accepted it, where it works on it since and is asked how far it is.
    #[schema(format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted_at: Option<String>,
    /// What it brought; where one action is shown whose type brings something.
    #[schema(value_type = Option<Object>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Value>,
    /// True where nothing was queued because `dry_run` was asked.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
}

impl ActionDocument {
    fn of(command: QueuedCommand) -> Self {
        Self {
            id: command.id.to_string(),
            device_id: command.device_id.to_string(),
            enrollment_id: command.enrollment_id.to_string(),
            r#type: command.action.name(),
            parameters: command.action.shown(),
            state: command.state.as_str(),
            detail: command.detail,
            status: command.status,
            status_text: command.status.map(|code| status_words(SyncMlStatus(code))),
            hresult: command.hresult,
            reason: command.reason,
            created_at: stamp(command.created_at),
            created_by: command.created_by,
            expires_at: stamp(command.expires_at),
            finished_at: command.finished_at.map(stamp),
            offers: command.offers,
            accepted_at: command.followed.map(|followed| stamp(followed.since)),
            result: None,
            dry_run: false,
        }
    }
}

/// Which actions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct QueueQuery {
    /// Of one device.
    device: Option<String>,
    /// In one state.
    state: Option<String>,
    /// Most items, 1 to 500; default 50.
    limit: Option<u32>,
    /// `next_cursor` of the part before.
    cursor: Option<String>,
}

impl QueueQuery {
    /// Actions or raw commands that it selects.
    pub(super) async fn select(&self, app: &App, raw: bool) -> Result<Listed<QueuedCommand>, Problem> {
        let page = page(self.limit, self.cursor.as_deref())?;
        let state = word("state", self.state.as_deref(), CommandState::parse)?;
        let device = match named(app, Table::Devices, "device", self.device.as_deref()).await? {
            Some(Named::Nothing) => return Ok(Listed { items: Vec::new(), next: None }),
            Some(Named::One(id)) => Some(id),
            None => None,
        };
        Ok(app.commands(&CommandFilter { device, raw: Some(raw), state }, &page).await?)
    }
}

/// Asks an action of a device. It is queued, and delivered when the device calls next.
#[utoipa::path(post, path = "/api/v1/devices/{id}/actions", tag = "actions", request_body = RequestAction,
    params(("id" = String, Path), DryRunQuery,
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repetition harmless")),
    responses((status = 202, body = ActionDocument), (status = 200, description = "The answer to a dry run",
        body = ActionDocument)))]
pub async fn request(
    State(app): State<App>,
    By(by): By,
    Path(id): Path<String>,
    Params(query): Params<DryRunQuery>,
    key: IdempotencyKey,
    Body(body): Body<Map<String, Value>>,
) -> Result<Response, Problem> {
    let device = app.resolve(Table::Devices, "device", &id).await?;
    let request = RequestAction::read(body)?;
    let dry_run = query.is_dry();
    let command = app.request_action(&by, device, request, key.as_deref(), dry_run).await?;
    let document = ActionDocument { dry_run, ..ActionDocument::of(command) };
    if dry_run {
        return Ok(Json(document).into_response());
    }
    Ok((StatusCode::ACCEPTED, [location("actions", &document.id)], Json(document)).into_response())
}

/// Lists actions, newest first.
#[utoipa::path(get, path = "/api/v1/actions", tag = "actions", params(QueueQuery),
    responses((status = 200, body = List<ActionDocument>)))]
pub async fn list(
    State(app): State<App>,
    Params(query): Params<QueueQuery>,
) -> Result<Json<List<ActionDocument>>, Problem> {
    Ok(Json(List::of(query.select(&app, false).await?, ActionDocument::of)))
}

/// Shows an action.
#[utoipa::path(get, path = "/api/v1/actions/{id}", tag = "actions", params(("id" = String, Path)),
    responses((status = 200, body = ActionDocument)))]
pub async fn show(State(app): State<App>, Path(id): Path<String>) -> Result<Json<ActionDocument>, Problem> {
    let action = find(&app, &id).await?;
    let result = app.result(&action).await?;
    Ok(Json(ActionDocument { result, ..ActionDocument::of(action) }))
}

/// Withdraws an action that waits, or that was sent without an answer: it is not offered again. While an answer is awaited
/// this is a conflict.
#[utoipa::path(delete, path = "/api/v1/actions/{id}", tag = "actions", params(("id" = String, Path)),
    responses((status = 200, body = ActionDocument)))]
pub async fn cancel(
    State(app): State<App>,
    By(by): By,
    Path(id): Path<String>,
    NoParams: NoParams,
) -> Result<Json<ActionDocument>, Problem> {
    let action = find(&app, &id).await?;
    Ok(Json(ActionDocument::of(app.cancel_command(&by, action.id).await?)))
}

/// A secret that an action brought.
#[derive(Debug, Serialize, ToSchema)]
pub struct RevealedDocument {
    /// Identifier of the action.
    id: String,
    /// The new PIN.
    new_pin: String,
}

/// Shows the new PIN of a passcode reset, once.
#[utoipa::path(post, path = "/api/v1/actions/{id}/reveal", tag = "actions", params(("id" = String, Path)),
    responses((status = 200, body = RevealedDocument)))]
pub async fn reveal(
    State(app): State<App>,
    By(by): By,
    Path(id): Path<String>,
    NoParams: NoParams,
) -> Result<Json<RevealedDocument>, Problem> {
    let action = find(&app, &id).await?;
    let new_pin = app.reveal(&by, action.id).await?;
    Ok(Json(RevealedDocument { id: action.id.to_string(), new_pin }))
}

/// An action by its id; raw commands are no actions.
async fn find(app: &App, text: &str) -> Result<QueuedCommand, Problem> {
    let id: Id<QueuedCommand> = app.resolve(Table::Commands, "action", text).await?;
    match app.command(id).await {
        Ok(command) if command.action != Action::Raw => Ok(command),
        Ok(_) | Err(Error::NotFound(_)) => Err(Error::NotFound("action").into()),
        Err(error) => Err(error.into()),
    }
}
