//! An HTTP answer as Windows takes it (enrollment reference 1.4, 2.2, 2.3).

use url::Url;

use super::{Problem, Verdict};
use crate::proto::soap::envelope::{Envelope, Rejected};
use crate::proto::soap::fault::{Fault, ReceivedFault, Subcode};
use crate::proto::xml::Limits;

/// An answer that came whole.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What was asked.
    pub url: String,
    /// HTTP status.
    pub status: u16,
    /// Names in lower case, with their values.
    pub headers: Vec<(String, String)>,
    /// The content.
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn is_redirect(&self) -> bool {
        matches!(self.status, 301 | 302 | 303 | 307 | 308)
    }

    /// Where a redirect leads, as written and as an https address, if it is one.
    fn redirect(&self) -> (String, Option<Url>) {
        let to = self.header("location").unwrap_or_default();
        let target = Url::parse(&self.url).ok().and_then(|base| base.join(to).ok());
        (printable(to), target.filter(|url| url.scheme() == "https" && !to.is_empty()))
    }
}

/// What a message is answered with when all is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The response.
    Response,
    /// A fault that says that no credential was sent; any other one would stop a PC as well.
    FaultWithoutCredential,
}

/// Judges the answer to the GET that asks whether somebody is there; the second is where it leads instead.
#[must_use]
pub fn judge_probe(answer: &Answer) -> (Verdict, Option<Url>) {
    let url = answer.url.clone();
    if answer.is_redirect() {
        let (to, target) = answer.redirect();
        return match target {
            Some(target) => (Verdict::Warning(Problem::Redirected { url, to }), Some(target)),
            None => (Verdict::Fault(Problem::InsecureRedirect { url, to }), None),
        };
    }
    let verdict = match status(answer) {
        Some(problem) => Verdict::Fault(problem),
        None => Verdict::Good("answers".to_owned()),
    };
    (verdict, None)
}

/// Judges the answer to a SOAP message, and reads it as far as it can be read.
#[must_use]
pub fn judge_answer(answer: &Answer, expected: Expected) -> (Vec<Verdict>, Option<Envelope>) {
    let url = || answer.url.clone();
    let fault = |problem| (vec![Verdict::Fault(problem)], None);
    if answer.is_redirect() {
        let (to, target) = answer.redirect();
        return fault(match target {
            Some(_) => Problem::MessageRedirected { url: url(), to },
            None => Problem::InsecureRedirect { url: url(), to },
        });
    }
    let read = Envelope::decode(&answer.body, &Limits::default());
    let soap_fault = read.as_ref().ok().and_then(Fault::decode);
    if soap_fault.is_none()
        && let Some(problem) = status(answer)
    {
        return fault(problem);
    }
    let mut verdicts: Vec<Verdict> = framing(answer).into_iter().map(Verdict::Fault).collect();
    let media_type = answer.header("content-type").unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/soap+xml") {
        verdicts.push(Verdict::Fault(Problem::MediaType { url: url(), found: printable(essence) }));
    }
    if let Some(soap_fault) = soap_fault {
        if expected == Expected::Response || !misses_credential(&soap_fault) {
            let reason = printable(&soap_fault.reason);
            let reference = soap_fault.trace_id.as_deref().map(printable);
            let hresult = soap_fault.hresult();
            verdicts.push(Verdict::Fault(Problem::Fault { url: url(), hresult, reason, reference }));
        }
        return (verdicts, None);
    }
    match read {
        Ok(envelope) => (verdicts, Some(envelope)),
        // That it is something else was said already.
        Err(_) if !verdicts.is_empty() => (verdicts, None),
        Err(_) if answer.body.is_empty() => fault(Problem::Empty { url: url() }),
        Err(Rejected { reason, .. }) => fault(Problem::NotSoap { url: url(), cause: reason.to_string() }),
    }
}

/// Whether nothing else is wrong than that nobody signed in.
fn misses_credential(fault: &ReceivedFault) -> bool {
    fault.error_type.is_none() && matches!(fault.subcode, Some(Subcode::InvalidSecurity | Subcode::Authentication))
}

fn status(answer: &Answer) -> Option<Problem> {
    (answer.status != 200).then(|| named(answer))
}

fn named(answer: &Answer) -> Problem {
    let (url, status) = (answer.url.clone(), answer.status);
    match status {
        404 | 405 | 410 => Problem::WrongPath { url, status },
        _ => Problem::HttpStatus { url, status },
    }
}

/// One complete message with `Content-Length`, not compressed.
fn framing(answer: &Answer) -> Vec<Problem> {
    let url = || answer.url.clone();
    let mut problems = Vec::new();
    if answer.header("transfer-encoding").is_some() {
        problems.push(Problem::Chunked { url: url() });
    } else if answer.header("content-length").is_none() {
        problems.push(Problem::NoLength { url: url() });
    }
    if let Some(encoding) = answer.header("content-encoding").filter(|value| !value.eq_ignore_ascii_case("identity")) {
        problems.push(Problem::Encoded { url: url(), encoding: printable(encoding) });
    }
    problems
}

/// A stranger's text, short and without control characters.
fn printable(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let url = "https://mdm.fabrikam.test/EnrollmentServer/Discovery.svc".to_owned();
        Answer { url, status, headers, body: body.as_bytes().to_vec() }
    }

    fn codes(verdicts: &[Verdict]) -> Vec<&'static str> {
        verdicts.iter().filter_map(Verdict::problem).map(Problem::code).collect()
    }

    #[test]
    fn redirects_of_the_probe_are_followed_to_https_only() {
        let cases = [
            ("https://b.test/x", "http_redirected", Some("https://b.test/x")),
            ("/elsewhere", "http_redirected", Some("https://mdm.fabrikam.test/elsewhere")),
            ("http://mdm.fabrikam.test/", "http_insecure_redirect", None),
            ("", "http_insecure_redirect", None),
        ];
        for (to, code, target) in cases {
            let (verdict, next) = judge_probe(&answer(302, &[("location", to)], ""));
            assert_eq!(codes(&[verdict]), [code], "{to}");
            assert_eq!(next.as_ref().map(Url::as_str), target, "{to}");
        }
        assert_eq!(codes(&[judge_probe(&answer(404, &[], "")).0]), ["http_wrong_path"]);
        assert_eq!(codes(&[judge_probe(&answer(503, &[], "")).0]), ["http_status"]);
        assert!(codes(&[judge_probe(&answer(200, &[], "")).0]).is_empty());
    }

    #[test]
    fn every_flaw_of_an_answer_is_named() {
        let soap = ("content-type", "application/soap+xml; charset=utf-8");
        let length = ("content-length", "1");
        let cases: [(Answer, &[&str]); 8] = [
            (answer(200, &[soap, ("transfer-encoding", "chunked")], "<"), &["http_chunked"]),
            (answer(200, &[soap], "<"), &["http_no_length"]),
            (answer(200, &[soap, length, ("content-encoding", "gzip")], "<"), &["http_encoded"]),
            (answer(200, &[("content-type", "text/html"), length], "<p>"), &["http_media_type"]),
            (answer(200, &[soap, length], ""), &["http_empty"]),
            (answer(200, &[soap, length], "<a/>"), &["soap_unreadable"]),
            (answer(404, &[], "not here"), &["http_wrong_path"]),
            (answer(307, &[("location", "https://b.test/")], ""), &["http_message_redirected"]),
        ];
        for (answer, expected) in cases {
            assert_eq!(codes(&judge_answer(&answer, Expected::Response).0), expected, "{answer:?}");
        }
    }
    #[test]
    fn without_a_credential_only_the_fault_that_asks_for_one_is_good() {
        let soap = [("content-type", "application/soap+xml"), ("content-length", "1")];
        let fault = |subcode: &str| {
            format!(
                "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" \
                 xmlns:a=\"http://www.w3.org/2005/08/addressing\"><s:Header><a:Action>x</a:Action></s:Header><s:Body>\
                 <s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>{subcode}</s:Value></s:Subcode>\
                 </s:Code><s:Reason><s:Text>no</s:Text></s:Reason></s:Fault></s:Body></s:Envelope>"
            )
        };
        let cases: [(&str, &[&str]); 5] = [
            ("a:InvalidSecurity", &[]),
            ("s:Authentication", &[]),
            ("s:Authorization", &["soap_fault"]),
            ("s:EnrollmentServer", &["soap_fault"]),
            ("a:Unheard", &["soap_fault"]),
        ];
        for (subcode, expected) in cases {
            let answer = answer(500, &soap, &fault(subcode));
            assert_eq!(codes(&judge_answer(&answer, Expected::FaultWithoutCredential).0), expected, "{subcode}");
            assert_eq!(codes(&judge_answer(&answer, Expected::Response).0), ["soap_fault"], "{subcode}");
        }
        for status in [401, 407, 429, 500] {
            let answer = answer(status, &[("content-type", "text/html")], "<p>Sign in</p>");
            let found = codes(&judge_answer(&answer, Expected::FaultWithoutCredential).0);
            assert_eq!(found, ["http_status"], "{status}");
        }
    }
}
