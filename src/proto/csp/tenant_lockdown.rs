//! TenantLockdown CSP (10.0.17763; not on Home; HoloLens 2 has it).

use crate::proto::syncml::{Command, LocUri};

/// Whether the next out-of-box experience insists on a network, and so on the tenant's sign-in.
pub const REQUIRE_NETWORK_IN_OOBE: &str = "./Vendor/MSFT/TenantLockdown/RequireNetworkInOOBE";

/// `Replace` with `true` or `false`.
#[must_use]
pub fn set(enable: bool) -> Command {
    Command::replace(LocUri::fixed(REQUIRE_NETWORK_IN_OOBE), "bool", if enable { "true" } else { "false" })
}

/// `Get`, to compare after [`set`].
#[must_use]
pub fn read() -> Command {
    Command::get(LocUri::fixed(REQUIRE_NETWORK_IN_OOBE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::syncml::encode_fragment;

    // covers: M-108
    #[test]
    fn the_command_is_byte_for_byte_the_documented_one() {
        let mut command = set(true);
        command.cmd_id = "c1".to_owned();
        let expected = concat!(
            "<Replace><CmdID>c1</CmdID><Item><Target><LocURI>./Vendor/MSFT/TenantLockdown/RequireNetworkInOOBE</LocURI>",
            "</Target><Meta><Format xmlns=\"syncml:metinf\">bool</Format><Type xmlns=\"syncml:metinf\">text/plain</Type>",
            "</Meta><Data>true</Data></Item></Replace>"
        );
        assert_eq!(String::from_utf8(encode_fragment(&[command])).unwrap(), expected);
    }
}
