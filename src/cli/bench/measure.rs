//! Rounds: the real server and the bare one in turn, in the order ABBA, under the same load.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::fleet::{AT_ONCE, Fleet, Speech};
use super::load::{Pc, Replay, Tally, Trace, Visit, drive};
use super::process::{Cores, CpuClock, Server};
use super::statistics::{Pair, Ratio, least, median, quantile, spread};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    /// Rounds of ABBA.
    pub(super) rounds: usize,
    /// Enrolled devices.
    pub(super) devices: usize,
}

/// What a device does in a session.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// How it speaks TLS.
    pub(super) speech: Speech,
    /// What is queued for it before: a request each.
    pub(super) commands: Vec<String>,
}

/// What the rounds brought.
#[derive(Clone, Debug)]
pub(super) struct Rounds {
    pairs: Vec<Pair>,
    /// Round trips of a visit.
    pub(super) messages: usize,
    /// Bytes of the bodies of a visit, to the server and from it.
    pub(super) bytes: (usize, usize),
    /// How long each visit to the real server took, in microseconds.
    micros: Vec<f64>,
    /// Visits to the real server in a second of wall time.
    pub(super) rate: f64,
    /// How far what it is compared with lies apart from round to round, as a share of the median.
    pub(super) wander: f64,
    /// Why they are of no use, whatever they brought.
    pub(super) flaw: Option<String>,
}

impl Rounds {
    pub(super) fn of(pairs: Vec<Pair>, trace: &Trace, tally: Tally) -> Self {
        let rate = tally.micros.len() as f64 / tally.wall.as_secs_f64();
        let wander = wander(&pairs);
        Self { pairs, messages: trace.messages(), bytes: trace.bytes(), micros: tally.micros, rate, wander, flaw: None }
    }

    /// The quotient of the two.
    pub(super) fn ratio(&self) -> Ratio {
        Ratio::of(&self.pairs)
    }

    /// Median and least of what a visit to the real server costs, in microseconds of processor time.
    pub(super) fn ours(&self) -> (f64, f64) {
        let values = self.pairs.iter().map(|pair| pair.ours);
        (median(values.clone()), least(values))
    }

    /// The same of what it is compared with.
    pub(super) fn bare(&self) -> (f64, f64) {
        let values = self.pairs.iter().map(|pair| pair.bare);
        (median(values.clone()), least(values))
    }

    /// How long a visit to the real server takes for that share of them, in milliseconds.
    pub(super) fn latency(&self, share: f64) -> f64 {
        quantile(self.micros.iter().copied(), share) / 1000.0
    }

    /// The same rounds with something added to each visit to the bare server, in microseconds.
    pub(super) fn with_bare_work(mut self, micros: f64) -> Self {
        self.pairs.iter_mut().for_each(|pair| pair.bare += micros);
        self
    }
}

/// The two servers, and the devices of the real one.
pub(super) struct Bench {
    pub(super) fleet: Fleet,
    pub(super) bare: Server,
    pub(super) pcs: Vec<Pc>,
    pub(super) extent: Extent,
    pub(super) ours: Meter,
    pub(super) limit: Meter,
}

/// Visits in one stretch of measuring.
pub(super) struct Stretch<V> {
    pub(super) visitors: Vec<V>,
    pub(super) tally: Tally,
    /// Processor time of the server, in microseconds per visit.
    pub(super) cost: f64,
}

impl Bench {
    /// Starts both servers and enrolls the devices.
    pub(super) async fn start(cores: Option<Cores>, database: Option<&str>, extent: Extent) -> Result<Self> {
        let mut fleet = Fleet::start(cores, database).await?;
        let pcs = fleet.enroll(extent.devices).await?;
        let bare = fleet.bare()?;
        let (ours, limit) = (Meter::ours(&fleet)?, Meter::of(&bare));
        let mut bench = Self { fleet, bare, pcs, extent, ours, limit };
        // What a new device is asked, it is asked in its first sessions.
        let visits = 2 * bench.pcs.len();
        let calls = std::mem::take(&mut bench.pcs);
        let (pcs, tally) = drive(calls, visits, AT_ONCE).await?;
        tally.check()?;
        bench.pcs = pcs;
        Ok(bench)
    }

    /// The clock of the real server, and that of the bare one, follow them over a restart.
    pub(super) fn follow_servers(&mut self) -> Result<()> {
        self.ours = Meter::ours(&self.fleet)?;
        self.limit = Meter::of(&self.bare);
        Ok(())
    }

    /// Rounds of that session against the same bytes on the bare server.
    pub(super) async fn sessions(&mut self, session: &Session) -> Result<Rounds> {
        self.speak(session.speech)?;
        // The first pass warms up: sessions of TLS are made that can be resumed, and the bytes are written down.
        let trace = self.record(session).await?;
        let mut replays = self.replays(session.speech, trace.for_bare(&self.bare.device_url))?;
        let visits = if session.commands.is_empty() { 2 * self.pcs.len() } else { self.pcs.len() };
        replays = stretch(&mut self.limit, replays, visits).await?.visitors;
        let mut all = Tally::default();
        let before = self.connections();
        let pairs = abba(self.extent.rounds, async |is_ours| {
            if is_ours {
                let (tally, cost) = self.hold(session, visits).await?;
                all.join(tally);
                return Ok(cost);
            }
            let stretch = stretch(&mut self.limit, std::mem::take(&mut replays), visits).await?;
            replays = stretch.visitors;
            stretch.tally.check()?;
            Ok(stretch.cost)
        });
        let rounds = Rounds::of(pairs.await?, &trace, all);
        let (made, resumed) = self.connections();
        let (made, resumed) = (made - before.0, resumed - before.1);
        let is_so = session.speech != Speech::Resumed || resumed * 100 >= made * 99;
        let flaw = (!is_so).then(|| format!("only {resumed} of {made} connections were resumed"));
        Ok(Rounds { flaw, ..rounds })
    }

    /// Connections that the devices made so far, and how many of them were resumed.
    fn connections(&self) -> (u64, u64) {
        let counts = self.pcs.first().map(|pc| pc.network.traffic().counts()).unwrap_or_default();
        (counts.connections, counts.resumed)
    }

    /// Gives every device the network side for that.
    pub(super) fn speak(&mut self, speech: Speech) -> Result<()> {
        let network = self.fleet.network(speech)?;
        for pc in &mut self.pcs {
            pc.client = network.client(Some(pc.managed.enrolled()))?;
            pc.network = Arc::clone(&network);
        }
        Ok(())
    }

    /// Lets every device hold that session once; what went over the wire in one of them.
    pub(super) async fn record(&mut self, session: &Session) -> Result<Trace> {
        let middle = self.pcs.len() / 2;
        for (place, pc) in self.pcs.iter_mut().enumerate() {
            pc.trace = (place == middle).then(Trace::default);
        }
        self.hold(session, self.pcs.len()).await?;
        let traced = self.pcs.iter_mut().find_map(|pc| pc.trace.take());
        traced.filter(|trace| trace.messages() > 0).context("no session was written down")
    }

    /// Lets the devices hold that session, so many in all, with what is queued for it; what each costs the server.
    pub(super) async fn hold(&mut self, session: &Session, visits: usize) -> Result<(Tally, f64)> {
        if !session.commands.is_empty() {
            self.fleet.queue(&self.pcs, &session.commands).await?;
        }
        let Stretch { visitors, tally, cost } = stretch(&mut self.ours, std::mem::take(&mut self.pcs), visits).await?;
        self.pcs = visitors;
        tally.check()?;
        Ok((tally, cost))
    }

    /// Replays of that trace, one for each device.
    pub(super) fn replays(&self, speech: Speech, trace: Trace) -> Result<Vec<Replay>> {
        let (network, trace) = (self.fleet.network(speech)?, Arc::new(trace));
        self.pcs.iter().map(|pc| Replay::new(&network, Some(pc.managed.enrolled()), &trace)).collect()
    }
}

/// How far what is compared with lies apart from round to round, as a share of the median. Of fewer than three rounds nobody knows.
pub(super) fn wander(pairs: &[Pair]) -> f64 {
    if pairs.len() < FEWEST_ROUNDS { f64::INFINITY } else { spread(pairs.iter().map(|pair| pair.bare)) }
}

/// Rounds of two things that are measured in turn: told which is on, `stretch` answers what it costs.
pub(super) async fn abba(rounds: usize, mut stretch: impl AsyncFnMut(bool) -> Result<f64>) -> Result<Vec<Pair>> {
    let mut pairs = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let mut pair = Pair { ours: 0.0, bare: 0.0 };
        // In this order a drift of the machine meets both alike.
        for is_ours in [true, false, false, true] {
            let cost = stretch(is_ours).await?;
            *(if is_ours { &mut pair.ours } else { &mut pair.bare }) += cost / 2.0;
        }
        pairs.push(pair);
    }
    Ok(pairs)
}

/// Lets the visitors call and reads what that cost the server, with what it does behind its answers.
pub(super) async fn stretch<V: Visit>(meter: &mut Meter, visitors: Vec<V>, visits: usize) -> Result<Stretch<V>> {
    let before = meter.quiet().await?;
    let (visitors, tally) = drive(visitors, visits, AT_ONCE).await?;
    let after = meter.done().await?;
    ensure!(!visitors.is_empty() && visits > 0, "nobody called");
    Ok(Stretch { visitors, tally, cost: (after - before) as f64 / 1000.0 / visits as f64 })
}

/// The processor time of a server, read when it has nothing to do.
pub(super) struct Meter {
    clock: CpuClock,
    /// How long it puts off what need not be done at once.
    behind: Duration,
}

impl Meter {
    /// Of a server that does at once what it does.
    pub(super) fn of(server: &Server) -> Self {
        Self { clock: CpuClock::of(server.pid()), behind: Duration::ZERO }
    }

    /// Of the real server.
    fn ours(fleet: &Fleet) -> Result<Self> {
        Ok(Self { clock: CpuClock::of(fleet.server()?.pid()), behind: BEHIND })
    }

    /// Nanoseconds when what was put off is done as well.
    pub(super) async fn done(&mut self) -> Result<u64> {
        tokio::time::sleep(self.behind).await;
        self.quiet().await
    }

    /// Nanoseconds when the server has come to rest.
    pub(super) async fn quiet(&mut self) -> Result<u64> {
        let mut last = self.clock.read()?;
        let mut quiet = 0;
        for _ in 0..MOST_LOOKS {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = self.clock.read()?;
            quiet = if now - last < QUIET { quiet + 1 } else { 0 };
            last = now;
            if quiet == QUIET_LOOKS {
                break;
            }
        }
        Ok(last)
    }
}

/// Fewer rounds than these do not tell how far they wander.
const FEWEST_ROUNDS: usize = 3;
/// The server writes what nobody waits for within a second.
const BEHIND: Duration = Duration::from_millis(1050);
/// Time between two looks at a server that is to come to rest.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Nanoseconds in that time that are no work.
const QUIET: u64 = 300_000;
/// So often in a row it has to be quiet.
const QUIET_LOOKS: u32 = 3;
/// Then it is read although it works on.
const MOST_LOOKS: u32 = 100;
