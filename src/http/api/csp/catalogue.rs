//! `/csp/catalogue`: which descriptions count, and newer ones.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::app::csp::{ImportReport, ImportedInfo};
use crate::http::api::stamp;
use crate::http::auth::By;
use crate::http::error::Problem;
use crate::http::extract::{NoParams, Params, expect_media_type, read_body_within};
use crate::proto::csp::catalogue::{MOST_ARCHIVE_BYTES, embedded};

/// The catalogue that counts.
#[derive(Debug, Serialize, ToSchema)]
pub struct CatalogueDocument {
    /// Which collection of descriptions counts.
    #[schema(example = "2026-02")]
    version: String,
    /// How many nodes are known.
    nodes: usize,
    /// Which collection came with this build.
    embedded_version: String,
    /// What was imported over it.
    imported: Option<ImportedDocument>,
    /// How many decisions of administrators there are.
    overrides: usize,
}

/// An imported collection.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImportedDocument {
    /// Identifier.
    id: String,
    /// Which collection it is.
    version: String,
    /// How many nodes it describes.
    nodes: u64,
    /// When it was imported.
    #[schema(format = DateTime)]
    imported_at: String,
    /// Who did it.
    imported_by: String,
}

impl From<ImportedInfo> for ImportedDocument {
    fn from(info: ImportedInfo) -> Self {
        Self {
            id: info.id.to_string(),
            version: info.version,
            nodes: info.nodes,
            imported_at: stamp(info.imported_at),
            imported_by: info.imported_by,
        }
    }
}

/// Tells which catalogue counts.
#[utoipa::path(get, path = "/api/v1/csp/catalogue", tag = "csp", responses((status = 200, body = CatalogueDocument)))]
pub async fn show_catalogue(State(app): State<App>, NoParams: NoParams) -> Result<Json<CatalogueDocument>, Problem> {
    let known = app.csp().await?;
    Ok(Json(CatalogueDocument {
        version: known.catalogue.head().version.clone(),
        nodes: known.catalogue.records().len(),
        embedded_version: embedded().head().version.clone(),
        imported: known.imported.clone().map(ImportedDocument::from),
        overrides: known.overrides.len(),
    }))
}

/// How to import.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ImportQuery {
    /// What the collection is to be called; default: the folder inside the archive.
    version: Option<String>,
    /// Only say what would change.
    dry_run: Option<bool>,
}

/// What an import brings, or would bring.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImportDocument {
    /// Which collection it is.
    version: String,
    /// How many files it has.
    files: usize,
    /// How many nodes it describes.
    nodes: usize,
    /// Nodes that the catalogue of this build does not have.
    new: NodePaths,
    /// Nodes that are described differently.
    changed: NodePaths,
    /// Nodes that it no longer describes; they stay known.
    gone: NodePaths,
    /// How many are described alike.
    same: usize,
    /// What was odd in it and not understood, at most 100.
    oddities: Vec<String>,
    /// True where nothing was changed because `dry_run` was asked.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
}

/// Nodes, counted, the first of them named.
#[derive(Debug, Serialize, ToSchema)]
pub struct NodePaths {
    /// How many.
    count: usize,
    /// The first 100.
    paths: Vec<String>,
}

const MOST_SHOWN: usize = 100;

impl From<Vec<String>> for NodePaths {
    fn from(mut paths: Vec<String>) -> Self {
        let count = paths.len();
        paths.truncate(MOST_SHOWN);
        Self { count, paths }
    }
}

impl From<ImportReport> for ImportDocument {
    fn from(mut report: ImportReport) -> Self {
        report.oddities.truncate(MOST_SHOWN);
        Self {
            version: report.version,
            files: report.files,
            nodes: report.nodes,
            new: report.changes.new.into(),
            changed: report.changes.changed.into(),
            gone: report.changes.gone.into(),
            same: report.changes.same,
            oddities: report.oddities,
            dry_run: false,
        }
    }
}

/// Imports a newer set of Microsoft's descriptions (DDF v2, a zip archive) over the catalogue of this build. It counts at
/// once, on every node of the server.
#[utoipa::path(post, path = "/api/v1/csp/catalogue", tag = "csp", params(ImportQuery),
    request_body(content_type = "application/zip", content = Vec<u8>),
    responses((status = 200, body = ImportDocument)))]
pub async fn import(
    State(app): State<App>,
    By(by): By,
    Params(query): Params<ImportQuery>,
    request: Request,
) -> Result<Json<ImportDocument>, Problem> {
    let kinds = ["application/zip", "application/x-zip-compressed", "application/octet-stream"];
    expect_media_type(request.headers(), &kinds)?;
    let archive = read_body_within(request, MOST_ARCHIVE_BYTES).await?;
    let dry_run = query.dry_run.unwrap_or(false);
    let report = app.import_catalogue(&by, archive.to_vec(), query.version, dry_run).await?;
    Ok(Json(ImportDocument { dry_run, ..ImportDocument::from(report) }))
}

/// Goes back to the catalogue of this build.
#[utoipa::path(delete, path = "/api/v1/csp/catalogue", tag = "csp", responses((status = 204)))]
pub async fn remove_import(State(app): State<App>, By(by): By, NoParams: NoParams) -> Result<StatusCode, Problem> {
    app.remove_imported_catalogue(&by).await?;
    Ok(StatusCode::NO_CONTENT)
}
