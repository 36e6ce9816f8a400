//! The classification of an outcome, before it is completed by the observed response.

use std::{any::type_name, time::SystemTime};

use super::{classify::Response, rules::judge, verdict::Verdict};

/// The classification of a return value or of an item of a stream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Classification {
    /// `None` if the outcome was not recognised.
    pub(crate) verdict: Option<Verdict>,
    /// The verdict stands, whatever response was observed.
    pub(crate) is_final: bool,
    /// The client made up the item before it had a response; see [`Response`](super::classify::Response).
    pub(crate) is_before_response: bool,
    /// The type of the error, for the warning about unrecognised errors.
    pub(crate) error_type: &'static str,
}

impl Classification {
    /// Creates a classification that stands, whatever response was observed.
    pub(crate) fn decided(verdict: Verdict) -> Self {
        Self { verdict: Some(verdict), is_final: true, is_before_response: false, error_type: "" }
    }

    /// Creates the classification of a value that is a response.
    pub(crate) fn of_response(response: &(impl Response + ?Sized)) -> Self {
        let verdict = judge(&response.evidence(), SystemTime::now());
        Self { is_before_response: response.is_before_response(), ..Self::decided(verdict) }
    }

    /// Creates the classification of an error of type `E`.
    pub(crate) fn of_error<E: ?Sized>(verdict: Option<Verdict>) -> Self {
        Self { verdict, is_final: false, is_before_response: false, error_type: type_name::<E>() }
    }
}
