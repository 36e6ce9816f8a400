//! Servers on loopback that fail before, during or after the response.

#![allow(dead_code, unreachable_pub)] // Each test uses a part.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    thread,
    time::Duration,
};

use tokio::net::TcpSocket;

/// Maximum number of connections, more than any test makes.
const MAX_CONNECTIONS: usize = 100;

/// Returns the address of a server that reads a request and then runs `answer` on the connection.
pub fn server(answer: impl Fn(&mut TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().take(MAX_CONNECTIONS) {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            answer(&mut stream);
        }
    });
    format!("http://{address}/v1")
}

/// Returns the address of a server that closes the connection within the headers of its response.
pub fn incomplete_headers() -> String {
    server(|stream| stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-ty").unwrap())
}

/// Returns the address of a server that closes the connection within the body of its response.
pub fn incomplete_body() -> String {
    server(|stream| stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nhalf").unwrap())
}

/// Returns the address of a server that never answers.
pub fn silent() -> String {
    server(|_| thread::sleep(Duration::from_secs(1)))
}

/// Returns an address to which no connection can be made. The socket does not listen, and keeps the port from other servers.
pub fn closed() -> (TcpSocket, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let url = format!("http://{}/v1", socket.local_addr().unwrap());
    (socket, url)
}
