//! What operators watch: the log on standard error, and the metrics of one process.
//!
//! Neither holds bodies, values of settings, passwords or tokens; routes are counted by their pattern, never by the path
//! that was asked for.

use std::fmt::Write;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};
use crate::domain::event::Event;
use crate::domain::push::Outcome;

/// Starts the log of the process; what libraries have to say appears from `warn` on, except of connections that are lost
/// while nobody uses them. Later calls change nothing.
pub fn start_log(log: &Log) {
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let filter = EnvFilter::new(format!("warn,deadpool=error,muster={}", log.level.as_str()));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A log that is running already keeps running: tests start several servers in one process.
    let _ = match log.format {
        LogFormat::Json => builder.json().try_init(),
        LogFormat::Text => builder.with_ansi(colour).try_init(),
    };
}

/// The metrics of one process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    seconds: Histogram,
    events: Family<TypeLabels, Counter>,
    enrollments: Family<OutcomeLabels, Counter>,
    sessions: Counter,
    queue: Family<OperationLabels, Counter>,
    hashes: Counter<u64, AtomicU64>,
    pushes: Family<OutcomeLabels, Counter>,
    push_tokens: Counter<u64, AtomicU64>,
    ca_key: Gauge,
    without_root: Gauge,
    of_previous_ca: Gauge,
    steps: Counter<u64, AtomicU64>,
    commits: Family<KindLabels, Counter<u64, AtomicU64>>,
    certificates_due: Gauge<u64, AtomicU64>,
    rows_left_out: Counter<u64, AtomicU64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: String,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TypeLabels {
    r#type: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    operation: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("muster"),
            requests: Family::default(),
            seconds: Histogram::new(BUCKETS),
            events: Family::default(),
            enrollments: Family::default(),
            sessions: Counter::default(),
            queue: Family::default(),
            hashes: Counter::default(),
            pushes: Family::default(),
            push_tokens: Counter::default(),
            ca_key: Gauge::default(),
            without_root: Gauge::default(),
            of_previous_ca: Gauge::default(),
            steps: Counter::default(),
            commits: Family::default(),
            certificates_due: Gauge::default(),
            rows_left_out: Counter::default(),
        };
        let registry = &mut metrics.registry;
        registry.register("http_requests", "Answers by method, route and status", metrics.requests.clone());
        registry.register("http_request_seconds", "Time to the answer", metrics.seconds.clone());
        registry.register("events", "Events published, by type", metrics.events.clone());
        registry.register("enrollments", "Attempts to enroll that ended, by outcome", metrics.enrollments.clone());
        registry.register("sessions", "Management sessions begun", metrics.sessions.clone());
        registry.register("queue_operations", "What happened to queued actions", metrics.queue.clone());
        registry.register("password_hashes", "Password hashes computed", metrics.hashes.clone());
        registry.register("pushes", "Pushes to devices (WNS), by outcome", metrics.pushes.clone());
        registry.register("push_tokens", "Access tokens for push that were fetched", metrics.push_tokens.clone());
        registry.register("ca_key_available", "Whether the issuing CA can sign (1) or not (0)", metrics.ca_key.clone());
        let words = "Devices under management that do not have the root of the newest CA yet";
        registry.register("ca_devices_without_root", words, metrics.without_root.clone());
        let words = "Certificates of the CA before that still let a device in";
        registry.register("ca_certificates_of_previous", words, metrics.of_previous_ca.clone());
        registry.register("sqlite_steps", "Steps that SQLite has done", metrics.steps.clone());
        let help = "Commits: for a message of a device before it was answered, behind answers, and others";
        registry.register("store_commits", help, metrics.commits.clone());
        let due = "Certificates whose devices should have begun to renew them, and have not renewed them";
        registry.register("certificates_due", due, metrics.certificates_due.clone());
        let help = "Refusals of strangers that were left out of ledger and audit, because there were too many";
        registry.register("rows_left_out", help, metrics.rows_left_out.clone());
        metrics
    }

    /// Whether the issuing CA can sign, active devices without the root of the newest CA, and certificates of the one before.
    pub fn ca(&self, can_sign: bool, without_root: u64, of_previous: u64) {
        self.ca_key.set(i64::from(can_sign));
        self.without_root.set(i64::try_from(without_root).unwrap_or(i64::MAX));
        self.of_previous_ca.set(i64::try_from(of_previous).unwrap_or(i64::MAX));
    }

    /// Counts an answer. `route` is the pattern of the route, not the path.
    pub fn request(&self, method: &str, route: &str, status: u16, seconds: f64) {
        let labels = RequestLabels { method: method.to_owned(), route: route.to_owned(), status };
        self.requests.get_or_create(&labels).inc();
        self.seconds.observe(seconds);
    }

    /// Counts a published event, and what it tells of enrollments, sessions and the queue.
    pub fn event(&self, event: &Event) {
        let kind = event.kind.strip_prefix("muster.").unwrap_or(&event.kind);
        self.events.get_or_create(&TypeLabels { r#type: kind.to_owned() }).inc();
        match kind.split_once('.') {
            Some(("enroll", "attempt")) => {
                let outcome = event.data["outcome"].as_str().unwrap_or("unknown").to_owned();
                self.enrollments.get_or_create(&OutcomeLabels { outcome }).inc();
            }
            Some(("device", "checkin")) => {
                self.sessions.inc();
            }
            Some(("action", operation)) => {
                self.queue.get_or_create(&OperationLabels { operation: operation.to_owned() }).inc();
            }
            _ => {}
        }
    }

    /// Counts pushes by how they went. `tokens`: access tokens fetched so far.
    pub fn pushes(&self, outcomes: &[Outcome], tokens: u64) {
        for outcome in outcomes {
            let labels = OutcomeLabels { outcome: outcome.as_str().to_owned() };
            self.pushes.get_or_create(&labels).inc();
        }
        self.push_tokens.inner().store(tokens, Ordering::Relaxed);
    }

    /// Certificates whose devices are late to renew them.
    pub fn certificates_due(&self, due: u64) {
        self.certificates_due.set(due);
    }

    /// Refusals that were left out of ledger and audit so far.
    pub fn rows_left_out(&self, count: u64) {
        self.rows_left_out.inner().store(count, Ordering::Relaxed);
    }

    /// The metrics as text in the OpenMetrics format. `hashes`: password hashes computed so far; `steps`:
    /// what SQLite has done; `commits`: those so far, by kind.
    #[must_use]
    pub fn render(&self, hashes: u64, steps: u64, commits: &[(&'static str, u64)]) -> String {
        self.hashes.inner().store(hashes, Ordering::Relaxed);
        self.steps.inner().store(steps, Ordering::Relaxed);
        for (kind, count) in commits {
            self.commits.get_or_create(&KindLabels { kind }).inner().store(*count, Ordering::Relaxed);
        }
        let mut text = String::new();
        if encode(&mut text, &self.registry).is_err() {
            // Only memory could be missing, and then the rest would not be written either.
            let _ = text.write_str("# EOF\n");
        }
        text
    }
}

/// The media type of [`Metrics::render`].
pub const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const BUCKETS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::OffsetDateTime;
    use uuid::Uuid;

    use super::*;
    use crate::domain::Id;

    fn event(kind: &str, data: serde_json::Value) -> Event {
        let (id, time) = (Id::new(Uuid::nil()), OffsetDateTime::UNIX_EPOCH);
        Event { id, kind: kind.to_owned(), subject: None, time, data, seq: Some(1) }
    }

    #[test]
    fn counts_appear_in_the_text() {
        let metrics = Metrics::new();
        metrics.request("GET", "/api/v1/users/{id}", 200, 0.002);
        metrics.event(&event("muster.enroll.attempt", json!({"outcome": "failed"})));
        metrics.event(&event("muster.action.queued", json!({})));
        metrics.event(&event("muster.device.checkin", json!({})));
        metrics.pushes(&[Outcome::Received, Outcome::Gone, Outcome::Received], 3);
        metrics.certificates_due(2);
        metrics.rows_left_out(9);
        let text = metrics.render(7, 11, &[("message", 5), ("behind", 2)]);
        for line in [
            "muster_http_requests_total{method=\"GET\",route=\"/api/v1/users/{id}\",status=\"200\"} 1",
            "muster_enrollments_total{outcome=\"failed\"} 1",
            "muster_queue_operations_total{operation=\"queued\"} 1",
            "muster_sessions_total 1",
            "muster_events_total{type=\"device.checkin\"} 1",
            "muster_password_hashes_total 7",
            "muster_pushes_total{outcome=\"received\"} 2",
            "muster_pushes_total{outcome=\"gone\"} 1",
            "muster_push_tokens_total 3",
            "muster_certificates_due 2",
            "muster_rows_left_out_total 9",
            "muster_sqlite_steps_total 11",
            "muster_store_commits_total{kind=\"message\"} 5",
            "muster_store_commits_total{kind=\"behind\"} 2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
