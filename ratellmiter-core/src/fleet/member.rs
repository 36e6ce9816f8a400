//! A shared limiter of this process: sends its reports to the server and applies [`OnDisconnect`] while it has no lease.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
};

use tokio::{
    sync::{Notify, broadcast, watch},
    time::{Instant, sleep, sleep_until},
};

use super::{
    connection::{INVALID_REPLY, Intent, Message, RedisConnection, Reply},
    script::RECONNECT_INTERVAL,
};
use crate::{
    engine::{lease::exchange::LeaseRequest, scheduler::Scheduler},
    fleet::RestDone,
    limiter::{
        Limiter,
        join_error::{FleetError, JoinState},
    },
    limits::on_disconnect::OnDisconnect,
};

/// A limiter that joins the fleet.
pub(crate) struct Joining {
    pub(crate) model: Arc<str>,
    pub(crate) limiter: Limiter,
    /// Notified when a report is due earlier than planned.
    pub(crate) wake: Arc<Notify>,
    pub(crate) state: watch::Sender<JoinState>,
}

pub(crate) struct Member {
    joining: Joining,
    connection: Arc<RedisConnection>,
    policy: OnDisconnect,
    /// Unique among all processes.
    id: String,
    /// Description of the process for error messages.
    name: String,
    /// Number of the last report.
    step: u64,
    random: RandomState,
}

impl Member {
    pub(crate) fn new(joining: Joining, connection: Arc<RedisConnection>, policy: OnDisconnect) -> Self {
        let process = std::process::id();
        let random = RandomState::new();
        let id = format!("{process}-{:016x}", random.hash_one(process));
        let name = format!("process {process} on {}", gethostname::gethostname().to_string_lossy().escape_debug());
        Self { joining, connection, policy, id, name, step: 0, random }
    }

    /// Shares the limiter until `stop` is set.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>, rest: broadcast::Receiver<RestDone>) {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => {}
            () = self.share(rest) => {}
        }
        self.connection.set_lost(&self.joining.model, false);
        let report = self.joining.limiter.report();
        self.joining.limiter.leave_fleet();
        self.leave(report).await;
    }

    async fn share(&mut self, mut rest: broadcast::Receiver<RestDone>) {
        while let Some(report) = self.joining.limiter.report() {
            match self.request(Intent::Shares, report).await {
                Ok(Reply::Grant(grant)) => {
                    self.joining.limiter.schedule(|scheduler, now| scheduler.renew(now, &grant));
                    self.on_connected();
                    self.wait_for_next_report(&mut rest).await;
                }
                reply => {
                    self.on_unavailable(reply);
                    self.reconnect().await;
                }
            }
        }
    }

    /// Waits until the next report is due. Returns the lease when a [`RestDone`] arrives while the limiter is idle.
    async fn wait_for_next_report(&mut self, rest: &mut broadcast::Receiver<RestDone>) {
        while let Some(at) =
            self.joining.limiter.next_report_at().map(Instant::from_std).filter(|at| *at > Instant::now())
        {
            tokio::select! {
                () = sleep_until(at) => {}
                () = self.joining.wake.notified() => {}
                Ok(done) = rest.recv() => {
                    let report = self.joining.limiter.release_lease();
                    self.leave(report).await;
                    drop(done);
                }
            }
        }
    }

    /// Sends the final report. If it is lost, the server removes the process once it stops reporting.
    async fn leave(&mut self, report: Option<LeaseRequest>) {
        if let Some(report) = report {
            let _ = self.request(Intent::Leaves, report).await;
        }
    }

    /// Waits until the server can grant leases again.
    async fn reconnect(&mut self) {
        loop {
            sleep(RECONNECT_INTERVAL).await;
            let report = LeaseRequest { limits: self.joining.limiter.limits().to_string(), ..LeaseRequest::default() };
            match self.request(Intent::Looks, report).await {
                Ok(Reply::Welcome { welcome: true }) => break,
                reply => self.on_unavailable(reply),
            }
        }
        self.joining.limiter.schedule(Scheduler::join_fleet);
    }

    #[allow(clippy::cast_precision_loss)]
    async fn request(&mut self, intent: Intent, mut report: LeaseRequest) -> Result<Reply, FleetError> {
        self.step += 1;
        report.jitter = self.random.hash_one(self.step) as f64 / u64::MAX as f64;
        let message = Message { id: &self.id, name: &self.name, step: self.step, intent, report };
        self.connection.request(&self.joining.model, &message).await
    }

    fn on_connected(&self) {
        let model = &*self.joining.model;
        if self.connection.set_lost(&self.joining.model, false) {
            tracing::info!("the server of shared limiters is reachable again");
        } else if let Some(Err(FleetError::Refused { .. } | FleetError::Conflict { .. })) =
            &*self.joining.state.borrow()
        {
            tracing::info!(model, "the limiter is shared again");
        }
        self.set_state(Ok(()));
    }

    /// Applies the policy for the time without a lease. Logs a warning if the reason is new.
    fn on_unavailable(&self, reply: Result<Reply, FleetError>) {
        let Joining { model, limiter, .. } = &self.joining;
        let error = match reply {
            Ok(Reply::Conflict { conflict }) => {
                limiter.schedule(|scheduler, _| scheduler.set_neighbours(conflict.members));
                let (ours, model) = (limiter.limits().to_string(), model.to_string());
                FleetError::Conflict { model, ours, name: conflict.name, theirs: conflict.limits }
            }
            Ok(_) => self.connection.refused(model, INVALID_REPLY.to_owned()),
            Err(error) => error,
        };
        let is_new = self.set_state(Err(error.clone()));
        let is_first = self.connection.set_lost(model, matches!(error, FleetError::Lost { .. }));
        let (model, policy) = (&**model, self.policy);
        match error {
            FleetError::Lost { .. } if is_first => tracing::warn!("{error}; {policy}"),
            FleetError::Refused { .. } if is_new => tracing::warn!(model, "{error}; {policy}"),
            FleetError::Conflict { .. } if is_new => tracing::error!(model, "{error}; {policy}"),
            _ => {}
        }
        if is_new {
            limiter.schedule(|scheduler, now| scheduler.lose_fleet(now, policy));
        }
    }

    /// Publishes the result of a report. Returns `true` if it differs from the last one in more than a reason or a process's name.
    fn set_state(&self, state: Result<(), FleetError>) -> bool {
        use FleetError::{Conflict, Lost};
        self.joining.state.send_if_modified(|before| {
            let is_new = match (&*before, &state) {
                (Some(Err(Lost { .. })), Err(Lost { .. })) => false,
                (Some(Err(Conflict { theirs: before, .. })), Err(Conflict { theirs: now, .. })) => before != now,
                (before, now) => before.as_ref() != Some(now),
            };
            *before = Some(state);
            is_new
        })
    }
}
