//! Facts about providers: accounting rules, response headers, places of token usage. Each fact has its source and date.

pub(crate) mod catalog;
pub(crate) mod charge;
pub(crate) mod header_values;
pub(crate) mod limit_headers;
pub(crate) mod provider;
pub(crate) mod rfc3339;
pub(crate) mod terms;
#[cfg(feature = "tiktoken")]
pub(crate) mod tiktoken;
pub(crate) mod usage;
mod usage_in_json;
