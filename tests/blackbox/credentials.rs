//! The certificate policy, and who may have it: passwords in all their spellings, wrong ones, changed ones, guessed ones.

use serde_json::json;

use crate::support::api::User;
use crate::support::enrolling::Attempt;
use crate::support::server::Server;
use crate::support::soap::{
    self, Fault, Operation, PASSWORD_DIGEST, PASSWORD_TEXT, RstBody, Soap, username_token, username_token_with,
};
use crate::support::{database, unique, xcep};

fn policies(user: &User) -> Soap {
    Soap::get_policies(&username_token(&user.email, &user.password))
}

fn with_password(user: &User, password: &str) -> Soap {
    Soap::get_policies(&username_token(&user.email, password))
}

#[track_caller]
fn granted(server: &Server, soap: &Soap) {
    xcep::check(&soap.accepted(&server.web(&soap.request())));
}

#[track_caller]
fn refused(server: &Server, soap: &Soap) -> Fault {
    soap.refused(&server.web(&soap.request()))
}

#[test]
// covers: E-34, E-35, E-36, E-37, E-38, E-39, E-40, E-41
fn the_policy_has_the_form_of_the_schema() {
    let server = Server::shared();
    let soap = policies(&server.api().add_user());
    let policy = xcep::check(&soap.accepted(&server.web(&soap.request())));
    assert!(policy.validity_seconds > policy.renewal_seconds, "the renewal period is inside the validity: {policy:?}");
}

#[test]
// covers: E-42
fn more_children_of_client_are_ignored() {
    let server = Server::shared();
    let mut soap = policies(&server.api().add_user());
    let more = "<TPMManufacturer>INTC</TPMManufacturer><TPMFirmwareVersion>1.2.3</TPMFirmwareVersion></client>";
    soap.body = soap.body.replace("</client>", more);
    granted(server, &soap);
    soap.body = soap.body.replace(r#"<lastUpdate xsi:nil="true"/>"#, "<lastUpdate>0001-01-01T00:00:00</lastUpdate>");
    granted(server, &soap);
}

#[test]
// covers: E-43, E-105
fn wrong_and_missing_credentials_differ() {
    let server = Server::start();
    let user = server.api().add_user();
    refused(&server, &with_password(&user, "wrong")).is("E-43", "s:Authentication", None);
    let without = Soap { headers: String::new(), ..policies(&user) };
    refused(&server, &without).is("E-43", "a:InvalidSecurity", None);
    let empty = Soap { headers: soap::security(""), ..policies(&user) };
    refused(&server, &empty).is("E-105", "a:InvalidSecurity", None);
    granted(&server, &policies(&user));
}

#[test]
// covers: E-44, E-45
fn the_password_type_may_be_spelled_in_several_ways() {
    let server = Server::start();
    let user = server.api().add_user();
    let spellings = [format!(r#" wsse:Type="{PASSWORD_TEXT}""#), format!(r#" Type="{PASSWORD_TEXT}""#), String::new()];
    for attributes in spellings {
        granted(&server, &Soap::get_policies(&username_token_with(&user.email, &user.password, &attributes)));
    }
    for attributes in [format!(r#" wsse:Type="{PASSWORD_DIGEST}""#), format!(r#" Type="{PASSWORD_DIGEST}""#)] {
        refused(&server, &Soap::get_policies(&username_token_with(&user.email, &user.password, &attributes)));
    }
    let token = username_token(&user.email, &user.password);
    for id in [r#" u:Id="x""#, "", r#" Id="uuid-1""#] {
        let other = token.replace(r#" u:Id="uuid-cc1ccc1f-2fba-4bcf-b063-ffc0cac77917-4""#, id);
        granted(&server, &Soap::get_policies(&other));
    }
}

#[test]
fn line_breaks_around_a_password_are_dropped_and_blanks_are_not() {
    let server = Server::start();
    let api = server.api();
    let email = format!("blank-{}@example.test", unique());
    let password = " two blanks around this one ";
    api.post("/users", &json!({"email": email, "password": password}), 201);
    let spelled = |text: &str| {
        let token = username_token(&email, "PLACE").replace("PLACE", text);
        Soap::get_policies(&token.replace(&email, &format!("\n\t{email}\n")))
    };
    granted(&server, &spelled(&format!("\r\n\t{password}\n")));
    refused(&server, &spelled(password.trim())).is("E-11", "s:Authentication", None);
}

#[test]
fn user_names_compare_without_case() {
    let server = Server::shared();
    let user = server.api().add_user();
    let shouted = User { email: user.email.to_uppercase(), ..user };
    granted(server, &policies(&shouted));
}

#[test]
// covers: E-139, S-06, E-105
fn credentials_stand_exactly_once_at_their_place() {
    let server = Server::start();
    let user = server.api().add_user();
    let good = username_token(&user.email, &user.password);
    let wrong = username_token(&user.email, "wrong");
    let binary = soap::binary_token(soap::USER_TOKEN, "dG9rZW4=");
    let security = |content: &str| Soap { headers: soap::security(content), ..policies(&user) };
    let nested = format!("<x:Wrap xmlns:x=\"urn:example\">{good}</x:Wrap>");
    let cases = [
        ("good and wrong", security(&format!("{good}{wrong}"))),
        ("wrong and good", security(&format!("{wrong}{good}"))),
        ("password and token", security(&format!("{good}{binary}"))),
        ("token and password", security(&format!("{binary}{good}"))),
        ("wrapped", security(&nested)),
        ("outside Security", Soap { headers: good.clone(), ..policies(&user) }),
        ("two headers", Soap { headers: soap::security(&good).repeat(2), ..policies(&user) }),
        ("no user", security(&good.replace("wsse:Username>", "wsse:Other>"))),
        ("no password", security(&good.replace("wsse:Password", "wsse:Other"))),
        ("not base64", security(&soap::binary_token(soap::USER_TOKEN, "{not base64}"))),
    ];
    for (name, soap) in cases {
        assert_eq!(refused(&server, &soap).subcode, "a:InvalidSecurity", "E-139, S-06: {name}");
    }
    let in_the_body =
        Soap { headers: String::new(), body: format!("{}{good}", policies(&user).body), ..policies(&user) };
    refused(&server, &in_the_body);
    let signature =
        format!(r#"{good}<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo/></ds:Signature>"#);
    assert_eq!(refused(&server, &security(&signature)).subcode, "a:InvalidSecurity", "S-06: an XML signature");
    granted(&server, &policies(&user));
}

#[test]
// covers: S-06, E-139
fn a_security_header_behind_the_body_does_not_count() {
    let server = Server::start();
    let user = server.api().add_user();
    let soap = policies(&user);
    let header = soap::security(&username_token(&user.email, &user.password));
    let moved = soap
        .xml()
        .replace(&header, "")
        .replace("</s:Envelope>", &format!("<s:Header>{header}</s:Header></s:Envelope>"));
    let response = server.web(&soap::post(Operation::GetPolicies.path(), moved));
    assert!(matches!(response.status, 400 | 500), "S-06: {}", response.status);
    assert!(!response.text().contains("GetPoliciesResponse xmlns"), "S-06: {}", response.text());
}

#[test]
// covers: E-134
fn looking_at_the_policy_uses_nothing_up() {
    let server = Server::start_with(&[("MUSTER__ENROLL__MAX_DEVICES_PER_USER", "1")]);
    let user = server.api().add_user();
    for _ in 0..3 {
        granted(&server, &policies(&user));
    }
    Attempt::new(&server, &user).accepted(&server);
}

#[test]
// covers: E-135
fn a_changed_password_counts_at_once() {
    let server = Server::start();
    let api = server.api();
    let user = api.add_user();
    granted(&server, &policies(&user));
    let changed = User { password: "another correct horse battery".to_owned(), ..user.clone() };
    api.patch(&format!("/users/{}", user.id), &json!({"password": changed.password}));
    refused(&server, &policies(&user)).is("E-135", "s:Authentication", None);
    Attempt::new(&server, &user).refused(&server).is("E-135", "s:Authentication", None);
    granted(&server, &policies(&changed));
}

#[test]
// covers: E-135, E-105
fn a_disabled_account_is_refused_at_once() {
    let server = Server::start();
    let api = server.api();
    let user = api.add_user();
    granted(&server, &policies(&user));
    api.patch(&format!("/users/{}", user.id), &json!({"enabled": false}));
    refused(&server, &policies(&user)).is("E-105", "s:Authorization", None);
    Attempt::new(&server, &user).refused(&server).is("E-135", "s:Authorization", None);
    api.patch(&format!("/users/{}", user.id), &json!({"enabled": true}));
    granted(&server, &policies(&user));
}

#[test]
// covers: E-135
fn a_deleted_user_is_an_unknown_user() {
    let server = Server::start();
    let api = server.api();
    let user = api.add_user();
    granted(&server, &policies(&user));
    api.delete(&format!("/users/{}", user.id));
    refused(&server, &policies(&user)).is("E-135", "s:Authentication", None);
}

#[test]
// covers: S-14, S-32
fn all_failures_of_authentication_look_alike() {
    let server = Server::start();
    let api = server.api();
    let known = api.add_user();
    let disabled = api.add_user();
    let bare = api.add_user_named(&format!("bare-{}@example.test", unique()));
    api.patch(&format!("/users/{}", disabled.id), &json!({"enabled": false}));
    api.delete(&format!("/users/{}", bare.id));
    let unknown = User { email: "nobody-at-all@example.test".to_owned(), ..known.clone() };
    let expected = refused(&server, &with_password(&known, "wrong")).without_ids();
    for user in [&unknown, &disabled, &bare] {
        assert_eq!(refused(&server, &with_password(user, "wrong")).without_ids(), expected, "S-14: {}", user.email);
    }
}

#[test]
// covers: E-53, E-105, S-14
fn guessing_is_stopped_without_saying_who_exists() {
    let server = Server::start();
    let user = server.api().add_user();
    let unknown = User { email: "nobody-at-all@example.test".to_owned(), ..user.clone() };
    let mut answers = std::collections::HashSet::new();
    for n in 0..101 {
        for guessed in [&user, &unknown] {
            let fault = refused(&server, &with_password(guessed, &format!("guess {n}")));
            answers.insert(format!("{:?}", fault.without_ids()));
        }
    }
    assert_eq!(answers.len(), 1, "E-53: {answers:?}");
    let locked = refused(&server, &policies(&user));
    locked.is("E-53: the right password after a hundred wrong ones", "s:Authentication", None);
    assert!(answers.contains(&format!("{:?}", locked.without_ids())), "E-105: {locked:?}");
}

#[test]
// covers: S-14
fn the_right_password_of_somebody_who_left_is_guessing_too() {
    let server = Server::start();
    let api = server.api();
    let user = api.add_user();
    granted(&server, &policies(&user));
    api.patch(&format!("/users/{}", user.id), &json!({"enabled": false}));
    let answers: Vec<String> = (0..101).map(|_| refused(&server, &policies(&user)).subcode).collect();
    assert_eq!(answers.first().map(String::as_str), Some("s:Authorization"));
    assert_eq!(answers.last().map(String::as_str), Some("s:Authentication"), "S-14: tried often enough");
}

#[test]
// covers: E-53, S-14
fn other_spellings_of_a_name_are_no_new_tries() {
    let server = Server::start();
    let user = server.api().add_user();
    let local = user.email.split('@').next().unwrap().to_owned();
    for n in 0..101 {
        let name = format!("DOMAIN{n}\\{local}");
        refused(&server, &Soap::get_policies(&username_token(&name, "wrong"))).is("E-53", "s:Authentication", None);
    }
    for name in [&user.email, &local, &format!("OTHER\\{local}")] {
        let soap = Soap::get_policies(&username_token(name, &user.password));
        refused(&server, &soap).is("E-53", "s:Authentication", None);
    }
}

#[test]
fn a_name_without_domain_is_found_whatever_domain_windows_puts_to_it() {
    let server = Server::start();
    let kiosk = server.api().add_user_named("kiosk");
    for name in ["kiosk", "KIOSK", "CONTOSO\\kiosk", "kiosk@contoso.com"] {
        granted(&server, &Soap::get_policies(&username_token(name, &kiosk.password)));
    }
    let other = username_token("kiosk2@contoso.com", &kiosk.password);
    refused(&server, &Soap::get_policies(&other)).is("E-43", "s:Authentication", None);
}

#[test]
// covers: E-103
fn an_empty_password_in_a_renewal_is_no_failed_login() {
    let server = Server::start();
    let user = server.api().add_user();
    let attempt = Attempt::new(&server, &user);
    let renewal = RstBody {
        request_type: format!("{}/Renew", soap::TRUST),
        token: soap::binary_token(soap::PKCS7, "Q01TLVNpZ25lZERhdGEtaGVyZQ=="),
        ..attempt.body()
    };
    let soap = Soap::rst(&username_token(&user.email, ""), renewal.xml());
    for _ in 0..101 {
        refused(&server, &soap).is("E-103, E-138", "s:Authorization", Some("NotEligibleToRenew"));
    }
    attempt.accepted(&server);
}

#[test]
// covers: E-52, S-13, M-146
fn secrets_are_in_neither_log_nor_database() {
    let server = Server::start_with(&[("MUSTER__LOG__LEVEL", "trace")]);
    let user = server.api().add_user();
    granted(&server, &policies(&user));
    refused(&server, &with_password(&user, "a very wrong password"));
    let mut device = Attempt::new(&server, &user).enroll(&server, Some(&user.email));
    device.settle();
    let log = server.log();
    let [client, own] = device.provisioned.secrets.clone();
    let secrets = [user.password.as_str(), "a very wrong password", &client, &own, &server.token()];
    for secret in secrets {
        assert!(!log.contains(secret), "E-52: the log holds {secret:?}");
        assert!(!database::holds(&server, secret), "S-13: the database holds {secret:?} in clear");
    }
    assert!(!log.contains("PRIVATE KEY") && !log.contains("Bearer "), "E-52");
}
