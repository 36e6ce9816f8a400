//! Limiters shared by many processes over a Redis or Valkey server.
//!
//! The server stores a document for each limiter, which a script (`script/`) reads and writes in one step. A process reports four times
//! a second while busy and once a second while idle. Its calls use the current lease without waiting for a reply.

mod connection;
mod member;
mod script;

use std::{
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

use self::{
    connection::RedisConnection,
    member::{Joining, Member},
};
use crate::limiter::Limiter;
pub use crate::{
    engine::lease::FleetStatus,
    limiter::join_error::FleetError,
    limits::{
        fleet_config::{FleetConfig, InvalidFleetUrl},
        on_disconnect::OnDisconnect,
    },
};

/// Maximum wait for the final reports.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(500);

/// A message to the fleet's thread.
enum Command {
    Join(Joining),
    /// Returns the leases of idle limiters. The sender is dropped once all members have replied.
    Rest(mpsc::Sender<()>),
}

/// A handle that a member drops once it has returned its lease.
#[derive(Debug, Clone)]
pub(crate) struct RestDone(#[allow(dead_code)] Arc<mpsc::Sender<()>>);

/// The shared limiters of one monitor, with the thread that sends their reports.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) shared: FleetConfig,
    /// `None` during shutdown.
    commands: Option<UnboundedSender<Command>>,
    /// Disconnected when the thread has ended.
    ended: Mutex<mpsc::Receiver<()>>,
}

impl Fleet {
    pub(crate) fn start(shared: FleetConfig) -> Self {
        let (commands, receiver) = unbounded_channel();
        let (end, ended) = mpsc::channel();
        let config = shared.clone();
        let run = move || {
            let _end = end;
            match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime.block_on(serve(&config, receiver)),
                Err(error) => tracing::warn!(%error, "cannot create the runtime that shares limiters; calls wait"),
            }
        };
        if let Err(error) = thread::Builder::new().name("ratellmiter-fleet".into()).spawn(run) {
            tracing::warn!(%error, "cannot start the thread that shares limiters");
        }
        Self { shared, commands: Some(commands), ended: Mutex::new(ended) }
    }

    /// Shares `limiter` under the name `model`.
    pub(crate) fn join(&self, model: &Arc<str>, limiter: &Limiter) {
        let wake = Arc::new(Notify::new());
        let state = limiter.join_fleet(wake.clone());
        let joining = Joining { model: model.clone(), limiter: limiter.clone(), wake, state };
        let sent = self.commands.as_ref().map(|commands| commands.send(Command::Join(joining)));
        // If the thread is missing, `start` has logged a warning.
        if sent.is_none_or(|sent| sent.is_err()) {
            limiter.leave_fleet();
        }
    }

    /// Returns the leases of idle limiters to the server, because the process may be about to exit. The next call requests a new one.
    pub(crate) fn rest(&self) {
        let (done, all) = mpsc::channel();
        if self.commands.as_ref().is_some_and(|commands| commands.send(Command::Rest(done)).is_ok()) {
            // Disconnects when the last member has dropped its handle.
            let _ = all.recv_timeout(SHUTDOWN_TIMEOUT);
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.commands = None;
        let _ = self.ended.get_mut().map(|ended| ended.recv_timeout(SHUTDOWN_TIMEOUT));
    }
}

/// Runs all members until the fleet is dropped and each has returned its lease.
async fn serve(config: &FleetConfig, mut commands: UnboundedReceiver<Command>) {
    let connection = RedisConnection::new(config).map(Arc::new);
    if let Err(error) = &connection {
        tracing::warn!(reason = error.category(), "limiters cannot be shared; each process uses the full limits");
    }
    let (stop, stopped) = watch::channel(false);
    let resting = broadcast::Sender::new(4);
    let mut tasks = JoinSet::new();
    while let Some(command) = commands.recv().await {
        match (command, &connection) {
            (Command::Join(joining), Ok(connection)) => {
                let member = Member::new(joining, connection.clone(), config.on_disconnect);
                tasks.spawn(member.run(stopped.clone(), resting.subscribe()));
            }
            (Command::Join(joining), Err(_)) => joining.limiter.leave_fleet(),
            (Command::Rest(done), _) => _ = resting.send(RestDone(Arc::new(done))),
        }
    }
    stop.send_replace(true);
    while tasks.join_next().await.is_some() {}
}

#[cfg(test)]
mod tests;
