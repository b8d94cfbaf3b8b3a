//! `/csp/overrides`: decisions of administrators about nodes.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{EditionDocument, EditionWord, build};
use crate::app::App;
use crate::app::csp::NewOverride;
use crate::app::ports::Table;
use crate::domain::csp::{NodeOverride, Ruling};
use crate::http::api::{List, page, stamp};
use crate::http::auth::By;
use crate::http::error::Problem;
use crate::http::extract::{Body, NoParams, Params};
use crate::proto::csp::catalogue::Allowed;

/// A decision about nodes.
#[derive(Debug, Serialize, ToSchema)]
pub struct OverrideDocument {
    /// Identifier.
    id: String,
    /// The node: a segment in braces stands for any one name, `*` at the end for every node below.
    path: String,
    /// The edition for which it holds; null: all.
    edition: Option<EditionDocument>,
    /// The build from which on it holds; null: all.
    from_build: Option<String>,
    /// `allow`, `refuse` or `values`.
    ruling: &'static str,
    /// Of `values`: what the node takes.
    #[schema(value_type = Object)]
    allowed: Option<Value>,
    /// Why.
    reason: String,
    /// Who decided.
    made_by: String,
    /// When.
    #[schema(format = DateTime)]
    made_at: String,
}

impl From<NodeOverride> for OverrideDocument {
    fn from(decided: NodeOverride) -> Self {
        let allowed = match &decided.ruling {
            Ruling::Values(allowed) => serde_json::to_value(allowed).ok(),
            Ruling::Allow | Ruling::Refuse => None,
        };
        Self {
            id: decided.id.to_string(),
            path: decided.path,
            edition: decided.edition.map(EditionDocument::of),
            from_build: decided.from_build.map(|build| build.to_string()),
            ruling: decided.ruling.name(),
            allowed,
            reason: decided.reason,
            made_by: decided.made_by,
            made_at: stamp(decided.made_at),
        }
    }
}

/// Which decisions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OverrideQuery {
    /// Most items, 1 to 500; default 50.
    limit: Option<u32>,
    /// `next_cursor` of the part before.
    cursor: Option<String>,
}

/// Lists decisions about nodes, newest first.
#[utoipa::path(get, path = "/api/v1/csp/overrides", tag = "csp", params(OverrideQuery),
    responses((status = 200, body = List<OverrideDocument>)))]
pub async fn list_overrides(
    State(app): State<App>,
    Params(query): Params<OverrideQuery>,
) -> Result<Json<List<OverrideDocument>>, Problem> {
    let page = page(query.limit, query.cursor.as_deref())?;
    Ok(Json(List::of(app.node_overrides(&page).await?, OverrideDocument::from)))
}

/// A decision to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DecideNode {
    /// The node: a segment in braces stands for any one name, `*` at the end for every node below.
    #[schema(example = "./Device/Vendor/MSFT/LanguagePackManagement/*")]
    path: String,
    /// For which edition; default: all.
    #[schema(value_type = Option<String>, example = "0x30")]
    edition: Option<EditionWord>,
    /// From which build on; default: all.
    #[schema(example = "10.0.22621.1344")]
    from_build: Option<String>,
    /// What counts.
    ruling: RulingWord,
    /// Of `values`: what the node takes, as the catalogue writes it, such as `{"kind": "Range", "min": 0, "max": 5}`.
    #[schema(value_type = Object)]
    allowed: Option<Value>,
    /// Why; kept in the audit trail and shown with every answer.
    reason: String,
}

/// What counts for a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RulingWord {
    /// It may be sent, whatever the catalogue says.
    Allow,
    /// It may not be sent.
    Refuse,
    /// It takes other values.
    Values,
}

impl DecideNode {
    fn read(self) -> Result<NewOverride, Problem> {
        let allowed = self.allowed.map(serde_json::from_value::<Allowed>).transpose();
        let allowed = allowed.map_err(|error| Problem::invalid("/allowed", error.to_string()))?;
        let ruling = match (self.ruling, allowed) {
            (RulingWord::Allow, None) => Ruling::Allow,
            (RulingWord::Refuse, None) => Ruling::Refuse,
            (RulingWord::Values, Some(allowed)) => Ruling::Values(allowed),
            (RulingWord::Values, None) => return Err(Problem::invalid("/allowed", "say which values")),
            (_, Some(_)) => return Err(Problem::invalid("/allowed", "belongs to values only")),
        };
        Ok(NewOverride {
            path: self.path,
            edition: self.edition.map(|word| word.read("/edition")).transpose()?,
            from_build: self.from_build.map(|text| build(&text, "/from_build")).transpose()?,
            ruling,
            reason: self.reason,
        })
    }
}

/// Decides about a node, or about all below one, in place of an earlier decision for the same path, edition and build. It
/// goes before the catalogue, and is named in every answer that it decides.
#[utoipa::path(put, path = "/api/v1/csp/overrides", tag = "csp", request_body = DecideNode,
    responses((status = 200, body = OverrideDocument)))]
pub async fn decide(
    State(app): State<App>,
    By(by): By,
    NoParams: NoParams,
    Body(body): Body<DecideNode>,
) -> Result<Json<OverrideDocument>, Problem> {
    Ok(Json(app.decide_node(&by, body.read()?).await?.into()))
}

/// Withdraws a decision; the catalogue counts again.
#[utoipa::path(delete, path = "/api/v1/csp/overrides/{id}", tag = "csp", params(("id" = String, Path)),
    responses((status = 204)))]
pub async fn withdraw(
    State(app): State<App>,
    By(by): By,
    Path(id): Path<String>,
    NoParams: NoParams,
) -> Result<StatusCode, Problem> {
    let id = app.resolve(Table::Overrides, "override", &id).await?;
    app.withdraw_override(&by, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
