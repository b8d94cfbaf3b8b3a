//! The OMA-DM credentials of an enrollment, which the database holds sealed (management reference 5.3).

use serde::{Deserialize, Serialize};

use super::ports::{SealError, StoreError};
use super::{App, Error};
use crate::domain::Id;
use crate::domain::enrollment::Enrollment;
use crate::session::{DigestState, Nonce};

/// Secrets and nonces of both sides.
#[derive(Serialize, Deserialize)]
pub(super) struct Account {
    /// Secret with which the device proves itself to the server (`APPSRV`).
    pub(super) server_secret: String,
    /// The nonces for it.
    pub(super) digest: DigestState,
    /// Secret with which the server proves itself to the device (`CLIENT`).
    pub(super) client_secret: String,
    /// What the next proof of the server would have to be made with.
    pub(super) client_nonce: Vec<u8>,
}

/// What is sealed.
const PURPOSE: &str = "dm-account";

impl Account {
    /// Random secrets, and the first nonces for them: the server's and the client's.
    pub(super) fn new(app: &App) -> (Self, [Nonce; 2]) {
        let nonces = [app.random(), app.random()];
        let account = Self {
            server_secret: app.new_secret(),
            digest: DigestState::provisioned(nonces[0]),
            client_secret: app.new_secret(),
            client_nonce: nonces[1].to_vec(),
        };
        (account, nonces)
    }

    pub(super) fn seal(&self, app: &App) -> Result<Vec<u8>, Error> {
        let text = serde_json::to_vec(self).map_err(|error| Error::Internal(Box::new(error)))?;
        Ok(app.sealer.seal(PURPOSE, &text))
    }

    pub(super) fn open(app: &App, enrollment: &Enrollment) -> Result<Self, Error> {
        let odd = |id: Id<Enrollment>, error: &dyn std::fmt::Display| {
            StoreError::Internal(format!("enrollments.account of {id}: {error}"))
        };
        let text = app.sealer.open(PURPOSE, &enrollment.account);
        let text = text.map_err(|error: SealError| odd(enrollment.id, &error))?;
        Ok(serde_json::from_slice(&text).map_err(|error| odd(enrollment.id, &error))?)
    }
}

impl App {
    /// Keeps what the device gave out for the next proof of the server. One that cannot be kept costs a challenge at most.
    pub(super) fn keep_next_nonce(&self, enrollment: &mut Enrollment, nonce: Vec<u8>) {
        let kept = Account::open(self, enrollment).and_then(|mut account| {
            account.client_nonce = nonce;
            account.seal(self)
        });
        match kept {
            Ok(sealed) => enrollment.account = sealed,
            Err(error) => tracing::warn!(enrollment_id = %enrollment.id, %error, "a nonce of the device is not kept"),
        }
    }
}
