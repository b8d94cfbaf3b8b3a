//! The real server under load: an installation in a folder of its own, served by this program, with enrolled devices.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use secrecy::SecretString;
use serde_json::json;

use super::load::{Newcomer, Pc, Trace, drive};
use super::process::{Cores, Server};
use crate::adapters::ca_files::DataFolder;
use crate::adapters::private_file::create_folder;
use crate::adapters::system::SystemRng;
use crate::cli::Globals;
use crate::cli::client::Client;
use crate::cli::init::{NewInstallation, init};
use crate::cli::serve::{load_config, look_into_database};
use crate::cli::sim::transport::{Network, Settings, TlsVersion, roots_from_file};
use crate::sim::{Device, KeyPool, Managed, Options, Profile, discovery_url};
use crate::store::SqlStore;

/// Who enrolls all devices.
const USER: &str = "bench@bench.example";
/// Protects nothing: the server is gone when the run is over.
const PASSWORD: &str = "correct horse battery staple";
/// Devices that call at the same time.
pub(super) const AT_ONCE: usize = 64;

/// A folder for one run; it goes with it.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// A new folder that only we can read.
    pub(super) fn new() -> Result<Self> {
        let name: String = SystemRng.bytes::<4>().iter().map(|byte| format!("{byte:02x}")).collect();
        let folder = std::env::temp_dir().join(format!("muster-bench-{name}"));
        create_folder(&folder)?;
        Ok(Self(folder))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// How the devices of a run speak TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speech {
    /// TLS 1.2 with a full handshake for each connection, as devices do whose client does not resume.
    Tls12,
    /// TLS 1.2, resumed.
    Resumed,
    /// TLS 1.3 with a full handshake.
    Tls13,
}

/// A served installation and its devices.
pub(super) struct Fleet {
    cores: Option<Cores>,
    database: Option<String>,
    keys: KeyPool,
    /// Devices made so far.
    made: u32,
    server: Option<Server>,
    /// Where it was the first time: its devices go on calling there.
    urls: Option<[String; 2]>,
    /// Goes last, when no server writes to it any more.
    folder: Folder,
}

impl Fleet {
    /// Makes an installation and serves it.
    pub(super) async fn start(cores: Option<Cores>, database: Option<&str>) -> Result<Self> {
        let folder = Folder::new()?;
        init(installation(&folder.path().join("data"), database)).await?;
        let keys = KeyPool::new("bench");
        let database = database.map(str::to_owned);
        let mut fleet = Self { folder, cores, database, keys, made: 0, server: None, urls: None };
        fleet.serve()?;
        let body = json!({"email": USER, "password": PASSWORD});
        fleet.api()?.post("/users", &[], &body).await.context("the user of the devices")?;
        Ok(fleet)
    }

    /// The data folder.
    pub(super) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The database, where it is no file.
    pub(super) fn database(&self) -> Option<&str> {
        self.database.as_deref()
    }

    /// Where its servers run, and where the devices do.
    pub(super) fn cores(&self) -> Option<Cores> {
        self.cores
    }

    /// Opens the database, which no server may have open where it is a file.
    pub(super) async fn store(&self) -> Result<SqlStore> {
        let folder = DataFolder::new(self.data(), None);
        let sealer = Arc::new(folder.sealer(SystemRng)?);
        look_into_database(&folder, &load_config(&folder)?, sealer).await
    }

    /// Where health and metrics are.
    pub(super) async fn metrics(&self) -> Result<String> {
        let run: serde_json::Value = serde_json::from_slice(&std::fs::read(self.data().join("run.json"))?)?;
        let address = run["ops"].as_str().context("the server has no listener for operators")?;
        let client = reqwest::Client::builder().no_proxy().build()?;
        Ok(client.get(format!("http://{address}/metrics")).send().await?.text().await?)
    }

    /// The running server.
    pub(super) fn server(&self) -> Result<&Server> {
        self.server.as_ref().context("the server is not running")
    }

    /// Starts the server; once more, on the ports that it had.
    pub(super) fn serve(&mut self) -> Result<()> {
        let data = self.data();
        let arguments = ["serve", "--data", data.to_str().context("the path of the folder is no UTF-8")?];
        let mut variables = variables();
        let names = ["MUSTER__SERVER__URL", "MUSTER__SERVER__DEVICE_URL"].map(str::to_owned);
        variables.extend(self.urls.iter().flat_map(|urls| names.iter().cloned().zip(urls.iter().cloned())));
        let server = Server::start(&arguments, &variables, &self.folder.path().join("serve.log"), self.cores)?;
        self.urls = Some([server.url.clone(), server.device_url.clone()]);
        self.server = Some(server);
        Ok(())
    }

    /// Ends the server in order.
    pub(super) fn stop(&mut self) -> Result<()> {
        self.server.take().map_or(Ok(()), Server::stop)
    }

    /// Starts the bare server on the same data folder.
    pub(super) fn bare(&self) -> Result<Server> {
        let data = self.data();
        let arguments = ["bench-bare", "--data", data.to_str().context("the path of the folder is no UTF-8")?];
        Server::start(&arguments, &variables(), &self.folder.path().join("bare.log"), self.cores)
    }

    /// The API, as the administrator.
    pub(super) fn api(&self) -> Result<Client> {
        let token_file = Some(self.data().join("admin.token"));
        Client::connect(&Globals { data: self.data(), server: None, token_file, ca_file: None, json: true })
    }

    /// How devices reach the server.
    pub(super) fn network(&self, speech: Speech) -> Result<Arc<Network>> {
        let roots = roots_from_file(&self.data().join("ca/root.pem"))?;
        let tls = match speech {
            Speech::Tls12 | Speech::Resumed => TlsVersion::Tls12,
            Speech::Tls13 => TlsVersion::Tls13,
        };
        let patience = Duration::from_secs(30);
        Ok(Network::new(Settings {
            tls: Some(tls),
            resume: speech == Speech::Resumed,
            connect_timeout: patience,
            ..Settings::new(roots)
        }))
    }

    /// Devices that have not enrolled yet, each with a key of its own.
    pub(super) fn newcomers(&mut self, count: usize) -> Result<Vec<Newcomer>> {
        let network = self.network(Speech::Tls12)?;
        let discovery = discovery_url(&self.server()?.url);
        let first = self.made;
        self.made += u32::try_from(count)?;
        (first..self.made)
            .map(|number| {
                let mut options = Options::with_password(&discovery, USER, SecretString::from(PASSWORD));
                options.key = Some(self.keys.key(number)?);
                let device = Device::new(Profile::Windows11, &format!("bench {number}"));
                Ok(Newcomer { network: Arc::clone(&network), device, options, enrolled: None, trace: Trace::default() })
            })
            .collect()
    }

    /// Enrolls so many devices more and lets each hold its first session, in which it is asked about itself.
    pub(super) async fn enroll(&mut self, count: usize) -> Result<Vec<Pc>> {
        let newcomers = self.newcomers(count)?;
        let (newcomers, tally) = drive(newcomers, count, AT_ONCE).await?;
        tally.check().context("enrollment")?;
        let pcs = self.pcs(newcomers).await?;
        let visits = pcs.len();
        let (pcs, tally) = drive(pcs, visits, AT_ONCE).await?;
        tally.check().context("the first sessions")?;
        Ok(pcs)
    }

    /// The devices that enrolled.
    async fn pcs(&self, newcomers: Vec<Newcomer>) -> Result<Vec<Pc>> {
        let listed = self.api()?.list("/devices", &[], usize::MAX).await?;
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let ids: HashMap<String, String> = listed
            .items
            .iter()
            .map(|device| (text(&device["hw_dev_id"]).to_uppercase(), text(&device["id"])))
            .collect();
        let network = self.network(Speech::Tls12)?;
        newcomers
            .into_iter()
            .map(|Newcomer { device, enrolled, .. }| {
                let enrolled = enrolled.context("a device did not enroll")?;
                let id = ids.get(&device.hardware_id).context("the server does not know a device")?.clone();
                let client = network.client(Some(&enrolled))?;
                let network = Arc::clone(&network);
                Ok(Pc { id, managed: Managed::new(device, enrolled), network, client, trace: None })
            })
            .collect()
    }

    /// Puts commands into the queue of each device: so many requests, each with that body.
    pub(super) async fn queue(&self, pcs: &[Pc], bodies: &[String]) -> Result<()> {
        let api = Arc::new(self.api()?);
        let mut waiting = pcs.iter().map(|pc| pc.id.clone()).collect::<Vec<_>>().into_iter();
        let mut asking = tokio::task::JoinSet::new();
        loop {
            while asking.len() < AT_ONCE
                && let Some(id) = waiting.next()
            {
                let (api, bodies) = (Arc::clone(&api), bodies.to_vec());
                asking.spawn(async move {
                    for body in bodies {
                        let path = format!("/devices/{id}/commands");
                        api.post_commands(&path, &[("unchecked", "true")], body.into_bytes()).await?;
                    }
                    anyhow::Ok(())
                });
            }
            match asking.join_next().await {
                Some(asked) => asked?.context("queueing commands")?,
                None => return Ok(()),
            }
        }
    }
}

/// Where the load of one machine would be throttled, limits are raised; TLS 1.3 is offered so that it can be measured.
fn variables() -> Vec<(String, String)> {
    [
        ("MUSTER__LIMITS__DEVICE_REQUESTS_PER_MINUTE", "100000000"),
        ("MUSTER__LIMITS__CONNECTIONS", "20000"),
        ("MUSTER__LIMITS__CONNECTIONS_PER_ADDRESS", "20000"),
        ("MUSTER__SERVER__DEVICE_TLS13", "true"),
        ("MUSTER__OPS__LISTEN", "127.0.0.1:0"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

fn installation(data: &Path, database: Option<&str>) -> NewInstallation {
    NewInstallation {
        data_dir: data.to_owned(),
        key_file: None,
        url: "https://localhost:0".to_owned(),
        device_url: Some("https://localhost:0".to_owned()),
        admin: "admin@bench.example".to_owned(),
        password: None,
        database: database.map(str::to_owned),
        provider_id: None,
        listen: None,
        device_listen: None,
        organization: None,
        tls: None,
    }
}
