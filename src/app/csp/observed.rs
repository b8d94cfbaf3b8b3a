//! Answers of devices, gathered in memory and written down every few seconds: that a node works is worth knowing, and no check-in
//! waits for it. A crash loses the last few.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use crate::app::App;
use crate::app::ports::{StoreError, Write};
use crate::domain::command::ItemState;
use crate::domain::csp::{CspList, NodeAnswer, learn, read_csp_versions};
use crate::domain::enrollment::Enrollment;
use crate::domain::inventory::InventoryItem;
use crate::proto::csp::catalogue::{Build, Catalogue};
use crate::proto::csp::device_info;
use crate::proto::syncml::{LocUri, Verb};
use crate::session::{Input, Notice, Output};

/// Answers that are not written down yet. In the order of the rows, so that two processes never wait for each other.
#[derive(Debug, Default)]
pub(super) struct Observed {
    answers: BTreeMap<Place, NodeAnswer>,
    lists: BTreeMap<(u32, u32), CspList>,
}

/// Build, edition, path, command and status.
type Place = (u32, u32, String, &'static str, u16);

/// More than any fleet brings between two rounds of upkeep.
const MOST_PLACES: usize = 20_000;
const MOST_LISTS: usize = 100;
/// Rows of one batch.
const TOGETHER: usize = 500;

impl Observed {
    fn add(&mut self, answer: NodeAnswer) {
        let place = (answer.build, answer.edition, answer.path.clone(), answer.verb.name(), answer.status);
        let has_room = self.answers.len() < MOST_PLACES;
        match self.answers.get_mut(&place) {
            Some(known) => {
                known.answers += answer.answers;
                known.first_revision = known.first_revision.min(answer.first_revision);
                known.last_revision = known.last_revision.max(answer.last_revision);
                known.last_at = known.last_at.max(answer.last_at);
            }
            None if has_room => drop(self.answers.insert(place, answer)),
            None => {}
        }
    }

    fn add_list(&mut self, list: CspList) {
        if self.lists.len() < MOST_LISTS || self.lists.contains_key(&(list.build, list.edition)) {
            self.lists.insert((list.build, list.edition), list);
        }
    }
}

impl App {
    /// Takes notice of what the answers in a message tell of nodes.
    pub(in crate::app) fn observe(&self, input: &Input, output: &Output) {
        let enrollment = &output.enrollment;
        let (Some(place), now) = (Like::of(enrollment), input.now) else { return };
        let known = self.memory.csp.now();
        let new_statuses = output.commands.iter().flat_map(|command| {
            let before = input.commands.iter().find(|before| before.id == command.id);
            command.items.iter().filter(move |item| before.is_none_or(|before| is_news(&before.items, item)))
        });
        let told = output.notices.iter().filter_map(|notice| match notice {
            Notice::Inventory(items) => Some(items),
            _ => None,
        });
        let told: Vec<&InventoryItem> = told.flatten().collect();
        let mut answers: Vec<NodeAnswer> = new_statuses
            .filter_map(|item| place.answer(&known.catalogue, &item.uri()?, item.verb(), item.status?, now))
            .collect();
        answers.extend(told.iter().filter_map(|item| {
            let status = if item.value.is_some() { 200 } else { 404 };
            place.answer(&known.catalogue, &item.loc_uri, Verb::Get, status, now)
        }));
        let lists = told.iter().filter_map(|item| place.list(item, now));
        let mut observed = self.memory.csp.observed();
        answers.into_iter().for_each(|answer| observed.add(answer));
        lists.for_each(|list| observed.add_list(list));
    }

    /// Writes down what was observed. What the database does not take now is taken up again next time.
    pub async fn keep_observations(&self) {
        let observed = std::mem::take(&mut *self.memory.csp.observed());
        let answers: Vec<NodeAnswer> = observed.answers.into_values().collect();
        let lists: Vec<CspList> = observed.lists.into_values().collect();
        for part in answers.chunks(TOGETHER) {
            if let Err(error) = self.commit(vec![Write::CountAnswers(part.to_vec())]).await {
                self.take_up_again(&error, part, &[]);
            }
        }
        for part in lists.chunks(TOGETHER) {
            if let Err(error) = self.commit(part.iter().cloned().map(Write::SaveCsps).collect()).await {
                self.take_up_again(&error, &[], part);
            }
        }
    }

    fn take_up_again(&self, error: &StoreError, answers: &[NodeAnswer], lists: &[CspList]) {
        tracing::debug!(%error, "what devices answered is written down later");
        if !error.is_passing() {
            return;
        }
        let mut observed = self.memory.csp.observed();
        answers.iter().cloned().for_each(|answer| observed.add(answer));
        lists.iter().cloned().for_each(|list| observed.add_list(list));
    }
}

/// Whether an Item has a status that it had not before.
fn is_news(before: &[ItemState], item: &ItemState) -> bool {
    let known = before.iter().find(|known| known.cmd_id == item.cmd_id && known.loc_uri == item.loc_uri);
    item.status.is_some() && known.is_none_or(|known| known.status.is_none())
}

/// What a device has in common with others.
struct Like {
    build: Build,
    edition: u32,
}

impl Like {
    fn of(enrollment: &Enrollment) -> Option<Self> {
        let build = Build::parse(enrollment.os_version.as_deref()?)?;
        Some(Self { build, edition: enrollment.os_edition? })
    }

    fn answer(
        &self,
        catalogue: &Catalogue,
        uri: &LocUri,
        verb: Verb,
        status: u16,
        now: OffsetDateTime,
    ) -> Option<NodeAnswer> {
        let (path, status) = learn(catalogue, uri, verb, status)?;
        let revision = self.build.revision.unwrap_or_default();
        Some(NodeAnswer {
            build: self.build.build,
            edition: self.edition,
            path: path.to_owned(),
            verb,
            status,
            answers: 1,
            first_revision: revision,
            last_revision: revision,
            last_at: now,
        })
    }

    fn list(&self, item: &InventoryItem, now: OffsetDateTime) -> Option<CspList> {
        let is_list = item.loc_uri.same_as(&LocUri::fixed(device_info::CSP_VERSIONS));
        let csps = read_csp_versions(item.value.as_deref().filter(|_| is_list)?);
        (!csps.is_empty()).then(|| CspList {
            build: self.build.build,
            edition: self.edition,
            revision: self.build.revision.unwrap_or_default(),
            csps,
            last_at: now,
        })
    }
}
