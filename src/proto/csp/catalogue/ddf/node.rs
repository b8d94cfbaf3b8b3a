//! One node of a description, and those below it.

use super::super::edition::Editions;
use super::super::record::{
    Access, Allowed, Applicability, Case, Condition, ConditionKind, Dependency, Deprecated, Domain, Dynamic, Format,
    GroupPolicy, Lifetime, Naming, Occurrence, Record, Scope, Text,
};
use super::{DdfError, allowed, extra, extras, hints, plain};
use crate::proto::syncml::Verb;
use crate::proto::xml::Element;

/// Reads the trees of one file.
pub(super) struct Reader<'r> {
    file: &'r str,
    source: Option<Text>,
    records: &'r mut Vec<Record>,
    oddities: &'r mut Vec<String>,
}

/// What a node takes over from those above it.
#[derive(Clone, Default)]
struct Inherited {
    os: Option<Vec<Text>>,
    csp_version: Option<Text>,
    editions: Option<Editions>,
}

impl<'r> Reader<'r> {
    pub(super) fn new(
        file: &'r str,
        source: Option<&str>,
        records: &'r mut Vec<Record>,
        oddities: &'r mut Vec<String>,
    ) -> Self {
        Self { file, source: source.map(Text::from), records, oddities }
    }

    /// Every tree of the file.
    pub(super) fn trees(&mut self, root: &Element) -> Result<(), DdfError> {
        for top in root.elements().filter(|child| child.local == "Node") {
            let base = plain(top, "Path").map(Element::trimmed).filter(|path| !path.is_empty());
            let base = base.as_deref().unwrap_or(".").trim_end_matches('/').to_owned();
            let name = name_of(top);
            // A stub of older files, and no CSP.
            if name == "Root" && nodes(top).next().is_none() {
                continue;
            }
            let csp = if base.split('/').any(|segment| segment == "Policy") { "Policy" } else { &name };
            self.node(top, &base, &csp.into(), &Inherited::default())?;
        }
        Ok(())
    }

    /// Depth is bounded by the XML reader.
    fn node(&mut self, element: &Element, base: &str, csp: &Text, above: &Inherited) -> Result<(), DdfError> {
        let name = name_of(element);
        let empty = Element::default();
        let properties = plain(element, "DFProperties").unwrap_or(&empty);
        let title = plain(properties, "DFTitle").map(Element::trimmed).unwrap_or_default();
        let is_dynamic = name.is_empty();
        let shown = if title.is_empty() { "?" } else { title.as_str() };
        let path = if is_dynamic { format!("{base}/{{{shown}}}") } else { format!("{base}/{name}") };
        let fail = |what: String| DdfError::Node { file: self.file.to_owned(), path: path.clone(), what };
        let own = applicability(properties).map_err(fail)?;
        let fail = |what: String| DdfError::Node { file: self.file.to_owned(), path: path.clone(), what };
        let mut record = described(&path, csp, properties).map_err(fail)?;
        let everything = own.clone().over(above);
        record.inherited = everything.beyond(&own);
        (record.os, record.csp_version, record.editions) =
            (everything.os.clone().unwrap_or_default(), everything.csp_version.clone(), everything.editions.clone());
        if let Some(element) = extra(properties, "AllowedValues") {
            let reading = self.allowed(element, &path, false)?;
            record.allowed = Some(Box::new(reading));
        }
        if is_dynamic {
            record.dynamic = Some(Box::new(dynamic(properties, csp, &title, record.allowed.as_deref())));
        }
        if let Some(behavior) = extra(properties, "DependencyBehavior") {
            record.depends = self.dependencies(behavior, &path)?;
        }
        record.source.clone_from(&self.source);
        self.records.push(record);
        nodes(element).try_for_each(|child| self.node(child, &path, csp, &everything))
    }

    fn allowed(&mut self, element: &Element, path: &str, is_condition: bool) -> Result<Allowed, DdfError> {
        let reading = allowed::read(element, is_condition).map_err(|what| self.wrong(path, &what))?;
        if let Some(oddity) = reading.oddity {
            self.oddities.push(format!("{}: {path}: {oddity}", self.file));
        }
        Ok(reading.allowed)
    }

    fn dependencies(&mut self, behavior: &Element, path: &str) -> Result<Vec<Dependency>, DdfError> {
        let groups = extras(behavior, "DependencyGroup").map(|group| {
            let changes = extra(group, "DependencyChangedAllowedValues");
            let conditions = extras(group, "Dependency").map(|condition| self.condition(condition, path));
            let on = conditions.collect::<Result<_, _>>()?;
            Ok(Dependency {
                id: group.attribute("FriendlyId").map(Text::from),
                on,
                changes: changes.map(|changes| self.allowed(changes, path, true)).transpose()?,
            })
        });
        groups.collect()
    }

    fn condition(&mut self, condition: &Element, path: &str) -> Result<Condition, DdfError> {
        let r#type = match condition.attribute("Type") {
            Some("DependsOn") => ConditionKind::DependsOn,
            Some("Not") => ConditionKind::Not,
            _ => return Err(self.wrong(path, "a dependency of an unknown type")),
        };
        let uri = extra(condition, "DependencyUri").map(Element::trimmed).unwrap_or_default();
        let uri = format!("./{}", uri.strip_prefix("./").unwrap_or(&uri));
        let Some(allowed) = extra(condition, "DependencyAllowedValue") else {
            return Err(self.wrong(path, "a dependency without values"));
        };
        Ok(Condition { r#type, uri: uri.into(), allowed: self.allowed(allowed, path, true)? })
    }

    fn wrong(&self, path: &str, what: &str) -> DdfError {
        DdfError::Node { file: self.file.to_owned(), path: path.to_owned(), what: what.to_owned() }
    }
}

impl Inherited {
    /// Each part by itself.
    fn over(self, above: &Self) -> Self {
        Self {
            os: self.os.or_else(|| above.os.clone()),
            csp_version: self.csp_version.or_else(|| above.csp_version.clone()),
            editions: self.editions.or_else(|| above.editions.clone()),
        }
    }

    /// What is here and not there.
    fn beyond(&self, own: &Self) -> Vec<Applicability> {
        let parts = [
            (Applicability::CspVersion, self.csp_version.is_some(), own.csp_version.is_some()),
            (Applicability::Editions, self.editions.is_some(), own.editions.is_some()),
            (Applicability::Os, self.os.is_some(), own.os.is_some()),
        ];
        parts.into_iter().filter(|(_, here, there)| *here && !there).map(|(part, ..)| part).collect()
    }
}

fn nodes(element: &Element) -> impl Iterator<Item = &Element> {
    element.elements().filter(|child| child.local == "Node")
}

/// Some names have a blank at their end.
fn name_of(element: &Element) -> String {
    plain(element, "NodeName").map(Element::trimmed).unwrap_or_default()
}

/// What the properties say by themselves.
fn described(path: &str, csp: &Text, properties: &Element) -> Result<Record, String> {
    let words = |name: &str| plain(properties, name).map(|list| list.elements().map(|word| word.local.as_str()));
    let word = |name: &str| words(name).and_then(|mut words| words.next());
    let text = |name: &str| extra(properties, name).map(|element| Text::from(element.trimmed()));
    let mut access = Access::default();
    for name in words("AccessType").into_iter().flatten() {
        let verb = Verb::from_name(name).filter(|verb| Access::VERBS.contains(verb));
        access = access.with(verb.ok_or_else(|| format!("an unknown command: {name}"))?);
    }
    let format = word("DFFormat").ok_or("no format")?;
    Ok(Record {
        path: path.into(),
        csp: csp.clone(),
        scope: if path.starts_with("./User/") { Scope::User } else { Scope::Device },
        area: area(path, csp),
        access,
        format: Format::from_name(format).ok_or_else(|| format!("an unknown format: {format}"))?,
        occurrence: word("Occurrence").map(occurrence).transpose()?,
        lifetime: word("Scope").map(lifetime).transpose()?,
        mime: plain(properties, "DFType").and_then(mime),
        case: word("CaseSense").map(case).transpose()?,
        default: plain(properties, "DefaultValue").map(|value| value.trimmed().into()),
        os: Vec::new(),
        csp_version: None,
        editions: None,
        inherited: Vec::new(),
        allowed: None,
        dynamic: None,
        deprecated: extra(properties, "Deprecated").map(deprecated),
        reboot: text("RebootBehavior"),
        atomic: extra(properties, "AtomicRequired").is_some(),
        conflict: text("ConflictResolution"),
        gp: extra(properties, "GpMapping").map(|mapping| Box::new(group_policy(mapping))),
        depends: Vec::new(),
        source: None,
    })
}

fn occurrence(word: &str) -> Result<Occurrence, String> {
    Ok(match word {
        "One" => Occurrence::One,
        "ZeroOrOne" => Occurrence::ZeroOrOne,
        "ZeroOrMore" => Occurrence::ZeroOrMore,
        "OneOrMore" => Occurrence::OneOrMore,
        "ZeroOrN" => Occurrence::ZeroOrN,
        "OneOrN" => Occurrence::OneOrN,
        word => return Err(format!("an unknown occurrence: {word}")),
    })
}

fn lifetime(word: &str) -> Result<Lifetime, String> {
    match word {
        "Permanent" => Ok(Lifetime::Permanent),
        "Dynamic" => Ok(Lifetime::Dynamic),
        word => Err(format!("an unknown scope: {word}")),
    }
}

fn case(word: &str) -> Result<Case, String> {
    match word {
        "CIS" => Ok(Case::Cis),
        "CS" => Ok(Case::Cs),
        word => Err(format!("an unknown case sense: {word}")),
    }
}

fn mime(kind: &Element) -> Option<Text> {
    let text = plain(kind, "MIME")?.trimmed();
    (!matches!(text.as_str(), "" | "text/plain")).then(|| text.into())
}

fn deprecated(element: &Element) -> Deprecated {
    let build = element.attribute("OsBuildDeprecated").filter(|build| !build.is_empty());
    build.map_or(Deprecated::Sometime(true), |build| Deprecated::Since(build.into()))
}

fn group_policy(mapping: &Element) -> GroupPolicy {
    let text = |name: &str| mapping.attribute(name).filter(|text| !text.is_empty()).map(Text::from);
    GroupPolicy { name: text("GpEnglishName"), area: text("GpAreaPath"), element: text("GpElement") }
}

fn area(path: &str, csp: &Text) -> Option<Text> {
    let (_, below) = path.split_once("/Vendor/MSFT/Policy/Config/").filter(|_| csp.as_str() == "Policy")?;
    let area = below.split('/').next().unwrap_or_default();
    (!area.starts_with('{')).then(|| area.into())
}

fn applicability(properties: &Element) -> Result<Inherited, String> {
    let Some(element) = extra(properties, "Applicability") else { return Ok(Inherited::default()) };
    let text = |name: &str| extra(element, name).map(Element::trimmed);
    let parts = |text: String, sign: char| -> Vec<String> {
        text.split(sign).map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    let editions = text("EditionAllowList").map(|list| parts(list, ';').iter().map(|id| edition(id)).collect());
    Ok(Inherited {
        os: text("OsBuildVersion").map(|list| parts(list, ',').into_iter().map(Text::from).collect()),
        csp_version: text("CspVersion").map(Text::from),
        editions: editions.transpose()?,
    })
}

/// A star behind the number of Windows Holographic for Business changes nothing.
fn edition(id: &str) -> Result<u32, String> {
    let digits = id.trim_end_matches('*');
    let digits = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    digits
        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
        .ok_or_else(|| format!("an edition that is no number: {}", id.chars().take(20).collect::<String>()))
}

fn dynamic(properties: &Element, csp: &str, title: &str, allowed: Option<&Allowed>) -> Dynamic {
    let rule = extra(properties, "DynamicNodeNaming").and_then(|naming| naming.elements().next());
    let naming = rule.and_then(|rule| match rule.local.as_str() {
        "ClientInventory" => Some(Naming::ClientInventory),
        "ServerGeneratedUniqueIdentifier" => Some(Naming::ServerGeneratedUniqueIdentifier),
        "UniqueName" => Some(Naming::UniqueName),
        _ => None,
    });
    let is_unique = matches!(naming, None | Some(Naming::UniqueName));
    let pattern = allowed.and_then(|allowed| match &allowed.domain {
        Domain::RegEx(pattern) if !pattern.is_empty() => Some(pattern.clone()),
        _ => None,
    });
    Dynamic { naming, hint: hints::hint(csp, title).filter(|_| is_unique).map(Text::from), pattern }
}
