//! `muster enroll-url`

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};

use super::client::Client;
use super::output::{Out, field, remark, time};
use super::ppkg;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show the address that people give to Windows.
    Show,
    /// Give the address another generation; those before stop working at once.
    Rotate,
}

pub(super) async fn run(client: &Client, out: &Out, command: Command) -> Result<()> {
    let shown = match command {
        Command::Show => client.get("/enrollment-url", &[]).await?,
        Command::Rotate => {
            let rotated = client.post("/enrollment-url/rotate", &[], &json!({})).await?;
            remark("addresses of earlier generations do not work any more; invitations show the new one");
            rotated
        }
    };
    if let Some(names) = ppkg::named(&shown["stale_packages"]) {
        remark(&format!(
            "these packages for bulk enrollment hold an address that does not work any more, build them anew with muster \
             ppkg rebuild: {names}"
        ));
    }
    if shown["generation"] != Value::Null {
        remark(&format!("generation {} since {}", field(&shown, "generation"), time(&shown, "since")));
    }
    out.either(&shown, || field(&shown, "url"))
}
