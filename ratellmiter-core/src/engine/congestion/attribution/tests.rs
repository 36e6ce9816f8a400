use super::*;
use crate::engine::call_id::Passage;

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Returns the grant of a call that is sent at a time in seconds.
fn grant(id: CallId, sent: u64) -> Grant {
    Grant::new(id, at(sent), Passage { episode: 0, is_canary: false })
}

/// Refuses a call at once. Returns `true` if the refusal is attributed to the call alone.
fn refuse(attribution: &mut Attribution, id: CallId, sent: u64, refusals: &mut RefusalHistory) -> bool {
    let is_alone = attribution.on_refusal(&grant(id, sent), refusals);
    refusals.last = Some(at(sent));
    is_alone
}

fn accept(attribution: &mut Attribution, id: CallId, sent: u64) {
    attribution.on_accepted(&grant(id, sent), &RefusalHistory::default());
}

#[test]
fn first_refusal_is_attributed_to_a_limit() {
    let mut attribution = Attribution::default();
    accept(&mut attribution, 1, 1);
    assert!(!refuse(&mut attribution, 2, 2, &mut RefusalHistory::default()));
}

#[test]
fn repeated_refusal_is_attributed_to_the_call_once_another_is_accepted() {
    let (mut attribution, mut refusals) = (Attribution::default(), RefusalHistory::default());
    assert!(!refuse(&mut attribution, 1, 1, &mut refusals));
    assert!(!refuse(&mut attribution, 1, 2, &mut refusals), "no other call was accepted");
    accept(&mut attribution, 2, 3);
    assert!(refuse(&mut attribution, 1, 4, &mut refusals) && refusals.is_responsible);
}

#[test]
fn refusals_of_two_calls_in_a_row_are_attributed_to_a_limit() {
    let mut attribution = Attribution::default();
    let mut refusals = [RefusalHistory::default(); 2];
    refuse(&mut attribution, 1, 1, &mut refusals[0]);
    refuse(&mut attribution, 2, 1, &mut refusals[1]);
    accept(&mut attribution, 3, 2);
    assert!(refuse(&mut attribution, 1, 3, &mut refusals[0]));
    assert!(!refuse(&mut attribution, 2, 3, &mut refusals[1]), "the second without an accepted call between them");
}

#[test]
fn frequent_responsible_calls_explain_first_refusals() {
    let mut attribution = Attribution::default();
    for id in 0..8 {
        let (sent, mut refusals) = (id * 10, RefusalHistory::default());
        refuse(&mut attribution, id, sent, &mut refusals);
        accept(&mut attribution, 100 + id, sent + 1);
        assert!(refuse(&mut attribution, id, sent + 2, &mut refusals));
        accept(&mut attribution, 200 + id, sent + 3);
    }
    let alone = (300..320).filter(|id| refuse(&mut attribution, *id, 200, &mut RefusalHistory::default())).count();
    assert_eq!(alone, 2, "8 of 27 calls: three in a row have a probability of 2.6 %");
    // Calls that are accepted when they are retried are no evidence for responsible calls.
    for id in 400..410 {
        attribution.on_accepted(&grant(id, 300), &RefusalHistory { last: Some(at(250)), ..RefusalHistory::default() });
    }
    assert!(!refuse(&mut attribution, 500, 400, &mut RefusalHistory::default()));
}
