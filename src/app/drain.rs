//! The server lets go of its database.

use super::{App, AuditObject, Error, Principal};

impl App {
    /// Writes down who had the server let go of its database; afterwards nothing can be written down.
    ///
    /// # Errors
    /// The store's.
    pub async fn note_drain(&self, by: &Principal) -> Result<(), Error> {
        let object = AuditObject { kind: "server", id: String::new(), name: self.settings.url.clone() };
        Ok(self.commit(vec![self.audit(by, "server.drain", object, "ok", "")]).await?)
    }
}
