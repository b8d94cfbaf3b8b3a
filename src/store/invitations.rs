//! Invitations.

use super::engine::{Engine, Row, Statement, Value};
use super::mails;
use super::query::{List, cursor, is_hopeless, one, pattern};
use crate::app::ports::{InvitationFilter, InvitationView, Listed, Page, StoreError};
use crate::domain::Id;
use crate::domain::invitation::{Invitation, InvitationState, Pin};
use crate::domain::language::Language;
use crate::domain::mail::MailState;
use crate::domain::user::User;

pub(super) fn insert(invitation: &Invitation) -> Statement {
    Statement::one(INSERT, columns(invitation))
}

pub(super) fn update(invitation: &Invitation) -> Statement {
    Statement::one(UPDATE, columns(invitation))
}

pub(super) async fn find(engine: &dyn Engine, id: Id<Invitation>) -> Result<Option<InvitationView>, StoreError> {
    one(engine, FIND, vec![id.into()], view).await
}

pub(super) async fn find_by_token(
    engine: &dyn Engine,
    token_hash: &[u8; 32],
) -> Result<Option<InvitationView>, StoreError> {
    one(engine, FIND_BY_TOKEN, vec![token_hash.as_slice().into()], view).await
}

pub(super) async fn open_of(engine: &dyn Engine, user: Id<User>) -> Result<Option<Invitation>, StoreError> {
    one(engine, OPEN_OF, vec![user.into()], read).await
}

pub(super) async fn list(
    engine: &dyn Engine,
    filter: &InvitationFilter,
    page: &Page,
) -> Result<Listed<InvitationView>, StoreError> {
    let query = filter.query.as_deref();
    if is_hopeless(query) {
        return Ok(Listed { items: Vec::new(), next: None });
    }
    let more = vec![pattern(query).into(), filter.mail.map(MailState::as_str).into()];
    let place = |view: &InvitationView| cursor(view.invitation.created_at, view.invitation.id);
    List { sql: LIST, more, read: view, place, page }.load(engine).await
}

fn columns(invitation: &Invitation) -> Vec<Value> {
    let pin = invitation.pin.as_ref();
    vec![
        invitation.id.into(),
        invitation.user_id.into(),
        invitation.email.as_str().into(),
        invitation.language.tag().into(),
        invitation.token_hash.as_slice().into(),
        Value::Bytes(pin.map(|pin| pin.sealed_hash.clone())),
        pin.map(|pin| pin.expires_at).into(),
        pin.map(|pin| pin.tries).into(),
        invitation.state.as_str().into(),
        invitation.created_by.as_str().into(),
        invitation.created_at.into(),
        invitation.issued_at.into(),
        invitation.expires_at.into(),
        invitation.closed_at.into(),
        invitation.closed_reason.as_deref().into(),
        invitation.enrollment_id.into(),
        invitation.mail_id.into(),
        invitation.version.into(),
        invitation.issue_id.into(),
    ]
}

fn read(row: &Row) -> Result<Invitation, StoreError> {
    let row = row.of("invitations");
    let pin = match row.opt_bytes("pin_hash")? {
        None => None,
        Some(hash) => Some(Pin {
            sealed_hash: hash.to_vec(),
            expires_at: row.time("pin_expires_at")?,
            tries: row.number("pin_tries")?,
        }),
    };
    Ok(Invitation {
        id: row.id("id")?,
        user_id: row.id("user_id")?,
        email: row.string("email")?,
        language: row.word("language", Language::parse)?,
        token_hash: row.digest("token_hash")?,
        pin,
        state: row.word("state", InvitationState::parse)?,
        created_by: row.string("created_by")?,
        created_at: row.time("created_at")?,
        issued_at: row.time("issued_at")?,
        expires_at: row.time("expires_at")?,
        closed_at: row.opt_time("closed_at")?,
        closed_reason: row.opt_string("closed_reason")?,
        enrollment_id: row.opt_id("enrollment_id")?,
        mail_id: row.opt_id("mail_id")?,
        issue_id: row.opt_id("issue_id")?,
        version: row.number("version")?,
    })
}

fn view(row: &Row) -> Result<InvitationView, StoreError> {
    let user = row.of("users").string("user_name")?;
    Ok(InvitationView { invitation: read(row)?, user, mail: mails::read_beside(row)? })
}

const INSERT: &str = "
    INSERT INTO invitations (id, user_id, email, language, token_hash, pin_hash, pin_expires_at, pin_tries, state,
        created_by, created_at, issued_at, expires_at, closed_at, closed_reason, enrollment_id, mail_id, version,
        issue_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)";

const UPDATE: &str = "
    UPDATE invitations SET user_id = $2, email = $3, language = $4, token_hash = $5, pin_hash = $6,
        pin_expires_at = $7, pin_tries = $8, state = $9, created_by = $10, created_at = $11, issued_at = $12,
        expires_at = $13, closed_at = $14, closed_reason = $15, enrollment_id = $16, mail_id = $17,
        issue_id = $19, version = version + 1
    WHERE id = $1 AND version = $18";

pub(super) const FIND: &str = "
    SELECT i.*, u.email AS user_name, m.id AS m_id, m.recipient AS m_recipient, m.message_id AS m_message_id,
        m.state AS m_state, m.tries AS m_tries, m.due_at AS m_due_at, m.created_at AS m_created_at,
        m.sent_at AS m_sent_at, m.error AS m_error, m.version AS m_version
    FROM invitations i JOIN users u ON u.id = i.user_id LEFT JOIN mails m ON m.id = i.mail_id
    WHERE i.id = $1";

pub(super) const FIND_BY_TOKEN: &str = "
    SELECT i.*, u.email AS user_name, m.id AS m_id, m.recipient AS m_recipient, m.message_id AS m_message_id,
        m.state AS m_state, m.tries AS m_tries, m.due_at AS m_due_at, m.created_at AS m_created_at,
        m.sent_at AS m_sent_at, m.error AS m_error, m.version AS m_version
    FROM invitations i JOIN users u ON u.id = i.user_id LEFT JOIN mails m ON m.id = i.mail_id
    WHERE i.token_hash = $1";

pub(super) const OPEN_OF: &str = "SELECT * FROM invitations WHERE user_id = $1 AND state = 'open'";

pub(super) const LIST: &str = "
    SELECT i.*, u.email AS user_name, m.id AS m_id, m.recipient AS m_recipient, m.message_id AS m_message_id,
        m.state AS m_state, m.tries AS m_tries, m.due_at AS m_due_at, m.created_at AS m_created_at,
        m.sent_at AS m_sent_at, m.error AS m_error, m.version AS m_version
    FROM invitations i JOIN users u ON u.id = i.user_id LEFT JOIN mails m ON m.id = i.mail_id
    WHERE (i.created_at, i.id) < ($1, $2) AND u.email_search LIKE $4 ESCAPE '!'
        AND COALESCE(m.state, '') = COALESCE($5, m.state, '')
    ORDER BY i.created_at DESC, i.id DESC LIMIT $3";
