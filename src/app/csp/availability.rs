//! Which actions a device can carry out, as far as that is known, and why not.

use crate::app::App;
use crate::app::ports::DeviceView;
use crate::domain::Id;
use crate::domain::action::{Action, Impossible, Order};
use crate::domain::csp::{Evidence, NodeSign, Ruling, is_at_or_below};
use crate::domain::enrollment::{Enrollment, EnrollmentState};
use crate::proto::csp::catalogue::{Build, Check, ErrorKind};
use crate::proto::syncml::{Command, LocUri, StatusCode, Verb, node_key, status_words};

use super::known::Known;

/// An action, and whether a device is known not to do it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionOffer {
    /// The action with the parameters for which this holds.
    pub action: Action,
    /// Whether it can be asked.
    pub is_available: bool,
    /// Why not; of one that can be asked, what speaks against it.
    pub reason: Option<String>,
}

/// What is known of the nodes that an action needs.
pub(in crate::app) struct Need<'a> {
    pub(in crate::app) known: &'a Known,
    pub(in crate::app) evidence: &'a Evidence,
    pub(in crate::app) enrollment: &'a Enrollment,
}

/// Of so many devices of one build and edition that refused, and none that did it, the next one is not asked.
const ENOUGH: u64 = 5;
/// The status that says that a node is not there, rather than that it is not served.
const ABSENT: u16 = 404;
/// A list of CSPs that is shorter is not believed: Windows has dozens.
const CREDIBLE_LIST: usize = 10;

impl App {
    /// Every kind of action, and whether the device is known not to do it.
    pub(in crate::app) fn action_offers(
        &self,
        view: &DeviceView,
        known: &Known,
        evidence: &Evidence,
    ) -> Vec<ActionOffer> {
        let need = Need { known, evidence, enrollment: &view.enrollment };
        let nobody = Id::new(uuid::Uuid::nil());
        let order = Order::new(nobody, &self.settings.provider_id, &view.enrollment);
        Action::kinds().into_iter().map(|action| need.offer(action, &order)).collect()
    }
}

/// Why an action must not be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::app) struct Obstacle {
    /// In words.
    pub(in crate::app) words: String,
    /// Whether the node is known not to be there, which other nodes may be.
    pub(in crate::app) is_absence: bool,
}

impl Obstacle {
    fn of(words: String) -> Self {
        Self { words, is_absence: false }
    }
}

impl Need<'_> {
    fn offer(&self, action: Action, order: &Order<'_>) -> ActionOffer {
        let against = self.state().or_else(|| match action.check(self.enrollment) {
            Err(Impossible::Name(_) | Impossible::Parameter(_)) | Ok(()) => None,
            Err(impossible) => Some(impossible.to_string()),
        });
        let against = against.or_else(|| match self.plan(&action, order) {
            Err(obstacle) => Some(obstacle.words),
            Ok(_) => None,
        });
        let is_available = against.is_none();
        let nodes = action.nodes(order);
        let reason = against.or_else(|| nodes.iter().find_map(|node| self.doubt(node)));
        ActionOffer { action, is_available, reason }
    }

    fn state(&self) -> Option<String> {
        let state = self.enrollment.state;
        (!matches!(state, EnrollmentState::Active | EnrollmentState::Pending))
            .then(|| format!("the device is {}", state.as_str()))
    }

    /// The first commands of an action, or why it must not be asked. Nothing keeps a device from being asked to leave.
    pub(in crate::app) fn plan(&self, action: &Action, order: &Order<'_>) -> Result<Vec<Command>, Obstacle> {
        let by_description = action.goes_by_description();
        let obstacle = action.nodes(order).iter().find_map(|node| self.obstacle(node, by_description));
        let Some(obstacle) = obstacle.filter(|_| *action != Action::Retire) else {
            return Ok(action.first_step(order));
        };
        match action.instead().filter(|_| obstacle.is_absence) {
            Some(instead) if instead.nodes.iter().all(|node| self.obstacle(node, by_description).is_none()) => {
                Ok(instead.commands)
            }
            _ => Err(obstacle),
        }
    }

    /// Why nothing must be asked that needs this node: decided so, shown by devices, or described so where that counts.
    fn obstacle(&self, node: &LocUri, by_description: bool) -> Option<Obstacle> {
        let check = self.check(node);
        match self.known.overrides.decisive(&check).map(|decided| (&decided.ruling, decided)) {
            Some((Ruling::Allow, _)) => return None,
            Some((Ruling::Refuse, decided)) => {
                let words = format!("{} decided that {node} is not used: {}", decided.made_by, decided.reason);
                return Some(Obstacle::of(words));
            }
            Some((Ruling::Values(_), _)) | None => {}
        }
        let shown = self.own_refusal(node).or_else(|| self.refused_by_its_like(node));
        let shown = shown.or_else(|| self.without_csp(node));
        shown.or_else(|| self.described(node).filter(|_| by_description))
    }

    /// The description says that the build or the edition does not have it.
    fn described(&self, node: &LocUri) -> Option<Obstacle> {
        let refusal = self.known.catalogue.check(&self.check(node)).err()?;
        let lacks = matches!(refusal.kind, ErrorKind::NotApplicableOs | ErrorKind::NotApplicableEdition);
        lacks.then(|| Obstacle { words: format!("{node}: {}", refusal.message), is_absence: true })
    }

    /// The device itself said that it has no such node.
    fn own_refusal(&self, node: &LocUri) -> Option<Obstacle> {
        let missing = self.evidence.missing.iter();
        let found = missing.into_iter().find(|known| LocUri::received(&known.loc_uri).same_as(node))?;
        let words = format!("this device answered {} to it before, on {}", said(found.status), found.os_version);
        Some(Obstacle { words, is_absence: found.status == ABSENT })
    }

    /// Devices of the same build and edition said so, and none did it.
    fn refused_by_its_like(&self, node: &LocUri) -> Option<Obstacle> {
        let found = self.known.catalogue.find(node.as_str())?;
        let path = found.record().path.as_str();
        let own = self.build().and_then(|build| build.revision);
        // What they say to another command proves nothing about this one.
        let verb = self.check(node).verb;
        let of_node = || self.evidence.answers.iter().filter(|answer| answer.path == path && answer.verb == verb);
        if of_node().any(|answer| answer.sign() == Some(NodeSign::Works)) {
            return None;
        }
        let absent = of_node().filter(|answer| {
            answer.sign() == Some(NodeSign::Absent) && own.is_none_or(|own| own <= answer.last_revision)
        });
        let most = absent.max_by_key(|answer| answer.answers).filter(|answer| answer.answers >= ENOUGH)?;
        let count = most.answers;
        let status = said(most.status);
        let words = format!("devices of this build and edition answered {status} to it {count} times, and none did it");
        Some(Obstacle { words, is_absence: most.status == ABSENT })
    }

    /// The device listed its CSPs, and the one of the node is not among them.
    fn without_csp(&self, node: &LocUri) -> Option<Obstacle> {
        let found = self.known.catalogue.find(node.as_str())?;
        let csp = found.record().csp.as_str();
        let key = node_key(node.as_str());
        let listed = &self.evidence.csps;
        let is_missing = listed.len() >= CREDIBLE_LIST && !listed.iter().any(|root| is_at_or_below(&key, root));
        is_missing.then(|| Obstacle::of(format!("the device listed its CSPs, and {csp} is not among them")))
    }

    /// What the description says against it.
    fn doubt(&self, node: &LocUri) -> Option<String> {
        let answer = self.known.catalogue.check(&self.check(node));
        answer.err().map(|refusal| refusal.message)
    }

    fn check<'u>(&self, node: &'u LocUri) -> Check<'u> {
        let access = self.known.catalogue.find(node.as_str()).map(|found| found.record().access);
        let usual = [Verb::Exec, Verb::Replace, Verb::Add, Verb::Get];
        let verb = usual.into_iter().find(|verb| access.is_some_and(|access| access.allows(*verb)));
        let check = Check::new(node.as_str(), verb.unwrap_or(Verb::Get));
        Check { build: self.build(), edition: self.enrollment.os_edition, ..check }
    }

    fn build(&self) -> Option<Build> {
        Build::parse(self.enrollment.os_version.as_deref()?)
    }
}

fn said(status: u16) -> String {
    format!("{status} ({})", status_words(StatusCode(status)))
}
