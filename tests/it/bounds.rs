//! Which bound keeps a job from stopping others, against what happens with bounds lifted.
//!
//! The job waits alone, so that nobody else takes whom it could stop.

use fairshare::{
    Backfill, Blocked, Decision, EvictionBound, EvictionBounds, JobId, JobState, Millis, Preemption,
    Scheduler, Snapshot, Timestamp,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config as RunnerConfig, TestRunner};

use crate::lived::live;
use crate::strategy::{Case, case};

#[derive(Default, Debug)]
struct Seen {
    /// Jobs by what is in their way.
    minimum_run: u32,
    gpu_time: u32,
    ratio: u32,
    hysteresis: u32,
    several: u32,
    nothing: u32,
    /// Ends of a minimum run.
    ends: u32,
}

fn lift(bounds: &mut EvictionBounds, bound: EvictionBound) {
    match bound {
        EvictionBound::MinimumRun => bounds.minimum_run = Millis::ZERO,
        EvictionBound::GpuTime => bounds.gpu_seconds_per_hour = None,
        EvictionBound::Ratio => bounds.ratio_milli = None,
        EvictionBound::Hysteresis => bounds.hysteresis_milli = 0,
        other => panic!("no setting lifts {other:?}"),
    }
}

/// Whether a job starts in the next cycle by stopping others.
fn stops_others(mut scheduler: Scheduler, job: JobId, at: Timestamp) -> bool {
    let decided = scheduler.schedule(at).unwrap();
    let stops = decided.iter().any(|one| matches!(one, Decision::Evict { by: Some(by), .. } if *by == job));
    stops && decided.iter().any(|one| matches!(one, Decision::Start { job: id, .. } if *id == job))
}

/// The same with some bounds lifted.
fn stops_without(snapshot: &Snapshot, lifted: &[EvictionBound], job: JobId, now: Timestamp) -> bool {
    let mut config = snapshot.config.clone();
    for bound in lifted {
        lift(&mut config.policy.bounds, *bound);
    }
    stops_others(Scheduler::restore(&snapshot.clone().with_config(config)).unwrap(), job, now)
}

/// The bounds that are told of a job where it could start in one way alone, with the last of the instants.
fn told(scheduler: &Scheduler, job: JobId) -> (Vec<EvictionBound>, Option<Timestamp>) {
    let JobState::Waiting(reasons) = scheduler.explain(job).unwrap().state else { return Default::default() };
    let bounds = reasons.iter().filter_map(|reason| match reason {
        Blocked::Bound { bound, until, .. } => Some((*bound, *until)),
        _ => None,
    });
    let (mut bounds, ends): (Vec<_>, Vec<_>) = bounds.unzip();
    let last = ends.into_iter().collect::<Option<Vec<_>>>().and_then(|ends| ends.into_iter().max());
    bounds.dedup();
    (bounds, last)
}

fn check(case: &Case, seen: &mut Seen) {
    use EvictionBound::{GpuTime, Hysteresis, MinimumRun, Ratio};
    let (mut scheduler, now) = live(case, case.ops.len());
    scheduler.schedule(now).unwrap();
    let queue = scheduler.queue();
    for job in queue.iter().copied().take(4) {
        let mut alone = scheduler.clone();
        for other in queue.iter().copied().filter(|other| *other != job) {
            alone.cancel(now, other).unwrap();
        }
        alone.schedule(now).unwrap();
        let explanation = alone.explain(job).unwrap();
        let JobState::Waiting(reasons) = &explanation.state else { continue };
        if explanation.asked.iter().any(|asked| asked.pool != explanation.asked[0].pool)
            || reasons.iter().any(|reason| matches!(reason, Blocked::BackOff { .. }))
        {
            continue;
        }
        let (bounds, until) = told(&alone, job);
        if bounds.contains(&EvictionBound::Stopped) {
            assert_eq!(queue, [job], "everybody else was withdrawn, which is an event");
            continue;
        }
        let snapshot = alone.snapshot();
        if bounds.is_empty() {
            let all = [MinimumRun, GpuTime, Ratio, Hysteresis];
            assert!(!stops_without(&snapshot, &all, job, now), "job {job} is told of no bound");
            seen.nothing += 1;
            continue;
        }
        assert!(stops_without(&snapshot, &bounds, job, now), "job {job} has more in its way than {bounds:?}");
        for at in 0..bounds.len() {
            let mut less = bounds.clone();
            let bound = less.remove(at);
            assert!(!stops_without(&snapshot, &less, job, now), "{bound:?} is not in the way of job {job}");
        }
        seen.several += u32::from(bounds.len() > 1);
        for bound in &bounds {
            match bound {
                MinimumRun => seen.minimum_run += 1,
                GpuTime => seen.gpu_time += 1,
                Ratio => seen.ratio += 1,
                _ => seen.hysteresis += 1,
            }
        }
        if let Some(until) = until.filter(|_| bounds == [MinimumRun]) {
            seen.ends += 1;
            let before = Timestamp::from_millis(until.as_millis() - 1);
            assert!(stops_others(alone.clone(), job, until), "job {job} may stop nobody at {until} yet");
            assert!(!stops_others(alone, job, before), "job {job} may stop somebody before {until}");
        }
    }
}

/// Cases in which jobs may be stopped, and most bounds bind. Each job has one way to run, and so one search.
fn bounded() -> impl Strategy<Value = Case> {
    let bounds = (0_u64..6, 0_u32..900, 500_u64..3_000, 0_u8..16, any::<bool>());
    (case(), bounds).prop_map(|(mut case, (minimum_run, hysteresis, ratio, which, reclaim))| {
        case.shapes.iter_mut().for_each(|shape| shape.alternatives.truncate(1));
        let policy = &mut case.config.policy;
        if policy.backfill == Backfill::Conservative {
            policy.backfill = Backfill::Easy;
        }
        policy.preemption = if reclaim { Preemption::Reclaim } else { Preemption::Priority };
        let bounds = &mut policy.bounds;
        bounds.minimum_run = Millis::new(if which & 1 == 0 { minimum_run } else { 0 });
        bounds.hysteresis_milli = if which & 2 == 0 { hysteresis } else { 0 };
        bounds.ratio_milli = Some(ratio).filter(|_| which & 4 == 0);
        bounds.gpu_seconds_per_hour = (which & 8 == 0).then_some(0);
        case
    })
}

proptest! {
    #[test]
    fn bounds_that_are_told_are_in_the_way_and_no_others(case in bounded()) {
        check(&case, &mut Seen::default());
    }
}

#[test]
fn generated_cases_meet_every_bound() {
    let mut runner = TestRunner::deterministic();
    let cases = RunnerConfig::default().cases.max(2_048);
    let mut seen = Seen::default();
    for _ in 0..cases {
        check(&bounded().new_tree(&mut runner).unwrap().current(), &mut seen);
    }
    println!("of {cases}: {seen:?}");
    let Seen { minimum_run, gpu_time, ratio, hysteresis, several, nothing, ends } = seen;
    for count in [minimum_run, gpu_time, ratio, hysteresis, several, nothing, ends] {
        assert!(count > 0, "{seen:?}");
    }
}
