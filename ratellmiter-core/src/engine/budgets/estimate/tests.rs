use super::*;

#[test]
fn percentile_is_of_the_last_calls() {
    let mut estimate = Estimate::default();
    assert_eq!(estimate.p95(), None);
    estimate.add(100, 7);
    assert_eq!(estimate.p95(), Some((100, 7)));
    (1..=100).for_each(|call| estimate.add(call, 1000 - call));
    let (input, output) = estimate.p95().unwrap();
    assert!((92..=97).contains(&input) && (992..=999).contains(&output), "{input} {output}");
    (0..MAX_SAMPLES as u64).for_each(|_| estimate.add(3, 4));
    assert_eq!(estimate.p95(), Some((3, 4)), "earlier calls are forgotten");
}

#[test]
fn ratio_follows_the_charges() {
    let mut ratio = Ratio::default();
    assert_eq!((ratio.mean(700), ratio.mean(0)), (700, 0));
    (0..1000).for_each(|call| ratio.add(1000, if call % 2 == 0 { 100 } else { 300 }));
    assert!((190..=210).contains(&ratio.mean(1000)), "{}", ratio.mean(1000));
    (0..300).for_each(|_| ratio.add(1000, 2000));
    assert!((1950..=2000).contains(&ratio.mean(1000)));
    ratio.add(0, 7);
    (0..1000).for_each(|_| ratio.add(1000, 0));
    assert_eq!(ratio.mean(1000), 1, "a nonzero estimate is charged at least 1");
    ratio.add(1, u64::MAX);
    assert_eq!(ratio.mean(100), 400, "the ratio is bounded");
    ratio.mean(u64::MAX);
}
