//! What cohorts have quota of with all that is below them, which is what the quota of a team with children means.
//!
//! Absent on purpose: what of it is lent, and what is used (see `overuse`).

use std::collections::{BTreeMap, BTreeSet};

use fairshare::kueue::{Quota, QuotaRow, ResourceGroup};

use super::objects::Objects;

/// Quotas by flavor and resource.
pub(super) type Total = BTreeMap<(String, String), i64>;

/// For each cohort all that it and those below it have quota of.
pub(super) fn totals(objects: &Objects) -> BTreeMap<String, Total> {
    let above = |name: &String| {
        let cohort = objects.cohorts.iter().find(|(_, cohort)| cohort.name == *name);
        cohort.and_then(|(_, cohort)| cohort.parent.clone())
    };
    let mut totals: BTreeMap<String, Total> = BTreeMap::new();
    let queues = objects.queues.iter().map(|(_, queue, _)| (queue.cohort.clone(), &queue.groups));
    let cohorts = objects.cohorts.iter().map(|(_, cohort)| (Some(cohort.name.clone()), &cohort.groups));
    for (first, groups) in queues.chain(cohorts) {
        for name in std::iter::successors(first, above) {
            let total = totals.entry(name).or_default();
            for row in groups.iter().flat_map(|group| &group.rows) {
                for quota in &row.quotas {
                    let sum = total.entry((row.flavor.clone(), quota.resource.clone())).or_default();
                    *sum = sum.saturating_add(quota.nominal);
                }
            }
        }
    }
    totals
}

/// The groups of a cohort with a row for everything that those below it have quota of, where it has any of its own: a team
/// that names some of what it is guaranteed is guaranteed nothing else.
pub(super) fn complete(groups: &[ResourceGroup], total: &Total) -> Vec<ResourceGroup> {
    let mut groups = groups.to_vec();
    if groups.is_empty() {
        return groups;
    }
    let named = |flavor: &str, resource: &str| {
        let mut rows = groups.iter().flat_map(|group| &group.rows).filter(|row| row.flavor == flavor);
        rows.any(|row| row.quotas.iter().any(|quota| quota.resource == resource))
    };
    let missing =
        total.iter().filter(|((flavor, resource), amount)| **amount > 0 && !named(flavor, resource));
    let row = |((flavor, resource), _): (&(String, String), &i64)| QuotaRow {
        flavor: flavor.clone(),
        quotas: vec![Quota::new(resource, 0)],
    };
    let rows: Vec<QuotaRow> = missing.map(row).collect();
    groups.push(ResourceGroup { rows });
    groups
}

/// The same groups with a quota of every resource of a group in each of its flavors, as objects have it. To a cohort a quota
/// of nothing adds nothing.
pub(super) fn filled(groups: &[ResourceGroup]) -> Vec<ResourceGroup> {
    let mut groups = groups.to_vec();
    for group in &mut groups {
        let quotas = group.rows.iter().flat_map(|row| &row.quotas);
        let resources: BTreeSet<String> = quotas.map(|quota| quota.resource.clone()).collect();
        for row in &mut group.rows {
            let missing =
                resources.iter().filter(|name| row.quotas.iter().all(|quota| quota.resource != **name));
            let missing: Vec<Quota> = missing.map(|name| Quota::new(name, 0)).collect();
            row.quotas.extend(missing);
        }
    }
    groups
}
