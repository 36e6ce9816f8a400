//! The format of rows, and compatibility with other versions.

use super::*;

#[test]
fn row_has_the_documented_form() {
    let row = Row {
        at: 1_795_502_413,
        model: "gpt-4o".into(),
        requested: 100,
        issued: 1,
        overflow: 99,
        rate: 5.0,
        in_flight: 1,
        call_ms: Quantiles { p50: 1, p99: 2, max: 3 },
        ..Row::default()
    };
    let text = serde_json::to_string(&row).unwrap();
    assert_eq!(
        text,
        r#"{"at":1795502413,"model":"gpt-4o","requested":100,"issued":1,"rate_limited":0,"finished":0,"overflow":99,"rate":5.0,"in_flight":1,"wait_ms":{"p50":0,"p99":0,"max":0},"call_ms":{"p50":1,"p99":2,"max":3}}"#
    );
    assert_eq!(LogLine::parse(&text).unwrap(), LogLine::Row(row));
}

#[test]
fn unknown_bottleneck_is_read_as_other() {
    let row = Row { held: Some(Bottleneck::InFlight), limit: Some(5.0), failed: 2, transient: 3, ..Row::default() };
    let text = serde_json::to_string(&row).unwrap();
    assert!(
        text.contains(r#""failed":2,"transient":3"#) && text.contains(r#""limit":5.0,"held":"in_flight""#),
        "{text}"
    );
    assert_eq!(LogLine::parse(&text).unwrap(), LogLine::Row(row));
    let LogLine::Row(row) = LogLine::parse(r#"{"at":7,"model":"m","held":"tokens"}"#).unwrap() else { panic!("a row") };
    assert_eq!(row.held, Some(Bottleneck::Other));
}

#[test]
fn closed_limiter_is_written_with_its_reason() {
    let row = Row {
        held: Some(Bottleneck::Closed),
        closed: Some(ClosedReason::Quota),
        closed_for: Some(35_870.5),
        ..Row::default()
    };
    let text = serde_json::to_string(&row).unwrap();
    assert!(text.contains(r#""closed":"quota","closed_for":35870.5,"held":"closed""#), "{text}");
    assert_eq!(LogLine::parse(&text).unwrap(), LogLine::Row(row));
    let later = r#"{"at":7,"model":"m","closed":"maintenance"}"#;
    let LogLine::Row(row) = LogLine::parse(later).unwrap() else { panic!("a row") };
    assert_eq!((row.closed, row.closed_for), (Some(ClosedReason::Other), None));
}

#[test]
fn tokens_and_budgets_are_written_if_present() {
    let budget = |meter, learned| BudgetStatus { meter, limit: 80_000, taken: 79_000, others: 0, learned };
    let row = Row {
        held: Some(Bottleneck::Budget(BudgetKind::OutputTokensPerMinute)),
        reserved_tokens: 4096,
        used_tokens: 400,
        budgets: vec![budget(BudgetKind::OutputTokensPerMinute, None), budget(BudgetKind::TokensPerDay, Some(500.5))],
        ..Row::default()
    };
    let text = serde_json::to_string(&row).unwrap();
    let expected = r#""reserved_tokens":4096,"used_tokens":400,"budgets":[{"meter":"output_tokens_per_minute","limit":80000,"taken":79000},{"meter":"tokens_per_day","limit":80000,"taken":79000,"learned":500.5}],"#;
    assert!(text.contains(expected) && text.contains(r#""held":"output_tokens_per_minute""#), "{text}");
    assert_eq!(LogLine::parse(&text).unwrap(), LogLine::Row(row));
    let later =
        r#"{"at":7,"model":"m","held":"server","budgets":[{"meter":"images_per_week","limit":5,"taken":1,"x":2}]}"#;
    let LogLine::Row(row) = LogLine::parse(later).unwrap() else { panic!("a row") };
    assert_eq!((row.held, row.budgets[0].meter), (Some(Bottleneck::Server), BudgetKind::Other));
}

#[test]
fn unknown_fields_are_ignored_and_missing_counts_are_zero() {
    let LogLine::Row(row) = LogLine::parse(r#"{"at":7,"model":"m","later":[1,2],"issued":3}"#).unwrap() else {
        panic!("a row")
    };
    assert!(row.rate.is_nan(), "a missing rate is not a pause");
    assert_eq!(Row { rate: 0.0, ..row }, Row { at: 7, model: "m".into(), issued: 3, ..Row::default() });
}

#[test]
fn header_row_and_junk_are_distinguished() {
    let header = Header { format: FORMAT, started: 5, library: "0.1.0".into(), namespace: None };
    let text = serde_json::to_string(&header).unwrap();
    assert_eq!(LogLine::parse(&text).unwrap(), LogLine::Header(header));
    assert!(LogLine::parse(r#"{"hello":1}"#).is_err());
    assert!(LogLine::parse(r#"{"at":7,"mod"#).is_err());
}

#[test]
fn model_name_with_escapes_is_read() {
    let row = Row { at: 1, model: "a\n\"b\" 🦀".into(), ..Row::default() };
    let text = serde_json::to_string(&row).unwrap();
    assert_eq!(LogLine::parse(&text).unwrap(), LogLine::Row(row));
}
