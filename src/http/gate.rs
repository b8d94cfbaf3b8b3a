//! The order to let go of the database: who is at work with it, who gives the order, who carries it out.
//!
//! Requests that come after the order are not held off: they meet a database that is closed sooner or later, and each
//! door has its own words for that.

use std::sync::Arc;

use tokio::sync::watch;

/// Between the requests and whoever closes the database.
#[derive(Debug)]
pub struct Gate {
    state: watch::Sender<State>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    /// Requests that came before the order and have not been answered.
    running: usize,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    Ordered,
    Closed,
}

/// A request that is waited for, until it is dropped.
#[derive(Debug)]
pub struct Pass(Option<Arc<Gate>>);

impl Gate {
    /// Open, with nobody inside.
    #[must_use]
    pub fn open() -> Arc<Self> {
        Arc::new(Self { state: watch::Sender::new(State { running: 0, stage: Stage::Open }) })
    }

    /// Lets a request through; it is waited for unless it came too late.
    #[must_use]
    pub fn enter(self: &Arc<Self>) -> Pass {
        let mut is_early = false;
        self.state.send_if_modified(|state| {
            is_early = state.stage == Stage::Open;
            state.running += usize::from(is_early);
            false
        });
        Pass(is_early.then(|| Arc::clone(self)))
    }

    /// Whether the order was not given yet.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state.borrow().stage == Stage::Open
    }

    /// Gives the order, and waits until the database is closed.
    pub async fn drain(&self) {
        self.state.send_if_modified(|state| {
            let is_first = state.stage == Stage::Open;
            if is_first {
                state.stage = Stage::Ordered;
            }
            is_first
        });
        self.reach(|state| state.stage == Stage::Closed).await;
    }

    /// Waits for the order.
    pub async fn ordered(&self) {
        self.reach(|state| state.stage != Stage::Open).await;
    }

    /// Waits, after the order, until nobody is inside any more.
    pub async fn empty(&self) {
        self.reach(|state| state.running == 0).await;
    }

    /// Tells that the database is closed.
    pub fn close(&self) {
        self.state.send_modify(|state| state.stage = Stage::Closed);
    }

    async fn reach(&self, wanted: impl Fn(&State) -> bool) {
        // It cannot fail: the sender is in `self`.
        let _ = self.state.subscribe().wait_for(|state| wanted(state)).await;
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let Some(gate) = &self.0 else { return };
        gate.state.send_if_modified(|state| {
            state.running -= 1;
            state.stage != Stage::Open
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_came_before_the_order_is_waited_for() {
        let gate = Gate::open();
        let early = [gate.enter(), gate.enter()];
        let orders = [0, 1].map(|_| {
            let gate = Arc::clone(&gate);
            tokio::spawn(async move { gate.drain().await })
        });
        gate.ordered().await;
        assert!(!gate.is_open());
        let late = gate.enter();
        let emptied = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.empty().await }
        });
        let [first, second] = early;
        drop(first);
        tokio::task::yield_now().await;
        assert!(!emptied.is_finished());
        drop(second);
        emptied.await.unwrap();
        assert!(orders.iter().all(|order| !order.is_finished()));
        gate.close();
        for order in orders {
            order.await.unwrap();
        }
        drop(late);
        gate.drain().await;
    }
}
