//! Functions that keep their own attributes and qualifiers. The attribute's documentation has an `unsafe` one.

#![deny(warnings)]

use ratellmiter_core::ratellmiter;

mod renamed {
    pub(super) use ratellmiter_core as limits;
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

#[test]
fn qualified_functions_run() {
    assert_eq!(diverges(1), 1);
    exported();
}
