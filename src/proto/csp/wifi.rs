//! WiFi CSP (10.0.10586, all editions; management reference 7.19): profiles of wireless networks.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::scope::Scope;
use super::secret::Secret;
use super::value::{HttpUrl, Line, Within, check_document};
use crate::proto::syncml::{Command, LocUri};
use crate::proto::xml::XmlWriter;

/// The namespace of a profile.
const WLAN_PROFILE: &str = "http://www.microsoft.com/networking/WLAN/profile/v1";

/// A wireless network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WifiProfile {
    /// For the device, or for the signed-in user.
    #[serde(default)]
    pub scope: Scope,
    /// Its name (SSID).
    #[schema(value_type = String, example = "Example Guests")]
    pub ssid: Line<32>,
    /// A WLANProfile document; for networks that ask for more than a passphrase.
    #[serde(default)]
    pub profile_xml: Option<Secret>,
    /// The passphrase of a network that needs nothing else; 8 to 63 characters.
    #[serde(default)]
    pub passphrase: Option<Secret>,
    /// How such a network is secured. Default `wpa2`.
    #[serde(default)]
    pub security: Security,
    /// Whether the network does not tell its name. Default false.
    #[serde(default)]
    pub hidden: bool,
    /// A proxy, `host:port`.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "proxy.example.test:8080")]
    pub proxy: Option<Line<255>>,
    /// Where the proxy configuration is.
    #[serde(default)]
    pub proxy_pac_url: Option<HttpUrl>,
    /// Whether the device looks for a proxy on its own.
    #[serde(default)]
    pub proxy_autodetect: Option<bool>,
    /// 1 unrestricted, 2 fixed volume, 3 paid by volume.
    #[serde(default)]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 3)]
    pub cost: Option<Within<1, 3>>,
}

/// How a network with a passphrase is secured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Security {
    /// WPA2 with a pre-shared key.
    #[default]
    Wpa2,
    /// WPA3 with simultaneous authentication of equals.
    Wpa3,
}

impl Security {
    fn name(self) -> &'static str {
        match self {
            Self::Wpa2 => "WPA2PSK",
            Self::Wpa3 => "WPA3SAE",
        }
    }
}

/// Which wireless network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WifiKey {
    /// For the device, or for the signed-in user.
    #[serde(default)]
    pub scope: Scope,
    /// Its name (SSID).
    #[schema(value_type = String)]
    pub ssid: Line<32>,
}

impl WifiProfile {
    /// Which one it is.
    #[must_use]
    pub fn key(&self) -> WifiKey {
        WifiKey { scope: self.scope, ssid: self.ssid.clone() }
    }

    /// What is wrong with it, by field.
    #[must_use]
    pub fn mistakes(&self) -> Vec<(&'static str, String)> {
        match (&self.profile_xml, &self.passphrase) {
            (Some(xml), None) => {
                let checked = check_document(xml.reveal(), Some(WLAN_PROFILE), "WLANProfile");
                checked.err().map(|words| ("profile_xml", words)).into_iter().collect()
            }
            (None, Some(passphrase)) => {
                let text = passphrase.reveal();
                let good = (8..=63).contains(&text.len()) && text.bytes().all(|byte| (0x20..0x7F).contains(&byte));
                if good {
                    return Vec::new();
                }
                vec![("passphrase", "has 8 to 63 printable ASCII characters".to_owned())]
            }
            _ => vec![("profile_xml", "give either profile_xml or passphrase".to_owned())],
        }
    }

    /// The node that holds the profile (`chr`).
    #[must_use]
    pub fn node(&self) -> LocUri {
        self.key().node().below("WlanXml")
    }

    /// The profile, then what is set beside it.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        let root = self.key().node();
        let mut commands = vec![Command::add(self.node(), "chr", &self.document())];
        let mut set = |name: &'static str, format: &str, value: &str| {
            commands.push(Command::replace(root.below(name), format, value));
        };
        if let Some(proxy) = &self.proxy {
            set("Proxy", "chr", proxy.as_str());
        }
        if let Some(url) = &self.proxy_pac_url {
            set("ProxyPacUrl", "chr", url.as_str());
        }
        if let Some(detect) = self.proxy_autodetect {
            set("ProxyWPAD", "bool", if detect { "true" } else { "false" });
        }
        if let Some(cost) = self.cost {
            set("WiFiCost", "int", &cost.get().to_string());
        }
        commands
    }

    fn document(&self) -> String {
        match &self.profile_xml {
            Some(xml) => xml.reveal().to_owned(),
            None => self.passphrase_document(),
        }
    }

    /// The profile of a network with a passphrase, to which the device connects on its own.
    fn passphrase_document(&self) -> String {
        let mut xml = XmlWriter::new();
        xml.element("WLANProfile", &[("xmlns", WLAN_PROFILE)], |xml| {
            xml.leaf("name", &[], self.ssid.as_str());
            xml.element("SSIDConfig", &[], |xml| {
                xml.element("SSID", &[], |xml| xml.leaf("name", &[], self.ssid.as_str()));
                if self.hidden {
                    xml.leaf("nonBroadcast", &[], "true");
                }
            });
            xml.leaf("connectionType", &[], "ESS");
            xml.leaf("connectionMode", &[], "auto");
            xml.element("MSM", &[], |xml| xml.element("security", &[], |xml| self.security(xml)));
        });
        String::from_utf8(xml.into_bytes()).unwrap_or_default()
    }

    fn security(&self, xml: &mut XmlWriter) {
        xml.element("authEncryption", &[], |xml| {
            xml.leaf("authentication", &[], self.security.name());
            xml.leaf("encryption", &[], "AES");
            xml.leaf("useOneX", &[], "false");
        });
        xml.element("sharedKey", &[], |xml| {
            xml.leaf("keyType", &[], "passPhrase");
            xml.leaf("protected", &[], "false");
            xml.leaf("keyMaterial", &[], self.passphrase.as_ref().map_or("", Secret::reveal));
        });
    }
}

impl WifiKey {
    /// The node of the profile.
    #[must_use]
    pub fn node(&self) -> LocUri {
        self.scope.node("WiFi/Profile").join(self.ssid.as_str())
    }

    /// `Delete` of it; 404 says that it is gone.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        vec![Command::delete(self.node())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::syncml::Verb;

    fn profile(json: &str) -> WifiProfile {
        serde_json::from_str(json).unwrap()
    }

    // covers: M-91
    #[test]
    fn a_network_with_a_passphrase_is_written_as_a_profile() {
        let guests = profile(r#"{"ssid": "Käse & Guests", "passphrase": "<swordfish>", "proxy": "p:80", "cost": 2}"#);
        assert!(guests.mistakes().is_empty());
        let commands = guests.commands();
        let uris: Vec<(Verb, &str)> =
            commands.iter().map(|c| (c.verb, c.items[0].target.as_ref().unwrap().as_str())).collect();
        let root = "./Device/Vendor/MSFT/WiFi/Profile/K%C3%A4se%20%26%20Guests";
        assert_eq!(uris[0], (Verb::Add, format!("{root}/WlanXml").as_str()));
        assert_eq!(uris[1], (Verb::Replace, format!("{root}/Proxy").as_str()));
        assert_eq!(uris[2], (Verb::Replace, format!("{root}/WiFiCost").as_str()));
        let expected = concat!(
            "<WLANProfile xmlns=\"http://www.microsoft.com/networking/WLAN/profile/v1\"><name>Käse &amp; Guests</name>",
            "<SSIDConfig><SSID><name>Käse &amp; Guests</name></SSID></SSIDConfig><connectionType>ESS</connectionType>",
            "<connectionMode>auto</connectionMode><MSM><security><authEncryption><authentication>WPA2PSK</authentication>",
            "<encryption>AES</encryption><useOneX>false</useOneX></authEncryption><sharedKey><keyType>passPhrase</keyType>",
            "<protected>false</protected><keyMaterial>&lt;swordfish&gt;</keyMaterial></sharedKey></security></MSM></WLANProfile>"
        );
        assert_eq!(commands[0].items[0].text(), expected);
        assert_eq!(commands[0].items[0].meta.format.as_deref(), Some("chr"));
    }

    #[test]
    fn a_profile_is_checked_before_it_is_queued() {
        let own = |xml: &str| profile(&serde_json::json!({"ssid": "a", "profile_xml": xml}).to_string());
        assert!(
            own("<WLANProfile xmlns='http://www.microsoft.com/networking/WLAN/profile/v1'/>").mistakes().is_empty()
        );
        for wrong in ["<WLANProfile/>", "<WLANProfile", "text"] {
            assert_eq!(own(wrong).mistakes()[0].0, "profile_xml", "{wrong}");
        }
        assert_eq!(profile(r#"{"ssid": "a", "passphrase": "short"}"#).mistakes()[0].0, "passphrase");
        assert_eq!(profile(r#"{"ssid": "a"}"#).mistakes()[0].0, "profile_xml");
        assert!(serde_json::from_str::<WifiProfile>(r#"{"ssid": "", "passphrase": "12345678"}"#).is_err());
    }
}
