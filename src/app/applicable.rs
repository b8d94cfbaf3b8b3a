//! What stands against an action on a device by what is known: what the catalogue says of its build and edition, and what
//! the device itself answered before.

use super::{App, Error};
use crate::domain::action::{Action, Order};
use crate::domain::enrollment::Enrollment;
use crate::proto::csp::catalogue::{Build, describe_edition, embedded};
use crate::proto::syncml::{Command, LocUri, StatusCode, status_words};

impl App {
    /// The first commands of an action, another way where one is known to be closed; a conflict where all are.
    pub(super) async fn first_commands(
        &self,
        enrollment: &Enrollment,
        action: &Action,
        order: &Order<'_>,
    ) -> Result<Vec<Command>, Error> {
        let nodes = action.nodes(order);
        let answered = self.answered_before(enrollment, &nodes).await?;
        let instead = action.instead(order);
        let described = if instead.is_some() { None } else { inapplicable(enrollment, &nodes) };
        let Some((status, words)) = answered.or(described) else { return Ok(action.first_step(order)) };
        if let Some(instead) = instead.filter(|_| status == Some(404))
            && self.answered_before(enrollment, &instead.nodes).await?.is_none()
        {
            return Ok(instead.commands);
        }
        Err(Error::conflict("not_supported_by_device", format!("{}: {words}", action.name())))
    }

    /// The status with which the device said on its present build that it lacks one of the nodes, and that in words.
    async fn answered_before(
        &self,
        enrollment: &Enrollment,
        nodes: &[LocUri],
    ) -> Result<Option<(Option<u16>, String)>, Error> {
        if nodes.is_empty() {
            return Ok(None);
        }
        let build = enrollment.os_version.as_deref().unwrap_or_default();
        let missing = self.store.missing_nodes(enrollment.device_id).await?;
        let is_needed = |known: &LocUri| nodes.iter().any(|node| node.same_as(known));
        let found =
            missing.into_iter().find(|known| known.os_version == build && is_needed(&LocUri::received(&known.loc_uri)));
        Ok(found.map(|known| {
            let words = status_words(StatusCode(known.status));
            let build = if build.is_empty() { "this build" } else { build };
            (Some(known.status), format!("this device answered {} ({words}) before, on {build}", known.status))
        }))
    }
}

/// Why the catalogue says that a build or an edition lacks one of the nodes. What it calls unreleased is not judged: some of
/// that Microsoft has shipped.
fn inapplicable(enrollment: &Enrollment, nodes: &[LocUri]) -> Option<(Option<u16>, String)> {
    let build = enrollment.os_version.as_deref().and_then(Build::parse);
    nodes.iter().find_map(|node| {
        let record = embedded().find(node.path())?.record();
        let first: Vec<Build> = record.os.iter().filter_map(|text| Build::parse(text)).collect();
        if let Some(build) = build.filter(|build| !first.is_empty() && !build.is_covered_by(&record.os)) {
            let since: Vec<String> = first.iter().map(ToString::to_string).collect();
            return Some((
                None,
                format!("build {build} of Windows does not have it; it came with {}", since.join(", ")),
            ));
        }
        let (edition, editions) = (enrollment.os_edition?, record.editions.as_ref()?);
        let lacks = !editions.as_slice().is_empty() && !editions.contains(edition);
        lacks.then(|| (None, format!("the edition {} of Windows does not have it", describe_edition(edition))))
    })
}
