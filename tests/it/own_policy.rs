//! A policy of the caller's own: what its transaction shows and refuses, and what the scheduler says of its jobs.

use std::sync::{Arc, Mutex};

use fairshare::{
    Allowance, Alternative, Blocked, Config, Decision, Error, EvictReason, JobId, JobSpec, JobState, Policy,
    PoolId, PoolSpec, Quantity, ResourceKind, Resources, Scheduler, ShapeSpec, Submission, TeamId, TeamSpec,
    Timestamp, Txn,
};

/// Does in its next cycle what the test asks for.
#[derive(Clone)]
struct Told(Arc<Mutex<Option<Act>>>);

type Act = Box<dyn FnOnce(&mut Txn<'_>) -> Result<(), Error> + Send>;

impl std::fmt::Debug for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Told")
    }
}

impl Policy for Told {
    fn copy(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }

    fn cycle(&mut self, txn: &mut Txn<'_>) -> Result<(), Error> {
        self.0.lock().unwrap().take().map_or(Ok(()), |act| act(txn))
    }
}

struct World {
    scheduler: Scheduler,
    told: Told,
}

impl World {
    /// Two teams, of which the first may hold three of the four GPUs.
    fn new() -> Self {
        let three = Allowance::new(PoolId::new(0), ResourceKind::GPU, Quantity::new(3_000));
        let teams = vec![TeamSpec::new("a").with_limit(three), TeamSpec::new("b")];
        let told = Told(Arc::default());
        let config = Config::new(vec![PoolSpec::new("l4", 1, Resources::new().gpu(4))], teams);
        Self { scheduler: Scheduler::with_policy(config, Box::new(told.clone())).unwrap(), told }
    }

    fn submit(&mut self, team: u32, gpus: u64, preemptible: bool) -> JobId {
        let shape = ShapeSpec::new(Alternative::new(Resources::new().gpu(gpus)));
        let mut job =
            JobSpec::new(TeamId::new(team), self.scheduler.intern(&shape).unwrap(), Timestamp::ZERO);
        job.preemptible = preemptible;
        match self.scheduler.submit(Timestamp::ZERO, job).unwrap() {
            Submission::Queued(job) => job,
            Submission::Rejected(reason) => panic!("{reason}"),
        }
    }

    fn cycle(
        &mut self,
        act: impl FnOnce(&mut Txn<'_>) -> Result<(), Error> + Send + 'static,
    ) -> Result<Vec<Decision>, String> {
        *self.told.0.lock().unwrap() = Some(Box::new(act));
        let decisions = self.scheduler.schedule(Timestamp::ZERO).map(<[Decision]>::to_vec);
        self.scheduler.check_invariants().unwrap();
        decisions.map_err(|error| error.to_string())
    }
}

#[test]
fn what_would_break_a_rule_is_refused() {
    let mut world = World::new();
    let (small, fixed, large) =
        (world.submit(0, 1, true), world.submit(1, 1, false), world.submit(1, 4, true));
    let other = world.submit(0, 3, true);
    let started = world.cycle(move |txn| {
        assert!(txn.waiting().eq([small, fixed, large, other]) && txn.running().count() == 0);
        let routes = txn.routes(small)?;
        assert_eq!(
            (routes.len(), routes[0].pool, routes[0].total),
            (1, PoolId::new(0), Resources::new().gpu(1))
        );
        assert!(txn.fits(small, &routes[0])? && txn.start(small, &routes[0])?);
        // There is room, but the team may hold no more.
        assert!(!txn.start_anywhere(other)? && !txn.fits(other, &txn.routes(other)?[0])?);
        // The room is gone.
        assert!(txn.start_anywhere(fixed)? && !txn.start_anywhere(large)?);
        assert_eq!(txn.free(PoolId::new(0))?, Resources::new().gpu(2));
        assert_eq!(txn.runs(small)?, Some((Timestamp::ZERO, routes[0])));
        assert!(txn.share_key(TeamId::new(0))? == txn.share_key(TeamId::new(1))?);
        Ok(())
    });
    assert_eq!(started.unwrap().len(), 2);
    // Each is refused, and nothing has changed: the invariants hold, and the same jobs wait.
    let refused = |world: &mut World, act: fn(&mut Txn<'_>, [JobId; 3]) -> Result<(), Error>| {
        let jobs = [small, fixed, large];
        world.cycle(move |txn| act(txn, jobs)).unwrap_err()
    };
    let said = refused(&mut world, |txn, [small, ..]| txn.start_anywhere(small).map(|_| ()));
    assert_eq!(said, format!("job {small} is not waiting"));
    let said = refused(&mut world, |txn, [.., large]| txn.stop(large));
    assert_eq!(said, format!("job {large} is not running"));
    let said = refused(&mut world, |txn, [_, fixed, _]| txn.stop(fixed));
    assert_eq!(said, format!("job {fixed} may not be stopped"));
    let said = refused(&mut world, |txn, [small, _, large]| {
        let route = txn.routes(small)?[0];
        txn.start(large, &route).map(|_| ())
    });
    assert_eq!(said, "alternative 0 of the job can never run in pool 0");
    let said = refused(&mut world, |txn, _| txn.free(PoolId::new(9)).map(|_| ()));
    assert_eq!(said, "there is no pool 9");
    assert_eq!((world.scheduler.waiting(), world.scheduler.queue()), (2, vec![large, other]));
}

#[test]
fn what_was_decided_before_a_refusal_comes_with_the_next_answer() {
    let mut world = World::new();
    let (first, second) = (world.submit(1, 1, true), world.submit(1, 1, true));
    let refused = world.cycle(move |txn| {
        txn.start_anywhere(first)?;
        txn.stop(second)
    });
    assert_eq!(refused.unwrap_err(), format!("job {second} is not running"));
    let started = world.cycle(move |txn| txn.start_anywhere(second).map(|_| ())).unwrap();
    let started = started.iter().map(|decision| match decision {
        Decision::Start { job, .. } => *job,
        other => panic!("{other:?}"),
    });
    assert!(started.eq([first, second]));
}

#[test]
fn a_job_that_is_stopped_waits_in_its_old_place() {
    let mut world = World::new();
    let (first, second) = (world.submit(1, 4, true), world.submit(1, 4, true));
    world.cycle(move |txn| txn.start_anywhere(first).map(|_| ())).unwrap();
    let decisions = world.cycle(move |txn| {
        txn.stop(first)?;
        assert!(txn.waiting().eq([first, second]));
        assert!(txn.start_anywhere(second)?);
        Ok(())
    });
    let pool = PoolId::new(0);
    let (reason, by) = (EvictReason::Policy, None);
    let evicted = Decision::Evict { job: first, attempt: 1, pool, alternative: 0, reason, by };
    assert_eq!(decisions.unwrap()[0], evicted);
    assert_eq!(world.scheduler.evictions()[0].reason.as_str(), "policy");
}

#[test]
fn a_job_that_fits_waits_for_the_policy() {
    let mut world = World::new();
    let (fits, waits) = (world.submit(1, 1, true), world.submit(0, 3, true));
    let why = |world: &World, job| match world.scheduler.explain(job).unwrap().state {
        JobState::Waiting(reasons) => reasons,
        other => panic!("{other:?}"),
    };
    assert_eq!(why(&world, fits), [Blocked::Policy]);
    world.cycle(move |txn| txn.start_anywhere(waits).map(|_| ())).unwrap();
    let more = world.submit(1, 2, true);
    assert!(matches!(why(&world, more)[..], [Blocked::Room { .. }]));
    let said = world.scheduler.explain(fits).unwrap().to_string();
    assert!(said.contains("it fits, and the policy has not chosen it"), "{said}");
}
