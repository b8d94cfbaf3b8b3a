//! Entra tokens: proven with the signing keys of the connected tenants, which come from files.
//!
//! Each tenant has the JSON Web Key Set that Microsoft publishes for it (`discovery/v2.0/keys`), fetched by whoever runs the
//! server and read again when the file changes. Only RS256 is taken, only from the tenant whose keys signed, only for us
//! (enrollment reference 9.4).

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{AlgorithmParameters, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::app::ports::TokenVerifier;
use crate::domain::entra::{EntraClaims, TokenRejected};

/// Longest token, in bytes. A genuine one has one to four thousand.
const LONGEST_TOKEN: usize = 16 * 1024;
/// Largest key file, in bytes.
const LARGEST_FILE: u64 = 1024 * 1024;
/// Keys of one tenant.
const MOST_KEYS: usize = 64;
/// Keys that are tried for a token that names none.
const MOST_TRIED: usize = 16;
/// By how much the clocks may differ.
const SKEW: Duration = Duration::minutes(5);
/// How often a key file is looked at, at most.
const LOOK_EVERY: Duration = Duration::MINUTE;
/// Longest name of a user that is kept, in characters.
const LONGEST_NAME: usize = 256;

/// The connected tenants.
#[derive(Default)]
pub struct EntraTokens {
    tenants: Vec<Tenant>,
}

/// A tenant as it is configured.
#[derive(Clone, Debug)]
pub struct TenantSettings {
    /// Its id.
    pub tenant_id: Uuid,
    /// For whom its tokens may be made out.
    pub audience: Vec<String>,
    /// Its signing keys.
    pub keys_file: PathBuf,
}

struct Tenant {
    settings: TenantSettings,
    keys: Mutex<Keys>,
}

/// The keys as they were read last.
struct Keys {
    list: Arc<[Key]>,
    modified: Option<SystemTime>,
    looked_at: OffsetDateTime,
}

struct Key {
    id: Option<String>,
    key: DecodingKey,
}

/// Why a key file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    File(#[from] std::io::Error),
    /// It is no file of keys.
    #[error("is larger than {LARGEST_FILE} bytes")]
    TooLarge,
    /// It holds something else.
    #[error("is no JSON Web Key Set: {0}")]
    NotKeys(#[from] serde_json::Error),
    /// None of its keys can verify a token.
    #[error("holds no RSA key that can verify a signature")]
    Empty,
}

impl EntraTokens {
    /// Reads the keys of every tenant.
    ///
    /// # Errors
    /// The first file that is not taken, and why.
    pub fn open(tenants: Vec<TenantSettings>, now: OffsetDateTime) -> Result<Self, (PathBuf, KeysError)> {
        let open = |settings: TenantSettings| match Keys::read(&settings.keys_file, now) {
            Ok(keys) => Ok(Tenant { settings, keys: Mutex::new(keys) }),
            Err(error) => Err((settings.keys_file, error)),
        };
        Ok(Self { tenants: tenants.into_iter().map(open).collect::<Result<_, _>>()? })
    }
}

#[async_trait]
impl TokenVerifier for EntraTokens {
    async fn verify(&self, token: &SecretString, now: OffsetDateTime) -> Result<EntraClaims, TokenRejected> {
        let token = token.expose_secret();
        if token.len() > LONGEST_TOKEN {
            return Err(TokenRejected::TooLong);
        }
        if self.tenants.is_empty() {
            return Err(TokenRejected::NoTenant);
        }
        let header = decode_header(token).map_err(|error| match error.kind() {
            ErrorKind::Json(_) | ErrorKind::InvalidAlgorithmName => TokenRejected::Algorithm,
            _ => TokenRejected::Malformed,
        })?;
        if header.alg != Algorithm::RS256 {
            return Err(TokenRejected::Algorithm);
        }
        // Microsoft signs for many tenants with the same keys: only the issuer tells them apart.
        let mut rejected = TokenRejected::UnknownKey;
        for tenant in &self.tenants {
            match tenant.verify(token, header.kid.as_deref(), now) {
                Ok(claims) => return Ok(claims),
                Err(TokenRejected::UnknownKey) => {}
                Err(other) => rejected = other,
            }
        }
        Err(rejected)
    }
}

impl Tenant {
    fn verify(&self, token: &str, key_id: Option<&str>, now: OffsetDateTime) -> Result<EntraClaims, TokenRejected> {
        let keys = self.keys(now);
        let is_meant = |key: &&Key| key_id.is_none() || key.id.as_deref() == key_id;
        let mut rejected = TokenRejected::UnknownKey;
        for key in keys.iter().filter(is_meant).take(MOST_TRIED) {
            match self.verify_with(&key.key, token, now) {
                Err(TokenRejected::Signature) => rejected = TokenRejected::Signature,
                judged => return judged,
            }
        }
        Err(rejected)
    }

    fn verify_with(&self, key: &DecodingKey, token: &str, now: OffsetDateTime) -> Result<EntraClaims, TokenRejected> {
        let id = self.settings.tenant_id;
        let mut rules = Validation::new(Algorithm::RS256);
        rules.set_required_spec_claims(&["iss", "aud", "exp"]);
        rules.set_issuer(&[
            format!("https://sts.windows.net/{id}/"),
            format!("https://login.microsoftonline.com/{id}/v2.0"),
        ]);
        rules.set_audience(&self.settings.audience);
        // By our clock, below, not by the system's.
        rules.validate_exp = false;
        let claims = decode::<Claims>(token, key, &rules).map_err(|error| rejection(error.kind()))?.claims;
        claims.judge(id, now)
    }

    fn keys(&self, now: OffsetDateTime) -> Arc<[Key]> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if (now - keys.looked_at).abs() >= LOOK_EVERY {
            keys.look_again(&self.settings.keys_file, now);
        }
        Arc::clone(&keys.list)
    }
}

impl Keys {
    fn read(path: &Path, now: OffsetDateTime) -> Result<Self, KeysError> {
        let about = std::fs::metadata(path)?;
        if about.len() > LARGEST_FILE {
            return Err(KeysError::TooLarge);
        }
        let set: JwkSet = serde_json::from_slice(&std::fs::read(path)?)?;
        let list: Vec<Key> = set.keys.iter().filter_map(key).take(MOST_KEYS).collect();
        if list.is_empty() {
            return Err(KeysError::Empty);
        }
        Ok(Self { list: list.into(), modified: about.modified().ok(), looked_at: now })
    }

    /// Reads the file again if it changed; keys that work stay until there are others.
    fn look_again(&mut self, path: &Path, now: OffsetDateTime) {
        self.looked_at = now;
        let modified = std::fs::metadata(path).and_then(|about| about.modified()).ok();
        if modified == self.modified {
            return;
        }
        match Self::read(path, now) {
            Ok(keys) => *self = keys,
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "the keys of an Entra tenant stay as they were")
            }
        }
    }
}

fn key(jwk: &jsonwebtoken::jwk::Jwk) -> Option<Key> {
    let signs = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
    let is_rsa = matches!(jwk.algorithm, AlgorithmParameters::RSA(_));
    let key = DecodingKey::from_jwk(jwk).ok().filter(|_| signs && is_rsa)?;
    Some(Key { id: jwk.common.key_id.clone(), key })
}

/// What is read of a token.
#[derive(Deserialize)]
struct Claims {
    tid: Uuid,
    exp: serde_json::Number,
    nbf: Option<serde_json::Number>,
    deviceid: Option<Uuid>,
    oid: Option<Uuid>,
    upn: Option<String>,
    preferred_username: Option<String>,
    unique_name: Option<String>,
}

impl Claims {
    fn judge(self, tenant_id: Uuid, now: OffsetDateTime) -> Result<EntraClaims, TokenRejected> {
        if self.tid != tenant_id {
            return Err(TokenRejected::Issuer);
        }
        let at = |number: &serde_json::Number| {
            let seconds = number.as_i64().or_else(|| number.as_f64().map(|seconds| seconds as i64));
            seconds
                .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
                .ok_or(TokenRejected::Malformed)
        };
        if at(&self.exp)? + SKEW <= now {
            return Err(TokenRejected::Expired);
        }
        if self.nbf.as_ref().map(at).transpose()?.is_some_and(|begins| begins - SKEW > now) {
            return Err(TokenRejected::NotYet);
        }
        let name = self.upn.or(self.preferred_username).or(self.unique_name);
        let upn = name.map(|name| name.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect());
        // Without a name it is of the device, and the object id is its own.
        let user_id = self.oid.filter(|_| upn.is_some());
        Ok(EntraClaims { tenant_id, device_id: self.deviceid, user_id, upn })
    }
}

fn rejection(kind: &ErrorKind) -> TokenRejected {
    match kind {
        ErrorKind::InvalidSignature => TokenRejected::Signature,
        ErrorKind::InvalidIssuer => TokenRejected::Issuer,
        ErrorKind::InvalidAudience => TokenRejected::Audience,
        ErrorKind::InvalidAlgorithm => TokenRejected::Algorithm,
        _ => TokenRejected::Malformed,
    }
}

#[cfg(test)]
mod tests;
