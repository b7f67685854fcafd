//! Reservations over time: a small clock-driven replay of whole workloads, and what model.md promises of them.

use std::collections::{BTreeMap, BinaryHeap};

use fairshare::{
    Alternative, Backfill, Blocked, Config, Decision, JobId, JobSpec, JobState, Millis, OrderName, Placement,
    PolicySpec, PoolId, PoolSpec, Quantity, ResourceKind, Resources, Scheduler, ShapeSpec, Submission,
    TeamId, TeamSpec, Timestamp,
};
use proptest::prelude::*;

/// One job of a workload; times in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Load {
    team: u32,
    submit: i64,
    cpus: u64,
    workers: u32,
    limit: u64,
    run: u64,
}

impl Load {
    fn new(team: u32, submit: i64, cpus: u64, run: u64) -> Self {
        Self { team, submit, cpus, workers: 1, limit: run, run }
    }
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// A pool of one node that holds so many cores.
fn machine(cpus: u64) -> PoolSpec {
    PoolSpec::new("machine", 1, Resources::new().cpu(cpus)).as_divisible()
}

fn config(pool: PoolSpec, teams: u32, order: OrderName, backfill: Backfill) -> Config {
    let teams = (0..teams).map(|team| TeamSpec::new(format!("team-{team}"))).collect();
    Config::new(vec![pool], teams).with_policy(PolicySpec::new(order).with_backfill(backfill))
}

/// When each job starts; jobs that end at an instant end before others are submitted, and both before a cycle.
fn starts(config: Config, loads: &[Load]) -> Vec<i64> {
    let mut scheduler = Scheduler::new(config).unwrap();
    let mut starts = vec![i64::MAX; loads.len()];
    let mut waiting: Vec<usize> = (0..loads.len()).collect();
    waiting.sort_by_key(|index| std::cmp::Reverse((loads[*index].submit, *index)));
    let mut ends = BinaryHeap::new();
    let mut numbers: BTreeMap<JobId, usize> = BTreeMap::new();
    loop {
        let next_submit = waiting.last().map(|index| loads[*index].submit);
        let next_end = ends.peek().map(|std::cmp::Reverse((end, _, _))| *end);
        let Some(now) = next_submit.into_iter().chain(next_end).min() else { return starts };
        while ends.peek().is_some_and(|std::cmp::Reverse((end, _, _))| *end == now) {
            let std::cmp::Reverse((_, _, job)) = ends.pop().unwrap();
            scheduler.complete(at(now), job).unwrap();
            numbers.remove(&job);
        }
        while waiting.last().is_some_and(|index| loads[*index].submit == now) {
            let index = waiting.pop().unwrap();
            let load = loads[index];
            let request = Alternative::new(Resources::new().cpu(load.cpus)).with_workers(load.workers);
            let shape = scheduler.intern(&ShapeSpec::new(request)).unwrap();
            let spec = JobSpec::new(TeamId::new(load.team), shape, at(now));
            let spec = spec.with_time_limit(Millis::new(load.limit));
            match scheduler.submit(at(now), spec).unwrap() {
                Submission::Queued(job) => numbers.insert(job, index),
                Submission::Rejected(why) => panic!("job {index}: {why}"),
            };
        }
        for decision in scheduler.schedule(at(now)).unwrap() {
            let Decision::Start { job, .. } = *decision else { continue };
            let index = numbers[&job];
            starts[index] = now;
            ends.push(std::cmp::Reverse((now + i64::try_from(loads[index].run).unwrap(), index, job)));
        }
    }
}

#[test]
fn easy_and_conservative_differ_as_in_the_worked_case() {
    // J1 runs until 10; J2 to J4 wait, all submitted at 0.
    let loads =
        [Load::new(0, 0, 5, 10), Load::new(0, 0, 8, 10), Load::new(0, 0, 9, 15), Load::new(0, 0, 2, 25)];
    let on = |backfill| starts(config(machine(10), 1, OrderName::Fifo, backfill), &loads);
    assert_eq!(on(Backfill::Easy), [0, 10, 25, 0]);
    assert_eq!(on(Backfill::Conservative), [0, 10, 20, 35]);
    assert_eq!(on(Backfill::None), [0, 10, 20, 35]);
    assert_eq!(on(Backfill::BestEffort), [0, 10, 25, 0]);
}

/// A plan tells apart all devices that are shared at any time, here ten of a node of eight. Whoever starts gets those that
/// are there, of the lowest numbers that nobody shares; in another pool the same numbers are others.
#[test]
fn whoever_starts_in_a_slot_gets_devices_that_there_are() {
    for placement in Placement::ALL {
        let pool = |name| PoolSpec::new(name, 1, Resources::new().gpu(8).cpu(4));
        let policy = PolicySpec::new(OrderName::Fifo).with_backfill(Backfill::Conservative);
        let config = Config::new(vec![pool("p"), pool("q")], vec![TeamSpec::new("a")]);
        let mut scheduler = Scheduler::new(config.with_policy(policy.with_placement(placement))).unwrap();
        let part = Resources::new().with(ResourceKind::GPU, Quantity::new(700));
        let shapes = [(part, 3, 0), (part.cpu(1), 4, 0), (part, 7, 1), (part, 1, 1)];
        let [three, four, seven, one] = shapes.map(|(request, workers, pool)| {
            let gang = Alternative::new(request).with_workers(workers).in_pools(vec![PoolId::new(pool)]);
            scheduler.intern(&ShapeSpec::new(gang)).unwrap()
        });
        let submit = |scheduler: &mut Scheduler, shape, now, limit| {
            let spec = JobSpec::new(TeamId::new(0), shape, at(now)).with_time_limit(Millis::new(limit));
            let Submission::Queued(job) = scheduler.submit(at(now), spec).unwrap() else { panic!("it fits") };
            job
        };
        let first = submit(&mut scheduler, three, 0, 10);
        for shape in [four, seven] {
            submit(&mut scheduler, shape, 0, 100);
        }
        assert_eq!(scheduler.schedule(at(0)).unwrap().len(), 3);
        scheduler.complete(at(1), first).unwrap();
        // It waits for the cores, and is planned on four devices; meanwhile there is room for another three.
        submit(&mut scheduler, four, 1, 100);
        let late = [three, one].map(|shape| submit(&mut scheduler, shape, 1, 1_000));
        assert_eq!(scheduler.schedule(at(1)).unwrap().len(), 2);
        scheduler.check_invariants().unwrap();
        let devices = late.map(|job| {
            let mut devices: Vec<u32> = scheduler.devices(job).map(|(_, device, _)| device).collect();
            devices.sort_unstable();
            devices
        });
        let free = if placement == Placement::Random { devices[0].clone() } else { vec![0, 1, 2] };
        assert_eq!(devices, [free, vec![7]], "under {placement:?}");
        assert_eq!(devices[0].len(), 3, "under {placement:?}");
        let snapshot = scheduler.snapshot();
        assert_eq!(Scheduler::restore(&snapshot).unwrap().snapshot(), snapshot);
    }
}

#[test]
fn nodes_are_reserved_and_not_only_amounts() {
    // Two nodes of four cores: one busy until 10, one until 20. The blocked job needs one whole node.
    let pool = PoolSpec::new("machine", 2, Resources::new().cpu(4));
    let loads = [
        Load::new(0, 0, 3, 10),
        Load::new(0, 0, 2, 20),
        Load::new(0, 1, 4, 5),
        // Ends after 10, and fits beside either: only the node that is not reserved is left to it.
        Load::new(0, 2, 1, 30),
        Load::new(0, 3, 1, 30),
        // The unreserved node is full now; this one ends in time.
        Load::new(0, 4, 1, 6),
        Load::new(0, 4, 1, 7),
    ];
    let started = starts(config(pool, 1, OrderName::Fifo, Backfill::Easy), &loads);
    assert_eq!(started, [0, 0, 10, 2, 3, 4, 15]);
}

#[test]
fn a_large_gang_does_not_starve_under_a_fair_order() {
    // 60 nodes of 8 cores and 15 teams: one wants 64 cores at once, the others 8 at a time, and more than there are.
    let mut loads = Vec::new();
    for step in 0..40_i64 {
        for team in 0..14_u32 {
            for job in 0..8 {
                let run = 70 + u64::try_from((step * 7 + i64::from(team) * 13 + job * 29) % 31).unwrap();
                loads.push(Load { limit: 100, ..Load::new(team, step * 100, 8, run) });
            }
        }
    }
    let gang = loads.len();
    loads.push(Load { workers: 8, limit: 100, ..Load::new(14, 150, 8, 100) });
    let pool = || PoolSpec::new("machine", 60, Resources::new().cpu(8));
    let wait = |order, backfill| starts(config(pool(), 15, order, backfill), &loads)[gang] - 150;
    for order in [OrderName::Drf, OrderName::DrfCurrent] {
        for backfill in [Backfill::Easy, Backfill::Conservative] {
            let wait = wait(order, backfill);
            assert!(wait <= 200, "under {order:?} and {backfill:?} the gang waits for {wait}");
        }
    }
    let starved = wait(OrderName::Drf, Backfill::BestEffort);
    assert!(starved > 1_000, "without reservations it starves; it waited for {starved}");
}

#[test]
fn two_teams_of_jobs_as_large_as_the_machine_take_turns() {
    // The job with q jobs ahead in its team starts as number 2q + 2 in all, that is at (2q + 1)·T, or just before.
    let (q, length) = (6_usize, 10);
    let loads: Vec<Load> =
        (0..=q).flat_map(|_| [Load::new(0, 0, 4, length), Load::new(1, 0, 4, length)]).collect();
    let started = starts(config(machine(4), 2, OrderName::Drf, Backfill::Easy), &loads);
    assert_eq!(started[2 * q + 1], i64::try_from(2 * q + 1).unwrap() * 10);
}

/// The bound on a gang's wait does not hold where later jobs of its own team pass it: while they run, the keys of the
/// other teams are smaller whenever the next reservation is given.
#[test]
fn a_team_can_keep_its_own_gang_waiting() {
    let mut loads: Vec<Load> =
        (0..40).flat_map(|_| [Load::new(1, 0, 3, 10), Load::new(2, 0, 3, 10)]).collect();
    let gang = loads.len();
    loads.push(Load::new(0, 1, 5, 10));
    let bound = 1 + 10 * (3 + 1);
    let on = |loads: &[Load]| starts(config(machine(5), 3, OrderName::Drf, Backfill::Easy), loads)[gang];
    assert!(on(&loads) <= bound);
    loads.extend((1..300).map(|submit| Load::new(0, submit, 1, 1)));
    assert_eq!(on(&loads), 320, "no reservation before the last short job has ended, and one more turn");
}

#[test]
fn explain_names_the_job_that_has_the_reservation() {
    for backfill in [Backfill::Easy, Backfill::Conservative] {
        let config = config(machine(10), 1, OrderName::Fifo, backfill);
        let mut scheduler = Scheduler::new(config).unwrap();
        let mut submit = |cpus: u64, limit| {
            let shape = ShapeSpec::new(Alternative::new(Resources::new().cpu(cpus)));
            let shape = scheduler.intern(&shape).unwrap();
            let spec = JobSpec::new(TeamId::new(0), shape, at(0)).with_time_limit(Millis::new(limit));
            let Submission::Queued(job) = scheduler.submit(at(0), spec).unwrap() else { unreachable!() };
            job
        };
        let (_, second, third) = (submit(5, 10_000), submit(8, 10_000), submit(3, 25_000));
        assert_eq!(scheduler.schedule(at(0)).unwrap().len(), 1);
        let explanation = scheduler.explain(third).unwrap();
        let reservation = Blocked::Reservation { behind: second, pool: PoolId::new(0), until: at(10_000) };
        assert_eq!(explanation.state, JobState::Waiting(vec![reservation, Blocked::Team { ahead: 1 }]));
        assert_eq!(
            explanation.to_string(),
            "job 2#0 waits\n  pool `machine`: it would delay job 1#0, which has room reserved from 10 s on\n  \
             1 of its team's jobs come first"
        );
        assert_eq!(scheduler.next_wakeup(), Some(at(10_000)));
    }
}

/// However many wait behind a reservation, a completion that helps none of them compares no teams.
#[test]
fn a_completion_that_helps_nobody_compares_no_teams() {
    // A static partition has no teams without quotas to speak of.
    for order in
        OrderName::ALL.into_iter().filter(|order| ![OrderName::Static, OrderName::Gavel].contains(order))
    {
        let mut scheduler = Scheduler::new(config(machine(100), 100, order, Backfill::Easy)).unwrap();
        let submit = |scheduler: &mut Scheduler, team, cpus: u64, limit| {
            let shape = ShapeSpec::new(Alternative::new(Resources::new().cpu(cpus)));
            let shape = scheduler.intern(&shape).unwrap();
            let spec = JobSpec::new(TeamId::new(team), shape, at(0)).with_time_limit(Millis::new(limit));
            let Submission::Queued(job) = scheduler.submit(at(0), spec).unwrap() else { unreachable!() };
            job
        };
        let running: Vec<JobId> = (0..100).map(|team| submit(&mut scheduler, team, 1, 1_000)).collect();
        assert_eq!(scheduler.schedule(at(0)).unwrap().len(), 100);
        submit(&mut scheduler, 0, 100, 500);
        assert_eq!(scheduler.schedule(at(0)).unwrap(), []);
        for number in 0..10_000 {
            submit(&mut scheduler, number % 100, 2 + u64::from(number / 100 % 7), 1_001 + u64::from(number));
        }
        assert_eq!(scheduler.schedule(at(1)).unwrap(), []);
        let before = scheduler.comparisons();
        for (now, job) in (2..).zip(&running[..50]) {
            scheduler.complete(at(now), *job).unwrap();
            assert_eq!(scheduler.schedule(at(now)).unwrap(), []);
        }
        assert_eq!(scheduler.comparisons() - before, 0, "under {order:?}");
    }
}

fn loads() -> impl Strategy<Value = (u64, u32, Vec<Load>)> {
    (2_u64..=8, 2_u32..=4).prop_flat_map(|(cpus, teams)| {
        let load = (0..teams, 0_i64..60, 1..=cpus, 1_u64..=10, 0_u64..10, any::<bool>());
        let load = load.prop_map(|(team, submit, cpus, limit, short, gang)| {
            let run = limit.saturating_sub(short).max(1);
            let (cpus, workers) = if gang { (1, u32::try_from(cpus).unwrap()) } else { (cpus, 1) };
            Load { workers, limit, ..Load::new(team, submit, cpus, run) }
        });
        (Just(cpus), Just(teams), prop::collection::vec(load, 1..60))
    })
}

proptest! {
    /// With q jobs ahead in its team when it is submitted, a job that no later job of its own team passes starts within
    /// (q + 1)·(teams + 1)·T. (Later jobs of its team that pass it are held against it when the next reservation is
    /// given, so a team can keep its own gang waiting.)
    #[test]
    fn the_wait_of_a_gang_is_bounded((cpus, teams, loads) in loads(), divisible: bool, current: bool) {
        let pool = PoolSpec::new("machine", u32::try_from(cpus).unwrap(), Resources::new().cpu(1));
        let mut loads = loads;
        let pool = if divisible { pool.as_divisible() } else {
            for load in &mut loads {
                (load.cpus, load.workers) = (1, load.workers.max(u32::try_from(load.cpus).unwrap()));
            }
            pool
        };
        let order = if current { OrderName::DrfCurrent } else { OrderName::Drf };
        let started = starts(config(pool, teams, order, Backfill::Easy), &loads);
        for (index, load) in loads.iter().enumerate() {
            // Jobs submitted at one time stand in the order of their submission.
            let ahead = |other: usize| {
                loads[other].team == load.team
                    && (loads[other].submit, other) < (load.submit, index)
                    && started[other] >= load.submit
            };
            let later = |other: usize| {
                loads[other].team == load.team && (loads[other].submit, other) > (load.submit, index)
            };
            if (0..loads.len()).any(|other| later(other) && started[other] < started[index]) {
                continue;
            }
            let q = i64::try_from((0..loads.len()).filter(|other| ahead(*other)).count()).unwrap();
            let bound = (q + 1) * (i64::from(teams) + 1) * 10;
            prop_assert!(
                started[index] - load.submit <= bound,
                "job {index} waits for {}, bound {bound}", started[index] - load.submit
            );
        }
    }

    /// Under one line of jobs, no later job delays an earlier one where every slot is kept.
    #[test]
    fn conservative_delays_nobody_who_came_before((cpus, _, loads) in loads(), cut in 0_usize..60) {
        let mut loads = loads;
        for load in &mut loads {
            (load.team, load.run) = (0, load.limit);
        }
        loads.sort_by_key(|load| load.submit);
        let cut = cut.min(loads.len());
        let on = |loads: &[Load]| starts(config(machine(cpus), 1, OrderName::Fifo, Backfill::Conservative), loads);
        let (all, first) = (on(&loads), on(&loads[..cut]));
        prop_assert_eq!(&all[..cut], &first[..]);
    }
}

/// A job that ends when time does gives its room to nobody.
#[test]
fn whoever_ends_at_the_end_of_time_never_ends() {
    for backfill in [Backfill::Easy, Backfill::Conservative] {
        for divisible in [false, true] {
            let mut pool = PoolSpec::new("machine", 1, Resources::new().gpu(2).cpu(8));
            pool.divisible = divisible;
            let mut scheduler = Scheduler::new(config(pool, 1, OrderName::Fifo, backfill)).unwrap();
            let forever = Millis::new(i64::MAX.unsigned_abs());
            let hour = Millis::new(3_600_000);
            let asks = [
                (Resources::new().cpu(1), Some(forever)),
                (Resources::new().gpu(2), None),
                (Resources::new().gpu(2), Some(hour)),
            ];
            for (asked, limit) in asks {
                let shape = scheduler.intern(&ShapeSpec::new(Alternative::new(asked))).unwrap();
                let mut job = JobSpec::new(TeamId::new(0), shape, at(0));
                job.time_limit = limit;
                let _ = scheduler.submit(at(0), job).unwrap();
            }
            assert_eq!(scheduler.schedule(at(0)).unwrap().len(), 2, "{backfill:?}");
            assert_eq!(scheduler.check_invariants(), Ok(()));
        }
    }
}

/// There is no next instant at which a job that is late could end: its room is nobody's.
#[test]
fn whoever_is_late_at_the_end_of_time_never_ends() {
    for backfill in [Backfill::Easy, Backfill::Conservative] {
        for divisible in [false, true] {
            let mut pool = PoolSpec::new("machine", 1, Resources::new().cpu(4));
            pool.divisible = divisible;
            let mut scheduler = Scheduler::new(config(pool, 1, OrderName::Fifo, backfill)).unwrap();
            let submit = |scheduler: &mut Scheduler, cpus, now| {
                let alternative = Alternative::new(Resources::new().cpu(cpus));
                let shape = scheduler.intern(&ShapeSpec::new(alternative)).unwrap();
                let job = JobSpec::new(TeamId::new(0), shape, at(now)).with_time_limit(Millis::new(1_000));
                let _ = scheduler.submit(at(now), job).unwrap();
            };
            submit(&mut scheduler, 3, 0);
            assert_eq!(scheduler.schedule(at(0)).unwrap().len(), 1);
            submit(&mut scheduler, 2, i64::MAX);
            submit(&mut scheduler, 1, i64::MAX);
            let started = scheduler.schedule(at(i64::MAX)).unwrap().len();
            assert!(started <= 1, "{backfill:?}: {started} start where one has room");
            assert_eq!(scheduler.check_invariants(), Ok(()));
            if backfill == Backfill::Conservative {
                assert_eq!(started, 1);
            }
        }
    }
}
