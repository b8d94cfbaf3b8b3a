//! `muster device alerts`

use anyhow::Result;

use crate::cli::client::Client;
use crate::cli::names;
use crate::cli::output::{Out, Table, field, time};

pub(super) async fn list(client: &Client, out: &Out, device: &str, limit: usize) -> Result<()> {
    let id = field(&names::device(client, device).await?, "id");
    let found = client.list(&format!("/devices/{id}/alerts"), &[], limit).await?;
    out.list(&found.items, "no alerts", || {
        let mut table = Table::new(["TIME (UTC)", "CODE", "TYPE", "SOURCE", "MARK", "DATA"]);
        for alert in &found.items {
            let [code, kind, source, mark, data] =
                ["code", "type", "source", "mark", "data"].map(|name| field(alert, name));
            table.row([time(alert, "at"), code, kind, source, mark, data]);
        }
        table
    })
}
