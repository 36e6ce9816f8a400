//! The wording of errors in the arguments: one line with the mistake, its place and the allowed values.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::words::one_line;

/// Returns the line for an error of clap.
pub(super) fn line(error: clap::Error) -> String {
    one_line(&without_usage(&with_one_dash(error).to_string()))
}

/// Returns the error with its options spelled as in the help. What the user typed as a value is kept.
fn with_one_dash(mut error: clap::Error) -> clap::Error {
    let spelled =
        |option: &str| option.strip_prefix('-').filter(|rest| rest.starts_with('-')).unwrap_or(option).to_owned();
    for kind in [ContextKind::InvalidArg, ContextKind::PriorArg, ContextKind::SuggestedArg] {
        let value = match error.get(kind) {
            Some(ContextValue::String(option)) => ContextValue::String(spelled(option)),
            Some(ContextValue::Strings(options)) => {
                ContextValue::Strings(options.iter().map(|option| spelled(option)).collect())
            }
            _ => continue,
        };
        error.insert(kind, value);
    }
    // The tip to pass an unknown option as a value is of no use: logs end in .jsonl.
    if error.kind() == ErrorKind::UnknownArgument {
        error.insert(ContextKind::Suggested, ContextValue::None);
    }
    error
}

/// Returns the problem and the allowed values on one line, without the usage text of clap.
fn without_usage(error: &str) -> String {
    let problem = error.split("\n\nUsage:").next().unwrap_or(error);
    let problem = problem.split("\n\nFor more information").next().unwrap_or(problem);
    problem.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}
