//! Token usage in the headers of a response.

use http::HeaderMap;

use super::{header_values, provider::Provider, response_format::UsageHeaders, usage::Usage};

/// Returns the usage that the headers of a response show.
pub(crate) fn usage_in_headers(headers: &HeaderMap) -> Option<Usage> {
    Provider::response_formats().flat_map(|format| format.usage_headers).find_map(|names| read(names, headers))
}

fn read(names: &UsageHeaders, headers: &HeaderMap) -> Option<Usage> {
    let count = |name: &str| header_values::text(headers, name)?.trim().parse::<u64>().ok();
    let input = names.input.iter().filter_map(|name| count(name)).reduce(u64::saturating_add);
    let output = count(names.output);
    input.or(output)?;
    let cached = count(names.cached).unwrap_or_default();
    Some(Usage::new(input.unwrap_or_default(), output.unwrap_or_default()).cached(cached))
}

#[cfg(test)]
mod tests;
