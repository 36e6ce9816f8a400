//! The rules that turn evidence into a verdict. Facts as of November 2026, from the providers' documentation unless marked.
//!
//! The order matters. A request that can never fit comes first. Exhausted quotas and billing come before the status, since
//! providers send 429 for them too. A daily quota comes before the delay beside it, which samples show to be seconds. The
//! status comes before the message. Codes and words are in the [catalog](crate::providers) of each provider.

mod hint;
mod limit_kind;
mod meaning;
mod quota;
mod request_size;

use std::time::{Duration, SystemTime};

use self::{
    hint::{hint, retry_after_of_header},
    limit_kind::{limit_kind, long_period},
    meaning::Signs,
    quota::exhausted,
};
use super::{
    body::Body,
    classification::Judged,
    evidence::Evidence,
    grpc,
    verdict::{LimitKind, Verdict},
};
use crate::providers::{error_signs::Meaning, header_values, provider::Provider};

#[cfg(test)]
thread_local! {
    /// Number of verdicts by this thread.
    pub(crate) static JUDGED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Returns the verdict on an outcome. `now` is used only for points in time in headers and bodies.
#[must_use]
pub fn judge(evidence: &Evidence<'_>, now: SystemTime) -> Verdict {
    judge_with_status(evidence, now).verdict
}

/// Returns the verdict, and the status of the failed response: that of the evidence, or one in its body. `None` if no
/// response is known to have failed.
pub(super) fn judge_with_status(evidence: &Evidence<'_>, now: SystemTime) -> Judged {
    #[cfg(test)]
    JUDGED.with(|judged| judged.set(judged.get() + 1));
    if evidence.failed_connection {
        return Judged::new(Verdict::transient(), None);
    }
    let grpc = grpc::evidence(evidence);
    let evidence = grpc.as_ref().unwrap_or(evidence);
    let mut body = evidence.body.as_deref().map(Body::read).unwrap_or_default();
    body.codes.extend(evidence.code.as_deref().map(str::to_lowercase));
    if let (Some(code), None) = (evidence.code.as_deref(), evidence.body.as_deref()) {
        body.add_bare_code(code);
    }
    if let Some(kind) = header_values::text(&evidence.headers, "x-amzn-errortype") {
        // Bedrock: `ThrottlingException:http://...`.
        body.codes.push(kind.split(':').next().unwrap_or_default().to_lowercase());
    }
    let documented = body.codes.iter().find_map(|code| status_of_code(code));
    // A failure of the server is the least of the causes: the other signs of a body outrank it.
    let is_known = |status: &u16| !matches!(status, 500 | 504) || Signs::find(&body, None).is_empty();
    body.status = body.status.or_else(|| documented.filter(is_known));
    // OpenAI's Responses and OpenRouter report errors in successful responses.
    let is_in_band = matches!(evidence.status, Some(200..300) | None);
    if evidence.status.is_some() && is_in_band && !body.is_error {
        return Judged::new(Verdict::Success, None);
    }
    if let Some(limit) = header_values::text(&evidence.headers, "x-ratelimit-type") {
        // GitHub Models: the exceeded limit, such as `UserByModelByDay`.
        body.message.push(' ');
        body.message.push_str(&limit.to_lowercase());
    }
    let outer = if is_in_band { body.status } else { evidence.status };
    body.absorb_nested(outer);
    let status = match if is_in_band { body.status } else { evidence.status } {
        // The status 424 stands for a failure of the server behind, whose own status may be in the body.
        status @ (None | Some(424)) => body.original_status.or(status),
        known => known,
    };
    let facts = Facts { evidence, body, status, now };
    let verdict = facts.verdict();
    let is_no_refusal = evidence.status.is_some_and(|status| !(400..600).contains(&status));
    let knows_body = is_no_refusal || facts.knows_body(verdict);
    let has_code = facts.body.codes.iter().any(|code| !matches!(code.parse(), Ok(400_u16..600)));
    let as_429 = (status.is_none() && evidence.body.is_some()).then(|| Facts { status: Some(429), ..facts }.verdict());
    let status = status.filter(|status| (400..600).contains(status));
    Judged { as_429, knows_body, has_code, ..Judged::new(verdict, status) }
}

/// Returns the status that a provider documents for a code, which is in lower case.
pub(super) fn status_of_code(code: &str) -> Option<u16> {
    // Some have a namespace before them: `com.amazon.coral.service#InternalFailure`.
    let name = code.rsplit('#').next()?;
    let mut known = Provider::response_formats().flat_map(|format| format.statuses);
    known.find(|(code, _)| *code == name).map(|(_, status)| *status)
}

/// Returns `true` if a provider documents the meaning or the status of a code.
#[cfg(feature = "aws-bedrock")]
pub(super) fn is_known_code(code: &str) -> bool {
    let mut body = Body::default();
    body.codes.push(code.to_lowercase());
    status_of_code(&body.codes[0]).is_some() || !Signs::find(&body, None).is_empty()
}

/// The evidence on a failure, with its body read.
struct Facts<'a> {
    evidence: &'a Evidence<'a>,
    body: Body,
    status: Option<u16>,
    now: SystemTime,
}

impl Facts<'_> {
    fn verdict(&self) -> Verdict {
        let signs = Signs::find(&self.body, self.status);
        let hint = hint(self);
        let refused = |limit| Verdict::RateLimited { retry_after: hint, limit };

        if self.is_about_this_request(&signs, hint) {
            return Verdict::Failed;
        }
        if let Some(verdict) = exhausted(self, &signs, hint) {
            return verdict;
        }
        let should_retry = header_values::should_retry(&self.evidence.headers);
        if should_retry == Some(false) {
            return Verdict::Failed;
        }
        if let Some(limit) = signs.limit() {
            return refused(limit);
        }
        if signs.has(Meaning::Overload) {
            return Verdict::Overloaded { retry_after: hint };
        }
        match self.status {
            // OpenRouter sends 402 with a wait for credit reserved by calls in flight. Without a wait it is judged above.
            Some(402 | 429) => self.rate_limited(hint),
            Some(503 | 529) => Verdict::Overloaded { retry_after: hint },
            // The server or a proxy failed. After 524 the server is still at work, and charges for it.
            Some(408 | 409 | 500 | 502 | 504 | 520..=523 | 525..=530) => {
                Verdict::Transient { retry_after: retry_after_of_header(self) }
            }
            _ if signs.has(Meaning::Rate) => self.rate_limited(hint),
            _ if signs.has(Meaning::Transient) => Verdict::Transient { retry_after: retry_after_of_header(self) },
            Some(400..600) if should_retry == Some(true) => {
                Verdict::Transient { retry_after: retry_after_of_header(self) }
            }
            _ => Verdict::Failed,
        }
    }

    /// Returns `true` if a code or the words of the body are known. Without a status they are only if they decide.
    fn knows_body(&self, verdict: Verdict) -> bool {
        let signs = Signs::find(&self.body, self.status);
        let names_limit = || limit_kind(&self.body) != LimitKind::Unknown || long_period(&self.body).is_some();
        signs.has(Meaning::ThisRequest)
            || self.is_about_this_request(&signs, None)
            || verdict != Verdict::Failed && (self.status.is_none() || !signs.is_empty() || names_limit())
    }

    /// Returns `true` if no wait helps this request, while others are accepted.
    fn is_about_this_request(&self, signs: &Signs, hint: Option<Duration>) -> bool {
        let is_refusal = matches!(self.status, None | Some(402 | 429 | 503 | 529));
        is_refusal
            && match request_size::exceeds_limit(&self.body.message) {
                Some(exceeds) => exceeds,
                // With a hint it is a rate.
                None => signs.has(Meaning::ThisRequest) && hint.is_none(),
            }
    }

    /// Returns the verdict on a refusal. The quota of a day or a month is exhausted if the server sent no hint.
    fn rate_limited(&self, hint: Option<Duration>) -> Verdict {
        let limit = limit_kind(&self.body);
        match long_period(&self.body) {
            Some(quota) if hint.is_none() => self.exhausted_quota(quota),
            Some(LimitKind::Daily) => Verdict::RateLimited { retry_after: hint, limit: LimitKind::Daily },
            _ => Verdict::RateLimited { retry_after: hint, limit },
        }
    }
}

impl Body {
    /// Returns `true` if a code contains one of `words`.
    fn has_code(&self, words: &[&str]) -> bool {
        self.codes.iter().any(|code| words.iter().any(|word| code.contains(word)))
    }

    fn message_contains(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.message.contains(word))
    }
}

#[cfg(test)]
mod tests;
