//! One spelling for each path. Devices are allowed one exception: the letter case of the discovery path.

use axum::extract::Request;
use axum::http::Uri;
use axum::http::uri::PathAndQuery;

/// Where discovery begins (MS-MDE2 3.1.1).
pub(super) const DISCOVERY: &str = "/EnrollmentServer/Discovery.svc";

/// The same where the address has a generation.
pub(super) const DISCOVERY_OF_GENERATION: &str = "/EnrollmentServer/{generation}/Discovery.svc";

/// Whether the path is written in the one way in which routes are: no escapes, no parameters, no empty or dotted
/// segments, no slash at the end.
pub(super) fn is_canonical(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.' | b'~');
    let mut segments = path.split('/').skip(1);
    path == "/"
        || (path.starts_with('/') && path.bytes().all(plain) && segments.all(|part| !matches!(part, "" | "." | "..")))
}

/// Gives the discovery path its spelling: it is found through DNS and typed by people (enrollment reference 1.4).
pub(super) fn discovery(mut request: Request) -> Request {
    let path = request.uri().path();
    if let Some(spelled) = spelled(path).filter(|spelled| spelled != path) {
        let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
        let mut parts = request.uri().clone().into_parts();
        parts.path_and_query = format!("{spelled}{query}").parse::<PathAndQuery>().ok();
        if let Ok(renamed) = Uri::from_parts(parts) {
            *request.uri_mut() = renamed;
        }
    }
    request
}

/// The discovery path that is meant, if one is. Generations are lower case.
fn spelled(path: &str) -> Option<String> {
    if path.eq_ignore_ascii_case(DISCOVERY) {
        return Some(DISCOVERY.to_owned());
    }
    let segments: Vec<&str> = path.split('/').collect();
    match segments.as_slice() {
        ["", first, generation, last]
            if first.eq_ignore_ascii_case("EnrollmentServer") && last.eq_ignore_ascii_case("Discovery.svc") =>
        {
            Some(format!("/EnrollmentServer/{}/Discovery.svc", generation.to_ascii_lowercase()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: S-09
    #[test]
    fn only_one_spelling_is_canonical() {
        for path in ["/", "/api/v1/users", "/EnrollmentServer/Discovery.svc", "/api/v1/devices/019a~_-.b"] {
            assert!(is_canonical(path), "{path}");
        }
        let odd = [
            "",
            "*",
            "//",
            "//api/v1/users",
            "/api//v1",
            "/api/v1/users/",
            "/api/./v1",
            "/api/../api/v1",
            "/api/%761",
            "/api/v1/users;x=y",
            "/api\\v1",
            "/api/v1/users%2f",
            "/.",
            "/..",
            "/api/v1/users%00",
            "/api/v1/us ers",
        ];
        for path in odd {
            assert!(!is_canonical(path), "{path}");
        }
    }

    // covers: E-02
    #[test]
    fn discovery_is_found_in_any_case() {
        let renamed = |uri: &str| {
            let request = Request::builder().uri(uri).body(axum::body::Body::empty()).unwrap();
            discovery(request).uri().to_string()
        };
        assert_eq!(renamed("/enrollmentserver/DISCOVERY.svc?x=1"), "/EnrollmentServer/Discovery.svc?x=1");
        let over_http2 = renamed("https://mdm.example.test/enrollmentserver/discovery.SVC");
        assert_eq!(over_http2, "https://mdm.example.test/EnrollmentServer/Discovery.svc");
        assert_eq!(renamed("/API/v1/users"), "/API/v1/users");
    }
}
