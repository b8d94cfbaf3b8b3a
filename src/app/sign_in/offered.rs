//! What a password may be beside the user's own: the secret or the PIN of a package.

use std::net::IpAddr;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::app::ports::{StoreError, Write};
use crate::app::tokens::secret_hash;
use crate::app::{App, AuditObject, Principal, Refusal};
use crate::domain::package::{MOST_PIN_FAILURES, Package, is_pin_shaped};
use crate::domain::user::{User, UserKind};

/// What was offered as a password.
pub(super) enum Offered {
    /// The user's own, if it is right.
    Password,
    /// The secret of a package that lets in.
    Secret(Package),
    /// That of one that does not, or a PIN of one: why, in words for the administrator.
    Over(&'static str),
    /// The PIN of a package, if it is right.
    Pin(Package),
}

impl Offered {
    /// The package that it is of, once it is known to be right.
    pub(super) fn package(self) -> Option<Package> {
        match self {
            Self::Secret(package) | Self::Pin(package) => Some(package),
            Self::Password | Self::Over(_) => None,
        }
    }
}

impl App {
    /// What a password is to be compared with. Only bulk users have packages.
    pub(super) async fn offered(
        &self,
        user: Option<&User>,
        password: &SecretString,
        address: IpAddr,
    ) -> Result<Offered, StoreError> {
        let Some(user) = user.filter(|user| user.kind == UserKind::Bulk) else { return Ok(Offered::Password) };
        let hash = secret_hash(password.expose_secret());
        let of_secret = self.store.package_by_secret(user.id, &hash).await?;
        let of_secret = of_secret.filter(|package| verify_slices_are_equal(&package.secret_hash, &hash).is_ok());
        let (package, is_pin) = match of_secret {
            Some(package) => (package, false),
            None if !is_pin_shaped(password.expose_secret()) => return Ok(Offered::Password),
            None => match self.store.package_with_pin(user.id, self.now()).await? {
                Some(package) if package.has_live_pin() => (package, true),
                _ => return Ok(Offered::Password),
            },
        };
        Ok(match package.obstacle(self.now(), address) {
            Some(words) => Offered::Over(words),
            None if is_pin => Offered::Pin(package),
            None => Offered::Secret(package),
        })
    }

    /// Why what did not fit is refused. A wrong PIN is counted.
    pub(super) async fn wrong(&self, offered: Offered) -> Refusal {
        match offered {
            Offered::Password | Offered::Secret(_) => Refusal::Credentials("the password is wrong"),
            Offered::Over(words) => Refusal::Credentials(words),
            Offered::Pin(package) => match self.commit(self.wrong_pin(&package)).await {
                Ok(()) => Refusal::Credentials("the PIN of the package is wrong"),
                Err(error) => error.into(),
            },
        }
    }

    /// Counts a wrong PIN; the last one that may be tried is told.
    fn wrong_pin(&self, package: &Package) -> Vec<Write> {
        let mut writes = vec![Write::CountWrongPin { id: package.id, build: package.build }];
        if package.pin_failures + 1 == MOST_PIN_FAILURES {
            let object = AuditObject { kind: "package", id: package.id.to_string(), name: package.name.clone() };
            let words = format!("{MOST_PIN_FAILURES} wrong PINs were tried; the PIN is good for nothing any more");
            let data = json!({"package_id": package.id, "name": package.name, "user": package.user_name});
            writes.push(self.audit(&Principal::system(), "package.lock_pin", object, "ok", &words));
            writes.push(self.event("admin.package_pin_locked", None, data));
        }
        writes
    }
}
