//! One limiter of this process in its fleet: asks the server when it is time, and goes by [`Loss`] while there is none.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{Notify, broadcast, watch},
    time::{Instant, sleep},
};

use super::{
    Done, SharedError,
    link::{Intent, Link, Message, NO_ANSWER, Reply},
    settings::Loss,
};
use crate::{lease::Report, limiter::Limiter};

/// How often one who has lost the server looks whether it is back.
pub(super) const RETRY: Duration = Duration::from_millis(500);

/// How a limiter stands with those who share it; `None` before it is known.
pub(crate) type Standing = Option<Result<(), SharedError>>;

/// Tells that the process may be about to end.
pub(crate) type Resting = broadcast::Receiver<Done>;

pub(crate) struct Member {
    pub(crate) model: Arc<str>,
    pub(crate) limiter: Limiter,
    pub(crate) poke: Arc<Notify>,
    pub(crate) standing: watch::Sender<Standing>,
}

struct Identity {
    id: String,
    name: String,
    step: u64,
}

impl Member {
    /// Until `stop` says so.
    pub(crate) async fn run(self, link: Arc<Link>, loss: Loss, mut stop: watch::Receiver<bool>, rest: Resting) {
        let process = std::process::id();
        let random = RandomState::new();
        let id = format!("{process}-{:016x}", random.hash_one(process));
        let host = gethostname::gethostname();
        let name = format!("process {process} on {}", host.to_string_lossy().escape_debug());
        let mut identity = Identity { id, name, step: 0 };
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => {}
            () = self.share(&link, loss, &mut identity, &random, rest) => {}
        }
        link.set_lost(&self.model, false);
        let report = self.limiter.report();
        self.limiter.leave_fleet();
        if let Some(report) = report {
            // Whoever does not hear of it will see that we are gone.
            let _ = self.tell(&link, &mut identity, Intent::Leaves, report).await;
        }
    }

    async fn share(&self, link: &Link, loss: Loss, identity: &mut Identity, random: &RandomState, mut rest: Resting) {
        loop {
            let Some(mut report) = self.limiter.report() else { return };
            #[allow(clippy::cast_precision_loss)]
            {
                report.jitter = random.hash_one(identity.step) as f64 / u64::MAX as f64;
            }
            match self.tell(link, identity, Intent::Shares, report).await {
                Ok(Reply::Answer(answer)) => {
                    self.limiter.renew(&answer);
                    self.found(link);
                    self.wait(link, identity, &mut rest).await;
                    continue;
                }
                reply => self.lose(link, loss, reply),
            }
            self.come_back(link, loss, identity).await;
        }
    }

    /// Until the server is to be asked.
    async fn wait(&self, link: &Link, identity: &mut Identity, rest: &mut Resting) {
        while let Some(at) = self.limiter.asks_at().map(Instant::from_std).filter(|at| *at > Instant::now()) {
            tokio::select! {
                () = tokio::time::sleep_until(at) => {}
                () = self.poke.notified() => {}
                Ok(done) = rest.recv() => {
                    if let Some(report) = self.limiter.rest() {
                        // Whoever does not hear of it will see that we are gone.
                        let _ = self.tell(link, identity, Intent::Leaves, report).await;
                    }
                    drop(done);
                }
            }
        }
    }

    /// Until there is a part for us again.
    async fn come_back(&self, link: &Link, loss: Loss, identity: &mut Identity) {
        loop {
            sleep(RETRY).await;
            let report = Report { limits: self.limiter.limits_in_words(), ..Report::default() };
            match self.tell(link, identity, Intent::Looks, report).await {
                Ok(Reply::Welcome { welcome: true }) => break,
                reply => self.lose(link, loss, reply),
            }
        }
        self.limiter.rejoin_fleet();
    }

    async fn tell(
        &self,
        link: &Link,
        identity: &mut Identity,
        intent: Intent,
        report: Report,
    ) -> Result<Reply, SharedError> {
        identity.step += 1;
        let message = Message { id: &identity.id, name: &identity.name, step: identity.step, intent, report };
        link.tell(&self.model, &message).await
    }

    fn found(&self, link: &Link) {
        let before = self.standing.borrow().clone();
        if link.set_lost(&self.model, false) {
            tracing::info!("the server that limiters are shared on is back");
        } else if let Some(Err(SharedError::Refused { .. } | SharedError::Conflict { .. })) = before {
            tracing::info!(model = &*self.model, "the limiter is shared again");
        }
        self.stand(Ok(()));
    }

    /// There is no part for us.
    fn lose(&self, link: &Link, loss: Loss, reply: Result<Reply, SharedError>) {
        let error = match reply {
            Ok(Reply::Conflict { conflict }) => {
                self.limiter.found_others(conflict.members);
                let (name, theirs) = (conflict.name, conflict.limits);
                SharedError::Conflict {
                    model: self.model.to_string(),
                    ours: self.limiter.limits_in_words(),
                    name,
                    theirs,
                }
            }
            Ok(_) => link.refused(&self.model, NO_ANSWER.to_owned()),
            Err(error) => error,
        };
        let is_new = self.stand(Err(error.clone()));
        let is_first = link.set_lost(&self.model, matches!(error, SharedError::Lost { .. }));
        match &error {
            SharedError::Lost { .. } if is_first => tracing::warn!("{error}; {loss}"),
            SharedError::Refused { .. } if is_new => tracing::warn!(model = &*self.model, "{error}; {loss}"),
            SharedError::Conflict { .. } if is_new => {
                let goes_on = match loss {
                    Loss::Degrade => {
                        "this process goes on with its last share, or with an equal one if it never had one".into()
                    }
                    loss => loss.to_string(),
                };
                tracing::error!(model = &*self.model, "{error}; {goes_on}");
            }
            _ => {}
        }
        if is_new {
            self.limiter.lose_fleet(loss);
        }
    }

    /// `true`: that is new.
    fn stand(&self, standing: Result<(), SharedError>) -> bool {
        self.standing.send_if_modified(|before| {
            let is_new = match (&*before, &standing) {
                (Some(Ok(())), Ok(())) | (Some(Err(SharedError::Lost { .. })), Err(SharedError::Lost { .. })) => false,
                // Of several that have the same limits any may be named.
                (
                    Some(Err(SharedError::Conflict { theirs: before, .. })),
                    Err(SharedError::Conflict { theirs: now, .. }),
                ) => before != now,
                (Some(before), now) => before != now,
                (None, _) => true,
            };
            *before = Some(standing);
            is_new
        })
    }
}
