use std::net::IpAddr;

use super::*;

const SERVER: &str = "[server]\nurl = \"https://mdm.example\"\n";

fn url(text: &str) -> HttpsUrl {
    HttpsUrl::parse(text).unwrap()
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
    let start = Start { url: url("https://mdm.example"), device_url: None, database_url: None, organization: None };
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
        let part = text.split(&format!("[{section}]\n")).nth(1).unwrap().split("\n[").next().unwrap();
        for key in keys.as_table().unwrap().keys() {
            assert!(part.lines().any(|l| l.trim_start_matches("# ").starts_with(&format!("{key} = "))), "{key}");
        }
    }
}

#[test]
fn the_template_takes_what_init_knows() {
    let start = Start {
        url: url("https://localhost:0"),
        device_url: Some(url("https://devices.example:444")),
        database_url: Some("postgres://u:p@h/d".to_owned()),
        organization: Some("A \"quoted\" Ltd".to_owned()),
    };
    let config = load(&Config::template(&start)).unwrap();
    assert_eq!(config.server.device_url, start.device_url);
    assert_eq!(config.database.url.expose(), "postgres://u:p@h/d");
    assert_eq!(config.ca.organization, "A \"quoted\" Ltd");
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
    ];
    for (web, device, listen, device_listen) in cases {
        let server = Server::with_defaults(url(web));
        assert_eq!(server.device_url().to_string(), device, "{web}");
        assert_eq!(server.listen().to_string(), listen, "{web}");
        assert_eq!(server.device_listen().to_string(), device_listen, "{web}");
        assert!(!server.shares_listener(), "{web}");
    }
    let mut server = Server::with_defaults(url("https://mdm.example"));
    server.device_url = Some(url("https://devices.example"));
    assert!(server.shares_listener());
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
fn networks_hold_their_addresses() {
    let cases = [
        ("10.0.0.0/8", "10.255.0.1", true),
        ("10.0.0.0/8", "11.0.0.1", false),
        ("10.0.0.0/8", "::ffff:10.1.2.3", true),
        ("0.0.0.0/0", "1.2.3.4", true),
        ("192.0.2.1", "192.0.2.1", true),
        ("192.0.2.1", "192.0.2.2", false),
        ("2001:db8::/32", "2001:db8:1::1", true),
        ("::/0", "2001:db8::1", true),
        ("::/0", "1.2.3.4", false),
        ("fe80::1", "fe80::2", false),
    ];
    for (network, address, expected) in cases {
        let network = Network::try_from(network.to_owned()).unwrap();
        assert_eq!(network.contains(address.parse::<IpAddr>().unwrap()), expected, "{network:?} {address}");
    }
}

#[test]
fn a_database_password_is_not_printed() {
    let text = format!("{SERVER}[database]\nurl = \"postgres://u:geheim@h/d\"\n");
    assert!(!format!("{:?}", load(&text).unwrap()).contains("geheim"));
    let bad = format!("{SERVER}[database]\nurl = \"mysql://u:geheim@h/d\"\n");
    assert!(!load(&bad).unwrap_err().contains("geheim"));
}
