//! `muster cert`

mod drill;

use anyhow::{Context, Result};
use clap::Subcommand;
use serde_json::{Value, json};

use super::client::Client;
use super::names::{self, short_id, short_ids};
use super::output::{Out, Table, field, remark, time};
use super::{Usage, ppkg};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List device certificates, newest first.
    List {
        /// Only of that device, by id or name.
        #[arg(long)]
        device: Option<String>,
        /// Most rows.
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Revoke a certificate: its device is refused from its next request on.
    Revoke {
        /// Serial number, or the beginning of it.
        serial: String,
        /// Why.
        #[arg(long)]
        reason: Option<String>,
        /// Only say what would happen.
        #[arg(long)]
        dry_run: bool,
    },
    /// Have a device renew its certificate now, and follow it until the new one was issued and used.
    Drill {
        /// The device, by id or name.
        device: String,
        /// Minutes until it is given up to wait for the device; the order stays.
        #[arg(long, default_value_t = 60, value_name = "MINUTES")]
        timeout: u64,
    },
    /// Print the CA certificates, the root before the device issuing CA, and how a roll-over stands; or go on with it.
    Ca {
        #[command(subcommand)]
        stage: Option<Stage>,
    },
}

pub(super) async fn run(client: &Client, out: &Out, command: Command) -> Result<()> {
    match command {
        Command::List { device, limit } => list(client, out, device, limit).await,
        Command::Revoke { serial, reason, dry_run } => revoke(client, out, &serial, reason, dry_run).await,
        Command::Drill { device, timeout } => drill::run(client, out, &device, timeout).await,
        Command::Ca { stage } => ca(client, out, stage).await,
    }
}

/// What is done about the CA.
#[derive(Debug, Subcommand)]
pub(super) enum Stage {
    /// Make the next CA: trusted at once and handed out to the devices; it issues nothing yet.
    Rotate {
        /// Only say whether that can be done.
        #[arg(long)]
        dry_run: bool,
    },
    /// Make the next CA issue, once all devices have its root.
    Activate {
        /// Although some do not: they refuse a server certificate under it.
        #[arg(long)]
        force: bool,
        /// Only say whether that can be done.
        #[arg(long)]
        dry_run: bool,
    },
    /// Give up the CA before, once none of its certificates lets a device in.
    RetireOld {
        /// Only say whether that can be done.
        #[arg(long)]
        dry_run: bool,
    },
}

async fn ca(client: &Client, out: &Out, stage: Option<Stage>) -> Result<()> {
    let query = |dry_run: bool| -> &[(&str, &str)] { if dry_run { &[("dry_run", "true")] } else { &[] } };
    let (mut document, is_shown) = match stage {
        None => (client.get("/ca", &[]).await?, true),
        Some(Stage::Rotate { dry_run }) => (client.post("/ca/rotate", query(dry_run), &json!({})).await?, false),
        Some(Stage::Activate { force, dry_run }) => {
            (client.post("/ca/activate", query(dry_run), &json!({ "force": force })).await?, false)
        }
        Some(Stage::RetireOld { dry_run }) => (client.post("/ca/retire-old", query(dry_run), &json!({})).await?, false),
    };
    let part = |name: &str| document["current"][name].clone();
    let (root, issuing) = (part("root"), part("issuing"));
    let pem = format!("{}{}", root.as_str().unwrap_or_default(), issuing.as_str().unwrap_or_default());
    (document["root"], document["issuing"]) = (root, issuing);
    let words = standing(&document);
    if is_shown {
        remark(&words);
        return out.either(&document, || pem.clone());
    }
    out.either(&document, || words.clone())
}

/// Where the roll-over stands, and what comes next.
fn standing(document: &Value) -> String {
    let number = |name: &str| document[name].as_u64().unwrap_or_default();
    let next = match field(document, "stage").as_str() {
        "delivering" => match number("devices_without_root") {
            0 => "every active device has the next root; it issues after: muster cert ca activate".to_owned(),
            count => format!("{count} devices do not have the next root yet"),
        },
        "issuing" => match number("certificates_of_previous") {
            0 => "the CA before is no longer used; it is given up by: muster cert ca retire-old".to_owned(),
            count => format!("{count} certificates of the CA before still let devices in"),
        },
        _ => "one CA, and no roll-over under way".to_owned(),
    };
    let alarm = document["current"]["alarm"].as_str().map(|alarm| format!("; the CA cannot sign: {alarm}"));
    let stale = without_root(document).unwrap_or_default();
    format!("{}: {next}{}{stale}", field(document, "stage"), alarm.unwrap_or_default())
}

/// The packages that are to be built anew.
fn without_root(document: &Value) -> Option<String> {
    let names = ppkg::named(&document["packages_without_root"])?;
    Some(format!(
        "; these packages for bulk enrollment lack the newest root, build them anew with muster ppkg rebuild: {names}"
    ))
}

async fn list(client: &Client, out: &Out, device: Option<String>, limit: usize) -> Result<()> {
    let device = match device {
        Some(text) => Some(field(&names::device(client, &text).await?, "id")),
        None => None,
    };
    let query: Vec<_> = device.as_deref().map(|id| ("device", id)).into_iter().collect();
    let found = client.list("/certificates", &query, limit).await?;
    out.list(&found.items, "no certificates", || {
        let mut table = Table::new(["SERIAL", "STATE", "DEVICE", "FROM (UTC)", "UNTIL (UTC)", "REVOKED BECAUSE"]);
        let serials = short_ids(&found.items, "serial", found.is_whole && device.is_none());
        for (certificate, serial) in found.items.iter().zip(serials) {
            table.row([
                serial,
                field(certificate, "state"),
                short_id(&field(certificate, "device_id")),
                time(certificate, "not_before"),
                time(certificate, "not_after"),
                field(certificate, "revoked_reason"),
            ]);
        }
        table
    })
}

async fn revoke(client: &Client, out: &Out, serial: &str, reason: Option<String>, dry_run: bool) -> Result<()> {
    let serial = serial.replace([':', ' '], "");
    let path = names::path("/certificates", &serial).map_err(|_| Usage(format!("{serial} is no serial number")))?;
    let query: &[_] = if dry_run { &[("dry_run", "true")] } else { &[] };
    let revoked = client.post(&format!("{path}/revoke"), query, &json!({ "reason": reason })).await;
    let revoked = revoked.with_context(|| format!("certificate {serial}"))?;
    let words = if dry_run { "dry run: would revoke" } else { "revoked" };
    out.either(&revoked, || format!("{words} {}: {}", field(&revoked, "serial"), field(&revoked, "revoked_reason")))
}
