//! Providers as documented. Their rules change, so each preset names its source and date.

use std::time::{Duration, SystemTime};

use super::{HeaderSet, Provider, RetryAfter, TokenCharging, Unit, charging::DAY};

/// Limits of an account, a minute unless noted. `None` means no such limit.
///
/// ```
/// use ratellmiter_core::sim::{Provider, Quota};
///
/// let quota = Quota { requests: Some(50), input: Some(30_000), output: Some(8_000), ..Quota::default() };
/// let provider = Provider::anthropic(1, quota);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quota {
    /// Requests a minute.
    pub requests: Option<u32>,
    /// Input and output tokens a minute.
    pub tokens: Option<u32>,
    /// Input tokens a minute.
    pub input: Option<u32>,
    /// Output tokens a minute.
    pub output: Option<u32>,
    /// Requests a day. The first day starts with the run.
    pub requests_per_day: Option<u32>,
    /// Requests in flight.
    pub in_flight: Option<u32>,
}

/// Enforcement of a limit, with its interval.
#[derive(Debug, Clone, Copy)]
enum Enforcement {
    Bucket(Duration),
    Sliding(Duration),
    Fixed(Duration),
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

impl Quota {
    fn of(self, unit: Unit) -> Option<u32> {
        match unit {
            Unit::Requests => self.requests,
            Unit::Tokens => self.tokens,
            Unit::InputTokens => self.input,
            Unit::OutputTokens => self.output,
        }
    }
}

impl Provider {
    /// Anthropic: buckets, for requests over a second. Input without cached tokens is charged at arrival and output while it
    /// is generated; `max_tokens` is not charged. The run starts in 1970 for the headers.
    ///
    /// Source: platform.claude.com, rate limits, October 2026.
    #[must_use]
    pub fn anthropic(seed: u64, quota: Quota) -> Self {
        Self::new(seed)
            .limited(quota, Enforcement::Bucket(SECOND), Enforcement::Bucket(MINUTE))
            .charging(TokenCharging::Produced)
            .cached_is_free()
            .headers(HeaderSet::Anthropic { epoch: SystemTime::UNIX_EPOCH })
    }

    /// Azure `OpenAI`: requests over 10 seconds, tokens over fixed minutes. Input and `max_tokens` are charged at arrival
    /// without a refund, and refused requests count.
    ///
    /// Source: learn.microsoft.com, quota, May 2026.
    #[must_use]
    pub fn azure(seed: u64, quota: Quota) -> Self {
        Self::new(seed)
            .limited(quota, Enforcement::Sliding(10 * SECOND), Enforcement::Fixed(MINUTE))
            .charging(TokenCharging::Reserved)
            .penalty(1.0)
            .headers(HeaderSet::Azure)
    }

    /// `OpenAI`: requests over a second. The larger of input and `max_tokens` is charged at arrival, and refused requests
    /// count.
    ///
    /// Source: rate limits guide, October 2026. That there is no refund is an assumption.
    #[must_use]
    pub fn openai(seed: u64, quota: Quota) -> Self {
        Self::new(seed)
            .limited(quota, Enforcement::Bucket(SECOND), Enforcement::Bucket(MINUTE))
            .charging(TokenCharging::Larger)
            .penalty(1.0)
            .headers(HeaderSet::OpenAi)
    }

    /// Bedrock with a model that charges five tokens for each output token. Input and `maxTokens` are charged at arrival and
    /// settled at the end, when cached input is refunded too. Refusals report no time to wait.
    ///
    /// Source: docs.aws.amazon.com, runtime quotas, 2026. That limits are buckets is an assumption.
    #[must_use]
    pub fn bedrock(seed: u64, quota: Quota) -> Self {
        Self::new(seed)
            .limited(quota, Enforcement::Bucket(MINUTE), Enforcement::Bucket(MINUTE))
            .charging(TokenCharging::Settled { output_weight: 5 })
            .cached_is_free()
            .retry_after(RetryAfter::Missing)
    }

    /// Gemini: requests, input tokens, and requests a day. `retryDelay` reports the exact time to wait.
    ///
    /// Source: ai.google.dev, rate limits, 2026. That limits are buckets is an assumption.
    #[must_use]
    pub fn gemini(seed: u64, quota: Quota) -> Self {
        Self::new(seed)
            .limited(quota, Enforcement::Bucket(MINUTE), Enforcement::Bucket(MINUTE))
            .charging(TokenCharging::InputOnly)
            .retry_after(RetryAfter::Exact)
    }

    /// Mistral: requests over a second, and input and output tokens. Refusals report neither the limit nor the time to wait.
    ///
    /// Source: docs.mistral.ai, tier, 2026.
    #[must_use]
    pub fn mistral(seed: u64, quota: Quota) -> Self {
        Self::new(seed)
            .limited(quota, Enforcement::Bucket(SECOND), Enforcement::Bucket(MINUTE))
            .charging(TokenCharging::Total)
            .retry_after(RetryAfter::Missing)
            .without_limit_kind()
    }

    /// xAI: a hard limit on the requests in any second, and all tokens including cached ones.
    ///
    /// Source: docs.x.ai, rate limits, 2026. That refusals report neither the limit nor the time to wait is an assumption.
    #[must_use]
    pub fn xai(seed: u64, quota: Quota) -> Self {
        Self::new(seed)
            .limited(quota, Enforcement::Sliding(SECOND), Enforcement::Bucket(MINUTE))
            .charging(TokenCharging::Total)
            .retry_after(RetryAfter::Missing)
            .without_limit_kind()
    }

    /// Groq: requests, tokens without cached ones, and requests a day.
    ///
    /// Source: console.groq.com, rate limits, 2026. That the input is charged at arrival is an assumption.
    #[must_use]
    pub fn groq(seed: u64, quota: Quota) -> Self {
        Self::new(seed)
            .limited(quota, Enforcement::Bucket(MINUTE), Enforcement::Bucket(MINUTE))
            .charging(TokenCharging::Total)
            .cached_is_free()
            .headers(HeaderSet::Groq)
    }

    /// Fireworks: limits on uncached input (`input`), on generated output (`output`), and on growth.
    ///
    /// Source: docs.fireworks.ai, serverless rate limits, 2026. The limit on the whole prompt and the shrinking of limits after
    /// bursts are not simulated; the numbers of the limit on growth are invented.
    #[must_use]
    pub fn fireworks(seed: u64, quota: Quota) -> Self {
        Self::new(seed)
            .limited(quota, Enforcement::Bucket(MINUTE), Enforcement::Bucket(MINUTE))
            .slope(1.5, 10.0)
            .charging(TokenCharging::Produced)
            .cached_is_free()
            .retry_after(RetryAfter::Missing)
    }

    /// `DeepSeek`: calls in flight only.
    ///
    /// Source: api-docs.deepseek.com, rate limit, 2026.
    #[must_use]
    pub fn deepseek(seed: u64, quota: Quota) -> Self {
        Self::new(seed)
            .limited(quota, Enforcement::Bucket(MINUTE), Enforcement::Bucket(MINUTE))
            .retry_after(RetryAfter::Missing)
    }

    /// Free models of `OpenRouter`: requests a minute and a day. `X-RateLimit-Reset` reports the time to wait in
    /// milliseconds.
    ///
    /// Source: openrouter.ai, limits, 2026.
    #[must_use]
    pub fn openrouter(seed: u64, quota: Quota) -> Self {
        Self::new(seed)
            .limited(quota, Enforcement::Fixed(MINUTE), Enforcement::Fixed(MINUTE))
            .retry_after(RetryAfter::Exact)
    }

    /// Cerebras: buckets, for tokens and for requests. The input and at most 16,384 tokens of `max_completion_tokens` are charged
    /// at arrival without a refund, and a call that exceeds the whole bucket is refused each time. Refusals report no time to
    /// wait.
    ///
    /// Source: inference-docs.cerebras.ai, rate limits, November 2026; the cap and that there is no refund: github.com/dcdpr/jp,
    /// pull request 1085, September 2026. That refusals report no time to wait is an assumption.
    #[must_use]
    pub fn cerebras(seed: u64, quota: Quota) -> Self {
        Self::new(seed)
            .limited(quota, Enforcement::Bucket(MINUTE), Enforcement::Bucket(MINUTE))
            .charging(TokenCharging::Capped { max_output: 16_384 })
            .refusal_of_oversized_calls()
            .headers(HeaderSet::Cerebras)
            .retry_after(RetryAfter::Missing)
    }

    fn limited(mut self, quota: Quota, requests: Enforcement, tokens: Enforcement) -> Self {
        for unit in [Unit::Requests, Unit::Tokens, Unit::InputTokens, Unit::OutputTokens] {
            let enforcement = if unit == Unit::Requests { requests } else { tokens };
            if let Some(per_minute) = quota.of(unit) {
                self = match enforcement {
                    Enforcement::Bucket(horizon) => self.token_bucket(unit, per_minute, horizon),
                    Enforcement::Sliding(width) => self.window(unit, amount_in(per_minute, width), width, true),
                    Enforcement::Fixed(width) => self.window(unit, amount_in(per_minute, width), width, false),
                };
            }
        }
        if let Some(requests) = quota.requests_per_day {
            self = self.fixed_count(Unit::Requests, requests.into(), DAY);
        }
        if let Some(calls) = quota.in_flight {
            self = self.concurrency(calls as usize);
        }
        self
    }
}

/// Returns the amount that a rate allows in `width`.
pub(super) fn amount_in(per_minute: u32, width: Duration) -> f64 {
    f64::from(per_minute) / 60.0 * width.as_secs_f64()
}
