use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::*;
use crate::app::Principal;
use crate::app::invitations::{Invite, NewInvitation};
use crate::app::ports::Mailer;
use crate::app::testing::Ground;
use crate::domain::mail::ONE_TRY;
use crate::store::faulty::Faults;

/// Takes every mail, and then something goes wrong with the database.
struct Taker {
    taken: Mutex<Vec<String>>,
    then: Box<dyn Fn() + Send + Sync>,
}

#[async_trait]
impl Mailer for Taker {
    fn is_on(&self) -> bool {
        true
    }

    async fn send(&self, mail: &OutgoingMail<'_>) -> Result<(), MailError> {
        self.taken.lock().unwrap().push(mail.message_id.to_owned());
        (self.then)();
        Ok(())
    }
}

/// An application that sends, what was taken of it, and the database's faults.
async fn sending(then: impl Fn(&Faults) + Send + Sync + 'static) -> (Ground, App, Arc<Taker>, Arc<Faults>) {
    let (ground, faults) = Ground::faulty().await;
    let shared = Arc::clone(&faults);
    let taker = Arc::new(Taker { taken: Mutex::default(), then: Box::new(move || then(&shared)) });
    let app = App { mailer: Arc::clone(&taker) as Arc<dyn Mailer>, ..ground.app.clone() };
    (ground, app, taker, faults)
}

async fn invite(app: &App) -> Mail {
    let new = NewInvitation {
        place: String::new(),
        email: Some(format!("{}@example.test", app.new_trace_id())),
        user: None,
        name: None,
        pin: None,
        expires_in: None,
        language: None,
    };
    let invite = Invite { new: vec![new], ..Invite::default() };
    app.invite(&Principal::system(), &invite, None).await.unwrap().remove(0).view.mail.unwrap()
}

async fn stored(app: &App, mail: &Mail) -> Mail {
    app.store.mail(mail.id).await.unwrap().unwrap()
}

//
#[tokio::test]
async fn that_a_mail_was_taken_is_noted_once_the_database_is_back() {
    let (ground, app, taker, _) = sending(|faults| faults.fail_next(1)).await;
    let mail = invite(&app).await;
    assert_eq!(app.send_due_mails().await.unwrap().sent, 1);
    assert_eq!(stored(&app, &mail).await.state, MailState::Sent);
    ground.clock.advance(ONE_TRY);
    assert_eq!(app.send_due_mails().await.unwrap(), MailRound::default());
    assert_eq!(*taker.taken.lock().unwrap(), [mail.message_id]);
}

//
#[tokio::test]
async fn a_note_in_doubt_is_looked_at_again() {
    let (ground, app, taker, _) = sending(Faults::lose_next_answer).await;
    let mail = invite(&app).await;
    assert_eq!(app.send_due_mails().await.unwrap().sent, 1);
    assert_eq!(stored(&app, &mail).await.state, MailState::Sent);
    ground.clock.advance(ONE_TRY);
    assert_eq!(app.send_due_mails().await.unwrap(), MailRound::default());
    assert_eq!(taker.taken.lock().unwrap().len(), 1);
}

//
#[tokio::test]
async fn a_process_that_dies_before_its_note_sends_once_more_with_the_same_name() {
    let (ground, app, taker, faults) = sending(Faults::hang).await;
    let mail = invite(&app).await;
    let cut = tokio::time::timeout(Duration::from_millis(50), app.send_due_mails()).await;
    assert!(cut.is_err(), "it goes on trying to note it");
    faults.resume();
    let next = App { mailer: Arc::clone(&app.mailer), ..ground.other_process() };
    ground.clock.advance(ONE_TRY - time::Duration::SECOND);
    assert_eq!(next.send_due_mails().await.unwrap(), MailRound::default(), "the other may be at it");
    ground.clock.advance(time::Duration::SECOND);
    let resumed = Arc::clone(&faults);
    let after = tokio::spawn(async move { next.send_due_mails().await.unwrap().sent });
    while taker.taken.lock().unwrap().len() < 2 {
        tokio::task::yield_now().await;
    }
    resumed.resume();
    assert_eq!(after.await.unwrap(), 1);
    assert_eq!(*taker.taken.lock().unwrap(), [mail.message_id.clone(), mail.message_id.clone()]);
    assert_eq!(stored(&app, &mail).await.state, MailState::Sent);
}

#[tokio::test]
async fn what_does_not_open_waits_and_stands_before_nothing() {
    let (ground, app, taker, _) = sending(|_| {}).await;
    let sealed = invite(&app).await;
    let other_keys = ground.with_other_keys();
    let other_keys = App { mailer: Arc::clone(&app.mailer), ..other_keys };
    let readable = invite(&other_keys).await;
    assert_eq!(other_keys.send_due_mails().await.unwrap().sent, 1);
    assert_eq!(*taker.taken.lock().unwrap(), [readable.message_id]);
    let waiting = stored(&other_keys, &sealed).await;
    assert_eq!((waiting.state, waiting.tries, waiting.content), (MailState::Queued, 1, None));
    assert!(waiting.error.unwrap().contains("put the key back"), "an administrator reads why");
    assert_eq!(other_keys.send_due_mails().await.unwrap(), MailRound::default(), "not tried without a pause");
    ground.clock.advance(time::Duration::minutes(2));
    assert_eq!(app.send_due_mails().await.unwrap().sent, 1, "with its key it goes out");
    assert_eq!(taker.taken.lock().unwrap().last(), Some(&sealed.message_id));
}
