//! Checking a user name and a password, or the PIN of an invitation (enrollment reference 4.1, security invariants S-13 and
//! S-14).
//!
//! Unknown user, wrong password and disabled user cost the same hashes and get the same answer: how many there are follows
//! from what was typed. Only who knows the password of a disabled account is told that it is disabled. The limits come
//! before the hash. What packages let in with is checked here too: a secret of theirs costs no hash where it is good, and
//! one like any wrong password where it is not.

mod choose;
mod offered;
mod pin;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret, SecretString};
use time::OffsetDateTime;

use super::pin_hash::PinOf;
use super::ports::{Rng, StoreError};
use super::throttle::network;
use super::{App, Refusal};
use crate::domain::Id;
use crate::domain::attempt::Road;
use crate::domain::invitation::{Invitation, PinState};
use crate::domain::package::Package;
use crate::domain::sign_in::{Method, SignInWith, Typed};
use crate::domain::user::{User, normalize_name};
pub use choose::NotChosen;
use offered::Offered;

/// What the administrator reads when the limits stop a sign-in.
const TOO_MANY: Refusal = Refusal::Credentials("too many wrong passwords before; none was checked");

/// Who signed in, and with what: the own password, where it was nothing else.
#[derive(Clone, Debug)]
pub(super) struct SignedIn {
    /// Who.
    pub(super) user: User,
    /// The PIN of an invitation, perhaps beside the password.
    pub(super) pin: Option<ProvenPin>,
    /// The package whose secret or PIN it was.
    pub(super) package: Option<Package>,
}

/// A PIN that was right. Sent again, an invitation stays the same and its PIN does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProvenPin {
    /// Of which invitation.
    pub(super) invitation: Id<Invitation>,
    /// As it is stored.
    pub(super) sealed_hash: Vec<u8>,
}

impl ProvenPin {
    /// Whether an invitation still has this PIN.
    pub(super) fn is_of(&self, invitation: &Invitation) -> bool {
        let hash = invitation.pin.as_ref().map(|pin| &pin.sealed_hash);
        self.invitation == invitation.id && hash == Some(&self.sealed_hash)
    }
}

/// One thing to check.
struct Check {
    method: Method,
    secret: SecretString,
    /// What it is compared with.
    stored: Option<String>,
    /// What else a remembered check belongs to.
    mark: Vec<u8>,
}

impl App {
    /// The user behind a name and a password, or what the configuration takes in its place.
    ///
    /// The secret of a package that lets in is asked for no try: neither those who guess nor PCs with an older build keep
    /// it out.
    ///
    /// All spellings of a name share one budget of tries. Checks of one name, and those that come from one network, go one
    /// after the other: a roomful of PCs that sign in at once use up no tries among themselves, and with the same name and
    /// password they cost one hash.
    ///
    /// The road is told as soon as it is known, also of those who are refused.
    pub(super) async fn check_password(
        &self,
        name: &str,
        password: SecretString,
        address: IpAddr,
        road: &mut Option<Road>,
    ) -> Result<SignedIn, Refusal> {
        let user = self.find_user(name).await?;
        let key = budget(name);
        let _turn = self.memory.signing_in.take(key.clone()).await;
        let _place = self.memory.networks.take(network(address)).await;
        let (throttles, now) = (&self.memory.throttles, self.now());
        let offered = self.offered(user.as_ref(), &password, address).await?;
        *road = offered.road();
        if let (Some(user), Offered::Secret(package)) = (user.as_ref().filter(|user| user.enabled), &offered) {
            // Before the limits: nobody guesses 256 bits, and guesses of others must not stop the PCs of a package.
            self.may_enroll(user)?;
            return Ok(SignedIn { user: user.clone(), pin: None, package: Some(package.clone()) });
        }
        if !throttles.has_password(&key, address, now) {
            return Err(TOO_MANY);
        }
        if let Some(user) = user.as_ref().filter(|_| !matches!(offered, Offered::Password)) {
            let Some(taken) = throttles.take_password(&key, address, now) else { return Err(TOO_MANY) };
            let signed_in = self.check_package(user, offered, &password, address).await?;
            throttles.give_back_password(taken, self.now());
            return Ok(signed_in);
        }
        let typed = self.sign_in_with(name).read(password, self.settings.invitations.pin_digits);
        let mut invitation = self.invitation_to_check(user.as_ref(), &typed).await?;
        *road = Some(typed.road(if invitation.is_some() { Method::Pin } else { Method::Password }));
        if let Some(user) = user.as_ref().filter(|user| user.enabled) {
            let checks = self.checks(Some(user), &typed, invitation.as_ref())?;
            let known = checks.iter().map(|check| self.memory.remembered.knows(user, check, now));
            if let Some(method) = proven(&typed, &checks, &known.collect::<Vec<_>>()) {
                *road = Some(typed.road(method));
                self.may_enroll(user)?;
                return Ok(signed_in(user.clone(), method, invitation.as_ref()));
            }
        }
        let Some(taken) = throttles.take_password(&key, address, now) else { return Err(TOO_MANY) };
        let pin_try = self.take_pin_try(&mut invitation).await?;
        let checks = self.checks(user.as_ref(), &typed, invitation.as_ref().filter(|_| pin_try))?;
        let mut right = Vec::with_capacity(checks.len());
        for check in &checks {
            right.push(self.hasher.verify(check.secret.clone(), check.stored.clone()).await?);
        }
        let Some(user) = user else { return Err(Refusal::Credentials("there is no user of that name")) };
        let Some(method) = proven(&typed, &checks, &right) else {
            self.tell_wrong_pin(&user, invitation.as_ref().filter(|_| pin_try), address).await?;
            return Err(Refusal::Credentials(in_words(&typed, invitation.as_ref(), now)));
        };
        *road = Some(typed.road(method));
        // Before the account is judged: a right PIN is no wrong one, whatever may have to be put right first.
        self.give_back_pin_try(invitation.as_ref().filter(|_| pin_try)).await?;
        self.may_enroll(&user)?;
        throttles.give_back_password(taken, self.now());
        let until = self.now() + self.settings.remember_password;
        for check in checks.iter().zip(&right).filter(|(_, right)| **right).map(|(check, _)| check) {
            self.memory.remembered.remember(&user, check, self.now(), until);
        }
        Ok(signed_in(user, method, invitation.as_ref()))
    }

    /// Signs in with what may be of a package, but for the secret of one that lets its user in. It costs one hash, whatever
    /// it is.
    async fn check_package(
        &self,
        user: &User,
        offered: Offered,
        password: &SecretString,
        address: IpAddr,
    ) -> Result<SignedIn, Refusal> {
        let offered = self.take_package_try(user, offered, address).await?;
        let stored = match &offered {
            Offered::Pin(package) => package.sealed_pin_hash.as_deref(),
            Offered::Secret(_) | Offered::Over(_) | Offered::Password => None,
        };
        let stored = stored.map(|sealed| self.open_pin_hash(PinOf::Package, sealed)).transpose()?;
        let fits = self.hasher.verify(password.clone(), stored).await? || matches!(offered, Offered::Secret(_));
        if !fits {
            return Err(self.wrong(user, offered, address).await);
        }
        self.give_back_package_try(&offered).await?;
        self.may_enroll(user)?;
        Ok(SignedIn { user: user.clone(), pin: None, package: offered.package() })
    }

    /// Only who has proven who he is learns this of the account.
    fn may_enroll(&self, user: &User) -> Result<(), Refusal> {
        if !user.enabled {
            return Err(Refusal::AccountDisabled);
        }
        if user.must_change_password {
            return Err(Refusal::PasswordChange { url: self.settings.url.clone() });
        }
        Ok(())
    }

    /// What whoever goes by that name signs in with: bulk users have no invitations.
    fn sign_in_with(&self, name: &str) -> SignInWith {
        let prefix = self.settings.bulk_prefix.to_lowercase();
        let is_bulk = !prefix.is_empty() && without_domain(name).to_lowercase().starts_with(&prefix);
        if is_bulk { SignInWith::Password } else { self.settings.invitations.sign_in }
    }

    /// What has to be compared, as often for a user who is not there.
    fn checks(
        &self,
        user: Option<&User>,
        typed: &Typed,
        invitation: Option<&Invitation>,
    ) -> Result<Vec<Check>, Refusal> {
        let check = |(method, secret): &(Method, SecretString)| {
            let (stored, mark) = match method {
                Method::Password => (user.and_then(|user| user.password_hash.clone()), b"password".to_vec()),
                Method::Pin => match invitation.and_then(|invitation| invitation.live_pin(self.now())) {
                    Some(pin) => {
                        (Some(self.open_pin_hash(PinOf::Invitation, &pin.sealed_hash)?), pin.sealed_hash.clone())
                    }
                    None => (None, Vec::new()),
                },
            };
            Ok(Check { method: *method, secret: secret.clone(), stored, mark })
        };
        typed.checks.iter().map(check).collect()
    }

    /// By name without case, with or without `DOMAIN\`; then a bare name where exactly one user has it before the `@`; at
    /// last a user whose name has no domain, whichever Windows put to it.
    async fn find_user(&self, name: &str) -> Result<Option<User>, StoreError> {
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
        self.store.user_by_name(local).await
    }
}

/// What is proven by checks with those results.
fn proven(typed: &Typed, checks: &[Check], right: &[bool]) -> Option<Method> {
    if typed.needs_all {
        // The last of them is the PIN.
        return checks.last().filter(|_| right.iter().all(|right| *right)).map(|check| check.method);
    }
    checks.iter().zip(right).find(|(_, right)| **right).map(|(check, _)| check.method)
}

fn signed_in(user: User, method: Method, invitation: Option<&Invitation>) -> SignedIn {
    let invitation = invitation.filter(|_| method == Method::Pin);
    let pin = invitation.and_then(|invitation| {
        let sealed_hash = invitation.pin.as_ref()?.sealed_hash.clone();
        Some(ProvenPin { invitation: invitation.id, sealed_hash })
    });
    SignedIn { user, pin, package: None }
}

/// What was wrong, for the administrator.
fn in_words(typed: &Typed, invitation: Option<&Invitation>, now: OffsetDateTime) -> &'static str {
    let has_pin = typed.checks.iter().any(|(method, _)| *method == Method::Pin);
    let is_pin_alone = typed.checks.iter().all(|(method, _)| *method == Method::Pin);
    let pin = invitation.filter(|_| has_pin).and_then(|invitation| invitation.pin.as_ref());
    if typed.lacks_password() {
        return "the PIN was typed without the password before it";
    }
    match pin.map(|pin| pin.state(now)) {
        Some(PinState::Locked) => "the PIN is locked after too many wrong ones; invite the user again",
        Some(PinState::Expired) => "the PIN has expired; invite the user again",
        Some(PinState::Live) if typed.needs_all => "the password or the PIN is wrong",
        Some(PinState::Live) => "the PIN is wrong",
        None if is_pin_alone => "the user has no open invitation with a PIN",
        None => "the password is wrong",
    }
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

    fn entry(&self, user: &User, check: &Check) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(user.id.uuid().as_bytes());
        context.update(&user.credential_version.to_be_bytes());
        context.update(&(check.mark.len() as u64).to_be_bytes());
        context.update(&check.mark);
        context.update(check.secret.expose_secret().as_bytes());
        let mut entry = [0; 32];
        entry.copy_from_slice(context.sign().as_ref());
        entry
    }

    fn knows(&self, user: &User, check: &Check, now: OffsetDateTime) -> bool {
        if check.stored.is_none() {
            return false;
        }
        let entry = self.entry(user, check);
        let until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.get(&entry).is_some_and(|end| now < *end)
    }

    fn remember(&self, user: &User, check: &Check, now: OffsetDateTime, end: OffsetDateTime) {
        let entry = self.entry(user, check);
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
