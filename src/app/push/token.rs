//! Access tokens of WNS: kept until shortly before their end, and fetched by one at a time, however many need one
//! (management reference 6.2).

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use crate::app::PushSettings;
use crate::app::ports::{HttpClient, HttpError, HttpPost};
use crate::proto::wns::{self, TokenGrant, TokenRefused};

/// The token of this process, if it has one.
#[derive(Default)]
pub(in crate::app) struct Tokens(Mutex<State>);

#[derive(Default)]
struct State {
    token: Option<Token>,
    /// Tokens fetched so far.
    fetched: u64,
    trouble: Option<Trouble>,
}

/// A token, counted from 1. Its `Debug` hides it.
#[derive(Clone, Debug)]
pub(super) struct Token {
    secret: SecretString,
    number: u64,
    /// Not used from then on, by the steady clock.
    until: Duration,
}

impl Token {
    /// The value of the header that shows it.
    pub(super) fn authorization(&self) -> String {
        format!("Bearer {}", self.secret.expose_secret())
    }
}

/// Why there is no token; nobody asks for one until then.
struct Trouble {
    problem: TokenProblem,
    until: Duration,
    /// Failures in a row.
    count: u32,
}

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TokenProblem {
    /// The token server did not answer.
    #[error(transparent)]
    Unanswered(#[from] HttpError),
    /// It gave none.
    #[error(transparent)]
    Refused(#[from] TokenRefused),
    /// WNS does not accept what it gave.
    #[error("WNS does not accept a token that was fetched a moment ago")]
    NotAccepted,
}

impl Tokens {
    /// A token: the one at hand unless that is the `stale` one, else a new one. Who comes while one is fetched waits for it.
    pub(super) async fn take(
        &self,
        now: Duration,
        stale: Option<&Token>,
        fetch: impl AsyncFnOnce() -> Result<TokenGrant, TokenProblem>,
    ) -> Result<Token, TokenProblem> {
        let mut state = self.0.lock().await;
        let is_good = |token: &&Token| now < token.until && stale.is_none_or(|stale| stale.number != token.number);
        if let Some(token) = state.token.as_ref().filter(is_good) {
            return Ok(token.clone());
        }
        if let Some(trouble) = state.trouble.as_ref().filter(|trouble| now < trouble.until) {
            return Err(trouble.problem.clone());
        }
        match fetch().await {
            Ok(grant) => Ok(state.keep(grant, now)),
            Err(problem) => Err(state.fail(problem, now)),
        }
    }

    /// A token that was fetched because the one before was refused is refused as well: none is fetched for a while.
    pub(super) async fn distrust(&self, token: &Token, now: Duration) {
        let mut state = self.0.lock().await;
        if state.token.as_ref().is_some_and(|known| known.number == token.number) {
            state.token = None;
            state.fail(TokenProblem::NotAccepted, now);
        }
    }

    /// Tokens fetched so far.
    pub(super) async fn fetched(&self) -> u64 {
        self.0.lock().await.fetched
    }
}

impl State {
    fn keep(&mut self, grant: TokenGrant, now: Duration) -> Token {
        self.fetched += 1;
        let life = Duration::from_secs(grant.expires_in.clamp(1, LONGEST_LIFE.as_secs()));
        // One that lives no longer than the reserve is used for half of its time.
        let until = now + if life > RESERVE { life - RESERVE } else { life / 2 };
        let token = Token { secret: grant.access_token.into(), number: self.fetched, until };
        self.token = Some(token.clone());
        self.trouble = None;
        token
    }

    fn fail(&mut self, problem: TokenProblem, now: Duration) -> TokenProblem {
        let count = self.trouble.as_ref().map_or(0, |trouble| trouble.count) + 1;
        let pause = match problem {
            TokenProblem::NotAccepted => LONGEST_PAUSE,
            _ => (FIRST_PAUSE * 2_u32.pow((count - 1).min(10))).min(LONGEST_PAUSE),
        };
        tracing::warn!(%problem, seconds = pause.as_secs(), "no token for push; tried again later");
        self.trouble = Some(Trouble { problem: problem.clone(), until: now + pause, count });
        problem
    }
}

/// Asks for a token.
pub(super) async fn fetch(http: &dyn HttpClient, app: &PushSettings) -> Result<TokenGrant, TokenProblem> {
    let body = wns::token_request(&app.client_id, app.client_secret.expose_secret());
    let request = HttpPost {
        url: app.token_url.clone(),
        headers: vec![("Content-Type", wns::FORM.to_owned())],
        body: body.into_bytes(),
    };
    let answer = http.post(request).await?;
    Ok(TokenGrant::read(answer.status, &answer.body)?)
}

/// A token is not used in its last minutes.
const RESERVE: Duration = Duration::from_secs(5 * 60);
/// Longest life that is believed; WNS gives a day.
const LONGEST_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);
/// After a failure no token is asked for so long, twice as long after the next one.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn at(minutes: u64) -> Duration {
        Duration::from_secs(60 * minutes)
    }

    /// Gives tokens with that life, and counts.
    struct Server {
        given: AtomicU64,
        seconds: u64,
    }

    impl Server {
        fn new(seconds: u64) -> Self {
            Self { given: AtomicU64::new(0), seconds }
        }

        async fn give(&self) -> Result<TokenGrant, TokenProblem> {
            let number = self.given.fetch_add(1, Ordering::Relaxed);
            // Others come meanwhile.
            tokio::task::yield_now().await;
            let seconds = self.seconds;
            let body = format!(r#"{{"access_token":"token-{number}","token_type":"bearer","expires_in":{seconds}}}"#);
            Ok(TokenGrant::read(200, body.as_bytes())?)
        }
    }

    async fn refuse() -> Result<TokenGrant, TokenProblem> {
        Ok(TokenGrant::read(400, br#"{"error":"invalid_client"}"#)?)
    }

    // covers: M-121
    #[tokio::test]
    async fn a_token_is_kept_until_five_minutes_before_its_end() {
        for (life, kept) in [(86_400, 24 * 60 - 5), (3600, 55), (301, 0), (240, 2)] {
            let (tokens, server) = (Tokens::default(), Server::new(life));
            for minutes in [0, kept.max(1) - 1, kept, kept + 1] {
                tokens.take(at(minutes), None, || server.give()).await.unwrap();
            }
            assert_eq!(tokens.fetched().await, 2, "M-121: a token that lives {life} seconds");
        }
    }

    // covers: M-121
    #[tokio::test]
    async fn many_that_are_refused_at_once_bring_one_new_token() {
        let (tokens, server) = (Tokens::default(), Server::new(86_400));
        let take = async |stale: Option<&Token>| tokens.take(at(0), stale, || server.give()).await.unwrap();
        let old = take(None).await;
        let taken = futures(8, || take(Some(&old))).await;
        assert!(taken.iter().all(|token| token.authorization() == "Bearer token-1"), "{}", taken.len());
        assert_eq!(server.given.load(Ordering::Relaxed), 2, "M-121: refreshed once");
        let late = take(Some(&old)).await;
        assert_eq!(late.authorization(), "Bearer token-1", "M-121: who still has the old one is given the new one");
    }

    /// Runs so many at once to their ends.
    async fn futures<T, F: Future<Output = T>>(count: usize, make: impl Fn() -> F) -> Vec<T> {
        let mut running: Vec<_> = (0..count).map(|_| (Box::pin(make()), None)).collect();
        std::future::poll_fn(|context| {
            for (future, done) in running.iter_mut().filter(|(_, done)| done.is_none()) {
                if let std::task::Poll::Ready(value) = future.as_mut().poll(context) {
                    *done = Some(value);
                }
            }
            if running.iter().all(|(_, done)| done.is_some()) {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
        running.into_iter().filter_map(|(_, done)| done).collect()
    }

    #[tokio::test]
    async fn a_token_server_that_refuses_is_left_alone_for_longer_and_longer() {
        let (tokens, server) = (Tokens::default(), Server::new(86_400));
        let asked = AtomicU64::new(0);
        let mut seconds = 0;
        for pause in [30, 60, 120, 240, 480, 900, 900] {
            for early in [0, pause - 1] {
                let count = async || {
                    asked.fetch_add(1, Ordering::Relaxed);
                    refuse().await
                };
                let problem = tokens.take(Duration::from_secs(seconds + early), None, count).await.unwrap_err();
                assert_eq!(problem.to_string(), "the token server answered 400 (invalid_client)");
            }
            seconds += pause;
        }
        assert_eq!(asked.load(Ordering::Relaxed), 7, "once a pause");
        tokens.take(Duration::from_secs(seconds), None, || server.give()).await.unwrap();
    }

    #[tokio::test]
    async fn a_new_token_that_is_not_accepted_either_stops_everybody_for_a_while() {
        let (tokens, server) = (Tokens::default(), Server::new(86_400));
        let take = async |minutes| tokens.take(at(minutes), None, || server.give()).await;
        let old = take(0).await.unwrap();
        let new = tokens.take(at(0), Some(&old), || server.give()).await.unwrap();
        tokens.distrust(&old, at(0)).await;
        take(0).await.expect("the old one is not at hand any more");
        tokens.distrust(&new, at(0)).await;
        assert_eq!(take(14).await.unwrap_err(), TokenProblem::NotAccepted);
        take(15).await.unwrap();
        assert_eq!(server.given.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn debug_shows_no_token() {
        let token = Token { secret: "geheim".into(), number: 1, until: at(1) };
        assert!(!format!("{token:?}").contains("geheim"));
    }
}
