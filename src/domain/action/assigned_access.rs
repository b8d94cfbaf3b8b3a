//! Kiosks (management reference 7.23).

use super::recipe::Order;
use super::setting::Setting;
use crate::proto::csp::assigned_access::AssignedAccess;
use crate::proto::csp::parameter::Unfit;
use crate::proto::syncml::Command;

impl Setting for AssignedAccess {
    fn name(&self) -> &'static str {
        "assigned_access"
    }

    fn subject(&self) -> String {
        "the kiosk configuration".to_owned()
    }

    fn check(&self) -> Result<(), Unfit> {
        self.check()
    }

    fn commands(&self, _: &Order<'_>) -> Vec<Command> {
        self.commands()
    }
}
