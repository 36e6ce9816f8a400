//! Precedence of code, file and environment, and error messages.

use std::{fs, num::NonZeroU64, panic, sync::mpsc, thread};

use super::*;

mod budgets;
mod sharing;

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
    let text =
        "max_attempts = 7\ntransient_attempts = 0\n[models.\"gpt-4o\"]\nrequests_per_minute = 500\nramp = \"off\"";
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
    assert_eq!(limits.transient_attempts, 0);
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
fn variable_that_disables_pacing_ignores_case() {
    for (value, off) in [("off", true), ("OFF", true), ("Off", true), ("on", false), ("ON", false)] {
        assert_eq!(variables(&[("RATELLMITER", value)]).unwrap().off, off, "{value}");
    }
}

#[test]
fn configured_code_can_disable_pacing() {
    let code = Config::new().enabled(false);
    assert!(!settings(&code, "", &[]).limits("m", None).enabled);
    assert!(settings(&code, "enabled = true", &[]).limits("m", None).enabled);
}

#[test]
fn file_error_is_one_line_with_place_and_range() {
    assert_eq!(
        file_error("\n[models.m]\nrequests = 5"),
        "line 3, column 1, key `requests`: unknown field `requests`, expected one of `requests_per_minute`, `max_in_flight`, `max_attempts`, `transient_attempts`, `burst_window`, `adaptive`, `enabled`, `ramp`, `provider`, `max_wait`, `max_queue`, `give_up_after`, `on_exhausted`, `wait_at_most`, `tokens_per_minute`, `input_tokens_per_minute`, `output_tokens_per_minute`, `requests_per_day`, `tokens_per_day`"
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
        (
            "burst_window = \"1m\"",
            "line 1, column 16, key `burst_window`: invalid type: string \"1m\", expected seconds from 0 to 60",
        ),
        ("on_exhausted = \"stop\"", "\"stop\" is not \"fail\" or \"wait\""),
        ("on_exhausted = true", "expected \"fail\" or \"wait\""),
        ("give_up_after = 0", "a wait of 0 seconds; a wait must be more than 0 and at most 2678400 seconds"),
        ("wait_at_most = 2678401", "a wait of 2678401 seconds; a wait must be more than 0 and at most 2678400 seconds"),
        ("max_wait = \"30s\"", "invalid type: string \"30s\", expected seconds of more than 0 and at most 86400"),
        ("enabled = \"no\"", "invalid type: string \"no\", expected true or false"),
        ("log_directory = 5", "invalid type: integer `5`, expected the path of a directory"),
        (
            "keep_logs = 5",
            "invalid type: integer `5`, expected \"all\", a number of days such as \"30 days\", or a size such as",
        ),
        (
            "keep_logs = \"7 weeks\"",
            "\"7 weeks\" is not \"all\", a number of days such as \"30 days\", or a size such as \"500 MB\"",
        ),
        ("models = 5", "invalid type: integer `5`, expected a table for each model: [models.\"NAME\"]"),
        (
            "requests_per_minute = 5",
            "unknown field `requests_per_minute`; the rate of all models is `default_rate_limit`, that of one is in [models.\"NAME\"]",
        ),
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
fn panic_for_zero_names_the_argument_and_the_caller() {
    type Change = fn() -> Limits;

    let thread = thread::current().id();
    let (sender, panics) = mpsc::channel();
    panic::set_hook(Box::new(move |info| {
        if thread::current().id() == thread {
            let _ = sender.send(info.to_string());
        }
    }));
    let changes: [(&str, Change); 5] = [
        ("requests_per_minute", || Limits::per_minute(0)),
        ("requests_per_minute", || Config::new().default_rate_limit(0).limits),
        ("max_in_flight", || Config::new().max_in_flight(0).limits),
        ("max_attempts", || Config::new().max_attempts(0).limits),
        ("tokens_per_day", || Limits::per_minute(1).tokens_per_day(0)),
    ];
    let caught = changes.map(|(_, change)| panic::catch_unwind(change).is_err());
    drop(panic::take_hook());
    assert_eq!(caught, [true; 5]);
    for ((name, _), message) in changes.iter().zip(panics.try_iter()) {
        assert!(message.contains(&format!("{name} must be at least 1")) && message.contains(file!()), "{message}");
    }
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
