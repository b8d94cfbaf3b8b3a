//! How the device keeps to what it was told: policies put back, and leaving once the server is lost (management reference
//! annex B, 6.4).

use super::recipe::Order;
use super::setting::Setting;
use crate::proto::csp::config_refresh::ConfigRefresh;
use crate::proto::csp::lost_contact::LostContact;
use crate::proto::csp::parameter::Unfit;
use crate::proto::syncml::Command;

impl Setting for ConfigRefresh {
    fn name(&self) -> &'static str {
        "config_refresh"
    }

    fn subject(&self) -> String {
        "ConfigRefresh".to_owned()
    }

    fn check(&self) -> Result<(), Unfit> {
        self.check()
    }

    fn commands(&self, order: &Order<'_>) -> Vec<Command> {
        self.commands(order.provider_id)
    }

    fn outcome(&self) -> String {
        let does = if self.enabled { "puts policies back by itself" } else { "no longer puts policies back by itself" };
        format!("the device {does}")
    }
}

impl Setting for LostContact {
    fn name(&self) -> &'static str {
        "lost_contact"
    }

    fn subject(&self) -> String {
        "leaving after lost contact".to_owned()
    }

    fn check(&self) -> Result<(), Unfit> {
        self.check()
    }

    fn commands(&self, order: &Order<'_>) -> Vec<Command> {
        self.commands(order.provider_id)
    }

    fn outcome(&self) -> String {
        format!("the device leaves management by itself after {} days without a session", self.days)
    }
}
