//! `/commands`: SyncML commands as administrators write them, and what devices said to each.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::actions::QueueQuery;
use super::period::Period;
use super::{List, location, stamp};
use crate::app::ports::Table;
use crate::app::redact::Rules;
use crate::app::{App, Error, NodeRemark, RunCommands};
use crate::domain::Id;
use crate::domain::action::describe_hresult;
use crate::domain::command::{ItemState, QueuedCommand};
use crate::domain::decoded::{Decoded, decode};
use crate::http::auth::By;
use crate::http::error::Problem;
use crate::http::extract::{IdempotencyKey, NoParams, Params, expect_media_type, read_body_within};
use crate::proto::syncml::{Command, Item, MEDIA_TYPE, StatusCode as SyncMlStatus, split_children, status_words};

/// Bytes of large values that the document of one command holds.
const MOST_SHOWN: u64 = 16 * 1024 * 1024;

/// Commands that travel together, and what the device said to them.
#[derive(Debug, Serialize, ToSchema)]
pub struct CommandDocument {
    /// Identifier.
    id: String,
    /// The hardware.
    device_id: String,
    /// The period of management whose queue it is in.
    enrollment_id: String,
    /// `raw`, or the type of the action that they belong to.
    r#type: &'static str,
    /// `queued`, `sent`, `succeeded`, `failed`, `unsupported`, `expired`, `cancelled` or `unknown`.
    state: &'static str,
    /// Where it stands, in words.
    detail: String,
    /// The OMA-DM status that decided.
    status: Option<u16>,
    /// Each Item of each command, each try of it, in the order in which they are sent.
    items: Vec<ItemDocument>,
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
    /// How often the commands that are its turn now were put into a message.
    offers: u32,
    /// True where nothing was queued because `dry_run` was asked.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
    /// Of commands that were just taken: what should be known of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<WarningDocument>,
}

/// What should be known of a command.
#[derive(Debug, Serialize, ToSchema)]
pub struct WarningDocument {
    /// Where the command stands.
    #[schema(example = "Replace[1]/Item[1]")]
    pointer: String,
    /// What it is about, for programs.
    #[schema(example = "depends")]
    kind: &'static str,
    /// In words.
    message: String,
}

impl From<NodeRemark> for WarningDocument {
    fn from(remark: NodeRemark) -> Self {
        Self { pointer: remark.pointer, kind: remark.kind, message: remark.message }
    }
}

/// One Item of one command.
#[derive(Debug, Serialize, ToSchema)]
pub struct ItemDocument {
    /// `Add`, `Replace`, `Delete`, `Get`, `Exec`, `Atomic` or `Sequence`.
    cmd: String,
    /// The node; null for Atomic and Sequence.
    loc_uri: Option<String>,
    /// The OMA-DM status; null until the device answered.
    status: Option<u16>,
    /// That status in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    status_text: Option<&'static str>,
    /// The HRESULT beside it.
    hresult: Option<String>,
    /// That HRESULT with its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// What a Get brought; never the value of a node that holds a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    /// Where that is too large to stand here: its length in bytes. The document of one command has it in `data` all the
    /// same, as far as all such values of it have no more than 16 MiB together; lists leave it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    /// Where that can be read by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    data_url: Option<String>,
    /// Its format.
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<String>,
    /// Of an interior node: the names of its children.
    #[serde(skip_serializing_if = "Option::is_none")]
    children: Option<Vec<String>>,
    /// What the value says, read by its format: a number, true or false, an error code with its name, the names of the
    /// children, how many bytes it is and their text, the root of an XML document. Missing where it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    decoded: Option<Decoded>,
    /// True where its status asked for another way to the same end, which was tried in the same session and stands
    /// further on: a Replace of what exists already, an Add of what is missing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    superseded: bool,
}

impl CommandDocument {
    fn of(command: QueuedCommand, rules: &Rules) -> Self {
        let later = command.rest.iter().flat_map(Command::walk);
        let waits: Vec<ItemDocument> =
            later.flat_map(|each| each.items.iter().map(|item| waiting(each, item))).collect();
        Self {
            id: command.id.to_string(),
            device_id: command.device_id.to_string(),
            enrollment_id: command.enrollment_id.to_string(),
            r#type: command.action.name(),
            state: command.state.as_str(),
            detail: command.detail,
            status: command.status,
            items: command
                .items
                .into_iter()
                .zip(1..)
                .map(|(item, number)| of(command.id, number, item, rules))
                .chain(waits)
                .collect(),
            created_at: stamp(command.created_at),
            created_by: command.created_by,
            expires_at: stamp(command.expires_at),
            finished_at: command.finished_at.map(stamp),
            offers: command.offers,
            dry_run: false,
            warnings: Vec::new(),
        }
    }
}

/// An Item that knows where its value can be read.
fn of(command: Id<QueuedCommand>, number: usize, item: ItemState, rules: &Rules) -> ItemDocument {
    let data_url = item.object.as_ref().map(|_| format!("/api/v1/commands/{command}/items/{number}/data"));
    let document = ItemDocument::of(item, rules);
    ItemDocument { data_url: data_url.filter(|_| document.size.is_some()), ..document }
}

impl ItemDocument {
    fn of(item: ItemState, rules: &Rules) -> Self {
        let uri = item.uri();
        let shows = !uri.as_ref().is_some_and(|uri| rules.is_secret(uri));
        let is_node = item.format.as_deref() == Some("node");
        let shown = item.data.as_deref().filter(|_| shows);
        Self {
            children: shown.filter(|_| is_node).map(split_children),
            decoded: uri.zip(shown).and_then(|(uri, data)| decode(&uri, item.format.as_deref(), data)),
            status_text: item.status.map(|code| status_words(SyncMlStatus(code))),
            error: item.hresult.as_deref().map(describe_hresult),
            cmd: item.cmd,
            loc_uri: item.loc_uri,
            status: item.status,
            hresult: item.hresult,
            data: item.data.filter(|_| shows),
            size: item.object.map(|object| object.bytes).filter(|_| shows),
            data_url: None,
            format: item.format.filter(|_| shows),
            superseded: item.superseded,
        }
    }
}

/// An Item that waits for its turn.
fn waiting(command: &Command, item: &Item) -> ItemDocument {
    ItemDocument {
        cmd: command.verb.name().to_owned(),
        loc_uri: item.target.as_ref().map(ToString::to_string),
        status: None,
        status_text: None,
        hresult: None,
        error: None,
        data: None,
        size: None,
        data_url: None,
        format: None,
        children: None,
        decoded: None,
        superseded: false,
    }
}

/// How to take the commands.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RunQuery {
    /// Only say what would happen.
    dry_run: Option<bool>,
    /// Take also commands that the catalogue of settings refuses; the audit trail tells of it.
    unchecked: Option<bool>,
    /// How long they wait for the device; default 30 days.
    expires_in: Option<Period>,
}

/// Queues SyncML commands for a device: one or more of Add, Replace, Delete, Get, Exec, Atomic and Sequence.
#[utoipa::path(post, path = "/api/v1/devices/{id}/commands", tag = "commands",
    request_body(content_type = "application/vnd.syncml.dm+xml", content = String),
    params(("id" = String, Path), RunQuery,
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repetition harmless")),
    responses((status = 202, body = CommandDocument), (status = 200, description = "The answer to a dry run",
        body = CommandDocument)))]
pub async fn run(
    State(app): State<App>,
    By(by): By,
    Path(id): Path<String>,
    Params(query): Params<RunQuery>,
    key: IdempotencyKey,
    request: Request,
) -> Result<Response, Problem> {
    expect_media_type(request.headers(), &[MEDIA_TYPE, "application/xml", "text/xml"])?;
    let body = read_body_within(request, app.largest_commands()).await?;
    let device = app.resolve(Table::Devices, "device", &id).await?;
    let dry_run = query.dry_run.unwrap_or(false);
    let commands = RunCommands {
        body: &body,
        expires_in: query.expires_in.map(|period| period.0),
        key: key.as_deref(),
        dry_run,
        unchecked: query.unchecked.unwrap_or(false),
    };
    let (command, remarks) = app.run_commands(&by, device, commands).await?;
    let warnings = remarks.into_iter().map(WarningDocument::from).collect();
    let document = CommandDocument { dry_run, warnings, ..CommandDocument::of(command, &app.redaction()) };
    if dry_run {
        return Ok(Json(document).into_response());
    }
    Ok((StatusCode::ACCEPTED, [location("commands", &document.id)], Json(document)).into_response())
}

/// Lists raw commands, newest first.
#[utoipa::path(get, path = "/api/v1/commands", tag = "commands", params(QueueQuery),
    responses((status = 200, body = List<CommandDocument>)))]
pub async fn list(
    State(app): State<App>,
    Params(query): Params<QueueQuery>,
) -> Result<Json<List<CommandDocument>>, Problem> {
    let rules = app.redaction();
    Ok(Json(List::of(query.select(&app, true).await?, |command| CommandDocument::of(command, &rules))))
}

/// Shows commands: raw ones, or those of an action.
#[utoipa::path(get, path = "/api/v1/commands/{id}", tag = "commands", params(("id" = String, Path)),
    responses((status = 200, body = CommandDocument)))]
pub async fn show(State(app): State<App>, Path(id): Path<String>) -> Result<Json<CommandDocument>, Problem> {
    let id = app.resolve(Table::Commands, "command", &id).await?;
    let command = app.command(id).await?;
    let values = app.large_values(&command, MOST_SHOWN).await?;
    let mut document = CommandDocument::of(command, &app.redaction());
    for (place, text) in values {
        if let Some(item) = document.items.get_mut(place).filter(|item| item.size.is_some()) {
            item.data = Some(text);
        }
    }
    Ok(Json(document))
}

/// The value of one Item, as the device sent it; for those that are too large for the document of their command.
#[utoipa::path(get, path = "/api/v1/commands/{id}/items/{number}/data", tag = "commands",
    params(("id" = String, Path), ("number" = usize, Path, description = "Place of the Item, from 1")),
    responses((status = 200, content_type = "text/plain", body = String)))]
pub async fn data(State(app): State<App>, Path((id, number)): Path<(String, usize)>) -> Result<Response, Problem> {
    let id = app.resolve(Table::Commands, "command", &id).await?;
    let command = app.command(id).await?;
    let item = number.checked_sub(1).and_then(|place| command.items.get(place));
    let item = item.filter(|item| !item.uri().is_some_and(|uri| app.redaction().is_secret(&uri)));
    let text = app.item_value(item.ok_or(Error::NotFound("item"))?).await?.ok_or(Error::NotFound("value"))?;
    let headers = [
        (CONTENT_TYPE, "text/plain; charset=utf-8"),
        (CONTENT_DISPOSITION, "attachment"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, text).into_response())
}

/// Withdraws commands that wait, or that were sent without an answer: they are not offered again. While an answer is
/// awaited this is a conflict.
#[utoipa::path(delete, path = "/api/v1/commands/{id}", tag = "commands", params(("id" = String, Path)),
    responses((status = 200, body = CommandDocument)))]
pub async fn cancel(
    State(app): State<App>,
    By(by): By,
    Path(id): Path<String>,
    NoParams: NoParams,
) -> Result<Json<CommandDocument>, Problem> {
    let id = app.resolve(Table::Commands, "command", &id).await?;
    Ok(Json(CommandDocument::of(app.cancel_command(&by, id).await?, &app.redaction())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::syncml::LocUri;

    #[test]
    fn secrets_are_known_by_the_name_of_their_node() {
        for uri in [
            "./Device/Vendor/MSFT/RemoteLock/NewPINValue",
            "./vendor/msft/remotelock/newpinvalue",
            "./Vendor/MSFT/ClientCertificateInstall/PFXCertInstall/x/PFXCertPassword",
        ] {
            assert!(Rules::default().is_secret(&LocUri::received(uri)), "{uri}");
        }
        assert!(!Rules::default().is_secret(&LocUri::received("./DevDetail/SwV")));
        assert!(!Rules::default().is_secret(&LocUri::received("./Vendor/MSFT/Policy/Config/Password/MinLength")));
        let item = ItemState {
            step: 0,
            cmd_id: "1".to_owned(),
            cmd: "Get".to_owned(),
            loc_uri: Some("./Device/Vendor/MSFT/RemoteLock/NewPINValue".to_owned()),
            status: Some(200),
            data: Some("482910".to_owned()),
            format: Some("chr".to_owned()),
            ..ItemState::default()
        };
        let shown = serde_json::to_string(&ItemDocument::of(item, &Rules::default())).unwrap();
        assert!(!shown.contains("482910"), "{shown}");
    }
}
