//! What anybody may know of the CA: its certificates and the revocation list.

use axum::extract::State;
use axum::http::HeaderName;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::IntoResponse;

use super::error::Problem;
use crate::app::App;
use crate::pki::pem::{CERTIFICATE, encode};

/// `GET /pki/device.crl` (RFC 5280 section 5; media type of RFC 2585 section 4.2).
pub(super) async fn revocation_list(State(app): State<App>) -> Result<impl IntoResponse, Problem> {
    let list = app.revocation_list().await?;
    Ok((file("application/pkix-crl", "attachment; filename=\"device.crl\"", "public, max-age=60"), list))
}

/// `GET /pki/ca.cer`: the root, DER.
pub(super) async fn root(State(app): State<App>) -> impl IntoResponse {
    let headers = file("application/pkix-cert", "attachment; filename=\"ca.cer\"", "public, max-age=3600");
    (headers, app.authority.current().root().to_vec())
}

/// `GET /pki/previous.crl`: that of the CA before, while it is trusted.
pub(super) async fn previous_revocation_list(State(app): State<App>) -> Result<impl IntoResponse, Problem> {
    let list = app.previous_revocation_list().await?;
    Ok((file("application/pkix-crl", "attachment; filename=\"previous.crl\"", "public, max-age=60"), list))
}

/// `GET /pki/ca.pem`: the root, then the device issuing CA (RFC 8555 section 9.1 names the media type); behind them those of
/// the CA that takes their place, or whose place they have taken.
pub(super) async fn both(State(app): State<App>) -> impl IntoResponse {
    let headers = file("application/pem-certificate-chain", "attachment; filename=\"ca.pem\"", "public, max-age=3600");
    let set = app.authority.now();
    let each = set.all().flat_map(|authority| [authority.root(), authority.issuing()]);
    (headers, each.map(|der| encode(CERTIFICATE, der)).collect::<String>())
}

fn file(media_type: &'static str, disposition: &'static str, cache: &'static str) -> [(HeaderName, &'static str); 3] {
    [(CONTENT_TYPE, media_type), (CONTENT_DISPOSITION, disposition), (CACHE_CONTROL, cache)]
}
