//! When devices call that call together at a rate: moments that do not depend on the answers, the devices taking turns.

use std::time::{Duration, Instant};

use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::watch;

use super::figures::Figures;
use crate::sim::Chance;

/// Brings a device the moments at which it is to call.
pub(super) type Line = Sender<Instant>;

/// The calls of a run.
pub(super) struct Arrivals<'f> {
    pub(super) figures: &'f Figures,
    /// Makes the moments.
    pub(super) seed: &'f str,
    /// How many there are in a second on average.
    pub(super) rate: f64,
    /// How many each device takes; without it there is no end.
    pub(super) sessions: Option<u32>,
}

impl Arrivals<'_> {
    /// Calls devices until each has had its calls, none takes any more, or the run stops. A device that is still busy takes
    /// its call later; its time counts from the moment that was drawn.
    pub(super) async fn call(&self, lines: Vec<Line>, mut stop: watch::Receiver<bool>) {
        let mut chance = Chance::new(self.seed, "arrivals");
        let mut due = Instant::now();
        let open = lines.iter().filter(|line| !line.is_closed()).count() as u64;
        let most = self.sessions.map_or(u64::MAX, |sessions| u64::from(sessions) * open);
        let mut turn = lines.iter().cycle();
        for _ in 0..most {
            if lines.iter().all(Line::is_closed) {
                return;
            }
            due += Duration::from_secs_f64(-(1.0 - chance.share()).ln() / self.rate);
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep_until(due.into()) => self.give(turn.by_ref().take(lines.len()), due),
            }
        }
    }

    /// Gives a call to the first device that takes calls still; others are gone, or never enrolled.
    fn give<'l>(&self, lines: impl Iterator<Item = &'l Line>, due: Instant) {
        for line in lines {
            match line.try_send(due) {
                Ok(()) => return,
                Err(TrySendError::Full(_)) => {
                    self.figures.not_started(1);
                    return self.figures.error("not_started", "a device had too many sessions to hold at once");
                }
                Err(TrySendError::Closed(_)) => {}
            }
        }
        self.figures.not_started(1);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::{Receiver, channel};

    use super::super::transport::Counts;
    use super::*;

    fn arrivals(figures: &Figures, sessions: Option<u32>) -> Arrivals<'_> {
        Arrivals { figures, seed: "arrivals", rate: 1e6, sessions }
    }

    fn waiting(line: &mut Receiver<Instant>) -> usize {
        std::iter::from_fn(|| line.try_recv().ok()).count()
    }

    fn not_started(figures: &Figures) -> serde_json::Value {
        figures.document(Counts::default())["sessions_not_started"].clone()
    }

    #[tokio::test]
    async fn devices_that_are_gone_lose_no_calls() {
        let figures = Figures::new();
        let (gone, mut first, mut second) = (channel(8), channel(8), channel(8));
        drop(gone.1);
        let (stop, stopped) = watch::channel(false);
        arrivals(&figures, Some(3)).call(vec![gone.0.clone(), first.0, gone.0.clone(), second.0], stopped).await;
        assert_eq!((waiting(&mut first.1), waiting(&mut second.1)), (3, 3));
        assert_eq!(not_started(&figures), 0);
        arrivals(&figures, None).give([&gone.0].into_iter(), Instant::now());
        assert_eq!(not_started(&figures), 1, "nobody was there to take it");
        arrivals(&figures, None).call(vec![gone.0], stop.subscribe()).await;
        assert_eq!((not_started(&figures), figures.progress().errors), (1.into(), 0));
    }

    #[tokio::test]
    async fn a_device_that_falls_behind_does_not_keep_the_run_going() {
        let figures = Figures::new();
        let (line, mut behind) = channel(2);
        let (stop, stopped) = watch::channel(false);
        let arrivals = arrivals(&figures, None);
        let called = arrivals.call(vec![line], stopped);
        let stopping = async {
            behind.recv().await;
            stop.send_replace(true);
        };
        tokio::time::timeout(Duration::from_secs(60), async { tokio::join!(called, stopping) }).await.unwrap();
    }
}
