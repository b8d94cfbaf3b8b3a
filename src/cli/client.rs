//! The client of the API: where the server is, whom to trust, and problems in words.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use reqwest::header::{CONTENT_TYPE, HeaderName};
use reqwest::{Certificate, Method, StatusCode, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use uuid::Uuid;

use super::Globals;
use crate::config::Config;

/// A server and the token to speak with it.
pub(super) struct Client {
    http: reqwest::Client,
    url: String,
    token: SecretString,
    /// Where the token came from, for complaints.
    token_source: String,
    /// How to start the server, where it is ours.
    start: Option<String>,
}

/// Longest time for a file.
const DOWNLOAD: Duration = Duration::from_secs(60 * 60);

/// What the server refused.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: String,
    message: String,
}

impl Client {
    /// Finds the server by the options and the environment; nothing is sent yet.
    pub(super) fn connect(globals: &Globals) -> Result<Self> {
        let target = Target::find(globals)?;
        let is_local = globals.server.is_none();
        let (token, token_source) = token(globals)?;
        let builder = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .https_only(true)
            .connect_timeout(Duration::from_secs(10))
            .timeout(Duration::from_secs(60))
            .user_agent(concat!("muster/", env!("CARGO_PKG_VERSION")));
        let builder = match &target.trust {
            Trust::Only(file) => builder.tls_certs_only(trusted(file)?),
            Trust::SystemAnd(file) => builder.tls_certs_merge(trusted(file)?),
            Trust::System => builder,
        };
        // What is on this machine is not reached through a proxy.
        let builder = if is_local { builder.no_proxy() } else { builder };
        Ok(Self {
            http: builder.build().context("the HTTPS client cannot be made")?,
            url: target.url,
            token,
            token_source,
            start: is_local.then(|| format!("muster serve --data {}", globals.data.display())),
        })
    }

    /// GET of a document.
    pub(super) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value> {
        self.send(Method::GET, path, query, None).await
    }

    /// Writes what a path answers as it comes; how many bytes.
    pub(super) async fn download(&self, path: &str, out: &mut (impl AsyncWrite + Unpin)) -> Result<u64> {
        let request = self.http.get(format!("{}/api/v1{path}", self.url)).bearer_auth(self.token.expose_secret());
        let response = request.timeout(DOWNLOAD).send().await.map_err(|error| self.unreachable(&error))?;
        if !response.status().is_success() {
            return self.read(response).await.map(|_| 0);
        }
        let (mut response, mut bytes) = (response, 0);
        while let Some(part) = response.chunk().await.context("the file did not arrive whole")? {
            out.write_all(&part).await?;
            bytes += part.len() as u64;
        }
        out.flush().await?;
        Ok(bytes)
    }

    /// POST; repeated once with the same `Idempotency-Key` where no answer came.
    pub(super) async fn post(&self, path: &str, query: &[(&str, &str)], body: &Value) -> Result<Value> {
        let body = Body { media_type: "application/json", bytes: serde_json::to_vec(body)? };
        self.send(Method::POST, path, query, Some(body)).await
    }

    /// POST of what takes its time; such a request is sent once.
    pub(super) async fn post_within(&self, patience: Duration, path: &str, body: &Value) -> Result<Value> {
        let request = self.http.post(format!("{}/api/v1{path}", self.url)).bearer_auth(self.token.expose_secret());
        let response = request.json(body).timeout(patience).send().await;
        self.read(response.map_err(|error| self.unreachable(&error))?).await
    }

    /// POST of SyncML commands.
    pub(super) async fn post_commands(&self, path: &str, query: &[(&str, &str)], xml: Vec<u8>) -> Result<Value> {
        let body = Body { media_type: crate::proto::syncml::MEDIA_TYPE, bytes: xml };
        self.send(Method::POST, path, query, Some(body)).await
    }

    /// POST of a zip archive.
    pub(super) async fn post_archive(&self, path: &str, query: &[(&str, &str)], archive: Vec<u8>) -> Result<Value> {
        let body = Body { media_type: "application/zip", bytes: archive };
        self.send(Method::POST, path, query, Some(body)).await
    }

    /// POST of a CSV file.
    pub(super) async fn post_csv(&self, path: &str, csv: Vec<u8>) -> Result<Value> {
        self.send(Method::POST, path, &[], Some(Body { media_type: "text/csv", bytes: csv })).await
    }

    /// PUT.
    pub(super) async fn put(&self, path: &str, body: &Value) -> Result<Value> {
        let body = Body { media_type: "application/json", bytes: serde_json::to_vec(body)? };
        self.send(Method::PUT, path, &[], Some(body)).await
    }

    /// PATCH.
    pub(super) async fn patch(&self, path: &str, body: &Value) -> Result<Value> {
        let body = Body { media_type: "application/json", bytes: serde_json::to_vec(body)? };
        self.send(Method::PATCH, path, &[], Some(body)).await
    }

    /// DELETE; null where the answer has no body.
    pub(super) async fn delete(&self, path: &str, query: &[(&str, &str)]) -> Result<Value> {
        self.send(Method::DELETE, path, query, None).await
    }

    /// At most `most` items of a list, and whether there are more.
    pub(super) async fn list(&self, path: &str, query: &[(&str, &str)], most: usize) -> Result<Found> {
        let mut found = Found { items: Vec::new(), is_whole: true };
        let mut cursor = None::<String>;
        loop {
            let limit = (most - found.items.len()).clamp(1, 500).to_string();
            let mut query = query.to_vec();
            query.push(("limit", &limit));
            query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let page = self.get(path, &query).await?;
            found.items.extend(page["items"].as_array().context("the server's answer is no list")?.iter().cloned());
            cursor = page["next_cursor"].as_str().map(str::to_owned);
            found.is_whole = cursor.is_none();
            if found.is_whole || found.items.len() >= most {
                return Ok(found);
            }
        }
    }

    async fn send(&self, method: Method, path: &str, query: &[(&str, &str)], body: Option<Body>) -> Result<Value> {
        let key = Uuid::new_v4().to_string();
        let mut tries = 0;
        loop {
            tries += 1;
            let mut request = self.http.request(method.clone(), format!("{}/api/v1{path}", self.url));
            request = request.query(query).bearer_auth(self.token.expose_secret());
            if method == Method::POST {
                request = request.header(HeaderName::from_static("idempotency-key"), &key);
            }
            if let Some(body) = &body {
                request = request.header(CONTENT_TYPE, body.media_type).body(body.bytes.clone());
            }
            match request.send().await {
                Ok(response) => return self.read(response).await,
                // Safe for POST because of the key.
                Err(error) if tries == 1 && !error.is_connect() && !error.is_builder() => {}
                Err(error) => return Err(self.unreachable(&error)),
            }
        }
    }

    async fn read(&self, response: reqwest::Response) -> Result<Value> {
        let status = response.status();
        let bytes = response.bytes().await.context("the server's answer did not arrive whole")?;
        if status.is_success() && bytes.is_empty() {
            return Ok(Value::Null);
        }
        let document: Value = match serde_json::from_slice(&bytes) {
            Ok(document) => document,
            Err(_) => {
                bail!("{} answered with status {} and no JSON; is it a Muster server?", self.url, status.as_u16())
            }
        };
        if status.is_success() { Ok(document) } else { Err(self.refusal(status, &document).into()) }
    }

    fn refusal(&self, status: StatusCode, problem: &Value) -> Refusal {
        let detail = problem["detail"].as_str().unwrap_or("the server gave no reason");
        let code = problem["code"].as_str().unwrap_or_default().to_owned();
        let message = match status {
            StatusCode::UNAUTHORIZED => {
                format!("the server does not accept the token ({}); it may be revoked or expired", self.token_source)
            }
            StatusCode::INTERNAL_SERVER_ERROR => {
                format!("{detail}: {}", problem["trace_id"].as_str().unwrap_or_default())
            }
            _ => detail.to_owned(),
        };
        Refusal { status, code, message }
    }

    fn unreachable(&self, error: &reqwest::Error) -> anyhow::Error {
        let cause = innermost(error);
        match &self.start {
            Some(start) if error.is_connect() => {
                anyhow!("cannot reach {}: {cause}; if the server is not running, start it: {start}", self.url)
            }
            _ => anyhow!("cannot reach {}: {cause}", self.url),
        }
    }
}

/// A part of a list.
pub(super) struct Found {
    pub(super) items: Vec<Value>,
    /// Whether nothing was left out.
    pub(super) is_whole: bool,
}

struct Body {
    media_type: &'static str,
    bytes: Vec<u8>,
}

/// Where a server is, and who vouches for it: all that a device has to know.
pub(super) struct Target {
    /// Without a slash at its end.
    pub(super) url: String,
    pub(super) trust: Trust,
}

/// Whose signature on a server certificate counts; files are PEM.
pub(super) enum Trust {
    Only(PathBuf),
    SystemAnd(PathBuf),
    System,
}

impl Target {
    /// Finds the server by the options and the environment.
    pub(super) fn find(globals: &Globals) -> Result<Self> {
        let local = Local { data: &globals.data };
        let url = match &globals.server {
            Some(server) => checked_url(server)?,
            None => local.url()?,
        };
        let trust = match (&globals.ca_file, &globals.server) {
            (Some(file), _) => Trust::Only(file.clone()),
            (None, None) if local.has_own_certificate() => Trust::SystemAnd(local.root()),
            (None, None) => Trust::Only(local.root()),
            (None, Some(_)) => Trust::System,
        };
        Ok(Self { url, trust })
    }
}

/// The installation in the data folder.
struct Local<'a> {
    data: &'a Path,
}

impl Local<'_> {
    /// The URL that the running server gives out, else the configured one.
    fn url(&self) -> Result<String> {
        let run = std::fs::read(self.data.join("run.json")).ok();
        let run: Option<Value> = run.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        if let Some(url) = run.as_ref().and_then(|run| run["url"].as_str()) {
            return checked_url(url);
        }
        let url = self.config()?.server.url;
        if url.port() == 0 {
            bail!("the server is not running; start it: muster serve --data {}", self.data.display());
        }
        Ok(url.to_string())
    }

    fn config(&self) -> Result<Config> {
        let path = self.data.join("muster.toml");
        let text = std::fs::read_to_string(&path).map_err(|error| {
            anyhow!(
                "there is no installation in {} ({error}); name one with --data, make one with muster init, or name a \
                 remote server with --server",
                self.data.display()
            )
        })?;
        Config::load(&text, std::env::vars()).with_context(|| path.display().to_string())
    }

    /// Whether the server shows a certificate that our root did not sign.
    fn has_own_certificate(&self) -> bool {
        let ours = Path::new("tls/server.pem");
        self.config().is_ok_and(|config| config.server.tls_certificate != ours)
    }

    fn root(&self) -> PathBuf {
        self.data.join("ca/root.pem")
    }
}

fn checked_url(text: &str) -> Result<String> {
    let url: url::Url = text.parse().with_context(|| format!("{text} is no URL"))?;
    if url.scheme() != "https" || url.host().is_none() {
        bail!("{text} is no https URL");
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// The token, and where it was found.
fn token(globals: &Globals) -> Result<(SecretString, String)> {
    if let Some(file) = &globals.token_file {
        return read_token(file);
    }
    match std::env::var("MUSTER_TOKEN") {
        Ok(token) if token.starts_with(crate::app::tokens::TOKEN_PREFIX) => {
            Ok((SecretString::from(token), "from MUSTER_TOKEN".to_owned()))
        }
        Ok(file) if !file.is_empty() => read_token(Path::new(&file)),
        _ if globals.server.is_some() => {
            bail!("say with which token to speak to that server: --token-file FILE, or MUSTER_TOKEN")
        }
        _ => read_token(&globals.data.join("admin.token")),
    }
}

fn read_token(file: &Path) -> Result<(SecretString, String)> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read the token in {}", file.display()))?;
    let token = text.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        bail!("{} holds no token", file.display());
    }
    Ok((SecretString::from(token), format!("from {}", file.display())))
}

/// The certificates of a file; of the root of an installation, with the root before it while the server certificate may
/// stand under that.
fn trusted(file: &Path) -> Result<Vec<Certificate>> {
    let mut roots = certificates(file)?;
    let previous = file.with_file_name("previous.pem");
    if file.ends_with("ca/root.pem") && previous.exists() {
        roots.extend(certificates(&previous)?);
    }
    Ok(roots)
}

fn certificates(file: &Path) -> Result<Vec<Certificate>> {
    let pem = std::fs::read(file).with_context(|| format!("cannot read the CA certificate in {}", file.display()))?;
    let certificates = Certificate::from_pem_bundle(&pem).with_context(|| format!("{} is no PEM", file.display()))?;
    if certificates.is_empty() {
        bail!("{} holds no certificate", file.display());
    }
    Ok(certificates)
}

fn innermost(error: &reqwest::Error) -> String {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    causes.last().map(ToString::to_string).unwrap_or_default()
}
