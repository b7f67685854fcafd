//! Jobs that run already when the scheduler is told of them: they hold what they would hold had it started them.

use fairshare::{
    Alternative, Config, ErrorKind, JobSpec, NodeId, Placed, PoolId, PoolSpec, Resources, Scheduler, ShapeId,
    ShapeSpec, TeamId, TeamSpec, Timestamp,
};

const POOL: PoolId = PoolId::new(0);
const NOW: Timestamp = Timestamp::from_millis(9_000);

fn scheduler(workers: u32) -> (Scheduler, ShapeId) {
    let pool = PoolSpec::new("l4", 2, Resources::new().gpu(4));
    let mut scheduler = Scheduler::new(Config::new(vec![pool], vec![TeamSpec::new("a")])).unwrap();
    let alternative = Alternative::new(Resources::new().gpu(2)).with_workers(workers);
    let shape = scheduler.intern(&ShapeSpec::new(alternative)).unwrap();
    (scheduler, shape)
}

#[test]
fn a_job_stays_on_the_nodes_on_which_it_runs() {
    let (mut scheduler, shape) = scheduler(3);
    let job = JobSpec::new(TeamId::new(0), shape, Timestamp::ZERO);
    let nodes = vec![(NodeId::new(1), 2), (NodeId::new(0), 1)];
    let placed = Placed::new(POOL, Timestamp::ZERO).on_nodes(nodes);
    let id = scheduler.adopt(NOW, job, &placed).unwrap();
    let found: Vec<_> = scheduler.placement(id).collect();
    assert_eq!(found, [(NodeId::new(0), 1), (NodeId::new(1), 2)]);
    assert_eq!(scheduler.running(TeamId::new(0)).unwrap(), 1);
    scheduler.check_invariants().unwrap();
    // Nothing was decided; an eviction counts the work since the job really began.
    assert_eq!(scheduler.schedule(NOW).unwrap(), []);
    scheduler.set_capacity(NOW, POOL, 0).unwrap();
    assert_eq!(scheduler.evictions()[0].lost.get(), 9_000);
    scheduler.check_invariants().unwrap();
}

#[test]
fn what_cannot_run_is_refused_and_changes_nothing() {
    let (mut scheduler, shape) = scheduler(3);
    let job = JobSpec::new(TeamId::new(0), shape, Timestamp::from_millis(1_000));
    let since = Timestamp::from_millis(2_000);
    let placed = Placed::new(POOL, since);
    let nodes = |nodes: &[(u32, u32)]| {
        placed.clone().on_nodes(nodes.iter().map(|(node, workers)| (NodeId::new(*node), *workers)).collect())
    };
    let no_room = ErrorKind::NoRoom(POOL);
    let mut spec = job;
    spec.team = TeamId::new(1);
    let cases = [
        (spec, placed.clone(), ErrorKind::UnknownTeam(TeamId::new(1))),
        (
            JobSpec::new(TeamId::new(0), ShapeId::new(7), Timestamp::ZERO),
            placed.clone(),
            ErrorKind::UnknownShape(ShapeId::new(7)),
        ),
        (job, Placed::new(PoolId::new(1), since), ErrorKind::UnknownPool(PoolId::new(1))),
        (job, placed.clone().by_alternative(1), ErrorKind::NoRoute { pool: POOL, alternative: 1 }),
        (job, nodes(&[(0, 2)]), no_room.clone()),
        (job, nodes(&[(0, 2), (0, 1)]), no_room.clone()),
        (job, nodes(&[(0, 3)]), no_room.clone()),
        (job, nodes(&[(0, 2), (2, 1)]), no_room.clone()),
        (job, nodes(&[(0, 2), (1, 0), (1, 1)]), no_room.clone()),
        (job, nodes(&[(0, u32::MAX), (1, u32::MAX)]), no_room),
        (
            job,
            Placed::new(POOL, Timestamp::ZERO),
            ErrorKind::Since { since: Timestamp::ZERO, submit: job.submit, now: NOW },
        ),
        (
            job,
            Placed::new(POOL, Timestamp::from_millis(9_001)),
            ErrorKind::Since { since: Timestamp::from_millis(9_001), submit: job.submit, now: NOW },
        ),
    ];
    let before = format!("{scheduler:?}");
    for (job, placed, expected) in cases {
        assert_eq!(scheduler.adopt(NOW, job, &placed).unwrap_err().kind(), &expected);
        assert_eq!(format!("{scheduler:?}"), before, "{expected:?}");
    }
    assert!(scheduler.adopt(NOW, job, &placed).is_ok());
    let full = scheduler.adopt(NOW, job, &placed).unwrap_err();
    assert_eq!(full.to_string(), "pool 0 has no room for the job where it is said to run");
}
