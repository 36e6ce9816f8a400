//! The receiver of events as a stream.

use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use aws_sdk_bedrockruntime::{error::SdkError, primitives::event_stream::EventReceiver};
use aws_smithy_types::event_stream::RawMessage;
use futures_core::Stream;

/// Converts the receiver of events that a streaming operation returns into a stream, for functions with the option `stream`:
/// the call is then retried if it is refused before its first event or in it.
///
/// The stream ends after the first error.
///
/// ```
/// use aws_sdk_bedrockruntime::{Client, types::{ConverseStreamOutput, error::ConverseStreamOutputError}};
/// use futures::Stream;
/// use ratellmiter_core::{observe::{BedrockEvent, bedrock_events}, ratellmiter};
///
/// type Event = BedrockEvent<ConverseStreamOutput, ConverseStreamOutputError>;
///
/// #[ratellmiter(model = "claude", stream)]
/// async fn answer(client: &Client) -> anyhow::Result<impl Stream<Item = Event> + use<>> {
///     let response = client.converse_stream().model_id("anthropic.claude-sonnet-4").send().await?; // with messages
///     Ok(bedrock_events(response.stream))
/// }
/// ```
pub fn bedrock_events<T, E>(receiver: EventReceiver<T, E>) -> BedrockEvents<T, E>
where
    T: Send + 'static,
    E: Send + 'static,
{
    BedrockEvents(State::Idle(Box::new(receiver)))
}

/// An item of [`BedrockEvents`]: an event, or the error that ends the stream.
pub type BedrockEvent<T, E> = Result<T, SdkError<E, RawMessage>>;

/// The events of a streaming operation; see [`bedrock_events`].
///
/// # Cancel safety
/// Dropping it drops the response.
pub struct BedrockEvents<T, E>(State<T, E>);

type Receiving<T, E> = Pin<Box<dyn Future<Output = (Box<EventReceiver<T, E>>, Option<BedrockEvent<T, E>>)> + Send>>;

enum State<T, E> {
    Idle(Box<EventReceiver<T, E>>),
    Receiving(Receiving<T, E>),
    Ended,
}

impl<T, E> Stream for BedrockEvents<T, E>
where
    T: Send + 'static,
    E: Send + 'static,
{
    type Item = BedrockEvent<T, E>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut receiving: Receiving<T, E> = match mem::replace(&mut self.0, State::Ended) {
            State::Idle(mut receiver) => Box::pin(async move {
                let event = receiver.recv().await.transpose();
                (receiver, event)
            }),
            State::Receiving(receiving) => receiving,
            State::Ended => return Poll::Ready(None),
        };
        let Poll::Ready((receiver, event)) = receiving.as_mut().poll(context) else {
            self.0 = State::Receiving(receiving);
            return Poll::Pending;
        };
        if let Some(Ok(_)) = &event {
            self.0 = State::Idle(receiver);
        }
        Poll::Ready(event)
    }
}

impl<T, E> fmt::Debug for BedrockEvents<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BedrockEvents").finish_non_exhaustive()
    }
}
