//! Tests of `course`.

use ratellmiter_core::log::{Bottleneck, ClosedReason, Row};

use super::*;
use crate::series::Second;

fn course(rows: impl IntoIterator<Item = Row<'static>>, letters: &str) -> Course {
    let series: Series = rows.into_iter().collect();
    Course::of_model("m", &series, &letters.parse().unwrap(), 400, &Summary::from_series("m", &series))
}

fn row(at: u64) -> Row<'static> {
    Row { at, issued: 5, finished: 5, rate: 5.0, limit: Some(5.0), ..Row::default() }
}

fn trace<'a>(course: &'a Course, name: &str) -> &'a Trace {
    course.panels.iter().flat_map(|panel| &panel.traces).find(|trace| trace.name == name).unwrap()
}

#[test]
fn rates_and_queue_are_panels_and_a_spike_does_not_set_the_scale() {
    let burst = |at| Row { requested: if at == 3 { 500 } else { 5 }, overflow: 500, ..row(at) };
    let course = course((0..60).map(burst), "riefo");
    let names: Vec<Vec<_>> =
        course.panels.iter().map(|panel| panel.traces.iter().map(|trace| trace.name.as_str()).collect()).collect();
    assert_eq!(names, [vec!["requested", "issued", "finished", "rate limited"], vec!["overflow, waiting"]]);
    assert!((6.0..8.0).contains(&course.panels[0].top), "{}", course.panels[0].top);
    assert!(course.panels[1].top > 500.0);
    assert_eq!(course.panels[0].limit, [Level { from: 0, to: 59, value: 5.0 }]);
}

#[test]
fn scale_holds_steady_demand_and_slow_runs() {
    let top = |requested, limit: f64| {
        course((0..60).map(|at| Row { requested, limit: Some(limit), ..row(at) }), "ri").panels[0].top
    };
    assert!(top(12, 5.0) > 12.0, "steady demand above the limit");
    assert!((15.0..25.0).contains(&top(900, 5.0)), "at most four times the limit");
    assert!((5.0..10.0).contains(&top(0, 1000.0)), "far below the limit");
    assert!((100.0..130.0).contains(&top(0, 99.0).max(100.0)));
}

#[test]
fn unknown_seconds_have_no_steps() {
    let rows = [row(0), Row { finished: 0, ..row(1) }, row(2), row(9)];
    let course = course(rows, "fal");
    let spans = |name| trace(&course, name).steps.iter().map(|step| (step.from, step.to)).collect::<Vec<_>>();
    assert_eq!(spans("allowed rate"), [(0, 0), (1, 1), (2, 2), (9, 9)]);
    assert_eq!(spans("latency p99, s"), [(0, 0), (2, 2), (9, 9)]);
    assert_eq!(spans("finished"), (0..10).map(|at| (at, at)).collect::<Vec<_>>(), "no call in a gap");
}

#[test]
fn gap_after_queued_calls_is_unknown() {
    let gap = |overflow, letters: &str, name: &str| {
        let rows = [row(0), Row { overflow, in_flight: 2, ..row(1) }, row(30), row(31)];
        let course = course(rows, letters);
        trace(&course, name).steps.iter().filter(|step| (2..30).contains(&step.from)).count()
    };
    for (letter, name) in
        [("r", "requested"), ("i", "issued"), ("f", "finished"), ("o", "overflow, waiting"), ("n", "in flight")]
    {
        assert_eq!((gap(50, letter, name), gap(0, letter, name)), (0, 28), "{name}");
    }
    // A slow model is counted per minute.
    let slow = |at: u64| Row { limit: Some(0.1), issued: u64::from(at.is_multiple_of(10)), overflow: 9, ..row(at) };
    let course = course((0..600).chain(1200..1800).map(slow), "i");
    let steps = &trace(&course, "issued").steps;
    assert_eq!(course.panels[0].unit, "Calls per minute");
    assert!(steps.iter().all(|step| (step.mean - 6.0).abs() < 1e-9 && !(600..1200).contains(&step.from)), "{steps:?}");
}

#[test]
fn sum_of_logs_with_different_limits_has_no_limit() {
    let levels = |conflict| {
        let mut series: Series = (0..30).map(|at| Row { learned_rate: Some(3.0), ..row(at) }).collect();
        series.set_limit_conflict(conflict);
        let course = Course::of_model("m", &series, &"i".parse().unwrap(), 400, &Summary::from_series("m", &series));
        let many = Course::of_models(&[("m", &series)], 400);
        [&course.panels[0].limit, &course.panels[0].adapted, &many.panels[0].limit].map(Vec::len)
    };
    assert_eq!((levels(Some([3.0, 7.0])), levels(None)), ([0; 3], [1; 3]));
}

#[test]
fn long_runs_are_means_between_least_and_most() {
    let course = course((0..21_600).map(|at| Row { issued: if at == 700 { 99 } else { at % 3 }, ..row(at) }), "i");
    let steps = &trace(&course, "issued").steps;
    assert_eq!((steps.len(), steps[0].from, steps[0].to), (360, 0, 59));
    assert!((steps[0].least, steps[0].most) == (0.0, 2.0) && (steps[0].mean - 1.0).abs() < 1e-9, "{:?}", steps[0]);
    assert!(steps[11].most >= 99.0);
    assert_eq!(steps[359].to, 21_599);
}

#[test]
fn slow_models_are_counted_per_minute() {
    let slow = |at| Row { limit: Some(0.1), issued: u64::from(at % 10 == 0), ..row(at) };
    let course = course((0..3600).map(slow), "i");
    assert_eq!(course.panels[0].unit, "Calls per minute");
    let steps = &trace(&course, "issued").steps;
    assert!(steps.len() == 60 && steps.iter().all(|step| (step.mean - 6.0).abs() < 1e-9), "{steps:?}");
    assert!((course.panels[0].limit[0].value - 6.0).abs() < 1e-6 && course.panels[0].top >= 7.0);
}

#[test]
fn events_are_refusals_overloads_canaries_and_closed_time() {
    let paused = |at| Row { issued: 0, rate: 0.0, held: Some(Bottleneck::Pause), ..row(at) };
    let rows = [
        Row { rate_limited: 1, ..paused(0) },
        paused(1),
        Row { issued: 1, rate_limited: 2, overloaded: 2, ..paused(2) },
        paused(3),
        row(4),
        Row { closed: Some(ClosedReason::Quota), issued: 0, rate: 0.0, ..row(5) },
    ];
    let course = course(rows, "ri");
    let events: Vec<_> = course.events.iter().map(|event| (event.at, event.mark, event.count)).collect();
    assert_eq!(
        events,
        [
            (0, Mark::Refusal, 1),
            (2, Mark::Overload, 2),
            (2, Mark::RefusedCanary, 1),
            (4, Mark::AcceptedCanary, 1),
            (5, Mark::Closed, 1)
        ]
    );
    assert_eq!((course.pauses[0].cause, course.pauses[0].length().as_str()), ("refused", "4 s"));
    assert_eq!(course.closed[0].cause, "closed: quota");
}

#[test]
fn limits_are_levels_and_the_adapted_one_is_drawn_where_it_differs() {
    let rows = (0..30).map(|at| Row {
        limit: Some(if at < 10 { 1.0 } else { 10.0 }),
        learned_rate: (at >= 20).then_some(if at < 25 { 8.0 } else { 10.0 }),
        ..row(at)
    });
    let course = course(rows, "i");
    let spans = |levels: &[Level]| levels.iter().map(|level| (level.from, level.to, level.value)).collect::<Vec<_>>();
    assert_eq!(spans(&course.panels[0].limit), [(0, 9, 1.0), (10, 29, 10.0)]);
    assert_eq!(spans(&course.panels[0].adapted), [(20, 24, 8.0)]);
}

#[test]
fn ten_largest_models_and_the_sum_of_the_others_are_drawn() {
    let series = |finished| (0..20).map(|at| Row { finished, ..row(at) }).collect::<Series>();
    let all: Vec<_> = (0..40).map(|index| (format!("m{index}"), series(50 + index))).collect();
    let models: Vec<_> = all.iter().map(|(name, series)| (name.as_str(), series)).collect();
    let course = Course::of_models(&models[..35], 400);
    let names = |course: &Course| {
        course.panels.iter().flat_map(|panel| &panel.traces).map(|trace| trace.name.clone()).collect::<Vec<_>>()
    };
    let names = names(&course);
    assert_eq!((names.len(), names[0].as_str()), (11, "m34: 1680"));
    assert!(names[10].starts_with("25 others: "), "{names:?}");
    assert!(course.panels.len() > 1, "the sum has another scale");
    assert_eq!(Course::of_models(&models[..5], 400).panels.len(), 1);
    assert_eq!(Course::of_models(&models[..11], 400).panels[0].traces.len(), 11);
    let (small, large) = (series(1), series(80));
    assert_eq!(Course::of_models(&[("small", &small), ("large", &large)], 400).panels.len(), 2);
}

#[test]
fn steps_contain_enough_calls_as_far_as_the_run_has_many_of_them() {
    let steps = |seconds, calls| {
        let course = course((0..seconds).map(|at| Row { issued: calls, ..row(at) }), "i");
        let step = trace(&course, "issued").steps[0];
        step.to - step.from + 1
    };
    assert_eq!([steps(40, 5), steps(400, 30), steps(400, 5), steps(400, 1)], [1, 1, 5, 5]);
    assert_eq!([steps(3, 1), steps(3000, 5), steps(21_600, 5)], [1, 10, 60]);
}

#[test]
fn finished_calls_have_no_band_beside_issued_ones() {
    let bands = |letters: &str| {
        let course = course((0..3000).map(row), letters);
        let traces = course.panels.iter().flat_map(|panel| &panel.traces);
        traces.filter(|trace| trace.has_band).map(|trace| trace.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(bands("rif"), ["requested", "issued"]);
    assert_eq!(bands("rf"), ["requested", "finished"]);
}

#[test]
fn models_share_a_panel_if_their_scales_are_similar() {
    let series =
        |finished: u64| (0..600).map(|at| Row { finished: finished * (at % 2), ..row(at) }).collect::<Series>();
    let all: Vec<_> = [100, 2, 90, 3, 40].map(|finished| (format!("m{finished}"), series(finished))).into();
    let models: Vec<_> = all.iter().map(|(name, series)| (name.as_str(), series)).collect();
    let course = Course::of_models(&models, 400);
    let panels: Vec<Vec<_>> =
        course.panels.iter().map(|panel| panel.traces.iter().map(|trace| trace.name.as_str()).collect()).collect();
    assert_eq!(panels, [vec!["m100: 30000", "m90: 27000", "m40: 12000"], vec!["m3: 900", "m2: 600"]]);
    let step = |name: &str| {
        let step = trace(&course, name).steps[0];
        (step.to - step.from + 1, (step.mean * 10.0).round())
    };
    assert_eq!(step("m100: 30000"), (2, 500.0));
    assert_eq!(step("m2: 600"), (10, 10.0), "slow models have longer steps");
}

#[test]
fn refused_calls_of_python_logs_are_part_of_the_queue() {
    let second = |at| Second { newly_refused: Some(0), ..Second::from_counts(at, [5, 5, 3, 5, 9]) };
    let series: Series = (0..20).map(second).collect();
    let lines = "riefo".parse().unwrap();
    let course = Course::of_model("m", &series, &lines, 400, &Summary::from_series("m", &series));
    let names: Vec<Vec<_>> =
        course.panels.iter().map(|panel| panel.traces.iter().map(|trace| trace.name.as_str()).collect()).collect();
    assert_eq!(names, [vec!["requested", "issued", "finished"], vec!["overflow, waiting", "waiting after a refusal"]]);
}

#[test]
fn slow_model_beside_fast_ones_has_no_band_and_fits() {
    let series = |period: u64, finished| {
        (0..900)
            .map(|at: u64| Row { finished: if at.is_multiple_of(period) { finished } else { 0 }, ..row(at) })
            .collect::<Series>()
    };
    let (slow, fast) = (series(20, 1), series(1, 90));
    let course = Course::of_models(&[("slow", &slow), ("fast", &fast)], 200);
    let panel = &course.panels[1];
    assert!(panel.top < 0.2 && !panel.traces[0].has_band, "{}", panel.top);
    assert!(panel.traces[0].steps.iter().all(|step| step.mean <= panel.top));
}

#[test]
fn calls_that_join_the_refused_ones_of_python_logs_are_marked() {
    // The number of refused calls in the queue stays the same, as one leaves and another joins.
    let row = |at| Second { newly_refused: Some(1), ..Second::from_counts(at, [1, 1, 2, 1, 0]) };
    let series: Series = (0..4).map(row).collect();
    let marked: u64 =
        events::of(&series).iter().filter(|event| event.mark == Mark::Refusal).map(|event| event.count).sum();
    assert_eq!((marked, series.refusals()), (4, 4));
    // Without their times, the increases count.
    let unknown: Series = (0..4).map(|at| Second { newly_refused: None, ..row(at) }).collect();
    assert_eq!((events::of(&unknown).len(), unknown.refusals()), (1, 2));
}

#[test]
fn canaries_are_accepted_or_refused_and_unknown_at_the_end_of_a_log() {
    let paused = |at| Row { issued: 0, rate: 0.0, held: Some(Bottleneck::Pause), ..row(at) };
    let marks = |rows: Vec<Row<'static>>| {
        let course = course(rows, "ri");
        let canaries = course.events.into_iter().filter(|event| !matches!(event.mark, Mark::Refusal | Mark::Closed));
        canaries.map(|event| (event.at, event.mark)).collect::<Vec<_>>()
    };
    let refused = |at| Row { rate_limited: 1, ..paused(at) };
    let sent = |at| Row { issued: 1, ..paused(at) };
    assert_eq!(marks(vec![refused(0), paused(1), sent(2), paused(3), row(4)]), [(2, Mark::AcceptedCanary)]);
    assert_eq!(marks(vec![refused(0), paused(1), sent(2), refused(3), paused(4)]), [(2, Mark::RefusedCanary)]);
    assert_eq!(marks(vec![refused(0), paused(1), sent(2), paused(3)]), []);
    let again = Row { issued: 3, rate_limited: 1, pauses: 1, ..paused(3) };
    assert_eq!(marks(vec![refused(0), paused(1), sent(2), again]), [(2, Mark::AcceptedCanary)]);
    let closed = Row { rate_limited: 1, closed: Some(ClosedReason::Quota), ..paused(3) };
    assert_eq!(marks(vec![refused(0), paused(1), sent(2), closed]), [(2, Mark::RefusedCanary)]);
}
