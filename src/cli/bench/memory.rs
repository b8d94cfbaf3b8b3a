//! Starts: how long until the first session, how much memory then, and how much an idle connection takes.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::Wanted;
use super::fleet::{AT_ONCE, Speech};
use super::load::{Guest, Stay, Visit, drive};
use super::measure::{Bench, Session};
use super::process::resident_bytes;
use super::report::Figure;
use super::statistics::{Pair, median};

/// Starts of which the middle one counts.
const STARTS: usize = 3;
/// Idle connections that are held, about; with more devices each holds one.
const HELD: usize = 900;

/// Idle connections for each device.
fn each(devices: usize) -> usize {
    (HELD / devices.max(1)).clamp(1, 3)
}

/// The figures that are wanted.
pub(super) async fn figures(bench: &mut Bench, wanted: &Wanted) -> Result<Vec<Figure>> {
    let (mut seconds, mut cold, mut idle) = (Vec::new(), Vec::new(), Vec::new());
    bench.speak(Speech::Tls12)?;
    let starts = bench.extent.rounds.min(STARTS);
    for _ in 0..starts {
        let started = restart(bench).await?;
        seconds.push(started.seconds);
        cold.push(started.cold);
        if wanted.has("P-09") {
            idle.push(idle_connections(bench).await?);
        }
    }
    let mut figures = Vec::new();
    if wanted.has("P-09") {
        let bytes = |side: fn(&Pair) -> f64| median(idle.iter().map(side)).round();
        let connections = each(bench.pcs.len()) * bench.pcs.len();
        let figure = Figure::of_pairs("P-09", &idle).with("connections", connections);
        figures.push(figure.with("ours_bytes", bytes(|pair| pair.ours)).with("bare_bytes", bytes(|pair| pair.bare)));
    }
    if wanted.has("P-13") {
        figures.push(start_figure(&seconds, bench.pcs.len()));
    }
    if wanted.has("P-17") {
        let bytes = std::fs::metadata(std::env::current_exe()?)?.len();
        figures.push(Figure::single("P-17", bytes as f64 / 1e6).with("optimised", !cfg!(debug_assertions)));
    }
    if wanted.has("P-17-rss") {
        figures.push(Figure::single("P-17-rss", median(cold) / 1e6));
    }
    Ok(figures)
}

/// P-13 of several starts.
pub(super) fn start_figure(seconds: &[f64], devices: usize) -> Figure {
    Figure::single("P-13", median(seconds.iter().copied())).with("devices", devices)
}

/// A start.
pub(super) struct Started {
    /// From the start of the process to the end of the first session.
    pub(super) seconds: f64,
    /// Bytes of memory when it takes connections.
    cold: f64,
}

/// Stops the server in order and starts it once more.
pub(super) async fn restart(bench: &mut Bench) -> Result<Started> {
    bench.fleet.stop()?;
    let began = Instant::now();
    bench.fleet.serve()?;
    bench.follow_servers()?;
    let cold = resident_bytes(bench.fleet.server()?.pid())? as f64;
    bench.pcs.last_mut().context("there is no device")?.visit().await?;
    Ok(Started { seconds: began.elapsed().as_secs_f64(), cold })
}

/// Bytes that each idle connection takes, of either server; both have just been started.
async fn idle_connections(bench: &mut Bench) -> Result<Pair> {
    let trace = bench.record(&Session { speech: Speech::Tls12, commands: Vec::new() }).await?;
    bench.bare = bench.fleet.bare()?;
    bench.follow_servers()?;
    let replays = bench.replays(Speech::Tls12, trace.for_bare(&bench.bare.device_url))?;
    let (replays, tally) = drive(replays, bench.pcs.len(), AT_ONCE).await?;
    tally.check()?;
    let (bare, _) = held(replays, bench.bare.pid()).await?;
    let (ours, pcs) = held(std::mem::take(&mut bench.pcs), bench.fleet.server()?.pid()).await?;
    bench.pcs = pcs;
    Ok(Pair { ours, bare })
}

/// Lets every visitor leave connections open; bytes for each.
async fn held<V: Stay>(visitors: Vec<V>, pid: u32) -> Result<(f64, Vec<V>)> {
    let before = resident_bytes(pid)?;
    let connections = each(visitors.len()) * visitors.len();
    let guests = visitors.into_iter().map(|visitor| Guest { visitor, held: Vec::new() }).collect();
    let (guests, tally) = drive(guests, connections, AT_ONCE).await?;
    tally.check()?;
    tokio::time::sleep(REST).await;
    let bytes = resident_bytes(pid)?.saturating_sub(before) as f64 / connections as f64;
    Ok((bytes, guests.into_iter().map(|guest| guest.visitor).collect()))
}

/// Until what was written behind the answers is done.
const REST: Duration = Duration::from_millis(500);
