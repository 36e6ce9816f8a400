//! Waiting for a ticket, for as long as it takes or no longer than is said.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    thread,
    time::Duration,
};

use super::{Limiter, Ticket};
use crate::{
    engine::scheduler::{QueuePosition, Request},
    limiter::driver::{State, Waiter},
    limits::request::Rejected,
};

/// Waiting for a ticket: a future, or [`wait`](Self::wait) for it with the thread.
///
/// # Cancel safety
/// Dropping it gives the place in the line back at once. A ticket that was issued to it and never seen is given back whole:
/// the next in line goes in its place.
///
/// One that is kept but never polled again loses only its own ticket's time: nobody else waits for it.
#[derive(Debug)]
#[must_use = "nobody waits unless it is awaited"]
pub struct Acquire(pub(super) TryAcquire);

impl Acquire {
    /// Waits with the thread instead of the task; see [`Limiter::blocking_acquire`].
    pub fn wait(mut self) -> Ticket {
        loop {
            if let Ok(ticket) = self.0.wait_on_thread() {
                return ticket;
            }
        }
    }

    /// Waits no longer than the call asked for with [`Limiter::acquire_with`], in which what it waited for its tickets before counts.
    pub fn bounded(self) -> TryAcquire {
        self.0
    }

    pub(crate) fn of(asked: TryAcquire) -> Self {
        Self(asked)
    }
}

impl Future for Acquire {
    type Output = Ticket;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Ticket> {
        match Pin::new(&mut self.0).poll(context) {
            Poll::Ready(Ok(ticket)) => Poll::Ready(ticket),
            // It has no bounds, so this is one that had them before it was refused: it asks again without.
            Poll::Ready(Err(_)) => self.poll(context),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// Waiting for a ticket, but not for ever: a future, or [`wait`](Self::wait) for it with the thread.
///
/// # Cancel safety
/// As [`Admit`].
#[derive(Debug)]
#[must_use = "nobody waits unless it is awaited"]
pub struct TryAcquire {
    pub(super) limiter: Limiter,
    /// `None`: nothing special.
    pub(super) wish: Option<Box<Request>>,
    /// Where it stands in the line, once it does.
    pub(super) place: Option<QueuePosition>,
}

impl TryAcquire {
    /// Waits with the thread instead of the task; see [`Limiter::blocking_acquire`].
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
            // The driver wakes us; the bound is for a process that cannot start another thread.
            thread::park_timeout(Duration::from_secs(1));
        };
        limiter.0.lock().blocked_threads -= 1;
        ticket
    }

    /// Whether it will have its ticket in time, as far as can be told.
    pub(crate) fn is_in_time(&self) -> bool {
        let mut state = self.limiter.0.lock();
        let now = state.clock.now();
        self.place.is_none_or(|place| state.scheduler.is_in_time(now, place))
    }

    /// Takes the ticket if it is there; else sees to it that `waiter` is woken when it is.
    fn poll_ticket(&mut self, waiter: impl FnOnce() -> Waiter) -> Option<Result<Ticket, Rejected>> {
        let Self { limiter, wish, place } = self;
        let ask = |state: &mut State, now| {
            let Some(standing) = *place else {
                let wish = wish.as_deref().unwrap_or(&Request::PLAIN);
                if let Some(grant) = state.scheduler.try_request(now, wish) {
                    return Some(Ok(grant));
                }
                return match state.scheduler.enqueue(now, wish, waiter()) {
                    Ok(standing) => {
                        *place = Some(standing);
                        None
                    }
                    Err(rejected) => Some(Err(rejected)),
                };
            };
            let issued = state.results.remove(&standing.id);
            if issued.is_some() {
                *place = None;
            } else if let Some(payload) = state.scheduler.payload(standing) {
                let waiter = waiter();
                if !matches!((&*payload, &waiter), (Waiter::Task(old), Waiter::Task(new)) if old.will_wake(new)) {
                    *payload = waiter;
                }
            }
            issued
        };
        let issued = limiter.0.update_as_waiter(ask)?;
        Some(issued.map(|grant| Ticket::new(limiter, grant)).inspect_err(|_| *wish = None))
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
        let Some(place) = self.place else { return };
        self.limiter.0.update(|state, now| match state.results.remove(&place.id) {
            Some(Ok(grant)) => state.scheduler.cancel(now, grant),
            Some(Err(_)) => {}
            None => {
                state.scheduler.leave(now, place);
            }
        });
    }
}
