//! Password hashes: Argon2id with 19 MiB, two passes and one lane, stored as PHC strings.
//!
//! A hash costs some 15 ms of a core and 19 MiB, so as many run at once as there are cores and the rest waits. Whoever
//! calls limits the attempts before they get here. A look-up that found nobody costs exactly one hash as well, so that
//! the answer's time does not tell who exists.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use super::system::SystemRng;
use crate::app::ports;

/// Why a password was neither hashed nor compared.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The stored text is no Argon2 hash.
    #[error("the stored password hash cannot be read")]
    Stored,
    /// Argon2 refused, for want of memory or because the password is longer than 4 GiB.
    #[error("the password cannot be hashed")]
    Hash,
    /// The server is shutting down.
    #[error("password hashing has ended")]
    Stopped,
}

/// Hashes and compares passwords on blocking threads.
#[derive(Clone, Debug)]
pub struct Argon2Hasher {
    cores: Arc<Semaphore>,
    computed: Arc<AtomicU64>,
    rng: SystemRng,
}

impl Argon2Hasher {
    /// As many hashes at once as the machine has cores.
    #[must_use]
    pub fn new(rng: SystemRng) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { cores: Arc::new(Semaphore::new(cores)), computed: Arc::default(), rng }
    }

    /// How many hashes were computed so far, by whatever path.
    #[must_use]
    pub fn computed(&self) -> u64 {
        self.computed.load(Ordering::Relaxed)
    }

    /// Hashes a password with a new salt; the result is a PHC string.
    ///
    /// # Errors
    /// [`PasswordError::Hash`] or [`PasswordError::Stopped`].
    pub async fn hash(&self, password: SecretString) -> Result<String, PasswordError> {
        let salt = self.rng.bytes::<16>();
        self.run(move || {
            let hash: PasswordHash = Argon2::default()
                .hash_password_with_salt(password.expose_secret().as_bytes(), &salt)
                .map_err(|_| PasswordError::Hash)?;
            Ok(hash.to_string())
        })
        .await
    }

    /// Whether the password is the one that `stored` was made of; `None` (nobody by that name) is `false` and costs the
    /// same. Every call computes exactly one hash, also when it ends in an error.
    ///
    /// # Errors
    /// [`PasswordError::Stored`], [`PasswordError::Hash`] or [`PasswordError::Stopped`].
    pub async fn verify(&self, password: SecretString, stored: Option<&str>) -> Result<bool, PasswordError> {
        let stored = stored.map(str::to_owned);
        self.run(move || {
            let password = password.expose_secret().as_bytes();
            let Some(stored) = stored else { return dummy(password).map(|()| false) };
            let Ok(hash) = PasswordHash::new(&stored) else {
                dummy(password)?;
                return Err(PasswordError::Stored);
            };
            match Argon2::default().verify_password(password, &hash) {
                Ok(()) => Ok(true),
                Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
                Err(_) => Err(PasswordError::Stored),
            }
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let permit = Arc::clone(&self.cores).acquire_owned().await.map_err(|_| PasswordError::Stopped)?;
        let computed = Arc::clone(&self.computed);
        let task = tokio::task::spawn_blocking(move || {
            // The permit lives as long as the work, even if nobody waits for the answer any more.
            let _permit = permit;
            computed.fetch_add(1, Ordering::Relaxed);
            work()
        });
        task.await.map_err(|_| PasswordError::Stopped)?
    }
}

/// One hash whose result nobody sees.
fn dummy(password: &[u8]) -> Result<(), PasswordError> {
    let mut out = [0; 32];
    Argon2::default()
        .hash_password_into(password, b"no such user has this salt", &mut out)
        .map_err(|_| PasswordError::Hash)?;
    black_box(out);
    Ok(())
}

#[async_trait]
impl ports::PasswordHasher for Argon2Hasher {
    async fn hash(&self, password: SecretString) -> Result<String, ports::HashError> {
        Self::hash(self, password).await.map_err(|error| ports::HashError(error.to_string()))
    }

    async fn verify(&self, password: SecretString, stored: Option<String>) -> Result<bool, ports::HashError> {
        Self::verify(self, password, stored.as_deref()).await.map_err(|error| ports::HashError(error.to_string()))
    }

    fn computed(&self) -> u64 {
        Self::computed(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    #[tokio::test]
    async fn a_hash_knows_its_password_and_no_other() {
        let hasher = Argon2Hasher::new(SystemRng);
        let hash = hasher.hash(secret("correct horse")).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(hash, hasher.hash(secret("correct horse")).await.unwrap());
        assert!(hasher.verify(secret("correct horse"), Some(&hash)).await.unwrap());
        assert!(!hasher.verify(secret("wrong"), Some(&hash)).await.unwrap());
    }

    #[tokio::test]
    async fn every_path_computes_one_hash() {
        let hasher = Argon2Hasher::new(SystemRng);
        let hash = hasher.hash(secret("p")).await.unwrap();
        for (name, stored) in [("right", Some(hash.as_str())), ("nobody", None), ("damaged", Some("x"))] {
            let before = hasher.computed();
            let answer = hasher.verify(secret("p"), stored).await;
            assert_eq!(hasher.computed() - before, 1, "{name}");
            assert_eq!(answer.is_err(), name == "damaged", "{name}");
            assert_eq!(answer.unwrap_or_default(), name == "right", "{name}");
        }
    }
}
