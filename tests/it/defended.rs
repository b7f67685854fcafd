//! Defended: a quota defends its teams against others, whoever of them gives way first and whoever fills it.
//!
//! Some plans start with a job that the search looks at late: one that borrows, behind those of the own department that may
//! not be stopped; one that fills the quota, behind strangers who may be only once it is gone. And what becomes free of a quota
//! goes to the oldest. A job of the team for which nobody can be stopped does not stand in the way. Absent on purpose: what is
//! legal (see `livelock`).

use fairshare::{
    Allowance, Alternative, Config, Decision, EvictReason, JobId, JobSpec, Millis, OrderName, PolicySpec,
    PoolId, PoolSpec, Preemption, Quantity, ResourceKind, Resources, Scheduler, ShapeId, ShapeSpec,
    Submission, TeamId, TeamSpec, Timestamp, Weight,
};

fn quota(gpus: u64) -> Allowance {
    Allowance::new(PoolId::new(0), ResourceKind::GPU, Quantity::from_units(gpus).unwrap())
}

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
        let quota = quota(2 * u64::from(nodes));
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
            let mut teams = vec![TeamSpec::new("owner").with_quota(quota(2)), TeamSpec::new("other")];
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

/// A team within its own quota takes back what another of its department holds of the department's, and one of a stranger's:
/// alone against strangers it counts for nothing before the first is gone. What runs in another pool does not matter.
#[test]
fn a_quota_that_a_sibling_fills_is_taken_from_it_and_from_others() {
    for (divisible, preemption) in
        [Preemption::Priority, Preemption::Reclaim].into_iter().flat_map(|p| [(false, p), (true, p)])
    {
        for (strangers, siblings) in [(0, 0), (5, 0), (5, 5), (0, 5)] {
            for elsewhere in [false, true] {
                let case = format!("{divisible} {preemption:?} {strangers} {siblings} {elsewhere}");
                let department = TeamId::new(0);
                let teams = vec![
                    TeamSpec::new("department").with_quota(quota(2)),
                    TeamSpec::new("asks").under(department).with_quota(quota(2)),
                    TeamSpec::new("sibling").under(department),
                    TeamSpec::new("stranger"),
                ];
                let pool = PoolSpec::new("pool", 1, Resources::new().gpu(4));
                let pools = vec![
                    if divisible { pool.as_divisible() } else { pool },
                    PoolSpec::new("other", 1, Resources::new().gpu(1)),
                ];
                let policy = PolicySpec::new(OrderName::Drf).with_preemption(preemption);
                let mut scheduler = Scheduler::new(Config::new(pools, teams).with_policy(policy)).unwrap();
                let mut submit = |team, pool, gpus, class, now| {
                    let now = Timestamp::from_millis(now);
                    let one = Alternative::new(Resources::new().gpu(gpus)).in_pools(vec![PoolId::new(pool)]);
                    let shape = scheduler.intern(&ShapeSpec::new(one).with_class(class)).unwrap();
                    let _ = scheduler.submit(now, JobSpec::new(TeamId::new(team), shape, now)).unwrap();
                    scheduler.schedule(now).unwrap().to_vec()
                };
                if elsewhere {
                    submit(3, 1, 1, -1, 0);
                }
                submit(2, 0, 1, siblings, 0);
                for _ in 0..3 {
                    submit(3, 0, 1, strangers, 0);
                }
                let decided = submit(1, 0, 2, 0, 1);
                let [Decision::Evict { .. }, Decision::Evict { .. }, Decision::Start { .. }] = decided[..]
                else {
                    panic!("{decided:?}: {case}")
                };
                assert_eq!(scheduler.running(TeamId::new(2)).unwrap(), 0, "{case}");
                assert_eq!(scheduler.running(TeamId::new(3)).unwrap(), 2 + u32::from(elsewhere), "{case}");
            }
        }
    }
}

/// Quota that becomes free goes to the oldest of those who run beyond it, whatever the team's own order is.
#[test]
fn the_oldest_is_promoted() {
    for order in [OrderName::Drf, OrderName::Sjf] {
        let teams = vec![TeamSpec::new("a").with_quota(quota(1)), TeamSpec::new("b").with_quota(quota(2))];
        let pool = PoolSpec::new("pool", 1, Resources::new().gpu(3));
        let policy = PolicySpec::new(order).with_preemption(Preemption::Reclaim);
        let mut scheduler = Scheduler::new(Config::new(vec![pool], teams).with_policy(policy)).unwrap();
        let one = scheduler.intern(&ShapeSpec::new(Alternative::new(Resources::new().gpu(1)))).unwrap();
        let submit = |scheduler: &mut Scheduler, team, now, limit: Option<u64>| -> JobId {
            let now = Timestamp::from_millis(now);
            let job = JobSpec::new(TeamId::new(team), one, now);
            let job = limit.map_or(job, |limit| job.with_time_limit(Millis::new(limit)));
            let Submission::Queued(id) = scheduler.submit(now, job).unwrap() else { panic!("it fits") };
            id
        };
        let [guaranteed, older, younger] = [(0, None), (1, None), (2, Some(1_000))].map(|(now, limit)| {
            let job = submit(&mut scheduler, 0, now, limit);
            assert_eq!(scheduler.schedule(Timestamp::from_millis(now)).unwrap().len(), 1);
            job
        });
        scheduler.complete(Timestamp::from_millis(2), guaranteed).unwrap();
        for _ in 0..2 {
            submit(&mut scheduler, 1, 3, None);
        }
        let decided = scheduler.schedule(Timestamp::from_millis(3)).unwrap();
        let stopped: Vec<_> = decided
            .iter()
            .filter_map(|one| match one {
                Decision::Evict { job, reason, .. } => Some((*job, *reason)),
                _ => None,
            })
            .collect();
        assert_eq!(stopped, [(younger, EvictReason::Quota)], "{order:?}: {older} is promoted");
    }
}

/// What a late team of a quota of two gets beside one without, with a job of its own before it for which nobody can be stopped,
/// or without: who starts.
fn first_served(hopeless: bool) -> Vec<usize> {
    let teams =
        vec![TeamSpec::new("holds"), TeamSpec::new("other"), TeamSpec::new("late").with_quota(quota(2))];
    let [holds, other, late] = [0, 1, 2].map(TeamId::new);
    let policy = PolicySpec::new(OrderName::Drf).with_preemption(Preemption::Reclaim);
    let pool = PoolSpec::new("pool", 8, Resources::new().gpu(1)).as_divisible();
    let mut scheduler = Scheduler::new(Config::new(vec![pool], teams).with_policy(policy)).unwrap();
    let now = Timestamp::ZERO;
    let submit = |scheduler: &mut Scheduler, team: TeamId, gpus: u64| {
        let shape = ShapeSpec::new(Alternative::new(Resources::new().gpu(gpus)));
        let shape = scheduler.intern(&shape).unwrap();
        let Submission::Queued(id) = scheduler.submit(now, JobSpec::new(team, shape, now)).unwrap() else {
            unreachable!()
        };
        id
    };
    for _ in 0..8 {
        submit(&mut scheduler, holds, 1);
    }
    assert_eq!(scheduler.schedule(now).unwrap().len(), 8);
    if hopeless {
        submit(&mut scheduler, late, 8);
    }
    let waiting = [submit(&mut scheduler, other, 4), submit(&mut scheduler, late, 2)];
    let decisions = scheduler.schedule(now).unwrap();
    let started = decisions.iter().filter_map(|decision| match decision {
        Decision::Start { job, .. } => waiting.iter().position(|waits| waits == job),
        _ => None,
    });
    started.collect()
}

/// A team's quota comes before a job without any, although an older job of the team stands before it that nobody can be stopped
/// for: it holds back nobody.
#[test]
fn whoever_is_hopeless_holds_back_nobody() {
    assert_eq!(first_served(false), [1]);
    assert_eq!(first_served(true), [1]);
}

/// On a node as anywhere the department that holds most gives way first; once it holds less than another, that one does, although
/// it has teams left of whom nobody was asked.
#[test]
fn on_a_node_too_the_next_department_gives_way_once_the_first_holds_less() {
    let department = TeamId::new(0);
    let mut teams = vec![
        TeamSpec::new("department"),
        TeamSpec::new("another").with_weight(Weight::new(2, 3).unwrap()),
        TeamSpec::new("late"),
    ];
    teams.extend(["a", "b", "c"].map(|name| TeamSpec::new(name).under(department)));
    let policy = PolicySpec::new(OrderName::Drf).with_preemption(Preemption::Reclaim);
    let pool = PoolSpec::new("pool", 1, Resources::new().gpu(8));
    let mut scheduler = Scheduler::new(Config::new(vec![pool], teams).with_policy(policy)).unwrap();
    let now = Timestamp::ZERO;
    let submit = |scheduler: &mut Scheduler, team: u32, gpus: u64| {
        let shape = ShapeSpec::new(Alternative::new(Resources::new().gpu(gpus)));
        let shape = scheduler.intern(&shape).unwrap();
        let submitted = scheduler.submit(now, JobSpec::new(TeamId::new(team), shape, now)).unwrap();
        let Submission::Queued(id) = submitted else { unreachable!() };
        id
    };
    // The department holds 5, and another 3, for its weight 4.5.
    let others = [1, 1, 1].map(|team| submit(&mut scheduler, team, 1));
    for team in [3, 3, 4, 4, 5] {
        submit(&mut scheduler, team, 1);
    }
    assert_eq!(scheduler.schedule(now).unwrap().len(), 8);
    submit(&mut scheduler, 2, 2);
    let decisions = scheduler.schedule(now).unwrap();
    let stopped = decisions.iter().filter_map(|decision| match decision {
        Decision::Evict { job, .. } => Some(others.contains(job)),
        _ => None,
    });
    let mut stopped: Vec<bool> = stopped.collect();
    stopped.sort_unstable();
    assert_eq!(stopped, [false, true], "one of each");
}
