//! `rig-core` 0.44. Its error contains the provider's whole response. Its own `is_retryable` takes an exhausted quota for a
//! refusal. The events of a stream have no usage; the result of its `finish` has.

use std::error::Error;

use rig_core::{completion, error::ProviderError, http_client};

use crate::{
    judge::{error_chain::as_type, evidence::Evidence, transport::is_failed_connection},
    providers::usage::{HasUsage, Usage},
};

pub(super) fn evidence<'a>(error: &'a (dyn Error + 'static)) -> Option<Evidence<'a>> {
    match as_type(error)? {
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
        // The transport's error is missing from the source chain.
        ProviderError::Http(error) => match &**error {
            http_client::Error::Instance(error) => super::evidence(&**error)
                .or_else(|| is_failed_connection(&**error).then(|| Evidence::new().failed_connection())),
            _ => None,
        },
        _ => None,
    }
}

impl HasUsage for completion::CompletionResponse {
    fn usage(&self) -> Option<Usage> {
        let completion::Usage { input_tokens: input, output_tokens: output, cached_input_tokens: cached, .. } =
            self.usage;
        input.or(output)?;
        Some(Usage::new(input.unwrap_or_default(), output.unwrap_or_default()).cached(cached.unwrap_or_default()))
    }
}
