//! `GET /selftest`: what stops a PC on its way to this server, for people who help others to enroll; with the codes that
//! Windows shows.
//!
//! What is shown says no more than what anybody finds out from outside: no names and addresses that DNS or a server gave as
//! an answer, no causes. Whoever looks after the server has `muster doctor` for these.

use askama::Template;
use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::http::header::{LOCATION, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use url::{Url, form_urlencoded};

use super::messages::typeset;
use super::{Frame, answer_with_form};
use crate::app::App;
use crate::app::self_test::{NotTested, Start, Tested};
use crate::doctor::{Problem, Step, Verdict};
use crate::domain::hresult;
use crate::domain::language::Language;
use crate::http::Shared;
use crate::http::error::Problem as NoPage;
use crate::http::peer::Peer;

#[derive(Template)]
#[template(path = "selftest.html")]
pub(super) struct Page {
    pub(super) frame: Frame,
    /// The message why no domain may be named, where none may.
    pub(super) without_domains: Option<&'static str>,
    /// What was typed.
    pub(super) typed: String,
    /// Messages: why nothing was tested, in short and at length.
    pub(super) refused: Option<(&'static str, &'static str)>,
    pub(super) result: Option<Shown>,
    pub(super) codes: Vec<Code>,
}

/// A result.
pub(super) struct Shown {
    /// The host at which a PC begins.
    host: String,
    /// When it was found.
    at: String,
    /// What a PC stops at.
    first: Option<Line>,
    /// What stops a PC unless somebody has installed the CA certificate on it.
    private_root: Option<Line>,
    steps: Vec<Line>,
    /// What to ask `muster doctor` for.
    target: String,
}

/// What was found at one place.
#[derive(Clone)]
pub(super) struct Line {
    /// The class of the mark.
    mark: &'static str,
    /// The message of the mark.
    word: &'static str,
    stage: String,
    text: String,
    /// Empty where there is nothing to do.
    fix: String,
    /// The code that Windows shows for it.
    code: Option<String>,
    is_first: bool,
}

/// A code that Windows shows.
pub(super) struct Code {
    code: String,
    cause: String,
    fix: String,
}

pub(in crate::http) async fn page(
    State(shared): State<Shared>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    mut frame: Frame,
) -> Response {
    let app = &shared.app;
    if !app.settings.self_test {
        return NoPage::no_route().into_response();
    }
    let query = query.unwrap_or_default();
    let typed = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "for").map(|(_, typed)| typed);
    let Some(typed) = typed else {
        return show(StatusCode::OK, Page::empty(app, frame));
    };
    let start = match app.self_test_start(&typed, shared.proxies.client_address(&peer, &headers)) {
        Ok(start) => start,
        Err(refused) => return refuse(Page::empty(app, frame), &typed, refused),
    };
    if typed != start.typed() {
        // So that an address of mail stays neither in the history of the browser nor in a link.
        return see_other(&frame, &start);
    }
    frame.query = format!("&for={}", encoded(start.typed()));
    match app.self_test(&start).await {
        Ok(tested) => {
            let result = Some(Shown::new(&frame, &tested));
            show(StatusCode::OK, Page { result, typed: typed.into_owned(), ..Page::empty(app, frame) })
        }
        Err(refused) => refuse(Page::empty(app, frame), &typed, refused),
    }
}

impl Page {
    fn empty(app: &App, frame: Frame) -> Self {
        let codes = Code::all(frame.language);
        let without_domains = match (app.settings.require_generation, app.settings.domains.is_empty()) {
            (true, _) => Some("selftest-by-address-only"),
            (false, true) => Some("selftest-no-domains"),
            (false, false) => None,
        };
        Self { frame, without_domains, typed: String::new(), refused: None, result: None, codes }
    }
}

fn show(status: StatusCode, page: Page) -> Response {
    answer_with_form(status, page.frame.language, &page)
}

fn refuse(page: Page, typed: &str, refused: NotTested) -> Response {
    let (status, words, wait) = match refused {
        NotTested::Off => return NoPage::no_route().into_response(),
        NotTested::NotServed => (StatusCode::BAD_REQUEST, ("selftest-not-served", "selftest-not-served-help"), None),
        NotTested::ByAddressOnly => {
            (StatusCode::BAD_REQUEST, ("selftest-by-address", "selftest-by-address-only"), None)
        }
        NotTested::TooMany { seconds } => {
            (StatusCode::TOO_MANY_REQUESTS, ("selftest-too-many", "selftest-too-many-help"), Some(seconds))
        }
        NotTested::Busy => (StatusCode::SERVICE_UNAVAILABLE, ("selftest-busy", "selftest-busy-help"), Some(10)),
        NotTested::Unable => (StatusCode::SERVICE_UNAVAILABLE, ("selftest-unable", "selftest-unable-help"), None),
    };
    let typed = typed.chars().take(LONGEST_TYPED).collect();
    let mut response = show(status, Page { refused: Some(words), typed, ..page });
    if let Some(seconds) = wait {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn see_other(frame: &Frame, start: &Start) -> Response {
    let place = format!("{}?lang={}&for={}", frame.path, frame.lang(), encoded(start.typed()));
    (StatusCode::SEE_OTHER, [(LOCATION, place)]).into_response()
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

impl Shown {
    pub(super) fn new(frame: &Frame, tested: &Tested) -> Self {
        let mut steps: Vec<Line> = tested.report.steps.iter().map(|step| Line::new(frame, tested, step)).collect();
        let first = tested.report.steps.iter().position(|step| matches!(step.verdict, Verdict::Fault(_)));
        let first = first.and_then(|first| steps.get_mut(first)).map(|line| {
            line.is_first = true;
            line.clone()
        });
        let private_root = tested.report.steps.iter().position(Step::needs_private_root);
        let private_root = private_root.and_then(|step| steps.get(step)).cloned();
        let (host, target) = (tested.host.clone(), tested.target.clone());
        Self { host, at: frame.language.moment(tested.at), first, private_root, steps, target }
    }
}

impl Line {
    fn new(frame: &Frame, tested: &Tested, step: &Step) -> Self {
        let (mark, word) = match step.verdict {
            Verdict::Good(_) => ("good", "selftest-ok"),
            Verdict::Warning(_) => ("attention", "selftest-look"),
            Verdict::Fault(_) => ("broken", "selftest-wrong"),
            Verdict::Skipped(_) => ("waiting", "selftest-skipped"),
        };
        let stage = step.stage.as_str();
        let host = host(frame, tested, &step.subject);
        let line = |text: String, fix: String, code: Option<u32>| Self {
            mark,
            word,
            stage: frame.t(format!("selftest-{stage}")),
            text,
            fix,
            code: code.map(|code| format!("0x{code:08X}")),
            is_first: false,
        };
        let Some(problem) = step.verdict.problem() else {
            return line(frame.with(&format!("selftest-{stage}-good"), "host", &host), String::new(), None);
        };
        let (text, fix) = told(frame, &host, problem);
        line(text, fix, problem.hresult())
    }
}

/// The host of a step, as long as it is one that a PC begins at or this server's own.
fn host(frame: &Frame, tested: &Tested, subject: &str) -> String {
    let url = Url::parse(subject).ok().filter(Url::has_host).or_else(|| Url::parse(&format!("https://{subject}")).ok());
    let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
    let port = url.as_ref().and_then(Url::port_or_known_default);
    let known = [&tested.host, &tested.own_host].into_iter().find(|known| known.as_str() == host);
    // A name alone is that of the device host where it is nobody else's.
    let is_device = |(name, at): &&(String, u16)| name == host && (Some(*at) == port || known.is_none());
    match (tested.device.as_ref().filter(is_device), known) {
        (Some((name, _)), _) => frame.with("selftest-device-host", "host", name),
        (None, Some(known)) => known.clone(),
        (None, None) => frame.t("selftest-another"),
    }
}

/// What a problem means, and how to mend it, for the help desk.
fn told(frame: &Frame, host: &str, problem: &Problem) -> (String, String) {
    if let Problem::Fault { hresult, .. } = problem
        && let Some(known) = hresult::explain(*hresult)
    {
        let advice = known.advice(frame.language);
        return (typeset(frame.language, &advice.cause), typeset(frame.language, &advice.fix));
    }
    let mut values = vec![("host", host.to_owned())];
    match problem {
        Problem::ForeignService { service, .. } => values.push(("service", (*service).to_owned())),
        Problem::Expired { on, .. } | Problem::ExpiresSoon { on, .. } | Problem::NotYetValid { from: on, .. } => {
            values.push(("on", frame.language.moment(*on)));
        }
        Problem::WrongPath { status, .. } | Problem::HttpStatus { status, .. } => {
            values.push(("status", status.to_string()));
        }
        Problem::ShortKey { bits } => values.push(("bits", bits.to_string())),
        Problem::TooSlow { seconds } => values.push(("seconds", seconds.to_string())),
        _ => {}
    }
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let code = problem.code();
    let text = |id: String| frame.messages.text(&id, &values);
    (text(format!("selftest-{code}")), text(format!("selftest-{code}-fix")))
}

impl Code {
    fn all(language: Language) -> Vec<Self> {
        let known = hresult::all().filter_map(|code| Some((code, hresult::explain(code)?)));
        known
            .map(|(code, known)| {
                let advice = known.advice(language);
                Self {
                    code: format!("0x{code:08X}"),
                    cause: typeset(language, &advice.cause),
                    fix: typeset(language, &advice.fix),
                }
            })
            .collect()
    }
}

/// What is written back of what was typed.
const LONGEST_TYPED: usize = 254;
