//! Whether the rules of the installation let a device in, and how it begins (security invariant S-10).

use super::Attempted;
use super::place::Place;
use crate::app::ports::{StoreError, Write};
use crate::app::{App, Refusal};
use crate::domain::Id;
use crate::domain::admission::{Admission, Broken, Claims};
use crate::domain::approval::Approval;
use crate::domain::enrollment::{Enrollment, EnrollmentState, Mode};
use crate::domain::registration::{RegisteredBy, RegisteredDevice};
use crate::proto::wstep::RequestSecurityToken;

/// How a device is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Admitted {
    /// Whether somebody has to approve it.
    pub(super) approval: Approval,
    /// Whether it comes in because one of its claims was registered; then that lets nothing else in.
    pub(super) by_registration: bool,
}

impl Admitted {
    /// In which state its enrollment begins.
    pub(super) fn state(self) -> EnrollmentState {
        if self.approval.lets_in() { EnrollmentState::Active } else { EnrollmentState::Pending }
    }
}

impl App {
    /// How a device is let in, unless a rule keeps it out. Its user has signed in.
    pub(super) async fn admit_device(&self, mode: Mode, request: &RequestSecurityToken) -> Result<Admitted, Refusal> {
        let rules = &self.settings.rules;
        let is_bulk = mode == Mode::Bulk;
        let only_registered = rules.admission == Admission::Registered;
        let by_registration = only_registered || (rules.only_corporate && !is_bulk);
        let is_registered = by_registration && !self.registrations(request).await?.is_empty();
        rules.check(&Claims {
            os_version: request.item("OSVersion").or_else(|| request.item("ApplicationVersion")),
            os_edition: request.item("OSEdition").and_then(|text| text.trim().parse().ok()),
            is_corporate: is_registered || is_bulk,
        })?;
        if only_registered && !is_registered {
            return Err(Broken::NotRegistered.into());
        }
        let approval = match rules.admission {
            Admission::Anyone | Admission::Registered => Approval::NotNeeded,
            Admission::Approval => Approval::Awaited,
        };
        Ok(Admitted { approval, by_registration })
    }

    /// Takes every registration of the device for this enrollment, so that none of them lets in another one.
    pub(super) async fn use_registrations(
        &self,
        request: &RequestSecurityToken,
        place: &Place,
        enrollment_id: Id<Enrollment>,
    ) -> Result<Vec<Write>, Attempted> {
        let mut used = Vec::new();
        for RegisteredDevice { id, enrollment_id: seen, .. } in self.registrations(request).await? {
            if let Some(holder) = seen
                && !self.makes_way(holder, place).await?
            {
                return Err(Refusal::Rule(Broken::RegistrationInUse).into());
            }
            used.push(Write::UseRegistered { id, seen, enrollment_id });
        }
        if used.is_empty() { Err(Refusal::Rule(Broken::NotRegistered).into()) } else { Ok(used) }
    }

    /// Whether what a registration let in leaves it to a newcomer: it is replaced, is over, or gets nothing but its end. A
    /// machine that was installed anew never comes to hear that it should leave.
    async fn makes_way(&self, holder: Id<Enrollment>, place: &Place) -> Result<bool, StoreError> {
        if place.replaced.iter().any(|old| old.id == holder) {
            return Ok(true);
        }
        let held = self.store.enrollment(holder).await?;
        Ok(held.is_none_or(|held| !matches!(held.state, EnrollmentState::Pending | EnrollmentState::Active)))
    }

    /// The registrations of what it claims.
    async fn registrations(&self, request: &RequestSecurityToken) -> Result<Vec<RegisteredDevice>, StoreError> {
        let mut found = Vec::new();
        for kind in RegisteredBy::ALL {
            if let Some(key) = request.item(kind.context_item()).and_then(|value| kind.key(value)) {
                found.extend(self.store.registered(kind, &key).await?);
            }
        }
        Ok(found)
    }
}
