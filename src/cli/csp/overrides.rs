//! `muster csp override`: decisions that go before the catalogue.

use anyhow::{Context, Result};
use clap::{ArgGroup, Args, Subcommand};
use serde_json::{Value, json};

use super::edition;
use crate::cli::Usage;
use crate::cli::client::Client;
use crate::cli::names::{path, short_id};
use crate::cli::output::{Out, field, time};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    /// List decisions, newest first.
    List {
        /// Most rows.
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Decide about a node, in place of an earlier decision for the same path, edition and build.
    Set(SetArgs),
    /// Withdraw a decision; the catalogue counts again.
    Withdraw {
        /// Id.
        id: String,
    },
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("ruling").required(true))]
pub(in crate::cli) struct SetArgs {
    /// The node: a segment in braces stands for any one name, `*` at the end for every node below.
    path: String,
    /// It may be sent, whatever the catalogue says.
    #[arg(long, group = "ruling")]
    allow: bool,
    /// It may not be sent.
    #[arg(long, group = "ruling")]
    refuse: bool,
    /// It takes these values, written as in the catalogue, e.g. '{"kind": "Range", "min": 0, "max": 5}'.
    #[arg(long, group = "ruling", value_name = "JSON")]
    values: Option<String>,
    /// Why.
    #[arg(long)]
    reason: String,
    /// Only for that edition: its number, or a name like PROFESSIONAL.
    #[arg(long, value_name = "EDITION")]
    edition: Option<String>,
    /// Only from that build on.
    #[arg(long, value_name = "BUILD")]
    from_build: Option<String>,
}

pub(in crate::cli) async fn run(client: &Client, out: &Out, command: Command) -> Result<()> {
    match command {
        Command::List { limit } => {
            let found = client.list("/csp/overrides", &[], limit).await?;
            out.either(&json!({ "items": found.items }), || match found.items.as_slice() {
                [] => "nobody decided anything".to_owned(),
                items => {
                    items.iter().map(|item| format!("{}  {}\n", short_id(&field(item, "id")), line(item))).collect()
                }
            })
        }
        Command::Set(args) => {
            let made = client.put("/csp/overrides", &body(args)?).await?;
            out.either(&made, || format!("{}  {}", short_id(&field(&made, "id")), line(&made)))
        }
        Command::Withdraw { id } => {
            client.delete(&path("/csp/overrides", &id)?, &[]).await.with_context(|| format!("override {id}"))?;
            out.either(&json!({ "id": id }), || format!("withdrew {id}"))
        }
    }
}

fn body(args: SetArgs) -> Result<Value> {
    let (ruling, allowed) = match (args.allow, &args.values) {
        (true, _) => ("allow", None),
        (_, Some(text)) => {
            let values: Value = serde_json::from_str(text).map_err(|error| Usage(format!("--values: {error}")))?;
            ("values", Some(values))
        }
        _ => ("refuse", None),
    };
    Ok(json!({
        "path": args.path, "ruling": ruling, "allowed": allowed, "reason": args.reason, "edition": args.edition,
        "from_build": args.from_build,
    }))
}

/// A decision in words.
pub(super) fn line(made: &Value) -> String {
    let mut text = format!("{} {}", field(made, "ruling"), field(made, "path"));
    if !made["allowed"].is_null() {
        text.push_str(&format!(" {}", made["allowed"]));
    }
    if !made["edition"].is_null() {
        text.push_str(&format!(" on {}", edition(&made["edition"])));
    }
    if !made["from_build"].is_null() {
        text.push_str(&format!(" from {}", field(made, "from_build")));
    }
    text.push_str(&format!(": {} ({}, {})", field(made, "reason"), field(made, "made_by"), time(made, "made_at")));
    text
}
