//! Declared configuration, as far as a device told of it.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::stamp;
use crate::domain::action::describe_hresult;
use crate::domain::inventory::InventoryItem;
use crate::proto::csp::declared_configuration::{DocumentResult, Purpose, SettingResult, Stand};
use crate::proto::csp::linked_enrollment::{self, LinkStatus};
use crate::proto::csp::scope::Scope;
use crate::proto::syncml::LocUri;
use crate::session::KnownDocument;

/// A document of declared configuration that the device has.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeclaredDocument {
    /// Its id.
    #[schema(value_type = String)]
    id: Uuid,
    /// Whose it is.
    scope: Scope,
    /// What it is for.
    purpose: Purpose,
    /// The version that the device has.
    checksum: String,
    /// The version of the result.
    result_checksum: Option<String>,
    /// How far it is, as Windows numbers it.
    #[schema(example = 60)]
    state: u16,
    /// The same in words.
    state_words: &'static str,
    /// When the device first told that.
    #[schema(format = DateTime)]
    since: String,
    /// What became of its values; null where no result was read yet.
    result: Option<DocumentResultDocument>,
}

/// What became of the values of a document.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DocumentResultDocument {
    /// The version of the document that it is about, where the device says so.
    checksum: Option<String>,
    /// How far it is.
    state: u16,
    /// The same in words.
    state_words: &'static str,
    /// Each value.
    settings: Vec<SettingResultDocument>,
    /// When it was read.
    #[schema(format = DateTime)]
    at: String,
}

/// What became of a value.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SettingResultDocument {
    /// The node.
    node: String,
    /// The status, as of a command.
    status: Option<u16>,
    /// How far it is.
    state: Option<u16>,
}

/// The second enrollment of a device.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LinkedEnrollmentDocument {
    /// How far it is, as Windows numbers it.
    #[schema(example = "4")]
    status: String,
    /// The same in words.
    status_words: Option<&'static str>,
    /// What went wrong last: the HRESULT with its name.
    last_error: Option<String>,
    /// When it was read.
    #[schema(format = DateTime)]
    at: String,
}

fn value<'i>(inventory: &'i [InventoryItem], node: &LocUri) -> Option<(&'i str, &'i InventoryItem)> {
    let item = inventory.iter().find(|item| item.loc_uri.same_as(node))?;
    Some((item.value.as_deref()?.trim(), item))
}

impl DeclaredDocument {
    pub(super) fn new(known: KnownDocument, inventory: &[InventoryItem]) -> Self {
        let (key, told) = (known.key(), known.told);
        let read = value(inventory, &key.result());
        let result =
            read.and_then(|(text, item)| Some(DocumentResultDocument::new(DocumentResult::read(text).ok()?, item)));
        Self {
            id: told.id,
            scope: told.scope,
            purpose: key.purpose,
            checksum: told.checksum,
            result_checksum: told.result_checksum,
            state: told.state,
            state_words: Stand::words(told.state),
            since: stamp(known.since),
            result,
        }
    }
}

impl DocumentResultDocument {
    fn new(result: DocumentResult, item: &InventoryItem) -> Self {
        let setting = |SettingResult { node, status, state }| SettingResultDocument { node, status, state };
        Self {
            checksum: result.checksum,
            state: result.state,
            state_words: Stand::words(result.state),
            settings: result.settings.into_iter().map(setting).collect(),
            at: stamp(item.at),
        }
    }
}

impl LinkedEnrollmentDocument {
    /// What the device told of it, if it has such a node and something was ever begun.
    pub(super) fn read(inventory: &[InventoryItem], provider_id: &str) -> Option<Self> {
        let (status, item) = value(inventory, &linked_enrollment::status(provider_id))?;
        let error = value(inventory, &linked_enrollment::last_error(provider_id));
        Some(Self {
            status: status.to_owned(),
            status_words: LinkStatus::parse(status).map(LinkStatus::words),
            last_error: error
                .map(|(text, _)| text)
                .filter(|text| *text != "0" && !text.is_empty())
                .map(describe_hresult),
            at: stamp(item.at),
        })
    }
}
