//! Enrollments, the identifiers under which they are found, and the state of their sessions.

use time::OffsetDateTime;

use super::certificates;
use super::engine::{Engine, Question, Row, Statement, Value};
use super::query::{found, many, readable};
use crate::app::ports::{ConversationChange, Known, StoreError, StoredConversation};
use crate::domain::Id;
use crate::domain::approval::Approval;
use crate::domain::certificate::Certificate;
use crate::domain::enrollment::{Enrollment, EnrollmentKind, EnrollmentState, Mode};
use crate::domain::user::User;

pub(super) fn insert(enrollment: &Enrollment) -> Result<Vec<Statement>, StoreError> {
    let mut batch = vec![Statement::one(INSERT, columns(enrollment)?)];
    batch.extend(identify(enrollment));
    Ok(batch)
}

pub(super) fn update(enrollment: &Enrollment) -> Result<Vec<Statement>, StoreError> {
    let mut batch = vec![Statement::one(UPDATE, columns(enrollment)?)];
    batch.extend(identify(enrollment));
    Ok(batch)
}

pub(super) fn see(id: Id<Enrollment>, version: i64, at: OffsetDateTime) -> Statement {
    Statement::one(SEE, vec![id.into(), version.into(), at.into()])
}

pub(super) fn catch_up_seen(id: Id<Enrollment>, at: OffsetDateTime) -> Statement {
    Statement::at_most_one(CATCH_UP_SEEN, vec![id.into(), at.into()])
}

pub(super) fn save_conversation(change: &ConversationChange) -> Statement {
    let ConversationChange { enrollment_id, state, replaces, revision } = change;
    let params = vec![(*enrollment_id).into(), state.as_str().into(), (*revision).into(), (*replaces).into()];
    Statement::one(SAVE_CONVERSATION, params)
}

pub(super) async fn find(engine: &dyn Engine, id: Id<Enrollment>) -> Result<Option<Enrollment>, StoreError> {
    found(engine, FIND, vec![id.into()], read).await
}

pub(super) async fn known(engine: &dyn Engine, id: Id<Enrollment>) -> Result<Option<Known>, StoreError> {
    let Some(row) = first(engine, KNOWN, id.into()).await? else { return Ok(None) };
    read_known(row.parts()?).map(Some)
}

pub(super) async fn known_by_certificate(
    engine: &dyn Engine,
    sha256: &[u8; 32],
) -> Result<Option<(Certificate, Known)>, StoreError> {
    let Some(row) = first(engine, KNOWN_BY_CERTIFICATE, sha256.as_slice().into()).await? else { return Ok(None) };
    let [certificate, enrollment, conversation, work] = row.parts()?;
    Ok(Some((certificates::read(&certificate)?, read_known([enrollment, conversation, work])?)))
}

async fn first(engine: &dyn Engine, sql: &'static str, param: Value) -> Result<Option<Row>, StoreError> {
    let answers = engine.look_up(vec![Question::new(sql, vec![param])]).await?;
    Ok(answers.into_iter().flatten().next())
}

/// An enrollment, its conversation and its work, which may both be missing.
fn read_known([enrollment, conversation, work]: [Row; 3]) -> Result<Known, StoreError> {
    let has_conversation = conversation.of("conversations").opt_text("state")?.is_some();
    let conversation = has_conversation.then(|| read_conversation(&conversation)).transpose()?;
    let has_work = work.of("commands").opt_text("id")?.is_some();
    Ok(Known { enrollment: read(&enrollment)?, conversation, has_work })
}

pub(super) async fn claiming(engine: &dyn Engine, identifier: &str) -> Result<Vec<Enrollment>, StoreError> {
    many(engine, CLAIMING, vec![identifier.into()], read).await
}

pub(super) async fn former(
    engine: &dyn Engine,
    user: Id<User>,
    identifier: &str,
) -> Result<Vec<Enrollment>, StoreError> {
    many(engine, FORMER, vec![identifier.into(), user.into()], read).await
}

pub(super) async fn quiet_since(
    engine: &dyn Engine,
    state: EnrollmentState,
    before: OffsetDateTime,
    limit: u32,
) -> Result<Vec<Enrollment>, StoreError> {
    readable(engine, QUIET_SINCE, vec![state.as_str().into(), before.into(), limit.into()], read).await
}

pub(super) async fn conversation(
    engine: &dyn Engine,
    id: Id<Enrollment>,
) -> Result<Option<StoredConversation>, StoreError> {
    found(engine, CONVERSATION, vec![id.into()], read_conversation).await
}

fn read_conversation(row: &Row) -> Result<StoredConversation, StoreError> {
    let row = row.of("conversations");
    Ok(StoredConversation { state: row.string("state")?, revision: row.number("revision")? })
}

/// Rows of identifiers that are right already stay untouched: the two statements run with every check-in.
fn identify(enrollment: &Enrollment) -> [Statement; 2] {
    let mut own = enrollment.identifiers();
    let first = own.next().unwrap_or_else(|| enrollment.id.to_string());
    let second = own.next().unwrap_or_else(|| first.clone());
    let third = own.next().unwrap_or_else(|| first.clone());
    let fourth = own.next().unwrap_or_else(|| first.clone());
    let params: Vec<Value> = vec![enrollment.id.into(), first.into(), second.into(), third.into(), fourth.into()];
    [Statement::any(FORGET_IDENTIFIERS, params.clone()), Statement::any(ADD_IDENTIFIERS, params)]
}

fn columns(enrollment: &Enrollment) -> Result<Vec<Value>, StoreError> {
    let context = serde_json::to_string(&enrollment.context);
    let context = context.map_err(|error| StoreError::Internal(format!("enrollments.context: {error}")))?;
    Ok(vec![
        enrollment.id.into(),
        enrollment.device_id.into(),
        enrollment.user_id.into(),
        enrollment.state.as_str().into(),
        enrollment.state.is_open().into(),
        enrollment.mode.as_str().into(),
        enrollment.kind.as_str().into(),
        enrollment.claimed_device_id.as_deref().into(),
        enrollment.hw_dev_id.as_deref().into(),
        enrollment.reported_dev_id.as_deref().into(),
        enrollment.reported_source.as_deref().into(),
        enrollment.os_version.as_deref().into(),
        enrollment.os_edition.into(),
        context.into(),
        enrollment.account.as_slice().into(),
        enrollment.enrolled_at.into(),
        enrollment.last_seen_at.into(),
        enrollment.inventory_at.into(),
        enrollment.state_since.into(),
        enrollment.closed_reason.as_deref().into(),
        enrollment.warning.as_deref().into(),
        enrollment.locked_to_tenant.into(),
        enrollment.entra_device_id.map(|id| id.to_string()).as_deref().into(),
        enrollment.package_id.into(),
        enrollment.assigned_at.into(),
        enrollment.approval.as_str().into(),
        enrollment.replaced_unapproved.into(),
        enrollment.version.into(),
    ])
}

pub(super) fn read(row: &Row) -> Result<Enrollment, StoreError> {
    let row = row.of("enrollments");
    Ok(Enrollment {
        id: row.id("id")?,
        device_id: row.id("device_id")?,
        user_id: row.opt_id("user_id")?,
        state: row.word("state", EnrollmentState::parse)?,
        mode: row.word("mode", Mode::parse)?,
        kind: row.word("kind", |word| Some(EnrollmentKind::parse(word)))?,
        claimed_device_id: row.opt_string("claimed_device_id")?,
        hw_dev_id: row.opt_string("hw_dev_id")?,
        reported_dev_id: row.opt_string("reported_dev_id")?,
        reported_source: row.opt_string("reported_source")?,
        os_version: row.opt_string("os_version")?,
        os_edition: row.opt_number("os_edition")?,
        context: row.json("context")?,
        account: row.bytes("account")?.to_vec(),
        enrolled_at: row.time("enrolled_at")?,
        last_seen_at: row.opt_time("last_seen_at")?,
        inventory_at: row.opt_time("inventory_at")?,
        state_since: row.time("state_since")?,
        closed_reason: row.opt_string("closed_reason")?,
        warning: row.opt_string("warning")?,
        locked_to_tenant: row.flag("locked_to_tenant")?,
        entra_device_id: row.opt_id::<()>("entra_device_id")?.map(Id::uuid),
        package_id: row.opt_id("package_id")?,
        assigned_at: row.opt_time("assigned_at")?,
        approval: row.word("approval", Approval::parse)?,
        replaced_unapproved: row.opt_id("replaced_unapproved")?,
        version: row.number("version")?,
    })
}

const INSERT: &str = "
    INSERT INTO enrollments (id, device_id, user_id, state, is_open, mode, kind, claimed_device_id, hw_dev_id,
        reported_dev_id, reported_source, os_version, os_edition, context, account, enrolled_at, last_seen_at,
        inventory_at, state_since, closed_reason, warning, locked_to_tenant, entra_device_id,
        package_id, assigned_at, approval, replaced_unapproved, version)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24,
        $25, $26, $27, $28)";

/// Somebody who has loaded it before does not set an earlier moment in which its device was seen.
const UPDATE: &str = "
    UPDATE enrollments SET device_id = $2, user_id = $3, state = $4, is_open = $5, mode = $6, kind = $7,
        claimed_device_id = $8, hw_dev_id = $9, reported_dev_id = $10, reported_source = $11, os_version = $12,
        os_edition = $13, context = $14, account = $15, enrolled_at = $16, inventory_at = $18,
        last_seen_at = CASE WHEN last_seen_at > $17 THEN last_seen_at ELSE COALESCE($17, last_seen_at) END,
        state_since = $19, closed_reason = $20, warning = $21, locked_to_tenant = $22, entra_device_id = $23,
        package_id = $24, assigned_at = $25, approval = $26, replaced_unapproved = $27, version = version + 1
    WHERE id = $1 AND version = $28";

const FORGET_IDENTIFIERS: &str = "
    DELETE FROM enrollment_identifiers WHERE enrollment_id = $1 AND identifier NOT IN ($2, $3, $4, $5)";

const ADD_IDENTIFIERS: &str = "
    INSERT INTO enrollment_identifiers (enrollment_id, identifier) VALUES ($1, $2), ($1, $3), ($1, $4), ($1, $5)
    ON CONFLICT DO NOTHING";

const SEE: &str = "UPDATE enrollments SET version = version + 1, last_seen_at = $3 WHERE id = $1 AND version = $2";

const CATCH_UP_SEEN: &str = "
    UPDATE enrollments SET last_seen_at = $2 WHERE id = $1 AND (last_seen_at IS NULL OR last_seen_at < $2)";

const SAVE_CONVERSATION: &str = "
    INSERT INTO conversations (enrollment_id, state, revision) VALUES ($1, $2, $3)
    ON CONFLICT (enrollment_id) DO UPDATE SET state = excluded.state, revision = excluded.revision
        WHERE conversations.revision = $4";

pub(super) const FIND: &str = "SELECT * FROM enrollments WHERE id = $1";

pub(super) const CLAIMING: &str = "
    SELECT e.* FROM enrollment_identifiers i JOIN enrollments e ON e.id = i.enrollment_id
    WHERE i.identifier = $1 AND e.is_open = 1
    ORDER BY e.enrolled_at DESC, e.id DESC LIMIT 16";

pub(super) const FORMER: &str = "
    SELECT e.* FROM enrollment_identifiers i JOIN enrollments e ON e.id = i.enrollment_id
    WHERE i.identifier = $1 AND e.user_id = $2 AND e.is_open = 0
    ORDER BY e.enrolled_at DESC, e.id DESC LIMIT 16";

pub(super) const QUIET_SINCE: &str = "
    SELECT * FROM enrollments
    WHERE state = $1 AND state_since < $2 AND (last_seen_at IS NULL OR last_seen_at < $2)
    ORDER BY CASE WHEN last_seen_at > state_since THEN last_seen_at ELSE state_since END, id LIMIT $3";

pub(super) const CONVERSATION: &str = "SELECT state, revision FROM conversations WHERE enrollment_id = $1";

pub(super) const KNOWN: &str = "
    SELECT e.*, CAST(0 AS BIGINT) AS next_table, v.state, v.revision, CAST(0 AS BIGINT) AS next_table,
        (SELECT q.id FROM commands q WHERE q.enrollment_id = e.id AND q.is_open = 1 LIMIT 1) AS id
    FROM enrollments e LEFT JOIN conversations v ON v.enrollment_id = e.id
    WHERE e.id = $1";

pub(super) const KNOWN_BY_CERTIFICATE: &str = "
    SELECT c.*, CAST(0 AS BIGINT) AS next_table, e.*, CAST(0 AS BIGINT) AS next_table, v.state, v.revision, CAST(0 AS BIGINT) AS next_table,
        (SELECT q.id FROM commands q WHERE q.enrollment_id = c.enrollment_id AND q.is_open = 1 LIMIT 1) AS id
    FROM certificates c JOIN enrollments e ON e.id = c.enrollment_id
        LEFT JOIN conversations v ON v.enrollment_id = c.enrollment_id
    WHERE c.sha256 = $1";
