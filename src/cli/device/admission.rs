//! `muster device …`: who may come, and who waits to be let in.

use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::cli::client::{Client, Refusal};
use crate::cli::names::{self, path, short_id, short_ids};
use crate::cli::output::{Out, Table, field, remark, time};
use crate::cli::{InPart, Usage};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Kind {
    /// Let devices in that wait for approval (`muster device list --state pending`).
    Approve {
        /// Ids or names.
        #[arg(required = true, value_name = "DEVICE")]
        devices: Vec<String>,
        /// The enrollment that you looked at; if the device has enrolled again since, it is not let in. Has to be named
        /// where a device enrolled again while it waited.
        #[arg(long, value_name = "ID")]
        enrollment: Option<String>,
    },
    /// Send devices away that wait for approval; they are asked to leave when they call next.
    Refuse {
        /// Ids or names.
        #[arg(required = true, value_name = "DEVICE")]
        devices: Vec<String>,
        /// The enrollment that you looked at.
        #[arg(long, value_name = "ID")]
        enrollment: Option<String>,
        /// Why; kept in the audit trail.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Register devices that may enroll where only registered ones may.
    Register(RegisterArgs),
    /// List registered devices, newest first.
    Registered {
        /// Most rows.
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Remove an entry; a device that has enrolled by it stays.
    Unregister {
        /// Id of the entry.
        id: String,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RegisterArgs {
    /// Serial numbers, hardware hashes or ids of Autopilot.
    #[arg(required_unless_present = "attempt", value_name = "VALUE")]
    values: Vec<String>,
    /// What the device of a refused attempt told of itself (`muster device attempts --advice`).
    #[arg(long, value_name = "ID", conflicts_with = "values")]
    attempt: Option<String>,
    /// What they are.
    #[arg(long, value_enum, default_value = "serial")]
    kind: By,
    /// What for.
    #[arg(long)]
    note: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum By {
    /// Serial numbers; Windows 11 25H2 and later tell theirs.
    Serial,
    /// Hardware hashes.
    HwDevId,
    /// Registrations with Autopilot.
    Autopilot,
}

pub(super) async fn run(client: &Client, out: &Out, kind: Kind) -> Result<()> {
    match kind {
        Kind::Approve { devices, enrollment } => {
            decide(client, out, &devices, "approve", &json!({"enrollment_id": enrollment})).await
        }
        Kind::Refuse { devices, enrollment, reason } => {
            let body = json!({"enrollment_id": enrollment, "reason": reason});
            decide(client, out, &devices, "refuse", &body).await
        }
        Kind::Register(args) => register(client, out, args).await,
        Kind::Registered { limit } => list(client, out, limit).await,
        Kind::Unregister { id } => {
            client.delete(&path("/registered-devices", &id)?, &[]).await?;
            out.either(&json!({"id": id, "removed": true}), || format!("removed {id}"))
        }
    }
}

/// One after the other; what does not work for one is told and does not keep the others. Which enrollment is decided about
/// is left to the server, unless it was named: here nobody knows what was looked at.
async fn decide(client: &Client, out: &Out, devices: &[String], verb: &str, body: &Value) -> Result<()> {
    if !body["enrollment_id"].is_null() && devices.len() > 1 {
        return Err(Usage("--enrollment goes with one device".to_owned()).into());
    }
    let mut done = Vec::new();
    for device in devices {
        let decided = async {
            let id = field(&names::device(client, device).await?, "id");
            client.post(&format!("{}/{verb}", path("/devices", &id)?), &[], body).await
        };
        match decided.await {
            Ok(document) => done.push(document),
            Err(error) => {
                let is_unnamed = error.downcast_ref::<Refusal>().is_some_and(|r| r.code == "enrollment_not_named");
                let how = if is_unnamed { " (--enrollment ID)" } else { "" };
                remark(&format!("{device}: {error:#}{how}"));
            }
        }
    }
    told(out, &done, devices.len(), |device| {
        let [name, state, user, enrollment] = ["name", "state", "user", "enrollment_id"].map(|key| field(device, key));
        format!("{name} of {user} is {state} (enrollment {enrollment} of {})", time(device, "enrolled_at"))
    })
}

/// Devices that wait for approval, by what they are told apart: a device that enrolls again may keep its id and its name.
pub(super) fn waiting(devices: &[Value]) -> Table {
    let mut table = Table::new(["ID", "NAME", "USER", "WINDOWS", "ENROLLED (UTC)", "ENROLLMENT", "IN PLACE OF"]);
    let enrollments = short_ids(devices, "enrollment_id", false);
    for ((device, id), enrollment) in devices.iter().zip(short_ids(devices, "id", false)).zip(enrollments) {
        table.row([
            id,
            field(device, "name"),
            field(device, "user"),
            field(device, "os_version"),
            time(device, "enrolled_at"),
            enrollment,
            short_id(&field(device, "replaced_unapproved")),
        ]);
    }
    table
}

async fn register(client: &Client, out: &Out, args: RegisterArgs) -> Result<()> {
    let kind = match args.kind {
        By::Serial => "serial",
        By::HwDevId => "hw_dev_id",
        By::Autopilot => "autopilot",
    };
    let attempt = args.attempt.iter().map(|id| (id, json!({"attempt_id": id, "note": args.note})));
    let values = args.values.iter().map(|value| (value, json!({"kind": kind, "value": value, "note": args.note})));
    let bodies: Vec<(&String, Value)> = attempt.chain(values).collect();
    let mut done = Vec::new();
    for (value, body) in &bodies {
        match client.post("/registered-devices", &[], body).await {
            Ok(document) => done.push(document),
            Err(error) => remark(&format!("{value}: {error:#}")),
        }
    }
    told(out, &done, bodies.len(), |entry| format!("registered {}", field(entry, "value")))
}

fn told(out: &Out, done: &[Value], asked: usize, line: impl Fn(&Value) -> String) -> Result<()> {
    out.either(&json!({"items": done}), || done.iter().map(|each| line(each) + "\n").collect())?;
    match done.len() {
        done if done == asked => Ok(()),
        done => Err(InPart { done, asked }.into()),
    }
}

async fn list(client: &Client, out: &Out, limit: usize) -> Result<()> {
    let found = client.list("/registered-devices", &[], limit).await?;
    out.list(&found.items, "no registered devices", || {
        let mut table = Table::new(["ID", "KIND", "VALUE", "NOTE", "REGISTERED (UTC)"]);
        let ids = short_ids(&found.items, "id", found.is_whole);
        for (entry, id) in found.items.iter().zip(ids) {
            table.row([
                id,
                field(entry, "kind"),
                field(entry, "value"),
                field(entry, "note"),
                time(entry, "created_at"),
            ]);
        }
        table
    })
}
