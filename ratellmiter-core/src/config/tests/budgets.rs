//! Budgets, bounds of waiting, and the provider that they belong to.

use super::*;
use crate::limits::budget_kind::BudgetKind;

const BOUNDS: [&str; 2] = ["max_wait", "max_queue"];
const COUNT: usize = BudgetKind::ALL.len() + BOUNDS.len();

/// Returns every budget, and the bounds of waiting.
fn budgets_and_bounds(limits: &Limits) -> [Option<u64>; COUNT] {
    let wait = limits.max_wait.map(|wait| u64::try_from(wait.as_millis()).unwrap());
    let bounds = [wait, limits.max_queue.map(u64::from)];
    let mut all = limits.budgets().map(|(_, limit)| limit.map(NonZeroU64::get)).chain(bounds);
    std::array::from_fn(|_| all.next().unwrap())
}

#[test]
fn each_budget_and_bound_applies_to_all_or_one_model() {
    for (index, key) in BudgetKind::ALL.map(BudgetKind::key).into_iter().chain(BOUNDS).enumerate() {
        let (five, seven) = if key == "max_wait" { (5000, 7250) } else { (5, 7) };
        let one = if key == "max_wait" { "7.25" } else { "7" };
        let text = format!("{key} = 5\n[models.m]\n{key} = {one}");
        let settings = settings(&Config::new(), &text, &[]);
        let only = |value| std::array::from_fn(|at| (at == index).then_some(value));
        assert_eq!(budgets_and_bounds(&settings.limits("m", None)), only(seven), "{key}");
        assert_eq!(budgets_and_bounds(&settings.limits("n", None)), only(five), "{key}");
        let code_limits = Limits::per_minute(1);
        assert_eq!(
            budgets_and_bounds(&settings.limits("m", Some(code_limits))),
            only(seven),
            "{key}: the file takes precedence"
        );
        assert_eq!(
            budgets_and_bounds(&settings.limits("n", Some(code_limits))),
            [None; COUNT],
            "{key}: the code sets no such limit"
        );
    }
}

#[test]
fn closed_state_is_configured_by_code_file_and_model() {
    let closed = |limits: Limits| (limits.on_exhausted, limits.wait_at_most, limits.give_up_after);
    let time = |seconds| Some(Duration::from_secs(seconds));
    let code = Config::new()
        .on_exhausted(OnExhausted::Wait)
        .wait_at_most(Duration::from_secs(5))
        .give_up_after(Duration::from_secs(6));
    assert_eq!(closed(settings(&code, "", &[]).limits("m", None)), (OnExhausted::Wait, time(5), time(6)));
    let text = "on_exhausted = \"fail\"\ngive_up_after = 60\n[models.m]\non_exhausted = \"wait\"\nwait_at_most = 7200";
    let settings = settings(&code, text, &[]);
    assert_eq!(closed(settings.limits("m", None)), (OnExhausted::Wait, time(7200), time(60)));
    assert_eq!(closed(settings.limits("n", None)), (OnExhausted::Fail, time(5), time(60)));
}

#[test]
fn provider_and_bounds_follow_the_precedence() {
    let openai = "openai".parse::<Provider>().unwrap();
    let code = Config::new().provider(openai).max_wait(Duration::from_secs(9)).max_queue(8);
    let limits = settings(&code, "", &[]).limits("m", None);
    assert_eq!(
        (limits.provider, budgets_and_bounds(&limits)[BudgetKind::ALL.len()..].to_vec()),
        (openai, vec![Some(9000), Some(8)])
    );
    let text = "provider = \"groq\"\nmax_wait = 0.5\n[models.m]\nprovider = \"azure\"\nmax_queue = 3";
    let settings = settings(&code, text, &[]);
    let (one, other) = (settings.limits("m", None), settings.limits("n", None));
    assert_eq!(
        (one.provider.name(), budgets_and_bounds(&one)[BudgetKind::ALL.len()..].to_vec()),
        ("azure", vec![Some(500), Some(3)])
    );
    assert_eq!(
        (other.provider.name(), budgets_and_bounds(&other)[BudgetKind::ALL.len()..].to_vec()),
        ("groq", vec![Some(500), Some(8)])
    );
    let code_limits = Limits::per_minute(1).provider(openai);
    assert_eq!(settings.limits("m", Some(code_limits)).provider.name(), "azure");
    assert_eq!(settings.limits("n", Some(code_limits)).provider, openai);
}

#[test]
fn documentation_lists_all_budgets() {
    for documentation in [include_str!("../mod.rs"), include_str!("../../guide/configuration.md")] {
        for kind in BudgetKind::ALL {
            assert!(documentation.contains(&format!("`{}`", kind.key())), "{}", kind.key());
        }
    }
}

#[test]
fn documented_example_has_the_limits_it_shows() {
    let text = include_str!("../mod.rs");
    let example: Vec<_> = text.lines().map_while(|line| line.strip_prefix("//!")).collect();
    let mut parts = example.split(|line| line.contains("```"));
    let example = parts.nth(1).unwrap().iter().map(|line| line.trim()).collect::<Vec<_>>().join("\n");
    let settings = settings(&Config::new(), &example, &[]);
    let claude = settings.limits("claude-sonnet-4-5", None);
    let gpt = settings.limits("gpt-4o", None);
    assert_eq!((rate(claude), claude.provider.name()), (50, "anthropic"));
    let configured = |limits: &Limits| budgets_and_bounds(limits).into_iter().flatten().collect::<Vec<_>>();
    assert_eq!(configured(&claude), [30_000, 8000, 30_000, 1000]);
    assert_eq!((rate(gpt), gpt.provider.name()), (500, "openai"));
    assert_eq!(configured(&gpt), [30_000, 30_000, 1000]);
    assert!(warnings(&claude).is_empty() && warnings(&gpt).is_empty());
}

#[test]
fn invalid_budget_or_bound_is_one_line_with_range() {
    let budgets = "allowed are whole numbers from 1 to 281474976710656";
    for key in BudgetKind::ALL.map(BudgetKind::key) {
        for before in ["", "[models.m]\n"] {
            let place = |column| format!("line {}, column {column}, key `{key}`: ", before.lines().count() + 1);
            let column = key.len() + 4;
            for (value, problem) in [
                ("0", "invalid value: integer `0`; "),
                ("-5", "invalid value: integer `-5`; "),
                ("2.5", "invalid type: floating point `2.5`; "),
                ("\"30k\"", "invalid type: string \"30k\"; "),
                ("281474976710657", "a limit of 281474976710657; "),
                ("99999999999999999999", "invalid type: integer `99999999999999999999` as i128; "),
            ] {
                let text = format!("{before}{key} = {value}");
                assert_eq!(file_error(&text), format!("{}{problem}{budgets}", place(column)));
            }
        }
    }
    for (value, shown) in
        [("0", "0"), ("-1", "-1"), ("86400.5", "86400.5"), ("nan", "NaN"), ("inf", "inf"), ("1e-12", "0.000000000001")]
    {
        assert_eq!(
            file_error(&format!("max_wait = {value}")),
            format!(
                "line 1, column 12, key `max_wait`: a wait of {shown} seconds; a wait must be more than 0 and at most 86400 seconds"
            )
        );
    }
    // A number that exceeds 128 bits.
    let large = format!("1{}", "0".repeat(60));
    for key in BudgetKind::ALL.map(BudgetKind::key) {
        let message = file_error(&format!("{key} = {large}"));
        let start = format!("line 1, column {}, key `{key}`: integer number overflowed; ", key.len() + 4);
        assert_eq!(message, format!("{start}{budgets}"));
    }
    assert_eq!(
        file_error(&format!("max_attempts = {large}")),
        "line 1, column 16, key `max_attempts`: integer number overflowed; allowed are whole numbers from 1 to 4294967295"
    );
    let line = file_error("max_queue = -1");
    assert!(line.starts_with("line 1, column 13, key `max_queue`: invalid value: integer `-1`; allowed "), "{line}");
    assert!(line.ends_with(" to 4294967295"), "{line}");
    assert_eq!(
        file_error("[models.m]\nprovider = \"antropic\""),
        format!("line 2, column 12, key `provider`: {}", "antropic".parse::<Provider>().unwrap_err())
    );
    assert_eq!(
        file_error("provider = 5"),
        "line 1, column 12, key `provider`: invalid type: integer `5`, expected one of \"openai\", \"azure\", \"anthropic\", \"gemini\", \"bedrock\", \"mistral\", \"groq\", \"deepseek\", \"xai\", \"fireworks\", \"openrouter\", \"cerebras\", \"cohere\", \"dashscope\", \"github-models\", \"minimax\", \"moonshot\", \"together\", \"vertex\", \"zhipu\", \"generic\""
    );
}

#[test]
fn uncounted_budget_beside_its_provider_is_an_error() {
    assert_eq!(
        file_error(
            "[models.\"gemini-2.5-pro\"]\nprovider = \"gemini\"\ntokens_per_minute = 250_000\noutput_tokens_per_minute = 8_000"
        ),
        "line 4, column 28, key `output_tokens_per_minute`: gemini does not count output_tokens_per_minute; its limits are requests_per_minute, requests_per_day, tokens_per_minute"
    );
    assert_eq!(
        file_error("tokens_per_day = 5\ntokens_per_minute = 5\nprovider = \"deepseek\""),
        "line 1, column 18, key `tokens_per_day`: deepseek does not count tokens_per_day; its limits are max_in_flight"
    );
    // The budget and the provider are in different tables.
    let text = "output_tokens_per_minute = 8_000\n[models.m]\nprovider = \"gemini\"";
    let settings = settings(&Config::new(), text, &[]);
    assert_eq!(
        warnings(&settings.limits("m", None)),
        [
            "output_tokens_per_minute has no effect: gemini does not count it; its limits are requests_per_minute, requests_per_day, tokens_per_minute"
        ]
    );
    assert_eq!(warnings(&settings.limits("n", None)), [""; 0], "the provider of this model is unknown");
}

#[test]
fn minute_budget_unknown_to_the_provider_is_a_warning() {
    let text =
        "provider = \"anthropic\"\ntokens_per_minute = 38_000\ntokens_per_day = 1_000_000\nrequests_per_day = 10_000";
    assert_eq!(
        warnings(&settings(&Config::new(), text, &[]).limits("m", None)),
        [
            "anthropic has no tokens_per_minute, so it applies as a limit of your own; its limits are requests_per_minute, input_tokens_per_minute, output_tokens_per_minute"
        ]
    );
}

#[test]
fn provider_without_request_limit_raises_the_default_rate() {
    let text = "[models.m]\nprovider = \"DeepSeek\"\nmax_in_flight = 500\n[models.n]\nprovider = \"deepseek\"\nrequests_per_minute = 7";
    let settings = settings(&Config::new(), text, &[]);
    assert_eq!((rate(settings.limits("m", None)), rate(settings.limits("n", None))), (60_000, 7));
    assert_eq!(rate(settings.limits("others", None)), 300);
}
