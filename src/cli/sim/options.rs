//! What a run is to be, read from the command line.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::cli::Usage;
use crate::sim::Profile;

/// Profiles with their shares.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mix(Vec<(Profile, f64)>);

impl Mix {
    /// A file with lines such as `win11 = 80`, or names with shares such as `win11=80%,hololens2=20%`.
    pub(super) fn read(text: &str) -> Result<Self> {
        let path = Path::new(text);
        if !path.is_file() {
            return text.parse::<Self>().map_err(|words| Usage(format!("--profile: {words}")).into());
        }
        let toml = std::fs::read_to_string(path).with_context(|| format!("cannot read {text}"))?;
        let table: toml::Table = toml.parse().map_err(|error| Usage(format!("{text} is no TOML: {error}")))?;
        let shares = table.iter().map(|(name, share)| match share {
            toml::Value::Integer(share) => Ok((name.as_str(), *share as f64)),
            toml::Value::Float(share) => Ok((name.as_str(), *share)),
            _ => Err(format!("{name} needs a number as its share")),
        });
        let mix = shares.collect::<Result<Vec<_>, _>>().and_then(Self::of);
        mix.map_err(|words| Usage(format!("{text}: {words}")).into())
    }

    fn of(shares: Vec<(&str, f64)>) -> Result<Self, String> {
        let mut mix: Vec<(Profile, f64)> = Vec::new();
        for (name, share) in shares {
            let profile = name.parse::<Profile>().map_err(|error| format!("there is no {name:?}: {error}"))?;
            if !share.is_finite() || share < 0.0 {
                return Err(format!("the share of {name} is no positive number"));
            }
            if mix.iter().any(|(known, _)| *known == profile) {
                return Err(format!("{name} is named twice"));
            }
            mix.push((profile, share));
        }
        let whole: f64 = mix.iter().map(|(_, share)| share).sum();
        if whole <= 0.0 {
            return Err("no profile has a share".to_owned());
        }
        mix.iter_mut().for_each(|(_, share)| *share /= whole);
        Ok(Self(mix))
    }

    /// The profiles of that many devices: at every point of the list each has its share, as nearly as whole devices allow.
    pub(super) fn spread(&self, devices: u32) -> Vec<Profile> {
        let mut given = vec![0.0; self.0.len()];
        let mut spread = Vec::new();
        for number in 1..=devices {
            let behind = |place: usize| self.0[place].1 * f64::from(number) - given[place];
            let next = (0..self.0.len()).max_by(|a, b| behind(*a).total_cmp(&behind(*b)).then(b.cmp(a)));
            let next = next.unwrap_or_default();
            given[next] += 1.0;
            spread.push(self.0[next].0);
        }
        spread
    }
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
        let mut shares = Vec::new();
        for part in &parts {
            let (name, share) = match part.split_once('=') {
                Some((name, share)) => {
                    let number = share.trim().trim_end_matches('%').trim();
                    let number = number.parse().map_err(|_| format!("{part} names no share, as in win11=80%"))?;
                    (name.trim(), number)
                }
                None if parts.iter().any(|part| part.contains('=')) => {
                    return Err(format!("{part} has no share, although others have one"));
                }
                None => (*part, 1.0),
            };
            shares.push((name, share));
        }
        Self::of(shares)
    }
}

/// A length of time: a number with `ms`, `s`, `m`, `h` or `d`; a bare number is seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let seconds = match unit {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        _ => return Err("write a number with ms, s, m, h or d, as in 15m".to_owned()),
    };
    let number: f64 = number.parse().map_err(|_| "write a number with ms, s, m, h or d, as in 15m".to_owned())?;
    let length = Duration::try_from_secs_f64(number * seconds).ok().filter(|length| *length <= LONGEST);
    length.ok_or_else(|| "that is longer than ten years".to_owned())
}

/// A number from a millionth to a thousand millions: nothing that is divided by it becomes longer than a time can be.
pub(super) fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if (1e-6..=1e9).contains(&number) => Ok(number),
        _ => Err("write a number from 0.000001 to 1000000000".to_owned()),
    }
}

const LONGEST: Duration = Duration::from_secs(10 * 366 * 86_400);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_kept_at_every_point() {
        let mix: Mix = "win11=80%,hololens2=20%".parse().unwrap();
        let spread = mix.spread(10);
        assert_eq!(spread.iter().filter(|profile| **profile == Profile::HoloLens2).count(), 2);
        assert_eq!(mix.spread(5).iter().filter(|profile| **profile == Profile::HoloLens2).count(), 1);
        let even: Mix = "win11, win10".parse().unwrap();
        assert_eq!(even.spread(4), [Profile::Windows11, Profile::Windows10, Profile::Windows11, Profile::Windows10]);
        assert_eq!("win10".parse::<Mix>().unwrap().spread(2), [Profile::Windows10; 2]);
        assert!(mix.spread(0).is_empty());
    }

    #[test]
    fn what_is_no_mix_is_named() {
        for (text, named) in [
            ("amiga", "no \"amiga\""),
            ("win11=x", "win11=x names no share"),
            ("win11=80%,win10", "win10 has no share"),
            ("win11=1,win11=2", "win11 is named twice"),
            ("win11=0", "no profile has a share"),
            ("win11=-1", "no positive number"),
            ("", "no profile has a share"),
        ] {
            let error = text.parse::<Mix>().unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
    }

    #[test]
    fn lengths_of_time() {
        let millis = |text| duration(text).map(|length| length.as_millis());
        assert_eq!(["250ms", "1.5s", "60", "15m", "8h"].map(millis), [250, 1_500, 60_000, 900_000, 28_800_000].map(Ok));
        for wrong in ["", "x", "5x", "-1s", "4000d", "1.2.3s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_make_no_endless_pause() {
        for wrong in ["0", "-1", "NaN", "inf", "1e-300", "1e-20", "1e10"] {
            assert!(positive(wrong).is_err(), "{wrong}");
        }
        assert_eq!(positive("0.5"), Ok(0.5));
        let least = positive("1e-6").unwrap();
        assert!(
            LONGEST.div_f64(least) > LONGEST && Duration::from_secs_f64(-f64::EPSILON.ln() / least) > Duration::ZERO
        );
    }
}
