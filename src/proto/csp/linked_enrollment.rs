//! DMClient CSP, LinkedEnrollment: a second enrollment that the first one starts, for declared configuration (10.0.19042.2193,
//! 10.0.22000.918, 10.0.22621; devices that are joined to Entra ID; management reference 8).

use super::dm_client;
use super::parameter::{self, Unfit};
use crate::proto::syncml::{Command, LocUri};

fn node(provider_id: &str, name: &'static str) -> LocUri {
    dm_client::node(provider_id, "LinkedEnrollment").below(name)
}

/// Says where the second enrollment is discovered, and starts it.
#[must_use]
pub fn link(provider_id: &str, endpoint: &str) -> Vec<Command> {
    let endpoint = Command::replace(node(provider_id, "DiscoveryEndpoint"), "chr", endpoint);
    vec![endpoint, Command::exec(enroll(provider_id))]
}

/// Ends the second enrollment; what came with it is rolled back.
#[must_use]
pub fn unlink(provider_id: &str) -> Vec<Command> {
    vec![Command::exec(unenroll(provider_id))]
}

/// The node that starts it.
#[must_use]
pub fn enroll(provider_id: &str) -> LocUri {
    node(provider_id, "Enroll")
}

/// The node that ends it.
#[must_use]
pub fn unenroll(provider_id: &str) -> LocUri {
    node(provider_id, "Unenroll")
}

/// How far it is (`int`).
#[must_use]
pub fn status(provider_id: &str) -> LocUri {
    node(provider_id, "EnrollStatus")
}

/// The HRESULT of what went wrong last (`int`).
#[must_use]
pub fn last_error(provider_id: &str) -> LocUri {
    node(provider_id, "LastError")
}

/// Whether an address may be that of a discovery service.
///
/// # Errors
/// [`Unfit`] with the pointer `/discovery_endpoint`.
pub fn check_endpoint(endpoint: &str) -> Result<(), Unfit> {
    let pointer = "/discovery_endpoint";
    parameter::text(pointer, endpoint, 2048)?;
    let is_https = url::Url::parse(endpoint).is_ok_and(|url| url.scheme() == "https" && url.host_str().is_some());
    if is_https { Ok(()) } else { Err(Unfit::new(pointer, "must be an https address")) }
}

/// How far a linked enrollment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkStatus {
    /// 0.
    Undefined,
    /// 1.
    EnrollNotStarted,
    /// 2.
    Enrolling,
    /// 3.
    EnrollFailed,
    /// 4.
    Enrolled,
    /// 5.
    UnenrollNotStarted,
    /// 6.
    Unenrolling,
    /// 7.
    UnenrollFailed,
    /// 8.
    Unenrolled,
}

impl LinkStatus {
    /// Reads the value of the status node.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.trim() {
            "0" => Self::Undefined,
            "1" => Self::EnrollNotStarted,
            "2" => Self::Enrolling,
            "3" => Self::EnrollFailed,
            "4" => Self::Enrolled,
            "5" => Self::UnenrollNotStarted,
            "6" => Self::Unenrolling,
            "7" => Self::UnenrollFailed,
            "8" => Self::Unenrolled,
            _ => return None,
        })
    }

    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Undefined => "there is none",
            Self::EnrollNotStarted => "the linked enrollment has not begun",
            Self::Enrolling => "the linked enrollment is under way",
            Self::EnrollFailed => "the linked enrollment failed",
            Self::Enrolled => "the device is enrolled a second time",
            Self::UnenrollNotStarted => "the end of the linked enrollment has not begun",
            Self::Unenrolling => "the linked enrollment is being ended",
            Self::UnenrollFailed => "the linked enrollment could not be ended",
            Self::Unenrolled => "the linked enrollment has ended",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::csp::told::told;

    #[test]
    fn the_endpoint_is_set_before_the_enrollment_begins() {
        let root = "./Device/Vendor/MSFT/DMClient/Provider/Muster/LinkedEnrollment";
        let endpoint = "https://linked.example.test/EnrollmentServer/Discovery.svc";
        assert_eq!(
            told(&link("Muster", endpoint)),
            [format!("Replace {root}/DiscoveryEndpoint chr {endpoint}"), format!("Exec {root}/Enroll")]
        );
        assert_eq!(told(&unlink("Muster")), [format!("Exec {root}/Unenroll")]);
        assert_eq!(check_endpoint(endpoint), Ok(()));
        for bad in ["", "http://a.example.test", "a", "https://", " https://a.example.test"] {
            assert!(check_endpoint(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_status_is_known() {
        let words: Vec<_> = (0..=8).map(|n| LinkStatus::parse(&n.to_string()).unwrap().words()).collect();
        assert!(words[4].contains("second time") && words[3].contains("failed") && words[7].contains("could not"));
        assert_eq!(LinkStatus::parse("9"), None);
        assert_eq!(LinkStatus::parse(" 4 "), Some(LinkStatus::Enrolled));
    }
}
