//! `ureq`, in plain functions: with `http_status_as_error(false)` a refusal keeps its headers and its body. The lines of a
//! stream keep the ticket of their call, and settle it with their usage.
//! `cargo run -p ratellmiter-examples --features ureq --bin client_ureq`

#[path = "../ratellmiter-core/tests/support/mod.rs"]
mod support;

use std::{
    error::Error,
    io::{self, BufRead as _, BufReader},
};

use ratellmiter_core::{classify::LlmResponseExt as _, ratellmiter};
use serde_json::{Value, json};
use support::{Answer, Server, vectors};
use ureq::Agent;

type AnyError = Box<dyn Error + Send + Sync>;

#[ratellmiter(model = "gpt-4o")]
fn answer(agent: &Agent, url: &str) -> Result<Value, AnyError> {
    Ok(agent.post(url).send("{}")?.error_for_refusal()?.body_mut().read_json()?)
}

#[ratellmiter(model = "gpt-4o", stream)]
fn stream(agent: &Agent, url: &str) -> Result<impl Iterator<Item = io::Result<String>> + use<>, AnyError> {
    let response = agent.post(url).send("{}")?.error_for_refusal()?;
    Ok(BufReader::new(response.into_body().into_reader()).lines())
}

fn main() -> Result<(), AnyError> {
    let usage = json!({ "choices": [], "usage": { "prompt_tokens": 9, "completion_tokens": 2 } });
    let server = Server::start(vec![vectors::example(), vectors::success(), Answer::events(&[usage])]);
    let agent = Agent::from(Agent::config_builder().http_status_as_error(false).build());
    println!("{}", answer(&agent, &server.url())?["choices"][0]["message"]["content"]);
    for line in stream(&agent, &server.url())? {
        println!("{}", line?);
    }
    println!("{} requests, of which one was refused", server.requests());
    Ok(())
}
