//! Functions that are never called. The warning is that without the attribute.

#![deny(dead_code)]

use ratellmiter_core::ratellmiter;

#[ratellmiter]
async fn never_called() {}

#[ratellmiter]
fn nor_this() -> u8 {
    1
}

fn main() {}
