//! Channels: addresses that devices report and that the server is to call. Nothing that a device says decides where the
//! server connects to, so a channel must lie on the hosts of WNS (management reference 6.2).

use std::fmt;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// A `ChannelURI` as a device reported it. Whoever knows it and the app's secret can wake the device: `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct ChannelUri(String);

impl ChannelUri {
    /// Takes the text of a device, trimmed; `None` where nothing is left.
    #[must_use]
    pub fn received(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    /// The whole address.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The channel, if it lies on one of those hosts.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn on(&self, hosts: &[ChannelHost]) -> Result<Channel, ChannelRefused> {
        if self.0.len() > LONGEST_CHANNEL {
            return Err(ChannelRefused::TooLong);
        }
        // A reader of URLs would drop some of these without a word.
        if self.0.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
            return Err(ChannelRefused::NoUrl);
        }
        let url = Url::parse(&self.0).map_err(|_| ChannelRefused::NoUrl)?;
        if url.scheme() != "https" {
            return Err(ChannelRefused::NotHttps);
        }
        // An empty user name is one, too.
        if self.0.split(['/', '?', '#']).nth(2).is_some_and(|authority| authority.contains('@')) {
            return Err(ChannelRefused::Credentials);
        }
        if url.fragment().is_some() {
            return Err(ChannelRefused::NoUrl);
        }
        if !hosts.iter().any(|host| host.holds(&url)) {
            return Err(ChannelRefused::ForeignHost);
        }
        Ok(Channel(url))
    }

    /// The host in it, for people; `None` where there is none.
    #[must_use]
    pub fn host(&self) -> Option<String> {
        Url::parse(&self.0).ok()?.host_str().map(str::to_owned)
    }
}

impl fmt::Debug for ChannelUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChannelUri({} bytes)", self.0.len())
    }
}

/// A channel that may be called. `Debug` shows its host only.
#[derive(Clone, PartialEq, Eq)]
pub struct Channel(Url);

impl Channel {
    /// The whole address.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Channel({})", self.0.host_str().unwrap_or_default())
    }
}

/// Why a channel is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChannelRefused {
    /// Longer than any channel of WNS.
    #[error("the channel is longer than 2048 bytes")]
    TooLong,
    /// Not an absolute URL, or one with characters that have no place in it.
    #[error("the channel is no URL of the form that WNS gives out")]
    NoUrl,
    /// Another scheme.
    #[error("the channel is not an https:// URL")]
    NotHttps,
    /// A user name or password.
    #[error("the channel holds a user name")]
    Credentials,
    /// Another host or port.
    #[error("the channel is not on a host of WNS")]
    ForeignHost,
}

/// Hosts that channels may be on: `.example.com` is every host below that domain on port 443, `example.com:8443` that host
/// on that port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ChannelHost {
    /// Every host below a domain, which is written without a dot before it.
    Below(String),
    /// One host and port.
    At(String, u16),
}

impl ChannelHost {
    /// The hosts of WNS.
    #[must_use]
    pub fn wns() -> Self {
        Self::Below("notify.windows.com".to_owned())
    }

    fn holds(&self, url: &Url) -> bool {
        let port = url.port_or_known_default();
        match (self, url.host()) {
            // The dot before the domain must be there, and something before it.
            (Self::Below(domain), Some(Host::Domain(host))) => {
                let rest = host.strip_suffix(domain.as_str()).and_then(|rest| rest.strip_suffix('.'));
                rest.is_some_and(|rest| !rest.is_empty()) && port == Some(443)
            }
            (Self::At(name, at), Some(_)) => url.host_str() == Some(name.as_str()) && port == Some(*at),
            _ => false,
        }
    }
}

impl TryFrom<String> for ChannelHost {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let expected = || format!("`{text}` is neither of the form .example.com nor of the form example.com:443");
        let is_name = |name: &str| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b))
        };
        if let Some(domain) = text.strip_prefix('.') {
            let whole = is_name(domain) && domain.contains('.') && !domain.starts_with('.') && !domain.ends_with('.');
            return if whole { Ok(Self::Below(domain.to_owned())) } else { Err(expected()) };
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(expected)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(expected)?;
        if is_name(host) { Ok(Self::At(host.to_owned(), port)) } else { Err(expected()) }
    }
}

impl From<ChannelHost> for String {
    fn from(host: ChannelHost) -> Self {
        match host {
            ChannelHost::Below(domain) => format!(".{domain}"),
            ChannelHost::At(name, port) => format!("{name}:{port}"),
        }
    }
}

/// Longest channel, in bytes; those of WNS are a few hundred bytes long.
const LONGEST_CHANNEL: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(text: &str) -> Result<Channel, ChannelRefused> {
        ChannelUri::received(text).unwrap().on(&[ChannelHost::wns()])
    }

    // covers: M-122
    #[test]
    fn only_https_on_hosts_of_wns_is_a_channel() {
        for good in [
            "https://db5p.notify.windows.com/?token=AwYAAAD8sfb%2bx",
            "https://DB5P.Notify.Windows.Com:443/?token=x",
            " https://a.b.notify.windows.com/path \n",
        ] {
            assert!(judge(good).is_ok(), "{good}");
        }
        let long = format!("https://a.notify.windows.com/?token={}", "x".repeat(2048));
        for (bad, why) in [
            ("http://db5p.notify.windows.com/?token=x", ChannelRefused::NotHttps),
            ("ftp://db5p.notify.windows.com/", ChannelRefused::NotHttps),
            ("https://notify.windows.com/?token=x", ChannelRefused::ForeignHost),
            ("https://.notify.windows.com/", ChannelRefused::ForeignHost),
            ("https://evilnotify.windows.com/", ChannelRefused::ForeignHost),
            ("https://notify.windows.com.example.test/", ChannelRefused::ForeignHost),
            ("https://a.notify.windows.com.example.test/", ChannelRefused::ForeignHost),
            ("https://a.notify.windows.com./", ChannelRefused::ForeignHost),
            ("https://a.notify.windows.com:8443/", ChannelRefused::ForeignHost),
            ("https://a.notify.windows.com:80/", ChannelRefused::ForeignHost),
            ("https://example.test/.notify.windows.com", ChannelRefused::ForeignHost),
            ("https://example.test?x=.notify.windows.com", ChannelRefused::ForeignHost),
            ("https://example.test#.notify.windows.com", ChannelRefused::NoUrl),
            ("https://a.notify.windows.com@example.test/", ChannelRefused::Credentials),
            ("https://user:word@a.notify.windows.com/", ChannelRefused::Credentials),
            ("https://@a.notify.windows.com/", ChannelRefused::Credentials),
            ("https://example.test\\.notify.windows.com/", ChannelRefused::NoUrl),
            ("https://a.notify.win\tdows.com/", ChannelRefused::NoUrl),
            ("https://169.254.169.254/", ChannelRefused::ForeignHost),
            ("https://[::1]/", ChannelRefused::ForeignHost),
            ("https://localhost/", ChannelRefused::ForeignHost),
            ("//a.notify.windows.com/", ChannelRefused::NoUrl),
            ("a.notify.windows.com", ChannelRefused::NoUrl),
            ("https://", ChannelRefused::NoUrl),
            (&long, ChannelRefused::TooLong),
        ] {
            assert_eq!(judge(bad).unwrap_err(), why, "{bad}");
        }
        assert_eq!(ChannelUri::received(" \r\n"), None);
    }

    #[test]
    fn other_hosts_are_named_one_by_one() {
        let host = |text: &str| ChannelHost::try_from(text.to_owned());
        let loopback = host("localhost:4711").unwrap();
        let on = |text: &str| ChannelUri::received(text).unwrap().on(std::slice::from_ref(&loopback)).is_ok();
        assert!(on("https://localhost:4711/?token=x"));
        assert!(!on("https://localhost/") && !on("https://a.localhost:4711/") && !on("http://localhost:4711/"));
        assert!(!on("https://a.notify.windows.com/"), "the default is gone");
        for text in [".notify.windows.com", "localhost:4711", "127.0.0.1:443"] {
            assert_eq!(String::from(host(text).unwrap()), text);
        }
        for bad in ["", ".", ".com", "..a.b", ".a.b.", "localhost", "localhost:0", "a:b", "https://a.b:1", "A.b:1"] {
            assert!(host(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn debug_shows_no_address() {
        let uri = ChannelUri::received("https://a.notify.windows.com/?token=secret").unwrap();
        let shown = format!("{uri:?} {:?}", uri.on(&[ChannelHost::wns()]).unwrap());
        assert_eq!(shown, "ChannelUri(42 bytes) Channel(a.notify.windows.com)");
        assert_eq!(uri.host().as_deref(), Some("a.notify.windows.com"));
    }
}
