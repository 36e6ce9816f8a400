//! The panels of the chart, its events and its zoom.

use std::fs;

use serde_json::{Value, json};

use crate::Directory;

/// Places on the page, and the texts and shapes on the chart.
const TOOLS: &str = r"
/** Returns the texts that the script writes on the chart. */
const texts = (act) => {
  written.clear();
  act();
  return written.get(one('#chart')) ?? [];
};
const redrawn = () => texts(() => draw());
/** Returns the rows with pixels of a color, between two places. */
const rows = (color, from = 0, to = Infinity) => {
  const canvas = one('#chart');
  const data = pixels('#chart');
  const found = new Set();
  for (let at = 0; at < data.length; at += 4) {
    const x = (at / 4) % canvas.width;
    if (x < from || x > to || data[at + 3] !== 255) continue;
    if (`rgb(${data[at]}, ${data[at + 1]}, ${data[at + 2]})` === color) found.add(Math.floor(at / 4 / canvas.width));
  }
  return found;
};
const colorOf = (letter) => line(letter).style.getPropertyValue('--line');
const pointer = (type, x, more = {}) => {
  const { left, top } = plot.getBoundingClientRect();
  plot.dispatchEvent(new PointerEvent(type, { clientX: left + x, clientY: top + 100, button: 0, bubbles: true, ...more }));
};
const drag = (from, to) => {
  pointer('pointerdown', from);
  pointer('pointermove', to);
  pointer('pointerup', to);
};
/** Turns the wheel, and returns whether the page would not scroll. */
const wheel = (x, deltaY) => {
  const { left, top } = plot.getBoundingClientRect();
  return !plot.dispatchEvent(new WheelEvent('wheel', { clientX: left + x, clientY: top + 100, deltaY, bubbles: true, cancelable: true }));
};
const times = () => redrawn().filter((text) => /^(\d+:)?\d+:\d\d$/.test(text));
";

/// 200 calls at once at a limit of 5 per second, two overloads with a pause of ten seconds, then a spent quota.
fn run() -> String {
    let row = |at: u64| {
        let is_paused = (20..30).contains(&at);
        let mut row = json!({
            "at": 1_795_640_554 + at, "model": "m", "limit": 5.0, "rate": if is_paused { 0.0 } else { 5.0 },
            "requested": if at == 0 { 200 } else { 0 },
            "issued": if at == 25 { 1 } else if is_paused { 0 } else { 5 },
            "finished": if is_paused { 0 } else { 5 },
            "overflow": 200 - 4 * at.min(50),
        });
        if at == 19 {
            row["rate_limited"] = 1.into();
        }
        if at == 20 || at == 25 {
            (row["rate_limited"], row["overloaded"]) = (1.into(), 1.into());
        }
        if (40..50).contains(&at) {
            row["learned_rate"] = 4.0.into();
        }
        if at >= 80 {
            (row["rate"], row["closed"], row["closed_for"]) = (0.0.into(), "quota".into(), (3600 - at).into());
        }
        row
    };
    (0..100).map(|at| row(at).to_string() + "\n").collect()
}

fn used(log: &str, args: &[&str], script: &str) -> Value {
    let directory = Directory::new();
    fs::write(directory.path("x.jsonl"), log).unwrap();
    directory.used(&directory.path("x.jsonl"), args, &format!("{TOOLS}\n{script}"))
}

fn list(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

#[test]
fn rates_are_above_the_queue_and_have_a_limit() {
    let seen = used(
        &run(),
        &[],
        "seen.texts = redrawn();
        const [issued, queued] = [rows(colorOf('i')), rows(colorOf('o'))];
        seen.apart = Math.max(...issued) < Math.min(...queued);
        // The pace is not a few pixels at the bottom.
        seen.height = Math.max(...issued) - Math.min(...issued);
        seen.marks = [...all('#marks span').map((mark) => mark.textContent)];
        seen.caption = text('#axis');
        seen.when = [moveTo('0:20, paused, 1 overload'), moveTo('0:25, paused, 1 overload, 1 refused canary')].map((found) => found !== null);
        seen.alone = ['r', 'i', 'e', 'f'].map((letter) => texts(() => line(letter).click())).pop();",
    );
    let texts = list(&seen["texts"]);
    for text in [
        "calls per second",
        "calls",
        "limit 5",
        "adapted 4",
        "200 requested",
        "refused 10 s",
        "closed: quota 20 s",
        "0:00",
        "1:30",
    ] {
        assert!(texts.contains(&text), "{text}: {texts:?}");
    }
    assert!(seen["apart"] == true && seen["height"].as_f64().unwrap() > 100.0, "{seen}");
    assert_eq!(
        seen["marks"],
        json!(["▼1 refusal", "◆2 overloads", "○1 refused canary", "●1 accepted canary", "■1 closing"])
    );
    assert_eq!((&seen["when"], &seen["caption"]), (&json!([true, true]), &"Time since 2026-11-25 21:02:34 UTC".into()));
    let alone = list(&seen["alone"]);
    assert!(
        alone.contains(&"calls") && !alone.contains(&"calls per second") && !alone.contains(&"limit 5"),
        "{alone:?}"
    );
}

#[test]
fn chart_is_zoomed_by_drag_wheel_and_keys_and_reset() {
    let seen = used(
        &run(),
        &[],
        "const width = plot.clientWidth;
        seen.all = times();
        drag(width * 0.4, width * 0.6);
        move(0, 'pointerleave');
        seen.dragged = [times(), text('#time'), one('#reset').hidden];
        seen.inside = moveTo('0:45') !== null && moveTo('0:10') === null;
        move(0, 'pointerleave');
        plot.dispatchEvent(new MouseEvent('dblclick', { bubbles: true }));
        seen.reset = [times(), one('#reset').hidden];
        seen.idle = wheel(width / 2, 100);
        seen.wheel = wheel(width / 2, -100);
        seen.turned = times();
        wheel(width / 2, 400);
        seen.back = times();
        [1, 2, 3].forEach(() => key(plot, '+'));
        seen.keys = times();
        key(plot, 'End');
        seen.followed = times().pop();
        one('#reset').click();
        seen.button = times();
        drag(width * 0.5, width * 0.5 + 3);
        seen.clicked = times();
        [...Array(40)].forEach(() => wheel(width / 2, -400));
        seen.closest = times();",
    );
    let all = &seen["all"];
    assert_eq!(all, &json!(["0:00", "0:10", "0:20", "0:30", "0:40", "0:50", "1:00", "1:10", "1:20", "1:30"]));
    let dragged = list(&seen["dragged"][0]);
    assert!(dragged.len() > 5 && dragged.iter().all(|text| ("0:38".."1:02").contains(text)), "{dragged:?}");
    assert!(seen["dragged"][1].as_str().unwrap().starts_with("of 0:") && seen["dragged"][2] == false, "{seen}");
    assert_eq!((&seen["inside"], &seen["reset"]), (&true.into(), &json!([all, true])));
    // Without a zoom, turning the wheel back scrolls the page.
    assert_eq!((&seen["idle"], &seen["wheel"]), (&false.into(), &true.into()));
    assert_ne!(&seen["turned"], all);
    assert_eq!((&seen["back"], &seen["button"], &seen["clicked"]), (all, all, all));
    let keys = list(&seen["keys"]);
    assert!(keys.iter().all(|text| ("0:40".."1:00").contains(text)), "{keys:?}");
    assert_eq!(seen["followed"], "1:39");
    assert_eq!(seen["closest"].as_array().unwrap().len(), 4, "at least four seconds remain");
}

#[test]
fn headline_breaks_between_words_but_never_in_a_figure() {
    let seen = used(
        &run(),
        &[],
        "const verdict = one('#verdict');
        seen.text = verdict.textContent;
        seen.figures = all('#verdict .figure').map((figure) => figure.textContent);
        seen.broken = [];
        seen.lines = new Set();
        for (let width = 120; width < 900; width += 7) {
          verdict.style.width = `${width}px`;
          seen.lines.add(Math.round(verdict.getBoundingClientRect().height));
          const broken = all('#verdict .figure').filter((figure) => figure.getClientRects().length > 1);
          if (broken.length > 0) seen.broken.push(width);
        }
        seen.lines = seen.lines.size;",
    );
    let figures = list(&seen["figures"]);
    assert!(
        !figures.is_empty() && figures.iter().all(|figure| figure.starts_with(|first: char| first.is_ascii_digit()))
    );
    let text = seen["text"].as_str().unwrap();
    assert!(
        text.split_whitespace()
            .filter(|word| word.starts_with(|first: char| first.is_ascii_digit()))
            .all(|number| { figures.iter().any(|figure| figure.contains(number)) }),
        "{text}: {figures:?}"
    );
    assert_eq!((&seen["broken"], seen["lines"].as_u64() > Some(2)), (&json!([]), true));
}

#[test]
fn long_run_is_a_mean_in_a_band_and_a_slow_one_is_counted_per_minute() {
    let day = |at: u64| json!({"at": at, "model": "m", "limit": 5.0, "rate": 5.0, "issued": if at.is_multiple_of(2) { 5 } else { 1 }, "finished": 3});
    let rows: String = (0..21_600).map(|at| day(at).to_string() + "\n").collect();
    let seen = used(
        &rows,
        &["-lines=i"],
        "// The mean of 3 is one line, and not a block from 1 to 5.
        seen.rows = rows(colorOf('i'), 200, 1000).size;
        seen.times = times();
        drag(plot.clientWidth * 0.5, plot.clientWidth * 0.5 + 30);
        seen.zoomed = times();",
    );
    assert!(seen["rows"].as_u64().unwrap() <= 4, "{seen}");
    assert!(list(&seen["times"]).contains(&"0:30:00") && list(&seen["times"]).contains(&"5:30:00"), "{seen}");
    assert_ne!(seen["times"], seen["zoomed"]);
    let slow = |at: u64| json!({"at": at, "model": "m", "limit": 0.1, "rate": 0.1, "issued": u64::from(at.is_multiple_of(10))});
    let rows: String = (0..3600).map(|at| slow(at).to_string() + "\n").collect();
    let seen = used(&rows, &["-lines=i"], "seen.texts = redrawn(); seen.rows = rows(colorOf('i')).size;");
    let texts = list(&seen["texts"]);
    assert!(texts.contains(&"calls per minute") && texts.contains(&"limit 6"), "{texts:?}");
    assert!((1..=4).contains(&seen["rows"].as_u64().unwrap()), "six in each minute: {seen}");
}

#[test]
fn unknown_seconds_have_no_line() {
    let row = |at: u64| json!({"at": at, "model": "m", "issued": 1, "finished": 1, "rate": 5.0, "call_ms": {"p50": 900, "p99": 900, "max": 900}});
    let rows: String = (0..20).chain(80..100).map(|at| row(at).to_string() + "\n").collect();
    let seen = used(
        &rows,
        &["-lines=a"],
        "const middle = plot.clientWidth / 2;
        seen.known = rows(colorOf('a')).size > 0;
        seen.gap = rows(colorOf('a'), middle - 200, middle + 200).size;",
    );
    assert_eq!(seen, json!({ "known": true, "gap": 0 }));
}

#[test]
fn gap_of_nearly_a_year_is_drawn_at_once() {
    let row = |at: u64| json!({"at": at, "model": "m", "limit": 0.1, "issued": 1, "requested": 2, "overflow": 3, "rate": 0.1});
    let rows: String = (0..300).chain(30_000_000..30_000_300).map(|at| row(at).to_string() + "\n").collect();
    let seen = used(
        &rows,
        &["-lines=rio"],
        "const before = performance.now();
        seen.texts = redrawn();
        wheel(0, -400);
        seen.quick = performance.now() - before < 5000;",
    );
    assert_eq!(seen["quick"], true);
    assert!(list(&seen["texts"]).contains(&"calls per minute"), "{seen}");
}
