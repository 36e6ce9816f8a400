//! The lines of a chart, by the letters of `-lines`.

use std::str::FromStr;

/// One line that a chart can contain.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Line {
    pub(crate) letter: char,
    pub(crate) name: &'static str,
    pub(crate) color: Color,
    /// Width in pixels. Lines drawn first are wider, so that a line along the same path does not hide them.
    pub(crate) width: u32,
    pub(crate) axis: Axis,
}

/// A color on a light and on a dark background.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Color {
    pub(crate) light: (u8, u8, u8),
    pub(crate) dark: (u8, u8, u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Axis {
    Calls,
    Seconds,
    Tokens,
}

impl Axis {
    /// Axes on the right side, from the frame outwards.
    pub(crate) const RIGHT: [Self; 2] = [Self::Seconds, Self::Tokens];

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Calls => "Calls",
            Self::Seconds => "Seconds",
            Self::Tokens => "Tokens",
        }
    }

    /// Returns the smallest distance between two ticks.
    pub(crate) const fn min_step(self) -> f64 {
        match self {
            Self::Calls | Self::Tokens => 1.0,
            Self::Seconds => 0.01,
        }
    }
}

const fn line(
    letter: char,
    name: &'static str,
    light: (u8, u8, u8),
    dark: (u8, u8, u8),
    width: u32,
    axis: Axis,
) -> Line {
    Line { letter, name, color: Color { light, dark }, width, axis }
}

/// All lines, in drawing order. Each two colors differ for deuteranopia and protanopia, and each has a contrast of at least 3:1
/// with its paper.
pub(crate) const LINES: [Line; 12] = [
    line('t', "tokens reserved", (114, 156, 95), (209, 232, 75), 6, Axis::Tokens),
    line('b', "token budget", (63, 47, 0), (251, 241, 180), 4, Axis::Tokens),
    line('u', "tokens used", (170, 74, 127), (252, 92, 173), 4, Axis::Tokens),
    line('o', "overflow, waiting", (118, 142, 219), (92, 118, 234), 6, Axis::Calls),
    line('r', "requested", (213, 123, 2), (238, 149, 16), 6, Axis::Calls),
    line('n', "in flight", (67, 153, 162), (0, 169, 177), 4, Axis::Calls),
    line('a', "allowed rate", (122, 118, 110), (192, 202, 222), 4, Axis::Calls),
    line('i', "issued", (26, 123, 54), (75, 206, 122), 5, Axis::Calls),
    line('f', "finished", (139, 50, 160), (216, 148, 237), 3, Axis::Calls),
    line('e', "rate limited", (219, 3, 2), (234, 72, 66), 3, Axis::Calls),
    line('w', "wait p99, s", (96, 80, 66), (197, 181, 171), 3, Axis::Seconds),
    line('l', "latency p99, s", (24, 64, 100), (233, 249, 255), 3, Axis::Seconds),
];

/// Colors of models. As for lines, each two differ for deuteranopia and protanopia, too.
pub(crate) const MODEL_COLORS: [Color; 10] = [
    Color { light: (18, 123, 205), dark: (92, 165, 251) },
    Color { light: (212, 94, 3), dark: (255, 140, 52) },
    Color { light: (9, 128, 95), dark: (20, 200, 160) },
    Color { light: (114, 92, 134), dark: (223, 148, 195) },
    Color { light: (154, 143, 91), dark: (241, 230, 41) },
    Color { light: (89, 151, 191), dark: (131, 206, 251) },
    Color { light: (66, 71, 76), dark: (206, 207, 209) },
    Color { light: (116, 54, 157), dark: (140, 106, 214) },
    Color { light: (161, 4, 20), dark: (254, 111, 112) },
    Color { light: (5, 93, 64), dark: (163, 228, 136) },
];

/// Color of the sum of other models.
pub(crate) const OTHERS_COLOR: Color = Color { light: (110, 114, 121), dark: (139, 139, 140) };

/// Returns the color of a line.
pub(crate) fn color_of(letter: char) -> Color {
    LINES.iter().find(|line| line.letter == letter).map_or(LINES[0].color, |line| line.color)
}

/// The letters of the selected lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lines(String);

impl Lines {
    /// Returns the selected lines in drawing order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'static Line> {
        LINES.iter().filter(|line| self.0.contains(line.letter))
    }

    /// Returns the letters as typed.
    pub(crate) fn letters(&self) -> &str {
        &self.0
    }
}

impl Default for Lines {
    fn default() -> Self {
        Self("riefo".into())
    }
}

impl FromStr for Lines {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = "r requested, i issued, e rate limited, f finished, o overflow, a allowed rate, w wait, l latency, n in flight, t tokens reserved, u tokens used, b token budget";
        if text.is_empty() {
            return Err(format!("no letters; choose from {known}"));
        }
        match text.chars().find(|letter| LINES.iter().all(|line| line.letter != *letter)) {
            Some(unknown) => Err(format!("unknown letter {unknown:?}; choose from {known}")),
            None => Ok(Self(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod palette_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_select_lines_in_drawing_order() {
        let letters: String = "rieo".parse::<Lines>().unwrap().iter().map(|line| line.letter).collect();
        assert_eq!(letters, "orie");
        assert_eq!("rr".parse::<Lines>().unwrap().iter().count(), 1);
        for text in ["", "x", "rx", "R", "r i", "🦀"] {
            let error = text.parse::<Lines>().unwrap_err();
            assert!(error.contains("r requested, i issued, e rate limited, f finished, o overflow"), "{error}");
        }
    }
}
