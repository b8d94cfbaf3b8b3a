//! Makes the embedded CSP catalogue from a folder of facts.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use muster::proto::csp::catalogue::{Catalogue, Head, HoloLens, Record};
use serde_json::{Map, Value};

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let folder = args.next().context("usage: csp_facts FACTS OUT")?;
    let out = args.next().context("usage: csp_facts FACTS OUT")?;
    let folder = Path::new(&folder);
    let sets: Value = serde_json::from_slice(&fs::read(folder.join("editions.json"))?)?;
    let mut records = Vec::new();
    for file in ["csp_older.jsonl", "csp.jsonl"] {
        for line in fs::read_to_string(folder.join(file))?.lines() {
            records.push(record(serde_json::from_str(line)?, &sets["sets"])?);
        }
    }
    let hololens: Value = serde_json::from_slice(&fs::read(folder.join("hololens2.json"))?)?;
    let head = Head { version: "2026-02".to_owned(), hololens: lists(&hololens)? };
    let packed = Catalogue::new(head, records).to_file()?;
    fs::write(out, packed)?;
    Ok(())
}

fn record(mut fields: Map<String, Value>, sets: &Value) -> Result<Record> {
    if let Some(set) = fields.get_mut("editions") {
        let ids = sets[set.as_str().unwrap_or_default()].as_array().context("no such set")?;
        let ids = ids.iter().filter_map(Value::as_str).map(|id| id.trim_start_matches("0x").trim_end_matches('*'));
        *set = ids.collect::<Vec<_>>().join(" ").into();
    }
    if let Some(allowed) = fields.get_mut("allowed").and_then(Value::as_object_mut) {
        allowed.remove("example");
    }
    let path = fields["path"].clone();
    serde_json::from_value(fields.into()).with_context(|| path.to_string())
}

fn lists(facts: &Value) -> Result<HoloLens> {
    let text = |value: &Value, key: &str| value[key].as_str().map(str::to_owned);
    let rows = |key: &str| facts[key].as_array().cloned().context("no such list");
    Ok(HoloLens {
        csps: rows("csps")?.iter().filter_map(|row| Some((text(row, "csp")?, text(row, "hololens2")?))).collect(),
        policies: rows("policies")?.iter().filter_map(|row| Some((text(row, "policy")?, text(row, "since")))).collect(),
    })
}
