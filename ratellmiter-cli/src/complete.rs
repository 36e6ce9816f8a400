//! Completes the words of a command line in a shell.
//!
//! The scripts for bash, zsh and fish are short: at each word they run the command with `-complete=SHELL` and the words up to the
//! cursor, and offer what it prints. So options are offered in the spelling that was begun, values are the ones that the parser
//! accepts, and models the ones of the log that the line selects. Other shells have the scripts of `clap_complete`, with
//! options and fixed values.

mod candidates;
mod files;
mod logs;
mod quotes;

use clap_complete::Shell;

use crate::{
    args::{self, CommandLine},
    complete::quotes::Current,
    exit_code::DONE,
    failure::Failure,
    output::Output,
};

/// A value of a completion: the whole word, and a remark on it that some shells show.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Candidate {
    text: String,
    about: String,
}

/// Returns the lines for the script, one for each candidate.
fn answers(line: &CommandLine) -> Vec<String> {
    if line.shell != Shell::Bash {
        let found = candidates::of(&line.words).into_iter();
        return found.map(|Candidate { text, about }| format!("{text}\t{about}")).collect();
    }
    let (before, current) = quotes::parsed(&line.words);
    let words: Vec<_> = before.into_iter().chain([current.text.clone()]).collect();
    candidates::of(&words).iter().filter_map(|candidate| answer(&candidate.text, &current)).collect()
}

/// Returns the part of a candidate that bash inserts instead of the part of the word that it regards as the current word.
fn answer(candidate: &str, current: &Current) -> Option<String> {
    quotes::quoted(candidate.get(current.kept..)?, current.quote)
}

/// Prints the candidates for the last word of a line.
pub(crate) fn run(line: &CommandLine, output: &mut Output<'_>) -> Result<u8, Failure> {
    let answers = answers(line).iter().fold(String::new(), |text, line| text + line + "\n");
    output.print(answers).map_err(Failure::Stdout)?;
    Ok(DONE)
}

/// Returns the completion script for a shell.
pub(crate) fn script(shell: Shell) -> String {
    match shell {
        Shell::Bash => include_str!("complete/bash.sh").replace("{{words}}", &candidates::fixed().join(" ")),
        Shell::Zsh => include_str!("complete/zsh.zsh").into(),
        Shell::Fish => include_str!("complete/fish.fish").into(),
        _ => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut args::command(), "ratellmiter", &mut script);
            String::from_utf8_lossy(&script).into_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn scripts_exist_for_each_shell() {
        for shell in Shell::value_variants() {
            let script = script(*shell);
            assert!(script.contains("ratellmiter") && script.contains("complet"), "{shell}");
        }
    }
}
