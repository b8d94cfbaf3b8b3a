//! The log of simulated devices: one JSON document a line, what each device did, in the order in which it did it.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use time::format_description::well_known::Rfc3339;

use crate::adapters::system::SystemClock;
use crate::sim::{Effect, Event, Executed};

/// One line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Line {
    /// When, UTC.
    pub(super) at: String,
    /// Name of the device.
    pub(super) device: String,
    /// The server's id of its enrollment.
    pub(super) enrollment: String,
    #[serde(flatten)]
    pub(super) entry: Entry,
}

/// What a device did, or what befell it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub(super) enum Entry {
    /// It enrolled.
    Enrolled { profile: String, hw_dev_id: String },
    /// It began a session.
    Session { session: String },
    /// It carried out an Item, or refused it.
    Executed { cmd_id: String, verb: String, uri: String, status: u16 },
    /// What came of commands beside changed nodes.
    Did { effect: String },
    /// The server took the message that told what came of the commands before.
    Answered,
    /// The server did not say that it took it: its answer was a challenge or a refusal, or could not be read.
    NotTaken,
    /// A fault that was asked for.
    Fault { fault: String, detail: String, cmd_ids: Vec<String> },
    /// The session ended as it should.
    Ended,
    /// Something failed.
    Failed { kind: String, detail: String, injected: bool },
    /// It has a new certificate.
    Renewed { thumbprint: String },
    /// It told the server that it leaves.
    Left,
}

impl Entry {
    /// What an event of a device is in the log.
    pub(super) fn of(event: &Event) -> Self {
        match event {
            Event::SessionStarted(session) => Self::Session { session: session.clone() },
            Event::Executed(Executed { cmd_id, verb, uri, status }) => Self::Executed {
                cmd_id: cmd_id.clone(),
                verb: verb.name().to_owned(),
                uri: uri.clone(),
                status: *status,
            },
            Event::Did(effect) => Self::Did { effect: effect_word(effect) },
            Event::Renewed(thumbprint) => Self::Renewed { thumbprint: thumbprint.clone() },
            Event::RenewalFailed(hresult) => {
                Self::Failed { kind: "renewal".to_owned(), detail: format!("0x{hresult:08X}"), injected: false }
            }
            Event::Left => Self::Left,
            Event::Aborted => Self::Failed {
                kind: ANSWER_TOO_LARGE.to_owned(),
                detail: "the answer was larger than the server takes".to_owned(),
                injected: false,
            },
        }
    }
}

/// What a session fails with whose answer is more than the server takes in one message.
pub(super) const ANSWER_TOO_LARGE: &str = "answer_too_large";

fn effect_word(effect: &Effect) -> String {
    match effect {
        Effect::Locked => "locked".to_owned(),
        Effect::PinReset => "pin reset".to_owned(),
        Effect::PasswordRotated => "password rotated".to_owned(),
        Effect::Reboot => "reboot".to_owned(),
        Effect::Wipe(node) => format!("wipe {node}"),
        Effect::RenewNow => "renew now".to_owned(),
        Effect::Unenroll => "unenroll".to_owned(),
    }
}

/// Writes the log, or nothing.
#[derive(Debug)]
pub(super) struct Recorder {
    file: Option<(PathBuf, Mutex<BufWriter<File>>)>,
    /// Bytes of runs before in the file.
    begins_at: u64,
}

impl Recorder {
    /// No log.
    pub(super) fn nowhere() -> Self {
        Self { file: None, begins_at: 0 }
    }

    /// Appends to a file, or to one of that name in a folder.
    pub(super) fn open(path: &Path, name: &str) -> Result<Self> {
        let path = if path.is_dir() { path.join(name) } else { path.to_owned() };
        let file = OpenOptions::new().append(true).create(true).open(&path);
        let file = file.with_context(|| format!("cannot write the device log {}", path.display()))?;
        let begins_at = file.metadata().map_or(0, |metadata| metadata.len());
        Ok(Self { file: Some((path, Mutex::new(BufWriter::with_capacity(1 << 16, file)))), begins_at })
    }

    /// Where it is.
    pub(super) fn path(&self) -> Option<&Path> {
        self.file.as_ref().map(|(path, _)| path.as_path())
    }

    /// Reads back what was written since it was opened, line by line.
    pub(super) fn read(&self, mut each: impl FnMut(Line)) -> Result<()> {
        let Some(path) = self.path() else { return Ok(()) };
        self.flush()?;
        let context = || format!("cannot read the device log {}", path.display());
        let mut file = File::open(path).with_context(context)?;
        file.seek(SeekFrom::Start(self.begins_at)).with_context(context)?;
        for line in BufReader::new(file).lines() {
            let line = line.with_context(context)?;
            each(serde_json::from_str(&line).with_context(context)?);
        }
        Ok(())
    }

    /// Adds what one device did, without another's lines between.
    pub(super) fn write(&self, device: &str, enrollment: &str, entries: Vec<Entry>) -> Result<()> {
        let Some((path, file)) = &self.file else { return Ok(()) };
        let at = SystemClock.now().format(&Rfc3339)?;
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in entries {
            let (device, enrollment) = (device.to_owned(), enrollment.to_owned());
            serde_json::to_writer(&mut *file, &Line { at: at.clone(), device, enrollment, entry })?;
            file.write_all(b"\n").with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }

    /// Brings what is buffered to the file.
    pub(super) fn flush(&self) -> Result<()> {
        let Some((path, file)) = &self.file else { return Ok(()) };
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        file.flush().with_context(|| format!("cannot write {}", path.display()))
    }
}
