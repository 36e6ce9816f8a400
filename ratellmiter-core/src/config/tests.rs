//! Precedence of code, file and environment, and error messages.

use std::{fs, num::NonZeroU64};

use super::*;

fn variables(pairs: &[(&str, &str)]) -> Result<Variables, ConfigError> {
    Variables::from_env(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()))
}

fn file(text: &str) -> Result<File, ConfigError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.toml");
    fs::write(&path, text).unwrap();
    File::read(&path)
}

/// Returns the error message of a file, from the place on.
fn file_error(text: &str) -> String {
    let message = file(text).unwrap_err().to_string();
    let (start, rest) = message.split_once("x.toml, ").unwrap();
    assert!(start.starts_with("in the configuration "), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
    rest.to_owned()
}

fn settings(config: &Config, text: &str, pairs: &[(&str, &str)]) -> Settings {
    Settings::combine(config.clone(), file(text).unwrap(), variables(pairs).unwrap())
}

fn rate(limits: Limits) -> u32 {
    limits.requests_per_minute.get()
}

#[test]
fn environment_overrides_file_and_file_overrides_code() {
    let code = Config::new().default_rate_limit(100);
    assert_eq!(rate(settings(&code, "", &[]).limits("m", None)), 100);
    let text = "default_rate_limit = 200\nlog_directory = \"here\"";
    let with_file = settings(&code, text, &[]);
    assert_eq!((rate(with_file.limits("m", None)), with_file.log_directory), (200, "here".into()));
    let variables = [("RATELLMITER_RATE_LIMIT", "400"), ("RATELLMITER_LOGS", "there")];
    let with_both = settings(&code, text, &variables);
    assert_eq!((rate(with_both.limits("m", None)), with_both.log_directory), (400, "there".into()));
}

#[test]
fn model_table_overrides_limits_of_the_code() {
    let text = "max_attempts = 7\n[models.\"gpt-4o\"]\nrequests_per_minute = 500\nramp = \"off\"";
    let settings = settings(&Config::new(), text, &[("RATELLMITER_RATE_LIMIT", "60")]);
    let code_limits = Limits::per_minute(9).max_in_flight(3);
    let limits = settings.limits("gpt-4o", Some(code_limits));
    assert_eq!((rate(limits), limits.ramp, limits.max_in_flight), (500, None, code_limits.max_in_flight));
    assert_eq!(
        rate(settings.limits("other", Some(code_limits))),
        9,
        "the default is for models without a limit of their own"
    );
    let limits = settings.limits("unnamed", None);
    assert_eq!((rate(limits), limits.max_attempts.get(), limits.ramp), (60, 7, Some(Ramp::DEFAULT)));
}

#[test]
fn burst_window_and_adaptive_apply_to_all_or_one_model() {
    let code = Config::new().burst_window(Duration::from_secs(10)).adaptive(false);
    let settings = settings(&code, "burst_window = 2.5\n[models.m]\nadaptive = true\nburst_window = 60", &[]);
    let (one, other) = (settings.limits("m", None), settings.limits("n", None));
    assert_eq!((one.burst_window, one.adaptive), (Duration::from_secs(60), true));
    assert_eq!((other.burst_window, other.adaptive), (Duration::from_millis(2500), false));
}

#[test]
fn off_disables_pacing_of_all_models() {
    let settings = settings(&Config::new(), "enabled = true", &[("RATELLMITER", "off")]);
    assert!(!settings.limits("m", Some(Limits::per_minute(1))).enabled);
    assert!(!self::settings(&Config::new(), "[models.m]\nenabled = false", &[]).limits("m", None).enabled);
}

#[test]
fn file_error_is_one_line_with_place_and_range() {
    assert_eq!(
        file_error("\n[models.m]\nrequests = 5"),
        "line 3, column 1, key `requests`: unknown field `requests`, expected one of `requests_per_minute`, `max_in_flight`, `max_attempts`, `burst_window`, `adaptive`, `enabled`, `ramp`, `provider`, `requests_per_day`, `tokens_per_minute`, `input_tokens_per_minute`, `output_tokens_per_minute`, `tokens_per_day`, `max_wait`, `max_queue`"
    );
    for (text, start) in [
        ("default_rate_limit = 0", "line 1, column 22, key `default_rate_limit`: "),
        ("default_rate_limit = -5", "line 1, column 22, key `default_rate_limit`: "),
        ("max_attempts = 2.5", "line 1, column 16, key `max_attempts`: "),
    ] {
        let message = file_error(text);
        assert!(message.starts_with(start), "{message}");
        assert!(message.ends_with("allowed are whole numbers from 1 to 4294967295"), "{message}");
    }
    for (text, part) in [
        ("ramp = \"on\"", "allowed is \"off\" or { start = 0.25, step = 0.10 }"),
        ("ramp = { start = 2.0, step = 0.1 }", "from 0.001 to 1, not 2"),
        ("ramp = { start = 0.5 }", "allowed is \"off\" or { start = 0.25, step = 0.10 }"),
        ("burst_window = 61", "a burst of 61 seconds; allowed are 0 to 60 seconds"),
        ("burst_window = nan", "allowed are 0 to 60 seconds"),
        ("burst_window = \"1m\"", "line 1, column 16, key `burst_window`"),
        ("[models\n", "line 1"),
    ] {
        let message = file_error(text);
        assert!(message.contains(part), "{text}: {message}");
    }
}

#[test]
fn unquoted_model_with_a_dot_is_explained() {
    assert_eq!(
        file_error("[models.gpt-4.1]\nrequests_per_minute = 5"),
        "line 1, column 15: unknown field `1`; a model name with a dot must be quoted: [models.\"gpt-4.1\"]"
    );
    for (text, quoted) in [
        ("[models]\ngemini-2.5-pro.max_queue = 5", "[models.\"gemini-2.5-pro\"]"),
        ("[models.a.b.c]\nramp = { start = 0.5, step = 0.5 }", "[models.\"a.b.c\"]"),
        ("models.a.1.ramp = { start = 0.5, step = 0.5 }", "[models.\"a.1\"]"),
    ] {
        let message = file_error(text);
        assert!(message.ends_with(&format!("must be quoted: {quoted}")), "{text}: {message}");
    }
    assert!(file("[models.\"gpt-4.1\"]\nrequests_per_minute = 5").is_ok());
}

#[test]
fn missing_file_named_by_the_environment_is_an_error() {
    let named = variables(&[("RATELLMITER_CONFIG", "no/such/file.toml")]).unwrap().file().unwrap();
    let message = File::read(&named).unwrap_err().to_string();
    assert!(message.starts_with("cannot read the configuration no/such/file.toml: "), "{message}");
}

#[test]
fn variable_error_names_variable_and_allowed_values() {
    let variable_error = |name, value| variables(&[(name, value)]).unwrap_err().to_string();
    assert_eq!(
        variable_error("RATELLMITER_RATE_LIMIT", "0"),
        "the environment variable RATELLMITER_RATE_LIMIT is \"0\"; allowed is a whole number of calls a minute from 1 to 4294967295"
    );
    assert_eq!(
        variable_error("RATELLMITER", "of"),
        "the environment variable RATELLMITER is \"of\"; allowed is \"on\" or \"off\""
    );
    assert!(
        variables(&[("RATELLMITER", ""), ("RATELLMITER_RATE_LIMIT", "")]).is_ok(),
        "an empty variable counts as unset"
    );
}

#[test]
#[should_panic(expected = "the number must be at least 1")]
fn rate_limit_of_zero_panics() {
    let _ = Config::new().default_rate_limit(0);
}

/// Returns every budget, and the bounds of waiting, in the order of [`KEYS`].
fn budgets_and_bounds(limits: &Limits) -> [Option<u64>; 7] {
    let budgets = [
        limits.requests_per_day,
        limits.tokens_per_minute,
        limits.input_tokens_per_minute,
        limits.output_tokens_per_minute,
        limits.tokens_per_day,
    ];
    let wait = limits.max_wait.map(|wait| u64::try_from(wait.as_millis()).unwrap());
    let bounds = [wait, limits.max_queue.map(u64::from)];
    let mut all = budgets.map(|budget| budget.map(NonZeroU64::get)).into_iter().chain(bounds);
    std::array::from_fn(|_| all.next().unwrap())
}

const KEYS: [&str; 7] = [
    "requests_per_day",
    "tokens_per_minute",
    "input_tokens_per_minute",
    "output_tokens_per_minute",
    "tokens_per_day",
    "max_wait",
    "max_queue",
];

#[test]
fn each_budget_and_bound_applies_to_all_or_one_model() {
    for (index, key) in KEYS.into_iter().enumerate() {
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
            [None; 7],
            "{key}: the code sets no such limit"
        );
    }
}

#[test]
fn provider_and_bounds_follow_the_precedence() {
    let openai = "openai".parse::<Provider>().unwrap();
    let code = Config::new().provider(openai).max_wait(Duration::from_secs(9)).max_queue(8);
    let limits = settings(&code, "", &[]).limits("m", None);
    assert_eq!((limits.provider, budgets_and_bounds(&limits)[5..].to_vec()), (openai, vec![Some(9000), Some(8)]));
    let text = "provider = \"groq\"\nmax_wait = 0.5\n[models.m]\nprovider = \"azure\"\nmax_queue = 3";
    let settings = settings(&code, text, &[]);
    let (one, other) = (settings.limits("m", None), settings.limits("n", None));
    assert_eq!((one.provider.name(), budgets_and_bounds(&one)[5..].to_vec()), ("azure", vec![Some(500), Some(3)]));
    assert_eq!((other.provider.name(), budgets_and_bounds(&other)[5..].to_vec()), ("groq", vec![Some(500), Some(8)]));
    let code_limits = Limits::per_minute(1).provider(openai);
    assert_eq!(settings.limits("m", Some(code_limits)).provider.name(), "azure");
    assert_eq!(settings.limits("n", Some(code_limits)).provider, openai);
}

#[test]
fn documented_example_has_the_limits_it_shows() {
    let text = include_str!("mod.rs");
    let example: Vec<_> = text.lines().map_while(|line| line.strip_prefix("//!")).collect();
    let mut parts = example.split(|line| line.contains("```"));
    let example = parts.nth(1).unwrap().iter().map(|line| line.trim()).collect::<Vec<_>>().join("\n");
    let settings = settings(&Config::new(), &example, &[]);
    let claude = settings.limits("claude-sonnet-4-5", None);
    let gpt = settings.limits("gpt-4o", None);
    assert_eq!((rate(claude), claude.provider.name()), (50, "anthropic"));
    assert_eq!(budgets_and_bounds(&claude), [None, None, Some(30_000), Some(8000), None, Some(30_000), Some(1000)]);
    assert_eq!((rate(gpt), gpt.provider.name()), (500, "openai"));
    assert_eq!(budgets_and_bounds(&gpt), [None, Some(30_000), None, None, None, Some(30_000), Some(1000)]);
    assert!(warnings(&claude).is_empty() && warnings(&gpt).is_empty());
}

#[test]
fn invalid_budget_or_bound_is_one_line_with_range() {
    let budgets = "allowed are whole numbers from 1 to 281474976710656";
    for key in &KEYS[..5] {
        for before in ["", "[models.m]\n"] {
            let place = |column| format!("line {}, column {column}, key `{key}`: ", before.lines().count() + 1);
            let column = key.len() + 4;
            for (value, problem) in [
                ("0", "invalid value: integer `0`, expected a nonzero u64; "),
                ("-5", "invalid value: integer `-5`, expected a nonzero u64; "),
                ("2.5", "invalid type: floating point `2.5`, expected a nonzero u64; "),
                ("\"30k\"", "invalid type: string \"30k\", expected a nonzero u64; "),
                ("281474976710657", "a limit of 281474976710657; "),
                (
                    "99999999999999999999",
                    "invalid type: integer `99999999999999999999` as i128, expected a nonzero u64; ",
                ),
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
                "line 1, column 12, key `max_wait`: a wait of {shown} seconds; allowed are more than 0 and up to 86400 seconds"
            )
        );
    }
    // A number that exceeds 128 bits.
    let large = format!("1{}", "0".repeat(60));
    for key in &KEYS[..5] {
        let message = file_error(&format!("{key} = {large}"));
        let start = format!("line 1, column {}, key `{key}`: integer number overflowed; ", key.len() + 4);
        assert_eq!(message, format!("{start}{budgets}"));
    }
    assert_eq!(
        file_error(&format!("max_attempts = {large}")),
        "line 1, column 16, key `max_attempts`: integer number overflowed; allowed are whole numbers from 1 to 4294967295"
    );
    let line = file_error("max_queue = -1");
    assert!(line.starts_with("line 1, column 13, key `max_queue`: invalid value: integer `-1`, expected "), "{line}");
    assert!(line.ends_with(" to 4294967295"), "{line}");
    assert_eq!(
        file_error("[models.m]\nprovider = \"antropic\""),
        format!("line 2, column 12, key `provider`: {}", "antropic".parse::<Provider>().unwrap_err())
    );
    assert_eq!(
        file_error("provider = 5"),
        "line 1, column 12, key `provider`: invalid type: integer `5`, expected a string"
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
            "output_tokens_per_minute never binds: gemini does not count it; its limits are requests_per_minute, requests_per_day, tokens_per_minute"
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

#[test]
fn documented_files_are_valid() {
    let pages = concat!(
        include_str!("../../../README.md"),
        include_str!("../guide/configuration.md"),
        include_str!("../guide/fleets.md"),
        include_str!("../guide/tokens.md")
    );
    let files: Vec<_> = pages.split("```toml\n").skip(1).filter_map(|rest| rest.split_once("```")).collect();
    assert!(files.len() >= 4, "{} files", files.len());
    for (text, _) in files {
        let settings = settings(&Config::new(), text, &[]);
        assert_eq!(settings.limits("gpt-4o", None).provider.name(), "openai", "{text}");
    }
}

#[cfg(feature = "redis")]
#[test]
fn sharing_follows_the_precedence() {
    use crate::limits::{fleet_config::FleetConfig, on_disconnect::OnDisconnect};

    let shared = |text: &str, pairs: &[(&str, &str)], code: Option<&FleetConfig>| {
        settings(&Config::new(), text, pairs).sharing.merged_with_code(code)
    };
    let url = |url: &str| FleetConfig::redis(url).unwrap();
    let code = url("redis://code").namespace("mine").on_disconnect(OnDisconnect::FullLimits);
    assert_eq!(shared("", &[], None), None);
    assert_eq!(shared("", &[], Some(&code)), Some(code.clone()));
    let text = "shared = \"redis://file\"";
    assert_eq!(shared(text, &[], None), Some(url("redis://file")));
    assert_eq!(
        shared(text, &[], Some(&code)),
        Some(url("redis://file").namespace("mine").on_disconnect(OnDisconnect::FullLimits))
    );
    let whole = format!("{text}\nshared_namespace = \"theirs\"\nshared_on_disconnect = \"wait\"");
    let pairs = [("RATELLMITER_SHARED", "rediss://u:p@variable:1/2")];
    let expected = url("rediss://u:p@variable:1/2").namespace("theirs").on_disconnect(OnDisconnect::Wait);
    assert_eq!(shared(&whole, &pairs, Some(&code)), Some(expected));
    assert_eq!(
        shared("shared_namespace = \"theirs\"", &[], Some(&code)),
        Some(url("redis://code").namespace("theirs").on_disconnect(OnDisconnect::FullLimits))
    );
}

#[cfg(feature = "redis")]
#[test]
fn invalid_url_is_reported_without_its_password() {
    let wrong = file_error("shared = \"http://:hunter2@host\"");
    assert!(wrong.starts_with("line 1, column 10, key `shared`: no URL of a Redis or Valkey server"), "{wrong}");
    assert!(wrong.contains("allowed are redis://HOST:PORT") && !wrong.contains("hunter2"), "{wrong}");
    let variable = variables(&[("RATELLMITER_SHARED", "hunter2")]).unwrap_err().to_string();
    assert!(
        variable.starts_with(
            "the environment variable RATELLMITER_SHARED is no URL of a Redis or Valkey server: there is no scheme; allowed are"
        ),
        "{variable}"
    );
    assert!(!variable.contains("hunter2"));
    for (text, problem) in [
        ("shared_on_disconnect = \"shut\"", "\"shut\" is not \"degrade\", \"wait\" or \"full_limits\""),
        ("shared_on_disconnect = true", "expected \"degrade\", \"wait\" or \"full_limits\""),
        ("shared = 6379", "expected the URL of a Redis or Valkey server, as \"redis://HOST:PORT\""),
        ("shared_namespace = \"\"", "a namespace is not empty"),
    ] {
        let message = file_error(text);
        assert!(message.contains(problem) && message.lines().count() == 1, "{message}");
    }
}

#[test]
fn sharing_without_the_feature_is_an_error() {
    let sharing = settings(&Config::new(), "shared = \"redis://h\"\nshared_on_disconnect = \"wait\"", &[]).sharing;
    let error = sharing.check(false).unwrap_err().to_string();
    assert!(error.starts_with("`shared` in the configuration has limiters shared, but"), "{error}");
    assert!(error.contains("the feature `redis`") && error.lines().count() == 1, "{error}");
}
