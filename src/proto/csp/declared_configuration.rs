//! DeclaredConfiguration CSP: documents that a device carries out by itself and keeps so, on a linked enrollment
//! (management reference 8; the description has no build for it, Windows takes it from 10.0.19042.2193, 10.0.22000.918 and
//! 10.0.22621 on).

mod result;
mod state;

pub use result::{DocumentResult, SettingResult};
pub use state::{DocumentState, Stand, read_states};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::parameter::{self, Unfit};
use super::scope::Scope;
use super::secret::Secret;
use crate::proto::syncml::{Command, LocUri};
use crate::proto::xml::Element;

/// Scenarios that Windows knows, and whether they ask for an inventory.
const SCENARIOS: &[(&str, bool)] = &[
    ("MSFTVPN", false),
    ("MSFTWifi", false),
    ("MSFTWiredNetwork", false),
    ("MSFTResource", false),
    ("MSFTInventory", true),
    ("MSFTClientCertificateInstall", false),
    ("MSFTExtensibilityMIProviderConfig", false),
    ("MSFTExtensibilityMIProviderInventory", true),
];

/// The tree in which a document of a device lies, by what it is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Values to be set and kept.
    #[default]
    Configuration,
    /// Values to be read.
    Inventory,
}

/// Which document: its id, whose it is, and what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentKey {
    /// Its id.
    pub id: Uuid,
    /// Whose it is: its `context`.
    pub scope: Scope,
    /// What it is for.
    pub purpose: Purpose,
}

impl DocumentKey {
    fn host(&self) -> LocUri {
        self.scope.csp(match self.purpose {
            Purpose::Configuration => "DeclaredConfiguration/Host/Complete",
            Purpose::Inventory => "DeclaredConfiguration/Host/Inventory",
        })
    }

    /// Where the document is given.
    #[must_use]
    pub fn document(&self) -> LocUri {
        self.host().below("Documents").join(&self.id.to_string()).below("Document")
    }

    /// Where the device tells what it made of it.
    #[must_use]
    pub fn result(&self) -> LocUri {
        self.host().below("Results").join(&self.id.to_string()).below("Document")
    }

    /// Hands the settings of the document back to ordinary management, or takes them again.
    #[must_use]
    pub fn abandon(&self, abandoned: bool) -> Command {
        let node = self.host().below("Documents").join(&self.id.to_string()).below("Properties/Abandoned");
        Command::replace(node, "int", if abandoned { "1" } else { "0" })
    }

    /// Takes the document away; what it set stays.
    #[must_use]
    pub fn delete(&self) -> Command {
        Command::delete(self.document())
    }
}

/// A document as Windows takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Which.
    pub key: DocumentKey,
    /// Our version of it.
    pub checksum: String,
    /// Its scenario.
    pub scenario: String,
}

impl Declared {
    /// Reads a document and checks what Windows would check at once.
    ///
    /// # Errors
    /// What is wrong, with the pointer of the document.
    pub fn read(pointer: &str, document: &Secret) -> Result<Self, Unfit> {
        let refuse = |words: String| Unfit::new(pointer, words);
        let document = parameter::document(pointer, document.reveal(), ("", "DeclaredConfiguration"))?;
        let root = document.root();
        let attribute = |name: &str| {
            let value = root.attribute(name).map(str::trim).filter(|value| !value.is_empty());
            value.ok_or_else(|| refuse(format!("has no attribute {name}")))
        };
        if attribute("schema")? != "1.0" {
            return Err(refuse("must have schema=\"1.0\"".to_owned()));
        }
        let id = read_id(attribute("id")?).ok_or_else(|| refuse("has an id that is no GUID".to_owned()))?;
        let scope = read_context(attribute("context")?)
            .ok_or_else(|| refuse("must have the context Device or User".to_owned()))?;
        let checksum = attribute("checksum")?.to_owned();
        if checksum.chars().count() > LONGEST_CHECKSUM {
            return Err(refuse(format!("has a checksum of more than {LONGEST_CHECKSUM} characters")));
        }
        let scenario = attribute("osdefinedscenario")?;
        let Some((scenario, is_inventory)) = SCENARIOS.iter().find(|(name, _)| *name == scenario) else {
            let names: Vec<&str> = SCENARIOS.iter().map(|(name, _)| *name).collect();
            return Err(refuse(format!("must have one of the scenarios {}", names.join(", "))));
        };
        check_content(root).map_err(refuse)?;
        let purpose = if *is_inventory { Purpose::Inventory } else { Purpose::Configuration };
        Ok(Self { key: DocumentKey { id, scope, purpose }, checksum, scenario: (*scenario).to_owned() })
    }
}

/// At least one CSP with a name, each with at least one URI; a resource access or inventory provider stands in its place.
fn check_content(root: &Element) -> Result<(), String> {
    if !root.has_elements() {
        return Err("holds nothing".to_owned());
    }
    for csp in root.elements().filter(|element| element.is("", "CSP")) {
        if csp.attribute("name").is_none_or(|name| name.trim().is_empty()) {
            return Err("has a CSP without name".to_owned());
        }
        let paths: Vec<_> = csp.elements().filter(|element| element.is("", "URI")).collect();
        if paths.iter().any(|uri| uri.attribute("path").is_none()) {
            return Err("has a URI without path".to_owned());
        }
        if paths.is_empty() {
            return Err("has a CSP without URI".to_owned());
        }
    }
    Ok(())
}

/// Gives the document to the device.
#[must_use]
pub fn declare(key: &DocumentKey, document: &Secret) -> Command {
    Command::replace(key.document(), "chr", document.reveal())
}

/// A GUID, with or without braces.
fn read_id(text: &str) -> Option<Uuid> {
    Uuid::parse_str(text.trim().trim_start_matches('{').trim_end_matches('}')).ok()
}

fn read_context(text: &str) -> Option<Scope> {
    match text {
        "Device" => Some(Scope::Device),
        "User" => Some(Scope::User),
        _ => None,
    }
}

/// Most documents of one enrollment that are followed.
pub const MOST_DOCUMENTS: usize = 200;

/// Longest checksum, in characters; it is ours and means nothing to Windows.
const LONGEST_CHECKSUM: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::csp::told::told;

    const ID: &str = "5d1c6a52-2f7c-4a53-9a3e-0a5f6f1d2c11";

    fn document(attributes: &str, inside: &str) -> Secret {
        Secret::new(format!("<DeclaredConfiguration {attributes}>{inside}</DeclaredConfiguration>"))
    }

    fn usual() -> String {
        format!("schema=\"1.0\" context=\"Device\" id=\"{ID}\" checksum=\"A1\" osdefinedscenario=\"MSFTVPN\"")
    }

    const INSIDE: &str = "<CSP name=\"./Vendor/MSFT/VPNv2\"><URI path=\"Corp/ProfileXML\" type=\"chr\">x</URI></CSP>";

    #[test]
    fn a_document_lies_under_its_own_id_and_context() {
        let text = document(&usual(), INSIDE);
        let read = Declared::read("/document", &text).unwrap();
        assert_eq!((read.checksum.as_str(), read.scenario.as_str()), ("A1", "MSFTVPN"));
        let host = "./Device/Vendor/MSFT/DeclaredConfiguration/Host/Complete";
        assert_eq!(
            told(&[declare(&read.key, &text)]),
            [format!("Replace {host}/Documents/{ID}/Document chr {}", text.reveal())]
        );
        assert_eq!(read.key.result().as_str(), format!("{host}/Results/{ID}/Document"));
        assert_eq!(
            told(&[read.key.abandon(true), read.key.abandon(false), read.key.delete()]),
            [
                format!("Replace {host}/Documents/{ID}/Properties/Abandoned int 1"),
                format!("Replace {host}/Documents/{ID}/Properties/Abandoned int 0"),
                format!("Delete {host}/Documents/{ID}/Document"),
            ]
        );
        let user = usual().replace("Device", "User").replace("MSFTVPN", "MSFTInventory");
        let user = Declared::read("/document", &document(&user, INSIDE)).unwrap();
        assert_eq!(
            user.key.document().as_str(),
            format!("./User/Vendor/MSFT/DeclaredConfiguration/Host/Inventory/Documents/{ID}/Document")
        );
    }

    #[test]
    fn what_windows_would_refuse_at_once_is_refused_before() {
        let changed = |from: &str, to: &str| document(&usual().replace(from, to), INSIDE);
        for (document, words) in [
            (Secret::new("<Declared/>"), "root element DeclaredConfiguration"),
            (changed("schema=\"1.0\"", "schema=\"2.0\""), "schema"),
            (changed("schema=\"1.0\"", ""), "attribute schema"),
            (changed(ID, "42"), "GUID"),
            (changed("Device", "device"), "context"),
            (changed("A1", " "), "attribute checksum"),
            (changed("A1", &"A".repeat(257)), "256"),
            (changed("MSFTVPN", "MSFTPrinter"), "MSFTResource"),
            (document(&usual(), ""), "nothing"),
            (document(&usual(), "<CSP><URI path='a'/></CSP>"), "without name"),
            (document(&usual(), "<CSP name='a'/>"), "without URI"),
            (document(&usual(), "<CSP name='a'><URI/></CSP>"), "without path"),
        ] {
            let refused = Declared::read("/document", &document).unwrap_err();
            assert_eq!(refused.pointer, "/document");
            assert!(refused.message.contains(words), "{words}: {}", refused.message);
        }
    }
}
