//! What the server asks on its own: the inventory, in the first session and then daily, at most once a session.
//!
//! Nothing of it is durable: a batch that got lost is due again in the next session (management reference 7.10, 1.12, 1.17).

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::domain::enrollment::Enrollment;
use crate::domain::inventory::InventoryItem;
use crate::proto::csp::catalogue::Build;
use crate::proto::csp::{device_info, dm_client, linked_enrollment};
use crate::proto::syncml::{Command, LocUri};

/// Where the automatic batch of a session stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Automatic {
    /// Stage.
    pub stage: Stage,
    /// Whether this is the first inventory of the enrollment.
    pub first: bool,
    /// Highest session protocol that the device speaks, once it said so.
    pub max_sync_version: Option<String>,
    /// Commands of the inventory that were sent.
    #[serde(default)]
    pub sent: usize,
    /// Whether the nodes of push are left out, because they are read in every session.
    #[serde(default)]
    pub without_push: bool,
    /// Whether the nodes of the linked enrollment are read.
    #[serde(default)]
    pub with_link: bool,
    /// Whether the list of its CSPs is left out, because it was read on this build of Windows.
    #[serde(default)]
    pub without_csps: bool,
    /// Whether the device is to be told that it has to sign its messages.
    #[serde(default)]
    pub sign: bool,
}

/// Stages in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Not due in this session.
    #[default]
    NotDue,
    /// To be sent with the next commands.
    Due,
    /// Sent, answers awaited.
    Sent,
    /// Answered; the session protocol is to be set.
    Follow,
    /// Over for this session.
    Done,
}

const EVERY: Duration = Duration::hours(24);
/// Longest value that is taken over to the enrollment, in bytes.
const LONGEST_FACT: usize = 256;

impl Automatic {
    /// Whether an inventory is due for that enrollment. `csps_of` is the build on which its CSPs were read last.
    pub(super) fn plan(enrollment: &Enrollment, csps_of: Option<u32>, without_push: bool, now: OffsetDateTime) -> Self {
        let due = enrollment.inventory_at.is_none_or(|at| now - at >= EVERY || at > now);
        Self {
            stage: if due { Stage::Due } else { Stage::NotDue },
            first: enrollment.inventory_at.is_none(),
            max_sync_version: None,
            sent: 0,
            without_push,
            with_link: false,
            without_csps: csps_of.is_some() && csps_of == os_build(enrollment),
            sign: false,
        }
    }

    /// At most so many commands of this stage, numbered; moves on.
    pub(super) fn commands(&mut self, provider_id: &str, most: usize) -> Vec<Command> {
        let mut commands = Vec::new();
        if std::mem::take(&mut self.sign) {
            commands.push(dm_client::require_signatures(provider_id).named("k3"));
        }
        match self.stage {
            Stage::Due if commands.len() < most => {
                self.stage = Stage::Sent;
                let room = most - commands.len();
                let portion = self.inventory(provider_id).into_iter().skip(self.sent).take(room).collect::<Vec<_>>();
                self.sent += portion.len();
                commands.extend(portion);
            }
            Stage::Follow if commands.len() < most => {
                self.stage = Stage::Done;
                commands.push(dm_client::set_sync_version(provider_id, "3.0").named("k2"));
            }
            Stage::NotDue | Stage::Due | Stage::Sent | Stage::Follow | Stage::Done => {}
        }
        commands
    }

    /// Every command of the inventory, in order.
    fn inventory(&self, provider_id: &str) -> Vec<Command> {
        let mut commands: Vec<Command> = self.nodes(provider_id).into_iter().map(Command::get).collect();
        for (index, command) in commands.iter_mut().enumerate() {
            command.cmd_id = format!("i{}", index + 1);
        }
        if self.first {
            commands.push(dm_client::enable_keep_alive(provider_id).named("k1"));
        }
        commands
    }

    /// The node that a CmdID of the batch asked for.
    pub(super) fn node(&self, cmd_ref: &str, provider_id: &str) -> Option<LocUri> {
        if matches!(self.stage, Stage::NotDue | Stage::Done) {
            return None;
        }
        let index: usize = cmd_ref.strip_prefix('i')?.parse().ok()?;
        self.nodes(provider_id).into_iter().nth(index.checked_sub(1)?)
    }

    fn nodes(&self, provider_id: &str) -> Vec<LocUri> {
        let mut nodes = device_info::inventory(provider_id);
        if self.without_push {
            let push = dm_client::node(provider_id, "Push");
            nodes.retain(|node| !node.is_at_or_below(&push));
        }
        if self.with_link {
            nodes.extend([linked_enrollment::status(provider_id), linked_enrollment::last_error(provider_id)]);
        }
        if self.without_csps {
            nodes.retain(|node| !is_csp_list(node));
        }
        nodes
    }

    /// Whether a CmdID is one of ours.
    pub(super) fn owns(cmd_ref: &str) -> bool {
        let number = cmd_ref.strip_prefix('i').or_else(|| cmd_ref.strip_prefix('k'));
        number.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
    }

    /// The package that answers the batch is complete; whether the inventory is, too.
    pub(super) fn answered(&mut self, provider_id: &str) -> bool {
        if self.stage != Stage::Sent {
            return false;
        }
        let whole = self.sent >= self.inventory(provider_id).len();
        if whole {
            let speaks_3 = self.max_sync_version.as_deref().is_some_and(|version| major(version) >= 3);
            self.stage = if self.first && speaks_3 { Stage::Follow } else { Stage::Done };
        } else {
            self.stage = Stage::Due;
        }
        whole
    }

    /// Whether something of it is to be sent or answered in this session.
    pub(super) fn is_under_way(&self) -> bool {
        matches!(self.stage, Stage::Due | Stage::Sent)
    }

    /// Gives the inventory up for this session.
    pub(super) fn give_up(&mut self) -> bool {
        let was_under_way = self.sent > 0 && matches!(self.stage, Stage::Sent | Stage::Due);
        self.stage = Stage::Done;
        was_under_way
    }
}

fn major(version: &str) -> u32 {
    version.trim().split('.').next().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// The build of Windows that a device reported.
pub(super) fn os_build(enrollment: &Enrollment) -> Option<u32> {
    Some(Build::parse(enrollment.os_version.as_deref()?)?.build)
}

/// Whether that is the list of the device's CSPs.
pub(super) fn is_csp_list(node: &LocUri) -> bool {
    node.same_as(&LocUri::fixed(device_info::CSP_VERSIONS))
}

/// Takes a reported value over to the enrollment where it belongs there.
pub(super) fn note(enrollment: &mut Enrollment, item: &InventoryItem) {
    let Some(value) = item.value.as_deref().map(str::trim) else { return };
    if value.is_empty() || value.len() > LONGEST_FACT {
        return;
    }
    let is = |node: &'static str| item.loc_uri.same_as(&LocUri::fixed(node));
    if is(device_info::SOFTWARE_VERSION) {
        enrollment.os_version = Some(value.to_owned());
    } else if is(device_info::EDITION) {
        enrollment.os_edition = value.parse().ok().or(enrollment.os_edition);
    } else if is(device_info::DEV_ID) {
        enrollment.reported_dev_id = Some(value.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::super::world::{World, answers, package1};
    use super::*;

    /// Lets the device answer an inventory from that build; whether it was asked for its CSPs.
    fn round(world: &mut World, session: &str, build: &str) -> bool {
        // Due in every session.
        world.enrollment.inventory_at = None;
        let commands = world.post(&package1(session)).commands();
        let asked = |end: &str| {
            let target = |command: &&Command| command.items[0].target.as_ref().unwrap().as_str().ends_with(end);
            commands.iter().find(target).map(|command| command.cmd_id.clone())
        };
        let result = |cmd_ref: &str, data: &str| {
            format!(
                "<Results><CmdID>r{cmd_ref}</CmdID><MsgRef>1</MsgRef><CmdRef>{cmd_ref}</CmdRef><Item><Data>{data}</Data>\
                 </Item></Results>"
            )
        };
        let csps = asked("/CSPVersions");
        let mut results = result(&asked("/SwV").unwrap(), build);
        if let Some(cmd_ref) = &csps {
            results.push_str(&result(cmd_ref, "&lt;CSPVersions/&gt;"));
        }
        let text = answers(session, 2, &commands, 200).replace("<Final/>", &format!("{results}<Final/>"));
        assert_eq!(world.post(&text).commands(), []);
        csps.is_some()
    }

    #[test]
    fn the_list_of_csps_is_read_once_on_a_build() {
        let mut world = World::new();
        world.enrollment.os_version = Some("10.0.19045.1".to_owned());
        assert!(round(&mut world, "1", "10.0.22631.3000"));
        assert!(!round(&mut world, "2", "10.0.22631.4000"), "another revision has the same CSPs");
        assert!(!round(&mut world, "3", "10.0.26100.1"), "its new build is not known before it answers");
        assert!(round(&mut world, "4", "10.0.26100.1"));
        assert!(!round(&mut world, "5", "10.0.26100.2"));
    }
}
