//! What a password may be beside the user's own: the secret or the PIN of a package.

use std::net::IpAddr;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::pin::typed_by;
use crate::app::ports::{StoreError, Write};
use crate::app::tokens::secret_hash;
use crate::app::{App, AuditObject, Principal, Refusal};
use crate::domain::attempt::Road;
use crate::domain::package::{Package, is_pin_shaped};
use crate::domain::sign_in::MOST_PIN_TRIES;
use crate::domain::user::{User, UserKind};

/// What the administrator reads of a wrong PIN.
const WRONG_PIN: &str = "the PIN of the package is wrong";

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
    /// The road that it is, where it is already known.
    pub(super) fn road(&self) -> Option<Road> {
        match self {
            Self::Password => None,
            Self::Secret(_) | Self::Over(_) => Some(Road::Package),
            Self::Pin(_) => Some(Road::PackagePin),
        }
    }

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
        match of_secret {
            Some(package) => Ok(match package.obstacle(self.now(), address) {
                Some(words) => Offered::Over(words),
                None => Offered::Secret(package),
            }),
            None if is_pin_shaped(password.expose_secret()) => self.offered_pin(user, address).await,
            None => Ok(Offered::Password),
        }
    }

    /// What a text is to be compared with that looks like a PIN.
    async fn offered_pin(&self, user: &User, address: IpAddr) -> Result<Offered, StoreError> {
        let package = self.store.package_with_pin(user.id, self.now()).await?.filter(Package::has_live_pin);
        let Some(package) = package else { return Ok(Offered::Password) };
        Ok(match package.obstacle(self.now(), address) {
            Some(words) => Offered::Over(words),
            None => Offered::Pin(package),
        })
    }

    /// Counts a try where a PIN was offered. What is offered is as it is stored then.
    pub(super) async fn take_package_try(
        &self,
        user: &User,
        mut offered: Offered,
        address: IpAddr,
    ) -> Result<Offered, Refusal> {
        let count = |offered: &Offered| match offered {
            Offered::Pin(package) => Some(Write::TakePackageTry(Box::new(package.clone()))),
            _ => None,
        };
        let taken = self.take_try(&mut offered, count, || self.offered_pin(user, address)).await?;
        if taken && let Offered::Pin(package) = &mut offered {
            package.pin_failures += 1;
        }
        Ok(offered)
    }

    /// Gives the try back: it was right.
    pub(super) async fn give_back_package_try(&self, offered: &Offered) -> Result<(), StoreError> {
        let Offered::Pin(package) = offered else { return Ok(()) };
        self.commit(vec![Write::GiveBackPackageTry(Box::new(package.clone()))]).await
    }

    /// Why what did not fit is refused. Each wrong PIN is written down.
    pub(super) async fn wrong(&self, user: &User, offered: Offered, address: IpAddr) -> Refusal {
        match offered {
            Offered::Password | Offered::Secret(_) => Refusal::Credentials("the password is wrong"),
            Offered::Over(words) => Refusal::Credentials(words),
            Offered::Pin(package) => match self.commit(self.wrong_package_pin(user, &package, address)).await {
                Ok(()) => Refusal::Credentials(WRONG_PIN),
                Err(error) => error.into(),
            },
        }
    }

    /// The last PIN that may be tried locks it, which is told.
    fn wrong_package_pin(&self, user: &User, package: &Package, address: IpAddr) -> Vec<Write> {
        let object = || AuditObject { kind: "package", id: package.id.to_string(), name: package.name.clone() };
        let by = typed_by(user, address);
        let mut writes = vec![self.audit_wrong_pin(&by, "package.pin", object(), package.pin_failures)];
        if !package.has_live_pin() {
            let words = format!("{MOST_PIN_TRIES} wrong PINs were tried; the PIN is good for nothing any more");
            let data = json!({
                "package_id": package.id, "name": package.name, "user": package.user_name, "address": by.address,
            });
            writes.push(self.audit(&Principal::system(), "package.lock_pin", object(), "ok", &words));
            writes.push(self.event("admin.package_pin_locked", None, data));
            tracing::warn!(package_id = %package.id, address = by.address, "the PIN of a package is locked");
        }
        writes
    }
}
