//! Candidates for a word, from the options of the parser and the logs that the line selects.

use std::path::Path;

use clap::{Arg, ValueHint};

use crate::{
    args::{self, Kind, LOG_EXTENSION, Source},
    complete::{Candidate, files, logs},
    names::is_printable,
    series::LINES,
    summary::check,
};

/// Returns the candidates for the last of `words`, which begin with it.
pub(super) fn of(words: &[String]) -> Vec<Candidate> {
    let command = args::command();
    let options: Vec<_> = listed(&command);
    let Some((current, before)) = words.split_last() else { return Vec::new() };
    let mut found = Vec::new();
    if let Some((option, value)) = joined(&options, current) {
        let start = &current[..current.len() - value.len()];
        found = values(option, value, &Line { options: &options, words: before });
        found.iter_mut().for_each(|candidate| candidate.text.insert_str(0, start));
    } else if current.starts_with('-') {
        found = spellings(&options, current);
    } else if let Some(option) = open(&options, before) {
        found = values(option, current, &Line { options: &options, words: before });
    } else {
        found.extend(files::beginning_with(current, is_log).into_iter().map(plain));
        if current.is_empty() {
            found.extend(spellings(&options, "-"));
        }
    }
    // A line break would end a candidate, and what is invisible is not offered.
    found.retain(|candidate| candidate.text.starts_with(current.as_str()) && candidate.text.chars().all(is_printable));
    found
}

/// Returns the options and their fixed values, in both spellings.
pub(super) fn fixed() -> Vec<String> {
    let command = args::command();
    let options: Vec<_> = listed(&command);
    let mut words = Vec::new();
    for dashes in ["-", "--"] {
        for spelling in spellings(&options, dashes) {
            let values = joined(&options, &spelling.text).map(|(option, _)| option.get_possible_values());
            words.extend(values.into_iter().flatten().map(|value| spelling.text.clone() + value.get_name()));
            words.push(spelling.text);
        }
    }
    words
}

/// Returns the options and flags that the user may know of.
fn listed(command: &clap::Command) -> Vec<&Arg> {
    command.get_arguments().filter(|option| option.get_long().is_some() && !option.is_hide_set()).collect()
}

fn plain(text: String) -> Candidate {
    Candidate { text, about: String::new() }
}

/// A command line up to a word.
struct Line<'a> {
    options: &'a [&'a Arg],
    words: &'a [String],
}

impl Line<'_> {
    /// Returns the logs that the words select.
    fn source(&self) -> Source {
        let mut source = Source { files: Vec::new(), directory: None };
        for (index, word) in self.words.iter().enumerate() {
            let before = &self.words[..index];
            let (option, value) = match joined(self.options, word) {
                Some((option, value)) => (Some(option), value),
                None if word.starts_with('-') && word != "-" => continue,
                None => (open(self.options, before), word.as_str()),
            };
            match option.and_then(Arg::get_long) {
                Some("file") => source.files.push(value.into()),
                Some("dir") => source.directory = Some(value.into()),
                None if is_log(Path::new(value)) => source.files.push(value.into()),
                _ => {}
            }
        }
        source
    }
}

/// Returns the options in the spelling of `current`, each with an equals sign if it takes a value.
fn spellings(options: &[&Arg], current: &str) -> Vec<Candidate> {
    let dashes = if current.starts_with("--") { "--" } else { "-" };
    let mut found = Vec::new();
    for option in options {
        let Some(name) = option.get_long() else { continue };
        let about = option.get_help().map(ToString::to_string).unwrap_or_default();
        let takes_values = option.get_action().takes_values();
        let is_complete = !takes_values || option.get_num_args().is_some_and(|values| values.min_values() == 0);
        if is_complete {
            found.push(Candidate { text: format!("{dashes}{name}"), about: about.clone() });
        }
        if takes_values {
            found.push(Candidate { text: format!("{dashes}{name}="), about });
        }
    }
    found
}

/// Returns the option and the value of a word such as `-model=x`.
fn joined<'a, 'b>(options: &[&'a Arg], word: &'b str) -> Option<(&'a Arg, &'b str)> {
    let (name, value) = word.strip_prefix('-')?.split_once('=')?;
    Some((by_name(options, name.strip_prefix('-').unwrap_or(name))?, value))
}

/// Returns the option whose value follows `words`: the last one without an equals sign, as in `-model x`.
fn open<'a>(options: &[&'a Arg], words: &[String]) -> Option<&'a Arg> {
    let at = words.iter().rposition(|word| word.starts_with('-') && word != "-")?;
    let name = words[at].strip_prefix('-')?;
    let option = by_name(options, name.strip_prefix('-').unwrap_or(name))?;
    let most = option.get_num_args().unwrap_or_default().max_values();
    (option.get_action().takes_values() && words.len() - at - 1 < most).then_some(option)
}

fn by_name<'a>(options: &[&'a Arg], name: &str) -> Option<&'a Arg> {
    options.iter().copied().find(|option| option.get_long() == Some(name))
}

/// Returns the values of an option. They begin with `typed`, or are filtered by the caller.
fn values(option: &Arg, typed: &str, line: &Line<'_>) -> Vec<Candidate> {
    let fixed = option.get_possible_values();
    if !fixed.is_empty() {
        let about =
            |value: &clap::builder::PossibleValue| value.get_help().map(ToString::to_string).unwrap_or_default();
        let value =
            |value: &clap::builder::PossibleValue| Candidate { text: value.get_name().into(), about: about(value) };
        return fixed.iter().map(value).collect();
    }
    match (option.get_long().unwrap_or_default(), option.get_value_hint()) {
        ("model", _) => models(typed, &line.source()),
        ("lines", _) => lines(typed),
        ("check", _) => conditions(typed),
        ("out", _) => files::beginning_with(typed, is_picture).into_iter().map(plain).collect(),
        (_, ValueHint::DirPath) => files::beginning_with(typed, |_| false).into_iter().map(plain).collect(),
        (_, ValueHint::FilePath) => {
            let mut found = files::beginning_with(typed, |_| true);
            found.extend(logs::names(line.source().directory.as_deref()));
            let mut seen = std::collections::HashSet::new();
            found.into_iter().filter(|path| seen.insert(path.clone())).map(plain).collect()
        }
        _ => Vec::new(),
    }
}

fn is_log(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == LOG_EXTENSION)
}

fn is_picture(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default();
    [Kind::Png, Kind::Svg, Kind::Html].iter().any(|kind| extension.eq_ignore_ascii_case(kind.extension()))
}

/// Splits a list at its last comma; the first part contains the comma.
fn last_item(list: &str) -> (&str, &str) {
    list.rfind(',').map_or(("", list), |comma| list.split_at(comma + 1))
}

fn models(typed: &str, source: &Source) -> Vec<Candidate> {
    let models = logs::models(source);
    let (start, _) = last_item(typed);
    let taken: Vec<_> = start.split(',').collect();
    // A name may contain a comma, so that whole names are offered as well.
    let whole = models.iter().filter(|model| !start.is_empty() && model.starts_with(typed)).cloned();
    let items = models.iter().filter(|model| !taken.contains(&model.as_str())).map(|model| format!("{start}{model}"));
    let all =
        (start.is_empty() && models.len() > 1).then(|| Candidate { text: "all".into(), about: "all models".into() });
    whole.chain(items).map(plain).chain(all).collect()
}

/// Returns the typed letters with each one more.
fn lines(typed: &str) -> Vec<Candidate> {
    let more = LINES.iter().filter(|line| !typed.contains(line.letter));
    more.map(|line| Candidate { text: format!("{typed}{}", line.letter), about: line.name.into() }).collect()
}

/// Returns the figures that a condition may begin with.
fn conditions(typed: &str) -> Vec<Candidate> {
    let (start, _) = last_item(typed);
    check::figure_names().map(|name| plain(format!("{start}{name}<="))).collect()
}
