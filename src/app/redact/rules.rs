//! Which values are secret, and which may be read by everybody who may read transcripts.
//!
//! What holds a secret is known by the name of its node, or was named in the configuration; nobody is shown it. Of the rest
//! a transcript shows what cannot hold a secret: facts about the device, plain policies, and, by the CSP catalogue, every
//! node that takes numbers or listed words only. The configuration may open it further, never to secrets.

use std::sync::Arc;

use crate::proto::csp::catalogue::{Catalogue, Domain, Format, Record, embedded};
use crate::proto::syncml::{LocUri, split_children};

/// Last segments of nodes whose value is secret, in lower case: among them the addresses at which a device can be woken, and to
/// which it uploads.
const SECRET_NODES: &[&str] = &[
    "aauthdata",
    "aauthsecret",
    "activationcode",
    "adencryptedpasswordhistory",
    "archivedefinition",
    "archiveresults",
    "challenge",
    "changeproductkey",
    "channeluri",
    "checkapplicability",
    "eapconfiguration",
    "eapuserdata",
    "l2tppsk",
    "lanxml",
    "matchingid",
    "newpinvalue",
    "offboarding",
    "onboarding",
    "pfxcertblob",
    "pfxcertpassword",
    "profilexml",
    "recoverykey",
    "sasurl",
    "snmp_communities",
    "triggerattestation",
    "upgradeeditionwithproductkey",
    "wlanxml",
    "workspacekey",
];
/// Secret nodes whose name says so only with those above it: where they stand, and their last segment in lower case.
const SECRET_BELOW: &[(&str, &str)] = &[
    ("User/Vendor/MSFT/VPNv2/{Profile}/NativeProfile/Authentication/Eap", "configuration"),
    ("Vendor/MSFT/AllJoynManagement/Credentials", "key"),
    ("Vendor/MSFT/ApplicationControl/Tokens", "token"),
    ("Vendor/MSFT/OfflineDomainJoin", "blob"),
    ("Vendor/MSFT/VPNv2/{Profile}/NativeProfile/Authentication/Eap", "configuration"),
];
/// Parts of a last segment that mark a node as secret, in lower case.
const SECRET_WORDS: &[&str] =
    &["password", "passphrase", "secret", "privatekey", "presharedkey", "productkey", "accesstoken", "credential"];
/// Where policies stand that tell how passwords must look, or how it stands with them, and so are none.
const ABOUT_PASSWORDS: &[&str] = &["Vendor/MSFT/BitLocker/Status", "Vendor/MSFT/Policy", "Vendor/MSFT/LAPS/Policies"];
/// Nodes whose values, and those of all nodes below, may be read by everybody who may read transcripts.
const HARMLESS: &[&str] = &[
    "DevDetail",
    "DevInfo",
    "User/Vendor/MSFT/Policy/Config",
    "User/Vendor/MSFT/Policy/Result",
    "Vendor/MSFT/BitLocker/Status",
    "Vendor/MSFT/DMClient",
    "Vendor/MSFT/DeviceManageability",
    "Vendor/MSFT/DeviceStatus",
    "Vendor/MSFT/EnrollmentStatusTracking",
    "Vendor/MSFT/LAPS",
    "Vendor/MSFT/NodeCache",
    "Vendor/MSFT/Policy/Config",
    "Vendor/MSFT/Policy/Result",
    "Vendor/MSFT/Reboot",
    "Vendor/MSFT/RemoteLock",
    "Vendor/MSFT/RemoteWipe",
    "Vendor/MSFT/TenantLockdown",
    "Vendor/MSFT/Update",
    "Vendor/MSFT/WindowsLicensing/Edition",
];
/// Where documents of declared configuration stand.
const DECLARED: &[&str] = &["Vendor/MSFT/DeclaredConfiguration", "User/Vendor/MSFT/DeclaredConfiguration"];
/// Where devices tell, for the computer or a user, how far they are with what they were given; the rest is not harmless.
const PROGRESS_ROOTS: &[&str] = &[
    "Vendor/MSFT/ClientCertificateInstall",
    "Vendor/MSFT/EnterpriseDesktopAppManagement",
    "Vendor/MSFT/EnterpriseModernAppManagement",
    "Vendor/MSFT/HealthAttestation",
    "Vendor/MSFT/WindowsLicensing",
];
/// Last segments below these roots, in lower case: numbers and thumbprints, by which the engine decides.
const PROGRESS: &[&str] = &["certthumbprint", "errorcode", "lasterror", "status", "thumbprint"];
/// Last segments that are not harmless wherever they are, in lower case: copies of what other nodes hold, command lines,
/// documents and blobs that may carry secrets of their own.
const NOT_HARMLESS: &[&str] = &["blob", "changednodesdata", "document", "downloadinstall", "expectedvalue"];

/// How much transcripts show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShownValues {
    /// What cannot hold a secret.
    #[default]
    Harmless,
    /// What the catalogue describes, unless it is known to be secret.
    Known,
    /// Everything, unless it is known to be secret.
    All,
}

/// What the administrator chose.
#[derive(Clone, Debug, Default)]
pub struct Disclosure {
    /// How much transcripts show.
    pub shown: ShownValues,
    /// Nodes whose values, and those of all nodes below, are secret as well; a segment in braces stands for any one name.
    pub secret_nodes: Vec<String>,
}

/// The rules as they are now.
#[derive(Clone, Debug)]
pub struct Rules {
    catalogue: Arc<Catalogue>,
    disclosure: Arc<Disclosure>,
}

/// Those of a new installation.
impl Default for Rules {
    fn default() -> Self {
        Self::new(Arc::clone(embedded()), Arc::default())
    }
}

impl Rules {
    /// By that catalogue and that choice.
    #[must_use]
    pub fn new(catalogue: Arc<Catalogue>, disclosure: Arc<Disclosure>) -> Self {
        Self { catalogue, disclosure }
    }

    /// Whether values of that node are secret.
    #[must_use]
    pub fn is_secret(&self, uri: &LocUri) -> bool {
        self.hides(&segments(uri))
    }

    /// Whether values of that node may stand in a transcript.
    #[must_use]
    pub fn is_shown(&self, uri: &LocUri) -> bool {
        let path = segments(uri);
        let name = path.last().map(|name| name.to_ascii_lowercase()).unwrap_or_default();
        if self.hides(&path) || NOT_HARMLESS.contains(&name.as_str()) {
            return false;
        }
        // The policies of an ingested ADMX file are its maker's: nobody knows what they hold.
        let ingested = path.iter().any(|segment| segment.contains('~'));
        let shown = self.disclosure.shown;
        if !ingested && (HARMLESS.iter().any(|root| is_below(&path, root)) || tells_progress(&path)) {
            return true;
        }
        match self.catalogue.find(uri.as_str()) {
            Some(found) if !found.is_ingested() => {
                shown != ShownValues::Harmless || has_no_room_for_a_secret(found.record())
            }
            _ => shown == ShownValues::All,
        }
    }

    fn hides(&self, path: &[String]) -> bool {
        let is_named = |node: &String| is_below(path, bare(node));
        names_secret(path) || is_declared(path) || self.disclosure.secret_nodes.iter().any(is_named)
    }
}

/// Whether a node takes numbers or listed words only.
fn has_no_room_for_a_secret(record: &Record) -> bool {
    match record.format {
        Format::Bool | Format::Int | Format::Float | Format::Time | Format::Date => true,
        Format::Chr => record.allowed.as_ref().is_some_and(|allowed| {
            matches!(allowed.domain, Domain::Enum(_) | Domain::Set(_) | Domain::Flag { .. } | Domain::Range { .. })
        }),
        Format::B64 | Format::Bin | Format::Node | Format::Null | Format::Xml => false,
    }
}

fn names_secret(path: &[String]) -> bool {
    let name = path.last().map(|name| name.to_ascii_lowercase()).unwrap_or_default();
    let about_passwords = ABOUT_PASSWORDS.iter().any(|root| is_below(path, root));
    let is_below_one = |(root, last): &(&str, &str)| name == *last && is_below(path, root);
    SECRET_NODES.contains(&name.as_str())
        || SECRET_BELOW.iter().any(is_below_one)
        || (!about_passwords && SECRET_WORDS.iter().any(|word| name.contains(word)))
}

fn tells_progress(path: &[String]) -> bool {
    let of_user = path.first().is_some_and(|first| first.eq_ignore_ascii_case("User"));
    let own = if of_user { path.get(1..).unwrap_or_default() } else { path };
    let name = own.last().map(|name| name.to_ascii_lowercase()).unwrap_or_default();
    PROGRESS.contains(&name.as_str()) && PROGRESS_ROOTS.iter().any(|root| is_below(own, root))
}

/// Whether it is a document of declared configuration: it may hold what profiles hold.
fn is_declared(path: &[String]) -> bool {
    let is_given = path.iter().any(|segment| segment.eq_ignore_ascii_case("Documents"));
    is_given && DECLARED.iter().any(|root| is_below(path, root))
}

/// The names on the way to a node, unescaped: without query, empty segments, and what stands for the device itself.
fn segments(uri: &LocUri) -> Vec<String> {
    let mut path = split_children(uri.path());
    for prefix in [".", "Device"] {
        if path.first().is_some_and(|first| first.eq_ignore_ascii_case(prefix)) {
            path.remove(0);
        }
    }
    path
}

/// A node of the configuration as the lists above are written.
fn bare(node: &str) -> &str {
    let node = node.trim_start_matches("./").trim_end_matches("/*");
    node.strip_prefix("Device/").unwrap_or(node)
}

/// Whether the path is that of `root` or lies below it. One that turns back is below nothing.
fn is_below(path: &[String], root: &str) -> bool {
    let turns_back = path.iter().any(|segment| matches!(segment.as_str(), "." | ".."));
    let mut own = path.iter();
    let fits =
        |name: &str, own: &String| own.eq_ignore_ascii_case(name) || (name.starts_with('{') && name.ends_with('}'));
    !turns_back && root.split('/').all(|name| own.next().is_some_and(|own| fits(name, own)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(shown: ShownValues) -> Rules {
        let secret_nodes =
            ["./Device/Vendor/MSFT/Firewall/MdmStore/FirewallRules/{Any}/Name", "./Vendor/MSFT/Contoso/*"];
        let secret_nodes = secret_nodes.map(str::to_owned).into();
        Rules::new(Arc::clone(embedded()), Arc::new(Disclosure { shown, secret_nodes }))
    }

    // covers: M-146
    #[test]
    fn nodes_of_windows_that_hold_keys_are_secret() {
        let rules = rules(ShownValues::All);
        for node in [
            "VPNv2/P/NativeProfile/L2tpPsk",
            "VPNv2/P/NativeProfile/Authentication/Eap/Configuration",
            "SurfaceHub/Dot3/EapUserData",
            "SurfaceHub/MOMAgent/WorkspaceKey",
            "AllJoynManagement/Credentials/C/Key",
            "ApplicationControl/Tokens/T/Token",
            "HealthAttestation/TriggerAttestation",
            "WindowsLicensing/CheckApplicability",
            "WiredNetwork/LanXML",
            "WindowsAdvancedThreatProtection/Onboarding",
            "OfflineDomainJoin/Blob",
            "Policy/Config/ADMX_Snmp/SNMP_Communities",
        ] {
            let uri = LocUri::received(&format!("./Device/Vendor/MSFT/{node}"));
            assert!(embedded().find(uri.as_str()).is_some(), "{uri} is a node of Windows");
            assert!(rules.is_secret(&uri) && !rules.is_shown(&uri), "{uri}");
        }
    }

    // covers: M-146
    #[test]
    fn the_catalogue_tells_what_has_no_room_for_a_secret_and_the_configuration_opens_more() {
        let levels = [ShownValues::Harmless, ShownValues::Known, ShownValues::All].map(rules);
        let rule = "./Vendor/MSFT/Firewall/MdmStore/FirewallRules/R";
        let cases = [
            (format!("{rule}/Protocol"), [true, true, true], "a number"),
            (format!("{rule}/Direction"), [true, true, true], "a listed word"),
            (format!("{rule}/Description"), [false, true, true], "free text"),
            (format!("./Device{}/Name", &rule[1..]), [false; 3], "named in the configuration"),
            (rule.to_owned(), [false, true, true], "names of others"),
            ("./Vendor/MSFT/Contoso/Anything/Below".to_owned(), [false; 3], "likewise"),
            ("./Vendor/MSFT/Fabrikam/Node".to_owned(), [false, false, true], "of no description"),
            ("./Vendor/MSFT/WiFi/Profile/x/WlanXml".to_owned(), [false; 3], "secret"),
            ("./Device/Vendor/MSFT/OfflineDomainJoin/Blob".to_owned(), [false; 3], "never harmless"),
            ("./Vendor/MSFT/DiagnosticLog/DiagnosticArchive/ArchiveDefinition".to_owned(), [false; 3], "holds a URL"),
            ("./Device/Vendor/MSFT/Policy/Config/App~Policy~A/B".to_owned(), [false, false, true], "ingested"),
            ("./DevDetail/SwV".to_owned(), [true; 3], "about the device"),
        ];
        for (uri, expected, why) in cases {
            let uri = LocUri::received(&uri);
            assert_eq!(levels.each_ref().map(|rules| rules.is_shown(&uri)), expected, "{uri}: {why}");
        }
        for rules in &levels {
            assert!(rules.is_secret(&LocUri::received("./vendor/msft/CONTOSO/Anything")));
            assert!(!rules.is_secret(&LocUri::received("./Vendor/MSFT/Contosos")));
        }
    }
}
