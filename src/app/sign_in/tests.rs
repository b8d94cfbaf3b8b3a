use super::*;
use crate::app::ports::Write;
use crate::app::testing::Ground;
use crate::app::{Memory, Settings};
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
    match app.check_password(name, SecretString::from(password), OFFICE).await {
        Ok(user) => user.email,
        Err(refusal) => refusal.to_string(),
    }
}

const WRONG: &str = "the password is wrong";
const LOCKED: &str = "too many wrong passwords before; none was checked";
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
        let answer = ground.app.check_password("ada", SecretString::from("guess"), address).await;
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
