//! All devices of a run: when each enrolls, when it calls, and when it stops.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use secrecy::SecretString;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use super::arrivals::Arrivals;
use super::figures::Figures;
use super::pc::{End, Pc};
use super::record::Recorder;
use super::transport::Network;
use crate::sim::{DeviceKey, Faults, KeyPool, Profile};

/// What all devices of a run share.
pub(super) struct Fleet {
    pub(super) network: Arc<Network>,
    pub(super) figures: Figures,
    pub(super) recorder: Recorder,
    /// Address of the discovery service.
    pub(super) discovery: String,
    pub(super) user: String,
    pub(super) password: SecretString,
    /// Makes the hardware and all that is left to chance.
    pub(super) seed: String,
    /// Tells apart the enrollments of the same hardware in different runs.
    pub(super) run: u32,
    /// Keys of devices, those for renewals behind those for enrollments.
    pub(super) keys: Arc<KeyPool>,
    pub(super) plan: Plan,
}

/// What a run is to be.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) profiles: Vec<Profile>,
    pub(super) pace: Pace,
    /// How many seconds of the poll schedule pass in one.
    pub(super) time_scale: f64,
    /// Over how long the enrollments are spread.
    pub(super) ramp: Duration,
    /// How long devices go on calling once all are enrolled; until stopped without it.
    pub(super) duration: Option<Duration>,
    /// After how many sessions a device stops.
    pub(super) sessions: Option<u32>,
    pub(super) faults: Faults,
    /// Most enrollments at the same time.
    pub(super) parallel: usize,
    /// Whether each device ends with a session in which nothing goes wrong on purpose.
    pub(super) settles: bool,
}

/// When devices call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    /// As the server has told them.
    Schedule,
    /// Each at this interval.
    Every(Duration),
    /// All together this often in a second, one after the other, at random moments that do not depend on the answers.
    Rate(f64),
}

/// Makes the keys of all devices, with as many threads as there are processors.
pub(super) async fn keys(pool: &Arc<KeyPool>, count: u32) -> Result<Vec<DeviceKey>> {
    let threads = std::thread::available_parallelism().map_or(1, |threads| u32::try_from(threads.get()).unwrap_or(1));
    let mut making = JoinSet::new();
    for first in 0..threads {
        let pool = Arc::clone(pool);
        making.spawn_blocking(move || {
            for prime in (first..KeyPool::primes_for(count)).step_by(threads as usize) {
                pool.prepare(prime);
            }
            let own = (first..count).step_by(threads as usize);
            own.map(|number| Ok((number, pool.key(number)?))).collect::<Result<Vec<_>>>()
        });
    }
    let mut keys = Vec::new();
    while let Some(made) = making.join_next().await {
        keys.extend(made.context("the keys of the devices cannot be made")??);
    }
    keys.sort_unstable_by_key(|(number, _)| *number);
    Ok(keys.into_iter().map(|(_, key)| key).collect())
}

impl Fleet {
    /// Runs all devices to their end; `stop` ends them early, each after the session that it is in.
    pub(super) async fn run(self: &Arc<Self>, keys: Vec<DeviceKey>, stop: watch::Sender<bool>) -> Result<()> {
        let began = Instant::now();
        let gate = Arc::new(Semaphore::new(self.plan.parallel));
        // Devices that have still to enroll.
        let waiting = Arc::new(AtomicUsize::new(keys.len()));
        let (all_in, mut is_all_in) = watch::channel(keys.is_empty());
        let all_in = Arc::new(all_in);
        let mut devices = JoinSet::new();
        let mut lines = Vec::new();
        let count = keys.len() as u32;
        for ((number, key), profile) in (0..).zip(keys).zip(self.plan.profiles.clone()) {
            let (line, arrivals) = mpsc::channel(MOST_WAITING);
            lines.push(line);
            let member = Member {
                fleet: Arc::clone(self),
                number,
                profile,
                at: began + self.plan.ramp.mul_f64(f64::from(number) / f64::from(count)),
                gate: Arc::clone(&gate),
                stop: stop.subscribe(),
                arrivals,
                calls: 0,
            };
            let (waiting, all_in) = (Arc::clone(&waiting), Arc::clone(&all_in));
            let enrolled = move || {
                if waiting.fetch_sub(1, Ordering::Relaxed) == 1 {
                    all_in.send_replace(true);
                }
            };
            devices.spawn(member.live(key, enrolled));
        }
        let clock = async {
            let _ = is_all_in.wait_for(|all_in| *all_in).await;
            let calls = async {
                match self.plan.pace {
                    Pace::Rate(rate) => {
                        let (figures, seed, sessions) = (&self.figures, &self.seed, self.plan.sessions);
                        Arrivals { figures, seed, rate, sessions }.call(lines, stop.subscribe()).await;
                    }
                    Pace::Schedule | Pace::Every(_) => drop(lines),
                }
                // Devices take the calls that wait for them, and end when there are no more.
                std::future::pending::<()>().await;
            };
            match self.plan.duration {
                Some(duration) => {
                    let _ = tokio::time::timeout(duration, calls).await;
                }
                None => calls.await,
            }
            stop.send_replace(true);
        };
        let ended = async {
            while let Some(ended) = devices.join_next().await {
                ended.context("a device broke down")??;
            }
            Ok(())
        };
        let mut ended = std::pin::pin!(ended);
        tokio::select! {
            ended = &mut ended => ended,
            () = clock => ended.await,
        }
    }
}

/// One device and what its life depends on.
struct Member {
    fleet: Arc<Fleet>,
    number: u32,
    profile: Profile,
    /// When it enrolls.
    at: Instant,
    gate: Arc<Semaphore>,
    stop: watch::Receiver<bool>,
    arrivals: mpsc::Receiver<Instant>,
    /// Sessions that it has held at its calls.
    calls: u32,
}

impl Member {
    async fn live(mut self, key: DeviceKey, enrolled: impl FnOnce()) -> Result<()> {
        if !self.wait_until(self.at).await {
            return Ok(());
        }
        let permit = self.gate.acquire().await?;
        let pc = Pc::enroll(&self.fleet, self.number, self.profile, key).await;
        drop(permit);
        enrolled();
        let Some(mut pc) = pc? else { return Ok(()) };
        self.call(&mut pc).await?;
        self.leave_the_rest();
        if self.fleet.plan.settles && !pc.managed().is_gone() {
            self.settle(&mut pc).await?;
        }
        Ok(())
    }

    /// Sessions until the run ends, the device is gone, or it has held as many as it should.
    async fn call(&mut self, pc: &mut Pc) -> Result<()> {
        let plan = self.fleet.plan.clone();
        let mut due = Instant::now();
        while plan.sessions.is_none_or(|most| self.calls < most) && !pc.managed().is_gone() {
            let is_on = match plan.pace {
                Pace::Rate(_) => match self.next_arrival().await {
                    Some(arrival) => {
                        due = arrival;
                        true
                    }
                    None => false,
                },
                Pace::Schedule | Pace::Every(_) => self.wait_until(due).await,
            };
            if !is_on {
                return Ok(());
            }
            // A device whose session was cut off goes on at its next call, as after a restart.
            if pc.session(due, &plan.faults).await? == End::Leaving {
                pc.session(Instant::now(), &plan.faults).await?;
            }
            let wait = match plan.pace {
                Pace::Every(interval) => interval,
                _ => pc.managed().schedule().wait_after(self.calls),
            };
            due += wait.div_f64(plan.time_scale);
            self.calls += 1;
        }
        Ok(())
    }

    /// The calls that the device does not take any more have no session. Where it was to hold no more of them, none is
    /// missing.
    fn leave_the_rest(&mut self) {
        self.arrivals.close();
        let left = std::iter::from_fn(|| self.arrivals.try_recv().ok()).count();
        if self.fleet.plan.sessions.is_none_or(|most| self.calls < most) {
            self.fleet.figures.not_started(left as u64);
        }
    }

    /// Sessions without faults until one ends as it should: what was on its way is told then. All devices come to this at
    /// the same moment, but do not call at once: a server takes so many connections of one address only.
    async fn settle(&self, pc: &mut Pc) -> Result<()> {
        let _permit = self.gate.acquire().await?;
        for _ in 0..MOST_TRIES {
            if pc.managed().is_gone() || pc.session(Instant::now(), &Faults::default()).await? == End::Done {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Waits; whether the run still goes on then.
    async fn wait_until(&mut self, due: Instant) -> bool {
        tokio::select! {
            biased;
            _ = self.stop.wait_for(|stop| *stop) => false,
            () = tokio::time::sleep_until(due.into()) => true,
        }
    }

    /// The next call of the run; `None` when it ends.
    async fn next_arrival(&mut self) -> Option<Instant> {
        tokio::select! {
            biased;
            _ = self.stop.wait_for(|stop| *stop) => None,
            arrival = self.arrivals.recv() => arrival,
        }
    }
}

/// Most calls that wait for one device.
const MOST_WAITING: usize = 64;
/// Most sessions with which a device brings its affairs in order.
const MOST_TRIES: u32 = 3;
