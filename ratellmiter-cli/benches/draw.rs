//! Time and memory of the command, compared with parsing the same file as arbitrary JSON: `cargo bench -p ratellmiter-cli`.

use std::{
    fs::{self, File},
    io::{BufWriter, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

const ROUNDS: usize = 5;

fn start(args: &[String]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ratellmiter"));
    command.args(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the command runs")
}

/// Returns the median time of a run of the command.
fn command(args: &[String]) -> Duration {
    median(|| assert!(start(args).wait().expect("it was started").success(), "{args:?}"))
}

/// Returns the peak memory of the command in MB; `None` where the system does not report it.
fn memory(args: &[String]) -> Option<u64> {
    let mut child = start(args);
    let status = format!("/proc/{}/status", child.id());
    let mut peak = None;
    while child.try_wait().expect("it was started").is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let current =
            text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        peak = peak.max(current.map(|kilobytes| kilobytes / 1000));
        thread::sleep(Duration::from_millis(1));
    }
    peak
}

/// Returns the median time to parse the file as JSON values.
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
            r#"{{"at":{},"model":"gpt-4o","requested":{},"issued":5,"rate_limited":0,"finished":5,"overflow":{},"rate":5.0,"time_left":{}.5,"limit":5.0,"held":"rate","in_flight":7,"wait_ms":{{"p50":120,"p99":900,"max":901}},"call_ms":{{"p50":700,"p99":1900,"max":2000}}}}"#,
            1_795_502_413 + second,
            second % 9,
            second % 1000,
            second % 200,
        )
        .expect("room for it");
    }
    drop(file);
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../logs-sample/python-four-models.jsonl");
    println!("| log | output | time, ms | relative to JSON parsing | memory, MB |\n| --- | --- | --: | --: | --: |");
    for (name, log, model) in [("1,000,000 rows", &million, "gpt-4o"), ("the Python sample", &python, "GPT4")] {
        let read = values(log).as_secs_f64();
        for (output, kind) in
            [("PNG", "-out=x.png"), ("SVG", "-out=x.svg"), ("page", "-out=x.html"), ("summary", "-summary")]
        {
            let kind = kind.replace("x.", &format!("{}/x.", directory.path().display()));
            let args = [format!("-file={}", log.display()), format!("-model={model}"), kind];
            let took = command(&args).as_secs_f64();
            let memory = memory(&args).map_or_else(String::new, |memory| memory.to_string());
            println!("| {name} | {output} | {:.0} | {:.2} | {memory} |", took * 1e3, took / read);
        }
    }
    let started = command(&["-version".into()]).as_secs_f64();
    println!("\nThe command starts and ends in {:.1} ms.", started * 1e3);
}
