//! What must not reach a transcript, an event or a list (management reference 1.15).
//!
//! Lists and events leave out the nodes that are known to be secret. Transcripts are read by more people and kept longer:
//! they show the nodes that are known to be harmless and nothing else. In place of a value stands a mark with its length
//! and a keyed hash, so that two transcripts can still be compared.

mod rules;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use super::App;
use super::ports::Sealer;
use crate::domain::Mark;
use crate::domain::action::Action;
use crate::domain::session_record::unreadable;
use crate::proto::syncml::{AlertType, Command, Data, Encoding, Item, LocUri};
use crate::proto::xml::{Document, Element, Limits, escaped_len};
use crate::session::{AlertNotice, Redactor};

pub use rules::{Disclosure, Rules, ShownValues};

impl App {
    /// Which values are secret now, and which are shown.
    #[must_use]
    pub fn redaction(&self) -> Rules {
        let known = self.memory.csp.now();
        Rules::new(Arc::clone(&known.catalogue), Arc::clone(&self.settings.disclosure))
    }
}

/// What redacts: the rules, and what makes marks.
#[derive(Clone, Copy)]
pub struct Redaction<'r> {
    /// The rules.
    pub rules: &'r Rules,
    /// Makes marks.
    pub sealer: &'r dyn Sealer,
}

/// What may be shown of the data of an alert: itself, or a mark in its place.
#[must_use]
pub fn alert_data<'a>(alert: &'a AlertNotice, redaction: Redaction<'_>) -> Cow<'a, str> {
    let kind = Some(alert.kind.trim()).filter(|kind| !kind.is_empty());
    if alert.data.is_empty() || !hides_alert(&alert.nodes, kind.as_slice(), redaction.rules) {
        return Cow::Borrowed(&alert.data);
    }
    Cow::Owned(mark(&alert.data, redaction.sealer).to_string())
}

/// A SyncML message as it may be kept: as XML text, whatever form it came in, with marks in place of values that are not
/// known to be harmless. Bytes that are no message are not kept at all.
#[must_use]
pub fn message(bytes: &[u8], encoding: Encoding, redaction: Redaction<'_>) -> String {
    let kept = encoding.document(bytes, &Limits::default()).and_then(|document| {
        let mut secrets = Vec::new();
        collect(Place { element: document.root(), parent: None }, &document, redaction.rules, &mut secrets);
        marked(document.text(), &secrets, redaction.sealer)
    });
    kept.unwrap_or_else(|| unreadable(bytes.len()))
}

/// A value that must not be kept: where it stands in the text, and what it says, however it is written there.
struct Secret<'d> {
    at: Range<usize>,
    value: Cow<'d, str>,
}

/// The text with marks in place of those values; `None` unless they lie in it one after the other.
fn marked(text: &str, secrets: &[Secret<'_>], sealer: &dyn Sealer) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for secret in secrets {
        out.push_str(text.get(at..secret.at.start)?);
        if !text.get(secret.at.clone())?.is_empty() {
            out.push_str(&mark(&secret.value, sealer).to_string());
        }
        at = secret.at.end;
    }
    out.push_str(text.get(at..)?);
    Some(out)
}

/// Redacts what the engine was given, by the same rules as the messages.
pub(super) struct Given<'r>(pub(super) Redaction<'r>);

impl Redactor for Given<'_> {
    fn command(&self, command: &Command) -> Command {
        Command {
            items: command.items.iter().map(|item| self.item(item)).collect(),
            children: command.children.iter().map(|child| self.command(child)).collect(),
            ..command.clone()
        }
    }

    fn value(&self, node: Option<&LocUri>, value: &str) -> String {
        if node.is_some_and(|node| self.0.rules.is_shown(node)) { value.to_owned() } else { self.secret(value) }
    }

    fn action(&self, action: &Action) -> Action {
        action.marked(&|secret| self.secret(secret))
    }

    fn digest(&self, digest: &[u8; 32]) -> [u8; 32] {
        let mut out = [0; 32];
        out[..8].copy_from_slice(&self.0.sealer.mark(digest));
        out
    }
}

impl Given<'_> {
    /// A mark in place of a secret. How much goes into a message is decided by the room that it takes there, so that is told.
    fn secret(&self, secret: &str) -> String {
        let mark = Mark { escaped: escaped_len(secret), ..mark(secret, self.0.sealer) };
        if secret.is_empty() { String::new() } else { mark.to_string() }
    }

    fn item(&self, item: &Item) -> Item {
        let nodes: Vec<&LocUri> = item.target.iter().chain(&item.source).collect();
        let is_shown = !nodes.is_empty() && nodes.iter().all(|uri| self.0.rules.is_shown(uri));
        let mut item = item.clone();
        item.meta.next_nonce = item.meta.next_nonce.map(|nonce| self.secret(&nonce));
        if !is_shown {
            item.data = item.data.map(|data| Data::new(self.secret(data.text())));
        }
        item
    }
}

fn mark(secret: &str, sealer: &dyn Sealer) -> Mark {
    Mark { bytes: secret.len(), escaped: secret.len(), hash: sealer.mark(secret.as_bytes()) }
}

/// An element and the one around it.
#[derive(Clone, Copy)]
struct Place<'d> {
    element: &'d Element,
    parent: Option<&'d Element>,
}

/// Gathers the content of every element that may hold a secret, in document order. Depth is bounded by the reader.
fn collect<'d>(place: Place<'d>, document: &'d Document, rules: &Rules, out: &mut Vec<Secret<'d>>) {
    let keeps_data = keeps_data(place, rules);
    for child in place.element.elements() {
        if child.local == "NextNonce" || (child.local == "Data" && !keeps_data) {
            let value = if child.has_elements() { document.inner_xml(child).into() } else { child.text() };
            out.push(Secret { at: document.inner_range(child), value });
        } else {
            collect(Place { element: child, parent: Some(place.element) }, document, rules, out);
        }
    }
}

/// Whether the Data of an element stays as it is.
fn keeps_data(Place { element, parent }: Place<'_>, rules: &Rules) -> bool {
    match (element.local.as_str(), parent.map(|parent| parent.local.as_str())) {
        // A code.
        ("Status" | "Alert", _) => true,
        ("Item", Some("Alert")) => !is_secret_alert(element, rules),
        ("Item", _) => {
            let uris: Vec<LocUri> = [Some(element), parent].into_iter().flatten().flat_map(uris).collect();
            !uris.is_empty() && uris.iter().all(|uri| rules.is_shown(uri))
        }
        _ => false,
    }
}

/// An Item of an Alert that names a secret node, carries a token, or says nothing about itself.
fn is_secret_alert(item: &Element, rules: &Rules) -> bool {
    let uris: Vec<LocUri> = uris(item).collect();
    let meta = item.elements().filter(|child| child.local == "Meta").flat_map(Element::elements);
    let kinds = meta.chain(item.elements()).filter(|child| child.local == "Type").map(Element::trimmed);
    let kinds: Vec<String> = kinds.filter(|kind| !kind.is_empty()).collect();
    hides_alert(&uris, &kinds, rules)
}

/// Whether an alert about these nodes, of these types, may hold a secret. One that says nothing about itself may.
fn hides_alert<K: AsRef<str>>(uris: &[LocUri], kinds: &[K], rules: &Rules) -> bool {
    let says_nothing = uris.is_empty() && kinds.is_empty();
    let is_credential = |kind: &K| AlertType::of(0, kind.as_ref()).is_credential();
    says_nothing || uris.iter().any(|uri| rules.is_secret(uri)) || kinds.iter().any(is_credential)
}

/// Every address that stands directly in an element: Target and Source, their parents, TargetRef and SourceRef.
fn uris(element: &Element) -> impl Iterator<Item = LocUri> {
    let places =
        element.elements().filter(|child| child.local.starts_with("Target") || child.local.starts_with("Source"));
    let named = places.flat_map(|place| {
        let inner = place.elements().filter(|child| child.local == "LocURI").map(Element::trimmed);
        std::iter::once(place.trimmed()).chain(inner)
    });
    named.filter(|text| !text.is_empty()).map(|text| LocUri::received(&text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    fn kept_of(bytes: &[u8], encoding: Encoding) -> String {
        message(bytes, encoding, Redaction { rules: &Rules::default(), sealer: &Marks })
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
        let kept = kept_of(text.as_bytes(), Encoding::Xml);
        for secret in ["c2VjcmV0MQ==", "bm9uY2Ux", "271828", "eyJhbGciOi", "psk-psk", "nobody-knows-what"] {
            assert!(!kept.contains(secret), "{secret}");
        }
        for plain in ["Contoso", "<Data>200</Data>", "<Data>user</Data>", "<Data>12</Data>", "<Data>1224</Data>"] {
            assert!(kept.contains(plain), "{plain}");
        }
        assert!(kept.contains("[redacted 6 bytes 0606060606060606]"));
        assert!(Document::parse(kept.as_bytes(), &Limits::default()).is_ok());
    }

    /// What becomes of `value` in a body.
    fn is_kept(body: &str) -> bool {
        let text = format!("<SyncML xmlns='SYNCML:SYNCML1.2'><SyncBody>{body}</SyncBody></SyncML>");
        let kept = kept_of(text.as_bytes(), Encoding::Xml);
        assert!(Document::parse(kept.as_bytes(), &Limits::default()).is_ok(), "{kept}");
        assert!(kept.contains("value") || kept.contains("[redacted 5 bytes"), "{kept}");
        kept.contains("value")
    }

    fn results(uri: &str) -> String {
        format!("<Results><Item><Source><LocURI>{uri}</LocURI></Source><Data>value</Data></Item></Results>")
    }

    // covers: M-146
    #[test]
    fn only_nodes_known_to_be_harmless_are_shown() {
        let shown = [
            "./DevInfo/Mod",
            "./DevDetail/Ext/Microsoft/DeviceName",
            "./Vendor/MSFT/DeviceStatus/OS/Edition",
            "./Device/Vendor/MSFT/DMClient/Provider/Muster/EntDMID",
            "./device/vendor/msft/policy/config/DeviceLock/MinDevicePasswordLength",
            "./User/Vendor/MSFT/Policy/Config/Experience/AllowCortana",
            "./Vendor/MSFT/Policy/Result/Update/ActiveHoursStart/",
            "./Device/Vendor/MSFT/LAPS/Policies/PasswordLength",
            "./Vendor/MSFT/TenantLockdown/RequireNetworkInOOBE?prop=Type",
            "./Vendor/MSFT/WindowsLicensing/Edition",
            "./Device/Vendor/MSFT/BitLocker/Status/RotateRecoveryPasswordsStatus",
            "./Vendor/MSFT/NodeCache/Muster/CacheVersion",
            "./Device/Vendor/MSFT/EnterpriseDesktopAppManagement/MSI/%7BA%7D/Status",
            "./Vendor/MSFT/HealthAttestation/Status",
            "./User/Vendor/MSFT/ClientCertificateInstall/PFXCertInstall/x/Thumbprint",
        ];
        let hidden = [
            "",
            "./",
            "./Device",
            "./Vendor/MSFT/Example/Node",
            "./Vendor/MSFT/DMClientele/Node",
            "./Vendor/MSFT/WindowsLicensing/ChangeProductKey",
            "./Vendor/MSFT/ClientCertificateInstall/PFXCertInstall/x/PFXCertBlob",
            "./Vendor/MSFT/HealthAttestation/Certificate",
            "./User/User/Vendor/MSFT/ClientCertificateInstall/SCEP/x/Status",
            "./Vendor/MSFT/RemoteLock/NewPINValue",
            "./Vendor/MSFT/RemoteLock/NewPINValue/",
            "./Vendor/MSFT/RemoteLock/NewPINValue?prop=Value",
            "./Vendor/MSFT/RemoteLock//NewPIN%56alue//?list=Struct",
            "./Vendor/MSFT/Policy/Config/../../WiFi/Profile/x/WlanXml",
            "./Vendor/MSFT/Policy/Config/../Node",
            "./Vendor/MSFT/Policy/Config/Chrome~Policy~googlechrome/CloudManagementEnrollmentToken",
            "./Vendor/MSFT/Policy/Config/Area/ProfileXML",
            "./User/Vendor/MSFT/Policy/Config/Area/Password",
            "./Vendor/MSFT/NodeCache/Muster/Nodes/1/ExpectedValue",
            "./Vendor/MSFT/NodeCache/Muster/ChangedNodesData",
            "./Vendor/MSFT/DMClient/Provider/Muster/Push/ChannelURI",
            "https://mdm.example.test/",
        ];
        for uri in shown {
            assert!(is_kept(&results(uri)), "{uri}");
        }
        for uri in hidden {
            assert!(!is_kept(&results(uri)), "{uri}");
        }
    }

    // covers: M-146
    #[test]
    fn one_secret_or_missing_address_hides_the_value() {
        let [good, bad] = ["./DevInfo/Mod", "./Vendor/MSFT/RemoteLock/NewPINValue"];
        let place = |name: &str, uri: &str| format!("<{name}><LocURI>{uri}</LocURI></{name}>");
        let (target, source) = (place("Target", good), place("Source", bad));
        let kind = "<Meta><Type xmlns='syncml:metinf'>text/plain</Type></Meta>";
        let data = "<Data>value</Data>";
        let cases = [
            ("both good", true, format!("<Replace><Item>{target}{data}</Item></Replace>")),
            ("the second is bad", false, format!("<Replace><Item>{target}{source}{data}</Item></Replace>")),
            ("two of a kind", false, format!("<Replace><Item>{target}{}{data}</Item></Replace>", place("Target", bad))),
            ("two in one", false, {
                let both = format!("<Target><LocURI>{good}</LocURI><LocURI>{bad}</LocURI></Target>");
                format!("<Replace><Item>{both}{data}</Item></Replace>")
            }),
            ("of the parent", false, format!("<Add><Item>{target}{}{data}</Item></Add>", place("SourceParent", bad))),
            ("of the element", false, {
                format!("<Results><SourceRef>{bad}</SourceRef><Item>{target}{data}</Item></Results>")
            }),
            ("of a status", false, format!("<Status><TargetRef>{bad}</TargetRef><Item>{data}</Item></Status>")),
            ("only of the element", true, {
                format!("<Results><SourceRef>{good}</SourceRef><Item>{data}</Item></Results>")
            }),
            ("none", false, format!("<Results><Item>{data}</Item></Results>")),
            ("none, with a type", false, format!("<Results><Item>{kind}{data}</Item></Results>")),
            ("inside Atomic", false, format!("<Atomic><Add><Item>{kind}{data}</Item></Add></Atomic>")),
            ("a code", true, "<Status><Data>value</Data></Status>".to_owned()),
            ("not in an item", false, format!("<Results>{data}</Results>")),
            ("not in an item, either", false, format!("<Results><Item>{target}<More>{data}</More></Item></Results>")),
            ("an alert", true, format!("<Alert><Item>{kind}{data}</Item></Alert>")),
            ("an alert about a secret", false, format!("<Alert><Item>{target}{source}{kind}{data}</Item></Alert>")),
            ("an alert about nothing", false, format!("<Alert><Item>{data}</Item></Alert>")),
            ("an alert of two types", false, {
                let token = "<Type xmlns='syncml:metinf'>com.microsoft/MDM/AADUserToken</Type>";
                format!("<Alert><Item>{kind}<Meta>{token}</Meta>{data}</Item></Alert>")
            }),
            ("inside an alert", false, format!("<Alert><Get><Item>{kind}{data}</Item></Get></Alert>")),
        ];
        for (name, kept, body) in cases {
            assert_eq!(is_kept(&body), kept, "{name}");
        }
    }

    #[test]
    fn empty_values_are_no_trap() {
        let secret = "<Source><LocURI>./Vendor/MSFT/WiFi/Profile/x/WlanXml</LocURI></Source>";
        let text = format!(
            "<SyncML><Results><Item>{secret}<Data>psk</Data></Item><Item>{secret}<Data/></Item>\
            <Item>{secret}<Data></Data></Item></Results><Chal><NextNonce/></Chal></SyncML>"
        );
        let kept = kept_of(text.as_bytes(), Encoding::Xml);
        assert_eq!(kept, text.replace("psk", "[redacted 3 bytes 0303030303030303]"));
        let secret = |at: Range<usize>| Secret { at, value: "x".into() };
        assert_eq!(marked("text", &[secret(2..4), secret(0..1)], &Marks), None, "ranges that run backwards");
        assert_eq!(marked("é", &[secret(1..2)], &Marks), None, "inside a character");
    }

    /// However a value is written, it gets the same mark.
    #[test]
    fn the_mark_is_of_the_value() {
        let kept = |data: &str| {
            let uri = "<Source><LocURI>./Vendor/MSFT/WiFi/Profile/x/WlanXml</LocURI></Source>";
            let text = format!("<SyncML><Results><Item>{uri}<Data>{data}</Data></Item></Results></SyncML>");
            kept_of(text.as_bytes(), Encoding::Xml)
        };
        let mark = kept("&lt;k&gt;&quot;");
        assert!(mark.contains("[redacted 4 bytes 0404040404040404]"), "{mark}");
        assert_eq!(kept("<![CDATA[<k>]]>&#34;"), mark);
        assert_eq!(kept("&lt;k>\""), mark);
    }

    proptest! {
        /// Whatever a device sends, something is kept of it.
        #[test]
        fn nothing_makes_it_panic(parts in prop::collection::vec(prop::sample::select(PARTS), 0..40)) {
            let text = format!("<SyncML>{}</SyncML>", parts.concat());
            let kept = kept_of(text.as_bytes(), Encoding::Xml);
            let readable = Document::parse(text.as_bytes(), &Limits::default()).is_ok();
            prop_assert_eq!(kept.starts_with("[unreadable"), !readable);
        }
    }

    const PARTS: &[&str] = &[
        "<Item>",
        "</Item>",
        "<Item/>",
        "<Data>",
        "</Data>",
        "<Data/>",
        "<Data></Data>",
        "<Data>é&lt;</Data>",
        "<Data><![CDATA[<x>]]></Data>",
        "<NextNonce/>",
        "<Source><LocURI/></Source>",
        "<Target><LocURI>./Vendor/MSFT/WiFi/Profile/x/WlanXml</LocURI></Target>",
        "<!-- é -->",
        "\n é ",
    ];

    #[test]
    fn what_cannot_be_read_is_not_kept() {
        assert_eq!(kept_of(b"<a>secret", Encoding::Xml), "[unreadable, 9 bytes]");
    }
}
