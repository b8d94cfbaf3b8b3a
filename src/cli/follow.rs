//! `--wait`: follows what was queued until it is over.

use std::time::Duration;

use anyhow::Result;
use serde_json::Value;

use super::client::Client;
use super::output::{field, remark};

/// Pause between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// Looks at the document at `path` until its state is final; each new state is told on standard error.
pub(super) async fn until_final(client: &Client, path: &str, name: &str) -> Result<Value> {
    let mut told = String::new();
    loop {
        let document = client.get(path, &[]).await?;
        let state = field(&document, "state");
        if state != told {
            remark(&format!("{name}: {state}: {}", field(&document, "detail")));
        }
        if is_final(&state) {
            return Ok(document);
        }
        told = state;
        tokio::time::sleep(PAUSE).await;
    }
}

/// `unknown` can still be answered late, but not by waiting: the device was silent when it should have spoken.
fn is_final(state: &str) -> bool {
    !matches!(state, "queued" | "sent")
}

/// Whether it went as asked.
pub(super) fn succeeded(document: &Value) -> bool {
    document["state"] == "succeeded"
}
