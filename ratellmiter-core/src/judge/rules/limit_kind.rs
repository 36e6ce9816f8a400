//! The kind of limit that a refusal is about, by the codes, the exceeded quotas and the words of the message.

use super::Body;
use crate::judge::LimitKind;

const DAY: &[&str] = &[
    "(rpd)", "(tpd)", "per day", "per-day", "perday", "byday", "/day", "/ day", "daily", "今日", "当日", "每日", "每天",
];

const MINUTE: &[&str] = &["(rpm)", "(tpm)", "per min", "per-min", "perminute", "byminute", "/min", "/ min"];

const WEEK: &[&str] = &["per week", "weekly limit", "weekly quota", "weekly usage", "每周", "本周"];

const MONTH: &[&str] = &[
    "/ month",
    "calls per month",
    "requests per month",
    "tokens per month",
    "calls/month",
    "requests/month",
    "tokens/month",
    "monthly limit",
    "monthly quota",
    "monthly usage",
    "monthly token",
    "monthly included",
    "monthly spend",
    "每月",
    "本月",
];

/// Returns the limit, if its period is a day or longer. A message that names a minute first is about that.
pub(super) fn long_period(body: &Body) -> Option<LimitKind> {
    let message = &body.message;
    let first = |words: &[&str]| words.iter().filter_map(|word| message.find(word)).min();
    let day = first(DAY).or_else(|| ["rpd", "tpd"].iter().find_map(|word| position_of_word(message, word)));
    let minute = first(MINUTE);
    let is_before_minute = |at: usize| minute.is_none_or(|minute| at < minute);
    if day.is_some_and(is_before_minute) {
        Some(LimitKind::Daily)
    } else if first(MONTH).is_some_and(is_before_minute) {
        Some(LimitKind::Billing)
    } else if first(WEEK).is_some_and(is_before_minute) {
        Some(LimitKind::Unknown)
    } else {
        None
    }
}

/// Returns the kind of a limit whose period is shorter than a day.
pub(super) fn limit_kind(body: &Body) -> LimitKind {
    let code = |words: &[&str]| body.has_code(words);
    let is_code = |word: &str| body.codes.iter().any(|code| code == word);
    let quota = |word: &str| body.quotas.iter().any(|quota| quota.contains(word));
    let words = |words: &[&str]| body.message_contains(words);
    let word = |word: &str| position_of_word(&body.message, word).is_some();
    // A message that names both is about the first.
    let is_before_tokens = |phrase: &str| {
        body.message.find(phrase).is_some_and(|at| body.message.find("token").is_none_or(|token| at < token))
    };
    if words(&["acceleration", "too quickly", "burst rate", "increase rate", "more gradually"])
        || code(&["burst_rate", "burstrate"])
    {
        LimitKind::Growth
    } else if words(&["concurren", "parallel request", "simultaneous", "并发"]) || code(&["concurren"]) {
        LimitKind::Concurrency
    } else if is_code("requests") {
        LimitKind::Requests
    } else if words(&["input token", "prompt token", "inputtoken"]) || quota("inputtoken") {
        LimitKind::InputTokens
    } else if words(&["output token", "generated token", "completion token", "outputtoken"]) || quota("outputtoken") {
        LimitKind::OutputTokens
    } else if code(&["request_limit", "request_quota", "rpm"])
        || words(&["request rate limit", "requests rate limit"])
        || is_before_tokens("requests per")
        || (words(&["(rpm)"]) && !words(&["(tpm)"]))
    {
        LimitKind::Requests
    } else if code(&["token", "tpm"]) || quota("token") || words(&["(tpm)", "token"]) || (word("tpm") && !word("rpm")) {
        LimitKind::Tokens
    } else if quota("request")
        || words(&[
            "(rpm)",
            "requests per",
            "requests_per",
            "max request",
            "byminute",
            "请求过于频繁",
            "频率",
            "请求数",
        ])
        || code(&["request_limited"])
        || is_more_than_the_reason(&body.message)
        || word("rpm")
        || word("qps")
        || word("rps")
    {
        LimitKind::Requests
    } else {
        LimitKind::Unknown
    }
}

/// Returns `true` if a message has "too many requests" in a sentence. Alone it is the reason phrase of the status, which does
/// not show which limit was reached.
fn is_more_than_the_reason(message: &str) -> bool {
    let rest = message.split_once("too many requests").map(|(_, rest)| rest.trim_start_matches(['.', '!', ' ']));
    rest.is_some_and(|rest| !rest.is_empty() && !message.starts_with('<'))
}

/// Returns the position of a word that is no part of a longer one.
fn position_of_word(text: &str, word: &str) -> Option<usize> {
    let is_letter = |letter: Option<char>| letter.is_some_and(|letter| letter.is_ascii_alphanumeric());
    text.match_indices(word)
        .map(|(at, _)| at)
        .find(|at| !is_letter(text[..*at].chars().next_back()) && !is_letter(text[at + word.len()..].chars().next()))
}
