use std::net::Ipv4Addr;
use std::sync::Arc;

use secrecy::SecretString;

use super::*;
use crate::app::Settings;
use crate::app::ports::Page;
use crate::app::testing::Ground;
use crate::domain::admission::{Admission, Rules};
use crate::domain::approval::Approval;
use crate::domain::event::Event;
use crate::domain::user::Role;
use crate::proto::wstep::{ContextItem, PKCS10};

/// As where no rule keeps anybody out.
const ADMITTED: Admitted = Admitted { approval: Approval::NotNeeded, by_registration: false };

const HARDWARE: &str = "3B3ED6D0EA88CBFCF37D36F90F22FE61172348C0162FC3840D6703149870CE76";

async fn add(ground: &Ground, email: &str, change: impl FnOnce(&mut User)) -> User {
    let mut user = ground.user(email, Role::User).await;
    user.password_hash = Some(ground.app.hasher.hash(SecretString::from("correct horse")).await.unwrap());
    change(&mut user);
    ground.app.commit(vec![Write::UpdateUser(user.clone())]).await.unwrap();
    ground.app.store.user(user.id).await.unwrap().unwrap()
}

/// A request of a machine with those context items, for a new key.
fn request(items: &[(&str, &str)]) -> RequestSecurityToken {
    let key = rcgen::KeyPair::generate().unwrap();
    let csr = rcgen::CertificateParams::default().serialize_request(&key).unwrap();
    let item = |(name, value): &(&str, &str)| ContextItem { name: (*name).to_owned(), value: (*value).to_owned() };
    let items = items.iter().map(item).collect();
    RequestSecurityToken::new(RequestType::Issue, PKCS10, csr.der().to_vec(), items)
}

async fn enroll(app: &App, email: &str, request: &RequestSecurityToken) -> Result<Enrolled, Refusal> {
    let password = SecretString::from("correct horse");
    let credential = Credential::Username { username: email.to_owned(), password };
    let caller =
        Caller { address: Ipv4Addr::new(192, 0, 2, 1).into(), trace_id: app.new_trace_id(), says_doctor: false };
    app.enroll(Ok(credential), request, &caller).await
}

async fn all_at_once(apps: &[App], email: &'static str, count: usize) -> Vec<Result<Enrolled, Refusal>> {
    let tasks: Vec<_> = (0..count)
        .map(|number| {
            let (app, name) = (apps[number % apps.len()].clone(), format!("PC-{number}"));
            tokio::spawn(async move { enroll(&app, email, &request(&[("DeviceName", &name)])).await })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

/// The newest enrollment of that hardware by that user that is open.
async fn open(app: &App, user: &User) -> Enrollment {
    let claiming = app.store.enrollments_claiming(&normalize_name(HARDWARE)).await.unwrap();
    claiming.into_iter().find(|enrollment| enrollment.user_id == Some(user.id)).unwrap()
}

async fn close(app: &App, enrollment: &Enrollment, state: EnrollmentState) {
    let mut closed = enrollment.clone();
    closed.enter(state, app.now());
    app.commit(vec![Write::UpdateEnrollment(Box::new(closed))]).await.unwrap();
}

async fn events(app: &App, kind: &str) -> Vec<Event> {
    while !app.publish_events().await.unwrap().is_empty() {}
    let events = app.store.events_after(0, None, 1000).await.unwrap();
    events.into_iter().filter(|event| event.kind == kind).collect()
}

// covers: E-69
#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_on_one_account_are_all_let_in() {
    let ground = Ground::new().await;
    let free = add(&ground, "free@example.test", |_| {}).await;
    let limited = add(&ground, "limited@example.test", |user| user.device_limit = Some(50)).await;
    for (user, email) in [(&free, "free@example.test"), (&limited, "limited@example.test")] {
        let answers = all_at_once(&[ground.app.clone(), ground.other_process()], email, 50).await;
        let refused: Vec<String> =
            answers.iter().filter_map(|answer| answer.as_ref().err()).map(Refusal::to_string).collect();
        assert_eq!(refused, [""; 0]);
        assert_eq!(ground.app.store.devices_of(user.id).await.unwrap(), 50);
        let after = ground.app.store.user(user.id).await.unwrap().unwrap();
        assert_eq!(after.version, user.version, "what administrators see of the user has not changed");
    }
    let refused = enroll(&ground.app, "limited", &request(&[])).await.err().unwrap();
    assert!(matches!(refused, Refusal::DeviceLimit(50)), "{refused}");
}

// covers: E-69
#[tokio::test(flavor = "multi_thread")]
async fn no_two_processes_pass_the_limit_together() {
    let ground = Ground::new().await;
    let user = add(&ground, "ada@example.test", |user| user.device_limit = Some(3)).await;
    let apps = [ground.app.clone(), ground.other_process(), ground.other_process()];
    let answers = all_at_once(&apps, "ada@example.test", 24).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 3);
    assert!(answers.iter().flat_map(|answer| answer.as_ref().err()).all(|e| matches!(e, Refusal::DeviceLimit(3))));
    assert_eq!(ground.app.store.devices_of(user.id).await.unwrap(), 3);
}

/// An installation where only registered devices enroll, with one that is.
async fn registered(only_corporate: bool) -> (Ground, App) {
    let ground = Ground::new().await;
    let rules = match only_corporate {
        true => Rules { only_corporate, ..Rules::default() },
        false => Rules { admission: Admission::Registered, ..Rules::default() },
    };
    let app = App { settings: Arc::new(Settings { rules, ..(*ground.app.settings).clone() }), ..ground.app.clone() };
    app.register_device(&ground.admin().await, RegisteredBy::Serial, "PF3ABC12", None).await.unwrap();
    (ground, app)
}

// covers: S-10
#[tokio::test(flavor = "multi_thread")]
async fn a_registration_lets_in_one_device() {
    for only_corporate in [false, true] {
        let (ground, app) = registered(only_corporate).await;
        let ada = add(&ground, "ada@example.test", |_| {}).await;
        add(&ground, "eve@example.test", |_| {}).await;
        let own = [("HWDevID", HARDWARE), ("SerialNumber", "PF3ABC12")];
        let foreign = format!("{}01", &HARDWARE[2..]);
        let other = [("HWDevID", foreign.as_str()), ("SerialNumber", " pf3abc12 ")];
        enroll(&app, "ada@example.test", &request(&own)).await.unwrap();
        for email in ["ada@example.test", "eve@example.test"] {
            let refused = enroll(&app, email, &request(&other)).await.err().unwrap();
            assert!(matches!(refused, Refusal::Rule(Broken::RegistrationInUse)), "{email}: {refused}");
        }
        // The same machine of the same user takes its place again, and it is free once that is gone.
        enroll(&app, "ada@example.test", &request(&own)).await.unwrap();
        close(&app, &open(&app, &ada).await, EnrollmentState::Retired).await;
        enroll(&app, "eve@example.test", &request(&other)).await.unwrap();
        // Whether a device is known to Autopilot is its own claim.
        let claims =
            request(&[("WhiteGlove", "true"), ("ZeroTouchProvisioning", "7c0f6f0e-5f6b-4a55-9d6e-2f0a1b2c3d44")]);
        let refused = enroll(&app, "ada@example.test", &claims).await.err().unwrap();
        assert!(matches!(refused, Refusal::Rule(Broken::Personal | Broken::NotRegistered)), "{refused}");
    }
}

// covers: S-10
#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_a_registration_lets_in_one() {
    let (ground, app) = registered(false).await;
    let mut tasks = Vec::new();
    for number in 0..8 {
        let email = format!("user{number}@example.test");
        add(&ground, &email, |_| {}).await;
        let other = App { settings: Arc::clone(&app.settings), ..ground.other_process() };
        let app = if number % 2 == 0 { app.clone() } else { other };
        let request = request(&[("SerialNumber", "PF3ABC12"), ("DeviceID", &format!("{number:032X}"))]);
        tasks.push(tokio::spawn(async move { enroll(&app, &email, &request).await.is_ok() }));
    }
    let mut let_in = 0;
    for task in tasks {
        let_in += u32::from(task.await.unwrap());
    }
    assert_eq!((let_in, app.store.open_devices().await.unwrap()), (1, 1));
}

// covers: S-10
#[tokio::test]
async fn a_registration_that_is_removed_during_the_signature_lets_nobody_in() {
    let (ground, app) = registered(false).await;
    add(&ground, "ada@example.test", |_| {}).await;
    let caller = Caller { address: Ipv4Addr::LOCALHOST.into(), trace_id: app.new_trace_id(), says_doctor: false };
    let request = request(&[("SerialNumber", "PF3ABC12")]);
    let csr = app.certificate_request(&request).unwrap();
    let user = app.store.user_by_name("ada@example.test").await.unwrap().unwrap();
    let admitted = app.admit_device(app.mode(&user, &request), &request).await.unwrap();
    assert_eq!(admitted, Admitted { by_registration: true, ..ADMITTED });
    let id = app.new_id();
    let issued = app.issue(&csr, id).await.unwrap();
    let entry = app.registered_devices(&Page { limit: 1, after: None }).await.unwrap().items.remove(0);
    app.unregister_device(&ground.admin().await, entry.id).await.unwrap();
    let arrival = Arrival { id, request: &request, key_sha256: csr.key_sha256(), admitted };
    let signed_in = SignedIn { user, pin: None, package: None };
    let who = Who { name: String::new(), road: None };
    let refused =
        app.let_in(&signed_in, &Newcomer { who: &who, arrival, issued, caller: &caller }).await.err().unwrap();
    assert!(matches!(refused, Refusal::Rule(Broken::NotRegistered)), "{refused}");
}

// covers: S-10
#[tokio::test(flavor = "multi_thread")]
async fn no_two_processes_pass_the_limit_for_all_together() {
    let ground = Ground::new().await;
    let rules = Rules { max_devices: 3, ..Rules::default() };
    let settings = Arc::new(Settings { rules, ..(*ground.app.settings).clone() });
    let mut tasks = Vec::new();
    for number in 0..16 {
        let email = format!("user{number}@example.test");
        add(&ground, &email, |_| {}).await;
        // Each a process of its own, so that no turn orders them.
        let app = App { settings: Arc::clone(&settings), ..ground.other_process() };
        tasks.push(tokio::spawn(async move { enroll(&app, &email, &request(&[])).await.is_ok() }));
    }
    let mut let_in = 0;
    for task in tasks {
        let_in += u32::from(task.await.unwrap());
    }
    assert_eq!((let_in, ground.app.store.open_devices().await.unwrap()), (3, 3));
}

/// the guard holds without a device limit too.
//
#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_enrolls_twice_at_once_is_one_device() {
    let ground = Ground::new().await;
    let user = add(&ground, "ada@example.test", |_| {}).await;
    let apps = [ground.app.clone(), ground.other_process(), ground.other_process()];
    let tasks: Vec<_> = (0..12)
        .map(|number| {
            let app = apps[number % apps.len()].clone();
            let request = request(&[("HWDevID", HARDWARE), ("DeviceID", &format!("{number:032X}"))]);
            tokio::spawn(async move { enroll(&app, "ada@example.test", &request).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let open = ground.app.store.enrollments_claiming(&normalize_name(HARDWARE)).await.unwrap();
    assert_eq!(open.len(), 1, "each replaced the one before it");
    assert_eq!(ground.app.store.devices_of(user.id).await.unwrap(), 1);
}

// covers: E-135
#[tokio::test]
async fn what_changes_after_the_sign_in_counts() {
    let ground = Ground::new().await;
    let app = &ground.app;
    let caller = Caller { address: Ipv4Addr::LOCALHOST.into(), trace_id: app.new_trace_id(), says_doctor: false };
    let let_in = async |signed_in: &User| {
        let request = request(&[]);
        let csr = app.certificate_request(&request).unwrap();
        let id = app.new_id();
        let issued = app.issue(&csr, id).await.unwrap();
        let newcomer = Newcomer {
            who: &Who { name: String::new(), road: None },
            arrival: Arrival { id, request: &request, key_sha256: csr.key_sha256(), admitted: ADMITTED },
            issued,
            caller: &caller,
        };
        let signed_in = SignedIn { user: signed_in.clone(), pin: None, package: None };
        app.let_in(&signed_in, &newcomer).await.map(|_| ()).map_err(|refusal| refusal.to_string())
    };
    let user = add(&ground, "ada@example.test", |_| {}).await;
    let store = async |changed: User| app.commit(vec![Write::UpdateUser(changed)]).await.unwrap();
    let_in(&user).await.unwrap();
    store(User { name: Some("Ada".to_owned()), ..user.clone() }).await;
    let_in(&user).await.unwrap();
    store(User { credential_version: 2, version: user.version + 1, ..user.clone() }).await;
    assert!(let_in(&user).await.unwrap_err().contains("changed meanwhile"));
    store(User { enabled: false, version: user.version + 2, ..user.clone() }).await;
    assert_eq!(let_in(&user).await.unwrap_err(), Refusal::AccountDisabled.to_string());
    let gone = User { version: user.version + 3, ..user.clone() };
    app.commit(vec![Write::DeleteUser { user: Box::new(gone), warning: String::new() }]).await.unwrap();
    assert!(let_in(&user).await.unwrap_err().contains("removed meanwhile"));
}

// covers: S-13, E-133
#[tokio::test]
async fn a_pin_that_was_replaced_after_the_sign_in_lets_nobody_in() {
    let ground = Ground::new().await;
    let app = &ground.app;
    let by = ground.admin().await;
    let user = add(&ground, "ada@example.test", |_| {}).await;
    let new = crate::app::invitations::NewInvitation {
        place: String::new(),
        email: Some(user.email.clone()),
        user: None,
        name: None,
        pin: Some(true),
        expires_in: None,
        language: None,
    };
    let invite = crate::app::invitations::Invite { new: vec![new], ..Default::default() };
    let issued = app.invite(&by, &invite, None).await.unwrap().remove(0);
    let pin = issued.secrets.unwrap().pin.unwrap();
    let caller = Caller { address: Ipv4Addr::LOCALHOST.into(), trace_id: app.new_trace_id(), says_doctor: false };
    let signed_in = app.check_password(&user.email, pin, caller.address, &mut None).await.unwrap();
    let usable = async || app.invitation_to_use(&signed_in).await.map(|open| open.map(|open| open.id));
    assert_eq!(usable().await.unwrap(), Some(issued.view.invitation.id));
    let id = issued.view.invitation.id;
    app.resend_invitation(&by, id, crate::app::invitations::Reissue::default(), None).await.unwrap();
    let refusal = usable().await.unwrap_err();
    assert!(refusal.to_string().contains("used or withdrawn meanwhile"), "{refusal}");
    assert_eq!(app.store.open_invitation(user.id).await.unwrap().unwrap().id, id, "the one just sent is not used up");
}

// covers: E-69
#[tokio::test]
async fn the_limit_of_persons_is_none_of_bulk_users() {
    let ground = Ground::new().await;
    let mut settings = ground.app.settings.as_ref().clone();
    settings.max_devices_per_user = 1;
    let app = App { settings: Arc::new(settings), ..ground.app.clone() };
    let bulk = |user: &mut User| user.kind = UserKind::Bulk;
    add(&ground, "windows-bulkenroll-1@example.test", bulk).await;
    let own_limit = |user: &mut User| (user.kind, user.device_limit) = (UserKind::Bulk, Some(2));
    add(&ground, "windows-bulkenroll-2@example.test", own_limit).await;
    add(&ground, "ada@example.test", |_| {}).await;
    for (email, most) in
        [("windows-bulkenroll-1@example.test", 4), ("windows-bulkenroll-2@example.test", 2), ("ada@example.test", 1)]
    {
        let mut let_in = 0;
        for _ in 0..4 {
            let_in += u32::from(enroll(&app, email, &request(&[])).await.is_ok());
        }
        assert_eq!(let_in, most, "{email}");
    }
}

// covers: E-67
#[tokio::test]
async fn a_machine_that_left_takes_up_its_history() {
    let ground = Ground::new().await;
    let app = &ground.app;
    let user = add(&ground, "ada@example.test", |_| {}).await;
    let enrolls = async || {
        enroll(app, "ada", &request(&[("HWDevID", HARDWARE), ("DeviceID", &app.new_trace_id().to_string())]))
            .await
            .unwrap();
        ground.clock.advance(time::Duration::SECOND);
        open(app, &user).await
    };
    let first = enrolls().await;
    close(app, &first, EnrollmentState::Retired).await;
    let second = enrolls().await;
    assert_eq!(second.device_id, first.device_id, "after it was retired");
    close(app, &second, EnrollmentState::Wiped).await;
    let third = enrolls().await;
    assert_eq!(third.device_id, first.device_id, "after it was wiped");
    let view = app.store.device(third.device_id).await.unwrap().unwrap();
    assert_eq!((view.enrollment.id, view.device.created_at), (third.id, first.enrolled_at));
    close(app, &third, EnrollmentState::Blocked).await;
    let fourth = enrolls().await;
    assert_ne!(fourth.device_id, first.device_id, "a block stays to be seen");
}

// covers: E-68, E-69
#[tokio::test]
async fn a_former_machine_is_no_pass() {
    let ground = Ground::new().await;
    let app = &ground.app;
    let ada = add(&ground, "ada@example.test", |user| user.device_limit = Some(1)).await;
    let bob = add(&ground, "bob@example.test", |_| {}).await;
    let again = || request(&[("HWDevID", HARDWARE), ("DeviceID", "0123456789")]);
    enroll(app, "ada", &again()).await.unwrap();
    let first = open(app, &ada).await;
    enroll(app, "bob", &again()).await.unwrap();
    let of_bob = open(app, &bob).await;
    assert_ne!(of_bob.device_id, first.device_id, "another user");
    close(app, &first, EnrollmentState::Retired).await;
    enroll(app, "ada", &request(&[])).await.unwrap();
    let refused = enroll(app, "ada", &again()).await.err().unwrap();
    assert!(matches!(refused, Refusal::DeviceLimit(1)), "{refused}: it counts like any other");
    let mut settings = app.settings.as_ref().clone();
    settings.match_hardware = false;
    let blind = App { settings: Arc::new(settings), ..app.clone() };
    close(app, &of_bob, EnrollmentState::Retired).await;
    enroll(&blind, "bob", &again()).await.unwrap();
    let fresh = open(app, &bob).await;
    assert_ne!(fresh.device_id, of_bob.device_id, "hardware is not looked at");
}

// covers: E-67, E-68
#[tokio::test]
async fn what_is_replaced_is_revoked_and_told() {
    let ground = Ground::new().await;
    let app = &ground.app;
    let user = add(&ground, "ada@example.test", |user| user.device_limit = Some(1)).await;
    let other = add(&ground, "bob@example.test", |_| {}).await;
    let again = || request(&[("HWDevID", HARDWARE)]);
    enroll(app, "bob", &again()).await.unwrap();
    enroll(app, "ada", &again()).await.unwrap();
    let first = open(app, &user).await;
    let linked = app.store.device(first.device_id).await.unwrap().unwrap().device.linked_device_id;
    assert_eq!(linked, Some(open(app, &other).await.device_id));
    assert_eq!(events(app, "muster.cert.revoked").await.len(), 0);
    enroll(app, "ada", &again()).await.unwrap();
    let revoked = events(app, "muster.cert.revoked").await;
    assert_eq!(revoked.len(), 1);
    let serial = app.store.certificates_of(first.id).await.unwrap().remove(0).serial;
    let expected = json!({"serial": serial, "enrollment_id": first.id, "reason": "enrolled again", "by": user.email});
    assert_eq!((&revoked[0].data, &revoked[0].subject), (&expected, &Some(first.device_id.to_string())));
    let closed = app.store.enrollment(first.id).await.unwrap().unwrap();
    assert_eq!((closed.state, closed.closed_reason.as_deref()), (EnrollmentState::Retired, Some("enrolled again")));
}

// covers: S-04
#[tokio::test(flavor = "multi_thread")]
async fn one_request_sent_twice_at_once_enrolls_once() {
    let ground = Ground::new().await;
    add(&ground, "ada@example.test", |_| {}).await;
    let request = request(&[("HWDevID", HARDWARE)]);
    let apps = [ground.app.clone(), ground.other_process()];
    let (a, b) = tokio::join!(enroll(&apps[0], "ada", &request), enroll(&apps[1], "ada", &request));
    let refusals: Vec<Refusal> = [a, b].into_iter().filter_map(Result::err).collect();
    assert!(matches!(refusals.as_slice(), [Refusal::CertificateRequest(_)]), "{refusals:?}");
}

mod packages {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::app::packages::{Contents, NewPackage};

    const BULK: &str = "windows-bulkenroll-1@example.test";

    async fn package(ground: &Ground, max_devices: u32) -> (Package, String) {
        let new = NewPackage {
            user: BULK.to_owned(),
            name: None,
            expires_in: Some(time::Duration::HOUR),
            max_devices: Some(max_devices),
            networks: Vec::new(),
            pin: None,
            contents: Contents::default(),
        };
        let built = ground.app.add_package(&ground.admin().await, new, None).await.unwrap();
        (built.package, built.handout.unwrap().secret.expose_secret().to_owned())
    }

    async fn enroll(app: &App, secret: &str, request: &RequestSecurityToken) -> Result<Enrolled, Refusal> {
        let credential =
            Credential::Username { username: BULK.to_owned(), password: SecretString::from(secret.to_owned()) };
        let caller =
            Caller { address: Ipv4Addr::new(192, 0, 2, 1).into(), trace_id: app.new_trace_id(), says_doctor: false };
        app.enroll(Ok(credential), request, &caller).await
    }

    async fn devices(app: &App, package: &Package) -> u32 {
        app.store.package(package.id).await.unwrap().unwrap().devices
    }

    fn hardware(number: u8) -> RequestSecurityToken {
        request(&[("HWDevID", &format!("{number:02X}{}", &HARDWARE[2..]))])
    }

    // covers: E-129
    #[tokio::test(flavor = "multi_thread")]
    async fn no_two_devices_take_the_last_place() {
        let ground = Ground::new().await;
        let (package, secret) = package(&ground, 3).await;
        let apps = [ground.app.clone(), ground.other_process(), ground.other_process()];
        let tasks: Vec<_> = (0..24)
            .map(|number| {
                let (app, secret) = (apps[number % apps.len()].clone(), secret.clone());
                tokio::spawn(async move { enroll(&app, &secret, &request(&[])).await })
            })
            .collect();
        let (mut let_in, mut refused) = (0, 0);
        for task in tasks {
            match task.await.unwrap() {
                Ok(_) => let_in += 1,
                Err(Refusal::PackageUsedUp(3)) => refused += 1,
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!((let_in, refused, devices(&ground.app, &package).await), (3, 21, 3));
    }

    // covers: E-67, E-129
    #[tokio::test]
    async fn a_machine_counts_once_however_often_it_enrolls() {
        let ground = Ground::new().await;
        let app = &ground.app;
        let (first, secret) = package(&ground, 2).await;
        let bulk = app.store.user_by_name(BULK).await.unwrap().unwrap();
        for _ in 0..3 {
            ground.clock.advance(time::Duration::SECOND);
            enroll(app, &secret, &hardware(1)).await.unwrap();
            assert_eq!(devices(app, &first).await, 1);
        }
        enroll(app, &secret, &hardware(2)).await.unwrap();
        assert!(matches!(enroll(app, &secret, &hardware(3)).await, Err(Refusal::PackageUsedUp(2))));
        ground.clock.advance(time::Duration::SECOND);
        enroll(app, &secret, &hardware(1)).await.unwrap();
        let claim = format!("01{}", &HARDWARE[2..]).to_lowercase();
        let mut open = app.store.enrollments_claiming(&claim).await.unwrap();
        let wiped = open.pop().unwrap();
        assert_eq!(
            (open.len(), wiped.mode, wiped.package_id, wiped.user_id),
            (0, Mode::Bulk, Some(first.id), Some(bulk.id))
        );
        close(app, &wiped, EnrollmentState::Wiped).await;
        ground.clock.advance(time::Duration::SECOND);
        enroll(app, &secret, &hardware(1)).await.unwrap();
        assert_eq!(devices(app, &first).await, 2, "also after a wipe");
        let (other, other_secret) = package(&ground, 1).await;
        for (secret, words) in [(&other_secret, "with another package it is one of that"), (&secret, "it came before")]
        {
            ground.clock.advance(time::Duration::SECOND);
            enroll(app, secret, &hardware(1)).await.unwrap();
            assert_eq!((devices(app, &first).await, devices(app, &other).await), (2, 1), "{words}");
        }
    }

    // covers: E-69, E-131
    #[tokio::test]
    async fn an_assigned_device_takes_nothing_of_the_limit() {
        let ground = Ground::new().await;
        let app = &ground.app;
        let (_, secret) = package(&ground, 1).await;
        enroll(app, &secret, &hardware(1)).await.unwrap();
        let claim = format!("01{}", &HARDWARE[2..]).to_lowercase();
        let device = app.store.enrollments_claiming(&claim).await.unwrap().remove(0).device_id;
        let ada = add(&ground, "ada@example.test", |user| user.device_limit = Some(1)).await;
        app.assign_device(&ground.admin().await, device, "ada@example.test", false).await.unwrap();
        let ada = app.store.user(ada.id).await.unwrap().unwrap();
        app.commit(vec![Write::UpdateUser(User { must_change_password: false, ..ada.clone() })]).await.unwrap();
        super::enroll(app, "ada", &request(&[])).await.unwrap();
        let refused = super::enroll(app, "ada", &request(&[])).await.err().unwrap();
        assert!(matches!(refused, Refusal::DeviceLimit(1)), "{refused}");
        assert_eq!(app.store.devices_of(ada.id).await.unwrap(), 2);
    }

    // covers: E-130, E-135
    #[tokio::test]
    async fn what_ends_after_the_sign_in_counts() {
        let ground = Ground::new().await;
        let app = &ground.app;
        let by = ground.admin().await;
        let caller = Caller { address: Ipv4Addr::LOCALHOST.into(), trace_id: app.new_trace_id(), says_doctor: false };
        let let_in = async |package: &Package| {
            let request = request(&[]);
            let csr = app.certificate_request(&request).unwrap();
            let id = app.new_id();
            let issued = app.issue(&csr, id).await.unwrap();
            let newcomer = Newcomer {
                who: &Who { name: String::new(), road: None },
                arrival: Arrival { id, request: &request, key_sha256: csr.key_sha256(), admitted: ADMITTED },
                issued,
                caller: &caller,
            };
            let user = app.store.user_by_name(BULK).await.unwrap().unwrap();
            let signed_in = SignedIn { user, pin: None, package: Some(package.clone()) };
            app.let_in(&signed_in, &newcomer).await.map(|_| ()).map_err(|refusal| refusal.to_string())
        };
        let (package, _) = package(&ground, 9).await;
        let_in(&package).await.unwrap();
        let_in(&package).await.unwrap();
        let rebuilt = app.rebuild_package(&by, package.id, Contents::default(), None, None).await.unwrap().package;
        assert!(let_in(&package).await.unwrap_err().contains("built anew"));
        app.revoke_package(&by, package.id).await.unwrap();
        assert!(let_in(&rebuilt).await.unwrap_err().contains("revoked"));
        assert_eq!(devices(app, &package).await, 2);
    }

    // covers: E-131
    #[tokio::test]
    async fn what_is_of_a_user_waits_for_one() {
        use crate::app::RunCommands;
        let ground = Ground::new().await;
        let app = &ground.app;
        let by = ground.admin().await;
        let (_, secret) = package(&ground, 1).await;
        enroll(app, &secret, &hardware(1)).await.unwrap();
        let claim = format!("01{}", &HARDWARE[2..]).to_lowercase();
        let device = app.store.enrollments_claiming(&claim).await.unwrap().remove(0).device_id;
        let run = async |uri: &str| {
            let body = format!("<Get><CmdID>1</CmdID><Item><Target><LocURI>{uri}</LocURI></Target></Item></Get>");
            let run =
                RunCommands { body: body.as_bytes(), expires_in: None, key: None, dry_run: false, unchecked: true };
            app.run_commands(&by, device, run).await.map(|_| ()).map_err(|error| error.to_string())
        };
        let of_user = "./User/Vendor/MSFT/Policy/Config/Experience/AllowCortana";
        run("./Device/Vendor/MSFT/Policy/Config/Experience/AllowCortana").await.unwrap();
        let refused = run(of_user).await.unwrap_err();
        assert!(refused.contains("has none yet"), "{refused}");
        ground.user("ada@example.test", Role::User).await;
        app.assign_device(&by, device, "ada@example.test", false).await.unwrap();
        run(of_user).await.unwrap();
    }
}
