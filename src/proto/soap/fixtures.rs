//! What the tests of the enrollment wire share: golden files, and captures of real devices where someone has them.

use std::path::{Path, PathBuf};
use std::{env, fs};

use time::OffsetDateTime;
use time::macros::datetime;
use uuid::Uuid;

use super::envelope::{Envelope, ReplyHeader};
use crate::proto::xml::Limits;

pub(crate) const MESSAGE_ID: &str = "urn:uuid:0f4f1f5e-8f0b-4c7e-9d3c-2b6a5d1e7c90";
pub(crate) const NOW: OffsetDateTime = datetime!(2026-05-04 09:30:15.25 UTC);

pub(crate) fn reply() -> ReplyHeader<'static> {
    ReplyHeader {
        relates_to: Some(MESSAGE_ID),
        activity_id: Uuid::from_u128(0x5ca1_ab1e_0000_4000_8000_0000_0000_0001),
    }
}

pub(crate) fn decode(bytes: &[u8]) -> Envelope {
    Envelope::decode(bytes, &Limits::default()).unwrap()
}

/// A file of `protocol-fixtures/enrollment`.
pub(crate) fn fixture(name: &str) -> Vec<u8> {
    let path = folder().join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Compares with a golden file; `MUSTER_BLESS=1` writes it instead.
pub(crate) fn golden(name: &str, bytes: &[u8]) {
    if env::var_os("MUSTER_BLESS").is_some() {
        fs::write(folder().join(name), bytes).unwrap();
    }
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    assert_eq!(text(bytes), text(&fixture(name)), "{name}");
}

/// The captures whose names contain all of `words`; says so and gives none where the folder is not there.
pub(crate) fn captures(words: &[&str]) -> Vec<(String, Vec<u8>)> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/captures");
    let folder = env::var_os("MUSTER_CAPTURES").map_or(beside, PathBuf::from);
    let Ok(entries) = fs::read_dir(&folder) else {
        println!("skipped: no captures of real devices (set MUSTER_CAPTURES to a folder with some)");
        return Vec::new();
    };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| words.iter().all(|word| name.contains(word))).collect();
    names.sort();
    names.into_iter().map(|name| (name.clone(), fs::read(folder.join(name)).unwrap())).collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("protocol-fixtures/enrollment")
}
