//! What is known of the errors of client crates: one small file for each, behind a feature. They collect evidence and
//! hold no rules.

use std::{error::Error, time::SystemTime};

use super::{Evidence, Verdict, judge};

#[cfg(feature = "async-openai")]
mod async_openai;
#[cfg(feature = "genai")]
mod genai;
#[cfg(any(feature = "reqwest", feature = "reqwest-012"))]
mod reqwest;
#[cfg(feature = "rig")]
mod rig;

#[cfg(any(feature = "reqwest", feature = "reqwest-012"))]
pub use reqwest::{LlmResponseExt, ResponseError};

type Adapter = for<'a> fn(&'a (dyn Error + 'static)) -> Option<Evidence<'a>>;

/// The adapters of all clients that are enabled.
const ADAPTERS: &[Adapter] = &[
    #[cfg(feature = "async-openai")]
    async_openai::evidence,
    #[cfg(feature = "genai")]
    genai::evidence,
    #[cfg(any(feature = "reqwest", feature = "reqwest-012"))]
    reqwest::http_error,
    #[cfg(feature = "reqwest")]
    reqwest::v13::evidence,
    #[cfg(feature = "reqwest-012")]
    reqwest::v12::evidence,
    #[cfg(feature = "rig")]
    rig::evidence,
];

/// The verdict on one link of a source chain, if it belongs to a client that is known.
pub(super) fn verdict(error: &(dyn Error + 'static)) -> Option<Verdict> {
    let evidence = ADAPTERS.iter().find_map(|adapter| adapter(error))?;
    Some(judge(&evidence, SystemTime::now()))
}
