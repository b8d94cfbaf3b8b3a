//! What the device raises on its own (management reference chapter 4): alerts that steer the session, alerts that tell
//! how an action ended, and all others, which are kept and shown.

use super::conversation::Login;
use super::documents;
use super::exchange::{AlertNotice, Notice};
use super::settle;
use super::work::Work;
use crate::proto::syncml::{Alert, AlertType, Item};

/// Alert Items that are kept of one message.
const MOST_ALERTS: usize = 100;
/// Longest name that is kept of an alert, in characters.
const LONGEST_NAME: usize = 512;

/// Takes an alert that was answered already.
pub(super) fn take(work: &mut Work<'_>, alert: &Alert) {
    match alert.code {
        1200 | 1201 | 1222 => {}
        1223 => work.seen.aborted = true,
        _ if alert.items.is_empty() => keep(work, alert.code, &Item::default()),
        _ => {
            for item in &alert.items {
                take_item(work, alert, item);
            }
        }
    }
}

fn take_item(work: &mut Work<'_>, alert: &Alert, item: &Item) {
    match AlertType::of(alert.code, Alert::kind_of(item)) {
        AlertType::LoginStatus => take_login(work, alert),
        AlertType::RequestPending => work.seen.heartbeat = true,
        AlertType::Unenrollment => {
            work.seen.left = true;
            keep(work, alert.code, item);
        }
        // What the door made of it is in the session already.
        subject if subject.is_credential() => {}
        subject => {
            work.seen.bootstrap |= subject == AlertType::BootstrapSync;
            // It comes with every message: what it repeats is not told again.
            if subject != AlertType::DeclaredConfiguration || documents::heard(work, item) {
                keep(work, alert.code, item);
            }
            settle::heard(work, &subject, item);
        }
    }
}

/// Of several words in one alert the first counts.
fn take_login(work: &mut Work<'_>, alert: &Alert) {
    let says = |item: &&Item| AlertType::of(alert.code, Alert::kind_of(item)) == AlertType::LoginStatus;
    let Some(word) = alert.items.iter().find(says) else { return };
    if let Some(session) = &mut work.session {
        session.login = Login::parse(word.text());
    }
}

/// Whatever it says, it is told and can be looked up.
fn keep(work: &mut Work<'_>, code: u16, item: &Item) {
    if work.seen.alerts >= MOST_ALERTS {
        return work.remark("more alerts in one message than are kept");
    }
    work.seen.alerts += 1;
    work.notices.push(Notice::Alert(AlertNotice {
        code,
        kind: cut(Alert::kind_of(item)),
        source: item.source.as_ref().map(|uri| cut(uri.as_str())),
        nodes: item.target.iter().chain(&item.source).filter(|uri| !uri.as_str().trim().is_empty()).cloned().collect(),
        mark: item.meta.mark.as_deref().map(cut),
        format: item.meta.format.as_deref().map(cut),
        data: item.text().to_owned(),
    }));
}

fn cut(name: &str) -> String {
    name.chars().take(LONGEST_NAME).collect()
}

#[cfg(test)]
#[path = "following_tests.rs"]
mod tests;
