//! What the person typed, as Windows takes it (enrollment reference 2.1).

use url::Url;

/// Where a walk begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Address of the discovery service.
    pub discovery: Url,
    /// The domain, where Windows would find the server by its name.
    pub domain: Option<String>,
    /// The domain of whoever enrolls, where that is another one.
    pub user_domain: Option<String>,
}

/// What cannot be gone to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// No address, host or domain.
    #[error("\"{0}\" is no https address, no host and no domain")]
    Unreadable(String),
    /// Windows speaks https only.
    #[error("{0} is no https address; Windows enrolls over https only")]
    NotHttps(String),
}

impl Target {
    /// Reads a URL, `host:port`, an e-mail address or a domain. A bare name is the domain of an e-mail address; the host is
    /// then `EnterpriseEnrollment` of it.
    ///
    /// # Errors
    ///
    /// [`TargetError`] when it is none of them.
    pub fn parse(typed: &str) -> Result<Self, TargetError> {
        let typed = typed.trim();
        let unreadable = || TargetError::Unreadable(typed.chars().filter(|c| !c.is_control()).take(100).collect());
        if let Some((scheme, _)) = typed.split_once("://") {
            if !scheme.eq_ignore_ascii_case("https") {
                return Err(TargetError::NotHttps(typed.to_owned()));
            }
            let url = Url::parse(typed).map_err(|_| unreadable())?;
            return Self::of_url(url).ok_or_else(unreadable);
        }
        if let Some((_, domain)) = typed.rsplit_once('@') {
            return Self::of_domain(domain).ok_or_else(unreadable);
        }
        let is_server = typed.contains([':', '/']) || typed.parse::<std::net::IpAddr>().is_ok() || !typed.contains('.');
        match is_server {
            true => Url::parse(&format!("https://{typed}")).ok().and_then(Self::of_url),
            false => Self::of_domain(typed),
        }
        .ok_or_else(unreadable)
    }

    /// The place where PCs of a domain look.
    #[must_use]
    pub fn of_domain(domain: &str) -> Option<Self> {
        let domain = domain.trim().trim_end_matches('.');
        let domain = domain
            .get(..LABEL.len())
            .filter(|start| start.eq_ignore_ascii_case(LABEL))
            .map_or(domain, |_| &domain[LABEL.len()..]);
        if domain.is_empty() || domain.contains(['/', ':', '@', ' ']) {
            return None;
        }
        let url = Url::parse(&format!("https://{LABEL}{domain}")).ok()?;
        // As the parser wrote it: lower case, and in ASCII.
        let domain = url.host_str()?.get(LABEL.len()..)?.to_owned();
        Some(Self { domain: Some(domain), ..Self::of_url(url)? })
    }

    /// The server at an address; a bare host gets the path that Windows asks for.
    #[must_use]
    pub fn of_url(mut url: Url) -> Option<Self> {
        url.host_str().filter(|host| !host.is_empty())?;
        if !url.username().is_empty() || url.password().is_some() {
            return None;
        }
        if url.path() == "/" {
            url.set_path(DISCOVERY);
        }
        url.set_fragment(None);
        let domain = url.host_str()?.to_ascii_lowercase().strip_prefix(&LABEL.to_ascii_lowercase()).map(str::to_owned);
        Some(Self { discovery: url, domain, user_domain: None })
    }

    /// The same, gone to by somebody whose address of mail is in that domain.
    #[must_use]
    pub fn for_user_of(self, domain: Option<&str>) -> Self {
        Self { user_domain: domain.map(str::to_owned), ..self }
    }

    /// An address of mail to ask discovery with; none where no domain is known, which every server answers that answers
    /// anybody (enrollment reference 2.5).
    #[must_use]
    pub fn some_user(&self) -> String {
        let domain = self.user_domain.as_deref().or(self.domain.as_deref());
        domain.map(|domain| format!("doctor@{domain}")).unwrap_or_default()
    }
}

const LABEL: &str = "EnterpriseEnrollment.";
const DISCOVERY: &str = "/EnrollmentServer/Discovery.svc";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_type_leads_where_windows_goes() {
        let cases = [
            ("fabrikam.test", "https://enterpriseenrollment.fabrikam.test/EnrollmentServer/Discovery.svc", true),
            ("ada@Fabrikam.Test", "https://enterpriseenrollment.fabrikam.test/EnrollmentServer/Discovery.svc", true),
            (
                "EnterpriseEnrollment.fabrikam.test",
                "https://enterpriseenrollment.fabrikam.test/EnrollmentServer/Discovery.svc",
                true,
            ),
            ("https://mdm.fabrikam.test", "https://mdm.fabrikam.test/EnrollmentServer/Discovery.svc", false),
            ("https://mdm.fabrikam.test:8443/", "https://mdm.fabrikam.test:8443/EnrollmentServer/Discovery.svc", false),
            ("https://mdm.fabrikam.test/Other.svc", "https://mdm.fabrikam.test/Other.svc", false),
            ("localhost:4443", "https://localhost:4443/EnrollmentServer/Discovery.svc", false),
            ("192.0.2.7", "https://192.0.2.7/EnrollmentServer/Discovery.svc", false),
            (
                "https://EnterpriseEnrollment.fabrikam.test:4443",
                "https://enterpriseenrollment.fabrikam.test:4443/EnrollmentServer/Discovery.svc",
                true,
            ),
        ];
        for (typed, url, is_domain) in cases {
            let target = Target::parse(typed).unwrap_or_else(|error| panic!("{typed}: {error}"));
            assert_eq!(target.discovery.as_str(), url, "{typed}");
            assert_eq!(target.domain.as_deref(), is_domain.then_some("fabrikam.test"), "{typed}");
        }
        for typed in ["", "@", "http://mdm.fabrikam.test", "a b.c", "https://user:word@host.test/", "x@y/z", "ftp://a"]
        {
            assert!(Target::parse(typed).is_err(), "{typed}");
        }
    }
}
