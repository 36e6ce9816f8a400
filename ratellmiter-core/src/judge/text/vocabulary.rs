//! The classes of words around a status. Words are in lower case.

use crate::providers::provider::Provider;

/// Returns `true` for a name of a status: `status`, `HTTP`, and `statut`, `estado`, `статус`, `状态`.
pub(super) fn is_status(word: &str) -> bool {
    word == "http"
        || ["status", "statut", "状态", "狀態", "ステータス"].iter().any(|name| word.contains(name))
        || matches!(word, "estado" | "stato" | "статус" | "상태")
}

/// Returns `true` for a name of a code.
pub(super) fn is_code(word: &str) -> bool {
    matches!(word, "code" | "kode" | "código" | "codigo" | "codice" | "код" | "кода" | "코드")
        || ["码", "碼", "コード"].iter().any(|name| word.ends_with(name))
}

/// Returns `true` for a name of an error or of a response.
pub(super) fn is_error(word: &str) -> bool {
    ["error", "exception", "failure", "fehler", "erreur"].iter().any(|name| word.ends_with(name))
        || matches!(
            word,
            "err" | "errored" | "response" | "errore" | "erro" | "fout" | "błąd" | "ошибка" | "ошибки" | "오류"
        )
        || ["错误", "錯誤", "异常", "エラー", "响应", "響應", "応答"].iter().any(|name| word.ends_with(name))
}

/// Returns `true` for a verb that reports an answer: "returned", "failed", "got".
pub(super) fn is_report(word: &str) -> bool {
    [
        "return",
        "respond",
        "answered",
        "answers",
        "repli",
        "fail",
        "reject",
        "refus",
        "receiv",
        "répond",
        "respond",
        "antwortet",
        "вернул",
    ]
    .iter()
    .any(|stem| word.starts_with(stem))
        || ["返回", "失败", "失敗", "실패"].iter().any(|verb| word.ends_with(verb))
        || matches!(
            word,
            "got"
                | "gave"
                | "reports"
                | "reported"
                | "sent"
                | "hit"
                | "threw"
                | "throttled"
                | "encountered"
                | "back"
                | "because"
        )
}

/// Returns `true` for words between a name or a verb and its number: "status is 429", "failed with a 429".
pub(super) fn is_between(word: &str) -> bool {
    matches!(
        word,
        "a" | "an"
            | "the"
            | "with"
            | "by"
            | "is"
            | "was"
            | "of"
            | "some"
            | "unexpected"
            | "bad"
            | "due"
            | "to"
            | "con"
            | "mit"
            | "avec"
            | "com"
    )
}

/// Returns `true` for words that show that the status behind them is spoken of, not received: "the page said", "about",
/// "expected".
pub(super) fn is_mention(word: &str) -> bool {
    is_speech(word)
        || matches!(
            word,
            "about"
                | "not"
                | "no"
                | "than"
                | "like"
                | "on"
                | "of"
                | "for"
                | "if"
                | "in"
                | "when"
                | "unless"
                | "without"
        )
        || matches!(word, "never" | "would" | "should" | "could" | "may" | "might" | "must" | "named" | "called")
}

/// Returns `true` for words whose object is another text: "said", "mentions", "page".
pub(super) fn is_speech(word: &str) -> bool {
    ["mention", "expect", "contain", "describ", "quot", "titl", "explain", "summar", "translat", "discuss"]
        .iter()
        .any(|stem| word.starts_with(stem))
        || is_saying(word)
        || matches!(word, "wrote" | "writes" | "asked" | "asks" | "reads" | "shows")
        || matches!(word, "page" | "prompt" | "question" | "word" | "words")
}

/// Returns `true` for a verb of speech, which reports an answer if its subject is a server.
pub(super) fn is_saying(word: &str) -> bool {
    matches!(word, "say" | "says" | "said" | "saying")
}

/// Returns `true` for a program or a format whose errors and codes are no statuses: "sqlite error code 503", "exit status".
pub(super) fn is_other_program(word: &str) -> bool {
    ["exit", "sql", "database", "pars", "syntax", "compil"].iter().any(|stem| word.contains(stem))
        || matches!(word, "os" | "db" | "signal" | "redis" | "oracle" | "smtp")
}

/// Returns `true` for a server that sends a status.
pub(super) fn is_server(word: &str) -> bool {
    matches!(
        word,
        "server" | "api" | "upstream" | "provider" | "endpoint" | "model" | "llm" | "proxy" | "gateway" | "backend"
    )
}

/// Returns `true` for a word that can follow a status in a report: "429 from https://…", "429 while streaming".
pub(super) fn follows_report(word: &str) -> bool {
    matches!(
        word,
        "from"
            | "for"
            | "while"
            | "when"
            | "after"
            | "on"
            | "at"
            | "during"
            | "via"
            | "because"
            | "response"
            | "status"
            | "calling"
    )
}

/// Returns `true` for "with" in some languages.
pub(super) fn is_with(word: &str) -> bool {
    matches!(word, "with" | "avec" | "con" | "com" | "mit")
}

/// Returns `true` for an event of a limit: "rate limit exceeded".
pub(super) fn is_event_of_a_limit(word: &str) -> bool {
    matches!(word, "exceeded" | "reached" | "hit" | "triggered" | "encountered")
}

/// Returns `true` for the name of a task that an application gives to a model: "translate", "summarising".
pub(super) fn is_task(word: &str) -> bool {
    ["describ", "explain", "summar", "translat", "discuss"].iter().any(|stem| word.starts_with(stem)) || word == "page"
}

/// Returns `true` for a provider of the catalog.
pub(super) fn is_provider(word: &str) -> bool {
    word.parse::<Provider>().is_ok()
}

/// Returns `true` for the name of a value whose content is a text of its own: `BadAnswer("429 Too Many Requests")`.
pub(super) fn is_content(word: &str) -> bool {
    is_speech(word) || matches!(word, "answer" | "text" | "value" | "input" | "output" | "argument" | "json" | "title")
}

/// Returns `true` for a program that runs beside the application, whose code is no status wherever its clause names it.
pub(super) fn is_subprocess(word: &str) -> bool {
    matches!(word, "command" | "subprocess" | "script")
}

/// Returns `true` for a verb of a program that reads the answer of a model or the message of a user: "parse", "classify".
pub(super) fn is_reading(word: &str) -> bool {
    ["pars", "classif", "decod", "deserial", "validat", "extract", "interpret"]
        .iter()
        .any(|stem| word.starts_with(stem))
        || word == "route"
}

/// Returns `true` for a text that a model or a user has written.
pub(super) fn is_written(word: &str) -> bool {
    matches!(word, "answer" | "output" | "completion" | "message" | "prompt" | "reply" | "quote" | "document")
}

/// Returns `true` for a verb of a program that keeps records of its calls: "save", "export".
pub(super) fn is_recording(word: &str) -> bool {
    matches!(word, "save" | "log" | "record" | "cache" | "export" | "persist" | "store")
}

/// Returns `true` for a verb behind the name of a value that an application checks: "must be", "is not".
pub(super) fn is_predicate(word: &str) -> bool {
    matches!(word, "is" | "are" | "must" | "should" | "has" | "cannot" | "can" | "was")
}

/// Returns `true` for words behind "from" that are no source of a status: "from the dice".
pub(super) fn is_other_source(words: &[&str]) -> bool {
    matches!(words, ["from", "a" | "an" | "the", source, ..] if !is_server(source))
}

/// Returns `true` for a word that carries no meaning in a name: "the service is currently unavailable".
pub(super) fn is_filler(word: &str) -> bool {
    matches!(
        word,
        "a" | "an"
            | "the"
            | "le"
            | "el"
            | "dem"
            | "some"
            | "your"
            | "is"
            | "are"
            | "was"
            | "were"
            | "be"
            | "has"
            | "have"
            | "been"
            | "currently"
            | "temporarily"
    )
}

/// Returns `true` for a key of an error whose value is its message, or an error in it.
pub(super) fn is_message_key(word: &str) -> bool {
    matches!(
        word,
        "message"
            | "msg"
            | "body"
            | "source"
            | "cause"
            | "detail"
            | "details"
            | "description"
            | "inner"
            | "reason"
            | "by"
    )
}
