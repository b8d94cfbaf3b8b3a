//! Where a newcomer goes: which hardware it is, what it replaces, and whether its user may have one more device
//! (enrollment reference 4.3).

use super::{Arrival, Attempted};
use crate::app::ports::{DeviceView, StoreError, Write};
use crate::app::sign_in::SignedIn;
use crate::app::{App, Refusal};
use crate::domain::Id;
use crate::domain::admission::Broken;
use crate::domain::approval::Approval;
use crate::domain::device::{Device, is_usable_hw_dev_id, is_usable_identifier};
use crate::domain::enrollment::{Enrollment, EnrollmentState, normalize_identifier};
use crate::domain::package::Package;
use crate::domain::user::{User, UserKind};
use crate::proto::wstep::RequestSecurityToken;

/// The place of a newcomer.
#[derive(Default)]
pub(super) struct Place {
    /// The hardware record that goes on; `None`: it gets a fresh one.
    pub(super) device: Option<Device>,
    /// Open enrollments of the same hardware by the same user, which end.
    pub(super) replaced: Vec<Enrollment>,
    /// The last enrollment of the hardware record that goes on, where that is over.
    former: Option<Enrollment>,
    /// The packages with which the hardware came before: it counts among their devices already.
    packages: Vec<Id<Package>>,
    /// A device record of the same hardware by another user.
    pub(super) linked: Option<Id<Device>>,
    /// What must still hold when the newcomer is committed.
    pub(super) guards: Vec<Write>,
}

impl Place {
    /// What the same hardware was for the same user before, newest first.
    pub(super) fn predecessors(&self) -> impl Iterator<Item = &Enrollment> {
        self.replaced.iter().chain(&self.former)
    }

    /// The one among them that waited for approval to the end.
    pub(super) fn replaced_unapproved(&self) -> Option<Id<Enrollment>> {
        self.predecessors().find(|old| old.approval == Approval::Awaited).map(|old| old.id)
    }
}

impl App {
    /// Finds the place of a request, or why there is none.
    pub(super) async fn place(
        &self,
        SignedIn { user, package, .. }: &SignedIn,
        Arrival { id, request, key_sha256, admitted }: &Arrival<'_>,
    ) -> Result<Place, Attempted> {
        if self.store.key_owner(key_sha256).await?.is_some() {
            let words = "the key of the certificate request is in use by another enrollment";
            return Err(Refusal::CertificateRequest(words.to_owned()).into());
        }
        // Read before anything else is looked at: what else the user enrolls meanwhile, here or by way of another node,
        // makes the guard miss.
        let enrollments = self.store.enrollments_of(user.id).await?;
        let mut place = self.same_machine(user, request).await?;
        place.guards.push(Write::GuardUser { id: user.id, credential_version: user.credential_version });
        if place.replaced.is_empty() {
            self.check_limit(user).await?;
            place.guards.extend(self.check_limit_for_all().await?);
            place.guards.push(Write::CountEnrollment { user_id: user.id, enrollments });
        }
        if admitted.by_registration {
            let used = self.use_registrations(request, &place, *id).await?;
            place.guards.extend(used);
        }
        if let Some(package) = package {
            place.guards.push(self.use_package(package, &place)?);
        }
        Ok(place)
    }

    /// Takes a place of the package, unless the hardware has one already.
    fn use_package(&self, package: &Package, place: &Place) -> Result<Write, Attempted> {
        let counts = !place.packages.contains(&package.id);
        if counts && package.devices >= package.max_devices {
            return Err(Refusal::PackageUsedUp(package.max_devices).into());
        }
        Ok(Write::UsePackage { package: Box::new(package.clone()), counts, at: self.now() })
    }

    /// Whether the same machine was here before: by `HWDevID` if that is usable, else by `DeviceID`.
    async fn same_machine(&self, user: &User, request: &RequestSecurityToken) -> Result<Place, StoreError> {
        let hardware = request.item("HWDevID").filter(|id| is_usable_hw_dev_id(id) && self.settings.match_hardware);
        let claim = hardware.or_else(|| request.item("DeviceID").filter(|id| is_usable_identifier(id)));
        let mut place = Place::default();
        let Some(claim) = claim.map(normalize_identifier) else { return Ok(place) };
        for enrollment in self.store.enrollments_claiming(&claim).await? {
            let own = if hardware.is_some() { &enrollment.hw_dev_id } else { &enrollment.claimed_device_id };
            if !is_same(own.as_deref(), &claim) {
                continue;
            }
            if enrollment.user_id == Some(user.id) {
                if place.device.is_none() {
                    place.device = self.store.device(enrollment.device_id).await?.map(|view| view.device);
                }
                place.packages.extend(enrollment.package_id);
                place.replaced.push(enrollment);
            } else {
                place.linked = place.linked.or(Some(enrollment.device_id));
            }
        }
        if hardware.is_some() {
            let mut former = self.store.former_enrollments(user.id, &claim).await?;
            former.retain(|former| is_same(former.hw_dev_id.as_deref(), &claim));
            place.packages.extend(former.iter().filter_map(|former| former.package_id));
            if place.replaced.is_empty() {
                let former = self.former_device(former.first()).await?;
                (place.device, place.former) = former.map(|view| (view.device, view.enrollment)).unzip();
            }
        }
        Ok(place)
    }

    /// The record of the hardware that this user had under management last, if that was brought to its end: its history
    /// goes on.
    async fn former_device(&self, last: Option<&Enrollment>) -> Result<Option<DeviceView>, StoreError> {
        let is_over = |former: &Enrollment| matches!(former.state, EnrollmentState::Retired | EnrollmentState::Wiped);
        let Some(last) = last.filter(|last| is_over(last)) else { return Ok(None) };
        let view = self.store.device(last.device_id).await?;
        Ok(view.filter(|view| is_over(&view.enrollment)))
    }

    /// Whether the user may have one more device. Those that were assigned do not count: the limit is on what people enroll.
    async fn check_limit(&self, user: &User) -> Result<(), Attempted> {
        let default = match user.kind {
            UserKind::Person => self.settings.max_devices_per_user,
            // Nobody's own devices: they are handed on to people.
            UserKind::Bulk => 0,
        };
        let limit = user.device_limit.unwrap_or(default);
        if limit > 0 && self.store.own_devices_of(user.id).await? >= limit {
            return Err(Refusal::DeviceLimit(limit).into());
        }
        Ok(())
    }

    /// Whether there may be one more device at all, and what has to be so still when it is let in.
    async fn check_limit_for_all(&self) -> Result<Option<Write>, Attempted> {
        let most = self.settings.rules.max_devices;
        if most == 0 {
            return Ok(None);
        }
        let seen = self.store.admissions().await?;
        if self.store.open_devices().await? >= most {
            return Err(Refusal::Rule(Broken::Full(most)).into());
        }
        Ok(Some(Write::CountAdmission { seen }))
    }
}

fn is_same(own: Option<&str>, claim: &str) -> bool {
    own.is_some_and(|own| normalize_identifier(own) == claim)
}
