//! HTTPS to others, by reqwest over rustls.

use std::error::Error as _;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, redirect};

use crate::app::ports::{HttpAnswer, HttpClient, HttpError, HttpPost};

/// The client of this process. It goes through the proxy that the environment names (`HTTPS_PROXY`), if it names one.
pub struct Outgoing {
    client: reqwest::Client,
}

impl Outgoing {
    /// A client that trusts the authorities of the system, and those of a PEM file where one is named.
    ///
    /// # Errors
    /// A sentence, when the file cannot be used.
    pub fn new(ca_file: Option<&Path>) -> Result<Self, String> {
        // Fails where somebody has done so before.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let builder = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .https_only(true)
            .referer(false)
            .connect_timeout(CONNECT_WITHIN)
            .timeout(ANSWER_WITHIN)
            .pool_max_idle_per_host(MOST_IDLE)
            .user_agent(concat!("muster/", env!("CARGO_PKG_VERSION")));
        let builder = match ca_file {
            Some(file) => builder.tls_certs_merge(certificates(file)?),
            None => builder,
        };
        Ok(Self { client: builder.build().map_err(|error| format!("no HTTPS client can be made: {error}"))? })
    }
}

/// No client: nothing is configured that would need one.
pub struct Closed;

#[async_trait]
impl HttpClient for Closed {
    async fn post(&self, request: HttpPost) -> Result<HttpAnswer, HttpError> {
        let host = request.url.host_str().unwrap_or_default().to_owned();
        Err(HttpError::Unreachable { host, cause: "this server makes no requests".to_owned() })
    }
}

fn certificates(file: &Path) -> Result<Vec<Certificate>, String> {
    let odd = |what: &str| format!("{}: {what}", file.display());
    let pem = std::fs::read(file).map_err(|error| odd(&error.to_string()))?;
    let certificates = Certificate::from_pem_bundle(&pem).map_err(|_| odd("it holds no certificates in PEM form"))?;
    if certificates.is_empty() { Err(odd("it holds no certificates in PEM form")) } else { Ok(certificates) }
}

#[async_trait]
impl HttpClient for Outgoing {
    async fn post(&self, request: HttpPost) -> Result<HttpAnswer, HttpError> {
        let host = request.url.host_str().unwrap_or_default().to_owned();
        let failed = |error: reqwest::Error| failure(&host, &error);
        let mut headers = HeaderMap::new();
        for (name, value) in request.headers {
            let mut value = HeaderValue::try_from(value).map_err(|_| unsendable(&host))?;
            value.set_sensitive(name.eq_ignore_ascii_case("authorization"));
            headers.insert(HeaderName::try_from(name).map_err(|_| unsendable(&host))?, value);
        }
        let sent = self.client.post(request.url).headers(headers).body(request.body).send().await;
        let mut response = sent.map_err(failed)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                return Err(HttpError::TooLarge { host });
            }
            body.extend_from_slice(&chunk);
        }
        let text = |(name, value): (&HeaderName, &HeaderValue)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        };
        let headers = response.headers().iter().filter_map(text).collect();
        Ok(HttpAnswer { status: response.status().as_u16(), headers, body })
    }
}

/// What went wrong, without the address: it may be a secret.
fn failure(host: &str, error: &reqwest::Error) -> HttpError {
    let host = host.to_owned();
    if error.is_timeout() {
        return HttpError::TimedOut { host };
    }
    let mut source = error.source();
    let mut cause = "the connection failed".to_owned();
    while let Some(inner) = source {
        cause = inner.to_string();
        source = inner.source();
    }
    HttpError::Unreachable { host, cause }
}

fn unsendable(host: &str) -> HttpError {
    HttpError::Unreachable { host: host.to_owned(), cause: "a header cannot be sent".to_owned() }
}

/// Time for a connection with its TLS.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Time for the whole.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Connections that are kept open to one host.
const MOST_IDLE: usize = 16;
/// Largest answer, in bytes: a token has two thousand, and a notification is answered by headers.
const LARGEST_ANSWER: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        assert!(Outgoing::new(Some(&file)).err().unwrap().contains("ca.pem"), "it is not there");
        for text in ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            std::fs::write(&file, text).unwrap();
            assert!(Outgoing::new(Some(&file)).is_err(), "{text:?}");
        }
    }
}
