use proptest::prelude::*;

use super::*;
use crate::providers::usage::Usage;

fn contract(name: &str) -> Provider {
    name.parse::<Provider>().unwrap()
}

fn all() -> impl Iterator<Item = Provider> {
    Provider::ALL.iter().copied()
}

/// Input, output, total.
const fn charge(input: u64, output: u64, total: u64) -> TokenCharge {
    TokenCharge { input, output, total }
}

#[test]
fn every_contract_says_what_it_follows() {
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
    let headers = ["openai", "anthropic", "fireworks", "mistral", "openrouter", "ietf", "none"];
    assert_eq!(all().count(), 12);
    for contract in all() {
        assert!(!contract.source().is_empty(), "{contract}");
        let (year, month) = contract.date().split_once('-').unwrap();
        assert!(year.len() == 4 && year.parse::<u16>().is_ok(), "{contract}");
        assert!(month.len() == 2 && (1..=12).contains(&month.parse().unwrap()), "{contract}");
        assert!(headers.contains(&contract.headers()), "{contract}: {}", contract.headers());
        assert!(contract.limits().count() > 0, "{contract}");
        contract.limits().for_each(|limit| assert!(limits.contains(&limit), "{contract}: {limit}"));
        assert!(contract.terms().cached_input <= 1, "{contract}");
        assert!(contract.remaining_rounded_to() > 0, "{contract}");
    }
    for contract in all() {
        let file = format!("{}/src/providers/catalog/{contract}.rs", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(file).unwrap();
        let comment = text.lines().take_while(|line| line.starts_with("//! ")).count();
        assert!((1..=3).contains(&comment), "{contract} says first what the provider does");
    }
}

#[test]
fn what_a_call_is_charged() {
    use Refund::{Headers, Kept, Settled};
    // 1000 in and at most 4000 out; really 1000, of which 600 cached, and 300.
    let usage = Usage::new(1000, 300).cached(600);
    let nothing = charge(0, 0, 0);
    let whole = charge(1000, 4000, 5000);
    let used = charge(1000, 300, 1300);
    let uncached = charge(400, 300, 700);
    for (name, reserved, settled, refused, gives_back, is_produced) in [
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
        ("generic", whole, used, whole, Settled, false),
    ] {
        let contract = contract(name);
        assert_eq!(contract.reserve(1000, 4000), reserved, "{name} reserves");
        assert_eq!(contract.settle("us.anthropic.Claude-Opus-4", reserved, usage), settled, "{name} settles");
        assert_eq!(contract.refused(reserved), refused, "{name} refuses");
        assert_eq!(contract.refund(), gives_back, "{name}");
        assert_eq!(contract.is_produced(), is_produced, "{name}");
    }
}

#[test]
fn output_weighs_more_for_some_models_of_bedrock() {
    let bedrock = contract("bedrock");
    let output = |model| bedrock.settle(model, charge(10, 100, 110), Usage::new(10, 20)).output;
    assert_eq!(output("anthropic.claude-sonnet-4-20250514-v1:0"), 100);
    assert_eq!(output("CLAUDE"), 100);
    assert_eq!(output("amazon.nova-pro-v1:0"), 20);
    assert_eq!(output(""), 20);
    assert_eq!(contract("anthropic").settle("claude-sonnet-4", TokenCharge::default(), Usage::new(10, 20)).output, 20);
}

#[test]
fn azure_charges_more_if_more_was_used() {
    let azure = contract("azure");
    let reserved = azure.reserve(100, 50);
    assert_eq!(azure.settle("gpt-4o", reserved, Usage::new(180, 20)), charge(180, 50, 200));
}

#[test]
fn who_counts_refused_requests() {
    let free: Vec<_> = all().filter(|contract| !contract.counts_refused_requests()).map(|it| it.name()).collect();
    assert_eq!(free, ["deepseek"]);
}

#[test]
fn what_headers_mean() {
    let daily: Vec<_> = all().filter(Provider::requests_header_is_per_day).map(|it| it.name()).collect();
    assert_eq!(daily, ["groq"]);
    let rounded: Vec<_> = all().filter(|it| it.remaining_rounded_to() > 1).map(|it| it.name()).collect();
    assert_eq!(rounded, ["anthropic"]);
    assert_eq!(contract("anthropic").remaining_rounded_to(), 1000);
}

#[test]
fn a_name_that_nobody_has_is_told_the_names() {
    let error = "opnai".parse::<Provider>().unwrap_err().to_string();
    assert_eq!(
        error,
        "no provider is called \"opnai\"; known are openai, azure, anthropic, gemini, bedrock, mistral, groq, deepseek, \
         xai, fireworks, openrouter, generic"
    );
    assert_eq!("a\nb".parse::<Provider>().unwrap_err().to_string().lines().count(), 1);
}

#[test]
fn contracts_are_told_apart_by_name() {
    all().for_each(|it| assert_eq!(contract(it.name()), it));
    assert_ne!(contract("openai"), contract("azure"));
    assert_eq!(Provider::default(), contract("generic"));
    assert_eq!(format!("{:?} {:>6}", contract("xai"), contract("xai")), "Provider(\"xai\")    xai");
}

proptest! {
    #[test]
    fn no_charge_overflows(
        numbers in any::<[u64; 5]>(),
        huge in any::<bool>(),
        model in "(claude)?.{0,10}",
    ) {
        let [input, output, used, cached, produced] = numbers.map(|number| if huge { number | 1 << 63 } else { number });
        // The fields are open: nobody checked that the cached part is a part.
        let usage = Usage { input: used, cached, output: produced };
        for contract in all() {
            let reserved = contract.reserve(input, output);
            prop_assert!(reserved.total >= reserved.input.max(reserved.output));
            prop_assert!(reserved.total <= reserved.input.saturating_add(reserved.output));
            let settled = contract.settle(&model, reserved, usage);
            prop_assert!(settled.total >= settled.input.max(settled.output));
            prop_assert!(settled.input <= used.max(reserved.input));
            if contract.refund() == Refund::Kept {
                prop_assert_eq!(settled, settled.at_least(reserved));
            }
            prop_assert!(contract.refused(reserved).total <= reserved.total);
        }
    }
}
