//! What figures have to be: a table for each in a TOML file.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::catalogue;

/// The release gate, which is also what the table shows.
const SHIPPED: &str = include_str!("../../../docs/bench/targets.toml");

/// A bound on a figure.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Target {
    at_most: Option<f64>,
    at_least: Option<f64>,
}

/// Bounds by the ids of figures.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Targets(BTreeMap<String, Target>);

impl Target {
    /// Whether the value is within it.
    pub(super) fn holds(self, value: f64) -> bool {
        self.at_most.is_none_or(|most| value <= most) && self.at_least.is_none_or(|least| value >= least)
    }

    /// The number to be met.
    pub(super) fn bound(self) -> Option<f64> {
        self.at_most.or(self.at_least)
    }

    /// In words.
    pub(super) fn words(self) -> String {
        let parts = [self.at_most.map(|most| format!("≤ {most}")), self.at_least.map(|least| format!("≥ {least}"))];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

impl Targets {
    /// The ids of the figures that have one.
    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Those that this program ships with.
    pub(super) fn shipped() -> Result<Self> {
        Self::parse(SHIPPED).context("the targets of this program")
    }

    /// Those of a file.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub(super) fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        Self::parse(&text).with_context(|| format!("{} is not in order", file.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let targets: BTreeMap<String, Target> = toml::from_str(text)?;
        for (id, target) in &targets {
            if catalogue::name(id).is_none() {
                bail!("[{id}]: there is no such figure; the figures are {}", catalogue::ids());
            }
            if target.bound().is_none() {
                bail!("[{id}]: neither at_most nor at_least");
            }
        }
        Ok(Self(targets))
    }

    /// The bound of that figure.
    pub(super) fn of(&self, id: &str) -> Option<Target> {
        self.0.get(id).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_targets_are_in_order() {
        let targets = Targets::shipped().unwrap();
        let bound = |id| targets.of(id).and_then(Target::bound);
        assert_eq!((bound("P-01"), bound("P-02"), bound("P-03")), (Some(1.3), Some(1.5), Some(2.0)));
        assert!(targets.of("P-07").unwrap().holds(10.0) && !targets.of("P-07").unwrap().holds(9.9));
    }

    #[test]
    fn what_is_unknown_or_says_nothing_is_refused() {
        for (text, part) in [
            ("[P-99]\nat_most = 1.0", "no such figure"),
            ("[P-01]\nat_moist = 1.0", "at_moist"),
            ("[P-01]\nat_most = \"one\"", "at_most"),
            ("[P-01]", "neither"),
            ("P-01 = 1.3", "P-01"),
        ] {
            let error = format!("{:#}", Targets::parse(text).unwrap_err());
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn bounds_hold_or_do_not() {
        let target = Target { at_most: Some(1.3), at_least: None };
        assert!(target.holds(1.3) && !target.holds(1.31));
        assert!(!target.holds(f64::NAN), "what could not be measured does not hold");
        assert_eq!(target.words(), "≤ 1.3");
    }
}
