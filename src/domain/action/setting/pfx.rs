//! A certificate with its key, as PKCS#12 (management reference 7.13).

use serde_json::{Value, json};

use crate::domain::action::Conclusion;
use crate::domain::action::judge::{answer, conclude_all, error_at, failed, succeeded, text};
use crate::domain::action::recipe::Order;
use crate::domain::command::{CommandState, ItemState};
use crate::proto::base64;
use crate::proto::csp::client_certificate::{BLOB_FORMATS, CertificateKey, KeyLocation, PfxCertificate};
use crate::proto::csp::value::Guid;
use crate::proto::syncml::{Command, LocUri};

/// Largest file that is taken, in bytes.
const MOST_BYTES: usize = 96 * 1024;

pub(super) fn key(pfx: &PfxCertificate, order: &Order<'_>) -> CertificateKey {
    CertificateKey { scope: pfx.scope, certificate_id: pfx.certificate_id.unwrap_or(Guid(order.id)) }
}

pub(super) fn mistakes(pfx: &PfxCertificate) -> Vec<(&'static str, String)> {
    // PKCS#12 is a DER sequence.
    let good =
        base64::decode(pfx.pfx.reveal()).is_ok_and(|bytes| bytes.first() == Some(&0x30) && bytes.len() <= MOST_BYTES);
    let words = || ("pfx", format!("is a PKCS#12 file in base64, at most {MOST_BYTES} bytes"));
    let hello = pfx.key_location == KeyLocation::Hello;
    let container = || ("container_name", "is given exactly where the key is kept in Windows Hello".to_owned());
    let wrong_container = hello != pfx.container_name.is_some();
    (!good).then(words).into_iter().chain(wrong_container.then(container)).collect()
}

pub(super) fn commands(pfx: &PfxCertificate, order: &Order<'_>) -> Vec<Command> {
    vec![pfx.install(key(pfx, order).certificate_id, BLOB_FORMATS[0])]
}

/// The blob in the next format where one is refused, then how it went.
pub(super) fn conclude(pfx: &PfxCertificate, order: &Order<'_>, items: &[ItemState]) -> Conclusion {
    let id = key(pfx, order).certificate_id;
    let root = PfxCertificate::node(pfx.scope, id);
    if let Some(status) = answer(items, &root.below("Status")) {
        return match error_at(items, &root.below("Status")) {
            None | Some(0) => succeeded(status, "the certificate is installed"),
            Some(code) => failed(status, "the certificate was not installed", Some(code)),
        };
    }
    let blob = root.below("PFXCertBlob");
    let format = sent_format(order.sent, &blob);
    let refused = items.iter().any(|item| item.is_for(&blob) && item.status == Some(415));
    let next = BLOB_FORMATS.iter().skip_while(|known| Some(**known) != format).nth(1);
    if let Some(next) = next.filter(|_| refused) {
        return Conclusion::Next(vec![pfx.install(id, next)]);
    }
    match conclude_all(items) {
        Conclusion::Finished(ending) if ending.state == CommandState::Succeeded => {
            Conclusion::Next(PfxCertificate::read(pfx.scope, id))
        }
        other => other,
    }
}

/// The format in which the blob was sent.
fn sent_format<'a>(sent: &'a [Command], blob: &LocUri) -> Option<&'a str> {
    let items = sent.iter().flat_map(Command::walk).flat_map(|command| &command.items);
    let mut blobs = items.filter(|item| item.target.as_ref().is_some_and(|target| target.same_as(blob)));
    blobs.next().and_then(|item| item.meta.format.as_deref())
}

pub(super) fn result(pfx: &PfxCertificate, order: &Order<'_>, items: &[ItemState]) -> Value {
    let id = key(pfx, order).certificate_id;
    let thumbprint = text(items, &PfxCertificate::node(pfx.scope, id).below("Thumbprint"));
    json!({ "certificate_id": id, "thumbprint": thumbprint })
}
