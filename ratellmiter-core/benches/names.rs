//! Many limiters by name beside governor's keyed limiter: `cargo bench -p ratellmiter-core --bench names`.

use std::{alloc::System, hint::black_box, num::NonZeroU32, time::Instant};

use ratellmiter_core::Monitor;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const NAMES: u32 = 100_000;

/// Times and memory of the calls by all names.
struct Figures {
    first: f64,
    later: f64,
    bytes: f64,
}

/// Makes a call by each name twice: the first creates its limiter. Returns the nanoseconds per call, and the bytes kept for each name.
fn measure(names: &[String], call: impl Fn(&String)) -> Figures {
    let region = Region::new(ALLOCATOR);
    let per_name = || {
        let start = Instant::now();
        names.iter().for_each(&call);
        start.elapsed().as_secs_f64() * 1e9 / f64::from(NAMES)
    };
    let first = per_name();
    let later = per_name();
    let change = region.change();
    #[allow(clippy::cast_precision_loss)] // Less than a terabyte.
    let bytes = change.bytes_allocated.saturating_sub(change.bytes_deallocated) as f64 / f64::from(NAMES);
    Figures { first, later, bytes }
}

fn main() {
    let names: Vec<_> = (0..NAMES).map(|tenant| format!("tenant-{tenant}/gpt-4o")).collect();
    let monitor = Monitor::new();
    let ours = measure(&names, |name| {
        black_box(monitor.limiter(name).try_acquire()).into_iter().for_each(ratellmiter_core::Ticket::finish);
    });
    assert_eq!(monitor.snapshot().len(), names.len(), "all are live");
    drop(monitor);
    let quota = governor::Quota::per_minute(NonZeroU32::new(300).expect("a rate"));
    let keyed = governor::RateLimiter::keyed(quota);
    let governor = measure(&names, |name| _ = black_box(keyed.check_key(name)));
    println!("| {NAMES} names | first call, ns | later call, ns | bytes per limiter |\n| --- | --: | --: | --: |");
    for (name, figures) in [("ratellmiter", &ours), ("governor, keyed", &governor)] {
        println!("| {name} | {:.0} | {:.0} | {:.0} |", figures.first, figures.later, figures.bytes);
    }
    println!(
        "| ratio | {:.1} | {:.1} | {:.1} |",
        ours.first / governor.first,
        ours.later / governor.later,
        ours.bytes / governor.bytes
    );
}
