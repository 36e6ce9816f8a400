//! What was typed, and what it means.

use std::{
    ffi::{OsStr, OsString},
    path::PathBuf,
};

use clap::{CommandFactory as _, Parser, ValueEnum, error::ErrorKind};
use clap_complete::Shell;

use crate::{
    draw::theme::{Size, Theme},
    series::Lines,
    summary::{check::Conditions, render::Format},
};

/// What is to be done.
#[derive(Debug, PartialEq)]
pub(crate) enum Job {
    Report(Box<Report>),
    List { directory: Option<PathBuf> },
    Follow { source: Source, models: Models, lines: Lines },
}

/// Pictures and figures of a log.
#[derive(Debug, PartialEq)]
pub(crate) struct Report {
    pub(crate) source: Source,
    pub(crate) models: Models,
    /// As typed, if they were.
    pub(crate) lines: Option<Lines>,
    pub(crate) theme: Theme,
    pub(crate) view: Option<View>,
    pub(crate) summary: Option<Format>,
    pub(crate) check: Option<Conditions>,
    pub(crate) compare: Option<PathBuf>,
}

/// Where the log is.
#[derive(Debug, PartialEq)]
pub(crate) struct Source {
    /// Several are summed.
    pub(crate) files: Vec<PathBuf>,
    pub(crate) directory: Option<PathBuf>,
}

/// Which models of it.
#[derive(Debug, PartialEq)]
pub(crate) enum Models {
    Default,
    All,
    /// As typed: one name, or several with commas between them.
    Named(String),
}

/// What is drawn.
#[derive(Debug, PartialEq)]
pub(crate) enum View {
    Terminal,
    Picture(Picture),
}

#[derive(Debug, PartialEq)]
pub(crate) struct Picture {
    pub(crate) kind: Kind,
    pub(crate) out: Out,
    pub(crate) size: Size,
    pub(crate) open: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Png,
    Svg,
    Html,
}

impl Kind {
    /// How its files end.
    pub(crate) const fn ending(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Svg => "svg",
            Self::Html => "html",
        }
    }
}

#[derive(Debug, PartialEq)]
pub(crate) enum Out {
    /// `<log>-<model>_<lines>.<ending>`
    Named,
    File(PathBuf),
    Stdout,
}

#[derive(Debug)]
pub(crate) enum Parsed {
    Job(Job),
    /// For stdout.
    Text(String),
    /// For stderr.
    Wrong(String),
}

/// Draws what a rateLLMiter log says, and says what bound the run.
#[derive(Debug, Parser)]
#[command(name = "ratellmiter", bin_name = "ratellmiter", version, override_help = HELP)]
// Each is a flag of the command.
#[allow(clippy::struct_excessive_bools)]
struct Typed {
    /// The model, several with commas between them, or all
    #[arg(long, value_name = "NAME")]
    model: Option<String>,

    /// The log, ours or the Python package's; several of one namespace are summed
    #[arg(long, value_name = "LOG", num_args = 1..)]
    file: Vec<PathBuf>,

    /// Where logs are
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,

    /// The lines, by their letters
    #[arg(long, value_name = "LETTERS")]
    lines: Option<Lines>,

    /// The picture; its ending says which kind
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// What is drawn
    #[arg(long, value_name = "FORMAT")]
    format: Option<Drawn>,

    /// How large a picture is, in pixels
    #[arg(long, value_name = "WxH")]
    size: Option<Size>,

    /// The paper
    #[arg(long, value_name = "THEME")]
    theme: Option<Theme>,

    /// Opens the picture
    #[arg(long)]
    open: bool,

    /// Figures and a verdict for each model
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, require_equals = true, default_missing_value = "text")]
    summary: Option<Format>,

    /// Conditions that must hold
    #[arg(long, value_name = "CONDITIONS")]
    check: Option<Conditions>,

    /// Another run to compare with
    #[arg(long, value_name = "LOG")]
    compare: Option<PathBuf>,

    /// The logs
    #[arg(long)]
    list: bool,

    /// Draws in the terminal while the program runs
    #[arg(long)]
    follow: bool,

    /// Completions for a shell
    #[arg(long, value_name = "SHELL")]
    completions: Option<Shell>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Drawn {
    Term,
    Png,
    Svg,
    Html,
}

const HELP: &str = "\
Draws what a rateLLMiter log says, and says what bound the run

  ratellmiter -model=gpt-4o -lines=ri            a PNG of the newest log
  ratellmiter -summary                           what bound each model
  ratellmiter -check='refusals<=2,wait_p99<=5s'  exit 3 if that does not hold
  ratellmiter -follow                            while the program runs

Log      -model=NAME  one, a,b, or all       [default: default, or the only one]
         -file=LOG    ours or Python's; several are summed [default: the newest]
         -dir=DIR     where logs are [RATELLMITER_LOGS, else the configuration]
         -list        the logs there are
Picture  -out=FILE    ends in .png, .svg or .html; - is stdout
         -format=term in the terminal; png, svg or html: a file of that kind
         -lines=riefo r requested i issued e rate limited f finished o overflow
                      a allowed rate n in flight w wait p99 l latency p99
                      t tokens reserved u tokens used b token budget
         -size=2000x800 -theme=light|dark -open
Figures  -summary[=text|md|json] -check=CONDITIONS -compare=LOG
Live     -follow
Other    -completions=SHELL -version -help
Exit     0 done, 1 could not, 2 typed wrongly, 3 a condition does not hold
";

pub(crate) fn parse(args: impl Iterator<Item = OsString>) -> Parsed {
    match Typed::try_parse_from(args.map(two_dashes)) {
        Ok(Typed { completions: Some(shell), .. }) => Parsed::Text(completions(shell)),
        Ok(typed) => match typed.meaning() {
            Ok(job) => Parsed::Job(job),
            Err(problem) => Parsed::Wrong(format!("error: {problem}\n")),
        },
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            Parsed::Text(error.to_string())
        }
        Err(error) => Parsed::Wrong(format!("{}\n", one_line(&error.to_string()))),
    }
}

/// What is wrong and what is allowed, without the usage.
fn one_line(error: &str) -> String {
    let problem = error.split("\n\nUsage:").next().unwrap_or(error);
    let problem = problem.split("\n\nFor more information").next().unwrap_or(problem);
    problem.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

impl Typed {
    fn meaning(self) -> Result<Job, String> {
        if self.list {
            self.alone("-list", &["-dir"])?;
            return Ok(Job::List { directory: self.dir });
        }
        if self.follow {
            self.alone("-follow", &["-dir", "-file", "-model", "-lines"])?;
            self.of_one_log("-follow")?;
        }
        if self.compare.is_some() {
            self.of_one_log("-compare")?;
        }
        let view = self.view()?;
        let models = match self.model {
            None => Models::Default,
            Some(name) if name == "all" => Models::All,
            Some(name) => Models::Named(name),
        };
        let source = Source { files: self.file, directory: self.dir };
        let lines = self.lines;
        if self.follow {
            return Ok(Job::Follow { source, models, lines: lines.unwrap_or_default() });
        }
        if self.compare.is_some() && models == Models::All {
            return Err("-compare takes one model; allowed is -model=NAME".into());
        }
        Ok(Job::Report(Box::new(Report {
            source,
            models,
            lines,
            theme: self.theme.unwrap_or(Theme::Light),
            view,
            summary: self.summary,
            check: self.check,
            compare: self.compare,
        })))
    }

    /// What is drawn: a picture unless only figures were asked for.
    fn view(&self) -> Result<Option<View>, String> {
        let kind = match self.format {
            Some(Drawn::Term) => {
                let misplaced = [
                    ("-out", self.out.is_some()),
                    ("-size", self.size.is_some()),
                    ("-theme", self.theme.is_some()),
                    ("-open", self.open),
                ];
                return match misplaced.iter().find(|(_, there)| *there) {
                    Some((flag, _)) => {
                        Err(format!("{flag} makes no sense with -format=term, which draws in the terminal"))
                    }
                    None => Ok(Some(View::Terminal)),
                };
            }
            Some(Drawn::Png) => Some(Kind::Png),
            Some(Drawn::Svg) => Some(Kind::Svg),
            Some(Drawn::Html) => Some(Kind::Html),
            None => None,
        };
        let asked = self.out.is_some() || kind.is_some() || self.open || self.size.is_some();
        let figures_only = (self.summary.is_some() || self.check.is_some()) && self.compare.is_none() && !asked;
        if figures_only {
            return Ok(None);
        }
        let (out, kind) = match &self.out {
            None => (Out::Named, kind.unwrap_or(Kind::Png)),
            Some(out) if out == "-" => {
                let other = [("-summary", self.summary.is_some()), ("-compare", self.compare.is_some())];
                if let Some((flag, _)) = other.iter().find(|(_, there)| *there) {
                    return Err(format!("-out=- and {flag} would both be on stdout; give -out a file"));
                }
                if self.open {
                    return Err("-open needs a file; -out=- is stdout".into());
                }
                (Out::Stdout, kind.unwrap_or(Kind::Png))
            }
            Some(out) => (Out::File(out.clone()), kind_of(out.extension(), kind)?),
        };
        if kind == Kind::Html && self.size.is_some() {
            return Err("-size is for .png and .svg; a page is as large as its window".into());
        }
        if kind == Kind::Html && self.compare.is_some() {
            return Err("-compare draws .png and .svg, no page".into());
        }
        Ok(Some(View::Picture(Picture { kind, out, size: self.size.unwrap_or(Size::DEFAULT), open: self.open })))
    }

    /// Refuses the sum of several logs.
    fn of_one_log(&self, flag: &str) -> Result<(), String> {
        match self.file.len() {
            0 | 1 => Ok(()),
            several => Err(format!("{flag} is of one log, and -file names {several}; allowed is one")),
        }
    }

    /// Refuses flags that would be passed over in silence.
    fn alone(&self, flag: &str, allowed: &[&str]) -> Result<(), String> {
        let there = [
            ("-model", self.model.is_some()),
            ("-file", !self.file.is_empty()),
            ("-dir", self.dir.is_some()),
            ("-lines", self.lines.is_some()),
            ("-out", self.out.is_some()),
            ("-format", self.format.is_some()),
            ("-size", self.size.is_some()),
            ("-theme", self.theme.is_some()),
            ("-open", self.open),
            ("-summary", self.summary.is_some()),
            ("-check", self.check.is_some()),
            ("-compare", self.compare.is_some()),
            ("-follow", self.follow && flag != "-follow"),
        ];
        match there.iter().find(|(other, there)| *there && !allowed.contains(other)) {
            Some((other, _)) => {
                Err(format!("{other} makes no sense with {flag}; allowed beside it: {}", allowed.join(", ")))
            }
            None => Ok(()),
        }
    }
}

/// From the ending, which must not say otherwise than the format that was asked for.
fn kind_of(ending: Option<&OsStr>, asked: Option<Kind>) -> Result<Kind, String> {
    let Some(ending) = ending else {
        return Ok(asked.unwrap_or(Kind::Png));
    };
    let found = [Kind::Png, Kind::Svg, Kind::Html].into_iter().find(|kind| ending.eq_ignore_ascii_case(kind.ending()));
    match (found, asked) {
        (Some(found), Some(asked)) if found != asked => {
            Err(format!("-out ends in .{} and -format is {}", found.ending(), asked.ending()))
        }
        (Some(kind), _) | (None, Some(kind)) => Ok(kind),
        (None, None) => {
            Err(format!("-out ends in .{}; allowed are .png, .svg and .html", ending.to_string_lossy().escape_debug()))
        }
    }
}

fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Typed::command(), "ratellmiter", &mut script);
    String::from_utf8_lossy(&script).into_owned()
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
mod tests;
