//! Who sent a request to the device side, as far as its head tells (management reference 5.1).

use std::net::IpAddr;

use super::{DeviceIdentity, Renewing, Signer, Unidentified};
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
    /// What it wants, which decides by what it may be proven.
    pub wanted: Wanted,
}

/// What a request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// To hand in a management message, which may be proven by what is in it.
    Session,
    /// The next certificate. What is asked for is signed, and who may not have one is told so in SOAP.
    Renewal {
        /// Whether it came through a trusted proxy that hands over no certificates.
        through_proxy: bool,
    },
    /// Something else.
    Other,
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
    /// Somebody who wants to renew a certificate.
    Renewing(Box<Renewing>),
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
        if let Wanted::Renewal { through_proxy } = shown.wanted {
            let renewing = self.renewing(shown, through_proxy).await?;
            return Ok(Sender::Renewing(Box::new(renewing)));
        }
        let is_message = shown.wanted == Wanted::Session;
        let known = match (shown.certificate, &shown.forwarded) {
            (Some(der), _) => Some(self.owner(der, Proof::Certificate, shown.address).await?),
            (None, Some(forwarded)) => Some(self.forwarded(forwarded, shown.address).await?),
            (None, None) => None,
        };
        let auth = self.settings.device_auth;
        let is_signed = match auth.message_signing {
            _ if !is_message => false,
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
            None if is_message && auth.digest != DigestMode::Off => Ok(Sender::Unproven { address: shown.address }),
            None => Err(Unidentified::Missing),
        }
    }

    /// The certificate goes through what TLS would have asked of it: the proxy vouches for the key alone.
    async fn forwarded(
        &self,
        certificate: &Result<Vec<u8>, &'static str>,
        address: IpAddr,
    ) -> Result<DeviceIdentity, Unidentified> {
        let der = self.handed_over(certificate)?;
        self.owner(der, Proof::ProxyCertificate, address).await
    }

    pub(super) fn handed_over<'c>(
        &self,
        certificate: &'c Result<Vec<u8>, &'static str>,
    ) -> Result<&'c [u8], Unidentified> {
        let der = certificate.as_deref().map_err(|words| Unidentified::Unreadable(words))?;
        self.authority.check_issued(der, self.now()).map_err(Unidentified::Unverified)?;
        Ok(der)
    }
}
