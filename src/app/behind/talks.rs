//! What the sessions of an enrollment are remembered by where the database does not have it: for a while, and of so many.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::Instant;

use crate::domain::Id;
use crate::domain::enrollment::Enrollment;
use crate::session::Conversation;

/// Enrollments that are remembered at most; the oldest go first.
pub(super) const MOST: usize = 4096;
/// How long one is remembered: as long as a session that is over (management reference 1.14).
const KEPT: Duration = Duration::from_secs(600);

/// The sessions of one enrollment.
pub(super) struct Talk {
    /// The stored revision that it was computed from.
    pub(super) base: Option<i64>,
    pub(super) conversation: Arc<Conversation>,
    /// When the device was seen.
    pub(super) seen: OffsetDateTime,
}

/// Those of many enrollments.
#[derive(Default)]
pub(super) struct Talks {
    by_enrollment: HashMap<Id<Enrollment>, (u64, Talk)>,
    /// In the order in which they were kept; of an enrollment that was kept again since, the number is an older one.
    order: VecDeque<(Instant, u64, Id<Enrollment>)>,
    number: u64,
}

impl Talks {
    /// The one of that enrollment, if it was computed from that stored revision.
    pub(super) fn find(&self, enrollment: Id<Enrollment>, stored: Option<i64>) -> Option<&Talk> {
        self.by_enrollment.get(&enrollment).map(|(_, talk)| talk).filter(|talk| talk.base == stored)
    }

    pub(super) fn keep(&mut self, now: Instant, enrollment: Id<Enrollment>, talk: Talk) {
        self.number += 1;
        self.by_enrollment.insert(enrollment, (self.number, talk));
        self.order.push_back((now, self.number, enrollment));
        while let Some((at, number, enrollment)) = self.order.front().copied() {
            let is_last = self.by_enrollment.get(&enrollment).is_some_and(|(last, _)| *last == number);
            let is_old = now - at > KEPT || self.by_enrollment.len() > MOST || self.order.len() > 2 * MOST;
            if is_last && !is_old {
                break;
            }
            self.order.pop_front();
            if is_last {
                self.by_enrollment.remove(&enrollment);
            }
        }
    }

    pub(super) fn forget(&mut self, enrollment: Id<Enrollment>) {
        self.by_enrollment.remove(&enrollment);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::testing::NOON;

    fn id(number: usize) -> Id<Enrollment> {
        Id::new(uuid::Uuid::from_u128(number as u128))
    }

    fn keep_at(talks: &mut Talks, now: Instant, number: usize) {
        talks.keep(now, id(number), Talk { base: None, conversation: Arc::default(), seen: NOON });
    }

    fn keep(talks: &mut Talks, number: usize) {
        keep_at(talks, Instant::now(), number);
    }

    #[test]
    fn the_oldest_go_first_and_all_in_time() {
        let mut talks = Talks::default();
        (0..MOST).for_each(|number| keep(&mut talks, number));
        keep(&mut talks, 0);
        keep(&mut talks, MOST);
        assert!(talks.find(id(0), None).is_some(), "kept again");
        assert!(talks.find(id(1), None).is_none());
        assert_eq!(talks.by_enrollment.len(), MOST);
        keep_at(&mut talks, Instant::now() + KEPT * 2, 7);
        assert_eq!((talks.by_enrollment.len(), talks.order.len()), (1, 1));
    }

    #[test]
    fn one_that_comes_often_takes_no_room() {
        let mut talks = Talks::default();
        keep(&mut talks, 1);
        (0..4 * MOST).for_each(|_| keep(&mut talks, 2));
        assert!(talks.order.len() <= 2 * MOST && talks.find(id(2), None).is_some());
        talks.forget(id(2));
        keep(&mut talks, 3);
        assert!(talks.find(id(2), None).is_none() && talks.find(id(3), None).is_some());
        assert!(talks.find(id(3), Some(1)).is_none(), "the stored one counts");
    }
}
