//! Which test shows which promise: renders `docs/conformance.md` and `docs/invariants.md`, and fails when they are not
//! what the sources say.
//!
//! The promises are listed in `docs/conformance-items.toml` and `docs/invariants-items.toml`. A test claims some of them
//! with a comment `covers: E-01, M-02` directly above it or inside it. To write the two pages anew:
//! `UPDATE_DOCS=1 cargo test --test conformance`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use sources::{Piece, Source, behind_closing, is_word, line_of, rust_sources, scan};

#[path = "support/sources.rs"]
mod sources;

#[test]
fn markers_name_known_items_and_stand_at_tests() {
    let coverage = Coverage::read(&rust_sources(&["src", "tests"]));
    let mut faults = coverage.faults.clone();
    let pages = [Page::load(&CONFORMANCE), Page::load(&INVARIANTS)];
    let known: Vec<&str> = pages.iter().flat_map(Page::items).map(|item| item.id.as_str()).collect();
    let distinct: BTreeSet<&str> = known.iter().copied().collect();
    if distinct.len() < known.len() {
        faults.push("an id is listed twice in the item lists".to_owned());
    }
    for (id, tests) in &coverage.tests {
        if !distinct.contains(id.as_str()) {
            faults.push(format!("{id}, named at {}, is in no item list", join(tests)));
        }
    }
    assert!(faults.is_empty(), "{} wrong marker(s):\n  {}", faults.len(), faults.join("\n  "));
}

#[test]
fn every_conformance_item_is_tested_or_owed() {
    Page::load(&CONFORMANCE).demand_tests();
}

#[test]
fn every_invariant_is_tested_or_owed() {
    Page::load(&INVARIANTS).demand_tests();
}

#[test]
fn the_conformance_page_is_current() {
    Page::load(&CONFORMANCE).compare();
}

#[test]
fn the_invariants_page_is_current() {
    Page::load(&INVARIANTS).compare();
}

#[test]
fn markers_are_found_above_and_inside_tests_only() {
    let cases = [
        ("above", "// covers: E-01\n#[test]\nfn a() {}", Ok("E-01 t.rs::a")),
        ("between attributes", "#[test]\n// covers: E-01\n#[cfg(unix)]\nfn a() {}", Ok("E-01 t.rs::a")),
        ("inside", "#[test]\nfn a() { { } // covers: E-01\n}", Ok("E-01 t.rs::a")),
        ("async", "// covers: M-02\n#[tokio::test(flavor = \"multi_thread\")]\nasync fn b() {}", Ok("M-02 t.rs::b")),
        ("two ids", "// covers: E-01, M-02\n#[test]\nfn a() {}", Ok("E-01 t.rs::a; M-02 t.rs::a")),
        ("two tests", "#[test]\nfn a() {}\n// covers: E-01\n#[test]\nfn b() {}", Ok("E-01 t.rs::b")),
        ("in a string", "#[test]\nfn a() { let s = \"\n// covers: E-01\n\"; }", Ok("")),
        ("at a helper", "// covers: E-01\nfn helper() {}\n#[test]\nfn a() {}", Err("belongs to no test")),
        ("behind all tests", "#[test]\nfn a() {}\n// covers: E-01\n", Err("belongs to no test")),
        ("ignored test", "// covers: E-01\n#[test]\n#[ignore]\nfn a() {}", Err("is ignored")),
        ("no id", "// covers: everything\n#[test]\nfn a() {}", Err("is no item id")),
    ];
    for (name, text, expected) in cases {
        let coverage = Coverage::read(&[Source { path: "t.rs".to_owned(), text: text.to_owned() }]);
        let found: Vec<String> = coverage.tests.iter().map(|(id, tests)| format!("{id} {}", join(tests))).collect();
        match expected {
            Ok(tests) => assert_eq!((found.join("; ").as_str(), coverage.faults.len()), (tests, 0), "{name}"),
            Err(fault) => assert!(coverage.faults.join("\n").contains(fault), "{name}: {:?}", coverage.faults),
        }
    }
}

#[test]
fn a_page_tells_tested_owed_and_missing_items_apart() {
    let list =
        "[[section]]\nname = \"Part\"\nitems = [{ id = \"E-01\", title = \"One\" }, { id = \"E-02\", title = \"Two\" },
        { id = \"E-03\", title = \"Three\", owed = \"push\" }, { id = \"E-04\", title = \"Four\", rest = \"push\" }]";
    let text = "// covers: E-01, E-04\n#[test]\nfn a() {}";
    let coverage = Coverage::read(&[Source { path: "t.rs".to_owned(), text: text.to_owned() }]);
    let page = Page { document: &CONFORMANCE, list: toml::from_str(list).expect("the list reads"), coverage };
    let rows: Vec<String> = page.items().map(|item| page.evidence(item)).collect();
    assert_eq!(rows, ["`t.rs::a`", "**no test**", "owed by: push", "`t.rs::a`; the rest is owed by: push"]);
    assert_eq!(page.missing().iter().map(|item| item.id.as_str()).collect::<Vec<_>>(), ["E-02"]);
}

const CONFORMANCE: Document = Document {
    list: "docs/conformance-items.toml",
    page: "docs/conformance.md",
    head: "# Conformance\n\n\
        What a Windows MDM server has to do on the wire, and the tests that show that Muster does it. *E* items concern\n\
        enrollment (MS-MDE2 with its profiles of MS-XCEP and MS-WSTEP), *M* items management (MS-MDM and OMA DM 1.2.1).\n",
};

const INVARIANTS: Document = Document {
    list: "docs/invariants-items.toml",
    page: "docs/invariants.md",
    head: "# Invariants\n\n\
        What must hold whatever a device, a user, an administrator or the hardware does, and the tests that try to break\n\
        it. *S* items concern security, *R* items what may never be lost, doubled or sent to the wrong device.\n",
};

/// One generated page and the list it is made from.
struct Document {
    list: &'static str,
    page: &'static str,
    head: &'static str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    section: Vec<Section>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    name: String,
    items: Vec<Item>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    id: String,
    title: String,
    /// The later part of the product that this item waits for.
    owed: Option<String>,
    /// The later part that completes an item which must have a test now.
    rest: Option<String>,
}

struct Page {
    document: &'static Document,
    list: List,
    coverage: Coverage,
}

impl Page {
    fn load(document: &'static Document) -> Self {
        let text = fs::read_to_string(project(document.list)).expect("the item list is part of the project");
        let list = toml::from_str(&text).expect("the item list has the form that its head describes");
        Self { document, list, coverage: Coverage::read(&rust_sources(&["src", "tests"])) }
    }

    fn items(&self) -> impl Iterator<Item = &Item> {
        self.list.section.iter().flat_map(|section| &section.items)
    }

    /// Items that must have a test and have none.
    fn missing(&self) -> Vec<&Item> {
        self.items().filter(|item| item.owed.is_none() && !self.coverage.tests.contains_key(&item.id)).collect()
    }

    fn demand_tests(&self) {
        let missing: Vec<String> = self.missing().iter().map(|item| format!("{} {}", item.id, item.title)).collect();
        assert!(
            missing.is_empty(),
            "{} of {} items of {} have no test and are not owed by a later part:\n  {}\n\
             Put `// covers: ID` above the test that shows the behaviour, or write that test.",
            missing.len(),
            self.items().count(),
            self.document.list,
            missing.join("\n  ")
        );
    }

    fn compare(&self) {
        let (path, fresh) = (project(self.document.page), self.render());
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::write(&path, fresh).expect("the page can be written");
            return;
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        let differing = fresh.lines().zip(committed.lines()).find(|(fresh, committed)| fresh != committed);
        assert!(
            fresh == committed,
            "{} is not what the tests say; first difference: {differing:#?}\n\
             Write it anew with `UPDATE_DOCS=1 cargo test --test conformance` and commit it.",
            self.document.page
        );
    }

    fn render(&self) -> String {
        let (all, missing) = (self.items().count(), self.missing().len());
        let owed = self.items().filter(|item| item.owed.is_some()).count();
        let mut page = format!(
            "<!-- Made by tests/conformance.rs from {} and the tests' markers. Do not edit. -->\n\n{}\n\
             {all} items: {} shown by tests, {owed} owed by later parts of the product, {missing} without a test.\n",
            self.document.list,
            self.document.head,
            all - owed - missing
        );
        for section in &self.list.section {
            let _ = write!(page, "\n## {}\n\n| item | behaviour | tests |\n|---|---|---|\n", section.name);
            for item in &section.items {
                let _ = writeln!(page, "| {} | {} | {} |", item.id, item.title, self.evidence(item));
            }
        }
        page
    }

    fn evidence(&self, item: &Item) -> String {
        let tests = self.coverage.tests.get(&item.id).map(|tests| format!("`{}`", join(tests).replace(", ", "`, `")));
        match (tests, item.owed.as_ref().or(item.rest.as_ref())) {
            (Some(tests), Some(later)) => format!("{tests}; the rest is owed by: {later}"),
            (Some(tests), None) => tests,
            (None, Some(later)) if item.owed.is_some() => format!("owed by: {later}"),
            (None, _) => "**no test**".to_owned(),
        }
    }
}

/// Which tests claim which items, and claims that make no sense.
struct Coverage {
    tests: BTreeMap<String, BTreeSet<String>>,
    faults: Vec<String>,
}

impl Coverage {
    fn read(sources: &[Source]) -> Self {
        let mut coverage = Self { tests: BTreeMap::new(), faults: Vec::new() };
        for source in sources {
            coverage.read_file(source);
        }
        coverage
    }

    fn read_file(&mut self, source: &Source) {
        let parts = scan(&source.text);
        let tests = tests_in(&parts.code);
        for comment in &parts.comments {
            let Some(ids) = comment.text.strip_prefix("// covers:") else { continue };
            let place = format!("{}:{}", source.path, line_of(&source.text, comment.at));
            match test_at(&tests, &parts.code, comment) {
                None => self.faults.push(format!("the marker at {place} belongs to no test")),
                Some(test) if test.is_ignored => {
                    self.faults.push(format!("the test at {place} is ignored and shows nothing"));
                }
                Some(test) => self.claim(ids, &place, &format!("{}::{}", source.path, test.name)),
            }
        }
    }

    fn claim(&mut self, ids: &str, place: &str, test: &str) {
        for id in ids.split(',').map(str::trim) {
            if is_item_id(id) {
                self.tests.entry(id.to_owned()).or_default().insert(test.to_owned());
            } else {
                self.faults.push(format!("{id:?} at {place} is no item id"));
            }
        }
    }
}

struct TestFn {
    name: String,
    /// Offset of its test attribute.
    start: usize,
    /// Offset behind its body.
    end: usize,
    is_ignored: bool,
}

fn tests_in(code: &str) -> Vec<TestFn> {
    let attributes = code.match_indices("#[").filter(|(at, _)| {
        let path = code[at + 2..].split(['(', ']']).next().unwrap_or_default().trim();
        path == "test" || path.ends_with("::test")
    });
    attributes.filter_map(|(at, _)| test_fn(code, at)).collect()
}

fn test_fn(code: &str, start: usize) -> Option<TestFn> {
    let name_at = start + code[start..].find("fn ")? + 3;
    let name: String = code[name_at..].bytes().take_while(|byte| is_word(*byte)).map(char::from).collect();
    let end = behind_closing(code, name_at + code[name_at..].find('{')?);
    Some(TestFn { name, start, end, is_ignored: code[start..name_at].contains("#[ignore") })
}

/// The test around the marker, else the one that follows with nothing but attributes between.
fn test_at<'a>(tests: &'a [TestFn], code: &str, marker: &Piece) -> Option<&'a TestFn> {
    let around = tests.iter().find(|test| (test.start..test.end).contains(&marker.at));
    around.or_else(|| {
        let next = tests.iter().find(|test| test.start > marker.at)?;
        let between = code[marker.at..next.start].trim();
        (between.is_empty() || between.starts_with("#[") && between.ends_with(']')).then_some(next)
    })
}

fn is_item_id(id: &str) -> bool {
    id.split_once('-').is_some_and(|(letter, number)| {
        ["E", "M", "S", "R"].contains(&letter) && number.len() >= 2 && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn join(tests: &BTreeSet<String>) -> String {
    tests.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
