//! Token charges and their times, with exact numbers.

use std::time::SystemTime;

use super::*;
use crate::{judge::LimitKind, limits::Limits, providers::usage::Usage};

const MINUTE: Duration = Duration::from_secs(60);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Returns a provider that reports exact times to wait and answers after four seconds.
fn exact() -> Provider {
    Provider::new(1).retry_after(RetryAfter::Exact).latency(seconds(4), 0.0, 0.0)
}

fn take(provider: &mut Provider, now: Duration, size: Size) {
    let answer = provider.call(now, size);
    assert!(matches!(answer, Answer::Finished { usage, .. } if usage == size.usage()), "{answer:?}");
}

fn refused(provider: &mut Provider, now: Duration, size: Size) -> (LimitKind, Duration) {
    match provider.call(now, size) {
        Answer::Refused { limit, retry_after: Some(wait), .. } => (limit, wait),
        answer => panic!("{answer:?}"),
    }
}

#[test]
fn reserved_tokens_are_not_refunded() {
    let mut provider = exact().token_bucket(Unit::Tokens, 6000, MINUTE);
    let size = Size::new(1000, 2000, 100);
    (0..2).for_each(|_| take(&mut provider, Duration::ZERO, size));
    assert_eq!(refused(&mut provider, Duration::ZERO, size), (LimitKind::Tokens, seconds(30)));
    assert_eq!(refused(&mut provider, seconds(10), size), (LimitKind::Tokens, seconds(20)), "both have ended");
    take(&mut provider, seconds(30), size);
    assert_eq!(provider.charged(Unit::Tokens, Duration::ZERO..MINUTE), 9000);
    assert_eq!(provider.charged(Unit::InputTokens, Duration::ZERO..seconds(30)), 2000);
    assert_eq!(provider.charged(Unit::Requests, Duration::ZERO..MINUTE), 3);
}

#[test]
fn larger_of_input_and_maximum_is_charged() {
    for (size, charged) in [(Size::new(1000, 3000, 10), 3000), (Size::new(5000, 3000, 10), 5000)] {
        let mut provider = exact().charging(TokenCharging::Larger);
        take(&mut provider, Duration::ZERO, size);
        assert_eq!(provider.charged(Unit::Tokens, Duration::ZERO..MINUTE), charged);
    }
}

#[test]
fn unused_reservation_is_refunded_at_the_end() {
    let settled = || {
        let charging = TokenCharging::Settled { output_weight: 5 };
        exact().token_bucket(Unit::Tokens, 6000, MINUTE).charging(charging).cached_is_free()
    };
    // 3000 at arrival; at the end 600 uncached tokens and five times 100.
    let size = Size::new(1000, 2000, 100).cached(400);
    let mut provider = settled();
    (0..2).for_each(|_| take(&mut provider, Duration::ZERO, size));
    assert_eq!(refused(&mut provider, Duration::ZERO, size), (LimitKind::Tokens, seconds(30)));
    assert_eq!(provider.wait(Duration::ZERO, size), seconds(4), "when the first ends");
    assert_eq!(refused(&mut provider, millis(3999), Size::new(3000, 2000, 0)).1, millis(46_001));
    take(&mut provider, seconds(4), Size::new(4000, 200, 0));
    assert_eq!(refused(&mut provider, seconds(4), Size::new(1, 0, 0)).1, millis(10));
    assert_eq!(provider.charged(Unit::Tokens, Duration::ZERO..seconds(4)), 6000);
    assert_eq!(provider.charged(Unit::Tokens, Duration::ZERO..millis(4001)), 2200 + 4200);
    // Usage above the reservation is charged.
    let mut provider = settled();
    take(&mut provider, Duration::ZERO, Size::new(1000, 2000, 2000));
    provider.advance_to(seconds(4));
    assert_eq!(provider.charged(Unit::Tokens, Duration::ZERO..MINUTE), 11_000);
    assert_eq!(refused(&mut provider, seconds(4), Size::new(100, 0, 0)).1, seconds(47), "6000 - 11,000 + 400 to 100");
}

#[test]
fn output_is_charged_while_it_is_generated() {
    let produced = || {
        let provider = exact().latency(seconds(10), 0.0, 0.0).charging(TokenCharging::Produced);
        provider.token_bucket(Unit::OutputTokens, 600, MINUTE)
    };
    // A tenth of a second refills one token, and charges ten.
    let (size, small) = (Size::new(100, 4096, 1000), Size::new(1, 4096, 0));
    let mut provider = produced();
    take(&mut provider, Duration::ZERO, size);
    take(&mut provider, millis(6600), small);
    assert_eq!(refused(&mut provider, millis(6700), small), (LimitKind::OutputTokens, millis(500)), "four below zero");
    assert_eq!(provider.charged(Unit::OutputTokens, Duration::ZERO..seconds(7)), 670);
    assert_eq!(refused(&mut provider, seconds(10), small), (LimitKind::OutputTokens, millis(30_200)), "301 below zero");
    assert_eq!(refused(&mut provider, millis(40_199), small).1, millis(1));
    take(&mut provider, millis(40_200), small);
    // With a speed, tokens are generated after the first one only.
    let mut provider = produced().speed(50.0);
    assert_eq!(provider.call(Duration::ZERO, size).after(), seconds(30));
    provider.advance_to(seconds(20));
    assert_eq!(provider.charged(Unit::OutputTokens, Duration::ZERO..millis(10_001)), 0);
    assert_eq!(provider.charged(Unit::OutputTokens, Duration::ZERO..MINUTE), 500);
    provider.advance_to(seconds(30));
    assert_eq!(provider.charged(Unit::OutputTokens, Duration::ZERO..MINUTE), 1000);
}

#[test]
fn input_only_charges_no_output() {
    let mut provider = exact().token_bucket(Unit::InputTokens, 6000, MINUTE).charging(TokenCharging::InputOnly);
    let size = Size::new(2000, 9000, 5000);
    (0..3).for_each(|_| take(&mut provider, Duration::ZERO, size));
    assert_eq!(refused(&mut provider, Duration::ZERO, size), (LimitKind::InputTokens, seconds(20)));
    assert_eq!(refused(&mut provider, seconds(10), size), (LimitKind::InputTokens, seconds(10)));
    assert_eq!(provider.charged(Unit::Tokens, Duration::ZERO..MINUTE), 6000);
    assert_eq!(provider.charged(Unit::OutputTokens, Duration::ZERO..MINUTE), 0);
}

#[test]
fn total_charges_the_output_at_the_end() {
    let mut provider = exact().token_bucket(Unit::Tokens, 6000, MINUTE).charging(TokenCharging::Total);
    take(&mut provider, Duration::ZERO, Size::new(1000, 9999, 8000));
    take(&mut provider, millis(3999), Size::new(1000, 9999, 0));
    // 6000 - 2000 + 400 - 8000.
    assert_eq!(refused(&mut provider, seconds(4), Size::new(1000, 9999, 0)), (LimitKind::Tokens, seconds(46)));
    take(&mut provider, seconds(50), Size::new(1000, 9999, 0));
}

#[test]
fn cached_input_is_charged_or_free() {
    let size = Size::new(1000, 10, 10).cached(900);
    for charging in [TokenCharging::Reserved, TokenCharging::Produced, TokenCharging::InputOnly, TokenCharging::Total] {
        for (mut provider, charged) in [(exact(), 1000), (exact().cached_is_free(), 100)] {
            provider = provider.charging(charging);
            take(&mut provider, Duration::ZERO, size);
            assert_eq!(provider.charged(Unit::InputTokens, Duration::ZERO..MINUTE), charged, "{charging:?}");
        }
    }
}

#[test]
fn windows_count_tokens() {
    let sliding = exact().charging(TokenCharging::Settled { output_weight: 1 });
    let mut sliding = sliding.sliding_count(Unit::Tokens, 1000, seconds(10));
    take(&mut sliding, Duration::ZERO, Size::new(100, 900, 100));
    assert_eq!(refused(&mut sliding, seconds(3), Size::new(100, 0, 0)), (LimitKind::Tokens, seconds(7)));
    take(&mut sliding, seconds(4), Size::new(800, 0, 0));
    assert_eq!(
        refused(&mut sliding, seconds(5), Size::new(200, 0, 0)).1,
        seconds(5),
        "200 of the first call still count"
    );
    let mut fixed = exact().fixed_count(Unit::Tokens, 1000, MINUTE);
    take(&mut fixed, seconds(50), Size::new(100, 900, 100));
    assert_eq!(refused(&mut fixed, seconds(55), Size::new(1, 0, 0)), (LimitKind::Tokens, seconds(5)));
    take(&mut fixed, seconds(60), Size::new(100, 900, 100));
    let mut day = exact().fixed_count(Unit::Requests, 2, seconds(86_400));
    (0..2).for_each(|_| take(&mut day, seconds(400), Size::default()));
    assert_eq!(refused(&mut day, seconds(400), Size::default()), (LimitKind::Daily, seconds(86_000)));
}

#[test]
fn call_larger_than_the_bucket_needs_it_full() {
    let mut provider = exact().token_bucket(Unit::InputTokens, 600, seconds(10));
    take(&mut provider, Duration::ZERO, Size::new(500, 0, 0));
    assert_eq!(refused(&mut provider, Duration::ZERO, Size::new(500, 0, 0)), (LimitKind::InputTokens, seconds(50)));
    take(&mut provider, seconds(50), Size::new(500, 0, 0));
}

#[test]
fn refusal_names_the_limit_with_the_longest_wait() {
    let all = || {
        exact().bucket(60, seconds(1)).token_bucket(Unit::InputTokens, 600, MINUTE).token_bucket(
            Unit::OutputTokens,
            600,
            MINUTE,
        )
    };
    for (size, limit, wait) in [
        (Size::new(10, 10, 0), LimitKind::Requests, 1),
        (Size::new(580, 10, 0), LimitKind::InputTokens, 57),
        (Size::new(580, 590, 0), LimitKind::OutputTokens, 58),
    ] {
        let mut provider = all();
        take(&mut provider, Duration::ZERO, Size::new(590, 590, 0));
        assert_eq!(refused(&mut provider, Duration::ZERO, size), (limit, seconds(wait)));
    }
    let mut unnamed = all().without_limit_kind();
    take(&mut unnamed, Duration::ZERO, Size::default());
    assert_eq!(refused(&mut unnamed, Duration::ZERO, Size::default()), (LimitKind::Unknown, seconds(1)));
}

#[test]
fn ledger_sums_and_finds_the_maximum_of_a_minute() {
    let mut provider = exact().charging(TokenCharging::Settled { output_weight: 1 });
    for (at, tokens) in [(0, 100), (30, 200), (61, 300), (116, 0)] {
        take(&mut provider, seconds(at), Size::new(tokens, 50, 0));
    }
    provider.advance_to(seconds(120));
    assert_eq!(provider.charged(Unit::Tokens, Duration::ZERO..seconds(300)), 600);
    assert_eq!(provider.max_charged(Unit::Tokens, MINUTE), 550, "the second call, and the third before it is settled");
    assert_eq!(provider.max_charged(Unit::Requests, MINUTE), 2);
    assert!((provider.utilisation(Unit::Tokens, 600) - 0.5).abs() < 1e-9);
}

fn header(provider: &mut Provider, now: Duration, name: &str) -> String {
    provider.headers_at(now).get(name).map_or("none", |value| value.to_str().unwrap()).to_owned()
}

#[test]
fn headers_have_the_format_of_each_provider() {
    let limited = || exact().bucket(600, MINUTE).token_bucket(Unit::Tokens, 60_000, MINUTE);
    let (size, now) = (Size::new(20_000, 2400, 100), millis(400));
    let mut openai = limited().headers(HeaderSet::OpenAi);
    take(&mut openai, Duration::ZERO, size);
    let tokens =
        ["limit", "remaining", "reset"].map(|what| header(&mut openai, now, &format!("x-ratelimit-{what}-tokens")));
    assert_eq!(tokens, ["60000", "38000", "22s"]);
    assert_eq!(header(&mut openai, Duration::from_millis(400), "x-ratelimit-remaining-requests"), "600");
    let mut azure = limited().headers(HeaderSet::Azure);
    take(&mut azure, Duration::ZERO, size);
    assert_eq!(header(&mut azure, now, "x-ratelimit-reset-tokens"), "22");
    let epoch = SystemTime::UNIX_EPOCH + seconds(1_700_000_000);
    let mut anthropic =
        limited().token_bucket(Unit::InputTokens, 60_000, MINUTE).headers(HeaderSet::Anthropic { epoch });
    take(&mut anthropic, Duration::ZERO, Size::new(20_400, 0, 0));
    let input = ["limit", "remaining", "reset"]
        .map(|what| header(&mut anthropic, now, &format!("anthropic-ratelimit-input-tokens-{what}")));
    assert_eq!(input, ["60000", "40000", "2023-11-14T22:13:41Z"]);
    let mut groq = limited().fixed_count(Unit::Requests, 1000, seconds(86_400)).headers(HeaderSet::Groq);
    take(&mut groq, Duration::ZERO, size);
    let requests =
        ["limit", "remaining", "reset"].map(|what| header(&mut groq, now, &format!("x-ratelimit-{what}-requests")));
    assert_eq!(requests, ["1000", "999", "23h59m59.6s"]);
    assert_eq!(header(&mut groq, now, "x-ratelimit-limit-tokens"), "60000");
    assert!(limited().headers_at(now).is_empty());
}

#[test]
fn header_faults_replace_the_values() {
    let mut provider = exact()
        .bucket(600, MINUTE)
        .headers(HeaderSet::OpenAi)
        .header_fault(HeaderFault::Limit(0))
        .header_fault(HeaderFault::Remaining(0))
        .header_fault(HeaderFault::Reset(seconds(86_400)));
    let values = ["limit", "remaining", "reset"]
        .map(|what| header(&mut provider, MINUTE, &format!("x-ratelimit-{what}-requests")));
    assert_eq!(values, ["0", "0", "24h0m0s"]);
    take(&mut provider, MINUTE, Size::default());
}

#[test]
fn sizes_have_the_configured_distributions() {
    let workload = Workload::burst(20_001).sizes(1000, 400, 0.8, 600, 1).cached(0.5);
    let sorted = |of: fn(&Size) -> u64| {
        let mut values: Vec<_> = workload.arrivals().iter().map(|arrival| of(&arrival.size)).collect();
        values.sort_unstable();
        values
    };
    let (input, output) = (sorted(|size| size.input), sorted(|size| size.output));
    assert!(
        input[10_000].abs_diff(1000) < 30 && output[10_000].abs_diff(400) < 15,
        "{} {}",
        input[10_000],
        output[10_000]
    );
    assert_eq!(output[20_000], 600, "cut at the maximum");
    assert!(workload.arrivals().iter().all(|arrival| arrival.size.cached == arrival.size.input / 2));
}

#[test]
fn report_sums_the_usage() {
    let size = Size::new(100, 50, 20).cached(30);
    let mut provider = Provider::anthropic(1, Quota { output: Some(8000), ..Quota::default() });
    let mut ours = SchedulerClient::new(Limits::per_minute(600), 1);
    let report = run(&mut provider, &Workload::burst(50).sized(size), &mut [&mut ours]);
    assert_eq!(report.usage(), Usage::new(5000, 1000).cached(1500));
    assert_eq!(provider.charged(Unit::OutputTokens, Duration::ZERO..seconds(7200)), 1000);
    assert_eq!(provider.charged(Unit::InputTokens, Duration::ZERO..seconds(7200)), 3500);
}

#[test]
fn cerebras_charges_at_most_16384_output_tokens() {
    let quota = Quota { tokens: Some(60_000), requests_per_day: Some(100), ..Quota::default() };
    let mut provider = Provider::cerebras(1, quota).latency(seconds(4), 0.0, 0.0);
    let size = Size::new(1000, 64_000, 200).cached(900);
    (0..3).for_each(|_| take(&mut provider, Duration::ZERO, size));
    let refused = |answer| matches!(answer, Answer::Refused { limit: LimitKind::Tokens, retry_after: None, .. });
    assert!(refused(provider.call(Duration::ZERO, size)));
    assert_eq!(provider.charged(Unit::Tokens, Duration::ZERO..MINUTE), 3 * 17_384);
    // Nothing is refunded at the end of the calls; the bucket refills by 1,000 tokens a second.
    assert!(refused(provider.call(millis(9_500), size)));
    take(&mut provider, millis(9_600), size);
    let values = ["tokens-minute", "requests-day"]
        .map(|name| header(&mut provider, millis(9_600), &format!("x-ratelimit-limit-{name}")));
    assert_eq!(values, ["60000", "100"]);
    assert!(header(&mut provider, seconds(30), "x-ratelimit-reset-tokens-minute").parse::<f64>().unwrap() > 38.0);
    // Larger than the bucket, even if it is full.
    assert!(refused(provider.call(seconds(600), Size::new(44_000, 64_000, 200))));
}

/// Checks the number of simultaneous calls that each preset admits, and the limit that refuses the next.
#[test]
fn presets_match_the_documentation() {
    let quota = Quota { requests: Some(600), tokens: Some(6000), ..Quota::default() };
    let by_input = Quota { tokens: None, input: Some(6000), output: Some(6000), ..quota };
    let few = Quota { tokens: None, requests_per_day: Some(3), ..quota };
    let at_once = Quota { in_flight: Some(5), ..Quota::default() };
    let size = Size::new(1000, 1000, 100).cached(500);
    for (name, mut provider, admitted, expected) in [
        ("anthropic", Provider::anthropic(1, by_input), 10, LimitKind::Requests),
        ("anthropic, input", Provider::anthropic(1, Quota { requests: None, ..by_input }), 12, LimitKind::InputTokens),
        ("azure", Provider::azure(1, quota), 3, LimitKind::Tokens),
        ("openai", Provider::openai(1, quota), 6, LimitKind::Tokens),
        ("bedrock", Provider::bedrock(1, quota), 3, LimitKind::Tokens),
        ("gemini", Provider::gemini(1, by_input), 6, LimitKind::InputTokens),
        ("gemini, a day", Provider::gemini(1, few), 3, LimitKind::Daily),
        ("mistral", Provider::mistral(1, quota), 6, LimitKind::Unknown),
        ("xai", Provider::xai(1, quota), 6, LimitKind::Unknown),
        ("groq", Provider::groq(1, quota), 12, LimitKind::Tokens),
        ("fireworks", Provider::fireworks(1, by_input), 10, LimitKind::Unknown),
        ("deepseek", Provider::deepseek(1, at_once), 5, LimitKind::Concurrency),
        ("openrouter", Provider::openrouter(1, few), 3, LimitKind::Daily),
        ("cerebras", Provider::cerebras(1, quota), 3, LimitKind::Tokens),
    ] {
        (0..admitted).for_each(|_| take(&mut provider, Duration::ZERO, size));
        let answer = provider.call(Duration::ZERO, size);
        assert!(matches!(answer, Answer::Refused { limit, .. } if limit == expected), "{name}: {answer:?}");
    }
}
