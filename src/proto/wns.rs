//! The Windows Push Notification Service on the wire: requests for tokens, notifications, and what is answered (management
//! reference 6.2).

use serde::Deserialize;
use url::form_urlencoded;

/// Media type of [`token_request`].
pub const FORM: &str = "application/x-www-form-urlencoded";
/// Media type of a notification.
pub const OCTETS: &str = "application/octet-stream";

/// What every notification carries. The client ignores it, but an empty one is refused; it says nothing of the device.
pub const BODY: &[u8] = b"muster";

/// Headers of a notification besides `Authorization` and `Content-Type`: raw, kept for a day while the device is away, and
/// what became of it is asked for.
pub const HEADERS: [(&str, &str); 4] = [
    ("X-WNS-Type", "wns/raw"),
    ("X-WNS-Cache-Policy", "cache"),
    ("X-WNS-TTL", "86400"),
    ("X-WNS-RequestForStatus", "true"),
];

/// The body of a request for an access token.
#[must_use]
pub fn token_request(client_id: &str, client_secret: &str) -> String {
    form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "client_credentials")
        .append_pair("client_id", client_id)
        .append_pair("client_secret", client_secret)
        .append_pair("scope", "notify.windows.com")
        .finish()
}

/// An access token as it was given out. It has no `Debug`: it is a secret.
#[derive(Deserialize)]
pub struct TokenGrant {
    /// The token.
    pub access_token: String,
    /// `bearer`, in any case.
    token_type: String,
    /// Seconds that it lives.
    #[serde(default = "a_day")]
    pub expires_in: u64,
}

/// Why the answer to a request for a token is none. Nothing of the answer is repeated but the words of the error code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefused {
    /// Another status than 200.
    #[error("the token server answered {status}{}", code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default())]
    Status {
        /// HTTP.
        status: u16,
        /// `error` of the answer, where it has one.
        code: Option<String>,
    },
    /// 200 without a token that could be used.
    #[error("the answer of the token server holds no bearer token")]
    NoToken,
}

impl TokenGrant {
    /// Reads an answer of the token server.
    ///
    /// # Errors
    /// [`TokenRefused`]
    pub fn read(status: u16, body: &[u8]) -> Result<Self, TokenRefused> {
        if status != 200 {
            let refusal = serde_json::from_slice::<Refusal>(body).ok();
            return Err(TokenRefused::Status { status, code: refusal.map(|refusal| printable(&refusal.error)) });
        }
        let grant: Self = serde_json::from_slice(body).map_err(|_| TokenRefused::NoToken)?;
        // It becomes part of a header.
        let fits = !grant.access_token.is_empty() && grant.access_token.bytes().all(|byte| byte.is_ascii_graphic());
        let is_bearer = grant.token_type.eq_ignore_ascii_case("bearer");
        if fits && is_bearer { Ok(grant) } else { Err(TokenRefused::NoToken) }
    }
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

fn a_day() -> u64 {
    86_400
}

/// What WNS said of a notification.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// HTTP.
    pub status: u16,
    /// `X-WNS-NotificationStatus`, lower case: `received`, `dropped`, `channelthrottled`.
    pub notification: Option<String>,
    /// `X-WNS-DeviceConnectionStatus`, lower case: `connected`, `disconnected`, `tempdisconnected`.
    pub connection: Option<String>,
    /// `X-WNS-Error-Description`.
    pub description: Option<String>,
    /// `X-WNS-Debug-Trace`.
    pub trace: Option<String>,
    /// `X-WNS-Msg-ID`.
    pub msg_id: Option<String>,
    /// `Retry-After` in seconds; a date counts as none.
    pub retry_after: Option<u64>,
}

impl Receipt {
    /// Reads status and headers of an answer.
    #[must_use]
    pub fn read(status: u16, headers: &[(String, String)]) -> Self {
        let header = |name: &str| {
            let found = headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| printable(value)).filter(|value| !value.is_empty())
        };
        let word = |name| header(name).map(|value| value.to_ascii_lowercase());
        Self {
            status,
            notification: word("X-WNS-NotificationStatus").or_else(|| word("X-WNS-Status")),
            connection: word("X-WNS-DeviceConnectionStatus"),
            description: header("X-WNS-Error-Description"),
            trace: header("X-WNS-Debug-Trace"),
            msg_id: header("X-WNS-Msg-ID"),
            retry_after: header("Retry-After").and_then(|value| value.parse().ok()),
        }
    }
}

/// Text of another server, cut and without control characters.
fn printable(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

/// Longest text that is taken from an answer, in characters.
const LONGEST: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_asked_for_as_a_form() {
        let body = token_request("ms-app://S-1-15-2-1", "a b&c=/+ü");
        assert_eq!(
            body,
            "grant_type=client_credentials&client_id=ms-app%3A%2F%2FS-1-15-2-1&client_secret=a+b%26c%3D%2F%2B%C3%BC\
             &scope=notify.windows.com"
        );
    }

    #[test]
    fn only_a_bearer_token_is_one() {
        let good = TokenGrant::read(200, br#"{"access_token":"EgAd","token_type":"Bearer","expires_in":3600,"x":1}"#);
        let good = good.ok().unwrap();
        assert_eq!((good.access_token.as_str(), good.expires_in), ("EgAd", 3600));
        let day = TokenGrant::read(200, br#"{"access_token":"EgAd","token_type":"bearer"}"#).ok().unwrap();
        assert_eq!(day.expires_in, 86_400);
        for (status, body, why) in [
            (200, r#"{"access_token":"EgAd","token_type":"mac","expires_in":1}"#, TokenRefused::NoToken),
            (200, r#"{"access_token":"a\r\nb","token_type":"bearer"}"#, TokenRefused::NoToken),
            (200, r#"{"access_token":"","token_type":"bearer"}"#, TokenRefused::NoToken),
            (200, "<html>", TokenRefused::NoToken),
            (302, "", TokenRefused::Status { status: 302, code: None }),
            (
                400,
                r#"{"error":"invalid_client\u0007","error_description":"geheim"}"#,
                TokenRefused::Status { status: 400, code: Some("invalid_client".to_owned()) },
            ),
        ] {
            assert_eq!(TokenGrant::read(status, body.as_bytes()).err().unwrap(), why, "{status} {body}");
        }
        let shown = TokenRefused::Status { status: 400, code: Some("invalid_client".to_owned()) }.to_string();
        assert_eq!(shown, "the token server answered 400 (invalid_client)");
    }

    #[test]
    fn headers_of_an_answer_are_read_without_case() {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let headers = [
            header("x-wns-notificationstatus", " Received "),
            header("X-WNS-DeviceConnectionStatus", "TempDisconnected"),
            header("X-WNS-ERROR-DESCRIPTION", &format!("a\u{7}{}", "b".repeat(300))),
            header("X-WNS-Debug-Trace", "DB3"),
            header("x-wns-msg-id", "4711"),
            header("Retry-After", "90"),
        ];
        let receipt = Receipt::read(200, &headers);
        assert_eq!(receipt.notification.as_deref(), Some("received"));
        assert_eq!(receipt.connection.as_deref(), Some("tempdisconnected"));
        assert_eq!(receipt.description.map(|text| text.len()), Some(200));
        assert_eq!((receipt.trace.as_deref(), receipt.msg_id.as_deref()), (Some("DB3"), Some("4711")));
        assert_eq!(receipt.retry_after, Some(90));
        let bare = Receipt::read(503, &[header("Retry-After", "Fri, 31 Dec 1999 23:59:59 GMT")]);
        assert_eq!(bare, Receipt { status: 503, ..Receipt::default() });
    }

    // covers: M-125
    #[test]
    fn the_body_is_short_and_the_same_for_all() {
        assert!(!BODY.is_empty() && BODY.len() < 64, "WNS takes 5000 bytes and refuses none");
        assert!(BODY.iter().all(u8::is_ascii_alphabetic));
    }
}
