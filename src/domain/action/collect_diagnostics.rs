//! Logs that a device packs and uploads (management reference 7.21).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::Duration;
use utoipa::ToSchema;

use super::judge::{accepted_exec, answer, failed, parse_hresult, succeeded, text};
use super::recipe::{Mistake, Order, Recipe};
use super::{Conclusion, Question, Repeat, describe_hresult};
use crate::domain::command::ItemState;
use crate::proto::csp::bitlocker::is_request;
use crate::proto::csp::diagnostics::{self, Collection, Outcome};
use crate::proto::syncml::{Command, LocUri};

/// Have the device pack logs and upload them here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CollectDiagnostics {
    /// What is packed; default: what tells most about management itself.
    #[serde(default)]
    pub collection: Option<Collection>,
}

/// Things that are packed at most.
const MOST_ELEMENTS: usize = 50;

impl CollectDiagnostics {
    /// How long the device may take, and its upload is taken.
    pub const PATIENCE: Duration = Duration::days(3);
}

impl Recipe for CollectDiagnostics {
    fn name(&self) -> &'static str {
        "collect_diagnostics"
    }

    fn mistakes(&self) -> Vec<Mistake> {
        match &self.collection {
            Some(collection) if collection.is_empty() => {
                vec![Mistake::new("/collection", "names something to pack")]
            }
            Some(collection) if collection.len() > MOST_ELEMENTS => {
                vec![Mistake::new("/collection", format!("names at most {MOST_ELEMENTS} things"))]
            }
            _ => Vec::new(),
        }
    }

    fn nodes(&self, _: &Order<'_>) -> Vec<LocUri> {
        vec![LocUri::fixed(diagnostics::DEFINITION)]
    }

    fn first_step(&self, order: &Order<'_>) -> Vec<Command> {
        let collection = self.collection.clone().unwrap_or_else(Collection::usual);
        vec![collection.command(order.id, order.upload_url.unwrap_or_default())]
    }

    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Never
    }

    fn patience(&self) -> Duration {
        Self::PATIENCE
    }

    /// Results count under our id only: they are those of the last collection, whoever asked for it.
    fn conclude(&self, order: &Order<'_>, items: &[ItemState]) -> Conclusion {
        let wait =
            |words: &str| Conclusion::Follow(Question { commands: diagnostics::read(), detail: words.to_owned() });
        let Some(results) = answer(items, &LocUri::fixed(diagnostics::RESULTS)) else {
            let ask = || wait("the device packs its logs");
            return accepted_exec(items, "this build packs no logs by management", ask);
        };
        let outcome = results.data.as_deref().and_then(Outcome::parse);
        let Some(outcome) = outcome.filter(|outcome| is_request(&outcome.id, order.id)) else {
            return wait("the device packs its logs");
        };
        match outcome.hresult.as_deref().map(parse_hresult) {
            None => wait("the device packs its logs"),
            Some(Some(0)) if outcome.failed.is_empty() => succeeded(results, "the device packed and uploaded its logs"),
            Some(Some(0)) => {
                let count = outcome.failed.len();
                succeeded(
                    results,
                    &format!("the device packed and uploaded its logs, without {count} parts that failed"),
                )
            }
            Some(code) => failed(results, "the device could not pack or upload its logs", code),
        }
    }

    fn result(&self, _: &Order<'_>, items: &[ItemState]) -> Option<Value> {
        let outcome = Outcome::parse(text(items, &LocUri::fixed(diagnostics::RESULTS))?)?;
        let part = |(kind, name, hresult): (String, String, String)| json!({ "kind": kind, "name": name, "hresult": describe_hresult(&hresult) });
        Some(json!({
            "hresult": outcome.hresult.as_deref().map(describe_hresult),
            "failed": outcome.failed.into_iter().map(part).collect::<Vec<_>>(),
        }))
    }
}
