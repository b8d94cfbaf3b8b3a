//! What a device made of a document: the `DeclaredConfigurationResult` below `Host/…/Results`.

use super::state::Stand;
use crate::proto::xml::{Document, Element, Limits};

/// What a device made of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentResult {
    /// The version of the document that it is about, where it says so.
    pub checksum: Option<String>,
    /// How far it is.
    pub state: u16,
    /// Each of its values.
    pub settings: Vec<SettingResult>,
}

/// What became of one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingResult {
    /// The node: name of the CSP and path below it.
    pub node: String,
    /// The status, as of a command.
    pub status: Option<u16>,
    /// How far it is.
    pub state: Option<u16>,
}

impl SettingResult {
    /// Whether it says that the value was not taken.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.status.is_some_and(|status| status >= 300)
            || self.state.is_some_and(|state| Stand::of(state) == Stand::Failed)
    }
}

impl DocumentResult {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn read(text: &str) -> Result<Self, String> {
        let read = Document::parse_text(text.trim().to_owned(), &Limits::default());
        let document = read.map_err(|error| format!("cannot be read: {error}"))?;
        let root = document.root();
        if !root.is("", "DeclaredConfigurationResult") {
            return Err("has another root element than DeclaredConfigurationResult".to_owned());
        }
        let state = number(root, "state").ok_or("has no state")?;
        let checksum = root.attribute("checksum").map(|value| value.trim().to_owned());
        let csps = root.elements().filter(|element| element.is("", "CSP"));
        Ok(Self { checksum, state, settings: csps.flat_map(settings).collect() })
    }
}

fn settings(csp: &Element) -> impl Iterator<Item = SettingResult> {
    let name = csp.attribute("name").unwrap_or_default().trim_end_matches('/');
    csp.elements().filter(|element| element.is("", "URI")).map(move |uri| SettingResult {
        node: format!("{name}/{}", uri.attribute("path").unwrap_or_default().trim_start_matches('/')),
        status: number(uri, "status"),
        state: number(uri, "state"),
    })
}

fn number(element: &Element, name: &str) -> Option<u16> {
    element.attribute(name)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_names_each_value() {
        let text = "<DeclaredConfigurationResult context='Device' schema='1.0' checksum='A1' operation='Set' state='61'>\
            <CSP name='./Vendor/MSFT/VPNv2/' state='61'><URI path='Corp/ProfileXML' status='200' state='60' type='chr'/>\
            <URI path='/Corp/AlwaysOn' status='405' state='61'/><URI/></CSP><Else/></DeclaredConfigurationResult>";
        let result = DocumentResult::read(text).unwrap();
        assert_eq!((result.checksum.as_deref(), result.state), (Some("A1"), 61));
        let failed: Vec<bool> = result.settings.iter().map(SettingResult::has_failed).collect();
        assert_eq!(failed, [false, true, false]);
        assert_eq!(result.settings[1].node, "./Vendor/MSFT/VPNv2/Corp/AlwaysOn");
        for (text, words) in
            [("x", "cannot be read"), ("<A/>", "root"), ("<DeclaredConfigurationResult state='x'/>", "no state")]
        {
            assert!(DocumentResult::read(text).unwrap_err().contains(words));
        }
    }
}
