//! Devices that wait for approval: let in, or sent away. Until then they get nothing (security invariant S-10).

use serde_json::json;

use super::actions::ActionRequest;
use super::ports::{DeviceView, StoreError};
use super::{App, AuditObject, Error, MOST_TRIES, Principal};
use crate::app::ports::Write;
use crate::domain::Id;
use crate::domain::action::Action;
use crate::domain::device::Device;
use crate::domain::enrollment::EnrollmentState;

impl App {
    /// Lets a device in that waits.
    ///
    /// # Errors
    /// [`Error::Conflict`] for a device that does not wait, [`Error::NotFound`], or the store's.
    pub async fn approve_device(&self, by: &Principal, id: Id<Device>) -> Result<DeviceView, Error> {
        for _ in 0..MOST_TRIES {
            let mut view = self.waiting_device(id).await?;
            view.enrollment.enter(EnrollmentState::Active, self.now());
            let data = json!({"enrollment_id": view.enrollment.id, "user": view.user, "by": by.name});
            let mut writes = vec![
                Write::UpdateEnrollment(Box::new(view.enrollment.clone())),
                self.event("device.approved", Some(id.to_string()), data),
                self.audit(by, "device.approve", object(&view), "ok", ""),
            ];
            writes.extend(self.wake(view.enrollment.id));
            match self.commit(writes).await {
                Ok(()) => return Ok(view),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Conflict.into())
    }

    /// Sends a device away that waits: it is asked to leave when it calls next, and gets nothing else.
    ///
    /// # Errors
    /// As [`Self::approve_device`], and [`Error::Invalid`] for a reason that is too long.
    pub async fn refuse_device(
        &self,
        by: &Principal,
        id: Id<Device>,
        reason: Option<String>,
    ) -> Result<DeviceView, Error> {
        for _ in 0..MOST_TRIES {
            let view = self.waiting_device(id).await?;
            let words = reason.clone().unwrap_or_default();
            let request = ActionRequest { action: Action::Retire, reason: reason.clone(), expires_in: None };
            let (_, mut writes) = self.plan_action(by, &view, &request, self.new_id()).await?;
            let data = json!({"enrollment_id": view.enrollment.id, "user": view.user, "by": by.name, "reason": reason});
            writes.push(self.event("device.refused", Some(id.to_string()), data));
            writes.push(self.audit(by, "device.refuse", object(&view), "ok", &words));
            match self.commit(writes).await {
                Ok(()) => return self.store.device(id).await?.ok_or(Error::NotFound("device")),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Conflict.into())
    }

    async fn waiting_device(&self, id: Id<Device>) -> Result<DeviceView, Error> {
        let view = self.store.device(id).await?.ok_or(Error::NotFound("device"))?;
        match view.enrollment.state {
            EnrollmentState::Pending => Ok(view),
            state => Err(Error::conflict(
                "not_pending",
                format!("the device does not wait for approval; it is {}", state.as_str()),
            )),
        }
    }
}

fn object(view: &DeviceView) -> AuditObject<'_> {
    AuditObject { kind: "device", id: view.device.id.to_string(), name: view.device.name.clone() }
}
