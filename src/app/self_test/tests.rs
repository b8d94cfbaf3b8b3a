use async_trait::async_trait;

use super::*;
use crate::app::Settings;
use crate::app::ports::Walker;
use crate::app::testing::Ground;

const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

/// Walks nowhere, and remembers where it should have.
#[derive(Default)]
struct Counting(Mutex<Vec<Walk>>);

#[async_trait]
impl Walker for Counting {
    async fn walk(&self, walk: Walk) -> Result<Report, String> {
        self.0.lock().unwrap().push(walk);
        tokio::task::yield_now().await;
        Ok(Report::default())
    }
}

async fn ground(walker: &Arc<Counting>, domains: &[&str]) -> Ground {
    let mut ground = Ground::new().await;
    let domains = domains.iter().map(|domain| (*domain).to_owned()).collect();
    let settings = Settings { self_test: true, domains, ..Settings::clone(&ground.app.settings) };
    ground.app.settings = Arc::new(settings);
    ground.app.walker = Arc::clone(walker) as Arc<dyn Walker>;
    ground
}

// covers: S-15
#[tokio::test]
async fn only_what_is_configured_is_ever_walked() {
    let walker: Arc<Counting> = Arc::default();
    let ground = ground(&walker, &["fabrikam.test", "xn--bcher-kva.test"]).await;
    let own = ground.app.own_host().unwrap();
    let domain = |name: &str| Ok(Start::Domain(name.to_owned()));
    let cases = [
        ("", Ok(Start::Server)),
        (own.as_str(), Ok(Start::Server)),
        (ground.app.settings.url.as_str(), Ok(Start::Server)),
        ("fabrikam.test", domain("fabrikam.test")),
        (" Ada@FABRIKAM.test. ", domain("fabrikam.test")),
        ("EnterpriseEnrollment.fabrikam.test", domain("fabrikam.test")),
        ("ada@bücher.test", domain("xn--bcher-kva.test")),
        ("xn--bcher-kva.test", domain("xn--bcher-kva.test")),
        ("www.fabrikam.test", Err(NotTested::NotServed)),
        ("fabrikam.test.evil.test", Err(NotTested::NotServed)),
        ("fabrikam.test@evil.test", Err(NotTested::NotServed)),
        ("https://fabrikam.test/", Err(NotTested::NotServed)),
        ("fabrikam.test:8443", Err(NotTested::NotServed)),
        ("169.254.169.254", Err(NotTested::NotServed)),
        ("evil.test", Err(NotTested::NotServed)),
        ("fabrikam.test/../x", Err(NotTested::NotServed)),
    ];
    for (typed, expected) in cases {
        assert_eq!(ground.app.self_test_start(typed, ADDRESS), expected, "{typed}");
    }
    ground.app.self_test(&Start::Domain("fabrikam.test".to_owned())).await.unwrap();
    let walks = walker.0.lock().unwrap();
    let url = Url::parse(&ground.app.settings.url).unwrap();
    let own_authority = authority(&url).unwrap().0;
    assert_eq!(walks[0].only, ["enterpriseenrollment.fabrikam.test:443".to_owned(), own_authority]);
    assert_eq!(walks[0].expected.as_deref(), Some(own.as_str()));
    assert_eq!(walks[0].device, Url::parse(&ground.app.settings.device_url).unwrap());
}

#[tokio::test]
async fn one_network_has_few_tries_and_wrong_names_are_tries() {
    let ground = ground(&Arc::default(), &["fabrikam.test"]).await;
    let mut refused = (0..100).map(|_| ground.app.self_test_start("evil.test", ADDRESS));
    let first = refused.position(|found| matches!(found, Err(NotTested::TooMany { seconds: 1.. })));
    assert!(first.is_some_and(|tries| (5..=30).contains(&tries)), "{first:?}");
    let elsewhere = "192.0.2.8".parse().unwrap();
    assert_eq!(ground.app.self_test_start("", elsewhere), Ok(Start::Server));
}

#[tokio::test]
async fn one_walk_serves_everybody_for_a_minute() {
    let walker: Arc<Counting> = Arc::default();
    let ground = ground(&walker, &[]).await;
    let all = (0..20).map(|_| {
        let app = ground.app.clone();
        tokio::spawn(async move { app.self_test(&Start::Server).await.unwrap().at })
    });
    for one in all.collect::<Vec<_>>() {
        assert_eq!(one.await.unwrap(), ground.app.now());
    }
    assert_eq!(walker.0.lock().unwrap().len(), 1);
    ground.clock.advance(FRESH);
    ground.app.self_test(&Start::Server).await.unwrap();
    assert_eq!(walker.0.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn who_finds_no_place_is_told_so() {
    let walker: Arc<Counting> = Arc::default();
    let ground = ground(&walker, &[]).await;
    let all = ground.app.memory.self_tests.at_work.acquire_many(u32::try_from(MOST_AT_WORK).unwrap()).await.unwrap();
    assert_eq!(ground.app.self_test(&Start::Server).await.unwrap_err(), NotTested::Busy);
    drop(all);
    ground.app.self_test(&Start::Server).await.unwrap();
    assert_eq!(walker.0.lock().unwrap().len(), 1);
}
