//! Device certificates: listed, revoked, and the revocation list for everybody else.

use std::collections::HashMap;

use serde_json::json;
use time::{Duration, OffsetDateTime};
use tokio::sync::Mutex;

use super::ports::{Listed, Page, StoreError, Write};
use super::{App, AuditObject, Error, MOST_TRIES, Principal};
use crate::domain::Id;
use crate::domain::certificate::Certificate;
use crate::domain::device::Device;
use crate::domain::enrollment::Enrollment;
use crate::pki::crl::{Reason, Revoked};
use crate::pki::{Authority, PkiError, Serial};

/// A certificate with the hardware that it was issued to.
#[derive(Clone, Debug)]
pub struct CertificateView {
    /// The certificate.
    pub certificate: Certificate,
    /// The hardware.
    pub device_id: Option<Id<Device>>,
}

/// The last revocation list, until it is too old or something was revoked.
#[derive(Default)]
pub struct RevocationList(Mutex<LastLists>);

#[derive(Default)]
struct LastLists {
    /// By the id of their CA.
    signed: HashMap<[u8; 32], SignedList>,
    /// The number of the last list that this process signed.
    number: u64,
}

struct SignedList {
    der: Vec<u8>,
    made_at: OffsetDateTime,
}

impl RevocationList {
    /// Makes the next reader get a new list.
    pub(super) async fn drop_cached(&self) {
        self.0.lock().await.signed.clear();
    }
}

/// How long a list is handed out before it is made anew: the longest time until a revocation by another process shows.
const FRESH: Duration = Duration::MINUTE;
/// How long readers may rely on a list.
const NEXT_UPDATE: Duration = Duration::DAY;
/// Characters of a reason.
const LONGEST_REASON: usize = 500;

impl App {
    /// Certificates, newest first, of one device or all.
    ///
    /// # Errors
    /// The store's.
    pub async fn certificates(
        &self,
        device: Option<Id<Device>>,
        page: &Page,
    ) -> Result<Listed<CertificateView>, Error> {
        let listed = self.store.certificates(device, page).await?;
        let mut devices: HashMap<Id<Enrollment>, Option<Id<Device>>> = HashMap::new();
        let mut items = Vec::with_capacity(listed.items.len());
        for certificate in listed.items {
            let id = certificate.enrollment_id;
            if let std::collections::hash_map::Entry::Vacant(entry) = devices.entry(id) {
                entry.insert(self.store.enrollment(id).await?.map(|enrollment| enrollment.device_id));
            }
            items.push(CertificateView { certificate, device_id: devices[&id] });
        }
        Ok(Listed { items, next: listed.next })
    }

    /// Revokes a certificate: the device that has it is refused at its next request. With it goes the one that was asked for
    /// with it and that nobody has used. One that is revoked already stays as it is. `dry_run`: only says what would change.
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::NotFound`], or the store's.
    pub async fn revoke_certificate(
        &self,
        by: &Principal,
        serial: &str,
        reason: Option<String>,
        dry_run: bool,
    ) -> Result<CertificateView, Error> {
        let reason = check_reason(reason)?;
        for _ in 0..MOST_TRIES {
            let found = self.store.certificate_by_serial(serial).await?;
            let mut certificate = found.ok_or(Error::NotFound("certificate"))?;
            let enrollment = self.store.enrollment(certificate.enrollment_id).await?;
            let device_id = enrollment.as_ref().map(|enrollment| enrollment.device_id);
            if certificate.revoked_at.is_some() {
                return Ok(CertificateView { certificate, device_id });
            }
            let at = self.now();
            let words = reason.clone().unwrap_or_else(|| format!("revoked by {}", by.name));
            let mut writes = self.revocation(by, &certificate, device_id, at, &words);
            // A renewal at the same moment changes the enrollment too: one of both is judged again.
            writes.extend(enrollment.map(|enrollment| Write::UpdateEnrollment(Box::new(enrollment))));
            // Whoever has the key may have asked for the next certificate with it.
            for next in self.store.certificates_of(certificate.enrollment_id).await? {
                if next.is_waiting() && next.renews.as_ref() == Some(&certificate.serial) {
                    writes.extend(self.revocation(by, &next, device_id, at, &words));
                }
            }
            (certificate.revoked_at, certificate.revoked_reason) = (Some(at), Some(words));
            let view = CertificateView { certificate, device_id };
            if dry_run {
                return Ok(view);
            }
            match self.commit(writes).await {
                Err(StoreError::Conflict) => {}
                done => return Ok(done.map(|()| view)?),
            }
        }
        Err(StoreError::Conflict.into())
    }

    fn revocation(
        &self,
        by: &Principal,
        certificate: &Certificate,
        device: Option<Id<Device>>,
        at: OffsetDateTime,
        words: &str,
    ) -> Vec<Write> {
        let serial = certificate.serial.clone();
        let object = AuditObject { kind: "certificate", id: serial.clone(), name: certificate.subject.clone() };
        let data = json!({
            "serial": serial,
            "enrollment_id": certificate.enrollment_id,
            "reason": words,
            "by": by.name,
        });
        vec![
            Write::RevokeCertificate { serial, at, reason: words.to_owned() },
            self.audit(by, "certificate.revoke", object, "ok", words),
            self.event("cert.revoked", device.map(|id| id.to_string()), data),
        ]
    }

    /// The revocation list of the device issuing CA, DER. It is signed anew when something was revoked and every minute
    /// in which somebody asks.
    ///
    /// # Errors
    /// The store's, [`Error::Unavailable`] without the CA's key, or [`Error::Internal`] when it cannot be signed.
    pub async fn revocation_list(&self) -> Result<Vec<u8>, Error> {
        self.revocation_list_of(&self.authority.current()).await
    }

    /// The revocation list of the CA before, while it is trusted.
    ///
    /// # Errors
    /// [`Error::NotFound`] where there is none, else as [`App::revocation_list`].
    pub async fn previous_revocation_list(&self) -> Result<Vec<u8>, Error> {
        let set = self.authority.now();
        let previous = set.previous.as_ref().ok_or(Error::NotFound("previous CA"))?;
        self.revocation_list_of(previous).await
    }

    async fn revocation_list_of(&self, authority: &Authority) -> Result<Vec<u8>, Error> {
        // One signature at a time: a crowd that asks at once waits for the same list.
        let mut last = self.memory.revocation_list.0.lock().await;
        let (now, id) = (self.now(), authority.id());
        let known = last.signed.get(&id).filter(|list| (list.made_at..list.made_at + FRESH).contains(&now));
        if let Some(list) = known {
            return Ok(list.der.clone());
        }
        let issuer = authority.id_hex();
        let revoked = self.store.revoked_certificates(now).await?;
        let entries: Vec<Revoked> = revoked.iter().filter(|own| own.issuer == issuer).filter_map(entry).collect();
        // Milliseconds grow from list to list on whatever server it is made; two lists of one moment count on.
        let millis = u64::try_from(now.unix_timestamp_nanos() / 1_000_000).unwrap_or_default();
        let number = millis.max(last.number + 1);
        let der = authority.crl(number, now, now + NEXT_UPDATE, &entries).map_err(|cause| match cause {
            PkiError::KeyMissing(_) => Error::Unavailable(cause.to_string()),
            cause => Error::Internal(Box::new(cause)),
        })?;
        last.signed.insert(id, SignedList { der: der.clone(), made_at: now });
        last.number = number;
        Ok(der)
    }
}

/// Why in words is for people; the list says when, and leaves the reason code out.
fn entry(certificate: &Certificate) -> Option<Revoked> {
    let serial = Serial::parse(&certificate.serial)?;
    Some(Revoked { serial, at: certificate.revoked_at?, reason: Reason::Unspecified })
}

fn check_reason(reason: Option<String>) -> Result<Option<String>, Error> {
    let reason = reason.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    match reason {
        Some(text) if text.chars().count() > LONGEST_REASON || text.chars().any(char::is_control) => {
            Err(Error::invalid("/reason", format!("must have at most {LONGEST_REASON} printable characters")))
        }
        reason => Ok(reason),
    }
}

#[cfg(test)]
#[path = "certificates/tests.rs"]
mod tests;
