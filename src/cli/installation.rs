//! Commands that need no running server: they work on the data folder, or on what the program itself knows.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use clap::Args;
use serde_json::{Value, json};

use super::init::{self, NewInstallation};
use super::output::{Out, Table, remark};
use super::{Globals, demo, password, serve};
use crate::adapters::ca_files::DataFolder;
use crate::config::Config;
use crate::domain::user::Role;
use crate::http::router;

/// `muster demo`
#[derive(Debug, Args)]
pub(super) struct DemoArgs {}

/// `muster init`
#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// Where people, programs and enrolling PCs reach the server, e.g. https://mdm.example.com.
    #[arg(long)]
    url: String,
    /// Where enrolled devices call; default: the host of --url, port 8443.
    #[arg(long, value_name = "URL")]
    device_url: Option<String>,
    /// E-mail address of the first administrator.
    #[arg(long, value_name = "EMAIL")]
    admin: String,
    /// Read the administrator's password from standard input.
    #[arg(long)]
    password_stdin: bool,
    /// Database: `sqlite:` and a path, or postgres://….
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// OMA-DM provider id; fixed once the first device has enrolled.
    #[arg(long, value_name = "ID")]
    provider_id: Option<String>,
    /// Address to bind for --url.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Address to bind for --device-url.
    #[arg(long, value_name = "ADDRESS:PORT")]
    device_listen: Option<SocketAddr>,
    /// Organisation named in the CA certificates.
    #[arg(long, value_name = "NAME")]
    organization: Option<String>,
    /// Server certificate that there is already, PEM, leaf first.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its private key, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// File for the sealing keys, better on another disk; default: `keys` in the data folder.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

/// `muster serve`
#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// File with the sealing keys; default: `keys` in the data folder.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Start although the clock is more than a day behind what the database holds or apart from its server's; believe it.
    #[arg(long)]
    trust_clock: bool,
}

pub(super) async fn demo(_: DemoArgs) -> Result<()> {
    demo::run(&mut std::io::stdout()).await
}

pub(super) async fn init(globals: &Globals, args: InitArgs) -> Result<()> {
    let password = if args.password_stdin { Some(password::from_stdin()?) } else { None };
    let data = globals.data.clone();
    let key_file = args.key_file.as_ref().map(|file| format!(" --key-file {}", file.display())).unwrap_or_default();
    init::init(NewInstallation {
        data_dir: data.clone(),
        key_file: args.key_file,
        url: args.url,
        device_url: args.device_url,
        admin: args.admin,
        password,
        database: args.database,
        provider_id: args.provider_id,
        listen: args.listen,
        device_listen: args.device_listen,
        organization: args.organization,
        tls: args.tls_cert.zip(args.tls_key),
    })
    .await?;
    remark(&format!("made {0}; start it: muster serve --data {0}{key_file}", data.display()));
    Ok(())
}

pub(super) async fn serve(globals: &Globals, args: ServeArgs) -> Result<()> {
    let mut options = serve::Options::new(globals.data.clone());
    options.key_file = args.key_file;
    options.trust_clock = args.trust_clock;
    serve::run(options).await
}

pub(super) fn check_config(globals: &Globals, out: &Out) -> Result<()> {
    let path = globals.data.join("muster.toml");
    let config = load(&path)?;
    serve::database_file(&globals.data, &config)?;
    serve::way_out(&DataFolder::new(&globals.data, None), &config)?;
    serve::mailer(&DataFolder::new(&globals.data, None), &config)?;
    let alarm = DataFolder::new(&globals.data, None).ca_key_problem();
    if let Some(alarm) = &alarm {
        remark(&format!("warning: {alarm}; without this key nobody can enroll, and no device renew its certificate"));
    }
    let warnings: Vec<&String> = alarm.iter().collect();
    let document = json!({"ok": true, "file": path.display().to_string(), "warnings": warnings});
    out.either(&document, || format!("{} is in order", path.display()))
}

fn load(path: &Path) -> Result<Config> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    // The error names the file itself.
    Config::load(&text, std::env::vars()).map_err(|error| anyhow!("{error}"))
}

pub(super) fn routes(out: &Out) -> Result<()> {
    let items: Vec<Value> = router::table()
        .iter()
        .map(|route| {
            json!({
                "method": route.method.as_str(),
                "path": route.path,
                "audience": route.audience.as_str(),
                "listener": route.listener.as_str(),
                "role": route.role.map(Role::as_str),
            })
        })
        .collect();
    out.list(&items, "", || {
        let mut table = Table::new(["LISTENER", "AUDIENCE", "ROLE", "METHOD", "PATH"]);
        for route in router::table() {
            table.row([
                route.listener.as_str().to_owned(),
                route.audience.as_str().to_owned(),
                route.role.map_or("-", Role::as_str).to_owned(),
                route.method.to_string(),
                route.path.to_owned(),
            ]);
        }
        table
    })
}
