//! For operators, on a listener of their own: health, readiness, metrics.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use super::Shared;
use crate::observe::METRICS_TYPE;

/// `GET /healthz`: the process answers.
pub(super) async fn health() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: what a request needs is there: the database, which was not given up, and a CA that has not ended.
pub(super) async fn ready(State(shared): State<Shared>) -> (StatusCode, String) {
    if !shared.gate.is_open() {
        return (StatusCode::SERVICE_UNAVAILABLE, "the database was given up; start the server again\n".to_owned());
    }
    let app = &shared.app;
    if app.authority.current().not_after() <= app.now() {
        return (StatusCode::SERVICE_UNAVAILABLE, "the device issuing CA has expired\n".to_owned());
    }
    match tokio::time::timeout(ANSWER_WITHIN, app.check_storage()).await {
        // Sessions go on, so it is ready; what does not is told.
        Ok(Ok(())) => match app.authority.current().alarm() {
            None => (StatusCode::OK, "ready\n".to_owned()),
            Some(alarm) => {
                let told = format!("ready\nwarning: nobody can enroll, and no device renew its certificate: {alarm}\n");
                (StatusCode::OK, told)
            }
        },
        Ok(Err(error)) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n".to_owned()),
    }
}

/// Longer than the database of another program's lock is waited for, and not so long that whoever asks gives up.
const ANSWER_WITHIN: Duration = Duration::from_secs(8);

/// `GET /metrics`.
pub(super) async fn metrics(State(shared): State<Shared>) -> impl IntoResponse {
    let app = &shared.app;
    // Where the database does not answer, the numbers of the last time stand.
    if let Ok(Ok(progress)) = tokio::time::timeout(ANSWER_WITHIN, app.ca_progress()).await {
        let can_sign = app.authority.current().alarm().is_none();
        shared.metrics.ca(can_sign, progress.devices_without_root, progress.certificates_of_previous);
    }
    shared.metrics.certificates_due(app.late_renewals());
    shared.metrics.rows_left_out(app.rows_left_out());
    let commits = app.commits().counts();
    let text = shared.metrics.render(app.hasher.computed(), crate::store::sqlite_steps(), &commits);
    ([(CONTENT_TYPE, METRICS_TYPE)], text)
}
