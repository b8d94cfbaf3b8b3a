//! `muster csp check`: is a file of commands right, before anything is sent?

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Map, Value, json};

use super::words;
use crate::cli::client::Client;
use crate::cli::command::read;
use crate::cli::names;
use crate::cli::output::{Out, field};
use crate::domain::csp::items;
use crate::proto::syncml::decode_fragment;
use crate::proto::xml::Limits;

#[derive(Debug, Args)]
pub(in crate::cli) struct CheckArgs {
    /// SyncML commands, as `muster command run` takes them, or the JSON of `POST /csp/check`; `-` for standard input.
    file: PathBuf,
    /// Judge for that device, by id or name.
    #[arg(long)]
    device: Option<String>,
    /// Judge for that build, e.g. 10.0.22631.4037.
    #[arg(long, value_name = "BUILD")]
    build: Option<String>,
    /// Judge for that edition: its number, or a name like PROFESSIONAL.
    #[arg(long, value_name = "EDITION")]
    edition: Option<String>,
}

/// Commands of one request.
const AT_ONCE: usize = 500;

pub(in crate::cli) async fn run(client: &Client, out: &Out, args: CheckArgs) -> Result<()> {
    let name = args.file.display().to_string();
    let mut checks = checks(&read(&args.file)?).with_context(|| name.clone())?;
    let device = match &args.device {
        Some(text) => Some(field(&names::device(client, text).await?, "id")),
        None => None,
    };
    let more = [("device", &device), ("os_build", &args.build), ("edition", &args.edition)];
    for check in &mut checks {
        for (key, value) in more {
            if let (None | Some(Value::Null), Some(value)) = (check.get(key), value) {
                check.insert(key.to_owned(), json!(value));
            }
        }
    }
    let mut results = Vec::with_capacity(checks.len());
    for part in checks.chunks(AT_ONCE) {
        let answer = client.post("/csp/check", &[], &json!({ "checks": part })).await.with_context(|| name.clone())?;
        results.extend(answer["results"].as_array().context("the server's answer is no list")?.iter().cloned());
    }
    let refused = results.iter().filter(|result| result["ok"] != true).count();
    out.either(&json!({ "results": results, "refused": refused }), || told(&checks, &results))?;
    if refused > 0 {
        bail!("{refused} of {} commands refused", results.len());
    }
    Ok(())
}

/// The commands of a file, as the API takes them.
fn checks(bytes: &[u8]) -> Result<Vec<Map<String, Value>>> {
    let is_xml = bytes.iter().find(|byte| !byte.is_ascii_whitespace() && !BOM.contains(byte)) == Some(&b'<');
    if is_xml {
        return syncml(bytes);
    }
    let document: Value = serde_json::from_slice(bytes).context("this is neither SyncML nor JSON")?;
    let list = match document {
        Value::Object(mut object) => match object.remove("checks") {
            Some(list) => list,
            None => Value::Array(vec![Value::Object(object)]),
        },
        list => list,
    };
    serde_json::from_value(list).context("this is no list of commands")
}

fn syncml(bytes: &[u8]) -> Result<Vec<Map<String, Value>>> {
    let commands = decode_fragment(bytes, &Limits::default())?;
    let items = items(&commands);
    let documents = items.iter().map(|item| {
        let Some(check) = item.check(None, None) else { bail!("{}: Target/LocURI is missing", item.place) };
        let document =
            json!({ "uri": check.uri, "op": check.verb.name(), "format": check.format, "value": check.value });
        serde_json::from_value(document).context("this cannot be written as JSON")
    });
    documents.collect()
}

fn told(checks: &[Map<String, Value>], results: &[Value]) -> String {
    let mut text = String::new();
    for (check, result) in checks.iter().zip(results) {
        let part = |name: &str| check.get(name).and_then(Value::as_str).unwrap_or_default();
        let what = format!("{} {}", part("op"), part("uri"));
        text.push_str(&match result["ok"] == true {
            true => format!("ok       {what}\n"),
            false => {
                format!("refused  {what}\n         {}: {}\n", field(result, "error_kind"), field(result, "message"))
            }
        });
        for other in words(&result["suggestions"]).iter().skip(1) {
            text.push_str(&format!("         or {other}\n"));
        }
        for warning in result["warnings"].as_array().map(Vec::as_slice).unwrap_or_default() {
            text.push_str(&format!("         {}: {}\n", field(warning, "kind"), field(warning, "message")));
        }
    }
    text
}

/// What some editors put before the text.
const BOM: [u8; 3] = [0xEF, 0xBB, 0xBF];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_syncml_or_json() {
        let xml = "\u{feff}<Atomic><CmdID>1</CmdID><Replace><CmdID>2</CmdID><Item><Target><LocURI>./A/B</LocURI></Target>\
            <Meta><Format xmlns='syncml:metinf'>int</Format></Meta><Data>7</Data></Item></Replace></Atomic>";
        let expected = json!([{"uri": "./A/B", "op": "Replace", "format": "int", "value": "7"}]);
        assert_eq!(json!(checks(xml.as_bytes()).unwrap()), expected);
        let one = json!({"uri": "./A/B", "op": "Get"});
        for document in [json!([one]), json!({"checks": [one]}), one.clone()] {
            assert_eq!(json!(checks(document.to_string().as_bytes()).unwrap()), json!([one]), "{document}");
        }
        for odd in ["", "7", "[7]", "{\"checks\": 7}", "<Replace>", "nothing"] {
            assert!(checks(odd.as_bytes()).is_err(), "{odd}");
        }
    }
}
