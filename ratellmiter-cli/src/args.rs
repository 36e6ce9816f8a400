//! Parses the arguments into a job.

mod errors;
mod job;

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use clap::{CommandFactory as _, Parser, ValueEnum, ValueHint, error::ErrorKind};
use clap_complete::Shell;

pub(crate) use self::job::{CommandLine, Job, Kind, Models, Out, Picture, Report, Source, View};
use crate::{
    draw::theme::{Layout, Size, Theme},
    read,
    series::Lines,
    summary::{check::Conditions, render::Format},
    words::one_line,
    write,
};

#[derive(Debug)]
pub(crate) enum Parsed {
    Job(Job),
    /// Text for stdout.
    Text(String),
    /// Message for stderr.
    Error(String),
}

/// Draws rateLLMiter logs and reports what limited a run.
#[derive(Debug, Parser)]
#[command(name = "ratellmiter", bin_name = "ratellmiter", version, override_help = HELP)]
// Each bool is a flag of the command.
#[allow(clippy::struct_excessive_bools)]
struct Arguments {
    /// The model, several separated by commas, or all
    #[arg(long, value_name = "NAME")]
    model: Option<String>,

    /// A log of this library or of the Python package; several of one namespace are summed
    #[arg(long, value_name = "LOG", num_args = 1.., value_hint = ValueHint::FilePath)]
    file: Vec<PathBuf>,

    /// A log to draw, as with -file
    #[arg(value_name = "LOG")]
    logs: Vec<PathBuf>,

    /// The directory of the logs
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    dir: Option<PathBuf>,

    /// The lines to draw, by their letters
    #[arg(long, value_name = "LETTERS")]
    lines: Option<Lines>,

    /// The file to write; its extension selects the format
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    out: Option<PathBuf>,

    /// The format of the chart
    #[arg(long, value_name = "FORMAT")]
    format: Option<FormatArgument>,

    /// The size of the picture in pixels
    #[arg(long, value_name = "WxH")]
    size: Option<Size>,

    /// The color theme
    #[arg(long, value_name = "THEME")]
    theme: Option<Theme>,

    /// The layout of the picture
    #[arg(long, value_name = "LAYOUT")]
    layout: Option<Layout>,

    /// Open the picture in the system's viewer
    #[arg(long)]
    open: bool,

    /// Print figures and a verdict for each model
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, require_equals = true, default_missing_value = "text")]
    summary: Option<Format>,

    /// Exit with 3 unless the conditions hold
    #[arg(long, value_name = "CONDITIONS")]
    check: Option<Conditions>,

    /// A log of another run to compare with
    #[arg(long, value_name = "LOG", value_hint = ValueHint::FilePath)]
    compare: Option<PathBuf>,

    /// List the logs
    #[arg(long)]
    list: bool,

    /// Draw in the terminal while the program runs
    #[arg(long)]
    follow: bool,

    /// Print completions for a shell
    #[arg(long, value_name = "SHELL")]
    completions: Option<Shell>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatArgument {
    Term,
    Png,
    Svg,
    Html,
}

const HELP: &str = "\
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
";

/// Extension of logs, which an argument without an option must have.
pub(crate) const LOG_EXTENSION: &str = "jsonl";

pub(crate) fn parse(args: impl Iterator<Item = OsString>) -> Parsed {
    let args: Vec<_> = args.collect();
    if let Some(line) = CommandLine::requested(&args) {
        return Parsed::Job(Job::Complete(line));
    }
    let args = args.into_iter();
    match Arguments::try_parse_from(normalized(args)) {
        Ok(Arguments { completions: Some(shell), .. }) => Parsed::Job(Job::Script(shell)),
        Ok(typed) => match typed.into_job() {
            Ok(job) => Parsed::Job(job),
            Err(problem) => Parsed::Error(format!("error: {}\n", one_line(&problem))),
        },
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            Parsed::Text(error.to_string())
        }
        Err(error) => Parsed::Error(format!("{}\n", errors::line(error))),
    }
}

impl Arguments {
    fn into_job(mut self) -> Result<Job, String> {
        if let Some(other) = self.logs.iter().find(|log| log.extension() != Some(OsStr::new(LOG_EXTENSION))) {
            let other = other.display();
            return Err(format!(
                "unexpected argument '{other}' found; name a log with -file=LOG, a model with -model=NAME"
            ));
        }
        self.file.append(&mut self.logs);
        if self.list {
            self.forbid_others("-list", &["-dir"])?;
            return Ok(Job::List { directory: self.dir });
        }
        if self.follow {
            self.forbid_others("-follow", &["-dir", "-file", "-model", "-lines"])?;
            self.require_single_log("-follow")?;
            if self.file.iter().any(|file| read::is_stdin(file)) {
                return Err("-follow reads keys from stdin, so that -file=- cannot be followed".into());
            }
        }
        if let Some(other) = &self.compare {
            if read::is_stdin(other) && self.file.iter().any(|file| read::is_stdin(file)) {
                return Err("-file=- and -compare=- would both read stdin; name one of the logs".into());
            }
            self.require_single_log("-compare")?;
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
            return Err("-compare takes one model; use -model=NAME".into());
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

    /// Returns where the chart is drawn; `None` if only figures were requested.
    fn view(&self) -> Result<Option<View>, String> {
        let kind = match self.format {
            Some(FormatArgument::Term) => {
                let misplaced = [
                    ("-out", self.out.is_some()),
                    ("-size", self.size.is_some()),
                    ("-layout", self.layout.is_some()),
                    ("-theme", self.theme.is_some()),
                    ("-open", self.open),
                ];
                return match misplaced.iter().find(|(_, there)| *there) {
                    Some((flag, _)) => {
                        Err(format!("{flag} cannot be used with -format=term, which draws in the terminal"))
                    }
                    None => Ok(Some(View::Terminal)),
                };
            }
            Some(FormatArgument::Png) => Some(Kind::Png),
            Some(FormatArgument::Svg) => Some(Kind::Svg),
            Some(FormatArgument::Html) => Some(Kind::Html),
            None => None,
        };
        let is_chart_requested =
            self.out.is_some() || kind.is_some() || self.open || self.size.is_some() || self.layout.is_some();
        let figures_only =
            (self.summary.is_some() || self.check.is_some()) && self.compare.is_none() && !is_chart_requested;
        if figures_only {
            return Ok(None);
        }
        let (out, kind) = match &self.out {
            None => (Out::Default, kind.unwrap_or(Kind::Png)),
            Some(out) if out == "-" || write::is_stdout(out) => {
                let shown = out.display();
                let other = [("-summary", self.summary.is_some()), ("-compare", self.compare.is_some())];
                if let Some((flag, _)) = other.iter().find(|(_, there)| *there) {
                    return Err(format!("-out={shown} and {flag} both write to stdout; use -out=FILE"));
                }
                if self.open {
                    return Err(format!("-open needs a file, but -out={shown} writes to stdout"));
                }
                (Out::Stdout, kind_of(out.extension(), kind)?)
            }
            Some(out) => (Out::File(out.clone()), kind_of(out.extension(), kind)?),
        };
        if kind == Kind::Html && self.size.is_some() {
            return Err("-size applies to .png and .svg only; a page fills its window".into());
        }
        if kind == Kind::Html && self.layout.is_some() {
            return Err("-layout applies to .png and .svg only".into());
        }
        if kind == Kind::Html && self.compare.is_some() {
            return Err("-compare draws .png and .svg only".into());
        }
        let (layout, size) = (self.layout.unwrap_or(Layout::Panels), self.size.unwrap_or(Size::DEFAULT));
        Ok(Some(View::Picture(Picture { kind, layout, out, size, open: self.open })))
    }

    /// Returns an error if `-file` names several logs.
    fn require_single_log(&self, flag: &str) -> Result<(), String> {
        match self.file.len() {
            0 | 1 => Ok(()),
            several => Err(format!("{flag} takes one log, but -file names {several}")),
        }
    }

    /// Returns an error if a flag is given that `flag` would ignore.
    fn forbid_others(&self, flag: &str, allowed: &[&str]) -> Result<(), String> {
        let there = [
            ("-model", self.model.is_some()),
            ("-file", !self.file.is_empty()),
            ("-dir", self.dir.is_some()),
            ("-lines", self.lines.is_some()),
            ("-out", self.out.is_some()),
            ("-format", self.format.is_some()),
            ("-size", self.size.is_some()),
            ("-layout", self.layout.is_some()),
            ("-theme", self.theme.is_some()),
            ("-open", self.open),
            ("-summary", self.summary.is_some()),
            ("-check", self.check.is_some()),
            ("-compare", self.compare.is_some()),
            ("-follow", self.follow && flag != "-follow"),
        ];
        match there.iter().find(|(other, there)| *there && !allowed.contains(other)) {
            Some((other, _)) => {
                Err(format!("{other} cannot be used with {flag}; allowed with it: {}", allowed.join(", ")))
            }
            None => Ok(()),
        }
    }
}

/// Returns the kind of a file from its extension and `-format`, which must not contradict each other.
fn kind_of(extension: Option<&OsStr>, format: Option<Kind>) -> Result<Kind, String> {
    let Some(extension) = extension else {
        return Ok(format.unwrap_or(Kind::Png));
    };
    let kinds = [Kind::Png, Kind::Svg, Kind::Html];
    let found = kinds.into_iter().find(|kind| extension.eq_ignore_ascii_case(kind.extension()));
    match (found, format) {
        (Some(found), Some(format)) if found != format => {
            Err(format!("-out ends in .{}, but -format is {}", found.extension(), format.extension()))
        }
        (Some(kind), _) | (None, Some(kind)) => Ok(kind),
        (None, None) => Err(format!(
            "-out ends in .{}; allowed are .png, .svg and .html",
            extension.to_string_lossy().escape_debug()
        )),
    }
}

/// Returns the options of the command, also the ones that clap adds.
pub(crate) fn command() -> clap::Command {
    let mut command = Arguments::command();
    command.build();
    command
}

/// Returns the arguments as clap reads them: options with two dashes, and the format of `-summary` joined with it.
fn normalized(args: impl Iterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    let mut args = args.map(with_two_dashes).peekable();
    std::iter::from_fn(move || {
        let mut arg = args.next()?;
        if arg == "--summary"
            && let Some(format) = args.next_if(|next| is_value(next))
        {
            arg.push("=");
            arg.push(format);
        }
        Some(arg)
    })
}

/// Returns `true` if an argument is neither an option nor a log.
fn is_value(arg: &OsStr) -> bool {
    !arg.as_encoded_bytes().starts_with(b"-") && Path::new(arg).extension() != Some(OsStr::new(LOG_EXTENSION))
}

/// Adds a second dash to an argument such as `-model`, so that clap reads it as a long option.
fn with_two_dashes(arg: OsString) -> OsString {
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
