//! the server dies at every place that matters, with devices in session and orders coming in. Nothing is lost and
//! nothing is done twice.

use std::str::FromStr;

use muster::failpoint;

use super::chance::Chance;
use super::trial::{Death, Trial};

/// Deaths at each place in the trial that always runs.
const EACH: usize = 5;

#[test]
//
fn nothing_is_lost_or_doubled_wherever_the_server_dies() {
    let seed = Chance::any_seed();
    eprintln!("seed {seed}");
    let places = failpoint::ALL.iter().map(|place| Death::At(place)).chain([Death::AnyTime]);
    let deaths = places.flat_map(|death| [death; EACH]).collect();
    let report = Trial { seed, devices: 3, deaths, most_passes: 12, wipes: 0 }.run();
    eprintln!("{report}");
    report.expect_clean();
}

/// The long trial of `scripts/crash`.
#[test]
#[ignore = "long: run by scripts/crash"]
fn the_long_trial() {
    let seed = setting("CRASH_SEED").unwrap_or_else(Chance::any_seed);
    let (kills, devices) = (setting("CRASH_KILLS").unwrap_or(1000), setting("CRASH_DEVICES").unwrap_or(50));
    eprintln!("seed {seed}");
    let report = Trial { seed, devices, deaths: deaths(seed, kills), most_passes: 60, wipes: devices as u64 / 5 }.run();
    eprintln!("{report}");
    report.expect_clean();
}

/// As many deaths, at places by chance; a plain kill is as likely as one place.
fn deaths(seed: u64, count: usize) -> Vec<Death> {
    let mut chance = Chance::new(!seed);
    let places = failpoint::ALL;
    let mut any = || places.get(chance.below(places.len() as u64 + 1) as usize);
    (0..count).map(|_| any().map_or(Death::AnyTime, |place| Death::At(place))).collect()
}

fn setting<T: FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")))
}
