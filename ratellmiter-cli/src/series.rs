//! Rows to the lines of a picture.

use std::str::FromStr;

/// One line that can be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) letter: char,
    pub(crate) name: &'static str,
    pub(crate) color: (u8, u8, u8),
    /// In pixels. What tends to lie below is wider, so that no line hides another that runs along it.
    pub(crate) width: u32,
    /// Which of a second's counts it shows.
    count: usize,
}

/// All lines, from the one that is drawn first to the one on top.
pub(crate) const LINES: [Line; 5] = [
    Line { letter: 'o', name: "overflow, waiting", color: (150, 170, 255), width: 6, count: 4 },
    Line { letter: 'r', name: "requested", color: (255, 150, 0), width: 6, count: 0 },
    Line { letter: 'i', name: "issued", color: (0, 135, 30), width: 5, count: 1 },
    Line { letter: 'f', name: "finished", color: (140, 50, 160), width: 3, count: 3 },
    Line { letter: 'e', name: "rate limited", color: (225, 0, 0), width: 3, count: 2 },
];

/// The lines that were asked for, by their letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lines(String);

impl Lines {
    /// In the order of drawing.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'static Line> {
        LINES.iter().filter(|line| self.0.contains(line.letter))
    }

    /// As they were typed.
    pub(crate) fn letters(&self) -> &str {
        &self.0
    }
}

impl FromStr for Lines {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = "r requested, i issued, e rate limited, f finished, o overflow";
        if text.is_empty() {
            return Err(format!("no letter; choose from {known}"));
        }
        match text.chars().find(|letter| LINES.iter().all(|line| line.letter != *letter)) {
            Some(unknown) => Err(format!("unknown letter {unknown:?}; choose from {known}")),
            None => Ok(Self(text.to_owned())),
        }
    }
}

/// What happened in one second: requested, issued, rate limited, finished, overflow.
pub(crate) type Counts = [u64; 5];

/// One model's seconds, in order. Seconds without a row are left out: they are all zeros.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Series(Vec<(u64, Counts)>);

impl Series {
    /// Adds a row. Rows of the same second add up.
    pub(crate) fn add(&mut self, at: u64, counts: Counts) {
        // Logs are in order, so this is nearly always the end.
        match self.0.last_mut() {
            Some((last, sum)) if *last == at => add(sum, counts),
            Some((last, _)) if *last > at => match self.0.binary_search_by_key(&at, |(second, _)| *second) {
                Ok(index) => add(&mut self.0[index].1, counts),
                Err(index) => self.0.insert(index, (at, counts)),
            },
            _ => self.0.push((at, counts)),
        }
    }

    /// How many seconds there are from the first to the last, both counted.
    pub(crate) fn length(&self) -> u64 {
        match (self.0.first(), self.0.last()) {
            (Some((first, _)), Some((last, _))) => (last - first).saturating_add(1),
            _ => 0,
        }
    }

    /// The largest count on any of `lines`.
    pub(crate) fn largest(&self, lines: &Lines) -> u64 {
        let counts = self.0.iter().flat_map(|(_, counts)| lines.iter().map(|line| counts[line.count]));
        counts.max().unwrap_or(0)
    }

    /// The corners of one line as offsets from the first second and counts: along a stretch of seconds without rows
    /// there are only its ends.
    pub(crate) fn corners(&self, line: &Line) -> impl Iterator<Item = (u64, u64)> {
        let first = self.0.first().map_or(0, |(first, _)| *first);
        let mut before = None;
        self.0.iter().flat_map(move |(at, counts)| {
            let offset = at - first;
            let gap = before.replace(offset).filter(|last| last + 1 < offset);
            let ends = gap.map(|last| [(last + 1, 0), (offset - 1, 0)]);
            ends.into_iter().flatten().chain([(offset, counts[line.count])])
        })
    }
}

impl Extend<(u64, Counts)> for Series {
    fn extend<T: IntoIterator<Item = (u64, Counts)>>(&mut self, rows: T) {
        rows.into_iter().for_each(|(at, counts)| self.add(at, counts));
    }
}

impl FromIterator<(u64, Counts)> for Series {
    fn from_iter<T: IntoIterator<Item = (u64, Counts)>>(rows: T) -> Self {
        let mut series = Self::default();
        series.extend(rows);
        series
    }
}

fn add(sum: &mut Counts, counts: Counts) {
    sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum = sum.saturating_add(count));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(rows: &[(u64, Counts)]) -> Series {
        rows.iter().copied().collect()
    }

    fn requested() -> &'static Line {
        LINES.iter().find(|line| line.letter == 'r').unwrap()
    }

    #[test]
    fn rows_of_a_second_add_up_in_whatever_order_they_come() {
        let sum = series(&[(7, [1, 0, 0, 0, 0]), (9, [1; 5]), (7, [1, 2, 3, 4, 5]), (8, [6; 5]), (9, [u64::MAX; 5])]);
        assert_eq!(sum, series(&[(7, [2, 2, 3, 4, 5]), (8, [6; 5]), (9, [u64::MAX; 5])]));
    }

    #[test]
    fn seconds_without_rows_are_zero_however_many() {
        let series = series(&[(100, [5; 5]), (103, [6; 5]), (u64::MAX, [7; 5])]);
        let end = u64::MAX - 100;
        let corners: Vec<_> = series.corners(requested()).collect();
        assert_eq!(corners, [(0, 5), (1, 0), (2, 0), (3, 6), (4, 0), (end - 1, 0), (end, 7)]);
        assert_eq!(series.length(), end + 1);
    }

    #[test]
    fn only_the_lines_asked_for_make_the_picture_higher() {
        let series = series(&[(1, [3, 1, 0, 1, 99])]);
        assert_eq!(series.largest(&"ri".parse().unwrap()), 3);
        assert_eq!(series.largest(&"o".parse().unwrap()), 99);
    }

    #[test]
    fn letters_are_checked() {
        assert_eq!(
            "rx".parse::<Lines>().unwrap_err(),
            "unknown letter 'x'; choose from r requested, i issued, e rate limited, f finished, o overflow"
        );
        assert!("".parse::<Lines>().unwrap_err().starts_with("no letter"));
        let letters: String = "ri".parse::<Lines>().unwrap().iter().map(|line| line.letter).collect();
        assert_eq!(letters, "ri");
    }
}
