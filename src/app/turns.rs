//! One after the other, by key, within this process: what would only stand in its own way when done at once.
//!
//! Nothing is safe by this alone, for there may be other processes: guards in the database decide. Turns make it rare
//! that they have to.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// Who is at work, and who waits, by key.
pub(super) struct Turns<K>(Mutex<HashMap<K, Arc<AsyncMutex<()>>>>);

impl<K: Hash + Eq> Turns<K> {
    pub(super) fn new() -> Self {
        Self(Mutex::default())
    }

    /// Waits behind those who came before with the same key; the turn lasts until what is returned is dropped.
    pub(super) async fn take(&self, key: K) -> OwnedMutexGuard<()> {
        let queue = {
            let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // A queue that nobody else has hold of is empty.
            queues.retain(|_, queue| Arc::strong_count(queue) > 1);
            Arc::clone(queues.entry(key).or_default())
        };
        queue.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn turns_of_one_key_do_not_overlap() {
        let turns = Arc::new(Turns::new());
        let at_work = Arc::new(Mutex::new((0, 0)));
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let (turns, at_work) = (Arc::clone(&turns), Arc::clone(&at_work));
                tokio::spawn(async move {
                    let _turn = turns.take("ada").await;
                    at_work.lock().unwrap().0 += 1;
                    tokio::task::yield_now().await;
                    let mut counts = at_work.lock().unwrap();
                    assert_eq!(counts.0, 1);
                    *counts = (0, counts.1 + 1);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(at_work.lock().unwrap().1, 20);
    }

    #[tokio::test]
    async fn others_do_not_wait_and_queues_are_forgotten() {
        let turns = Turns::new();
        let first = turns.take(0).await;
        for key in 1..100 {
            turns.take(key).await;
        }
        assert!(turns.0.lock().unwrap().len() <= 2);
        drop(first);
        turns.take(0).await;
        assert!(turns.0.lock().unwrap().len() <= 1);
    }
}
