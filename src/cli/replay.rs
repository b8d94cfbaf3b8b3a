//! `muster session replay`

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use clap::Args;
use serde_json::json;

use super::Usage;
use super::output::Out;
use crate::replay::{Engine, Kind, LARGEST, Outcome, Replayed, Report, replay};

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// The recording or capture.
    file: PathBuf,
}

pub(super) fn run(out: &Out, args: &ReplayArgs) -> Result<()> {
    let refuse = |what: String| Usage(format!("{}: {what}", args.file.display()));
    let bytes = read(&args.file).map_err(|error| refuse(error.to_string()))?;
    let report = replay(&bytes, &Engine::THIS_BUILD).map_err(|error| refuse(error.to_string()))?;
    let (compared, differences) = (report.compared(), report.differences().count());
    let document = json!({
        "kind": report.kind,
        "compared": compared,
        "differences": differences,
        "messages": report.messages,
    });
    out.either(&document, || told(&report))?;
    match (compared, differences) {
        (_, 1..) => Err(anyhow!("{}", count(differences, "difference"))),
        (0, 0) => Err(refuse("nothing in it can be compared".to_owned()).into()),
        _ => Ok(()),
    }
}

/// The bytes of a file; of one that is too large, one byte more than is read.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = u64::try_from(LARGEST).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn told(report: &Report) -> String {
    let mut text = String::new();
    for message in &report.messages {
        let name = name(message);
        match &message.outcome {
            Outcome::Same => text.push_str(&format!("{name}: same\n")),
            Outcome::NotCompared { reason } => text.push_str(&format!("{name}: not compared: {reason}\n")),
            Outcome::Different { differences } => {
                for each in differences {
                    let side = |text: &Option<String>| text.clone().unwrap_or_else(|| "nothing".to_owned());
                    let then = match report.kind {
                        Kind::Recording => "recorded",
                        Kind::Capture => "captured, or by the rules,",
                    };
                    let (path, recorded, now) = (&each.path, side(&each.recorded), side(&each.now));
                    text.push_str(&format!("{name}: {path}: {then} {recorded}, now {now}\n"));
                }
            }
        }
    }
    let kind = match report.kind {
        Kind::Recording => "recording",
        Kind::Capture => "capture",
    };
    let differences = report.differences().count();
    text.push_str(&format!(
        "{kind}: {}, {} compared, {}\n",
        count(report.messages.len(), "message"),
        report.compared(),
        count(differences, "difference"),
    ));
    text
}

/// Which message: its number, its MsgID, and where it stands.
fn name(message: &Replayed) -> String {
    let line = message.line.map(|line| format!(", line {line}")).unwrap_or_default();
    let msg_id = message.msg_id.map(|id| format!(" (MsgID {id}{line})")).unwrap_or_default();
    format!("message {}{msg_id}", message.number)
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
