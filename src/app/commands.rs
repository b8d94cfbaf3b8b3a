//! Raw commands: read, checked against the rules of the wire, queued.

use std::collections::BTreeSet;

use time::Duration;

use super::actions::{ActionRequest, describe, object};
use super::idempotency::{derived_id, reused};
use super::ports::{StoreError, Write};
use super::{App, Error, FieldError, MOST_TRIES, Principal};
use crate::domain::Id;
use crate::domain::action::Action;
use crate::domain::command::QueuedCommand;
use crate::domain::device::Device;
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

impl App {
    /// Queues the commands of a SyncML fragment: all in one message, none before the other has its answer.
    pub async fn run_commands(
        &self,
        by: &Principal,
        device: Id<Device>,
        body: &[u8],
        expires_in: Option<Duration>,
        key: Option<&str>,
        dry_run: bool,
    ) -> Result<QueuedCommand, Error> {
        let commands = self.read_commands(body)?;
        let request = ActionRequest { action: Action::Raw, reason: None, expires_in };
        let route = format!("POST /devices/{device}/commands");
        let id = key.map_or_else(|| self.new_id(), |key| derived_id(by, &route, key));
        for _ in 0..MOST_TRIES {
            if let Some(known) = self.repeated(id, device, &Action::Raw, &None).await? {
                return same_commands(known, commands);
            }
            let view = self.managed_device(device).await?;
            let expires_at = self.now() + expires_in.unwrap_or_else(|| Action::Raw.default_expiry());
            let mut command = self.new_command(by, &view.enrollment, &request, id, expires_at)?;
            let (bytes, count) = (self.settings.reply_bytes, self.settings.reply_commands);
            command.begin_portion(0, commands.clone(), |portion| fits(portion, bytes, count));
            if dry_run {
                return Ok(command);
            }
            let mut writes = self.queue_writes(&command);
            writes.push(Write::UpdateEnrollment(Box::new(view.enrollment.clone())));
            writes.push(self.audit(by, "command.create", object(&view), "ok", &describe(&command)));
            match self.commit(writes).await {
                Ok(()) => return Ok(command),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Conflict.into())
    }

    fn read_commands(&self, body: &[u8]) -> Result<Vec<Command>, Error> {
        let commands = decode_fragment(body, &self.settings.xml)
            .map_err(|error| Error::invalid(&error.path, error.kind.to_string()))?;
        let mut errors = Vec::new();
        for (index, command) in commands.iter().enumerate() {
            check(command, &format!("{}[{}]", command.verb.name(), index + 1), None, &mut errors);
        }
        let (bytes, count) = (self.settings.reply_bytes, self.settings.reply_commands);
        let too_large = |command: &Command| !fits(std::slice::from_ref(command), bytes, count);
        for (index, command) in commands.iter().enumerate().filter(|(_, command)| too_large(command)) {
            let path = format!("{}[{}]", command.verb.name(), index + 1);
            errors.push(mistake(&path, format!("is more than one message takes: {count} commands, {bytes} bytes")));
        }
        if errors.is_empty() { Ok(commands) } else { Err(Error::Invalid(errors)) }
    }
}

/// An Idempotency-Key that was used with other commands is an error.
fn same_commands(known: QueuedCommand, commands: Vec<Command>) -> Result<QueuedCommand, Error> {
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
