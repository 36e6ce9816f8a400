//! One server: a connection that mends itself, the script, and whether it can be reached.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use redis::{
    Client, RedisError, RedisResult, Script,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use serde::{Deserialize, Serialize};

use super::settings::Shared;
use crate::lease::{Answer, Conflict, Report};

/// One that does not answer for so long is out of reach.
const PATIENCE: Duration = Duration::from_secs(1);
/// The key that a limiter is kept under. The braces keep it on one node of a cluster.
const PREFIX: &str = "ratellmiter";

pub(crate) struct Link {
    client: Client,
    line: Mutex<Line>,
    script: Script,
    namespace: String,
    is_lost: AtomicBool,
}

/// Mends itself where it sees that it is broken, but hangs where nothing says so: then there is a new one.
#[derive(Clone)]
struct Line {
    manager: ConnectionManager,
    number: u64,
}

/// What one process says.
#[derive(Debug, Serialize)]
pub(crate) struct Message<'a> {
    /// Among all processes, and for people.
    pub(crate) id: &'a str,
    pub(crate) name: &'a str,
    /// Told again, the same step has the same answer.
    pub(crate) step: u64,
    #[serde(skip_serializing_if = "is_plain")]
    pub(crate) intent: Intent,
    #[serde(flatten)]
    pub(crate) report: Report,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Intent {
    /// It wants its part.
    Shares,
    /// It would only know whether it could have one.
    Looks,
    /// It will not come again.
    Leaves,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
fn is_plain(intent: &Intent) -> bool {
    *intent == Intent::Shares
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Reply {
    Conflict { conflict: Conflict },
    Welcome { welcome: bool },
    Answer(Box<Answer>),
}

impl Link {
    pub(crate) fn new(shared: &Shared) -> Result<Self, RedisError> {
        if shared.is_encrypted() {
            // Where nobody has chosen what encrypts, and there may be several to choose from.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let client = Client::open(shared.connection()?)?;
        Ok(Self {
            line: Mutex::new(Line { manager: connect(&client)?, number: 0 }),
            client,
            script: Script::new(include_str!("step.lua")),
            // No name of a limiter makes it another namespace.
            namespace: shared.namespace.replace('%', "%25").replace(':', "%3A"),
            is_lost: AtomicBool::new(false),
        })
    }

    /// Tells the server something. If no answer comes it is told the same once more, which counts once.
    ///
    /// # Errors
    /// Why there is no answer, in words that show no address and no password.
    pub(crate) async fn tell(&self, limiter: &str, message: &Message<'_>) -> Result<Reply, Unanswered> {
        let text = serde_json::to_string(message).expect("names and finite numbers");
        let key = format!("{{{PREFIX}:{}:{limiter}}}", self.namespace);
        let reply = match self.once(&key, &text).await {
            Err(error) if !is_refusal(&error) => self.once(&key, &text).await,
            reply => reply,
        };
        let reply = reply.map_err(|error| {
            let words = in_words(&error);
            if is_refusal(&error) { Unanswered::Refused(words) } else { Unanswered::Lost(words) }
        })?;
        // The error's text would show what stands there.
        serde_json::from_str(&reply).map_err(|_| Unanswered::Refused("nothing that is an answer".to_owned()))
    }

    async fn once(&self, key: &str, text: &str) -> RedisResult<String> {
        let Line { mut manager, number } = self.line.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let answer = self.script.prepare_invoke().key(key).arg(text).invoke_async(&mut manager).await;
        if answer.as_ref().is_err_and(|error| !is_refusal(error)) {
            let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
            // Of all who see it fail one makes the new one.
            if line.number == number
                && let Ok(manager) = connect(&self.client)
            {
                *line = Line { manager, number: number + 1 };
            }
        }
        answer
    }

    /// The server does not answer. `true`: that is new.
    pub(crate) fn is_lost_now(&self) -> bool {
        !self.is_lost.swap(true, Ordering::Relaxed)
    }

    /// The server answers. `true`: that is new.
    pub(crate) fn is_back_now(&self) -> bool {
        self.is_lost.swap(false, Ordering::Relaxed)
    }
}

/// Why there is no answer, in words that show no address and no password.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// The server is out of reach.
    Lost(String),
    /// It is there and says no.
    Refused(String),
}

/// For when it is first used. Each word to the server has its own patience.
fn connect(client: &Client) -> RedisResult<ConnectionManager> {
    let config = ConnectionManagerConfig::new()
        .set_number_of_retries(0)
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE));
    ConnectionManager::new_lazy_with_config(client.clone(), config)
}

/// The server is there; the same again would fail again.
fn is_refusal(error: &RedisError) -> bool {
    error.code().is_some()
}

/// What the server says, or the system, in one line.
fn in_words(error: &RedisError) -> String {
    let text = match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        (Some(code), None) => code.to_owned(),
        _ if error.is_timeout() => format!("no answer within {} s", PATIENCE.as_secs()),
        _ if error.is_connection_refusal() => "connection refused".to_owned(),
        // Of a connection: there is no URL in it.
        (None, _) => std::error::Error::source(error).map_or_else(|| error.category().to_owned(), ToString::to_string),
    };
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
