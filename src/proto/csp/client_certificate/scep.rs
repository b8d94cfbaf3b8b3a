//! A certificate that the device gets by SCEP, with a key that it makes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::KeyLocation;
use crate::proto::csp::parameter::{self, Unfit};
use crate::proto::csp::scope::Scope;
use crate::proto::csp::secret::Secret;
use crate::proto::csp::value::{Guid, HttpUrl, Thumbprint};
use crate::proto::syncml::{Command, LocUri, Verb};

/// An enrollment by SCEP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScepCertificate {
    /// Whose store.
    #[serde(default)]
    pub scope: Scope,
    /// Its id on the device, by which it can be taken away; default: the id of the action.
    pub certificate_id: Option<Guid>,
    /// The SCEP service.
    pub server_url: HttpUrl,
    /// What proves to it that the device may enroll.
    pub challenge: Secret,
    /// SHA-1 of the authority's certificate.
    pub ca_thumbprint: Thumbprint,
    /// The name in the certificate.
    #[schema(example = "CN=PC-7,O=Example")]
    pub subject_name: String,
    /// Other names in the certificate, at most 50.
    #[serde(default)]
    pub alternative_names: Vec<AlternativeName>,
    /// Extended key usages, as object identifiers; default: client authentication.
    #[serde(default = "client_authentication")]
    #[schema(example = json!(["1.3.6.1.5.5.7.3.2"]))]
    pub extended_key_usages: Vec<String>,
    /// Key usages as bits: 128 signature, 32 encipherment, one of which must be among them.
    #[serde(default = "signature_and_encipherment")]
    #[schema(default = 160)]
    pub key_usage: u8,
    /// Bits of the RSA key: 1024, 2048 or 4096.
    #[serde(default = "usual_key_bits")]
    #[schema(default = 2048)]
    pub key_bits: u16,
    /// Where the private key is kept.
    #[serde(default)]
    pub key_location: KeyLocation,
    /// The container of Windows Hello, where the key is kept in one.
    pub container_name: Option<String>,
    /// Hash algorithms, best first; default: SHA-2.
    #[serde(default = "usual_hashes")]
    pub hash_algorithms: Vec<Hash>,
    /// How often the device asks again while the service has not decided, 0 to 30.
    #[serde(default = "usual_retries")]
    #[schema(default = 3)]
    pub retry_count: u8,
    /// Minutes between two tries, 1 to 10080.
    #[serde(default = "usual_retry_delay")]
    #[schema(default = 5)]
    pub retry_delay_minutes: u16,
    /// Days for which the certificate is asked to be valid, 1 to 3650; default: as the service decides.
    pub valid_days: Option<u16>,
}

/// A name in a certificate beside its subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlternativeName {
    /// What kind of name.
    pub kind: NameKind,
    /// The name, without `;` and `+`.
    pub value: String,
}

/// Kinds of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NameKind {
    /// An e-mail address.
    Email,
    /// A host name.
    Dns,
    /// A URI.
    Uri,
    /// A user principal name.
    UserPrincipalName,
}

impl NameKind {
    /// Its number in `SubjectAlternativeNames`.
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
pub enum Enrolled {
    /// 1: the certificate is there.
    Done,
    /// 2: the service has not decided yet.
    Pending,
    /// 16: it failed.
    Failed,
    /// 32, or something else.
    Unknown,
}

impl Enrolled {
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

/// Bits of the key usage of which one must be set.
const SIGNATURE_OR_ENCIPHERMENT: u8 = 0x80 | 0x20;
/// Names beside the subject at most.
const MOST_NAMES: usize = 50;

/// The node of the certificate of that id.
#[must_use]
pub fn node(scope: Scope, id: Guid) -> LocUri {
    scope.csp("ClientCertificateInstall/SCEP").join(&id.to_string())
}

/// `Get` of what came of it.
#[must_use]
pub fn read(scope: Scope, id: Guid) -> Vec<Command> {
    let names = ["Status", "CertThumbprint", "ErrorCode", "RespondentServerUrl"];
    names.map(|name| Command::get(node(scope, id).below(name))).into()
}

/// Takes the certificate and its key away.
#[must_use]
pub fn remove(scope: Scope, id: Guid) -> Vec<Command> {
    vec![Command::delete(node(scope, id))]
}

impl ScepCertificate {
    /// An enrollment with what is usual, for the device, without a challenge yet.
    #[must_use]
    pub fn usual(server_url: HttpUrl, ca_thumbprint: Thumbprint, subject_name: &str) -> Self {
        Self {
            scope: Scope::Device,
            certificate_id: None,
            server_url,
            challenge: Secret::default(),
            ca_thumbprint,
            subject_name: subject_name.to_owned(),
            alternative_names: Vec::new(),
            extended_key_usages: client_authentication(),
            key_usage: signature_and_encipherment(),
            key_bits: usual_key_bits(),
            key_location: KeyLocation::default(),
            container_name: None,
            hash_algorithms: usual_hashes(),
            retry_count: usual_retries(),
            retry_delay_minutes: usual_retry_delay(),
            valid_days: None,
        }
    }

    /// Whether Windows would take it.
    pub fn check(&self) -> Result<(), Unfit> {
        parameter::text("/challenge", self.challenge.reveal(), 2048)?;
        if !self.challenge.reveal().chars().all(is_printable) {
            let words = "may have letters, digits, blanks and '()+,-./:=? only: Windows writes it as a PrintableString";
            return Err(Unfit::new("/challenge", words));
        }
        parameter::text("/subject_name", &self.subject_name, 1024)?;
        self.check_names()?;
        self.check_usages()?;
        if ![1024, 2048, 4096].contains(&self.key_bits) {
            return Err(Unfit::new("/key_bits", "must be 1024, 2048 or 4096"));
        }
        self.key_location.check_container(self.container_name.as_deref())?;
        if self.hash_algorithms.is_empty() {
            return Err(Unfit::new("/hash_algorithms", "must have at least one"));
        }
        parameter::within("/retry_count", Some(self.retry_count), 0..=30)?;
        parameter::within("/retry_delay_minutes", Some(self.retry_delay_minutes), 1..=10_080)?;
        parameter::within("/valid_days", self.valid_days, 1..=3650)
    }

    fn check_names(&self) -> Result<(), Unfit> {
        if self.alternative_names.len() > MOST_NAMES {
            return Err(Unfit::new("/alternative_names", format!("must have at most {MOST_NAMES}")));
        }
        for (index, name) in self.alternative_names.iter().enumerate() {
            let pointer = format!("/alternative_names/{index}/value");
            parameter::text(&pointer, &name.value, 512)?;
            // They are written as one text, between these.
            if name.value.contains([';', '+']) {
                return Err(Unfit::new(pointer, "has a ; or a +"));
            }
        }
        Ok(())
    }

    fn check_usages(&self) -> Result<(), Unfit> {
        if self.extended_key_usages.is_empty() {
            return Err(Unfit::new("/extended_key_usages", "must have at least one"));
        }
        let is_oid = |text: &str| {
            let parts: Vec<&str> = text.split('.').collect();
            let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            text.len() <= 128 && parts.len() > 1 && parts.iter().all(is_number)
        };
        if let Some(index) = self.extended_key_usages.iter().position(|usage| !is_oid(usage)) {
            let words = "must be an object identifier such as 1.3.6.1.5.5.7.3.2";
            return Err(Unfit::new(format!("/extended_key_usages/{index}"), words));
        }
        if self.key_usage & SIGNATURE_OR_ENCIPHERMENT == 0 {
            return Err(Unfit::new("/key_usage", "must have the bit 128 (signature) or 32 (encipherment)"));
        }
        Ok(())
    }

    /// One Atomic, whose last child begins the enrollment.
    #[must_use]
    pub fn enroll(&self, id: Guid) -> Command {
        let root = node(self.scope, id);
        let install = root.below("Install");
        let mut children = vec![Command::add_node(root, "node")];
        let leaf =
            |(name, format, value): (&'static str, &str, String)| Command::add(install.below(name), format, &value);
        children.extend(self.values().into_iter().map(leaf));
        children.push(Command::exec(install.below("Enroll")));
        Command::container(Verb::Atomic, children)
    }

    fn values(&self) -> Vec<(&'static str, &'static str, String)> {
        let hashes: Vec<&str> = self.hash_algorithms.iter().map(|hash| hash.name()).collect();
        let mut values = vec![
            ("ServerURL", "chr", self.server_url.as_str().to_owned()),
            ("Challenge", "chr", self.challenge.reveal().to_owned()),
            ("EKUMapping", "chr", self.extended_key_usages.join("+")),
            ("KeyUsage", "int", self.key_usage.to_string()),
            ("SubjectName", "chr", self.subject_name.clone()),
            ("KeyProtection", "int", self.key_location.value().to_owned()),
            ("KeyLength", "int", self.key_bits.to_string()),
            ("HashAlgorithm", "chr", hashes.join("+")),
            ("CAThumbprint", "chr", self.ca_thumbprint.as_str().to_owned()),
            ("RetryCount", "int", self.retry_count.to_string()),
            ("RetryDelay", "int", self.retry_delay_minutes.to_string()),
        ];
        values.extend(self.container_name.iter().map(|name| ("ContainerName", "chr", name.clone())));
        if !self.alternative_names.is_empty() {
            let names = self.alternative_names.iter().map(|name| format!("{}+{};", name.kind.number(), name.value));
            values.push(("SubjectAlternativeNames", "chr", names.collect()));
        }
        if let Some(days) = self.valid_days {
            values.push(("ValidPeriod", "chr", "Days".to_owned()));
            values.push(("ValidPeriodUnits", "int", days.to_string()));
        }
        values
    }
}

fn client_authentication() -> Vec<String> {
    vec!["1.3.6.1.5.5.7.3.2".to_owned()]
}

fn signature_and_encipherment() -> u8 {
    160
}

fn usual_key_bits() -> u16 {
    2048
}

fn usual_hashes() -> Vec<Hash> {
    vec![Hash::Sha2]
}

fn usual_retries() -> u8 {
    3
}

fn usual_retry_delay() -> u16 {
    5
}

/// Characters of a PrintableString (X.680).
fn is_printable(c: char) -> bool {
    c.is_ascii_alphanumeric() || " '()+,-./:=?".contains(c)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::proto::csp::told::{right, told};

    fn id() -> Guid {
        Guid(uuid::Uuid::from_u128(0x7F3C_1D0E_5A6B_4C7D_8E9F_0A1B_2C3D_4E5F))
    }

    fn read_with(more: Value) -> ScepCertificate {
        let mut json = json!({
            "server_url": "https://ca.example.test/scep", "challenge": "once", "subject_name": "CN=PC-7",
            "ca_thumbprint": "8d3c1b6a0f2e4d5c6b7a8091a2b3c4d5e6f70819",
        });
        let Value::Object(more) = more else { panic!("no object") };
        json.as_object_mut().unwrap().extend(more);
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn an_enrollment_is_one_atomic_that_ends_with_its_exec() {
        let scep = read_with(json!({
            "scope": "user", "valid_days": 90, "hash_algorithms": ["SHA-2", "SHA-1"],
            "alternative_names": [{"kind": "dns", "value": "pc-7.example.test"},
                {"kind": "user_principal_name", "value": "ada@example.test"}],
        }));
        let root = "./User/Vendor/MSFT/ClientCertificateInstall/SCEP/7f3c1d0e-5a6b-4c7d-8e9f-0a1b2c3d4e5f";
        let values = [
            "ServerURL chr https://ca.example.test/scep",
            "Challenge chr once",
            "EKUMapping chr 1.3.6.1.5.5.7.3.2",
            "KeyUsage int 160",
            "SubjectName chr CN=PC-7",
            "KeyProtection int 2",
            "KeyLength int 2048",
            "HashAlgorithm chr SHA-2+SHA-1",
            "CAThumbprint chr 8D3C1B6A0F2E4D5C6B7A8091A2B3C4D5E6F70819",
            "RetryCount int 3",
            "RetryDelay int 5",
            "SubjectAlternativeNames chr 3+pc-7.example.test;11+ada@example.test;",
            "ValidPeriod chr Days",
            "ValidPeriodUnits int 90",
        ];
        let mut expected = vec!["Atomic".to_owned(), format!("  Add {root} node")];
        expected.extend(values.map(|value| format!("  Add {root}/Install/{value}")));
        expected.push(format!("  Exec {root}/Install/Enroll"));
        assert_eq!(scep.check(), Ok(()));
        let commands = [scep.enroll(id())];
        assert_eq!(told(&commands), expected);
        right(&commands);
        right(&read(Scope::Device, id()));
        right(&remove(Scope::Device, id()));
        let hello = read_with(json!({"key_location": "hello", "container_name": "c", "key_usage": 128}));
        assert_eq!(hello.check(), Ok(()));
        right(&[hello.enroll(id())]);
    }

    #[test]
    fn what_windows_would_not_take_is_refused() {
        let name = |value: &str| json!({"alternative_names": [{"kind": "dns", "value": value}]});
        let bad = [
            ("/challenge", json!({"challenge": ""})),
            ("/subject_name", json!({"subject_name": "\u{1}"})),
            ("/alternative_names/0/value", name("a;b")),
            ("/alternative_names/0/value", name("")),
            ("/alternative_names", json!({"alternative_names": vec![json!({"kind": "dns", "value": "a"}); 51]})),
            ("/extended_key_usages", json!({"extended_key_usages": []})),
            ("/extended_key_usages/1", json!({"extended_key_usages": ["1.2", "clientAuth"]})),
            ("/extended_key_usages/0", json!({"extended_key_usages": ["1..2"]})),
            ("/key_usage", json!({"key_usage": 4})),
            ("/key_bits", json!({"key_bits": 3072})),
            ("/container_name", json!({"container_name": "c"})),
            ("/hash_algorithms", json!({"hash_algorithms": []})),
            ("/retry_count", json!({"retry_count": 31})),
            ("/retry_delay_minutes", json!({"retry_delay_minutes": 0})),
            ("/valid_days", json!({"valid_days": 0})),
        ];
        for (pointer, more) in bad {
            assert_eq!(read_with(more.clone()).check().unwrap_err().pointer, pointer, "{more}");
        }
    }

    #[test]
    fn a_status_is_read() {
        let read = ["1", " 2", "16", "32", ""].map(Enrolled::parse);
        assert_eq!(read, [Enrolled::Done, Enrolled::Pending, Enrolled::Failed, Enrolled::Unknown, Enrolled::Unknown]);
    }
}
