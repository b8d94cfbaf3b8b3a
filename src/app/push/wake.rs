//! Waking devices: work that is queued makes its device due, and one process pushes to those that are due (management
//! reference 6.2). A push that went out without effect costs nothing but time: devices call by themselves as well.

use time::OffsetDateTime;
use tokio::task::JoinSet;

use super::token::{self, Token, TokenProblem};
use crate::app::duties::{Duty, Hold};
use crate::app::ports::{DuePush, HttpError, HttpPost, StoreError, Write};
use crate::app::{App, PushSettings};
use crate::domain::Id;
use crate::domain::enrollment::Enrollment;
use crate::domain::push::{Channel, ChannelFate, Outcome, Push, Sent, Verdict, judge, unanswered};
use crate::proto::wns::{self, Receipt};

/// Devices that one round looks at.
const ROUND: u32 = 64;
/// Pushes on their way at once.
const AT_ONCE: usize = 16;

/// What a round of pushes brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// How the pushes went, in no order.
    pub outcomes: Vec<Outcome>,
    /// Whether more may be due already.
    pub is_full: bool,
}

/// Why there is no answer of WNS.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Token(#[from] TokenProblem),
    #[error(transparent)]
    Http(#[from] HttpError),
}

impl App {
    /// What is committed with new work for a device, so that it is woken.
    pub(in crate::app) fn wake(&self, enrollment_id: Id<Enrollment>) -> Option<Write> {
        self.settings.push.is_some().then(|| Write::WakeDevice { enrollment_id, at: self.now() })
    }

    /// Access tokens fetched so far by this process.
    pub async fn push_tokens_fetched(&self) -> u64 {
        self.memory.push.tokens.fetched().await
    }

    /// Pushes to the devices that are due, if this process is the one that does.
    ///
    /// # Errors
    /// The store's; what was claimed is pushed by this process or the next one.
    pub async fn push_to_due(&self) -> Result<Round, StoreError> {
        if self.settings.push.is_none() {
            return Ok(Round::default());
        }
        let Some(hold) = self.hold(Duty::Push).await? else { return Ok(Round::default()) };
        let due = self.store.due_pushes(self.now(), ROUND).await?;
        let mut round = Round { outcomes: Vec::new(), is_full: due.len() >= ROUND as usize };
        let mut running = JoinSet::new();
        let mut failed = None;
        for due in due {
            if running.len() >= AT_ONCE {
                failed = round.take(running.join_next().await).err().or(failed);
            }
            let (app, hold) = (self.clone(), hold.clone());
            running.spawn(async move { app.push_to(&hold, due).await });
        }
        while let Some(done) = running.join_next().await {
            failed = round.take(Some(done)).err().or(failed);
        }
        failed.map_or(Ok(round), Err)
    }

    /// Claims a device, pushes to it if there is work for it, and writes down what came of it.
    async fn push_to(&self, hold: &Hold, due: DuePush) -> Result<Option<Outcome>, StoreError> {
        let DuePush { enrollment_id, push } = due;
        let by = self.memory.duties.me().to_owned();
        let claim = Write::ClaimPush { enrollment_id, by: by.clone(), from: push.claimed_by.clone() };
        match self.store.commit(hold.guard().into_iter().chain([claim]).collect()).await {
            Ok(()) => {}
            // The lease has gone to another process, which pushes from now on.
            Err(StoreError::Conflict) => {
                self.lost(Duty::Push);
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
        // Only now: work that comes after this look makes the device due anew.
        let is_idle = self.store.sendable_commands(enrollment_id, self.now(), 1).await?.is_empty();
        let channel = self.usable_channel(&push).filter(|_| !is_idle);
        let Some((channel, app)) = channel.zip(self.settings.push.as_ref()) else {
            self.store.commit(vec![Write::ReleasePush { enrollment_id, by }]).await?;
            return Ok(None);
        };
        let answer = self.notify(app, &channel).await;
        let (verdict, sent) = self.conclude(enrollment_id, &push, answer);
        self.commit(after(enrollment_id, &push, by, verdict, sent)).await?;
        Ok(Some(verdict.outcome))
    }

    /// The channel, judged once more: the hosts may have been configured since.
    fn usable_channel(&self, push: &Push) -> Option<Channel> {
        push.channel.as_ref()?.on(&self.settings.push.as_ref()?.channel_hosts).ok()
    }

    /// One notification; with a new token where WNS does not accept the one at hand.
    async fn notify(&self, app: &PushSettings, channel: &Channel) -> Result<Receipt, Failure> {
        let token = self.token(app, None).await?;
        let receipt = self.post_notification(channel, &token).await?;
        if receipt.status != 401 {
            return Ok(receipt);
        }
        let token = self.token(app, Some(&token)).await?;
        let receipt = self.post_notification(channel, &token).await?;
        if receipt.status == 401 {
            self.memory.push.tokens.distrust(&token, self.clock.steady()).await;
        }
        Ok(receipt)
    }

    async fn token(&self, app: &PushSettings, stale: Option<&Token>) -> Result<Token, TokenProblem> {
        let fetch = async || token::fetch(self.http.as_ref(), app).await;
        self.memory.push.tokens.take(self.clock.steady(), stale, fetch).await
    }

    async fn post_notification(&self, channel: &Channel, token: &Token) -> Result<Receipt, HttpError> {
        let mut headers = vec![("Authorization", token.authorization()), ("Content-Type", wns::OCTETS.to_owned())];
        headers.extend(wns::HEADERS.map(|(name, value)| (name, value.to_owned())));
        let request = HttpPost { url: channel.url().clone(), headers, body: wns::BODY.to_vec() };
        let answer = self.http.post(request).await?;
        Ok(Receipt::read(answer.status, &answer.headers))
    }

    /// What an answer means, and what is told of it. The log names neither channel nor token.
    fn conclude(&self, id: Id<Enrollment>, push: &Push, answer: Result<Receipt, Failure>) -> (Verdict, Sent) {
        let now = self.now();
        let (verdict, connection, detail) = match answer {
            Ok(receipt) => {
                let verdict = judge(&receipt, push.tries);
                log(id, verdict.outcome, &receipt);
                (verdict, receipt.connection.clone(), detail(verdict.outcome, &receipt))
            }
            Err(failure) => {
                let outcome = match failure {
                    Failure::Token(_) => Outcome::NoToken,
                    Failure::Http(_) => Outcome::Unavailable,
                };
                tracing::info!(enrollment_id = %id, outcome = outcome.as_str(), %failure, "push failed");
                (unanswered(outcome, push.tries), None, Some(failure.to_string()))
            }
        };
        let outcome = verdict.outcome;
        (verdict, Sent { outcome, at: now, connection, detail, not_before: now + verdict.pause })
    }
}

impl Round {
    fn take(
        &mut self,
        done: Option<Result<Result<Option<Outcome>, StoreError>, tokio::task::JoinError>>,
    ) -> Result<(), StoreError> {
        match done {
            Some(Ok(outcome)) => self.outcomes.extend(outcome?),
            Some(Err(error)) => tracing::error!(%error, "a push broke off"),
            None => {}
        }
        Ok(())
    }
}

/// What is written after a push.
fn after(id: Id<Enrollment>, push: &Push, by: String, verdict: Verdict, sent: Sent) -> Vec<Write> {
    let (at, retry_at): (OffsetDateTime, _) = (sent.at, verdict.again.then_some(sent.not_before));
    let tries = if verdict.again { push.tries + 1 } else { 0 };
    let mut writes = vec![Write::SavePushSent { enrollment_id: id, by, sent: Box::new(sent), tries, retry_at }];
    if verdict.channel != ChannelFate::Kept {
        writes.push(Write::ForgetChannel { enrollment_id: id, channel_seq: push.channel_seq, at });
    }
    if verdict.channel == ChannelFate::ForgottenWithName {
        writes.push(Write::ForgetRegistration { enrollment_id: id });
    }
    writes
}

fn detail(outcome: Outcome, receipt: &Receipt) -> Option<String> {
    if outcome == Outcome::Received {
        return None;
    }
    let word = receipt.notification.as_deref().map(|word| format!(" ({word})")).unwrap_or_default();
    let why = receipt.description.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
    Some(format!("WNS answered {}{word}{why}", receipt.status))
}

fn log(id: Id<Enrollment>, outcome: Outcome, receipt: &Receipt) {
    let (status, description) = (receipt.status, receipt.description.as_deref());
    let (trace, msg_id) = (receipt.trace.as_deref(), receipt.msg_id.as_deref());
    let outcome_word = outcome.as_str();
    match outcome {
        Outcome::Rejected | Outcome::Unauthorized | Outcome::Forbidden => {
            tracing::error!(enrollment_id = %id, outcome = outcome_word, status, description, trace, msg_id, "push refused");
        }
        _ => tracing::info!(enrollment_id = %id, outcome = outcome_word, status, description, trace, msg_id, "push"),
    }
}

#[cfg(test)]
#[path = "wake_tests.rs"]
mod tests;
