//! Files that devices upload (management reference 7.21): a URL with a secret takes one upload, once.
//!
//! The caller has no certificate: what the device runs to upload is not its management client. So the secret in the URL is
//! all that counts, and it is worth nothing after the upload, after its time, or once the action was withdrawn.

mod receive;

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use time::OffsetDateTime;

use super::ports::{Listed, Page, StoreError, Write};
use super::tokens::{random_text, secret_hash};
use super::{App, AuditObject, Error, Principal};
use crate::domain::Id;
use crate::domain::action::Action;
use crate::domain::command::{CommandState, QueuedCommand};
use crate::domain::device::Device;
use crate::domain::enrollment::Enrollment;
use crate::domain::upload::{Received, Upload, UploadAttempt};
use crate::domain::user::Role;

pub use receive::{Receiving, UploadRefused};

/// Where devices upload to, on `url`.
const UPLOAD_PATH: &str = "/upload";
/// A try that sent nothing for so long has ended.
const QUIET: time::Duration = time::Duration::minutes(15);

impl App {
    /// The URL for the upload of an action, and the row behind it; nothing for an action that asks for none.
    pub(super) fn upload_for(
        &self,
        action: &Action,
        id: Id<QueuedCommand>,
        enrollment: &Enrollment,
        expires_at: OffsetDateTime,
    ) -> Option<(SecretString, Write)> {
        if !matches!(action, Action::CollectDiagnostics(_)) {
            return None;
        }
        let secret = random_text(self.rng.as_ref());
        let id = Id::new(id.uuid());
        let url = format!("{}{UPLOAD_PATH}/{id}?sig={}", self.settings.url, secret.expose_secret());
        let upload = Upload {
            id,
            device_id: enrollment.device_id,
            enrollment_id: enrollment.id,
            secret_hash: secret_hash(secret.expose_secret()),
            created_at: self.now(),
            // It may take the device until the action's end to accept, and so long again to pack.
            expires_at: expires_at + action.patience(),
            attempt: None,
            attempt_at: None,
            received: None,
        };
        Some((SecretString::from(url), Write::InsertUpload(Box::new(upload))))
    }

    /// Lets somebody send the file of an upload, who knows the secret of its URL.
    ///
    /// # Errors
    /// [`UploadRefused`].
    pub async fn begin_upload(&self, id: &str, secret: &str) -> Result<Receiving, UploadRefused> {
        let id: Id<Upload> = id.parse().map_err(|_| UploadRefused::Forbidden)?;
        let upload = self.store.upload(id).await?.ok_or(UploadRefused::Forbidden)?;
        let now = self.now();
        let fits = aws_lc_rs::constant_time::verify_slices_are_equal(&upload.secret_hash, &secret_hash(secret));
        if fits.is_err() || now >= upload.expires_at || !self.is_wanted(&upload).await? {
            return Err(UploadRefused::Forbidden);
        }
        if upload.received.is_some() {
            return Err(UploadRefused::Used);
        }
        let attempt: Id<UploadAttempt> = self.new_id();
        let begin = Write::BeginUpload { id, attempt, at: now };
        match self.commit(vec![begin]).await {
            Ok(()) => Ok(Receiving::new(self.clone(), upload, attempt)),
            Err(StoreError::Conflict) => Err(UploadRefused::Used),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the action still waits for its upload and the device is still ours.
    async fn is_wanted(&self, upload: &Upload) -> Result<bool, StoreError> {
        let command = self.store.command(Id::new(upload.id.uuid())).await?;
        let is_withdrawn =
            command.is_none_or(|command| matches!(command.state, CommandState::Cancelled | CommandState::Expired));
        let enrollment = self.store.enrollment(upload.enrollment_id).await?;
        Ok(!is_withdrawn && enrollment.is_some_and(|enrollment| enrollment.state.is_open()))
    }

    /// The file is whole: the URL is used up, and it is told.
    async fn finish_upload(
        &self,
        upload: &Upload,
        attempt: Id<UploadAttempt>,
        received: &Received,
    ) -> Result<(), StoreError> {
        let by = Principal {
            name: format!("device:{}", upload.enrollment_id),
            user_id: None,
            role: Role::User,
            address: String::new(),
        };
        let told = json!({"id": upload.id, "enrollment_id": upload.enrollment_id, "bytes": received.bytes});
        let words = format!("{} bytes", received.bytes);
        self.commit(vec![
            Write::FinishUpload { id: upload.id, attempt, received: received.clone() },
            self.event("upload.received", Some(upload.device_id.to_string()), told),
            self.audit(&by, "upload.receive", object(upload), "ok", &words),
        ])
        .await
    }

    /// Uploads, newest first; of one device where one is named.
    ///
    /// # Errors
    /// The store's.
    pub async fn uploads(&self, device: Option<Id<Device>>, page: &Page) -> Result<Listed<Upload>, Error> {
        Ok(self.store.uploads(device, page).await?)
    }

    /// An upload.
    ///
    /// # Errors
    /// [`Error::NotFound`], or the store's.
    pub async fn upload(&self, id: Id<Upload>) -> Result<Upload, Error> {
        self.store.upload(id).await?.ok_or(Error::NotFound("upload"))
    }

    /// What came of an upload, to be read with [`Self::upload_part`]; the audit trail says who did.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Conflict`] `not_uploaded`, or the store's.
    pub async fn open_upload(&self, by: &Principal, id: Id<Upload>) -> Result<(Upload, Received), Error> {
        let upload = self.upload(id).await?;
        let received = upload.received.clone();
        let received = received.ok_or_else(|| Error::conflict("not_uploaded", "the device has not uploaded it yet"))?;
        self.commit(vec![self.audit(by, "upload.download", object(&upload), "ok", "")]).await?;
        Ok((upload, received))
    }

    /// One of the parts of what came, from 0.
    ///
    /// # Errors
    /// [`Error::NotFound`] once it was deleted, or the store's.
    pub async fn upload_part(&self, id: Id<Upload>, seq: u32) -> Result<Vec<u8>, Error> {
        let sealed = self.store.upload_chunk(id, seq).await?.ok_or(Error::NotFound("upload"))?;
        Ok(self.sealer.open(&purpose(id, seq), &sealed)?)
    }

    /// Deletes an upload and what came; a URL that waits takes nothing any more.
    ///
    /// # Errors
    /// [`Error::NotFound`], or the store's.
    pub async fn delete_upload(&self, by: &Principal, id: Id<Upload>) -> Result<(), Error> {
        let upload = self.upload(id).await?;
        let writes = vec![Write::DeleteUpload(id), self.audit(by, "upload.delete", object(&upload), "ok", "")];
        match self.commit(writes).await {
            Err(StoreError::Conflict) => Err(Error::NotFound("upload")),
            done => Ok(done?),
        }
    }

    /// What a try left that broke off with its process.
    pub(super) fn forget_quiet_uploads(&self) -> Write {
        Write::ForgetQuietUploads { quiet_since: self.now() - QUIET }
    }
}

/// Each part is sealed for its own place.
fn purpose(id: Id<Upload>, seq: u32) -> String {
    format!("upload:{id}:{seq}")
}

fn object(upload: &Upload) -> AuditObject<'static> {
    AuditObject { kind: "upload", id: upload.id.to_string(), name: format!("of device {}", upload.device_id) }
}
