//! One server, or the nodes of one cluster: connections that mend themselves, the script, and whether it can be reached.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use redis::{
    Client, ConnectionAddr, ConnectionInfo, ErrorKind, RedisError, RedisResult, Script,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use serde::{Deserialize, Serialize};

use super::{script, settings::Shared};
use crate::lease::{Answer, Conflict, Report};

/// One that does not answer for so long is out of reach.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);
/// The key that a limiter is kept under. The braces keep it on one node of a cluster.
const PREFIX: &str = "ratellmiter";

pub(crate) struct Link {
    /// Where the URL leads.
    info: ConnectionInfo,
    lines: Mutex<Lines>,
    script: Script,
    namespace: String,
    is_lost: AtomicBool,
}

/// To the server, and in a cluster to the nodes that it names.
#[derive(Default)]
struct Lines {
    by_node: HashMap<Option<String>, Line>,
    /// The nodes of limiters that the server itself does not have.
    nodes: HashMap<String, String>,
    next: u64,
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
        let info = shared.connection()?;
        let lines = Lines::default();
        let link = Self {
            info,
            lines: Mutex::new(lines),
            script: Script::new(&script::step()),
            // No name of a limiter makes it another namespace.
            namespace: shared.namespace.replace('%', "%25").replace(':', "%3A"),
            is_lost: AtomicBool::new(false),
        };
        // Nothing is connected yet: what cannot work is told now.
        link.line(None)?;
        Ok(link)
    }

    /// Its host and port.
    pub(crate) fn server(&self) -> String {
        self.info.addr().to_string()
    }

    /// Tells the server something. If no answer comes it is told the same once more, which counts once.
    ///
    /// # Errors
    /// Why there is no answer, in words that show no password.
    pub(crate) async fn tell(&self, limiter: &str, message: &Message<'_>) -> Result<Reply, Unanswered> {
        let text = serde_json::to_string(message).expect("names and finite numbers");
        let key = format!("{{{PREFIX}:{}:{limiter}}}", self.namespace);
        let reply = match self.once(&key, &text).await {
            Err(error) if !is_refusal(&error) || self.is_elsewhere(&key, &error) => self.once(&key, &text).await,
            reply => reply,
        };
        let reply = reply.map_err(|error| {
            let words = in_words(&error, &key);
            if is_refusal(&error) {
                Unanswered::Refused(words)
            } else if error.is_timeout() && matches!(self.info.addr(), ConnectionAddr::TcpTls { .. }) {
                Unanswered::Lost(format!("{words}; it is asked over TLS"))
            } else {
                Unanswered::Lost(words)
            }
        })?;
        // The error's text would show what stands there.
        serde_json::from_str(&reply).map_err(|_| Unanswered::Refused("nothing that is an answer".to_owned()))
    }

    async fn once(&self, key: &str, text: &str) -> RedisResult<String> {
        let node = self.lines().nodes.get(key).cloned();
        let Line { mut manager, number } = self.line(node.clone())?;
        let answer = self.script.prepare_invoke().key(key).arg(text).invoke_async(&mut manager).await;
        if answer.as_ref().is_err_and(|error| !is_refusal(error)) {
            let mut lines = self.lines();
            // Of all who see it fail one lets go of it.
            if lines.by_node.get(&node).is_some_and(|line| line.number == number) {
                lines.by_node.remove(&node);
            }
            // The cluster may have given its part to another.
            lines.nodes.remove(key);
        }
        answer
    }

    /// Whether the server says that another node of its cluster has this limiter, which is asked from then on.
    fn is_elsewhere(&self, key: &str, error: &RedisError) -> bool {
        let node = (error.code() == Some("MOVED")).then(|| error.redirect_node()).flatten();
        node.is_some_and(|(node, _)| {
            self.lines().nodes.insert(key.to_owned(), node.to_owned()).as_deref() != Some(node)
        })
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To a node, or where the URL leads.
    fn line(&self, node: Option<String>) -> RedisResult<Line> {
        let mut lines = self.lines();
        if let Some(line) = lines.by_node.get(&node) {
            return Ok(line.clone());
        }
        let address = node.as_deref().and_then(|node| at_node(self.info.addr(), node));
        let info = address.map_or_else(|| self.info.clone(), |address| self.info.clone().set_addr(address));
        let line = Line { manager: connect(&Client::open(info)?)?, number: lines.next };
        lines.next += 1;
        lines.by_node.insert(node, line.clone());
        Ok(line)
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

/// Why there is no answer, in words that show no password.
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

/// The address of a node that is given as `HOST:PORT`, reached as the server is. Without a host it is the server's.
fn at_node(server: &ConnectionAddr, node: &str) -> Option<ConnectionAddr> {
    let (host, port) = node.rsplit_once(':')?;
    let port = port.parse().ok()?;
    let at = |known: &str| if host.is_empty() || host == "?" { known.to_owned() } else { host.to_owned() };
    match server {
        ConnectionAddr::Tcp(known, _) => Some(ConnectionAddr::Tcp(at(known), port)),
        ConnectionAddr::TcpTls { host: known, insecure, tls_params, .. } => {
            Some(ConnectionAddr::TcpTls { host: at(known), port, insecure: *insecure, tls_params: tls_params.clone() })
        }
        _ => None,
    }
}

/// The server is there; the same again would fail again.
fn is_refusal(error: &RedisError) -> bool {
    error.code().is_some()
}

/// The most of what a server says that is told.
const LONGEST: usize = 200;

/// What the server says of this key, or the system, in one line.
fn in_words(error: &RedisError, key: &str) -> String {
    let is_of_script = error.detail().is_some_and(|detail| detail.contains("user_script"));
    if is_of_script && matches!(error.code(), Some("ERR" | "WRONGTYPE")) {
        return format!("that it cannot read what is kept under {}, which is not ours or damaged", key.escape_debug());
    }
    let text = match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        (Some(code), None) => code.to_owned(),
        _ if error.kind() == ErrorKind::Parse => "what answers there is no Redis or Valkey server".to_owned(),
        _ if error.kind() == ErrorKind::AuthenticationFailed => {
            "it does not take the user name or the password".to_owned()
        }
        _ if error.is_timeout() => format!("no answer within {} s", PATIENCE.as_secs()),
        _ if error.is_connection_refusal() => "connection refused".to_owned(),
        // Of a connection: there is no URL in it.
        (None, _) => std::error::Error::source(error).map_or_else(|| error.category().to_owned(), ToString::to_string),
    };
    // Behind these it repeats what it was sent, and tells where in the script it stood.
    let ends = [", with args beginning", " script: "].map(|end| text.find(end).unwrap_or(text.len()));
    let text = &text[..ends[0].min(ends[1])];
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(LONGEST).collect()
}
