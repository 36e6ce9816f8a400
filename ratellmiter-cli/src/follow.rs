//! Draws in the terminal while the program runs.

use crate::{
    cli::{Models, Source},
    failure::Failure,
    output::Output,
    series::Lines,
};

pub(crate) fn run(source: &Source, models: &Models, lines: &Lines, output: &mut Output<'_>) -> Result<u8, Failure> {
    let _ = (source, models, lines, output);
    Err(Failure::Terminal(String::new()))
}
