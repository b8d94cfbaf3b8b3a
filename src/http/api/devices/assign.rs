//! `/devices/{id}/assign`.

use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::DeviceDocument;
use crate::app::ports::Table;
use crate::app::{App, Assigned};
use crate::http::api::DryRunQuery;
use crate::http::auth::By;
use crate::http::error::Problem;
use crate::http::extract::{Body, Params};

/// To whom a device is assigned.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AssignDevice {
    /// E-mail address or identifier of a person.
    #[schema(example = "ada@example.com")]
    user: String,
}

/// A device that was assigned.
#[derive(Debug, Serialize, ToSchema)]
pub struct AssignedDocument {
    /// The device.
    #[serde(flatten)]
    device: DeviceDocument,
    /// Whose it was.
    previous_user: Option<String>,
    /// Whether the new user has to choose a new password at the next sign-in, on the page `/password`.
    must_change_password: bool,
    /// True: nothing was changed.
    dry_run: bool,
}

/// Assigns a device that was enrolled in bulk to the person who takes it over; it does not have to enroll again.
#[utoipa::path(post, path = "/api/v1/devices/{id}/assign", tag = "devices", request_body = AssignDevice,
    params(("id" = String, Path), DryRunQuery), responses((status = 200, body = AssignedDocument)))]
pub async fn assign(
    State(app): State<App>,
    By(by): By,
    Path(id): Path<String>,
    Params(query): Params<DryRunQuery>,
    Body(body): Body<AssignDevice>,
) -> Result<Json<AssignedDocument>, Problem> {
    let id = app.resolve(Table::Devices, "device", &id).await?;
    let dry_run = query.is_dry();
    let Assigned { view, from, must_change_password } = app.assign_device(&by, id, &body.user, dry_run).await?;
    Ok(Json(AssignedDocument { device: view.into(), previous_user: from, must_change_password, dry_run }))
}
