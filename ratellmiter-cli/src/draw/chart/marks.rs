//! Marks of events.

use plotters::{
    backend::DrawingBackend,
    element::{Circle, Polygon, Rectangle},
    style::{Color as _, RGBColor},
};

use crate::draw::{
    chart::pen::{DrawResult, Pen},
    course::Mark,
};

/// Shape of a mark, different for each kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Triangle,
    Diamond,
    Ring,
    Disc,
    Square,
}

impl Shape {
    pub(super) fn of(mark: Mark) -> Self {
        match mark {
            Mark::Refusal => Self::Triangle,
            Mark::Overload => Self::Diamond,
            Mark::RefusedCanary => Self::Ring,
            Mark::AcceptedCanary => Self::Disc,
            Mark::Closed => Self::Square,
        }
    }

    /// Draws the shape around `at`, in pixels of the picture.
    pub(super) fn draw<B: DrawingBackend>(
        self,
        (x, y): (i32, i32),
        half: i32,
        color: RGBColor,
        pen: &Pen<'_, B>,
    ) -> DrawResult
    where
        B::ErrorType: 'static,
    {
        let polygon = |corners: &[(i32, i32)]| {
            let corners: Vec<_> = corners.iter().map(|(right, down)| pen.scaled((x + right, y + down))).collect();
            pen.canvas.draw(&Polygon::new(corners, color.filled()))
        };
        match self {
            Self::Triangle => polygon(&[(-half, -half), (half, -half), (0, half)])?,
            Self::Diamond => polygon(&[(0, -half), (half, 0), (0, half), (-half, 0)])?,
            Self::Ring => {
                let stroke = color.stroke_width(pen.stroke(4).unsigned_abs());
                pen.canvas.draw(&Circle::new(pen.scaled((x, y)), (half * 3 / 4).max(2) * pen.scale, stroke))?;
            }
            Self::Disc => {
                let radius = (half * 9 / 10).max(2) * pen.scale;
                pen.canvas.draw(&Circle::new(pen.scaled((x, y)), radius, color.filled()))?;
            }
            Self::Square => {
                let side = half * 3 / 4;
                let corners = [pen.scaled((x - side, y - side)), pen.scaled((x + side, y + side))];
                pen.canvas.draw(&Rectangle::new(corners, color.filled()))?;
            }
        }
        Ok(())
    }
}

/// Returns the places of the marks of events of one kind with their numbers of events. Events whose marks would overlap are one
/// mark. `width` returns the width of a mark of some events.
pub(super) fn joined<Error>(
    events: impl Iterator<Item = (i32, u64)>,
    width: impl Fn(u64) -> Result<i32, Error>,
) -> Result<Vec<(i32, u64)>, Error> {
    let mut marks: Vec<(i32, u64)> = Vec::new();
    for (at, count) in events {
        match marks.last_mut() {
            Some((start, number)) if at < start.saturating_add(width(*number)?) => {
                *number = number.saturating_add(count);
            }
            _ => marks.push((at, count)),
        }
    }
    Ok(marks)
}

#[cfg(test)]
mod tests;
