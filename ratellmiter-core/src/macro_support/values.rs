//! The macros that read the result of a call by its type.

/// Classifies the value that the reference `$out` points to.
#[doc(hidden)]
#[macro_export]
macro_rules! __classification {
    ($out:expr) => {{
        use $crate::__private::{AsResult as _, AsValue as _, OkByBody as _, OkByNothing as _, OkByResponse as _};
        match (&&$crate::__private::Dispatch($out)).ratellmiter_sides() {
            // A result inside of a result, as of a call with a time-out.
            $crate::__private::Ok(value) => match (&&$crate::__private::Dispatch(value)).ratellmiter_sides() {
                $crate::__private::Ok(value) => (&&&$crate::__private::Dispatch(value)).ratellmiter_classify_ok(),
                $crate::__private::Err(error) => {
                    $crate::__private::Classification::of_inner($crate::__private::error_classification!(error))
                }
            },
            $crate::__private::Err(error) => $crate::__private::error_classification!(error),
        }
    }};
}

/// Classifies the error that the reference `$error` points to.
#[doc(hidden)]
#[macro_export]
macro_rules! __error_classification {
    ($error:expr) => {{
        use $crate::__private::{
            ByClassify as _, ByFields as _, ByNothing as _, BySource as _, ByTarget as _, ByText as _,
            ByTextAndFields as _,
        };
        (&&&&&&&$crate::__private::Dispatch($error)).ratellmiter_classify_error()
    }};
}

/// Returns `true` if the value that the reference `$out` points to is a stream, or contains that of a known client.
#[doc(hidden)]
#[macro_export]
macro_rules! __is_stream {
    ($out:expr) => {{
        use $crate::__private::{AsResult as _, AsValue as _, ContainsStream as _, IsNoStream as _, IsStream as _};
        match (&&$crate::__private::Dispatch($out)).ratellmiter_sides() {
            $crate::__private::Ok(value) => match (&&$crate::__private::Dispatch(value)).ratellmiter_sides() {
                $crate::__private::Ok(value) => (&&&$crate::__private::Dispatch(value)).ratellmiter_is_stream(),
                $crate::__private::Err(_) => false,
            },
            $crate::__private::Err(_) => false,
        }
    }};
}

/// Returns the usage that the value behind the reference `$out` shows. With `$by`, the usage is `$by` evaluated with the
/// value of `Ok` as `$value`.
#[doc(hidden)]
#[macro_export]
macro_rules! __usage {
    ($out:expr) => {{
        use $crate::__private::{AsResult as _, AsValue as _, UsageOfNothing as _, UsageOfValue as _};
        match (&&$crate::__private::Dispatch($out)).ratellmiter_sides() {
            $crate::__private::Ok(value) => match (&&$crate::__private::Dispatch(value)).ratellmiter_sides() {
                $crate::__private::Ok(value) => (&&$crate::__private::Dispatch(value)).ratellmiter_usage_of_ok(),
                $crate::__private::Err(_) => $crate::__private::Option::None,
            },
            $crate::__private::Err(_) => $crate::__private::Option::None,
        }
    }};
    ($out:expr, $value:ident => $by:expr) => {{
        use $crate::__private::{AsResult as _, AsValue as _};
        match (&&$crate::__private::Dispatch($out)).ratellmiter_sides() {
            $crate::__private::Ok($value) => $by,
            $crate::__private::Err(_) => $crate::__private::Option::None,
        }
    }};
}
