//! NodeCache CSP (10.0.10586, all editions, HoloLens too; management reference 7.11): the device tells which of the nodes
//! that it was given to watch have another value.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::value::Line;
use crate::proto::syncml::{Command, LocUri};

/// A node to watch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WatchedNode {
    /// Its LocURI.
    #[schema(value_type = String, example = "./Device/Vendor/MSFT/Policy/Config/Camera/AllowCamera")]
    pub loc_uri: Line<2048>,
    /// The value that it should have; default: the one that it has when it is added.
    #[serde(default)]
    pub expected: Option<String>,
}

/// The cache of a provider.
#[must_use]
pub fn root(provider_id: &str) -> LocUri {
    LocUri::fixed("./Device/Vendor/MSFT/NodeCache").join(provider_id)
}

/// Empties the cache and begins it anew.
#[must_use]
pub fn begin(provider_id: &str) -> Vec<Command> {
    vec![Command::delete(root(provider_id)), Command::add_node(root(provider_id), "node")]
}

/// Adds a node under a number.
#[must_use]
pub fn watch(provider_id: &str, number: usize, node: &WatchedNode) -> [Command; 2] {
    let own = root(provider_id).below("Nodes").join(&number.to_string());
    let value = match &node.expected {
        Some(expected) => Command::add(own.below("ExpectedValue"), "chr", expected),
        None => Command::add_node(own.below("AutoSetExpectedValue"), "null"),
    };
    [Command::add(own.below("NodeURI"), "chr", node.loc_uri.as_str()), value]
}

/// Gives the cache its version: from now on it is ours.
#[must_use]
pub fn finish(provider_id: &str, version: &str) -> Command {
    Command::add(version_node(provider_id), "chr", version)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::syncml::Verb;

    #[test]
    fn a_cache_is_emptied_filled_and_given_its_version_last() {
        let nodes: Vec<WatchedNode> =
            serde_json::from_str(r#"[{"loc_uri": "./DevDetail/SwV"}, {"loc_uri": "./DevInfo/Man", "expected": ""}]"#)
                .unwrap();
        let mut commands = begin("Muster");
        commands.extend(nodes.iter().enumerate().flat_map(|(index, node)| watch("Muster", index + 1, node)));
        commands.push(finish("Muster", "v1"));
        let told: Vec<(Verb, String, Option<String>, String)> = commands
            .iter()
            .map(|command| {
                let item = &command.items[0];
                let uri = item.target.as_ref().unwrap().to_string();
                let short = uri.replace("./Device/Vendor/MSFT/NodeCache/Muster", "~");
                (command.verb, short, item.meta.format.clone(), item.text().to_owned())
            })
            .collect();
        let expected = [
            (Verb::Delete, "~", None, ""),
            (Verb::Add, "~", Some("node"), ""),
            (Verb::Add, "~/Nodes/1/NodeURI", Some("chr"), "./DevDetail/SwV"),
            (Verb::Add, "~/Nodes/1/AutoSetExpectedValue", Some("null"), ""),
            (Verb::Add, "~/Nodes/2/NodeURI", Some("chr"), "./DevInfo/Man"),
            (Verb::Add, "~/Nodes/2/ExpectedValue", Some("chr"), ""),
            (Verb::Add, "~/CacheVersion", Some("chr"), "v1"),
        ];
        let expected = expected
            .map(|(verb, uri, format, data)| (verb, uri.to_owned(), format.map(str::to_owned), data.to_owned()));
        assert_eq!(told, expected);
    }
}
