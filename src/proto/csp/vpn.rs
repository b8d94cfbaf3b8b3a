//! VPNv2 CSP: profiles of virtual private networks (10.0.10586, `ProfileXML` 10.0.14393; HoloLens 2 has it; management
//! reference 7.20).
//!
//! A profile is one Atomic, whether it is written as one document or node by node (`AtomicRequired` in its description).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::parameter::{self, Unfit};
use super::scope::Scope;
use super::secret::Secret;
use crate::proto::syncml::{Command, LocUri, Verb};
use crate::proto::xml::Document;

/// A profile of a virtual private network, as one document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VpnProfile {
    /// Its name, without `/`.
    pub name: String,
    /// Whose it is.
    #[serde(default)]
    pub scope: Scope,
    /// The `VPNProfile` document.
    pub profile: Secret,
}

/// The node of a profile.
#[must_use]
pub fn node(scope: Scope, name: &str) -> LocUri {
    scope.csp("VPNv2").join(name)
}

/// What a name of a profile must be.
pub fn check_name(name: &str) -> Result<(), Unfit> {
    parameter::text("/name", name, 255)?;
    if name.contains('/') { Err(Unfit::new("/name", "must not have a /")) } else { Ok(()) }
}

/// Takes a profile away.
#[must_use]
pub fn remove(scope: Scope, name: &str) -> Vec<Command> {
    vec![Command::delete(node(scope, name))]
}

impl VpnProfile {
    /// Whether Windows could use it.
    pub fn check(&self) -> Result<(), Unfit> {
        check_name(&self.name)?;
        let profile = parameter::document("/profile", self.profile.reveal(), ("", "VPNProfile"))?;
        check_profile(&profile, self.scope)
    }

    /// What makes or changes it.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        let profile = Command::add(node(self.scope, &self.name).below("ProfileXML"), "chr", self.profile.reveal());
        vec![Command::container(Verb::Atomic, vec![profile])]
    }
}

/// What Windows asks of every profile: servers, by a protocol of its own or by a plug-in.
fn check_profile(profile: &Document, scope: Scope) -> Result<(), Unfit> {
    let child = |name: &str| profile.root().child("", name);
    let refuse = |words: &str| Err(Unfit::new("/profile", words));
    let servers = match (child("NativeProfile"), child("PluginProfile")) {
        (Some(native), None) => native.child("", "Servers"),
        (None, Some(plugin)) => plugin.child("", "ServerUrlList"),
        _ => return refuse("must have either NativeProfile or PluginProfile"),
    };
    if servers.is_none_or(|servers| servers.trimmed().is_empty()) {
        return refuse("names no server: Servers in NativeProfile, or ServerUrlList in PluginProfile");
    }
    let tunnel = child("DeviceTunnel").is_some_and(parameter::is_true);
    if tunnel && scope == Scope::User {
        return refuse("is a device tunnel, which belongs to the device, not to a user");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::csp::told::{right, told};

    const IKE: &str = "<VPNProfile><NativeProfile><Servers>vpn.example.test</Servers></NativeProfile></VPNProfile>";

    fn head_office() -> VpnProfile {
        VpnProfile { name: "Head office".to_owned(), scope: Scope::Device, profile: Secret::new(IKE) }
    }

    #[test]
    fn a_profile_is_one_atomic() {
        let uri = "./Device/Vendor/MSFT/VPNv2/Head%20office";
        let expected = ["Atomic".to_owned(), format!("  Add {uri}/ProfileXML chr {IKE}")];
        assert_eq!(head_office().check(), Ok(()));
        assert_eq!(told(&head_office().commands()), expected);
        right(&head_office().commands());
        let user = VpnProfile { scope: Scope::User, ..head_office() };
        assert_eq!(
            told(&user.commands())[1],
            format!("  Add ./User/Vendor/MSFT/VPNv2/Head%20office/ProfileXML chr {IKE}")
        );
        right(&user.commands());
        assert_eq!(told(&remove(Scope::Device, "Head office")), [format!("Delete {uri}")]);
        right(&remove(Scope::Device, "Head office"));
    }

    #[test]
    fn what_windows_could_not_use_is_refused() {
        let with = |profile: &str| VpnProfile { profile: Secret::new(profile), ..head_office() };
        let plugin =
            "<VPNProfile><PluginProfile><ServerUrlList>vpn.example.test</ServerUrlList></PluginProfile></VPNProfile>";
        assert_eq!(with(plugin).check(), Ok(()));
        let tunnel = IKE.replace("<Native", "<DeviceTunnel>true</DeviceTunnel><Native");
        assert_eq!(with(&tunnel).check(), Ok(()));
        let bad = [
            ("/name", VpnProfile { name: "a/b".to_owned(), ..head_office() }),
            ("/name", VpnProfile { name: String::new(), ..head_office() }),
            ("/profile", with("<VPNProfile/>")),
            ("/profile", with("<VPNProfile><NativeProfile/></VPNProfile>")),
            ("/profile", with("<VPNProfile xmlns='urn:x'/>")),
            ("/profile", VpnProfile { scope: Scope::User, ..with(&tunnel) }),
        ];
        for (pointer, profile) in bad {
            assert_eq!(profile.check().unwrap_err().pointer, pointer, "{profile:?}");
        }
    }
}
