//! Reading and writing messages. Read them as ratios of one run: what a typed message costs against a scan of the same bytes
//! for XML events that keeps nothing.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed expectation ends the benchmark")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use muster::proto::syncml::{Encoding, Message, decode, decode_fragment, encode, encode_fragment};
use muster::proto::xml::{Limits, scan};
use muster::sim::specimen;

fn documents() -> [(&'static str, Vec<u8>); 4] {
    let said = encode(&specimen::answers(2, 12));
    assert!((4_000..6_000).contains(&said.len()), "{}", said.len());
    [
        ("12 Status and 12 Results", said),
        ("package 1", encode(&specimen::package_1())),
        ("one Status", encode(&specimen::nothing_to_say(2))),
        ("64 KiB of CDATA", specimen::large_cdata(64 * 1024)),
    ]
}

fn read(c: &mut Criterion) {
    let limits = Limits::default();
    let mut group = c.benchmark_group("read");
    for (name, bytes) in &documents() {
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(format!("{name}: events alone"), |b| b.iter(|| scan(black_box(bytes)).unwrap()));
        group.bench_function(format!("{name}: typed"), |b| b.iter(|| decode(black_box(bytes), &limits).unwrap()));
        group.bench_function(format!("{name}: tree"), |b| {
            b.iter(|| Encoding::Xml.document(black_box(bytes), &limits).unwrap());
        });
    }
    group.finish();
}

fn write(c: &mut Criterion) {
    let mut group = c.benchmark_group("write");
    for (name, bytes) in &documents() {
        let message: Message = decode(bytes, &Limits::default()).unwrap();
        group.throughput(Throughput::Bytes(encode(&message).len() as u64));
        group.bench_function(*name, |b| b.iter(|| encode(black_box(&message))));
    }
    group.finish();
}

fn fragments(c: &mut Criterion) {
    let commands = specimen::settings(100);
    let bytes = encode_fragment(&commands);
    let mut group = c.benchmark_group("100 settings in the queue");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("written", |b| b.iter(|| encode_fragment(black_box(&commands))));
    let limits = Limits::default();
    group.bench_function("read", |b| b.iter(|| decode_fragment(black_box(&bytes), &limits).unwrap()));
    group.finish();
}

criterion_group!(benches, read, write, fragments);
criterion_main!(benches);
