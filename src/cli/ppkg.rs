//! `muster ppkg`: provisioning packages for bulk enrollment.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use uuid::Uuid;

use super::client::{Client, Refusal};
use super::names::{path, short_id, short_ids};
use super::output::{Out, Table, field, pairs, remark, time};
use crate::adapters::private_file::{self, FileError};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a package and write the files from which Windows Configuration Designer builds it.
    New(NewArgs),
    /// Build a package anew: a higher version, another secret; what was built before lets nobody in any more.
    Rebuild(RebuildArgs),
    /// List packages, newest first.
    List {
        /// Most rows.
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Show a package and how often it was used.
    Show {
        /// Id.
        id: String,
    },
    /// Withdraw a package; the devices that enrolled with it stay.
    Revoke {
        /// Id.
        id: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct NewArgs {
    /// The bulk user; one that is not there is added. The name begins with the configured prefix.
    #[arg(long, value_name = "NAME")]
    user: String,
    /// Name of the package: letters, digits and hyphens; default: made of the user's.
    #[arg(long)]
    name: Option<String>,
    /// How long it works, e.g. 7d; default 30d.
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// For how many devices; default 100.
    #[arg(long, value_name = "N")]
    max_devices: Option<u32>,
    /// A network from which it may be used, e.g. 192.0.2.0/24; may be given several times. Default: from everywhere.
    #[arg(long = "network", value_name = "CIDR")]
    networks: Vec<String>,
    #[command(flatten)]
    built: BuiltArgs,
}

#[derive(Debug, Args)]
pub(super) struct RebuildArgs {
    /// Id.
    id: String,
    #[command(flatten)]
    built: BuiltArgs,
}

/// What is built into a package, and where its files go.
#[derive(Debug, Args)]
pub(super) struct BuiltArgs {
    /// The folder for the archive.
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
    /// A PIN with which devices are enrolled by hand; without digits one is made.
    #[arg(long, value_name = "DIGITS", num_args = 0..=1, default_missing_value = "")]
    pin: Option<String>,
    /// Words for people, shown on the device.
    #[arg(long)]
    notes: Option<String>,
    /// How the device is named, at most 15 characters; `%SERIAL%` and `%RAND:n%` are filled in by Windows.
    #[arg(long, value_name = "PATTERN")]
    device_name: Option<String>,
    /// The wireless network over which the device reaches the server in setup.
    #[arg(long, value_name = "SSID")]
    wifi: Option<String>,
    /// File whose first line is the password of that network; without it the network is open.
    #[arg(long, value_name = "FILE", requires = "wifi")]
    wifi_password_file: Option<PathBuf>,
    /// That network does not tell its name.
    #[arg(long, requires = "wifi")]
    wifi_hidden: bool,
    /// A local administrator to be made on the device.
    #[arg(long, value_name = "NAME", requires = "local_admin_password_file")]
    local_admin: Option<String>,
    /// File whose first line is its password.
    #[arg(long, value_name = "FILE", requires = "local_admin")]
    local_admin_password_file: Option<PathBuf>,
    /// Root certificate, PEM, that the device is to trust; `none` for none. Default: that of the server where it is not a
    /// public one.
    #[arg(long, value_name = "FILE")]
    root_certificate: Option<PathBuf>,
}

pub(super) async fn run(client: &Client, out: &Out, command: Command) -> Result<()> {
    match command {
        Command::New(args) => {
            let mut body = args.built.body()?;
            body["user"] = args.user.into();
            set(&mut body, "name", args.name);
            set(&mut body, "expires_in", args.expires);
            set(&mut body, "max_devices", args.max_devices);
            set(&mut body, "networks", Some(args.networks).filter(|networks| !networks.is_empty()));
            let made = client.post("/packages", &[], &body).await.map_err(may_be_made)?;
            hand_out(out, made, &args.built.out)
        }
        Command::Rebuild(args) => {
            let address = format!("{}/rebuild", path("/packages", &args.id)?);
            let built = client.post(&address, &[], &args.built.body()?).await.map_err(may_be_made)?;
            hand_out(out, built, &args.built.out)
        }
        Command::List { limit } => list(client, out, limit).await,
        Command::Show { id } => {
            let package = client.get(&path("/packages", &id)?, &[]).await?;
            out.either(&package, || summary(&package))
        }
        Command::Revoke { id } => {
            client.delete(&path("/packages", &id)?, &[]).await?;
            out.either(&json!({"id": id, "revoked": true}), || format!("revoked {id}"))
        }
    }
}

impl BuiltArgs {
    /// The parts of a request that both kinds of builds have. The folder is there afterwards and takes files: what the
    /// answer brings, it brings once.
    fn body(&self) -> Result<Value> {
        let folder = self.out.display();
        fs::create_dir_all(&self.out).with_context(|| format!("cannot make the folder {folder}"))?;
        let trial = self.out.join(format!(".{}", Uuid::new_v4()));
        private_file::write_new(&trial, b"", 0o600)?;
        fs::remove_file(&trial).with_context(|| format!("cannot remove {}", trial.display()))?;
        let mut body = json!({});
        if let Some(pin) = &self.pin {
            body["pin"] = if pin.is_empty() { Value::from(true) } else { Value::from(pin.as_str()) };
        }
        set(&mut body, "notes", self.notes.as_deref());
        set(&mut body, "device_name", self.device_name.as_deref());
        if let Some(ssid) = &self.wifi {
            body["wifi"] = json!({"ssid": ssid, "hidden": self.wifi_hidden});
            let password = self.wifi_password_file.as_deref().map(first_line).transpose()?;
            set(&mut body["wifi"], "password", password);
        }
        if let (Some(name), Some(file)) = (&self.local_admin, &self.local_admin_password_file) {
            body["local_admin"] = json!({"name": name, "password": first_line(file)?});
        }
        if let Some(file) = &self.root_certificate {
            let text = if file == Path::new("none") { "none".to_owned() } else { read(file)? };
            body["root_certificate"] = text.into();
        }
        Ok(body)
    }
}

fn set(body: &mut Value, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        body[name] = value.into();
    }
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

fn first_line(file: &Path) -> Result<String> {
    let text = read(file)?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => bail!("the first line of {} is empty", file.display()),
    }
}

/// An error after which nobody knows whether the request was carried out, with what to do then.
fn may_be_made(error: anyhow::Error) -> anyhow::Error {
    if error.is::<Refusal>() {
        return error;
    }
    anyhow!(
        "{error:#}; if the package was built all the same (muster ppkg list shows it), its files are lost: muster ppkg \
         rebuild ID makes new ones"
    )
}

/// Writes the archive, and says what is to be known of it. Where that fails the package is there, and its secret is lost.
fn hand_out(out: &Out, mut built: Value, folder: &Path) -> Result<()> {
    let id = field(&built, "id");
    let file = write_archive(&mut built, folder).with_context(|| {
        format!("the package {id} was built, but its files were lost; muster ppkg rebuild {id} makes new ones")
    })?;
    if let Some(document) = built.as_object_mut() {
        document.remove("archive");
        document.insert("file".to_owned(), file.display().to_string().into());
    }
    remark("the archive holds the secret of the package in clear; keep it as you keep passwords");
    out.either(&built, || {
        pairs([
            ("archive", file.display().to_string()),
            ("package", format!("{} {}", field(&built, "name"), field(&built, "version"))),
            ("id", field(&built, "id")),
            ("bulk user", field(&built, "user")),
            ("PIN, shown once", field(&built, "pin")),
            ("works until", time(&built, "expires_at")),
            ("devices", devices(&built)),
            ("build it with", field(&built, "command")),
        ])
    })
}

/// Writes the archive that the answer brought; where it lies.
fn write_archive(built: &mut Value, folder: &Path) -> Result<PathBuf> {
    let archive = built["archive"].take();
    let bytes = archive.as_str().and_then(|text| BASE64_STANDARD.decode(text).ok());
    // It comes once; an answer that was lost on the way took it along.
    let bytes = bytes.ok_or_else(|| anyhow!("the answer that brought them did not arrive"))?;
    let name = format!("{}-{}", file_name(built)?, field(built, "version"));
    write(folder, &[format!("{name}.zip"), format!("{name}-{}.zip", field(built, "id"))], &bytes)
}

/// The name of the package as that of a file: whatever a server sends, it leads nowhere else.
fn file_name(built: &Value) -> Result<String> {
    let name = field(built, "name");
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if name.is_empty() || !is_plain { bail!("the server named the package oddly") } else { Ok(name) }
}

/// Writes a file under the first name that is free.
fn write(folder: &Path, names: &[String], bytes: &[u8]) -> Result<PathBuf> {
    for name in names {
        let file = folder.join(name);
        match private_file::write_new(&file, bytes, 0o600) {
            Ok(()) => return Ok(file),
            Err(FileError::Exists { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    bail!("there are files {} in {} already", names.join(" and "), folder.display())
}

async fn list(client: &Client, out: &Out, limit: usize) -> Result<()> {
    let found = client.list("/packages", &[], limit).await?;
    out.list(&found.items, "no packages", || {
        let mut table = Table::new(["ID", "NAME", "VERSION", "USER", "STATE", "DEVICES", "PIN", "ENDS (UTC)"]);
        let ids = short_ids(&found.items, "id", found.is_whole);
        for (package, id) in found.items.iter().zip(ids) {
            table.row([
                id,
                field(package, "name"),
                field(package, "version"),
                field(package, "user"),
                field(package, "state"),
                devices(package),
                field(package, "pin_state"),
                time(package, "expires_at"),
            ]);
        }
        table
    })
}

fn summary(package: &Value) -> String {
    let networks = package["networks"].as_array().map(Vec::as_slice).unwrap_or_default();
    let networks: Vec<&str> = networks.iter().filter_map(Value::as_str).collect();
    pairs([
        ("name", field(package, "name")),
        ("version", field(package, "version")),
        ("id", short_id(&field(package, "id"))),
        ("bulk user", field(package, "user")),
        ("state", field(package, "state")),
        ("devices", devices(package)),
        ("PIN", field(package, "pin_state")),
        ("works from", if networks.is_empty() { "everywhere".to_owned() } else { networks.join(", ") }),
        ("made", time(package, "created_at")),
        ("ends", time(package, "expires_at")),
        ("last used", time(package, "last_used_at")),
        ("revoked", time(package, "revoked_at")),
    ])
}

/// Packages of a list by name and id; `None`: there is none.
pub(super) fn named(packages: &Value) -> Option<String> {
    let packages = packages.as_array().filter(|packages| !packages.is_empty())?;
    let name = |package: &Value| format!("{} ({})", field(package, "name"), field(package, "id"));
    Some(packages.iter().map(name).collect::<Vec<_>>().join(", "))
}

fn devices(package: &Value) -> String {
    format!("{} of {}", field(package, "devices"), field(package, "max_devices"))
}
