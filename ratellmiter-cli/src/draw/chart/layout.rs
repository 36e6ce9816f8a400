//! Layout of a picture and its axes. All measures are in pixels of a picture of 2000 x 800.

use plotters::{
    backend::DrawingBackend,
    element::Rectangle,
    style::{
        Color as _, TextStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};

use crate::{
    draw::{
        chart::pen::{DrawResult, Pen},
        graph::{Graph, step, tick},
        theme::Size,
        time_axis,
    },
    series::Axis,
};

pub(super) const LEFT: i32 = 150;
pub(super) const RIGHT: i32 = 40;
/// Width of an axis on the right.
pub(super) const RIGHT_AXIS: i32 = 130;
/// Distance of the middle of its title from its outer edge.
pub(super) const RIGHT_TITLE: i32 = 28;
const TOP: i32 = 140;
const BOTTOM: i32 = 120;
/// Distance of the first and last second from the frame.
pub(super) const INSET: i32 = 24;

/// Largest number of steps of the time axis.
const MAX_TIMES: u32 = 12;

/// Layout of a picture, in its pixels.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) left: i32,
    pub(super) right: i32,
    pub(super) top: i32,
    pub(super) bottom: i32,
    pub(super) inset: i32,
    /// Distance of the value zero from the lower edge.
    pub(super) foot: i32,
    /// Offset at the end of the time axis.
    pub(super) end: u64,
    /// Part of a second that a step extends before its offset.
    pub(super) lead: f64,
    /// Axes with curves, the left one first.
    pub(super) axes: Vec<(Axis, Scale)>,
}

/// The value at the upper edge, and the distance of the ticks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    pub(super) top: f64,
    pub(super) step: f64,
}

impl Scale {
    pub(super) fn of(largest: f64, ticks: u32, least_step: f64) -> Self {
        let largest = largest.max(least_step);
        // Some space above the largest value.
        let top = if largest > least_step { largest * 1.05 } else { largest };
        Self { top, step: step(largest, ticks).max(least_step) }
    }

    /// Returns a scale with exactly this value at its upper edge.
    pub(super) fn to(top: f64, ticks: u32, least_step: f64) -> Self {
        let top = top.max(least_step);
        Self { top, step: step(top, ticks).max(least_step) }
    }

    /// Keeps a distance of `part` of the height between the last tick and the upper edge.
    pub(super) fn below_edge(self, part: f64) -> Self {
        let last = self.ticks().last().unwrap_or(0.0);
        Self { top: self.top.max(last / (1.0 - part.clamp(0.0, 0.5))), ..self }
    }

    pub(super) fn ticks(self) -> impl Iterator<Item = f64> {
        (0_u8..=50).map(move |tick| f64::from(tick) * self.step).take_while(move |tick| *tick <= self.top)
    }
}

impl Frame {
    #[allow(clippy::cast_possible_truncation)] // A few thousand pixels.
    pub(super) fn of(graph: &Graph, size: Size, unit: f64) -> Self {
        let measure = |pixels: i32| (f64::from(pixels) * unit).round() as i32;
        let scale = |axis: Axis| Some((axis, Scale::of(graph.largest(axis)?, 7, axis.min_step())));
        let mut axes: Vec<_> = [Axis::Calls].into_iter().chain(Axis::RIGHT).filter_map(scale).collect();
        if axes.is_empty() {
            axes.push((Axis::Calls, Scale::of(0.0, 7, 1.0)));
        }
        let right = i32::try_from(axes.len() - 1).unwrap_or(0) * RIGHT_AXIS;
        Self {
            left: measure(LEFT),
            right: size.width.cast_signed() - measure(right.max(RIGHT)),
            top: measure(TOP),
            bottom: size.height.cast_signed() - measure(BOTTOM),
            inset: measure(INSET),
            foot: 0,
            end: graph.last,
            // The points of lines are in the middle of their seconds.
            lead: 0.5,
            axes,
        }
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
    pub(super) fn x(&self, offset: f64) -> i32 {
        let width = f64::from(self.right - self.left - 2 * self.inset);
        self.left + self.inset + (offset / (self.end.max(1) as f64) * width).round() as i32
    }

    #[allow(clippy::cast_possible_truncation)]
    pub(super) fn y(&self, axis: Axis, height: f64) -> i32 {
        let (_, scale) = self.axes.iter().find(|(other, _)| *other == axis).unwrap_or(&self.axes[0]);
        let zero = self.bottom - self.foot;
        zero - (height / scale.top * f64::from(zero - self.top)).round() as i32
    }

    /// Returns the left and right edge of a span of seconds, which is at least three pixels wide and inside the frame.
    #[allow(clippy::cast_precision_loss)]
    pub(super) fn columns(&self, from: u64, to: u64) -> (i32, i32) {
        self.columns_of((from as f64, to as f64))
    }

    /// Returns the edges as [`columns`](Self::columns) of a span that may begin and end within a second.
    pub(super) fn columns_of(&self, (from, to): (f64, f64)) -> (i32, i32) {
        const MIN_WIDTH: i32 = 3;
        let left = self.x(from - self.lead).max(self.left).min(self.right - MIN_WIDTH);
        (left, self.x(to + 1.0 - self.lead).min(self.right).max(left + MIN_WIDTH))
    }

    pub(super) fn center(&self) -> i32 {
        i32::midpoint(self.left, self.right)
    }

    /// Returns the position of an axis on the right. `index` is 1 for the innermost.
    fn right_axis<B: DrawingBackend>(&self, index: usize, pen: &Pen<'_, B>) -> i32
    where
        B::ErrorType: 'static,
    {
        self.right + i32::try_from(index - 1).unwrap_or(0) * pen.measure(RIGHT_AXIS)
    }

    /// Draws the ticks and labels of values, and the grid lines of the left axis.
    pub(super) fn draw_values<B: DrawingBackend>(&self, pen: &Pen<'_, B>) -> DrawResult
    where
        B::ErrorType: 'static,
    {
        let Self { left, right, top, bottom, .. } = *self;
        let (grid, ink) = (pen.theme.grid(), pen.theme.foreground());
        let (tick_length, gap) = (pen.measure(10), pen.measure(18));
        for (index, (axis, scale)) in self.axes.iter().enumerate() {
            // The left axis has grid lines; axes beyond the first on the right have a vertical line.
            let at = if index == 0 { left } else { self.right_axis(index, pen) };
            if index > 1 {
                pen.rule((at, top), (at, bottom), ink)?;
            }
            let (out, side) = if index == 0 { (-1, HPos::Right) } else { (1, HPos::Left) };
            let style = pen.text_style(30).pos(Pos::new(side, VPos::Center));
            for height in scale.ticks() {
                let y = self.y(*axis, height);
                if index == 0 {
                    pen.rule((left, y), (right, y), grid)?;
                }
                pen.rule((at, y), (at + out * tick_length, y), ink)?;
                pen.write(&tick(*axis, height, scale.step), (at + out * gap, y), &style)?;
            }
        }
        Ok(())
    }

    /// Draws the grid lines of the time axis.
    #[allow(clippy::cast_precision_loss)]
    pub(super) fn draw_times<B: DrawingBackend>(&self, pen: &Pen<'_, B>) -> DrawResult
    where
        B::ErrorType: 'static,
    {
        for offset in time_axis::ticks(0, self.end, MAX_TIMES) {
            let x = self.x(offset as f64);
            pen.rule((x, self.top), (x, self.bottom), pen.theme.grid())?;
        }
        Ok(())
    }

    /// Draws the ticks and labels of the time axis, the labels `below` pixels lower.
    #[allow(clippy::cast_precision_loss)]
    pub(super) fn draw_time_labels<B: DrawingBackend>(&self, below: i32, pen: &Pen<'_, B>) -> DrawResult
    where
        B::ErrorType: 'static,
    {
        for offset in time_axis::ticks(0, self.end, MAX_TIMES) {
            let x = self.x(offset as f64);
            pen.rule((x, self.bottom), (x, self.bottom + pen.measure(10)), pen.theme.foreground())?;
            let label = time_axis::label(offset, self.end);
            pen.write(&label, (x, self.bottom + below + pen.measure(34)), &pen.text_style(30))?;
        }
        Ok(())
    }

    pub(super) fn draw_border<B: DrawingBackend>(&self, pen: &Pen<'_, B>) -> DrawResult
    where
        B::ErrorType: 'static,
    {
        let corners = [pen.scaled((self.left, self.top)), pen.scaled((self.right, self.bottom))];
        let stroke = pen.theme.foreground().stroke_width(pen.stroke(2).unsigned_abs());
        Ok(pen.canvas.draw(&Rectangle::new(corners, stroke))?)
    }

    /// Draws the titles of the axes. `unit` is the title of the axis of calls.
    pub(super) fn draw_titles<B: DrawingBackend>(
        &self,
        unit: &str,
        style: &TextStyle<'_>,
        pen: &Pen<'_, B>,
    ) -> DrawResult
    where
        B::ErrorType: 'static,
    {
        let middle = i32::midpoint(self.top, self.bottom);
        for (index, (axis, _)) in self.axes.iter().enumerate() {
            let title = if *axis == Axis::Calls { unit } else { axis.title() };
            let x = match index {
                0 => pen.measure(34),
                _ => self.right_axis(index, pen) + pen.measure(RIGHT_AXIS - RIGHT_TITLE),
            };
            pen.write(title, (x, middle), style)?;
        }
        Ok(())
    }
}
