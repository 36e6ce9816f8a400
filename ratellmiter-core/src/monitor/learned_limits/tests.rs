//! Entries of several processes, and damaged files.

use super::*;

const NOW: u64 = 1_795_502_413;

fn limits(at: u64) -> SavedLimits {
    SavedLimits { at, requests_per_minute: Some(290.5), in_flight: None }
}

fn one(model: &str, at: u64) -> SavedLimitsByModel {
    SavedLimitsByModel::from([(model.to_owned(), limits(at))])
}

#[test]
fn entries_of_others_are_kept_for_a_day() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(read(directory.path(), NOW), SavedLimitsByModel::new(), "there is no file yet");
    write(directory.path(), &one("a", NOW - 86_399), NOW).unwrap();
    write(directory.path(), &one("b", NOW), NOW).unwrap();
    let both = SavedLimitsByModel::from([("a".to_owned(), limits(NOW - 86_399)), ("b".to_owned(), limits(NOW))]);
    assert_eq!(read(directory.path(), NOW), both);
    assert_eq!(read(directory.path(), NOW + 1), one("b", NOW), "a day old");
    assert_eq!(read(directory.path(), NOW - 90_000), one("a", NOW - 86_399), "the clock was set back by a day");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn damaged_file_is_ignored_and_replaced() {
    let directory = tempfile::tempdir().unwrap();
    for text in ["", "{", "[]", "\u{0}", r#"{"m": {"at": -1}}"#, r#"{"m": {"at": 1e400}}"#] {
        fs::write(directory.path().join(FILE), text).unwrap();
        assert_eq!(read(directory.path(), NOW), SavedLimitsByModel::new(), "{text}");
    }
    fs::write(directory.path().join(FILE), [0xff, 0xfe]).unwrap();
    assert_eq!(read(directory.path(), NOW), SavedLimitsByModel::new());
    write(directory.path(), &one("m", NOW), NOW).unwrap();
    assert_eq!(read(directory.path(), NOW), one("m", NOW));
}

#[test]
fn failed_write_leaves_no_temporary_file() {
    let directory = tempfile::tempdir().unwrap();
    assert!(write(&directory.path().join("gone"), &one("m", NOW), NOW).is_err());
    fs::create_dir(directory.path().join(FILE)).unwrap();
    assert!(write(directory.path(), &one("m", NOW), NOW).is_err(), "a directory has the name of the file");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}
