//! Snapshot: everything that later decisions depend on, as a plain value to write down and to build a scheduler from.
//!
//! What follows from the configuration and the jobs that are alive is not in it: usage, free room, lines, lists and plans
//! are worked out again. What does not follow is: who was served when, what was spent, who holds a reservation, what a
//! policy has tried in vain.
//! Absent on purpose: how a scheduler is written and built (see `scheduler`), files and their syntax. Layer 1; uses
//! `config`, `decision`, `job`.

use core::fmt;

use crate::config::Config;
use crate::decision::{Decision, Eviction};
use crate::id::{JobId, NodeId, ShapeId, TeamId};
use crate::job::{JobSpec, Placed, ShapeSpec};
use crate::resources::{ResourceKind, Resources};
use crate::time::{Millis, Timestamp};

/// A scheduler, written down: [`Scheduler::snapshot`](crate::Scheduler::snapshot) makes one, and
/// [`Scheduler::restore`](crate::Scheduler::restore) builds a scheduler from it that decides as the first would have.
///
/// Teams, pools and shapes are named by their numbers in `config` and `shapes`, jobs by the ids that the caller knows. All
/// fields may be read and changed; what contradicts itself then is refused by name. With the feature `serde` it can be
/// written in any format; numbers that may pass 64 bits are written as decimal text.
///
/// A configuration that has changed since may take the place of the one inside, by [`with_config`](Self::with_config), as
/// long as its pools and teams are those of before, in the same order: weights, quotas, prices, the policy. What an order
/// or a budget that was not there before, or in another unit, needs to know begins from nothing.
///
/// # Examples
///
/// ```
/// use fairshare::{Config, PoolSpec, Resources, Scheduler, Snapshot, TeamSpec};
/// let pool = PoolSpec::new("l4", 1, Resources::new().gpu(4));
/// let scheduler = Scheduler::new(Config::new(vec![pool], vec![TeamSpec::new("a")])).unwrap();
/// let mut snapshot = scheduler.snapshot();
/// assert_eq!((snapshot.version, snapshot.pools[0].nodes_up), (Snapshot::VERSION, 1));
/// snapshot.pools[0].nodes_up = 2;
/// let error = Scheduler::restore(&snapshot).unwrap_err();
/// assert_eq!(error.to_string(), "pool 0 of the snapshot: there are too many nodes up");
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Snapshot {
    /// The version of this type: [`Snapshot::VERSION`].
    pub version: u32,
    /// Whose order or policy decided.
    pub decides: Decides,
    /// What the scheduler was built from.
    pub config: Config,
    /// The latest time that it was told.
    pub now: Timestamp,
    /// How many jobs it has been given: the next one gets this number.
    pub submitted: u64,
    /// What jobs ask, by the number that they name.
    pub shapes: Vec<ShapeSpec>,
    /// Which of these stand there again with their ways to start in another order: that for jobs which are thought to run
    /// so long.
    pub variants: Vec<(ShapeId, Millis)>,
    /// What is true of each pool, in the order of the configuration.
    pub pools: Vec<PoolSnapshot>,
    /// What is true of each team, in the order of the configuration.
    pub teams: Vec<TeamSnapshot>,
    /// The jobs that wait, by slot.
    pub waiting: Vec<WaitingJob>,
    /// The jobs that run, by slot.
    pub running: Vec<RunningJob>,
    /// The last users of the slots that nobody has; the slot of the last of them is used next.
    pub free: Vec<JobId>,
    /// The resources of which nothing was free in any pool when it was last decided, where shares are rescaled.
    pub exhausted: Vec<ResourceKind>,
    /// When ranks by past use are worked out again, where the order goes by them; `None`: in the next cycle.
    pub next_ranks: Option<Timestamp>,
    /// What was decided and not answered yet: evictions from lost capacity, and what a policy of the caller's own did in a cycle
    /// that was refused.
    pub undelivered: Vec<Decision>,
    /// One record for each eviction among these.
    pub evictions: Vec<Eviction>,
    /// What the policy remembers.
    pub memory: Memory,
}

impl Snapshot {
    /// The version that this release writes, and the only one that it reads.
    pub const VERSION: u32 = 1;

    /// The same with another configuration: what the policy has tried in vain under the one before is forgotten, so that the
    /// next cycle looks at everything again. Nothing is checked before [`Scheduler::restore`](crate::Scheduler::restore).
    ///
    /// # Examples
    ///
    /// ```
    /// use fairshare::{Config, PoolSpec, Resources, Scheduler, TeamSpec, Weight};
    /// let config = |team| Config::new(vec![PoolSpec::new("l4", 1, Resources::new().gpu(4))], vec![team]);
    /// let snapshot = Scheduler::new(config(TeamSpec::new("a"))).unwrap().snapshot();
    /// let heavier = config(TeamSpec::new("a").with_weight(Weight::new(2, 1).unwrap()));
    /// let scheduler = Scheduler::restore(&snapshot.with_config(heavier.clone())).unwrap();
    /// assert_eq!(scheduler.config(), &heavier);
    /// ```
    #[must_use]
    pub fn with_config(self, config: Config) -> Self {
        Self { config, memory: self.memory.begun_again(), ..self }
    }
}

/// Whose order or policy a scheduler decides by, and so by which call it is restored.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Decides {
    /// The configured one: [`Scheduler::restore`](crate::Scheduler::restore).
    Configured,
    /// An order of the caller's own: [`Scheduler::restore_with_order`](crate::Scheduler::restore_with_order).
    OwnOrder,
    /// A policy of the caller's own: [`Scheduler::restore_with_policy`](crate::Scheduler::restore_with_policy).
    OwnPolicy,
}

/// What is true of one pool.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct PoolSnapshot {
    /// How many of its nodes are up: the first ones, but for the exceptions.
    pub nodes_up: u32,
    /// The first ones that are down all the same, and as many of the others that are up in their place; in order, each once.
    #[cfg_attr(feature = "serde", serde(default))]
    pub exceptions: Vec<NodeId>,
    /// How many jobs have started in it: what nodes are drawn by at random.
    pub starts: u64,
    /// What was asked for in it, and by how many workers, where placement goes by that.
    pub asked: Vec<(Resources, u64)>,
}

/// What is true of one team.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct TeamSnapshot {
    /// The number of the last start of a job of its own, counted over all teams; zero before the first.
    pub served: u64,
    /// What it has spent, if it has a budget.
    pub budget: Option<Spent>,
    /// What it and all below it have used, where the order goes by past use.
    pub usage: Option<Usage>,
    /// Of a team with children, what its own jobs have used, from the first of them on.
    pub own_usage: Option<Usage>,
    /// What the rank of its own jobs is worth, where the order goes by past use.
    pub points: u64,
}

/// What the budget of a team is counted in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum SpentUnit {
    /// Thousandths of a GPU times milliseconds.
    GpuTime,
    /// Thousandths of micro-USD an hour times milliseconds.
    Money,
}

/// What a team has spent of its budget. Where the budget has become one in another unit, or is gone, it is not looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Spent {
    /// In what.
    pub unit: SpentUnit,
    /// How much: what ran until `counted`, in the period of that instant.
    #[cfg_attr(feature = "serde", serde(with = "decimal"))]
    pub amount: u128,
    /// Until when it was counted; `None` before the first start.
    pub counted: Option<Timestamp>,
    /// Whether it was found to be spent.
    pub over: bool,
}

/// What a team has used, decayed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Usage {
    /// How much, in parts of 2^-40 of the capacity times milliseconds.
    pub used: Float,
    /// As of when; `None` before the first start.
    pub counted: Option<Timestamp>,
}

/// A job that waits.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct WaitingJob {
    /// The id by which the caller knows it.
    pub job: JobId,
    /// The number of its submission.
    pub number: u64,
    /// What was said of it.
    pub spec: JobSpec,
    /// How often it has started.
    pub attempt: u32,
}

/// A job that runs.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct RunningJob {
    /// The id by which the caller knows it.
    pub job: JobId,
    /// The number of its submission.
    pub number: u64,
    /// What was said of it.
    pub spec: JobSpec,
    /// How often it has started.
    pub attempt: u32,
    /// Where and since when: on nodes where it asks whole GPUs or none, on devices where it asks parts.
    pub placed: Placed,
    /// The teams, its own or above, within whose quotas it counts.
    pub guaranteed: Vec<TeamId>,
}

/// What a policy remembers that does not follow from the jobs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Memory {
    /// Something has happened since it last found nothing to do: since the last search for victims under preemption, since
    /// the last allocation under `Gavel`. Always, where nothing is remembered of that.
    pub changed: bool,
    /// By pool; empty where it remembers nothing of any.
    pub pools: Vec<PoolMemory>,
    /// Who was stopped and may not borrow again before some instant.
    pub backing_off: Vec<BackOff>,
    /// Who was stopped for another job since the last event from outside, and may stop nobody.
    pub stopped: Vec<JobId>,
    /// Who was stopped and was free to stop others again once a bound had run out, since the last event from outside: that is
    /// so once. In what was written before there was this, nobody.
    #[cfg_attr(feature = "serde", serde(default))]
    pub freed: Vec<JobId>,
    /// Somebody has run for long enough to be stopped since the last cycle, which has not looked at that yet. In what was
    /// written before there was this, nobody.
    #[cfg_attr(feature = "serde", serde(default))]
    pub run_ended: bool,
    /// Waiting jobs for which no victims were found, and for which nothing has happened since that may let them be found.
    pub tried: Vec<JobId>,
    /// The same of those in whose way stood what is kept for others: they are tried again when that changes, too.
    pub tried_behind: Vec<JobId>,
    /// When a bound on evictions that stood in the way of one runs out.
    pub wake: Option<Timestamp>,
    /// The rounds of `Gavel`.
    pub rounds: Option<Rounds>,
}

impl Memory {
    /// Without what was found out by the rules of before, where others have come: that is an event from outside.
    pub(crate) fn begun_again(mut self) -> Self {
        (self.changed, self.run_ended) = (true, false);
        self.tried.clear();
        self.tried_behind.clear();
        self.stopped.clear();
        self.freed.clear();
        for pool in &mut self.pools {
            (pool.closed_by, pool.moved) = (None, false);
        }
        self
    }
}

/// What a policy remembers of one pool.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct PoolMemory {
    /// The blocked job that nothing may pass here.
    pub closed_by: Option<JobId>,
    /// What is kept for a blocked job.
    pub reservation: Option<Reserved>,
    /// The reservation was taken away for a job of a higher rank since the last event from outside.
    pub moved: bool,
    /// What evictions have lost lately.
    pub lost: Lost,
}

/// A job that was stopped and may not borrow again yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct BackOff {
    /// Who.
    pub job: JobId,
    /// Until when.
    pub until: Timestamp,
    /// It stands in its line all the same: it could not borrow, whatever it started by.
    pub in_line: bool,
}

/// Nodes, or an amount, and an instant that are kept for a blocked job.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Reserved {
    /// For whom.
    pub job: JobId,
    /// By which of its shape's alternatives.
    pub alternative: u32,
    /// When it can start, at the earliest.
    pub start: Timestamp,
    /// On which nodes, in order; none in a divisible pool.
    pub nodes: Vec<NodeId>,
    /// In a divisible pool, what is free then beside it.
    pub spare: Resources,
}

/// The GPU time that evictions have lost in an hour.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Lost {
    /// The number of the hour since the caller's epoch.
    pub hour: i64,
    /// How much, in thousandths of a GPU times milliseconds.
    #[cfg_attr(feature = "serde", serde(with = "decimal"))]
    pub gpu_time: u128,
}

/// Where the rounds of `Gavel` stand. Amounts are milliseconds, by pool.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Rounds {
    /// When the round began that runs, if any.
    pub begun: Option<Timestamp>,
    /// When it was last worked out what everybody is due.
    pub allocated: Option<Timestamp>,
    /// What all jobs together have had since.
    pub had: Vec<Float>,
    /// What each job is due and has had.
    pub turns: Vec<Turn>,
}

/// What one job is due and has had under `Gavel`, by pool.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Turn {
    /// Whose.
    pub job: JobId,
    /// The parts of its time that it is due; `None` before the first allocation that knows of it.
    pub parts: Option<Vec<Float>>,
    /// What it has had since the last allocation.
    pub had: Vec<Float>,
    /// What it was due before and did not have.
    pub owed: Vec<Float>,
}

/// A number with a binary point, exact: `mantissa` times two to the power `exponent`.
///
/// # Examples
///
/// ```
/// use fairshare::snapshot::Float;
/// assert_eq!(Float { mantissa: -3, exponent: -1 }.to_string(), "-1.5");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Float {
    /// Odd, or zero.
    pub mantissa: i64,
    /// The power of two.
    pub exponent: i32,
}

impl Float {
    /// The same number; what is no number is zero.
    pub(crate) fn of(number: f64) -> Self {
        if number == 0.0 || !number.is_finite() {
            return Self::default();
        }
        let bits = number.to_bits();
        let (fraction, power) = (bits & ((1 << FRACTION_BITS) - 1), bits >> FRACTION_BITS & POWER_MASK);
        // Without a power, the leading digit is not one.
        let digits = if power == 0 { fraction } else { fraction | 1 << FRACTION_BITS };
        let trailing = digits.trailing_zeros();
        let mantissa = i64::try_from(digits >> trailing).unwrap_or(i64::MAX);
        let power = i32::try_from(power.max(1)).unwrap_or(i32::MAX);
        let exponent = power - POWER_OF_UNIT + i32::try_from(trailing).unwrap_or(0);
        Self { mantissa: if bits >> 63 == 0 { mantissa } else { -mantissa }, exponent }
    }

    /// The nearest number.
    #[expect(clippy::cast_precision_loss, reason = "what `of` has made has as many digits as a float")]
    pub(crate) fn get(self) -> f64 {
        libm::scalbn(self.mantissa as f64, self.exponent)
    }
}

impl fmt::Display for Float {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.get(), f)
    }
}

/// Binary digits of a float behind its leading one.
const FRACTION_BITS: u32 = 52;

/// What the digits of its power are masked by.
const POWER_MASK: u64 = (1 << 11) - 1;

/// The power that stands for the last binary digit before the point, if the digits are taken as an integer.
const POWER_OF_UNIT: i32 = 1_023 + 52;

/// Numbers of 128 bits as decimal text, since few formats have any as large.
#[cfg(feature = "serde")]
mod decimal {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(number: &u128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(number)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| D::Error::custom(format_args!("`{text}` is no whole number below 2^128")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_float_is_written_exactly() {
        let mut number = 1.0_f64 / 3.0;
        for _ in 0..2_200 {
            for number in [number, -number] {
                let written = Float::of(number);
                assert_eq!(written.get().to_bits(), number.to_bits());
                assert_eq!(Float::of(written.get()), written);
                assert!(number == 0.0 || written.mantissa % 2 != 0);
            }
            number /= 1.7;
        }
        assert!(number < 1e-323, "the smallest floats are among them");
        for number in [f64::MAX, f64::MIN_POSITIVE, 5e-324, 3.0, 360_000.0 / 2.0] {
            assert_eq!(Float::of(number).get().to_bits(), number.to_bits());
        }
        assert_eq!(Float::of(3.0), Float { mantissa: 3, exponent: 0 });
        assert_eq!([f64::NAN, f64::INFINITY, 0.0, -0.0].map(Float::of), [Float::default(); 4]);
    }
}
