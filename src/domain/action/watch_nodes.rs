//! Nodes that the device watches for us (management reference 7.11).

use serde_json::{Value, json};

use super::judge::{conclude_all, over, text};
use super::recipe::{Order, Recipe};
use super::{Conclusion, Ending, Impossible, Repeat};
use crate::domain::command::{CommandState, ItemState};
use crate::domain::enrollment::Enrollment;
use crate::proto::csp::node_cache::{self, WatchNodes};
use crate::proto::syncml::{Command, LocUri};

impl Recipe for WatchNodes {
    fn name(&self) -> &'static str {
        "watch_nodes"
    }

    fn check(&self, _: &Enrollment) -> Result<(), Impossible> {
        self.check().map_err(Impossible::Parameter)
    }

    fn goes_by_description(&self) -> bool {
        true
    }

    fn nodes(&self, order: &Order<'_>) -> Vec<LocUri> {
        vec![node_cache::root(order.provider_id)]
    }

    fn first_step(&self, order: &Order<'_>) -> Vec<Command> {
        self.portion(order.provider_id, 0)
    }

    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Freely
    }

    /// Portion by portion, as long as nothing is refused; that there was no cache to empty is no refusal.
    fn conclude(&self, order: &Order<'_>, items: &[ItemState]) -> Conclusion {
        match conclude_all(items) {
            Conclusion::Finished(ending) if ending.state == CommandState::Succeeded => {
                let next = self.portion(order.provider_id, (order.step as usize).saturating_add(1));
                if !next.is_empty() {
                    return Conclusion::Next(next);
                }
                let detail = format!("the device watches {} nodes", self.nodes.len());
                Conclusion::Finished(Ending { detail, ..ending })
            }
            other => other,
        }
    }
}

/// Read which of the watched nodes have another value than they should.
pub(super) struct ListChangedNodes;

impl Recipe for ListChangedNodes {
    fn name(&self) -> &'static str {
        "list_changed_nodes"
    }

    fn nodes(&self, _: &Order<'_>) -> Vec<LocUri> {
        Vec::new()
    }

    fn first_step(&self, order: &Order<'_>) -> Vec<Command> {
        node_cache::read(order.provider_id)
    }

    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Freely
    }

    fn conclude(&self, order: &Order<'_>, items: &[ItemState]) -> Conclusion {
        if text(items, &node_cache::version_node(order.provider_id)).is_none() {
            return over(items, CommandState::Failed, "the device watches nothing for us");
        }
        match conclude_all(items) {
            Conclusion::Finished(ending) if ending.state == CommandState::Succeeded => {
                let detail = match changed(order, items).len() {
                    0 => "nothing changed".to_owned(),
                    count => format!("{count} of the watched nodes changed"),
                };
                Conclusion::Finished(Ending { detail, ..ending })
            }
            other => other,
        }
    }

    fn result(&self, order: &Order<'_>, items: &[ItemState]) -> Option<Value> {
        Some(json!({
            "version": text(items, &node_cache::version_node(order.provider_id)),
            "changed": changed(order, items),
        }))
    }
}

/// The numbers of the nodes that changed.
fn changed(order: &Order<'_>, items: &[ItemState]) -> Vec<String> {
    let told = text(items, &node_cache::changed_node(order.provider_id)).unwrap_or_default();
    told.split(',').map(|number| number.trim().to_owned()).filter(|number| !number.is_empty()).collect()
}
