//! Chance that comes again: the same seed, the same decisions.

use aws_lc_rs::digest::{SHA256, digest};

/// A stream of numbers from a seed. Good enough to spread simulated devices and faults; nothing secret may come from it.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The stream of that seed for one purpose.
    #[must_use]
    pub fn new(seed: &str, purpose: &str) -> Self {
        let mut start = [0; 8];
        start.copy_from_slice(&digest(&SHA256, format!("{purpose}\0{seed}").as_bytes()).as_ref()[..8]);
        Self(u64::from_be_bytes(start))
    }

    /// The next number, all 64 bits of it evenly spread (splitmix64).
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to below 1.
    pub fn share(&mut self) -> f64 {
        (self.number() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True with that probability.
    pub fn happens(&mut self, probability: f64) -> bool {
        // Always draws, so that changing one probability does not move all that follows.
        self.share() < probability
    }

    /// One of so many, from 0; 0 of none.
    pub fn one_of(&mut self, count: usize) -> usize {
        ((self.share() * count as f64) as usize).min(count.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_decides() {
        let draw = |seed: &str, purpose: &str| {
            let mut chance = Chance::new(seed, purpose);
            (0..1000).map(|_| chance.happens(0.1)).collect::<Vec<_>>()
        };
        assert_eq!(draw("a", "faults"), draw("a", "faults"));
        assert_ne!(draw("a", "faults"), draw("b", "faults"));
        assert_ne!(draw("a", "faults"), draw("a", "start"));
        let hits = draw("a", "faults").iter().filter(|hit| **hit).count();
        assert!((60..140).contains(&hits), "{hits} of 1000 at 10 %");
        let mut chance = Chance::new("a", "never");
        assert!((0..100).all(|_| !chance.happens(0.0) && chance.happens(1.0)));
        assert!((0..100).all(|_| chance.one_of(3) < 3 && chance.one_of(0) == 0));
    }
}
