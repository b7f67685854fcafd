//! The documents about scenarios: their example loads, and no key is left out.

use std::path::Path;

use fairshare_sim::Scenario;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn document() -> String {
    std::fs::read_to_string(root().join("docs/scenario.md")).unwrap()
}

#[test]
fn the_example_of_the_document_loads() {
    let text = document();
    let example = text.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let scenario = Scenario::parse("docs/scenario.md", example, &[]).unwrap();
    assert_eq!((scenario.pools.len(), scenario.teams.len()), (2, 2));
}

/// Keys stand in constants: lists of texts of one kind.
#[test]
fn every_key_is_in_the_document() {
    let text = document();
    let mut keys = Vec::new();
    for entry in std::fs::read_dir(root().join("sim/src/scenario")).unwrap() {
        let source = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for part in source.split("const ").skip(1).filter(|part| part.contains(": [&str; ")) {
            let Some((name, rest)) = part.split_once(": [&str; ") else { continue };
            let known = [
                "KEYS", "POLICY", "EVICTION", "FACTORS", "PRICES", "ROUTE", "DEV", "SWF", "REQUEST",
                "SECTIONS",
            ];
            if known.contains(&name) {
                let list = rest.split_once('=').unwrap().1.trim_start();
                let list = list.strip_prefix('[').and_then(|list| list.split(']').next()).unwrap_or_default();
                keys.extend(list.split('"').skip(1).step_by(2).map(str::to_owned));
            }
        }
    }
    assert!(keys.len() > 80, "{}: {keys:?}", keys.len());
    let is_told = |key: &String| {
        [format!("{key} = "), format!("{key}]"), format!("`{key}`"), format!("`{key} = ")]
            .iter()
            .any(|form| text.contains(form))
    };
    let untold: Vec<&String> = keys.iter().filter(|key| !is_told(key)).collect();
    assert_eq!(untold, Vec::<&String>::new());
}
