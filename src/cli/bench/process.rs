//! Servers as child processes: on a core of their own, with their processor time and memory read from `/proc`.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Where the servers run, and where we do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cores {
    /// For one server at a time.
    pub(super) server: usize,
    /// For the devices.
    pub(super) client: usize,
}

impl Cores {
    /// The first two cores that this process may use; `None` where there is one.
    pub(super) fn find() -> Option<Self> {
        let allowed = sched_getaffinity(None).ok()?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
        Some(Self { server: cores.next()?, client: cores.next()? })
    }

    /// Keeps every thread of this process to the client's core.
    pub(super) fn pin_client(self) -> Result<()> {
        keep_to(&only(&[self.client]))
    }

    /// Gives this process both cores, for work that is not measured.
    pub(super) fn use_both(self) -> Result<()> {
        keep_to(&only(&[self.server, self.client]))
    }
}

/// Every thread of this process.
fn keep_to(cores: &CpuSet) -> Result<()> {
    for thread in fs::read_dir("/proc/self/task")? {
        if let Some(id) = thread?.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw) {
            // A thread may have ended meanwhile.
            let _ = sched_setaffinity(Some(id), cores);
        }
    }
    Ok(())
}

fn only(cores: &[usize]) -> CpuSet {
    let mut set = CpuSet::new();
    cores.iter().for_each(|core| set.set(*core));
    set
}

/// A server that was started here; it ends with this.
pub(super) struct Server {
    child: Child,
    /// `url`, as it told.
    pub(super) url: String,
    /// `device_url`, likewise.
    pub(super) device_url: String,
}

impl Server {
    /// Starts this program with those arguments and variables; see [`begin`](Self::begin).
    pub(super) fn start(
        arguments: &[&str],
        variables: &[(String, String)],
        log: &Path,
        cores: Option<Cores>,
    ) -> Result<Self> {
        let program = std::env::current_exe().context("this program cannot be found to be started once more")?;
        let mut command = Command::new(program);
        // The configuration of whoever measures is another one.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MUSTER_")) {
            command.env_remove(name);
        }
        command.args(arguments).envs(variables.iter().cloned());
        Self::begin(command, log, cores)
    }

    /// Starts a server and waits for its `ready` line. What it logs goes to the file.
    pub(super) fn begin(mut command: Command, log: &Path, cores: Option<Cores>) -> Result<Self> {
        let shown = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(fs::File::create(log)?);
        let mut child = spawn(command, cores)?;
        let told = child.stdout.take().map(BufReader::new).and_then(|mut lines| {
            let mut line = String::new();
            lines.read_line(&mut line).ok()?;
            // Nobody writes to it again, but it must stay open.
            thread::spawn(move || lines.lines().for_each(drop));
            Some(line)
        });
        let told = told.unwrap_or_default();
        let word = |key: &str| told.split_whitespace().find_map(|word| word.strip_prefix(key)).map(str::to_owned);
        match (word("url="), word("device_url=")) {
            (Some(url), Some(device_url)) => Ok(Self { child, url, device_url }),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                let said = fs::read_to_string(log).unwrap_or_default();
                bail!("{shown} did not start: {}", said.lines().last().unwrap_or("no word"))
            }
        }
    }

    /// Its process.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }
    /// Asks it to end and waits until it has.
    pub(super) fn stop(mut self) -> Result<()> {
        if let Some(pid) = i32::try_from(self.pid()).ok().and_then(Pid::from_raw) {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        }
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Begins a process on the server's core: it keeps to the core of the thread that begins it, so a thread is made for that.
fn spawn(mut command: Command, cores: Option<Cores>) -> Result<Child> {
    let program = command.get_program().to_owned();
    let spawned = thread::spawn(move || {
        if let Some(cores) = cores {
            sched_setaffinity(None, &only(&[cores.server]))?;
        }
        command.spawn()
    });
    let spawned = spawned.join().map_err(|_| anyhow!("the thread that starts servers ended"))?;
    spawned.with_context(|| format!("cannot start {}", program.display()))
}

/// The processor time of a process, in nanoseconds, all threads included.
///
/// `/proc/PID/stat` counts in ticks of 10 ms. What the scheduler has counted of each thread does not; threads that ended
/// keep what was last seen of them.
pub(super) struct CpuClock {
    pid: u32,
    threads: HashMap<String, u64>,
    ended: u64,
}

impl CpuClock {
    /// Of that process.
    pub(super) fn of(pid: u32) -> Self {
        Self { pid, threads: HashMap::new(), ended: 0 }
    }

    /// Nanoseconds so far.
    ///
    /// # Errors
    /// If the process is gone, or this system does not tell.
    pub(super) fn read(&mut self) -> Result<u64> {
        let folder = format!("/proc/{}/task", self.pid);
        let threads = fs::read_dir(&folder).with_context(|| format!("{folder}: the process is gone"))?;
        let mut now = HashMap::with_capacity(self.threads.len());
        for thread in threads.flatten() {
            // A thread that ends just now is not there any more.
            let Ok(text) = fs::read_to_string(thread.path().join("schedstat")) else { continue };
            let ran = text.split_whitespace().next().and_then(|number| number.parse().ok());
            let ran: u64 = ran.context("this system does not tell how long threads ran (schedstat)")?;
            now.insert(thread.file_name().to_string_lossy().into_owned(), ran);
        }
        let ended = self.threads.iter().filter(|(id, _)| !now.contains_key(*id));
        self.ended += ended.map(|(_, ran)| ran).sum::<u64>();
        self.threads = now;
        Ok(self.ended + self.threads.values().sum::<u64>())
    }
}

/// The resident memory of a process, in bytes.
pub(super) fn resident_bytes(pid: u32) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kibibytes.context("this system does not tell how much memory a process has")? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_of_a_process_counts_its_threads_and_keeps_those_that_ended() {
        let mut clock = CpuClock::of(std::process::id());
        let before = clock.read().unwrap();
        let (work, ready) = std::sync::mpsc::channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let worker = thread::spawn(move || {
            let sum = (0..20_000_000_u64).fold(0, |sum, n| std::hint::black_box(sum ^ n));
            work.send(sum).unwrap();
            let _ = ended.recv();
        });
        ready.recv().unwrap();
        let during = clock.read().unwrap();
        assert!(during > before + 1_000_000, "{before} {during}");
        drop(end);
        worker.join().unwrap();
        assert!(clock.read().unwrap() >= during, "what a thread used does not vanish with it");
    }

    #[test]
    fn memory_is_told_in_bytes() {
        assert!(resident_bytes(std::process::id()).unwrap() > 1024 * 1024);
        assert!(resident_bytes(u32::MAX).is_err());
    }
}
