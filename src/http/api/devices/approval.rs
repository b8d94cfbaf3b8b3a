//! `/devices/{id}/approve` and `/devices/{id}/refuse`: devices that wait for an administrator.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use utoipa::ToSchema;

use super::DeviceDocument;
use crate::app::ports::Table;
use crate::app::{App, Error};
use crate::domain::Id;
use crate::domain::enrollment::Enrollment;
use crate::http::auth::By;
use crate::http::error::Problem;
use crate::http::extract::{NoParams, OptionalBody};

/// Which device is let in.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApproveDevice {
    /// The enrollment that was looked at, or the beginning of its id; if the device has enrolled again since, it is not let
    /// in. Without, the one that it has now; has to be named where the device enrolled again while it waited.
    enrollment_id: Option<String>,
}

/// Which device is sent away, and why.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefuseDevice {
    /// The enrollment that was looked at, or the beginning of its id; without, the one that the device has now. Has to be
    /// named where the device enrolled again while it waited.
    enrollment_id: Option<String>,
    /// In words; kept in the audit trail.
    reason: Option<String>,
}

/// Lets a device in that waits for approval.
#[utoipa::path(post, path = "/api/v1/devices/{id}/approve", tag = "devices", params(("id" = String, Path)),
    request_body = Option<ApproveDevice>,
    responses((status = 200, body = DeviceDocument), (status = 409,
        description = "`not_pending`, `enrolled_again` or `enrollment_not_named`")))]
pub async fn approve(
    State(app): State<App>,
    By(by): By,
    Path(id): Path<String>,
    NoParams: NoParams,
    OptionalBody(body): OptionalBody<ApproveDevice>,
) -> Result<Json<DeviceDocument>, Problem> {
    let id = app.resolve(Table::Devices, "device", &id).await?;
    let meant = meant(&app, body.enrollment_id).await?;
    Ok(Json(app.approve_device(&by, id, meant).await?.into()))
}

/// Sends a device away that waits for approval: it is asked to leave when it calls next.
#[utoipa::path(post, path = "/api/v1/devices/{id}/refuse", tag = "devices", params(("id" = String, Path)),
    request_body = Option<RefuseDevice>,
    responses((status = 200, body = DeviceDocument), (status = 409,
        description = "`not_pending`, `enrolled_again` or `enrollment_not_named`")))]
pub async fn refuse(
    State(app): State<App>,
    By(by): By,
    Path(id): Path<String>,
    NoParams: NoParams,
    OptionalBody(body): OptionalBody<RefuseDevice>,
) -> Result<Json<DeviceDocument>, Problem> {
    let id = app.resolve(Table::Devices, "device", &id).await?;
    let meant = meant(&app, body.enrollment_id).await?;
    Ok(Json(app.refuse_device(&by, id, meant, body.reason).await?.into()))
}

async fn meant(app: &App, id: Option<String>) -> Result<Option<Id<Enrollment>>, Error> {
    let Some(id) = id else { return Ok(None) };
    match app.resolve(Table::Enrollments, "enrollment", &id).await {
        Err(Error::NotFound(_)) => Err(Error::invalid("/enrollment_id", "is no identifier of an enrollment")),
        found => found.map(Some),
    }
}
