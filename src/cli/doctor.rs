//! `muster doctor`

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use rustls::RootCertStore;
use serde_json::{Value, json};
use url::Url;

use super::client::{Client, Target as Local, Trust};
use super::output::{Out, remark};
use super::sim::transport::{roots_from_file, system_roots};
use super::{Globals, Usage, password};
use crate::adapters::doctor::{Resolver, Settings, examine};
use crate::config::Config;
use crate::doctor::{Problem, Report, Step, Target, Verdict};
use crate::proto::soap::security::Credential;

/// `muster doctor`
#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// A server (https://mdm.example.com, host:port), or the domain or the e-mail address that people type; without one
    /// the local installation and its domains.
    #[arg(value_name = "URL|DOMAIN")]
    target: Option<String>,
    /// Root certificates, PEM, that the PCs trust beside those of the system.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Ask this name server; without it those of this machine.
    #[arg(long, value_name = "ADDRESS:PORT")]
    dns: Option<SocketAddr>,
    /// The host that the name of the domain should lead to.
    #[arg(long, value_name = "HOST")]
    expect: Option<String>,
    /// Look at this device host too: the address where PCs go once they are enrolled. That of the local installation is
    /// looked at without it.
    #[arg(long, value_name = "URL")]
    device_url: Option<String>,
    /// Sign in with the policy service too, with the password from standard input; nothing is enrolled.
    #[arg(long, value_name = "NAME", requires = "password_stdin")]
    user: Option<String>,
    /// Read the password of --user from standard input.
    #[arg(long, requires = "user")]
    password_stdin: bool,
    /// Longest time for a connection or an answer, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=300))]
    timeout: u64,
}

pub(super) async fn run(globals: &Globals, out: &Out, args: DoctorArgs) -> Result<()> {
    let mut plan = plan(globals, &args).await?;
    let credential = match &args.user {
        Some(username) => Some(Credential::Username { username: username.clone(), password: password::from_stdin()? }),
        None => None,
    };
    let roots = Arc::new(roots(globals, &args, plan.is_local)?);
    // What the own root alone makes good is so for those PCs only that have it.
    let public = if plan.is_local { Some(Arc::new(roots_of_pcs(&args)?)) } else { None };
    let (mut first, mut documents) = (None, Vec::new());
    for (target, expected) in plan.targets {
        let resolver = args.dns.map_or_else(Resolver::of_system, Resolver::asking).map_err(|words| anyhow!(words))?;
        let report = examine(
            &target,
            &Settings {
                resolver,
                roots: Arc::clone(&roots),
                public: public.clone(),
                patience: Duration::from_secs(args.timeout),
                expected,
                only: None,
                // One host for all domains.
                device: plan.device.take(),
                credential: credential.clone(),
            },
        )
        .await;
        first = first.or_else(|| report.first_fault().cloned());
        let name = target.domain.clone().unwrap_or_else(|| target.discovery.to_string());
        if !out.json {
            out.text(&shown(&name, &report))?;
        }
        documents.push(document(&name, &report));
    }
    if out.json {
        out.document(&json!({
            "ok": first.is_none(),
            "first": first.as_ref().map(problem),
            "targets": documents,
        }))?;
    }
    match first {
        None => Ok(()),
        Some(first) => bail!("the first thing that is wrong: {first}"),
    }
}

/// What is walked, with what each should lead to.
struct Plan {
    targets: Vec<(Target, Option<String>)>,
    is_local: bool,
    device: Option<Url>,
}

async fn plan(globals: &Globals, args: &DoctorArgs) -> Result<Plan> {
    let device = args.device_url.as_deref().map(device_url).transpose()?;
    if let Some(typed) = &args.target {
        let target = Target::parse(typed).map_err(|error| Usage(error.to_string()))?;
        // Who signs in is asked about; a server may answer for some domains only.
        let user_domain = args.user.as_ref().and_then(|user| user.rsplit_once('@')).map(|(_, domain)| domain);
        let target = target.for_user_of(user_domain);
        return Ok(Plan { targets: vec![(target, args.expect.clone())], is_local: false, device });
    }
    let local = Local::find(globals).context("no address or domain is given, and there is no local installation")?;
    let mut server = Target::parse(&local.url)?;
    let mut device = device;
    let mut targets = Vec::new();
    let mut user_domain = None;
    if globals.server.is_none() {
        let file = globals.data.join("muster.toml");
        let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let config = Config::load(&text, std::env::vars()).map_err(|error| anyhow!("{error}"))?;
        let domains = &config.enroll.domains;
        let expected = args.expect.clone().or_else(|| server.discovery.host_str().map(str::to_owned));
        user_domain = domains.first().cloned();
        device = device.or_else(|| local_device_url(globals, &config));
        if config.enroll.require_generation {
            match enrollment_url(globals).await {
                Ok(url) => server = Target::parse(&url)?,
                Err(error) => {
                    remark(&format!("the current enrollment URL is not known, so the bare one is asked: {error:#}"))
                }
            }
            if !domains.is_empty() {
                remark("domains are left out: `require_generation` is set, so PCs have to be given the enrollment URL");
            }
        } else {
            let domains = domains.iter().filter_map(|domain| Target::of_domain(domain));
            targets.extend(domains.map(|target| (target, expected.clone())));
        }
    }
    targets.insert(0, (server.for_user_of(user_domain.as_deref()), None));
    Ok(Plan { targets, is_local: globals.server.is_none(), device })
}

/// What people are told to type; an address without its generation may be refused.
async fn enrollment_url(globals: &Globals) -> Result<String> {
    let shown = Client::connect(globals)?.get("/enrollment-url", &[]).await?;
    Ok(shown["url"].as_str().context("the server does not tell its enrollment URL")?.to_owned())
}

fn device_url(typed: &str) -> Result<Url> {
    let url = Url::parse(typed).ok().filter(|url| url.scheme() == "https" && url.has_host());
    url.ok_or_else(|| Usage(format!("--device-url: {typed} is no https address")).into())
}

/// The one that the running server gives out, else the configured one.
fn local_device_url(globals: &Globals, config: &Config) -> Option<Url> {
    let run = std::fs::read(globals.data.join("run.json")).ok();
    let run: Option<Value> = run.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let running = run.as_ref().and_then(|run| run["device_url"].as_str()).map(str::to_owned);
    let url = Url::parse(&running.unwrap_or_else(|| config.server.device_url().to_string())).ok()?;
    Some(url).filter(|url| url.port() != Some(0))
}

/// Those that PCs have before anybody installs one: of the system, as far as there are any here, and of `--ca`.
fn roots_of_pcs(args: &DoctorArgs) -> Result<RootCertStore> {
    let mut roots = system_roots().unwrap_or_else(|_| RootCertStore::empty());
    if let Some(file) = &args.ca {
        roots.roots.extend(roots_from_file(file)?.roots);
    }
    Ok(roots)
}

/// Those of the system, of the file and, for the local installation, its own.
fn roots(globals: &Globals, args: &DoctorArgs, is_local: bool) -> Result<RootCertStore> {
    let mut files: Vec<PathBuf> = args.ca.iter().chain(&globals.ca_file).cloned().collect();
    if is_local && let Trust::Only(own) | Trust::SystemAnd(own) = Local::find(globals)?.trust {
        files.push(own);
    }
    // A machine without authorities of its own is no hindrance where a file names one.
    let mut roots = match system_roots() {
        Ok(roots) => roots,
        Err(error) if files.is_empty() => return Err(error),
        Err(_) => RootCertStore::empty(),
    };
    for file in files {
        roots.roots.extend(roots_from_file(&file)?.roots);
    }
    Ok(roots)
}

fn document(target: &str, report: &Report) -> Value {
    let steps: Vec<Value> = report.steps.iter().map(step).collect();
    json!({
        "target": target,
        "ok": report.is_good(),
        "first": report.first_fault().map(problem),
        "steps": steps,
    })
}

fn step(step: &Step) -> Value {
    let mut document = step.verdict.problem().map_or_else(|| json!({"message": step.verdict.words()}), problem);
    document["stage"] = step.stage.as_str().into();
    document["subject"] = step.subject.as_str().into();
    document["state"] = step.verdict.as_str().into();
    document
}

fn problem(problem: &Problem) -> Value {
    json!({
        "code": problem.code(),
        "message": problem.to_string(),
        "fix": problem.fix(),
        "hresult": problem.hresult().map(|code| format!("0x{code:08X}")),
    })
}

fn shown(target: &str, report: &Report) -> String {
    let mut text = format!("{target}\n");
    for step in &report.steps {
        let mark = match step.verdict {
            Verdict::Good(_) => "ok",
            Verdict::Warning(_) => "look",
            Verdict::Fault(_) => "WRONG",
            Verdict::Skipped(_) => "-",
        };
        let (stage, subject) = (step.stage.as_str(), &step.subject);
        match step.verdict.problem() {
            None => text.push_str(&format!("  {mark:<5}  {stage:<10}  {subject}: {}\n", step.verdict.words())),
            Some(problem) => {
                let words = problem.to_string();
                let place = if words.contains(subject) { String::new() } else { format!("{subject}: ") };
                text.push_str(&format!("  {mark:<5}  {stage:<10}  {place}{words}\n"));
                text.push_str(&format!("         {:<10}  {}\n", "", problem.fix()));
            }
        }
    }
    if report.is_good() {
        text.push_str(match report.needs_private_root() {
            false => "  A PC gets as far as its sign-in.\n",
            true => "  A PC that has the CA certificate gets as far as its sign-in; any other stops with 0x80180012.\n",
        });
    }
    text
}
