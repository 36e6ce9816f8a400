//! Mistakes in the body, and unresolved names. The errors are those without the attribute.

use ratellmiter_core::ratellmiter;

#[ratellmiter]
async fn wrong_type() -> u64 {
    "7"
}

#[ratellmiter]
fn wrong_type_too() -> u64 {
    "7"
}

#[ratellmiter(priority = URGENT)]
async fn unknown_word() {}

#[ratellmiter(tokens = prompts.len())]
async fn unknown_name(prompt: &str) {}

fn main() {
    let _ = (wrong_type(), wrong_type_too(), unknown_word(), unknown_name(""));
}
