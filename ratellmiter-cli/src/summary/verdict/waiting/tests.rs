//! Tests of `waiting`.

use super::*;

/// Returns rows with the same issued calls and, in each, the queued calls and the bottleneck.
fn rows(issued: u64, queued: &[(u64, Option<Bottleneck>)]) -> Vec<Second> {
    let row = |(at, (queued, bottleneck)): (u64, &(u64, Option<Bottleneck>))| Second {
        bottleneck: *bottleneck,
        has_details: true,
        ..Second::from_counts(at, [issued, issued, 0, issued, *queued])
    };
    (0..).zip(queued).map(row).collect()
}

#[test]
fn bottlenecks_are_weighed_by_queued_calls() {
    let ramp = [(1, Some(Bottleneck::Ramp)); 9];
    let rate = [(41, Some(Bottleneck::Rate)); 1];
    let waiting = Waiting::of(&rows(1, &[&ramp[..], &rate[..]].concat()).into_iter().collect());
    assert_eq!(waiting.largest(), (Bottleneck::Rate, 82.0));
    assert!(!Waiting::of(&Series::default()).is_notable());
    // The first queued call has a bottleneck, even if the row contains no queue.
    let sequential = Waiting::of(&rows(1, &[(0, Some(Bottleneck::Rate)); 10]).into_iter().collect());
    assert_eq!((sequential.largest(), sequential.is_notable()), ((Bottleneck::Rate, 100.0), true));
}

#[test]
fn waiting_calls_are_counted_from_the_queue() {
    // 9 queued calls are sent in the next rows, 2 per row, and then none waits.
    let emptied = rows(2, &[(9, None), (7, None), (5, None), (3, None), (1, None), (0, None), (0, None)]);
    let waiting = |rows: &[Second]| waiting_calls(rows, &Times::default());
    assert_eq!(waiting(&emptied), 9);
    // Calls that leave the queue without being sent waited too, and so do those that remain.
    assert_eq!(waiting(&rows(0, &[(50, None), (0, None)])), 50);
    assert_eq!(waiting(&rows(1, &[(5, None), (9, None), (9, None)])), 11);
    assert_eq!(waiting(&rows(4, &[(0, None); 5])), 0);
}

#[test]
fn sketches_contain_the_calls_that_waited() {
    // One call of low priority stays in the queue, and ten others a second are sent at once or after a wait.
    let rows = rows(10, &[(1, None); 20]);
    let waiting = |slow: u64| {
        let mut waits = Times::default();
        rows.iter().for_each(|_| waits.add_sketch(&[(0, 10 - slow), (700, slow)].into_iter().collect(), 700, None));
        waiting_calls(&rows, &waits)
    };
    assert_eq!([waiting(0), waiting(3), waiting(10)], [1, 61, 201]);
    assert_eq!(waiting_calls(&rows, &Times::default()), 20, "an estimate");
    // Of rows of earlier versions the estimate is at least the number that their quantiles show.
    let mut earlier = Times::default();
    rows.iter().for_each(|_| earlier.add_quantiles(10, [600, 700, 700]));
    assert_eq!(waiting_calls(&rows, &earlier), 121);
}

#[test]
fn waits_within_a_second_count_from_a_part_of_the_latency_on() {
    let within = |wait_ms: [u32; 3], latency: u32| {
        let row = Second { wait_ms, latency_ms: [latency; 3], ..rows(100, &[(0, None)])[0] };
        waiting_calls(&[row], &Times::default())
    };
    assert_eq!(within([15, 20, 20], 5), 51);
    assert_eq!(within([0, 20, 20], 5), 2);
    assert_eq!(within([0, 0, 20], 5), 1);
    assert_eq!(within([15, 20, 20], 1000), 0);
    assert_eq!(within([0, 0, 0], 0), 0);
}

#[test]
fn short_waits_are_notable_only_at_a_queue_that_is_never_empty() {
    let with_in_flight = |bottleneck| {
        let mut rows = rows(5, &[(3, bottleneck); 20]);
        rows.iter_mut().for_each(|row| row.in_flight = 200);
        Waiting::of(&rows.into_iter().collect()).is_notable()
    };
    assert_eq!([with_in_flight(None), with_in_flight(Some(Bottleneck::Rate))], [false, true]);
}

#[test]
fn estimate_is_within_the_quantiles_of_the_waits() {
    // Of ten calls a second, one of low priority waits, and three of these are always queued.
    let rows: Vec<_> = rows(10, &[(3, Some(Bottleneck::Rate)); 20])
        .into_iter()
        .map(|row| Second { wait_ms: [0, 3000, 3000], ..row })
        .collect();
    // The first row is the last one before which no call was queued.
    assert_eq!(waiting_calls(&rows, &Times::default()), 1 + 19 * 3 + 3);
    let sent_at_once: Vec<_> = rows.iter().map(|row| Second { wait_ms: [0; 3], ..*row }).collect();
    let most = [&sent_at_once[..19], &rows[19..]].concat();
    assert_eq!(waiting_calls(&most, &Times::default()), 3 + 3, "in the last row alone");
}
