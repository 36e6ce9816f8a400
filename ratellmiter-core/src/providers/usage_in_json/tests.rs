use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// Input tokens, cached input tokens, and output tokens.
const fn usage(input: u64, cached: u64, output: u64) -> Usage {
    Usage { input, cached, output }
}

/// Checks each body as JSON, as compact text and as indented text.
fn check<const N: usize>(bodies: [(&str, Value, Usage); N]) {
    for (name, body, expected) in bodies {
        assert_eq!(Usage::from_json(&body), Some(expected), "{name}");
        assert_eq!(Usage::from_text(&body.to_string()), Some(expected), "{name}, compact");
        assert_eq!(Usage::from_text(&format!("\u{feff}{body:#}\r\n")), Some(expected), "{name}, indented");
    }
}

#[test]
fn usage_of_openai_and_its_copies_is_read() {
    check([
        (
            "OpenAI chat",
            json!({
                "id": "chatcmpl-9", "object": "chat.completion", "model": "gpt-4o",
                "choices": [{"index": 0, "message": {"role": "assistant", "content": "Forty-two."}, "finish_reason": "stop"}],
                "usage": {
                    "prompt_tokens": 2006, "completion_tokens": 300, "total_tokens": 2306,
                    "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 0},
                    "completion_tokens_details": {"reasoning_tokens": 192},
                },
            }),
            usage(2006, 1920, 300),
        ),
        (
            "OpenAI embeddings",
            json!({"object": "list", "data": [], "usage": {"prompt_tokens": 8, "total_tokens": 8}}),
            usage(8, 0, 0),
        ),
        (
            "OpenAI responses",
            json!({
                "id": "resp_1", "object": "response", "status": "completed", "metadata": {},
                "usage": {
                    "input_tokens": 328, "input_tokens_details": {"cached_tokens": 256}, "output_tokens": 52,
                    "output_tokens_details": {"reasoning_tokens": 20}, "total_tokens": 380,
                },
            }),
            usage(328, 256, 52),
        ),
        (
            "DeepSeek",
            json!({"usage": {
                "prompt_tokens": 700, "prompt_cache_hit_tokens": 640, "prompt_cache_miss_tokens": 60,
                "completion_tokens": 90, "total_tokens": 790,
            }}),
            usage(700, 640, 90),
        ),
        (
            "Together",
            json!({"usage": {"prompt_tokens": 70, "completion_tokens": 9, "total_tokens": 79, "cached_tokens": 64}}),
            usage(70, 64, 9),
        ),
        (
            "xAI, with separate reasoning",
            json!({"usage": {
                "prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 135,
                "completion_tokens_details": {"reasoning_tokens": 94},
            }}),
            usage(32, 0, 103),
        ),
    ]);
}

#[test]
fn usage_of_other_providers_is_read() {
    check([
        (
            "Anthropic",
            json!({
                "id": "msg_1", "type": "message", "role": "assistant", "content": [{"type": "text", "text": "Hi"}],
                "usage": {
                    "input_tokens": 50, "cache_creation_input_tokens": 248, "cache_read_input_tokens": 1800,
                    "output_tokens": 503, "service_tier": "standard",
                },
            }),
            usage(2098, 1800, 503),
        ),
        (
            "Anthropic without a cache",
            json!({"usage": {"input_tokens": 12, "cache_read_input_tokens": null, "output_tokens": 6}}),
            usage(12, 0, 6),
        ),
        (
            "Gemini",
            json!({
                "candidates": [{"content": {"parts": [{"text": "Hello"}], "role": "model"}}],
                "usageMetadata": {
                    "promptTokenCount": 900, "cachedContentTokenCount": 512, "candidatesTokenCount": 40,
                    "thoughtsTokenCount": 260, "totalTokenCount": 1200,
                },
            }),
            usage(900, 512, 300),
        ),
        (
            "Bedrock",
            json!({
                "output": {"message": {"role": "assistant", "content": [{"text": "Hello"}]}}, "stopReason": "end_turn",
                "usage": {
                    "inputTokens": 30, "outputTokens": 628, "totalTokens": 2758, "cacheReadInputTokens": 2000,
                    "cacheWriteInputTokens": 100,
                },
            }),
            usage(2130, 2000, 628),
        ),
        (
            "Bedrock, the last chunk of a model's own format",
            json!({
                "generation": "", "prompt_token_count": null, "stop_reason": "stop",
                "amazon-bedrock-invocationMetrics": {
                    "inputTokenCount": 30, "outputTokenCount": 628, "cacheReadInputTokenCount": 2000,
                    "cacheWriteInputTokenCount": 100, "invocationLatency": 1200, "firstByteLatency": 300,
                },
            }),
            usage(2130, 2000, 628),
        ),
        (
            "Cohere",
            json!({"id": "c1", "usage": {
                "billed_units": {"input_tokens": 5, "output_tokens": 418},
                "tokens": {"input_tokens": 71, "output_tokens": 418},
            }}),
            usage(71, 0, 418),
        ),
        (
            "Cohere, billed only",
            json!({"usage": {"billed_units": {"input_tokens": 5, "output_tokens": 4}}}),
            usage(5, 0, 4),
        ),
        (
            "Cohere's embeddings",
            json!({"embeddings": {}, "meta": {"billed_units": {"input_tokens": 9}}}),
            usage(9, 0, 0),
        ),
        (
            "Ollama",
            json!({
                "model": "llama3.2", "message": {"role": "assistant", "content": "Hello"}, "done": true,
                "prompt_eval_count": 26, "eval_count": 298, "eval_duration": 4_799_921_000_u64,
            }),
            usage(26, 0, 298),
        ),
    ]);
}

#[test]
fn usage_of_stream_parts_is_merged() {
    for (name, text, expected) in [
        (
            "OpenAI chat",
            r#"data: {"object":"chat.completion.chunk","choices":[{"delta":{"content":"Forty"}}],"usage":null}

data: {"object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29}}

data: [DONE]
"#,
            usage(19, 0, 10),
        ),
        (
            "OpenAI responses",
            r#"event: response.created
data: {"type":"response.created","response":{"id":"resp_1","status":"in_progress","usage":null}}

event: response.output_text.delta
data: {"type":"response.output_text.delta","delta":"usage: 7"}

event: response.completed
data: {"type":"response.completed","response":{"usage":{"input_tokens":37,"input_tokens_details":{"cached_tokens":5},"output_tokens":11}}}
"#,
            usage(37, 5, 11),
        ),
        (
            "Groq",
            r#"data: {"choices":[{"delta":{}}],"x_groq":{"id":"req_1","usage":{"prompt_tokens":24,"completion_tokens":7}}}"#,
            usage(24, 0, 7),
        ),
        (
            "Anthropic",
            r#"event: message_start
data: {"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":25,"cache_read_input_tokens":1000,"output_tokens":1}}}

event: ping
data: {"type":"ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":15}}

event: message_stop
data: {"type":"message_stop"}
"#,
            usage(1025, 1000, 15),
        ),
        (
            "Gemini, as events",
            "data: {\"candidates\":[],\"usageMetadata\":{\"promptTokenCount\":8,\"thoughtsTokenCount\":30}}\r\n\r\n\
             data: {\"usageMetadata\":{\"promptTokenCount\":8,\"thoughtsTokenCount\":30,\"candidatesTokenCount\":12}}\r\n\r\n",
            usage(8, 0, 42),
        ),
        (
            "Gemini, as a list",
            r#"[{"usageMetadata": {"promptTokenCount": 8, "candidatesTokenCount": 2}},
{"usageMetadata": {"promptTokenCount": 8, "candidatesTokenCount": 12}},
{"candidates": []}]"#,
            usage(8, 0, 12),
        ),
        (
            "Bedrock, as lines",
            r#"{"messageStart":{"role":"assistant"}}
{"contentBlockDelta":{"delta":{"text":"Hello"},"contentBlockIndex":0}}
{"metadata":{"usage":{"inputTokens":10,"cacheReadInputTokens":90,"outputTokens":20,"totalTokens":120},"metrics":{"latencyMs":1}}}
"#,
            usage(100, 90, 20),
        ),
        (
            "Cohere",
            r#"data: {"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":{"tokens":{"input_tokens":17,"output_tokens":5}}}}"#,
            usage(17, 0, 5),
        ),
        (
            "Cohere, the first version of the API",
            r#"{"is_finished":false,"event_type":"text-generation","text":"Hi"}
{"is_finished":true,"event_type":"stream-end","response":{"text":"Hi","meta":{"billed_units":{"input_tokens":5,"output_tokens":3},"tokens":{"input_tokens":71,"output_tokens":3}}},"finish_reason":"COMPLETE"}
"#,
            usage(71, 0, 3),
        ),
        (
            "Ollama, as lines",
            r#"{"model":"llama3.2","message":{"role":"assistant","content":"Hi"},"done":false}
{"model":"llama3.2","message":{"role":"assistant","content":""},"done":true,"prompt_eval_count":11,"eval_count":18}
"#,
            usage(11, 0, 18),
        ),
        (
            "a broken line",
            "data: {\"usage\n\ndata:{\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}",
            usage(3, 0, 4),
        ),
    ] {
        assert_eq!(Usage::from_text(text), Some(expected), "{name}");
    }
}

#[test]
fn usage_in_a_choice_or_beside_the_output_is_read() {
    for (name, text, expected) in [
        (
            "Moonshot",
            r#"data: {"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}

data: {"object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"stop","usage":{"prompt_tokens":19,"completion_tokens":13,"total_tokens":32,"cached_tokens":16}}]}

data: [DONE]
"#,
            usage(19, 16, 13),
        ),
        (
            "usage in a choice and at the top",
            r#"data: {"choices":[{"delta":{},"usage":{"prompt_tokens":4,"completion_tokens":2}}],"usage":null}

data: {"choices":[],"usage":{"prompt_tokens":4,"completion_tokens":3,"total_tokens":7}}
"#,
            usage(4, 0, 3),
        ),
        (
            "DashScope's own API",
            r#"id:1
event:result
data:{"output":{"text":"Hi"},"usage":{"total_tokens":9,"input_tokens":8,"output_tokens":1},"request_id":"x"}

id:2
event:result
data:{"output":{"text":"Hi there"},"usage":{"total_tokens":13,"input_tokens":8,"output_tokens":5},"request_id":"x"}
"#,
            usage(8, 0, 5),
        ),
    ] {
        assert_eq!(Usage::from_text(text), Some(expected), "{name}");
    }
}

/// The texts begin, end their lines, and split their data in all the ways that a body may.
#[test]
fn usage_in_text_is_found_in_any_form_of_a_body() {
    let start = r#"{"type": "message_start", "message": {"usage": {"input_tokens": 25, "output_tokens": 1}}}"#;
    let (delta, end) = (r#"{"type": "message_delta","#, r#""usage": {"output_tokens": 15}}"#);
    let lines = ["", "event: x", &format!("data: {start}"), "", &format!("data: {delta}"), &format!("data: {end}"), ""];
    for end in ["\n", "\r\n", "\r"] {
        for begin in ["", "\u{feff}", ": waiting", "id: 7", "retry: 3", "\u{feff}: waiting"] {
            let text = format!("{begin}{}", lines.join(end));
            assert_eq!(text.usage(), Some(usage(25, 0, 15)), "{text:?}");
            assert_eq!(text.as_bytes().to_vec().usage(), Some(usage(25, 0, 15)), "{text:?}");
        }
    }
    let indented: Value = serde_json::from_str(start).unwrap();
    let values = format!("{indented:#}\n{delta}{end}");
    assert_eq!(values.usage(), Some(usage(25, 0, 15)), "one value after another");
    let list = format!("[{start}, {delta}{end}]");
    assert_eq!(list.usage(), Some(usage(25, 0, 15)), "a list");
    let invalid = [
        b"{\"text\": \"\xff\", \"usage\": {\"prompt_tokens\": 3}}".as_slice(),
        b"data: \xe6\ndata: {\"usage\": {\"prompt_tokens\": 3}}\n",
    ];
    for body in invalid {
        assert_eq!(body.usage(), Some(usage(3, 0, 0)), "{body:?}");
    }
    for text in
        ["It is:\ndata: {\"usage\": {\"prompt_tokens\": 3}}\n\n", ": x", "identity", "\u{feff}", "data {\"usage\": 3}"]
    {
        assert_eq!(text.usage(), None, "{text}");
    }
}

#[test]
fn counts_elsewhere_are_ignored() {
    let counts = json!({"prompt_tokens": 7, "input_tokens": 7, "completion_tokens": 7, "output_tokens": 7});
    for body in [
        json!(null),
        json!("usage"),
        json!([]),
        json!([[{"usage": counts}]]),
        json!({"usage": null}),
        json!({"usage": {}}),
        json!({"usage": [7, 8]}),
        json!({"usage": 7}),
        json!({"usage": {"type": "duration", "seconds": 9}}),
        json!({"usage": {"total_tokens": 9}}),
        json!({"usage": {"prompt_tokens": "7", "completion_tokens": true}}),
        json!({"usage": {"prompt_tokens": -7}}),
        json!({"error": {"message": "usage: 7 tokens", "usage": counts}}),
        json!({"choices": [{"message": {"content": counts.to_string(), "usage": counts}}], "usage": null}),
        json!({"content": [{"type": "tool_use", "input": {"usage": counts}}]}),
        json!({"metadata": {"usage": counts}, "meta": counts, "delta": {"usage": counts}}),
    ] {
        assert_eq!(Usage::from_json(&body), None, "{body}");
    }
    for text in ["", "usage", "data:", "data: [DONE]", "{\"usage\": {\"prompt_tokens\": 7"] {
        assert_eq!(Usage::from_text(text), None, "{text}");
    }
}

#[test]
fn unusual_numbers_are_clamped_or_rounded() {
    for (counts, expected) in [
        (r#"{"prompt_tokens": 7.2, "completion_tokens": 3.0}"#, usage(8, 0, 3)),
        (r#"{"prompt_tokens": -7, "completion_tokens": 3}"#, usage(0, 0, 3)),
        (r#"{"prompt_tokens": 5, "cached_tokens": 9, "completion_tokens": 3}"#, usage(5, 5, 3)),
        (r#"{"prompt_tokens": 1e300, "completion_tokens": 99999999999999999999}"#, usage(u64::MAX, 0, u64::MAX)),
        (
            r#"{"input_tokens": 18446744073709551615, "cache_read_input_tokens": 18446744073709551615}"#,
            usage(u64::MAX, u64::MAX, 0),
        ),
    ] {
        assert_eq!(Usage::from_text(&format!("{{\"usage\": {counts}}}")), Some(expected), "{counts}");
    }
}

fn counts() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,5}".prop_map(Value::from),
        Just(Value::Null),
    ]
}

/// The keys that are looked for.
fn keys() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "usage",
        "usageMetadata",
        "response",
        "message",
        "metadata",
        "meta",
        "delta",
        "x_groq",
        "tokens",
        "billed_units",
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
        "cached_tokens",
        "input_tokens",
        "output_tokens",
        "input_tokens_details",
        "prompt_tokens_details",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
        "inputTokens",
        "outputTokens",
        "cacheReadInputTokens",
        "promptTokenCount",
        "candidatesTokenCount",
        "thoughtsTokenCount",
        "prompt_eval_count",
        "eval_count",
    ])
    .prop_map(str::to_owned)
}

fn bodies() -> impl Strategy<Value = Value> {
    counts().prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            3 => prop::collection::btree_map(keys(), inner.clone(), 0..8)
                .prop_map(|fields| fields.into_iter().collect::<Value>()),
            1 => prop::collection::vec(inner, 0..4).prop_map(Value::from),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_is_read_without_panic(body in bodies()) {
        let found = Usage::from_json(&body);
        prop_assert!(found.is_none_or(|usage| usage.cached <= usage.input));
        // Formatting a number may change its last digit, so only texts are compared.
        let text = body.to_string();
        prop_assert_eq!(Usage::from_text(&text), Usage::from_text(&format!("data: {text}\n\n")));
    }

    #[test]
    fn any_text_is_read_without_panic(text in "(data: ?|[{}\\[\\]\":,]|usage|prompt_tokens|-?[0-9.e]{1,30}|\\PC|\n){0,60}") {
        prop_assert!(Usage::from_text(&text).is_none_or(|usage| usage.cached <= usage.input));
    }
}
