//! A certificate that the device gets by SCEP (management reference 7.13).

use serde_json::{Value, json};

use crate::domain::action::judge::{accepted_exec, answer, conclude_all, error_at, failed, succeeded, text};
use crate::domain::action::recipe::Order;
use crate::domain::action::{Conclusion, DeviceAlert, Heard, Question};
use crate::domain::command::{CommandState, ItemState};
use crate::proto::csp::client_certificate::{CertificateKey, KeyLocation, ScepCertificate, ScepStatus};
use crate::proto::csp::value::{Guid, check_line};
use crate::proto::syncml::{AlertType, Command};

/// Either of these has to be among the key usages.
const SIGNATURE_OR_ENCIPHERMENT: u32 = 0x80 | 0x20;
/// Names beside the subject at most.
const MOST_NAMES: usize = 50;

pub(super) fn key(scep: &ScepCertificate, order: &Order<'_>) -> CertificateKey {
    CertificateKey { scope: scep.scope, certificate_id: scep.certificate_id.unwrap_or(Guid(order.id)) }
}

pub(super) fn mistakes(scep: &ScepCertificate) -> Vec<(&'static str, String)> {
    let mut mistakes = Vec::new();
    let mut check = |is_wrong: bool, field: &'static str, words: &str| {
        if is_wrong {
            mistakes.push((field, words.to_owned()));
        }
    };
    check(![1024, 2048, 4096].contains(&scep.key_bits), "key_bits", "is 1024, 2048 or 4096");
    let usage = scep.key_usage.get() & SIGNATURE_OR_ENCIPHERMENT;
    check(usage == 0, "key_usage", "holds 128 (signature) or 32 (encipherment)");
    check(scep.extended_key_usages.is_empty(), "extended_key_usages", "has at least one");
    let is_oid = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && text.contains('.');
    let odd = scep.extended_key_usages.iter().any(|usage| !is_oid(usage.as_str()));
    check(odd, "extended_key_usages", "holds object identifiers such as 1.3.6.1.5.5.7.3.2");
    check(scep.hash_algorithms.is_empty(), "hash_algorithms", "has at least one");
    check(scep.alternative_names.len() > MOST_NAMES, "alternative_names", "has at most 50");
    // They are written in one text, between these.
    let cuts = scep.alternative_names.iter().any(|name| name.value.as_str().contains([';', '+']));
    check(cuts, "alternative_names", "holds no ; and no +");
    let hello = scep.key_location == KeyLocation::Hello;
    let words = "is given exactly where the key is kept in Windows Hello";
    check(hello != scep.container_name.is_some(), "container_name", words);
    if let Err(words) = check_line(scep.challenge.reveal(), 2_048) {
        check(true, "challenge", &words);
    }
    mistakes
}

pub(super) fn commands(scep: &ScepCertificate, order: &Order<'_>) -> Vec<Command> {
    vec![scep.enroll(key(scep, order).certificate_id)]
}

pub(super) fn conclude(scep: &ScepCertificate, order: &Order<'_>, items: &[ItemState]) -> Conclusion {
    let id = key(scep, order).certificate_id;
    let root = ScepCertificate::node(scep.scope, id);
    let Some(status) = answer(items, &root.below("Status")) else { return conclude_order(scep, id, items) };
    let error = error_at(items, &root.below("ErrorCode"));
    match status.data.as_deref().map(ScepStatus::parse) {
        Some(ScepStatus::Done) => succeeded(status, "the device got its certificate"),
        Some(ScepStatus::Failed) => failed(status, "the device got no certificate", error),
        Some(ScepStatus::Pending) => wait(scep, id, "the authority has not decided yet"),
        Some(ScepStatus::Unknown) | None => wait(scep, id, "the device asks the authority"),
    }
}

/// What came of the order itself: begun, or refused.
fn conclude_order(scep: &ScepCertificate, id: Guid, items: &[ItemState]) -> Conclusion {
    match conclude_all(items) {
        Conclusion::Finished(ending) if ending.state == CommandState::Succeeded => {
            let unsupported = "this device does not enroll by SCEP";
            accepted_exec(items, unsupported, || wait(scep, id, "the device asks the authority"))
        }
        other => other,
    }
}

fn wait(scep: &ScepCertificate, id: Guid, words: &str) -> Conclusion {
    Conclusion::Follow(question(scep, id, words))
}

fn question(scep: &ScepCertificate, id: Guid, words: &str) -> Question {
    Question { commands: ScepCertificate::read(scep.scope, id), detail: words.to_owned() }
}

/// The alert says that it is over; how, the nodes tell.
pub(super) fn hear(scep: &ScepCertificate, order: &Order<'_>, alert: &DeviceAlert<'_>) -> Option<Heard> {
    let id = key(scep, order).certificate_id;
    let root = ScepCertificate::node(scep.scope, id);
    let about = alert.source.is_some_and(|source| source.is_at_or_below(&root));
    let is_over = about && *alert.subject == AlertType::ScepInstall;
    is_over.then(|| Heard::Look(question(scep, id, "the device tells that it is done")))
}

pub(super) fn result(scep: &ScepCertificate, order: &Order<'_>, items: &[ItemState]) -> Value {
    let id = key(scep, order).certificate_id;
    let root = ScepCertificate::node(scep.scope, id);
    json!({
        "certificate_id": id,
        "thumbprint": text(items, &root.below("CertThumbprint")),
        "server_url": text(items, &root.below("RespondentServerUrl")),
    })
}
