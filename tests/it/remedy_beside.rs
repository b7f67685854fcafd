//! What `remedies` says where others wait and have reservations: given to a random state it makes the job start in the next
//! cycle, before anybody is stopped for another, and with any amount one unit less it does not.
//!
//! The states are those of `remedy`, with others that wait, under every order and kind of backfill, with and without
//! reclaim; some of those who run end by a limit. In others nothing passes the first of a team, whose jobs ask for one
//! pool. Room becomes free as is claimed: those that end first end now, each of whom all is covered, and of what is left
//! another runs on with less. Where that would be others than the fillers, whose team has no quota and nobody who waits,
//! nothing is tried.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use fairshare::{
    Backfill, Decision, EvictReason, EvictionBounds, JobId, JobSpec, MicroUsd, Millis, Need, NodeId,
    OrderName, PolicySpec, Preemption, Quantity, Remedy, ResourceKind, Resources, Scheduler, ShapeId,
    ShapeSpec, Snapshot, Spending, Submission, TeamId, TeamSpec, Timestamp, Weight,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config as RunnerConfig, TestRunner};

use crate::ask::bring_up;
use crate::remedy::{
    DEPARTMENT, DEVICE, Draws, FILLER, KEEPER, LATER, TEAM, Unit, World, adopt, alternative, amount, world,
};

const RIVAL: TeamId = TeamId::new(4);
const COLLEAGUE: TeamId = TeamId::new(5);

/// Where nothing may pass a blocked job, each team has a line of its own under these.
const BY_SHARES: [OrderName; 3] = [OrderName::Drf, OrderName::DrfCurrent, OrderName::Hdrf];

/// A world with others who wait.
#[derive(Clone, Debug)]
struct Crowd {
    world: World,
    policy: PolicySpec,
    /// When each of the units ends, if ever, in milliseconds.
    ends: Vec<Option<u64>>,
    /// Who waits, in the order of submission, with a limit: the job of the world among them.
    queue: Vec<(TeamId, ShapeSpec, Option<u64>)>,
    /// After how many of them there is a cycle.
    cycle_after: usize,
}

fn policy(draws: &mut Draws<'_>) -> PolicySpec {
    let orders: Vec<OrderName> = OrderName::ALL
        .into_iter()
        .filter(|order| !matches!(order, OrderName::Gavel | OrderName::Static))
        .collect();
    let order = orders[usize::try_from(draws.below(orders.len() as u64)).unwrap()];
    let backfill = match draws.below(8) {
        0 => Backfill::None,
        1 => Backfill::BestEffort,
        2 => Backfill::Conservative,
        _ => Backfill::Easy,
    };
    let reclaim = backfill != Backfill::Conservative && draws.one_in(2);
    let mut bounds = EvictionBounds::default();
    bounds.back_off = Millis::new(draws.below(3) * 1_000);
    let policy = PolicySpec::new(order).with_backfill(backfill).with_bounds(bounds);
    policy.with_preemption(if reclaim { Preemption::Reclaim } else { Preemption::None })
}

fn crowd(draws: &mut Draws<'_>) -> Crowd {
    let mut world = world(draws);
    let weight = |draws: &mut Draws<'_>| Weight::new(1 + draws.below(3), 1).unwrap();
    world.config.teams.push(TeamSpec::new("rival").with_weight(weight(draws)));
    let mut colleague = TeamSpec::new("colleague").with_weight(weight(draws));
    colleague.parent = Some(TeamId::new(u32::try_from(DEPARTMENT).unwrap()));
    world.config.teams.push(colleague);
    for unit in world.units.iter_mut().filter(|unit| unit.team == TEAM) {
        unit.team = [TEAM, TEAM, RIVAL, COLLEAGUE][usize::try_from(draws.below(4)).unwrap()];
    }
    let by_device = world.config.pools[0].node[ResourceKind::GPU].get().is_multiple_of(DEVICE);
    let all_end = draws.below(3);
    let ends = world.units.iter().map(|_| match all_end {
        0 => None,
        _ => Some(1_000 + draws.below(6) * 700).filter(|end| all_end == 1 || end % 1_400 > 0),
    });
    let ends = ends.collect();
    let mut queue = Vec::new();
    let limit = |draws: &mut Draws<'_>| Some(200 + draws.below(8) * 600).filter(|_| draws.below(4) > 0);
    let keeper = TeamId::new(u32::try_from(KEEPER).unwrap());
    for _ in 0..=draws.below(5) {
        let team = [RIVAL, RIVAL, COLLEAGUE, TEAM, keeper][usize::try_from(draws.below(5)).unwrap()];
        let class = i32::try_from(draws.below(6)).unwrap().clamp(2, 4) - 2;
        let shape = ShapeSpec::new(alternative(by_device, draws)).with_class(class);
        queue.push((team, shape, limit(draws)));
    }
    let at = usize::try_from(draws.below(queue.len() as u64 + 1)).unwrap();
    queue.insert(at, (TEAM, world.shape.clone(), limit(draws)));
    let cycle_after = usize::try_from(draws.below(queue.len() as u64)).unwrap();
    Crowd { policy: policy(draws), world, ends, queue, cycle_after }
}

/// A crowd in which nothing may pass the first of a team, and many of one team ask for one pool only.
fn in_line(draws: &mut Draws<'_>) -> Crowd {
    let mut crowd = crowd(draws);
    let pools = crowd.world.config.pools.len() as u64;
    let order = BY_SHARES[usize::try_from(draws.below(3)).unwrap()];
    let policy = PolicySpec::new(order).with_backfill(Backfill::None).with_bounds(crowd.policy.bounds);
    crowd.policy =
        policy.with_preemption(if draws.one_in(3) { Preemption::Reclaim } else { Preemption::None });
    for (team, shape, _) in &mut crowd.queue {
        if draws.one_in(2) {
            *team = TEAM;
        }
        for alternative in &mut shape.alternatives {
            if draws.below(4) > 0 {
                let pool = fairshare::PoolId::new(u32::try_from(draws.below(pools)).unwrap());
                *alternative = alternative.clone().in_pools(vec![pool]);
            }
        }
    }
    crowd
}

/// A state in which a cycle has just ended, with all shapes.
struct Lived {
    scheduler: Scheduler,
    shapes: BTreeMap<ShapeId, ShapeSpec>,
}

fn lived(crowd: &Crowd) -> Lived {
    let Crowd { world, policy, ends, queue, cycle_after } = crowd;
    let mut scheduler = Scheduler::new(world.config.clone().with_policy(*policy)).unwrap();
    for (pool, up) in (0..).map(fairshare::PoolId::new).zip(&world.up) {
        scheduler.set_capacity(Timestamp::ZERO, pool, *up).unwrap();
    }
    let mut shapes = BTreeMap::new();
    for (unit, end) in world.units.iter().zip(ends) {
        adopt(&mut scheduler, unit, Timestamp::ZERO, end.map(Millis::new));
    }
    let unit_shapes = world
        .units
        .iter()
        .map(|unit| ShapeSpec::new(fairshare::Alternative::new(amount(unit.kind, unit.amount))));
    for shape in unit_shapes.chain(queue.iter().map(|(_, shape, _)| shape.clone())) {
        shapes.insert(scheduler.intern(&shape).unwrap(), shape);
    }
    for (at, (team, shape, limit)) in queue.iter().enumerate() {
        if at == *cycle_after {
            scheduler.schedule(LATER).unwrap();
        }
        let shape = scheduler.intern(shape).unwrap();
        let mut job = JobSpec::new(*team, shape, LATER);
        job.time_limit = limit.map(Millis::new);
        if let Submission::Queued(_) = scheduler.submit(LATER, job).unwrap() {}
    }
    scheduler.schedule(LATER).unwrap();
    scheduler.check_invariants().unwrap();
    Lived { scheduler, shapes }
}

/// What is to become free, or what a job has: on a node, `None` in a divisible pool, and of what; on a device by its number.
type Amounts = BTreeMap<(Option<NodeId>, ResourceKind, Option<u32>), u64>;

fn gains(amounts: &[(Need, u64)]) -> Amounts {
    let one = |(need, amount): &(Need, u64)| match need {
        Need::Room { node, kind, .. } => Some(((*node, *kind, None), *amount)),
        Need::Device { node, device, .. } => Some(((Some(*node), ResourceKind::GPU, Some(*device)), *amount)),
        _ => None,
    };
    amounts.iter().filter_map(one).collect()
}

/// What a running job has of what is to become free at first; `None` if some of it is elsewhere.
fn held(
    request: &Resources,
    workers: &[(Option<NodeId>, Option<u32>, u64)],
    at_first: &Amounts,
) -> Option<Amounts> {
    let mut held = Amounts::new();
    for (node, device, workers) in workers {
        if !at_first.keys().any(|(place, ..)| place == node) {
            return None;
        }
        for (kind, amount) in request.iter() {
            let part = if device.is_some() && kind == ResourceKind::GPU { amount.get() % DEVICE } else { 0 };
            *held.entry((*node, kind, None)).or_default() += (amount.get() - part) * workers;
            if part > 0 {
                *held.entry((*node, kind, *device)).or_default() += part * workers;
            }
        }
    }
    held.retain(|place, amount| at_first.contains_key(place) && *amount > 0);
    Some(held)
}

/// Frees room as is claimed; `None` where that would be another's than the filler's.
fn free_up(
    then: &mut Scheduler,
    lived: &Lived,
    pool: fairshare::PoolId,
    amounts: &[(Need, u64)],
) -> Option<()> {
    let at_first = gains(amounts);
    let mut left = at_first.clone();
    left.retain(|_, amount| *amount > 0);
    if left.is_empty() {
        return Some(());
    }
    let divisible = then.config().pools[pool.index()].divisible;
    let Snapshot { running, .. } = then.snapshot();
    let mut running: Vec<_> = running.into_iter().filter(|run| run.placed.pool == pool).collect();
    let end = |limit: Option<Millis>, since: Timestamp| {
        limit.map_or(Timestamp::MAX, |limit| since.checked_add(limit).unwrap())
    };
    running.sort_by_key(|run| (end(run.spec.time_limit, run.placed.since), run.job));
    let mut larger = Vec::new();
    for run in running {
        let one = &lived.shapes[&run.spec.shape].alternatives[run.placed.alternative as usize];
        let nodes = run.placed.nodes.iter().map(|(node, workers)| (Some(*node), None, u64::from(*workers)));
        let devices = run.placed.devices.iter();
        let devices =
            devices.map(|(node, device, workers)| (Some(*node), Some(*device), u64::from(*workers)));
        let mut workers: Vec<_> = nodes.chain(devices).collect();
        if divisible {
            workers = vec![(None, None, u64::from(one.workers))];
        }
        let Some(held) = held(&one.request, &workers, &at_first).filter(|held| !held.is_empty()) else {
            continue;
        };
        let fits = |(place, amount): (&_, &u64)| left.get(place).is_some_and(|left| left >= amount);
        if !held.iter().all(fits) {
            let ends = run.spec.time_limit.is_some();
            larger.push((run.job, run.spec.team, ends, held, run.placed));
            continue;
        }
        if run.spec.team != FILLER {
            return None;
        }
        for (place, amount) in held {
            *left.get_mut(&place).unwrap() -= amount;
        }
        then.complete(LATER, run.job).unwrap();
    }
    left.retain(|_, amount| *amount > 0);
    for ((node, kind, device), amount) in left {
        // One who never ends goes on with less: on a device of his own from then on, if he had it all.
        let place = (node, kind, device);
        let (job, _, _, held, placed) = larger.iter().find(|(_, team, ends, held, _)| {
            *team == FILLER && !ends && held.get(&place).is_some_and(|has| *has > amount)
        })?;
        if placed.devices.len() + placed.nodes.len() != 1 || held.len() != 1 {
            return None;
        }
        let rest = held[&place] - amount;
        then.complete(LATER, *job).unwrap();
        let node = node?;
        let taken = |device: u32| {
            then.snapshot().running.iter().any(|run| {
                run.placed.pool == pool
                    && run.placed.devices.iter().any(|(at, its, _)| (*at, *its) == (node, device))
            })
        };
        let device = device.or_else(|| (0..64).find(|device| !taken(*device)));
        let (team, pool, node) = (FILLER, pool.index(), u32::try_from(node.index()).unwrap());
        adopt(then, &Unit { team, pool, node, kind, amount: rest, device }, LATER, None);
    }
    Some(())
}

/// Whether a job stands before another of its team where nothing may pass the first of a team.
fn stands_before(lived: &Lived, job: JobId, other: JobId) -> bool {
    let policy = lived.scheduler.config().policy;
    let Snapshot { waiting, .. } = lived.scheduler.snapshot();
    let spec = |id: JobId| waiting.iter().find(|one| one.job == id).unwrap();
    let place = |id: JobId| {
        let one = spec(id);
        (Reverse(lived.shapes[&one.spec.shape].class), one.spec.submit, one.number)
    };
    policy.backfill == Backfill::None
        && BY_SHARES.contains(&policy.order)
        && spec(job).spec.team == spec(other).spec.team
        && place(other) < place(job)
}

/// Whether two jobs wait for one pool.
fn competes(lived: &Lived, a: JobId, b: JobId) -> bool {
    let asked = |job: JobId| lived.scheduler.explain(job).unwrap().asked;
    asked(a).iter().any(|one| asked(b).iter().any(|other| one.pool == other.pool))
}

/// So many of those that may be in the way of a job.
fn in_front(lived: &Lived, job: JobId, amount: u64) -> Vec<JobId> {
    let others = lived.scheduler.queue().into_iter().filter(|other| *other != job);
    let others = others.filter(|other| competes(lived, job, *other) || stands_before(lived, job, *other));
    others.take(usize::try_from(amount).unwrap()).collect()
}

/// The state with what is needed; `None` where what must be freed is not held by the filler alone.
fn apply(
    lived: &Lived,
    job: JobId,
    remedy: &Remedy,
    amounts: &[(Need, u64)],
) -> Option<(Scheduler, Timestamp)> {
    let scheduler = &lived.scheduler;
    let mut config = scheduler.config().clone();
    for (need, amount) in amounts {
        match need {
            Need::Limit { team, kind, .. } => {
                let spec = &mut config.teams[team.index()];
                for allowance in spec.limit.iter_mut().chain(&mut spec.borrow) {
                    if allowance.pool == remedy.pool && allowance.kind == *kind {
                        allowance.amount = Quantity::new(allowance.amount.get() + amount);
                    }
                }
            }
            Need::Budget { team, .. } => {
                let budget = config.teams[team.index()].budget.as_mut().unwrap();
                budget.most = match budget.most {
                    Spending::GpuMillis(most) => Spending::GpuMillis(most + amount),
                    Spending::Usd(most) => Spending::Usd(MicroUsd::new(most.get() + amount)),
                    _ => panic!("no other spending exists"),
                };
            }
            _ => {}
        }
    }
    let mut then = if config == *scheduler.config() {
        scheduler.clone()
    } else {
        Scheduler::restore(&scheduler.snapshot().with_config(config)).unwrap()
    };
    let mut at = LATER;
    for (need, amount) in amounts {
        match need {
            Need::Turn { .. } => {
                for other in in_front(lived, job, *amount) {
                    then.cancel(LATER, other).unwrap();
                }
            }
            Need::Nodes { .. } => bring_up(&mut then, LATER, remedy.pool, *amount),
            Need::Wait { .. } => {
                at = Timestamp::from_millis(at.as_millis() + i64::try_from(*amount).unwrap());
            }
            _ => {}
        }
    }
    free_up(&mut then, lived, remedy.pool, amounts)?;
    Some((then, at))
}

/// Whether a job starts before anybody is stopped for another.
fn starts((mut scheduler, at): (Scheduler, Timestamp), job: JobId) -> bool {
    let stops = |one: &&Decision| matches!(one, Decision::Evict { reason, .. } if *reason != EvictReason::CapacityLost);
    let decided = scheduler.schedule(at).unwrap();
    let before = decided.iter().take_while(|one| !stops(one));
    let starts = |one: &Decision| matches!(one, Decision::Start { job: id, .. } if *id == job);
    let found = before.into_iter().any(starts);
    scheduler.check_invariants().unwrap();
    found
}

#[derive(Default, Debug)]
struct Seen {
    waited: u32,
    applied: u32,
    lowered: u32,
    /// Remedies by what they say.
    alone: u32,
    turn: u32,
    several: u32,
    room_and_turn: u32,
    limit_and_turn: u32,
    beside: u32,
    beside_amount: u32,
    wait: u32,
    /// Applied where somebody is stopped for others, and where all have slots.
    reclaim: u32,
    planned: u32,
    /// Where one of its own team is out of the way that waits for other pools.
    elsewhere: u32,
}

fn check(crowd: &Crowd, seen: &mut Seen) {
    let lived = lived(crowd);
    for job in lived.scheduler.queue().into_iter().take(4) {
        seen.waited += 1;
        let remedies = lived.scheduler.remedies(job).unwrap();
        for remedy in &remedies {
            let all: Vec<(Need, u64)> =
                remedy.needs.iter().map(|need| (*need, need.amount().get())).collect();
            assert!(!all.is_empty(), "job {job} waits, and nothing is needed");
            let Some(given) = apply(&lived, job, remedy, &all) else { continue };
            seen.applied += 1;
            let says = |wanted: fn(&Need) -> bool| remedy.needs.iter().any(wanted);
            let turn = says(|need| matches!(need, Need::Turn { .. }));
            let room = says(|need| matches!(need, Need::Room { .. } | Need::Device { .. }));
            seen.alone += u32::from(!turn);
            seen.turn += u32::from(turn);
            seen.several +=
                u32::from(says(|need| matches!(need, Need::Turn { amount, .. } if amount.get() > 1)));
            seen.room_and_turn += u32::from(turn && room);
            seen.limit_and_turn += u32::from(turn && says(|need| matches!(need, Need::Limit { .. })));
            seen.beside += u32::from(remedy.beside.is_some());
            let divisible = crowd.world.config.pools[remedy.pool.index()].divisible;
            seen.beside_amount += u32::from(remedy.beside.is_some() && divisible);
            seen.wait += u32::from(says(|need| matches!(need, Need::Wait { .. })));
            seen.reclaim += u32::from(crowd.policy.preemption == Preemption::Reclaim);
            seen.planned += u32::from(crowd.policy.backfill == Backfill::Conservative);
            let gone = remedy.needs.iter().find_map(|need| match need {
                Need::Turn { amount, .. } => Some(in_front(&lived, job, amount.get())),
                _ => None,
            });
            let elsewhere = gone.into_iter().flatten().any(|other| !competes(&lived, job, other));
            seen.elsewhere += u32::from(elsewhere);
            assert!(starts(given, job), "not enough for job {job}: {remedy}");
            for at in 0..all.len() {
                let mut less = all.clone();
                less[at].1 -= 1;
                let Some(given) = apply(&lived, job, remedy, &less) else { continue };
                assert!(!starts(given, job), "too much by one of {:?} for job {job}: {remedy}", less[at].0);
                seen.lowered += 1;
            }
        }
        if remedies.is_empty() {
            // Who ran already may ask more than the others leave; now it would not be let in.
            let waiting = lived.scheduler.snapshot().waiting;
            let spec = waiting.iter().find(|known| known.job == job).unwrap().spec;
            let again = lived.scheduler.clone().submit(LATER, spec).unwrap();
            let why = lived.scheduler.explain(job).unwrap();
            assert!(matches!(again, Submission::Rejected(_)), "nothing would help job {job}: {why}");
        }
    }
}

fn crowds(make: fn(&mut Draws<'_>) -> Crowd) -> impl Strategy<Value = Crowd> {
    proptest::collection::vec(any::<u16>(), 400).prop_map(move |draws| make(&mut Draws(draws.iter())))
}

proptest! {
    #[test]
    fn where_others_wait_it_is_enough_and_one_unit_less_is_not(crowd in crowds(crowd)) {
        check(&crowd, &mut Seen::default());
    }

    #[test]
    fn where_nothing_passes_the_first_of_a_team_it_is_enough_and_one_unit_less_is_not(crowd in crowds(in_line)) {
        check(&crowd, &mut Seen::default());
    }
}

/// What was seen of so many cases.
fn generated(make: fn(&mut Draws<'_>) -> Crowd) -> (u32, Seen) {
    let mut runner = TestRunner::deterministic();
    let cases = RunnerConfig::default().cases.max(512);
    let mut seen = Seen::default();
    for _ in 0..cases {
        check(&crowds(make).new_tree(&mut runner).unwrap().current(), &mut seen);
    }
    (cases, seen)
}

#[test]
fn generated_crowds_need_remedies_of_every_kind() {
    let (cases, seen) = generated(crowd);
    println!("of {cases}: {seen:?}");
    let Seen { waited, applied, lowered, alone, turn, several, room_and_turn, limit_and_turn, .. } = seen;
    assert!(waited >= cases, "{seen:?}");
    for count in [applied, lowered, alone, turn, several, room_and_turn, limit_and_turn] {
        assert!(count * 20 >= cases, "{seen:?}");
    }
    let Seen { beside, beside_amount, wait, reclaim, planned, .. } = seen;
    for count in [beside, beside_amount, wait, reclaim, planned] {
        assert!(count * 100 >= cases, "{seen:?}");
    }
}

#[test]
fn generated_crowds_wait_behind_their_own_team() {
    let (cases, seen) = generated(in_line);
    println!("of {cases}: {seen:?}");
    let Seen { waited, applied, lowered, alone, turn, several, room_and_turn, elsewhere, reclaim, .. } = seen;
    assert!(waited >= cases, "{seen:?}");
    for count in [applied, lowered, alone, turn, several, room_and_turn, elsewhere, reclaim] {
        assert!(count * 50 >= cases, "{seen:?}");
    }
}
