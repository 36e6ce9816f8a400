//! Facts about providers: accounting rules, response headers, places of token usage. Each fact has its source and date.

mod catalog;
pub(crate) mod charge;
pub(crate) mod error_signs;
pub(crate) mod event_text;
mod gateways;
pub(crate) mod header_values;
pub(crate) mod limit_headers;
pub(crate) mod limit_reading;
pub(crate) mod provider;
mod response_format;
pub(crate) mod rfc3339;
mod terms;
pub(crate) mod tokens;
pub(crate) mod usage;
pub(crate) mod usage_in_headers;
mod usage_in_json;
mod usage_shapes;
