use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use time::Duration;
use url::Url;

use super::*;
use crate::app::ActionRequest;
use crate::app::ports::{HttpAnswer, HttpClient};
use crate::app::testing::Ground;
use crate::domain::action::Action;
use crate::domain::push::{ChannelHost, ChannelUri, PushChange, Registration};

const CHANNEL: &str = "https://db5p.notify.windows.com/?token=geheim";

/// WNS and its token server; answers as told, else well.
#[derive(Default)]
struct Wns {
    answers: Mutex<VecDeque<Result<HttpAnswer, HttpError>>>,
    pushes: Mutex<Vec<(String, String)>>,
    tokens: Mutex<u64>,
    has_no_tokens: bool,
}

impl Wns {
    fn answer(&self, status: u16, headers: &[(&str, &str)]) {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.answers.lock().unwrap().push_back(Ok(HttpAnswer { status, headers, body: Vec::new() }));
    }

    fn pushes(&self) -> usize {
        self.pushes.lock().unwrap().len()
    }
}

#[async_trait]
impl HttpClient for Wns {
    async fn post(&self, request: HttpPost) -> Result<HttpAnswer, HttpError> {
        if request.url.host_str() == Some("login.example.test") {
            if self.has_no_tokens {
                return Err(HttpError::TimedOut { host: "login.example.test".to_owned() });
            }
            let mut count = self.tokens.lock().unwrap();
            *count += 1;
            let body = format!(r#"{{"access_token":"token-{count}","token_type":"bearer","expires_in":86400}}"#);
            return Ok(HttpAnswer { status: 200, headers: Vec::new(), body: body.into_bytes() });
        }
        let header = |name| request.headers.iter().find(|(key, _)| *key == name).unwrap().1.clone();
        self.pushes.lock().unwrap().push((request.url.to_string(), header("Authorization")));
        assert_eq!((request.body.as_slice(), header("X-WNS-Type").as_str()), (wns::BODY, "wns/raw"));
        let usual = || Ok(HttpAnswer { status: 200, headers: Vec::new(), body: Vec::new() });
        self.answers.lock().unwrap().pop_front().unwrap_or_else(usual)
    }
}

/// An application with push, a device with a channel, and WNS.
struct Stage {
    ground: Ground,
    app: App,
    wns: Arc<Wns>,
    enrollment: Enrollment,
}

impl Stage {
    async fn new() -> Self {
        Self::with(Ground::new().await, Wns::default()).await
    }

    async fn with(ground: Ground, wns: Wns) -> Self {
        let wns = Arc::new(wns);
        let app = with_push(&ground.app, &wns);
        let enrollment = ground.enrollment().await;
        let stage = Self { ground, app, wns, enrollment };
        stage.report(CHANNEL).await;
        stage
    }

    async fn report(&self, channel: &str) {
        let uri = ChannelUri::received(channel);
        let change = PushChange::Channel { uri, refusal: None, at: self.app.now() };
        self.commit(Write::ChangePush { enrollment_id: self.enrollment.id, change }).await;
    }

    async fn commit(&self, write: Write) {
        self.app.commit(vec![write]).await.unwrap();
    }

    /// New work.
    async fn order(&self) -> Id<crate::domain::command::QueuedCommand> {
        let request = ActionRequest { action: Action::Sync, reason: None, expires_in: None };
        let by = self.ground.admin().await;
        self.app.request_action(&by, self.enrollment.device_id, request, None, false).await.unwrap().id
    }

    async fn round(&self) -> Vec<Outcome> {
        self.app.push_to_due().await.unwrap().outcomes
    }

    async fn push(&self) -> Push {
        self.app.store.push(self.enrollment.id).await.unwrap().unwrap()
    }

    fn pass(&self, minutes: i64) {
        self.ground.clock.advance(Duration::minutes(minutes));
    }
}

fn with_push(app: &App, wns: &Arc<Wns>) -> App {
    let mut settings = app.settings.as_ref().clone();
    settings.push = Some(PushSettings {
        pfn: "Example_1".to_owned(),
        client_id: "ms-app://s-1-15-2-1".to_owned(),
        client_secret: "secret".into(),
        token_url: Url::parse("https://login.example.test/token").unwrap(),
        channel_hosts: vec![ChannelHost::wns()],
    });
    App { settings: Arc::new(settings), http: Arc::clone(wns) as Arc<dyn HttpClient>, ..app.clone() }
}

#[tokio::test]
async fn new_work_wakes_its_device_once_in_five_minutes() {
    let stage = Stage::new().await;
    assert_eq!(stage.round().await, [], "there is no work");
    stage.order().await;
    stage.order().await;
    assert_eq!(stage.round().await, [Outcome::Received], "two orders, one push");
    assert_eq!(*stage.wns.pushes.lock().unwrap(), [(CHANNEL.to_owned(), "Bearer token-1".to_owned())]);
    assert_eq!(stage.round().await, [], "it was woken");
    stage.order().await;
    assert_eq!(stage.push().await.wake_at, Some(stage.app.now() + Duration::minutes(5)));
    stage.pass(4);
    assert_eq!(stage.round().await, []);
    stage.pass(1);
    assert_eq!(stage.round().await, [Outcome::Received], "what came within the pause is not forgotten");
    assert_eq!(stage.push().await.wake_at, None);
}

#[tokio::test]
async fn work_that_is_gone_wakes_nobody() {
    let stage = Stage::new().await;
    let order = stage.order().await;
    stage.app.cancel_command(&stage.ground.admin().await, order).await.unwrap();
    assert_eq!(stage.round().await, []);
    let push = stage.push().await;
    assert_eq!((push.wake_at, push.claimed_by, push.last), (None, None, None));
    stage.order().await;
    assert_eq!(stage.round().await, [Outcome::Received], "new work does");
}

#[tokio::test]
async fn a_device_without_a_channel_is_not_pushed_to() {
    let stage = Stage::new().await;
    stage.report("").await;
    stage.order().await;
    assert_eq!((stage.round().await, stage.push().await.wake_at), (vec![], None));
    stage.report("https://example.test/").await;
    stage.order().await;
    assert_eq!((stage.round().await, stage.wns.pushes()), (vec![], 0), "M-122: it is judged before every push");
}

#[tokio::test]
async fn without_push_nothing_is_due() {
    let stage = Stage::new().await;
    let request = ActionRequest { action: Action::Sync, reason: None, expires_in: None };
    let (app, by) = (&stage.ground.app, stage.ground.admin().await);
    app.request_action(&by, stage.enrollment.device_id, request, None, false).await.unwrap();
    assert_eq!(stage.push().await.wake_at, None);
    assert_eq!(app.push_to_due().await.unwrap(), Round::default());
}

// covers: M-123
#[tokio::test]
async fn a_dead_channel_is_forgotten_but_no_newer_one() {
    for (status, outcome, pfn) in [
        (404, Outcome::Gone, Some("Example_1")),
        (410, Outcome::Gone, Some("Example_1")),
        (403, Outcome::Forbidden, None),
    ] {
        let stage = Stage::new().await;
        let made = Registration { pfn: Some("Example_1".to_owned()), status: Some(200), at: Some(stage.app.now()) };
        let change = PushChange::Registered(made);
        stage.commit(Write::ChangePush { enrollment_id: stage.enrollment.id, change }).await;
        stage.wns.answer(status, &[]);
        stage.order().await;
        assert_eq!(stage.round().await, [outcome], "M-123: {status}");
        let push = stage.push().await;
        assert_eq!((&push.channel, push.wake_at), (&None, None), "M-123: {status}");
        assert_eq!(push.registration.pfn.as_deref(), pfn, "{status}: whether the name is given anew");
        stage.report(CHANNEL).await;
        let seq = stage.push().await.channel_seq;
        let late =
            Write::ForgetChannel { enrollment_id: stage.enrollment.id, channel_seq: seq - 1, at: stage.app.now() };
        stage.commit(late).await;
        assert!(stage.push().await.channel.is_some(), "M-123: {status}: a newer one stays");
        stage.pass(5);
        stage.order().await;
        assert_eq!(stage.round().await, [Outcome::Received], "{status}");
    }
}

// covers: M-124
#[tokio::test]
async fn a_throttled_channel_is_left_alone_for_a_quarter_of_an_hour_at_least() {
    let stage = Stage::new().await;
    stage.wns.answer(406, &[]);
    stage.order().await;
    assert_eq!(stage.round().await, [Outcome::Throttled]);
    stage.order().await;
    stage.pass(14);
    assert_eq!(stage.round().await, [], "M-124");
    stage.wns.answer(406, &[("Retry-After", "3600")]);
    stage.pass(1);
    assert_eq!(stage.round().await, [Outcome::Throttled], "M-124: tried again by itself");
    stage.pass(59);
    assert_eq!(stage.round().await, [], "M-124: as long as WNS asks for");
    stage.pass(1);
    assert_eq!(stage.round().await, [Outcome::Received], "M-124");
    assert_eq!(stage.wns.pushes(), 3);
}

#[tokio::test]
async fn what_fails_is_tried_again_and_given_up_in_the_end() {
    let stage = Stage::new().await;
    for _ in 0..9 {
        stage.wns.answer(503, &[("X-WNS-Error-Description", "down for maintenance")]);
    }
    stage.order().await;
    let mut minutes = Vec::new();
    for minute in 0..400 {
        if stage.round().await == [Outcome::Unavailable] {
            minutes.push(minute);
        }
        stage.pass(1);
    }
    assert_eq!(minutes, [0, 5, 15, 35, 75, 135]);
    let push = stage.push().await;
    assert_eq!((push.wake_at, push.tries), (None, 0), "the device calls by itself some day");
    assert_eq!(push.last.unwrap().detail.as_deref(), Some("WNS answered 503: down for maintenance"));
}

// covers: M-121
#[tokio::test]
async fn a_token_that_is_refused_is_fetched_anew_once() {
    let stage = Stage::new().await;
    stage.wns.answer(401, &[]);
    stage.order().await;
    assert_eq!(stage.round().await, [Outcome::Received]);
    let shown: Vec<String> = stage.wns.pushes.lock().unwrap().iter().map(|(_, token)| token.clone()).collect();
    assert_eq!(shown, ["Bearer token-1", "Bearer token-2"], "M-121");
    for _ in 0..2 {
        stage.wns.answer(401, &[]);
    }
    stage.pass(5);
    stage.order().await;
    assert_eq!(stage.round().await, [Outcome::Unauthorized], "M-121: not for ever");
    assert_eq!((stage.wns.pushes(), *stage.wns.tokens.lock().unwrap()), (4, 3));
    stage.pass(5);
    assert_eq!(stage.round().await, [Outcome::NoToken], "nobody asks for a token for a while");
    assert_eq!((stage.wns.pushes(), *stage.wns.tokens.lock().unwrap()), (4, 3));
    stage.pass(10);
    assert_eq!(stage.round().await, [Outcome::Received]);
}

#[tokio::test]
async fn a_token_server_that_is_away_is_asked_once_for_all_devices() {
    let stage = Stage::with(Ground::new().await, Wns { has_no_tokens: true, ..Wns::default() }).await;
    stage.order().await;
    assert_eq!(stage.round().await, [Outcome::NoToken]);
    let push = stage.push().await;
    let last = push.last.unwrap();
    assert_eq!(last.detail.as_deref(), Some("login.example.test did not answer in time"));
    assert_eq!(push.wake_at, Some(last.not_before));
}

#[tokio::test]
async fn the_push_of_a_process_that_died_is_sent_by_the_next_one() {
    let stage = Stage::new().await;
    stage.order().await;
    let claim = Write::ClaimPush { enrollment_id: stage.enrollment.id, by: "dead".to_owned(), from: None };
    stage.commit(claim.clone()).await;
    assert!(stage.app.commit(vec![claim]).await.is_err(), "claimed once");
    assert_eq!(stage.round().await, [Outcome::Received]);
    assert_eq!(stage.push().await.claimed_by, None);
    let sent = stage.push().await.last.unwrap();
    let late = Sent { outcome: Outcome::Gone, ..sent.clone() };
    let id = stage.enrollment.id;
    let by = "dead".to_owned();
    stage.commit(Write::SavePushSent { enrollment_id: id, by, sent: Box::new(late), tries: 0, retry_at: None }).await;
    assert_eq!(stage.push().await.last, Some(sent), "the dead one comes too late");
}

#[tokio::test]
async fn of_several_processes_one_pushes() {
    let stage = Stage::with(Ground::shared().await, Wns::default()).await;
    let other = with_push(&stage.ground.other_process(), &stage.wns);
    stage.order().await;
    let (mine, theirs) = tokio::join!(stage.app.push_to_due(), other.push_to_due());
    let (mine, theirs) = (mine.unwrap().outcomes, theirs.unwrap().outcomes);
    assert_eq!([mine, theirs].concat(), [Outcome::Received], "one of the two");
    assert_eq!(stage.wns.pushes(), 1);
    // The one that held the duty is gone, and so is what it had claimed.
    let holder = stage.app.store.lease("push").await.unwrap().unwrap().holder.unwrap();
    let survivor = if stage.app.memory.duties.me() == holder { &other } else { &stage.app };
    stage.pass(5);
    stage.order().await;
    stage.commit(Write::ClaimPush { enrollment_id: stage.enrollment.id, by: holder, from: None }).await;
    assert_eq!(survivor.push_to_due().await.unwrap().outcomes, [], "not while the lease may be held");
    stage.pass(1);
    assert_eq!(survivor.push_to_due().await.unwrap().outcomes, [Outcome::Received], "R-11: taken over");
    assert_eq!(stage.wns.pushes(), 2);
}

#[tokio::test]
async fn a_round_is_bounded() {
    let stage = Stage::new().await;
    for _ in 0..ROUND {
        let enrollment = stage.ground.enrollment().await;
        let uri = ChannelUri::received(CHANNEL);
        let change = PushChange::Channel { uri, refusal: None, at: stage.app.now() };
        let id = enrollment.id;
        stage.commit(Write::ChangePush { enrollment_id: id, change }).await;
        stage.commit(Write::WakeDevice { enrollment_id: id, at: stage.app.now() }).await;
    }
    stage.order().await;
    let first = stage.app.push_to_due().await.unwrap();
    assert!(first.is_full);
    let second = stage.app.push_to_due().await.unwrap();
    assert!(!second.is_full);
    assert_eq!([first.outcomes, second.outcomes].concat(), [Outcome::Received], "only one has work");
}
