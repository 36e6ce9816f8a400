use super::*;

#[test]
fn events_are_read_in_any_form_of_a_body() {
    for end in ["\n", "\r\n", "\r"] {
        for begin in ["", "\u{feff}", ": waiting", "id: 7", "retry: 3", "\u{feff}: waiting"] {
            let lines = [begin, "event: error", "data: {", "data:}", "", "event: x", "", "data: 1"];
            let text = lines.join(end);
            let found: Vec<_> = events(&text).map(|event| (event.is_named_error, event.data)).collect();
            assert_eq!(found, [(true, "{\n}\n".to_owned()), (false, "1\n".to_owned())], "{text:?}");
            assert!(is_events(&text), "{text:?}");
        }
    }
    for text in ["", "\n", ": comment", "identity", "{\"data\": 1}", "It is:\ndata: 1", "data 1", "\u{feff}"] {
        assert!(!is_events(text), "{text:?}");
    }
}
