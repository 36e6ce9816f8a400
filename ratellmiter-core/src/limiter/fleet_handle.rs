//! A limiter that is shared with other processes, as the task that asks the server sees it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{Notify, watch};

use super::Limiter;
use crate::{
    engine::{lease::exchange::LeaseRequest, scheduler::Scheduler},
    limiter::{
        driver::{FleetLink, Waiter},
        join_error::{FleetError, JoinState},
    },
};

impl Limiter {
    /// Waits until it is known whether the limiter is shared as configured. Returns at once for a limiter that is not shared.
    ///
    /// Calls wait for the first reply of the server by themselves; this is for a program that does not start without its
    /// share:
    ///
    /// ```no_run
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// ratellmiter_core::monitor().share_over(ratellmiter_core::fleet::FleetConfig::redis("redis://127.0.0.1:6379")?);
    /// ratellmiter_core::monitor().limiter("gpt-4o").wait_until_shared().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Another process has other limits, or the server is out of reach. [`OnDisconnect`](crate::fleet::OnDisconnect) applies then, and the limiter
    /// keeps trying.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn wait_until_shared(&self) -> Result<(), FleetError> {
        let Some(mut join_state) = self.0.lock().fleet.as_ref().map(|fleet| fleet.join_state.clone()) else {
            return Ok(());
        };
        // The sender is dropped when the limiter leaves the fleet.
        join_state.wait_for(Option::is_some).await.map_or(Ok(()), |state| state.clone().unwrap_or(Ok(())))
    }

    /// Shares the limiter. `wakeup` is notified when the next report is due earlier than
    /// [`next_report_at`](Self::next_report_at) returned.
    pub(crate) fn join_fleet(&self, wakeup: Arc<Notify>) -> watch::Sender<JoinState> {
        let (sender, join_state) = watch::channel(None);
        self.0.update(|state, now| {
            state.fleet = Some(FleetLink { wakeup, next_report_at: Duration::MAX, join_state });
            state.scheduler.join_fleet(now);
        });
        sender
    }

    /// Ends the sharing.
    pub(crate) fn leave_fleet(&self) {
        self.0.update(|state, now| {
            state.fleet = None;
            state.scheduler.leave_fleet(now);
        });
    }

    /// Applies a change to the scheduler, and sends the calls that are due then.
    pub(crate) fn schedule(&self, change: impl FnOnce(&mut Scheduler<Waiter>, Duration)) {
        self.0.update(|state, now| change(&mut state.scheduler, now));
    }

    /// Returns the report for the server.
    pub(crate) fn report(&self) -> Option<LeaseRequest> {
        let mut state = self.0.lock();
        let now = state.clock.now();
        state.scheduler.report(now)
    }

    /// Gives up the lease of an idle limiter. Returns the last report, or `None` while calls are queued or in flight.
    pub(crate) fn release_lease(&self) -> Option<LeaseRequest> {
        let mut state = self.0.lock();
        let now = state.clock.now();
        state.scheduler.release_lease(now)
    }

    /// Returns when the next report is due.
    pub(crate) fn next_report_at(&self) -> Option<Instant> {
        let mut state = self.0.lock();
        let asks_at = state.scheduler.asks_at()?;
        state.fleet.iter_mut().for_each(|fleet| fleet.next_report_at = asks_at);
        // An `Instant` may not hold the end of all time.
        let latest = state.clock.now() + Duration::from_hours(24);
        Some(state.clock.instant(asks_at.min(latest)))
    }
}
