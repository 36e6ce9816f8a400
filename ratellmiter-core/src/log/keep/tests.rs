use std::fs::File;

use super::*;

const DAY: Duration = Duration::from_hours(24);

#[test]
fn rules_are_parsed_and_displayed() {
    for (text, keep) in [
        ("all", KeepLogs::All),
        ("30 days", KeepLogs::Days(30)),
        ("1 day", KeepLogs::Days(1)),
        ("500 MB", KeepLogs::Megabytes(500)),
    ] {
        assert_eq!((text.parse(), keep.to_string()), (Ok(keep), text.to_owned()));
    }
    assert_eq!([" 7d ".parse(), "7days".parse(), "7 DAYS".parse()], [const { Ok(KeepLogs::Days(7)) }; 3]);
    assert_eq!("20mb".parse(), Ok(KeepLogs::Megabytes(20)));
    for text in ["", "0 days", "-1 days", "7", "7 weeks", "1.5 MB", "all days", "5 all", "99999999999 MB", "٣ days"] {
        let error = text.parse::<KeepLogs>().unwrap_err().to_string();
        assert_eq!(
            error,
            format!("{text:?} is not \"all\", a number of days such as \"30 days\", or a size such as \"500 MB\"")
        );
    }
}

/// Returns the names that are removed from logs of 400 kB, which are 0, 1, 2 .. days old. The first is a log in use.
fn removed(keep: KeepLogs, own: &str) -> Vec<String> {
    let now = SystemTime::UNIX_EPOCH + 100 * DAY;
    let log = |days: u32| OldLog { path: format!("{days}").into(), written: now - days * DAY, bytes: 400_000 };
    excluded((0..5).map(log).collect(), keep, Path::new(own), now)
        .iter()
        .map(|log| log.path.display().to_string())
        .collect()
}

#[test]
fn logs_older_than_the_days_are_excluded() {
    assert_eq!(removed(KeepLogs::Days(2), ""), ["3", "4"]);
    assert_eq!(removed(KeepLogs::Days(2), "3"), ["4"], "the own log stays");
    assert_eq!(removed(KeepLogs::Days(u32::MAX), ""), [""; 0]);
    assert_eq!(removed(KeepLogs::All, ""), [""; 0]);
}

#[test]
fn oldest_logs_beyond_the_size_are_excluded() {
    assert_eq!(removed(KeepLogs::Megabytes(1), ""), ["2", "3", "4"]);
    let now = SystemTime::UNIX_EPOCH + 100 * DAY;
    let large = |path: &str, age| OldLog { path: path.into(), written: now - age, bytes: 5_000_000 };
    let logs = vec![large("in use", Duration::from_mins(59)), large("old", Duration::from_mins(61))];
    let excluded = excluded(logs, KeepLogs::Megabytes(1), Path::new(""), now);
    assert_eq!(excluded.iter().map(|log| &*log.path).collect::<Vec<_>>(), [Path::new("old")]);
}

#[test]
fn only_old_logs_are_removed_from_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let now = SystemTime::now();
    let old = ["1-2.jsonl", "3-4.jsonl", "notes.jsonl", "5-6.txt", "learned_limits.json", "own-7.jsonl"];
    for name in old.iter().chain(&["8-9.jsonl"]) {
        fs::write(path(name), "").unwrap();
    }
    for name in old {
        File::options().append(true).open(path(name)).unwrap().set_modified(now - 31 * DAY).unwrap();
    }
    fs::create_dir(path("7-8.jsonl")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(path("notes.jsonl"), path("10-11.jsonl")).unwrap();
    assert_eq!(remove_old(directory.path(), KeepLogs::All, &path("3-4.jsonl"), now).unwrap(), 0);
    assert_eq!(remove_old(directory.path(), KeepLogs::default(), &path("3-4.jsonl"), now).unwrap(), 1);
    assert!(!path("1-2.jsonl").exists());
    assert!(old[1..].iter().chain(&["8-9.jsonl", "7-8.jsonl"]).all(|name| path(name).exists()));
    assert!(remove_old(&path("none"), KeepLogs::default(), Path::new(""), now).is_err());
}
