//! Whether the rules of the installation let a device in, and how it begins (security invariant S-10).

use crate::app::ports::StoreError;
use crate::app::{App, Caller, Refusal};
use crate::domain::admission::{Admission, Broken, Claims};
use crate::domain::enrollment::{EnrollmentState, Mode};
use crate::domain::registration::RegisteredBy;
use crate::proto::wstep::RequestSecurityToken;

impl App {
    /// The state in which a device begins, unless a rule keeps it out. Its user has signed in.
    pub(super) async fn admit_device(
        &self,
        mode: Mode,
        request: &RequestSecurityToken,
        caller: &Caller,
    ) -> Result<EnrollmentState, Refusal> {
        let rules = &self.settings.rules;
        let matters = rules.only_corporate || rules.admission == Admission::Registered;
        let is_registered = matters && self.is_registered(request).await?;
        rules.check(&Claims {
            os_version: request.item("OSVersion").or_else(|| request.item("ApplicationVersion")),
            os_edition: request.item("OSEdition").and_then(|text| text.trim().parse().ok()),
            is_corporate: is_registered || mode == Mode::Bulk || mode.is_autopilot(),
            address: caller.address,
        })?;
        match rules.admission {
            Admission::Anyone => Ok(EnrollmentState::Active),
            Admission::Registered if is_registered => Ok(EnrollmentState::Active),
            Admission::Registered => Err(Broken::NotRegistered.into()),
            Admission::Approval => Ok(EnrollmentState::Pending),
        }
    }

    /// Whether one of its claims was registered.
    async fn is_registered(&self, request: &RequestSecurityToken) -> Result<bool, StoreError> {
        for kind in RegisteredBy::ALL {
            let Some(key) = request.item(kind.context_item()).and_then(|value| kind.key(value)) else { continue };
            if self.store.registered(kind, &key).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
