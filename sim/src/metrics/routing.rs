//! Routing: what the rules of a scenario sent where, and what went elsewhere.
//!
//! Formula: a job belongs to the first rule that is about what it asks (by the alternative that ran, else by its first),
//! whether it names pools or not. override = it names pools, so that the rule was not asked; misroute = it ran in a pool
//! to which its rule does not send. Unit: jobs. Estimator: exact counts. Source: a definition of this project.
//! Population: all jobs that came and were not rejected; those about which no rule is have an entry without a number.
//! Absent on purpose: where a job's data are (the scheduler's).

use fairshare::PoolId;
use serde::Serialize;

use crate::record::{Fate, Record};
use crate::setup::Setup;
use crate::trace::Trace;

/// What one rule sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Routed {
    /// Its place among the rules of the scenario, from one; null: no rule.
    pub rule: Option<u64>,
    /// Jobs that it is about.
    pub jobs: u64,
    /// Of them, those that name their pools themselves.
    pub overrides: u64,
    /// Of them, those that ran where the rule does not send.
    pub misroutes: u64,
}

/// By rule, in their order; nothing where the scenario has none.
///
/// # Examples
///
/// One rule sends H200 to the first pool. A job that asks for H200 is sent; one that asks for H200 in the second pool by
/// name is an override, and a misroute; one that asks for anything is under no rule.
///
/// ```
/// use fairshare_sim::metrics::routing::{Routed, routed};
/// use fairshare_sim::{Scenario, Setup, simulate, trace::{Input, Trace, TraceOptions}};
/// let pool = |name: &str| format!("[[pool]]\nname = '{name}'\naccelerator = 'H200'\nnodes = 1\nnode = {{ gpu = 8 }}\n");
/// let text = pool("one") + &pool("two") + "[[route]]\naccelerator = 'H200'\npools = ['one']\n";
/// let scenario = Scenario::parse("routes", &text, &[]).unwrap();
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("jobs.csv");
/// let jobs = "job_id,submit_s,run_s,team,gpu,accelerators,pools\n1,0,9,a,1,H200,\n2,0,9,a,1,H200,two\n3,0,9,a,1,,\n";
/// std::fs::write(&path, jobs).unwrap();
/// let trace = Trace::load(&[Input { path, format: None }], &TraceOptions::default()).unwrap();
/// let setup = Setup::new(&scenario, &trace).unwrap();
/// let record = simulate(&setup, &trace, &mut (), &|| false).unwrap();
/// let rule = Routed { rule: Some(1), jobs: 2, overrides: 1, misroutes: 1 };
/// assert_eq!(routed(&setup, &trace, &record), Some(vec![rule, Routed { jobs: 1, ..Routed::default() }]));
/// ```
#[must_use]
pub fn routed(setup: &Setup, trace: &Trace, record: &Record) -> Option<Vec<Routed>> {
    let mut sums = Sums::default();
    sums.add(setup, trace, record);
    sums.routed()
}

/// The same of jobs that come in parts: by rule, and those under none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sums(Vec<Routed>);

impl Sums {
    /// Adds the jobs of a part.
    pub(crate) fn add(&mut self, setup: &Setup, trace: &Trace, record: &Record) {
        let rules = &setup.rules.routes;
        if rules.is_empty() {
            return;
        }
        if self.0.is_empty() {
            let rule = |number: u64| Routed { rule: Some(number), ..Routed::default() };
            self.0 = (1..=rules.len() as u64).map(rule).chain([Routed::default()]).collect();
        }
        for (job, outcome) in trace.jobs.iter().zip(&record.outcomes) {
            if matches!(outcome.fate, Fate::Unseen | Fate::Rejected) {
                continue;
            }
            let (shape, place) = (&trace.shapes[job.shape as usize], record.place(outcome));
            let alternative = &shape.alternatives[usize::from(place.alternative)];
            let rule = setup.rules.rule_of(&setup.ask(shape, alternative));
            let count = &mut self.0[rule.unwrap_or(rules.len())];
            count.jobs += 1;
            let Some(rule) = rule else { continue };
            count.overrides += u64::from(!alternative.pools.is_empty());
            let elsewhere = outcome.started() && !rules[rule].pools.contains(&PoolId::new(place.pool));
            count.misroutes += u64::from(elsewhere);
        }
    }

    /// By rule, in their order; nothing where the scenario has none.
    pub(crate) fn routed(&self) -> Option<Vec<Routed>> {
        let (unrouted, rules) = self.0.split_last()?;
        let unrouted = (unrouted.jobs > 0).then_some(*unrouted);
        Some(rules.iter().copied().chain(unrouted).collect())
    }
}
