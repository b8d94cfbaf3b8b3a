//! `muster csp`: what every node of Windows takes, whether commands are right, and what administrators decided otherwise.

mod check;
mod overrides;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde_json::Value;

use super::client::Client;
use super::command::read;
use super::output::{Out, field, pairs, time};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Search the catalogue for nodes; the best fits first.
    Search {
        /// Words that the path holds, or an exact address.
        #[arg(required = true)]
        words: Vec<String>,
        /// Most nodes.
        #[arg(long, default_value_t = 20)]
        limit: usize,
    },
    /// Show what a node takes, how devices answered, and what administrators decided.
    Show {
        /// Its address.
        uri: String,
    },
    /// Judge the commands of a file; nothing is sent.
    Check(check::CheckArgs),
    /// Tell which catalogue counts.
    Catalogue,
    /// Import a newer set of Microsoft's descriptions (DDF v2) over the catalogue of this build.
    Import(ImportArgs),
    /// Go back from an imported set to the catalogue of this build.
    Reset,
    /// Decisions of administrators that go before the catalogue.
    #[command(subcommand)]
    Override(overrides::Command),
}

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// The zip archive; `-` for standard input.
    file: PathBuf,
    /// What the set is to be called; default: the folder inside the archive.
    #[arg(long, value_name = "NAME")]
    version: Option<String>,
    /// Only say what would change.
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(client: &Client, out: &Out, command: Command) -> Result<()> {
    match command {
        Command::Search { words, limit } => search(client, out, &words.join(" "), limit).await,
        Command::Show { uri } => {
            let node = client.get("/csp/node", &[("uri", &uri)]).await?;
            out.either(&node, || details(&node))
        }
        Command::Check(args) => check::run(client, out, args).await,
        Command::Catalogue => {
            let catalogue = client.get("/csp/catalogue", &[]).await?;
            out.either(&catalogue, || which(&catalogue))
        }
        Command::Import(args) => import(client, out, args).await,
        Command::Reset => {
            client.delete("/csp/catalogue", &[]).await?;
            let catalogue = client.get("/csp/catalogue", &[]).await?;
            out.either(&catalogue, || which(&catalogue))
        }
        Command::Override(command) => overrides::run(client, out, command).await,
    }
}

async fn search(client: &Client, out: &Out, words: &str, limit: usize) -> Result<()> {
    let found = client.list("/csp/nodes", &[("query", words)], limit).await?;
    let items = &found.items[..found.items.len().min(limit)];
    out.either(&serde_json::json!({ "items": items }), || {
        if items.is_empty() {
            return "no node has all these words in its path".to_owned();
        }
        let mut text = String::new();
        for node in items {
            text.push_str(&format!("{}\n    {}\n", field(node, "path"), summary(node)));
        }
        if !found.is_whole {
            text.push_str("there are more; give more words, or a higher --limit\n");
        }
        text
    })
}

/// What a node takes, in a line.
fn summary(node: &Value) -> String {
    let parts = [
        words(&node["access"]).join(" "),
        field(node, "format"),
        field(node, "allowed_text"),
        match words(&node["first_builds"]).join(", ") {
            builds if builds.is_empty() => builds,
            builds => format!("from {builds}"),
        },
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" | ")
}

fn words(list: &Value) -> Vec<String> {
    let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect()
}

/// The items of a list in the document of a node, one line each under a heading.
fn section(heading: &str, list: &Value, line: impl Fn(&Value) -> String) -> String {
    let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
    if items.is_empty() {
        return String::new();
    }
    let lines: String = items.iter().map(|item| format!("  {}\n", line(item))).collect();
    format!("\n{heading}\n{lines}")
}

fn details(node: &Value) -> String {
    let editions = node["editions"].as_array().map(|editions| editions.iter().map(edition).collect::<Vec<_>>());
    let mut text = pairs([
        ("node", field(node, "path")),
        ("csp", field(node, "csp")),
        ("area", field(node, "area")),
        ("scope", field(node, "scope")),
        ("takes", words(&node["access"]).join(", ")),
        ("format", field(node, "format")),
        ("values", field(node, "allowed_text")),
        ("default", field(node, "default")),
        ("first builds", words(&node["first_builds"]).join(", ")),
        ("editions", editions.map_or_else(String::new, |names| or_none(names.join(", ")))),
        ("names", words(&node["names"]).join(", ")),
        ("in one Atomic with", field(node, "atomic_root")),
        ("deprecated", field(node, "deprecated")),
        ("restart", field(node, "reboot")),
        ("HoloLens 2", field(node, "hololens")),
        ("known from", field(node, "source")),
    ]);
    let below = |child: &Value| child.as_str().unwrap_or_default().to_owned();
    text.push_str(&section("below it:", &node["children"], below));
    text.push_str(&section("devices answered:", &node["answers"], |answer| {
        let (build, edition) = (field(answer, "build"), edition(&answer["edition"]));
        let (op, status, count) = (field(answer, "op"), field(answer, "status"), field(answer, "answers"));
        format!("{build} {edition}: {op} {status}, {count} times, last {}", time(answer, "last_at"))
    }));
    text.push_str(&section("decided:", &node["overrides"], overrides::line));
    text
}

fn or_none(names: String) -> String {
    if names.is_empty() { "none".to_owned() } else { names }
}

fn edition(edition: &Value) -> String {
    edition["name"].as_str().map_or_else(|| field(edition, "id"), str::to_owned)
}

/// Which catalogue counts, in words.
fn which(catalogue: &Value) -> String {
    let imported = &catalogue["imported"];
    pairs([
        ("catalogue", field(catalogue, "version")),
        ("nodes", field(catalogue, "nodes")),
        ("of this build", field(catalogue, "embedded_version")),
        ("imported", time(imported, "imported_at")),
        ("by", field(imported, "imported_by")),
        ("overrides", field(catalogue, "overrides")),
    ])
}

async fn import(client: &Client, out: &Out, args: ImportArgs) -> Result<()> {
    let archive = read(&args.file)?;
    let mut query: Vec<(&str, &str)> = Vec::new();
    query.extend(args.version.as_deref().map(|name| ("version", name)));
    query.extend(args.dry_run.then_some(("dry_run", "true")));
    let report = client.post_archive("/csp/catalogue", &query, archive).await;
    let report = report.with_context(|| args.file.display().to_string())?;
    out.either(&report, || {
        let would = if args.dry_run { "dry run: would import" } else { "imported" };
        let (version, nodes, files) = (field(&report, "version"), field(&report, "nodes"), field(&report, "files"));
        let count = |part: &str| field(&report[part], "count");
        let mut text = format!(
            "{would} {version}: {nodes} nodes in {files} files; {} new, {} changed, {} gone, {} the same\n",
            count("new"),
            count("changed"),
            count("gone"),
            field(&report, "same"),
        );
        for part in ["new", "changed"] {
            for path in words(&report[part]["paths"]).iter().take(MOST_SHOWN) {
                text.push_str(&format!("  {part}: {path}\n"));
            }
        }
        for odd in words(&report["oddities"]) {
            text.push_str(&format!("  not understood: {odd}\n"));
        }
        text
    })
}

/// Nodes that are named of an import, of each kind.
const MOST_SHOWN: usize = 20;
