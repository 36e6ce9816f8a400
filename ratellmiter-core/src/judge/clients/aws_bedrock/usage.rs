//! The usage in answers and in events. Converse counts cached tokens apart from the input.

use aws_sdk_bedrockruntime::{
    operation::{converse::ConverseOutput, invoke_model::InvokeModelOutput},
    types::{ConverseStreamOutput, InvokeModelWithBidirectionalStreamOutput, ResponseStream, TokenUsage},
};

use crate::providers::usage::{HasUsage, Usage};

impl HasUsage for TokenUsage {
    fn usage(&self) -> Option<Usage> {
        let count = |tokens: i32| u64::try_from(tokens).unwrap_or_default();
        let cached = count(self.cache_read_input_tokens.unwrap_or_default());
        let written = count(self.cache_write_input_tokens.unwrap_or_default());
        Some(Usage::new(count(self.input_tokens) + cached + written, count(self.output_tokens)).cached(cached))
    }
}

impl HasUsage for ConverseOutput {
    fn usage(&self) -> Option<Usage> {
        self.usage.as_ref()?.usage()
    }
}

/// The last event of a stream has the usage.
impl HasUsage for ConverseStreamOutput {
    fn usage(&self) -> Option<Usage> {
        self.as_metadata().ok()?.usage.as_ref()?.usage()
    }
}

/// The body is that of the model's provider.
impl HasUsage for InvokeModelOutput {
    fn usage(&self) -> Option<Usage> {
        self.body.as_ref().usage()
    }
}

/// The chunks are events in the format of the model's provider. The last one has the usage of all models.
impl HasUsage for ResponseStream {
    fn usage(&self) -> Option<Usage> {
        self.as_chunk().ok()?.bytes.as_ref()?.as_ref().usage()
    }
}

/// The chunks are events in the format of the model's provider.
impl HasUsage for InvokeModelWithBidirectionalStreamOutput {
    fn usage(&self) -> Option<Usage> {
        self.as_chunk().ok()?.bytes.as_ref()?.as_ref().usage()
    }
}
