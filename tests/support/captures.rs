//! Messages of real clients for replay. They are not part of the repository: their folder is named by
//! `MUSTER_CAPTURES`, or is `shared/captures` beside the working copy.

use std::path::PathBuf;

use serde_json::Value;

/// One captured message and what its index says about it.
#[derive(Clone, Debug)]
pub struct Capture {
    pub file: String,
    pub kind: String,
    pub bytes: Vec<u8>,
    pub parses_as_xml: bool,
    /// `device->server` or the other way.
    pub from_device: bool,
}

impl Capture {
    /// The text, whatever the encoding and whatever the declaration says about it.
    pub fn text(&self) -> String {
        let units = |big: bool| {
            let pairs = self.bytes[2..].chunks_exact(2);
            let units: Vec<u16> = pairs
                .map(|p| if big { u16::from_be_bytes([p[0], p[1]]) } else { u16::from_le_bytes([p[0], p[1]]) })
                .collect();
            String::from_utf16(&units).expect("the capture is UTF-16")
        };
        let text = match self.bytes[..2] {
            [0xfe, 0xff] => units(true),
            [0xff, 0xfe] => units(false),
            _ => String::from_utf8(self.bytes.clone()).expect("the capture is UTF-8"),
        };
        match text.trim_start().strip_prefix("<?xml").and_then(|rest| rest.split_once("?>")) {
            Some((_, document)) => document.to_owned(),
            None => text,
        }
    }
}

/// All captures, or None (and a word on standard error) where there are none.
pub fn all() -> Option<Vec<Capture>> {
    let folder = folder()?;
    let index = std::fs::read_to_string(folder.join("index.json")).expect("the captures have an index");
    let index: Value = serde_json::from_str(&index).expect("the index is JSON");
    let captures = index["captures"].as_array().expect("the index lists captures");
    Some(captures.iter().map(|entry| read(&folder, entry)).collect())
}

fn read(folder: &std::path::Path, entry: &Value) -> Capture {
    let text = |name: &str| entry[name].as_str().expect("the index describes each capture").to_owned();
    let file = text("file");
    Capture {
        bytes: std::fs::read(folder.join(&file)).expect("each capture in the index is a file"),
        file,
        kind: text("kind"),
        parses_as_xml: entry["parses_as_xml"].as_bool().unwrap_or(true),
        from_device: text("direction") == "device->server",
    }
}

fn folder() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/captures");
    let named = std::env::var_os("MUSTER_CAPTURES").map(PathBuf::from);
    let folder = named.unwrap_or(beside);
    let there = folder.join("index.json").is_file();
    if !there {
        eprintln!("skipped: no captures in {} (set MUSTER_CAPTURES)", folder.display());
    }
    there.then_some(folder)
}
