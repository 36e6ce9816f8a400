//! Providers as they are documented. Contracts change: each has its source and date.

use std::time::{Duration, SystemTime};

use super::{Charging, HeaderSet, Hint, Provider, Unit, rules::DAY};

/// The limits of an account, a minute unless they say otherwise. Without a number there is no such limit.
///
/// ```
/// use ratellmiter_core::sim::{Provider, Quota};
///
/// let quota = Quota { requests: Some(50), input: Some(30_000), output: Some(8_000), ..Quota::default() };
/// let provider = Provider::anthropic(1, quota);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quota {
    /// Requests.
    pub requests: Option<u32>,
    /// Tokens in and out together.
    pub tokens: Option<u32>,
    /// Tokens sent.
    pub input: Option<u32>,
    /// Tokens produced.
    pub output: Option<u32>,
    /// Requests a day, which begins with the run.
    pub requests_a_day: Option<u32>,
    /// Requests in flight.
    pub in_flight: Option<u32>,
}

/// How a limit is counted.
#[derive(Debug, Clone, Copy)]
enum Counted {
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
    /// Anthropic: continuous buckets, requests by the second. Input counts at arrival without what is cached, output as it is
    /// produced, and `max_tokens` plays no part. Headers count from 1970. platform.claude.com, rate limits, October 2026.
    #[must_use]
    pub fn anthropic(seed: u64, quota: Quota) -> Self {
        Self::new(seed)
            .limited(quota, Counted::Bucket(SECOND), Counted::Bucket(MINUTE))
            .charging(Charging::Produced)
            .cached_is_free()
            .headers(HeaderSet::Anthropic { epoch: SystemTime::UNIX_EPOCH })
    }

    /// Azure `OpenAI`: requests over 10 seconds, tokens by the clock's minute, prompt and `max_tokens` at arrival for good.
    /// Refused requests count. learn.microsoft.com, quota, May 2026.
    #[must_use]
    pub fn azure(seed: u64, quota: Quota) -> Self {
        Self::new(seed)
            .limited(quota, Counted::Sliding(10 * SECOND), Counted::Fixed(MINUTE))
            .charging(Charging::Reserved)
            .penalty(1.0)
            .headers(HeaderSet::Azure)
    }

    /// `OpenAI`: requests by the second, the larger of prompt and `max_tokens` at arrival. Refused requests count.
    /// Rate limits guide, October 2026; that nothing is given back is not said there.
    #[must_use]
    pub fn openai(seed: u64, quota: Quota) -> Self {
        Self::new(seed)
            .limited(quota, Counted::Bucket(SECOND), Counted::Bucket(MINUTE))
            .charging(Charging::Larger)
            .penalty(1.0)
            .headers(HeaderSet::OpenAi)
    }

    /// Bedrock with a model whose output costs five times: prompt and `maxTokens` at the start, settled at the end, when what
    /// was cached is given back too. No hint. docs.aws.amazon.com, runtime quotas, 2026; that limits are buckets is not said
    /// there.
    #[must_use]
    pub fn bedrock(seed: u64, quota: Quota) -> Self {
        Self::new(seed)
            .limited(quota, Counted::Bucket(MINUTE), Counted::Bucket(MINUTE))
            .charging(Charging::Settled { output_weight: 5 })
            .cached_is_free()
            .hint(Hint::Missing)
    }

    /// Gemini: requests, input tokens, and requests a day. The hint is `retryDelay`. ai.google.dev, rate limits, 2026; how
    /// a minute is counted is not said there.
    #[must_use]
    pub fn gemini(seed: u64, quota: Quota) -> Self {
        Self::new(seed)
            .limited(quota, Counted::Bucket(MINUTE), Counted::Bucket(MINUTE))
            .charging(Charging::InputOnly)
            .hint(Hint::Exact)
    }

    /// Mistral: requests by the second, tokens in and out, and refusals that tell nothing. docs.mistral.ai, tier, 2026.
    #[must_use]
    pub fn mistral(seed: u64, quota: Quota) -> Self {
        Self::new(seed)
            .limited(quota, Counted::Bucket(SECOND), Counted::Bucket(MINUTE))
            .charging(Charging::Total)
            .hint(Hint::Missing)
            .vague()
    }

    /// xAI: a hard limit on the requests of a second, all tokens with those that are cached. docs.x.ai, rate limits, 2026;
    /// what refusals tell is not said there.
    #[must_use]
    pub fn xai(seed: u64, quota: Quota) -> Self {
        Self::new(seed)
            .limited(quota, Counted::Sliding(SECOND), Counted::Bucket(MINUTE))
            .charging(Charging::Total)
            .hint(Hint::Missing)
            .vague()
    }

    /// Groq: requests and tokens, requests a day, cached tokens do not count. console.groq.com, rate limits, 2026; what is
    /// charged at arrival is not said there, and taken to be the input.
    #[must_use]
    pub fn groq(seed: u64, quota: Quota) -> Self {
        Self::new(seed)
            .limited(quota, Counted::Bucket(MINUTE), Counted::Bucket(MINUTE))
            .charging(Charging::Total)
            .cached_is_free()
            .headers(HeaderSet::Groq)
    }

    /// Fireworks: `input` is its limit on what is not cached, `output` that on what is generated, and growth is limited.
    /// docs.fireworks.ai, serverless rate limits, 2026. That limits shrink after bursts, and that on the whole prompt, are
    /// left out; the numbers of the growth are made up.
    #[must_use]
    pub fn fireworks(seed: u64, quota: Quota) -> Self {
        Self::new(seed)
            .limited(quota, Counted::Bucket(MINUTE), Counted::Bucket(MINUTE))
            .slope(1.5, 10.0)
            .charging(Charging::Produced)
            .cached_is_free()
            .hint(Hint::Missing)
    }

    /// `DeepSeek`: calls in flight, and nothing else. api-docs.deepseek.com, rate limit, 2026.
    #[must_use]
    pub fn deepseek(seed: u64, quota: Quota) -> Self {
        Self::new(seed).limited(quota, Counted::Bucket(MINUTE), Counted::Bucket(MINUTE)).hint(Hint::Missing)
    }

    /// `OpenRouter`'s free models: requests a minute and a day. openrouter.ai, limits, 2026. Its
    /// `X-RateLimit-Reset` is a hint to the millisecond.
    #[must_use]
    pub fn openrouter(seed: u64, quota: Quota) -> Self {
        Self::new(seed).limited(quota, Counted::Fixed(MINUTE), Counted::Fixed(MINUTE)).hint(Hint::Exact)
    }

    fn limited(mut self, quota: Quota, requests: Counted, tokens: Counted) -> Self {
        for unit in [Unit::Requests, Unit::Tokens, Unit::InputTokens, Unit::OutputTokens] {
            let counted = if unit == Unit::Requests { requests } else { tokens };
            if let Some(per_minute) = quota.of(unit) {
                self = match counted {
                    Counted::Bucket(horizon) => self.token_bucket(unit, per_minute, horizon),
                    Counted::Sliding(width) => self.window(unit, in_width(per_minute, width), width, true),
                    Counted::Fixed(width) => self.window(unit, in_width(per_minute, width), width, false),
                };
            }
        }
        if let Some(requests) = quota.requests_a_day {
            self = self.fixed_count(Unit::Requests, requests.into(), DAY);
        }
        if let Some(calls) = quota.in_flight {
            self = self.concurrency(calls as usize);
        }
        self
    }
}

/// What a rate brings in that time.
pub(super) fn in_width(per_minute: u32, width: Duration) -> f64 {
    f64::from(per_minute) / 60.0 * width.as_secs_f64()
}
