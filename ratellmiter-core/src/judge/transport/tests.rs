use std::fmt;

use super::*;
use crate::judge::{Verdict, error_chain::by_chain};

/// An error with a text and an optional source.
#[derive(Debug)]
struct Wrapped(&'static str, Option<Box<dyn Error>>);

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Wrapped {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref()
    }
}

fn wrapped(text: &'static str, source: impl Error + 'static) -> Wrapped {
    Wrapped(text, Some(Box::new(source)))
}

fn verdict(error: &(dyn Error + 'static)) -> Option<Verdict> {
    by_chain(error).map(|judged| judged.verdict)
}

#[test]
fn failed_connections_in_a_chain_are_transient() {
    for kind in [
        io::ErrorKind::ConnectionRefused,
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::ConnectionAborted,
        io::ErrorKind::BrokenPipe,
        io::ErrorKind::NotConnected,
    ] {
        assert_eq!(verdict(&wrapped("outer", io::Error::from(kind))), Some(Verdict::transient()), "{kind}");
    }
    let unresolved = io::Error::other("failed to lookup address information: Temporary failure in name resolution");
    assert_eq!(verdict(&unresolved), Some(Verdict::transient()));
    let incomplete = Wrapped("connection closed before message completed", None);
    assert_eq!(verdict(&wrapped("client error (SendRequest)", incomplete)), Some(Verdict::transient()));
    let tls = io::Error::new(io::ErrorKind::InvalidData, "invalid peer certificate");
    assert_eq!(verdict(&wrapped("client error (Connect)", tls)), Some(Verdict::transient()));
    let connect_timeout = io::Error::new(io::ErrorKind::TimedOut, "deadline has elapsed");
    assert_eq!(verdict(&wrapped("client error (Connect)", connect_timeout)), Some(Verdict::transient()));
}

#[test]
fn timeouts_and_broken_responses_are_not_transient() {
    assert_eq!(verdict(&io::Error::from(io::ErrorKind::TimedOut)), None);
    assert_eq!(verdict(&io::Error::from(io::ErrorKind::NotFound)), None);
    assert_eq!(verdict(&io::Error::from(io::ErrorKind::UnexpectedEof)), None);
    let reset = || io::Error::from(io::ErrorKind::ConnectionReset);
    assert_eq!(verdict(&wrapped("error reading a body from connection", reset())), None);
    assert_eq!(verdict(&wrapped("error decoding response body", reset())), None);
    assert_eq!(verdict(&wrapped("operation timed out", reset())), None);
}

#[test]
fn refusal_in_a_text_outranks_the_connection() {
    let refused = wrapped("429 Too Many Requests", io::Error::from(io::ErrorKind::ConnectionReset));
    assert_eq!(verdict(&refused), Some(Verdict::RATE_LIMITED));
}

#[test]
fn failed_connections_are_recognised_in_texts() {
    for text in [
        "io: Connection refused (os error 111)",
        "error sending request for url (http://127.0.0.1:1/): client error (Connect): tcp connect error: Connection refused (os error 111)",
        "http error: connection error: Connection reset by peer (os error 104)",
        "client error (SendRequest): connection closed before message completed",
        "error sending request: client error (Connect): operation timed out",
    ] {
        assert_eq!(verdict(&Wrapped(text, None)), Some(Verdict::transient()), "{text}");
    }
    for text in [
        "the page said: connection refused",
        "os error 111 is what the tool printed, and the model repeated it",
        "error decoding response body: Connection reset by peer (os error 104)",
        "operation timed out: Connection reset by peer (os error 104)",
        "No such file or directory (os error 2)",
    ] {
        assert_eq!(verdict(&Wrapped(text, None)), None, "{text}");
    }
}

#[test]
fn error_whose_text_fails_is_read_without_a_panic() {
    #[derive(Debug)]
    struct Broken;
    impl fmt::Display for Broken {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            Err(fmt::Error)
        }
    }
    impl Error for Broken {}
    assert_eq!(verdict(&Broken), None);
    assert_eq!(verdict(&io::Error::new(io::ErrorKind::UnexpectedEof, Broken)), None);
}

#[test]
fn boxed_and_shared_errors_are_read_as_their_content() {
    let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
    assert_eq!(verdict(&Box::new(refused())), Some(Verdict::transient()));
    assert_eq!(verdict(&std::sync::Arc::new(refused())), Some(Verdict::transient()));
    assert_eq!(verdict(&wrapped("no answer", Box::new(refused()))), Some(Verdict::transient()));
    let late = Box::new(io::Error::from(io::ErrorKind::TimedOut));
    assert_eq!(verdict(&late), None);
}
