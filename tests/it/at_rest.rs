//! A steady state comes to rest: where nothing happens outside, evictions end however long time goes on.
//!
//! Trees of teams with quotas below quotas, more than two classes, jobs of inner teams, and the bounds that time lifts.
//! Absent on purpose: every order of legal plans at one instant (see `livelock`).

use fairshare::{
    Allowance, Alternative, Blocked, Config, Decision, EvictionBound, EvictionBounds, JobSpec, JobState,
    Millis, NodeId, OrderName, PolicySpec, PoolId, PoolSpec, Preemption, Quantity, ResourceKind, Resources,
    Scheduler, ShapeSpec, Submission, TeamId, TeamSpec, Timestamp,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// A team by its parent and quota of GPUs.
type Team = (Option<u32>, Option<u64>);

/// A job by its team, GPUs and class.
type Job = (u32, u64, i32);

fn gpus(amount: u64) -> Allowance {
    Allowance::new(PoolId::new(0), ResourceKind::GPU, Quantity::new(1_000 * amount))
}

fn config(capacity: u32, teams: &[Team], bounds: EvictionBounds) -> Config {
    let pools = vec![PoolSpec::new("p", capacity, Resources::new().gpu(1)).as_divisible()];
    let team = |(index, (parent, quota)): (usize, &Team)| {
        let team = TeamSpec::new(format!("t{index}"));
        let team = parent.map_or(team.clone(), |parent| team.under(TeamId::new(parent)));
        quota.map_or(team.clone(), |quota| team.with_quota(gpus(quota)))
    };
    let policy = PolicySpec::new(OrderName::Drf).with_preemption(Preemption::Reclaim).with_bounds(bounds);
    Config::new(pools, teams.iter().enumerate().map(team).collect()).with_policy(policy)
}

fn submit(scheduler: &mut Scheduler, (team, gpus, class): Job) {
    let shape = Alternative::new(Resources::new().gpu(gpus));
    let shape = scheduler.intern(&ShapeSpec::new(shape).with_class(class)).unwrap();
    let job = JobSpec::new(TeamId::new(team), shape, Timestamp::ZERO);
    let _: Submission = scheduler.submit(Timestamp::ZERO, job).unwrap();
}

/// Goes on by the scheduler's own wakeups alone; how many there were, and the evictions of each half of those allowed.
fn by_wakeups(scheduler: &mut Scheduler, most: usize) -> (usize, usize, usize) {
    let (mut first, mut last) = (0, 0);
    for wakeups in 0..most {
        let Some(next) = scheduler.next_wakeup() else { return (wakeups, first, last) };
        scheduler.schedule(next).unwrap();
        let half = if wakeups * 2 < most { &mut first } else { &mut last };
        *half += scheduler.evictions().len();
    }
    (most, first, last)
}

/// Three jobs of a team without a quota in a team with one, then one beside it of a lower class, then one of the quota's.
fn round_of_three(minimum_run: u64, back_off: u64) -> Scheduler {
    let teams = [(None, Some(2)), (Some(0), Some(2)), (Some(0), None), (None, None)];
    let mut bounds = EvictionBounds::default();
    (bounds.minimum_run, bounds.back_off) = (Millis::new(minimum_run), Millis::new(back_off));
    let mut scheduler = Scheduler::new(config(4, &teams, bounds)).unwrap();
    for jobs in [&[(2, 1, 50); 3][..], &[(3, 1, 1)], &[(1, 1, 0)]] {
        for job in jobs {
            submit(&mut scheduler, *job);
        }
        scheduler.schedule(Timestamp::ZERO).unwrap();
    }
    scheduler
}

#[test]
fn time_alone_does_not_go_round_between_the_levels_of_a_tree() {
    for (minimum_run, back_off) in [(60_000, 0), (0, 60_000), (60_000, 120_000)] {
        let mut scheduler = round_of_three(minimum_run, back_off);
        let (wakeups, first, last) = by_wakeups(&mut scheduler, 2_000);
        assert!(
            wakeups < 50 && first <= 10,
            "{minimum_run} {back_off}: {wakeups} wakeups, {first} evictions"
        );
        assert_eq!(last, 0, "{minimum_run} {back_off}");
        let copy = Scheduler::restore(&scheduler.snapshot()).unwrap();
        assert_eq!(copy.snapshot(), scheduler.snapshot());
        assert_eq!(scheduler.check_invariants(), Ok(()));
    }
}

#[test]
fn capacity_that_stays_as_it_is_is_no_event() {
    let mut scheduler = round_of_three(60_000, 0);
    by_wakeups(&mut scheduler, 2_000);
    let mut now = scheduler.snapshot().now;
    for _ in 0..100 {
        now = now.checked_add(Millis::new(600_000)).unwrap();
        scheduler.set_capacity(now, PoolId::new(0), 4).unwrap();
        scheduler.schedule(now).unwrap();
        assert_eq!(scheduler.evictions().len(), 0);
    }
    // As many nodes up, and others: that is one.
    let pools = vec![PoolSpec::new("p", 2, Resources::new().gpu(1))];
    let mut scheduler = Scheduler::new(Config::new(pools, vec![TeamSpec::new("a")])).unwrap();
    scheduler.set_node(Timestamp::ZERO, PoolId::new(0), NodeId::new(0), false).unwrap();
    scheduler.set_capacity(Timestamp::ZERO, PoolId::new(0), 1).unwrap();
    assert!(scheduler.snapshot().pools[0].exceptions.is_empty());
}

/// Right after a checkpoint nothing is lost: whoever was too dear may be stopped then, and both who decides and who explains
/// know when that is.
#[test]
fn what_was_too_dear_is_stopped_once_it_has_saved() {
    let minutes = |minutes: i64| Timestamp::from_millis(minutes * 60_000);
    for (moved, saved) in [(0, 60), (5, 65)] {
        let mut bounds = EvictionBounds::default();
        bounds.gpu_seconds_per_hour = Some(3_600);
        let mut scheduler = Scheduler::new(config(8, &[(None, Some(8)), (None, None)], bounds)).unwrap();
        let shape = Alternative::new(Resources::new().gpu(8));
        let shape = scheduler.intern(&ShapeSpec::new(shape)).unwrap();
        let borrows = JobSpec::new(TeamId::new(1), shape, minutes(moved));
        let borrows = borrows.with_checkpoint(Millis::new(3_600_000));
        let _: Submission = scheduler.submit(minutes(moved), borrows).unwrap();
        scheduler.schedule(minutes(moved)).unwrap();
        let job = JobSpec::new(TeamId::new(0), shape, minutes(30));
        let Submission::Queued(job) = scheduler.submit(minutes(30), job).unwrap() else { panic!("it fits") };
        assert!(scheduler.schedule(minutes(30)).unwrap().is_empty(), "it would lose too much");
        let JobState::Waiting(blocked) = scheduler.explain(job).unwrap().state else { panic!("it waits") };
        let bound = |blocked: &Blocked| match blocked {
            Blocked::Bound { bound: EvictionBound::GpuTime, until, .. } => Some(*until),
            _ => None,
        };
        assert_eq!(blocked.iter().find_map(bound), Some(Some(minutes(saved))));
        // The hour that begins before that helps nobody: the whole of it may lose less than is at stake.
        while let Some(next) = scheduler.next_wakeup().filter(|next| *next < minutes(saved)) {
            assert!(scheduler.schedule(next).unwrap().is_empty());
        }
        assert_eq!(scheduler.next_wakeup(), Some(minutes(saved)));
        let decided = scheduler.schedule(minutes(saved)).unwrap();
        assert!(decided.iter().any(|one| matches!(one, Decision::Start { job: its, .. } if *its == job)));
        assert_eq!(scheduler.evictions()[0].lost, Millis::ZERO);
    }
}

/// Quotas that add up: one of a child counts only where its parent's has room for it.
fn lawful(capacity: u32, teams: &mut [Team]) {
    let mut left: Vec<u64> = Vec::new();
    let mut of_root = u64::from(capacity);
    for (index, (parent, quota)) in teams.iter_mut().enumerate() {
        *parent = parent.filter(|parent| (*parent as usize) < index);
        let parent = parent.map(|parent| parent as usize);
        let room = match parent {
            Some(parent) => &mut left[parent],
            None => &mut of_root,
        };
        *quota = quota.map(|quota| quota.min(*room));
        *room -= quota.unwrap_or(0);
        let own = quota.unwrap_or(0);
        left.push(own);
    }
}

fn organisation() -> impl Strategy<Value = (u32, Vec<Team>, Vec<Job>, EvictionBounds)> {
    let teams = vec((prop::option::weighted(0.6, 0_u32..4), prop::option::weighted(0.6, 1_u64..=4)), 3..=6);
    let jobs = vec((0_u32..6, 1_u64..=2, prop::sample::select(vec![0, 1, 50, 100])), 4..=9);
    let bounds = (0_u64..3, 0_u64..3, prop::option::weighted(0.3, 1_u64..=100));
    (3_u32..=6, teams, jobs, bounds).prop_map(|(capacity, mut teams, mut jobs, (run, back_off, budget))| {
        lawful(capacity, &mut teams);
        let count = u32::try_from(teams.len()).unwrap();
        for job in &mut jobs {
            job.0 %= count;
        }
        let mut bounds = EvictionBounds::default();
        (bounds.minimum_run, bounds.back_off) = (Millis::new(run * 30_000), Millis::new(back_off * 45_000));
        bounds.gpu_seconds_per_hour = budget;
        (capacity, teams, jobs, bounds)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8 * ProptestConfig::default().cases, ..ProptestConfig::default() })]

    #[test]
    fn every_organisation_comes_to_rest((capacity, teams, jobs, bounds) in organisation(), at_once in any::<bool>()) {
        let mut scheduler = Scheduler::new(config(capacity, &teams, bounds)).unwrap();
        for job in &jobs {
            submit(&mut scheduler, *job);
            if !at_once {
                scheduler.schedule(Timestamp::ZERO).unwrap();
            }
        }
        scheduler.schedule(Timestamp::ZERO).unwrap();
        let (wakeups, ..) = by_wakeups(&mut scheduler, 200);
        prop_assert!(wakeups < 200, "still awake after {wakeups} wakeups");
        prop_assert_eq!(scheduler.check_invariants(), Ok(()));
    }
}
