//! The attribute of `ratellmiter-core`; use it from there.
