//! Tests of `panel`.

use std::time::Duration;

use insta::assert_snapshot;
use ratatui::{Terminal, backend::TestBackend};
use ratellmiter_core::log::Row;

use super::*;
use crate::{
    draw::cells::Depth,
    live::{followed::Live, run::Selection},
};

const START: u64 = 1_795_502_413;
const PLAIN: Paint = Paint { depth: Depth::None, light: false };
const COLORED: Paint = Paint { depth: Depth::True, light: false };

fn live() -> Live {
    let mut live = Live::default();
    live.caught_up();
    for at in 0..40 {
        let paused = (20..25).contains(&at);
        let row = Row {
            at: START + at,
            model: "gpt-4o".into(),
            requested: 3,
            issued: if paused { 0 } else { 2 },
            rate_limited: u64::from(at == 20),
            finished: if paused { 0 } else { 2 },
            overflow: at,
            rate: if paused { 0.0 } else { 2.0 },
            limit: Some(2.5),
            time_left: Some(20.0),
            in_flight: 3,
            ..Row::default()
        };
        live.add(&serde_json::to_vec(&row).unwrap(), Duration::from_secs(START + at + 1));
        if at % 7 == 0 {
            let row = Row { model: "模型 🦀".into(), overflow: 0, ..row };
            live.add(&serde_json::to_vec(&row).unwrap(), Duration::from_secs(START + at + 1));
        }
    }
    live
}

fn screen(width: u16, height: u16, shown: &Selection, paint: Paint) -> String {
    let live = live();
    let models: Vec<_> = live.models().collect();
    let view =
        live.view(shown, &"riefo".parse().unwrap(), seconds_fitting(width, paint), Duration::from_secs(START + 40));
    let chosen = live.chosen(shown).map(|chosen| models.iter().position(|model| *model == chosen[0]).unwrap());
    let shown = if *shown == Selection::All { Some(models.len()) } else { chosen };
    let panel =
        Panel { log: "1795502413-7.jsonl", models: &models, shown, view: &view, note: Some("no row for 3 s"), paint };
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| panel.draw(frame.area(), frame.buffer_mut())).unwrap();
    terminal.backend().to_string()
}

#[test]
fn one_model_is_drawn() {
    assert_snapshot!(screen(80, 24, &Selection::Default, COLORED), @r#"
    " 1 gpt-4o  2 模型 🦀  all                                     1795502413-7.jsonl" Hidden by multi-width symbols: [(14, " "), (16, " "), (19, " ")]
    "                                                                                "
    " 39       3          2 of 2.5   –       20 s       120     70        1          "
    " waiting  in flight  allowed/s  pause   time left  calls   finished  refusals   "
    "                                                                                "
    "  ━━━ limit 2.5   ━━━ requested   ━━━ issued   ━━━ finished   ━━━ rate limited  "
    "Calls per second                                                                "
    "   │                                                                            "
    "   │⣉⣉⣉⣉⣉⣉⣉⣉⣉⣉⣉⣉⣉⣉⣉⣉⣉⣉⣉⣉⣉⣉⣉⣉⣉⣉⣉⣉⣉⣉⣉⣉⣉⣉⣉⣉⣉⣉⣉⣉⣉⣉⣉⣉⣉⣉⣉⣉⣉⡁                          "
    "  2┤⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⡀┈┈┈┈┈┈⢀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⡀┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈ "
    "   │                        ⢣      ⢸                                            "
    "   │                        ⢸⢀     ⡇                                            "
    "   │                         ⡇     ⡇                                            "
    "  0┤┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈⢱⣀⣀⣀⣀⢸┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈ "
    "   └┬───────────┬────────────┬────────────┬───────────┬────────────┬─────────── "
    "                             ━━━ overflow, waiting                              "
    "   │                                         ⢀⣀⣀⣀⠤⠤⠔⠒⠂                          "
    "   │                           ⢀⣀⣀⠤⠤⠤⠤⠒⠒⠒⠊⠉⠉⠉⠁                                  "
    "   │            ⢀⣀⣀⣀⠤⠤⠤⠤⠒⠒⠒⠊⠉⠉⠉⠁                                                "
    "  0┤⣀⣀⡠⠤⠤⠤⠒⠒⠒⠒⠉⠉⠁┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈ "
    "   └┬───────────┬────────────┬────────────┬───────────┬────────────┬─────────── "
    "   0:00        0:10         0:20         0:30        0:40         0:50          "
    "                                                                                "
    " no row for 3 s                                           tab next model  q quit"
    "#);
    assert_snapshot!(screen(40, 20, &Selection::Default, PLAIN), @r#"
    " 1 gpt-4o  2 模型 🦀  1795502413-7.jsonl" Hidden by multi-width symbols: [(14, " "), (16, " "), (19, " ")]
    "                                        "
    " 39       3          2 of 2.5   –       "
    " waiting  in flight  allowed/s  pause   "
    " 20 s       120     70        1         "
    " time left  calls   finished  refusals  "
    "                                        "
    "     --- limit 2.5   rrr requested      "
    "       iii issued   fff finished        "
    "            eee rate limited            "
    "Calls per second                        "
    "  │             ░░░░░░░                 "
    "  │rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr "
    " 2┤fffffffffffff░░░░░░fffffffffffffffff "
    "  │             fe░░░░f                 "
    " 0┤             ░f░░░f░                 "
    "  └──┬───────────┬──────────┬────────── "
    "    0:10        0:20       0:30         "
    "                                        "
    " no row for 3 s   tab next model  q quit"
    "#);
}

#[test]
fn all_models() {
    assert_snapshot!(screen(120, 16, &Selection::All, COLORED), @r#"
    " 1 gpt-4o  2 模型 🦀  all                                                                             1795502413-7.jsonl" Hidden by multi-width symbols: [(14, " "), (16, " "), (19, " ")]
    " 39            6               2            0            20 s            138          80             1                  "
    " waiting       in flight       models       paused       time left       calls        finished       refusals           "
    "                                            ━━━ gpt-4o: 70   ━━━ 模型 🦀: 10                                            " Hidden by multi-width symbols: [(66, " "), (68, " "), (71, " ")]
    "Finished per second                                                                                                     "
    " 2┤⡤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⢤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⢤⠤⠤⠤⠤⠤⠤⠤⠤⠤⡄┈┈┈┈┈┈┈┈┈┈┈⡤⠤⠤⠤⠤⠤⡤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⢤⠤⠤⠤⠤⠤⠤⠤⠤┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈ "
    "  │⢣            ⡜⡄            ⡜⡄        ⢣          ⢠⠃    ⢠⢣            ⡜⡄                                               "
    "  │⢸            ⡇⡇            ⡇⡇        ⢸          ⢸     ⢸⢸            ⡇⡇                                               "
    " 1┤┈⡇┈┈┈┈┈┈┈┈┈┈⢸┈⢸┈┈┈┈┈┈┈┈┈┈┈⢸┈⢸┈┈┈┈┈┈┈┈┈⡇┈┈┈┈┈┈┈┈┈⡇┈┈┈┈┈⡇┈⡇┈┈┈┈┈┈┈┈┈┈⢸┈⢸┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈ "
    "  │ ⢣          ⡜ ⠘⡄          ⡜ ⠘⡄        ⢣        ⢠⠃    ⢠⠃ ⢣          ⡜ ⠘⡄                                              "
    "  │ ⢸          ⡇  ⡇          ⡇  ⡇        ⢸        ⢸     ⢸  ⢸          ⡇  ⡇                                              "
    " 0┤┈┈⡇⣀⣀⣀⣀⣀⣀⣀⣀⢸┈┈┈⢸⣀⣀⣀⣀⣀⣀⣀⣀⣀⢸┈┈┈⢸⣀⣀⣀⣀⣀⣀⣀⣀⣀⡇⣀⣀⣀⣀⣀⣀⣀⡇⣀⣀⣀⣀⣀⡇┈┈┈⡇⣀⣀⣀⣀⣀⣀⣀⣀⢸┈┈┈⢸⣀⣀⣀⣀⣀⣀┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈ "
    "  └┬─────────┬────────┬─────────┬─────────┬─────────┬────────┬─────────┬─────────┬─────────┬─────────┬────────┬──────── "
    "  0:00      0:05     0:10      0:15      0:20      0:25     0:30      0:35      0:40      0:45      0:50     0:55       "
    "                                            Time since 2026-11-24 06:40:13 UTC                                          "
    " no row for 3 s                                                                                   tab next model  q quit"
    "#);
}

#[test]
fn missing_model_is_waited_for() {
    assert_snapshot!(screen(40, 12, &Selection::Named("other".into()), PLAIN), @r#"
    " 1 gpt-4o  2 模型 🦀  1795502413-7.jsonl" Hidden by multi-width symbols: [(14, " "), (16, " "), (19, " ")]
    "                                        "
    "                                        "
    "                                        "
    " waiting for the model "other"; the log "
    "      contains "gpt-4o", "模型 🦀"      " Hidden by multi-width symbols: [(27, " "), (29, " "), (32, " ")]
    "                                        "
    "                                        "
    "                                        "
    "                                        "
    "                                        "
    " no row for 3 s   tab next model  q quit"
    "#);
}

#[test]
fn every_size_is_drawn() {
    for (width, height) in [(1, 1), (39, 12), (40, 11), (40, 12), (41, 13), (300, 3), (5, 90), (300, 100)] {
        for shown in [Selection::Default, Selection::All, Selection::Named("none".into())] {
            screen(width, height, &shown, PLAIN);
            screen(width, height, &shown, COLORED);
        }
    }
    assert!(screen(30, 5, &Selection::Default, PLAIN).contains("30 x 5 cells are too few"));
}
