//! The futures of a ticket, without and with a limit on waiting.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    thread,
    time::Duration,
};

use super::{Limiter, Ticket};
use crate::{
    engine::{call_state::Request, queue::QueuePosition},
    limiter::driver::{State, Waiter},
    limits::request::Rejected,
};

/// Future of a ticket. [`wait`](Self::wait) blocks the thread instead.
///
/// # Cancel safety
/// Dropping it removes the call from the queue. If a ticket was granted but not received yet, it is canceled, and the next
/// call in the queue gets it.
///
/// A future that is kept without being polled may be granted a ticket. Its call counts as in flight until the future is
/// polled or dropped.
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Acquire(pub(super) TryAcquire);

impl Acquire {
    /// Waits for the ticket, blocking the thread; see [`Limiter::blocking_acquire`].
    pub fn wait(mut self) -> Ticket {
        loop {
            if let Ok(ticket) = self.0.wait_on_thread() {
                return ticket;
            }
        }
    }

    /// Applies the limits on waiting that the call set with [`Limiter::acquire_with`], including its waits for earlier tickets.
    pub fn bounded(self) -> TryAcquire {
        self.0
    }

    pub(crate) fn of(bounded: TryAcquire) -> Self {
        Self(bounded)
    }
}

impl Future for Acquire {
    type Output = Ticket;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Ticket> {
        match Pin::new(&mut self.0).poll(context) {
            Poll::Ready(Ok(ticket)) => Poll::Ready(ticket),
            // The call had limits on waiting before it was refused. It is requested again without them.
            Poll::Ready(Err(_)) => self.poll(context),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// Future of a ticket or a rejection. [`wait`](Self::wait) blocks the thread instead.
///
/// # Cancel safety
/// As [`Acquire`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct TryAcquire {
    pub(super) limiter: Limiter,
    /// Request of the call, or `None` for [`Request::PLAIN`].
    pub(super) request: Option<Box<Request>>,
    /// Position in the queue, once the call is queued.
    pub(super) position: Option<QueuePosition>,
}

impl TryAcquire {
    /// Waits for the ticket, blocking the thread; see [`Limiter::blocking_acquire`].
    ///
    /// # Errors
    /// As [`Limiter::acquire_with`].
    pub fn wait(mut self) -> Result<Ticket, Rejected> {
        self.wait_on_thread()
    }

    fn wait_on_thread(&mut self) -> Result<Ticket, Rejected> {
        let limiter = self.limiter.clone();
        let waiter = || Waiter::Thread(thread::current());
        limiter.0.lock().blocked_threads += 1;
        let ticket = loop {
            if let Some(ticket) = self.poll_ticket(waiter) {
                break ticket;
            }
            // The driver unparks this thread. The timeout is for a process that cannot spawn a driver thread.
            thread::park_timeout(Duration::from_secs(1));
        };
        limiter.0.lock().blocked_threads -= 1;
        ticket
    }

    /// Returns `true` if the call is expected to get its ticket within its limits, or is not queued.
    pub(crate) fn is_in_time(&self) -> bool {
        let mut state = self.limiter.0.lock();
        let now = state.clock.now();
        self.position.is_none_or(|position| state.scheduler.is_in_time(now, position))
    }

    /// Returns the result if there is one, or stores `waiter` to be woken.
    fn poll_ticket(&mut self, waiter: impl FnOnce() -> Waiter) -> Option<Result<Ticket, Rejected>> {
        let Self { limiter, request, position } = self;
        let poll = |state: &mut State, now| {
            let Some(queued) = *position else {
                let request = request.as_deref().unwrap_or(&Request::PLAIN);
                if let Some(grant) = state.scheduler.try_request(now, request) {
                    return Some(Ok(grant));
                }
                return match state.scheduler.enqueue(now, request, waiter()) {
                    Ok(queued) => {
                        *position = Some(queued);
                        None
                    }
                    Err(rejected) => Some(Err(rejected)),
                };
            };
            let result = state.results.remove(&queued.id);
            if result.is_some() {
                *position = None;
            } else if let Some(payload) = state.scheduler.payload(queued) {
                let waiter = waiter();
                if !matches!((&*payload, &waiter), (Waiter::Task(old), Waiter::Task(new)) if old.will_wake(new)) {
                    *payload = waiter;
                }
            }
            result
        };
        let result = limiter.0.update_as_waiter(poll)?;
        Some(result.map(|grant| Ticket::new(limiter, grant)).inspect_err(|_| *request = None))
    }
}

impl Future for TryAcquire {
    type Output = Result<Ticket, Rejected>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.poll_ticket(|| Waiter::Task(context.waker().clone())) {
            Some(ticket) => Poll::Ready(ticket),
            None => Poll::Pending,
        }
    }
}

impl Drop for TryAcquire {
    fn drop(&mut self) {
        let Some(position) = self.position else { return };
        self.limiter.0.update(|state, now| match state.results.remove(&position.id) {
            Some(Ok(grant)) => state.scheduler.cancel(now, grant),
            Some(Err(_)) => {}
            None => {
                state.scheduler.leave(now, position);
            }
        });
    }
}
