//! Items that the attribute cannot be applied to.

use ratellmiter_core::ratellmiter;

#[ratellmiter]
struct Type;

#[ratellmiter]
impl Type {}

#[ratellmiter]
mod module {}

#[ratellmiter]
const fn constant() -> u8 {
    1
}

trait Ask {
    #[ratellmiter]
    async fn without_body(&self);
}

unsafe extern "C" {
    #[ratellmiter]
    fn foreign();
}

fn main() {
    let _ = (Type, constant(), foreign as unsafe extern "C" fn());
}
