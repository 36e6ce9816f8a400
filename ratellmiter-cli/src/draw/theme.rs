//! Sizes, layouts and color themes of pictures.

use std::str::FromStr;

use plotters::style::RGBColor;

use crate::series::Color;

/// Size of a picture in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl Size {
    pub(crate) const DEFAULT: Self = Self { width: 2000, height: 800 };
    pub(crate) const MIN: Self = Self { width: 320, height: 200 };
    const MAX: Self = Self { width: 4000, height: 3000 };
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let (width, height) = text.split_once(['x', 'X'])?;
            let size = Self { width: width.parse().ok()?, height: height.parse().ok()? };
            let fits = (Self::MIN.width..=Self::MAX.width).contains(&size.width)
                && (Self::MIN.height..=Self::MAX.height).contains(&size.height);
            fits.then_some(size)
        };
        parse().ok_or_else(|| "allowed is WIDTHxHEIGHT in pixels, from 320x200 to 4000x3000".to_owned())
    }
}

/// Layout of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Layout {
    /// Rates above, the queue below.
    Panels,
    /// All lines on one axis.
    Single,
}

/// Color theme of a picture or page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Theme {
    Light,
    Dark,
}

impl Theme {
    pub(crate) fn foreground(self) -> RGBColor {
        match self {
            Self::Light => RGBColor(25, 25, 25),
            Self::Dark => RGBColor(225, 225, 230),
        }
    }

    pub(crate) fn grid(self) -> RGBColor {
        match self {
            Self::Light => RGBColor(218, 218, 218),
            Self::Dark => RGBColor(62, 64, 72),
        }
    }

    pub(crate) fn background(self) -> RGBColor {
        match self {
            Self::Light => RGBColor(255, 255, 255),
            Self::Dark => RGBColor(24, 26, 32),
        }
    }

    pub(crate) fn pause(self) -> RGBColor {
        match self {
            Self::Light => RGBColor(253, 232, 232),
            Self::Dark => RGBColor(70, 34, 40),
        }
    }

    /// Returns the shade of a closed limiter.
    pub(crate) fn closed(self) -> RGBColor {
        match self {
            Self::Light => RGBColor(254, 236, 178),
            Self::Dark => RGBColor(84, 70, 18),
        }
    }

    /// Returns the color of the mark of a closed limiter.
    pub(crate) fn closed_mark(self) -> RGBColor {
        match self {
            Self::Light => RGBColor(150, 112, 0),
            Self::Dark => RGBColor(214, 180, 60),
        }
    }

    pub(crate) fn color(self, color: Color) -> RGBColor {
        let (red, green, blue) = match self {
            Self::Light => color.light,
            Self::Dark => color.dark,
        };
        RGBColor(red, green, blue)
    }

    /// Returns the shade of bands in a legend.
    pub(crate) fn band(self) -> RGBColor {
        self.blended(self.foreground(), 16)
    }

    /// Blends a color with the background.
    pub(crate) fn pale(self, color: RGBColor) -> RGBColor {
        self.blended(color, 12)
    }

    /// Blends a color with the background, as far as its contrast allows.
    pub(crate) fn readable_pale(self, color: RGBColor) -> RGBColor {
        let is_readable = |color: &RGBColor| contrast(*color, self.background()) >= MIN_CONTRAST;
        (0..=12).rev().map(|parts| self.blended(color, parts)).find(is_readable).unwrap_or(color)
    }

    /// Blends a color with `parts` twentieths of the background.
    fn blended(self, RGBColor(red, green, blue): RGBColor, parts: u16) -> RGBColor {
        let background = self.background();
        let mix = |one: u8, other: u8| {
            u8::try_from((u16::from(one) * (20 - parts) + u16::from(other) * parts) / 20).unwrap_or(other)
        };
        RGBColor(mix(red, background.0), mix(green, background.1), mix(blue, background.2))
    }
}

/// Smallest contrast of a line with its background.
const MIN_CONTRAST: f64 = 3.0;

/// Returns the contrast of two colors by WCAG 2.1.
fn contrast(one: RGBColor, other: RGBColor) -> f64 {
    let (one, other) = (luminance(one) + 0.05, luminance(other) + 0.05);
    one.max(other) / one.min(other)
}

fn luminance(RGBColor(red, green, blue): RGBColor) -> f64 {
    let [red, green, blue] = [red, green, blue].map(|channel| {
        let value = f64::from(channel) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::{LINES, MODEL_COLORS};

    #[test]
    fn pale_lines_are_readable_and_paler_where_possible() {
        let colors = LINES.iter().map(|line| line.color).chain(MODEL_COLORS);
        for (color, theme) in colors.flat_map(|color| [(color, Theme::Light), (color, Theme::Dark)]) {
            let (full, pale) = (theme.color(color), theme.readable_pale(theme.color(color)));
            assert!(contrast(pale, theme.background()) >= 3.0, "{pale:?}");
            assert!(contrast(pale, theme.background()) <= contrast(full, theme.background()), "{pale:?}");
        }
        assert!((contrast(RGBColor(0, 0, 0), RGBColor(255, 255, 255)) - 21.0).abs() < 1e-9);
        let issued = RGBColor(26, 123, 54);
        assert!(contrast(Theme::Light.readable_pale(issued), Theme::Light.background()) < 3.4);
    }
}
