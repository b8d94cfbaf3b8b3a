use super::*;
use crate::pki::Serial;
use crate::pki::create::{self, CaNames};

const SERVER: &str = "[server]\nurl = \"https://mdm.example\"\n";

fn url(text: &str) -> HttpsUrl {
    HttpsUrl::parse(text).unwrap()
}

fn start(web: &str) -> Start {
    Start {
        url: url(web),
        device_url: None,
        listen: None,
        device_listen: None,
        provider_id: None,
        tls: None,
        database_url: None,
        organization: None,
    }
}

fn load(text: &str) -> Result<Config, String> {
    Config::load(text, []).map_err(|e| e.to_string())
}

fn load_with(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load(text, variables).map_err(|e| e.to_string())
}

#[test]
fn one_key_is_enough() {
    assert_eq!(load(SERVER).unwrap(), Config::with_defaults(url("https://mdm.example")));
}

#[test]
fn the_template_is_a_valid_file_that_says_nothing_new() {
    let start = start("https://mdm.example");
    let text = Config::template(&start);
    let defaults = Config::with_defaults(start.url.clone());
    assert_eq!(load(&text).unwrap(), defaults);
    assert!(!text.contains('{'), "a place was left open");

    let is_key = |rest: &str| rest.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '));
    let everything: Vec<&str> =
        text.lines().map(|line| line.strip_prefix("# ").filter(|rest| is_key(rest)).unwrap_or(line)).collect();
    let mut shown = load(&everything.join("\n")).unwrap();
    assert_eq!(shown.server.device_url.take(), Some(url("https://mdm.example:8443")));
    assert_eq!(shown.server.listen.take(), Some("0.0.0.0:443".parse().unwrap()));
    assert_eq!(shown.server.device_listen.take(), Some("0.0.0.0:8443".parse().unwrap()));
    assert_eq!(shown, defaults, "the template shows another default");

    let table = toml::Table::try_from(&defaults).unwrap();
    for (section, keys) in &table {
        if keys.is_array() {
            assert!(text.contains(&format!("#     [[{section}]]\n")), "{section}");
            continue;
        }
        let part = text.split(&format!("[{section}]\n")).nth(1).unwrap().split("\n[").next().unwrap();
        for key in keys.as_table().unwrap().keys() {
            assert!(part.lines().any(|l| l.trim_start_matches("# ").starts_with(&format!("{key} = "))), "{key}");
        }
    }
}

#[test]
fn the_template_takes_what_init_knows() {
    let start = Start {
        device_url: Some(url("https://devices.example:444")),
        listen: Some("127.0.0.1:1".parse().unwrap()),
        device_listen: Some("[::]:2".parse().unwrap()),
        provider_id: Some("Contoso-1".to_owned()),
        tls: Some(("/etc/tls/a.pem".into(), "/etc/tls/a.key".into())),
        database_url: Some("postgres://u:p@h/d".to_owned()),
        organization: Some("A \"quoted\" Ltd".to_owned()),
        ..start("https://localhost:0")
    };
    let config = load(&Config::template(&start)).unwrap();
    let server = &config.server;
    assert_eq!(server.device_url, start.device_url);
    assert_eq!((server.listen, server.device_listen), (start.listen, start.device_listen));
    assert_eq!(Some(&server.provider_id), start.provider_id.as_ref());
    assert_eq!(Some((server.tls_certificate.clone(), server.tls_key.clone())), start.tls);
    assert_eq!(config.database.url.expose(), "postgres://u:p@h/d");
    assert_eq!(config.ca.organization, "A \"quoted\" Ltd");
}

#[test]
fn the_template_shows_the_defaults_that_follow_from_what_is_set() {
    let start = Start {
        device_url: Some(url("https://devices.example")),
        listen: Some("10.0.0.1:443".parse().unwrap()),
        ..start("https://mdm.example")
    };
    let text = Config::template(&start);
    assert!(text.contains("\n# device_listen = \"10.0.0.1:443\"\n"), "{text}");
    assert!(load(&text).unwrap().server.shares_listener());
}

#[test]
fn complaints_name_line_key_and_what_is_expected() {
    let cases = [
        ("", "muster.toml line 1: missing field `server`"),
        ("[server]\n", "muster.toml line 1: server: missing field `url`"),
        ("[server]\nurl = 1\n", "muster.toml line 2: server.url: invalid type: integer `1`, expected a string"),
        (
            "[server]\nurl = \"http://a\"\n",
            "muster.toml line 2: server.url: `http://a` is not an https:// URL with a host and, if need be, a port",
        ),
        (
            "[server]\nurl = \"https://a\"\n\n[log]\nlevl = \"info\"\n",
            "muster.toml line 5: log.levl: unknown field `levl`, expected `level` or `format`",
        ),
        (
            "[server]\nurl = \"https://a\"\n[log]\nlevel = \"loud\"\n",
            "muster.toml line 4: log.level: unknown variant `loud`, expected one of `error`, `warn`, `info`, `debug`, \
             `trace`",
        ),
        ("[server]\nurl = \"https://a\n", "muster.toml line 2: invalid basic string, expected `\"`"),
        (
            "[server]\nurl = \"https://a\"\n[ca]\nrenew_period_days = 400\n",
            "muster.toml line 4: ca.renew_period_days: expected less than ca.device_lifetime_days, 365",
        ),
        (
            "[server]\nurl = \"https://a\"\n[ca]\ndevice_lifetime_days = 30\n",
            "muster.toml line 3: ca: expected less than ca.device_lifetime_days, 30",
        ),
        (
            "[server]\nurl = \"https://a\"\ndevice_url = \"https://a:443\"\n",
            "muster.toml line 3: server.device_url: expected another host or port than that of url, https://a",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(load(text).unwrap_err(), expected, "{text}");
    }
}

#[test]
fn an_unknown_section_lists_the_known_ones() {
    let message = load(&format!("{SERVER}[sever]\n")).unwrap_err();
    assert!(message.starts_with("muster.toml line 3: sever: unknown field `sever`, expected one of"), "{message}");
    assert!(message.contains("`retention`"), "{message}");
}

#[test]
fn values_out_of_range_are_refused_by_key() {
    let cases = [
        ("server", "provider_id = \"a b\""),
        ("server", "device_listen = \"0.0.0.0:443\""),
        ("server", "trusted_proxies = [\"10.0.0.0/33\"]"),
        ("database", "url = \"mysql://x\""),
        ("ca", "renew_retry_days = 43"),
        ("ca", "min_key_bits = 1024"),
        ("ca", "device_lifetime_days = 0"),
        ("enroll", "domains = [\"a@b\"]"),
        ("enroll", "domains = [\"m\u{fc}nchen.example\"]"),
        ("enroll", "domains = [\"-a.example\"]"),
        ("enroll", "domains = [\"a-.example\"]"),
        ("enroll", "domains = [\"a..example\"]"),
        ("enroll", "domains = [\"\"]"),
        ("enroll", "auth_policy = \"Federated\""),
        ("enroll", "max_version = \"10.0\""),
        ("enroll", "bulk_prefix = \"\""),
        ("poll", "first_count = 0"),
        ("poll", "second_count = 0"),
        ("poll", "remaining_interval_minutes = 0"),
        ("poll", "jitter_percent = 51"),
        ("limits", "connections_per_address = 5000"),
        ("limits", "password_failures_per_hour = 101"),
        ("limits", "idle_seconds = 0"),
        ("limits", "header_bytes = 100"),
        ("retention", "audit_days = 0"),
        ("ops", "listen = \"on\""),
        ("log", "format = \"xml\""),
    ];
    for (section, line) in cases {
        let text = match section {
            "server" => format!("{SERVER}{line}\n"),
            _ => format!("{SERVER}[{section}]\n{line}\n"),
        };
        let key = line.split(' ').next().unwrap();
        let message = load(&text).unwrap_err();
        assert!(message.contains(&format!("{section}.{key}: ")), "{line}: {message}");
    }
}

const TENANT: &str = "tenant_id = \"3f0a9d52-0c0e-4b50-9d3f-5b0c1f7a2b11\"";

#[test]
fn ways_of_proof_are_refused_where_they_cannot_work() {
    let proxies = "trusted_proxies = [\"10.0.0.7\"]\n";
    let cases = [
        ("", "[device_auth]\nproxy_certificate = \"pem\"", "device_auth.proxy_certificate: "),
        (proxies, "[device_auth]\nproxy_certificate = \"der\"", "device_auth.proxy_certificate: "),
        (proxies, "[device_auth]\nproxy_certificate_header = \"a b\"", "device_auth.proxy_certificate_header: "),
        (
            proxies,
            "[device_auth]\nproxy_certificate_header = \"MS-Signature\"",
            "device_auth.proxy_certificate_header: ",
        ),
        ("", "[device_auth]\nmessage_signing = \"on\"", "device_auth.message_signing: "),
        ("", "[device_auth]\nsigning_minutes = 1441", "device_auth.signing_minutes: "),
        ("", "[device_auth]\ndigest = \"on\"", "device_auth.digest: "),
        ("", "[[entra]]\ntenant_id = \"contoso\"", "muster.toml line 4: "),
        ("", &format!("[[entra]]\n{TENANT}\naudience = []\nkeys_file = \"k\""), "entra: "),
        ("", &format!("[[entra]]\n{TENANT}\naudience = [\"a\"]"), "missing field `keys_file`"),
        ("", &format!("[[entra]]\n{TENANT}\naudience = [\"a\"]\nkeys_file = \"\""), "entra: "),
        (
            "",
            &format!("{0}{0}", format_args!("[[entra]]\n{TENANT}\naudience = [\"a\"]\nkeys_file = \"k\"\n")),
            "entra: ",
        ),
    ];
    for (server, text, expected) in cases {
        let message = load(&format!("{SERVER}{server}{text}\n")).unwrap_err();
        assert!(message.contains(expected), "{text}: {message}");
    }
    let list = load_with(SERVER, &[("MUSTER__ENTRA__TENANT_ID", "x")]).unwrap_err();
    assert!(list.contains("muster.toml alone"), "{list}");
}

#[test]
fn the_header_of_a_handed_over_certificate_follows_from_its_form() {
    let server = format!("{SERVER}trusted_proxies = [\"10.0.0.7\"]\n[device_auth]\nproxy_certificate = ");
    let header = |rest: &str| {
        let config = load(&format!("{server}{rest}\n")).unwrap();
        config.device_auth.certificate_header().map(str::to_owned)
    };
    assert_eq!(header("\"off\"\nproxy_certificate_header = \"X-Cert\""), None);
    assert_eq!(header("\"rfc9440\"").as_deref(), Some("Client-Cert"));
    assert_eq!(header("\"pem\"").as_deref(), Some("X-SSL-Client-Cert"));
    assert_eq!(header("\"pem\"\nproxy_certificate_header = \"X-Cert\"").as_deref(), Some("X-Cert"));
}

#[test]
fn the_environment_takes_precedence() {
    let variables = [
        ("MUSTER__SERVER__URL", "https://other.example"),
        ("MUSTER__ENROLL__DOMAINS", "[\"a.example\"]"),
        ("MUSTER__ENROLL__MAX_VERSION", "3.0"),
        ("MUSTER__CA__SOFTWARE_KEYS_ONLY", "true"),
        ("MUSTER__CA__ORGANIZATION", "true"),
        ("MUSTER__LIMITS__CONNECTIONS", "600"),
        ("MUSTER_DATA", "ignored"),
        ("PATH", "ignored"),
    ];
    for text in [SERVER, ""] {
        let config = load_with(text, &variables).unwrap();
        assert_eq!(config.server.url, url("https://other.example"));
        assert_eq!(config.enroll.domains, ["a.example"]);
        assert_eq!(config.enroll.max_version, "3.0");
        assert!(config.ca.software_keys_only);
        assert_eq!(config.ca.organization, "true");
        assert_eq!(config.limits.connections, 600);
    }
}

#[test]
fn complaints_about_the_environment_name_the_variable() {
    let cases = [
        (("MUSTER__SERVER", "x"), "expected a name of the form MUSTER__SECTION__KEY"),
        (("MUSTER__LOG__LEVL", "info"), "unknown field `levl`, expected `level` or `format`"),
        (("MUSTER__LIMITS__CONNECTIONS", "many"), "invalid type: string \"many\", expected usize"),
        (("MUSTER__ENROLL__DOMAINS", "[1]"), "invalid type: integer `1`, expected a string"),
        (("MUSTER__CA__MIN_KEY_BITS", "1024"), "expected 2048, 3072 or 4096"),
    ];
    for ((name, value), expected) in cases {
        let others = ("MUSTER__CA__ORGANIZATION", "x");
        for variables in [vec![(name, value), others], vec![others, (name, value)]] {
            let message = load_with(SERVER, &variables).unwrap_err();
            assert_eq!(message, format!("environment variable {name}: {expected}"));
        }
    }
}

#[test]
fn addresses_are_derived_from_the_urls() {
    let cases = [
        ("https://mdm.example", "https://mdm.example:8443", "0.0.0.0:443", "0.0.0.0:8443"),
        ("https://localhost:8443", "https://localhost:8444", "127.0.0.1:8443", "127.0.0.1:8444"),
        ("https://127.0.0.1:0", "https://127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"),
        ("https://[::1]:9", "https://[::1]:8443", "[::1]:9", "[::1]:8443"),
        ("https://[2001:db8::1]", "https://[2001:db8::1]:8443", "[::]:443", "[::]:8443"),
        ("https://192.0.2.1", "https://192.0.2.1:8443", "0.0.0.0:443", "0.0.0.0:8443"),
    ];
    for (web, device, listen, device_listen) in cases {
        let server = Server::with_defaults(url(web));
        assert_eq!(server.device_url().to_string(), device, "{web}");
        assert_eq!(server.listen().to_string(), listen, "{web}");
        assert_eq!(server.device_listen().to_string(), device_listen, "{web}");
        assert!(!server.shares_listener(), "{web}");
    }
}

#[test]
fn one_port_and_two_names_share_a_listener() {
    let cases = [
        ("https://mdm.example", "https://devices.example", "", "0.0.0.0:443"),
        ("https://mdm.example", "https://devices.example", "listen = \"127.0.0.1:8443\"", "127.0.0.1:8443"),
        ("https://localhost:8443", "https://devices.example:8443", "", "0.0.0.0:8443"),
        ("https://mdm.example:8443", "https://127.0.0.1:8443", "", "0.0.0.0:8443"),
        ("https://a.localhost:8443", "https://b.localhost:8443", "", "127.0.0.1:8443"),
    ];
    for (web, device, line, shared) in cases {
        let text = format!("[server]\nurl = \"{web}\"\ndevice_url = \"{device}\"\n{line}\n");
        let server = load(&text).unwrap().server;
        assert_eq!((server.listen().to_string(), server.shares_listener()), (shared.to_owned(), true), "{text}");
    }
    let apart = [
        ("https://mdm.example", "https://devices.example", "device_listen = \"10.0.0.2:443\""),
        ("https://mdm.example", "https://devices.example:444", "listen = \"10.0.0.1:443\""),
        ("https://mdm.example", "https://mdm.example:444", "listen = \"10.0.0.1:443\""),
        ("https://localhost:0", "https://devices.example:0", ""),
    ];
    for (web, device, line) in apart {
        let text = format!("[server]\nurl = \"{web}\"\ndevice_url = \"{device}\"\n{line}\n");
        assert!(!load(&text).unwrap().server.shares_listener(), "{text}");
    }
}

#[test]
fn a_listener_for_both_needs_a_name_of_the_web_side() {
    for address in ["192.0.2.1", "[2001:db8::1]"] {
        let text = format!("[server]\nurl = \"https://{address}\"\ndevice_url = \"https://devices.example\"\n");
        let message = load(&text).unwrap_err();
        assert!(message.starts_with("muster.toml line 2: server.url: expected a host name"), "{message}");
        assert!(message.ends_with("give device_url a port of its own"), "{message}");
        load(&format!("[server]\nurl = \"https://{address}\"\n")).unwrap();
    }
    // Whoever names nobody is taken for a device.
    load("[server]\nurl = \"https://mdm.example\"\ndevice_url = \"https://192.0.2.1\"\n").unwrap();
}

#[test]
fn domains_that_are_taken_fit_into_the_server_certificate() {
    let now = time::macros::datetime!(2026-11-20 12:00 UTC);
    let serial = Serial::from_random([1; 16]);
    let root = create::root(&CaNames::new(None, [1, 2, 3]), serial, now).unwrap();
    let longest = format!("{}.example", vec!["a".repeat(31); 7].join("."));
    assert_eq!(longest.len(), 231);
    for domain in ["example.com", "xn--mnchen-3ya.example", "EXAMPLE.test", "a_b.example", "localdomain", &longest] {
        load(&format!("{SERVER}[enroll]\ndomains = [\"{domain}\"]\n")).unwrap();
        create::server(&root, &[format!("enterpriseenrollment.{domain}")], serial, now).unwrap();
    }
    let too_long = format!("aaa{longest}");
    assert!(load(&format!("{SERVER}[enroll]\ndomains = [\"{too_long}\"]\n")).is_err());
}

#[test]
fn a_port_of_zero_is_replaced_once_it_is_bound() {
    let server = Server::with_defaults(url("https://localhost:0"));
    let bound = server.bound_urls("127.0.0.1:1111".parse().unwrap(), "127.0.0.1:2222".parse().unwrap());
    assert_eq!(
        (bound.0.to_string(), bound.1.to_string()),
        ("https://localhost:1111".into(), "https://localhost:2222".into())
    );
    assert_eq!(
        bound.0.join("/EnrollmentServer/Discovery.svc"),
        "https://localhost:1111/EnrollmentServer/Discovery.svc"
    );
    let fixed = Server::with_defaults(url("https://mdm.example"));
    let bound = fixed.bound_urls("0.0.0.0:443".parse().unwrap(), "0.0.0.0:8443".parse().unwrap());
    assert_eq!(bound.0.to_string(), "https://mdm.example");
}

#[test]
fn a_database_password_is_not_printed() {
    let text = format!("{SERVER}[database]\nurl = \"postgres://u:geheim@h/d\"\n");
    assert!(!format!("{:?}", load(&text).unwrap()).contains("geheim"));
    let bad = format!("{SERVER}[database]\nurl = \"mysql://u:geheim@h/d\"\n");
    assert!(!load(&bad).unwrap_err().contains("geheim"));
}

const PFN: &str = "12345Example.Muster_1a2b3c4d5e6f7";

fn wns(lines: &str) -> String {
    format!(
        "{SERVER}[wns]\npfn = \"{PFN}\"\npackage_sid = \"ms-app://s-1-15-2-1-2\"\nclient_secret = \"geheim\"\n{lines}"
    )
}

#[test]
fn push_is_set_up_whole_or_not_at_all() {
    assert!(!load(SERVER).unwrap().wns.is_on());
    let config = load(&wns("")).unwrap();
    assert!(config.wns.is_on());
    assert_eq!(config.wns.client_secret.expose(), "geheim");
    assert_eq!(config.wns.token_url.url().as_str(), "https://login.live.com/accesstoken.srf");
    let (without, part) = (wns("").replace("client_secret = \"geheim\"\n", ""), format!("{SERVER}[wns]\n"));
    assert_eq!(load_with(&without, &[("MUSTER__WNS__CLIENT_SECRET", "geheim")]).unwrap(), config);
    let whole = "expected pfn, package_sid and client_secret, all of them or none";
    for (text, line, key) in [
        (without, 3, "client_secret"),
        (format!("{part}client_secret = \"geheim\"\n"), 3, "pfn"),
        (format!("{part}pfn = \"{PFN}\"\n"), 3, "package_sid"),
    ] {
        let told = load(&text).unwrap_err();
        assert!(told.starts_with(&format!("muster.toml line {line}: wns")) && told.ends_with(whole), "{key}: {told}");
        assert!(!told.contains("geheim"), "{key}: {told}");
    }
    for (from, to, key) in [
        (PFN, "Example", "pfn"),
        (PFN, "Exa mple_1", "pfn"),
        ("ms-app://s-1-15-2-1-2", "https://example.test", "package_sid"),
        ("geheim", "geh\\neim", "client_secret"),
    ] {
        let told = load(&wns("").replace(from, to)).unwrap_err();
        assert!(told.contains(&format!("wns.{key}: expected")), "{to}: {told}");
    }
    for (line, key) in [
        ("token_url = \"http://login.example.test/\"\n", "token_url"),
        ("token_url = \"https://user@login.example.test/\"\n", "token_url"),
        ("channel_hosts = []\n", "channel_hosts"),
        ("channel_hosts = [\"example.test\"]\n", "channel_hosts"),
    ] {
        let told = load(&wns(line)).unwrap_err();
        assert!(told.contains(&format!("muster.toml line 7: wns.{key}: ")), "{line}: {told}");
    }
}

#[test]
fn the_secret_of_push_is_not_printed() {
    assert!(!format!("{:?}", load(&wns("")).unwrap()).contains("geheim"));
    for odd in ["47110815", "[\"geheim\"]", "{ a = \"geheim\" }"] {
        let told = load(&wns("").replace("\"geheim\"", odd)).unwrap_err();
        assert!(told.contains("expected text in quotation marks"), "{told}");
        assert!(!told.contains("geheim") && !told.contains("47110815"), "{told}");
    }
}
