//! What the lists of actions and of raw commands have in common.

use anyhow::Result;
use clap::Args;

use super::client::{Client, Found};
use super::names;
use super::output::field;

/// Which rows of the queue to list.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Only of that device, by id or name.
    #[arg(long)]
    pub(super) device: Option<String>,
    /// Only those in that state.
    #[arg(long)]
    pub(super) state: Option<String>,
    /// Most rows.
    #[arg(long, default_value_t = 100)]
    pub(super) limit: usize,
}

impl ListArgs {
    /// The rows, newest first.
    pub(super) async fn find(&self, client: &Client, path: &str) -> Result<Found> {
        let device = match &self.device {
            Some(text) => Some(field(&names::device(client, text).await?, "id")),
            None => None,
        };
        let options = [("device", device.as_deref()), ("state", self.state.as_deref())];
        let query: Vec<(&str, &str)> = options.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        client.list(path, &query, self.limit).await
    }
}
