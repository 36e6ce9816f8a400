//! Tests of the public API, in virtual time with fixed seeds or over loopback.

#[cfg(feature = "sim")]
mod accounting;
mod attribute;
mod classify;
mod closed;
mod error_fields;
mod error_types;
mod layers;
#[cfg(feature = "sim")]
mod league;
mod limiter;
mod names;
mod nested;
mod options;
mod oversized;
#[cfg(all(feature = "sim", feature = "reqwest"))]
mod provider;
#[cfg(feature = "sim")]
mod refusals;
#[cfg(feature = "sim")]
mod responsible_calls;
mod run;
mod shapes;
mod tokens;
mod transient;
mod unchanged;
