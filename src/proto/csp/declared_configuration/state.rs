//! What a device tells about its documents in every message: the alert `com.microsoft.mdm.declaredconfigurationdocuments`.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Purpose, read_context, read_id};
use crate::proto::csp::scope::Scope;
use crate::proto::xml::{Document, Element, Limits};

/// A document as the device tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentState {
    /// Which.
    pub id: Uuid,
    /// Whose it is.
    pub scope: Scope,
    /// The version that the device has.
    pub checksum: String,
    /// The version of the result; another one means that there is another result.
    pub result_checksum: Option<String>,
    /// How far it is.
    pub state: u16,
}

/// What a state means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stand {
    /// Something is still to come.
    Pending,
    /// Over, and good.
    Done,
    /// Over, and not good.
    Failed,
    /// A number that nobody described.
    Unknown,
}

/// States in words.
const STATES: &[(u16, Stand, &str)] = &[
    (0, Stand::Pending, "not defined"),
    (1, Stand::Pending, "asked to be set"),
    (2, Stand::Pending, "being set"),
    (3, Stand::Pending, "waits for something that takes longer"),
    (10, Stand::Pending, "asked to be deleted"),
    (11, Stand::Pending, "being deleted"),
    (20, Stand::Pending, "asked to be read"),
    (21, Stand::Pending, "being read"),
    (40, Stand::Pending, "stored"),
    (60, Stand::Done, "set"),
    (61, Stand::Failed, "could not be set"),
    (62, Stand::Failed, "could not be set: Windows failed to carry it out"),
    (63, Stand::Done, "set, and not put back again"),
    (70, Stand::Done, "deleted"),
    (71, Stand::Failed, "could not be deleted"),
    (72, Stand::Failed, "could not be deleted: Windows failed to carry it out"),
    (80, Stand::Done, "read"),
    (81, Stand::Failed, "could not be read"),
    (82, Stand::Failed, "could not be read: Windows failed to carry it out"),
];

impl Stand {
    /// What a state number means.
    #[must_use]
    pub fn of(state: u16) -> Self {
        STATES.iter().find(|(number, ..)| *number == state).map_or(Self::Unknown, |(_, stand, _)| *stand)
    }

    /// A state number in words.
    #[must_use]
    pub fn words(state: u16) -> &'static str {
        STATES.iter().find(|(number, ..)| *number == state).map_or("in a state that is not known", |(.., words)| words)
    }
}

impl DocumentState {
    /// What the document is for, as far as its state tells.
    #[must_use]
    pub fn purpose(&self) -> Purpose {
        match self.state {
            20 | 21 | 80..=82 => Purpose::Inventory,
            _ => Purpose::Configuration,
        }
    }
}

/// Reads the data of the alert; at most so many documents, in their order.
///
/// # Errors
/// What is wrong, in words.
pub fn read_states(data: &str, most: usize) -> Result<Vec<DocumentState>, String> {
    let read = Document::parse_text(data.trim().to_owned(), &Limits::default());
    let document = read.map_err(|error| format!("cannot be read: {error}"))?;
    if !document.root().is("", "DeclaredConfigurations") {
        return Err("has another root element than DeclaredConfigurations".to_owned());
    }
    let each = document.root().elements().filter(|element| element.is("", "DeclaredConfiguration"));
    let states: Vec<&Element> = each.take(most + 1).collect();
    if states.len() > most {
        return Err(format!("names more than {most} documents"));
    }
    states.into_iter().map(read_state).collect()
}

fn read_state(element: &Element) -> Result<DocumentState, String> {
    let given = |name: &str| element.attribute(name).map(str::trim).filter(|value| !value.is_empty());
    let needed = |name: &str| given(name).ok_or_else(|| format!("has a document without {name}"));
    let checksum = |value: &str| value.chars().take(super::LONGEST_CHECKSUM).collect::<String>();
    let odd = |name: &str| format!("has a document whose {name} cannot be read");
    Ok(DocumentState {
        id: read_id(needed("id")?).ok_or_else(|| odd("id"))?,
        scope: read_context(needed("context")?).ok_or_else(|| odd("context"))?,
        checksum: checksum(needed("checksum")?),
        result_checksum: given("result_checksum").map(checksum),
        state: needed("state")?.parse().map_err(|_| odd("state"))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "5D1C6A52-2F7C-4A53-9A3E-0A5F6F1D2C11";

    fn alert(attributes: &str) -> String {
        format!(
            "<DeclaredConfigurations schema=\"1.0\"><DeclaredConfiguration {attributes}/><Else/></DeclaredConfigurations>"
        )
    }

    #[test]
    fn states_are_read() {
        let text = alert(&format!("context=\"User\" id=\"{ID}\" checksum=\"A1\" result_checksum=\"B2\" state=\"60\""));
        let expected = DocumentState {
            id: Uuid::parse_str(ID).unwrap(),
            scope: Scope::User,
            checksum: "A1".to_owned(),
            result_checksum: Some("B2".to_owned()),
            state: 60,
        };
        assert_eq!(read_states(&text, 1), Ok(vec![expected.clone()]));
        assert_eq!(expected.purpose(), Purpose::Configuration);
        assert_eq!(DocumentState { state: 80, ..expected }.purpose(), Purpose::Inventory);
        assert_eq!(read_states("<DeclaredConfigurations/>", 1), Ok(Vec::new()));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let whole = format!("context=\"Device\" id=\"{ID}\" checksum=\"A1\" state=\"2\"");
        for (text, words) in [
            ("", "cannot be read"),
            ("<A/>", "root element"),
            (alert(&whole.replace("state", "stat")).as_str(), "without state"),
            (alert(&whole.replace("\"2\"", "\"two\"")).as_str(), "whose state"),
            (alert(&whole.replace("\"2\"", "\"65536\"")).as_str(), "whose state"),
            (alert(&whole.replace(ID, "1")).as_str(), "whose id"),
            (alert(&whole.replace("Device", "device")).as_str(), "whose context"),
            (alert(&whole).replace("<Else/>", "<DeclaredConfiguration/>").as_str(), "more than 1"),
        ] {
            let refused = read_states(text, 1).unwrap_err();
            assert!(refused.contains(words), "{words}: {refused}");
        }
    }

    #[test]
    fn states_have_words() {
        for (number, stand, words) in STATES {
            assert_eq!((Stand::of(*number), Stand::words(*number)), (*stand, *words));
        }
        assert_eq!(Stand::of(64), Stand::Unknown);
        assert_eq!(Stand::words(64), "in a state that is not known");
    }
}
