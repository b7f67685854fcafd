//! Lived: schedulers to which something has happened already, for tests of what comes then.

use std::collections::BTreeSet;

use fairshare::{
    JobId, JobSpec, JobState, Millis, NodeId, PoolId, Scheduler, ShapeSpec, Submission, TeamId, Timestamp,
};

use crate::strategy::{Case, Op};

/// A scheduler that has lived through the first events of a case, and the time then.
pub(crate) fn live(case: &Case, events: usize) -> (Scheduler, Timestamp) {
    let mut scheduler = Scheduler::new(case.config.clone()).unwrap();
    let mut now = Timestamp::ZERO;
    let mut jobs: Vec<JobId> = Vec::new();
    let mut down = BTreeSet::new();
    for op in case.ops.iter().take(events) {
        match *op {
            Op::Submit { team, shape, length, limit, fixed } => {
                let shape = scheduler.intern(&case.shapes[shape % case.shapes.len()]).unwrap();
                let team = TeamId::new(u32::try_from(team % case.config.teams.len()).unwrap());
                let mut job = JobSpec::new(team, shape, now);
                (job.estimate, job.time_limit) = (length.map(Millis::new), limit.map(Millis::new));
                job.preemptible = !fixed;
                if let Submission::Queued(job) = scheduler.submit(now, job).unwrap() {
                    jobs.push(job);
                }
            }
            Op::Complete(which) | Op::Cancel(which) => {
                let running_only = matches!(op, Op::Complete(_));
                let runs = |job: &JobId| {
                    matches!(
                        scheduler.explain_without_entitlements(*job).unwrap().state,
                        JobState::Running { .. }
                    )
                };
                let known: Vec<JobId> =
                    jobs.iter().copied().filter(|job| !running_only || runs(job)).collect();
                if let Some(job) = known.get(which % known.len().max(1)) {
                    scheduler.cancel(now, *job).unwrap();
                    jobs.retain(|other| other != job);
                }
            }
            Op::SetUp { pool, up } => {
                let pool = PoolId::new(u32::try_from(pool % case.config.pools.len()).unwrap());
                scheduler.set_capacity(now, pool, up).unwrap();
            }
            Op::Turn { pool, node } => {
                let at = pool % case.config.pools.len();
                if !case.config.pools[at].divisible {
                    let node = NodeId::new(node % case.config.pools[at].nodes);
                    let was_down = down.remove(&(at, node));
                    if !was_down {
                        down.insert((at, node));
                    }
                    let pool = PoolId::new(u32::try_from(at).unwrap());
                    scheduler.set_node(now, pool, node, was_down).unwrap();
                }
            }
            Op::Schedule => {
                scheduler.schedule(now).unwrap();
            }
            Op::Wait(millis) => now = Timestamp::from_millis(now.as_millis() + millis),
        }
    }
    (scheduler, now)
}

/// A job that waits from now on.
pub(crate) fn submit(scheduler: &mut Scheduler, team: u32, shape: &ShapeSpec, now: Timestamp) -> JobId {
    let shape = scheduler.intern(shape).unwrap();
    match scheduler.submit(now, JobSpec::new(TeamId::new(team), shape, now)).unwrap() {
        Submission::Queued(job) => job,
        Submission::Rejected(why) => panic!("{why}"),
    }
}
