//! `/uploads`: what devices were asked to upload, and what came.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::channel::{Channel, Sender};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{List, Named, named, page, stamp};
use crate::app::ports::Table;
use crate::app::{App, Error};
use crate::domain::Id;
use crate::domain::upload::{Received, Upload};
use crate::http::auth::By;
use crate::http::error::Problem;
use crate::http::extract::{NoParams, Params};

/// What a device was asked to upload.
#[derive(Debug, Serialize, ToSchema)]
pub struct UploadDocument {
    /// Identifier; the same as that of the action that asked for it.
    id: String,
    /// The hardware.
    device_id: String,
    /// The period of management.
    enrollment_id: String,
    /// `waiting`, `receiving` or `received`.
    state: &'static str,
    /// When the device was asked.
    #[schema(format = DateTime)]
    created_at: String,
    /// Until when an upload is taken.
    #[schema(format = DateTime)]
    expires_at: String,
    /// When it came.
    #[schema(format = DateTime)]
    received_at: Option<String>,
    /// How many bytes came.
    bytes: Option<u64>,
    /// SHA-256 of what came, in hexadecimal.
    sha256: Option<String>,
}

impl From<Upload> for UploadDocument {
    fn from(upload: Upload) -> Self {
        let state = match (&upload.received, upload.attempt) {
            (Some(_), _) => "received",
            (None, Some(_)) => "receiving",
            (None, None) => "waiting",
        };
        let received = upload.received.as_ref();
        Self {
            id: upload.id.to_string(),
            device_id: upload.device_id.to_string(),
            enrollment_id: upload.enrollment_id.to_string(),
            state,
            created_at: stamp(upload.created_at),
            expires_at: stamp(upload.expires_at),
            received_at: received.map(|received| stamp(received.at)),
            bytes: received.map(|received| received.bytes),
            sha256: received.map(|received| received.sha256.iter().map(|byte| format!("{byte:02x}")).collect()),
        }
    }
}

/// Which uploads.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UploadQuery {
    /// Of one device.
    device: Option<String>,
    /// Most items, 1 to 500; default 50.
    limit: Option<u32>,
    /// `next_cursor` of the part before.
    cursor: Option<String>,
}

/// Lists what devices were asked to upload, newest first.
#[utoipa::path(get, path = "/api/v1/uploads", tag = "uploads", params(UploadQuery),
    responses((status = 200, body = List<UploadDocument>)))]
pub async fn list(
    State(app): State<App>,
    Params(query): Params<UploadQuery>,
) -> Result<Json<List<UploadDocument>>, Problem> {
    let page = page(query.limit, query.cursor.as_deref())?;
    let device = match named(&app, Table::Devices, "device", query.device.as_deref()).await? {
        Some(Named::Nothing) => return Ok(Json(List { items: Vec::new(), next_cursor: None })),
        Some(Named::One(id)) => Some(id),
        None => None,
    };
    Ok(Json(List::of(app.uploads(device, &page).await?, UploadDocument::from)))
}

/// Shows one.
#[utoipa::path(get, path = "/api/v1/uploads/{id}", tag = "uploads", params(("id" = String, Path)),
    responses((status = 200, body = UploadDocument)))]
pub async fn show(State(app): State<App>, Path(id): Path<String>) -> Result<Json<UploadDocument>, Problem> {
    let id = app.resolve(Table::Uploads, "upload", &id).await?;
    Ok(Json(app.upload(id).await?.into()))
}

/// Gives out the file that came. The audit trail says who took it.
#[utoipa::path(get, path = "/api/v1/uploads/{id}/content", tag = "uploads", params(("id" = String, Path)),
    responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>)))]
pub async fn content(
    State(app): State<App>,
    By(by): By,
    Path(id): Path<String>,
    NoParams: NoParams,
) -> Result<Response, Problem> {
    let id = app.resolve(Table::Uploads, "upload", &id).await?;
    let (upload, received) = app.open_upload(&by, id).await?;
    let (sender, body) = Channel::new(1);
    let name = format!("attachment; filename=\"diagnostics-{}.zip\"", upload.id);
    let length = HeaderValue::from(received.bytes);
    tokio::spawn(send(app, upload.id, received, sender));
    let mut response = Body::new(body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(CONTENT_LENGTH, length);
    if let Ok(name) = HeaderValue::from_str(&name) {
        headers.insert(CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

/// Part by part, as fast as they are taken; what fails breaks the answer off, which its length tells.
async fn send(app: App, id: Id<Upload>, received: Received, mut sender: Sender<Bytes, Error>) {
    for seq in 0..received.chunks {
        let part = match app.upload_part(id, seq).await {
            Ok(part) => part,
            Err(error) => {
                tracing::warn!(upload = %id, seq, %error, "a download broke off");
                return sender.abort(error);
            }
        };
        // Whoever asked has gone.
        if sender.send_data(part.into()).await.is_err() {
            return;
        }
    }
}

/// Deletes an upload and the file that came. One that has not come is taken no longer.
#[utoipa::path(delete, path = "/api/v1/uploads/{id}", tag = "uploads", params(("id" = String, Path)),
    responses((status = 204)))]
pub async fn remove(
    State(app): State<App>,
    By(by): By,
    Path(id): Path<String>,
    NoParams: NoParams,
) -> Result<StatusCode, Problem> {
    let id = app.resolve(Table::Uploads, "upload", &id).await?;
    app.delete_upload(&by, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
