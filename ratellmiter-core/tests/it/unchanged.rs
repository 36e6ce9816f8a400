//! Functions whose attributes and qualifiers stay as they were written; an `unsafe` one is an example of the attribute.

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
