//! `genai` 0.7: status, headers and body are all in the error.

use std::error::Error;

use ::genai::webc;

use crate::judge::Evidence;

pub(super) fn evidence<'a>(error: &'a (dyn Error + 'static)) -> Option<Evidence<'a>> {
    let error = error.downcast_ref::<::genai::Error>()?;
    let evidence = Evidence::new().status(error.status()?.as_u16());
    let evidence = match error.headers() {
        Some(headers) => evidence.headers(headers),
        None => evidence,
    };
    Some(match error {
        ::genai::Error::WebModelCall { webc_error: webc::Error::ResponseFailedStatus { body, .. }, .. }
        | ::genai::Error::WebAdapterCall { webc_error: webc::Error::ResponseFailedStatus { body, .. }, .. } => {
            evidence.body(&**body)
        }
        _ => evidence,
    })
}
