//! What time does: sessions time out, commands expire, devices that fell silent are closed, history ends, events get
//! their place.

use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::duties::{Duty, Hold};
use super::objects::object_write;
use super::ports::{Expired, StoreError, Write};
use super::{App, Error, Principal};
use crate::domain::Id;
use crate::domain::action::Action;
use crate::domain::command::{CommandState, QueuedCommand};
use crate::domain::enrollment::{Enrollment, EnrollmentState};
use crate::domain::event::Event;
use crate::domain::session_record::SessionRecord;
use crate::session::{Conversation, time_out};

/// Rows that one round takes of each kind.
const ROUND: u32 = 200;
/// Portions of old rows that one round removes.
const PORTIONS_A_ROUND: u32 = 25;
/// Uploaded files that one round takes: each has hundreds of large rows.
const FILES_A_ROUND: u32 = 2;
/// Devices that are looked at of those that were asked to leave: most of them wait longer, and must not hide the others.
const WAITING: u32 = 5000;
/// A device that accepted to leave and is silent so long has left.
const LEFT_AFTER: Duration = Duration::hours(24);
/// A device that was asked to leave and is silent so long is assumed to have left.
const ASSUMED_AFTER: Duration = Duration::days(30);
/// A device that accepted a wipe and is silent so long was wiped.
const WIPED_AFTER: Duration = Duration::days(14);
/// How long the last answer of a session is kept: a session may be open for half an hour, and ten minutes count after it
/// closed.
const ANSWERS_KEPT: Duration = Duration::minutes(45);
/// How long it is kept how devices answered to a command, after the last of them.
const NODE_ANSWERS_KEPT: Duration = Duration::days(400);

/// After which a large object that is still on its way belongs to no session any more, whatever became of it.
const OBJECTS_COME: Duration = Duration::DAY;

impl App {
    /// One round of everything that time does, unless another process does it. A part that fails is logged and tried again
    /// next time.
    pub async fn sweep(&self) {
        if let Err(error) = self.csp().await {
            tracing::debug!(%error, "whether the CSP catalogue was changed is looked at later");
        }
        self.memory.throttles.tidy(self.now());
        self.memory.remembered.tidy(self.now());
        if let Err(error) = self.count_late_renewals().await {
            tracing::debug!(%error, "late renewals are counted later");
        }
        let hold = match self.hold(Duty::Upkeep).await {
            Ok(Some(hold)) => hold,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(%error, "upkeep waits for the database");
                return;
            }
        };
        if let Err(error) = self.round(&hold).await {
            tracing::warn!(%error, "the database does not answer: the round of upkeep ends here, the next one goes on");
        }
    }

    /// Ends early where every further part would have to wait for the database as well.
    async fn round(&self, hold: &Hold) -> Result<(), StoreError> {
        self.catch_up().await;
        if self.may_end_by_age() {
            tell("idle sessions", self.time_out_sessions().await)?;
            tell("overdue commands", self.expire_commands().await)?;
            tell("silent devices", self.close_silent_devices().await)?;
            tell("late renewals", self.tell_late_renewals(ROUND).await)?;
            tell("retention", self.prune(hold).await)?;
        }
        tell("commands of closed enrollments", self.end_orphans().await)
    }

    async fn time_out_sessions(&self) -> Result<(), StoreError> {
        let before = self.now() - self.settings.session_timeout;
        for session in self.store.idle_sessions(before, ROUND).await? {
            pass_over(session.id, self.time_out_session(session.id, session.enrollment_id, before).await)?;
        }
        Ok(())
    }

    /// What is read after the enrollment, whose version the batch expects, is so when it is committed.
    async fn time_out_session(
        &self,
        id: Id<SessionRecord>,
        enrollment: Id<Enrollment>,
        before: OffsetDateTime,
    ) -> Result<(), StoreError> {
        let Some(enrollment) = self.store.enrollment(enrollment).await? else { return Ok(()) };
        let (conversation, revision) = self.load_conversation(enrollment.id).await?;
        let Some(record) = self.store.session(id).await?.filter(|record| record.closed_at.is_none()) else {
            return Ok(());
        };
        match conversation.open().filter(|session| session.id == id) {
            // A message came meanwhile.
            Some(session) if session.last_at >= before => Ok(()),
            Some(_) => self.time_out_current(enrollment, conversation, revision).await,
            None => {
                // Superseded without its record having been told: only the record is behind.
                let closed = SessionRecord { closed_at: Some(self.now()), state: "superseded".to_owned(), ..record };
                let enrollment = Write::UpdateEnrollment(Box::new(enrollment));
                self.commit(vec![enrollment, Write::SaveSession(Box::new(closed))]).await
            }
        }
    }

    /// Closes the open session of an enrollment for its silence.
    pub(super) async fn time_out_current(
        &self,
        enrollment: Enrollment,
        conversation: Conversation,
        revision: Option<i64>,
    ) -> Result<(), StoreError> {
        let offered = self.store.offered_commands(enrollment.id, None).await?;
        let output = time_out(conversation, enrollment, &offered, &self.session_limits(), self.now());
        let mut writes = vec![Write::UpdateEnrollment(Box::new(output.enrollment.clone()))];
        writes.push(self.conversation_write(output.enrollment.id, &output.conversation, revision)?);
        for session in &output.sessions {
            writes.push(Write::SaveSession(Box::new(super::check_in::record(session, &output.enrollment))));
        }
        writes.extend(output.objects.into_iter().map(object_write));
        for command in output.commands {
            writes.push(self.action_event(&command));
            writes.push(Write::UpdateCommand(Box::new(command)));
        }
        self.commit(writes).await
    }

    async fn expire_commands(&self) -> Result<(), StoreError> {
        for command in self.store.overdue_commands(self.now(), ROUND).await? {
            pass_over(command.id, self.expire(command).await)?;
        }
        Ok(())
    }

    /// A queued command expires; one that the device works on is no longer waited for. One whose answer never came stays `unknown`: it may have happened.
    async fn expire(&self, command: QueuedCommand) -> Result<(), StoreError> {
        let now = self.now();
        // The command is read after the enrollment whose version the batch expects: what changed since is a conflict.
        let Some(mut enrollment) = self.store.enrollment(command.enrollment_id).await? else { return Ok(()) };
        let Some(mut command) = self.store.command(command.id).await? else { return Ok(()) };
        match command.state {
            CommandState::Queued => command.end(CommandState::Expired, "the device did not come in time", now),
            _ if command.is_followed() && now >= command.expires_at => command.stop_following(now),
            _ => return Ok(()),
        }
        let mut writes = Vec::new();
        if command.action == Action::Retire && enrollment.state == EnrollmentState::Retiring {
            if !enrollment.approval.lets_in() {
                let reason = "never approved; was to leave, but did not come in time";
                enrollment.close(EnrollmentState::Blocked, reason, now);
                writes.extend(self.closing_writes(&enrollment, reason, now).await?);
            } else {
                enrollment.enter(EnrollmentState::Active, now);
                enrollment.warning =
                    Some("was to leave, but did not come in time; consider to revoke its certificate".to_owned());
            }
            let (mut conversation, revision) = self.load_conversation(enrollment.id).await?;
            conversation.retire = None;
            writes.push(self.conversation_write(enrollment.id, &conversation, revision)?);
        }
        writes.push(Write::UpdateEnrollment(Box::new(enrollment)));
        writes.push(self.action_event(&command));
        writes.push(Write::UpdateCommand(Box::new(command)));
        self.commit(writes).await
    }

    async fn close_silent_devices(&self) -> Result<(), StoreError> {
        let now = self.now();
        for enrollment in
            self.store.enrollments_quiet_since(EnrollmentState::Retiring, now - LEFT_AFTER, WAITING).await?
        {
            pass_over(enrollment.id, self.close_retiring(enrollment, now).await)?;
        }
        for enrollment in self.store.enrollments_quiet_since(EnrollmentState::Wiping, now - WIPED_AFTER, ROUND).await? {
            let reason = "silent for two weeks after it accepted a wipe";
            pass_over(enrollment.id, self.close(enrollment, EnrollmentState::Wiped, reason, now).await)?;
        }
        Ok(())
    }

    /// After a day of silence if the device accepted to leave, after thirty if it was only asked.
    async fn close_retiring(&self, enrollment: Enrollment, now: OffsetDateTime) -> Result<(), StoreError> {
        let retire = self.load_conversation(enrollment.id).await?.0.retire;
        let retire = match retire {
            Some(id) => self.store.command(id).await?,
            None => None,
        };
        let accepted = retire.as_ref().is_some_and(|command| command.state == CommandState::Succeeded);
        let was_asked = retire.as_ref().is_some_and(|command| command.last_offer.is_some());
        let quiet_since = enrollment.last_seen_at.map_or(enrollment.state_since, |at| at.max(enrollment.state_since));
        let assumed = was_asked && now - quiet_since >= ASSUMED_AFTER;
        if accepted {
            return self
                .close(enrollment, EnrollmentState::Retired, "accepted to leave and was not seen again", now)
                .await;
        }
        if !assumed {
            return Ok(());
        }
        if let Some(mut command) = retire {
            command.end(
                CommandState::Unknown,
                "not seen for thirty days after it was asked to leave; assumed to have left",
                now,
            );
            let held = vec![
                Write::UpdateEnrollment(Box::new(enrollment.clone())),
                self.action_event(&command),
                Write::UpdateCommand(Box::new(command)),
            ];
            self.commit(held).await?;
        }
        let seen_before = enrollment.last_seen_at;
        let Some(enrollment) = self.store.enrollment(enrollment.id).await? else { return Ok(()) };
        if enrollment.state != EnrollmentState::Retiring || enrollment.last_seen_at != seen_before {
            // It came at the last moment; the next round judges it anew.
            return Ok(());
        }
        self.close(enrollment, EnrollmentState::Retired, "assumed to have left: not seen for thirty days", now).await
    }

    async fn close(
        &self,
        mut enrollment: Enrollment,
        state: EnrollmentState,
        reason: &str,
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        enrollment.close(state, reason, now);
        let mut writes = self.closing_writes(&enrollment, reason, now).await?;
        writes.push(Write::UpdateEnrollment(Box::new(enrollment)));
        self.commit(writes).await
    }

    /// What goes with an enrollment that is closed without a word of its device: its certificates are revoked, and that is
    /// told.
    pub(super) async fn closing_writes(
        &self,
        enrollment: &Enrollment,
        reason: &str,
        now: OffsetDateTime,
    ) -> Result<Vec<Write>, StoreError> {
        let mut writes = self.revocations(enrollment, reason, now).await?;
        let object = self.audit_object(enrollment).await?;
        let data = json!({"enrollment_id": enrollment.id, "reason": reason});
        let kind = format!("device.{}", enrollment.state.as_str());
        writes.push(self.event(&kind, Some(enrollment.device_id.to_string()), data));
        writes.push(self.audit(&Principal::system(), "device.close", object, "ok", reason));
        Ok(writes)
    }

    /// Commands that were left open when their enrollment was closed.
    async fn end_orphans(&self) -> Result<(), StoreError> {
        for command in self.store.orphaned_commands(ROUND).await? {
            pass_over(command.id, self.end_orphan(command).await)?;
        }
        Ok(())
    }

    async fn end_orphan(&self, command: QueuedCommand) -> Result<(), StoreError> {
        // In this order for the same reason as where a command expires.
        let Some(enrollment) = self.store.enrollment(command.enrollment_id).await? else { return Ok(()) };
        let Some(mut command) = self.store.command(command.id).await? else { return Ok(()) };
        // One that is `unknown` may have happened; nobody will ever say.
        if !matches!(command.state, CommandState::Queued | CommandState::Sent) || enrollment.state.is_open() {
            return Ok(());
        }
        let reason = enrollment.closed_reason.as_deref().unwrap_or("the device is no longer managed");
        command.end(CommandState::Cancelled, reason, self.now());
        let writes = vec![
            Write::UpdateEnrollment(Box::new(enrollment.clone())),
            self.action_event(&command),
            Write::UpdateCommand(Box::new(command)),
        ];
        self.commit(writes).await
    }

    async fn prune(&self, hold: &Hold) -> Result<(), StoreError> {
        let now = self.now();
        let keep = self.settings.retention;
        let days = [
            (Expired::Sessions, keep.transcripts_days),
            (Expired::Attempts, keep.attempts_days),
            (Expired::Events, keep.events_days),
            (Expired::Alerts, keep.events_days),
            (Expired::Uploads, keep.uploads_days),
            (Expired::Audit, keep.audit_days),
            (Expired::Commands, keep.commands_days),
        ];
        let mut writes: Vec<Write> = hold.guard().into_iter().collect();
        let expired = days.into_iter().filter(|(_, days)| *days > 0).map(|(what, days)| Write::Prune {
            what,
            before: now - Duration::days(i64::from(days)),
            limit: if what == Expired::Uploads { FILES_A_ROUND } else { ROUND },
        });
        writes.extend(expired);
        writes.push(Write::Prune { what: Expired::Answers, before: now - ANSWERS_KEPT, limit: ROUND });
        writes.push(Write::Prune { what: Expired::UnusedUploads, before: now, limit: ROUND });
        if keep.attempts_days > 0 {
            let before = now - Duration::days(i64::from(keep.attempts_days));
            writes.push(Write::Prune { what: Expired::Invitations, before, limit: ROUND });
        }
        writes.push(self.forget_quiet_uploads());
        writes.push(Write::Prune { what: Expired::NodeAnswers, before: now - NODE_ANSWERS_KEPT, limit: ROUND });
        writes.push(Write::Prune { what: Expired::Objects, before: now - OBJECTS_COME, limit: ROUND });
        self.commit(writes).await?;
        self.prune_further(hold, &days).await
    }

    /// Attempts, events and audit: of what strangers and devices add by themselves there may be more than a portion. It is
    /// removed until none is left, or the next round goes on.
    async fn prune_further(&self, hold: &Hold, days: &[(Expired, u32)]) -> Result<(), StoreError> {
        for _ in 1..PORTIONS_A_ROUND {
            let mut writes = Vec::new();
            for (what, days) in days.iter().filter(|(_, days)| *days > 0) {
                let before = self.now() - Duration::days(i64::from(*days));
                if self.store.is_due(*what, before).await? {
                    writes.push(Write::Prune { what: *what, before, limit: ROUND });
                }
            }
            if writes.is_empty() {
                return Ok(());
            }
            self.commit(hold.guard().into_iter().chain(writes).collect()).await?;
        }
        Ok(())
    }

    /// Gives committed events their place in the order in which subscribers read them.
    ///
    /// Returns those that got one; none when there was nothing to do.
    pub async fn publish_events(&self) -> Result<Vec<Event>, Error> {
        let Some(hold) = self.hold(Duty::Events).await? else { return Ok(Vec::new()) };
        let events = self.store.unnumbered_events(ROUND).await?;
        if events.is_empty() {
            return Ok(events);
        }
        let last = self.store.last_event_seq().await?;
        let numbered = events.iter().zip(last + 1..).map(|(event, seq)| (event.id, seq)).collect();
        let writes = hold.guard().into_iter().chain([Write::NumberEvents(numbered)]).collect();
        match self.store.commit(writes).await {
            Ok(()) => Ok(events),
            Err(StoreError::Conflict) => {
                self.lost(Duty::Events);
                Ok(Vec::new())
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Logs why a part failed; only a database that does not answer is left as a failure.
fn tell(what: &str, result: Result<(), StoreError>) -> Result<(), StoreError> {
    match result {
        Err(error @ (StoreError::Unavailable(_) | StoreError::InDoubt(_))) => return Err(error),
        Err(error) => tracing::warn!(what, %error, "a round of upkeep failed; it is tried again"),
        Ok(()) => {}
    }
    Ok(())
}

/// What changed meanwhile is looked at again in the next round, and a row that cannot be read does not hide those behind
/// it. A database that does not answer is not asked for one row after the other: that ends this part of the round.
fn pass_over<T>(row: Id<T>, result: Result<(), StoreError>) -> Result<(), StoreError> {
    match result {
        Err(StoreError::Conflict) => tracing::debug!(%row, "upkeep of one row is put off"),
        Err(error @ StoreError::Internal(_)) => tracing::error!(%row, %error, "upkeep passes over a row"),
        other => return other,
    }
    Ok(())
}

#[cfg(test)]
#[path = "sweep/tests.rs"]
mod tests;
