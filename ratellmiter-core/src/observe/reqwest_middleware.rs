//! A middleware for `reqwest-middleware` 0.5.

use http::Extensions;
use reqwest::{Request, Response};
use reqwest_middleware::{Middleware, Next, Result};

use super::report;
use crate::{judge::classify::Response as _, limiter::Limiter};

/// A middleware that reports responses to the limiter, and returns them unchanged. Add it last, next to the transport.
#[derive(Debug, Clone, Default)]
pub struct ObserveMiddleware {
    limiter: Option<Limiter>,
}

impl ObserveMiddleware {
    /// Creates a middleware that reports each response to the call of its task.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reports refusals outside of any call to `limiter`, for clients that send their requests from other tasks.
    #[must_use]
    pub fn limiter(mut self, limiter: Limiter) -> Self {
        self.limiter = Some(limiter);
        self
    }
}

#[async_trait::async_trait]
impl Middleware for ObserveMiddleware {
    async fn handle(&self, request: Request, extensions: &mut Extensions, next: Next<'_>) -> Result<Response> {
        let response = next.run(request, extensions).await?;
        report(&response.evidence(), self.limiter.as_ref());
        Ok(response)
    }
}
