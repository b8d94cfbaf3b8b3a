//! What the names of dynamic nodes are, in words of ours: descriptions say it in prose, which is not carried over.

/// The word for a dynamic node of a CSP, by the title of the node.
pub(super) fn hint(csp: &str, title: &str) -> Option<&'static str> {
    HINTS.iter().find(|(of, node, _)| (*of, *node) == (csp, title)).map(|(.., hint)| *hint)
}

const HINTS: &[(&str, &str, &str)] = &[
    ("ActiveSync", "Content Type GUID", "one-of-4-guids-in-braces"),
    ("ApplicationControl", "Policy GUID", "guid-equal-to-policy-id"),
    ("ApplicationControl", "ID", "unique-token-id"),
    ("CertificateStore", "CertHash", "sha1-hex"),
    ("DeviceManageability", "ProviderID", "provider-id"),
    ("DiagnosticLog", "ProviderGuid", "guid"),
    ("DiagnosticLog", "ChannelName", "event-channel-name-percent-encoded"),
    ("DiagnosticLog", "FileContext", "name-of-registered-provider-collector-or-channel"),
    ("DnsClient", "Policy Table Entry", "integer"),
    ("eUICCs", "eUICC", "eid"),
    ("eUICCs", "ServerName", "server-name"),
    ("eUICCs", "ICCID", "iccid"),
    ("EnterpriseDesktopAppManagement", "ProductID", "msi-product-code"),
    ("EnterpriseModernAppManagement", "PackageFamilyName", "package-family-name"),
    ("EnterpriseModernAppManagement", "ReleaseManagementKey", "package-family-name"),
    ("EnterpriseModernAppManagement", "SettingValue", "app-setting-key"),
    ("EnterpriseModernAppManagement", "LicenseID", "license-id"),
    ("LanguagePackManagement", "Language ID", "language-tag"),
    ("MultiSIM", "ModemID", "modem-id"),
    ("MultiSIM", "SlotID", "slot-id"),
    ("NetworkQoSPolicy", "Name", "policy-name"),
    ("NodeCache", "ProviderID", "provider-id"),
    ("Office", "id", "installation-id"),
    ("PassportForWork", "TenantId", "guid-without-braces"),
    ("Policy", "AppName", "app-name"),
    ("Policy", "SettingsType", "Policy-or-Preference"),
    ("PrinterProvisioning", "PrinterSharedID", "printer-share-id"),
    ("RootCATrustedCertificates", "CertHash", "sha1-hex"),
    ("VPNv2", "appTriggerRowId", "integer-from-0-without-gaps"),
    ("VPNv2", "routeRowId", "integer-from-0"),
    ("VPNv2", "dniRowId", "integer-from-0"),
    ("VPNv2", "trafficFilterId", "integer-from-0"),
];
