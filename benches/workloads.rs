//! The three workloads on which every order and policy is timed: a thousand teams side by side, a tree four levels deep, and
//! one in which what was borrowed is taken back.
//!
//! Shared by the benches of the core and of the simulator. Absent on purpose: who replays them.

use fairshare::{
    Allowance, Alternative, PoolId, PoolSpec, Preemption, Quantity, ResourceKind, Resources, ShapeSpec,
    TeamId, TeamSpec,
};

/// One job of a workload.
pub(crate) struct Load {
    /// When it enters and how long it runs, ms.
    pub(crate) submit: i64,
    pub(crate) run: i64,
    pub(crate) team: u32,
    pub(crate) shape: usize,
}

pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) pool: PoolSpec,
    pub(crate) teams: Vec<TeamSpec>,
    pub(crate) preemption: Preemption,
    pub(crate) shapes: Vec<ShapeSpec>,
    pub(crate) loads: Vec<Load>,
}

/// Numbers that look random and are the same everywhere (`SplitMix64`).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % most
    }
}

fn seconds(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(0) * 1_000
}

fn shapes() -> Vec<ShapeSpec> {
    let shape = |gpus: u64, workers: u32| {
        ShapeSpec::new(Alternative::new(Resources::new().gpu(gpus).cpu(gpus * 8)).with_workers(workers))
    };
    vec![shape(1, 1), shape(2, 1), shape(4, 1), shape(2, 2)]
}

fn loads(seed: u64, teams: std::ops::Range<u32>, jobs: usize, span: u64) -> Vec<Load> {
    let mut numbers = Numbers(seed);
    let mut loads: Vec<Load> = (0..jobs)
        .map(|_| Load {
            submit: seconds(numbers.below(span)),
            run: seconds(60 + numbers.below(1_200)),
            team: teams.start + u32::try_from(numbers.below(u64::from(teams.end - teams.start))).unwrap_or(0),
            shape: usize::try_from(numbers.below(4)).unwrap_or(0),
        })
        .collect();
    loads.sort_by_key(|load| load.submit);
    loads
}

fn flat() -> Workload {
    let pool = PoolSpec::new("gpu", 4_000, Resources::new().gpu(1).cpu(8)).as_divisible();
    Workload {
        name: "flat, 1000 teams",
        pool,
        teams: (0..1_000).map(|team| TeamSpec::new(format!("team-{team}"))).collect(),
        preemption: Preemption::None,
        shapes: shapes(),
        loads: loads(1, 0..1_000, 10_000, 3_000),
    }
}

/// Five departments of five groups of five teams of eight users.
fn deep() -> Workload {
    let mut teams = Vec::new();
    let mut above: Vec<Option<TeamId>> = vec![None];
    let mut first_leaf = 0;
    for fan_out in [5, 5, 5, 8] {
        first_leaf = teams.len();
        let mut level = Vec::new();
        for parent in &above {
            for _ in 0..fan_out {
                let mut team = TeamSpec::new(format!("team-{}", teams.len()));
                team.parent = *parent;
                level.push(Some(TeamId::new(u32::try_from(teams.len()).unwrap_or(u32::MAX))));
                teams.push(team);
            }
        }
        above = level;
    }
    let range = u32::try_from(first_leaf).unwrap_or(0)..u32::try_from(teams.len()).unwrap_or(0);
    Workload {
        name: "four levels",
        pool: PoolSpec::new("gpu", 500, Resources::new().gpu(8).cpu(64)),
        teams,
        preemption: Preemption::None,
        shapes: shapes(),
        loads: loads(2, range, 4_000, 1_000),
    }
}

/// Eight teams with quotas on 64 nodes: half of them borrow first, the others come back for what is theirs.
fn reclaim() -> Workload {
    let mut early = loads(3, 0..4, 600, 300);
    let late = loads(4, 4..8, 600, 300);
    early.extend(late.into_iter().map(|load| Load { submit: load.submit + 400_000, ..load }));
    let quota = Allowance::new(PoolId::new(0), ResourceKind::GPU, Quantity::new(64_000));
    Workload {
        name: "reclaim",
        pool: PoolSpec::new("gpu", 64, Resources::new().gpu(8).cpu(64)),
        teams: (0..8).map(|team| TeamSpec::new(format!("team-{team}")).with_quota(quota)).collect(),
        preemption: Preemption::Reclaim,
        shapes: shapes(),
        loads: early,
    }
}

/// All of them.
pub(crate) fn workloads() -> [Workload; 3] {
    [flat(), deep(), reclaim()]
}
