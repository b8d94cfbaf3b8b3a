//! `/certificates`: what was issued to devices.

use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use super::{DryRunQuery, List, Named, named, page, stamp};
use crate::app::App;
use crate::app::certificates::CertificateView;
use crate::app::ports::Table;
use crate::http::auth::By;
use crate::http::error::Problem;
use crate::http::extract::{OptionalBody, Params};

/// A device certificate.
#[derive(Debug, Serialize, ToSchema)]
pub struct CertificateDocument {
    /// Serial number, hex.
    serial: String,
    /// Subject.
    subject: String,
    /// `valid`, `waiting` (renewed, and the device was not seen with it yet), `superseded`, `expired` or `revoked`.
    state: &'static str,
    /// The period of management that it belongs to.
    enrollment_id: String,
    /// The hardware.
    device_id: Option<String>,
    /// Start of validity.
    #[schema(format = DateTime)]
    not_before: String,
    /// End of validity.
    #[schema(format = DateTime)]
    not_after: String,
    /// When it was revoked.
    #[schema(format = DateTime)]
    revoked_at: Option<String>,
    /// Why.
    revoked_reason: Option<String>,
    /// The serial number of the certificate that it renews; null for the first one of an enrollment.
    renews: Option<String>,
    /// When the device was first seen with it, if it came of a renewal.
    #[schema(format = DateTime)]
    first_used_at: Option<String>,
    /// When the device was first seen with its next one: since then this one is refused.
    #[schema(format = DateTime)]
    superseded_at: Option<String>,
    /// SHA-256 of the DER, hex.
    sha256: String,
    /// True where nothing was revoked because `dry_run` was asked.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
}

impl CertificateDocument {
    fn of(view: CertificateView, now: OffsetDateTime) -> Self {
        let certificate = view.certificate;
        Self {
            state: certificate.state(now),
            serial: certificate.serial,
            subject: certificate.subject,
            enrollment_id: certificate.enrollment_id.to_string(),
            device_id: view.device_id.map(|id| id.to_string()),
            not_before: stamp(certificate.not_before),
            not_after: stamp(certificate.not_after),
            revoked_at: certificate.revoked_at.map(stamp),
            revoked_reason: certificate.revoked_reason,
            renews: certificate.renews,
            first_used_at: certificate.first_used_at.map(stamp),
            superseded_at: certificate.superseded_at.map(stamp),
            sha256: certificate.sha256.iter().map(|byte| format!("{byte:02x}")).collect(),
            dry_run: false,
        }
    }
}

/// Which certificates.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CertificateQuery {
    /// Of one device.
    device: Option<String>,
    /// Most items, 1 to 500; default 50.
    limit: Option<u32>,
    /// `next_cursor` of the part before.
    cursor: Option<String>,
}

/// Why a certificate is revoked.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeCertificate {
    /// In words.
    reason: Option<String>,
}

/// Lists certificates, newest first.
#[utoipa::path(get, path = "/api/v1/certificates", tag = "certificates", params(CertificateQuery),
    responses((status = 200, body = List<CertificateDocument>)))]
pub async fn list(
    State(app): State<App>,
    Params(query): Params<CertificateQuery>,
) -> Result<Json<List<CertificateDocument>>, Problem> {
    let page = page(query.limit, query.cursor.as_deref())?;
    let device = match named(&app, Table::Devices, "device", query.device.as_deref()).await? {
        Some(Named::Nothing) => return Ok(Json(List { items: Vec::new(), next_cursor: None })),
        Some(Named::One(id)) => Some(id),
        None => None,
    };
    let now = app.now();
    let listed = app.certificates(device, &page).await?;
    Ok(Json(List::of(listed, |view| CertificateDocument::of(view, now))))
}

/// Revokes a certificate: the device that has it is refused at its next request.
#[utoipa::path(post, path = "/api/v1/certificates/{serial}/revoke", tag = "certificates",
    request_body = Option<RevokeCertificate>, params(("serial" = String, Path), DryRunQuery),
    responses((status = 200, body = CertificateDocument)))]
pub async fn revoke(
    State(app): State<App>,
    By(by): By,
    Path(serial): Path<String>,
    Params(query): Params<DryRunQuery>,
    OptionalBody(body): OptionalBody<RevokeCertificate>,
) -> Result<Json<CertificateDocument>, Problem> {
    let serial = app.resolve_serial(&serial).await?;
    let dry_run = query.is_dry();
    let view = app.revoke_certificate(&by, &serial, body.reason, dry_run).await?;
    Ok(Json(CertificateDocument { dry_run, ..CertificateDocument::of(view, app.now()) }))
}
