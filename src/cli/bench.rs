//! `muster bench`: what sessions cost this server, as ratios to a bare server that does the same TLS and moves the same
//! bytes and does nothing else. Both run in turn on this machine, so that its speed and its load cancel out.

mod against;
mod bare;
mod catalogue;
mod disk;
mod enrollment;
mod fleet;
mod handshakes;
mod load;
mod machine;
mod measure;
mod memory;
mod parse;
mod peer;
mod plot;
mod process;
mod rate;
mod report;
mod scale;
mod sessions;
mod statistics;
mod targets;

use std::fs::OpenOptions;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;
use time::format_description::well_known::Rfc3339;

use self::against::AgainstArgs;
use self::measure::{Bench, Extent};
use self::process::Cores;
use self::report::{Measured, Report};
use self::targets::Targets;
use super::output::{Out, remark};
use super::serve::Signals;
use super::{Globals, Usage};
use crate::adapters::system::SystemClock;
use crate::config::DatabaseUrl;

pub(super) use bare::{BareArgs, run as run_bare};

/// `muster bench`
#[derive(Debug, Args)]
pub(super) struct BenchArgs {
    /// Rounds of measuring; each has two turns of either server.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: u16,
    /// Few devices and few rounds: to see that it works, not to judge by.
    #[arg(long)]
    quick: bool,
    /// Enrolled devices; 64 call at a time. Default 320, with --quick 32.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    devices: Option<u16>,
    /// Only these figures, by their ids.
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    only: Vec<String>,
    /// The database: sqlite, or postgres:// of an empty one, which is empty again afterwards; given twice, both.
    #[arg(long, value_name = "URL", default_value = "sqlite", value_parser = database)]
    database: Vec<String>,
    /// Fill the database, and see what that does to sessions: 100,000 devices with ten million rows. It takes some minutes
    /// and a few gigabytes.
    #[arg(long, conflicts_with_all = ["only", "against"])]
    scale: bool,
    /// Fill it up to this many devices.
    #[arg(long, value_name = "N", requires = "scale", default_value_t = 100_000,
        value_parser = clap::value_parser!(u32).range(1000..=1_000_000))]
    scale_to: u32,
    /// Write the costs at each size of the fleet to this file, as SVG.
    #[arg(long, value_name = "FILE", requires = "scale")]
    plot: Option<PathBuf>,
    #[command(flatten)]
    against: AgainstArgs,
    /// Fail if a figure is beyond its target: a TOML file such as docs/bench/targets.toml.
    #[arg(long, value_name = "FILE", conflicts_with = "against")]
    check: Option<PathBuf>,
    /// Append the document to this file, as one line.
    #[arg(long, value_name = "FILE", conflicts_with = "against")]
    record: Option<PathBuf>,
}

/// Which figures are wanted.
struct Wanted(Vec<String>);

impl Wanted {
    fn new(only: Vec<String>) -> Result<Self> {
        match only.iter().find(|id| catalogue::name(id).is_none()) {
            Some(id) => Err(Usage(format!("--only: {id} is no figure; they are {}", catalogue::ids())).into()),
            None => match only.iter().find(|id| GROWN.contains(&id.as_str())) {
                Some(id) => Err(Usage(format!("--only: {id} is measured with --scale alone")).into()),
                None => Ok(Self(only)),
            },
        }
    }

    fn has(&self, id: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|wanted| wanted == id)
    }
}

/// The name of the database in the folder of the run, or a URL of one on a server.
fn database(text: &str) -> Result<String, String> {
    let is_on_server = || Ok::<_, String>(DatabaseUrl::try_from(text.to_owned())?.sqlite_path().is_none());
    if text == IN_FILE || is_on_server()? {
        return Ok(text.to_owned());
    }
    Err("sqlite, which lies in the folder of the run, or a postgres:// URL".to_owned())
}

/// What is measured while the fleet grows.
const GROWN: [&str; 2] = ["P-10", "P-10-work"];
const IN_FILE: &str = "sqlite";
const ON_SERVER: &str = "postgresql";

pub(super) async fn run(globals: &Globals, out: &Out, args: BenchArgs) -> Result<()> {
    let wanted = Wanted::new(args.only.clone())?;
    // Before minutes pass.
    let gate = args.check.as_deref().map(Targets::read).transpose()?;
    // With all its cores, before the devices keep to one.
    let machine = machine::describe(&std::env::temp_dir());
    let cores = Cores::find();
    match cores {
        Some(cores) => cores.pin_client()?,
        None => remark("one core for servers and devices: figures wander more than they should"),
    }
    let (rounds, devices) = if args.quick { (args.rounds.min(2), 32) } else { (args.rounds, 320) };
    let extent = Extent { rounds: rounds.into(), devices: args.devices.unwrap_or(devices).into() };
    if args.against.against.is_some() {
        return against::run(globals, out, &args.against, extent.devices, extent.rounds).await;
    }
    // What cannot be written is known before minutes pass.
    for file in args.plot.iter().chain(&args.record) {
        OpenOptions::new().create(true).append(true).open(file).with_context(|| file.display().to_string())?;
    }
    let mut end = Signals::listen()?;
    tokio::select! {
        result = measure_all(out, &args, &wanted, machine, (cores, extent), gate) => result,
        // The servers and the folder of the run go with what is given up.
        () = end.wait() => bail!("stopped by a signal"),
    }
}

/// Measures on each database, and tells what came of it.
async fn measure_all(
    out: &Out,
    args: &BenchArgs,
    wanted: &Wanted,
    machine: Value,
    (cores, extent): (Option<Cores>, Extent),
    gate: Option<Targets>,
) -> Result<()> {
    let targets = gate.clone().map_or_else(Targets::shipped, Ok)?;
    let mut reports = Vec::with_capacity(args.database.len());
    for database in &args.database {
        let url = Some(database.as_str()).filter(|url| *url != IN_FILE);
        let devices = if args.scale { usize::try_from(scale::CALLING)? } else { extent.devices };
        let mut bench = Bench::start(cores, url, Extent { devices, ..extent }).await?;
        let measured = if args.scale {
            let growth = scale::grow(&mut bench, cores, args.scale_to).await;
            growth.map(|growth| Measured { figures: growth.figures, growth: growth.points, skipped: Vec::new() })
        } else {
            measure(&mut bench, wanted).await
        };
        finish(bench).await?;
        let measured = measured?;
        let name = if url.is_some() { ON_SERVER } else { IN_FILE };
        let at = SystemClock.now().format(&Rfc3339)?;
        reports.push(Report { machine: machine.clone(), database: name, measured, at });
    }
    if let Some(file) = &args.plot {
        let drawn = reports.first().map(|report| plot::svg(&report.measured.growth, report.database));
        std::fs::write(file, drawn.unwrap_or_default()).with_context(|| file.display().to_string())?;
    }
    report::print(&reports, out, &targets)?;
    if let Some(file) = &args.record {
        report::record(&reports, file, &targets)?;
    }
    let is_wanted = |id: &str| match args.scale {
        true => GROWN.contains(&id) || id == "P-13",
        false => !GROWN.contains(&id) && wanted.has(id),
    };
    gate.map_or(Ok(()), |gate| report::check(&reports, &gate, is_wanted))
}

/// The figures that are wanted, of one database.
async fn measure(bench: &mut Bench, wanted: &Wanted) -> Result<Measured> {
    let mut measured = Measured { figures: sessions::figures(bench, wanted).await?, ..Measured::default() };
    if wanted.has("P-04") {
        tell("P-04");
        match peer::figure(bench).await? {
            Ok(figure) => measured.figures.push(figure),
            Err(why) => measured.skipped.push(("P-04", why)),
        }
    }
    if wanted.has("P-05") {
        tell("P-05");
        measured.figures.push(parse::figure(bench.extent.rounds).await?);
    }
    if wanted.has("P-06") {
        tell("P-06");
        measured.figures.push(enrollment::figure(bench).await?);
    }
    // The work of a database server is not the program's, nor is its disk.
    let is_elsewhere = bench.fleet.database().is_some();
    for id in ["P-07", "P-08", "P-14"].into_iter().filter(|id| is_elsewhere && wanted.has(id)) {
        measured.skipped.push((id, "the database server does the work, in other processes".to_owned()));
    }
    if !is_elsewhere {
        measured.figures.extend(disk::figures(bench, wanted).await?);
    }
    if wanted.has("P-14") && !is_elsewhere {
        tell("P-14");
        measured.figures.push(rate::figure(bench).await?);
    }
    if wanted.has("P-16") {
        tell("P-16");
        measured.figures.push(handshakes::figure(bench).await?);
    }
    if ["P-09", "P-13", "P-17", "P-17-rss"].iter().any(|id| wanted.has(id)) {
        measured.figures.extend(memory::figures(bench, wanted).await?);
    }
    measured.figures.sort_by_key(report::Figure::id);
    Ok(measured)
}

/// Ends the servers. A database on a server is emptied: it was empty before, or it would not have been taken.
async fn finish(mut bench: Bench) -> Result<()> {
    bench.fleet.stop()?;
    if bench.fleet.database().is_some() {
        let store = bench.fleet.store().await?;
        let cleared = store.clear().await;
        store.close().await;
        cleared.context("the database could not be emptied")?;
    }
    Ok(())
}

/// What is measured now.
fn tell(id: &str) {
    remark(&format!("{id}: {} …", catalogue::name(id).unwrap_or_default()));
}
