//! Where in a transcript a message belongs, and how it gets there.

use time::OffsetDateTime;

use super::{CheckIn, CheckInAnswer};
use crate::app::App;
use crate::app::transcripts::{Body, Exchange};
use crate::domain::Id;
use crate::domain::session_record::SessionRecord;
use crate::proto::syncml::{Element, Encoding};
use crate::session::{Answer, Conversation, Input, Output, SessionState};

impl App {
    /// Hands both messages to the transcript of the session that they belong to.
    pub(super) fn keep_transcript(&self, request: &CheckIn, input: Input, output: &Output, answer: &CheckInAnswer) {
        let named = || input.conversation.remembered(&input.message.header.session_id.0, input.now);
        let Some(place) = output.sessions.first().or_else(named).map(Place::of) else { return };
        let answer = match answer {
            CheckInAnswer::Reply(bytes) => (200, kept(bytes, request.encoding, output)),
            CheckInAnswer::Bad(line) => (400, Body::Words(line.clone())),
            CheckInAnswer::Forbidden => (403, Body::Words(String::new())),
        };
        let (now, message) = (input.now, Body::Message(request.body.clone()));
        self.memory.behind.record(place.exchange(request, now, (message, Some(Box::new(input))), answer));
    }
}

/// An answer of statuses alone has nothing that would have to be looked for in it: it is kept as it is.
fn kept(answer: &[u8], encoding: Encoding, output: &Output) -> Body {
    let is_code = |element: &Element| matches!(element, Element::Status(status) if status.chal.is_none() && status.items.is_empty());
    match &output.answer {
        Answer::Reply(reply) if reply.header.cred.is_none() && reply.body.iter().all(is_code) => {
            match (encoding, str::from_utf8(answer)) {
                (Encoding::Xml, Ok(text)) => Body::Words(text.to_owned()),
                _ => Body::Message(answer.to_vec()),
            }
        }
        _ => Body::Message(answer.to_vec()),
    }
}

/// Where in a transcript a message belongs.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) session: Id<SessionRecord>,
    number: u32,
}

impl Place {
    pub(super) fn of(session: &SessionState) -> Self {
        Self { session: session.id, number: session.messages }
    }

    pub(super) fn exchange(
        self,
        request: &CheckIn,
        at: OffsetDateTime,
        (message, given): (Body, Option<Box<Input>>),
        (status, answer): (u16, Body),
    ) -> Exchange {
        let (session, number) = (self.session, self.number);
        Exchange { session, number, at, encoding: request.encoding, message, given, status, answer }
    }
}

/// Behind the last message of a session that is remembered.
pub(super) fn place(conversation: &Conversation, session: Id<SessionRecord>) -> Place {
    let mut remembered = conversation.current.iter().chain(&conversation.earlier);
    let found = remembered.find(|state| state.id == session);
    Place { session, number: found.map_or(0, |state| state.messages) }
}
