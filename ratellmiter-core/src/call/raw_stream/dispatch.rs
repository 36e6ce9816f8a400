//! Chooses how an item of a stream is read, by its type: as a piece of a body, or by itself.
//!
//! The choice is made where the attribute expands, as in [`dispatch`](crate::judge::dispatch).

use std::marker::PhantomData;

use super::{Chunk, StreamEvents};
use crate::{
    judge::{Classification, classify::Response, dispatch::Dispatch},
    providers::usage::{HasUsage, Usage},
};

/// The classification and the usage of a piece. `None` if the item is no piece of a body.
type Piece = Option<(Classification, Option<Usage>)>;

/// Reads bytes and text.
pub trait ReadChunk {
    /// Returns the classification and the usage.
    fn ratellmiter_read_piece(&self, events: &mut StreamEvents) -> Piece;
}

impl<T: Chunk> ReadChunk for &&&&&Dispatch<'_, T> {
    fn ratellmiter_read_piece(&self, events: &mut StreamEvents) -> Piece {
        Some(events.classify(self.0.bytes(), T::MAY_BE_TEXT))
    }
}

/// Leaves items that show their usage.
pub trait LeaveUsage {
    /// Returns `None`.
    fn ratellmiter_read_piece(&self, events: &mut StreamEvents) -> Piece;
}

impl<T: HasUsage> LeaveUsage for &&&&Dispatch<'_, T> {
    fn ratellmiter_read_piece(&self, _: &mut StreamEvents) -> Piece {
        None
    }
}

/// Leaves items that are responses.
pub trait LeaveResponse {
    /// Returns `None`.
    fn ratellmiter_read_piece(&self, events: &mut StreamEvents) -> Piece;
}

impl<T: Response> LeaveResponse for &&&Dispatch<'_, T> {
    fn ratellmiter_read_piece(&self, _: &mut StreamEvents) -> Piece {
        None
    }
}

/// Reads items of other types that contain text, such as strings of other crates. Most of these are bytes as well.
pub trait ReadText {
    /// Returns the classification and the usage.
    fn ratellmiter_read_piece(&self, events: &mut StreamEvents) -> Piece;
}

impl<T: AsRef<str>> ReadText for &&Dispatch<'_, T> {
    fn ratellmiter_read_piece(&self, events: &mut StreamEvents) -> Piece {
        Some(events.classify(self.0.as_ref().as_bytes(), true))
    }
}

/// Reads items of other types that contain bytes.
pub trait ReadBytes {
    /// Returns the classification and the usage.
    fn ratellmiter_read_piece(&self, events: &mut StreamEvents) -> Piece;
}

impl<T: AsRef<[u8]>> ReadBytes for &Dispatch<'_, T> {
    fn ratellmiter_read_piece(&self, events: &mut StreamEvents) -> Piece {
        Some(events.classify(self.0.as_ref(), false))
    }
}

/// Leaves all other items.
pub trait LeaveItem {
    /// Returns `None`.
    fn ratellmiter_read_piece(&self, events: &mut StreamEvents) -> Piece;
}

impl<T> LeaveItem for Dispatch<'_, T> {
    fn ratellmiter_read_piece(&self, _: &mut StreamEvents) -> Piece {
        None
    }
}

/// The type of the items of a stream, or of the value in them.
#[derive(Debug)]
pub struct Items<T>(PhantomData<fn(T)>);

impl<T> Items<T> {
    /// The only value.
    pub const NEW: Self = Self(PhantomData);
}

/// Finds the type in the `Ok` of items that are results.
pub trait ResultItems {
    /// The type of `Ok`.
    type Ok;
    /// Returns the type.
    fn ratellmiter_ok(&self) -> Items<Self::Ok>;
}

impl<T, E> ResultItems for &Items<Result<T, E>> {
    type Ok = T;
    fn ratellmiter_ok(&self) -> Items<T> {
        Items::NEW
    }
}

/// Takes other items as they are.
pub trait ValueItems {
    /// The type of the items.
    type Ok;
    /// Returns the type.
    fn ratellmiter_ok(&self) -> Items<Self::Ok>;
}

impl<T> ValueItems for Items<T> {
    type Ok = T;
    fn ratellmiter_ok(&self) -> Self {
        Self::NEW
    }
}
