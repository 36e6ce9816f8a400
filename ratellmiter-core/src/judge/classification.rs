//! The classification of an outcome, before it is completed by the observed response.

use std::{any::type_name, time::SystemTime};

use serde_json::Value;

use super::{
    classify::{Response, ResponseBody},
    error_chain::by_text,
    evidence::Evidence,
    rules::judge,
    verdict::Verdict,
};

/// The classification of a return value or of an item of a stream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Classification {
    /// `None` if the outcome was not recognised.
    pub(crate) verdict: Option<Verdict>,
    /// The basis of the verdict.
    pub(crate) basis: Basis,
    /// The status of the response that the value is or that the error contains. `None` if it is not known.
    pub(crate) status: Option<u16>,
    /// The client made up the item before it had a response; see [`Response`](super::classify::Response).
    pub(crate) is_before_response: bool,
    /// The status decided alone, since the code beside it is not known.
    pub(crate) has_unknown_code: bool,
    /// The item is no part of the answer, such as the mark of its end; see [`Response`](super::classify::Response).
    pub(crate) is_neutral: bool,
    /// The type of the error, for the warning about unrecognised errors.
    pub(crate) error_type: &'static str,
}

/// The basis of a verdict, which decides whether an observed response can overrule it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Basis {
    /// A user's option, the type of a success, or a rejection: the verdict stands as it is.
    Final,
    /// [`Classify`](super::Classify): the verdict stands, and is completed by the hint and the limit of the response.
    Type,
    /// An error with the status, and maybe the body, of a failed response.
    Response(u16),
    /// An error with a body whose status the client drops. The verdict would be `as_429` if that was 429.
    Body { as_429: Verdict },
    /// An error without a status: of another step, or of a client that drops it.
    Error,
    /// A connection that was closed before or after the response began. If a response was observed, the call has failed.
    ClosedConnection,
}

/// A verdict on an error, and the status of the failed response that the error contains.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(unnameable_types)] // A part of private traits.
#[allow(clippy::struct_excessive_bools)] // They are independent of each other.
pub struct Judged {
    pub(crate) verdict: Verdict,
    /// `None` if no response is known to have failed.
    pub(crate) status: Option<u16>,
    /// The verdict if the status was 429, for an error with a body alone.
    pub(crate) as_429: Option<Verdict>,
    /// The error contains a rejection: no observed response can overrule the verdict.
    pub(crate) is_final: bool,
    /// The verdict does not rest on the status alone: the codes or the words of the body are known.
    pub(crate) knows_body: bool,
    /// The error has a code that is not known.
    pub(crate) has_code: bool,
    /// The connection was closed, before or after the response began.
    pub(crate) is_closed_connection: bool,
    /// The error is the end of a stream that is complete.
    pub(crate) is_neutral: bool,
}

impl Judged {
    /// The judgement of a rejection by a limiter, which is no outcome of a request.
    pub(crate) const REJECTED: Self = Self { is_final: true, ..Self::new(Verdict::Failed, None) };

    /// Creates the judgement of a response with a known status, or of an error that is no response.
    pub(crate) const fn new(verdict: Verdict, status: Option<u16>) -> Self {
        Self {
            verdict,
            status,
            as_429: None,
            is_final: false,
            knows_body: true,
            has_code: false,
            is_closed_connection: false,
            is_neutral: false,
        }
    }

    /// Returns the verdict, or `None` for a body without a status of which nothing is known.
    pub(crate) fn known_verdict(self) -> Option<Verdict> {
        (self.status.is_some() || self.knows_body).then_some(self.verdict)
    }

    /// Returns `true` if a refusal is known by its status alone, while the body has a code that is not known: it may be a
    /// quota that is spent.
    pub(crate) fn is_refused_with_unknown_code(self) -> bool {
        self.has_code && !self.knows_body && self.verdict.is_retryable()
    }

    fn basis(self) -> Basis {
        match self {
            Self { is_final: true, .. } => Basis::Final,
            Self { status: Some(status), .. } => Basis::Response(status),
            Self { as_429: Some(as_429), .. } => Basis::Body { as_429 },
            Self { is_closed_connection: true, .. } => Basis::ClosedConnection,
            _ => Basis::Error,
        }
    }
}

impl Classification {
    /// Creates a classification that stands, whatever response was observed.
    pub(crate) fn decided(verdict: Verdict) -> Self {
        Self {
            verdict: Some(verdict),
            basis: Basis::Final,
            status: None,
            is_before_response: false,
            is_neutral: false,
            has_unknown_code: false,
            error_type: "",
        }
    }

    /// Returns the classification of a result inside of an `Ok`, as a call with a time-out returns it, by that of its error. Only
    /// what the server refused, or failed to do, counts: the other errors are results of a call that succeeded.
    #[must_use]
    pub fn of_inner(error: Self) -> Self {
        match error.verdict {
            Some(
                Verdict::RateLimited { .. }
                | Verdict::Overloaded { .. }
                | Verdict::QuotaExhausted { .. }
                | Verdict::Transient { .. },
            ) => error,
            _ if error.basis == Basis::Type => error,
            _ => Self::decided(Verdict::Success),
        }
    }

    /// Creates the classification of an event of a stream, which has the name `error` if `is_named_error`.
    pub(crate) fn of_event(json: &Value, is_named_error: bool) -> Self {
        match json {
            json if !is_named_error => Self::of_response(json),
            Value::String(text) => {
                Self::decided(by_text(text).and_then(Judged::known_verdict).unwrap_or(Verdict::Failed))
            }
            json => Self::decided(judge(&Evidence::new().body(json.to_string()), SystemTime::now())),
        }
    }

    /// Creates the classification of a value that is a response.
    pub(crate) fn of_response(response: &(impl Response + ?Sized)) -> Self {
        let evidence = response.evidence();
        let verdict = judge(&evidence, SystemTime::now());
        Self {
            status: evidence.status,
            is_before_response: response.is_before_response(),
            is_neutral: response.is_neutral(),
            ..Self::decided(verdict)
        }
    }

    /// Creates the classification of a response by its status, its headers and its body.
    pub(crate) fn of_response_with_body(response: &http::Response<impl ResponseBody>) -> Self {
        let evidence = response.evidence().body(response.body().text());
        let verdict = judge(&evidence, SystemTime::now());
        Self { status: evidence.status, ..Self::decided(verdict) }
    }

    /// Creates the classification of an error of type `E`, which knows its verdict.
    pub(crate) fn of_type<E: ?Sized>(verdict: Verdict) -> Self {
        Self::of_kind::<E>(Some(verdict), Basis::Type)
    }

    fn of_kind<E: ?Sized>(verdict: Option<Verdict>, basis: Basis) -> Self {
        let error_type = type_name::<E>();
        let status = if let Basis::Response(status) = basis { Some(status) } else { None };
        Self {
            verdict,
            basis,
            status,
            is_before_response: false,
            is_neutral: false,
            has_unknown_code: false,
            error_type,
        }
    }

    /// Creates the classification of an error of type `E` by its evidence.
    pub(crate) fn of_error<E: ?Sized>(judged: Option<Judged>) -> Self {
        let basis = judged.map_or(Basis::Error, Judged::basis);
        let verdict = judged.and_then(Judged::known_verdict);
        let has_unknown_code = judged.is_some_and(Judged::is_refused_with_unknown_code);
        let is_neutral = judged.is_some_and(|judged| judged.is_neutral);
        Self { has_unknown_code, is_neutral, ..Self::of_kind::<E>(verdict, basis) }
    }
}
