//! The page on which the server tests the way to itself: for everybody, in two languages, about itself and its domains only.

use std::net::{SocketAddr, TcpListener};

use crate::support::http::{Address, Connection, Request, Response};
use crate::support::server::Server;
use crate::support::standin::{Flaws, Record, StandIn, name_server};

const HERE: Record = Record::A([127, 0, 0, 1]);
const HOST: &str = "mdm.fabrikam.test";

/// A server whose self-test asks that name server and trusts the authorities of that file beside its own.
fn server(names: SocketAddr, authorities: &std::path::Path, more: &[(&str, &str)]) -> Server {
    let names = names.to_string();
    let usual = [("MUSTER__SELFTEST__DNS", names.as_str()), ("SSL_CERT_FILE", authorities.to_str().unwrap())];
    Server::start_with(&[&usual, more].concat())
}

/// Addresses at which nothing listens.
fn free() -> [SocketAddr; 2] {
    let taken = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    taken.map(|listener| listener.local_addr().unwrap())
}

/// An authority that nobody uses.
fn nobody() -> std::path::PathBuf {
    StandIn::start("nobody.test", Flaws::default()).root
}

/// The page, with what every page must have.
#[track_caller]
fn page(server: &Server, path: &str, status: u16) -> Response {
    let response = server.web(&Request::get(path).header("Accept-Language", "en"));
    judged(response, path, status)
}

#[track_caller]
fn judged(response: Response, path: &str, status: u16) -> Response {
    response.expect_status(path, status);
    assert!(response.header("content-type").unwrap().starts_with("text/html"), "{path}");
    let policy = response.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(policy.contains("form-action 'self'"), "{policy}");
    assert!(!response.text().contains("<script"), "{path}: no script");
    response
}

/// The marks of the steps, with the names of these.
fn steps(page: &str) -> Vec<(String, String)> {
    let list = page.split("<ol class=\"findings\">").nth(1).map_or("", |rest| rest.split("</ol>").next().unwrap());
    let between = |text: &str, from: &str, to: &str| {
        text.split(from).nth(1).and_then(|rest| rest.split(to).next()).unwrap_or_default().trim().to_owned()
    };
    let steps = list.split("<li>").skip(1);
    steps.map(|step| (between(step, "\">", "</span>"), between(step, "<strong>", "</strong>"))).collect()
}

/// What the page says is wrong first, and what to do.
#[track_caller]
fn first(page: &str) -> &str {
    let rest = page.split_once("id=\"first\">").unwrap_or_else(|| panic!("nothing is wrong: {page}")).1;
    rest.split_once("</section>").unwrap().0
}

#[test]
fn a_healthy_server_passes_in_both_languages() {
    let names = name_server(&[("localhost", HERE)]);
    let server = server(names, &nobody(), &[("MUSTER__ENROLL__DOMAINS", "[\"fabrikam.test\"]")]);
    let before = page(&server, "/selftest", 200);
    assert!(before.text().contains("Start the test") && steps(before.text()).is_empty(), "{}", before.text());
    assert!(before.text().contains("<label for=\"for\">") && before.text().contains("0x80180012"), "labels and codes");
    let english = page(&server, "/selftest?for=", 200);
    let told = first(english.text());
    assert!(told.contains("! Only a PC that has the CA certificate") && told.contains("/pki/ca.cer"), "{told}");
    assert!(!english.text().contains("✓ Nothing stops a PC"), "{}", english.text());
    let found = steps(english.text());
    let stages: Vec<&str> = found.iter().map(|(_, stage)| stage.as_str()).collect();
    let all = [
        "Name",
        "Certificate",
        "Certificate",
        "First contact",
        "Discovery",
        "Policy",
        "Enrollment",
        "Certificate",
        "Clock",
    ];
    assert_eq!(stages, all, "{found:?}");
    // Its authority is its own: PCs have to get that first.
    assert_eq!(found[2].0, "! Look at it", "{found:?}");
    assert_eq!(found.iter().filter(|(mark, _)| mark == "✓ In order").count(), 8, "{found:?}");
    assert!(english.text().contains("The certificate of localhost (where enrolled PCs go)"), "{}", english.text());
    assert!(server.api().list("/enrollment-attempts").is_empty(), "the walk is nobody's attempt");
    let french = page(&server, "/selftest?lang=fr&for=", 200);
    assert!(first(french.text()).contains("! Seul un PC qui a le certificat"), "{}", french.text());
    assert_eq!(steps(french.text()).iter().filter(|(mark, _)| mark == "✓ En ordre").count(), 8);
    assert!(french.text().contains("lang=\"fr\"") && french.text().contains("?lang=en&#38;for="), "{}", french.text());

    let go = server.web(&Request::get("/go?lang=fr"));
    assert!(go.text().contains("/selftest?lang=fr"), "it is linked");
}

#[test]
fn what_is_wrong_with_a_domain_is_named_without_the_inside() {
    let elsewhere = "corp-dc7.internal.test";
    let names = name_server(&[
        ("localhost", HERE),
        ("enterpriseenrollment.contoso.test", Record::Cname("enterpriseenrollment-s.manage.microsoft.com")),
        ("enterpriseenrollment-s.manage.microsoft.com", Record::A([127, 0, 0, 5])),
        ("enterpriseenrollment.woodgrove.test", Record::Cname(elsewhere)),
        (elsewhere, Record::A([127, 0, 0, 9])),
    ]);
    let domains = "[\"fabrikam.test\", \"contoso.test\", \"woodgrove.test\"]";
    let server = server(names, &nobody(), &[("MUSTER__ENROLL__DOMAINS", domains)]);
    let cases = [
        ("fabrikam.test", "does not exist in DNS", "n’existe pas dans le DNS"),
        ("contoso.test", "leads to Microsoft Intune", "mène à Microsoft Intune"),
        ("woodgrove.test", "leads to another host than this server", "mène à un autre hôte que ce serveur"),
    ];
    for (domain, english, french) in cases {
        for (language, words, mark) in [("en", english, "✗ Wrong"), ("fr", french, "✗ Incorrect")] {
            let shown = page(&server, &format!("/selftest?lang={language}&for={domain}"), 200);
            let told = first(shown.text());
            assert!(told.contains(words) && told.contains(&format!("enterpriseenrollment.{domain}")), "{told}");
            assert_eq!(steps(shown.text())[0].0, mark, "{}", shown.text());
            for inside in [elsewhere, "127.0.0", "manage.microsoft"] {
                assert!(!shown.text().contains(inside), "{inside}: {}", shown.text());
            }
        }
    }
    // Who is asked about stays neither in the address nor on the page.
    let typed = server.web(&Request::get("/selftest?lang=fr&for=ada%40Fabrikam.test"));
    typed.expect_status("an address of mail", 303);
    assert_eq!(typed.header("location"), Some("/selftest?lang=fr&for=fabrikam.test"));
}

#[test]
fn a_device_host_that_nobody_reaches_is_named() {
    let [listen, closed] = free();
    let (listen, elsewhere) = (listen.to_string(), format!("https://localhost:{}", closed.port()));
    let more = [("MUSTER__SERVER__DEVICE_URL", elsewhere.as_str()), ("MUSTER__SERVER__DEVICE_LISTEN", &listen)];
    let server = server(name_server(&[("localhost", HERE)]), &nobody(), &more);
    let page = page(&server, "/selftest?for=", 200);
    let told = first(page.text());
    assert!(told.contains("localhost (where enrolled PCs go) takes no connection"), "{told}");
    let faults: Vec<_> = steps(page.text()).into_iter().filter(|(mark, _)| mark == "✗ Wrong").collect();
    assert_eq!(faults.len(), 1, "{faults:?}");
}

#[test]
fn where_nobody_may_enroll_from_the_server_itself_the_way_is_tested_all_the_same() {
    let server = server(
        name_server(&[("localhost", HERE)]),
        &nobody(),
        &[("MUSTER__ENROLL__NETWORKS", "[\"198.51.100.0/24\"]"), ("MUSTER__ENROLL__DOMAINS", "[\"fabrikam.test\"]")],
    );
    let page = page(&server, "/selftest?for=", 200);
    assert!(first(page.text()).contains("Nothing else stops a PC"), "{}", page.text());
}

#[test]
fn where_the_address_is_needed_no_domain_is_tested() {
    let names = name_server(&[("localhost", HERE)]);
    let domains = ("MUSTER__ENROLL__DOMAINS", "[\"fabrikam.test\"]");
    let server = server(names, &nobody(), &[("MUSTER__ENROLL__REQUIRE_GENERATION", "true"), domains]);
    let refused = page(&server, "/selftest?for=fabrikam.test", 400);
    assert!(refused.text().contains("This server is not found by a domain"), "{}", refused.text());
    let tested = page(&server, "/selftest?for=", 200);
    assert!(first(tested.text()).contains("Nothing else stops a PC"), "{}", tested.text());
    assert!(!tested.text().contains("name=\"for\" type=\"text\""), "no domain is asked for");
}

// covers: S-15
#[test]
fn nobody_else_is_looked_at_and_tries_are_limited() {
    let canary = TcpListener::bind("127.0.0.1:0").unwrap();
    canary.set_nonblocking(true).unwrap();
    let port = canary.local_addr().unwrap().port();
    let names = name_server(&[("localhost", HERE), ("enterpriseenrollment.evil.test", HERE), ("evil.test", HERE)]);
    let server = server(names, &nobody(), &[("MUSTER__ENROLL__DOMAINS", "[\"fabrikam.test\"]")]);
    let foreign = [
        "evil.test".to_owned(),
        "ada%40evil.test".to_owned(),
        format!("127.0.0.1%3A{port}"),
        format!("https%3A%2F%2F127.0.0.1%3A{port}%2F"),
        format!("fabrikam.test%40127.0.0.1%3A{port}"),
        format!("localhost%3A{port}"),
        "169.254.169.254".to_owned(),
        "%22%3E%3Cscript%3E".to_owned(),
        "%00".to_owned(),
        "a".repeat(5000),
    ];
    for typed in &foreign {
        let refused = page(&server, &format!("/selftest?for={typed}"), 400);
        assert!(refused.text().contains("This server does not serve that domain"), "{typed}: {}", refused.text());
        assert!(refused.text().contains("aria-invalid=\"true\"") && steps(refused.text()).is_empty(), "{typed}");
    }
    assert!(page(&server, "/selftest?for=evil.test&lang=fr", 400).text().contains("ne dessert pas ce domaine"));
    let many = (0..100).map(|_| server.web(&Request::get("/selftest?for=evil.test"))).find(|r| r.status != 400);
    let many = judged(many.expect("there is an end"), "too many", 429);
    assert!(many.text().contains("Too many tests"), "{}", many.text());
    assert!(many.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    page(&server, "/selftest", 200);
    assert_eq!(canary.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "S-15: somebody called");
}

/// A server that is reached under the address of a stand-in, as if that were a proxy before it.
struct Behind {
    server: Server,
    front: StandIn,
    direct: Address,
}

impl Behind {
    fn start(flaws: Flaws) -> Self {
        Self::known_to(name_server(&[(HOST, HERE)]), flaws)
    }

    fn known_to(names: SocketAddr, flaws: Flaws) -> Self {
        let front = StandIn::start(HOST, flaws);
        let [listen, device] = free();
        let server = server(
            names,
            &front.root,
            &[
                ("MUSTER__ENROLL__DOMAINS", "[\"fabrikam.test\"]"),
                ("MUSTER__SERVER__URL", &format!("https://{HOST}:{}", front.port)),
                ("MUSTER__SERVER__DEVICE_URL", &format!("https://{HOST}:{}", device.port())),
                ("MUSTER__SERVER__LISTEN", &listen.to_string()),
                ("MUSTER__SERVER__DEVICE_LISTEN", &device.to_string()),
            ],
        );
        let direct = Address { host: "localhost".to_owned(), port: listen.port(), ..Address::of(&server.url) };
        Self { server, front, direct }
    }

    fn tested(&self) -> String {
        self.tested_for("")
    }

    fn tested_for(&self, typed: &str) -> String {
        let config = self.server.tls().config();
        let mut connection = Connection::open_as(&self.direct, HOST, &config).unwrap();
        let response =
            connection.send(&Request::get(&format!("/selftest?for={typed}")).header("Accept-Language", "en"));
        let response = response.unwrap();
        judged(response, "a test", 200).text().to_owned()
    }
}

#[test]
fn a_flaw_before_the_server_is_named_and_a_result_is_kept() {
    let good = Behind::start(Flaws::default());
    let page = good.tested();
    assert!(first(&page).contains("Nothing stops a PC"), "{page}");
    assert!(steps(&page).iter().all(|(mark, _)| mark == "✓ In order"), "{page}");
    let count = |front: &StandIn| front.requests.lock().unwrap().len();
    let asked = count(&good.front);
    assert!(asked >= 4, "{asked}");
    good.tested();
    assert_eq!(count(&good.front), asked, "the second visitor gets what the first got");

    let expired = Behind::start(Flaws { expired: true, ..Flaws::default() }).tested();
    assert!(first(&expired).contains("A certificate that mdm.fabrikam.test shows ended on"), "{expired}");
    assert!(first(&expired).contains("Windows shows 0x8018000D"), "{expired}");
    let chunked = Behind::start(Flaws { chunked: true, ..Flaws::default() }).tested();
    assert!(first(&chunked).contains("comes in chunks"), "{chunked}");
    assert_eq!(steps(&chunked).iter().filter(|(mark, _)| mark == "✓ In order").count(), 5, "{chunked}");
}

// covers: S-15
#[test]
fn what_answers_before_the_server_leads_nowhere_else() {
    let canary = TcpListener::bind("127.0.0.1:0").unwrap();
    canary.set_nonblocking(true).unwrap();
    let to = format!("https://127.0.0.1:{}/EnrollmentServer/Discovery.svc", canary.local_addr().unwrap().port());
    let led = Behind::start(Flaws { redirect: Some(to.leak()), ..Flaws::default() }).tested();
    assert!(first(&led).contains("The way leads to another server than this one"), "{led}");
    assert!(!led.contains("127.0.0.1"), "{led}");
    assert_eq!(canary.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "S-15: somebody called");
}

#[test]
fn a_server_that_its_own_name_server_does_not_know_is_no_wrong_alias() {
    let names = name_server(&[("enterpriseenrollment.fabrikam.test", HERE)]);
    let page = Behind::known_to(names, Flaws::default()).tested_for("fabrikam.test");
    assert!(first(&page).contains("mdm.fabrikam.test does not exist in DNS"), "{page}");
    assert_eq!(steps(&page).len(), 1, "{page}");
}

#[test]
fn it_can_be_switched_off() {
    let server = Server::start_with(&[("MUSTER__SELFTEST__ENABLED", "false")]);
    for path in ["/selftest", "/selftest?for="] {
        server.web(&Request::get(path)).expect_status(path, 404);
    }
    assert!(!server.web(&Request::get("/go")).text().contains("/selftest"));
}
