//! `muster device …`: certificates, with keys and without.

use std::path::Path;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::Value;

use super::ActArgs;
use super::settings::{Of, Whose, document};
use crate::cli::command;
use crate::proto::base64;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Kind {
    /// Put a certificate into a store of Windows.
    #[command(name = "trusted-certificate")]
    Trusted(Of<TrustedCertificate>),
    /// Install a certificate with its key.
    #[command(name = "pfx-certificate")]
    Pfx(Of<PfxCertificate>),
    /// Have the device get a certificate by SCEP.
    #[command(name = "scep-certificate")]
    Scep(Of<ScepCertificate>),
}

#[derive(Debug, Args, Serialize)]
pub(in crate::cli) struct TrustedCertificate {
    /// Which store.
    #[arg(long, value_parser = ["root", "intermediate", "trusted_publisher", "trusted_people", "untrusted"])]
    store: String,
    /// File with the certificate, as PEM or as its DER in base64; `-` for standard input.
    #[arg(long, value_name = "FILE", value_parser = document)]
    certificate: String,
    #[command(flatten)]
    #[serde(flatten)]
    whose: Whose,
}

/// Where the private key is kept, and by which id the certificate is known on the device.
#[derive(Debug, Args, Serialize)]
pub(in crate::cli) struct Key {
    /// Id of the certificate on the device, a GUID; by default that of the action.
    #[arg(long, value_name = "GUID")]
    certificate_id: Option<String>,
    /// Where the private key is kept.
    #[arg(long, value_parser = ["tpm", "tpm_or_software", "software", "hello"])]
    key_location: Option<String>,
    /// The container of Windows Hello, where the key is kept in one.
    #[arg(long, value_name = "NAME")]
    container_name: Option<String>,
    #[command(flatten)]
    #[serde(flatten)]
    whose: Whose,
}

#[derive(Debug, Args, Serialize)]
pub(in crate::cli) struct PfxCertificate {
    /// The PKCS#12 file; `-` for standard input.
    #[arg(long, value_name = "FILE", value_parser = encoded)]
    pfx: String,
    /// File with its password; `-` for standard input.
    #[arg(long = "password-file", value_name = "FILE", value_parser = line)]
    password: Option<String>,
    /// Whether the private key can be taken out again.
    #[arg(long, value_name = "true|false")]
    exportable: Option<bool>,
    #[command(flatten)]
    #[serde(flatten)]
    key: Key,
}

#[derive(Debug, Args, Serialize)]
pub(in crate::cli) struct ScepCertificate {
    /// The SCEP service.
    #[arg(long, value_name = "URL")]
    server_url: String,
    /// File with the challenge; `-` for standard input.
    #[arg(long = "challenge-file", value_name = "FILE", value_parser = line)]
    challenge: String,
    /// SHA-1 of the certificate of the authority.
    #[arg(long, value_name = "SHA1")]
    ca_thumbprint: String,
    /// The name in the certificate, such as CN=PC-7.
    #[arg(long, value_name = "NAME")]
    subject_name: String,
    /// Bits of the RSA key: 1024, 2048 or 4096.
    #[arg(long, value_name = "BITS")]
    key_bits: Option<u16>,
    /// Days for which the certificate is asked to be valid.
    #[arg(long, value_name = "DAYS")]
    valid_days: Option<u16>,
    #[command(flatten)]
    #[serde(flatten)]
    key: Key,
}

impl Kind {
    /// The devices that it is asked of, and the body of the request.
    pub(super) fn order(self) -> Result<(ActArgs, Value)> {
        match self {
            Self::Trusted(of) => of.order("trusted_certificate"),
            Self::Pfx(of) => of.order("pfx_certificate"),
            Self::Scep(of) => of.order("scep_certificate"),
        }
    }
}

/// The bytes of a file in base64.
fn encoded(file: &str) -> Result<String> {
    Ok(base64::encode(&command::read(Path::new(file))?))
}

/// The text of a file without the end of its line: secrets do not belong on the command line, where others see them.
pub(super) fn line(file: &str) -> Result<String> {
    Ok(document(file)?.trim_end_matches(['\r', '\n']).to_owned())
}
