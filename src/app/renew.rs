//! Renewal of a device certificate: a request that the certificate before it signed (enrollment reference 6).
//!
//! The certificate before stays good until its device is seen with the new one, because the answer may be lost. So an
//! enrollment has the certificate in use and at most one that waits, which the database sees to: of two requests at once
//! one is granted.

mod expiry;
mod request;

use serde_json::json;
use time::OffsetDateTime;

use super::enroll::Enrolled;
use super::ledger::{Entry, cut};
use super::ports::{StoreError, Write};
use super::{
    App, Caller, CertificateUse, MOST_TRIES, NotRenewed, Principal, Refusal, Renewing, TurnedAway, Unidentified,
};
use crate::domain::attempt::{Outcome, Phase, Road};
use crate::domain::certificate::Certificate;
use crate::domain::device::is_usable_identifier;
use crate::domain::enrollment::{Enrollment, EnrollmentState, normalize_identifier};
use crate::domain::user::Role;
use crate::pki::{IssuedCertificate, hex};
use crate::proto::wap::RenewalDocument;
use crate::proto::wstep::RequestSecurityToken;

use request::NextKey;

/// A device that asks for its next certificate. That is signed once, however often the rest has to be done again.
struct Applicant<'a> {
    /// The certificate in use, DER.
    der: Vec<u8>,
    next: NextKey,
    request: &'a RequestSecurityToken,
    caller: &'a Caller,
    /// The serial number of the one that waited when it asked.
    waited: Option<Option<String>>,
    is_counted: bool,
    issued: Option<IssuedCertificate>,
}

/// Why one try did not renew.
enum Attempted {
    /// Something changed meanwhile.
    Again,
    /// For good.
    Refused(Refusal),
}

impl<R: Into<Refusal>> From<R> for Attempted {
    fn from(refusal: R) -> Self {
        Self::Refused(refusal.into())
    }
}

impl App {
    /// Answers a RequestSecurityToken for the next certificate. The user name and the empty password beside it prove nothing
    /// and are not looked at.
    ///
    /// # Errors
    /// The [`Refusal`] that the device gets.
    pub async fn renew(
        &self,
        renewing: &Renewing,
        request: &RequestSecurityToken,
        caller: &Caller,
    ) -> Result<Enrolled, Refusal> {
        let mut who = None;
        let answer = self.renew_or_refuse(renewing, request, caller, &mut who).await;
        if let Err(refusal) = &answer {
            self.renewal_refused(caller, request, who, refusal).await;
        }
        answer
    }

    async fn renew_or_refuse(
        &self,
        renewing: &Renewing,
        request: &RequestSecurityToken,
        caller: &Caller,
        who: &mut Option<Enrollment>,
    ) -> Result<Enrolled, Refusal> {
        request::check_kind(request)?;
        let signed = match renewing {
            Renewing::TurnedAway(turned) => {
                *who = self.store.enrollment(turned.enrollment_id).await?;
                return Err(over(turned));
            }
            Renewing::Device(der) => {
                *who = self.looked_up(der).await.map(|(_, enrollment)| Some(enrollment)).map_err(refusal)?;
                request::signed(request)?
            }
            Renewing::Signer { .. } => request::signed(request)?,
        };
        let der = match renewing {
            Renewing::Device(der) => der.clone(),
            _ => self.renewal_signer(&signed).await?,
        };
        let next = self.next_key(&signed, &der)?;
        if who.is_none() {
            // Only now is it proven whose request it is.
            *who = self.looked_up(&der).await.map(|(_, enrollment)| Some(enrollment)).map_err(refusal)?;
        }
        let mut applicant = Applicant { der, next, request, caller, waited: None, is_counted: false, issued: None };
        for _ in 0..MOST_TRIES {
            match self.try_renew(&mut applicant).await {
                Err(Attempted::Again) => {}
                Err(Attempted::Refused(refusal)) => return Err(refusal),
                Ok(renewed) => return Ok(renewed),
            }
        }
        Err(StoreError::Conflict.into())
    }

    async fn try_renew(&self, applicant: &mut Applicant<'_>) -> Result<Enrolled, Attempted> {
        let (certificate, enrollment) = self.looked_up(&applicant.der).await.map_err(refusal)?;
        self.judge(&certificate, &enrollment).map_err(refusal)?;
        check_standing(&enrollment)?;
        check_identifiers(applicant.request, &enrollment)?;
        let certificates = self.store.certificates_of(enrollment.id).await?;
        let waiting = certificates.iter().find(|other| other.is_waiting() && other.serial != certificate.serial);
        let key = applicant.next.key_sha256;
        if let Some(same) = waiting.filter(|waiting| waiting.key_sha256 == key && self.now() <= waiting.not_after) {
            return Ok(self.renewed(&enrollment, &same.der));
        }
        if certificates.iter().any(|own| own.key_sha256 == key) {
            return Err(NotRenewed::SameKey.into());
        }
        if self.store.key_owner(&key).await?.is_some() {
            return Err(NotRenewed::TakenKey.into());
        }
        let waits = waiting.map(|waiting| waiting.serial.clone());
        if applicant.waited.get_or_insert_with(|| waits.clone()) != &waits {
            return Err(NotRenewed::Faster.into());
        }
        if !std::mem::replace(&mut applicant.is_counted, true) {
            let may = self.memory.throttles.allow_renewal(enrollment.id);
            may.then_some(()).ok_or(NotRenewed::TooOften)?;
        }
        let issued = match &applicant.issued {
            Some(issued) => issued.clone(),
            None => applicant.issued.insert(self.issue(&applicant.next.csr, enrollment.id).await?).clone(),
        };
        let writes = self.renewal_writes(applicant, &certificate, &enrollment, waiting, &issued).await?;
        match self.commit(writes).await {
            Err(StoreError::Conflict) => return Err(Attempted::Again),
            done => done?,
        }
        tracing::info!(
            trace_id = %applicant.caller.trace_id, enrollment_id = %enrollment.id, device_id = %enrollment.device_id,
            serial = %issued.serial, renews = certificate.serial, "certificate renewed"
        );
        Ok(self.renewed(&enrollment, &issued.der))
    }

    async fn renewal_writes(
        &self,
        applicant: &Applicant<'_>,
        certificate: &Certificate,
        enrollment: &Enrollment,
        waiting: Option<&Certificate>,
        issued: &IssuedCertificate,
    ) -> Result<Vec<Write>, StoreError> {
        let (now, serial) = (self.now(), issued.serial.to_hex());
        let subject = Some(enrollment.device_id.to_string());
        let mut renewed = enrollment.clone();
        let mut writes = Vec::new();
        // It came from here, so its device has it, whether or not a session shows it: one that never shows a certificate in
        // a session gets no other use than this.
        if certificate.is_waiting() {
            writes.extend(self.first_use(&certificate.serial, &mut renewed, now));
        }
        writes.push(Write::GuardCertificate(certificate.serial.clone()));
        expiry::forget(&mut renewed);
        writes.push(Write::UpdateEnrollment(Box::new(renewed)));
        if let Some(unused) = waiting {
            let (unused, reason) = (unused.serial.clone(), REPLACED.to_owned());
            let data = json!({"serial": unused, "enrollment_id": enrollment.id, "reason": REPLACED});
            writes.push(self.event("cert.revoked", subject.clone(), data));
            writes.push(Write::RevokeCertificate { serial: unused, at: now, reason });
        }
        writes.push(Write::InsertCertificate(Box::new(Certificate {
            serial: serial.clone(),
            sha256: issued.sha256,
            enrollment_id: enrollment.id,
            subject: issued.subject.clone(),
            issuer: hex(&issued.issuer),
            der: issued.der.clone(),
            key_sha256: applicant.next.key_sha256,
            not_before: issued.not_before,
            not_after: issued.not_after,
            revoked_at: None,
            revoked_reason: None,
            renews: Some(certificate.serial.clone()),
            first_used_at: None,
            superseded_at: None,
            late_told_at: None,
        })));
        let data = json!({"serial": serial, "renews": certificate.serial, "enrollment_id": enrollment.id});
        writes.push(self.event("cert.renewed", subject, data));
        let by = Principal {
            name: format!("device:{}", enrollment.id),
            user_id: None,
            role: Role::User,
            address: applicant.caller.address.to_string(),
        };
        let object = self.audit_object(enrollment).await?;
        let device_name = object.name.clone();
        let words = format!("certificate {serial} renews {}", certificate.serial);
        writes.push(self.audit(&by, "device.renew", object, "ok", &words));
        let email = self.email_of(enrollment).await?;
        let entry = Entry {
            device_name: Some(&device_name),
            os_version: applicant.request.item("OSVersion"),
            outcome: Outcome::Succeeded,
            enrollment_id: Some(enrollment.id),
            ..Entry::open(Phase::Renew, &email, "the certificate was renewed").by(Some(Road::Certificate))
        };
        writes.extend(self.ledger_writes(applicant.caller, &entry).await?.writes);
        Ok(writes)
    }

    fn renewed(&self, enrollment: &Enrollment, der: &[u8]) -> Enrolled {
        let document = RenewalDocument {
            device_certificate: der.to_vec(),
            store: enrollment.kind.certificate_store(),
            provider_id: self.settings.provider_id.clone(),
        };
        Enrolled { document: document.encode(), issued_at: self.now() }
    }

    /// The ledger and the log of a renewal that was refused.
    async fn renewal_refused(
        &self,
        caller: &Caller,
        request: &RequestSecurityToken,
        who: Option<Enrollment>,
        refusal: &Refusal,
    ) {
        let (trace_id, cause) = (caller.trace_id, cut(&refusal.to_string()));
        let enrollment_id = who.as_ref().map(|enrollment| enrollment.id);
        let told = enrollment_id.map(|id| id.to_string());
        if refusal.is_ours() {
            tracing::error!(%trace_id, enrollment_id = told, cause, "renewal refused");
        } else {
            tracing::warn!(%trace_id, enrollment_id = told, cause, "renewal refused");
        }
        let email = match &who {
            Some(enrollment) => self.email_of(enrollment).await.unwrap_or_default(),
            None => String::new(),
        };
        let entry = Entry {
            device_name: request.item("DeviceName"),
            os_version: request.item("OSVersion"),
            enrollment_id,
            ..Entry::failed(Phase::Renew, &email, refusal).by(Some(Road::Certificate))
        };
        self.record(caller, entry).await;
    }

    async fn email_of(&self, enrollment: &Enrollment) -> Result<String, StoreError> {
        let Some(id) = enrollment.user_id else { return Ok(String::new()) };
        Ok(self.store.user(id).await?.map(|user| user.email).unwrap_or_default())
    }

    /// Whether a certificate that waited still lets its device in, after something changed meanwhile. Another session may
    /// have been the first with it.
    pub(super) async fn is_still_good(&self, certificate: &mut CertificateUse) -> Result<bool, StoreError> {
        let Some(serial) = &certificate.waiting else { return Ok(true) };
        let found = self.store.certificate_by_serial(serial).await?;
        let Some(found) = found.filter(Certificate::is_good) else { return Ok(false) };
        certificate.waiting = found.is_waiting().then_some(found.serial);
        Ok(true)
    }

    /// What it changes that a device was seen with a certificate that waited: the ones before it are superseded, and no
    /// warning about their end stays.
    pub(super) fn first_use(&self, serial: &str, enrollment: &mut Enrollment, at: OffsetDateTime) -> [Write; 2] {
        expiry::forget(enrollment);
        let enrollment_id = enrollment.id;
        let data = json!({"serial": serial, "enrollment_id": enrollment_id});
        let subject = Some(enrollment.device_id.to_string());
        [Write::UseCertificate { serial: serial.to_owned(), enrollment_id, at }, self.event("cert.used", subject, data)]
    }
}

/// Why a certificate that nobody has used is revoked.
const REPLACED: &str = "never used, and replaced by another renewal";

/// Only the certificate of a managed device is renewed.
fn check_standing(enrollment: &Enrollment) -> Result<(), NotRenewed> {
    match enrollment.state {
        EnrollmentState::Active | EnrollmentState::Pending => Ok(()),
        state => Err(NotRenewed::Over(format!("the device is {}", state.as_str()))),
    }
}

/// What the device says of itself is what it said when it enrolled. An identifier that it leaves out, or for which it sends
/// a placeholder, says nothing.
fn check_identifiers(request: &RequestSecurityToken, enrollment: &Enrollment) -> Result<(), NotRenewed> {
    let pairs = [("DeviceID", &enrollment.claimed_device_id), ("HWDevID", &enrollment.hw_dev_id)];
    for (name, own) in pairs {
        let Some(own) = own.as_deref().filter(|own| is_usable_identifier(own)) else { continue };
        let mut said = request.items(name).filter(|said| is_usable_identifier(said));
        if said.any(|said| normalize_identifier(said) != normalize_identifier(own)) {
            return Err(NotRenewed::Identifier(name));
        }
    }
    Ok(())
}

fn over(turned: &TurnedAway) -> Refusal {
    NotRenewed::Over(turned.reason.clone()).into()
}

/// Why a certificate that was good a moment ago is not renewed.
fn refusal(unidentified: Unidentified) -> Refusal {
    match unidentified {
        Unidentified::Store(error) => Refusal::Store(error.to_string()),
        refused => NotRenewed::Over(refused.to_string()).into(),
    }
}

#[cfg(test)]
#[path = "renew/tests.rs"]
mod tests;
