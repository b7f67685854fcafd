//! Conformance: what every order and policy must keep, checked on generated cases, for whoever writes one of his own.
//!
//! Two parts. For an order, contenders are made up so that ties are common, and compared in pairs and in threes, by two
//! orders that are asked in opposite sequence. Then histories of a small organisation are lived through twice, side by
//! side, and every cycle is tried on a copy first; time goes on by a little, or to the instant at which the scheduler wants
//! to be called. Cases follow from a seed: the same one gives the same cases.
//! Absent on purpose: whether an order is fair, which only its author can say. Layer 6; uses `scheduler`, `policy`.

use core::cmp::Ordering;
use core::fmt;

use crate::config::{Backfill, Config, PolicySpec, Preemption};
use crate::decision::{Decision, Submission};
use crate::dominant::{Holding, decide_by_hint};
use crate::error::Error;
use crate::id::{JobId, PoolId, ShapeId, TeamId};
use crate::job::{Alternative, JobSpec, ShapeSpec};
use crate::line::Place;
use crate::policy::{Contender, Order};
use crate::pool::PoolSpec;
use crate::quantity::Quantity;
use crate::resources::{ResourceKind, Resources};
use crate::scheduler::Scheduler;
use crate::share::Weight;
use crate::team::{Allowance, TeamSpec};
use crate::time::{Millis, Timestamp};
use crate::tree::Scale;

/// Contenders of one case of the first part.
const CONTENDERS: usize = 14;

/// Share groups of a made-up contender.
const GROUPS: usize = 3;

/// What an order or policy must keep.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Law {
    /// `compare` is a total order in which no two contenders are equal.
    Total,
    /// `hint` is a number and never contradicts `compare`.
    Hint,
    /// A grant never moves a team forward.
    Monotone,
    /// The same calls give the same answers, whatever else was asked in between; a copy decides as what it was copied from.
    Deterministic,
    /// What is held, free and guaranteed is what the jobs that run account for, the heaps are in order, and a policy of the
    /// caller's own finds itself consistent.
    Conserved,
    /// A cycle decides everything that can be decided: a second one at the same instant starts and stops nobody.
    Steady,
}

/// A law that is broken, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// Which.
    pub law: Law,
    /// The smallest fact that shows it.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let law = match self.law {
            Law::Total => "`compare` is no total order",
            Law::Hint => "`hint` contradicts `compare`",
            Law::Monotone => "a grant moves a team forward",
            Law::Deterministic => "the same calls give other answers",
            Law::Conserved => "the scheduler's state is inconsistent",
            Law::Steady => "a second cycle at one instant decides something",
        };
        write!(f, "{law}: {}", self.detail)
    }
}

impl core::error::Error for Violation {}

/// How much was checked.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Checked {
    /// Triples of contenders.
    pub triples: usize,
    /// Histories.
    pub histories: usize,
    /// Starts in them.
    pub starts: usize,
    /// Evictions in them.
    pub evictions: usize,
}

/// Checks an order on as many cases as asked for; `make` is called once for each scheduler that is built.
///
/// # Errors
///
/// The first law that is found broken.
///
/// # Complexity
///
/// Some milliseconds a case in a release build.
///
/// # Examples
///
/// ```
/// use std::cmp::Ordering;
/// use fairshare::{Contender, Order, conformance};
///
/// #[derive(Debug)]
/// struct Oldest;
///
/// impl Order for Oldest {
///     fn by_shares(&self) -> bool {
///         false
///     }
///     fn hint(&self, _: &Contender<'_>) -> f64 {
///         0.0
///     }
///     fn compare(&self, a: &Contender<'_>, b: &Contender<'_>) -> Ordering {
///         a.place().cmp(&b.place())
///     }
/// }
///
/// let checked = conformance::check(|| Box::new(Oldest), 1, 8)?;
/// assert_eq!(checked.histories, 8);
/// # Ok::<(), conformance::Violation>(())
/// ```
pub fn check(make: impl Fn() -> Box<dyn Order>, seed: u64, cases: usize) -> Result<Checked, Violation> {
    let mut checked = Checked::default();
    let mut numbers = Numbers(seed);
    for case in 0..cases {
        checked.triples += compare_contenders(&make, &mut numbers)?;
        let build = |config| Scheduler::with_order(config, make());
        live_through(&build, &mut numbers, case, &mut checked)?;
    }
    Ok(checked)
}

/// Checks a policy of one's own, or one by its name, on as many histories as asked for; `build` is called once for each
/// scheduler.
///
/// # Errors
///
/// The first law that is found broken.
///
/// # Complexity
///
/// Some milliseconds a history in a release build.
///
/// # Examples
///
/// ```
/// use fairshare::{OrderName, PolicySpec, Scheduler, conformance};
/// let build = |config: fairshare::Config| Scheduler::new(config.with_policy(PolicySpec::new(OrderName::Hdrf)));
/// assert_eq!(conformance::check_scheduler(build, 1, 8)?.histories, 8);
/// # Ok::<(), conformance::Violation>(())
/// ```
pub fn check_scheduler(
    build: impl Fn(Config) -> Result<Scheduler, Error>,
    seed: u64,
    cases: usize,
) -> Result<Checked, Violation> {
    let mut checked = Checked::default();
    let mut numbers = Numbers(seed);
    for case in 0..cases {
        live_through(&build, &mut numbers, case, &mut checked)?;
    }
    Ok(checked)
}

/// Numbers that follow from a seed (`SplitMix64`).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % most.max(1)
    }

    fn index(&mut self, most: usize) -> usize {
        usize::try_from(self.below(u64::try_from(most).unwrap_or(u64::MAX))).unwrap_or(0)
    }

    fn amounts(&mut self, most: u64) -> [u64; GROUPS] {
        [(); GROUPS].map(|()| self.below(most))
    }
}

// ---- pairs and triples ----------------------------------------------------------------------------------------------

/// A made-up team with the head of its line.
struct Made {
    usage: [u64; GROUPS],
    charge: [u64; GROUPS],
    divisors: [u128; GROUPS],
    reciprocals: [f64; GROUPS],
    counts: (u32, u64, u32),
    place: Place,
    points: u64,
    /// The job at the head of its line.
    job: JobSpec,
}

impl Made {
    fn new(number: usize, scheduler: &Scheduler, shapes: &[ShapeId], numbers: &mut Numbers) -> Self {
        let weight = u128::from(1 + numbers.below(3));
        let divisors = [4, 6, 8].map(|capacity| capacity * weight);
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        let running = u32::try_from(numbers.below(3)).unwrap_or(0);
        let submit = Timestamp::from_millis(i64::try_from(numbers.below(4)).unwrap_or(0));
        let mut job = JobSpec::new(TeamId::new(0), shapes[numbers.index(shapes.len())], submit);
        job.estimate = Some(Millis::new(numbers.below(3)));
        Self {
            usage: numbers.amounts(5),
            charge: numbers.amounts(3),
            divisors,
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            reciprocals: divisors.map(|divisor| 1.0 / divisor as f64),
            counts: (running, numbers.below(4), number),
            place: Place { rank: scheduler.rank(&job), submit, number: u64::from(number) },
            points: numbers.below(3),
            job,
        }
    }

    fn contender(&self) -> Contender<'_> {
        let scale = Scale { divisors: &self.divisors, reciprocals: &self.reciprocals };
        let holding = Holding { usage: &self.usage, charge: &self.charge, scale };
        Contender::made_up(holding, self.counts, self.place, self.points)
    }

    /// The same team after the grant, with a later job at the head of its line.
    fn granted(&self) -> Self {
        let mut usage = self.usage;
        usage.iter_mut().zip(&self.charge).for_each(|(held, more)| *held += more);
        let (running, _, tie) = self.counts;
        let place = Place { number: self.place.number + 1_000, ..self.place };
        Self { usage, counts: (running + 1, 1_000, tie), place, ..*self }
    }
}

/// Compares made-up contenders in pairs and in threes; how many triples there were.
fn compare_contenders(make: &impl Fn() -> Box<dyn Order>, numbers: &mut Numbers) -> Result<usize, Violation> {
    let order = &*make();
    let config = organisation(0, numbers);
    let mut scheduler = Scheduler::with_order(config, make())?;
    let shapes = intern(&mut scheduler)?;
    let made: Vec<Made> =
        (0..CONTENDERS).map(|number| Made::new(number, &scheduler, &shapes, numbers)).collect();
    if let Some(unsteady) = made.iter().find(|made| scheduler.rank(&made.job) != made.place.rank) {
        return Err(Violation { law: Law::Deterministic, detail: format!("the rank of {:?}", unsteady.job) });
    }
    let contenders: Vec<Contender<'_>> = made.iter().map(Made::contender).collect();
    in_pairs(order, &made, &contenders)?;
    ask_again(order, &*make(), &contenders)?;
    in_threes(order, &contenders)
}

fn in_pairs(order: &dyn Order, made: &[Made], contenders: &[Contender<'_>]) -> Result<(), Violation> {
    for (index, a) in contenders.iter().enumerate() {
        let after = made[index].granted();
        if order.compare(&after.contender(), a) == Ordering::Less {
            return Err(broken(Law::Monotone, &[a, &after.contender()]));
        }
        for (other, b) in contenders.iter().enumerate() {
            let (ordering, reverse) = (order.compare(a, b), order.compare(b, a));
            if ordering.reverse() != reverse || (ordering == Ordering::Equal) != (index == other) {
                return Err(broken(Law::Total, &[a, b]));
            }
            let (hint, its_hint) = (order.hint(a), order.hint(b));
            let by_hint = decide_by_hint(hint, its_hint);
            if hint.is_nan() || by_hint.is_some_and(|by_hint| by_hint != ordering) {
                return Err(broken(Law::Hint, &[a, b]));
            }
        }
    }
    Ok(())
}

/// Asks a second order the same in the opposite sequence, beside the first.
fn ask_again(order: &dyn Order, again: &dyn Order, contenders: &[Contender<'_>]) -> Result<(), Violation> {
    let pairs = || contenders.iter().flat_map(|a| contenders.iter().map(move |b| (a, b)));
    let answers: Vec<Ordering> = pairs().map(|(a, b)| order.compare(a, b)).collect();
    for ((a, b), answer) in pairs().zip(answers).collect::<Vec<_>>().into_iter().rev() {
        let same_hint = order.hint(a).to_bits() == again.hint(a).to_bits();
        if again.compare(a, b) != answer || order.compare(a, b) != answer || !same_hint {
            return Err(broken(Law::Deterministic, &[a, b]));
        }
    }
    Ok(())
}

fn in_threes(order: &dyn Order, contenders: &[Contender<'_>]) -> Result<usize, Violation> {
    let precedes = |a: &Contender<'_>, b: &Contender<'_>| order.compare(a, b) == Ordering::Less;
    let mut triples = 0;
    for a in contenders {
        for b in contenders.iter().filter(|b| precedes(a, b)) {
            for c in contenders.iter().filter(|c| precedes(b, c)) {
                triples += 1;
                if !precedes(a, c) {
                    return Err(broken(Law::Total, &[a, b, c]));
                }
            }
        }
    }
    Ok(triples)
}

fn broken(law: Law, contenders: &[&Contender<'_>]) -> Violation {
    Violation { law, detail: format!("{contenders:?}") }
}

// ---- histories ------------------------------------------------------------------------------------------------------

/// Pools with nodes and without, a tree, quotas in every other case.
fn organisation(case: usize, numbers: &mut Numbers) -> Config {
    let nodes = PoolSpec::new("nodes", 3, Resources::new().gpu(4).cpu(8));
    let whole = PoolSpec::new("whole", 6, Resources::new().gpu(1).cpu(2)).as_divisible();
    let mut teams: Vec<TeamSpec> = ["a", "b", "b1", "b2", "c", "c1"].map(TeamSpec::new).into();
    for (child, parent) in [(2, 1), (3, 1), (5, 4)] {
        teams[child].parent = Some(TeamId::new(parent));
    }
    for team in &mut teams {
        team.weight = Weight::new(1 + numbers.below(3), 1 + numbers.below(2)).unwrap_or(Weight::ONE);
    }
    let mut policy = PolicySpec::default();
    if case % 2 == 1 {
        for team in [0, 2, 5] {
            teams[team].quota.push(Allowance::new(PoolId::new(0), ResourceKind::GPU, Quantity::new(3_000)));
        }
        policy = policy.with_preemption(Preemption::Reclaim);
    }
    let backfill = [Backfill::BestEffort, Backfill::BestEffort, Backfill::None, Backfill::None];
    policy.half_life = Millis::new(20);
    policy.rank_period = Millis::new(5);
    Config::new(vec![nodes, whole], teams).with_policy(policy.with_backfill(backfill[case % 4]))
}

impl From<Error> for Violation {
    /// The scheduler refuses what the kit has made up.
    fn from(error: Error) -> Self {
        Self { law: Law::Conserved, detail: error.to_string() }
    }
}

/// Two schedulers that are told the same.
struct Twins {
    one: Scheduler,
    two: Scheduler,
    now: Timestamp,
    alive: Vec<JobId>,
}

impl Twins {
    fn new(build: &dyn Fn(Config) -> Result<Scheduler, Error>, config: &Config) -> Result<Self, Error> {
        let [one, two] = [(); 2].map(|()| build(config.clone()));
        Ok(Self { one: one?, two: two?, now: Timestamp::ZERO, alive: Vec::new() })
    }

    /// One thing happens to both.
    fn happens(&mut self, shapes: &[ShapeId], numbers: &mut Numbers) -> Result<(), Error> {
        match numbers.below(8) {
            0..=4 => {
                let team = TeamId::new(u32::try_from(numbers.below(6)).unwrap_or(0));
                let mut job = JobSpec::new(team, shapes[numbers.index(shapes.len())], self.now);
                job.estimate = Some(Millis::new(1 + numbers.below(9)));
                let submitted = self.one.submit(self.now, job)?;
                let _ = self.two.submit(self.now, job)?;
                if let Submission::Queued(id) = submitted {
                    self.alive.push(id);
                }
            }
            5 | 6 if !self.alive.is_empty() => {
                let at = numbers.index(self.alive.len());
                let job = self.alive.swap_remove(at);
                self.one.cancel(self.now, job)?;
                self.two.cancel(self.now, job)?;
            }
            _ => {
                // What happens when the scheduler asks to be called, such as at the end of a round, may be far away.
                // A policy may ask for any time: it is not followed to the end of time.
                let near = |at: &Timestamp| *at > self.now && at.as_millis() < i64::MAX / 2;
                let wakeup = self.one.next_wakeup().filter(near).filter(|_| numbers.below(2) == 0);
                self.now = wakeup.unwrap_or(Timestamp::from_millis(self.now.as_millis() + 1));
            }
        }
        Ok(())
    }

    /// Both decide, a copy of the first before it; and both once more. The second was asked about everybody before.
    fn decide(&mut self, checked: &mut Checked) -> Result<(), Violation> {
        for job in &self.alive {
            self.two.explain_without_entitlements(*job)?;
        }
        self.alive.first().map(|job| self.two.explain(*job)).transpose()?;
        if self.one.queue() != self.two.queue() {
            return Err(Violation {
                law: Law::Deterministic,
                detail: "the order of the jobs that wait".to_owned(),
            });
        }
        let foretold = self.one.clone().schedule(self.now)?.to_vec();
        let decisions = self.one.schedule(self.now)?.to_vec();
        let others = self.two.schedule(self.now)?;
        if let Some(others) = [foretold.as_slice(), others].into_iter().find(|others| *others != decisions) {
            let detail = format!("{decisions:?}, then {others:?}");
            return Err(Violation { law: Law::Deterministic, detail });
        }
        for decision in &decisions {
            let is_start = matches!(decision, Decision::Start { .. });
            checked.starts += usize::from(is_start);
            checked.evictions += usize::from(!is_start);
        }
        if self.one.next_wakeup() != self.two.next_wakeup() {
            let detail = format!(
                "wants to be called at {:?}, or {:?}",
                self.one.next_wakeup(),
                self.two.next_wakeup()
            );
            return Err(Violation { law: Law::Deterministic, detail });
        }
        let again = self.one.schedule(self.now)?.to_vec();
        if !again.is_empty() || !self.two.schedule(self.now)?.is_empty() {
            return Err(Violation { law: Law::Steady, detail: format!("{again:?}") });
        }
        Ok(())
    }
}

/// The shapes of all jobs.
fn intern(scheduler: &mut Scheduler) -> Result<Vec<ShapeId>, Error> {
    let shape = |gpu: u64, cpu: u64, workers: u32, class: i32| {
        let alternative = Alternative::new(Resources::new().gpu(gpu).cpu(cpu)).with_workers(workers);
        ShapeSpec::new(alternative).with_class(class)
    };
    let specs =
        [shape(1, 1, 1, 0), shape(0, 2, 1, 0), shape(2, 2, 2, 0), shape(3, 1, 1, 1), shape(1, 0, 5, -1)];
    specs.iter().map(|spec| scheduler.intern(spec)).collect()
}

/// One history of a small organisation.
fn live_through(
    build: &dyn Fn(Config) -> Result<Scheduler, Error>,
    numbers: &mut Numbers,
    case: usize,
    checked: &mut Checked,
) -> Result<(), Violation> {
    let config = organisation(case, numbers);
    let mut twins = Twins::new(build, &config)?;
    let shapes = intern(&mut twins.one)?;
    intern(&mut twins.two)?;
    for _ in 0..80 {
        twins.happens(&shapes, numbers)?;
        let inconsistent = |detail| Violation { law: Law::Conserved, detail };
        twins.one.check_invariants().map_err(inconsistent)?;
        if numbers.below(3) == 0 {
            twins.decide(checked)?;
            twins.one.check_invariants().map_err(inconsistent)?;
        }
    }
    checked.histories += 1;
    Ok(())
}
