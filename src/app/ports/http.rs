//! Requests that the server makes of others: WNS and its token server. Where they go is decided by the configuration, never
//! by what a device or a caller says.

use std::fmt;

use async_trait::async_trait;
use url::Url;

/// The way out. Over TLS only, no redirect is followed, and time and size of an answer are bounded.
#[async_trait]
pub trait HttpClient: Send + Sync {
    /// POSTs, and waits for the answer.
    async fn post(&self, request: HttpPost) -> Result<HttpAnswer, HttpError>;
}

/// A POST. Its `Debug` shows no more than the host: address, headers and body may hold secrets.
pub struct HttpPost {
    /// Where to; `https://`.
    pub url: Url,
    /// Headers.
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl fmt::Debug for HttpPost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpPost({}, {} bytes)", self.url.host_str().unwrap_or_default(), self.body.len())
    }
}

/// An answer.
#[derive(Clone, Default)]
pub struct HttpAnswer {
    /// Status.
    pub status: u16,
    /// Headers, as far as they are text; names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

/// Why there was no answer, without anything of the address but its host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// No connection, no TLS, or none that is trusted.
    #[error("{host} cannot be reached: {cause}")]
    Unreachable {
        /// The host.
        host: String,
        /// What went wrong.
        cause: String,
    },
    /// No whole answer in time.
    #[error("{host} did not answer in time")]
    TimedOut {
        /// The host.
        host: String,
    },
    /// An answer larger than any that is expected.
    #[error("the answer of {host} is too large")]
    TooLarge {
        /// The host.
        host: String,
    },
}
