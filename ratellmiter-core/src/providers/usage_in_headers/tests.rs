use super::*;

fn usage(headers: &[(&'static str, &'static str)]) -> Option<Usage> {
    let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    usage_in_headers(&headers.collect())
}

#[test]
fn bedrock_headers_show_the_usage() {
    let (input, output) = ("x-amzn-bedrock-input-token-count", "x-amzn-bedrock-output-token-count");
    assert_eq!(usage(&[(input, "900"), (output, "120")]), Some(Usage::new(900, 120)));
    assert_eq!(usage(&[(input, "8")]), Some(Usage::new(8, 0)), "embeddings");
    let (read, written) =
        ("x-amzn-bedrock-cache-read-input-token-count", "x-amzn-bedrock-cache-write-input-token-count");
    let cached = [(input, "30"), (read, "2000"), (written, "100"), (output, "628")];
    assert_eq!(usage(&cached), Some(Usage::new(2130, 628).cached(2000)));
}

#[test]
fn other_headers_show_no_usage() {
    for headers in [&[][..], &[("x-amzn-bedrock-input-token-count", "-3")], &[("x-amzn-requestid", "900")]] {
        assert_eq!(usage(headers), None, "{headers:?}");
    }
}
