//! What a run is measured by: latencies, counts, errors by kind.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::transport::Counts;
use crate::cli::output::pairs;

/// Everything that is counted while devices run.
#[derive(Debug)]
pub(super) struct Figures {
    started: Instant,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    enrollments: Kind,
    sessions: Kind,
    messages: Kind,
    renewals: Kind,
    carried_out: u64,
    faults: BTreeMap<&'static str, u64>,
    ended_by_faults: u64,
    not_started: u64,
    errors: BTreeMap<String, (u64, String)>,
}

/// One kind of thing that takes time.
#[derive(Debug)]
struct Kind {
    /// Microseconds.
    times: Histogram<u64>,
    /// When the first of them began and the last one ended, since the start.
    span: Option<(Duration, Duration)>,
}

impl Default for Kind {
    fn default() -> Self {
        let times = Histogram::new_with_bounds(1, LONGEST, 3).expect("the bounds are in order");
        Self { times, span: None }
    }
}

impl Kind {
    fn add(&mut self, took: Duration, now: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(LONGEST);
        self.times.saturating_record(micros.max(1));
        let began = now.saturating_sub(took);
        let (first, last) = self.span.unwrap_or((began, now));
        self.span = Some((first.min(began), last.max(now)));
    }

    fn seconds(&self) -> f64 {
        self.span.map_or(0.0, |(first, last)| (last.saturating_sub(first)).as_secs_f64())
    }

    fn rate(&self) -> f64 {
        let seconds = self.seconds();
        if seconds > 0.0 { self.times.len() as f64 / seconds } else { 0.0 }
    }

    fn milliseconds(&self, quantile: f64) -> f64 {
        self.times.value_at_quantile(quantile) as f64 / 1000.0
    }

    fn document(&self) -> Value {
        let latency: serde_json::Map<String, Value> = QUANTILES
            .iter()
            .map(|(name, quantile)| ((*name).to_owned(), json!(self.milliseconds(*quantile))))
            .collect();
        json!({
            "count": self.times.len(),
            "seconds": round(self.seconds()),
            "per_second": round(self.rate()),
            "latency_ms": latency,
        })
    }

    fn words(&self) -> String {
        if self.times.is_empty() {
            return String::new();
        }
        let latencies = QUANTILES.iter().map(|(name, quantile)| format!("{name} {:.1}", self.milliseconds(*quantile)));
        format!("{} ms", latencies.collect::<Vec<_>>().join("  "))
    }
}

/// Counts for a line of progress.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    pub(super) enrolled: u64,
    pub(super) sessions: u64,
    pub(super) errors: u64,
}

impl Figures {
    pub(super) fn new() -> Self {
        Self { started: Instant::now(), inner: Mutex::default() }
    }

    fn with<T>(&self, change: impl FnOnce(&mut Inner, Duration) -> T) -> T {
        let now = self.started.elapsed();
        change(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner), now)
    }

    pub(super) fn enrolled(&self, took: Duration) {
        self.with(|inner, now| inner.enrollments.add(took, now));
    }

    /// A session that ended as it should; its time counts from when it was due.
    pub(super) fn session(&self, took: Duration) {
        self.with(|inner, now| inner.sessions.add(took, now));
    }

    pub(super) fn message(&self, took: Duration) {
        self.with(|inner, now| inner.messages.add(took, now));
    }

    /// A certificate that was renewed.
    pub(super) fn renewed(&self, took: Duration) {
        self.with(|inner, now| inner.renewals.add(took, now));
    }

    pub(super) fn carried_out(&self, items: u64) {
        self.with(|inner, _| inner.carried_out += items);
    }

    pub(super) fn fault(&self, fault: &'static str) {
        self.with(|inner, _| *inner.faults.entry(fault).or_default() += 1);
    }

    /// A session that ended otherwise because of a fault that was asked for.
    pub(super) fn ended_by_fault(&self) {
        self.with(|inner, _| inner.ended_by_faults += 1);
    }

    /// Sessions that were due and that no device began.
    pub(super) fn not_started(&self, sessions: u64) {
        self.with(|inner, _| inner.not_started += sessions);
    }

    pub(super) fn error(&self, kind: &str, detail: &str) {
        self.with(|inner, _| {
            let (count, _) = inner.errors.entry(kind.to_owned()).or_insert_with(|| (0, detail.to_owned()));
            *count += 1;
        });
    }

    pub(super) fn progress(&self) -> Progress {
        self.with(|inner, _| Progress {
            enrolled: inner.enrollments.times.len(),
            sessions: inner.sessions.times.len(),
            errors: inner.errors.values().map(|(count, _)| count).sum(),
        })
    }

    /// The summary as one document.
    pub(super) fn document(&self, traffic: Counts) -> Value {
        self.with(|inner, now| {
            let errors: serde_json::Map<String, Value> = inner
                .errors
                .iter()
                .map(|(kind, (count, first))| (kind.clone(), json!({ "count": count, "first": first })))
                .collect();
            json!({
                "seconds": round(now.as_secs_f64()),
                "enrollments": inner.enrollments.document(),
                "sessions": inner.sessions.document(),
                "messages": inner.messages.document(),
                "renewals": inner.renewals.document(),
                "carried_out": inner.carried_out,
                "faults": inner.faults,
                "sessions_ended_by_faults": inner.ended_by_faults,
                "sessions_not_started": inner.not_started,
                "errors": errors,
                "bytes": { "up": traffic.up, "down": traffic.down },
                "connections": { "count": traffic.connections, "resumed": traffic.resumed },
            })
        })
    }

    /// The summary in words.
    pub(super) fn words(&self, traffic: Counts) -> String {
        self.with(|inner, _| {
            let (sessions, messages) = (&inner.sessions, &inner.messages);
            let mut faults: Vec<String> =
                inner.faults.iter().map(|(fault, count)| format!("{fault} {count}")).collect();
            if inner.ended_by_faults > 0 {
                faults.push(format!("{} sessions ended by them", inner.ended_by_faults));
            }
            let errors = inner.errors.iter().map(|(kind, (count, first))| format!("{kind} {count} (first: {first})"));
            let errors: Vec<String> = errors.collect();
            let errors = if errors.is_empty() { "none".to_owned() } else { errors.join("; ") };
            let not_started = if inner.not_started == 0 { String::new() } else { inner.not_started.to_string() };
            let rates = |kind: &Kind| format!("{} in {:.1} s, {:.1}/s", kind.times.len(), kind.seconds(), kind.rate());
            pairs([
                ("enrollments", rates(&inner.enrollments)),
                ("  took", inner.enrollments.words()),
                ("sessions", rates(sessions)),
                ("  took", sessions.words()),
                ("  not started", not_started),
                (
                    "renewals",
                    Some(rates(&inner.renewals)).filter(|_| !inner.renewals.times.is_empty()).unwrap_or_default(),
                ),
                ("  took", inner.renewals.words()),
                ("messages", rates(messages)),
                ("  took", messages.words()),
                ("carried out", format!("{} items", inner.carried_out)),
                ("bytes", format!("{} up, {} down", traffic.up, traffic.down)),
                ("connections", format!("{}, {} of them resumed", traffic.connections, traffic.resumed)),
                ("faults", faults.join(", ")),
                ("errors", errors),
            ])
        })
    }
}

fn round(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

const QUANTILES: [(&str, f64); 5] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];
/// Microseconds of the longest time that is told apart: ten minutes.
const LONGEST: u64 = 600_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_by_their_quantiles() {
        let figures = Figures::new();
        for millis in 1..=1000 {
            figures.session(Duration::from_millis(millis));
        }
        figures.session(Duration::from_secs(3600));
        figures.error("connect", "refused");
        figures.error("connect", "again");
        let document = figures.document(Counts::default());
        let latency = &document["sessions"]["latency_ms"];
        let near = |name: &str, millis: f64| (latency[name].as_f64().unwrap() - millis).abs() < millis / 100.0;
        assert!(near("p50", 501.0) && near("p99", 991.0) && near("max", 600_000.0), "{latency}");
        assert_eq!(document["sessions"]["count"], 1001);
        assert_eq!(document["errors"]["connect"], json!({"count": 2, "first": "refused"}));
        assert!(figures.words(Counts::default()).contains("connect 2 (first: refused)"));
    }
}
