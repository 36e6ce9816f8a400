//! `ollama-rs` 0.3. Its error has the body of a refusal, without the status and the headers. A stream has no errors of the server,
//! and its last item has the usage.

use std::error::Error;

use ::ollama_rs::{
    error::OllamaError,
    generation::{chat::ChatMessageResponse, completion::GenerationResponse},
};

use crate::{
    judge::{error_chain::as_type, evidence::Evidence, transport::is_failed_connection_text},
    providers::usage::{HasUsage, Usage},
};

pub(super) fn evidence<'a>(error: &'a (dyn Error + 'static)) -> Option<Evidence<'a>> {
    match as_type(error)? {
        OllamaError::Other(body) if is_failed_connection_text(body) => Some(Evidence::new().failed_connection()),
        OllamaError::Other(body) => Some(Evidence::new().body(&**body)),
        OllamaError::InternalError(error) => Some(Evidence::new().body(&*error.message)),
        // The error of `reqwest` is in the source chain.
        _ => None,
    }
}

impl HasUsage for ChatMessageResponse {
    fn usage(&self) -> Option<Usage> {
        let end = self.final_data.as_ref()?;
        Some(Usage::new(end.prompt_eval_count, end.eval_count))
    }
}

impl HasUsage for GenerationResponse {
    fn usage(&self) -> Option<Usage> {
        self.prompt_eval_count.or(self.eval_count)?;
        Some(Usage::new(self.prompt_eval_count.unwrap_or_default(), self.eval_count.unwrap_or_default()))
    }
}

/// An item of a stream of completions.
impl HasUsage for [GenerationResponse] {
    fn usage(&self) -> Option<Usage> {
        self.iter().rev().find_map(HasUsage::usage)
    }
}

impl HasUsage for Vec<GenerationResponse> {
    fn usage(&self) -> Option<Usage> {
        self.as_slice().usage()
    }
}
