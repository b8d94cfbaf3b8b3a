//! How a device proves who it is, and which ways are open (management reference 5.1).

use serde::{Deserialize, Serialize};

/// What a device was proven by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// The certificate of its TLS connection.
    Certificate,
    /// The certificate that it showed to a proxy which we trust.
    ProxyCertificate,
    /// A signature over its message.
    Signature,
    /// A digest of its secret and a nonce of ours.
    Digest,
}

impl Proof {
    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::ProxyCertificate => "proxy_certificate",
            Self::Signature => "signature",
            Self::Digest => "digest",
        }
    }
}

/// What signatures over messages are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageSigning {
    /// Nothing.
    #[default]
    Off,
    /// They prove a device that shows no certificate.
    Accepted,
    /// Every message must have one, that of a device with a certificate too.
    Required,
}

/// What digest credentials are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DigestMode {
    /// Nothing.
    #[default]
    Off,
    /// They prove a device that shows no certificate.
    WithoutCertificate,
    /// Every session must have one, that of a device with a certificate too.
    Required,
}
