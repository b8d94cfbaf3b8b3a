//! What takes the place of a value that was redacted: a filler of its length.
//!
//! The engine decides by sizes how much goes into one message, so a mark is replaced, before a message runs, by a text that
//! takes as much room as the value did. Where the answer brings a filler, it is taken for the mark again; where it brings
//! something that the engine made anew (a nonce), only its length can be compared with a mark.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use crate::domain::Mark;
use crate::domain::action::Action;
use crate::proto::syncml::{Command, Data, Item, LocUri};
use crate::session::Redactor;

/// The fillers of one message.
pub(super) struct Fillers {
    marks: RefCell<HashMap<String, Mark>>,
    /// Bytes that fillers may still take.
    room: Cell<usize>,
}

/// Most bytes of the fillers of one message.
const ROOM: usize = 16 * 1024 * 1024;

impl Fillers {
    pub(super) fn new() -> Self {
        Self { marks: RefCell::default(), room: Cell::new(ROOM) }
    }

    /// The filler for a mark; `None` where there is no room for it.
    fn filler(&self, mark: Mark) -> Option<String> {
        let room = self.room.get().checked_sub(mark.bytes)?;
        self.room.set(room);
        let filler = filler(mark);
        self.marks.borrow_mut().insert(filler.clone(), mark);
        Some(filler)
    }

    /// A text, or its filler where it is a mark.
    fn filled(&self, text: &str) -> Option<String> {
        Mark::parse(text).and_then(|mark| self.filler(mark))
    }

    /// The XML of a message with fillers in place of marks.
    pub(super) fn body(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        for (place, mark) in Mark::find(text) {
            // Of digits alone, so that the XML stays what it is.
            if let Some(filler) = self.filler(Mark { escaped: mark.bytes, ..mark }) {
                out.push_str(&text[at..place.start]);
                out.push_str(&filler);
                at = place.end;
            }
        }
        out.push_str(&text[at..]);
        out
    }

    /// The mark that a text of an answer stands for.
    fn origin(&self, text: &str) -> Option<Mark> {
        Mark::parse(text).or_else(|| self.marks.borrow().get(text).copied())
    }

    /// Whether a text that was recorded, and one of this build, are the same, as far as that can be known.
    pub(super) fn same(&self, recorded: &str, now: &str) -> bool {
        match (Mark::parse(recorded), self.origin(now)) {
            (None, _) => recorded == now,
            (Some(mark), Some(origin)) => (mark.bytes, mark.hash) == (origin.bytes, origin.hash),
            (Some(mark), None) => mark.bytes == now.len(),
        }
    }

    /// A text as it is shown: with the mark in place of its filler.
    pub(super) fn shown(&self, text: &str) -> String {
        self.origin(text).map_or_else(|| text.to_owned(), |mark| Mark { escaped: mark.bytes, ..mark }.to_string())
    }
}

/// So many bytes, of the digits of the hash; with characters in front that XML writes longer, to take the same room there.
fn filler(mark: Mark) -> String {
    let more = mark.escaped.saturating_sub(mark.bytes);
    // `&amp;` takes four bytes more than `&`, `&lt;` three more than `<`.
    let ampersands = (0..3).find(|count| more >= count * 4 && (more - count * 4).is_multiple_of(3));
    let lead = ampersands.map(|count| "&".repeat(count) + &"<".repeat((more - count * 4) / 3));
    let lead = lead.filter(|lead| lead.len() <= mark.bytes).unwrap_or_default();
    let digits = format!("{:016x}", u64::from_be_bytes(mark.hash));
    let rest = mark.bytes - lead.len();
    lead + &digits.chars().cycle().take(rest).collect::<String>()
}

impl Redactor for Fillers {
    fn command(&self, command: &Command) -> Command {
        Command {
            items: command.items.iter().map(|item| self.item(item)).collect(),
            children: command.children.iter().map(|child| self.command(child)).collect(),
            ..command.clone()
        }
    }

    fn value(&self, _: Option<&LocUri>, value: &str) -> String {
        self.filled(value).unwrap_or_else(|| value.to_owned())
    }

    fn action(&self, action: &Action) -> Action {
        action.with_texts(&|text| self.filled(text))
    }

    fn digest(&self, digest: &[u8; 32]) -> [u8; 32] {
        *digest
    }
}

impl Fillers {
    fn item(&self, item: &Item) -> Item {
        let mut item = item.clone();
        item.meta.next_nonce = item.meta.next_nonce.map(|nonce| self.filled(&nonce).unwrap_or(nonce));
        item.data = item.data.map(|data| self.filled(data.text()).map_or(data, Data::new));
        item
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::xml::escaped_len;

    const HASH: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

    #[test]
    fn a_filler_takes_the_room_of_the_value() {
        for value in
            ["x", "secret", "<a>&</a>", "a & b < c", "&&", "<<>>", "\u{F000}long enough", "a\rb & c, some more"]
        {
            let mark = Mark { bytes: value.len(), escaped: escaped_len(value), hash: HASH };
            let filler = filler(mark);
            assert_eq!(filler.len(), value.len(), "{value}");
            let is_simple = !value.contains(['\u{F000}', '\r']);
            assert!(!is_simple || escaped_len(&filler) == escaped_len(value), "{value}: {filler}");
        }
        assert_eq!(filler(Mark { bytes: 3, escaped: 9999, hash: HASH }), "010", "what cannot be is left out");
    }

    #[test]
    fn a_mark_is_found_again_in_the_answer() {
        let fillers = Fillers::new();
        let mark = Mark { bytes: 20, escaped: 26, hash: HASH };
        let recorded = Mark { escaped: 20, ..mark }.to_string();
        let filler = fillers.filled(&mark.to_string()).unwrap();
        assert!(fillers.same(&recorded, &filler));
        assert!(fillers.same(&recorded, "12345678901234567890"), "made anew: the length is all that is known");
        assert!(!fillers.same(&recorded, "1234567890"));
        assert_eq!(fillers.shown(&filler), recorded);
        let other = fillers.filled(&Mark { hash: [9; 8], ..mark }.to_string()).unwrap();
        assert!(!fillers.same(&recorded, &other), "another secret");
        assert!(fillers.same("200", "200") && !fillers.same("200", "404"));
        assert_eq!(fillers.body(&format!("<Data>{recorded}</Data>é")), "<Data>01020304050607080102</Data>é");
    }

    #[test]
    fn marks_that_lie_take_no_room() {
        let fillers = Fillers::new();
        let lie = Mark { bytes: usize::MAX, escaped: usize::MAX, hash: HASH }.to_string();
        assert_eq!(fillers.value(None, &lie), lie);
        let big = Mark { bytes: ROOM / 2, escaped: ROOM / 2, hash: HASH }.to_string();
        let taken = (0..5).filter(|_| fillers.filled(&big).is_some()).count();
        assert_eq!(taken, 2);
    }
}
