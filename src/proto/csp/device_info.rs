//! The nodes of an inventory: DevDetail, DeviceStatus, DMClient, CSPVersions (management reference 7.10).

use super::dm_client;
use crate::proto::syncml::LocUri;

/// The version of the operating system, `Major.Minor.Build.Revision`.
pub const SOFTWARE_VERSION: &str = "./DevDetail/SwV";
/// The CSPs of the device with their versions, as XML.
pub const CSP_VERSIONS: &str = "./Device/Vendor/MSFT/DeviceManageability/Capabilities/CSPVersions";
/// The product number.
pub const EDITION: &str = "./Vendor/MSFT/DeviceStatus/OS/Edition";
/// The identifier in the device's own DevInfo.
pub const DEV_ID: &str = "./DevInfo/DevId";
/// Whether the device takes and sends large objects in chunks.
pub const LARGE_OBJECTS: &str = "./DevDetail/LrgObj";
/// The computer name.
pub const DEVICE_NAME: &str = "./DevDetail/Ext/Microsoft/DeviceName";

/// What is read in the first session of an enrollment and then daily, one Get each; 404 means "not on this device".
#[must_use]
pub fn inventory(provider_id: &str) -> Vec<LocUri> {
    let mut nodes: Vec<LocUri> = NODES.iter().map(|node| LocUri::fixed(node)).collect();
    let of_provider = ["EntDMID", "EnrollmentType", "MaxSyncApplicationVersion", "Push/ChannelURI", "Push/Status"];
    let root = LocUri::fixed("./Device/Vendor/MSFT/DMClient/Provider").join(provider_id);
    nodes.extend(of_provider.iter().map(|name| LocUri::received(&format!("{root}/{name}"))));
    nodes.push(LocUri::fixed(dm_client::HW_DEV_ID));
    nodes.push(LocUri::fixed(CSP_VERSIONS));
    nodes
}

const NODES: &[&str] = &[
    SOFTWARE_VERSION,
    "./DevDetail/HwV",
    "./DevDetail/FwV",
    "./DevDetail/OEM",
    "./DevDetail/DevTyp",
    LARGE_OBJECTS,
    DEVICE_NAME,
    "./DevDetail/Ext/Microsoft/DNSComputerName",
    "./DevDetail/Ext/Microsoft/OSPlatform",
    "./DevDetail/Ext/Microsoft/LocalTime",
    "./DevDetail/Ext/Microsoft/ProcessorArchitecture",
    "./DevDetail/Ext/Microsoft/ProcessorType",
    "./DevDetail/Ext/Microsoft/TotalRAM",
    "./DevDetail/Ext/Microsoft/TotalStorage",
    "./DevDetail/Ext/Microsoft/FreeStorage",
    "./DevDetail/Ext/Microsoft/SMBIOSSerialNumber",
    "./DevDetail/Ext/Microsoft/SystemSKU",
    "./DevDetail/Ext/Microsoft/Resolution",
    "./DevDetail/Ext/WLANMACAddress",
    "./DevDetail/Ext/WlanIPv4Address",
    EDITION,
    "./Vendor/MSFT/DeviceStatus/OS/Mode",
    "./Vendor/MSFT/DeviceStatus/SecureBootState",
    "./Vendor/MSFT/DeviceStatus/TPM/SpecificationVersion",
    "./Vendor/MSFT/DeviceStatus/Compliance/EncryptionCompliance",
    "./Vendor/MSFT/DeviceStatus/Antivirus/Status",
    "./Vendor/MSFT/DeviceStatus/Antivirus/SignatureStatus",
    "./Vendor/MSFT/DeviceStatus/Antispyware/Status",
    "./Vendor/MSFT/DeviceStatus/Firewall/Status",
    "./Vendor/MSFT/DeviceStatus/UAC/Status",
    "./Vendor/MSFT/DeviceStatus/Battery/Status",
    "./Vendor/MSFT/DeviceStatus/DomainName",
];
