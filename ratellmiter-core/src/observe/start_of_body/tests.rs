use std::future::{pending, ready};

use super::*;

#[tokio::test(start_paused = true)]
async fn piece_that_is_there_needs_no_timer() {
    let mut start = StartOfBody::default();
    assert_eq!(start.in_time(ready(7)).await, Some(7));
    assert!(start.timer.is_none());
}

#[tokio::test(start_paused = true)]
async fn time_for_all_pieces_is_limited_and_paused_time_stands_still() {
    let (begin, paused) = (Instant::now(), tokio::time::Instant::now());
    let mut start = StartOfBody::default();
    for _ in 0..3 {
        assert_eq!(start.in_time(pending::<()>()).await, None);
    }
    assert!(begin.elapsed() >= MAX_TIME && begin.elapsed() < 2 * MAX_TIME, "{:?}", begin.elapsed());
    assert_eq!(paused.elapsed(), Duration::ZERO);
}

#[test]
fn blocking_body_is_read_up_to_its_end_or_its_maximum() {
    let read = |length: u64| StartOfBody::read(io::repeat(b'x').take(length)).bytes.len();
    assert_eq!([0, 1, 5000].map(read), [0, 1, 5000]);
    assert_eq!([MAX_BYTES as u64, 1 << 30].map(read), [MAX_BYTES; 2]);
}

#[test]
fn stalled_body_is_left_and_its_thread_ends_with_it() {
    struct Stalled(Vec<u8>, mpsc::Receiver<()>);
    impl Read for Stalled {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                let _ = self.1.recv();
            }
            let piece = std::mem::take(&mut self.0);
            buffer[..piece.len()].copy_from_slice(&piece);
            Ok(piece.len())
        }
    }
    let (server, connection) = mpsc::channel();
    let begin = Instant::now();
    let start = StartOfBody::read(Stalled(b"half".to_vec(), connection));
    assert_eq!(start.bytes, b"half");
    assert!(begin.elapsed() >= MAX_TIME && begin.elapsed() < 2 * MAX_TIME, "{:?}", begin.elapsed());
    assert!(READERS.load(Ordering::Relaxed) >= 1);
    drop(server);
}
