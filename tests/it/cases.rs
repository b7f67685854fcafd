//! The table of worked cases in `tests/cases.md`: every test that it names exists. And cases that are data alone.

use std::collections::BTreeSet;
use std::path::Path;

use fairshare::{Exact, FloorForm, Fluid, FluidTeam, Weight};

pub(crate) fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).ok()
}

/// The cells of the rows of all tables, without heads.
fn rows() -> Vec<[String; 4]> {
    let text = read("tests/cases.md").unwrap();
    let cells = |line: &str| {
        let cells: Vec<String> =
            line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        <[String; 4]>::try_from(cells).unwrap()
    };
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| case |"));
    rows.map(cells).collect()
}

/// Whether a test of the name `PATH::FUNCTION`, or a scenario, is there.
pub(crate) fn exists(name: &str) -> bool {
    if let Some(scenario) = name.strip_prefix("scenarios/") {
        return read(&format!("tests/it/scenarios/{scenario}")).is_some();
    }
    let Some((path, function)) = name.split_once("::") else { return false };
    read(path).is_some_and(|text| text.contains(&format!("fn {function}(")))
}

#[test]
fn every_case_says_where_it_is_and_the_tests_exist() {
    let rows = rows();
    assert_eq!(rows.len(), 34 + 71 + 22, "cases of both collections, and failures of real systems");
    assert_eq!(
        rows.iter().map(|row| &row[0]).collect::<BTreeSet<_>>().len(),
        rows.len(),
        "a case is there twice"
    );
    for [case, _, state, what] in &rows {
        match state.as_str() {
            "passed" => assert!(exists(what.trim_matches('`')), "{case}: there is no test {what}"),
            "later" | "model" => assert!(!what.is_empty(), "{case}: says nothing"),
            _ => panic!("{case}: no such state: {state}"),
        }
    }
    assert!(!exists("scenarios/none.txt") && !exists("tests/it/fluid.rs::none") && !exists("none"));
}

/// Quotas as guarantees on top of which the rest goes by weight: amounts of one resource for weight, quota, limit, request.
#[test]
fn what_quotas_leave_is_divided_by_weight() {
    type Case = (u64, &'static [(u64, u64, Option<u64>, u64)], &'static [u64]);
    let cases: [Case; 6] = [
        (
            10_000,
            &[(5_000, 5_000, None, 7_000), (5_000, 5_000, None, 2_000), (5_000, 5_000, None, 2_000)],
            &[6_000, 2_000, 2_000],
        ),
        (8, &[(1, 2, None, 6), (3, 2, None, 6)], &[3, 5]),
        (1_000, &[(1, 250, None, 5_000), (2, 150, None, 5_000)], &[450, 550]),
        (12, &[(2, 2, Some(5), 6), (2, 2, None, 6)], &[5, 6]),
        (9_999, &[(6, 0, None, 10_000), (2, 0, None, 10_000), (1, 0, None, 10_000)], &[6_666, 2_222, 1_111]),
        (4, &[(2, 2, None, 6), (2, 2, None, 6)], &[2, 2]),
    ];
    for (capacity, teams, expected) in cases {
        let team = |(weight, quota, limit, request): &(u64, u64, Option<u64>, u64)| {
            let team =
                FluidTeam::new(vec![1]).with_weight(Weight::new(*weight, 1).unwrap()).with_tasks(*request);
            team.with_quota(vec![Some(*quota)]).with_limit(vec![*limit])
        };
        let fluid =
            Fluid::new(vec![capacity], teams.iter().map(team).collect()).with_form(FloorForm::Additive);
        let found: Vec<Exact> = fluid.entitlements().unwrap().into_iter().map(|team| team.tasks).collect();
        let expected: Vec<Exact> = expected.iter().map(|amount| Exact::from(*amount)).collect();
        assert_eq!(found, expected, "{teams:?} of {capacity}");
    }
}
