//! Actions on devices: asked for, cancelled, revealed (management reference 7, 1.15, 1.18).

use secrecy::{ExposeSecret, SecretString};
use time::{Duration, OffsetDateTime};

use super::csp::Need;
use super::idempotency::{derived_id, reused};
use super::ports::{DeviceView, StoreError, Write};
use super::{App, AuditObject, Error, MOST_TRIES, Principal};
use crate::domain::Id;
use crate::domain::action::{Action, Impossible, Order};
use crate::domain::approval::Approval;
use crate::domain::command::{CommandState, QueuedCommand};
use crate::domain::device::Device;
use crate::domain::enrollment::{Enrollment, EnrollmentState};
use crate::proto::csp::remote_lock;
use crate::proto::syncml::{Command, LocUri};

/// What is asked of a device.
#[derive(Clone, Debug)]
pub struct ActionRequest {
    /// What.
    pub action: Action,
    /// Why, in the words of who asks.
    pub reason: Option<String>,
    /// For how long; the default depends on the action.
    pub expires_in: Option<Duration>,
}

/// Longest that an action may wait.
const LONGEST_WAIT: Duration = Duration::days(365);
/// Longest reason, in characters.
const LONGEST_REASON: usize = 1000;
/// Open commands that one commit cancels. Of a retire the rest is never sent to the device, and the sweep ends it.
pub(super) const MOST_CANCELLED: u32 = 1000;

impl App {
    /// Asks for an action. `key` is the Idempotency-Key of the request: the same one brings the same action.
    pub async fn request_action(
        &self,
        by: &Principal,
        device: Id<Device>,
        request: ActionRequest,
        key: Option<&str>,
        dry_run: bool,
    ) -> Result<QueuedCommand, Error> {
        let route = format!("POST /devices/{device}/actions");
        let id = key.map_or_else(|| self.new_id(), |key| derived_id(by, &route, key));
        for _ in 0..MOST_TRIES {
            if let Some(known) = self.repeated(id, device, &request.action, &request.reason).await? {
                return Ok(known);
            }
            let view = self.managed_device(device).await?;
            let (command, mut writes) = self.plan_action(by, &view, &request, id).await?;
            if dry_run {
                return Ok(command);
            }
            writes.push(self.audit(by, "action.create", object(&view), "ok", &describe(&command)));
            match self.commit(writes).await {
                Ok(()) => return Ok(command),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Conflict.into())
    }

    /// The object that an earlier request with the same Idempotency-Key made.
    pub(super) async fn repeated(
        &self,
        id: Id<QueuedCommand>,
        device: Id<Device>,
        action: &Action,
        reason: &Option<String>,
    ) -> Result<Option<QueuedCommand>, Error> {
        let Some(known) = self.store.command(id).await? else { return Ok(None) };
        if known.device_id != device || known.action != *action || known.reason != *reason {
            return Err(reused());
        }
        Ok(Some(known))
    }

    /// A device whose queue takes commands now.
    pub(super) async fn managed_device(&self, device: Id<Device>) -> Result<DeviceView, Error> {
        let view = self.store.device(device).await?.ok_or(Error::NotFound("device"))?;
        match view.enrollment.state {
            EnrollmentState::Active | EnrollmentState::Pending => Ok(view),
            EnrollmentState::Retiring => Err(Error::conflict(
                "device_retiring",
                "the device was asked to leave; it gets nothing else until it has left or refused",
            )),
            EnrollmentState::Wiping => {
                Err(Error::conflict("device_wiping", "the device accepted a wipe and gets nothing else"))
            }
            state @ (EnrollmentState::Retired | EnrollmentState::Wiped | EnrollmentState::Blocked) => {
                Err(Error::conflict(
                    "device_not_managed",
                    format!("the device is {} and no longer managed", state.as_str()),
                ))
            }
        }
    }

    /// The command, and all that is written with it.
    pub(super) async fn plan_action(
        &self,
        by: &Principal,
        view: &DeviceView,
        request: &ActionRequest,
        id: Id<QueuedCommand>,
    ) -> Result<(QueuedCommand, Vec<Write>), Error> {
        let now = self.now();
        let enrollment = &view.enrollment;
        if request.action.is_declared_configuration() && !self.settings.declared_configuration {
            return Err(Error::conflict(
                "experiment_off",
                "declared configuration is an experiment; `declared_configuration` in [experiments] of muster.toml switches it on",
            ));
        }
        request.action.check(enrollment).map_err(impossible)?;
        let expires_at = now + wait(request)?;
        let mut command = self.new_command(by, enrollment, request, id, expires_at)?;
        let mut writes = Vec::new();
        let mut changed = enrollment.clone();
        match &request.action {
            Action::Unlock => writes.extend(self.undo_lock(&mut command, now).await?),
            Action::Retire => writes.extend(self.begin_retire(&mut changed, &mut command, now).await?),
            _ => {
                let upload = self.upload_for(&request.action, id, enrollment, expires_at);
                let (url, row) = upload.unzip();
                let body = self.first_commands(view, &request.action, id, url).await?;
                refuse_without_user(enrollment, &body)?;
                command.begin_step(0, body);
                writes.extend(row);
            }
        }
        writes.push(Write::UpdateEnrollment(Box::new(changed)));
        writes.extend(self.queue_writes(&command));
        Ok((command, writes))
    }

    /// A new command in the queue; that is told, and the device is woken for it.
    pub(super) fn queue_writes(&self, command: &QueuedCommand) -> Vec<Write> {
        let mut writes = vec![self.action_event(command), Write::InsertCommand(Box::new(command.clone()))];
        let is_work = command.state == CommandState::Queued;
        writes.extend(is_work.then(|| self.wake(command.enrollment_id)).flatten());
        writes
    }

    pub(super) fn new_command(
        &self,
        by: &Principal,
        enrollment: &Enrollment,
        request: &ActionRequest,
        id: Id<QueuedCommand>,
        expires_at: OffsetDateTime,
    ) -> Result<QueuedCommand, Error> {
        check_reason(request.reason.as_deref())?;
        let owner = (enrollment.id, enrollment.device_id);
        let mut command = QueuedCommand::new(id, owner, request.action.clone(), self.now(), expires_at);
        command.created_by.clone_from(&by.name);
        command.reason.clone_from(&request.reason);
        Ok(command)
    }

    /// The first step; an action of which it is known that it does not work there is refused at once.
    async fn first_commands(
        &self,
        view: &DeviceView,
        action: &Action,
        id: Id<QueuedCommand>,
        upload_url: Option<SecretString>,
    ) -> Result<Vec<Command>, Error> {
        let order = Order::new(id, &self.settings.provider_id, &view.enrollment);
        let order = Order { upload_url: upload_url.as_ref().map(ExposeSecret::expose_secret), ..order };
        if action.nodes(&order).is_empty() {
            return Ok(action.first_step(&order));
        }
        let (known, evidence) = (self.csp().await?, self.evidence(view).await?);
        let need = Need { known: &known, evidence: &evidence, enrollment: &view.enrollment };
        need.plan(action, &order).map_err(|obstacle| {
            Error::conflict("not_supported_by_device", format!("{} does not work: {}", action.name(), obstacle.words))
        })
    }

    /// Windows has no unlock: a lock that was not delivered is dropped, and that is all.
    async fn undo_lock(&self, command: &mut QueuedCommand, now: OffsetDateTime) -> Result<Vec<Write>, Error> {
        let mut writes = Vec::new();
        for mut lock in self.store.open_commands(command.enrollment_id, MOST_CANCELLED).await? {
            let waits = matches!(lock.state, CommandState::Queued | CommandState::Unknown);
            if lock.action == Action::Lock && waits {
                let words = match lock.last_offer {
                    None => "withdrawn by an unlock before delivery",
                    Some(_) => "withdrawn by an unlock; it was sent without an answer before and may have happened",
                };
                lock.end(CommandState::Cancelled, words, now);
                writes.push(self.action_event(&lock));
                writes.push(Write::UpdateCommand(Box::new(lock)));
            }
        }
        let dropped = writes.len() / 2;
        let detail = match dropped {
            0 => "Windows has no command to unlock; the user signs in with the usual credential".to_owned(),
            count => format!("Windows has no command to unlock; {count} lock that was not confirmed yet was withdrawn"),
        };
        command.end(CommandState::Unsupported, &detail, now);
        Ok(writes)
    }

    /// From now on the device gets nothing but the clean-up and Unenroll (7.4).
    async fn begin_retire(
        &self,
        enrollment: &mut Enrollment,
        command: &mut QueuedCommand,
        now: OffsetDateTime,
    ) -> Result<Vec<Write>, Error> {
        let mut writes = Vec::new();
        for mut open in self.store.open_commands(enrollment.id, MOST_CANCELLED).await? {
            if open.state == CommandState::Queued {
                open.end(CommandState::Cancelled, "the device is to leave management", now);
                writes.push(self.action_event(&open));
                writes.push(Write::UpdateCommand(Box::new(open)));
            }
        }
        let order = Order::new(command.id, &self.settings.provider_id, enrollment);
        command.begin_step(0, Action::Retire.first_step(&order));
        enrollment.enter(EnrollmentState::Retiring, now);
        enrollment.warning = None;
        let (mut conversation, revision) = self.load_conversation(enrollment.id).await?;
        conversation.retire = Some(command.id);
        writes.push(self.conversation_write(enrollment.id, &conversation, revision)?);
        Ok(writes)
    }

    /// Withdraws a command that was not handed to the device yet.
    pub async fn cancel_command(&self, by: &Principal, id: Id<QueuedCommand>) -> Result<QueuedCommand, Error> {
        for _ in 0..MOST_TRIES {
            let (enrollment, mut command) = self.enrollment_and_command(id).await?;
            let view = self.store.device(command.device_id).await?.ok_or(Error::NotFound("device"))?;
            match command.state {
                CommandState::Cancelled => return Ok(command),
                // One that waits to be offered again, or whose answer never came: no further offer is made.
                CommandState::Queued | CommandState::Unknown => {}
                CommandState::Sent if command.is_followed() => {}
                CommandState::Sent => {
                    return Err(Error::conflict(
                        "already_sent",
                        "it was handed to the device a moment ago and its answer is awaited; it may have happened",
                    ));
                }
                state => return Err(Error::conflict("already_final", format!("it is {} already", state.as_str()))),
            }
            let words = match command.last_offer {
                None => format!("withdrawn by {}", by.name),
                Some(_) if command.followed.is_some() => {
                    format!("no longer followed, by {}; the device accepted it and it may have happened", by.name)
                }
                Some(_) => {
                    format!("withdrawn by {} after it was sent without an answer; it may have happened", by.name)
                }
            };
            command.end(CommandState::Cancelled, &words, self.now());
            let mut writes = self.after_cancel(enrollment, &command).await?;
            writes.push(self.action_event(&command));
            writes.push(self.audit(by, "action.cancel", object(&view), "ok", &describe(&command)));
            writes.push(Write::UpdateCommand(Box::new(command.clone())));
            match self.commit(writes).await {
                Ok(()) => return Ok(command),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Conflict.into())
    }

    /// A command and its enrollment, the command read last: a batch that expects that version of the enrollment was
    /// computed from a command that has not changed since.
    async fn enrollment_and_command(&self, id: Id<QueuedCommand>) -> Result<(Enrollment, QueuedCommand), Error> {
        let missing = || Error::NotFound("action or command");
        let owner = self.store.command(id).await?.ok_or_else(missing)?.enrollment_id;
        let enrollment = self.store.enrollment(owner).await?.ok_or(Error::NotFound("enrollment"))?;
        let command = self.store.command(id).await?.ok_or_else(missing)?;
        Ok((enrollment, command))
    }

    /// A retire that is withdrawn gives the device back; one about which nobody has decided waits for that again.
    async fn after_cancel(&self, mut enrollment: Enrollment, command: &QueuedCommand) -> Result<Vec<Write>, Error> {
        let mut writes = Vec::new();
        if command.action == Action::Retire && enrollment.state == EnrollmentState::Retiring {
            let state = match enrollment.approval {
                Approval::NotNeeded | Approval::Granted => EnrollmentState::Active,
                Approval::Awaited => EnrollmentState::Pending,
                Approval::Refused => {
                    let words =
                        "an administrator has refused the device; that is not taken back, but it may enroll again";
                    return Err(Error::conflict("device_refused", words));
                }
            };
            enrollment.enter(state, self.now());
            let (mut conversation, revision) = self.load_conversation(enrollment.id).await?;
            conversation.retire = None;
            writes.push(self.conversation_write(enrollment.id, &conversation, revision)?);
        }
        writes.push(Write::UpdateEnrollment(Box::new(enrollment)));
        Ok(writes)
    }

    /// The new PIN that an action brought, once; afterwards it is gone from the database.
    pub async fn reveal(&self, by: &Principal, id: Id<QueuedCommand>) -> Result<String, Error> {
        for _ in 0..MOST_TRIES {
            let (enrollment, mut command) = self.enrollment_and_command(id).await?;
            let view = self.store.device(command.device_id).await?.ok_or(Error::NotFound("device"))?;
            let node = LocUri::fixed(remote_lock::NEW_PIN_VALUE);
            let pin = command.items.iter_mut().find(|item| item.is_for(&node)).and_then(|item| item.data.take());
            let Some(pin) = pin.filter(|pin| !pin.is_empty()) else {
                return Err(if command.revealed {
                    Error::conflict("already_revealed", "it was shown before and is no longer kept")
                } else {
                    Error::conflict("nothing_to_reveal", "this action brought no new PIN")
                });
            };
            command.revealed = true;
            let writes = vec![
                Write::UpdateEnrollment(Box::new(enrollment)),
                Write::UpdateCommand(Box::new(command)),
                self.audit(by, "action.reveal", object(&view), "ok", "a new PIN was shown"),
            ];
            match self.commit(writes).await {
                Ok(()) => return Ok(pin),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Conflict.into())
    }
}

pub(super) fn check_reason(reason: Option<&str>) -> Result<(), Error> {
    if reason.is_some_and(|reason| reason.chars().count() > LONGEST_REASON) {
        return Err(Error::invalid("/reason", format!("has more than {LONGEST_REASON} characters")));
    }
    Ok(())
}

/// A device that came in bulk and was assigned to nobody has no user for whom anything could be set: it gets what is of the
/// device alone.
pub(super) fn refuse_without_user(enrollment: &Enrollment, commands: &[Command]) -> Result<(), Error> {
    let of_user = enrollment.awaits_user().then(|| commands.iter().find_map(of_user)).flatten();
    of_user.map_or(Ok(()), |uri| {
        Err(Error::conflict(
            "no_user",
            format!("{uri} is a user's, and the device was enrolled in bulk and has none yet; assign it to one first"),
        ))
    })
}

/// The first node in the tree of a user.
fn of_user(command: &Command) -> Option<&LocUri> {
    let own = command.items.iter().filter_map(|item| item.target.as_ref()).find(|uri| uri.is_user_scope());
    own.or_else(|| command.children.iter().find_map(of_user))
}

fn wait(request: &ActionRequest) -> Result<Duration, Error> {
    let wait = request.expires_in.unwrap_or_else(|| request.action.default_expiry());
    if wait <= Duration::ZERO || wait > LONGEST_WAIT {
        return Err(Error::invalid("/expires_in", "is a positive duration of at most 365 days"));
    }
    Ok(wait)
}

fn impossible(error: Impossible) -> Error {
    let code = match &error {
        Impossible::Name(error) => return Error::invalid("/name", error.to_string()),
        Impossible::NotAutopilot(_) => "not_autopilot",
        Impossible::Parameter(unfit) => return Error::invalid(&unfit.pointer, unfit.message.as_str()),
        Impossible::NotOnHoloLens | Impossible::AppsOfUserOnly => "not_supported_by_device",
    };
    Error::conflict(code, error.to_string())
}

pub(super) fn object(view: &DeviceView) -> AuditObject<'static> {
    AuditObject { kind: "device", id: view.device.id.to_string(), name: view.device.name.clone() }
}

pub(super) fn describe(command: &QueuedCommand) -> String {
    let reason = command.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{} {}{reason}", command.action.name(), command.id)
}
