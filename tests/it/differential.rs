//! The crate against the slow scheduler of `oracle`, decision by decision, with every invariant checked after each
//! event; and a meta-test that the generated cases reach the corners that matter.
//!
//! A failure means that the two disagree on what the model says: the printed case is minimal.

use std::collections::{BTreeMap, BTreeSet};

use fairshare::{
    Backfill, Blocked, Decision, EvictReason, JobId, JobSpec, JobState, Millis, NodeId, OrderName, PoolId,
    Preemption, Rejection, Scheduler, Submission, TeamId, Timestamp,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config as RunnerConfig, TestRunner};

use crate::oracle::{Job, Oracle, Rule, Run, Spot};
use crate::strategy::{
    Case, Op, case, gangs_in_domains, node_by_node, reading_from_elsewhere, reserving_case,
};

/// What a case went through.
#[expect(clippy::struct_excessive_bools, reason = "each is one corner, counted by itself")]
#[derive(Default, Debug)]
pub(crate) struct Seen {
    pub(crate) waited: bool,
    pub(crate) evicted: bool,
    pub(crate) rejected: bool,
    pub(crate) gang: bool,
    pub(crate) tree: bool,
    pub(crate) second_pool: bool,
    /// A job waits for nothing but a reservation.
    pub(crate) reserved: bool,
    /// A job waits for what its team may not hold, or others keep.
    pub(crate) denied: bool,
    /// A job waits because a budget is spent.
    pub(crate) spent: bool,
    pub(crate) started: usize,
    /// Jobs were stopped for others, by reason.
    pub(crate) stopped: BTreeSet<&'static str>,
    /// A gang was given room by stopping others.
    pub(crate) gang_preemptor: bool,
    /// A job moves data sets before it computes.
    pub(crate) moved: bool,
    /// Jobs of one shape have their routes in different orders, for one of them is longer.
    pub(crate) by_length: bool,
    /// A node is down and a later one up.
    pub(crate) hole: bool,
    /// A gang is larger than every domain.
    pub(crate) too_large_for_domain: bool,
    /// A gang waits although a pool has room for all of it, but no domain has.
    pub(crate) across: bool,
    /// A gang runs in one of several domains.
    pub(crate) in_domain: bool,
    /// It was given room there by stopping others.
    pub(crate) domain_preemptor: bool,
    /// Plans taken, and jobs for which there was one left when a cycle had ended, where that was looked at.
    pub(crate) plans: (usize, usize),
}

struct Replay<'a> {
    case: &'a Case,
    scheduler: Scheduler,
    oracle: Oracle,
    now: Timestamp,
    /// Jobs alive by their number of submission.
    alive: BTreeMap<usize, (JobId, bool)>,
    numbers: BTreeMap<JobId, usize>,
    /// The shape of each job, by its number.
    shapes: BTreeMap<usize, usize>,
    submitted: usize,
    /// Nothing but time has passed since the last cycle.
    settled: bool,
    count_missed: bool,
    missed: BTreeSet<usize>,
    seen: Seen,
}

impl Replay<'_> {
    fn submit(&mut self, team: usize, shape: usize, length: Option<u64>, limit: Option<u64>, fixed: bool) {
        self.settled = false;
        let team = team % self.case.config.teams.len();
        let number_of_shape = shape % self.case.shapes.len();
        let spec = &self.case.shapes[number_of_shape];
        let shape = self.scheduler.intern(spec).unwrap();
        let mut job = JobSpec::new(TeamId::new(u32::try_from(team).unwrap()), shape, self.now);
        job.estimate = length.map(Millis::new);
        job.time_limit = limit.map(Millis::new);
        job.preemptible = !fixed;
        match self.scheduler.submit(self.now, job).unwrap() {
            Submission::Rejected(why) => {
                self.seen.rejected = true;
                self.seen.too_large_for_domain |= matches!(why, Rejection::LargerThanDomain { .. });
            }
            Submission::Queued(id) => {
                let number = self.submitted;
                self.submitted += 1;
                self.alive.insert(number, (id, false));
                self.numbers.insert(id, number);
                self.shapes.insert(number, number_of_shape);
                let (class, submit) = (spec.class, self.now.as_millis());
                let alternatives = spec.alternatives.clone();
                let (datasets, remotely) = (spec.datasets.clone(), spec.reads_remotely);
                let preemptible = !fixed;
                let job = Job {
                    team,
                    class,
                    alternatives,
                    datasets,
                    remotely,
                    submit,
                    length,
                    limit,
                    preemptible,
                    number,
                };
                self.seen.by_length |= self.oracle.goes_by_length(&job);
                self.oracle.submit(job);
            }
        }
    }

    fn pick(&self, which: usize, running: Option<bool>) -> Option<(usize, JobId, bool)> {
        let known = self.alive.iter().filter(|(_, (_, runs))| running.is_none_or(|wanted| wanted == *runs));
        let known: Vec<_> = known.map(|(number, (id, runs))| (*number, *id, *runs)).collect();
        (!known.is_empty()).then(|| known[which % known.len()])
    }

    fn end(&mut self, number: usize, id: JobId, runs: bool) {
        self.settled = false;
        if runs {
            self.oracle.complete(number, self.now.as_millis());
        } else {
            self.oracle.withdraw(number);
        }
        self.alive.remove(&number);
        self.numbers.remove(&id);
    }

    /// Checks one cycle; how many decisions there were.
    fn schedule(&mut self) -> usize {
        let wakeup = self.scheduler.next_wakeup();
        let decisions = self.scheduler.schedule(self.now).unwrap().to_vec();
        let evictions = self.scheduler.evictions().to_vec();
        self.check_records(&decisions, &evictions);
        let mut rest = &decisions[..];
        while let Some((Decision::Evict { job, reason: EvictReason::CapacityLost, .. }, others)) =
            rest.split_first()
        {
            self.seen.evicted = true;
            let number = self.numbers[job];
            self.oracle.evict(number, self.now.as_millis());
            self.alive.insert(number, (*job, false));
            rest = others;
        }
        if wakeup.is_some_and(|wakeup| wakeup <= self.now) {
            self.oracle.bounds_have_run_out();
        }
        let mut expected = self.oracle.cycle(self.now.as_millis());
        loop {
            for run in &expected {
                let Some((decision, others)) = rest.split_first() else {
                    panic!("at {}: {run:?} does not start", self.now)
                };
                self.check_start(decision, run, others);
                rest = others;
            }
            self.seen.started += expected.len();
            if rest.is_empty() {
                break;
            }
            rest = self.check_plan(rest);
            expected = self.oracle.starts();
        }
        self.count_missed();
        self.seen.waited |= self.scheduler.waiting() > 0;
        self.settled = true;
        for (id, _) in self.alive.values() {
            if let JobState::Waiting(reasons) =
                self.scheduler.explain_without_entitlements(*id).unwrap().state
            {
                self.seen.reserved |= reasons.iter().any(|why| matches!(why, Blocked::Reservation { .. }));
                let is_denial = |why: &Blocked| matches!(why, Blocked::Limit { .. } | Blocked::Kept { .. });
                self.seen.denied |= reasons.iter().any(is_denial);
                self.seen.spent |= reasons.iter().any(|why| matches!(why, Blocked::Budget { .. }));
                self.seen.across |= reasons.iter().any(|why| matches!(why, Blocked::AcrossDomains { .. }));
                assert_ne!(reasons, [Blocked::Nothing], "nothing keeps job {id}, which waits");
            }
        }
        decisions.len()
    }

    /// Whether nothing but the search decides which plans are found.
    fn search_decides(&self) -> bool {
        let policy = &self.case.config.policy;
        policy.backfill == Backfill::BestEffort && policy.preemption != Preemption::None
    }

    /// Counts the jobs for which the search has missed a plan, each once: what is missed stays so while nothing changes.
    fn count_missed(&mut self) {
        if self.count_missed && self.search_decides() {
            self.missed.extend(self.oracle.missed());
            self.seen.plans.1 = self.missed.len();
        }
    }

    /// Every eviction among the decisions has its record.
    fn check_records(&self, decisions: &[Decision], records: &[fairshare::Eviction]) {
        let evicted = decisions.iter().filter_map(|decision| match *decision {
            Decision::Evict { job, attempt, pool, reason, by, .. } => Some((job, attempt, pool, reason, by)),
            _ => None,
        });
        let recorded = records.iter().map(|r| (r.job, r.attempt, r.pool, r.reason, r.by));
        assert!(evicted.eq(recorded), "{decisions:?} are recorded as {records:?}");
        for record in records {
            assert_eq!(record.preemptor.is_none(), record.reason == EvictReason::CapacityLost, "{record:?}");
        }
        assert!(records.iter().all(|record| self.numbers.contains_key(&record.job)));
    }

    /// A start is the expected one, on the expected nodes where the job still runs there.
    fn check_start(&mut self, decision: &Decision, run: &Run, rest: &[Decision]) {
        let Decision::Start { job, pool, alternative, .. } = *decision else {
            panic!("at {}: {decision:?} in place of {run:?}", self.now)
        };
        let number = self.numbers[&job];
        let stopped = |other: &Decision| matches!(other, Decision::Evict { job: its, .. } if *its == job);
        let nodes = if rest.iter().any(stopped) { run.nodes.clone() } else { self.spots(job) };
        self.alive.insert(number, (job, true));
        self.seen.second_pool |= pool.index() > 0;
        self.seen.moved |= self.scheduler.moving(job).is_ok_and(|moving| moving > Millis::ZERO);
        self.seen.gang |= run.nodes.len() > 1;
        let (pool, alternative) = (pool.index(), alternative as usize);
        self.seen.in_domain |= run.nodes.len() > 1 && self.is_confined(job, pool, alternative);
        let started = Run { number, pool, alternative, nodes, since: self.now.as_millis() };
        assert_eq!(started, *run, "the cycle at {}", self.now);
    }

    /// Whether a gang had to choose between several domains.
    fn is_confined(&self, job: JobId, pool: usize, alternative: usize) -> bool {
        let shape = &self.case.shapes[self.shapes[&self.numbers[&job]]];
        !shape.alternatives[alternative].across_domains && self.case.config.pools[pool].domains.len() > 1
    }

    /// Where a job runs, on which devices if it asks parts of them.
    fn spots(&self, job: JobId) -> Vec<Spot> {
        let spot = |node: NodeId, workers: u32, device| Spot {
            node: node.index(),
            workers: u64::from(workers),
            device,
        };
        let on_devices = self.scheduler.devices(job).map(|(n, device, w)| spot(n, w, Some(device)));
        let on_devices: Vec<Spot> = on_devices.collect();
        let nodes = self.scheduler.placement(job).map(|(n, w)| spot(n, w, None));
        if on_devices.is_empty() { nodes.collect() } else { on_devices }
    }

    /// The next decisions stop jobs and start the one that they were stopped for, as the rules allow; what follows.
    fn check_plan<'d>(&mut self, decisions: &'d [Decision]) -> &'d [Decision] {
        let is_eviction = |decision: &&Decision| matches!(decision, Decision::Evict { .. });
        let (evictions, rest) = decisions.split_at(decisions.iter().take_while(is_eviction).count());
        let Some((Decision::Start { job: starter, pool, alternative, .. }, rest)) = rest.split_first() else {
            panic!("at {}: evictions without a start: {decisions:?}", self.now)
        };
        let (pool, alternative) = (pool.index(), *alternative as usize);
        let (mut victims, mut reasons) = (Vec::new(), Vec::new());
        for decision in evictions {
            let Decision::Evict { job, reason, by, .. } = *decision else { unreachable!() };
            assert_eq!(by, Some(*starter));
            victims.push(self.numbers[&job]);
            reasons.push(reason);
            self.seen.stopped.insert(reason.as_str());
            self.alive.insert(self.numbers[&job], (job, false));
        }
        let number = self.numbers[starter];
        let run = Run { number, pool, alternative, nodes: Vec::new(), since: self.now.as_millis() };
        let plan = self.oracle.judge(&run, &victims);
        let plan = plan.unwrap_or_else(|why| panic!("at {}: {victims:?} for {number}: {why}", self.now));
        assert_eq!(reasons, plan.reasons, "at {}: {victims:?} for {number}", self.now);
        assert_eq!(self.oracle.is_wasteful(&plan), None, "{victims:?} for {number}: one is not needed");
        assert!(!self.oracle.fits_already(&plan), "{number} has room without stopping anybody");
        self.check_start(&decisions[evictions.len()], &plan.run, rest);
        let workers: u64 = plan.run.nodes.iter().map(|spot| spot.workers).sum();
        self.seen.gang_preemptor |= workers > 1;
        self.seen.domain_preemptor |= workers > 1 && self.is_confined(*starter, pool, alternative);
        self.oracle.preempt(&plan);
        self.seen.plans.0 += usize::from(self.search_decides());
        rest
    }

    /// Before the announced instant, time alone changes no decision.
    fn wait(&mut self, millis: i64) {
        let wakeup = self.scheduler.next_wakeup();
        // Where a job runs on past its end, every instant may change a plan of everybody.
        let sliding = self.case.config.policy.backfill == Backfill::Conservative && self.oracle.is_overdue();
        self.now = Timestamp::from_millis(self.now.as_millis() + millis);
        if self.settled && !sliding && wakeup.is_none_or(|wakeup| self.now < wakeup) {
            assert_eq!(self.schedule(), 0, "a decision at {} without an event or a wakeup", self.now);
        }
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Submit { team, shape, length, limit, fixed } => {
                self.submit(team, shape, length, limit, fixed);
            }
            Op::Complete(which) => {
                if let Some((number, id, runs)) = self.pick(which, Some(true)) {
                    self.scheduler.complete(self.now, id).unwrap();
                    self.end(number, id, runs);
                }
            }
            Op::Cancel(which) => {
                if let Some((number, id, runs)) = self.pick(which, None) {
                    self.scheduler.cancel(self.now, id).unwrap();
                    self.end(number, id, runs);
                }
            }
            Op::SetUp { pool, up } => {
                let pool = pool % self.case.config.pools.len();
                let up = up.min(self.case.config.pools[pool].nodes);
                self.scheduler.set_capacity(self.now, PoolId::new(u32::try_from(pool).unwrap()), up).unwrap();
                // The evicted jobs are named by the next cycle; the slow scheduler hears of them there.
                self.oracle.set_up(pool, up as usize);
                self.scheduler.check_invariants().unwrap();
                self.schedule();
            }
            Op::Turn { pool, node } => {
                let pool = pool % self.case.config.pools.len();
                let spec = &self.case.config.pools[pool];
                if spec.divisible {
                    return;
                }
                let node = node % spec.nodes;
                let up = self.oracle.turn(pool, node as usize);
                let id = PoolId::new(u32::try_from(pool).unwrap());
                self.scheduler.set_node(self.now, id, NodeId::new(node), up).unwrap();
                self.seen.hole |= self.oracle.has_hole(pool);
                self.scheduler.check_invariants().unwrap();
                self.schedule();
            }
            Op::Schedule => {
                self.schedule();
            }
            Op::Wait(millis) => self.wait(millis),
        }
        self.scheduler.check_invariants().unwrap();
    }
}

pub(crate) fn replay(case: &Case) -> Seen {
    replay_and(case, false)
}

pub(crate) fn replay_and(case: &Case, count_missed: bool) -> Seen {
    let rule = match case.config.policy.order {
        OrderName::Hdrf => Rule::Hdrf,
        OrderName::DrfCurrent => Rule::DrfCurrent,
        OrderName::Fifo | OrderName::Priority => Rule::Fifo,
        OrderName::Static => Rule::Static,
        OrderName::FairTree => Rule::FairTree,
        OrderName::Multifactor => Rule::Multifactor,
        OrderName::Sjf => Rule::Sjf,
        _ => Rule::Drf,
    };
    let mut replay = Replay {
        case,
        scheduler: Scheduler::new(case.config.clone()).unwrap(),
        oracle: Oracle::new(case.config.clone(), rule),
        now: Timestamp::ZERO,
        alive: BTreeMap::new(),
        numbers: BTreeMap::new(),
        shapes: BTreeMap::new(),
        submitted: 0,
        settled: false,
        count_missed,
        missed: BTreeSet::new(),
        seen: Seen { tree: case.config.teams.iter().any(|team| team.parent.is_some()), ..Seen::default() },
    };
    for op in &case.ops {
        replay.apply(op);
    }
    replay.schedule();
    replay.seen
}

proptest! {
    #[test]
    fn every_decision_is_the_one_that_the_model_asks_for(case in case()) {
        replay(&case);
    }

    #[test]
    fn reservations_beside_limits_are_the_ones_that_the_model_asks_for(case in reserving_case()) {
        replay(&case);
    }

    #[test]
    fn gangs_lie_in_the_domains_that_the_model_asks_for(case in gangs_in_domains()) {
        replay(&case);
    }

    #[test]
    fn nodes_go_down_one_by_one_as_the_model_asks_for(case in node_by_node()) {
        replay(&case);
    }

    #[test]
    fn data_sets_come_from_where_the_model_asks_for(case in reading_from_elsewhere()) {
        replay(&case);
    }
}

#[test]
fn nodes_go_down_before_others() {
    let mut runner = TestRunner::deterministic();
    let cases = RunnerConfig::default().cases.max(512);
    let (mut holes, mut evicted) = (0, 0);
    for _ in 0..cases {
        let seen = replay(&node_by_node().new_tree(&mut runner).unwrap().current());
        holes += u32::from(seen.hole);
        evicted += u32::from(seen.hole && seen.evicted);
    }
    println!("of {cases}: nodes down before others {holes}, with evictions {evicted}");
    assert!(holes * 4 >= cases && evicted * 10 >= cases, "{holes} and {evicted} of {cases} cases");
}

#[test]
fn data_sets_are_moved() {
    let mut runner = TestRunner::deterministic();
    let cases = RunnerConfig::default().cases.max(512);
    let (mut moved, mut by_length, mut reserved) = (0, 0, 0);
    for _ in 0..cases {
        let seen = replay(&reading_from_elsewhere().new_tree(&mut runner).unwrap().current());
        moved += u32::from(seen.moved);
        by_length += u32::from(seen.by_length);
        reserved += u32::from(seen.moved && seen.reserved);
    }
    println!(
        "of {cases}: moved {moved}, to another pool by their length {by_length}, beside reservations {reserved}"
    );
    assert!(moved * 8 >= cases, "{moved} of {cases} cases");
    for count in [by_length, reserved] {
        assert!(count * 50 >= cases, "{by_length} and {reserved} of {cases} cases");
    }
}

#[test]
fn gangs_meet_domains() {
    let mut runner = TestRunner::deterministic();
    let cases = RunnerConfig::default().cases.max(512);
    let (mut placed, mut across, mut reserved, mut preempted, mut rejected) = (0, 0, 0, 0, 0);
    let mut plans = (0, 0);
    for _ in 0..cases {
        let case = gangs_in_domains().new_tree(&mut runner).unwrap().current();
        let seen = replay_and(&case, true);
        placed += u32::from(seen.in_domain);
        across += u32::from(seen.across);
        reserved += u32::from(seen.in_domain && seen.reserved);
        preempted += u32::from(seen.domain_preemptor);
        rejected += u32::from(seen.too_large_for_domain);
        plans = (plans.0 + seen.plans.0, plans.1 + seen.plans.1);
    }
    println!(
        "of {cases}: a gang in a domain {placed}, room but in no domain {across}, reservations too {reserved}, evictions \
         for one {preempted}, larger than every domain {rejected}, plans taken and missed {plans:?}"
    );
    // Gangs on nodes are where most plans are missed, with domains or without.
    assert!(plans.1 * 25 <= plans.0, "plans taken and missed: {plans:?}");
    assert!(placed * 4 >= cases, "{placed} of {cases} cases");
    for count in [across, reserved, preempted, rejected] {
        assert!(count * 50 >= cases, "{across}, {reserved}, {preempted} and {rejected} of {cases} cases");
    }
}

#[test]
fn reservations_meet_limits() {
    let mut runner = TestRunner::deterministic();
    let cases = RunnerConfig::default().cases.max(512);
    let (mut reserved, mut both) = (0, 0);
    for _ in 0..cases {
        let seen = replay(&reserving_case().new_tree(&mut runner).unwrap().current());
        reserved += u32::from(seen.reserved);
        both += u32::from(seen.reserved && seen.denied);
    }
    println!("of {cases}: reserved {reserved}, and a limit binds in {both} of them");
    assert!(reserved * 20 >= cases && both * 50 >= cases, "{reserved} and {both} of {cases} cases");
}

#[test]
fn generated_cases_reach_the_corners() {
    let mut runner = TestRunner::deterministic();
    let cases = RunnerConfig::default().cases.max(1_000);
    let (mut waited, mut evicted, mut rejected, mut gang, mut tree, mut second) = (0, 0, 0, 0, 0, 0);
    let (mut reserved, mut gang_preemptor, mut spent) = (0, 0, 0);
    let mut stopped: BTreeMap<&str, u32> = BTreeMap::new();
    let mut plans = (0, 0);
    for _ in 0..cases {
        let case = case().new_tree(&mut runner).unwrap().current();
        let seen = replay_and(&case, true);
        plans = (plans.0 + seen.plans.0, plans.1 + seen.plans.1);
        waited += u32::from(seen.waited);
        evicted += u32::from(seen.evicted);
        rejected += u32::from(seen.rejected);
        gang += u32::from(seen.gang);
        tree += u32::from(seen.tree);
        second += u32::from(seen.second_pool);
        reserved += u32::from(seen.reserved);
        spent += u32::from(seen.spent);
        gang_preemptor += u32::from(seen.gang_preemptor);
        for reason in seen.stopped {
            *stopped.entry(reason).or_insert(0_u32) += 1;
        }
    }
    println!(
        "of {cases}: waited {waited} evicted {evicted} rejected {rejected} gang {gang} tree {tree} second {second} \
         reserved {reserved} spent {spent} stopped {stopped:?} for gangs {gang_preemptor} plans taken and missed {plans:?}"
    );
    // Of fifty plans that exist on nodes, with gangs and several pools, the search misses one at most.
    assert!(plans.1 * 50 <= plans.0, "plans taken and missed: {plans:?}");
    assert!(waited * 2 >= cases, "a job waits in {waited} of {cases} cases");
    for (corner, count) in [
        ("eviction", evicted),
        ("rejection", rejected),
        ("gang", gang),
        ("tree", tree),
        ("second pool", second),
        ("reservation", reserved),
        ("budget", spent),
        ("eviction for a quota", stopped["quota"]),
        ("eviction for a class", stopped["priority"]),
        ("eviction for fairness", stopped["fair-share"]),
        ("eviction within a team", stopped["own-team"]),
        ("eviction for a gang", gang_preemptor),
    ] {
        assert!(count * 50 >= cases, "{corner} occurs in {count} of {cases} cases");
    }
}
