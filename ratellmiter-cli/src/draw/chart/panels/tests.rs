//! Tests of `panels`.

use ratellmiter_core::log::{Bottleneck, Row};

use super::*;
use crate::{
    draw::{
        chart::{fonts, pixels, svg},
        course::Course,
        theme::{Size, Theme},
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
        "1 accepted canary",
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
fn spikes_near_each_other_have_one_number() {
    let row = |at: u64| Row {
        at,
        requested: match at {
            0 => 300,
            2 => 500,
            4 => 400,
            _ => 0,
        },
        limit: Some(5.0),
        ..Row::default()
    };
    let svg = text(&course(&(0..60).map(row).collect(), "r"));
    let numbers: Vec<_> = words(&svg).into_iter().filter(|word| word.contains("00 requested")).collect();
    assert_eq!(numbers, ["500 requested ×3"]);
}

#[test]
fn paused_parts_of_seconds_are_shaded() {
    let row = |at: u64| {
        let is_paused = (10..39).contains(&at);
        let (pauses, paused_ms) = if is_paused { (1, 400) } else { (0, 0) };
        Row { at, issued: 5, rate: 5.0, limit: Some(5.0), pauses, paused_ms, rate_limited: pauses, ..Row::default() }
    };
    let course = course(&(0..60).map(row).collect(), "i");
    let (red, green, blue) = {
        let shade = Theme::Light.pause();
        (shade.0, shade.1, shade.2)
    };
    let svg = text(&course);
    let fill = format!("fill=\"#{red:02X}{green:02X}{blue:02X}\"");
    let shades = svg.split("<rect ").filter(|rect| rect.contains(&fill));
    let widths: Vec<i32> =
        shades.map(|rect| rect.split_once("width=\"").unwrap().1.split_once('"').unwrap().0.parse().unwrap()).collect();
    let second = place(&svg, "0:10").0 - place(&svg, "0:05").0;
    // The last one is the sample in the legend.
    assert_eq!(widths.len(), 30, "{widths:?}");
    assert!(widths[..29].iter().all(|width| (width * 5 * 10 - second * 4).abs() <= 100), "{widths:?} of {second}");
    assert_eq!(course.pauses[0].length(), "0.4 s");
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
    // The line and its sample in the legend.
    assert_eq!(polylines(&text, (26, 123, 54)).len(), 2, "one line, whatever the number of steps");
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

/// Returns the corners of the lines of a color.
fn polylines(svg: &str, (red, green, blue): (u8, u8, u8)) -> Vec<Vec<(i32, i32)>> {
    let color = format!("stroke=\"#{red:02X}{green:02X}{blue:02X}\"");
    let lines = svg.split("<polyline ").skip(1).filter_map(|line| line.split_once("/>")).map(|(line, _)| line);
    let points = lines.filter(|line| line.contains(&color)).map(|line| line.split_once("points=\"").unwrap().1);
    let corner = |point: &str| {
        let (x, y) = point.split_once(',').unwrap();
        (x.parse().unwrap(), y.parse().unwrap())
    };
    points.map(|points| points.split_once('"').unwrap().0.split_whitespace().map(corner).collect()).collect()
}

/// Returns the position of a text.
fn place(svg: &str, words: &str) -> (i32, i32) {
    let (before, _) = svg.split_once(&format!("\n{words}\n")).unwrap_or_else(|| panic!("{words}: {svg}"));
    let (_, element) = before.rsplit_once("<text ").unwrap();
    let number = |name: &str| {
        let (_, rest) = element.split_once(&format!("{name}=\"")).unwrap();
        rest.split_once('"').unwrap().0.parse().unwrap()
    };
    (number("x"), number("y"))
}

#[test]
fn limits_are_named_beside_the_panel_without_overlap() {
    let learned = |at: u64| Row { at, issued: 5, limit: Some(5.0), learned_rate: Some(4.8), ..Row::default() };
    let svg = text(&course(&(0..30).map(learned).collect(), "ri"));
    let (limit, adapted) = (place(&svg, "limit 5"), place(&svg, "adapted 4.8"));
    assert!(limit.0 > 1800 && adapted.0 == limit.0 && adapted.1 - limit.1 >= 24, "{limit:?} {adapted:?}");
    let at = |y: i32| {
        let ink = polylines(&svg, (25, 25, 25)).into_iter();
        ink.filter(|line| line.iter().all(|(x, other)| (other - y).abs() < 3 && *x >= 150)).count()
    };
    assert!(at(limit.1) > 20, "the limit is dashed: {}", at(limit.1));
    assert_eq!((10..24).map(|below| at(limit.1 + below)).max(), Some(1), "the adapted limit is one line");
    // Waits have an axis there.
    let svg = text(&course(&burst(), "riw"));
    assert!(place(&svg, "limit 5").0 > 1800, "the axis of seconds belongs to another panel");
    let tokens = |at: u64| Row { used_tokens: 5, ..learned(at) };
    assert!(place(&text(&course(&(0..30).map(tokens).collect(), "iu")), "limit 5").0 < 1850);
}

#[test]
fn band_that_is_cut_off_has_one_number() {
    let row = |at: u64| Row {
        at,
        requested: if at.is_multiple_of(20) { 40 + at % 7 } else { 4 },
        issued: 5,
        limit: Some(5.0),
        ..Row::default()
    };
    let svg = text(&course(&(0..21_600).map(row).collect(), "ri"));
    assert_eq!((svg.matches("\nup to 46 requested\n").count(), svg.matches("up to").count()), (1, 1));
}

#[test]
fn marks_of_a_single_panel_are_above_the_times() {
    let svg = text(&course(&burst(), "ri"));
    let (_, points) = svg.rsplit_once("<polygon ").unwrap();
    let points = points.split_once("points=\"").unwrap().1.split_once('"').unwrap().0;
    let lowest = points.split_whitespace().map(|point| point.split_once(',').unwrap().1.parse::<i32>().unwrap()).max();
    assert!(lowest.unwrap() < place(&svg, "0:05").1 - 10, "{lowest:?}");
    // Without events there is no strip for them.
    let calm = text(&course(&(0..30).map(|at| Row { at, issued: 5, rate: 5.0, ..Row::default() }).collect(), "ri"));
    let axis = |svg: &str| place(svg, "0").1;
    assert!(axis(&calm) > axis(&svg) + 40, "{} {}", axis(&calm), axis(&svg));
}

#[test]
fn kinds_of_events_have_different_shapes() {
    for (index, mark) in Mark::ALL.into_iter().enumerate() {
        assert!(Mark::ALL[..index].iter().all(|other| Shape::of(*other) != Shape::of(mark)), "{mark:?}");
    }
    let overloaded = |at: u64| {
        let refused = u64::from(at == 10);
        Row { at, issued: 5, rate_limited: 2 * refused, overloaded: refused, ..Row::default() }
    };
    let svg = text(&course(&(0..30).map(overloaded).collect(), "ri"));
    assert!(svg.contains("\n1 refusal\n") && svg.contains("\n1 overload\n"), "{svg}");
}

#[test]
fn pace_fills_the_panel_whatever_the_queue_is() {
    let svg = text(&course(&burst(), "riefo"));
    let ys: Vec<i32> = polylines(&svg, (26, 123, 54)).into_iter().flatten().map(|(_, y)| y).collect();
    let height = ys.iter().max().unwrap() - ys.iter().min().unwrap();
    assert!(height > 150, "{height} of 800 pixels");
}

/// Returns the words of a picture.
fn words(svg: &str) -> Vec<&str> {
    svg.lines().filter(|line| !line.starts_with('<')).collect()
}

#[test]
fn legend_lists_what_is_drawn_and_nothing_else() {
    let row = |at: u64| Row { at, issued: 5, requested: 5, finished: 5, rate: 5.0, ..Row::default() };
    let has = |course: &Course, word: &str| words(&text(course)).iter().any(|other| other.trim() == word);
    let all = ["limit", "adapted limit", "least to most", "rate limited", "1 overload", "1 closing", "closed"];
    let plain = course(&(0..30).map(row).collect(), "riefo");
    assert_eq!(all.map(|word| has(&plain, word)), [false; 7]);
    let rich = |at: u64| Row {
        issued: at % 4,
        rate_limited: u64::from(at == 100),
        overloaded: u64::from(at == 100),
        limit: Some(5.0),
        learned_rate: Some(4.0),
        closed: (at > 250).then_some(ratellmiter_core::log::ClosedReason::Quota),
        ..row(at)
    };
    let rich = course(&(0..300).map(rich).collect(), "riefo");
    assert_eq!(all.map(|word| has(&rich, word)), [true, true, true, false, true, true, true]);
    assert!(has(&rich, "overloaded"), "the line of refusals that were overloads");
}

#[test]
fn shade_of_pauses_is_named_by_the_causes_that_label_it() {
    let svg = text(&course(&burst(), "ri"));
    assert!(words(&svg).contains(&"pause: refused") && words(&svg).contains(&"refused 6 s"), "{svg}");
}

#[test]
fn marks_that_stand_for_several_events_have_their_number() {
    let row = |at: u64| Row {
        at,
        issued: 1,
        rate: 5.0,
        rate_limited: u64::from((5000..5009).contains(&at) || at == 15_000),
        limit: Some(5.0),
        ..Row::default()
    };
    let svg = text(&course(&(0..21_600).map(row).collect(), "ri"));
    let numbers: Vec<_> = words(&svg).into_iter().filter(|word| word.starts_with('×')).collect();
    assert_eq!((numbers, svg.contains("\n10 refusals\n")), (vec!["×9"], true));
}

#[test]
fn seconds_begin_at_their_ticks_and_the_axis_ends_with_the_last_one() {
    let row = |at: u64| Row { at, issued: at + 1, limit: Some(5.0), ..Row::default() };
    let svg = text(&course(&(0..4).map(row).collect(), "i"));
    let lines = polylines(&svg, (26, 123, 54));
    let steps = lines.iter().max_by_key(|line| line.len()).unwrap();
    let ticks = ["0:00", "0:01", "0:02", "0:03", "0:04"].map(|tick| place(&svg, tick).0);
    let edges: Vec<_> = steps.iter().map(|(x, _)| *x).collect();
    assert_eq!(edges, [ticks[0], ticks[1], ticks[1], ticks[2], ticks[2], ticks[3], ticks[3], ticks[4]]);
}

#[test]
fn lines_are_inside_the_frame() {
    let row = |at: u64| Row { at, requested: if at == 0 { 500 } else { 0 }, limit: Some(5.0), ..Row::default() };
    let svg = text(&course(&(0..30).map(row).collect(), "r"));
    let frame = svg.split("<rect ").find(|rect| rect.contains("fill=\"none\"")).unwrap();
    let number = |name: &str| -> i32 {
        let (_, rest) = frame.split_once(&format!("{name}=\"")).unwrap();
        rest.split_once('"').unwrap().0.parse().unwrap()
    };
    let (top, bottom) = (number(" y"), number(" y") + number("height"));
    let lines = polylines(&svg, (213, 123, 2));
    let ys: Vec<_> = lines.iter().max_by_key(|line| line.len()).unwrap().iter().map(|(_, y)| *y).collect();
    assert!(ys.iter().all(|y| (top + 3..=bottom - 5).contains(y)), "{ys:?} in {top} to {bottom}");
    assert!(words(&svg).contains(&"500 requested"));
    // Two strokes are the break, besides the line and its sample in the legend.
    assert_eq!(lines.len(), 4, "{lines:?}");
}

#[test]
fn panels_of_several_models_have_names_and_limits() {
    let series = |finished: u64, limit: f64| {
        (0..60).map(|at| Row { at, finished, limit: Some(limit), ..Row::default() }).collect::<Series>()
    };
    let (small, large) = (series(1, 2.0), series(80, 90.0));
    let course = Course::of_models(&[("small", &small), ("large", &large)], 400);
    let svg = text(&course);
    for word in ["small", "large", "limit 2", "limit 90", "limit"] {
        assert!(words(&svg).contains(&word), "{word}: {svg}");
    }
    assert!(place(&svg, "small").1 > place(&svg, "large").1 + 100, "each at its panel");
    assert_eq!(course.subtitle, "2 models, 4860 calls finished in 1:00");
    let alone = Course::of_models(&[("large", &large)], 400);
    assert!(alone.panels[0].names.is_empty() && !alone.panels[0].limit.is_empty());
}

#[test]
fn tick_of_a_panel_is_not_at_its_edge() {
    let row = |at: u64| Row { at, issued: 5, rate: 5.0, overflow: 186, limit: Some(5.0), ..Row::default() };
    let svg = text(&course(&(0..30).map(row).collect(), "io"));
    let lower = place(&svg, "200").1;
    let frames: Vec<_> = svg.split("<rect ").filter(|rect| rect.contains("fill=\"none\"")).collect();
    let (_, y) = frames[1].split_once(" y=\"").unwrap();
    let top: i32 = y.split_once('"').unwrap().0.parse().unwrap();
    assert!(lower - top >= 12, "{lower} below {top}");
}

#[test]
fn adapted_limit_is_one_line_with_steps() {
    let row = |at: u64| Row {
        at,
        issued: 5,
        limit: Some(5.0),
        learned_rate: Some(if at.is_multiple_of(2) { 4.0 } else { 3.0 }),
        ..Row::default()
    };
    let svg = text(&course(&(0..30).map(row).collect(), "i"));
    let longest = polylines(&svg, (25, 25, 25)).into_iter().map(|line| line.len()).max();
    assert_eq!(longest, Some(60), "two corners of each level");
}
