//! Errors of other versions of the enabled clients, which no adapter reads.
//!
//! They are found by the name of their type, which is known for the error of a function, and by a `Debug` that writes the
//! path of the type, as that of `reqwest` does. The names of other types in a source chain are not known at run time.

use std::{
    any::{TypeId, type_name},
    collections::HashSet,
    error::Error,
    sync::{Mutex, PoisonError},
};

use super::ADAPTERS;
use crate::judge::truncated::truncated;

/// Maximum length of a path that is read from a `Debug`.
const MAX_PATH_BYTES: usize = 100;

/// The error type of an enabled client.
#[derive(Debug, Clone, Copy)]
pub(super) struct ErrorType {
    /// The name of the client's crate.
    client: &'static str,
    /// The version of the client.
    version: &'static str,
    name: fn() -> &'static str,
    id: fn() -> TypeId,
    is: fn(&(dyn Error + 'static)) -> bool,
}

impl ErrorType {
    /// Creates the error type `E` of the `version` of a client.
    #[allow(dead_code)] // Without the feature of any client.
    pub(super) const fn of<E: Error + 'static>(client: &'static str, version: &'static str) -> Self {
        Self { client, version, name: type_name::<E>, id: TypeId::of::<E>, is: <dyn Error>::is::<E> }
    }

    /// Returns `true` if `path` ends in the type and begins with its crate, as in `reqwest::Error` for `reqwest::error::Error`.
    fn is_short_name(&self, path: &str) -> bool {
        let ends = |path: &str| Some((path.split_once("::")?.0.to_owned(), path.rsplit_once("::")?.1.to_owned()));
        ends(path).is_some_and(|found| Some(found) == ends((self.name)()))
    }
}

/// Warns if `E` is the error type of another version of an enabled client.
pub(in crate::judge) fn check_type<E: 'static>() {
    warn(&others(|error| (error.name)() == type_name::<E>(), |error| (error.id)() == TypeId::of::<E>()));
}

/// Warns if the `Debug` of an error shows that it belongs to another version of an enabled client.
pub(in crate::judge) fn check(error: &(dyn Error + 'static)) {
    let text = truncated(format_args!("{error:?}"), MAX_PATH_BYTES);
    let path = text.split([' ', '{', '(']).next().unwrap_or_default();
    warn(&others(|known| known.is_short_name(path), |known| (known.is)(error)));
}

/// Returns the error types of that name, unless one of them is the type itself.
fn others(has_name: impl Fn(&ErrorType) -> bool, is_same: impl Fn(&ErrorType) -> bool) -> Vec<ErrorType> {
    let named: Vec<_> = ADAPTERS.iter().filter_map(|adapter| adapter.error).filter(has_name).collect();
    if named.iter().any(is_same) { Vec::new() } else { named }
}

/// Warns once per client that another version is in use than the `supported` ones.
fn warn(supported: &[ErrorType]) {
    static WARNED: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);
    let Some(ErrorType { client, .. }) = supported.first() else { return };
    if !WARNED.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default().insert(client) {
        return;
    }
    let versions = supported.iter().map(|error| error.version).collect::<Vec<_>>().join(" and ");
    tracing::warn!(
        "an error belongs to another version of {client} than {versions}, whose errors the enabled feature reads: it is judged \
         by its text and its fields alone, so that a hint in a header may be lost; use {client} {versions}, or report the \
         response with ratellmiter_core::call::observe"
    );
}

#[cfg(test)]
mod tests;
