//! Writers of logs that are killed at any moment.

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
    thread,
    time::{Duration, SystemTime},
};

use ratellmiter_core::log::{LogLine, LogWriter, Row};

/// Number of writers that are killed.
const KILLS: usize = 200;

/// Number of writers at once.
const AT_ONCE: usize = 8;

const DIRECTORY: &str = "RATELLMITER_TEST_KILLED_WRITER";

/// Writes rows without a pause, and prints the path of the log and the time of each row that is written.
#[test]
fn a_writer() {
    let Some(directory) = env::var_os(DIRECTORY) else { return };
    let mut log = LogWriter::create(directory.as_ref(), SystemTime::now()).unwrap();
    let mut out = std::io::stdout();
    writeln!(out, "\nlog {}", log.path().display()).unwrap();
    for at in 1..1_000_000 {
        let row =
            Row { at, model: "a model with a long name, so that rows are cut at any place".into(), ..Row::default() };
        log.append(&[row]).unwrap();
        writeln!(out, "written {at}").unwrap();
        out.flush().unwrap();
    }
}

/// Kills a writer after `time`. Returns the time of the last row that it reported, and the times of the rows in its log.
fn killed_after(time: Duration) -> (u64, Vec<u64>) {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(env::current_exe().unwrap());
    let command = command.args(["killed_writer::a_writer", "--exact", "--nocapture"]).env(DIRECTORY, directory.path());
    let mut writer = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines().map_while(Result::ok);
    let path = lines.find_map(|line| line.strip_prefix("log ").map(str::to_owned)).unwrap();
    thread::sleep(time);
    writer.kill().unwrap();
    writer.wait().unwrap();
    let reported = lines.filter_map(|line| line.strip_prefix("written ")?.parse().ok()).last().unwrap_or(0);
    let text = std::fs::read(path).unwrap();
    let rows = String::from_utf8_lossy(&text)
        .lines()
        .filter_map(|line| match LogLine::parse(line) {
            Ok(LogLine::Row(row)) => Some(row.at),
            _ => None,
        })
        .collect();
    (reported, rows)
}

#[test]
fn killed_writer_loses_no_row_that_it_has_written() {
    // From 0 to 20 ms, in an order without a pattern.
    let moments: Vec<_> = (0..KILLS as u64).map(|kill| Duration::from_micros(kill * 7919 % 20_000)).collect();
    let at_once = moments.chunks(KILLS / AT_ONCE).map(|moments| {
        let moments = moments.to_vec();
        thread::spawn(move || {
            for moment in moments {
                let (reported, rows) = killed_after(moment);
                let written = rows.len() as u64;
                assert!((reported..=reported + 1).contains(&written), "{written} rows of {reported}");
                assert!(rows.iter().copied().eq(1..=written), "each row once and in order");
            }
        })
    });
    at_once.collect::<Vec<_>>().into_iter().for_each(|kills| kills.join().unwrap());
}
