//! The command as a process, with real files.

#[cfg(unix)]
mod completions;
mod logs;
mod output;
mod shared;
mod summary;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

/// A temporary working directory.
struct Directory(TempDir);

/// Exit code, stdout and stderr of a command.
type Outcome = (i32, String, String);

const HEADER: &str = "{\"format\":1,\"started\":7,\"library\":\"0.1.0\"}\n";
const ROW: &str = "{\"at\":1795502413,\"model\":\"default\",\"requested\":100,\"issued\":1,\"overflow\":99}\n";

impl Directory {
    /// An empty directory with an empty directory of logs.
    fn new() -> Self {
        let directory = Self(tempfile::tempdir().unwrap());
        fs::create_dir(directory.path("ratellmiter_logs")).unwrap();
        directory
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn log(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path("ratellmiter_logs").join(name), text).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ratellmiter"));
        for variable in
            ["RATELLMITER", "RATELLMITER_LOGS", "RATELLMITER_CONFIG", "RATELLMITER_RATE_LIMIT", "NO_COLOR", "COLUMNS"]
        {
            command.env_remove(variable);
        }
        // The configuration of the user is not part of the test.
        command.env("XDG_CONFIG_HOME", self.path("none")).current_dir(self.0.path()).args(args);
        command
    }

    fn run(&self, args: &[&str]) -> Outcome {
        let output = self.command(args).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    /// Runs a command that fails without leaving a file, and returns its line on stderr.
    fn failure(&self, args: &[&str]) -> String {
        let before = self.files();
        let (code, stdout, stderr) = self.run(args);
        assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert_eq!(self.files(), before, "no partial file");
        stderr
    }

    /// Runs a command that draws, and returns the path of the PNG and the notes.
    fn drawn(&self, args: &[&str]) -> (String, String) {
        let (code, stdout, stderr) = self.run(args);
        assert_eq!(code, 0, "{stderr}");
        let path = stdout.strip_suffix('\n').unwrap();
        assert!(fs::read(self.path(path)).unwrap().starts_with(b"\x89PNG"), "{path}");
        (path.to_owned(), stderr)
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<_> = fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }
}

fn sample(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../logs-sample").join(name);
    path.to_str().unwrap().to_owned()
}
