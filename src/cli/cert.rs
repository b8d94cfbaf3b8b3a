//! `muster cert`

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use serde_json::json;

use super::Usage;
use super::client::Client;
use super::names::{self, short_id, short_ids};
use super::output::{Out, Table, field, time};

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
    /// Print the CA certificates: the root, then the device issuing CA.
    Ca,
}

pub(super) async fn run(client: &Client, out: &Out, command: Command) -> Result<()> {
    match command {
        Command::List { device, limit } => list(client, out, device, limit).await,
        Command::Revoke { serial, reason, dry_run } => revoke(client, out, &serial, reason, dry_run).await,
        Command::Ca => {
            let pem = client.text("/pki/ca.pem").await?;
            let mut parts = pem.split_inclusive("-----END CERTIFICATE-----\n");
            let (Some(root), Some(issuing)) = (parts.next(), parts.next()) else {
                bail!("the server gave out no CA certificates");
            };
            out.either(&json!({"root": root, "issuing": issuing}), || pem.clone())
        }
    }
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
