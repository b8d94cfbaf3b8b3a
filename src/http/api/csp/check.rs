//! `POST /csp/check`.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{EditionWord, build};
use crate::app::csp::CspCheck;
use crate::app::ports::Table;
use crate::app::{App, Error};
use crate::domain::csp::{NodeOverride, Remark, Verdict};
use crate::http::error::Problem;
use crate::http::extract::{NoParams, expect_media_type, from_json, from_json_list, read_body};
use crate::proto::csp::catalogue::Access;
use crate::proto::syncml::Verb;

/// A command on a node.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckRequest {
    /// The address, as it would be sent.
    #[schema(example = "./Device/Vendor/MSFT/Policy/Config/DeviceLock/MinDevicePasswordLength")]
    uri: String,
    /// `Add`, `Delete`, `Exec`, `Get`, `Replace` or `Copy`.
    #[schema(example = "Replace")]
    op: String,
    /// The format of the value; without one the format is not judged.
    #[schema(example = "int")]
    format: Option<String>,
    /// The value; without one it is not judged.
    #[schema(value_type = Option<String>, example = "8")]
    value: Option<Value>,
    /// The build of the device, such as `10.0.22621.3374`; without one it is not judged.
    os_build: Option<String>,
    /// The edition of the device; likewise.
    #[schema(value_type = Option<String>, example = "0x30")]
    edition: Option<EditionWord>,
    /// A device: its build and edition count where none is given, and what it has shown.
    device: Option<String>,
    /// Worked cases carry their answer; it is passed over.
    #[serde(default, rename = "expected")]
    #[schema(ignore)]
    _expected: Passed,
    #[serde(default, rename = "error_kind")]
    #[schema(ignore)]
    _error_kind: Passed,
    #[serde(default, rename = "why")]
    #[schema(ignore)]
    _why: Passed,
}

/// Something that is read and not looked at.
type Passed = serde::de::IgnoredAny;

/// Several commands, each judged by itself.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChecksRequest {
    /// The commands, at most 1,000.
    checks: Vec<CheckRequest>,
}

/// The answer to a command.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckDocument {
    /// Whether nothing stands against it.
    ok: bool,
    /// What stands against it: `unknown_node`, `dynamic_name_bad`, `op_not_allowed`, `not_applicable_os`,
    /// `not_applicable_edition`, `wrong_format`, `value_not_in_enum`, `bad_flag`, `value_out_of_range`, `regex_mismatch`,
    /// or `refused_by_override`.
    error_kind: Option<&'static str>,
    /// What is wrong and what would be right.
    message: Option<String>,
    /// What should be known all the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<CheckWarning>,
    /// Of an unknown node: addresses that may be meant, best first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    suggestions: Vec<String>,
    /// The decision of an administrator that counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    r#override: Option<DecidedBy>,
}

/// What should be known of a command.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckWarning {
    /// `depends`, `atomic`, `deprecated`, `hololens`, `unjudged`, `shown`, `refused_before` or `override`.
    kind: &'static str,
    /// In words.
    message: String,
}

/// The decision that counted.
#[derive(Debug, Serialize, ToSchema)]
pub struct DecidedBy {
    /// Identifier.
    id: String,
    /// `allow`, `refuse` or `values`.
    ruling: &'static str,
    /// Why.
    reason: String,
}

/// Answers to several commands, in order.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChecksDocument {
    /// The answers.
    results: Vec<CheckDocument>,
    /// How many have something against them.
    refused: usize,
}

impl CheckDocument {
    pub(crate) fn of(verdict: Verdict) -> Self {
        let Verdict { objection, remarks, decided_by } = verdict;
        let (error_kind, message, suggestions) = match objection {
            Some(objection) => (Some(objection.kind), Some(objection.message), objection.suggestions),
            None => (None, None, Vec::new()),
        };
        let warnings = remarks.into_iter().map(CheckWarning::from).collect();
        let r#override = decided_by.map(DecidedBy::from);
        Self { ok: error_kind.is_none(), error_kind, message, warnings, suggestions, r#override }
    }
}

impl From<Remark> for CheckWarning {
    fn from(remark: Remark) -> Self {
        Self { kind: remark.kind, message: remark.message }
    }
}

impl From<NodeOverride> for DecidedBy {
    fn from(decided: NodeOverride) -> Self {
        Self { id: decided.id.to_string(), ruling: decided.ruling.name(), reason: decided.reason }
    }
}

/// Most commands of one request.
const MOST_CHECKS: usize = 1000;

/// Judges a command on a node: for a build and an edition of Windows, or for a device. Several at once as `checks`, or as an
/// array; the answer then has `results` in the same order. Nothing is sent.
#[utoipa::path(post, path = "/api/v1/csp/check", tag = "csp", request_body = CheckRequest,
    responses((status = 200, body = CheckDocument)))]
pub async fn check(State(app): State<App>, NoParams: NoParams, request: Request) -> Result<Response, Problem> {
    expect_media_type(request.headers(), &["application/json"])?;
    let bytes = read_body(request).await?;
    let (list, pointer): (Vec<CheckRequest>, _) = match first_byte(&bytes) {
        Some(b'[') => (from_json_list(&bytes)?, ""),
        _ if holds_checks(&bytes) => (from_json::<ChecksRequest>(&bytes)?.checks, "/checks"),
        _ => {
            let check = from_json::<CheckRequest>(&bytes)?.read(&app, "").await?;
            let verdict = app.check_nodes(&[check]).await?.pop();
            return Ok(Json(verdict.map(CheckDocument::of)).into_response());
        }
    };
    if list.len() > MOST_CHECKS {
        return Err(Problem::invalid(pointer, format!("has more than {MOST_CHECKS} commands")));
    }
    let mut checks = Vec::with_capacity(list.len());
    for (index, check) in list.iter().enumerate() {
        checks.push(check.read(&app, &format!("{pointer}/{index}")).await?);
    }
    let results: Vec<CheckDocument> = app.check_nodes(&checks).await?.into_iter().map(CheckDocument::of).collect();
    let refused = results.iter().filter(|result| !result.ok).count();
    Ok(Json(ChecksDocument { results, refused }).into_response())
}

impl CheckRequest {
    async fn read(&self, app: &App, pointer: &str) -> Result<CspCheck, Problem> {
        let at = |field: &str| format!("{pointer}/{field}");
        let verb = Verb::from_name(&self.op).filter(|verb| Access::VERBS.contains(verb));
        let verb = verb.ok_or_else(|| Problem::invalid(&at("op"), "is Add, Delete, Exec, Get, Replace or Copy"))?;
        let device = match self.device.as_deref().filter(|id| !id.is_empty()) {
            Some(id) => match app.resolve(Table::Devices, "device", id).await {
                Err(Error::NotFound(_)) => return Err(Problem::invalid(&at("device"), "there is no such device")),
                found => Some(found?),
            },
            None => None,
        };
        Ok(CspCheck {
            uri: self.uri.clone(),
            verb,
            format: self.format.clone(),
            value: self.value.as_ref().map(|value| text(value, &at("value"))).transpose()?.flatten(),
            build: self.os_build.as_deref().map(|text| build(text, &at("os_build"))).transpose()?,
            edition: self.edition.as_ref().map(|word| word.read(&at("edition"))).transpose()?,
            device,
        })
    }
}

/// A value as it would be sent.
fn text(value: &Value, pointer: &str) -> Result<Option<String>, Problem> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        Value::Number(number) => Ok(Some(number.to_string())),
        Value::Bool(flag) => Ok(Some(flag.to_string())),
        Value::Array(_) | Value::Object(_) => Err(Problem::invalid(pointer, "is text, a number, true or false")),
    }
}

fn first_byte(bytes: &[u8]) -> Option<u8> {
    bytes.iter().find(|byte| !byte.is_ascii_whitespace()).copied()
}

/// Whether an object has the field `checks`.
fn holds_checks(bytes: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Probe {
        checks: Option<Passed>,
    }
    serde_json::from_slice::<Probe>(bytes).is_ok_and(|probe| probe.checks.is_some())
}
