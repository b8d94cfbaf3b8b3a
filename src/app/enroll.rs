//! RequestSecurityToken: sign in, judge the certificate request, issue, provision (enrollment reference 4, 5).
//!
//! Of the request only the public key reaches the certificate; every context item is the client's own claim. The row of
//! the user guards the device limit, the table of certificates the uniqueness of keys.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::json;
use time::OffsetDateTime;

use super::ledger::Entry;
use super::policies::user_name;
use super::ports::{StoreError, Write};
use super::{App, AuditObject, Caller, MOST_TRIES, Principal, Refusal};
use crate::domain::Id;
use crate::domain::attempt::{Outcome, Phase};
use crate::domain::certificate::Certificate;
use crate::domain::command::CommandState;
use crate::domain::device::{Device, is_usable_hw_dev_id, is_usable_identifier};
use crate::domain::enrollment::{Enrollment, EnrollmentKind, EnrollmentState, Mode, normalize_identifier};
use crate::domain::user::{User, UserKind, normalize_name};
use crate::pki::authority::IssuedCertificate;
use crate::pki::csr::CertificateRequest;
use crate::pki::profile::{DeviceProfile, Serial};
use crate::proto::soap::envelope::Rejection;
use crate::proto::soap::security::Credential;
use crate::proto::wap::{Application, CertificateStore, DmClient, Poll, ProvisioningDocument, Renewal};
use crate::proto::wstep::{RequestSecurityToken, RequestType};

/// Open commands of a former enrollment that are cancelled in the same commit; the sweep takes the rest, and none of them
/// can be sent, because the certificate is revoked.
const MOST_CANCELLED: u32 = 1000;

/// The only token type of MS-MDE2.
const TOKEN_TYPE: &str = "http://schemas.microsoft.com/5.0.0.0/ConfigurationManager/Enrollment/DeviceEnrollmentToken";

/// The OMA-DM secrets of an enrollment, stored sealed (`account`).
#[derive(Serialize, Deserialize)]
pub(super) struct Account {
    /// Secret with which the device proves itself to the server (`APPSRV`).
    server_secret: String,
    /// First nonce for it.
    server_nonce: [u8; 16],
    /// Secret with which the server proves itself to the device (`CLIENT`).
    client_secret: String,
    /// First nonce for it.
    client_nonce: [u8; 16],
}

/// What an enrollment replaces, and the hardware record that goes on.
struct Former {
    device: Option<Device>,
    replaced: Vec<Enrollment>,
    linked: Option<Id<Device>>,
}

/// A device that was let in.
pub struct Enrolled {
    /// The provisioning document, UTF-8.
    pub document: Vec<u8>,
    /// When it was issued.
    pub issued_at: OffsetDateTime,
}

impl App {
    /// Answers a RequestSecurityToken.
    pub async fn enroll(
        &self,
        credential: Result<Credential, Rejection>,
        request: &RequestSecurityToken,
        caller: &Caller,
    ) -> Result<Enrolled, Refusal> {
        let name = user_name(&credential);
        let answer = self.enroll_or_refuse(credential, request, caller).await;
        if let Err(refusal) = &answer {
            self.refused(caller, Phase::Enroll, &name, refusal).await;
        }
        answer
    }

    async fn enroll_or_refuse(
        &self,
        credential: Result<Credential, Rejection>,
        request: &RequestSecurityToken,
        caller: &Caller,
    ) -> Result<Enrolled, Refusal> {
        match &request.request_type {
            RequestType::Issue => {}
            // The empty password of a renewal proves nothing and is no failed sign-in.
            RequestType::Renew => return Err(Refusal::NotEligibleToRenew),
            RequestType::Recovery => return Err(Refusal::RequestType("Recovery".to_owned())),
            RequestType::Unknown(_) => return Err(Refusal::RequestType("(unknown)".to_owned())),
        }
        if request.token_type.trim() != TOKEN_TYPE {
            return Err(Refusal::Unreadable(Rejection::Format("wst:TokenType is not the device enrollment token")));
        }
        let mut user = self.sign_in(credential, caller).await?;
        let csr = self.certificate_request(request)?;
        for _ in 0..MOST_TRIES {
            match self.try_enroll(&user, request, &csr, caller).await {
                Err(Attempted::Again) => {}
                Err(Attempted::Refused(refusal)) => return Err(refusal),
                Ok(enrolled) => return Ok(enrolled),
            }
            let id = user.id;
            user = self.store.user(id).await?.ok_or(Refusal::Credentials("the user was removed meanwhile"))?;
            if !user.enabled {
                return Err(Refusal::AccountDisabled);
            }
        }
        Err(StoreError::Conflict.into())
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

    async fn try_enroll(
        &self,
        user: &User,
        request: &RequestSecurityToken,
        csr: &CertificateRequest,
        caller: &Caller,
    ) -> Result<Enrolled, Attempted> {
        if self.store.key_owner(&csr.key_sha256()).await?.is_some() {
            let words = "the key of the certificate request is in use by another enrollment";
            return Err(Refusal::CertificateRequest(words.to_owned()).into());
        }
        let former = self.former(user, request).await?;
        self.check_limit(user, &former).await?;
        let now = self.now();
        let (account, sealed) = self.new_account()?;
        let (device, enrollment) = self.new_enrollment(user, request, &former, sealed, now);
        let issued = self.issue(csr, &enrollment, now)?;
        let document = self.document(&device, &enrollment, user, &issued, &account);
        let mut writes = vec![Write::UpdateUser(user.clone())];
        writes.push(if former.device.is_some() {
            Write::UpdateDevice(device.clone())
        } else {
            Write::InsertDevice(device.clone())
        });
        writes.push(Write::InsertEnrollment(Box::new(enrollment.clone())));
        writes.push(Write::InsertCertificate(Box::new(record(&issued, &enrollment, csr))));
        for old in &former.replaced {
            writes.extend(self.replace(old, now).await?);
        }
        writes.extend(self.tell(user, &device, &enrollment, &issued, &former, caller));
        writes.extend(self.ledger_writes(caller, ledger_entry(user, &device, &enrollment)).await?);
        self.commit(writes).await?;
        tracing::info!(
            trace_id = %caller.trace_id, enrollment_id = %enrollment.id, device_id = %device.id, serial = %issued.serial,
            "device enrolled"
        );
        Ok(Enrolled { document: document.encode(), issued_at: now })
    }

    /// Whether the same machine was here before (4.3, re-enrollment): by `HWDevID` if that is usable, else by `DeviceID`.
    async fn former(&self, user: &User, request: &RequestSecurityToken) -> Result<Former, StoreError> {
        let hardware = request.item("HWDevID").filter(|id| is_usable_hw_dev_id(id) && self.settings.match_hardware);
        let claim = hardware.or_else(|| request.item("DeviceID").filter(|id| is_usable_identifier(id)));
        let mut former = Former { device: None, replaced: Vec::new(), linked: None };
        let Some(claim) = claim.map(normalize_identifier) else { return Ok(former) };
        let same = |own: &Option<String>| own.as_deref().is_some_and(|own| normalize_identifier(own) == claim);
        for enrollment in self.store.enrollments_claiming(&claim).await? {
            let matches =
                if hardware.is_some() { same(&enrollment.hw_dev_id) } else { same(&enrollment.claimed_device_id) };
            if !matches {
                continue;
            }
            if enrollment.user_id == Some(user.id) {
                if former.device.is_none() {
                    former.device = self.store.device(enrollment.device_id).await?.map(|view| view.device);
                }
                former.replaced.push(enrollment);
            } else {
                former.linked = former.linked.or(Some(enrollment.device_id));
            }
        }
        Ok(former)
    }

    async fn check_limit(&self, user: &User, former: &Former) -> Result<(), Attempted> {
        let limit = user.device_limit.unwrap_or(self.settings.max_devices_per_user);
        if limit == 0 || former.device.is_some() {
            return Ok(());
        }
        if self.store.count_devices_of(user.id).await? >= limit {
            return Err(Refusal::DeviceLimit(limit).into());
        }
        Ok(())
    }

    fn new_account(&self) -> Result<(Account, Vec<u8>), Refusal> {
        let account = Account {
            server_secret: self.new_secret(),
            server_nonce: self.random(),
            client_secret: self.new_secret(),
            client_nonce: self.random(),
        };
        let text = serde_json::to_vec(&account).map_err(|error| Refusal::Internal(error.to_string()))?;
        Ok((account, self.sealer.seal("dm-account", &text)))
    }

    fn new_enrollment(
        &self,
        user: &User,
        request: &RequestSecurityToken,
        former: &Former,
        account: Vec<u8>,
        now: OffsetDateTime,
    ) -> (Device, Enrollment) {
        let item = |name: &str| request.item(name).map(clean);
        let id: Id<Enrollment> = self.new_id();
        let name = item("DeviceName").unwrap_or_else(|| format!("PC-{}", id.short()));
        let hw_dev_id = item("HWDevID");
        let key = hw_dev_id.clone().filter(|text| is_usable_hw_dev_id(text));
        let mut device = former.device.clone().unwrap_or_else(|| Device {
            id: self.new_id(),
            name: name.clone(),
            hw_dev_id: None,
            enrollment_id: id,
            linked_device_id: former.linked,
            created_at: now,
        });
        device.name = name;
        device.enrollment_id = id;
        device.hw_dev_id = key.or(device.hw_dev_id);
        let enrollment = Enrollment {
            id,
            device_id: device.id,
            user_id: Some(user.id),
            state: EnrollmentState::Active,
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

    fn issue(
        &self,
        csr: &CertificateRequest,
        enrollment: &Enrollment,
        now: OffsetDateTime,
    ) -> Result<IssuedCertificate, Refusal> {
        let profile = DeviceProfile::new(self.settings.certificate_lifetime);
        let serial = Serial::from_random(self.random());
        self.authority.issue(csr.spki(), &enrollment.id.to_string(), serial, now, &profile).map_err(|error| match error
        {
            crate::pki::PkiError::OwnKey => {
                Refusal::CertificateRequest("the certificate request holds a key of our own CA".to_owned())
            }
            error => Refusal::Authority(error.to_string()),
        })
    }

    fn document(
        &self,
        device: &Device,
        enrollment: &Enrollment,
        user: &User,
        issued: &IssuedCertificate,
        account: &Account,
    ) -> ProvisioningDocument {
        let settings = &self.settings;
        let upn = (enrollment.mode != Mode::Bulk).then(|| user.email.clone());
        ProvisioningDocument {
            root_ca: self.authority.root().to_vec(),
            issuing_ca: self.authority.issuing().to_vec(),
            device_certificate: issued.der.clone(),
            store: match enrollment.kind {
                EnrollmentKind::Full => CertificateStore::User,
                EnrollmentKind::Device => CertificateStore::System,
            },
            renewal: Renewal {
                period_days: settings.renew_period_days,
                retry_days: settings.renew_retry_days,
                server_url: Some(format!("{}/EnrollmentServer/Renew.svc", settings.device_url)),
            },
            application: Application {
                provider_id: settings.provider_id.clone(),
                name: settings.display_name.clone(),
                addr: self.management_url(),
                user_name: enrollment.id.to_string(),
                server_secret: SecretString::from(account.server_secret.clone()),
                server_nonce: account.server_nonce,
                client_secret: SecretString::from(account.client_secret.clone()),
                client_nonce: account.client_nonce,
            },
            dm_client: DmClient {
                device_name: Some(device.name.clone()),
                ent_dm_id: enrollment.id.to_string(),
                upn,
                poll: self.poll(),
            },
        }
    }

    /// The schedule, its last interval spread so that devices enrolled together do not stay together.
    fn poll(&self) -> Poll {
        let mut poll = self.settings.poll;
        let [a, b] = self.random::<2>();
        let share = i64::from(u16::from_be_bytes([a, b])) * 2 - i64::from(u16::MAX);
        let spread = i64::from(poll.remaining.interval) * i64::from(self.settings.poll_jitter_percent) / 100;
        let interval = i64::from(poll.remaining.interval) + spread * share / i64::from(u16::MAX);
        poll.remaining.interval = u32::try_from(interval).unwrap_or(poll.remaining.interval);
        poll
    }

    /// Closes the enrollment that the same hardware had: its certificate dies, its queue never reaches the new one.
    async fn replace(&self, old: &Enrollment, now: OffsetDateTime) -> Result<Vec<Write>, StoreError> {
        let mut old = old.clone();
        let wiped = old.state == EnrollmentState::Wiping;
        old.enter(if wiped { EnrollmentState::Wiped } else { EnrollmentState::Retired }, now);
        old.closed_reason = Some("enrolled again".to_owned());
        let mut writes = Vec::new();
        for certificate in self.store.certificates_of(old.id).await? {
            writes.push(Write::RevokeCertificate {
                serial: certificate.serial,
                at: now,
                reason: "enrolled again".to_owned(),
            });
        }
        for mut command in self.store.open_commands(old.id, MOST_CANCELLED).await? {
            command.end(CommandState::Cancelled, "enrolled again", now);
            writes.push(self.action_event(&command));
            writes.push(Write::UpdateCommand(Box::new(command)));
        }
        let kind = if wiped { "device.wiped" } else { "device.retired" };
        let data = json!({"enrollment_id": old.id, "reason": "enrolled again"});
        writes.push(self.event(kind, Some(old.device_id.to_string()), data));
        writes.push(Write::UpdateEnrollment(Box::new(old)));
        Ok(writes)
    }

    /// Events and audit rows.
    fn tell(
        &self,
        user: &User,
        device: &Device,
        enrollment: &Enrollment,
        issued: &IssuedCertificate,
        former: &Former,
        caller: &Caller,
    ) -> Vec<Write> {
        let subject = Some(device.id.to_string());
        let replaced: Vec<Id<Enrollment>> = former.replaced.iter().map(|old| old.id).collect();
        let enrolled = json!({
            "enrollment_id": enrollment.id, "user": user.email, "mode": enrollment.mode.as_str(), "name": device.name,
            "replaced": replaced, "linked_device_id": device.linked_device_id, "trace_id": caller.trace_id.to_string(),
        });
        let certificate = json!({"enrollment_id": enrollment.id, "serial": issued.serial.to_hex()});
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
            self.audit(&by, "device.enroll", object, "ok", &format!("certificate {}", issued.serial.to_hex())),
        ]
    }

    /// Our management URL, always the same string.
    #[must_use]
    pub fn management_url(&self) -> String {
        format!("{}/ManagementServer/MDM.svc", self.settings.device_url)
    }

    /// Random bytes.
    pub(super) fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill(&mut bytes);
        bytes
    }

    /// 256 random bits as base64url.
    fn new_secret(&self) -> String {
        use base64::Engine;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(self.random::<32>())
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

fn record(issued: &IssuedCertificate, enrollment: &Enrollment, csr: &CertificateRequest) -> Certificate {
    Certificate {
        serial: issued.serial.to_hex(),
        sha256: issued.sha256,
        enrollment_id: enrollment.id,
        subject: issued.subject.clone(),
        der: issued.der.clone(),
        key_sha256: csr.key_sha256(),
        not_before: issued.not_before,
        not_after: issued.not_after,
        revoked_at: None,
        revoked_reason: None,
    }
}

fn ledger_entry<'a>(user: &'a User, device: &'a Device, enrollment: &'a Enrollment) -> Entry<'a> {
    Entry {
        device_name: Some(&device.name),
        os_version: enrollment.os_version.as_deref(),
        outcome: Outcome::Succeeded,
        enrollment_id: Some(enrollment.id),
        ..Entry::open(Phase::Enroll, &user.email, "enrolled")
    }
}

/// A claim of the client as it is kept: trimmed, without control characters, bounded.
fn clean(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(4096).collect()
}
