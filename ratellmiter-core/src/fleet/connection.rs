//! Connections to one server or to the nodes of one cluster, the script that runs there, and the limiters that have lost it.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ErrorKind, RedisError, RedisResult, Script,
    aio::MultiplexedConnection,
};
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use super::{FleetError, script, settings::FleetConfig};
use crate::engine::lease::{Conflict, LeaseGrant, LeaseRequest};

/// One that does not answer for so long is out of reach.
pub(super) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(1);
/// The reason for a refusal if the server's reply cannot be read.
pub(super) const NO_ANSWER: &str = "nothing that is an answer";
/// The key that a limiter is kept under. The braces keep it on one node of a cluster.
const PREFIX: &str = "ratellmiter";

pub(crate) struct RedisConnection {
    /// The server of the URL.
    client: Client,
    lines: Mutex<Connections>,
    /// The script, and its text for a server that does not have it yet.
    script: Script,
    text: String,
    namespace: String,
}

#[derive(Default)]
struct Connections {
    /// Connections to the nodes of a cluster by address, and to the server of the URL by `None`.
    by_node: HashMap<Option<String>, NodeConnection>,
    /// Connections by the keys that the server of the URL has redirected to them.
    nodes: HashMap<String, String>,
    /// Limiters that the server is lost to.
    lost: HashSet<Arc<str>>,
}

/// A connection that is made by the first request, or the reason why there is none.
type NodeConnection = Arc<OnceCell<RedisResult<MultiplexedConnection>>>;

/// What one process says.
#[derive(Debug, Serialize)]
pub(crate) struct Message<'a> {
    /// Among all processes, and for people.
    pub(crate) id: &'a str,
    pub(crate) name: &'a str,
    /// Told again, the same step has the same answer.
    pub(crate) step: u64,
    pub(crate) intent: Intent,
    #[serde(flatten)]
    pub(crate) report: LeaseRequest,
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

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Reply {
    Conflict { conflict: Conflict },
    Welcome { welcome: bool },
    Answer(Box<LeaseGrant>),
}

impl RedisConnection {
    pub(crate) fn new(shared: &FleetConfig) -> Result<Self, RedisError> {
        let client = Client::open(shared.connection()?)?;
        if is_encrypted(&client) {
            // Without effect if the program has chosen a provider.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let text = script::step();
        Ok(Self {
            client,
            lines: Mutex::default(),
            script: Script::new(&text),
            text,
            // Names of limiters that contain a colon cannot lead into another namespace.
            namespace: shared.namespace.replace('%', "%25").replace(':', "%3A"),
        })
    }

    /// Returns the host and port of the URL.
    pub(crate) fn server(&self) -> String {
        self.client.get_connection_info().addr().to_string()
    }

    /// Sends `message` to the server. It is sent once more if the connection fails or the server cannot serve for now, which
    /// counts once.
    ///
    /// # Errors
    /// The reason why there is no answer, without the password.
    pub(crate) async fn request(&self, limiter: &str, message: &Message<'_>) -> Result<Reply, FleetError> {
        let text = serde_json::to_string(message).expect("names and finite numbers");
        let key = format!("{{{PREFIX}:{}:{limiter}}}", self.namespace);
        let reply = match self.once(&key, &text).await {
            Err(error) if is_lost(&error) => self.once(&key, &text).await,
            reply => reply,
        };
        let reply = reply.map_err(|error| {
            let words = describe(&error, &key);
            let reason = match error_reply(&error) {
                Some(_) if !is_lost(&error) => return self.refused(limiter, words),
                Some(_) => format!("it answers {words}"),
                None if error.is_timeout() && is_encrypted(&self.client) => format!("{words}; it is asked over TLS"),
                None => words,
            };
            FleetError::Lost { server: self.server(), reason }
        })?;
        // The error's text would show the reply.
        serde_json::from_str(&reply).map_err(|_| self.refused(limiter, NO_ANSWER.to_owned()))
    }

    pub(crate) fn refused(&self, limiter: &str, reason: String) -> FleetError {
        FleetError::Refused { model: limiter.to_owned(), server: self.server(), reason }
    }

    /// Runs a step on the node that has the limiter, and follows a redirection to it.
    async fn once(&self, key: &str, text: &str) -> RedisResult<String> {
        let answer = self.ask(key, text).await;
        let moved = answer.as_ref().err().filter(|error| error.code() == Some("MOVED"));
        let Some((node, _)) = moved.and_then(RedisError::redirect_node) else { return answer };
        self.lines().nodes.insert(key.to_owned(), node.to_owned());
        self.ask(key, text).await
    }

    async fn ask(&self, key: &str, text: &str) -> RedisResult<String> {
        let node = self.lines().nodes.get(key).cloned();
        let line = self.lines().by_node.entry(node.clone()).or_default().clone();
        let connection = line.get_or_init(|| self.connect(node.as_deref())).await;
        let answer = match connection {
            Ok(connection) => self.step(connection.clone(), key, text).await,
            Err(error) => Err(error.clone()),
        };
        if connection.is_err() || answer.as_ref().is_err_and(is_lost) {
            let mut lines = self.lines();
            // Another limiter may have replaced it.
            if lines.by_node.get(&node).is_some_and(|current| Arc::ptr_eq(current, &line)) {
                lines.by_node.remove(&node);
            }
            // The cluster may have moved the key.
            lines.nodes.remove(key);
        }
        answer
    }

    async fn connect(&self, node: Option<&str>) -> RedisResult<MultiplexedConnection> {
        let info = self.client.get_connection_info();
        let address = node.and_then(|node| node_address(info.addr(), node)).unwrap_or_else(|| info.addr().clone());
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(RESPONSE_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT));
        Client::open(info.clone().set_addr(address))?.get_multiplexed_async_connection_with_config(&config).await
    }

    /// Runs the script, by its text if the server does not know it yet or the user may not run it by its hash.
    async fn step(&self, mut connection: MultiplexedConnection, key: &str, text: &str) -> RedisResult<String> {
        let run = |command, script| redis::cmd(command).arg(script).arg(1).arg(key).arg(text).take();
        match run("EVALSHA", self.script.get_hash()).query_async(&mut connection).await {
            Err(error) if matches!(error_reply(&error), Some(("NOSCRIPT" | "NOPERM", _))) => {
                run("EVAL", &self.text).query_async(&mut connection).await
            }
            answer => answer,
        }
    }

    fn lines(&self) -> MutexGuard<'_, Connections> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records whether the server is lost to `model`. Returns `true` if it is the first limiter to lose the server, or the last
    /// one to find it again.
    pub(crate) fn set_lost(&self, model: &Arc<str>, is_lost: bool) -> bool {
        let lost = &mut self.lines().lost;
        if is_lost { lost.insert(model.clone()) && lost.len() == 1 } else { lost.remove(model) && lost.is_empty() }
    }
}

fn is_encrypted(client: &Client) -> bool {
    matches!(client.get_connection_info().addr(), ConnectionAddr::TcpTls { .. })
}

/// Returns the address of a node given as `HOST:PORT`. It is reached like `server`, and has its host if none is given.
fn node_address(server: &ConnectionAddr, node: &str) -> Option<ConnectionAddr> {
    let (host, port) = node.rsplit_once(':')?;
    let mut address = server.clone();
    let (ConnectionAddr::Tcp(to_host, to_port) | ConnectionAddr::TcpTls { host: to_host, port: to_port, .. }) =
        &mut address
    else {
        return None;
    };
    *to_port = port.parse().ok()?;
    if !matches!(host, "" | "?") {
        host.clone_into(to_host);
    }
    Some(address)
}

/// Returns the code and the text of an error reply, or `None` if the server did not reply.
fn error_reply(error: &RedisError) -> Option<(&str, &str)> {
    let (code, text) = (error.code()?, error.detail().unwrap_or_default());
    // Before version 7, the server wraps the reply to a command of a script.
    let wrapped = text.split_once("@user_script: ").and_then(|(_, line)| line.split_once(": -"));
    Some(wrapped.and_then(|(_, reply)| reply.split_once(' ')).unwrap_or((code, text)))
}

/// Returns `true` if another connection may lead to a server that serves: this one did not reply, is a replica, belongs to a
/// cluster that is down, or is not ready.
fn is_lost(error: &RedisError) -> bool {
    let unready = ["READONLY", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "NOREPLICAS", "BUSY"];
    error_reply(error).is_none_or(|(code, _)| unready.contains(&code))
}

/// The most of what a server says that is told.
const LONGEST: usize = 200;

/// What the server says of this key, or the system, in one line.
fn describe(error: &RedisError, key: &str) -> String {
    let text = match error_reply(error) {
        Some((code, text)) => format!("{code} {text}"),
        _ if error.kind() == ErrorKind::Parse => "what answers there is no Redis or Valkey server".to_owned(),
        _ if error.kind() == ErrorKind::AuthenticationFailed => {
            "it does not take the user name or the password".to_owned()
        }
        _ if error.is_timeout() => format!("no answer within {} s", RESPONSE_TIMEOUT.as_secs()),
        _ if error.is_connection_refusal() => "connection refused".to_owned(),
        // Of a connection: there is no URL in it.
        None => std::error::Error::source(error).map_or_else(|| error.category().to_owned(), ToString::to_string),
    };
    if text.split(' ').any(|word| word == "WRONGTYPE" || word.starts_with("user_script:")) {
        return format!("that it cannot read what is kept under {}, which is not ours or damaged", key.escape_debug());
    }
    // Behind these it repeats what it was sent, and tells where in the script it stood.
    let ends = [", with args beginning", " script: "].map(|end| text.find(end).unwrap_or(text.len()));
    let text = &text[..ends[0].min(ends[1])];
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests;
