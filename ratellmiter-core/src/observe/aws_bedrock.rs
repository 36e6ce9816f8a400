//! An interceptor for the clients of the AWS SDK.

mod body;
mod events;

use std::mem;

use aws_sdk_bedrockruntime::config::{
    ConfigBag, Intercept, RuntimeComponents,
    interceptors::{BeforeDeserializationInterceptorContextMut, FinalizerInterceptorContextRef},
};
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{orchestrator::HttpResponse, retries::RequestAttempts},
};
use aws_smithy_types::body::SdkBody;

use self::body::ObservedBody;
pub use self::events::{BedrockEvent, BedrockEvents, bedrock_events};
use super::report;
use crate::{call::context, judge::clients::aws_bedrock::http_evidence, limiter::Limiter};

/// The media type of event streams.
const EVENT_STREAM: &str = "application/vnd.amazon.eventstream";

/// An interceptor that reports each response to the call of its task, and returns it unchanged. It is for the configuration of
/// a client of the AWS SDK:
///
/// ```
/// use aws_sdk_bedrockruntime::config::{BehaviorVersion, Config, retry::RetryConfig};
/// use ratellmiter_core::observe::ObserveInterceptor;
///
/// let config = Config::builder()
///     .behavior_version(BehaviorVersion::latest())
///     .retry_config(RetryConfig::disabled()) // the limiter retries
///     .interceptor(ObserveInterceptor::new())
///     .build();
/// ```
///
/// It observes each attempt, so that retries by the SDK cause a warning. The event stream of a response keeps the ticket of
/// the call until it has ended, whatever type the function returns: the call is settled with the usage in its metadata, and a
/// refusal among its events pauses the limiter. A stream that [`attach`](crate::call::attach) or the option `stream` wraps
/// replaces it.
#[derive(Debug, Clone, Default)]
pub struct ObserveInterceptor {
    limiter: Option<Limiter>,
}

impl ObserveInterceptor {
    /// Creates an interceptor that reports each response to the call of its task.
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

impl Intercept for ObserveInterceptor {
    fn name(&self) -> &'static str {
        "ObserveInterceptor"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response_mut();
        if is_event_stream(response) {
            let body = mem::replace(response.body_mut(), SdkBody::taken());
            *response.body_mut() = ObservedBody::wrap(body, self.limiter.clone());
        }
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if config.load::<RequestAttempts>().is_some_and(|attempts| attempts.attempts() > 1) {
            context::record_client_retry();
        }
        if let Some(response) = context.response() {
            report(&http_evidence(response), self.limiter.as_ref());
        }
        Ok(())
    }
}

fn is_event_stream(response: &HttpResponse) -> bool {
    let media_type = response.headers().get("content-type").and_then(|value| value.split(';').next());
    response.status().is_success() && media_type.is_some_and(|value| value.trim().eq_ignore_ascii_case(EVENT_STREAM))
}
