//! Tests of `spikes`.

use std::convert::Infallible;

use super::*;

/// Returns the texts of labels with their starts, for spikes 10 wide and letters 10 wide in a frame from 0 to 1000.
fn of(spikes: &[(i32, f64)]) -> Vec<(String, i32, bool)> {
    let spike =
        |(at, most): &(i32, f64)| Spike { edges: (*at, at + 10), most: *most, text: value_text(*most), is_cut: true };
    let spikes: Vec<_> = spikes.iter().map(spike).collect();
    let breaks: Vec<_> = spikes.iter().map(|spike| (spike.edges.0 - 10, spike.edges.1 + 10)).collect();
    let width = |text: &str| Ok::<_, Infallible>(10 * i32::try_from(text.chars().count()).unwrap());
    let Ok(labels) = labels(&spikes, &breaks, &Room { left: 0, right: 1000, gap: 20 }, width);
    for (index, (_, place)) in labels.iter().enumerate().filter(|(_, (_, place))| place.is_beside) {
        let others = labels[..index].iter().map(|(_, place)| (place.start, place.end)).chain(breaks.iter().copied());
        assert!(others.into_iter().all(|(from, to)| place.end < from || to < place.start));
    }
    labels.into_iter().map(|(text, place)| (text, place.start, place.is_beside)).collect()
}

fn label(text: &str, start: i32) -> (String, i32, bool) {
    (text.into(), start, true)
}

#[test]
fn spikes_with_room_have_a_number_each() {
    assert_eq!(of(&[(100, 50.0), (300, 700.0)]), [label("50", 130), label("700", 330)]);
    assert_eq!(of(&[(100, 50.0), (140, 700.0)]), [label("50", 60), label("700", 170)]);
    assert_eq!(of(&[(985, 50.0)]), [label("50", 945)]);
    assert_eq!(of(&[]), []);
}

#[test]
fn spikes_without_room_have_one_number() {
    assert_eq!(of(&[(0, 50.0), (30, 700.0), (60, 60.0)]), [label("700 ×3", 90)]);
    assert_eq!(of(&[(500, 80.0), (960, 50.0), (985, 60.0)]), [label("80", 530), label("60 ×2", 890)]);
    let many: Vec<_> = (0..50).map(|index| (20 * index, 90.0)).collect();
    assert_eq!(of(&many), [("90 ×50".into(), 30, false)]);
}
