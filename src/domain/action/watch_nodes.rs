//! Nodes that the device watches for us (management reference 7.11).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::judge::{conclude_all, over, text};
use super::recipe::{Mistake, Order, Recipe};
use super::{Conclusion, Ending, Repeat};
use crate::domain::command::{CommandState, ItemState};
use crate::proto::csp::node_cache::{self, WatchedNode};
use crate::proto::csp::value::Line;
use crate::proto::syncml::{Command, LocUri};
use crate::proto::xml::is_xml_char;

/// Have the device watch nodes; what it watched for us before is forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WatchNodes {
    /// A name for this list; reading the changes tells it.
    #[schema(value_type = String, example = "2026-03-01")]
    pub version: Line<64>,
    /// The nodes, numbered from 1 in this order.
    pub nodes: Vec<WatchedNode>,
}

/// Nodes that one message adds.
const PORTION: usize = 45;
/// Nodes of one list.
const MOST_NODES: usize = 1_000;

impl Recipe for WatchNodes {
    fn name(&self) -> &'static str {
        "watch_nodes"
    }

    fn mistakes(&self) -> Vec<Mistake> {
        if self.nodes.is_empty() || self.nodes.len() > MOST_NODES {
            return vec![Mistake::new("/nodes", format!("has 1 to {MOST_NODES} nodes"))];
        }
        let wrong = |(index, node): (usize, &WatchedNode)| {
            if let Err(error) = LocUri::checked(node.loc_uri.as_str()) {
                return Some(Mistake::new(format!("/nodes/{index}/loc_uri"), error.to_string()));
            }
            let expected = node.expected.as_deref().unwrap_or_default();
            let good = expected.len() <= 4_096 && expected.chars().all(is_xml_char);
            let words = "has at most 4096 bytes, all of which XML can carry";
            (!good).then(|| Mistake::new(format!("/nodes/{index}/expected"), words))
        };
        self.nodes.iter().enumerate().filter_map(wrong).collect()
    }

    fn nodes(&self, order: &Order<'_>) -> Vec<LocUri> {
        vec![node_cache::root(order.provider_id)]
    }

    fn first_step(&self, order: &Order<'_>) -> Vec<Command> {
        let mut commands = node_cache::begin(order.provider_id);
        commands.extend(self.portion(order, 0));
        commands
    }

    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Freely
    }

    /// Portion by portion; the version comes last, so that a list that is not whole is not taken for ours.
    fn conclude(&self, order: &Order<'_>, items: &[ItemState]) -> Conclusion {
        // What was added by a delivery whose answer was lost is there already.
        let refused =
            items.iter().find(|item| item.status.is_some_and(|code| code >= 300 && !matches!(code, 404 | 418)));
        if refused.is_some() {
            return conclude_all(items);
        }
        if items.iter().any(|item| item.status == Some(404) && item.verb() != crate::proto::syncml::Verb::Delete) {
            return over(items, CommandState::Unsupported, "this device has no node cache");
        }
        let next = self.portion(order, order.step as usize + 1);
        if next.is_empty() {
            return over(items, CommandState::Succeeded, &format!("the device watches {} nodes", self.nodes.len()));
        }
        Conclusion::Next(next)
    }
}

impl WatchNodes {
    fn portion(&self, order: &Order<'_>, portion: usize) -> Vec<Command> {
        let start = portion * PORTION;
        let numbered = self.nodes.iter().enumerate().skip(start).take(PORTION);
        let mut commands: Vec<Command> =
            numbered.flat_map(|(index, node)| node_cache::watch(order.provider_id, index + 1, node)).collect();
        let is_last = start < self.nodes.len() && start + PORTION >= self.nodes.len();
        commands.extend(is_last.then(|| node_cache::finish(order.provider_id, self.version.as_str())));
        commands
    }
}

/// Read which of the watched nodes have another value than expected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListChangedNodes {}

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
        match text(items, &node_cache::version_node(order.provider_id)) {
            None => over(items, CommandState::Failed, "the device watches nothing for us"),
            Some(_) => match conclude_all(items) {
                Conclusion::Finished(ending) if ending.state == CommandState::Succeeded => {
                    let words = match changed(order, items).len() {
                        0 => "nothing changed".to_owned(),
                        count => format!("{count} of the watched nodes changed"),
                    };
                    Conclusion::Finished(Ending { detail: words, ..ending })
                }
                other => other,
            },
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
