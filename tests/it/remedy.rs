//! What `remedies` says is enough and not too much: given to a random state it makes the job start, and with any amount one
//! unit less it does not.
//!
//! Rooms are filled with jobs of one smallest unit each, of a team without quotas or limits, so that any amount can be
//! freed exactly; GPUs that are devices, with one job each, which is made smaller. Limits are raised in the configuration,
//! and the state is built again.

use fairshare::{
    Allowance, Alternative, Budget, Config, Decision, JobId, JobSpec, MicroUsd, Millis, Need, NodeId, Placed,
    PoolId, PoolSpec, Price, PriceUnit, Quantity, Remedy, ResourceKind, Resources, Scheduler, ShapeSpec,
    Spending, Submission, TeamId, TeamSpec, Timestamp,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config as RunnerConfig, TestRunner};

use crate::strategy::domains;

pub(crate) const KINDS: [ResourceKind; 2] = [ResourceKind::GPU, ResourceKind::CPU];
pub(crate) const FILLER: TeamId = TeamId::new(0);
pub(crate) const DEPARTMENT: usize = 1;
pub(crate) const TEAM: TeamId = TeamId::new(2);
pub(crate) const KEEPER: usize = 3;
pub(crate) const NOW: Timestamp = Timestamp::ZERO;
/// When the job comes: what has run until then is spent.
pub(crate) const LATER: Timestamp = Timestamp::from_millis(700);

/// Some of a kind on a node of a pool, held by a team: one unit, or a part of a device, or all of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Unit {
    pub(crate) team: TeamId,
    pub(crate) pool: usize,
    pub(crate) node: u32,
    pub(crate) kind: ResourceKind,
    pub(crate) amount: u64,
    pub(crate) device: Option<u32>,
}

/// A whole device.
pub(crate) const DEVICE: u64 = 1_000;

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) config: Config,
    /// How many nodes of each pool are up.
    pub(crate) up: Vec<u32>,
    pub(crate) units: Vec<Unit>,
    pub(crate) shape: ShapeSpec,
}

pub(crate) fn amount(kind: ResourceKind, units: u64) -> Resources {
    Resources::new().with(kind, Quantity::new(units))
}

/// Draws from a list of numbers.
pub(crate) struct Draws<'a>(pub(crate) std::slice::Iter<'a, u16>);

impl Draws<'_> {
    pub(crate) fn below(&mut self, most: u64) -> u64 {
        u64::from(self.0.next().copied().unwrap_or(0)) % most.max(1)
    }

    pub(crate) fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 1
    }
}

/// Whoever holds GPUs on a node, or in a divisible pool, device by device.
fn on_devices(pool: &PoolSpec, up: u32, (index, node): (usize, u32), draws: &mut Draws<'_>) -> Vec<Unit> {
    let kind = ResourceKind::GPU;
    let devices = pool.node[kind].get() / DEVICE * if pool.divisible { u64::from(up) } else { 1 };
    let mut units = Vec::new();
    for device in 0..u32::try_from(devices).unwrap() {
        let team = if draws.one_in(4) { TEAM } else { FILLER };
        let amount = [0, 250, 600, 600, DEVICE, DEVICE][usize::try_from(draws.below(6)).unwrap()];
        units.push(Unit { team, pool: index, node, kind, amount, device: Some(device) });
    }
    units
}

pub(crate) fn alternative(by_device: bool, draws: &mut Draws<'_>) -> Alternative {
    let parts = [0, 300, 500, 700, 1_000, 1_500, 2_000];
    let gpus = if by_device { parts[usize::try_from(draws.below(7)).unwrap()] } else { draws.below(5) };
    let request = amount(ResourceKind::GPU, gpus).with(ResourceKind::CPU, Quantity::new(1 + draws.below(3)));
    Alternative::new(request).with_workers(1 + u32::try_from(draws.below(3)).unwrap())
}

/// Pools of nodes get fabric domains, some alternatives leave to lie in several.
fn divide(pools: &mut [PoolSpec], shape: &mut ShapeSpec, draws: &mut Draws<'_>) {
    for pool in pools.iter_mut().filter(|pool| !pool.divisible) {
        let cuts = 1 + u32::try_from(draws.below(3)).unwrap();
        pool.domains = domains(pool.nodes, if draws.one_in(3) { 0 } else { cuts });
    }
    for alternative in &mut shape.alternatives {
        alternative.across_domains = draws.one_in(4);
    }
}

/// What is held of the nodes that are up.
fn units(pools: &[PoolSpec], up: &[u32], by_device: bool, draws: &mut Draws<'_>) -> Vec<Unit> {
    let mut units = Vec::new();
    for ((index, pool), up) in pools.iter().enumerate().zip(up) {
        for kind in KINDS {
            let places = if pool.divisible { 1 } else { *up };
            for node in 0..places {
                if kind == ResourceKind::GPU && by_device {
                    units.extend(on_devices(pool, *up, (index, node), draws));
                    continue;
                }
                let here = pool.node[kind].get() * if pool.divisible { u64::from(*up) } else { 1 };
                let own = if draws.one_in(3) { draws.below(here + 1) } else { 0 };
                let rest = here - own;
                let filled = own + if draws.below(3) == 0 { draws.below(rest + 1) } else { rest };
                let team = |at| if at < own { TEAM } else { FILLER };
                let unit = |at| Unit { team: team(at), pool: index, node, kind, amount: 1, device: None };
                units.extend((0..filled).map(unit));
            }
        }
    }
    units
}

pub(crate) fn world(draws: &mut Draws<'_>) -> World {
    let mut pools = Vec::new();
    let (by_device, priced) = (draws.one_in(2), draws.one_in(3));
    for index in 0..=draws.below(2) {
        let gpus = if by_device { DEVICE * (1 + draws.below(3)) } else { 3 + draws.below(4) };
        let node = amount(ResourceKind::GPU, gpus).with(ResourceKind::CPU, Quantity::new(3 + draws.below(4)));
        let mut pool = PoolSpec::new(format!("p{index}"), 1 + u32::try_from(draws.below(3)).unwrap(), node);
        pool.divisible = draws.one_in(3);
        let hour = MicroUsd::new(300_000 + draws.below(9) * 100_000);
        pool.price = priced.then_some(Price { unit: PriceUnit::Gpu, hour });
        pools.push(pool);
    }
    let mut teams: Vec<TeamSpec> = ["filler", "department", "team", "keeper"].map(TeamSpec::new).into();
    teams[TEAM.index()].parent = Some(TeamId::new(1));
    for team in [DEPARTMENT, TEAM.index()] {
        if draws.one_in(6) {
            let period = Millis::new(3_600_000);
            let usd = Spending::Usd(MicroUsd::new(draws.below(50)));
            let most = if priced { usd } else { Spending::GpuMillis(draws.below(900)) };
            teams[team].budget = Some(Budget { most, period });
        }
    }
    for (index, pool) in (0..).map(PoolId::new).zip(&pools) {
        for kind in KINDS {
            let all = pool.node[kind].get() * u64::from(pool.nodes);
            for team in [DEPARTMENT, TEAM.index()] {
                if draws.one_in(4) {
                    teams[team].limit.push(Allowance::new(index, kind, Quantity::new(draws.below(all + 1))));
                }
                if draws.one_in(6) {
                    teams[team].borrow.push(Allowance::new(index, kind, Quantity::new(draws.below(all + 1))));
                }
            }
            if draws.one_in(4) {
                let quota = Quantity::new(draws.below(all + 1));
                teams[KEEPER].quota.push(Allowance::new(index, kind, quota));
                teams[KEEPER].lend.push(Allowance::new(
                    index,
                    kind,
                    Quantity::new(draws.below(quota.get() + 1)),
                ));
            }
        }
    }
    let is_up = |pool: &PoolSpec| {
        let some = draws.one_in(6);
        if some { u32::try_from(draws.below(u64::from(pool.nodes) + 1)).unwrap() } else { pool.nodes }
    };
    let up: Vec<u32> = pools.iter().map(is_up).collect();
    let mut units = units(&pools, &up, by_device, draws);
    let mut shape = ShapeSpec::new(alternative(by_device, draws));
    if draws.one_in(2) {
        shape = shape.or(alternative(by_device, draws));
    }
    units.retain(|unit| unit.amount > 0);
    divide(&mut pools, &mut shape, draws);
    World { config: Config::new(pools, teams), up, units, shape }
}

/// A unit runs from now on, since the beginning, until its limit if it has one.
pub(crate) fn adopt(scheduler: &mut Scheduler, unit: &Unit, at: Timestamp, limit: Option<Millis>) -> JobId {
    let shape = scheduler.intern(&ShapeSpec::new(Alternative::new(amount(unit.kind, unit.amount)))).unwrap();
    let mut placed = Placed::new(PoolId::new(u32::try_from(unit.pool).unwrap()), NOW);
    if !scheduler.config().pools[unit.pool].divisible {
        let node = NodeId::new(unit.node);
        // The rest of a node that is smaller than a device is a device of its own.
        placed = match unit.device.filter(|_| unit.amount < DEVICE) {
            Some(device) => placed.on_devices(vec![(node, device, 1)]),
            None => placed.on_nodes(vec![(node, 1)]),
        };
    }
    let mut job = JobSpec::new(unit.team, shape, NOW);
    job.time_limit = limit;
    job.preemptible = unit.team != FILLER;
    scheduler.adopt(at, job, &placed).unwrap()
}

/// The state, with the job submitted and decided about: the job, and whether it has started; `None` where it never could.
fn run(world: &World) -> Option<(Scheduler, JobId, bool)> {
    let mut scheduler = Scheduler::new(world.config.clone()).unwrap();
    for (pool, up) in (0..).map(PoolId::new).zip(&world.up) {
        scheduler.set_capacity(NOW, pool, *up).unwrap();
    }
    for unit in &world.units {
        adopt(&mut scheduler, unit, NOW, None);
    }
    let shape = scheduler.intern(&world.shape).unwrap();
    let submitted = scheduler.submit(LATER, JobSpec::new(TEAM, shape, LATER)).unwrap();
    let Submission::Queued(job) = submitted else { return None };
    let decided = scheduler.schedule(LATER).unwrap();
    let started =
        decided.iter().any(|decided| matches!(decided, Decision::Start { job: id, .. } if *id == job));
    scheduler.check_invariants().unwrap();
    Some((scheduler, job, started))
}

/// What is asked, free, held and entitled to stands in an explanation for each alternative and pool.
#[test]
fn an_explanation_says_what_the_team_is_entitled_to() {
    let price = |hour| Price { unit: PriceUnit::Gpu, hour: MicroUsd::new(hour) };
    let pools = vec![
        PoolSpec::new("h200", 1, Resources::new().gpu(8).cpu(64)).with_price(price(4_000_000)),
        PoolSpec::new("l4", 1, Resources::new().gpu(8).cpu(64)).with_price(price(1_000_000)),
    ];
    let teams = vec![TeamSpec::new("a"), TeamSpec::new("b")];
    let mut scheduler = Scheduler::new(Config::new(pools, teams)).unwrap();
    let shape = ShapeSpec::new(Alternative::new(Resources::new().gpu(6)).in_pools(vec![PoolId::new(0)]));
    let shape = shape.or(Alternative::new(Resources::new().gpu(8)).in_pools(vec![PoolId::new(1)]));
    let shape = scheduler.intern(&shape).unwrap();
    let mut jobs = Vec::new();
    for team in [0, 0, 1, 1].map(TeamId::new) {
        let submitted = scheduler.submit(NOW, JobSpec::new(team, shape, NOW)).unwrap();
        let Submission::Queued(job) = submitted else { panic!("there is room when all is free") };
        jobs.push(job);
    }
    scheduler.schedule(NOW).unwrap();
    let waiting = jobs.iter().filter(|job| !scheduler.explain(**job).unwrap().asked.is_empty());
    assert_eq!(waiting.count(), 2);
    let found = scheduler.explain(jobs[1]).unwrap().asked;
    // Half of 40 dollars an hour: five GPUs of the one kind, or twenty of the other.
    let shown: Vec<[u64; 4]> = found
        .iter()
        .map(|asked| {
            [asked.requested, asked.free, asked.held, asked.entitled].map(|amount| amount.get() / 1_000)
        })
        .collect();
    let lowest_first: Vec<usize> = found.iter().map(|asked| asked.pool.index()).collect();
    assert_eq!(lowest_first, [1, 0], "the cheaper first");
    assert_eq!(shown, [[8, 0, 8, 20], [6, 2, 0, 5]]);
}

/// What a department may hold that names no quota is what its teams are guaranteed, and what it may borrow beyond that.
#[test]
fn an_inner_team_is_entitled_to_the_quotas_below_it_and_what_it_may_borrow() {
    let gpus = |amount: u64| Allowance::new(PoolId::new(0), ResourceKind::GPU, Quantity::new(1_000 * amount));
    let pools = vec![PoolSpec::new("p", 2, Resources::new().gpu(8))];
    let teams = vec![
        TeamSpec::new("d").with_borrow(gpus(4)),
        TeamSpec::new("a").under(TeamId::new(0)).with_quota(gpus(8)),
        TeamSpec::new("e"),
    ];
    let mut scheduler = Scheduler::new(Config::new(pools, teams)).unwrap();
    let shape = scheduler.intern(&ShapeSpec::new(Alternative::new(Resources::new().gpu(1)))).unwrap();
    let mut jobs = Vec::new();
    for _ in 0..16 {
        let submitted = scheduler.submit(NOW, JobSpec::new(TeamId::new(1), shape, NOW)).unwrap();
        let Submission::Queued(job) = submitted else { panic!("it fits") };
        jobs.push(job);
    }
    assert_eq!(scheduler.schedule(NOW).unwrap().len(), 12);
    assert_eq!(scheduler.explain(jobs[15]).unwrap().asked[0].entitled, Quantity::new(12_000));
    let shares = scheduler.shares();
    assert_eq!([0, 1].map(|team: usize| shares[team].entitlement.amounts[0].to_string()), ["12000", "12000"]);
    let quota = |team| scheduler.quota(TeamId::new(team), PoolId::new(0), ResourceKind::GPU);
    assert_eq!([0, 1, 2].map(quota), [Some(Quantity::new(8_000)), Some(Quantity::new(8_000)), None]);
}

/// The world with a remedy given; `None` where what must be freed is not held by the filler.
fn apply(world: &World, remedy: &Remedy, needs: &[(Need, u64)]) -> Option<World> {
    let mut world = world.clone();
    for (need, amount) in needs {
        match need {
            Need::Room { node, kind, .. } => {
                let here = |unit: &Unit| {
                    let on = node.is_none_or(|node| node.index() == unit.node as usize);
                    let on = on && (node.is_none() || unit.amount == 1 || unit.amount == DEVICE);
                    unit.team == FILLER && unit.pool == remedy.pool.index() && unit.kind == *kind && on
                };
                let mut left = *amount;
                while left > 0 {
                    let at = world.units.iter().position(here)?;
                    let unit = world.units.remove(at);
                    if unit.amount > left {
                        // From now on others may share its device.
                        world.units.push(Unit { amount: unit.amount - left, ..unit });
                    }
                    left = left.saturating_sub(unit.amount);
                }
            }
            Need::Device { node, device, .. } => {
                let here = |unit: &Unit| {
                    let place = (unit.pool, unit.node as usize);
                    // On the rest of a node that is smaller than a device there are only units.
                    let on = unit.device.is_none_or(|its| its == *device) && unit.amount < DEVICE;
                    unit.team == FILLER
                        && place == (remedy.pool.index(), node.index())
                        && unit.kind == ResourceKind::GPU
                        && on
                };
                let mut left = *amount;
                while left > 0 {
                    let at = world.units.iter().position(here)?;
                    let unit = &mut world.units[at];
                    let less = unit.amount.min(left);
                    left -= less;
                    unit.amount -= less;
                    world.units.retain(|unit| unit.amount > 0);
                }
            }
            Need::Limit { team, kind, .. } => {
                let spec = &mut world.config.teams[team.index()];
                for allowance in spec.limit.iter_mut().chain(&mut spec.borrow) {
                    if allowance.pool == remedy.pool && allowance.kind == *kind {
                        allowance.amount = Quantity::new(allowance.amount.get() + amount);
                    }
                }
            }
            Need::Budget { team, .. } => {
                let budget = world.config.teams[team.index()].budget.as_mut().unwrap();
                budget.most = match budget.most {
                    Spending::GpuMillis(most) => Spending::GpuMillis(most + amount),
                    Spending::Usd(most) => Spending::Usd(MicroUsd::new(most.get() + amount)),
                    _ => panic!("no other spending exists"),
                };
            }
            Need::Nodes { .. } => world.up[remedy.pool.index()] += u32::try_from(*amount).unwrap(),
            _ => panic!("nobody else waits, and nobody was stopped"),
        }
    }
    Some(world)
}

#[derive(Default, Debug)]
struct Seen {
    waited: u32,
    applied: u32,
    lowered: u32,
    gang: u32,
    limit: u32,
    second: u32,
    device: u32,
    budget: u32,
    domain: u32,
    nodes: u32,
}

fn check(world: &World, seen: &mut Seen) {
    let Some((scheduler, job, started)) = run(world) else { return };
    if started {
        assert!(scheduler.remedies(job).unwrap().is_empty(), "a running job needs nothing");
        return;
    }
    seen.waited += 1;
    let remedies = scheduler.remedies(job).unwrap();
    assert!(!remedies.is_empty(), "nothing would help");
    seen.second += u32::from(remedies.len() > 1);
    for remedy in remedies {
        let all: Vec<(Need, u64)> = remedy.needs.iter().map(|need| (*need, need.amount().get())).collect();
        assert!(!all.is_empty(), "the job waits, and nothing is needed");
        let Some(given) = apply(world, &remedy, &all) else { continue };
        seen.applied += 1;
        seen.limit += u32::from(all.iter().any(|(need, _)| matches!(need, Need::Limit { .. })));
        let on_device = |(need, _): &(Need, u64)| matches!(need, Need::Device { .. });
        seen.device += u32::from(all.len() > 1 && all.iter().any(on_device));
        seen.budget += u32::from(all.iter().any(|(need, _)| matches!(need, Need::Budget { .. })));
        seen.gang += u32::from(all.len() > 2);
        seen.nodes += u32::from(all.iter().any(|(need, _)| matches!(need, Need::Nodes { .. })));
        let alternative = &world.shape.alternatives[remedy.alternative as usize];
        let several = world.config.pools[remedy.pool.index()].domains.len() > 1;
        seen.domain += u32::from(several && alternative.workers > 1 && !alternative.across_domains);
        assert!(run(&given).is_some_and(|(_, _, started)| started), "not enough: {remedy}");
        for at in 0..all.len() {
            let mut less = all.clone();
            less[at].1 -= 1;
            let given = apply(world, &remedy, &less).unwrap();
            let started = run(&given).is_some_and(|(_, _, started)| started);
            assert!(!started, "too much by one of {:?}: {remedy}", less[at].0);
            seen.lowered += 1;
        }
    }
}

fn worlds() -> impl Strategy<Value = World> {
    proptest::collection::vec(any::<u16>(), 170).prop_map(|draws| world(&mut Draws(draws.iter())))
}

proptest! {
    #[test]
    fn a_remedy_is_enough_and_one_unit_less_is_not(world in worlds()) {
        check(&world, &mut Seen::default());
    }
}

#[test]
fn generated_states_need_remedies_of_every_kind() {
    let mut runner = TestRunner::deterministic();
    let cases = RunnerConfig::default().cases.max(256);
    let mut seen = Seen::default();
    for _ in 0..cases {
        check(&worlds().new_tree(&mut runner).unwrap().current(), &mut seen);
    }
    println!("of {cases}: {seen:?}");
    assert!(seen.waited * 5 >= cases * 2, "{seen:?}");
    let Seen { applied, lowered, gang, limit, second, device, budget, domain, nodes, .. } = seen;
    for count in [applied, lowered, gang, limit, second, device, budget, domain, nodes] {
        assert!(count * 50 >= cases, "{seen:?}");
    }
}
