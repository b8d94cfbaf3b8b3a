//! Checking a user name and a password (enrollment reference 4.1, security invariants S-13 and S-14).
//!
//! Unknown user, wrong password and disabled user cost the same hash and get the same answer; only who knows the password
//! of a disabled account is told that it is disabled. The limits come before the hash. What packages let in with is checked
//! here too: a secret of theirs costs no hash where it is good, and one like any wrong password where it is not.

mod offered;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret, SecretString};
use time::OffsetDateTime;

use super::ports::Rng;
use super::throttle::network;
use super::{App, Refusal};
use crate::domain::package::Package;
use crate::domain::user::{User, normalize_name};
use offered::Offered;

/// Who signed in, and with what.
#[derive(Clone, Debug)]
pub(super) struct SignedIn {
    /// Who.
    pub(super) user: User,
    /// The package whose secret or PIN it was; `None`: the user's own password.
    pub(super) package: Option<Package>,
}

/// What the administrator reads when the limits stop a sign-in.
const TOO_MANY: Refusal = Refusal::Credentials("too many wrong passwords before; none was checked");

impl App {
    /// The user behind a name and a password.
    ///
    /// All spellings of a name share one budget of tries. Checks of one name, and those that come from one network, go one
    /// after the other: a roomful of PCs that sign in at once use up no tries among themselves, and with the same name and
    /// password they cost one hash.
    pub(super) async fn check_password(
        &self,
        name: &str,
        password: SecretString,
        address: IpAddr,
    ) -> Result<SignedIn, Refusal> {
        let user = self.find_user(name).await?;
        let key = budget(name);
        let _turn = self.memory.signing_in.take(key.clone()).await;
        let _place = self.memory.networks.take(network(address)).await;
        let (throttles, now) = (&self.memory.throttles, self.now());
        if !throttles.has_password(&key, address, now) {
            return Err(TOO_MANY);
        }
        let offered = self.offered(user.as_ref(), &password, address).await?;
        let own = user.as_ref().filter(|user| user.enabled && matches!(offered, Offered::Password));
        if let Some(user) = own.filter(|user| self.memory.remembered.knows(user, &password, now)) {
            may_enroll(user)?;
            return Ok(SignedIn { user: user.clone(), package: None });
        }
        let Some(taken) = throttles.take_password(&key, address, now) else { return Err(TOO_MANY) };
        let fits = self.fits(user.as_ref(), &offered, &password).await?;
        let Some(user) = user else { return Err(Refusal::Credentials("there is no user of that name")) };
        if !fits {
            return Err(self.wrong(offered).await);
        }
        may_enroll(&user)?;
        throttles.give_back_password(taken, self.now());
        if matches!(offered, Offered::Password) {
            let until = self.now() + self.settings.remember_password;
            self.memory.remembered.remember(&user, &password, self.now(), until);
        }
        Ok(SignedIn { user, package: offered.package() })
    }

    /// Whether what was offered is good. It costs one hash, whatever it is, but for the secret of a package that lets its
    /// user in: nobody guesses 256 bits.
    async fn fits(&self, user: Option<&User>, offered: &Offered, password: &SecretString) -> Result<bool, Refusal> {
        let stored = match offered {
            Offered::Secret(_) if user.is_some_and(|user| user.enabled) => return Ok(true),
            Offered::Secret(_) | Offered::Over(_) => None,
            Offered::Pin(package) => package.pin_hash.clone(),
            Offered::Password => user.and_then(|user| user.password_hash.clone()),
        };
        let fits = self.hasher.verify(password.clone(), stored).await?;
        Ok(fits || matches!(offered, Offered::Secret(_)))
    }

    /// By name without case, with or without `DOMAIN\`; then a bare name where exactly one user has it before the `@`; at
    /// last a user whose name has no domain, whichever Windows put to it.
    async fn find_user(&self, name: &str) -> Result<Option<User>, Refusal> {
        let name = name.trim();
        if name.is_empty() || name.len() > LONGEST_NAME || name.chars().any(char::is_control) {
            return Ok(None);
        }
        if let Some(user) = self.store.user_by_name(name).await? {
            return Ok(Some(user));
        }
        let bare = without_domain(name);
        let exact = if bare == name { None } else { self.store.user_by_name(bare).await? };
        let found = match exact {
            Some(user) => Some(user),
            None if bare.contains('@') => None,
            None => {
                let mut all = self.store.users_by_local_part(bare).await?;
                if all.len() == 1 { all.pop() } else { None }
            }
        };
        let local = bare.split_once('@').map_or(bare, |(local, _)| local);
        if found.is_some() || local.is_empty() {
            return Ok(found);
        }
        Ok(self.store.user_by_name(local).await?)
    }
}

/// Only who has proven who he is learns this of the account.
fn may_enroll(user: &User) -> Result<(), Refusal> {
    if !user.enabled {
        return Err(Refusal::AccountDisabled);
    }
    if user.must_change_password {
        return Err(Refusal::PasswordChange);
    }
    Ok(())
}

/// Longest name that is looked up, in bytes.
const LONGEST_NAME: usize = 512;

/// What the tries of a name are counted by: by one rule for all names, for otherwise it would tell which users there are.
fn budget(name: &str) -> String {
    let bare = without_domain(name);
    let local = bare.split_once('@').map_or(bare, |(local, _)| local);
    normalize_name(local).chars().take(64).collect()
}

/// A name without `DOMAIN\`.
fn without_domain(name: &str) -> &str {
    let name = name.trim();
    name.rsplit_once('\\').map_or(name, |(_, name)| name)
}

/// Passwords that were right a short while ago, so that the two messages of an enrollment cost one hash.
///
/// Keys are HMACs under a random key of the process over user, version of the credential and password: a changed password
/// or right makes another key. Only right ones are remembered.
pub(super) struct Remembered {
    key: hmac::Key,
    until: Mutex<HashMap<[u8; 32], OffsetDateTime>>,
}

/// Remembered at most; beyond it the expired ones are dropped, and then nothing is added.
const MOST: usize = 10_000;

impl Remembered {
    pub(super) fn new(rng: &dyn Rng) -> Self {
        let mut key = [0; 32];
        rng.fill(&mut key);
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, &key), until: Mutex::default() }
    }

    fn entry(&self, user: &User, password: &SecretString) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(user.id.uuid().as_bytes());
        context.update(&user.credential_version.to_be_bytes());
        context.update(password.expose_secret().as_bytes());
        let mut entry = [0; 32];
        entry.copy_from_slice(context.sign().as_ref());
        entry
    }

    fn knows(&self, user: &User, password: &SecretString, now: OffsetDateTime) -> bool {
        let entry = self.entry(user, password);
        let until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.get(&entry).is_some_and(|end| now < *end)
    }

    fn remember(&self, user: &User, password: &SecretString, now: OffsetDateTime, end: OffsetDateTime) {
        let entry = self.entry(user, password);
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        if until.len() >= MOST {
            until.retain(|_, end| now < *end);
        }
        if until.len() < MOST && now < end {
            until.insert(entry, end);
        }
    }

    /// Drops what has expired.
    pub(super) fn tidy(&self, now: OffsetDateTime) {
        self.until.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, end| now < *end);
    }
}

#[cfg(test)]
#[path = "sign_in/tests.rs"]
mod tests;
