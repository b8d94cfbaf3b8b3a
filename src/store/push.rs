//! Push: channels, sealed each under its enrollment, and what devices told about their registration.

use super::engine::{Engine, Row, Statement, Value};
use super::query::one;
use crate::app::ports::{Sealer, StoreError};
use crate::domain::Id;
use crate::domain::enrollment::Enrollment;
use crate::domain::push::{ChannelUri, Push, PushChange, Registration};

pub(super) async fn find(
    engine: &dyn Engine,
    sealer: &dyn Sealer,
    enrollment: Id<Enrollment>,
) -> Result<Option<Push>, StoreError> {
    one(engine, FIND, vec![enrollment.into()], |row| read(row, sealer)).await
}

/// Each change has columns of its own, so that two that come at once do not undo each other.
pub(super) fn change(enrollment: Id<Enrollment>, change: &PushChange, sealer: &dyn Sealer) -> Statement {
    let (sql, values): (_, Vec<Value>) = match change {
        PushChange::Registered(Registration { pfn, status, at }) => {
            (SAVE_REGISTRATION, vec![pfn.as_deref().into(), (*status).into(), (*at).into()])
        }
        PushChange::Channel { uri, refusal, at } => {
            let sealed = uri.as_ref().map(|uri| sealer.seal(&purpose(enrollment), uri.expose().as_bytes()));
            (SAVE_CHANNEL, vec![sealed.into(), refusal.as_deref().into(), (*at).into()])
        }
        PushChange::Status { status, at } => (SAVE_STATUS, vec![status.as_str().into(), (*at).into()]),
    };
    Statement::one(sql, std::iter::once(enrollment.into()).chain(values).collect())
}

fn read(row: &Row, sealer: &dyn Sealer) -> Result<Push, StoreError> {
    let row = row.of("push");
    let enrollment = row.id("enrollment_id")?;
    let open = |sealed: &[u8]| {
        let opened =
            sealer.open(&purpose(enrollment), sealed).map_err(|error| row.odd("channel", &error.to_string()))?;
        let text = String::from_utf8(opened).map_err(|_| row.odd("channel", "holds no text"))?;
        Ok::<_, StoreError>(ChannelUri::received(&text))
    };
    Ok(Push {
        registration: Registration {
            pfn: row.opt_string("pfn")?,
            status: row.opt_number("pfn_status")?,
            at: row.opt_time("pfn_at")?,
        },
        channel: row.opt_bytes("channel")?.map(open).transpose()?.flatten(),
        channel_seq: row.number("channel_seq")?,
        channel_at: row.opt_time("channel_at")?,
        refusal: row.opt_string("refusal")?,
        status: row.opt_string("status")?,
        status_at: row.opt_time("status_at")?,
    })
}

/// Moved to another enrollment it does not open.
fn purpose(enrollment: Id<Enrollment>) -> String {
    format!("push-channel {enrollment}")
}

pub(super) const FIND: &str = "SELECT * FROM push WHERE enrollment_id = $1";

const SAVE_REGISTRATION: &str = "
    INSERT INTO push (enrollment_id, pfn, pfn_status, pfn_at, channel_seq) VALUES ($1, $2, $3, $4, 0)
    ON CONFLICT (enrollment_id) DO UPDATE SET
        pfn = excluded.pfn, pfn_status = excluded.pfn_status, pfn_at = excluded.pfn_at";

const SAVE_CHANNEL: &str = "
    INSERT INTO push (enrollment_id, channel, refusal, channel_at, channel_seq) VALUES ($1, $2, $3, $4, 1)
    ON CONFLICT (enrollment_id) DO UPDATE SET
        channel = excluded.channel, refusal = excluded.refusal, channel_at = excluded.channel_at,
        channel_seq = push.channel_seq + 1";

const SAVE_STATUS: &str = "
    INSERT INTO push (enrollment_id, status, status_at, channel_seq) VALUES ($1, $2, $3, 0)
    ON CONFLICT (enrollment_id) DO UPDATE SET status = excluded.status, status_at = excluded.status_at";
