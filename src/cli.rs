//! Layer 5: the command line. What administers is a thin client of the API; `init`, `serve`, `demo`, `sim`, `bench`,
//! `migrate-db`, `doctor`, `explain`, `check-config`, `routes` and `session replay` work without a server.

mod action;
mod bench;
mod cert;
mod client;
mod command;
mod csp;
pub mod demo;
mod device;
mod doctor;
mod enroll_url;
mod explain;
mod follow;
pub mod init;
mod installation;
mod invite;
mod journal;
mod migrate_db;
mod names;
mod output;
mod password;
mod ppkg;
mod queue;
mod replay;
pub mod serve;
mod server_certificate;
mod session;
mod settings;
pub mod sim;
mod staging;
mod token;
mod transcript;
mod upload;
mod user;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};

use client::Client;
use output::Out;

/// Runs the command line of this process: 0 done, 1 failed, 2 usage, 3 a plan holds changes, 4 done in part.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let asked_for = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            let _ = error.print();
            return ExitCode::from(if asked_for { 0 } else { USAGE });
        }
    };
    // Several libraries take the process-wide provider; a second call finds the same one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&error.into()),
    };
    match runtime.block_on(run(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&error),
    }
}

const FAILED: u8 = 1;
const USAGE: u8 = 2;
const IN_PART: u8 = 4;

/// Some of what was asked is done, the rest is not; both were told.
#[derive(Debug, thiserror::Error)]
#[error("{done} of {asked} done")]
struct InPart {
    done: usize,
    asked: usize,
}

/// The command cannot be carried out as it is written.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

/// One line on standard error, and the exit code.
fn complain(error: &anyhow::Error) -> ExitCode {
    if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
        // Whoever read our output has seen enough, as in `muster device list | head`.
        return ExitCode::SUCCESS;
    }
    let words = output::clean(&format!("{error:#}"));
    let _ = writeln!(io::stderr(), "muster: {words}");
    ExitCode::from(match error {
        _ if error.is::<InPart>() => IN_PART,
        _ if error.is::<Usage>() => USAGE,
        _ => FAILED,
    })
}

/// An MDM server for Windows: enrollment and management in one program.
#[derive(Debug, Parser)]
#[command(name = "muster", version, max_term_width = 120, subcommand_required = true, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
struct Globals {
    /// Folder of the local installation: its URL, its CA and its admin token.
    #[arg(long, global = true, value_name = "DIR", env = "MUSTER_DATA", default_value = "./muster-data")]
    data: PathBuf,
    /// Talk to this server instead of the local one.
    #[arg(long, global = true, value_name = "URL", env = "MUSTER_SERVER")]
    server: Option<String>,
    /// File with the token for that server; MUSTER_TOKEN may hold the token itself.
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// CA certificate of that server, PEM; without it those that the system trusts.
    #[arg(long, global = true, value_name = "FILE", env = "MUSTER_CA_FILE")]
    ca_file: Option<PathBuf>,
    /// Print one JSON document, with the objects of the API.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the main job on this machine: start, enroll a simulated PC, lock it, show the session.
    Demo(installation::DemoArgs),
    /// Make a new installation: configuration, CA, server certificate, database, admin token.
    Init(installation::InitArgs),
    /// Run the server; prints `ready url=… device_url=…` when it takes connections.
    Serve(installation::ServeArgs),
    /// Simulate devices that enroll and check in, against this server or another one.
    Sim(sim::SimArgs),
    /// Move an installation from its file to PostgreSQL: copy, verify, and mark what is left behind.
    MigrateDb(migrate_db::MigrateArgs),
    /// Go the way of a PC to its server, from outside, and name the first thing that is wrong.
    Doctor(doctor::DoctorArgs),
    /// Say what a code of Windows means that a person sees when an enrollment fails, and what to do.
    Explain(explain::ExplainArgs),
    /// Check muster.toml and name the first mistake with its line.
    CheckConfig,
    /// List every address that the server answers, and who may call it.
    Routes,
    /// People and bulk users.
    #[command(subcommand)]
    User(user::Command),
    /// The address that people give to Windows, and its generation.
    #[command(subcommand)]
    EnrollUrl(enroll_url::Command),
    /// Invite people to enroll a device; list, resend and revoke invitations.
    Invite(invite::InviteArgs),
    /// Devices, and what is asked of them.
    #[command(subcommand)]
    Device(device::Command),
    /// What became of actions.
    #[command(subcommand)]
    Action(action::Command),
    /// Raw SyncML commands.
    #[command(subcommand)]
    Command(command::Command),
    /// The CSP catalogue: what the nodes of Windows take.
    #[command(subcommand)]
    Csp(csp::Command),
    /// Management sessions and their transcripts.
    #[command(subcommand)]
    Session(session::Command),
    /// Files that devices were asked to upload.
    #[command(subcommand)]
    Upload(upload::Command),
    /// Device certificates and the CA.
    #[command(subcommand)]
    Cert(cert::Command),
    /// Provisioning packages, with which many devices enroll.
    #[command(subcommand)]
    Ppkg(ppkg::Command),
    /// Tokens for the API.
    #[command(subcommand)]
    Token(token::Command),
    /// What happened, oldest first.
    Events(journal::EventsArgs),
    /// Who did what, newest first.
    Audit(journal::AuditArgs),
    /// What sessions cost on this machine, as ratios to a bare server that moves the same bytes.
    Bench(bench::BenchArgs),
    /// The bare server of `muster bench`.
    #[command(hide = true)]
    BenchBare(bench::BareArgs),
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    let Cli { globals, command } = cli;
    let out = Out::new(globals.json);
    let client = || Client::connect(&globals);
    match command {
        Command::Demo(args) => installation::demo(args).await,
        Command::Init(args) => installation::init(&globals, args).await,
        Command::Serve(args) => installation::serve(&globals, args).await,
        Command::Sim(args) => sim::run(&globals, &out, args).await,
        Command::MigrateDb(args) => migrate_db::run(&globals, &out, args).await,
        Command::Doctor(args) => doctor::run(&globals, &out, args).await,
        Command::Explain(args) => explain::run(&out, &args),
        Command::CheckConfig => installation::check_config(&globals, &out),
        Command::Routes => installation::routes(&out),
        Command::User(command) => user::run(&client()?, &out, command).await,
        Command::EnrollUrl(command) => enroll_url::run(&client()?, &out, command).await,
        Command::Invite(args) => invite::run(&client()?, &out, args).await,
        Command::Device(command) => device::run(&client()?, &out, command).await,
        Command::Action(command) => action::run(&client()?, &out, command).await,
        Command::Command(command) => command::run(&client()?, &out, command).await,
        Command::Session(command) => session::run(client, &out, command).await,
        Command::Csp(command) => csp::run(&client()?, &out, command).await,
        Command::Upload(command) => upload::run(&client()?, &out, command).await,
        Command::Cert(command) => cert::run(&client()?, &out, command).await,
        Command::Ppkg(command) => ppkg::run(&client()?, &out, command).await,
        Command::Token(command) => token::run(&client()?, &out, command).await,
        Command::Events(args) => journal::events(&client()?, &out, args).await,
        Command::Audit(args) => journal::audit(&client()?, &out, args).await,
        Command::Bench(args) => bench::run(&globals, &out, args).await,
        Command::BenchBare(args) => bench::run_bare(&globals, args).await,
    }
}

#[cfg(test)]
#[path = "cli/tests.rs"]
mod tests;
