mod guide;

use proptest::prelude::*;

use super::*;
use crate::providers::usage::Usage;

fn named(name: &str) -> Provider {
    name.parse::<Provider>().unwrap()
}

fn all() -> impl Iterator<Item = Provider> {
    Provider::ALL.iter().copied()
}

/// Input, output and total tokens.
const fn charge(input: u64, output: u64, total: u64) -> TokenCharge {
    TokenCharge { input, output, total }
}

#[test]
fn terms_have_source_date_and_known_limits() {
    let limits = [
        "requests_per_second",
        "requests_per_minute",
        "requests_per_day",
        "tokens_per_minute",
        "tokens_per_day",
        "tokens_per_month",
        "input_tokens_per_minute",
        "output_tokens_per_minute",
        "max_in_flight",
    ];
    let headers = ["openai", "anthropic", "fireworks", "mistral", "openrouter", "cerebras", "together", "ietf", "none"];
    assert_eq!(all().count(), 21);
    for provider in all() {
        assert!(!provider.source().is_empty(), "{provider}");
        let (year, month) = provider.date().split_once('-').unwrap();
        assert!(year.len() == 4 && year.parse::<u16>().is_ok(), "{provider}");
        assert!(month.len() == 2 && (1..=12).contains(&month.parse().unwrap()), "{provider}");
        assert!(headers.contains(&provider.headers()), "{provider}: {}", provider.headers());
        assert!(provider.limits().count() > 0, "{provider}");
        provider.limits().for_each(|limit| assert!(limits.contains(&limit), "{provider}: {limit}"));
        assert!(provider.terms().cached_input <= 1, "{provider}");
        assert!(provider.remaining_rounded_to() > 0, "{provider}");
    }
    for provider in all() {
        let name = provider.name().replace('-', "_");
        let file = format!("{}/src/providers/catalog/{name}.rs", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(file).unwrap();
        let comment = text.lines().take_while(|line| line.starts_with("//! ")).count();
        assert!((1..=3).contains(&comment), "the file of {provider} starts with a short description");
    }
}

#[test]
fn calls_are_charged_by_the_rules_of_their_provider() {
    use Refund::{Headers, Kept, Settled};
    // Reserved: 1000 input and 4000 output tokens. Used: 1000 input tokens, of which 600 cached, and 300 output tokens.
    let usage = Usage::new(1000, 300).cached(600);
    let nothing = charge(0, 0, 0);
    let whole = charge(1000, 4000, 5000);
    let used = charge(1000, 300, 1300);
    let uncached = charge(400, 300, 700);
    for (name, reserved, settled, refused, refund, is_produced) in [
        ("openai", charge(1000, 4000, 4000), charge(1000, 300, 1000), charge(1000, 4000, 4000), Headers, false),
        ("azure", whole, whole, whole, Kept, false),
        ("anthropic", whole, uncached, nothing, Settled, true),
        ("gemini", charge(1000, 0, 1000), charge(1000, 0, 1000), nothing, Settled, false),
        ("bedrock", whole, charge(400, 1500, 1900), nothing, Settled, false),
        ("mistral", whole, used, nothing, Settled, true),
        ("groq", whole, uncached, whole, Headers, false),
        ("deepseek", nothing, nothing, nothing, Settled, false),
        ("xai", whole, used, nothing, Settled, true),
        ("fireworks", whole, used, whole, Settled, false),
        ("openrouter", whole, used, whole, Settled, false),
        ("cerebras", whole, whole, whole, Kept, false),
        ("cohere", whole, used, whole, Settled, false),
        ("dashscope", whole, used, whole, Settled, false),
        ("github-models", whole, used, whole, Settled, false),
        ("minimax", whole, used, whole, Settled, false),
        ("moonshot", whole, whole, whole, Kept, false),
        ("together", whole, used, whole, Settled, false),
        ("vertex", charge(1000, 0, 1000), charge(1000, 0, 1000), charge(1000, 0, 1000), Settled, false),
        ("zhipu", whole, used, whole, Settled, false),
        ("generic", whole, used, whole, Settled, false),
    ] {
        let provider = named(name);
        assert_eq!(provider.reserve(1000, 4000), reserved, "{name} reserves");
        assert_eq!(provider.settle("us.anthropic.Claude-Opus-4", reserved, usage), settled, "{name} settles");
        assert_eq!(provider.refused(reserved), refused, "{name} refuses");
        assert_eq!(provider.refund(), refund, "{name}");
        assert_eq!(provider.is_produced(), is_produced, "{name}");
    }
}

#[test]
fn bedrock_weighs_output_by_model() {
    let bedrock = named("bedrock");
    let output = |model| bedrock.settle(model, charge(10, 100, 110), Usage::new(10, 20)).output;
    assert_eq!(output("anthropic.claude-sonnet-4-20250514-v1:0"), 100);
    assert_eq!(output("CLAUDE"), 100);
    assert_eq!(output("amazon.nova-pro-v1:0"), 20);
    assert_eq!(output(""), 20);
    assert_eq!(named("anthropic").settle("claude-sonnet-4", TokenCharge::default(), Usage::new(10, 20)).output, 20);
}

#[test]
fn azure_settles_at_least_the_reservation() {
    let azure = named("azure");
    let reserved = azure.reserve(100, 50);
    assert_eq!(azure.settle("gpt-4o", reserved, Usage::new(180, 20)), charge(180, 50, 200));
}

#[test]
fn cerebras_reserves_at_most_16384_output_tokens() {
    let cerebras = named("cerebras");
    assert_eq!(cerebras.reserve(1000, 65_536), charge(1000, 16_384, 17_384));
    assert_eq!(cerebras.settle("gpt-oss-120b", cerebras.reserve(1000, 65_536), Usage::new(1000, 12)).total, 17_384);
    assert_eq!((cerebras.unstated_output(), cerebras.output_parameter()), (Some(16_384), "max_completion_tokens"));
    let capped: Vec<_> = all().filter(|it| it.unstated_output().is_some()).map(|it| it.name()).collect();
    assert_eq!(capped, ["cerebras"]);
    let documented: Vec<_> = all().filter(|it| it.refuses_oversized()).map(|it| it.name()).collect();
    assert_eq!(documented, ["openai", "azure", "bedrock", "cerebras", "moonshot"]);
}

#[test]
fn only_deepseek_ignores_refused_requests() {
    let free: Vec<_> = all().filter(|provider| !provider.counts_refused_requests()).map(|it| it.name()).collect();
    assert_eq!(free, ["deepseek"]);
}

#[test]
fn headers_of_groq_and_anthropic_differ() {
    let daily: Vec<_> = all().filter(Provider::requests_header_is_per_day).map(|it| it.name()).collect();
    assert_eq!(daily, ["groq"]);
    let rounded: Vec<_> = all().filter(|it| it.remaining_rounded_to() > 1).map(|it| it.name()).collect();
    assert_eq!(rounded, ["anthropic"]);
    assert_eq!(named("anthropic").remaining_rounded_to(), 1000);
}

#[test]
fn unknown_name_lists_all_providers() {
    let error = "opnai".parse::<Provider>().unwrap_err().to_string();
    assert_eq!(
        error,
        "no provider is called \"opnai\"; known are openai, azure, anthropic, gemini, bedrock, mistral, groq, deepseek, \
         xai, fireworks, openrouter, cerebras, cohere, dashscope, github-models, minimax, moonshot, together, vertex, \
         zhipu, generic"
    );
    assert_eq!("a\nb".parse::<Provider>().unwrap_err().to_string().lines().count(), 1);
}

#[test]
fn providers_are_parsed_from_their_names() {
    all().for_each(|it| assert_eq!(named(it.name()), it));
    assert_ne!(named("openai"), named("azure"));
    assert_eq!(Provider::default(), named("generic"));
    assert_eq!(format!("{:?} {:>6}", named("xai"), named("xai")), "Xai    xai");
}

proptest! {
    #[test]
    fn charges_never_overflow(
        numbers in any::<[u64; 5]>(),
        huge in any::<bool>(),
        model in "(claude)?.{0,10}",
    ) {
        let [input, output, used, cached, produced] = numbers.map(|number| if huge { number | 1 << 63 } else { number });
        // The fields are public, so more tokens may be cached than used.
        let usage = Usage { input: used, cached, output: produced };
        for provider in all() {
            let reserved = provider.reserve(input, output);
            prop_assert!(reserved.total >= reserved.input.max(reserved.output));
            prop_assert!(reserved.total <= reserved.input.saturating_add(reserved.output));
            let settled = provider.settle(&model, reserved, usage);
            prop_assert!(settled.total >= settled.input.max(settled.output));
            prop_assert!(settled.input <= used.max(reserved.input));
            if provider.refund() == Refund::Kept {
                prop_assert_eq!(settled, settled.at_least(reserved));
            }
            prop_assert!(provider.refused(reserved).total <= reserved.total);
        }
    }
}
