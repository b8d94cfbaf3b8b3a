//! What a row of measurements says: medians, and a ratio with the interval that it lies in.

/// Cost of the thing and cost of what it is compared with, each in microseconds or whatever both have, of one round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pair {
    /// The thing.
    pub(super) ours: f64,
    /// What it is compared with.
    pub(super) bare: f64,
}

/// A ratio and where it lies with a probability of 90 %.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ratio {
    /// Quotient of the medians.
    pub(super) ratio: f64,
    /// 5 % of the resamples are below.
    pub(super) low: f64,
    /// 5 % of the resamples are above.
    pub(super) high: f64,
}

/// How often the rounds are drawn anew.
const RESAMPLES: usize = 2000;

/// The middle one; between the two in the middle where their number is even. NaN of nothing.
pub(super) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    quantile(values, 0.5)
}

/// The value below which that share of the values lies, between two of them in proportion. NaN of nothing.
pub(super) fn quantile(values: impl IntoIterator<Item = f64>, share: f64) -> f64 {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = share.clamp(0.0, 1.0) * last as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    sorted[below] + (sorted[above] - sorted[below]) * (place - place.floor())
}

/// The smallest; NaN of nothing.
pub(super) fn least(values: impl IntoIterator<Item = f64>) -> f64 {
    values.into_iter().fold(f64::NAN, f64::min)
}

/// How far the values lie apart, as a share of their median.
pub(super) fn spread(values: impl IntoIterator<Item = f64> + Clone) -> f64 {
    let most = values.clone().into_iter().fold(f64::NAN, f64::max);
    (most - least(values.clone())) / median(values)
}

impl Ratio {
    /// A figure that was measured once, or that does not wander.
    pub(super) fn exact(ratio: f64) -> Self {
        Self { ratio, low: ratio, high: ratio }
    }

    /// The quotient of the medians, with its interval by the bootstrap: whole rounds are drawn anew, so that what slowed
    /// both sides of a round down stays together.
    pub(super) fn of(rounds: &[Pair]) -> Self {
        let quotient = |rounds: &[Pair]| {
            median(rounds.iter().map(|round| round.ours)) / median(rounds.iter().map(|round| round.bare))
        };
        let mut chance = Chance(0x9E37_79B9_7F4A_7C15);
        let mut drawn = Vec::with_capacity(rounds.len());
        let resamples: Vec<f64> = (0..if rounds.is_empty() { 0 } else { RESAMPLES })
            .map(|_| {
                drawn.clear();
                drawn.extend((0..rounds.len()).map(|_| rounds[chance.below(rounds.len())]));
                quotient(&drawn)
            })
            .collect();
        Self {
            ratio: quotient(rounds),
            low: quantile(resamples.iter().copied(), 0.05),
            high: quantile(resamples, 0.95),
        }
    }
}

/// A small generator (splitmix64): the same rounds always give the same interval.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(values: &[(f64, f64)]) -> Vec<Pair> {
        values.iter().map(|(ours, bare)| Pair { ours: *ours, bare: *bare }).collect()
    }

    #[test]
    fn the_median_is_in_the_middle() {
        for (values, expected) in
            [(vec![3.0], 3.0), (vec![5.0, 1.0], 3.0), (vec![9.0, 1.0, 2.0], 2.0), (vec![100.0, 1.0, 2.0, 4.0], 3.0)]
        {
            assert_eq!(median(values.iter().copied()), expected, "{values:?}");
        }
        assert!(median([]).is_nan());
    }

    #[test]
    fn quantiles_lie_between_values_in_proportion() {
        let values: Vec<f64> = (0..=10).map(f64::from).collect();
        assert_eq!(quantile(values.iter().copied(), 0.05), 0.5);
        assert_eq!(quantile(values.iter().copied(), 0.99), 9.9);
        assert_eq!(quantile(values, 7.0), 10.0);
    }

    #[test]
    fn the_spread_is_a_share_of_the_median() {
        assert_eq!(spread([90.0, 100.0, 115.0]), 0.25);
        assert_eq!(spread([100.0]), 0.0);
    }

    #[test]
    fn rounds_that_agree_have_no_interval() {
        let ratio = Ratio::of(&pairs(&[(130.0, 100.0); 5]));
        assert_eq!(ratio, Ratio { ratio: 1.3, low: 1.3, high: 1.3 });
    }

    #[test]
    fn the_interval_holds_the_ratio_and_grows_with_the_scatter() {
        let calm = Ratio::of(&pairs(&[(129.0, 100.0), (131.0, 101.0), (130.0, 99.0), (128.0, 100.0), (132.0, 100.0)]));
        let wild = Ratio::of(&pairs(&[(100.0, 100.0), (160.0, 101.0), (130.0, 80.0), (110.0, 120.0), (150.0, 100.0)]));
        for ratio in [calm, wild] {
            assert!(ratio.low <= ratio.ratio && ratio.ratio <= ratio.high, "{ratio:?}");
        }
        assert!(wild.high - wild.low > calm.high - calm.low, "{calm:?} {wild:?}");
        assert_eq!(
            calm,
            Ratio::of(&pairs(&[(129.0, 100.0), (131.0, 101.0), (130.0, 99.0), (128.0, 100.0), (132.0, 100.0)])),
            "the same rounds give the same interval"
        );
    }

    #[test]
    fn what_slows_a_whole_round_down_does_not_widen_the_interval() {
        let rounds: Vec<Pair> =
            (1..=7).map(|slow| Pair { ours: 120.0 * f64::from(slow), bare: 100.0 * f64::from(slow) }).collect();
        let ratio = Ratio::of(&rounds);
        assert_eq!(ratio, Ratio { ratio: 1.2, low: 1.2, high: 1.2 });
    }

    #[test]
    fn nothing_measured_is_no_ratio() {
        assert!(Ratio::of(&[]).ratio.is_nan());
    }
}
