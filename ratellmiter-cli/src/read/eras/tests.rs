//! Tests of `eras`.

use super::*;

const NOW: u64 = 1_795_502_413;

fn eras(times: &[u64]) -> Eras<Vec<u64>> {
    let mut eras: Eras<Vec<u64>> = Eras::default();
    for at in times {
        if let Some(rows) = eras.add(*at) {
            rows.push(*at);
        }
    }
    eras
}

#[test]
fn run_is_the_era_with_the_most_rows() {
    let run = |times: &[u64]| (eras(times).run().cloned(), eras(times).far_rows());
    assert_eq!(run(&[]), (None, None));
    assert_eq!(run(&[NOW, NOW + 1]), (Some(vec![NOW, NOW + 1]), None));
    for times in [[3, NOW, NOW + 1], [NOW, 3, NOW + 1], [NOW, NOW + 1, 3]] {
        assert_eq!(run(&times), (Some(vec![NOW, NOW + 1]), Some(FarRows { rows: 1, at: 3 })));
    }
    assert_eq!(run(&[u64::MAX, NOW, NOW]).1, Some(FarRows { rows: 1, at: u64::MAX }));
    // The clock was not set at first, or never.
    assert_eq!(run(&[3, 4, 5, NOW]), (Some(vec![NOW]), Some(FarRows { rows: 3, at: 3 })));
    assert_eq!(run(&[3, 4, 5]), (Some(vec![3, 4, 5]), None));
    assert_eq!(run(&[3, NOW]).0, Some(vec![NOW]));
    assert_eq!(run(&[0, MAX_DISTANCE]).0.map(|rows| rows.len()), Some(2));
    assert_eq!(run(&[0, MAX_DISTANCE + 1]).0.map(|rows| rows.len()), Some(1));
}

#[test]
fn parts_are_appended_by_era() {
    let mut all = eras(&[3, NOW]);
    all.append(eras(&[NOW + 5, NOW + 6, 4]), Extend::extend);
    assert_eq!(all.far_rows(), Some(FarRows { rows: 2, at: 3 }));
    assert_eq!(all.into_run(), Some(vec![NOW, NOW + 5, NOW + 6]));
}

#[test]
fn number_of_eras_is_bounded() {
    let times: Vec<u64> = (0..1000).map(|era| NOW + era * 2 * MAX_DISTANCE).chain([NOW + 5, NOW + 6]).collect();
    let all = eras(&times);
    assert_eq!(all.eras.len(), MAX_ERAS);
    assert_eq!(
        (all.run().cloned(), all.far_rows().map(|far| far.rows)),
        (Some(vec![NOW, NOW + 5, NOW + 6]), Some(999))
    );
}
