//! How long a picture takes, beside reading the same file as JSON of any shape: `cargo bench -p ratellmiter-cli`.

use std::{
    fs::{self, File},
    io::{BufWriter, Write as _},
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

const ROUNDS: usize = 5;

/// The median time of the command, from its start to its end.
fn command(log: &Path, model: &str, out: &Path) -> Duration {
    median(|| {
        let status = Command::new(env!("CARGO_BIN_EXE_ratellmiter"))
            .arg(format!("-file={}", log.display()))
            .arg(format!("-model={model}"))
            .arg(format!("-out={}", out.display()))
            .output()
            .expect("the command runs");
        assert!(status.status.success(), "{status:?}");
    })
}

/// The median time to read the file as values.
fn values(log: &Path) -> Duration {
    median(|| {
        let text = fs::read_to_string(log).expect("the log is there");
        let read = text.lines().filter(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()).count();
        assert!(read > 0);
    })
}

fn median(mut run: impl FnMut()) -> Duration {
    let mut times: Vec<_> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[ROUNDS / 2]
}

fn main() {
    let directory = tempfile::tempdir().expect("a directory");
    let million = directory.path().join("million.jsonl");
    let mut file = BufWriter::new(File::create(&million).expect("a file"));
    for second in 0..1_000_000 {
        writeln!(
            file,
            r#"{{"at":{},"model":"gpt-4o","requested":{},"issued":5,"rate_limited":0,"finished":5,"overflow":{},"rate":5.0,"in_flight":7,"wait_ms":{{"p50":120,"p99":900,"max":901}},"call_ms":{{"p50":700,"p99":1900,"max":2000}}}}"#,
            1_795_502_413 + second,
            second % 9,
            second % 1000,
        )
        .expect("room for it");
    }
    drop(file);
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../logs-sample/python-four-models.jsonl");
    let out = directory.path().join("out.png");
    println!("| log | drawn in, ms | read as JSON in, ms | ratio |\n| --- | --: | --: | --: |");
    for (name, log, model) in [("1,000,000 rows", &million, "gpt-4o"), ("the Python sample", &python, "GPT4")] {
        let (drawn, read) = (command(log, model, &out), values(log));
        let (drawn, read) = (drawn.as_secs_f64() * 1e3, read.as_secs_f64() * 1e3);
        println!("| {name} | {drawn:.0} | {read:.0} | {:.2} |", drawn / read);
    }
}
