//! What stands in the tree of a freshly enrolled device, and which CSPs its profile has.

use super::device::{Device, Profile};
use super::provisioning::Enrolled;
use super::tree::{Access, Tree, key};
use crate::proto::wap::{CertificateStore, Poll, thumbprint};
use crate::proto::xml::XmlWriter;

/// The tree of a device after its enrollment.
pub(super) fn initial(device: &Device, enrolled: &Enrolled) -> Tree {
    let mut tree = Tree::default();
    let (maker, model) = device.profile.hardware();
    for (name, value) in [
        ("DevId", device.device_id.as_str()),
        ("Man", maker),
        ("Mod", model),
        ("DmV", "1.3"),
        ("Lang", device.locale.as_str()),
    ] {
        tree.set(&format!("./DevInfo/{name}"), "chr", value, Access::Read);
    }
    dev_detail(&mut tree, device);
    for (name, format, value) in DEVICE_STATUS {
        tree.set(&format!("./Vendor/MSFT/DeviceStatus/{name}"), format, value, Access::Read);
    }
    let edition = device.profile.os_edition().to_string();
    tree.set("./Vendor/MSFT/DeviceStatus/OS/Edition", "chr", &edition, Access::Read);
    tree.set(CSP_VERSIONS, "chr", &csp_versions(device.profile), Access::Read);
    tree.set("./Vendor/MSFT/TenantLockdown/RequireNetworkInOOBE", "bool", "false", Access::Write);
    dm_client(&mut tree, device, enrolled);
    certificate(&mut tree, enrolled);
    tree
}

fn dev_detail(tree: &mut Tree, device: &Device) {
    let (maker, model) = device.profile.hardware();
    let architecture = if device.profile == Profile::HoloLens2 { "12" } else { "9" };
    let mac = device.macs.first().map(|mac| mac.replace('-', "")).unwrap_or_default();
    for (name, format, value) in [
        ("SwV", "chr", device.profile.os_version()),
        ("HwV", "chr", model),
        ("FwV", "chr", "1.14.2"),
        ("OEM", "chr", maker),
        ("DevTyp", "chr", "Desktop"),
        ("LrgObj", "bool", "false"),
        ("URI/MaxDepth", "int", "0"),
        ("URI/MaxTotLen", "int", "0"),
        ("URI/MaxSegLen", "int", "0"),
        ("Ext/Microsoft/DeviceName", "chr", &device.name),
        ("Ext/Microsoft/OSPlatform", "chr", "Windows"),
        ("Ext/Microsoft/ProcessorArchitecture", "int", architecture),
        ("Ext/Microsoft/ProcessorType", "int", "8664"),
        ("Ext/Microsoft/TotalRAM", "int", "8192"),
        ("Ext/Microsoft/TotalStorage", "int", "243712"),
        ("Ext/Microsoft/FreeStorage", "int", "131072"),
        ("Ext/Microsoft/SMBIOSSerialNumber", "chr", &device.serial_number),
        ("Ext/Microsoft/Resolution", "chr", "1920x1080"),
        ("Ext/WLANMACAddress", "chr", &mac),
    ] {
        tree.set(&format!("./DevDetail/{name}"), format, value, Access::Read);
    }
    tree.set("./DevDetail/Ext/Microsoft/DNSComputerName", "chr", &device.name, Access::Write);
}

fn dm_client(tree: &mut Tree, device: &Device, enrolled: &Enrolled) {
    let account = &enrolled.account;
    tree.set("./Vendor/MSFT/DMClient/HWDevID", "chr", &device.hardware_id, Access::Read);
    let kind = match enrolled.store {
        CertificateStore::User => "Full",
        CertificateStore::System => "Device",
    };
    let or_empty = |text: &Option<String>| text.clone().unwrap_or_default();
    for (name, format, value, access) in [
        ("EntDMID", "chr", or_empty(&account.ent_dm_id), Access::Write),
        ("UPN", "chr", or_empty(&account.upn), Access::Write),
        ("EntDeviceName", "chr", or_empty(&account.device_name), Access::Write),
        ("ManagementServiceAddress", "chr", account.addr.clone(), Access::Write),
        ("EnrollmentType", "chr", kind.to_owned(), Access::Read),
        ("MaxSyncApplicationVersion", "chr", "5.0".to_owned(), Access::Read),
        ("SyncApplicationVersion", "chr", "1.0".to_owned(), Access::Write),
        ("EnableOmaDmKeepAliveMessage", "bool", "false".to_owned(), Access::Write),
        ("Push/Status", "int", "0".to_owned(), Access::Read),
    ] {
        tree.set(&provider_node(&account.provider_id, name), format, &value, access);
    }
    for (name, value) in account.poll.iter().flat_map(Poll::numbers) {
        let uri = provider_node(&account.provider_id, &format!("Poll/{name}"));
        tree.set(&uri, "int", &value.to_string(), Access::Write);
    }
}

/// The certificate of the enrollment; `CertThumprint` is spelt like that.
fn certificate(tree: &mut Tree, enrolled: &Enrolled) {
    let days = |own: Option<u32>, usual: u32| own.unwrap_or(usual).to_string();
    let renewal = enrolled.renewal.as_ref();
    for (name, format, value, access) in [
        ("CertThumprint", "chr", thumbprint(&enrolled.certificate), Access::Read),
        ("Renew/RenewPeriod", "int", days(renewal.map(|r| r.period_days), 42), Access::Write),
        ("Renew/RetryInterval", "int", days(renewal.map(|r| r.retry_days), 7), Access::Write),
        ("Renew/ROBOSupport", "bool", "true".to_owned(), Access::Write),
        ("Renew/Status", "int", "0".to_owned(), Access::Read),
        ("Renew/ErrorCode", "int", "0".to_owned(), Access::Read),
    ] {
        tree.set(&format!("./Vendor/MSFT/CertificateStore/MY/WSTEP/{name}"), format, &value, access);
    }
}

/// A node below our provider in DMClient.
pub(super) fn provider_node(provider_id: &str, name: &str) -> String {
    format!("./Device/Vendor/MSFT/DMClient/Provider/{provider_id}/{name}")
}

/// Whether the profile has the CSP that an address belongs to.
pub(super) fn has_csp(profile: Profile, uri: &str) -> bool {
    let key = key(uri);
    let rest = key.strip_prefix("./user/").map(|rest| format!("./{rest}")).unwrap_or(key);
    let Some(name) = rest.strip_prefix("./vendor/msft/") else {
        return rest.starts_with("./devinfo") || rest.starts_with("./devdetail") || rest.starts_with("./syncml/dmacc");
    };
    let name = name.split('/').next().unwrap_or_default();
    csps(profile).any(|csp| csp.eq_ignore_ascii_case(name))
}

/// Whether a server may make nodes of its own there.
pub(super) fn is_open(uri: &str) -> bool {
    let key = key(uri);
    let rest = key.strip_prefix("./user/").map(|rest| format!("./{rest}")).unwrap_or(key);
    let closed = ["devicestatus", "remotelock", "remotewipe", "reboot", "tenantlockdown", "devicemanageability"];
    match rest.strip_prefix("./vendor/msft/") {
        Some(path) => {
            let name = path.split('/').next().unwrap_or_default();
            path.contains('/') && !closed.contains(&name) && !path.starts_with("policy/result")
        }
        None => rest.starts_with("./syncml/dmacc/"),
    }
}

fn csps(profile: Profile) -> impl Iterator<Item = &'static str> {
    let more = if profile == Profile::HoloLens2 { &[][..] } else { PC_CSPS };
    COMMON_CSPS.iter().chain(more).copied()
}

fn csp_versions(profile: Profile) -> String {
    let mut w = XmlWriter::new();
    w.element("DeviceManageability", &[], |w| {
        w.element("Capabilities", &[], |w| {
            w.element("CSPVersions", &[], |w| {
                for node in ["./DevDetail", "./DevInfo"] {
                    w.empty("CSP", &[("Node", node), ("Version", "1.1")]);
                }
                for name in csps(profile) {
                    w.empty("CSP", &[("Node", &format!("./Vendor/MSFT/{name}")), ("Version", "1.1")]);
                }
            });
        });
    });
    String::from_utf8(w.into_bytes()).unwrap_or_default()
}

const CSP_VERSIONS: &str = "./Device/Vendor/MSFT/DeviceManageability/Capabilities/CSPVersions";

const DEVICE_STATUS: [(&str, &str, &str); 11] = [
    ("OS/Mode", "chr", "0"),
    ("SecureBootState", "int", "1"),
    ("TPM/SpecificationVersion", "chr", "2.0"),
    ("Compliance/EncryptionCompliance", "bool", "false"),
    ("Antivirus/Status", "int", "0"),
    ("Antivirus/SignatureStatus", "int", "1"),
    ("Antispyware/Status", "int", "0"),
    ("Firewall/Status", "int", "0"),
    ("UAC/Status", "int", "1"),
    ("Battery/Status", "int", "0"),
    ("DomainName", "chr", "WORKGROUP"),
];

/// What HoloLens 2 has as well.
const COMMON_CSPS: &[&str] = &[
    "AccountManagement",
    "Accounts",
    "ApplicationControl",
    "AssignedAccess",
    "CertificateStore",
    "ClientCertificateInstall",
    "DeviceManageability",
    "DeviceStatus",
    "DiagnosticLog",
    "DMClient",
    "EnrollmentStatusTracking",
    "EnterpriseModernAppManagement",
    "NetworkProxy",
    "NetworkQoSPolicy",
    "NodeCache",
    "PassportForWork",
    "Policy",
    "RemoteFind",
    "RemoteWipe",
    "RootCATrustedCertificates",
    "TenantLockdown",
    "Update",
    "VPNv2",
    "WiFi",
];

/// What a PC has in addition.
const PC_CSPS: &[&str] = &[
    "AppLocker",
    "BitLocker",
    "Defender",
    "EnterpriseDesktopAppManagement",
    "Firewall",
    "HealthAttestation",
    "LAPS",
    "Office",
    "Personalization",
    "Reboot",
    "RemoteLock",
    "SharedPC",
    "WindowsLicensing",
];
