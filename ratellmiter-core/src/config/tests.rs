//! Who wins, and what is said of what is wrong.

use super::*;

fn variables(pairs: &[(&str, &str)]) -> Result<Variables, ConfigError> {
    Variables::of(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()))
}

fn file(text: &str) -> Result<File, ConfigError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.toml");
    fs::write(&path, text).unwrap();
    File::read(&path)
}

/// What is wrong with a file, without its path, which is made up.
fn complaint(text: &str) -> String {
    let message = file(text).unwrap_err().to_string();
    let (start, rest) = message.split_once("x.toml, ").unwrap();
    assert!(start.starts_with("in the configuration "), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
    rest.to_owned()
}

fn settings(config: &Config, text: &str, pairs: &[(&str, &str)]) -> Settings {
    Settings::combine(config.clone(), file(text).unwrap(), variables(pairs).unwrap()).unwrap()
}

fn rate(limits: Limits) -> u32 {
    limits.requests_per_minute.get()
}

#[test]
fn code_then_file_then_environment() {
    let code = Config { default_rate_limit: 100, ..Config::default() };
    assert_eq!(rate(settings(&code, "", &[]).limits("m", None)), 100);
    let text = "default_rate_limit = 200\nlog_directory = \"here\"";
    let with_file = settings(&code, text, &[]);
    assert_eq!((rate(with_file.limits("m", None)), with_file.log_directory), (200, "here".into()));
    let variables = [("RATELLMITER_RATE_LIMIT", "400"), ("RATELLMITER_LOGS", "there")];
    let with_both = settings(&code, text, &variables);
    assert_eq!((rate(with_both.limits("m", None)), with_both.log_directory), (400, "there".into()));
}

#[test]
fn the_file_wins_over_what_the_code_says_of_a_model() {
    let text = "attempts = 7\n[models.\"gpt-4o\"]\nrequests_per_minute = 500\nramp = \"off\"";
    let settings = settings(&Config::default(), text, &[("RATELLMITER_RATE_LIMIT", "60")]);
    let asked = Limits::per_minute(NonZeroU32::new(9).unwrap()).max_in_flight(NonZeroU32::new(3).unwrap());
    let limits = settings.limits("gpt-4o", Some(asked));
    assert_eq!((rate(limits), limits.ramp, limits.max_in_flight), (500, None, asked.max_in_flight));
    assert_eq!(
        rate(settings.limits("other", Some(asked))),
        9,
        "the default is for models without a limit of their own"
    );
    let limits = settings.limits("unheard", None);
    assert_eq!((rate(limits), limits.attempts.get(), limits.ramp), (60, 7, Some(Ramp::DEFAULT)));
}

#[test]
fn burst_and_learning_are_set_for_all_or_for_one() {
    let code = Config { burst: Duration::from_secs(10), learn: false, ..Config::default() };
    let settings = settings(&code, "burst = 2.5\n[models.m]\nlearn = true\nburst = 60", &[]);
    let (one, other) = (settings.limits("m", None), settings.limits("n", None));
    assert_eq!((one.burst, one.learn), (Duration::from_secs(60), true));
    assert_eq!((other.burst, other.learn), (Duration::from_millis(2500), false));
}

#[test]
fn off_is_off_for_all() {
    let settings = settings(&Config::default(), "enabled = true", &[("RATELLMITER", "off")]);
    assert!(!settings.limits("m", Some(Limits::per_minute(NonZeroU32::MIN))).enabled);
    assert!(!self::settings(&Config::default(), "[models.m]\nenabled = false", &[]).limits("m", None).enabled);
}

#[test]
fn a_mistake_in_the_file_is_one_line_with_place_key_and_what_is_allowed() {
    assert_eq!(
        complaint("\n[models.m]\nrequests = 5"),
        "line 3, column 1, key `requests`: unknown field `requests`, expected one of `requests_per_minute`, `max_in_flight`, `attempts`, `burst`, `learn`, `enabled`, `ramp`"
    );
    for (text, start) in [
        ("default_rate_limit = 0", "line 1, column 22, key `default_rate_limit`: "),
        ("default_rate_limit = -5", "line 1, column 22, key `default_rate_limit`: "),
        ("attempts = 2.5", "line 1, column 12, key `attempts`: "),
    ] {
        let complaint = complaint(text);
        assert!(complaint.starts_with(start), "{complaint}");
        assert!(complaint.ends_with("allowed are whole numbers from 1 to 4294967295"), "{complaint}");
    }
    for (text, part) in [
        ("ramp = \"on\"", "allowed is \"off\" or { start = 0.25, step = 0.10 }"),
        ("ramp = { start = 2.0, step = 0.1 }", "from 0.001 to 1, not 2"),
        ("ramp = { start = 0.5 }", "allowed is \"off\" or { start = 0.25, step = 0.10 }"),
        ("burst = 61", "a burst of 61 seconds; allowed are 0 to 60 seconds"),
        ("burst = nan", "allowed are 0 to 60 seconds"),
        ("burst = \"1m\"", "line 1, column 9, key `burst`"),
        ("[models\n", "line 1"),
    ] {
        let complaint = complaint(text);
        assert!(complaint.contains(part), "{text}: {complaint}");
    }
}

#[test]
fn a_file_that_was_named_must_be_readable() {
    let named = variables(&[("RATELLMITER_CONFIG", "no/such/file.toml")]).unwrap().file().unwrap();
    let message = File::read(&named).unwrap_err().to_string();
    assert!(message.starts_with("cannot read the configuration no/such/file.toml: "), "{message}");
}

#[test]
fn a_mistake_in_the_environment_names_the_variable_and_what_is_allowed() {
    let complaint = |name, value| variables(&[(name, value)]).unwrap_err().to_string();
    assert_eq!(
        complaint("RATELLMITER_RATE_LIMIT", "0"),
        "the environment variable RATELLMITER_RATE_LIMIT is \"0\"; allowed is a whole number of calls a minute from 1 to 4294967295"
    );
    assert_eq!(
        complaint("RATELLMITER", "of"),
        "the environment variable RATELLMITER is \"of\"; allowed is \"on\" or \"off\""
    );
    assert!(variables(&[("RATELLMITER", ""), ("RATELLMITER_RATE_LIMIT", "")]).is_ok(), "set to nothing is not set");
}

#[test]
fn a_program_that_asks_for_no_calls_is_told() {
    let none = Config { default_rate_limit: 0, ..Config::default() };
    let error = Settings::combine(none, File::default(), Variables::default()).unwrap_err();
    assert_eq!(error.to_string(), "Config::default_rate_limit is 0; allowed are 1 to 4294967295 calls a minute");
}
