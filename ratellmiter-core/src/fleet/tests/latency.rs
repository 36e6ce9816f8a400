//! A server with a high latency.

use super::*;

#[test]
fn calls_continue_despite_slow_replies() {
    for (lag, min, max_in_a_second) in [(250, 290, 11), (500, 285, 11), (900, 210, 18)] {
        for (places, tokens) in [(None, 1_000_000), (None, 60_000), (Some(40), 60_000)] {
            let mut limits = per_minute(600, tokens);
            limits.max_in_flight = places.and_then(NonZeroU32::new);
            let mut fleet = Fleet::new(limits, 4);
            fleet.call_time = seconds(1);
            (0..4).for_each(|process| fleet.start_callers(process, 6, 90, 1000));
            fleet.run(seconds(10));
            fleet.lag = millis(lag);
            fleet.run(seconds(40));
            let sent = fleet.tickets.iter().filter(|ticket| ticket.at >= seconds(10)).count();
            let in_a_second = fleet.tickets.iter().map(|first| {
                let inside = |ticket: &&Ticket| ticket.at >= first.at && ticket.at < first.at + seconds(1);
                fleet.tickets.iter().filter(inside).count()
            });
            let fullest = in_a_second.max().unwrap();
            eprintln!("{lag} ms, {places:?} places, {tokens} tokens: {sent} of 300, at most {fullest} in a second");
            assert!(sent >= min && fullest <= max_in_a_second, "{sent} {fullest}");
            assert!(fleet.max_tokens_in_a_minute() <= tokens);
        }
    }
}
