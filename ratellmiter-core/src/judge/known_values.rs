//! The values of known types, found at run time: for [`Limiter::run`](crate::Limiter::run), which is generic over its value.
//!
//! The attribute finds these types, and others that implement the traits, by [`dispatch`](super::dispatch).

use std::any::Any;

#[cfg(feature = "openai-api-rs")]
use openai_api_rs::v1::responses::responses::{CallResponse, ResponseObject};
use serde_json::Value;

use super::{
    classification::Classification,
    classify::{Response, ResponseBody},
};
use crate::providers::usage::{HasUsage, Usage};

/// Returns the classification of the value, if it is of a type that can be a refusal.
pub(crate) fn classification(value: &dyn Any) -> Option<Classification> {
    RESPONSES.iter().find_map(|response| response(value))
}

/// Returns the usage of a value of a known type, if the value shows it.
pub(crate) fn usage(value: &dyn Any) -> Option<Usage> {
    USAGES.iter().find_map(|usage| usage(value))
}

const RESPONSES: &[fn(&dyn Any) -> Option<Classification>] = &[
    response::<Value>,
    response::<http::Response<()>>,
    with_body::<Value>,
    with_body::<String>,
    with_body::<&'static str>,
    with_body::<Vec<u8>>,
    with_body::<bytes::Bytes>,
    #[cfg(feature = "reqwest")]
    response::<reqwest::Response>,
    #[cfg(feature = "reqwest")]
    response::<http::Response<reqwest::Body>>,
    #[cfg(feature = "reqwest-blocking")]
    response::<reqwest::blocking::Response>,
    #[cfg(feature = "reqwest-012")]
    response::<reqwest_012::Response>,
    #[cfg(feature = "reqwest-012")]
    response::<http::Response<reqwest_012::Body>>,
    #[cfg(feature = "reqwest-012-blocking")]
    response::<reqwest_012::blocking::Response>,
    #[cfg(feature = "hyper")]
    response::<http::Response<hyper::body::Incoming>>,
    #[cfg(feature = "ureq")]
    response::<http::Response<ureq::Body>>,
    #[cfg(feature = "async-openai")]
    response::<async_openai::types::responses::Response>,
    #[cfg(feature = "openai-api-rs")]
    response::<CallResponse<ResponseObject>>,
];

const USAGES: &[fn(&dyn Any) -> Option<Usage>] = &[
    usage_of::<Usage>,
    usage_of::<Value>,
    usage_of::<String>,
    usage_of::<&'static str>,
    usage_of::<Vec<u8>>,
    usage_of::<bytes::Bytes>,
    usage_of::<http::Response<Value>>,
    usage_of::<http::Response<String>>,
    usage_of::<http::Response<&'static str>>,
    usage_of::<http::Response<Vec<u8>>>,
    usage_of::<http::Response<bytes::Bytes>>,
    #[cfg(feature = "async-openai")]
    usage_of::<async_openai::types::chat::CreateChatCompletionResponse>,
    #[cfg(feature = "async-openai")]
    usage_of::<async_openai::types::responses::Response>,
    #[cfg(feature = "aws-bedrock")]
    usage_of::<aws_sdk_bedrockruntime::operation::converse::ConverseOutput>,
    #[cfg(feature = "aws-bedrock")]
    usage_of::<aws_sdk_bedrockruntime::operation::invoke_model::InvokeModelOutput>,
    #[cfg(feature = "genai")]
    usage_of::<genai::chat::ChatResponse>,
    #[cfg(feature = "genai")]
    usage_of::<genai::embed::EmbedResponse>,
    #[cfg(feature = "ollama-rs")]
    usage_of::<ollama_rs::generation::chat::ChatMessageResponse>,
    #[cfg(feature = "ollama-rs")]
    usage_of::<ollama_rs::generation::completion::GenerationResponse>,
    #[cfg(feature = "openai-api-rs")]
    usage_of::<CallResponse<openai_api_rs::v1::chat_completion::chat_completion::ChatCompletionResponse>>,
    #[cfg(feature = "openai-api-rs")]
    usage_of::<CallResponse<openai_api_rs::v1::embedding::EmbeddingResponse>>,
    #[cfg(feature = "openai-api-rs")]
    usage_of::<CallResponse<ResponseObject>>,
    #[cfg(feature = "rig")]
    usage_of::<rig_core::completion::CompletionResponse>,
];

fn response<T: Response + 'static>(value: &dyn Any) -> Option<Classification> {
    value.downcast_ref::<T>().map(Classification::of_response)
}

fn with_body<B: ResponseBody + 'static>(value: &dyn Any) -> Option<Classification> {
    value.downcast_ref::<http::Response<B>>().map(Classification::of_response_with_body)
}

fn usage_of<T: HasUsage + 'static>(value: &dyn Any) -> Option<Usage> {
    value.downcast_ref::<T>()?.usage()
}
