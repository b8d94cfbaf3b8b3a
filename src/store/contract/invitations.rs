//! Invitations, the outbox, and the texts of mails.

use time::Duration;

use super::Ground;
use super::fixtures::{assert_same, at, first, id, ids, is_conflict, user, walk};
use crate::app::ports::{Expired, InvitationFilter, InvitationView, Store, Write};
use crate::domain::invitation::{Invitation, InvitationState, Pin};
use crate::domain::language::Language;
use crate::domain::mail::{Content, Mail, MailState};
use crate::domain::mail_template::{MailTemplate, Text};

pub(super) async fn run(make: &impl AsyncFn() -> Ground) {
    an_invitation_is_read_as_written(&make().await).await;
    of_each_user_one_is_open(&make().await).await;
    versions_guard_invitations_and_mails(&make().await).await;
    the_outbox_gives_out_what_is_due(&make().await).await;
    invitations_go_with_their_user_and_their_age(&make().await).await;
    a_text_takes_the_place_of_another(&make().await).await;
}

fn invitation(number: u128, user_number: u128) -> Invitation {
    Invitation {
        id: id(number),
        user_id: id(user_number),
        email: format!("{number}@example.org"),
        language: Language::French,
        token_hash: [u8::try_from(number).unwrap(); 32],
        pin: Some(Pin { sealed_hash: vec![1, 2, 3], expires_at: at(50), tries: 2 }),
        state: InvitationState::Open,
        created_by: "root".to_owned(),
        created_at: at(i64::try_from(number).unwrap()),
        issued_at: at(2),
        expires_at: at(100),
        closed_at: None,
        closed_reason: None,
        enrollment_id: None,
        mail_id: Some(id(number + 100)),
        issue_id: Some(id(number + 200)),
        version: 1,
    }
}

fn mail(number: u128, invitation_number: u128) -> Mail {
    Mail {
        id: id(number),
        invitation_id: id(invitation_number),
        to: "ada@example.org".to_owned(),
        message_id: format!("<{number}@example.org>"),
        content: Some(Content { subject: "Hello".to_owned(), body: "a secret address".to_owned() }),
        state: MailState::Queued,
        tries: 0,
        due_at: at(10),
        created_at: at(1),
        sent_at: None,
        error: None,
        version: 1,
    }
}

async fn invite(ground: &Ground, number: u128, user_number: u128) {
    let writes = vec![
        Write::InsertMail(Box::new(mail(number + 100, number))),
        Write::InsertInvitation(Box::new(invitation(number, user_number))),
        Write::InsertUser(user(user_number)),
    ];
    ground.store.commit(writes).await.unwrap();
}

async fn an_invitation_is_read_as_written(ground: &Ground) {
    let store = &ground.store;
    invite(ground, 1, 11).await;
    let without_content = Mail { content: None, ..mail(101, 1) };
    let view = InvitationView { invitation: invitation(1, 11), user: user(11).email, mail: Some(without_content) };
    assert_same(&store.invitation(id(1)).await.unwrap().unwrap(), &view);
    assert_same(&store.invitation_by_token(&[1; 32]).await.unwrap().unwrap(), &view);
    assert!(store.invitation_by_token(&[2; 32]).await.unwrap().is_none());
    assert_same(&store.open_invitation(id(11)).await.unwrap().unwrap(), &invitation(1, 11));
    let stored = store.mail(id(101)).await.unwrap().unwrap();
    assert_same(&stored, &mail(101, 1));
    assert!(stored.content == mail(101, 1).content, "what `Debug` does not show");
    let mut used = invitation(1, 11);
    used.use_for(id(9), at(7));
    used.mail_id = None;
    store.commit(vec![Write::UpdateInvitation(Box::new(used.clone()))]).await.unwrap();
    let view = InvitationView { invitation: Invitation { version: 2, ..used }, user: user(11).email, mail: None };
    assert_same(&store.invitation(id(1)).await.unwrap().unwrap(), &view);
    assert!(store.open_invitation(id(11)).await.unwrap().is_none());
    for number in 2..6 {
        invite(ground, number, number + 10).await;
    }
    let filter = InvitationFilter::default();
    let walked =
        walk(2, async |page| store.invitations(&filter, &page).await, |view| view.invitation.id.to_string()).await;
    assert_eq!(walked, ids([5, 4, 3, 2, 1]));
    let filter = InvitationFilter { query: Some(user(13).email.to_uppercase()), mail: None };
    assert_eq!(store.invitations(&filter, &first(10)).await.unwrap().items.len(), 1);
    let failed = async || {
        let filter = InvitationFilter { query: None, mail: Some(MailState::Failed) };
        let found = store.invitations(&filter, &first(10)).await.unwrap().items;
        found.into_iter().map(|view| view.invitation.id).collect::<Vec<_>>()
    };
    assert_eq!(failed().await, []);
    let given_up = Mail { state: MailState::Failed, ..mail(103, 3) };
    store.commit(vec![Write::UpdateMail(Box::new(given_up))]).await.unwrap();
    assert_eq!(failed().await, [id(3)], "those without a mail, or with another fate, are not among them");
}

async fn of_each_user_one_is_open(ground: &Ground) {
    let store = &ground.store;
    invite(ground, 1, 11).await;
    let second = || Write::InsertInvitation(Box::new(Invitation { mail_id: None, ..invitation(2, 11) }));
    assert!(is_conflict(store.commit(vec![second()]).await));
    let mut closed = invitation(1, 11);
    closed.revoke("replaced", at(5));
    store.commit(vec![second(), Write::UpdateInvitation(Box::new(closed))]).await.unwrap();
    assert_eq!(store.open_invitation(id(11)).await.unwrap().unwrap().id, id(2));
}

async fn versions_guard_invitations_and_mails(ground: &Ground) {
    let store = &ground.store;
    invite(ground, 1, 11).await;
    let update = || Write::UpdateInvitation(Box::new(invitation(1, 11)));
    store.commit(vec![update()]).await.unwrap();
    assert!(is_conflict(store.commit(vec![update()]).await));
    let update = || Write::UpdateMail(Box::new(mail(101, 1)));
    store.commit(vec![update()]).await.unwrap();
    assert!(is_conflict(store.commit(vec![update()]).await));
    let taken = Invitation { id: id(7), user_id: id(12), ..invitation(1, 12) };
    let writes = vec![Write::InsertUser(user(12)), Write::InsertInvitation(Box::new(taken))];
    assert!(is_conflict(store.commit(writes).await), "two addresses have not the same secret");
}

async fn the_outbox_gives_out_what_is_due(ground: &Ground) {
    let store = &ground.store;
    for (number, due) in [(1, 30), (2, 10), (3, 20)] {
        invite(ground, number, number + 10).await;
        let later = Mail { due_at: at(due), ..mail(number + 100, number) };
        store.commit(vec![Write::UpdateMail(Box::new(later))]).await.unwrap();
    }
    let due = async |now: i64, limit| -> Vec<_> {
        store.due_mails(at(now), limit).await.unwrap().into_iter().map(|mail| mail.id).collect()
    };
    assert_eq!(due(9, 10).await, []);
    assert_eq!(due(20, 10).await, [102, 103].map(id), "the longest due first");
    assert_eq!(due(99, 1).await, [id(102)]);
    let waiting = Mail { content: None, version: 2, due_at: at(30), ..mail(101, 1) };
    store.commit(vec![Write::UpdateMail(Box::new(waiting))]).await.unwrap();
    let stored = store.mail(id(101)).await.unwrap().unwrap();
    assert!(stored.content == mail(101, 1).content, "what waits keeps what it says, also if it was not to be read");
    let mut sent = Mail { version: 2, ..mail(102, 2) };
    sent.sent(at(40));
    store.commit(vec![Write::UpdateMail(Box::new(sent))]).await.unwrap();
    let cancel = Write::CancelMails { invitation_id: id(3), reason: "withdrawn".to_owned() };
    store.commit(vec![cancel]).await.unwrap();
    assert_eq!(due(99, 10).await, [id(101)]);
    let cancelled = store.mail(id(103)).await.unwrap().unwrap();
    assert_eq!((cancelled.state, cancelled.content, cancelled.version), (MailState::Cancelled, None, 3));
    let stored = store.mail(id(102)).await.unwrap().unwrap();
    assert_eq!((stored.state, stored.content), (MailState::Sent, None), "what is sent stays so, and keeps nothing");
    let writes = vec![
        Write::CancelMails { invitation_id: id(1), reason: "a newer one".to_owned() },
        Write::InsertMail(Box::new(mail(104, 1))),
    ];
    store.commit(writes).await.unwrap();
    assert_eq!(due(99, 10).await, [id(104)], "the newer one of the same batch is not taken back");
}

async fn invitations_go_with_their_user_and_their_age(ground: &Ground) {
    let store = &ground.store;
    invite(ground, 1, 11).await;
    invite(ground, 2, 12).await;
    let delete = Write::DeleteUser { user: Box::new(user(11)), warning: "gone".to_owned() };
    store.commit(vec![delete]).await.unwrap();
    assert!(store.invitation(id(1)).await.unwrap().is_none());
    assert!(store.mail(id(101)).await.unwrap().is_none());
    let prune = |before| Write::Prune { what: Expired::Invitations, before, limit: 10 };
    store.commit(vec![prune(at(100))]).await.unwrap();
    assert!(store.invitation(id(2)).await.unwrap().is_some());
    store.commit(vec![prune(at(100) + Duration::MILLISECOND)]).await.unwrap();
    assert!(store.invitation(id(2)).await.unwrap().is_none() && store.mail(id(102)).await.unwrap().is_none());
}

async fn a_text_takes_the_place_of_another(Ground { store, .. }: &Ground) {
    let template = |subject: &str| MailTemplate {
        language: Language::French,
        text: Text { subject: subject.to_owned(), body: "{url}".to_owned() },
        changed_by: "root".to_owned(),
        changed_at: at(1),
    };
    for subject in ["Salut", "Bonjour"] {
        store.commit(vec![Write::SaveMailTemplate(Box::new(template(subject)))]).await.unwrap();
        assert_same(&store.mail_template(Language::French).await.unwrap().unwrap(), &template(subject));
    }
    assert!(store.mail_template(Language::English).await.unwrap().is_none());
    store.commit(vec![Write::DeleteMailTemplate(Language::French)]).await.unwrap();
    assert!(is_conflict(store.commit(vec![Write::DeleteMailTemplate(Language::French)]).await));
}
