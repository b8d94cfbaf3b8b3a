//! Recordings of ours: each message of the device runs from what the engine was given with it then.

use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;

use super::compare;
use super::fillers::Fillers;
use super::report::{Difference, Kind, Outcome, Replayed, Report};
use super::{BROKE_OFF, Engine, MOST_MESSAGES, Unreadable, XML};
use crate::domain::session_record::{CUT_HERE, REPEATED, UNREADABLE};
use crate::proto::syncml::{Encoding, Message, decode};
use crate::proto::xml::Document;
use crate::session::{Admission, Answer, Conversation, Incoming, Input, Snapshot, is_farewell_repetition};

/// A session document, as far as it is replayed.
#[derive(Deserialize)]
struct Recording {
    messages: Vec<Line>,
}

/// One message of it.
#[derive(Deserialize)]
struct Line {
    direction: Side,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    #[serde(default)]
    encoding: Form,
    status: Option<u16>,
    body: String,
    given: Option<Value>,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Side {
    Device,
    Server,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Form {
    #[default]
    Xml,
    Wbxml,
}

/// What the engine made of the message before, which the next may repeat.
struct Before {
    message: Message,
    digest: [u8; 32],
    is_own_name: bool,
    conversation: Conversation,
}

/// Replays a session document.
pub(super) fn run(text: &str, engine: &Engine<'_>) -> Result<Report, Unreadable> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let recording: Recording = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| Unreadable::Json { place: error.path().to_string(), error: error.into_inner() })?;
    reader.end().map_err(|error| Unreadable::Json { place: "after the document".to_owned(), error })?;
    if recording.messages.len() > MOST_MESSAGES {
        return Err(Unreadable::TooMany);
    }
    let mut messages = Vec::new();
    let mut before = None;
    let mut lines = recording.messages.into_iter().enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        if line.direction == Side::Server {
            continue;
        }
        let answer = lines.next_if(|(_, next)| next.direction == Side::Server);
        let number = messages.len() + 1;
        let (at, message) = (line.at, readable(&line, index)?);
        let outcome = outcome(&line, message.as_ref(), answer, engine, &mut before)?;
        messages.push(Replayed {
            number,
            session_id: message.as_ref().map(|message| message.header.session_id.0.clone()),
            msg_id: message.as_ref().map(|message| message.header.msg_id.0),
            at: Some(at),
            line: None,
            outcome,
        });
    }
    if messages.is_empty() { Err(Unreadable::Empty) } else { Ok(Report { kind: Kind::Recording, messages }) }
}

/// The message, unless words stand in its place.
fn readable(line: &Line, index: usize) -> Result<Option<Message>, Unreadable> {
    if line.body.starts_with(UNREADABLE) || line.body.starts_with(REPEATED) || is_cut(&line.body) {
        return Ok(None);
    }
    let message = decode(line.body.as_bytes(), &XML);
    message.map(Some).map_err(|error| unreadable(index, error))
}

fn unreadable(index: usize, what: impl ToString) -> Unreadable {
    Unreadable::Message { place: format!("messages[{index}].body"), what: what.to_string() }
}

fn outcome(
    line: &Line,
    message: Option<&Message>,
    answer: Option<(usize, Line)>,
    engine: &Engine<'_>,
    before: &mut Option<Before>,
) -> Result<Outcome, Unreadable> {
    let Some((answer_index, answer)) = answer else {
        *before = None;
        return Ok(Outcome::skipped("its answer was not recorded"));
    };
    if line.body.starts_with(REPEATED) {
        return Ok(repetition(line, &answer, engine, before.as_ref()));
    }
    if line.body.starts_with(UNREADABLE) {
        return Ok(Outcome::skipped("it could not be read then, and nothing of it was kept"));
    }
    let Some(message) = message else {
        *before = None;
        return Ok(Outcome::skipped(format!("it is {TOO_LONG}")));
    };
    let fillers = Fillers::new();
    let input = match given(line, &fillers) {
        Ok(snapshot) => snapshot.input(message.clone()),
        Err(reason) => {
            *before = None;
            return Ok(Outcome::skipped(reason));
        }
    };
    replayed(line, input, (answer_index, &answer), engine, &fillers, before)
}

/// What the engine was given, with fillers in it.
fn given(line: &Line, fillers: &Fillers) -> Result<Snapshot, String> {
    let Some(given) = &line.given else {
        return Err("what was given with it was not kept: it was too much, or the server was an older one".to_owned());
    };
    let snapshot = Snapshot::deserialize(given)
        .map_err(|error| format!("what was given with it is not of this version: {error}"))?;
    Ok(snapshot.redacted(fillers))
}

/// Runs one message from its own state.
fn replayed(
    line: &Line,
    mut input: Input,
    (answer_index, answer): (usize, &Line),
    engine: &Engine<'_>,
    fillers: &Fillers,
    before: &mut Option<Before>,
) -> Result<Outcome, Unreadable> {
    let mut found = Vec::new();
    if let Ok(message) = decode(fillers.body(&line.body).as_bytes(), &XML) {
        input.message = message;
    }
    let now = judged(&input, engine);
    if now != input.incoming {
        found.push(Difference::new("(what the message is)", words(&input.incoming), words(&now)));
        input.incoming = now;
    }
    if let Incoming::Replay(_) = input.incoming {
        *before = None;
        return Ok(Outcome::of(found));
    }
    let encoding = match line.encoding {
        Form::Xml => Encoding::Xml,
        Form::Wbxml => Encoding::Wbxml,
    };
    let (message, digest) = (input.message.clone(), input.digest);
    let is_own_name = input.enrollment.answers_to(&message.header.source);
    let was_refused = matches!(input.incoming, Incoming::Reject(_));
    let Some(output) = engine.answer(&input) else {
        *before = None;
        found.push(Difference::new("(answer)", "an answer", BROKE_OFF));
        return Ok(Outcome::of(found));
    };
    let is_whole = !is_cut(&answer.body);
    if is_whole {
        let differences = compared(&output.answer, encoding, answer, fillers);
        found.extend(differences.map_err(|what| unreadable(answer_index, what))?);
    }
    // What is refused leaves the message before it as the last one.
    if !was_refused {
        *before = Some(Before { message, digest, is_own_name, conversation: output.conversation });
    }
    Ok(if is_whole { Outcome::of(found) } else { Outcome::skipped(format!("its answer is {TOO_LONG}")) })
}

/// What this build takes a message for.
fn judged(input: &Input, engine: &Engine<'_>) -> Incoming {
    let is_own_name = input.enrollment.answers_to(&input.message.header.source);
    let now = (engine.classify)(&input.conversation, &input.message, &input.digest, is_own_name, input.now);
    // A credential that answers a challenge begins the session again; the challenge is not part of what is given.
    let may_begin_again = matches!(input.proven.admission, Admission::Credential { .. });
    let again = now.clone().after_challenge(&input.message);
    if may_begin_again && again == input.incoming { again } else { now }
}

/// What differs between the recorded answer and that of this build.
fn compared(now: &Answer, encoding: Encoding, recorded: &Line, fillers: &Fillers) -> Result<Vec<Difference>, String> {
    let status = recorded.status.unwrap_or(200);
    let reply = match now {
        Answer::Refuse(rejection) if status == 200 => {
            return Ok(vec![Difference::new("(HTTP status)", "200", format!("400: {rejection}"))]);
        }
        Answer::Refuse(rejection) => {
            let then = format!("{status}: {}", recorded.body);
            let now = format!("400: {rejection}");
            return Ok(if then == now { Vec::new() } else { vec![Difference::new("(HTTP status)", then, now)] });
        }
        Answer::Reply(_) if status != 200 => {
            return Ok(vec![Difference::new("(HTTP status)", format!("{status}: {}", recorded.body), "200")]);
        }
        Answer::Reply(reply) => reply,
    };
    let then = Document::parse(recorded.body.as_bytes(), &XML).map_err(|error| error.to_string())?;
    let Some(now) = encoding.document(&encoding.encode(reply), &XML) else {
        return Ok(vec![Difference::new("(answer)", "a message", "not readable")]);
    };
    Ok(compare::differences(then.root(), now.root(), fillers))
}

/// A message that came again: this build has to take it for that, too.
fn repetition(line: &Line, answer: &Line, engine: &Engine<'_>, before: Option<&Before>) -> Outcome {
    let Some(before) = before else {
        return Outcome::skipped("it came again, and the message before it could not be replayed");
    };
    if answer.status != Some(200) {
        return Outcome::skipped("it came again when its answer was no longer kept");
    }
    let Before { message, digest, is_own_name, conversation } = before;
    let now = (engine.classify)(conversation, message, digest, *is_own_name, line.at);
    let is_repeated =
        matches!(now, Incoming::Replay(_)) || is_farewell_repetition(conversation, digest, line.at).is_some();
    if is_repeated {
        return Outcome::Same;
    }
    Outcome::of(vec![Difference::new("(what the message is)", AGAIN, words(&now))])
}

/// Whether a body is a message of which the end was not kept.
fn is_cut(body: &str) -> bool {
    body.rfind(CUT_HERE).and_then(|at| body.get(at..)).is_some_and(|end| !end.contains('<'))
}

const TOO_LONG: &str = "longer than what is kept of a message";
const AGAIN: &str = "the message before, once more";

fn words(incoming: &Incoming) -> String {
    match incoming {
        Incoming::Replay(_) => AGAIN.to_owned(),
        Incoming::Open { .. } => "opens a session".to_owned(),
        Incoming::Restart => "package 1 once more, inside the session".to_owned(),
        Incoming::Continue { gap: false } => "the next of the session".to_owned(),
        Incoming::Continue { gap: true } => "the next of the session, with others left out".to_owned(),
        Incoming::Late => "of a session that is over or unknown".to_owned(),
        Incoming::Reject(rejection) => format!("refused: {rejection}"),
    }
}
