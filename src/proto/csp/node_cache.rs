//! NodeCache CSP (10.0.10586, all editions, HoloLens too; management reference 7.11): the device tells which of the nodes
//! that it was given to watch have another value than they should.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::parameter::{self, Unfit};
use crate::proto::syncml::{Command, LocUri};
use crate::proto::xml::is_xml_char;

/// Have the device watch nodes; what it watched for us before is forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WatchNodes {
    /// A name for this list; `list_changed_nodes` tells it.
    #[schema(example = "2026-03-01")]
    pub version: String,
    /// The nodes, 1 to 1000; they are numbered from 1 in this order.
    pub nodes: Vec<WatchedNode>,
}

/// A node to watch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WatchedNode {
    /// Its LocURI.
    #[schema(example = "./Device/Vendor/MSFT/Policy/Config/Camera/AllowCamera")]
    pub loc_uri: String,
    /// The value that it should have; default: the one that it has when it is added (10.0.15063).
    pub expected: Option<String>,
}

/// Nodes of one list.
const MOST_NODES: usize = 1_000;
/// Nodes that one message adds, two commands each.
const PORTION: usize = 45;
/// Longest expected value, in bytes.
const LONGEST_VALUE: usize = 4_096;

/// The cache of a provider.
#[must_use]
pub fn root(provider_id: &str) -> LocUri {
    LocUri::fixed("./Device/Vendor/MSFT/NodeCache").join(provider_id)
}

/// The node of the version (`chr`).
#[must_use]
pub fn version_node(provider_id: &str) -> LocUri {
    root(provider_id).below("CacheVersion")
}

/// The node that tells which numbers changed (`chr`, joined by commas).
#[must_use]
pub fn changed_node(provider_id: &str) -> LocUri {
    root(provider_id).below("ChangedNodes")
}

/// `Get` of the version, and of what changed.
#[must_use]
pub fn read(provider_id: &str) -> Vec<Command> {
    vec![Command::get(version_node(provider_id)), Command::get(changed_node(provider_id))]
}

impl WatchNodes {
    /// Whether a device could watch them.
    pub fn check(&self) -> Result<(), Unfit> {
        parameter::text("/version", &self.version, 64)?;
        if self.nodes.is_empty() || self.nodes.len() > MOST_NODES {
            return Err(Unfit::new("/nodes", format!("must have 1 to {MOST_NODES} nodes")));
        }
        for (index, node) in self.nodes.iter().enumerate() {
            LocUri::checked(&node.loc_uri)
                .map_err(|error| Unfit::new(format!("/nodes/{index}/loc_uri"), error.to_string()))?;
            let expected = node.expected.as_deref().unwrap_or_default();
            if expected.len() > LONGEST_VALUE || !expected.chars().all(is_xml_char) {
                let words = format!("must have at most {LONGEST_VALUE} bytes, all of which XML can carry");
                return Err(Unfit::new(format!("/nodes/{index}/expected"), words));
            }
        }
        Ok(())
    }

    /// The commands of a step, from 0; nothing once all was said. The first empties the cache and makes it anew; the last
    /// gives it its version, so that a list that is not whole is not taken for ours.
    #[must_use]
    pub fn portion(&self, provider_id: &str, step: usize) -> Vec<Command> {
        let root = root(provider_id);
        let start = step.saturating_mul(PORTION);
        let mut commands = Vec::new();
        if step == 0 {
            commands.extend([Command::delete(root.clone()), Command::add_node(root.clone(), "node")]);
        }
        for (index, node) in self.nodes.iter().enumerate().skip(start).take(PORTION) {
            let own = root.below("Nodes").join(&(index + 1).to_string());
            commands.push(Command::add(own.below("NodeURI"), "chr", node.loc_uri.trim()));
            commands.push(match &node.expected {
                Some(expected) => Command::add(own.below("ExpectedValue"), "chr", expected),
                None => Command::add_node(own.below("AutoSetExpectedValue"), "null"),
            });
        }
        let is_last = start < self.nodes.len() && start + PORTION >= self.nodes.len();
        commands.extend(is_last.then(|| Command::add(version_node(provider_id), "chr", &self.version)));
        commands
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::csp::told::{right, told};

    fn list(nodes: &str) -> WatchNodes {
        serde_json::from_str(&format!(r#"{{"version": "v1", "nodes": {nodes}}}"#)).unwrap()
    }

    #[test]
    fn a_cache_is_emptied_filled_and_given_its_version_last() {
        let watch = list(r#"[{"loc_uri": "./DevDetail/SwV"}, {"loc_uri": "./DevInfo/Man", "expected": "A & B"}]"#);
        let root = "./Device/Vendor/MSFT/NodeCache/Muster";
        let expected = [
            format!("Delete {root}"),
            format!("Add {root} node"),
            format!("Add {root}/Nodes/1/NodeURI chr ./DevDetail/SwV"),
            format!("Add {root}/Nodes/1/AutoSetExpectedValue null"),
            format!("Add {root}/Nodes/2/NodeURI chr ./DevInfo/Man"),
            format!("Add {root}/Nodes/2/ExpectedValue chr A & B"),
            format!("Add {root}/CacheVersion chr v1"),
        ];
        assert_eq!(watch.check(), Ok(()));
        assert_eq!(told(&watch.portion("Muster", 0)), expected);
        assert!(watch.portion("Muster", 1).is_empty());
        right(&watch.portion("Muster", 0));
        right(&read("Muster"));
    }

    #[test]
    fn a_long_list_goes_in_portions() {
        let node = WatchedNode { loc_uri: "./DevDetail/SwV".to_owned(), expected: None };
        let watch = WatchNodes { version: "v".to_owned(), nodes: vec![node; 2 * PORTION] };
        let portions = [0, 1, 2].map(|step| told(&watch.portion("Muster", step)));
        assert_eq!(portions.each_ref().map(Vec::len), [2 + 2 * PORTION, 2 * PORTION + 1, 0]);
        assert!(portions[0].iter().all(|line| !line.contains("CacheVersion")));
        assert!(portions[1][0].contains("/Nodes/46/NodeURI"), "{}", portions[1][0]);
    }

    #[test]
    fn what_cannot_be_watched_is_refused() {
        let long = format!(r#"[{{"loc_uri": "./DevInfo/Man", "expected": "{}"}}]"#, "x".repeat(LONGEST_VALUE + 1));
        let bad = [
            ("/nodes", "[]"),
            ("/nodes/0/loc_uri", r#"[{"loc_uri": "DevInfo/Man"}]"#),
            (
                "/nodes/1/expected",
                r#"[{"loc_uri": "./DevInfo/Man"}, {"loc_uri": "./DevInfo/Man", "expected": "\u0001"}]"#,
            ),
            ("/nodes/0/expected", &long),
        ];
        for (pointer, nodes) in bad {
            assert_eq!(list(nodes).check().unwrap_err().pointer, pointer);
        }
        let unnamed = WatchNodes { version: String::new(), ..list(r#"[{"loc_uri": "./DevInfo/Man"}]"#) };
        assert_eq!(unnamed.check().unwrap_err().pointer, "/version");
    }
}
