//! The three enrollment operations from the client's side: requests as Windows writes them, and checks of answers.

use super::csr::Csr;
use super::escape;
use super::http::{Request, Response};
use super::keys::Key;
use super::tree::Element;

pub const SOAP: &str = "http://www.w3.org/2003/05/soap-envelope";
pub const SOAP_11: &str = "http://schemas.xmlsoap.org/soap/envelope/";
pub const ADDRESSING: &str = "http://www.w3.org/2005/08/addressing";
pub const UTILITY: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
pub const SECEXT: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
pub const TRUST: &str = "http://docs.oasis-open.org/ws-sx/ws-trust/200512";
pub const AUTHORIZATION: &str = "http://schemas.xmlsoap.org/ws/2006/12/authorization";
pub const DISCOVERY: &str = "http://schemas.microsoft.com/windows/management/2012/01/enrollment";
pub const XCEP: &str = "http://schemas.microsoft.com/windows/pki/2009/01/enrollmentpolicy";
pub const WSTEP: &str = "http://schemas.microsoft.com/windows/pki/2009/01/enrollment";
pub const DISPATCHER: &str = "http://schemas.microsoft.com/net/2005/12/windowscommunicationfoundation/dispatcher";
pub const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

const DIAGNOSTICS: &str = "http://schemas.microsoft.com/2004/09/ServiceModel/Diagnostics";
const XSD: &str = "http://www.w3.org/2001/XMLSchema";
pub const TOKEN_TYPE: &str =
    "http://schemas.microsoft.com/5.0.0.0/ConfigurationManager/Enrollment/DeviceEnrollmentToken";
pub const USER_TOKEN: &str =
    "http://schemas.microsoft.com/5.0.0.0/ConfigurationManager/Enrollment/DeviceEnrollmentUserToken";
const PROVISION_DOC: &str =
    "http://schemas.microsoft.com/5.0.0.0/ConfigurationManager/Enrollment/DeviceEnrollmentProvisionDoc";
pub const PASSWORD_TEXT: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText";
pub const PASSWORD_DIGEST: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest";
pub const PKCS10: &str = "http://schemas.microsoft.com/windows/pki/2009/01/enrollment#PKCS10";
pub const PKCS7: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd#PKCS7";
pub const PKCS7_WSTEP: &str = "http://schemas.microsoft.com/windows/pki/2009/01/enrollment#PKCS7";
pub const CONTENT_TYPE: &str = "application/soap+xml; charset=utf-8";

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Discover,
    GetPolicies,
    Rst,
}

impl Operation {
    pub fn action(self) -> &'static str {
        match self {
            Self::Discover => {
                "http://schemas.microsoft.com/windows/management/2012/01/enrollment/IDiscoveryService/Discover"
            }
            Self::GetPolicies => {
                "http://schemas.microsoft.com/windows/pki/2009/01/enrollmentpolicy/IPolicy/GetPolicies"
            }
            Self::Rst => "http://schemas.microsoft.com/windows/pki/2009/01/enrollment/RST/wstep",
        }
    }

    pub fn response_action(self) -> &'static str {
        match self {
            Self::Discover => {
                "http://schemas.microsoft.com/windows/management/2012/01/enrollment/IDiscoveryService/DiscoverResponse"
            }
            Self::GetPolicies => {
                "http://schemas.microsoft.com/windows/pki/2009/01/enrollmentpolicy/IPolicy/GetPoliciesResponse"
            }
            Self::Rst => "http://schemas.microsoft.com/windows/pki/2009/01/enrollment/RSTRC/wstep",
        }
    }

    /// The MessageID that every Windows client sends with this operation, whatever the device and attempt.
    pub fn message_id(self) -> &'static str {
        match self {
            Self::Discover => "urn:uuid:748132ec-a575-4329-b01b-6171a9cf8478",
            Self::GetPolicies => "urn:uuid:72048B64-0F19-448F-8C2E-B4C661860AA0",
            Self::Rst => "urn:uuid:0d5a1441-5891-453b-becf-a2e5f6ea3749",
        }
    }

    pub fn path(self) -> &'static str {
        match self {
            Self::Discover => "/EnrollmentServer/Discovery.svc",
            Self::GetPolicies => "/EnrollmentServer/Policy.svc",
            Self::Rst => "/EnrollmentServer/Enrollment.svc",
        }
    }

    fn response_element(self) -> (&'static str, &'static str) {
        match self {
            Self::Discover => (DISCOVERY, "DiscoverResponse"),
            Self::GetPolicies => (XCEP, "GetPoliciesResponse"),
            Self::Rst => (TRUST, "RequestSecurityTokenResponseCollection"),
        }
    }
}

/// A SOAP request in parts, so that a test can bend one of them.
#[derive(Clone)]
pub struct Soap {
    pub operation: Operation,
    pub envelope: &'static str,
    pub action: String,
    /// Empty: no MessageID element.
    pub message_id: String,
    pub to: String,
    /// More header elements, the security header among them.
    pub headers: String,
    pub body: String,
}

impl Soap {
    fn new(operation: Operation, headers: String, body: String) -> Self {
        Self {
            operation,
            envelope: SOAP,
            action: operation.action().to_owned(),
            message_id: operation.message_id().to_owned(),
            to: format!("https://mdm.example.test:443{}", operation.path()),
            headers,
            body,
        }
    }

    pub fn discover(body: String) -> Self {
        let mut soap = Self::new(Operation::Discover, String::new(), body);
        soap.to = "https://EnterpriseEnrollment.example.test:443/EnrollmentServer/Discovery.svc".to_owned();
        soap
    }

    pub fn get_policies(credentials: &str) -> Self {
        Self::new(Operation::GetPolicies, security(credentials), GET_POLICIES_BODY.to_owned())
    }

    pub fn rst(credentials: &str, body: String) -> Self {
        Self::new(Operation::Rst, security(credentials), body)
    }

    /// The whole envelope, compact, with the namespace declarations of Windows.
    pub fn xml(&self) -> String {
        let Self { envelope, action, message_id, to, headers, body, .. } = self;
        let message_id = match message_id.as_str() {
            "" => String::new(),
            id => format!("<a:MessageID>{id}</a:MessageID>"),
        };
        format!(
            concat!(
                r#"<s:Envelope xmlns:s="{}" xmlns:a="{}" xmlns:u="{}" xmlns:wsse="{}" xmlns:wst="{}" xmlns:ac="{}">"#,
                r#"<s:Header><a:Action s:mustUnderstand="1">{}</a:Action>{}"#,
                r#"<a:ReplyTo><a:Address>http://www.w3.org/2005/08/addressing/anonymous</a:Address></a:ReplyTo>"#,
                r#"<a:To s:mustUnderstand="1">{}</a:To>{}</s:Header>"#,
                r#"<s:Body xmlns:xsi="{}" xmlns:xsd="{}">{}</s:Body></s:Envelope>"#
            ),
            envelope,
            ADDRESSING,
            UTILITY,
            SECEXT,
            TRUST,
            AUTHORIZATION,
            action,
            message_id,
            to,
            headers,
            XSI,
            XSD,
            body
        )
    }

    /// The POST to the well-known path, with the headers of the enrollment client.
    pub fn request(&self) -> Request {
        post(self.operation.path(), self.xml())
    }

    /// Checks a good answer and returns the one element in its Body.
    #[track_caller]
    pub fn accepted(&self, response: &Response) -> Element {
        check_answer(self.operation, Some(&self.message_id), response)
    }

    /// Checks a fault and returns what it says.
    #[track_caller]
    pub fn refused(&self, response: &Response) -> Fault {
        check_fault(self.operation, Some(&self.message_id), response)
    }
}

const GET_POLICIES_BODY: &str = concat!(
    r#"<GetPolicies xmlns="http://schemas.microsoft.com/windows/pki/2009/01/enrollmentpolicy"><client>"#,
    r#"<lastUpdate xsi:nil="true"/><preferredLanguage xsi:nil="true"/></client><requestFilter xsi:nil="true"/>"#,
    r#"</GetPolicies>"#
);

/// A POST as the enrollment client sends it.
pub fn post(path: &str, xml: impl Into<Vec<u8>>) -> Request {
    Request::post(path, xml).header("Content-Type", CONTENT_TYPE).header("User-Agent", "ENROLLClient")
}

/// A Discover body; `fields` are the children of `request`.
pub fn discover_body(namespace: &str, fields: &str) -> String {
    format!(r#"<Discover xmlns="{namespace}"><request xmlns:i="{XSI}">{fields}</request></Discover>"#)
}

/// The fields that a Windows 11 PC sends, in its order.
pub fn discover_fields(email: &str, version: &str, policies: &[&str]) -> String {
    let policies: String = policies.iter().map(|p| format!("<AuthPolicy>{p}</AuthPolicy>")).collect();
    let email = escape(email);
    format!(
        "<EmailAddress>{email}</EmailAddress><RequestVersion>{version}</RequestVersion>\
         <DeviceType>CIMClient_Windows</DeviceType><ApplicationVersion>10.0.22621.3155</ApplicationVersion>\
         <OSEdition>48</OSEdition><AuthPolicies>{policies}</AuthPolicies>"
    )
}

/// The request of a Windows 11 PC.
pub fn discover(email: &str) -> Soap {
    Soap::discover(discover_body(DISCOVERY, &discover_fields(email, "6.0", &["OnPremise", "Federated"])))
}

/// A security header around credentials.
pub fn security(credentials: &str) -> String {
    format!(r#"<wsse:Security s:mustUnderstand="1">{credentials}</wsse:Security>"#)
}

/// A UsernameToken as Windows writes it.
pub fn username_token(user: &str, password: &str) -> String {
    username_token_with(user, password, &format!(r#" wsse:Type="{PASSWORD_TEXT}""#))
}

/// A UsernameToken with other attributes on the password.
pub fn username_token_with(user: &str, password: &str, attributes: &str) -> String {
    format!(
        r#"<wsse:UsernameToken u:Id="uuid-cc1ccc1f-2fba-4bcf-b063-ffc0cac77917-4"><wsse:Username>{}</wsse:Username><wsse:Password{attributes}>{}</wsse:Password></wsse:UsernameToken>"#,
        escape(user),
        escape(password)
    )
}

/// A BinarySecurityToken in the security header.
pub fn binary_token(value_type: &str, text: &str) -> String {
    format!(
        r#"<wsse:BinarySecurityToken ValueType="{value_type}" EncodingType="{SECEXT}#base64binary">{text}</wsse:BinarySecurityToken>"#
    )
}

/// The body of an RST.
pub struct RstBody {
    pub token_type: String,
    pub request_type: String,
    /// The whole BinarySecurityToken element, or nothing.
    pub token: String,
    pub items: Vec<(String, String)>,
}

impl RstBody {
    pub fn issue(csr_base64: &str, items: &[(&str, &str)]) -> Self {
        Self {
            token_type: TOKEN_TYPE.to_owned(),
            request_type: format!("{TRUST}/Issue"),
            token: binary_token(PKCS10, csr_base64),
            items: items.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        }
    }

    /// A request by a fresh key of the Windows shape.
    pub fn windows(key: &Key, device_id: &str, items: &[(&str, &str)]) -> Self {
        Self::issue(&Csr::windows(device_id).base64(key), items)
    }

    pub fn xml(&self) -> String {
        let items: String = self
            .items
            .iter()
            .map(|(name, value)| {
                format!(
                    r#"<ac:ContextItem Name="{}"><ac:Value>{}</ac:Value></ac:ContextItem>"#,
                    escape(name),
                    escape(value)
                )
            })
            .collect();
        format!(
            r#"<wst:RequestSecurityToken><wst:TokenType>{}</wst:TokenType><wst:RequestType>{}</wst:RequestType>{}<ac:AdditionalContext xmlns="{AUTHORIZATION}">{items}</ac:AdditionalContext></wst:RequestSecurityToken>"#,
            self.token_type, self.request_type, self.token
        )
    }
}

/// A fault, as far as the client looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// `s:` or `a:` and the word: `a` only if bound to the dispatcher namespace.
    pub subcode: String,
    pub error_type: Option<String>,
    pub reason: String,
    pub trace_id: Option<String>,
}

impl Fault {
    /// Asserts what a row of the mapping table demands.
    #[track_caller]
    pub fn is(&self, item: &str, subcode: &str, error_type: Option<&str>) -> &Self {
        assert_eq!((self.subcode.as_str(), self.error_type.as_deref()), (subcode, error_type), "{item}: {self:?}");
        self
    }

    /// The fault without what differs from one attempt to the next.
    pub fn without_ids(&self) -> Self {
        Self { trace_id: None, ..self.clone() }
    }
}

/// E-04, E-05, E-06: one plain message of known length.
#[track_caller]
pub fn check_transport(response: &Response) {
    let shown = response.headers.clone();
    assert_eq!(response.header("content-type"), Some(CONTENT_TYPE), "E-04: {shown:?}\n{}", response.text());
    let length = response.body.len().to_string();
    assert_eq!(response.header("content-length"), Some(length.as_str()), "E-05: {shown:?}");
    assert_eq!(response.header("transfer-encoding"), None, "E-05: {shown:?}");
    assert_eq!(response.header("content-encoding"), None, "E-06: {shown:?}");
    assert!(!response.body.starts_with(&[0xef, 0xbb, 0xbf]), "an answer begins with a byte order mark");
    assert!(!response.text().contains("<![CDATA["), "answers hold no CDATA");
}

/// Checks envelope, headers and the element of a good answer, which is returned.
#[track_caller]
pub fn check_answer(operation: Operation, message_id: Option<&str>, response: &Response) -> Element {
    response.expect_status(&format!("{operation:?} is answered"), 200);
    let body = check_envelope(operation, message_id, response);
    let (namespace, name) = operation.response_element();
    assert_eq!((body.namespace.as_str(), body.name.as_str()), (namespace, name), "{}", response.text());
    body
}

#[track_caller]
fn check_envelope(operation: Operation, message_id: Option<&str>, response: &Response) -> Element {
    check_transport(response);
    let envelope = Element::parse("the SOAP answer", response.text());
    assert_eq!((envelope.namespace.as_str(), envelope.name.as_str()), (SOAP, "Envelope"), "E-09: SOAP 1.2");
    assert_eq!(envelope.child_names(), ["Header", "Body"], "an envelope has a Header and a Body");
    let header = envelope.at("Header");
    check_action(operation, header);
    check_relates_to(message_id, header);
    if let Some(activity) = header.child("ActivityId") {
        assert_eq!(activity.namespace, DIAGNOSTICS, "ActivityId has its own namespace");
        assert!(activity.attribute("CorrelationId").is_some(), "ActivityId has a CorrelationId");
    }
    check_no_stray_whitespace(&envelope);
    let body = envelope.at("Body");
    assert_eq!(body.children.len(), 1, "the Body has one child:\n{}", body.source);
    body.children[0].clone()
}

#[track_caller]
fn check_action(operation: Operation, header: &Element) {
    let action = header.at("Action");
    assert_eq!(action.namespace, ADDRESSING, "E-13: the Action is an addressing header");
    assert_eq!(action.text, operation.response_action(), "E-13");
    assert_eq!(action.attribute_in(SOAP, "mustUnderstand"), Some("1"), "E-13: {}", action.source);
}

#[track_caller]
fn check_relates_to(message_id: Option<&str>, header: &Element) {
    let relates_to = header.child("RelatesTo");
    match message_id {
        None | Some("") => assert!(relates_to.is_none(), "without MessageID there is no RelatesTo: {}", header.source),
        Some(id) => {
            let relates_to = relates_to.unwrap_or_else(|| panic!("E-12: no RelatesTo in {}", header.source));
            assert_eq!(relates_to.namespace, ADDRESSING, "E-12");
            assert_eq!(relates_to.text, id, "E-12: RelatesTo is the MessageID byte for byte");
        }
    }
}

/// E-19: texts that the client takes as they are hold no white space.
#[track_caller]
fn check_no_stray_whitespace(envelope: &Element) {
    for element in envelope.walk().into_iter().filter(|e| e.children.is_empty()) {
        let exact = element.text.starts_with("http")
            || matches!(element.name.as_str(), "Action" | "BinarySecurityToken" | "EnrollmentVersion" | "AuthPolicy");
        if exact {
            assert!(!element.text.contains(char::is_whitespace), "E-19: white space in {}", element.source);
        }
    }
}

/// Checks a fault in every respect that does not depend on its cause.
#[track_caller]
pub fn check_fault(operation: Operation, message_id: Option<&str>, response: &Response) -> Fault {
    response.expect_status("E-106: a fault is HTTP 500", 500);
    let fault = check_envelope(operation, message_id, response);
    assert_eq!((fault.namespace.as_str(), fault.name.as_str()), (SOAP, "Fault"), "E-106: {}", fault.source);
    let value = fault.at("Code/Value");
    assert_eq!(value.text, "s:Receiver", "E-106: {}", fault.source);
    let subcode = fault.at("Code/Subcode/Value");
    if subcode.text.starts_with("a:") {
        let declaration = format!(r#"xmlns:a="{DISPATCHER}""#);
        let bound = subcode.source.contains(&declaration) || subcode.source.contains(&declaration.replace('"', "'"));
        assert!(bound, "E-107: {}", subcode.source);
    }
    for element in fault.walk().into_iter().filter(|e| matches!(e.name.as_str(), "Code" | "Subcode" | "Reason")) {
        assert_eq!(element.namespace, SOAP, "E-106: {}", element.source);
    }
    let text = fault.at("Reason/Text");
    let language = text.attribute_in("http://www.w3.org/XML/1998/namespace", "lang");
    assert!(language.is_some(), "E-106: SOAP 1.2 wants xml:lang on the reason: {}", text.source);
    check_gives_nothing_away(&fault.source);
    let detail = fault.child("Detail").map(|detail| fault_detail(detail, &text.text));
    let (error_type, trace_id) = detail.unzip();
    Fault { subcode: subcode.text.clone(), error_type, reason: text.text.clone(), trace_id }
}

/// The error type and trace id of a Detail.
#[track_caller]
fn fault_detail(detail: &Element, reason: &str) -> (String, String) {
    let error = detail.at("DeviceEnrollmentServiceError");
    assert_eq!(error.namespace, WSTEP, "E-106: {}", detail.source);
    assert_eq!(error.child_names(), ["ErrorType", "Message", "TraceId"], "E-106: {}", detail.source);
    assert_eq!(error.text_at("Message"), reason, "the message and the reason say the same");
    let trace_id = error.text_at("TraceId");
    assert!(!trace_id.trim().is_empty(), "E-108: {}", detail.source);
    (error.text_at("ErrorType").to_owned(), trace_id.to_owned())
}

/// E-109, S-32: nothing about the inside of the server.
#[track_caller]
pub fn check_gives_nothing_away(text: &str) {
    let lower = text.to_lowercase();
    let tell_tales = [
        "panicked",
        ".rs:",
        "src/",
        "select ",
        "insert into",
        "sqlite",
        "postgres",
        "database is",
        "/tmp",
        "/home",
        "/var/",
        "backtrace",
        "rustls",
        "argon2",
        "unwrap",
    ];
    for word in tell_tales {
        assert!(!lower.contains(word), "E-109, S-32: an answer says {word:?}: {text}");
    }
}

/// E-70 to E-73: checks a RequestSecurityTokenResponseCollection and returns the provisioning document's text.
#[track_caller]
pub fn provisioning_document(response: &Response, collection: &Element) -> String {
    let answers = &collection.children;
    assert_eq!(answers.len(), 1, "E-70: {}", collection.source);
    let answer = &answers[0];
    assert_eq!((answer.namespace.as_str(), answer.name.as_str()), (TRUST, "RequestSecurityTokenResponse"), "E-70");
    let parts = ["TokenType", "DispositionMessage", "RequestedSecurityToken", "RequestID"];
    assert_eq!(answer.child_names(), parts, "E-70: {}", answer.source);
    assert_eq!(answer.text_at("TokenType"), TOKEN_TYPE, "E-70");
    assert_eq!(answer.at("DispositionMessage").namespace, WSTEP, "E-70");
    assert_eq!(answer.text_at("DispositionMessage"), "", "E-70: the disposition is empty");
    assert_eq!(answer.at("RequestID").namespace, WSTEP, "E-70");
    assert_eq!(answer.text_at("RequestID"), "0", "E-70");
    let token = answer.at("RequestedSecurityToken/BinarySecurityToken");
    assert_eq!(token.namespace, SECEXT, "E-71");
    assert_eq!(token.attribute("ValueType"), Some(PROVISION_DOC), "E-71");
    assert_eq!(token.attribute("EncodingType"), Some(format!("{SECEXT}#base64binary").as_str()), "E-71");
    check_timestamp(response);
    use base64::Engine;
    let bytes = base64::engine::general_purpose::STANDARD.decode(&token.text);
    let bytes = bytes.unwrap_or_else(|e| panic!("E-72: the token is one line of base64: {e}"));
    String::from_utf8(bytes).unwrap_or_else(|e| panic!("E-72: the document is UTF-8: {e}"))
}

/// E-73: a timestamp of now with five minutes to live.
#[track_caller]
fn check_timestamp(response: &Response) {
    use time::format_description::well_known::Rfc3339;
    let envelope = Element::parse("the SOAP answer", response.text());
    let security = envelope.at("Header/Security");
    assert_eq!(security.namespace, SECEXT, "E-73");
    assert_eq!(security.attribute_in(SOAP, "mustUnderstand"), Some("1"), "E-73");
    let timestamp = security.at("Timestamp");
    assert_eq!(timestamp.attribute_in(UTILITY, "Id"), Some("_0"), "E-73: {}", timestamp.source);
    let read = |name: &str| {
        let text = timestamp.text_at(name);
        assert!(text.ends_with('Z'), "E-73: {name} is UTC: {text}");
        time::OffsetDateTime::parse(text, &Rfc3339).unwrap_or_else(|e| panic!("E-73: {name} {text:?}: {e}"))
    };
    let (created, expires) = (read("Created"), read("Expires"));
    assert!((created - super::now()).abs() < time::Duration::minutes(1), "E-73: created {created}");
    assert_eq!(expires - created, time::Duration::minutes(5), "E-73: {created} to {expires}");
}
