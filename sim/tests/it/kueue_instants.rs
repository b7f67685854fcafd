//! A replay under `order = "kueue"` and `sim decide`: at every instant both say the same.
//!
//! Instants are gone through by hand: who runs and who waits is written as a snapshot, decided upon, and what was decided
//! happens, until nothing does. Half of the queues are strict. Absent on purpose: preemption.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use fairshare_sim::decide::{Action, of_scenario};
use fairshare_sim::{Fate, Scenario};

use crate::kueue_waking::Model;
use crate::support::{Numbers, simulate};

#[derive(Clone, Debug)]
struct Job {
    submit_ms: i64,
    run_ms: i64,
    team: usize,
    gpus: i64,
    start_ms: Option<i64>,
}

impl Job {
    fn end_ms(&self) -> Option<i64> {
        self.start_ms.map(|start| start + self.run_ms)
    }
}

fn seconds(ms: i64) -> String {
    format!("{}.{:03}", ms / 1_000, ms % 1_000)
}

/// The same as a snapshot writes it.
fn instant(ms: i64) -> String {
    format!("'1970-01-01T00:{:02}:{:02}.{:03}Z'", ms / 60_000, ms / 1_000 % 60, ms % 1_000)
}

fn jobs(model: &Model, seed: u64) -> Vec<Job> {
    let mut numbers = Numbers(seed);
    let queues: Vec<usize> = (1..model.nodes.len()).filter(|at| model.nodes[*at].is_queue).collect();
    let mut submit_ms = 0;
    let job = |at: i64| {
        submit_ms += 1_000 * numbers.below(3).cast_signed();
        // Hardly any job ends together with another.
        let run_ms = 1_000 + 1_000 * numbers.below(8).cast_signed() + at * at;
        let (team, gpus) = (queues[numbers.index(queues.len())], 1 + numbers.below(4).cast_signed());
        Job { submit_ms, run_ms, team, gpus, start_ms: None }
    };
    (0..14).map(job).collect()
}

/// Those that were looked at in vain, in queues where that lets others pass.
type Parked = BTreeSet<(usize, i64)>;

/// Whether a head that waits would be looked at again though nothing has happened.
fn waits_for_others(why: &str) -> bool {
    why.starts_with("it no longer fits after others") || why.starts_with("another workload preempts")
}

/// One snapshot decided upon; whether anything happened.
fn decide(
    model: &Model,
    scenario: &str,
    now: i64,
    jobs: &mut [Job],
    gone: &mut Parked,
    left: &mut Vec<usize>,
) -> bool {
    let mut text = format!("{scenario}[snapshot]\nnow_s = {}\n", instant(now));
    for (at, job) in jobs.iter().enumerate() {
        let begin = match job.start_ms {
            Some(start) if now < start + job.run_ms => {
                format!("[[running]]\npool = 'p'\nstart_s = {}\n", instant(start))
            }
            None if left.contains(&at) && !gone.contains(&(job.team, job.gpus)) => "[[pending]]\n".to_owned(),
            _ => continue,
        };
        let (submit, Job { team, gpus, .. }) = (instant(job.submit_ms), job);
        let _ =
            write!(text, "{begin}job_id = '{at:02}'\nteam = 't{team}'\nsubmit_s = {submit}\ngpu = {gpus}\n");
    }
    let decided = of_scenario(&Scenario::parse("snapshot.toml", &text, &[]).unwrap()).unwrap();
    let mut happened = false;
    for decision in decided.decisions {
        let at: usize = decision.job.parse().unwrap();
        let place = (jobs[at].team, jobs[at].gpus);
        match decision.action {
            Action::Start => jobs[at].start_ms = Some(now),
            Action::Reject => {}
            _ if model.nodes[place.0].strict || !decided.order.contains(&decision.job) => continue,
            _ if waits_for_others(&decision.why) => continue,
            _ => {
                gone.insert(place);
                happened = true;
                continue;
            }
        }
        left.retain(|row| *row != at);
        happened = true;
    }
    happened
}

/// When each job starts, if it does.
fn by_hand(model: &Model, scenario: &str, mut jobs: Vec<Job>) -> Vec<Option<i64>> {
    let root = |mut at: usize| {
        while let Some(parent) = model.nodes[at].parent {
            at = parent;
        }
        at
    };
    let (mut now, mut gone, mut left) = (-1, Parked::new(), Vec::new());
    loop {
        let submits = jobs.iter().map(|job| job.submit_ms);
        let next = submits.chain(jobs.iter().filter_map(Job::end_ms)).filter(|at| *at > now).min();
        let Some(next) = next else { return jobs.iter().map(|job| job.start_ms).collect() };
        now = next;
        for (at, job) in jobs.iter().enumerate() {
            if job.end_ms() == Some(now) {
                gone.retain(|(team, _)| root(*team) != root(job.team));
            }
            if job.submit_ms == now {
                left.push(at);
            }
        }
        while decide(model, scenario, now, &mut jobs, &mut gone, &mut left) {}
    }
}

#[test]
fn a_replay_and_a_decision_say_the_same() {
    let (mut trees, mut waited) = (0, 0);
    for seed in 0..60 {
        let mut model = Model::random(seed);
        if model.has_idle_cohorts() {
            continue;
        }
        let mut numbers = Numbers(!seed);
        model.nodes.iter_mut().for_each(|node| node.strict = node.is_queue && numbers.below(2) == 0);
        let (scenario, jobs) = (model.scenario(seed % 2 == 0), jobs(&model, seed));
        let mut text = String::from("job_id,submit_s,run_s,team,gpu\n");
        for (at, Job { submit_ms, run_ms, team, gpus, .. }) in jobs.iter().enumerate() {
            let _ = writeln!(text, "{at:02},{},{},t{team},{gpus}", seconds(*submit_ms), seconds(*run_ms));
        }
        let finished = simulate(&scenario, &text);
        let outcomes = finished.record.outcomes.iter();
        let starts = outcomes.map(|outcome| (outcome.fate == Fate::Ended).then_some(outcome.start_ms));
        let starts: Vec<Option<i64>> = starts.collect();
        waited += jobs.iter().zip(&starts).filter(|(job, start)| **start > Some(job.submit_ms)).count();
        trees += 1;
        assert_eq!(starts, by_hand(&model, &scenario, jobs), "seed {seed}\n{scenario}\n{text}");
    }
    assert!(trees > 20 && waited > 60, "{trees} trees, {waited} jobs waited");
}
