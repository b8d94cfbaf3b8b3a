//! `muster bench`: what sessions cost this server, as ratios to a bare server that does the same TLS and moves the same
//! bytes and does nothing else. Both run in turn on this machine, so that its speed and its load cancel out.

mod bare;
mod catalogue;
mod fleet;
mod load;
mod machine;
mod measure;
mod process;
mod report;
mod sessions;
mod statistics;
mod targets;

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use time::format_description::well_known::Rfc3339;

use self::measure::{Bench, Extent};
use self::process::Cores;
use self::report::Report;
use self::targets::Targets;
use super::Usage;
use super::output::{Out, remark};
use crate::adapters::system::SystemClock;

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
    /// Fail if a figure is beyond its target: a TOML file such as docs/bench/targets.toml.
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
    /// Append the document to this file, as one line.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

/// Which figures are wanted.
struct Wanted(Vec<String>);

impl Wanted {
    fn new(only: Vec<String>) -> Result<Self> {
        match only.iter().find(|id| catalogue::name(id).is_none()) {
            Some(id) => Err(Usage(format!("--only: {id} is no figure; they are {}", catalogue::ids())).into()),
            None => Ok(Self(only)),
        }
    }

    fn has(&self, id: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|wanted| wanted == id)
    }
}

pub(super) async fn run(out: &Out, args: BenchArgs) -> Result<()> {
    let wanted = Wanted::new(args.only)?;
    // Before minutes pass.
    let gate = args.check.as_deref().map(Targets::read).transpose()?;
    let targets = gate.clone().map_or_else(Targets::shipped, Ok)?;
    let machine = machine::describe(&std::env::temp_dir());
    let cores = Cores::find();
    match cores {
        Some(cores) => cores.pin_client()?,
        None => remark("one core for servers and devices: figures wander more than they should"),
    }
    let (rounds, devices) = if args.quick { (args.rounds.min(2), 32) } else { (args.rounds, 320) };
    let extent = Extent { rounds: rounds.into(), devices: args.devices.unwrap_or(devices).into() };
    let mut bench = Bench::start(cores, None, extent).await?;
    let figures = sessions::figures(&mut bench, &wanted).await?;
    let at = SystemClock.now().format(&Rfc3339)?;
    let report = Report { machine, database: "sqlite", figures, skipped: Vec::new(), at };
    report.print(out, &targets)?;
    if let Some(file) = &args.record {
        report.record(file, &targets)?;
    }
    gate.map_or(Ok(()), |gate| report.check(&gate))
}
