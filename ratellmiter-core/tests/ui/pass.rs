//! What stays as it was written.

#![deny(warnings)]

use ratellmiter_core::ratellmiter;

mod renamed {
    pub use ratellmiter_core as limits;
}

/// Still unsafe.
///
/// # Safety
/// Any time.
#[ratellmiter(model = "pass")]
pub async unsafe fn not_safe(number: u8) -> u8 {
    number
}

#[must_use]
#[ratellmiter(crate = renamed::limits)]
fn diverges(number: u8) -> u8 {
    if number > 0 {
        return number;
    }
    panic!("zero")
}

#[ratellmiter]
extern "C" fn exported() {}

fn main() {
    assert_eq!(futures::executor::block_on(unsafe { not_safe(1) }), 1);
    assert_eq!(diverges(1), 1);
    exported();
}
