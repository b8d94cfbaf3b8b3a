//! Bearer tokens: made for a user, shown once, kept as SHA-256; and the authentication of whoever brings one.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};

use super::idempotency::{derived_id, reused};
use super::ports::{Listed, Page, Rng, StoreError, Write};
use super::throttle::{Allowance, Tries, network};
use super::{App, AuditObject, Error, MOST_TRIES, Principal};
use crate::domain::Id;
use crate::domain::user::{Role, Token, User, UserKind};

/// What every token begins with, so that one that leaked is recognised.
pub const TOKEN_PREFIX: &str = "mst_";

/// A token to be made.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// What it is for.
    pub name: String,
    /// What it may do: at most what its maker and its user may.
    pub role: Role,
    /// For whom; `None`: for whoever asks.
    pub user: Option<Id<User>>,
    /// How long it works; `None`: until it is revoked.
    pub expires_in: Option<Duration>,
}

/// A token with its user's address.
#[derive(Clone, Debug)]
pub struct TokenView {
    /// The token.
    pub token: Token,
    /// Whose authority it carries; `None` where the user has just been removed.
    pub user: Option<String>,
}

/// A token that was just made.
#[derive(Debug)]
pub struct IssuedToken {
    /// The token.
    pub view: TokenView,
    /// Its secret, this once; `None` where an earlier request with the same `Idempotency-Key` made the token.
    pub secret: Option<SecretString>,
}

/// What a process remembers of bearers; losing it costs time, nothing else.
pub struct Bearers {
    /// Hashes that were good when last seen: their owners are not made to wait for the failures of a neighbour.
    proven: Mutex<HashSet<[u8; 32]>>,
    /// Networks whose failures were written down a short while ago.
    noted: Tries<IpAddr>,
    /// The same for all networks together.
    noted_of_all: Tries<()>,
}

impl Default for Bearers {
    fn default() -> Self {
        Self { proven: Mutex::default(), noted: Tries::new(NOTED), noted_of_all: Tries::new(NOTED_OF_ALL) }
    }
}

/// Failures of one network that are written down: one a minute, so that a guesser cannot fill the audit trail.
const NOTED: Allowance = Allowance { burst: 1, per_hour: 60 };
/// Failures that are written down whoever they come from: addresses are cheap.
const NOTED_OF_ALL: Allowance = Allowance { burst: 100, per_hour: 1000 };

/// A new secret of 256 random bits, as a token.
#[must_use]
pub fn new_secret(rng: &dyn Rng) -> SecretString {
    SecretString::from(format!("{TOKEN_PREFIX}{}", random_text(rng).expose_secret()))
}

/// 256 random bits as text that may stand in a URL.
pub(super) fn random_text(rng: &dyn Rng) -> SecretString {
    let mut bytes = zeroize::Zeroizing::new([0; 32]);
    rng.fill(bytes.as_mut());
    SecretString::from(BASE64_URL_SAFE_NO_PAD.encode(bytes.as_ref()))
}

/// What is kept of a secret.
#[must_use]
pub fn secret_hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

impl App {
    /// Whose token that is. An address with too many failures waits before the database is asked, unless the token was
    /// good before.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] whatever is wrong with the token or its user, [`Error::TooMany`], or the store's.
    pub async fn authenticate(&self, bearer: &str, address: IpAddr) -> Result<Principal, Error> {
        let (now, hash, bearers) = (self.now(), secret_hash(bearer), &self.memory.bearers);
        let tries = &self.memory.throttles.bearer;
        if let Some(wait) = tries.wait(&network(address), now).filter(|_| !bearers.is_proven(&hash)) {
            return Err(Error::TooMany { retry_after: wait.whole_seconds().unsigned_abs() + 1 });
        }
        let found = if has_shape(bearer) { self.store.token(&hash).await? } else { None };
        match found {
            Some((token, user)) if is_good(&token, &user, &hash, now) => {
                bearers.remember(hash);
                Ok(Principal {
                    name: user.email,
                    user_id: Some(user.id),
                    role: token.role.min(user.role),
                    address: address.to_canonical().to_string(),
                })
            }
            found => {
                bearers.forget(&hash);
                tries.take(&network(address), now);
                self.note_failure(found.map(|(token, _)| token), address).await;
                Err(Error::Unauthenticated)
            }
        }
    }

    /// Writes down that a wrong token was brought, at most once a minute for each network.
    async fn note_failure(&self, token: Option<Token>, address: IpAddr) {
        let address = address.to_canonical();
        let (noted, now) = (&self.memory.bearers, self.now());
        if !noted.noted.take(&network(address), now) || !noted.noted_of_all.take(&(), now) {
            return;
        }
        let words = match &token {
            Some(_) => "a token that is revoked, has expired, or belongs to a disabled user",
            None => "an unknown token",
        };
        tracing::warn!(%address, cause = words, "bearer token refused");
        let by = Principal {
            name: "bearer:unidentified".to_owned(),
            user_id: None,
            role: Role::User,
            address: address.to_string(),
        };
        let (id, name) = token.map(|token| (token.id.to_string(), token.name)).unwrap_or_default();
        let row = self.audit(&by, "token.authenticate", AuditObject { kind: "token", id, name }, "refused", words);
        if let Err(error) = self.commit(vec![row]).await {
            tracing::error!(%error, "a refused bearer token could not be audited");
        }
    }

    /// Makes a token. The secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::Forbidden`] for more rights than the maker's or the user's, [`Error::NotFound`] for the
    /// user, [`Error::Conflict`] for a bulk user or a reused key.
    pub async fn add_token(&self, by: &Principal, new: NewToken, key: Option<&str>) -> Result<IssuedToken, Error> {
        let name = check_new(&new)?;
        if new.role > by.role {
            return Err(Error::Forbidden(format!(
                "a token cannot have more rights than its maker ({})",
                by.role.as_str()
            )));
        }
        let id = key.map_or_else(|| self.new_id(), |key| derived_id(by, "POST /tokens", key));
        for _ in 0..MOST_TRIES {
            let user = self.token_owner(by, &new).await?;
            if key.is_some()
                && let Some(made) = self.find_token(id).await?
            {
                let view = TokenView { token: made, user: Some(user.email.clone()) };
                return same_request(view, &name, &new, &user);
            }
            let secret = new_secret(self.rng.as_ref());
            let token = Token {
                id,
                name: name.clone(),
                secret_hash: secret_hash(secret.expose_secret()),
                role: new.role,
                user_id: user.id,
                created_at: self.now(),
                expires_at: new.expires_in.map(|time| self.now() + time),
                revoked_at: None,
            };
            let writes = self.token_writes(by, Write::InsertToken(token.clone()), ADDED, &token, &user.email);
            match self.commit(writes).await {
                Err(StoreError::Conflict) => {}
                done => {
                    done?;
                    return Ok(IssuedToken { view: TokenView { token, user: Some(user.email) }, secret: Some(secret) });
                }
            }
        }
        Err(StoreError::Conflict.into())
    }

    /// Tokens, newest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn tokens(&self, page: &Page) -> Result<Listed<TokenView>, Error> {
        let listed = self.store.tokens(page).await?;
        let mut items = Vec::with_capacity(listed.items.len());
        for token in listed.items {
            let user = self.store.user(token.user_id).await?.map(|user| user.email);
            items.push(TokenView { token, user });
        }
        Ok(Listed { items, next: listed.next })
    }

    /// Withdraws a token; one that is withdrawn already stays as it is.
    ///
    /// # Errors
    /// [`Error::NotFound`], or the store's.
    pub async fn revoke_token(&self, by: &Principal, id: Id<Token>) -> Result<(), Error> {
        for _ in 0..MOST_TRIES {
            let token = self.find_token(id).await?.ok_or(Error::NotFound("token"))?;
            if token.revoked_at.is_some() {
                return Ok(());
            }
            let owner = self.store.user(token.user_id).await?.map(|user| user.email).unwrap_or_default();
            let change = Write::RevokeToken { id, at: self.now() };
            match self.commit(self.token_writes(by, change, REVOKED, &token, &owner)).await {
                Err(StoreError::Conflict) => {}
                done => return Ok(done?),
            }
        }
        Err(StoreError::Conflict.into())
    }

    fn token_writes(&self, by: &Principal, change: Write, news: News, token: &Token, owner: &str) -> Vec<Write> {
        let object = AuditObject { kind: "token", id: token.id.to_string(), name: token.name.clone() };
        let detail = format!("for {owner}, role {}", token.role.as_str());
        let data = json!({"token_id": token.id, "name": token.name, "user": owner, "by": by.name});
        vec![change, self.audit(by, news.action, object, "ok", &detail), self.event(news.event, None, data)]
    }

    async fn token_owner(&self, by: &Principal, new: &NewToken) -> Result<User, Error> {
        let id = new.user.or(by.user_id).ok_or_else(|| Error::invalid("/user_id", "say for whom the token is"))?;
        let user = self.store.user(id).await?.ok_or(Error::NotFound("user"))?;
        if user.kind == UserKind::Bulk {
            return Err(Error::conflict(
                "bulk_user",
                "bulk users enroll devices and do nothing else; they have no tokens",
            ));
        }
        if !user.enabled {
            return Err(Error::conflict(
                "user_disabled",
                format!("{} is disabled, so a token would not work", user.email),
            ));
        }
        if new.role > user.role {
            let words = format!("{} has the role {}; a token cannot have more", user.email, user.role.as_str());
            return Err(Error::Forbidden(words));
        }
        Ok(user)
    }

    async fn find_token(&self, id: Id<Token>) -> Result<Option<Token>, Error> {
        let mut page = Page { limit: 500, after: None };
        loop {
            let listed = self.store.tokens(&page).await?;
            if let Some(token) = listed.items.into_iter().find(|token| token.id == id) {
                return Ok(Some(token));
            }
            page.after = match listed.next {
                Some(next) => Some(next),
                None => return Ok(None),
            };
        }
    }
}

impl Bearers {
    fn is_proven(&self, hash: &[u8; 32]) -> bool {
        self.proven.lock().unwrap_or_else(PoisonError::into_inner).contains(hash)
    }

    fn remember(&self, hash: [u8; 32]) {
        let mut proven = self.proven.lock().unwrap_or_else(PoisonError::into_inner);
        if proven.len() >= MOST_PROVEN {
            proven.clear();
        }
        proven.insert(hash);
    }

    fn forget(&self, hash: &[u8; 32]) {
        self.proven.lock().unwrap_or_else(PoisonError::into_inner).remove(hash);
    }
}

/// How a change is called in the audit trail and among the events.
#[derive(Clone, Copy)]
struct News {
    action: &'static str,
    event: &'static str,
}

const ADDED: News = News { action: "token.create", event: "admin.token_added" };
const REVOKED: News = News { action: "token.revoke", event: "admin.token_revoked" };

/// Good tokens remembered at once.
const MOST_PROVEN: usize = 4096;
/// Characters of a token's name.
const LONGEST_NAME: usize = 100;

/// Whether the text could be one of our tokens at all.
fn has_shape(bearer: &str) -> bool {
    let digits = bearer.strip_prefix(TOKEN_PREFIX).unwrap_or_default();
    digits.len() == 43 && digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn is_good(token: &Token, user: &User, hash: &[u8; 32], now: OffsetDateTime) -> bool {
    let is_same = verify_slices_are_equal(&token.secret_hash, hash).is_ok();
    is_same && token.is_live(now) && token.user_id == user.id && user.enabled && user.kind == UserKind::Person
}

fn check_new(new: &NewToken) -> Result<String, Error> {
    let name = new.name.trim();
    if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(Error::invalid(
            "/name",
            format!("a token needs a name of 1 to {LONGEST_NAME} printable characters"),
        ));
    }
    Ok(name.to_owned())
}

/// The answer to a repetition of the request that made the token.
fn same_request(view: TokenView, name: &str, new: &NewToken, user: &User) -> Result<IssuedToken, Error> {
    let made = &view.token;
    let lifetime = made.expires_at.map(|end| (end - made.created_at).whole_seconds());
    let same_lifetime = lifetime == new.expires_in.map(Duration::whole_seconds);
    if made.name == name && made.role == new.role && made.user_id == user.id && same_lifetime {
        Ok(IssuedToken { view, secret: None })
    } else {
        Err(reused())
    }
}

#[cfg(test)]
#[path = "tokens/tests.rs"]
mod tests;
