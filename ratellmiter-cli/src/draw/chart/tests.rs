//! Tests of `chart`.

use ratellmiter_core::log::{ClosedReason, Row};

use super::*;
use crate::series::{Axis, Counts, LINES, Lines, Second, Series};

fn series(rows: &[(u64, Counts)]) -> Series {
    rows.iter().map(|(at, counts)| Second::from_counts(*at, *counts)).collect()
}

fn graph(series: &Series, letters: &str) -> Graph {
    Graph::of_model("m", series, &letters.parse::<Lines>().unwrap(), 2000)
}

fn draw(graph: &Graph) -> (Picture, Frame) {
    let size = Size::DEFAULT;
    (pixels(graph, size, Theme::Light, fonts::none).unwrap(), Frame::of(graph, size, 1.0))
}

fn color_of(letter: char) -> (u8, u8, u8) {
    LINES.iter().find(|line| line.letter == letter).unwrap().color.light
}

fn color(picture: &Picture, x: i32, y: i32) -> (u8, u8, u8) {
    let at = 3 * (y.unsigned_abs() * picture.width + x.unsigned_abs()) as usize;
    (picture.pixels[at], picture.pixels[at + 1], picture.pixels[at + 2])
}

/// Ten equal seconds: requested 10, issued 20, rate limited 30, finished 40, overflow 50.
fn level() -> Series {
    series(&(0..10).map(|at| (at, [10, 20, 30, 40, 50])).collect::<Vec<_>>())
}

#[test]
fn only_selected_lines_are_drawn() {
    let series = level();
    let heights = [('r', 10.0), ('i', 20.0), ('e', 30.0), ('f', 40.0), ('o', 50.0)];
    for (selected, _) in heights {
        // The overflow keeps the scale the same.
        let letters = format!("{selected}o");
        let (picture, frame) = draw(&graph(&series, &letters));
        assert_eq!((picture.width, picture.height, picture.pixels.len()), (2000, 800, 4_800_000));
        for (letter, height) in heights {
            let is_drawn = color(&picture, frame.x(5.0), frame.y(Axis::Calls, height)) == color_of(letter);
            assert_eq!(is_drawn, letters.contains(letter), "{letter} in {letters}");
        }
    }
}

#[test]
fn seconds_have_an_axis_and_pauses_are_shaded() {
    let mut rows: Vec<_> = (0..10)
        .map(|at| Second::from_row(&Row { at, issued: 100, finished: 100, rate: 5.0, in_flight: 50, ..Row::default() }))
        .collect();
    rows.iter_mut().for_each(|row| (row.wait_ms, row.latency_ms) = ([0, 4000, 0], [0, 3000, 0]));
    rows[0].in_flight = 100;
    (rows[6].rate, rows[7].rate) = (0.0, 0.0);
    let series: Series = rows.into_iter().collect();
    let graph = graph(&series, "anwl");
    assert_eq!(graph.pauses, [(6, 7)]);
    let (picture, frame) = draw(&graph);
    let [(Axis::Calls, _), (Axis::Seconds, scale)] = frame.axes[..] else { panic!("{frame:?}") };
    assert!((4.0..4.5).contains(&scale.top), "{scale:?}");
    assert_eq!(color(&picture, frame.x(3.5), frame.y(Axis::Seconds, 4.0)), color_of('w'));
    assert_eq!(color(&picture, frame.x(3.5), frame.y(Axis::Seconds, 3.0)), color_of('l'));
    assert_eq!(color(&picture, frame.x(3.5), frame.y(Axis::Calls, 50.0)), color_of('n'));
    assert_eq!(color(&picture, frame.x(3.5), frame.y(Axis::Calls, 5.0)), color_of('a'));
    let shade = Theme::Light.pause();
    let inside = color(&picture, frame.x(6.5), frame.y(Axis::Calls, 33.0));
    assert_eq!(inside, (shade.0, shade.1, shade.2));
    assert_eq!(color(&picture, frame.x(4.5), frame.y(Axis::Calls, 33.0)), (255, 255, 255));
}

#[test]
fn closed_limiter_has_a_shade_and_a_legend_entry() {
    let row = |at: u64| Row {
        at,
        finished: 100,
        rate: if at < 4 { 5.0 } else { 0.0 },
        closed: (at > 6).then_some(ClosedReason::Unavailable),
        ..Row::default()
    };
    let graph = graph(&(0..10).map(row).collect(), "f");
    assert_eq!((&graph.pauses[..], &graph.closed[..]), (&[(4, 6)][..], &[(7, 9)][..]));
    for (theme, closed) in [(Theme::Light, "#FEECB2"), (Theme::Dark, "#544612")] {
        let picture = pixels(&graph, Size::DEFAULT, theme, fonts::none).unwrap();
        let frame = Frame::of(&graph, Size::DEFAULT, 1.0);
        let shade = |offset| color(&picture, frame.x(offset), frame.y(Axis::Calls, 33.0));
        let of = |color: RGBColor| (color.0, color.1, color.2);
        assert_eq!(
            [shade(2.5), shade(5.5), shade(8.5)],
            [of(theme.background()), of(theme.pause()), of(theme.closed())]
        );
        let text = svg(&graph, Size::DEFAULT, theme).unwrap();
        assert!(text.contains("\nclosed\n"), "{text}");
        assert_eq!(text.matches(closed).count(), 2, "the span and the legend");
    }
    let open = svg(&Graph { closed: Vec::new(), ..graph }, Size::DEFAULT, Theme::Light).unwrap();
    assert!(!open.contains("\nclosed\n"), "{open}");
}

#[test]
fn tokens_have_an_axis_beyond_the_seconds() {
    let row = |at| Row { at, issued: 10, rate: 5.0, reserved_tokens: 20_000, used_tokens: 5000, ..Row::default() };
    let mut series: Series = (0..10).map(row).collect();
    series.append((10..20).map(|at| Second { wait_ms: [0, 4000, 0], ..Second::from_row(&row(at)) }).collect());
    let (picture, frame) = draw(&graph(&series, "rtwu"));
    let axes: Vec<_> = frame.axes.iter().map(|(axis, _)| *axis).collect();
    assert_eq!(axes, [Axis::Calls, Axis::Seconds, Axis::Tokens]);
    assert_eq!(color(&picture, frame.x(3.5), frame.y(Axis::Tokens, 20_000.0)), color_of('t'));
    assert_eq!(color(&picture, frame.x(3.5), frame.y(Axis::Tokens, 5000.0)), color_of('u'));
    let text = svg(&graph(&series, "rtwu"), Size::DEFAULT, Theme::Light).unwrap();
    for words in ["Number of requests", "Seconds", "Tokens", "20k"] {
        assert!(text.contains(&format!("\n{words}\n")), "{words}");
    }
    let alone = svg(&graph(&series, "tu"), Size::DEFAULT, Theme::Light).unwrap();
    assert!(alone.contains("\nTokens\n") && !alone.contains("Number of requests") && !alone.contains("Seconds"));
}

#[test]
fn peak_of_one_second_in_a_day_is_drawn() {
    let day: Vec<_> = (0..86_400).map(|at| (at, [0, if at == 54_321 { 99 } else { 1 }, 0, 0, 0])).collect();
    let (picture, frame) = draw(&graph(&series(&day), "i"));
    let at = |offset| color(&picture, frame.x(offset), frame.y(Axis::Calls, 60.0));
    assert_eq!((at(54_321.0) == color_of('i'), at(50_000.0) == color_of('i')), (true, false));
}

#[test]
fn single_second_is_drawn_as_dots() {
    let (picture, frame) = draw(&graph(&series(&[(7, [3, 1, 0, 0, 2])]), "riefo"));
    for (letter, count) in [('r', 3.0), ('i', 1.0), ('o', 2.0)] {
        assert_eq!(color(&picture, frame.x(0.0), frame.y(Axis::Calls, count)), color_of(letter), "{letter}");
    }
}

#[test]
fn dark_theme_has_its_own_colors() {
    let graph = graph(&level(), "o");
    let picture = pixels(&graph, Size { width: 1000, height: 400 }, Theme::Dark, fonts::none).unwrap();
    let frame = Frame::of(&graph, Size { width: 1000, height: 400 }, 0.5);
    assert_eq!((picture.width, picture.pixels.len()), (1000, 1_200_000));
    let dark = LINES.iter().find(|line| line.letter == 'o').unwrap().color.dark;
    assert_eq!(color(&picture, frame.x(5.0), frame.y(Axis::Calls, 50.0)), dark);
    assert_eq!(color(&picture, 3, 3), (24, 26, 32));
}

#[test]
fn svg_escapes_names() {
    let text = svg(&Graph::of_model("<b>&\"m\"", &level(), &"ro".parse().unwrap(), 2000), Size::DEFAULT, Theme::Light)
        .unwrap();
    assert!(text.starts_with("<svg") && text.trim_end().ends_with("</svg>"));
    assert!(text.contains("overflow, waiting") && text.contains("#D57B02"), "{text}");
    assert!(text.contains("&lt;b&gt;&amp;") && !text.contains("<b>"), "{text}");
}

#[test]
fn letters_without_a_font_are_escaped_in_pixels() {
    let series = level();
    let drawn = |name: &str, lookup: Lookup| {
        let course = Course::of_models(&[(name, &series), ("b", &series)], 400);
        let single = graph_of(name, &series);
        [pixels(&course, Size::DEFAULT, Theme::Light, lookup), pixels(&single, Size::DEFAULT, Theme::Light, lookup)]
            .map(|picture| picture.unwrap().pixels)
    };
    for (name, escaped) in [("模型", "\\u{6a21}\\u{578b}"), ("a 🦀", "a \\u{1f980}"), ("عر", "\\u{639}\\u{631}")]
    {
        assert!(drawn(name, fonts::none) == drawn(escaped, fonts::none), "{name}");
        assert!(drawn(name, fonts::sample::lookup) == drawn(name, fonts::none), "a font without these letters");
    }
    // A font that has the letters draws them, each as a black square in this one.
    let [in_legend, in_title] = drawn("你", fonts::sample::lookup);
    let [escaped_legend, escaped_title] = drawn("你", fonts::none);
    assert!(in_legend != escaped_legend && in_title != escaped_title);
    let is_black = |pixel: &[u8]| pixel.iter().all(|channel| *channel < 60);
    let stroke = |row: &[u8]| {
        let pixels: Vec<_> = row.chunks(3).collect();
        pixels
            .chunk_by(|one, next| is_black(one) == is_black(next))
            .filter(|run| is_black(run[0]))
            .map(<[_]>::len)
            .max()
    };
    let longest = |pixels: &[u8]| pixels.chunks(3 * 2000).take(70).filter_map(stroke).max().unwrap();
    assert!(longest(&in_title) > longest(&escaped_title) + 5, "the square of the title");
}

fn graph_of(name: &str, series: &Series) -> Graph {
    Graph::of_model(name, series, &"r".parse().unwrap(), 2000)
}

#[test]
fn viewer_of_svg_selects_fonts() {
    let text = svg(&graph_of("你好 font-family=\"sans-serif\"", &level()), Size::DEFAULT, Theme::Light).unwrap();
    assert!(text.contains("Request Flow for 你好"), "{text}");
    let families: Vec<_> = text.split(" font-family=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(families.len() > 5 && families.iter().all(|families| *families == "Noto Sans, sans-serif"), "{families:?}");
    // Letters that the viewer finds a font for take room in the legend.
    let wide: Vec<_> = ["漢".repeat(40), "漢".repeat(41)].into();
    let series = level();
    let models: Vec<_> = wide.iter().map(|name| (name.as_str(), &series)).collect();
    let text = svg(&Graph::of_models(&models, 2000), Size::DEFAULT, Theme::Light).unwrap();
    assert!(text.contains("漢…漢"), "shortened to a third of the width");
}

#[test]
fn extreme_values_and_names_are_drawn() {
    let extreme = series(&[(0, [u64::MAX; 5]), (u64::MAX, [0; 5])]);
    for series in [Series::default(), series(&[(5, [0; 5])]), extreme] {
        for model in ["", "🦀 /..\n\u{7}", &"long ".repeat(100)] {
            let graph = Graph::of_model(model, &series, &"riefoawlntub".parse().unwrap(), 2000);
            for size in [Size::DEFAULT, Size::MIN, Size { width: 320, height: 3000 }] {
                assert!(pixels(&graph, size, Theme::Dark, fonts::none).is_ok());
            }
            assert!(svg(&graph, Size::DEFAULT, Theme::Light).is_ok());
        }
    }
    let many: Vec<_> = (0..40).map(|index| format!("a model with a name {index}")).collect();
    let series = level();
    let models: Vec<_> = many.iter().map(|name| (name.as_str(), &series)).collect();
    assert!(pixels(&Graph::of_models(&models, 2000), Size::DEFAULT, Theme::Light, fonts::none).is_ok());
}

#[test]
fn size_is_bounded() {
    assert_eq!("1200x600".parse(), Ok(Size { width: 1200, height: 600 }));
    for text in ["", "x", "100x100", "1200", "1200x", "4001x800", "-5x300", "1e3x500"] {
        assert_eq!(text.parse::<Size>().unwrap_err(), "allowed is WIDTHxHEIGHT in pixels, from 320x200 to 4000x3000");
    }
}

#[test]
fn legend_names_every_line_in_several_rows() {
    let (this, other) = (level(), level());
    let all: Lines = "riefoawlntub".parse().unwrap();
    let models: Vec<_> = (0..20).map(|index| format!("a-model-{index}")).collect();
    let several: Vec<_> = models.iter().map(|name| (name.as_str(), &this)).collect();
    for (graph, size) in [
        (Graph::of_runs("m", [&this, &other], ["a.jsonl", "b.jsonl"], &all, 2000), Size::DEFAULT),
        (Graph::of_models(&several, 2000), Size { width: 1200, height: 600 }),
        (Graph::of_model("m", &this, &all, 2000), Size { width: 1400, height: 700 }),
        (Graph::of_model("m", &this, &all, 2000), Size::MIN),
    ] {
        let text = svg(&graph, size, Theme::Light).unwrap();
        assert!(!text.contains(" more\n"), "{size:?}");
        for curve in &graph.curves {
            assert!(text.contains(&format!("\n{}\n", curve.name)), "{} in {size:?}", curve.name);
        }
        // All strokes start and end inside the picture.
        for points in text.split("points=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            let xs = points.split_whitespace().filter_map(|point| point.split(',').next()?.parse::<i64>().ok());
            assert!(xs.into_iter().all(|x| (0..=i64::from(size.width)).contains(&x)), "{points}");
        }
    }
    // Curves for which there is no room are counted.
    let many: Vec<_> = (0..400).map(|_| ("a name of some length", &this)).collect();
    assert!(svg(&Graph::of_models(&many, 2000), Size::DEFAULT, Theme::Light).unwrap().contains(" more\n"));
}

#[test]
fn comparison_shades_pauses_of_the_first_run() {
    let row = |at| Second::from_row(&Row { at, issued: 1, rate: if at == 6 { 0.0 } else { 5.0 }, ..Row::default() });
    let run: Series = (0..10).map(row).collect();
    let graph = Graph::of_runs("m", [&run, &level()], ["a", "b"], &"i".parse().unwrap(), 2000);
    assert_eq!(graph.pauses, [(6, 6)]);
    assert!(svg(&graph, Size::DEFAULT, Theme::Light).unwrap().contains("#FDE8E8"));
}
