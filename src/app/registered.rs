//! Devices that are registered before they come.

use super::ports::{Listed, Page, StoreError, Write};
use super::{App, AuditObject, Error, Principal};
use crate::domain::Id;
use crate::domain::attempt::Attempt;
use crate::domain::registration::{RegisteredBy, RegisteredDevice};

/// Longest note, in characters.
const LONGEST_NOTE: usize = 200;

impl App {
    /// Registers a device by what it will say of itself.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a value that names no machine, [`Error::Conflict`] for one that is there, or the store's.
    pub async fn register_device(
        &self,
        by: &Principal,
        kind: RegisteredBy,
        value: &str,
        note: Option<String>,
    ) -> Result<RegisteredDevice, Error> {
        let key = kind.key(value).ok_or_else(|| {
            Error::invalid("/value", format!("is no {} that names one machine", kind.as_str().replace('_', " ")))
        })?;
        if note.as_ref().is_some_and(|note| note.chars().count() > LONGEST_NOTE || note.chars().any(char::is_control)) {
            return Err(Error::invalid(
                "/note",
                format!("has more than {LONGEST_NOTE} characters, or some that do not show"),
            ));
        }
        let device = RegisteredDevice {
            id: self.new_id(),
            kind,
            value: value.trim().to_owned(),
            note,
            created_at: self.now(),
            enrollment_id: None,
        };
        let writes = vec![
            Write::InsertRegistered { device: device.clone(), key },
            self.audit(by, "device.register", object(&device), "ok", device.note.as_deref().unwrap_or_default()),
        ];
        match self.commit(writes).await {
            Ok(()) => Ok(device),
            Err(StoreError::Conflict) => {
                Err(Error::conflict("already_registered", format!("{} is registered already", device.value)))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Registers a device by what it told in an attempt that was refused: its hardware hash if there is one, else its serial
    /// number, else its id of Autopilot.
    ///
    /// # Errors
    /// As [`Self::register_device`]; [`Error::Conflict`] where the attempt holds none of them.
    pub async fn register_attempt(
        &self,
        by: &Principal,
        id: Id<Attempt>,
        note: Option<String>,
    ) -> Result<RegisteredDevice, Error> {
        let attempt = self.store.attempt(id).await?.ok_or(Error::NotFound("attempt"))?;
        let claimed = |kind| attempt.claims.iter().find(|(own, _)| *own == kind);
        let best = [RegisteredBy::HwDevId, RegisteredBy::Serial, RegisteredBy::Autopilot].into_iter().find_map(claimed);
        let Some((kind, value)) = best else {
            let words =
                "the attempt was not refused for want of a registration, or told nothing that names one machine";
            return Err(Error::conflict("nothing_to_register", words));
        };
        let note = note.or_else(|| attempt.device_name.map(|name| name.chars().take(LONGEST_NOTE).collect()));
        self.register_device(by, *kind, value, note).await
    }

    /// Registered devices, newest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn registered_devices(&self, page: &Page) -> Result<Listed<RegisteredDevice>, Error> {
        Ok(self.store.registered_devices(page).await?)
    }

    /// Removes an entry; what has enrolled by it stays.
    ///
    /// # Errors
    /// [`Error::NotFound`], or the store's.
    pub async fn unregister_device(&self, by: &Principal, id: Id<RegisteredDevice>) -> Result<(), Error> {
        let missing = || Error::NotFound("registered device");
        let device = self.store.registered_device(id).await?.ok_or_else(missing)?;
        let audit = self.audit(by, "device.unregister", object(&device), "ok", "");
        match self.commit(vec![Write::DeleteRegistered(id), audit]).await {
            Err(StoreError::Conflict) => Err(missing()),
            done => Ok(done?),
        }
    }
}

fn object(device: &RegisteredDevice) -> AuditObject<'_> {
    AuditObject { kind: "registered_device", id: device.id.to_string(), name: device.value.clone() }
}
