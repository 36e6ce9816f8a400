//! The signs of the catalog that are found in an error.

use super::Body;
use crate::{
    judge::{LimitKind, times_in_text},
    providers::{
        error_signs::{Meaning, Sign},
        provider::Provider,
    },
};

/// The meanings of an error by the signs in it, and the facts about the providers whose signs they are.
#[derive(Debug, Default)]
pub(super) struct Signs {
    found: Vec<Meaning>,
    /// The offset from UTC, in hours, of dates without a zone.
    pub(super) zone_hours: Option<i64>,
    /// The hour, in UTC, at which a daily quota is refilled.
    pub(super) day_starts_at: Option<u64>,
}

impl Signs {
    /// Returns all signs that count with a status: codes are exact, while the words of a failure may be quoted.
    pub(super) fn find(body: &Body, status: Option<u16>) -> Self {
        let mut signs = Self::default();
        for format in Provider::response_formats() {
            let known = signs.found.len();
            let found = format
                .errors
                .iter()
                .filter(|(sign, meaning)| counts(*sign, *meaning, status, body) && sign.is_in(body));
            signs.found.extend(found.map(|(_, meaning)| *meaning));
            let quota = [Meaning::Day, Meaning::Quota, Meaning::Money];
            if signs.found[known..].iter().any(|meaning| quota.contains(meaning)) {
                signs.zone_hours = signs.zone_hours.or(format.zone_hours);
                signs.day_starts_at = signs.day_starts_at.or(format.day_starts_at);
            }
        }
        signs
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub(super) fn has(&self, meaning: Meaning) -> bool {
        self.found.contains(&meaning)
    }

    /// Returns the rate limit that the signs name.
    pub(super) fn limit(&self) -> Option<LimitKind> {
        self.found.iter().find_map(|meaning| match meaning {
            Meaning::Requests => Some(LimitKind::Requests),
            Meaning::Tokens => Some(LimitKind::Tokens),
            Meaning::Concurrency => Some(LimitKind::Concurrency),
            Meaning::Growth => Some(LimitKind::Growth),
            _ => None,
        })
    }
}

/// Returns `true` if a sign counts in a response with this status.
fn counts(sign: Sign, meaning: Meaning, status: Option<u16>, body: &Body) -> bool {
    let is_code = matches!(sign, Sign::Code(_) | Sign::CodePart(_) | Sign::Quota(_));
    match (meaning, status) {
        // A start of a message stands in for a code that is not there.
        (Meaning::Rate, _) if matches!(sign, Sign::Start(_)) => status.is_none() && body.codes.is_empty(),
        // The status is exact if it is known.
        (Meaning::Transient, _) => is_code && body.original_status.is_none(),
        (_, None | Some(402 | 429 | 503 | 529)) => true,
        (Meaning::Money | Meaning::Quota | Meaning::Day, Some(status)) => is_code || matches!(status, 400..=403 | 412),
        (Meaning::Growth, _)
        | (Meaning::Overload, Some(500..600))
        | (Meaning::Rate | Meaning::Requests | Meaning::Tokens | Meaning::Concurrency, Some(400 | 403)) => is_code,
        _ => false,
    }
}

impl Sign {
    fn is_in(self, body: &Body) -> bool {
        let has_code = |code: &str| body.codes.iter().any(|found| found == code);
        match self {
            Self::Code(code) => has_code(code),
            Self::CodePart(part) => body.has_code(&[part]),
            Self::Quota(part) => body.quotas.iter().any(|quota| quota.contains(part)),
            Self::Phrase(phrase) => body.message.contains(phrase),
            Self::Start(start) => body.message.starts_with(start),
            Self::PhraseUnless(phrase, others) => {
                let is_other = |other: &&str| has_code(other) || body.message.contains(*other);
                body.message.contains(phrase)
                    && !others.iter().any(is_other)
                    && times_in_text::wait(&body.message).is_none()
            }
        }
    }
}
