//! A certificate in a store of Windows (management reference 7.13).

use super::recipe::Order;
use super::setting::Setting;
use crate::proto::csp::parameter::Unfit;
use crate::proto::csp::trusted_certificates::TrustedCertificate;
use crate::proto::syncml::Command;

impl Setting for TrustedCertificate {
    fn name(&self) -> &'static str {
        "trusted_certificate"
    }

    fn subject(&self) -> String {
        format!("the certificate {}", self.certificate.thumbprint().as_str())
    }

    fn check(&self) -> Result<(), Unfit> {
        self.store.check(self.scope)
    }

    fn commands(&self, _: &Order<'_>) -> Vec<Command> {
        self.commands()
    }

    fn outcome(&self) -> String {
        format!("{} is in its store", self.subject())
    }
}
