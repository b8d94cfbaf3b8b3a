//! What one step was given, in a form that is kept beside the message and read back by `muster session replay`.
//!
//! It is shown to whoever may read transcripts, so it is redacted before it is made: values of commands and results are
//! replaced by marks as in the messages themselves, digests by keyed marks (with the rest of a message known, the digest of
//! its body would give a short secret away), and what the engine does not look at is left out. Every type that goes in is
//! taken apart field by field: a new field does not compile until somebody has decided whether it may be shown.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::auth::{Admission, Nonce, Proven};
use super::classify::Incoming;
use super::conversation::{Conversation, Farewell, Opening, SessionState};
use super::exchange::{Input, Limits};
use super::sending::Supply;
use super::signatures::SeenSignatures;
use crate::domain::Id;
use crate::domain::action::Action;
use crate::domain::command::{ItemState, QueuedCommand};
use crate::domain::enrollment::Enrollment;
use crate::domain::entra::{EntraClaims, TokenEvidence};
use crate::domain::object::{LargeObject, LargeValue};
use crate::domain::push::Registration;
use crate::domain::session_record::SessionRecord;
use crate::proto::syncml::{Command, LocUri, Message};

/// Replaces what must not be shown.
pub trait Redactor {
    /// A command with marks in place of values that are not known to be harmless.
    fn command(&self, command: &Command) -> Command;

    /// What a node held, or a mark.
    fn value(&self, node: Option<&LocUri>, value: &str) -> String;

    /// An action with marks in place of its secrets.
    fn action(&self, action: &Action) -> Action;

    /// Another digest for each digest, the same for the same.
    fn digest(&self, digest: &[u8; 32]) -> [u8; 32];
}

/// An [`Input`] without its message, redacted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    #[serde(with = "time::serde::rfc3339")]
    now: OffsetDateTime,
    digest: [u8; 32],
    incoming: Incoming,
    new_session: Id<SessionRecord>,
    new_object: Id<LargeObject>,
    room: u64,
    arrived: String,
    #[serde(default)]
    supplies: Vec<Supply>,
    opening: Opening,
    proven: Proven,
    tokens: TokenEvidence,
    #[serde(default)]
    registration: Registration,
    enrollment: Enrollment,
    conversation: Conversation,
    commands: Vec<QueuedCommand>,
    limits: Limits,
}

impl Snapshot {
    /// What may be shown of an input.
    #[must_use]
    pub fn of(input: Input, redactor: &dyn Redactor) -> Self {
        let Input {
            now,
            digest,
            incoming,
            message: _,
            new_session,
            new_object,
            room,
            arrived,
            supplies,
            opening,
            proven,
            tokens,
            registration,
            enrollment,
            conversation,
            commands,
            limits,
        } = input;
        let whole = Self {
            now,
            digest,
            incoming,
            new_session,
            new_object,
            room,
            arrived,
            supplies,
            opening,
            proven,
            tokens,
            registration,
            enrollment,
            conversation,
            commands,
            limits,
        };
        whole.redacted(redactor)
    }

    /// The same with other texts in place of what must not be shown.
    #[must_use]
    pub fn redacted(self, redactor: &dyn Redactor) -> Self {
        let Self {
            now,
            digest,
            incoming,
            new_session,
            new_object,
            room,
            arrived,
            supplies,
            opening,
            proven,
            tokens,
            registration,
            enrollment,
            conversation,
            commands,
            limits,
        } = self;
        let coming = conversation.open().and_then(|session| session.arrival.as_ref());
        let node = coming.and_then(|arrival| arrival.uri.as_deref()).map(LocUri::received);
        Self {
            now,
            digest: redactor.digest(&digest),
            incoming,
            new_session,
            new_object,
            room,
            arrived: redactor.value(node.as_ref(), &arrived),
            // As long as it was, because chunks are counted.
            supplies: supplies
                .into_iter()
                .map(|supply| Supply { text: "x".repeat(supply.text.len()), ..supply })
                .collect(),
            opening,
            proven: proof(proven, redactor),
            tokens: evidence(tokens),
            registration,
            enrollment: shown(enrollment),
            conversation: conversed(conversation, redactor),
            commands: commands.into_iter().map(|command| queued(command, redactor)).collect(),
            limits,
        }
    }

    /// The input again, with a message.
    #[must_use]
    pub fn input(self, message: Message) -> Input {
        Input {
            now: self.now,
            digest: self.digest,
            incoming: self.incoming,
            message,
            new_session: self.new_session,
            new_object: self.new_object,
            room: self.room,
            arrived: self.arrived,
            supplies: self.supplies,
            opening: self.opening,
            proven: self.proven,
            tokens: self.tokens,
            registration: self.registration,
            enrollment: self.enrollment,
            conversation: self.conversation,
            commands: self.commands,
            limits: self.limits,
        }
    }
}

/// Who the tokens are about is nobody's business here; that they are believed is.
fn evidence(tokens: TokenEvidence) -> TokenEvidence {
    let TokenEvidence { claims, rejected } = tokens;
    TokenEvidence { claims: claims.map(|_| EntraClaims::default()), rejected }
}

/// How it was proven; nonces, networks and signatures are left out.
fn proof(proven: Proven, redactor: &dyn Redactor) -> Proven {
    let Proven { by, signature: _, admission, network: _, has_to_sign } = proven;
    let other = |nonce: Nonce| {
        let mut whole = [0; 32];
        whole[..nonce.len()].copy_from_slice(&nonce);
        let mut out = Nonce::default();
        out.copy_from_slice(&redactor.digest(&whole)[..nonce.len()]);
        out
    };
    let admission = match admission {
        Admission::Certain => Admission::Certain,
        Admission::Session(nonce) => Admission::Session(other(nonce)),
        Admission::Credential { nonce, said } => Admission::Credential { nonce: other(nonce), said },
    };
    Proven { by, signature: None, admission, network: Ipv4Addr::UNSPECIFIED.into(), has_to_sign }
}

fn shown(enrollment: Enrollment) -> Enrollment {
    let Enrollment {
        id,
        device_id,
        user_id: _,
        state,
        mode,
        kind,
        claimed_device_id,
        entra_device_id,
        hw_dev_id,
        reported_dev_id,
        reported_source,
        os_version,
        os_edition,
        context: _,
        account: _,
        enrolled_at,
        last_seen_at,
        inventory_at,
        state_since,
        closed_reason,
        warning,
        locked_to_tenant,
        package_id: _,
        assigned_at: _,
        approval,
        replaced_unapproved,
        version,
    } = enrollment;
    Enrollment {
        id,
        device_id,
        user_id: None,
        state,
        mode,
        kind,
        claimed_device_id,
        entra_device_id,
        hw_dev_id,
        reported_dev_id,
        reported_source,
        os_version,
        os_edition,
        context: Vec::new(),
        account: Vec::new(),
        enrolled_at,
        last_seen_at,
        inventory_at,
        state_since,
        closed_reason,
        warning,
        locked_to_tenant,
        package_id: None,
        assigned_at: None,
        approval,
        replaced_unapproved,
        version,
    }
}

fn conversed(conversation: Conversation, redactor: &dyn Redactor) -> Conversation {
    let Conversation {
        current,
        earlier,
        one_by_one,
        farewell,
        retire,
        signatures: _,
        status_page,
        documents,
        csps_of,
        mixed,
        provisioned,
        told: _,
    } = conversation;
    Conversation {
        current: current.map(|each| session(each, redactor)),
        earlier: earlier.into_iter().map(|each| session(each, redactor)).collect(),
        one_by_one,
        farewell: farewell.map(|Farewell { session, digest, at }| Farewell {
            session,
            digest: redactor.digest(&digest),
            at,
        }),
        retire,
        signatures: SeenSignatures::default(),
        status_page,
        documents,
        csps_of,
        mixed,
        provisioned,
        told: None,
    }
}

fn session(session: SessionState, redactor: &dyn Redactor) -> SessionState {
    let SessionState {
        id,
        wire_id,
        source,
        opened_at,
        last_at,
        last_msg_id,
        last_digest,
        messages,
        our_msg_id,
        closed,
        login,
        proofs,
        digest_from: _,
        tokens,
        unreadable,
        cancelled,
        automatic,
        page_turn,
        push_turn,
        document_turn,
        provision_turn,
        opening,
        remarks,
        arrival,
        sending,
        max_msg_size,
        max_obj_size,
    } = session;
    SessionState {
        id,
        wire_id,
        source,
        opened_at,
        last_at,
        last_msg_id,
        last_digest: redactor.digest(&last_digest),
        messages,
        our_msg_id,
        closed,
        login,
        proofs,
        digest_from: None,
        tokens: evidence(tokens),
        unreadable,
        cancelled,
        automatic,
        page_turn,
        push_turn,
        document_turn,
        provision_turn,
        opening,
        remarks,
        arrival,
        sending,
        max_msg_size,
        max_obj_size,
    }
}

fn queued(command: QueuedCommand, redactor: &dyn Redactor) -> QueuedCommand {
    let QueuedCommand {
        id,
        enrollment_id,
        device_id,
        action,
        state,
        detail,
        status,
        hresult,
        placing,
        body,
        rest,
        items,
        step,
        offers,
        retries,
        last_offer,
        not_before,
        expires_at,
        created_at,
        finished_at,
        created_by: _,
        reason: _,
        revealed,
        followed,
        large_value,
    } = command;
    let redacted = |commands: Vec<Command>| commands.iter().map(|command| redactor.command(command)).collect();
    QueuedCommand {
        id,
        enrollment_id,
        device_id,
        action: redactor.action(&action),
        state,
        detail,
        status,
        hresult,
        placing,
        body: redacted(body),
        rest: redacted(rest),
        items: items.into_iter().map(|each| item(each, redactor)).collect(),
        step,
        offers,
        retries,
        last_offer,
        not_before,
        expires_at,
        created_at,
        finished_at,
        created_by: String::new(),
        reason: None,
        revealed,
        followed,
        // Like any digest, that of a value gives a short one away.
        large_value: large_value.map(|value| LargeValue { sha256: String::new(), ..value }),
    }
}

fn item(item: ItemState, redactor: &dyn Redactor) -> ItemState {
    let node = item.uri();
    ItemState { data: item.data.as_deref().map(|data| redactor.value(node.as_ref(), data)), ..item }
}
