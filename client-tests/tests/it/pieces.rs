//! Servers that send the body of a stream in pieces, each in a packet of its own, and the bodies.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    thread,
    time::Duration,
};

use serde_json::json;

/// Returns the address of a server that answers each request with `status` and the `pieces` of the next body, and repeats the last
/// body.
pub(crate) fn serve(bodies: Vec<Vec<Vec<u8>>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for (number, stream) in listener.incoming().take(100).enumerate() {
            let pieces = bodies[number.min(bodies.len() - 1)].clone();
            let _ = answer(&stream.unwrap(), &pieces);
        }
    });
    format!("http://{address}/v1")
}

fn answer(mut stream: &TcpStream, pieces: &[Vec<u8>]) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut lines = BufReader::new(stream).lines();
    while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";
    stream.write_all(head.as_bytes())?;
    for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
        stream.write_all(format!("{:x}\r\n", piece.len()).as_bytes())?;
        stream.write_all(&[piece, &b"\r\n"[..]].concat())?;
        thread::sleep(Duration::from_millis(1));
    }
    stream.write_all(b"0\r\n\r\n")
}

/// Returns a body cut at each of the places.
pub(crate) fn cut(body: &str, places: &[usize]) -> Vec<Vec<u8>> {
    let (mut pieces, mut rest) = (Vec::new(), body.as_bytes());
    for place in places {
        let (piece, left) = rest.split_at(*place);
        pieces.push(piece.to_vec());
        rest = left;
    }
    pieces.push(rest.to_vec());
    pieces
}

/// Returns a body cut into single bytes.
pub(crate) fn bytes(body: &str) -> Vec<Vec<u8>> {
    body.bytes().map(|byte| vec![byte]).collect()
}

/// Returns the stream of `OpenAI`'s chat completions, with 100 input tokens and 22 output tokens.
pub(crate) fn openai() -> String {
    let word = json!({ "choices": [{ "delta": { "content": "日本" } }] });
    let usage = json!({ "choices": [], "usage": { "prompt_tokens": 100, "completion_tokens": 22 } });
    format!(": hi\r\n\r\ndata: {word}\r\n\r\ndata: {usage}\r\n\r\ndata: [DONE]\r\n\r\n")
}

/// Returns the stream of Anthropic's messages, with the same usage.
pub(crate) fn anthropic() -> String {
    let start = json!({ "type": "message_start", "message": { "usage": { "input_tokens": 100, "output_tokens": 1 } } });
    let end = json!({ "type": "message_delta", "delta": {}, "usage": { "output_tokens": 22 } });
    format!(
        "event: message_start\ndata: {start}\n\nevent: message_delta\ndata: {end}\n\nevent: message_stop\ndata: {{\"type\":\"message_stop\"}}\n\n"
    )
}

/// Returns the lines of Ollama, with the same usage.
pub(crate) fn ollama() -> String {
    let word = json!({ "message": { "content": "日本" }, "done": false });
    let done = json!({ "message": { "content": "" }, "done": true, "prompt_eval_count": 100, "eval_count": 22 });
    format!("{word}\n{done}\n")
}

/// Returns a stream that is refused in its first event, with a hint of some milliseconds.
pub(crate) fn refused() -> String {
    let error = json!({ "error": { "code": "rate_limit_exceeded", "message": "Rate limit reached. Please try again in 30ms." } });
    format!("event: error\ndata: {error}\n\n")
}
