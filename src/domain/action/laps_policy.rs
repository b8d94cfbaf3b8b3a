//! How the password of a local administrator is made and kept (management reference 7.3).

use super::recipe::Order;
use super::setting::Setting;
use crate::proto::csp::laps_policy::LapsPolicy;
use crate::proto::csp::parameter::Unfit;
use crate::proto::syncml::Command;

impl Setting for LapsPolicy {
    fn name(&self) -> &'static str {
        "laps_policy"
    }

    fn subject(&self) -> String {
        "the LAPS policy".to_owned()
    }

    fn check(&self) -> Result<(), Unfit> {
        self.check()
    }

    fn commands(&self, _: &Order<'_>) -> Vec<Command> {
        self.commands()
    }
}
