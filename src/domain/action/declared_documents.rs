//! Documents of declared configuration: given, handed back, taken away (management reference 8).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::judge::{answer, conclude_all, ending, failed, succeeded};
use super::recipe::{Order, Recipe};
use super::{Conclusion, DeviceAlert, Heard, Question, Repeat};
use crate::domain::command::{CommandState, ItemState};
use crate::proto::csp::declared_configuration::{
    self, Declared, DocumentKey, DocumentResult, MOST_DOCUMENTS, Purpose, Stand, read_states,
};
use crate::proto::csp::parameter::Unfit;
use crate::proto::csp::scope::Scope;
use crate::proto::csp::secret::Secret;
use crate::proto::syncml::{AlertType, Command, LocUri, Verb};

/// Give the device a document; it keeps what stands in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclareDocument {
    /// Its id.
    document_id: Uuid,
    /// Whose it is.
    scope: Scope,
    /// What it is for.
    purpose: Purpose,
    /// The version.
    checksum: String,
    /// The `DeclaredConfiguration` document.
    document: Secret,
}

/// Hand the settings of a document back to ordinary management, or have the document take them again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AbandonDocument {
    /// Its id.
    #[schema(value_type = String)]
    pub document_id: Uuid,
    /// Whose it is: its `context`.
    #[serde(default)]
    pub scope: Scope,
    /// What it is for.
    #[serde(default)]
    pub purpose: Purpose,
    /// Whether its settings are handed back.
    pub abandoned: bool,
}

/// Take a document away; what it set stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteDocument {
    /// Its id.
    #[schema(value_type = String)]
    pub document_id: Uuid,
    /// Whose it is: its `context`.
    #[serde(default)]
    pub scope: Scope,
    /// What it is for.
    #[serde(default)]
    pub purpose: Purpose,
}

impl AbandonDocument {
    fn key(&self) -> DocumentKey {
        DocumentKey { id: self.document_id, scope: self.scope, purpose: self.purpose }
    }
}

impl DeleteDocument {
    fn key(&self) -> DocumentKey {
        DocumentKey { id: self.document_id, scope: self.scope, purpose: self.purpose }
    }
}

impl DeclareDocument {
    /// A document, if Windows would take it; its id and context say where it lies on the device.
    ///
    /// # Errors
    /// What is wrong with it, with the pointer `/document`.
    pub fn read(document: Secret) -> Result<Self, Unfit> {
        let Declared { key, checksum, .. } = Declared::read("/document", &document)?;
        let DocumentKey { id, scope, purpose } = key;
        Ok(Self { document_id: id, scope, purpose, checksum, document })
    }

    fn key(&self) -> DocumentKey {
        DocumentKey { id: self.document_id, scope: self.scope, purpose: self.purpose }
    }

    fn question(&self, words: &str) -> Question {
        Question { commands: vec![Command::get(self.key().result())], detail: words.to_owned() }
    }

    fn wait(&self, words: &str) -> Conclusion {
        Conclusion::Follow(self.question(words))
    }
}

impl Recipe for DeclareDocument {
    fn name(&self) -> &'static str {
        "declare_document"
    }

    fn is_declared_configuration(&self) -> bool {
        true
    }

    fn nodes(&self, _: &Order<'_>) -> Vec<LocUri> {
        vec![self.key().document()]
    }

    fn first_step(&self, _: &Order<'_>) -> Vec<Command> {
        vec![declared_configuration::declare(&self.key(), &self.document)]
    }

    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Freely
    }

    /// Once it is taken, the device works on it by itself; the alert of each session tells how far it is.
    fn conclude(&self, _: &Order<'_>, items: &[ItemState]) -> Conclusion {
        let Some(told) = answer(items, &self.key().result()) else {
            return match conclude_document(items) {
                Conclusion::Finished(end) if end.state == CommandState::Succeeded => {
                    self.wait("the device took the document")
                }
                other => other,
            };
        };
        let read = told.data.as_deref().map(DocumentResult::read);
        let Some(Ok(result)) = read.filter(|_| told.status.is_none_or(|status| status < 300)) else {
            return self.wait("the device took the document; there is no result yet");
        };
        if result.checksum.as_deref().is_some_and(|checksum| checksum != self.checksum) {
            return self.wait("the device took the document; its result is about another version of it");
        }
        let words = Stand::words(result.state);
        match Stand::of(result.state) {
            Stand::Done => succeeded(told, &format!("the document is {words}")),
            Stand::Failed => failed(told, &in_detail(&result), None),
            Stand::Pending | Stand::Unknown => self.wait(&format!("the document is {words}")),
        }
    }

    fn hear(&self, _: &Order<'_>, alert: &DeviceAlert<'_>) -> Option<Heard> {
        if *alert.subject != AlertType::DeclaredConfiguration {
            return None;
        }
        let states = read_states(alert.data, MOST_DOCUMENTS).ok()?;
        let own = states.iter().find(|told| (told.id, told.scope) == (self.document_id, self.scope))?;
        let is_over = matches!(Stand::of(own.state), Stand::Done | Stand::Failed);
        let words = format!("the document is {}", Stand::words(own.state));
        (is_over && own.checksum == self.checksum).then(|| Heard::Look(self.question(&words)))
    }
}

impl Recipe for AbandonDocument {
    fn name(&self) -> &'static str {
        "abandon_document"
    }

    fn is_declared_configuration(&self) -> bool {
        true
    }

    fn nodes(&self, _: &Order<'_>) -> Vec<LocUri> {
        vec![self.key().document()]
    }

    fn first_step(&self, _: &Order<'_>) -> Vec<Command> {
        vec![self.key().abandon(self.abandoned)]
    }

    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Freely
    }

    fn conclude(&self, _: &Order<'_>, items: &[ItemState]) -> Conclusion {
        conclude_document(items)
    }
}

impl Recipe for DeleteDocument {
    fn name(&self) -> &'static str {
        "delete_document"
    }

    fn is_declared_configuration(&self) -> bool {
        true
    }

    fn nodes(&self, _: &Order<'_>) -> Vec<LocUri> {
        vec![self.key().document()]
    }

    fn first_step(&self, _: &Order<'_>) -> Vec<Command> {
        vec![self.key().delete()]
    }

    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Freely
    }

    fn conclude(&self, _: &Order<'_>, items: &[ItemState]) -> Conclusion {
        conclude_document(items)
    }
}

/// By the general table; a first enrollment answers 406 to all documents.
fn conclude_document(items: &[ItemState]) -> Conclusion {
    let refused = items.iter().find(|item| item.verb() != Verb::Get && item.status == Some(406));
    match refused {
        Some(item) => Conclusion::Finished(ending(
            CommandState::Unsupported,
            item,
            "this is not a linked enrollment: only those take documents",
        )),
        None => conclude_all(items),
    }
}

/// The words of a result that is not good, with the values that were not taken.
fn in_detail(result: &DocumentResult) -> String {
    let failed: Vec<_> = result.settings.iter().filter(|setting| setting.has_failed()).collect();
    let named = failed.iter().take(MOST_NAMED).map(|setting| match setting.status {
        Some(status) => format!("{} (status {status})", setting.node),
        None => setting.node.clone(),
    });
    let named = named.collect::<Vec<_>>().join("; ");
    let words = Stand::words(result.state);
    if named.is_empty() { format!("the document {words}") } else { format!("the document {words}: {named}") }
}

/// Values that are named.
const MOST_NAMED: usize = 3;
