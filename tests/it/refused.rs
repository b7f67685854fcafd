//! A call that is refused changes nothing, whatever went before; and configurations that are refused, by their words.

use fairshare::{
    Allowance, Alternative, Budget, Config, Decision, ErrorKind, JobId, JobSpec, MicroUsd, Millis, NodeId,
    Placed, PolicySpec, PoolId, PoolSpec, Price, PriceUnit, Quantity, ResourceKind, Resources, Scheduler,
    ShapeId, ShapeSpec, Share, ShareKey, ShareValue, Spending, Submission, TeamId, TeamSpec, Timestamp,
    Weight,
};
use proptest::prelude::*;

use crate::strategy::{Case, Op, case};

/// Jobs by what is known of them.
#[derive(Default)]
struct Known {
    waiting: Vec<JobId>,
    running: Vec<JobId>,
    gone: Vec<JobId>,
}

impl Known {
    fn end(&mut self, id: JobId) {
        self.waiting.retain(|other| *other != id);
        self.running.retain(|other| *other != id);
        self.gone.push(id);
    }

    fn apply(&mut self, case: &Case, scheduler: &mut Scheduler, now: &mut Timestamp, op: &Op) {
        let pick = |ids: &[JobId], which: usize| (!ids.is_empty()).then(|| ids[which % ids.len()]);
        match *op {
            Op::Submit { team, shape, .. } => {
                let team = TeamId::new(u32::try_from(team % case.config.teams.len()).unwrap());
                let shape = scheduler.intern(&case.shapes[shape % case.shapes.len()]).unwrap();
                let before = format!("{scheduler:?}");
                match scheduler.submit(*now, JobSpec::new(team, shape, *now)).unwrap() {
                    Submission::Queued(id) => self.waiting.push(id),
                    // The time has not gone on either: what was due until now still is.
                    Submission::Rejected(_) => assert_eq!(format!("{scheduler:?}"), before),
                }
            }
            Op::Complete(which) => {
                if let Some(id) = pick(&self.running, which) {
                    scheduler.complete(*now, id).unwrap();
                    self.end(id);
                }
            }
            Op::Cancel(which) => {
                if let Some(id) = pick(&self.waiting, which) {
                    scheduler.cancel(*now, id).unwrap();
                    self.end(id);
                }
            }
            Op::SetUp { pool, up } => {
                let pool = PoolId::new(u32::try_from(pool % case.config.pools.len()).unwrap());
                scheduler.set_capacity(*now, pool, up).unwrap();
                self.decide(scheduler, *now);
            }
            Op::Turn { .. } => {}
            Op::Schedule => self.decide(scheduler, *now),
            Op::Wait(millis) => *now = Timestamp::from_millis(now.as_millis() + millis),
        }
    }

    fn decide(&mut self, scheduler: &mut Scheduler, now: Timestamp) {
        for decided in scheduler.schedule(now).unwrap() {
            match decided {
                Decision::Start { job, .. } => {
                    self.waiting.retain(|other| other != job);
                    self.running.push(*job);
                }
                Decision::Evict { job, .. } => {
                    self.running.retain(|other| other != job);
                    self.waiting.push(*job);
                }
                _ => {}
            }
        }
    }
}

/// Every call that must be refused now, with what it says.
fn refuse_all(case: &Case, scheduler: &mut Scheduler, now: Timestamp, known: &Known, seen: Timestamp) {
    let before = format!("{scheduler:?}");
    let (no_team, no_pool) = (TeamId::new(9_999), PoolId::new(9_999));
    let no_shape = ShapeId::new(9_999);
    let later = Timestamp::from_millis(now.as_millis() + 1);
    let early = Timestamp::from_millis(seen.as_millis() - 1);
    let shape = scheduler.intern(&case.shapes[0]).unwrap();
    let job = JobSpec::new(TeamId::new(0), shape, early);
    let backwards = ErrorKind::TimeBackwards { now: early, seen };
    let mut found = vec![
        (scheduler.submit(now, JobSpec::new(no_team, shape, now)).err(), ErrorKind::UnknownTeam(no_team)),
        (
            scheduler.submit(now, JobSpec::new(TeamId::new(0), no_shape, now)).err(),
            ErrorKind::UnknownShape(no_shape),
        ),
        (
            scheduler.submit(now, JobSpec::new(TeamId::new(0), shape, later)).err(),
            ErrorKind::SubmitAfterNow { submit: later, now },
        ),
        (scheduler.submit(early, job).err(), backwards.clone()),
        (scheduler.schedule(early).err(), backwards.clone()),
        (scheduler.set_capacity(early, PoolId::new(0), 0).err(), backwards.clone()),
        (scheduler.set_capacity(now, no_pool, 0).err(), ErrorKind::UnknownPool(no_pool)),
        (scheduler.set_node(now, no_pool, NodeId::new(0), false).err(), ErrorKind::UnknownPool(no_pool)),
        (
            scheduler.set_node(now, PoolId::new(0), NodeId::new(99), false).err(),
            ErrorKind::UnknownNode { pool: scheduler.config().pools[0].name.clone(), node: NodeId::new(99) },
        ),
        (scheduler.adopt(now, job, &Placed::new(no_pool, now)).err(), ErrorKind::UnknownPool(no_pool)),
        (scheduler.share_key(no_team).err(), ErrorKind::UnknownTeam(no_team)),
        (scheduler.running(no_team).err(), ErrorKind::UnknownTeam(no_team)),
    ];
    for id in &known.gone {
        let unknown = ErrorKind::UnknownJob(*id);
        found.push((scheduler.complete(now, *id).err(), unknown.clone()));
        found.push((scheduler.cancel(now, *id).err(), unknown.clone()));
        found.push((scheduler.explain(*id).err(), unknown.clone()));
        found.push((scheduler.remedies(*id).err(), unknown));
    }
    for id in &known.waiting {
        found.push((scheduler.complete(now, *id).err(), ErrorKind::NotRunning(*id)));
        found.push((scheduler.cancel(early, *id).err(), backwards.clone()));
    }
    for id in &known.running {
        found.push((scheduler.complete(early, *id).err(), backwards.clone()));
    }
    for (error, expected) in found {
        assert_eq!(error.unwrap().kind(), &expected);
    }
    let empty = ShapeSpec::new(Alternative::new(Resources::new()));
    assert_eq!(scheduler.intern(&empty).unwrap_err().to_string(), "a shape has no requested amounts");
    assert_eq!(format!("{scheduler:?}"), before, "a refused call has changed something");
    // Questions change nothing either.
    let _ = (scheduler.shares(), scheduler.queue(), scheduler.next_wakeup());
    let asked = scheduler.can_admit(now, JobSpec::new(TeamId::new(0), shape, now), &case.shapes[0]);
    asked.unwrap();
    assert_eq!(format!("{scheduler:?}"), before, "a question has changed something");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.min(64), ..ProptestConfig::default() })]

    #[test]
    fn a_refused_call_changes_nothing(case in case()) {
        let mut scheduler = Scheduler::new(case.config.clone()).unwrap();
        let mut now = Timestamp::ZERO;
        let mut known = Known::default();
        // Every shape is known, so that asking for one again is no change.
        for shape in &case.shapes {
            scheduler.intern(shape).unwrap();
        }
        scheduler.schedule(now).unwrap();
        let mut seen = now;
        for op in &case.ops {
            known.apply(&case, &mut scheduler, &mut now, op);
            if !matches!(op, Op::Wait(_)) {
                seen = now;
            }
            // Picks that found nothing, and jobs that are rejected, have not told the time.
            if matches!(op, Op::Complete(_) | Op::Cancel(_) | Op::Submit { .. }) {
                known.decide(&mut scheduler, now);
            }
            refuse_all(&case, &mut scheduler, now, &known, seen);
        }
    }

    #[test]
    fn a_question_about_a_job_is_answered_as_it_would_be(case in case(), asked in 0_usize..8, team in 0_usize..8) {
        let mut scheduler = Scheduler::new(case.config.clone()).unwrap();
        let mut now = Timestamp::ZERO;
        let mut known = Known::default();
        for op in &case.ops {
            known.apply(&case, &mut scheduler, &mut now, op);
        }
        let spec = &case.shapes[asked % case.shapes.len()];
        let team = TeamId::new(u32::try_from(team % case.config.teams.len()).unwrap());
        let answer = scheduler.can_admit(now, JobSpec::new(team, ShapeId::new(0), now), spec).unwrap();
        let shape = scheduler.intern(spec).unwrap();
        let submitted = scheduler.submit(now, JobSpec::new(team, shape, now)).unwrap();
        match (submitted, answer.verdict) {
            (Submission::Rejected(found), fairshare::Verdict::Rejected(reason)) => assert_eq!(found, reason),
            (Submission::Queued(id), verdict) => {
                let decided = scheduler.schedule(now).unwrap().to_vec();
                // Whoever is stopped in the same cycle may start once more, elsewhere.
                let start = decided.iter().fold(None, |start, decided| match decided {
                    Decision::Start { job, pool, alternative, .. } if *job == id => Some((*pool, *alternative)),
                    Decision::Evict { job, .. } if *job == id => None,
                    _ => start,
                });
                match verdict {
                    fairshare::Verdict::Starts { pool, alternative } => {
                        assert_eq!(start, Some((pool, alternative)));
                    }
                    fairshare::Verdict::Waits(why) => {
                        assert_eq!(start, None);
                        assert_eq!(*why, scheduler.explain(id).unwrap());
                    }
                    _ => panic!("a job is queued that was to be rejected"),
                }
                let victims: Vec<JobId> = decided.iter().filter_map(|decided| match decided {
                    Decision::Evict { job, by, .. } if *by == Some(id) => Some(*job),
                    _ => None,
                }).collect();
                assert_eq!(victims, answer.victims);
            }
            (Submission::Rejected(_), other) => panic!("a job is rejected that was said to be {other:?}"),
        }
    }
}

fn refused(teams: Vec<TeamSpec>, message: &str) {
    let pool = PoolSpec::new("l4", 2, Resources::new().gpu(4));
    assert_eq!(Scheduler::new(Config::new(vec![pool], teams)).unwrap_err().to_string(), message);
}

#[test]
fn a_configuration_that_contradicts_itself_is_refused_by_name() {
    let gpus =
        |units| Allowance::new(PoolId::new(0), ResourceKind::GPU, Quantity::from_units(units).unwrap());
    let team = |name: &str, quota: u64| {
        let mut team = TeamSpec::new(name);
        team.quota.push(gpus(quota));
        team
    };
    let below = |mut team: TeamSpec, parent| {
        team.parent = Some(TeamId::new(parent));
        team
    };
    let weighing = |name: &str, weight| TeamSpec::new(name).with_weight(weight);
    refused(
        vec![team("a", 5), team("b", 4)],
        "the quotas of `gpu` in pool `l4` add up to more than the pool has",
    );
    refused(
        vec![team("a", 2), below(team("b", 2), 0), below(team("c", 1), 0)],
        "the quotas of `gpu` in pool `l4` below team `a` add up to more than its own quota",
    );
    refused(
        vec![below(TeamSpec::new("a"), 1), below(TeamSpec::new("b"), 0)],
        "team `a` has a parent that is no team or lies below it",
    );
    refused(vec![below(TeamSpec::new("a"), 7)], "team `a` has a parent that is no team or lies below it");
    refused(vec![TeamSpec::new("a"), TeamSpec::new("a")], "team `a` is defined twice");
    let fine = Weight::new(1, (1 << 20) - 1).unwrap();
    let message =
        "the weight of team `b` and those of its siblings have no common form as integers up to 2^20";
    refused(vec![weighing("a", fine), weighing("b", Weight::new(3, 1).unwrap())], message);
    assert_eq!([Weight::new(0, 1), Weight::new(1, 0)], [None, None], "weights are above zero");
    for text in ["0", "-1", "NaN", "inf", "1e400"] {
        assert_eq!(Weight::parse(text), None, "{text}");
    }
    let huge = PoolSpec::new("l4", 2, Resources::new().gpu(u64::MAX / 1_000));
    let error = Scheduler::new(Config::new(vec![huge], Vec::new())).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the valued capacity of `gpu` over all pools is too large for exact arithmetic"
    );
}

#[test]
fn a_shape_that_names_no_pool_is_refused() {
    let pool = PoolSpec::new("l4", 2, Resources::new().gpu(4));
    let mut scheduler = Scheduler::new(Config::new(vec![pool], Vec::new())).unwrap();
    let before = format!("{scheduler:?}");
    let one = Alternative::new(Resources::new().gpu(1));
    let two = one.clone().in_pools(vec![PoolId::new(0), PoolId::new(7)]);
    let error = scheduler.intern(&ShapeSpec::new(one).or(two)).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::UnknownPool(PoolId::new(7)));
    assert_eq!(format!("{scheduler:?}"), before);
}

#[test]
fn a_rejection_is_told_with_names_and_amounts() {
    let pool = |name| PoolSpec::new(name, 2, Resources::new().gpu(4)).with_accelerator("L4");
    let allowance =
        |gpus: u64| vec![Allowance::new(PoolId::new(0), ResourceKind::GPU, Quantity::new(gpus * 1_000))];
    let mut teams = vec![TeamSpec::new("a"), TeamSpec::new("b"), TeamSpec::new("c")];
    teams[0].limit = allowance(2);
    (teams[1].quota, teams[1].lend) = (allowance(5), allowance(0));
    let config = Config::new(vec![pool("l4").with_domains([1, 1]), pool("far")], teams);
    let mut scheduler = Scheduler::new(config).unwrap();
    let mut why = |team, shape: ShapeSpec| {
        let interned = scheduler.intern(&shape).unwrap();
        let job = JobSpec::new(TeamId::new(team), interned, Timestamp::ZERO);
        match scheduler.submit(Timestamp::ZERO, job).unwrap() {
            Submission::Rejected(why) => scheduler.why_rejected(&why, &shape),
            Submission::Queued(job) => panic!("job {job} may start"),
        }
    };
    let here = |gpus| Alternative::new(Resources::new().gpu(gpus)).in_pools(vec![PoolId::new(0)]);
    let anywhere = |gpus| Alternative::new(Resources::new().gpu(gpus));
    let typed = ShapeSpec::new(anywhere(1).on("H200")).or(anywhere(1).on("A100"));
    assert_eq!(why(2, typed), "no pool is of type `H200` or `A100`, which the job asks for");
    let reads = ShapeSpec::new(anywhere(1)).reading(["books", "web"]);
    assert_eq!(why(2, reads), "no pool that the job may use has a replica of `books` and `web`");
    assert_eq!(why(2, ShapeSpec::new(here(5))), "a worker asks 5 gpu, a node of pool `l4` has 4");
    let gang = here(1).with_workers(9);
    assert_eq!(why(2, ShapeSpec::new(gang)), "the job asks 9 gpu, pool `l4` has 8");
    let gang = here(4).with_workers(2);
    let domain = "2 workers, the largest fabric domain of pool `l4` has room for 1 of them";
    assert_eq!(why(2, ShapeSpec::new(gang)), domain);
    let limit = "pool `l4`: it asks 3 gpu, team `a` may never hold more than 2";
    assert_eq!(why(0, ShapeSpec::new(here(3))), limit);
    let kept = "pool `l4`: it asks 4 gpu, other teams always keep 5";
    assert_eq!(why(2, ShapeSpec::new(here(4))), kept);
}

#[test]
fn a_price_of_zero_is_told_from_none() {
    let price = Price { unit: PriceUnit::Gpu, hour: MicroUsd::new(0) };
    let pool = PoolSpec::new("l4", 2, Resources::new().gpu(4)).with_price(price);
    let policy = PolicySpec::default().with_value(ShareValue::Price);
    let error = Scheduler::new(Config::new(vec![pool], Vec::new()).with_policy(policy)).unwrap_err();
    let message = "pool `l4` has no price above zero, and shares are valued by price";
    assert_eq!(error.to_string(), message);
}

#[test]
fn a_budget_that_cannot_be_counted_is_refused_by_name() {
    let spends =
        |most, period| vec![TeamSpec::new("a").with_budget(Budget { most, period: Millis::new(period) })];
    let message = "the budget of team `a` has no period, or counts money and a pool has no price";
    refused(spends(Spending::GpuMillis(1), 0), message);
    refused(spends(Spending::Usd(MicroUsd::new(1)), 1), message);
    let pool = PoolSpec::new("l4", 2, Resources::new().gpu(4));
    assert!(Scheduler::new(Config::new(vec![pool], spends(Spending::GpuMillis(1), 1))).is_ok());
    let priced = |micro, nodes| {
        let hour = MicroUsd::new(micro);
        let price = fairshare::Price { unit: fairshare::PriceUnit::Gpu, hour };
        let pool = PoolSpec::new("l4", nodes, Resources::new().gpu(4)).with_price(price);
        Scheduler::new(Config::new(vec![pool], spends(Spending::Usd(MicroUsd::new(1)), 1)))
    };
    assert_eq!(
        priced(1 << 51, 4).unwrap_err().to_string(),
        "what all of pool `l4` costs, in a budget of money, is too large for exact arithmetic"
    );
    assert!(priced(1 << 50, 4).is_ok(), "its sums fit");
}

proptest! {
    /// A comparator that is no order has stopped real schedulers.
    #[test]
    fn keys_are_totally_ordered(keys in proptest::collection::vec(proptest::collection::vec((0_u64..4, 1_u64..4), 0..4), 3)) {
        let key = |shares: &Vec<(u64, u64)>| {
            ShareKey::new(shares.iter().map(|(n, d)| Share::new((*n).into(), (*d).into()).unwrap()).collect())
        };
        let [a, b, c] = [&keys[0], &keys[1], &keys[2]].map(key);
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        prop_assert!(!(a <= b && b <= c) || a <= c);
        prop_assert_eq!(a.cmp(&b).is_eq(), a == b);
    }
}
