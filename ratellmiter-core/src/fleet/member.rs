//! One limiter of this process in its fleet: sends its reports to the server, and applies [`OnDisconnect`] while it has no lease.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{Notify, broadcast, watch},
    time::{Instant, sleep, sleep_until},
};

use super::{FleetError, RestDone};
use crate::{
    config::OnDisconnect,
    engine::{lease::LeaseRequest, scheduler::Scheduler},
    fleet::connection::{Intent, Message, NO_ANSWER, RedisConnection, Reply},
    limiter::Limiter,
};

/// Time between attempts to reach a lost server.
pub(super) const RECONNECT_INTERVAL: Duration = Duration::from_millis(500);

/// Result of the last report; `None` before the first reply.
pub(crate) type JoinState = Option<Result<(), FleetError>>;

/// A limiter that is to be shared.
pub(crate) struct Joining {
    pub(crate) model: Arc<str>,
    pub(crate) limiter: Limiter,
    /// Notified when a report is due earlier than planned.
    pub(crate) poke: Arc<Notify>,
    pub(crate) standing: watch::Sender<JoinState>,
}

pub(crate) struct Member {
    joining: Joining,
    link: Arc<RedisConnection>,
    loss: OnDisconnect,
    /// Unique among all processes, and readable.
    id: String,
    name: String,
    /// Number of the last report.
    step: u64,
    random: RandomState,
}

impl Member {
    pub(crate) fn new(joining: Joining, link: Arc<RedisConnection>, loss: OnDisconnect) -> Self {
        let process = std::process::id();
        let random = RandomState::new();
        let id = format!("{process}-{:016x}", random.hash_one(process));
        let name = format!("process {process} on {}", gethostname::gethostname().to_string_lossy().escape_debug());
        Self { joining, link, loss, id, name, step: 0, random }
    }

    /// Shares the limiter until `stop` is set.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>, rest: broadcast::Receiver<RestDone>) {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => {}
            () = self.share(rest) => {}
        }
        self.link.set_lost(&self.joining.model, false);
        let report = self.joining.limiter.report();
        self.joining.limiter.leave_fleet();
        self.leave(report).await;
    }

    async fn share(&mut self, mut rest: broadcast::Receiver<RestDone>) {
        while let Some(report) = self.joining.limiter.report() {
            match self.request(Intent::Shares, report).await {
                Ok(Reply::Answer(answer)) => {
                    self.joining.limiter.schedule(|scheduler, now| scheduler.renew(now, &answer));
                    self.on_connected();
                    self.wait(&mut rest).await;
                }
                reply => {
                    self.on_unavailable(reply);
                    self.reconnect().await;
                }
            }
        }
    }

    /// Waits until a report is due.
    async fn wait(&mut self, rest: &mut broadcast::Receiver<RestDone>) {
        while let Some(at) = self.joining.limiter.asks_at().map(Instant::from_std).filter(|at| *at > Instant::now()) {
            tokio::select! {
                () = sleep_until(at) => {}
                () = self.joining.poke.notified() => {}
                Ok(done) = rest.recv() => {
                    let report = self.joining.limiter.release_lease();
                    self.leave(report).await;
                    drop(done);
                }
            }
        }
    }

    /// Returns the lease. The server notices a lost report by the silence that follows.
    async fn leave(&mut self, report: Option<LeaseRequest>) {
        if let Some(report) = report {
            let _ = self.request(Intent::Leaves, report).await;
        }
    }

    /// Waits until the server can grant a lease again.
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
        self.link.request(&self.joining.model, &message).await
    }

    fn on_connected(&self) {
        let model = &*self.joining.model;
        if self.link.set_lost(&self.joining.model, false) {
            tracing::info!("the server that limiters are shared on is back");
        } else if let Some(Err(FleetError::Refused { .. } | FleetError::Conflict { .. })) =
            &*self.joining.standing.borrow()
        {
            tracing::info!(model, "the limiter is shared again");
        }
        self.set_state(Ok(()));
    }

    /// Applies the policy for the time without a lease, and warns if the reason is new.
    fn on_unavailable(&self, reply: Result<Reply, FleetError>) {
        let Joining { model, limiter, .. } = &self.joining;
        let error = match reply {
            Ok(Reply::Conflict { conflict }) => {
                limiter.schedule(|scheduler, _| scheduler.set_neighbours(conflict.members));
                let (ours, model) = (limiter.limits().to_string(), model.to_string());
                FleetError::Conflict { model, ours, name: conflict.name, theirs: conflict.limits }
            }
            Ok(_) => self.link.refused(model, NO_ANSWER.to_owned()),
            Err(error) => error,
        };
        let is_new = self.set_state(Err(error.clone()));
        let is_first = self.link.set_lost(model, matches!(error, FleetError::Lost { .. }));
        let (model, loss) = (&**model, self.loss);
        match error {
            FleetError::Lost { .. } if is_first => tracing::warn!("{error}; {loss}"),
            FleetError::Refused { .. } if is_new => tracing::warn!(model, "{error}; {loss}"),
            FleetError::Conflict { .. } if is_new => tracing::error!(model, "{error}; {loss}"),
            _ => {}
        }
        if is_new {
            limiter.schedule(|scheduler, now| scheduler.lose_fleet(now, self.loss));
        }
    }

    /// Publishes the result of a report. Returns `true` if it is news. Of several processes with the same conflicting limits any
    /// may be named.
    fn set_state(&self, standing: Result<(), FleetError>) -> bool {
        use FleetError::{Conflict, Lost};
        self.joining.standing.send_if_modified(|before| {
            let is_new = match (&*before, &standing) {
                (Some(Err(Lost { .. })), Err(Lost { .. })) => false,
                (Some(Err(Conflict { theirs: before, .. })), Err(Conflict { theirs: now, .. })) => before != now,
                (before, now) => before.as_ref() != Some(now),
            };
            *before = Some(standing);
            is_new
        })
    }
}
