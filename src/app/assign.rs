//! Assign to user: a device that was enrolled in bulk goes to the person who takes it over, without enrolling again.

use serde_json::json;

use super::actions::{MOST_CANCELLED, object};
use super::ports::{DeviceView, StoreError, Table, Write};
use super::users::is_of_removed_user;
use super::{App, Error, MOST_TRIES, Principal};
use crate::domain::Id;
use crate::domain::command::{CommandState, QueuedCommand};
use crate::domain::device::Device;
use crate::domain::enrollment::{Enrollment, Mode};
use crate::domain::user::{User, UserKind};

/// What an assignment changes.
#[derive(Clone, Debug)]
pub struct Assigned {
    /// The device, as it is with its new user.
    pub view: DeviceView,
    /// Whose it was.
    pub from: Option<String>,
    /// Whether the new user has to choose a new password.
    pub must_change_password: bool,
}

impl App {
    /// Assigns a device to a person, by name or id. Who has it already keeps it. A person with a password here has to choose
    /// a new one: an administrator may have given out the present one with the device. What waits for the user before is
    /// withdrawn. `dry_run`: only says what would change.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Invalid`] for the person, or [`Error::Conflict`]: `not_bulk_enrolled`, `user_disabled`,
    /// `queue_too_long`, or that the device is not managed.
    pub async fn assign_device(
        &self,
        by: &Principal,
        device: Id<Device>,
        to: &str,
        dry_run: bool,
    ) -> Result<Assigned, Error> {
        for _ in 0..MOST_TRIES {
            let view = self.store.device(device).await?.ok_or(Error::NotFound("device"))?;
            if view.enrollment.mode != Mode::Bulk {
                let words = format!("{} came by another way than a bulk user; it has a user", view.device.name);
                return Err(Error::conflict("not_bulk_enrolled", words));
            }
            let view = self.managed_device(device).await?;
            let user = self.assignee(to).await?;
            if view.enrollment.user_id == Some(user.id) && view.enrollment.assigned_at.is_some() {
                let must_change_password = user.must_change_password;
                return Ok(Assigned { from: view.user.clone(), view, must_change_password });
            }
            let assigned = self.assigned(view, &user);
            if dry_run {
                return Ok(assigned);
            }
            let withdrawn = self.withdraw_of_user(&assigned.view.enrollment).await?;
            match self.commit(self.assignment(by, &assigned, &user, withdrawn)).await {
                Err(StoreError::Conflict) => {}
                done => return Ok(done.map(|()| assigned)?),
            }
        }
        Err(StoreError::Conflict.into())
    }

    fn assigned(&self, view: DeviceView, user: &User) -> Assigned {
        let from = view.user.clone();
        let warning = view.enrollment.warning.clone().filter(|warning| !is_of_removed_user(warning));
        let enrollment =
            Enrollment { user_id: Some(user.id), assigned_at: Some(self.now()), warning, ..view.enrollment.clone() };
        let view = DeviceView { enrollment, user: Some(user.email.clone()), ..view };
        Assigned { view, from, must_change_password: user.password_hash.is_some() }
    }

    /// Ends what waits for the user whom the device had: nobody else gets it.
    async fn withdraw_of_user(&self, enrollment: &Enrollment) -> Result<Vec<QueuedCommand>, Error> {
        let mut open = self.store.open_commands(enrollment.id, MOST_CANCELLED).await?;
        if open.len() >= MOST_CANCELLED as usize {
            let words =
                format!("{MOST_CANCELLED} commands or more wait for the device; let it fetch or cancel some first");
            return Err(Error::conflict("queue_too_long", words));
        }
        open.retain(QueuedCommand::is_of_user);
        for command in &mut open {
            let words = match command.last_offer {
                None => "the device went to another user before delivery",
                Some(_) => {
                    "the device went to another user; it was sent before without an answer and may have happened"
                }
            };
            command.end(CommandState::Cancelled, words, self.now());
        }
        Ok(open)
    }

    fn assignment(
        &self,
        by: &Principal,
        assigned: &Assigned,
        user: &User,
        withdrawn: Vec<QueuedCommand>,
    ) -> Vec<Write> {
        let Assigned { view, from, must_change_password } = assigned;
        let enrollment = &view.enrollment;
        let data = json!({
            "enrollment_id": enrollment.id, "user": user.email, "previous_user": from, "by": by.name,
            "must_change_password": must_change_password,
        });
        let mut words = format!("from {} to {}", from.as_deref().unwrap_or("nobody"), user.email);
        if !withdrawn.is_empty() {
            words += &format!("; {} commands for the user before were withdrawn", withdrawn.len());
        }
        let mut writes = vec![
            // The row of the user is written in any case: a user who is removed meanwhile gets no device.
            Write::UpdateUser(User {
                must_change_password: user.must_change_password || *must_change_password,
                ..user.clone()
            }),
            Write::UpdateEnrollment(Box::new(enrollment.clone())),
            self.event("device.assigned", Some(view.device.id.to_string()), data),
            self.audit(by, "device.assign", object(view), "ok", &words),
        ];
        for command in withdrawn {
            writes.push(self.action_event(&command));
            writes.push(Write::UpdateCommand(Box::new(command)));
        }
        writes
    }

    /// The person behind a name or an id.
    async fn assignee(&self, text: &str) -> Result<User, Error> {
        let user = match self.store.user_by_name(text).await? {
            Some(user) => Some(user),
            None => match self.resolve::<User>(Table::Users, "user", text).await {
                Ok(id) => self.store.user(id).await?,
                Err(Error::NotFound(_)) => None,
                Err(error) => return Err(error),
            },
        };
        let user = user.ok_or_else(|| Error::invalid("/user", "there is no such user"))?;
        if user.kind != UserKind::Person {
            let words = format!("{} is a bulk user; devices are assigned to people", user.email);
            return Err(Error::invalid("/user", words));
        }
        if !user.enabled {
            return Err(Error::conflict("user_disabled", format!("{} is disabled", user.email)));
        }
        Ok(user)
    }
}

#[cfg(test)]
#[path = "assign/tests.rs"]
mod tests;
