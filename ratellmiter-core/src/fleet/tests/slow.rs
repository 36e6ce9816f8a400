//! A server whose answers take long.

use super::*;

#[test]
fn calls_go_on_while_answers_are_on_their_way() {
    for (lag, least, most) in [(250, 290, 11), (500, 285, 11), (900, 210, 18)] {
        for (places, tokens) in [(None, 1_000_000), (None, 60_000), (Some(40), 60_000)] {
            let mut limits = per_minute(600, tokens);
            limits.max_in_flight = places.and_then(NonZeroU32::new);
            let mut fleet = Fleet::new(limits, 4);
            fleet.call_time = seconds(1);
            (0..4).for_each(|process| fleet.calls(process, 6, 90, 1000));
            fleet.run(seconds(10));
            fleet.lag = millis(lag);
            fleet.run(seconds(40));
            let went = fleet.tickets.iter().filter(|ticket| ticket.at >= seconds(10)).count();
            let fullest = fleet.tickets.iter().map(|first| {
                let inside = |ticket: &&Ticket| ticket.at >= first.at && ticket.at < first.at + seconds(1);
                fleet.tickets.iter().filter(inside).count()
            });
            let fullest = fullest.max().unwrap();
            eprintln!("{lag} ms, {places:?} places, {tokens} tokens: {went} of 300, {fullest} in a second");
            assert!(went >= least && fullest <= most, "{went} {fullest}");
            assert!(fleet.most_in_a_minute() <= tokens);
        }
    }
}
