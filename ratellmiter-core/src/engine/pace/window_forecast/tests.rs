//! The forecast of a window against the window itself.

use std::time::Duration;

use super::*;
use crate::engine::pace::{gcra::nanos, sliding_window::SlidingWindow};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn window(charges: &[(u64, u64)]) -> SlidingWindow {
    let mut window = SlidingWindow::new(seconds(60), Duration::from_millis(1));
    charges.iter().for_each(|(at, amount)| window.charge(seconds(*at), *amount));
    window
}

#[test]
fn forecast_frees_what_the_window_frees() {
    let window = window(&[(0, 40), (10, 30), (20, 30)]);
    for (cost, due) in [(0, 0), (30, 60), (50, 70), (100, 80), (900, 80)] {
        assert_eq!(window.due(cost, 100), seconds(due), "{cost}");
        assert_eq!(window.forecast(100).due(cost), nanos(seconds(due)), "{cost}");
    }
    let mut forecast = window.forecast(100);
    assert_eq!(forecast.due(30), nanos(seconds(60)));
    forecast.charge(nanos(seconds(60)), 30, 30, 0);
    assert_eq!(forecast.due(40), nanos(seconds(70)));
    assert_eq!(forecast.due(100), nanos(seconds(120)), "the charge of the forecast itself");
    assert_eq!(forecast.room(nanos(seconds(120)), 30), 3);
}

#[test]
fn refund_frees_room_when_the_call_ends() {
    let mut forecast = WindowForecast::new(60, 100);
    forecast.charge(0, 100, 20, 5);
    assert_eq!((forecast.room(4, 1), forecast.due(80), forecast.due(81)), (0, 5, 60));
    assert_eq!(forecast.room(60, 0), u64::MAX);
}
