//! The conformance kit: every order and policy of the crate passes it, and those that break a law are found out, one for
//! each thing that the kit looks at.

use std::cell::Cell;
use std::cmp::Ordering;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use fairshare::conformance::{Law, check, check_scheduler};
use fairshare::{
    Allowance, Config, Contender, Demand, Error, JobId, JobSpec, Order, OrderName, Policy, PolicySpec,
    PoolId, Quantity, ResourceKind, Scheduler, Timestamp, Txn,
};

#[test]
fn every_order_of_the_crate_conforms() {
    for name in OrderName::ALL {
        let checked =
            check(|| PolicySpec::new(name).order(), 7, 24).unwrap_or_else(|why| panic!("{name:?}: {why}"));
        assert!(checked.triples > 5_000 && checked.starts > 300, "{name:?}: {checked:?}");
        assert!(checked.evictions > 0 || name == OrderName::Static, "{name:?}: {checked:?}");
    }
}

#[test]
fn every_policy_by_its_name_conforms() {
    for name in OrderName::ALL {
        let build = |mut config: Config| {
            if config.teams.iter().all(|team| team.quota.is_empty()) {
                // Without any, nobody may hold anything under `static`.
                let four = Allowance::new(PoolId::new(0), ResourceKind::GPU, Quantity::new(4_000));
                config.teams[1].quota.push(four);
                config.teams[4].quota.push(four);
            }
            let mut policy = config.policy;
            policy.order = name;
            Scheduler::new(config.with_policy(policy))
        };
        if cfg!(not(feature = "lp")) && name == OrderName::Gavel {
            continue;
        }
        let checked = check_scheduler(build, 3, 16).unwrap_or_else(|why| panic!("{name:?}: {why}"));
        assert!(
            checked.histories == 16 && checked.starts > 200 && checked.evictions > 20,
            "{name:?}: {checked:?}"
        );
    }
}

// ---- orders ---------------------------------------------------------------------------------------------------------

/// How an order compares, and how many jobs were ranked before.
type Compare = fn(u64, &Contender<'_>, &Contender<'_>) -> Ordering;

/// What an order knows beyond its arguments.
type Memory = Arc<AtomicU64>;

#[derive(Debug)]
struct Broken {
    compare: Compare,
    hint: fn(&Contender<'_>) -> f64,
    by_shares: bool,
    /// Counts the jobs that were ranked.
    ranked: Memory,
    rank: fn(u64) -> u64,
}

impl Default for Broken {
    fn default() -> Self {
        let compare =
            |_, a: &Contender<'_>, b: &Contender<'_>| a.compare_after(b).then_with(|| a.compare_ties(b));
        let ranked = Memory::default();
        Self { compare, hint: |_| 0.0, by_shares: true, ranked, rank: |_| 0 }
    }
}

impl Order for Broken {
    fn by_shares(&self) -> bool {
        self.by_shares
    }

    fn rank(&self, _: &JobSpec, _: &Demand<'_>) -> u64 {
        (self.rank)(self.ranked.fetch_add(1, Relaxed))
    }

    fn hint(&self, contender: &Contender<'_>) -> f64 {
        (self.hint)(contender)
    }

    fn compare(&self, a: &Contender<'_>, b: &Contender<'_>) -> Ordering {
        (self.compare)(self.ranked.load(Relaxed), a, b)
    }
}

/// The law that an order breaks.
fn law(make: impl Fn() -> Broken) -> Law {
    check(|| Box::new(make()), 1, 8).unwrap_err().law
}

#[test]
fn an_order_that_is_none_is_found_out() {
    assert!(
        check(|| Box::new(Broken::default()), 1, 8).is_ok(),
        "the others differ from this one by one fault"
    );
    // Equal teams are not told apart.
    assert_eq!(law(|| Broken { compare: |_, a, b| a.compare_after(b), ..Broken::default() }), Law::Total);
    // A circle of three: each comes before the next.
    let circle = |_: u64, a: &Contender<'_>, b: &Contender<'_>| match (3 + a.place().number % 3
        - b.place().number % 3)
        % 3
    {
        0 => a.place().number.cmp(&b.place().number),
        1 => Ordering::Greater,
        _ => Ordering::Less,
    };
    assert_eq!(law(|| Broken { compare: circle, ..Broken::default() }), Law::Total);
    // Who is asked about first comes first.
    assert_eq!(law(|| Broken { compare: |_, _, _| Ordering::Less, ..Broken::default() }), Law::Monotone);
    // The team that has most comes first, so that a grant moves it forward.
    let most =
        |_: u64, a: &Contender<'_>, b: &Contender<'_>| b.compare_now(a).then_with(|| a.compare_ties(b));
    assert_eq!(law(|| Broken { compare: most, ..Broken::default() }), Law::Monotone);
    // The hint says the opposite, or nothing.
    let opposite = |contender: &Contender<'_>| -contender.dominant_after();
    assert_eq!(law(|| Broken { hint: opposite, ..Broken::default() }), Law::Hint);
    assert_eq!(law(|| Broken { hint: |_| f64::NAN, ..Broken::default() }), Law::Hint);
}

#[test]
fn an_order_with_a_memory_is_not_deterministic() {
    let old: Compare = |_, a, b| a.place().cmp(&b.place());
    let young: Compare = |_, a, b| {
        let (a, b) = (a.place(), b.place());
        (b.submit, a.number).cmp(&(a.submit, b.number))
    };
    let by_age = |compare| Broken { compare, by_shares: false, ..Broken::default() };
    assert!(check(|| Box::new(by_age(old)), 1, 8).is_ok() && check(|| Box::new(by_age(young)), 1, 8).is_ok());
    // Every third that is built turns the order round.
    let built = Cell::new(0);
    let turns = || {
        built.set(built.get() + 1);
        by_age(if built.get() % 3 == 0 { young } else { old })
    };
    assert_eq!(law(turns), Law::Deterministic);
    // The rank of a job depends on how many were ranked before.
    assert_eq!(law(|| Broken { rank: |ranked| ranked, ..Broken::default() }), Law::Deterministic);
}

#[test]
fn an_order_that_changes_its_mind_leaves_the_heaps_out_of_order() {
    // With every job that is ranked the order turns round: whoever stands in a heap already is in the wrong place.
    let turns = |ranked: u64, a: &Contender<'_>, b: &Contender<'_>| {
        let (a, b) = (a.place().number, b.place().number);
        if (ranked / 2).is_multiple_of(2) { a.cmp(&b) } else { b.cmp(&a) }
    };
    let make = || Broken { compare: turns, by_shares: false, ..Broken::default() };
    let violation =
        check_scheduler(|config| Scheduler::with_order(config, Box::new(make())), 1, 8).unwrap_err();
    assert_eq!(violation.law, Law::Conserved, "{violation}");
}

// ---- policies -------------------------------------------------------------------------------------------------------

/// Starts what fits, in order of submission, but for its faults.
#[derive(Clone, Debug)]
struct Simple {
    /// The most that one cycle starts.
    most: usize,
    /// Stops one job in every cycle from then on, and wants to be called then.
    stops: Option<Timestamp>,
    /// Counts the cycles of all schedulers: in every second one the youngest job comes first.
    cycles: Option<Memory>,
    /// How often a copy was made of what it was copied from.
    copied: bool,
    remembers_copies: bool,
    /// What it finds wrong with itself.
    wrong: Option<&'static str>,
    /// How often it was asked when it wants to be called: it wants another instant each time.
    asked: Option<Memory>,
}

const HOUR: Timestamp = Timestamp::from_millis(3_600_000);

const SIMPLE: Simple = Simple {
    most: usize::MAX,
    stops: None,
    cycles: None,
    copied: false,
    remembers_copies: false,
    wrong: None,
    asked: None,
};

impl Policy for Simple {
    fn copy(&self) -> Box<dyn Policy> {
        Box::new(Self { copied: self.remembers_copies, ..self.clone() })
    }

    fn cycle(&mut self, txn: &mut Txn<'_>) -> Result<(), Error> {
        let victim = txn.running().find(|job| txn.spec(*job).is_ok_and(|spec| spec.preemptible));
        if let Some(victim) = victim.filter(|_| self.stops.is_some_and(|from| txn.now() >= from)) {
            txn.stop(victim)?;
        }
        let mut waiting: Vec<JobId> = txn.waiting().collect();
        let turned = self.cycles.as_ref().is_some_and(|cycles| cycles.fetch_add(1, Relaxed) % 2 == 1);
        if turned || self.copied {
            waiting.reverse();
        }
        let mut started = 0;
        for job in waiting {
            if started < self.most && txn.start_anywhere(job)? {
                started += 1;
            }
        }
        Ok(())
    }

    fn next_wakeup(&self, now: Timestamp) -> Option<Timestamp> {
        let turn = self.asked.as_ref().map(|asked| asked.fetch_add(1, Relaxed));
        turn.map(|turn| Timestamp::from_millis(now.as_millis() + 1 + i64::try_from(turn).unwrap()))
            .or(self.stops)
    }

    fn check(&self) -> Result<(), String> {
        self.wrong.map_or(Ok(()), |wrong| Err(wrong.to_owned()))
    }
}

fn law_of(policy: &Simple) -> Option<Law> {
    let build = |config| Scheduler::with_policy(config, Box::new(policy.clone()));
    check_scheduler(build, 1, 8).err().map(|violation| violation.law)
}

#[test]
fn a_policy_that_breaks_a_law_is_found_out() {
    assert_eq!(law_of(&SIMPLE), None, "the others differ from this one by one fault");
    assert_eq!(law_of(&Simple { most: 1, ..SIMPLE }), Some(Law::Steady));
    assert_eq!(law_of(&Simple { stops: Some(Timestamp::ZERO), ..SIMPLE }), Some(Law::Steady));
    assert_eq!(law_of(&Simple { cycles: Some(Memory::default()), ..SIMPLE }), Some(Law::Deterministic));
    assert_eq!(law_of(&Simple { remembers_copies: true, ..SIMPLE }), Some(Law::Deterministic));
    assert_eq!(law_of(&Simple { wrong: Some("it is wrong"), ..SIMPLE }), Some(Law::Conserved));
    assert_eq!(law_of(&Simple { stops: Some(HOUR), ..SIMPLE }), Some(Law::Steady));
    assert_eq!(law_of(&Simple { asked: Some(Memory::default()), ..SIMPLE }), Some(Law::Deterministic));
}
