//! `muster init`: a new installation in an empty folder.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use secrecy::SecretString;

use super::serve::{application, open_store};
use super::server_certificate;
use super::settings::settings;
use crate::adapters::ca_files::DataFolder;
use crate::adapters::system::{SystemClock, SystemRng};
use crate::app::tokens::NewToken;
use crate::app::users::NewUser;
use crate::app::{App, Principal};
use crate::config::{Config, HttpsUrl, Start};
use crate::domain::user::Role;
use crate::pki::create::{self, CaNames};
use crate::pki::profile::Serial;

/// What `init` is told.
pub struct NewInstallation {
    /// The data folder; created if it is not there, refused if it holds an installation.
    pub data_dir: PathBuf,
    /// The sealing key, where it is not to lie in the data folder.
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
    pub listen: Option<String>,
    /// `[server] device_listen`.
    pub device_listen: Option<String>,
    /// `[ca] organization`.
    pub organization: Option<String>,
    /// `[server] tls_certificate` and `tls_key`, where a certificate is there already.
    pub tls: Option<(PathBuf, PathBuf)>,
}

/// Makes the installation; nothing of it exists before the configuration was found to be in order.
pub async fn init(new: NewInstallation) -> Result<()> {
    let folder = DataFolder::new(&new.data_dir, new.key_file.clone());
    if folder.config().exists() {
        bail!("{} holds an installation already", new.data_dir.display());
    }
    let text = config_text(&new)?;
    let config = Config::load(&text, std::iter::empty()).context("the new configuration is not in order")?;
    folder.create()?;
    let sealer = folder.create_sealer(SystemRng)?;
    make_authority(&folder, &config, &sealer)?;
    if new.tls.is_none() {
        server_certificate::make(&folder, &config, &sealer, SystemClock.now())?;
    }
    let sealer = Arc::new(sealer);
    let store = open_store(&folder, &config, sealer.clone()).await?;
    let settings = settings(&config, &config.server.url, &config.server.device_url());
    let authority = Arc::new(folder.authority(&sealer)?);
    let (app, _) = application(settings, authority, store.clone(), sealer, Arc::new(SystemClock));
    folder.write_admin_token(&first_admin(&app, &new).await?)?;
    store.close().await;
    // Last, so that a half-made installation is not taken for one.
    folder.write_config(&text)?;
    Ok(())
}

/// Adds the first administrator and a token that acts for them.
async fn first_admin(app: &App, new: &NewInstallation) -> Result<SecretString> {
    let user = NewUser {
        email: new.admin.clone(),
        name: None,
        password: new.password.clone(),
        role: Role::Admin,
        enabled: true,
        device_limit: None,
    };
    let user = app.add_user(&Principal::system(), user, None).await.context("--admin")?;
    let token = NewToken { name: "made by init".to_owned(), role: Role::Admin, user: Some(user.id), expires_in: None };
    let issued = app.add_token(&Principal::system(), token, None).await?;
    issued.secret.context("a new token has a secret")
}

fn make_authority(folder: &DataFolder, config: &Config, sealer: &crate::adapters::sealer::Sealer) -> Result<()> {
    let now = SystemClock.now();
    let organization = Some(config.ca.organization.as_str()).filter(|name| !name.is_empty());
    let names = CaNames::new(organization, SystemRng.bytes());
    let serial = || Serial::from_random(SystemRng.bytes());
    let root = create::root(&names, serial(), now)?;
    let issuing = create::issuing(&root, &names, serial(), now)?;
    folder.write_ca(&root, &issuing, sealer)?;
    Ok(())
}

fn config_text(new: &NewInstallation) -> Result<String> {
    let parse = |text: &str, option: &str| HttpsUrl::parse(text).map_err(|error| anyhow::anyhow!("{option}: {error}"));
    let start = Start {
        url: parse(&new.url, "--url")?,
        device_url: new.device_url.as_deref().map(|text| parse(text, "--device-url")).transpose()?,
        database_url: new.database.clone(),
        organization: new.organization.clone(),
    };
    let mut text = Config::template(&start);
    for (key, value) in [
        ("listen", new.listen.clone()),
        ("device_listen", new.device_listen.clone()),
        ("provider_id", new.provider_id.clone()),
        ("tls_certificate", new.tls.as_ref().map(|(certificate, _)| certificate.display().to_string())),
        ("tls_key", new.tls.as_ref().map(|(_, key)| key.display().to_string())),
    ] {
        if let Some(value) = value {
            text = set(&text, key, &value)?;
        }
    }
    Ok(text)
}

/// Replaces the commented default of a key in the template.
fn set(text: &str, key: &str, value: &str) -> Result<String> {
    let mark = format!("# {key} = ");
    let line = text.lines().find(|line| line.starts_with(&mark)).with_context(|| format!("no place for {key}"))?;
    Ok(text.replacen(line, &format!("{key} = {}", toml::Value::from(value)), 1))
}
