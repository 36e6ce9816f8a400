//! `hyper` 1, and the client of `hyper-util`, whose errors have those of `hyper` as sources. A refusal is an `Ok`.

use std::error::Error;

use crate::judge::{error_chain::as_type, evidence::Evidence, transport::is_failed_connection};

pub(super) fn evidence<'a>(error: &'a (dyn Error + 'static)) -> Option<Evidence<'a>> {
    let hyper = as_type::<::hyper::Error>(error)?;
    // A canceled request was never sent.
    let is_before_response = hyper.is_canceled() || is_failed_connection(error);
    // Without a response, zero is judged as a failure.
    Some(if is_before_response { Evidence::new().failed_connection() } else { Evidence::new().status(0) })
}
