//! `/packages`: provisioning packages for bulk enrollment.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use super::period::Period;
use super::{List, location, page, stamp};
use crate::app::packages::{BuiltPackage, Contents, Handout, NewPackage, NewPin, RootCertificate};
use crate::app::ports::Table;
use crate::app::{App, Error};
use crate::domain::Network;
use crate::domain::package::Package;
use crate::http::auth::By;
use crate::http::error::Problem;
use crate::http::extract::{Body, IdempotencyKey, NoParams, Params};
use crate::pki::pem;
use crate::proto::ppkg::{LocalAdmin, Wifi};

/// A package, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct PackageDocument {
    /// Identifier; also the `ID` in the package.
    id: String,
    /// Its name, and that of the file that is built.
    name: String,
    /// The bulk user under whom its devices arrive.
    user: String,
    /// That user's identifier; null once the user was removed.
    user_id: Option<String>,
    /// Version of the last build.
    #[schema(example = "1.0")]
    version: String,
    /// `live`, `used_up`, `expired` or `revoked`.
    state: &'static str,
    /// Most devices that may enroll with it.
    max_devices: u32,
    /// Devices that enrolled with it; one that does so again counts once.
    devices: u32,
    /// From where it may be used; empty: from everywhere.
    networks: Vec<String>,
    /// `none`, `live`, or `locked` after too many wrong ones.
    pin_state: &'static str,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it ends.
    #[schema(format = DateTime)]
    expires_at: String,
    /// When a device enrolled with it last.
    #[schema(format = DateTime)]
    last_used_at: Option<String>,
    /// When it was withdrawn.
    #[schema(format = DateTime)]
    revoked_at: Option<String>,
}

impl PackageDocument {
    fn new(package: Package, now: OffsetDateTime) -> Self {
        Self {
            id: package.id.to_string(),
            user_id: package.user_id.map(|id| id.to_string()),
            version: package.version(),
            state: package.state(now).as_str(),
            max_devices: package.max_devices,
            devices: package.devices,
            networks: package.networks.iter().map(|network| String::from(*network)).collect(),
            pin_state: match (&package.sealed_pin_hash, package.has_live_pin()) {
                (None, _) => "none",
                (Some(_), true) => "live",
                (Some(_), false) => "locked",
            },
            created_at: stamp(package.created_at),
            expires_at: stamp(package.expires_at),
            last_used_at: package.last_used_at.map(stamp),
            revoked_at: package.revoked_at.map(stamp),
            name: package.name,
            user: package.user_name,
        }
    }
}

/// A package, by its name.
#[derive(Debug, Serialize, ToSchema)]
pub struct NamedPackage {
    /// Id.
    id: String,
    /// Name.
    name: String,
}

impl NamedPackage {
    pub(super) fn of(package: Package) -> Self {
        Self { id: package.id.to_string(), name: package.name }
    }
}

/// A package that was just built, with what is handed out of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct BuiltPackageDocument {
    /// The package.
    #[serde(flatten)]
    document: PackageDocument,
    /// Its secret, shown this once. This and the fields below are null where an earlier request with the same
    /// `Idempotency-Key` made or built the package.
    secret: Option<String>,
    /// Its new PIN, shown this once; null where it got none.
    pin: Option<String>,
    /// A ZIP archive, base64: `customizations.xml`, `build.cmd`, instructions in English and French, and the root
    /// certificate of the server where devices need it. It holds the secret in clear.
    #[schema(format = Byte)]
    archive: Option<String>,
    /// The command that builds the package from the files of the archive, in their folder on Windows.
    command: Option<String>,
}

impl BuiltPackageDocument {
    fn new(built: BuiltPackage, now: OffsetDateTime) -> Self {
        let document = PackageDocument::new(built.package, now);
        let Some(Handout { secret, pin, archive, command }) = built.handout else {
            return Self { document, secret: None, pin: None, archive: None, command: None };
        };
        Self {
            document,
            secret: Some(secret.expose_secret().to_owned()),
            pin: pin.map(|pin| pin.expose_secret().to_owned()),
            archive: Some(BASE64_STANDARD.encode(archive)),
            command: Some(command),
        }
    }
}

/// A package to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddPackage {
    /// The bulk user; one that is not there is added. The name begins with the configured prefix.
    #[schema(example = "windows-bulkenroll-site7@example.com")]
    user: String,
    /// Letters, digits and hyphens; by default made of the user's name.
    #[schema(example = "Site7")]
    name: Option<String>,
    /// How long it works; default 30 days, at most 366.
    expires_in: Option<Period>,
    /// For how many devices; default 100.
    max_devices: Option<u32>,
    /// Networks from which it may be used; default: all.
    #[schema(value_type = Option<Vec<String>>, example = json!(["192.0.2.0/24"]))]
    networks: Option<Vec<String>>,
    /// A PIN with which devices are enrolled by hand under the package: true for one that is made, or 6 to 16 digits.
    #[schema(value_type = Option<Object>, example = true)]
    pin: Option<PinWish>,
    /// Words for people.
    notes: Option<String>,
    /// How the device is named: at most 15 characters, with `%SERIAL%` and `%RAND:n%` filled in by Windows.
    #[schema(example = "SITE7-%RAND:4%")]
    device_name: Option<String>,
    /// The network over which the device reaches the server in setup.
    wifi: Option<Wifi>,
    /// A local administrator.
    local_admin: Option<LocalAdmin>,
    /// The root certificate that the package makes devices trust: `auto` (default) for that of the server where it is not a
    /// public one, `none`, or one in PEM.
    #[schema(example = "auto")]
    root_certificate: Option<String>,
}

/// What is built into a package; nothing of it is kept from one build to the next.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RebuildPackage {
    /// A new PIN: true for one that is made, or 6 to 16 digits; by default the PIN stays.
    #[schema(value_type = Option<Object>, example = true)]
    pin: Option<PinWish>,
    /// Words for people.
    notes: Option<String>,
    /// How the device is named: at most 15 characters, with `%SERIAL%` and `%RAND:n%` filled in by Windows.
    #[schema(example = "SITE7-%RAND:4%")]
    device_name: Option<String>,
    /// The network over which the device reaches the server in setup.
    wifi: Option<Wifi>,
    /// A local administrator.
    local_admin: Option<LocalAdmin>,
    /// `auto` (default), `none`, or a root certificate in PEM.
    #[schema(example = "auto")]
    root_certificate: Option<String>,
}

/// Whether there is to be a PIN, or which.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum PinWish {
    /// Whether one is made.
    Made(bool),
    /// This one.
    Given(SecretString),
}

fn pin(wish: Option<PinWish>) -> Option<NewPin> {
    match wish {
        None | Some(PinWish::Made(false)) => None,
        Some(PinWish::Made(true)) => Some(NewPin::Made),
        Some(PinWish::Given(pin)) => Some(NewPin::Given(pin)),
    }
}

fn networks(texts: Option<Vec<String>>) -> Result<Vec<Network>, Problem> {
    let texts = texts.unwrap_or_default().into_iter().enumerate();
    let read = texts.map(|(index, text)| {
        Network::try_from(text).map_err(|words| Problem::from(Error::invalid(&format!("/networks/{index}"), words)))
    });
    read.collect()
}

fn root_certificate(text: Option<&str>) -> Result<RootCertificate, Problem> {
    match text {
        None | Some("auto") => Ok(RootCertificate::Auto),
        Some("none") => Ok(RootCertificate::None),
        Some(text) => {
            let words = "is `auto`, `none`, or a certificate in PEM";
            let der = pem::decode(pem::CERTIFICATE, text).ok_or_else(|| Error::invalid("/root_certificate", words))?;
            Ok(RootCertificate::Given(der))
        }
    }
}

/// Which packages.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PackageQuery {
    /// Most items, 1 to 500; default 50.
    limit: Option<u32>,
    /// `next_cursor` of the part before.
    cursor: Option<String>,
}

/// Lists packages, newest first.
#[utoipa::path(get, path = "/api/v1/packages", tag = "packages", params(PackageQuery),
    responses((status = 200, body = List<PackageDocument>)))]
pub async fn list(
    State(app): State<App>,
    Params(query): Params<PackageQuery>,
) -> Result<Json<List<PackageDocument>>, Problem> {
    let page = page(query.limit, query.cursor.as_deref())?;
    let now = app.now();
    Ok(Json(List::of(app.packages(&page).await?, |package| PackageDocument::new(package, now))))
}

/// Shows a package.
#[utoipa::path(get, path = "/api/v1/packages/{id}", tag = "packages", params(("id" = String, Path)),
    responses((status = 200, body = PackageDocument)))]
pub async fn show(State(app): State<App>, Path(id): Path<String>) -> Result<Json<PackageDocument>, Problem> {
    let package = app.package(app.resolve(Table::Packages, "package", &id).await?).await?;
    Ok(Json(PackageDocument::new(package, app.now())))
}

/// Makes a package, and its bulk user where that is not there. Its secret is shown this once.
#[utoipa::path(post, path = "/api/v1/packages", tag = "packages", request_body = AddPackage,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repetition harmless")),
    responses((status = 201, body = BuiltPackageDocument)))]
pub async fn add(
    State(app): State<App>,
    By(by): By,
    NoParams: NoParams,
    key: IdempotencyKey,
    Body(body): Body<AddPackage>,
) -> Result<impl IntoResponse, Problem> {
    let new = NewPackage {
        user: body.user,
        name: body.name,
        expires_in: body.expires_in.map(|period| period.0),
        max_devices: body.max_devices,
        networks: networks(body.networks)?,
        pin: pin(body.pin),
        contents: Contents {
            notes: body.notes,
            device_name: body.device_name,
            wifi: body.wifi,
            local_admin: body.local_admin,
            root_certificate: root_certificate(body.root_certificate.as_deref())?,
        },
    };
    let built = app.add_package(&by, new, key.as_deref()).await?;
    let headers = [location("packages", &built.package.id.to_string())];
    Ok((StatusCode::CREATED, headers, Json(BuiltPackageDocument::new(built, app.now()))))
}

/// Builds a package anew, with a higher version and another secret; what was built before lets nobody in any more.
#[utoipa::path(post, path = "/api/v1/packages/{id}/rebuild", tag = "packages", request_body = RebuildPackage,
    params(("id" = String, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repetition harmless")),
    responses((status = 200, body = BuiltPackageDocument)))]
pub async fn rebuild(
    State(app): State<App>,
    By(by): By,
    Path(id): Path<String>,
    NoParams: NoParams,
    key: IdempotencyKey,
    Body(body): Body<RebuildPackage>,
) -> Result<Json<BuiltPackageDocument>, Problem> {
    let id = app.resolve(Table::Packages, "package", &id).await?;
    let contents = Contents {
        notes: body.notes,
        device_name: body.device_name,
        wifi: body.wifi,
        local_admin: body.local_admin,
        root_certificate: root_certificate(body.root_certificate.as_deref())?,
    };
    let built = app.rebuild_package(&by, id, contents, pin(body.pin), key.as_deref()).await?;
    Ok(Json(BuiltPackageDocument::new(built, app.now())))
}

/// Withdraws a package: nobody enrolls with it any more; the devices that did stay enrolled.
#[utoipa::path(delete, path = "/api/v1/packages/{id}", tag = "packages", params(("id" = String, Path)),
    responses((status = 204)))]
pub async fn revoke(
    State(app): State<App>,
    By(by): By,
    Path(id): Path<String>,
    NoParams: NoParams,
) -> Result<StatusCode, Problem> {
    let id = app.resolve(Table::Packages, "package", &id).await?;
    app.revoke_package(&by, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
