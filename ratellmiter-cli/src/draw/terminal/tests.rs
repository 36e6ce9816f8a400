//! Tests of `terminal`.

mod panels;

use insta::assert_snapshot;

use super::*;
use crate::{
    draw::{cells::Plot, graph::Graph},
    series::{Second, Series},
};

const PLAIN: Paint = Paint { depth: Depth::None, light: false };
const COLORED: Paint = Paint { depth: Depth::True, light: false };

/// A burst of calls, a refusal and a pause.
fn series() -> Series {
    use ratellmiter_core::log::{Quantiles, Row};
    let rows = (0_u32..30).map(|at| {
        let (paused, waits) = ((12..18).contains(&at), u64::from(at) * 500);
        let row = Row {
            at: u64::from(at) + 1_795_502_413,
            requested: if at == 0 { 30 } else { 0 },
            issued: u64::from(!paused),
            rate_limited: u64::from(at == 12),
            finished: u64::from(at > 0 && !paused),
            overflow: u64::from(29 - at.min(12) - at.saturating_sub(18)),
            rate: if paused { 0.0 } else { 1.0 },
            wait_ms: Quantiles { p50: waits, p99: waits, max: waits },
            ..Row::default()
        };
        Second::from_row(&row)
    });
    rows.collect()
}

fn draw(graph: &Graph, screen: Screen) -> String {
    let area = Rect::new(0, 0, screen.width, screen.height);
    let mut buffer = Buffer::empty(area);
    let title = fit(&graph.title, area.width.into());
    let left = (area.width - cells(width(&title))) / 2;
    buffer.set_stringn(left, 0, title, area.width.into(), bold());
    let plot = Plot { graph, from: 0, to: graph.last.max(1), paint: screen.paint, labels: 0, timed: true };
    plot.draw(Rect { y: 1, height: area.height - 1, ..area }, &mut buffer);
    text(&buffer, screen.paint)
}

fn drawn(lines: &str, columns: u16, rows: u16, paint: Paint) -> String {
    let screen = Screen::fitting(columns, rows, paint);
    let graph = Graph::of_model("模型 🦀", &series(), &lines.parse().unwrap(), screen.columns());
    let page = draw(&graph, screen);
    for row in page.lines() {
        assert!(width(&bare(row)) <= usize::from(columns.max(40)), "{row:?}");
        assert!(!row.ends_with(' '), "{row:?}");
    }
    page
}

/// Removes color sequences.
fn bare(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + part.split_once('m').map_or("", |(_, rest)| rest))
}

/// Adds a left edge, so that the snapshot keeps leading blanks.
fn framed(page: &str) -> String {
    page.lines().map(|row| ["|", row.trim_end(), "\n"].concat()).collect()
}

#[test]
fn curves_are_letters_without_colors() {
    assert_snapshot!(framed(&drawn("riefo", 80, 20, PLAIN)), @r"
    |                            Request Flow for 模型 🦀
    |       ooo overflow, waiting   rrr requested   iii issued   fff finished
    |                                eee rate limited
    |Number of requests
    | 30┤ro                           ░░░░░░░░░░░░░░░░░
    |   │r oooooooo                   ░░░░░░░░░░░░░░░░░
    | 25┤ r        ooooo              ░░░░░░░░░░░░░░░░░
    |   │ r             ooooooo       ░░░░░░░░░░░░░░░░░
    | 20┤ r                    oooooooo░░░░░░░░░░░░░░░░
    |   │ r                           ░oooooooooooooooooooo
    | 15┤  r                          ░░░░░░░░░░░░░░░░░    oooooooo
    | 10┤  r                          ░░░░░░░░░░░░░░░░░            oooooooo
    |   │  r                          ░░░░░░░░░░░░░░░░░                    ooooooo
    |  5┤  r                          ░░░░░░░░░░░░░░░░░                           oo
    |   │   r                         ░░░░░░░░░░░░░░░░░
    |  0┤ffffffffffffffffffffffffffffeeeeee░░░░░░░░░ffffffffffffffffffffffffffffffff
    |   └┬────────────┬────────────┬───────────┬────────────┬────────────┬──────────
    |   0:00         0:05         0:10        0:15         0:20         0:25
    |                        Time since 2026-11-24 06:40:13 UTC
    ");
    assert_snapshot!(framed(&drawn("rfow", 40, 16, PLAIN)), @r"
    |        Request Flow for 模型 🦀
    | ooo overflow, waiting   rrr requested
    |     fff finished   www wait p99, s
    |Number of requests
    | 30┤ro           ░░░░░░░          www│
    |   │r ooooo      ░░░░░░░     wwwww   │
    | 20┤r      oooo  ░░░░░░░ wwww        ├10
    |   │r          oooooowwwwo           │
    |   │ r          wwwww░░░  oooooo     │
    | 10┤ r      wwww ░░░░░░░        oooo ├5
    |   │ r wwwww     ░░░░░░░            o│
    |  0┤wwwfffffffffff░░░░░ffffffffffffff├0
    |   └┬──────────┬──────────┬──────────┘
    |   0:00       0:10       0:20
    |    Time since 2026-11-24 06:40:13 UTC
    ");
}

#[test]
fn closed_limiter_is_shaded_apart_from_pauses() {
    let closed = |second: &Second| Second {
        closed: (second.at > 1_795_502_433).then_some(ratellmiter_core::log::ClosedReason::Quota),
        ..*second
    };
    let series: Series = series().seconds().iter().map(closed).collect();
    let drawn = |columns, paint| {
        let screen = Screen::fitting(columns, 12, paint);
        draw(&Graph::of_model("m", &series, &"ro".parse().unwrap(), screen.columns()), screen)
    };
    assert_snapshot!(framed(&drawn(60, PLAIN)), @r#"
    |                     Request Flow for m
    |     ▒▒▒ closed   ooo overflow, waiting   rrr requested
    |Number of requests
    | 30┤rooo                 ░░░░░░░░░░░░░    ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒
    |   │r   ooooooooo        ░░░░░░░░░░░░░    ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒
    | 20┤ r           ooooooooo░░░░░░░░░░░░    ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒
    |   │ r                   ░ooooooooooooooooooooo▒▒▒▒▒▒▒▒▒▒▒▒
    | 10┤ r                   ░░░░░░░░░░░░░    ▒▒▒▒▒ooooooooo▒▒▒
    |   │  r                  ░░░░░░░░░░░░░    ▒▒▒▒▒▒▒▒▒▒▒▒▒▒ooo
    |  0┤  r                  ░░░░░░░░░░░░░    ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒
    |   └┬────────┬─────────┬────────┬────────┬─────────┬───────
    |   0:00     0:05      0:10     0:15     0:20      0:25
    "#);
    let page = drawn(60, COLORED);
    assert!(page.contains(";48;2;84;70;18m") && page.contains(";48;2;74;30;38m"), "{page:?}");
    assert!(bare(&page).contains("    closed   ━━━ overflow, waiting"), "{page}");
    let indexed = drawn(60, Paint { depth: Depth::Indexed, light: true });
    let backgrounds: std::collections::BTreeSet<_> =
        indexed.split(";48;5;").skip(1).filter_map(|rest| rest.split('m').next()).collect();
    assert_eq!(backgrounds.len(), 2, "{backgrounds:?}");
}

#[test]
fn seconds_and_tokens_have_separate_axes() {
    use ratellmiter_core::log::Row;
    let mut series = series();
    series.append(
        (0..30)
            .map(|at| Row {
                at: at + 1_795_502_413,
                used_tokens: at * 700,
                overflow: 30 - at,
                rate: 1.0,
                ..Row::default()
            })
            .collect(),
    );
    let screen = Screen::fitting(60, 16, PLAIN);
    let page = |lines: &str| {
        let graph = Graph::of_model("m", &series, &lines.parse().unwrap(), screen.columns());
        framed(&draw(&graph, screen))
    };
    assert_snapshot!(page("owu"), @r#"
    |                     Request Flow for m
    | uuu tokens used   ooo overflow, waiting   www wait p99, s
    |Number of requests                            Seconds Tokens
    |   │ooo                                           www│  ├20k
    |   │   ooooooo                              wwwwww   │  │
    |   │          ooooooo                wwwwwww         ├10│
    | 40┤                 oooooo     wwwww                │  │
    |   │                      wwwwwwooooo                │  ├10k
    | 20┤                 wwwww           ooooooo         ├5 │
    |   │          wwwwwww                       ooooo    │  │
    |   │   wwwwwww                                   oooo│  │
    |  0┤www                                              ├0 ├0
    |   └┬────────────────┬───────────────┬───────────────┘  ╵
    |   0:00             0:10            0:20
    |           Time since 2026-11-24 06:40:13 UTC
    "#);
    assert_snapshot!(page("u"), @r#"
    |                     Request Flow for m
    |                      uuu tokens used
    |Tokens
    | 20k┤                                                   uuu
    |    │                                            uuuuuuu
    |    │                                     uuuuuuu
    |    │                               uuuuuu
    | 10k┤                        uuuuuuu
    |    │                  uuuuuu
    |    │           uuuuuuu
    |    │    uuuuuuu
    |   0┤uuuu
    |    └┬────────┬────────┬────────┬─────────┬────────┬───────
    |    0:00     0:05     0:10     0:15      0:20     0:25
    |               Time since 2026-11-24 06:40:13 UTC
    "#);
}

#[test]
fn with_colors_curves_are_dots_and_pauses_are_shaded() {
    let page = drawn("riefo", 120, 24, COLORED);
    assert_snapshot!(framed(&bare(&page)), @r"
    |                                                Request Flow for 模型 🦀
    |                  ━━━ overflow, waiting   ━━━ requested   ━━━ issued   ━━━ finished   ━━━ rate limited
    |Number of requests
    | 30┤⡧⢄⣀⡀┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈
    |   │⢱  ⠈⠉⠒⠢⢄⣀⡀
    | 25┤⢸┈┈┈┈┈┈┈┈⠈⠉⠑⠒⠢⠤⢄⣀┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈
    |   │⠈⡆               ⠉⠉⠒⠢⠤⣀
    |   │ ⡇                     ⠉⠉⠒⠒⠤⠤⣀⣀
    | 20┤┈⢱┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈⠉⠉⠒⠒⠤⢄⣀┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈
    |   │ ⢸                                    ⠉⠒⠒⠤⠤⣀⣀
    |   │ ⠘⡄                                          ⠉⠉⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠢⠤⢄⣀
    | 15┤┈┈⡇┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈⠉⠑⠢⠤⢄⣀⡀┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈
    |   │  ⢣                                                                               ⠈⠉⠑⠒⠢⠤⢄⣀⡀
    |   │  ⢸                                                                                       ⠈⠉⠑⠒⠢⠤⣀
    | 10┤┈┈⠸⡀┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈⠉⠒⠒⠤⠤⣀⣀┈┈┈┈┈┈┈┈┈┈┈
    |   │   ⡇                                                                                                    ⠉⠉⠒⠒⠤⠤⣀⡀
    |   │   ⢇                                                                                                           ⠈⠉⠒⠤
    |  5┤┈┈┈⢸┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈
    |   │   ⠸⡀
    |  0┤⣒⡲⠶⠖⡗⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⢒⣒⠤⠤⣒⠒⠤⠤⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⡠⠤⠔⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒
    |   └┬──────────────────┬───────────────────┬───────────────────┬───────────────────┬──────────────────┬────────────────
    |   0:00               0:05                0:10                0:15                0:20               0:25
    |                                            Time since 2026-11-24 06:40:13 UTC
    ");
    assert!(
        page.contains("\x1b[0;48;2;74;30;38m")
            && page.contains("\x1b[0;38;2;92;118;234m")
            && page.contains("\x1b[0;1m")
    );
    assert!(
        page.lines().all(|row| row.rsplit_once("\x1b[").is_none_or(|(_, last)| last.starts_with("0m"))),
        "{page:?}"
    );
    let indexed = drawn("riefo", 80, 24, Paint { depth: Depth::Indexed, light: true });
    assert!(indexed.contains(";38;5;") && !indexed.contains(";38;2;"), "{indexed:?}");
}

#[test]
fn axis_of_hours_has_times_and_names_its_start() {
    let hours: Series = (0..=3 * 3600).map(|at| Second::from_counts(at + 1_795_502_400, [1; 5])).collect();
    let page = draw(&Graph::of_model("m", &hours, &"r".parse().unwrap(), 200), Screen::fitting(100, 24, PLAIN));
    let labels: Vec<_> = page.lines().rev().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(labels, ["0:00:00", "0:30:00", "1:00:00", "1:30:00", "2:00:00", "2:30:00", "3:00:00"]);
    assert_eq!(page.lines().next_back().unwrap().trim(), "Time since 2026-11-24 06:40:00 UTC");
    // Two runs have two starts.
    let both = Graph::of_runs("m", [&hours, &series()], ["a", "b"], &"r".parse().unwrap(), 200);
    assert!(draw(&both, Screen::fitting(100, 24, PLAIN)).ends_with("Time since the start\n"));
}

#[test]
fn every_size_and_graph_is_drawn() {
    let empty = Graph::of_model("m", &Series::default(), &"riefoanwl".parse().unwrap(), 100);
    let one = Graph::of_model(
        "m",
        &[Second::from_counts(7, [u64::MAX; 5])].into_iter().collect(),
        &"riefo".parse().unwrap(),
        100,
    );
    let all = Graph::of_model(&"name ".repeat(80), &series(), &"riefoanwl".parse().unwrap(), 100);
    let none = Graph::of_models(&[], 100);
    for graph in [&empty, &one, &all, &none] {
        for (columns, rows) in [(1, 1), (40, 12), (80, 24), (300, 90), (u16::MAX, u16::MAX)] {
            for paint in [PLAIN, COLORED] {
                let screen = Screen::fitting(columns, rows, paint);
                assert_eq!(draw(graph, screen).lines().count(), usize::from(screen.height));
            }
        }
    }
    assert!(draw(&one, Screen::fitting(80, 24, PLAIN)).contains("15E"));
}

#[test]
fn size_is_bounded() {
    let size = |columns, rows| {
        let Screen { width, height, .. } = Screen::fitting(columns, rows, PLAIN);
        (width, height)
    };
    assert_eq!([size(80, 24), size(1, 1), size(140, 40), size(999, 999)], [(80, 23), (40, 12), (140, 28), (300, 60)]);
}

#[test]
fn environment_selects_colors() {
    let paint = |is_terminal, variables: &[(&str, &str)]| {
        let value = |name: &str| {
            variables.iter().find(|(other, _)| *other == name).map_or(String::new(), |(_, value)| (*value).into())
        };
        let Paint { depth, light } = Paint::of(is_terminal, &value);
        (depth, light)
    };
    assert_eq!(paint(true, &[]), (Depth::Indexed, false));
    assert_eq!(
        paint(true, &[("COLORTERM", "truecolor"), ("NO_COLOR", ""), ("COLORFGBG", "0;15")]),
        (Depth::True, true)
    );
    for variables in [[("NO_COLOR", "1")], [("TERM", "dumb")]] {
        assert_eq!(paint(true, &variables).0, Depth::None);
    }
    assert_eq!(paint(false, &[("COLORTERM", "24bit")]).0, Depth::None);
}
