//! One simulated device on the network: it enrolls, holds sessions, and meets the faults that are asked for.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use time::OffsetDateTime;

use super::fleet::Fleet;
use super::record::{ANSWER_TOO_LARGE, Entry};
use super::transport::{Client, Reply, TransportError};
use crate::adapters::system::SystemClock;
use crate::sim::{
    Chance, Device, DeviceKey, Enrolled, Enrollment, EnrollmentError, Fault, Faults, Managed, Options, Profile,
    Request, SessionError, Step, Turn, cmd_ids, spoil,
};

/// A device under management.
pub(super) struct Pc {
    fleet: Arc<Fleet>,
    name: String,
    number: u32,
    managed: Managed,
    client: Client,
    /// The certificate that the client shows.
    shown: Vec<u8>,
    /// Keys that the device has had.
    keys: u32,
    chance: Chance,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// As it should.
    Done,
    /// The device dropped it to leave, which it says in a session of its own at once.
    Leaving,
    /// By a fault that was asked for.
    Fault,
    /// Otherwise.
    Failed,
}

/// Something failed that was not asked for.
struct Failure {
    kind: String,
    detail: String,
}

impl From<TransportError> for Failure {
    fn from(error: TransportError) -> Self {
        Self { kind: error.kind().to_owned(), detail: error.to_string() }
    }
}

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        let kind = match error {
            SessionError::Http(status) => format!("http_{status}"),
            SessionError::Refused(status) => format!("refused_{status}"),
            SessionError::Unreadable => "unreadable".to_owned(),
            SessionError::Foreign => "foreign".to_owned(),
            SessionError::NoSession => "no_session".to_owned(),
        };
        Self { kind, detail: error.to_string() }
    }
}

impl From<EnrollmentError> for Failure {
    fn from(error: EnrollmentError) -> Self {
        let kind = match &error {
            EnrollmentError::Http(_, status) => format!("enroll_http_{status}"),
            EnrollmentError::Fault(_) => "enroll_refused".to_owned(),
            EnrollmentError::Answer(_) | EnrollmentError::Foreign(_) => "enroll_unreadable".to_owned(),
            EnrollmentError::Policy(_) => "enroll_policy".to_owned(),
            EnrollmentError::Provisioning(_) => "enroll_document".to_owned(),
            EnrollmentError::Key(_) | EnrollmentError::Unexpected => "enroll_device".to_owned(),
        };
        Self { kind, detail: error.to_string() }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self { kind: "device".to_owned(), detail: format!("{error:#}") }
    }
}

impl Pc {
    /// Enrolls the device of that number; `None` when that fails, which is counted.
    pub(super) async fn enroll(
        fleet: &Arc<Fleet>,
        number: u32,
        profile: Profile,
        key: DeviceKey,
    ) -> Result<Option<Self>> {
        let device = Device::new(profile, &format!("{}/{number}", fleet.seed)).for_enrollment(fleet.run);
        let began = Instant::now();
        let pc = async {
            let enrolled = enroll(fleet, device.clone(), key).await?;
            let client = fleet.network.client(Some(&enrolled))?;
            let chance = Chance::new(&format!("{}/{number}", fleet.seed), "faults");
            let name = device.name.clone();
            let shown = enrolled.certificate.clone();
            let managed = Managed::new(device.clone(), enrolled);
            Ok(Self { fleet: Arc::clone(fleet), name, number, managed, client, shown, keys: 1, chance })
        };
        match pc.await {
            Ok(pc) => {
                fleet.figures.enrolled(began.elapsed());
                let hw_dev_id = device.hardware_id;
                pc.tell(vec![Entry::Enrolled { profile: profile.to_string(), hw_dev_id }])?;
                Ok(Some(pc))
            }
            Err(Failure { kind, detail }) => {
                fleet.figures.error(&kind, &detail);
                let failed = Entry::Failed { kind, detail, injected: false };
                fleet.recorder.write(&device.name, "", vec![failed])?;
                Ok(None)
            }
        }
    }

    /// What the device is and has.
    pub(super) fn managed(&self) -> &Managed {
        &self.managed
    }

    /// Holds one session that was due at that moment, and renews the certificate before or after where it is time.
    pub(super) async fn session(&mut self, due: Instant, faults: &Faults) -> Result<End> {
        self.renew_if_due().await?;
        let end = self.hold(due, faults).await?;
        self.renew_if_due().await?;
        Ok(end)
    }

    /// Renews where the window of the certificate has begun or the server asked for it. The time is the true one: it is the
    /// server's clock that the dates of a certificate are about.
    async fn renew_if_due(&mut self) -> Result<()> {
        let now = SystemClock.now();
        if !self.managed.wants_renewal(now) {
            return Ok(());
        }
        let began = Instant::now();
        let renewed = self.renew(now).await;
        self.client.close();
        match renewed {
            Ok(()) => self.fleet.figures.renewed(began.elapsed()),
            Err(Failure { kind, detail }) => self.fleet.figures.error(&format!("renewal_{kind}"), &detail),
        }
        self.show_certificate()?;
        self.tell_events()
    }

    async fn renew(&mut self, now: OffsetDateTime) -> Result<(), Failure> {
        let devices = self.fleet.plan.profiles.len() as u32;
        let number = self.number.saturating_add(devices.saturating_mul(self.keys));
        self.keys += 1;
        let pool = Arc::clone(&self.fleet.keys);
        let key = tokio::task::spawn_blocking(move || pool.key(number)).await.map_err(anyhow::Error::from)?;
        let request = self.managed.start_renewal(key.map_err(anyhow::Error::from)?, now)?;
        match self.client.send(&request).await {
            Ok(reply) => Ok(self.managed.take_renewal(&reply.response())?),
            Err(error) => {
                self.managed.renewal_failed(NO_ANSWER);
                Err(error.into())
            }
        }
    }

    /// Connections from now on show the certificate that the device has now.
    fn show_certificate(&mut self) -> Result<()> {
        let enrolled = self.managed.enrolled();
        if self.shown != enrolled.certificate {
            self.client = self.fleet.network.client(Some(enrolled))?;
            self.shown.clone_from(&enrolled.certificate);
        }
        Ok(())
    }

    async fn hold(&mut self, due: Instant, faults: &Faults) -> Result<End> {
        let mut tainted = false;
        let ended = self.converse(faults, &mut tainted).await;
        self.client.close();
        let fleet = Arc::clone(&self.fleet);
        let figures = &fleet.figures;
        match ended {
            Ok(End::Fault) => {
                figures.ended_by_fault();
                Ok(End::Fault)
            }
            Ok(end) => {
                figures.session(due.elapsed());
                self.tell(vec![Entry::Ended])?;
                Ok(end)
            }
            Err(Failure { kind, detail }) => {
                self.managed.lose_power();
                // After a refusal the device goes back to the certificate before.
                self.show_certificate()?;
                if tainted {
                    figures.ended_by_fault();
                } else {
                    figures.error(&kind, &detail);
                }
                self.tell(vec![Entry::Failed { kind, detail, injected: tainted }])?;
                Ok(if tainted { End::Fault } else { End::Failed })
            }
        }
    }

    async fn converse(&mut self, faults: &Faults, tainted: &mut bool) -> Result<End, Failure> {
        let Some(mut request) = self.managed.start_session() else { return Ok(End::Done) };
        self.tell_events()?;
        let mut told_results = false;
        loop {
            let reply = self.exchange(&request, faults).await?;
            if told_results {
                let is_taken = self.managed.is_taken(&reply.response());
                self.tell(vec![if is_taken { Entry::Answered } else { Entry::NotTaken }])?;
            }
            let ids = if faults.is_none() { Vec::new() } else { cmd_ids(&reply.body) };
            let brings = !ids.is_empty();
            if brings && self.chance.happens(faults.share(Fault::Slow)) {
                self.fault(Fault::Slow, "", Vec::new())?;
                tokio::time::sleep(faults.pause).await;
            }
            let dies = brings && self.chance.happens(faults.share(Fault::DieAfterOffer));
            if dies && self.chance.happens(0.5) {
                self.managed.lose_power();
                self.fault(Fault::DieAfterOffer, "before it carried them out", ids)?;
                return Ok(End::Fault);
            }
            let turn = self.managed.receive(&reply.response());
            self.tell_events()?;
            let turn = turn?;
            if dies {
                self.managed.lose_power();
                self.fault(Fault::DieAfterOffer, "after it carried them out", ids)?;
                return Ok(End::Fault);
            }
            request = match turn {
                Turn::Send(next) => next,
                Turn::Done => return Ok(End::Done),
                Turn::Dropped => return Ok(End::Leaving),
            };
            told_results = true;
            if brings && self.chance.happens(faults.share(Fault::WrongAnswer)) {
                *tainted |= self.spoil(&mut request)?;
            }
        }
    }

    /// Sends a message and waits for the answer that the device goes on with.
    async fn exchange(&mut self, request: &Request, faults: &Faults) -> Result<Reply, Failure> {
        let sent = Instant::now();
        let first = self.client.send(request).await?;
        self.fleet.figures.message(sent.elapsed());
        let lost = self.chance.happens(faults.share(Fault::DropResponse));
        let repeated = self.chance.happens(faults.share(Fault::DuplicateMessage));
        if lost {
            self.fault(Fault::DropResponse, "", Vec::new())?;
            self.client.close();
        } else if repeated {
            self.fault(Fault::DuplicateMessage, "", Vec::new())?;
        } else {
            return Ok(first);
        }
        let second = self.client.send(request).await?;
        // What brought commands must come again as it was: else they would be carried out twice.
        if first.status == 200 && first.body != second.body && !cmd_ids(&first.body).is_empty() {
            let detail = "the same message was answered with other commands the second time".to_owned();
            return Err(Failure { kind: "different_answer".to_owned(), detail });
        }
        Ok(second)
    }

    /// Makes an answer of the message wrong; whether there was one.
    fn spoil(&mut self, request: &mut Request) -> Result<bool> {
        let Some((body, how, cmd_id)) = spoil(&request.body, &mut self.chance) else { return Ok(false) };
        request.body = body;
        self.fault(Fault::WrongAnswer, how, vec![cmd_id])?;
        Ok(true)
    }

    fn fault(&self, fault: Fault, detail: &str, cmd_ids: Vec<String>) -> Result<()> {
        self.fleet.figures.fault(fault.as_str());
        self.tell(vec![Entry::Fault { fault: fault.as_str().to_owned(), detail: detail.to_owned(), cmd_ids }])
    }

    fn tell_events(&mut self) -> Result<()> {
        let entries: Vec<Entry> = self.managed.take_log().iter().map(Entry::of).collect();
        let ran = entries.iter().filter(|entry| matches!(entry, Entry::Executed { .. })).count();
        self.fleet.figures.carried_out(ran as u64);
        for entry in &entries {
            if let Entry::Failed { kind, detail, .. } = entry
                && kind == ANSWER_TOO_LARGE
            {
                self.fleet.figures.error(kind, detail);
            }
        }
        self.tell(entries)
    }

    fn tell(&self, entries: Vec<Entry>) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let enrollment = self.managed.enrolled().account.ent_dm_id.as_deref().unwrap_or_default();
        self.fleet.recorder.write(&self.name, enrollment, entries)
    }
}

async fn enroll(fleet: &Fleet, device: Device, key: DeviceKey) -> Result<Enrolled, Failure> {
    let options = Options::with_password(&fleet.discovery, &fleet.user, fleet.password.clone());
    let (mut enrollment, mut request) = Enrollment::start(device, Options { key: Some(key), ..options });
    let mut client = fleet.network.client(None)?;
    loop {
        let reply = client.send(&request).await?;
        match enrollment.receive(&reply.response())? {
            Step::Send(next) => request = next,
            Step::Enrolled(enrolled) => return Ok(*enrolled),
            Step::SignIn(_) => {
                let detail = "the server wants a web page for signing in, not a password".to_owned();
                return Err(Failure { kind: "enroll_policy".to_owned(), detail });
            }
        }
    }
}

/// `WININET_E_CANNOT_CONNECT`: what Windows reports where no answer came.
const NO_ANSWER: u32 = 0x8007_2EFD;
