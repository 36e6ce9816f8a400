//! `stream` on functions that return no stream, or one that cannot be replaced. The error is at the option or at the type.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures::{
    Stream,
    stream::{self, BoxStream},
};
use ratellmiter_core::ratellmiter;

#[derive(Debug)]
struct ApiError;

struct Own;

impl Stream for Own {
    type Item = u8;
    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u8>> {
        Poll::Ready(None)
    }
}

type Alias = Result<BoxStream<'static, u8>, ApiError>;

#[ratellmiter(stream)]
async fn nothing() {}

#[ratellmiter(stream)]
fn plain_nothing() {}

#[ratellmiter(stream)]
async fn no_stream() -> u8 {
    1
}

#[ratellmiter(stream)]
async fn result_of_no_stream() -> Result<u8, ApiError> {
    Ok(1)
}

#[ratellmiter(stream)]
async fn own_type() -> Result<Own, ApiError> {
    Ok(Own)
}

#[ratellmiter(stream)]
fn plain_own_type() -> Own {
    Own
}

#[ratellmiter(stream)]
async fn alias() -> Alias {
    Ok(Box::pin(stream::empty()))
}

#[ratellmiter(stream)]
fn waiting() -> Result<BoxStream<'static, u8>, ApiError> {
    Ok(Box::pin(stream::empty()))
}

#[ratellmiter(stream, bounded)]
fn plain_bounded() -> BoxStream<'static, u8> {
    Box::pin(stream::empty())
}

#[ratellmiter(stream, usage = 7)]
async fn usage() -> Result<BoxStream<'static, Result<u8, ApiError>>, ApiError> {
    Ok(Box::pin(stream::empty()))
}

#[ratellmiter(stream, usage = { let kept = vec![7]; move |_: &u8| { drop(kept); ratellmiter_core::Usage::new(1, 1) } })]
async fn usage_of_one_item() -> Result<BoxStream<'static, Result<u8, ApiError>>, ApiError> {
    Ok(Box::pin(stream::empty()))
}

#[ratellmiter(stream, bounded)]
async fn other_error() -> Result<BoxStream<'static, u8>, ApiError> {
    Ok(Box::pin(stream::empty()))
}

fn main() {}
