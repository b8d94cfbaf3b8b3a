//! Durability: how many durable writes a second many devices get out of the disk, and what a single device waits for one,
//! compared with bare syncs on the same disk.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::Wanted;
use super::fleet::Speech;
use super::load::{Pc, Trace};
use super::measure::{Bench, Session};
use super::report::Figure;
use super::sessions::two_commands;
use super::statistics::{Pair, median};

/// Durable commits of a session with two commands: the offer, and the results.
const COMMITS: f64 = 2.0;
/// How long bare syncs are counted.
const SYNCS_FOR: Duration = Duration::from_millis(400);
/// Sessions of the single device in a round.
const ALONE: usize = 16;

/// The figures that are wanted.
pub(super) async fn figures(bench: &mut Bench, wanted: &Wanted) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    if wanted.has("P-07") {
        figures.push(writes(bench).await?);
    }
    if wanted.has("P-08") {
        figures.push(wait(bench).await?);
    }
    Ok(figures)
}

/// Durable writes a second of many devices.
async fn writes(bench: &mut Bench) -> Result<Figure> {
    let session = Session { speech: Speech::Resumed, commands: two_commands() };
    bench.speak(Speech::Resumed)?;
    let count = bench.pcs.len();
    bench.hold(&session, count).await?;
    let mut pairs = Vec::new();
    for _ in 0..bench.extent.rounds {
        let before = syncs(&bench.fleet.data())?;
        let (tally, _) = bench.hold(&session, count).await?;
        let after = syncs(&bench.fleet.data())?;
        let bare = 2e6 / (median(before) + median(after));
        pairs.push(Pair { ours: COMMITS * count as f64 / tally.wall.as_secs_f64(), bare });
    }
    Ok(per_second(Figure::of_pairs("P-07", &pairs), &pairs))
}

fn per_second(figure: Figure, pairs: &[Pair]) -> Figure {
    let rate = |side: fn(&Pair) -> f64| median(pairs.iter().map(side)).round();
    figure.with("ours_per_second", rate(|pair| pair.ours)).with("bare_per_second", rate(|pair| pair.bare))
}

/// How much longer a durable message takes a device that is alone.
async fn wait(bench: &mut Bench) -> Result<Figure> {
    bench.speak(Speech::Tls12)?;
    let mut pairs = Vec::new();
    for _ in 0..bench.extent.rounds {
        let (mut added, mut bare) = (Vec::new(), Vec::new());
        for _ in 0..ALONE {
            let mut one = vec![bench.pcs.pop().context("there is no device")?];
            // The first session makes the connection, on which the others are held.
            timed(&mut one).await?;
            let quiet = median(timed(&mut one).await?.micros());
            bench.fleet.queue(&one, &two_commands()).await?;
            let trace = timed(&mut one).await?;
            added.push((trace.micros().sum::<f64>() - trace.messages() as f64 * quiet) / COMMITS);
            bare.push(sync_once(&bench.fleet.data())?);
            one.iter_mut().for_each(|pc| pc.client.close());
            bench.pcs.extend(one);
        }
        pairs.push(Pair { ours: median(added), bare: median(bare) });
    }
    let micros = |side: fn(&Pair) -> f64| median(pairs.iter().map(side)).round();
    let figure = Figure::of_pairs("P-08", &pairs);
    Ok(figure.with("ours_us", micros(|pair| pair.ours)).with("bare_us", micros(|pair| pair.bare)))
}

/// A session of the one device, with its times; the connection stays open.
async fn timed(one: &mut [Pc]) -> Result<Trace> {
    let pc = one.first_mut().context("there is no device")?;
    pc.trace = Some(Trace::default());
    pc.session().await?;
    pc.trace.take().context("no session was written down")
}

/// How long appending a page and syncing it takes, each time, in microseconds.
fn syncs(folder: &Path) -> Result<Vec<f64>> {
    let path = folder.join("bench.sync");
    let mut file = File::create(&path)?;
    let (began, mut times) = (Instant::now(), Vec::new());
    while began.elapsed() < SYNCS_FOR {
        times.push(sync(&mut file)?);
    }
    std::fs::remove_file(path)?;
    Ok(times)
}

fn sync_once(folder: &Path) -> Result<f64> {
    let path = folder.join("bench.sync");
    let mut file = File::options().create(true).append(true).open(&path)?;
    sync(&mut file)
}

fn sync(file: &mut File) -> Result<f64> {
    let began = Instant::now();
    file.write_all(&[0x5A; 4096])?;
    file.sync_data()?;
    Ok(began.elapsed().as_secs_f64() * 1e6)
}
