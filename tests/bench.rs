//! `muster bench`: that it measures, judges and refuses; not what it measures, which is no matter for a test.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

fn bench(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    command.arg("bench").args(arguments).env_remove("MUSTER_TOKEN");
    command.output().expect("the program can be started")
}

/// The least that measures anything.
const LEAST: [&str; 6] = ["--quick", "--rounds", "1", "--devices", "4", "--json"];

fn file(name: &str, text: &str) -> PathBuf {
    let file = std::env::temp_dir().join(format!("muster-bench-test-{}-{name}", std::process::id()));
    fs::write(&file, text).expect("the temporary folder is writable");
    file
}

fn number(figure: &Value, name: &str) -> f64 {
    figure[name].as_f64().expect(name)
}

#[test]
fn figures_are_measured_and_an_impossible_target_fails() {
    let targets = file("targets.toml", "[P-01]\nat_most = 0.01\n");
    let record = file("record.jsonl", "{\"earlier\":1}\n");
    let (targets_name, record_name) = (targets.to_string_lossy(), record.to_string_lossy());
    let more = ["--only", "P-01", "--check", &targets_name, "--record", &record_name];
    let output = bench(&[&LEAST[..], &more].concat());
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{complaint}");
    assert!(complaint.contains("P-01"), "{complaint}");

    let document: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    let figures = document["figures"].as_array().expect("a list");
    let [figure] = figures.as_slice() else { panic!("{figures:?}") };
    assert_eq!((figure["id"].as_str(), number(figure, "target")), (Some("P-01"), 0.01));
    assert!(number(figure, "low") <= number(figure, "ratio") && number(figure, "ratio") <= number(figure, "high"));
    assert!(number(figure, "ours_us") > 0.0 && number(figure, "bare_us") > 0.0, "{figure}");
    assert!(number(figure, "round_trips") >= 1.0 && number(figure, "bytes_up") > 0.0, "{figure}");
    let cores = std::thread::available_parallelism().expect("the system tells").get();
    assert_eq!(document["machine"]["cores"], cores, "all of them, though the devices keep to one");
    assert!(number(&document["capacity"], "devices_each_minute") > 0.0);

    let lines = fs::read_to_string(&record).expect("the record is there");
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    assert_eq!(lines.len(), 2, "the run was appended");
    assert_eq!(lines[1], document);
    for file in [targets, record] {
        let _ = fs::remove_file(file);
    }
}

#[test]
fn other_figures_are_numbers_too() {
    let ids = ["P-06", "P-07", "P-08", "P-13", "P-16", "P-17", "P-17-rss"];
    let output = bench(&[&LEAST[..], &["--only", &ids.join(",")]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    let figures = document["figures"].as_array().expect("a list");
    let found: Vec<&str> = figures.iter().filter_map(|figure| figure["id"].as_str()).collect();
    assert_eq!(found, ids);
    for figure in figures {
        assert!(number(figure, "ratio").is_finite() && figure["name"].is_string(), "{figure}");
    }
    assert!(document["capacity"].is_null(), "it follows from P-01 alone");
}

#[test]
fn what_cannot_be_measured_is_refused_before_anything_is() {
    let unknown = file("unknown.toml", "[P-01]\nat_most = 1.0\nbelow = 2\n");
    let nowhere = file("nowhere.toml", "[P-77]\nat_most = 1.0\n");
    for (arguments, code, part) in [
        (["--only", "P-77"], 2, "P-77 is no figure"),
        (["--only", "P-10"], 2, "P-10 is measured with --scale"),
        (["--check", &unknown.to_string_lossy()], 1, "below"),
        (["--check", &nowhere.to_string_lossy()], 1, "[P-77]"),
        (["--check", "/no/such/file"], 1, "/no/such/file"),
        (["--rounds", "0"], 2, "--rounds"),
        (["--database", "mysql://x"], 2, "--database"),
        (["--against", "https://localhost:1"], 2, "--user"),
    ] {
        let output = bench(&arguments);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {complaint}");
        assert!(complaint.contains(part), "{arguments:?}: {complaint}");
    }
    for file in [unknown, nowhere] {
        let _ = fs::remove_file(file);
    }
}
