//! Tests of `args`.

use super::*;

fn parsed(args: &[&str]) -> Parsed {
    parse(["ratellmiter"].iter().chain(args).map(OsString::from))
}

fn report(args: &[&str]) -> Report {
    match parsed(args) {
        Parsed::Job(Job::Report(report)) => *report,
        other => panic!("{other:?}"),
    }
}

fn error(args: &[&str]) -> String {
    match parsed(args) {
        Parsed::Error(text) => {
            assert_eq!(text.lines().count(), 1, "{text}");
            text.trim_end().to_owned()
        }
        other => panic!("{args:?}: {other:?}"),
    }
}

fn picture(args: &[&str]) -> Option<(Kind, Out)> {
    match report(args).view? {
        View::Picture(Picture { kind, out, .. }) => Some((kind, out)),
        View::Terminal => panic!("{args:?}"),
    }
}

#[test]
fn help_names_all_options_and_fits_a_screen() {
    let command = Arguments::command();
    command.clone().debug_assert();
    for argument in command.get_opts() {
        let flag = format!(" -{}", argument.get_long().unwrap());
        assert!(HELP.contains(&flag), "{flag}");
    }
    for line in crate::series::LINES {
        assert!(HELP.contains(&format!(" {} ", line.letter)) || line.letter == 'r', "{}", line.letter);
    }
    assert!(HELP.lines().count() <= 24 && HELP.lines().all(|line| line.len() <= 80), "a screen:\n{HELP}");
}

#[test]
fn dashes_and_separators_are_interchangeable() {
    let expected = report(&["--model=gpt4", "--file=x", "--lines=ri", "--dir=d", "--out=o.png"]);
    assert_eq!(expected.models, Models::Named("gpt4".into()));
    assert_eq!(expected.source, Source { files: vec!["x".into()], directory: Some("d".into()) });
    for args in [
        ["-model=gpt4", "-file=x", "-lines=ri", "-dir=d", "-out=o.png"].as_slice(),
        &["-model", "gpt4", "--file", "x", "-lines", "ri", "-dir", "d", "--out", "o.png"],
    ] {
        assert_eq!(report(args), expected);
    }
    assert_eq!((report(&[]).lines, Lines::default()), (None, "riefo".parse().unwrap()));
}

#[test]
fn model_name_may_contain_any_character() {
    assert_eq!(report(&["-model="]).models, Models::Named(String::new()));
    assert_eq!(report(&["-model=-x=y"]).models, Models::Named("-x=y".into()));
    assert_eq!(report(&["-model", "a b/c"]).models, Models::Named("a b/c".into()));
    assert_eq!(report(&["-model=all"]).models, Models::All);
}

#[test]
fn several_files_are_given_singly_or_as_a_list() {
    let files = |args: &[&str]| report(args).source.files;
    let expected: Vec<PathBuf> = ["a,b.jsonl", "c*.jsonl"].map(PathBuf::from).into();
    assert_eq!(files(&["-file=a,b.jsonl", "-file=c*.jsonl"]), expected);
    assert_eq!(files(&["-file", "a,b.jsonl", "c*.jsonl", "-model=m"]), expected);
    assert_eq!(files(&["-file", "a,b.jsonl", "-model", "m", "-file=c*.jsonl"]), expected);
    assert!(files(&[]).is_empty());
    let hint = "; name a log with -file=LOG, a model with -model=NAME";
    assert_eq!(error(&["-file=a", "b"]), format!("error: unexpected argument 'b' found{hint}"));
    assert_eq!(error(&["gpt\u{1b}[1m"]), format!("error: unexpected argument 'gpt\\u{{1b}}[1m' found{hint}"));
}

#[test]
fn extension_and_format_select_the_kind() {
    let file = |name: &str| Out::File(name.into());
    for (args, expected) in [
        (&[][..], Some((Kind::Png, Out::Default))),
        (&["-out=a.svg"], Some((Kind::Svg, file("a.svg")))),
        (&["-out=a.HTML"], Some((Kind::Html, file("a.HTML")))),
        (&["-out=a"], Some((Kind::Png, file("a")))),
        (&["-out=a.tmp", "-format=svg"], Some((Kind::Svg, file("a.tmp")))),
        (&["-format=html"], Some((Kind::Html, Out::Default))),
        (&["-out=-"], Some((Kind::Png, Out::Stdout))),
        (&["-out=-", "-format=svg"], Some((Kind::Svg, Out::Stdout))),
        (&["-summary"], None),
        (&["-check=calls>=1"], None),
        (&["-summary", "-out=a.png"], Some((Kind::Png, file("a.png")))),
        (&["-compare=b"], Some((Kind::Png, Out::Default))),
        (&["-compare=b", "-summary=md"], Some((Kind::Png, Out::Default))),
    ] {
        assert_eq!(picture(args), expected, "{args:?}");
    }
    assert_eq!(report(&["-format=term", "-summary"]).view, Some(View::Terminal));
    assert_eq!(report(&["-summary=json"]).summary, Some(Format::Json));
    assert_eq!(report(&["-summary"]).summary, Some(Format::Text));
}

#[test]
fn contradictory_arguments_are_errors() {
    insta::assert_snapshot!(
        [
            &["-out=a.jpg"][..],
            &["-out=a.png", "-format=svg"],
            &["-out=-", "-summary"],
            &["-out=-", "-open"],
            &["-format=term", "-out=a.png"],
            &["-out=a.html", "-size=400x300"],
            &["-compare=b", "-model=all"],
            &["-compare=b", "-out=a.html"],
            &["-compare=c", "-file=a", "-file=b"],
            &["-file=-", "-compare=-"],
            &["-follow", "-file", "a", "b"],
            &["-list", "-model=a"],
            &["-follow", "-out=a.png"],
            &["-list", "-follow"],
            &["-format=gif"],
            &["-theme=blue"],
            &["-size=5x5"],
            &["-summary=xml"],
            &["-completions=cmd"],
            &["-check=refusals"],
        ]
        .map(|args| format!("{}: {}", args.join(" "), error(args)))
        .join("\n"),
        @r#"
    -out=a.jpg: error: -out ends in .jpg; allowed are .png, .svg and .html
    -out=a.png -format=svg: error: -out ends in .png, but -format is svg
    -out=- -summary: error: -out=- and -summary both write to stdout; use -out=FILE
    -out=- -open: error: -open needs a file, but -out=- writes to stdout
    -format=term -out=a.png: error: -out cannot be used with -format=term, which draws in the terminal
    -out=a.html -size=400x300: error: -size applies to .png and .svg only; a page fills its window
    -compare=b -model=all: error: -compare takes one model; use -model=NAME
    -compare=b -out=a.html: error: -compare draws .png and .svg only
    -compare=c -file=a -file=b: error: -compare takes one log, but -file names 2
    -file=- -compare=-: error: -file=- and -compare=- would both read stdin; name one of the logs
    -follow -file a b: error: -follow takes one log, but -file names 2
    -list -model=a: error: -model cannot be used with -list; allowed with it: -dir
    -follow -out=a.png: error: -out cannot be used with -follow; allowed with it: -dir, -file, -model, -lines
    -list -follow: error: -follow cannot be used with -list; allowed with it: -dir
    -format=gif: error: invalid value 'gif' for '-format <FORMAT>'; [possible values: term, png, svg, html]
    -theme=blue: error: invalid value 'blue' for '-theme <THEME>'; [possible values: light, dark]
    -size=5x5: error: invalid value '5x5' for '-size <WxH>': allowed is WIDTHxHEIGHT in pixels, from 320x200 to 4000x3000
    -summary=xml: error: invalid value 'xml' for '-summary[=<FORMAT>]'; [possible values: text, md, json]
    -completions=cmd: error: invalid value 'cmd' for '-completions <SHELL>'; [possible values: bash, elvish, fish, powershell, zsh]
    -check=refusals: error: invalid value 'refusals' for '-check <CONDITIONS>': "refusals" is not a condition; allowed are conditions like FIGURE<=VALUE with <=, >=, <, > or ==, separated by commas; figures are calls, finished, failed, given_up, refusals, overloads, refusals_per_call, pauses, paused, line, wait_mean, wait_p99, call_p99, duration, rejected, exhausted, closed, transient, in_flight, reserved_tokens, used_tokens, budget_mean, budget_peak, slowdown
    "#
    );
}

#[test]
fn logs_need_no_option() {
    let files = |args: &[&str]| report(args).source.files;
    assert_eq!(files(&["x.jsonl"]), [PathBuf::from("x.jsonl")]);
    assert_eq!(files(&["logs/x.jsonl", "-model=m", "y.jsonl"]), ["logs/x.jsonl", "y.jsonl"].map(PathBuf::from));
    assert_eq!(files(&["-file=-"]), [PathBuf::from("-")]);
    assert!(
        matches!(parsed(&["x.jsonl", "-follow"]), Parsed::Job(Job::Follow { source, .. }) if source.files.len() == 1)
    );
    assert_eq!(error(&["-list", "x.jsonl"]), "error: -file cannot be used with -list; allowed with it: -dir");
    assert_eq!(
        error(&["-follow", "-file=-"]),
        "error: -follow reads keys from stdin, so that -file=- cannot be followed"
    );
}

#[test]
fn format_of_a_summary_is_given_in_both_ways() {
    for (args, format) in [
        (&["-summary", "json"][..], Format::Json),
        (&["--summary", "md", "-model", "x"], Format::Md),
        (&["-summary", "-model=x"], Format::Text),
        (&["-summary", "x.jsonl"], Format::Text),
        (&["x.jsonl", "-summary=text"], Format::Text),
    ] {
        assert_eq!(report(args).summary, Some(format), "{args:?}");
    }
    assert_eq!(report(&["-summary", "x.jsonl"]).source.files, [PathBuf::from("x.jsonl")]);
    assert_eq!(
        error(&["-summary", "xml"]),
        "error: invalid value 'xml' for '-summary[=<FORMAT>]'; [possible values: text, md, json]"
    );
}

#[test]
fn errors_name_options_as_the_help_does() {
    for args in [
        &["--modle=x"][..],
        &["-lines=--x"],
        &["-model"],
        &["-model=a", "--model=b"],
        &["-open=x"],
        &["-theme", "--size=5x5"],
        &["-x"],
    ] {
        let error = error(args);
        assert!(!error.replace("'--x'", "").contains("--"), "{args:?}: {error}");
    }
    assert!(error(&["-lines=--x"]).starts_with("error: invalid value '--x' for '-lines <LETTERS>'"));
}

#[cfg(unix)]
#[test]
fn path_of_stdout_is_stdout() {
    for path in ["/dev/stdout", "/dev/fd/1"] {
        assert_eq!(picture(&[&format!("-out={path}"), "-format=svg"]), Some((Kind::Svg, Out::Stdout)));
        assert_eq!(
            error(&[&format!("-out={path}"), "-summary"]),
            format!("error: -out={path} and -summary both write to stdout; use -out=FILE")
        );
    }
    assert_eq!(picture(&["-out=/dev/null"]), Some((Kind::Png, Out::File("/dev/null".into()))));
}
