//! A real server on a free loopback port, and a line to it that can be slow or cut.

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

/// One that does not answer for so long is broken.
const PATIENCE: Duration = Duration::from_secs(20);

/// Ends with its test.
pub struct Redis {
    child: Child,
    pub port: u16,
    program: &'static str,
    arguments: Vec<String>,
    directory: TempDir,
}

/// The servers there are to test against: Redis always, Valkey where it is installed.
pub fn programs() -> Vec<&'static str> {
    let is_there = |program: &&str| Command::new(program).arg("--version").stdout(Stdio::null()).status().is_ok();
    let there: Vec<_> = ["redis-server", "valkey-server"].into_iter().filter(is_there).collect();
    assert!(there.contains(&"redis-server"), "the tests need redis-server");
    there
}

impl Redis {
    pub fn start() -> Self {
        Self::of("redis-server", &[])
    }

    /// This program, with more arguments than it needs.
    pub fn of(program: &'static str, arguments: &[&str]) -> Self {
        Self::on(program, free_port(), arguments)
    }

    /// On this port, where nothing is.
    pub fn at(port: u16) -> Self {
        Self::on("redis-server", port, &[])
    }

    /// Starts a node of a cluster. The nodes talk to each other on the port that is 10,000 above, which must be below those that
    /// connections get, too.
    pub fn node(arguments: &[&str]) -> Self {
        let mut ports = std::iter::repeat_with(free_port).map(|port| 10_000 + port % 10_000).take(1000);
        let is_free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
        let port = ports.find(|port| is_free(*port) && is_free(port + 10_000)).expect("two free ports");
        Self::on("redis-server", port, &[&["--cluster-enabled", "yes"], arguments].concat())
    }

    pub fn on(program: &'static str, port: u16, arguments: &[&str]) -> Self {
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

    /// It dies at once, and all it knew with it.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Again on the same port, empty.
    pub fn restart(&mut self) {
        self.kill();
        self.child = spawn(self.program, self.port, &self.arguments, self.directory.path());
        self.await_ready();
    }

    fn await_ready(&self) {
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(started.elapsed() < PATIENCE, "{} does not start", self.program);
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// What it answers to a command, or to one a line, its lines together.
    pub fn ask(&self, command: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        writeln!(stream, "{command}\r").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut text = String::new();
        BufReader::new(stream).read_to_string(&mut text).unwrap();
        text
    }

    /// How often a script was run until now.
    pub fn steps(&self) -> u64 {
        let stats = self.ask("INFO commandstats");
        let calls = |line: &str| line.strip_prefix("cmdstat_evalsha:calls=")?.split(',').next()?.parse::<u64>().ok();
        stats.lines().find_map(calls).unwrap_or_default()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Below those that connections get, so that none takes it while a server is down.
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

/// A line to a server, for as long as the test runs.
pub struct Proxy {
    pub address: SocketAddr,
    state: Arc<State>,
}

struct State {
    /// The port that new connections are forwarded to.
    to: AtomicU16,
    accepted: AtomicU64,
    is_cut: AtomicBool,
    /// Answers are held back for so many milliseconds.
    delay: AtomicU64,
    /// The next answer is lost, and its connection with it.
    loses: AtomicBool,
    /// Connections of an earlier age hang.
    age: AtomicU64,
    open: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    pub fn start(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            to: AtomicU16::new(port),
            accepted: AtomicU64::new(0),
            is_cut: AtomicBool::new(false),
            delay: AtomicU64::new(0),
            loses: AtomicBool::new(false),
            age: AtomicU64::new(0),
            open: Mutex::new(Vec::new()),
        });
        let shared = state.clone();
        thread::spawn(move || {
            // More than any test makes.
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

    /// Forwards new connections to `port`, as an address does that fails over. Open connections keep their server.
    pub fn switch(&self, port: u16) {
        self.state.to.store(port, Ordering::SeqCst);
    }

    /// Returns the number of connections accepted until now.
    pub fn accepted(&self) -> u64 {
        self.state.accepted.load(Ordering::SeqCst)
    }

    /// Nothing goes through: what is open hangs, what comes hangs too. `false` mends it.
    pub fn cut(&self, is_cut: bool) {
        self.state.is_cut.store(is_cut, Ordering::SeqCst);
        if !is_cut {
            // As networks do, the old connections are of no use.
            for stream in self.state.open.lock().unwrap().drain(..) {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }

    /// The next answer is lost, though the server has done what it answers; the connection breaks.
    pub fn lose_answer(&self) {
        self.state.loses.store(true, Ordering::SeqCst);
    }

    /// Nothing will ever go through what is open now; what comes is served.
    pub fn forget_open(&self) {
        self.state.age.fetch_add(1, Ordering::SeqCst);
    }

    /// Answers come so much later.
    pub fn delay(&self, delay: Duration) {
        self.state.delay.store(u64::try_from(delay.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl State {
    fn serve(&self, client: &TcpStream) {
        self.accepted.fetch_add(1, Ordering::SeqCst);
        let Ok(server) = TcpStream::connect(("127.0.0.1", self.to.load(Ordering::SeqCst))) else { return };
        client.set_nodelay(true).unwrap();
        server.set_nodelay(true).unwrap();
        self.open.lock().unwrap().extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
        let age = self.age.load(Ordering::SeqCst);
        thread::scope(|scope| {
            scope.spawn(|| self.carry(client, &server, age, false));
            scope.spawn(|| self.carry(&server, client, age, true));
        });
    }

    fn hangs(&self, age: u64) -> bool {
        self.is_cut.load(Ordering::SeqCst) || self.age.load(Ordering::SeqCst) > age
    }

    fn carry(&self, mut from: &TcpStream, mut to: &TcpStream, age: u64, is_answer: bool) {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(count) = from.read(&mut buffer) {
            if count == 0 {
                break;
            }
            let delay = self.delay.load(Ordering::SeqCst);
            if is_answer && delay > 0 {
                thread::sleep(Duration::from_millis(delay));
            }
            let began = Instant::now();
            while self.hangs(age) && began.elapsed() < PATIENCE * 6 {
                thread::sleep(Duration::from_millis(5));
            }
            if is_answer && self.loses.swap(false, Ordering::SeqCst) {
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

/// The lines of a child's output that have come, read by a thread of their own.
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
