//! Whether the rules of the installation let a device in, and how it begins (security invariant S-10).

use super::Attempted;
use super::place::Place;
use crate::app::ports::{StoreError, Write};
use crate::app::{App, Refusal};
use crate::domain::Id;
use crate::domain::admission::{Admission, Broken, Claims};
use crate::domain::enrollment::{Enrollment, EnrollmentState, Mode};
use crate::domain::registration::{RegisteredBy, RegisteredDevice};
use crate::proto::wstep::RequestSecurityToken;

/// How a device is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Admitted {
    /// In which its enrollment begins.
    pub(super) state: EnrollmentState,
    /// Whether it comes in because one of its claims was registered; then that lets nothing else in.
    pub(super) by_registration: bool,
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
        let state = match rules.admission {
            Admission::Anyone | Admission::Registered => EnrollmentState::Active,
            Admission::Approval => EnrollmentState::Pending,
        };
        Ok(Admitted { state, by_registration })
    }

    /// Takes a registration of the device for this enrollment: one that let in nothing that is still managed, but for what
    /// the newcomer replaces.
    pub(super) async fn use_registration(
        &self,
        request: &RequestSecurityToken,
        place: &Place,
        enrollment_id: Id<Enrollment>,
    ) -> Result<Write, Attempted> {
        let mut why_not = Broken::NotRegistered;
        for RegisteredDevice { id, enrollment_id: seen, .. } in self.registrations(request).await? {
            let is_free = match seen {
                None => true,
                Some(holder) if place.replaced.iter().any(|old| old.id == holder) => true,
                Some(holder) => self.store.enrollment(holder).await?.is_none_or(|held| !held.state.is_open()),
            };
            if is_free {
                return Ok(Write::UseRegistered { id, seen, enrollment_id });
            }
            why_not = Broken::RegistrationInUse;
        }
        Err(Refusal::Rule(why_not).into())
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
