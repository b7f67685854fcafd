//! Nearest: which known word somebody may have meant.
//!
//! Absent on purpose: what is said around it (the caller knows what was expected).

/// "did you mean `x`?" for the nearest of `known`, if one is near enough.
pub(crate) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let near = known.into_iter().map(|name| (distance(word, name), name)).min_by_key(|(steps, _)| *steps)?;
    let limit = (word.chars().count().max(near.1.chars().count()) / 3).clamp(1, 4);
    (near.0 <= limit).then(|| format!("did you mean `{}`?", near.1))
}

/// How many insertions, deletions, replacements and swaps of neighbours turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut older: Vec<usize> = Vec::new();
    let mut old: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let mut steps = (old[j] + usize::from(a[i] != b[j])).min(old[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                steps = steps.min(older[j - 1] + 1);
            }
            row.push(steps);
        }
        older = std::mem::replace(&mut old, row);
    }
    old[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestions_are_near() {
        let known = ["nodes", "node", "name", "price"];
        assert_eq!(did_you_mean("ndoes", known).as_deref(), Some("did you mean `nodes`?"));
        assert_eq!(did_you_mean("prise", known).as_deref(), Some("did you mean `price`?"));
        assert_eq!(did_you_mean("temperature", known), None);
        assert_eq!(distance("abc", "acb"), 1);
        assert_eq!(distance("", "abc"), 3);
    }
}
