//! What may not stand under the attribute.

use ratellmiter_core::ratellmiter;

#[ratellmiter]
struct Type;

#[ratellmiter]
const fn constant() -> u8 {
    1
}

trait Ask {
    #[ratellmiter]
    async fn without_body(&self);
}

fn main() {
    let _ = (Type, constant());
}
