//! A device with a server whose clock the test moves: for actions that take the device some time.

use serde_json::Value;

use super::api::Api;
use super::device::{FakeDevice, Visit};
use super::reply::Command;
use super::timed::Timed;

/// A server whose clock the test moves, with a device that has nothing waiting for it.
pub struct Scene {
    pub timed: Timed,
    pub device: FakeDevice,
    pub id: String,
    pub api: Api,
}

impl Scene {
    pub fn new() -> Self {
        let timed = Timed::start();
        let (device, id, api) = timed.settled();
        Self { timed, device, id, api }
    }

    /// Asks for an action and returns its id.
    #[track_caller]
    pub fn order(&self, body: &Value) -> String {
        self.api.act(&self.id, body)
    }

    /// Time passes, and the device calls.
    pub fn later(&mut self, seconds: u64) -> Visit {
        self.timed.pass(seconds);
        self.device.check_in()
    }

    /// The device calls with an alert about a node.
    pub fn alert(&mut self, code: u32, kind: &str, source: &str, data: &str) -> Visit {
        let mut message = self.device.package_one();
        message.sourced_alert(code, kind, source, data);
        let reply = self.device.exchange(&message);
        self.device.finish(reply)
    }

    /// The action, which must be in that state.
    #[track_caller]
    pub fn expect(&self, action: &str, state: &str) -> Value {
        let shown = self.api.action(action);
        assert_eq!(shown["state"], state, "{shown}");
        shown
    }

    /// The pointer of the parameter for which an action is refused.
    #[track_caller]
    pub fn refused_for(&self, body: &Value) -> String {
        let problem = self.api.post(&format!("/devices/{}/actions", self.id), body, 422);
        let words = problem["errors"][0]["message"].as_str().unwrap_or_default();
        assert!(!words.is_empty(), "{problem}");
        problem["errors"][0]["pointer"].as_str().unwrap_or_else(|| panic!("{problem}")).to_owned()
    }

    /// Fails where one of these texts is in an answer, a transcript, an event, the audit, the log or, in clear, the database.
    pub fn keeps_secret(&self, secrets: &[&str]) {
        let mut told = format!("{:?}{:?}", self.api.events(), self.api.list("/audit?limit=500"));
        for action in self.api.list(&format!("/actions?device={}&limit=500", self.id)) {
            let id = action["id"].as_str().unwrap();
            told.push_str(&format!("{action}{}{}", self.api.action(id), self.api.get(&format!("/commands/{id}"))));
        }
        told.push_str(&Value::from(self.api.sessions(&self.id)).to_string());
        for secret in secrets {
            assert!(!told.contains(secret), "a document holds {secret}");
            assert!(!super::database::holds(&self.timed.server, secret), "the database holds {secret}");
        }
    }
}

/// `Verb LocURI format data` of a command and of all in it.
pub fn lines(commands: &[&Command]) -> Vec<String> {
    let text = |command: &&Command| match command.items.first() {
        None => command.verb.clone(),
        Some(item) => {
            let parts = [Some(item.uri.clone()), item.format.clone(), item.data.clone()];
            format!("{} {}", command.verb, parts.into_iter().flatten().collect::<Vec<_>>().join(" "))
        }
    };
    commands.iter().map(text).collect()
}

pub fn detail(action: &Value) -> String {
    action["detail"].as_str().unwrap_or_default().to_owned()
}
