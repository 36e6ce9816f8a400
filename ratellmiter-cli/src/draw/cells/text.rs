//! Widths of texts in the cells of a terminal.

use ratatui::{
    style::{Modifier, Style},
    text::Span,
};

/// Converts a width to cells. Widths beyond `u16` become its maximum.
pub(crate) fn cells(width: usize) -> u16 {
    u16::try_from(width).unwrap_or(u16::MAX)
}

/// Returns the number of cells of a text.
pub(crate) fn width(text: &str) -> usize {
    Span::raw(text).width()
}

pub(super) fn width_of_more(left: usize) -> usize {
    format!("   and {left} more").len()
}

/// Shortens a text to `room` cells, with an ellipsis.
pub(crate) fn fit(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let mut fitting = String::new();
    let mut used = 1;
    for letter in Span::raw(text).styled_graphemes(Style::new()) {
        used += width(letter.symbol);
        if used > room {
            break;
        }
        fitting.push_str(letter.symbol);
    }
    if room > 0 {
        fitting.push('…');
    }
    fitting
}

pub(crate) fn bold() -> Style {
    Style::new().add_modifier(Modifier::BOLD)
}
