//! Fabric domains at the calls around decisions: what a configuration may say, what is asked, and what runs already.

use fairshare::{
    Alternative, Config, Error, ErrorKind, JobSpec, NodeId, Placed, PoolId, PoolSpec, Rejection, Resources,
    Scheduler, ShapeId, ShapeSpec, Size, Submission, TeamId, TeamSpec, Timestamp, Verdict,
};

const POOL: PoolId = PoolId::new(0);
const TEAM: TeamId = TeamId::new(0);
const NOW: Timestamp = Timestamp::ZERO;

fn node() -> Resources {
    Resources::new().gpu(8)
}

fn build(pools: Vec<PoolSpec>) -> Result<Scheduler, Error> {
    Scheduler::new(Config::new(pools, vec![TeamSpec::new("a")]))
}

fn gang(workers: u32) -> ShapeSpec {
    ShapeSpec::new(Alternative::new(node()).with_workers(workers))
}

fn submit(scheduler: &mut Scheduler, shape: &ShapeSpec) -> Submission {
    let shape = scheduler.intern(shape).unwrap();
    scheduler.submit(NOW, JobSpec::new(TEAM, shape, NOW)).unwrap()
}

#[test]
fn domains_are_the_nodes_of_their_pool() {
    let pool = || PoolSpec::new("h200", 4, node());
    for wrong in [
        pool().with_domains([4]).as_divisible(),
        pool().with_domains([2, 3]),
        pool().with_domains([2, 1]),
        pool().with_domains([4, 0]),
        pool().with_domains([u32::MAX, u32::MAX, 6]),
    ] {
        let mut wrong = wrong;
        wrong.name = "other".to_owned();
        let error = build(vec![pool(), wrong]).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Domains { pool: "other".to_owned() });
        assert_eq!(
            error.to_string(),
            "the fabric domains of pool `other` are not its nodes, or the pool is divisible and has none"
        );
    }
    assert!(build(vec![pool().with_domains([1, 1, 1, 1])]).is_ok());
}

/// A gang that no domain holds is rejected for that, whatever else is too small; by another way it may run.
#[test]
fn a_gang_larger_than_every_domain_is_rejected() {
    let pools = || {
        let small = PoolSpec::new("small", 1, node());
        vec![small, PoolSpec::new("h200", 6, node()).with_domains([3, 2, 1])]
    };
    let mut scheduler = build(pools()).unwrap();
    let reason = Rejection::LargerThanDomain { pool: PoolId::new(1), workers: 4, most: 3 };
    assert_eq!(reason.to_string(), "the gang is larger than any fabric domain of an eligible pool");
    assert_eq!(submit(&mut scheduler, &gang(4)), Submission::Rejected(reason));
    assert!(matches!(submit(&mut scheduler, &gang(3)), Submission::Queued(_)));
    let or_smaller = gang(4).or(Alternative::new(node()).with_workers(2).with_speed_milli(500));
    let Submission::Queued(job) = submit(&mut scheduler, &or_smaller) else { panic!("two fit") };
    let _: &[_] = scheduler.schedule(NOW).unwrap();
    assert_eq!(scheduler.placement(job).map(|(node, _)| node.index()).collect::<Vec<_>>(), [3, 4]);
}

#[test]
fn the_largest_gang_is_that_of_a_domain() {
    let mut scheduler = build(vec![PoolSpec::new("h200", 7, node()).with_domains([2, 4, 1])]).unwrap();
    let job = JobSpec::new(TEAM, ShapeId::new(0), NOW);
    let answer = scheduler.can_admit(NOW, job, &gang(3)).unwrap();
    assert_eq!(answer.verdict, Verdict::Starts { pool: POOL, alternative: 0 });
    assert_eq!(answer.largest, Some(Size::Workers(4)));
    let spread = ShapeSpec::new(Alternative::new(node()).with_workers(3).across_domains());
    assert_eq!(scheduler.can_admit(NOW, job, &spread).unwrap().largest, Some(Size::Workers(7)));
    // One node of the largest is taken: then both others have less.
    let placed = Placed::new(POOL, NOW).on_nodes(vec![(NodeId::new(3), 1)]);
    let one = scheduler.intern(&gang(1)).unwrap();
    scheduler.adopt(NOW, JobSpec::new(TEAM, one, NOW), &placed).unwrap();
    let answer = scheduler.can_admit(NOW, job, &gang(4)).unwrap();
    assert!(matches!(answer.verdict, Verdict::Waits(_)), "{answer:?}");
    assert_eq!(answer.largest, Some(Size::Workers(3)));
}

/// What runs already runs where it does; how it came there was not decided here.
#[test]
fn a_gang_that_runs_may_lie_in_several_domains() {
    let mut scheduler = build(vec![PoolSpec::new("h200", 4, node()).with_domains([2, 2])]).unwrap();
    let shape = scheduler.intern(&gang(2)).unwrap();
    let job = JobSpec::new(TEAM, shape, NOW);
    let nodes = vec![(NodeId::new(1), 1), (NodeId::new(2), 1)];
    let spread = scheduler.adopt(NOW, job, &Placed::new(POOL, NOW).on_nodes(nodes)).unwrap();
    // Where it is not said, it is put in one domain, and none has room any longer.
    let error = scheduler.adopt(NOW, job, &Placed::new(POOL, NOW)).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::NoRoom(POOL));
    let Submission::Queued(waiting) = submit(&mut scheduler, &gang(2)) else { panic!("a domain holds it") };
    assert_eq!(scheduler.schedule(NOW).unwrap(), []);
    let remedies = scheduler.remedies(waiting).unwrap();
    assert_eq!(remedies[0].to_string(), "pool `h200`: 8 gpu more free on node 1");
    scheduler.complete(NOW, spread).unwrap();
    assert_eq!(scheduler.schedule(NOW).unwrap().len(), 1);
    scheduler.check_invariants().unwrap();
}
