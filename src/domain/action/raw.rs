//! Commands as an administrator wrote them.

use super::recipe::{Order, Recipe};
use super::{Placing, Repeat};
use crate::proto::csp::{dm_client, reboot, remote_wipe};
use crate::proto::syncml::{Command, LocUri, Verb};

/// Commands as an administrator wrote them.
pub(super) struct Raw;

impl Recipe for Raw {
    fn name(&self) -> &'static str {
        "raw"
    }

    fn nodes(&self, _: &Order<'_>) -> Vec<LocUri> {
        Vec::new()
    }

    fn first_step(&self, _: &Order<'_>) -> Vec<Command> {
        Vec::new()
    }

    fn repeat(&self, body: &[Command]) -> Repeat {
        let has_exec = body.iter().flat_map(Command::walk).any(|command| command.verb == Verb::Exec);
        if has_exec { Repeat::Never } else { Repeat::Freely }
    }

    fn placing(&self, body: &[Command]) -> Placing {
        let wipes = |uri: &LocUri| uri.is_at_or_below(&LocUri::fixed(remote_wipe::ROOT));
        if execs(body, wipes) || execs(body, dm_client::is_unenroll) {
            return Placing::LAST_AND_ALONE;
        }
        if execs(body, |uri| uri.same_as(&LocUri::fixed(reboot::REBOOT_NOW))) {
            return Placing::BEFORE_THE_LAST;
        }
        Placing::USUAL
    }
}

fn execs(body: &[Command], test: fn(&LocUri) -> bool) -> bool {
    body.iter()
        .flat_map(Command::walk)
        .filter(|command| command.verb == Verb::Exec)
        .any(|command| command.items.iter().filter_map(|item| item.target.as_ref()).any(test))
}
