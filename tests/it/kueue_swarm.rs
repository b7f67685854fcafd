//! Kueue's cycles over random trees and workloads: quota is conserved, order of input means nothing, and it comes to rest.

use std::collections::{BTreeMap, BTreeSet};

use fairshare::Weight;
use fairshare::kueue::{
    BorrowWithinCohort, Cluster, ClusterQueue, Cohort, Outcome, Pending, PodSet, Preemption, Quota, QuotaRow,
    Reach, ResourceGroup, Settings, Strategy, Verdict, Workload,
};

/// Numbers without end from a seed.
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }

    pub(crate) fn small(&mut self, end: u64) -> i64 {
        i64::try_from(self.below(end)).unwrap()
    }

    pub(crate) fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }

    fn shuffle<T>(&mut self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            let other = usize::try_from(self.below(at as u64 + 1)).unwrap();
            list.swap(at, other);
        }
    }
}

const FLAVORS: [&str; 2] = ["spot", "reserved"];
const RESOURCES: [&str; 2] = ["cpu", "gpu"];

/// A cluster, and who waits for it.
#[derive(Clone)]
struct World {
    settings: Settings,
    cohorts: Vec<Cohort>,
    queues: Vec<ClusterQueue>,
    running: Vec<Workload>,
    pending: Vec<Pending>,
}

fn weight(draw: &mut Draw) -> Option<Weight> {
    match draw.below(6) {
        0 => None,
        1 => Weight::new(1, 2),
        2 => Weight::new(3, 1),
        _ => Some(Weight::ONE),
    }
}

fn groups(draw: &mut Draw, most: u64) -> Vec<ResourceGroup> {
    let quota = |resource: &&str, draw: &mut Draw| Quota {
        borrowing_limit: draw.one_in(4).then(|| draw.small(5)),
        lending_limit: draw.one_in(4).then(|| draw.small(5)),
        ..Quota::new(resource, draw.small(most))
    };
    let rows = FLAVORS.iter().map(|flavor| QuotaRow {
        flavor: (*flavor).to_owned(),
        quotas: RESOURCES.iter().map(|resource| quota(resource, draw)).collect(),
    });
    vec![ResourceGroup { rows: rows.collect() }]
}

fn reach(draw: &mut Draw) -> Reach {
    [Reach::Never, Reach::LowerPriority, Reach::LowerOrNewerEqualPriority, Reach::Any]
        [usize::try_from(draw.below(4)).unwrap()]
}

fn world(seed: u64) -> World {
    let draw = &mut Draw(seed);
    let mut cohorts = Vec::new();
    for at in 0..draw.below(4) {
        let mut cohort = Cohort::new(&format!("c{at}"));
        if at > 0 && !draw.one_in(3) {
            cohort.parent = Some(format!("c{}", draw.below(at)));
        }
        cohort.weight = weight(draw);
        if draw.one_in(2) {
            cohort.groups = groups(draw, 4);
        }
        cohorts.push(cohort);
    }
    let queue = |at: u64, draw: &mut Draw| {
        let mut queue = ClusterQueue::new(&format!("q{at}"));
        if !cohorts.is_empty() && !draw.one_in(6) {
            queue.cohort = Some(format!("c{}", draw.below(cohorts.len() as u64)));
        }
        queue.weight = weight(draw);
        queue.groups = groups(draw, 8);
        queue.preemption = Preemption {
            within_cluster_queue: reach(draw),
            reclaim_within_cohort: reach(draw),
            borrow_within_cohort: draw.one_in(3).then(BorrowWithinCohort::default),
        };
        queue
    };
    let queues: Vec<ClusterQueue> = (0..draw.below(5) + 2).map(|at| queue(at, draw)).collect();
    let mut settings = Settings { fair_sharing: draw.one_in(2), ..Settings::default() };
    match draw.below(4) {
        0 => settings.strategies = vec![Strategy::LessThanOrEqualToFinalShare],
        1 => settings.strategies = vec![Strategy::LessThanInitialShare],
        _ => {}
    }
    let mut pending = Vec::new();
    for at in 0..draw.below(16) + 4 {
        let name = format!("w{at:02}");
        let queue = format!("q{}", draw.below(queues.len() as u64));
        let asks = RESOURCES.iter().map(|resource| (*resource, draw.small(4))).collect();
        let mut set = PodSet::new("main", u32::try_from(draw.below(3) + 1).unwrap(), asks);
        set.min_count = draw.one_in(3).then_some(1);
        let mut job = Pending::new(&name, &queue, vec![set]);
        job.priority = i32::try_from(draw.below(3)).unwrap();
        job.created_ms = draw.small(8);
        pending.push(job);
    }
    World { settings, cohorts, queues, running: Vec::new(), pending }
}

impl World {
    fn cluster(&self) -> Cluster {
        Cluster::new(self.settings.clone(), &self.cohorts, &self.queues, self.running.clone()).unwrap()
    }

    /// One cycle, with the names of victims.
    fn decide(&self) -> (Outcome, BTreeMap<String, String>) {
        let mut cluster = self.cluster();
        let before = cluster.shares();
        let outcome = cluster.cycle(&self.pending);
        assert_eq!(cluster.shares(), before, "a cycle leaves something behind");
        let told = |(at, verdict): (usize, &Verdict)| {
            let text = match verdict {
                Verdict::EvictFor { victims, flavors, counts } => {
                    let names: Vec<(&str, &str)> = victims
                        .iter()
                        .map(|victim| (self.running[victim.workload].name.as_str(), victim.reason.as_str()))
                        .collect();
                    format!("{names:?} {flavors:?} {counts:?}")
                }
                other => format!("{other:?}"),
            };
            (self.pending[at].name.clone(), text)
        };
        let told = outcome.verdicts.iter().enumerate().map(told).collect();
        (outcome, told)
    }

    fn shuffled(&self, draw: &mut Draw) -> Self {
        let mut other = self.clone();
        draw.shuffle(&mut other.cohorts);
        draw.shuffle(&mut other.queues);
        draw.shuffle(&mut other.running);
        draw.shuffle(&mut other.pending);
        other
    }

    /// All usage of each flavor and resource in the tree of each root, and what it has in all.
    fn balance(&self) {
        let root = |queue: &ClusterQueue| {
            let above = |name: &String| {
                self.cohorts.iter().find(|it| it.name == *name).and_then(|it| it.parent.clone())
            };
            std::iter::successors(queue.cohort.clone(), above).last().unwrap_or_else(|| queue.name.clone())
        };
        let mut left: BTreeMap<(String, String, String), i64> = BTreeMap::new();
        let mut add = |root: &String, groups: &[ResourceGroup]| {
            for row in groups.iter().flat_map(|group| &group.rows) {
                for quota in &row.quotas {
                    let key = (root.clone(), row.flavor.clone(), quota.resource.clone());
                    *left.entry(key).or_default() += quota.nominal;
                }
            }
        };
        let roots: BTreeMap<&str, String> =
            self.queues.iter().map(|queue| (queue.name.as_str(), root(queue))).collect();
        for queue in &self.queues {
            add(&roots[queue.name.as_str()], &queue.groups);
        }
        for cohort in &self.cohorts {
            let mut probe = ClusterQueue::new("probe");
            probe.cohort = Some(cohort.name.clone());
            add(&root(&probe), &cohort.groups);
        }
        for workload in &self.running {
            for (flavor, resource, amount) in &workload.usage {
                let key = (roots[workload.queue.as_str()].clone(), flavor.clone(), resource.clone());
                *left.get_mut(&key).unwrap() -= amount;
            }
        }
        for (key, left) in left {
            assert!(left >= 0, "{key:?}: more is used than there is by {left}");
        }
        assert_eq!(self.cluster().overused(), []);
    }

    /// Does what was decided; victims wait again, as old as they are.
    fn apply(&mut self, outcome: &Outcome, now: i64, known: &BTreeMap<String, Pending>) -> Corners {
        let mut corners = Corners::default();
        let mut gone: BTreeSet<usize> = BTreeSet::new();
        let mut started: BTreeSet<usize> = BTreeSet::new();
        for (at, verdict) in outcome.verdicts.iter().enumerate() {
            match verdict {
                Verdict::Start { flavors, counts } => {
                    let job = &self.pending[at];
                    let mut usage = Vec::new();
                    for ((set, flavors), count) in job.pod_sets.iter().zip(flavors).zip(counts) {
                        if *count < set.count {
                            corners.seen.insert("fewer pods");
                        }
                        for (resource, flavor) in flavors {
                            if flavor == FLAVORS[1] {
                                corners.seen.insert("second flavor");
                            }
                            let amount = set.requests[resource] * i64::from(*count);
                            usage.push((flavor.clone(), resource.clone(), amount));
                        }
                    }
                    let mut workload = Workload::new(&job.name, &job.queue, Vec::new());
                    workload.priority = job.priority;
                    workload.created_ms = job.created_ms;
                    workload.reserved_ms = now;
                    workload.usage = usage;
                    self.running.push(workload);
                    started.insert(at);
                    corners.seen.insert("start");
                }
                Verdict::EvictFor { victims, .. } => {
                    for victim in victims {
                        assert!(gone.insert(victim.workload), "two preempt one victim");
                        corners.seen.insert(victim.reason.as_str());
                    }
                }
                Verdict::Wait { again: false, .. } => {
                    corners.seen.insert("wait");
                }
                Verdict::Wait { .. } => {}
                Verdict::Reject { .. } => {
                    started.insert(at);
                    corners.seen.insert("reject");
                }
            }
        }
        corners.changed = !started.is_empty() || !gone.is_empty();
        let kept = |list: &mut BTreeSet<usize>, at: usize| !list.contains(&at);
        let mut at = 0;
        self.pending.retain(|_| {
            at += 1;
            kept(&mut started, at - 1)
        });
        for at in gone.into_iter().rev() {
            let victim = self.running.remove(at);
            self.pending.push(known[&victim.name].clone());
        }
        corners
    }
}

/// What was seen.
#[derive(Default)]
struct Corners {
    changed: bool,
    seen: BTreeSet<&'static str>,
}

const SEEDS: u64 = 600;
/// Far more cycles than it takes to come to rest.
const MOST: usize = 120;

#[test]
fn quota_is_conserved_order_means_nothing_and_it_comes_to_rest() {
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    let mut restless = Vec::new();
    for seed in 0..SEEDS {
        let mut world = world(seed);
        let known: BTreeMap<String, Pending> =
            world.pending.iter().map(|job| (job.name.clone(), job.clone())).collect();
        let draw = &mut Draw(!seed);
        // Some come later.
        let mut late = world.pending.split_off(world.pending.len() / 2);
        let mut cycles = 0;
        loop {
            let (outcome, told) = world.decide();
            assert_eq!(told, world.shuffled(draw).decide().1, "seed {seed}");
            let corners = world.apply(&outcome, cycles, &known);
            world.balance();
            for corner in corners.seen {
                *seen.entry(corner).or_default() += 1;
            }
            cycles += 1;
            if let Some(job) = late.pop() {
                world.pending.push(job);
            } else if let (false, true) = (corners.changed, park(&mut world, &outcome)) {
                break;
            }
            if usize::try_from(cycles).unwrap() > MOST {
                restless.push(seed);
                break;
            }
        }
    }
    println!("{seen:?}; restless: {restless:?}");
    assert!(restless.is_empty(), "no rest with seeds {restless:?}");
    for corner in [
        "start",
        "wait",
        "reject",
        "fewer pods",
        "second flavor",
        "InClusterQueue",
        "InCohortReclamation",
        "InCohortFairSharing",
        "InCohortReclaimWhileBorrowing",
    ] {
        assert!(seen.get(corner).is_some_and(|count| *count >= 10), "hardly any {corner}: {seen:?}");
    }
}

/// Takes heads that found nothing away, so that those behind them are looked at; whether there was none.
fn park(world: &mut World, outcome: &Outcome) -> bool {
    let heads: BTreeSet<usize> = outcome.order.iter().copied().collect();
    let mut at = 0;
    let before = world.pending.len();
    world.pending.retain(|_| {
        at += 1;
        !heads.contains(&(at - 1))
    });
    world.pending.len() == before
}
