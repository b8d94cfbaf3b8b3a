//! How drives are encrypted (management reference 7.12).

use super::recipe::Order;
use super::setting::Setting;
use crate::proto::csp::bitlocker_policy::BitLockerPolicy;
use crate::proto::csp::device_encryption::DeviceEncryption;
use crate::proto::csp::parameter::Unfit;
use crate::proto::syncml::Command;

impl Setting for BitLockerPolicy {
    fn name(&self) -> &'static str {
        "bitlocker_policy"
    }

    fn subject(&self) -> String {
        "the BitLocker policy".to_owned()
    }

    fn check(&self) -> Result<(), Unfit> {
        self.check()
    }

    fn commands(&self, _: &Order<'_>) -> Vec<Command> {
        self.commands()
    }

    fn outcome(&self) -> String {
        "the BitLocker policy is set; it counts for drives whose encryption has not begun".to_owned()
    }
}

impl Setting for DeviceEncryption {
    fn name(&self) -> &'static str {
        "device_encryption"
    }

    fn subject(&self) -> String {
        "encryption of the drives".to_owned()
    }

    fn check(&self) -> Result<(), Unfit> {
        (*self).check()
    }

    fn commands(&self, order: &Order<'_>) -> Vec<Command> {
        (*self).commands(order.is_hololens)
    }

    fn outcome(&self) -> String {
        "the device is told to encrypt its drives".to_owned()
    }
}
