//! The types of pieces of a body.

use std::{borrow::Cow, rc::Rc, sync::Arc};

/// A piece of a response body, as bytes or text.
#[allow(unnameable_types)] // A bound of a private trait.
pub trait Chunk {
    /// The pieces may be the text that a model wrote, and not those of a body.
    const MAY_BE_TEXT: bool;

    /// Returns the bytes of the piece.
    fn bytes(&self) -> &[u8];
}

macro_rules! chunks {
    ($($chunk:ty: $may_be_text:literal,)*) => {
        $(impl Chunk for $chunk {
            const MAY_BE_TEXT: bool = $may_be_text;
            fn bytes(&self) -> &[u8] {
                self.as_ref()
            }
        })*
    };
}

chunks! {
    [u8]: false,
    Vec<u8>: false,
    bytes::Bytes: false,
    bytes::BytesMut: false,
    str: true,
    String: true,
}

macro_rules! pointers {
    ($($pointer:ty),*) => {
        $(impl<T: Chunk + ?Sized> Chunk for $pointer {
            const MAY_BE_TEXT: bool = T::MAY_BE_TEXT;
            fn bytes(&self) -> &[u8] {
                (**self).bytes()
            }
        })*
    };
}

pointers!(&T, Box<T>, Rc<T>, Arc<T>);

impl<T: Chunk + ToOwned + ?Sized> Chunk for Cow<'_, T> {
    const MAY_BE_TEXT: bool = T::MAY_BE_TEXT;
    fn bytes(&self) -> &[u8] {
        (**self).bytes()
    }
}

impl<const LENGTH: usize> Chunk for [u8; LENGTH] {
    const MAY_BE_TEXT: bool = false;
    fn bytes(&self) -> &[u8] {
        self
    }
}

/// A frame of a body of `hyper`. Trailers have no bytes.
#[cfg(feature = "hyper")]
impl<T: Chunk> Chunk for hyper::body::Frame<T> {
    const MAY_BE_TEXT: bool = T::MAY_BE_TEXT;
    fn bytes(&self) -> &[u8] {
        self.data_ref().map_or(&[], Chunk::bytes)
    }
}
