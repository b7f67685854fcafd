//! Flavors that are one pool: those that everybody has together, each for resources of its own.
//!
//! Under Kueue's rules a job takes its CPUs of one flavor and its GPUs of another; under others a job is in one pool.
//! Where every queue and cohort that has one of these flavors has them all, and none has another in its place, the pool of
//! all of them is what each of them is. Absent on purpose: what else becomes of objects (see `plain`).

use std::collections::{BTreeMap, BTreeSet};

use fairshare::kueue::ResourceGroup;

use super::objects::Objects;

/// Flavors with their resources and how much of each there is.
pub(super) type Amounts = BTreeMap<String, BTreeMap<String, i64>>;

/// What queues and cohorts have, each with its kind and its name.
pub(super) fn owners(objects: &Objects) -> impl Iterator<Item = (&'static str, &str, &[ResourceGroup])> {
    let queues = objects.queues.iter().map(|(_, queue, _)| ("ClusterQueue", &queue.name, &queue.groups));
    let cohorts = objects.cohorts.iter().map(|(_, cohort)| ("Cohort", &cohort.name, &cohort.groups));
    queues.chain(cohorts).map(|(kind, name, groups)| (kind, name.as_str(), groups.as_slice()))
}

/// The flavors that could be a pool together, as sets.
pub(super) fn together(objects: &Objects, amounts: &Amounts) -> Vec<BTreeSet<String>> {
    // Who has a flavor; nobody of interest where there is a choice.
    let mut owned: BTreeMap<&str, Option<Vec<usize>>> = BTreeMap::new();
    for (at, (_, _, groups)) in owners(objects).enumerate() {
        for group in groups {
            for row in &group.rows {
                let by = owned.entry(&row.flavor).or_insert_with(|| Some(Vec::new()));
                match by {
                    Some(by) if group.rows.len() == 1 => by.push(at),
                    _ => *by = None,
                }
            }
        }
    }
    let mut sets: BTreeMap<Vec<usize>, BTreeSet<String>> = BTreeMap::new();
    for (flavor, by) in owned {
        if let Some(by) = by {
            sets.entry(by).or_default().insert(flavor.to_owned());
        }
    }
    let resources = |flavor: &String| amounts.get(flavor).into_iter().flat_map(BTreeMap::keys);
    let disjoint = |set: &BTreeSet<String>| {
        let mut seen = BTreeSet::new();
        set.iter().flat_map(resources).all(|resource| seen.insert(resource))
    };
    sets.into_values().filter(|set| set.len() > 1 && disjoint(set)).collect()
}

/// Kind and name of those of whom a job may need several of these pools at once; `pool_of` is the pool of a flavor.
pub(super) fn split<'a>(
    objects: &'a Objects,
    pool_of: &dyn Fn(&'a str) -> &'a str,
) -> Vec<(&'static str, &'a str)> {
    let needs_several = |(_, _, groups): &(&str, &str, &'a [ResourceGroup])| {
        let pools = |group: &'a ResourceGroup| -> BTreeSet<&str> {
            group.rows.iter().map(|row| pool_of(&row.flavor)).collect()
        };
        let mut groups = groups.iter().filter(|group| !group.rows.is_empty());
        let first = groups.next().map(pools).unwrap_or_default();
        groups.any(|group| pools(group) != first)
    };
    owners(objects).filter(needs_several).map(|(kind, name, _)| (kind, name)).collect()
}
