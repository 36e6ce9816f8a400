//! The jobs of the command, as parsed from its arguments.

use std::{ffi::OsString, path::PathBuf};

use clap_complete::Shell;

use crate::{
    draw::theme::{Layout, Size, Theme},
    series::Lines,
    summary::{check::Conditions, render::Format},
};

/// What the command is to do.
#[derive(Debug, PartialEq)]
pub(crate) enum Job {
    Report(Box<Report>),
    List {
        directory: Option<PathBuf>,
    },
    Follow {
        source: Source,
        models: Models,
        lines: Lines,
    },
    /// Prints the completion script for a shell.
    Script(Shell),
    /// Prints the candidates for the last word of a command line.
    Complete(CommandLine),
}

/// Charts, summaries and conditions of a log.
#[derive(Debug, PartialEq)]
pub(crate) struct Report {
    pub(crate) source: Source,
    pub(crate) models: Models,
    /// `None` without `-lines`.
    pub(crate) lines: Option<Lines>,
    pub(crate) theme: Theme,
    pub(crate) view: Option<View>,
    pub(crate) summary: Option<Format>,
    pub(crate) check: Option<Conditions>,
    pub(crate) compare: Option<PathBuf>,
}

/// Selects the logs.
#[derive(Debug, PartialEq)]
pub(crate) struct Source {
    /// Values of `-file`. Several logs are summed.
    pub(crate) files: Vec<PathBuf>,
    pub(crate) directory: Option<PathBuf>,
}

/// Selects the models of a log.
#[derive(Debug, PartialEq)]
pub(crate) enum Models {
    Default,
    All,
    /// One name, or several separated by commas, as typed.
    Named(String),
}

/// Where a chart is drawn.
#[derive(Debug, PartialEq)]
pub(crate) enum View {
    Terminal,
    Picture(Picture),
}

#[derive(Debug, PartialEq)]
pub(crate) struct Picture {
    pub(crate) kind: Kind,
    pub(crate) layout: Layout,
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
    /// Returns the extension of its files.
    pub(crate) const fn extension(self) -> &'static str {
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
    Default,
    File(PathBuf),
    Stdout,
}

/// The words of a command line from the second to the one at the cursor, as a completion script passes them.
#[derive(Debug, PartialEq)]
pub(crate) struct CommandLine {
    pub(crate) shell: Shell,
    pub(crate) words: Vec<String>,
}

impl CommandLine {
    /// Returns the line that a script asks to complete; `None` for all other arguments of the command.
    pub(super) fn requested(args: &[OsString]) -> Option<Self> {
        let shell = args.get(1)?.to_str()?.strip_prefix("-complete=")?.parse().ok()?;
        let words = args[2..].iter().map(|word| word.to_string_lossy().into_owned()).collect();
        Some(Self { shell, words })
    }
}
