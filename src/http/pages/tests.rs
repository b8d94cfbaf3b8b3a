use std::collections::BTreeMap;

use super::go::{Go, Guide};
use super::*;

/// The messages of a language with the values that each takes.
fn messages(language: Language) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    for line in messages::source(language).lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        let (id, text) = line.split_once(" = ").unwrap_or_else(|| panic!("{}: {line}", language.tag()));
        let mut values: Vec<String> =
            text.split("{ $").skip(1).map(|rest| rest.split(" }").next().unwrap().to_owned()).collect();
        values.sort();
        assert!(found.insert(id.to_owned(), values).is_none(), "{id} stands twice");
        assert!(Messages::of(language).has(id), "{}: {id} cannot be read", language.tag());
    }
    found
}

#[test]
fn every_language_says_the_same() {
    let english = messages(Language::English);
    assert!(english.len() > 20);
    assert_eq!(english, messages(Language::French));
}

/// Names of messages in templates, those that are put together with a kind of Windows taken apart.
fn named(template: &str) -> Vec<String> {
    let mut ids = Vec::new();
    for part in template.split("frame.t(").skip(1).chain(template.split("frame.with(").skip(1)) {
        if let Some(rest) = part.strip_prefix('"') {
            ids.push(rest.split('"').next().unwrap().to_owned());
        } else if let Some(rest) = part.strip_prefix("format!(\"{kind}") {
            let end = rest.split('"').next().unwrap();
            ids.extend(["windows10", "windows11", "hololens2"].map(|kind| format!("{kind}{end}")));
        }
    }
    ids
}

#[test]
fn templates_name_messages_that_are_there_and_all_of_them() {
    let known = messages(Language::English);
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/pages/templates");
    let mut used = std::collections::BTreeSet::from(["windows10", "windows11", "hololens2"].map(str::to_owned));
    // Titles and texts of notices are chosen in the handlers.
    for source in [include_str!("invitation.rs"), include_str!("stale.rs")] {
        let quoted = source
            .split('"')
            .skip(1)
            .step_by(2)
            .filter(|text| text.starts_with("invitation-") || text.starts_with("stale-"));
        for id in quoted {
            assert!(known.contains_key(id), "there is no message {id}");
            used.insert(id.to_owned());
        }
    }
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        for id in named(&std::fs::read_to_string(&path).unwrap()) {
            assert!(known.contains_key(&id), "{}: there is no message {id}", path.display());
            used.insert(id);
        }
    }
    let unused: Vec<&String> = known.keys().filter(|id| !used.contains(*id)).collect();
    assert!(unused.is_empty(), "{unused:?}");
}

fn frame(language: Language, organization: &str) -> Frame {
    Frame {
        language,
        messages: Messages::of(language),
        organization: organization.to_owned(),
        contact: "Help desk <help@example.test>".to_owned(),
        path: "/go".to_owned(),
    }
}

fn go(language: Language, organization: &str) -> String {
    let server = "https://mdm.example.test/EnrollmentServer/Discovery.svc".to_owned();
    Go { frame: frame(language, organization), guide: Guide::new(server, "https://mdm.example.test/go", None) }
        .render()
        .unwrap()
}

#[test]
fn names_cannot_become_markup() {
    let page = go(Language::English, "<script>alert(1)</script> & 'Co'");
    assert!(!page.contains("<script"), "{page}");
    assert!(page.contains("Help desk &#60;help@example.test&#62;"), "{page}");
}

#[test]
fn a_page_is_a_document_that_another_parser_reads() {
    for language in Language::ALL {
        let page = go(language, "Fabrikam");
        let mut body = page.trim_start_matches("<!doctype html>").replace("<meta charset=\"utf-8\">", "");
        for (open, closed) in [("initial-scale=1\">", "initial-scale=1\"/>"), ("light dark\">", "light dark\"/>")] {
            body = body.replace(open, closed);
        }
        // Of HTML, XML knows no raw text.
        let style = body.find("<style>").unwrap()..body.find("</style>").unwrap();
        body.replace_range(style, "<style>");
        let document = roxmltree::Document::parse(body.trim()).unwrap();
        let named = |name: &str| document.descendants().filter(|n| n.has_tag_name(name)).count();
        assert_eq!(document.root_element().attribute("lang"), Some(language.tag()));
        assert_eq!((named("h1"), named("main"), named("ol"), named("script"), named("link")), (1, 1, 3, 0, 0));
        let ids: Vec<_> = document.descendants().filter_map(|n| n.attribute("id")).collect();
        for node in document.descendants() {
            let names = ["aria-labelledby"].iter().filter_map(|name| node.attribute(*name));
            let anchors = node.attribute("href").and_then(|href| href.strip_prefix('#'));
            for id in names.chain(anchors) {
                assert!(ids.contains(&id), "nothing is called {id}");
            }
            let outside = node.attribute("src").or_else(|| node.attribute("href")).filter(|to| to.starts_with("http"));
            assert_eq!(outside, None, "nothing leads elsewhere");
        }
    }
}

#[test]
fn the_policy_allows_the_stylesheet_and_nothing_else() {
    assert!(POLICY.starts_with("default-src 'none'; style-src 'sha256-"), "{}", *POLICY);
    assert!(!POLICY.contains("unsafe"));
    // What a page holds is what the hash is of: nothing is escaped in it.
    assert!(go(Language::English, "Fabrikam").contains(&format!("<style>{STYLE}</style>")));
    assert!(!STYLE.contains("url(") && !STYLE.contains("@import") && !STYLE.contains('<'), "{STYLE}");
}
