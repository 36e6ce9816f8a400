//! Requests in paused time by clients that keep a connection pool of their own.

use std::{future::Future, sync::mpsc};

/// Runs a request while the paused time stands still. Otherwise the idle timers of the client's connection pool would advance it.
pub(crate) async fn stopped<F: Future>(request: F) -> F::Output {
    let (end, ended) = mpsc::channel::<()>();
    // Time is not advanced while a blocking task runs.
    let blocking = tokio::task::spawn_blocking(move || ended.recv());
    let output = request.await;
    drop(end);
    let _ = blocking.await;
    output
}
