//! The lines of the chart, their legend and the tabs of models.

use std::fs;

use serde_json::{Value, json};

use crate::{Directory, sample};

/// Returns the row at an offset of `burst.jsonl`, and its values as the page shows them.
fn row(offset: usize) -> (Value, Value) {
    let log = fs::read_to_string(sample("burst.jsonl")).unwrap();
    let row: Value = serde_json::from_str(log.lines().nth(1 + offset).unwrap()).unwrap();
    let count = |name: &str| row[name].as_f64().unwrap();
    let seconds = |name: &str, count: f64| match count {
        0.0 => "–".to_owned(),
        _ => (row[name]["p99"].as_f64().unwrap() / 1000.0).to_string(),
    };
    let values = json!({
        "r": count("requested").to_string(),
        "i": count("issued").to_string(),
        "e": count("rate_limited").to_string(),
        "f": count("finished").to_string(),
        "o": count("overflow").to_string(),
        "n": count("in_flight").to_string(),
        "a": count("rate").to_string(),
        "w": seconds("wait_ms", count("issued")),
        "l": seconds("call_ms", count("finished")),
        // There is no budget.
        "t": "0",
        "u": row["used_tokens"].as_f64().unwrap_or(0.0).to_string(),
        "b": "–",
    });
    (row, values)
}

#[test]
fn legend_switches_lines_and_pointer_shows_values() {
    let directory = Directory::new();
    let seen = directory.used(
        &sample("burst.jsonl"),
        &[],
        "seen.title = document.title;
        seen.log = text('#log');
        seen.about = about();
        seen.tabs = all('[role=tab]').length;
        seen.theme = document.documentElement.dataset.theme;
        seen.start = { pressed: pressed(), drawn: drawn(), when: text('#when'), values: values() };
        seen.shade = colors('#chart').get('rgb(253, 232, 232)') > 1000;
        seen.without_r = press(line('r'));
        seen.without_o = press(line('o'));
        seen.with_w = press(line('w'));
        seen.none = [...'iefw'].map((letter) => press(line(letter))).pop();
        seen.all = [...'riefonawl'].map((letter) => press(line(letter))).pop();
        seen.crossed = colors('#cross').size;
        seen.at_7 = moveTo('0:07');
        seen.crosses = colors('#cross').has('rgb(118, 142, 219)');
        seen.at_14 = moveTo('0:14, paused');
        seen.spoken = plot.getAttribute('aria-valuetext');
        key(plot, 'ArrowRight');
        seen.after_right = text('#when');
        key(plot, 'End');
        seen.end = [text('#when'), plot.getAttribute('aria-valuenow'), plot.getAttribute('aria-valuemax')];
        key(plot, 'Home');
        key(plot, 'ArrowLeft');
        seen.home = text('#when');
        seen.left = move(0, 'pointerleave');
        one('#theme').click();
        seen.dark = [document.documentElement.dataset.theme, drawn(), colors('#chart').has('rgb(238, 149, 16)')];",
    );
    assert_eq!((&seen["title"], &seen["log"]), (&"burst.jsonl – rateLLMiter".into(), &"burst.jsonl".into()));
    let file = sample("burst.jsonl").display().to_string();
    let summary = directory.ratellmiter(&[&format!("-file={file}"), "-summary=json"]);
    let summary: Value = serde_json::from_slice(&summary).unwrap();
    let about = &seen["about"];
    assert_eq!((&about["verdict"], &about["name"]), (&summary["models"][0]["verdict"], &"gpt-4o".into()));
    let figures = &about["figures"];
    for (figure, expected) in [
        ("calls", "120"),
        ("finished", "120"),
        ("failed", "0"),
        ("given_up", "0"),
        ("rejected", "0"),
        ("waiting", "0"),
        ("in_flight", "0"),
        ("refusals", "2"),
        ("overloaded", "2"),
        ("refusals_per_call", "0.017"),
        ("pauses", "1"),
        ("paused", "5.6 s"),
        ("wait_mean", "18.2 s"),
        ("duration", "35 s"),
        ("physical", "23.8 s"),
    ] {
        assert_eq!(figures[figure], expected, "{figure}");
    }
    assert_eq!(figures.as_object().unwrap().len(), 22);
    assert_eq!((&seen["tabs"], &seen["theme"], &seen["shade"]), (&0.into(), &"light".into(), &true.into()));

    let start = &seen["start"];
    assert_eq!(
        (&start["pressed"], &start["drawn"], &start["when"]),
        (&"riefo".into(), &"riefo".into(), &"Peaks".into())
    );
    assert_eq!((&start["values"]["r"], &start["values"]["w"]), (&"120".into(), &"32.781".into()));
    let axes = |step: &str| {
        seen[step]["axes"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!((&seen["without_r"]["pressed"], &seen["without_r"]["drawn"]), (&"iefo".into(), &"iefo".into()));
    assert!(
        axes("without_r").contains(&"calls")
            && axes("without_r").contains(&"100")
            && !axes("without_r").contains(&"seconds")
    );
    assert_eq!((&seen["without_o"]["pressed"], &seen["without_o"]["drawn"]), (&"ief".into(), &"ief".into()));
    assert!(
        axes("without_o").contains(&"6")
            && !axes("without_o").contains(&"calls")
            && !axes("without_o").contains(&"100"),
        "{:?}",
        axes("without_o")
    );
    assert_eq!((&seen["with_w"]["pressed"], &seen["with_w"]["drawn"]), (&"iefw".into(), &"iefw".into()));
    assert!(axes("with_w").contains(&"seconds") && axes("with_w").contains(&"calls per second"));
    assert_eq!((&seen["none"]["pressed"], &seen["none"]["drawn"]), (&"".into(), &"".into()));
    assert_eq!(axes("none"), ["0:00", "0:05", "0:10", "0:15", "0:20", "0:25", "0:30", "overloaded 6 s"]);
    assert_eq!((&seen["all"]["pressed"], &seen["all"]["drawn"]), (&"riefonawl".into(), &"riefonawl".into()));

    assert_eq!((&seen["crossed"], &seen["crosses"]), (&0.into(), &true.into()));
    for (offset, step) in [(7, "at_7"), (14, "at_14")] {
        let (row, values) = row(offset);
        assert_eq!(seen[step]["values"], values, "{row}");
    }
    assert_eq!(seen["at_7"]["time"], "2026-11-25 21:02:41 UTC");
    let spoken = seen["spoken"].as_str().unwrap();
    assert!(spoken.starts_with("0:14, paused, overflow, waiting 75, requested 0,"), "{spoken}");
    assert_eq!([&seen["after_right"], &seen["home"]], ["0:15, paused, 1 overload, 1 refused canary", "0:00"]);
    assert_eq!(seen["end"], json!(["0:34", "34", "34"]));
    assert_eq!((&seen["left"]["when"], &seen["left"]["values"]), (&"Peaks".into(), &start["values"]));
    assert_eq!(seen["dark"], json!(["dark", "riefonawl", true]));
}

#[test]
fn tokens_have_lines_figures_and_an_axis() {
    let directory = Directory::new();
    let row = |at: u64| {
        json!({
            "at": at, "model": "m", "requested": 2, "issued": 2, "finished": 2, "rate": 5.0, "in_flight": 1,
            "reserved_tokens": 9000, "used_tokens": 3000 + at, "wait_ms": {"p50": 600, "p99": 700, "max": 700},
            "budgets": [{"meter": "tokens_per_minute", "limit": 300_000, "taken": 150_000 + 1000 * at}],
        })
    };
    let rows: String = (0..20).map(|at| row(at).to_string() + "\n").collect();
    fs::write(directory.path("x.jsonl"), rows).unwrap();
    let seen = directory.used(
        &directory.path("x.jsonl"),
        &["-lines=r"],
        "seen.start = { drawn: drawn(), values: values(), figures: figures() };
        seen.calls = press(line('t'));
        seen.both = [...'wub'].map((letter) => press(line(letter))).pop();
        seen.alone = [...'rw'].map((letter) => press(line(letter))).pop();
        seen.at_7 = moveTo('0:07').values;",
    );
    let axes = |step: &str| {
        let texts = seen[step]["axes"].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned());
        texts
            .filter(|text| {
                ["calls per second", "calls", "seconds", "tokens", "8,000", "5,000"].contains(&text.as_str())
            })
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(
        (axes("calls"), axes("both")),
        ("calls per second 8,000 tokens".into(), "calls per second 8,000 tokens seconds".into())
    );
    assert_eq!((axes("alone"), &seen["alone"]["drawn"]), ("8,000 tokens".into(), &"tub".into()));
    assert_eq!((&seen["both"]["pressed"], &seen["both"]["drawn"]), (&"rwtub".into(), &"rwtub".into()));
    let figures = &seen["start"]["figures"];
    assert_eq!((&figures["used_tokens"], &figures["reserved_per_call"]), (&"60,190".into(), &"4,500".into()));
    assert_eq!((&figures["budget_mean"], &figures["budget_peak"]), (&"53 %".into(), &"56 %".into()));
    let values = ["t", "u", "b"].map(|letter| seen["at_7"][letter].as_str().unwrap());
    assert_eq!(values, ["9,000", "3,007", "5,000"]);
}

#[test]
fn closed_limiter_has_a_shade_and_a_key() {
    let directory = Directory::new();
    let row = |at: u64| {
        let mut row =
            json!({"at": at, "model": "m", "requested": 2, "finished": 2, "rate": if at < 5 { 5.0 } else { 0.0 }});
        if at > 9 {
            (row["closed"], row["closed_for"]) = ("quota".into(), (3600 - at).into());
        }
        row
    };
    let rows: String = (0..20).map(|at| row(at).to_string() + "\n").collect();
    fs::write(directory.path("x.jsonl"), rows).unwrap();
    let script = "const visible = () => ['closed', 'shade'].filter((id) => !one(`#${id}`).hidden);
        const shades = () => ['254, 236, 178', '253, 232, 232', '84, 70, 18'].map((color) => colors('#chart').get(`rgb(${color})`) > 1000);
        seen.light = [shades(), visible()];
        seen.when = [moveTo('0:07, paused'), moveTo('0:15, closed'), moveTo('0:03')].map((readout) => readout?.when);
        one('#theme').click();
        seen.dark = shades();";
    let seen = directory.used(&directory.path("x.jsonl"), &[], script);
    assert_eq!(seen["light"], json!([[true, true, false], ["closed", "shade"]]));
    assert_eq!(seen["when"], json!(["0:07, paused", "0:15, closed", "0:03"]));
    assert_eq!(seen["dark"], json!([false, false, true]));
    let open = directory.used(&sample("burst.jsonl"), &[], script);
    assert_eq!(open["light"], json!([[false, true, false], ["shade"]]));
}

#[test]
fn each_model_has_a_tab() {
    let directory = Directory::new();
    let log = sample("python-four-models.jsonl");
    let seen = directory.used(
        &log,
        &["-model=TWENTY", "-theme=dark", "-lines=ro"],
        "const tabs = all('[role=tab]');
        const chosen = () => tabs.filter((tab) => tab.getAttribute('aria-selected') === 'true').map((tab) => tab.textContent);
        seen.tabs = tabs.map((tab) => tab.textContent);
        seen.start = { ...about(), chosen: chosen(), drawn: drawn(), theme: document.documentElement.dataset.theme };
        seen.peak = values().r;
        seen.refused = line('e').querySelector('b').textContent;
        tabs[0].click();
        seen.first = { ...about(), chosen: chosen(), drawn: drawn(), peak: values().r, unknown: values().w };
        seen.at_0 = moveTo('0:00');
        tabs[0].focus();
        key(tabs[0], 'ArrowRight');
        seen.second = { ...about(), chosen: chosen(), focus: document.activeElement.textContent, when: text('#when') };",
    );
    let file = log.display().to_string();
    let summary = directory.ratellmiter(&[&format!("-file={file}"), "-summary=json"]);
    let summary: Value = serde_json::from_slice(&summary).unwrap();
    let verdict = |model: usize| &summary["models"][model]["verdict"];
    assert_eq!(seen["tabs"], json!(["GPT4", "TWENTY"]));
    assert_eq!(seen["refused"], "waiting after a refusal");
    let (start, first, second) = (&seen["start"], &seen["first"], &seen["second"]);
    assert_eq!((&start["name"], &start["chosen"]), (&"TWENTY".into(), &json!(["TWENTY"])));
    assert_eq!((&start["verdict"], &start["theme"], &start["drawn"]), (verdict(1), &"dark".into(), &"ro".into()));
    assert_eq!((&start["figures"]["calls"], &seen["peak"]), (&"20".into(), &"20".into()));
    assert_eq!((&first["name"], &first["chosen"], &first["drawn"]), (&"GPT4".into(), &json!(["GPT4"]), &"ro".into()));
    assert_eq!((&first["verdict"], &first["figures"]["calls"]), (verdict(0), &"105".into()));
    assert_eq!((&first["figures"]["failed"], &first["figures"]["call_p99"]), (&"–".into(), &"–".into()));
    assert_eq!((&first["peak"], &first["unknown"]), (&"100".into(), &"–".into()));
    assert_eq!(
        (&seen["at_0"]["values"]["r"], &seen["at_0"]["time"]),
        (&"100".into(), &"2026-11-24 06:40:13 UTC".into())
    );
    assert_eq!((&second["verdict"], &second["chosen"]), (verdict(1), &json!(["TWENTY"])));
    assert_eq!((&second["focus"], &second["when"]), (&"TWENTY".into(), &"Peaks".into()));
}

#[test]
fn long_log_is_thinned_and_names_are_text() {
    use std::fmt::Write as _;

    let directory = Directory::new();
    let names = ["</script><img src=x onerror=alert(1)>", "", "a\nb'\"&lt;🦀\u{2028}"];
    let mut log = String::from("{\"format\":1,\"started\":7,\"library\":\"0.1.0\"}\n");
    for at in 0..86_400_u64 {
        let issued = if at == 54_321 { 99 } else { at % 2 };
        let row = json!({ "at": 1_795_502_400 + at, "model": names[0], "issued": issued, "rate": 5.0 });
        writeln!(log, "{row}").unwrap();
    }
    for name in &names[1..] {
        let row = json!({ "at": 1_795_502_400, "model": name, "requested": u64::MAX });
        writeln!(log, "{row}").unwrap();
    }
    let file = directory.path("<b>day.jsonl");
    fs::write(&file, log).unwrap();
    let seen = directory.used(
        &file,
        &[&format!("-model={}", names[0])],
        "seen.log = [text('#log'), all('b').every((b) => b.closest('#legend')), all('img').length];
        seen.tabs = all('[role=tab]').map((tab) => [tab.textContent, tab.title]);
        seen.chosen = text('#name');
        seen.peak = values().i;
        seen.duration = [figures().duration, text('#time')];
        seen.hours = press(line('r'));
        press(line('r'));
        seen.found = [];
        for (let x = 0; x < plot.clientWidth; x += 1) {
          const readout = move(x);
          if (readout.values.i.includes('99')) seen.found.push(readout);
        }
        key(plot, 'Home');
        seen.quiet = [text('#when'), values().i];
        while (!values().i.includes('99')) key(plot, 'ArrowRight');
        seen.cell = { when: text('#when'), time: text('#time'), values: values() };
        const before = performance.now();
        for (let again = 0; again < 20; again += 1) press(line('r'));
        seen.slow = performance.now() - before > 20 * 500;
        all('[role=tab]')[0].click();
        seen.unnamed = { name: text('#name'), calls: figures().calls, peak: values().r, drawn: drawn() };",
    );
    assert_eq!(seen["log"], json!(["<b>day.jsonl", true, 0]));
    let escaped = "a b'\"&lt;🦀 ";
    assert_eq!(seen["tabs"], json!([["(no name)", ""], [names[0], names[0]], [escaped, escaped]]));
    assert_eq!((&seen["chosen"], &seen["peak"]), (&names[0].into(), &"99".into()));
    assert_eq!(seen["duration"], json!(["24:00:00", "of 24:00:00"]));
    let hours = seen["hours"]["axes"].as_array().unwrap();
    assert!(hours.contains(&"0:00:00".into()) && hours.contains(&"12:00:00".into()), "{hours:?}");
    // The peak is found at one pixel at least.
    assert!(!seen["found"].as_array().unwrap().is_empty());
    assert_eq!((&seen["cell"]["when"], &seen["cell"]["values"]["i"]), (&"15:05:18–15:05:39".into(), &"0–99".into()));
    assert_eq!(seen["cell"]["time"], "2026-11-24 21:45:18 – 21:45:39 UTC");
    assert_eq!(seen["quiet"], json!(["0:00:00–0:00:21", "0–1"]));
    assert_eq!(seen["slow"], false);
    let unnamed = &seen["unnamed"];
    assert_eq!(
        (&unnamed["name"], &unnamed["calls"], &unnamed["peak"]),
        (&"(no name)".into(), &"18.45E".into(), &"18.45E".into())
    );
    assert!(unnamed["drawn"].as_str().unwrap().contains('r'), "a single second is a dot");
}
