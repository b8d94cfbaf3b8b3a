//! Look-up and check of the CSP catalogue. Read them as ratios of one run: a look-up against a plain HashMap, a check against
//! a look-up.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed expectation ends the benchmark")]

use std::collections::HashMap;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use muster::proto::csp::catalogue::{Build, Catalogue, Check, Domain, Record, embedded};
use muster::proto::syncml::Verb;

/// Nodes that the measurements go round, spread over the whole catalogue.
const NODES: usize = 512;

/// Every so many nodes of those that satisfy a condition.
fn spread(catalogue: &Catalogue, is_wanted: impl Fn(&Record) -> bool) -> Vec<&Record> {
    let wanted: Vec<&Record> = catalogue.records().iter().filter(|record| is_wanted(record)).collect();
    let step = (wanted.len() / NODES).max(1);
    let chosen: Vec<&Record> = wanted.into_iter().step_by(step).take(NODES).collect();
    assert!(chosen.len() > NODES / 2, "{}", chosen.len());
    chosen
}

/// The address of a record, with names in place of its dynamic segments.
fn address(record: &Record) -> String {
    record.path.replace("{AreaName}", "App~Policy~Category").replace(['{', '}', ' '], "")
}

/// A value that a node takes, where it can be told without trying.
fn value(record: &Record) -> Option<String> {
    match &record.allowed.as_ref()?.domain {
        Domain::Enum(values) => values.first().map(ToString::to_string),
        Domain::Range { min, .. } => Some(min.to_string()),
        Domain::Admx { .. } => Some("<enabled/>".to_owned()),
        _ => None,
    }
}

fn lookup(c: &mut Criterion) {
    let catalogue = embedded();
    let plain = spread(catalogue, |record| !record.path.contains('{'));
    let plain: Vec<String> = plain.into_iter().map(address).collect();
    let any: Vec<String> = spread(catalogue, |_| true).into_iter().map(address).collect();
    assert!(any.iter().all(|uri| catalogue.find(uri).is_some()));
    let map: HashMap<String, &Record> =
        plain.iter().map(|uri| (uri.clone(), catalogue.find(uri).unwrap().record())).collect();

    let mut group = c.benchmark_group("lookup");
    let mut next = plain.iter().cycle();
    group.bench_function("a plain HashMap of fixed addresses", |b| b.iter(|| black_box(map.get(next.next().unwrap()))));
    let mut next = plain.iter().cycle();
    group.bench_function("fixed addresses", |b| b.iter(|| black_box(catalogue.find(next.next().unwrap()))));
    let mut next = any.iter().cycle();
    group.bench_function("all addresses", |b| b.iter(|| black_box(catalogue.find(next.next().unwrap()))));
    group.finish();
}

fn check(c: &mut Criterion) {
    let catalogue = embedded();
    let records = spread(catalogue, |record| record.access.allows(Verb::Replace) && value(record).is_some());
    let cases: Vec<(String, &str, String)> =
        records.into_iter().map(|record| (address(record), record.format.name(), value(record).unwrap())).collect();
    let of = |(uri, format, value): &'_ (String, &'static str, String)| -> bool {
        let (build, edition) = (Build::parse("10.0.26200.7000"), Some(0x4));
        let (format, value) = (Some(*format), Some(value.as_str()));
        catalogue.check(&Check { uri, verb: Verb::Replace, format, value, build, edition }).is_ok()
    };
    let right = cases.iter().filter(|case| of(case)).count();
    assert!(right * 2 > cases.len(), "{right} of {}", cases.len());

    let mut group = c.benchmark_group("check");
    let mut next = cases.iter().cycle();
    group.bench_function("values that fit", |b| b.iter(|| black_box(of(next.next().unwrap()))));
    let wrong: Vec<_> =
        cases.iter().map(|(uri, format, _)| (uri.clone(), *format, "no such value".to_owned())).collect();
    let mut next = wrong.iter().cycle();
    group.bench_function("values that do not", |b| b.iter(|| black_box(of(next.next().unwrap()))));
    let misspelt: Vec<_> =
        cases.iter().map(|(uri, format, value)| (format!("{uri}x"), *format, value.clone())).collect();
    let mut next = misspelt.iter().cycle();
    group.bench_function("misspelt addresses, with suggestions", |b| b.iter(|| black_box(of(next.next().unwrap()))));
    group.finish();
}

criterion_group!(benches, lookup, check);
criterion_main!(benches);
