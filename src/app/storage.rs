//! A full disk: it is told once, in room that was kept back for it, and watched until there is room again.
//!
//! Nothing else has to be done about it. A batch that finds no room fails as a whole, whoever asked for it is told to come
//! again, and what only reads goes on.

use std::sync::{Mutex, PoisonError};

use serde_json::json;
use tokio::sync::Notify;

use super::ports::{StoreError, Write};
use super::{App, AuditObject, Error, Principal};

/// What one process knows of the disk of the database.
#[derive(Default)]
pub struct StorageWatch {
    trouble: Mutex<Trouble>,
    noticed: Notify,
}

#[derive(Clone, Default, PartialEq, Eq)]
enum Trouble {
    #[default]
    None,
    /// A commit found no room, and that is not in the audit trail yet.
    Noticed(String),
    /// It is.
    Told,
}

impl StorageWatch {
    /// Whether the disk is full, or was when it was last looked at.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.trouble() != Trouble::None
    }

    /// Resolves when a commit found the disk full that had room before.
    pub async fn noticed(&self) {
        self.noticed.notified().await;
    }

    /// Keeps in mind that there was no room, if that is why it failed.
    pub(super) fn look_at(&self, error: &StoreError) {
        let StoreError::Full(cause) = error else { return };
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if *trouble == Trouble::None {
            *trouble = Trouble::Noticed(cause.clone());
            self.noticed.notify_one();
        }
    }

    fn trouble(&self) -> Trouble {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn enter(&self, trouble: Trouble) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}

impl App {
    /// Tells of a full disk that is not in the audit trail yet, or looks whether one that is has room again.
    pub async fn watch_storage(&self) {
        let done = match self.memory.storage.trouble() {
            Trouble::None => Ok(()),
            Trouble::Noticed(cause) => self.tell_of_full_disk(&cause).await,
            Trouble::Told => self.look_for_room().await,
        };
        if let Err(error) = done {
            tracing::warn!(%error, "what is to be told of a full disk could not be written; it is tried again");
        }
    }

    async fn tell_of_full_disk(&self, cause: &str) -> Result<(), Error> {
        tracing::error!(cause, "the disk of the database is full: only reads work until there is room");
        self.store.commit_from_reserve(self.storage_writes("storage.full", cause)).await?;
        self.memory.storage.enter(Trouble::Told);
        self.memory.events.notify_one();
        Ok(())
    }

    async fn look_for_room(&self) -> Result<(), Error> {
        if self.store.secure_reserve().await? {
            self.store.commit(self.storage_writes("storage.recovered", "there is room again")).await?;
            self.memory.storage.enter(Trouble::None);
            self.memory.events.notify_one();
            tracing::info!("the disk of the database has room again");
        }
        Ok(())
    }

    fn storage_writes(&self, what: &str, detail: &str) -> Vec<Write> {
        let object = AuditObject { kind: "storage", id: "database".to_owned(), name: String::new() };
        vec![
            self.audit(&Principal::system(), what, object, "ok", detail),
            self.event(what, None, json!({"detail": detail})),
        ]
    }

    /// Whether the database can be read and written now.
    ///
    /// # Errors
    /// Why it cannot.
    pub async fn check_storage(&self) -> Result<(), StoreError> {
        let checked = self.store.check().await;
        if let Err(error) = &checked {
            self.memory.storage.look_at(error);
        }
        match self.memory.storage.trouble() {
            // One row may find room where the next does not.
            Trouble::Noticed(_) | Trouble::Told if checked.is_ok() => {
                Err(StoreError::Full("no room is kept back any more".to_owned()))
            }
            _ => checked,
        }
    }
}
