//! What a device has of its provisioning document that can be set anew.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::stamp;

use crate::domain::enrollment::Enrollment;
use crate::proto::syncml::{StatusCode, status_words};
use crate::proto::wap::{Poll, Renewal};
use crate::session::{Given, Part, Provisioned, Standing, TrustedCa, Wanted};

/// How often a device calls, and when and where it renews its certificate.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct ProvisioningStanding {
    /// How often it calls.
    poll: PartDocument<Poll>,
    /// When and where it renews.
    renewal: PartDocument<Renewal>,
    /// The root of ours that it trusts, by thumbprint.
    trusted_root: PartDocument<String>,
}

/// One part of it.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct PartDocument<T> {
    /// `current`, `due` (it is told in its next session), `refused` or `unanswered` (it is not told again; of a root, after a day).
    #[schema(example = "current")]
    state: &'static str,
    /// What the device has; null where that is not known.
    has: Option<T>,
    /// What it refused, did not answer, or is being told; null where there is nothing.
    missed: Option<T>,
    /// What it answered to that (OMA-DM).
    status: Option<u16>,
    /// The same in words.
    reason: Option<String>,
    /// When it was told.
    #[schema(format = DateTime)]
    told_at: Option<String>,
}

impl ProvisioningStanding {
    pub(super) fn new(
        (provisioned, wanted): (Provisioned, Wanted),
        enrollment: &Enrollment,
        now: OffsetDateTime,
    ) -> Self {
        let Provisioned { poll, renewal, ca } = provisioned;
        Self {
            poll: part(poll, wanted.poll.as_ref(), enrollment, now),
            renewal: part(renewal, wanted.renewal.as_ref(), enrollment, now),
            trusted_root: trusted_root(ca, wanted.ca.as_ref(), enrollment, now),
        }
    }
}

fn trusted_root(
    ca: Part<TrustedCa>,
    wanted: Option<&TrustedCa>,
    enrollment: &Enrollment,
    now: OffsetDateTime,
) -> PartDocument<String> {
    let PartDocument { state, has, missed, status, reason, told_at } = part(ca, wanted, enrollment, now);
    let (has, missed) = (has.map(|ca| ca.root), missed.map(|ca| ca.root));
    PartDocument { state, has, missed, status, reason, told_at }
}

fn part<T: Given>(part: Part<T>, wanted: Option<&T>, enrollment: &Enrollment, now: OffsetDateTime) -> PartDocument<T> {
    let standing = wanted.map_or(Standing::Current, |wanted| part.standing(wanted, enrollment, now));
    let missed = part.missed.filter(|_| standing != Standing::Current);
    PartDocument {
        state: standing.as_str(),
        has: part.has,
        status: missed.as_ref().and_then(|missed| missed.status),
        reason: missed
            .as_ref()
            .and_then(|missed| missed.status)
            .map(|status| status_words(StatusCode(status)).to_owned()),
        told_at: missed.as_ref().map(|missed| stamp(missed.at)),
        missed: missed.map(|missed| missed.value),
    }
}
