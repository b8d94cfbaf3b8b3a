//! Discovery, and the HTTP and SOAP rules that hold for all three enrollment services.

use std::net::TcpStream;
use std::sync::Arc;

use rustls::ClientConnection;

use crate::support::http::{Address, Connection, Request, Response};
use crate::support::server::Server;
use crate::support::soap::{
    self, CONTENT_TYPE, DISCOVERY, Operation, SOAP_11, Soap, check_answer, check_fault, discover, discover_body,
    discover_fields, post, username_token,
};
use crate::support::tree::Element;

const PATH: &str = "/EnrollmentServer/Discovery.svc";

fn send(soap: &Soap) -> Response {
    Server::shared().web(&soap.request())
}

#[track_caller]
fn discovered(soap: &Soap) -> Element {
    soap.accepted(&send(soap)).at("DiscoverResult").clone()
}

fn discover_with(fields: &str) -> Soap {
    Soap::discover(discover_body(DISCOVERY, fields))
}

fn with_version(version: &str) -> Soap {
    discover_with(&discover_fields("ada@example.test", version, &["OnPremise"]))
}

#[test]
// covers: E-01
fn the_probe_gets_an_empty_answer() {
    for path in [PATH.to_owned(), format!("{PATH}?x=1")] {
        let request = Request::get(&path).header("User-Agent", "ENROLLClient").header("Pragma", "no-cache");
        let response = Server::shared().web(&request);
        response.expect_status("E-01", 200);
        assert_eq!(response.header("content-length"), Some("0"), "E-01");
        assert!(response.body.is_empty(), "E-01");
        assert!(response.header("www-authenticate").is_none(), "E-01: no authentication is asked for");
    }
}

#[test]
// covers: E-02
fn the_discovery_path_is_found_in_any_letter_case() {
    for path in
        ["/enrollmentserver/discovery.svc", "/EnrollmentServer/Discovery.SVC", "/ENROLLMENTSERVER/DISCOVERY.SVC"]
    {
        Server::shared().web(&Request::get(path)).expect_status("E-02", 200);
        let soap = discover("ada@example.test");
        soap.accepted(&Server::shared().web(&post(path, soap.xml())));
    }
}

#[test]
// covers: E-03
fn head_is_answered_without_a_body() {
    let mut connection = Server::shared().web_connection();
    let response = connection.send(&Request::new("HEAD", PATH)).unwrap();
    response.expect_status("E-03", 200);
    assert!(response.header("www-authenticate").is_none(), "E-03");
    let next = connection.send(&Request::get(PATH)).unwrap();
    next.expect_status("E-03: nothing of a body stands between this answer and the last", 200);
}

#[test]
// covers: E-04, E-05, E-06, E-19
fn answers_and_faults_are_single_plain_messages() {
    let user = Server::shared().api().add_user();
    let credentials = username_token(&user.email, &user.password);
    let policies = Soap::get_policies(&credentials);
    for soap in [discover("ada@example.test"), policies] {
        let request = soap.request().header("Accept-Encoding", "gzip, deflate, br");
        soap.accepted(&Server::shared().web(&request));
    }
    let faulty = Soap { headers: String::new(), ..Soap::get_policies("") };
    let request = faulty.request().header("Accept-Encoding", "gzip, deflate, br");
    faulty.refused(&Server::shared().web(&request));
}

#[test]
// covers: E-07
fn http_1_1_is_always_served() {
    let server = Server::shared();
    for alpn in [&[][..], &["http/1.1"], &["h2", "http/1.1"]] {
        let config = server.tls().alpn(alpn).config();
        let mut connection = Connection::open(&Address::of(&server.url), &config).unwrap();
        if connection.tls().alpn_protocol() == Some(b"h2") {
            continue;
        }
        let soap = discover("ada@example.test");
        soap.accepted(&connection.send(&soap.request()).unwrap());
    }
}

#[test]
// covers: E-07
fn the_same_answers_come_over_http_2_where_it_is_negotiated() {
    let server = Server::shared();
    let config = server.tls().alpn(&["h2"]).config();
    let Ok(connection) = Connection::open(&Address::of(&server.url), &config) else {
        eprintln!("skipped: the web host does not offer h2");
        return;
    };
    assert_eq!(connection.tls().alpn_protocol(), Some(&b"h2"[..]), "E-07");
    let soap = discover("ada@example.test");
    let over_h2 = post_over_h2(server, PATH, &soap.xml());
    let over_h1 = send(&soap);
    soap.accepted(&over_h2);
    assert_eq!(soap.accepted(&over_h2).source, soap.accepted(&over_h1).source, "E-07");
    let probe = get_over_h2(server, PATH);
    assert_eq!((probe.status, probe.header("content-length")), (200, Some("0")), "E-01, E-07");
}

fn h2_client(server: &Server) -> reqwest::Client {
    let config = server.tls().alpn(&["h2"]).config();
    let config = Arc::unwrap_or_clone(config);
    reqwest::Client::builder().tls_backend_preconfigured(config).http2_prior_knowledge().build().unwrap()
}

fn run(future: impl Future<Output = reqwest::Result<Response>>) -> Response {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(future).unwrap()
}

fn post_over_h2(server: &Server, path: &str, body: &str) -> Response {
    let request = h2_client(server)
        .post(format!("{}{path}", server.url))
        .header("Content-Type", CONTENT_TYPE)
        .body(body.to_owned());
    run(async { plain(request.send().await?).await })
}

fn get_over_h2(server: &Server, path: &str) -> Response {
    let request = h2_client(server).get(format!("{}{path}", server.url));
    run(async { plain(request.send().await?).await })
}

async fn plain(response: reqwest::Response) -> reqwest::Result<Response> {
    assert_eq!(response.version(), reqwest::Version::HTTP_2, "E-07");
    let status = response.status().as_u16();
    let text = |value: &reqwest::header::HeaderValue| value.to_str().unwrap().to_owned();
    let headers = response.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    Ok(Response { status, headers, body: response.bytes().await?.to_vec() })
}

#[test]
// covers: E-07, M-12
fn the_device_host_speaks_http_1_1_only() {
    let server = Server::shared();
    let offered_both = server.tls().alpn(&["h2", "http/1.1"]).config();
    let connection = Connection::open(&Address::of(&server.device_url), &offered_both).unwrap();
    assert_eq!(connection.tls().alpn_protocol(), Some(&b"http/1.1"[..]), "E-07, M-12");
    let offered_h2 = server.tls().alpn(&["h2"]).config();
    if let Ok(connection) = Connection::open(&Address::of(&server.device_url), &offered_h2) {
        assert_ne!(connection.tls().alpn_protocol(), Some(&b"h2"[..]), "E-07, M-12");
    }
}

#[test]
// covers: E-08
fn usual_content_types_are_processed() {
    let soap = discover("ada@example.test");
    let kinds = [
        "application/soap+xml",
        "application/soap+xml; charset=utf-8",
        "application/soap+xml;charset=UTF-8; action=\"x\"",
        "Application/SOAP+XML",
        "text/xml",
        "text/xml; charset=utf-8",
        "application/xml",
    ];
    for kind in kinds {
        let request = Request::post(PATH, soap.xml()).header("Content-Type", kind);
        soap.accepted(&Server::shared().web(&request));
    }
    soap.accepted(&Server::shared().web(&Request::post(PATH, soap.xml())));
}

#[test]
// covers: E-09
fn soap_1_1_is_read_and_answered_in_1_2() {
    let soap = Soap { envelope: SOAP_11, ..discover("ada@example.test") };
    discovered(&soap);
    let user = Server::shared().api().add_user();
    let soap = Soap { envelope: SOAP_11, ..Soap::get_policies(&username_token(&user.email, &user.password)) };
    soap.accepted(&send(&soap));
}

#[test]
// covers: E-10
fn prefixes_do_not_matter() {
    let soap = discover("ada@example.test");
    let other = soap
        .xml()
        .replace("<s:", "<env:")
        .replace("</s:", "</env:")
        .replace("xmlns:s=", "xmlns:env=")
        .replace("s:mustUnderstand", "env:mustUnderstand")
        .replace("<a:", "<wsa:")
        .replace("</a:", "</wsa:")
        .replace("xmlns:a=", "xmlns:wsa=");
    let as_default = format!(
        r#"<Envelope xmlns="{}"><Header><Action xmlns="{a}">{}</Action><MessageID xmlns="{a}">{}</MessageID></Header><Body><d:Discover xmlns:d="{DISCOVERY}"><d:request><d:EmailAddress>ada@example.test</d:EmailAddress><d:RequestVersion>6.0</d:RequestVersion><d:DeviceType>CIMClient_Windows</d:DeviceType><d:ApplicationVersion>10.0.22621.3155</d:ApplicationVersion><d:OSEdition>48</d:OSEdition><d:AuthPolicies><d:AuthPolicy>OnPremise</d:AuthPolicy><d:AuthPolicy>Federated</d:AuthPolicy></d:AuthPolicies></d:request></d:Discover></Body></Envelope>"#,
        soap::SOAP,
        Operation::Discover.action(),
        Operation::Discover.message_id(),
        a = soap::ADDRESSING,
    );
    let expected = discovered(&soap).source;
    for xml in [other, as_default] {
        let answer = soap.accepted(&Server::shared().web(&post(PATH, xml)));
        assert_eq!(answer.at("DiscoverResult").source, expected, "E-10");
    }
}

#[test]
// covers: E-10
fn prefixes_of_the_security_header_do_not_matter() {
    let server = Server::shared();
    let user = server.api().add_user();
    let soap = Soap::get_policies(&username_token(&user.email, &user.password));
    let other = soap
        .xml()
        .replace("<wsse:", "<ns2:")
        .replace("</wsse:", "</ns2:")
        .replace("xmlns:wsse=", "xmlns:ns2=")
        .replace(" wsse:Type", " ns2:Type")
        .replace("xmlns:u=", "xmlns:ns3=")
        .replace(" u:Id", " ns3:Id");
    soap.accepted(&server.web(&post(Operation::GetPolicies.path(), other)));
}

#[test]
// covers: E-11
fn white_space_around_texts_is_trimmed() {
    let soap = discover("ada@example.test");
    let padded = Soap { action: format!("\r\n   {}\n\t", soap.action), ..soap.clone() };
    let spaced = padded
        .xml()
        .replace("<EmailAddress>", "<EmailAddress>\n  ")
        .replace("</RequestVersion>", " \n</RequestVersion>")
        .replace("<AuthPolicy>", "<AuthPolicy>\n")
        .replace("</AuthPolicy>", "\n</AuthPolicy>");
    let answer = soap.accepted(&Server::shared().web(&post(PATH, spaced)));
    assert_eq!(answer.at("DiscoverResult").source, discovered(&soap).source, "E-11");
    soap.accepted(&Server::shared().web(&post(PATH, format!(" \n\t{}\n", soap.xml()))));
}

#[test]
// covers: E-12
fn the_message_id_comes_back_as_it_was() {
    let odd = ["urn:uuid: 7481-x", "urn:uuid:urn:uuid:748132ec", "not a uuid at all", "urn:uuid:ÄÖ-€"];
    for id in odd {
        discovered(&Soap { message_id: id.to_owned(), ..discover("ada@example.test") });
    }
    discovered(&Soap { message_id: String::new(), ..discover("ada@example.test") });
}

#[test]
// covers: E-14
fn the_to_header_is_not_compared() {
    for to in ["https://ENTERPRISEENROLLMENT.Example.Test:443/x", "http://another.example/", "rubbish", ""] {
        discovered(&Soap { to: to.to_owned(), ..discover("ada@example.test") });
    }
}

#[test]
// covers: E-15
fn unknown_headers_are_ignored_even_when_flagged() {
    let headers = r#"<x:Extra xmlns:x="urn:example" s:mustUnderstand="1"><x:Deep>1</x:Deep></x:Extra>"#;
    discovered(&Soap { headers: headers.to_owned(), ..discover("ada@example.test") });
}

#[test]
// covers: E-16
fn any_user_agent_will_do() {
    let soap = discover("ada@example.test");
    for agent in ["ENROLLClient", "Windows Phone 8 Enrollment Client", "curl/8.5", "\u{fc}\u{fc}"] {
        let request = Request::post(PATH, soap.xml()).header("Content-Type", CONTENT_TYPE).header("User-Agent", agent);
        soap.accepted(&Server::shared().web(&request));
    }
    soap.accepted(&Server::shared().web(&Request::post(PATH, soap.xml()).header("Content-Type", CONTENT_TYPE)));
}

#[test]
// covers: E-13, E-20
fn the_example_gets_a_whole_answer() {
    let result = discovered(&discover("ada@fabrikam-lab.example"));
    let order = ["AuthPolicy", "EnrollmentVersion", "EnrollmentPolicyServiceUrl", "EnrollmentServiceUrl"];
    assert_eq!(result.child_names(), order, "E-20: {}", result.source);
    assert!(result.walk().iter().all(|e| e.namespace == DISCOVERY), "E-20: {}", result.source);
}

#[test]
// covers: E-21
fn the_samples_namespace_with_a_slash_is_read() {
    let soap = discover("ada@example.test");
    let slash = format!("{DISCOVERY}/");
    let fields = discover_fields("ada@example.test", "6.0", &["OnPremise", "Federated"]);
    let other = Soap::discover(discover_body(&slash, &fields));
    assert_eq!(discovered(&other).source, discovered(&soap).source, "E-21");
}

#[test]
// covers: E-22
fn fields_come_in_any_order() {
    let reversed = discover_with(
        "<AuthPolicies><AuthPolicy>OnPremise</AuthPolicy></AuthPolicies><OSEdition>48</OSEdition>\
         <ApplicationVersion>10.0.22621.3155</ApplicationVersion><DeviceType>CIMClient_Windows</DeviceType>\
         <RequestVersion>6.0</RequestVersion><EmailAddress>ada@example.test</EmailAddress>",
    );
    assert_eq!(discovered(&reversed).text_at("AuthPolicy"), "OnPremise", "E-22");
}

#[test]
// covers: E-23
fn optional_fields_may_be_missing_and_unknown_ones_present() {
    let cases = [
        "<EmailAddress>ada@example.test</EmailAddress><RequestVersion>4.0</RequestVersion>",
        "<EmailAddress>ada@example.test</EmailAddress><RequestVersion>4.0</RequestVersion><AuthPolicies/>",
        "<EmailAddress>ada@example.test</EmailAddress><RequestVersion>4.0</RequestVersion><OSVersion>10.0</OSVersion><TenantID>x</TenantID><AuthPolicies><AuthPolicy>OnPremise</AuthPolicy></AuthPolicies>",
        "<EmailAddress>ada@example.test</EmailAddress><RequestVersion>4.0</RequestVersion><OSEdition>not a number</OSEdition><AuthPolicies>OnPremise</AuthPolicies>",
        "<RequestVersion>8.0</RequestVersion><AuthPolicies><AuthPolicy>OnPremise</AuthPolicy></AuthPolicies>",
    ];
    for fields in cases {
        assert_eq!(discovered(&discover_with(fields)).text_at("AuthPolicy"), "OnPremise", "E-23: {fields}");
    }
}

#[test]
// covers: E-24
fn addresses_of_every_form_get_the_same_answer() {
    let known = Server::shared().api().add_user();
    let expected = discovered(&discover(&known.email)).source;
    for address in ["nobody-knows-me@example.test", "", r"DOMAIN\user", "plain", "a@b", "windows@other.example"] {
        assert_eq!(discovered(&discover(address)).source, expected, "E-24: {address:?}");
    }
}

#[test]
// covers: E-25, E-30
fn the_policy_is_one_that_was_offered() {
    for offered in [&["OnPremise"][..], &["OnPremise", "Federated"], &["Certificate", "Federated", "OnPremise"]] {
        let soap = discover_with(&discover_fields("ada@example.test", "6.0", offered));
        let result = discovered(&soap);
        let policy = result.text_at("AuthPolicy");
        assert!(offered.contains(&policy), "E-25: {policy} of {offered:?}");
        let page = result.child("AuthenticationServiceUrl");
        assert_eq!(page.is_some(), policy == "Federated", "E-30: {}", result.source);
        if let Some(page) = page {
            assert_eq!(Address::of(&page.text).path, "/EnrollmentServer/Auth", "E-30");
        }
    }
}

#[test]
// covers: E-26, E-105
fn a_policy_that_cannot_be_served_is_a_fault() {
    let soap = discover_with(&discover_fields("ada@example.test", "6.0", &["Certificate"]));
    soap.refused(&send(&soap)).is("E-26", "s:Authorization", Some("NotSupported"));
    let soap = discover_with(&discover_fields("ada@example.test", "6.0", &["SomethingNew"]));
    soap.refused(&send(&soap)).is("E-26", "s:Authorization", Some("NotSupported"));
}

#[test]
// covers: E-27, E-28
fn the_version_is_the_lower_of_the_two() {
    let answered =
        |version: &str| discovered(&with_version(version)).child("EnrollmentVersion").map(|e| e.text.clone());
    assert_eq!(answered("2.0"), None, "E-27");
    assert_eq!(answered("1.0"), None, "E-27");
    assert_eq!(answered("3.0").as_deref(), Some("3.0"), "E-27, E-28");
    assert_eq!(answered("3").as_deref(), Some("3.0"), "E-28: parsed as a decimal, written with one");
    let maximum = answered("9.0").expect("E-27");
    assert_eq!(maximum, "4.0", "E-27: the server's maximum while it does not attest keys");
    assert_eq!(answered("4.00"), Some(maximum.clone()), "E-28");
    assert_eq!(answered("12.5"), Some(maximum.clone()), "E-144");
    assert_eq!(answered("10.0"), Some(maximum), "E-28: 10.0 is more than 4.0");
}

#[test]
// covers: E-144
fn no_version_is_refused() {
    for version in ["9.0", "12.5", "", "new", "6,0", "-1", "99999999999999999999.0"] {
        discovered(&with_version(version));
    }
    let without =
        "<EmailAddress>a@example.test</EmailAddress><AuthPolicies><AuthPolicy>OnPremise</AuthPolicy></AuthPolicies>";
    assert!(discovered(&discover_with(without)).child("EnrollmentVersion").is_none(), "E-144");
    assert!(discovered(&with_version("new")).child("EnrollmentVersion").is_none(), "E-144");
}

#[test]
// covers: E-29
fn the_service_urls_are_absolute_and_on_one_host() {
    let result = discovered(&discover("ada@example.test"));
    let policy = Address::of(result.text_at("EnrollmentPolicyServiceUrl"));
    let enrollment = Address::of(result.text_at("EnrollmentServiceUrl"));
    assert_eq!((&policy.host, policy.port), (&enrollment.host, enrollment.port), "E-29");
    assert_eq!(policy.port, Address::of(&Server::shared().url).port, "E-29: the bound port");
    assert_eq!(policy.path, "/EnrollmentServer/Policy.svc", "E-29");
    assert_eq!(enrollment.path, "/EnrollmentServer/Enrollment.svc", "E-29");
}

#[test]
// covers: E-31
fn discovery_is_answered_in_place() {
    let response = send(&discover("ada@example.test"));
    assert_eq!((response.status, response.header("location")), (200, None), "E-31");
}

#[test]
// covers: E-33, S-27
fn the_web_host_speaks_both_versions_and_asks_for_no_certificate() {
    let server = Server::shared();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let config = server.tls().versions(&[version]).config();
        let connection = Connection::open(&Address::of(&server.url), &config).unwrap();
        assert_eq!(connection.tls().protocol_version(), Some(version.version), "S-27");
    }
    let asked = crate::support::device_host::certificate_request(&server.url, server.tls());
    assert!(asked.is_none(), "E-33: the web host asks for a client certificate");
}

#[test]
// covers: E-17, E-141
fn a_body_above_the_limit_is_refused_unread() {
    let big = format!("<!-- {} -->{}", "x".repeat(2 * 1024 * 1024), discover("ada@example.test").xml());
    Server::shared().web(&post(PATH, big)).expect_status("E-17", 413);
    let announced =
        Request::post(PATH, "<a/>").header("Content-Type", CONTENT_TYPE).header("Content-Length", "99999999999");
    Server::shared().web(&announced).expect_status("E-17: by its announced length alone", 413);
    let chunked = chunked_request(3 * 1024 * 1024);
    let response = Server::shared().web_connection().send_bytes(&chunked, false).unwrap();
    response.expect_status("E-17: without an announced length", 413);
}

fn chunked_request(size: usize) -> Vec<u8> {
    let mut wire = format!(
        "POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {CONTENT_TYPE}\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    .into_bytes();
    let chunk = [b"10000\r\n".to_vec(), vec![b' '; 0x10000], b"\r\n".to_vec()].concat();
    for _ in 0..size / 0x10000 {
        wire.extend_from_slice(&chunk);
    }
    wire.extend_from_slice(b"0\r\n\r\n");
    wire
}

#[test]
// covers: E-17, S-05
fn depth_and_attributes_are_limited() {
    let deep = format!("{}{}", "<a>".repeat(5_000), "</a>".repeat(5_000));
    let attributes: String = (0..500).map(|n| format!(" a{n}=\"1\"")).collect();
    let wide = format!("<b{attributes}/>");
    for fragment in [deep, wide] {
        let soap = Soap::discover(discover_body(DISCOVERY, &fragment));
        send(&soap).expect_status("E-17", 400);
    }
}

#[test]
// covers: E-18, S-05
fn document_types_and_entities_are_refused() {
    let xml = discover("ada@example.test").xml();
    let prologues = [
        "<!DOCTYPE x>",
        "<!DOCTYPE x SYSTEM \"file:///etc/passwd\">",
        "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]>",
    ];
    for prologue in prologues {
        Server::shared().web(&post(PATH, format!("{prologue}{xml}"))).expect_status("E-18", 400);
    }
    let undefined = xml.replace("ada@example.test", "&undefined;");
    Server::shared().web(&post(PATH, undefined)).expect_status("E-18", 400);
}

#[test]
// covers: E-141, S-05
fn what_is_no_soap_is_answered_without_soap() {
    let soap = discover("ada@example.test").xml();
    let ill_formed: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"not xml".to_vec(),
        soap.as_bytes()[..soap.len() - 5].to_vec(),
        soap.replace('"', "\\\"").into_bytes(),
        format!("{soap}{soap}").into_bytes(),
        b"<html><body>hello</body></html>".to_vec(),
        b"<Envelope xmlns=\"urn:other\"/>".to_vec(),
        [b"<a>".as_slice(), &[0xff, 0xfe, 0x00, 0xc3, 0x28], b"</a>"].concat(),
        soap.replace("ada@", "ada\u{0}@").into_bytes(),
    ];
    for path in [PATH, Operation::GetPolicies.path(), Operation::Rst.path()] {
        for body in &ill_formed {
            let shown = String::from_utf8_lossy(body).chars().take(80).collect::<String>();
            let response = Server::shared().web(&post(path, body.clone()));
            response.expect_status(&format!("E-141: {path} with {shown:?}"), 400);
            soap::check_gives_nothing_away(response.text());
        }
    }
}

#[test]
// covers: E-141
fn wrong_methods_and_types_are_refused() {
    let server = Server::shared();
    let body = discover("ada@example.test").xml();
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS"] {
        let response = server.web(&Request::new(method, PATH));
        response.expect_status(&format!("E-141: {method}"), 405);
        let allow = response.header("allow").expect("E-141: Allow").to_uppercase();
        assert!(allow.contains("POST") && allow.contains("GET"), "E-141: Allow: {allow}");
    }
    for path in [Operation::GetPolicies.path(), Operation::Rst.path()] {
        for method in ["GET", "HEAD", "PUT", "DELETE"] {
            let mut connection = server.web_connection();
            let response = connection.send(&Request::new(method, path)).unwrap();
            response.expect_status(&format!("E-141: {method} {path}"), 405);
            assert!(response.header("allow").is_some_and(|a| a.contains("POST")), "E-141: Allow");
        }
    }
    for kind in ["application/json", "application/x-www-form-urlencoded", "text/plain", "application/vnd.syncml.dm+xml"]
    {
        let request = Request::post(PATH, body.clone()).header("Content-Type", kind);
        server.web(&request).expect_status(&format!("E-141: {kind}"), 415);
    }
}

#[test]
// covers: E-141
fn too_many_header_bytes_are_431() {
    let request = discover("ada@example.test").request().header("X-Padding", &"x".repeat(80 * 1024));
    Server::shared().web(&request).expect_status("E-141: headers above 64 KiB", 431);
}

#[test]
// covers: E-142
fn a_byte_order_mark_decides_and_the_declaration_does_not() {
    let soap = discover("ada@example.test");
    let xml = soap.xml();
    let utf16 = |big: bool, text: &str| -> Vec<u8> {
        let unit = |u: u16| if big { u.to_be_bytes() } else { u.to_le_bytes() };
        std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(unit).collect()
    };
    for big in [true, false] {
        let response = Server::shared().web(&post(PATH, utf16(big, &xml)));
        match response.status {
            400 => {}
            _ => assert!(!soap.accepted(&response).source.is_empty(), "E-142"),
        }
    }
    let lying = format!(r#"<?xml version="1.0" encoding="utf-16"?>{xml}"#);
    soap.accepted(&Server::shared().web(&post(PATH, lying)));
    soap.accepted(&Server::shared().web(&post(PATH, format!("\u{feff}{xml}"))));
    soap.accepted(&Server::shared().web(&post(PATH, format!(r#"<?xml version="1.0" encoding="utf-8"?>{xml}"#))));
}

#[test]
// covers: E-105, E-139
fn a_wrong_action_or_body_is_a_message_format_fault() {
    let good = discover("ada@example.test");
    let wrong_action = Soap { action: "http://example.test/Other".to_owned(), ..good.clone() };
    let empty_body = Soap { body: String::new(), ..good.clone() };
    let foreign_body = Soap { body: "<x xmlns=\"urn:example\"/>".to_owned(), ..good.clone() };
    let two_children = Soap { body: format!("{0}{0}", good.body), ..good.clone() };
    for soap in [wrong_action, empty_body, foreign_body, two_children] {
        let fault = check_fault(Operation::Discover, Some(&soap.message_id), &send(&soap));
        fault.is("E-105", "s:MessageFormat", None);
    }
    let doubled =
        [("</s:Body>", "</s:Body><s:Body/>"), ("</a:MessageID>", "</a:MessageID><a:MessageID>x</a:MessageID>")];
    for (once_only, twice) in doubled {
        let response = Server::shared().web(&post(PATH, good.xml().replace(once_only, twice)));
        assert_eq!(response.status, 500, "E-139: {twice}");
        assert!(response.text().contains("s:MessageFormat"), "E-139: {}", response.text());
    }
    let action = format!("<a:Action>{}</a:Action></s:Header>", good.action);
    let response = Server::shared().web(&post(PATH, good.xml().replace("</s:Header>", &action)));
    assert!(response.status == 500 && response.text().contains("s:MessageFormat"), "E-139: two Actions");
}

#[test]
// covers: E-13, E-105
fn a_fault_of_an_unreadable_operation_answers_for_its_path() {
    let server = Server::shared();
    for operation in [Operation::Discover, Operation::GetPolicies, Operation::Rst] {
        let xml = format!(r#"<s:Envelope xmlns:s="{}"><s:Body/></s:Envelope>"#, soap::SOAP);
        let response = server.web(&post(operation.path(), xml));
        check_fault(operation, None, &response).is("E-105", "s:MessageFormat", None);
    }
}

#[test]
// covers: S-05, E-141
fn hostile_bytes_do_not_stop_the_server() {
    let server = Server::start();
    let xml = discover("ada@example.test").xml();
    let bodies = [
        format!("<a>{}", "<b>".repeat(200_000)),
        format!("<a {}/>", (0..60_000).map(|n| format!("a{n}='' ")).collect::<String>()),
        xml.replace("<s:Body", "<?pi x?><!-- c --><s:Body"),
        format!("<a xmlns:x='{}'/>", "u".repeat(300_000)),
        "&".repeat(500_000),
        "<![CDATA[".repeat(50_000),
    ];
    for body in bodies {
        let response = server.web(&post(PATH, body));
        assert!(response.status < 500, "S-05: {}", response.status);
    }
    let raw = [
        "POST /EnrollmentServer/Discovery.svc HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n<a/>",
        "POST /EnrollmentServer/Discovery.svc HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\nzz\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "\u{0}\u{1}\u{2}\r\n\r\n",
    ];
    for wire in raw {
        let _ = server.web_connection().send_bytes(wire.as_bytes(), false);
    }
    let soap = discover("ada@example.test");
    check_answer(Operation::Discover, Some(&soap.message_id), &server.web(&soap.request()));
    let compressed = soap.request().header("Content-Encoding", "gzip");
    let response = server.web(&compressed);
    assert!(response.status == 200 || (400..500).contains(&response.status), "S-05: {}", response.status);
}

#[test]
// covers: E-32
fn the_certificate_covers_the_host_of_every_domain() {
    let server = Server::start_with(&[("MUSTER__ENROLL__DOMAINS", "[\"fabrikam.test\", \"Contoso.test\"]")]);
    let address = Address::of(&server.url);
    let shake = |host: &str| {
        let name = host.to_owned().try_into().unwrap();
        let mut tls = ClientConnection::new(server.tls().config(), name).unwrap();
        let mut socket = TcpStream::connect((address.host.as_str(), address.port)).unwrap();
        let done = tls.complete_io(&mut socket).map(drop);
        let chain = tls.peer_certificates().map_or(0, <[_]>::len);
        (done, chain)
    };
    for host in ["localhost", "enterpriseenrollment.fabrikam.test", "enterpriseenrollment.contoso.test"] {
        let (done, chain) = shake(host);
        done.unwrap_or_else(|e| panic!("E-32: {host}: {e}"));
        assert!(chain >= 1, "E-32: {host}");
    }
    assert!(shake("enterpriseenrollment.elsewhere.test").0.is_err(), "E-32: only the configured domains");
}
