//! RequestSecurityToken: sign in, judge the certificate request, issue, provision (enrollment reference 4, 5).
//!
//! Of the request only the public key reaches the certificate; every context item is the client's own claim. The row of
//! the user guards account and device limit, the table of certificates the uniqueness of keys.

mod place;
mod provisioning;
mod rules;

use serde_json::json;
use time::OffsetDateTime;

use super::account::Account;
use super::ledger::Entry;
use super::policies::Who;
use super::ports::{StoreError, Write};
use super::sign_in::SignedIn;
use super::{App, AuditObject, Caller, MOST_TRIES, NotRenewed, Principal, Refusal};
use crate::domain::Id;
use crate::domain::admission::Broken;
use crate::domain::attempt::{Outcome, Phase};
use crate::domain::certificate::Certificate;
use crate::domain::command::CommandState;
use crate::domain::device::{Device, is_usable_hw_dev_id};
use crate::domain::enrollment::{Enrollment, EnrollmentKind, EnrollmentState, Mode};
use crate::domain::invitation::{Invitation, InvitationState};
use crate::domain::package::Package;
use crate::domain::registration::RegisteredBy;
use crate::domain::user::{User, UserKind, normalize_name};
use crate::pki::authority::IssuedCertificate;
use crate::pki::csr::CertificateRequest;
use crate::pki::profile::{DeviceProfile, Serial};
use crate::pki::{Authority, PkiError, hex};
use crate::proto::soap::envelope::Rejection;
use crate::proto::soap::security::Credential;
use crate::proto::wstep::{RequestSecurityToken, RequestType};
use crate::session::Conversation;
use place::Place;
use rules::Admitted;

/// Open commands of a former enrollment that are cancelled in the same commit; the sweep takes the rest, and none of them
/// can be sent, because the certificate is revoked.
const MOST_CANCELLED: u32 = 1000;

/// The only token type of MS-MDE2.
const TOKEN_TYPE: &str = "http://schemas.microsoft.com/5.0.0.0/ConfigurationManager/Enrollment/DeviceEnrollmentToken";

/// Why an enrollment is closed by a newer one, in words.
pub(super) const ENROLLED_AGAIN: &str = "enrolled again";

/// A device that was let in.
pub struct Enrolled {
    /// The provisioning document, UTF-8.
    pub document: Vec<u8>,
    /// When it was issued.
    pub issued_at: OffsetDateTime,
}

/// What comes to the door.
#[derive(Clone, Copy)]
struct Arrival<'a> {
    id: Id<Enrollment>,
    request: &'a RequestSecurityToken,
    key_sha256: [u8; 32],
    admitted: Admitted,
}

/// A device at the door. Its certificate is signed once, however often the rest has to be done again.
struct Newcomer<'a> {
    /// As it was typed: the attempt is in the ledger under it.
    who: &'a Who,
    arrival: Arrival<'a>,
    issued: IssuedCertificate,
    caller: &'a Caller,
}

impl App {
    /// Answers a RequestSecurityToken.
    pub async fn enroll(
        &self,
        credential: Result<Credential, Rejection>,
        request: &RequestSecurityToken,
        caller: &Caller,
    ) -> Result<Enrolled, Refusal> {
        let mut who = Who::of(&credential);
        let is_walk = caller.says_doctor && credential.is_err();
        let answer = self.enroll_or_refuse(&mut who, credential, request, caller).await;
        if let Err(refusal) = &answer
            && !is_walk
        {
            let entry = told_by(request, refusal, Entry::failed(Phase::Enroll, &who.name, refusal).by(who.road));
            self.turned_away(caller, entry, refusal).await;
        }
        answer
    }

    async fn enroll_or_refuse(
        &self,
        who: &mut Who,
        credential: Result<Credential, Rejection>,
        request: &RequestSecurityToken,
        caller: &Caller,
    ) -> Result<Enrolled, Refusal> {
        check_kind(request)?;
        let signed_in = self.sign_in(credential, caller, &mut who.road).await?;
        let admitted = self.admit_device(self.mode(&signed_in.user, request), request).await?;
        let csr = self.certificate_request(request)?;
        let key_sha256 = csr.key_sha256();
        let id = self.new_id();
        // What is refused anyway costs no signature.
        let arrival = Arrival { id, request, key_sha256, admitted };
        if let Err(Attempted::Refused(refusal)) = self.place(&signed_in, &arrival).await {
            return Err(refusal);
        }
        let issued = self.issue(&csr, id).await?;
        self.let_in(&signed_in, &Newcomer { who, arrival, issued, caller }).await
    }

    /// In turn with others of the same user in this process, and again if another process was faster.
    async fn let_in(&self, signed_in: &SignedIn, newcomer: &Newcomer<'_>) -> Result<Enrolled, Refusal> {
        // A limit for all has everybody take turns.
        let all = self.settings.rules.max_devices > 0;
        let turn = if all { Id::new(uuid::Uuid::nil()) } else { signed_in.user.id };
        let _turn = self.memory.enrolling.take(turn).await;
        for _ in 0..MOST_TRIES {
            let welcome = self.still_welcome(signed_in, newcomer.caller).await?;
            let invitation = self.invitation_to_use(signed_in).await?;
            match self.try_enroll(&welcome, newcomer, invitation).await {
                Err(Attempted::Again) => {}
                Err(Attempted::Refused(refusal)) => return Err(refusal),
                Ok(enrolled) => return Ok(enrolled),
            }
        }
        Err(StoreError::Conflict.into())
    }

    /// The user and the package as they are now, unless what was checked at the sign-in has changed.
    async fn still_welcome(&self, signed_in: &SignedIn, caller: &Caller) -> Result<SignedIn, Refusal> {
        let user = self.store.user(signed_in.user.id).await?;
        let user = user.ok_or(Refusal::Credentials("the user was removed meanwhile"))?;
        if !user.enabled {
            return Err(Refusal::AccountDisabled);
        }
        if user.credential_version != signed_in.user.credential_version {
            return Err(Refusal::Credentials("the password or the rights of the user were changed meanwhile"));
        }
        let package = match &signed_in.package {
            Some(package) => Some(self.still_good(package, caller).await?),
            None => None,
        };
        Ok(SignedIn { user, pin: signed_in.pin.clone(), package })
    }

    async fn still_good(&self, signed_in: &Package, caller: &Caller) -> Result<Package, Refusal> {
        let package = self.store.package(signed_in.id).await?;
        let same_build = package.filter(|package| package.build == signed_in.build);
        let package = same_build.ok_or(Refusal::Credentials("the package was built anew meanwhile"))?;
        match package.obstacle(self.now(), caller.address) {
            Some(words) => Err(Refusal::Credentials(words)),
            None => Ok(package),
        }
    }

    fn certificate_request(&self, request: &RequestSecurityToken) -> Result<CertificateRequest, Refusal> {
        let refuse = |words: &str| Refusal::CertificateRequest(words.to_owned());
        let token = request.token.as_ref().ok_or_else(|| refuse("the request holds no certificate request"))?;
        if !token.is_pkcs10() {
            return Err(refuse("the token of the request is not PKCS#10"));
        }
        let der = token.bytes.as_ref().map_err(|_| refuse("the certificate request is not base64"))?;
        let least = usize::try_from(self.settings.min_key_bits).unwrap_or(usize::MAX);
        CertificateRequest::parse(der, least).map_err(|error| Refusal::CertificateRequest(error.to_string()))
    }

    /// The invitation that the enrollment uses up, whatever the user signed in with; a PIN must still be one.
    async fn invitation_to_use(&self, signed_in: &SignedIn) -> Result<Option<Invitation>, Refusal> {
        let open = self.store.open_invitation(signed_in.user.id).await?;
        let open = open.filter(|open| open.standing(self.now()) == InvitationState::Open);
        if signed_in.pin.as_ref().is_some_and(|pin| !open.as_ref().is_some_and(|open| pin.is_of(open))) {
            return Err(Refusal::Credentials("the PIN was used or withdrawn meanwhile"));
        }
        Ok(open)
    }

    async fn try_enroll(
        &self,
        signed_in: &SignedIn,
        newcomer: &Newcomer<'_>,
        invitation: Option<Invitation>,
    ) -> Result<Enrolled, Attempted> {
        let user = &signed_in.user;
        let place = self.place(signed_in, &newcomer.arrival).await?;
        let now = self.now();
        let account = Account::new(self);
        let sealed = account.0.seal(self).map_err(|error| Refusal::Internal(error.to_string()))?;
        let (device, enrollment) = self.new_enrollment(signed_in, newcomer, &place, sealed, now);
        let document = self.document(&device, &enrollment, user, &newcomer.issued, &account);
        let mut writes = place.guards.clone();
        writes.push(if place.device.is_some() {
            Write::UpdateDevice(device.clone())
        } else {
            Write::InsertDevice(device.clone())
        });
        writes.push(Write::InsertEnrollment(Box::new(enrollment.clone())));
        let issuer = self.authority.issuer(&newcomer.issued.issuer);
        writes.push(self.first_conversation(enrollment.id, &issuer)?);
        writes.extend(self.root_delivered(enrollment.id, &issuer, now));
        writes.push(Write::InsertCertificate(Box::new(record(newcomer))));
        for old in &place.replaced {
            writes.extend(self.replace(old, user, now).await?);
        }
        // What it does not claim this time is registered for it all the same.
        writes.extend(place.predecessors().map(|old| Write::PassRegistered { from: old.id, to: enrollment.id }));
        writes.extend(invitation.into_iter().flat_map(|invitation| self.use_writes(invitation, enrollment.id)));
        writes.extend(self.tell(user, &device, &enrollment, newcomer, &place));
        writes.extend(
            self.ledger_writes(newcomer.caller, &ledger_entry(newcomer.who, &device, &enrollment)).await?.writes,
        );
        self.commit(writes).await?;
        tracing::info!(
            trace_id = %newcomer.caller.trace_id, enrollment_id = %enrollment.id, device_id = %device.id,
            serial = %newcomer.issued.serial, "device enrolled"
        );
        Ok(Enrolled { document: document.encode(), issued_at: now })
    }

    /// What is remembered of an enrollment before its first session: what its document gave it.
    fn first_conversation(&self, id: Id<Enrollment>, issuer: &Authority) -> Result<Write, Refusal> {
        let conversation = Conversation { provisioned: self.provisioned(id, issuer), ..Conversation::default() };
        self.conversation_write(id, &conversation, None).map_err(|error| Refusal::Internal(error.to_string()))
    }

    fn new_enrollment(
        &self,
        SignedIn { user, package, .. }: &SignedIn,
        newcomer: &Newcomer<'_>,
        place: &Place,
        account: Vec<u8>,
        now: OffsetDateTime,
    ) -> (Device, Enrollment) {
        let Arrival { id, request, admitted, .. } = newcomer.arrival;
        let item = |name: &str| request.item(name).map(clean);
        let name = item("DeviceName").unwrap_or_else(|| format!("PC-{}", id.short()));
        let hw_dev_id = item("HWDevID");
        let key = hw_dev_id.clone().filter(|text| is_usable_hw_dev_id(text));
        let mut device = place.device.clone().unwrap_or_else(|| Device {
            id: self.new_id(),
            name: name.clone(),
            hw_dev_id: None,
            enrollment_id: id,
            linked_device_id: None,
            created_at: now,
        });
        device.name = name;
        device.enrollment_id = id;
        device.hw_dev_id = key.or(device.hw_dev_id);
        device.linked_device_id = place.linked.or(device.linked_device_id);
        let enrollment = Enrollment {
            id,
            device_id: device.id,
            user_id: Some(user.id),
            state: admitted.state(),
            mode: self.mode(user, request),
            kind: EnrollmentKind::parse(request.item("EnrollmentType").unwrap_or_default()),
            claimed_device_id: item("DeviceID"),
            hw_dev_id,
            reported_dev_id: None,
            reported_source: None,
            os_version: item("OSVersion").or_else(|| item("ApplicationVersion")),
            os_edition: request.item("OSEdition").and_then(|text| text.parse().ok()),
            context: request.context.iter().map(|item| (clean(&item.name), clean(&item.value))).collect(),
            account,
            enrolled_at: now,
            last_seen_at: None,
            inventory_at: None,
            state_since: now,
            closed_reason: None,
            warning: None,
            locked_to_tenant: false,
            entra_device_id: None,
            package_id: package.as_ref().map(|package| package.id),
            assigned_at: None,
            approval: admitted.approval,
            replaced_unapproved: place.replaced_unapproved(),
            version: 0,
        };
        (device, enrollment)
    }

    /// By the prefix of the user's name, else by what the items say (9.3, 9.7).
    fn mode(&self, user: &User, request: &RequestSecurityToken) -> Mode {
        let says = |name: &str| request.flag(name) == Some(true);
        let prefix = &self.settings.bulk_prefix;
        let is_bulk = !prefix.is_empty() && normalize_name(&user.email).starts_with(&prefix.to_lowercase());
        if user.kind == UserKind::Bulk || is_bulk {
            Mode::Bulk
        } else if says("WhiteGlove") || says("WhiteGloveHybridJoin") {
            Mode::AutopilotPreprovisioned
        } else if says("PlugandForget") {
            Mode::AutopilotSelfDeploying
        } else if request
            .item("ZeroTouchProvisioning")
            .or_else(|| request.item("OfflineAutoPilotEnrollmentCorrelator"))
            .is_some()
        {
            Mode::AutopilotUser
        } else {
            Mode::OnPremise
        }
    }

    /// Signs the certificate, on a thread where that may take its time.
    pub(super) async fn issue(
        &self,
        csr: &CertificateRequest,
        id: Id<Enrollment>,
    ) -> Result<IssuedCertificate, Refusal> {
        let (authority, spki) = (self.authority.current(), csr.spki().to_vec());
        let profile = DeviceProfile::new(self.settings.renewal.lifetime());
        let (serial, now) = (Serial::from_random(self.random()), self.now());
        let signing = move || authority.issue(&spki, &id.to_string(), serial, now, &profile);
        let signed = tokio::task::spawn_blocking(signing).await;
        signed.map_err(|error| Refusal::Internal(error.to_string()))?.map_err(|error| match error {
            PkiError::OwnKey => {
                Refusal::CertificateRequest("the certificate request holds a key of our own CA".to_owned())
            }
            error => Refusal::Authority(error.to_string()),
        })
    }

    /// Closes the enrollment that the same hardware had: its certificate dies, its queue never reaches the new one.
    async fn replace(&self, old: &Enrollment, by: &User, now: OffsetDateTime) -> Result<Vec<Write>, StoreError> {
        let mut old = old.clone();
        let subject = Some(old.device_id.to_string());
        let wiped = old.state == EnrollmentState::Wiping;
        old.close(if wiped { EnrollmentState::Wiped } else { EnrollmentState::Retired }, ENROLLED_AGAIN, now);
        let mut writes = Vec::new();
        let certificates = self.store.certificates_of(old.id).await?;
        for certificate in certificates.into_iter().filter(|certificate| certificate.revoked_at.is_none()) {
            let serial = certificate.serial;
            let data = json!({
                "serial": serial, "enrollment_id": old.id, "reason": ENROLLED_AGAIN, "by": by.email,
            });
            writes.push(self.event("cert.revoked", subject.clone(), data));
            writes.push(Write::RevokeCertificate { serial, at: now, reason: ENROLLED_AGAIN.to_owned() });
        }
        for mut command in self.store.open_commands(old.id, MOST_CANCELLED).await? {
            command.end(CommandState::Cancelled, ENROLLED_AGAIN, now);
            writes.push(self.action_event(&command));
            writes.push(Write::UpdateCommand(Box::new(command)));
        }
        let kind = if wiped { "device.wiped" } else { "device.retired" };
        let data = json!({"enrollment_id": old.id, "reason": ENROLLED_AGAIN});
        writes.push(self.event(kind, subject, data));
        writes.push(Write::UpdateEnrollment(Box::new(old)));
        Ok(writes)
    }

    /// Events and audit rows.
    fn tell(
        &self,
        user: &User,
        device: &Device,
        enrollment: &Enrollment,
        newcomer: &Newcomer<'_>,
        place: &Place,
    ) -> Vec<Write> {
        let (caller, serial) = (newcomer.caller, newcomer.issued.serial.to_hex());
        let subject = Some(device.id.to_string());
        let replaced: Vec<Id<Enrollment>> = place.replaced.iter().map(|old| old.id).collect();
        let enrolled = json!({
            "enrollment_id": enrollment.id, "user": user.email, "mode": enrollment.mode.as_str(), "name": device.name,
            "state": enrollment.state.as_str(), "package_id": enrollment.package_id, "replaced": replaced,
            "linked_device_id": device.linked_device_id, "trace_id": caller.trace_id.to_string(),
        });
        let certificate = json!({"enrollment_id": enrollment.id, "serial": serial});
        let by = Principal {
            name: user.email.clone(),
            user_id: Some(user.id),
            role: user.role,
            address: caller.address.to_string(),
        };
        let object = AuditObject { kind: "device", id: device.id.to_string(), name: device.name.clone() };
        vec![
            self.event("device.enrolled", subject.clone(), enrolled),
            self.event("cert.issued", subject, certificate),
            self.audit(&by, "device.enroll", object, "ok", &format!("certificate {serial}")),
        ]
    }
}

/// Why one try did not enroll.
enum Attempted {
    /// Something changed meanwhile.
    Again,
    /// For good.
    Refused(Refusal),
}

impl From<Refusal> for Attempted {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StoreError> for Attempted {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict => Self::Again,
            error => Self::Refused(error.into()),
        }
    }
}

fn check_kind(request: &RequestSecurityToken) -> Result<(), Refusal> {
    match &request.request_type {
        RequestType::Issue => {}
        // The empty password of a renewal proves nothing and is no failed sign-in.
        RequestType::Renew => return Err(NotRenewed::Elsewhere.into()),
        RequestType::Recovery => return Err(Refusal::RequestType("Recovery".to_owned())),
        RequestType::Unknown(_) => return Err(Refusal::RequestType("(unknown)".to_owned())),
    }
    check_token_type(request)
}

/// There is but one type of token.
pub(super) fn check_token_type(request: &RequestSecurityToken) -> Result<(), Refusal> {
    if request.token_type.trim() != TOKEN_TYPE {
        return Err(Refusal::Unreadable(Rejection::Format("wst:TokenType is not the device enrollment token")));
    }
    Ok(())
}

fn record(newcomer: &Newcomer<'_>) -> Certificate {
    let issued = &newcomer.issued;
    Certificate {
        serial: issued.serial.to_hex(),
        sha256: issued.sha256,
        enrollment_id: newcomer.arrival.id,
        subject: issued.subject.clone(),
        issuer: hex(&issued.issuer),
        der: issued.der.clone(),
        key_sha256: newcomer.arrival.key_sha256,
        not_before: issued.not_before,
        not_after: issued.not_after,
        revoked_at: None,
        revoked_reason: None,
        renews: None,
        first_used_at: None,
        superseded_at: None,
        late_told_at: None,
    }
}

fn ledger_entry<'a>(who: &'a Who, device: &'a Device, enrollment: &'a Enrollment) -> Entry<'a> {
    let cause = match enrollment.state {
        EnrollmentState::Pending => "enrolled; it gets nothing before an administrator approves it",
        _ => "enrolled",
    };
    Entry {
        device_name: Some(&device.name),
        os_version: enrollment.os_version.as_deref(),
        outcome: Outcome::Succeeded,
        enrollment_id: Some(enrollment.id),
        ..Entry::open(Phase::Enroll, &who.name, cause).by(who.road)
    }
}

/// With what the device told of itself: which one it was that was refused, and by what it can be registered.
fn told_by<'a>(request: &'a RequestSecurityToken, refusal: &Refusal, entry: Entry<'a>) -> Entry<'a> {
    let could_be_registered = matches!(refusal, Refusal::Rule(Broken::NotRegistered | Broken::Personal));
    let claim = |kind: RegisteredBy| {
        let value = request.item(kind.context_item())?;
        kind.key(value).map(|_| (kind, value.trim().to_owned()))
    };
    Entry {
        device_name: request.item("DeviceName"),
        os_version: request.item("OSVersion").or_else(|| request.item("ApplicationVersion")),
        claims: RegisteredBy::ALL.into_iter().filter(|_| could_be_registered).filter_map(claim).collect(),
        ..entry
    }
}

/// A claim of the client as it is kept: trimmed, without control characters, bounded.
fn clean(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(4096).collect()
}

#[cfg(test)]
#[path = "enroll/tests.rs"]
mod tests;
