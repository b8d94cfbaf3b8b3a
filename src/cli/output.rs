//! What is printed: one JSON document, or aligned columns for people.
//!
//! Values come from devices and strangers, so nothing of them can steer a terminal.

use std::io::{self, IsTerminal, Write};

use anyhow::Result;
use serde_json::Value;

/// Standard output of a command.
pub(super) struct Out {
    /// Whether a program reads.
    pub(super) json: bool,
    colour: bool,
}

impl Out {
    /// For people unless JSON is asked; in colour only on a terminal, and not against `NO_COLOR`.
    pub(super) fn new(json: bool) -> Self {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { json, colour: !json && !no_colour && io::stdout().is_terminal() }
    }

    /// One JSON document.
    pub(super) fn document(&self, document: &Value) -> Result<()> {
        let mut stdout = io::stdout().lock();
        serde_json::to_writer_pretty(&mut stdout, document).map_err(io::Error::from)?;
        Ok(writeln!(stdout)?)
    }

    /// The document for programs, or lines for people.
    pub(super) fn either(&self, document: &Value, lines: impl FnOnce() -> String) -> Result<()> {
        if self.json { self.document(document) } else { self.text(&lines()) }
    }

    /// Lines as they are; line ends are the only control characters left.
    pub(super) fn text(&self, lines: &str) -> Result<()> {
        let mut stdout = io::stdout().lock();
        for line in lines.lines() {
            writeln!(stdout, "{}", clean(line))?;
        }
        Ok(stdout.flush()?)
    }

    /// A list: as `{items}` for programs, as a table for people, or `nothing` where it is empty.
    pub(super) fn list(&self, items: &[Value], nothing: &str, table: impl FnOnce() -> Table) -> Result<()> {
        if self.json {
            return self.document(&serde_json::json!({ "items": items }));
        }
        if items.is_empty() {
            return self.text(nothing);
        }
        Ok(write!(io::stdout().lock(), "{}", table().render(self.colour))?)
    }
}

/// A remark on standard error, which no program reads.
pub(super) fn remark(words: &str) {
    let _ = writeln!(io::stderr(), "{}", clean(words));
}

/// Columns with a header.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// With that header.
    pub(super) fn new<const N: usize>(header: [&str; N]) -> Self {
        Self { rows: vec![header.map(str::to_owned).to_vec()] }
    }

    /// Adds a row.
    pub(super) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.map(|cell| shorten(&clean(&cell))).to_vec());
    }

    fn render(&self, colour: bool) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let widest = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..columns).map(widest).collect();
        let mut text = String::new();
        for (index, row) in self.rows.iter().enumerate() {
            let padded: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            let line = padded.join("  ").trim_end().to_owned();
            let is_header = index == 0;
            text.push_str(&if colour && is_header { format!("\u{1b}[1m{line}\u{1b}[0m") } else { line });
            text.push('\n');
        }
        text
    }
}

/// `key  value` lines; what has no value is left out.
pub(super) fn pairs<const N: usize>(pairs: [(&str, String); N]) -> String {
    let shown: Vec<_> = pairs.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    let width = shown.iter().map(|(key, _)| key.len()).max().unwrap_or_default();
    shown.iter().map(|(key, value)| format!("{key:<width$}  {}\n", clean(value))).collect()
}

/// A field as text: empty for null.
pub(super) fn field(document: &Value, name: &str) -> String {
    match &document[name] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A time of the API to the second, UTC.
pub(super) fn time(document: &Value, name: &str) -> String {
    field(document, name).chars().take(19).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

/// Without what could steer a terminal or turn the direction of writing: shown as escapes.
pub(super) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let turns =
            matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        match c {
            '\t' => out.push(' '),
            c if c.is_control() || turns => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// Characters of the longest cell.
const WIDEST: usize = 60;

fn shorten(cell: &str) -> String {
    if cell.chars().count() <= WIDEST {
        return cell.to_owned();
    }
    let kept: String = cell.chars().take(WIDEST - 1).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // covers: S-17
    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(clean("a\u{1b}[31mred\u{7}\r\n\u{202e}gnp\tx"), "a\\u{1b}[31mred\\u{7}\\u{d}\\u{a}\\u{202e}gnp x");
        assert_eq!(clean("Zoë 東京"), "Zoë 東京");
    }

    #[test]
    fn columns_are_aligned_without_colour() {
        let mut table = Table::new(["ID", "NAME"]);
        table.row(["019a3f00".to_owned(), "Zoë".to_owned()]);
        table.row(["019a".to_owned(), "x".repeat(80)]);
        let long = format!("019a      {}…\n", "x".repeat(59));
        assert_eq!(table.render(false), format!("ID        NAME\n019a3f00  Zoë\n{long}"));
        assert!(table.render(true).starts_with("\u{1b}[1mID        NAME\u{1b}[0m\n"));
    }

    #[test]
    fn fields_become_text() {
        let document = json!({"a": null, "b": "x", "c": 5, "d": true, "t": "2026-11-20T15:05:06.789Z"});
        assert_eq!(["a", "b", "c", "d", "e"].map(|name| field(&document, name)), ["", "x", "5", "true", ""]);
        assert_eq!(time(&document, "t"), "2026-11-20 15:05:06");
        assert_eq!(
            pairs([("one", "1".to_owned()), ("none", String::new()), ("three", "3".to_owned())]),
            "one    1\nthree  3\n"
        );
    }
}
