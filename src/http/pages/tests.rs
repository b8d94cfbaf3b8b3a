use std::collections::BTreeMap;

use super::go::{Go, Guide, Rules};
use super::*;
use crate::app::self_test::Tested;
use crate::doctor::{Problem, Report, Stage, Verdict};
use crate::domain::sign_in::SignInWith;

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
    // Titles and texts of notices, and what is said of passwords, are chosen in the handlers.
    for source in [
        include_str!("invitation.rs"),
        include_str!("nowhere.rs"),
        include_str!("password.rs"),
        include_str!("stale.rs"),
        include_str!("self_test.rs"),
        include_str!("go.rs"),
    ] {
        let quoted = source
            .split('"')
            .skip(1)
            .step_by(2)
            .filter(|text| {
                ["invitation-", "nowhere", "password-", "stale-", "selftest-", "step-", "trouble-"]
                    .iter()
                    .any(|start| text.starts_with(start))
            })
            .filter(|text| !text.contains('{'));
        for id in quoted {
            assert!(known.contains_key(id), "there is no message {id}");
            used.insert(id.to_owned());
        }
    }
    used.extend(composed());
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

/// Messages whose names are put together of a stage of the doctor or a code of its problems.
fn composed() -> impl Iterator<Item = String> {
    let stages = Stage::ALL.map(Stage::as_str).into_iter();
    let stages = stages.flat_map(|stage| [format!("selftest-{stage}"), format!("selftest-{stage}-good")]);
    let source = include_str!("../../doctor/problem.rs").split("fn code(").nth(1).unwrap().split("fn ").next().unwrap();
    let codes: Vec<&str> = source.split('"').skip(1).step_by(2).collect();
    assert!(codes.len() > 30, "{codes:?}");
    let codes = codes.into_iter().flat_map(|code| [format!("selftest-{code}"), format!("selftest-{code}-fix")]);
    stages.chain(codes)
}

#[test]
fn every_problem_has_its_words_and_tells_nothing_of_the_inside() {
    let known = messages(Language::English);
    for id in composed() {
        let values = known.get(&id).unwrap_or_else(|| panic!("there is no message {id}"));
        let public = ["host", "service", "on", "status", "bits", "seconds"];
        assert!(values.iter().all(|value| public.contains(&value.as_str())), "{id}: {values:?}");
    }
    let at = time::macros::datetime!(2026-12-01 12:00 UTC);
    let secret = || "10.1.2.3 corp-dc7.internal".to_owned();
    let problems = [
        Problem::NoSuchName { name: secret() },
        Problem::DanglingAlias { name: secret(), alias: secret() },
        Problem::ForeignService { name: secret(), alias: secret(), service: "Microsoft Intune" },
        Problem::LeadsElsewhere { name: secret(), to: secret(), expected: secret() },
        Problem::NameServer { name: secret(), cause: secret() },
        Problem::Unreachable { authority: secret(), cause: secret() },
        Problem::Handshake { authority: secret(), cause: secret() },
        Problem::NameMismatch { host: secret(), names: vec![secret()] },
        Problem::Expired { subject: secret(), on: at, now: at },
        Problem::NotYetValid { subject: secret(), from: at, now: at },
        Problem::IncompleteChain { last: secret(), issuer: secret() },
        Problem::PrivateRoot { root: secret() },
        Problem::ExpiresSoon { subject: secret(), on: at },
        Problem::Untrusted { cause: secret() },
        Problem::NoAnswer { url: secret(), cause: secret() },
        Problem::Redirected { url: secret(), to: secret() },
        Problem::WrongPath { url: secret(), status: 404 },
        Problem::HttpStatus { url: secret(), status: 502 },
        Problem::NotSoap { url: secret(), cause: secret() },
        Problem::Fault { url: secret(), hresult: 0x8018_0015, reason: secret(), reference: Some(secret()) },
        Problem::Fault { url: secret(), hresult: 1, reason: secret(), reference: None },
        Problem::ServiceAddress { service: "policy", address: secret() },
        Problem::ServicesApart { policy: secret(), enrollment: secret() },
        Problem::ForeignPolicy { policy: secret() },
        Problem::ShortKey { bits: 1024 },
        Problem::ClockApart { ahead_seconds: 7200 },
        Problem::OtherServer { authority: secret() },
        Problem::TooSlow { seconds: 25 },
    ];
    for language in Language::ALL {
        let mut report = Report::default();
        for problem in &problems {
            report.add(Stage::Connect, "https://corp-dc7.internal/x", Verdict::Fault(problem.clone()));
            report.add(Stage::Tls, "mdm.example.test:443", Verdict::Warning(problem.clone()));
        }
        Stage::ALL.iter().for_each(|stage| report.add(*stage, "mdm.example.test", Verdict::Good(secret())));
        let page = self_tested(language, report);
        for part in ["10.1.2.3", "corp-dc7", "{", "selftest-"] {
            let body = page.split("</style>").nth(1).unwrap();
            let at = body.find(part).map(|at| &body[at.saturating_sub(80)..]);
            assert!(at.is_none(), "{part}: {}", at.unwrap());
        }
        assert!(page.contains("mdm.example.test") && page.contains("Microsoft Intune"), "{page}");
    }
}

fn self_tested(language: Language, report: Report) -> String {
    let host = "mdm.example.test".to_owned();
    let at = time::macros::datetime!(2026-12-01 12:00 UTC);
    let tested = Tested {
        at,
        host: host.clone(),
        own_host: host.clone(),
        device: Some((host.clone(), 8443)),
        target: host,
        report,
    };
    let frame = frame(language, "Fabrikam");
    let result = Some(self_test::Shown::new(&frame, &tested));
    self_test::Page { frame, result, ..empty(language) }.render().unwrap()
}

fn empty(language: Language) -> self_test::Page {
    let frame = frame(language, "Fabrikam");
    self_test::Page {
        frame,
        without_domains: None,
        typed: String::new(),
        refused: None,
        result: None,
        codes: Vec::new(),
    }
}

fn frame(language: Language, organization: &str) -> Frame {
    Frame {
        language,
        messages: Messages::of(language),
        organization: organization.to_owned(),
        contact: "Help desk <help@example.test>".to_owned(),
        path: "/go".to_owned(),
        query: String::new(),
        has_self_test: true,
    }
}

#[test]
fn french_punctuation_stays_with_its_word() {
    let page = go(Language::French, "Fabrikam");
    let body = page.split("</style>").nth(1).unwrap();
    for apart in ["« ", " »", " :", " ?", " ;"] {
        assert!(!body.contains(apart), "{apart}");
    }
    assert!(body.contains("«\u{a0}Terminer\u{a0}»"));
    assert_eq!(messages::typeset(Language::English, "it's « so »"), "it's « so »");
}

fn go(language: Language, organization: &str) -> String {
    go_with(language, organization, SignInWith::PasswordOrPin)
}

fn go_with(language: Language, organization: &str, sign_in: SignInWith) -> String {
    go_under(language, organization, sign_in, Rules::default())
}

fn go_under(language: Language, organization: &str, sign_in: SignInWith, rules: Rules) -> String {
    let server = "https://mdm.example.test/EnrollmentServer/Discovery.svc".to_owned();
    let guide = Guide::new(server, "https://mdm.example.test/go", None, sign_in, rules);
    Go { frame: frame(language, organization), guide }.render().unwrap()
}

#[test]
fn the_steps_say_what_to_type_where_windows_asks_for_a_password() {
    let says = |sign_in, part: &str| go_with(Language::English, "Fabrikam", sign_in).contains(part);
    assert!(says(SignInWith::PasswordOrPin, "With your password, or with the PIN"));
    assert!(says(SignInWith::Password, "With your password.") && !says(SignInWith::Password, "PIN"));
    assert!(says(SignInWith::Pin, "With the PIN of your invitation.") && !says(SignInWith::Pin, "your password"));
    let both = "type your password and right behind it, without a space, the PIN";
    assert!(says(SignInWith::PasswordAndPin, both) && !says(SignInWith::PasswordAndPin, "or with the PIN"));
    assert!(!says(SignInWith::PasswordOrPin, both));
}

#[test]
fn the_steps_say_what_the_rules_change() {
    let says = |rules, part: &str| go_under(Language::English, "Fabrikam", SignInWith::default(), rules).contains(part);
    let none = Rules::default();
    for (name, rules, parts) in [
        (
            "approval",
            Rules { awaits_approval: true, ..none },
            ["once an administrator has approved", "approved the device"],
        ),
        (
            "networks",
            Rules { has_networks: true, ..none },
            ["Enroll where your organization allows it", "its networks"],
        ),
        ("private", Rules { is_private: true, ..none }, ["/pki/ca.cer", "Trusted Root Certification Authorities"]),
        ("passwords", Rules { has_passwords: true, ..none }, ["/password?lang=en", "choose a new password"]),
    ] {
        for part in parts {
            assert!(says(rules, part) && !says(none, part), "{name}: {part}");
        }
    }
    assert!(says(none, "settings arrive within a few minutes"));
    assert!(!says(Rules { awaits_approval: true, ..none }, "settings arrive within a few minutes"));
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
        assert_eq!(lists_and_fields(language, &go(language, "Fabrikam")), (3, 0));
        assert_eq!(lists_and_fields(language, &self_tested(language, Report::default())), (1, 2));
        let refused = self_test::Page {
            refused: Some(("selftest-not-served", "selftest-not-served-help")),
            typed: "\"><script>".to_owned(),
            ..empty(language)
        };
        assert_eq!(lists_and_fields(language, &refused.render().unwrap()), (0, 2));
        let choosing = |refused| {
            let mut page = password::Page::new(frame(language, "Fabrikam"));
            page.refused = refused;
            page
        };
        assert_eq!(lists_and_fields(language, &choosing(None).render().unwrap()), (0, 4));
        for field in ["", "present", "new", "again"] {
            let page = choosing(Some((field, "password-same", "password-same-help"))).render().unwrap();
            assert_eq!(lists_and_fields(language, &page), (0, 4));
            assert_eq!(page.matches("aria-invalid").count(), usize::from(!field.is_empty()), "{field}");
        }
        let without_domains = self_test::Page { without_domains: Some("selftest-no-domains"), ..empty(language) };
        assert_eq!(lists_and_fields(language, &without_domains.render().unwrap()), (0, 2));
    }
}

/// Reads a page and looks at what holds for every one; its numbered lists and its fields are counted.
#[track_caller]
fn lists_and_fields(language: Language, page: &str) -> (usize, usize) {
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
    assert_eq!((named("h1"), named("main"), named("script"), named("link")), (1, 1, 0, 0));
    let ids: Vec<_> = document.descendants().filter_map(|n| n.attribute("id")).collect();
    for node in document.descendants() {
        let named = ["aria-labelledby", "aria-describedby", "for"].iter().filter_map(|name| node.attribute(*name));
        let anchors = node.attribute("href").and_then(|href| href.strip_prefix('#'));
        for id in named.flat_map(str::split_whitespace).chain(anchors) {
            assert!(ids.contains(&id), "nothing is called {id}");
        }
        let is_field = node.has_tag_name("input") && node.attribute("type") != Some("hidden");
        let label = |id: &str| document.descendants().any(|n| n.attribute("for") == Some(id));
        assert!(!is_field || node.attribute("id").is_some_and(label), "a field has no label");
        let outside = node.attribute("src").or_else(|| node.attribute("href")).filter(|to| to.starts_with("http"));
        assert_eq!(outside, None, "nothing leads elsewhere");
    }
    (named("ol"), named("input"))
}

#[test]
fn the_policy_allows_the_stylesheet_and_nothing_else() {
    assert!(POLICY.starts_with("default-src 'none'; style-src 'sha256-"), "{}", *POLICY);
    assert!(!POLICY.contains("unsafe"));
    // What a page holds is what the hash is of: nothing is escaped in it.
    assert!(go(Language::English, "Fabrikam").contains(&format!("<style>{STYLE}</style>")));
    assert!(!STYLE.contains("url(") && !STYLE.contains("@import") && !STYLE.contains('<'), "{STYLE}");
}
