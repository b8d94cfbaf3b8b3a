//! The records as a tree, and the walk from a LocURI to one of them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::OnceLock;

use regex::{Regex, RegexBuilder};

use super::Catalogue;
use super::record::{Domain, Record, Text};
use crate::proto::syncml::unescape_segment;

/// A place in the tree.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// The record, as index; none above the roots of the CSPs.
    pub(super) record: Option<u32>,
    parent: u32,
    /// Children with a fixed name, sorted by it.
    pub(super) fixed: Vec<(Text, u32)>,
    /// The child that stands for many.
    pub(super) dynamic: Option<u32>,
    /// What the value matches, or, on dynamic nodes, the name.
    pattern: Option<Box<Pattern>>,
}

/// An expression of the catalogue, compiled when it is first asked for.
#[derive(Debug)]
pub(super) struct Pattern {
    text: Text,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    fn new(text: Text) -> Box<Self> {
        Box::new(Self { text, compiled: OnceLock::new() })
    }

    /// Whether all of the text matches. What is no expression that this build understands matches everything.
    pub(super) fn matches_all_of(&self, text: &str) -> bool {
        self.compiled.get_or_init(|| compile(&self.text)).as_ref().is_none_or(|regex| regex.is_match(text))
    }
}

/// The expression for a match of the whole text. An empty one matches everything; slashes around it, and a brace at its
/// start that is not escaped, are read as they are meant.
pub(super) fn compile(pattern: &str) -> Option<Regex> {
    let bare = pattern.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')).unwrap_or(pattern);
    if bare.is_empty() {
        return None;
    }
    let escape = if bare.starts_with('{') { "\\" } else { "" };
    let whole = format!(r"\A(?:{escape}{bare})\z");
    RegexBuilder::new(&whole).size_limit(MOST_REGEX_BYTES).dfa_size_limit(MOST_REGEX_BYTES).build().ok()
}

/// Whether text is an expression that values can be compared with.
#[must_use]
pub fn is_expression(pattern: &str) -> bool {
    pattern.is_empty() || compile(pattern).is_some()
}

/// The tree over the records of a catalogue.
#[derive(Debug, Default)]
pub(super) struct Tree {
    places: Vec<Place>,
}

impl Tree {
    pub(super) fn of(records: &[Record]) -> Self {
        let mut tree = Self { places: vec![Place::default()] };
        let mut at = HashMap::with_capacity(records.len());
        for (index, record) in records.iter().enumerate() {
            let place = tree.make(device_form(&record.path), &mut at);
            let place = &mut tree.places[place as usize];
            place.record = u32::try_from(index).ok();
            place.pattern = pattern_of(record).map(Pattern::new);
        }
        for place in &mut tree.places {
            place.fixed.sort_unstable();
        }
        tree
    }

    /// The place of a path, made with all that lie above it.
    fn make<'r>(&mut self, path: &'r str, at: &mut HashMap<&'r str, u32>) -> u32 {
        let Some((above, name)) = path.rsplit_once('/') else { return ROOT };
        if let Some(place) = at.get(path) {
            return *place;
        }
        let parent = self.make(above, at);
        let place = u32::try_from(self.places.len()).unwrap_or(ROOT);
        self.places.push(Place { parent, ..Place::default() });
        let is_dynamic = name.starts_with('{') && name.ends_with('}');
        let siblings = &mut self.places[parent as usize];
        if is_dynamic {
            siblings.dynamic = Some(place);
        } else {
            siblings.fixed.push((name.into(), place));
        }
        at.insert(path, place);
        place
    }

    pub(super) fn place(&self, place: u32) -> &Place {
        &self.places[place as usize]
    }

    fn child(&self, parent: u32, name: &str) -> Option<u32> {
        let place = self.place(parent);
        let found = place.fixed.binary_search_by(|(known, _)| known.as_str().cmp(name));
        found.map_or(place.dynamic, |index| Some(place.fixed[index].1))
    }
}

/// A node that a LocURI names.
#[derive(Clone, Debug)]
pub struct Found<'c, 'u> {
    pub(super) catalogue: &'c Catalogue,
    pub(super) place: u32,
    /// The dynamic nodes on the way, with the names that stand for them, percent escapes resolved.
    pub(super) names: Vec<(&'c Record, u32, Cow<'u, str>)>,
    pub(super) record: &'c Record,
}

impl<'c, 'u> Found<'c, 'u> {
    /// What is known of the node.
    #[must_use]
    pub fn record(&self) -> &'c Record {
        self.record
    }

    /// The names that stand for the dynamic segments, outermost first, percent escapes resolved.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|(_, _, name)| name.as_ref())
    }

    /// The dynamic segments whose name breaks the rule of the node, each with that name.
    pub fn bad_names(&self) -> impl Iterator<Item = (&'c Record, &str)> {
        let bad = self.names.iter().filter(|(_, place, name)| !self.place_of(*place).matches(name));
        bad.map(|(record, _, name)| (*record, name.as_ref()))
    }

    /// The nearest node, this one or above it, that belongs in one Atomic with all below it.
    #[must_use]
    pub fn atomic_root(&self) -> Option<&'c Record> {
        self.upwards().find(|record| record.atomic)
    }

    /// The node above.
    #[must_use]
    pub fn parent(&self) -> Option<&'c Record> {
        self.upwards().nth(1)
    }

    /// Names of the nodes below, fixed ones in order, then the dynamic one in braces.
    pub fn children(&self) -> impl Iterator<Item = &'c Record> {
        let place = self.place_of(self.place);
        let below = place.fixed.iter().map(|(_, child)| *child).chain(place.dynamic);
        below.filter_map(|child| self.catalogue.record_at(child))
    }

    /// Whether it is a policy of an ADMX file that was ingested: format and value are known to nobody but its author.
    #[must_use]
    pub fn is_ingested(&self) -> bool {
        self.record.is_dynamic() && self.record.name() == POLICY_NAME && is_config(&self.record.path)
    }

    /// This node and those above it, as far as they are known.
    fn upwards(&self) -> impl Iterator<Item = &'c Record> {
        let catalogue = self.catalogue;
        let places = std::iter::successors(Some(self.place), move |place| {
            Some(catalogue.tree.place(*place).parent).filter(|_| *place != ROOT)
        });
        places.map_while(move |place| catalogue.record_at(place))
    }

    pub(super) fn place_of(&self, place: u32) -> &'c Place {
        self.catalogue.tree.place(place)
    }
}

impl Place {
    /// Whether all of a value, or of a name, matches what the node asks for.
    pub(super) fn matches(&self, text: &str) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| pattern.matches_all_of(text))
    }
}

impl Catalogue {
    /// The node that a LocURI names: `?list=…` or `?prop=…` at its end is no part of the name.
    ///
    /// Names compare exactly. `./Device/Vendor` and `./Vendor` are one tree, `./User` is another. A fixed child goes before
    /// a dynamic one, which takes exactly one segment. Below `Policy/Config` an area that is not listed is one of an
    /// ingested ADMX file, and holds a `~`.
    #[must_use]
    pub fn find<'u>(&self, uri: &'u str) -> Option<Found<'_, 'u>> {
        self.find_path(without_query(uri))
    }

    /// The same for an address that has no query.
    pub(super) fn find_path<'u>(&self, path: &'u str) -> Option<Found<'_, 'u>> {
        let mut place = ROOT;
        let mut names = Vec::new();
        for segment in segments(path)? {
            if segment.is_empty() {
                return None;
            }
            let name = unescape_segment(segment);
            place = self.tree.child(place, &name)?;
            if let Some(record) = self.record_at(place)
                && record.is_dynamic()
            {
                if is_config(&record.path) && !is_ingested(record, &names, &name) {
                    return None;
                }
                names.push((record, place, name));
            }
        }
        let record = self.record_at(place)?;
        Some(Found { catalogue: self, place, names, record })
    }

    pub(super) fn record_at(&self, place: u32) -> Option<&Record> {
        self.tree.place(place).record.and_then(|index| self.records.get(index as usize))
    }

    /// Whether an address lies above the roots of all CSPs, such as `./Vendor/MSFT`: no description speaks of it.
    #[must_use]
    pub fn is_above_all(&self, uri: &str) -> bool {
        let Some(segments) = segments(without_query(uri)) else { return false };
        let mut place = ROOT;
        for segment in segments {
            let Some(child) = self.tree.child(place, segment) else { return false };
            place = child;
        }
        self.record_at(place).is_none()
    }
}

/// Below `Policy/Config` names that are not listed belong to ingested ADMX files: the area holds a `~`.
fn is_ingested(record: &Record, names: &[(&Record, u32, Cow<'_, str>)], name: &str) -> bool {
    match record.name() {
        AREA_NAME => name.contains('~'),
        // Its area is the dynamic one, judged before.
        _ => names.iter().any(|(record, _, _)| record.name() == AREA_NAME),
    }
}

fn is_config(path: &str) -> bool {
    path.contains("/Vendor/MSFT/Policy/Config/")
}

/// The segments behind `.`, those of `./Device/Vendor` as of `./Vendor`.
pub(super) fn segments(path: &str) -> Option<std::str::Split<'_, char>> {
    let rest = path.strip_prefix("./")?;
    Some(
        rest.strip_prefix("Device/")
            .filter(|rest| rest.starts_with("Vendor/") || *rest == "Vendor")
            .unwrap_or(rest)
            .split('/'),
    )
}

/// `./Device/Vendor/…` as `/Vendor/…`, every other path without its dot.
pub(super) fn device_form(path: &str) -> &str {
    let path = path.strip_prefix('.').unwrap_or(path);
    path.strip_prefix("/Device").filter(|rest| rest.starts_with("/Vendor/")).unwrap_or(path)
}

/// Without `?list=…` or `?prop=…`.
pub(super) fn without_query(uri: &str) -> &str {
    match uri.split_once('?') {
        Some((path, query)) if query.starts_with("list=") || query.starts_with("prop=") => path,
        _ => uri,
    }
}

/// The expression of a node: for its name where it is dynamic, else for its value.
fn pattern_of(record: &Record) -> Option<Text> {
    if let Some(dynamic) = &record.dynamic {
        return dynamic.pattern.clone();
    }
    match &record.allowed.as_ref()?.domain {
        Domain::RegEx(pattern) => Some(pattern.clone()),
        _ => None,
    }
}

pub(super) const ROOT: u32 = 0;
const AREA_NAME: &str = "{AreaName}";
const POLICY_NAME: &str = "{PolicyName}";
/// The largest of Microsoft's expressions takes less than a tenth of it.
const MOST_REGEX_BYTES: usize = 1 << 20;
