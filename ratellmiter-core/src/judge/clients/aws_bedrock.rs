//! `aws-sdk-bedrockruntime` 1.153. The error of an operation contains the whole response. The exceptions inside of it, and the
//! events of a stream, have only a code and a message; the status that belongs to a code is a fact of the provider.

pub(crate) mod event;
mod usage;

use std::{borrow::Cow, error::Error, fmt::Debug};

use aws_sdk_bedrockruntime::{
    error::{ProvideErrorMetadata, SdkError},
    operation::{
        apply_guardrail::ApplyGuardrailError,
        converse::ConverseError,
        converse_stream::{ConverseStreamError, ConverseStreamOutput},
        count_tokens::CountTokensError,
        get_async_invoke::GetAsyncInvokeError,
        invoke_guardrail_checks::InvokeGuardrailChecksError,
        invoke_model::InvokeModelError,
        invoke_model_with_bidirectional_stream::InvokeModelWithBidirectionalStreamError,
        invoke_model_with_response_stream::{InvokeModelWithResponseStreamError, InvokeModelWithResponseStreamOutput},
        list_async_invokes::ListAsyncInvokesError,
        start_async_invoke::StartAsyncInvokeError,
    },
    primitives::event_stream::EventReceiver,
    types::error::{
        ConverseStreamOutputError, InvokeModelWithBidirectionalStreamOutputError, ModelErrorException,
        ModelStreamErrorException, ResponseStreamError,
    },
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::event_stream::RawMessage;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;

use super::ReadEvidence;
use crate::judge::{
    classify::StreamedAnswer, error_chain::as_type, evidence::Evidence, rules::is_known_code,
    transport::is_failed_connection,
};

/// The errors that operations return, those that their streams yield, and both without the response.
const ADAPTERS: &[ReadEvidence] = &[
    sdk_error::<ApplyGuardrailError, HttpResponse>,
    sdk_error::<ConverseError, HttpResponse>,
    sdk_error::<ConverseStreamError, HttpResponse>,
    sdk_error::<CountTokensError, HttpResponse>,
    sdk_error::<GetAsyncInvokeError, HttpResponse>,
    sdk_error::<InvokeGuardrailChecksError, HttpResponse>,
    sdk_error::<InvokeModelError, HttpResponse>,
    sdk_error::<InvokeModelWithBidirectionalStreamError, HttpResponse>,
    sdk_error::<InvokeModelWithResponseStreamError, HttpResponse>,
    sdk_error::<ListAsyncInvokesError, HttpResponse>,
    sdk_error::<StartAsyncInvokeError, HttpResponse>,
    sdk_error::<ConverseStreamOutputError, RawMessage>,
    sdk_error::<InvokeModelWithBidirectionalStreamOutputError, RawMessage>,
    sdk_error::<ResponseStreamError, RawMessage>,
    service_error::<ApplyGuardrailError>,
    service_error::<ConverseError>,
    service_error::<ConverseStreamError>,
    service_error::<CountTokensError>,
    service_error::<GetAsyncInvokeError>,
    service_error::<InvokeGuardrailChecksError>,
    service_error::<InvokeModelError>,
    service_error::<InvokeModelWithBidirectionalStreamError>,
    service_error::<InvokeModelWithResponseStreamError>,
    service_error::<ListAsyncInvokesError>,
    service_error::<StartAsyncInvokeError>,
    service_error::<ConverseStreamOutputError>,
    service_error::<InvokeModelWithBidirectionalStreamOutputError>,
    service_error::<ResponseStreamError>,
    exception,
    any_error,
];

pub(super) fn evidence<'a>(error: &'a (dyn Error + 'static)) -> Option<Evidence<'a>> {
    ADAPTERS.iter().find_map(|adapter| adapter(error))
}

/// Returns the evidence in a response, with the body of a failed one once the client has read it.
pub(crate) fn http_evidence(response: &HttpResponse) -> Evidence<'_> {
    let headers = response.headers().iter();
    let headers = headers
        .filter_map(|(name, value)| Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?)));
    let mut evidence = Evidence::new().status(response.status().as_u16());
    evidence.headers = Cow::Owned(headers.collect::<HeaderMap>());
    if !response.status().is_success() {
        evidence.body = response.body().bytes().map(String::from_utf8_lossy);
    }
    evidence
}

/// The raw response that an error contains.
trait RawResponse: Debug + 'static {
    /// The request may have failed before its response began.
    const MAY_BE_MISSING: bool;

    /// Returns the evidence in the response.
    fn evidence(&self) -> Evidence<'_>;
}

impl RawResponse for HttpResponse {
    const MAY_BE_MISSING: bool = true;

    fn evidence(&self) -> Evidence<'_> {
        // With a success, the body broke off, or it is none that the client understands.
        if self.status().is_success() { failed() } else { http_evidence(self) }
    }
}

impl RawResponse for RawMessage {
    // The stream is in the body of a response.
    const MAY_BE_MISSING: bool = false;

    fn evidence(&self) -> Evidence<'_> {
        match self {
            Self::Decoded(message) => event::evidence(message).unwrap_or_else(failed),
            _ => failed(),
        }
    }
}

/// Returns the evidence of a call without a response that could be judged. Zero is judged as a failure.
fn failed<'a>() -> Evidence<'a> {
    Evidence::new().status(0)
}

fn sdk_error<'a, E, R>(error: &'a (dyn Error + 'static)) -> Option<Evidence<'a>>
where
    E: Error + ProvideErrorMetadata + 'static,
    R: RawResponse,
{
    let evidence = match as_type::<SdkError<E, R>>(error)? {
        SdkError::ServiceError(context) => {
            let evidence = context.raw().evidence();
            match context.err().code() {
                Some(code) => evidence.code(code),
                None => evidence,
            }
        }
        SdkError::ResponseError(context) => context.raw().evidence(),
        _ if R::MAY_BE_MISSING && is_failed_connection(error) => Evidence::new().failed_connection(),
        // A time-out, a request that could not be built, or one that could not be sent for another reason.
        _ => failed(),
    };
    let is_known =
        evidence.status.is_some() || evidence.failed_connection || evidence.code.as_deref().is_some_and(is_known_code);
    is_known.then_some(evidence)
}

/// Returns the evidence in the error of an operation or of a stream whose response is lost. Without a code the source of the
/// error is judged: an exception, or an error of the client.
fn service_error<'a, E>(error: &'a (dyn Error + 'static)) -> Option<Evidence<'a>>
where
    E: Error + ProvideErrorMetadata + 'static,
{
    let error = as_type::<E>(error)?;
    coded(error.code()?, error.message(), error.source())
}

/// Returns the evidence in the code and the message of an `exception`, or `None` if the code is unknown: there is no status
/// that could decide.
fn coded<'a>(
    code: &'a str,
    message: Option<&'a str>,
    exception: Option<&(dyn Error + 'static)>,
) -> Option<Evidence<'a>> {
    if !is_known_code(code) {
        return None;
    }
    let evidence = Evidence::new().code(code);
    Some(match exception.and_then(|exception| with_original(exception, message)) {
        Some(body) => evidence.body(body),
        None => evidence.body(message.unwrap_or_default()),
    })
}

/// Returns the body of an exception that has the status of the model's own server, in the form in which it is sent.
fn with_original(exception: &(dyn Error + 'static), message: Option<&str>) -> Option<String> {
    let (status, original) = if let Some(error) = as_type::<ModelStreamErrorException>(exception) {
        (error.original_status_code(), error.original_message())
    } else {
        (as_type::<ModelErrorException>(exception)?.original_status_code(), None)
    };
    Some(json!({ "message": message, "originalStatusCode": status, "originalMessage": original }).to_string())
}

/// The exceptions that the service models. Those in the events of a stream have no code but the name of their type.
macro_rules! exceptions {
    ($($name:ident)*) => {
        fn exception<'a>(error: &'a (dyn Error + 'static)) -> Option<Evidence<'a>> {
            $(if let Some(error) = as_type::<aws_sdk_bedrockruntime::types::error::$name>(error) {
                return coded(error.code().unwrap_or(stringify!($name)), error.message(), Some(error));
            })*
            None
        }

        /// Returns the evidence in the error type that all operations convert to. The exceptions are not among its sources.
        fn any_error<'a>(error: &'a (dyn Error + 'static)) -> Option<Evidence<'a>> {
            use aws_sdk_bedrockruntime::Error as AnyError;

            match as_type::<AnyError>(error)? {
                $(AnyError::$name(error) => {
                    coded(error.code().unwrap_or(stringify!($name)), error.message(), Some(error))
                })*
                error => coded(error.code()?, error.message(), None),
            }
        }
    };
}

exceptions! {
    AccessDeniedException
    ConflictException
    InternalServerException
    ModelErrorException
    ModelNotReadyException
    ModelStreamErrorException
    ModelTimeoutException
    ResourceNotFoundException
    ServiceQuotaExceededException
    ServiceUnavailableException
    ThrottlingException
    ValidationException
}

impl StreamedAnswer for ConverseStreamOutput {}

impl StreamedAnswer for InvokeModelWithResponseStreamOutput {}

impl<T, E> StreamedAnswer for EventReceiver<T, E> {}
