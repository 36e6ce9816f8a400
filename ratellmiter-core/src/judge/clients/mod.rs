//! Adapters for the errors of client crates, each behind the feature of its client. They collect evidence and have no
//! rules.

use std::{error::Error, time::SystemTime};

use super::{evidence::Evidence, rules::judge, verdict::Verdict};

#[cfg(feature = "async-openai")]
mod async_openai;
#[cfg(feature = "genai")]
mod genai;
#[cfg(any(feature = "reqwest", feature = "reqwest-012"))]
mod reqwest;
#[cfg(feature = "rig")]
mod rig;

#[cfg(any(feature = "reqwest", feature = "reqwest-012"))]
pub use reqwest::ResponseError;

type Adapter = for<'a> fn(&'a (dyn Error + 'static)) -> Option<Evidence<'a>>;

/// The adapters of all enabled clients.
const ADAPTERS: &[Adapter] = &[
    #[cfg(feature = "async-openai")]
    async_openai::evidence,
    #[cfg(feature = "genai")]
    genai::evidence,
    #[cfg(feature = "reqwest")]
    reqwest::v13::evidence,
    #[cfg(feature = "reqwest-012")]
    reqwest::v12::evidence,
    #[cfg(feature = "rig")]
    rig::evidence,
];

/// Returns the verdict on one error of a source chain, or `None` if it belongs to no enabled client.
pub(super) fn verdict(error: &(dyn Error + 'static)) -> Option<Verdict> {
    #[cfg(any(feature = "reqwest", feature = "reqwest-012"))]
    if let Some(verdict) = reqwest::verdict(error) {
        return Some(verdict);
    }
    let evidence = ADAPTERS.iter().find_map(|adapter| adapter(error))?;
    Some(judge(&evidence, SystemTime::now()))
}
