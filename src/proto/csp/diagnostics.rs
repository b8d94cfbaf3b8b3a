//! DiagnosticLog CSP, DiagnosticArchive (10.0.18362, HoloLens too; management reference 7.21): logs that a device packs and
//! uploads.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::parameter::{self, Unfit};
use crate::proto::syncml::{Command, LocUri};
use crate::proto::xml::{Document, Limits, XmlWriter};

/// The node that takes the definition (`chr`, XML). Its value names where to upload.
pub const DEFINITION: &str = "./Vendor/MSFT/DiagnosticLog/DiagnosticArchive/ArchiveDefinition";
/// What came of the last one (`chr`, XML).
pub const RESULTS: &str = "./Vendor/MSFT/DiagnosticLog/DiagnosticArchive/ArchiveResults";

/// What a device packs. Without any of it, what tells most about management itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Collection {
    /// Registry keys below `HKLM` or `HKCR`.
    pub registry_keys: Vec<String>,
    /// Files by path and pattern; the device fills in environment variables.
    pub files: Vec<String>,
    /// Programs whose output is packed; Windows allows a few only.
    pub programs: Vec<String>,
    /// Event logs by name.
    pub event_logs: Vec<String>,
}

/// Things that one collection names at most.
const MOST_PARTS: usize = 50;
/// Longest name of one, in characters.
const LONGEST_PART: usize = 1024;

impl Collection {
    /// Whether Windows would take it.
    ///
    /// # Errors
    /// The first part that it would not.
    pub fn check(&self) -> Result<(), Unfit> {
        let lists = [
            ("registry_keys", &self.registry_keys),
            ("files", &self.files),
            ("programs", &self.programs),
            ("event_logs", &self.event_logs),
        ];
        for (name, list) in lists {
            for (index, part) in list.iter().enumerate() {
                parameter::text(&format!("/{name}/{index}"), part, LONGEST_PART)?;
            }
        }
        match self.parts().count() {
            count if count > MOST_PARTS => {
                Err(Unfit::new("", format!("names {count} things to pack; at most {MOST_PARTS}")))
            }
            _ => Ok(()),
        }
    }

    fn usual() -> Self {
        let lines = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Self {
            registry_keys: lines(&[
                "HKLM\\Software\\Microsoft\\Enrollments",
                "HKLM\\Software\\Microsoft\\PolicyManager",
            ]),
            files: lines(&["%ProgramData%\\Microsoft\\DiagnosticLogCSP\\Collectors\\*.etl"]),
            programs: lines(&["%windir%\\system32\\ipconfig.exe /all"]),
            event_logs: lines(&[
                "Microsoft-Windows-DeviceManagement-Enterprise-Diagnostics-Provider/Admin",
                "Microsoft-Windows-AAD/Operational",
            ]),
        }
    }

    fn parts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let keys = self.registry_keys.iter().map(|part| ("RegistryKey", part.as_str()));
        let programs = self.programs.iter().map(|part| ("Command", part.as_str()));
        let files = self.files.iter().map(|part| ("FoldersFiles", part.as_str()));
        let logs = self.event_logs.iter().map(|part| ("Events", part.as_str()));
        keys.chain(programs).chain(files).chain(logs)
    }

    /// `Exec` of the definition, to be uploaded to that URL.
    #[must_use]
    pub fn command(&self, id: Uuid, upload_url: &str) -> Command {
        let usual = self.parts().next().is_none().then(Self::usual);
        let mut xml = XmlWriter::new();
        xml.element("Collection", &[], |xml| {
            xml.leaf("ID", &[], &id.to_string());
            xml.leaf("SasUrl", &[], upload_url);
            for (name, part) in usual.as_ref().unwrap_or(self).parts() {
                xml.leaf(name, &[], part);
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
    /// How many parts of it failed.
    pub failed: usize,
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
        let is_failure = |code: &str| !matches!(code.trim(), "0" | "0x0" | "0x00000000");
        let failed = root.elements().filter(|part| part.attribute("HRESULT").is_some_and(is_failure)).count();
        Some(Self { id, hresult: root.attribute("HRESULT").map(str::to_owned), failed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_is_one_escaped_document() {
        let collection: Collection = serde_json::from_str(
            r#"{"registry_keys": ["HKLM\\Software\\Microsoft\\Enrollments"], "files": ["C:\\A & B\\*.etl"],
                "programs": ["%windir%\\system32\\ipconfig.exe /all"], "event_logs": ["Application"]}"#,
        )
        .unwrap();
        let id = Uuid::from_u128(0x0192_AF3C_8D40_7B21_9E55_0F1A_2B3C_4D5E);
        let command = collection.command(id, "https://mdm.example.test/upload/x?sig=1&y=2");
        let expected = concat!(
            "<Collection><ID>0192af3c-8d40-7b21-9e55-0f1a2b3c4d5e</ID>",
            "<SasUrl>https://mdm.example.test/upload/x?sig=1&amp;y=2</SasUrl>",
            "<RegistryKey>HKLM\\Software\\Microsoft\\Enrollments</RegistryKey>",
            "<Command>%windir%\\system32\\ipconfig.exe /all</Command><FoldersFiles>C:\\A &amp; B\\*.etl</FoldersFiles>",
            "<Events>Application</Events></Collection>"
        );
        assert_eq!(command.items[0].text(), expected);
        let usual = Collection::default().command(id, "https://mdm.example.test/");
        assert_eq!(usual.items[0].text().matches("</").count(), 3 + 6, "{}", usual.items[0].text());
    }

    #[test]
    fn what_cannot_be_packed_is_named() {
        let of = |files: Vec<String>| Collection { files, ..Collection::default() };
        assert_eq!(of(vec!["C:\\*.log".to_owned()]).check(), Ok(()));
        assert_eq!(of(vec!["a".to_owned(), "\u{7}".to_owned()]).check().unwrap_err().pointer, "/files/1");
        assert!(of(vec!["a".to_owned(); 51]).check().unwrap_err().message.contains("51"));
    }

    #[test]
    fn results_tell_what_failed() {
        let text = "<Collection HRESULT=\"0\"><ID>f1</ID><RegistryKey HRESULT=\"0\">HKLM\\A</RegistryKey>\
            <Command HRESULT=\"-2147024637\">x.exe</Command></Collection>";
        let expected = Outcome { id: "f1".to_owned(), hresult: Some("0".to_owned()), failed: 1 };
        assert_eq!(Outcome::parse(text), Some(expected));
        for odd in ["", "<Collection/>", "<Other><ID>1</ID></Other>", "<Collection"] {
            assert_eq!(Outcome::parse(odd), None, "{odd}");
        }
    }
}
