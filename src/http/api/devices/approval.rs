//! `/devices/{id}/approve` and `/devices/{id}/refuse`: devices that wait for an administrator.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use utoipa::ToSchema;

use super::DeviceDocument;
use crate::app::App;
use crate::app::ports::Table;
use crate::http::auth::By;
use crate::http::error::Problem;
use crate::http::extract::{NoParams, OptionalBody};

/// Why a device is sent away.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefuseDevice {
    /// In words; kept in the audit trail.
    reason: Option<String>,
}

/// Lets a device in that waits for approval.
#[utoipa::path(post, path = "/api/v1/devices/{id}/approve", tag = "devices", params(("id" = String, Path)),
    responses((status = 200, body = DeviceDocument), (status = 409, description = "`not_pending`")))]
pub async fn approve(
    State(app): State<App>,
    By(by): By,
    Path(id): Path<String>,
    NoParams: NoParams,
) -> Result<Json<DeviceDocument>, Problem> {
    let id = app.resolve(Table::Devices, "device", &id).await?;
    Ok(Json(app.approve_device(&by, id).await?.into()))
}

/// Sends a device away that waits for approval: it is asked to leave when it calls next.
#[utoipa::path(post, path = "/api/v1/devices/{id}/refuse", tag = "devices", params(("id" = String, Path)),
    request_body(content = RefuseDevice, description = "May be left out"),
    responses((status = 200, body = DeviceDocument), (status = 409, description = "`not_pending`")))]
pub async fn refuse(
    State(app): State<App>,
    By(by): By,
    Path(id): Path<String>,
    NoParams: NoParams,
    OptionalBody(body): OptionalBody<RefuseDevice>,
) -> Result<Json<DeviceDocument>, Problem> {
    let id = app.resolve(Table::Devices, "device", &id).await?;
    Ok(Json(app.refuse_device(&by, id, body.reason).await?.into()))
}
