//! A limiter that is shared with other processes, as whoever asks their server for it sees it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{Notify, watch};

use super::Limiter;
use crate::{
    driver::InFleet,
    fleet::{Loss, SharedError, Standing},
    lease::{Answer, Report},
};

impl Limiter {
    /// From now on it is shared. `poke` is told when the server is to be asked earlier than was said.
    pub(crate) fn join_fleet(&self, poke: Arc<Notify>) -> watch::Sender<Standing> {
        let (sender, standing) = watch::channel(None);
        self.0.change(|state, now| {
            state.fleet = Some(InFleet { poke, asks_at: Duration::MAX, standing });
            state.scheduler.join_fleet(now);
        });
        sender
    }

    /// Waits until it is known whether the limiter is shared as it should be. At once if it should not be, or if that is known.
    ///
    /// Nobody has to wait for this: calls do, for the first answer of the server. It is for a program that will not start
    /// without its share:
    ///
    /// ```no_run
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// ratellmiter_core::monitor().shared("redis://127.0.0.1:6379")?;
    /// ratellmiter_core::monitor().limiter("gpt-4o").joined().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Another process has other limits, or the server is out of reach. [`Loss`] holds then, and it is tried again.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn joined(&self) -> Result<(), SharedError> {
        let Some(mut standing) = self.0.lock().fleet.as_ref().map(|fleet| fleet.standing.clone()) else {
            return Ok(());
        };
        // It is left when the sender is gone.
        standing.wait_for(Option::is_some).await.map_or(Ok(()), |standing| standing.clone().unwrap_or(Ok(())))
    }

    /// Those who share it can be reached again.
    pub(crate) fn rejoin_fleet(&self) {
        self.0.change(|state, now| state.scheduler.join_fleet(now));
    }

    /// Those who share it are out of reach.
    pub(crate) fn lose_fleet(&self, loss: Loss) {
        self.0.change(|state, now| match loss {
            Loss::Degrade => state.scheduler.lose_fleet(now, Some(|share| share)),
            Loss::Open => state.scheduler.lose_fleet(now, Some(|_| 1.0)),
            Loss::Closed => state.scheduler.lose_fleet(now, None::<fn(f64) -> f64>),
        });
    }

    /// So many others make calls too, and have other limits.
    pub(crate) fn found_others(&self, others: u64) {
        self.0.change(|state, _| state.scheduler.found_others(others));
    }

    /// It is shared no longer.
    pub(crate) fn leave_fleet(&self) {
        self.0.change(|state, now| {
            state.fleet = None;
            state.scheduler.leave_fleet(now);
        });
    }

    /// What the server is told now.
    pub(crate) fn report(&self) -> Option<Report> {
        let mut state = self.0.lock();
        let now = state.clock.now();
        state.scheduler.report(now)
    }

    /// Nobody makes calls for now: what is to be told to that end. `None`: somebody does.
    pub(crate) fn rest(&self) -> Option<Report> {
        let mut state = self.0.lock();
        let now = state.clock.now();
        state.scheduler.rest(now)
    }

    /// What the server answers.
    pub(crate) fn renew(&self, answer: &Answer) {
        self.0.change(|state, now| state.scheduler.renew(now, answer));
    }

    /// When the server is to be asked again; whoever asks is poked if it is earlier after all.
    pub(crate) fn asks_at(&self) -> Option<Instant> {
        let mut state = self.0.lock();
        let asks_at = state.scheduler.asks_at()?;
        state.fleet.iter_mut().for_each(|fleet| fleet.asks_at = asks_at);
        // A day is as good as never.
        let latest = state.clock.now() + Duration::from_hours(24);
        Some(state.clock.instant(asks_at.min(latest)))
    }

    pub(crate) fn limits_in_words(&self) -> String {
        self.limits().in_words()
    }
}
