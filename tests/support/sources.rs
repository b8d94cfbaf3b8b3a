//! Reads the project's own Rust sources for the tests that check them.
//!
//! A small lexer separates what a text search would mix up: code, comments and string literals. It knows as much of
//! Rust as that needs (nested comments, raw strings, lifetimes versus characters) and nothing of its grammar.
#![allow(dead_code, reason = "each test program that includes this module uses a part of it")]

use std::fs;
use std::path::Path;

/// One file of the project.
pub(crate) struct Source {
    /// Path below the project's folder, with `/` between its parts.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A piece of a source and where it begins.
#[derive(Debug, PartialEq)]
pub(crate) struct Piece {
    /// Byte offset of its first character, the quote of a literal included.
    pub(crate) at: usize,
    /// The comment with its `//`, or the literal without quotes and as written, escapes not resolved.
    pub(crate) text: String,
}

/// A source taken apart.
pub(crate) struct Scan {
    /// As long as the source, with comments and literals replaced by blanks: offsets and line breaks stay.
    pub(crate) code: String,
    pub(crate) comments: Vec<Piece>,
    pub(crate) literals: Vec<Piece>,
}

/// Every `.rs` file below the given folders of the project, in the order of their paths.
pub(crate) fn rust_sources(folders: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    for folder in folders {
        collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), folder, &mut found);
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// The line (from 1) that holds the byte `at`.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// The offset just behind the bracket that closes the one at `open`, or the end of the text.
/// Meant for [`Scan::code`], where no bracket hides in a string.
pub(crate) fn behind_closing(code: &str, open: usize) -> usize {
    let mut depth = 0usize;
    for (offset, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => continue,
        }
        if depth == 0 {
            return offset + 1;
        }
    }
    code.len()
}

/// Takes a source apart.
pub(crate) fn scan(text: &str) -> Scan {
    let mut lexer = Lexer {
        text,
        bytes: text.as_bytes(),
        at: 0,
        code: text.as_bytes().to_vec(),
        comments: Vec::new(),
        literals: Vec::new(),
    };
    while lexer.at < lexer.bytes.len() {
        lexer.step();
    }
    let code = String::from_utf8(lexer.code).expect("whole characters were replaced by blanks");
    Scan { code, comments: lexer.comments, literals: lexer.literals }
}

struct Lexer<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    code: Vec<u8>,
    comments: Vec<Piece>,
    literals: Vec<Piece>,
}

impl Lexer<'_> {
    fn step(&mut self) {
        let rest = &self.bytes[self.at..];
        if rest.starts_with(b"//") {
            let end = self.find(self.at, b"\n");
            self.comments.push(Piece { at: self.at, text: self.text[self.at..end].to_owned() });
            self.blank(end);
        } else if rest.starts_with(b"/*") {
            let end = self.block_comment_end();
            self.comments.push(Piece { at: self.at, text: self.text[self.at..end].to_owned() });
            self.blank(end);
        } else if let Some((prefix, hashes)) = self.raw_string_start() {
            let closing: Vec<u8> = [b"\"".as_slice(), "#".repeat(hashes).as_bytes()].concat();
            let inside = self.at + prefix + hashes + 1;
            let end = self.find(inside, &closing);
            self.literal(inside, end, closing.len());
        } else if rest[0] == b'"' {
            self.literal(self.at + 1, self.quote_end(self.at + 1, b'"'), 1);
        } else if rest[0] == b'\'' {
            self.character();
        } else {
            self.at += 1;
        }
    }

    /// Length of the letters and number of hashes, where a raw string begins.
    fn raw_string_start(&self) -> Option<(usize, usize)> {
        let in_word = self.at > 0 && is_word(self.bytes[self.at - 1]);
        let rest = &self.bytes[self.at..];
        let prefix = ["r", "br", "cr"].iter().find(|prefix| rest.starts_with(prefix.as_bytes()))?.len();
        let hashes = rest[prefix..].iter().take_while(|byte| **byte == b'#').count();
        (!in_word && rest.get(prefix + hashes) == Some(&b'"')).then_some((prefix, hashes))
    }

    fn literal(&mut self, inside: usize, end: usize, closing: usize) {
        self.literals.push(Piece { at: self.at, text: self.text[inside..end].to_owned() });
        self.blank((end + closing).min(self.bytes.len()));
    }

    /// A character literal is blanked, a lifetime is code.
    fn character(&mut self) {
        let after = &self.text[self.at + 1..];
        let first = after.chars().next().map_or(0, char::len_utf8);
        if after.starts_with('\\') {
            self.blank((self.quote_end(self.at + 1, b'\'') + 1).min(self.bytes.len()));
        } else if after[first..].starts_with('\'') {
            self.blank(self.at + 1 + first + 1);
        } else {
            self.at += 1;
        }
    }

    fn block_comment_end(&self) -> usize {
        let (mut at, mut depth) = (self.at, 0);
        while at < self.bytes.len() {
            match &self.bytes[at..] {
                [b'/', b'*', ..] => (at, depth) = (at + 2, depth + 1),
                [b'*', b'/', ..] => (at, depth) = (at + 2, depth - 1),
                _ => at += 1,
            }
            if depth == 0 {
                break;
            }
        }
        at
    }

    /// Where the closing quote stands, escaped ones skipped.
    fn quote_end(&self, mut at: usize, quote: u8) -> usize {
        while at < self.bytes.len() && self.bytes[at] != quote {
            at += if self.bytes[at] == b'\\' { 2 } else { 1 };
        }
        at.min(self.bytes.len())
    }

    fn find(&self, from: usize, what: &[u8]) -> usize {
        let found = self.bytes[from..].windows(what.len()).position(|window| window == what);
        found.map_or(self.bytes.len(), |offset| from + offset)
    }

    fn blank(&mut self, end: usize) {
        for byte in &mut self.code[self.at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        self.at = end;
    }
}

/// Whether the byte can be part of a name.
pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn collect(folder: &Path, name: &str, found: &mut Vec<Source>) {
    let entries = fs::read_dir(folder).expect("the folder is part of the project");
    for entry in entries {
        let entry = entry.expect("a folder of the project can be listed");
        let path = format!("{name}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            collect(&entry.path(), &path, found);
        } else if path.ends_with(".rs") {
            let text = fs::read_to_string(entry.path()).expect("a source is UTF-8 text");
            found.push(Source { path, text });
        }
    }
}
