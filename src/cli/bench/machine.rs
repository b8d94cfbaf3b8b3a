//! The machine that figures come from, by its hardware alone.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

/// Processor, cores, memory, disk and system. Ask before this process is kept to one core.
pub(super) fn describe(folder: &Path) -> Value {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let system = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let gibibytes = value(&memory, "MemTotal").and_then(|text| text.split_whitespace().next()?.parse::<f64>().ok());
    json!({
        "cpu": value(&processors, "model name"),
        "cores": std::thread::available_parallelism().map_or(1, usize::from),
        "memory_gib": gibibytes.map(|kibibytes| (kibibytes / 1_048_576.0).round()),
        "disk": disk(folder),
        "os": field(&system, "PRETTY_NAME=").map(|name| name.trim_matches('"').to_owned()),
        "kernel": kernel.trim(),
    })
}

/// In one line.
pub(super) fn words(machine: &Value) -> String {
    let text = |key: &str| machine[key].as_str().unwrap_or("?").to_owned();
    format!(
        "{}, {} cores, {} GiB of memory, {}, {}, Linux {}",
        text("cpu"),
        machine["cores"],
        machine["memory_gib"],
        text("disk"),
        text("os"),
        text("kernel")
    )
}

/// `key : value`
fn value(text: &str, key: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    Some(line.trim_start().strip_prefix(':')?.trim().to_owned())
}

fn field(text: &str, key: &str) -> Option<String> {
    text.lines().find_map(|line| line.strip_prefix(key)).map(str::to_owned)
}

/// File system and kind of device below the folder.
fn disk(folder: &Path) -> Option<String> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let holds = |line: &&str| line.split(' ').nth(1).is_some_and(|mount| folder.starts_with(mount));
    // The longest path that leads to the folder; of two on the same path the later one is on top.
    let mount = mounts.lines().filter(holds).max_by_key(|line| line.split(' ').nth(1).map_or(0, str::len))?;
    let mut parts = mount.split(' ');
    let (device, kind) = (parts.next()?, parts.nth(1)?);
    let name = device.trim_start_matches("/dev/").trim_end_matches(|c: char| c.is_ascii_digit());
    Some(match name {
        _ if !device.starts_with("/dev/") => kind.to_owned(),
        name if name.starts_with("vd") => format!("{kind} on a virtio disk"),
        name if name.starts_with("nvme") => format!("{kind} on NVMe"),
        _ => format!("{kind} on a disk"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_tells_is_read() {
        assert_eq!(value("processor\t: 0\nmodel name\t: A B\n", "model name").as_deref(), Some("A B"));
        assert_eq!(value("MemTotal:       24 kB\n", "MemTotal").as_deref(), Some("24 kB"));
        assert_eq!(value("", "MemTotal"), None);
        let machine = describe(&std::env::temp_dir());
        assert!(machine["cores"].as_u64().is_some_and(|cores| cores > 0));
        assert!(words(&machine).contains("cores"));
    }
}
