//! The script that the server runs for each report of a process.
//!
//! Each file except `step.lua` adds functions to the table of its module, so the order of the files does not matter; `step.lua` is the
//! step itself. The table `C` contains the constants of this library that the script uses.

use std::{fmt::Write as _, time::Duration};

use crate::{
    engine::{
        budgets::budget,
        congestion::{self, REQUESTS, adaptive, backoff, throughput},
        lease::{
            self, IN_FLIGHT,
            exchange::{self, micros},
        },
        pace::ramp,
        scheduler,
    },
    limits::ramp::FULL_RATE,
};

/// Time after which a server that does not reply counts as unreachable.
pub(super) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Time between attempts to reach an unreachable server.
pub(super) const RECONNECT_INTERVAL: Duration = Duration::from_millis(500);

const MODULES: [(&str, &str); 12] = [
    ("Adaptive", include_str!("script/adaptive.lua")),
    ("Capacity", include_str!("script/capacity.lua")),
    ("Closed", include_str!("script/closed.lua")),
    ("Demand", include_str!("script/demand.lua")),
    ("Document", include_str!("script/document.lua")),
    ("Members", include_str!("script/members.lua")),
    ("Pause", include_str!("script/pause.lua")),
    ("Ramp", include_str!("script/ramp.lua")),
    ("Rates", include_str!("script/rates.lua")),
    ("Reply", include_str!("script/reply.lua")),
    ("Slots", include_str!("script/slots.lua")),
    ("Throughput", include_str!("script/throughput.lua")),
];

const TIMES: [(&str, Duration); 27] = [
    ("FAILED_TEST_MEMORY", congestion::FAILED_TEST_MEMORY),
    ("FIRST_CANARY_TIMEOUT", backoff::FIRST_CANARY_TIMEOUT),
    ("FIRST_PAUSE", backoff::FIRST_PAUSE),
    ("GRANT_LIFETIME", exchange::GRANT_LIFETIME),
    ("IGNORED_AGAIN_AFTER", congestion::IGNORED_AGAIN_AFTER),
    ("KEEPALIVE", lease::KEEPALIVE),
    ("LOSS_TIMEOUT", RESPONSE_TIMEOUT),
    ("LOSS_RETRY", RECONNECT_INTERVAL),
    ("MAX_CANARY_TIMEOUT", backoff::MAX_CANARY_TIMEOUT),
    ("MAX_HINT", backoff::MAX_HINT),
    ("MAX_JITTER", backoff::MAX_JITTER),
    ("MAX_PAUSE", backoff::MAX_PAUSE),
    ("MINUTE", Duration::from_secs(60)),
    ("MIN_CANARY_TIMEOUT", backoff::MIN_CANARY_TIMEOUT),
    ("MIN_LONG_EPISODE", congestion::MIN_LONG_EPISODE),
    ("MIN_JITTER", backoff::MIN_JITTER),
    ("MIN_USAGE_SPAN", budget::MIN_USAGE_SPAN),
    ("PERIOD", lease::PERIOD),
    ("RAMP_IDLE", ramp::IDLE_RESET),
    ("SECOND", Duration::from_secs(1)),
    ("SERIES_GAP", congestion::SERIES_GAP),
    ("SLACK", budget::SLACK),
    ("TEST_PAUSE", congestion::TEST_PAUSE),
    ("THROUGHPUT_GRAIN", throughput::THROUGHPUT_GRAIN),
    ("THROUGHPUT_MAX_SPAN", throughput::MAX_THROUGHPUT_SPAN),
    ("THROUGHPUT_MIN_SPAN", throughput::MIN_THROUGHPUT_SPAN),
    ("THROUGHPUT_SPAN", throughput::THROUGHPUT_SPAN),
];

#[allow(clippy::cast_precision_loss)] // All are exact as floating-point numbers.
const NUMBERS: [(&str, f64); 25] = [
    ("AGES", budget::exchange::REPORTED_AGES as f64),
    ("CANARY_FACTOR", backoff::CANARY_FACTOR as f64),
    ("CREDIT_DIVISOR", budget::CREDIT_DIVISOR as f64),
    ("DECREASE_FACTOR", adaptive::DECREASE_FACTOR),
    ("FIRST_RETURN_SECONDS", adaptive::FIRST_RETURN_SECONDS),
    ("JITTER_DIVISOR", backoff::JITTER_DIVISOR as f64),
    ("MAX_RETURN_SECONDS", adaptive::MAX_RETURN_SECONDS),
    ("MIN_USED_SHARE", congestion::MIN_USED_SHARE),
    ("MIN_WRONG_HINTS", congestion::MIN_WRONG_HINTS as f64),
    ("PAUSE_FACTOR", backoff::PAUSE_FACTOR),
    ("PROBE_DOUBLING_SECONDS", adaptive::PROBE_DOUBLING_SECONDS),
    ("PROBE_STEP", adaptive::PROBE_STEP),
    ("RAMP_CALL", ramp::UNIT as f64),
    ("RAMP_FULL", FULL_RATE as f64),
    ("RAMP_RESUME_FACTOR", ramp::RESUME_FACTOR as f64),
    ("RAMP_STEEP_FACTOR", ramp::STEEP_FACTOR as f64),
    ("RETURN_FACTOR", adaptive::RETURN_FACTOR),
    ("SAME_CEILING", adaptive::SAME_CEILING),
    ("SERIES_GROWTH", congestion::SERIES_GROWTH),
    ("SLOW_CALLS_PER_MINUTE", congestion::SLOW_CALLS_PER_MINUTE),
    ("THROUGHPUT_CALLS", throughput::THROUGHPUT_CALLS as f64),
    ("THROUGHPUT_MIN_CALLS", throughput::MIN_THROUGHPUT_CALLS as f64),
    ("TOKEN_FLOOR_DIVISOR", budget::FLOOR_DIVISOR as f64),
    ("UNLIMITED", scheduler::exchange::UNLIMITED as f64),
    ("WRONG_HINT_FACTOR", backoff::WRONG_HINT_FACTOR),
];

/// Returns the script's text.
pub(super) fn step() -> String {
    let mut text = String::from("local C = {\n");
    for (name, time) in TIMES {
        let _ = writeln!(text, "    {name} = {},", micros(time));
    }
    for (name, number) in NUMBERS {
        let _ = writeln!(text, "    {name} = {number},");
    }
    let _ = writeln!(text, "    IN_FLIGHT = '{IN_FLIGHT}', REQUESTS = '{REQUESTS}',\n}}");
    for (name, _) in MODULES {
        let _ = writeln!(text, "local {name} = {{}}");
    }
    for (_, module) in MODULES {
        // The block keeps the local functions of a file local to it.
        let _ = writeln!(text, "do\n{module}end");
    }
    text + include_str!("script/step.lua")
}
