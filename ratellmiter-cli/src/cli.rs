//! What was typed, and what it means.

use std::{ffi::OsString, path::PathBuf};

use clap::{Parser, error::ErrorKind};

use crate::series::Lines;

/// A picture that was asked for.
#[derive(Debug, PartialEq)]
pub(crate) struct Plot {
    pub(crate) model: Option<String>,
    pub(crate) file: Option<PathBuf>,
    pub(crate) lines: Lines,
    pub(crate) directory: Option<PathBuf>,
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug)]
pub(crate) enum Parsed {
    Plot(Plot),
    /// For stdout.
    Help(String),
    /// For stderr.
    Wrong(String),
}

/// Draws what a rateLLMiter log says as a PNG, and prints its path.
#[derive(Debug, Parser)]
#[command(name = "ratellmiter", bin_name = "ratellmiter", version, after_help = AFTER_HELP)]
struct Typed {
    /// The model [default: default, or the only one there is]
    #[arg(long, value_name = "NAME")]
    model: Option<String>,

    /// The log, ours or the Python package's [default: the newest that has data]
    #[arg(long, value_name = "LOG")]
    file: Option<PathBuf>,

    /// The lines: r requested, i issued, e rate limited, f finished, o overflow
    #[arg(long, value_name = "LETTERS", default_value = "riefo")]
    lines: Lines,

    #[allow(clippy::doc_markdown)] // It is the text of the help.
    /// Where logs are [default: RATELLMITER_LOGS, the configuration, or ratellmiter_logs]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,

    /// The picture [default: <log>-<model>_<lines>.png in this directory]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

const AFTER_HELP: &str = "\
One dash will do: ratellmiter -model=gpt-4o -lines=ri
Exit code: 0 drawn, 1 could not, 2 typed wrongly";

pub(crate) fn parse(args: impl Iterator<Item = OsString>) -> Parsed {
    match Typed::try_parse_from(args.map(two_dashes)) {
        Ok(Typed { model, file, lines, dir, out }) => Parsed::Plot(Plot { model, file, lines, directory: dir, out }),
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            Parsed::Help(error.to_string())
        }
        Err(error) => Parsed::Wrong(error.to_string()),
    }
}

/// A word after one dash is a long option.
fn two_dashes(arg: OsString) -> OsString {
    match arg.as_encoded_bytes() {
        [b'-', b'a'..=b'z', b'a'..=b'z', ..] => {
            let mut long = OsString::from("-");
            long.push(arg);
            long
        }
        _ => arg,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn plot(args: &[&str]) -> Plot {
        match parse(["ratellmiter"].iter().chain(args).map(OsString::from)) {
            Parsed::Plot(plot) => plot,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_options_are_sound() {
        Typed::command().debug_assert();
    }

    #[test]
    fn one_dash_and_two_equals_and_space_are_the_same() {
        let expected = Plot {
            model: Some("gpt4".into()),
            file: Some("x".into()),
            lines: "ri".parse().unwrap(),
            directory: Some("d".into()),
            out: Some("o.png".into()),
        };
        for args in [
            ["-model=gpt4", "-file=x", "-lines=ri", "-dir=d", "-out=o.png"].as_slice(),
            &["--model=gpt4", "--file=x", "--lines=ri", "--dir=d", "--out=o.png"],
            &["-model", "gpt4", "--file", "x", "-lines", "ri", "-dir", "d", "--out", "o.png"],
        ] {
            assert_eq!(plot(args), expected);
        }
        assert_eq!(plot(&[]).lines, "riefo".parse().unwrap());
    }

    #[test]
    fn a_value_may_be_nearly_anything() {
        assert_eq!(plot(&["-model="]).model, Some(String::new()));
        assert_eq!(plot(&["-model=-x=y"]).model, Some("-x=y".into()));
        assert_eq!(plot(&["-model", "a b/c"]).model, Some("a b/c".into()));
    }
}
