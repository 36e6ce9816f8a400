//! The details of a gRPC error: the time to wait, the exceeded quotas and the reason, as Google's services send them.

use std::time::Duration;

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::HeaderMap;
use serde_json::{Value, json};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// Decodes binary headers, which may be padded: github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md, 2026-11.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The details of an error.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Details {
    /// The time to wait before the next request.
    pub(super) retry_delay: Option<Duration>,
    /// The details in the form in which Google's REST APIs send them.
    pub(super) json: Vec<Value>,
}

/// Reads the details in `headers`. Those that cannot be decoded are left out.
pub(super) fn in_headers(headers: &HeaderMap) -> Details {
    let Some(encoded) = headers.get("grpc-status-details-bin") else { return Details::default() };
    let Ok(bytes) = BASE64.decode(encoded.as_bytes().trim_ascii()) else { return Details::default() };
    // The code is not read.
    from_errors(&Status::with_details(Code::Unknown, "", bytes.into()).get_error_details())
}

fn from_errors(details: &ErrorDetails) -> Details {
    let mut json = Vec::new();
    if let Some(failure) = details.quota_failure() {
        let violations = failure.violations.iter().map(|violation| {
            // Older services name the quota in the subject or in the metric.
            let names = [&violation.quota_id, &violation.quota_metric, &violation.subject];
            let name = names.into_iter().find(|name| !name.is_empty());
            json!({ "quotaId": name, "description": violation.description })
        });
        json.push(json!({ "violations": violations.collect::<Vec<_>>() }));
    }
    if let Some(info) = details.error_info() {
        json.push(json!({ "reason": info.reason, "metadata": info.metadata }));
    }
    Details { retry_delay: details.retry_info().and_then(|info| info.retry_delay), json }
}
