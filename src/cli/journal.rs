//! `muster events` and `muster audit`: what happened, and who did it.

use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::Value;

use super::client::Client;
use super::output::{Out, Table, field, time};

/// `muster events`
#[derive(Debug, Args)]
pub(super) struct EventsArgs {
    /// Only after that event, by id.
    #[arg(long, value_name = "ID")]
    after: Option<String>,
    /// Only of that device, by id.
    #[arg(long, value_name = "DEVICE")]
    subject: Option<String>,
    /// Most rows.
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// Go on and print what happens, one line each; with --json one object a line.
    #[arg(long)]
    follow: bool,
}

/// `muster audit`
#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    /// Only about the object with that id.
    #[arg(long, value_name = "ID")]
    object: Option<String>,
    /// Most rows.
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

/// Pause between two looks.
const PAUSE: Duration = Duration::from_secs(2);

pub(super) async fn events(client: &Client, out: &Out, args: EventsArgs) -> Result<()> {
    if args.follow {
        return follow(client, out, args).await;
    }
    let options = [("after", args.after.as_deref()), ("subject", args.subject.as_deref())];
    let query: Vec<(&str, &str)> = options.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let found = events_from(client, &query, args.limit).await?;
    out.list(&found, "no events", || {
        let mut table = Table::new(["ID", "TIME (UTC)", "TYPE", "DEVICE", "DATA"]);
        for event in &found {
            let data = event["data"].to_string();
            table.row([field(event, "id"), time(event, "time"), field(event, "type"), field(event, "subject"), data]);
        }
        table
    })
}

/// Pages of events go on after the last id.
async fn events_from(client: &Client, query: &[(&str, &str)], most: usize) -> Result<Vec<Value>> {
    let rest: Vec<(&str, &str)> = query.iter().copied().filter(|(name, _)| *name != "after").collect();
    let mut after = query.iter().find(|(name, _)| *name == "after").map(|(_, id)| (*id).to_owned());
    let mut events: Vec<Value> = Vec::new();
    while events.len() < most {
        let limit = (most - events.len()).min(500).to_string();
        let mut query = rest.clone();
        query.push(("limit", &limit));
        query.extend(after.as_deref().map(|id| ("after", id)));
        let page = client.get("/events", &query).await?;
        let items = page["items"].as_array().context("the server's answer is no list")?;
        events.extend(items.iter().cloned());
        after = events.last().map(|event| field(event, "id"));
        if page["next_cursor"].is_null() {
            break;
        }
    }
    Ok(events)
}

async fn follow(client: &Client, out: &Out, args: EventsArgs) -> Result<()> {
    let mut after = args.after;
    loop {
        let options = [("after", after.as_deref()), ("subject", args.subject.as_deref())];
        let query: Vec<(&str, &str)> = options.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let events = events_from(client, &query, 500).await?;
        for event in &events {
            let line = || format!("{}  {}  {}", time(event, "time"), field(event, "type"), field(event, "subject"));
            out.text(&if out.json { event.to_string() } else { format!("{}  {}", line(), event["data"]) })?;
        }
        match events.last() {
            Some(last) => after = Some(field(last, "id")),
            None => tokio::time::sleep(PAUSE).await,
        }
    }
}

pub(super) async fn audit(client: &Client, out: &Out, args: AuditArgs) -> Result<()> {
    let query: Vec<_> = args.object.as_deref().map(|id| ("object", id)).into_iter().collect();
    let found = client.list("/audit", &query, args.limit).await?;
    out.list(&found.items, "nothing was done yet", || {
        let mut table = Table::new(["TIME (UTC)", "WHO", "WHAT", "OBJECT", "OUTCOME", "DETAIL", "FROM"]);
        for row in &found.items {
            let object = &row["object"];
            table.row([
                time(row, "time"),
                field(row, "actor"),
                field(row, "action"),
                format!("{} {}", field(object, "kind"), field(object, "name")).trim().to_owned(),
                field(row, "outcome"),
                field(row, "detail"),
                field(row, "address"),
            ]);
        }
        table
    })
}
