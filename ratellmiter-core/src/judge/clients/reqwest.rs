//! `reqwest` 0.13: the error of `error_for_status` has the status and nothing else.

use std::error::Error;

use super::{Verdict, by_status};

pub(super) fn verdict(error: &(dyn Error + 'static)) -> Option<Verdict> {
    let error = error.downcast_ref::<reqwest::Error>()?;
    Some(error.status().map_or(Verdict::Failed, |status| by_status(status.as_u16())))
}
