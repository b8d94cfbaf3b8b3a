//! Devices that call at a rate, whether or not those before were answered: what 100,000 devices that call each minute cost.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::fleet::Speech;
use super::load::{Pc, Tally, Visit};
use super::measure::{Bench, Session};
use super::report::Figure;
use super::statistics::quantile;

/// Sessions a second of 100,000 devices that call each minute.
const WANTED: f64 = 100_000.0 / 60.0;
/// Share of what the one core of the devices can do: beyond it they would be late by themselves.
const SHARE: f64 = 0.6;
/// How long they call.
const FOR: Duration = Duration::from_secs(5);
/// 99 of 100 sessions take no longer, in milliseconds.
const SLOWEST_MS: f64 = 250.0;

/// The figure: the share of two cores at the wanted rate, from the cost of a session at the rate that was driven.
pub(super) async fn figure(bench: &mut Bench) -> Result<Figure> {
    let session = Session { speech: Speech::Tls12, commands: Vec::new() };
    bench.speak(Speech::Tls12)?;
    let visits = 2 * bench.pcs.len();
    let (tally, _) = bench.hold(&session, visits).await?;
    let rate = (SHARE * visits as f64 / tally.wall.as_secs_f64()).min(WANTED);
    let before = bench.ours.quiet().await?;
    let (pcs, tally) = arrive(std::mem::take(&mut bench.pcs), rate).await?;
    bench.pcs = pcs;
    let micros = (bench.ours.done().await? - before) as f64 / 1000.0;
    let sessions = tally.micros.len().max(1);
    let share = WANTED * micros / sessions as f64 / 1e6 / 2.0;
    let slowest = quantile(tally.micros.iter().copied(), 0.99) / 1000.0;
    let figure = Figure::single("P-14", share)
        .with("driven_per_second", rate.round())
        .with("ours_us", (micros / sessions as f64).round())
        .with("p50_ms", quantile(tally.micros.iter().copied(), 0.5).round() / 1000.0)
        .with("p99_ms", (slowest * 10.0).round() / 10.0)
        .with("failures", tally.failed());
    Ok(match tally.check() {
        Err(error) => figure.flawed(error.to_string()),
        Ok(()) if slowest > SLOWEST_MS => figure.flawed(format!("one in 100 sessions took over {SLOWEST_MS} ms")),
        Ok(()) => figure,
    })
}

/// Lets a device call at each moment of the rate. Times count from that moment, so that a server that is late is not
/// measured by what it let pass.
async fn arrive(pcs: Vec<Pc>, rate: f64) -> Result<(Vec<Pc>, Tally)> {
    let count = pcs.len();
    let line = Arc::new(Mutex::new(VecDeque::from(pcs)));
    let tally = Arc::new(Mutex::new(Tally::default()));
    let mut calls = tokio::task::JoinSet::new();
    let began = Instant::now();
    for number in 0..(rate * FOR.as_secs_f64()) as u32 {
        let due = began + Duration::from_secs_f64(f64::from(number) / rate);
        tokio::time::sleep_until(due.into()).await;
        let (line, tally) = (Arc::clone(&line), Arc::clone(&tally));
        calls.spawn(async move {
            let next = line.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let outcome = match next {
                Some(mut pc) => {
                    let outcome = pc.visit().await;
                    line.lock().unwrap_or_else(PoisonError::into_inner).push_back(pc);
                    outcome
                }
                None => Err(anyhow::anyhow!("all devices were waiting for answers")),
            };
            tally.lock().unwrap_or_else(PoisonError::into_inner).note(due, outcome);
        });
        while calls.try_join_next().is_some() {}
    }
    while let Some(call) = calls.join_next().await {
        call?;
    }
    let pcs: Vec<Pc> = std::mem::take(&mut *line.lock().unwrap_or_else(PoisonError::into_inner)).into();
    if pcs.len() != count {
        bail!("a device did not come back");
    }
    let tally = std::mem::take(&mut *tally.lock().unwrap_or_else(PoisonError::into_inner));
    Ok((pcs, tally))
}
