//! The self-test: the way of a PC to this server, walked by the server itself, for whoever helps people to enroll.
//!
//! Everybody may ask for it, so it looks at the address of this server, at its device host and at the domains that are
//! configured, and at nothing that a visitor names. One walk serves everybody for a minute, few run at once, and one network has few tries.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration as StdDuration;

use time::{Duration, OffsetDateTime};
use tokio::sync::{Mutex as AsyncMutex, Semaphore};
use tokio::time::timeout;
use url::Url;

use super::App;
use super::ports::Walk;
use crate::doctor::{Report, Target};

/// Where a PC may begin.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Start {
    /// The address of the server, typed or pasted.
    Server,
    /// One of the domains that are served, found by its name in DNS.
    Domain(String),
}

impl Start {
    /// What a person types for it; nothing for the server itself.
    #[must_use]
    pub fn typed(&self) -> &str {
        match self {
            Self::Server => "",
            Self::Domain(domain) => domain,
        }
    }
}

/// What a walk found.
#[derive(Clone, Debug)]
pub struct Tested {
    /// When it began.
    pub at: OffsetDateTime,
    /// The host at which a PC begins.
    pub host: String,
    /// The host of this server; the way leads to no third one but the device host.
    pub own_host: String,
    /// The device host and its port, where it was looked at.
    pub device: Option<(String, u16)>,
    /// What `muster doctor` is asked for, for more.
    pub target: String,
    /// What was met.
    pub report: Report,
}

/// Why nothing is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTested {
    /// The administrator switched it off.
    #[error("the self-test is off")]
    Off,
    /// Neither this server nor a domain that is configured.
    #[error("this server does not serve that domain")]
    NotServed,
    /// People are given the whole address here, and the server is not found by a domain.
    #[error("this server is not found by domains: the enrollment URL is needed")]
    ByAddressOnly,
    /// This network asked too often.
    #[error("too many tests; one more in {seconds} s")]
    TooMany {
        /// Until the next try.
        seconds: u64,
    },
    /// As many as may be are at work.
    #[error("other tests are at work")]
    Busy,
    /// Nothing could be looked at; the log has the cause.
    #[error("the test cannot be done")]
    Unable,
}

/// The last result of one start; whoever walks holds it.
type Last = AsyncMutex<Option<Arc<Tested>>>;

/// What is remembered of tests.
pub(super) struct Memory {
    /// The last result for each start; there are no more of them than the configuration names.
    last: Mutex<HashMap<Start, Arc<Last>>>,
    at_work: Semaphore,
}

impl Default for Memory {
    fn default() -> Self {
        Self { last: Mutex::default(), at_work: Semaphore::new(MOST_AT_WORK) }
    }
}

impl App {
    /// What somebody means who types an address of mail, a domain, the server's host or nothing.
    ///
    /// # Errors
    /// [`NotTested`]; wrong names are tries too, so that nobody finds out the domains by trying.
    pub fn self_test_start(&self, typed: &str, address: IpAddr) -> Result<Start, NotTested> {
        if !self.settings.self_test {
            return Err(NotTested::Off);
        }
        self.memory.throttles.allow_self_test(address).map_err(|seconds| NotTested::TooMany { seconds })?;
        let typed = Some(typed.trim()).filter(|typed| typed.len() <= LONGEST_TYPED).ok_or(NotTested::NotServed)?;
        let own = self.own_host().ok_or(NotTested::Unable)?;
        // The address of the server, as people paste it.
        let pasted = Url::parse(typed).ok().and_then(|url| Some(url.host_str()? == own)).unwrap_or_default();
        let typed = typed.rsplit_once('@').map_or(typed, |(_, domain)| domain);
        if typed.is_empty() || pasted || typed.eq_ignore_ascii_case(&own) {
            return Ok(Start::Server);
        }
        // Both as the parser of addresses writes them.
        let named = Target::of_domain(typed).and_then(|target| target.domain).ok_or(NotTested::NotServed)?;
        let is_named = |domain: &&String| Target::of_domain(domain).is_some_and(|t| t.domain.as_ref() == Some(&named));
        let served = self.settings.domains.iter().find(is_named).ok_or(NotTested::NotServed)?;
        if self.settings.require_generation {
            return Err(NotTested::ByAddressOnly);
        }
        Ok(Start::Domain(served.clone()))
    }

    /// What was found within the last minute, or is found now. Who comes meanwhile waits for the same.
    ///
    /// # Errors
    /// [`NotTested`].
    pub async fn self_test(&self, start: &Start) -> Result<Arc<Tested>, NotTested> {
        let memory = &self.memory.self_tests;
        let last = {
            let mut last = memory.last.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(last.entry(start.clone()).or_default())
        };
        let mut last = timeout(MOST_WAIT, last.lock()).await.map_err(|_| NotTested::Busy)?;
        let now = self.now();
        if let Some(tested) = last.as_ref().filter(|tested| now - tested.at < FRESH && tested.at <= now) {
            return Ok(Arc::clone(tested));
        }
        let _place = memory.at_work.try_acquire().map_err(|_| NotTested::Busy)?;
        let tested = Arc::new(self.walk(start, now).await?);
        *last = Some(Arc::clone(&tested));
        Ok(tested)
    }

    async fn walk(&self, start: &Start, at: OffsetDateTime) -> Result<Tested, NotTested> {
        let unable = |cause: &dyn std::fmt::Display| {
            tracing::error!(%cause, "the self-test cannot be done");
            NotTested::Unable
        };
        let address = self.enrollment_url().await.map_err(|error| unable(&error))?;
        let server = Target::parse(&address.url).map_err(|error| unable(&error))?;
        let (own, own_host) = authority(&server.discovery).ok_or_else(|| unable(&"the URL names no host"))?;
        let (target, expected) = match start {
            // Whoever types the address has a mail address in one of the domains, where only some are served.
            Start::Server => (server.for_user_of(self.settings.domains.first().map(String::as_str)), None),
            Start::Domain(domain) => {
                let target = Target::of_domain(domain).ok_or_else(|| unable(&"a domain is no name"))?;
                (target, Some(own_host.clone()))
            }
        };
        let (first, host) = authority(&target.discovery).ok_or_else(|| unable(&"a domain makes no address"))?;
        let roots = self.authority.now().all().map(|authority| authority.root().to_vec()).collect();
        let device = Url::parse(&self.settings.device_url).map_err(|error| unable(&error))?;
        let device_host = device.host_str().map(str::to_owned).zip(device.port_or_known_default());
        let walk = Walk { target, expected, only: vec![first, own], device, roots };
        let report = self.walker.walk(walk).await.map_err(|cause| unable(&cause))?;
        let target = match start {
            Start::Server => self.settings.url.clone(),
            Start::Domain(domain) => domain.clone(),
        };
        Ok(Tested { at, host, own_host, device: device_host, target, report })
    }

    /// Whether a PC trusts the server only once somebody has installed its root; also where that cannot be found out.
    pub async fn has_private_root(&self) -> bool {
        let trust = Arc::clone(&self.server_trust);
        let found = tokio::task::spawn_blocking(move || trust.private_root()).await;
        !matches!(found, Ok(Ok(None)))
    }

    fn own_host(&self) -> Option<String> {
        authority(&Url::parse(&self.settings.url).ok()?).map(|(_, host)| host)
    }
}

/// Host with port, and the host.
fn authority(url: &Url) -> Option<(String, String)> {
    let host = url.host_str()?;
    Some((format!("{host}:{}", url.port_or_known_default()?), host.to_owned()))
}

/// How long a result serves.
const FRESH: Duration = Duration::minutes(1);
/// Walks at once, for everybody.
const MOST_AT_WORK: usize = 4;
/// How long one waits for the walk of somebody else with the same start.
const MOST_WAIT: StdDuration = StdDuration::from_secs(40);
/// Longest text that is looked at; an address of mail is not longer.
const LONGEST_TYPED: usize = 254;

#[cfg(test)]
mod tests;
