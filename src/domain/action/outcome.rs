//! What answers and alerts mean for an action, and how it ended.

use super::judge;
use crate::domain::command::CommandState;
use crate::proto::syncml::{AlertType, Command, LocUri};

/// What the answers to one step of an action mean.
#[derive(Clone, Debug, PartialEq)]
pub enum Conclusion {
    /// Over.
    Finished(Ending),
    /// The next commands of the same action.
    Next(Vec<Command>),
    /// The device asks to come again later.
    Retry(u16),
    /// The device accepted it and works on its own: it is asked later how far it is.
    Follow(Question),
}

/// What asks the device later how far it is with an action that it accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Only Gets: they may be asked as often as it takes.
    pub commands: Vec<Command>,
    /// What is waited for, in words.
    pub detail: String,
}

/// What an alert means for an action that it is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// It tells how the action ended.
    Over(Ending),
    /// It says that there is something to look at now.
    Look(Question),
}

/// An alert that may tell something about an action (management reference chapter 4).
#[derive(Clone, Copy, Debug)]
pub struct DeviceAlert<'a> {
    /// What it is about.
    pub subject: &'a AlertType,
    /// The node it is about.
    pub source: Option<&'a LocUri>,
    /// Its payload.
    pub data: &'a str,
}

impl DeviceAlert<'_> {
    /// Whether it is of that kind and about that node.
    pub(super) fn is(&self, subject: &AlertType, node: &LocUri) -> bool {
        self.subject == subject && self.source.is_some_and(|source| source.same_as(node))
    }

    /// What it means where its payload is 0, or an HRESULT.
    pub(super) fn told(&self, done: &str, failed: &str) -> Heard {
        let error = judge::parse_hresult(self.data);
        let (state, detail) = match error {
            Some(0) => (CommandState::Succeeded, done.to_owned()),
            _ => (CommandState::Failed, format!("{failed}; {}", judge::describe_hresult(self.data.trim()))),
        };
        let hresult = error.filter(|code| *code != 0).map(|code| format!("0x{code:08X}"));
        Heard::Over(Ending { state, status: None, hresult, detail })
    }
}

/// How an action or command ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ending {
    /// Final state.
    pub state: CommandState,
    /// The OMA-DM status that decided.
    pub status: Option<u16>,
    /// The HRESULT beside it.
    pub hresult: Option<String>,
    /// In words.
    pub detail: String,
}

impl Ending {
    /// The device said too often that it is not the time.
    #[must_use]
    pub fn gave_up(status: u16) -> Self {
        Self {
            state: CommandState::Failed,
            status: Some(status),
            hresult: None,
            detail: format!("the device kept asking to try again later (status {status})"),
        }
    }

    /// The device said that it is not the time, and trying again would repeat what was carried out.
    #[must_use]
    pub fn not_repeated(status: u16) -> Self {
        let detail = format!("to be tried again later (status {status}), which would repeat what was carried out");
        Self { detail, ..Self::gave_up(status) }
    }
}
