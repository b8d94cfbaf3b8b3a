//! `/ca`: the CAs of the installation, and how one takes the place of another.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::packages::NamedPackage;
use super::{DryRunQuery, stamp};
use crate::app::App;
use crate::app::ca::CaView;
use crate::domain::ca::CaRole;
use crate::http::auth::By;
use crate::http::error::Problem;
use crate::http::extract::{OptionalBody, Params};
use crate::pki::pem::{CERTIFICATE, encode};
use crate::pki::{Authority, thumbprint};

/// The CAs, and how far the roll-over has come.
#[derive(Debug, Serialize, ToSchema)]
pub struct CaDocument {
    /// `settled`, `delivering` (the next CA is handed out and issues nothing yet) or `issuing` (it issues, and the one before
    /// is still trusted).
    #[schema(example = "settled")]
    stage: &'static str,
    /// The CA that issues.
    current: Option<AuthorityDocument>,
    /// The CA that will.
    next: Option<AuthorityDocument>,
    /// The CA that did.
    previous: Option<AuthorityDocument>,
    /// Devices under management that do not have the root of the newest CA yet.
    devices_without_root: u64,
    /// Names of the first of them.
    waiting: Vec<String>,
    /// Certificates of the CA before that still let a device in.
    certificates_of_previous: u64,
    /// The first live packages for bulk enrollment without the root of the newest CA. With a server certificate that Muster
    /// made, PCs that get one after the next CA issues do not trust the server: they are to be built anew.
    packages_without_root: Vec<NamedPackage>,
    /// True where nothing was changed because `dry_run` was asked.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
}

/// A root with the issuing CA under it.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuthorityDocument {
    /// SHA-256 of the issuing CA's certificate, hex.
    id: String,
    /// SHA-1 of the root, as Windows names it in its stores.
    root_thumbprint: String,
    /// When the issuing CA ends.
    #[schema(format = DateTime)]
    not_after: String,
    /// Why it cannot sign; null where it can.
    alarm: Option<String>,
    /// The root, PEM.
    root: String,
    /// The issuing CA, PEM.
    issuing: String,
}

impl AuthorityDocument {
    fn of(authority: &Authority) -> Self {
        Self {
            id: authority.id_hex(),
            root_thumbprint: thumbprint(authority.root()),
            not_after: stamp(authority.not_after()),
            alarm: authority.alarm().map(str::to_owned),
            root: encode(CERTIFICATE, authority.root()),
            issuing: encode(CERTIFICATE, authority.issuing()),
        }
    }
}

impl CaDocument {
    fn of(view: CaView, dry_run: bool) -> Self {
        let of = |role: CaRole| {
            let found = view.authorities.iter().find(|(own, _)| *own == role);
            found.map(|(_, authority)| AuthorityDocument::of(authority))
        };
        Self {
            stage: view.stage.as_str(),
            current: of(CaRole::Current),
            next: of(CaRole::Next),
            previous: of(CaRole::Previous),
            devices_without_root: view.devices_without_root,
            waiting: view.waiting,
            certificates_of_previous: view.certificates_of_previous,
            packages_without_root: view.packages.into_iter().map(NamedPackage::of).collect(),
            dry_run,
        }
    }
}

/// How the next CA is made to issue.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ActivateCa {
    /// Although devices do not have its root yet.
    #[serde(default)]
    force: bool,
}

/// Shows the CAs and the stage.
#[utoipa::path(get, path = "/api/v1/ca", tag = "certificates", responses((status = 200, body = CaDocument)))]
pub async fn show(State(app): State<App>) -> Result<Json<CaDocument>, Problem> {
    Ok(Json(CaDocument::of(app.ca().await?, false)))
}

/// Makes the next CA: trusted at once, and handed out to every active device. It issues nothing yet.
#[utoipa::path(post, path = "/api/v1/ca/rotate", tag = "certificates", params(DryRunQuery),
    responses((status = 200, body = CaDocument)))]
pub async fn rotate(
    State(app): State<App>,
    By(by): By,
    Params(query): Params<DryRunQuery>,
) -> Result<Json<CaDocument>, Problem> {
    let dry_run = query.is_dry();
    Ok(Json(CaDocument::of(app.rotate_ca(&by, dry_run).await?, dry_run)))
}

/// Makes the next CA issue; refused while devices do not have its root.
#[utoipa::path(post, path = "/api/v1/ca/activate", tag = "certificates", request_body = Option<ActivateCa>,
    params(DryRunQuery), responses((status = 200, body = CaDocument)))]
pub async fn activate(
    State(app): State<App>,
    By(by): By,
    Params(query): Params<DryRunQuery>,
    OptionalBody(body): OptionalBody<ActivateCa>,
) -> Result<Json<CaDocument>, Problem> {
    let dry_run = query.is_dry();
    Ok(Json(CaDocument::of(app.activate_ca(&by, body.force, dry_run).await?, dry_run)))
}

/// Gives up the CA before; refused while certificates of it let devices in.
#[utoipa::path(post, path = "/api/v1/ca/retire-old", tag = "certificates", params(DryRunQuery),
    responses((status = 200, body = CaDocument)))]
pub async fn retire_old(
    State(app): State<App>,
    By(by): By,
    Params(query): Params<DryRunQuery>,
) -> Result<Json<CaDocument>, Problem> {
    let dry_run = query.is_dry();
    Ok(Json(CaDocument::of(app.retire_ca(&by, dry_run).await?, dry_run)))
}
