//! A graph as characters.

use std::{
    env,
    fmt::Write as _,
    io::{self, IsTerminal as _},
};

use ratatui::{
    buffer::Buffer,
    crossterm::terminal,
    layout::Rect,
    style::{Color as Ink, Modifier},
};

use crate::draw::{
    cells::{Depth, Paint, Plot, cells, fit, strong, width},
    graph::Graph,
};

/// Where it is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Screen {
    pub(crate) width: u16,
    pub(crate) height: u16,
    pub(crate) paint: Paint,
}

/// The least and the most columns and rows of a drawing.
const WIDTHS: (u16, u16) = (40, 300);
const LEAST_HEIGHT: u16 = 12;
/// A drawing that is wider than this many times its height is flat.
const FLAT: u16 = 5;

impl Screen {
    /// The terminal that stdout is, else what the environment says.
    pub(crate) fn of_stdout() -> Self {
        let is_terminal = io::stdout().is_terminal();
        let size = if is_terminal { terminal::size().ok() } else { None };
        let variable = |name| env::var(name).ok().and_then(|value| value.trim().parse().ok());
        let (columns, rows) = size.unwrap_or((0, 0));
        let or = |size: u16, name, default| {
            Some(size).filter(|size| *size > 0).or_else(|| variable(name)).unwrap_or(default)
        };
        Self::fitting(or(columns, "COLUMNS", 80), or(rows, "LINES", 24), Paint::of_environment(is_terminal))
    }

    /// As large as it may be with so many columns and rows; one row stays free for the prompt.
    fn fitting(columns: u16, rows: u16, paint: Paint) -> Self {
        let width = columns.clamp(WIDTHS.0, WIDTHS.1);
        let height = rows.saturating_sub(1).clamp(LEAST_HEIGHT, (width / FLAT).max(24));
        Self { width, height, paint }
    }

    /// How many columns of dots there are.
    pub(crate) fn columns(self) -> u32 {
        u32::from(self.width) * 2
    }
}

impl Paint {
    /// What the environment says of a terminal's colors.
    pub(crate) fn of_environment(is_terminal: bool) -> Self {
        Self::of(is_terminal, &|name: &str| env::var(name).unwrap_or_default())
    }

    fn of(is_terminal: bool, variable: &dyn Fn(&str) -> String) -> Self {
        let plain = !is_terminal || !variable("NO_COLOR").is_empty() || variable("TERM") == "dumb";
        let depth = match variable("COLORTERM").as_str() {
            _ if plain => Depth::None,
            "truecolor" | "24bit" => Depth::True,
            _ => Depth::Indexed,
        };
        // Some terminals tell their two colors; white paper is 7 or 15.
        let light = matches!(variable("COLORFGBG").rsplit(';').next(), Some("7" | "15"));
        Self { depth, light }
    }
}

pub(crate) fn draw(graph: &Graph, screen: Screen) -> String {
    let area = Rect::new(0, 0, screen.width, screen.height);
    let mut buffer = Buffer::empty(area);
    let title = fit(&graph.title, area.width.into());
    let left = (area.width - cells(width(&title))) / 2;
    buffer.set_stringn(left, 0, title, area.width.into(), strong());
    let plot = Plot { graph, from: 0, to: graph.last.max(1), paint: screen.paint };
    plot.draw(Rect { y: 1, height: area.height - 1, ..area }, &mut buffer);
    text(&buffer, screen.paint)
}

/// The cells as lines. What is blank at their ends is left out.
fn text(buffer: &Buffer, paint: Paint) -> String {
    let mut page = String::new();
    for row in buffer.content().chunks(buffer.area.width.into()) {
        let blank = |cell: &&ratatui::buffer::Cell| cell.symbol() == " " && cell.bg == Ink::Reset;
        let end = row.len() - row.iter().rev().take_while(blank).count();
        let mut style = (Ink::Reset, Ink::Reset, Modifier::empty());
        let mut hidden = 0;
        for cell in &row[..end] {
            // A wide character hides the cell behind it.
            if hidden > 0 {
                hidden -= 1;
                continue;
            }
            hidden = width(cell.symbol()).saturating_sub(1);
            let own = (cell.fg, cell.bg, cell.modifier);
            if paint.is_colored() && own != style {
                page.push_str("\x1b[0");
                if own.2.contains(Modifier::BOLD) {
                    page.push_str(";1");
                }
                push_ink(&mut page, 38, own.0);
                push_ink(&mut page, 48, own.1);
                page.push('m');
                style = own;
            }
            page.push_str(cell.symbol());
        }
        if style != (Ink::Reset, Ink::Reset, Modifier::empty()) {
            page.push_str("\x1b[0m");
        }
        page.push('\n');
    }
    page
}

fn push_ink(page: &mut String, what: u8, ink: Ink) {
    let _ = match ink {
        Ink::Rgb(red, green, blue) => write!(page, ";{what};2;{red};{green};{blue}"),
        Ink::Indexed(index) => write!(page, ";{what};5;{index}"),
        _ => Ok(()),
    };
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::series::{Second, Series};

    const PLAIN: Paint = Paint { depth: Depth::None, light: false };
    const COLORED: Paint = Paint { depth: Depth::True, light: false };

    /// A jump of demand, a refusal and a pause.
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
            Second::of(&row)
        });
        rows.collect()
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

    /// Without the colors.
    fn bare(text: &str) -> String {
        let mut parts = text.split("\x1b[");
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |all, part| all + part.split_once('m').map_or("", |(_, rest)| rest))
    }

    /// With its left edge, so that no blank is lost.
    fn framed(page: &str) -> String {
        page.lines().map(|row| ["|", row.trim_end(), "\n"].concat()).collect()
    }

    #[test]
    fn without_colors_each_curve_is_written_in_its_letter() {
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
        |    0            5            10          15           20           25
        |                                 Offset in seconds
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
        |    0          10         20
        |            Offset in seconds
        ");
    }

    #[test]
    fn seconds_and_tokens_have_their_axes_side_by_side() {
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
        |    0                10              20
        |                    Offset in seconds
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
        |     0        5        10       15        20       25
        |                       Offset in seconds
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
        |    0                  5                   10                  15                  20                 25
        |                                                     Offset in seconds
        ");
        assert!(
            page.contains("\x1b[0;48;2;74;30;38m")
                && page.contains("\x1b[0;38;2;96;122;230m")
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
    fn every_size_and_every_graph_has_a_drawing() {
        let empty = Graph::of_model("m", &Series::default(), &"riefoanwl".parse().unwrap(), 100);
        let one = Graph::of_model(
            "m",
            &[Second::counted(7, [u64::MAX; 5])].into_iter().collect(),
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
    fn the_size_has_bounds() {
        let size = |columns, rows| {
            let Screen { width, height, .. } = Screen::fitting(columns, rows, PLAIN);
            (width, height)
        };
        assert_eq!(
            [size(80, 24), size(1, 1), size(140, 40), size(999, 999)],
            [(80, 23), (40, 12), (140, 28), (300, 60)]
        );
    }

    #[test]
    fn the_environment_says_which_colors_there_are() {
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
}
