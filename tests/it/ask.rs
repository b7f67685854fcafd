//! What is asked of random states: the largest size that may start, against one trial after the other, and what is in the
//! way of a job that has room, against what happens without it.

use std::collections::BTreeSet;

use fairshare::{
    Allowance, Alternative, Backfill, Config, Decision, EvictionBounds, FactorWeights, JobId, JobSpec,
    Millis, Need, NodeId, OrderName, Placed, PolicySpec, PoolId, PoolSpec, Preemption, Quantity, Remedy,
    ResourceKind, Resources, Scheduler, ShapeId, ShapeSpec, Size, Submission, TeamId, TeamSpec, Timestamp,
    Verdict, Weight,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config as RunnerConfig, TestRunner};

use crate::lived::{live, submit};
use crate::strategy::{Case, case, node_by_node};

/// A scheduler that has lived through a case, and the time; its last cycle has just ended.
fn lived(case: &Case) -> (Scheduler, Timestamp) {
    let (mut scheduler, now) = live(case, case.ops.len());
    scheduler.schedule(now).unwrap();
    (scheduler, now)
}

/// No size beyond is tried one by one.
const SIZES: u64 = 24;

/// An alternative at a size of the kind that another has.
fn sized(one: &Alternative, size: u64) -> Alternative {
    let gpus = one.request[ResourceKind::GPU].get();
    if one.workers == 1 && gpus > 0 && gpus.is_multiple_of(1_000) {
        let mut sized = one.clone();
        sized.request = sized.request.with(ResourceKind::GPU, Quantity::new(size * 1_000));
        return sized;
    }
    one.clone().with_workers(u32::try_from(size).unwrap())
}

/// The sizes, of those that are tried, at which an alternative alone starts and stops nobody.
fn by_trials(
    scheduler: &Scheduler,
    now: Timestamp,
    job: JobSpec,
    shape: &ShapeSpec,
    one: &Alternative,
) -> Vec<u64> {
    let starts = |size: &u64| {
        let mut alone = shape.clone();
        alone.alternatives = vec![sized(one, *size)];
        let found = scheduler.can_admit(now, job, &alone).unwrap();
        matches!(found.verdict, Verdict::Starts { .. }) && found.victims.is_empty()
    };
    (1..=SIZES).filter(starts).collect()
}

#[derive(Default, Debug)]
struct Seen {
    /// Answers with a size, by how it is told, and of another alternative than the first.
    workers: u32,
    gpus: u32,
    second: u32,
    nothing: u32,
    /// Remedies by what they say.
    turn: u32,
    several: u32,
    wait: u32,
    nodes: u32,
    /// Answers with a size below another that would start as well.
    larger: u32,
}

fn check_largest(case: &Case, seen: &mut Seen) {
    if case.config.policy.order == OrderName::Multifactor {
        // A larger job may come first there.
        return;
    }
    // Of a larger job a reservation may be taken for it, and it may be protected by the ratio.
    let policy = &case.config.policy;
    let is_monotone = policy.preemption == Preemption::None
        && matches!(policy.backfill, Backfill::None | Backfill::BestEffort);
    let (scheduler, now) = lived(case);
    for (at, shape) in case.shapes.iter().take(2).enumerate() {
        let team = TeamId::new(u32::try_from(at % case.config.teams.len()).unwrap());
        let job = JobSpec::new(team, ShapeId::new(0), now).with_time_limit(Millis::new(3));
        let found = scheduler.can_admit(now, job, shape).unwrap();
        let largest = match found.largest {
            Some(Size::Workers(workers)) => u64::from(workers),
            Some(Size::Gpus(gpus)) => gpus,
            Some(other) => panic!("no other size exists: {other:?}"),
            None => 0,
        };
        let mut best = (0, Vec::new());
        for (which, one) in shape.alternatives.iter().enumerate() {
            let starts_by = match found.verdict {
                Verdict::Starts { alternative, .. } => alternative as usize,
                _ => which,
            };
            if starts_by == which && best.1.is_empty() {
                best = (which, by_trials(&scheduler, now, job, shape, one));
            }
        }
        let case = format!("{largest} of alternative {} of {shape:?}: {:?}", best.0, found.verdict);
        let starts = |size| size > SIZES || best.1.contains(&size);
        assert!(largest == 0 || starts(largest), "{case}");
        assert!(largest >= SIZES || !starts(largest + 1), "{case}");
        if best.1.last().is_some_and(|last| *last > largest) {
            assert!(!is_monotone, "{:?} starts, {case}", best.1);
            seen.larger += 1;
        }
        seen.workers += u32::from(matches!(found.largest, Some(Size::Workers(_))));
        seen.gpus += u32::from(matches!(found.largest, Some(Size::Gpus(_))));
        seen.second += u32::from(largest > 0 && best.0 > 0);
        seen.nothing += u32::from(largest == 0);
    }
}

/// Whether a job starts, before anybody is stopped, once so many of the others for its pools are gone, but for one that is
/// served beside it, after a while, with so many more nodes up.
fn starts(
    scheduler: &Scheduler,
    (job, beside): (JobId, Option<JobId>),
    without: usize,
    at: Timestamp,
    more: Option<(PoolId, u64)>,
) -> bool {
    let pools = |job: JobId| -> BTreeSet<PoolId> {
        scheduler.explain(job).unwrap().asked.iter().map(|asked| asked.pool).collect()
    };
    let own = pools(job);
    let mut then = scheduler.clone();
    // Where each team has a line of its own that nothing may pass, whoever of it stands before the job may be in its way too.
    let policy = scheduler.config().policy;
    let orders = [OrderName::Drf, OrderName::DrfCurrent, OrderName::Hdrf, OrderName::Static];
    let in_lines = policy.backfill == Backfill::None && orders.contains(&policy.order);
    let waiting = scheduler.snapshot().waiting;
    let team = |job: JobId| waiting.iter().find(|known| known.job == job).unwrap().spec.team;
    let queue = scheduler.queue();
    let place = |job: JobId| queue.iter().position(|other| *other == job);
    let stands_before = |other: JobId| in_lines && team(other) == team(job) && place(other) < place(job);
    let others = queue.iter().copied().filter(|other| *other != job && Some(*other) != beside);
    let others = others.filter(|other| !pools(*other).is_disjoint(&own) || stands_before(*other));
    for other in others.take(without) {
        then.cancel(at, other).unwrap();
    }
    if let Some((pool, more)) = more {
        bring_up(&mut then, at, pool, more);
    }
    let decided = then.schedule(at).unwrap().iter();
    let mut before = decided.take_while(|decided| !matches!(decided, Decision::Evict { .. }));
    before.any(|decided| matches!(decided, Decision::Start { job: id, .. } if *id == job))
}

/// The first of the nodes that are down come up.
pub(crate) fn bring_up(scheduler: &mut Scheduler, at: Timestamp, pool: PoolId, more: u64) {
    let snapshot = scheduler.snapshot();
    let (spec, known) = (&snapshot.config.pools[pool.index()], &snapshot.pools[pool.index()]);
    if spec.divisible {
        scheduler.set_capacity(at, pool, known.nodes_up + u32::try_from(more).unwrap()).unwrap();
        return;
    }
    let is_down = |node: &NodeId| (node.index() < known.nodes_up as usize) == known.exceptions.contains(node);
    let down = (0..spec.nodes).map(NodeId::new).filter(is_down);
    for node in down.take(usize::try_from(more).unwrap()) {
        scheduler.set_node(at, pool, node, true).unwrap();
    }
}

fn check_turns(case: &Case, seen: &mut Seen) {
    let (scheduler, now) = lived(case);
    for job in scheduler.queue().into_iter().take(4) {
        let remedies = scheduler.remedies(job).unwrap();
        let all = |wanted: fn(&Need) -> bool| remedies.iter().all(|remedy| remedy.needs.iter().any(wanted));
        let on_nodes = all(|need| matches!(need, Need::Nodes { .. }));
        for Remedy { pool, needs, beside, .. } in &remedies {
            assert!(!needs.is_empty(), "job {job} is said to need nothing, and a cycle has passed it over");
            let [need] = needs[..] else { continue };
            let amount = need.amount().get();
            let after = |wait: u64| Timestamp::from_millis(now.as_millis() + i64::try_from(wait).unwrap());
            // Whether it starts with so much of what it needs, when it is its turn.
            let with = |amount: u64| match need {
                Need::Turn { .. } => {
                    starts(&scheduler, (job, *beside), usize::try_from(amount).unwrap(), now, None)
                }
                Need::Wait { .. } => starts(&scheduler, (job, *beside), usize::MAX, after(amount), None),
                Need::Nodes { .. } => {
                    starts(&scheduler, (job, *beside), usize::MAX, now, Some((*pool, amount)))
                }
                _ => panic!("{need:?}"),
            };
            match need {
                Need::Turn { .. } => {
                    seen.turn += 1;
                    seen.several += u32::from(amount > 1);
                }
                Need::Wait { .. } => seen.wait += 1,
                Need::Nodes { .. } => seen.nodes += 1,
                _ => continue,
            }
            assert!(with(amount), "not enough for job {job}: {need:?}");
            // By another way to run it may have enough without more nodes, and wait for its turn there.
            if on_nodes || !matches!(need, Need::Nodes { .. }) {
                assert!(!with(amount - 1), "too much by one for job {job}: {need:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.min(128), ..ProptestConfig::default() })]

    #[test]
    fn the_largest_size_is_that_of_one_trial_after_the_other(case in case()) {
        check_largest(&case, &mut Seen::default());
    }

    #[test]
    fn without_what_is_in_its_way_a_job_starts(case in case()) {
        check_turns(&case, &mut Seen::default());
    }

    #[test]
    fn so_it_does_where_nodes_are_down_before_others(case in node_by_node()) {
        check_turns(&case, &mut Seen::default());
    }
}

#[test]
fn generated_cases_ask_of_every_kind() {
    let mut runner = TestRunner::deterministic();
    let cases = RunnerConfig::default().cases.max(256);
    let mut seen = Seen::default();
    for _ in 0..cases {
        let case = case().new_tree(&mut runner).unwrap().current();
        check_largest(&case, &mut seen);
        check_turns(&case, &mut seen);
    }
    println!("of {cases}: {seen:?}");
    let Seen { workers, gpus, second, nothing, turn, several, wait, nodes, larger } = seen;
    for count in [workers, gpus, second, nothing, turn, 2 * several, nodes] {
        assert!(count * 50 >= cases, "{seen:?}");
    }
    assert!(wait > 0, "{seen:?}");
    assert!(larger * 100 <= cases, "{seen:?}");
}

/// A pool of GPUs one by one, and a shape of so many.
fn gpus(count: u64) -> Resources {
    Resources::new().gpu(count)
}

fn asks(scheduler: &Scheduler, shape: &ShapeSpec) -> Option<Size> {
    let job = JobSpec::new(TeamId::new(0), ShapeId::new(0), Timestamp::ZERO);
    scheduler.can_admit(Timestamp::ZERO, job, shape).unwrap().largest
}

#[test]
fn the_largest_size_reads_the_same_data_sets() {
    let near = PoolSpec::new("near", 1, gpus(8)).with_datasets(["web"]);
    let pools = vec![near, PoolSpec::new("far", 1, gpus(8))];
    let mut scheduler = Scheduler::new(Config::new(pools, vec![TeamSpec::new("a")])).unwrap();
    let seven = Alternative::new(gpus(7)).in_pools(vec![PoolId::new(0)]);
    let seven = scheduler.intern(&ShapeSpec::new(seven)).unwrap();
    let job = JobSpec::new(TeamId::new(0), seven, Timestamp::ZERO);
    assert!(matches!(scheduler.submit(Timestamp::ZERO, job).unwrap(), Submission::Queued(_)));
    scheduler.schedule(Timestamp::ZERO).unwrap();
    let reads = ShapeSpec::new(Alternative::new(gpus(1))).reading(["web"]);
    assert_eq!(asks(&scheduler, &reads), Some(Size::Gpus(1)));
    assert_eq!(asks(&scheduler, &reads.or_remotely()), Some(Size::Gpus(8)));
}

#[test]
fn parts_of_gpus_are_counted_by_workers() {
    let pool = PoolSpec::new("p", 1, gpus(1));
    let mut scheduler = Scheduler::new(Config::new(vec![pool], vec![TeamSpec::new("a")])).unwrap();
    let part = |milli| {
        ShapeSpec::new(Alternative::new(Resources::new().with(ResourceKind::GPU, Quantity::new(milli))))
    };
    let half = scheduler.intern(&part(500)).unwrap();
    let job = JobSpec::new(TeamId::new(0), half, Timestamp::ZERO);
    assert!(matches!(scheduler.submit(Timestamp::ZERO, job).unwrap(), Submission::Queued(_)));
    scheduler.schedule(Timestamp::ZERO).unwrap();
    assert_eq!(asks(&scheduler, &part(250)), Some(Size::Workers(2)));
}

#[test]
fn a_small_job_in_a_large_pool_is_sized_in_few_trials() {
    let pool = PoolSpec::new("p", 1_000, Resources::new().cpu(64)).as_divisible();
    let scheduler = Scheduler::new(Config::new(vec![pool], vec![TeamSpec::new("a")])).unwrap();
    let tenth = Resources::new().with(ResourceKind::CPU, Quantity::new(10));
    assert_eq!(asks(&scheduler, &ShapeSpec::new(Alternative::new(tenth))), Some(Size::Workers(6_400_000)));
}

#[test]
fn during_a_back_off_what_else_is_in_the_way_is_told() {
    let quota = || vec![Allowance::new(PoolId::new(0), ResourceKind::GPU, Quantity::new(1_000))];
    let mut teams = vec![TeamSpec::new("a"), TeamSpec::new("b")];
    for team in &mut teams {
        team.quota = quota();
    }
    teams[1].weight = Weight::new(2, 1).unwrap();
    let mut bounds = EvictionBounds::default();
    bounds.back_off = Millis::new(3_600_000);
    let policy = PolicySpec::default().with_preemption(Preemption::Reclaim).with_bounds(bounds);
    let config = Config::new(vec![PoolSpec::new("p", 1, gpus(2))], teams).with_policy(policy);
    let mut scheduler = Scheduler::new(config).unwrap();
    let one = ShapeSpec::new(Alternative::new(gpus(1)));
    let _ = submit(&mut scheduler, 0, &one, Timestamp::ZERO);
    let stopped = submit(&mut scheduler, 0, &one, Timestamp::ZERO);
    scheduler.schedule(Timestamp::ZERO).unwrap();
    let later = Timestamp::from_millis(1_000);
    let _ = submit(&mut scheduler, 1, &one, later);
    scheduler.schedule(later).unwrap();
    let reasons = scheduler.explain(stopped).unwrap().reasons(&|job| job.to_string());
    let back_off = "it was stopped for another team's job, and may run beyond the quota from 3601 s on";
    assert_eq!(reasons, [back_off, "pool `p`: the job asks 1 gpu, the pool has 0 free"]);
    let remedies: Vec<String> =
        scheduler.remedies(stopped).unwrap().iter().map(ToString::to_string).collect();
    let needs = "pool `p`: 1 gpu more free on node 0, 3600 s until it may run beyond the quota again";
    assert_eq!(remedies, [needs]);
    // Others of its team stand in line, and lose to another team; it does not take part.
    let _ = submit(&mut scheduler, 1, &one, later);
    let next = submit(&mut scheduler, 0, &one, later);
    let told = [stopped, next].map(|job| scheduler.explain(job).unwrap().lost.map(|lost| lost.team));
    assert_eq!(told, [None, Some(TeamId::new(1))]);
}

/// A large job loses to many small ones, each of which moves its team less, and is first again by what is held then.
#[test]
fn what_was_lost_by_the_keys_after_the_grant_is_told() {
    let pool = PoolSpec::new("p", 14, gpus(1)).as_divisible();
    let teams = vec![TeamSpec::new("a"), TeamSpec::new("b")];
    let mut scheduler = Scheduler::new(Config::new(vec![pool], teams)).unwrap();
    let one = ShapeSpec::new(Alternative::new(gpus(1)));
    for _ in 0..4 {
        let _ = submit(&mut scheduler, 1, &one, Timestamp::ZERO);
    }
    scheduler.schedule(Timestamp::ZERO).unwrap();
    let later = Timestamp::from_millis(1);
    let large = submit(&mut scheduler, 0, &ShapeSpec::new(Alternative::new(gpus(10))), later);
    let small: Vec<JobId> = (0..20).map(|_| submit(&mut scheduler, 1, &one, later)).collect();
    assert_eq!(scheduler.schedule(later).unwrap().len(), 10);
    let lost = scheduler.explain(large).unwrap().lost.unwrap();
    assert_eq!((lost.to, lost.team, lost.own_team), (small[0], TeamId::new(1), TeamId::new(0)));
    let keys = [lost.key.dominant().to_string(), lost.own_key.dominant().to_string()];
    assert_eq!(keys, ["5/14", "5/7"]);
    assert!(lost.after_grant);
}

/// One GPU is free on each of two nodes, which is no room for a worker that asks two.
#[test]
fn nothing_was_lost_where_there_was_no_room() {
    let teams = ["a", "b", "c"].map(TeamSpec::new).to_vec();
    let mut scheduler = Scheduler::new(Config::new(vec![PoolSpec::new("p", 2, gpus(2))], teams)).unwrap();
    let spread = JobSpec::new(
        TeamId::new(2),
        scheduler.intern(&ShapeSpec::new(Alternative::new(gpus(1)).with_workers(2))).unwrap(),
        Timestamp::ZERO,
    );
    let nodes = vec![(NodeId::new(0), 1), (NodeId::new(1), 1)];
    let placed = Placed::new(PoolId::new(0), Timestamp::ZERO).on_nodes(nodes);
    scheduler.adopt(Timestamp::ZERO, spread, &placed).unwrap();
    let wide = submit(&mut scheduler, 0, &ShapeSpec::new(Alternative::new(gpus(2))), Timestamp::ZERO);
    let small = submit(&mut scheduler, 1, &ShapeSpec::new(Alternative::new(gpus(1))), Timestamp::ZERO);
    let started = scheduler.schedule(Timestamp::ZERO).unwrap().to_vec();
    assert!(matches!(started[..], [Decision::Start { job, .. }] if job == small), "{started:?}");
    assert_eq!(scheduler.explain(wide).unwrap().lost, None);
}

/// What is free now is not what was free in the cycle once anything has happened, and who comes later was not in it.
#[test]
fn what_was_lost_is_told_until_something_happens() {
    let teams = vec![TeamSpec::new("a"), TeamSpec::new("b")];
    let mut scheduler = Scheduler::new(Config::new(vec![PoolSpec::new("p", 1, gpus(4))], teams)).unwrap();
    let [one, four] = [1, 4].map(|amount| ShapeSpec::new(Alternative::new(gpus(amount))));
    let large = submit(&mut scheduler, 0, &four, Timestamp::ZERO);
    let small = submit(&mut scheduler, 1, &one, Timestamp::ZERO);
    let other = submit(&mut scheduler, 1, &one, Timestamp::ZERO);
    scheduler.schedule(Timestamp::ZERO).unwrap();
    let lost = |scheduler: &Scheduler, job| scheduler.explain(job).unwrap().lost.map(|lost| lost.to);
    assert_eq!(lost(&scheduler, large), Some(small));
    scheduler.cancel(Timestamp::ZERO, large).unwrap();
    let late = submit(&mut scheduler, 0, &four, Timestamp::ZERO);
    assert_eq!(lost(&scheduler, late), None, "it came after the cycle");
    scheduler.complete(Timestamp::ZERO, other).unwrap();
    assert_eq!(lost(&scheduler, late), None);
    scheduler.schedule(Timestamp::ZERO).unwrap();
    assert_eq!(lost(&scheduler, late), None, "nobody started in this cycle");
}

/// Where nothing may pass the first job of a team, the second did not lose by keys.
#[test]
fn who_stands_behind_another_of_its_team_lost_to_nobody_else() {
    for (backfill, is_told) in [(Backfill::None, false), (Backfill::BestEffort, true)] {
        let pools = vec![PoolSpec::new("p", 1, gpus(4)), PoolSpec::new("q", 1, gpus(2))];
        let policy = PolicySpec::new(OrderName::Drf).with_backfill(backfill);
        let config = Config::new(pools, ["a", "b", "c"].map(TeamSpec::new).to_vec()).with_policy(policy);
        let mut scheduler = Scheduler::new(config).unwrap();
        let queue = |scheduler: &mut Scheduler, team: u32, amount: u64, pool: u32| {
            let shape = ShapeSpec::new(Alternative::new(gpus(amount)).in_pools(vec![PoolId::new(pool)]));
            submit(scheduler, team, &shape, Timestamp::ZERO)
        };
        let _ = queue(&mut scheduler, 2, 2, 1);
        scheduler.schedule(Timestamp::ZERO).unwrap();
        let _ = queue(&mut scheduler, 0, 2, 1);
        let second = queue(&mut scheduler, 0, 4, 0);
        let _ = queue(&mut scheduler, 1, 1, 0);
        assert_eq!(scheduler.schedule(Timestamp::ZERO).unwrap().len(), 1);
        assert_eq!(scheduler.explain(second).unwrap().lost.is_some(), is_told, "{backfill:?}");
    }
}

/// A quota comes before any key.
#[test]
fn what_started_within_a_quota_came_first_by_no_key() {
    let mut teams = vec![TeamSpec::new("a"), TeamSpec::new("b")];
    let quota = Allowance::new(PoolId::new(0), ResourceKind::GPU, Quantity::new(1_000));
    for (quotas, expected) in [(vec![], true), (vec![quota], false)] {
        teams[1].quota = quotas;
        let pool = PoolSpec::new("p", 1, gpus(4));
        let mut scheduler = Scheduler::new(Config::new(vec![pool], teams.clone())).unwrap();
        let [one, four] = [1, 4].map(|amount| ShapeSpec::new(Alternative::new(gpus(amount))));
        let large = submit(&mut scheduler, 0, &four, Timestamp::ZERO);
        let _ = submit(&mut scheduler, 1, &one, Timestamp::ZERO);
        scheduler.schedule(Timestamp::ZERO).unwrap();
        assert_eq!(scheduler.explain(large).unwrap().lost.is_some(), expected);
    }
}

#[test]
fn nodes_that_are_down_are_asked_for() {
    let pool = PoolSpec::new("p", 3, gpus(2));
    let mut scheduler = Scheduler::new(Config::new(vec![pool], vec![TeamSpec::new("a")])).unwrap();
    scheduler.set_capacity(Timestamp::ZERO, PoolId::new(0), 1).unwrap();
    let gang = ShapeSpec::new(Alternative::new(gpus(2)).with_workers(2));
    let job = submit(&mut scheduler, 0, &gang, Timestamp::ZERO);
    scheduler.schedule(Timestamp::ZERO).unwrap();
    let remedies = scheduler.remedies(job).unwrap();
    assert_eq!(remedies.iter().map(ToString::to_string).collect::<Vec<_>>(), ["pool `p`: one node more up"]);
}

/// Each amount is looked at on its own node: of all the nodes at every amount this would not end in a minute.
#[test]
fn a_gang_of_a_whole_large_pool_is_told_what_it_needs() {
    let nodes = 1 << 16;
    let pool = PoolSpec::new("p", nodes, gpus(2));
    let mut scheduler = Scheduler::new(Config::new(vec![pool], vec![TeamSpec::new("a")])).unwrap();
    let gang = ShapeSpec::new(Alternative::new(gpus(2)).with_workers(nodes));
    let _ = submit(&mut scheduler, 0, &gang, Timestamp::ZERO);
    let second = submit(&mut scheduler, 0, &gang, Timestamp::ZERO);
    scheduler.schedule(Timestamp::ZERO).unwrap();
    let remedies = scheduler.remedies(second).unwrap();
    assert_eq!(remedies.len(), 1);
    assert_eq!(remedies[0].needs.len(), nodes as usize);
    assert!(remedies[0].needs.iter().all(|need| need.amount() == Quantity::new(2_000)));
}

/// More room in one pool helps a job in another when it takes the one there before it away. With less of that room fewer are in
/// the way: the first of the other team cannot take one GPU, as it could two.
#[test]
fn with_less_room_fewer_must_be_gone() {
    let mut p = PoolSpec::new("p", 2, Resources::new().gpu(1));
    p.divisible = true;
    let q = PoolSpec::new("q", 1, Resources::new().gpu(3));
    let [in_p, in_q] = [0, 1].map(|pool| vec![PoolId::new(pool)]);
    let policy = PolicySpec::default().with_backfill(Backfill::Easy);
    let teams = ["a", "c", "f"].map(TeamSpec::new).into();
    let mut scheduler = Scheduler::new(Config::new(vec![p, q], teams).with_policy(policy)).unwrap();
    let gpus = |gpus| Alternative::new(Resources::new().gpu(gpus));
    let p_two = ShapeSpec::new(gpus(2).in_pools(in_p.clone()));
    let q_one = ShapeSpec::new(gpus(1).in_pools(in_q.clone()));
    let either = ShapeSpec::new(gpus(1).in_pools(in_p)).or(gpus(3).in_pools(in_q));
    let two = ShapeSpec::new(gpus(2));
    let mut submit = |team, shape: &ShapeSpec, limit| {
        let mut job = JobSpec::new(TeamId::new(team), scheduler.intern(shape).unwrap(), Timestamp::ZERO);
        job.time_limit = limit;
        let Submission::Queued(job) = scheduler.submit(Timestamp::ZERO, job).unwrap() else { panic!("fits") };
        scheduler.schedule(Timestamp::ZERO).unwrap();
        job
    };
    submit(2, &p_two, None);
    submit(2, &q_one, Some(Millis::new(10_000)));
    submit(0, &p_two, None);
    submit(0, &either, None);
    let job = submit(1, &two, None);
    let remedies: Vec<String> = scheduler.remedies(job).unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(
        remedies,
        ["pool `p`: 1 gpu more free", "pool `q`: job 3#0 and the 1 before it out of its way"]
    );
}

/// A size that would start and be stopped for another in the same cycle is none, and hides no larger one that the ratio
/// protects.
#[test]
fn a_size_that_is_stopped_again_hides_none_that_stays() {
    let teams = vec![TeamSpec::new("x").with_weight(Weight::new(4, 1).unwrap()), TeamSpec::new("y")];
    let pool = PoolSpec::new("pool", 1, Resources::new().gpu(7));
    let policy = PolicySpec::new(OrderName::Drf).with_preemption(Preemption::Priority);
    let policy = policy.with_priority(fairshare::ClassScope::WithinTeam);
    let mut scheduler = Scheduler::new(Config::new(vec![pool], teams).with_policy(policy)).unwrap();
    let now = Timestamp::ZERO;
    let shape = |count, class| ShapeSpec::new(Alternative::new(gpus(count))).with_class(class);
    let two = scheduler.intern(&shape(2, 1)).unwrap();
    for preemptible in [false, true] {
        let mut job = JobSpec::new(TeamId::new(1), two, now);
        job.preemptible = preemptible;
        let _ = scheduler.submit(now, job).unwrap();
        if !preemptible {
            assert_eq!(scheduler.schedule(now).unwrap().len(), 1);
        }
    }
    for asked in 1..=7 {
        let job = JobSpec::new(TeamId::new(0), ShapeId::new(0), now);
        let answer = scheduler.can_admit(now, job, &shape(asked, 0)).unwrap();
        assert_eq!(answer.largest, Some(Size::Gpus(5)), "asked {asked}");
        let starts = matches!(answer.verdict, Verdict::Starts { .. });
        assert_eq!(starts, asked <= 3 || asked == 5, "asked {asked}");
    }
}

/// Where a larger job comes first, those of three to five GPUs wait behind another of five, and those of six and seven start.
#[test]
fn whoever_starts_is_told_no_less() {
    let mut policy = PolicySpec::new(OrderName::Multifactor);
    policy.factors = FactorWeights { age: 0, fairshare: 0, size: 1_000, class: 0, ..policy.factors };
    let pool = PoolSpec::new("pool", 1, Resources::new().gpu(7));
    let teams = vec![TeamSpec::new("x"), TeamSpec::new("y")];
    let mut scheduler = Scheduler::new(Config::new(vec![pool], teams).with_policy(policy)).unwrap();
    let now = Timestamp::ZERO;
    let shape = |count| ShapeSpec::new(Alternative::new(gpus(count)));
    let five = scheduler.intern(&shape(5)).unwrap();
    let _ = scheduler.submit(now, JobSpec::new(TeamId::new(1), five, now)).unwrap();
    for (asked, largest) in [(1, 2), (2, 2), (3, 2), (4, 2), (6, 7), (7, 7)] {
        let job = JobSpec::new(TeamId::new(0), ShapeId::new(0), now);
        let answer = scheduler.can_admit(now, job, &shape(asked)).unwrap();
        assert_eq!(answer.largest, Some(Size::Gpus(largest)), "asked {asked}: {:?}", answer.verdict);
    }
}
