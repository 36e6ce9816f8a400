//! Adapters for the errors of client crates, each behind the feature of its client. They collect evidence and have no
//! rules.

use std::{error::Error, time::SystemTime};

use super::{classification::Judged, evidence::Evidence, rules::judge_with_status};

#[cfg(feature = "async-openai")]
mod async_openai;
#[cfg(feature = "eventsource-stream")]
mod eventsource;
#[cfg(feature = "genai")]
mod genai;
#[cfg(feature = "hyper")]
mod hyper;
#[cfg(any(feature = "reqwest", feature = "reqwest-012"))]
mod reqwest;
#[cfg(any(feature = "hyper", feature = "reqwest", feature = "reqwest-012", feature = "ureq"))]
mod response_error;
#[cfg(feature = "rig")]
mod rig;
#[cfg(feature = "ureq")]
mod ureq;

#[cfg(any(feature = "hyper", feature = "reqwest", feature = "reqwest-012", feature = "ureq"))]
pub use response_error::ResponseError;

type Adapter = for<'a> fn(&'a (dyn Error + 'static)) -> Option<Evidence<'a>>;

/// The adapters of all enabled clients.
const ADAPTERS: &[Adapter] = &[
    #[cfg(feature = "async-openai")]
    async_openai::evidence,
    #[cfg(feature = "eventsource-stream")]
    eventsource::evidence,
    #[cfg(feature = "genai")]
    genai::evidence,
    #[cfg(feature = "hyper")]
    hyper::evidence,
    #[cfg(feature = "reqwest")]
    reqwest::v13::evidence,
    #[cfg(feature = "reqwest-012")]
    reqwest::v12::evidence,
    #[cfg(feature = "rig")]
    rig::evidence,
    #[cfg(feature = "ureq")]
    ureq::evidence,
];

/// Judges one error of a source chain. Returns `None` if it belongs to no enabled client.
pub(super) fn judged(error: &(dyn Error + 'static)) -> Option<Judged> {
    #[cfg(any(feature = "hyper", feature = "reqwest", feature = "reqwest-012", feature = "ureq"))]
    if let Some(judged) = response_error::judged(error) {
        return Some(judged);
    }
    let judged = judge_with_status(&evidence(error)?, SystemTime::now());
    #[cfg(feature = "reqwest-eventsource")]
    let judged = Judged { is_neutral: eventsource::is_end(error), ..judged };
    #[cfg(feature = "ureq")]
    let judged = Judged { is_closed_connection: ureq::is_closed_connection(error), ..judged };
    Some(judged)
}

/// Returns the evidence in an error of an enabled client.
fn evidence<'a>(error: &'a (dyn Error + 'static)) -> Option<Evidence<'a>> {
    ADAPTERS.iter().find_map(|adapter| adapter(error))
}
