//! A `tower` layer for services whose responses have a status and headers.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use tower_layer::Layer;
use tower_service::Service;

use super::report;
use crate::{judge::classify::Response, limiter::Limiter};

/// A layer that wraps a service in [`Observe`].
#[derive(Debug, Clone, Default)]
pub struct ObserveLayer {
    limiter: Option<Limiter>,
}

impl ObserveLayer {
    /// Creates a layer that reports each response to the call of its task.
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

impl<S> Layer<S> for ObserveLayer {
    type Service = Observe<S>;

    fn layer(&self, inner: S) -> Observe<S> {
        Observe { inner, limiter: self.limiter.clone() }
    }
}

/// A service that reports responses to the limiter, and returns them unchanged.
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
        let (response, limiter) = (self.inner.call(request), self.limiter.clone());
        Box::pin(async move {
            let response = response.await?;
            report(&response.evidence(), limiter.as_ref());
            Ok(response)
        })
    }
}

/// Creates a service for `async_openai::Client::with_http_service` that reports responses to the limiter. Unlike the client's
/// own service, it does not retry.
#[cfg(feature = "async-openai")]
#[must_use]
pub fn openai_service(client: reqwest::Client) -> Observe<async_openai::middleware::ReqwestService> {
    ObserveLayer::new().layer(async_openai::middleware::ReqwestService::new(client))
}
