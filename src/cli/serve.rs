//! `muster serve`: wires everything together, serves, and stops cleanly. The one place where the database is chosen.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::settings::settings;
use crate::adapters::ca_files::{DataFolder, TLS_KEY, TLS_PEM};
use crate::adapters::password::Argon2Hasher;
use crate::adapters::private_file;
use crate::adapters::sealer::Sealer;
use crate::adapters::system::{SystemClock, SystemRng};
use crate::app::ports::{Clock, Store};
use crate::app::{App, Memory, Settings, TranscriptWriter};
use crate::config::{Config, HttpsUrl};
use crate::http::listener::tls::{DeviceTls, ServerCertificate, Tls};
use crate::http::listener::{Limits, Listen, Listeners, Routers};
use crate::http::{Doors, Shared, router};
use crate::observe::Metrics;
use crate::pki::profile::Serial;
use crate::pki::{Authority, create};
use crate::store::SqlStore;

/// What `start` needs.
#[derive(Clone)]
pub struct Options {
    /// The data folder.
    pub data_dir: PathBuf,
    /// The sealing key, where it does not lie in the data folder.
    pub key_file: Option<PathBuf>,
    /// Another clock than the system's, for tests.
    pub clock: Option<Arc<dyn Clock>>,
    /// Time between two rounds of upkeep.
    pub upkeep_every: Duration,
    /// Whether health and metrics are served, where the configuration says so.
    pub ops: bool,
}

impl Options {
    /// The usual ones for a data folder.
    #[must_use]
    pub fn new(data_dir: PathBuf) -> Self {
        Self { data_dir, key_file: None, clock: None, upkeep_every: Duration::from_secs(15), ops: true }
    }
}

/// A server that takes connections.
pub struct Running {
    /// `url`, with the port that is bound.
    pub url: String,
    /// `device_url`, likewise.
    pub device_url: String,
    /// The configuration it runs with.
    pub config: Config,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    background: Vec<JoinHandle<()>>,
    store: Arc<SqlStore>,
    run_file: PathBuf,
}

/// Written beside the data so that the command line finds the running server.
const RUN_FILE: &str = "run.json";
/// Share of its life after which the server certificate is made anew.
const RENEW_AFTER: f64 = 2.0 / 3.0;

/// Starts a server on a data folder that `init` made; returns when both listeners take connections.
pub async fn start(options: Options) -> Result<Running> {
    let folder = DataFolder::new(&options.data_dir, options.key_file.clone());
    let config = load_config(&folder)?;
    let clock = options.clock.clone().unwrap_or_else(|| Arc::new(SystemClock));
    let sealer = Arc::new(folder.sealer(SystemRng)?);
    let store = open_store(&folder, &config, sealer.clone()).await?;
    let listeners = Listeners::bind(&Listen::from_config(&config)).await?;
    let (url, device_url) = config.server.bound_urls(listeners.web_address(), listeners.device_address());
    let certificate = server_certificate(&folder, &config, &sealer, clock.now())?;
    let authority = Arc::new(folder.authority(&sealer)?);
    let issuers = vec![authority.issuing().to_vec().into()];
    let device = DeviceTls { issuers, tls13: config.server.device_tls13, http2: config.server.device_http2 };
    let tls = Tls::new(certificate, &device)?;

    let (app, transcripts) = application(settings(&config, &url, &device_url), authority, store.clone(), sealer, clock);
    let shared = Shared {
        app: app.clone(),
        metrics: Arc::new(Metrics::new()),
        trusted_proxies: config.server.trusted_proxies.clone().into(),
        doors: doors(&config),
    };
    let (stop, stopped) = watch::channel(false);
    let mut background = vec![
        tokio::spawn(transcripts.run(app.clone(), until(stopped.clone()))),
        tokio::spawn(publish(shared.clone(), stopped.clone())),
        tokio::spawn(keep_up(app, options.upkeep_every, stopped.clone())),
    ];
    if options.ops {
        background.extend(serve_operators(&config, &shared, stopped.clone()).await?);
    }
    let routers = Routers { web: router::web(&shared), device: router::device(&shared) };
    let serving = tokio::spawn(listeners.serve(tls, routers, Limits::from_config(&config), until(stopped)));
    let run_file = options.data_dir.join(RUN_FILE);
    write_run_file(&run_file, &url, &device_url)?;
    Ok(Running {
        url: url.to_string(),
        device_url: device_url.to_string(),
        config,
        stop,
        serving,
        background,
        store,
        run_file,
    })
}

/// The use-cases over their ports, and the writer of transcripts that goes with them.
pub(super) fn application(
    settings: Settings,
    authority: Arc<Authority>,
    store: Arc<SqlStore>,
    sealer: Arc<Sealer>,
    clock: Arc<dyn Clock>,
) -> (App, TranscriptWriter) {
    let (memory, transcripts) = Memory::new(&settings, &SystemRng);
    let app = App {
        settings: Arc::new(settings),
        authority,
        store,
        clock,
        rng: Arc::new(SystemRng),
        hasher: Arc::new(Argon2Hasher::new(SystemRng)),
        sealer,
        memory: Arc::new(memory),
    };
    (app, transcripts)
}

impl Running {
    /// Stops: no new connections, running requests end, what waits is written, the database is closed.
    pub async fn shutdown(self) {
        let _ = std::fs::remove_file(&self.run_file);
        let _ = self.stop.send(true);
        let _ = self.serving.await;
        for task in self.background {
            let _ = task.await;
        }
        self.store.close().await;
    }
}

/// Runs `muster serve` until SIGTERM or SIGINT.
pub async fn run(options: Options) -> Result<()> {
    forbid_core_dumps();
    let folder = DataFolder::new(&options.data_dir, options.key_file.clone());
    crate::observe::start_log(&load_config(&folder)?.log);
    let running = start(options).await?;
    let mut out = std::io::stdout();
    writeln!(out, "ready url={} device_url={}", running.url, running.device_url)?;
    out.flush()?;
    tracing::info!(url = running.url, device_url = running.device_url, "ready");
    wait_for_signal().await?;
    tracing::info!("stopping");
    running.shutdown().await;
    Ok(())
}

async fn wait_for_signal() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// The CA key is in memory: it must not end in a file.
fn forbid_core_dumps() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if setrlimit(Resource::Core, none).is_err() || set_dumpable_behavior(DumpableBehavior::NotDumpable).is_err() {
        tracing::warn!("core dumps could not be switched off");
    }
}

/// Reads `muster.toml` under the environment.
pub(super) fn load_config(folder: &DataFolder) -> Result<Config> {
    let path = folder.config();
    let text = std::fs::read_to_string(&path).with_context(|| {
        format!(
            "{} cannot be read; `muster init --data {}` makes a new installation",
            path.display(),
            folder.path().display()
        )
    })?;
    Config::load(&text, std::env::vars()).with_context(|| format!("{} is not in order", path.display()))
}

/// Opens the database and checks that it belongs to this configuration.
pub(super) async fn open_store(folder: &DataFolder, config: &Config, sealer: Arc<Sealer>) -> Result<Arc<SqlStore>> {
    let Some(path) = config.database.url.sqlite_path() else {
        bail!("this build speaks SQLite only; [database] url begins with sqlite:");
    };
    let store = crate::store::open_sqlite(&folder.resolve(path), sealer).await?;
    let provider_id = &config.server.provider_id;
    match store.setting(PROVIDER_ID).await? {
        None => store.set_setting(PROVIDER_ID, provider_id).await?,
        Some(known) if known == *provider_id => {}
        Some(known) => bail!(
            "[server] provider_id is {provider_id}, but devices were enrolled with {known}; they would no longer obey, \
             so set it back"
        ),
    }
    Ok(Arc::new(store))
}

/// The OMA-DM provider id with which devices were enrolled.
const PROVIDER_ID: &str = "provider_id";

/// Loads the server certificate. The one that `init` made is made anew when two thirds of its life are over, or when a
/// host has come that it does not cover.
fn server_certificate(
    folder: &DataFolder,
    config: &Config,
    sealer: &Sealer,
    now: OffsetDateTime,
) -> Result<Arc<ServerCertificate>> {
    let server = &config.server;
    let ours = server.tls_certificate == Path::new(TLS_PEM) && server.tls_key == Path::new(TLS_KEY);
    let files = folder.tls(&server.tls_certificate, &server.tls_key)?;
    let leaf = files.chain.first().context("the server certificate file holds no certificate")?;
    let (start, end) = crate::pki::validity(leaf)?;
    let renew_at = start + (end - start) * RENEW_AFTER;
    let usable = ServerCertificate::new(files.chain.clone(), files.key);
    let covers_all = hosts(config).iter().all(|host| crate::pki::covers(leaf, host));
    if ours && (now >= renew_at || !covers_all || usable.is_err()) {
        make_server_certificate(folder, config, sealer, now)?;
        let files = folder.tls(&server.tls_certificate, &server.tls_key)?;
        return Ok(ServerCertificate::new(files.chain, files.key)?);
    }
    if !covers_all {
        tracing::warn!(hosts = ?hosts(config), "the server certificate does not cover all hosts; devices will refuse it there");
    }
    if now >= end {
        tracing::warn!("the server certificate has expired; devices and browsers will refuse it");
    }
    Ok(usable?)
}

/// Makes a P-256 server certificate for the hosts of both URLs, from the root.
pub(super) fn make_server_certificate(
    folder: &DataFolder,
    config: &Config,
    sealer: &Sealer,
    now: OffsetDateTime,
) -> Result<()> {
    let root = folder.root(sealer)?;
    let server = create::server(&root, &hosts(config), Serial::from_random(SystemRng.bytes()), now)?;
    folder.write_tls(&server, &root.certificate)?;
    Ok(())
}

/// Hosts under which PCs reach this server: those of both URLs, and the one that Windows makes of each e-mail domain.
fn hosts(config: &Config) -> Vec<String> {
    let mut hosts = vec![config.server.url.host().to_owned(), config.server.device_url().host().to_owned()];
    hosts.extend(config.enroll.domains.iter().map(|domain| format!("enterpriseenrollment.{}", domain.to_lowercase())));
    hosts.dedup();
    hosts
}

fn doors(config: &Config) -> Doors {
    Doors {
        soap_body_bytes: config.limits.soap_body_bytes,
        message_bytes: config.limits.message_bytes,
        body_deadline: Duration::from_secs(u64::from(config.limits.body_seconds)),
    }
}

/// Resolves when the server is to stop.
async fn until(mut stopped: watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// Gives events their place as they come, and counts them.
async fn publish(shared: Shared, stopped: watch::Receiver<bool>) {
    let stop = until(stopped);
    tokio::pin!(stop);
    loop {
        match shared.app.publish_events().await {
            Ok(events) if !events.is_empty() => {
                events.iter().for_each(|event| shared.metrics.event(event));
                continue;
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "events could not be published; tried again"),
        }
        tokio::select! {
            () = shared.app.memory.events.notified() => {}
            () = tokio::time::sleep(Duration::from_secs(5)) => {}
            () = &mut stop => return,
        }
    }
}

/// One round of upkeep after the other.
async fn keep_up(app: App, every: Duration, stopped: watch::Receiver<bool>) {
    let stop = until(stopped);
    tokio::pin!(stop);
    loop {
        app.sweep().await;
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = &mut stop => return,
        }
    }
}

/// Health and metrics on their own listener, in clear, on loopback unless configured otherwise.
async fn serve_operators(
    config: &Config,
    shared: &Shared,
    stopped: watch::Receiver<bool>,
) -> Result<Option<JoinHandle<()>>> {
    let Some(address) = config.ops.listen.address() else { return Ok(None) };
    let listener = match TcpListener::bind(address).await {
        Ok(listener) => listener,
        Err(error) => {
            // Devices come first: without this listener only health checks and metrics are missing.
            tracing::error!(%address, %error, "[ops] listen: health and metrics are not served");
            return Ok(None);
        }
    };
    let serving = axum::serve(listener, router::operators(shared)).with_graceful_shutdown(until(stopped));
    Ok(Some(tokio::spawn(async move {
        if let Err(error) = serving.await {
            tracing::error!(%error, "the listener for operators ended");
        }
    })))
}

fn write_run_file(path: &Path, url: &HttpsUrl, device_url: &HttpsUrl) -> Result<()> {
    let run = serde_json::json!({
        "url": url.to_string(), "device_url": device_url.to_string(), "pid": std::process::id(),
    });
    private_file::replace(path, format!("{run}\n").as_bytes(), 0o600)?;
    Ok(())
}
