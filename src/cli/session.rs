//! `muster session`

use anyhow::Result;
use clap::Subcommand;
use serde_json::Value;

use super::client::Client;
use super::names::{self, path, short_ids};
use super::output::{Out, Table, field, pairs, time};
use super::replay::{self, ReplayArgs};
use super::transcript::{Listener, indent};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the management sessions of a device, newest first.
    List {
        /// Id or name.
        device: String,
        /// Most rows.
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Show who said what in a session.
    Show {
        /// Id of the session.
        id: String,
        /// Show the messages as XML too.
        #[arg(long)]
        raw: bool,
    },
    /// Feed a recorded or captured session to this build, and show what it answers in another way than was answered then.
    ///
    /// FILE is a session as `muster session show ID --json` prints it, or a capture: messages in XML with anything around
    /// them (dumps of HTTP, logs), or one message in WBXML. No server is needed. The exit code is 1 where something differs,
    /// and 2 where the file cannot be read.
    Replay(ReplayArgs),
}

pub(super) async fn run(client: impl FnOnce() -> Result<Client>, out: &Out, command: Command) -> Result<()> {
    match command {
        Command::List { device, limit } => list(&client()?, out, &device, limit).await,
        Command::Show { id, raw } => {
            let session = client()?.get(&path("/sessions", &id)?, &[]).await?;
            out.either(&session, || show(&session, raw))
        }
        Command::Replay(args) => replay::run(out, &args),
    }
}

async fn list(client: &Client, out: &Out, device: &str, limit: usize) -> Result<()> {
    let id = field(&names::device(client, device).await?, "id");
    let found = client.list("/sessions", &[("device", &id)], limit).await?;
    out.list(&found.items, "no sessions yet", || {
        let mut table = Table::new(["ID", "BEGAN (UTC)", "STATE", "MESSAGES", "USER", "REMARKS"]);
        let ids = short_ids(&found.items, "id", false);
        for (session, id) in found.items.iter().zip(ids) {
            table.row([
                id,
                time(session, "opened_at"),
                field(session, "state"),
                field(session, "message_count"),
                field(session, "login"),
                listed(session, "remarks").join("; "),
            ]);
        }
        table
    })
}

fn listed(session: &Value, name: &str) -> Vec<String> {
    let items = session[name].as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// What the tokens of a session are worth, in a line.
fn entra(entra: &Value) -> String {
    match (entra["proven"].as_bool(), entra["reason"].as_str(), entra["user"].as_str()) {
        (None, ..) => String::new(),
        (Some(true), _, Some(user)) => format!("proven, {user}"),
        (Some(true), ..) => "proven".to_owned(),
        (Some(false), reason, _) => format!("not believed: {}", reason.unwrap_or_default()),
    }
}

fn show(session: &Value, raw: bool) -> String {
    let mut text = pairs([
        ("session", field(session, "id")),
        ("device", field(session, "device_id")),
        ("SessionID", field(session, "session_id")),
        ("state", field(session, "state")),
        ("began", time(session, "opened_at")),
        ("ended", time(session, "closed_at")),
        ("proven by", listed(session, "authentication").join(", ")),
        ("signed in", field(session, "login")),
        ("Entra", entra(&session["entra"])),
        ("mode", field(session, "mode")),
        ("correlation", field(session, "correlation")),
        ("remarks", listed(session, "remarks").join("; ")),
    ]);
    let mut listener = Listener::default();
    for message in session["messages"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let (sender, body) = (field(message, "direction"), field(message, "body"));
        text.push_str(&format!("\n{}  {sender} says\n", time(message, "at")));
        for line in listener.hear(&sender, &body) {
            text.push_str(&format!("  {line}\n"));
        }
        if raw {
            for line in indent(&body).lines() {
                text.push_str(&format!("    {line}\n"));
            }
        }
    }
    text
}
