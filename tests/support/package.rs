//! A provisioning package as a Windows PC would take it: the archive unpacked, its settings read by somebody else's
//! reader, and an enrollment with what they say and nothing else.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::PathBuf;
use std::process::Command;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::api::User;
use super::csr::Csr;
use super::device::{FakeDevice, Profile};
use super::http::{Address, Request, Tls, once};
use super::openssl::temporary;
use super::server::Server;
use super::soap::{self, Fault, RstBody, Soap, username_token};
use super::tree::Element;
use super::xcep;

/// The files of an archive.
pub struct Unpacked(pub BTreeMap<String, Vec<u8>>);

/// What `customizations.xml` says to a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub id: String,
    pub version: String,
    pub upn: String,
    pub auth_policy: String,
    pub discovery: String,
    pub secret: String,
    pub root: Option<String>,
    pub device_name: Option<String>,
    pub ssid: Option<String>,
    pub wifi_key: Option<String>,
    pub admin: Option<String>,
}

const PACKAGE: &str = "urn:schemas-Microsoft-com:Windows-ICD-Package-Config.v1.0";
const SETTINGS: &str = "urn:schemas-microsoft-com:windows-provisioning";

impl Unpacked {
    pub fn new(archive: &[u8]) -> Self {
        let mut zip = zip::ZipArchive::new(Cursor::new(archive)).expect("the archive is a ZIP");
        let mut files = BTreeMap::new();
        for index in 0..zip.len() {
            let mut entry = zip.by_index(index).expect("the entry is whole");
            let mut content = Vec::new();
            entry.read_to_end(&mut content).expect("the entry unpacks");
            let name = entry.name().expect("the name is text").into_owned();
            files.insert(name, content);
        }
        Self(files)
    }

    pub fn text(&self, name: &str) -> &str {
        std::str::from_utf8(&self.0[name]).unwrap_or_else(|_| panic!("{name} is not UTF-8"))
    }

    /// What the settings say, read by a reader that knows nothing of ours.
    pub fn said(&self) -> Said {
        let root = Element::parse("E-127 customizations.xml", self.text("customizations.xml"));
        assert_eq!((root.name.as_str(), root.namespace.as_str()), ("WindowsCustomizations", ""), "E-127");
        assert_eq!(root.at("PackageConfig").namespace, PACKAGE, "E-127");
        assert_eq!(root.at("Settings").namespace, SETTINGS, "E-127");
        let common = root.at("Settings/Customizations/Common");
        let upn = common.at("Workplace/Enrollments/UPN");
        assert_eq!(upn.attribute("UPN"), upn.attribute("Name"), "E-127");
        let find = |name: &str| common.walk().into_iter().find(|element| element.name == name);
        let text = |name: &str| find(name).map(|element| element.text.clone());
        Said {
            id: root.text_at("PackageConfig/ID").to_owned(),
            version: root.text_at("PackageConfig/Version").to_owned(),
            upn: upn.attribute("UPN").unwrap().to_owned(),
            auth_policy: upn.text_at("AuthPolicy").to_owned(),
            discovery: upn.text_at("DiscoveryServiceFullUrl").to_owned(),
            secret: upn.text_at("Secret").to_owned(),
            root: text("CertificatePath"),
            device_name: text("DNSComputerName"),
            ssid: find("WLANConfig").and_then(|wifi| wifi.attribute("SSID")).map(str::to_owned),
            wifi_key: text("SecurityKey"),
            admin: find("User").and_then(|user| user.attribute("UserName")).map(str::to_owned),
        }
    }

    /// The same by xmllint; None where that is not installed.
    pub fn said_by_xmllint(&self) -> Option<Said> {
        let file = temporary("customizations.xml", &self.0["customizations.xml"]);
        if Command::new("xmllint").arg("--version").output().is_err() {
            eprintln!("skipped: xmllint is not installed");
            return None;
        }
        let ask = |path: &str| xpath(&file, path);
        let optional = |path: &str| Some(ask(path)).filter(|text| !text.is_empty());
        let local = |name: &str| format!("//*[local-name()='{name}']");
        Some(Said {
            id: ask(&local("ID")),
            version: ask(&local("Version")),
            upn: ask("//*[local-name()='UPN']/@UPN"),
            auth_policy: ask(&local("AuthPolicy")),
            discovery: ask(&local("DiscoveryServiceFullUrl")),
            secret: ask(&local("Secret")),
            root: optional(&local("CertificatePath")),
            device_name: optional(&local("DNSComputerName")),
            ssid: optional("//*[local-name()='WLANConfig']/@SSID"),
            wifi_key: optional(&local("SecurityKey")),
            admin: optional("//*[local-name()='User']/@UserName"),
        })
    }
}

fn xpath(file: &PathBuf, path: &str) -> String {
    let output = Command::new("xmllint").arg("--xpath").arg(format!("string({path})")).arg(file).output().unwrap();
    assert!(output.status.success(), "E-127: xmllint: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end_matches('\n').to_owned()
}

impl Said {
    /// Whom the package signs in.
    pub fn user(&self) -> User {
        User { id: String::new(), email: self.upn.clone(), password: self.secret.clone() }
    }

    /// Enrolls by what the package says, over TLS that trusts its root alone: probe, discovery, policy, certificate.
    #[track_caller]
    pub fn enroll(&self, server: &Server, files: &Unpacked, profile: Profile) -> Result<FakeDevice, Fault> {
        let root = self.root.as_deref().map(|name| BASE64_STANDARD.encode(&files.0[name])).unwrap_or_default();
        let pem = format!("-----BEGIN CERTIFICATE-----\n{root}\n-----END CERTIFICATE-----\n");
        let tls = Tls::trusting(pem.as_bytes()).config();
        let send = |url: &str, soap: &Soap| once(url, &tls, &soap::post(&Address::of(url).path, soap.xml()));
        let probe = once(&self.discovery, &tls, &Request::get(&Address::of(&self.discovery).path));
        probe.expect_status("E-01", 200);
        let discover = soap::discover(&self.upn);
        let found = discover.accepted(&send(&self.discovery, &discover));
        assert_eq!(found.text_at("DiscoverResult/AuthPolicy"), self.auth_policy, "E-25");
        let credentials = username_token(&self.upn, &self.secret);
        let policies = Soap::get_policies(&credentials);
        let answer = send(found.text_at("DiscoverResult/EnrollmentPolicyServiceUrl"), &policies);
        if answer.status != 200 {
            return Err(policies.refused(&answer));
        }
        xcep::check(&policies.accepted(&answer));
        let key = server.key();
        let csr = Csr::windows(&profile.device_id).base64(&key);
        let rst = Soap::rst(&credentials, RstBody::issue(&csr, &profile.items()).xml());
        let answer = send(found.text_at("DiscoverResult/EnrollmentServiceUrl"), &rst);
        if answer.status != 200 {
            return Err(rst.refused(&answer));
        }
        let document = soap::provisioning_document(&answer, &rst.accepted(&answer));
        Ok(FakeDevice::install(server, None, profile, key, &document))
    }
}
