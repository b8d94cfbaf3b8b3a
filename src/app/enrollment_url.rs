//! Where devices begin their enrollment: the address that people give to Windows, and its generation.
//!
//! The generation is a segment of the path, which devices carry through all services. Another one makes those before
//! stop. An address without a generation, such as the one that is found by DNS, goes on working unless the configuration
//! demands the generation.

use serde::{Deserialize, Serialize};
use serde_json::json;
use time::OffsetDateTime;

use super::ca::MOST_NAMES;
use super::ports::{ENROLLMENT_URL, StoreError, Write};
use super::{App, AuditObject, Caller, Error, Principal, Refusal};
use crate::domain::attempt::Phase;
use crate::domain::package::Package;

/// Where discovery begins below `/EnrollmentServer`.
const DISCOVERY: &str = "Discovery.svc";

/// The address that is given out now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrollmentUrl {
    /// The address.
    pub url: String,
    /// Its generation; `None`: it was never changed.
    pub generation: Option<Generation>,
    /// Whether an address without a generation works as well.
    pub takes_bare: bool,
}

/// A generation of the address, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// The segment of the path.
    pub name: String,
    /// Since when.
    #[serde(with = "time::serde::timestamp")]
    pub since: OffsetDateTime,
    /// Who made it.
    pub by: String,
}

/// Letters and digits of a generation: none is taken for another one.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// How many: fifty bits.
const LENGTH: usize = 10;

impl App {
    /// The address to give to Windows.
    ///
    /// # Errors
    /// The store's.
    pub async fn enrollment_url(&self) -> Result<EnrollmentUrl, Error> {
        let generation = self.generation().await?;
        let url = self.service_url(generation.as_ref().map(|generation| generation.name.as_str()), DISCOVERY);
        let takes_bare = !self.settings.require_generation;
        Ok(EnrollmentUrl { url, generation, takes_bare })
    }

    /// The address that packages hold, and its generation: they last longer than one, so it has one only where no address
    /// works without.
    pub(super) async fn package_url(&self) -> Result<(String, Option<String>), Error> {
        let address = self.enrollment_url().await?;
        if address.takes_bare {
            return Ok((self.service_url(None, DISCOVERY), None));
        }
        Ok((address.url, address.generation.map(|generation| generation.name)))
    }

    /// Live packages with an address that does not work any more, the oldest of them: they are to be built anew.
    ///
    /// # Errors
    /// The store's.
    pub async fn stale_packages(&self) -> Result<Vec<Package>, Error> {
        let address = self.enrollment_url().await?;
        let current = address.generation.as_ref().map(|generation| generation.name.as_str());
        let other = if address.takes_bare { None } else { current };
        Ok(self.store.live_packages_with_other_url([current, other], self.now(), MOST_NAMES).await?)
    }

    /// Gives the address another generation: those before stop working at once.
    ///
    /// # Errors
    /// The store's.
    pub async fn rotate_enrollment_url(&self, by: &Principal) -> Result<EnrollmentUrl, Error> {
        let letter = |byte: u8| char::from(LETTERS[usize::from(byte) % LETTERS.len()]);
        let name = self.random::<LENGTH>().map(letter).iter().collect();
        let generation = Generation { name, since: self.now(), by: by.name.clone() };
        let stored = serde_json::to_string(&generation).map_err(|error| Error::Internal(Box::new(error)))?;
        let object = AuditObject { kind: "enrollment_url", id: generation.name.clone(), name: String::new() };
        let data = json!({"generation": generation.name, "by": by.name});
        let writes = vec![
            Write::SaveEnrollmentUrl(stored),
            self.audit(by, "enrollment_url.rotate", object, "ok", "addresses of earlier generations stop working"),
            self.event("admin.enrollment_url_rotated", None, data),
        ];
        self.commit(writes).await?;
        self.enrollment_url().await
    }

    /// Makes the first generation where the configuration demands one; for the start.
    ///
    /// # Errors
    /// The store's.
    pub async fn prepare_enrollment_url(&self) -> Result<(), Error> {
        if self.settings.require_generation && self.generation().await?.is_none() {
            self.rotate_enrollment_url(&Principal::system()).await?;
        }
        Ok(())
    }

    /// Whether an address of that generation is in use.
    ///
    /// # Errors
    /// The store's.
    pub async fn is_current_url(&self, generation: Option<&str>) -> Result<bool, StoreError> {
        match generation {
            None => Ok(!self.settings.require_generation),
            Some(name) => Ok(self.generation().await?.is_some_and(|current| current.name == name)),
        }
    }

    /// Refuses a message that came by an address that is out of date; the refusal is in the ledger then.
    ///
    /// # Errors
    /// [`Refusal::StaleUrl`], or the store's.
    pub async fn admit_by_url(
        &self,
        generation: Option<&str>,
        phase: Phase,
        email: &str,
        caller: &Caller,
    ) -> Result<(), Refusal> {
        let refusal = match self.is_current_url(generation).await {
            Ok(true) => return Ok(()),
            Ok(false) => Refusal::StaleUrl { contact: self.settings.contact.clone() },
            Err(error) => error.into(),
        };
        self.refused(caller, phase, email, &refusal).await;
        Err(refusal)
    }

    /// The address of a service below `/EnrollmentServer`, of a generation.
    pub(super) fn service_url(&self, generation: Option<&str>, service: &str) -> String {
        let generation = generation.map(|generation| format!("{generation}/")).unwrap_or_default();
        format!("{}/EnrollmentServer/{generation}{service}", self.settings.url)
    }

    async fn generation(&self) -> Result<Option<Generation>, StoreError> {
        let Some(stored) = self.store.setting(ENROLLMENT_URL).await? else { return Ok(None) };
        let odd = |error: serde_json::Error| StoreError::Internal(format!("settings.{ENROLLMENT_URL}: {error}"));
        serde_json::from_str(&stored).map(Some).map_err(odd)
    }
}
