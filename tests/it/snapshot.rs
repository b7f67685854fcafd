//! Snapshots: a scheduler that is written down and built again decides as the one that goes on, whatever happens next.
//!
//! Generated histories are lived through twice, the second scheduler being written down and built again in between; after
//! each event everything that can be asked has one answer, and both write the same snapshot. A meta-test counts how often
//! what is hard to remember is there at such a moment, another leaves out one field after the other and is found out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

#[cfg(feature = "lp")]
use fairshare::snapshot::Turn;
use fairshare::snapshot::{Float, PoolMemory, Spent, TeamSnapshot};
use fairshare::{
    Alternative, Backfill, ClassScope, Config, Decision, Error, EvictionBounds, JobId, JobSpec, Millis,
    NodeId, OrderName, Policy, PolicySpec, PoolId, PoolSpec, Preemption, Resources, Scheduler, ShapeSpec,
    Snapshot, Submission, TeamId, TeamSpec, Timestamp, Txn,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use crate::strategy::{Case, Op, case, node_by_node, reserving_case};

/// How often something was there when a snapshot was made.
type Corners = BTreeMap<&'static str, u32>;

/// How a scheduler is built, and built again.
#[derive(Clone, Copy)]
struct Making {
    new: fn(&Case) -> Scheduler,
    restore: fn(&Case, &Snapshot) -> Result<Scheduler, Error>,
}

const CONFIGURED: Making = Making {
    new: |case| Scheduler::new(case.config.clone()).unwrap(),
    restore: |_, snapshot| Scheduler::restore(snapshot),
};

const OWN_ORDER: Making = Making {
    new: |case| Scheduler::with_order(case.config.clone(), case.config.policy.order()).unwrap(),
    restore: |case, snapshot| Scheduler::restore_with_order(snapshot, case.config.policy.order()),
};

const OWN_POLICY: Making = Making {
    new: |case| Scheduler::with_policy(case.config.clone(), Box::new(Restless)).unwrap(),
    restore: |_, snapshot| Scheduler::restore_with_policy(snapshot, Box::new(Restless)),
};

/// Starts what fits, and stops the last that runs when others wait: by what it is shown alone.
#[derive(Clone, Debug)]
struct Restless;

impl Policy for Restless {
    fn copy(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }

    fn cycle(&mut self, txn: &mut Txn<'_>) -> Result<(), Error> {
        for job in txn.waiting().collect::<Vec<_>>() {
            txn.start_anywhere(job)?;
        }
        let last = txn.running().filter(|job| txn.spec(*job).is_ok_and(|spec| spec.preemptible)).last();
        if let Some(job) = last.filter(|_| txn.waiting().count() > 2 && txn.now().as_millis() % 2 == 1) {
            txn.stop(job)?;
        }
        Ok(())
    }
}

/// Where two schedulers that were told the same differ.
type Differ = String;

fn same<T: PartialEq + Debug>(what: &str, one: &T, two: &T) -> Result<(), Differ> {
    if one == two { Ok(()) } else { Err(format!("{what}: {one:?} and {two:?}")) }
}

/// Two schedulers that are told the same.
struct Twins<'a> {
    case: &'a Case,
    making: Making,
    one: Scheduler,
    two: Scheduler,
    now: Timestamp,
    /// Whether each job that is alive runs.
    alive: BTreeMap<JobId, bool>,
    /// The nodes that are down, by pool.
    down: BTreeSet<(usize, NodeId)>,
    events: usize,
    /// What the second forgets whenever it is written down; both write the same where it is nothing.
    forget: Option<Forget>,
    corners: Corners,
}

impl<'a> Twins<'a> {
    fn new(case: &'a Case, making: Making, forget: Option<Forget>) -> Self {
        let [one, two] = [(); 2].map(|()| (making.new)(case));
        let (now, alive, down, events) = (Timestamp::ZERO, BTreeMap::new(), BTreeSet::new(), 0);
        Self { case, making, one, two, now, alive, down, events, forget, corners: Corners::new() }
    }

    /// Writes the second down and builds it again.
    fn restart(&mut self) -> Result<(), Differ> {
        let mut snapshot = self.two.snapshot();
        if let Some(forget) = self.forget {
            forget(&mut snapshot);
            self.two = (self.making.restore)(self.case, &snapshot).map_err(|error| error.to_string())?;
            self.compare()?;
            return self.look_ahead();
        }
        same("both write the same", &self.one.snapshot(), &snapshot)?;
        count(&snapshot, &mut self.corners);
        let read = through_text(&snapshot);
        self.two = (self.making.restore)(self.case, &read).map_err(|error| error.to_string())?;
        self.two.check_invariants()?;
        same("what is built from a snapshot writes it again", &snapshot, &self.two.snapshot())?;
        self.compare()
    }

    /// Nothing happens for a while but time: what is remembered until the next event alone decides.
    fn look_ahead(&self) -> Result<(), Differ> {
        let (mut one, mut two, mut now) = (self.one.clone(), self.two.clone(), self.now);
        for _ in 0..5 {
            same("decisions", &one.schedule(now), &two.schedule(now))?;
            let later = Timestamp::from_millis(now.as_millis() + 1);
            now = one.next_wakeup().map_or(later, |wakeup| wakeup.max(later));
        }
        Ok(())
    }

    /// Everything that can be asked has one answer.
    fn compare(&self) -> Result<(), Differ> {
        let (one, two) = (&self.one, &self.two);
        same("wakeup", &one.next_wakeup(), &two.next_wakeup())?;
        same("queue", &(one.waiting(), one.queue()), &(two.waiting(), two.queue()))?;
        for (at, job) in self.alive.keys().enumerate() {
            let [explained, again] = [one, two].map(|scheduler| {
                // Entitlements take long, so that they are asked of one job at a time.
                let whole = at == self.events % self.alive.len();
                let mut explained = if whole {
                    scheduler.explain(*job)
                } else {
                    scheduler.explain_without_entitlements(*job)
                };
                if let Ok(explained) = &mut explained {
                    // The decisions of the last cycle have been delivered, and are not written down.
                    explained.lost.take_if(|lost| lost.after_grant);
                }
                explained
            });
            same("explanation", &explained, &again)?;
            let [placed, again] = [one, two].map(|scheduler| {
                let nodes: Vec<_> = scheduler.placement(*job).collect();
                (nodes, scheduler.devices(*job).collect::<Vec<_>>())
            });
            same("placement", &placed, &again)?;
        }
        for pool in (0..).take(self.case.config.pools.len()).map(PoolId::new) {
            same("capacity", &(one.free(pool), one.capacity(pool)), &(two.free(pool), two.capacity(pool)))?;
        }
        for team in (0..).take(self.case.config.teams.len()).map(TeamId::new) {
            same("key", &one.share_key(team), &two.share_key(team))?;
            same("running", &one.running(team), &two.running(team))?;
        }
        if self.events.is_multiple_of(8) { same("shares", &one.shares(), &two.shares()) } else { Ok(()) }
    }

    /// The one answer that both give.
    fn both<T: PartialEq + Debug>(
        &mut self,
        mut call: impl FnMut(&mut Scheduler) -> Result<T, Error>,
    ) -> Result<T, Differ> {
        let [one, two] = [&mut self.one, &mut self.two].map(&mut call);
        same("answer", &one, &two)?;
        one.map_err(|error| panic!("a call is refused: {error}"))
    }

    fn decide(&mut self) -> Result<(), Differ> {
        let now = self.now;
        let decisions = self.both(|scheduler| scheduler.schedule(now).map(<[Decision]>::to_vec))?;
        self.both(|scheduler| Ok(scheduler.evictions().to_vec()))?;
        for decision in decisions {
            let (job, runs) = match decision {
                Decision::Start { job, .. } => (job, true),
                Decision::Evict { job, .. } => (job, false),
                other => panic!("no such decision: {other:?}"),
            };
            // A job may be gone whose eviction is answered.
            self.alive.entry(job).and_modify(|known| *known = runs);
        }
        Ok(())
    }

    fn apply(&mut self, op: &Op) -> Result<(), Differ> {
        let now = self.now;
        self.events += 1;
        match *op {
            Op::Submit { team, shape, length, limit, fixed } => {
                let shape = &self.case.shapes[shape % self.case.shapes.len()];
                let team = TeamId::new(u32::try_from(team % self.case.config.teams.len()).unwrap());
                let submitted = self.both(|scheduler| {
                    let mut job = JobSpec::new(team, scheduler.intern(shape)?, now);
                    (job.estimate, job.time_limit) = (length.map(Millis::new), limit.map(Millis::new));
                    job.preemptible = !fixed;
                    scheduler.submit(now, job)
                })?;
                if let Submission::Queued(job) = submitted {
                    self.alive.insert(job, false);
                }
            }
            Op::Complete(which) | Op::Cancel(which) => {
                let running = matches!(op, Op::Complete(_));
                let known = self.alive.iter().filter(|(_, runs)| **runs || !running).map(|(job, _)| *job);
                let known: Vec<JobId> = known.collect();
                if let Some(job) = known.get(which % known.len().max(1)) {
                    self.both(|scheduler| scheduler.cancel(now, *job))?;
                    self.alive.remove(job);
                }
            }
            Op::SetUp { pool, up } => {
                let pool = PoolId::new(u32::try_from(pool % self.case.config.pools.len()).unwrap());
                self.both(|scheduler| scheduler.set_capacity(now, pool, up))?;
            }
            Op::Turn { pool, node } => {
                let (at, id) =
                    (pool % self.case.config.pools.len(), |at| PoolId::new(u32::try_from(at).unwrap()));
                let spec = &self.case.config.pools[at];
                if !spec.divisible {
                    let node = NodeId::new(node % spec.nodes);
                    let was_down = self.down.remove(&(at, node));
                    if !was_down {
                        self.down.insert((at, node));
                    }
                    self.both(|scheduler| scheduler.set_node(now, id(at), node, was_down))?;
                }
            }
            Op::Schedule => self.decide()?,
            Op::Wait(millis) => self.now = Timestamp::from_millis(self.now.as_millis() + millis),
        }
        Ok(())
    }

    /// Lives through the case; the second is built again where a bit is set, over and over.
    fn replay(&mut self, restarts: u64) -> Result<(), Differ> {
        for (at, op) in self.case.ops.iter().enumerate() {
            if restarts >> (at % 64) & 1 == 1 {
                self.restart()?;
            }
            self.apply(op)?;
            // What is forgotten is looked for where it is.
            if self.forget.is_none() {
                self.two.check_invariants()?;
                self.compare()?;
            }
        }
        self.restart()?;
        for _ in 0..4 {
            self.decide()?;
            self.restart()?;
            let later = Timestamp::from_millis(self.now.as_millis() + 1);
            self.now = self.one.next_wakeup().map_or(later, |wakeup| wakeup.max(later));
        }
        self.decide()
    }
}

/// Written as JSON and read again, where there is serde to do so.
#[cfg(feature = "serde")]
fn through_text(snapshot: &Snapshot) -> Snapshot {
    serde_json::from_str(&serde_json::to_string(snapshot).unwrap()).unwrap()
}

#[cfg(not(feature = "serde"))]
fn through_text(snapshot: &Snapshot) -> Snapshot {
    snapshot.clone()
}

fn count(snapshot: &Snapshot, corners: &mut Corners) {
    let Snapshot { memory, waiting, running, pools, .. } = snapshot;
    let any = |wanted: &dyn Fn(&PoolMemory) -> bool| memory.pools.iter().any(wanted);
    let teams = |wanted: &dyn Fn(&TeamSnapshot) -> bool| snapshot.teams.iter().any(wanted);
    let is_used = |used: Float| used.mantissa != 0;
    let guaranteed = running.iter().filter(|run| !run.guaranteed.is_empty()).count();
    for (corner, is_there) in [
        ("made", true),
        ("waiting", !waiting.is_empty()),
        ("running", !running.is_empty()),
        ("waiting again", waiting.iter().any(|job| job.attempt > 0)),
        ("free slots", snapshot.free.len() > 1),
        (
            "nodes down",
            pools.iter().zip(&snapshot.config.pools).any(|(pool, spec)| pool.nodes_up < spec.nodes),
        ),
        ("asked", pools.iter().any(|pool| !pool.asked.is_empty())),
        ("devices", running.iter().any(|run| !run.placed.devices.is_empty())),
        ("guaranteed", guaranteed > 0),
        ("beyond a quota", guaranteed > 0 && guaranteed < running.len()),
        ("exhausted", !snapshot.exhausted.is_empty()),
        ("undelivered", !snapshot.undelivered.is_empty()),
        ("spent", teams(&|team| team.budget.is_some_and(|spent| spent.amount > 0))),
        ("over", teams(&|team| team.budget.is_some_and(|spent| spent.over))),
        ("used", teams(&|team| team.usage.is_some_and(|usage| is_used(usage.used)))),
        ("used by own jobs", teams(&|team| team.own_usage.is_some_and(|usage| is_used(usage.used)))),
        ("ranks stand", snapshot.next_ranks.is_some_and(|next| next > snapshot.now)),
        ("closed", any(&|pool| pool.closed_by.is_some())),
        ("reserved", any(&|pool| pool.reservation.is_some())),
        ("moved", any(&|pool| pool.moved)),
        ("lost", any(&|pool| pool.lost.gpu_time > 0)),
        ("backing off", !memory.backing_off.is_empty()),
        ("stopped", !memory.stopped.is_empty()),
        ("freed", !memory.freed.is_empty()),
        ("run ended", memory.run_ended),
        ("tried", !memory.tried.is_empty()),
        ("tried behind others", !memory.tried_behind.is_empty()),
        ("wake", memory.wake.is_some()),
        ("changed", memory.changed),
        ("unchanged", !memory.changed),
    ] {
        *corners.entry(corner).or_default() += u32::from(is_there);
    }
}

fn lives_on(case: &Case, making: Making, restarts: u64) -> Corners {
    let mut twins = Twins::new(case, making, None);
    twins.replay(restarts).unwrap_or_else(|differ| panic!("at {}: {differ}", twins.now));
    twins.corners
}

/// Every fifth event.
const OFTEN: u64 = 0x8421_0842_1084_2108;

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.div_ceil(2), ..ProptestConfig::default() })]

    #[test]
    fn a_scheduler_goes_on_where_it_was_written_down(case in case(), restarts in any::<u64>()) {
        lives_on(&case, CONFIGURED, restarts & restarts.rotate_left(7));
    }

    #[test]
    fn so_does_one_whose_nodes_go_down_one_by_one(case in node_by_node(), restarts in any::<u64>()) {
        lives_on(&case, CONFIGURED, restarts & restarts.rotate_left(7));
    }

    #[test]
    fn so_does_one_with_reservations_beside_limits(case in reserving_case(), restarts in any::<u64>()) {
        lives_on(&case, CONFIGURED, restarts & restarts.rotate_left(7));
    }
}

#[test]
fn so_does_one_with_an_order_or_a_policy_of_the_callers_own() {
    let mut runner = TestRunner::deterministic();
    let mut again = 0;
    for _ in 0..48 {
        let mut case = case().new_tree(&mut runner).unwrap().current();
        lives_on(&case, OWN_ORDER, OFTEN);
        case.config.policy.order = OrderName::Drf;
        case.config.policy.backfill = Backfill::BestEffort;
        again += lives_on(&case, OWN_POLICY, OFTEN)["waiting again"];
    }
    assert!(again > 48, "{again}");
}

#[test]
fn snapshots_are_made_where_there_is_much_to_remember() {
    let mut runner = TestRunner::deterministic();
    let mut corners = Corners::new();
    for round in 0..192 {
        let mut case = case().new_tree(&mut runner).unwrap().current();
        if round % 3 == 0 {
            reserving(&mut case);
        }
        for (corner, count) in lives_on(&case, CONFIGURED, OFTEN << (round % 5)) {
            *corners.entry(corner).or_default() += count;
        }
    }
    println!("{corners:?}");
    let made = corners["made"];
    for (corner, count) in corners {
        assert!(count >= 5, "{corner}: in {count} of {made} snapshots");
    }
}

/// Makes something common in a case.
type Prepare = fn(&mut Case);

/// Leaves something out of what is written.
type Forget = fn(&mut Snapshot);

/// What is written that does not follow from the jobs, each with a way to forget it and cases in which it matters. Who was
/// stopped since the last event is not here: that matters where time alone starts a job between two events, which no
/// generated case has shown; the snapshots of both schedulers tell it. Nor is who has been searched for in vain: that saves
/// searches, which find nobody when they are made again.
const WRITTEN: &[(&str, Prepare, Forget)] = &[
    ("nodes up", as_it_is, |s| {
        s.pools.iter_mut().zip(&s.config.pools).for_each(|(pool, spec)| pool.nodes_up = spec.nodes);
    }),
    ("starts", as_it_is, |s| s.pools.iter_mut().for_each(|pool| pool.starts = 0)),
    ("asked", as_it_is, |s| s.pools.iter_mut().for_each(|pool| pool.asked.clear())),
    ("served", as_it_is, |s| s.teams.iter_mut().for_each(|team| team.served = 0)),
    ("spent", as_it_is, |s| budgets(s, |spent, _| spent.amount = 0)),
    ("spent until when", as_it_is, |s| budgets(s, |spent, now| spent.counted = Some(now))),
    ("over", as_it_is, |s| budgets(s, |spent, _| spent.over = false)),
    ("used", as_it_is, |s| s.teams.iter_mut().for_each(|team| team.usage = None)),
    ("used by own jobs", as_it_is, |s| s.teams.iter_mut().for_each(|team| team.own_usage = None)),
    ("used until when", as_it_is, |s| {
        let now = s.now;
        let usages = s.teams.iter_mut().flat_map(|team| [&mut team.usage, &mut team.own_usage]);
        usages.flatten().for_each(|usage| usage.counted = Some(now));
    }),
    ("points", as_it_is, |s| s.teams.iter_mut().for_each(|team| team.points = 0)),
    ("next ranks", as_it_is, |s| s.next_ranks = None),
    ("attempt while waiting", reclaiming, |s| s.waiting.iter_mut().for_each(|job| job.attempt = 0)),
    ("attempt while running", reclaiming, |s| s.running.iter_mut().for_each(|job| job.attempt = 1)),
    ("since", as_it_is, |s| s.running.iter_mut().for_each(|run| run.placed.since = s.now)),
    ("order of free slots", as_it_is, |s| s.free.reverse()),
    ("exhausted", |case| case.config.policy.order = OrderName::Hdrf, |s| s.exhausted.clear()),
    ("undelivered", as_it_is, |s| {
        s.undelivered.clear();
        s.evictions.clear();
    }),
    ("changed", as_it_is, |s| s.memory.changed = false),
    ("closed", as_it_is, |s| s.memory.pools.iter_mut().for_each(|pool| pool.closed_by = None)),
    ("reserved", as_it_is, |s| s.memory.pools.iter_mut().for_each(|pool| pool.reservation = None)),
    ("lost", losing, |s| s.memory.pools.iter_mut().for_each(|pool| pool.lost = PoolMemory::default().lost)),
    ("backing off", reclaiming, |s| s.memory.backing_off.clear()),
    ("wake", reclaiming, |s| s.memory.wake = None),
];

/// What matters once in a thousand cases: who counts as guaranteed follows from who is promoted as a rule, what was searched
/// for in vain is mostly found by nobody later either, and few reservations are passed on twice between two events.
const RARE: &[(&str, Prepare, Forget)] = &[
    ("guaranteed", reclaiming, |s| s.running.iter_mut().for_each(|run| run.guaranteed.clear())),
    ("unchanged", reclaiming, |s| s.memory.changed = true),
    ("moved", reserving, |s| s.memory.pools.iter_mut().for_each(|pool| pool.moved = false)),
];

fn as_it_is(_: &mut Case) {}

fn reclaiming(case: &mut Case) {
    case.config.policy.preemption = Preemption::Reclaim;
    if case.config.policy.backfill == Backfill::Conservative {
        case.config.policy.backfill = Backfill::BestEffort;
    }
}

/// So that a few seconds of a GPU are lost soon, and are all that may be in an hour.
fn losing(case: &mut Case) {
    reclaiming(case);
    case.config.policy.bounds.gpu_seconds_per_hour = Some(3);
    for op in &mut case.ops {
        if let Op::Wait(millis) = op {
            *millis *= 300;
        }
    }
}

/// Reservations for blocked jobs, evictions, and classes that decide inside a team alone.
fn reserving(case: &mut Case) {
    reclaiming(case);
    case.config.policy.backfill = Backfill::Easy;
    case.config.policy.priority = ClassScope::WithinTeam;
    for op in &mut case.ops {
        if let Op::Submit { limit, .. } = op {
            *limit = Some(1 + limit.unwrap_or(4));
        }
    }
}

fn budgets(s: &mut Snapshot, forget: impl Fn(&mut Spent, Timestamp)) {
    let now = s.now;
    s.teams.iter_mut().filter_map(|team| team.budget.as_mut()).for_each(|spent| forget(spent, now));
}

/// How many cases it took until somebody missed what was forgotten, and what it was.
fn missed(prepare: Prepare, forget: Forget, most: usize) -> Option<(usize, Differ)> {
    let mut runner = TestRunner::deterministic();
    (1..=most).find_map(|tried| {
        let mut case = case().new_tree(&mut runner).unwrap().current();
        prepare(&mut case);
        let differ = Twins::new(&case, CONFIGURED, Some(forget)).replay(OFTEN | OFTEN << 2).err()?;
        Some((tried, differ))
    })
}

#[test]
fn whatever_is_forgotten_is_missed() {
    let mut unmissed: Vec<&str> = Vec::new();
    let many = usize::try_from(ProptestConfig::default().cases).unwrap();
    // Where there are many cases there is time for what is rare.
    let rare = if many >= 5_000 { RARE } else { &[] };
    for (what, prepare, forget) in WRITTEN.iter().chain(rare) {
        let found = missed(*prepare, *forget, many.max(1_000));
        let shown = found.as_ref().map(|(tried, differ)| (tried, &differ[..differ.len().min(120)]));
        println!("{what}: {shown:?}");
        unmissed.extend(found.is_none().then_some(*what));
    }
    assert_eq!(unmissed, Vec::<&str>::new(), "nobody misses what is forgotten");
}

/// The same under `Gavel`.
#[cfg(feature = "lp")]
pub(crate) fn in_rounds(mut case: Case) -> Case {
    case.config.policy.order = OrderName::Gavel;
    case.config.policy.backfill = Backfill::BestEffort;
    case.config.teams.iter_mut().for_each(|team| team.budget = None);
    // Rounds take minutes, allocations half an hour.
    for op in &mut case.ops {
        if let Op::Wait(millis) = op {
            *millis *= 700_000;
        }
    }
    case
}

/// Whose turn it is under `Gavel`, and what everybody is due and has had.
#[cfg(feature = "lp")]
mod rounds {
    use super::*;

    /// What everybody begins with.
    const HALF_A_ROUND: Float = Float { mantissa: 180_000 >> 5, exponent: 5 };

    fn gavel(runner: &mut TestRunner) -> Case {
        in_rounds(case().new_tree(runner).unwrap().current())
    }

    fn turns(s: &mut Snapshot, forget: impl Fn(&mut Turn)) {
        s.memory.rounds.iter_mut().flat_map(|rounds| &mut rounds.turns).for_each(forget);
    }

    #[test]
    fn one_that_shares_time_in_rounds_goes_on_too() {
        let mut runner = TestRunner::deterministic();
        for round in 0..32 {
            let corners = lives_on(&gavel(&mut runner), CONFIGURED, OFTEN << (round % 5));
            assert!(corners["made"] > 0);
        }
        let fields: [(&str, Forget); 6] = [
            ("begun", |s| s.memory.rounds.iter_mut().for_each(|rounds| rounds.begun = None)),
            ("allocated", |s| s.memory.rounds.iter_mut().for_each(|rounds| rounds.allocated = None)),
            ("unchanged", |s| s.memory.changed = true),
            ("parts", |s| turns(s, |turn| turn.parts = None)),
            ("had", |s| turns(s, |turn| turn.had.fill(HALF_A_ROUND))),
            ("owed", |s| turns(s, |turn| turn.owed.fill(Float::default()))),
        ];
        for (what, forget) in fields {
            let mut runner = TestRunner::deterministic();
            let differs =
                |_| Twins::new(&gavel(&mut runner), CONFIGURED, Some(forget)).replay(OFTEN).is_err();
            assert!((0..400).any(differs), "nobody misses `{what}`");
        }
    }
}

#[test]
fn time_does_not_run_backwards_over_a_restart() {
    let mut runner = TestRunner::deterministic();
    let case = case().new_tree(&mut runner).unwrap().current();
    let mut scheduler = Scheduler::new(case.config).unwrap();
    let late = Timestamp::from_millis(5);
    scheduler.schedule(late).unwrap();
    let mut again = Scheduler::restore(&scheduler.snapshot()).unwrap();
    let error = again.schedule(Timestamp::ZERO).unwrap_err();
    assert_eq!(error.to_string(), "time 0 s lies before 0.005 s, already seen");
}

/// Somebody has run for long enough at the very instant at which nothing else happens, and no cycle has looked at it when the
/// scheduler is written down: whoever was stopped may stop others again all the same.
#[test]
fn a_minimum_run_that_has_just_ended_is_remembered() {
    let pool = PoolSpec::new("pool", 2, Resources::new().gpu(1));
    let mut bounds = EvictionBounds::default();
    (bounds.minimum_run, bounds.ratio_milli) = (Millis::new(5), None);
    let policy = PolicySpec::new(OrderName::Drf).with_preemption(Preemption::Priority).with_bounds(bounds);
    let teams = ["a", "b", "c"].map(TeamSpec::new).to_vec();
    let mut scheduler = Scheduler::new(Config::new(vec![pool], teams).with_policy(policy)).unwrap();
    for (team, class, at) in [(0, 0, 0), (2, -5, 8), (1, 1, 10)] {
        let shape = ShapeSpec::new(Alternative::new(Resources::new().gpu(1))).with_class(class);
        let shape = scheduler.intern(&shape).unwrap();
        let now = Timestamp::from_millis(at);
        let _ = scheduler.submit(now, JobSpec::new(TeamId::new(team), shape, now)).unwrap();
        scheduler.schedule(now).unwrap();
    }
    let now = Timestamp::from_millis(13);
    scheduler.set_capacity(now, PoolId::new(0), 2).unwrap();
    let mut restored = Scheduler::restore(&scheduler.snapshot()).unwrap();
    let mut again = Scheduler::restore(&restored.snapshot()).unwrap();
    let decided = scheduler.schedule(now).unwrap().to_vec();
    assert!(matches!(decided[..], [Decision::Evict { .. }, Decision::Start { .. }]), "{decided:?}");
    assert_eq!(restored.schedule(now).unwrap(), decided);
    assert_eq!(again.schedule(now).unwrap(), decided);
}
