//! Defended: a department's quota defends its teams against other departments, whoever of them gives way first.
//!
//! The team that wants the quota's last unit may stop nobody of its own department, whose jobs hold most for their weight
//! and are therefore looked at first; one job that borrows would do. Absent on purpose: what is legal (see `livelock`).

use fairshare::{
    Allowance, Alternative, Config, Decision, JobSpec, OrderName, PolicySpec, PoolId, PoolSpec, Preemption,
    Quantity, ResourceKind, Resources, Scheduler, ShapeId, ShapeSpec, TeamId, TeamSpec, Timestamp, Weight,
};

/// A department with a quota for all of `pool`, of which one team runs a job on each node and another borrows the rest; a
/// team of the department, directly or in a group below it, asks for its part.
struct Cluster {
    scheduler: Scheduler,
    one: ShapeId,
    asks: TeamId,
    borrows: TeamId,
    now: i64,
}

impl Cluster {
    fn new(nodes: u32, divisible: bool, in_group: bool, low: bool) -> Self {
        let department = TeamId::new(0);
        let quota = Quantity::from_units(2 * u64::from(nodes)).unwrap();
        let quota = Allowance::new(PoolId::new(0), ResourceKind::GPU, quota);
        let [first, borrows, elsewhere] = [1, 2, 3].map(TeamId::new);
        let mut teams = vec![
            TeamSpec::new("department").with_quota(quota),
            TeamSpec::new("first").under(department),
            TeamSpec::new("borrows").with_weight(Weight::new(2, 1).unwrap()),
            TeamSpec::new("elsewhere"),
        ];
        if in_group {
            teams.push(TeamSpec::new("group").under(department));
            teams.push(TeamSpec::new("asks").under(TeamId::new(4)));
        } else {
            teams.push(TeamSpec::new("asks").under(department));
        }
        let asks = TeamId::new(u32::try_from(teams.len()).unwrap() - 1);
        let pool = PoolSpec::new("pool", nodes, Resources::new().gpu(2));
        let pools = vec![
            if divisible { pool.as_divisible() } else { pool },
            PoolSpec::new("other", 1, Resources::new().gpu(1)),
        ];
        let policy = PolicySpec::new(OrderName::Drf).with_preemption(Preemption::Reclaim);
        let mut scheduler = Scheduler::new(Config::new(pools, teams).with_policy(policy)).unwrap();
        let one = Alternative::new(Resources::new().gpu(1));
        let [one, other] = [0, 1].map(|pool| one.clone().in_pools(vec![PoolId::new(pool)]));
        let one = scheduler.intern(&ShapeSpec::new(one)).unwrap();
        let other = scheduler.intern(&ShapeSpec::new(other).with_class(-1)).unwrap();
        let mut cluster = Self { scheduler, one, asks, borrows, now: 0 };
        if low {
            assert_eq!(cluster.submit(elsewhere, other).len(), 1);
        }
        for _ in 0..nodes {
            assert_eq!(cluster.submit(first, one).len() + cluster.submit(borrows, one).len(), 2);
        }
        cluster
    }

    /// What is decided when a team submits one more job.
    fn submit(&mut self, team: TeamId, shape: ShapeId) -> Vec<Decision> {
        let now = Timestamp::from_millis(self.now);
        self.now += 1;
        let _ = self.scheduler.submit(now, JobSpec::new(team, shape, now)).unwrap();
        self.scheduler.schedule(now).unwrap().to_vec()
    }
}

#[test]
fn a_quota_is_met_whoever_gives_way_first_and_whatever_runs_elsewhere() {
    for (nodes, divisible) in [(1, false), (4, false), (1, true), (4, true)] {
        for (in_group, low) in [(false, false), (true, false), (false, true), (true, true)] {
            let mut cluster = Cluster::new(nodes, divisible, in_group, low);
            let case = format!("{nodes} nodes, divisible {divisible}, in a group {in_group}, low {low}");
            for _ in 0..nodes {
                let decisions = cluster.submit(cluster.asks, cluster.one);
                assert!(decisions.iter().any(|one| matches!(one, Decision::Evict { .. })), "{case}");
            }
            // Where it took from the other team of its department, that one takes its own back with the next event.
            for _ in 0..nodes {
                cluster.submit(cluster.borrows, cluster.one);
            }
            assert_eq!(cluster.scheduler.running(TeamId::new(0)).unwrap(), 2 * nodes, "{case}");
            assert_eq!(cluster.scheduler.running(cluster.borrows).unwrap(), 0, "{case}");
            cluster.scheduler.check_invariants().unwrap();
        }
    }
}

/// A team whose quota is full of its own batch job takes that and one of another's, of whatever class: only with the first gone
/// is it guaranteed, and both are needed for its room.
#[test]
fn a_quota_that_a_batch_job_fills_is_taken_from_it_and_from_others() {
    for (divisible, class, sibling) in
        [false, true].into_iter().flat_map(|d| [1, 5].map(|c| [(d, c, false), (d, c, true)])).flatten()
    {
        for preemption in [Preemption::Reclaim, Preemption::Priority] {
            let owner = TeamId::new(0);
            let quota = Allowance::new(PoolId::new(0), ResourceKind::GPU, Quantity::from_units(2).unwrap());
            let mut teams = vec![TeamSpec::new("owner").with_quota(quota), TeamSpec::new("other")];
            if sibling {
                teams.extend(["batch", "urgent"].map(|name| TeamSpec::new(name).under(owner)));
            }
            let (batch, urgent) = if sibling { (TeamId::new(2), TeamId::new(3)) } else { (owner, owner) };
            let pool = PoolSpec::new("pool", 1, Resources::new().gpu(4));
            let pool = if divisible { pool.as_divisible() } else { pool };
            let policy = PolicySpec::new(OrderName::Drf).with_preemption(preemption);
            let mut scheduler = Scheduler::new(Config::new(vec![pool], teams).with_policy(policy)).unwrap();
            let mut submit = |team, gpus, class, now| {
                let now = Timestamp::from_millis(now);
                let shape = ShapeSpec::new(Alternative::new(Resources::new().gpu(gpus))).with_class(class);
                let shape = scheduler.intern(&shape).unwrap();
                let _ = scheduler.submit(now, JobSpec::new(team, shape, now)).unwrap();
                scheduler.schedule(now).unwrap().to_vec()
            };
            assert_eq!(submit(batch, 1, 0, 0).len(), 1);
            for _ in 0..3 {
                assert_eq!(submit(TeamId::new(1), 1, class, 0).len(), 1);
            }
            let decided = submit(urgent, 2, 1, 1);
            let case = format!("divisible {divisible}, class {class}, sibling {sibling}, {preemption:?}");
            let [Decision::Evict { .. }, Decision::Evict { .. }, Decision::Start { .. }] = decided[..] else {
                panic!("{decided:?}: {case}")
            };
            assert_eq!(scheduler.running(owner).unwrap(), 1, "{case}");
            assert_eq!(scheduler.running(TeamId::new(1)).unwrap(), 2, "{case}");
        }
    }
}
