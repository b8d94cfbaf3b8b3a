//! The client side of a renewal, with OpenSSL's program as the signer.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::certificate::{self, pem_file};
use super::csr::Csr;
use super::device::FakeDevice;
use super::http::{Address, Response, once};
use super::keys::Key;
use super::openssl;
use super::server::Server;
use super::soap::{self, Fault, PKCS7, RstBody, Soap, TOKEN_TYPE, TRUST, username_token};
use super::tree::Element;

/// A renewal in parts, so that a test can bend one of them.
#[derive(Clone)]
pub struct Renewal {
    /// The new key.
    pub key: Key,
    /// The certificate request, DER.
    pub csr: Vec<u8>,
    /// Who signs: certificate, DER, and key.
    pub signer: (Vec<u8>, Key),
    /// Options of `openssl cms -sign` beside the usual ones.
    pub options: Vec<&'static str>,
    /// Whether the token is base64 of base64.
    pub is_doubled: bool,
    pub value_type: &'static str,
    pub credentials: String,
    pub request_type: String,
    pub items: Vec<(String, String)>,
}

impl Renewal {
    /// A good one of that device for a new key.
    pub fn new(server: &Server, device: &FakeDevice) -> Self {
        Self::of(device, server.key())
    }

    /// The same for that key.
    pub fn of(device: &FakeDevice, key: Key) -> Self {
        let profile = &device.profile;
        let named = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let items = [
            ("DeviceID", profile.device_id.as_str()),
            ("HWDevID", &profile.hw_dev_id),
            ("EnrollmentType", &profile.enrollment_type),
            ("DeviceType", "CIMClient_Windows"),
            ("OSEdition", &profile.os_edition),
            ("OSVersion", &profile.os_version),
            ("ApplicationVersion", &profile.os_version),
            ("DeviceName", &profile.device_name),
            ("Locale", "en-US"),
        ];
        Self {
            csr: Csr::windows(&profile.device_id).der(&key),
            key,
            signer: (device.chain().leaf.clone(), device.key.clone()),
            options: vec!["-md", "sha256"],
            is_doubled: false,
            value_type: PKCS7,
            credentials: username_token("ada@fabrikam-lab.example", ""),
            request_type: format!("{TRUST}/Renew"),
            items: items.map(named).to_vec(),
        }
    }

    /// Says something else of itself.
    pub fn saying(mut self, name: &str, value: &str) -> Self {
        let item = self.items.iter_mut().find(|(known, _)| known == name).expect("it is said already");
        item.1 = value.to_owned();
        self
    }

    fn token(&self) -> String {
        let certificate = pem_file(&self.signer.0);
        let (certificate, key) = (certificate.to_string_lossy(), self.signer.1.file.to_string_lossy());
        let mut arguments = vec!["cms", "-sign", "-binary", "-nodetach", "-outform", "DER"];
        arguments.extend(["-signer", &*certificate, "-inkey", &*key]);
        arguments.extend(&self.options);
        let once = STANDARD.encode(openssl::run(&arguments, &self.csr));
        if self.is_doubled { STANDARD.encode(once) } else { once }
    }

    pub fn soap(&self) -> Soap {
        let body = RstBody {
            token_type: TOKEN_TYPE.to_owned(),
            request_type: self.request_type.clone(),
            token: soap::binary_token(self.value_type, &self.token()),
            items: self.items.clone(),
        };
        Soap::rst(&self.credentials, body.xml())
    }

    /// Sends it on a connection with the certificate of that device.
    #[track_caller]
    pub fn send(&self, device: &FakeDevice) -> Response {
        let request = soap::post(&Address::of(&device.provisioned.renewal_url).path, self.soap().xml());
        once(&device.provisioned.renewal_url, &device.tls().config(), &request)
    }

    /// The new certificate of a renewal that must succeed; E-101.
    #[track_caller]
    pub fn accepted(&self, device: &FakeDevice) -> Vec<u8> {
        self.accepted_by(device, &self.send(device))
    }

    #[track_caller]
    pub fn accepted_by(&self, device: &FakeDevice, response: &Response) -> Vec<u8> {
        let document = soap::provisioning_document(response, &self.soap().accepted(response));
        let leaf = check(&document, device);
        let mut chain = device.chain().clone();
        chain.leaf.clone_from(&leaf);
        chain.check(&self.key.spki());
        leaf
    }

    /// The fault of a renewal that must be refused.
    #[track_caller]
    pub fn refused(&self, device: &FakeDevice) -> Fault {
        let fault = self.soap().refused(&self.send(device));
        fault.is("E-100, S-25", "s:Authorization", Some("NotEligibleToRenew"));
        fault
    }
}

impl FakeDevice {
    /// Renews its certificate and uses the new one from now on.
    #[track_caller]
    pub fn renew(&mut self, server: &Server) -> String {
        let renewal = Renewal::new(server, self);
        let leaf = renewal.accepted(self);
        self.adopt(server, renewal.key, leaf);
        self.chain().serial()
    }
}

/// E-101: the certificate in its store and the provider, and nothing else.
#[track_caller]
fn check(document: &str, device: &FakeDevice) -> Vec<u8> {
    let root = Element::parse("the renewal document", document);
    assert_eq!((root.name.as_str(), root.attribute("version")), ("wap-provisioningdoc", Some("1.1")), "E-72");
    let kinds = |element: &Element| {
        let kind = |child: &Element| child.attribute("type").unwrap_or_default().to_owned();
        element.children.iter().map(kind).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&root), ["CertificateStore", "APPLICATION"], "E-101: {document}");
    let (store, application) = (&root.children[0], &root.children[1]);
    assert_eq!(kinds(store), ["My"], "E-101: {document}");
    let my = &store.children[0];
    let expected = if device.profile.enrollment_type == "Device" { "System" } else { "User" };
    assert_eq!(kinds(my), [expected], "E-101: {document}");
    assert_eq!(my.children[0].children.len(), 1, "E-101: {document}");
    let entry = &my.children[0].children[0];
    assert_eq!(entry.children.len(), 2, "E-101: {document}");
    assert_eq!(entry.children[0].attribute("name"), Some("EncodedCertificate"), "E-101: {document}");
    assert_eq!(entry.children[1].attribute("type"), Some("PrivateKeyContainer"), "E-101: {document}");
    let leaf = STANDARD.decode(entry.children[0].attribute("value").expect("a value")).expect("E-101: base64");
    let name = openssl::run(&["dgst", "-sha1", "-r"], &leaf);
    let name = String::from_utf8_lossy(&name[..40]).to_uppercase();
    assert_eq!(entry.attribute("type"), Some(name.as_str()), "E-101: the name is the SHA-1");
    assert_eq!(application.children.len(), 1, "E-101: {document}");
    let provider = &application.children[0];
    assert_eq!(provider.attribute("name"), Some("PROVIDER-ID"), "E-101: {document}");
    assert_eq!(provider.attribute("value"), Some(device.provisioned.provider_id.as_str()), "E-101: {document}");
    let before = certificate::parse(&device.chain().leaf).subject().as_raw().to_vec();
    assert_eq!(certificate::parse(&leaf).subject().as_raw(), before, "the subject stays");
    leaf
}
