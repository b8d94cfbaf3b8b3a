//! A new PIN at the lock screen (management reference 7.3).

use super::recipe::Order;
use super::setting::Setting;
use crate::proto::csp::parameter::Unfit;
use crate::proto::csp::pin_recovery::PinRecovery;
use crate::proto::syncml::Command;

impl Setting for PinRecovery {
    fn name(&self) -> &'static str {
        "pin_recovery"
    }

    fn subject(&self) -> String {
        "PIN recovery".to_owned()
    }

    fn check(&self) -> Result<(), Unfit> {
        Ok(())
    }

    fn commands(&self, _: &Order<'_>) -> Vec<Command> {
        Self::commands(*self)
    }

    fn outcome(&self) -> String {
        let may = if self.enable { "may" } else { "may not" };
        format!("people {may} set a new PIN at the lock screen")
    }
}
