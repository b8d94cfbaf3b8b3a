//! Events about commands: one for every change of state.

use serde_json::json;

use super::App;
use super::ports::Write;
use crate::domain::command::QueuedCommand;

impl App {
    /// The event for the state that a command has now.
    pub(super) fn action_event(&self, command: &QueuedCommand) -> Write {
        let data = json!({
            "id": command.id, "enrollment_id": command.enrollment_id, "type": command.action.name(),
            "state": command.state.as_str(), "detail": command.detail, "status": command.status,
            "hresult": command.hresult, "offers": command.offers,
        });
        self.event(&format!("action.{}", command.state.as_str()), Some(command.device_id.to_string()), data)
    }
}
