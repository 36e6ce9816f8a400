//! Arguments, errors and files.

use std::{
    fs,
    process::{Command, Stdio},
};

use insta::assert_snapshot;

use crate::{Directory, ROW, sample};

#[test]
fn invalid_arguments_exit_with_2() {
    let directory = Directory::new();
    let error = |args: &[&str]| {
        let (code, stdout, stderr) = directory.run(args);
        assert_eq!((code, stdout.as_str(), stderr.lines().count()), (2, "", 1), "{stderr}");
        stderr
    };
    assert_snapshot!(error(&["-lines=rx"]), @"error: invalid value 'rx' for '-lines <LETTERS>': unknown letter 'x'; choose from r requested, i issued, e rate limited, f finished, o overflow, a allowed rate, w wait, l latency, n in flight, t tokens reserved, u tokens used, b token budget");
    assert_snapshot!(error(&["-lines="]), @"error: invalid value '' for '-lines <LETTERS>': no letters; choose from r requested, i issued, e rate limited, f finished, o overflow, a allowed rate, w wait, l latency, n in flight, t tokens reserved, u tokens used, b token budget");
    assert_snapshot!(error(&["-modle=x"]), @"error: unexpected argument '-modle' found; tip: a similar argument exists: '-model'");
    assert_snapshot!(error(&["gpt-4o"]), @"error: unexpected argument 'gpt-4o' found; name a log with -file=LOG, a model with -model=NAME");
    assert_snapshot!(error(&["-model=a", "-model=b"]), @"error: the argument '-model <NAME>' cannot be used multiple times");
}

#[test]
fn unwritable_output_fails_without_a_file() {
    let directory = Directory::new();
    directory.log("1-1.jsonl", ROW);
    fs::create_dir(directory.path("directory")).unwrap();
    fs::write(directory.path("file"), "").unwrap();
    assert_snapshot!(directory.failure(&["-out=directory"]), @"error: cannot write the picture directory: it is a directory");
    assert_snapshot!(directory.failure(&["-out=none/x.png"]), @"error: cannot write the picture none/x.png: No such file or directory (os error 2)");
    assert_snapshot!(directory.failure(&["-out=/dev/full"]), @"error: cannot write the picture /dev/full: No space left on device (os error 28)");
    assert_eq!(directory.run(&["-out=/dev/null"]), (0, "/dev/null\n".into(), String::new()));
    assert_snapshot!(directory.failure(&["-out=file/x.png"]), @"error: cannot write the picture file/x.png: Not a directory (os error 20)");
}

#[cfg(unix)]
#[test]
fn full_disk_fails_without_a_file() {
    let directory = Directory::new();
    directory.log("1-1.jsonl", ROW);
    fs::write(directory.path("old.png"), "kept").unwrap();
    let before = directory.files();
    for name in ["new.png", "old.png"] {
        // The system refuses files that are longer than a block.
        let script = "trap '' XFSZ; ulimit -f 1; exec \"$0\" \"$@\"";
        let command = Command::new("sh")
            .args(["-c", script, env!("CARGO_BIN_EXE_ratellmiter")])
            .arg(format!("-out={name}"))
            .current_dir(directory.path("."))
            .env_remove("RATELLMITER_LOGS")
            .output()
            .unwrap();
        let error = String::from_utf8(command.stderr).unwrap();
        assert_eq!(error, format!("error: cannot write the picture {name}: File too large (os error 27)\n"));
        assert_eq!((command.status.code(), directory.files()), (Some(1), before.clone()));
        assert_eq!(fs::read(directory.path("old.png")).unwrap(), b"kept");
    }
}

#[cfg(unix)]
#[test]
fn directory_without_permission_fails_with_its_reason() {
    use std::os::unix::fs::PermissionsExt as _;

    let directory = Directory::new();
    directory.log("1-1.jsonl", ROW);
    let closed = directory.path("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).unwrap();
    // The superuser may write all the same.
    if fs::write(closed.join("x"), "").is_err() {
        let failure = directory.failure(&["-out=closed/x.png"]);
        assert_eq!(failure, "error: cannot write the picture closed/x.png: Permission denied (os error 13)\n");
    }
}

#[test]
fn closed_stdout_is_not_an_error() {
    let directory = Directory::new();
    directory.log("1-1.jsonl", ROW);
    for args in [&["-out=x.png"][..], &["-help"]] {
        let mut child = directory.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
    }
}

#[test]
fn help_names_the_figures_of_check() {
    let directory = Directory::new();
    let (help, error) = (directory.run(&["-help"]).1, directory.run(&["-check=help"]).2);
    let words: Vec<_> = help.split_whitespace().collect();
    let (_, figures) = error.trim_end().split_once("figures are ").unwrap();
    for figure in figures.split(", ") {
        assert!(words.contains(&figure), "{figure}");
    }
}

#[test]
fn help_fits_a_screen() {
    let directory = Directory::new();
    let (code, help, _) = directory.run(&["-help"]);
    assert_eq!((code, directory.run(&["-h"]).1), (0, help.clone()));
    assert!(help.lines().count() <= 24 && help.lines().all(|line| line.len() <= 80));
    assert_snapshot!(help, @r#"
        Draws rateLLMiter logs and reports what limited a run

          ratellmiter -model=gpt-4o -lines=ri            draw the newest log as PNG
          ratellmiter -summary                           report what limited a run
          ratellmiter -check='refusals<=2,wait_p99<=5s'  exit with 3 unless it holds
          ratellmiter -follow                            draw while the program runs

        Log      -model=NAME  one, several (a,b) or all [default: default or the only]
                 -file=LOG    Rust or Python log, several are summed [default: newest]
                 -dir=DIR     log directory [default: RATELLMITER_LOGS or configured]
                 -list        list the logs
        Picture  -out=FILE    a .png, .svg or .html file, or - for stdout
                 -format=term draw in the terminal; or png, svg, html for a file
                 -lines=riefo r requested i issued e rate limited f finished o overflow
                              a allowed rate n in flight w wait p99 l latency p99
                              t tokens reserved u tokens used b token budget
                 -layout=panels|single -size=2000x800 -theme=light|dark -open
        Figures  -summary[=text|md|json] -check=CONDITIONS -compare=LOG
        Checks   calls finished failed given_up refusals overloads refusals_per_call
                 pauses paused line wait_mean wait_p99 call_p99 duration rejected closed
                 exhausted transient in_flight reserved_tokens used_tokens budget_mean
                 budget_peak slowdown
        Other    -follow -completions=SHELL -version -help
        Exit     0 success, 1 failure, 2 invalid arguments, 3 a condition failed
        "#);
    assert_eq!(directory.run(&["-version"]).1, concat!("ratellmiter ", env!("CARGO_PKG_VERSION"), "\n"));
    let (code, script, _) = directory.run(&["-completions=bash"]);
    assert!(code == 0 && script.contains("--compare"), "{script}");
}

#[test]
fn picture_is_alone_on_stdout() {
    let directory = Directory::new();
    directory.log("1-1.jsonl", ROW.replace("default", "m"));
    let before = directory.files();
    let output = directory.command(&["-out=-", "-size=600x300"]).output().unwrap();
    assert!(output.stdout.starts_with(b"\x89PNG") && output.stdout.ends_with(b"IEND\xaeB`\x82"));
    assert_eq!(output.stdout[16..24], [0, 0, 2, 88, 0, 0, 1, 44], "600 x 300");
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("note: "));
    assert_eq!(directory.files(), before);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = directory.command(&["-out=-"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .ends_with("error: cannot write to stdout: No space left on device (os error 28)\n")
    );
}

#[cfg(target_os = "linux")]
#[test]
fn picture_is_opened_with_the_system_viewer() {
    use std::{os::unix::fs::PermissionsExt as _, thread, time::Duration};

    let directory = Directory::new();
    directory.log("1-1.jsonl", ROW);
    let viewer = directory.path("bin/xdg-open");
    fs::create_dir(directory.path("bin")).unwrap();
    fs::write(
        &viewer,
        format!("#!/bin/sh\necho \"$1\" > {0}.tmp && mv {0}.tmp {0}\n", directory.path("seen").display()),
    )
    .unwrap();
    fs::set_permissions(&viewer, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", directory.path("bin").display());
    let output = directory.command(&["-open", "-out=x.png"]).env("PATH", &path).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"x.png\n"[..]));
    let seen = (0..100).find_map(|_| {
        thread::sleep(Duration::from_millis(50));
        fs::read_to_string(directory.path("seen")).ok()
    });
    assert_eq!(seen.unwrap().trim_end(), fs::canonicalize(directory.path("x.png")).unwrap().to_str().unwrap());
    // Without a viewer the picture is still written.
    let output = directory.command(&["-open", "-out=y.png"]).env("PATH", directory.path("none")).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b"y.png\n"[..]));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.starts_with("error: cannot open y.png with the system's viewer: ") && error.lines().count() == 1,
        "{error}"
    );
    assert!(directory.path("y.png").exists());
}

#[test]
fn picture_never_overwrites_its_log() {
    let directory = Directory::new();
    let log = fs::read(sample("burst.jsonl")).unwrap();
    fs::write(directory.path("b.png"), &log).unwrap();
    fs::write(directory.path("c.jsonl"), &log).unwrap();
    fs::hard_link(directory.path("c.jsonl"), directory.path("d.svg")).unwrap();
    for (args, name) in [
        (&["-file=b.png", "-out=b.png"][..], "b.png"),
        (&["-file=c.jsonl", "-out=d.svg"], "d.svg"),
        (&["-file=b.png", "-compare=c.jsonl", "-out=d.svg"], "d.svg"),
    ] {
        let failure = directory.failure(&[args, &["-model=gpt-4o"]].concat());
        assert_eq!(failure, format!("error: -out={name} is the log itself; choose another name for the picture\n"));
        assert_eq!(
            (fs::read(directory.path("b.png")).unwrap(), fs::read(directory.path("c.jsonl")).unwrap()),
            (log.clone(), log.clone())
        );
    }
}

#[cfg(unix)]
#[test]
fn path_of_stdout_behaves_as_a_dash() {
    let directory = Directory::new();
    directory.log("1-1.jsonl", ROW);
    let expected = directory.command(&["-out=-", "-format=svg"]).output().unwrap().stdout;
    let before = directory.files();
    let of_linux = cfg!(target_os = "linux").then_some("/proc/self/fd/1");
    for path in ["/dev/stdout", "/dev/fd/1"].into_iter().chain(of_linux) {
        let args = [&*format!("-out={path}"), "-format=svg"];
        assert_eq!(directory.command(&args).output().unwrap().stdout, expected, "to a pipe");
        let redirected = fs::File::create(directory.path("out.svg")).unwrap();
        assert!(directory.command(&args).stdout(redirected).status().unwrap().success());
        assert_eq!(fs::read(directory.path("out.svg")).unwrap(), expected, "to a file");
        fs::remove_file(directory.path("out.svg")).unwrap();
        assert_eq!(directory.files(), before);
    }
}

#[cfg(unix)]
#[test]
fn pipe_is_written_to_and_kept() {
    use std::os::unix::fs::FileTypeExt as _;

    let directory = Directory::new();
    directory.log("1-1.jsonl", ROW);
    let pipe = directory.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read_to_string(pipe).unwrap()
    });
    assert_eq!(directory.run(&["-out=pipe", "-format=svg"]).0, 0);
    assert!(reader.join().unwrap().starts_with("<svg"));
    assert!(fs::symlink_metadata(pipe).unwrap().file_type().is_fifo());
    assert_eq!(directory.files().len(), 2);
}

#[cfg(unix)]
#[test]
fn other_open_file_is_appended_to() {
    let directory = Directory::new();
    directory.log("1-1.jsonl", ROW);
    let log = fs::File::create(directory.path("errors")).unwrap();
    assert!(
        directory
            .command(&["-out=/dev/stderr", "-format=svg"])
            .stderr(log)
            .stdout(Stdio::null())
            .status()
            .unwrap()
            .success()
    );
    assert!(fs::read_to_string(directory.path("errors")).unwrap().starts_with("<svg"));
    assert_eq!(directory.files().len(), 2);
}

#[cfg(unix)]
#[test]
fn names_are_escaped_in_each_output() {
    let directory = Directory::new();
    let name = "a\u{202e}b\u{ffff}|![x](y)\u{9b}1m";
    let blank = "\u{3164}";
    directory.log("1-1.jsonl", ROW.replace("default", name));
    let raw = ['\u{202e}', '\u{ffff}', '\u{9b}'];
    for (args, escaped) in [
        (&["-summary"][..], "a\\u{202e}b\\u{ffff}|![x](y)\\u{9b}1m, from"),
        (&["-summary=md"], "a\\\\u{202e}b\\\\u{ffff}\\|!\\[x\\](y)\\\\u{9b}1m"),
        (&["-summary=json"], "a\\u202eb\\uffff|![x](y)\\u009b1m"),
        (&["-list"], "a\\u{202e}b\\u{ffff}|![x](y)\\u{9b}1m"),
        (&["-format=term"], "a\\u{202e}b\\u{ffff}|![x](y)\\u{9b}1m"),
        (&["-out=-", "-format=svg"], "a\\u{202e}b\\u{ffff}|![x](y)\\u{9b}1m"),
        (&["-out=-", "-format=html"], "a\\\\u{202e}b\\\\u{ffff}|![x](y)\\\\u{9b}1m"),
    ] {
        let (code, text, notes) = directory.run(args);
        assert_eq!(code, 0, "{notes}");
        assert!(text.contains(escaped) && !(text + &notes).contains(raw), "{args:?}");
    }
    let path = directory.drawn(&[]).0;
    assert!(!path.contains(raw), "{path}");
    directory.log("2-1.jsonl", ROW.replace("default", blank));
    let (code, _, error) = directory.run(&["-check=calls<=1"]);
    assert_eq!((code, error.as_str()), (3, "check failed: \"\\u{3164}\": calls<=1: it is 100\n"));
    let file = "\u{1b}[1m.jsonl";
    assert!(!directory.failure(&["-file", file]).contains('\u{1b}'));
    assert!(!directory.run(&[&format!("-{file}")]).2.contains('\u{1b}'));
}

/// Returns the texts of an SVG.
fn texts(svg: &str) -> Vec<&str> {
    svg.split("</text>").filter_map(|part| part.rsplit_once('>')).map(|(_, text)| text.trim()).collect()
}

#[test]
fn layout_selects_panels_or_a_single_axis() {
    let directory = Directory::new();
    let file = format!("-file={}", sample("burst.jsonl"));
    for more in [&[][..], &[&*format!("-compare={}", sample("tokens.jsonl"))]] {
        let drawn = |layout: &[&str]| {
            let args = [&[&*file, "-model=gpt-4o", "-out=x.svg"], layout, more].concat();
            assert_eq!(directory.run(&args).0, 0);
            fs::read_to_string(directory.path("x.svg")).unwrap()
        };
        let (default, panels, single) = (drawn(&[]), drawn(&["-layout=panels"]), drawn(&["-layout", "single"]));
        assert_eq!(default, panels);
        let (panels, single) = (texts(&panels), texts(&single));
        assert!(panels.contains(&"Calls per second") && panels.contains(&"Calls"), "{panels:?}");
        assert!(!panels.contains(&"Number of requests"), "{panels:?}");
        // The original has all lines on the axis of the queue, without limit, marks and panels.
        assert!(single.contains(&"Number of requests") && single.contains(&"100"), "{single:?}");
        assert!(!single.iter().any(|text| text.starts_with("limit ") || text.starts_with("Calls per")), "{single:?}");
        for line in ["requested", "issued", "finished", "overflow, waiting"] {
            assert!(panels.contains(&line) && single.contains(&line), "{line}");
        }
        // All refusals of this run are overloads.
        assert!(panels.contains(&"overloaded") && single.contains(&"rate limited"), "{panels:?} {single:?}");
    }
    let (code, _, error) = directory.run(&[&file, "-layout=stacked"]);
    assert!(code == 2 && error.contains("panels") && error.contains("single"), "{error}");
}
