//! One call from asking to end: what the attribute expands to.

use std::ops::ControlFlow;

use crate::{
    judge::Verdict,
    limiter::{Admit, Limiter, Ticket},
    monitor::monitor,
    recovery::LONGEST_HINT,
};

/// One call, which may be sent several times. Dropping it gives back whatever it holds.
#[derive(Debug)]
pub struct Call {
    limiter: Limiter,
    max_attempts: u32,
    attempts: u32,
    place: Held,
}

#[derive(Debug)]
enum Held {
    Nothing,
    /// A place in the line, after a refusal.
    Place(Admit),
    Ticket(Ticket),
}

/// A call paced by the limiter of `name` on the process-global monitor.
pub fn model(name: &(impl AsRef<str> + ?Sized)) -> Call {
    Call::new(monitor().limiter(name.as_ref()))
}

/// A call paced by `limiter`. Anything that derefs to one is coerced here.
#[must_use]
pub fn limiter(limiter: &Limiter) -> Call {
    Call::new(limiter.clone())
}

/// The verdict of a user's `when`.
pub fn when<T, E>(out: &Result<T, E>, is_refused: impl FnOnce(&E) -> bool) -> Verdict {
    match out {
        Ok(_) => Verdict::Success,
        Err(error) if is_refused(error) => Verdict::REFUSED,
        Err(_) => Verdict::Failed,
    }
}

impl Call {
    fn new(limiter: Limiter) -> Self {
        let max_attempts = limiter.limits().attempts.get();
        Self { limiter, max_attempts, attempts: 0, place: Held::Nothing }
    }

    /// Sends the call at most so often, whatever the limiter says; at least once.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts.max(1);
        self
    }

    /// Waits for a ticket.
    pub async fn admit(&mut self) {
        let ticket = self.ask().await;
        self.place = Held::Ticket(ticket);
    }

    /// Waits for a ticket with the thread.
    pub fn admit_blocking(&mut self) {
        self.place = Held::Ticket(self.ask().wait());
    }

    /// Ends an attempt. `Break`: `out` is the result of the call. `Continue`: it was refused and is to go again.
    pub fn settle<T>(&mut self, verdict: Verdict, out: T) -> ControlFlow<T> {
        let Held::Ticket(ticket) = std::mem::replace(&mut self.place, Held::Nothing) else {
            return ControlFlow::Break(out);
        };
        if !verdict.is_retried() {
            ticket.finish();
            return ControlFlow::Break(out);
        }
        let hint = verdict.retry_after();
        let place = ticket.rate_limited(hint);
        let too_long = hint.is_some_and(|hint| hint > LONGEST_HINT);
        if self.attempts >= self.max_attempts || too_long || !self.limiter.limits().enabled {
            return ControlFlow::Break(out);
        }
        self.place = Held::Place(place);
        ControlFlow::Continue(())
    }

    fn ask(&mut self) -> Admit {
        self.attempts += 1;
        match std::mem::replace(&mut self.place, Held::Nothing) {
            Held::Place(place) => place,
            _ => self.limiter.admit(),
        }
    }
}
