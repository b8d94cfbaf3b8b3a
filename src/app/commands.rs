//! Raw commands: read, checked against the rules of the wire, queued.

use std::collections::BTreeSet;

use time::Duration;

use super::actions::{ActionRequest, describe, object, refuse_without_user};
use super::idempotency::{derived_id, reused};
use super::objects::{sha256, value_to_cut};
use super::ports::{DeviceView, StoreError, Write};
use super::{App, Error, FieldError, MOST_TRIES, NodeError, Principal};
use crate::domain::Id;
use crate::domain::action::Action;
use crate::domain::command::QueuedCommand;
use crate::domain::csp::{Judge, items};
use crate::domain::device::Device;
use crate::proto::csp::catalogue::Build;
use crate::proto::syncml::{Command, LocUri, Verb, decode_fragment, node_key};
use crate::session::fits;

/// What may be asked of a node beside its value.
const QUERIES: &[&str] = &[
    "list=Struct",
    "list=StructData",
    "prop=ACL",
    "prop=Format",
    "prop=Name",
    "prop=Size",
    "prop=Title",
    "prop=TStamp",
    "prop=Type",
    "prop=VerNo",
];
/// Formats of OMA-DM (management reference 2.2).
const FORMATS: &[&str] = &["b64", "bin", "bool", "chr", "date", "float", "int", "node", "null", "time", "xml"];

/// Commands to be queued.
#[derive(Clone, Copy, Debug)]
pub struct RunCommands<'r> {
    /// The SyncML fragment.
    pub body: &'r [u8],
    /// How long they wait for the device.
    pub expires_in: Option<Duration>,
    /// `Idempotency-Key`.
    pub key: Option<&'r str>,
    /// Only say what would happen.
    pub dry_run: bool,
    /// Take also what the judge of nodes has something against.
    pub unchecked: bool,
}

/// What should be known of a command that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRemark {
    /// Where the command stands.
    pub pointer: String,
    /// Stable word for programs.
    pub kind: &'static str,
    /// In words.
    pub message: String,
}

/// What is said about a list of commands.
#[derive(Default)]
struct Judgement {
    refusals: Vec<NodeError>,
    remarks: Vec<NodeRemark>,
}

/// Most that is said about one list.
const MOST_REMARKS: usize = 100;

impl App {
    /// Queues the commands of a SyncML fragment: all in one message, none before the other has its answer.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what breaks the rules of the wire, [`Error::Refused`] for what the judge of nodes has
    /// something against (unless `unchecked`), and as [`App::request_action`](super::App::request_action).
    pub async fn run_commands(
        &self,
        by: &Principal,
        device: Id<Device>,
        run: RunCommands<'_>,
    ) -> Result<(QueuedCommand, Vec<NodeRemark>), Error> {
        let commands = self.read_commands(run.body)?;
        let mut sent = commands.clone();
        let large = self.take_large_value(&mut sent);
        let request = ActionRequest { action: Action::Raw, reason: None, expires_in: run.expires_in };
        let route = format!("POST /devices/{device}/commands");
        let id = run.key.map_or_else(|| self.new_id(), |key| derived_id(by, &route, key));
        for _ in 0..MOST_TRIES {
            if let Some(known) = self.repeated(id, device, &Action::Raw, &None).await? {
                return Ok((same_commands(known, sent, large.as_deref())?, Vec::new()));
            }
            let view = self.managed_device(device).await?;
            refuse_without_user(&view.enrollment, &commands)?;
            let Judgement { refusals, remarks } = self.judge_commands(&view, &commands).await?;
            if !refusals.is_empty() && !run.unchecked {
                return Err(Error::Refused(refusals));
            }
            let expires_in = run.expires_in;
            let expires_at = self.now() + expires_in.unwrap_or_else(|| Action::Raw.default_expiry());
            let mut command = self.new_command(by, &view.enrollment, &request, id, expires_at)?;
            let (bytes, count) = (self.settings.reply_bytes, self.settings.reply_commands);
            command.begin_portion(0, sent.clone(), |portion| fits(portion, bytes, count));
            if run.dry_run {
                return Ok((command, remarks));
            }
            let kept = match &large {
                Some(value) => self.keep_large_value(&view.enrollment, &mut command, value).await?,
                None => Vec::new(),
            };
            let mut writes = self.queue_writes(&command);
            writes.extend(kept);
            writes.push(Write::UpdateEnrollment(Box::new(view.enrollment.clone())));
            writes.push(self.audit(by, "command.create", object(&view), "ok", &audited(&command, &refusals)));
            match self.commit(writes).await {
                Ok(()) => return Ok((command, remarks)),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Conflict.into())
    }

    /// What the judge of nodes says about commands for a device. What lies above all CSPs is of no description, and can be
    /// read all the same.
    async fn judge_commands(&self, view: &DeviceView, commands: &[Command]) -> Result<Judgement, Error> {
        let (known, evidence) = (self.csp().await?, self.evidence(view).await?);
        let judge = Judge { catalogue: &known.catalogue, overrides: &known.overrides, evidence: &evidence };
        let enrollment = &view.enrollment;
        let build = enrollment.os_version.as_deref().and_then(Build::parse);
        let mut judgement = Judgement::default();
        for item in items(commands) {
            let Some(check) = item.check(build, enrollment.os_edition) else { continue };
            if check.verb == Verb::Get && known.catalogue.is_above_all(check.uri) {
                continue;
            }
            let verdict = judge.judge(&check);
            let told = verdict.remarks.into_iter().filter(|remark| remark.kind != "atomic" || !item.is_in_atomic);
            judgement.remarks.extend(told.map(|remark| NodeRemark {
                pointer: item.place.clone(),
                kind: remark.kind,
                message: format!("{}: {}", check.uri, remark.message),
            }));
            judgement.refusals.extend(verdict.objection.map(|objection| NodeError {
                pointer: item.place.clone(),
                kind: objection.kind,
                message: format!("{}: {}", check.uri, objection.message),
            }));
        }
        judgement.remarks.truncate(MOST_REMARKS);
        judgement.refusals.truncate(MOST_REMARKS);
        Ok(judgement)
    }

    fn read_commands(&self, body: &[u8]) -> Result<Vec<Command>, Error> {
        let commands = decode_fragment(body, &self.settings.xml)
            .map_err(|error| Error::invalid(&error.path, error.kind.to_string()))?;
        let mut errors = Vec::new();
        for (index, command) in commands.iter().enumerate() {
            check(command, &format!("{}[{}]", command.verb.name(), index + 1), None, &mut errors);
        }
        let (bytes, count) = (self.settings.reply_bytes, self.settings.reply_commands);
        let (most, is_single) = (self.settings.objects.bytes, commands.len() == 1);
        let too_large = |command: &Command| match value_to_cut(command).filter(|_| is_single) {
            Some(value) => value.len() as u64 > most,
            None => !fits(std::slice::from_ref(command), bytes, count),
        };
        for (index, command) in commands.iter().enumerate().filter(|(_, command)| too_large(command)) {
            let path = format!("{}[{}]", command.verb.name(), index + 1);
            errors.push(mistake(
                &path,
                format!(
                    "is more than one message takes: {count} commands, {bytes} bytes; only the value of a single Add or \
                     Replace of one node, alone in the list, may be larger, up to {most} bytes"
                ),
            ));
        }
        if errors.is_empty() { Ok(commands) } else { Err(Error::Invalid(errors)) }
    }
}

/// What the audit trail keeps: that commands were taken which were found wrong, and what was wrong with the first of them.
fn audited(command: &QueuedCommand, refusals: &[NodeError]) -> String {
    let Some(first) = refusals.first() else { return describe(command) };
    let count = refusals.len();
    format!("{}, unchecked although {count} refused: {} {}", describe(command), first.kind, first.message)
}

/// An Idempotency-Key that was used with other commands is an error.
fn same_commands(known: QueuedCommand, commands: Vec<Command>, large: Option<&str>) -> Result<QueuedCommand, Error> {
    if known.large_value.as_ref().map(|value| value.sha256.clone()) != large.map(sha256) {
        return Err(reused());
    }
    let mut again = known.clone();
    again.items.clear();
    again.begin_portion(0, commands, |portion| portion.len() <= known.body.len());
    if known.step > 0 || (again.body == known.body && again.rest == known.rest) {
        return Ok(known);
    }
    Err(reused())
}

/// The rules of the wire (2.1, 2.3, 2.4): what a device would refuse for its form alone.
fn check(command: &Command, path: &str, container: Option<Verb>, errors: &mut Vec<FieldError>) {
    match (command.verb, container) {
        (Verb::Copy, _) => errors.push(mistake(path, "Windows does not support Copy")),
        (Verb::Atomic, Some(Verb::Atomic)) => errors.push(mistake(path, "an Atomic inside an Atomic fails on Windows")),
        (Verb::Get, Some(Verb::Atomic)) => errors.push(mistake(path, "a Get inside an Atomic fails on Windows")),
        (Verb::Sequence, Some(Verb::Atomic)) => {
            errors.push(mistake(path, "an Atomic holds Add, Replace, Delete and Exec"))
        }
        _ => {}
    }
    if command.no_resp {
        errors.push(mistake(path, "NoResp would leave the result unknown"));
    }
    if command.verb.is_container() {
        check_container(command, path, errors);
    } else {
        check_items(command, path, errors);
    }
}

fn check_container(command: &Command, path: &str, errors: &mut Vec<FieldError>) {
    if command.children.is_empty() {
        errors.push(mistake(path, "holds no commands"));
    }
    for (index, child) in command.children.iter().enumerate() {
        check(child, &format!("{path}/{}[{}]", child.verb.name(), index + 1), Some(command.verb), errors);
    }
    let nodes = |verb: Verb| -> BTreeSet<String> {
        let of_verb = command.children.iter().filter(|child| child.verb == verb).flat_map(|child| &child.items);
        of_verb.filter_map(|item| item.target.as_ref()).map(|uri| node_key(uri.as_str())).collect()
    };
    if command.verb == Verb::Atomic {
        for uri in nodes(Verb::Add).intersection(&nodes(Verb::Replace)) {
            errors.push(mistake(path, format!("Add and Replace of {uri} in one Atomic are not supported by Windows")));
        }
    }
}

fn check_items(command: &Command, path: &str, errors: &mut Vec<FieldError>) {
    if command.items.is_empty() {
        errors.push(mistake(path, "holds no Item"));
    }
    if command.verb == Verb::Exec && command.items.len() > 1 {
        errors.push(mistake(path, "Exec takes exactly one Item"));
    }
    for (index, item) in command.items.iter().enumerate() {
        let path = format!("{path}/Item[{}]", index + 1);
        match &item.target {
            None => errors.push(mistake(&format!("{path}/Target/LocURI"), "missing")),
            Some(uri) => {
                let broken = LocUri::checked(uri.as_str()).err().map(|error| error.to_string());
                let broken = broken.or_else(|| check_query(command.verb, uri).err().map(str::to_owned));
                errors.extend(broken.map(|words| mistake(&format!("{path}/Target/LocURI"), words)));
            }
        }
        let format = item.meta.format.as_deref();
        if format.is_some_and(|format| !FORMATS.contains(&format)) {
            errors.push(mistake(&format!("{path}/Meta/Format"), format!("is one of {}", FORMATS.join(", "))));
        }
        if item.more_data {
            errors.push(mistake(&format!("{path}/MoreData"), "objects are sent whole"));
        }
    }
}

/// A query asks for the subtree below a node, or for a property of it (2.3).
fn check_query(verb: Verb, uri: &LocUri) -> Result<(), &'static str> {
    match uri.query() {
        None => Ok(()),
        Some(_) if verb != Verb::Get => Err("only a Get has a query"),
        Some(query) if QUERIES.iter().any(|known| known.eq_ignore_ascii_case(query)) => Ok(()),
        Some(_) => Err("a query is ?list=Struct, ?list=StructData or ?prop= and the name of a property"),
    }
}

fn mistake(pointer: &str, message: impl Into<String>) -> FieldError {
    FieldError { pointer: pointer.to_owned(), message: message.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::xml::Limits;

    fn mistakes(text: &str) -> Vec<String> {
        let mut errors = Vec::new();
        for command in decode_fragment(text.as_bytes(), &Limits::default()).unwrap() {
            check(&command, command.verb.name(), None, &mut errors);
        }
        errors.into_iter().map(|error| format!("{}: {}", error.pointer, error.message)).collect()
    }

    // covers: M-85, M-86, M-92
    #[test]
    fn what_windows_refuses_for_its_form_is_refused_here() {
        let item = |uri: &str| format!("<Item><Target><LocURI>{uri}</LocURI></Target></Item>");
        let cases = [
            (format!("<Atomic><Get>{}</Get></Atomic>", item("./a")), "Get inside an Atomic"),
            (format!("<Atomic><Atomic><Delete>{}</Delete></Atomic></Atomic>", item("./a")), "Atomic inside an Atomic"),
            (
                format!(
                    "<Atomic><Add>{}</Add><Replace>{}</Replace></Atomic>",
                    item("./Vendor/a"),
                    item("./Device/vendor/A")
                ),
                "Add and Replace of vendor/a in one Atomic",
            ),
            (format!("<Replace>{}</Replace>", item("./a?prop=Type")), "only a Get has a query"),
            (format!("<Get>{}</Get>", item("./a?list=Everything")), "?list=Struct"),
            (format!("<Copy>{}</Copy>", item("./a")), "does not support Copy"),
            (format!("<Exec>{0}{0}</Exec>", item("./a")), "exactly one Item"),
            (format!("<Get>{}</Get>", item("/a")), "begins with ./"),
            (format!("<Get>{}</Get>", item("./a//b")), "no empty segment"),
            ("<Get/>".to_owned(), "holds no Item"),
            ("<Get><Item/></Get>".to_owned(), "missing"),
        ];
        for (text, words) in cases {
            let found = mistakes(&text);
            assert!(found.iter().any(|message| message.contains(words)), "{text}: {found:?}");
        }
        assert!(mistakes(&format!("<Sequence><Exec>{0}</Exec><Get>{0}</Get></Sequence>", item("./a"))).is_empty());
    }
}
