//! Lines to pixels; all of plotters is in here.
//!
//! Everything is drawn at twice its size and then averaged down: that smooths lines and text alike.

use std::sync::OnceLock;

use plotters::{
    backend::BitMapBackend,
    coord::Shift,
    drawing::{DrawingArea, IntoDrawingArea as _},
    element::{Circle, PathElement, Rectangle, Text},
    style::{
        Color as _, FontStyle, FontTransform, IntoFont as _, RGBColor, ShapeStyle, TextStyle, register_font,
        text_anchor::{HPos, Pos, VPos},
    },
};

use crate::{
    png::Picture,
    series::{Line, Lines, Series},
};

const WIDTH: u32 = 2000;
const HEIGHT: u32 = 800;
/// How many times the size things are drawn at.
const SCALE: u32 = 2;

const LEFT: i32 = 150;
const RIGHT: i32 = 40;
const TOP: i32 = 140;
const BOTTOM: i32 = 120;
/// How much of its size a text stands too high.
const LIFT: f64 = 0.1;
/// Between the frame and the first and last second.
const INSET: i32 = 24;

const INK: RGBColor = RGBColor(25, 25, 25);
const GRID: RGBColor = RGBColor(218, 218, 218);
const PAPER: RGBColor = RGBColor(255, 255, 255);

type Canvas<'a> = DrawingArea<BitMapBackend<'a>, Shift>;

/// Draws the lines of one model.
pub(crate) fn draw(model: &str, series: &Series, lines: &Lines) -> Result<Picture, String> {
    fonts()?;
    let (width, height) = (WIDTH * SCALE, HEIGHT * SCALE);
    let mut large = vec![0; 3 * (width * height) as usize];
    let canvas = BitMapBackend::with_buffer(&mut large, (width, height)).into_drawing_area();
    draw_on(&canvas, model, series, lines).map_err(|error| error.to_string())?;
    canvas.present().map_err(|error| error.to_string())?;
    drop(canvas);
    Ok(Picture { width: WIDTH, height: HEIGHT, pixels: shrink(&large) })
}

/// The fonts are in the program: what the system has, if it has any, does not matter.
fn fonts() -> Result<(), String> {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    let registered = REGISTERED.get_or_init(|| {
        register_font("sans-serif", FontStyle::Normal, notosans::REGULAR_TTF).is_ok()
            && register_font("sans-serif", FontStyle::Bold, notosans::BOLD_TTF).is_ok()
    });
    if *registered { Ok(()) } else { Err("the fonts in the program are damaged".into()) }
}

fn draw_on(canvas: &Canvas<'_>, model: &str, series: &Series, lines: &Lines) -> Result<(), Box<dyn std::error::Error>> {
    let frame = Frame::of(series, lines);
    canvas.fill(&PAPER)?;
    draw_grid(canvas, &frame)?;
    draw_border(canvas)?;
    for line in lines.iter() {
        let color = RGBColor(line.color.0, line.color.1, line.color.2);
        let corners: Vec<_> = frame.thinned(series, line).map(scaled).collect();
        if let [only] = corners[..] {
            // A single second is a dot, the widest line's below.
            canvas.draw(&Circle::new(only, scaled(line.width.cast_signed() * 2), color.filled()))?;
        }
        // Piece by piece with round joints: the corners of a path in one piece grow spikes where it turns back.
        for ends in corners.windows(2) {
            canvas.draw(&PathElement::new(ends, color.stroke_width(line.width * SCALE)))?;
            canvas.draw(&Circle::new(ends[1], (line.width * SCALE / 2).cast_signed(), color.filled()))?;
        }
    }
    draw_legend(canvas, lines)?;
    let title = shortened(canvas, &format!("Request Flow for {}", printable(model)))?;
    write(canvas, &title, (WIDTH.cast_signed() / 2, 44), &title_style())?;
    write(canvas, "Offset in seconds", (center(), HEIGHT.cast_signed() - 34), &text_style(34))?;
    let upright = text_style(34).transform(FontTransform::Rotate270);
    write(canvas, "Number of requests", (34, (TOP + HEIGHT.cast_signed() - BOTTOM) / 2), &upright)
}

/// Where seconds and counts lie on the picture.
struct Frame {
    /// The last second's offset.
    last: u64,
    /// The count at the upper edge.
    top: u64,
    count_step: u64,
    second_step: u64,
}

impl Frame {
    fn of(series: &Series, lines: &Lines) -> Self {
        let last = series.length().saturating_sub(1);
        let largest = series.largest(lines).max(1);
        let count_step = step(largest, 7);
        // A little air above the largest.
        let top = largest.saturating_add((largest / 20).max(u64::from(largest > 1)));
        Self { last, top, count_step, second_step: step(last.max(1), 12) }
    }

    fn x(&self, offset: u64) -> i32 {
        LEFT + INSET + part(offset, self.last, Self::columns())
    }

    fn y(&self, count: u64) -> i32 {
        HEIGHT.cast_signed() - BOTTOM - part(count, self.top, HEIGHT.cast_signed() - TOP - BOTTOM)
    }

    fn columns() -> i32 {
        WIDTH.cast_signed() - LEFT - RIGHT - 2 * INSET
    }

    /// The corners of a line. Where several seconds share a column, its first and last stay, and its least and most.
    fn thinned(&self, series: &Series, line: &Line) -> impl Iterator<Item = (i32, i32)> {
        let mut corners = series.corners(line).map(|(offset, count)| (self.x(offset), self.y(count))).peekable();
        std::iter::from_fn(move || {
            let (x, first) = corners.next()?;
            let (mut low, mut high, mut last) = (first, first, first);
            while let Some((_, y)) = corners.next_if(|(next, _)| *next == x) {
                (low, high, last) = (low.min(y), high.max(y), y);
            }
            let mut ys = vec![first, low, high, last];
            ys.dedup();
            Some(ys.into_iter().map(move |y| (x, y)))
        })
        .flatten()
    }
}

/// The middle of the frame.
fn center() -> i32 {
    i32::midpoint(LEFT, WIDTH.cast_signed() - RIGHT)
}

/// `value` of `whole` on a stretch of pixels.
fn part(value: u64, whole: u64, pixels: i32) -> i32 {
    let share = u128::from(value) * u128::from(pixels.unsigned_abs()) / u128::from(whole.max(1));
    i32::try_from(share).unwrap_or(pixels)
}

/// The least of 1, 2, 5, 10, 20, ... that makes at most so many steps.
fn step(whole: u64, most: u64) -> u64 {
    let mut power = 1_u64;
    loop {
        for factor in [1, 2, 5] {
            match power.checked_mul(factor) {
                Some(step) if whole / step <= most => return step,
                Some(_) => {}
                None => return u64::MAX,
            }
        }
        power = power.saturating_mul(10);
    }
}

fn ticks(last: u64, step: u64) -> impl Iterator<Item = u64> {
    (0..=last / step).map(move |tick| tick * step)
}

fn draw_grid(canvas: &Canvas<'_>, frame: &Frame) -> Result<(), Box<dyn std::error::Error>> {
    let (left, right) = (LEFT, WIDTH.cast_signed() - RIGHT);
    let (top, bottom) = (TOP, HEIGHT.cast_signed() - BOTTOM);
    for count in ticks(frame.top, frame.count_step) {
        let y = frame.y(count);
        rule(canvas, (left, y), (right, y), GRID)?;
        rule(canvas, (left - 10, y), (left, y), INK)?;
        let style = text_style(30).pos(Pos::new(HPos::Right, VPos::Center));
        write(canvas, &abbreviated(count), (left - 18, y), &style)?;
    }
    for offset in ticks(frame.last, frame.second_step) {
        let x = frame.x(offset);
        rule(canvas, (x, top), (x, bottom), GRID)?;
        rule(canvas, (x, bottom), (x, bottom + 10), INK)?;
        write(canvas, &abbreviated(offset), (x, bottom + 34), &text_style(30))?;
    }
    Ok(())
}

fn draw_border(canvas: &Canvas<'_>) -> Result<(), Box<dyn std::error::Error>> {
    let corners = [scaled((LEFT, TOP)), scaled((WIDTH.cast_signed() - RIGHT, HEIGHT.cast_signed() - BOTTOM))];
    Ok(canvas.draw(&Rectangle::new(corners, INK.stroke_width(2 * SCALE)))?)
}

/// One row between title and frame, where no line can be under it.
fn draw_legend(canvas: &Canvas<'_>, lines: &Lines) -> Result<(), Box<dyn std::error::Error>> {
    const SAMPLE: i32 = 56;
    const GAP: i32 = 14;
    const BETWEEN: i32 = 48;
    let y = TOP - 34;
    let style = text_style(28).pos(Pos::new(HPos::Left, VPos::Center));
    let mut widths = Vec::new();
    for line in lines.iter() {
        let (text, _) = canvas.estimate_text_size(line.name, &style)?;
        widths.push(SAMPLE + GAP + i32::try_from(text / SCALE)?);
    }
    let all: i32 = widths.iter().sum::<i32>() + BETWEEN * (i32::try_from(widths.len())? - 1);
    let mut x = center() - all / 2;
    for (line, width) in lines.iter().zip(widths) {
        let color = RGBColor(line.color.0, line.color.1, line.color.2);
        let sample = vec![scaled((x, y)), scaled((x + SAMPLE, y))];
        canvas.draw(&PathElement::new(sample, color.stroke_width((line.width + 1) * SCALE)))?;
        write(canvas, line.name, (x + SAMPLE + GAP, y), &style)?;
        x += width + BETWEEN;
    }
    Ok(())
}

fn rule(
    canvas: &Canvas<'_>,
    from: (i32, i32),
    to: (i32, i32),
    color: RGBColor,
) -> Result<(), Box<dyn std::error::Error>> {
    let style: ShapeStyle = color.stroke_width(SCALE);
    Ok(canvas.draw(&PathElement::new(vec![scaled(from), scaled(to)], style))?)
}

fn write(
    canvas: &Canvas<'_>,
    text: &str,
    at: (i32, i32),
    style: &TextStyle<'_>,
) -> Result<(), Box<dyn std::error::Error>> {
    // plotters sets text a little above its box.
    let lift = (style.font.get_size() * LIFT).round();
    #[allow(clippy::cast_possible_truncation)] // A few pixels.
    let (x, y) = match style.font.get_transform() {
        FontTransform::Rotate270 => (scaled(at.0) + lift as i32, scaled(at.1)),
        _ => (scaled(at.0), scaled(at.1) + lift as i32),
    };
    Ok(canvas.draw(&Text::new(text, (x, y), style.clone()))?)
}

fn text_style(size: i32) -> TextStyle<'static> {
    ("sans-serif", size * SCALE.cast_signed()).into_font().color(&INK).pos(Pos::new(HPos::Center, VPos::Center))
}

fn title_style() -> TextStyle<'static> {
    ("sans-serif", 46 * SCALE.cast_signed(), FontStyle::Bold)
        .into_font()
        .color(&INK)
        .pos(Pos::new(HPos::Center, VPos::Center))
}

/// What would break the line of a title becomes a space.
fn printable(model: &str) -> String {
    model.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// A title that is too long for the picture loses its middle: names differ at their ends.
fn shortened(canvas: &Canvas<'_>, title: &str) -> Result<String, Box<dyn std::error::Error>> {
    let letters: Vec<char> = title.chars().collect();
    let mut kept = letters.len().min(200);
    loop {
        let text = if kept == letters.len() {
            title.to_owned()
        } else {
            let (start, end) = (kept.div_ceil(2), letters.len() - kept / 2);
            letters[..start].iter().chain(&['…']).chain(&letters[end..]).collect()
        };
        if kept < 10 || canvas.estimate_text_size(&text, &title_style())?.0 < (WIDTH - 100) * SCALE {
            return Ok(text);
        }
        kept -= kept / 10;
    }
}

/// Numbers too long for their place in millions and so on: steps are 1, 2 or 5 and zeros.
fn abbreviated(count: u64) -> String {
    for (unit, letter) in [
        (1_000_000_000_000_000_000, "E"),
        (1_000_000_000_000_000, "P"),
        (1_000_000_000_000, "T"),
        (1_000_000_000, "G"),
        (1_000_000, "M"),
    ] {
        if count >= unit {
            let tenths = count % unit / (unit / 10);
            return if tenths == 0 {
                format!("{}{letter}", count / unit)
            } else {
                format!("{}.{tenths}{letter}", count / unit)
            };
        }
    }
    count.to_string()
}

fn scaled<T: Scale>(value: T) -> T {
    value.scale()
}

trait Scale {
    fn scale(self) -> Self;
}

impl Scale for i32 {
    fn scale(self) -> Self {
        self * SCALE.cast_signed()
    }
}

impl Scale for (i32, i32) {
    fn scale(self) -> Self {
        (self.0.scale(), self.1.scale())
    }
}

/// Averages each square of `SCALE` times `SCALE` pixels.
fn shrink(large: &[u8]) -> Vec<u8> {
    let row = (3 * WIDTH * SCALE) as usize;
    let mut small = Vec::with_capacity(large.len() / (SCALE * SCALE) as usize);
    for rows in large.chunks_exact(row * SCALE as usize) {
        let (upper, lower) = rows.split_at(row);
        for (upper, lower) in upper.chunks_exact(6).zip(lower.chunks_exact(6)) {
            for channel in 0..3 {
                let sum = [upper[channel], upper[channel + 3], lower[channel], lower[channel + 3]].map(u16::from);
                small.push(u8::try_from((sum.iter().sum::<u16>() + 2) / 4).unwrap_or(u8::MAX));
            }
        }
    }
    small
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::{Counts, LINES};

    fn series(rows: &[(u64, Counts)]) -> Series {
        rows.iter().copied().collect()
    }

    fn lines(letters: &str) -> Lines {
        letters.parse().unwrap()
    }

    /// The color at a second and count, where lines are at least three pixels wide.
    fn color(picture: &Picture, frame: &Frame, offset: u64, count: u64) -> (u8, u8, u8) {
        let at = 3 * (frame.y(count).unsigned_abs() * picture.width + frame.x(offset).unsigned_abs()) as usize;
        (picture.pixels[at], picture.pixels[at + 1], picture.pixels[at + 2])
    }

    /// Requested 10, issued 20, rate limited 30, finished 40, overflow 50 in every second.
    fn level() -> Series {
        series(&(0..10).map(|at| (at, [10, 20, 30, 40, 50])).collect::<Vec<_>>())
    }

    #[test]
    fn each_line_that_was_asked_for_is_there_in_its_color_and_no_other() {
        let series = level();
        let heights = [('r', 10), ('i', 20), ('e', 30), ('f', 40), ('o', 50)];
        for (asked, _) in heights {
            // With the overflow the scale is the same in all.
            let asked = lines(&format!("{asked}o"));
            let picture = draw("m", &series, &asked).unwrap();
            assert_eq!((picture.width, picture.height, picture.pixels.len()), (2000, 800, 4_800_000));
            let frame = Frame::of(&series, &asked);
            for (letter, height) in heights {
                let line = LINES.iter().find(|line| line.letter == letter).unwrap();
                let expected = asked.letters().contains(letter);
                assert_eq!(
                    color(&picture, &frame, 5, height) == line.color,
                    expected,
                    "{letter} in {}",
                    asked.letters()
                );
            }
        }
    }

    #[test]
    fn a_peak_of_one_second_in_a_day_is_still_there() {
        let day: Vec<_> = (0..86_400).map(|at| (at, [0, if at == 54_321 { 99 } else { 1 }, 0, 0, 0])).collect();
        let series = series(&day);
        let frame = Frame::of(&series, &lines("i"));
        let picture = draw("m", &series, &lines("i")).unwrap();
        let green = LINES.iter().find(|line| line.letter == 'i').unwrap().color;
        assert_eq!(color(&picture, &frame, 54_321, 60), green);
        assert_ne!(color(&picture, &frame, 50_000, 60), green);
        let corners = frame.thinned(&series, &LINES[2]).count();
        assert!(corners <= 4 * 2000, "{corners}");
    }

    #[test]
    fn a_log_of_one_second_shows_its_dots() {
        let series = series(&[(7, [3, 1, 0, 0, 2])]);
        let asked = lines("riefo");
        let picture = draw("m", &series, &asked).unwrap();
        let frame = Frame::of(&series, &asked);
        for (letter, count) in [('r', 3), ('i', 1), ('o', 2)] {
            let line = LINES.iter().find(|line| line.letter == letter).unwrap();
            assert_eq!(color(&picture, &frame, 0, count), line.color, "{letter}");
        }
    }

    #[test]
    fn anything_can_be_drawn() {
        let extreme = series(&[(0, [u64::MAX; 5]), (u64::MAX, [0; 5])]);
        for series in [Series::default(), series(&[(5, [0; 5])]), extreme] {
            for model in ["", "🦀 /..\n\u{7}", &"long ".repeat(100)] {
                assert!(draw(model, &series, &lines("riefo")).is_ok());
            }
        }
    }

    #[test]
    fn ticks_are_whole_and_few() {
        for (whole, most, expected) in [
            (1, 7, 1),
            (7, 7, 1),
            (8, 7, 2),
            (35, 12, 5),
            (100, 7, 20),
            (86_400, 12, 10_000),
            (u64::MAX, 7, 5_000_000_000_000_000_000),
        ] {
            assert_eq!(step(whole, most), expected, "{whole}");
        }
        assert_eq!(
            ["0", "999999", "1M", "1.5M", "20G"].map(String::from),
            [0, 999_999, 1_000_000, 1_500_000, 20_000_000_000].map(abbreviated)
        );
    }
}
