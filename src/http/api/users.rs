//! `/users`: people and bulk users.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use secrecy::SecretString;
use serde::de::{Deserialize, Deserializer};
use serde::{Deserialize as DeserializeDerive, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{DryRunQuery, List, etag, location, page, stamp};
use crate::app::App;
use crate::app::ports::Table;
use crate::app::users::{NewUser, UserChanges};
use crate::domain::user::{Role, User};
use crate::http::auth::By;
use crate::http::error::Problem;
use crate::http::extract::{Body, IdempotencyKey, IfMatch, NoParams, Params};

/// A user.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserDocument {
    /// Identifier.
    id: String,
    /// E-mail address or another name to sign in with.
    email: String,
    /// Display name.
    name: Option<String>,
    /// `person` or `bulk`.
    kind: &'static str,
    /// `user`, `viewer`, `operator` or `admin`.
    role: &'static str,
    /// Whether sign-in and enrollment are allowed.
    enabled: bool,
    /// Whether the user can use a password.
    has_password: bool,
    /// Most devices; null takes the configured default.
    device_limit: Option<u32>,
    /// Whether the user has to choose a new password before the present one is good for anything else.
    must_change_password: bool,
    /// When the user was added.
    #[schema(format = DateTime)]
    created_at: String,
    /// Rises with every change; also the ETag.
    version: i64,
}

impl From<User> for UserDocument {
    fn from(user: User) -> Self {
        Self {
            id: user.id.to_string(),
            email: user.email,
            name: user.name,
            kind: user.kind.as_str(),
            role: user.role.as_str(),
            enabled: user.enabled,
            has_password: user.password_hash.is_some(),
            device_limit: user.device_limit,
            must_change_password: user.must_change_password,
            created_at: stamp(user.created_at),
            version: user.version,
        }
    }
}

/// The roles, as words of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, DeserializeDerive, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RoleWord {
    /// Nothing beyond the own devices.
    User,
    /// Reads everything but secrets.
    Viewer,
    /// Acts on devices.
    Operator,
    /// Administers users, certificates and tokens.
    Admin,
}

impl From<RoleWord> for Role {
    fn from(word: RoleWord) -> Self {
        match word {
            RoleWord::User => Self::User,
            RoleWord::Viewer => Self::Viewer,
            RoleWord::Operator => Self::Operator,
            RoleWord::Admin => Self::Admin,
        }
    }
}

/// A user to be added.
#[derive(Debug, DeserializeDerive, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddUser {
    /// E-mail address or another name to sign in with; one that begins with the bulk prefix is a bulk user.
    #[schema(example = "ada@example.com")]
    email: String,
    /// Display name.
    name: Option<String>,
    /// At least 8 characters for a person. Without one the user cannot use a password.
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<SecretString>,
    /// Default `user`.
    role: Option<RoleWord>,
    /// Default true.
    enabled: Option<bool>,
    /// Most devices; null takes the configured default.
    device_limit: Option<u32>,
}

/// Changes of a user; what is left out stays.
#[derive(Debug, DeserializeDerive, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeUser {
    /// Display name; null removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    name: Option<Option<String>>,
    /// A new password; null takes it away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<Option<SecretString>>,
    /// What the user may do.
    role: Option<RoleWord>,
    /// Whether sign-in and enrollment are allowed.
    enabled: Option<bool>,
    /// Most devices; null takes the configured default.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u32>)]
    device_limit: Option<Option<u32>>,
    /// Whether the user has to choose a new password first; a new password takes it away unless it is set along with it.
    must_change_password: Option<bool>,
}

/// Tells a field that is null from one that is not there.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Which users.
#[derive(Debug, DeserializeDerive, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UserQuery {
    /// Part of address or name.
    query: Option<String>,
    /// Most items, 1 to 500; default 50.
    limit: Option<u32>,
    /// `next_cursor` of the part before.
    cursor: Option<String>,
}

/// Lists users, newest first.
#[utoipa::path(get, path = "/api/v1/users", tag = "users", params(UserQuery),
    responses((status = 200, body = List<UserDocument>)))]
pub async fn list(
    State(app): State<App>,
    Params(query): Params<UserQuery>,
) -> Result<Json<List<UserDocument>>, Problem> {
    let page = page(query.limit, query.cursor.as_deref())?;
    let words = query.query.as_deref().filter(|words| !words.is_empty());
    Ok(Json(List::of(app.users(words, &page).await?, UserDocument::from)))
}

/// Adds a user.
#[utoipa::path(post, path = "/api/v1/users", tag = "users", request_body = AddUser,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repetition harmless")),
    responses((status = 201, body = UserDocument)))]
pub async fn add(
    State(app): State<App>,
    By(by): By,
    NoParams: NoParams,
    key: IdempotencyKey,
    Body(body): Body<AddUser>,
) -> Result<impl IntoResponse, Problem> {
    let new = NewUser {
        email: body.email,
        name: body.name,
        password: body.password,
        role: body.role.map_or(Role::User, Role::from),
        enabled: body.enabled.unwrap_or(true),
        device_limit: body.device_limit,
    };
    let user = app.add_user(&by, new, key.as_deref()).await?;
    let headers = [location("users", &user.id.to_string()), etag(user.version)];
    Ok((StatusCode::CREATED, headers, Json(UserDocument::from(user))))
}

/// Shows a user.
#[utoipa::path(get, path = "/api/v1/users/{id}", tag = "users", params(("id" = String, Path)),
    responses((status = 200, body = UserDocument)))]
pub async fn show(State(app): State<App>, Path(id): Path<String>) -> Result<impl IntoResponse, Problem> {
    let user = app.user(app.resolve(Table::Users, "user", &id).await?).await?;
    Ok(([etag(user.version)], Json(UserDocument::from(user))))
}

/// Changes a user.
#[utoipa::path(patch, path = "/api/v1/users/{id}", tag = "users", request_body = ChangeUser,
    params(("id" = String, Path), ("If-Match" = Option<String>, Header, description = "Only that version, by its ETag")),
    responses((status = 200, body = UserDocument)))]
pub async fn change(
    State(app): State<App>,
    By(by): By,
    Path(id): Path<String>,
    NoParams: NoParams,
    IfMatch(version): IfMatch,
    Body(body): Body<ChangeUser>,
) -> Result<impl IntoResponse, Problem> {
    let id = app.resolve(Table::Users, "user", &id).await?;
    let changes = UserChanges {
        name: body.name,
        password: body.password,
        role: body.role.map(Role::from),
        enabled: body.enabled,
        device_limit: body.device_limit,
        must_change_password: body.must_change_password,
    };
    let user = app.change_user(&by, id, changes, version).await?;
    Ok(([etag(user.version)], Json(UserDocument::from(user))))
}

/// What the removal of a user would change.
#[derive(Debug, Serialize, ToSchema)]
pub struct RemovalDocument {
    /// The user.
    user: UserDocument,
    /// Devices that would stay enrolled without a user.
    devices: u32,
    /// Tokens that would end.
    tokens: usize,
    /// True: nothing was changed.
    dry_run: bool,
}

/// Removes a user. Sign-in and new enrollments end at once, tokens with them; devices stay enrolled without a user.
#[utoipa::path(delete, path = "/api/v1/users/{id}", tag = "users",
    params(("id" = String, Path), DryRunQuery,
        ("If-Match" = Option<String>, Header, description = "Only that version, by its ETag")),
    responses((status = 204), (status = 200, description = "The answer to a dry run", body = RemovalDocument)))]
pub async fn remove(
    State(app): State<App>,
    By(by): By,
    Path(id): Path<String>,
    Params(query): Params<DryRunQuery>,
    IfMatch(version): IfMatch,
) -> Result<Response, Problem> {
    let id = app.resolve(Table::Users, "user", &id).await?;
    let dry_run = query.is_dry();
    let removal = app.remove_user(&by, id, version, dry_run).await?;
    if !dry_run {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let (user, devices, tokens) = (removal.user.into(), removal.devices, removal.tokens);
    Ok(Json(RemovalDocument { user, devices, tokens, dry_run }).into_response())
}
