//! A certificate with its key, as PKCS#12.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::KeyLocation;
use crate::proto::base64;
use crate::proto::csp::parameter::{self, Unfit};
use crate::proto::csp::scope::Scope;
use crate::proto::csp::secret::Secret;
use crate::proto::csp::value::Guid;
use crate::proto::syncml::{Command, LocUri, Verb};

/// A certificate with its key, as PKCS#12.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PfxCertificate {
    /// Whose store.
    #[serde(default)]
    pub scope: Scope,
    /// Its id on the device, by which it can be replaced and taken away; default: the id of the action.
    pub certificate_id: Option<Guid>,
    /// The PKCS#12 file in base64, at most 96 KiB.
    pub pfx: Secret,
    /// Its password.
    pub password: Option<Secret>,
    /// Where the private key is kept.
    #[serde(default)]
    pub key_location: KeyLocation,
    /// The container of Windows Hello, where the key is kept in one.
    pub container_name: Option<String>,
    /// Whether the private key can be taken out again.
    #[serde(default)]
    pub exportable: bool,
}

/// The formats in which the blob is tried, one after the other: Microsoft's sample has `chr`, its description `bin`.
pub const BLOB_FORMATS: [&str; 3] = ["chr", "b64", "bin"];
/// Largest file that is taken, in bytes.
const MOST_BYTES: usize = 96 * 1024;
/// The tag of a DER sequence, which a PKCS#12 file is.
const SEQUENCE: u8 = 0x30;

/// The node of the certificate of that id.
#[must_use]
pub fn node(scope: Scope, id: Guid) -> LocUri {
    scope.csp("ClientCertificateInstall/PFXCertInstall").join(&id.to_string())
}

/// `Get` of what came of it.
#[must_use]
pub fn read(scope: Scope, id: Guid) -> Vec<Command> {
    ["Status", "Thumbprint"].map(|name| Command::get(node(scope, id).below(name))).into()
}

/// Takes the certificate and its key away.
#[must_use]
pub fn remove(scope: Scope, id: Guid) -> Vec<Command> {
    vec![Command::delete(node(scope, id))]
}

impl PfxCertificate {
    /// Whether Windows could use it, as far as it can be seen without the password.
    pub fn check(&self) -> Result<(), Unfit> {
        let file = base64::decode(self.pfx.reveal());
        if !file.is_ok_and(|bytes| bytes.first() == Some(&SEQUENCE) && bytes.len() <= MOST_BYTES) {
            return Err(Unfit::new("/pfx", format!("must be a PKCS#12 file in base64, of at most {MOST_BYTES} bytes")));
        }
        if let Some(password) = &self.password {
            parameter::text("/password", password.reveal(), 256)?;
        }
        self.key_location.check_container(self.container_name.as_deref())
    }

    /// One Atomic whose last child is the blob, which is what installs it.
    #[must_use]
    pub fn install(&self, id: Guid, blob_format: &str) -> Command {
        let root = node(self.scope, id);
        let leaf = |name: &'static str, format: &str, value: &str| Command::add(root.below(name), format, value);
        let mut children =
            vec![Command::add_node(root.clone(), "node"), leaf("KeyLocation", "int", self.key_location.value())];
        children.extend(self.container_name.as_deref().map(|name| leaf("ContainerName", "chr", name)));
        if let Some(password) = &self.password {
            children.push(leaf("PFXCertPassword", "chr", password.reveal()));
            // In clear: the message is protected by TLS.
            children.push(leaf("PFXCertPasswordEncryptionType", "int", "0"));
        }
        children.push(leaf("PFXKeyExportable", "bool", if self.exportable { "true" } else { "false" }));
        children.push(leaf("PFXCertBlob", blob_format, &self.in_one_line()));
        Command::container(Verb::Atomic, children)
    }

    fn in_one_line(&self) -> String {
        self.pfx.reveal().chars().filter(|c| !c.is_ascii_whitespace()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::csp::told::{right, told};

    fn read_json(json: &str) -> PfxCertificate {
        serde_json::from_str(json).unwrap()
    }

    fn id() -> Guid {
        Guid(uuid::Uuid::from_u128(0x7F3C_1D0E_5A6B_4C7D_8E9F_0A1B_2C3D_4E5F))
    }

    // covers: M-117
    #[test]
    fn the_blob_is_the_last_child_of_its_atomic() {
        let pfx = read_json(r#"{"pfx": "MAMC\nAQA=", "password": "p & q", "key_location": "software"}"#);
        let root = "./Device/Vendor/MSFT/ClientCertificateInstall/PFXCertInstall/7f3c1d0e-5a6b-4c7d-8e9f-0a1b2c3d4e5f";
        let expected = [
            "Atomic".to_owned(),
            format!("  Add {root} node"),
            format!("  Add {root}/KeyLocation int 3"),
            format!("  Add {root}/PFXCertPassword chr p & q"),
            format!("  Add {root}/PFXCertPasswordEncryptionType int 0"),
            format!("  Add {root}/PFXKeyExportable bool false"),
            format!("  Add {root}/PFXCertBlob chr MAMCAQA="),
        ];
        assert_eq!(pfx.check(), Ok(()));
        assert_eq!(told(&[pfx.install(id(), "chr")]), expected);
        right(&[pfx.install(id(), "bin")]);
        right(&read(Scope::User, id()));
        right(&remove(Scope::User, id()));
        let bare = read_json(
            r#"{"scope": "user", "pfx": "MAMCAQA=", "key_location": "hello", "container_name": "Hello", "exportable": true}"#,
        );
        let root = root.replace("./Device", "./User");
        let expected = [
            "Atomic".to_owned(),
            format!("  Add {root} node"),
            format!("  Add {root}/KeyLocation int 4"),
            format!("  Add {root}/ContainerName chr Hello"),
            format!("  Add {root}/PFXKeyExportable bool true"),
            format!("  Add {root}/PFXCertBlob b64 MAMCAQA="),
        ];
        assert_eq!(bare.check(), Ok(()));
        assert_eq!(told(&[bare.install(id(), "b64")]), expected);
        assert_eq!(told(&remove(Scope::User, id())), [format!("Delete {root}")]);
    }

    #[test]
    fn what_is_no_file_of_that_kind_is_refused() {
        let large = format!(r#"{{"pfx": "{}"}}"#, base64::encode(&[SEQUENCE; MOST_BYTES + 1]));
        let bad = [
            ("/pfx", r#"{"pfx": ""}"#),
            ("/pfx", r#"{"pfx": "AQID"}"#),
            ("/pfx", r#"{"pfx": "-----BEGIN"}"#),
            ("/pfx", &large),
            ("/password", r#"{"pfx": "MAMCAQA=", "password": "a\u0007"}"#),
            ("/container_name", r#"{"pfx": "MAMCAQA=", "key_location": "hello"}"#),
            ("/container_name", r#"{"pfx": "MAMCAQA=", "container_name": "c"}"#),
        ];
        for (pointer, json) in bad {
            assert_eq!(read_json(json).check().unwrap_err().pointer, pointer);
        }
    }
}
