//! `/me`: whose token this is.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::users::UserDocument;
use crate::app::App;
use crate::http::auth::By;
use crate::http::error::Problem;

/// Who asks.
#[derive(Debug, Serialize, ToSchema)]
pub struct MeDocument {
    /// The name that the audit trail shows.
    name: String,
    /// What this token may do: the lesser of its own role and its user's.
    role: &'static str,
    /// The address that the server sees.
    address: String,
    /// The user behind the token.
    user: Option<UserDocument>,
}

/// Shows who asks.
#[utoipa::path(get, path = "/api/v1/me", tag = "me", responses((status = 200, body = MeDocument)))]
pub async fn show(State(app): State<App>, By(by): By) -> Result<Json<MeDocument>, Problem> {
    let user = match by.user_id {
        Some(id) => Some(UserDocument::from(app.user(id).await?)),
        None => None,
    };
    Ok(Json(MeDocument { name: by.name, role: by.role.as_str(), address: by.address, user }))
}
