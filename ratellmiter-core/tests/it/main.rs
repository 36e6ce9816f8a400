//! Tests of the public API in virtual time, with fixed seeds, or on loopback.

mod attribute;
#[cfg(feature = "sim")]
mod contracts;
#[cfg(feature = "sim")]
mod league;
mod limiter;
mod options;
#[cfg(all(feature = "sim", feature = "reqwest"))]
mod provider;
mod run;
mod shapes;
mod tokens;
mod unchanged;
