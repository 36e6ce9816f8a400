//! Draws a graph as text for a terminal.

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
    cells::{Depth, Paint, Stack, bold, cells, fit, width},
    course::Course,
};

/// Size and colors of a drawing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Screen {
    pub(crate) width: u16,
    pub(crate) height: u16,
    pub(crate) paint: Paint,
}

/// Smallest and largest number of columns.
const WIDTH_RANGE: (u16, u16) = (40, 300);
const MIN_HEIGHT: u16 = 12;
/// Largest ratio of columns to rows, beyond which the height is not increased.
const MAX_ASPECT_RATIO: u16 = 5;

impl Screen {
    /// Returns the size and colors of the terminal at stdout, or of `COLUMNS` and `LINES`.
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

    /// Returns the largest drawing for a terminal of `columns` and `rows`. One row is left for the prompt.
    fn fitting(columns: u16, rows: u16, paint: Paint) -> Self {
        let width = columns.clamp(WIDTH_RANGE.0, WIDTH_RANGE.1);
        let height = rows.saturating_sub(1).clamp(MIN_HEIGHT, (width / MAX_ASPECT_RATIO).max(24));
        Self { width, height, paint }
    }

    /// Returns the number of dot columns.
    pub(crate) fn columns(self) -> u32 {
        u32::from(self.width) * 2
    }
}

impl Paint {
    /// Returns the colors of the terminal according to environment variables.
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
        // Some terminals set this to foreground and background color, where 7 and 15 are white.
        let light = matches!(variable("COLORFGBG").rsplit(';').next(), Some("7" | "15"));
        Self { depth, light }
    }
}

/// Draws the panels of a course below each other.
pub(crate) fn draw_panels(course: &Course, screen: Screen) -> String {
    let area = Rect::new(0, 0, screen.width, screen.height);
    let mut buffer = Buffer::empty(area);
    for (row, (line, style)) in
        [(&course.title, bold()), (&course.subtitle, screen.paint.faint())].into_iter().enumerate()
    {
        let line = fit(line, area.width.into());
        let left = (area.width - cells(width(&line))) / 2;
        buffer.set_stringn(left, cells(row), line, area.width.into(), style);
    }
    let stack = Stack { graphs: &course.graphs(), from: 0, to: course.last.max(1), paint: screen.paint };
    stack.draw(Rect { y: 2, height: area.height - 2, ..area }, &mut buffer);
    text(&buffer, screen.paint)
}

/// Returns the cells as lines, without blanks at their ends.
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
mod tests;
