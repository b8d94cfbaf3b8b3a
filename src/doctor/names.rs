//! What DNS says about the host.

use std::net::IpAddr;

use super::{Problem, Verdict};

/// What was found out about a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The host.
    pub host: String,
    /// The names that it leads to by CNAME records, in their order.
    pub aliases: Vec<String>,
    /// The addresses.
    pub addresses: Vec<IpAddr>,
    /// Why there are no addresses.
    pub failure: Option<NameFailure>,
}

impl Names {
    /// A host that is an address itself.
    #[must_use]
    pub fn of_address(address: IpAddr) -> Self {
        Self { host: address.to_string(), addresses: vec![address], ..Self::default() }
    }
}

/// Why a name has no addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameFailure {
    /// It does not exist.
    NoSuchName,
    /// It exists, without A and AAAA records.
    NoAddress,
    /// The name server did not say.
    NoAnswer(String),
}

/// Judges a name; `expected` is what it should lead to, where that is known.
#[must_use]
pub fn judge_names(names: &Names, expected: Option<&Names>) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    let host = names.host.clone();
    let foreign = names.aliases.iter().find_map(|alias| service_of(alias).map(|service| (alias, service)));
    if let Some((alias, service)) = foreign {
        let alias = alias.clone();
        verdicts.push(Verdict::Fault(Problem::ForeignService { name: host.clone(), alias, service }));
    } else if let Some(expected) = expected
        && names.failure.is_none()
        // Nothing is known about where it should lead: no verdict.
        && expected.failure.is_none()
        && !leads_to(names, expected)
    {
        let to = names.aliases.last().cloned().unwrap_or_else(|| listed(&names.addresses));
        let expected = expected.host.clone();
        verdicts.push(Verdict::Fault(Problem::LeadsElsewhere { name: host.clone(), to, expected }));
    }
    match (&names.failure, names.aliases.last()) {
        (None, _) => {}
        (Some(NameFailure::NoAnswer(cause)), _) => {
            verdicts.push(Verdict::Fault(Problem::NameServer { name: host, cause: cause.clone() }));
        }
        (Some(_), Some(alias)) => {
            verdicts.push(Verdict::Fault(Problem::DanglingAlias { name: host, alias: alias.clone() }));
        }
        (Some(NameFailure::NoSuchName), None) => verdicts.push(Verdict::Fault(Problem::NoSuchName { name: host })),
        (Some(NameFailure::NoAddress), None) => verdicts.push(Verdict::Fault(Problem::NoAddress { name: host })),
    }
    if verdicts.is_empty() {
        let way = names.aliases.iter().map(|alias| format!("CNAME {alias}, ")).collect::<String>();
        verdicts.push(Verdict::Good(format!("{way}{}", listed(&names.addresses))));
    }
    verdicts
}

/// By its last name or, for those who use A records, by an address.
fn leads_to(names: &Names, expected: &Names) -> bool {
    let ends = std::iter::once(&expected.host).chain(&expected.aliases);
    let by_name = ends
        .into_iter()
        .any(|end| std::iter::once(&names.host).chain(&names.aliases).any(|name| name.eq_ignore_ascii_case(end)));
    by_name || names.addresses.iter().any(|address| expected.addresses.contains(address))
}

fn listed(addresses: &[IpAddr]) -> String {
    addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ")
}

/// Whose a name is, of those that domains were often set up for before.
fn service_of(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    let is_below = |domain: &str| name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    SERVICES.iter().find(|(domain, _)| is_below(domain)).map(|(_, service)| *service)
}

const SERVICES: &[(&str, &str)] = &[
    ("manage.microsoft.com", "Microsoft Intune"),
    ("manage.microsoft.us", "Microsoft Intune"),
    ("awmdm.com", "Workspace ONE"),
    ("mobileiron.com", "Ivanti"),
    ("ivanticloud.com", "Ivanti"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn names(host: &str, aliases: &[&str], addresses: &[&str]) -> Names {
        Names {
            host: host.to_owned(),
            aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
            failure: None,
        }
    }

    fn codes(verdicts: &[Verdict]) -> Vec<&'static str> {
        verdicts.iter().filter_map(Verdict::problem).map(Problem::code).collect()
    }

    #[test]
    fn a_name_leads_to_the_server_by_alias_or_address() {
        let server = names("mdm.fabrikam.test", &["lb.hoster.test"], &["192.0.2.7"]);
        let host = "enterpriseenrollment.fabrikam.test";
        let good = [
            names(host, &["mdm.fabrikam.test", "lb.hoster.test"], &["192.0.2.7"]),
            names(host, &["LB.hoster.test"], &["192.0.2.8"]),
            names(host, &[], &["192.0.2.7"]),
        ];
        for way in good {
            assert_eq!(codes(&judge_names(&way, Some(&server))), Vec::<&str>::new(), "{way:?}");
        }
        let elsewhere = names(host, &["old.fabrikam.test"], &["192.0.2.9"]);
        assert_eq!(codes(&judge_names(&elsewhere, Some(&server))), ["dns_leads_elsewhere"]);
        assert_eq!(codes(&judge_names(&elsewhere, None)), Vec::<&str>::new());
        let failure = Some(NameFailure::NoAnswer("timed out".to_owned()));
        let unknown = Names { failure, ..names("mdm.fabrikam.test", &[], &[]) };
        assert_eq!(codes(&judge_names(&elsewhere, Some(&unknown))), Vec::<&str>::new());
    }

    #[test]
    fn each_failure_has_its_name() {
        let host = "enterpriseenrollment.fabrikam.test";
        let failing = |aliases: &[&str], failure| Names { failure: Some(failure), ..names(host, aliases, &[]) };
        let cases = [
            (failing(&[], NameFailure::NoSuchName), "dns_no_such_name"),
            (failing(&[], NameFailure::NoAddress), "dns_no_address"),
            (failing(&["gone.test"], NameFailure::NoSuchName), "dns_dangling_cname"),
            (failing(&[], NameFailure::NoAnswer("timed out".to_owned())), "dns_no_answer"),
            (names(host, &["EnterpriseEnrollment-s.manage.microsoft.com"], &["192.0.2.1"]), "dns_foreign_service"),
        ];
        for (case, code) in cases {
            assert_eq!(codes(&judge_names(&case, None)), [code], "{case:?}");
        }
        let similar = names(host, &["notmanage.microsoft.com.test"], &["192.0.2.1"]);
        assert!(codes(&judge_names(&similar, None)).is_empty());
    }
}
