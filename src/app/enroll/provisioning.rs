//! What a device that was let in is told: its certificate, our address, the secrets of both sides (enrollment reference 5).

use secrecy::SecretString;

use crate::app::App;
use crate::app::account::Account;
use crate::domain::device::Device;
use crate::domain::enrollment::{Enrollment, EnrollmentKind, Mode};
use crate::domain::proof::MessageSigning;
use crate::domain::user::User;
use crate::pki::authority::IssuedCertificate;
use crate::proto::wap::{Application, CertificateStore, DmClient, Poll, ProvisioningDocument, Renewal};
use crate::session::Nonce;

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
                server_nonce: nonces[0],
                client_secret: SecretString::from(account.client_secret.clone()),
                client_nonce: nonces[1],
            },
            dm_client: DmClient {
                device_name: Some(device.name.clone()),
                ent_dm_id: enrollment.id.to_string(),
                upn,
                signs_messages: settings.device_auth.message_signing != MessageSigning::Off,
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
