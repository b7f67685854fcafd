//! An order of one's own in thirty lines: small jobs first, whoever's they are; equals by age. The kit says whether it is
//! one, and the scheduler runs it.

use std::cmp::Ordering;

use fairshare::{
    Alternative, Config, Contender, Demand, JobSpec, Order, PoolSpec, Resources, Scheduler, ShapeSpec,
    TeamId, TeamSpec, Timestamp, conformance,
};

#[derive(Debug)]
struct SmallestFirst;

impl Order for SmallestFirst {
    fn by_shares(&self) -> bool {
        false
    }

    /// Jobs are sorted by this before their submit time: the share of the capacity that a job asks, in millionths.
    fn rank(&self, _: &JobSpec, demand: &Demand<'_>) -> u64 {
        demand.largest_share_of(1_000_000)
    }

    fn hint(&self, _: &Contender<'_>) -> f64 {
        0.0
    }

    fn compare(&self, a: &Contender<'_>, b: &Contender<'_>) -> Ordering {
        a.place().cmp(&b.place())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let checked = conformance::check(|| Box::new(SmallestFirst), 1, 32)?;
    assert!(checked.starts > 0);

    let pool = PoolSpec::new("l4", 1, Resources::new().gpu(4));
    let config = Config::new(vec![pool], vec![TeamSpec::new("a")]);
    let mut scheduler = Scheduler::with_order(config, Box::new(SmallestFirst))?;
    for gpus in [4, 3, 1] {
        let shape = scheduler.intern(&ShapeSpec::new(Alternative::new(Resources::new().gpu(gpus))))?;
        let _ = scheduler.submit(Timestamp::ZERO, JobSpec::new(TeamId::new(0), shape, Timestamp::ZERO))?;
    }
    assert_eq!(scheduler.schedule(Timestamp::ZERO)?.len(), 2, "the jobs of one and of three GPUs");
    Ok(())
}
