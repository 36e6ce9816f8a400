//! `rig-core` 0.44: the provider's reply is kept whole. Its own `is_retryable` takes a spent quota for a refusal.

use std::error::Error;

use rig_core::error::ProviderError;

use crate::judge::Evidence;

pub(super) fn evidence<'a>(error: &'a (dyn Error + 'static)) -> Option<Evidence<'a>> {
    match error.downcast_ref::<ProviderError>()? {
        ProviderError::ProviderResponse(response) => {
            let mut evidence = Evidence::new().body(&*response.body);
            evidence.status = response.status.map(|status| status.as_u16());
            if let Some(headers) = &response.headers {
                evidence = evidence.headers(headers);
            }
            Some(match &response.code {
                Some(code) => evidence.code(&**code),
                None => evidence,
            })
        }
        _ => None,
    }
}
