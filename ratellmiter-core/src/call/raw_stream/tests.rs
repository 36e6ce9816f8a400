use serde_json::json;

use super::*;

/// Returns the usage in all of `pieces`, and the verdicts on them other than of a success.
fn read<T: AsRef<[u8]>>(pieces: impl IntoIterator<Item = T>, is_text: bool) -> (Option<Usage>, Vec<Verdict>) {
    let (mut events, mut usage, mut verdicts) = (StreamEvents::new(), None, Vec::new());
    for piece in pieces {
        let (classification, found) = events.classify(piece.as_ref(), is_text);
        usage = Usage::of_both(usage, found);
        verdicts.extend(classification.verdict.filter(|verdict| *verdict != Verdict::Success));
    }
    (usage, verdicts)
}

/// The streams of the providers' formats: name, body, usage.
fn streams() -> Vec<(&'static str, String, Usage)> {
    let openai = json!({ "choices": [{ "delta": { "content": "é{\"usage\": {\"prompt_tokens\": 7}}" } }] });
    let usage = json!({ "choices": [], "usage": { "prompt_tokens": 100, "completion_tokens": 22 } });
    let start = json!({ "type": "message_start", "message": { "usage": { "input_tokens": 100, "output_tokens": 1 } } });
    let end = json!({ "type": "message_delta", "delta": {}, "usage": { "output_tokens": 22 } });
    let part = json!({ "model": "m", "message": { "content": "日本" }, "done": false });
    let done = json!({ "done": true, "prompt_eval_count": 100, "eval_count": 22 });
    let gemini =
        json!([{ "candidates": [] }, { "usageMetadata": { "promptTokenCount": 100, "candidatesTokenCount": 22 } }]);
    let all = Usage::new(100, 22);
    vec![
        ("openai", format!("data: {openai}\n\ndata: {usage}\n\ndata: [DONE]\n\n"), all),
        ("openai, CRLF", format!("\u{feff}: hi\r\n\r\ndata:{openai}\r\n\r\ndata:{usage}\r\n\r\n"), all),
        (
            "anthropic",
            format!(
                "event: message_start\ndata: {start}\n\nevent: ping\ndata: {{}}\n\nevent: message_delta\ndata: {end}\n\n"
            ),
            all,
        ),
        ("ollama", format!("{part}\n{done}\n"), all),
        ("gemini", serde_json::to_string_pretty(&gemini).unwrap(), all),
    ]
}

#[test]
fn usage_is_found_wherever_the_body_is_cut() {
    for (name, body, usage) in streams() {
        let bytes = body.as_bytes();
        // A list is the only format that a text of a model may have as well.
        for is_text in [false, true].into_iter().filter(|is_text| !is_text || name != "gemini") {
            assert_eq!(read([bytes], is_text), (Some(usage), vec![]), "{name}");
            assert_eq!(read(bytes.chunks(1), is_text), (Some(usage), vec![]), "{name}, byte by byte");
            for cut in 0..=bytes.len() {
                let (start, rest) = bytes.split_at(cut);
                assert_eq!(read([start, rest], is_text), (Some(usage), vec![]), "{name}, cut at {cut}");
                assert_eq!(read([start, b"", rest], is_text), (Some(usage), vec![]), "{name}, cut at {cut}");
            }
        }
    }
}

#[test]
fn usage_is_found_in_lines_without_ends() {
    for (name, body, usage) in streams().into_iter().filter(|(name, ..)| *name != "gemini") {
        assert_eq!(read(body.lines(), true), (Some(usage), vec![]), "{name}");
    }
}

#[test]
fn errors_are_found_wherever_the_body_is_cut() {
    let overloaded = json!({ "type": "error", "error": { "type": "overloaded_error", "message": "Overloaded" } });
    let throttled = json!({ "code": "Throttling.RateQuota", "message": "Requests rate limit exceeded" });
    for (body, verdict) in [
        (format!("event: error\ndata: {overloaded}\n\n"), Verdict::overloaded()),
        (format!("data: {overloaded}\r\n\r\n"), Verdict::overloaded()),
        (format!("{overloaded}\n"), Verdict::overloaded()),
        (
            format!("event:error\ndata:{throttled}\n\n"),
            Verdict::rate_limited().with_limit(crate::judge::LimitKind::Requests),
        ),
    ] {
        for is_text in [false, true] {
            for cut in 0..=body.len() {
                let (start, rest) = body.as_bytes().split_at(cut);
                let (_, verdicts) = read([start, rest], is_text);
                assert!(
                    !verdicts.is_empty() && verdicts.iter().all(|found| *found == verdict),
                    "{body} {cut}: {verdicts:?}"
                );
            }
            assert!(read(body.as_bytes().chunks(1), is_text).1.contains(&verdict), "{body}");
            assert!(read(body.lines(), is_text).1.contains(&verdict), "{body}");
        }
    }
}

#[test]
fn text_of_a_model_is_neither_usage_nor_error() {
    let answer = r#"{"error": {"code": "rate_limit_exceeded", "message": "Rate limit reached"}}"#;
    for text in [answer, "Here: {\"usage\": {\"prompt_tokens\": 7}}\n", "data is {\"error\": 1}", "event", "id"] {
        for length in [1, 2, 5] {
            let pieces = text.as_bytes().chunks(length);
            assert_eq!(read(pieces, true), (None, vec![]), "{text} in pieces of {length}");
        }
    }
    // The text quotes an event, or has an object in a line.
    let error = format!("data: {answer}\n\n");
    let listed = format!("[1] See {answer}\n");
    for text in [
        format!("A stream looks like this:\n\n{error}"),
        format!("Example:\n{error}"),
        format!("no field\n{error}"),
        listed.clone(),
        format!("{{\"a\": 1}} and {answer}\n"),
        format!("{answer} is an error\n"),
        format!("{{\"a\": \"cut\n[x] {answer}\n"),
    ] {
        for length in [1, 7, 1000] {
            let pieces = text.as_bytes().chunks(length);
            assert_eq!(read(pieces, true), (None, vec![]), "{text} in pieces of {length}");
        }
    }
    assert_eq!(read([listed], false).1.len(), 1, "bytes are a body");
    let usage = r#"{"usage": {"prompt_tokens": 7, "completion_tokens": 1}}"#;
    for length in 1..usage.len() {
        assert_eq!(read(usage.as_bytes().chunks(length), true), (None, vec![]), "in pieces of {length}");
    }
    let words = ["{", r#""error""#, ":", r#"{"code": "rate_limit_exceeded"}"#, "}"];
    assert_eq!(read(words, true), (None, vec![]), "no word is cut");
    assert_eq!(read([answer], true).1.len(), 1, "an item that is a whole object is an event");
    let quoted = json!({ "choices": [{ "delta": { "content": answer } }] });
    assert_eq!(read([format!("data: {quoted}\n\n")], false), (None, vec![]));
}

#[test]
fn whole_objects_are_read_after_text() {
    let usage = r#"{"usage": {"prompt_tokens": 9, "completion_tokens": 2}}"#;
    assert_eq!(read(["Hel", "lo", usage], true).0, Some(Usage::new(9, 2)));
}

#[test]
fn pieces_are_withheld_until_the_first_event_within_a_bound() {
    let is_withheld = |pieces: &[&str], is_text| {
        let mut events = StreamEvents::new();
        pieces.iter().map(|piece| events.classify(piece.as_bytes(), is_text).0.is_before_response).collect::<Vec<_>>()
    };
    assert_eq!(is_withheld(&["da", "ta: {\"a\"", ": 1}\n", "\ndata: {"], false), [true, true, false, false]);
    assert_eq!(is_withheld(&["event: error", "data: {}", ""], true), [true, false, false]);
    assert_eq!(is_withheld(&[": waiting\n\n", "data: {"], false), [false, true]);
    assert_eq!(is_withheld(&["Hel", "lo"], true), [false, false]);
    assert_eq!(is_withheld(&["{\"answer\": ", "\"4", "2\"}"], true), [false, false, false]);
    let long = "x".repeat(MAX_BYTES_BEFORE_EVENT);
    assert_eq!(is_withheld(&["data: {\"a\": \"", &long], false), [true, false]);
}

#[test]
fn default_reader_reads_lines_without_ends() {
    let mut events = StreamEvents::default();
    let items = ["event: x", r#"data: {"usage": {"prompt_tokens": 9, "completion_tokens": 2}}"#];
    let found: Vec<_> = items.iter().filter_map(|line| events.read(line).usage).collect();
    assert_eq!(found, [Usage::new(9, 2)]);
}

#[test]
fn error_event_without_json_is_judged_by_its_text() {
    let hint = Verdict::rate_limited().with_retry_after(std::time::Duration::from_secs(3));
    for (body, verdict) in [
        ("event: error\ndata: 429 Too Many Requests\n\n", Verdict::rate_limited()),
        ("event: error\ndata: 429 Too Many Requests,\ndata: please try again in 3s\n\n", hint),
        ("event: error\ndata: \"503 Service Unavailable\"\n\n", Verdict::overloaded()),
        ("event:error\r\ndata:something broke\r\n\r\n", Verdict::Failed),
    ] {
        for is_text in [false, true] {
            for cut in 0..=body.len() {
                let (start, rest) = body.as_bytes().split_at(cut);
                assert_eq!(read([start, rest], is_text), (None, vec![verdict]), "{body} cut at {cut}");
            }
            assert_eq!(read(body.lines(), is_text), (None, vec![verdict]), "{body}");
        }
    }
    for body in ["data: 429 Too Many Requests\n\n", "event: error\n\ndata: 429 Too Many Requests\n\n"] {
        assert_eq!(read([body], false), (None, vec![]), "{body}");
    }
    let mut events = StreamEvents::new();
    let pieces = ["event: error\n", "data: 429 Too", " Many Requests\n", "\n"];
    let withheld = pieces.map(|piece| events.classify(piece.as_bytes(), false).0.is_before_response);
    assert_eq!(withheld, [true, true, true, false]);
}

#[test]
fn last_event_of_anthropic_is_neutral() {
    let mut events = StreamEvents::new();
    let usage = "event: message_delta\ndata: {\"type\": \"message_delta\", \"usage\": {\"output_tokens\": 22}}\n\n";
    let items = [usage, "event: message_stop\ndata: {\"type\": \"message_stop\"}\n\n", "data: {\"type\": \"x\"}\n\n"];
    assert_eq!(items.map(|item| events.read(item).is_neutral), [false, true, false]);
}
