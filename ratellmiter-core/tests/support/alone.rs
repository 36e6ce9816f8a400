//! Tests that need a process of their own.

use std::{env, process::Command};

/// Runs `test` again in a process of its own and returns `false`. Returns `true` in that process.
///
/// For tests that set the global `tracing` subscriber, or expect a warning that is logged once in a process.
pub(crate) fn is_alone(test: &str) -> bool {
    const VARIABLE: &str = "RATELLMITER_TEST_ALONE";
    if env::var_os(VARIABLE).is_some() {
        return true;
    }
    let mut command = Command::new(env::current_exe().unwrap());
    let output = command.args([test, "--exact", "--nocapture"]).env(VARIABLE, "1").output().unwrap();
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    assert!(output.status.success() && out.contains("1 passed"), "{out}\n{err}");
    false
}
