//! Figures and what is said of them: a table for people, a document for programs, a line for the record.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::catalogue;
use super::machine;
use super::measure::{Rounds, wander};
use super::statistics::{Pair, Ratio};
use super::targets::{Target, Targets};
use crate::cli::output::{Out, Table, remark};

/// The bare limit may wander by so much from round to round, as a share of its median; beyond it nothing is judged.
const MOST_WANDER: f64 = 0.25;

/// One figure.
#[derive(Clone, Debug)]
pub(super) struct Figure {
    id: &'static str,
    value: Ratio,
    /// Whether what it is compared with wandered too far.
    is_noisy: bool,
    /// Why it does not hold, whatever the value is.
    flaw: Option<String>,
    /// Whatever else was measured, by its name with its unit.
    details: Vec<(&'static str, Value)>,
}

impl Figure {
    /// A figure that was measured once, or that does not wander.
    pub(super) fn single(id: &'static str, value: f64) -> Self {
        Self { id, value: Ratio::exact(value), is_noisy: false, flaw: None, details: Vec::new() }
    }

    /// A figure of several values, with an interval, and how far what it is compared with wandered.
    pub(super) fn of_ratio(id: &'static str, value: Ratio, wander: f64) -> Self {
        let is_noisy = wander.is_nan() || wander > MOST_WANDER;
        Self { value, is_noisy, ..Self::single(id, value.ratio) }
    }

    /// A figure of several rounds.
    pub(super) fn of_pairs(id: &'static str, pairs: &[Pair]) -> Self {
        Self::of_ratio(id, Ratio::of(pairs), wander(pairs))
    }

    /// The quotient of two servers in microseconds per visit.
    pub(super) fn of_rounds(id: &'static str, rounds: &Rounds) -> Self {
        let ((ours, ours_least), (bare, bare_least)) = (rounds.ours(), rounds.bare());
        let figure = Self::of_ratio(id, rounds.ratio(), rounds.wander);
        Self { flaw: rounds.flaw.clone(), ..figure }
            .with("ours_us", round(ours))
            .with("ours_least_us", round(ours_least))
            .with("bare_us", round(bare))
            .with("bare_least_us", round(bare_least))
            .with("bare_wander", Some(rounds.wander).filter(|wander| wander.is_finite()).map(round))
            .with("round_trips", rounds.messages)
            .with("bytes_up", rounds.bytes.0)
            .with("bytes_down", rounds.bytes.1)
            .with("per_second", round(rounds.rate))
            .with("p50_ms", round(rounds.latency(0.5)))
            .with("p99_ms", round(rounds.latency(0.99)))
    }

    /// It does not hold, and why.
    pub(super) fn flawed(self, why: String) -> Self {
        Self { flaw: Some(why), ..self }
    }

    /// With something more that was measured.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.details.push((name, value.into()));
        self
    }

    /// Its id.
    pub(super) fn id(&self) -> &'static str {
        self.id
    }

    /// Its value.
    #[cfg(test)]
    pub(super) fn value(&self) -> f64 {
        self.value.ratio
    }

    /// A detail that is a number.
    pub(super) fn number(&self, name: &str) -> Option<f64> {
        self.details.iter().find(|(known, _)| *known == name)?.1.as_f64()
    }

    /// Whether it is within the target; `None` where that cannot be judged, or there is no target.
    fn holds(&self, target: Option<Target>) -> Option<bool> {
        // What costs nothing, or less, was not measured.
        let is_so = |target: Target| self.flaw.is_none() && self.value.ratio > 0.0 && target.holds(self.value.ratio);
        target.filter(|_| !self.is_noisy).map(is_so)
    }

    fn document(&self, targets: &Targets) -> Value {
        let target = targets.of(self.id);
        let mut document = json!({
            "id": self.id,
            "name": catalogue::name(self.id),
            "ratio": round(self.value.ratio),
            "low": round(self.value.low),
            "high": round(self.value.high),
            "target": target.and_then(Target::bound),
            "holds": self.holds(target),
            "noisy": self.is_noisy,
            "flaw": self.flaw,
        });
        for (name, value) in &self.details {
            document[*name] = value.clone();
        }
        document
    }
}

/// Four digits are more than such figures have.
fn round(value: f64) -> f64 {
    let scale = 10_f64.powi(3 - value.abs().max(f64::MIN_POSITIVE).log10().floor() as i32);
    if value == 0.0 || !scale.is_finite() { value } else { (value * scale).round() / scale }
}

/// What was measured on one database.
#[derive(Default)]
pub(super) struct Measured {
    pub(super) figures: Vec<Figure>,
    /// What was left out, and why.
    pub(super) skipped: Vec<(&'static str, String)>,
    /// The costs at each size of the fleet, where that was measured.
    pub(super) growth: Vec<Value>,
}

/// All that a run brought of one database.
pub(super) struct Report {
    pub(super) machine: Value,
    pub(super) database: &'static str,
    pub(super) measured: Measured,
    /// When, in RFC 3339.
    pub(super) at: String,
}

/// Prints them: of one database its document, of several a list of documents.
pub(super) fn print(reports: &[Report], out: &Out, targets: &Targets) -> Result<()> {
    if !out.json {
        return reports.iter().try_for_each(|report| report.print(out, targets));
    }
    match reports {
        [report] => out.document(&report.document(targets)),
        reports => out.document(&reports.iter().map(|report| report.document(targets)).collect()),
    }
}

/// Appends each to a file as a line.
pub(super) fn record(reports: &[Report], file: &Path, targets: &Targets) -> Result<()> {
    let shown = file.display().to_string();
    let mut lines = OpenOptions::new().create(true).append(true).open(file).context(shown.clone())?;
    reports.iter().try_for_each(|report| writeln!(lines, "{}", report.document(targets))).context(shown)
}

/// Complains of figures that are beyond their target, of those that could not be judged, and of those that had to be there and
/// are not.
pub(super) fn check(reports: &[Report], targets: &Targets, is_wanted: impl Fn(&str) -> bool) -> Result<()> {
    let complaints: Vec<String> = reports.iter().flat_map(|report| report.complaints(targets, &is_wanted)).collect();
    complaints.iter().for_each(|words| remark(words));
    match complaints.len() {
        0 => Ok(()),
        1 => bail!("a figure does not hold"),
        count => bail!("{count} figures do not hold"),
    }
}

impl Report {
    /// As one JSON document.
    fn document(&self, targets: &Targets) -> Value {
        json!({
            "machine": self.machine,
            "version": env!("CARGO_PKG_VERSION"),
            "database": self.database,
            "at": self.at,
            "figures": self.measured.figures.iter().map(|figure| figure.document(targets)).collect::<Vec<_>>(),
            "skipped": self.measured.skipped.iter().map(|(id, why)| json!({"id": id, "reason": why})).collect::<Vec<_>>(),
            "capacity": self.capacity(),
            "growth": self.measured.growth,
        })
    }

    /// Prints it for people.
    fn print(&self, out: &Out, targets: &Targets) -> Result<()> {
        let document = self.document(targets);
        out.text(&format!(
            "{}\n{}, version {}\n",
            machine::words(&self.machine),
            self.database,
            env!("CARGO_PKG_VERSION")
        ))?;
        let items = document["figures"].as_array().map_or(&[][..], Vec::as_slice);
        out.list(items, "nothing was measured", || self.table(targets))?;
        for (id, why) in &self.measured.skipped {
            out.text(&format!("{id} left out: {why}"))?;
        }
        if self.measured.figures.iter().any(|figure| figure.is_noisy) {
            out.text("\nThe machine is too noisy to judge what is marked so: the bare limit itself wandered.")?;
        }
        for point in &self.measured.growth {
            out.text(&growth_words(point))?;
        }
        match self.capacity_words() {
            Some(words) => out.text(&format!("\n{words}")),
            None => Ok(()),
        }
    }

    fn table(&self, targets: &Targets) -> Table {
        let mut table = Table::new(["ID", "FIGURE", "VALUE", "90 %", "TARGET", "HOLDS", "OURS", "COMPARED"]);
        for figure in &self.measured.figures {
            let target = targets.of(figure.id);
            let micros = |name| figure.number(name).map(|micros| format!("{micros} µs")).unwrap_or_default();
            let Ratio { ratio, low, high } = figure.value;
            let interval = if low < high { format!("{} to {}", round(low), round(high)) } else { String::new() };
            let holds = match (figure.is_noisy, figure.holds(target)) {
                (true, _) => "too noisy",
                (false, Some(true)) => "yes",
                (false, Some(false)) => "NO",
                (false, None) => "",
            };
            table.row([
                figure.id.to_owned(),
                catalogue::name(figure.id).unwrap_or_default().to_owned(),
                round(ratio).to_string(),
                interval,
                target.map(Target::words).unwrap_or_default(),
                holds.to_owned(),
                micros("ours_us"),
                micros("bare_us"),
            ]);
        }
        table
    }

    /// What a session without commands costs with a full handshake, in microseconds.
    fn session_cost(&self) -> Option<f64> {
        self.measured.figures.iter().find(|figure| figure.id == "P-01")?.number("ours_us")
    }

    /// Devices whose calls keep half of the cores of this machine busy, by their interval.
    fn capacity(&self) -> Value {
        // What a database server does is not in the cost of a session.
        let Some(cost) = self.session_cost().filter(|_| self.database == super::IN_FILE) else { return Value::Null };
        let cores = self.machine["cores"].as_f64().unwrap_or(1.0);
        let devices = |seconds: f64| (cores / 2.0 * 1e6 / cost * seconds).round();
        json!({
            "cores": cores / 2.0,
            "sessions_per_second": devices(1.0),
            "devices_each_8_hours": devices(8.0 * 3600.0),
            "devices_each_15_minutes": devices(900.0),
            "devices_each_minute": devices(60.0),
        })
    }

    fn capacity_words(&self) -> Option<String> {
        let capacity = self.capacity();
        let number = |name: &str| capacity[name].as_f64().map(thousands);
        Some(format!(
            "With half of its cores busy this machine answers {} sessions a second: {} devices that call each 8 hours, \
             {} each 15 minutes, {} each minute.",
            number("sessions_per_second")?,
            number("devices_each_8_hours")?,
            number("devices_each_15_minutes")?,
            number("devices_each_minute")?,
        ))
    }

    /// Figures that are beyond their target, and those that could not be judged, in words.
    fn complaints(&self, targets: &Targets, is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let complaint = |figure: &Figure| {
            let target = targets.of(figure.id)?;
            match figure.holds(Some(target)) {
                Some(true) => None,
                Some(false) => {
                    let value = round(figure.value.ratio);
                    let flaw = figure.flaw.as_ref().map(|flaw| format!(": {flaw}")).unwrap_or_default();
                    Some(format!("{} is {value}, target {}{flaw}", figure.id, target.words()))
                }
                None => Some(format!("{} cannot be judged: the machine is too noisy", figure.id)),
            }
        };
        let is_there = |id: &str| {
            self.measured.figures.iter().any(|figure| figure.id == id)
                || self.measured.skipped.iter().any(|(skipped, _)| *skipped == id)
        };
        let missing = targets.ids().filter(|id| is_wanted(id) && !is_there(id));
        let missing = missing.map(|id| format!("{id} was not measured"));
        self.measured.figures.iter().filter_map(complaint).chain(missing).collect()
    }
}

/// The costs at one size of the fleet, in a line.
fn growth_words(point: &Value) -> String {
    let cost = |name: &str| {
        let cost = &point[name];
        let counted = ["steps", "blocks"].into_iter().find(|unit| cost[*unit].is_number()).unwrap_or("steps");
        format!("{} µs ({} × bare), {} {counted}", cost["us"], cost["ratio"], cost[counted])
    };
    let number = |name: &str| thousands(point[name].as_f64().unwrap_or_default());
    format!(
        "{} devices, {} rows: a session without commands {}; with two {}",
        number("devices"),
        number("rows"),
        cost("noop"),
        cost("two_commands")
    )
}

/// A whole number with its thousands apart.
fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(figures: Vec<Figure>) -> Report {
        let machine = json!({"cpu": "X", "cores": 2});
        let measured = Measured { figures, ..Measured::default() };
        Report { machine, database: "sqlite", measured, at: String::new() }
    }

    #[test]
    fn numbers_have_four_digits() {
        for (value, expected) in [(1.23456, 1.235), (348.9123, 348.9), (0.000_123_456, 0.000_123_5), (0.0, 0.0)] {
            assert_eq!(round(value), expected);
        }
        assert!(round(f64::NAN).is_nan());
        assert_eq!(thousands(1_234_567.0), "1,234,567");
        assert_eq!(thousands(999.0), "999");
    }

    #[test]
    fn figures_are_held_against_their_targets() {
        let targets = Targets::shipped().unwrap();
        let good = report(vec![Figure::single("P-01", 1.2), Figure::single("noop-tls13", 9.0)]);
        let all = |id: &str| ["P-01", "P-07"].contains(&id);
        check(&[good], &targets, |id| id == "P-01").unwrap();
        let good = report(vec![Figure::single("P-01", 1.2)]);
        assert!(check(&[good], &targets, all).is_err(), "P-07 is missing");
        let bad = report(vec![Figure::single("P-01", 1.31), Figure::single("P-07", 9.0)]);
        assert!(check(&[bad], &targets, all).unwrap_err().to_string().starts_with("2 figures"));
        let none = |_: &str| false;
        let pair = |bare| Pair { ours: 1.2, bare };
        let figure = |pairs: &[Pair]| Figure::of_pairs("P-01", pairs);
        assert!(check(&[report(vec![figure(&[pair(1.0); 3])])], &targets, none).is_ok());
        assert!(check(&[report(vec![figure(&[pair(1.0); 2])])], &targets, none).is_err(), "too few to tell");
        let noisy = figure(&[pair(1.0), pair(1.0), pair(1.3)]);
        let noisy = report(vec![noisy]);
        assert_eq!(noisy.document(&targets)["figures"][0]["holds"], Value::Null);
        assert!(check(&[noisy], &targets, none).is_err(), "what cannot be judged does not pass");
        let flawed = Figure::single("P-14", 0.1).flawed("3 visits failed".to_owned());
        assert!(check(&[report(vec![flawed])], &targets, none).is_err());
        let nothing = Figure::single("P-09", 0.0);
        assert!(check(&[report(vec![nothing])], &targets, none).is_err(), "what costs nothing was not measured");
    }

    #[test]
    fn capacity_follows_from_the_cost_of_a_session() {
        let report = report(vec![Figure::single("P-01", 1.2).with("ours_us", 400.0)]);
        let capacity = report.capacity();
        assert_eq!(capacity["sessions_per_second"], 2500.0);
        assert_eq!(capacity["devices_each_minute"], 150_000.0);
    }
}
