//! `muster bench --against URL`: the same load on another server. What it costs there is told where its process is known;
//! else throughput and times, as the devices see them.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::fleet::AT_ONCE;
use super::load::{Newcomer, Pc, Trace, drive};
use super::process::CpuClock;
use super::statistics::{median, quantile};
use crate::cli::Globals;
use crate::cli::output::Out;
use crate::cli::password;
use crate::cli::sim::transport::{Network, Settings, TlsVersion, roots_from_file, system_roots};
use crate::sim::{Device, KeyPool, Managed, Options, Profile, discovery_url};

/// Another server.
#[derive(Debug, Args)]
pub(super) struct AgainstArgs {
    /// Measure this server, with devices that enroll there, in place of one of our own.
    #[arg(long, value_name = "URL", requires_all = ["user", "password_stdin"])]
    pub(super) against: Option<String>,
    /// Who enrolls the devices there.
    #[arg(long, value_name = "EMAIL", requires = "against")]
    user: Option<String>,
    /// Read that user's password from standard input.
    #[arg(long, requires = "against")]
    password_stdin: bool,
    /// The process of that server, if it is on this machine: its processor time is read.
    #[arg(long, value_name = "PID", requires = "against")]
    pid: Option<u32>,
}

/// Enrolls devices there, lets them call, and tells how it went.
pub(super) async fn run(globals: &Globals, out: &Out, args: &AgainstArgs, devices: usize, rounds: usize) -> Result<()> {
    let url = args.against.as_deref().context("no server is named")?;
    let roots = globals.ca_file.as_deref().map_or_else(system_roots, roots_from_file)?;
    let patience = Duration::from_secs(30);
    let network =
        Network::new(Settings { tls: Some(TlsVersion::Tls12), connect_timeout: patience, ..Settings::new(roots) });
    let password = password::from_stdin()?;
    let user = args.user.as_deref().unwrap_or_default();
    let newcomers = newcomers(&network, &discovery_url(url), user, &password, devices)?;
    let (newcomers, enrolling) = drive(newcomers, devices, AT_ONCE).await?;
    enrolling.check().context("enrollment")?;
    let mut pcs = newcomers.into_iter().map(pc).collect::<Result<Vec<_>>>()?;
    let mut clock = args.pid.map(CpuClock::of);
    let (mut rates, mut costs, mut micros, mut failures) = (Vec::new(), Vec::new(), Vec::new(), 0);
    // The first round warms up and is not counted.
    for round in 0..=rounds {
        let before = clock.as_mut().map(CpuClock::read).transpose()?;
        let (back, tally) = drive(pcs, 2 * devices, AT_ONCE).await?;
        pcs = back;
        let after = clock.as_mut().map(CpuClock::read).transpose()?;
        tally.check_some()?;
        if round == 0 {
            continue;
        }
        rates.push(tally.micros.len() as f64 / tally.wall.as_secs_f64());
        costs.extend(before.zip(after).map(|(before, after)| (after - before) as f64 / 1000.0 / (2 * devices) as f64));
        failures += tally.failed();
        micros.extend(tally.micros);
    }
    let document = json!({
        "against": url,
        "devices": devices,
        "sessions": micros.len(),
        "failures": failures,
        "enrollments_per_second": (devices as f64 / enrolling.wall.as_secs_f64()).round(),
        "sessions_per_second": median(rates).round(),
        "p50_ms": millis(&micros, 0.5),
        "p99_ms": millis(&micros, 0.99),
        "server_us": (!costs.is_empty()).then(|| median(costs).round()),
    });
    out.either(&document, || words(&document))?;
    match failures {
        0 => Ok(()),
        count => bail!("{count} sessions failed"),
    }
}

fn newcomers(
    network: &std::sync::Arc<Network>,
    discovery: &str,
    user: &str,
    password: &SecretString,
    count: usize,
) -> Result<Vec<Newcomer>> {
    // Each run has hardware and keys of its own: a server refuses a key that it has seen.
    let run = uuid::Uuid::new_v4().to_string();
    let keys = KeyPool::new(&run);
    let newcomer = |number: u32| {
        let mut options = Options::with_password(discovery, user, password.clone());
        options.key = Some(keys.key(number)?);
        let device = Device::new(Profile::Windows11, &format!("{run} {number}"));
        Ok(Newcomer { network: network.clone(), device, options, enrolled: None, trace: Trace::default() })
    };
    (0..u32::try_from(count)?).map(newcomer).collect()
}

fn pc(newcomer: Newcomer) -> Result<Pc> {
    let Newcomer { network, device, enrolled, .. } = newcomer;
    let enrolled = enrolled.context("a device did not enroll")?;
    let client = network.client(Some(&enrolled))?;
    Ok(Pc { id: String::new(), managed: Managed::new(device, enrolled), network, client, trace: None })
}

fn millis(micros: &[f64], share: f64) -> f64 {
    (quantile(micros.iter().copied(), share) / 10.0).round() / 100.0
}

fn words(document: &Value) -> String {
    let cost = document["server_us"].as_f64().map(|micros| format!(", {micros} µs of the server's processor each"));
    format!(
        "{} sessions of {} devices, {} failed: {} a second, half within {} ms, 99 of 100 within {} ms{}; {} enrollments \
         a second",
        document["sessions"],
        document["devices"],
        document["failures"],
        document["sessions_per_second"],
        document["p50_ms"],
        document["p99_ms"],
        cost.unwrap_or_default(),
        document["enrollments_per_second"],
    )
}
