//! `/drain`: the server lets go of its database, which is about to move.

use axum::extract::State;
use axum::http::StatusCode;

use crate::http::Shared;
use crate::http::auth::By;
use crate::http::error::Problem;
use crate::http::extract::NoParams;

/// The one request that is not waited for: it waits for the others.
pub const PATH: &str = "/api/v1/drain";

/// Lets go of the database, and answers when it is closed. From then on the server answers every request with 503, until
/// it is started again.
#[utoipa::path(post, path = "/api/v1/drain", tag = "server", responses((status = 204)))]
pub async fn drain(State(shared): State<Shared>, By(by): By, NoParams: NoParams) -> Result<StatusCode, Problem> {
    shared.app.note_drain(&by).await?;
    shared.gate.drain().await;
    Ok(StatusCode::NO_CONTENT)
}
