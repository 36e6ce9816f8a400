//! Tests of panels in a terminal.

use insta::assert_snapshot;

use super::*;

/// The burst of `series` at a limit of one call per second, as the panels of a course.
fn panels(lines: &str, columns: u16, rows: u16, paint: Paint) -> String {
    let limited = |second: &Second| Second { limit: 1.0, ..*second };
    let series: Series = series().seconds().iter().map(limited).collect();
    let screen = Screen::fitting(columns, rows, paint);
    let summary = crate::summary::Summary::from_series("m", &series);
    let course = Course::of_model("m", &series, &lines.parse().unwrap(), screen.columns().into(), &summary);
    let page = draw_panels(&course, screen);
    assert_eq!(page.lines().count(), usize::from(screen.height));
    page
}

#[test]
fn rates_are_above_the_queue_on_one_time_axis() {
    assert_snapshot!(framed(&panels("riefo", 80, 24, PLAIN)), @r"
    |                               Request Flow for m
    |limit 60 a minute  ·  1 refusal, 1 pause of 6 s  ·  97 % of the calls waited, u…
    |       --- limit 1   rrr requested, up to 30   iii issued   fff finished
    |                                eee rate limited
    |Calls per second
    |   │r                            ░░░░░░░░░░░░░░░░░
    |   │r                            ░░░░░░░░░░░░░░░░░
    |  1┤iiiffffffffffffffffffffffffff--e--------------fffffffffffffffffffffffffffff
    |   │ r f                        f░░░░░░░░░░░░░░░░░f
    |   │ rf                          f░░░░░░░░░░░░░░░f
    |   │  f                          f░░░░░░░░░░░░░░░f
    |   │ fr                          ░f░░░░░░░░░░░░░f░
    |   │ f r                         ░f░░░░░░░░░░░░░f░
    |  0┤f  r                         ░░f░░░░░░░░░░░f░░
    |   └┬────────────┬────────────┬───────────┬────────────┬────────────┬──────────
    |                             ooo overflow, waiting
    |   │ooooo                        ░░░░░░░░░░░░░░░░░
    | 20┤     oooooooooooooooooooo    ░░░░░░░░░░░░░░░░░
    |   │                         oooooooooooooooooooooooooooooooooooo
    |   │                             ░░░░░░░░░░░░░░░░░               oooooooooooooo
    |  0┤                             ░░░░░░░░░░░░░░░░░
    |   └┬────────────┬────────────┬───────────┬────────────┬────────────┬──────────
    |   0:00         0:05         0:10        0:15         0:20         0:25
    ");
    assert_snapshot!(framed(&bare(&panels("riefo", 80, 24, COLORED))), @r"
    |                               Request Flow for m
    |limit 60 a minute  ·  1 refusal, 1 pause of 6 s  ·  97 % of the calls waited, u…
    |       ━━━ limit 1   ━━━ requested, up to 30   ━━━ issued   ━━━ finished
    |                                ━━━ rate limited
    |Calls per second
    |   │⡇
    |  1┤⣸⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀
    |   │⠸⡀⡜                         ⠘⡄               ⢠⠃
    |   │ ⡇⡇                          ⡇               ⢸
    |   │ ⢻                           ⢸               ⡇
    |   │ ⣼                           ⠘⡄             ⢠⠃
    |   │⢀⠏⡆                           ⢇             ⡸
    |   │⢸ ⡇                           ⢸             ⡇
    |  0┤⡎┈⢸⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⠈⡆⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⢰⠁⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀
    |   └┬────────────┬───────────┬────────────┬────────────┬────────────┬──────────
    |                             ━━━ overflow, waiting
    |   │⠒⠢⠤⠤⣀⣀⣀⣀⣀⡀
    | 20┤┈┈┈┈┈┈┈┈┈⠈⠉⠉⠉⠉⠑⠒⠒⠤⠤⠤⠤⠤⣀⣀⣀⣀⣀⡀┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈
    |   │                           ⠈⠉⠉⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠢⠤⠤⣀⣀⣀⣀⣀
    |   │                                                          ⠉⠉⠉⠉⠉⠒⠒⠒⠤⠤⠤⠤⠤⣀⣀⣀⣀
    |  0┤┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈
    |   └┬────────────┬───────────┬────────────┬────────────┬────────────┬──────────
    |   0:00         0:05        0:10         0:15         0:20         0:25
    ");
}

#[test]
fn comparison_has_panels_with_both_runs() {
    let (this, mut other) = (series(), series());
    other.append([Second { limit: 2.0, ..Second::from_counts(1_795_502_460, [0, 1, 0, 1, 0]) }].into_iter().collect());
    let lines = "io".parse().unwrap();
    let course = Course::of_runs("m", [&this, &other], ["a.jsonl", "b.jsonl"], &lines, 80);
    let names: Vec<Vec<_>> = course
        .panels
        .iter()
        .map(|panel| panel.traces.iter().map(|trace| (trace.name.as_str(), trace.is_pale)).collect())
        .collect();
    assert_eq!(
        names,
        [
            [("issued (other)", true), ("issued", false)],
            [("overflow, waiting (other)", true), ("overflow, waiting", false)]
        ]
    );
    assert_eq!((course.title.as_str(), course.last), ("Request Flow for m: a.jsonl and b.jsonl (pale)", 47));
    assert_eq!(course.subtitle, "limit unknown, pale 120 a minute");
    assert_eq!((course.pauses.len(), course.start), (1, None));
    let page = draw_panels(&course, Screen::fitting(200, 60, PLAIN));
    for words in
        ["III issued (other)", "iii issued", "OOO overflow", "Calls per second", "0:40", "Time since the start"]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
}

#[test]
fn several_models_have_panels_by_their_scales() {
    use ratellmiter_core::log::Row;
    let series = |finished| (0..20).map(|at| Row { at, finished, ..Row::default() }).collect::<Series>();
    let all: Vec<_> = (0..14).map(|index| (format!("m{index}"), series(if index < 2 { 90 } else { 2 }))).collect();
    let models: Vec<_> = all.iter().map(|(name, series)| (name.as_str(), series)).collect();
    let page = draw_panels(&Course::of_models(&models, 160), Screen::fitting(100, 40, PLAIN));
    for words in ["m0: 1800", "m9: 40", "4 others: 160", "14 models"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(!page.contains("m10: ") && page.matches("Per second").count() == 2, "{page}");
}

#[test]
fn seconds_without_a_value_have_no_line() {
    use ratellmiter_core::log::Row;
    let rows = (0..30).map(|at| Row { at, issued: 4, rate_limited: u64::from(at == 2 || at == 27), ..Row::default() });
    let series: Series = rows.collect();
    let summary = crate::summary::Summary::from_series("m", &series);
    let course = Course::of_model("m", &series, &"e".parse().unwrap(), 160, &summary);
    let page = draw_panels(&course, Screen::fitting(80, 24, PLAIN));
    let drawn: usize = page.lines().skip(3).map(|line| line.matches('e').count()).sum::<usize>();
    assert!(
        (2..=6).contains(&(drawn - "Time since 1970".matches('e').count() - "Calls per second".matches('e').count())),
        "{page}"
    );
}

#[test]
fn limits_that_change_are_named() {
    let changed = |second: &Second| Second { limit: if second.at < 1_795_502_420 { 2.0 } else { 1.0 }, ..*second };
    let series: Series = series().seconds().iter().map(changed).collect();
    let summary = crate::summary::Summary::from_series("m", &series);
    let course = Course::of_model("m", &series, &"i".parse().unwrap(), 80, &summary);
    let graph = &course.graphs()[0].0;
    assert_eq!(graph.curves[0].name, "limit 2, 1");
    let corners: Vec<_> = graph.curves[0].corners.iter().filter(|(_, height)| !height.is_nan()).copied().collect();
    assert_eq!(corners, [(0, 2.0), (6, 2.0), (7, 1.0), (29, 1.0)]);
}
