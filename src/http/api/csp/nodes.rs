//! `GET /csp/nodes` and `GET /csp/node`.

use axum::Json;
use axum::extract::State;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::EditionDocument;
use super::overrides::OverrideDocument;
use crate::app::App;
use crate::app::csp::NodeDetail;
use crate::domain::csp::{CspList, NodeAnswer};
use crate::http::api::{List, limit, stamp};
use crate::http::error::Problem;
use crate::http::extract::Params;
use crate::proto::csp::catalogue::{Build, Editions, Record};

/// What is known of a node; dynamic segments stand in braces.
#[derive(Debug, Serialize, ToSchema)]
pub struct NodeRecord {
    /// The full path.
    #[schema(example = "./Device/Vendor/MSFT/Policy/Config/DeviceLock/MinDevicePasswordLength")]
    path: String,
    /// The configuration service provider.
    csp: String,
    /// `device` or `user`.
    scope: Value,
    /// The policy area.
    area: Option<String>,
    /// Commands that it takes.
    #[schema(value_type = Vec<String>)]
    access: Value,
    /// Format of its value; `node`: it holds others.
    format: &'static str,
    /// `One`, `ZeroOrOne`, `ZeroOrMore`, `OneOrMore`, `ZeroOrN` or `OneOrN`.
    occurrence: Value,
    /// `Permanent` or `Dynamic`.
    lifetime: Value,
    /// The value without any setting.
    default: Option<String>,
    /// First builds; none: no limit is known.
    first_builds: Vec<String>,
    /// Version of the CSP that brought it.
    csp_version: Option<String>,
    /// Editions that have it; null: no limit is known, none: no edition has it.
    editions: Option<Vec<EditionDocument>>,
    /// What it takes: `kind`, and by kind `values`, `mask`, `min` and `max`, `pattern`, ...
    #[schema(value_type = Object)]
    allowed: Value,
    /// The same in words.
    allowed_text: Option<String>,
    /// How names come about, where the last segment stands for many.
    #[schema(value_type = Object)]
    dynamic: Value,
    /// `true`, or the build since which it is deprecated.
    #[schema(value_type = Object)]
    deprecated: Value,
    /// `Automatic` or `ServerInitiated`: a change takes a restart.
    reboot: Option<String>,
    /// Whether the node and all below it belong in one Atomic.
    atomic: bool,
    /// Which value wins where several are set.
    conflict: Option<String>,
    /// The group policy with the same effect.
    #[schema(value_type = Object)]
    group_policy: Value,
    /// What must hold for it to work.
    #[schema(value_type = Vec<Object>)]
    depends: Value,
    /// The older collection that it is known from, where the newest lacks it.
    source: Option<String>,
}

impl NodeRecord {
    fn of(record: &Record) -> Self {
        let text = |text: &Option<crate::proto::csp::catalogue::Text>| text.as_ref().map(ToString::to_string);
        Self {
            path: record.path.to_string(),
            csp: record.csp.to_string(),
            scope: json(&record.scope),
            area: text(&record.area),
            access: json(&record.access),
            format: record.format.name(),
            occurrence: json(&record.occurrence),
            lifetime: json(&record.lifetime),
            default: text(&record.default),
            first_builds: record.os.iter().map(ToString::to_string).collect(),
            csp_version: text(&record.csp_version),
            editions: record.editions.as_ref().map(editions),
            allowed: json(&record.allowed),
            allowed_text: record.allowed.as_ref().map(|allowed| allowed.to_string()),
            dynamic: json(&record.dynamic),
            deprecated: json(&record.deprecated),
            reboot: text(&record.reboot),
            atomic: record.atomic,
            conflict: text(&record.conflict),
            group_policy: json(&record.gp),
            depends: json(&record.depends),
            source: text(&record.source),
        }
    }
}

fn json(part: &impl Serialize) -> Value {
    serde_json::to_value(part).unwrap_or_default()
}

fn editions(set: &Editions) -> Vec<EditionDocument> {
    set.as_slice().iter().map(|edition| EditionDocument::of(*edition)).collect()
}

/// Which nodes.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct NodeQuery {
    /// Words that the path holds, without regard to case; or an exact address.
    query: Option<String>,
    /// Most items, 1 to 500; default 50.
    limit: Option<u32>,
    /// `next_cursor` of the part before.
    cursor: Option<String>,
}

/// Searches the catalogue: nodes whose path holds all words, those first whose own name fits best. An exact address finds its
/// node alone.
#[utoipa::path(get, path = "/api/v1/csp/nodes", tag = "csp", params(NodeQuery),
    responses((status = 200, body = List<NodeRecord>)))]
pub async fn search(
    State(app): State<App>,
    Params(query): Params<NodeQuery>,
) -> Result<Json<List<NodeRecord>>, Problem> {
    let limit = limit(query.limit)? as usize;
    let after = query.cursor.as_deref().filter(|text| !text.is_empty()).map(place).transpose()?;
    let words = query.query.unwrap_or_default();
    let known = app.csp().await?;
    if let Some(found) = known.catalogue.find(words.trim()) {
        return Ok(Json(List { items: vec![NodeRecord::of(found.record())], next_cursor: None }));
    }
    let after = after.as_ref().map(|(rank, path)| (*rank, path.as_str()));
    let mut found = known.catalogue.search(&words, after, limit + 1);
    let has_more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| has_more);
    let next_cursor = last.map(|last| BASE64_URL_SAFE_NO_PAD.encode(format!("{} {}", last.rank, last.record.path)));
    let items = found.iter().map(|found| NodeRecord::of(found.record)).collect();
    Ok(Json(List { items, next_cursor }))
}

/// Where the part before ended: rank and path.
fn place(cursor: &str) -> Result<(u32, String), Problem> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let parts = text.as_deref().and_then(|text| text.split_once(' '));
    parts
        .and_then(|(rank, path)| Some((rank.parse().ok()?, path.to_owned())))
        .ok_or_else(|| Problem::query("cursor is none that this server gave out"))
}

/// Which node.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UriQuery {
    /// Its address.
    uri: String,
}

/// Everything that is known of a node.
#[derive(Debug, Serialize, ToSchema)]
pub struct NodeDetailDocument {
    /// What it is.
    #[serde(flatten)]
    record: NodeRecord,
    /// The names in the address that stand for dynamic segments.
    names: Vec<String>,
    /// The node with which it belongs in one Atomic.
    atomic_root: Option<String>,
    /// The nodes below.
    children: Vec<String>,
    /// How devices answered.
    answers: Vec<AnswerDocument>,
    /// Versions of its CSP that devices reported.
    csp_versions: Vec<CspVersionDocument>,
    /// What administrators decided about it.
    overrides: Vec<OverrideDocument>,
    /// What stands against it on HoloLens 2, by Microsoft's lists.
    hololens: Option<String>,
}

/// How devices of a build and an edition answered a command on a node.
#[derive(Debug, Serialize, ToSchema)]
pub struct AnswerDocument {
    /// The build.
    #[schema(example = 22631)]
    build: u32,
    /// The edition.
    edition: EditionDocument,
    /// The command.
    op: &'static str,
    /// `works`, `absent` or `not_allowed`.
    sign: Option<&'static str>,
    /// The status; 200 stands for all that tell that it works.
    status: u16,
    /// How often.
    answers: u64,
    /// The lowest and the highest revision of the build that answered so.
    #[schema(example = "4037")]
    first_revision: u32,
    /// See above.
    last_revision: u32,
    /// When last.
    #[schema(format = DateTime)]
    last_at: String,
}

/// The version of a CSP on a build and an edition.
#[derive(Debug, Serialize, ToSchema)]
pub struct CspVersionDocument {
    /// The build, with the revision of the device that told it last.
    build: String,
    /// The edition.
    edition: EditionDocument,
    /// The version; null: devices of it listed their CSPs, and this one is not among them.
    version: Option<String>,
    /// When.
    #[schema(format = DateTime)]
    last_at: String,
}

impl From<NodeAnswer> for AnswerDocument {
    fn from(answer: NodeAnswer) -> Self {
        Self {
            build: answer.build,
            edition: EditionDocument::of(answer.edition),
            op: answer.verb.name(),
            sign: answer.sign().map(|sign| sign.name()),
            status: answer.status,
            answers: answer.answers,
            first_revision: answer.first_revision,
            last_revision: answer.last_revision,
            last_at: stamp(answer.last_at),
        }
    }
}

impl CspVersionDocument {
    fn of(list: &CspList, path: &str) -> Self {
        let build = Build { build: list.build, revision: Some(list.revision) };
        Self {
            build: build.to_string(),
            edition: EditionDocument::of(list.edition),
            version: list.version_of(path).map(str::to_owned),
            last_at: stamp(list.last_at),
        }
    }
}

impl From<NodeDetail> for NodeDetailDocument {
    fn from(detail: NodeDetail) -> Self {
        let path = detail.record.path.to_string();
        Self {
            record: NodeRecord::of(&detail.record),
            names: detail.names,
            atomic_root: detail.atomic_root,
            children: detail.children,
            answers: detail.answers.into_iter().map(AnswerDocument::from).collect(),
            csp_versions: detail.csp_lists.iter().map(|list| CspVersionDocument::of(list, &path)).collect(),
            overrides: detail.overrides.into_iter().map(OverrideDocument::from).collect(),
            hololens: detail.hololens,
        }
    }
}

/// Shows everything that is known of a node: its description, how devices answered, what administrators decided. An unknown
/// one is a 404 with `suggestions`.
#[utoipa::path(get, path = "/api/v1/csp/node", tag = "csp", params(UriQuery),
    responses((status = 200, body = NodeDetailDocument)))]
pub async fn show(
    State(app): State<App>,
    Params(query): Params<UriQuery>,
) -> Result<Json<NodeDetailDocument>, Problem> {
    Ok(Json(app.node(&query.uri).await?.into()))
}
