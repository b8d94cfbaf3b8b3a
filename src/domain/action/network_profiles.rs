//! Profiles of wireless and of virtual private networks (management reference 7.19, 7.20).

use super::recipe::Order;
use super::setting::Setting;
use crate::proto::csp::parameter::Unfit;
use crate::proto::csp::vpn::VpnProfile;
use crate::proto::csp::wifi::WifiProfile;
use crate::proto::syncml::Command;

impl Setting for WifiProfile {
    fn name(&self) -> &'static str {
        "wifi_profile"
    }

    fn subject(&self) -> String {
        format!("the Wi-Fi profile {}", self.name)
    }

    fn check(&self) -> Result<(), Unfit> {
        self.check()
    }

    fn commands(&self, _: &Order<'_>) -> Vec<Command> {
        self.commands()
    }
}

impl Setting for VpnProfile {
    fn name(&self) -> &'static str {
        "vpn_profile"
    }

    fn subject(&self) -> String {
        format!("the VPN profile {}", self.name)
    }

    fn check(&self) -> Result<(), Unfit> {
        self.check()
    }

    fn commands(&self, _: &Order<'_>) -> Vec<Command> {
        self.commands()
    }
}
