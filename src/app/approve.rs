//! Devices that wait for approval: let in, or sent away. Until then they get nothing (security invariant S-10).

use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::actions::{ActionRequest, check_reason};
use super::ports::{DeviceView, StoreError};
use super::{App, AuditObject, Error, MOST_TRIES, Principal};
use crate::app::ports::Write;
use crate::domain::Id;
use crate::domain::action::Action;
use crate::domain::approval::Approval;
use crate::domain::device::Device;
use crate::domain::enrollment::{Enrollment, EnrollmentState};

impl App {
    /// Lets a device in that waits. `meant` is the enrollment that was looked at; once it is let in, the same again changes
    /// nothing. Where a device enrolled again while it waited, it has to be named.
    ///
    /// # Errors
    /// [`Error::Conflict`] for a device that does not wait, has enrolled again since or has to be named,
    /// [`Error::NotFound`], or the store's.
    pub async fn approve_device(
        &self,
        by: &Principal,
        id: Id<Device>,
        mut meant: Option<Id<Enrollment>>,
    ) -> Result<DeviceView, Error> {
        let is_named = meant.is_some();
        for _ in 0..MOST_TRIES {
            let mut view = self.device_meant(id, &mut meant).await?;
            if is_named && view.enrollment.state == EnrollmentState::Active {
                return Ok(view);
            }
            check_waits(&view)?;
            view.enrollment.enter(EnrollmentState::Active, self.now());
            view.enrollment.approval = Approval::Granted;
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

    /// Sends a device away that waits, for good: it is asked to leave when it calls next, and gets nothing else. If it does
    /// not leave, it is cut off. One that is on its way out already, by a retire, can no longer be given back.
    ///
    /// # Errors
    /// As [`Self::approve_device`], and [`Error::Invalid`] for a reason that is too long.
    pub async fn refuse_device(
        &self,
        by: &Principal,
        id: Id<Device>,
        mut meant: Option<Id<Enrollment>>,
        reason: Option<String>,
    ) -> Result<DeviceView, Error> {
        let is_named = meant.is_some();
        for _ in 0..MOST_TRIES {
            let mut view = self.device_meant(id, &mut meant).await?;
            if is_named && view.enrollment.approval == Approval::Refused {
                return Ok(view);
            }
            let is_leaving = view.enrollment.state == EnrollmentState::Retiring;
            let is_undecided = view.enrollment.approval == Approval::Awaited;
            if !(is_leaving && is_undecided) {
                check_waits(&view)?;
            }
            view.enrollment.approval = Approval::Refused;
            let words = reason.clone().unwrap_or_default();
            let mut writes = if is_leaving {
                check_reason(reason.as_deref())?;
                vec![Write::UpdateEnrollment(Box::new(view.enrollment.clone()))]
            } else {
                let request = ActionRequest { action: Action::Retire, reason: reason.clone(), expires_in: None };
                self.plan_action(by, &view, &request, self.new_id()).await?.1
            };
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

    /// The device under the enrollment that is meant, which is the one it has now unless another one was named. By what a
    /// device that enrolls again is recognised is a claim: it may be another one. If it did so while it waited, nobody can
    /// tell which of the two was looked at.
    async fn device_meant(&self, id: Id<Device>, meant: &mut Option<Id<Enrollment>>) -> Result<DeviceView, Error> {
        let view = self.store.device(id).await?.ok_or(Error::NotFound("device"))?;
        if meant.is_none()
            && view.enrollment.approval == Approval::Awaited
            && let Some(replaced) = view.enrollment.replaced_unapproved
        {
            return Err(self.which_enrollment(&view.enrollment, replaced).await?);
        }
        if *meant.get_or_insert(view.enrollment.id) != view.enrollment.id {
            let words = "the device has enrolled again meanwhile; look at it anew before you decide";
            return Err(Error::conflict("enrolled_again", words));
        }
        Ok(view)
    }

    /// The conflict that names both.
    async fn which_enrollment(&self, now: &Enrollment, replaced: Id<Enrollment>) -> Result<Error, StoreError> {
        let old = self.store.enrollment(replaced).await?;
        let since = old.map(|old| format!(" of {}", written(old.enrolled_at))).unwrap_or_default();
        Ok(Error::conflict(
            "enrollment_not_named",
            format!(
                "the device enrolled again while it waited: {} of {} took the place of {replaced}{since}; look at it anew and \
                 name the enrollment that you decide about",
                now.id,
                written(now.enrolled_at)
            ),
        ))
    }
}

fn check_waits(view: &DeviceView) -> Result<(), Error> {
    match view.enrollment.state {
        EnrollmentState::Pending => Ok(()),
        state => Err(Error::conflict(
            "not_pending",
            format!("the device does not wait for approval; it is {}", state.as_str()),
        )),
    }
}

fn written(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}

fn object(view: &DeviceView) -> AuditObject<'_> {
    AuditObject { kind: "device", id: view.device.id.to_string(), name: view.device.name.clone() }
}
