//! What is known of nodes beside the embedded catalogue: an imported one, decisions of administrators, answers of devices.

use super::engine::{Engine, Row, Statement};
use super::query::{List, cursor, many, one};
use crate::app::ports::{Listed, Page, StoreError};
use crate::domain::Id;
use crate::domain::csp::{CspList, ImportedCatalogue, NodeAnswer, NodeOverride, Ruling};
use crate::proto::csp::catalogue::{Allowed, Build};
use crate::proto::syncml::Verb;

/// Takes the place of the one that was there.
pub(super) fn save_catalogue(catalogue: &ImportedCatalogue) -> [Statement; 2] {
    let params = vec![
        catalogue.id.into(),
        catalogue.version.as_str().into(),
        catalogue.nodes.into(),
        catalogue.imported_at.into(),
        catalogue.imported_by.as_str().into(),
        catalogue.file.as_slice().into(),
    ];
    [Statement::any(DELETE_CATALOGUE, Vec::new()), Statement::one(INSERT_CATALOGUE, params)]
}

/// None there is a miss.
pub(super) fn delete_catalogue() -> Statement {
    Statement::one(DELETE_CATALOGUE, Vec::new())
}

/// Takes the place of the one with the same scope, whose id stays.
pub(super) fn save_override(decided: &NodeOverride) -> Result<Statement, StoreError> {
    let allowed = match &decided.ruling {
        Ruling::Values(allowed) => {
            let text = serde_json::to_string(allowed);
            Some(text.map_err(|error| StoreError::Internal(format!("csp_overrides.allowed: {error}")))?)
        }
        Ruling::Allow | Ruling::Refuse => None,
    };
    let params = vec![
        decided.id.into(),
        decided.scope().into(),
        decided.path.as_str().into(),
        decided.edition.into(),
        decided.from_build.map(|build| build.to_string()).into(),
        decided.ruling.name().into(),
        allowed.into(),
        decided.reason.as_str().into(),
        decided.made_by.as_str().into(),
        decided.made_at.into(),
    ];
    Ok(Statement::one(SAVE_OVERRIDE, params))
}

/// One that is not there is a miss.
pub(super) fn delete_override(id: Id<NodeOverride>) -> Statement {
    Statement::one(DELETE_OVERRIDE, vec![id.into()])
}

/// One statement for each answer; counts add up.
pub(super) fn count_answers(answers: &[NodeAnswer]) -> impl Iterator<Item = Statement> {
    answers.iter().map(|answer| {
        let params = vec![
            answer.build.into(),
            answer.edition.into(),
            answer.path.as_str().into(),
            answer.verb.name().into(),
            answer.status.into(),
            answer.answers.into(),
            answer.first_revision.into(),
            answer.last_revision.into(),
            answer.last_at.into(),
        ];
        Statement::one(COUNT_ANSWER, params)
    })
}

/// An older list never replaces a newer one.
pub(super) fn save_csps(list: &CspList) -> Result<Statement, StoreError> {
    let csps = serde_json::to_string(&list.csps);
    let csps = csps.map_err(|error| StoreError::Internal(format!("csp_versions.csps: {error}")))?;
    let params = vec![list.build.into(), list.edition.into(), list.revision.into(), csps.into(), list.last_at.into()];
    Ok(Statement::at_most_one(SAVE_CSPS, params))
}

pub(super) async fn catalogue(engine: &dyn Engine) -> Result<Option<ImportedCatalogue>, StoreError> {
    one(engine, CATALOGUE, Vec::new(), read_catalogue).await
}

pub(super) async fn overrides(engine: &dyn Engine) -> Result<Vec<NodeOverride>, StoreError> {
    many(engine, OVERRIDES, Vec::new(), read_override).await
}

pub(super) async fn list_overrides(engine: &dyn Engine, page: &Page) -> Result<Listed<NodeOverride>, StoreError> {
    let place = |decided: &NodeOverride| cursor(decided.made_at, decided.id);
    List { sql: LIST_OVERRIDES, more: Vec::new(), read: read_override, place, page }.load(engine).await
}

pub(super) async fn answers(engine: &dyn Engine, build: u32, edition: u32) -> Result<Vec<NodeAnswer>, StoreError> {
    many(engine, ANSWERS, vec![build.into(), edition.into(), MOST_ANSWERS.into()], read_answer).await
}

pub(super) async fn answers_of(engine: &dyn Engine, path: &str) -> Result<Vec<NodeAnswer>, StoreError> {
    many(engine, ANSWERS_OF, vec![path.into(), MOST_ANSWERS.into()], read_answer).await
}

pub(super) async fn csps(engine: &dyn Engine) -> Result<Vec<CspList>, StoreError> {
    many(engine, CSPS, vec![MOST_LISTS.into()], read_csps).await
}

fn read_catalogue(row: &Row) -> Result<ImportedCatalogue, StoreError> {
    let row = row.of("csp_catalogues");
    Ok(ImportedCatalogue {
        id: row.id("id")?,
        version: row.string("version")?,
        nodes: row.number("nodes")?,
        imported_at: row.time("imported_at")?,
        imported_by: row.string("imported_by")?,
        file: row.bytes("file")?.to_vec(),
    })
}

fn read_override(row: &Row) -> Result<NodeOverride, StoreError> {
    let row = row.of("csp_overrides");
    let allowed: Option<Allowed> = match row.opt_text("allowed")? {
        Some(_) => Some(row.json("allowed")?),
        None => None,
    };
    Ok(NodeOverride {
        id: row.id("id")?,
        path: row.string("path")?,
        edition: row.opt_number("edition")?,
        from_build: match row.opt_text("from_build")? {
            Some(_) => Some(row.word("from_build", Build::parse)?),
            None => None,
        },
        ruling: row.word("ruling", |word| Ruling::of(word, allowed.clone()))?,
        reason: row.string("reason")?,
        made_by: row.string("made_by")?,
        made_at: row.time("made_at")?,
    })
}

fn read_answer(row: &Row) -> Result<NodeAnswer, StoreError> {
    let row = row.of("node_answers");
    Ok(NodeAnswer {
        build: row.number("os_build")?,
        edition: row.number("os_edition")?,
        path: row.string("path")?,
        verb: row.word("verb", Verb::from_name)?,
        status: row.number("status")?,
        answers: row.number("answers")?,
        first_revision: row.number("first_revision")?,
        last_revision: row.number("last_revision")?,
        last_at: row.time("last_at")?,
    })
}

fn read_csps(row: &Row) -> Result<CspList, StoreError> {
    let row = row.of("csp_versions");
    Ok(CspList {
        build: row.number("os_build")?,
        edition: row.number("os_edition")?,
        revision: row.number("revision")?,
        csps: row.json("csps")?,
        last_at: row.time("last_at")?,
    })
}

const INSERT_CATALOGUE: &str = "
    INSERT INTO csp_catalogues (id, version, nodes, imported_at, imported_by, file) VALUES ($1, $2, $3, $4, $5, $6)";

const DELETE_CATALOGUE: &str = "DELETE FROM csp_catalogues";

const CATALOGUE: &str = "SELECT * FROM csp_catalogues ORDER BY imported_at DESC, id DESC LIMIT 1";

const SAVE_OVERRIDE: &str = "
    INSERT INTO csp_overrides (id, scope, path, edition, from_build, ruling, allowed, reason, made_by, made_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    ON CONFLICT (scope) DO UPDATE SET
        path = excluded.path, ruling = excluded.ruling, allowed = excluded.allowed, reason = excluded.reason,
        made_by = excluded.made_by, made_at = excluded.made_at";

const DELETE_OVERRIDE: &str = "DELETE FROM csp_overrides WHERE id = $1";

const OVERRIDES: &str = "SELECT * FROM csp_overrides ORDER BY made_at DESC, id DESC";

pub(super) const LIST_OVERRIDES: &str = "
    SELECT * FROM csp_overrides WHERE (made_at, id) < ($1, $2) ORDER BY made_at DESC, id DESC LIMIT $3";

const COUNT_ANSWER: &str = "
    INSERT INTO node_answers
        (os_build, os_edition, path, verb, status, answers, first_revision, last_revision, last_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    ON CONFLICT (os_build, os_edition, path, verb, status) DO UPDATE SET
        answers = node_answers.answers + excluded.answers,
        first_revision = CASE WHEN excluded.first_revision < node_answers.first_revision
            THEN excluded.first_revision ELSE node_answers.first_revision END,
        last_revision = CASE WHEN excluded.last_revision > node_answers.last_revision
            THEN excluded.last_revision ELSE node_answers.last_revision END,
        last_at = CASE WHEN excluded.last_at > node_answers.last_at
            THEN excluded.last_at ELSE node_answers.last_at END";

pub(super) const ANSWERS: &str = "
    SELECT * FROM node_answers WHERE os_build = $1 AND os_edition = $2 ORDER BY path, verb, status LIMIT $3";

pub(super) const ANSWERS_OF: &str = "
    SELECT * FROM node_answers WHERE path = $1 ORDER BY os_build, os_edition, verb, status LIMIT $2";

const SAVE_CSPS: &str = "
    INSERT INTO csp_versions (os_build, os_edition, revision, csps, last_at) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (os_build, os_edition) DO UPDATE SET
        revision = excluded.revision, csps = excluded.csps, last_at = excluded.last_at
    WHERE csp_versions.last_at <= excluded.last_at";

const CSPS: &str = "SELECT * FROM csp_versions ORDER BY os_build DESC, os_edition LIMIT $1";

/// A build and an edition have at most six commands and a few statuses for each of some thousand nodes.
const MOST_ANSWERS: i64 = 20_000;
const MOST_LISTS: i64 = 500;
