//! Arithmetic of rates over time: pacing, sliding windows, the ramp, and the limits that response headers show.

pub(crate) mod gcra;
pub(crate) mod pacer_forecast;
pub(crate) mod ramp;
pub(crate) mod request_window;
pub(crate) mod server_limit;
pub(crate) mod sliding_window;
pub(crate) mod window_forecast;
