//! Users: added, changed and removed by administrators, never in a way that leaves nobody to administer.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::idempotency::{derived_id, reused};
use super::ports::{Listed, Page, StoreError, Write};
use super::{App, AuditObject, Error, FieldError, MOST_TRIES, Principal};
use crate::domain::Id;
use crate::domain::package::{PIN_DIGITS, is_pin_shaped};
use crate::domain::user::{Role, Token, User, UserKind, normalize_name};

/// A user to be added.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// E-mail address or another name to sign in with.
    pub email: String,
    /// Display name.
    pub name: Option<String>,
    /// Password; `None`: the user cannot use one.
    pub password: Option<SecretString>,
    /// What the user may do.
    pub role: Role,
    /// Whether sign-in and enrollment are allowed.
    pub enabled: bool,
    /// Most devices; `None` takes the configured default.
    pub device_limit: Option<u32>,
}

/// What is to change; `None` leaves as it is.
#[derive(Clone, Debug, Default)]
pub struct UserChanges {
    /// Display name, or none any more.
    pub name: Option<Option<String>>,
    /// A new password, or none any more.
    pub password: Option<Option<SecretString>>,
    /// What the user may do.
    pub role: Option<Role>,
    /// Whether sign-in and enrollment are allowed.
    pub enabled: Option<bool>,
    /// Most devices, or the default again.
    pub device_limit: Option<Option<u32>>,
    /// Whether the user has to choose a new password first; a new password is one, unless this says otherwise.
    pub must_change_password: Option<bool>,
}

/// What the removal of a user changes.
#[derive(Clone, Debug)]
pub struct Removal {
    /// The user.
    pub user: User,
    /// Devices that stay enrolled without a user.
    pub devices: u32,
    /// Tokens that end.
    pub tokens: usize,
}

/// Characters of the shortest password of a person.
pub const SHORTEST_PASSWORD: usize = 8;

/// What can be told of a user to be added from the request alone: the request in its tidy form, and whether the name
/// makes it a person or a bulk user.
///
/// # Errors
/// [`Error::Invalid`], [`Error::Forbidden`] for a role above the maker's, or [`Error::Conflict`] `bulk_user`.
pub fn check_new_user(by: &Principal, new: NewUser, bulk_prefix: &str) -> Result<(NewUser, UserKind), Error> {
    let new = NewUser { email: new.email.trim().to_owned(), name: tidy(new.name), ..new };
    let kind = kind_of(&new.email, bulk_prefix);
    check_new(&new, kind)?;
    allow_role(by, kind, new.role)?;
    Ok((new, kind))
}

impl App {
    /// Users, newest first; `query` is a part of address or name.
    ///
    /// # Errors
    /// The store's.
    pub async fn users(&self, query: Option<&str>, page: &Page) -> Result<Listed<User>, Error> {
        Ok(self.store.users(query, page).await?)
    }

    /// A user.
    ///
    /// # Errors
    /// [`Error::NotFound`], or the store's.
    pub async fn user(&self, id: Id<User>) -> Result<User, Error> {
        self.store.user(id).await?.ok_or(Error::NotFound("user"))
    }

    /// Adds a user. The name decides whether it is a person or a bulk user.
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::Forbidden`] for a role above the maker's, or [`Error::Conflict`]: `user_exists`,
    /// `bulk_user`, `idempotency_key_reused`.
    pub async fn add_user(&self, by: &Principal, new: NewUser, key: Option<&str>) -> Result<User, Error> {
        let (new, kind) = check_new_user(by, new, &self.settings.bulk_prefix)?;
        let id = key.map_or_else(|| self.new_id(), |key| derived_id(by, "POST /users", key));
        let mut hash = None;
        for _ in 0..MOST_TRIES {
            if key.is_some()
                && let Some(made) = self.store.user(id).await?
            {
                return self.same_request(made, &new).await;
            }
            if self.store.user_by_name(&new.email).await?.is_some() {
                return Err(user_exists(&new.email));
            }
            if let (None, Some(password)) = (&hash, &new.password) {
                hash = Some(self.hasher.hash(password.clone()).await?);
            }
            let user = self.new_user(id, &new, kind, hash.clone());
            match self.commit(self.added(by, &user)).await {
                Err(StoreError::Conflict) => {}
                done => return Ok(done.map(|()| user)?),
            }
        }
        Err(StoreError::Conflict.into())
    }

    /// Changes a user. `version`: only if the user still has it.
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::NotFound`], [`Error::Forbidden`] for a role above the caller's, or
    /// [`Error::Conflict`]: `version_mismatch`, `last_admin`, `bulk_user`.
    pub async fn change_user(
        &self,
        by: &Principal,
        id: Id<User>,
        changes: UserChanges,
        version: Option<i64>,
    ) -> Result<User, Error> {
        let changes = UserChanges { name: changes.name.map(tidy), ..changes };
        let mut hash = None;
        for _ in 0..MOST_TRIES {
            let user = self.user(id).await?;
            expect_version(&user, version)?;
            check_changes(&user, &changes)?;
            allow_role(by, user.kind, changes.role.unwrap_or(user.role))?;
            if let (None, Some(Some(password))) = (&hash, &changes.password) {
                hash = Some(self.hasher.hash(password.clone()).await?);
            }
            let (changed, what) = apply(&user, &changes, hash.clone());
            if what.is_empty() {
                return Ok(user);
            }
            let mut writes = self.guard_of_last_admin(&user, Some(&changed)).await?;
            let data = json!({"user_id": user.id, "email": user.email, "changed": what, "by": by.name});
            writes.extend([
                Write::UpdateUser(changed.clone()),
                self.audit(by, "user.update", object(&user), "ok", &in_words(&changed, &what)),
                self.event("admin.user_changed", None, data),
            ]);
            match self.commit(writes).await {
                Err(StoreError::Conflict) => {}
                done => return Ok(done.map(|()| User { version: changed.version + 1, ..changed })?),
            }
        }
        Err(StoreError::Conflict.into())
    }

    /// Removes a user: sign-in, enrollments and tokens end at once; the devices stay and are marked for attention.
    /// `dry_run`: only says what would change.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`] for a user with more rights than the caller's, or [`Error::Conflict`]:
    /// `version_mismatch`, `last_admin`.
    pub async fn remove_user(
        &self,
        by: &Principal,
        id: Id<User>,
        version: Option<i64>,
        dry_run: bool,
    ) -> Result<Removal, Error> {
        for _ in 0..MOST_TRIES {
            let user = self.user(id).await?;
            expect_version(&user, version)?;
            allow_role(by, user.kind, user.role)?;
            let mut writes = self.guard_of_last_admin(&user, None).await?;
            let devices = self.store.devices_of(id).await?;
            let tokens = self.count_tokens_of(id).await?;
            let removal = Removal { user, devices, tokens };
            if dry_run {
                return Ok(removal);
            }
            writes.extend(self.removal_writes(by, &removal));
            match self.commit(writes).await {
                Err(StoreError::Conflict) => {}
                done => return Ok(done.map(|()| removal)?),
            }
        }
        Err(StoreError::Conflict.into())
    }

    fn removal_writes(&self, by: &Principal, removal: &Removal) -> [Write; 3] {
        let Removal { user, devices, .. } = removal;
        let warning = format!("{REMOVED_BEGIN}{}{REMOVED_END}", user.email);
        let detail = format!("{devices} devices stay enrolled without a user");
        let data = json!({"user_id": user.id, "email": user.email, "devices": devices, "by": by.name});
        [
            self.audit(by, "user.delete", object(user), "ok", &detail),
            self.event("admin.user_removed", None, data),
            Write::DeleteUser { user: Box::new(user.clone()), warning },
        ]
    }

    async fn count_tokens_of(&self, user: Id<User>) -> Result<usize, Error> {
        let mut page = Page { limit: 500, after: None };
        let mut count = 0;
        loop {
            let listed = self.store.tokens(&page).await?;
            let own = |token: &&Token| token.user_id == user && token.is_live(self.now());
            count += listed.items.iter().filter(own).count();
            page.after = match listed.next {
                Some(next) => Some(next),
                None => return Ok(count),
            };
        }
    }

    /// A user to be added, and that this is told.
    pub(super) fn added(&self, by: &Principal, user: &User) -> Vec<Write> {
        let data = json!({"user_id": user.id, "email": user.email, "role": user.role, "by": by.name});
        vec![
            Write::InsertUser(user.clone()),
            self.audit(by, "user.create", object(user), "ok", &format!("role {}", user.role.as_str())),
            self.event("admin.user_added", None, data),
        ]
    }

    pub(super) fn new_user(&self, id: Id<User>, new: &NewUser, kind: UserKind, password_hash: Option<String>) -> User {
        User {
            id,
            email: new.email.clone(),
            name: new.name.clone(),
            kind,
            role: new.role,
            enabled: new.enabled,
            password_hash,
            credential_version: 1,
            device_limit: new.device_limit,
            must_change_password: false,
            created_at: self.now(),
            version: 1,
        }
    }

    /// The user that an earlier request with this key added, if it was the same request.
    async fn same_request(&self, made: User, new: &NewUser) -> Result<User, Error> {
        let same_password = match (&new.password, &made.password_hash) {
            (None, None) => true,
            (Some(password), Some(hash)) => self.hasher.verify(password.clone(), Some(hash.clone())).await?,
            _ => false,
        };
        let same = made.is_named(&new.email)
            && (&made.name, made.role, made.enabled, made.device_limit)
                == (&new.name, new.role, new.enabled, new.device_limit);
        if same && same_password { Ok(made) } else { Err(reused()) }
    }

    /// What to commit along so that somebody is left to administer: another administrator, unchanged, whose version
    /// makes this fail if they are being taken away at the same moment.
    async fn guard_of_last_admin(&self, user: &User, changed: Option<&User>) -> Result<Vec<Write>, Error> {
        if !administers(user) || changed.is_some_and(administers) {
            return Ok(Vec::new());
        }
        let mut page = Page { limit: 500, after: None };
        loop {
            let listed = self.store.users(None, &page).await?;
            if let Some(other) = listed.items.into_iter().find(|other| other.id != user.id && administers(other)) {
                return Ok(vec![Write::UpdateUser(other)]);
            }
            page.after = match listed.next {
                Some(next) => Some(next),
                None => {
                    let words = format!("{} is the last administrator; give somebody else the role first", user.email);
                    return Err(Error::conflict("last_admin", words));
                }
            };
        }
    }
}

/// Characters of a name to sign in with; the longest address that mail can have (RFC 5321 section 4.5.3.1.3).
pub(crate) const LONGEST_EMAIL: usize = 254;
/// Characters of a display name.
const LONGEST_NAME: usize = 200;
/// Bytes of a password.
const LONGEST_PASSWORD: usize = 1024;
/// Most devices that a limit may name.
const HIGHEST_LIMIT: u32 = 1_000_000;

/// How the warning begins that a removed user leaves behind.
const REMOVED_BEGIN: &str = "its user ";
/// How it ends.
const REMOVED_END: &str = " was removed";

/// Whether a device is warned of because its user was removed.
pub(super) fn is_of_removed_user(warning: &str) -> bool {
    warning.starts_with(REMOVED_BEGIN) && warning.ends_with(REMOVED_END)
}

fn administers(user: &User) -> bool {
    user.enabled && user.role == Role::Admin && user.kind == UserKind::Person
}

pub(super) fn object(user: &User) -> AuditObject<'static> {
    AuditObject { kind: "user", id: user.id.to_string(), name: user.email.clone() }
}

fn user_exists(email: &str) -> Error {
    Error::conflict("user_exists", format!("there is a user {email} already"))
}

fn expect_version(user: &User, version: Option<i64>) -> Result<(), Error> {
    match version {
        Some(version) if version != user.version => {
            Err(Error::conflict("version_mismatch", "the user was changed since it was read; read it again"))
        }
        _ => Ok(()),
    }
}

/// Bulk users are told by the beginning of their name.
fn kind_of(email: &str, bulk_prefix: &str) -> UserKind {
    let prefix = normalize_name(bulk_prefix);
    let is_bulk = !prefix.is_empty() && normalize_name(email).starts_with(&prefix);
    if is_bulk { UserKind::Bulk } else { UserKind::Person }
}

/// Nobody gives more than they have, and bulk users administer nothing.
fn allow_role(by: &Principal, kind: UserKind, role: Role) -> Result<(), Error> {
    if role > by.role {
        return Err(Error::Forbidden(format!(
            "you have the role {} and cannot give {}",
            by.role.as_str(),
            role.as_str()
        )));
    }
    if kind == UserKind::Bulk && role != Role::User {
        return Err(Error::conflict("bulk_user", "bulk users enroll devices and do nothing else; their role is user"));
    }
    Ok(())
}

/// Without white space at its ends; blank is none.
fn tidy(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn check_new(new: &NewUser, kind: UserKind) -> Result<(), Error> {
    let mut errors = Vec::new();
    errors.extend(wrong_email(&new.email));
    errors.extend(new.name.as_deref().and_then(wrong_name));
    errors.extend(new.password.as_ref().and_then(|password| wrong_password(password, &new.email, kind)));
    errors.extend(new.device_limit.and_then(wrong_limit));
    refuse(errors)
}

fn check_changes(user: &User, changes: &UserChanges) -> Result<(), Error> {
    let mut errors = Vec::new();
    let password = changes.password.as_ref().and_then(Option::as_ref);
    errors.extend(changes.name.as_ref().and_then(Option::as_deref).and_then(wrong_name));
    errors.extend(password.and_then(|password| wrong_password(password, &user.email, user.kind)));
    errors.extend(changes.device_limit.flatten().and_then(wrong_limit));
    if changes.must_change_password == Some(true) && user.kind == UserKind::Bulk {
        errors.extend(wrong("/must_change_password", "nobody is there to choose one: this is a bulk user"));
    }
    refuse(errors)
}

fn refuse(errors: Vec<FieldError>) -> Result<(), Error> {
    if errors.is_empty() { Ok(()) } else { Err(Error::Invalid(errors)) }
}

fn wrong(pointer: &str, message: impl Into<String>) -> Option<FieldError> {
    Some(FieldError { pointer: pointer.to_owned(), message: message.into() })
}

fn wrong_email(email: &str) -> Option<FieldError> {
    let letters = email.chars().count();
    if letters == 0 || letters > LONGEST_EMAIL {
        return wrong("/email", format!("must have 1 to {LONGEST_EMAIL} characters"));
    }
    // The audit trail names devices `device:…` and the server `system`; no user may look like either.
    if email.chars().any(|c| c.is_control() || c.is_whitespace() || c == ':') || email.eq_ignore_ascii_case("system") {
        return wrong("/email", "must be an e-mail address or a name without spaces and colons");
    }
    let parts: Vec<&str> = email.split('@').collect();
    match parts.as_slice() {
        [_] => None,
        [local, domain] if !local.is_empty() && !domain.is_empty() => None,
        _ => wrong("/email", "must have something on both sides of one @"),
    }
}

fn wrong_name(name: &str) -> Option<FieldError> {
    if name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return wrong("/name", format!("must have at most {LONGEST_NAME} printable characters"));
    }
    None
}

pub(super) fn wrong_password(password: &SecretString, email: &str, kind: UserKind) -> Option<FieldError> {
    let password = password.expose_secret();
    let least = if kind == UserKind::Person { SHORTEST_PASSWORD } else { 1 };
    if password.chars().count() < least {
        return wrong("/password", format!("must have at least {least} characters"));
    }
    if password.len() > LONGEST_PASSWORD || password.chars().any(char::is_control) {
        return wrong("/password", format!("must have at most {LONGEST_PASSWORD} bytes, without control characters"));
    }
    if kind == UserKind::Bulk && is_pin_shaped(password) {
        let (least, most) = (PIN_DIGITS.start(), PIN_DIGITS.end());
        let words = format!("must not be {least} to {most} digits: that would be taken for the PIN of a package");
        return wrong("/password", words);
    }
    if normalize_name(password) == normalize_name(email) {
        return wrong("/password", "must not be the name to sign in with");
    }
    None
}

fn wrong_limit(limit: u32) -> Option<FieldError> {
    if limit > HIGHEST_LIMIT { wrong("/device_limit", format!("must be at most {HIGHEST_LIMIT}")) } else { None }
}

/// The user after the changes, and the names of the fields that are different.
pub(super) fn apply(user: &User, changes: &UserChanges, hash: Option<String>) -> (User, Vec<&'static str>) {
    let mut changed = user.clone();
    if let Some(name) = &changes.name {
        changed.name.clone_from(name);
    }
    if changes.password.is_some() {
        changed.password_hash = hash;
    }
    changed.role = changes.role.unwrap_or(user.role);
    changed.enabled = changes.enabled.unwrap_or(user.enabled);
    changed.device_limit = changes.device_limit.unwrap_or(user.device_limit);
    let still = user.must_change_password && changes.password.is_none();
    changed.must_change_password = changes.must_change_password.unwrap_or(still);
    let mut what = Vec::new();
    let mut note = |is_other: bool, field| {
        if is_other {
            what.push(field)
        }
    };
    note(changed.name != user.name, "name");
    note(changed.password_hash != user.password_hash, "password");
    note(changed.role != user.role, "role");
    note(changed.enabled != user.enabled, "enabled");
    note(changed.device_limit != user.device_limit, "device_limit");
    note(changed.must_change_password != user.must_change_password, "must_change_password");
    if what.iter().any(|field| matches!(*field, "password" | "role" | "enabled")) {
        changed.credential_version += 1;
    }
    (changed, what)
}

pub(super) fn in_words(user: &User, what: &[&str]) -> String {
    let words = what.iter().map(|field| match *field {
        "role" => format!("role {}", user.role.as_str()),
        "enabled" if user.enabled => "enabled".to_owned(),
        "enabled" => "disabled".to_owned(),
        "device_limit" => match user.device_limit {
            Some(limit) => format!("device limit {limit}"),
            None => "default device limit".to_owned(),
        },
        "must_change_password" if user.must_change_password => "has to choose a new password".to_owned(),
        "must_change_password" => "need not choose a new password any more".to_owned(),
        other => format!("{other} changed"),
    });
    words.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
#[path = "users/tests.rs"]
mod tests;
