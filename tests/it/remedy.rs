//! What `remedies` says is enough and not too much: given to a random state it makes the job start, and with any amount one
//! unit less it does not.
//!
//! Rooms are filled with jobs of one smallest unit each, of a team without quotas or limits, so that any amount can be
//! freed exactly; limits are raised in the configuration, and the state is built again.

use fairshare::{
    Allowance, Alternative, Config, Decision, JobId, JobSpec, Need, NodeId, Placed, PoolId, PoolSpec,
    Quantity, Remedy, ResourceKind, Resources, Scheduler, ShapeSpec, Submission, TeamId, TeamSpec, Timestamp,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config as RunnerConfig, TestRunner};

const KINDS: [ResourceKind; 2] = [ResourceKind::GPU, ResourceKind::CPU];
const FILLER: TeamId = TeamId::new(0);
const DEPARTMENT: usize = 1;
const TEAM: TeamId = TeamId::new(2);
const KEEPER: usize = 3;
const NOW: Timestamp = Timestamp::ZERO;

/// One unit of a kind on a node of a pool, held by a team.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Unit {
    team: TeamId,
    pool: usize,
    node: u32,
    kind: ResourceKind,
}

#[derive(Clone, Debug)]
struct World {
    config: Config,
    units: Vec<Unit>,
    shape: ShapeSpec,
}

fn amount(kind: ResourceKind, units: u64) -> Resources {
    Resources::new().with(kind, Quantity::new(units))
}

/// Draws from a list of numbers.
struct Draws<'a>(std::slice::Iter<'a, u16>);

impl Draws<'_> {
    fn below(&mut self, most: u64) -> u64 {
        u64::from(self.0.next().copied().unwrap_or(0)) % most.max(1)
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 1
    }
}

fn world(draws: &mut Draws<'_>) -> World {
    let mut pools = Vec::new();
    for index in 0..=draws.below(2) {
        let node = amount(ResourceKind::GPU, 3 + draws.below(4))
            .with(ResourceKind::CPU, Quantity::new(3 + draws.below(4)));
        let mut pool = PoolSpec::new(format!("p{index}"), 1 + u32::try_from(draws.below(3)).unwrap(), node);
        pool.divisible = draws.one_in(3);
        pools.push(pool);
    }
    let mut teams: Vec<TeamSpec> = ["filler", "department", "team", "keeper"].map(TeamSpec::new).into();
    teams[TEAM.index()].parent = Some(TeamId::new(1));
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
    let mut units = Vec::new();
    for (index, pool) in pools.iter().enumerate() {
        for kind in KINDS {
            let places = if pool.divisible { 1 } else { pool.nodes };
            for node in 0..places {
                let here = pool.node[kind].get() * if pool.divisible { u64::from(pool.nodes) } else { 1 };
                let own = if draws.one_in(3) { draws.below(here + 1) } else { 0 };
                let rest = here - own;
                let filled = own + if draws.below(3) == 0 { draws.below(rest + 1) } else { rest };
                let team = |at| if at < own { TEAM } else { FILLER };
                units.extend((0..filled).map(|at| Unit { team: team(at), pool: index, node, kind }));
            }
        }
    }
    let alternative = |draws: &mut Draws<'_>| {
        let request = amount(ResourceKind::GPU, draws.below(5))
            .with(ResourceKind::CPU, Quantity::new(1 + draws.below(3)));
        Alternative::new(request).with_workers(1 + u32::try_from(draws.below(3)).unwrap())
    };
    let mut shape = ShapeSpec::new(alternative(draws));
    if draws.one_in(2) {
        shape = shape.or(alternative(draws));
    }
    World { config: Config::new(pools, teams), units, shape }
}

/// The state, with the job submitted and decided about: the job, and whether it has started; `None` where it never could.
fn run(world: &World) -> Option<(Scheduler, JobId, bool)> {
    let mut scheduler = Scheduler::new(world.config.clone()).unwrap();
    for unit in &world.units {
        let shape = scheduler.intern(&ShapeSpec::new(Alternative::new(amount(unit.kind, 1)))).unwrap();
        let mut placed = Placed::new(PoolId::new(u32::try_from(unit.pool).unwrap()), NOW);
        if !world.config.pools[unit.pool].divisible {
            placed = placed.on_nodes(vec![(NodeId::new(unit.node), 1)]);
        }
        scheduler.adopt(NOW, JobSpec::new(unit.team, shape, NOW), &placed).unwrap();
    }
    let shape = scheduler.intern(&world.shape).unwrap();
    let submitted = scheduler.submit(NOW, JobSpec::new(TEAM, shape, NOW)).unwrap();
    let Submission::Queued(job) = submitted else { return None };
    let decided = scheduler.schedule(NOW).unwrap();
    let started =
        decided.iter().any(|decided| matches!(decided, Decision::Start { job: id, .. } if *id == job));
    scheduler.check_invariants().unwrap();
    Some((scheduler, job, started))
}

/// The world with a remedy given; `None` where what must be freed is not held by the filler.
fn apply(world: &World, remedy: &Remedy, needs: &[(Need, u64)]) -> Option<World> {
    let mut world = world.clone();
    for (need, amount) in needs {
        match need {
            Need::Room { node, kind, .. } => {
                for _ in 0..*amount {
                    let here = |unit: &Unit| {
                        let on = node.is_none_or(|node| node.index() == unit.node as usize);
                        unit.team == FILLER && unit.pool == remedy.pool.index() && unit.kind == *kind && on
                    };
                    let at = world.units.iter().position(here)?;
                    world.units.remove(at);
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
            _ => panic!("no other need exists"),
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
}

fn check(world: &World, seen: &mut Seen) {
    let Some((scheduler, job, started)) = run(world) else { return };
    if started {
        assert!(scheduler.remedies(job).unwrap().is_empty(), "a running job needs nothing");
        return;
    }
    seen.waited += 1;
    let remedies = scheduler.remedies(job).unwrap();
    assert!(!remedies.is_empty(), "every node is up, and nothing would help");
    seen.second += u32::from(remedies.len() > 1);
    for remedy in remedies {
        let all: Vec<(Need, u64)> = remedy.needs.iter().map(|need| (*need, need.amount().get())).collect();
        assert!(!all.is_empty(), "the job waits, and nothing is needed");
        let Some(given) = apply(world, &remedy, &all) else { continue };
        seen.applied += 1;
        seen.limit += u32::from(all.iter().any(|(need, _)| matches!(need, Need::Limit { .. })));
        seen.gang += u32::from(all.len() > 2);
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
    proptest::collection::vec(any::<u16>(), 120).prop_map(|draws| world(&mut Draws(draws.iter())))
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
    assert!(seen.waited * 2 >= cases, "{seen:?}");
    for count in [seen.applied, seen.lowered, seen.gang, seen.limit, seen.second] {
        assert!(count * 50 >= cases, "{seen:?}");
    }
}
