//! Options that reject calls, on functions that cannot return a rejection. The error is at the option.

use ratellmiter_core::ratellmiter;

#[derive(Debug)]
struct ApiError;

#[ratellmiter(max_wait = 3)]
async fn other_error() -> Result<u8, ApiError> {
    Ok(1)
}

#[ratellmiter(model = "a", max_queue = 3, bounded)]
fn blocking() -> Result<u8, String> {
    Ok(1)
}

#[ratellmiter(deadline = std::time::Instant::now())]
fn boxed() -> std::pin::Pin<Box<dyn Future<Output = Result<u8, ApiError>>>> {
    Box::pin(async { Ok(1) })
}

#[ratellmiter(bounded)]
fn opaque() -> impl Future<Output = Result<u8, ApiError>> {
    async { Ok(1) }
}

#[ratellmiter(bounded)]
async fn no_result() -> u8 {
    1
}

#[ratellmiter(bounded)]
async fn option() -> Option<u8> {
    None
}

#[ratellmiter(max_wait = 3)]
async fn nothing() {}

#[ratellmiter(bounded)]
fn blocking_nothing() {}

#[ratellmiter(deadline = std::time::Instant::now())]
fn nothing_in_future() -> impl Future {
    async {}
}

#[ratellmiter(max_queue = 3)]
fn nothing_in_box() -> std::pin::Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(async {})
}

#[ratellmiter(max_wait = 3)]
async fn generic<E>(error: E) -> Result<u8, E>
where
    E: Clone,
{
    Err(error)
}

fn main() {}
