//! The outbox, and the texts of mails.

use time::OffsetDateTime;

use super::engine::{Engine, Row, Statement, Value};
use super::query::{one, readable};
use crate::app::ports::{Sealer, StoreError};
use crate::domain::Id;
use crate::domain::invitation::Invitation;
use crate::domain::language::Language;
use crate::domain::mail::{Content, Mail, MailState};
use crate::domain::mail_template::{MailTemplate, Text};

/// What the content is sealed for.
const PURPOSE: &str = "mail";

pub(super) fn insert(mail: &Mail, sealer: &dyn Sealer) -> Result<Statement, StoreError> {
    let sealed = mail.content.as_ref().map(|content| {
        let text = serde_json::to_vec(content).map_err(|error| StoreError::Internal(error.to_string()))?;
        Ok::<_, StoreError>(sealer.seal(PURPOSE, &text))
    });
    let mut params = columns(mail);
    params.push(Value::Bytes(sealed.transpose()?));
    Ok(Statement::one(INSERT, params))
}

/// What a mail says never changes: it stays as it is sealed while the mail waits, and goes with the end of that.
pub(super) fn update(mail: &Mail) -> Statement {
    Statement::one(UPDATE, columns(mail))
}

pub(super) fn cancel(invitation: Id<Invitation>, reason: &str) -> Statement {
    Statement::any(CANCEL, vec![invitation.into(), reason.into()])
}

pub(super) async fn find(engine: &dyn Engine, sealer: &dyn Sealer, id: Id<Mail>) -> Result<Option<Mail>, StoreError> {
    one(engine, FIND, vec![id.into()], |row| read(row, sealer)).await
}

pub(super) async fn due(
    engine: &dyn Engine,
    sealer: &dyn Sealer,
    now: OffsetDateTime,
    limit: u32,
) -> Result<Vec<Mail>, StoreError> {
    readable(engine, DUE, vec![now.into(), limit.into()], |row| read(row, sealer)).await
}

pub(super) fn save_template(template: &MailTemplate) -> Statement {
    let params = vec![
        template.language.tag().into(),
        template.text.subject.as_str().into(),
        template.text.body.as_str().into(),
        template.changed_by.as_str().into(),
        template.changed_at.into(),
    ];
    Statement::one(SAVE_TEMPLATE, params)
}

pub(super) fn delete_template(language: Language) -> Statement {
    Statement::one(DELETE_TEMPLATE, vec![language.tag().into()])
}

pub(super) async fn template(engine: &dyn Engine, language: Language) -> Result<Option<MailTemplate>, StoreError> {
    one(engine, FIND_TEMPLATE, vec![language.tag().into()], |row| {
        let row = row.of("mail_templates");
        Ok(MailTemplate {
            language: row.word("language", Language::parse)?,
            text: Text { subject: row.string("subject")?, body: row.string("body")? },
            changed_by: row.string("changed_by")?,
            changed_at: row.time("changed_at")?,
        })
    })
    .await
}

/// The mail in a row that has it beside an invitation, without what it says; its columns begin with `m_`.
pub(super) fn read_beside(row: &Row) -> Result<Option<Mail>, StoreError> {
    let invitation_id = row.of("invitations").id("id")?;
    let row = row.of("mails");
    let Some(id) = row.opt_id("m_id")? else { return Ok(None) };
    Ok(Some(Mail {
        id,
        invitation_id,
        to: row.string("m_recipient")?,
        message_id: row.string("m_message_id")?,
        content: None,
        state: row.word("m_state", MailState::parse)?,
        tries: row.number("m_tries")?,
        due_at: row.time("m_due_at")?,
        created_at: row.time("m_created_at")?,
        sent_at: row.opt_time("m_sent_at")?,
        error: row.opt_string("m_error")?,
        version: row.number("m_version")?,
    }))
}

fn columns(mail: &Mail) -> Vec<Value> {
    vec![
        mail.id.into(),
        mail.invitation_id.into(),
        mail.to.as_str().into(),
        mail.message_id.as_str().into(),
        mail.state.as_str().into(),
        mail.tries.into(),
        mail.due_at.into(),
        mail.created_at.into(),
        mail.sent_at.into(),
        mail.error.as_deref().into(),
        mail.version.into(),
    ]
}

fn read(row: &Row, sealer: &dyn Sealer) -> Result<Mail, StoreError> {
    let row = row.of("mails");
    // What does not open, because its key is not there any more or not yet, is for whoever sends to judge.
    let open = |sealed| sealer.open(PURPOSE, sealed).ok();
    let content: Option<Content> = match row.opt_bytes("content")?.and_then(open) {
        None => None,
        Some(text) => Some(serde_json::from_slice(&text).map_err(|error| row.odd("content", &error.to_string()))?),
    };
    Ok(Mail {
        id: row.id("id")?,
        invitation_id: row.id("invitation_id")?,
        to: row.string("recipient")?,
        message_id: row.string("message_id")?,
        content,
        state: row.word("state", MailState::parse)?,
        tries: row.number("tries")?,
        due_at: row.time("due_at")?,
        created_at: row.time("created_at")?,
        sent_at: row.opt_time("sent_at")?,
        error: row.opt_string("error")?,
        version: row.number("version")?,
    })
}

const INSERT: &str = "
    INSERT INTO mails (id, invitation_id, recipient, message_id, state, tries, due_at, created_at, sent_at, error,
        version, content)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";

const UPDATE: &str = "
    UPDATE mails SET invitation_id = $2, recipient = $3, message_id = $4, state = $5, tries = $6, due_at = $7,
        created_at = $8, sent_at = $9, error = $10, version = version + 1,
        content = CASE WHEN $5 = 'queued' THEN content END
    WHERE id = $1 AND version = $11";

const CANCEL: &str = "
    UPDATE mails SET state = 'cancelled', content = NULL, error = $2, version = version + 1
    WHERE invitation_id = $1 AND state = 'queued'";

pub(super) const FIND: &str = "SELECT * FROM mails WHERE id = $1";

pub(super) const DUE: &str = "
    SELECT * FROM mails WHERE state = 'queued' AND due_at <= $1 ORDER BY due_at LIMIT $2";

const SAVE_TEMPLATE: &str = "
    INSERT INTO mail_templates (language, subject, body, changed_by, changed_at) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (language) DO UPDATE SET subject = excluded.subject, body = excluded.body,
        changed_by = excluded.changed_by, changed_at = excluded.changed_at";

const DELETE_TEMPLATE: &str = "DELETE FROM mail_templates WHERE language = $1";

const FIND_TEMPLATE: &str = "SELECT * FROM mail_templates WHERE language = $1";
