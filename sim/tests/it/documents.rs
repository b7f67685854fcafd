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

/// The texts in quotes of a piece of source that may be keys.
fn quoted(source: &str) -> impl Iterator<Item = String> + '_ {
    let texts = source.split('"').skip(1).step_by(2);
    texts.filter(|text| !text.contains([' ', '`'])).map(str::to_owned)
}

/// Keys stand in lists of texts: constants, but for those of words and parts of objects, and lists that are given to `keys`.
#[test]
fn every_key_is_in_the_document() {
    let text = document();
    let mut keys = Vec::new();
    for entry in std::fs::read_dir(root().join("sim/src/scenario")).unwrap() {
        let source = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for part in source.split("const ").skip(1) {
            let Some((name, rest)) = part.split_once(": [&str; ") else { continue };
            if !name.contains(char::is_whitespace) && !["NAMED", "TREES", "WORDS", "PARTS"].contains(&name) {
                keys.extend(quoted(rest.split(';').next().unwrap()));
            }
        }
        for call in source.split("faults.keys(").skip(1) {
            keys.extend(quoted(call.split(");").next().unwrap()));
        }
    }
    assert!(keys.len() > 100, "{}: {keys:?}", keys.len());
    let is_told = |key: &String| {
        [format!("{key} = "), format!("{key}]"), format!("`{key}`"), format!("`{key} = ")]
            .iter()
            .any(|form| text.contains(form))
    };
    let untold: Vec<&String> = keys.iter().filter(|key| !is_told(key)).collect();
    assert_eq!(untold, Vec::<&String>::new());
}
