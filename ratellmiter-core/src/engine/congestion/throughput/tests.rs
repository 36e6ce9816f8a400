use super::*;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn refused_calls_are_not_measured() {
    let mut throughput = Throughput::default();
    assert_eq!(throughput.rate(seconds(1)), None);
    for call in 0..100 {
        throughput.on_sent(Duration::from_millis(call * 100));
    }
    let rate = throughput.rate(seconds(10)).unwrap();
    assert!((rate - 10.0).abs() < 0.1, "{rate}");
    (0..25).for_each(|_| throughput.on_refusal(Duration::from_millis(9900)));
    let rate = throughput.rate(seconds(10)).unwrap();
    assert!((5.0..8.0).contains(&rate), "{rate}");
    throughput.clear();
    assert_eq!(throughput.rate(seconds(10)), None);
}

#[test]
fn slow_calls_are_measured_over_a_longer_time() {
    let mut throughput = Throughput::default();
    for call in 0..20 {
        throughput.on_sent(seconds(call * 6));
    }
    let rate = throughput.rate(seconds(120)).unwrap();
    assert!((rate * 60.0 - 10.0).abs() < 1.0, "{rate}");
}
