//! Holds the crate to its layers: who may import whom, where SQL may stand, and where the database engine may be named.
//!
//! One crate cannot make Cargo enforce this, so the sources are read. The table of layers is in `src/lib.rs`; the rules
//! for each module are [`MODULES`]. Unit tests inside `src`, and modules made for them, are exempt:
//! a test may bring in a neighbour.

use sources::{Scan, Source, behind_closing, is_word, line_of, rust_sources, scan};

#[path = "support/sources.rs"]
mod sources;

#[test]
fn imports_point_downwards() {
    report("wrong import(s)", &|file| [imports(file), foreign_crates(file)].concat());
}

// covers: S-20
#[test]
fn sql_is_constant_and_stays_in_the_store() {
    report("misplaced or assembled SQL text(s)", &|file| [sql_outside_the_store(file), assembled_sql(file)].concat());
}

#[test]
fn the_engine_is_chosen_in_one_place() {
    report("choice(s) of database engine", &engine_choices);
}

#[test]
fn every_module_has_a_layer() {
    let files = rust_sources(&["src"]);
    let unlisted: Vec<&str> = files
        .iter()
        .filter_map(|file| module_path(&file.path).first().copied())
        .filter(|module| rules(module).is_none())
        .collect();
    assert!(unlisted.is_empty(), "modules without a layer in tests/layering.rs: {unlisted:?}");
}

/// What a module may use of this crate, and what it must not use of others.
struct Module {
    name: &'static str,
    /// Modules of this crate besides itself; `app::ports` stands for that part of `app` alone.
    may_use: &'static [&'static str],
    crates: &'static [&'static str],
    words: &'static [&'static str],
}

const MODULES: &[Module] = &[
    Module { name: "proto", may_use: &[], crates: IMPURE, words: CLOCK_AND_CHANCE },
    Module { name: "domain", may_use: &["proto"], crates: IMPURE, words: CLOCK_AND_CHANCE },
    Module { name: "pki", may_use: &["proto"], crates: IMPURE, words: CLOCK_AND_CHANCE },
    Module { name: "session", may_use: &["proto", "domain", "pki"], crates: IMPURE, words: CLOCK_AND_CHANCE },
    Module { name: "failpoint", may_use: &[], crates: &[], words: &[] },
    Module { name: "doctor", may_use: &["proto"], crates: IMPURE, words: CLOCK_AND_CHANCE },
    Module { name: "sim", may_use: &["proto"], crates: IMPURE, words: CLOCK_AND_CHANCE },
    Module { name: "replay", may_use: &["proto", "domain", "session"], crates: IMPURE, words: CLOCK_AND_CHANCE },
    Module { name: "app", may_use: BELOW_APP, crates: WIRE_AND_DATABASE, words: &["SystemTime", "now_utc"] },
    Module { name: "store", may_use: BELOW_PORTS, crates: &["axum", "hyper", "clap", "anyhow"], words: &[] },
    Module { name: "adapters", may_use: ADAPTERS, crates: &["axum", "rusqlite", "clap", "anyhow"], words: &[] },
    Module { name: "config", may_use: LAYER_3, crates: &["axum", "rusqlite"], words: &[] },
    Module { name: "observe", may_use: LAYER_3, crates: &["axum", "rusqlite"], words: &[] },
    Module { name: "http", may_use: SERVER, crates: &["rusqlite", "tokio_postgres", "clap", "anyhow"], words: &[] },
    Module { name: "cli", may_use: EVERYTHING, crates: &["rusqlite", "tokio_postgres"], words: &[] },
    Module { name: "lib", may_use: EVERYTHING, crates: &[], words: &[] },
    Module { name: "main", may_use: EVERYTHING, crates: &[], words: &[] },
];

const BELOW_APP: &[&str] = &["proto", "domain", "pki", "session", "doctor", "failpoint"];
const BELOW_PORTS: &[&str] = &["proto", "domain", "pki", "session", "failpoint", "app::ports"];
const ADAPTERS: &[&str] = &["proto", "domain", "pki", "session", "doctor", "failpoint", "app::ports"];
const LAYER_3: &[&str] = &["proto", "domain", "pki", "session", "app", "config", "observe"];
/// Not `sim`: the server must never take part in a simulation; not `cli`: it starts the server, not the other way round.
const SERVER: &[&str] =
    &["proto", "domain", "pki", "session", "doctor", "failpoint", "app", "store", "adapters", "config", "observe"];
const EVERYTHING: &[&str] = &[
    "proto",
    "domain",
    "pki",
    "session",
    "replay",
    "doctor",
    "failpoint",
    "sim",
    "app",
    "store",
    "adapters",
    "config",
    "observe",
    "http",
    "cli",
];

/// Input and output, runtimes and logs: nothing for layers 1 and 2.
const IMPURE: &[&str] = &[
    "tokio",
    "tokio_rustls",
    "hyper",
    "hyper_util",
    "axum",
    "tower",
    "tower_http",
    "rusqlite",
    "tokio_postgres",
    "tracing",
    "reqwest",
    "getrandom",
    "governor",
    "clap",
    "anyhow",
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
];
/// Readers of the clock and of randomness, and what needs a runtime. They come in as arguments.
const CLOCK_AND_CHANCE: &[&str] =
    &["SystemTime", "Instant", "now_utc", "now_local", "new_v4", "now_v7", "async", "await"];
const WIRE_AND_DATABASE: &[&str] = &[
    "axum",
    "hyper",
    "hyper_util",
    "tower_http",
    "tokio_rustls",
    "rusqlite",
    "tokio_postgres",
    "reqwest",
    "getrandom",
    "clap",
    "anyhow",
];

/// A source, taken apart and without its unit tests.
struct File<'a> {
    path: &'a str,
    text: &'a str,
    parts: Scan,
}

impl<'a> File<'a> {
    fn new(source: &'a Source) -> Self {
        let mut parts = scan(&source.text);
        while let Some((start, end)) = unit_tests(&parts.code) {
            let blank: String = parts.code[start..end].chars().map(|c| if c == '\n' { c } else { ' ' }).collect();
            parts.code.replace_range(start..end, &blank);
            parts.literals.retain(|literal| !(start..end).contains(&literal.at));
        }
        Self { path: &source.path, text: &source.text, parts }
    }

    fn at(&self, offset: usize, fault: &str) -> String {
        format!("{}:{}: {fault}", self.path, line_of(self.text, offset))
    }

    /// Offsets of a word in the code.
    fn word<'s>(&'s self, word: &'s str) -> impl Iterator<Item = usize> + 's {
        let code = self.parts.code.as_bytes();
        self.parts.code.match_indices(word).map(|(at, _)| at).filter(move |at| {
            let (before, after) = (at.checked_sub(1).map(|i| code[i]), code.get(at + word.len()));
            !before.is_some_and(is_word) && !after.is_some_and(|byte| is_word(*byte))
        })
    }
}

fn report(what: &str, check: &dyn Fn(&File<'_>) -> Vec<String>) {
    let sources = rust_sources(&["src"]);
    let for_tests: Vec<String> = sources.iter().flat_map(modules_for_tests).collect();
    let product = sources.iter().filter(|source| !for_tests.iter().any(|module| belongs_to(&source.path, module)));
    let faults: Vec<String> = product.flat_map(|source| check(&File::new(source))).collect();
    assert!(faults.is_empty(), "{} {what}:\n  {}", faults.len(), faults.join("\n  "));
}

/// Paths, without `.rs`, of the modules that a file declares for tests only, such as `#[cfg(test)] mod fixtures;`.
fn modules_for_tests(source: &Source) -> Vec<String> {
    let code = scan(&source.text).code;
    let folder = source.path.trim_end_matches(".rs").trim_end_matches("/lib");
    let declarations = code.match_indices("#[cfg(test)]").filter_map(|(at, _)| code[at..].split_once(';'));
    let names = declarations.filter_map(|(declaration, _)| {
        let (before, name) = declaration.rsplit_once("mod ")?;
        (!before.contains('{')).then(|| name.trim().to_owned())
    });
    names.filter(|name| name.chars().all(is_name)).map(|name| format!("{folder}/{name}")).collect()
}

fn belongs_to(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

/// Where the next `#[cfg(test)]` item with a body begins and ends.
fn unit_tests(code: &str) -> Option<(usize, usize)> {
    let start = code.find("#[cfg(test)]")?;
    let behind = start + "#[cfg(test)]".len();
    let body = behind + code[behind..].find(['{', ';'])?;
    let end = if code[body..].starts_with('{') { behind_closing(code, body) } else { body + 1 };
    Some((start, end))
}

/// `src/proto/xml/reader.rs` is `["proto", "xml", "reader"]`.
fn module_path(path: &str) -> Vec<&str> {
    path.trim_start_matches("src/").trim_end_matches(".rs").split('/').collect()
}

fn rules(module: &str) -> Option<&'static Module> {
    MODULES.iter().find(|rules| rules.name == module)
}

fn imports(file: &File<'_>) -> Vec<String> {
    let Some(rules) = rules(module_path(file.path)[0]) else { return Vec::new() };
    let paths = rooted_paths(file);
    let wrong = paths.iter().filter(|(_, path)| !may_use(rules, path));
    wrong
        .map(|(at, path)| file.at(*at, &format!("`{}` must not know `crate::{}`", rules.name, path.join("::"))))
        .collect()
}

fn may_use(rules: &Module, path: &[String]) -> bool {
    let Some(target) = path.first().filter(|name| MODULES.iter().any(|module| module.name == **name)) else {
        return true;
    };
    let part = path.get(1).map_or_else(|| target.clone(), |second| format!("{target}::{second}"));
    target == rules.name || rules.may_use.contains(&target.as_str()) || rules.may_use.contains(&part.as_str())
}

/// Every path of the file that starts at the root of the crate, by `crate::` or by enough `super::`.
fn rooted_paths(file: &File<'_>) -> Vec<(usize, Vec<String>)> {
    let depth = module_path(file.path).len();
    let mut found = Vec::new();
    for at in file.word("crate") {
        found.extend(paths_behind(&file.parts.code, at + "crate".len()).into_iter().map(|path| (at, path)));
    }
    for at in file.word("super") {
        for path in paths_behind(&file.parts.code, at + "super".len()) {
            let ups = 1 + path.iter().take_while(|segment| *segment == "super").count();
            let is_first = !file.parts.code[..at].trim_end().ends_with("super::");
            if is_first && ups >= depth {
                found.push((at, path[ups - 1..].to_vec()));
            }
        }
    }
    found
}

fn foreign_crates(file: &File<'_>) -> Vec<String> {
    let Some(rules) = rules(module_path(file.path)[0]) else { return Vec::new() };
    let mut faults = Vec::new();
    for name in rules.crates {
        let (first, second) = name.split_once("::").map_or((*name, None), |(first, second)| (first, Some(second)));
        for at in file.word(first).filter(|at| is_crate_name(&file.parts.code, *at, first)) {
            let paths = paths_behind(&file.parts.code, at + first.len());
            if second.is_none_or(|second| paths.iter().any(|path| path.first().is_some_and(|name| name == second))) {
                faults.push(file.at(at, &format!("`{}` must not use `{name}`", rules.name)));
            }
        }
    }
    for word in rules.words {
        faults.extend(file.word(word).map(|at| file.at(at, &format!("`{}` must not use `{word}`", rules.name))));
    }
    faults
}

/// Whether the word names a crate here: it begins a path, or is imported as a whole.
fn is_crate_name(code: &str, at: usize, word: &str) -> bool {
    let (before, after) = (code[..at].trim_end(), code[at + word.len()..].trim_start());
    let begins_path = before.strip_suffix("::").is_none_or(|owner| !owner.ends_with(|c: char| is_name(c) || c == '>'));
    let is_imported = before.ends_with("use") || before.ends_with("extern crate");
    begins_path && !before.ends_with('.') && (after.starts_with("::") || is_imported)
}

/// The paths that go on at `at` with `::`, the groups of a `use` taken apart.
fn paths_behind(code: &str, at: usize) -> Vec<Vec<String>> {
    let Some(rest) = code[at..].trim_start().strip_prefix("::") else { return Vec::new() };
    let rest = rest.trim_start();
    if rest.starts_with('{') {
        let inside = &rest[1..behind_closing(rest, 0) - 1];
        return split_group(inside).into_iter().flat_map(|entry| paths_behind(&format!("::{entry}"), 0)).collect();
    }
    let name: String = rest.chars().take_while(|c| is_name(*c)).collect();
    if name.is_empty() {
        return Vec::new();
    }
    let tails = paths_behind(rest, name.len());
    if tails.is_empty() {
        return vec![vec![name]];
    }
    tails.into_iter().map(|tail| [vec![name.clone()], tail].concat()).collect()
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The entries between the braces of a `use` group.
fn split_group(inside: &str) -> Vec<&str> {
    let (mut entries, mut start, mut depth) = (Vec::new(), 0, 0);
    for (at, c) in inside.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                entries.push(inside[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    entries.push(inside[start..].trim());
    entries
}

fn sql_outside_the_store(file: &File<'_>) -> Vec<String> {
    if module_path(file.path)[0] == "store" {
        return Vec::new();
    }
    let literals = file.parts.literals.iter().filter(|literal| is_sql(&literal.text));
    literals.map(|literal| file.at(literal.at, "SQL belongs below src/store")).collect()
}

fn is_sql(text: &str) -> bool {
    let text = text.trim_start();
    let starts = |words: &[&str]| words.iter().any(|word| text.starts_with(word));
    starts(&[
        "INSERT INTO ",
        "DELETE FROM ",
        "CREATE TABLE ",
        "ALTER TABLE ",
        "PRAGMA ",
        "insert into ",
        "delete from ",
    ]) || (starts(&["SELECT ", "select ", "WITH ", "with "]) && (text.contains(" FROM ") || text.contains(" from ")))
        || (starts(&["UPDATE ", "update "]) && (text.contains(" SET ") || text.contains(" set ")))
        || ["SELECT ", "INSERT ", "DELETE FROM "].iter().any(|word| text.contains(word))
}

/// SQL that is put together at run time: by a formatting macro or by appending.
fn assembled_sql(file: &File<'_>) -> Vec<String> {
    if module_path(file.path)[0] != "store" {
        return Vec::new();
    }
    let code = &file.parts.code;
    let macros = ["format", "format_args", "write", "writeln"].iter().flat_map(|name| {
        file.word(name).filter(|at| code[at + name.len()..].starts_with('!')).map(|at| (at, at + name.len() + 1))
    });
    let appends = ["push_str", "replace", "replacen"]
        .iter()
        .flat_map(|name| file.word(name).map(|at| (at, at + name.len())))
        .filter(|(_, open)| code[*open..].starts_with('('));
    let mut faults = Vec::new();
    for (at, open) in macros.chain(appends) {
        let span = open..behind_closing(code, open);
        if file.parts.literals.iter().any(|literal| span.contains(&literal.at) && is_sql_fragment(&literal.text)) {
            faults.push(file.at(at, "SQL text must be a constant, with parameters for values"));
        }
    }
    faults
}

fn is_sql_fragment(text: &str) -> bool {
    let words = ["SELECT", "INSERT", "UPDATE", "DELETE", "FROM", "WHERE", "VALUES", "JOIN", "LIMIT", "RETURNING"];
    text.split(|c: char| !c.is_alphanumeric()).any(|word| words.contains(&word)) || text.contains("ORDER BY")
}

/// Branches on the kind of database outside the store and the one place that opens it. The configuration judges the form of
/// the URL, and no more.
fn engine_choices(file: &File<'_>) -> Vec<String> {
    let allowed = ["src/cli/serve.rs", "src/config/values.rs"];
    if module_path(file.path)[0] == "store" || allowed.contains(&file.path) {
        return Vec::new();
    }
    let mut faults = Vec::new();
    let mut offset = 0;
    for line in file.parts.code.split_inclusive('\n') {
        let span = offset..offset + line.len();
        let literals = file.parts.literals.iter().filter(|literal| span.contains(&literal.at));
        let words = literals.map(|literal| literal.text.as_str()).chain([line]).collect::<String>().to_lowercase();
        let branches = ["if ", "match ", "matches!", "=>", "==", "!="].iter().any(|word| line.contains(word));
        if branches && (words.contains("sqlite") || words.contains("postgres")) {
            faults.push(file.at(offset, "the database engine is chosen in cli/serve.rs and told apart in store only"));
        }
        offset = span.end;
    }
    faults
}

#[test]
fn seeded_violations_are_caught() {
    let cases = [
        ("upward import", "src/proto/soap.rs", "use crate::domain::Device;", Some("must not know `crate::domain")),
        ("inside a group", "src/domain/user.rs", "use crate::{proto::soap, app::enroll};", Some("`crate::app")),
        ("across lines", "src/pki/csr.rs", "use crate::{\n    proto,\n    session,\n};", Some("`crate::session`")),
        ("in an expression", "src/session.rs", "fn a() { crate::store::open() }", Some("`crate::store")),
        ("by super", "src/proto/soap/fault.rs", "use super::super::super::http::router;", Some("`crate::http")),
        ("by super from the top", "src/pki.rs", "use super::domain::Device;", Some("`crate::domain")),
        ("behind the ports", "src/store/devices.rs", "use crate::app::enroll::Enroll;", Some("`crate::app::enroll")),
        ("all of app", "src/adapters/system.rs", "use crate::app;", Some("`crate::app`")),
        ("the simulator", "src/http/router.rs", "use crate::sim::Device;", Some("`crate::sim")),
        ("downward import", "src/app/enroll.rs", "use crate::{pki::csr, session};", None),
        ("own module", "src/proto/soap/fault.rs", "use super::super::xml; use crate::proto::wap;", None),
        ("the ports", "src/store/devices.rs", "use crate::app::ports::{Store, Write};", None),
        ("in a comment", "src/proto/soap.rs", "//! Not for [`crate::http`].\n", None),
        ("in a unit test", "src/sim/client.rs", "#[cfg(test)]\nmod tests { use crate::pki::Ca; }", None),
        ("behind a unit test", "src/sim/client.rs", "#[cfg(test)]\nuse a::b;\nuse crate::pki::Ca;", Some("crate::pki")),
        ("runtime", "src/session/engine.rs", "use tokio::sync::Mutex;", Some("must not use `tokio`")),
        ("whole crate", "src/proto/xml.rs", "use tracing as log;", Some("must not use `tracing`")),
        ("in a path", "src/domain/device.rs", "fn a() { b(::axum::serve()) }", Some("must not use `axum`")),
        ("clock", "src/pki/profile.rs", "use std::time::{Duration, SystemTime};", Some("must not use `SystemTime`")),
        ("clock by alias", "src/domain.rs", "use std::time as t; fn a() { t::Instant::now(); }", Some("`Instant`")),
        ("chance", "src/domain/id.rs", "fn a() { Uuid::now_v7(); }", Some("must not use `now_v7`")),
        ("file", "src/proto/csp.rs", "use std::{fmt, fs};", Some("must not use `std::fs`")),
        ("async", "src/session/engine.rs", "pub async fn step() {}", Some("must not use `async`")),
        ("database in a use-case", "src/app/lock.rs", "use rusqlite::params;", Some("must not use `rusqlite`")),
        ("duration", "src/pki/profile.rs", "use std::time::Duration;", None),
        ("a name like a crate", "src/proto/xml.rs", "fn a(tokio: u8) { b.hyper(); c::axum; }", None),
        (
            "SQL in a use-case",
            "src/app/lock.rs",
            "const A: &str = \"SELECT id FROM devices\";",
            Some("below src/store"),
        ),
        ("raw SQL", "src/http/api.rs", "f(r#\"UPDATE devices SET name = $1\"#);", Some("below src/store")),
        ("small SQL", "src/cli/user.rs", "f(\"delete from users\");", Some("below src/store")),
        ("an HTTP method", "src/http/api.rs", "let a = [\"DELETE\", \"PUT\"]; f(\"select a user\")", None),
        ("constant SQL", "src/store/devices.rs", "const A: &str = \"SELECT id FROM devices\";", None),
        ("formatted SQL", "src/store/devices.rs", "q(&format!(\"SELECT {c} FROM d\"));", Some("must be a constant")),
        ("formatted, two lines", "src/store/a.rs", "format!(\n  \"{a}{b} WHERE x\"\n)", Some("must be a constant")),
        ("appended SQL", "src/store/a.rs", "sql.push_str(\" WHERE id = 1\");", Some("must be a constant")),
        ("formatted message", "src/store/a.rs", "format!(\"migration {n} does not match\")", None),
        ("engine by name", "src/app/a.rs", "if url.starts_with(\"postgres:\") {}", Some("cli/serve.rs")),
        ("engine by variant", "src/cli/backup.rs", "match e { Engine::Sqlite => a(), _ => b() }", Some("cli/serve.rs")),
        ("engine in its place", "src/cli/serve.rs", "if url.starts_with(\"postgres:\") {}", None),
    ];
    for (name, path, text, expected) in cases {
        let source = Source { path: path.to_owned(), text: text.to_owned() };
        let file = File::new(&source);
        let checks = [imports, foreign_crates, sql_outside_the_store, assembled_sql, engine_choices];
        let faults: Vec<String> = checks.iter().flat_map(|check| check(&file)).collect();
        match expected {
            Some(fault) => assert!(faults.iter().any(|found| found.contains(fault)), "{name}: {faults:?}"),
            None => assert!(faults.is_empty(), "{name}: {faults:?}"),
        }
    }
}

#[test]
fn modules_for_tests_are_recognised() {
    let text = "#[cfg(test)]\npub(crate) mod fixtures;\nmod fault;\n#[cfg(test)]\nmod tests { mod inner; }\n\
        #[cfg(test)]\nuse a::mod_b;\n";
    let source = Source { path: "src/proto/soap.rs".to_owned(), text: text.to_owned() };
    assert_eq!(modules_for_tests(&source), ["src/proto/soap/fixtures"]);
    assert!(belongs_to("src/proto/soap/fixtures.rs", "src/proto/soap/fixtures"));
    assert!(!belongs_to("src/proto/soap/fixtures_b.rs", "src/proto/soap/fixtures"));
}

#[test]
fn code_comments_and_literals_are_told_apart() {
    let text =
        "let a = \"x // y\"; // c \"d\"\nlet b = r#\"q\"#; /* e /* f */ */ let c: &'a str = '\\''; let d = 'ß';\n";
    let parts = scan(text);
    let literals: Vec<&str> = parts.literals.iter().map(|piece| piece.text.as_str()).collect();
    let comments: Vec<&str> = parts.comments.iter().map(|piece| piece.text.as_str()).collect();
    assert_eq!(literals, ["x // y", "q"]);
    assert_eq!(comments, ["// c \"d\"", "/* e /* f */ */"]);
    assert_eq!(parts.code.len(), text.len());
    let code: Vec<&str> = parts.code.split_whitespace().collect();
    assert_eq!(code.join(" "), "let a = ; let b = ; let c: &'a str = ; let d = ;");
}
