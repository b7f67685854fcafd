//! No eviction without end: over every order of legal plans, not only the one that the crate takes.
//!
//! A tiny model of its own, one divisible pool and a handful of jobs, whose every state can be visited: any waiting job
//! that fits may start, and any legal plan may be carried out. A circle among the states is a livelock. The crate then
//! runs the same instances: each of its plans is one of the model's, a second cycle decides nothing, and the plans that its
//! search misses are counted.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use fairshare::{
    Allowance, Alternative, Config, Decision, EvictionBounds, JobId, JobSpec, PolicySpec, PoolId, PoolSpec,
    Preemption, Quantity, ResourceKind, Resources, Scheduler, ShapeSpec, Submission, TeamId, TeamSpec,
    Timestamp, Weight,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// A job by its team, GPUs and cores, and class.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Job {
    team: usize,
    asks: [u32; 2],
    class: i32,
}

#[derive(Clone, Debug)]
struct Team {
    parent: Option<usize>,
    weight: u32,
    /// GPUs.
    quota: Option<u32>,
}

/// How jobs of equal rank are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Rule {
    /// R2.
    Model,
    /// My share now is below yours: a published mistake.
    CurrentShares,
    /// My new share is at most your final one, else below your old one: another.
    FinalElseOld,
}

#[derive(Clone, Debug)]
struct Instance {
    rule: Rule,
    capacity: [u32; 2],
    teams: Vec<Team>,
    /// In order of submission; only teams without children have any.
    jobs: Vec<Job>,
}

/// Who runs, where each counts as guaranteed, and who was stopped.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
struct State {
    running: u32,
    /// By job: one bit for each team on its path that it is guaranteed at.
    guaranteed: Vec<u32>,
    stopped: u32,
}

fn bits(set: u32) -> impl Iterator<Item = usize> + Clone {
    (0..32).filter(move |bit| set >> bit & 1 == 1)
}

fn compare(a: &[(u64, u64)], b: &[(u64, u64)]) -> Ordering {
    let orders = a.iter().zip(b).map(|(a, b)| (a.0 * b.1).cmp(&(b.0 * a.1)));
    orders.into_iter().find(|order| *order != Ordering::Equal).unwrap_or(Ordering::Equal)
}

impl Instance {
    fn path(&self, team: usize) -> Vec<usize> {
        let mut path = vec![team];
        while let Some(parent) = self.teams[path[path.len() - 1]].parent {
            path.push(parent);
        }
        path
    }

    fn is_flat_without_quotas(&self) -> bool {
        self.teams.iter().all(|team| team.parent.is_none() && team.quota.is_none())
    }

    fn quota(&self, team: usize) -> Option<u32> {
        self.teams[team].quota.or_else(|| {
            let children = (0..self.teams.len()).filter(|child| self.teams[*child].parent == Some(team));
            children.filter_map(|child| self.quota(child)).reduce(|a, b| a + b)
        })
    }

    fn used(&self, running: u32) -> [u32; 2] {
        bits(running).fold([0; 2], |[gpu, cpu], job| {
            let [more_gpu, more_cpu] = self.jobs[job].asks;
            [gpu + more_gpu, cpu + more_cpu]
        })
    }

    fn fits(&self, running: u32, job: usize) -> bool {
        let used = self.used(running | 1 << job);
        used[0] <= self.capacity[0] && used[1] <= self.capacity[1]
    }

    fn is_below(&self, job: usize, team: usize) -> bool {
        self.path(self.jobs[job].team).contains(&team)
    }

    /// Whether a job within a team's quota beside those that are.
    fn within(&self, state: &State, team: usize, job: usize) -> bool {
        let Some(quota) = self.quota(team) else { return false };
        let beside =
            bits(state.running).filter(|other| *other != job && state.guaranteed[*other] >> team & 1 == 1);
        beside.map(|other| self.jobs[other].asks[0]).sum::<u32>() + self.jobs[job].asks[0] <= quota
    }

    fn start(&self, state: &State, job: usize) -> State {
        let mut next = state.clone();
        for team in self.path(self.jobs[job].team) {
            if self.within(state, team, job) {
                next.guaranteed[job] |= 1 << team;
            }
        }
        next.running |= 1 << job;
        next
    }

    /// Some jobs are gone; who gains by it is promoted, the highest class first, then in order of submission.
    fn stop(&self, state: &State, jobs: u32) -> State {
        let mut next = state.clone();
        next.running &= !jobs;
        bits(jobs).for_each(|job| next.guaranteed[job] = 0);
        let teams: BTreeSet<usize> = bits(jobs).flat_map(|job| self.path(self.jobs[job].team)).collect();
        let mut order: Vec<usize> = bits(next.running).collect();
        order.sort_by_key(|job| (-self.jobs[*job].class, *job));
        for team in teams {
            for job in &order {
                let promoted = next.guaranteed[*job] >> team & 1 == 0
                    && self.is_below(*job, team)
                    && self.within(&next, team, *job);
                next.guaranteed[*job] |= u32::from(promoted) << team;
            }
        }
        next
    }

    /// Shares of what a team holds from a class up, or guaranteed, over its weight, largest first.
    fn shares(&self, state: &State, team: usize, class: i32) -> Vec<(u64, u64)> {
        let counts = |job: &usize| {
            self.is_below(*job, team)
                && (state.guaranteed[*job] >> team & 1 == 1 || self.jobs[*job].class >= class)
        };
        let counted = bits(state.running).filter(counts).fold(0, |set, job| set | 1 << job);
        let used = self.used(counted);
        let mut shares: Vec<(u64, u64)> = (0..2)
            .filter(|kind| self.capacity[*kind] > 0)
            .map(|kind| {
                (u64::from(used[kind]), u64::from(self.capacity[kind]) * u64::from(self.teams[team].weight))
            })
            .collect();
        shares.sort_by(|a, b| (b.0 * a.1).cmp(&(a.0 * b.1)));
        shares
    }

    /// Whether a job may stop others and start in their room: R0 to R2, and nobody in vain.
    fn is_legal(&self, state: &State, job: usize, victims: u32) -> bool {
        let room = self.fits(state.running & !victims, job);
        if !room || bits(victims).any(|victim| self.fits(state.running & !victims | 1 << victim, job)) {
            return false;
        }
        let then = self.start(&self.stop(state, victims), job);
        let class = self.jobs[job].class;
        let mine = self.path(self.jobs[job].team);
        bits(victims).all(|victim| {
            let its = self.path(self.jobs[victim].team);
            let its_class = self.jobs[victim].class;
            if self.jobs[victim].team == self.jobs[job].team {
                return its_class < class;
            }
            // The last teams of the two paths, from the root down, that differ first.
            let shared = mine.iter().rev().zip(its.iter().rev()).take_while(|(a, b)| a == b).count();
            let (side, its_side) = (mine[mine.len() - 1 - shared], its[its.len() - 1 - shared]);
            if state.guaranteed[victim] >> its_side & 1 == 1 {
                return false;
            }
            if then.guaranteed[job] >> side & 1 == 1 {
                return true;
            }
            match its_class.cmp(&class) {
                Ordering::Less => true,
                Ordering::Greater => false,
                Ordering::Equal => {
                    let shares = |at: &State, team| self.shares(at, team, class);
                    let (new, last) = (shares(&then, side), shares(&then, its_side));
                    let (now, old) = (shares(state, side), shares(state, its_side));
                    match self.rule {
                        Rule::Model => compare(&new, &last) != Ordering::Greater,
                        Rule::CurrentShares => compare(&now, &old) == Ordering::Less,
                        Rule::FinalElseOld => {
                            compare(&new, &last) != Ordering::Greater || compare(&new, &old) == Ordering::Less
                        }
                    }
                }
            }
        })
    }

    /// All victims that a waiting job may stop.
    fn plans(&self, state: &State, job: usize) -> impl Iterator<Item = u32> {
        let all = state.running;
        let mut subset = all;
        let mut plans = Vec::new();
        while subset > 0 {
            if self.is_legal(state, job, subset) {
                plans.push(subset);
            }
            subset = (subset - 1) & all;
        }
        plans.into_iter()
    }

    fn waiting(&self, state: &State) -> impl Iterator<Item = usize> + use<> {
        let running = state.running;
        (0..self.jobs.len()).filter(move |job| running >> job & 1 == 0)
    }

    /// Every state that one start or one plan leads to.
    fn next(&self, state: &State, with_r3: bool) -> Vec<State> {
        let mut next = Vec::new();
        for job in self.waiting(state) {
            if self.fits(state.running, job) {
                next.push(self.start(state, job));
            }
            if with_r3 && state.stopped >> job & 1 == 1 {
                continue;
            }
            for victims in self.plans(state, job) {
                let mut then = self.start(&self.stop(state, victims), job);
                if with_r3 {
                    then.stopped |= victims;
                }
                next.push(then);
            }
        }
        next
    }

    /// The most steps from nothing running to where nothing more can be done; a circle fails.
    fn longest(&self, with_r3: bool) -> Result<usize, String> {
        let start = State { guaranteed: vec![0; self.jobs.len()], ..State::default() };
        let mut done: BTreeMap<State, usize> = BTreeMap::new();
        let mut open: BTreeSet<State> = BTreeSet::from([start.clone()]);
        let mut stack = vec![(start.clone(), self.next(&start, with_r3), 0_usize)];
        while let Some((state, next, longest)) = stack.last_mut() {
            let Some(child) = next.pop() else {
                let (state, longest) = (state.clone(), *longest);
                stack.pop();
                open.remove(&state);
                done.insert(state, longest);
                if let Some((_, _, above)) = stack.last_mut() {
                    *above = (*above).max(longest + 1);
                }
                continue;
            };
            if let Some(known) = done.get(&child) {
                *longest = (*longest).max(known + 1);
                continue;
            }
            if !open.insert(child.clone()) {
                return Err(format!("{child:?} comes back in {self:?}"));
            }
            let next = self.next(&child, with_r3);
            stack.push((child, next, 0));
        }
        Ok(done[&start])
    }
}

/// Plans that the crate took, and plans that were there when its cycle had ended.
#[derive(Default, Debug)]
struct Search {
    taken: usize,
    missed: usize,
}

/// Runs an instance on the crate: jobs come one by one, then the first of those that run ends, again and again.
fn run(instance: &Instance, search: &mut Search) {
    let pool = PoolSpec::new("p", 1, amounts(instance.capacity)).as_divisible();
    let team = |(index, team): (usize, &Team)| {
        let mut spec = TeamSpec::new(format!("t{index}"));
        spec.weight = Weight::new(u64::from(team.weight), 1).unwrap();
        spec.parent = team.parent.map(|parent| TeamId::new(u32::try_from(parent).unwrap()));
        let gpus = team.quota.map(|gpus| Quantity::new(u64::from(gpus) * 1_000));
        spec.quota.extend(gpus.map(|gpus| Allowance::new(PoolId::new(0), ResourceKind::GPU, gpus)));
        spec
    };
    let mut bounds = EvictionBounds::default();
    bounds.ratio_milli = None;
    let policy = PolicySpec::default().with_preemption(Preemption::Reclaim).with_bounds(bounds);
    let teams = instance.teams.iter().enumerate().map(team).collect();
    let mut scheduler = Scheduler::new(Config::new(vec![pool], teams).with_policy(policy)).unwrap();
    let mut state = State { guaranteed: vec![0; instance.jobs.len()], ..State::default() };
    let mut ids: BTreeMap<JobId, usize> = BTreeMap::new();
    let now = Timestamp::ZERO;
    for (number, job) in instance.jobs.iter().enumerate() {
        let shape = ShapeSpec::new(Alternative::new(amounts(job.asks))).with_class(job.class);
        let shape = scheduler.intern(&shape).unwrap();
        let spec = JobSpec::new(TeamId::new(u32::try_from(job.team).unwrap()), shape, now);
        let Submission::Queued(id) = scheduler.submit(now, spec).unwrap() else { panic!("it fits") };
        ids.insert(id, number);
        cycle(instance, &mut scheduler, &ids, &mut state, search);
    }
    while let Some(first) = bits(state.running).next() {
        let id = *ids.iter().find(|(_, number)| **number == first).unwrap().0;
        scheduler.complete(now, id).unwrap();
        ids.remove(&id);
        state = instance.stop(&state, 1 << first);
        cycle(instance, &mut scheduler, &ids, &mut state, search);
    }
    assert!(ids.is_empty(), "{} jobs never start in {instance:?}", ids.len());
}

fn amounts([gpu, cpu]: [u32; 2]) -> Resources {
    Resources::new().gpu(u64::from(gpu)).cpu(u64::from(cpu))
}

/// One cycle of the crate, each step checked; then one more, which decides nothing.
fn cycle(
    instance: &Instance,
    scheduler: &mut Scheduler,
    ids: &BTreeMap<JobId, usize>,
    state: &mut State,
    search: &mut Search,
) {
    state.stopped = 0;
    let mut victims = 0;
    for decision in scheduler.schedule(Timestamp::ZERO).unwrap().to_vec() {
        match decision {
            Decision::Evict { job, .. } => victims |= 1 << ids[&job],
            Decision::Start { job, .. } => {
                let job = ids[&job];
                if victims > 0 {
                    assert!(
                        instance.is_legal(state, job, victims),
                        "{job} stops {victims:b} of {state:?} in {instance:?}"
                    );
                    assert_eq!(state.stopped >> job & 1, 0, "{job} was stopped itself, in {instance:?}");
                    search.taken += 1;
                }
                *state = instance.start(&instance.stop(state, victims), job);
                state.stopped |= victims;
                victims = 0;
            }
            _ => unreachable!("no other decision exists"),
        }
    }
    assert_eq!(scheduler.schedule(Timestamp::ZERO).unwrap(), [], "a steady state of {instance:?}");
    let alive: BTreeSet<usize> = ids.values().copied().collect();
    // The first of each line: of its team, class and shape.
    let mut lines = BTreeSet::new();
    for job in instance.waiting(state).filter(|job| alive.contains(job)) {
        let is_first = lines.insert(instance.jobs[job]);
        assert!(!instance.fits(state.running, job), "{job} waits although it fits, in {instance:?}");
        if is_first && state.stopped >> job & 1 == 0 {
            search.missed += usize::from(instance.plans(state, job).next().is_some());
        }
    }
}

/// Everything there is of a number of jobs over some kinds of job, in every order up to that of equal ones: the order of
/// submission matters.
fn sequences(kinds: &[Job], jobs: usize, each: &mut dyn FnMut(&[Job])) {
    fn extend(kinds: &[Job], jobs: usize, chosen: &mut Vec<Job>, each: &mut dyn FnMut(&[Job])) {
        if chosen.len() == jobs {
            each(chosen);
            return;
        }
        for kind in kinds {
            chosen.push(*kind);
            extend(kinds, jobs, chosen, each);
            chosen.pop();
        }
    }
    extend(kinds, jobs, &mut Vec::new(), each);
}

fn team(parent: Option<usize>, weight: u32, quota: Option<u32>) -> Team {
    Team { parent, weight, quota }
}

/// Trees of two or three teams with jobs: flat, weighted, with a quota, and one above two.
fn forests() -> Vec<(Vec<Team>, Vec<usize>)> {
    vec![
        (vec![team(None, 1, None), team(None, 1, None)], vec![0, 1]),
        (vec![team(None, 2, None), team(None, 1, None)], vec![0, 1]),
        (vec![team(None, 1, Some(2)), team(None, 1, None)], vec![0, 1]),
        (vec![team(None, 1, None), team(None, 1, None), team(None, 1, None)], vec![0, 1, 2]),
        (
            vec![team(None, 1, None), team(Some(0), 1, None), team(Some(0), 1, None), team(None, 1, None)],
            vec![1, 2, 3],
        ),
        (
            vec![
                team(None, 1, Some(2)),
                team(Some(0), 1, Some(1)),
                team(Some(0), 1, None),
                team(None, 1, Some(1)),
            ],
            vec![1, 2, 3],
        ),
    ]
}

/// Multisets of at most five jobs, sizes up to a pool of four.
fn small_instances(each: &mut dyn FnMut(&Instance)) {
    for (teams, leaves) in forests() {
        let mut kinds = Vec::new();
        for team in &leaves {
            kinds.extend([1, 2, 3, 4].map(|gpus| Job { team: *team, asks: [gpus, 0], class: 0 }));
        }
        for jobs in 2..=5 {
            sequences(&kinds, jobs, &mut |chosen| {
                // Every state is reached whatever the order, so that one order of each multiset is enough.
                if chosen.is_sorted() {
                    let (teams, jobs) = (teams.clone(), chosen.to_vec());
                    each(&Instance { rule: Rule::Model, capacity: [4, 0], teams, jobs });
                }
            });
        }
        let mut kinds = Vec::new();
        for (team, class) in leaves.iter().flat_map(|team| [(*team, 0), (*team, 1)]) {
            kinds.extend([1, 2, 3].map(|gpus| Job { team, asks: [gpus, 0], class }));
        }
        for jobs in 2..=3 {
            sequences(&kinds, jobs, &mut |chosen| {
                let (teams, jobs) = (teams.clone(), chosen.to_vec());
                each(&Instance { rule: Rule::Model, capacity: [3, 0], teams, jobs });
            });
        }
    }
}

#[test]
fn no_order_of_legal_plans_goes_in_a_circle() {
    let (mut instances, mut longest) = (0, 0);
    small_instances(&mut |instance| {
        // Among siblings without quotas the rules alone end; anywhere they do where who was stopped stops nobody.
        if instance.is_flat_without_quotas() {
            instance.longest(false).unwrap_or_else(|circle| panic!("{circle}"));
        }
        longest = longest.max(instance.longest(true).unwrap_or_else(|circle| panic!("{circle}")));
        instances += 1;
    });
    println!("{instances} instances, at most {longest} steps");
    assert!(instances > 10_000 && longest > 5, "{instances} instances, {longest} steps");
}

#[test]
fn every_plan_is_legal_and_few_are_missed() {
    let (mut search, mut instances) = (Search::default(), 0);
    small_instances(&mut |instance| {
        run(instance, &mut search);
        instances += 1;
    });
    println!("{instances} instances: {search:?}");
    assert!(search.taken > 5_000, "{search:?}");
    assert_eq!(search.missed, 0, "{search:?}");
}

#[test]
fn of_random_plans_few_are_missed() {
    let mut runner = TestRunner::deterministic();
    let mut search = Search::default();
    for _ in 0..2_000 {
        let instance = with_lawful_quotas(instance().new_tree(&mut runner).unwrap().current());
        run(&instance, &mut search);
    }
    println!("random instances: {search:?}");
    assert!(search.taken > 500, "{search:?}");
    // Two resources, quotas and trees: of a hundred plans that exist when a cycle ends, the search misses two at most.
    assert!(search.missed * 50 < search.taken, "{search:?}");
}

#[test]
fn quotas_need_the_rule_that_who_was_stopped_stops_nobody() {
    // b's large job gives way to a's by shares, comes back by its class in place of b's small one, which comes back by its
    // quota in place of a's.
    let teams = vec![team(None, 3, None), team(None, 1, Some(1))];
    let job = |team, gpus, class| Job { team, asks: [gpus, 0], class };
    let jobs = vec![job(0, 2, 1), job(1, 4, 1), job(1, 1, 0)];
    let instance = Instance { rule: Rule::Model, capacity: [6, 0], teams, jobs };
    assert!(instance.longest(false).unwrap_err().contains("comes back"));
    assert!(instance.longest(true).unwrap() > 2);
    run(&instance, &mut Search::default());
}

fn instance() -> impl Strategy<Value = Instance> {
    let teams = vec((prop::option::of(0_usize..4), 1_u32..=3, prop::option::weighted(0.4, 0_u32..=3)), 2..=5);
    let jobs = vec((0_usize..5, 0_u32..=6, 0_u32..=6, 0_i32..=1), 3..=6);
    (4_u32..=8, 0_u32..=8, teams, jobs).prop_filter_map("jobs that never fit", |(gpu, cpu, teams, jobs)| {
        let teams: Vec<Team> = teams
            .into_iter()
            .enumerate()
            .map(|(index, (parent, weight, quota))| {
                // Only teams without a parent above them may have one, so that quotas add up.
                team(parent.filter(|parent| *parent < index), weight, quota)
            })
            .collect();
        let has_child = |team: usize| teams.iter().any(|other| other.parent == Some(team));
        let leaves: Vec<usize> = (0..teams.len()).filter(|team| !has_child(*team)).collect();
        let jobs: Vec<Job> = jobs
            .into_iter()
            .map(|(team, gpus, cores, class)| {
                let asks = [gpus.min(gpu), cores.min(cpu)];
                Job { team: leaves[team % leaves.len()], asks, class }
            })
            .filter(|job| job.asks != [0, 0])
            .collect();
        (jobs.len() > 1).then_some(Instance { rule: Rule::Model, capacity: [gpu, cpu], teams, jobs })
    })
}

/// Quotas that the crate refuses are taken away.
fn with_lawful_quotas(mut instance: Instance) -> Instance {
    let sums = |instance: &Instance, parent: Option<usize>| {
        let below = (0..instance.teams.len()).filter(|team| instance.teams[*team].parent == parent);
        below.filter_map(|team| instance.quota(team)).sum::<u32>()
    };
    let lawful = (0..instance.teams.len())
        .all(|team| instance.quota(team).is_none_or(|quota| sums(&instance, Some(team)) <= quota))
        && sums(&instance, None) <= instance.capacity[0];
    if !lawful {
        instance.teams.iter_mut().for_each(|team| team.quota = None);
    }
    instance
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2 * ProptestConfig::default().cases, ..ProptestConfig::default() })]

    #[test]
    fn no_random_instance_goes_in_a_circle(instance in instance()) {
        let instance = with_lawful_quotas(instance);
        if instance.is_flat_without_quotas() {
            instance.longest(false).unwrap();
        }
        instance.longest(true).unwrap();
        run(&instance, &mut Search::default());
    }
}

#[test]
fn the_two_published_loops_end_under_these_rules() {
    let teams = vec![team(None, 1, None), team(None, 1, None)];
    let job = |team, gpus| Job { team, asks: [gpus, 0], class: 0 };
    let two_rules = vec![job(0, 7), job(1, 1), job(1, 5), job(1, 4)];
    let by_current_shares = vec![job(0, 11), job(1, 11)];
    for jobs in [two_rules, by_current_shares] {
        let instance = Instance { rule: Rule::Model, capacity: [12, 0], teams: teams.clone(), jobs };
        instance.longest(false).unwrap();
        run(&instance, &mut Search::default());
    }
}

#[test]
fn the_two_published_loops_are_loops_under_their_own_rules() {
    let teams = vec![team(None, 1, None), team(None, 1, None)];
    let job = |team, gpus| Job { team, asks: [gpus, 0], class: 0 };
    let two_rules = vec![job(0, 7), job(1, 1), job(1, 5), job(1, 4)];
    let by_current_shares = vec![job(0, 11), job(1, 11)];
    for (rule, jobs) in [(Rule::FinalElseOld, two_rules), (Rule::CurrentShares, by_current_shares)] {
        let instance = Instance { rule, capacity: [12, 0], teams: teams.clone(), jobs };
        assert!(instance.longest(false).unwrap_err().contains("comes back"), "{rule:?}");
    }
}
