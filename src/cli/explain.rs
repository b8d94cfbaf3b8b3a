//! `muster explain`

use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};

use super::Usage;
use super::output::{Out, Table, pairs};
use crate::domain::hresult::{self, Explanation};

/// `muster explain`
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The code, such as 0x80180012; without one all of them.
    #[arg(allow_negative_numbers = true)]
    code: Option<String>,
}

pub(super) fn run(out: &Out, args: &ExplainArgs) -> Result<()> {
    let Some(text) = &args.code else { return all(out) };
    let Some(code) = hresult::parse(text) else {
        bail!(Usage(format!("{text} is no code; one looks like 0x80180012")));
    };
    let Some(known) = hresult::explain(code) else {
        bail!("0x{code:08X} is none of the codes of enrollment");
    };
    out.either(&document(code, &known), || {
        pairs([
            ("code", format!("0x{code:08X} {}", known.name)),
            ("means", known.english.cause.to_string()),
            ("do", known.english.fix.to_string()),
        ])
    })
}

fn all(out: &Out) -> Result<()> {
    let known: Vec<_> = hresult::all().filter_map(|code| Some((code, hresult::explain(code)?))).collect();
    let items: Vec<Value> = known.iter().map(|(code, known)| document(*code, known)).collect();
    out.list(&items, "", || {
        let mut table = Table::new(["CODE", "NAME", "MEANS"]);
        for (code, known) in &known {
            table.row([format!("0x{code:08X}"), known.name.to_string(), known.english.cause.to_string()]);
        }
        table
    })
}

fn document(code: u32, known: &Explanation) -> Value {
    json!({
        "code": format!("0x{code:08X}"),
        "name": known.name,
        "cause": known.english.cause,
        "fix": known.english.fix,
    })
}
