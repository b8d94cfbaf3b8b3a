//! The nodes of a device: a tree addressed by LocURIs, compared without regard to case.

use std::collections::BTreeMap;

/// The nodes of a device.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    nodes: BTreeMap<String, Node>,
}

/// One node.
#[derive(Clone, PartialEq, Eq)]
pub struct Node {
    /// Its address as it was first written.
    pub uri: String,
    /// `chr`, `int`, `bool`, …; `node` for an interior node that was added.
    pub format: String,
    /// Its value.
    pub value: String,
    /// What a server may do with it.
    pub access: Access,
}

impl std::fmt::Debug for Node {
    /// Values can be secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("uri", &self.uri).field("format", &self.format).finish_non_exhaustive()
    }
}

/// What a server may do with a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Get.
    Read,
    /// Get and Replace; the node is always there.
    Write,
    /// Everything; the server made the node.
    Dynamic,
}

impl Tree {
    /// The node of that address.
    #[must_use]
    pub fn node(&self, uri: &str) -> Option<&Node> {
        self.nodes.get(&key(uri))
    }

    /// The value of that node.
    #[must_use]
    pub fn value(&self, uri: &str) -> Option<&str> {
        self.node(uri).map(|node| node.value.as_str())
    }

    /// Whether the node, or one below it, is there.
    #[must_use]
    pub fn has(&self, uri: &str) -> bool {
        self.nodes.contains_key(&key(uri)) || self.below(&key(uri)).next().is_some()
    }

    /// Puts a node in, or sets the value and format of the one that is there.
    pub fn set(&mut self, uri: &str, format: &str, value: &str, access: Access) {
        let node = Node { uri: path(uri).to_owned(), format: format.to_owned(), value: value.to_owned(), access };
        self.nodes
            .entry(key(uri))
            .and_modify(|old| {
                old.format.clone_from(&node.format);
                old.value.clone_from(&node.value);
            })
            .or_insert(node);
    }

    /// Takes the node and all below it out; `false` when nothing was there.
    pub fn remove(&mut self, uri: &str) -> bool {
        let key = key(uri);
        let gone: Vec<String> = self.below(&key).map(|(key, _)| key.to_owned()).collect();
        let removed = self.nodes.remove(&key).is_some() || !gone.is_empty();
        for key in gone {
            self.nodes.remove(&key);
        }
        removed
    }

    /// Whether a node that the server did not make is at or below the address.
    #[must_use]
    pub fn is_fixed(&self, uri: &str) -> bool {
        let key = key(uri);
        let own = self.nodes.get(&key).into_iter();
        own.chain(self.below(&key).map(|(_, node)| node)).any(|node| node.access != Access::Dynamic)
    }

    /// Names of the nodes directly below an address, in the order of the tree.
    #[must_use]
    pub fn children(&self, uri: &str) -> Vec<String> {
        let key = key(uri);
        let mut names: Vec<String> = Vec::new();
        for (below, node) in self.below(&key) {
            let depth = key.matches('/').count() + 1 + offset(&node.uri, below);
            let name = node.uri.split('/').nth(depth).unwrap_or_default();
            if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                names.push(name.to_owned());
            }
        }
        names
    }

    fn below(&self, key: &str) -> impl Iterator<Item = (&str, &Node)> {
        let prefix = format!("{key}/");
        let start = prefix.clone();
        self.nodes
            .range(start..)
            .take_while(move |(key, _)| key.starts_with(&prefix))
            .map(|(key, node)| (key.as_str(), node))
    }
}

/// How many segments an address as written has more than its key: one where it begins with `./Device/Vendor`.
fn offset(uri: &str, key: &str) -> usize {
    uri.matches('/').count() - key.matches('/').count()
}

/// The form in which addresses are compared: lower case, `./Device/Vendor` being `./Vendor`, without a query.
pub(super) fn key(uri: &str) -> String {
    let lower = path(uri).to_ascii_lowercase();
    match lower.strip_prefix("./device/vendor") {
        Some(rest) => format!("./vendor{rest}"),
        None => lower,
    }
}

fn path(uri: &str) -> &str {
    uri.split('?').next().unwrap_or_default().trim().trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_compared_without_case_and_prefix() {
        let mut tree = Tree::default();
        tree.set("./Device/Vendor/MSFT/Policy/Config/Camera/AllowCamera", "int", "0", Access::Dynamic);
        tree.set("./Vendor/MSFT/Policy/Config/DeviceLock/MinDevicePasswordLength", "int", "6", Access::Dynamic);
        tree.set("./DevInfo/Man", "chr", "Harbor", Access::Read);
        assert_eq!(tree.value("./vendor/msft/policy/config/camera/allowcamera"), Some("0"));
        assert_eq!(tree.children("./Vendor/MSFT/Policy/Config"), ["Camera", "DeviceLock"]);
        assert_eq!(tree.children("./Device/Vendor/MSFT/Policy"), ["Config"]);
        assert_eq!(tree.children("./DevInfo"), ["Man"]);
        assert!(tree.has("./Vendor") && !tree.has("./Vend") && tree.is_fixed("./DevInfo"));
        assert!(!tree.is_fixed("./Vendor/MSFT/Policy"));
        assert!(tree.remove("./Device/Vendor/MSFT/Policy/Config"));
        assert!(!tree.remove("./Device/Vendor/MSFT/Policy/Config") && !tree.has("./Vendor"));
    }
}
