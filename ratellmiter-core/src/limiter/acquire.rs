//! The future of a ticket.

use std::{
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
    thread,
    time::Duration,
};

use super::{Limiter, Ticket};
use crate::{
    engine::{call_state::Request, queue::QueuePosition},
    limiter::driver::{State, Waiter},
    limits::{cost::TokenEstimate, request::Rejected},
};

/// Future of a ticket, or of a ticket or a rejection. [`wait`](Self::wait) blocks the thread instead.
///
/// `Acquire` alone always returns a [`Ticket`]. An `Acquire<Result<Ticket, Rejected>>`, from
/// [`Limiter::acquire_with`] or [`bounded`](Acquire::bounded), may be rejected by a limit on waiting.
///
/// # Cancel safety
/// Dropping it removes the call from the queue. If a ticket was granted but not received yet, it is canceled, and the next
/// call in the queue gets it.
///
/// A future that is kept without being polled may be granted a ticket. Its call counts as in flight until the future is
/// polled or dropped.
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Acquire<T = Ticket> {
    limiter: Limiter,
    /// Request of the call, or `None` for [`Request::PLAIN`].
    request: Option<Box<Request>>,
    /// Position in the queue, once the call is queued.
    position: Option<QueuePosition>,
    /// Position of a refused call that was rejected. It gets it back if its output cannot be a rejection.
    rejected: Option<QueuePosition>,
    output: PhantomData<fn() -> T>,
}

/// The output of [`Acquire`]: a ticket, or a ticket or a rejection. It cannot be implemented elsewhere.
pub trait AcquireOutput: sealed::Sealed + Sized {
    /// Returns the output for a result, or `None` if the call is to be requested again.
    #[doc(hidden)]
    fn from_result(result: Result<Ticket, Rejected>) -> Option<Self>;
}

impl AcquireOutput for Ticket {
    fn from_result(result: Result<Ticket, Rejected>) -> Option<Self> {
        // A rejected call had limits on waiting before it was refused. It is queued again without them.
        result.ok()
    }
}

impl AcquireOutput for Result<Ticket, Rejected> {
    fn from_result(result: Self) -> Option<Self> {
        Some(result)
    }
}

mod sealed {
    #[allow(unnameable_types)] // So that no other type implements it.
    pub trait Sealed {}
    impl Sealed for crate::Ticket {}
    impl Sealed for Result<crate::Ticket, crate::Rejected> {}
}

impl Acquire {
    /// Applies the limits on waiting that the call set with [`Limiter::acquire_with`], including its waits for earlier tickets.
    pub fn bounded(self) -> Acquire<Result<Ticket, Rejected>> {
        self.returning()
    }
}

impl<T> Acquire<T> {
    pub(crate) fn new(limiter: &Limiter, request: Option<Box<Request>>, position: Option<QueuePosition>) -> Self {
        Self { limiter: limiter.clone(), request, position, rejected: None, output: PhantomData }
    }

    /// Changes the output. The call keeps its place in the queue.
    pub(crate) fn returning<U>(mut self) -> Acquire<U> {
        Acquire::new(&self.limiter, self.request.take(), self.position.take())
    }

    /// Returns `true` if the call is expected to get its ticket within its limits, or is not queued.
    pub(crate) fn is_in_time(&self) -> bool {
        let Some(position) = self.position else { return true };
        let mut state = self.limiter.0.lock();
        let now = state.clock.now();
        let is_rejected = matches!(state.results.get(&position.id), Some(Err(_)));
        !is_rejected && state.scheduler.is_in_time(now, position)
    }

    /// Returns the result if there is one, or stores `waiter` to be woken.
    fn poll_ticket(&mut self, waiter: impl FnOnce() -> Waiter) -> Option<Result<Ticket, Rejected>> {
        let Self { limiter, request, position, rejected, .. } = self;
        let mut oversized = None;
        let poll = |state: &mut State, now| {
            if let Some(refused) = rejected.take() {
                state.scheduler.readmit(now, refused, waiter());
                *position = Some(refused);
                return None;
            }
            let Some(queued) = *position else {
                let request = request.as_deref().unwrap_or(&Request::PLAIN);
                if request.cost != TokenEstimate::UNKNOWN && !state.warnings.oversized {
                    oversized = state.scheduler.oversized(request.cost);
                    state.warnings.oversized = oversized.is_some();
                }
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
                *rejected = position.take().filter(|queued| queued.is_refused() && matches!(result, Some(Err(_))));
            } else if let Some(payload) = state.scheduler.payload(queued) {
                let waiter = waiter();
                if !matches!((&*payload, &waiter), (Waiter::Task(old), Waiter::Task(new)) if old.will_wake(new)) {
                    *payload = waiter;
                }
            }
            result
        };
        let result = limiter.0.update_as_waiter(|state, now| {
            let result = poll(state, now)?;
            Some(result.map_err(|rejected| state.with_wall_clock(rejected)))
        });
        if let Some(oversized) = oversized {
            limiter.warn_oversized(oversized);
        }
        Some(result?.map(|grant| Ticket::new(limiter, grant)).inspect_err(|_| *request = None))
    }
}

impl<T: AcquireOutput> Acquire<T> {
    /// Waits for the ticket, blocking the thread; see [`Limiter::blocking_acquire`].
    pub fn wait(mut self) -> T {
        let limiter = self.limiter.clone();
        let waiter = || Waiter::Thread(thread::current());
        limiter.0.lock().blocked_threads += 1;
        let output = loop {
            match self.poll_ticket(waiter).map(T::from_result) {
                Some(Some(output)) => break output,
                Some(None) => {}
                // The driver unparks this thread. The timeout is for a process that cannot spawn a driver thread.
                None => thread::park_timeout(Duration::from_secs(1)),
            }
        };
        limiter.0.lock().blocked_threads -= 1;
        output
    }
}

impl<T: AcquireOutput> Future for Acquire<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        loop {
            match self.poll_ticket(|| Waiter::Task(context.waker().clone())).map(T::from_result) {
                Some(Some(output)) => return Poll::Ready(output),
                Some(None) => {}
                None => return Poll::Pending,
            }
        }
    }
}

impl<T> Drop for Acquire<T> {
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
