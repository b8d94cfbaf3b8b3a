//! `/actions`: what is asked of devices, and what became of it.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::period::Period;
use super::{DryRunQuery, List, Named, location, named, page, stamp, word};
use crate::app::actions::ActionRequest;
use crate::app::ports::{CommandFilter, Listed, Table};
use crate::app::{App, Error};
use crate::domain::Id;
use crate::domain::action::{Action, Rename, ResetMethod, ResetPasscode, TenantLockdown, Wipe};
use crate::domain::command::{CommandState, QueuedCommand};
use crate::http::auth::By;
use crate::http::error::Problem;
use crate::http::extract::{Body, IdempotencyKey, NoParams, Params};
use crate::proto::csp::remote_wipe::Variant;
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
    /// Of a wipe: what is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<Word>,
    /// Of a passcode reset: how.
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<Word>,
    /// Of TenantLockdown: on or off.
    #[serde(skip_serializing_if = "Option::is_none")]
    enable: Option<bool>,
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
    /// True where nothing was queued because `dry_run` was asked.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
}

/// A word of the API whose list stands in the request.
type Word = serde_json::Value;

impl ActionDocument {
    fn of(command: QueuedCommand) -> Self {
        let word = |value| serde_json::to_value(value).ok();
        let (variant, method, enable) = match &command.action {
            Action::Wipe(wipe) => (serde_json::to_value(wipe.variant).ok(), None, None),
            Action::ResetPasscode(reset) => (None, word(reset.method), None),
            Action::TenantLockdown(lockdown) => (None, None, Some(lockdown.enable)),
            _ => (None, None, None),
        };
        Self {
            id: command.id.to_string(),
            device_id: command.device_id.to_string(),
            enrollment_id: command.enrollment_id.to_string(),
            r#type: command.action.name(),
            variant,
            method,
            enable,
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
            dry_run: false,
        }
    }
}

/// An action to be asked of a device.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestAction {
    /// What.
    r#type: ActionWord,
    /// Of `wipe`: what is kept; default `wipe`: nothing.
    #[schema(value_type = Option<String>, example = "keep_user_data")]
    variant: Option<Variant>,
    /// Of `reset_passcode`: how; default `reset_pin`.
    #[schema(value_type = Option<String>, example = "laps")]
    method: Option<ResetMethod>,
    /// Of `tenant_lockdown`: on or off.
    enable: Option<bool>,
    /// Of `rename`: the new computer name, 1 to 15 characters; `%SERIAL%` and `%RAND:n%` are filled in by Windows.
    name: Option<String>,
    /// Why; kept in the audit trail.
    reason: Option<String>,
    /// How long it waits for the device; default 30 days, for `wipe` and `retire` 90.
    expires_in: Option<Period>,
}

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActionWord {
    /// Lock the screen.
    Lock,
    /// Undo a lock.
    Unlock,
    /// Leave management.
    Retire,
    /// Erase.
    Wipe,
    /// Set a new PIN or password.
    ResetPasscode,
    /// Restart.
    Reboot,
    /// Report back.
    Sync,
    /// Insist on the tenant's sign-in after a reset.
    TenantLockdown,
    /// Change the computer name.
    Rename,
}

impl RequestAction {
    fn action(&self) -> Result<Action, Problem> {
        let takes = |field: &str, is_given: bool, word: ActionWord, of: &str| match is_given && self.r#type != word {
            true => Err(Problem::invalid(&format!("/{field}"), format!("belongs to {of} only"))),
            false => Ok(()),
        };
        takes("variant", self.variant.is_some(), ActionWord::Wipe, "wipe")?;
        takes("method", self.method.is_some(), ActionWord::ResetPasscode, "reset_passcode")?;
        takes("enable", self.enable.is_some(), ActionWord::TenantLockdown, "tenant_lockdown")?;
        takes("name", self.name.is_some(), ActionWord::Rename, "rename")?;
        Ok(match self.r#type {
            ActionWord::Lock => Action::Lock,
            ActionWord::Unlock => Action::Unlock,
            ActionWord::Retire => Action::Retire,
            ActionWord::Wipe => Action::Wipe(Wipe { variant: self.variant.unwrap_or_default() }),
            ActionWord::ResetPasscode => {
                Action::ResetPasscode(ResetPasscode { method: self.method.unwrap_or_default() })
            }
            ActionWord::Reboot => Action::Reboot,
            ActionWord::Sync => Action::Sync,
            ActionWord::TenantLockdown => match self.enable {
                Some(enable) => Action::TenantLockdown(TenantLockdown { enable }),
                None => return Err(Problem::invalid("/enable", "say true or false")),
            },
            ActionWord::Rename => match self.name.as_deref().map(str::trim) {
                Some(name) => Action::Rename(Rename { name: name.to_owned() }),
                None => return Err(Problem::invalid("/name", "say the new name")),
            },
        })
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
    Body(body): Body<RequestAction>,
) -> Result<Response, Problem> {
    let device = app.resolve(Table::Devices, "device", &id).await?;
    let request = ActionRequest {
        action: body.action()?,
        reason: body.reason.clone(),
        expires_in: body.expires_in.map(|period| period.0),
    };
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
    Ok(Json(ActionDocument::of(find(&app, &id).await?)))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::extract::from_json;

    fn action(json: &str) -> Result<Action, String> {
        let read = from_json::<RequestAction>(json.as_bytes()).and_then(|body| body.action());
        read.map_err(|problem| format!("{problem:?}"))
    }

    #[test]
    fn bodies_become_actions() {
        let cases = [
            (r#"{"type":"lock"}"#, Action::Lock),
            (r#"{"type":"wipe"}"#, Action::Wipe(Wipe { variant: Variant::Wipe })),
            (r#"{"type":"wipe","variant":"keep_user_data"}"#, Action::Wipe(Wipe { variant: Variant::KeepUserData })),
            (
                r#"{"type":"reset_passcode","method":"laps"}"#,
                Action::ResetPasscode(ResetPasscode { method: ResetMethod::Laps }),
            ),
            (r#"{"type":"tenant_lockdown","enable":true}"#, Action::TenantLockdown(TenantLockdown { enable: true })),
            (r#"{"type":"sync","reason":"why","expires_in":"2d"}"#, Action::Sync),
        ];
        for (json, expected) in cases {
            assert_eq!(action(json), Ok(expected), "{json}");
        }
    }

    #[test]
    fn what_does_not_belong_is_named() {
        let cases = [
            (r#"{"type":"raw"}"#, "/type"),
            (r#"{"type":"format_disk"}"#, "/type"),
            (r#"{}"#, "/type"),
            (r#"{"type":"lock","variant":"wipe"}"#, "/variant"),
            (r#"{"type":"wipe","variant":"gently"}"#, "/variant"),
            (r#"{"type":"wipe","enable":true}"#, "/enable"),
            (r#"{"type":"tenant_lockdown"}"#, "/enable"),
            (r#"{"type":"lock","colour":"red"}"#, "/colour"),
            (r#"{"type":"lock","expires_in":"soon"}"#, "/expires_in"),
        ];
        for (json, pointer) in cases {
            let refused = action(json).unwrap_err();
            assert!(refused.contains(&format!("pointer: \"{pointer}\"")), "{json}: {refused}");
        }
    }
}
