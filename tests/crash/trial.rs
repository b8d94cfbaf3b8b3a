//! The trial: devices in session, orders coming in, and a server that dies again and again at places of our choice.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use super::chance::Chance;
use super::oracle::{Count, Findings};
use super::orders::{Book, Clerk, Office};
use super::pc::{Pc, Remains};
use super::site::{Alarm, Site, Stage};
use crate::support::device::FakeDevice;
use crate::support::server::Server;

/// Orders that may wait for a clerk.
const MOST_WISHES: usize = 4;
const CLERKS: usize = 4;
/// Longest until an armed place is reached often enough.
const DIES_WITHIN: Duration = Duration::from_secs(60);

/// Kills between two words of progress.
const PROGRESS_EVERY: usize = 100;

/// One end of the server.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Death {
    /// At one of the places of `muster::failpoint`.
    At(&'static str),
    /// At any moment, by `kill -9`.
    AnyTime,
}

pub(crate) struct Trial {
    pub(crate) seed: u64,
    pub(crate) devices: usize,
    /// In this order.
    pub(crate) deaths: Vec<Death>,
    /// Times, at most, that a place is passed, or a message answered, before the server dies.
    pub(crate) most_passes: u64,
    /// Most devices that are wiped.
    pub(crate) wipes: u64,
}

/// What came of a trial.
pub(crate) struct Report {
    seed: u64,
    devices: usize,
    reaper: Reaper,
    findings: Findings,
    /// Devices that were wiped.
    erased: usize,
    site: Site,
    took: Duration,
}

impl Trial {
    /// Runs the trial, waits until everything is at rest, and judges.
    pub(crate) fn run(self) -> Report {
        let began = Instant::now();
        let mut chance = Chance::new(self.seed);
        let mut server = Server::start_with(&[("MUSTER__LIMITS__DEVICE_REQUESTS_PER_MINUTE", "1000000")]);
        let fleet: Vec<(String, FakeDevice)> = (0..self.devices).map(|_| enroll(&server)).collect();
        let (site, book) = (Site::new(&server), Book::default());
        let mut reaper = Reaper::new(chance.fork(), self.most_passes);
        let remains = self.turmoil(&mut server, &mut chance, &mut reaper, (&site, &book), fleet);
        let findings = Findings::judge(&server.api(), &book.into_orders(), &remains);
        assert!(!server.log().contains("panicked"), "the server panicked:\n{}", server.log());
        Report {
            seed: self.seed,
            devices: self.devices,
            reaper,
            findings,
            erased: remains.iter().filter(|device| device.is_erased).count(),
            site,
            took: began.elapsed(),
        }
    }

    /// Everything at once; returns when nothing is left to do for any device.
    fn turmoil(
        &self,
        server: &mut Server,
        chance: &mut Chance,
        reaper: &mut Reaper,
        (site, book): (&Site, &Book),
        fleet: Vec<(String, FakeDevice)>,
    ) -> Vec<Remains> {
        let (wishes, wished) = sync_channel(MOST_WISHES);
        let office = Office {
            site,
            book,
            devices: fleet.iter().map(|(id, _)| id.clone()).collect(),
            wishes: Mutex::new(wished),
            seed: self.seed,
            wipes_left: AtomicU64::new(self.wipes),
            tls: server.tls(),
            token: server.token(),
        };
        thread::scope(|scope| {
            let _alarm = Alarm(site);
            let devices = switch_on(scope, site, chance, fleet, wishes);
            let clerks = employ(scope, &office, chance);
            reaper.reap_all(server, site, &self.deaths);
            assert!(server.restart_under(&[]), "the server does not start; its log:\n{}", server.log());
            site.serves(server);
            site.enter(Stage::Draining);
            clerks.into_iter().for_each(|clerk| clerk.join().expect("a clerk does not fail"));
            site.enter(Stage::Resting);
            devices.into_iter().map(|device| device.join().expect("a device does not fail")).collect()
        })
    }
}

/// The devices, each in a thread of its own.
fn switch_on<'scope>(
    scope: &'scope Scope<'scope, '_>,
    site: &'scope Site,
    chance: &mut Chance,
    fleet: Vec<(String, FakeDevice)>,
    wishes: SyncSender<usize>,
) -> Vec<ScopedJoinHandle<'scope, Remains>> {
    let switch_on = |(number, enrolled)| {
        let pc = Pc::new(site, number, enrolled, chance.fork(), wishes.clone());
        scope.spawn(|| {
            let _alarm = Alarm(site);
            pc.live()
        })
    };
    fleet.into_iter().enumerate().map(switch_on).collect()
}

/// The clerks, likewise.
fn employ<'scope>(
    scope: &'scope Scope<'scope, '_>,
    office: &'scope Office<'scope>,
    chance: &mut Chance,
) -> Vec<ScopedJoinHandle<'scope, ()>> {
    let employ = |_| {
        let clerk = Clerk::new(office, chance.fork());
        scope.spawn(|| {
            let _alarm = Alarm(office.site);
            clerk.work();
        })
    };
    (0..CLERKS).map(employ).collect()
}

fn enroll(server: &Server) -> (String, FakeDevice) {
    let (device, _) = FakeDevice::new(server);
    (device.id(server), device)
}

/// Lets the server die, and brings it back.
struct Reaper {
    chance: Chance,
    most_passes: u64,
    kills: BTreeMap<&'static str, u64>,
    /// Deaths before the server was ready again.
    at_start: u64,
    /// Armed places that were not reached in time.
    not_reached: Vec<&'static str>,
}

impl Reaper {
    fn new(chance: Chance, most_passes: u64) -> Self {
        Self { chance, most_passes, kills: BTreeMap::new(), at_start: 0, not_reached: Vec::new() }
    }

    fn reap_all(&mut self, server: &mut Server, site: &Site, deaths: &[Death]) {
        for (number, death) in (1..).zip(deaths) {
            self.reap(server, site, *death);
            if number % PROGRESS_EVERY == 0 {
                eprintln!("{number} of {} kills, {} messages", deaths.len(), site.messages());
            }
        }
    }

    /// One life of the server, to its end.
    fn reap(&mut self, server: &mut Server, site: &Site, death: Death) {
        assert!(!site.has_failed(), "another part of the trial failed");
        let passes = self.chance.below(self.most_passes);
        match death {
            Death::At(place) => {
                let action = if passes == 0 { "return".to_owned() } else { format!("{passes}*off->return") };
                if server.restart_under(&[("FAILPOINTS", &format!("{place}={action}"))]) {
                    site.serves(server);
                    if !server.dies_within(DIES_WITHIN) {
                        self.not_reached.push(place);
                        return;
                    }
                } else {
                    self.at_start += 1;
                }
                *self.kills.entry(place).or_default() += 1;
            }
            Death::AnyTime => {
                assert!(server.restart_under(&[]), "the server does not start; its log:\n{}", server.log());
                site.serves(server);
                site.wait_for_messages(passes);
                server.kill9();
                *self.kills.entry("kill -9").or_default() += 1;
            }
        }
    }
}

impl Report {
    /// Asserts that nothing was lost, doubled or contradicted.
    #[track_caller]
    pub(crate) fn expect_clean(&self) {
        assert!(self.findings.is_clean(), "{self}\n{:#?}", self.findings);
        assert!(
            self.reaper.not_reached.is_empty(),
            "places that were not reached: {:?}\n{self}",
            self.reaper.not_reached
        );
    }

    fn kills(&self) -> u64 {
        self.reaper.kills.values().sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
        let tally = &self.site.tally;
        writeln!(f, "seed {}: {} devices, {} kills in {:.1?}", self.seed, self.devices, self.kills(), self.took)?;
        for (place, kills) in &self.reaper.kills {
            writeln!(f, "  killed at {place}: {kills}")?;
        }
        writeln!(f, "  of these before the server was ready: {}", self.reaper.at_start)?;
        writeln!(f, "  messages answered: {}, sessions: {}", self.site.messages(), count(&tally.sessions))?;
        writeln!(f, "  retransmissions: {}, given up: {}", count(&tally.retransmissions), count(&tally.given_up))?;
        writeln!(f, "  orders sent again: {}, \"later\": {}", count(&tally.repeated_orders), count(&tally.busy))?;
        writeln!(f, "  devices wiped: {}", self.erased)?;
        for (kind, count) in &self.findings.by_kind {
            let states = self.findings.states.iter().filter(|((of, _), _)| of == kind);
            let states: Vec<String> = states.map(|((_, state), n)| format!("{state} {n}")).collect();
            let Count { orders, accepted, executions } = count;
            writeln!(
                f,
                "  {kind:?}: {orders} orders, {accepted} accepted, {executions} executions; {}",
                states.join(", ")
            )?;
        }
        let (lost, doubled) = (self.findings.lost.len(), self.findings.doubled.len());
        write!(f, "  lost {lost}, doubled {doubled}, contradicted {}", self.findings.contradicted.len())
    }
}
