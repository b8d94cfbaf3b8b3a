//! From what a request shows to an enrollment: the certificate alone is the identity (management reference 5.2).
//!
//! Where no certificate reaches us in TLS, an administrator may open other ways: [`sender`] says in which order they are
//! tried, [`signer`] how a signed message proves its device.

mod renewing;
mod sender;
mod signer;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::check_in::Loaded;
use super::enroll::ENROLLED_AGAIN;
use super::ledger::cut;
use super::ports::Write;
use super::{App, AuditObject, Error, Principal};
use crate::domain::Id;
use crate::domain::certificate::Certificate;
use crate::domain::device::Device;
use crate::domain::enrollment::{Enrollment, EnrollmentState};
use crate::domain::proof::Proof;
use crate::domain::user::Role;
use crate::session::SignatureMark;

pub use renewing::Renewing;
pub use sender::{Sender, Shown, Wanted};
pub use signer::Signer;

/// The enrollment that a request is from.
#[derive(Clone, Debug)]
pub struct DeviceIdentity {
    /// The enrollment.
    pub enrollment_id: Id<Enrollment>,
    /// Its hardware.
    pub device_id: Id<Device>,
    /// Where the request came from.
    pub address: IpAddr,
    /// What proves it, in the order of trust; nothing yet where only a credential in the message can.
    pub proofs: Vec<Proof>,
    /// The signature over the message, if it is among them.
    pub signature: Option<SignatureMark>,
    /// Whether the request carries a signature, looked at or not.
    pub signs: bool,
    /// What its certificate asks for beside, where one proves it.
    pub certificate: CertificateUse,
    /// What was loaded of the enrollment with its certificate.
    pub(super) known: Option<Arc<Loaded>>,
}

/// What is special about the certificate of a request.
#[derive(Clone, Debug, Default)]
pub struct CertificateUse {
    /// Its serial number, where it waits for its first use.
    pub waiting: Option<String>,
    /// When it ended, where it is let in although it did.
    pub expired_at: Option<OffsetDateTime>,
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
    /// What a proxy handed over is no certificate.
    #[error("{0}")]
    Unreadable(&'static str),
    /// Signed by another CA, not for clients, or of a time to come.
    #[error("a certificate that does not hold: {0}")]
    Unverified(String),
    /// Every message has to be signed, and this one is not.
    #[error("no signature over the message")]
    Unsigned,
    /// A signature that is not good.
    #[error("a message signature that does not hold: {0}")]
    Signature(String),
    /// A signature of a device of ours that is not good for this message.
    #[error("a message signature that does not hold: {0}")]
    Forged(TurnedAway),
    /// The certificate is of one device and the signature of another.
    #[error("the certificate of one device and the signature of another")]
    TwoDevices,
    /// A wrong credential in the message.
    #[error("a wrong digest credential: {0}")]
    Credential(TurnedAway),
    /// Nothing proves the device that the message names, and none of that name is known.
    #[error("no certificate, and a name that no device has")]
    Stranger,
    /// Revoked.
    #[error("a revoked certificate: {0}")]
    Revoked(TurnedAway),
    /// The device was seen with a newer one.
    #[error("a superseded certificate: {0}")]
    Superseded(TurnedAway),
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
            Self::Revoked(turned)
            | Self::Superseded(turned)
            | Self::Expired(turned)
            | Self::Closed(turned)
            | Self::Forged(turned)
            | Self::Credential(turned) => Some(turned),
            Self::Missing
            | Self::Unknown
            | Self::Unreadable(_)
            | Self::Unverified(_)
            | Self::Unsigned
            | Self::Signature(_)
            | Self::TwoDevices
            | Self::Stranger
            | Self::Store(_) => None,
        }
    }
}

/// How long the certificate of a device that left is good for a repetition of its last message.
const FAREWELL: Duration = Duration::minutes(10);

/// How far the clock may have been put back since a certificate was issued.
const CLOCK_PUT_BACK: Duration = Duration::DAY;

impl App {
    /// Tells of a request that is refused, in the log and in the audit trail.
    async fn tell_refusal(&self, address: IpAddr, refused: &Unidentified) {
        log_refusal(address, refused);
        self.audit_refusal(address, refused).await;
    }

    /// Finds the enrollment of a certificate. Asked for every request, because a resumed TLS session or an open connection
    /// says nothing about revocation.
    async fn owner(&self, der: &[u8], proof: Proof, address: IpAddr) -> Result<DeviceIdentity, Unidentified> {
        let (certificate, loaded) = self.load_by(der).await?;
        let enrollment = &loaded.known.enrollment;
        let certificate = match self.judge(&certificate, enrollment) {
            Ok(special) => special,
            Err(refused) => {
                self.remark_expiry(&refused, certificate, loaded.known.enrollment).await;
                return Err(refused);
            }
        };
        Ok(DeviceIdentity {
            enrollment_id: enrollment.id,
            device_id: enrollment.device_id,
            address,
            proofs: vec![proof],
            signature: None,
            signs: false,
            certificate,
            known: Some(Arc::new(loaded)),
        })
    }

    /// A certificate of ours and its enrollment.
    pub(super) async fn looked_up(&self, der: &[u8]) -> Result<(Certificate, Enrollment), Unidentified> {
        let (certificate, loaded) = self.load_by(der).await?;
        Ok((certificate, loaded.known.enrollment))
    }

    /// A certificate of ours, and what is known of its enrollment.
    async fn load_by(&self, der: &[u8]) -> Result<(Certificate, Loaded), Unidentified> {
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest(&SHA256, der).as_ref());
        let moment = self.memory.behind.moment();
        let known = self.store.known_by_certificate(&sha256).await.map_err(store)?;
        let (certificate, known) = known.ok_or(Unidentified::Unknown)?;
        Ok((certificate, Loaded { known, moment }))
    }

    pub(super) fn judge(
        &self,
        certificate: &Certificate,
        enrollment: &Enrollment,
    ) -> Result<CertificateUse, Unidentified> {
        let now = self.now();
        if self.may_say_farewell(certificate, enrollment, now) {
            return Ok(CertificateUse::default());
        }
        let turned =
            |reason: String| TurnedAway { enrollment_id: enrollment.id, device_id: enrollment.device_id, reason };
        if certificate.revoked_at.is_some() {
            let known = certificate.revoked_reason.as_ref().or(enrollment.closed_reason.as_ref());
            return Err(Unidentified::Revoked(turned(
                known.cloned().unwrap_or_else(|| "no reason was given".to_owned()),
            )));
        }
        if let Some(at) = certificate.superseded_at {
            let words = format!("the device has used its next one since {}", in_words(at));
            return Err(Unidentified::Superseded(turned(words)));
        }
        let is_over = now > certificate.not_after;
        if is_over && now > certificate.not_after + self.settings.renewal.grace() {
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
        Ok(CertificateUse {
            waiting: certificate.is_waiting().then(|| certificate.serial.clone()),
            expired_at: is_over.then_some(certificate.not_after),
        })
    }

    /// The message with which a device left may come once more; `check_in` lets nothing else through. A machine that was
    /// enrolled again did not leave.
    fn may_say_farewell(&self, certificate: &Certificate, enrollment: &Enrollment, now: OffsetDateTime) -> bool {
        enrollment.state == EnrollmentState::Retired
            && now - enrollment.state_since <= FAREWELL
            && enrollment.closed_reason.as_deref() != Some(ENROLLED_AGAIN)
            && certificate.superseded_at.is_none()
            && certificate.revoked_at.is_none_or(|at| at >= enrollment.state_since)
    }

    async fn audit_refusal(&self, address: IpAddr, refused: &Unidentified) {
        let Some(row) = self.refusal_row(address, refused).await else { return };
        if let Err(error) = self.commit(vec![row]).await {
            tracing::error!(%error, "a refused device request could not be audited");
        }
    }

    /// The audit row of a refusal; none where it is our own fault, or too many come from one network.
    pub(super) async fn refusal_row(&self, address: IpAddr, refused: &Unidentified) -> Option<Write> {
        let throttles = &self.memory.throttles;
        if matches!(refused, Unidentified::Store(_))
            || !throttles.allow_row(address)
            || !throttles.allow_new_row(address)
        {
            return None;
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
        Some(self.audit(&by, "device.check_in", object, "refused", &cut(&refused.to_string())))
    }

    /// A device for the audit trail; what cannot be looked up leaves out its name.
    async fn device_object(&self, id: Id<Device>) -> AuditObject<'static> {
        let view = self.store.device(id).await.ok().flatten();
        let name = view.map(|view| view.device.name).unwrap_or_default();
        AuditObject { kind: "device", id: id.to_string(), name }
    }
}

/// The log line of a refusal.
pub(super) fn log_refusal(address: IpAddr, refused: &Unidentified) {
    let turned = refused.turned();
    tracing::warn!(
        %address,
        cause = cut(&refused.to_string()),
        enrollment_id = turned.map(|turned| turned.enrollment_id.to_string()),
        device_id = turned.map(|turned| turned.device_id.to_string()),
        "device request refused"
    );
}

pub(super) fn in_words(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}

fn store(error: super::ports::StoreError) -> Unidentified {
    Unidentified::Store(error.into())
}

#[cfg(test)]
#[path = "identify/tests.rs"]
mod tests;
