//! Generated cases: small organisations in which the hard corners are common, and what happens in them.

use fairshare::{
    Allowance, Alternative, Backfill, Budget, ClassScope, Config, DatasetSpec, EvictionBounds, FactorWeights,
    MicroUsd, Millis, OrderName, Placement, PolicySpec, PoolId, PoolSpec, Preemption, Price, PriceUnit,
    Quantity, ResourceKind, Resources, ShapeSpec, Spending, TeamId, TeamSpec, Weight,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// One thing that happens; numbers are taken modulo what there is.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Submit {
        team: usize,
        shape: usize,
        length: Option<u64>,
        limit: Option<u64>,
        fixed: bool,
    },
    Complete(usize),
    Cancel(usize),
    SetUp {
        pool: usize,
        up: u32,
    },
    /// A node goes down, or comes up if it is down.
    Turn {
        pool: usize,
        node: u32,
    },
    Schedule,
    Wait(i64),
}

/// An organisation, the shapes of its jobs, and a history.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) config: Config,
    pub(crate) shapes: Vec<ShapeSpec>,
    pub(crate) ops: Vec<Op>,
}

/// Nodes cut into fabric domains: after the first where bit 0 is set, after the second where bit 1 is.
pub(crate) fn domains(nodes: u32, cuts: u32) -> Vec<u32> {
    let ends = (1..nodes).filter(|end| cuts >> (end - 1) & 1 == 1).chain([nodes]);
    let sizes = ends.scan(0, |last, end| Some(end - core::mem::replace(last, end)));
    if cuts == 0 { Vec::new() } else { sizes.collect() }
}

fn pool(index: usize) -> impl Strategy<Value = PoolSpec> {
    let gpus = prop_oneof![2 => 1_u64..=8, 1 => Just(0)];
    (
        1_u32..=4,
        gpus,
        2_u64..=12,
        prop_oneof![1 => Just(0_u64), 4 => 2_u64..=6],
        any::<bool>(),
        prop::option::weighted(0.7, 1_u64..=9),
        prop::sample::select(vec!["", "", "", "web", "books", "*"]),
        prop_oneof![1 => Just(0), 2 => 1_u32..8],
    )
        .prop_map(move |(nodes, gpu, cpu, memory, divisible, price, dataset, cuts)| {
            let mut pool = PoolSpec::new(
                format!("pool-{index}"),
                nodes,
                Resources::new().gpu(gpu).cpu(cpu).memory_gib(memory),
            );
            pool = pool.with_accelerator(if index.is_multiple_of(2) { "H200" } else { "L4" });
            pool = pool.with_datasets(Some(dataset).filter(|name| !name.is_empty()));
            if let Some(price) = price {
                pool = pool.with_price(Price { unit: PriceUnit::Gpu, hour: MicroUsd::new(price * 350_000) });
            }
            if divisible { pool.as_divisible() } else { pool.with_domains(domains(nodes, cuts)) }
        })
}

fn weight() -> impl Strategy<Value = Weight> {
    prop_oneof![
        3 => Just((1, 1)),
        1 => Just((1, 1024)),
        1 => Just((1024, 1)),
        3 => (1_u64..=5, 1_u64..=2),
    ]
    .prop_map(|(n, d)| Weight::new(n, d).unwrap())
}

fn teams() -> impl Strategy<Value = Vec<TeamSpec>> {
    vec((weight(), prop::option::weighted(0.4, 0_u32..8)), 1..=6).prop_map(|teams| {
        let team = |(index, (weight, parent)): (usize, (Weight, Option<u32>))| {
            let mut team = TeamSpec::new(format!("team-{index}")).with_weight(weight);
            // A parent is an earlier team, so that there is no cycle.
            team.parent = parent.map(TeamId::new).filter(|parent| parent.index() < index);
            team
        };
        teams.into_iter().enumerate().map(team).collect()
    })
}

fn alternative() -> impl Strategy<Value = Alternative> {
    let part = prop::sample::select(vec![250_u64, 400, 500, 700]);
    let gpu =
        prop_oneof![3 => Just(0_u64), 3 => part, 2 => 1_000_u64..=4_000, 3 => Just(1_000), 1 => Just(8_000)];
    let eligible = 0_u8..=7;
    (
        gpu,
        0_u64..=6,
        0_u64..=1,
        prop_oneof![3 => Just(1_u32), 3 => 2_u32..=4, 1 => Just(40)],
        eligible,
        1_u32..=2,
        prop::bool::weighted(0.2),
    )
        .prop_map(|(gpu, cpu, memory, workers, eligible, speed, across)| {
            let mut request =
                Resources::new().cpu(cpu).memory_gib(memory).with(ResourceKind::GPU, Quantity::new(gpu));
            if request.is_empty() {
                request = request.cpu(1);
            }
            let mut alternative =
                Alternative::new(request).with_workers(workers).with_speed_milli(speed * 500);
            alternative.across_domains = across;
            match eligible {
                0 => alternative.on("H200"),
                1 => alternative.on("L4"),
                2 => alternative.in_pools(vec![PoolId::new(0)]),
                _ => alternative,
            }
        })
}

fn shape() -> impl Strategy<Value = ShapeSpec> {
    // Few read anything, so that most find a pool.
    let datasets = prop_oneof![6 => Just(vec![]), 1 => Just(vec!["web"]), 1 => Just(vec!["web", "books"])];
    let parts = (vec(alternative(), 1..=2), prop_oneof![1 => Just(0), 1 => -1..=1], datasets, any::<bool>());
    parts.prop_map(|(alternatives, class, datasets, remotely)| {
        let mut shape = ShapeSpec::new(alternatives[0].clone()).with_class(class).reading(datasets);
        shape.reads_remotely = remotely;
        for alternative in alternatives.into_iter().skip(1) {
            shape = shape.or(alternative);
        }
        shape
    })
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        16 => (
            0_usize..8,
            0_usize..8,
            prop::option::of(0_u64..5),
            prop::option::of(0_u64..9),
            prop::bool::weighted(0.1),
        )
            .prop_map(|(team, shape, length, limit, fixed)| Op::Submit { team, shape, length, limit, fixed }),
        4 => (0_usize..64).prop_map(Op::Complete),
        1 => (0_usize..64).prop_map(Op::Cancel),
        1 => (0_usize..4, 0_u32..=5).prop_map(|(pool, up)| Op::SetUp { pool, up }),
        4 => Just(Op::Schedule),
        2 => (0_i64..4).prop_map(Op::Wait),
    ]
}

/// An allowance of GPUs or cores in one of the first pools, small enough to bind.
fn allowance() -> impl Strategy<Value = Allowance> {
    (0_u32..2, any::<bool>(), 0_u64..=6).prop_map(|(pool, gpu, units)| {
        let kind = if gpu { ResourceKind::GPU } else { ResourceKind::CPU };
        Allowance::new(PoolId::new(pool), kind, Quantity::new(units * 1_000))
    })
}

/// What is named twice, or names no pool, is left out; so are quotas that do not add up.
fn with_allowances(mut config: Config, allowances: Vec<(usize, u8, Allowance)>) -> Config {
    for (team, what, allowance) in allowances {
        let (units, period) = (allowance.amount.get() / 500, 5 + u64::from(what) * 3);
        let mut tried = config.clone();
        let team = team % tried.teams.len();
        let team = &mut tried.teams[team];
        match what {
            8 => team.budget = Some(Budget { most: Spending::GpuMillis(units), period: Millis::new(period) }),
            9 => {
                let most = Spending::Usd(MicroUsd::new(units / 4));
                team.budget = Some(Budget { most, period: Millis::new(period) });
            }
            0..=4 => team.quota.push(allowance),
            5 => team.limit.push(allowance),
            6 => team.borrow.push(allowance),
            _ => team.lend.push(allowance),
        }
        if fairshare::Scheduler::new(tried.clone()).is_ok() {
            config = tried;
        }
    }
    // A static partition needs a quota.
    if config.policy.order == OrderName::Static && fairshare::Scheduler::new(config.clone()).is_err() {
        config.policy.order = OrderName::Fifo;
    }
    config
}

/// Nobody, lower ranks or equal ones too, and bounds of which most do not bind.
fn preemption() -> impl Strategy<Value = (Preemption, EvictionBounds)> {
    (
        prop::sample::select(vec![
            Preemption::None,
            Preemption::Priority,
            Preemption::Reclaim,
            Preemption::Reclaim,
            Preemption::Reclaim,
            Preemption::Reclaim,
        ]),
        prop_oneof![3 => Just(0_u64), 1 => 1_u64..6],
        prop_oneof![3 => Just(0_u32), 1 => 1_u32..500],
        prop_oneof![4 => Just(None), 1 => Just(Some(2_000)), 1 => (500_u64..4_000).prop_map(Some)],
        prop::option::weighted(0.2, 0_u64..3),
        prop_oneof![3 => Just(0_u64), 1 => 1_u64..6],
    )
        .prop_map(|(preemption, minimum_run, hysteresis, ratio, seconds, back_off)| {
            let mut bounds = EvictionBounds::default();
            bounds.minimum_run = Millis::new(minimum_run);
            bounds.hysteresis_milli = hysteresis;
            bounds.ratio_milli = ratio;
            bounds.gpu_seconds_per_hour = seconds;
            bounds.back_off = Millis::new(back_off);
            (preemption, bounds)
        })
}

pub(crate) fn policy() -> impl Strategy<Value = PolicySpec> {
    (
        // Gavel is a whole policy with tests of its own.
        prop::sample::select(
            OrderName::ALL.into_iter().filter(|order| *order != OrderName::Gavel).collect::<Vec<_>>(),
        ),
        prop::sample::select(vec![
            Backfill::None,
            Backfill::BestEffort,
            Backfill::BestEffort,
            Backfill::Easy,
            Backfill::Easy,
            Backfill::Easy,
            Backfill::Conservative,
        ]),
        prop::sample::select(ClassScope::ALL.to_vec()),
        preemption(),
        (prop::sample::select(Placement::ALL.to_vec()), 0_u64..3),
        history(),
    )
        .prop_map(|(order, backfill, priority, (preemption, bounds), (placement, seed), history)| {
            let mut policy = PolicySpec::new(order).with_backfill(backfill).with_priority(priority);
            (policy.half_life, policy.rank_period, policy.factors) = history;
            let policy = policy.with_placement(placement).with_seed(seed);
            // Plans of everybody would be void.
            let none = backfill == Backfill::Conservative;
            policy.with_bounds(bounds).with_preemption(if none { Preemption::None } else { preemption })
        })
}

/// What orders that look at past use go by.
fn history() -> impl Strategy<Value = (Millis, Millis, FactorWeights)> {
    let weights = prop::array::uniform4(prop_oneof![1 => Just(0_u32), 3 => 1_u32..=5]);
    (1_u64..=10, 1_u64..=4, weights).prop_map(|(half_life, rank_period, [age, fairshare, size, class])| {
        let factors = FactorWeights { age, fairshare, size, class: class * 500, max_age: Millis::new(20) };
        (Millis::new(half_life), Millis::new(rank_period), factors)
    })
}

pub(crate) fn case() -> impl Strategy<Value = Case> {
    (1_usize..=3)
        .prop_flat_map(|pools| {
            let pools: Vec<_> = (0..pools).map(pool).collect();
            let allowances =
                prop_oneof![1 => Just(Vec::new()), 3 => vec((0_usize..8, 0_u8..10, allowance()), 1..=12)];
            (pools, teams(), vec(shape(), 1..=5), vec(op(), 20..=110), policy(), allowances)
        })
        .prop_map(|(pools, teams, shapes, ops, policy, allowances)| Case {
            config: with_allowances(Config::new(pools, teams).with_policy(policy), allowances),
            shapes,
            ops,
        })
}

/// Cases in which most jobs read data sets, from elsewhere where they may, which takes about as long as they run and costs
/// about as much.
pub(crate) fn reading_from_elsewhere() -> impl Strategy<Value = Case> {
    let pool = (
        prop::sample::select(vec![Some("books"), Some("*"), None, None]),
        prop::sample::select(vec![None, Some("a"), Some("b")]),
        prop_oneof![1 => Just(0_u64), 3 => 1_u64..9],
        1_u32..=3,
        prop::bool::weighted(0.9),
        1_u64..=9,
    );
    let reads =
        prop::sample::select(vec![vec!["web"], vec!["web"], vec!["books", "web"], vec!["laws"], vec![]]);
    let sizes = prop::array::uniform2(prop::option::weighted(0.85, 1_u64..=900));
    let case = prop_oneof![1 => case().boxed(), 2 => reserving_case().boxed()];
    (case, vec(pool, 3), vec((reads, prop::bool::weighted(0.9)), 5), sizes).prop_map(
        |(mut case, pools, shapes, sizes)| {
            for (spec, (dataset, cloud, egress, link, priced, price)) in
                case.config.pools.iter_mut().zip(pools)
            {
                spec.datasets = dataset.into_iter().map(String::from).collect();
                spec.cloud = cloud.map(String::from);
                spec.egress_gb = MicroUsd::new(egress * 300_000);
                spec.link_mbps = link;
                let hour = MicroUsd::new(price * 350_000);
                spec.price = priced.then_some(Price { unit: PriceUnit::Gpu, hour });
            }
            for (shape, (reads, remotely)) in case.shapes.iter_mut().zip(shapes) {
                shape.datasets = reads.into_iter().map(String::from).collect();
                shape.reads_remotely = remotely;
            }
            case.config.pools[0].datasets.push("web".to_owned());
            let known = ["web", "books"].into_iter().zip(sizes);
            let known = known.filter_map(|(name, bytes)| Some(DatasetSpec::new(name, bytes?)));
            case.config.datasets = known.collect();
            if fairshare::Scheduler::new(case.config.clone()).is_err() {
                // Budgets in money need a price everywhere.
                case.config.teams.iter_mut().for_each(|team| team.budget = None);
            }
            case
        },
    )
}

/// Nodes go down and come up one by one.
pub(crate) fn node_by_node() -> impl Strategy<Value = Case> {
    prop_oneof![2 => case().boxed(), 1 => gangs_in_domains().boxed(), 1 => reserving_case().boxed()].prop_map(
        |mut case| {
            for op in &mut case.ops {
                if let Op::SetUp { pool, up } = *op {
                    *op = Op::Turn { pool, node: up };
                }
            }
            case
        },
    )
}

/// Cases in which most jobs are gangs, and pools have several fabric domains.
pub(crate) fn gangs_in_domains() -> impl Strategy<Value = Case> {
    let splits = vec((3_u32..=6, 1_u32..32), 3);
    let gangs = vec(prop_oneof![2 => Just(1_u32), 3 => Just(2), 2 => Just(3), 1 => Just(5)], 10);
    (case(), splits, gangs).prop_map(|(mut case, splits, gangs)| {
        for (pool, (nodes, cuts)) in case.config.pools.iter_mut().zip(splits) {
            (pool.nodes, pool.divisible) = (nodes, false);
            pool.domains = domains(nodes, cuts);
        }
        let alternatives = case.shapes.iter_mut().flat_map(|shape| &mut shape.alternatives);
        for (alternative, workers) in alternatives.zip(gangs) {
            alternative.workers = workers;
        }
        if fairshare::Scheduler::new(case.config.clone()).is_err() {
            // What is guaranteed was so of pools of another size.
            case.config.teams.iter_mut().for_each(|team| team.quota.clear());
            case.config = with_allowances(case.config, Vec::new());
        }
        case
    })
}

/// Cases in which blocked jobs have reservations beside quotas and limits, and all jobs say how long they may run.
pub(crate) fn reserving_case() -> impl Strategy<Value = Case> {
    (case(), prop::bool::weighted(0.7), vec((0_usize..8, 0_u8..8, allowance()), 2..=9)).prop_map(
        |(mut case, easy, allowances)| {
            let policy = &mut case.config.policy;
            policy.backfill = if easy { Backfill::Easy } else { Backfill::Conservative };
            if !easy {
                policy.preemption = Preemption::None;
            }
            // What a team has spent would hide what it may hold.
            case.config.teams.iter_mut().for_each(|team| team.budget = None);
            case.config = with_allowances(case.config, allowances);
            for op in &mut case.ops {
                if let Op::Submit { limit, .. } = op {
                    *limit = Some(1 + 3 * limit.unwrap_or(4));
                }
            }
            // Many cycles while little has ended: what is free is looked at again and again.
            let ops = case.ops.chunks(2).flat_map(|ops| ops.iter().cloned().chain([Op::Schedule]));
            case.ops = ops.filter(|op| !matches!(op, Op::Complete(which) if which % 2 == 0)).collect();
            case
        },
    )
}
