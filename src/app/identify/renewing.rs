//! Who wants to renew a certificate, as far as the head of the request tells (enrollment reference 6.2).

use std::net::IpAddr;

use super::{Shown, TurnedAway, Unidentified};
use crate::app::App;
use crate::domain::proof::{DigestMode, MessageSigning};

/// Somebody who wants to renew a certificate.
#[derive(Clone, Debug)]
pub enum Renewing {
    /// A device, by its certificate, DER: the one of its TLS connection, or the one that a proxy handed over.
    Device(Vec<u8>),
    /// A device of ours whose certificate is good for nothing any more.
    TurnedAway(TurnedAway),
    /// Whoever signed the request: a proxy ends TLS and hands over nothing.
    Signer {
        /// Where it came from.
        address: IpAddr,
    },
}

impl App {
    /// Finds out who wants to renew. One whose certificate ended too long ago is refused as everywhere; others who may not
    /// are told so by the fault of renewal, which leaves them enrolled.
    pub(super) async fn renewing(&self, shown: &Shown<'_>, through_proxy: bool) -> Result<Renewing, Unidentified> {
        let der = match (shown.certificate, &shown.forwarded) {
            (Some(der), _) => der,
            (None, Some(forwarded)) => self.handed_over(forwarded)?,
            (None, None) if through_proxy && self.takes_other_proofs() => {
                return Ok(Renewing::Signer { address: shown.address });
            }
            (None, None) => return Err(Unidentified::Missing),
        };
        let (certificate, enrollment) = self.looked_up(der).await?;
        match self.judge(&certificate, &enrollment) {
            Ok(_) => Ok(Renewing::Device(der.to_vec())),
            Err(Unidentified::Revoked(turned) | Unidentified::Superseded(turned) | Unidentified::Closed(turned)) => {
                Ok(Renewing::TurnedAway(turned))
            }
            Err(refused) => {
                self.remark_expiry(&refused, certificate, enrollment).await;
                Err(refused)
            }
        }
    }

    /// Whether devices may come without showing a certificate.
    fn takes_other_proofs(&self) -> bool {
        let auth = self.settings.device_auth;
        auth.message_signing != MessageSigning::Off || auth.digest != DigestMode::Off
    }
}
