//! DiagnosticLog CSP, DiagnosticArchive (10.0.18362, HoloLens too; management reference 7.21): logs that a device packs and
//! uploads.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::value::Line;
use crate::proto::syncml::{Command, LocUri};
use crate::proto::xml::{Document, Limits, XmlWriter};

/// The node that takes the definition (`chr`, XML).
pub const DEFINITION: &str = "./Vendor/MSFT/DiagnosticLog/DiagnosticArchive/ArchiveDefinition";
/// What came of the last one (`chr`, XML).
pub const RESULTS: &str = "./Vendor/MSFT/DiagnosticLog/DiagnosticArchive/ArchiveResults";

/// What is packed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Collection {
    /// Registry keys below `HKLM` or `HKCR`.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub registry_keys: Vec<Line<1024>>,
    /// Files by path and pattern; environment variables are resolved by the device.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub files: Vec<Line<1024>>,
    /// Programs whose output is packed; Windows allows a few only.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub commands: Vec<Line<1024>>,
    /// Event logs by name.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub event_logs: Vec<Line<1024>>,
}

impl Collection {
    /// What tells most about management itself.
    #[must_use]
    pub fn usual() -> Self {
        let lines = |texts: &[&'static str]| texts.iter().map(|text| Line::fixed(text)).collect();
        Self {
            registry_keys: lines(&[
                "HKLM\\Software\\Microsoft\\Enrollments",
                "HKLM\\Software\\Microsoft\\PolicyManager",
            ]),
            files: lines(&["%ProgramData%\\Microsoft\\DiagnosticLogCSP\\Collectors\\*.etl"]),
            commands: lines(&["%windir%\\system32\\ipconfig.exe /all"]),
            event_logs: lines(&[
                "Microsoft-Windows-DeviceManagement-Enterprise-Diagnostics-Provider/Admin",
                "Microsoft-Windows-AAD/Operational",
            ]),
        }
    }

    /// How many things are packed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.elements().count()
    }

    /// Whether nothing is packed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn elements(&self) -> impl Iterator<Item = (&'static str, &Line<1024>)> {
        let keys = self.registry_keys.iter().map(|line| ("RegistryKey", line));
        let files = self.files.iter().map(|line| ("FoldersFiles", line));
        let commands = self.commands.iter().map(|line| ("Command", line));
        let logs = self.event_logs.iter().map(|line| ("Events", line));
        keys.chain(commands).chain(files).chain(logs)
    }

    /// `Exec` of the definition, to be uploaded to that URL.
    #[must_use]
    pub fn command(&self, id: Uuid, upload_url: &str) -> Command {
        let mut xml = XmlWriter::new();
        xml.element("Collection", &[], |xml| {
            xml.leaf("ID", &[], &id.to_string());
            xml.leaf("SasUrl", &[], upload_url);
            for (name, line) in self.elements() {
                xml.leaf(name, &[], line.as_str());
            }
        });
        let text = String::from_utf8(xml.into_bytes()).unwrap_or_default();
        Command::exec_with(LocUri::fixed(DEFINITION), "chr", &text)
    }
}

/// `Get` of the results.
#[must_use]
pub fn read() -> Vec<Command> {
    vec![Command::get(LocUri::fixed(RESULTS))]
}

/// What came of a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Which collection.
    pub id: String,
    /// The HRESULT of the whole, as written.
    pub hresult: Option<String>,
    /// What of it failed: the kind, what it was, and its HRESULT as written.
    pub failed: Vec<(String, String, String)>,
}

impl Outcome {
    /// Reads the value of the results node: the collection again, with an HRESULT on each part.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let document = Document::parse_text(text.trim().to_owned(), &Limits::default()).ok()?;
        let root = document.root();
        if root.local != "Collection" {
            return None;
        }
        let id = root.elements().find(|part| part.local == "ID").map(|part| part.trimmed())?;
        let failed = root.elements().filter_map(|part| {
            let hresult = part.attribute("HRESULT").filter(|code| code.trim() != "0")?;
            Some((part.local.clone(), part.trimmed(), hresult.to_owned()))
        });
        Some(Self {
            id,
            hresult: root.attribute("HRESULT").map(str::to_owned),
            failed: failed.take(MOST_FAILURES).collect(),
        })
    }
}

/// Failures that are kept of one collection.
const MOST_FAILURES: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_is_one_escaped_document() {
        let collection: Collection = serde_json::from_str(
            r#"{"registry_keys": ["HKLM\\Software\\Microsoft\\Enrollments"], "commands": ["%windir%\\system32\\ipconfig.exe /all"],
                "files": ["C:\\A & B\\*.etl"], "event_logs": ["Application"]}"#,
        )
        .unwrap();
        let id = Uuid::from_u128(0x6F6A_6F2E_2F0B_4A3F_9D6C_1E0F_7A0E_9B21);
        let command = collection.command(id, "https://mdm.example.test/u?sig=1&x=2");
        let expected = concat!(
            "<Collection><ID>6f6a6f2e-2f0b-4a3f-9d6c-1e0f7a0e9b21</ID><SasUrl>https://mdm.example.test/u?sig=1&amp;x=2</SasUrl>",
            "<RegistryKey>HKLM\\Software\\Microsoft\\Enrollments</RegistryKey>",
            "<Command>%windir%\\system32\\ipconfig.exe /all</Command><FoldersFiles>C:\\A &amp; B\\*.etl</FoldersFiles>",
            "<Events>Application</Events></Collection>"
        );
        assert_eq!(command.items[0].text(), expected);
        assert_eq!(Collection::usual().len(), 6);
    }

    #[test]
    fn results_tell_what_failed() {
        let text = "<Collection HRESULT=\"0\"><ID>f1</ID><RegistryKey HRESULT=\"0\">HKLM\\A</RegistryKey>\
            <Command HRESULT=\"-2147024637\">x.exe</Command></Collection>";
        let outcome = Outcome::parse(text).unwrap();
        assert_eq!((outcome.id.as_str(), outcome.hresult.as_deref()), ("f1", Some("0")));
        assert_eq!(outcome.failed, [("Command".to_owned(), "x.exe".to_owned(), "-2147024637".to_owned())]);
        for odd in ["", "<Collection/>", "<Other><ID>1</ID></Other>", "<Collection"] {
            assert_eq!(Outcome::parse(odd), None, "{odd}");
        }
    }
}
