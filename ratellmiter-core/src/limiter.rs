//! The public face of one limiter: ask for a ticket, say how the call ended, see how things stand.

use std::{
    fmt,
    future::Future,
    hash::{BuildHasher as _, RandomState},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use crate::{
    clock::Clock,
    driver::{Shared, State, Waiter},
    judge::{Scope, Verdict},
    learned::Learned,
    limits::Limits,
    scheduler::{Grant, Place, Scheduler},
    tally::Second,
};

/// Paces the calls of one model, or of several that share a budget. Clones share everything.
///
/// Calls get their tickets in the order in which they asked; those that came back refused go before all others. See
/// [`Limits`] for what is paced and [`Ticket`] for what to do with a ticket.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use std::num::NonZeroU32;
/// use ratellmiter_core::{Limiter, Limits};
///
/// let limiter = Limiter::new(Limits::per_minute(NonZeroU32::new(300).unwrap()));
/// let ticket = limiter.admit().await;
/// // ... the call ...
/// ticket.finish();
/// # }
/// ```
#[derive(Clone)]
pub struct Limiter(Arc<Shared>);

impl Limiter {
    /// A limiter that belongs to no monitor, and so is not logged.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let seed = RandomState::new().hash_one(std::process::id());
        Self(Shared::new(Clock::start(), Scheduler::new(limits, Clock::wall(), seed)))
    }

    /// Waits for a ticket.
    ///
    /// # Cancel safety
    /// The call asks when the future is first polled. A future that is dropped gives its place in the line back at
    /// once, and the ticket too if one had just been issued to it. See [`Admit`].
    pub fn admit(&self) -> Admit {
        Admit { limiter: self.clone(), place: None }
    }

    /// Waits for a ticket, blocking the thread. In a runtime this holds up the other tasks of the thread: call it
    /// from `spawn_blocking` there.
    pub fn admit_blocking(&self) -> Ticket {
        self.admit().wait()
    }

    /// A ticket, if one can be had without waiting and without overtaking anybody. A call that gets none is not counted
    /// as requested.
    #[must_use]
    pub fn try_admit(&self) -> Option<Ticket> {
        let mut state = self.0.lock();
        let now = state.clock.now();
        let grant = state.scheduler.try_request(now)?;
        drop(state);
        Some(Ticket::new(self, grant))
    }

    /// The limits in force.
    #[must_use]
    pub fn limits(&self) -> Limits {
        *self.0.lock().scheduler.limits()
    }

    /// Changes the limits, also while calls wait: the line keeps its order, the new rate holds from the next ticket on.
    /// A higher rate is a jump like any other and is ramped up to.
    pub fn set_limits(&self, limits: Limits) {
        self.0.change(|state, now| {
            if *state.scheduler.limits() != limits {
                state.scheduler.set_limits(now, limits);
            }
        });
    }

    /// After a pause, asks `probe` whether the server still blocks (`true`) instead of sending one refused call as the
    /// canary. While it does, the probe is asked again, each time after a longer pause.
    ///
    /// The probe runs on the runtime of whoever comes upon the end of the pause, or on a small one of its own where there is
    /// none. A probe that panics counts as blocked.
    pub fn set_probe<F, Fut>(&self, probe: F)
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = bool> + Send + 'static,
    {
        self.0.change(|state, _| {
            state.probe = Some(Arc::new(move || Box::pin(probe())));
            state.scheduler.set_probe(true);
        });
    }

    /// Tells of a refusal that belongs to no ticket, as an observer may see one: the limiter pauses as for any other. A
    /// verdict that is no refusal does nothing.
    ///
    /// A `retry_after` of more than ten minutes counts as none.
    pub fn refused(&self, verdict: Verdict) {
        if verdict.is_retried() {
            self.0.change(|state, now| state.scheduler.refused_elsewhere(now, &verdict));
        }
    }

    /// How things stand.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut state = self.0.lock();
        let now = state.clock.now();
        let scheduler = &mut state.scheduler;
        scheduler.roll(now);
        let standing = scheduler.standing(now);
        Snapshot {
            line: scheduler.line_length(),
            in_flight: standing.in_flight,
            rate: standing.rate,
            learned_rate: standing.learned_rate,
            learned_in_flight: standing.learned_in_flight,
            paused_until: standing.paused_for.map(|left| Instant::now() + left),
            time_left: standing.time_left.unwrap_or_default(),
        }
    }

    /// Where the server refused last, for the rate in calls a minute and for the calls in flight.
    pub(crate) fn ceilings(&self) -> (Option<f64>, Option<f64>) {
        self.0.lock().scheduler.ceilings()
    }

    /// Begins with what an earlier run has learned.
    pub(crate) fn restore(&self, learned: &Learned) {
        self.0.change(|state, now| state.scheduler.restore(now, learned.requests_per_minute, learned.in_flight));
    }

    /// Keeps the seconds that end for [`seconds`](Self::seconds), or stops to.
    pub(crate) fn record(&self, recording: bool) {
        let mut state = self.0.lock();
        let now = state.clock.glance();
        state.scheduler.record(now, recording);
    }

    /// Takes the seconds that are over; with `all`, also the one under way.
    pub(crate) fn seconds(&self, all: bool) -> Vec<Second> {
        let mut state = self.0.lock();
        let now = state.clock.glance();
        state.scheduler.seconds(now, all)
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Limiter").field(&self.snapshot()).finish()
    }
}

/// How a limiter stands at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Calls that wait, refused ones included.
    pub line: usize,
    /// Calls that are out.
    pub in_flight: u64,
    /// The rate allowed now, in calls a second: less than the limit while demand is ramped up, zero in a pause.
    pub rate: f64,
    /// The rate that refusals have taught, in calls a second, where it is below the configured one.
    pub learned_rate: Option<f64>,
    /// The calls in flight that refusals have taught, where they are below the configured ones.
    pub learned_in_flight: Option<f64>,
    /// When the pause after a refusal ends, if there is one. The canary, or the probe, that follows is part of it.
    pub paused_until: Option<Instant>,
    /// How long until the line is empty, if no more calls join it and none is refused.
    pub time_left: Duration,
}

/// Waiting for a ticket: a future, or [`wait`](Self::wait) for it with the thread.
///
/// # Cancel safety
/// Dropping it gives the place in the line back at once. A ticket that was issued to it and never seen is given back whole:
/// the next in line goes in its place.
///
/// One that is kept but never polled again loses only its own ticket's time: nobody else waits for it.
#[derive(Debug)]
#[must_use = "nobody waits unless it is awaited"]
pub struct Admit {
    limiter: Limiter,
    /// Where it stands in the line, once it does.
    place: Option<Place>,
}

impl Admit {
    /// Waits with the thread instead of the task; see [`Limiter::admit_blocking`].
    pub fn wait(mut self) -> Ticket {
        let limiter = self.limiter.clone();
        let waiter = || Waiter::Thread(thread::current());
        limiter.0.lock().blocked += 1;
        let ticket = loop {
            if let Some(ticket) = self.look(waiter) {
                break ticket;
            }
            // The driver wakes us; the bound is for a process that cannot start another thread.
            thread::park_timeout(Duration::from_secs(1));
        };
        limiter.0.lock().blocked -= 1;
        ticket
    }

    /// Takes the ticket if it is there; else sees to it that `waiter` is woken when it is.
    fn look(&mut self, waiter: impl FnOnce() -> Waiter) -> Option<Ticket> {
        let Self { limiter, place } = self;
        let ask = |state: &mut State, now| {
            let Some(standing) = *place else {
                let grant = state.scheduler.try_request(now);
                if grant.is_none() {
                    *place = Some(state.scheduler.enqueue(now, waiter()));
                }
                return grant;
            };
            let grant = state.issued.remove(&standing.id);
            if grant.is_some() {
                *place = None;
            } else if let Some(payload) = state.scheduler.payload(standing) {
                let waiter = waiter();
                if !matches!((&*payload, &waiter), (Waiter::Task(old), Waiter::Task(new)) if old.will_wake(new)) {
                    *payload = waiter;
                }
            }
            grant
        };
        let grant = limiter.0.change_waiting(ask)?;
        Some(Ticket::new(limiter, grant))
    }
}

impl Future for Admit {
    type Output = Ticket;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Ticket> {
        match self.look(|| Waiter::Task(context.waker().clone())) {
            Some(ticket) => Poll::Ready(ticket),
            None => Poll::Pending,
        }
    }
}

impl Drop for Admit {
    fn drop(&mut self) {
        let Some(place) = self.place else { return };
        self.limiter.0.change(|state, now| {
            if let Some(grant) = state.issued.remove(&place.id) {
                state.scheduler.give_back(now, grant);
            } else {
                state.scheduler.leave(now, place);
            }
        });
    }
}

/// Leave for one call. Say how the call ended: [`finish`](Self::finish), [`rate_limited`](Self::rate_limited), or
/// [`give_back`](Self::give_back) if it was not made after all.
///
/// Dropping a ticket gives its place in flight back at once. Its part of the rate stays used, since the request may
/// have left: the server counts it whether or not anybody waits for the answer.
#[derive(Debug)]
#[must_use = "a ticket that is dropped has ended"]
pub struct Ticket {
    limiter: Limiter,
    /// `None` once it has ended.
    grant: Option<Grant>,
}

impl Ticket {
    fn new(limiter: &Limiter, grant: Grant) -> Self {
        Self { limiter: limiter.clone(), grant: Some(grant) }
    }

    /// The call ended.
    pub fn finish(mut self) {
        self.end(|state, now, grant| state.scheduler.finish(now, grant, false));
    }

    /// The call ended with an error that is no refusal: as [`finish`](Self::finish), and the log counts it as failed.
    pub fn fail(mut self) {
        self.end(|state, now, grant| state.scheduler.finish(now, grant, true));
    }

    /// The call came back refused. The limiter pauses, and the call is in the line again when this returns, before all that
    /// were never refused; the returned [`Admit`] waits for its next ticket. Dropping that leaves the line.
    ///
    /// `hint` is how long the server asked us to wait. A hint of more than ten minutes is no matter of waiting: the
    /// limiter pauses as without one, and the caller had better give up.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// # use std::{num::NonZeroU32, time::Duration};
    /// # use ratellmiter_core::{Limiter, Limits};
    /// # let limiter = Limiter::new(Limits::per_minute(NonZeroU32::new(300).unwrap()));
    /// # let mut answers = [Err(()), Ok("hello")].into_iter();
    /// # let mut call = || answers.next().unwrap();
    /// let mut ticket = limiter.admit().await;
    /// let answer = loop {
    ///     match call() {
    ///         Ok(answer) => break answer,
    ///         Err(refused) => ticket = ticket.rate_limited(Some(Duration::from_secs(3))).await,
    ///     }
    /// };
    /// ticket.finish();
    /// # assert_eq!(answer, "hello");
    /// # }
    /// ```
    pub fn rate_limited(self, hint: Option<Duration>) -> Admit {
        self.refused(Verdict::RateLimited { retry_after: hint, scope: Scope::Unknown })
    }

    /// Like [`rate_limited`](Self::rate_limited), with all that is known of the refusal. It decides what is learned from it:
    /// an overloaded server pauses the limiter and does not lower its rate, and too many calls at once lower the calls in
    /// flight. A verdict that is no refusal counts as one of which nothing is known.
    pub fn refused(mut self, verdict: Verdict) -> Admit {
        let verdict = if verdict.is_retried() { verdict } else { Verdict::REFUSED };
        // Nobody polls yet; whoever does leaves a waker of its own.
        let waiter = Waiter::Task(Waker::noop().clone());
        let place = self.end(|state, now, grant| state.scheduler.refuse(now, grant, &verdict, waiter));
        Admit { limiter: self.limiter.clone(), place }
    }

    /// The call was not made after all: its part of the rate goes to the next in line at once.
    pub fn give_back(mut self) {
        self.end(|state, now, grant| state.scheduler.give_back(now, grant));
    }

    fn end<T>(&mut self, tell: impl FnOnce(&mut State, Duration, Grant) -> T) -> Option<T> {
        let grant = self.grant.take()?;
        Some(self.limiter.0.change(|state, now| tell(state, now, grant)))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.end(|state, now, grant| state.scheduler.abandon(now, grant));
    }
}
