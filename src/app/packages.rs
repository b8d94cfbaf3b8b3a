//! Packages for bulk enrollment: made for a bulk user, handed out once, withdrawn (enrollment reference 10; security
//! invariants S-13, S-14).
//!
//! What is handed out holds the secret of the package in clear, and perhaps passwords of others; the server keeps none of
//! it. So a package that is needed once more is built anew, with another secret, and devices take it for newer.

mod contents;
mod instructions;

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use time::Duration;

use super::idempotency::{derived_id, reused};
use super::pin_hash::PinOf;
use super::ports::{Listed, Page, StoreError, Write};
use super::tokens::{random_text, secret_hash};
use super::users::{NewUser, check_new_user};
use super::{App, AuditObject, Error, FieldError, MOST_TRIES, Principal, Settings};
use crate::domain::package::{PIN_DIGITS, Package, PackageState, is_pin_shaped};
use crate::domain::user::{Role, User, UserKind};
use crate::domain::{Id, Network};
use crate::pki::thumbprint;
use crate::proto::ppkg;
pub use contents::{Contents, RootCertificate};

/// What every secret of a package begins with, so that one that leaked is recognised.
pub const SECRET_PREFIX: &str = "msp_";

/// A package to be made.
#[derive(Clone, Debug)]
pub struct NewPackage {
    /// Name of the bulk user; one that is not there is added.
    pub user: String,
    /// Name of the package; by default made of the user's.
    pub name: Option<String>,
    /// How long it works; by default [`USUAL_LIFETIME`].
    pub expires_in: Option<Duration>,
    /// For how many devices; by default [`USUAL_DEVICES`].
    pub max_devices: Option<u32>,
    /// From where it may be used; empty: from everywhere.
    pub networks: Vec<Network>,
    /// The PIN, where it is to have one.
    pub pin: Option<NewPin>,
    /// What is built into it.
    pub contents: Contents,
}

/// A PIN with which devices are enrolled by hand under a package.
#[derive(Clone, Debug)]
pub enum NewPin {
    /// One that is made.
    Made,
    /// This one.
    Given(SecretString),
}

/// A package that was made or built anew.
#[derive(Debug)]
pub struct BuiltPackage {
    /// The package.
    pub package: Package,
    /// What is handed out, this once; `None` where an earlier request with the same `Idempotency-Key` made the package.
    pub handout: Option<Handout>,
}

/// What is handed out of a package.
#[derive(Debug)]
pub struct Handout {
    /// Its secret.
    pub secret: SecretString,
    /// Its PIN, where there is a new one.
    pub pin: Option<SecretString>,
    /// The ZIP archive with all files.
    pub archive: Vec<u8>,
    /// The command that builds the package, in the folder of the files.
    pub command: String,
}

/// How long a package works where nothing is said.
pub const USUAL_LIFETIME: Duration = Duration::days(30);
/// How long at most: what lies in files in clear must not be good for ever.
const LONGEST_LIFETIME: Duration = Duration::days(366);
/// For how many devices where nothing is said.
pub const USUAL_DEVICES: u32 = 100;
/// For how many at most.
const MOST_DEVICES: u32 = 100_000;
/// Networks to which a package may be tied.
const MOST_NETWORKS: usize = 50;
/// Digits of a PIN that is made.
const MADE_PIN_DIGITS: usize = 8;

impl App {
    /// Packages, newest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn packages(&self, page: &Page) -> Result<Listed<Package>, Error> {
        Ok(self.store.packages(page).await?)
    }

    /// A package.
    ///
    /// # Errors
    /// [`Error::NotFound`], or the store's.
    pub async fn package(&self, id: Id<Package>) -> Result<Package, Error> {
        self.store.package(id).await?.ok_or(Error::NotFound("package"))
    }

    /// Makes a package, and its bulk user where that is not there. Secret, PIN and files are in the answer and nowhere else.
    ///
    /// # Errors
    /// [`Error::Invalid`], or [`Error::Conflict`]: `user_disabled`, `pin_taken`, `idempotency_key_reused`.
    pub async fn add_package(&self, by: &Principal, new: NewPackage, key: Option<&str>) -> Result<BuiltPackage, Error> {
        let new = NewPackage { user: new.user.trim().to_owned(), ..new };
        let name = new.name.clone().unwrap_or_else(|| usual_name(&new.user, &self.settings.bulk_prefix));
        check_new(&new, &name, &self.settings)?;
        let roots = self.roots_to_trust(&new.contents)?;
        let id = key.map_or_else(|| self.new_id(), |key| derived_id(by, "POST /packages", key));
        let pin = self.new_pin(new.pin.as_ref());
        let sealed_pin_hash = self.hash_of(pin.as_ref()).await?;
        for _ in 0..MOST_TRIES {
            if key.is_some()
                && let Some(made) = self.store.package(id).await?
            {
                return same_request(made, &name, &new);
            }
            let (user, mut writes) = self.bulk_user(by, &new.user, pin.is_some()).await?;
            let secret = self.new_package_secret();
            let (url, generation) = self.package_url().await?;
            let now = self.now();
            let package = Package {
                id,
                user_id: Some(user.id),
                user_name: user.email.clone(),
                name: name.clone(),
                build: 1,
                built_as: None,
                secret_hash: secret_hash(secret.expose_secret()),
                sealed_pin_hash: sealed_pin_hash.clone(),
                pin_failures: 0,
                networks: new.networks.clone(),
                max_devices: new.max_devices.unwrap_or(USUAL_DEVICES),
                devices: 0,
                created_at: now,
                expires_at: now + new.expires_in.unwrap_or(USUAL_LIFETIME),
                last_used_at: None,
                revoked_at: None,
                root: newest(&roots),
                generation,
            };
            let handout = self.handout(&package, &new.contents, &roots, (secret, pin.clone()), &url)?;
            let words = format!("for {}, {} devices", user.email, package.max_devices);
            writes.extend(self.told(by, &package, ("package.create", "admin.package_added"), &words));
            writes.push(Write::InsertPackage(Box::new(package.clone())));
            match self.commit(writes).await {
                Err(StoreError::Conflict) => {}
                done => return Ok(done.map(|()| BuiltPackage { package, handout: Some(handout) })?),
            }
        }
        Err(StoreError::Conflict.into())
    }

    /// Builds a package anew: with a higher version and another secret. What was built before lets nobody in any more; its
    /// limits, its count and, unless another one is asked for, its PIN stay. The same key as for the last build builds
    /// nothing and hands nothing out.
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::NotFound`], or [`Error::Conflict`]: `package_over`, `pin_taken`.
    pub async fn rebuild_package(
        &self,
        by: &Principal,
        id: Id<Package>,
        contents: Contents,
        pin: Option<NewPin>,
        key: Option<&str>,
    ) -> Result<BuiltPackage, Error> {
        refuse(contents.mistakes().into_iter().chain(pin.as_ref().and_then(wrong_pin)).collect())?;
        let roots = self.roots_to_trust(&contents)?;
        let pin = self.new_pin(pin.as_ref());
        let sealed_pin_hash = self.hash_of(pin.as_ref()).await?;
        let built_as = key.map(|key| derived_id(by, &format!("POST /packages/{id}/rebuild"), key));
        for _ in 0..MOST_TRIES {
            let mut package = self.package(id).await?;
            if built_as.is_some() && package.built_as == built_as {
                return Ok(BuiltPackage { package, handout: None });
            }
            let state = package.state(self.now());
            if matches!(state, PackageState::Revoked | PackageState::Expired) {
                let words = format!("the package is {}; make another one", state.as_str());
                return Err(Error::conflict("package_over", words));
            }
            let (_, mut writes) = self.bulk_user(by, &package.user_name, false).await?;
            if pin.is_some() {
                writes.extend(self.reserve_pin(&package).await?);
                package.sealed_pin_hash.clone_from(&sealed_pin_hash);
                package.pin_failures = 0;
            }
            let secret = self.new_package_secret();
            package.secret_hash = secret_hash(secret.expose_secret());
            package.built_as = built_as;
            package.root = newest(&roots);
            let (url, generation) = self.package_url().await?;
            package.generation = generation;
            writes.push(Write::RebuildPackage(Box::new(package.clone())));
            package.build += 1;
            let handout = self.handout(&package, &contents, &roots, (secret, pin.clone()), &url)?;
            let words = format!("version {}", package.version());
            writes.extend(self.told(by, &package, ("package.rebuild", "admin.package_rebuilt"), &words));
            match self.commit(writes).await {
                Err(StoreError::Conflict) => {}
                done => return Ok(done.map(|()| BuiltPackage { package, handout: Some(handout) })?),
            }
        }
        Err(StoreError::Conflict.into())
    }

    /// Withdraws a package: nobody enrolls with it any more, and the devices that did stay. One that is withdrawn already
    /// stays as it is.
    ///
    /// # Errors
    /// [`Error::NotFound`], or the store's.
    pub async fn revoke_package(&self, by: &Principal, id: Id<Package>) -> Result<(), Error> {
        for _ in 0..MOST_TRIES {
            let package = self.package(id).await?;
            if package.revoked_at.is_some() {
                return Ok(());
            }
            let words = format!("for {}, {} of {} devices", package.user_name, package.devices, package.max_devices);
            let mut writes = self.told(by, &package, ("package.revoke", "admin.package_revoked"), &words);
            writes.push(Write::RevokePackage { id, at: self.now() });
            match self.commit(writes).await {
                Err(StoreError::Conflict) => {}
                done => return Ok(done?),
            }
        }
        Err(StoreError::Conflict.into())
    }

    /// The bulk user of that name, and what is to be written so that it is there and enabled when its package is.
    async fn bulk_user(&self, by: &Principal, name: &str, has_pin: bool) -> Result<(User, Vec<Write>), Error> {
        let Some(user) = self.store.user_by_name(name).await? else {
            return self.new_bulk_user(by, name);
        };
        if user.kind != UserKind::Bulk {
            return Err(Error::invalid("/user", format!("{} is a person; packages are for bulk users", user.email)));
        }
        if !user.enabled {
            let words = format!("{} is disabled, so nobody could enroll with the package", user.email);
            return Err(Error::conflict("user_disabled", words));
        }
        if !has_pin {
            let guard = Write::GuardUser { id: user.id, credential_version: user.credential_version };
            return Ok((user, vec![guard]));
        }
        self.refuse_second_pin(&user, None).await?;
        // The version rises, so that of two packages with a PIN that are made at once one is tried again.
        let guard = Write::UpdateUser(user.clone());
        Ok((user, vec![guard]))
    }

    fn new_bulk_user(&self, by: &Principal, name: &str) -> Result<(User, Vec<Write>), Error> {
        let new = NewUser {
            email: name.to_owned(),
            name: None,
            password: None,
            role: Role::User,
            enabled: true,
            device_limit: None,
        };
        let prefix = &self.settings.bulk_prefix;
        let (new, kind) = check_new_user(by, new, prefix).map_err(|error| match error {
            Error::Invalid(errors) => Error::Invalid(errors.into_iter().map(of_user).collect()),
            error => error,
        })?;
        if kind != UserKind::Bulk {
            let words = match prefix.as_str() {
                "" => "there is no such user, and without `bulk_prefix` in [enroll] of muster.toml there are no bulk users"
                    .to_owned(),
                prefix => format!("there is no such user, and the name of a bulk user begins with `{prefix}`"),
            };
            return Err(Error::invalid("/user", words));
        }
        let user = self.new_user(self.new_id(), &new, kind, None);
        let writes = self.added(by, &user);
        Ok((user, writes))
    }

    /// Writes that keep another package of the user from getting a PIN at the same moment.
    async fn reserve_pin(&self, package: &Package) -> Result<Vec<Write>, Error> {
        let user = match package.user_id {
            Some(id) => self.store.user(id).await?,
            None => None,
        };
        let Some(user) = user else { return Err(StoreError::Conflict.into()) };
        self.refuse_second_pin(&user, Some(package.id)).await?;
        Ok(vec![Write::UpdateUser(user)])
    }

    /// A PIN is found by its user alone, so only one package of a user has one.
    async fn refuse_second_pin(&self, user: &User, own: Option<Id<Package>>) -> Result<(), Error> {
        match self.store.package_with_pin(user.id, self.now()).await? {
            Some(other) if Some(other.id) != own => Err(Error::conflict(
                "pin_taken",
                format!(
                    "the package {} of {} has a PIN already; revoke it, or take another bulk user",
                    other.name, user.email
                ),
            )),
            _ => Ok(()),
        }
    }

    fn told(&self, by: &Principal, package: &Package, (action, event): (&str, &str), words: &str) -> Vec<Write> {
        let object = AuditObject { kind: "package", id: package.id.to_string(), name: package.name.clone() };
        let data = json!({
            "package_id": package.id, "name": package.name, "user": package.user_name, "version": package.version(),
            "by": by.name,
        });
        vec![self.audit(by, action, object, "ok", words), self.event(event, None, data)]
    }

    fn new_package_secret(&self) -> SecretString {
        SecretString::from(format!("{SECRET_PREFIX}{}", random_text(self.rng.as_ref()).expose_secret()))
    }

    fn new_pin(&self, pin: Option<&NewPin>) -> Option<SecretString> {
        match pin? {
            NewPin::Given(pin) => Some(pin.clone()),
            NewPin::Made => {
                let mut bytes = [0; 16];
                self.rng.fill(&mut bytes);
                let number = u128::from_be_bytes(bytes) % 10_u128.pow(MADE_PIN_DIGITS as u32);
                Some(SecretString::from(format!("{number:0MADE_PIN_DIGITS$}")))
            }
        }
    }

    async fn hash_of(&self, pin: Option<&SecretString>) -> Result<Option<Vec<u8>>, Error> {
        match pin {
            Some(pin) => Ok(Some(self.sealed_pin_hash(PinOf::Package, pin.clone()).await?)),
            None => Ok(None),
        }
    }

    fn handout(
        &self,
        package: &Package,
        contents: &Contents,
        roots: &[Vec<u8>],
        (secret, pin): (SecretString, Option<SecretString>),
        url: &str,
    ) -> Result<Handout, Error> {
        let names = (self.settings.display_name.as_str(), url.to_owned());
        let files = contents.files(package, roots, &secret, names);
        let archive = ppkg::pack(&files).map_err(|words| Error::Internal(words.into()))?;
        Ok(Handout { secret, pin, archive, command: instructions::command(&package.name) })
    }
}

/// The mistakes of a name that is to be a user's, in a request for a package.
fn of_user(error: FieldError) -> FieldError {
    FieldError { pointer: error.pointer.replace("/email", "/user"), ..error }
}

/// What stands behind the prefix before the `@`, or the prefix itself.
fn usual_name(user: &str, prefix: &str) -> String {
    let local = user.split('@').next().unwrap_or_default();
    let own = local.get(prefix.len()..).map(|own| own.trim_matches(['-', '_', '.'])).filter(|own| !own.is_empty());
    let name: String = own.unwrap_or(local).chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let name: String = name.trim_matches('-').chars().take(56).collect();
    if name.is_empty() { "Muster".to_owned() } else { format!("Muster-{name}") }
}

/// The thumbprint of the newest of the roots that are put into a package.
fn newest(roots: &[Vec<u8>]) -> Option<String> {
    roots.last().map(|root| thumbprint(root))
}

fn check_new(new: &NewPackage, name: &str, settings: &Settings) -> Result<(), Error> {
    let mut errors = new.contents.mistakes();
    let mut wrong = |pointer: &str, message: String| {
        errors.push(FieldError { pointer: pointer.to_owned(), message });
    };
    // Windows wants a name with a domain there (10.1).
    if !new.user.contains('@') {
        wrong("/user", "must look like an e-mail address: Windows takes no other name from a package".to_owned());
    } else if !settings.serves(&new.user) {
        let words = "has a domain that is not among `domains` in [enroll] of muster.toml: discovery refuses it";
        wrong("/user", words.to_owned());
    }
    if let Err(unfit) = ppkg::check_name("/name", name) {
        wrong(&unfit.pointer, unfit.message);
    }
    if new.expires_in.is_some_and(|time| time <= Duration::ZERO || time > LONGEST_LIFETIME) {
        wrong("/expires_in", format!("must be at most {} days", LONGEST_LIFETIME.whole_days()));
    }
    if new.max_devices.is_some_and(|most| !(1..=MOST_DEVICES).contains(&most)) {
        wrong("/max_devices", format!("must be 1 to {MOST_DEVICES}"));
    }
    if new.networks.len() > MOST_NETWORKS {
        wrong("/networks", format!("must be at most {MOST_NETWORKS}"));
    }
    errors.extend(new.pin.as_ref().and_then(wrong_pin));
    refuse(errors)
}

fn wrong_pin(pin: &NewPin) -> Option<FieldError> {
    let NewPin::Given(pin) = pin else { return None };
    let text = pin.expose_secret();
    let is_one_digit = text.bytes().all(|byte| Some(byte) == text.bytes().next());
    if is_pin_shaped(text) && !is_one_digit {
        return None;
    }
    let (least, most) = (PIN_DIGITS.start(), PIN_DIGITS.end());
    Some(FieldError {
        pointer: "/pin".to_owned(),
        message: format!("must have {least} to {most} digits, not all the same"),
    })
}

fn refuse(errors: Vec<FieldError>) -> Result<(), Error> {
    if errors.is_empty() { Ok(()) } else { Err(Error::Invalid(errors)) }
}

/// The answer to a repetition of the request that made the package.
fn same_request(made: Package, name: &str, new: &NewPackage) -> Result<BuiltPackage, Error> {
    let lifetime = made.expires_at - made.created_at;
    let same = made.name == name
        && made.user_name.eq_ignore_ascii_case(&new.user)
        && made.networks == new.networks
        && made.max_devices == new.max_devices.unwrap_or(USUAL_DEVICES)
        && lifetime.whole_seconds() == new.expires_in.unwrap_or(USUAL_LIFETIME).whole_seconds()
        && made.sealed_pin_hash.is_some() == new.pin.is_some();
    if same { Ok(BuiltPackage { package: made, handout: None }) } else { Err(reused()) }
}

#[cfg(test)]
#[path = "packages/tests.rs"]
mod tests;
