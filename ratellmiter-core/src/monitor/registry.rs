//! The limiters of a monitor by model, and the settings that apply to them.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::{
    config::{self, Settings},
    limiter::Limiter,
    limits::Limits,
    monitor::{
        day_usage::DayUsage,
        learned_limits::SavedLimitsByModel,
        limiters::{Entry, Limiters},
    },
};
#[cfg(feature = "redis")]
use crate::{fleet::Fleet, limits::fleet_config::FleetConfig};

#[derive(Debug)]
pub(super) struct Registry {
    pub(super) settings: Settings,
    pub(super) limiters: Arc<Limiters>,
    pub(super) recording: bool,
    /// Limits saved by earlier runs for models without a limiter yet.
    pub(super) saved_limits: SavedLimitsByModel,
    pub(super) days: DayUsage,
    /// Argument of [`Monitor::share_over`](super::Monitor::share_over).
    #[cfg(feature = "redis")]
    pub(super) fleet_config: Option<FleetConfig>,
    #[cfg(feature = "redis")]
    pub(super) fleet: Option<Fleet>,
}

pub(super) fn read(registry: &RwLock<Registry>) -> RwLockReadGuard<'_, Registry> {
    registry.read().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn write(registry: &RwLock<Registry>) -> RwLockWriteGuard<'_, Registry> {
    registry.write().unwrap_or_else(PoisonError::into_inner)
}

impl Registry {
    pub(super) fn new() -> Self {
        Self {
            settings: Settings::before_start(),
            limiters: Arc::new(Limiters::new()),
            recording: false,
            saved_limits: SavedLimitsByModel::new(),
            days: DayUsage::new(),
            #[cfg(feature = "redis")]
            fleet_config: None,
            #[cfg(feature = "redis")]
            fleet: None,
        }
    }

    /// Returns the limiter of `model`, creating it with `code_limits` if there is none.
    pub(super) fn get_or_insert(&mut self, model: &str, code_limits: Option<Limits>) -> Limiter {
        let is_shared = self.is_shared();
        let Self { settings, limiters, recording, saved_limits, days, .. } = self;
        #[cfg(feature = "redis")]
        let fleet = self.fleet.as_ref();
        limiters.get_or_insert(model, |model| {
            let limits = settings.limits(model, code_limits);
            warn_about(model, &limits);
            let limiter = Limiter::new(limits);
            limiter.set_model(model);
            limiter.record(*recording);
            if !is_shared {
                days.restore(model, &limiter);
            }
            if let Some(saved) = saved_limits.remove(&**model) {
                saved.restore(model, &limiter);
            }
            #[cfg(feature = "redis")]
            if let Some(fleet) = fleet.filter(|_| limits.enabled) {
                fleet.join(model, &limiter);
            }
            Entry { limiter, code_limits }
        })
    }

    /// Joins the fleet that settings and code configure now, after leaving one with another configuration.
    #[cfg(feature = "redis")]
    pub(super) fn share(&mut self) {
        let config = self.settings.sharing.merged_with_code(self.fleet_config.as_ref());
        if self.fleet.as_ref().map(|fleet| &fleet.shared) == config.as_ref() {
            return;
        }
        // All limiters leave the old fleet before any joins the new one.
        drop(self.fleet.take());
        let fleet = config.map(Fleet::start);
        if let Some(fleet) = &fleet {
            self.limiters.for_each(|model, entry| {
                if entry.limiter.limits().enabled {
                    fleet.join(model, &entry.limiter);
                }
            });
        }
        self.fleet = fleet;
    }

    /// Restores the saved limits of existing limiters.
    pub(super) fn restore_saved_limits(&mut self) {
        let Self { limiters, saved_limits, .. } = self;
        limiters.for_each(|model, entry| {
            if let Some(saved) = saved_limits.remove(&**model) {
                saved.restore(model, &entry.limiter);
            }
        });
    }

    /// Applies the settings to existing limiters.
    pub(super) fn apply_settings(&mut self) {
        self.limiters.for_each(|model, entry| {
            let limits = self.settings.limits(model, entry.code_limits);
            if limits != entry.limiter.limits() {
                warn_about(model, &limits);
            }
            entry.limiter.apply_limits(limits);
        });
        self.restore_days();
    }

    /// Charges existing limiters with the day usage of other monitors.
    pub(super) fn restore_days(&mut self) {
        if !self.is_shared() && !self.days.is_empty() {
            let Self { limiters, days, .. } = self;
            limiters.for_each(|model, entry| days.restore(model, &entry.limiter));
        }
    }

    /// Returns `true` if limiters are shared. The server then holds the day usage of all processes.
    #[cfg_attr(not(feature = "redis"), allow(clippy::unused_self))]
    fn is_shared(&self) -> bool {
        #[cfg(feature = "redis")]
        return self.fleet.is_some();
        #[cfg(not(feature = "redis"))]
        return false;
    }
}

fn warn_about(model: &str, limits: &Limits) {
    config::warnings(limits).into_iter().for_each(|warning| tracing::warn!(model, "{warning}"));
}
