//! `muster action`

use anyhow::Result;
use clap::Subcommand;
use serde_json::Value;

use super::client::Client;
use super::names::{path, short_id, short_ids};
use super::output::{Out, Table, field, pairs, remark, time};
use super::queue::ListArgs;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List actions, newest first.
    List(ListArgs),
    /// Show an action.
    Show {
        /// Id.
        id: String,
    },
    /// Withdraw an action that waits, or that was sent without an answer.
    Cancel {
        /// Id.
        id: String,
    },
    /// Show the new PIN of a passcode reset, once.
    Reveal {
        /// Id.
        id: String,
    },
}

pub(super) async fn run(client: &Client, out: &Out, command: Command) -> Result<()> {
    match command {
        Command::List(args) => list(client, out, &args).await,
        Command::Show { id } => {
            let action = client.get(&path("/actions", &id)?, &[]).await?;
            out.either(&action, || summary(&action))
        }
        Command::Cancel { id } => {
            let action = client.delete(&path("/actions", &id)?, &[]).await?;
            out.either(&action, || format!("{}: {}", field(&action, "type"), field(&action, "detail")))
        }
        Command::Reveal { id } => {
            let path = format!("{}/reveal", path("/actions", &id)?);
            let revealed = client.post(&path, &[], &Value::Null).await?;
            remark("the server shows this once; note it now");
            out.either(&revealed, || field(&revealed, "new_pin"))
        }
    }
}

/// Actions, of one device or all.
pub(super) async fn list(client: &Client, out: &Out, args: &ListArgs) -> Result<()> {
    let found = args.find(client, "/actions").await?;
    out.list(&found.items, "no actions", || {
        let mut table = Table::new(["ID", "TYPE", "STATE", "DEVICE", "ASKED (UTC)", "BY", "DETAIL"]);
        let ids = short_ids(&found.items, "id", false);
        for (action, id) in found.items.iter().zip(ids) {
            table.row([
                id,
                field(action, "type"),
                field(action, "state"),
                short_id(&field(action, "device_id")),
                time(action, "created_at"),
                field(action, "created_by"),
                field(action, "detail"),
            ]);
        }
        table
    })
}

fn summary(action: &Value) -> String {
    let status = match (field(action, "status"), field(action, "status_text")) {
        (status, text) if !status.is_empty() => format!("{status} ({text})"),
        (status, _) => status,
    };
    pairs([
        ("type", field(action, "type")),
        ("variant", field(action, "variant")),
        ("method", field(action, "method")),
        ("enable", field(action, "enable")),
        ("state", field(action, "state")),
        ("detail", field(action, "detail")),
        ("status", status),
        ("hresult", field(action, "hresult")),
        ("id", field(action, "id")),
        ("device", field(action, "device_id")),
        ("asked", time(action, "created_at")),
        ("by", field(action, "created_by")),
        ("reason", field(action, "reason")),
        ("sent", format!("{} times", field(action, "offers"))),
        ("until", time(action, "expires_at")),
        ("finished", time(action, "finished_at")),
    ])
}
