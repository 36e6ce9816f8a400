//! A real server on a free loopback port, and a proxy before it that can be slow or cut off.

#![allow(dead_code, unreachable_pub)] // Each test uses a part.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU16, AtomicU32, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// Time after which a server that does not respond is broken.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A server process, which is killed on drop.
pub struct Redis {
    child: Child,
    pub port: u16,
    program: &'static str,
    arguments: Vec<String>,
    directory: TempDir,
}

/// Returns the servers to test against: Redis, and Valkey if it is installed.
pub fn programs() -> Vec<&'static str> {
    let is_installed = |program: &&str| Command::new(program).arg("--version").stdout(Stdio::null()).status().is_ok();
    let installed: Vec<_> = ["redis-server", "valkey-server"].into_iter().filter(is_installed).collect();
    assert!(installed.contains(&"redis-server"), "the tests need redis-server");
    installed
}

impl Redis {
    pub fn start() -> Self {
        Self::with_arguments("redis-server", &[])
    }

    /// Starts `program` with additional arguments.
    pub fn with_arguments(program: &'static str, arguments: &[&str]) -> Self {
        Self::start_on(program, free_port(), arguments)
    }

    /// Starts a server on the free port `port`.
    pub fn on_port(port: u16) -> Self {
        Self::start_on("redis-server", port, &[])
    }

    /// Starts a node of a cluster. Nodes also listen on `port` + 10,000, which must be below the ephemeral ports, too.
    pub fn node(arguments: &[&str]) -> Self {
        let mut ports = std::iter::repeat_with(free_port).map(|port| 10_000 + port % 10_000).take(1000);
        let is_free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
        let port = ports.find(|port| is_free(*port) && is_free(port + 10_000)).expect("two free ports");
        Self::start_on("redis-server", port, &[&["--cluster-enabled", "yes"], arguments].concat())
    }

    pub fn start_on(program: &'static str, port: u16, arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let arguments: Vec<_> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let child = spawn(program, port, &arguments, directory.path());
        let redis = Self { child, port, program, arguments, directory };
        redis.await_ready();
        redis
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Kills the server at once. It stores nothing on disk.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Kills the server and starts it again on the same port, without data.
    pub fn restart(&mut self) {
        self.kill();
        self.child = spawn(self.program, self.port, &self.arguments, self.directory.path());
        self.await_ready();
    }

    fn await_ready(&self) {
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(started.elapsed() < TIMEOUT, "{} does not start", self.program);
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Sends a command, or one on each line, and returns the replies.
    pub fn command(&self, command: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        writeln!(stream, "{command}\r").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut text = String::new();
        BufReader::new(stream).read_to_string(&mut text).unwrap();
        text
    }

    /// Returns the number of script calls until now.
    pub fn script_calls(&self) -> u64 {
        let stats = self.command("INFO commandstats");
        let calls = |line: &str| line.strip_prefix("cmdstat_evalsha:calls=")?.split(',').next()?.parse::<u64>().ok();
        stats.lines().find_map(calls).unwrap_or_default()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Returns a free port below the ephemeral ones, so that no connection takes it while the server is down.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id().wrapping_mul(37);
    let mut ports =
        std::iter::repeat_with(|| first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000 + 10_000);
    let mut ports = ports.by_ref().take(1000).filter_map(|port| u16::try_from(port).ok());
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a free port")
}

fn spawn(program: &str, port: u16, arguments: &[String], directory: &Path) -> Child {
    let log = fs::File::create(directory.join("log")).unwrap();
    let mut command = Command::new(program);
    command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"]).arg(directory);
    if !arguments.iter().any(|argument| argument == "--port") {
        command.args(["--port", &port.to_string()]);
    }
    command.args(arguments).stdout(log).stderr(Stdio::null()).stdin(Stdio::null()).spawn().unwrap()
}

/// A proxy before a server.
pub struct Proxy {
    pub address: SocketAddr,
    state: Arc<State>,
}

struct State {
    /// Port of the server for new connections.
    port: AtomicU16,
    accepted: AtomicU64,
    is_cut: AtomicBool,
    /// Delay of replies in milliseconds.
    delay_ms: AtomicU64,
    /// `true` if the next reply is to be lost.
    loses_next: AtomicBool,
    /// Connections opened in an earlier generation hang.
    generation: AtomicU64,
    open: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    pub fn start(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            port: AtomicU16::new(port),
            accepted: AtomicU64::new(0),
            is_cut: AtomicBool::new(false),
            delay_ms: AtomicU64::new(0),
            loses_next: AtomicBool::new(false),
            generation: AtomicU64::new(0),
            open: Mutex::new(Vec::new()),
        });
        let shared = state.clone();
        thread::spawn(move || {
            // More connections than any test opens.
            for stream in listener.incoming().take(10_000) {
                let (Ok(client), state) = (stream, shared.clone()) else { return };
                thread::spawn(move || state.serve(&client));
            }
        });
        Self { address, state }
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Forwards new connections to `port`, like an address after a failover. Open connections keep their server.
    pub fn switch_to(&self, port: u16) {
        self.state.port.store(port, Ordering::SeqCst);
    }

    /// Returns the number of connections accepted until now.
    pub fn accepted(&self) -> u64 {
        self.state.accepted.load(Ordering::SeqCst)
    }

    /// Lets all connections hang, also new ones, or closes the hanging ones and ends this.
    pub fn set_cut(&self, is_cut: bool) {
        self.state.is_cut.store(is_cut, Ordering::SeqCst);
        if !is_cut {
            // As in real networks, the old connections are not usable.
            for stream in self.state.open.lock().unwrap().drain(..) {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }

    /// Drops the next reply, after the server has executed the command, and closes the connection.
    pub fn lose_next_reply(&self) {
        self.state.loses_next.store(true, Ordering::SeqCst);
    }

    /// Lets the open connections hang for ever. New ones are served.
    pub fn hang_open_connections(&self) {
        self.state.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// Sets a delay of all replies.
    pub fn set_delay(&self, delay: Duration) {
        self.state.delay_ms.store(u64::try_from(delay.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl State {
    fn serve(&self, client: &TcpStream) {
        self.accepted.fetch_add(1, Ordering::SeqCst);
        let Ok(server) = TcpStream::connect(("127.0.0.1", self.port.load(Ordering::SeqCst))) else { return };
        client.set_nodelay(true).unwrap();
        server.set_nodelay(true).unwrap();
        self.open.lock().unwrap().extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
        let generation = self.generation.load(Ordering::SeqCst);
        thread::scope(|scope| {
            scope.spawn(|| self.forward(client, &server, generation, false));
            scope.spawn(|| self.forward(&server, client, generation, true));
        });
    }

    fn hangs(&self, generation: u64) -> bool {
        self.is_cut.load(Ordering::SeqCst) || self.generation.load(Ordering::SeqCst) > generation
    }

    fn forward(&self, mut from: &TcpStream, mut to: &TcpStream, generation: u64, is_reply: bool) {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(count) = from.read(&mut buffer) {
            if count == 0 {
                break;
            }
            let delay = self.delay_ms.load(Ordering::SeqCst);
            if is_reply && delay > 0 {
                thread::sleep(Duration::from_millis(delay));
            }
            let began = Instant::now();
            while self.hangs(generation) && began.elapsed() < TIMEOUT * 6 {
                thread::sleep(Duration::from_millis(5));
            }
            if is_reply && self.loses_next.swap(false, Ordering::SeqCst) {
                let _ = from.shutdown(Shutdown::Both);
                break;
            }
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    }
}

/// Reads lines from a child's output on a thread. Returns the lines received so far, which grow.
pub fn lines_of(output: impl std::io::Read + Send + 'static) -> Arc<Mutex<Vec<String>>> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let shared = lines.clone();
    thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            let Ok(line) = line else { return };
            shared.lock().unwrap().push(line);
        }
    });
    lines
}
