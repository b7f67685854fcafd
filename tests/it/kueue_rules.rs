//! Rules of Kueue that its own cases pin only weakly, each by a case that goes the other way without it.

use fairshare::Weight;
use fairshare::kueue::{
    BorrowWithinCohort, Cluster, ClusterQueue, Cohort, Pending, PodSet, Preemption, Quota, QuotaRow, Reach,
    ResourceGroup, Settings, Verdict, WeightedShare, Workload, victim_order,
};

const FAIR: bool = true;
const CLASSICAL: bool = false;

fn settings(fair_sharing: bool) -> Settings {
    Settings { fair_sharing, ..Settings::default() }
}

fn cpu(nominal: i64) -> Vec<Quota> {
    vec![Quota::new("cpu", nominal)]
}

/// A queue in a cohort with so many CPUs, which takes back all that it can.
fn queue(name: &str, cohort: &str, nominal: i64) -> ClusterQueue {
    let preemption = Preemption {
        within_cluster_queue: Reach::LowerPriority,
        reclaim_within_cohort: Reach::Any,
        borrow_within_cohort: None,
    };
    ClusterQueue::new(name).in_cohort(cohort).with_quotas("default", cpu(nominal)).with_preemption(preemption)
}

fn holds(name: &str, queue: &str, amount: i64) -> Workload {
    Workload::new(name, queue, vec![("default", "cpu", amount)])
}

fn asks(queue: &str, amount: i64, priority: i32) -> Pending {
    let mut pending = Pending::new("new", queue, vec![PodSet::new("main", 1, vec![("cpu", amount)])]);
    pending.priority = priority;
    pending
}

/// Whom a workload would preempt that asks for so many CPUs, with the reasons.
fn victims(
    fair: bool,
    cohorts: &[Cohort],
    queues: &[ClusterQueue],
    running: &[Workload],
    pending: &Pending,
    amount: i64,
) -> Vec<(String, &'static str)> {
    let mut cluster = Cluster::new(settings(fair), cohorts, queues, running.to_vec()).unwrap();
    let found = cluster.victims_of(pending, &[("default", "cpu", amount, true)]);
    let mut found: Vec<(String, &'static str)> =
        found.iter().map(|victim| (running[victim.workload].name.clone(), victim.reason.as_str())).collect();
    found.sort();
    found
}

fn named(list: &[(&str, &'static str)]) -> Vec<(String, &'static str)> {
    list.iter().map(|(name, reason)| ((*name).to_owned(), *reason)).collect()
}

fn verdict(
    fair: bool,
    cohorts: &[Cohort],
    queues: &[ClusterQueue],
    running: &[Workload],
    ask: &Pending,
) -> Verdict {
    let mut cluster = Cluster::new(settings(fair), cohorts, queues, running.to_vec()).unwrap();
    cluster.cycle(std::slice::from_ref(ask)).verdicts.remove(0)
}

#[test]
fn a_lending_limit_holds_in_every_formula() {
    let mut lender = queue("lender", "all", 10);
    lender.groups[0].rows[0].quotas[0].lending_limit = Some(4);
    let queues = [lender, queue("other", "all", 0)];
    let other =
        |running: &[Workload], amount| verdict(CLASSICAL, &[], &queues, running, &asks("other", amount, 0));
    // The potential, and what is available.
    assert!(matches!(other(&[], 4), Verdict::Start { .. }));
    assert!(matches!(other(&[], 5), Verdict::Reject { .. }));
    // What the lender keeps covers its own usage first: six of it leave the cohort as it was, and a seventh does not.
    assert!(matches!(other(&[holds("own", "lender", 6)], 4), Verdict::Start { .. }));
    assert!(!matches!(other(&[holds("own", "lender", 7)], 4), Verdict::Start { .. }));
    // It never loses what it keeps.
    let lent = [holds("lent", "other", 4)];
    let own = |amount| verdict(CLASSICAL, &[], &queues, &lent, &asks("lender", amount, 0));
    assert!(matches!(own(6), Verdict::Start { .. }));
    assert!(matches!(own(7), Verdict::EvictFor { .. }));
    // A share is of what can be lent.
    let cluster = Cluster::new(settings(FAIR), &[], &queues, vec![holds("lent", "other", 1)]).unwrap();
    assert_eq!(cluster.lendable("other")["cpu"], 4);
    let shares = cluster.shares();
    let share = shares.iter().find(|share| share.name == "other").unwrap();
    assert_eq!(share.weighted, WeightedShare::Thousandths(250));
}

#[test]
fn the_second_strategy_takes_at_most_one_of_a_queue() {
    // `new` fits only beside its own queue's workload and two of the others; the first strategy takes none of theirs, since
    // without one of them their queue would have less than it. Once its own has gone, the second strategy could take all.
    let mut own = queue("own", "all", 0);
    own.weight = Weight::parse("1.8");
    let pool = Cohort { groups: vec![rows(&[("default", 24)])], ..Cohort::new("all") };
    let running = [holds("o", "own", 4), holds("b1", "b", 10), holds("b2", "b", 10)];
    let queues = [own.clone(), queue("b", "all", 0)];
    assert_eq!(victims(FAIR, std::slice::from_ref(&pool), &queues, &running, &asks("own", 16, 1), 16), []);
    // Of two queues one each.
    let pool = Cohort { groups: vec![rows(&[("default", 44)])], ..pool };
    let running = [running.to_vec(), vec![holds("e1", "e", 10), holds("e2", "e", 10)]].concat();
    let queues = [own, queue("b", "all", 0), queue("e", "all", 0)];
    let found = victims(FAIR, &[pool], &queues, &running, &asks("own", 16, 1), 16);
    assert_eq!(found, named(&[("b1", "InCohortFairSharing"), ("e1", "InCohortFairSharing")]));
}

#[test]
fn the_second_strategy_takes_nobody_twice() {
    // The first strategy takes two of `q`, and then the preemptor's own: 8 of the 15 are free. Of `q` the second may take
    // one more, which is not enough.
    let pool = Cohort { groups: vec![rows(&[("default", 32)])], ..Cohort::new("all") };
    let queues = [queue("a", "all", 0), queue("q", "all", 0)];
    let parts = [("v1", "q", 1), ("v2", "q", 1), ("w1", "q", 4), ("w2", "q", 20), ("o", "a", 6)];
    let mut running = parts.map(|(name, queue, amount)| holds(name, queue, amount));
    for (workload, priority) in running.iter_mut().zip([0, 1, 2, 3, 0]) {
        workload.priority = priority;
    }
    assert_eq!(victims(FAIR, &[pool], &queues, &running, &asks("a", 15, 5), 15), []);
}

#[test]
fn who_borrows_what_nobody_lends_gives_it_back() {
    // Nothing of the cohort is lent, so that the share of `other` is zero; it borrows all the same.
    let mut own = queue("own", "all", 4);
    own.groups[0].rows[0].quotas[0].lending_limit = Some(0);
    let queues = [own, queue("other", "all", 0)];
    let running = [holds("r", "other", 2)];
    for fair in [FAIR, CLASSICAL] {
        let found = victims(fair, &[], &queues, &running, &asks("own", 3, 0), 3);
        assert_eq!(found, named(&[("r", "InCohortReclamation")]));
    }
}

#[test]
fn who_borrows_nothing_has_no_endless_share_for_want_of_weight() {
    // `sub` borrows, so that what is its is taken before what is of the workload's own queue, which has no weight and borrows
    // nothing.
    let mut own = queue("own", "all", 10);
    own.weight = None;
    let sub = Cohort { parent: Some("all".to_owned()), ..Cohort::new("sub") };
    let running = [holds("o", "own", 6), holds("r", "b", 4)];
    for weight in [None, Some(Weight::ONE)] {
        own.weight = weight;
        let queues = [own.clone(), queue("b", "sub", 0)];
        let found = victims(FAIR, std::slice::from_ref(&sub), &queues, &running, &asks("own", 4, 5), 4);
        assert_eq!(found, named(&[("r", "InCohortReclamation")]), "{weight:?}");
    }
}

fn rows(flavors: &[(&str, i64)]) -> ResourceGroup {
    let row =
        |(flavor, nominal): &(&str, i64)| QuotaRow { flavor: (*flavor).to_owned(), quotas: cpu(*nominal) };
    ResourceGroup { rows: flavors.iter().map(row).collect() }
}

#[test]
fn of_equal_shares_the_cohort_is_before_the_queue() {
    let all = Cohort { groups: vec![rows(&[("default", 10)])], ..Cohort::new("all") };
    for name in ["a-cohort", "z-cohort"] {
        let inner = Cohort { parent: Some("all".to_owned()), ..Cohort::new(name) };
        let queues = [queue("own", "all", 0), queue("m", "all", 0), queue("inner", name, 0)];
        let running = vec![holds("1", "m", 2), holds("2", "inner", 2)];
        let cluster = Cluster::new(settings(FAIR), &[all.clone(), inner], &queues, running).unwrap();
        assert_eq!(cluster.queues_by_share("own", &["m", "inner"]), ["inner", "m"]);
    }
}

#[test]
fn who_may_borrow_while_preempting_tries_that_first() {
    let mut a = queue("a", "all", 2);
    let queues = |a: &ClusterQueue| [a.clone(), queue("b", "all", 2)];
    let lower = [holds("b1", "b", 4)];
    let ask = asks("a", 3, 1);
    assert_eq!(victims(CLASSICAL, &[], &queues(&a), &lower, &ask, 3), []);
    a.preemption.borrow_within_cohort = Some(BorrowWithinCohort { max_priority_threshold: None });
    let found = victims(CLASSICAL, &[], &queues(&a), &lower, &ask, 3);
    assert_eq!(found, named(&[("b1", "InCohortReclaimWhileBorrowing")]));
    // Whom it may not take while borrowing it takes without: then its own has to go, too.
    let mut equal = holds("b1", "b", 3);
    equal.priority = 1;
    let running = [equal.clone(), holds("a1", "a", 1)];
    let found = victims(CLASSICAL, &[], &queues(&a), &running, &asks("a", 2, 1), 2);
    assert_eq!(found, named(&[("a1", "InClusterQueue"), ("b1", "InCohortReclamation")]));
    // So does whoever is above the threshold.
    a.preemption.borrow_within_cohort = Some(BorrowWithinCohort { max_priority_threshold: Some(-1) });
    assert_eq!(victims(CLASSICAL, &[], &queues(&a), &lower, &ask, 3), []);
    // Where borrowing is forbidden, it is tried without first: the own one stays where the other's suffices.
    a.preemption.borrow_within_cohort = None;
    let running = [equal, holds("a1", "a", 1)];
    let found = victims(CLASSICAL, &[], &queues(&a), &running, &asks("a", 1, 1), 1);
    assert_eq!(found, named(&[("b1", "InCohortReclamation")]));
}

/// Who lends nothing back is no candidate, so that it does not decide either in which order the attempts are made.
#[test]
fn a_queue_within_its_quota_does_not_decide_whether_to_borrow_first() {
    let mut a = queue("a", "x", 3);
    a.preemption.reclaim_within_cohort = Reach::LowerPriority;
    let queues = [a, queue("b", "x", 1), queue("c", "root", 2), queue("d", "root", 2)];
    let mut x = Cohort::new("x");
    x.parent = Some("root".to_owned());
    x.groups = vec![rows(&[("default", 3)])];
    let mut urgent = holds("d1", "d", 6);
    urgent.priority = 2;
    // All of the eleven are used. `x` has quota for two more, so that whoever borrows outside of it gives way first: `d`,
    // but for its priority, and not `c`, which is within its quota.
    let running =
        [holds("a1", "a", 1), holds("a2", "a", 1), holds("b1", "b", 2), holds("c1", "c", 1), urgent];
    let found = victims(CLASSICAL, &[x], &queues, &running, &asks("a", 2, 1), 2);
    // Without borrowing, which is tried first: `b` gives back, and one of its own goes, to stay within three.
    assert_eq!(found, named(&[("a1", "InClusterQueue"), ("b1", "InCohortReclamation")]));
}

#[test]
fn candidates_borrow_and_pass_the_policy_and_use_the_flavor() {
    for fair in [FAIR, CLASSICAL] {
        let mut a = queue("a", "all", 4);
        let b = queue("b", "all", 4);
        let mut c = queue("c", "all", 0);
        c.groups = vec![rows(&[("default", 0), ("other", 0)])];
        let elsewhere = Workload::new("c2", "c", vec![("other", "cpu", 5)]);
        let running = [holds("b1", "b", 4), holds("c1", "c", 4), elsewhere];
        let find = |a: &ClusterQueue| {
            victims(fair, &[], &[a.clone(), b.clone(), c.clone()], &running, &asks("a", 4, 0), 4)
        };
        // `b` is within its quota, and `c2` holds nothing of the flavor.
        assert_eq!(find(&a), named(&[("c1", "InCohortReclamation")]), "fair {fair}");
        a.preemption.reclaim_within_cohort = Reach::LowerPriority;
        assert_eq!(find(&a), [], "fair {fair}");
    }
}

fn share_of(queues: &[ClusterQueue], running: Vec<Workload>, name: &str) -> (WeightedShare, Option<String>) {
    let cluster = Cluster::new(settings(FAIR), &[], queues, running).unwrap();
    let share = cluster.shares().into_iter().find(|share| share.name == name).unwrap();
    (share.weighted, share.dominant_resource)
}

#[test]
fn flavors_of_a_resource_are_summed_each_from_its_own_quota() {
    for (nominal, thousandths) in [([0, 0], 100), ([5, 0], 40)] {
        let mut borrower = ClusterQueue::new("q").in_cohort("all");
        borrower.groups = vec![rows(&[("t4", nominal[0]), ("a100", nominal[1])])];
        let mut lender = ClusterQueue::new("lender").in_cohort("all");
        lender.groups = vec![rows(&[("t4", 10), ("a100", 10)])];
        let usage = Workload::new("w", "q", vec![("t4", "cpu", 1), ("a100", "cpu", 1)]);
        let (share, _) = share_of(&[borrower, lender], vec![usage], "q");
        assert_eq!(share, WeightedShare::Thousandths(thousandths), "{nominal:?}");
    }
}

#[test]
fn of_equal_ratios_the_first_resource_by_name_dominates() {
    for (one, other) in [("cpu", "memory"), ("memory", "cpu"), ("example.com/z", "example.com/a")] {
        let quotas = |amount: i64| vec![Quota::new(one, amount), Quota::new(other, 2 * amount)];
        let borrower = ClusterQueue::new("q").in_cohort("all").with_quotas("default", quotas(0));
        let lender = ClusterQueue::new("lender").in_cohort("all").with_quotas("default", quotas(10));
        let usage = Workload::new("w", "q", vec![("default", one, 3), ("default", other, 6)]);
        let (share, dominant) = share_of(&[borrower, lender], vec![usage], "q");
        assert_eq!(share, WeightedShare::Thousandths(300));
        assert_eq!(dominant.as_deref(), Some(one.min(other)));
    }
}

#[test]
fn beyond_its_quota_a_flavor_may_preempt_only_below_another_cohort_or_while_borrowing() {
    let preempts = |verdict: &Verdict| match verdict {
        Verdict::Wait { why, .. } if why.starts_with("too little quota is free") => true,
        Verdict::Wait { why, .. } if why.starts_with("insufficient unused quota for ") => false,
        other => panic!("{other:?}"),
    };
    // Nobody can be preempted, whoever may be: `b` is within its quota.
    let find = |fair: bool, cohorts: &[Cohort], cohort: &str, preemption: Preemption, amount: i64| {
        let a = queue("a", cohort, 1).with_preemption(preemption);
        let b = queue("b", "all", 4);
        let running = [holds("b1", "b", 4), holds("a1", "a", 1)];
        preempts(&verdict(fair, cohorts, &[a, b], &running, &asks("a", amount, 0)))
    };
    let never = Preemption::default();
    let reclaims = Preemption { reclaim_within_cohort: Reach::Any, ..never };
    let borrows = Preemption { borrow_within_cohort: Some(BorrowWithinCohort::default()), ..never };
    assert!(find(CLASSICAL, &[], "all", never, 1), "within its quota");
    assert!(!find(CLASSICAL, &[], "all", reclaims, 2), "beyond it, of the whole tree");
    assert!(find(CLASSICAL, &[], "all", borrows, 2), "while borrowing");
    assert!(find(FAIR, &[], "all", reclaims, 2), "by shares");
    assert!(!find(FAIR, &[], "all", never, 2), "by shares, but it reclaims nothing");
    let inner = |quota: i64| {
        let parent = Some("all".to_owned());
        [Cohort { parent, groups: vec![rows(&[("default", quota)])], ..Cohort::new("inner") }]
    };
    // The inner cohort could hold it, were `a1` not there.
    assert!(!find(CLASSICAL, &inner(1), "inner", never, 3), "the whole tree again");
    let idle = |amount| {
        let a = queue("a", "inner", 1).with_preemption(never);
        let running = [holds("b1", "b", 6)];
        verdict(CLASSICAL, &inner(1), &[a, queue("b", "all", 4)], &running, &asks("a", amount, 0))
    };
    assert!(preempts(&idle(2)), "a cohort below another would hold it");
}

/// What is said of a workload whose sets, `fa` or `fb` or any flavor, ask so many CPUs each, of two flavors with two each.
fn of_two_flavors(sets: &[(Option<&str>, i64)]) -> Verdict {
    let mut queue = ClusterQueue::new("a");
    queue.groups = vec![rows(&[("fa", 2), ("fb", 2)])];
    let set = |(at, (flavor, amount)): (usize, &(Option<&str>, i64))| {
        let mut set = PodSet::new(&format!("set-{at}"), 1, vec![("cpu", *amount)]);
        set.flavors = flavor.map(|flavor| vec![flavor.to_owned()]);
        set
    };
    let pending = Pending::new("new", "a", sets.iter().enumerate().map(set).collect());
    let mut cluster = Cluster::new(settings(CLASSICAL), &[], &[queue], Vec::new()).unwrap();
    cluster.cycle(&[pending]).verdicts.remove(0)
}

#[test]
fn who_fits_by_some_choice_of_flavors_is_not_rejected() {
    let rejects = |sets: &[(Option<&str>, i64)]| matches!(of_two_flavors(sets), Verdict::Reject { .. });
    // The first set is tried in `fa`, which alone the second may use; with the first in `fb` both have room.
    assert!(!rejects(&[(None, 2), (Some("fa"), 2)]));
    assert!(!rejects(&[(None, 1), (None, 1), (Some("fa"), 2)]));
    assert!(rejects(&[(None, 2), (Some("fa"), 2), (None, 1)]));
    assert!(rejects(&[(None, 2), (Some("fa"), 3)]));
    assert!(rejects(&[(Some("fa"), 1), (Some("fa"), 2)]));
    // More choices than are looked at.
    let many: Vec<(Option<&str>, i64)> = (0..40).map(|at| (None, i64::from(at >= 20))).collect();
    assert!(!rejects(&many));
}

#[test]
fn a_resource_without_quota_is_unavailable() {
    let queue = ClusterQueue::new("a").with_quotas("default", cpu(2));
    let pending = Pending::new("new", "a", vec![PodSet::new("main", 1, vec![("cpu", 1), ("gpu", 1)])]);
    let mut cluster = Cluster::new(settings(CLASSICAL), &[], &[queue], Vec::new()).unwrap();
    let verdict = cluster.cycle(&[pending]).verdicts.remove(0);
    let why = "resource unavailable: cluster queue `a` has no quota of gpu".to_owned();
    assert_eq!(verdict, Verdict::Reject { why });
}

/// Usage of local queues orders the workloads of one queue and not those of two: compared pair by pair, `a1` would come
/// before `b`, `b` before `a2` and `a2` before `a1`.
#[test]
fn usage_of_local_queues_makes_no_circle_of_victims() {
    let workload = |name: &str, queue: &str, priority: i32, usage: f64| Workload {
        priority,
        local_usage: Some(usage),
        ..holds(name, queue, 1)
    };
    let mut running = Vec::new();
    for number in 0..12 {
        running.push(workload(&format!("a1-{number:02}"), "a", 0, 1.0));
        running.push(workload(&format!("b-{number:02}"), "b", 1, 0.0));
        running.push(workload(&format!("a2-{number:02}"), "a", 2, 2.0));
    }
    let order = |running: &[Workload]| -> Vec<String> {
        let queues = [queue("a", "all", 9), queue("b", "all", 9), queue("c", "all", 9)];
        let cluster = Cluster::new(settings(CLASSICAL), &[], &queues, running.to_vec()).unwrap();
        victim_order(&cluster, "c").into_iter().map(|at| running[at].name.clone()).collect()
    };
    let first = order(&running);
    let kinds: Vec<&str> = first.iter().step_by(12).map(|name| name.split_once('-').unwrap().0).collect();
    assert_eq!(kinds, ["b", "a2", "a1"], "{first:?}");
    for turn in 1..running.len() {
        running.rotate_left(1);
        assert_eq!(order(&running), first, "turned by {turn}");
    }
}

#[test]
fn shares_are_those_after_the_last_admission() {
    let queues = ["a", "b", "c"].map(|name| queue(name, "all", 2));
    let running = vec![holds("a1", "a", 2), holds("b1", "b", 2)];
    let mut cluster = Cluster::new(settings(true), &[], &queues, running).unwrap();
    // Nobody borrows, and `a` would.
    assert!(matches!(cluster.cycle(&[asks("a", 3, 0)]).verdicts[0], Verdict::Wait { .. }));
    for name in ["b2", "b3"] {
        cluster.admit(holds(name, "b", 1)).unwrap();
    }
    // Now `b` borrows two, and one still without the victim, no less than `a` would.
    let Verdict::EvictFor { victims, .. } = &cluster.cycle(&[asks("a", 1, 0)]).verdicts[0] else {
        panic!("`b` has the larger share")
    };
    assert_eq!(victims.len(), 1);
}
