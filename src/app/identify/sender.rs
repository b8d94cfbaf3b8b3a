//! Who sent a request to the device side, as far as its head tells (management reference 5.1).

use std::net::IpAddr;

use super::{DeviceIdentity, Signer, Unidentified};
use crate::app::App;
use crate::domain::proof::{DigestMode, MessageSigning, Proof};

/// What a request shows of its sender.
#[derive(Clone, Debug)]
pub struct Shown<'r> {
    /// Where it came from.
    pub address: IpAddr,
    /// The client certificate of its TLS connection, DER.
    pub certificate: Option<&'r [u8]>,
    /// The certificate that a trusted proxy handed over, DER; or why that cannot be read.
    pub forwarded: Option<Result<Vec<u8>, &'static str>>,
    /// Every `MS-Signature` and `MDM-Signature`, as it stands in the header.
    pub signatures: Vec<&'r [u8]>,
    /// Whether it is a management message, which may be proven by what is in it.
    pub is_message: bool,
}

/// Who sent a request.
#[derive(Clone, Debug)]
pub enum Sender {
    /// A device.
    Device(DeviceIdentity),
    /// A device, if its signature is over the body.
    Signer(Box<Signer>),
    /// Nobody yet: the credentials in the message have to tell.
    Unproven {
        /// Where it came from.
        address: IpAddr,
    },
}

impl App {
    /// Finds out who sent a request; who may not go on is told in log and audit trail.
    pub async fn sender(&self, shown: &Shown<'_>) -> Result<Sender, Unidentified> {
        let sender = self.look_at(shown).await;
        if let Err(refused) = &sender {
            self.tell_refusal(shown.address, refused).await;
        }
        sender
    }

    /// In the order of trust: the certificate in TLS, the one that a proxy handed over, a signature, credentials in the
    /// message. A certificate in TLS is the sender's own, so what else is said about one is not listened to.
    async fn look_at(&self, shown: &Shown<'_>) -> Result<Sender, Unidentified> {
        let known = match (shown.certificate, &shown.forwarded) {
            (Some(der), _) => Some(self.owner(der, Proof::Certificate, shown.address).await?),
            (None, Some(forwarded)) => Some(self.forwarded(forwarded, shown.address).await?),
            (None, None) => None,
        };
        let auth = self.settings.device_auth;
        let is_signed = match auth.message_signing {
            _ if !shown.is_message => false,
            MessageSigning::Off => false,
            MessageSigning::Accepted => known.is_none() && !shown.signatures.is_empty(),
            MessageSigning::Required => true,
        };
        if is_signed {
            let signer = self.signer(shown, known).await?;
            return Ok(Sender::Signer(Box::new(signer)));
        }
        match known {
            Some(device) => Ok(Sender::Device(DeviceIdentity { signs: !shown.signatures.is_empty(), ..device })),
            None if shown.is_message && auth.digest != DigestMode::Off => {
                Ok(Sender::Unproven { address: shown.address })
            }
            None => Err(Unidentified::Missing),
        }
    }

    /// The certificate goes through what TLS would have asked of it: the proxy vouches for the key alone.
    async fn forwarded(
        &self,
        certificate: &Result<Vec<u8>, &'static str>,
        address: IpAddr,
    ) -> Result<DeviceIdentity, Unidentified> {
        let der = certificate.as_deref().map_err(|words| Unidentified::Unreadable(words))?;
        self.authority.check_issued(der, self.now()).map_err(Unidentified::Unverified)?;
        self.owner(der, Proof::ProxyCertificate, address).await
    }
}
