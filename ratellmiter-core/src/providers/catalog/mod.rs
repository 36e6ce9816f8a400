//! The providers: one file each, with its accounting rules, the format of its responses, their source and date, and one
//! line in this list.

use crate::providers::terms::Terms;

/// Defines [`Provider`] from a list of variants, each with the module of its terms.
macro_rules! providers {
    ($($(#[$attribute:meta])* $variant:ident => $module:ident,)*) => {
        $(mod $module;)*

        /// A provider of models, which decides how tokens are counted.
        ///
        /// Providers charge tokens differently: some charge the maximum output when a call is sent and refund the rest, some
        /// charge output as it is generated. A [`Limits`](crate::Limits) for a provider reserves and settles as the provider does.
        ///
        /// ```
        /// use ratellmiter_core::{Provider, Usage};
        ///
        /// // 1,000 input tokens, and at most 4,000 output tokens.
        /// let reserved = Provider::Bedrock.reserve(1_000, 4_000);
        /// assert_eq!(reserved.total, 5_000);
        ///
        /// // 300 output tokens were generated, each of which counts five times.
        /// let settled = Provider::Bedrock.settle("anthropic.claude-sonnet-4", reserved, Usage::new(1_000, 300));
        /// assert_eq!(settled.total, 2_500);
        ///
        /// // Configuration files use the name.
        /// assert_eq!("bedrock".parse(), Ok(Provider::Bedrock));
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
        #[non_exhaustive]
        pub enum Provider {
            $($(#[$attribute])* $variant,)*
        }

        impl Provider {
            /// All providers.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            pub(in crate::providers) const fn terms(self) -> &'static Terms {
                match self {
                    $(Self::$variant => &$module::TERMS,)*
                }
            }
        }
    };
}

providers! {
    /// `OpenAI`.
    OpenAi => openai,
    /// Azure `OpenAI`.
    Azure => azure,
    /// Anthropic.
    Anthropic => anthropic,
    /// The Gemini API of Google.
    Gemini => gemini,
    /// Amazon Bedrock.
    Bedrock => bedrock,
    /// Mistral.
    Mistral => mistral,
    /// Groq.
    Groq => groq,
    /// `DeepSeek`.
    DeepSeek => deepseek,
    /// xAI.
    Xai => xai,
    /// Fireworks.
    Fireworks => fireworks,
    /// `OpenRouter`.
    OpenRouter => openrouter,
    /// Cerebras.
    Cerebras => cerebras,
    /// Cohere.
    Cohere => cohere,
    /// `DashScope` of Alibaba, also called Model Studio.
    DashScope => dashscope,
    /// GitHub Models.
    GitHubModels => github_models,
    /// `MiniMax`.
    MiniMax => minimax,
    /// Kimi of Moonshot.
    Moonshot => moonshot,
    /// Together.
    Together => together,
    /// Vertex AI of Google.
    Vertex => vertex,
    /// GLM of Zhipu, also called Z.ai.
    Zhipu => zhipu,
    /// Any other provider: all tokens count, the maximum output is reserved, and the unused part is refunded when the
    /// call ends.
    #[default]
    Generic => generic,
}
