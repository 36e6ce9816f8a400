//! Both major versions of `reqwest` in use, and their blocking clients. A response has all evidence; the error of
//! `error_for_status` has the status alone. [`ResponseError`](super::ResponseError) keeps the headers and the body of a
//! failed response.

use std::error::Error;

use crate::judge::{classify::Response, error_chain::as_type, evidence::Evidence, transport::is_failed_connection};

macro_rules! major {
    ($module:ident, $reqwest:ident, $feature:literal, $blocking:literal) => {
        #[cfg(feature = $feature)]
        pub(super) mod $module {
            use super::*;

            impl Response for $reqwest::Response {
                fn evidence(&self) -> Evidence<'_> {
                    Evidence::new().status(self.status().as_u16()).headers(self.headers())
                }
            }

            #[cfg(feature = $blocking)]
            impl Response for $reqwest::blocking::Response {
                fn evidence(&self) -> Evidence<'_> {
                    Evidence::new().status(self.status().as_u16()).headers(self.headers())
                }
            }

            /// Returns the status of an error of `error_for_status`, which has no other evidence, or that the connection
            /// failed.
            pub(in crate::judge::clients) fn evidence<'a>(error: &'a (dyn Error + 'static)) -> Option<Evidence<'a>> {
                let error = as_type::<$reqwest::Error>(error)?;
                if let Some(status) = error.status() {
                    return Some(Evidence::new().status(status.as_u16()));
                }
                let is_too_late = error.is_timeout() || error.is_body() || error.is_decode();
                Some(if error.is_connect() || (!is_too_late && is_failed_connection(error)) {
                    Evidence::new().failed_connection()
                } else {
                    // There was no response. Zero is judged as a failure.
                    Evidence::new().status(0)
                })
            }
        }
    };
}

major!(v13, reqwest, "reqwest", "reqwest-blocking");
major!(v12, reqwest_012, "reqwest-012", "reqwest-012-blocking");
