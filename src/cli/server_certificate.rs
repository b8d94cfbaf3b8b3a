//! The server certificate while the server runs: the one that we made is made anew in time, the operator's own is read again
//! when its files change.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration as StdDuration;

use anyhow::{Context, Result};
use time::{Duration, OffsetDateTime};
use tokio::sync::watch;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::adapters::ca_files::{DataFolder, TLS_KEY, TLS_PEM, TlsFiles};
use crate::adapters::sealer::Sealer;
use crate::adapters::system::SystemRng;
use crate::app::ports::{Clock, ServerTrust};
use crate::config::Config;
use crate::http::listener::tls::ServerCertificate;
use crate::pki::profile::Serial;
use crate::pki::{create, validity};

/// Share of its life after which a certificate of ours is made anew.
const RENEW_AFTER: f64 = 2.0 / 3.0;
/// Time between two looks at the age of the certificate.
const JUDGED_EVERY: Duration = Duration::HOUR;
/// How long after a look that failed there is another.
const AGAIN_AFTER: Duration = Duration::MINUTE;

/// The root under which the server certificate stands, as far as it is known here.
pub(super) struct ServedRoot {
    folder: DataFolder,
    config: Config,
}

impl ServedRoot {
    /// Of the certificate that the configuration names.
    pub(super) fn new(folder: DataFolder, config: Config) -> Self {
        Self { folder, config }
    }
}

impl ServerTrust for ServedRoot {
    /// A root of ours, or the one that an operator put at the end of the chain: public ones need not stand there.
    fn private_root(&self) -> Result<Option<Vec<u8>>, String> {
        let files = load(&self.folder, &self.config).map_err(|error| format!("{error:#}"))?;
        let (Some(leaf), Some(top)) = (files.chain.first(), files.chain.last()) else { return Ok(None) };
        let roots = self.folder.all_roots().map_err(|error| error.to_string())?;
        let own = roots.into_iter().find(|root| is_under(leaf, root));
        Ok(own.or_else(|| is_under(top, top).then(|| top.to_vec())))
    }
}

/// Looks after the server certificate.
pub(super) struct Keeper {
    folder: DataFolder,
    config: Config,
    sealer: Arc<Sealer>,
    clock: Arc<dyn Clock>,
    certificate: Arc<ServerCertificate>,
    /// The files as they were when they were read last.
    seen: [Option<Stamp>; 2],
    /// The root, likewise.
    root: Option<Stamp>,
    judged_at: OffsetDateTime,
}

/// Tells a file from its next version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Keeper {
    /// Loads the server certificate; one of ours that is due is made anew first.
    ///
    /// # Errors
    /// When there is none that could be used.
    pub(super) fn open(folder: DataFolder, config: Config, sealer: Arc<Sealer>, clock: Arc<dyn Clock>) -> Result<Self> {
        let now = clock.now();
        let mut seen = stamps(&folder, &config);
        let mut files = load(&folder, &config)?;
        let pair = ServerCertificate::new(files.chain.clone(), files.key.clone_key());
        let leaf = &files.chain[0];
        let is_due = pair.is_err() || is_due(&config, leaf, now)? || is_of_old_root(&folder, leaf);
        if is_due && is_ours(&folder, &config, leaf) {
            match (folder.root(&sealer), &pair) {
                // Without the root's key the one that is there has to do.
                (Err(error), Ok(_)) => tracing::error!(%error, "the server certificate cannot be made anew"),
                (_, pair) => {
                    if pair.is_err() {
                        // It may be the key of a request that is under way somewhere.
                        folder.keep_tls_key(now)?;
                    }
                    make(&folder, &config, &sealer, now)?;
                    seen = stamps(&folder, &config);
                    files = load(&folder, &config)?;
                }
            }
        }
        warn(&config, &files.chain[0], now)?;
        let certificate =
            ServerCertificate::new(files.chain, files.key).context("the server certificate and its key")?;
        let root = stamp(&folder.root_pem());
        Ok(Self { folder, config, sealer, clock, certificate, seen, root, judged_at: now })
    }

    /// The certificate; what replaces it later takes its place in there.
    pub(super) fn certificate(&self) -> Arc<ServerCertificate> {
        Arc::clone(&self.certificate)
    }

    /// Looks after it until `stop` resolves; at once when the CAs of the installation have changed.
    pub(super) async fn run(
        mut self,
        every: StdDuration,
        mut changes: watch::Receiver<()>,
        stop: impl Future<Output = ()>,
    ) {
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                Ok(()) = changes.changed() => {}
                () = &mut stop => return,
            }
            if let Err(error) = self.look() {
                let cause = format!("{error:#}");
                tracing::error!(cause, "the server certificate could not be replaced; the one in use stays");
            }
        }
    }

    /// One look at the files, and every hour one at the age.
    fn look(&mut self) -> Result<()> {
        let now = self.clock.now();
        let stamps = stamps(&self.folder, &self.config);
        if stamps != self.seen {
            // Before they are read: a change after this moment is seen the next time, as is the other file of a pair.
            self.seen = stamps;
            self.read(now)?;
        }
        let root = stamp(&self.folder.root_pem());
        let has_new_root = std::mem::replace(&mut self.root, root) != root;
        if has_new_root || !(self.judged_at..self.judged_at + JUDGED_EVERY).contains(&now) {
            // Where it cannot be replaced, that is tried again soon.
            self.judged_at = now - JUDGED_EVERY + AGAIN_AFTER;
            self.judge(now)?;
            self.judged_at = now;
        }
        Ok(())
    }

    fn judge(&mut self, now: OffsetDateTime) -> Result<()> {
        // What counts is what lies there: an operator may have put a pair there that could not be taken yet.
        let current = self.certificate.current();
        let files = load(&self.folder, &self.config)?;
        let leaf = &files.chain[0];
        if leaf != current.end_entity_cert()? {
            self.read(now)?;
        }
        let is_due = is_due(&self.config, leaf, now)? || is_of_old_root(&self.folder, leaf);
        if is_due && is_ours(&self.folder, &self.config, leaf) {
            make(&self.folder, &self.config, &self.sealer, now)?;
            self.seen = stamps(&self.folder, &self.config);
            return self.read(now);
        }
        warn(&self.config, leaf, now)
    }

    fn read(&self, now: OffsetDateTime) -> Result<()> {
        let files = load(&self.folder, &self.config)?;
        let leaf = files.chain[0].clone();
        self.certificate.replace(files.chain, files.key)?;
        let (_, end) = validity(&leaf)?;
        tracing::info!(until = %end, "the server certificate was replaced");
        warn(&self.config, &leaf, now)
    }
}

/// Makes a P-256 server certificate for all hosts, from the root.
pub(super) fn make(folder: &DataFolder, config: &Config, sealer: &Sealer, now: OffsetDateTime) -> Result<()> {
    let root = folder.root(sealer)?;
    let server = create::server(&root, &hosts(config), Serial::from_random(SystemRng.bytes()), now)?;
    folder.write_tls(&server, &root.certificate)?;
    Ok(())
}

/// Hosts under which PCs reach this server: those of both URLs, and the one that Windows makes of each e-mail domain.
fn hosts(config: &Config) -> Vec<String> {
    let mut hosts = vec![config.server.url.host().to_owned(), config.server.device_url().host().to_owned()];
    hosts.extend(config.enroll.domains.iter().map(|domain| format!("enterpriseenrollment.{}", domain.to_lowercase())));
    hosts.dedup();
    hosts
}

/// The files that the configuration names; the chain has a leaf.
fn load(folder: &DataFolder, config: &Config) -> Result<TlsFiles> {
    Ok(folder.tls(&config.server.tls_certificate, &config.server.tls_key)?)
}

fn stamps(folder: &DataFolder, config: &Config) -> [Option<Stamp>; 2] {
    [&config.server.tls_certificate, &config.server.tls_key].map(|path| stamp(&folder.resolve(path)))
}

fn stamp(path: &Path) -> Option<Stamp> {
    let file = std::fs::metadata(path).ok()?;
    let (modified, changed) = ((file.mtime(), file.mtime_nsec()), (file.ctime(), file.ctime_nsec()));
    Some(Stamp { inode: file.ino(), modified, changed })
}

/// Whether we made the certificate: it lies where ours does, and our root signed it. An operator may have put another one
/// into its place.
fn is_ours(folder: &DataFolder, config: &Config, leaf: &[u8]) -> bool {
    let is_place = config.server.tls_certificate == Path::new(TLS_PEM) && config.server.tls_key == Path::new(TLS_KEY);
    let Ok(roots) = folder.all_roots() else { return false };
    is_place && roots.iter().any(|root| is_under(leaf, root))
}

/// Whether a certificate names that root as its issuer.
fn is_under(leaf: &[u8], root: &[u8]) -> bool {
    match (X509Certificate::from_der(leaf), X509Certificate::from_der(root)) {
        (Ok((_, leaf)), Ok((_, root))) => leaf.issuer() == root.subject(),
        _ => false,
    }
}

/// Whether one of ours stands under the root before the current one.
fn is_of_old_root(folder: &DataFolder, leaf: &[u8]) -> bool {
    folder.roots().is_ok_and(|roots| roots.first().is_some_and(|root| !is_under(leaf, root)))
}

/// Whether two thirds of its life are over, or a host has come that it is not for.
fn is_due(config: &Config, leaf: &[u8], now: OffsetDateTime) -> Result<bool> {
    let (start, end) = validity(leaf)?;
    Ok(now >= start + (end - start) * RENEW_AFTER || !covers_all(config, leaf))
}

fn covers_all(config: &Config, leaf: &[u8]) -> bool {
    hosts(config).iter().all(|host| crate::pki::covers(leaf, host))
}

fn warn(config: &Config, leaf: &[u8], now: OffsetDateTime) -> Result<()> {
    if !covers_all(config, leaf) {
        tracing::warn!(hosts = ?hosts(config), "the server certificate does not cover all hosts; devices will refuse it there");
    }
    let (_, end) = validity(leaf).context("the server certificate")?;
    if now >= end {
        tracing::warn!("the server certificate has expired; devices and browsers will refuse it");
    }
    Ok(())
}

#[cfg(test)]
#[path = "server_certificate/tests.rs"]
mod tests;
