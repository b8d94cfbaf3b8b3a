//! `/enrollment-url`: the address that people give to Windows.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::stamp;
use crate::app::App;
use crate::app::EnrollmentUrl;
use crate::http::auth::By;
use crate::http::error::Problem;
use crate::http::extract::NoParams;

/// The address that is given out now.
#[derive(Debug, Serialize, ToSchema)]
pub struct EnrollmentUrlDocument {
    /// The address.
    url: String,
    /// Its generation; null: it was never changed.
    generation: Option<String>,
    /// Since when.
    #[schema(format = DateTime)]
    since: Option<String>,
    /// Who changed it.
    changed_by: Option<String>,
    /// Whether an address without a generation works as well.
    takes_bare: bool,
}

impl From<EnrollmentUrl> for EnrollmentUrlDocument {
    fn from(address: EnrollmentUrl) -> Self {
        let generation = address.generation;
        Self {
            url: address.url,
            since: generation.as_ref().map(|generation| stamp(generation.since)),
            changed_by: generation.as_ref().map(|generation| generation.by.clone()),
            generation: generation.map(|generation| generation.name),
            takes_bare: address.takes_bare,
        }
    }
}

/// Shows the address.
#[utoipa::path(get, path = "/api/v1/enrollment-url", tag = "enrollment-url",
    responses((status = 200, body = EnrollmentUrlDocument)))]
pub async fn show(State(app): State<App>, NoParams: NoParams) -> Result<Json<EnrollmentUrlDocument>, Problem> {
    Ok(Json(app.enrollment_url().await?.into()))
}

/// Gives the address another generation: those before stop working at once.
#[utoipa::path(post, path = "/api/v1/enrollment-url/rotate", tag = "enrollment-url",
    responses((status = 200, body = EnrollmentUrlDocument)))]
pub async fn rotate(
    State(app): State<App>,
    By(by): By,
    NoParams: NoParams,
) -> Result<Json<EnrollmentUrlDocument>, Problem> {
    Ok(Json(app.rotate_enrollment_url(&by).await?.into()))
}
