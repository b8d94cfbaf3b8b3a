//! What must not reach a transcript, an event or a list (management reference 1.15).
//!
//! In place of a secret stands a mark with its length and a keyed hash, so that two transcripts can still be compared.

use std::ops::Range;

use super::ports::Sealer;
use crate::proto::syncml::LocUri;
use crate::proto::xml::{Document, Element, Limits};

/// Last segments of nodes whose value is secret, in lower case.
const SECRET_NODES: &[&str] = &[
    "aauthdata",
    "aauthsecret",
    "adencryptedpasswordhistory",
    "challenge",
    "changeproductkey",
    "eapconfiguration",
    "newpinvalue",
    "pfxcertblob",
    "pfxcertpassword",
    "profilexml",
    "recoverykey",
    "sasurl",
    "upgradeeditionwithproductkey",
    "wlanxml",
];
/// Parts of a last segment that mark a node as secret, in lower case.
const SECRET_WORDS: &[&str] =
    &["password", "passphrase", "secret", "privatekey", "presharedkey", "productkey", "accesstoken", "credential"];
/// Alert types whose payload is a token.
const TOKEN_ALERTS: &[&str] = &["com.microsoft/MDM/AADUserToken", "com.microsoft/MDM/AADDeviceToken"];

/// Whether values of that node are secret.
#[must_use]
pub fn is_secret(uri: &LocUri) -> bool {
    let name = uri.last_segment().to_ascii_lowercase();
    // Policies that tell how passwords must look are no passwords.
    let policy = uri.is_at_or_below(&LocUri::fixed("./Device/Vendor/MSFT/Policy"))
        || uri.is_at_or_below(&LocUri::fixed("./Device/Vendor/MSFT/LAPS/Policies"));
    SECRET_NODES.contains(&name.as_str()) || (!policy && SECRET_WORDS.iter().any(|word| name.contains(word)))
}

/// The payload of an alert, without tokens.
#[must_use]
pub fn alert_data<'a>(kind: &str, data: &'a str) -> &'a str {
    if is_token_alert(kind) { "[redacted]" } else { data }
}

fn is_token_alert(kind: &str) -> bool {
    TOKEN_ALERTS.iter().any(|alert| kind.trim().eq_ignore_ascii_case(alert))
}

/// A SyncML message as it may be kept: decoded, with marks in place of secrets. Bytes that are no XML are not kept at all.
#[must_use]
pub fn message(bytes: &[u8], sealer: &dyn Sealer) -> String {
    let Ok(document) = Document::parse(bytes, &Limits::default()) else {
        return format!("[unreadable, {} bytes]", bytes.len());
    };
    let mut secrets = Vec::new();
    collect(document.root(), false, &document, &mut secrets);
    let mut out = String::with_capacity(document.text().len());
    let mut at = 0;
    for range in secrets {
        let secret = &document.text()[range.clone()];
        out.push_str(&document.text()[at..range.start]);
        if !secret.is_empty() {
            out.push_str(&mark(secret, sealer));
        }
        at = range.end;
    }
    out.push_str(&document.text()[at..]);
    out
}

fn mark(secret: &str, sealer: &dyn Sealer) -> String {
    let hex: String = sealer.mark(secret.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("[redacted {} bytes {hex}]", secret.len())
}

/// Gathers the content of every element that holds a secret, in document order. Depth is bounded by the reader.
fn collect(element: &Element, in_secret_item: bool, document: &Document, out: &mut Vec<Range<usize>>) {
    let secret_item = match element.local.as_str() {
        "Cred" => true,
        "Item" => holds_secret(element),
        _ => in_secret_item,
    };
    for child in element.elements() {
        let is_value = child.local == "NextNonce" || (child.local == "Data" && secret_item);
        if is_value {
            out.push(document.inner_range(child));
        } else {
            collect(child, secret_item && child.local != "Meta", document, out);
        }
    }
}

/// An Item that names a secret node, carries a token, or does not say which node it is about.
fn holds_secret(item: &Element) -> bool {
    let named = |name: &str| item.elements().find(|child| child.local == name);
    let uri = ["Target", "Source"].into_iter().filter_map(named).find_map(|place| {
        let uri = place.elements().find(|child| child.local == "LocURI")?;
        Some(LocUri::received(&uri.text()))
    });
    let kind = named("Meta").into_iter().flat_map(Element::elements).chain(item.elements());
    let kind = kind.filter(|child| child.local == "Type").map(Element::trimmed).find(|kind| !kind.is_empty());
    match (uri, kind) {
        (Some(uri), _) if is_secret(&uri) => true,
        (_, Some(kind)) => is_token_alert(&kind),
        (Some(_), None) => false,
        (None, None) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::ports::SealError;

    struct Marks;

    impl Sealer for Marks {
        fn seal(&self, _: &str, plain: &[u8]) -> Vec<u8> {
            plain.to_vec()
        }
        fn open(&self, _: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
            Ok(sealed.to_vec())
        }
        fn mark(&self, secret: &[u8]) -> [u8; 8] {
            [secret.len() as u8; 8]
        }
    }

    // covers: M-146, M-110
    #[test]
    fn secrets_are_marked_and_the_rest_stays() {
        let text = "<SyncML xmlns='SYNCML:SYNCML1.2'><SyncHdr><Cred><Meta><Type xmlns='syncml:metinf'>x</Type></Meta>\
            <Data>c2VjcmV0MQ==</Data></Cred></SyncHdr><SyncBody><Status><Chal><Meta><NextNonce xmlns='syncml:metinf'>bm9uY2Ux\
            </NextNonce></Meta></Chal><Data>200</Data></Status><Results><Item><Source><LocURI>./Vendor/MSFT/RemoteLock/NewPINValue\
            </LocURI></Source><Data>271828</Data></Item><Item><Source><LocURI>./DevInfo/Man</LocURI></Source><Data>Contoso</Data>\
            </Item><Item><Data>nobody-knows-what</Data></Item></Results><Alert><Data>1224</Data><Item><Meta>\
            <Type xmlns='syncml:metinf'>com.microsoft/MDM/AADUserToken</Type></Meta><Data>eyJhbGciOi</Data></Item></Alert>\
            <Alert><Data>1224</Data><Item><Meta><Type xmlns='syncml:metinf'>com.microsoft/MDM/LoginStatus</Type></Meta>\
            <Data>user</Data></Item></Alert><Replace><Item><Target><LocURI>./Vendor/MSFT/WiFi/Profile/x/WlanXml</LocURI></Target>\
            <Data><k>psk-psk</k></Data></Item><Item><Target>\
            <LocURI>./Device/Vendor/MSFT/Policy/Config/DeviceLock/MinDevicePasswordLength</LocURI></Target><Data>12</Data></Item>\
            </Replace></SyncBody></SyncML>";
        let kept = message(text.as_bytes(), &Marks);
        for secret in ["c2VjcmV0MQ==", "bm9uY2Ux", "271828", "eyJhbGciOi", "psk-psk", "nobody-knows-what"] {
            assert!(!kept.contains(secret), "{secret}");
        }
        for plain in ["Contoso", "<Data>200</Data>", "<Data>user</Data>", "<Data>12</Data>", "<Data>1224</Data>"] {
            assert!(kept.contains(plain), "{plain}");
        }
        assert!(kept.contains("[redacted 6 bytes 0606060606060606]"));
        assert!(Document::parse(kept.as_bytes(), &Limits::default()).is_ok());
    }

    #[test]
    fn what_cannot_be_read_is_not_kept() {
        assert_eq!(message(b"<a>secret", &Marks), "[unreadable, 9 bytes]");
    }
}
