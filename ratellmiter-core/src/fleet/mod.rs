//! One limiter in many processes, over a Redis or Valkey server.
//!
//! The server keeps one document for each limiter, which a script (`script/`) reads and writes in one step. A process reports four
//! times a second while it is busy and once a second while idle; its calls use the [lease](crate::engine::lease) and wait for no reply.

mod connection;
mod member;
mod script;
mod settings;

use std::{
    error::Error,
    fmt,
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use tokio::{
    sync::{
        Notify, broadcast,
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
        watch,
    },
    task::JoinSet,
};

pub(crate) use self::member::JoinState;
use self::member::{Joining, Member};
pub use self::settings::{FleetConfig, InvalidFleetUrl};
pub use crate::{config::sharing::OnDisconnect, engine::lease::FleetStatus};
use crate::{fleet::connection::RedisConnection, limiter::Limiter};

/// Longest wait for the last reports.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(500);

/// Why a limiter is not shared though it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FleetError {
    /// Another process has other limits.
    Conflict {
        /// The limiter's name.
        model: String,
        /// The limits of this process.
        ours: String,
        /// The other process.
        name: String,
        /// Its limits.
        theirs: String,
    },
    /// The server does not do what it is asked to.
    Refused {
        /// The limiter's name.
        model: String,
        /// The server's host and port.
        server: String,
        /// What the server says.
        reason: String,
    },
    /// The server is out of reach, or cannot serve for now: it is a replica, loads its data, is busy with a script, misses its
    /// replicas, or its cluster is down.
    Lost {
        /// The server's host and port.
        server: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl fmt::Display for FleetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict { model, ours, name, theirs } => {
                write!(f, "{} has other limits in {name}: {theirs}; here: {ours}", model.escape_debug())
            }
            Self::Refused { model, server, reason } => {
                write!(f, "{} cannot be shared on {server}, which says {reason}", model.escape_debug())
            }
            Self::Lost { server, reason } => {
                write!(f, "the server that limiters are shared on, {server}, is out of reach: {reason}")
            }
        }
    }
}

impl Error for FleetError {}

/// A message to the thread of the fleet.
enum Command {
    Join(Joining),
    /// Dropped when all members have returned their leases.
    Rest(mpsc::Sender<()>),
}

/// Dropped by a member that has returned its lease.
#[derive(Debug, Clone)]
pub(crate) struct RestDone(#[allow(dead_code)] Arc<mpsc::Sender<()>>);

/// The shared limiters of one monitor, and the thread that sends their reports.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) shared: FleetConfig,
    /// `None` when no more can join.
    members: Option<UnboundedSender<Command>>,
    ended: Mutex<mpsc::Receiver<()>>,
}

impl Fleet {
    pub(crate) fn start(shared: FleetConfig) -> Self {
        let (members, orders) = unbounded_channel();
        let (end, ended) = mpsc::channel();
        let server = shared.clone();
        let run = move || {
            let _end = end;
            match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime.block_on(serve(&server, orders)),
                Err(error) => tracing::warn!(%error, "no runtime to share limiters from; calls wait"),
            }
        };
        if let Err(error) = thread::Builder::new().name("ratellmiter-fleet".into()).spawn(run) {
            tracing::warn!(%error, "no thread to share limiters from");
        }
        Self { shared, members: Some(members), ended: Mutex::new(ended) }
    }

    /// Shares a limiter under its name.
    pub(crate) fn join(&self, model: &Arc<str>, limiter: &Limiter) {
        let poke = Arc::new(Notify::new());
        let standing = limiter.join_fleet(poke.clone());
        let joining = Joining { model: model.clone(), limiter: limiter.clone(), poke, standing };
        let sent = self.members.as_ref().map(|members| members.send(Command::Join(joining)));
        // Without the thread, a warning was logged at the start.
        if sent.is_none_or(|sent| sent.is_err()) {
            limiter.leave_fleet();
        }
    }
}

/// Runs all members until the fleet is dropped and each has returned its lease.
async fn serve(shared: &FleetConfig, mut orders: UnboundedReceiver<Command>) {
    let link = RedisConnection::new(shared).map(Arc::new);
    if let Err(error) = &link {
        tracing::warn!(reason = error.category(), "limiters cannot be shared; each process has all of them");
    }
    let (stop, stopped) = watch::channel(false);
    let resting = broadcast::Sender::new(4);
    let mut tasks = JoinSet::new();
    while let Some(order) = orders.recv().await {
        match (order, &link) {
            (Command::Join(joining), Ok(link)) => {
                let member = Member::new(joining, link.clone(), shared.loss);
                tasks.spawn(member.run(stopped.clone(), resting.subscribe()));
            }
            (Command::Join(joining), Err(_)) => joining.limiter.leave_fleet(),
            (Command::Rest(done), _) => _ = resting.send(RestDone(Arc::new(done))),
        }
    }
    stop.send_replace(true);
    while tasks.join_next().await.is_some() {}
}

impl Fleet {
    /// Returns the leases of idle limiters, since the process may be about to end. The next call takes part again.
    pub(crate) fn rest(&self) {
        let (done, all) = mpsc::channel();
        if self.members.as_ref().is_some_and(|members| members.send(Command::Rest(done)).is_ok()) {
            // Disconnected when the last member has dropped its end.
            let _ = all.recv_timeout(SHUTDOWN_TIMEOUT);
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.members = None;
        let _ = self.ended.get_mut().map(|ended| ended.recv_timeout(SHUTDOWN_TIMEOUT));
    }
}

#[cfg(test)]
mod tests;
