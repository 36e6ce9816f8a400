//! Failed responses of `reqwest` as errors, which the call of this task observes.

use std::future::Future;

use crate::{
    call::context,
    judge::{Classify as _, Verdict, clients::ResponseError},
};

/// Maximum length in bytes of the body that is read from a failed response.
const MAX_BODY_BYTES: usize = 16 << 10;

/// Extension of `reqwest`'s responses with an error that keeps the evidence of a refusal: status, headers and body.
pub trait LlmResponseExt: Sized {
    /// Returns the response if its status is a success.
    ///
    /// Within a `#[ratellmiter]` function the limiter also observes the response, so it does not matter whether the error
    /// is returned unchanged.
    ///
    /// # Errors
    /// Any other status, with the headers and the first 16 KiB of the body. A body that breaks off is kept as far as it
    /// was received.
    ///
    /// # Cancel safety
    /// Dropping the future drops the response.
    fn error_for_refusal(self) -> impl Future<Output = Result<Self, ResponseError>> + Send;
}

macro_rules! error_for_refusal {
    ($reqwest:ident, $feature:literal) => {
        #[cfg(feature = $feature)]
        impl LlmResponseExt for $reqwest::Response {
            async fn error_for_refusal(mut self) -> Result<Self, ResponseError> {
                let status = self.status();
                if status.is_success() {
                    context::record_judged(status.as_u16(), self.headers(), Verdict::Success);
                    return Ok(self);
                }
                let mut body = Vec::new();
                while let Ok(Some(chunk)) = self.chunk().await {
                    body.extend_from_slice(&chunk[..chunk.len().min(MAX_BODY_BYTES - body.len())]);
                    if body.len() == MAX_BODY_BYTES {
                        break;
                    }
                }
                let (headers, body) = (self.headers().clone(), String::from_utf8_lossy(&body).into_owned());
                let error = ResponseError::new(status, headers, body);
                context::record_judged(status.as_u16(), &error.headers, error.verdict());
                Err(error)
            }
        }
    };
}

error_for_refusal!(reqwest, "reqwest");
error_for_refusal!(reqwest_012, "reqwest-012");
