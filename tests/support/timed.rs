//! A server in this process, whose clock the test moves.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use muster::adapters::system::ManualClock;
use muster::cli::serve::{self, Options, Running};
use time::OffsetDateTime;
use tokio::runtime::Runtime;

use super::api::Api;
use super::device::FakeDevice;
use super::now;
use super::server::{Server, fresh_installation};

pub const MINUTE: u64 = 60;
pub const HOUR: u64 = 60 * MINUTE;
pub const DAY: u64 = 24 * HOUR;

/// A server in this process, and the hand on its clock.
pub struct Timed {
    pub server: Server,
    clock: Arc<ManualClock>,
    running: Option<Running>,
    runtime: Runtime,
}

impl Timed {
    pub fn start() -> Self {
        Self::on(fresh_installation())
    }

    /// With keys set in a section of its configuration.
    pub fn start_with(section: &str, keys: &str) -> Self {
        let home = fresh_installation();
        let file = home.join("data/muster.toml");
        let text = std::fs::read_to_string(&file).expect("init writes muster.toml");
        let head = format!("[{section}]\n");
        assert!(text.contains(&head), "muster.toml shows every section");
        std::fs::write(&file, text.replacen(&head, &format!("{head}{keys}"), 1)).expect("muster.toml can be written");
        Self::on(home)
    }

    fn on(home: PathBuf) -> Self {
        let clock = Arc::new(ManualClock::new(now()));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let options = options(&clock, home.join("data"));
        let running = runtime.block_on(serve::start(options)).expect("the server starts");
        let server = Server::attached(home, &running.url, &running.device_url);
        Self { server, clock, running: Some(running), runtime }
    }

    /// Ends the server and starts it again by another clock; what it says where it refuses.
    pub fn restart_at(&mut self, now: OffsetDateTime, trust_clock: bool) -> Result<(), String> {
        self.stop();
        let clock = Arc::new(ManualClock::new(now));
        let options = Options { trust_clock, ..options(&clock, self.server.data()) };
        let running = self.runtime.block_on(serve::start(options)).map_err(|error| format!("{error:#}"))?;
        (self.server.url, self.server.device_url) = (bare(&running.url), bare(&running.device_url));
        (self.running, self.clock) = (Some(running), clock);
        Ok(())
    }

    fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            self.runtime.block_on(running.shutdown());
        }
    }

    /// Lets time pass.
    pub fn pass(&self, seconds: u64) {
        let seconds = i64::try_from(seconds).unwrap();
        self.clock.advance(time::Duration::seconds(seconds));
        super::pass(seconds);
    }

    /// Sets the wall clock forward or back by so many seconds, as if somebody had put it wrong or right.
    pub fn jump(&self, seconds: i64) {
        self.clock.jump(time::Duration::seconds(seconds));
        super::pass(seconds);
    }

    /// A device without anything waiting for it, its id, and the API.
    pub fn settled(&self) -> (FakeDevice, String, Api) {
        let (device, _) = FakeDevice::settled(&self.server);
        let id = device.id(&self.server);
        (device, id, self.server.api())
    }
}

impl Drop for Timed {
    fn drop(&mut self) {
        self.stop();
    }
}

fn options(clock: &Arc<ManualClock>, data: PathBuf) -> Options {
    Options {
        clock: Some(Arc::clone(clock) as _),
        upkeep_every: Duration::from_millis(100),
        ops: false,
        ..Options::new(data)
    }
}

fn bare(url: &str) -> String {
    url.trim_end_matches('/').to_owned()
}
