//! What the use-cases need from outside, in the words of the domain.
//!
//! A use-case loads, computes and commits; there is no transaction across code. Everything of one [`Store::commit`]
//! takes effect together or not at all. What must not change meanwhile is guarded by a row of the batch: the version of
//! the enrollment for its queue and its state, the revision of the conversation for its sessions, the count of the user's enrollments for the device limit. A
//! missed guard is [`StoreError::Conflict`], and the use-case loads again.

mod http;
mod select;
mod walk;
mod write;

use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use time::OffsetDateTime;

use crate::domain::Id;
use crate::domain::alert::AlertRecord;
use crate::domain::attempt::{Attempt, Phase};
use crate::domain::ca::CaRecord;
use crate::domain::certificate::Certificate;
use crate::domain::command::QueuedCommand;
use crate::domain::csp::{CspList, ImportedCatalogue, NodeAnswer, NodeOverride};
use crate::domain::device::Device;
use crate::domain::enrollment::{Enrollment, EnrollmentState};
use crate::domain::entra::{EntraClaims, TokenRejected};
use crate::domain::event::{AuditRow, Event};
use crate::domain::inventory::{InventoryItem, MissingNode};
use crate::domain::invitation::Invitation;
use crate::domain::language::Language;
use crate::domain::mail::{Content, Mail};
use crate::domain::mail_template::MailTemplate;
use crate::domain::object::{LargeObject, ObjectPart};
use crate::domain::package::Package;
use crate::domain::push::Push;
use crate::domain::registration::{RegisteredBy, RegisteredDevice};
use crate::domain::session_record::{SessionRecord, StoredAnswer, TranscriptExchange};
use crate::domain::upload::Upload;
use crate::domain::user::{Token, User};

pub use http::{HttpAnswer, HttpClient, HttpError, HttpPost};
pub use select::{
    AttemptFilter, CommandFilter, Cursor, DeviceFilter, DeviceView, DuePush, InvitationFilter, InvitationView, Known,
    Lease, Listed, Page, SessionFilter, StoredConversation, Table,
};
pub use walk::{Walk, Walker};
pub use write::{ConversationChange, Expired, Write};

/// The wall clock, and one that shows when it is moved.
pub trait Clock: Send + Sync {
    /// Now, UTC. It may jump: somebody sets it.
    fn now(&self) -> OffsetDateTime;
    /// Time since some moment of this process, whatever is done to the wall clock.
    fn steady(&self) -> Duration;
}

/// A cryptographic random generator.
pub trait Rng: Send + Sync {
    /// Fills the buffer.
    fn fill(&self, buffer: &mut [u8]);
}

/// Costly password hashes.
#[async_trait]
pub trait PasswordHasher: Send + Sync {
    /// Argon2id in PHC form.
    async fn hash(&self, password: SecretString) -> Result<String, HashError>;
    /// Whether the password fits. Without a stored hash the same work is done and the answer is no.
    async fn verify(&self, password: SecretString, stored: Option<String>) -> Result<bool, HashError>;
    /// Hashes computed so far.
    fn computed(&self) -> u64;
}

/// Hands mails over to the server that carries them on.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Whether there is such a server.
    fn is_on(&self) -> bool;
    /// Hands one over; when this returns, the server has taken it.
    async fn send(&self, mail: &OutgoingMail<'_>) -> Result<(), MailError>;
}

/// A mail on its way.
#[derive(Debug)]
pub struct OutgoingMail<'a> {
    /// The address.
    pub to: &'a str,
    /// `Message-ID`.
    pub message_id: &'a str,
    /// The language that it is written in.
    pub language: Language,
    /// When it was written.
    pub date: OffsetDateTime,
    /// What it says.
    pub content: &'a Content,
}

/// Why a mail was not handed over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{words}")]
pub struct MailError {
    /// In words, without what the mail says.
    pub words: String,
    /// Whether it is no use to try it again.
    pub is_final: bool,
}

/// The hasher could not do its work: no memory, or a stored hash that is none.
#[derive(Debug, thiserror::Error)]
#[error("password hashing failed: {0}")]
pub struct HashError(pub String);

/// Seals what must not be readable in the database, under a key that is not in it.
pub trait Sealer: Send + Sync {
    /// Seals; `purpose` must be the same when opening.
    fn seal(&self, purpose: &str, plain: &[u8]) -> Vec<u8>;
    /// Opens.
    fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError>;
    /// A keyed mark of a secret: equal secrets have equal marks, and nothing else can be told from it.
    fn mark(&self, secret: &[u8]) -> [u8; 8];
}

/// The files of the CA in the data folder of this node.
pub trait CaFiles: Send + Sync {
    /// The CA that lies there, its keys sealed as they are; a key that is not there is empty.
    ///
    /// # Errors
    /// Why it cannot be read, in words.
    fn read(&self) -> Result<CaRecord, String>;
    /// Puts another CA in its place, if it is another one, and keeps the root of the one before beside it.
    ///
    /// # Errors
    /// Why it cannot be written, in words.
    fn replace(&self, ca: &CaRecord, previous_root: Option<&[u8]>) -> Result<(), String>;
}

/// What devices need to trust the web side of this node.
pub trait ServerTrust: Send + Sync {
    /// The root of the certificate that the node shows, DER; `None` where no private one is known.
    ///
    /// # Errors
    /// Why it cannot be found out, in words.
    fn private_root(&self) -> Result<Option<Vec<u8>>, String>;
}

/// Proves tokens of Entra. There is no other way to learn what a token says.
#[async_trait]
pub trait TokenVerifier: Send + Sync {
    /// What a token says, if a tenant that is connected made it out for us and it holds at that moment.
    async fn verify(&self, token: &SecretString, now: OffsetDateTime) -> Result<EntraClaims, TokenRejected>;
}

/// Sealed data that does not open: another key, or changed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("sealed data does not open with the key of this installation")]
pub struct SealError;

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A guard of the batch missed: something changed since it was loaded. Nothing was written.
    #[error("changed meanwhile")]
    Conflict,
    /// Database locked or gone: try again later. Nothing was written.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// The connection broke at the commit, and whether it took effect could not be found out in time. Whoever repeats it
    /// must be able to tell.
    #[error("the connection to the database broke, and whether the change was made is not known: {0}")]
    InDoubt(String),
    /// There is no room left for what was to be written: until there is, only reads work. Nothing was written.
    #[error("the disk of the database is full: {0}")]
    Full(String),
    /// A row that this build cannot read, or a statement that is wrong.
    #[error("the database holds something unexpected: {0}")]
    Internal(String),
}

impl StoreError {
    /// Whether the same may work later, without anything having changed in it.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Full(_))
    }
}

/// The setting that holds the generation of the enrollment URL, if there is one.
pub const ENROLLMENT_URL: &str = "enrollment_url";
/// The setting that holds the mark of [`Write::MarkCspChange`].
pub const CSP_CHANGE: &str = "csp_change";

/// The database.
#[async_trait]
pub trait Store: Send + Sync {
    /// Does everything in the list, or nothing. Returns after it is durable.
    async fn commit(&self, writes: Vec<Write>) -> Result<(), StoreError>;
    /// The same for the little that must be told although the disk is full: where the database has a reserve, it is given
    /// up for this and what it held is free for this first.
    async fn commit_from_reserve(&self, writes: Vec<Write>) -> Result<(), StoreError>;
    /// Whether the reserve is there; one that was given up is made again if there is room for it. So this also tells
    /// whether a disk that was full has room again.
    async fn secure_reserve(&self) -> Result<bool, StoreError>;

    /// A user.
    async fn user(&self, id: Id<User>) -> Result<Option<User>, StoreError>;
    /// The user of a sign-in name, without case.
    async fn user_by_name(&self, name: &str) -> Result<Option<User>, StoreError>;
    /// Users whose name begins with `local@`, at most two: enough to tell whether a bare name is unambiguous.
    async fn users_by_local_part(&self, local: &str) -> Result<Vec<User>, StoreError>;
    /// Users, newest first; `query` is a part of address or name, without case.
    async fn users(&self, query: Option<&str>, page: &Page) -> Result<Listed<User>, StoreError>;
    /// Devices of the user.
    async fn devices_of(&self, user: Id<User>) -> Result<u32, StoreError>;
    /// Those that count against the limit: that the user enrolled, not those that were assigned.
    async fn own_devices_of(&self, user: Id<User>) -> Result<u32, StoreError>;

    /// The token of a secret, with its user.
    async fn token(&self, secret_hash: &[u8; 32]) -> Result<Option<(Token, User)>, StoreError>;
    /// What was registered of that kind under that key.
    async fn registered(&self, kind: RegisteredBy, key: &str) -> Result<Option<RegisteredDevice>, StoreError>;
    /// A registered device.
    async fn registered_device(&self, id: Id<RegisteredDevice>) -> Result<Option<RegisteredDevice>, StoreError>;
    /// Registered devices, newest first.
    async fn registered_devices(&self, page: &Page) -> Result<Listed<RegisteredDevice>, StoreError>;
    /// How many devices are under management.
    async fn open_devices(&self) -> Result<u32, StoreError>;
    /// How many devices were let in under a limit for all; guards that limit.
    async fn admissions(&self) -> Result<i64, StoreError>;
    /// Tokens, newest first.
    async fn tokens(&self, page: &Page) -> Result<Listed<Token>, StoreError>;

    /// A package for bulk enrollment.
    async fn package(&self, id: Id<Package>) -> Result<Option<Package>, StoreError>;
    /// The package of that user with a secret, whatever its state.
    async fn package_by_secret(&self, user: Id<User>, secret_hash: &[u8; 32]) -> Result<Option<Package>, StoreError>;
    /// The newest package of that user with a PIN that is neither withdrawn nor expired at that moment.
    async fn package_with_pin(&self, user: Id<User>, now: OffsetDateTime) -> Result<Option<Package>, StoreError>;
    /// Packages that are neither withdrawn nor expired at that moment and whose newest root certificate has that thumbprint,
    /// oldest first; at most that many.
    async fn live_packages_with_root(
        &self,
        root: &str,
        now: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<Package>, StoreError>;
    /// Packages that are neither withdrawn nor expired at that moment and whose enrollment URL has another generation than
    /// these (`None`: the one without), oldest first; at most that many.
    async fn live_packages_with_other_url(
        &self,
        generations: [Option<&str>; 2],
        now: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<Package>, StoreError>;
    /// Packages, newest first.
    async fn packages(&self, page: &Page) -> Result<Listed<Package>, StoreError>;

    /// An invitation with its user and its mail.
    async fn invitation(&self, id: Id<Invitation>) -> Result<Option<InvitationView>, StoreError>;
    /// The one of a secret, by its hash.
    async fn invitation_by_token(&self, token_hash: &[u8; 32]) -> Result<Option<InvitationView>, StoreError>;
    /// The one of a user that is open, also where its time is over.
    async fn open_invitation(&self, user: Id<User>) -> Result<Option<Invitation>, StoreError>;
    /// Invitations, newest first.
    async fn invitations(&self, filter: &InvitationFilter, page: &Page) -> Result<Listed<InvitationView>, StoreError>;
    /// A mail.
    async fn mail(&self, id: Id<Mail>) -> Result<Option<Mail>, StoreError>;
    /// Mails that are to be tried by that moment, longest due first.
    async fn due_mails(&self, now: OffsetDateTime, limit: u32) -> Result<Vec<Mail>, StoreError>;
    /// The text of invitations that an administrator wrote in a language.
    async fn mail_template(&self, language: Language) -> Result<Option<MailTemplate>, StoreError>;

    /// A device.
    async fn device(&self, id: Id<Device>) -> Result<Option<DeviceView>, StoreError>;
    /// Devices, newest first.
    async fn devices(&self, filter: &DeviceFilter, page: &Page) -> Result<Listed<DeviceView>, StoreError>;
    /// What a device told about itself, ordered by node.
    async fn inventory(&self, device: Id<Device>) -> Result<Vec<InventoryItem>, StoreError>;
    /// Nodes that the device does not have.
    async fn missing_nodes(&self, device: Id<Device>) -> Result<Vec<MissingNode>, StoreError>;

    /// How many enrollments of the user were ever counted; 0 for a user that is not there.
    async fn enrollments_of(&self, user: Id<User>) -> Result<i64, StoreError>;

    /// An enrollment.
    async fn enrollment(&self, id: Id<Enrollment>) -> Result<Option<Enrollment>, StoreError>;
    /// Open enrollments that claim an identifier (in the form of `normalize_identifier`), newest first, at most 16.
    async fn enrollments_claiming(&self, identifier: &str) -> Result<Vec<Enrollment>, StoreError>;
    /// Enrollments of that user that claim an identifier (likewise) and are over, newest first, at most 16.
    async fn former_enrollments(&self, user: Id<User>, identifier: &str) -> Result<Vec<Enrollment>, StoreError>;
    /// Enrollments in a state since before that moment (`last_seen_at` counts where it is later), oldest first.
    async fn enrollments_quiet_since(
        &self,
        state: EnrollmentState,
        before: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<Enrollment>, StoreError>;
    /// The state of an enrollment's sessions.
    async fn conversation(&self, enrollment: Id<Enrollment>) -> Result<Option<StoredConversation>, StoreError>;
    /// What has to be known of an enrollment when a message of its device comes.
    async fn known(&self, enrollment: Id<Enrollment>) -> Result<Option<Known>, StoreError>;
    /// The same for the enrollment of the certificate with that SHA-256 of its DER, and the certificate.
    async fn known_by_certificate(&self, sha256: &[u8; 32]) -> Result<Option<(Certificate, Known)>, StoreError>;

    /// What is known of push to an enrollment; `None` where that is nothing.
    async fn push(&self, enrollment: Id<Enrollment>) -> Result<Option<Push>, StoreError>;
    /// Devices that are to be woken by that moment and have a channel, longest due first; before them those that were about to
    /// be woken when something broke off: nobody asks while a round is under way.
    async fn due_pushes(&self, now: OffsetDateTime, limit: u32) -> Result<Vec<DuePush>, StoreError>;

    /// The certificate with that SHA-256 of its DER.
    async fn certificate(&self, sha256: &[u8; 32]) -> Result<Option<Certificate>, StoreError>;
    /// The certificate with that serial.
    async fn certificate_by_serial(&self, serial: &str) -> Result<Option<Certificate>, StoreError>;
    /// Whose certificate has that key.
    async fn key_owner(&self, key_sha256: &[u8; 32]) -> Result<Option<Id<Enrollment>>, StoreError>;
    /// Certificates of an enrollment.
    async fn certificates_of(&self, enrollment: Id<Enrollment>) -> Result<Vec<Certificate>, StoreError>;
    /// Certificates, newest first, of one device or all.
    async fn certificates(&self, device: Option<Id<Device>>, page: &Page) -> Result<Listed<Certificate>, StoreError>;
    /// Revoked certificates that have not expired at that moment, oldest revocation first.
    async fn revoked_certificates(&self, now: OffsetDateTime) -> Result<Vec<Certificate>, StoreError>;

    /// Certificates that end after `now` and by `until` at the latest, whose devices are managed and have not renewed them.
    async fn late_renewals(&self, now: OffsetDateTime, until: OffsetDateTime) -> Result<u64, StoreError>;
    /// Those of them of which that was not told yet, the first to end first.
    async fn untold_late_renewals(
        &self,
        now: OffsetDateTime,
        until: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<Certificate>, StoreError>;
    /// The CAs while one takes, or took, the place of another; none as long as that has never been.
    async fn authorities(&self) -> Result<Vec<CaRecord>, StoreError>;
    /// How many active devices do not have a root, by its thumbprint.
    async fn count_without_root(&self, root: &str) -> Result<u64, StoreError>;
    /// Names of some of them, the longest enrolled first.
    async fn devices_without_root(&self, root: &str, limit: u32) -> Result<Vec<String>, StoreError>;
    /// How many certificates of an issuing CA still let a device in at that moment.
    async fn count_live_certificates(&self, issuer: &str, now: OffsetDateTime) -> Result<u64, StoreError>;

    /// A command or action.
    async fn command(&self, id: Id<QueuedCommand>) -> Result<Option<QueuedCommand>, StoreError>;
    /// Commands and actions, newest first.
    async fn commands(&self, filter: &CommandFilter, page: &Page) -> Result<Listed<QueuedCommand>, StoreError>;
    /// Open commands of an enrollment by place in the queue, then age; at most `limit`.
    async fn open_commands(&self, enrollment: Id<Enrollment>, limit: u32) -> Result<Vec<QueuedCommand>, StoreError>;
    /// Those of them that may go into a message at that moment: queued, not put off, and not past their end. Commands
    /// that wait for their user come after all others, so that they hold nobody up.
    async fn sendable_commands(
        &self,
        enrollment: Id<Enrollment>,
        at: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<QueuedCommand>, StoreError>;
    /// Commands that were offered and can still be answered: open ones that were offered at all, and those whose last
    /// offer was in that session at our message `since` or later, whatever their state.
    async fn offered_commands(
        &self,
        enrollment: Id<Enrollment>,
        session: Option<(Id<SessionRecord>, u64)>,
    ) -> Result<Vec<QueuedCommand>, StoreError>;
    /// Queued or unknown commands past their end.
    async fn overdue_commands(&self, now: OffsetDateTime, limit: u32) -> Result<Vec<QueuedCommand>, StoreError>;

    /// Queued or sent commands of enrollments that are closed.
    async fn orphaned_commands(&self, limit: u32) -> Result<Vec<QueuedCommand>, StoreError>;

    /// A large object.
    async fn object(&self, id: Id<LargeObject>) -> Result<Option<LargeObject>, StoreError>;
    /// Its parts that hold bytes from `start` to before `end`, in order, at most `limit`.
    async fn object_parts(
        &self,
        id: Id<LargeObject>,
        span: (u64, u64),
        limit: u32,
    ) -> Result<Vec<ObjectPart>, StoreError>;
    /// Bytes that large objects of an enrollment take, and those of all enrollments.
    async fn object_bytes(&self, enrollment: Id<Enrollment>) -> Result<(u64, u64), StoreError>;

    /// A session.
    async fn session(&self, id: Id<SessionRecord>) -> Result<Option<SessionRecord>, StoreError>;
    /// Sessions, newest first.
    async fn sessions(&self, filter: &SessionFilter, page: &Page) -> Result<Listed<SessionRecord>, StoreError>;
    /// Open sessions without a message since that moment.
    async fn idle_sessions(&self, before: OffsetDateTime, limit: u32) -> Result<Vec<SessionRecord>, StoreError>;
    /// The messages of a session in order.
    async fn transcript(&self, session: Id<SessionRecord>) -> Result<Vec<TranscriptExchange>, StoreError>;
    /// The last answer of a session.
    async fn stored_answer(&self, session: Id<SessionRecord>) -> Result<Option<StoredAnswer>, StoreError>;

    /// An attempt.
    async fn attempt(&self, id: Id<Attempt>) -> Result<Option<Attempt>, StoreError>;
    /// The newest open attempt of that name (without case) and address that stands at that phase and went on since that
    /// moment.
    async fn open_attempt(
        &self,
        email: &str,
        address: &str,
        phase: Phase,
        since: OffsetDateTime,
    ) -> Result<Option<Attempt>, StoreError>;
    /// Whether there are rows from before that moment to be removed, of attempts, events and audit; of other kinds never.
    async fn is_due(&self, what: Expired, before: OffsetDateTime) -> Result<bool, StoreError>;
    /// The newest refused attempt that is like that one (name, address, phase, cause, device, enrollment and what it claims)
    /// and began since that moment.
    async fn failed_attempt(&self, like: &Attempt, since: OffsetDateTime) -> Result<Option<Attempt>, StoreError>;
    /// Attempts, newest first.
    async fn attempts(&self, filter: &AttemptFilter, page: &Page) -> Result<Listed<Attempt>, StoreError>;

    /// Alerts of a device, newest first.
    async fn alerts(&self, device: Id<Device>, page: &Page) -> Result<Listed<AlertRecord>, StoreError>;

    /// What a device was asked to upload.
    async fn upload(&self, id: Id<Upload>) -> Result<Option<Upload>, StoreError>;
    /// What devices were asked to upload, newest first; of one device where one is named.
    async fn uploads(&self, device: Option<Id<Device>>, page: &Page) -> Result<Listed<Upload>, StoreError>;
    /// A part of the file of an upload, sealed; from 0.
    async fn upload_chunk(&self, id: Id<Upload>, seq: u32) -> Result<Option<Vec<u8>>, StoreError>;

    /// The catalogue that was imported, if one was.
    async fn imported_catalogue(&self) -> Result<Option<ImportedCatalogue>, StoreError>;
    /// What administrators decided about nodes, newest first.
    async fn node_overrides(&self, page: &Page) -> Result<Listed<NodeOverride>, StoreError>;
    /// All of it.
    async fn all_node_overrides(&self) -> Result<Vec<NodeOverride>, StoreError>;
    /// How devices of a build and an edition answered.
    async fn node_answers(&self, build: u32, edition: u32) -> Result<Vec<NodeAnswer>, StoreError>;
    /// How devices answered to commands on a node of the catalogue, by build and edition.
    async fn answers_of_node(&self, path: &str) -> Result<Vec<NodeAnswer>, StoreError>;
    /// The CSPs of every build and edition that told them, newest build first.
    async fn csp_lists(&self) -> Result<Vec<CspList>, StoreError>;

    /// An event by id.
    async fn event(&self, id: Id<Event>) -> Result<Option<Event>, StoreError>;
    /// Numbered events after that place, in order; of one subject where one is named.
    async fn events_after(&self, seq: i64, subject: Option<&str>, limit: u32) -> Result<Vec<Event>, StoreError>;
    /// Events without a place yet, oldest id first.
    async fn unnumbered_events(&self, limit: u32) -> Result<Vec<Event>, StoreError>;
    /// The last place given.
    async fn last_event_seq(&self) -> Result<i64, StoreError>;
    /// Audit rows, newest first; of one object where one is named.
    async fn audit(&self, object_id: Option<&str>, page: &Page) -> Result<Listed<AuditRow>, StoreError>;

    /// When the newest event, session or audit row came about, as far as there is any: the clock was there once.
    async fn last_written(&self) -> Result<Option<OffsetDateTime>, StoreError>;

    /// Ids that begin with that text, at most two; the text holds hex digits and dashes only.
    async fn ids_with_prefix(&self, table: Table, prefix: &str) -> Result<Vec<String>, StoreError>;
    /// A value of the installation, e.g. its id.
    async fn setting(&self, key: &str) -> Result<Option<String>, StoreError>;
    /// Sets it; only `init` and start-up do.
    async fn set_setting(&self, key: &str, value: &str) -> Result<(), StoreError>;
    /// Whether other processes may work on the same database at the same time.
    fn is_shared(&self) -> bool;
    /// A lease.
    async fn lease(&self, name: &str) -> Result<Option<Lease>, StoreError>;
    /// Whether reads and writes work now.
    async fn check(&self) -> Result<(), StoreError>;
}
