//! Faults: the rows of the mapping table that need a server in trouble, and what no fault may say.

use crate::support::api::User;
use crate::support::database::Lock;
use crate::support::device::{FakeDevice, Profile};
use crate::support::enrolling::Attempt;
use crate::support::http::Request;
use crate::support::server::Server;
use crate::support::soap::{self, Operation, RstBody, Soap, discover, username_token};

#[test]
// covers: E-110, E-105, M-15, S-31
fn a_locked_database_refuses_and_leaves_nothing_behind() {
    let server = Server::start();
    let api = server.api();
    let user = api.add_user();
    let (mut device, _) = FakeDevice::new(&server);
    let attempt = Attempt::new(&server, &user);
    let message = device.package_one();
    let lock = Lock::take(&server);
    let (fault, refusal) = std::thread::scope(|scope| {
        let enrolling = scope.spawn(|| attempt.refused(&server));
        let managing = scope.spawn(|| device.post(message.xml()));
        (enrolling.join().unwrap(), managing.join().unwrap())
    });
    drop(lock);
    assert_eq!(fault.subcode, "s:EnrollmentServer", "E-110: {fault:?}");
    refusal.expect_status("M-15", 503);
    let seconds = refusal.header("retry-after").expect("M-15: Retry-After");
    assert!(seconds.parse::<u32>().is_ok(), "M-15: Retry-After: {seconds}");
    assert!(!refusal.text().contains("SyncML"), "M-15: {}", refusal.text());
    assert!(api.devices_of(&user).is_empty(), "E-110: no half-created device");
    let mut late = attempt.enroll(&server, Some(&user.email));
    late.settle();
    device.settle();
}

#[test]
// covers: E-106, E-107, E-109, S-32
fn faults_have_one_form() {
    let server = Server::start();
    let user = server.api().add_user();
    let attempt = Attempt::new(&server, &user);
    let renew = RstBody { request_type: format!("{}/Renew", soap::TRUST), ..attempt.body() };
    let faulty = [
        Soap::get_policies(""),
        Soap::get_policies(&username_token(&user.email, "wrong")),
        Soap::rst("", attempt.body().xml()),
        Soap::rst(&username_token("nobody@example.test", "wrong"), attempt.body().xml()),
        Soap::rst(&attempt.credentials, renew.xml()),
        Soap::rst(&attempt.credentials, RstBody { token: String::new(), ..attempt.body() }.xml()),
        Soap { body: "<x/>".to_owned(), ..discover("ada@example.test") },
    ];
    for soap in faulty {
        let fault = soap.refused(&server.web(&soap.request()));
        let known = [
            "s:MessageFormat",
            "s:Authentication",
            "s:Authorization",
            "s:CertificateRequest",
            "s:EnrollmentServer",
            "a:InternalServiceFault",
            "a:InvalidSecurity",
        ];
        assert!(known.contains(&fault.subcode.as_str()), "E-106: {fault:?}");
        assert!(!fault.reason.trim().is_empty(), "E-106: a reason in words");
    }
}

#[test]
// covers: E-108
fn the_trace_id_of_each_fault_is_in_the_log() {
    let server = Server::start_with(&[("MUSTER__ENROLL__MAX_DEVICES_PER_USER", "1")]);
    let user = server.api().add_user();
    Attempt::new(&server, &user).accepted(&server);
    let renew = |attempt: &Attempt| {
        let body = RstBody { request_type: format!("{}/Renew", soap::TRUST), ..attempt.body() };
        let soap = Soap::rst(&attempt.credentials, body.xml());
        soap.refused(&server.web(&soap.request()))
    };
    let attempt = Attempt::new(&server, &user);
    let faults = [attempt.refused(&server), renew(&attempt)];
    let ids: Vec<String> = faults.iter().map(|f| f.trace_id.clone().expect("E-108: a detail has a trace id")).collect();
    assert_ne!(ids[0], ids[1], "E-108: one id per fault");
    for id in &ids {
        assert!(server.log().contains(id), "E-108: {id} is not in the log");
    }
}

#[test]
// covers: S-14, S-32
fn an_unknown_user_gets_the_same_answer_at_the_enrollment_service() {
    let server = Server::start();
    let known = server.api().add_user();
    let attempt = Attempt::new(&server, &known);
    let with = |user: &str| {
        let soap = Soap::rst(&username_token(user, "wrong"), attempt.body().xml());
        soap.refused(&server.web(&soap.request())).without_ids()
    };
    let fault = with(&known.email);
    fault.is("E-105", "s:Authentication", None);
    assert_eq!(with("nobody@example.test"), fault, "S-14");
}

#[test]
// covers: S-32, S-14
fn credentials_are_checked_before_the_certificate_request() {
    let server = Server::start();
    let user = server.api().add_user();
    let wrong = User { password: "wrong".to_owned(), ..user };
    let mut attempt = Attempt::of(&server, &wrong, Profile::new());
    attempt.csr = "rubbish".to_owned();
    attempt.refused(&server).is("S-14: an outsider learns nothing about requests", "s:Authentication", None);
}

#[test]
// covers: E-109
fn paths_that_do_not_exist_say_nothing() {
    let server = Server::shared();
    for path in ["/EnrollmentServer/", "/EnrollmentServer/Renew.svc", "/ManagementServer/MDM.svc", "/nothing", "/pki/"]
    {
        for request in [Request::get(path), soap::post(path, discover("a@example.test").xml())] {
            let response = server.web(&request);
            assert!(matches!(response.status, 403..=405), "{path}: {}", response.status);
            soap::check_gives_nothing_away(response.text());
        }
    }
    let at_device_host = crate::support::http::once(
        &server.device_url,
        &server.tls().config(),
        &soap::post(Operation::Discover.path(), discover("a@example.test").xml()),
    );
    assert!(
        matches!(at_device_host.status, 403 | 404),
        "enrollment is on the web host only: {}",
        at_device_host.status
    );
}
