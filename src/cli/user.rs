//! `muster user`

use anyhow::Result;
use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::client::Client;
use super::names::{self, short_ids};
use super::output::{Out, Table, field, pairs, remark, time};
use super::password;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add a user; the password is asked for on a terminal.
    Add(AddArgs),
    /// List users, newest first.
    List {
        /// Part of the address or the name.
        words: Option<String>,
        /// Most rows.
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Show a user and their devices.
    Show {
        /// Address or id.
        user: String,
    },
    /// Change what a user may do.
    Change(ChangeArgs),
    /// Set a new password; it is asked for on a terminal.
    Password {
        /// Address or id.
        user: String,
        /// Read it from standard input.
        #[arg(long, conflicts_with = "none")]
        password_stdin: bool,
        /// Take the password away.
        #[arg(long)]
        none: bool,
    },
    /// Remove a user; their devices stay enrolled, without a user.
    Remove {
        /// Address or id.
        user: String,
        /// Only say what would happen.
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct AddArgs {
    /// E-mail address, or another name to sign in with.
    email: String,
    /// Display name.
    #[arg(long)]
    name: Option<String>,
    /// Read the password from standard input.
    #[arg(long)]
    password_stdin: bool,
    /// What the user may do.
    #[arg(long, value_enum)]
    role: Option<Role>,
    /// Most devices that the user may have.
    #[arg(long, value_name = "N")]
    device_limit: Option<u32>,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("changes").required(true).multiple(true)))]
pub(super) struct ChangeArgs {
    /// Address or id.
    user: String,
    /// Display name; empty for none.
    #[arg(long, group = "changes")]
    name: Option<String>,
    /// What the user may do.
    #[arg(long, value_enum, group = "changes")]
    role: Option<Role>,
    /// Allow sign-in and enrollment again.
    #[arg(long, group = "changes")]
    enable: bool,
    /// Refuse sign-in and enrollment; the user's devices stay.
    #[arg(long, conflicts_with = "enable", group = "changes")]
    disable: bool,
    /// Most devices that the user may have; `default` for the configured number.
    #[arg(long, value_name = "N", group = "changes")]
    device_limit: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Role {
    /// Nothing beyond the own devices.
    User,
    /// Reads everything but secrets.
    Viewer,
    /// Acts on devices.
    Operator,
    /// Administers users, certificates and tokens.
    Admin,
}

impl Role {
    /// The word of the API.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

pub(super) async fn run(client: &Client, out: &Out, command: Command) -> Result<()> {
    match command {
        Command::Add(args) => add(client, out, args).await,
        Command::List { words, limit } => list(client, out, words.as_deref(), limit).await,
        Command::Show { user } => show(client, out, &user).await,
        Command::Change(args) => change(client, out, args).await,
        Command::Password { user, password_stdin, none } => {
            set_password(client, out, &user, password_stdin, none).await
        }
        Command::Remove { user, dry_run } => remove(client, out, &user, dry_run).await,
    }
}

async fn add(client: &Client, out: &Out, args: AddArgs) -> Result<()> {
    let password =
        if args.password_stdin { Some(password::from_stdin()?) } else { password::from_terminal(&args.email)? };
    if password.is_none() {
        remark(&format!("without a password {0} cannot enroll; set one with: muster user password {0}", args.email));
    }
    let body = json!({
        "email": args.email,
        "name": args.name,
        "password": password.as_ref().map(ExposeSecret::expose_secret),
        "role": args.role.map(Role::as_str),
        "device_limit": args.device_limit,
    });
    let user = client.post("/users", &[], &body).await?;
    out.either(&user, || format!("added {} ({})", field(&user, "email"), field(&user, "id")))
}

async fn list(client: &Client, out: &Out, words: Option<&str>, limit: usize) -> Result<()> {
    let query: Vec<_> = words.map(|words| ("query", words)).into_iter().collect();
    let found = client.list("/users", &query, limit).await?;
    out.list(&found.items, "no users", || {
        let mut table = Table::new(["ID", "EMAIL", "NAME", "KIND", "ROLE", "STATE", "ADDED (UTC)"]);
        let ids = short_ids(&found.items, "id", found.is_whole && words.is_none());
        for (user, id) in found.items.iter().zip(ids) {
            table.row([
                id,
                field(user, "email"),
                field(user, "name"),
                field(user, "kind"),
                field(user, "role"),
                state(user).to_owned(),
                time(user, "created_at"),
            ]);
        }
        table
    })
}

fn must_change(user: &Value) -> String {
    let words = if user["must_change_password"] == true { "has to be changed first" } else { "" };
    words.to_owned()
}

fn state(user: &Value) -> &'static str {
    match (user["enabled"].as_bool(), user["has_password"].as_bool()) {
        (Some(false), _) => "disabled",
        (_, Some(false)) => "no password",
        _ => "enabled",
    }
}

async fn show(client: &Client, out: &Out, text: &str) -> Result<()> {
    let user = names::user(client, text).await?;
    let email = field(&user, "email");
    let devices = client.list("/devices", &[("user", &email)], 500).await?.items;
    if out.json {
        return out.document(&user);
    }
    let names: Vec<String> =
        devices.iter().map(|device| format!("{} ({})", field(device, "name"), field(device, "state"))).collect();
    out.text(&pairs([
        ("email", email),
        ("name", field(&user, "name")),
        ("id", field(&user, "id")),
        ("kind", field(&user, "kind")),
        ("role", field(&user, "role")),
        ("state", state(&user).to_owned()),
        ("device limit", field(&user, "device_limit")),
        ("password", must_change(&user)),
        ("added", time(&user, "created_at")),
        ("devices", if names.is_empty() { "none".to_owned() } else { names.join(", ") }),
    ]))
}

async fn change(client: &Client, out: &Out, args: ChangeArgs) -> Result<()> {
    let user = names::user(client, &args.user).await?;
    let mut body = serde_json::Map::new();
    let mut set = |name: &str, value: Value| body.insert(name.to_owned(), value);
    if let Some(name) = args.name {
        set("name", if name.is_empty() { Value::Null } else { Value::from(name) });
    }
    if let Some(role) = args.role {
        set("role", Value::from(role.as_str()));
    }
    if args.enable || args.disable {
        set("enabled", Value::from(args.enable));
    }
    if let Some(limit) = args.device_limit {
        let number = limit.parse::<u32>().map(Value::from);
        let limit = if limit == "default" { Ok(Value::Null) } else { number };
        let usage = |_| super::Usage("--device-limit takes a number, or `default`".to_owned());
        set("device_limit", limit.map_err(usage)?);
    }
    let changed = client.patch(&format!("/users/{}", field(&user, "id")), &Value::Object(body)).await?;
    out.either(&changed, || format!("changed {}", field(&changed, "email")))
}

async fn set_password(client: &Client, out: &Out, text: &str, from_stdin: bool, none: bool) -> Result<()> {
    let user = names::user(client, text).await?;
    let email = field(&user, "email");
    let password = match (none, from_stdin) {
        (true, _) => None,
        (false, true) => Some(password::from_stdin()?),
        (false, false) => match password::from_terminal(&email)? {
            Some(password) => Some(password),
            None => return Err(super::Usage("no password was given; --none takes it away".to_owned()).into()),
        },
    };
    let body = json!({ "password": password.as_ref().map(ExposeSecret::expose_secret) });
    let changed = client.patch(&format!("/users/{}", field(&user, "id")), &body).await?;
    let words = if none { "has no password any more" } else { "has a new password" };
    out.either(&changed, || format!("{email} {words}"))
}

async fn remove(client: &Client, out: &Out, text: &str, dry_run: bool) -> Result<()> {
    let user = names::user(client, text).await?;
    let path = format!("/users/{}", field(&user, "id"));
    if dry_run {
        let tried = client.delete(&path, &[("dry_run", "true")]).await?;
        return out.either(&tried, || {
            let (devices, tokens) = (&tried["devices"], &tried["tokens"]);
            let email = field(&user, "email");
            format!("dry run: would remove {email}; {devices} devices would stay enrolled, {tokens} tokens would end")
        });
    }
    client.delete(&path, &[]).await?;
    out.either(&user, || format!("removed {}; their devices stay enrolled, without a user", field(&user, "email")))
}
