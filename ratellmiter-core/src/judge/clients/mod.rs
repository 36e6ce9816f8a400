//! Adapters for the errors of client crates, each behind the feature of its client. They collect evidence and have no
//! rules.

use std::{error::Error, time::SystemTime};

use self::version::ErrorType;
use super::{classification::Judged, evidence::Evidence, rules::judge_with_status};

#[cfg(feature = "async-openai")]
mod async_openai;
#[cfg(feature = "aws-bedrock")]
pub(crate) mod aws_bedrock;
#[cfg(feature = "eventsource-stream")]
mod eventsource;
#[cfg(feature = "genai")]
mod genai;
#[cfg(feature = "hyper")]
mod hyper;
#[cfg(feature = "ollama-rs")]
mod ollama_rs;
#[cfg(feature = "openai-api-rs")]
mod openai_api_rs;
#[cfg(any(feature = "reqwest", feature = "reqwest-012"))]
mod reqwest;
#[cfg(any(feature = "hyper", feature = "reqwest", feature = "reqwest-012", feature = "ureq"))]
mod response_error;
#[cfg(feature = "rig")]
mod rig;
#[cfg(feature = "tonic")]
mod tonic;
#[cfg(feature = "ureq")]
mod ureq;
pub(super) mod version;

#[cfg(any(feature = "hyper", feature = "reqwest", feature = "reqwest-012", feature = "ureq"))]
pub use response_error::ResponseError;

/// Reads the evidence in an error of a client.
type ReadEvidence = for<'a> fn(&'a (dyn Error + 'static)) -> Option<Evidence<'a>>;

/// The adapter of an enabled client.
struct Adapter {
    evidence: ReadEvidence,
    /// Its error type, or `None` if that has parameters.
    error: Option<ErrorType>,
}

/// The adapters of all enabled clients, with the version of each. It is that of the dependency.
const ADAPTERS: &[Adapter] = &[
    #[cfg(feature = "async-openai")]
    Adapter {
        evidence: async_openai::evidence,
        error: Some(ErrorType::of::<::async_openai::error::OpenAIError>("async-openai", "0.43")),
    },
    #[cfg(feature = "aws-bedrock")]
    Adapter {
        evidence: aws_bedrock::evidence,
        error: Some(ErrorType::of::<aws_sdk_bedrockruntime::Error>("aws-sdk-bedrockruntime", "1")),
    },
    #[cfg(feature = "eventsource-stream")]
    Adapter { evidence: eventsource::evidence, error: None },
    #[cfg(feature = "genai")]
    Adapter { evidence: genai::evidence, error: Some(ErrorType::of::<::genai::Error>("genai", "0.7")) },
    #[cfg(feature = "hyper")]
    Adapter { evidence: hyper::evidence, error: Some(ErrorType::of::<::hyper::Error>("hyper", "1")) },
    #[cfg(feature = "ollama-rs")]
    Adapter {
        evidence: ollama_rs::evidence,
        error: Some(ErrorType::of::<::ollama_rs::error::OllamaError>("ollama-rs", "0.3")),
    },
    #[cfg(feature = "openai-api-rs")]
    Adapter {
        evidence: openai_api_rs::evidence,
        error: Some(ErrorType::of::<::openai_api_rs::v1::error::APIError>("openai-api-rs", "10")),
    },
    #[cfg(feature = "reqwest")]
    Adapter { evidence: reqwest::v13::evidence, error: Some(ErrorType::of::<::reqwest::Error>("reqwest", "0.13")) },
    #[cfg(feature = "reqwest-012")]
    Adapter { evidence: reqwest::v12::evidence, error: Some(ErrorType::of::<::reqwest_012::Error>("reqwest", "0.12")) },
    #[cfg(feature = "rig")]
    Adapter {
        evidence: rig::evidence,
        error: Some(ErrorType::of::<rig_core::error::ProviderError>("rig-core", "0.44")),
    },
    #[cfg(feature = "tonic")]
    Adapter { evidence: tonic::evidence, error: Some(ErrorType::of::<::tonic::Status>("tonic", "0.14")) },
    #[cfg(feature = "ureq")]
    Adapter { evidence: ureq::evidence, error: Some(ErrorType::of::<::ureq::Error>("ureq", "3")) },
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
    ADAPTERS.iter().find_map(|adapter| (adapter.evidence)(error))
}
