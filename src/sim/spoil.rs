//! Wrong answers: a message of a device whose answers to commands are not what they should be.

use super::chance::Chance;
use crate::proto::syncml::{Element, Message, StatusCode, decode, encode};
use crate::proto::xml::Limits;

/// The CmdIDs of the commands in a message, those inside containers included; none where it cannot be read.
#[must_use]
pub fn cmd_ids(body: &[u8]) -> Vec<String> {
    let Ok(message) = decode(body, &Limits::default()) else { return Vec::new() };
    let commands = message.body.iter().filter_map(|element| match element {
        Element::Command(command) => Some(command),
        _ => None,
    });
    commands.flat_map(|command| command.walk()).map(|command| command.cmd_id.clone()).collect()
}

/// Makes one answer in a message of a device wrong. Returns the message, in what way it is wrong, and the command that it
/// is about; `None` where it answers no command.
#[must_use]
pub fn spoil(body: &[u8], chance: &mut Chance) -> Option<(Vec<u8>, &'static str, String)> {
    let mut message = decode(body, &Limits::default()).ok()?;
    let answers: Vec<usize> = (0..message.body.len()).filter(|place| answered(&message, *place).is_some()).collect();
    let place = *answers.get(chance.one_of(answers.len()))?;
    let about = answered(&message, place)?.to_owned();
    let way = WAYS[chance.one_of(WAYS.len())];
    match (way, message.body.get_mut(place)?) {
        (Way::Silent, _) => {
            message.body.remove(place);
        }
        (Way::Unknown, Element::Status(status)) => status.code = StatusCode(699),
        (Way::Refused, Element::Status(status)) => status.code = StatusCode(500),
        (Way::Stranger, Element::Status(status)) => status.cmd_ref = "never-sent".to_owned(),
        (_, _) => return None,
    }
    Some((encode(&message), way.as_str(), about))
}

/// The command that a Status of the message is about, its header aside.
fn answered(message: &Message, place: usize) -> Option<&str> {
    match message.body.get(place)? {
        Element::Status(status) if status.cmd_ref != "0" => Some(&status.cmd_ref),
        _ => None,
    }
}

#[derive(Clone, Copy)]
enum Way {
    Silent,
    Unknown,
    Refused,
    Stranger,
}

impl Way {
    fn as_str(self) -> &'static str {
        match self {
            Self::Silent => "no status",
            Self::Unknown => "status 699",
            Self::Refused => "status 500",
            Self::Stranger => "status of an unknown command",
        }
    }
}

const WAYS: [Way; 4] = [Way::Silent, Way::Unknown, Way::Refused, Way::Stranger];
