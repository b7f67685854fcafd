//! A whole policy of one's own: time in turns. Who has run for a minute gives way to who waits, so that short jobs need not
//! wait for long ones. The kit says whether it is a policy, and the scheduler runs it.

use fairshare::{
    Alternative, Config, Error, JobId, JobSpec, Millis, Policy, PoolSpec, Resources, Scheduler, ShapeSpec,
    TeamId, TeamSpec, Timestamp, Txn, conformance,
};

const TURN: Millis = Millis::new(60_000);

#[derive(Clone, Debug, Default)]
struct Turns {
    /// When the turn of a running job is over.
    next: Option<Timestamp>,
}

impl Policy for Turns {
    fn copy(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }

    fn cycle(&mut self, txn: &mut Txn<'_>) -> Result<(), Error> {
        let waiting: Vec<JobId> = txn.waiting().collect();
        let mut turns = Vec::new();
        for job in txn.running() {
            let end = txn.runs(job)?.and_then(|(since, _)| since.checked_add(TURN));
            turns.extend(
                end.filter(|_| txn.spec(job).is_ok_and(|spec| spec.preemptible)).map(|end| (end, job)),
            );
        }
        turns.sort_unstable();
        for (end, job) in &turns {
            if *end <= txn.now() && !waiting.is_empty() {
                txn.stop(*job)?;
            }
        }
        for job in waiting {
            txn.start_anywhere(job)?;
        }
        // Who was stopped and is in nobody's way goes on.
        for (_, job) in &turns {
            if txn.runs(*job)?.is_none() {
                txn.start_anywhere(*job)?;
            }
        }
        let now = txn.now();
        self.next = turns
            .iter()
            .map(|(end, _)| *end)
            .filter(|end| *end > now)
            .min()
            .or_else(|| now.checked_add(TURN));
        Ok(())
    }

    fn next_wakeup(&self, _: Timestamp) -> Option<Timestamp> {
        self.next
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let build = |config| Scheduler::with_policy(config, Box::new(Turns::default()));
    let checked = conformance::check_scheduler(build, 1, 32)?;
    assert!(checked.starts > 0);

    let pool = PoolSpec::new("l4", 1, Resources::new().gpu(4));
    let mut scheduler = build(Config::new(vec![pool], vec![TeamSpec::new("a")]))?;
    let shape = scheduler.intern(&ShapeSpec::new(Alternative::new(Resources::new().gpu(4))))?;
    for _ in 0..2 {
        let _ = scheduler.submit(Timestamp::ZERO, JobSpec::new(TeamId::new(0), shape, Timestamp::ZERO))?;
    }
    assert_eq!(scheduler.schedule(Timestamp::ZERO)?.len(), 1, "one of both runs");
    let turn = scheduler.next_wakeup().ok_or("there is no next turn")?;
    assert_eq!(scheduler.schedule(turn)?.len(), 2, "one is stopped, the other runs");
    Ok(())
}
