//! The start of the body of a failed response, which is read for a limited time: a server may send the head of a refusal and
//! never its body, and the status and the headers are enough to judge it.
//!
//! The time is that of the system. A timer of the runtime would advance a paused clock while the body is on its way.

#[cfg(any(feature = "hyper", feature = "reqwest", feature = "reqwest-012"))]
use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::Poll,
};
#[cfg(any(feature = "reqwest-blocking", feature = "reqwest-012-blocking", feature = "ureq"))]
use std::{
    io::{self, Read},
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};
use std::{sync::mpsc, thread, time::Duration};

#[cfg(any(feature = "hyper", feature = "reqwest", feature = "reqwest-012"))]
use tokio::sync::oneshot;

/// Maximum length in bytes of the body that is read from a failed response.
const MAX_BYTES: usize = 16 << 10;

/// Maximum time for which the body of a failed response is read.
const MAX_TIME: Duration = Duration::from_secs(3);

/// Maximum number of threads that read bodies of blocking clients. A thread ends when its client or its server closes the connection,
/// which may be long after `MAX_TIME`.
#[cfg(any(feature = "reqwest-blocking", feature = "reqwest-012-blocking", feature = "ureq"))]
const MAX_READERS: usize = 32;

/// Number of threads that read bodies.
#[cfg(any(feature = "reqwest-blocking", feature = "reqwest-012-blocking", feature = "ureq"))]
static READERS: AtomicUsize = AtomicUsize::new(0);

/// The start of a body.
#[derive(Debug, Default)]
pub(super) struct StartOfBody {
    pub(super) bytes: Vec<u8>,
    /// Runs from the first time that the body was waited for.
    #[cfg(any(feature = "hyper", feature = "reqwest", feature = "reqwest-012"))]
    timer: Option<Timer>,
    #[cfg(any(feature = "hyper", feature = "reqwest", feature = "reqwest-012"))]
    is_late: bool,
}

impl StartOfBody {
    /// Adds a piece of the body. Returns `true` if enough of it has been read.
    pub(super) fn add(&mut self, piece: &[u8]) -> bool {
        self.bytes.extend_from_slice(&piece[..piece.len().min(MAX_BYTES - self.bytes.len())]);
        self.bytes.len() == MAX_BYTES
    }

    /// Waits for the `next` piece. Returns `None` if the time is over.
    #[cfg(any(feature = "hyper", feature = "reqwest", feature = "reqwest-012"))]
    pub(super) async fn in_time<F: Future>(&mut self, next: F) -> Option<F::Output> {
        let mut next = pin!(next);
        poll_fn(|context| {
            if let Poll::Ready(output) = next.as_mut().poll(context) {
                return Poll::Ready(Some(output));
            }
            let timer = self.timer.get_or_insert_with(Timer::start);
            self.is_late = self.is_late || Pin::new(&mut timer.is_over).poll(context).is_ready();
            if self.is_late { Poll::Ready(None) } else { Poll::Pending }
        })
        .await
    }

    /// Reads the start of the body of a blocking client, in a thread of its own. It may break off.
    #[cfg(any(feature = "reqwest-blocking", feature = "reqwest-012-blocking", feature = "ureq"))]
    pub(super) fn read(mut reader: impl Read + Send + 'static) -> Self {
        let mut start = Self::default();
        let (end, (sender, pieces)) = (Instant::now() + MAX_TIME, mpsc::channel());
        let Some(place) = ReaderPlace::take() else { return start };
        let read = move || {
            let _place = place;
            let mut piece = [0; 4096];
            // Ends at the end of the body, at an error, and once the pieces are no longer read.
            loop {
                match reader.read(&mut piece) {
                    Ok(length @ 1..) if sender.send(piece[..length].to_vec()).is_ok() => {}
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    _ => break,
                }
            }
        };
        if thread::Builder::new().name("ratellmiter-body".to_owned()).spawn(read).is_ok() {
            while let Ok(piece) = pieces.recv_timeout(end.saturating_duration_since(Instant::now())) {
                if start.add(&piece) {
                    break;
                }
            }
        }
        start
    }
}

/// A place among the threads that read bodies.
#[cfg(any(feature = "reqwest-blocking", feature = "reqwest-012-blocking", feature = "ureq"))]
struct ReaderPlace;

#[cfg(any(feature = "reqwest-blocking", feature = "reqwest-012-blocking", feature = "ureq"))]
impl ReaderPlace {
    /// Returns `None` if all places are taken.
    fn take() -> Option<Self> {
        // The place is given back if there was none.
        let place = Self;
        (READERS.fetch_add(1, Ordering::Relaxed) < MAX_READERS).then_some(place)
    }
}

#[cfg(any(feature = "reqwest-blocking", feature = "reqwest-012-blocking", feature = "ureq"))]
impl Drop for ReaderPlace {
    fn drop(&mut self) {
        READERS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A timer that ends when it is dropped.
#[cfg(any(feature = "hyper", feature = "reqwest", feature = "reqwest-012"))]
#[derive(Debug)]
struct Timer {
    /// Also completes if the timer could not be started.
    is_over: oneshot::Receiver<()>,
    _end: mpsc::Sender<()>,
}

#[cfg(any(feature = "hyper", feature = "reqwest", feature = "reqwest-012"))]
impl Timer {
    fn start() -> Self {
        let ((over, is_over), (end, ended)) = (oneshot::channel(), mpsc::channel());
        let wait = move || {
            if ended.recv_timeout(MAX_TIME) == Err(mpsc::RecvTimeoutError::Timeout) {
                let _ = over.send(());
            }
        };
        // Without a thread, `over` is dropped.
        let _ = thread::Builder::new().name("ratellmiter-timer".to_owned()).spawn(wait);
        Self { is_over, _end: end }
    }
}

#[cfg(all(test, feature = "reqwest", feature = "ureq"))]
mod tests;
