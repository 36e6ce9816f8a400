//! Arguments that cannot be used twice. The error is at the type, or at the receiver.

use ratellmiter_core::ratellmiter;

struct NotClone;

#[ratellmiter]
async fn by_value(value: NotClone, number: u8) -> u8 {
    drop(value);
    number
}

#[ratellmiter]
async fn opaque(value: impl Send) {
    drop(value);
}

struct Client;

#[async_trait::async_trait]
trait Ask {
    async fn ask(&mut self) -> u8;
}

#[async_trait::async_trait]
impl Ask for Client {
    #[ratellmiter]
    async fn ask(&mut self) -> u8 {
        1
    }
}

impl Client {
    #[ratellmiter]
    fn boxed(self: &mut Self) -> std::pin::Pin<Box<dyn Future<Output = u8> + '_>> {
        Box::pin(async { 1 })
    }

    #[ratellmiter]
    async fn consuming(self) -> Self {
        self
    }

    #[ratellmiter]
    fn consuming_blocking(self) -> Self {
        self
    }
}

fn main() {}
