//! A `reqwest-middleware` 0.5.

use http::Extensions;
use reqwest::{Request, Response};
use reqwest_middleware::{Middleware, Next, Result};

use super::report;
use crate::{judge::classify::Response as _, limiter::Limiter};

/// A middleware whose answers the limiter hears of; they pass through unchanged. Put it last, next to the transport.
#[derive(Debug, Clone, Default)]
pub struct ObserveMiddleware {
    limiter: Option<Limiter>,
}

impl ObserveMiddleware {
    /// Tells the call that a request belongs to.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells `limiter` of refusals that belong to no call of this task: for clients that spawn.
    #[must_use]
    pub fn limiter(mut self, limiter: Limiter) -> Self {
        self.limiter = Some(limiter);
        self
    }
}

#[async_trait::async_trait]
impl Middleware for ObserveMiddleware {
    async fn handle(&self, request: Request, extensions: &mut Extensions, next: Next<'_>) -> Result<Response> {
        let answer = next.run(request, extensions).await?;
        report(&answer.evidence(), self.limiter.as_ref());
        Ok(answer)
    }
}
