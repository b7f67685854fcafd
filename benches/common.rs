//! What several benches share: small organisations, and jobs for them. Built once a bench; never timed.

use fairshare::{
    Alternative, Config, Decision, JobId, JobSpec, PolicySpec, PoolSpec, Resources, Scheduler, ShapeId,
    ShapeSpec, Submission, TeamId, TeamSpec, Timestamp,
};

/// Time stands still in every bench: what is measured are decisions.
pub(crate) const NOW: Timestamp = Timestamp::ZERO;

/// A scheduler, and jobs for its teams in turn.
pub(crate) struct Bed {
    pub(crate) scheduler: Scheduler,
    teams: u32,
    next: u32,
}

impl Bed {
    /// One pool shared by so many teams of equal weight.
    pub(crate) fn new(pool: PoolSpec, teams: u32, policy: PolicySpec) -> Self {
        Self::with_pools(vec![pool], teams, policy)
    }

    /// Several pools.
    pub(crate) fn with_pools(pools: Vec<PoolSpec>, teams: u32, policy: PolicySpec) -> Self {
        let specs = (0..teams).map(|team| TeamSpec::new(format!("team-{team}"))).collect();
        let config = Config::new(pools, specs).with_policy(policy);
        Self { scheduler: Scheduler::new(config).expect("a valid configuration"), teams, next: 0 }
    }

    /// The shape of gangs of so many workers that ask this each.
    pub(crate) fn shape(&mut self, request: Resources, workers: u32) -> ShapeId {
        self.intern(&ShapeSpec::new(Alternative::new(request).with_workers(workers)))
    }

    /// Any shape.
    pub(crate) fn intern(&mut self, shape: &ShapeSpec) -> ShapeId {
        self.scheduler.intern(shape).expect("a valid shape")
    }

    /// One more job of a team waits.
    pub(crate) fn submit(&mut self, team: u32, shape: ShapeId) -> JobId {
        let job = JobSpec::new(TeamId::new(team), shape, NOW);
        match self.scheduler.submit(NOW, job).expect("a known team") {
            Submission::Queued(id) => id,
            Submission::Rejected(why) => panic!("a job that fits was rejected: {why}"),
        }
    }

    /// So many more jobs wait, of all teams in turn.
    pub(crate) fn submit_in_turn(&mut self, jobs: u32, shape: ShapeId) {
        for _ in 0..jobs {
            self.submit(self.next % self.teams, shape);
            self.next += 1;
        }
    }

    /// One cycle: the jobs that it starts, and how many it stops.
    pub(crate) fn cycle(&mut self) -> (Vec<JobId>, usize) {
        let decisions = self.scheduler.schedule(NOW).expect("time stands still");
        let started = decisions.iter().filter_map(|decision| match decision {
            Decision::Start { job, .. } => Some(*job),
            _ => None,
        });
        let started: Vec<JobId> = started.collect();
        let stopped = decisions.len() - started.len();
        (started, stopped)
    }
}
