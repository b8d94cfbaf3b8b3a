//! From a client certificate to an enrollment: the certificate alone is the identity (management reference 5.2).

use std::fmt;
use std::net::IpAddr;

use aws_lc_rs::digest::{SHA256, digest};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::enroll::ENROLLED_AGAIN;
use super::ledger::cut;
use super::{App, AuditObject, Error, Principal};
use crate::domain::Id;
use crate::domain::certificate::Certificate;
use crate::domain::device::Device;
use crate::domain::enrollment::{Enrollment, EnrollmentState};
use crate::domain::user::Role;

/// The enrollment that a certificate stands for.
#[derive(Clone, Debug)]
pub struct DeviceIdentity {
    /// The enrollment.
    pub enrollment_id: Id<Enrollment>,
    /// Where the request came from.
    pub address: IpAddr,
}

/// Why a certificate stands for nobody. All are answered alike; the words are for the audit trail.
#[derive(Debug, thiserror::Error)]
pub enum Unidentified {
    /// No certificate was presented.
    #[error("no client certificate")]
    Missing,
    /// Not one of ours.
    #[error("a certificate that was not issued here")]
    Unknown,
    /// Revoked.
    #[error("a revoked certificate: {0}")]
    Revoked(TurnedAway),
    /// Past its end, or before its beginning.
    #[error("a certificate out of its time: {0}")]
    Expired(TurnedAway),
    /// Its enrollment is over.
    #[error("a certificate of an enrollment that is over: {0}")]
    Closed(TurnedAway),
    /// It could not be looked up.
    #[error("the database is not available")]
    Store(#[source] Error),
}

/// Whose certificate is turned away, and why.
#[derive(Clone, Debug)]
pub struct TurnedAway {
    /// The enrollment it was issued to.
    pub enrollment_id: Id<Enrollment>,
    /// Its hardware.
    pub device_id: Id<Device>,
    /// Why, in words.
    pub reason: String,
}

impl fmt::Display for TurnedAway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl Unidentified {
    /// Whose certificate it is, where that is known.
    #[must_use]
    pub fn turned(&self) -> Option<&TurnedAway> {
        match self {
            Self::Revoked(turned) | Self::Expired(turned) | Self::Closed(turned) => Some(turned),
            Self::Missing | Self::Unknown | Self::Store(_) => None,
        }
    }
}

/// How long the certificate of a device that left is good for a repetition of its last message.
const FAREWELL: Duration = Duration::minutes(10);

/// How far the clock may have been put back since a certificate was issued.
const CLOCK_PUT_BACK: Duration = Duration::DAY;

impl App {
    /// Finds the enrollment of a presented certificate. Asked for every request, because a resumed TLS session or an open
    /// connection says nothing about revocation.
    pub async fn identify(&self, certificate: Option<&[u8]>, address: IpAddr) -> Result<DeviceIdentity, Unidentified> {
        let found = self.identify_quietly(certificate, address).await;
        if let Err(refused) = &found {
            let turned = refused.turned();
            tracing::warn!(
                %address,
                cause = cut(&refused.to_string()),
                enrollment_id = turned.map(|turned| turned.enrollment_id.to_string()),
                device_id = turned.map(|turned| turned.device_id.to_string()),
                "device request refused"
            );
            self.audit_refusal(address, refused).await;
        }
        found
    }

    async fn identify_quietly(&self, der: Option<&[u8]>, address: IpAddr) -> Result<DeviceIdentity, Unidentified> {
        let der = der.ok_or(Unidentified::Missing)?;
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest(&SHA256, der).as_ref());
        let certificate = self.store.certificate(&sha256).await.map_err(store)?.ok_or(Unidentified::Unknown)?;
        let enrollment =
            self.store.enrollment(certificate.enrollment_id).await.map_err(store)?.ok_or(Unidentified::Unknown)?;
        self.judge(&certificate, &enrollment)?;
        Ok(DeviceIdentity { enrollment_id: enrollment.id, address })
    }

    fn judge(&self, certificate: &Certificate, enrollment: &Enrollment) -> Result<(), Unidentified> {
        let now = self.now();
        if self.may_say_farewell(certificate, enrollment, now) {
            return Ok(());
        }
        let turned =
            |reason: String| TurnedAway { enrollment_id: enrollment.id, device_id: enrollment.device_id, reason };
        if certificate.revoked_at.is_some() {
            let known = certificate.revoked_reason.as_ref().or(enrollment.closed_reason.as_ref());
            return Err(Unidentified::Revoked(turned(
                known.cloned().unwrap_or_else(|| "no reason was given".to_owned()),
            )));
        }
        if now > certificate.not_after {
            return Err(Unidentified::Expired(turned(format!("it ended at {}", in_words(certificate.not_after)))));
        }
        // We issued it: if it has not begun, our clock was put back.
        if now + CLOCK_PUT_BACK < certificate.not_before {
            return Err(Unidentified::Expired(turned(format!("it begins at {}", in_words(certificate.not_before)))));
        }
        if !enrollment.state.is_open() {
            let state = enrollment.state.as_str();
            let reason = enrollment.closed_reason.as_ref();
            return Err(Unidentified::Closed(turned(
                reason.map_or_else(|| state.to_owned(), |reason| format!("{state}, {reason}")),
            )));
        }
        Ok(())
    }

    /// The message with which a device left may come once more; `check_in` lets nothing else through. A machine that was
    /// enrolled again did not leave.
    fn may_say_farewell(&self, certificate: &Certificate, enrollment: &Enrollment, now: OffsetDateTime) -> bool {
        enrollment.state == EnrollmentState::Retired
            && now - enrollment.state_since <= FAREWELL
            && enrollment.closed_reason.as_deref() != Some(ENROLLED_AGAIN)
            && certificate.revoked_at.is_none_or(|at| at >= enrollment.state_since)
    }

    async fn audit_refusal(&self, address: IpAddr, refused: &Unidentified) {
        if matches!(refused, Unidentified::Store(_)) || !self.memory.throttles.allow_row(address) {
            return;
        }
        let (who, object) = match refused.turned() {
            Some(turned) => (turned.enrollment_id.to_string(), self.device_object(turned.device_id).await),
            None => {
                let object = AuditObject { kind: "management", id: String::new(), name: String::new() };
                ("unidentified".to_owned(), object)
            }
        };
        let by =
            Principal { name: format!("device:{who}"), user_id: None, role: Role::User, address: address.to_string() };
        let row = self.audit(&by, "device.check_in", object, "refused", &cut(&refused.to_string()));
        if let Err(error) = self.commit(vec![row]).await {
            tracing::error!(%error, "a refused device request could not be audited");
        }
    }

    /// A device for the audit trail; what cannot be looked up leaves out its name.
    async fn device_object(&self, id: Id<Device>) -> AuditObject<'static> {
        let view = self.store.device(id).await.ok().flatten();
        let name = view.map(|view| view.device.name).unwrap_or_default();
        AuditObject { kind: "device", id: id.to_string(), name }
    }
}

fn in_words(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}

fn store(error: super::ports::StoreError) -> Unidentified {
    Unidentified::Store(error.into())
}

#[cfg(test)]
#[path = "identify/tests.rs"]
mod tests;
