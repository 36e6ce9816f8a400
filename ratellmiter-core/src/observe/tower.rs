//! A `tower` layer over any service whose responses have a status and headers.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use tower_layer::Layer;
use tower_service::Service;

use super::report;
use crate::{judge::classify::Response, limiter::Limiter};

/// Puts an [`Observe`] around a service.
#[derive(Debug, Clone, Default)]
pub struct ObserveLayer {
    limiter: Option<Limiter>,
}

impl ObserveLayer {
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

impl<S> Layer<S> for ObserveLayer {
    type Service = Observe<S>;

    fn layer(&self, inner: S) -> Observe<S> {
        Observe { inner, limiter: self.limiter.clone() }
    }
}

/// A service whose answers the limiter hears of; they pass through unchanged.
#[derive(Debug, Clone)]
pub struct Observe<S> {
    inner: S,
    limiter: Option<Limiter>,
}

impl<S, R> Service<R> for Observe<S>
where
    S: Service<R>,
    S::Response: Response,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let (answer, limiter) = (self.inner.call(request), self.limiter.clone());
        Box::pin(async move {
            let answer = answer.await?;
            report(&answer.evidence(), limiter.as_ref());
            Ok(answer)
        })
    }
}

/// A service for `async_openai::Client::with_http_service` that the limiter hears of, and that does not try again by itself
/// as the client's own does.
#[cfg(feature = "async-openai")]
#[must_use]
pub fn openai_service(client: reqwest::Client) -> Observe<async_openai::middleware::ReqwestService> {
    ObserveLayer::new().layer(async_openai::middleware::ReqwestService::new(client))
}
