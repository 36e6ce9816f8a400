//! Server-sent events in the whole text of a body.

/// One event.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct TextEvent {
    /// The server named the event `error`.
    pub(crate) is_named_error: bool,
    /// The data, whose lines are joined by line breaks.
    pub(crate) data: String,
}

/// Returns the text without a byte order mark.
pub(crate) fn without_mark(text: &str) -> &str {
    text.trim_start_matches('\u{feff}')
}

/// Returns the lines of a text, which end with LF, CR or both.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split('\r'))
}

/// Returns `true` if the first line of a text, apart from comments, is a field of an event.
pub(crate) fn is_events(text: &str) -> bool {
    let field = lines(without_mark(text)).find(|line| !line.is_empty() && !line.starts_with(':'));
    let name = field.and_then(|line| line.split_once(':')).map(|(name, _)| name);
    name.is_some_and(|name| matches!(name, "data" | "event" | "id" | "retry"))
}

/// Returns the events of a text that have data.
pub(crate) fn events(text: &str) -> impl Iterator<Item = TextEvent> {
    let mut event = TextEvent::default();
    lines(without_mark(text)).chain([""]).filter_map(move |line| {
        if line.is_empty() {
            return Some(std::mem::take(&mut event)).filter(|event| !event.data.is_empty());
        }
        match line.split_once(':') {
            Some(("event", name)) => event.is_named_error = name.trim() == "error",
            Some(("data", data)) => event.data.extend([data.trim_start(), "\n"]),
            _ => {}
        }
        None
    })
}

#[cfg(test)]
mod tests;
