//! What a password must be, and when the device locks itself (management reference 7.9).

use super::recipe::Order;
use super::setting::Setting;
use crate::proto::csp::device_lock::DeviceLock;
use crate::proto::csp::parameter::Unfit;
use crate::proto::syncml::Command;

impl Setting for DeviceLock {
    fn name(&self) -> &'static str {
        "device_lock"
    }

    fn subject(&self) -> String {
        "the password policy".to_owned()
    }

    fn check(&self) -> Result<(), Unfit> {
        self.check()
    }

    fn commands(&self, _: &Order<'_>) -> Vec<Command> {
        self.commands()
    }
}
