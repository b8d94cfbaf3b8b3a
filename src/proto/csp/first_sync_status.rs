//! The enrollment status page: DMClient `FirstSyncStatus` and EnrollmentStatusTracking (management reference 7.22,
//! enrollment reference 9.8; 10.0.16299, tracking 10.0.18362).
//!
//! Out-of-box setup shows the page until the server says, in the device's and in the user's tree, that it has finished.

use serde::{Deserialize, Serialize};

use crate::proto::syncml::{Command, LocUri};

/// What the page shows and allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Minutes after which the page fails by itself, 1 to 1440.
    pub timeout_minutes: u32,
    /// `BlockInStatusPage`: what a person may do when it failed. 1 reset, 2 try again, 4 continue anyway; 0 nothing.
    pub choices: u32,
    /// Whether a person may collect logs from it.
    pub log_collection: bool,
    /// What it says when it failed; empty: the words of Windows.
    pub error_text: String,
}

/// The page waits until our side is ready; the nodes of the user's tree are made even though nobody is signed in.
#[must_use]
pub fn hold(provider_id: &str, page: &Page, expected: &[Expected]) -> Vec<Command> {
    let user = user_provider(provider_id);
    let mut commands = vec![
        Command::add_node(user.clone(), "node"),
        Command::add_node(user.join("FirstSyncStatus"), "node"),
        set(device(provider_id, "SkipDeviceStatusPage"), "bool", "false"),
        set(device(provider_id, "SkipUserStatusPage"), "bool", "false"),
        set(device(provider_id, "BlockInStatusPage"), "int", &page.choices.to_string()),
        set(device(provider_id, "AllowCollectLogsButton"), "bool", if page.log_collection { "true" } else { "false" }),
    ];
    if !page.error_text.is_empty() {
        commands.push(set(device(provider_id, "CustomErrorText"), "chr", &page.error_text));
    }
    commands.push(set(device(provider_id, "TimeOutUntilSyncFailure"), "int", &page.timeout_minutes.to_string()));
    commands.extend(expected.iter().map(|list| set(device(provider_id, list.node), "chr", &list.value)));
    commands.push(Command::add_node(tracked(provider_id), "node"));
    commands.push(set(tracked(provider_id).join("InstallationState"), "int", NOT_INSTALLED));
    commands
}

/// Our side is ready.
#[must_use]
pub fn ready(provider_id: &str) -> Command {
    set(tracked(provider_id).join("InstallationState"), "int", COMPLETED)
}

/// Ends the part of the page that is about the device. It cannot be taken back: a second one is answered 405.
#[must_use]
pub fn release_device(provider_id: &str) -> Command {
    set(device(provider_id, "ServerHasFinishedProvisioning"), "bool", "true")
}

/// Ends the part of the page that is about the user.
#[must_use]
pub fn release_user(provider_id: &str) -> Command {
    set(user_provider(provider_id).join("FirstSyncStatus").join("ServerHasFinishedProvisioning"), "bool", "true")
}

/// Makes the page fail: a time-out of one minute is what builds that ignore `WasDeviceSuccessfullyProvisioned` obey too.
#[must_use]
pub fn fail(provider_id: &str, page: &Page, words: &str) -> [Command; 3] {
    let words = if page.error_text.is_empty() { words } else { &page.error_text };
    [
        set(device(provider_id, "CustomErrorText"), "chr", words),
        set(device(provider_id, "BlockInStatusPage"), "int", &page.choices.to_string()),
        set(device(provider_id, "TimeOutUntilSyncFailure"), "int", "1"),
    ]
}

/// One of the lists that the page counts down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    node: &'static str,
    value: String,
}

/// What of these nodes of the device's tree the page can track, as the lists it wants: LocURIs with U+F000 between them.
#[must_use]
pub fn expected<'a>(targets: impl Iterator<Item = &'a LocUri>) -> Vec<Expected> {
    let mut lists: Vec<Expected> = Vec::new();
    for uri in targets {
        let Some((node, entry)) = tracks(uri) else { continue };
        match lists.iter_mut().find(|list| list.node == node) {
            Some(list) if list.value.split(SEPARATOR).any(|known| known == entry) => {}
            Some(list) => list.value.extend([&SEPARATOR.to_string(), entry.as_str()]),
            None => lists.push(Expected { node, value: entry }),
        }
    }
    lists
}

/// The list that a node belongs to, and its entry there.
fn tracks(uri: &LocUri) -> Option<(&'static str, String)> {
    let below = |root: &'static str| uri.is_at_or_below(&LocUri::fixed(root));
    let named = |last: &str| uri.last_segment().eq_ignore_ascii_case(last);
    let text = uri.as_str().to_owned();
    if below("./Device/Vendor/MSFT/Policy/Config") {
        Some(("ExpectedPolicies", text))
    } else if (below("./Device/Vendor/MSFT/WiFi/Profile") && named("WlanXml"))
        || (below("./Device/Vendor/MSFT/VPNv2") && named("ProfileXML"))
    {
        Some(("ExpectedNetworkProfiles", text))
    } else if below("./Device/Vendor/MSFT/EnterpriseDesktopAppManagement/MSI") && named("DownloadInstall") {
        Some(("ExpectedMSIAppPackages", format!("{text};1")))
    } else if below("./Device/Vendor/MSFT/ClientCertificateInstall/PFXCertInstall") && named("PFXCertBlob") {
        Some(("ExpectedPFXCerts", text))
    } else if below("./Device/Vendor/MSFT/ClientCertificateInstall/SCEP") && named("Enroll") {
        Some(("ExpectedSCEPCerts", text))
    } else {
        None
    }
}

/// Separates the entries of a list.
const SEPARATOR: char = '\u{F000}';
/// `InstallationState`
const NOT_INSTALLED: &str = "1";
const COMPLETED: &str = "3";

fn device(provider_id: &str, name: &'static str) -> LocUri {
    super::dm_client::node(provider_id, "FirstSyncStatus").join(name)
}

fn user_provider(provider_id: &str) -> LocUri {
    LocUri::fixed("./User/Vendor/MSFT/DMClient/Provider").join(provider_id)
}

fn tracked(provider_id: &str) -> LocUri {
    LocUri::fixed("./Device/Vendor/MSFT/EnrollmentStatusTracking/DevicePreparation/PolicyProviders").join(provider_id)
}

fn set(uri: LocUri, format: &str, value: &str) -> Command {
    Command::replace(uri, format, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(command: &Command) -> (&'static str, String, String, String) {
        let item = &command.items[0];
        let uri = item.target.as_ref().unwrap().as_str().to_owned();
        (command.verb.name(), uri, item.meta.format.clone().unwrap(), item.text().to_owned())
    }

    #[test]
    fn release_names_both_trees() {
        let both = [told(&release_device("Muster")), told(&release_user("Muster"))];
        let end = "/Vendor/MSFT/DMClient/Provider/Muster/FirstSyncStatus/ServerHasFinishedProvisioning";
        let expect = |root: &str| ("Replace", format!("{root}{end}"), "bool".to_owned(), "true".to_owned());
        assert_eq!(both, [expect("./Device"), expect("./User")]);
    }

    #[test]
    fn lists_hold_each_entry_once() {
        let uris: Vec<LocUri> = [
            "./Device/Vendor/MSFT/Policy/Config/Camera/AllowCamera",
            "./Device/Vendor/MSFT/Policy/Config/Camera/AllowCamera",
            "./Vendor/MSFT/Policy/Config/DeviceLock/MinDevicePasswordLength",
            "./Device/Vendor/MSFT/EnterpriseDesktopAppManagement/MSI/%7BA%7D/DownloadInstall",
            "./Device/Vendor/MSFT/Reboot/RebootNow",
        ]
        .map(LocUri::received)
        .into();
        let lists: Vec<(&str, Vec<String>)> = expected(uris.iter())
            .into_iter()
            .map(|list| (list.node, list.value.split(SEPARATOR).map(str::to_owned).collect()))
            .collect();
        let policies = [&uris[0], &uris[2]].map(|uri| uri.as_str().to_owned()).into();
        let msi = vec![format!("{};1", uris[3].as_str())];
        assert_eq!(lists, [("ExpectedPolicies", policies), ("ExpectedMSIAppPackages", msi)]);
    }
}
