//! `muster device attempts`

use anyhow::Result;
use serde_json::Value;

use super::AttemptArgs;
use crate::cli::client::Client;
use crate::cli::output::{Out, Table, field, pairs, time};

pub(super) async fn list(client: &Client, out: &Out, args: AttemptArgs) -> Result<()> {
    let options = [("outcome", &args.outcome), ("email", &args.email), ("trace_id", &args.trace_id)];
    let query: Vec<(&str, &str)> =
        options.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect();
    let found = client.list("/enrollment-attempts", &query, args.limit).await?;
    if args.advice && !out.json && !found.items.is_empty() {
        return out.text(&found.items.iter().map(in_full).collect::<Vec<_>>().join("\n"));
    }
    out.list(&found.items, "no attempts", || {
        let mut table = Table::new(["TIME (UTC)", "USER", "ADDRESS", "ROAD", "PHASE", "OUTCOME", "CODE", "CAUSE"]);
        for attempt in &found.items {
            table.row([
                time(attempt, "updated_at"),
                field(attempt, "email"),
                field(attempt, "address"),
                field(attempt, "road"),
                field(attempt, "phase"),
                outcome(attempt),
                field(attempt, "hresult"),
                field(attempt, "cause"),
            ]);
        }
        table
    })
}

fn outcome(attempt: &Value) -> String {
    if attempt["stopped"] == true { "stopped".to_owned() } else { field(attempt, "outcome") }
}

fn in_full(attempt: &Value) -> String {
    let (advice, code) = (&attempt["advice"], field(attempt, "hresult"));
    let name = field(advice, "name");
    let claims = attempt["claims"].as_object().into_iter().flatten();
    let claims: Vec<String> =
        claims.map(|(kind, value)| format!("{kind} {}", value.as_str().unwrap_or_default())).collect();
    pairs([
        ("id", field(attempt, "id")),
        ("time", time(attempt, "updated_at")),
        ("user", field(attempt, "email")),
        ("address", field(attempt, "address")),
        ("device", [field(attempt, "device_name"), field(attempt, "os_version")].join(" ").trim().to_owned()),
        ("road", field(attempt, "road")),
        ("phase", field(attempt, "phase")),
        ("outcome", outcome(attempt)),
        ("code", if code.is_empty() { String::new() } else { format!("{code} {name}") }),
        ("here", field(attempt, "cause")),
        ("means", field(advice, "cause")),
        ("do", field(advice, "fix")),
        ("tells of itself", claims.join(", ")),
        ("times", field(attempt, "times")),
        ("reference", field(attempt, "trace_id")),
    ])
}
