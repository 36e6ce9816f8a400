//! The limits that a call reads on its way, without the limiter's lock.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::limits::Limits;

/// A copy of the limits of single calls. They are independent of each other, so relaxed loads suffice.
#[derive(Debug)]
pub(crate) struct CallSettings {
    max_attempts: AtomicU32,
    transient_attempts: AtomicU32,
    is_enabled: AtomicBool,
    has_bounds: AtomicBool,
    requests_header_is_per_day: AtomicBool,
}

impl CallSettings {
    pub(super) fn new(limits: &Limits) -> Self {
        let settings = Self {
            max_attempts: AtomicU32::new(1),
            transient_attempts: AtomicU32::new(0),
            is_enabled: AtomicBool::new(true),
            has_bounds: AtomicBool::new(false),
            requests_header_is_per_day: AtomicBool::new(false),
        };
        settings.store(limits);
        settings
    }

    pub(super) fn store(&self, limits: &Limits) {
        self.max_attempts.store(limits.max_attempts.get(), Ordering::Relaxed);
        self.transient_attempts.store(limits.transient_attempts, Ordering::Relaxed);
        self.is_enabled.store(limits.enabled, Ordering::Relaxed);
        self.has_bounds.store(limits.max_wait.is_some() || limits.max_queue.is_some(), Ordering::Relaxed);
        let is_per_day = limits.provider.requests_header_is_per_day();
        self.requests_header_is_per_day.store(is_per_day, Ordering::Relaxed);
    }

    pub(crate) fn max_attempts(&self) -> u32 {
        self.max_attempts.load(Ordering::Relaxed)
    }

    pub(crate) fn transient_attempts(&self) -> u32 {
        self.transient_attempts.load(Ordering::Relaxed)
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.is_enabled.load(Ordering::Relaxed)
    }

    /// Returns `true` if the limiter has a `max_wait` or a `max_queue`.
    pub(crate) fn has_bounds(&self) -> bool {
        self.has_bounds.load(Ordering::Relaxed)
    }

    pub(crate) fn requests_header_is_per_day(&self) -> bool {
        self.requests_header_is_per_day.load(Ordering::Relaxed)
    }
}
