//! The ramp of a jump in demand.

use std::{error::Error, fmt};

/// The ramp of a jump in demand: the fraction of the rate for the first second, and the fraction by which each second may
/// exceed the usage of the one before.
///
/// The default, 0.25 and 0.10, reaches the full rate in the ninth second and costs 3.2 seconds of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ramp {
    /// In thousandths of the rate, so that the arithmetic is exact.
    pub(crate) start: u32,
    pub(crate) step: u32,
}

/// The full rate, in the unit of [`Ramp`].
pub(crate) const FULL_RATE: u32 = 1000;

impl Ramp {
    /// Starts at a quarter of the rate and adds a tenth each second.
    pub const DEFAULT: Self = Self { start: 250, step: 100 };

    /// Creates a ramp from fractions of the rate, rounded to thousandths.
    ///
    /// ```
    /// use ratellmiter_core::Ramp;
    ///
    /// assert_eq!(Ramp::new(0.25, 0.10), Ok(Ramp::DEFAULT));
    /// assert!(Ramp::new(0.0, 0.10).is_err());
    /// ```
    ///
    /// # Errors
    /// Returns an error if a fraction is not between 0.001 and 1.
    pub fn new(start: f64, step: f64) -> Result<Self, InvalidRamp> {
        let thousandths = |value: f64| {
            let scaled = (value * f64::from(FULL_RATE)).round();
            // The range check makes the conversion exact.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            if (1.0..=f64::from(FULL_RATE)).contains(&scaled) { Ok(scaled as u32) } else { Err(InvalidRamp { value }) }
        };
        Ok(Self { start: thousandths(start)?, step: thousandths(step)? })
    }
}

impl Default for Ramp {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The error for a start or step of a ramp outside of its range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InvalidRamp {
    value: f64,
}

impl fmt::Display for InvalidRamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a ramp's start and step are fractions of the rate from 0.001 to 1, not {}", self.value)
    }
}

impl Error for InvalidRamp {}
