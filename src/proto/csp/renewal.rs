//! CertificateStore CSP: when and where a device renews the certificate of its enrollment (management reference 7.25).

use crate::proto::syncml::{Command, LocUri, Verb};
use crate::proto::wap::Renewal;

/// The node that begins a renewal at once.
pub const RENEW_NOW: &str = "./Device/Vendor/MSFT/CertificateStore/MY/WSTEP/Renew/RenewNow";
/// How the last renewal stands (`int`).
pub const STATUS: &str = "./Device/Vendor/MSFT/CertificateStore/MY/WSTEP/Renew/Status";
/// Why it failed, an HRESULT (`int`).
pub const ERROR_CODE: &str = "./Device/Vendor/MSFT/CertificateStore/MY/WSTEP/Renew/ErrorCode";

/// How the last renewal of a device stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// 0: there was none.
    NotStarted,
    /// 1: it is under way.
    Busy,
    /// 2: the device has its new certificate.
    Done,
    /// 3: it failed.
    Failed,
}

impl Progress {
    /// Reads the value of the status node.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim() {
            "0" => Some(Self::NotStarted),
            "1" => Some(Self::Busy),
            "2" => Some(Self::Done),
            "3" => Some(Self::Failed),
            _ => None,
        }
    }
}

/// `Get` of how a renewal stands.
#[must_use]
pub fn read_progress() -> Vec<Command> {
    [STATUS, ERROR_CODE].map(|node| Command::get(LocUri::fixed(node))).into()
}

/// What an error code of a renewal says where it is none of the usual ones: Windows puts an HTTP status into it.
#[must_use]
pub fn http_status(error: u32) -> Option<u16> {
    u16::try_from(error.checked_sub(HTTP_STATUS)?).ok().filter(|status| (100..600).contains(status))
}

/// An HRESULT of `FACILITY_HTTP` whose low half is the status.
const HTTP_STATUS: u32 = 0x8019_0000;

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
    fn http_statuses_are_told_from_other_errors() {
        assert_eq!(http_status(0x8019_0193), Some(403));
        assert_eq!(http_status(0x8019_00C8), Some(200));
        for other in [0x8019_0000, 0x8019_0258, 0x8018_0016, 0, 0x801A_0193] {
            assert_eq!(http_status(other), None, "{other:#x}");
        }
        right(&read_progress());
        right(&[Command::exec(LocUri::fixed(RENEW_NOW))]);
    }

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
