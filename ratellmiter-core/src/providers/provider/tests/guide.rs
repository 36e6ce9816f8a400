//! The table of the guide, which is compared with the catalog.

use super::*;
use crate::providers::{
    error_signs::Sign,
    terms::{Input, Output},
};

const GUIDE: &str = include_str!("../../../guide/providers.md");

/// Returns the accounting rule in words.
fn rule(provider: Provider) -> String {
    let terms = provider.terms();
    let is_undocumented = |it: Provider| {
        let (terms, generic) = (it.terms(), named("generic").terms());
        let rule =
            |terms: &crate::providers::terms::Terms| (terms.input, terms.cached_input, terms.output, terms.refund);
        rule(terms) == rule(generic) && !terms.refuses_oversized && terms.output_weight_of.is_empty()
    };
    if provider != named("generic") && is_undocumented(provider) {
        return "not documented: as `generic`".to_owned();
    }
    let input = match (terms.input, terms.cached_input) {
        (Input::Free, _) => None,
        (Input::Counted, 0) => Some("uncached input"),
        (Input::Counted, _) => Some("input"),
    };
    let output = match terms.output {
        Output::Free => None,
        Output::Generated => Some("output as it is generated"),
        Output::Reserved | Output::Larger => Some("maximum output"),
    };
    let mut words = match (input, output) {
        (None, None) => return "no tokens: calls in flight only".to_owned(),
        (Some(input), Some(output)) if terms.output == Output::Larger => format!("the larger of {input} and {output}"),
        (input, output) => input.into_iter().chain(output).collect::<Vec<_>>().join(" and "),
    };
    if let Some(cap) = terms.output_cap {
        words = format!("{words}, at most {cap} of it");
    }
    for (part, weight) in terms.output_weight_of {
        words = format!("{words}; output of `{part}` counts {weight} times");
    }
    match terms.refund {
        Refund::Settled => format!("{words}; refunded down to the usage"),
        Refund::Headers => format!("{words}; refunded as the headers show"),
        Refund::Kept => format!("{words}; not refunded"),
    }
}

/// Returns the codes of its errors, without the names of their places.
fn codes(provider: Provider) -> String {
    let code = |sign: &Sign| match *sign {
        Sign::Code(code) | Sign::CodePart(code) | Sign::Quota(code) => Some(code),
        Sign::Phrase(_) | Sign::Start(_) | Sign::PhraseUnless(..) => None,
    };
    let bare = |code: &str| {
        let number = code.rsplit('.').next().filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
        format!("`{}`", number.unwrap_or(code))
    };
    let errors = provider.terms().responses.errors;
    let codes: Vec<_> = errors.iter().filter_map(|(sign, _)| code(sign)).map(bare).collect();
    match (codes.is_empty(), errors.is_empty()) {
        (false, _) => codes.join(", "),
        (true, false) => "by words".to_owned(),
        (true, true) => "by status".to_owned(),
    }
}

#[test]
fn table_of_the_guide_is_that_of_the_catalog() {
    let row = |it: Provider| format!("| `{it}` | {} | {} | {} | {} |", rule(it), codes(it), it.source(), it.date());
    let expected: Vec<_> = all().map(row).collect();
    let found: Vec<_> = GUIDE.lines().filter(|line| line.starts_with("| `")).collect();
    assert!(found == expected, "the table is to be:\n{}", expected.join("\n"));
}

#[test]
fn number_of_providers_in_the_texts_is_that_of_the_catalog() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let number_before = |path: &str, words: &str| {
        let text = std::fs::read_to_string(root.join(path)).unwrap();
        let (before, _) = text.split_once(words).unwrap_or_else(|| panic!("{path} has no \"{words}\""));
        before.split_whitespace().next_back().and_then(|number| number.parse::<usize>().ok())
    };
    for (path, words) in [
        ("README.md", "[providers] |"),
        ("ratellmiter-core/README.md", "providers, limits calls in flight"),
        ("ratellmiter-core/src/guide/tokens.md", "accounting rules, each of which"),
    ] {
        assert_eq!(number_before(path, words), Some(all().count()), "{path}");
    }
}
