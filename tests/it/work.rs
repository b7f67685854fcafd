//! How much is looked at: comparisons a decision, counted by an order that tells the scheduler nothing beforehand.
//!
//! A failure here means that decisions are right and cost more than they must.

use std::cmp::Ordering;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use fairshare::{
    Alternative, Backfill, Config, Contender, Decision, JobId, JobSpec, Millis, Order, PoolSpec, Resources,
    Scheduler, ShapeId, ShapeSpec, TeamId, TeamSpec, Timestamp, Weight,
};

const NOW: Timestamp = Timestamp::ZERO;
const TEAMS: u32 = 1_000;

/// `drf`, or first in first out, with every comparison exact and counted, and every look at a team.
#[derive(Debug)]
struct Counting {
    by_shares: bool,
    compared: Arc<AtomicU64>,
    looked_at: Arc<AtomicU64>,
}

impl Order for Counting {
    fn by_shares(&self) -> bool {
        self.by_shares
    }

    fn hint(&self, _: &Contender<'_>) -> f64 {
        self.looked_at.fetch_add(1, Relaxed);
        0.0
    }

    fn compare(&self, a: &Contender<'_>, b: &Contender<'_>) -> Ordering {
        self.compared.fetch_add(1, Relaxed);
        if !self.by_shares {
            return a.place().cmp(&b.place());
        }
        a.compare_after(b).then_with(|| a.compare_now(b)).then_with(|| a.compare_ties(b))
    }
}

/// A thousand teams of unlike weights on a pool of this many nodes of eight GPUs, and what was counted.
struct Counted {
    scheduler: Scheduler,
    compared: Arc<AtomicU64>,
    looked_at: Arc<AtomicU64>,
}

impl Counted {
    fn new(nodes: u32, by_shares: bool, backfill: Backfill) -> Self {
        let (compared, looked_at) = (Arc::default(), Arc::default());
        let order =
            Counting { by_shares, compared: Arc::clone(&compared), looked_at: Arc::clone(&looked_at) };
        let team = |number: u32| {
            let weight = Weight::new(1 + u64::from(number * 7_919 % 997), 100).unwrap();
            TeamSpec::new(format!("team-{number}")).with_weight(weight)
        };
        let pool = PoolSpec::new("gpu", nodes, Resources::new().gpu(8));
        let mut config = Config::new(vec![pool], (0..TEAMS).map(team).collect());
        config.policy.backfill = backfill;
        let scheduler = Scheduler::with_order(config, Box::new(order)).unwrap();
        Self { scheduler, compared, looked_at }
    }

    fn shape(&mut self, gpus: u64) -> ShapeId {
        self.scheduler.intern(&ShapeSpec::new(Alternative::new(Resources::new().gpu(gpus)))).unwrap()
    }

    fn submit(&mut self, number: u32, shape: ShapeId) {
        let job =
            JobSpec::new(TeamId::new(number % TEAMS), shape, NOW).with_time_limit(Millis::new(3_600_000));
        let _ = self.scheduler.submit(NOW, job).unwrap();
    }

    fn started(&mut self) -> Vec<JobId> {
        let decisions = self.scheduler.schedule(NOW).unwrap();
        let job = |decision: &Decision| match decision {
            Decision::Start { job, .. } => Some(*job),
            _ => None,
        };
        decisions.iter().filter_map(job).collect()
    }

    /// Comparisons, and looks at a team, since this was asked last.
    fn counts(&self) -> (u64, u64) {
        (self.compared.swap(0, Relaxed), self.looked_at.swap(0, Relaxed))
    }
}

#[test]
fn a_completion_takes_at_most_sixty_comparisons() {
    let mut counted = Counted::new(125, true, Backfill::BestEffort);
    let shapes = [1, 2, 4].map(|gpus| counted.shape(gpus));
    for number in 0..20 * TEAMS {
        counted.submit(number, shapes[number as usize / 7 % 3]);
    }
    let mut running = counted.started();
    assert!(running.len() > 300, "{} jobs fill the pool", running.len());
    let rounds = 5_000;
    counted.counts();
    let mut started = 0;
    for round in 0..rounds {
        let ended = running.swap_remove(round * 7 % running.len());
        counted.scheduler.complete(NOW, ended).unwrap();
        counted.submit(u32::try_from(round).unwrap() * 13, shapes[round % 3]);
        let new = counted.started();
        started += new.len();
        running.extend(new);
    }
    assert!(started > rounds / 2, "{started} starts");
    let (compared, _) = counted.counts();
    let each = compared / rounds as u64;
    assert!((1..=60).contains(&each), "{each} comparisons a completion, with what comes and starts");
}

#[test]
fn whoever_holds_the_next_reservation_is_found_by_few_comparisons() {
    let mut counted = Counted::new(20, false, Backfill::Easy);
    let gpu = counted.shape(1);
    for number in 0..2 * TEAMS {
        counted.submit(number * 7, gpu);
    }
    let mut running = counted.started();
    assert_eq!(running.len(), 160, "jobs fill the pool");
    counted.counts();
    let rounds = 1_000;
    for round in 0..rounds {
        let ended = running.swap_remove(round * 7 % running.len());
        counted.scheduler.complete(NOW, ended).unwrap();
        running.extend(counted.started());
        assert_eq!(running.len(), 160, "who held the reservation has started, and another holds it");
    }
    let (compared, _) = counted.counts();
    let each = compared / rounds as u64;
    assert!((1..=60).contains(&each), "{each} comparisons a completion");
}

#[test]
fn a_completion_that_helps_nobody_looks_at_no_team() {
    let mut counted = Counted::new(125, true, Backfill::BestEffort);
    let (one, node) = (counted.shape(1), counted.shape(8));
    for number in 0..TEAMS {
        counted.submit(number, one);
    }
    let running = counted.started();
    assert_eq!(running.len(), 1_000, "one of each team fills the pool");
    for number in 0..5 * TEAMS {
        counted.submit(number, node);
    }
    assert_eq!(counted.started(), []);
    counted.counts();
    // As many nodes have one GPU free then, and whoever waits wants all eight of one.
    for ended in running.iter().step_by(8) {
        counted.scheduler.complete(NOW, *ended).unwrap();
        assert_eq!(counted.started(), []);
    }
    assert_eq!(counted.counts(), (0, 0));
}
