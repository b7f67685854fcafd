//! Kueue's own load test as a scenario and a trace, for tests and benches.
//!
//! After `test/performance/scheduler/configs` of kubernetes-sigs/kueue: queues of 20 that may borrow 100 in their
//! cohort, and in each of them small, medium and large jobs that come at equal intervals. Absent on purpose: what is
//! expected.

use std::fmt::Write as _;

/// So many cohorts of so many queues with so many small, medium and large jobs each.
pub(crate) struct Load {
    pub(crate) cohorts: u32,
    pub(crate) queues: u32,
    pub(crate) counts: [u32; 3],
}

/// Theirs: 15,000 jobs on 30 queues.
pub(crate) const SMALL: Load = Load { cohorts: 5, queues: 6, counts: [350, 100, 50] };
/// A tenth of the jobs a queue, on 1,000 queues: 50,000 jobs.
pub(crate) const LARGE: Load = Load { cohorts: 10, queues: 100, counts: [35, 10, 5] };

pub(crate) const CLASSES: [&str; 3] = ["small", "medium", "large"];

impl Load {
    pub(crate) fn jobs(&self) -> usize {
        (self.cohorts * self.queues * self.counts.iter().sum::<u32>()) as usize
    }

    /// The scenario, and the trace as CSV.
    pub(crate) fn write(&self, fair_sharing: bool) -> (String, String) {
        let Self { cohorts, queues, counts } = self;
        let nodes = cohorts * queues;
        let mut scenario = format!(
            "[[pool]]\nname = 'cpu'\nnodes = {nodes}\nnode = {{ cpu = 20 }}\ndivisible = true\n[policy]\norder = 'kueue'\n\
             fair_sharing = {fair_sharing}\npreemption = 'reclaim'\n"
        );
        let mut jobs = Vec::new();
        for cohort in 0..*cohorts {
            // A cohort that may not borrow stands for one that has nothing above it.
            let all = queues * 20;
            let _ = write!(
                scenario,
                "[[team]]\nname = 'cohort-{cohort}'\nquota = {{ cpu = {{ cpu = {all} }} }}\nborrow = {{ cpu = {{ cpu = 0 }} }}\n"
            );
            for queue in 0..*queues {
                let name = format!("queue-{cohort}-{queue}");
                let _ = write!(
                    scenario,
                    "[[team]]\nname = '{name}'\nparent = 'cohort-{cohort}'\nquota = {{ cpu = {{ cpu = 20 }} }}\n\
                     borrow = {{ cpu = {{ cpu = 100 }} }}\n"
                );
                let classes = [(1, 200, 50, 100), (5, 500, 100, 500), (20, 1_000, 200, 1_200)];
                for ((class, count), asks) in CLASSES.iter().zip(counts).zip(classes) {
                    let (cpu, run_ms, priority, every_ms) = asks;
                    let job = |number| {
                        let id = format!("{name}-{class}-{number}");
                        (number * every_ms, id, name.clone(), cpu, run_ms, priority)
                    };
                    jobs.extend((0..*count).map(job));
                }
            }
        }
        jobs.sort();
        let mut text = String::from("job_id,submit_s,run_s,team,cpu,priority\n");
        for (submit_ms, id, team, cpu, run_ms, priority) in jobs {
            let seconds = |ms: u32| format!("{}.{:03}", ms / 1_000, ms % 1_000);
            let (submit, run) = (seconds(submit_ms), seconds(run_ms));
            let _ = writeln!(text, "{id},{submit},{run},{team},{cpu},{priority}");
        }
        (scenario, text)
    }
}
