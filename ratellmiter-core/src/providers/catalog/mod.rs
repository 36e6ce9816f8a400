//! How each provider counts: one file for each, with the page it follows and that page's date.

mod anthropic;
mod azure;
mod bedrock;
mod deepseek;
mod fireworks;
mod gemini;
mod groq;
mod mistral;
mod openai;
mod openrouter;
mod plain;
mod xai;

use crate::providers::terms::Terms;

/// The providers. The last is none.
pub(crate) static CONTRACTS: [Terms; 12] = [
    openai::TERMS,
    azure::TERMS,
    anthropic::TERMS,
    gemini::TERMS,
    bedrock::TERMS,
    mistral::TERMS,
    groq::TERMS,
    deepseek::TERMS,
    xai::TERMS,
    fireworks::TERMS,
    openrouter::TERMS,
    plain::TERMS,
];
