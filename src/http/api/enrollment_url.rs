//! `/enrollment-url`: the address that people give to Windows.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::packages::NamedPackage;
use super::stamp;
use crate::app::App;
use crate::app::EnrollmentUrl;
use crate::domain::package::Package;
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
    /// The first live packages for bulk enrollment that hold an address which does not work any more: build them anew.
    stale_packages: Vec<NamedPackage>,
}

impl EnrollmentUrlDocument {
    fn new(address: EnrollmentUrl, stale: Vec<Package>) -> Self {
        let generation = address.generation;
        Self {
            url: address.url,
            since: generation.as_ref().map(|generation| stamp(generation.since)),
            changed_by: generation.as_ref().map(|generation| generation.by.clone()),
            generation: generation.map(|generation| generation.name),
            takes_bare: address.takes_bare,
            stale_packages: stale.into_iter().map(NamedPackage::of).collect(),
        }
    }
}

/// Shows the address.
#[utoipa::path(get, path = "/api/v1/enrollment-url", tag = "enrollment-url",
    responses((status = 200, body = EnrollmentUrlDocument)))]
pub async fn show(State(app): State<App>, NoParams: NoParams) -> Result<Json<EnrollmentUrlDocument>, Problem> {
    let address = app.enrollment_url().await?;
    Ok(Json(EnrollmentUrlDocument::new(address, app.stale_packages().await?)))
}

/// Gives the address another generation: those before stop working at once.
#[utoipa::path(post, path = "/api/v1/enrollment-url/rotate", tag = "enrollment-url",
    responses((status = 200, body = EnrollmentUrlDocument)))]
pub async fn rotate(
    State(app): State<App>,
    By(by): By,
    NoParams: NoParams,
) -> Result<Json<EnrollmentUrlDocument>, Problem> {
    let address = app.rotate_enrollment_url(&by).await?;
    Ok(Json(EnrollmentUrlDocument::new(address, app.stale_packages().await?)))
}
