//! Tests of `ratellmiter-core` with real client crates. The tests are in `tests/it`; this library is empty.
