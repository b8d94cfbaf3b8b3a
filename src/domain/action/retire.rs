//! Leaving management (management reference 7.4).

use time::Duration;

use super::judge::{decide_or_retry, ending, is_done};
use super::recipe::{Order, Recipe};
use super::{Conclusion, Placing, Repeat};
use crate::domain::command::{CommandState, ItemState};
use crate::proto::csp::{dm_client, tenant_lockdown};
use crate::proto::syncml::{Command, LocUri, Verb};

/// Leave management.
pub(super) struct Retire;

impl Recipe for Retire {
    fn name(&self) -> &'static str {
        "retire"
    }

    fn is_destructive(&self) -> bool {
        true
    }

    fn nodes(&self, order: &Order<'_>) -> Vec<LocUri> {
        vec![dm_client::node(order.provider_id, "Unenroll")]
    }

    fn first_step(&self, order: &Order<'_>) -> Vec<Command> {
        if order.undo_lockdown {
            return vec![tenant_lockdown::set(false)];
        }
        vec![dm_client::unenroll(order.provider_id)]
    }

    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Offers { most: 4, pause: Duration::ZERO }
    }

    fn placing(&self, _: &[Command]) -> Placing {
        Placing::LAST_AND_ALONE
    }

    /// The clean-up is sent once, whatever comes of it; then Unenroll.
    fn conclude(&self, order: &Order<'_>, items: &[ItemState]) -> Conclusion {
        let unenroll = items.iter().find(|item| item.uri().is_some_and(|uri| dm_client::is_unenroll(&uri)));
        let Some(item) = unenroll else { return Conclusion::Next(vec![dm_client::unenroll(order.provider_id)]) };
        Conclusion::Finished(match item.status {
            Some(code) if is_done(Verb::Exec, code) => {
                ending(CommandState::Succeeded, item, "the device accepted to leave")
            }
            _ => return decide_or_retry(item, Verb::Exec),
        })
    }
}
