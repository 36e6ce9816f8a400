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

/// The expansion allows no lint that a crate may have forbidden.
mod forbidden {
    #![forbid(unused_imports, unused_variables, unreachable_code, unused_mut, unused_must_use, dead_code)]

    use futures::Stream;
    use ratellmiter_core::ratellmiter;

    #[ratellmiter(model = "forbidden")]
    pub(super) async fn asynchronous(text: String) -> Result<String, String> {
        Err(text)?;
        Ok(String::new())
    }

    #[ratellmiter(model = "forbidden")]
    pub(super) async fn nothing() {}

    #[ratellmiter(model = "forbidden", tokens = text.len() as u64)]
    pub(super) fn blocking(text: String) -> Result<usize, String> {
        Ok(text.len())
    }

    #[ratellmiter(model = "forbidden", stream, usage = |part| ratellmiter_core::Usage::new(u64::from(*part), 0))]
    pub(super) fn parts(count: u8) -> impl Stream<Item = Result<u8, String>> {
        futures::stream::iter((0..count).map(Ok))
    }
}

#[tokio::test(start_paused = true)]
async fn functions_in_modules_that_forbid_lints_run() {
    use futures::StreamExt as _;

    assert_eq!(forbidden::asynchronous("no".to_owned()).await, Err("no".to_owned()));
    forbidden::nothing().await;
    assert_eq!(forbidden::blocking("four".to_owned()), Ok(4));
    assert_eq!(forbidden::parts(2).count().await, 2);
}
