//! Usage of several monitors: none is lost, and none counts twice.

use std::fs;

use super::{file::write, *};
use crate::limits::Limits;

const NOW: u64 = 1_795_502_413;
const OTHER: &str = "days-1795502000000000000-7-0.json";

fn limiter() -> Limiter {
    Limiter::new(Limits::per_minute(60_000).no_ramp().requests_per_day(1000))
}

fn usage(limiter: &Limiter) -> Vec<(Arc<str>, UsageByAge)> {
    vec![("m".into(), limiter.day_usage())]
}

fn total(limiter: &Limiter) -> u64 {
    limiter.day_usage().iter().flat_map(|(_, ages)| ages).map(|(_, amount)| amount).sum()
}

fn calls(limiter: &Limiter, count: usize) {
    (0..count).for_each(|_| limiter.blocking_acquire().finish());
}

fn journal(entries: &[(u64, u64)]) -> Journal {
    Journal::from([("m".to_owned(), DayEntries::from([(BudgetKind::RequestsPerDay, entries.to_vec())]))])
}

fn sum(journal: &Journal) -> u64 {
    journal.values().flat_map(|usage| &usage[&BudgetKind::RequestsPerDay]).map(|(_, amount)| amount).sum()
}

fn found(entries: &[(u64, u64)]) -> HashMap<String, Journal> {
    HashMap::from([(OTHER.to_owned(), journal(entries))])
}

#[test]
fn usage_of_others_counts_but_is_not_written() {
    let now = since_epoch().as_secs();
    let (mut days, limiter) = (DayUsage::new(), limiter());
    days.import(found(&[(now - 80_000, 30), (now - 100, 4), (now, 3)]), now);
    days.restore("m", &limiter);
    calls(&limiter, 5);
    days.restore("m", &limiter);
    assert_eq!(total(&limiter), 42);
    assert_eq!(sum(&days.own_usage(&usage(&limiter))), 5);
    // The monitor is restarted, while the other has continued.
    days.import(found(&[(now - 80_000, 30), (now - 100, 4), (now, 3)]), now);
    days.restore("m", &limiter);
    assert_eq!(total(&limiter), 42, "no new usage");
    days.import(found(&[(now - 80_000, 30), (now - 100, 4), (now, 9)]), now);
    days.restore("m", &limiter);
    assert_eq!(total(&limiter), 48, "six new requests");
    assert_eq!(sum(&days.own_usage(&usage(&limiter))), 5);
}

#[test]
fn imported_usage_is_charged_when_a_budget_is_configured() {
    let now = since_epoch().as_secs();
    let (mut days, limiter) = (DayUsage::new(), limiter());
    let (with, without) = (limiter.limits(), Limits::per_minute(u32::MAX));
    limiter.set_limits(without);
    days.import(found(&[(now - 50, 7)]), now);
    for _ in 0..2 {
        days.restore("m", &limiter);
        assert_eq!(total(&limiter), 0);
        limiter.set_limits(with);
        days.restore("m", &limiter);
        assert_eq!(total(&limiter), 7);
        assert_eq!(days.own_usage(&usage(&limiter)), Journal::new());
        limiter.set_limits(without);
    }
    assert!(!days.is_empty());
}

#[test]
fn only_entries_of_the_last_day_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let entries = [(NOW - 86_400, 1), (NOW - 86_399, 2), (NOW, 3), (NOW + 1, 4)];
    write(directory.path(), OTHER, &journal(&entries)).unwrap();
    let read = |now| read(directory.path(), "days-1-1-1.json", now);
    assert_eq!(read(NOW), found(&entries[1..3]));
    assert_eq!(super::read(directory.path(), OTHER, NOW), HashMap::new(), "its own file is skipped");
    assert_eq!(read(NOW - 90_000), HashMap::new(), "the clock was set back");
    assert_eq!(read(NOW + 86_400), found(&entries[3..]));
    assert!(directory.path().join(OTHER).exists());
    assert_eq!(read(NOW + 86_401), HashMap::new());
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "a file without entries of the last day is removed");
}

#[test]
fn damaged_file_is_ignored_and_kept_for_a_day() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(OTHER);
    let whole = serde_json::to_string(&journal(&[(NOW, 3)])).unwrap();
    let torn = &whole[..whole.len() / 2];
    let foreign = r#"{"m": {"requests_per_day": [[1795502413, -3]]}}"#;
    for text in ["", "[]", "{\"m\": 1}", "\u{0}", torn, foreign, r#"{"m": {"tokens_per_day": [[1, 1e400]]}}"#] {
        fs::write(&path, text).unwrap();
        assert_eq!(read(directory.path(), "", NOW), HashMap::new(), "{text}");
        assert!(path.exists(), "{text}");
    }
    fs::write(&path, [0xff, 0xfe]).unwrap();
    let half = directory.path().join(format!(".{OTHER}.new"));
    fs::write(&half, torn).unwrap();
    for name in ["days-1-2.json", "days-1-2-x.json", "days.json", "learned.json", "days--1-2.json", "days-1-2-3.jsonl"]
    {
        fs::write(directory.path().join(name), &whole).unwrap();
    }
    assert_eq!(read(directory.path(), "", NOW), HashMap::new());
    let long_ago = SystemTime::now() - DAY;
    for path in [&path, &half] {
        fs::File::options().append(true).open(path).unwrap().set_modified(long_ago).unwrap();
    }
    assert_eq!(read(directory.path(), "", NOW), HashMap::new());
    assert!(!path.exists() && !half.exists());
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 6, "other files are kept");
}

#[test]
fn large_amounts_do_not_overflow() {
    let now = since_epoch().as_secs();
    let (mut days, limiter) = (DayUsage::new(), limiter());
    let all = [(now - 1, u64::MAX), (now, u64::MAX)];
    days.import(found(&[(0, u64::MAX), (u64::MAX, u64::MAX)]), u64::MAX);
    days.import(found(&all), now);
    days.restore("m", &limiter);
    days.import(found(&all), now);
    days.restore("m", &limiter);
    assert_eq!(days.own_usage(&usage(&limiter)), Journal::new());
}

#[test]
fn file_is_written_when_changed_or_removed() {
    let directory = tempfile::tempdir().unwrap();
    let logs = directory.path().join("logs");
    let (days, limiter) = (DayUsage::new(), limiter());
    let mut day_file = DayFile::new(&logs, &days);
    let path = logs.join(days.name());
    let save = |day_file: &mut DayFile| {
        day_file.check_file();
        let changed = day_file.changed(&days, usage(&limiter));
        let has_changed = changed.is_some();
        if let Some(changed) = changed {
            day_file.write(changed);
        }
        has_changed
    };
    assert!(!save(&mut day_file) && !logs.exists(), "there is no usage");
    calls(&limiter, 2);
    assert!(save(&mut day_file) && path.exists());
    assert!(!save(&mut day_file), "no new usage");
    fs::remove_dir_all(&logs).unwrap();
    assert!(save(&mut day_file) && path.exists(), "a removed file is written again");
    fs::remove_dir_all(&logs).unwrap();
    fs::write(&logs, "not a directory").unwrap();
    calls(&limiter, 1);
    assert!(save(&mut day_file) && save(&mut day_file) && day_file.is_failing, "writing is retried");
    fs::remove_file(&logs).unwrap();
    assert!(save(&mut day_file) && !day_file.is_failing);
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(sum(&serde_json::from_str(&text).unwrap()), 3);
    assert_eq!(fs::read_dir(&logs).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn small_entries_are_merged() {
    let mut days = DayUsage::new();
    let each = |second: u64| (format!("days-{second}-7-0.json"), journal(&[(NOW - second, 1)]));
    days.import((0..5000).map(each).collect(), NOW);
    let entries = &days.pending["m"][&BudgetKind::RequestsPerDay];
    assert!(entries.len() <= 5000 / 90 + 2 && entries.is_sorted(), "{}", entries.len());
    assert_eq!(sum(&days.pending), 5000);
}
