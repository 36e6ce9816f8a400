//! The signs by which a provider's errors are recognised, and their meaning.

/// A sign in an error. All text is in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    /// A whole code.
    Code(&'static str),
    /// A part of a code.
    CodePart(&'static str),
    /// A part of the name of an exceeded quota.
    Quota(&'static str),
    /// A part of the message.
    Phrase(&'static str),
    /// The start of the message.
    Start(&'static str),
    /// A part of the message that another provider uses for something else, with a time to wait or with one of these codes or
    /// words.
    PhraseUnless(&'static str, &'static [&'static str]),
}

impl Sign {
    /// Returns `true` if a name in a text is this code.
    pub(super) fn is_whole_name(self, name: &str) -> bool {
        matches!(self, Self::Code(code) | Self::CodePart(code) if name == code)
    }

    /// Returns `true` if a name in a text is this code, or begins with it.
    pub(super) fn is_name(self, name: &str) -> bool {
        match self {
            Self::Code(code) => name == code,
            Self::CodePart(part) => name.starts_with(part),
            _ => false,
        }
    }
}

/// The meaning of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// This request is refused at any rate: it is too large, or the account's tier excludes it. Other requests are not
    /// affected.
    ThisRequest,
    /// A rate limit.
    Rate,
    /// Requests a second or minute.
    Requests,
    /// Tokens a minute.
    Tokens,
    /// Calls in flight.
    Concurrency,
    /// The growth of the demand.
    Growth,
    /// The server's own load.
    Overload,
    /// The server failed, and asks to send the same request again.
    Transient,
    /// A daily quota is exhausted.
    Day,
    /// A quota of several hours, a week or a month is exhausted.
    Quota,
    /// Credit or a spending limit is exhausted.
    Money,
}

/// The two headers of a window whose quota may be exhausted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WindowHeaders {
    /// The header that shows whether the quota is exhausted: `rejected`, or a percentage of at least 100.
    pub(crate) state: &'static str,
    /// The header with the end of the window: seconds from now, or a point in time.
    pub(crate) reset: &'static str,
}
