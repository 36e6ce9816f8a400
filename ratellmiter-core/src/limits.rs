//! What a user may ask for: calls a minute, calls in flight, the ramp, attempts; validated when made.

use std::{num::NonZeroU32, time::Duration};

use thiserror::Error;

/// What one limiter allows.
///
/// ```
/// use std::num::NonZeroU32;
/// use ratellmiter_core::Limits;
///
/// let limits = Limits::per_minute(NonZeroU32::new(90).unwrap()).no_ramp();
/// assert_eq!(limits.requests_per_minute.get(), 90);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Calls a minute. They go out evenly: 90 a minute is three every two seconds, 5 a minute one every twelve.
    pub requests_per_minute: NonZeroU32,
    /// How many calls may be out at once; the line waits for this as it does for the rate. `None`: any number.
    pub max_in_flight: Option<NonZeroU32>,
    /// How much unused budget may go at once, as the time in which the rate brings it; at most 60 seconds. Zero, the
    /// default, is even pacing. For providers that count by the minute: with 60 seconds a limiter that was idle for a
    /// minute lets a minute's calls go at once, and demand from idle is not ramped up. More than the rate may go in a minute
    /// then: by what was saved up before it.
    pub burst: Duration,
    /// How a jump in demand is taken. `None`: at once.
    pub ramp: Option<Ramp>,
    /// Whether refusals lower the rate, and the calls in flight where they say so, until the server takes more again. On
    /// by default; never above what is configured.
    pub learn: bool,
    /// How often one call is sent at most before its refusal goes back to the caller. 20 by default.
    pub attempts: NonZeroU32,
    /// `false` lets everything through at once and retries nothing, for your own tests.
    pub enabled: bool,
}

impl Limits {
    /// So many calls a minute, any number of them in flight, with the default ramp and 20 attempts.
    #[must_use]
    #[allow(clippy::missing_panics_doc)] // 20 is not 0.
    pub const fn per_minute(requests: NonZeroU32) -> Self {
        Self {
            requests_per_minute: requests,
            max_in_flight: None,
            burst: Duration::ZERO,
            learn: true,
            ramp: Some(Ramp::DEFAULT),
            attempts: NonZeroU32::new(20).expect("20 is not 0"),
            enabled: true,
        }
    }

    /// At most so many calls out at once.
    #[must_use]
    pub const fn max_in_flight(mut self, calls: NonZeroU32) -> Self {
        self.max_in_flight = Some(calls);
        self
    }

    /// Lets unused budget of so much time go at once. More than 60 seconds counts as 60.
    #[must_use]
    pub fn burst(mut self, horizon: Duration) -> Self {
        self.burst = horizon.min(LONGEST_BURST);
        self
    }

    /// The burst is a field that anybody can set.
    pub(crate) fn checked(mut self) -> Self {
        self.burst = self.burst.min(LONGEST_BURST);
        self
    }

    /// Whether refusals lower the rate for a while.
    #[must_use]
    pub const fn learn(mut self, learn: bool) -> Self {
        self.learn = learn;
        self
    }

    /// Takes a jump in demand by this ramp.
    #[must_use]
    pub const fn ramp(mut self, ramp: Ramp) -> Self {
        self.ramp = Some(ramp);
        self
    }

    /// Takes a jump in demand at once.
    #[must_use]
    pub const fn no_ramp(mut self) -> Self {
        self.ramp = None;
        self
    }

    /// Sends one call at most so often.
    #[must_use]
    pub const fn attempts(mut self, attempts: NonZeroU32) -> Self {
        self.attempts = attempts;
        self
    }

    /// `false` lets everything through at once and retries nothing.
    #[must_use]
    pub const fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }
}

/// The longest [`Limits::burst`].
pub(crate) const LONGEST_BURST: Duration = Duration::from_mins(1);

/// How a jump in demand is taken: which part of the rate the first second may use, and by how much of the rate each
/// second may exceed what the last one used.
///
/// The default, 0.25 and 0.10, reaches the full rate in the ninth second and costs 3.2 seconds of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ramp {
    /// Both in thousandths, so that the arithmetic is exact.
    pub(crate) start: u32,
    pub(crate) step: u32,
}

/// The whole rate, in the unit of [`Ramp`].
pub(crate) const FULL: u32 = 1000;

impl Ramp {
    /// A quarter at first, a tenth more each second.
    pub const DEFAULT: Self = Self { start: 250, step: 100 };

    /// Both as fractions of the rate, kept to a thousandth.
    ///
    /// ```
    /// use ratellmiter_core::Ramp;
    ///
    /// assert_eq!(Ramp::new(0.25, 0.10), Ok(Ramp::DEFAULT));
    /// assert!(Ramp::new(0.0, 0.10).is_err());
    /// ```
    ///
    /// # Errors
    /// One of them is not between 0.001 and 1.
    pub fn new(start: f64, step: f64) -> Result<Self, InvalidRamp> {
        let thousandths = |value: f64| {
            let scaled = (value * f64::from(FULL)).round();
            // The range check makes the conversion exact.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            if (1.0..=f64::from(FULL)).contains(&scaled) { Ok(scaled as u32) } else { Err(InvalidRamp { value }) }
        };
        Ok(Self { start: thousandths(start)?, step: thousandths(step)? })
    }
}

impl Default for Ramp {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A ramp's start or step that is no part of the rate.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[error("a ramp's start and step are fractions of the rate from 0.001 to 1, not {value}")]
pub struct InvalidRamp {
    value: f64,
}
