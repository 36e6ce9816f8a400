//! Adapters for the errors of client crates, each behind the feature of its client. They collect evidence and have no
//! rules.

use std::{error::Error, time::SystemTime};

use super::{classification::Judged, evidence::Evidence, rules::judge_with_status};

#[cfg(feature = "async-openai")]
mod async_openai;
#[cfg(feature = "aws-bedrock")]
pub(crate) mod aws_bedrock;
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
    #[cfg(feature = "aws-bedrock")]
    aws_bedrock::evidence,
    #[cfg(feature = "genai")]
    genai::evidence,
    #[cfg(feature = "reqwest")]
    reqwest::v13::evidence,
    #[cfg(feature = "reqwest-012")]
    reqwest::v12::evidence,
    #[cfg(feature = "rig")]
    rig::evidence,
];

/// Judges one error of a source chain. Returns `None` if it belongs to no enabled client.
pub(super) fn judged(error: &(dyn Error + 'static)) -> Option<Judged> {
    #[cfg(any(feature = "reqwest", feature = "reqwest-012"))]
    if let Some(judged) = reqwest::judged(error) {
        return Some(judged);
    }
    Some(judge_with_status(&evidence(error)?, SystemTime::now()))
}

/// Returns the evidence in an error of an enabled client.
fn evidence<'a>(error: &'a (dyn Error + 'static)) -> Option<Evidence<'a>> {
    ADAPTERS.iter().find_map(|adapter| adapter(error))
}
