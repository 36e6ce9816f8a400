//! Providers and gateways without accounting rules: one file each, with the format of their responses.

use super::response_format::ResponseFormat;

mod ark;
mod cloudflare;
mod copilot;
mod grpc;
mod new_api;
mod ollama;

/// The formats, in a fixed order.
pub(super) const FORMATS: &[&ResponseFormat] =
    &[&ark::FORMAT, &cloudflare::FORMAT, &copilot::FORMAT, &grpc::FORMAT, &new_api::FORMAT, &ollama::FORMAT];
