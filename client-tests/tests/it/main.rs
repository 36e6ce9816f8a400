//! Real client crates against a server on loopback that refuses requests as providers do.

mod async_anthropic;
mod aws_bedrock;
mod clock;
mod every_refusal;
mod gemini_rust;
mod google_cloud_gax;
mod grpc_service;
mod misanthropic;
mod ollama_rs;
mod openai_api_rs;
mod readme;
#[path = "../../../ratellmiter-core/tests/support/mod.rs"]
mod support;
mod texts;
mod tonic;
