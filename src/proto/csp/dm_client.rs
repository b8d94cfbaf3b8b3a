//! DMClient CSP: the enrollment seen from the device (management reference 1.12, 1.17, 7.4, annex B).

use crate::proto::syncml::{Command, Data, Item, LocUri, Meta, Verb};
use crate::proto::wap::Poll;

/// The hardware hash.
pub const HW_DEV_ID: &str = "./Device/Vendor/MSFT/DMClient/HWDevID";

/// A node of our provider.
#[must_use]
pub fn node(provider_id: &str, name: &'static str) -> LocUri {
    LocUri::fixed("./Device/Vendor/MSFT/DMClient/Provider").join(provider_id).join(name)
}

/// A node of push, of our provider.
fn push(provider_id: &str, name: &'static str) -> LocUri {
    node(provider_id, "Push").join(name)
}

/// Where the device can be woken.
#[must_use]
pub fn channel_uri(provider_id: &str) -> LocUri {
    push(provider_id, "ChannelURI")
}

/// How the device's registration for push stands.
#[must_use]
pub fn push_status(provider_id: &str) -> LocUri {
    push(provider_id, "Status")
}

/// Adds or replaces the package family name for which the device registers for push.
#[must_use]
pub fn set_pfn(verb: Verb, provider_id: &str, pfn: &str) -> Command {
    Command::new(verb, Item::value(push(provider_id, "PFN"), "chr", pfn))
}

/// Adds the node above the nodes of push.
#[must_use]
pub fn add_push(provider_id: &str) -> Command {
    Command::add_node(node(provider_id, "Push"), "node")
}

/// A node of the poll schedule, of our provider.
fn poll(provider_id: &str, name: &'static str) -> LocUri {
    node(provider_id, "Poll").join(name)
}

/// Adds the node above the poll schedule.
#[must_use]
pub fn add_poll(provider_id: &str) -> Command {
    Command::add_node(node(provider_id, "Poll"), "node")
}

/// Sets the six numbers of a poll schedule in one Atomic: half a schedule may be one that is not allowed.
#[must_use]
pub fn set_poll(provider_id: &str, schedule: &Poll) -> Command {
    let number =
        |(name, value): (&'static str, u32)| Command::replace(poll(provider_id, name), "int", &value.to_string());
    Command::container(Verb::Atomic, schedule.numbers().into_iter().map(number).collect())
}

/// Sets whether the device calls when somebody signs in; each by itself, because older builds do not have both.
#[must_use]
pub fn set_poll_switches(provider_id: &str, schedule: &Poll) -> Vec<Command> {
    let switch = |(name, value): (&'static str, bool)| {
        Command::replace(poll(provider_id, name), "bool", if value { "true" } else { "false" })
    };
    schedule.switches().into_iter().map(switch).collect()
}

/// `Exec` of Unenroll. Windows 10 ignores the data; it is sent all the same.
#[must_use]
pub fn unenroll(provider_id: &str) -> Command {
    let item = Item {
        target: Some(node(provider_id, "Unenroll")),
        meta: Meta { format: Some("chr".to_owned()), ..Meta::default() },
        data: Some(Data::new(provider_id)),
        ..Item::default()
    };
    Command::new(Verb::Exec, item)
}

/// Whether a node is an Unenroll node, of any provider or the legacy one.
#[must_use]
pub fn is_unenroll(uri: &LocUri) -> bool {
    uri.is_at_or_below(&LocUri::fixed("./Device/Vendor/MSFT/DMClient"))
        && uri.last_segment().eq_ignore_ascii_case("Unenroll")
}

/// `Replace` that makes a slow device send heartbeats.
#[must_use]
pub fn enable_keep_alive(provider_id: &str) -> Command {
    Command::replace(node(provider_id, "EnableOmaDmKeepAliveMessage"), "bool", "true")
}

/// `Replace` that makes the device sign its messages; it does from its next session on.
#[must_use]
pub fn require_signatures(provider_id: &str) -> Command {
    Command::replace(node(provider_id, "RequireMessageSigning"), "bool", "true")
}

/// `Replace` of the session protocol version; 3.0 brings HRESULTs in statuses.
#[must_use]
pub fn set_sync_version(provider_id: &str, version: &str) -> Command {
    Command::replace(node(provider_id, "SyncApplicationVersion"), "chr", version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::csp::told::{right, told};
    use crate::proto::syncml::encode_fragment;

    #[test]
    fn a_schedule_is_set_as_a_whole() {
        let node = "./Device/Vendor/MSFT/DMClient/Provider/Muster/Poll";
        let schedule = Poll { second: None, on_login: false, ..Poll::default() };
        let commands = [vec![set_poll("Muster", &schedule)], set_poll_switches("Muster", &schedule)].concat();
        let numbers = [
            ("NumberOfFirstRetries", 5),
            ("IntervalForFirstSetOfRetries", 3),
            ("NumberOfSecondRetries", 0),
            ("IntervalForSecondSetOfRetries", 0),
            ("NumberOfRemainingScheduledRetries", 0),
            ("IntervalForRemainingScheduledRetries", 480),
        ];
        let mut expected = vec!["Atomic".to_owned()];
        expected.extend(numbers.map(|(name, value)| format!("  Replace {node}/{name} int {value}")));
        expected.push(format!("Replace {node}/PollOnLogin bool false"));
        expected.push(format!("Replace {node}/AllUsersPollOnFirstLogin bool true"));
        assert_eq!(told(&commands), expected);
        right(&commands);
        right(&[add_poll("Muster")]);
    }

    // covers: M-111
    #[test]
    fn unenroll_names_the_provider_in_address_and_data() {
        let mut command = unenroll("Muster");
        command.cmd_id = "c1".to_owned();
        let expected = concat!(
            "<Exec><CmdID>c1</CmdID><Item><Target><LocURI>./Device/Vendor/MSFT/DMClient/Provider/Muster/Unenroll</LocURI>",
            "</Target><Meta><Format xmlns=\"syncml:metinf\">chr</Format></Meta><Data>Muster</Data></Item></Exec>"
        );
        assert_eq!(String::from_utf8(encode_fragment(&[command])).unwrap(), expected);
    }
}
