//! Whose is what: nothing is lost, nothing counts twice.

use super::*;
use crate::limits::Limits;

const NOW: u64 = 1_795_502_413;
const OTHER: &str = "days-1795502000000000000-7-0.json";

fn limiter() -> Limiter {
    Limiter::new(Limits::per_minute(60_000).no_ramp().requests_per_day(1000))
}

fn ledgers(limiter: &Limiter) -> Vec<(Arc<str>, Ages)> {
    vec![("m".into(), limiter.day_usage())]
}

fn taken(limiter: &Limiter) -> u64 {
    limiter.day_usage().iter().flat_map(|(_, ages)| ages).map(|(_, amount)| amount).sum()
}

fn calls(limiter: &Limiter, count: usize) {
    (0..count).for_each(|_| limiter.blocking_acquire().finish());
}

fn journal(entries: &[(u64, u64)]) -> Journal {
    Journal::from([("m".to_owned(), DayEntries { requests_per_day: entries.to_vec(), tokens_per_day: Entries::new() })])
}

fn sum(journal: &Journal) -> u64 {
    journal.values().flat_map(|taken| &taken.requests_per_day).map(|(_, amount)| amount).sum()
}

fn found(entries: &[(u64, u64)]) -> HashMap<String, Journal> {
    HashMap::from([(OTHER.to_owned(), journal(entries))])
}

#[test]
fn what_others_took_counts_but_is_not_written_as_ours() {
    let now = since_epoch().as_secs();
    let (mut days, limiter) = (DayUsage::new(), limiter());
    days.import(found(&[(now - 80_000, 30), (now - 100, 4), (now, 3)]), now);
    days.restore("m", &limiter);
    calls(&limiter, 5);
    days.restore("m", &limiter);
    assert_eq!(taken(&limiter), 42);
    assert_eq!(sum(&days.own(&ledgers(&limiter))), 5);
    // The monitor is started again, and the other has gone on.
    days.import(found(&[(now - 80_000, 30), (now - 100, 4), (now, 3)]), now);
    days.restore("m", &limiter);
    assert_eq!(taken(&limiter), 42, "nothing is new");
    days.import(found(&[(now - 80_000, 30), (now - 100, 4), (now, 9)]), now);
    days.restore("m", &limiter);
    assert_eq!(taken(&limiter), 48, "six more");
    assert_eq!(sum(&days.own(&ledgers(&limiter))), 5);
}

#[test]
fn what_others_took_waits_for_the_budget_and_comes_again_with_it() {
    let now = since_epoch().as_secs();
    let (mut days, limiter) = (DayUsage::new(), limiter());
    let (with, without) = (limiter.limits(), Limits::per_minute(u32::MAX));
    limiter.set_limits(without);
    days.import(found(&[(now - 50, 7)]), now);
    for _ in 0..2 {
        days.restore("m", &limiter);
        assert_eq!(taken(&limiter), 0);
        limiter.set_limits(with);
        days.restore("m", &limiter);
        assert_eq!(taken(&limiter), 7);
        assert_eq!(days.own(&ledgers(&limiter)), Journal::new());
        limiter.set_limits(without);
    }
    assert!(!days.is_empty());
}

#[test]
fn only_the_last_day_counts_and_nothing_of_the_future() {
    let directory = tempfile::tempdir().unwrap();
    let entries = [(NOW - 86_400, 1), (NOW - 86_399, 2), (NOW, 3), (NOW + 1, 4)];
    write(directory.path(), OTHER, &journal(&entries)).unwrap();
    let read = |now| read(directory.path(), "days-1-1-1.json", now);
    assert_eq!(read(NOW), found(&entries[1..3]));
    assert_eq!(super::read(directory.path(), OTHER, NOW), HashMap::new(), "it is its own");
    assert_eq!(read(NOW - 90_000), HashMap::new(), "a clock that was set back");
    assert_eq!(read(NOW + 86_400), found(&entries[3..]));
    assert!(directory.path().join(OTHER).exists());
    assert_eq!(read(NOW + 86_401), HashMap::new());
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "it says nothing of the last day");
}

#[test]
fn a_damaged_file_is_ignored_and_kept_for_a_day() {
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
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 6, "what is not ours stays");
}

#[test]
fn amounts_of_any_size_do_not_overflow() {
    let now = since_epoch().as_secs();
    let (mut days, limiter) = (DayUsage::new(), limiter());
    let all = [(now - 1, u64::MAX), (now, u64::MAX)];
    days.import(found(&[(0, u64::MAX), (u64::MAX, u64::MAX)]), u64::MAX);
    days.import(found(&all), now);
    days.restore("m", &limiter);
    days.import(found(&all), now);
    days.restore("m", &limiter);
    assert_eq!(days.own(&ledgers(&limiter)), Journal::new());
}

#[test]
fn it_is_written_when_it_changes_or_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let logs = directory.path().join("logs");
    let (days, limiter) = (DayUsage::new(), limiter());
    let mut keeper = DayFile::new(&logs, &days);
    let path = logs.join(days.name());
    let keep = |keeper: &mut DayFile| {
        keeper.look();
        let changed = keeper.changed(&days, ledgers(&limiter));
        let has_changed = changed.is_some();
        changed.into_iter().for_each(|changed| keeper.write(changed));
        has_changed
    };
    assert!(!keep(&mut keeper) && !logs.exists(), "nothing was taken");
    calls(&limiter, 2);
    assert!(keep(&mut keeper) && path.exists());
    assert!(!keep(&mut keeper), "nothing is new");
    fs::remove_dir_all(&logs).unwrap();
    assert!(keep(&mut keeper) && path.exists(), "it comes back");
    fs::remove_dir_all(&logs).unwrap();
    fs::write(&logs, "in the way").unwrap();
    calls(&limiter, 1);
    assert!(keep(&mut keeper) && keep(&mut keeper) && keeper.broken, "it is tried again");
    fs::remove_file(&logs).unwrap();
    assert!(keep(&mut keeper) && !keeper.broken);
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(sum(&serde_json::from_str(&text).unwrap()), 3);
    assert_eq!(fs::read_dir(&logs).unwrap().count(), 1, "nothing else is left behind");
}

#[test]
fn many_small_entries_become_as_many_as_a_day_has_grains() {
    let mut days = DayUsage::new();
    let each = |second: u64| (format!("days-{second}-7-0.json"), journal(&[(NOW - second, 1)]));
    days.import((0..5000).map(each).collect(), NOW);
    let entries = &days.pending["m"].requests_per_day;
    assert!(entries.len() <= 5000 / 90 + 2 && entries.is_sorted(), "{}", entries.len());
    assert_eq!(sum(&days.pending), 5000);
}
