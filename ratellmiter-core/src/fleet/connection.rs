//! Connections to one server or to the nodes of one cluster, and the requests that run the script there.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ErrorKind, RedisError, RedisResult, Script,
    aio::MultiplexedConnection,
};
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use super::script::{self, RESPONSE_TIMEOUT};
use crate::{
    engine::lease::exchange::{Conflict, LeaseGrant, LeaseRequest},
    limiter::join_error::FleetError,
    limits::fleet_config::FleetConfig,
};

/// Reason of a refusal if the server's reply cannot be read.
pub(super) const INVALID_REPLY: &str = "its reply is not valid";
/// Maximum length of a reason, in characters.
const MAX_REASON_CHARS: usize = 200;

pub(crate) struct RedisConnection {
    /// The server of the URL.
    client: Client,
    connections: Mutex<Connections>,
    script: Script,
    /// The script's text, for a server that has not cached it.
    text: String,
    namespace: String,
}

#[derive(Default)]
struct Connections {
    /// Results of opening a connection, by the address of the node; `None` is the server of the URL.
    by_node: HashMap<Option<String>, Arc<OnceCell<RedisResult<MultiplexedConnection>>>>,
    /// Addresses of nodes by the keys that a server has redirected to them.
    node_of_key: HashMap<String, String>,
    /// Limiters that cannot reach the server.
    lost: HashSet<Arc<str>>,
}

/// A report of one process to the script.
#[derive(Debug, Serialize)]
pub(crate) struct Message<'a> {
    /// Id of the process, unique among all, and its description for error messages.
    pub(crate) id: &'a str,
    pub(crate) name: &'a str,
    /// Number of the report. A repeated report gets the stored reply.
    pub(crate) step: u64,
    pub(crate) intent: Intent,
    #[serde(flatten)]
    pub(crate) report: LeaseRequest,
}

/// The purpose of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Intent {
    /// Requests a lease.
    Shares,
    /// Checks that the server could grant a lease.
    Looks,
    /// Returns the lease and leaves the fleet.
    Leaves,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Reply {
    Conflict { conflict: Conflict },
    Welcome { welcome: bool },
    Grant(Box<LeaseGrant>),
}

impl RedisConnection {
    pub(crate) fn new(config: &FleetConfig) -> Result<Self, RedisError> {
        let client = Client::open(config.connection()?)?;
        if is_encrypted(&client) {
            // Fails if the program has installed a provider, which is used then.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let text = script::step();
        Ok(Self {
            client,
            connections: Mutex::default(),
            script: Script::new(&text),
            text,
            // A colon in the name of a limiter cannot lead into another namespace.
            namespace: config.namespace.replace('%', "%25").replace(':', "%3A"),
        })
    }

    /// Returns the host and port of the URL.
    pub(crate) fn server(&self) -> String {
        self.client.get_connection_info().addr().to_string()
    }

    /// Sends `message` for `limiter` and returns the reply. Retries once if the connection fails or the server cannot serve for now.
    ///
    /// # Errors
    /// Returns an error without the password if there is no valid reply.
    pub(crate) async fn request(&self, limiter: &str, message: &Message<'_>) -> Result<Reply, FleetError> {
        let text = serde_json::to_string(message).expect("names and finite numbers");
        // The braces keep all of the key on one node of a cluster.
        let key = format!("{{ratellmiter:{}:{limiter}}}", self.namespace);
        let reply = match self.run_step(&key, &text).await {
            Err(error) if is_lost(&error) => self.run_step(&key, &text).await,
            reply => reply,
        };
        let reply = reply.map_err(|error| {
            let text = describe(&error, &key);
            let reason = match error_reply(&error) {
                Some(_) if !is_lost(&error) => return self.refused(limiter, text),
                Some(_) => format!("it replied {text}"),
                None if error.is_timeout() && is_encrypted(&self.client) => format!("{text}; the connection uses TLS"),
                None => text,
            };
            FleetError::Lost { server: self.server(), reason }
        })?;
        // The error's text would show the reply.
        serde_json::from_str(&reply).map_err(|_| self.refused(limiter, INVALID_REPLY.to_owned()))
    }

    pub(crate) fn refused(&self, limiter: &str, reason: String) -> FleetError {
        FleetError::Refused { model: limiter.to_owned(), server: self.server(), reason }
    }

    /// Runs a step, and once more on another node if the first one redirects there.
    async fn run_step(&self, key: &str, text: &str) -> RedisResult<String> {
        let reply = self.run_on_known_node(key, text).await;
        let moved = reply.as_ref().err().filter(|error| error.code() == Some("MOVED"));
        let Some((node, _)) = moved.and_then(RedisError::redirect_node) else { return reply };
        self.connections().node_of_key.insert(key.to_owned(), node.to_owned());
        self.run_on_known_node(key, text).await
    }

    /// Runs a step on the node to which `key` was last redirected, or on the server of the URL.
    async fn run_on_known_node(&self, key: &str, text: &str) -> RedisResult<String> {
        let node = self.connections().node_of_key.get(key).cloned();
        let cell = self.connections().by_node.entry(node.clone()).or_default().clone();
        let connection = cell.get_or_init(|| self.connect(node.as_deref())).await;
        let reply = match connection {
            Ok(connection) => self.run_script(connection.clone(), key, text).await,
            Err(error) => Err(error.clone()),
        };
        if connection.is_err() || reply.as_ref().is_err_and(is_lost) {
            let mut connections = self.connections();
            // Another limiter may have replaced it.
            if connections.by_node.get(&node).is_some_and(|current| Arc::ptr_eq(current, &cell)) {
                connections.by_node.remove(&node);
            }
            // The cluster may have moved the key.
            connections.node_of_key.remove(key);
        }
        reply
    }

    async fn connect(&self, node: Option<&str>) -> RedisResult<MultiplexedConnection> {
        let info = self.client.get_connection_info();
        let address = node.and_then(|node| node_address(info.addr(), node)).unwrap_or_else(|| info.addr().clone());
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(RESPONSE_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT));
        Client::open(info.clone().set_addr(address))?.get_multiplexed_async_connection_with_config(&config).await
    }

    /// Runs the script by its hash, or by its text if the server has not cached it or does not permit `EVALSHA`.
    async fn run_script(&self, mut connection: MultiplexedConnection, key: &str, text: &str) -> RedisResult<String> {
        let run = |command, script| redis::cmd(command).arg(script).arg(1).arg(key).arg(text).take();
        match run("EVALSHA", self.script.get_hash()).query_async(&mut connection).await {
            Err(error) if matches!(error_reply(&error), Some(("NOSCRIPT" | "NOPERM", _))) => {
                run("EVAL", &self.text).query_async(&mut connection).await
            }
            reply => reply,
        }
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records if `model` cannot reach the server. Returns `true` for the first limiter to lose it and for the last one to return.
    pub(crate) fn set_lost(&self, model: &Arc<str>, is_lost: bool) -> bool {
        let lost = &mut self.connections().lost;
        if is_lost { lost.insert(model.clone()) && lost.len() == 1 } else { lost.remove(model) && lost.is_empty() }
    }
}

fn is_encrypted(client: &Client) -> bool {
    matches!(client.get_connection_info().addr(), ConnectionAddr::TcpTls { .. })
}

/// Returns the address of a node given as `HOST:PORT`, reached like `server`; `None` if it is invalid or `server` is not on TCP.
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

/// Returns the code and the text of an error reply; `None` if the server did not reply.
fn error_reply(error: &RedisError) -> Option<(&str, &str)> {
    let (code, text) = (error.code()?, error.detail().unwrap_or_default());
    // Before version 7, the server wraps the error of a command in a script.
    let wrapped = text.split_once("@user_script: ").and_then(|(_, line)| line.split_once(": -"));
    Some(wrapped.and_then(|(_, reply)| reply.split_once(' ')).unwrap_or((code, text)))
}

/// Returns `true` if the server did not reply, is a replica, is not ready, or belongs to a cluster that is down.
fn is_lost(error: &RedisError) -> bool {
    let unready = ["READONLY", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "NOREPLICAS", "BUSY"];
    error_reply(error).is_none_or(|(code, _)| unready.contains(&code))
}

/// Describes an error in one line.
fn describe(error: &RedisError, key: &str) -> String {
    let text = match error_reply(error) {
        Some((code, text)) => format!("{code} {text}"),
        _ if error.kind() == ErrorKind::Parse => "it is not a Redis or Valkey server".to_owned(),
        _ if error.kind() == ErrorKind::AuthenticationFailed => "it rejects the user name or the password".to_owned(),
        _ if error.is_timeout() => format!("no reply within {} s", RESPONSE_TIMEOUT.as_secs()),
        _ if error.is_connection_refusal() => "connection refused".to_owned(),
        // The source is an error of the system, without the URL.
        None => std::error::Error::source(error).map_or_else(|| error.category().to_owned(), ToString::to_string),
    };
    if text.split(' ').any(|word| word == "WRONGTYPE" || word.starts_with("user_script:")) {
        return format!("the value of {} is damaged or was written by another program", key.escape_debug());
    }
    // The rest repeats the arguments and the position in the script.
    let ends = [", with args beginning", " script: "].map(|end| text.find(end).unwrap_or(text.len()));
    let text = &text[..ends[0].min(ends[1])];
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(MAX_REASON_CHARS).collect()
}

#[cfg(test)]
mod tests;
