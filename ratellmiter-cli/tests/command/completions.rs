//! Completions in real shells, as far as they are installed.

use std::{fs, process::Command};

use crate::{Directory, HEADER, ROW};

/// Returns the words that bash offers at the end of a command line, whose words are split as bash does.
fn bash(directory: &Directory, words: &[&str]) -> Vec<String> {
    offered(directory, words, "PATH=$1:$PATH")
}

fn offered(directory: &Directory, words: &[&str], setting: &str) -> Vec<String> {
    let script = format!(
        "{setting}; source ./script; shift; COMP_WORDS=(ratellmiter \"$@\"); COMP_CWORD=$#; _ratellmiter; \
         for word in \"${{COMPREPLY[@]}}\"; do echo \"$word\"; done"
    );
    let command = env!("CARGO_BIN_EXE_ratellmiter");
    let directory_of_command = command.rsplit_once('/').unwrap().0;
    fs::write(directory.path("script"), directory.run(&["-completions=bash"]).1).unwrap();
    run(directory, "bash", &[&["-c", &script, "bash", directory_of_command], words].concat())
}

fn run(directory: &Directory, shell: &str, args: &[&str]) -> Vec<String> {
    let mut command = Command::new(shell);
    command.current_dir(directory.path(".")).env("HOME", directory.path("home")).env_remove("RATELLMITER_LOGS");
    let output = command.env("XDG_CONFIG_HOME", directory.path("none")).args(args).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn is_installed(shell: &str) -> bool {
    Command::new(shell).arg("--version").output().is_ok()
}

#[test]
fn options_are_offered_in_both_spellings() {
    let directory = Directory::new();
    for (typed, offered) in [
        ("-m", &["-model="][..]),
        ("--m", &["--model="]),
        ("-l", &["-layout=", "-lines=", "-list"]),
        ("-s", &["-size=", "-summary", "-summary="]),
        ("--fo", &["--format=", "--follow"]),
        ("-completions", &["-completions="]),
    ] {
        let found = bash(&directory, &[typed]);
        assert!(
            offered.iter().all(|word| found.contains(&(*word).to_owned())) && found.len() == offered.len(),
            "{found:?}"
        );
    }
    let [one, two] = ["-", "--"].map(|dashes| bash(&directory, &[dashes]));
    assert_eq!(one.iter().map(|word| format!("-{word}")).collect::<Vec<_>>(), two);
    assert!(["-open", "-list", "-follow", "-help", "-version"].iter().all(|flag| one.contains(&(*flag).to_owned())));
    assert!(one.len() > 15 && one.iter().all(|word| !word.starts_with("--")), "{one:?}");
}

#[test]
fn values_are_offered_after_either_separator() {
    let directory = Directory::new();
    for (option, values) in [
        ("theme", &["light", "dark"][..]),
        ("format", &["term", "png", "svg", "html"]),
        ("layout", &["panels", "single"]),
        ("summary", &["text", "md", "json"]),
        ("completions", &["bash", "elvish", "fish", "powershell", "zsh"]),
    ] {
        for dashes in ["-", "--"] {
            let option = format!("{dashes}{option}");
            assert_eq!(bash(&directory, &[&option, "=", ""]), values);
            assert_eq!(bash(&directory, &[&option, "="]), values);
            let whole: Vec<_> = values.iter().map(|value| format!("{option}={value}")).collect();
            assert_eq!(bash(&directory, &[&format!("{option}=")]), whole, "a word that is not split");
            assert_eq!(bash(&directory, &[&option, values[0]]), [values[0]]);
        }
    }
    assert_eq!(bash(&directory, &["-theme", "=", "da"]), ["dark"]);
    assert_eq!(bash(&directory, &["-lines", "=", "riefo"]).len(), 7, "the other letters");
    assert_eq!(bash(&directory, &["-check", "=", "wait_p"]), ["wait_p99\\<="]);
    assert_eq!(bash(&directory, &["-check", "=", "'calls<=3,wait_p"]), ["calls<=3,wait_p99<="]);
}

#[test]
fn models_of_the_selected_log_are_offered() {
    let directory = Directory::new();
    let log =
        |models: &[&str]| models.iter().fold(HEADER.to_owned(), |log, model| log + &ROW.replace("default", model));
    directory.log("100-1.jsonl", log(&["old"]));
    directory.log("200-1.jsonl", log(&["gpt-4o", "llama3:8b", "meta/llama", "org@m", "漢字"]));
    directory.log("300-1.jsonl", HEADER);
    let all = ["gpt-4o", "llama3:8b", "meta/llama", "org@m", "漢字", "all"];
    assert_eq!(bash(&directory, &["-model", "=", ""]), all);
    assert_eq!(bash(&directory, &["-model", ""]), all);
    assert_eq!(bash(&directory, &["--model", "=", "ll"]), ["llama3:8b"]);
    assert_eq!(bash(&directory, &["--model", "=", "llama3", ":"]), ["8b"]);
    assert_eq!(bash(&directory, &["--model", "=", "llama3", ":", "8"]), ["8b"]);
    assert_eq!(bash(&directory, &["--model", "=", "org", "@", ""]), ["m"]);
    assert_eq!(bash(&directory, &["-model", "=", "'me"]), ["meta/llama"]);
    assert_eq!(bash(&directory, &["-model", "=", "gpt-4o,me"]), ["gpt-4o,meta/llama"]);
    for selected in [&["-file", "=", "100-1.jsonl"][..], &["-file", "100-1.jsonl"], &["ratellmiter_logs/100-1.jsonl"]] {
        assert_eq!(bash(&directory, &[selected, &["-model", "=", ""]].concat()), ["old"], "{selected:?}");
    }
    assert_eq!(bash(&directory, &["-dir", "=", "none", "-model", "=", ""]), [""; 0]);
    assert_eq!(bash(&directory, &["-file", "=", "/dev/zero", "-model", "=", ""]), [""; 0], "no device is read");
}

#[test]
fn names_of_models_never_become_commands() {
    let directory = Directory::new();
    let log: String = ["$(touch x)", "a b;id", "`id`", "a\\u001b[1m", "a\\nb", "*"]
        .map(|model| ROW.replace("default", model))
        .concat();
    directory.log("1-1.jsonl", log);
    assert_eq!(bash(&directory, &["-model", "=", ""]), ["\\$\\(touch\\ x\\)", "\\*", "\\`id\\`", "a\\ b\\;id", "all"]);
    assert_eq!(bash(&directory, &["-model", "=", "a\\ "]), ["a\\ b\\;id"]);
    assert_eq!(bash(&directory, &["-model", "=", "\""]), ["*", "a b;id", "all"], "inside quotes");
}

#[test]
fn files_are_offered() {
    let directory = Directory::new();
    directory.log("1-1.jsonl", ROW);
    for name in ["a b.png", "a.svg", "a.txt", "c.jsonl", ".hidden.png", "home/x.jsonl", "home/y.txt"] {
        fs::create_dir_all(directory.path("home")).unwrap();
        fs::write(directory.path(name), "").unwrap();
    }
    fs::write(directory.path("script"), "").unwrap();
    let logs = ["a\\ b.png", "a.svg", "a.txt", "c.jsonl", "home/", "ratellmiter_logs/", "script", "1-1.jsonl"];
    assert_eq!(bash(&directory, &["-file", "=", ""]), logs);
    assert_eq!(bash(&directory, &["-file", ""]), logs);
    assert_eq!(bash(&directory, &["-file", "c.jsonl", "ho"]), ["home/"], "each log of a list");
    assert_eq!(bash(&directory, &["-compare", "=", "c"]), ["c.jsonl"]);
    assert_eq!(bash(&directory, &["-out", "=", ""]), ["a\\ b.png", "a.svg", "home/", "ratellmiter_logs/"]);
    assert_eq!(bash(&directory, &["-out", "=", ".h"]), [".hidden.png"]);
    assert_eq!(bash(&directory, &["-dir", "=", ""]), ["home/", "ratellmiter_logs/"]);
    assert_eq!(bash(&directory, &["home/"]), ["home/x.jsonl"], "logs need no option");
    assert_eq!(bash(&directory, &["-file", "~/x"]), ["~/x.jsonl"]);
    let empty = bash(&directory, &[""]);
    assert!(empty.starts_with(&["c.jsonl".into()]) && empty.contains(&"-model=".into()), "{empty:?}");
}

#[test]
fn options_are_offered_without_the_command() {
    let directory = Directory::new();
    let without = |words: &[&str]| offered(&directory, words, "PATH=/nowhere");
    assert_eq!(without(&["-th"]), ["-theme=light", "-theme=dark", "-theme="]);
    assert_eq!(without(&["--theme", "=", ""]), ["light", "dark", ""]);
    assert_eq!(without(&["--theme", "=", "da"]), ["dark"]);
}

#[test]
fn bash_registers_the_completion() {
    let directory = Directory::new();
    fs::write(directory.path("script"), directory.run(&["-completions=bash"]).1).unwrap();
    let directory_of_command = env!("CARGO_BIN_EXE_ratellmiter").rsplit_once('/').unwrap().0;
    let script = "PATH=$1:$PATH; source ./script; complete -p ratellmiter";
    let found = run(&directory, "bash", &["-c", script, "bash", directory_of_command]);
    assert_eq!(found, ["complete -F _ratellmiter ratellmiter"]);
}

#[test]
fn words_are_completed_at_the_prompt_of_bash() {
    use std::{io::Write as _, thread, time::Duration};

    use portable_pty::{CommandBuilder, PtySize, native_pty_system};

    let directory = Directory::new();
    directory.log("1-1.jsonl", ["gpt-4o", "a:b c", "$(touch x)"].map(|model| ROW.replace("default", model)).concat());
    // A command with the same completion, which keeps its arguments.
    let show = "show() { if [[ $1 == -complete=* ]]; then ratellmiter \"$@\"; else printf '%s\\n' \"$@\" >> seen; fi; }\n\
                complete -F _ratellmiter show\n";
    fs::write(directory.path("script"), directory.run(&["-completions=bash"]).1 + show).unwrap();
    let directory_of_command = env!("CARGO_BIN_EXE_ratellmiter").rsplit_once('/').unwrap().0;
    let mut command = CommandBuilder::new("bash");
    command.args(["--norc", "--noprofile", "-i"]);
    command.cwd(directory.path("."));
    command.env("PATH", format!("{directory_of_command}:{}", std::env::var("PATH").unwrap()));
    for (name, value) in [("TERM", "dumb"), ("INPUTRC", "/dev/null"), ("HISTFILE", "/dev/null")] {
        command.env(name, value);
    }
    command.env_remove("RATELLMITER_LOGS");
    let terminal = native_pty_system().openpty(PtySize { rows: 24, cols: 200, ..PtySize::default() }).unwrap();
    let mut shell = terminal.slave.spawn_command(command).unwrap();
    let mut output = terminal.master.try_clone_reader().unwrap();
    thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
    let mut keys = terminal.master.take_writer().unwrap();
    let typed = [
        ("source ./script", ""),
        ("show -mod\tgp\t", "-model=gpt-4o"),
        ("show --the\td\t", "--theme=dark"),
        ("show -model=a:\t", "-model=a:b c"),
        ("show -model $\t", "-model\n$(touch x)"),
        ("show -file=rat\t\t", "-file=ratellmiter_logs/1-1.jsonl"),
        ("exit", ""),
    ];
    for (line, _) in typed {
        keys.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
    let has_ended = (0..200).any(|_| {
        thread::sleep(Duration::from_millis(50));
        shell.try_wait().unwrap().is_some()
    });
    let _ = shell.kill();
    let expected =
        typed.iter().filter(|(_, seen)| !seen.is_empty()).fold(String::new(), |all, (_, seen)| all + seen + "\n");
    assert_eq!((fs::read_to_string(directory.path("seen")).unwrap_or_default(), has_ended), (expected, true));
    assert!(!directory.path("x").exists());
}

#[test]
fn zsh_and_fish_accept_the_scripts_where_installed() {
    let directory = Directory::new();
    directory.log("1-1.jsonl", ROW.replace("default", "gpt-4o"));
    let directory_of_command = env!("CARGO_BIN_EXE_ratellmiter").rsplit_once('/').unwrap().0;
    for shell in ["zsh", "fish"] {
        fs::write(directory.path(shell), directory.run(&[&format!("-completions={shell}")]).1).unwrap();
        if is_installed(shell) {
            run(&directory, shell, &["-n", shell]);
        }
    }
    if is_installed("fish") {
        let fish = |line: &str| {
            let script = format!("set -x PATH {directory_of_command} $PATH; source fish; complete -C '{line}'");
            let found = run(&directory, "fish", &["-c", &script]);
            found.iter().map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(fish("ratellmiter -th"), ["-theme="]);
        assert_eq!(fish("ratellmiter --theme=d"), ["--theme=dark"]);
        assert_eq!(fish("ratellmiter -model=g"), ["-model=gpt-4o"]);
        assert_eq!(fish("ratellmiter -model g"), ["gpt-4o"]);
    }
}
