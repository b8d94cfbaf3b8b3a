//! `muster device assign`

use anyhow::Result;
use clap::Args;
use serde_json::json;

use crate::cli::client::Client;
use crate::cli::names;
use crate::cli::output::{Out, field};

#[derive(Debug, Args)]
pub(in crate::cli) struct AssignArgs {
    /// Id or name of a device that was enrolled in bulk.
    device: String,
    /// Address or id of the person.
    user: String,
    /// Only say what would happen.
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(client: &Client, out: &Out, args: AssignArgs) -> Result<()> {
    let device = names::device(client, &args.device).await?;
    let user = names::user(client, &args.user).await?;
    let query: &[(&str, &str)] = if args.dry_run { &[("dry_run", "true")] } else { &[] };
    let address = format!("/devices/{}/assign", field(&device, "id"));
    let assigned = client.post(&address, query, &json!({"user": field(&user, "id")})).await?;
    out.either(&assigned, || {
        let begin = if args.dry_run { "dry run: would assign" } else { "assigned" };
        let (name, user) = (field(&assigned, "name"), field(&assigned, "user"));
        let more = match assigned["must_change_password"].as_bool() {
            Some(true) => "; a new password has to be chosen before another device is enrolled: on the page /password of the server, or \
                           by muster user password",
            _ => "",
        };
        format!("{begin} {name} to {user}{more}")
    })
}
