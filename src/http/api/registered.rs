//! `/registered-devices`: devices that may enroll where only registered ones may.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{List, page, stamp};
use crate::app::ports::Table;
use crate::app::{App, Error};
use crate::domain::registration::{RegisteredBy, RegisteredDevice};
use crate::http::auth::By;
use crate::http::error::Problem;
use crate::http::extract::{Body, NoParams, Params};

/// A registered device.
#[derive(Debug, Serialize, ToSchema)]
pub struct RegisteredDeviceDocument {
    /// Identifier of the entry.
    id: String,
    /// What the value is: `serial`, `hw_dev_id` or `autopilot`.
    kind: &'static str,
    /// The value; devices are compared with it without regard to case.
    #[schema(example = "PF3ABC12")]
    value: String,
    /// What for.
    note: Option<String>,
    /// When it was registered.
    #[schema(format = DateTime)]
    created_at: String,
}

impl From<RegisteredDevice> for RegisteredDeviceDocument {
    fn from(device: RegisteredDevice) -> Self {
        Self {
            id: device.id.to_string(),
            kind: device.kind.as_str(),
            value: device.value,
            note: device.note,
            created_at: stamp(device.created_at),
        }
    }
}

/// A device to be registered.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterDevice {
    /// What the value is.
    kind: Option<KindWord>,
    /// The value: a serial number (Windows 11 25H2 and later tell theirs), a hardware hash, or the id of the registration
    /// with Autopilot.
    value: Option<String>,
    /// In the place of both: an attempt that was refused, for what its device told of itself.
    attempt_id: Option<String>,
    /// What for; of an attempt, the name of its device if there is none.
    note: Option<String>,
}

/// By what a device is recognised.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KindWord {
    /// Its serial number.
    Serial,
    /// Its hardware hash.
    HwDevId,
    /// Its registration with Autopilot.
    Autopilot,
}

impl From<KindWord> for RegisteredBy {
    fn from(word: KindWord) -> Self {
        match word {
            KindWord::Serial => Self::Serial,
            KindWord::HwDevId => Self::HwDevId,
            KindWord::Autopilot => Self::Autopilot,
        }
    }
}

/// Which entries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RegisteredQuery {
    /// Most items, 1 to 500; default 50.
    limit: Option<u32>,
    /// `next_cursor` of the part before.
    cursor: Option<String>,
}

/// Lists registered devices, newest first.
#[utoipa::path(get, path = "/api/v1/registered-devices", tag = "enrollment", params(RegisteredQuery),
    responses((status = 200, body = List<RegisteredDeviceDocument>)))]
pub async fn list_registered(
    State(app): State<App>,
    Params(query): Params<RegisteredQuery>,
) -> Result<Json<List<RegisteredDeviceDocument>>, Problem> {
    let page = page(query.limit, query.cursor.as_deref())?;
    Ok(Json(List::of(app.registered_devices(&page).await?, RegisteredDeviceDocument::from)))
}

/// Registers a device.
#[utoipa::path(post, path = "/api/v1/registered-devices", tag = "enrollment", request_body = RegisterDevice,
    responses((status = 201, body = RegisteredDeviceDocument),
        (status = 409, description = "`already_registered` or `nothing_to_register`")))]
pub async fn register(
    State(app): State<App>,
    By(by): By,
    NoParams: NoParams,
    Body(body): Body<RegisterDevice>,
) -> Result<impl IntoResponse, Problem> {
    let made = match (body.kind, body.value, body.attempt_id) {
        (Some(kind), Some(value), None) => app.register_device(&by, kind.into(), &value, body.note).await?,
        (None, None, Some(attempt)) => {
            let attempt = app.resolve(Table::Attempts, "attempt", &attempt).await?;
            app.register_attempt(&by, attempt, body.note).await?
        }
        _ => return Err(Error::invalid("/kind", "and `value` are given, or `attempt_id` alone").into()),
    };
    Ok((StatusCode::CREATED, Json(RegisteredDeviceDocument::from(made))))
}

/// Removes an entry; a device that has enrolled by it stays.
#[utoipa::path(delete, path = "/api/v1/registered-devices/{id}", tag = "enrollment", params(("id" = String, Path)),
    responses((status = 204)))]
pub async fn unregister(
    State(app): State<App>,
    By(by): By,
    Path(id): Path<String>,
    NoParams: NoParams,
) -> Result<StatusCode, Problem> {
    let id = app.resolve(Table::Registered, "registered device", &id).await?;
    app.unregister_device(&by, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
