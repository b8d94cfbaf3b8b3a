//! `muster upload`: files that devices were asked to upload.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Subcommand;
use serde_json::{Value, json};

use super::client::Client;
use super::names::{self, path, short_id, short_ids};
use super::output::{Out, Table, field, pairs, remark, time};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List what devices were asked to upload, newest first.
    List {
        /// Only of that device, by id or name.
        #[arg(long)]
        device: Option<String>,
        /// Most rows.
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Show one.
    Show {
        /// Id; the same as that of the action.
        id: String,
    },
    /// Fetch the file that came.
    Download {
        /// Id; the same as that of the action.
        id: String,
        /// Where to write it; an existing file is not overwritten. `-` for standard output.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Delete one with the file that came; one that has not come is taken no longer.
    Delete {
        /// Id; the same as that of the action.
        id: String,
    },
}

pub(super) async fn run(client: &Client, out: &Out, command: Command) -> Result<()> {
    match command {
        Command::List { device, limit } => list(client, out, device, limit).await,
        Command::Show { id } => {
            let upload = client.get(&path("/uploads", &id)?, &[]).await?;
            out.either(&upload, || details(&upload))
        }
        Command::Download { id, out: file } => {
            download(client, &format!("{}/content", path("/uploads", &id)?), &file).await
        }
        Command::Delete { id } => {
            client.delete(&path("/uploads", &id)?, &[]).await?;
            out.either(&json!({ "id": id }), || format!("deleted {id}"))
        }
    }
}

async fn list(client: &Client, out: &Out, device: Option<String>, limit: usize) -> Result<()> {
    let device = match device {
        Some(text) => Some(field(&names::device(client, &text).await?, "id")),
        None => None,
    };
    let query: Vec<_> = device.as_deref().map(|id| ("device", id)).into_iter().collect();
    let found = client.list("/uploads", &query, limit).await?;
    out.list(&found.items, "nothing was asked for", || {
        let mut table = Table::new(["ID", "STATE", "DEVICE", "ASKED (UTC)", "CAME (UTC)", "BYTES"]);
        for (upload, id) in found.items.iter().zip(short_ids(&found.items, "id", false)) {
            table.row([
                id,
                field(upload, "state"),
                short_id(&field(upload, "device_id")),
                time(upload, "created_at"),
                time(upload, "received_at"),
                field(upload, "bytes"),
            ]);
        }
        table
    })
}

fn details(upload: &Value) -> String {
    pairs([
        ("state", field(upload, "state")),
        ("id", field(upload, "id")),
        ("device", field(upload, "device_id")),
        ("asked", time(upload, "created_at")),
        ("until", time(upload, "expires_at")),
        ("came", time(upload, "received_at")),
        ("bytes", field(upload, "bytes")),
        ("SHA-256", field(upload, "sha256")),
    ])
}

async fn download(client: &Client, from: &str, file: &Path) -> Result<()> {
    if file == Path::new("-") {
        return client.download(from, &mut tokio::io::stdout()).await.map(|_| ());
    }
    let named = || file.display().to_string();
    let mut target = tokio::fs::File::create_new(file).await.with_context(named)?;
    match client.download(from, &mut target).await {
        Ok(bytes) => {
            remark(&format!("{bytes} bytes in {}", file.display()));
            Ok(())
        }
        Err(error) => {
            // Half a file looks like a whole one.
            let _ = tokio::fs::remove_file(file).await;
            Err(error)
        }
    }
}
