//! ClientCertificateInstall CSP (10.0.10586, all editions; management reference 7.13): a certificate with its key as
//! PKCS#12, or by SCEP.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::scope::Scope;
use super::secret::Secret;
use super::value::{Guid, HttpUrl, Line, Thumbprint, Within};
use crate::proto::syncml::{Command, LocUri, Verb};

/// Where a private key is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyLocation {
    /// In the TPM, or not at all.
    Tpm,
    /// In the TPM where there is one.
    #[default]
    TpmOrSoftware,
    /// In software.
    Software,
    /// In a container of Windows Hello.
    Hello,
}

impl KeyLocation {
    fn number(self) -> &'static str {
        match self {
            Self::Tpm => "1",
            Self::TpmOrSoftware => "2",
            Self::Software => "3",
            Self::Hello => "4",
        }
    }
}

/// A certificate with its key, as PKCS#12.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PfxCertificate {
    /// Whose store.
    #[serde(default)]
    pub scope: Scope,
    /// Its id on the device; default: the id of the action.
    #[serde(default)]
    pub certificate_id: Option<Guid>,
    /// The PKCS#12 file in base64.
    pub pfx: Secret,
    /// Its password.
    #[serde(default)]
    pub password: Option<Secret>,
    /// Where the private key is kept.
    #[serde(default)]
    pub key_location: KeyLocation,
    /// The container of Windows Hello, where the key is kept in one.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub container_name: Option<Line<256>>,
    /// Whether the private key can be taken out again.
    #[serde(default)]
    pub exportable: bool,
}

/// A certificate that was installed by us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateKey {
    /// Whose store.
    #[serde(default)]
    pub scope: Scope,
    /// Its id on the device.
    pub certificate_id: Guid,
}

/// How the PKCS#12 is written: the description says `bin`, Microsoft's sample `chr`. Tried in this order.
pub const BLOB_FORMATS: [&str; 3] = ["chr", "b64", "bin"];

impl PfxCertificate {
    /// The node of the certificate of that id.
    #[must_use]
    pub fn node(scope: Scope, id: Guid) -> LocUri {
        scope.node("ClientCertificateInstall/PFXCertInstall").join(&id.to_string())
    }

    /// One Atomic with the blob as its last child, which is what installs it.
    #[must_use]
    pub fn install(&self, id: Guid, blob_format: &str) -> Command {
        let root = Self::node(self.scope, id);
        let leaf = |name: &'static str, format: &str, value: &str| Command::add(root.below(name), format, value);
        let mut children =
            vec![Command::add_node(root.clone(), "node"), leaf("KeyLocation", "int", self.key_location.number())];
        children.extend(self.container_name.iter().map(|name| leaf("ContainerName", "chr", name.as_str())));
        if let Some(password) = &self.password {
            children.push(leaf("PFXCertPassword", "chr", password.reveal()));
            children.push(leaf("PFXCertPasswordEncryptionType", "int", "0"));
        }
        children.push(leaf("PFXKeyExportable", "bool", if self.exportable { "true" } else { "false" }));
        children.push(leaf("PFXCertBlob", blob_format, &self.compact()));
        Command::container(Verb::Atomic, children)
    }

    /// The base64 in one line.
    fn compact(&self) -> String {
        self.pfx.reveal().chars().filter(|c| !c.is_ascii_whitespace()).collect()
    }

    /// `Get` of what came of it.
    #[must_use]
    pub fn read(scope: Scope, id: Guid) -> Vec<Command> {
        let root = Self::node(scope, id);
        ["Thumbprint", "Status"].map(|name| Command::get(root.below(name))).into()
    }
}

/// An enrollment by SCEP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScepCertificate {
    /// Whose store.
    #[serde(default)]
    pub scope: Scope,
    /// Its id on the device; default: the id of the action.
    #[serde(default)]
    pub certificate_id: Option<Guid>,
    /// The SCEP service.
    pub server_url: HttpUrl,
    /// What proves to it that the device may enroll.
    pub challenge: Secret,
    /// SHA-1 of the authority's certificate.
    pub ca_thumbprint: Thumbprint,
    /// The name in the certificate, e.g. `CN=PC-7`.
    #[schema(value_type = String, example = "CN=PC-7,O=Example")]
    pub subject_name: Line<1024>,
    /// Other names in the certificate.
    #[serde(default)]
    pub alternative_names: Vec<AlternativeName>,
    /// Extended key usages, as object identifiers.
    #[serde(default = "client_authentication")]
    #[schema(value_type = Vec<String>, example = json!(["1.3.6.1.5.5.7.3.2"]))]
    pub extended_key_usages: Vec<Line<128>>,
    /// Key usages as bits; 128 signature, 32 encipherment, one of which has to be there. Default 160.
    #[serde(default = "signature_and_encipherment")]
    #[schema(value_type = u32)]
    pub key_usage: Within<1, 255>,
    /// Bits of the RSA key: 1024, 2048 or 4096. Default 2048.
    #[serde(default = "usual_key_bits")]
    pub key_bits: u32,
    /// Where the private key is kept.
    #[serde(default)]
    pub key_location: KeyLocation,
    /// The container of Windows Hello, where the key is kept in one.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub container_name: Option<Line<256>>,
    /// Hash algorithms, best first. Default SHA-2.
    #[serde(default = "usual_hashes")]
    pub hash_algorithms: Vec<Hash>,
    /// How often the device asks again while the service says pending. Default 3.
    #[serde(default = "usual_retries")]
    #[schema(value_type = u32, maximum = 30)]
    pub retry_count: Within<0, 30>,
    /// Minutes between two tries. Default 5.
    #[serde(default = "usual_retry_delay")]
    #[schema(value_type = u32)]
    pub retry_delay_minutes: Within<1, 10_080>,
    /// Days for which the certificate is asked to be valid; default: as the service decides.
    #[serde(default)]
    #[schema(value_type = Option<u32>)]
    pub valid_days: Option<Within<1, 3_650>>,
}

/// A name in a certificate beside its subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlternativeName {
    /// What kind of name.
    pub kind: NameKind,
    /// The name.
    #[schema(value_type = String)]
    pub value: Line<512>,
}

/// Kinds of names, with their numbers on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NameKind {
    /// 2: an e-mail address.
    Email,
    /// 3: a host name.
    Dns,
    /// 7: a URI.
    Uri,
    /// 11: a user principal name.
    UserPrincipalName,
}

impl NameKind {
    fn number(self) -> u8 {
        match self {
            Self::Email => 2,
            Self::Dns => 3,
            Self::Uri => 7,
            Self::UserPrincipalName => 11,
        }
    }
}

/// Hash algorithms of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Hash {
    /// SHA-256.
    #[serde(rename = "SHA-2")]
    Sha2,
    /// SHA-1.
    #[serde(rename = "SHA-1")]
    Sha1,
}

impl Hash {
    fn name(self) -> &'static str {
        match self {
            Self::Sha2 => "SHA-2",
            Self::Sha1 => "SHA-1",
        }
    }
}

/// What the status of an enrollment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScepStatus {
    /// 1: the certificate is there.
    Done,
    /// 2: the service has not decided yet.
    Pending,
    /// 16: it failed.
    Failed,
    /// 32, or something else.
    Unknown,
}

impl ScepStatus {
    /// Reads the value of the status node.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.trim() {
            "1" => Self::Done,
            "2" => Self::Pending,
            "16" => Self::Failed,
            _ => Self::Unknown,
        }
    }
}

impl ScepCertificate {
    /// The node of the certificate of that id.
    #[must_use]
    pub fn node(scope: Scope, id: Guid) -> LocUri {
        scope.node("ClientCertificateInstall/SCEP").join(&id.to_string())
    }

    /// One Atomic; its last child begins the enrollment.
    #[must_use]
    pub fn enroll(&self, id: Guid) -> Command {
        let root = Self::node(self.scope, id);
        let install = root.below("Install");
        let mut children = vec![Command::add_node(root, "node")];
        let leaf =
            |(name, format, value): (&'static str, &str, String)| Command::add(install.below(name), format, &value);
        children.extend(self.parameters().into_iter().map(leaf));
        children.push(Command::exec(install.below("Enroll")));
        Command::container(Verb::Atomic, children)
    }

    fn parameters(&self) -> Vec<(&'static str, &'static str, String)> {
        let joined = |parts: Vec<&str>| parts.join("+");
        let mut all = vec![
            ("ServerURL", "chr", self.server_url.as_str().to_owned()),
            ("Challenge", "chr", self.challenge.reveal().to_owned()),
            ("EKUMapping", "chr", joined(self.extended_key_usages.iter().map(Line::as_str).collect())),
            ("KeyUsage", "int", self.key_usage.get().to_string()),
            ("SubjectName", "chr", self.subject_name.as_str().to_owned()),
            ("KeyProtection", "int", self.key_location.number().to_owned()),
            ("KeyLength", "int", self.key_bits.to_string()),
            ("HashAlgorithm", "chr", joined(self.hash_algorithms.iter().map(|hash| hash.name()).collect())),
            ("CAThumbprint", "chr", self.ca_thumbprint.as_str().to_owned()),
            ("RetryCount", "int", self.retry_count.get().to_string()),
            ("RetryDelay", "int", self.retry_delay_minutes.get().to_string()),
        ];
        all.extend(self.container_name.iter().map(|name| ("ContainerName", "chr", name.as_str().to_owned())));
        if !self.alternative_names.is_empty() {
            all.push(("SubjectAlternativeNames", "chr", self.alternative_text()));
        }
        if let Some(days) = self.valid_days {
            all.push(("ValidPeriod", "chr", "Days".to_owned()));
            all.push(("ValidPeriodUnits", "int", days.get().to_string()));
        }
        all
    }

    /// `{kind}+{name};` for each name.
    fn alternative_text(&self) -> String {
        let mut text = String::new();
        for name in &self.alternative_names {
            let _ = write!(text, "{}+{};", name.kind.number(), name.value.as_str());
        }
        text
    }

    /// `Get` of what came of it.
    #[must_use]
    pub fn read(scope: Scope, id: Guid) -> Vec<Command> {
        let root = Self::node(scope, id);
        ["Status", "CertThumbprint", "ErrorCode", "RespondentServerUrl"]
            .map(|name| Command::get(root.below(name)))
            .into()
    }
}

fn client_authentication() -> Vec<Line<128>> {
    vec![Line::fixed("1.3.6.1.5.5.7.3.2")]
}

fn signature_and_encipherment() -> Within<1, 255> {
    Within::fixed(160)
}

fn usual_key_bits() -> u32 {
    2048
}

fn usual_hashes() -> Vec<Hash> {
    vec![Hash::Sha2]
}

fn usual_retries() -> Within<0, 30> {
    Within::fixed(3)
}

fn usual_retry_delay() -> Within<1, 10_080> {
    Within::fixed(5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::syncml::encode_fragment;

    fn id() -> Guid {
        Guid(uuid::Uuid::from_u128(0x7F3C_1D0E_5A6B_4C7D_8E9F_0A1B_2C3D_4E5F))
    }

    fn leaves(command: &Command) -> Vec<(Verb, String, Option<String>, String)> {
        let leaf = |child: &Command| {
            let item = &child.items[0];
            let name = item.target.as_ref().unwrap().last_segment().to_owned();
            (child.verb, name, item.meta.format.clone(), item.text().to_owned())
        };
        command.children.iter().map(leaf).collect()
    }

    // covers: M-117
    #[test]
    fn the_pfx_blob_is_the_last_child_of_its_atomic() {
        let pfx: PfxCertificate =
            serde_json::from_str(r#"{"pfx": "AQID\nBAUG", "password": "p & q", "key_location": "software"}"#).unwrap();
        let atomic = pfx.install(id(), "chr");
        let names: Vec<String> = leaves(&atomic).into_iter().map(|(_, name, ..)| name).collect();
        assert_eq!(
            names[1..],
            ["KeyLocation", "PFXCertPassword", "PFXCertPasswordEncryptionType", "PFXKeyExportable", "PFXCertBlob"]
        );
        let last = leaves(&atomic).pop().unwrap();
        assert_eq!(last, (Verb::Add, "PFXCertBlob".to_owned(), Some("chr".to_owned()), "AQIDBAUG".to_owned()));
        let text = String::from_utf8(encode_fragment(&[atomic])).unwrap();
        let password = concat!(
            "<LocURI>./Device/Vendor/MSFT/ClientCertificateInstall/PFXCertInstall/7f3c1d0e-5a6b-4c7d-8e9f-0a1b2c3d4e5f",
            "/PFXCertPassword</LocURI></Target><Meta><Format xmlns=\"syncml:metinf\">chr</Format>",
            "<Type xmlns=\"syncml:metinf\">text/plain</Type></Meta><Data>p &amp; q</Data>"
        );
        assert!(text.contains(password), "{text}");
    }

    // covers: M-103
    #[test]
    fn a_scep_enrollment_is_one_atomic_that_ends_with_its_exec() {
        let scep: ScepCertificate = serde_json::from_str(
            r#"{"scope": "user", "server_url": "https://ca.example.test/scep", "challenge": "once", "subject_name": "CN=PC-7",
                "ca_thumbprint": "8D3C1B6A0F2E4D5C6B7A8091A2B3C4D5E6F70819", "valid_days": 90,
                "alternative_names": [{"kind": "dns", "value": "pc-7.example.test"},
                    {"kind": "user_principal_name", "value": "ada@example.test"}]}"#,
        )
        .unwrap();
        let atomic = scep.enroll(id());
        let expected = [
            ("ServerURL", "chr", "https://ca.example.test/scep"),
            ("Challenge", "chr", "once"),
            ("EKUMapping", "chr", "1.3.6.1.5.5.7.3.2"),
            ("KeyUsage", "int", "160"),
            ("SubjectName", "chr", "CN=PC-7"),
            ("KeyProtection", "int", "2"),
            ("KeyLength", "int", "2048"),
            ("HashAlgorithm", "chr", "SHA-2"),
            ("CAThumbprint", "chr", "8D3C1B6A0F2E4D5C6B7A8091A2B3C4D5E6F70819"),
            ("RetryCount", "int", "3"),
            ("RetryDelay", "int", "5"),
            ("SubjectAlternativeNames", "chr", "3+pc-7.example.test;11+ada@example.test;"),
            ("ValidPeriod", "chr", "Days"),
            ("ValidPeriodUnits", "int", "90"),
        ];
        let leaves = leaves(&atomic);
        let (first, last) = (&leaves[0], &leaves[leaves.len() - 1]);
        assert_eq!((first.0, first.2.as_deref()), (Verb::Add, Some("node")));
        assert_eq!((last.0, last.1.as_str(), last.2.as_deref(), last.3.as_str()), (Verb::Exec, "Enroll", None, ""));
        let between: Vec<(&str, &str, &str)> = leaves[1..leaves.len() - 1]
            .iter()
            .map(|(_, name, format, value)| (name.as_str(), format.as_deref().unwrap(), value.as_str()))
            .collect();
        assert_eq!(between, expected);
        let enroll = atomic.children.last().unwrap().items[0].target.as_ref().unwrap();
        let root = "./User/Vendor/MSFT/ClientCertificateInstall/SCEP/7f3c1d0e-5a6b-4c7d-8e9f-0a1b2c3d4e5f";
        assert_eq!(enroll.as_str(), format!("{root}/Install/Enroll"));
    }
}
