//! `/enrollment-attempts`: the ledger of enrollments, failures included.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use super::{List, page, stamp, word};
use crate::app::App;
use crate::app::ports::AttemptFilter;
use crate::domain::attempt::{Attempt, Outcome, Road};
use crate::domain::hresult::Explanation;
use crate::domain::refused::Refused;
use crate::http::error::Problem;
use crate::http::extract::Params;

/// An attempt to enroll.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttemptDocument {
    /// Identifier.
    id: String,
    /// First message.
    #[schema(format = DateTime)]
    started_at: String,
    /// Last message.
    #[schema(format = DateTime)]
    updated_at: String,
    /// User name or address as typed.
    email: String,
    /// Where it came from.
    address: String,
    /// By which road it came: `password`, `pin` (of an invitation), `password_and_pin`, `package`, `package_pin` (of a bulk
    /// package), `web_token`, or `certificate` (a renewal). Of one that was refused, the one that was tried; null before
    /// a credential came.
    road: Option<&'static str>,
    /// How far it came: `discover`, `policy`, `enroll` or `renew`; `session` where the device got its certificate and had no
    /// session for half an hour.
    phase: &'static str,
    /// `open`, `succeeded` or `failed`.
    outcome: &'static str,
    /// What happened, in words.
    cause: String,
    /// The HRESULT that the person at the device saw.
    #[schema(example = "0x80180002")]
    hresult: Option<String>,
    /// The reference that device and log share.
    trace_id: String,
    /// Name of the device, where it was told.
    device_name: Option<String>,
    /// Version of the operating system, where it was told.
    os_version: Option<String>,
    /// What it led to.
    enrollment_id: Option<String>,
    /// Why it was refused, where that says more than its code: `policy_not_offered`, `domain_not_served`, `stale_url`,
    /// `account_disabled`, `password_change`, `device_limit`, `package_used_up`, `home`, `edition`, `too_old`, `too_new`,
    /// `personal`, `network`, `not_registered`, `registration_in_use`, `full` or `request_type`.
    refused: Option<&'static str>,
    /// By what the device can be registered (`POST /registered-devices` with `attempt_id`), by kind.
    claims: BTreeMap<&'static str, String>,
    /// How often the same came within half an hour: a refusal again and again.
    times: u32,
    /// Whether the device said no more though nothing was refused.
    stopped: bool,
    /// What to make of one that did not come to its end; null for others.
    advice: Option<AdviceDocument>,
}

/// What a code of Windows, or a stop, means.
#[derive(Debug, Serialize, ToSchema)]
pub struct AdviceDocument {
    /// The constant of Windows' headers, or the kind of the code.
    #[schema(example = "MENROLL_E_DEVICECAPREACHED")]
    name: String,
    /// What happened.
    cause: String,
    /// What to do.
    fix: String,
}

impl From<Explanation> for AdviceDocument {
    fn from(explanation: Explanation) -> Self {
        let Explanation { name, english, .. } = explanation;
        Self { name: name.into_owned(), cause: english.cause.into_owned(), fix: english.fix.into_owned() }
    }
}

impl AttemptDocument {
    /// As it stands at that moment.
    fn new(attempt: Attempt, now: OffsetDateTime) -> Self {
        let phase = attempt.reached(now).as_str();
        Self {
            phase,
            stopped: attempt.has_stopped(now),
            advice: attempt.explanation(now).map(AdviceDocument::from),
            id: attempt.id.to_string(),
            started_at: stamp(attempt.started_at),
            updated_at: stamp(attempt.updated_at),
            email: attempt.email,
            address: attempt.address,
            road: attempt.road.map(Road::as_str),
            refused: attempt.refused.map(Refused::as_str),
            claims: attempt.claims.into_iter().map(|(kind, value)| (kind.as_str(), value)).collect(),
            times: attempt.times,
            outcome: attempt.outcome.as_str(),
            cause: attempt.cause,
            hresult: attempt.hresult.map(|code| format!("0x{code:08X}")),
            trace_id: attempt.trace_id,
            device_name: attempt.device_name,
            os_version: attempt.os_version,
            enrollment_id: attempt.enrollment_id.map(|id| id.to_string()),
        }
    }
}

/// Which attempts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AttemptQuery {
    /// `open`, `succeeded` or `failed`.
    outcome: Option<String>,
    /// With that reference.
    trace_id: Option<String>,
    /// Of that user name.
    email: Option<String>,
    /// Most items, 1 to 500; default 50.
    limit: Option<u32>,
    /// `next_cursor` of the part before.
    cursor: Option<String>,
}

/// Lists attempts to enroll, newest first.
#[utoipa::path(get, path = "/api/v1/enrollment-attempts", tag = "enrollment", params(AttemptQuery),
    responses((status = 200, body = List<AttemptDocument>)))]
pub async fn list(
    State(app): State<App>,
    Params(query): Params<AttemptQuery>,
) -> Result<Json<List<AttemptDocument>>, Problem> {
    let page = page(query.limit, query.cursor.as_deref())?;
    let filter = AttemptFilter {
        outcome: word("outcome", query.outcome.as_deref(), Outcome::parse)?,
        trace_id: query.trace_id.filter(|text| !text.is_empty()),
        email: query.email.filter(|text| !text.is_empty()),
    };
    let (found, now) = (app.attempts(&filter, &page).await?, app.now());
    Ok(Json(List::of(found, |attempt| AttemptDocument::new(attempt, now))))
}
