//! What the provisioning document gave a device and what changes later: the poll schedule, and when and where it renews its
//! certificate (management reference 6.1, 7.25), and
//! the CA that it is to trust (7.13). Each is set when it differs from what the device has, at most once a
//! session; what a device refuses is not set again until it is another one, or the device another version of Windows, and a CA
//! after a day.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::exchange::Notice;
use super::work::Work;
use crate::domain::enrollment::Enrollment;
use crate::proto::base64;
use crate::proto::csp::trusted_certificates::{self, Store};
use crate::proto::csp::{dm_client, renewal};
use crate::proto::syncml::{Command, Status, StatusCode};
use crate::proto::wap::{Poll, Renewal, thumbprint};

/// What a device is to have; of what is `None` it keeps what it has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// How often it calls.
    pub poll: Option<Poll>,
    /// When and where it renews. Without an address it keeps the one that it has.
    pub renewal: Option<Renewal>,
    /// The CA that it is to trust beside its own.
    #[serde(default)]
    pub ca: Option<TrustedCa>,
}

/// What a device has, and what it did not take.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provisioned {
    /// How often it calls.
    #[serde(default)]
    pub poll: Part<Poll>,
    /// When and where it renews.
    #[serde(default)]
    pub renewal: Part<Renewal>,
    /// The newest CA of ours that it trusts.
    #[serde(default)]
    pub ca: Part<TrustedCa>,
}

/// One part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part<T> {
    /// What the device has, as far as that is known.
    pub has: Option<T>,
    /// The change that it did not take, or not yet.
    pub missed: Option<Missed<T>>,
}

/// A change that a device did not take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missed<T> {
    /// To what.
    pub value: T,
    /// What it answered; `None`: nothing.
    pub status: Option<u16>,
    /// Sessions in which it was told.
    pub sessions: u32,
    /// When it was told last.
    #[serde(with = "time::serde::timestamp::milliseconds")]
    pub at: OffsetDateTime,
    /// Its version of Windows then.
    pub os_version: Option<String>,
}

/// Where a part stands between what a device has and what it is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has that.
    Current,
    /// It is to be told.
    Due,
    /// It refused.
    Refused,
    /// It was told in several sessions and never answered.
    Unanswered,
}

impl Standing {
    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Due => "due",
            Self::Refused => "refused",
            Self::Unanswered => "unanswered",
        }
    }
}

/// Sessions in which a device that does not answer is told.
const MOST_SESSIONS: u32 = 3;

impl<T> Default for Part<T> {
    fn default() -> Self {
        Self { has: None, missed: None }
    }
}

impl<T: Given> Part<T> {
    /// Where it stands if the device is to have that.
    #[must_use]
    pub fn standing(&self, wanted: &T, enrollment: &Enrollment, now: OffsetDateTime) -> Standing {
        if self.has.as_ref().is_some_and(|has| wanted.is_met_by(has)) {
            return Standing::Current;
        }
        let missed = self.missed.as_ref();
        let is_new = |missed: &&Missed<T>| missed.value != *wanted || missed.os_version != enrollment.os_version;
        let is_over = |missed: &&Missed<T>| T::AGAIN_AFTER.is_some_and(|pause| now >= missed.at + pause);
        match missed.filter(|missed| !is_new(missed) && !is_over(missed)) {
            Some(missed) if missed.status.is_some() => Standing::Refused,
            Some(missed) if missed.sessions >= MOST_SESSIONS => Standing::Unanswered,
            _ => Standing::Due,
        }
    }

    fn step(&self, wanted: Option<&T>, enrollment: &Enrollment, now: OffsetDateTime) -> Step<T> {
        match wanted.filter(|wanted| self.standing(wanted, enrollment, now) == Standing::Due) {
            Some(wanted) => Step::Due { value: wanted.clone(), with_parent: false },
            None => Step::Settled,
        }
    }

    /// The device is told; until it answers, it may not have taken it.
    fn told(&mut self, value: &T, os_version: Option<String>, at: OffsetDateTime) {
        let before = self.missed.take().filter(|missed| missed.value == *value && missed.os_version == os_version);
        let sessions = before.map_or(0, |missed| missed.sessions) + 1;
        self.missed = Some(Missed { value: value.clone(), status: None, sessions, at, os_version });
    }
}

/// A part of the provisioning document that can be set later.
pub trait Given: Clone + PartialEq {
    /// The letter before the numbers of its commands.
    const LETTER: char;
    /// Its name in notices.
    const NAME: &'static str;
    /// Whether a device that misses the node above them can be given it.
    const HAS_PARENT: bool;
    /// Whether its commands are one that is carried out as a whole.
    const IS_WHOLE: bool = true;
    /// How long after it was told last a device that refused or did not answer is told again; `None`: not before it is
    /// another value, or another version of Windows.
    const AGAIN_AFTER: Option<Duration> = None;

    /// Whether a status says that a command of it was carried out.
    #[must_use]
    fn is_good(code: u16) -> bool {
        is_done(code)
    }

    /// Whether a device that has `has` needs nothing more.
    fn is_met_by(&self, has: &Self) -> bool;

    /// What the device has once it has taken this.
    fn over(self, before: Option<&Self>) -> Self;

    /// The commands on whose answers it depends.
    fn commands(&self, provider_id: &str) -> Vec<Command>;

    /// Commands that go before them if the node above is missing.
    fn parent(&self, provider_id: &str) -> Vec<Command>;

    /// Commands that go with them, and whose answers decide nothing.
    fn more(&self, provider_id: &str) -> Vec<Command>;
}

impl Given for Poll {
    const LETTER: char = 'q';
    const NAME: &'static str = "poll";
    const HAS_PARENT: bool = true;

    fn is_met_by(&self, has: &Self) -> bool {
        self == has
    }

    fn over(self, _: Option<&Self>) -> Self {
        self
    }

    fn commands(&self, provider_id: &str) -> Vec<Command> {
        vec![dm_client::set_poll(provider_id, self)]
    }

    fn parent(&self, provider_id: &str) -> Vec<Command> {
        vec![dm_client::add_poll(provider_id)]
    }

    fn more(&self, provider_id: &str) -> Vec<Command> {
        dm_client::set_poll_switches(provider_id, self)
    }
}

impl Given for Renewal {
    const LETTER: char = 'r';
    const NAME: &'static str = "renewal";
    const HAS_PARENT: bool = false;

    fn is_met_by(&self, has: &Self) -> bool {
        let is_there = self.server_url.is_none() || self.server_url == has.server_url;
        (self.period_days, self.retry_days) == (has.period_days, has.retry_days) && is_there
    }

    fn over(self, before: Option<&Self>) -> Self {
        let server_url = self.server_url.or_else(|| before?.server_url.clone());
        Self { server_url, ..self }
    }

    fn commands(&self, _: &str) -> Vec<Command> {
        vec![renewal::set(self)]
    }

    fn parent(&self, _: &str) -> Vec<Command> {
        Vec::new()
    }

    fn more(&self, _: &str) -> Vec<Command> {
        Vec::new()
    }
}

/// A root and the issuing CA under it, as a device is to trust them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TrustedCa {
    /// SHA-1 of the root, upper case.
    pub root: String,
    /// SHA-1 of the issuing CA, upper case.
    pub issuing: String,
    /// Both in base64; left out of what is known of a device.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    encoded: Vec<String>,
}

impl PartialEq for TrustedCa {
    fn eq(&self, other: &Self) -> bool {
        (&self.root, &self.issuing) == (&other.root, &other.issuing)
    }
}

impl Eq for TrustedCa {}

impl TrustedCa {
    /// That of two certificates, DER.
    #[must_use]
    pub fn new(root: &[u8], issuing: &[u8]) -> Self {
        let encoded = vec![base64::encode(root), base64::encode(issuing)];
        Self { root: thumbprint(root), issuing: thumbprint(issuing), encoded }
    }

    /// Without the certificates themselves.
    #[must_use]
    pub fn known(self) -> Self {
        Self { encoded: Vec::new(), ..self }
    }
}

/// The name of [`Provisioned::ca`] in notices.
pub const TRUSTED_CA: &str = "trusted_ca";

impl Given for TrustedCa {
    const LETTER: char = 't';
    const NAME: &'static str = TRUSTED_CA;
    const HAS_PARENT: bool = false;
    const IS_WHOLE: bool = false;
    // Without it the device is lost when the CA is replaced.
    const AGAIN_AFTER: Option<Duration> = Some(Duration::days(1));

    fn is_met_by(&self, has: &Self) -> bool {
        self == has
    }

    fn over(self, _: Option<&Self>) -> Self {
        self.known()
    }

    fn is_good(code: u16) -> bool {
        // Its name says that nothing else can be there.
        is_done(code) || code == 418
    }

    fn commands(&self, _: &str) -> Vec<Command> {
        let stores = [(Store::Root, &self.root), (Store::Intermediate, &self.issuing)];
        let with = stores.into_iter().zip(&self.encoded);
        with.map(|((store, thumbprint), encoded)| trusted_certificates::add(store, thumbprint, encoded)).collect()
    }

    fn parent(&self, _: &str) -> Vec<Command> {
        Vec::new()
    }

    fn more(&self, _: &str) -> Vec<Command> {
        Vec::new()
    }
}

/// What of it is set in one session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvisionTurn {
    #[serde(default)]
    poll: Step<Poll>,
    #[serde(default)]
    renewal: Step<Renewal>,
    #[serde(default)]
    ca: Step<TrustedCa>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Step<T> {
    /// Nothing to do (any more).
    #[default]
    Settled,
    /// To be set with the next commands.
    Due { value: T, with_parent: bool },
    /// Set; the answers so far, by number.
    Sent { value: T, with_parent: bool, commands: usize, answers: Vec<(usize, u16)> },
}

/// What the answers to one part mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Taken,
    Refused(u16),
    Unanswered,
}

impl<T: Given> Step<T> {
    /// The commands of it, numbered.
    fn commands(&mut self, provider_id: &str) -> Option<(T, Vec<Command>)> {
        let Self::Due { value, with_parent } = self else { return None };
        let mut numbers = (1..).map(|number| format!("{}{number}", T::LETTER));
        let mut own = value.commands(provider_id);
        own.iter_mut().for_each(|command| number(command, &mut numbers));
        let commands = own.iter().flat_map(Command::walk).count();
        let mut beside = (1..).map(|number| format!("{}{}{number}", T::LETTER, BESIDE));
        let mut parent = if *with_parent { value.parent(provider_id) } else { Vec::new() };
        let mut more = value.more(provider_id);
        parent.iter_mut().chain(&mut more).for_each(|command| number(command, &mut beside));
        let (value, with_parent) = (value.clone(), *with_parent);
        *self = Self::Sent { value: value.clone(), with_parent, commands, answers: Vec::new() };
        Some((value, parent.into_iter().chain(own).chain(more).collect()))
    }

    fn take_status(&mut self, cmd_ref: &str, StatusCode(code): StatusCode) {
        let Self::Sent { commands, answers, .. } = self else { return };
        let number = cmd_ref.strip_prefix(T::LETTER).and_then(|rest| rest.parse::<usize>().ok());
        if let Some(number) = number.filter(|number| (1..=*commands).contains(number))
            && answers.iter().all(|(known, _)| *known != number)
        {
            answers.push((number, code));
        }
    }

    /// Of what the device could not read nothing was done.
    fn take_back(&mut self) {
        if let Self::Sent { value, with_parent, .. } = self {
            *self = Self::Due { value: value.clone(), with_parent: *with_parent };
        }
    }

    /// The package that answers it is complete; what that means for what the device has.
    fn conclude(&mut self, part: &mut Part<T>) -> Option<Notice> {
        let Self::Sent { value, with_parent, commands, answers } = self else { return None };
        let verdict = verdict::<T>(answers, *commands);
        if verdict == Verdict::Refused(404) && T::HAS_PARENT && !*with_parent {
            *self = Self::Due { value: value.clone(), with_parent: true };
            return None;
        }
        let value = value.clone();
        *self = Self::Settled;
        let refused = match verdict {
            Verdict::Taken => {
                part.has = Some(value.over(part.has.as_ref()));
                part.missed = None;
                None
            }
            Verdict::Refused(status) => {
                part.missed.as_mut()?.status = Some(status);
                Some(status)
            }
            Verdict::Unanswered => return None,
        };
        Some(Notice::Provisioned { part: T::NAME, refused })
    }
}

/// The first command that was not carried out says why; one that was undone with others does not.
fn verdict<T: Given>(answers: &[(usize, u16)], commands: usize) -> Verdict {
    let is_consequence = |code: u16| matches!(code, 213..=216 | 500 | 507 | 516);
    let mut bad = answers.iter().map(|(_, code)| *code).filter(|code| !T::is_good(*code));
    let all_of_them = bad.clone().next();
    if let Some(code) = bad.find(|code| !is_consequence(*code)).or(all_of_them) {
        return Verdict::Refused(code);
    }
    // Some devices give an Atomic no Status of its own.
    let is_one = T::IS_WHOLE && (answers.iter().any(|(number, _)| *number == 1) || answers.len() + 1 >= commands);
    if is_one || answers.len() >= commands { Verdict::Taken } else { Verdict::Unanswered }
}

/// Whether a status says that something was done, and not undone.
fn is_done(code: u16) -> bool {
    (200..213).contains(&code)
}

fn number(command: &mut Command, numbers: &mut impl Iterator<Item = String>) {
    command.cmd_id = numbers.next().unwrap_or_default();
    for child in &mut command.children {
        number(child, numbers);
    }
}

/// Stands before the numbers of commands whose answers decide nothing.
const BESIDE: char = 'x';

/// Whether a CmdID is one of these.
pub(super) fn owns(cmd_ref: &str) -> bool {
    let rest = cmd_ref.strip_prefix([Poll::LETTER, Renewal::LETTER, TrustedCa::LETTER]);
    let number = rest.map(|rest| rest.strip_prefix(BESIDE).unwrap_or(rest));
    number.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

impl ProvisionTurn {
    /// What a new session is to set.
    pub(super) fn plan(
        wanted: &Wanted,
        provisioned: &Provisioned,
        enrollment: &Enrollment,
        now: OffsetDateTime,
    ) -> Self {
        Self {
            poll: provisioned.poll.step(wanted.poll.as_ref(), enrollment, now),
            renewal: provisioned.renewal.step(wanted.renewal.as_ref(), enrollment, now),
            ca: provisioned.ca.step(wanted.ca.as_ref(), enrollment, now),
        }
    }

    /// Whether nothing is to be done.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        *self == Self::default()
    }

    /// Of what the device could not read nothing was done.
    pub(super) fn take_back(&mut self) {
        self.poll.take_back();
        self.renewal.take_back();
        self.ca.take_back();
    }
}

/// What goes out of it in this message, which has room for so many commands.
pub(super) fn commands(work: &mut Work<'_>, room: usize) -> Vec<Command> {
    let (now, provider_id) = (work.now, &work.limits.provider_id);
    let os_version = &work.enrollment.os_version;
    let Some(session) = work.session.as_mut().filter(|session| !session.provision_turn.is_settled()) else {
        return Vec::new();
    };
    let (turn, known) = (&mut session.provision_turn, &mut work.conversation.provisioned);
    let mut out = Vec::new();
    if room >= MOST_COMMANDS
        && let Some((value, commands)) = turn.poll.commands(provider_id)
    {
        known.poll.told(&value, os_version.clone(), now);
        out.extend(commands);
    }
    if room >= MOST_COMMANDS + out.iter().flat_map(Command::walk).count()
        && let Some((value, commands)) = turn.renewal.commands(provider_id)
    {
        known.renewal.told(&value, os_version.clone(), now);
        out.extend(commands);
    }
    if room >= MOST_COMMANDS + out.iter().flat_map(Command::walk).count()
        && let Some((value, commands)) = turn.ca.commands(provider_id)
    {
        known.ca.told(&value, os_version.clone(), now);
        out.extend(commands);
    }
    out
}

/// Commands that one part takes at most: the schedule with the node above it.
pub(super) const MOST_COMMANDS: usize = 10;

/// The device's answer to one of these commands.
pub(super) fn take_status(work: &mut Work<'_>, status: &Status) {
    let Some(session) = &mut work.session else { return };
    session.provision_turn.poll.take_status(&status.cmd_ref, status.code);
    session.provision_turn.renewal.take_status(&status.cmd_ref, status.code);
    session.provision_turn.ca.take_status(&status.cmd_ref, status.code);
}

/// The package that answers our last message is complete.
pub(super) fn package_complete(work: &mut Work<'_>) {
    let Some(session) = work.session.as_mut().filter(|session| !session.provision_turn.is_settled()) else { return };
    let (turn, known) = (&mut session.provision_turn, &mut work.conversation.provisioned);
    work.notices.extend(turn.poll.conclude(&mut known.poll));
    work.notices.extend(turn.renewal.conclude(&mut known.renewal));
    work.notices.extend(turn.ca.conclude(&mut known.ca));
}

#[cfg(test)]
#[path = "provisioned_tests.rs"]
mod tests;
