//! Utilization, goodput and offered load.
//!
//! Formula: utilization = Σ amount·time held / Σ capacity·time, from the first submission to the last end, per pool and
//! kind; evicted attempts hold what they hold. goodput = the same without what was held for work that has to be done
//! again, while data sets were moved, or by jobs that came to nothing: they ended as failed by their record, or the
//! reaper stopped them. Population: all jobs that started, never trimmed; one that has not ended has not failed. offered
//! load = Σ amount·run time of the first alternative / capacity·time from first to last submission, of a pool's main
//! kind (GPUs where it has any, else CPUs, else the first kind); a job that fits several pools counts in each by its
//! part of their capacity. Unit: ratios; a load above 1 cannot be served as it comes. Capacity counts for as long as it
//! is up. Estimator: exact sums of thousandths × ms, one division. Source: goodput as completed useful work, Basney and
//! Livny, "Improving goodput by coscheduling CPU and network capacity", 1999; offered load of queues, ρ.

use fairshare::{Alternative, Eligible, PoolSpec, ResourceKind, Resources};

use super::{Demands, ratio};
use crate::record::Record;
use crate::setup::Setup;
use crate::trace::{Trace, TraceShape};

/// Amount × ms by pool and kind.
///
/// # Examples
///
/// Of four GPUs one job holds three for 100 s; the other comes after 40 s, asks two, waits, and holds them until 150 s:
///
/// ```
/// use fairshare::ResourceKind;
/// use fairshare_sim::metrics::{Demands, counts::Counts, utilization::{Usage, offered_load}};
/// use fairshare_sim::{Scenario, Setup, simulate, trace::{Input, Trace, TraceOptions}};
/// let text = "[[pool]]\nname = 'p'\nnodes = 1\nnode = { gpu = 4 }\n";
/// let scenario = Scenario::parse("utilization", text, &[]).unwrap();
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("jobs.csv");
/// std::fs::write(&path, "job_id,submit_s,run_s,team,gpu\n1,0,100,a,3\n2,40,50,a,2\n").unwrap();
/// let trace = Trace::load(&[Input { path, format: None }], &TraceOptions::default()).unwrap();
/// let setup = Setup::new(&scenario, &trace).unwrap();
/// let record = simulate(&setup, &trace, &mut (), &|| false).unwrap();
/// let demands = Demands::new(&setup, &trace);
/// let usage = Usage::new(&setup, &trace, &record, &demands, Some((0, 150_000)));
/// assert_eq!(usage.of_pool(0, ResourceKind::GPU), Some(400.0 / 600.0));
/// assert_eq!(usage.good(ResourceKind::GPU), Some(400.0 / 600.0), "nobody is stopped");
/// let counts = Counts::of(&setup, &trace, &record);
/// let load = offered_load(&setup, &trace.shapes, &counts.run_of_shape, Some((0, 40_000)));
/// assert_eq!(load, [Some(400.0 / 160.0)], "while jobs come");
/// ```
///
/// What is recorded as failed held what it held, to no good: of the 400 above the second job's 100.
///
/// ```
/// use fairshare::ResourceKind;
/// use fairshare_sim::metrics::{Demands, utilization::Usage};
/// use fairshare_sim::{Scenario, Setup, simulate, trace::{Input, Trace, TraceOptions}};
/// let text = "[[pool]]\nname = 'p'\nnodes = 1\nnode = { gpu = 4 }\n";
/// let scenario = Scenario::parse("utilization", text, &[]).unwrap();
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("jobs.csv");
/// std::fs::write(&path, "job_id,submit_s,run_s,team,gpu,status\n1,0,100,a,3,completed\n2,40,50,a,2,failed\n").unwrap();
/// let trace = Trace::load(&[Input { path, format: None }], &TraceOptions::default()).unwrap();
/// let setup = Setup::new(&scenario, &trace).unwrap();
/// let record = simulate(&setup, &trace, &mut (), &|| false).unwrap();
/// let usage = Usage::new(&setup, &trace, &record, &Demands::new(&setup, &trace), Some((0, 150_000)));
/// assert_eq!(usage.overall(ResourceKind::GPU), Some(400.0 / 600.0));
/// assert_eq!(usage.good(ResourceKind::GPU), Some(300.0 / 600.0));
/// ```
#[derive(Clone, Debug)]
pub struct Usage {
    held: Vec<Vec<u128>>,
    /// The part of it for work that an eviction undid.
    lost: Vec<Vec<u128>>,
    /// The part of it that was held to some good.
    good: Vec<Vec<u128>>,
    available: Vec<Vec<u128>>,
}

/// The whole pool.
#[must_use]
pub fn capacity(pool: &PoolSpec) -> Resources {
    pool.node.checked_mul(u64::from(pool.nodes)).unwrap_or(pool.node)
}

impl Usage {
    /// What was held, and what was there from the first time of `window` to the second.
    #[must_use]
    pub fn new(
        setup: &Setup,
        trace: &Trace,
        record: &Record,
        demands: &Demands,
        window: Option<(i64, i64)>,
    ) -> Self {
        let kinds: Vec<ResourceKind> = setup.config.kinds.iter().collect();
        let mut held = vec![vec![0_u128; kinds.len()]; setup.config.pools.len()];
        let (mut lost, mut wasted) = (held.clone(), held.clone());
        record.stretches().for_each(|stretch| {
            let demand = demands.of(trace, stretch.row, stretch.alternative);
            let length = stretch.length_ms();
            let good_ms = record.good(trace, stretch).map_or(0, |good| good.length_ms());
            let add = |table: &mut Vec<Vec<u128>>, ms: u64| {
                for (kind, sum) in kinds.iter().zip(&mut table[stretch.pool]) {
                    *sum += u128::from(demand[*kind].get()) * u128::from(ms);
                }
            };
            add(&mut held, length);
            if good_ms < length {
                add(&mut wasted, length - good_ms);
            }
            if stretch.lost {
                add(&mut lost, length);
            }
        });
        let mut good = held.clone();
        for (good, wasted) in good.iter_mut().flatten().zip(wasted.iter().flatten()) {
            *good -= wasted;
        }
        let of_pool = |pool: usize| kinds.iter().map(|kind| setup.available(pool, *kind, window)).collect();
        let available = (0..setup.config.pools.len()).map(of_pool).collect();
        Self { held, lost, good, available }
    }

    /// The utilization of one pool; `None` where it has nothing of the kind, or no time passed.
    #[must_use]
    pub fn of_pool(&self, pool: usize, kind: ResourceKind) -> Option<f64> {
        ratio(self.held[pool][kind.index()], self.available[pool][kind.index()])
    }

    /// The utilization over all pools.
    #[must_use]
    pub fn overall(&self, kind: ResourceKind) -> Option<f64> {
        let sum = |table: &Vec<Vec<u128>>| table.iter().map(|pool| pool[kind.index()]).sum();
        ratio(sum(&self.held), sum(&self.available))
    }

    /// Adds what was held in another part of the same run.
    pub fn add(&mut self, other: &Self) {
        for (sums, more) in
            [(&mut self.held, &other.held), (&mut self.lost, &other.lost), (&mut self.good, &other.good)]
        {
            for (sum, more) in sums.iter_mut().flatten().zip(more.iter().flatten()) {
                *sum += more;
            }
        }
    }

    /// The goodput of one pool; `None` as for its utilization.
    #[must_use]
    pub fn good_of_pool(&self, pool: usize, kind: ResourceKind) -> Option<f64> {
        ratio(self.good[pool][kind.index()], self.available[pool][kind.index()])
    }

    /// The goodput over all pools.
    #[must_use]
    pub fn good(&self, kind: ResourceKind) -> Option<f64> {
        let sum = |table: &Vec<Vec<u128>>| table.iter().map(|pool| pool[kind.index()]).sum();
        ratio(sum(&self.good), sum(&self.available))
    }

    /// Amount × ms of a kind held over all pools for work that has to be done again.
    #[must_use]
    pub fn lost(&self, kind: ResourceKind) -> u128 {
        self.lost.iter().map(|pool| pool[kind.index()]).sum()
    }

    /// Amount × ms of a kind held over all pools.
    #[must_use]
    pub fn held(&self, kind: ResourceKind) -> u128 {
        self.held.iter().map(|pool| pool[kind.index()]).sum()
    }
}

/// The kind by which a pool is measured.
#[must_use]
pub fn main_kind(pool: &PoolSpec) -> ResourceKind {
    let first = pool.node.iter().next().map_or(ResourceKind::CPU, |(kind, _)| kind);
    [ResourceKind::GPU, ResourceKind::CPU]
        .into_iter()
        .find(|kind| pool.node[*kind].get() > 0)
        .unwrap_or(first)
}

/// The offered load of every pool, from the run times of all jobs of each shape that came and when the first and the last did,
/// ms; `None` where all come at once.
#[must_use]
pub fn offered_load(
    setup: &Setup,
    shapes: &[TraceShape],
    run_of_shape: &[u128],
    window: Option<(i64, i64)>,
) -> Vec<Option<f64>> {
    let pools = &setup.config.pools;
    let mut offered = vec![0_u128; pools.len()];
    for (shape, &run) in shapes.iter().zip(run_of_shape) {
        let Ok((spec, _)) = setup.shape(shape) else { continue };
        let Some(first) = spec.alternatives.first() else { continue };
        let fitting: Vec<(usize, &PoolSpec)> =
            fitting(setup, first).into_iter().map(|index| (index, &pools[index])).collect();
        let size = |pool: &PoolSpec| u128::from(capacity(pool)[main_kind(pool)].get());
        let whole: u128 = fitting.iter().map(|(_, pool)| size(pool)).sum();
        for (index, pool) in fitting {
            let amount = u128::from(first.request[main_kind(pool)].get()) * u128::from(first.workers);
            // Amounts are below 2^53 and run times below 2^63: the product is divided before it can overflow.
            let part = (amount * run).checked_mul(size(pool)).map(|product| product / whole.max(1));
            offered[index] += part.unwrap_or_else(|| amount * run / whole.max(1) * size(pool));
        }
    }
    let load = |(index, pool): (usize, &PoolSpec)| {
        ratio(offered[index], setup.available(index, main_kind(pool), window))
    };
    pools.iter().enumerate().map(load).collect()
}

/// The pools that an alternative may start in and, empty, has room in.
pub(crate) fn fitting(setup: &Setup, alternative: &Alternative) -> Vec<usize> {
    let fits = |(index, pool): &(usize, &PoolSpec)| {
        let room = if pool.divisible { capacity(pool) } else { pool.node };
        eligible(&alternative.pools, *index, pool)
            && alternative.request.fits_in(&room)
            && gang_fits(alternative, pool)
    };
    setup.config.pools.iter().enumerate().filter(fits).map(|(index, _)| index).collect()
}

/// Whether the whole gang fits into the empty pool, amount by amount.
fn gang_fits(alternative: &Alternative, pool: &PoolSpec) -> bool {
    let gang = alternative.request.checked_mul(u64::from(alternative.workers));
    gang.is_some_and(|gang| gang.fits_in(&capacity(pool)))
}

fn eligible(pools: &Eligible, index: usize, pool: &PoolSpec) -> bool {
    match pools {
        Eligible::Any => true,
        Eligible::Accelerator(name) => pool.accelerator.as_ref() == Some(name),
        Eligible::Pools(list) => list.iter().any(|id| id.index() == index),
    }
}
