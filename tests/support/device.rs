//! A simulated Windows PC: it enrolls with a password and a real certificate request, judges what it is given, and
//! speaks management sessions over mutual TLS.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use serde_json::Value;

use super::api::User;
use super::certificate::{Chain, pem_file};
use super::csp::{Csp, Outcome};
use super::csr::Csr;
use super::http::{Address, Connection, Identity, Request, Response, Tls};
use super::keys::Key;
use super::provisioning::{Expected, Provisioned};
use super::reply::{Asked, Context, Reply};
use super::server::Server;
use super::soap::{self, RstBody, Soap};
use super::syncml::{Message, StatusOf};
use super::{provisioning, random_hex, reply, unique, wbxml, xcep};

pub const MEDIA_TYPE: &str = "application/vnd.syncml.dm+xml";
pub const MANAGEMENT_PATH: &str = "/ManagementServer/MDM.svc";

/// What a PC says about itself when it enrolls.
#[derive(Clone, Debug)]
pub struct Profile {
    pub device_id: String,
    pub hw_dev_id: String,
    pub device_name: String,
    pub enrollment_type: String,
    pub os_version: String,
    pub os_edition: String,
    /// Whether it enrolls in out-of-box setup, before anybody has signed in.
    pub in_setup: bool,
    /// Context items beyond the usual ones.
    pub more_items: Vec<(String, String)>,
}

impl Profile {
    /// A Windows 11 Pro desktop of its own.
    pub fn new() -> Self {
        Self {
            device_id: random_hex(16),
            hw_dev_id: random_hex(32),
            device_name: format!("LAB-PC-{}", unique()),
            enrollment_type: "Full".to_owned(),
            os_version: "10.0.22621.3155".to_owned(),
            os_edition: "48".to_owned(),
            in_setup: false,
            more_items: Vec::new(),
        }
    }

    /// The same machine after a reset: the hardware stays, the DeviceID is new.
    pub fn reset(&self) -> Self {
        Self { device_id: random_hex(16), ..self.clone() }
    }

    /// The context items in the order of Windows, with what desktops really send for NotInOobe.
    pub fn items(&self) -> Vec<(&str, &str)> {
        let mut items = vec![
            ("UXInitiated", "true"),
            ("HWDevID", self.hw_dev_id.as_str()),
            ("Locale", "en-US"),
            ("TargetedUserLoggedIn", if self.in_setup { "false" } else { "true" }),
            ("OSEdition", &self.os_edition),
            ("DeviceName", &self.device_name),
            ("MAC", "02-00-5E-10-00-01"),
            ("MAC", "02-00-5E-10-00-02"),
            ("MAC", "02-00-5E-10-00-02"),
            ("DeviceID", &self.device_id),
            ("EnrollmentType", &self.enrollment_type),
            ("DeviceType", "CIMClient_Windows"),
            ("OSVersion", &self.os_version),
            ("ApplicationVersion", &self.os_version),
            ("NotInOobe", "false"),
            ("RequestVersion", "6.0"),
        ];
        items.extend(self.more_items.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        items.retain(|(_, value)| !value.is_empty());
        items
    }

    fn store(&self) -> &'static str {
        if self.enrollment_type == "Device" { "System" } else { "User" }
    }
}

/// How the device writes its answers; clients differ.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// All Statuses first, then all Results.
    pub grouped: bool,
    /// Whether Results name the message they belong to.
    pub results_msg_ref: bool,
    /// Whether Results name the verb.
    pub results_cmd: bool,
    /// Whether Results carry Meta.
    pub results_meta: bool,
    /// Whether Atomic and Sequence get a Status of their own.
    pub container_status: bool,
}

impl Style {
    /// Windows: interleaved, no Cmd, no Meta.
    pub const WINDOWS: Self =
        Self { grouped: false, results_msg_ref: true, results_cmd: false, results_meta: false, container_status: true };
}

/// Headers that go with a body, such as a signature over it.
pub type Seal = Arc<dyn Fn(&[u8]) -> Vec<(String, String)> + Send + Sync>;

/// Sees each answer that is no success.
pub type Patience = Arc<dyn Fn(&io::Result<Response>) + Send + Sync>;

/// An enrolled device. A clone is the same device again, with the same certificate and the same memory.
#[derive(Clone)]
pub struct FakeDevice {
    pub profile: Profile,
    pub key: Key,
    pub provisioned: Provisioned,
    pub csp: Csp,
    pub style: Style,
    /// What the LoginStatus alert says; empty: no such alert.
    pub login: String,
    /// The query that is appended to the management URL.
    pub query: String,
    /// The media type of WBXML, when that is how it writes its messages.
    pub wbxml: Option<&'static str>,
    /// Headers beyond the usual ones.
    pub headers: Vec<(String, String)>,
    /// Makes the headers that go with each body.
    pub seal: Option<Seal>,
    /// The URL that is really dialled, where a proxy stands in front.
    pub through: Option<String>,
    /// Whether it proves itself with digest credentials, so that it is given nonces.
    pub digest: bool,
    /// Set when the server's Unenroll was carried out.
    pub has_left: bool,
    /// What to do between one attempt and the next when a message is not answered 200, as Windows tries again later.
    /// None: there is one attempt.
    pub patience: Option<Patience>,
    next_session: u32,
    management_url: String,
    config: Arc<ClientConfig>,
    tls: Tls,
    /// The server's next message number, by session.
    counters: HashMap<String, u32>,
}

/// Everything one session brought.
#[derive(Clone, Debug, Default)]
pub struct Visit {
    pub replies: Vec<Reply>,
}

impl Visit {
    /// All commands of the session, containers and their children.
    pub fn commands(&self) -> Vec<&reply::Command> {
        self.replies.iter().flat_map(Reply::flat).collect()
    }

    pub fn find(&self, verb: &str, uri_end: &str) -> Option<&reply::Command> {
        self.replies.iter().find_map(|r| r.find(verb, uri_end))
    }

    pub fn is_quiet(&self) -> bool {
        self.commands().is_empty()
    }
}

impl FakeDevice {
    /// A new PC of a new user.
    #[track_caller]
    pub fn new(server: &Server) -> (Self, User) {
        let user = server.api().add_user();
        (Self::enroll(server, &user, Profile::new()), user)
    }

    /// A new PC that has had its first sessions, so that nothing is waiting for it any more.
    #[track_caller]
    pub fn settled(server: &Server) -> (Self, User) {
        let (mut device, user) = Self::new(server);
        device.settle();
        (device, user)
    }

    /// The whole enrollment: probe, discovery, policy, certificate.
    #[track_caller]
    pub fn enroll(server: &Server, user: &User, profile: Profile) -> Self {
        Self::enroll_with_key(server, user, profile, server.key())
    }

    #[track_caller]
    pub fn enroll_with_key(server: &Server, user: &User, profile: Profile, key: Key) -> Self {
        let probe = server.web(&Request::get("/EnrollmentServer/Discovery.svc").header("User-Agent", "ENROLLClient"));
        probe.expect_status("E-01", 200);
        let discover = soap::discover(&user.email);
        let found = discover.accepted(&server.web(&discover.request()));
        let policy_url = found.text_at("DiscoverResult/EnrollmentPolicyServiceUrl").to_owned();
        let enrollment_url = found.text_at("DiscoverResult/EnrollmentServiceUrl").to_owned();
        let credentials = soap::username_token(&user.email, &user.password);
        let policies = Soap::get_policies(&credentials);
        let answer = server.web(&soap::post(&Address::of(&policy_url).path, policies.xml()));
        xcep::check(&policies.accepted(&answer));
        let csr = Csr::windows(&profile.device_id).base64(&key);
        let rst = Soap::rst(&credentials, RstBody::issue(&csr, &profile.items()).xml());
        let response = server.web(&soap::post(&Address::of(&enrollment_url).path, rst.xml()));
        let document = soap::provisioning_document(&response, &rst.accepted(&response));
        Self::install(server, Some(&user.email), profile, key, &document)
    }

    /// Checks a provisioning document and becomes the device that it describes.
    #[track_caller]
    pub fn install(server: &Server, user: Option<&str>, profile: Profile, key: Key, document: &str) -> Self {
        let expected = Expected {
            store: profile.store(),
            device_url: &server.device_url,
            device_name: &profile.device_name,
            user,
            public_key: &key.spki(),
        };
        let provisioned = provisioning::check(document, &expected);
        let tls = server
            .tls()
            .alpn(&["http/1.1"])
            .identity(Identity { chain: vec![provisioned.chain.leaf.clone()], key: key.pkcs8.clone() });
        let management_url = provisioned.management_url.clone();
        let csp = default_tree(&profile, &provisioned);
        Self {
            profile,
            key,
            provisioned,
            csp,
            style: Style::WINDOWS,
            login: "user".to_owned(),
            query: "mode=Maintenance&Platform=WoA".to_owned(),
            wbxml: None,
            headers: Vec::new(),
            seal: None,
            through: None,
            digest: false,
            has_left: false,
            patience: None,
            next_session: 1,
            management_url,
            config: tls.config(),
            tls,
            counters: HashMap::new(),
        }
    }

    /// The device's document in the API, found by hardware id and certificate.
    #[track_caller]
    pub fn document(&self, server: &Server) -> Value {
        let api = server.api();
        let upn = self.user();
        let found = api.devices_with_hardware(&self.profile.hw_dev_id);
        let mine = found.into_iter().find(|d| d["user"].as_str() == upn.as_deref());
        let mine = mine.unwrap_or_else(|| panic!("no device document for {:?}", self.profile));
        api.device(mine["id"].as_str().expect("a device has an id"))
    }

    #[track_caller]
    pub fn id(&self, server: &Server) -> String {
        self.document(server)["id"].as_str().expect("a device has an id").to_owned()
    }

    fn user(&self) -> Option<String> {
        let document = &self.provisioned.document;
        let upn = document.walk().into_iter().find(|e| e.attribute("name") == Some("UPN"));
        upn.and_then(|e| e.attribute("value")).map(str::to_owned)
    }

    pub fn chain(&self) -> &Chain {
        &self.provisioned.chain
    }

    pub fn management_url(&self) -> &str {
        &self.management_url
    }

    /// The configuration this device dials with; one cache of TLS sessions.
    pub fn config(&self) -> &Arc<ClientConfig> {
        &self.config
    }

    /// TLS with this device's certificate, for bending.
    pub fn tls(&self) -> Tls {
        self.tls.clone()
    }

    pub fn identity(&self) -> Identity {
        Identity { chain: vec![self.provisioned.chain.leaf.clone()], key: self.key.pkcs8.clone() }
    }

    /// Uses another certificate with its key from now on.
    pub fn adopt(&mut self, server: &Server, key: Key, leaf: Vec<u8>) {
        (self.key, self.provisioned.chain.leaf) = (key, leaf);
        self.tls = server.tls().alpn(&["http/1.1"]).identity(self.identity());
        self.config = self.tls.config();
    }

    /// Learns the server's new ports after a restart.
    pub fn follow(&mut self, server: &Server) {
        self.follow_to(&server.device_url);
    }

    /// The same by the URL of the device side.
    pub fn follow_to(&mut self, device_url: &str) {
        self.management_url = format!("{device_url}{MANAGEMENT_PATH}");
    }

    /// The path with its query, as this device requests it.
    pub fn path(&self) -> String {
        match self.query.as_str() {
            "" => MANAGEMENT_PATH.to_owned(),
            query => format!("{MANAGEMENT_PATH}?{query}"),
        }
    }

    /// The POST of a message, with the headers of the Windows client.
    pub fn request(&self, body: impl Into<Vec<u8>>) -> Request {
        let body = body.into();
        let sealed = self.seal.as_ref().map(|seal| seal(&body)).unwrap_or_default();
        let mut request = Request::post(&self.path(), body)
            .header("User-Agent", "MSFT OMA DM Client/1.2.0.1")
            .header(
                "Accept",
                "application/vnd.syncml.dm+xml, application/vnd.syncml.dm+wbxml, application/octet-stream",
            )
            .header("Accept-Charset", "UTF-8")
            .header("Content-Type", self.wbxml.unwrap_or(MEDIA_TYPE))
            .header("client-request-id", &self.provisioned.ent_dm_id)
            .header("MS-CV", "a/tCeBgffEqA5408.0.0.0");
        request.headers.extend(self.headers.iter().cloned());
        request.headers.extend(sealed);
        request
    }

    /// Shows no certificate any more.
    pub fn without_certificate(&mut self, server: &Server) {
        self.tls = server.tls().alpn(&["http/1.1"]);
        self.config = self.tls.config();
    }

    /// Trusts the root of its enrollment document and those that it was given in its sessions, and nothing else.
    pub fn trust_what_it_was_given(&mut self) {
        let mut roots = std::fs::read(pem_file(&self.chain().root)).expect("just written");
        let place = "/RootCATrustedCertificates/Root/";
        let given = self.csp.done.iter().filter(|done| done.verb == "Add" && done.uri.contains(place));
        for value in given.filter_map(|done| self.csp.value(&done.uri)) {
            roots.extend(format!("-----BEGIN CERTIFICATE-----\n{value}\n-----END CERTIFICATE-----\n").into_bytes());
        }
        self.tls = Tls::trusting(&roots).alpn(&["http/1.1"]).identity(self.identity());
        self.config = self.tls.config();
    }

    /// Where this device really connects to.
    fn address(&self) -> Address {
        Address::of(self.through.as_deref().unwrap_or(&self.management_url))
    }

    #[track_caller]
    pub fn connect(&self) -> Connection {
        let address = self.address();
        Connection::open(&address, &self.config).unwrap_or_else(|e| panic!("M-19: the device host refuses us: {e}"))
    }

    /// Sends a message on a connection of its own, in the form that this device writes; the answer is XML in either case.
    #[track_caller]
    pub fn post(&self, body: impl Into<Vec<u8>>) -> Response {
        match self.wbxml {
            None => self.post_bytes(body),
            Some(media_type) => wbxml::in_xml(self.post_bytes(wbxml::write(&body.into())), media_type),
        }
    }

    /// Sends bytes as a message on a connection of their own.
    #[track_caller]
    pub fn post_bytes(&self, body: impl Into<Vec<u8>>) -> Response {
        let request = self.request(body);
        match &self.patience {
            None => self.connect().send(&request).unwrap_or_else(|e| panic!("no answer from the device host: {e}")),
            Some(patience) => self.insist(&request, patience),
        }
    }

    /// Sends the same bytes again and again until they are answered 200.
    #[track_caller]
    fn insist(&self, request: &Request, patience: &Patience) -> Response {
        let address = self.address();
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            match Connection::open(&address, &self.config).and_then(|mut connection| connection.send(request)) {
                Ok(response) if response.status == 200 => return response,
                other => {
                    assert!(Instant::now() < deadline, "R-14: no success in two minutes, at last {other:?}");
                    patience(&other);
                }
            }
        }
    }

    /// Begins a new session: a message with the header of package 1 and nothing in it yet; CmdIDs begin at 2.
    pub fn open(&mut self) -> Message {
        let session = self.next_session.to_string();
        self.next_session += 1;
        self.open_as(&session)
    }

    /// The next sessions are numbered from here.
    pub fn number_sessions_from(&mut self, number: u32) {
        self.next_session = number;
    }

    /// The same with a SessionID of the caller's choice.
    pub fn open_as(&mut self, session_id: &str) -> Message {
        self.counters.remove(session_id);
        let mut message = Message::new(session_id, 1, &self.management_url, &self.profile.device_id);
        message.next_cmd_id = 2;
        message
    }

    /// Package 1 as Windows sends it.
    pub fn package_one(&mut self) -> Message {
        let mut message = self.open();
        self.fill_package_one(&mut message);
        message
    }

    /// What stands in package 1: session alert, login alert, DevInfo.
    pub fn fill_package_one(&self, message: &mut Message) {
        message.alert(1201);
        if !self.login.is_empty() {
            message.login_status(&self.login);
        }
        message.dev_info(&self.dev_info());
    }

    pub fn dev_info(&self) -> [(&str, &str); 6] {
        [
            ("./DevInfo/DevId", &self.profile.device_id),
            ("./DevInfo/Man", "Example Computers"),
            ("./DevInfo/Mod", "Model 14 G3"),
            ("./DevInfo/DmV", "1.3"),
            ("./DevInfo/Lang", "de-DE"),
            ("./Vendor/MSFT/DMClient/HWDevID", &self.profile.hw_dev_id),
        ]
    }

    /// Sends a message and checks the reply in every respect.
    #[track_caller]
    pub fn exchange(&mut self, message: &Message) -> Reply {
        let response = self.post(message.xml());
        self.judge(&message.xml(), &response)
    }

    /// Sends package 1 and checks the reply.
    #[track_caller]
    pub fn start_session(&mut self) -> Reply {
        let message = self.package_one();
        self.exchange(&message)
    }

    /// Checks a reply to a message of this device and counts it.
    #[track_caller]
    pub fn judge(&mut self, message: &str, response: &Response) -> Reply {
        let session = session_of(message);
        let expected = self.counters.get(&session).copied().unwrap_or(0) + 1;
        let context = Context { management_url: &self.management_url, msg_id: Some(expected), digest: self.digest };
        let reply = reply::check(&Asked::read(message), &context, response);
        self.counters.insert(session, expected);
        reply
    }

    /// Checks the answer to a message that is not proven, and counts it.
    #[track_caller]
    pub fn judge_challenge(&mut self, message: &Message, response: &Response) -> reply::Challenge {
        let expected = self.counters.get(&message.session_id).copied().unwrap_or(0) + 1;
        let context = Context { management_url: &self.management_url, msg_id: Some(expected), digest: true };
        let challenge = reply::check_challenge(&Asked::read(&message.xml()), &context, response);
        self.counters.insert(message.session_id.clone(), expected);
        challenge
    }

    /// Checks the answer to a message that is not proven, in a session that is over.
    #[track_caller]
    pub fn judge_challenge_loosely(&self, message: &Message, response: &Response) -> reply::Challenge {
        let context = Context { management_url: &self.management_url, msg_id: None, digest: true };
        reply::check_challenge(&Asked::read(&message.xml()), &context, response)
    }

    /// Checks a reply whose message number is not determined.
    #[track_caller]
    pub fn judge_loosely(&self, message: &str, response: &Response) -> Reply {
        let context = Context { management_url: &self.management_url, msg_id: None, digest: self.digest };
        reply::check(&Asked::read(message), &context, response)
    }

    /// An empty next message of the session that a reply belongs to, with the Status for its header.
    pub fn next_message(&self, reply: &Reply) -> Message {
        let number = reply.msg_id.parse::<u32>().expect("message numbers are numbers") + 1;
        let mut message = Message::new(&reply.session_id, number, &self.management_url, &self.profile.device_id);
        message.header_status(&reply.msg_id, 200);
        message
    }

    /// Carries out what a reply asks for and writes the next message.
    pub fn answer(&mut self, reply: &Reply) -> Message {
        let outcomes = self.csp.run(reply);
        let mut message = self.next_message(reply);
        write_outcomes(&mut message, reply, &outcomes, self.style);
        message
    }

    /// A whole session, until the server has nothing left or the device has left the management.
    #[track_caller]
    pub fn check_in(&mut self) -> Visit {
        let first = self.start_session();
        self.finish(first)
    }

    /// The rest of a session that has begun with this reply.
    #[track_caller]
    pub fn finish(&mut self, first: Reply) -> Visit {
        let mut visit = Visit { replies: vec![first] };
        for _ in 0..60 {
            let last = visit.replies.last().expect("there is one").clone();
            if last.commands.is_empty() {
                return visit;
            }
            let message = self.answer(&last);
            if last.find("Exec", "/Unenroll").is_some() {
                self.has_left = true;
                return visit;
            }
            visit.replies.push(self.exchange(&message));
        }
        panic!("M-60: the session does not end; last reply: {}", visit.replies.last().expect("there is one").xml)
    }

    /// Sessions until one brings no command.
    #[track_caller]
    pub fn settle(&mut self) {
        for _ in 0..6 {
            if self.check_in().is_quiet() {
                return;
            }
        }
        panic!("M-60: every session brings commands although nothing was ordered");
    }

    /// The message with which a device leaves: package 1 with the unenrollment alert.
    pub fn leave(&mut self) -> Message {
        let mut message = self.open();
        message.alert(1201);
        message.login_status("user");
        message.typed_alert(1226, "com.microsoft:mdm.unenrollment.userrequest", "int", "1");
        message.dev_info(&[("./DevInfo/DevId", &self.profile.device_id)]);
        message
    }
}

fn session_of(message: &str) -> String {
    super::tree::Element::parse("the device's own message", message).text_at("SyncHdr/SessionID").to_owned()
}

/// Writes Statuses and Results in the style of the client.
pub fn write_outcomes(message: &mut Message, reply: &Reply, outcomes: &[Outcome], style: Style) {
    let mut late = Vec::new();
    for outcome in outcomes {
        let is_container = matches!(outcome.verb.as_str(), "Atomic" | "Sequence");
        if let Some(code) = outcome.status.filter(|_| style.container_status || !is_container) {
            let of = StatusOf {
                msg_ref: reply.msg_id.clone(),
                cmd_ref: outcome.cmd_id.clone(),
                cmd: outcome.verb.clone(),
                target_ref: None,
            };
            match outcome.original_error {
                None => message.status(&of, code),
                Some(error) => message.status_with(
                    &of,
                    &format!(
                        r#"<Data xmlns:msft="http://schemas.microsoft.com/MobileDevice/MDM" msft:originalerror="{error}">{code}</Data>"#
                    ),
                ),
            };
        }
        match style.grouped {
            true => late.push(outcome),
            false => write_results(message, reply, outcome, style),
        }
    }
    late.into_iter().for_each(|outcome| write_results(message, reply, outcome, style));
}

fn write_results(message: &mut Message, reply: &Reply, outcome: &Outcome, style: Style) {
    for (uri, format, data) in &outcome.results {
        let mut references = String::new();
        if style.results_msg_ref {
            references.push_str(&format!("<MsgRef>{}</MsgRef>", reply.msg_id));
        }
        references.push_str(&format!("<CmdRef>{}</CmdRef>", outcome.cmd_id));
        if style.results_cmd {
            references.push_str(&format!("<Cmd>{}</Cmd>", outcome.verb));
        }
        let meta = match format.as_str() {
            "chr" if !style.results_meta => String::new(),
            format => format!(r#"<Meta><Format xmlns="syncml:metinf">{format}</Format></Meta>"#),
        };
        message.results(&references, uri, &meta, &format!("<Data>{data}</Data>"));
    }
}

/// The nodes that every PC has.
fn default_tree(profile: &Profile, provisioned: &Provisioned) -> Csp {
    let mut csp = Csp::default();
    let texts = [
        ("./DevInfo/DevId", profile.device_id.as_str()),
        ("./DevInfo/Man", "Example Computers"),
        ("./DevInfo/Mod", "Model 14 G3"),
        ("./DevInfo/DmV", "1.3"),
        ("./DevInfo/Lang", "de-DE"),
        ("./DevDetail/SwV", &profile.os_version),
        ("./DevDetail/HwV", "1.0"),
        ("./DevDetail/FwV", "2.10"),
        ("./DevDetail/OEM", "Example Computers"),
        ("./DevDetail/DevTyp", "Model 14 G3"),
        ("./DevDetail/Ext/Microsoft/DeviceName", &profile.device_name),
        ("./DevDetail/Ext/Microsoft/OSPlatform", "Windows 11 Pro"),
        ("./DevDetail/Ext/Microsoft/SMBIOSSerialNumber", "SN-0001"),
    ];
    texts.iter().for_each(|(uri, value)| csp.set(uri, "chr", value));
    csp.set("./DevDetail/LrgObj", "bool", "false");
    csp.set("./DevDetail/Ext/Microsoft/TotalRAM", "int", "16384");
    csp.set("./Vendor/MSFT/DeviceStatus/SecureBootState", "int", "1");
    csp.set("./Vendor/MSFT/DeviceStatus/NetworkIdentifiers/02%3A00%3A5E%3A10%3A00%3A01/Type", "int", "1");
    csp.set("./Vendor/MSFT/DeviceStatus/NetworkIdentifiers/02%3A00%3A5E%3A10%3A00%3A02/Type", "int", "2");
    let provider = format!("./Vendor/MSFT/DMClient/Provider/{}", provisioned.provider_id);
    csp.set(&format!("{provider}/EntDMID"), "chr", &provisioned.ent_dm_id);
    csp.set(&format!("{provider}/EnrollmentType"), "chr", &profile.enrollment_type);
    csp.set(&format!("{provider}/MaxSyncApplicationVersion"), "chr", "5.0");
    csp.set(&format!("{provider}/HWDevID"), "chr", &profile.hw_dev_id);
    csp.set("./Vendor/MSFT/DMClient/HWDevID", "chr", &profile.hw_dev_id);
    csp
}
