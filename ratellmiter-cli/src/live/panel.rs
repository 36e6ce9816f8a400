//! What is to be seen of a run that is under way, into the cells of a terminal.

use ratatui::{
    buffer::Buffer,
    layout::{Alignment, Rect},
    style::{Modifier, Style},
    widgets::{Paragraph, Widget as _, Wrap},
};

use crate::{
    draw::cells::{ALARM, Paint, Plot, cells, fit, strong, width},
    live::run::{Figure, View},
    output::printable,
};

/// All of the screen.
#[derive(Debug)]
pub(crate) struct Panel<'a> {
    /// Which log it is, or where one is looked for.
    pub(crate) log: &'a str,
    /// The models, and which of them is shown; after them all together, if there are several.
    pub(crate) models: &'a [&'a str],
    pub(crate) shown: Option<usize>,
    pub(crate) view: &'a View,
    /// What should be known besides.
    pub(crate) note: Option<&'a str>,
    pub(crate) paint: Paint,
}

/// Below that there is no chart.
const LEAST: (u16, u16) = (40, 12);

/// For how many seconds a screen has room.
pub(crate) fn room(columns: u16, paint: Paint) -> u64 {
    let dots = if paint.is_colored() { 2 } else { 1 };
    u64::from(columns.saturating_sub(8).max(15)) * dots
}

impl Panel<'_> {
    pub(crate) fn draw(&self, area: Rect, buffer: &mut Buffer) {
        if area.width < LEAST.0 || area.height < LEAST.1 {
            let text =
                format!("{} x {} cells are too few; it takes {} x {}", area.width, area.height, LEAST.0, LEAST.1);
            Paragraph::new(text).wrap(Wrap { trim: true }).render(area, buffer);
            return;
        }
        let row = |y: u16| Rect { y: area.y + y, height: 1, ..area };
        self.draw_models(row(0), buffer);
        self.draw_foot(row(area.height - 1), buffer);
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
                Plot { graph: &chart.graph, from: chart.from, to: chart.to, paint: self.paint }.draw(rest, buffer);
            }
        }
    }

    /// The log to the right, and the models in what is left.
    fn draw_models(&self, row: Rect, buffer: &mut Buffer) {
        let log = fit(&printable(self.log), usize::from(row.width) / 2);
        let start = row.right() - cells(width(&log));
        buffer.set_stringn(start, row.y, &log, row.width.into(), self.paint.faint());
        let all = (self.models.len() > 1).then_some("all");
        let names: Vec<_> = self.models.iter().copied().chain(all).collect();
        let entry = |index: usize| {
            let key = if index < 9 && index < self.models.len() { format!("{} ", index + 1) } else { String::new() };
            fit(&format!(" {key}{} ", printable(names[index])), 24)
        };
        let room = start.saturating_sub(row.x + 1);
        // The one that is shown is always to be seen: those before it go first.
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
            let style =
                if self.shown == Some(index) { strong().add_modifier(Modifier::REVERSED) } else { Style::new() };
            (x, _) = buffer.set_stringn(x, row.y, entry, left.into(), style);
        }
    }

    /// Gives the rows that they take.
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
        // Low screens have room for the first of them.
        rows.truncate(if area.height >= 16 { rows.len() } else { 1 });
        let mut y = area.y;
        for row in &rows {
            let used: u16 = row.iter().map(|figure| natural(figure)).sum();
            let more = (area.width - used) / cells(row.len().max(1));
            let mut x = area.x + 1;
            for figure in row {
                let room = usize::from(natural(figure) - 1);
                let alarm = Style::new().fg(self.paint.ink(ALARM));
                let style = if figure.alarms { strong().patch(alarm) } else { strong() };
                buffer.set_stringn(x, y, fit(&figure.value, room), room, style);
                buffer.set_stringn(x, y + 1, figure.name, room, self.paint.faint());
                x += natural(figure) + more;
            }
            y += 2;
        }
        y - area.y
    }

    fn draw_foot(&self, row: Rect, buffer: &mut Buffer) {
        let keys = if self.models.len() > 1 { "tab next model  q leave" } else { "q leave" };
        let start = row.right() - cells(keys.len());
        buffer.set_stringn(start, row.y, keys, keys.len(), self.paint.faint());
        let room = usize::from(start - row.x - 2);
        let note = fit(&printable(self.note.unwrap_or_default()), room);
        buffer.set_stringn(row.x + 1, row.y, note, room, Style::new());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use insta::assert_snapshot;
    use ratatui::{Terminal, backend::TestBackend};
    use ratellmiter_core::log::Row;

    use super::*;
    use crate::{
        draw::cells::Depth,
        live::run::{Live, Shown},
    };

    const START: u64 = 1_795_502_413;
    const PLAIN: Paint = Paint { depth: Depth::None, light: false };
    const COLORED: Paint = Paint { depth: Depth::True, light: false };

    fn live() -> Live {
        let mut live = Live::default();
        live.caught_up();
        for at in 0..40 {
            let paused = (20..25).contains(&at);
            let row = Row {
                at: START + at,
                model: "gpt-4o".into(),
                requested: 3,
                issued: if paused { 0 } else { 2 },
                rate_limited: u64::from(at == 20),
                finished: if paused { 0 } else { 2 },
                overflow: at,
                rate: if paused { 0.0 } else { 2.0 },
                limit: Some(2.5),
                time_left: Some(20.0),
                in_flight: 3,
                ..Row::default()
            };
            live.add(&serde_json::to_vec(&row).unwrap(), Duration::from_secs(START + at + 1));
            if at % 7 == 0 {
                let row = Row { model: "模型 🦀".into(), ..row };
                live.add(&serde_json::to_vec(&row).unwrap(), Duration::from_secs(START + at + 1));
            }
        }
        live
    }

    fn screen(width: u16, height: u16, shown: &Shown, paint: Paint) -> String {
        let live = live();
        let models: Vec<_> = live.models().collect();
        let view = live.view(shown, &"riefo".parse().unwrap(), room(width, paint), Duration::from_secs(START + 40));
        let chosen = live.chosen(shown).map(|chosen| models.iter().position(|model| *model == chosen[0]).unwrap());
        let shown = if *shown == Shown::All { Some(models.len()) } else { chosen };
        let panel = Panel {
            log: "1795502413-7.jsonl",
            models: &models,
            shown,
            view: &view,
            note: Some("no row for 3s"),
            paint,
        };
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| panel.draw(frame.area(), frame.buffer_mut())).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn a_model() {
        assert_snapshot!(screen(80, 24, &Shown::Any, COLORED), @r#"
        " 1 gpt-4o  2 模型 🦀  all                                     1795502413-7.jsonl" Hidden by multi-width symbols: [(14, " "), (16, " "), (19, " ")]
        "                                                                                "
        " 39       3          2 of 2.5   –       20s        120     70        1          "
        " waiting  in flight  allowed/s  pause   time left  calls   finished  refusals   "
        "                                                                                "
        "       ━━━ overflow, waiting   ━━━ requested   ━━━ issued   ━━━ finished        "
        "                                ━━━ rate limited                                "
        "Number of requests                                                              "
        "   │                                             ⣀⡠⠔⠒⠁                          "
        "   │                                         ⢀⡠⠔⠉                               "
        " 30┤┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈⢀⡠⠤⠒⠉⠁┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈ "
        "   │                               ⢀⡠⠤⠒⠉⠁                                       "
        "   │                           ⢀⣀⠤⠒⠁                                            "
        " 20┤┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈⢀⡠⠤⠒⠊⠁┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈ "
        "   │                  ⣀⠤⠒⠉⠁                                                     "
        "   │             ⢀⣀⠤⠒⠊                                                          "
        " 10┤┈┈┈┈┈┈┈┈⢀⣀⠤⠒⠊⠁┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈ "
        "   │     ⡠⠔⠊⠁                                                                   "
        "  0┤⣛⠿⠟⠛⠛⠛⠛⠛⠛⠛⠛⠛⠛⠛⠛⠛⠛⠛⠛⠛⠛⠛⠛⠛⣫⢭⢍⠉⠉⠉⢉⠝⠛⠛⠛⠛⠛⠛⠛⠛⠛⠛⠛⠛⠛⠛⠛⠛⠛⠃┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈ "
        "   └┬───────────┬────────────┬────────────┬───────────┬────────────┬─────────── "
        "    0           10           20           30          40           50           "
        "                                 Offset in seconds                              "
        "                                                                                "
        " no row for 3s                                           tab next model  q leave"
        "#);
        assert_snapshot!(screen(40, 20, &Shown::Any, PLAIN), @r#"
        " 1 gpt-4o  2 模型 🦀  1795502413-7.jsonl" Hidden by multi-width symbols: [(14, " "), (16, " "), (19, " ")]
        "                                        "
        " 39       3          2 of 2.5   –       "
        " waiting  in flight  allowed/s  pause   "
        " 20s        120     70        1         "
        " time left  calls   finished  refusals  "
        "                                        "
        " ooo overflow, waiting   rrr requested  "
        "       iii issued   fff finished        "
        "            eee rate limited            "
        "Number of requests                      "
        "   │             ░░░░░░           ooooo "
        "   │             ░░░░░░ooooooooooo      "
        " 20┤        ooooooooooo                 "
        "   │oooooooo     ░░░░░░                 "
        "  0┤ffffffffffffeeerrrfffffffffffffffff "
        "   └─────────────┬───────────────────── "
        "                 20                     "
        "                                        "
        " no row for 3s   tab next model  q leave"
        "#);
    }

    #[test]
    fn all_models() {
        assert_snapshot!(screen(120, 16, &Shown::All, COLORED), @r#"
        " 1 gpt-4o  2 模型 🦀  all                                                                             1795502413-7.jsonl" Hidden by multi-width symbols: [(14, " "), (16, " "), (19, " ")]
        " 39            6               2            0            20s             138          80             1                  "
        " waiting       in flight       models       paused       time left       calls        finished       refusals           "
        "                                            ━━━ gpt-4o: 70   ━━━ 模型 🦀: 10                                            " Hidden by multi-width symbols: [(66, " "), (68, " "), (71, " ")]
        "Number of requests                                                                                                      "
        " 2┤⡏⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⢹⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⢹⠉⠉⠉⠉⠉⠉⠉⠉⠉⡇┈┈┈┈┈┈┈┈┈┈┈⡏⠉⠉⠉⠉⠉⡏⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⢹⠉⠉⠉⠉⠉⠉⠉⠉┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈ "
        "  │⢸            ⡇⡇            ⡇⡇        ⢸          ⢸     ⢸⢸            ⡇⡇                                               "
        "  │⠸⡀          ⢀⠇⢇           ⢀⠇⢇        ⠸⡀         ⡸     ⡸⠸⡀          ⢀⠇⢇                                               "
        " 1┤┈⡇┈┈┈┈┈┈┈┈┈┈⢸┈⢸┈┈┈┈┈┈┈┈┈┈┈⢸┈⢸┈┈┈┈┈┈┈┈┈⡇┈┈┈┈┈┈┈┈┈⡇┈┈┈┈┈⡇┈⡇┈┈┈┈┈┈┈┈┈┈⢸┈⢸┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈ "
        "  │ ⢱          ⡎ ⠈⡆          ⡎ ⠈⡆        ⢱        ⢰⠁    ⢰⠁ ⢱          ⡎ ⠈⡆                                              "
        "  │ ⢸          ⡇  ⡇          ⡇  ⡇        ⢸        ⢸     ⢸  ⢸          ⡇  ⡇                                              "
        " 0┤┈┈⡇⣀⣀⣀⣀⣀⣀⣀⣀⢸┈┈┈⢸⣀⣀⣀⣀⣀⣀⣀⣀⣀⢸┈┈┈⢸⣀⣀⣀⣀⣀⣀⣀⣀⣀⡇⣀⣀⣀⣀⣀⣀⣀⡇⣀⣀⣀⣀⣀⡇┈┈┈⡇⣀⣀⣀⣀⣀⣀⣀⣀⢸┈┈┈⢸⣀⣀⣀⣀⣀⣀┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈ "
        "  └┬─────────┬────────┬─────────┬─────────┬─────────┬────────┬─────────┬─────────┬─────────┬─────────┬────────┬──────── "
        "   0         5        10        15        20        25       30        35        40        45        50       55        "
        "                                                    Offset in seconds                                                   "
        " no row for 3s                                                                                   tab next model  q leave"
        "#);
    }

    #[test]
    fn nothing_yet() {
        assert_snapshot!(screen(40, 12, &Shown::Named("other".into()), PLAIN), @r#"
        " 1 gpt-4o  2 模型 🦀  1795502413-7.jsonl" Hidden by multi-width symbols: [(14, " "), (16, " "), (19, " ")]
        "                                        "
        "                                        "
        "                                        "
        " waiting for the model "other"; there is"
        "           "gpt-4o", "模型 🦀"          " Hidden by multi-width symbols: [(23, " "), (25, " "), (28, " ")]
        "                                        "
        "                                        "
        "                                        "
        "                                        "
        "                                        "
        " no row for 3s   tab next model  q leave"
        "#);
    }

    #[test]
    fn every_size_has_a_picture() {
        for (width, height) in [(1, 1), (39, 12), (40, 11), (40, 12), (41, 13), (300, 3), (5, 90), (300, 100)] {
            for shown in [Shown::Any, Shown::All, Shown::Named("none".into())] {
                screen(width, height, &shown, PLAIN);
                screen(width, height, &shown, COLORED);
            }
        }
        assert!(screen(30, 5, &Shown::Any, PLAIN).contains("30 x 5 cells are too few"));
    }
}
