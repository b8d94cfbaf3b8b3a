//! What a batch can change.

use time::OffsetDateTime;

use super::select::Lease;
use crate::domain::Id;
use crate::domain::alert::AlertRecord;
use crate::domain::attempt::{Attempt, Phase};
use crate::domain::ca::{CaRecord, CaRole};
use crate::domain::certificate::Certificate;
use crate::domain::command::QueuedCommand;
use crate::domain::csp::{CspList, ImportedCatalogue, NodeAnswer, NodeOverride};
use crate::domain::device::Device;
use crate::domain::enrollment::Enrollment;
use crate::domain::event::{AuditRow, Event};
use crate::domain::inventory::{InventoryItem, MissingNode};
use crate::domain::invitation::Invitation;
use crate::domain::language::Language;
use crate::domain::mail::Mail;
use crate::domain::mail_template::MailTemplate;
use crate::domain::object::{LargeObject, ObjectPart};
use crate::domain::package::Package;
use crate::domain::push::{PushChange, Sent};
use crate::domain::registration::RegisteredDevice;
use crate::domain::session_record::{SessionRecord, StoredAnswer, TranscriptExchange};
use crate::domain::upload::{Received, Upload, UploadAttempt, UploadChunk};
use crate::domain::user::{Token, User};

/// Rows that retention removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expired {
    /// Transcripts and sessions that are closed.
    Sessions,
    /// Attempts.
    Attempts,
    /// Events.
    Events,
    /// Audit rows.
    Audit,
    /// Stored answers.
    Answers,
    /// Final commands and actions, with their large objects.
    Commands,
    /// How devices answered, where none has for long.
    NodeAnswers,
    /// Large objects that never became whole.
    Objects,
    /// Alerts of devices.
    Alerts,
    /// Files that came, by when.
    Uploads,
    /// Uploads that never came, by the end of their URL.
    UnusedUploads,
    /// Invitations that are over, with their mails.
    Invitations,
}

/// Another state of an enrollment's sessions (`session::Conversation` as JSON).
#[derive(Clone, Debug)]
pub struct ConversationChange {
    /// Whose.
    pub enrollment_id: Id<Enrollment>,
    /// JSON.
    pub state: String,
    /// The revision that it replaces; `None` where there was none.
    pub replaces: Option<i64>,
    /// Its own revision, random.
    pub revision: i64,
}

/// Something that changes.
#[derive(Clone, Debug)]
pub enum Write {
    /// A new user; a taken name is a conflict.
    InsertUser(User),
    /// A changed user, if its version is still the one in the value; the stored version becomes one more.
    UpdateUser(User),
    /// Changes nothing; a conflict unless the user is there, enabled, and signs in as it did.
    GuardUser {
        /// Whom.
        id: Id<User>,
        /// The version of the credential that was checked.
        credential_version: i64,
    },
    /// Counts an enrollment of the user, if none was counted since
    /// [`Store::enrollments_of`](super::Store::enrollments_of); the user's version stays.
    CountEnrollment {
        /// Whose.
        user_id: Id<User>,
        /// How many there were.
        enrollments: i64,
    },
    /// Counts a device that was let in under a limit for all, if none was since
    /// [`Store::admissions`](super::Store::admissions).
    CountAdmission {
        /// How many there were.
        seen: i64,
    },
    /// A registered device under the key by which it is found; a key that is taken is a conflict.
    InsertRegistered {
        /// The entry.
        device: RegisteredDevice,
        /// Its key.
        key: String,
    },
    /// A registered device lets an enrollment in; a conflict where it is gone or has let in another one than was seen.
    UseRegistered {
        /// Which.
        id: Id<RegisteredDevice>,
        /// What it had let in.
        seen: Option<Id<Enrollment>>,
        /// What it lets in.
        enrollment_id: Id<Enrollment>,
    },
    /// What an enrollment holds of registered devices goes on to another one of the same machine.
    PassRegistered {
        /// Whose.
        from: Id<Enrollment>,
        /// To which.
        to: Id<Enrollment>,
    },
    /// Removes a registered device; one that is not there is a conflict.
    DeleteRegistered(Id<RegisteredDevice>),
    /// Removes a user at that version, its tokens too; its packages end, its enrollments lose their user and get the warning.
    DeleteUser {
        /// Whom.
        user: Box<User>,
        /// What to write on the enrollments.
        warning: String,
    },
    /// A new token.
    InsertToken(Token),
    /// Withdraws a token; one that is withdrawn already, or not there, is a conflict.
    RevokeToken {
        /// Which.
        id: Id<Token>,
        /// When.
        at: OffsetDateTime,
    },
    /// A new package.
    InsertPackage(Box<Package>),
    /// A device enrolls with a package. A conflict where the package is over, has its number of devices, or is not as it was
    /// read.
    UsePackage {
        /// Which, as it was read.
        package: Box<Package>,
        /// Whether the device counts: it did not enroll with the package before.
        counts: bool,
        /// When.
        at: OffsetDateTime,
    },
    /// The next build of a package: another secret, perhaps another PIN. The value is the package as it was read, with the
    /// new hashes; a conflict where it is over or was built since.
    RebuildPackage(Box<Package>),
    /// Withdraws a package; one that is withdrawn already, or not there, is a conflict.
    RevokePackage {
        /// Which.
        id: Id<Package>,
        /// When.
        at: OffsetDateTime,
    },
    /// Counts a try of the PIN of a package, before the PIN is checked. The value is the package as it was read; a conflict
    /// where it has another PIN since, or another try was counted.
    TakePackageTry(Box<Package>),
    /// Takes that back, as the PIN was right; nothing where the package has another PIN since.
    GiveBackPackageTry(Box<Package>),
    /// A new invitation; a conflict where its user has one that is open.
    InsertInvitation(Box<Invitation>),
    /// A changed invitation, if its version is still the one in the value; the stored version becomes one more.
    UpdateInvitation(Box<Invitation>),
    /// A new mail in the outbox.
    InsertMail(Box<Mail>),
    /// A changed mail, likewise.
    UpdateMail(Box<Mail>),
    /// Takes back the mails of an invitation that wait.
    CancelMails {
        /// Whose.
        invitation_id: Id<Invitation>,
        /// Why, in words.
        reason: String,
    },
    /// The text of invitations in a language.
    SaveMailTemplate(Box<MailTemplate>),
    /// Back to the text that is built in; where that is so, it is a conflict.
    DeleteMailTemplate(Language),
    /// The generation of the enrollment URL (JSON).
    SaveEnrollmentUrl(String),
    /// A new device.
    InsertDevice(Device),
    /// A changed device.
    UpdateDevice(Device),
    /// A new enrollment with its identifiers.
    InsertEnrollment(Box<Enrollment>),
    /// A changed enrollment and its identifiers, if its version is still the one in the value; the stored version
    /// becomes one more. A later moment in which its device was seen stays.
    UpdateEnrollment(Box<Enrollment>),
    /// When the device of an enrollment was last seen, if its version is still this one; the stored version becomes one more.
    /// It may be earlier than what is stored: a clock that ran ahead was put right.
    SeeEnrollment {
        /// Whose.
        id: Id<Enrollment>,
        /// The version that is expected.
        version: i64,
        /// When.
        at: OffsetDateTime,
    },
    /// The same without the version, written behind: a later moment stays.
    CatchUpSeen {
        /// Whose.
        id: Id<Enrollment>,
        /// When.
        at: OffsetDateTime,
    },
    /// The state of an enrollment's sessions, if it is still the one that it replaces.
    SaveConversation(ConversationChange),
    /// What a device told about push.
    ChangePush {
        /// Whose.
        enrollment_id: Id<Enrollment>,
        /// What.
        change: PushChange,
    },
    /// There is work for a device: it is to be woken at that moment, or as soon as it may be woken again. Nothing where it
    /// has no channel.
    WakeDevice {
        /// Whose.
        enrollment_id: Id<Enrollment>,
        /// When.
        at: OffsetDateTime,
    },
    /// Takes a push, so that no other process sends it; one that is not due, or that another process has, is a conflict.
    ClaimPush {
        /// Whose.
        enrollment_id: Id<Enrollment>,
        /// The process that takes it.
        by: String,
        /// The process that died over it, if one did.
        from: Option<String>,
    },
    /// Lets go of a push that need not be sent; nothing where that process does not have it.
    ReleasePush {
        /// Whose.
        enrollment_id: Id<Enrollment>,
        /// The process that has it.
        by: String,
    },
    /// What came of a push; nothing where that process does not have it any more.
    SavePushSent {
        /// Whose.
        enrollment_id: Id<Enrollment>,
        /// The process that sent it.
        by: String,
        /// What came of it.
        sent: Box<Sent>,
        /// Tries of the same push so far.
        tries: u32,
        /// When it is tried again, unless there was new work meanwhile.
        retry_at: Option<OffsetDateTime>,
    },
    /// Forgets a channel; nothing where the device has reported another one meanwhile.
    ForgetChannel {
        /// Whose.
        enrollment_id: Id<Enrollment>,
        /// Which.
        channel_seq: i64,
        /// When.
        at: OffsetDateTime,
    },
    /// Has the device given the package family name anew.
    ForgetRegistration {
        /// Whose.
        enrollment_id: Id<Enrollment>,
    },
    /// A CA with a role that none has; else it is a conflict.
    InsertAuthority(Box<CaRecord>),
    /// Another role for a CA; where it does not have the one before, it is a conflict.
    ChangeAuthority {
        /// Which.
        id: String,
        /// The role before.
        from: CaRole,
        /// The role from then on.
        to: CaRole,
        /// When.
        since: OffsetDateTime,
    },
    /// Removes a CA, and what is known of its delivery; where it does not have that role, it is a conflict.
    RemoveAuthority {
        /// Which.
        id: String,
        /// Its role.
        role: CaRole,
    },
    /// A device has the root of a CA.
    RootDelivered {
        /// Whose.
        enrollment_id: Id<Enrollment>,
        /// SHA-1 of the root, upper case.
        root: String,
        /// When.
        at: OffsetDateTime,
    },
    /// A new certificate; a serial or a key that another certificate has is a conflict, and so is a second one of an
    /// enrollment that waits for its first use.
    InsertCertificate(Box<Certificate>),
    /// Changes nothing; a conflict unless the certificate of that serial number is neither revoked nor superseded.
    GuardCertificate(String),
    /// The device was seen with its renewed certificate: all others of the enrollment are superseded. A conflict where it
    /// was seen with it before, or it is not good.
    UseCertificate {
        /// Serial number.
        serial: String,
        /// Whose.
        enrollment_id: Id<Enrollment>,
        /// When.
        at: OffsetDateTime,
    },
    /// It is told that the device is late to renew; a conflict where it was told already.
    TellLateCertificate {
        /// Serial number.
        serial: String,
        /// When.
        at: OffsetDateTime,
    },
    /// Revokes a certificate; one that is revoked already, or not there, is a conflict: it is told once.
    RevokeCertificate {
        /// Serial number.
        serial: String,
        /// When.
        at: OffsetDateTime,
        /// Why, in words.
        reason: String,
    },
    /// A new command; a taken id is a conflict.
    InsertCommand(Box<QueuedCommand>),
    /// A changed command.
    UpdateCommand(Box<QueuedCommand>),
    /// What a device told; newer values replace older ones.
    SaveInventory {
        /// Whose.
        device_id: Id<Device>,
        /// Nodes.
        items: Vec<InventoryItem>,
    },
    /// A node that the device does not have.
    RememberMissing {
        /// Whose.
        device_id: Id<Device>,
        /// Which.
        node: MissingNode,
    },
    /// An imported catalogue, in place of the one that was there.
    SaveCatalogue(Box<ImportedCatalogue>),
    /// Back to the embedded catalogue; none imported is a conflict.
    DeleteCatalogue,
    /// A decision about nodes, in place of the one with the same scope, whose id stays.
    SaveOverride(Box<NodeOverride>),
    /// Withdraws a decision; one that is not there is a conflict.
    DeleteOverride(Id<NodeOverride>),
    /// Marks what is known of nodes as changed, with a mark that was never used before: other processes load it again.
    MarkCspChange(String),
    /// How devices answered; counts add up.
    CountAnswers(Vec<NodeAnswer>),
    /// The CSPs of a build and an edition; an older list never replaces a newer one.
    SaveCsps(CspList),
    /// A new large object; a taken id is a conflict.
    InsertObject(LargeObject),
    /// The next part of one.
    AppendObject(ObjectPart),
    /// All of it is there; a conflict where it is whole already, or gone.
    FinishObject {
        /// Which.
        id: Id<LargeObject>,
        /// Its length.
        bytes: u64,
    },
    /// Removes one with all its parts, if it is there.
    DeleteObject(Id<LargeObject>),
    /// A session, new or changed.
    SaveSession(Box<SessionRecord>),
    /// The last answer of a session.
    SaveAnswer(Box<StoredAnswer>),
    /// Messages and answers of transcripts; what is there already stays.
    AppendTranscript(Vec<TranscriptExchange>),
    /// An attempt, new or changed.
    SaveAttempt(Box<Attempt>),
    /// A refused attempt came once more; a conflict where it, or the open one, is gone.
    RepeatAttempt {
        /// Which.
        id: Id<Attempt>,
        /// When.
        at: OffsetDateTime,
        /// Its reference this time.
        trace_id: String,
        /// The open attempt that ended in it, with the phase where it stood: it was the same, and goes.
        instead_of: Option<(Id<Attempt>, Phase)>,
    },
    /// A URL for an upload.
    InsertUpload(Box<Upload>),
    /// Somebody begins to send the file of an upload, and what other tries sent of it goes, for the newest is the one that
    /// counts; a conflict where it is there already.
    BeginUpload {
        /// Which.
        id: Id<Upload>,
        /// The try.
        attempt: Id<UploadAttempt>,
        /// Now.
        at: OffsetDateTime,
    },
    /// The next part of the file; a conflict where another try has begun.
    AppendUploadChunk {
        /// The part.
        chunk: Box<UploadChunk>,
        /// Now.
        at: OffsetDateTime,
    },
    /// The file is whole; likewise.
    FinishUpload {
        /// Which.
        id: Id<Upload>,
        /// The try.
        attempt: Id<UploadAttempt>,
        /// What came.
        received: Received,
    },
    /// A try broke off: all that it wrote goes, and another may begin.
    AbandonUpload {
        /// Which.
        id: Id<Upload>,
        /// The try.
        attempt: Id<UploadAttempt>,
    },
    /// The same for every try that has sent nothing since that moment.
    ForgetQuietUploads {
        /// See above.
        quiet_since: OffsetDateTime,
    },
    /// Removes an upload with its file; one that is not there is a conflict.
    DeleteUpload(Id<Upload>),
    /// An alert of a device.
    InsertAlert(Box<AlertRecord>),
    /// An event that is not numbered yet.
    AppendEvent(Event),
    /// A row of the audit trail.
    AppendAudit(AuditRow),
    /// Gives events their place; an event that has one already is a conflict.
    NumberEvents(Vec<(Id<Event>, i64)>),
    /// Takes a lease that is as it was seen, or that nobody has had yet; anything else is a conflict.
    TakeLease {
        /// Which.
        name: &'static str,
        /// Who takes it.
        holder: String,
        /// As it was seen.
        seen: Option<Lease>,
    },
    /// Beats for a lease; a conflict once its term is over.
    KeepLease {
        /// Which.
        name: &'static str,
        /// The term that must still run.
        term: i64,
    },
    /// Leaves a lease to whoever takes it first, if that term still runs.
    LeaveLease {
        /// Which.
        name: &'static str,
        /// The term.
        term: i64,
    },
    /// Removes at most `limit` rows older than that moment; never a command that is still open.
    Prune {
        /// What.
        what: Expired,
        /// Older than.
        before: OffsetDateTime,
        /// At most.
        limit: u32,
    },
}
