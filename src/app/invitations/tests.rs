use secrecy::ExposeSecret;

use super::*;
use crate::app::ports::Write;
use crate::app::testing::Ground;
use crate::domain::user::Role;

fn admin() -> Principal {
    Principal { name: "root@example.test".to_owned(), ..Principal::system() }
}

fn new(email: &str) -> NewInvitation {
    NewInvitation {
        place: format!("/{email}"),
        email: Some(email.to_owned()),
        user: None,
        name: None,
        pin: None,
        expires_in: None,
        language: None,
    }
}

fn invite(new: Vec<NewInvitation>) -> Invite {
    Invite { new, ..Invite::default() }
}

async fn one(app: &App, new: NewInvitation) -> Issued {
    app.invite(&admin(), &invite(vec![new]), None).await.unwrap().pop().unwrap()
}

fn secret_of(issued: &Issued) -> String {
    let url = issued.secrets.as_ref().unwrap().url.expose_secret();
    url.rsplit_once('/').unwrap().1.to_owned()
}

#[tokio::test]
async fn somebody_new_is_added_and_gets_a_pin() {
    let Ground { app, .. } = &Ground::new().await;
    let issued = one(app, new("ada@example.test")).await;
    let secrets = issued.secrets.as_ref().unwrap();
    let pin = secrets.pin.as_ref().unwrap().expose_secret();
    assert!(pin.len() == 6 && pin.bytes().all(|byte| byte.is_ascii_digit()), "{pin}");
    assert!(secrets.content.body.contains(pin) && !secrets.content.subject.contains(pin));
    let user = app.store.user_by_name("ada@example.test").await.unwrap().unwrap();
    assert_eq!((user.role, user.password_hash), (Role::User, None));
    let found = app.invitation_of(&secret_of(&issued)).await.unwrap().unwrap();
    assert_eq!(found.invitation.id, issued.view.invitation.id);
    assert!(app.invitation_of("nonsense").await.unwrap().is_none());
    let other = if secret_of(&issued).starts_with('A') { "B" } else { "A" };
    let tampered = format!("{other}{}", &secret_of(&issued)[1..]);
    assert!(app.invitation_of(&tampered).await.unwrap().is_none(), "another secret is another invitation");
}

#[tokio::test]
async fn every_mistake_is_told_and_nothing_is_made() {
    let Ground { app, .. } = &Ground::new().await;
    let mut disabled = app.store.user_by_name("root@example.test").await.unwrap().unwrap();
    disabled.id = app.new_id();
    disabled.email = "off@example.test".to_owned();
    disabled.enabled = false;
    app.commit(vec![Write::InsertUser(disabled)]).await.unwrap();
    let bad = vec![
        new("good@example.test"),
        new("two@signs@example.test"),
        new("GOOD@example.test"),
        new("windows-bulkenroll-1@example.test"),
        new("off@example.test"),
        NewInvitation { pin: Some(false), ..new("nopassword@example.test") },
        NewInvitation { expires_in: Some(Duration::days(400)), ..new("long@example.test") },
        NewInvitation { user: Some("ada".to_owned()), ..new("no address") },
    ];
    let error = app.invite(&admin(), &invite(bad), None).await.unwrap_err();
    let Error::Invalid(errors) = error else { panic!("{error}") };
    let pointers: Vec<&str> = errors.iter().map(|error| error.pointer.as_str()).collect();
    assert_eq!(
        pointers,
        [
            "/two@signs@example.test/email",
            "/GOOD@example.test/email",
            "/windows-bulkenroll-1@example.test/email",
            "/off@example.test/email",
            "/nopassword@example.test/pin",
            "/long@example.test/expires_in",
            "/no address/email",
        ]
    );
    assert!(app.store.user_by_name("good@example.test").await.unwrap().is_none());
    let before = Invite { new: vec![new("good@example.test")], errors, ..Invite::default() };
    assert!(app.invite(&admin(), &before, None).await.is_err(), "what was wrong before counts");
    assert!(app.invite(&admin(), &invite(Vec::new()), None).await.is_err());
}

#[tokio::test]
async fn a_newer_invitation_takes_the_place_of_the_open_one() {
    let Ground { app, .. } = &Ground::new().await;
    let first = one(app, new("ada@example.test")).await;
    let second = one(app, new("ada@example.test")).await;
    let state = |issued: &Issued| issued.view.invitation.id;
    let stored = app.invitation(state(&first)).await.unwrap().invitation;
    assert_eq!(stored.state, InvitationState::Revoked);
    assert!(stored.pin.is_none());
    let open = app.store.open_invitation(stored.user_id).await.unwrap().unwrap();
    assert_eq!(open.id, state(&second));
}

// covers: S-13
#[tokio::test]
async fn sent_again_the_old_address_and_pin_are_gone() {
    let Ground { app, clock, .. } = &Ground::new().await;
    let issued = one(app, new("ada@example.test")).await;
    let id = issued.view.invitation.id;
    clock.advance(Duration::days(8));
    assert_eq!(app.invitation(id).await.unwrap().invitation.standing(app.now()), InvitationState::Expired);
    let again = app.resend_invitation(&admin(), id, Reissue::default(), None).await.unwrap();
    assert_ne!(secret_of(&issued), secret_of(&again));
    assert!(app.invitation_of(&secret_of(&issued)).await.unwrap().is_none());
    let found = app.invitation_of(&secret_of(&again)).await.unwrap().unwrap().invitation;
    assert_eq!(found.standing(app.now()), InvitationState::Open);
    assert!(found.live_pin(app.now()).is_some());
    app.revoke_invitation(&admin(), id).await.unwrap();
    for closed in [
        app.resend_invitation(&admin(), id, Reissue::default(), None).await.map(|_| ()),
        app.revoke_invitation(&admin(), id).await,
    ] {
        assert!(matches!(closed, Err(Error::Conflict { code: "invitation_closed", .. })), "{closed:?}");
    }
}

#[tokio::test]
async fn a_key_makes_invitations_once() {
    let Ground { app, .. } = &Ground::new().await;
    let request = invite(vec![new("ada@example.test"), new("bob@example.test")]);
    let first = app.invite(&admin(), &request, Some("k")).await.unwrap();
    let second = app.invite(&admin(), &request, Some("k")).await.unwrap();
    let ids = |issued: &[Issued]| issued.iter().map(|one| one.view.invitation.id).collect::<Vec<_>>();
    assert_eq!(ids(&first), ids(&second));
    assert!(second.iter().all(|one| one.secrets.is_none()));
    let other = invite(vec![new("eve@example.test")]);
    assert!(matches!(app.invite(&admin(), &other, Some("k")).await, Err(Error::Conflict { .. })));
}

#[tokio::test]
async fn a_key_sends_an_invitation_again_once() {
    let Ground { app, .. } = &Ground::new().await;
    let id = one(app, new("ada@example.test")).await.view.invitation.id;
    let resend = async |key| app.resend_invitation(&admin(), id, Reissue::default(), Some(key)).await.unwrap();
    let first = resend("k").await;
    let repeated = resend("k").await;
    assert!(repeated.secrets.is_none(), "nothing is shown twice");
    assert_eq!(repeated.view.invitation.id, id);
    let open = async |issued: &Issued| app.invitation_of(&secret_of(issued)).await.unwrap().is_some();
    assert!(open(&first).await, "what the lost answer held goes on working");
    let other = resend("l").await;
    assert!(open(&other).await && !open(&first).await);
    let others = [
        Reissue { expires_in: Some(Duration::days(3)), pin: None },
        Reissue { expires_in: Some(Duration::days(3)), pin: Some(true) },
    ];
    for request in others {
        let refused = app.resend_invitation(&admin(), id, request, Some("l")).await;
        assert!(matches!(refused, Err(Error::Conflict { code: "idempotency_key_reused", .. })), "{request:?}");
    }
    let same = Reissue { expires_in: Some(app.settings.invitations.lifetime), pin: Some(true) };
    assert!(app.resend_invitation(&admin(), id, same, Some("l")).await.unwrap().secrets.is_none());
    assert!(open(&other).await, "nothing was given out meanwhile");
    app.revoke_invitation(&admin(), id).await.unwrap();
    assert!(resend("l").await.secrets.is_none(), "also where it has ended meanwhile");
}

#[tokio::test]
async fn an_invitation_works_for_no_more_than_a_year_however_often_it_is_sent() {
    let Ground { app, .. } = &Ground::new().await;
    let id = one(app, new("ada@example.test")).await.view.invitation.id;
    let reissue = |days| Reissue { expires_in: Some(Duration::days(days)), pin: None };
    let error = app.resend_invitation(&admin(), id, reissue(367), None).await.unwrap_err();
    let Error::Invalid(errors) = error else { panic!("{error}") };
    assert_eq!(errors[0].pointer, "/expires_in");
    app.resend_invitation(&admin(), id, reissue(366), None).await.unwrap();
}

#[tokio::test]
async fn who_has_to_choose_a_new_password_first_is_not_invited() {
    let ground = Ground::new().await;
    let app = &ground.app;
    let id = one(app, new("ada@example.test")).await.view.invitation.id;
    let user = app.store.user_by_name("ada@example.test").await.unwrap().unwrap();
    app.commit(vec![Write::UpdateUser(User { must_change_password: true, ..user })]).await.unwrap();
    let error = app.invite(&admin(), &invite(vec![new("ada@example.test")]), None).await.unwrap_err();
    let Error::Invalid(errors) = error else { panic!("{error}") };
    assert!(errors[0].message.contains("has to choose a new password"), "{}", errors[0].message);
    let error = app.resend_invitation(&admin(), id, Reissue::default(), None).await.unwrap_err();
    assert!(matches!(error, Error::Conflict { code: "password_change", .. }), "{error:?}");
}

#[tokio::test]
async fn the_text_says_how_the_pin_is_typed_here() {
    let ground = Ground::new().await;
    let with = |sign_in: SignInWith| {
        let mut settings = crate::app::Settings::clone(&ground.app.settings);
        settings.invitations.sign_in = sign_in;
        App { settings: settings.into(), ..ground.app.clone() }
    };
    let body = async |app: &App, language, pin| app.preview_mail(language, None, pin).await.unwrap().body;
    for (language, alone, behind) in [
        (Language::English, "asks for a password, type this PIN: ", "right behind it, without a space, this PIN: "),
        (Language::French, "mot de passe, saisissez ce code PIN : ", "juste derrière, sans espace, ce code PIN : "),
    ] {
        for sign_in in [SignInWith::PasswordOrPin, SignInWith::Pin] {
            let text = body(&with(sign_in), language, true).await;
            assert!(text.contains(&format!("{alone}123456\n")) && !text.contains(behind), "{text}");
        }
        let both = with(SignInWith::PasswordAndPin);
        let text = body(&both, language, true).await;
        assert!(text.contains(&format!("{behind}123456\n")) && !text.contains(alone), "{text}");
        let none = body(&with(SignInWith::Password), language, true).await;
        assert!(!none.contains("PIN") && none == body(&both, language, false).await, "{none}");
    }
}

#[tokio::test]
async fn a_removed_user_takes_the_invitations_along() {
    let Ground { app, .. } = &Ground::new().await;
    let issued = one(app, new("ada@example.test")).await;
    app.remove_user(&admin(), issued.view.invitation.user_id, None, false).await.unwrap();
    assert!(app.invitation_of(&secret_of(&issued)).await.unwrap().is_none());
    assert!(matches!(app.invitation(issued.view.invitation.id).await, Err(Error::NotFound(_))));
}
