//! Answers to messages that changed nothing that has to last: kept for a while for a retransmission, and not stored. Whoever
//! repeats a message whose answer is gone loses nothing by being answered anew.

use std::collections::{HashMap, VecDeque};

use super::Answer;
use crate::domain::Id;
use crate::domain::session_record::SessionRecord;

/// Answers that are kept at most, and their bytes; the oldest go first.
const MOST: usize = 4096;
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// The last such answer of each session.
#[derive(Default)]
pub(super) struct Answers {
    by_session: HashMap<Id<SessionRecord>, ([u8; 32], Vec<u8>)>,
    /// In the order in which they came.
    order: VecDeque<Id<SessionRecord>>,
    bytes: usize,
}

impl Answers {
    /// Keeps an answer; the one before it in the same session is forgotten.
    pub(super) fn keep(&mut self, Answer { session, digest, bytes }: Answer) {
        self.bytes += bytes.len();
        match self.by_session.insert(session, (digest, bytes)) {
            Some((_, before)) => self.bytes -= before.len(),
            None => self.order.push_back(session),
        }
        while self.order.len() > MOST || self.bytes > MOST_BYTES {
            let Some(oldest) = self.order.pop_front() else { break };
            self.bytes -= self.by_session.remove(&oldest).map_or(0, |(_, bytes)| bytes.len());
        }
    }

    /// The answer to that message.
    pub(super) fn find(&self, session: Id<SessionRecord>, digest: &[u8; 32]) -> Option<Vec<u8>> {
        let (of, bytes) = self.by_session.get(&session)?;
        (of == digest).then(|| bytes.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(number: u128, bytes: usize) -> Answer {
        Answer { session: Id::new(uuid::Uuid::from_u128(number)), digest: [7; 32], bytes: vec![1; bytes] }
    }

    #[test]
    fn an_answer_is_of_one_message() {
        let mut answers = Answers::default();
        answers.keep(answer(1, 10));
        let session = answer(1, 0).session;
        assert_eq!(answers.find(session, &[7; 32]).unwrap().len(), 10);
        assert!(answers.find(session, &[8; 32]).is_none());
        answers.keep(Answer { digest: [8; 32], ..answer(1, 20) });
        assert!(answers.find(session, &[7; 32]).is_none());
        assert_eq!((answers.bytes, answers.order.len()), (20, 1));
    }

    #[test]
    fn the_oldest_go_where_there_are_too_many_or_too_large() {
        let mut answers = Answers::default();
        (0..MOST as u128 + 5).for_each(|number| answers.keep(answer(number, 1)));
        assert_eq!((answers.order.len(), answers.by_session.len(), answers.bytes), (MOST, MOST, MOST));
        assert!(answers.find(answer(4, 0).session, &[7; 32]).is_none());
        answers.keep(answer(1 << 90, MOST_BYTES));
        assert_eq!((answers.order.len(), answers.by_session.len(), answers.bytes), (1, 1, MOST_BYTES));
    }
}
