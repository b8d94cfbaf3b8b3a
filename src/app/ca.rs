//! One CA takes the place of another, in stages that are each safe to stop at (enrollment reference 5.3, management
//! reference 1.3): a new CA is made, trusted and handed out to the devices; once they have its root it issues; the one
//! before is given up when its last certificate is gone.

use serde_json::json;
use time::OffsetDateTime;

use super::authorities::{ISSUING_KEY, ROOT_KEY, Set};
use super::ports::{StoreError, Write};
use super::{App, AuditObject, Error, Principal};
use crate::domain::ca::{CaRecord, CaRole};
use crate::domain::package::Package;
use crate::pki::create::{self, CaNames, Certified};
use crate::pki::{Authority, PkiError, Serial, thumbprint};

/// Where the installation stands between one CA and the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaStage {
    /// There is one.
    Settled,
    /// The next one is trusted, and its root is handed out to devices.
    Delivering,
    /// The new one issues; the one before is trusted until its last certificate is gone.
    Issuing,
}

impl CaStage {
    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::Delivering => "delivering",
            Self::Issuing => "issuing",
        }
    }
}

/// The CAs, and how far the roll-over has come.
#[derive(Clone, Debug)]
pub struct CaView {
    /// Stage.
    pub stage: CaStage,
    /// The CAs, the one that issues first.
    pub authorities: Vec<(CaRole, std::sync::Arc<Authority>)>,
    /// Devices under management that do not have the root of the newest CA yet; none where nothing is handed out.
    pub devices_without_root: u64,
    /// Names of the first of them.
    pub waiting: Vec<String>,
    /// Certificates of the CA before that still let a device in.
    pub certificates_of_previous: u64,
    /// Live packages for bulk enrollment that have the root of the CA before the newest one and not that of the newest: the
    /// first of them. Once the server certificate stands under the newest root, PCs that get one do not trust the server.
    pub packages: Vec<Package>,
}

/// How far the roll-over has come, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaProgress {
    /// Devices under management that do not have the root of the newest CA yet.
    pub devices_without_root: u64,
    /// Certificates of the CA before that still let a device in.
    pub certificates_of_previous: u64,
}

/// Devices and packages that are named.
pub(super) const MOST_NAMES: u32 = 20;

impl App {
    /// The CAs and the stage.
    ///
    /// # Errors
    /// The store's.
    pub async fn ca(&self) -> Result<CaView, Error> {
        self.refresh_authorities().await?;
        let set = self.authority.now();
        let stage = match (&set.next, &set.previous) {
            (Some(_), _) => CaStage::Delivering,
            (None, Some(_)) => CaStage::Issuing,
            (None, None) => CaStage::Settled,
        };
        let progress = self.ca_progress().await?;
        let waiting = match set.to_deliver() {
            Some(newest) if progress.devices_without_root > 0 => {
                self.store.devices_without_root(&thumbprint(newest.root()), MOST_NAMES).await?
            }
            _ => Vec::new(),
        };
        let known = [(CaRole::Current, Some(&set.current)), (CaRole::Next, set.next.as_ref())];
        let known = known.into_iter().chain([(CaRole::Previous, set.previous.as_ref())]);
        Ok(CaView {
            stage,
            authorities: known.filter_map(|(role, ca)| Some((role, ca?.clone()))).collect(),
            devices_without_root: progress.devices_without_root,
            waiting,
            certificates_of_previous: progress.certificates_of_previous,
            packages: self.packages_without_root(&set).await?,
        })
    }

    async fn packages_without_root(&self, set: &Set) -> Result<Vec<Package>, StoreError> {
        let older = if set.next.is_some() { Some(&set.current) } else { set.previous.as_ref() };
        let Some(older) = older else { return Ok(Vec::new()) };
        self.store.live_packages_with_root(&thumbprint(older.root()), self.now(), MOST_NAMES).await
    }

    /// How far the roll-over has come; costs nothing while there is none.
    ///
    /// # Errors
    /// The store's.
    pub async fn ca_progress(&self) -> Result<CaProgress, StoreError> {
        let set = self.authority.now();
        let mut progress = CaProgress::default();
        if let Some(newest) = set.to_deliver() {
            progress.devices_without_root = self.store.count_without_root(&thumbprint(newest.root())).await?;
        }
        if let Some(previous) = &set.previous {
            progress.certificates_of_previous = self
                .store
                .count_live_certificates(&previous.id_hex(), self.now() - self.settings.renewal.grace())
                .await?;
        }
        Ok(progress)
    }

    /// Makes a new root with an issuing CA: trusted from now on, and handed out to every active device. It issues nothing
    /// yet. `dry_run`: only says whether that can be done.
    ///
    /// # Errors
    /// [`Error::Conflict`] while another roll-over is under way; the store's.
    pub async fn rotate_ca(&self, by: &Principal, dry_run: bool) -> Result<CaView, Error> {
        let view = self.ca().await?;
        if view.stage != CaStage::Settled {
            let words = match view.stage {
                CaStage::Delivering => "the next CA is made already; activate it once the devices have its root",
                _ => "the CA before is not given up yet; retire it first",
            };
            return Err(Error::conflict("ca_rollover_under_way", words));
        }
        if dry_run {
            return Ok(view);
        }
        let now = self.now();
        let mut writes = Vec::new();
        if self.store.authorities().await?.is_empty() {
            let mut current = self.ca_files.read().map_err(|error| Error::Unavailable(error.clone()))?;
            (current.id, current.since) = (self.authority.current().id_hex(), now);
            writes.push(Write::InsertAuthority(Box::new(current)));
        }
        let next = self.new_ca(now).await?;
        let id = next.id.clone();
        writes.push(Write::InsertAuthority(Box::new(next)));
        self.change_ca(by, "ca.rotate", "ca.rotated", &id, writes, "made; its root is handed out to devices").await
    }

    /// Makes the next CA issue. Refused while devices do not have its root, unless `force`d: those refuse a server
    /// certificate under it.
    ///
    /// # Errors
    /// [`Error::Conflict`] where there is none, devices do not have it, or its private key is missing; the store's.
    pub async fn activate_ca(&self, by: &Principal, force: bool, dry_run: bool) -> Result<CaView, Error> {
        let view = self.ca().await?;
        let set = self.authority.now();
        let Some(next) = &set.next else {
            return Err(Error::conflict("no_next_ca", "there is no next CA; make one: muster cert ca rotate"));
        };
        if let Some(alarm) = next.alarm() {
            return Err(Error::conflict("ca_key_missing", format!("the next CA cannot issue: {alarm}")));
        }
        if view.devices_without_root > 0 && !force {
            let (count, names) = (view.devices_without_root, view.waiting.join(", "));
            let more = if count > view.waiting.len() as u64 { ", …" } else { "" };
            let words = format!("{count} devices do not have the new root yet: {names}{more}");
            return Err(Error::conflict("ca_not_delivered", words));
        }
        if dry_run {
            return Ok(view);
        }
        let (now, id) = (self.now(), next.id_hex());
        let change = |id: String, from, to| Write::ChangeAuthority { id, from, to, since: now };
        let writes = vec![
            change(set.current.id_hex(), CaRole::Current, CaRole::Previous),
            change(id.clone(), CaRole::Next, CaRole::Current),
        ];
        let words = match view.devices_without_root {
            0 => "it issues from now on".to_owned(),
            count => format!(
                "it issues from now on; {count} devices do not have its root and refuse a server certificate under it"
            ),
        };
        self.change_ca(by, "ca.activate", "ca.activated", &id, writes, &words).await
    }

    /// Gives up the CA before: it is no longer trusted. Refused while certificates of it let devices in.
    ///
    /// # Errors
    /// [`Error::Conflict`] where there is none, or it is in use; the store's.
    pub async fn retire_ca(&self, by: &Principal, dry_run: bool) -> Result<CaView, Error> {
        let view = self.ca().await?;
        let set = self.authority.now();
        let Some(previous) = &set.previous else {
            return Err(Error::conflict("no_previous_ca", "there is no CA before the one that issues"));
        };
        if view.certificates_of_previous > 0 {
            let words = format!(
                "{} certificates of the CA before still let devices in; they end when the devices renew, leave or are revoked",
                view.certificates_of_previous
            );
            return Err(Error::conflict("ca_in_use", words));
        }
        if dry_run {
            return Ok(view);
        }
        let id = previous.id_hex();
        let writes = vec![Write::RemoveAuthority { id: id.clone(), role: CaRole::Previous }];
        self.change_ca(by, "ca.retire", "ca.retired", &id, writes, "it is no longer trusted").await
    }

    /// Commits a stage with what tells of it; whoever was quicker wins.
    async fn change_ca(
        &self,
        by: &Principal,
        action: &str,
        event: &str,
        id: &str,
        mut writes: Vec<Write>,
        words: &str,
    ) -> Result<CaView, Error> {
        let object = AuditObject { kind: "ca", id: id.to_owned(), name: String::new() };
        writes.push(self.audit(by, action, object, "ok", words));
        writes.push(self.event(event, None, json!({"ca": id, "by": by.name, "detail": words})));
        match self.commit(writes).await {
            Err(StoreError::Conflict) => {
                Err(Error::conflict("ca_rollover_under_way", "somebody else has changed the CAs at this moment"))
            }
            done => {
                done?;
                self.ca().await
            }
        }
    }

    /// A new root with an issuing CA under it, its keys sealed. Their making takes its time.
    async fn new_ca(&self, now: OffsetDateTime) -> Result<CaRecord, Error> {
        let names = CaNames::new(Some(self.settings.display_name.as_str()), self.random());
        let serials = [(); 2].map(|()| Serial::from_random(self.random()));
        let make = move || -> Result<(Certified, Certified), PkiError> {
            let root = create::root(&names, serials[0], now)?;
            let issuing = create::issuing(&root, &names, serials[1], now)?;
            Ok((root, issuing))
        };
        let made = tokio::task::spawn_blocking(make).await.map_err(|error| Error::Internal(Box::new(error)))?;
        let (root, issuing) = made.map_err(|error| Error::Internal(Box::new(error)))?;
        let fingerprint = crate::pki::fingerprint(&issuing.certificate);
        Ok(CaRecord {
            id: fingerprint.iter().map(|byte| format!("{byte:02x}")).collect(),
            role: CaRole::Next,
            root_key: self.sealer.seal(ROOT_KEY, &root.key),
            issuing_key: self.sealer.seal(ISSUING_KEY, &issuing.key),
            root: root.certificate,
            issuing: issuing.certificate,
            since: now,
        })
    }
}
