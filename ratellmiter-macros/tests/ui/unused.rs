//! Variables that are never used. The warnings are those without the attribute.

#![deny(warnings)]

use ratellmiter_core::ratellmiter;

#[ratellmiter(model = name)]
pub async fn unused(name: String, number: u8, text: &str) {
    let nothing = 1;
}

fn main() {}
