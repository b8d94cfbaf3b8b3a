//! `muster serve`: wires everything together, serves, and stops cleanly. The one place where the database is chosen.

mod work;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use self::work::{Ending, LEAST_END, Work, end};
use super::server_certificate::{Keeper, ServedRoot};
use super::settings::settings;
use crate::adapters::ca_files::DataFolder;
use crate::adapters::doctor::SelfWalker;
use crate::adapters::entra::{EntraTokens, TenantSettings};
use crate::adapters::outgoing::{Closed, Outgoing};
use crate::adapters::password::Argon2Hasher;
use crate::adapters::private_file;
use crate::adapters::sealer::Sealer;
use crate::adapters::smtp::{NoServer, Smtp, SmtpServer, SmtpTls};
use crate::adapters::system::{SystemClock, SystemRng};
use crate::app::authorities::Authorities;
use crate::app::ports::{CaFiles, Clock, HttpClient, Mailer, ServerTrust, Store, StoreError, Walker};
use crate::app::{App, BehindWriter, Memory, Settings};
use crate::config::{Config, DatabaseUrl, HttpsUrl, SmtpProtection};
use crate::domain::ca::CaRole;
use crate::domain::push::ChannelHost;
use crate::failpoint;
use crate::http::gate::Gate;
use crate::http::listener::tls::{DeviceTls, Time, Tls};
use crate::http::listener::{Limits, Listen, Listeners, Routers};
use crate::http::mdm::Forwarded;
use crate::http::peer::Proxies;
use crate::http::{Doors, Shared, router};
use crate::observe::Metrics;
use crate::pki::Authority;
use crate::store::{SqlStore, Standing};
use rustls::pki_types::CertificateDer;

/// What `start` needs.
#[derive(Clone)]
pub struct Options {
    /// The data folder.
    pub data_dir: PathBuf,
    /// The sealing key, where it does not lie in the data folder.
    pub key_file: Option<PathBuf>,
    /// Another clock than the system's, for tests.
    pub clock: Option<Arc<dyn Clock>>,
    /// Whether to start, and to believe the clock, although it is far from what the database holds or from its server's.
    pub trust_clock: bool,
    /// Time between two rounds of upkeep.
    pub upkeep_every: Duration,
    /// Whether health and metrics are served, where the configuration says so.
    pub ops: bool,
}

impl Options {
    /// The usual ones for a data folder.
    #[must_use]
    pub fn new(data_dir: PathBuf) -> Self {
        Self {
            data_dir,
            key_file: None,
            clock: None,
            trust_clock: false,
            upkeep_every: Duration::from_secs(15),
            ops: true,
        }
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
    /// Where health and metrics are served, if they are.
    pub ops: Option<SocketAddr>,
    /// Ends the listeners and what runs beside them.
    stop: watch::Sender<bool>,
    /// Ends what works with the database beside the requests.
    rest: watch::Sender<bool>,
    serving: JoinHandle<()>,
    /// What needs no database.
    beside: Vec<JoinHandle<()>>,
    work: Ending,
    /// Waits for the order to let go of the database.
    draining: JoinHandle<()>,
    run_file: PathBuf,
}

/// Written beside the data so that the command line finds the running server.
const RUN_FILE: &str = "run.json";
/// Starts a server on a data folder that `init` made; returns when both listeners take connections.
pub async fn start(options: Options) -> Result<Running> {
    let folder = DataFolder::new(&options.data_dir, options.key_file.clone());
    let config = load_config(&folder)?;
    let clock = options.clock.clone().unwrap_or_else(|| Arc::new(SystemClock));
    let sealer = Arc::new(folder.sealer(SystemRng)?);
    let store = Arc::new(open_store(&folder, &config, sealer.clone()).await?);
    let believed = if options.trust_clock { Ok(Belief::Believed) } else { check_clock(&store, clock.now()).await };
    let doubtful = match believed {
        Ok(belief) => belief == Belief::Doubted,
        Err(refusal) => {
            // Whoever starts it once more finds the database closed.
            store.close().await;
            return Err(refusal);
        }
    };
    let listeners = Listeners::bind(&Listen::from_config(&config)).await?;
    let (url, device_url) = config.server.bound_urls(listeners.web_address(), listeners.device_address());
    let records = store.authorities().await?;
    // The database has the word; the files of this node may be those of before.
    if let Some(current) = records.iter().find(|record| record.role == CaRole::Current) {
        let previous = records.iter().find(|record| record.role == CaRole::Previous);
        let replaced = CaFiles::replace(&folder, current, previous.map(|record| record.root.as_slice()));
        replaced.map_err(|error| anyhow!("the files of the CA: {error}"))?;
    }
    let issuing = folder.authority(&sealer)?;
    tell_alarm(&issuing);
    let authority = Arc::new(Authorities::new(issuing));
    let http = way_out(&folder, &config)?;
    let mailer = mailer(&folder, &config)?;
    let ca_files = Arc::new(folder.clone());
    let served = Arc::new(ServedRoot::new(folder.clone(), config.clone()));
    let keeper = Keeper::open(folder, config.clone(), sealer.clone(), clock.clone())?;
    let device = DeviceTls {
        issuers: issuers(&authority),
        tls13: config.server.device_tls13,
        http2: config.server.device_http2,
        time: Some(Time(clock.clone())),
    };
    let tls = Tls::new(keeper.certificate(), &device)?;

    let entra = Arc::new(connect_entra(&options.data_dir, &config, clock.now())?);
    let settings = settings(&config, &url, &device_url);
    let ways = WaysOut { http, mailer, walker: walker(&config) };
    let (app, behind) =
        application(settings, (authority.clone(), ca_files, served), store.clone(), sealer, entra, clock, ways);
    app.refresh_authorities().await?;
    app.prepare_enrollment_url().await?;
    tls.trust(issuers(&authority))?;
    if doubtful {
        app.doubt_clock();
    }
    let shared = Shared {
        app: app.clone(),
        metrics: Arc::new(Metrics::new()),
        proxies: Arc::new(Proxies::new(config.server.trusted_proxies.clone())),
        forwarded: Forwarded::from_config(&config.device_auth),
        doors: doors(&config),
        gate: Gate::open(),
    };
    let ops = if options.ops { bind_operators(&config).await } else { None };
    let run_file = options.data_dir.join(RUN_FILE);
    let ops_address = ops.as_ref().and_then(|listener| listener.local_addr().ok());
    write_run_file(&run_file, &url, &device_url, ops_address)?;

    // So that no request has to wait for it to be read.
    tokio::task::spawn_blocking(crate::proto::csp::catalogue::embedded);
    let (stop, stopped) = watch::channel(false);
    let work = Work::begin(&shared, store, behind, options.upkeep_every);
    let rest = work.rest.clone();
    let mut beside = vec![tokio::spawn(keeper.run(options.upkeep_every, authority.changes(), until(stopped.clone())))];
    beside.extend(ops.map(|listener| tokio::spawn(serve_operators(listener, shared.clone(), stopped.clone()))));
    beside.push(tokio::spawn(trust(tls.clone(), authority, until(stopped.clone()))));
    let routers = Routers { web: router::web(&shared), device: router::device(&shared) };
    let serving = tokio::spawn(listeners.serve(tls, routers, Limits::from_config(&config), until(stopped)));
    let work = Ending::of(work);
    let draining = tokio::spawn(work.clone().when_ordered(shared.gate, drain_time(&config)));
    let (url, device_url, ops) = (url.to_string(), device_url.to_string(), ops_address);
    Ok(Running { url, device_url, config, ops, stop, rest, serving, beside, work, draining, run_file })
}

/// What requests of others go through; nothing, where nothing is configured that makes any.
pub(super) fn way_out(folder: &DataFolder, config: &Config) -> Result<Arc<dyn HttpClient>> {
    if !config.wns.is_on() {
        return Ok(Arc::new(Closed));
    }
    let named = !config.wns.ca_file.as_os_str().is_empty();
    let ca_file = named.then(|| folder.resolve(&config.wns.ca_file));
    let client = Outgoing::new(ca_file.as_deref()).map_err(|error| anyhow!("[wns] ca_file: {error}"))?;
    if config.wns.channel_hosts != [ChannelHost::wns()] {
        tracing::warn!("[wns] channel_hosts: push goes to other hosts than those of WNS");
    }
    Ok(Arc::new(client))
}

/// What leads out of this process to others.
pub(super) struct WaysOut {
    /// Requests.
    pub(super) http: Arc<dyn HttpClient>,
    /// Mails.
    pub(super) mailer: Arc<dyn Mailer>,
    /// The way of a PC to this server.
    pub(super) walker: Arc<dyn Walker>,
}

/// What walks the way of a PC to this server.
pub(super) fn walker(config: &Config) -> Arc<dyn Walker> {
    Arc::new(SelfWalker { name_server: config.selftest.name_server() })
}

/// What mails are handed over through; nothing, where no server is configured.
pub(super) fn mailer(folder: &DataFolder, config: &Config) -> Result<Arc<dyn Mailer>> {
    let smtp = &config.smtp;
    if !smtp.is_on() {
        return Ok(Arc::new(NoServer));
    }
    let server = SmtpServer {
        host: smtp.host.clone(),
        port: smtp.port(),
        tls: match smtp.protection() {
            SmtpProtection::Implicit => SmtpTls::Implicit,
            SmtpProtection::Off => SmtpTls::Off,
            SmtpProtection::Auto | SmtpProtection::Starttls => SmtpTls::StartTls,
        },
        ca_file: Some(&smtp.ca_file).filter(|file| !file.as_os_str().is_empty()).map(|file| folder.resolve(file)),
        credentials: (!smtp.username.is_empty()).then(|| (smtp.username.clone(), smtp.password.expose().into())),
        from: smtp.from.clone(),
        hello: config.server.url.host().to_owned(),
    };
    Ok(Arc::new(Smtp::new(&server).map_err(|error| anyhow!("[smtp] {error}"))?))
}

/// Tells that the CA cannot sign: nothing else shows that until somebody wants to enroll.
fn tell_alarm(authority: &Authority) {
    if let Some(alarm) = authority.alarm() {
        tracing::error!(alarm, "the CA cannot sign: nobody can enroll, and no device renew its certificate");
    }
}

/// The issuing CAs whose devices are let in.
fn issuers(authorities: &Authorities) -> Vec<CertificateDer<'static>> {
    authorities.now().all().map(|authority| authority.issuing().to_vec().into()).collect()
}

/// Lets the device side trust the CAs of the installation whenever they change.
async fn trust(tls: Tls, authorities: Arc<Authorities>, stop: impl Future<Output = ()>) {
    tokio::pin!(stop);
    let mut changes = authorities.changes();
    loop {
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = &mut stop => return,
        }
        if let Err(error) = tls.trust(issuers(&authorities)) {
            tracing::error!(%error, "the device side cannot trust the CAs of the installation; those of before stay");
        }
    }
}

fn drain_time(config: &Config) -> Duration {
    Duration::from_secs(u64::from(config.limits.drain_seconds))
}

/// The use-cases over their ports, and the writer that goes with them.
pub(super) fn application(
    settings: Settings,
    (authority, ca_files, server_trust): (Arc<Authorities>, Arc<dyn CaFiles>, Arc<dyn ServerTrust>),
    store: Arc<SqlStore>,
    sealer: Arc<Sealer>,
    entra: Arc<EntraTokens>,
    clock: Arc<dyn Clock>,
    ways: WaysOut,
) -> (App, BehindWriter) {
    let (memory, behind) = Memory::new(&settings, &SystemRng);
    let app = App {
        settings: Arc::new(settings),
        authority,
        ca_files,
        server_trust,
        store,
        clock,
        rng: Arc::new(SystemRng),
        hasher: Arc::new(Argon2Hasher::new(SystemRng)),
        sealer,
        entra,
        http: ways.http,
        mailer: ways.mailer,
        walker: ways.walker,
        memory: Arc::new(memory),
    };
    (app, behind)
}

impl Running {
    /// Stops: no new connections, running requests end, what waits is written, the database is closed. Whatever does not
    /// end by itself within `limits.drain_seconds` is cut.
    pub async fn shutdown(self) {
        let deadline = Instant::now() + drain_time(&self.config);
        remove_run_file(&self.run_file);
        let _ = self.stop.send(true);
        let _ = self.rest.send(true);
        let _ = self.serving.await;
        self.work.end(deadline).await;
        for task in self.beside {
            end(task, deadline.max(Instant::now() + LEAST_END)).await;
        }
        self.draining.abort();
    }
}

/// Runs `muster serve` until SIGTERM or SIGINT.
pub async fn run(options: Options) -> Result<()> {
    forbid_core_dumps();
    failpoint::arm();
    // Before anything runs, so that a signal that comes early is not lost, nor ends the process halfway.
    let mut signals = Signals::listen()?;
    let folder = DataFolder::new(&options.data_dir, options.key_file.clone());
    crate::observe::start_log(&load_config(&folder)?.log);
    let running = start(options).await?;
    let mut out = std::io::stdout();
    // Whether anybody reads it is no reason not to serve.
    let told = writeln!(out, "ready url={} device_url={}", running.url, running.device_url).and_then(|()| out.flush());
    if let Err(error) = told {
        tracing::warn!(%error, "standard output takes no line");
    }
    let ops = running.ops.map_or_else(|| "off".to_owned(), |address| address.to_string());
    tracing::info!(url = running.url, device_url = running.device_url, ops, "ready");
    signals.wait().await;
    tracing::info!("stopping");
    running.shutdown().await;
    Ok(())
}

/// What asks the process to end.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn listen() -> Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Until one of them comes.
    pub(super) async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
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

/// The file of the database, if it is a file; one on a server is looked at as far as its URL goes.
pub(super) fn database_file<'c>(data: &Path, config: &'c Config) -> Result<Option<&'c Path>> {
    file_of(data, &config.database.url).map_err(|error| anyhow!("[database] url: {error}"))
}

/// The same of a URL that stands elsewhere.
pub(super) fn file_of<'u>(data: &Path, url: &'u DatabaseUrl) -> Result<Option<&'u Path>, String> {
    if url.sqlite_path().is_none() {
        crate::store::check_postgres(url.expose(), data)?;
    }
    Ok(url.sqlite_path())
}

/// Opens the database that the configuration names and brings its schema up to date; makes it if it is a file that is not
/// there.
pub(super) async fn open_database(folder: &DataFolder, config: &Config, sealer: Arc<Sealer>) -> Result<SqlStore> {
    let store = look_into_database(folder, config, sealer).await?;
    store.migrate().await.map_err(unopened)?;
    Ok(store)
}

/// Opens the database that the configuration names and leaves it as it is, whatever is in it.
pub(super) async fn look_into_database(folder: &DataFolder, config: &Config, sealer: Arc<Sealer>) -> Result<SqlStore> {
    let database = &config.database;
    let opened = match database.url.sqlite_path() {
        Some(path) => crate::store::look_into_sqlite(&folder.resolve(path), sealer).await,
        None => {
            let url = database.url.expose();
            crate::store::look_into_postgres(url, folder.path(), database.connections, sealer).await
        }
    };
    opened.map_err(unopened)
}

fn unopened(error: StoreError) -> anyhow::Error {
    anyhow!(error).context("the database cannot be opened")
}

/// Opens the database of an installation and checks that it belongs to this configuration.
async fn open_store(folder: &DataFolder, config: &Config, sealer: Arc<Sealer>) -> Result<SqlStore> {
    if let Some(file) = database_file(folder.path(), config)?.map(|file| folder.resolve(file))
        && !file.exists()
    {
        // Opened, it would come into being, and devices would meet a server that knows none of them.
        bail!("there is no database {}; is the disk there on which it lies?", file.display());
    }
    let store = look_into_database(folder, config, sealer.clone()).await?;
    let standing = store.standing().await?;
    check_standing(&standing, folder)?;
    store.migrate().await.map_err(unopened)?;
    let is_being_made = matches!(standing, Standing::BeingMade { .. });
    if is_being_made && store.setting(SEALING_KEY).await?.is_none() {
        bail!(UNFINISHED);
    }
    check_belonging(&store, config, &sealer).await?;
    if is_being_made {
        end_making(&store, &standing).await?;
    }
    Ok(store)
}

/// Marks an installation as whole whose `init` could not do that any more: its data folder is, or this server would have
/// found no configuration in it, nor the key that goes with the database. Otherwise the next `init` would clear it away.
async fn end_making(store: &SqlStore, standing: &Standing) -> Result<()> {
    match store.change_standing(standing, &Standing::Made).await {
        // Another node was quicker, or else an `init` that clears the database.
        Err(StoreError::Conflict) if store.standing().await? != Standing::Made => bail!(UNFINISHED),
        Ok(()) | Err(StoreError::Conflict) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

const UNFINISHED: &str = "an installation is being made in the database, or that did not come to its end: run the same \
                          `muster init` again";

/// A name that no other try has.
pub(super) fn random_tag() -> String {
    SystemRng.bytes::<16>().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Refuses a database whose installation lives elsewhere by now, or has not arrived yet.
fn check_standing(standing: &Standing, folder: &DataFolder) -> Result<()> {
    match standing {
        Standing::BeingMade { .. } | Standing::Made | Standing::Copied { .. } => Ok(()),
        Standing::Unmarked => bail!(
            "the database that [database] url names holds no installation: `muster init` makes one, `muster migrate-db` \
             moves one from SQLite to PostgreSQL"
        ),
        Standing::Moved(gone) => bail!(
            "this installation was moved to {} at {}: name that database under [database] url in {}, or in \
             MUSTER__DATABASE__URL",
            gone.to,
            gone.at,
            folder.config().display(),
        ),
        Standing::Moving(gone) => bail!(
            "this installation is being moved to {}, and that was interrupted at {}: run the same `muster migrate-db` \
             again, it finds out what is left to do",
            gone.to,
            gone.at,
        ),
        Standing::BeingCopied { .. } => bail!(
            "the database holds a copy that is not whole: run the same `muster migrate-db` again, or go on with the \
             database from which it came"
        ),
    }
}

/// Whether the database belongs to this configuration and to the key of this data folder; one that belongs to nobody yet
/// does from now on.
pub(super) async fn check_belonging(store: &SqlStore, config: &Config, sealer: &Sealer) -> Result<()> {
    let provider_id = &config.server.provider_id;
    if let Some(known) = other_than(store, PROVIDER_ID, provider_id).await? {
        bail!(
            "[server] provider_id is {provider_id}, but devices were enrolled with {known}; they would no longer obey, \
             so set it back"
        );
    }
    let mark: String = sealer.mark(b"the key of this installation").iter().map(|byte| format!("{byte:02x}")).collect();
    if other_than(store, SEALING_KEY, &mark).await?.is_some() {
        bail!(
            "the database was sealed with another key than the one of this data folder; every node needs the same \
             `keys` file (--key-file)"
        );
    }
    Ok(())
}

/// What the database holds under a key, if it is something else; where it holds nothing, this is written.
async fn other_than(store: &SqlStore, key: &str, value: &str) -> Result<Option<String>> {
    let known = store.setting_or_insert(key, value).await?;
    Ok(Some(known).filter(|known| known != value))
}

/// What a start takes the clock of this machine for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Belief {
    Believed,
    /// So far ahead of everything that is stored that nothing may end by it yet.
    Doubted,
}

/// Refuses a clock that was put back: certificates would begin in the future, and what is to end would not. One that is far
/// ahead may be right, where the server was off for long; if it is wrong, all sessions, commands and history would end. The
/// database server knows better, where there is one.
async fn check_clock(store: &SqlStore, now: OffsetDateTime) -> Result<Belief> {
    if let Some(server) = store.server_time().await?.filter(|server| (now - *server).abs() > CLOCK_APART) {
        bail!(
            "the clock of this machine says {}, but that of the database server {}, more than a day apart. Set the wrong \
             one right; to start by the clock of this machine nevertheless, use --trust-clock",
            now.format(&Rfc3339)?,
            server.format(&Rfc3339)?,
        )
    }
    let Some(last) = store.last_written().await? else { return Ok(Belief::Believed) };
    if now < last - CLOCK_APART {
        bail!(
            "the clock of this machine says {}, but the database was written to at {}, more than a day later. Set the \
             clock right; if it is right and was wrong then, start with --trust-clock until that time has passed",
            now.format(&Rfc3339)?,
            last.format(&Rfc3339)?,
        )
    }
    if now <= last + CLOCK_APART {
        return Ok(Belief::Believed);
    }
    tracing::warn!(%last, "nothing was written to the database for more than a day: nothing ends for its age for a while, in \
                           case the clock is wrong");
    Ok(Belief::Doubted)
}

/// How far the clock may be from what the database holds, or from that of its server.
const CLOCK_APART: time::Duration = time::Duration::DAY;

/// The OMA-DM provider id with which devices were enrolled.
const PROVIDER_ID: &str = "provider_id";
/// A mark of the key that seals.
const SEALING_KEY: &str = "sealing_key";

/// The Entra tenants of the configuration, with the keys in their files.
fn connect_entra(data: &Path, config: &Config, now: OffsetDateTime) -> Result<EntraTokens> {
    let tenants = config.entra.iter().map(|tenant| TenantSettings {
        tenant_id: tenant.tenant_id,
        audience: tenant.audience.clone(),
        keys_file: data.join(&tenant.keys_file),
    });
    let opened = EntraTokens::open(tenants.collect(), now);
    opened.map_err(|(path, error)| anyhow!("[[entra]] keys_file: {} {error}", path.display()))
}

fn doors(config: &Config) -> Doors {
    Doors {
        soap_body_bytes: config.limits.soap_body_bytes,
        message_bytes: config.limits.message_bytes,
        wbxml: config.limits.wbxml,
        body_deadline: Duration::from_secs(u64::from(config.limits.body_seconds)),
    }
}

/// Resolves when the server is to stop.
async fn until(mut stopped: watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// The listener for health and metrics, in clear, on loopback unless configured otherwise.
async fn bind_operators(config: &Config) -> Option<TcpListener> {
    let address = config.ops.listen.address()?;
    match TcpListener::bind(address).await {
        Ok(listener) => Some(listener),
        Err(error) => {
            // Devices come first: without this listener only health checks and metrics are missing.
            tracing::error!(%address, %error, "[ops] listen: health and metrics are not served");
            None
        }
    }
}

async fn serve_operators(listener: TcpListener, shared: Shared, stopped: watch::Receiver<bool>) {
    let serving = axum::serve(listener, router::operators(&shared)).with_graceful_shutdown(until(stopped));
    if let Err(error) = serving.await {
        tracing::error!(%error, "the listener for operators ended");
    }
}

/// Unless another process on the same folder has put its own there since.
fn remove_run_file(path: &Path) {
    let read = std::fs::read(path).ok().and_then(|text| serde_json::from_slice::<serde_json::Value>(&text).ok());
    if read.is_some_and(|run| run["pid"] == std::process::id()) {
        let _ = std::fs::remove_file(path);
    }
}

fn write_run_file(path: &Path, url: &HttpsUrl, device_url: &HttpsUrl, ops: Option<SocketAddr>) -> Result<()> {
    let run = serde_json::json!({
        "url": url.to_string(),
        "device_url": device_url.to_string(),
        "ops": ops.map(|address| address.to_string()),
        "pid": std::process::id(),
    });
    private_file::replace(path, format!("{run}\n").as_bytes(), 0o600)?;
    Ok(())
}
