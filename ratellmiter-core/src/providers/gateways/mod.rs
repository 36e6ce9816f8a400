//! Providers and gateways without accounting rules: one file each, with the format of their responses.

use super::response_format::ResponseFormat;

mod ark;
mod cerebras;
mod cloudflare;
mod copilot;
mod dashscope;
mod glm;
mod grpc;
mod minimax;
mod moonshot;
mod new_api;
mod ollama;

/// The formats, in a fixed order.
pub(super) const FORMATS: &[&ResponseFormat] = &[
    &ark::FORMAT,
    &cerebras::FORMAT,
    &cloudflare::FORMAT,
    &copilot::FORMAT,
    &dashscope::FORMAT,
    &glm::FORMAT,
    &grpc::FORMAT,
    &minimax::FORMAT,
    &moonshot::FORMAT,
    &new_api::FORMAT,
    &ollama::FORMAT,
];
