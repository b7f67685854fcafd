//! The table of properties in `tests/properties.md`: every cell of the model's table is there, says what the model says, and
//! names tests that exist.
//!
//! A failure means that the page is out of date; what the tests show is theirs.

use std::collections::BTreeMap;

use crate::cases::{exists, read};

const COLUMNS: [&str; 8] =
    ["fluid", "weights", "floors", "hierarchy", "pools", "speeds", "discrete", "eviction"];

/// The rows of the model's table, by how the page's headings begin, and what it says of each column: `.` is nothing. What
/// holds under a condition that it names is a `~`.
const MODEL: [(&str, &str); 15] = [
    ("conservation", "YYYYYYYY"),
    ("same input", "YYYYYYYY"),
    ("Pareto", "YYYYYYYY"),
    ("sharing incentive", "YY~YYY~~"),
    ("envy-freeness", "YYNYYN~~"),
    ("strategy-proofness", "Y~N~YNNN"),
    ("single-resource", "YY~YY–~~"),
    ("population", "~~~~Y~NN"),
    ("resource monotonicity", "NNNNYYNN"),
    ("unit-scale", "YYYYYY~~"),
    ("lag", "......YY"),
    ("no livelock", ".......Y"),
    ("guaranteed", ".......Y"),
    ("incremental", "YYYY..YY"),
    ("grant then release", "......YY"),
];

/// What the page says of a cell.
struct Cell {
    model: String,
    here: String,
    why: String,
}

/// By heading and column.
fn page() -> BTreeMap<(String, String), Cell> {
    let text = read("tests/properties.md").unwrap();
    let (mut heading, mut cells) = (String::new(), BTreeMap::new());
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            title.clone_into(&mut heading);
        }
        let row = line.strip_prefix("| ").filter(|row| !row.starts_with("column |"));
        let Some(row) = row.and_then(|row| row.strip_suffix(" |")) else { continue };
        let [columns, model, here, why] =
            <[&str; 4]>::try_from(row.split(" | ").collect::<Vec<_>>()).unwrap();
        for column in columns.split(", ") {
            let cell = Cell { model: model.to_owned(), here: here.to_owned(), why: why.to_owned() };
            let before = cells.insert((heading.clone(), column.to_owned()), cell);
            assert!(before.is_none(), "{heading}, {column}: is there twice");
        }
    }
    cells
}

#[test]
fn every_cell_of_the_table_names_the_tests_that_show_it() {
    let mut page = page();
    for (title, symbols) in MODEL {
        for (column, symbol) in COLUMNS.iter().zip(symbols.chars()).filter(|(_, symbol)| *symbol != '.') {
            let key = page.keys().find(|(heading, its)| heading.starts_with(title) && its == column);
            let key = key.cloned().unwrap_or_else(|| panic!("{title}, {column}: is missing"));
            let Cell { model, here, why } = page.remove(&key).unwrap();
            assert_eq!(model, symbol.to_string(), "{title}, {column}: what the model says");
            let tests: Vec<&str> = why.split('`').skip(1).step_by(2).collect();
            for test in &tests {
                assert!(exists(test), "{title}, {column}: there is no test {test}");
            }
            match here.as_str() {
                "none" => assert!(!why.is_empty() && tests.is_empty(), "{title}, {column}: says nothing"),
                "yes" | "bounded" | "no" => assert!(!tests.is_empty(), "{title}, {column}: names no test"),
                _ => panic!("{title}, {column}: no such answer: {here}"),
            }
            let differs = symbol == 'Y' && here != "yes" || symbol == 'N' && here != "no";
            assert!(
                !differs || why.contains(". "),
                "{title}, {column}: differs from the model and does not say why"
            );
        }
    }
    assert!(page.is_empty(), "cells that the model does not have: {:?}", page.keys());
}
