//! `/devices/{id}/alerts`: what a device raised on its own.

use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{List, page, stamp};
use crate::app::App;
use crate::app::ports::Table;
use crate::domain::alert::AlertRecord;
use crate::http::error::Problem;
use crate::http::extract::Params;

/// An alert of a device.
#[derive(Debug, Serialize, ToSchema)]
pub struct AlertDocument {
    /// Identifier.
    id: String,
    /// The hardware.
    device_id: String,
    /// The period of management.
    enrollment_id: String,
    /// The session in which it came; it may be gone by now.
    session_id: Option<String>,
    /// When it came.
    #[schema(format = DateTime)]
    at: String,
    /// The code of the alert.
    #[schema(example = 1226)]
    code: u16,
    /// Its type as the device wrote it; empty where it wrote none.
    #[schema(example = "com.microsoft:mdm.SCEPcertinstall.result")]
    r#type: String,
    /// Whether this server knows what it is about.
    known: bool,
    /// The node it is about.
    source: Option<String>,
    /// How grave it is: `fatal`, `critical`, `warning`, `informational`, `harmless` or `indeterminate`.
    mark: Option<String>,
    /// Format of the data.
    format: Option<String>,
    /// The data, cut after 4,096 characters; a mark in place of what may be secret.
    data: String,
    /// How many bytes the data had.
    data_bytes: u64,
}

impl From<AlertRecord> for AlertDocument {
    fn from(alert: AlertRecord) -> Self {
        Self {
            id: alert.id.to_string(),
            device_id: alert.device_id.to_string(),
            enrollment_id: alert.enrollment_id.to_string(),
            session_id: alert.session_id.map(|id| id.to_string()),
            at: stamp(alert.at),
            code: alert.code,
            r#type: alert.kind,
            known: alert.is_known,
            source: alert.source,
            mark: alert.mark,
            format: alert.format,
            data: alert.data,
            data_bytes: alert.data_bytes,
        }
    }
}

/// Which alerts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AlertQuery {
    /// Most items, 1 to 500; default 50.
    limit: Option<u32>,
    /// `next_cursor` of the part before.
    cursor: Option<String>,
}

/// Lists the alerts of a device, newest first, those of types that nobody knows too. What only steers a session (who is signed
/// in, that the device is busy) and tokens are not among them.
#[utoipa::path(get, path = "/api/v1/devices/{id}/alerts", tag = "alerts", params(("id" = String, Path), AlertQuery),
    responses((status = 200, body = List<AlertDocument>)))]
pub async fn list(
    State(app): State<App>,
    Path(id): Path<String>,
    Params(query): Params<AlertQuery>,
) -> Result<Json<List<AlertDocument>>, Problem> {
    let page = page(query.limit, query.cursor.as_deref())?;
    let device = app.resolve(Table::Devices, "device", &id).await?;
    Ok(Json(List::of(app.alerts(device, &page).await?, AlertDocument::from)))
}
