//! `/audit`: who did what.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{List, page, stamp};
use crate::app::App;
use crate::domain::event::AuditRow;
use crate::http::error::Problem;
use crate::http::extract::Params;

/// A row of the audit trail.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditDocument {
    /// Identifier.
    id: String,
    /// When.
    #[schema(format = DateTime)]
    time: String,
    /// Who: a user's address, `device:` and an enrollment, or `system`.
    actor: String,
    /// What was done.
    #[schema(example = "user.create")]
    action: String,
    /// To what.
    object: AuditObjectDocument,
    /// `ok`, `refused` or `failed`.
    outcome: String,
    /// Details, in words.
    detail: String,
    /// Network address of the actor; empty for the server itself.
    address: String,
}

/// What an audit row is about.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditObjectDocument {
    /// Kind.
    #[schema(example = "device")]
    kind: String,
    /// Identifier.
    id: String,
    /// Name at the time.
    name: String,
}

impl From<AuditRow> for AuditDocument {
    fn from(row: AuditRow) -> Self {
        Self {
            id: row.id.to_string(),
            time: stamp(row.time),
            actor: row.actor,
            action: row.action,
            object: AuditObjectDocument { kind: row.object_kind, id: row.object_id, name: row.object_name },
            outcome: row.outcome,
            detail: row.detail,
            address: row.address,
        }
    }
}

/// Which rows.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// About the object with that identifier.
    object: Option<String>,
    /// Most items, 1 to 500; default 50.
    limit: Option<u32>,
    /// `next_cursor` of the part before.
    cursor: Option<String>,
}

/// Lists the audit trail, newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", params(AuditQuery),
    responses((status = 200, body = List<AuditDocument>)))]
pub async fn list(
    State(app): State<App>,
    Params(query): Params<AuditQuery>,
) -> Result<Json<List<AuditDocument>>, Problem> {
    let page = page(query.limit, query.cursor.as_deref())?;
    let object = query.object.as_deref().filter(|id| !id.is_empty());
    Ok(Json(List::of(app.audit_rows(object, &page).await?, AuditDocument::from)))
}
