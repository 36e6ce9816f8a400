use std::{cell::Cell, io};

use ratellmiter_core::stream::TicketIterator;

use super::*;

type Line = io::Result<String>;

const LINES: [&str; 4] = ["data: {}", "", r#"data: {"usage": {"prompt_tokens": 50, "completion_tokens": 3}}"#, ""];
const REFUSED: [&str; 2] =
    ["event: error", r#"data: {"error": {"code": "rate_limit_exceeded", "message": "Please try again in 5ms."}}"#];

fn limiter() -> Limiter {
    Limiter::new(limits(600_000).tokens_per_minute(100_000_000))
}

fn lines(lines: &[&str]) -> impl Iterator<Item = Line> + Send + 'static {
    lines.iter().map(|line| Ok((*line).to_owned())).collect::<Vec<_>>().into_iter()
}

#[ratellmiter(limiter = limiter, stream, tokens = (100, 1000))]
fn opaque(limiter: &Limiter) -> impl Iterator<Item = Line> + use<> {
    lines(&LINES)
}

#[ratellmiter(limiter = limiter, stream, tokens = (100, 1000))]
fn in_result(limiter: &Limiter, fails: bool) -> Result<impl Iterator<Item = Line> + use<>, ApiError> {
    if fails { Err(ApiError::Broken) } else { Ok(lines(&LINES)) }
}

#[ratellmiter(limiter = limiter, stream, bounded, tokens = (100, 1000))]
fn boxed<'a>(limiter: &Limiter, text: &'a [&'a str]) -> Result<Box<dyn Iterator<Item = Line> + Send + 'a>, ApiError> {
    Ok(Box::new(text.iter().map(|line| Ok((*line).to_owned()))))
}

#[ratellmiter(limiter = limiter, stream, tokens = (100, 1000))]
fn boxed_alone(limiter: &Limiter) -> Box<dyn Iterator<Item = Line>> {
    Box::new(lines(&LINES))
}

fn assert_keeps_ticket(limiter: &Limiter, mut iterator: impl Iterator<Item = Line>) {
    let charged = tokens(limiter);
    for _ in LINES {
        assert!(iterator.next().unwrap().is_ok());
        assert_eq!(limiter.snapshot().in_flight, 1);
    }
    assert!(iterator.next().is_none());
    assert_eq!((limiter.snapshot().in_flight, tokens(limiter)), (0, charged - 1100 + 53));
}

#[test]
fn iterator_keeps_ticket_and_settles_at_end() {
    let limiter = limiter();
    assert_keeps_ticket(&limiter, opaque(&limiter));
    assert_keeps_ticket(&limiter, in_result(&limiter, false).unwrap());
    assert_keeps_ticket(&limiter, boxed(&limiter, &LINES).unwrap());
    assert_keeps_ticket(&limiter, boxed_alone(&limiter));
    assert!(in_result(&limiter, true).is_err());
    assert_eq!(limiter.snapshot().in_flight, 0);
}

#[test]
fn dropped_iterator_frees_slot_and_stays_charged() {
    let limiter = limiter();
    let mut iterator = opaque(&limiter);
    assert!(iterator.next().is_some());
    drop(iterator);
    assert_eq!((limiter.snapshot().in_flight, tokens(&limiter)), (0, 1100));
    assert_eq!(opaque(&limiter).take(3).count(), 3, "dropped after the usage arrived");
    assert_eq!((limiter.snapshot().in_flight, tokens(&limiter)), (0, 1153));
}

#[test]
fn refusal_before_the_first_event_is_retried() {
    #[ratellmiter(limiter = limiter, stream)]
    fn ask(limiter: &Limiter, attempts: &Cell<u32>) -> Result<impl Iterator<Item = Line> + use<>, ApiError> {
        attempts.set(attempts.get() + 1);
        Ok(if attempts.get() == 1 { lines(&REFUSED) } else { lines(&LINES) })
    }
    let (limiter, attempts) = (limiter(), Cell::new(0));
    assert_eq!(ask(&limiter, &attempts).unwrap().count(), LINES.len());
    assert_eq!((attempts.get(), limiter.snapshot().in_flight), (2, 0));
    let later = [&LINES[..], &REFUSED].concat();
    assert_eq!(boxed(&limiter, &later).unwrap().count(), later.len(), "the caller receives a later refusal");
    assert!(limiter.snapshot().paused_until.is_some(), "the limiter pauses");
}

#[test]
fn empty_iterator_is_not_asked_again() {
    #[ratellmiter(limiter = limiter, stream)]
    fn ask(limiter: &Limiter) -> impl Iterator<Item = u8> + use<> {
        let mut has_ended = false;
        std::iter::from_fn(move || {
            assert!(!std::mem::replace(&mut has_ended, true), "asked again");
            None
        })
    }
    let limiter = limiter();
    let found = ask(&limiter);
    assert_eq!((found.size_hint(), found.count()), ((0, Some(0)), 0));
    assert_eq!(limiter.snapshot().in_flight, 0);
}

#[test]
fn usage_of_items_is_read_by_a_closure_with_state() {
    #[ratellmiter(limiter = limiter, stream, tokens = (100, 1000), usage = {
        let mut words = 0;
        move |_| { words += 1; Usage::new(0, words) }
    })]
    fn ask(limiter: &Limiter) -> impl Iterator<Item = u8> + use<> {
        vec![1, 2, 3].into_iter()
    }
    let limiter = limiter();
    assert_eq!(ask(&limiter).count(), 3);
    assert_eq!(tokens(&limiter), 3);
}

#[test]
fn attached_iterator_keeps_ticket_of_the_call() {
    struct Reply {
        lines: TicketIterator<std::vec::IntoIter<u64>>,
    }
    #[ratellmiter(limiter = limiter, tokens = (100, 1000))]
    fn ask(limiter: &Limiter) -> Result<Reply, ApiError> {
        Ok(Reply { lines: call::attach_iterator(vec![1, 2].into_iter()) })
    }
    let limiter = limiter();
    let reply = ask(&limiter).unwrap();
    assert_eq!((reply.lines.size_hint(), limiter.snapshot().in_flight), ((2, Some(2)), 1));
    assert_eq!(reply.lines.usage_from(|tokens| Some(Usage::new(0, *tokens))).count(), 2);
    assert_eq!((limiter.snapshot().in_flight, tokens(&limiter)), (0, 2));
}
