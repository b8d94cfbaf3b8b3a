use std::fs;

use crate::adapters::system::ManualClock;
use crate::config::HttpsUrl;
use crate::pki::create::{CaNames, Certified};

use super::*;

struct Ground {
    home: tempfile::TempDir,
    config: Config,
    sealer: Arc<Sealer>,
    clock: Arc<ManualClock>,
    root: Certified,
}

impl Ground {
    /// An installation with a server certificate of ours, made now.
    fn new() -> Self {
        let now = time::macros::datetime!(2026-11-20 12:00 UTC);
        let home = tempfile::tempdir().unwrap();
        let data = DataFolder::new(home.path(), None);
        data.create().unwrap();
        let sealer = data.create_sealer(SystemRng).unwrap();
        let (names, serial) = (CaNames::new(None, [1, 2, 3]), Serial::from_random([1; 16]));
        let root = create::root(&names, serial, now).unwrap();
        let issuing = create::issuing(&root, &names, serial, now).unwrap();
        data.write_ca(&root, &issuing, &sealer).unwrap();
        let config = Config::with_defaults(HttpsUrl::parse("https://mdm.example").unwrap());
        make(&data, &config, &sealer, now).unwrap();
        Self { home, config, sealer: Arc::new(sealer), clock: Arc::new(ManualClock::new(now)), root }
    }

    fn folder(&self) -> DataFolder {
        DataFolder::new(self.home.path(), None)
    }

    fn keeper(&self) -> Keeper {
        Keeper::open(self.folder(), self.config.clone(), self.sealer.clone(), self.clock.clone()).unwrap()
    }

    /// A certificate of another CA.
    fn foreign(&self) -> (Certified, Certified) {
        let (serial, now) = (Serial::from_random([2; 16]), self.clock.now());
        let root = create::root(&CaNames::new(Some("Public"), [4, 5, 6]), serial, now).unwrap();
        (create::server(&root, &hosts(&self.config), serial, now).unwrap(), root)
    }
}

fn leaf(keeper: &Keeper) -> Vec<u8> {
    keeper.certificate.current().end_entity_cert().unwrap().to_vec()
}

#[test]
fn ours_is_made_anew_after_two_thirds_of_its_life_without_a_restart() {
    let ground = Ground::new();
    let mut keeper = ground.keeper();
    let (first, in_use) = (leaf(&keeper), keeper.certificate());
    for (pass, is_new) in [(Duration::days(264), false), (Duration::minutes(59), false), (Duration::DAY, true)] {
        ground.clock.advance(pass);
        keeper.look().unwrap();
        assert_eq!(leaf(&keeper) != first, is_new, "{pass}");
    }
    assert_eq!(in_use.current().end_entity_cert().unwrap().to_vec(), leaf(&keeper), "the listener uses it");
    assert!(crate::pki::covers(&leaf(&keeper), "mdm.example"));
    let second = leaf(&keeper);
    assert_eq!(leaf(&ground.keeper()), second, "it is on the disk");
    ground.clock.advance(Duration::days(30));
    keeper.look().unwrap();
    assert_eq!(leaf(&keeper), second);
}

#[test]
fn ours_is_made_anew_at_the_start_for_a_new_host_or_a_lost_key() {
    let mut ground = Ground::new();
    let first = leaf(&ground.keeper());
    ground.config.enroll.domains = vec!["Example.test".to_owned()];
    let second = leaf(&ground.keeper());
    assert!(first != second && crate::pki::covers(&second, "enterpriseenrollment.example.test"));
    let (foreign, _) = ground.foreign();
    let pem = crate::pki::pem::encode(crate::pki::pem::PRIVATE_KEY, &foreign.key);
    fs::write(ground.home.path().join(TLS_KEY), pem).unwrap();
    assert_ne!(leaf(&ground.keeper()), second);
}

#[test]
fn the_operators_own_is_read_again_when_it_changes_and_never_replaced_by_us() {
    let ground = Ground::new();
    let mut keeper = ground.keeper();
    let ours = leaf(&keeper);
    let (foreign, root) = ground.foreign();
    ground.folder().write_tls(&foreign, &root.certificate).unwrap();
    keeper.look().unwrap();
    assert_ne!(leaf(&keeper), ours);
    assert_eq!(leaf(&keeper), foreign.certificate);
    ground.clock.advance(Duration::days(400));
    keeper.look().unwrap();
    assert_eq!(leaf(&keeper), foreign.certificate, "expired, and still not ours to replace");
    let (renewed, _) = ground.foreign();
    ground.folder().write_tls(&renewed, &ground.root.certificate).unwrap();
    keeper.look().unwrap();
    assert_eq!(leaf(&keeper), renewed.certificate);
}

#[test]
fn half_of_a_pair_is_not_taken() {
    let ground = Ground::new();
    let mut keeper = ground.keeper();
    let ours = leaf(&keeper);
    let (foreign, root) = ground.foreign();
    let key = ground.home.path().join(TLS_KEY);
    let our_key = fs::read(&key).unwrap();
    ground.folder().write_tls(&foreign, &root.certificate).unwrap();
    let foreign_key = fs::read(&key).unwrap();
    fs::write(&key, our_key).unwrap();
    assert!(keeper.look().is_err());
    assert_eq!(leaf(&keeper), ours);
    keeper.look().unwrap();
    fs::write(&key, foreign_key).unwrap();
    keeper.look().unwrap();
    assert_eq!(leaf(&keeper), foreign.certificate);
    fs::remove_file(&key).unwrap();
    assert!(keeper.look().is_err());
    assert_eq!(leaf(&keeper), foreign.certificate, "what is in use stays");
}

#[test]
fn the_root_that_devices_need_is_the_one_above_the_certificate() {
    let ground = Ground::new();
    let served = ServedRoot::new(ground.folder(), ground.config.clone());
    assert_eq!(served.private_root(), Ok(Some(ground.root.certificate.clone())), "ours");
    let (foreign, root) = ground.foreign();
    ground.folder().write_tls(&foreign, &root.certificate).unwrap();
    assert_eq!(served.private_root(), Ok(Some(root.certificate.clone())), "one that an operator put there");
    let chain = crate::pki::pem::encode(crate::pki::pem::CERTIFICATE, &foreign.certificate);
    fs::write(ground.home.path().join(TLS_PEM), chain).unwrap();
    assert_eq!(served.private_root(), Ok(None), "a chain without a root counts as a public one");
    fs::remove_file(ground.home.path().join(TLS_PEM)).unwrap();
    assert!(served.private_root().is_err());
}
