//! For unit tests: an application on a real database in a temporary folder, with a clock that stands still until moved.

use std::sync::{Arc, Mutex, OnceLock};

use async_trait::async_trait;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret, SecretString};
use time::{Duration, OffsetDateTime};

use super::authorities::Authorities;
use super::check_in::record;
use super::invitations::InvitationSettings;
use super::ports::{
    CaFiles, Clock, HashError, HttpAnswer, HttpClient, HttpError, HttpPost, MailError, Mailer, OutgoingMail,
    PasswordHasher, Rng, SealError, Sealer, ServerTrust, Store, TokenVerifier, Walk, Walker, Write,
};
use super::{App, Memory, PasswordChecks, Principal, Retention, Settings};
use crate::doctor::Report;
use crate::domain::approval::Approval;
use crate::domain::ca::{CaRecord, CaRole};
use crate::domain::device::Device;
use crate::domain::enrollment::{Enrollment, EnrollmentKind, EnrollmentState, Mode};
use crate::domain::entra::{EntraClaims, TokenRejected};
use crate::domain::language::Language;
use crate::domain::object::ObjectLimits;
use crate::domain::renewal::RenewalTerms;
use crate::domain::sign_in::SignInWith;
use crate::domain::user::{Role, Token, User, UserKind};
use crate::pki::create::{CaNames, issuing, root};
use crate::pki::{Authority, Serial};
use crate::proto::mde2::{AuthPolicy, Version};
use crate::proto::wap::Poll;
use crate::session::{Automatic, Conversation, Login, Opening, SessionState};
use crate::store::faulty::{Faults, faulty, sealed_by};
use crate::store::{SqlStore, open_shared_sqlite, open_sqlite};

/// Nobody's tokens are believed.
struct NoTenants;

#[async_trait]
impl TokenVerifier for NoTenants {
    async fn verify(&self, _: &SecretString, _: OffsetDateTime) -> Result<EntraClaims, TokenRejected> {
        Err(TokenRejected::NoTenant)
    }
}

/// An application and what it stands on.
pub(crate) struct Ground {
    pub(crate) app: App,
    pub(crate) clock: Arc<HandClock>,
    store: Arc<SqlStore>,
    _folder: tempfile::TempDir,
}

impl Ground {
    /// An empty installation with the administrator `root@example.test`.
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open_sqlite(&folder.path().join("muster.db"), Arc::new(OpenSealer)).await.unwrap();
        Self::on(folder, store).await
    }

    /// The same on a database that several processes may work on.
    pub(crate) async fn shared() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open_shared_sqlite(&folder.path().join("muster.db"), Arc::new(OpenSealer)).await.unwrap();
        Self::on(folder, store).await
    }

    /// An empty installation whose database does not do what it should, when a test orders that.
    pub(crate) async fn faulty() -> (Self, Arc<Faults>) {
        let folder = tempfile::tempdir().unwrap();
        let store = open_sqlite(&folder.path().join("muster.db"), Arc::new(OpenSealer)).await.unwrap();
        let (store, faults) = faulty(store);
        (Self::on(folder, store).await, faults)
    }

    async fn on(folder: tempfile::TempDir, store: SqlStore) -> Self {
        let sealer: Arc<dyn Sealer> = Arc::new(OpenSealer);
        let store = Arc::new(store);
        let clock = Arc::new(HandClock(Mutex::new(NOON)));
        let app = App {
            settings: Arc::new(settings()),
            authority: Arc::new(Authorities::new(authority())),
            ca_files: Arc::new(NoCaFiles),
            server_trust: Arc::new(NoCaFiles),
            store: Arc::clone(&store) as Arc<dyn Store>,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            rng: Arc::new(TestRng),
            hasher: Arc::new(QuickHasher(Mutex::new(0))),
            sealer,
            entra: Arc::new(NoTenants),
            http: Arc::new(NoHttp),
            mailer: Arc::new(NoMail),
            walker: Arc::new(NoWay),
            memory: Arc::new(Memory::new(&settings(), &TestRng).0),
        };
        let ground = Self { app, clock, store, _folder: folder };
        ground.user("root@example.test", Role::Admin).await;
        ground
    }

    /// Another process on the same database.
    pub(crate) fn other_process(&self) -> App {
        App { memory: Arc::new(Memory::new(&self.app.settings, self.app.rng.as_ref()).0), ..self.app.clone() }
    }

    /// Another process on the same database, whose keys open nothing of what was sealed.
    pub(crate) fn with_other_keys(&self) -> App {
        let sealer: Arc<dyn Sealer> = Arc::new(OtherSealer);
        let store = Arc::new(sealed_by(&self.store, Arc::clone(&sealer)));
        App { store, sealer, ..self.other_process() }
    }

    /// Puts a user into the database.
    pub(crate) async fn user(&self, email: &str, role: Role) -> User {
        let user = User {
            id: self.app.new_id(),
            email: email.to_owned(),
            name: None,
            kind: UserKind::Person,
            role,
            enabled: true,
            password_hash: None,
            credential_version: 1,
            device_limit: None,
            must_change_password: false,
            created_at: self.app.now(),
            version: 1,
        };
        self.app.commit(vec![Write::InsertUser(user.clone())]).await.unwrap();
        user
    }

    /// A user of that role with a token, and the token's secret.
    pub(crate) async fn bearer(&self, role: Role) -> (User, String) {
        let user = self.user(&format!("{}-{}@example.test", role.as_str(), self.app.new_trace_id()), role).await;
        let secret = super::tokens::new_secret(self.app.rng.as_ref());
        let token = Token {
            id: self.app.new_id(),
            name: "test".to_owned(),
            secret_hash: super::tokens::secret_hash(secret.expose_secret()),
            role,
            user_id: user.id,
            created_at: self.app.now(),
            expires_at: None,
            revoked_at: None,
        };
        self.app.commit(vec![Write::InsertToken(token)]).await.unwrap();
        (user, secret.expose_secret().to_owned())
    }

    /// A device enrolled by nobody in particular.
    pub(crate) async fn enrollment(&self) -> Enrollment {
        let now = self.app.now();
        let enrollment = Enrollment {
            id: self.app.new_id(),
            device_id: self.app.new_id(),
            user_id: None,
            state: EnrollmentState::Active,
            mode: Mode::OnPremise,
            kind: EnrollmentKind::Full,
            claimed_device_id: None,
            hw_dev_id: None,
            reported_dev_id: None,
            reported_source: None,
            os_version: None,
            os_edition: None,
            context: Vec::new(),
            account: Vec::new(),
            enrolled_at: now,
            last_seen_at: None,
            inventory_at: None,
            state_since: now,
            closed_reason: None,
            warning: None,
            locked_to_tenant: false,
            entra_device_id: None,
            package_id: None,
            assigned_at: None,
            approval: Approval::NotNeeded,
            replaced_unapproved: None,
            version: 1,
        };
        let device = Device {
            id: enrollment.device_id,
            name: "LAPTOP-1".to_owned(),
            hw_dev_id: None,
            enrollment_id: enrollment.id,
            linked_device_id: None,
            created_at: now,
        };
        let writes = vec![Write::InsertDevice(device), Write::InsertEnrollment(Box::new(enrollment.clone()))];
        self.app.commit(writes).await.unwrap();
        enrollment
    }

    /// An open session of that enrollment, whose last message came now.
    pub(crate) async fn session(&self, enrollment: &Enrollment) -> SessionState {
        let now = self.app.now();
        let session = SessionState {
            id: self.app.new_id(),
            wire_id: "1".to_owned(),
            source: enrollment.id.to_string(),
            opened_at: now,
            last_at: now,
            last_msg_id: 1,
            last_digest: [0; 32],
            messages: 1,
            our_msg_id: 1,
            closed: None,
            login: Login::None,
            proofs: Vec::new(),
            digest_from: None,
            tokens: Default::default(),
            unreadable: 0,
            cancelled: false,
            automatic: Automatic::default(),
            page_turn: crate::session::PageTurn::default(),
            push_turn: crate::session::PushTurn::default(),
            document_turn: crate::session::DocumentTurn::default(),
            provision_turn: crate::session::ProvisionTurn::default(),
            opening: Opening::default(),
            remarks: Vec::new(),
            arrival: None,
            sending: None,
            max_msg_size: None,
            max_obj_size: None,
        };
        self.save_session(enrollment, &session).await;
        session
    }

    /// A session as the newest of its enrollment.
    pub(crate) async fn save_session(&self, enrollment: &Enrollment, session: &SessionState) {
        let conversation = Conversation { current: Some(session.clone()), ..Conversation::default() };
        let (_, before) = self.app.load_conversation(enrollment.id).await.unwrap();
        let writes = vec![
            Write::SaveSession(Box::new(record(session, enrollment))),
            self.app.conversation_write(enrollment.id, &conversation, before).unwrap(),
        ];
        self.app.commit(writes).await.unwrap();
    }

    /// The administrator that every installation has.
    pub(crate) async fn admin(&self) -> Principal {
        let user = self.app.store.user_by_name("root@example.test").await.unwrap().unwrap();
        principal(&user)
    }
}

/// A user, after authentication.
pub(crate) fn principal(user: &User) -> Principal {
    let address = "192.0.2.10".to_owned();
    Principal { name: user.email.clone(), user_id: Some(user.id), role: user.role, address }
}

pub(crate) const NOON: OffsetDateTime = time::macros::datetime!(2026-11-20 12:00 UTC);

/// A clock that is moved by hand.
pub(crate) struct HandClock(Mutex<OffsetDateTime>);

impl HandClock {
    pub(crate) fn advance(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for HandClock {
    fn now(&self) -> OffsetDateTime {
        *self.0.lock().unwrap()
    }

    fn steady(&self) -> std::time::Duration {
        (self.now() - NOON).try_into().unwrap_or_default()
    }
}

struct TestRng;

impl Rng for TestRng {
    fn fill(&self, buffer: &mut [u8]) {
        SystemRandom::new().fill(buffer).unwrap();
    }
}

/// Costs nothing; counts.
struct QuickHasher(Mutex<u64>);

#[async_trait]
impl PasswordHasher for QuickHasher {
    async fn hash(&self, password: SecretString) -> Result<String, HashError> {
        *self.0.lock().unwrap() += 1;
        Ok(format!("$test${}", password.expose_secret().chars().rev().collect::<String>()))
    }

    async fn verify(&self, password: SecretString, stored: Option<String>) -> Result<bool, HashError> {
        Ok(stored == Some(self.hash(password).await?))
    }

    fn computed(&self) -> u64 {
        *self.0.lock().unwrap()
    }
}

/// Reaches nobody.
struct NoHttp;

#[async_trait]
impl HttpClient for NoHttp {
    async fn post(&self, _: HttpPost) -> Result<HttpAnswer, HttpError> {
        Err(HttpError::TimedOut { host: "nobody".to_owned() })
    }
}

/// There is no server to hand mails to.
struct NoMail;

#[async_trait]
impl Mailer for NoMail {
    fn is_on(&self) -> bool {
        false
    }

    async fn send(&self, _: &OutgoingMail<'_>) -> Result<(), MailError> {
        Err(MailError { words: "no server".to_owned(), is_final: false })
    }
}

/// Walks nowhere.
struct NoWay;

#[async_trait]
impl Walker for NoWay {
    async fn walk(&self, _: Walk) -> Result<Report, String> {
        Err("there is no way".to_owned())
    }
}

/// Seals nothing; keeps purposes apart.
struct OpenSealer;

impl Sealer for OpenSealer {
    fn seal(&self, purpose: &str, plain: &[u8]) -> Vec<u8> {
        [purpose.as_bytes(), b"\0", plain].concat()
    }

    fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let rest = sealed.strip_prefix(purpose.as_bytes()).and_then(|rest| rest.strip_prefix(b"\0"));
        rest.map(<[u8]>::to_vec).ok_or(SealError)
    }

    fn mark(&self, secret: &[u8]) -> [u8; 8] {
        let mut mark = [0; 8];
        secret.iter().enumerate().for_each(|(index, byte)| mark[index % 8] ^= byte);
        mark
    }
}

/// The same under another name.
struct OtherSealer;

impl Sealer for OtherSealer {
    fn seal(&self, purpose: &str, plain: &[u8]) -> Vec<u8> {
        OpenSealer.seal(&format!("other {purpose}"), plain)
    }

    fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        OpenSealer.open(&format!("other {purpose}"), sealed)
    }

    fn mark(&self, secret: &[u8]) -> [u8; 8] {
        OpenSealer.mark(secret)
    }
}

/// A node without a data folder.
struct NoCaFiles;

impl CaFiles for NoCaFiles {
    fn read(&self) -> Result<CaRecord, String> {
        let ca = authority();
        Ok(CaRecord {
            id: String::new(),
            role: CaRole::Current,
            root: ca.root().to_vec(),
            issuing: ca.issuing().to_vec(),
            root_key: Vec::new(),
            issuing_key: Vec::new(),
            since: NOON,
        })
    }

    fn replace(&self, _: &CaRecord, _: Option<&[u8]>) -> Result<(), String> {
        Ok(())
    }
}

impl ServerTrust for NoCaFiles {
    fn private_root(&self) -> Result<Option<Vec<u8>>, String> {
        Ok(Some(authority().root().to_vec()))
    }
}

/// One CA for all tests of a process: its keys take a second to make.
fn authority() -> Authority {
    static MADE: OnceLock<[Vec<u8>; 3]> = OnceLock::new();
    let make = || {
        let names = CaNames::new(None, [1, 2, 3]);
        let root = root(&names, Serial::from_random([1; 16]), NOON).unwrap();
        let issuing = issuing(&root, &names, Serial::from_random([2; 16]), NOON).unwrap();
        [root.certificate, issuing.certificate, issuing.key.to_vec()]
    };
    let [root, issuing, key] = MADE.get_or_init(make).clone();
    Authority::new(root, issuing, &key).unwrap()
}

pub(crate) fn settings() -> Settings {
    Settings {
        url: "https://mdm.example.test".to_owned(),
        device_url: "https://mdm.example.test:8443".to_owned(),
        device_url_stays: true,
        provider_id: "Muster".to_owned(),
        display_name: "Example".to_owned(),
        contact: String::new(),
        require_generation: false,
        invitations: InvitationSettings {
            sign_in: SignInWith::PasswordOrPin,
            pin_digits: 6,
            pin_lifetime: Duration::days(3),
            lifetime: Duration::days(7),
            language: Language::English,
        },
        domains: Vec::new(),
        auth_policy: AuthPolicy::OnPremise,
        max_enrollment_version: Version::new(4),
        bulk_prefix: "windows-bulkenroll".to_owned(),
        rules: Default::default(),
        max_devices_per_user: 0,
        match_hardware: true,
        renewal: RenewalTerms::new(365, 42, 4, 0).unwrap(),
        min_key_bits: 2048,
        software_keys_only: false,
        poll: Poll::default(),
        poll_jitter_percent: 10,
        xml: crate::proto::xml::Limits::default(),
        reply_bytes: 400_000,
        reply_commands: 100,
        objects: ObjectLimits { bytes: 1 << 20, parts: 100 },
        device_object_bytes: 4 << 20,
        all_object_bytes: 16 << 20,
        session_timeout: Duration::minutes(30),
        keep_alive_next_message: false,
        status_page: None,
        push: None,
        declared_configuration: false,
        device_auth: super::DeviceAuth::default(),
        device_requests_per_minute: 600,
        ledger_rows_per_day: 50_000,
        password_checks: PasswordChecks {
            user_burst: 10,
            user_per_hour: 60,
            address_burst: 100,
            address_per_hour: 100,
        },
        remember_password: Duration::ZERO,
        upload_bytes: 1 << 20,
        disclosure: Arc::default(),
        self_test: false,
        retention: Retention {
            transcripts_days: 30,
            attempts_days: 90,
            events_days: 90,
            audit_days: 365,
            commands_days: 90,
            uploads_days: 30,
        },
    }
}
