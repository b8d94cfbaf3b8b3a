//! Questions about nodes: whether a command is right, and what is known of a node.

use std::sync::Arc;

use super::known::Known;
use crate::app::ports::DeviceView;
use crate::app::{App, Error};
use crate::domain::Id;
use crate::domain::csp::{CspList, Evidence, Judge, NodeAnswer, NodeOverride, Verdict};
use crate::domain::device::Device;
use crate::proto::csp::catalogue::{Build, Check, Record};
use crate::proto::syncml::Verb;

/// A command on a node, to be judged.
#[derive(Clone, Debug)]
pub struct CspCheck {
    /// The address.
    pub uri: String,
    /// The command.
    pub verb: Verb,
    /// The format of the value.
    pub format: Option<String>,
    /// The value.
    pub value: Option<String>,
    /// The build of the device; `None` takes that of `device`.
    pub build: Option<Build>,
    /// Its edition; likewise.
    pub edition: Option<u32>,
    /// The device it is for.
    pub device: Option<Id<Device>>,
}

/// All that is known of the node that an address names.
#[derive(Clone, Debug)]
pub struct NodeDetail {
    /// Its description.
    pub record: Record,
    /// The names that stand for dynamic segments.
    pub names: Vec<String>,
    /// The path of the node with which it belongs in one Atomic.
    pub atomic_root: Option<String>,
    /// Paths of the nodes below.
    pub children: Vec<String>,
    /// How devices answered, by build and edition.
    pub answers: Vec<NodeAnswer>,
    /// The CSPs of builds and editions.
    pub csp_lists: Vec<CspList>,
    /// What administrators decided about it.
    pub overrides: Vec<NodeOverride>,
    /// What stands against it on HoloLens 2.
    pub hololens: Option<String>,
}

impl App {
    /// Judges commands, each by itself, in order.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a device, or the store's.
    pub async fn check_nodes(&self, checks: &[CspCheck]) -> Result<Vec<Verdict>, Error> {
        let known = self.csp().await?;
        let mut device: Option<(DeviceView, Evidence)> = None;
        let nothing = Evidence::default();
        let mut verdicts = Vec::with_capacity(checks.len());
        for check in checks {
            if let Some(id) = check.device.filter(|id| device.as_ref().is_none_or(|(view, _)| view.device.id != *id)) {
                let view = self.store.device(id).await?.ok_or(Error::NotFound("device"))?;
                let evidence = self.evidence(&view).await?;
                device = Some((view, evidence));
            }
            let device = device.as_ref().filter(|_| check.device.is_some());
            let evidence = device.map_or(&nothing, |(_, evidence)| evidence);
            let judge = Judge { catalogue: &known.catalogue, overrides: &known.overrides, evidence };
            verdicts.push(judge.judge(&check.on(device.map(|(view, _)| view))));
        }
        Ok(verdicts)
    }

    /// All that is known of a node.
    ///
    /// # Errors
    /// [`Error::Unknown`] with what may be meant, or the store's.
    pub async fn node(&self, uri: &str) -> Result<NodeDetail, Error> {
        let known = self.csp().await?;
        let Some(mut detail) = known.node(uri) else { return Err(known.unknown(uri)) };
        detail.answers = self.store.answers_of_node(&detail.record.path).await?;
        detail.csp_lists = self.store.csp_lists().await?;
        Ok(detail)
    }
}

impl CspCheck {
    fn on<'c>(&'c self, device: Option<&DeviceView>) -> Check<'c> {
        let enrollment = device.map(|view| &view.enrollment);
        let own_build = || enrollment.and_then(|enrollment| Build::parse(enrollment.os_version.as_deref()?));
        Check {
            uri: &self.uri,
            verb: self.verb,
            format: self.format.as_deref(),
            value: self.value.as_deref(),
            build: self.build.or_else(own_build),
            edition: self.edition.or_else(|| enrollment.and_then(|enrollment| enrollment.os_edition)),
        }
    }
}

impl Known {
    /// What is known of a node without asking the database.
    #[must_use]
    pub fn node(&self, uri: &str) -> Option<NodeDetail> {
        let found = self.catalogue.find(uri)?;
        let record = found.record();
        Some(NodeDetail {
            record: record.clone(),
            names: found.names().map(str::to_owned).collect(),
            atomic_root: found.atomic_root().map(|root| root.path.to_string()),
            children: found.children().map(|child| child.path.to_string()).collect(),
            answers: Vec::new(),
            csp_lists: Vec::new(),
            overrides: self.overrides.about(uri).cloned().collect(),
            hololens: self.catalogue.head().hololens.doubt(record),
        })
    }

    fn unknown(self: &Arc<Self>, uri: &str) -> Error {
        Error::Unknown { what: "node in the CSP catalogue", suggestions: self.catalogue.suggest(uri) }
    }
}
