//! A newer set of Microsoft's descriptions, imported by an administrator.

use sha2::{Digest, Sha256};

use crate::app::ports::{StoreError, Write};
use crate::app::{App, AuditObject, Error, Principal};
use crate::domain::csp::ImportedCatalogue;
use crate::proto::csp::catalogue::{Catalogue, Changes, DdfSet, Head, embedded, without_prose};

/// What an import brings, or would bring.
#[derive(Clone, Debug)]
pub struct ImportReport {
    /// Which collection it is, in words.
    pub version: String,
    /// How many files it has.
    pub files: usize,
    /// How many nodes it describes.
    pub nodes: usize,
    /// How it differs from the embedded catalogue.
    pub changes: Changes,
    /// What was odd in it and not understood.
    pub oddities: Vec<String>,
}

/// Longest name of a collection, in characters.
const LONGEST_VERSION: usize = 100;

impl App {
    /// Imports a zip archive of descriptions over the embedded catalogue, in place of what was imported before.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an archive or a description that is refused, or the store's.
    pub async fn import_catalogue(
        &self,
        by: &Principal,
        archive: Vec<u8>,
        version: Option<String>,
        dry_run: bool,
    ) -> Result<ImportReport, Error> {
        if version.as_ref().is_some_and(|version| version.chars().count() > LONGEST_VERSION) {
            return Err(Error::invalid("/version", format!("has more than {LONGEST_VERSION} characters")));
        }
        let read = tokio::task::spawn_blocking(move || read(&archive, version)).await;
        let (report, packed) = read.map_err(|error| Error::Internal(Box::new(error)))??;
        if dry_run {
            return Ok(report);
        }
        let imported = ImportedCatalogue {
            id: self.new_id(),
            version: report.version.clone(),
            nodes: report.nodes as u64,
            imported_at: self.now(),
            imported_by: by.name.clone(),
            file: packed,
        };
        let words = format!(
            "{} nodes in {} files: {} new, {} changed, {} gone",
            report.nodes,
            report.files,
            report.changes.new.len(),
            report.changes.changed.len(),
            report.changes.gone.len()
        );
        let object = AuditObject { kind: "csp_catalogue", id: imported.id.to_string(), name: imported.version.clone() };
        let writes = vec![
            Write::SaveCatalogue(Box::new(imported)),
            Write::MarkCspChange(self.new_trace_id().to_string()),
            self.audit(by, "csp.import", object, "ok", &words),
        ];
        self.commit(writes).await?;
        Ok(report)
    }

    /// Goes back to the embedded catalogue.
    ///
    /// # Errors
    /// [`Error::NotFound`] if nothing was imported, or the store's.
    pub async fn remove_imported_catalogue(&self, by: &Principal) -> Result<(), Error> {
        let missing = || Error::NotFound("imported catalogue");
        let imported = self.store.imported_catalogue().await?.ok_or_else(missing)?;
        let object = AuditObject { kind: "csp_catalogue", id: imported.id.to_string(), name: imported.version.clone() };
        let writes = vec![
            Write::DeleteCatalogue,
            Write::MarkCspChange(self.new_trace_id().to_string()),
            self.audit(by, "csp.import_remove", object, "ok", "the catalogue of this build counts again"),
        ];
        match self.commit(writes).await {
            Err(StoreError::Conflict) => Err(missing()),
            done => Ok(done?),
        }
    }
}

/// Reads an archive: what it brings, and the form in which it is stored.
fn read(archive: &[u8], version: Option<String>) -> Result<(ImportReport, Vec<u8>), Error> {
    let set = DdfSet::from_zip(archive).map_err(|error| Error::invalid("", error.to_string()))?;
    let records: Vec<_> = set.records.into_iter().map(without_prose).collect();
    let changes = embedded().changes(&records);
    let version = version.filter(|version| !version.trim().is_empty()).or(set.name).unwrap_or_else(|| tag(archive));
    let head = Head { version: version.clone(), ..Head::default() };
    let catalogue = Catalogue::new(head, records);
    let packed = catalogue.to_file().map_err(|error| Error::Internal(Box::new(error)))?;
    let nodes = catalogue.records().len();
    Ok((ImportReport { version, files: set.files, nodes, changes, oddities: set.oddities }, packed))
}

/// A name for an archive that has none.
fn tag(archive: &[u8]) -> String {
    Sha256::digest(archive).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}
