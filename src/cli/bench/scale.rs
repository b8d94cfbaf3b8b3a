//! `muster bench --scale`: what a session costs when the fleet is large and has a history. The same hundred devices call
//! while around them the database grows to 100,000 devices and ten million rows of history.
//!
//! Time wanders; what the database does does not. So beside the processor time stand the steps of SQLite's virtual machine,
//! and of PostgreSQL the blocks that it reads.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::fleet::Speech;
use super::measure::{Bench, Session};
use super::memory::{restart, start_figure};
use super::process::Cores;
use super::report::Figure;
use super::sessions::two_commands;
use super::statistics::{Ratio, median};
use crate::cli::output::remark;
use crate::store::Template;

/// Devices that call; the first size.
pub(super) const CALLING: u32 = 100;
/// Devices of the fleet that the figures are about.
const FLEET: u32 = 100_000;
/// Rows that each device has in the end, its history included.
const ROWS_EACH: usize = 100;
/// Readings of the work of a session, of which the middle one counts: upkeep may fall into one.
const READINGS: usize = 3;
/// Sessions of each device between two readings.
const VISITS: usize = 2;
/// What sessions left is written by then.
const WRITTEN_LATER: Duration = Duration::from_millis(1500);
/// PostgreSQL's connections tell their counts when they have rested for ten seconds, if not before.
const COUNTED_LATER: Duration = Duration::from_millis(11_500);

/// What `--scale` brought.
pub(super) struct Growth {
    pub(super) figures: Vec<Figure>,
    /// A document for each size of the fleet.
    pub(super) points: Vec<Value>,
}

/// A session at one size.
struct Cost {
    /// Processor time as a multiple of the bare server's.
    ratio: Ratio,
    /// How far the bare server wandered.
    wander: f64,
    micros: f64,
    /// Steps or blocks.
    work: f64,
}

/// The costs at one size of the fleet.
struct Point {
    devices: u32,
    rows: usize,
    noop: Cost,
    commands: Cost,
}

/// Measures at each of the sizes; they grow, and the first is that of the devices that call.
pub(super) async fn grow(bench: &mut Bench, cores: Option<Cores>, largest: u32) -> Result<Growth> {
    let template = Arc::new(furnish(bench).await?);
    let unit = if bench.fleet.database().is_some() { "blocks" } else { "steps" };
    let (mut points, mut copies, mut devices, mut starts) = (Vec::new(), 1, CALLING, Vec::new());
    loop {
        let rows = template.rows() * usize::try_from(copies)?;
        remark(&format!("{devices} devices, {rows} rows …"));
        points.push(measure(bench, devices, rows).await?);
        if devices >= largest {
            break;
        }
        devices = (devices * 10).min(largest);
        let next = devices / CALLING;
        starts = vec![fill(bench, &template, copies..next, cores).await?];
        copies = next;
    }
    let mut figures = quotients(&points, unit)?;
    starts.push(restart(bench).await?.seconds);
    figures.push(start_figure(&starts, usize::try_from(devices)?));
    let points = points.iter().map(|point| point.document(unit)).collect();
    Ok(Growth { figures, points })
}

/// Lets the devices hold sessions until each has its history; what they have then.
async fn furnish(bench: &mut Bench) -> Result<Template> {
    loop {
        for commands in [two_commands(), Vec::new()] {
            bench.hold(&Session { speech: Speech::Tls12, commands }, bench.pcs.len()).await?;
        }
        bench.fleet.stop()?;
        let store = bench.fleet.store().await?;
        let template = Template::read(&store).await;
        store.close().await;
        bench.fleet.serve()?;
        bench.follow_servers()?;
        let template = template?;
        if template.rows() >= ROWS_EACH * bench.pcs.len() {
            return Ok(template);
        }
    }
}

/// Fills the database, and starts the server on it: seconds to the first session.
async fn fill(
    bench: &mut Bench,
    template: &Arc<Template>,
    copies: std::ops::Range<u32>,
    cores: Option<Cores>,
) -> Result<f64> {
    bench.fleet.stop()?;
    cores.map_or(Ok(()), Cores::use_both)?;
    let (began, mut told) = (Instant::now(), Instant::now());
    let (first, last) = (copies.start, copies.end);
    let store = bench.fleet.store().await?;
    let filled = template.copy(&store, copies, |copy| {
        if told.elapsed() > Duration::from_secs(10) {
            told = Instant::now();
            remark(&format!("  {} of {last} parts are filled", copy + 1));
        }
    });
    let filled = filled.await;
    store.close().await;
    filled?;
    let rows = template.rows() as f64 * f64::from(last - first);
    let seconds = began.elapsed().as_secs_f64();
    remark(&format!("  {rows} rows in {seconds:.0} s, {:.0} a second", rows / seconds));
    cores.map_or(Ok(()), Cores::pin_client)?;
    Ok(restart(bench).await?.seconds)
}

async fn measure(bench: &mut Bench, devices: u32, rows: usize) -> Result<Point> {
    if bench.fleet.database().is_some() {
        // Else a database server would do that while sessions are measured, and the next size be measured on the litter of the one
        // before.
        let store = bench.fleet.store().await?;
        let done = store.vacuum().await;
        store.close().await;
        done?;
    }
    let noop = cost(bench, Vec::new()).await?;
    let commands = cost(bench, two_commands()).await?;
    Ok(Point { devices, rows, noop, commands })
}

async fn cost(bench: &mut Bench, commands: Vec<String>) -> Result<Cost> {
    let session = Session { speech: Speech::Tls12, commands };
    let rounds = bench.sessions(&session).await?;
    let mut spans = Vec::with_capacity(READINGS);
    let mut last = read(bench).await?;
    for _ in 0..READINGS {
        for _ in 0..VISITS {
            bench.hold(&session, bench.pcs.len()).await?;
        }
        let next = read(bench).await?;
        spans.push(last.until(&next));
        last = next;
    }
    // What is done while nobody calls is no part of a session.
    let (idle, seconds) = last.until(&read(bench).await?);
    let visits = (VISITS * bench.pcs.len()) as f64;
    let readings: Vec<f64> =
        spans.into_iter().map(|(work, within)| (work - idle / seconds * within) / visits).collect();
    Ok(Cost { ratio: rounds.ratio(), wander: rounds.wander, micros: rounds.ours().0, work: median(readings) })
}

/// What the database has done by a moment, in steps or blocks: for the commands of sessions too, which are queued before.
struct Reading {
    work: f64,
    at: Instant,
}

impl Reading {
    /// What it did until a later one, and the seconds between.
    fn until(&self, later: &Self) -> (f64, f64) {
        (later.work - self.work, (later.at - self.at).as_secs_f64())
    }
}

/// Reads once everything that was done is counted.
async fn read(bench: &Bench) -> Result<Reading> {
    let is_counted_late = bench.fleet.database().is_some();
    tokio::time::sleep(if is_counted_late { COUNTED_LATER } else { WRITTEN_LATER }).await;
    let work = if is_counted_late { blocks(bench).await? } else { steps(bench).await? };
    Ok(Reading { work, at: Instant::now() })
}

async fn blocks(bench: &Bench) -> Result<f64> {
    let store = bench.fleet.store().await?;
    let blocks = store.blocks_read().await;
    store.close().await;
    Ok(blocks?.context("the database server does not tell what it reads")? as f64)
}

async fn steps(bench: &Bench) -> Result<f64> {
    let metrics = bench.fleet.metrics().await?;
    let steps = metrics.lines().find_map(|line| line.strip_prefix("muster_sqlite_steps_total "));
    steps.and_then(|number| number.trim().parse().ok()).context("the server does not tell what SQLite does")
}

/// The figures: the last size compared with the first.
fn quotients(points: &[Point], unit: &'static str) -> Result<Vec<Figure>> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        anyhow::bail!("nothing was measured");
    };
    let time = |cost: fn(&Point) -> &Cost| {
        let (small, large) = (cost(first).ratio, cost(last).ratio);
        Ratio { ratio: large.ratio / small.ratio, low: large.low / small.high, high: large.high / small.low }
    };
    let work = |cost: fn(&Point) -> &Cost| cost(last).work / cost(first).work;
    let (noop, commands) = (time(|point| &point.noop), time(|point| &point.commands));
    let worse = if noop.ratio > commands.ratio { noop } else { commands };
    let (noop_work, commands_work) = (work(|point| &point.noop), work(|point| &point.commands));
    let wander = [&first.noop, &first.commands, &last.noop, &last.commands].map(|cost| cost.wander);
    let wander = wander.into_iter().fold(0.0, f64::max);
    let figures = vec![
        Figure::of_ratio("P-10", worse, wander)
            .with("devices", last.devices)
            .with("rows", last.rows)
            .with("noop", hundredths(noop.ratio))
            .with("two_commands", hundredths(commands.ratio)),
        Figure::single("P-10-work", noop_work.max(commands_work))
            .with("counted", unit)
            .with("noop", hundredths(noop_work))
            .with("two_commands", hundredths(commands_work)),
    ];
    if last.devices >= FLEET {
        return Ok(figures);
    }
    let why = format!("{} devices are fewer than the {FLEET} that it is about", last.devices);
    Ok(figures.into_iter().map(|figure| figure.flawed(why.clone())).collect())
}

fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

impl Point {
    fn document(&self, unit: &str) -> Value {
        let cost = |cost: &Cost| {
            json!({
                "us": hundredths(cost.micros),
                "ratio": hundredths(cost.ratio.ratio),
                unit: hundredths(cost.work),
            })
        };
        json!({
            "devices": self.devices,
            "rows": self.rows,
            "noop": cost(&self.noop),
            "two_commands": cost(&self.commands),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(devices: u32, noop: f64, commands: f64) -> Point {
        let cost =
            |value: f64| Cost { ratio: Ratio::exact(value), wander: 0.0, micros: 100.0 * value, work: 1000.0 * value };
        Point { devices, rows: 0, noop: cost(noop), commands: cost(commands) }
    }

    #[test]
    fn the_worse_session_counts() {
        let figures = quotients(&[point(100, 1.0, 2.0), point(1000, 9.0, 9.0), point(10_000, 1.1, 3.0)], "steps");
        let figures = figures.unwrap();
        let values: Vec<_> = figures.iter().map(|figure| (figure.id(), figure.value())).collect();
        assert_eq!(values, [("P-10", 1.5), ("P-10-work", 1.5)]);
        assert_eq!(figures[0].number("noop"), Some(1.1));
        assert!(quotients(&[], "steps").is_err());
    }
}
