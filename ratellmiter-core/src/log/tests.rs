//! Writing, restoring and listing logs.

use super::*;
use crate::log::row::LogLine;

fn row(at: u64) -> Row<'static> {
    Row { at, model: "m".into(), ..Row::default() }
}

/// Returns the times of the rows of a log, without torn lines.
fn rows(path: &Path) -> Vec<u64> {
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().filter_map(|line| LogLine::parse(line).ok());
    lines.filter_map(|line| if let LogLine::Row(row) = line { Some(row.at) } else { None }).collect()
}

#[test]
fn log_is_named_by_start_and_process() {
    let directory = tempfile::tempdir().unwrap();
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(5);
    let mut log = LogWriter::create(&directory.path().join("a/b"), start).unwrap();
    assert_eq!(log.path(), directory.path().join(format!("a/b/5-{}.jsonl", std::process::id())));
    log.append(&[row(7), row(8)]).unwrap();
    let text = fs::read_to_string(log.path()).unwrap();
    let library = env!("CARGO_PKG_VERSION").into();
    let header = Header { format: FORMAT, started: 5, library, namespace: None };
    assert_eq!(LogLine::parse(text.lines().next().unwrap()).unwrap(), LogLine::Header(header));
    assert_eq!(rows(log.path()), [7, 8]);
    let second = LogWriter::create(&directory.path().join("a/b"), start).unwrap();
    assert_ne!(second.path(), log.path(), "an earlier log is not overwritten");
}

#[test]
fn directory_that_cannot_be_created_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("file"), "").unwrap();
    assert!(LogWriter::create(&directory.path().join("file"), SystemTime::now()).is_err());
}

#[test]
fn removed_directory_is_created_with_the_next_row() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = LogWriter::create(&directory.path().join("logs"), SystemTime::now()).unwrap();
    log.append(&[row(1)]).unwrap();
    fs::remove_dir_all(directory.path().join("logs")).unwrap();
    log.append(&[row(2)]).unwrap();
    assert_eq!(rows(log.path()), [2]);
    // A file of the same name prevents this for a while.
    fs::remove_dir_all(directory.path().join("logs")).unwrap();
    fs::write(directory.path().join("logs"), "").unwrap();
    assert!(log.append(&[row(3)]).is_err());
    fs::remove_file(directory.path().join("logs")).unwrap();
    log.append(&[row(4)]).unwrap();
    assert_eq!(rows(log.path()), [3, 4], "the unwritten row is kept");
}

#[test]
fn shortened_log_is_continued_with_whole_lines() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = LogWriter::create(directory.path(), SystemTime::now()).unwrap();
    let shorten = |path: &Path, by: u64| {
        let file = OpenOptions::new().write(true).open(path).unwrap();
        let length = file.metadata().unwrap().len();
        file.set_len(length.saturating_sub(by)).unwrap();
    };
    log.append(&[row(1), row(2)]).unwrap();
    shorten(log.path(), 5);
    log.append(&[row(3)]).unwrap();
    assert_eq!(rows(log.path()), [1, 3], "the row that was cut is not completed by the next");
    shorten(log.path(), u64::MAX);
    log.append(&[row(4)]).unwrap();
    assert_eq!(rows(log.path()), [4]);
    let text = fs::read_to_string(log.path()).unwrap();
    assert!(matches!(LogLine::parse(text.lines().next().unwrap()), Ok(LogLine::Header(_))));
    log.append(&[row(5)]).unwrap();
    assert_eq!((rows(log.path()), text.lines().count()), (vec![4, 5], 2));
}

#[test]
fn logs_that_start_in_the_same_second_have_files_of_their_own() {
    let directory = tempfile::tempdir().unwrap();
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(5);
    // Processes of several containers may have the same id.
    let paths: Vec<_> = std::thread::scope(|scope| {
        let logs: Vec<_> =
            (0..16).map(|_| scope.spawn(|| LogWriter::create(directory.path(), start).unwrap())).collect();
        logs.into_iter().map(|log| log.join().unwrap().path().to_owned()).collect()
    });
    let unique: std::collections::BTreeSet<_> = paths.iter().collect();
    assert_eq!((unique.len(), newest_first(directory.path()).unwrap().len()), (16, 16));
}

#[cfg(target_os = "linux")]
#[test]
fn full_disk_drops_only_the_oldest_rows() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = LogWriter::create(directory.path(), SystemTime::now()).unwrap();
    let fill = |log: &mut LogWriter| {
        log.file = Some(OpenOptions::new().append(true).open("/dev/full").unwrap());
        log.measure();
    };
    fill(&mut log);
    assert_eq!(log.append(&[row(1)]).unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert!(log.append(&[row(2)]).is_err());
    log.file = None;
    log.append(&[row(3)]).unwrap();
    assert_eq!(rows(log.path()), [1, 2, 3]);
    fill(&mut log);
    let many: Vec<_> = (4..20_000).map(row).collect();
    assert!(log.append(&many).is_err());
    assert!(log.pending.len() <= MAX_PENDING_BYTES);
    log.file = None;
    log.append(&[row(20_000)]).unwrap();
    let kept = rows(log.path());
    assert_eq!(kept[..3], [1, 2, 3]);
    assert!(kept[3] > 4 && kept[3..].windows(2).all(|pair| pair[0] + 1 == pair[1]), "the newest rows, without a gap");
    assert_eq!(kept.last(), Some(&20_000));
}

#[test]
fn logs_are_ordered_by_start_or_change() {
    let directory = tempfile::tempdir().unwrap();
    // The last one has no start in its name. It is ordered by its last change, which is now.
    for name in ["100-7.jsonl", "99-8.jsonl", "1000-6.jsonl", "notes.txt", "python.jsonl"] {
        fs::write(directory.path().join(name), "").unwrap();
    }
    let names: Vec<_> = newest_first(directory.path())
        .unwrap()
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["python.jsonl", "1000-6.jsonl", "100-7.jsonl", "99-8.jsonl"]);
    assert!(newest_first(&directory.path().join("none")).is_err());
}
