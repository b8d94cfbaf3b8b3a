//! What it costs to read a message into its types, compared with a scan of the same bytes for XML events that keeps nothing.

use std::hint::black_box;

use anyhow::{Context, Result};

use super::load::{Tally, Trace};
use super::measure::{Rounds, abba};
use super::process::CpuClock;
use super::report::Figure;
use crate::proto::syncml::{decode, encode};
use crate::proto::xml::{Limits, scan};
use crate::sim::specimen;

/// Commands that the message answers, each with a Status and Results: some 5 KB.
const COMMANDS: usize = 12;
/// Readings in one turn.
const READINGS: u32 = 2000;

/// The figure, measured in this process.
pub(super) async fn figure(rounds: usize) -> Result<Figure> {
    let bytes = encode(&specimen::answers(2, COMMANDS));
    let limits = Limits::default();
    let mut clock = CpuClock::of(std::process::id());
    let mut read = |is_typed: bool| {
        let before = clock.read()?;
        for _ in 0..READINGS {
            if is_typed {
                black_box(
                    decode(black_box(&bytes), &limits).map_err(|_| ()).ok().context("a message of ours is read")?,
                );
            } else {
                black_box(scan(black_box(&bytes)).ok().context("a message of ours is XML")?);
            }
        }
        Ok((clock.read()? - before) as f64 / 1000.0 / f64::from(READINGS))
    };
    read(true)?;
    let pairs = abba(rounds, async |is_typed| read(is_typed)).await?;
    let rounds = Rounds::of(pairs, &Trace::default(), Tally::default());
    Ok(Figure::of_rounds("P-05", &rounds).with("bytes", bytes.len()))
}
