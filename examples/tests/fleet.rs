//! The example `fleet`, run as in the README.

#[path = "../../ratellmiter-core/tests/support/redis.rs"]
mod redis;

use std::{fs, process::Command};

#[test]
fn four_processes_share_one_limit_and_picture() {
    let (server, place) = (redis::Redis::start(), tempfile::tempdir().unwrap());
    let mut fleet = Command::new(env!("CARGO_BIN_EXE_fleet"));
    let output = fleet.arg(server.url()).current_dir(&place).output().unwrap();
    let (printed, errors) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{printed}{errors}");
    println!("{printed}");
    assert!(printed.contains("calls      160 answered, 40 in each of 4 processes"), "{printed}");
    let refused = printed.split_once("refusals   ").unwrap().1.split(' ').next().unwrap().parse::<u32>().unwrap();
    assert!(refused <= 3, "at most 0.02 refusals per call: {printed}");
    let picture = printed.split_once("picture    ").unwrap().1.trim();
    assert!(fs::read(place.path().join(picture)).unwrap().starts_with(b"\x89PNG"), "{picture}");
    // The outage causes a single pause, even though the processes end at different times.
    let logs = fs::read_dir(place.path().join("ratellmiter_logs")).unwrap().map(|log| log.unwrap().path());
    let logs = logs.filter(|path| path.extension().is_some_and(|ending| ending == "jsonl"));
    let files = logs.map(|path| format!("-file={}", path.display()));
    let check = ["ratellmiter", "-model=gpt-4o", "-check=pauses==1"].map(str::to_owned).into_iter().chain(files);
    let (mut printed, mut errors) = (Vec::new(), Vec::new());
    let code = ratellmiter_cli::run(check, &mut printed, &mut errors);
    let printed = [printed, errors].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert_eq!(code, ratellmiter_cli::DONE, "{printed:?}");
}
