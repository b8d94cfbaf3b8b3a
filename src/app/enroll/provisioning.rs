//! What a device that was let in is told: its certificate, our address, the secrets of both sides (enrollment reference 5).

use secrecy::SecretString;
use time::{Duration, OffsetDateTime};

use crate::app::App;
use crate::app::account::Account;
use crate::app::ports::Write;
use crate::domain::Id;
use crate::domain::device::Device;
use crate::domain::enrollment::{Enrollment, Mode};
use crate::domain::proof::MessageSigning;
use crate::domain::push::Push;
use crate::domain::user::User;
use crate::pki::authority::IssuedCertificate;
use crate::pki::{Authority, thumbprint};
use crate::proto::wap::{Application, DmClient, Poll, ProvisioningDocument, Renewal};
use crate::session::{Nonce, Part, Provisioned, TrustedCa, Wanted};

impl App {
    pub(super) fn document(
        &self,
        device: &Device,
        enrollment: &Enrollment,
        user: &User,
        issued: &IssuedCertificate,
        (account, nonces): &(Account, [Nonce; 2]),
    ) -> ProvisioningDocument {
        let settings = &self.settings;
        let upn = (enrollment.mode != Mode::Bulk).then(|| user.email.clone());
        let issuer = self.authority.issuer(&issued.issuer);
        ProvisioningDocument {
            root_ca: issuer.root().to_vec(),
            issuing_ca: issuer.issuing().to_vec(),
            device_certificate: issued.der.clone(),
            store: enrollment.kind.certificate_store(),
            renewal: self.renewal(enrollment.id),
            application: Application {
                provider_id: settings.provider_id.clone(),
                name: settings.display_name.clone(),
                addr: self.management_url(),
                user_name: enrollment.id.to_string(),
                server_secret: SecretString::from(account.server_secret.clone()),
                server_nonce: nonces[0],
                client_secret: SecretString::from(account.client_secret.clone()),
                client_nonce: nonces[1],
            },
            dm_client: DmClient {
                device_name: Some(device.name.clone()),
                ent_dm_id: enrollment.id.to_string(),
                upn,
                signs_messages: settings.device_auth.message_signing != MessageSigning::Off,
                poll: self.poll(enrollment.id, false),
            },
        }
    }

    /// What a device is to have of its provisioning document from now on. `push`: what is known of push to it.
    pub(in crate::app) fn wanted(&self, id: Id<Enrollment>, push: Option<&Push>) -> Wanted {
        let renewal = self.renewal(id);
        // A port that the system chose is another one after the next start, and no address to keep.
        let server_url = renewal.server_url.filter(|_| self.settings.device_url_stays);
        Wanted {
            poll: self.can_be_woken(push).map(|has_push| self.poll(id, has_push)),
            renewal: Some(Renewal { server_url, ..renewal }),
            ca: self.authority.now().to_deliver().map(|newest| trusted(newest)),
        }
    }

    /// What a device has after its enrollment.
    pub(super) fn provisioned(&self, id: Id<Enrollment>, issuer: &Authority) -> Provisioned {
        Provisioned {
            poll: Part { has: Some(self.poll(id, false)), missed: None },
            renewal: Part { has: Some(self.renewal(id)), missed: None },
            ca: Part { has: Some(trusted(issuer).known()), missed: None },
        }
    }

    /// That a device has the root of a CA, while that is asked for.
    pub(in crate::app) fn root_delivered(
        &self,
        enrollment_id: Id<Enrollment>,
        issuer: &Authority,
        at: OffsetDateTime,
    ) -> Option<Write> {
        let set = self.authority.now();
        let newest = set.to_deliver().filter(|newest| newest.id() == issuer.id())?;
        Some(Write::RootDelivered { enrollment_id, root: thumbprint(newest.root()), at })
    }

    /// How often a device calls: always the same for the same device and settings.
    fn poll(&self, id: Id<Enrollment>, has_push: bool) -> Poll {
        // The random end of the id.
        let [.., a, b] = id.uuid().into_bytes();
        self.settings.poll.for_device(u16::from_be_bytes([a, b]), self.settings.poll_jitter_percent, has_push)
    }

    /// When and where a device renews its certificate: always the same for the same device and settings.
    fn renewal(&self, id: Id<Enrollment>) -> Renewal {
        let settings = &self.settings;
        Renewal {
            period_days: settings.renewal.period_of(id),
            retry_days: settings.renewal.retry_days(),
            server_url: Some(format!("{}/EnrollmentServer/Renew.svc", settings.device_url)),
        }
    }

    /// Whether push works for a device; `None`: that has yet to turn out, because it lost its channel a short while ago.
    fn can_be_woken(&self, push: Option<&Push>) -> Option<bool> {
        let Some(push) = push.filter(|_| self.settings.push.is_some()) else { return Some(false) };
        let is_fresh = push.channel_at.is_some_and(|at| self.now() - at < CHANNEL_RETURNS);
        if push.channel.is_some() { Some(true) } else { Some(false).filter(|_| !is_fresh) }
    }

    /// Our management URL, always the same string.
    #[must_use]
    pub fn management_url(&self) -> String {
        format!("{}/ManagementServer/MDM.svc", self.settings.device_url)
    }

    /// Random bytes.
    pub(in crate::app) fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill(&mut bytes);
        bytes
    }

    /// 256 random bits as base64url.
    pub(in crate::app) fn new_secret(&self) -> String {
        use base64::Engine;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(self.random::<32>())
    }
}

/// A CA as a device is to trust it.
fn trusted(ca: &Authority) -> TrustedCa {
    TrustedCa::new(ca.root(), ca.issuing())
}

/// How long a device whose channel ended is waited for before it is told to call more often: it reports a new one, as a
/// rule, when it calls next.
const CHANNEL_RETURNS: Duration = Duration::DAY;
