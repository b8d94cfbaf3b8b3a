//! The load: many simulated devices at once, each visit timed, and the same traffic replayed against the bare server.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::bare::filler;
use crate::cli::sim::transport::{Client, Network, TransportError};
use crate::sim::{Device, Enrolled, Enrollment, Managed, Options, Request, Step, Turn};

/// Somebody who calls at a server.
pub(super) trait Visit: Send + 'static {
    /// One visit from the first connection to the last.
    fn visit(&mut self) -> impl Future<Output = Result<()>> + Send;
}

/// What came of many visits.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// How long each visit took that went well, in microseconds.
    pub(super) micros: Vec<f64>,
    /// What went wrong, in words, and how often.
    pub(super) failures: BTreeMap<String, usize>,
    /// From the first to the last.
    pub(super) wall: Duration,
}

impl Tally {
    /// How many went wrong.
    pub(super) fn failed(&self) -> usize {
        self.failures.values().sum()
    }

    /// Complains of the failures.
    pub(super) fn check(&self) -> Result<()> {
        match self.failures.iter().max_by_key(|(_, count)| **count) {
            None => Ok(()),
            Some((words, _)) => {
                bail!("{} of {} visits failed: {words}", self.failed(), self.failed() + self.micros.len())
            }
        }
    }

    /// Complains if not one visit went well.
    pub(super) fn check_some(&self) -> Result<()> {
        if self.micros.is_empty() { self.check() } else { Ok(()) }
    }

    /// Adds a visit.
    pub(super) fn note(&mut self, began: Instant, outcome: Result<()>) {
        match outcome {
            Ok(()) => self.micros.push(began.elapsed().as_secs_f64() * 1e6),
            Err(error) => *self.failures.entry(format!("{error:#}")).or_default() += 1,
        }
    }

    /// Adds what came of further visits, which followed these.
    pub(super) fn join(&mut self, other: Self) {
        self.wall += other.wall;
        self.add(other);
    }

    /// Adds what came of other visits at the same time.
    fn add(&mut self, other: Self) {
        self.micros.extend(other.micros);
        for (words, count) in other.failures {
            *self.failures.entry(words).or_default() += count;
        }
    }
}

/// Lets the visitors call in turn, so many visits in all and so many at once.
pub(super) async fn drive<V: Visit>(visitors: Vec<V>, visits: usize, at_once: usize) -> Result<(Vec<V>, Tally)> {
    // A turn for each of those who can be there at once: one more would count down a visit that nobody makes.
    let at_once = at_once.min(visitors.len());
    let line = Arc::new(Mutex::new(VecDeque::from(visitors)));
    let left = Arc::new(AtomicUsize::new(visits));
    let began = Instant::now();
    let turns: Vec<_> = (0..at_once)
        .map(|_| {
            let (line, left) = (Arc::clone(&line), Arc::clone(&left));
            tokio::spawn(async move {
                let mut tally = Tally::default();
                while left.try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                    let next = line.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some(mut visitor) = next else { break };
                    let began = Instant::now();
                    let outcome = visitor.visit().await;
                    tally.note(began, outcome);
                    line.lock().unwrap_or_else(PoisonError::into_inner).push_back(visitor);
                }
                tally
            })
        })
        .collect();
    let mut tally = Tally::default();
    for turn in turns {
        tally.add(turn.await?);
    }
    tally.wall = began.elapsed();
    let line = Arc::into_inner(line).context("a visitor did not come back")?;
    Ok((line.into_inner().unwrap_or_else(PoisonError::into_inner).into(), tally))
}

/// What went over the wire in one visit, by its sizes.
#[derive(Clone, Debug, Default)]
pub(super) struct Trace(Vec<Exchange>);

#[derive(Clone, Debug)]
struct Exchange {
    /// Whether a new connection was made for it.
    is_fresh: bool,
    request: Request,
    answer: usize,
    /// From the request to the end of the answer, in microseconds.
    micros: f64,
}

impl Trace {
    fn add(&mut self, is_fresh: bool, request: &Request, answer: usize, began: Instant) {
        let micros = began.elapsed().as_secs_f64() * 1e6;
        self.0.push(Exchange { is_fresh, request: request.clone(), answer, micros });
    }

    /// How long each answer took, in microseconds.
    pub(super) fn micros(&self) -> impl Iterator<Item = f64> {
        self.0.iter().map(|exchange| exchange.micros)
    }

    /// The body that was sent last.
    pub(super) fn last_body(&self) -> Option<&[u8]> {
        self.0.last().map(|exchange| exchange.request.body.as_slice())
    }

    /// Round trips.
    pub(super) fn messages(&self) -> usize {
        self.0.len()
    }

    /// Bytes of all bodies: to the server and from it.
    pub(super) fn bytes(&self) -> (usize, usize) {
        let up = self.0.iter().map(|exchange| exchange.request.body.len()).sum();
        (up, self.0.iter().map(|exchange| exchange.answer).sum())
    }

    /// The same for the bare server at that address: bodies of the same sizes with nothing in them.
    pub(super) fn for_bare(&self, base: &str) -> Self {
        let translate = |exchange: &Exchange| {
            let Request { method: _, url, headers, body } = &exchange.request;
            let target = url.strip_prefix("https://").and_then(|rest| rest.find('/').map(|at| &rest[at..]));
            let request = Request {
                method: "POST",
                url: format!("{base}{}", target.unwrap_or("/")),
                headers: headers.clone(),
                body: filler(body.len(), exchange.answer),
            };
            Exchange { request, ..exchange.clone() }
        };
        Self(self.0.iter().map(translate).collect())
    }
}

/// An enrolled device with its network side.
pub(super) struct Pc {
    /// Its id in the API.
    pub(super) id: String,
    pub(super) managed: Managed,
    pub(super) network: Arc<Network>,
    pub(super) client: Client,
    /// What went over the wire in the last session, where that is wanted.
    pub(super) trace: Option<Trace>,
}

impl Visit for Pc {
    /// A session on a connection of its own.
    async fn visit(&mut self) -> Result<()> {
        let outcome = self.session().await;
        self.client.close();
        // Nobody looks at it here, and it would grow with every session.
        self.managed.take_log();
        outcome
    }
}

impl Pc {
    /// The session; the connection stays open.
    pub(super) async fn session(&mut self) -> Result<()> {
        let mut request = self.managed.start_session().context("the device is gone")?;
        let mut is_fresh = true;
        if let Some(trace) = &mut self.trace {
            trace.0.clear();
        }
        loop {
            let began = Instant::now();
            let reply = self.client.send(&request).await?;
            if let Some(trace) = &mut self.trace {
                trace.add(is_fresh, &request, reply.body.len(), began);
            }
            is_fresh = false;
            match self.managed.receive(&reply.response())? {
                Turn::Send(next) => request = next,
                Turn::Done | Turn::Dropped => return Ok(()),
            }
        }
    }
}

/// A device that enrolls, on one connection for discovery and another for the rest, as Windows does.
pub(super) struct Newcomer {
    pub(super) network: Arc<Network>,
    pub(super) device: Device,
    pub(super) options: Options,
    /// What came of it.
    pub(super) enrolled: Option<Enrolled>,
    /// What went over the wire.
    pub(super) trace: Trace,
}

impl Visit for Newcomer {
    async fn visit(&mut self) -> Result<()> {
        let (mut enrollment, mut request) = Enrollment::start(self.device.clone(), self.options.clone());
        let mut client = self.network.client(None)?;
        self.trace.0.clear();
        loop {
            let number = self.trace.messages();
            if number == REQUESTS_OF_DISCOVERY {
                client.close();
            }
            let began = Instant::now();
            let reply = client.send(&request).await?;
            self.trace.add(number == 0 || number == REQUESTS_OF_DISCOVERY, &request, reply.body.len(), began);
            match enrollment.receive(&reply.response())? {
                Step::Send(next) => request = next,
                Step::SignIn(_) => bail!("the server wants a web page, not a password"),
                Step::Enrolled(enrolled) => {
                    self.enrolled = Some(*enrolled);
                    return Ok(());
                }
            }
        }
    }
}

/// The probe and Discover.
const REQUESTS_OF_DISCOVERY: usize = 2;

/// Sends what a trace holds and heeds no answer.
pub(super) struct Replay {
    network: Arc<Network>,
    enrolled: Option<Enrolled>,
    client: Client,
    trace: Arc<Trace>,
}

impl Replay {
    /// Replays that trace as that device, or as one without a certificate.
    pub(super) fn new(network: &Arc<Network>, enrolled: Option<&Enrolled>, trace: &Arc<Trace>) -> Result<Self> {
        let client = network.client(enrolled)?;
        Ok(Self { network: Arc::clone(network), enrolled: enrolled.cloned(), client, trace: Arc::clone(trace) })
    }

    /// The connection stays open.
    async fn exchange(&mut self) -> Result<()> {
        for Exchange { is_fresh, request, answer, .. } in &self.trace.0 {
            if *is_fresh {
                self.client.close();
            }
            let reply = self.client.send(request).await?;
            if reply.body.len() != *answer {
                bail!("the bare server answered {} bytes in place of {answer}", reply.body.len());
            }
        }
        Ok(())
    }
}

impl Visit for Replay {
    async fn visit(&mut self) -> Result<()> {
        let outcome = self.exchange().await;
        self.client.close();
        outcome
    }
}

/// Makes a connection and closes it again.
pub(super) struct Knock {
    pub(super) client: Client,
    pub(super) url: String,
    /// Whether the server has to refuse the handshake.
    pub(super) is_refused: bool,
}

impl Visit for Knock {
    async fn visit(&mut self) -> Result<()> {
        let outcome = self.client.connect_only(&self.url).await;
        self.client.close();
        match (outcome, self.is_refused) {
            (Ok(()), false) | (Err(TransportError::Tls(_)), true) => Ok(()),
            (Ok(()), true) => bail!("the server took a certificate of somebody else"),
            // A connection that was not made, or shed, costs less than a handshake that is refused.
            (Err(error), _) => Err(error.into()),
        }
    }
}

/// A device that stays: after a session its connection is kept open, and it goes on with another.
pub(super) struct Guest<V> {
    pub(super) visitor: V,
    /// Connections that are open.
    pub(super) held: Vec<Client>,
}

/// Who can leave a connection open behind.
pub(super) trait Stay: Visit {
    /// A visit on a new connection; that one is answered, still open.
    fn stay(&mut self) -> impl Future<Output = Result<Client>> + Send;
}

impl<V: Stay> Visit for Guest<V> {
    async fn visit(&mut self) -> Result<()> {
        self.held.push(self.visitor.stay().await?);
        Ok(())
    }
}

impl Stay for Pc {
    async fn stay(&mut self) -> Result<Client> {
        self.session().await?;
        Ok(std::mem::replace(&mut self.client, self.network.client(Some(self.managed.enrolled()))?))
    }
}

impl Stay for Replay {
    async fn stay(&mut self) -> Result<Client> {
        self.exchange().await?;
        Ok(std::mem::replace(&mut self.client, self.network.client(self.enrolled.as_ref())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counter {
        visits: usize,
        fails: bool,
    }

    impl Visit for Counter {
        async fn visit(&mut self) -> Result<()> {
            self.visits += 1;
            tokio::task::yield_now().await;
            if self.fails { bail!("no") } else { Ok(()) }
        }
    }

    fn counters(fails: &[bool]) -> Vec<Counter> {
        fails.iter().map(|fails| Counter { visits: 0, fails: *fails }).collect()
    }

    #[tokio::test]
    async fn visits_are_shared_out_and_failures_counted() {
        let (visitors, tally) = drive(counters(&[false, false, true]), 9, 64).await.unwrap();
        assert_eq!(visitors.iter().map(|visitor| visitor.visits).sum::<usize>(), 9);
        let of_failing = visitors.iter().find(|visitor| visitor.fails).unwrap().visits;
        assert_eq!((tally.failed(), tally.micros.len()), (of_failing, 9 - of_failing));
        assert!(tally.check().unwrap_err().to_string().ends_with("visits failed: no"));
    }

    #[test]
    fn a_trace_for_the_bare_server_has_the_same_sizes() {
        let request = Request {
            method: "GET",
            url: "https://mdm.example:8443/ManagementServer/MDM.svc?mode=x".to_owned(),
            headers: vec![("accept", "x".to_owned())],
            body: vec![1; 700],
        };
        let mut trace = Trace::default();
        trace.add(true, &request, 1660, Instant::now());
        let bare = trace.for_bare("https://localhost:1");
        assert_eq!(bare.bytes(), trace.bytes());
        let sent = &bare.0[0].request;
        assert_eq!(sent.url, "https://localhost:1/ManagementServer/MDM.svc?mode=x");
        assert_eq!((sent.method, &sent.headers), ("POST", &request.headers));
        assert!(sent.body.starts_with(b"1660 "));
    }
}
