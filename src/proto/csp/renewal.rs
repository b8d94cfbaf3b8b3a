//! CertificateStore CSP: when and where a device renews the certificate of its enrollment (management reference 7.25).

use crate::proto::syncml::{Command, LocUri, Verb};
use crate::proto::wap::Renewal;

/// Sets all of it in one Atomic, as the specification asks for; without an address the device keeps the one that it has.
#[must_use]
pub fn set(renewal: &Renewal) -> Command {
    let node = |name| LocUri::fixed("./Device/Vendor/MSFT/CertificateStore/MY/WSTEP/Renew").join(name);
    let mut children = vec![
        Command::replace(node("RenewPeriod"), "int", &renewal.period_days.to_string()),
        Command::replace(node("RetryInterval"), "int", &renewal.retry_days.to_string()),
    ];
    children.extend(renewal.server_url.as_deref().map(|url| Command::replace(node("ServerURL"), "chr", url)));
    Command::container(Verb::Atomic, children)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::csp::told::{right, told};

    #[test]
    fn it_is_set_as_a_whole() {
        let node = "./Device/Vendor/MSFT/CertificateStore/MY/WSTEP/Renew";
        let mut renewal = Renewal { period_days: 60, retry_days: 5, server_url: None };
        let days = [
            "Atomic".to_owned(),
            format!("  Replace {node}/RenewPeriod int 60"),
            format!("  Replace {node}/RetryInterval int 5"),
        ];
        assert_eq!(told(&[set(&renewal)]), days);
        right(&[set(&renewal)]);
        renewal.server_url = Some("https://dm.example.test/EnrollmentServer/Renew.svc".to_owned());
        let url = format!("  Replace {node}/ServerURL chr https://dm.example.test/EnrollmentServer/Renew.svc");
        assert_eq!(told(&[set(&renewal)]), [&days[..], &[url]].concat());
        right(&[set(&renewal)]);
    }
}
