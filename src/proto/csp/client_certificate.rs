//! ClientCertificateInstall CSP (10.0.10586, all editions; management reference 7.13): certificates with their keys, as
//! PKCS#12 or by SCEP.

pub mod pfx;
pub mod scep;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::parameter::{self, Unfit};

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
    fn value(self) -> &'static str {
        match self {
            Self::Tpm => "1",
            Self::TpmOrSoftware => "2",
            Self::Software => "3",
            Self::Hello => "4",
        }
    }

    /// A container is named exactly where the key is kept in one.
    fn check_container(self, name: Option<&str>) -> Result<(), Unfit> {
        if name.is_some() != (self == Self::Hello) {
            let words = "is given exactly where key_location is hello";
            return Err(Unfit::new("/container_name", words));
        }
        parameter::optional_text("/container_name", name, 256)
    }
}
