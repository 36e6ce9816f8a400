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
    attribution.on_sent(at(2), &RefusalHistory::default());
    attribution.on_sent(at(3), &RefusalHistory::default());
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

#[test]
fn three_calls_refused_again_in_turn_are_responsible() {
    let (mut attribution, mut refusals) = (Attribution::default(), [RefusalHistory::default(); 3]);
    (0..).zip(&mut refusals).for_each(|(id, refusals)| assert!(!refuse(&mut attribution, id, 1, refusals)));
    accept(&mut attribution, 10, 2);
    assert!(refuse(&mut attribution, 0, 3, &mut refusals[0]), "another may be refused next");
    assert!(!refuse(&mut attribution, 11, 4, &mut RefusalHistory::default()), "two in a row");
    assert_eq!(attribution.max_in_a_row(), 0);
    refuse(&mut attribution, 1, 5, &mut refusals[1]);
    assert_eq!(attribution.max_in_a_row(), 0);
    refuse(&mut attribution, 2, 6, &mut refusals[2]);
    assert!(attribution.max_in_a_row() > 0, "no refused call was accepted");
    assert!(refuse(&mut attribution, 0, 7, &mut refusals[0]) && refusals[0].is_responsible);
}

#[test]
fn accepted_retry_is_evidence_of_a_limit() {
    let (mut attribution, mut refusals) = (Attribution::default(), [RefusalHistory::default(); 3]);
    (0..).zip(&mut refusals).for_each(|(id, refusals)| assert!(!refuse(&mut attribution, id, 1, refusals)));
    accept(&mut attribution, 10, 2);
    refuse(&mut attribution, 0, 3, &mut refusals[0]);
    attribution.on_accepted(&grant(2, 4), &refusals[2]);
    for (sent, refusals) in (5..).zip(&mut refusals[..2]) {
        refuse(&mut attribution, sent, sent, refusals);
    }
    assert!(!refuse(&mut attribution, 11, 8, &mut RefusalHistory::default()));
    assert_eq!(attribution.max_in_a_row(), 0, "one of three refused calls was accepted");
}

#[test]
fn refused_calls_without_a_second_result_count_as_the_others() {
    let alone = |refused: u64| {
        let mut attribution = Attribution::default();
        attribution.on_responsible(&mut RefusalHistory::default());
        (0..refused).for_each(|id| {
            refuse(&mut attribution, 100 + id, 10 + 2 * id, &mut RefusalHistory::default());
            accept(&mut attribution, 200 + id, 11 + 2 * id);
        });
        (300..320).filter(|id| refuse(&mut attribution, *id, 200, &mut RefusalHistory::default())).count()
    };
    assert_eq!([alone(0), alone(10)], [4, 6], "11 of 23 calls: seven in a row have a probability of 0.6 %");
}

#[test]
fn call_never_refused_is_sent_next_while_single_calls_are_refused() {
    let mut attribution = Attribution::default();
    let mut refusals = RefusalHistory { last: Some(at(1)), ..RefusalHistory::default() };
    attribution.on_sent(at(1), &refusals);
    assert!(!attribution.skips_refused(true) && !attribution.skips_refused(false));
    accept(&mut attribution, 1, 2);
    assert!(refuse(&mut attribution, 2, 3, &mut refusals));
    assert!(attribution.skips_refused(false), "the next result decides about the refused call");
    accept(&mut attribution, 3, 4);
    attribution.on_sent(at(5), &RefusalHistory::default());
    assert!(attribution.skips_refused(true) && !attribution.skips_refused(false), "another call ends a pause");
    attribution.on_sent(at(6), &refusals);
    assert!(attribution.skips_refused(false), "refused calls take turns with the others");
}
