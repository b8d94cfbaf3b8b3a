//! `muster device`

mod admission;
mod alerts;
mod apps;
mod assign;
mod attempts;
mod certificates;
mod maintenance;
mod settings;

use std::io::{self, BufRead, IsTerminal, Write};

use anyhow::{Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use super::client::Client;
use super::follow::{succeeded, until_final};
use super::names::{self, short_id, short_ids};
use super::output::{Out, Table, field, pairs, remark, time};
use super::{InPart, Usage};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List devices, newest first.
    List(ListArgs),
    /// Show a device and what it told about itself.
    Show {
        /// Id or name.
        device: String,
        /// Show every node that it reported.
        #[arg(long)]
        inventory: bool,
    },
    /// List attempts to enroll, failures included.
    Attempts(AttemptArgs),
    /// List what was asked of a device.
    Actions {
        /// Id or name.
        device: String,
        /// Only those in that state.
        #[arg(long)]
        state: Option<String>,
        /// Most rows.
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// List what a device raised on its own, newest first.
    Alerts {
        /// Id or name.
        device: String,
        /// Most rows.
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Assign a device that was enrolled in bulk to the person who takes it over.
    Assign(assign::AssignArgs),
    /// Lock the screen.
    Lock(ActArgs),
    /// Undo a lock that was not delivered; Windows has no command for more.
    Unlock(ActArgs),
    /// End management; what was managed is removed from the device.
    Retire(FinalActArgs),
    /// Erase the device.
    Wipe {
        #[command(flatten)]
        act: FinalActArgs,
        /// What is kept.
        #[arg(long, value_enum, default_value = "wipe")]
        variant: Variant,
    },
    /// Set a new PIN or password.
    ResetPasscode {
        #[command(flatten)]
        act: ActArgs,
        /// How.
        #[arg(long, value_enum, default_value = "reset-pin")]
        method: Method,
    },
    /// Restart.
    Reboot(ActArgs),
    /// Have the device report back.
    Sync(ActArgs),
    /// Give the device another name; it takes effect when the device restarts.
    Rename {
        /// Id or name.
        device: String,
        /// The new name, 1 to 15 characters; `%SERIAL%` and `%RAND:n%` are filled in by Windows.
        name: String,
        #[command(flatten)]
        how: How,
    },
    /// Insist on the tenant's sign-in after a reset, or no longer.
    TenantLockdown {
        #[command(flatten)]
        act: ActArgs,
        /// On or off.
        #[arg(value_enum)]
        setting: Setting,
    },
    /// Take Windows out of S mode, for good.
    SwitchFromSMode(FinalActArgs),
    #[command(flatten)]
    Admit(admission::Kind),
    #[command(flatten)]
    Set(settings::Kind),
    #[command(flatten)]
    Certificate(certificates::Kind),
    #[command(flatten)]
    Software(apps::Kind),
    #[command(flatten)]
    Maintain(maintenance::Kind),
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Part of the name, the hardware id or the user's address.
    words: Option<String>,
    /// Only those in that state.
    #[arg(long)]
    state: Option<String>,
    /// Only those of that user.
    #[arg(long, value_name = "EMAIL")]
    user: Option<String>,
    /// Most rows.
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

#[derive(Debug, Args)]
pub(super) struct AttemptArgs {
    /// Only those that ended so: open, succeeded or failed.
    #[arg(long)]
    outcome: Option<String>,
    /// Only those of that user name.
    #[arg(long)]
    email: Option<String>,
    /// Only the one with the reference that the device shows.
    #[arg(long)]
    trace_id: Option<String>,
    /// Tell of each what to make of it, and what to do.
    #[arg(long)]
    advice: bool,
    /// Most rows.
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

#[derive(Debug, Args)]
pub(super) struct ActArgs {
    /// Ids or names.
    #[arg(required = true, value_name = "DEVICE")]
    devices: Vec<String>,
    #[command(flatten)]
    how: How,
}

/// How an action is asked for.
#[derive(Debug, Args)]
pub(super) struct How {
    /// Why; kept in the audit trail.
    #[arg(long)]
    reason: Option<String>,
    /// How long it waits for the device, e.g. 12h or 7d.
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// Follow it until it is over.
    #[arg(long)]
    wait: bool,
    /// Only say what would happen.
    #[arg(long, conflicts_with = "wait")]
    dry_run: bool,
}

#[derive(Debug, Args)]
pub(super) struct FinalActArgs {
    #[command(flatten)]
    act: ActArgs,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Variant {
    /// Nothing.
    Wipe,
    /// Nothing, and it goes on if the device is switched off meanwhile.
    Protected,
    /// Nothing; Windows is fetched from the network.
    Cloud,
    /// What a provisioning package brought.
    KeepProvisioning,
    /// The users' data.
    KeepUserData,
    /// The users' data; Windows is fetched from the network.
    CloudKeepUserData,
    /// What a provisioning package brought; Windows is fetched from the network.
    CloudKeepProvisioning,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Method {
    /// A new PIN that the server learns once.
    ResetPin,
    /// A new PIN through Microsoft's recovery service.
    RecoverPin,
    /// A new password of the local administrator, by LAPS.
    Laps,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Setting {
    /// Insist.
    On,
    /// Do not insist.
    Off,
}

pub(super) async fn run(client: &Client, out: &Out, command: Command) -> Result<()> {
    let plain = |kind: &'static str| json!({ "type": kind });
    match command {
        Command::List(args) => list(client, out, args).await,
        Command::Show { device, inventory } => show(client, out, &device, inventory).await,
        Command::Attempts(args) => attempts::list(client, out, args).await,
        Command::Actions { device, state, limit } => {
            super::action::list(client, out, &super::queue::ListArgs { device: Some(device), state, limit }).await
        }
        Command::Alerts { device, limit } => alerts::list(client, out, &device, limit).await,
        Command::Assign(args) => assign::run(client, out, args).await,
        Command::Lock(act) => order(client, out, act, plain("lock")).await,
        Command::Unlock(act) => order(client, out, act, plain("unlock")).await,
        Command::Reboot(act) => order(client, out, act, plain("reboot")).await,
        Command::Sync(act) => order(client, out, act, plain("sync")).await,
        Command::Retire(args) => order_final(client, out, args, "End management of", plain("retire")).await,
        Command::Wipe { act, variant } => {
            let body = json!({"type": "wipe", "variant": word(variant)});
            order_final(client, out, act, "Erase", body).await
        }
        Command::ResetPasscode { act, method } => {
            order(client, out, act, json!({"type": "reset_passcode", "method": word(method)})).await
        }
        Command::Rename { device, name, how } => {
            order(client, out, ActArgs { devices: vec![device], how }, json!({"type": "rename", "name": name})).await
        }
        Command::TenantLockdown { act, setting } => {
            let enable = matches!(setting, Setting::On);
            order(client, out, act, json!({"type": "tenant_lockdown", "enable": enable})).await
        }
        Command::SwitchFromSMode(args) => {
            order_final(client, out, args, "Take out of S mode", plain("switch_from_s_mode")).await
        }
        Command::Admit(kind) => admission::run(client, out, kind).await,
        Command::Set(setting) => order_parts(client, out, setting.order()?).await,
        Command::Maintain(maintenance) => order_parts(client, out, maintenance.order()?).await,
        Command::Software(software) => order_parts(client, out, software.order()?).await,
        Command::Certificate(certificate) => order_parts(client, out, certificate.order()?).await,
    }
}

/// The word of the API for a choice of the command line.
fn word(choice: impl ValueEnum) -> String {
    choice.to_possible_value().map(|value| value.get_name().replace('-', "_")).unwrap_or_default()
}

async fn list(client: &Client, out: &Out, args: ListArgs) -> Result<()> {
    let options = [("query", &args.words), ("state", &args.state), ("user", &args.user)];
    let query: Vec<(&str, &str)> =
        options.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect();
    let found = client.list("/devices", &query, args.limit).await?;
    if args.state.as_deref() == Some("pending") {
        return out.list(&found.items, "no devices wait", || admission::waiting(&found.items));
    }
    out.list(&found.items, "no devices", || {
        let mut table = Table::new(["ID", "NAME", "STATE", "USER", "WINDOWS", "LAST SEEN (UTC)", "ATTENTION"]);
        let ids = short_ids(&found.items, "id", found.is_whole && query.is_empty());
        for (device, id) in found.items.iter().zip(ids) {
            table.row([
                id,
                field(device, "name"),
                field(device, "state"),
                field(device, "user"),
                field(device, "os_version"),
                time(device, "last_seen_at"),
                field(device, "warning"),
            ]);
        }
        table
    })
}

async fn show(client: &Client, out: &Out, text: &str, inventory: bool) -> Result<()> {
    let id = field(&names::device(client, text).await?, "id");
    let device = client.get(&format!("/devices/{id}"), &[]).await?;
    if out.json {
        return out.document(&device);
    }
    out.text(&summary(&device))?;
    let nodes = device["inventory"].as_object().cloned().unwrap_or_default();
    if inventory {
        return out.text(&format!("\n{}", nodes_in_lines(&nodes)));
    }
    out.text(&format!("\n{} nodes reported; --inventory shows them", nodes.len()))
}

fn summary(device: &Value) -> String {
    let edition = field(device, "os_edition_name");
    let edition = if edition.is_empty() { field(device, "os_edition") } else { edition };
    let unsupported = device["unsupported"].as_array().map(Vec::as_slice).unwrap_or_default();
    let unsupported: Vec<String> = unsupported.iter().map(|node| field(node, "loc_uri")).collect();
    pairs([
        ("name", field(device, "name")),
        ("state", field(device, "state")),
        ("attention", field(device, "warning")),
        ("closed because", field(device, "closed_reason")),
        ("user", field(device, "user")),
        ("id", field(device, "id")),
        ("enrollment", field(device, "enrollment_id")),
        ("approval", if device["approval"] == "not_needed" { String::new() } else { field(device, "approval") }),
        ("replaced unapproved", field(device, "replaced_unapproved")),
        ("came by", field(device, "mode")),
        ("assigned", time(device, "assigned_at")),
        ("Windows", format!("{} {edition}", field(device, "os_version")).trim().to_owned()),
        ("hardware id", field(device, "hw_dev_id")),
        ("same hardware as", field(device, "linked_device_id")),
        ("enrolled", time(device, "enrolled_at")),
        ("last seen", time(device, "last_seen_at")),
        ("push", push_in_words(&device["push"])),
        ("does not have", unsupported.join(", ")),
        ("second enrollment", field(&device["linked_enrollment"], "status_words")),
        ("declared documents", documents_in_words(&device["declared_documents"])),
    ])
}

/// The documents of declared configuration, with how far they are.
fn documents_in_words(documents: &Value) -> String {
    let documents = documents.as_array().map(Vec::as_slice).unwrap_or_default();
    let words =
        documents.iter().map(|document| format!("{} {}", field(document, "id"), field(document, "state_words")));
    words.collect::<Vec<_>>().join("; ")
}

/// Whether the device can be woken, in one line; empty where nothing is known of it.
fn push_in_words(push: &Value) -> String {
    let mut words = Vec::new();
    let (host, refusal, status) = (field(push, "channel_host"), field(push, "refusal"), field(push, "status"));
    if !host.is_empty() {
        words.push(format!("channel at {host}"));
    }
    if !refusal.is_empty() {
        words.push(refusal);
    }
    if !status.is_empty() {
        let meaning = field(push, "status_words");
        words.push(if meaning.is_empty() { format!("status {status}") } else { meaning });
    }
    let outcome = field(push, "outcome");
    if !outcome.is_empty() {
        let (at, connection, detail) = (time(push, "at"), field(push, "connection"), field(push, "detail"));
        let parts = [outcome, connection, detail].into_iter().filter(|part| !part.is_empty());
        words.push(format!("last push {at}: {}", parts.collect::<Vec<_>>().join(", ")));
    }
    let next = time(push, "next_at");
    if !next.is_empty() {
        words.push(format!("next push {next}"));
    }
    words.join("; ")
}

fn nodes_in_lines(nodes: &Map<String, Value>) -> String {
    let width = nodes.keys().map(String::len).max().unwrap_or_default();
    let value = |node: &Value| if node["value"].is_null() { "(none)".to_owned() } else { field(node, "value") };
    nodes.iter().map(|(uri, node)| format!("{uri:<width$}  {}\n", value(node).replace(['\r', '\n'], " "))).collect()
}

async fn order_final(client: &Client, out: &Out, args: FinalActArgs, effect: &str, body: Value) -> Result<()> {
    if !args.yes && !args.act.how.dry_run {
        for text in &args.act.devices {
            confirm(effect, &field(&names::device(client, text).await?, "name"))?;
        }
    }
    order(client, out, args.act, body).await
}

/// Asks for the name of the device to be typed.
fn confirm(effect: &str, name: &str) -> Result<()> {
    if !io::stdin().is_terminal() {
        return Err(Usage(format!("this cannot be undone; say --yes to {} {name}", effect.to_lowercase())).into());
    }
    let mut stderr = io::stderr();
    write!(stderr, "{effect} {}? This cannot be undone. Type its name: ", super::output::clean(name))?;
    stderr.flush()?;
    let mut typed = String::new();
    io::stdin().lock().read_line(&mut typed)?;
    if typed.trim() != name {
        bail!("that is not its name; nothing was done");
    }
    Ok(())
}

async fn order_parts(client: &Client, out: &Out, (act, body): (ActArgs, Value)) -> Result<()> {
    order(client, out, act, body).await
}

/// Asks an action of each device. One that fails does not keep the others from being asked.
async fn order(client: &Client, out: &Out, act: ActArgs, mut body: Value) -> Result<()> {
    if let Some(reason) = &act.how.reason {
        body["reason"] = Value::from(reason.as_str());
    }
    if let Some(expires) = &act.how.expires {
        body["expires_in"] = Value::from(expires.as_str());
    }
    let mut done = Vec::new();
    let mut failed = Vec::new();
    for text in &act.devices {
        match order_one(client, &act, &body, text).await {
            Ok((name, action)) if act.how.wait && !succeeded(&action) => {
                let end = format!("{}: {}", field(&action, "state"), field(&action, "detail"));
                failed.push(anyhow::anyhow!("{name}: {end}"));
                done.push((name, action));
            }
            Ok(ordered) => done.push(ordered),
            Err(error) => failed.push(error.context(text.clone())),
        }
    }
    print(out, &act, &done)?;
    conclude(failed, act.devices.len())
}

async fn order_one(client: &Client, act: &ActArgs, body: &Value, text: &str) -> Result<(String, Value)> {
    let device = names::device(client, text).await?;
    let path = format!("/devices/{}/actions", field(&device, "id"));
    let query: &[_] = if act.how.dry_run { &[("dry_run", "true")] } else { &[] };
    let name = field(&device, "name");
    let action = client.post(&path, query, body).await?;
    if !act.how.wait {
        return Ok((name, action));
    }
    let path = format!("/actions/{}", field(&action, "id"));
    Ok((name.clone(), until_final(client, &path, &name).await?))
}

fn print(out: &Out, act: &ActArgs, done: &[(String, Value)]) -> Result<()> {
    let items: Vec<Value> = done.iter().map(|(_, action)| action.clone()).collect();
    match (out.json, items.as_slice()) {
        (true, [action]) if act.devices.len() == 1 => out.document(action),
        (true, _) => out.document(&json!({ "items": items })),
        (false, []) => Ok(()),
        (false, _) => {
            let lines = done.iter().map(|(name, action)| {
                let id = if act.how.dry_run { "dry run".to_owned() } else { short_id(&field(action, "id")) };
                let (kind, state) = (field(action, "type"), field(action, "state"));
                format!("{kind} {name}: {state}: {} ({id})\n", field(action, "detail"))
            });
            out.text(&lines.collect::<String>())
        }
    }
}

/// One failure of one is that failure; of several, each is told and the exit code tells whether all failed.
fn conclude(mut failed: Vec<anyhow::Error>, asked: usize) -> Result<()> {
    if asked == 1 {
        return failed.pop().map_or(Ok(()), Err);
    }
    for error in &failed {
        remark(&format!("{error:#}"));
    }
    match asked - failed.len() {
        done if done == asked => Ok(()),
        0 => bail!("none of the {asked} devices did it"),
        done => Err(InPart { done, asked }.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_the_words_of_the_api() {
        assert_eq!(word(Variant::CloudKeepUserData), "cloud_keep_user_data");
        assert_eq!(word(Method::ResetPin), "reset_pin");
        for variant in Variant::value_variants() {
            let json = format!("\"{}\"", word(*variant));
            serde_json::from_str::<crate::proto::csp::remote_wipe::Variant>(&json).unwrap();
        }
        for method in Method::value_variants() {
            serde_json::from_str::<crate::domain::action::ResetMethod>(&format!("\"{}\"", word(*method))).unwrap();
        }
    }

    #[test]
    fn several_devices_end_in_part() {
        let failure = || anyhow::anyhow!("no");
        assert!(conclude(Vec::new(), 3).is_ok());
        assert!(conclude(vec![failure()], 3).unwrap_err().is::<InPart>());
        assert!(!conclude(vec![failure(), failure()], 2).unwrap_err().is::<InPart>());
        assert_eq!(conclude(vec![failure()], 1).unwrap_err().to_string(), "no");
    }
}
