//! The ladder from an outcome to a verdict: what the user says of the type, else what is found in the error's source
//! chain, else failed.
//!
//! Which rung a type stands on is decided where the attribute expands, since only there the types are concrete: the
//! hidden macro [`verdict!`](crate::__verdict) calls a method that each rung offers with one more reference than the
//! rung below, and method lookup takes the first that fits.

use std::{
    any::type_name,
    collections::HashSet,
    error::Error,
    iter,
    sync::{Mutex, PoisonError},
};

use super::{Verdict, clients};

/// Says what an error of yours means for the limiter.
///
/// ```
/// use ratellmiter_core::{Classify, Scope, Verdict};
///
/// enum ApiError {
///     TooManyRequests { seconds: u64 },
///     Other(String),
/// }
///
/// impl Classify for ApiError {
///     fn verdict(&self) -> Verdict {
///         match self {
///             Self::TooManyRequests { seconds } => Verdict::RateLimited {
///                 retry_after: Some(std::time::Duration::from_secs(*seconds)),
///                 scope: Scope::Requests,
///             },
///             Self::Other(_) => Verdict::Failed,
///         }
///     }
/// }
/// assert!(ApiError::TooManyRequests { seconds: 3 }.verdict().is_retried());
/// ```
///
/// In a generic function the bounds decide: add `E: Classify` where `E` is the error, or it is not seen.
pub trait Classify {
    /// What this error means.
    fn verdict(&self) -> Verdict;
}

/// An outcome to be judged.
#[derive(Debug)]
pub struct Outcome<'a, T>(pub &'a T);

/// The first rung: the error is a [`Classify`].
pub trait ByClassify {
    /// What the outcome means.
    fn verdict(&self) -> Verdict;
}

impl<T, E: Classify> ByClassify for &&&Outcome<'_, Result<T, E>> {
    fn verdict(&self) -> Verdict {
        self.0.as_ref().err().map_or(Verdict::Success, Classify::verdict)
    }
}

/// The second rung: the error has a source chain.
pub trait BySource {
    /// What the outcome means.
    fn verdict(&self) -> Verdict;
}

impl<T, E: Error + 'static> BySource for &&Outcome<'_, Result<T, E>> {
    fn verdict(&self) -> Verdict {
        let Err(error) = self.0 else {
            return Verdict::Success;
        };
        let chain = iter::successors(Some(error as &(dyn Error + 'static)), |&error| error.source());
        chain.take(LONGEST_CHAIN).find_map(clients::verdict).unwrap_or_else(not_recognised::<E>)
    }
}

/// A chain that is longer goes in a circle.
const LONGEST_CHAIN: usize = 64;

/// The third rung: an error of which nothing is known.
pub trait ByNothing {
    /// What the outcome means.
    fn verdict(&self) -> Verdict;
}

impl<T, E> ByNothing for &Outcome<'_, Result<T, E>> {
    fn verdict(&self) -> Verdict {
        if self.0.is_ok() { Verdict::Success } else { not_recognised::<E>() }
    }
}

/// The last rung: no `Result` at all.
pub trait ByValue {
    /// What the outcome means.
    fn verdict(&self) -> Verdict;
}

impl<T> ByValue for Outcome<'_, T> {
    fn verdict(&self) -> Verdict {
        Verdict::Success
    }
}

/// The verdict on the value that the reference `$out` points to.
#[doc(hidden)]
#[macro_export]
macro_rules! __verdict {
    ($out:expr) => {{
        #[allow(unused_imports)]
        use $crate::__private::{ByClassify as _, ByNothing as _, BySource as _, ByValue as _};
        (&&&&$crate::__private::Outcome($out)).verdict()
    }};
}

/// What is not understood is never retried. Each type is warned of once, by its name: an error's text may hold keys.
fn not_recognised<E>() -> Verdict {
    static WARNED: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);
    let name = type_name::<E>();
    if WARNED.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default().insert(name) {
        tracing::warn!(
            error_type = name,
            "cannot tell whether this error is a refusal, so calls that end with it are not tried again: \
             implement ratellmiter_core::Classify for it, or give #[ratellmiter(when = ...)]"
        );
    }
    Verdict::Failed
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;
    use crate::Scope;

    #[derive(Debug)]
    struct Known(Verdict);

    impl Classify for Known {
        fn verdict(&self) -> Verdict {
            self.0
        }
    }

    impl fmt::Display for Known {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("known")
        }
    }

    /// A type that stands on two rungs is judged on the higher.
    impl Error for Known {}

    #[test]
    fn the_users_word_comes_first() {
        let refused = Verdict::Overloaded { retry_after: None };
        assert_eq!(crate::__verdict!(&Err::<(), _>(Known(refused))), refused);
        assert_eq!(crate::__verdict!(&Ok::<_, Known>(1)), Verdict::Success);
    }

    #[test]
    fn unknown_errors_failed_and_other_values_succeeded() {
        assert_eq!(crate::__verdict!(&Err::<(), _>(fmt::Error)), Verdict::Failed);
        assert_eq!(crate::__verdict!(&Err::<(), _>("429 Too Many Requests")), Verdict::Failed);
        assert_eq!(crate::__verdict!(&Ok::<_, String>(1)), Verdict::Success);
        assert_eq!(crate::__verdict!(&None::<u8>), Verdict::Success);
        assert_eq!(crate::__verdict!(&()), Verdict::Success);
    }

    #[test]
    fn in_a_generic_function_the_bounds_decide() {
        fn bound<E: Classify>(error: E) -> Verdict {
            crate::__verdict!(&Err::<(), _>(error))
        }
        fn unbound<E>(error: E) -> Verdict {
            crate::__verdict!(&Err::<(), _>(error))
        }
        assert_eq!(bound(Known(Verdict::REFUSED)), Verdict::REFUSED);
        assert_eq!(unbound(Known(Verdict::REFUSED)), Verdict::Failed);
    }

    #[test]
    fn a_refusal_tells_its_hint() {
        let hint = Some(std::time::Duration::from_secs(3));
        assert_eq!(Verdict::RateLimited { retry_after: hint, scope: Scope::Tokens }.retry_after(), hint);
        assert_eq!(Verdict::Failed.retry_after(), None);
    }
}
