//! Real client crates against a server on loopback that refuses requests as providers do.

#![allow(clippy::result_large_err)] // A `ResponseError` has all headers of its response.

mod blocking;
mod eventsource;
mod hyper;
mod pieces;
mod raw_streams;
mod reqwest_blocking;
#[path = "../../../ratellmiter-core/tests/support/mod.rs"]
mod support;
mod ureq;
