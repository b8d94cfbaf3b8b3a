//! What is asked for of the store: pages of lists, filters, views of several tables.

use crate::domain::Id;
use crate::domain::attempt::Outcome;
use crate::domain::command::CommandState;
use crate::domain::device::Device;
use crate::domain::enrollment::{Enrollment, EnrollmentState};
use crate::domain::invitation::Invitation;
use crate::domain::mail::{Mail, MailState};
use crate::domain::push::Push;

/// A part of a list: at most `limit` rows after the cursor.
#[derive(Clone, Debug)]
pub struct Page {
    /// Most rows.
    pub limit: u32,
    /// Where the page before ended.
    pub after: Option<Cursor>,
}

/// A place in a list ordered by time, newest first, then by id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Unix milliseconds of the last row.
    pub at: i64,
    /// Its id.
    pub id: String,
}

/// A page of rows and where the next one begins.
#[derive(Clone, Debug)]
pub struct Listed<T> {
    /// Rows.
    pub items: Vec<T>,
    /// The cursor of the next page; `None` at the end.
    pub next: Option<Cursor>,
}

/// Which devices to list.
#[derive(Clone, Debug, Default)]
pub struct DeviceFilter {
    /// Part of the name, the hardware id, a user's address or an id, without case.
    pub query: Option<String>,
    /// State of the current enrollment.
    pub state: Option<EnrollmentState>,
    /// User's address, exactly, without case.
    pub user: Option<String>,
}

/// A device with its current enrollment and that enrollment's user.
#[derive(Clone, Debug)]
pub struct DeviceView {
    /// The hardware.
    pub device: Device,
    /// Its newest enrollment.
    pub enrollment: Enrollment,
    /// The user's address.
    pub user: Option<String>,
}

/// A device that is to be woken.
#[derive(Clone, Debug, PartialEq)]
pub struct DuePush {
    /// Its enrollment.
    pub enrollment_id: Id<Enrollment>,
    /// What is known of push to it.
    pub push: Push,
}

/// Who has a lease, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The process that has it; `None`: it was left to whoever comes first.
    pub holder: Option<String>,
    /// Counts the holders.
    pub term: i64,
    /// Counts the signs of life of this one.
    pub beat: i64,
}

/// Which commands to list.
#[derive(Clone, Debug, Default)]
pub struct CommandFilter {
    /// Of one device, all its enrollments.
    pub device: Option<Id<Device>>,
    /// Only actions, or only raw commands.
    pub raw: Option<bool>,
    /// In one state.
    pub state: Option<CommandState>,
}

/// Which sessions to list.
#[derive(Clone, Debug, Default)]
pub struct SessionFilter {
    /// Of one device, all its enrollments.
    pub device: Option<Id<Device>>,
}

/// Which invitations to list.
#[derive(Clone, Debug, Default)]
pub struct InvitationFilter {
    /// Part of the address that it went to, without case.
    pub query: Option<String>,
    /// With a newest mail that stands so.
    pub mail: Option<MailState>,
}

/// An invitation with its user and its mail.
#[derive(Clone, Debug)]
pub struct InvitationView {
    /// The invitation.
    pub invitation: Invitation,
    /// The name with which its user signs in.
    pub user: String,
    /// The mail with its newest address, without what it says; `None` where none was written.
    pub mail: Option<Mail>,
}

/// Which attempts to list.
#[derive(Clone, Debug, Default)]
pub struct AttemptFilter {
    /// With that outcome.
    pub outcome: Option<Outcome>,
    /// With that trace id.
    pub trace_id: Option<String>,
    /// Of that user name, without case.
    pub email: Option<String>,
}

/// Kinds of objects whose ids may be given by a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// Users.
    Users,
    /// Devices.
    Devices,
    /// Enrollments.
    Enrollments,
    /// Actions and commands.
    Commands,
    /// Sessions.
    Sessions,
    /// Certificates, by serial.
    Certificates,
    /// Attempts.
    Attempts,
    /// Registered devices.
    Registered,
    /// Tokens.
    Tokens,
    /// Decisions about nodes.
    Overrides,
    /// Uploads.
    Uploads,
    /// Packages.
    Packages,
    /// Invitations.
    Invitations,
}

/// The state of an enrollment's sessions as it is stored (`session::Conversation` as JSON).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredConversation {
    /// JSON.
    pub state: String,
    /// Another one with every change, so that nobody replaces what he has not read.
    pub revision: i64,
}

/// What has to be known of an enrollment to answer a message of its device, but for its commands.
#[derive(Clone, Debug)]
pub struct Known {
    /// The enrollment.
    pub enrollment: Enrollment,
    /// The state of its sessions; `None` before the first.
    pub conversation: Option<StoredConversation>,
    /// Whether it has commands that are not over.
    pub has_work: bool,
}
