//! `muster sim`: simulated devices against any server, as a load and as a judge.

mod arrivals;
mod figures;
mod fleet;
mod options;
mod pc;
mod record;
mod story;
pub mod transport;
mod users;
mod verify;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use serde_json::json;
use tokio::sync::watch;

use super::Globals;
use super::client::{Client, Target, Trust};
use super::output::{Out, remark};
use super::password;
use crate::adapters::system::SystemRng;
use crate::sim::{Faults, KeyPool, discovery_url};
use figures::Figures;
use fleet::{Fleet, Pace, Plan};
use options::{Mix, duration, positive};
use record::Recorder;
use rustls::RootCertStore;
use transport::{Network, Settings, TlsVersion, roots_from_file, system_roots};
use verify::Verdict;

/// `muster sim`
#[derive(Debug, Args)]
pub(super) struct SimArgs {
    /// How many devices.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    devices: u32,
    /// What they are: win11, win10 or hololens2, several with shares as in `win11=80%,hololens2=20%`, or a file with lines
    /// such as `win11 = 80`.
    #[arg(long, value_name = "PROFILE", default_value = "win11")]
    profile: String,
    /// Who enrolls them; without it a user is made through the API.
    #[arg(long, value_name = "EMAIL", requires = "password_stdin")]
    user: Option<String>,
    /// Read that user's password from standard input.
    #[arg(long, requires = "user")]
    password_stdin: bool,
    /// Sessions per second of all devices together, begun at random moments whether or not those before have ended; without
    /// this and --poll each device follows the schedule that the server gives it.
    #[arg(long, value_name = "R", value_parser = positive, conflicts_with = "poll")]
    rate: Option<f64>,
    /// Each device begins a session this often, e.g. 15m.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    poll: Option<Duration>,
    /// How many seconds of the schedule, or of --poll, pass in one.
    #[arg(long, value_name = "K", value_parser = positive, default_value = "1")]
    time_scale: f64,
    /// Spread the enrollments over this time.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "0s")]
    ramp: Duration,
    /// Stop this long after all have enrolled; without it and --sessions when interrupted.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    duration: Option<Duration>,
    /// Each device stops after this many sessions.
    #[arg(long, value_name = "N")]
    sessions: Option<u32>,
    /// What goes wrong on purpose, and how often: drop-response, dup-msg, die-after-offer, slow and wrong-answer, as in
    /// `drop-response=1%,slow=5%:2s`.
    #[arg(long, value_name = "FAULTS", default_value = "")]
    faults: String,
    /// Makes the hardware, the moments and the faults; the same seed, the same devices.
    #[arg(long, value_name = "TEXT", value_parser = seed)]
    seed: Option<String>,
    /// Speak this version of TLS only.
    #[arg(long, value_enum, value_name = "VERSION")]
    tls: Option<Tls>,
    /// Resume TLS sessions instead of beginning each connection anew.
    #[arg(long)]
    resume: bool,
    /// Append what each device does to this file, or to a new one in this folder, one JSON document a line.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// At the end compare what the devices did with the states of the server's commands.
    #[arg(long)]
    verify: bool,
    /// Most devices that enroll at the same time.
    #[arg(long, value_name = "N", default_value = "64", value_parser = clap::value_parser!(u16).range(1..))]
    parallel: u16,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Tls {
    /// 1.2
    #[value(name = "1.2")]
    Tls12,
    /// 1.3
    #[value(name = "1.3")]
    Tls13,
}

pub(super) async fn run(globals: &Globals, out: &Out, args: SimArgs) -> Result<()> {
    let profiles = Mix::read(&args.profile)?.spread(args.devices);
    let faults: Faults = args.faults.parse().map_err(|error| super::Usage(format!("--faults: {error}")))?;
    let target = Target::find(globals)?;
    let administrator = || Client::connect(globals);
    let verifier = if args.verify { Some(administrator()?) } else { None };
    let seed = args.seed.clone().unwrap_or_else(|| hex(&SystemRng.bytes::<4>()));
    let (user, password) = match &args.user {
        Some(email) => (email.clone(), password::from_stdin()?),
        None => users::make(&administrator()?, &seed).await?,
    };
    let (recorder, mut temporary) = open_log(&args, &seed)?;
    let run = SystemRng.bytes();
    let pool = Arc::new(KeyPool::new(&format!("{seed}/{}", hex(&run))));
    remark(&format!("seed {seed}: making the keys of {} devices", args.devices));
    let keys = fleet::keys(&pool, args.devices).await?;
    let fleet = Arc::new(Fleet {
        network: network(&args, &target)?,
        figures: Figures::new(),
        recorder,
        discovery: discovery_url(&target.url),
        user,
        password,
        seed,
        run: u32::from_be_bytes(run),
        keys: pool,
        plan: plan(&args, profiles, faults),
    });
    hold(&fleet, keys).await?;
    fleet.recorder.flush()?;
    let verdict = match &verifier {
        Some(client) => Some(verify::verify(client, &fleet.recorder).await?),
        None => None,
    };
    // Who looks into a disagreement needs it.
    if verdict.as_ref().is_some_and(|verdict| verdict.count() > 0) {
        temporary.keep();
    }
    let log = fleet.recorder.path().filter(|_| temporary.0.is_none());
    tell(out, &fleet, verdict.as_ref(), log)
}

fn plan(args: &SimArgs, profiles: Vec<crate::sim::Profile>, faults: Faults) -> Plan {
    Plan {
        profiles,
        pace: match (args.rate, args.poll) {
            (Some(rate), _) => Pace::Rate(rate),
            (None, Some(interval)) => Pace::Every(interval),
            (None, None) => Pace::Schedule,
        },
        time_scale: args.time_scale,
        ramp: args.ramp,
        duration: args.duration,
        sessions: args.sessions,
        faults,
        parallel: args.parallel.into(),
        settles: args.verify,
    }
}

/// Runs the devices, tells how far they are, and stops them when interrupted.
async fn hold(fleet: &Arc<Fleet>, keys: Vec<crate::sim::DeviceKey>) -> Result<()> {
    let (stop, _) = watch::channel(false);
    let mut running = std::pin::pin!(fleet.run(keys, stop.clone()));
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    let shows = std::io::stderr().is_terminal();
    let mut interrupts = 0;
    let ended = loop {
        tokio::select! {
            ended = &mut running => break ended,
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                interrupts += 1;
                if interrupts > 1 {
                    bail!("stopped in the middle of sessions");
                }
                stop.send_replace(true);
            }
            _ = tick.tick() => {
                fleet.recorder.flush()?;
                if shows {
                    progress(fleet);
                }
            }
        }
    };
    if shows {
        let _ = write!(std::io::stderr(), "\r{:79}\r", "");
    }
    ended
}

fn progress(fleet: &Fleet) {
    let progress = fleet.figures.progress();
    let words = format!(
        "{} of {} enrolled, {} sessions, {} errors",
        progress.enrolled,
        fleet.plan.profiles.len(),
        progress.sessions,
        progress.errors
    );
    let _ = write!(std::io::stderr(), "\r{words:79}");
}

/// The summary; an error where something failed that was not asked for. `log` is the device log that stays.
fn tell(out: &Out, fleet: &Fleet, verdict: Option<&Verdict>, log: Option<&Path>) -> Result<()> {
    let traffic = fleet.network.traffic().counts();
    let mut document = fleet.figures.document(traffic);
    document["seed"] = json!(fleet.seed);
    document["devices"] = json!(fleet.plan.profiles.len());
    document["log"] = json!(log);
    document["verification"] = verdict.map(Verdict::document).into();
    out.either(&document, || {
        let log = log.map(|path| format!("device log: {}\n", path.display()));
        let verdict = verdict.map(Verdict::words);
        format!("{}{}{}", fleet.figures.words(traffic), verdict.unwrap_or_default(), log.unwrap_or_default())
    })?;
    let errors = fleet.figures.progress().errors;
    let disagreements = verdict.map_or(0, Verdict::count);
    match (errors, disagreements) {
        (0, 0) => Ok(()),
        (errors, 0) => bail!("{errors} errors that were not asked for"),
        (0, disagreements) => bail!("the device log and the server disagree {disagreements} times"),
        (errors, disagreements) => {
            bail!("{errors} errors that were not asked for, and {disagreements} disagreements with the server")
        }
    }
}

fn network(args: &SimArgs, target: &Target) -> Result<Arc<Network>> {
    let settings = Settings::new(roots(&target.trust)?);
    let tls = args.tls.map(|version| match version {
        Tls::Tls12 => TlsVersion::Tls12,
        Tls::Tls13 => TlsVersion::Tls13,
    });
    Ok(Network::new(Settings { tls, resume: args.resume, ..settings }))
}

fn roots(trust: &Trust) -> Result<RootCertStore> {
    match trust {
        Trust::Only(file) => roots_from_file(file),
        Trust::System => system_roots(),
        Trust::SystemAnd(file) => {
            let mut roots = system_roots()?;
            roots.roots.extend(roots_from_file(file)?.roots);
            Ok(roots)
        }
    }
}

/// The device log; where it is for the comparison alone, it goes with the run.
fn open_log(args: &SimArgs, seed: &str) -> Result<(Recorder, Temporary)> {
    let name = format!("muster-sim-{seed}.jsonl");
    if let Some(path) = &args.log {
        return Ok((Recorder::open(path, &name)?, Temporary(None)));
    }
    if !args.verify {
        return Ok((Recorder::nowhere(), Temporary(None)));
    }
    let path = std::env::temp_dir().join(format!("{}-{name}", hex(&SystemRng.bytes::<8>())));
    Ok((Recorder::open(&path, &name)?, Temporary(Some(path))))
}

/// A file that is removed with this, however the run ends.
struct Temporary(Option<PathBuf>);

impl Temporary {
    /// The file stays.
    fn keep(&mut self) {
        self.0 = None;
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// A seed stands in names of users and files.
fn seed(text: &str) -> Result<String, String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if (1..=32).contains(&text.len()) && text.chars().all(is_word) {
        Ok(text.to_owned())
    } else {
        Err("a seed is 1 to 32 letters, digits and dashes".to_owned())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_log_goes_with_the_run_unless_it_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        for keeps in [false, true] {
            let path = folder.path().join("log");
            let recorder = Recorder::open(&path, "log").unwrap();
            let mut temporary = Temporary(recorder.path().map(Path::to_owned));
            if keeps {
                temporary.keep();
            }
            drop(temporary);
            assert_eq!(path.exists(), keeps);
        }
    }
}
