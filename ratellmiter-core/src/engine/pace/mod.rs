//! Arithmetic of one number over time: a rate, a window, the ramp, and limits that response headers report.

pub(crate) mod gcra;
pub(crate) mod ramp;
pub(crate) mod request_window;
pub(crate) mod server_limit;
pub(crate) mod sliding_window;
