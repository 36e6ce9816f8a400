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
    let is_alone = attribution.on_refusal(at(sent), &grant(id, sent), refusals, Duration::from_secs(1));
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
    assert!(refuse(&mut attribution, 1, 4, &mut refusals) && !refusals.is_responsible, "another may be refused next");
    accept(&mut attribution, 3, 5);
    assert!(refuse(&mut attribution, 1, 6, &mut refusals) && refusals.is_responsible);
}

#[test]
fn repeated_refusals_in_a_row_are_attributed_to_a_limit() {
    let mut attribution = Attribution::default();
    let mut refusals = [RefusalHistory::default(); 2];
    refuse(&mut attribution, 1, 1, &mut refusals[0]);
    refuse(&mut attribution, 2, 1, &mut refusals[1]);
    accept(&mut attribution, 3, 2);
    assert!(!refuse(&mut attribution, 4, 3, &mut RefusalHistory::default()));
    assert!(!refuse(&mut attribution, 1, 3, &mut refusals[0]), "no call was accepted since the refusal of another");
    assert!(!refuse(&mut attribution, 2, 3, &mut refusals[1]));
}

#[test]
fn refusals_of_other_calls_clear_a_call_of_responsibility() {
    let (mut attribution, mut refusals) = (Attribution::default(), RefusalHistory::default());
    refuse(&mut attribution, 1, 1, &mut refusals);
    accept(&mut attribution, 2, 2);
    assert!(refuse(&mut attribution, 1, 3, &mut refusals));
    assert!(!refuse(&mut attribution, 4, 3, &mut RefusalHistory::default()), "a limit");
    accept(&mut attribution, 5, 4);
    assert_eq!((refusals.is_responsible, attribution.max_in_a_row()), (false, 0));
}

#[test]
fn responsible_call_is_refused_alone_and_hides_no_limit() {
    let (mut attribution, mut refusals) = (Attribution::default(), RefusalHistory::default());
    attribution.on_responsible(&mut refusals);
    (0..20).for_each(|sent| assert!(refuse(&mut attribution, 1, sent, &mut refusals)));
    let alone = (2..10).filter(|id| refuse(&mut attribution, *id, 30, &mut RefusalHistory::default())).count();
    assert_eq!(alone, 4, "one responsible call of three: five in a row have a probability of 0.4 %");
}

#[test]
fn call_in_flight_for_longer_than_refusals_counts_as_accepted() {
    let (mut attribution, mut refusals) = (Attribution::default(), RefusalHistory::default());
    assert!(!refuse(&mut attribution, 1, 1, &mut refusals));
    attribution.on_sent(at(2));
    attribution.on_sent(at(3));
    assert!(refuse(&mut attribution, 1, 3, &mut refusals), "the call sent at 2 s was not refused within a second");
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
    assert_eq!(alone, 4, "8 of 25 calls: five in a row have a probability of 0.3 %");
    // Calls that are accepted when they are retried are no evidence for responsible calls.
    for id in 400..410 {
        attribution.on_accepted(&grant(id, 300), &RefusalHistory { last: Some(at(250)), ..RefusalHistory::default() });
    }
    assert!(!refuse(&mut attribution, 500, 400, &mut RefusalHistory::default()));
}
