//! What the log says of each enrollment: which commands were carried out, how often, and whether the server was told.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::record::{ANSWER_TOO_LARGE, Entry, Line};
use crate::proto::syncml::{LocUri, StatusCode, Verb, Verdict, verdict};
use crate::sim::Fault;

/// The stories of all enrollments, by their ids.
#[derive(Debug, Default)]
pub(super) struct Stories(pub(super) HashMap<String, Story>);

/// What one enrollment went through.
#[derive(Debug, Default)]
pub(super) struct Story {
    pub(super) device: String,
    /// By the server's id of the unit in its queue, as far as a CmdID holds it.
    pub(super) units: BTreeMap<String, Vec<Execution>>,
    /// Units for which something went wrong on purpose: their message was lost, or their answer was no true one.
    pub(super) disturbed: BTreeSet<String>,
    /// Whether the device was wiped or left.
    pub(super) is_gone: bool,
    /// The last session that ended as it should, without faults.
    pub(super) settled: Option<Settled>,
    /// The session under way, while nothing has gone wrong in it.
    sound: Option<Settled>,
    /// Place of the message in the story.
    message: u64,
    /// Units that were carried out in a message whose answer is on its way, with the places of their executions.
    open: Vec<(String, usize)>,
}

/// A session in which the device was given whatever waited for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settled {
    /// When it began, by the clock of the simulation.
    pub(super) began: OffsetDateTime,
    /// Whether the device restarts after it: then it is not wiped in it.
    pub(super) restarts: bool,
}

/// One Item, carried out or refused.
#[derive(Debug)]
pub(super) struct Execution {
    pub(super) cmd_id: String,
    pub(super) verb: String,
    pub(super) uri: String,
    pub(super) status: u16,
    /// Of the story; Items of the same message were carried out together.
    pub(super) message: u64,
    /// The server has the true status.
    pub(super) told: bool,
}

impl Execution {
    /// Whether the device did it.
    pub(super) fn is_done(&self) -> bool {
        (200..213).contains(&self.status)
    }

    /// Whether it told that it is not the time: the server sends the command again, later. What an Atomic did not come to
    /// (215) has its reason in the Atomic.
    pub(super) fn asks_again(&self) -> bool {
        let is_of_user = || LocUri::received(&self.uri).is_user_scope();
        let verb = Verb::from_name(&self.verb).unwrap_or(Verb::Exec);
        match self.status {
            405 => is_of_user(),
            code => code != 215 && verdict(verb, StatusCode(code)) == Verdict::Retry,
        }
    }
}

impl Stories {
    /// Takes the next line of the log.
    pub(super) fn take(&mut self, line: Line) {
        let story = self.0.entry(line.enrollment).or_default();
        match line.entry {
            Entry::Enrolled { .. } => story.device = line.device,
            Entry::Session { .. } => {
                let began = OffsetDateTime::parse(&line.at, &Rfc3339).ok();
                story.sound = began.map(|began| Settled { began, restarts: false });
                story.begin_message();
            }
            Entry::Executed { cmd_id, verb, uri, status } => {
                let Some(unit) = unit(&cmd_id) else { return };
                let executions = story.units.entry(unit.clone()).or_default();
                story.open.push((unit, executions.len()));
                executions.push(Execution { cmd_id, verb, uri, status, message: story.message, told: false });
            }
            Entry::Answered => {
                for (unit, place) in std::mem::take(&mut story.open) {
                    if let Some(execution) = story.units.get_mut(&unit).and_then(|all| all.get_mut(place)) {
                        execution.told = true;
                    }
                }
                story.begin_message();
            }
            Entry::NotTaken => story.begin_message(),
            Entry::Fault { fault, cmd_ids, .. } => {
                story.sound = story.sound.filter(|_| fault == Fault::Slow.as_str());
                let units: Vec<String> = cmd_ids.iter().filter_map(|cmd_id| unit(cmd_id)).collect();
                story.open.retain(|(open, _)| !units.contains(open));
                story.disturbed.extend(units);
            }
            // What was carried out in a session that failed may or may not have been told. Where it was too much to be
            // told, the server knows that and no more.
            Entry::Failed { injected, kind, .. } => {
                story.sound = None;
                let open = std::mem::take(&mut story.open);
                if injected || kind == ANSWER_TOO_LARGE {
                    story.disturbed.extend(open.into_iter().map(|(unit, _)| unit));
                }
            }
            Entry::Ended => story.settled = story.sound.take().or(story.settled),
            Entry::Did { effect } => {
                story.is_gone |= effect.starts_with("wipe");
                if let Some(sound) = &mut story.sound {
                    sound.restarts |= effect == "reboot";
                }
            }
            Entry::Left => story.is_gone = true,
            Entry::Renewed { .. } => {}
        }
    }
}

impl Story {
    fn begin_message(&mut self) {
        self.open.clear();
        self.message += 1;
    }
}

/// The unit of the queue that a CmdID names: Muster's are the last twelve digits of its id, a dash, and the place in it.
/// Others are questions of the server's own.
fn unit(cmd_id: &str) -> Option<String> {
    let (unit, _) = cmd_id.split_once('-')?;
    (unit.len() == UNIT_DIGITS && unit.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| unit.to_owned())
}

/// Digits of an id that stand in a CmdID.
pub(super) const UNIT_DIGITS: usize = 12;
