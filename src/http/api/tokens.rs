//! `/tokens`: bearer tokens.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::period::Period;
use super::users::RoleWord;
use super::{List, page, stamp};
use crate::app::App;
use crate::app::ports::Table;
use crate::app::tokens::{NewToken, TokenView};
use crate::domain::Id;
use crate::domain::user::User;
use crate::http::auth::By;
use crate::http::error::Problem;
use crate::http::extract::{Body, IdempotencyKey, NoParams, Params};

/// A token, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenDocument {
    /// Identifier.
    id: String,
    /// What it is for.
    name: String,
    /// What it may do, at most: `user`, `viewer`, `operator` or `admin`.
    role: &'static str,
    /// Whose authority it carries.
    user: Option<String>,
    /// That user's identifier.
    user_id: String,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it ends; null: not by itself.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// When it was withdrawn.
    #[schema(format = DateTime)]
    revoked_at: Option<String>,
}

impl From<TokenView> for TokenDocument {
    fn from(view: TokenView) -> Self {
        let token = view.token;
        Self {
            id: token.id.to_string(),
            name: token.name,
            role: token.role.as_str(),
            user: view.user,
            user_id: token.user_id.to_string(),
            created_at: stamp(token.created_at),
            expires_at: token.expires_at.map(stamp),
            revoked_at: token.revoked_at.map(stamp),
        }
    }
}

/// A token that was just made.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewTokenDocument {
    /// The token.
    #[serde(flatten)]
    document: TokenDocument,
    /// The secret, shown this once; null where an earlier request with the same `Idempotency-Key` made the token.
    token: Option<String>,
}

/// A token to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddToken {
    /// What it is for.
    #[schema(example = "inventory script")]
    name: String,
    /// What it may do: at most what its maker and its user may.
    role: RoleWord,
    /// Identifier of the user whose authority it carries; default: whoever asks.
    user_id: Option<String>,
    /// How long it works; default: until it is revoked.
    expires_in: Option<Period>,
}

/// Which tokens.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TokenQuery {
    /// Most items, 1 to 500; default 50.
    limit: Option<u32>,
    /// `next_cursor` of the part before.
    cursor: Option<String>,
}

/// Lists tokens, newest first.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "tokens", params(TokenQuery),
    responses((status = 200, body = List<TokenDocument>)))]
pub async fn list(
    State(app): State<App>,
    Params(query): Params<TokenQuery>,
) -> Result<Json<List<TokenDocument>>, Problem> {
    let page = page(query.limit, query.cursor.as_deref())?;
    Ok(Json(List::of(app.tokens(&page).await?, TokenDocument::from)))
}

/// Makes a token and shows its secret, this once.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "tokens", request_body = AddToken,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repetition harmless")),
    responses((status = 201, body = NewTokenDocument)))]
pub async fn add(
    State(app): State<App>,
    By(by): By,
    NoParams: NoParams,
    key: IdempotencyKey,
    Body(body): Body<AddToken>,
) -> Result<impl IntoResponse, Problem> {
    let user: Option<Id<User>> = match &body.user_id {
        Some(text) => Some(app.resolve(Table::Users, "user", text).await?),
        None => None,
    };
    let new =
        NewToken { name: body.name, role: body.role.into(), user, expires_in: body.expires_in.map(|period| period.0) };
    let made = app.add_token(&by, new, key.as_deref()).await?;
    let token = made.secret.map(|secret| secret.expose_secret().to_owned());
    Ok((StatusCode::CREATED, Json(NewTokenDocument { document: made.view.into(), token })))
}

/// Withdraws a token.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", tag = "tokens", params(("id" = String, Path)),
    responses((status = 204)))]
pub async fn revoke(
    State(app): State<App>,
    By(by): By,
    Path(id): Path<String>,
    NoParams: NoParams,
) -> Result<StatusCode, Problem> {
    let id = app.resolve(Table::Tokens, "token", &id).await?;
    app.revoke_token(&by, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
