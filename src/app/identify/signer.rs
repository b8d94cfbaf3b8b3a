//! A device that signs its messages ([MS-MDM] `MS-Signature`, management reference 5.6): good where a proxy ends TLS.
//!
//! In two parts: the certificate is looked up before the body is read, so that nobody else's body is; whether the signature
//! is over that body shows afterwards. The certificate has to be as good as in TLS.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use time::Duration;

use super::{DeviceIdentity, Shown, TurnedAway, Unidentified, store};
use crate::app::App;
use crate::domain::proof::Proof;
use crate::pki::DetachedSignature;
use crate::session::SignatureMark;

/// A device that is proven once its signature is found to be over the body.
#[derive(Clone, Debug)]
pub struct Signer {
    /// Whose certificate signed. Believe it only after [`App::confirm`].
    device: DeviceIdentity,
    signature: DetachedSignature,
    certificate: Vec<u8>,
}

impl App {
    /// Reads the signature and finds whose certificate made it; it must be that of `known`, where that is known.
    pub(super) async fn signer(
        &self,
        shown: &Shown<'_>,
        known: Option<DeviceIdentity>,
    ) -> Result<Signer, Unidentified> {
        let text = one(&shown.signatures)?;
        let der = BASE64_STANDARD.decode(text).map_err(|_| refused("it is not base64"))?;
        let signature = DetachedSignature::parse(&der).map_err(refused)?;
        let certificate = self.certificate_of(&signature).await?;
        self.authority.check_issued(&certificate, self.now()).map_err(Unidentified::Unverified)?;
        let signer = self.owner(&certificate, Proof::Signature, shown.address).await?;
        let device = match known {
            None => signer,
            Some(known) if known.enrollment_id != signer.enrollment_id => return Err(Unidentified::TwoDevices),
            Some(known) => DeviceIdentity { proofs: [known.proofs, signer.proofs].concat(), ..known },
        };
        Ok(Signer { device, signature, certificate })
    }

    /// The signer's certificate: the one that came along, or the one of ours that it names.
    async fn certificate_of(&self, signature: &DetachedSignature) -> Result<Vec<u8>, Unidentified> {
        if let Some(der) = signature.certificate() {
            return Ok(der.to_vec());
        }
        let serial = signature.serial().ok_or(Unidentified::Unknown)?;
        let found = self.store.certificate_by_serial(&serial.to_hex()).await.map_err(store)?;
        found.map(|certificate| certificate.der).ok_or(Unidentified::Unknown)
    }

    /// Whether a signature is over that body, and made now; who is refused is told in log and audit trail.
    pub(in crate::app) async fn confirm(&self, signer: &Signer, body: &[u8]) -> Result<DeviceIdentity, Unidentified> {
        let confirmed = self.check_signature(signer, body);
        if let Err(rejected) = &confirmed {
            self.tell_refusal(signer.device.address, rejected).await;
        }
        confirmed
    }

    fn check_signature(&self, signer: &Signer, body: &[u8]) -> Result<DeviceIdentity, Unidentified> {
        let (enrollment_id, device_id) = (signer.device.enrollment_id, signer.device.device_id);
        let forged = |reason| Unidentified::Forged(TurnedAway { enrollment_id, device_id, reason });
        signer.signature.verify(body, &signer.certificate).map_err(|error| forged(error.to_string()))?;
        let at = signer.signature.signing_time();
        if let Some(window) = self.settings.device_auth.signing_window {
            let apart = self.now() - at.ok_or_else(|| forged("it does not say when it was made".to_owned()))?;
            if apart.abs() > window {
                return Err(forged(format!("it was made {}", told(apart))));
            }
        }
        let mark = SignatureMark { at, digest: signer.signature.mark() };
        Ok(DeviceIdentity { signature: Some(mark), signs: true, ..signer.device.clone() })
    }
}

/// The one signature of a request, without blanks. The two names of the header may both stand there, with the same value.
fn one(signatures: &[&[u8]]) -> Result<Vec<u8>, Unidentified> {
    let bare = |text: &&[u8]| text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect::<Vec<u8>>();
    let mut texts = signatures.iter().map(bare);
    let first = texts.next().ok_or(Unidentified::Unsigned)?;
    match texts.all(|text| text == first) {
        true => Ok(first),
        false => Err(refused("there are two different ones")),
    }
}

fn refused(words: impl ToString) -> Unidentified {
    Unidentified::Signature(words.to_string())
}

/// How long ago, or how far in the future.
fn told(apart: Duration) -> String {
    let direction = if apart.is_negative() { "in the future" } else { "ago" };
    format!("{} minutes {direction}; is a clock wrong?", apart.whole_minutes().abs())
}
