//! The smallest scheduler: submit, schedule, complete, explain. Run it with `cargo run --example embed`.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use fairshare::{
    Alternative, Config, Decision, Error, JobSpec, Millis, PoolSpec, Resources, Scheduler, ShapeSpec,
    Submission, TeamId, TeamSpec, Timestamp, Weight,
};

fn main() -> Result<(), Error> {
    // One node with eight H200; `search` is entitled to twice what `vision` is.
    let pool = PoolSpec::new("h200", 1, Resources::new().gpu(8).cpu(128)).with_accelerator("H200");
    let search = TeamSpec::new("search").with_weight(Weight::new(2, 1).unwrap_or_default());
    let mut scheduler = Scheduler::new(Config::new(vec![pool], vec![search, TeamSpec::new("vision")]))?;

    // What a job asks is interned once; submitting is cheap after that.
    let two_gpus =
        scheduler.intern(&ShapeSpec::new(Alternative::new(Resources::new().gpu(2).cpu(8)).on("H200")))?;
    let now = Timestamp::ZERO;
    let mut jobs = Vec::new();
    for team in [0, 1, 0, 1, 0, 1].map(TeamId::new) {
        if let Submission::Queued(job) = scheduler.submit(now, JobSpec::new(team, two_gpus, now))? {
            jobs.push(job);
        }
    }

    // One call makes every decision that can be made now; they are yours to carry out.
    for decision in scheduler.schedule(now)? {
        if let Decision::Start { job, pool, .. } = decision {
            println!("start job {job} in {pool:?}");
        }
    }
    println!("{}", scheduler.explain(jobs[5])?); // why the last one waits, with amounts

    // A minute later the first job ends, and its room goes to whoever is furthest below its share.
    let later = now.checked_add(Millis::new(60_000)).unwrap_or(now);
    scheduler.complete(later, jobs[0])?;
    println!("{:?}", scheduler.schedule(later)?);
    Ok(())
}
