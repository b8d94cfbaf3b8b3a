//! WiFi CSP: profiles of wireless networks (10.0.10586; HoloLens 2 has it; management reference 7.19).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::parameter::{self, Unfit};
use super::scope::Scope;
use super::secret::Secret;
use crate::proto::syncml::{Command, LocUri};
use crate::proto::xml::{Document, Element};

/// The namespace of a WLANProfile.
pub const WLAN_PROFILE: &str = "http://www.microsoft.com/networking/WLAN/profile/v1";

/// A profile of a wireless network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WifiProfile {
    /// Its name, as in the `name` of the profile; usually the SSID.
    pub name: String,
    /// Whose it is.
    #[serde(default)]
    pub scope: Scope,
    /// The `WLANProfile` document, with its keys in clear.
    pub profile: Secret,
    /// Proxy of the network, `host:port`.
    pub proxy: Option<String>,
    /// Where its proxy configuration file is (10.0.14393).
    pub proxy_pac_url: Option<String>,
    /// Whether the network tells its proxy itself, by WPAD (10.0.14393).
    pub proxy_wpad: Option<bool>,
    /// What traffic costs (10.0.17763).
    pub cost: Option<WifiCost>,
}

/// What traffic costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WifiCost {
    /// Nothing.
    Unrestricted,
    /// A flat sum up to some amount of data.
    Fixed,
    /// By the byte.
    Variable,
}

impl WifiCost {
    fn value(self) -> &'static str {
        match self {
            Self::Unrestricted => "1",
            Self::Fixed => "2",
            Self::Variable => "3",
        }
    }
}

/// The node of a profile.
#[must_use]
pub fn node(scope: Scope, name: &str) -> LocUri {
    scope.csp("WiFi/Profile").join(name)
}

/// What a name of a profile must be.
pub fn check_name(name: &str) -> Result<(), Unfit> {
    parameter::text("/name", name, 255)
}

/// Takes a profile away.
#[must_use]
pub fn remove(scope: Scope, name: &str) -> Vec<Command> {
    vec![Command::delete(node(scope, name))]
}

impl WifiProfile {
    /// Whether Windows could use it.
    pub fn check(&self) -> Result<(), Unfit> {
        check_name(&self.name)?;
        let profile = parameter::document("/profile", self.profile.reveal(), (WLAN_PROFILE, "WLANProfile"))?;
        check_profile(&profile, &self.name)?;
        if self.proxy.as_deref().is_some_and(|proxy| !is_host_and_port(proxy)) {
            return Err(Unfit::new("/proxy", "must be a host and a port, such as proxy.example.test:8080"));
        }
        parameter::optional_text("/proxy_pac_url", self.proxy_pac_url.as_deref(), 2048)?;
        match self.proxy_pac_url.as_deref().map(url::Url::parse) {
            Some(Ok(url)) if !matches!(url.scheme(), "http" | "https") => {
                Err(Unfit::new("/proxy_pac_url", "must be an http or https address"))
            }
            Some(Err(_)) => Err(Unfit::new("/proxy_pac_url", "is not an address")),
            _ => Ok(()),
        }
    }

    /// What makes or changes it: each node by Add, because none exists before the profile does.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        let node = node(self.scope, &self.name);
        let mut commands = vec![Command::add(node.below("WlanXml"), "chr", self.profile.reveal())];
        let mut add = |name, format, value: Option<&str>| {
            commands.extend(value.map(|value| Command::add(node.below(name), format, value)));
        };
        add("Proxy", "chr", self.proxy.as_deref());
        add("ProxyPacUrl", "chr", self.proxy_pac_url.as_deref());
        add("ProxyWPAD", "bool", self.proxy_wpad.map(|on| if on { "true" } else { "false" }));
        add("WiFiCost", "int", self.cost.map(WifiCost::value));
        commands
    }
}

/// What makes a profile useless on the device, as far as it can be seen from here.
fn check_profile(profile: &Document, name: &str) -> Result<(), Unfit> {
    let own_name = profile.root().child(WLAN_PROFILE, "name").map(Element::trimmed);
    if own_name.as_deref() != Some(name) {
        return Err(Unfit::new("/name", "must be the name that stands in the profile"));
    }
    let elements = || profile.root().descendants();
    // Such a key can be read only on the computer that wrote the file: netsh writes it so unless told `key=clear`.
    if elements().any(|element| element.is(WLAN_PROFILE, "protected") && parameter::is_true(element)) {
        return Err(Unfit::new(
            "/profile",
            "holds a key that only the computer it came from can read; export it with key=clear",
        ));
    }
    let is_eap_tls = elements().any(|element| element.local == "Type" && element.trimmed() == "13");
    let has_filter = elements().any(|element| element.local == "FilteringInfo");
    if is_eap_tls && !has_filter {
        return Err(Unfit::new(
            "/profile",
            "uses EAP-TLS without FilteringInfo: say which client certificate is meant, or Windows asks the user",
        ));
    }
    Ok(())
}

fn is_host_and_port(text: &str) -> bool {
    text.rsplit_once(':')
        .is_some_and(|(host, port)| port.parse::<u16>().is_ok_and(|port| port > 0) && url::Host::parse(host).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::csp::told::{right, told};

    fn profile(inside: &str) -> String {
        format!("<WLANProfile xmlns=\"{WLAN_PROFILE}\"><name>Café 1</name>{inside}</WLANProfile>")
    }

    fn office() -> WifiProfile {
        WifiProfile {
            name: "Café 1".to_owned(),
            scope: Scope::Device,
            profile: Secret::new(profile("")),
            proxy: None,
            proxy_pac_url: None,
            proxy_wpad: None,
            cost: None,
        }
    }

    #[test]
    fn a_profile_is_added_as_text_under_its_escaped_name() {
        let all = WifiProfile {
            proxy: Some("proxy.example.test:8080".to_owned()),
            proxy_pac_url: Some("https://example.test/proxy.pac".to_owned()),
            proxy_wpad: Some(false),
            cost: Some(WifiCost::Fixed),
            ..office()
        };
        let root = "./Device/Vendor/MSFT/WiFi/Profile/Caf%C3%A9%201";
        let wlan = profile("");
        let expected = [
            format!("Add {root}/WlanXml chr {wlan}"),
            format!("Add {root}/Proxy chr proxy.example.test:8080"),
            format!("Add {root}/ProxyPacUrl chr https://example.test/proxy.pac"),
            format!("Add {root}/ProxyWPAD bool false"),
            format!("Add {root}/WiFiCost int 2"),
        ];
        assert_eq!(all.check(), Ok(()));
        assert_eq!(told(&all.commands()), expected);
        right(&all.commands());
        let user = WifiProfile { scope: Scope::User, ..office() };
        let uri = "./User/Vendor/MSFT/WiFi/Profile/Caf%C3%A9%201";
        assert_eq!(told(&user.commands()), [format!("Add {uri}/WlanXml chr {wlan}")]);
        right(&user.commands());
        assert_eq!(told(&remove(Scope::User, "Café 1")), [format!("Delete {uri}")]);
        right(&remove(Scope::User, "Café 1"));
    }

    #[test]
    fn what_windows_could_not_use_is_refused() {
        let with = |inside: &str| WifiProfile { profile: Secret::new(profile(inside)), ..office() };
        let key = |protected: &str| {
            format!("<MSM><security><sharedKey><protected>{protected}</protected></sharedKey></security></MSM>")
        };
        let eap = "<EAPConfig><EapMethod xmlns=\"urn:e\"><Type>13</Type></EapMethod></EAPConfig>";
        let filtered = format!("{eap}<FilteringInfo xmlns=\"urn:f\"/>");
        for good in [with(&key("false")), with(&filtered)] {
            assert_eq!(good.check(), Ok(()));
        }
        let bad = [
            ("/profile", with(&key("true"))),
            ("/profile", with(eap)),
            ("/profile", WifiProfile { profile: Secret::new("<WLANProfile/>"), ..office() }),
            ("/profile", WifiProfile { profile: Secret::default(), ..office() }),
            ("/name", WifiProfile { name: "Other".to_owned(), ..office() }),
            ("/name", WifiProfile { name: String::new(), ..office() }),
            ("/proxy", WifiProfile { proxy: Some("proxy".to_owned()), ..office() }),
            ("/proxy", WifiProfile { proxy: Some("proxy:0".to_owned()), ..office() }),
            ("/proxy_pac_url", WifiProfile { proxy_pac_url: Some("file:///x".to_owned()), ..office() }),
            ("/proxy_pac_url", WifiProfile { proxy_pac_url: Some("x".to_owned()), ..office() }),
        ];
        for (pointer, profile) in bad {
            assert_eq!(profile.check().unwrap_err().pointer, pointer, "{profile:?}");
        }
    }
}
