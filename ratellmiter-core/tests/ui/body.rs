//! Mistakes in the body read as they do without the attribute.

use ratellmiter_core::ratellmiter;

#[ratellmiter]
async fn wrong_type() -> Result<String, std::fmt::Error> {
    Ok(7)
}

#[ratellmiter]
fn wrong_type_too() -> Result<String, std::fmt::Error> {
    Ok(7)
}

fn main() {
    let _ = (wrong_type(), wrong_type_too());
}
