//! Decisions of administrators about nodes.

use crate::app::ports::{Listed, Page, StoreError, Write};
use crate::app::{App, AuditObject, Error, Principal};
use crate::domain::Id;
use crate::domain::csp::{NodeOverride, OverrideError, Ruling};
use crate::proto::csp::catalogue::Build;

/// A decision to be made.
#[derive(Clone, Debug)]
pub struct NewOverride {
    /// The node: a segment in braces stands for any one name, `*` at the end for every node below.
    pub path: String,
    /// For which edition; `None`: for all.
    pub edition: Option<u32>,
    /// From which build on; `None`: for all.
    pub from_build: Option<Build>,
    /// What.
    pub ruling: Ruling,
    /// Why.
    pub reason: String,
}

/// Longest reason, in characters.
const LONGEST_REASON: usize = 500;
/// Most decisions: all of them are kept in memory.
const MOST_OVERRIDES: usize = 5000;

impl App {
    /// Decisions about nodes, newest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn node_overrides(&self, page: &Page) -> Result<Listed<NodeOverride>, Error> {
        Ok(self.store.node_overrides(page).await?)
    }

    /// Decides about a node, in place of an earlier decision for the same path, edition and build.
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::Conflict`] `too_many_overrides`, or the store's.
    pub async fn decide_node(&self, by: &Principal, new: NewOverride) -> Result<NodeOverride, Error> {
        let path = new.path.trim().to_owned();
        NodeOverride::check(&path, &new.ruling).map_err(invalid)?;
        let reason = new.reason.trim().to_owned();
        if reason.is_empty() || reason.chars().count() > LONGEST_REASON {
            return Err(Error::invalid("/reason", format!("say why, in 1 to {LONGEST_REASON} characters")));
        }
        let known = self.store.all_node_overrides().await?;
        let mut decided = NodeOverride {
            id: self.new_id(),
            path,
            edition: new.edition,
            from_build: new.from_build,
            ruling: new.ruling,
            reason,
            made_by: by.name.clone(),
            made_at: self.now(),
        };
        let scope = decided.scope();
        match known.iter().find(|known| known.scope() == scope) {
            Some(earlier) => decided.id = earlier.id,
            None if known.len() >= MOST_OVERRIDES => {
                let words =
                    format!("there are {MOST_OVERRIDES} overrides; withdraw some, or use one with * at its end");
                return Err(Error::conflict("too_many_overrides", words));
            }
            None => {}
        }
        let words = format!("{}: {}", decided.ruling.name(), decided.reason);
        let writes = vec![
            Write::SaveOverride(Box::new(decided.clone())),
            Write::MarkCspChange(self.new_trace_id().to_string()),
            self.audit(by, "csp.override", object(&decided), "ok", &words),
        ];
        self.commit(writes).await?;
        Ok(decided)
    }

    /// Withdraws a decision; the catalogue counts again.
    ///
    /// # Errors
    /// [`Error::NotFound`], or the store's.
    pub async fn withdraw_override(&self, by: &Principal, id: Id<NodeOverride>) -> Result<NodeOverride, Error> {
        let known = self.store.all_node_overrides().await?;
        let decided = known.into_iter().find(|known| known.id == id).ok_or(Error::NotFound("override"))?;
        let writes = vec![
            Write::DeleteOverride(id),
            Write::MarkCspChange(self.new_trace_id().to_string()),
            self.audit(by, "csp.override_withdraw", object(&decided), "ok", decided.ruling.name()),
        ];
        match self.commit(writes).await {
            Err(StoreError::Conflict) => Err(Error::NotFound("override")),
            done => Ok(done.map(|()| decided)?),
        }
    }
}

fn object(decided: &NodeOverride) -> AuditObject<'static> {
    AuditObject { kind: "csp_override", id: decided.id.to_string(), name: decided.path.clone() }
}

fn invalid(error: OverrideError) -> Error {
    let pointer = match error {
        OverrideError::Path | OverrideError::TooLong => "/path",
        OverrideError::Pattern | OverrideError::NoLimit => "/allowed",
    };
    Error::invalid(pointer, error.to_string())
}
