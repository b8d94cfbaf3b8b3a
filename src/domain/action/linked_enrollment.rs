//! The second enrollment that declared configuration needs: started, and ended (management reference 8).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::judge::{accepted_exec, answer, conclude_all, error_at, failed, succeeded};
use super::recipe::{Order, Recipe};
use super::{Conclusion, Impossible, Question, Repeat};
use crate::domain::command::{CommandState, ItemState};
use crate::domain::enrollment::Enrollment;
use crate::proto::csp::linked_enrollment::{self, LinkStatus};
use crate::proto::syncml::{Command, LocUri, Verb};

/// Have the device enroll a second time, for declared configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkEnrollment {
    /// The discovery service of the server of the second enrollment.
    #[schema(example = "https://linked.example.com/EnrollmentServer/Discovery.svc")]
    pub discovery_endpoint: String,
}

/// Have the device end its second enrollment.
pub(super) struct UnlinkEnrollment;

impl Recipe for LinkEnrollment {
    fn name(&self) -> &'static str {
        "link_enrollment"
    }

    fn is_declared_configuration(&self) -> bool {
        true
    }

    fn check(&self, _: &Enrollment) -> Result<(), Impossible> {
        linked_enrollment::check_endpoint(&self.discovery_endpoint).map_err(Impossible::Parameter)
    }

    fn nodes(&self, order: &Order<'_>) -> Vec<LocUri> {
        vec![linked_enrollment::enroll(order.provider_id)]
    }

    fn first_step(&self, order: &Order<'_>) -> Vec<Command> {
        linked_enrollment::link(order.provider_id, &self.discovery_endpoint)
    }

    /// To start what has been started changes nothing.
    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Freely
    }

    fn conclude(&self, order: &Order<'_>, items: &[ItemState]) -> Conclusion {
        if answer(items, &linked_enrollment::status(order.provider_id)).is_none() {
            let endpoint = items.iter().filter(|item| item.verb() != Verb::Exec).cloned().collect::<Vec<_>>();
            match conclude_all(&endpoint) {
                Conclusion::Finished(end) if end.state == CommandState::Succeeded => {}
                other => return other,
            }
        }
        conclude_link(order, items, LinkStatus::Enrolled, LinkStatus::EnrollFailed)
    }
}

impl Recipe for UnlinkEnrollment {
    fn name(&self) -> &'static str {
        "unlink_enrollment"
    }

    fn is_declared_configuration(&self) -> bool {
        true
    }

    fn nodes(&self, order: &Order<'_>) -> Vec<LocUri> {
        vec![linked_enrollment::unenroll(order.provider_id)]
    }

    fn first_step(&self, order: &Order<'_>) -> Vec<Command> {
        linked_enrollment::unlink(order.provider_id)
    }

    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Freely
    }

    fn conclude(&self, order: &Order<'_>, items: &[ItemState]) -> Conclusion {
        conclude_link(order, items, LinkStatus::Unenrolled, LinkStatus::UnenrollFailed)
    }
}

fn conclude_link(order: &Order<'_>, items: &[ItemState], good: LinkStatus, bad: LinkStatus) -> Conclusion {
    let Some(told) = answer(items, &linked_enrollment::status(order.provider_id)) else {
        let ask = || wait(order, "the device took it");
        return accepted_exec(items, "this device has no linked enrollment", ask);
    };
    match told.data.as_deref().and_then(LinkStatus::parse) {
        Some(status) if status == good => succeeded(told, status.words()),
        // Without a linked enrollment there is none to be ended.
        Some(LinkStatus::Undefined) if good == LinkStatus::Unenrolled => succeeded(told, LinkStatus::Undefined.words()),
        Some(status) if status == bad => {
            failed(told, status.words(), error_at(items, &linked_enrollment::last_error(order.provider_id)))
        }
        Some(status) => wait(order, status.words()),
        None => wait(order, "the device took it and does not tell how far it is"),
    }
}

fn wait(order: &Order<'_>, words: &str) -> Conclusion {
    let nodes = [linked_enrollment::status(order.provider_id), linked_enrollment::last_error(order.provider_id)];
    Conclusion::Follow(Question { commands: nodes.map(Command::get).into(), detail: words.to_owned() })
}
