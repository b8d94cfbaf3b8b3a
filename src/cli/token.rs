//! `muster token`

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::Client;
use super::names::{self, path, short_ids};
use super::output::{Out, Table, field, remark, time};
use super::user::Role;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a token and print its secret, this once.
    Add(AddArgs),
    /// List tokens, newest first.
    List {
        /// Most rows.
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Withdraw a token.
    Revoke {
        /// Id.
        id: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct AddArgs {
    /// What it is for.
    name: String,
    /// What it may do.
    #[arg(long, value_enum)]
    role: Role,
    /// Whose authority it carries, by address or id; default: whoever asks.
    #[arg(long)]
    user: Option<String>,
    /// How long it works, e.g. 90d; default: until it is revoked.
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
}

pub(super) async fn run(client: &Client, out: &Out, command: Command) -> Result<()> {
    match command {
        Command::Add(args) => add(client, out, args).await,
        Command::List { limit } => list(client, out, limit).await,
        Command::Revoke { id } => {
            client.delete(&path("/tokens", &id)?, &[]).await?;
            out.either(&json!({"id": id, "revoked": true}), || format!("revoked {id}"))
        }
    }
}

async fn add(client: &Client, out: &Out, args: AddArgs) -> Result<()> {
    let mut body = json!({"name": args.name, "role": args.role.as_str()});
    if let Some(user) = &args.user {
        body["user_id"] = names::user(client, user).await?["id"].clone();
    }
    if let Some(expires) = args.expires {
        body["expires_in"] = Value::from(expires);
    }
    let token = client.post("/tokens", &[], &body).await?;
    remark(&format!("token {} for {}; it is shown this once", field(&token, "id"), field(&token, "user")));
    out.either(&token, || field(&token, "token"))
}

async fn list(client: &Client, out: &Out, limit: usize) -> Result<()> {
    let found = client.list("/tokens", &[], limit).await?;
    out.list(&found.items, "no tokens", || {
        let mut table = Table::new(["ID", "NAME", "ROLE", "USER", "MADE (UTC)", "UNTIL (UTC)", "REVOKED (UTC)"]);
        let ids = short_ids(&found.items, "id", found.is_whole);
        for (token, id) in found.items.iter().zip(ids) {
            table.row([
                id,
                field(token, "name"),
                field(token, "role"),
                field(token, "user"),
                time(token, "created_at"),
                time(token, "expires_at"),
                time(token, "revoked_at"),
            ]);
        }
        table
    })
}
