//! Real client crates against a server on loopback that refuses requests as providers do.

#![allow(clippy::result_large_err)] // A `ResponseError` has all headers of its response.

#[path = "../../../ratellmiter-core/tests/support/alone.rs"]
mod alone;
mod async_anthropic;
mod aws_bedrock;
mod blocking;
#[path = "../../../ratellmiter-core/tests/support/broken.rs"]
mod broken;
mod checked_responses;
mod clock;
mod eventsource;
mod every_refusal;
mod gemini_rust;
mod google_cloud_gax;
mod grpc_service;
mod hyper;
mod misanthropic;
mod ollama_rs;
mod openai_api_rs;
mod pieces;
mod raw_streams;
mod readme;
mod reqwest_blocking;
#[path = "../../../ratellmiter-core/tests/support/mod.rs"]
mod support;
mod texts;
mod tonic;
mod ureq;
#[path = "../../../ratellmiter-core/tests/support/warnings.rs"]
mod warnings;
