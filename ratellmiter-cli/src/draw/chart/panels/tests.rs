//! Tests of `panels`.

use ratellmiter_core::log::{Bottleneck, Row};

use super::*;
use crate::{
    draw::{
        chart::{fonts, pixels, svg},
        course::Course,
        theme::Size,
    },
    series::Series,
    summary::Summary,
};

fn course(series: &Series, letters: &str) -> Course {
    Course::of_model("m", series, &letters.parse().unwrap(), 400, &Summary::from_series("m", series))
}

fn text(course: &Course) -> String {
    svg(course, Size::DEFAULT, Theme::Light).unwrap()
}

/// 100 calls at once at a limit of 5 per second, and a refusal with a pause of six seconds.
fn burst() -> Series {
    let row = |at: u64| {
        let is_paused = (10..16).contains(&at);
        Row {
            at: 1_795_640_554 + at,
            requested: if at == 0 { 100 } else { 0 },
            issued: if is_paused { 0 } else { 5 },
            finished: if is_paused { 0 } else { 5 },
            rate_limited: u64::from(at == 10),
            overflow: 100 - 5 * at.min(20),
            rate: if is_paused { 0.0 } else { 5.0 },
            held: is_paused.then_some(Bottleneck::Pause),
            limit: Some(5.0),
            ..Row::default()
        }
    };
    (0..30).map(row).collect()
}

#[test]
fn picture_names_limit_verdict_events_and_times() {
    let text = text(&course(&burst(), "riefo"));
    for words in [
        "limit 5",
        "100 requested",
        "refused 6 s",
        "1 refusal",
        "1 canary",
        "Calls per second",
        "0:05",
        "Time since 2026-11-25 21:02:34 UTC",
    ] {
        assert!(text.contains(&format!("\n{words}\n")), "{words}: {text}");
    }
    assert!(text.contains("limit 300 a minute  ·  "), "{text}");
}

#[test]
fn short_pause_of_a_long_run_is_three_pixels_wide() {
    let paused =
        |at| Row { at, issued: 1, rate: if at == 5000 { 0.0 } else { 5.0 }, limit: Some(5.0), ..Row::default() };
    let course = course(&(0..21_600).map(paused).collect(), "ri");
    let picture = pixels(&course, Size::DEFAULT, Theme::Light, fonts::none).unwrap();
    let shade = Theme::Light.pause();
    let row = 3 * 2000 * 180;
    let is_shade = |pixel: &&[u8]| pixel[0] == shade.0 && pixel[1] == shade.1 && pixel[2] == shade.2;
    assert!(picture.pixels[row..row + 6000].chunks(3).filter(is_shade).count() >= 3);
}

#[test]
fn svg_of_six_hours_is_small() {
    let row = |at: u64| Row {
        at,
        requested: at * 7 % 11,
        issued: at * 3 % 6,
        finished: at * 5 % 7,
        rate_limited: u64::from(at.is_multiple_of(97)),
        overflow: at % 1000,
        rate: 5.0,
        limit: Some(5.0),
        ..Row::default()
    };
    let text = text(&course(&(0..21_600).map(row).collect(), "riefoanwl"));
    assert!(text.len() < 500_000, "{}", text.len());
    assert!(text.contains("stroke-linejoin=\"round\""));
}

#[test]
fn every_size_and_course_is_drawn() {
    let ends: Series = [0, u64::MAX]
        .map(|at| Row { at, requested: u64::MAX, overflow: u64::MAX, ..Row::default() })
        .into_iter()
        .collect();
    for series in [Series::default(), ends, burst()] {
        for letters in ["riefo", "o", "tub", "wl", "riefoawlntub"] {
            let course = course(&series, letters);
            for size in [Size::DEFAULT, Size::MIN, Size { width: 320, height: 3000 }] {
                assert!(pixels(&course, size, Theme::Dark, fonts::none).is_ok());
            }
            assert!(text(&course).starts_with("<svg"));
        }
    }
    assert!(pixels(&Course::of_models(&[], 400), Size::DEFAULT, Theme::Dark, fonts::none).is_ok());
}
