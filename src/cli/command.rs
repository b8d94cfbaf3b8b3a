//! `muster command`: raw SyncML.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use serde_json::Value;

use super::client::Client;
use super::follow::{succeeded, until_final};
use super::names::{self, path, short_id, short_ids};
use super::output::{Out, Table, field, pairs, time};
use super::queue::ListArgs;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Queue the SyncML commands of a file for a device.
    Run(RunArgs),
    /// List raw commands, newest first.
    List(ListArgs),
    /// Show commands with what the device said to each.
    Show {
        /// Id.
        id: String,
    },
    /// Withdraw commands that wait, or that were sent without an answer.
    Cancel {
        /// Id.
        id: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Id or name of the device.
    device: String,
    /// File with one or more SyncML commands; `-` for standard input.
    file: PathBuf,
    /// How long they wait for the device, e.g. 12h or 7d.
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// Follow them until they are over.
    #[arg(long)]
    wait: bool,
    /// Only say what would happen.
    #[arg(long, conflicts_with = "wait")]
    dry_run: bool,
    /// Queue also what the catalogue of settings would refuse.
    #[arg(long)]
    unchecked: bool,
}

pub(super) async fn run(client: &Client, out: &Out, command: Command) -> Result<()> {
    match command {
        Command::Run(args) => queue(client, out, args).await,
        Command::List(args) => list(client, out, &args).await,
        Command::Show { id } => {
            let command = client.get(&path("/commands", &id)?, &[]).await?;
            out.either(&command, || details(&command))
        }
        Command::Cancel { id } => {
            let command = client.delete(&path("/commands", &id)?, &[]).await?;
            out.either(&command, || field(&command, "detail"))
        }
    }
}

async fn queue(client: &Client, out: &Out, args: RunArgs) -> Result<()> {
    let xml = read(&args.file)?;
    let device = names::device(client, &args.device).await?;
    let mut query: Vec<(&str, &str)> = Vec::new();
    query.extend(args.expires.as_deref().map(|time| ("expires_in", time)));
    query.extend(args.dry_run.then_some(("dry_run", "true")));
    query.extend(args.unchecked.then_some(("unchecked", "true")));
    let to = format!("/devices/{}/commands", field(&device, "id"));
    let command = client.post_commands(&to, &query, xml).await?;
    if !args.wait {
        return out.either(&command, || {
            let id = if args.dry_run { "dry run".to_owned() } else { field(&command, "id") };
            format!("{}: {} ({id})", field(&command, "state"), field(&command, "detail"))
        });
    }
    let command = until_final(client, &format!("/commands/{}", field(&command, "id")), &field(&device, "name")).await?;
    out.either(&command, || details(&command))?;
    if !succeeded(&command) {
        bail!("{}: {}", field(&command, "state"), field(&command, "detail"));
    }
    Ok(())
}

/// The bytes of a file; `-` for standard input.
pub(super) fn read(file: &Path) -> Result<Vec<u8>> {
    if file != Path::new("-") {
        return std::fs::read(file).with_context(|| format!("cannot read {}", file.display()));
    }
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes).context("cannot read standard input")?;
    Ok(bytes)
}

async fn list(client: &Client, out: &Out, args: &ListArgs) -> Result<()> {
    let found = args.find(client, "/commands").await?;
    out.list(&found.items, "no raw commands", || {
        let mut table = Table::new(["ID", "STATE", "DEVICE", "COMMANDS", "ASKED (UTC)", "BY", "DETAIL"]);
        let ids = short_ids(&found.items, "id", false);
        for (command, id) in found.items.iter().zip(ids) {
            table.row([
                id,
                field(command, "state"),
                short_id(&field(command, "device_id")),
                verbs(command),
                time(command, "created_at"),
                field(command, "created_by"),
                field(command, "detail"),
            ]);
        }
        table
    })
}

fn items(command: &Value) -> &[Value] {
    command["items"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn verbs(command: &Value) -> String {
    items(command).iter().map(|item| field(item, "cmd")).collect::<Vec<_>>().join(" ")
}

fn details(command: &Value) -> String {
    let mut text = pairs([
        ("state", field(command, "state")),
        ("detail", field(command, "detail")),
        ("status", field(command, "status")),
        ("id", field(command, "id")),
        ("device", field(command, "device_id")),
        ("asked", time(command, "created_at")),
        ("by", field(command, "created_by")),
        ("until", time(command, "expires_at")),
        ("finished", time(command, "finished_at")),
    ]);
    text.push('\n');
    for item in items(command) {
        let status = field(item, "status");
        let status = if status.is_empty() { "no answer".to_owned() } else { format!("status {status}") };
        text.push_str(&format!("{} {}: {status}", field(item, "cmd"), field(item, "loc_uri")));
        if !item["hresult"].is_null() {
            text.push_str(&format!(" ({})", field(item, "error")));
        }
        if item["superseded"] == true {
            text.push_str("; tried in another way");
        }
        if !item["data"].is_null() {
            text.push_str(&format!(" = {}", field(item, "data").replace(['\r', '\n'], " ")));
            text.push_str(&meaning(&item["decoded"]));
        }
        text.push('\n');
    }
    text
}

/// What a value says, where it says more than it shows.
fn meaning(decoded: &Value) -> String {
    match decoded {
        Value::String(error) => format!(" [{error}]"),
        Value::Array(names) => {
            let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
            format!(" [{}]", names.join(", "))
        }
        Value::Object(_) if decoded["text"].is_string() => format!(" [{}]", field(decoded, "text")),
        Value::Object(_) if decoded["bytes"].is_number() => format!(" [{} bytes]", field(decoded, "bytes")),
        Value::Object(_) => format!(" [<{}>, {} elements]", field(decoded, "root"), field(decoded, "elements")),
        _ => String::new(),
    }
}
