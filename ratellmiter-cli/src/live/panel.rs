//! Renders the screen of `-follow` into the cells of a terminal.

use ratatui::{
    buffer::Buffer,
    layout::{Alignment, Rect},
    style::{Modifier, Style},
    widgets::{Paragraph, Widget as _, Wrap},
};

use crate::{
    draw::cells::{ALARM, Paint, Stack, bold, cells, fit, width},
    live::run::{Figure, View},
    names::of_model,
    words::printable,
};

/// The whole screen.
#[derive(Debug)]
pub(crate) struct Panel<'a> {
    /// Name of the log.
    pub(crate) log: &'a str,
    pub(crate) models: &'a [&'a str],
    /// Index of the selected model, or the number of models if all are selected.
    pub(crate) shown: Option<usize>,
    pub(crate) view: &'a View,
    /// A remark for the footer.
    pub(crate) note: Option<&'a str>,
    pub(crate) paint: Paint,
}

/// Smallest columns and rows for a chart.
const MIN_SIZE: (u16, u16) = (40, 12);

/// Returns the number of seconds that fit on a screen.
pub(crate) fn seconds_fitting(columns: u16, paint: Paint) -> u64 {
    let dots = if paint.is_colored() { 2 } else { 1 };
    u64::from(columns.saturating_sub(8).max(15)) * dots
}

impl Panel<'_> {
    pub(crate) fn draw(&self, area: Rect, buffer: &mut Buffer) {
        if area.width < MIN_SIZE.0 || area.height < MIN_SIZE.1 {
            let text =
                format!("{} x {} cells are too few: at least {} x {}", area.width, area.height, MIN_SIZE.0, MIN_SIZE.1);
            Paragraph::new(text).wrap(Wrap { trim: true }).render(area, buffer);
            return;
        }
        let row = |y: u16| Rect { y: area.y + y, height: 1, ..area };
        self.draw_models(row(0), buffer);
        self.draw_footer(row(area.height - 1), buffer);
        let airy = u16::from(area.height >= 20);
        let rest = Rect { y: area.y + 1 + airy, height: area.height - 2 - 2 * airy, ..area };
        match self.view {
            View::Waiting(text) => {
                let middle = Rect { y: rest.y + rest.height / 3, height: rest.height - rest.height / 3, ..rest };
                let text = Paragraph::new(printable(text)).alignment(Alignment::Center).wrap(Wrap { trim: true });
                text.render(middle, buffer);
            }
            View::Chart(chart) => {
                let used = self.draw_figures(&chart.figures, rest, buffer) + airy;
                let rest = Rect { y: rest.y + used, height: rest.height.saturating_sub(used), ..rest };
                let (graphs, paint) = (&chart.graphs, self.paint);
                Stack { graphs, from: chart.from, to: chart.to, paint }.draw(rest, buffer);
            }
        }
    }

    /// Draws the name of the log on the right and the models in the remaining space.
    fn draw_models(&self, row: Rect, buffer: &mut Buffer) {
        let log = fit(&printable(self.log), usize::from(row.width) / 2);
        let start = row.right() - cells(width(&log));
        buffer.set_stringn(start, row.y, &log, row.width.into(), self.paint.faint());
        let all = (self.models.len() > 1).then_some("all");
        let names: Vec<_> = self.models.iter().copied().chain(all).collect();
        let entry = |index: usize| {
            let key = if index < 9 && index < self.models.len() { format!("{} ", index + 1) } else { String::new() };
            fit(&format!(" {key}{} ", of_model(names[index])), 24)
        };
        let room = start.saturating_sub(row.x + 1);
        // The selected model is always visible: entries before it are omitted first.
        let shown = self.shown.unwrap_or(0).min(names.len().saturating_sub(1));
        let mut first = shown;
        let mut used = names.get(shown).map_or(0, |_| width(&entry(shown)));
        while let Some(before) = first.checked_sub(1) {
            used += width(&entry(before));
            if used > room.into() {
                break;
            }
            first = before;
        }
        let mut x = row.x;
        for index in first..names.len() {
            let left = start.saturating_sub(x + 1);
            let entry = entry(index);
            if width(&entry) > left.into() && index != shown {
                buffer.set_stringn(x, row.y, "…", left.into(), self.paint.faint());
                break;
            }
            let style = if self.shown == Some(index) { bold().add_modifier(Modifier::REVERSED) } else { Style::new() };
            (x, _) = buffer.set_stringn(x, row.y, entry, left.into(), style);
        }
    }

    /// Draws the figures and returns the number of rows used.
    fn draw_figures(&self, figures: &[Figure], area: Rect, buffer: &mut Buffer) -> u16 {
        let natural = |figure: &Figure| cells(width(&figure.value).max(width(figure.name)).max(6) + 2).min(area.width);
        let mut rows: Vec<Vec<&Figure>> = vec![Vec::new()];
        let mut used = 0;
        for figure in figures {
            if used + natural(figure) > area.width {
                rows.push(Vec::new());
                used = 0;
            }
            used += natural(figure);
            rows.last_mut().expect("there is a first row").push(figure);
        }
        // A low screen shows the first row of figures only.
        rows.truncate(if area.height >= 16 { rows.len() } else { 1 });
        let mut y = area.y;
        for row in &rows {
            let used: u16 = row.iter().map(|figure| natural(figure)).sum();
            let more = (area.width - used) / cells(row.len().max(1));
            let mut x = area.x + 1;
            for figure in row {
                let room = usize::from(natural(figure) - 1);
                let alarm = Style::new().fg(self.paint.ink(ALARM));
                let style = if figure.is_alarm { bold().patch(alarm) } else { bold() };
                buffer.set_stringn(x, y, fit(&figure.value, room), room, style);
                buffer.set_stringn(x, y + 1, figure.name, room, self.paint.faint());
                x += natural(figure) + more;
            }
            y += 2;
        }
        y - area.y
    }

    fn draw_footer(&self, row: Rect, buffer: &mut Buffer) {
        let keys = if self.models.len() > 1 { "tab next model  q quit" } else { "q quit" };
        let start = row.right() - cells(keys.len());
        buffer.set_stringn(start, row.y, keys, keys.len(), self.paint.faint());
        let room = usize::from(start - row.x - 2);
        let note = fit(&printable(self.note.unwrap_or_default()), room);
        buffer.set_stringn(row.x + 1, row.y, note, room, Style::new());
    }
}

#[cfg(test)]
mod tests;
