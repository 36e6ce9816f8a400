//! Ticks of a time axis: round steps of seconds, minutes and hours, with labels such as `0:30` and `1:00:00`, and its caption.

use crate::words::utc;

/// Steps in seconds. Beyond the last, they are multiples of it.
const STEPS: [u64; 18] =
    [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400];

/// Returns the smallest round step that divides `length` seconds into at most `max_steps` steps.
pub(crate) fn step(length: u64, max_steps: u32) -> u64 {
    let least = length.div_ceil(max_steps.max(1).into());
    let found = STEPS.into_iter().find(|step| *step >= least);
    // 1, 2, 5, 10, ... days.
    found.unwrap_or_else(|| {
        let days = least.div_ceil(86_400);
        let power = 10_u64.pow(days.ilog10());
        let factor = [1, 2, 5, 10].into_iter().find(|factor| power.saturating_mul(*factor) >= days).unwrap_or(10);
        power.saturating_mul(factor).saturating_mul(86_400)
    })
}

/// Formats an offset as `m:ss`, or as `h:mm:ss` on an axis of `length` seconds, if that is an hour or more.
pub(crate) fn label(offset: u64, length: u64) -> String {
    let (hours, minutes, seconds) = (offset / 3600, offset / 60 % 60, offset % 60);
    if length < 3600 { format!("{minutes}:{seconds:02}") } else { format!("{hours}:{minutes:02}:{seconds:02}") }
}

/// Returns the caption of an axis that starts at `start`, in seconds since the epoch; `None` if runs with several starts share it.
pub(crate) fn caption(start: Option<u64>) -> String {
    start.map_or_else(|| "Time since the start".into(), |start| format!("Time since {} UTC", utc(start)))
}

/// Returns the offsets of the ticks between `from` and `to`.
pub(crate) fn ticks(from: u64, to: u64, max_steps: u32) -> impl Iterator<Item = u64> {
    let step = step((to - from).max(1), max_steps);
    let first = from.div_ceil(step).saturating_mul(step);
    (0..64).map_while(move |tick: u64| first.checked_add(tick.checked_mul(step)?)).take_while(move |at| *at <= to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_times() {
        for (length, expected) in
            [(0, 1), (3, 1), (35, 5), (100, 10), (300, 30), (600, 60), (3600, 300), (43_200, 3600), (21_600, 1800)]
        {
            assert_eq!(step(length, 12), expected, "{length}");
        }
        assert_eq!([step(12 * 86_400, 12), step(86_400 * 100, 12)], [86_400, 10 * 86_400]);
        assert!(step(u64::MAX, 1) > u64::MAX / 20);
    }

    #[test]
    fn labels_are_times() {
        assert_eq!([0, 30, 90, 600].map(|at| label(at, 900)), ["0:00", "0:30", "1:30", "10:00"]);
        assert_eq!([0, 3600, 86_399].map(|at| label(at, 86_400)), ["0:00:00", "1:00:00", "23:59:59"]);
    }

    #[test]
    fn caption_names_the_start() {
        assert_eq!(caption(Some(1_795_502_442)), "Time since 2026-11-24 06:40:42 UTC");
        assert_eq!(caption(None), "Time since the start");
    }

    #[test]
    fn ticks_are_multiples_of_the_step() {
        assert_eq!(ticks(0, 35, 12).collect::<Vec<_>>(), [0, 5, 10, 15, 20, 25, 30, 35]);
        assert_eq!(ticks(31, 100, 4).collect::<Vec<_>>(), [60, 90]);
        for (from, to) in [(0, u64::MAX), (u64::MAX, u64::MAX), (0, 0)] {
            assert!(ticks(from, to, 12).count() <= 14);
        }
    }
}
