//! From a client certificate to an enrollment: the certificate alone is the identity (management reference 5.2).

use std::net::IpAddr;

use aws_lc_rs::digest::{SHA256, digest};
use time::Duration;

use super::{App, AuditObject, Error, Principal};
use crate::domain::Id;
use crate::domain::certificate::Certificate;
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
    #[error("a revoked certificate")]
    Revoked,
    /// Past its end.
    #[error("an expired certificate")]
    Expired,
    /// Its enrollment is over.
    #[error("a certificate of an enrollment that is {0}")]
    Closed(&'static str),
    /// It could not be looked up.
    #[error("the database is not available")]
    Store(#[source] Error),
}

/// How long the certificate of a device that left is good for a repetition of its last message.
const FAREWELL: Duration = Duration::minutes(10);

impl App {
    /// Finds the enrollment of a presented certificate. Asked for every request, because a resumed TLS session or an open
    /// connection says nothing about revocation.
    pub async fn identify(&self, certificate: Option<&[u8]>, address: IpAddr) -> Result<DeviceIdentity, Unidentified> {
        let found = self.identify_quietly(certificate, address).await;
        if let Err(refused) = &found {
            tracing::warn!(%address, cause = %refused, "device request refused");
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
        // The message with which a device left may come once more; `check_in` lets nothing else through.
        let just_left = enrollment.state == EnrollmentState::Retired && now - enrollment.state_since <= FAREWELL;
        if just_left && certificate.revoked_at.is_none_or(|at| at >= enrollment.state_since) {
            return Ok(());
        }
        if certificate.revoked_at.is_some() {
            return Err(Unidentified::Revoked);
        }
        if now > certificate.not_after || now < certificate.not_before {
            return Err(Unidentified::Expired);
        }
        if !enrollment.state.is_open() {
            return Err(Unidentified::Closed(enrollment.state.as_str()));
        }
        Ok(())
    }

    async fn audit_refusal(&self, address: IpAddr, refused: &Unidentified) {
        if matches!(refused, Unidentified::Store(_)) || !self.memory.throttles.allow_row(address) {
            return;
        }
        let by = Principal {
            name: "device:unidentified".to_owned(),
            user_id: None,
            role: Role::User,
            address: address.to_string(),
        };
        let object = AuditObject { kind: "management", id: String::new(), name: String::new() };
        let row = self.audit(&by, "device.check_in", object, "refused", &refused.to_string());
        if let Err(error) = self.commit(vec![row]).await {
            tracing::error!(%error, "a refused device request could not be audited");
        }
    }
}

fn store(error: super::ports::StoreError) -> Unidentified {
    Unidentified::Store(error.into())
}
