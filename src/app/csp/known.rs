//! The catalogue and the overrides as this process has them.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use time::OffsetDateTime;

use super::observed::Observed;
use crate::app::ports::{CSP_CHANGE, DeviceView};
use crate::app::{App, Error};
use crate::domain::Id;
use crate::domain::csp::{Evidence, ImportedCatalogue, Overrides, read_csp_versions};
use crate::domain::inventory::InventoryItem;
use crate::proto::csp::catalogue::{Build, Catalogue, embedded};
use crate::proto::csp::device_info;
use crate::proto::syncml::{LocUri, node_key};

/// What is known of nodes at a moment.
#[derive(Debug)]
pub struct Known {
    /// The embedded catalogue, or the imported one over it.
    pub catalogue: Arc<Catalogue>,
    /// What administrators decided.
    pub overrides: Overrides,
    /// What was imported, if something was.
    pub imported: Option<ImportedInfo>,
    /// The mark in the database when it was loaded.
    mark: Option<String>,
}

/// What is told of an imported catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedInfo {
    /// Identifier.
    pub id: Id<ImportedCatalogue>,
    /// Which collection it is, in words.
    pub version: String,
    /// How many nodes it describes.
    pub nodes: u64,
    /// When it was imported.
    pub imported_at: OffsetDateTime,
    /// Who did it.
    pub imported_by: String,
}

impl Known {
    fn embedded() -> Self {
        Self { catalogue: Arc::clone(embedded()), overrides: Overrides::default(), imported: None, mark: None }
    }
}

/// What this process keeps.
#[derive(Default)]
pub(in crate::app) struct CspMemory {
    known: RwLock<Option<Arc<Known>>>,
    /// One loads, the others wait for it.
    loading: tokio::sync::Mutex<()>,
    observed: Mutex<Observed>,
}

impl CspMemory {
    /// What was known last; before anything was loaded, the embedded catalogue.
    pub(in crate::app) fn now(&self) -> Arc<Known> {
        if let Some(known) = self.known.read().unwrap_or_else(PoisonError::into_inner).as_ref() {
            return Arc::clone(known);
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.get_or_insert_with(|| Arc::new(Known::embedded())))
    }

    fn set(&self, known: Arc<Known>) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(known);
    }

    pub(super) fn observed(&self) -> std::sync::MutexGuard<'_, Observed> {
        self.observed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl App {
    /// What is known of nodes now, whichever process changed it last.
    ///
    /// # Errors
    /// The store's.
    pub async fn csp(&self) -> Result<Arc<Known>, Error> {
        let is_current = async || Ok::<_, Error>(self.store.setting(CSP_CHANGE).await?);
        let known = self.memory.csp.now();
        if is_current().await? == known.mark {
            return Ok(known);
        }
        let _alone = self.memory.csp.loading.lock().await;
        let known = self.memory.csp.now();
        let mark = is_current().await?;
        if mark == known.mark {
            return Ok(known);
        }
        let loaded = Arc::new(self.load_csp(&known, mark).await?);
        self.memory.csp.set(Arc::clone(&loaded));
        Ok(loaded)
    }

    /// The mark was read first: what changes meanwhile brings another one.
    async fn load_csp(&self, before: &Known, mark: Option<String>) -> Result<Known, Error> {
        let overrides = Overrides::new(self.store.all_node_overrides().await?);
        let Some(stored) = self.store.imported_catalogue().await? else {
            return Ok(Known { overrides, mark, ..Known::embedded() });
        };
        let info = ImportedInfo {
            id: stored.id,
            version: stored.version.clone(),
            nodes: stored.nodes,
            imported_at: stored.imported_at,
            imported_by: stored.imported_by.clone(),
        };
        let is_same = before.imported.as_ref().is_some_and(|known| known.id == stored.id);
        let catalogue = if is_same { Arc::clone(&before.catalogue) } else { unpacked(stored).await };
        Ok(Known { catalogue, overrides, imported: Some(info), mark })
    }

    /// What is known of the device of an enrollment, for the judge.
    pub(in crate::app) async fn evidence(&self, view: &DeviceView) -> Result<Evidence, Error> {
        let enrollment = &view.enrollment;
        let own_version = enrollment.os_version.as_deref();
        let build = own_version.and_then(Build::parse);
        let mut missing = self.store.missing_nodes(view.device.id).await?;
        missing.retain(|node| Some(node.os_version.as_str()) == own_version);
        let answers = match (build, enrollment.os_edition) {
            (Some(build), Some(edition)) => self.store.node_answers(build.build, edition).await?,
            _ => Vec::new(),
        };
        let inventory = self.store.inventory(view.device.id).await?;
        let told = inventory.iter().filter(|item| item.value.is_some());
        let reported = told.map(|item| node_key(item.loc_uri.as_str())).collect();
        Ok(Evidence { answers, missing, reported, csps: own_csps(&inventory) })
    }
}

/// Roots of the CSPs that a device listed.
fn own_csps(inventory: &[InventoryItem]) -> HashSet<String> {
    let list = LocUri::fixed(device_info::CSP_VERSIONS);
    let value = inventory.iter().find(|item| item.loc_uri.same_as(&list)).and_then(|item| item.value.as_deref());
    read_csp_versions(value.unwrap_or_default()).into_iter().map(|(node, _)| node_key(&node)).collect()
}

/// The imported records over the embedded ones. What cannot be read was written by another build: the embedded ones alone
/// are better than none.
async fn unpacked(stored: ImportedCatalogue) -> Arc<Catalogue> {
    let version = stored.version.clone();
    let merged = tokio::task::spawn_blocking(move || {
        Catalogue::from_file(&stored.file).map(|newer| embedded().with_newer(&newer))
    });
    let cause = match merged.await {
        Ok(Ok(catalogue)) => return Arc::new(catalogue),
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    tracing::error!(version, cause, "the imported CSP catalogue cannot be read; the one of this build is used");
    Arc::clone(embedded())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::app::csp::NewOverride;
    use crate::app::testing::Ground;
    use crate::domain::csp::Ruling;
    use crate::proto::csp::catalogue::Check;
    use crate::proto::syncml::Verb;

    const LEVEL: &str = "./Vendor/MSFT/Contoso/Level";

    fn archive() -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        writer.start_file("Contoso.xml", zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(include_bytes!("../../../protocol-fixtures/csp/Contoso.xml")).unwrap();
        writer.finish().unwrap().into_inner()
    }

    /// Whether that process knows the imported node, and whether it knows of a decision about it.
    async fn seen(app: &App) -> (bool, bool) {
        let known = app.csp().await.unwrap();
        (known.catalogue.find(LEVEL).is_some(), known.overrides.decisive(&Check::new(LEVEL, Verb::Get)).is_some())
    }

    //
    #[tokio::test]
    async fn a_change_by_one_process_is_seen_by_the_other() {
        let ground = Ground::shared().await;
        let (first, second) = (ground.app.clone(), ground.other_process());
        let by = ground.admin().await;
        assert_eq!((seen(&first).await, seen(&second).await), ((false, false), (false, false)));
        first.import_catalogue(&by, archive(), None, false).await.unwrap();
        assert_eq!((seen(&second).await, seen(&first).await), ((true, false), (true, false)));
        let decided = NewOverride {
            path: LEVEL.to_owned(),
            edition: None,
            from_build: None,
            ruling: Ruling::Refuse,
            reason: "ours".to_owned(),
        };
        let decided = second.decide_node(&by, decided).await.unwrap();
        assert_eq!((seen(&first).await, seen(&second).await), ((true, true), (true, true)));
        first.withdraw_override(&by, decided.id).await.unwrap();
        second.remove_imported_catalogue(&by).await.unwrap();
        assert_eq!((seen(&first).await, seen(&second).await), ((false, false), (false, false)));
    }
}
