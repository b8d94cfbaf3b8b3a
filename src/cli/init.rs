//! `muster init`: a new installation, whole or not at all.
//!
//! Everything that can be judged beforehand is judged before anything is written; what is written has its name only when
//! all of it is there (`staging`).

use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf, absolute};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use secrecy::SecretString;

use super::serve::{
    WaysOut, application, check_belonging, database_file, look_into_database, open_database, random_tag, walker,
};
use super::server_certificate::{self, ServedRoot};
use super::settings::settings;
use super::staging::{Staging, refuse_taken};
use crate::adapters::ca_files::DataFolder;
use crate::adapters::outgoing::Closed;
use crate::adapters::private_file::create_folder;
use crate::adapters::sealer::Sealer;
use crate::adapters::smtp::NoServer;
use crate::adapters::system::{SystemClock, SystemRng};
use crate::app::authorities::Authorities;
use crate::app::ports::StoreError;
use crate::app::ports::{CaFiles, ServerTrust};
use crate::app::tokens::NewToken;
use crate::app::users::{NewUser, check_new_user};
use crate::app::{App, Error, Principal};
use crate::config::{Config, DatabaseUrl, HttpsUrl, Start};
use crate::domain::user::Role;
use crate::http::listener::tls::ServerCertificate;
use crate::pki::create::{self, CaNames};
use crate::pki::profile::Serial;
use crate::store::{SqlStore, Standing};

/// What `init` is told.
pub struct NewInstallation {
    /// The data folder; created if it is not there, refused if it holds an installation or parts of one.
    pub data_dir: PathBuf,
    /// The sealing key, where it is not to lie in the data folder. One that is there is used.
    pub key_file: Option<PathBuf>,
    /// `[server] url`.
    pub url: String,
    /// `[server] device_url`.
    pub device_url: Option<String>,
    /// Address of the first administrator.
    pub admin: String,
    /// Password of the first administrator, if one is wanted.
    pub password: Option<SecretString>,
    /// `[database] url`.
    pub database: Option<String>,
    /// `[server] provider_id`.
    pub provider_id: Option<String>,
    /// `[server] listen`.
    pub listen: Option<SocketAddr>,
    /// `[server] device_listen`.
    pub device_listen: Option<SocketAddr>,
    /// `[ca] organization`.
    pub organization: Option<String>,
    /// `[server] tls_certificate` and `tls_key`, where a certificate is there already.
    pub tls: Option<(PathBuf, PathBuf)>,
}

/// Makes the installation.
///
/// # Errors
/// What is wrong with the request, or what went wrong; then nothing is left of it.
pub async fn init(new: NewInstallation) -> Result<()> {
    let plan = Plan::of(new)?;
    let mut staging = Staging::begin(&plan.data)?;
    let key_file = plan.keys.while_making(staging.path());
    let database = plan.database.as_ref().map(|place| place.while_making(staging.path()));
    for folder in [Some(&key_file), database.as_ref()].into_iter().flatten().filter_map(|file| file.parent()) {
        create_folder(folder)?;
    }
    let folder = DataFolder::new(staging.path(), Some(key_file));
    let Some(database) = database else { return plan.make_with_server(&folder, staging).await };
    plan.fill(&folder).await?;
    if matches!(plan.database, Some(Place::Outside { .. })) {
        detach(&database)?;
    }
    plan.put_in_place(&mut staging)?;
    staging.keep();
    Ok(())
}

/// Makes sure that all of the closed database is in its one file, and takes away what belongs to its place: the lock, and
/// the room that is kept back.
fn detach(database: &Path) -> Result<()> {
    if database.with_extension("db-wal").exists() {
        bail!("the database was not closed in order");
    }
    for beside in ["db.lock", "db.reserve"] {
        let _ = std::fs::remove_file(database.with_extension(beside));
    }
    Ok(())
}

/// The database while it is made, where it is to lie elsewhere.
const MEANWHILE: &str = "muster.db";

/// What is to be made, found to be in order.
struct Plan {
    data: PathBuf,
    text: String,
    /// What `text` says, with a database that lies in the folder while it is made.
    config: Config,
    admin: NewUser,
    keys: Place,
    /// `None`: on a server.
    database: Option<Place>,
    has_certificate: bool,
}

/// Where a file of the installation is to lie.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// In the data folder.
    Inside(PathBuf),
    /// Elsewhere; in the data folder while it is made.
    Outside { meanwhile: PathBuf, path: PathBuf },
    /// It lies there already and is used as it is.
    There(PathBuf),
}

impl Plan {
    fn of(new: NewInstallation) -> Result<Self> {
        refuse_taken(&new.data_dir)?;
        let tls = new.tls.as_ref().map(|(certificate, key)| anyhow::Ok((absolute(certificate)?, absolute(key)?)));
        let tls = tls.transpose()?;
        let text = config_text(&new, tls.clone())?;
        let mut config = Config::load(&text, std::iter::empty()).context("the new configuration is not in order")?;
        let admin = first_admin(&new, &config)?;
        if let Some((certificate, key)) = &tls {
            let files = DataFolder::new(&new.data_dir, None).tls(certificate, key)?;
            ServerCertificate::new(files.chain, files.key).context("--tls-cert and --tls-key")?;
        }
        let database =
            database_file(&new.data_dir, &config)?.map(|file| database_place(&new.data_dir, file)).transpose()?;
        if let Some(Place::Inside(file) | Place::Outside { meanwhile: file, .. }) = &database {
            let url = DatabaseUrl::try_from(format!("sqlite:{}", file.display()));
            config.database.url = url.map_err(|error| anyhow!("--database: {error}"))?;
        }
        let keys = key_place(&new)?;
        Ok(Self { data: new.data_dir, text, config, admin, keys, database, has_certificate: tls.is_some() })
    }

    /// Makes everything in the folder; the configuration is its first file and the last one to be moved.
    async fn fill(&self, folder: &DataFolder) -> Result<()> {
        let sealer = self.make_files(folder)?;
        let store = Arc::new(open_database(folder, &self.config, sealer.clone()).await?);
        let made = async {
            check_belonging(&store, &self.config, &sealer).await?;
            self.furnish(folder, store.clone(), sealer.clone()).await?;
            Ok(store.change_standing(&Standing::Unmarked, &Standing::Made).await?)
        };
        let made = made.await;
        store.close().await;
        made
    }

    /// The same with a database on a server, which cannot be put in place together with the files: it is marked until
    /// they are, and what fails is cleared away.
    async fn make_with_server(&self, folder: &DataFolder, staging: Staging) -> Result<()> {
        let sealer = self.make_files(folder)?;
        let store = look_into_database(folder, &self.config, sealer.clone()).await?;
        let making = random_tag();
        let Some(claimed) = store.begin_installation(&making).await.map_err(of_claim)? else {
            bail!(
                "--database: it holds an installation, or something else, already; a new one begins with a database of \
                 its own"
            );
        };
        let made = self.make_in(&making, Arc::new(claimed), folder, sealer, staging).await;
        let made = match made {
            Ok(()) => Ok(()),
            Err(error) => Err(clear(&store, &making, error).await),
        };
        store.close().await;
        made
    }

    /// Makes the installation in the database that was claimed for it.
    async fn make_in(
        &self,
        making: &str,
        claimed: Arc<SqlStore>,
        folder: &DataFolder,
        sealer: Arc<Sealer>,
        mut staging: Staging,
    ) -> Result<()> {
        check_belonging(&claimed, &self.config, &sealer).await?;
        self.furnish(folder, claimed.clone(), sealer).await?;
        self.put_in_place(&mut staging)?;
        match claimed.end_installation(making).await {
            // A server that was started on the folder was quicker, or else another `init`.
            Err(StoreError::Conflict) if claimed.standing().await? != Standing::Made => {
                return Err(StoreError::Conflict.into());
            }
            Ok(()) | Err(StoreError::Conflict) => {}
            Err(error) => {
                tracing::warn!(%error, "the database could not be told that it is whole; `muster serve` does it")
            }
        }
        staging.keep();
        Ok(())
    }

    fn put_in_place(&self, staging: &mut Staging) -> Result<()> {
        for place in [Some(&self.keys), self.database.as_ref()].into_iter().flatten() {
            if let Place::Outside { meanwhile, path } = place {
                staging.carry(meanwhile, path)?;
            }
        }
        staging.place()
    }

    fn make_files(&self, folder: &DataFolder) -> Result<Arc<Sealer>> {
        folder.create()?;
        folder.write_config(&self.text)?;
        let sealer = folder.create_sealer(SystemRng)?;
        make_authority(folder, &self.config, &sealer)?;
        if !self.has_certificate {
            server_certificate::make(folder, &self.config, &sealer, SystemClock.now())?;
        }
        Ok(Arc::new(sealer))
    }

    /// The first administrator, with a token.
    async fn furnish(&self, folder: &DataFolder, store: Arc<SqlStore>, sealer: Arc<Sealer>) -> Result<()> {
        let settings = settings(&self.config, &self.config.server.url, &self.config.server.device_url());
        let served = ServedRoot::new(folder.clone(), self.config.clone());
        let ca_files: Arc<dyn CaFiles> = Arc::new(folder.clone());
        let ca = (
            Arc::new(Authorities::new(folder.authority(&sealer)?)),
            ca_files,
            Arc::new(served) as Arc<dyn ServerTrust>,
        );
        let clock = Arc::new(SystemClock);
        let ways = WaysOut { http: Arc::new(Closed), mailer: Arc::new(NoServer), walker: walker(&self.config) };
        let (app, _) = application(settings, ca, store, sealer, Arc::default(), clock, ways);
        let token = add_admin(&app, self.admin.clone()).await?;
        folder.write_admin_token(&token)?;
        Ok(())
    }
}

/// Clears away what was made in the database until that error came, unless it is somebody else's by now.
async fn clear(store: &SqlStore, making: &str, error: anyhow::Error) -> anyhow::Error {
    match store.give_up_installation(making).await {
        Ok(()) => error,
        Err(StoreError::Conflict) => anyhow!(TAKEN),
        Err(failure) => {
            tracing::warn!(error = %failure, "the database could not be cleared; the next init does it");
            error
        }
    }
}

fn of_claim(error: StoreError) -> anyhow::Error {
    match error {
        StoreError::Conflict => anyhow!(TAKEN),
        error => anyhow!(error).context("--database"),
    }
}

const TAKEN: &str = "--database: another program took the database meanwhile; nothing was made";

impl Place {
    fn while_making(&self, folder: &Path) -> PathBuf {
        match self {
            Self::Inside(path) | Self::Outside { meanwhile: path, .. } => folder.join(path),
            Self::There(path) => path.clone(),
        }
    }
}

/// The place of a file that `init` makes, by its absolute path.
fn place(data: &Path, path: &Path, option: &str, meanwhile: &str) -> Result<Place> {
    let data = plain(&absolute(data)?);
    // A folder that is there already is not made again: what goes into it is brought there like what lies elsewhere.
    let is_made = |inside: &&Path| {
        let first = inside.components().next().map(|first| data.join(first));
        inside.components().count() == 1 || first.is_none_or(|first| !first.exists())
    };
    if let Some(inside) = path.strip_prefix(&data).ok().filter(is_made) {
        return Ok(Place::Inside(inside.to_owned()));
    }
    let folder = path.parent().unwrap_or(path);
    if !folder.is_dir() {
        bail!("{option}: there is no folder {}", folder.display());
    }
    Ok(Place::Outside { meanwhile: meanwhile.into(), path: path.to_owned() })
}

fn key_place(new: &NewInstallation) -> Result<Place> {
    let path = new.key_file.clone().unwrap_or_else(|| new.data_dir.join("keys"));
    let path = plain(&absolute(path)?);
    if !path.exists() {
        return place(&new.data_dir, &path, "--key-file", "keys");
    }
    DataFolder::new(&new.data_dir, Some(path.clone())).sealer(SystemRng)?;
    Ok(Place::There(path))
}

fn database_place(data: &Path, file: &Path) -> Result<Place> {
    let path = plain(&absolute(data)?.join(file));
    if path.exists() {
        bail!("--database: {} exists already; a new installation begins with a database of its own", path.display());
    }
    place(data, &path, "--database", MEANWHILE)
}

/// The path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

/// The first administrator, judged by the rules for every user.
fn first_admin(new: &NewInstallation, config: &Config) -> Result<NewUser> {
    let admin = NewUser {
        email: new.admin.clone(),
        name: None,
        password: new.password.clone(),
        role: Role::Admin,
        enabled: true,
        device_limit: None,
    };
    match check_new_user(&Principal::system(), admin, &config.enroll.bulk_prefix) {
        Ok((admin, _)) => Ok(admin),
        Err(Error::Invalid(errors)) => {
            let option = |pointer| if pointer == "/password" { "the administrator's password" } else { "--admin" };
            let words = errors.iter().map(|error| format!("{} {}", option(&error.pointer), error.message));
            bail!("{}", words.collect::<Vec<_>>().join("; "))
        }
        Err(error) => Err(anyhow!(error).context("--admin")),
    }
}

/// Adds the first administrator and a token that acts for them.
async fn add_admin(app: &App, admin: NewUser) -> Result<SecretString> {
    let user = app.add_user(&Principal::system(), admin, None).await.context("--admin")?;
    let token = NewToken { name: "made by init".to_owned(), role: Role::Admin, user: Some(user.id), expires_in: None };
    let issued = app.add_token(&Principal::system(), token, None).await?;
    issued.secret.context("a new token has a secret")
}

fn make_authority(folder: &DataFolder, config: &Config, sealer: &Sealer) -> Result<()> {
    let now = SystemClock.now();
    let organization = Some(config.ca.organization.as_str()).filter(|name| !name.is_empty());
    let names = CaNames::new(organization, SystemRng.bytes());
    let serial = || Serial::from_random(SystemRng.bytes());
    let root = create::root(&names, serial(), now)?;
    let issuing = create::issuing(&root, &names, serial(), now)?;
    folder.write_ca(&root, &issuing, sealer)?;
    Ok(())
}

fn config_text(new: &NewInstallation, tls: Option<(PathBuf, PathBuf)>) -> Result<String> {
    let parse = |text: &str, option: &str| HttpsUrl::parse(text).map_err(|error| anyhow!("{option}: {error}"));
    Ok(Config::template(&Start {
        url: parse(&new.url, "--url")?,
        device_url: new.device_url.as_deref().map(|text| parse(text, "--device-url")).transpose()?,
        listen: new.listen,
        device_listen: new.device_listen,
        provider_id: new.provider_id.clone(),
        tls,
        database_url: new.database.clone(),
        organization: new.organization.clone(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_their_place_in_the_folder_or_elsewhere() {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        let outside = |path: PathBuf| Place::Outside { meanwhile: MEANWHILE.into(), path };
        for (file, expected) in [
            (PathBuf::from("muster.db"), Place::Inside("muster.db".into())),
            (PathBuf::from("./sub/x.db"), Place::Inside("sub/x.db".into())),
            (PathBuf::from("sub/../x.db"), Place::Inside("x.db".into())),
            (data.join("x.db"), Place::Inside("x.db".into())),
            (PathBuf::from("../x.db"), outside(home.path().join("x.db"))),
            (home.path().join("x.db"), outside(home.path().join("x.db"))),
        ] {
            assert_eq!(database_place(&data, &file).unwrap(), expected, "{}", file.display());
        }
        assert!(database_place(&data, Path::new("../no/folder/x.db")).is_err());
        std::fs::write(home.path().join("x.db"), "").unwrap();
        assert!(database_place(&data, Path::new("../x.db")).is_err());
    }
}
