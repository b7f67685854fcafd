//! What no scheduler can be built from is refused by name.

use fairshare::snapshot::{Decides, Memory, RunningJob, Snapshot as Written, WaitingJob};
use fairshare::{
    Allowance, Alternative, Backfill, Budget, Config, Decision, EvictReason, JobId, JobSpec, Millis, NodeId,
    OrderName, PolicySpec, PoolId, PoolSpec, Quantity, ResourceKind, Resources, Scheduler, ShapeId,
    ShapeSpec, Snapshot, Spending, Submission, TeamId, TeamSpec, Timestamp,
};

#[cfg(feature = "lp")]
use crate::snapshot_changed::{limited, wait};

pub(crate) const NOW: Timestamp = Timestamp::from_millis(10_000);
pub(crate) const POOL: PoolId = PoolId::new(0);

/// Two nodes with two GPUs and a pool of one amount; jobs of whole GPUs and of parts run, others wait, one of them with a
/// reservation, and one slot is free. Jobs by slot: 0 and 1 run on nodes, 2 on a device, 3 in the amount, 5 and 6 wait.
pub(crate) fn written() -> Snapshot {
    let node = Resources::new().gpu(2);
    let pools =
        vec![PoolSpec::new("l4", 2, node), PoolSpec::new("cpu", 1, Resources::new().cpu(4)).as_divisible()];
    let gpus = Allowance::new(POOL, ResourceKind::GPU, Quantity::new(2_000));
    let budget = Budget { most: Spending::GpuMillis(1_000_000), period: Millis::new(100_000) };
    let teams = vec![
        TeamSpec::new("a").with_quota(gpus),
        TeamSpec::new("b"),
        TeamSpec::new("c").under(TeamId::new(0)).with_budget(budget),
    ];
    let policy = PolicySpec::new(OrderName::Drf).with_backfill(Backfill::Easy);
    let mut scheduler = Scheduler::new(Config::new(pools, teams).with_policy(policy)).unwrap();
    let part = Resources::new().with(ResourceKind::GPU, Quantity::new(500));
    let shapes = [(Resources::new().gpu(1), 1), (part, 2), (Resources::new().cpu(1), 4), (node, 2)];
    let shapes = shapes.map(|(request, workers)| {
        scheduler.intern(&ShapeSpec::new(Alternative::new(request).with_workers(workers))).unwrap()
    });
    let submit = |scheduler: &mut Scheduler, team: u32, shape: usize| {
        let job = JobSpec::new(TeamId::new(team), shapes[shape], Timestamp::ZERO)
            .with_time_limit(Millis::new(50_000));
        match scheduler.submit(Timestamp::ZERO, job).unwrap() {
            Submission::Queued(job) => job,
            Submission::Rejected(reason) => panic!("{reason}"),
        }
    };
    let _ = [(0, 0), (2, 0), (1, 1), (1, 2)].map(|(team, shape)| submit(&mut scheduler, team, shape));
    let gone = submit(&mut scheduler, 0, 2);
    scheduler.schedule(Timestamp::ZERO).unwrap();
    let _ = [(1, 3), (1, 0)].map(|(team, shape)| submit(&mut scheduler, team, shape));
    scheduler.cancel(NOW, gone).unwrap();
    scheduler.schedule(NOW).unwrap();
    scheduler.snapshot()
}

type Change = fn(&mut Snapshot);

fn nobody() -> JobId {
    // A slot that nobody has had.
    let mut scheduler = Scheduler::restore(&written()).unwrap();
    let job = JobSpec::new(TeamId::new(0), ShapeId::new(0), NOW);
    let _ = scheduler.submit(NOW, job).unwrap();
    match scheduler.submit(NOW, job).unwrap() {
        Submission::Queued(job) => job,
        Submission::Rejected(reason) => panic!("{reason}"),
    }
}

#[test]
fn the_snapshot_is_what_it_is_said_to_be() {
    let Written { waiting, running, free, memory, .. } = written();
    let slots = |jobs: Vec<JobId>| jobs.into_iter().map(JobId::slot).collect::<Vec<_>>();
    assert_eq!(slots(running.iter().map(|run: &RunningJob| run.job).collect()), [0, 1, 2, 3]);
    assert_eq!(slots(waiting.iter().map(|job: &WaitingJob| job.job).collect()), [5, 6]);
    assert_eq!(slots(free), [4]);
    assert_eq!((running[2].placed.devices.len(), running[1].placed.nodes.len()), (1, 1));
    assert_eq!(running[1].guaranteed, [TeamId::new(0)]);
    let Memory { pools, .. } = memory;
    assert_eq!(pools[0].reservation.as_ref().map(|held| held.job), Some(waiting[0].job));
}

/// What contradicts the rest of the snapshot, and what is said of it.
const CONTRADICTIONS: &[(Change, &str)] = &[
    (|s| s.version = 7, "the snapshot is of version 7, and only version 1 is read"),
    (
        |s| s.decides = Decides::OwnOrder,
        "the snapshot is of a scheduler with the caller's own order, which it does not hold",
    ),
    (|s| s.config.teams[1].name = String::from("a"), "team `a` is defined twice"),
    (|s| s.pools.truncate(1), "the snapshot tells of 1 pools, and its configuration has 2"),
    (|s| s.teams.truncate(2), "the snapshot tells of 2 teams, and its configuration has 3"),
    (|s| s.memory.pools.truncate(1), "the snapshot tells of 1 remembered pools, and its configuration has 2"),
    (|s| s.submitted = u64::MAX, "the number of jobs submitted is too large for exact arithmetic"),
    (
        |s| s.teams[1].served = u64::MAX,
        "the number of the last start of team `b` is too large for exact arithmetic",
    ),
    (|s| s.shapes[1] = s.shapes[0].clone(), "shape 1 of the snapshot: the shape is there twice"),
    (|s| s.shapes[1].alternatives.clear(), "shape 1 of the snapshot: a shape has no alternatives"),
    (|s| s.pools[0].nodes_up = 3, "pool 0 of the snapshot: there are too many nodes up"),
    (
        |s| s.pools[0].exceptions = vec![NodeId::new(0)],
        "pool 0 of the snapshot: its exceptions are not nodes that are down and as many others that are up",
    ),
    (|s| s.free[0] = s.waiting[0].job, "job 5#0 of the snapshot: the slot is there twice"),
    (|s| s.free.clear(), "job 6#0 of the snapshot: its slot comes after one that is neither used nor free"),
    (|s| s.waiting[1].number = s.running[0].number, "job 6#0 of the snapshot: the number is there twice"),
    (|s| s.submitted = 6, "job 6#0 of the snapshot: there are too many jobs before it"),
    (|s| s.waiting[0].spec.team = TeamId::new(9), "job 5#0 of the snapshot: there is no team 9"),
    (|s| s.running[0].spec.shape = ShapeId::new(9), "job 0#0 of the snapshot: there is no shape 9"),
    (
        |s| s.waiting[0].spec.submit = Timestamp::from_millis(10_001),
        "job 5#0 of the snapshot: a job enters at 10.001 s, after 10 s, the time given",
    ),
    (
        |s| s.shapes[0].alternatives[0].request = Resources::new().gpu(3),
        "job 6#0 of the snapshot: it waits, and no pool can ever hold it",
    ),
    (|s| s.running[0].placed.pool = PoolId::new(9), "job 0#0 of the snapshot: there is no pool 9"),
    (
        |s| s.running[0].placed.pool = PoolId::new(1),
        "job 0#0 of the snapshot: alternative 0 of the job can never run in pool 1",
    ),
    (
        |s| s.running[0].placed.alternative = 1,
        "job 0#0 of the snapshot: alternative 1 of the job can never run in pool 0",
    ),
    (
        |s| s.running[0].placed.since = Timestamp::from_millis(10_001),
        "job 0#0 of the snapshot: a job cannot run since 10.001 s that entered at 0 s, at 10 s",
    ),
    (|s| s.running[0].guaranteed = vec![TeamId::new(9)], "job 0#0 of the snapshot: there is no team 9"),
    (
        |s| s.running[0].guaranteed = vec![TeamId::new(1)],
        "job 0#0 of the snapshot: team 1 is neither its own nor above it",
    ),
    (
        |s| s.teams[2].budget.as_mut().unwrap().counted = Some(Timestamp::from_millis(10_001)),
        "team 2 of the snapshot: time 10 s lies before 10.001 s, already seen",
    ),
    (
        |s| {
            let (job, reason) = (s.running[0].job, EvictReason::CapacityLost);
            s.undelivered.push(Decision::Evict {
                job,
                attempt: 1,
                pool: POOL,
                alternative: 0,
                reason,
                by: None,
            });
        },
        "the evictions of the snapshot that are not delivered are not those of its records",
    ),
    (
        |s| s.undelivered.push(Decision::Start { job: nobody(), attempt: 1, pool: POOL, alternative: 0 }),
        "job 7#0 of the snapshot: there is no job 7#0, or it is finished",
    ),
    (
        |s| {
            let (job, pool) = (s.running[0].job, PoolId::new(99));
            s.undelivered.push(Decision::Start { job, attempt: 1, pool, alternative: 0 });
        },
        "job 0#0 of the snapshot: there is no pool 99",
    ),
    (
        |s| {
            let job = s.running[0].job;
            s.undelivered.push(Decision::Start { job, attempt: 1, pool: POOL, alternative: 1 });
        },
        "job 0#0 of the snapshot: alternative 1 of the job can never run in pool 0",
    ),
    (|s| s.memory.stopped.push(nobody()), "job 7#0 of the snapshot: there is no job 7#0, or it is finished"),
    (|s| s.memory.freed.push(nobody()), "job 7#0 of the snapshot: there is no job 7#0, or it is finished"),
    (|s| s.memory.tried.push(s.running[0].job), "job 0#0 of the snapshot: job 0#0 is not waiting"),
    (
        |s| s.memory.pools[0].closed_by = Some(s.running[0].job),
        "pool 0 of the snapshot: job 0#0 is not waiting",
    ),
    (
        |s| s.memory.pools[1].closed_by = Some(s.waiting[0].job),
        "pool 1 of the snapshot: alternative 0 of the job can never run in pool 1",
    ),
    (
        |s| s.memory.pools[0].reservation.as_mut().unwrap().job = s.running[0].job,
        "pool 0 of the snapshot: job 0#0 is not waiting",
    ),
    (
        |s| s.memory.pools[0].reservation.as_mut().unwrap().alternative = 1,
        "pool 0 of the snapshot: alternative 1 of the job can never run in pool 0",
    ),
    (
        |s| s.memory.pools[0].reservation.as_mut().unwrap().nodes.push(NodeId::new(2)),
        "pool 0 of the snapshot: pool 0 has no room for the job where it is said to run",
    ),
    (
        |s| s.memory.pools[0].reservation.as_mut().unwrap().nodes.reverse(),
        "pool 0 of the snapshot: pool 0 has no room for the job where it is said to run",
    ),
];

#[test]
fn what_contradicts_itself_is_refused_by_name() {
    for (change, message) in CONTRADICTIONS {
        let mut snapshot = written();
        change(&mut snapshot);
        let error = Scheduler::restore(&snapshot).err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), Some(*message));
    }
}

#[test]
fn a_job_that_has_no_room_where_it_is_said_to_run_is_refused_by_name() {
    let cases: Vec<(usize, Change)> = vec![
        // On a node that is down, where another needs the room, that is not there; with more workers than it has, nowhere,
        // with no worker on some node, on devices beside.
        (0, |s| s.pools[0].nodes_up = 0),
        (2, |s| s.running[..2].iter_mut().for_each(|run| run.placed.nodes[0].0 = NodeId::new(1))),
        (0, |s| s.running[0].placed.nodes[0].0 = NodeId::new(2)),
        (0, |s| s.running[0].placed.nodes[0].1 = 2),
        (0, |s| s.running[0].placed.nodes.clear()),
        (0, |s| s.running[0].placed.nodes.push((NodeId::new(1), 0))),
        (0, |s| s.running[0].placed.devices = s.running[2].placed.devices.clone()),
        // On a device that its node has not, or without one.
        (2, |s| s.running[2].placed.devices[0].1 = 2),
        (2, |s| s.running[2].placed.nodes = vec![(NodeId::new(1), 2)]),
        (2, |s| {
            s.running[2].placed.devices.clear();
            s.running[2].placed.nodes = vec![(NodeId::new(1), 2)];
        }),
        // In a pool of one amount, on a node.
        (3, |s| s.running[3].placed.nodes = vec![(NodeId::new(0), 4)]),
    ];
    for (at, (slot, change)) in cases.into_iter().enumerate() {
        let mut snapshot = written();
        change(&mut snapshot);
        let pool = snapshot.running[slot].placed.pool;
        let message = format!(
            "job {slot}#0 of the snapshot: pool {pool} has no room for the job where it is said to run"
        );
        let error = Scheduler::restore(&snapshot).err().map(|error| error.to_string());
        assert_eq!(error, Some(message), "case {at}");
    }
}

/// What a job has on one node is told side by side, and once for each device.
#[test]
fn devices_of_one_node_stand_side_by_side() {
    let pool = PoolSpec::new("l4", 2, Resources::new().gpu(2));
    let mut scheduler = Scheduler::new(Config::new(vec![pool], vec![TeamSpec::new("a")])).unwrap();
    let half = Resources::new().with(ResourceKind::GPU, Quantity::new(500));
    let shape = scheduler.intern(&ShapeSpec::new(Alternative::new(half).with_workers(3))).unwrap();
    let _ = scheduler.submit(NOW, JobSpec::new(TeamId::new(0), shape, NOW)).unwrap();
    scheduler.schedule(NOW).unwrap();
    let written = scheduler.snapshot();
    for (devices, is_refused) in [
        ([(0, 0, 1), (0, 1, 1), (1, 0, 1)], false),
        ([(1, 0, 1), (0, 1, 1), (0, 0, 1)], false),
        ([(0, 0, 1), (1, 0, 1), (0, 1, 1)], true),
        ([(0, 0, 1), (0, 0, 1), (0, 1, 1)], true),
    ] {
        let mut snapshot = written.clone();
        let devices = devices.map(|(node, device, workers)| (NodeId::new(node), device, workers));
        snapshot.running[0].placed.devices = devices.to_vec();
        let restored = Scheduler::restore(&snapshot);
        if is_refused {
            let message = "job 0#0 of the snapshot: pool 0 has no room for the job where it is said to run";
            assert_eq!(restored.err().map(|error| error.to_string()).as_deref(), Some(message));
        } else {
            let restored = restored.unwrap();
            restored.check_invariants().unwrap();
            assert_eq!(restored.snapshot(), snapshot);
        }
    }
}

/// A scheduler that was built keeps every invariant, whatever happens: cycles, all that runs ends, cycles again.
pub(crate) fn go_on(mut scheduler: Scheduler, now: Timestamp) {
    scheduler.check_invariants().unwrap();
    let mut now = now.max(scheduler.snapshot().now);
    for _ in 0..4 {
        scheduler.schedule(now).unwrap();
        scheduler.check_invariants().unwrap();
        let running = scheduler.snapshot().running;
        if let Some(run) = running.first() {
            scheduler.complete(now, run.job).unwrap();
        }
        scheduler.check_invariants().unwrap();
        now = scheduler.next_wakeup().filter(|wakeup| *wakeup > now).unwrap_or(now);
    }
    for job in scheduler.queue() {
        scheduler.explain_without_entitlements(job).unwrap();
        scheduler.cancel(now, job).unwrap();
    }
    scheduler.check_invariants().unwrap();
}

#[cfg(feature = "serde")]
mod damaged {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::lived::live;
    #[cfg(feature = "lp")]
    use crate::snapshot::in_rounds;
    use crate::strategy::{Case, case};

    /// Where a value has numbers, lists and everything else that can be damaged.
    fn places(value: &Value, at: &str, found: &mut Vec<String>) {
        found.push(at.to_owned());
        match value {
            Value::Array(items) => {
                (0..)
                    .zip(items)
                    .for_each(|(index, item): (usize, _)| places(item, &format!("{at}/{index}"), found));
            }
            Value::Object(fields) => fields.iter().for_each(|(name, field)| {
                // What a configuration and a shape may say is checked elsewhere.
                if !["config", "shapes"].contains(&name.as_str()) {
                    places(field, &format!("{at}/{name}"), found);
                }
            }),
            _ => {}
        }
    }

    fn damage(value: &mut Value, by: usize) {
        let numbers = [0, 1, 2, 3, 7, u64::MAX, 1 << 62, i64::MAX.unsigned_abs()];
        match value {
            Value::Null => *value = numbers[by % numbers.len()].into(),
            Value::Bool(flag) => *flag = !*flag,
            Value::Number(number) => {
                let near = number
                    .as_i64()
                    .map(|number| number.saturating_add(if by.is_multiple_of(2) { 1 } else { -1 }));
                *value = match by % 4 {
                    0 => near.unwrap_or(-1).into(),
                    1 => i64::MIN.into(),
                    _ => numbers[by / 4 % numbers.len()].into(),
                };
            }
            Value::String(text) => {
                *text = String::from(["340282366920938463463374607431768211455", "1/0", "7"][by % 3]);
            }
            Value::Array(items) => {
                let Some(item) = items.get(by % items.len().max(1)).cloned() else { return };
                match by / 8 % 3 {
                    0 => items.push(item),
                    1 => drop(items.remove(by % items.len())),
                    _ => items.reverse(),
                }
            }
            Value::Object(_) => *value = Value::Null,
        }
    }

    type Hits = Vec<(prop::sample::Index, usize)>;

    fn hits() -> impl Strategy<Value = Hits> {
        proptest::collection::vec((any::<prop::sample::Index>(), any::<usize>()), 1..5)
    }

    /// Damages what is written after some events, and goes on with what is built from that, if anything is.
    fn damage_and_go_on(case: &Case, events: usize, hits: Hits) {
        let (scheduler, now) = live(case, events);
        let mut value = serde_json::to_value(scheduler.snapshot()).unwrap();
        for (place, by) in hits {
            let mut found = Vec::new();
            places(&value, "", &mut found);
            let place: &String = place.get(&found);
            damage(value.pointer_mut(place).unwrap(), by);
        }
        let Ok(snapshot) = serde_json::from_value::<Snapshot>(value) else { return };
        if let Ok(restored) = Scheduler::restore(&snapshot) {
            go_on(restored, now);
        }
    }

    proptest! {
        /// Whatever is damaged is refused, or a scheduler is built that keeps every invariant; nothing panics.
        #[test]
        fn what_is_damaged_is_refused_or_goes_on(case in case(), events in 0_usize..110, hits in hits()) {
            damage_and_go_on(&case, events, hits);
        }
    }

    #[cfg(feature = "lp")]
    proptest! {
        #[test]
        fn so_is_it_in_rounds(case in case(), events in 0_usize..110, hits in hits()) {
            damage_and_go_on(&in_rounds(case), events, hits);
        }
    }
}

/// What is told of rounds is told of every pool, of what can be, and of the past.
#[cfg(feature = "lp")]
#[test]
fn rounds_that_cannot_be_are_refused_by_name() {
    use fairshare::snapshot::{Float, Rounds, Turn};

    fn rounds(snapshot: &mut Snapshot) -> &mut Rounds {
        snapshot.memory.rounds.as_mut().unwrap()
    }
    fn turn(snapshot: &mut Snapshot) -> &mut Turn {
        &mut rounds(snapshot).turns[0]
    }
    const HUGE: Float = Float { mantissa: 1, exponent: 2_000 };
    const LATER: Timestamp = Timestamp::from_millis(10_001);
    const LATE: &str = "the rounds of the snapshot: time 10 s lies before 10.001 s, already seen";
    const ALL_HAD: &str = "the rounds of the snapshot: what all have had is no amount that can be";
    const HAD: &str = "job 0#0 of the snapshot: what it has had is no amount that can be";
    const NO_POOLS: &str = "job 0#0 of the snapshot: the snapshot tells of 0 pools in the turn of a job, and its configuration has 1";
    let mut scheduler = Scheduler::new(limited(PolicySpec::new(OrderName::Gavel))).unwrap();
    let _ = [(); 2].map(|()| wait(&mut scheduler, 1, 3));
    scheduler.schedule(NOW).unwrap();
    let written = scheduler.snapshot();
    let cases: &[(Change, &str)] = &[
        (|s| rounds(s).begun = Some(LATER), LATE),
        (|s| rounds(s).allocated = Some(LATER), LATE),
        (
            |s| rounds(s).had.clear(),
            "the rounds of the snapshot: the snapshot tells of 0 pools in its rounds, and its configuration has 1",
        ),
        (|s| rounds(s).had[0].mantissa = -1, ALL_HAD),
        (|s| rounds(s).had[0] = HUGE, ALL_HAD),
        (|s| turn(s).had[0].mantissa = 0, HAD),
        (|s| turn(s).had[0] = HUGE, HAD),
        (|s| turn(s).owed[0] = HUGE, "job 0#0 of the snapshot: what it is owed is no amount that can be"),
        (
            |s| turn(s).parts.as_mut().unwrap()[0] = HUGE,
            "job 0#0 of the snapshot: what it is due is no amount that can be",
        ),
        (
            |s| turn(s).parts.as_mut().unwrap().push(HUGE),
            "job 0#0 of the snapshot: the snapshot tells of 2 pools in the turn of a job, and its configuration has 1",
        ),
        (|s| turn(s).had.clear(), NO_POOLS),
        (|s| turn(s).owed.clear(), NO_POOLS),
        (
            |s| {
                let first = turn(s).clone();
                rounds(s).turns.push(first);
            },
            "job 0#0 of the snapshot: its turn is there twice",
        ),
        (|s| turn(s).job = nobody(), "job 7#0 of the snapshot: there is no job 7#0, or it is finished"),
    ];
    for (change, message) in cases {
        let mut snapshot = written.clone();
        change(&mut snapshot);
        let error = Scheduler::restore(&snapshot).err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), Some(*message));
    }
}

/// Records of evictions that are not delivered name teams that there are.
#[test]
fn records_of_unknown_teams_are_refused() {
    let pool = PoolSpec::new("a", 1, Resources::new().gpu(2));
    let mut scheduler = Scheduler::new(Config::new(vec![pool], vec![TeamSpec::new("x")])).unwrap();
    let shape = scheduler.intern(&ShapeSpec::new(Alternative::new(Resources::new().gpu(1)))).unwrap();
    let Submission::Queued(job) =
        scheduler.submit(NOW, JobSpec::new(TeamId::new(0), shape, Timestamp::ZERO)).unwrap()
    else {
        panic!("it can run");
    };
    scheduler.schedule(NOW).unwrap();
    scheduler.set_capacity(NOW, POOL, 0).unwrap();
    let mut snapshot = scheduler.snapshot();
    assert!(Scheduler::restore(&snapshot).is_ok());
    snapshot.evictions[0].victim.team = TeamId::new(9);
    let error = Scheduler::restore(&snapshot).err().map(|error| error.to_string());
    assert_eq!(error, Some(format!("job {job} of the snapshot: there is no team 9")));
}

#[cfg(feature = "serde")]
#[test]
fn a_job_that_nobody_can_be_is_refused_and_no_other() {
    let read = |text: &str| serde_json::from_str::<JobId>(text);
    for slot in [0, 1, u32::MAX - 1] {
        let id = read(&format!(r#"{{"slot":{slot},"serial":7}}"#)).unwrap();
        assert_eq!(id.slot(), slot as usize);
        assert_eq!(serde_json::to_string(&id).unwrap(), format!(r#"{{"slot":{slot},"serial":7}}"#));
    }
    let beyond = read(r#"{"slot":4294967295,"serial":7}"#).unwrap_err().to_string();
    assert!(beyond.starts_with("a job's slot is below 4294967295"), "{beyond}");
    let other = read("3").unwrap_err().to_string();
    assert!(other.contains("expected struct JobId"), "{other}");
}
