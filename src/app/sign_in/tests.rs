use super::*;
use crate::app::ports::Write;
use crate::app::testing::Ground;
use crate::app::{Memory, Settings};
use crate::domain::sign_in::MOST_PIN_TRIES;
use crate::domain::user::Role;

const OFFICE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

async fn add(ground: &Ground, email: &str, password: &str) -> User {
    let mut user = ground.user(email, Role::User).await;
    user.password_hash = Some(ground.app.hasher.hash(SecretString::from(password)).await.unwrap());
    ground.app.commit(vec![Write::UpdateUser(user.clone())]).await.unwrap();
    User { version: user.version + 1, ..user }
}

/// The application with other settings, and nothing in its memory.
fn with(app: &App, change: impl FnOnce(&mut Settings)) -> App {
    let mut settings = Settings::clone(&app.settings);
    change(&mut settings);
    let memory = std::sync::Arc::new(Memory::new(&settings, app.rng.as_ref()).0);
    App { settings: settings.into(), memory, ..app.clone() }
}

async fn sign_in(app: &App, name: &str, password: &str) -> String {
    match app.check_password(name, SecretString::from(password), OFFICE, &mut None).await {
        Ok(signed_in) => signed_in.user.email,
        Err(refusal) => refusal.to_string(),
    }
}

const WRONG: &str = "the password is wrong";
const LOCKED: &str = "too many wrong passwords before; none was checked";
const MUST_CHANGE: &str = "the user has to choose a new password first: a device was assigned to this account";
const UNKNOWN: &str = "there is no user of that name";

// covers: S-14
#[tokio::test]
async fn names_are_found_in_every_spelling_of_windows() {
    let ground = Ground::new().await;
    for email in [
        "ada@example.test",
        "kiosk",
        "tom@a.test",
        "tom@b.test",
        "ann@a.test",
        "ann@b.test",
        "ann",
        "eva",
        "eva@a.test",
    ] {
        add(&ground, email, "correct horse").await;
    }
    let cases = [
        ("Ada@Example.test", "ada@example.test"),
        (" ada ", "ada@example.test"),
        ("CONTOSO\\ada", "ada@example.test"),
        ("AzureAD\\ada@example.test", "ada@example.test"),
        ("ada@contoso.com", UNKNOWN),
        ("kiosk", "kiosk"),
        ("CONTOSO\\Kiosk", "kiosk"),
        ("kiosk@contoso.com", "kiosk"),
        ("AzureAD\\kiosk@contoso.com", "kiosk"),
        ("kiosk@", "kiosk"),
        ("tom", UNKNOWN),
        ("tom@c.test", UNKNOWN),
        ("tom@b.test", "tom@b.test"),
        ("X\\ann", "ann"),
        ("X\\eva", "eva"),
        ("@contoso.com", UNKNOWN),
        ("X\\", UNKNOWN),
        ("ki\tosk", UNKNOWN),
    ];
    for (name, found) in cases {
        assert_eq!(sign_in(&ground.app, name, "correct horse").await, found, "{name:?}");
    }
}

// covers: E-53, S-14
#[tokio::test]
async fn all_spellings_of_a_name_share_one_budget() {
    let ground = Ground::new().await;
    add(&ground, "ada@example.test", "correct horse").await;
    for number in 0..10 {
        let name = if number % 2 == 0 { format!("D{number}\\ada") } else { "ADA@example.test".to_owned() };
        assert_eq!(sign_in(&ground.app, &name, "wrong").await, WRONG);
    }
    for name in ["ada", "ada@example.test", "OTHER\\ada"] {
        assert_eq!(sign_in(&ground.app, name, "correct horse").await, LOCKED, "{name}");
    }
    let unknown: Vec<String> = (0..12).map(|number| format!("D{number}\\nobody")).collect();
    for (number, name) in unknown.iter().enumerate() {
        let expected = if number < 10 { UNKNOWN } else { LOCKED };
        assert_eq!(sign_in(&ground.app, name, "wrong").await, expected, "{name}");
    }
}

// covers: S-14
#[tokio::test]
async fn the_right_password_of_a_disabled_account_is_a_try() {
    let ground = Ground::new().await;
    let user = add(&ground, "ada@example.test", "correct horse").await;
    let disabled = User { enabled: false, ..user };
    ground.app.commit(vec![Write::UpdateUser(disabled)]).await.unwrap();
    for _ in 0..10 {
        assert_eq!(sign_in(&ground.app, "ada", "correct horse").await, Refusal::AccountDisabled.to_string());
    }
    assert_eq!(sign_in(&ground.app, "ada", "correct horse").await, LOCKED);
}

// covers: S-14
#[tokio::test]
async fn a_remembered_password_does_not_pass_a_lockout() {
    let ground = Ground::new().await;
    add(&ground, "ada@example.test", "correct horse").await;
    let app = with(&ground.app, |settings| settings.remember_password = time::Duration::minutes(5));
    let hashes = app.hasher.computed();
    for _ in 0..30 {
        assert_eq!(sign_in(&app, "ada", "correct horse").await, "ada@example.test");
    }
    assert_eq!(app.hasher.computed(), hashes + 1, "one hash, remembered");
    for _ in 0..10 {
        assert_eq!(sign_in(&app, "ada", "wrong").await, WRONG);
    }
    assert_eq!(sign_in(&app, "ada", "correct horse").await, LOCKED);
    ground.clock.advance(time::Duration::minutes(2));
    assert_eq!(sign_in(&app, "ada", "correct horse").await, "ada@example.test");
}

// covers: E-53
#[tokio::test]
async fn a_roomful_at_once_is_let_in() {
    let ground = Ground::new().await;
    add(&ground, "ada@example.test", "correct horse").await;
    for remember in [time::Duration::ZERO, time::Duration::minutes(5)] {
        let app = with(&ground.app, |settings| settings.remember_password = remember);
        let tasks: Vec<_> = (0..200)
            .map(|_| {
                let app = app.clone();
                tokio::spawn(async move { sign_in(&app, "ada", "correct horse").await })
            })
            .collect();
        for task in tasks {
            assert_eq!(task.await.unwrap(), "ada@example.test");
        }
    }
}

// covers: S-14
#[tokio::test]
async fn a_crowd_of_guesses_gets_no_more_than_its_tries() {
    let ground = Ground::new().await;
    add(&ground, "ada@example.test", "correct horse").await;
    let hashes = ground.app.hasher.computed();
    let tasks: Vec<_> = (0..100)
        .map(|number| {
            let app = ground.app.clone();
            tokio::spawn(async move { sign_in(&app, "ada", &format!("guess {number}")).await })
        })
        .collect();
    for task in tasks {
        assert!([WRONG, LOCKED].contains(&task.await.unwrap().as_str()));
    }
    assert_eq!(ground.app.hasher.computed(), hashes + 10);
}

// covers: S-14
#[tokio::test]
async fn guessing_from_elsewhere_does_not_lock_out_a_user_at_home() {
    let ground = Ground::new().await;
    add(&ground, "ada@example.test", "correct horse").await;
    assert_eq!(sign_in(&ground.app, "ada", "correct horse").await, "ada@example.test");
    let mut tries = 0;
    for number in 0..100 {
        let address = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, number));
        let answer = ground.app.check_password("ada", SecretString::from("guess"), address, &mut None).await;
        tries += usize::from(answer.unwrap_err().to_string() == WRONG);
    }
    assert_eq!(tries, 20, "all networks together");
    assert_eq!(sign_in(&ground.app, "ada", "correct horse").await, "ada@example.test");
}

// covers: S-14
#[tokio::test]
async fn the_budget_of_a_name_does_not_tell_whether_it_exists() {
    let ground = Ground::new().await;
    add(&ground, "ada@example.test", "correct horse").await;
    for (long, short) in [("ada@example.test", "ada"), ("bob@example.test", "bob")] {
        for _ in 0..10 {
            assert_ne!(sign_in(&ground.app, long, "wrong").await, LOCKED);
        }
        assert_eq!(sign_in(&ground.app, short, "wrong").await, LOCKED, "{short}");
    }
}

// covers: S-14
#[tokio::test]
async fn many_users_behind_one_address_use_up_no_tries_among_themselves() {
    let ground = Ground::new().await;
    let app = with(&ground.app, |settings| settings.password_checks.address_burst = 2);
    for number in 0..12 {
        add(&ground, &format!("u{number}@example.test"), "correct horse").await;
    }
    let tasks: Vec<_> = (0..12)
        .map(|number| {
            let app = app.clone();
            tokio::spawn(async move { sign_in(&app, &format!("u{number}"), "correct horse").await })
        })
        .collect();
    for (number, task) in tasks.into_iter().enumerate() {
        assert_eq!(task.await.unwrap(), format!("u{number}@example.test"));
    }
}

#[tokio::test]
async fn a_name_of_a_mebibyte_is_nobodys() {
    let ground = Ground::new().await;
    assert_eq!(sign_in(&ground.app, &"x".repeat(1 << 20), "wrong").await, UNKNOWN);
    assert!(budget(&"x".repeat(1 << 20)).len() <= 256);
}

/// A package of a bulk user of that name, its secret and its PIN.
async fn package(ground: &Ground, email: &str, pin: Option<&str>) -> (Package, String) {
    use crate::app::packages::{Contents, NewPackage, NewPin};
    let new = NewPackage {
        user: email.to_owned(),
        name: None,
        expires_in: Some(time::Duration::HOUR),
        max_devices: None,
        networks: vec![crate::domain::Network::try_from("192.0.2.0/24".to_owned()).unwrap()],
        pin: pin.map(|pin| NewPin::Given(SecretString::from(pin))),
        contents: Contents::default(),
    };
    let built = ground.app.add_package(&ground.admin().await, new, None).await.unwrap();
    (built.package, built.handout.unwrap().secret.expose_secret().to_owned())
}

const BULK: &str = "windows-bulkenroll-1@example.test";

/// S-14: whoever does not get in has cost one hash, whatever was wrong; a person whose text may be a PIN, two.
// covers: E-130, S-13, S-14
#[tokio::test]
async fn what_a_package_does_not_let_in_costs_one_hash() {
    let ground = Ground::new().await;
    let app = with(&ground.app, |settings| settings.password_checks.user_burst = 1000);
    let (live, secret) = package(&ground, BULK, Some("48151623")).await;
    let (revoked, over) = package(&ground, BULK, None).await;
    app.revoke_package(&ground.admin().await, revoked.id).await.unwrap();
    add(&ground, "ada@example.test", "correct horse").await;
    let (_, foreign) = package(&ground, "windows-bulkenroll-2@example.test", None).await;
    let cost = async |name: &str, password: &str| {
        let before = app.hasher.computed();
        (sign_in(&app, name, password).await, app.hasher.computed() - before)
    };
    let changed = format!("{}x", &secret[..secret.len() - 1]);
    let cases = [
        (BULK, secret.as_str(), BULK, 0),
        ("windows-bulkenroll-1", &secret, BULK, 0),
        (BULK, "48151623", BULK, 1),
        (BULK, "48151624", "the PIN of the package is wrong", 1),
        (BULK, &over, "the package was revoked", 1),
        (BULK, &foreign, WRONG, 1),
        (BULK, &changed, WRONG, 1),
        (BULK, "wrong", WRONG, 1),
        (BULK, "", WRONG, 1),
        ("ada", &secret, WRONG, 1),
        ("ada", "48151623", WRONG, 2),
        ("nobody", &secret, UNKNOWN, 1),
        ("nobody", "48151623", UNKNOWN, 2),
    ];
    for (name, password, answer, hashes) in cases {
        assert_eq!(cost(name, password).await, (answer.to_owned(), hashes), "{name}");
    }
    let elsewhere = "198.51.100.7".parse().unwrap();
    for password in [secret.as_str(), "48151623"] {
        let refused = app.check_password(BULK, SecretString::from(password), elsewhere, &mut None).await.unwrap_err();
        assert_eq!(refused.to_string(), "the package may not be used from this address");
    }
    ground.clock.advance(time::Duration::HOUR);
    assert_eq!(cost(BULK, &secret).await, ("the package has expired".to_owned(), 1));
    assert_eq!(cost(BULK, "48151623").await, (WRONG.to_owned(), 1));
    let now = app.store.package(live.id).await.unwrap().unwrap();
    assert_eq!((now.devices, now.pin_failures), (0, 1), "a sign-in uses nothing up");
}

// covers: S-13, S-14
#[tokio::test]
async fn a_pin_stands_five_wrong_tries() {
    let ground = Ground::new().await;
    let (made, secret) = package(&ground, BULK, Some("48151623")).await;
    for number in 0..5 {
        assert_eq!(sign_in(&ground.app, BULK, "48151623").await, BULK, "{number}");
        let wrong = sign_in(&ground.app, BULK, &format!("4815162{}", number + 4)).await;
        assert_eq!(wrong, "the PIN of the package is wrong");
    }
    assert_eq!(sign_in(&ground.app, BULK, "48151623").await, WRONG);
    assert_eq!(sign_in(&ground.app, BULK, &secret).await, BULK, "the secret is another matter");
    let page = crate::app::ports::Page { limit: 10, after: None };
    let rows = ground.app.store.audit(Some(&made.id.to_string()), &page).await.unwrap().items;
    assert_eq!(rows.iter().filter(|row| row.action == "package.lock_pin").count(), 1);
    let guesses: Vec<_> =
        rows.iter().filter(|row| row.action == "package.pin").map(|row| row.detail.as_str()).collect();
    let [last, .., first] = guesses.as_slice() else { panic!("{guesses:?}") };
    assert_eq!((*first, *last), ("wrong PIN 1 of 5", "wrong PIN 5 of 5; it is locked"));
}

// covers: E-53, S-14
#[tokio::test]
async fn guesses_at_a_package_lock_everything_out_but_its_secret() {
    let ground = Ground::new().await;
    let (_, secret) = package(&ground, BULK, Some("48151623")).await;
    for _ in 0..10 {
        assert_eq!(sign_in(&ground.app, BULK, "msp_wrong").await, WRONG);
    }
    let before = ground.app.hasher.computed();
    for other in ["msp_wrong", "48151623"] {
        assert_eq!(sign_in(&ground.app, BULK, other).await, LOCKED);
    }
    assert_eq!(sign_in(&ground.app, BULK, &secret).await, BULK, "nobody guesses it, and guesses do not keep it out");
    assert_eq!(sign_in(&ground.app, BULK, "48151623").await, LOCKED, "the others are not let in by it");
    assert_eq!(ground.app.hasher.computed(), before);
    ground.clock.advance(time::Duration::minutes(2));
    assert_eq!(sign_in(&ground.app, BULK, "48151623").await, BULK);
}

// covers: S-13, S-14
#[tokio::test]
async fn many_processes_have_no_more_tries_of_a_pin_than_one() {
    let ground = Ground::shared().await;
    let (made, secret) = package(&ground, BULK, Some("48151623")).await;
    let processes: Vec<App> = (0..8).map(|_| ground.other_process()).collect();
    let tasks: Vec<_> = processes
        .into_iter()
        .enumerate()
        .map(|(number, app)| tokio::spawn(async move { sign_in(&app, BULK, &format!("4815162{}", number % 3)).await }))
        .collect();
    let mut checked = 0;
    for task in tasks {
        checked += u32::from(task.await.unwrap() == "the PIN of the package is wrong");
    }
    assert_eq!(checked, MOST_PIN_TRIES);
    let now = ground.app.store.package(made.id).await.unwrap().unwrap();
    assert_eq!((now.pin_failures, now.has_live_pin()), (MOST_PIN_TRIES, false));
    let page = crate::app::ports::Page { limit: 10, after: None };
    let rows = ground.app.store.audit(Some(&made.id.to_string()), &page).await.unwrap().items;
    assert_eq!(rows.iter().filter(|row| row.action == "package.lock_pin").count(), 1, "the lock is told once");
    assert_eq!(sign_in(&ground.app, BULK, "48151623").await, WRONG);
    assert_eq!(sign_in(&ground.app, BULK, &secret).await, BULK);
}

// covers: E-53
#[tokio::test]
async fn a_batch_at_once_is_let_in() {
    let ground = Ground::new().await;
    let (_, secret) = package(&ground, BULK, None).await;
    let before = ground.app.hasher.computed();
    let tasks: Vec<_> = (0..200)
        .map(|_| {
            let (app, secret) = (ground.app.clone(), secret.clone());
            tokio::spawn(async move { sign_in(&app, BULK, &secret).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), BULK);
    }
    assert_eq!(ground.app.hasher.computed(), before, "256 bits need no costly hash");
}

#[tokio::test]
async fn the_account_of_a_package_counts_too() {
    let ground = Ground::new().await;
    let (_, secret) = package(&ground, BULK, Some("48151623")).await;
    let user = ground.app.store.user_by_name(BULK).await.unwrap().unwrap();
    let own = ground.app.hasher.hash(SecretString::from("own password")).await.unwrap();
    ground.app.commit(vec![Write::UpdateUser(User { password_hash: Some(own), ..user })]).await.unwrap();
    assert_eq!(sign_in(&ground.app, BULK, "own password").await, BULK);
    let user = ground.app.store.user_by_name(BULK).await.unwrap().unwrap();
    ground.app.commit(vec![Write::UpdateUser(User { enabled: false, ..user })]).await.unwrap();
    for password in [secret.as_str(), "48151623", "own password"] {
        let before = ground.app.hasher.computed();
        assert_eq!(sign_in(&ground.app, BULK, password).await, Refusal::AccountDisabled.to_string());
        assert_eq!(ground.app.hasher.computed(), before + 1);
    }
}

#[tokio::test]
async fn who_has_to_choose_a_new_password_enrolls_nothing_with_the_present_one() {
    let ground = Ground::new().await;
    let user = add(&ground, "ada@example.test", "correct horse").await;
    let app = with(&ground.app, |settings| settings.remember_password = time::Duration::minutes(5));
    assert_eq!(sign_in(&app, "ada", "correct horse").await, "ada@example.test");
    app.commit(vec![Write::UpdateUser(User { must_change_password: true, ..user.clone() })]).await.unwrap();
    for _ in 0..2 {
        assert_eq!(sign_in(&app, "ada", "correct horse").await, MUST_CHANGE);
    }
    assert_eq!(sign_in(&app, "ada", "wrong").await, WRONG, "nobody else learns of it");
    let by = ground.admin().await;
    let changes = crate::app::users::UserChanges {
        password: Some(Some(SecretString::from("battery staple"))),
        ..Default::default()
    };
    let changed = app.change_user(&by, user.id, changes, None).await.unwrap();
    assert!(!changed.must_change_password);
    assert_eq!(sign_in(&app, "ada", "battery staple").await, "ada@example.test");
}

mod choosing {
    use super::*;
    use crate::domain::user::UserKind;

    const NEW: &str = "battery staple";

    async fn choose(app: &App, name: &str, present: &str, new: &str) -> String {
        let (present, new) = (SecretString::from(present), SecretString::from(new));
        match app.choose_password(name, present, new, OFFICE).await {
            Ok(user) => user.email,
            Err(NotChosen::Unfit(error)) => error.message,
            Err(other) => format!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_person_chooses_a_password_and_may_enroll_again() {
        let ground = Ground::new().await;
        let user = add(&ground, "ada@example.test", "correct horse").await;
        ground.app.commit(vec![Write::UpdateUser(User { must_change_password: true, ..user.clone() })]).await.unwrap();
        assert_eq!(sign_in(&ground.app, "ada", "correct horse").await, MUST_CHANGE);
        assert_eq!(choose(&ground.app, "ada", "correct horse", NEW).await, "ada@example.test");
        assert_eq!(sign_in(&ground.app, "ada", "correct horse").await, WRONG);
        assert_eq!(sign_in(&ground.app, "ada", NEW).await, "ada@example.test");
        let page = crate::app::ports::Page { limit: 10, after: None };
        let rows = ground.app.store.audit(Some(&user.id.to_string()), &page).await.unwrap().items;
        let row = rows.iter().find(|row| row.action == "user.choose_password").unwrap();
        assert_eq!((row.actor.as_str(), row.address.as_str()), ("ada@example.test", "192.0.2.1"));
        assert!(!format!("{rows:?}").contains(NEW));
    }

    #[tokio::test]
    async fn what_cannot_be_chosen_changes_nothing_and_costs_no_try() {
        let ground = Ground::new().await;
        let user = add(&ground, "ada@example.test", "correct horse").await;
        for (new, told) in [
            ("short", "must have at least 8 characters"),
            ("ADA@example.test", "must not be the name to sign in with"),
            ("correct horse", "Same"),
        ] {
            for _ in 0..40 {
                assert_eq!(choose(&ground.app, "ada", "correct horse", new).await, told);
            }
        }
        assert_eq!(ground.app.store.user(user.id).await.unwrap().unwrap().version, user.version);
        assert_eq!(sign_in(&ground.app, "ada", "correct horse").await, "ada@example.test");
    }

    // covers: S-14
    #[tokio::test]
    async fn guesses_cost_and_count_like_those_of_a_sign_in() {
        let ground = Ground::new().await;
        let ada = add(&ground, "ada@example.test", "correct horse").await;
        let bulk = add(&ground, BULK, "correct horse").await;
        ground.app.commit(vec![Write::UpdateUser(User { kind: UserKind::Bulk, ..bulk })]).await.unwrap();
        for (name, present) in [("ada", "wrong"), ("eve", "wrong"), (BULK, "correct horse")] {
            let before = ground.app.hasher.computed();
            assert_eq!(choose(&ground.app, name, present, NEW).await, "Credentials", "{name}");
            assert_eq!(ground.app.hasher.computed(), before + 1, "{name}");
        }
        let mut last = String::new();
        for _ in 0..20 {
            last = choose(&ground.app, "ada", "wrong", NEW).await;
        }
        assert_eq!(last, "TooMany");
        assert_eq!(sign_in(&ground.app, "ada", "correct horse").await, LOCKED, "one budget for both");
        assert_eq!(ground.app.store.user(ada.id).await.unwrap().unwrap().version, ada.version);
    }

    #[tokio::test]
    async fn only_where_one_may_sign_in_and_only_who_may() {
        let ground = Ground::new().await;
        let user = add(&ground, "ada@example.test", "correct horse").await;
        let app = with(&ground.app, |settings| {
            settings.rules.networks = vec![crate::domain::Network::try_from("198.51.100.0/24".to_owned()).unwrap()];
        });
        assert_eq!(choose(&app, "ada", "correct horse", NEW).await, "Elsewhere");
        ground.app.commit(vec![Write::UpdateUser(User { enabled: false, ..user })]).await.unwrap();
        assert_eq!(choose(&ground.app, "ada", "correct horse", NEW).await, "Disabled");
        assert_eq!(choose(&ground.app, "ada", "wrong", NEW).await, "Credentials");
    }
}

mod pins {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::app::invitations::{Invite, Issued, NewInvitation};
    use crate::app::{Principal, invitations::Reissue};
    use crate::domain::sign_in::SignInWith;

    async fn invited(app: &App, email: &str) -> Issued {
        let new = NewInvitation {
            place: String::new(),
            email: Some(email.to_owned()),
            user: None,
            name: None,
            pin: Some(true),
            expires_in: None,
            language: None,
        };
        let invite = Invite { new: vec![new], ..Invite::default() };
        app.invite(&Principal::system(), &invite, None).await.unwrap().pop().unwrap()
    }

    fn pin(issued: &Issued) -> String {
        issued.secrets.as_ref().unwrap().pin.as_ref().unwrap().expose_secret().to_owned()
    }

    /// Other digits than those of the PIN.
    fn wrong(pin: &str) -> String {
        pin.bytes().map(|digit| char::from(b'0' + (digit - b'0' + 1) % 10)).collect()
    }

    /// The invitation whose PIN it was.
    async fn proof(app: &App, name: &str, typed: &str) -> Result<Option<Id<Invitation>>, String> {
        let signed_in = app.check_password(name, typed.into(), OFFICE, &mut None).await;
        let of = |signed_in: SignedIn| signed_in.pin.map(|pin| pin.invitation);
        signed_in.map(of).map_err(|refusal| refusal.to_string())
    }

    // covers: S-13, E-133
    #[tokio::test]
    async fn a_pin_signs_in_until_it_ends() {
        let ground = Ground::new().await;
        let app = &ground.app;
        let issued = invited(app, "ada@example.test").await;
        let id = issued.view.invitation.id;
        for _ in 0..10 {
            assert_eq!(proof(app, "ada", &pin(&issued)).await, Ok(Some(id)), "a check uses nothing up");
        }
        ground.clock.advance(time::Duration::days(3));
        assert_eq!(proof(app, "ada", &pin(&issued)).await.unwrap_err(), "the PIN has expired; invite the user again");
        let again = app.resend_invitation(&Principal::system(), id, Reissue::default(), None).await.unwrap();
        assert_eq!(proof(app, "ada", &pin(&again)).await, Ok(Some(id)));
        assert_eq!(proof(app, "bob", &pin(&again)).await.unwrap_err(), UNKNOWN);
        app.revoke_invitation(&Principal::system(), id).await.unwrap();
        assert_eq!(proof(app, "ada", &pin(&again)).await.unwrap_err(), WRONG);
    }

    // covers: S-13, S-14, E-133
    #[tokio::test]
    async fn five_wrong_ones_lock_a_pin_also_where_it_is_remembered() {
        let ground = Ground::new().await;
        let app = with(&ground.app, |settings| settings.remember_password = time::Duration::minutes(5));
        let issued = invited(&app, "ada@example.test").await;
        let pin = pin(&issued);
        assert!(proof(&app, "ada", &pin).await.is_ok());
        for _ in 0..MOST_PIN_TRIES - 1 {
            assert_eq!(proof(&app, "ada", &wrong(&pin)).await.unwrap_err(), "the PIN is wrong");
        }
        assert!(proof(&app, "ada", &pin).await.is_ok(), "four were wrong");
        assert_eq!(proof(&app, "ada", &wrong(&pin)).await.unwrap_err(), "the PIN is wrong");
        let locked = "the PIN is locked after too many wrong ones; invite the user again";
        assert_eq!(proof(&app, "ada", &pin).await.unwrap_err(), locked);
        let other = with(&ground.app, |_| {});
        assert_eq!(proof(&other, "ada", &pin).await.unwrap_err(), locked, "another process knows it too");
        let id = issued.view.invitation.id.to_string();
        let page = crate::app::ports::Page { limit: 50, after: None };
        let rows = app.audit_rows(Some(&id), &page).await.unwrap().items;
        assert_eq!(rows.iter().filter(|row| row.outcome == "refused").count(), 5, "each is written down");
    }

    // covers: S-13
    #[tokio::test]
    async fn many_at_once_have_no_more_tries_than_one_after_the_other() {
        let ground = Ground::shared().await;
        let issued = invited(&ground.app, "ada@example.test").await;
        let pin = pin(&issued);
        let processes: Vec<App> = (0..8).map(|_| ground.other_process()).collect();
        let tasks: Vec<_> = processes
            .into_iter()
            .map(|app| {
                let typed = wrong(&pin);
                tokio::spawn(async move { proof(&app, "ada", &typed).await.unwrap_err() })
            })
            .collect();
        let mut checked = 0;
        for task in tasks {
            checked += usize::from(task.await.unwrap() == "the PIN is wrong");
        }
        assert_eq!(checked, MOST_PIN_TRIES as usize);
        assert!(proof(&ground.app, "ada", &pin).await.is_err());
    }

    // covers: S-14
    #[tokio::test]
    async fn how_many_hashes_a_sign_in_costs_follows_from_what_was_typed() {
        let ground = Ground::new().await;
        for sign_in in [SignInWith::PasswordOrPin, SignInWith::Password, SignInWith::Pin, SignInWith::PasswordAndPin] {
            let app = with(&ground.app, |settings| {
                settings.invitations.sign_in = sign_in;
                settings.password_checks.address_burst = 1000;
            });
            let suffix = format!("{sign_in:?}@example.test");
            let (with_password, with_pin) = (format!("a-{suffix}"), format!("b-{suffix}"));
            let disabled = format!("c-{suffix}");
            add(&ground, &with_password, "correct horse").await;
            add(&ground, &with_pin, "correct horse").await;
            let user = add(&ground, &disabled, "correct horse").await;
            ground.app.commit(vec![Write::UpdateUser(User { enabled: false, ..user })]).await.unwrap();
            let issued = if sign_in.takes_pins() { Some(invited(&app, &with_pin).await) } else { None };
            let pin = issued.as_ref().map_or_else(|| "135790".to_owned(), pin);
            let both = format!("correct horse{pin}");
            for typed in ["correct horse", "wrong horse", pin.as_str(), wrong(&pin).as_str(), both.as_str(), ""] {
                let mut costs = Vec::new();
                for name in [with_password.as_str(), with_pin.as_str(), disabled.as_str(), "nobody", "", "\u{1}"] {
                    let before = app.hasher.computed();
                    let _ = proof(&app, name, typed).await;
                    costs.push(app.hasher.computed() - before);
                }
                assert!(costs.iter().all(|cost| *cost == costs[0] && *cost > 0), "{sign_in:?} {typed:?}: {costs:?}");
            }
        }
    }

    #[tokio::test]
    async fn both_are_needed_where_both_are_configured() {
        let ground = Ground::new().await;
        let app = with(&ground.app, |settings| settings.invitations.sign_in = SignInWith::PasswordAndPin);
        add(&ground, "ada@example.test", "correct horse").await;
        let issued = invited(&app, "ada@example.test").await;
        let pin = pin(&issued);
        assert!(proof(&app, "ada", &format!("correct horse{pin}")).await.is_ok());
        for typed in
            ["correct horse".to_owned(), pin.clone(), format!("wrong horse{pin}"), format!("{pin}correct horse")]
        {
            assert!(proof(&app, "ada", &typed).await.is_err(), "{typed}");
        }
        let only = with(&ground.app, |settings| settings.invitations.sign_in = SignInWith::Pin);
        assert!(proof(&only, "ada", "correct horse").await.is_err(), "a password alone is no PIN");
        assert!(proof(&only, "ada", &pin).await.is_ok());
    }

    #[tokio::test]
    async fn a_pin_without_the_password_is_no_try_where_both_are_needed() {
        let ground = Ground::new().await;
        let app = with(&ground.app, |settings| settings.invitations.sign_in = SignInWith::PasswordAndPin);
        add(&ground, "ada@example.test", "correct horse").await;
        let pin = pin(&invited(&app, "ada@example.test").await);
        for _ in 0..MOST_PIN_TRIES {
            let words = "the PIN was typed without the password before it";
            assert_eq!(proof(&app, "ada", &pin).await.unwrap_err(), words);
        }
        assert!(proof(&app, "ada", &format!("correct horse{pin}")).await.is_ok(), "it is not locked");
        for _ in 0..MOST_PIN_TRIES {
            let _ = proof(&with(&app, |_| {}), "ada", &format!("x{pin}")).await;
        }
        let other = with(&app, |_| {});
        assert!(proof(&other, "ada", &format!("correct horse{pin}")).await.is_err(), "a wrong password is one");
    }

    // covers: S-13
    #[tokio::test]
    async fn the_right_pin_of_who_may_not_enroll_yet_is_no_wrong_one() {
        let ground = Ground::new().await;
        let user = add(&ground, "ada@example.test", "correct horse").await;
        let pin = pin(&invited(&ground.app, "ada@example.test").await);
        let store = async |change: &dyn Fn(User) -> User| {
            let user = ground.app.store.user(user.id).await.unwrap().unwrap();
            ground.app.commit(vec![Write::UpdateUser(change(user))]).await.unwrap();
        };
        let refused = async |refusal: Refusal| {
            for _ in 0..=MOST_PIN_TRIES {
                assert_eq!(proof(&ground.app, "ada", &pin).await.unwrap_err(), refusal.to_string());
            }
        };
        store(&|user| User { must_change_password: true, ..user }).await;
        refused(Refusal::PasswordChange { url: ground.app.settings.url.clone() }).await;
        store(&|user| User { must_change_password: false, enabled: false, ..user }).await;
        let app = with(&ground.app, |_| {});
        for _ in 0..=MOST_PIN_TRIES {
            assert_eq!(proof(&app, "ada", &pin).await.unwrap_err(), Refusal::AccountDisabled.to_string());
        }
        store(&|user| User { enabled: true, ..user }).await;
        let app = with(&ground.app, |_| {});
        assert!(proof(&app, "ada", &pin).await.is_ok());
        let open = app.store.open_invitation(user.id).await.unwrap().unwrap();
        assert_eq!(open.pin.unwrap().tries, 0);
    }

    #[tokio::test]
    async fn bulk_users_sign_in_with_their_password_whatever_people_do() {
        let ground = Ground::new().await;
        add(&ground, "windows-bulkenroll-1@example.test", "correct horse").await;
        let app = with(&ground.app, |settings| settings.invitations.sign_in = SignInWith::Pin);
        assert_eq!(proof(&app, "windows-bulkenroll-1@example.test", "correct horse").await, Ok(None));
    }
}
