//! What devices have shown of their nodes: learned from the statuses of real commands, kept for a build and an edition.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use crate::proto::csp::catalogue::{Catalogue, Found, Lifetime, Occurrence};
use crate::proto::syncml::{LocUri, Verb, node_key};
use crate::proto::xml::{Document, Element, Limits};

/// How devices of a build and an edition answered a command on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeAnswer {
    /// The build, without its revision.
    pub build: u32,
    /// The edition.
    pub edition: u32,
    /// The node as the catalogue writes it.
    pub path: String,
    /// The command.
    pub verb: Verb,
    /// The status, 200 for all that tell that it works.
    pub status: u16,
    /// How often.
    pub answers: u64,
    /// The lowest revision of the build that answered so.
    pub first_revision: u32,
    /// The highest.
    pub last_revision: u32,
    /// When last.
    pub last_at: OffsetDateTime,
}

impl NodeAnswer {
    /// What the status tells.
    #[must_use]
    pub fn sign(&self) -> Option<NodeSign> {
        NodeSign::of_status(self.status)
    }
}

/// What an answer tells of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NodeSign {
    /// The node is there and takes the command.
    Works,
    /// The node is not there.
    Absent,
    /// The node is there and does not take the command.
    NotAllowed,
}

impl NodeSign {
    /// The sign of a status.
    #[must_use]
    pub fn of_status(status: u16) -> Option<Self> {
        match status {
            200 => Some(Self::Works),
            404 | 406 | 410 | 501 => Some(Self::Absent),
            405 => Some(Self::NotAllowed),
            _ => None,
        }
    }

    /// The word of the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::Absent => "absent",
            Self::NotAllowed => "not_allowed",
        }
    }
}

/// What the status of a command tells of the node in general: its path in the catalogue, and the status as it is counted.
///
/// A setting that is not set, a name that stands for nothing, and a lock on a device without a PIN tell nothing: the same
/// command may work on the next device.
#[must_use]
pub fn learn<'c>(catalogue: &'c Catalogue, uri: &LocUri, verb: Verb, status: u16) -> Option<(&'c str, u16)> {
    let found = catalogue.find(uri.as_str()).filter(|found| !found.is_ingested())?;
    let counted = match (status, verb) {
        (200..=206, _) | (418, Verb::Add) => 200,
        (404 | 410, _) if !is_always_there(&found, verb) => return None,
        (405, Verb::Exec) => return None,
        (404..=406 | 410 | 501, _) => status,
        _ => return None,
    };
    Some((found.record().path.as_str(), counted))
}

/// Whether "not found" says something about the build rather than about what is set on that one device.
fn is_always_there(found: &Found<'_, '_>, verb: Verb) -> bool {
    let record = found.record();
    if found.names().next().is_some() || verb == Verb::Delete {
        return false;
    }
    let is_fixed = record.lifetime == Some(Lifetime::Permanent)
        || matches!(record.occurrence, Some(Occurrence::One | Occurrence::OneOrMore));
    matches!(verb, Verb::Exec | Verb::Add) || is_fixed && record.area.is_none()
}

/// The CSPs of a build and an edition, as a device of them told last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CspList {
    /// The build, without its revision.
    pub build: u32,
    /// The edition.
    pub edition: u32,
    /// The revision of the build.
    pub revision: u32,
    /// The root of each CSP, as the device writes it, and its version.
    pub csps: Vec<(String, String)>,
    /// When.
    pub last_at: OffsetDateTime,
}

impl CspList {
    /// The version of the CSP to which a node belongs, if it is in the list.
    #[must_use]
    pub fn version_of(&self, path: &str) -> Option<&str> {
        let key = node_key(path);
        let found = self.csps.iter().find(|(root, _)| is_at_or_below(&key, &node_key(root)));
        found.map(|(_, version)| version.as_str())
    }
}

/// Whether a node, in the form of [`node_key`], is another one or lies below it.
#[must_use]
pub fn is_at_or_below(key: &str, root: &str) -> bool {
    key.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The CSPs and their versions in the value of CSPVersions: `<CSP Node="./…" Version="…"/>`, at whatever depth. No node
/// twice; what is too long or too much is left out.
#[must_use]
pub fn read_csp_versions(value: &str) -> Vec<(String, String)> {
    let limits = Limits { depth: 16, attributes: 16, events: 20_000 };
    let Ok(document) = Document::parse(value.trim().as_bytes(), &limits) else { return Vec::new() };
    let mut found = BTreeMap::new();
    gather(document.root(), &mut found);
    found.into_values().collect()
}

fn gather(element: &Element, found: &mut BTreeMap<String, (String, String)>) {
    if element.local == "CSP"
        && let (Some(node), Some(version)) = (element.attribute("Node"), element.attribute("Version"))
        && (1..=LONGEST_NODE).contains(&node.trim().len())
        && version.len() <= LONGEST_VERSION
        && found.len() < MOST_CSPS
    {
        found.insert(node_key(node), (node.trim().to_owned(), version.trim().to_owned()));
    }
    element.elements().for_each(|child| gather(child, found));
}

const LONGEST_NODE: usize = 256;
const LONGEST_VERSION: usize = 32;
/// Windows has about a hundred.
const MOST_CSPS: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::csp::catalogue::embedded;

    #[test]
    fn answers_tell_of_the_node_and_not_of_the_device() {
        let told = |uri: &str, verb, status| {
            learn(embedded(), &LocUri::received(uri), verb, status).map(|(path, status)| (path.to_owned(), status))
        };
        let works = |path: &str| Some((path.to_owned(), 200));
        let lock = "./Device/Vendor/MSFT/RemoteLock/Lock";
        assert_eq!(told(lock, Verb::Exec, 200), works(lock));
        assert_eq!(told(lock, Verb::Exec, 404), Some((lock.to_owned(), 404)));
        assert_eq!(told(lock, Verb::Exec, 405), None, "no PIN is set");
        assert_eq!(told(lock, Verb::Exec, 500), None);
        let camera = "./Device/Vendor/MSFT/Policy/Config/Camera/AllowCamera";
        assert_eq!(told("./Vendor/MSFT/Policy/Config/Camera/AllowCamera", Verb::Replace, 200), works(camera));
        assert_eq!(told(camera, Verb::Add, 418), works(camera), "it exists already");
        assert_eq!(told(camera, Verb::Get, 404), None, "it is not set");
        assert_eq!(told(camera, Verb::Delete, 404), None);
        assert_eq!(told(camera, Verb::Add, 404), Some((camera.to_owned(), 404)));
        assert_eq!(told(camera, Verb::Replace, 405), Some((camera.to_owned(), 405)));
        assert_eq!(told("./Vendor/MSFT/WiFi/Profile/x/WlanXml", Verb::Get, 404), None, "that network is not there");
        assert_eq!(told("./Vendor/MSFT/WiFi/Profile/x/WlanXml", Verb::Get, 200).unwrap().1, 200);
        assert_eq!(told("./DevDetail/Ext/Microsoft/DNSComputerName", Verb::Get, 404).unwrap().1, 404);
        assert_eq!(told("./Vendor/MSFT/Policy/Config/A~B/C", Verb::Replace, 200), None, "an ingested policy");
        assert_eq!(told("./Vendor/MSFT/NoSuchCsp", Verb::Get, 404), None);
    }

    #[test]
    fn versions_are_read_as_far_as_they_are_there() {
        let value = "<CSPVersions><CSP Node='./DevDetail' Version='1.1'/><X><CSP Node='./Vendor/MSFT/LAPS' Version='1.0'/></X>\
            <CSP Node='./Device/Vendor/MSFT/LAPS' Version='1.2'/><CSP Node='' Version='1'/><CSP Node='./A'/></CSPVersions>";
        let read = read_csp_versions(value);
        let pairs: Vec<(&str, &str)> = read.iter().map(|(node, version)| (node.as_str(), version.as_str())).collect();
        assert_eq!(pairs, [("./DevDetail", "1.1"), ("./Device/Vendor/MSFT/LAPS", "1.2")]);
        for odd in ["", "no XML", "<!DOCTYPE a><a/>", "<a>"] {
            assert!(read_csp_versions(odd).is_empty(), "{odd}");
        }
    }
}
