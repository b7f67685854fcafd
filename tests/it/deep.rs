//! A team tree of very many levels: whatever is asked of a scheduler goes up and down it on a small stack, and a job counts as
//! guaranteed at every level.

use std::thread;

use fairshare::{
    Allowance, Alternative, Backfill, Config, Decision, EvictReason, JobId, JobSpec, Millis, OrderName,
    PolicySpec, PoolId, PoolSpec, Preemption, Quantity, ResourceKind, Resources, Scheduler, ShapeSpec,
    Submission, TeamId, TeamSpec, Timestamp,
};

/// A stack that calls of one function for each level would exceed.
const STACK: usize = 512 * 1024;

/// One team below the other, with a guest beside all of them and a cousin beside the last.
struct Tall {
    scheduler: Scheduler,
    last: TeamId,
    cousin: TeamId,
    guest: TeamId,
    now: i64,
}

impl Tall {
    fn new(levels: u32, policy: PolicySpec) -> Self {
        let mut teams: Vec<TeamSpec> = (0..levels)
            .map(|number| {
                let team = TeamSpec::new(format!("level-{number}"));
                if number == 0 { team } else { team.under(TeamId::new(number - 1)) }
            })
            .collect();
        let last = teams.last_mut().unwrap();
        let quota = Quantity::from_units(4).unwrap();
        last.quota.push(Allowance::new(PoolId::new(0), ResourceKind::GPU, quota));
        teams.push(TeamSpec::new("cousin").under(TeamId::new(levels - 2)));
        teams.push(TeamSpec::new("guest"));
        let pool = PoolSpec::new("p", 2, Resources::new().gpu(4));
        let scheduler = Scheduler::new(Config::new(vec![pool], teams).with_policy(policy)).unwrap();
        let [last, cousin, guest] = [levels - 1, levels, levels + 1].map(TeamId::new);
        Self { scheduler, last, cousin, guest, now: 0 }
    }

    fn submit(&mut self, team: TeamId, count: usize) -> Vec<JobId> {
        self.now += 1_000;
        let now = Timestamp::from_millis(self.now);
        let one = ShapeSpec::new(Alternative::new(Resources::new().gpu(1)));
        let shape = self.scheduler.intern(&one).unwrap();
        let mut job = JobSpec::new(team, shape, now);
        job.time_limit = Some(Millis::new(3_600_000));
        let mut submit = || match self.scheduler.submit(now, job).unwrap() {
            Submission::Queued(id) => id,
            Submission::Rejected(why) => panic!("{why}"),
        };
        (0..count).map(|_| submit()).collect()
    }

    fn schedule(&mut self) -> Vec<Decision> {
        let decided = self.scheduler.schedule(Timestamp::from_millis(self.now)).unwrap();
        decided.to_vec()
    }

    /// At how many teams a running job counts as guaranteed.
    fn guaranteed(&self, job: JobId) -> usize {
        let running = self.scheduler.snapshot().running;
        running.iter().find(|run| run.job == job).unwrap().guaranteed.len()
    }
}

/// Whether a job starts in the room of so many, by a reason.
fn stops(decided: &[Decision], reason: EvictReason) -> usize {
    let is = |one: &&Decision| matches!(one, Decision::Evict { reason: its, .. } if *its == reason);
    decided.iter().filter(is).count()
}

fn live(levels: u32, policy: PolicySpec) {
    let mut tall = Tall::new(levels, policy);
    let [last, cousin, guest] = [tall.last, tall.cousin, tall.guest];
    let own = tall.submit(last, 2);
    assert_eq!(tall.schedule().len(), 2);
    tall.submit(guest, 8);
    assert_eq!(tall.schedule().len(), 6, "{:?}", policy.order);
    let more = tall.submit(last, 4);
    let others = tall.submit(cousin, 2);
    let decided = tall.schedule();
    // Under others the guest's jobs, which came first, stand in the way of the last team's.
    let by_shares = matches!(policy.order, OrderName::Drf | OrderName::DrfCurrent | OrderName::Hdrf);
    let reclaims = by_shares && policy.preemption == Preemption::Reclaim;
    if reclaims {
        assert_eq!(stops(&decided, EvictReason::Quota), 2, "{:?}: {decided:?}", policy.order);
        assert_eq!(tall.guaranteed(more[1]), levels as usize);
    }
    assert_eq!(tall.guaranteed(own[0]), levels as usize, "{:?}", policy.order);
    for job in others.iter().chain(&more).chain(&own) {
        tall.scheduler.explain_without_entitlements(*job).unwrap();
    }
    let waits = tall.scheduler.queue()[0];
    assert!(!tall.scheduler.remedies(waits).unwrap().is_empty());
    tall.scheduler.check_invariants().unwrap();
    let snapshot = tall.scheduler.snapshot();
    let mut again = Scheduler::restore(&snapshot).unwrap();
    assert_eq!(again.snapshot(), snapshot);
    let ended = Timestamp::from_millis(tall.now + 1_000);
    let decided = [&mut tall.scheduler, &mut again].map(|one| {
        one.complete(ended, own[0]).unwrap();
        one.complete(ended, own[1]).unwrap();
        one.schedule(ended).unwrap().to_vec()
    });
    assert_eq!(decided[0], decided[1]);
    assert!(!decided[0].is_empty(), "two have ended");
    // Where its own have ended, others of the last team are guaranteed in their place.
    let guaranteed = |scheduler: &Scheduler| -> Vec<usize> {
        scheduler.snapshot().running.iter().map(|run| run.guaranteed.len()).collect()
    };
    assert!(!reclaims || guaranteed(&tall.scheduler).contains(&(levels as usize)), "{:?}", policy.order);
    again.check_invariants().unwrap();
}

fn on_a_small_stack(levels: u32, policies: Vec<PolicySpec>) {
    let run = move || policies.into_iter().for_each(|policy| live(levels, policy));
    thread::Builder::new().stack_size(STACK).spawn(run).unwrap().join().unwrap();
}

#[test]
fn two_hundred_levels() {
    let mut policies = Vec::new();
    // Under hard quotas a guest without one is not let in.
    let others = [OrderName::Gavel, OrderName::Static];
    for order in OrderName::ALL.into_iter().filter(|order| !others.contains(order)) {
        for backfill in [Backfill::None, Backfill::BestEffort, Backfill::Easy, Backfill::Conservative] {
            let policy = PolicySpec::new(order).with_backfill(backfill);
            policies.push(policy);
            if backfill != Backfill::Conservative {
                policies.push(policy.with_preemption(Preemption::Reclaim));
            }
        }
    }
    on_a_small_stack(200, policies);
}

/// What teams are entitled to takes time that grows as the square of the levels.
#[test]
fn what_is_told_of_five_hundred_levels() {
    let tell = || {
        let mut tall = Tall::new(500, PolicySpec::default());
        tall.submit(tall.guest, 8);
        let [waits] = tall.submit(tall.last, 1)[..] else { panic!("one job") };
        tall.submit(tall.guest, 1);
        tall.schedule();
        let jobs = tall.scheduler.queue();
        for job in jobs.into_iter().chain([waits]) {
            tall.scheduler.explain(job).unwrap();
        }
        let shares = tall.scheduler.shares();
        assert_eq!(shares.len(), 502);
        let mut holds_gpus = shares[..500].iter().map(|share| share.dominant == Some(ResourceKind::GPU));
        assert!(holds_gpus.all(|it| it), "who has one below holds them too");
    };
    thread::Builder::new().stack_size(STACK).spawn(tell).unwrap().join().unwrap();
}

#[test]
fn five_thousand_levels() {
    let reclaim = PolicySpec::default().with_preemption(Preemption::Reclaim);
    on_a_small_stack(5_000, vec![reclaim]);
}
