//! Choosing a new password oneself, with the present one.
//!
//! The tries, their limits and their cost are those of a sign-in, and so are the networks from which one may be made: no
//! second place to guess passwords at.

use std::net::IpAddr;

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::super::ports::{StoreError, Write};
use super::super::throttle::network;
use super::super::users::{self, UserChanges};
use super::super::{App, Error, FieldError};
use super::budget;
use super::pin::typed_by;
use crate::domain::user::{User, UserKind};

/// Why no new password was chosen.
#[derive(Debug)]
pub enum NotChosen {
    /// No password of a person may look like that: what is wrong.
    Unfit(FieldError),
    /// It is the present one.
    Same,
    /// The network is none from which people may sign in.
    Elsewhere,
    /// Too many wrong ones before; none was checked.
    TooMany,
    /// The name or the present password is wrong.
    Credentials,
    /// The account is disabled, which only who knows its password is told.
    Disabled,
    /// Another failure.
    Failed(Error),
}

impl App {
    /// Gives a person a new password, for the present one.
    ///
    /// # Errors
    /// [`NotChosen`]; nothing was changed.
    pub async fn choose_password(
        &self,
        name: &str,
        present: SecretString,
        new: SecretString,
        address: IpAddr,
    ) -> Result<User, NotChosen> {
        self.settings.rules.check_network(address).map_err(|_| NotChosen::Elsewhere)?;
        if let Some(unfit) = users::wrong_password(&new, name.trim(), UserKind::Person) {
            return Err(NotChosen::Unfit(unfit));
        }
        let user = self.person_with(name, present.clone(), address).await?;
        if let Some(unfit) = users::wrong_password(&new, &user.email, UserKind::Person) {
            return Err(NotChosen::Unfit(unfit));
        }
        if new.expose_secret() == present.expose_secret() {
            return Err(NotChosen::Same);
        }
        let hash = self.hasher.hash(new.clone()).await.map_err(NotChosen::of)?;
        let by = typed_by(&user, address);
        let changes = UserChanges { password: Some(Some(new)), ..UserChanges::default() };
        let (changed, what) = users::apply(&user, &changes, Some(hash));
        let data = json!({"user_id": user.id, "email": user.email, "changed": what, "by": by.name});
        let writes = vec![
            Write::UpdateUser(changed.clone()),
            self.audit(&by, "user.choose_password", users::object(&user), "ok", &users::in_words(&changed, &what)),
            self.event("admin.user_changed", None, data),
        ];
        match self.commit(writes).await {
            Ok(()) => Ok(User { version: changed.version + 1, ..changed }),
            // Somebody else changed the account at this moment: perhaps its password.
            Err(StoreError::Conflict) => Err(NotChosen::Credentials),
            Err(error) => Err(NotChosen::of(error)),
        }
    }

    /// The person of that name and password.
    async fn person_with(&self, name: &str, password: SecretString, address: IpAddr) -> Result<User, NotChosen> {
        let user = self.find_user(name).await.map_err(NotChosen::of)?;
        let key = budget(name);
        let _turn = self.memory.signing_in.take(key.clone()).await;
        let _place = self.memory.networks.take(network(address)).await;
        let throttles = &self.memory.throttles;
        let Some(taken) = throttles.take_password(&key, address, self.now()) else { return Err(NotChosen::TooMany) };
        // Bulk users have nobody who could choose.
        let user = user.filter(|user| user.kind == UserKind::Person);
        let stored = user.as_ref().and_then(|user| user.password_hash.clone());
        let is_right = self.hasher.verify(password, stored).await.map_err(NotChosen::of)?;
        let Some(user) = user.filter(|_| is_right) else { return Err(NotChosen::Credentials) };
        if !user.enabled {
            return Err(NotChosen::Disabled);
        }
        throttles.give_back_password(taken, self.now());
        Ok(user)
    }
}

impl NotChosen {
    fn of(error: impl Into<Error>) -> Self {
        Self::Failed(error.into())
    }
}
