//! What indivisible jobs keep where they may be stopped: teams come one after the other to one node, each with an endless
//! queue of one shape, and take back from those that came before. The rest of the discrete rules is in
//! `discrete_properties`, and that nothing goes round in circles in `livelock`.

use std::collections::BTreeMap;

use fairshare::{
    Allowance, Alternative, Config, Decision, EvictionBounds, JobId, JobSpec, PolicySpec, PoolId, PoolSpec,
    Preemption, Quantity, ResourceKind, Scheduler, ShapeSpec, Submission, TeamId, TeamSpec, Timestamp,
    Weight,
};

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use crate::discrete_properties::{Amounts, Contest, amounts, contest};

impl Contest {
    /// What a team's part of the node is by weight.
    pub(crate) fn part(&self, team: usize) -> Amounts {
        let total: u64 = self.teams.iter().map(|(_, weight)| weight).sum();
        self.capacity.map(|amount| amount * self.teams[team].1 / total)
    }

    fn scheduler(&self, guaranteed: bool) -> Scheduler {
        let team = |number: usize| {
            let weight = Weight::new(self.teams[number].1, 1).unwrap();
            let mut team = TeamSpec::new(format!("t{number}")).with_weight(weight);
            if guaranteed {
                let [gpu, cpu] = self.part(number).map(|amount| Quantity::new(amount * 1_000));
                let kinds = [(ResourceKind::GPU, gpu), (ResourceKind::CPU, cpu)];
                team.quota =
                    kinds.map(|(kind, amount)| Allowance::new(PoolId::new(0), kind, amount)).to_vec();
            }
            team
        };
        let pool = PoolSpec::new("node", 1, amounts(self.capacity));
        let mut bounds = EvictionBounds::default();
        bounds.ratio_milli = None;
        let policy = PolicySpec::default().with_preemption(Preemption::Reclaim).with_bounds(bounds);
        let teams = (0..self.teams.len()).map(team).collect();
        Scheduler::new(Config::new(vec![pool], teams).with_policy(policy)).unwrap()
    }

    /// How many jobs each team has in the end, if they come in that order; how many were stopped on the way.
    pub(crate) fn settle(&self, arrivals: &[usize], guaranteed: bool) -> (Vec<u64>, usize) {
        let one_by_one: Vec<&[usize]> = arrivals.chunks(1).collect();
        self.settle_in(&one_by_one, guaranteed)
    }

    /// If all come at one instant, in that order.
    pub(crate) fn at_once(&self, arrivals: &[usize], guaranteed: bool) -> (Vec<u64>, usize) {
        self.settle_in(&[arrivals], guaranteed)
    }

    fn settle_in(&self, arrivals: &[&[usize]], guaranteed: bool) -> (Vec<u64>, usize) {
        let mut scheduler = self.scheduler(guaranteed);
        let now = Timestamp::ZERO;
        let mut owner = BTreeMap::new();
        let (mut jobs, mut stopped) = (vec![0; self.teams.len()], 0);
        for together in arrivals {
            for &number in *together {
                self.submit(&mut scheduler, number, &mut owner);
            }
            for decision in scheduler.schedule(now).unwrap() {
                match decision {
                    Decision::Start { job, .. } => jobs[owner[job]] += 1,
                    Decision::Evict { job, .. } => {
                        jobs[owner[job]] -= 1;
                        stopped += 1;
                    }
                    other => panic!("{other:?}"),
                }
            }
            scheduler.check_invariants().unwrap();
            assert_eq!(scheduler.schedule(now).unwrap(), [], "a second cycle decides something");
        }
        (jobs, stopped)
    }

    /// More jobs of a team than the node could hold of anything.
    fn submit(&self, scheduler: &mut Scheduler, number: usize, owner: &mut BTreeMap<JobId, usize>) {
        let now = Timestamp::ZERO;
        let shape = ShapeSpec::new(Alternative::new(amounts(self.teams[number].0)));
        let shape = scheduler.intern(&shape).unwrap();
        let team = TeamId::new(u32::try_from(number).unwrap());
        for _ in 0..=self.capacity[0].max(self.capacity[1]) {
            match scheduler.submit(now, JobSpec::new(team, shape, now)).unwrap() {
                Submission::Queued(job) => drop(owner.insert(job, number)),
                Submission::Rejected(rejection) => panic!("{rejection}"),
            }
        }
    }
}

/// The order in which teams come.
fn arrivals() -> impl Strategy<Value = Vec<usize>> {
    Just((0..4).collect::<Vec<usize>>()).prop_shuffle()
}

/// Of as many teams as there are.
fn present(contest: &Contest, order: &[usize]) -> Vec<usize> {
    order.iter().copied().filter(|team| *team < contest.teams.len()).collect()
}

fn come(contest: &Contest, order: &[usize], guaranteed: bool) -> Vec<u64> {
    contest.settle(&present(contest, order), guaranteed).0
}

/// Teams of equal weight.
fn equals() -> impl Strategy<Value = Contest> {
    let plain = |contest: Contest| {
        let requests: Vec<Amounts> = contest.teams.iter().map(|(request, _)| *request).collect();
        Contest::new(contest.capacity, &requests)
    };
    contest().prop_map(plain)
}

proptest! {
    /// So that all that holds of one cycle from an empty node without evictions holds with them.
    #[test]
    fn one_cycle_from_an_empty_node_stops_nobody(contest in contest(), order in arrivals()) {
        prop_assert_eq!(contest.at_once(&present(&contest, &order), false), (contest.decide().jobs, 0));
    }

    #[test]
    fn the_order_in_which_teams_submit_means_nothing(
        contest in contest(), order in arrivals(), other in arrivals(), guaranteed in any::<bool>()
    ) {
        let jobs = |order: &[usize]| contest.at_once(&present(&contest, order), guaranteed);
        prop_assert_eq!(jobs(&order), jobs(&other));
    }

    #[test]
    fn nothing_that_fits_waits_after_evictions(contest in contest(), order in arrivals(), guaranteed in any::<bool>()) {
        let jobs = come(&contest, &order, guaranteed);
        for team in 0..jobs.len() {
            prop_assert!(!contest.fits(&jobs, team), "{jobs:?}: a job of team {team} has room");
        }
    }

    /// Where that part is its quota: whoever comes late takes it back.
    #[test]
    fn nobody_has_less_than_its_quota_would_hold(contest in contest(), order in arrivals()) {
        let jobs = come(&contest, &order, true);
        for (team, has) in jobs.iter().enumerate() {
            let part = contest.part(team);
            prop_assert!(*has >= contest.holds(team, part), "{jobs:?}: team {team} would rather have {part:?}");
        }
    }

    #[test]
    fn envy_is_within_a_job_of_either_after_evictions(
        contest in equals(), order in arrivals(), guaranteed in any::<bool>()
    ) {
        let jobs = come(&contest, &order, guaranteed);
        for (mine, has) in jobs.iter().enumerate() {
            for (its, other) in jobs.iter().enumerate() {
                let bundle = contest.teams[its].0.map(|amount| amount * other.saturating_sub(1));
                prop_assert!(has + 1 >= contest.holds(mine, bundle), "{jobs:?}: team {mine} envies team {its}");
            }
        }
    }

    /// One bottleneck and jobs alike: by weight, but for a job of either.
    #[test]
    fn jobs_alike_are_shared_to_a_job_of_either(mut contest in contest(), order in arrivals()) {
        let request = contest.teams[0].0;
        contest.teams.iter_mut().for_each(|team| team.0 = request);
        let jobs = come(&contest, &order, false);
        for (one, (_, weight)) in jobs.iter().zip(&contest.teams) {
            for (other, (_, its)) in jobs.iter().zip(&contest.teams) {
                prop_assert!(one * its < other * weight + its + weight, "{jobs:?}");
            }
        }
    }

    /// A heavier team takes back from others, and what they take back then may cost it a job: in a case of some thousands.
    #[test]
    fn more_weight_means_at_most_a_job_less_after_evictions(
        contest in contest(), order in arrivals(), team in 0_usize..4, factor in 2_u64..=4
    ) {
        let team = team % contest.teams.len();
        let mut heavier = contest.clone();
        heavier.teams[team].1 *= factor;
        prop_assert!(come(&heavier, &order, false)[team] + 1 >= come(&contest, &order, false)[team]);
    }

    #[test]
    fn another_unit_means_the_same_evictions(
        contest in contest(), order in arrivals(), kind in 0_usize..2, factor in 2_u64..=9
    ) {
        let mut scaled = contest.clone();
        scaled.capacity[kind] *= factor;
        scaled.teams.iter_mut().for_each(|(request, _)| request[kind] *= factor);
        prop_assert_eq!(come(&scaled, &order, true), come(&contest, &order, true));
    }
}

/// How many of the cases above stop somebody at all.
#[test]
fn late_teams_take_back() {
    let mut runner = TestRunner::deterministic();
    let mut stopping = [0; 2];
    for _ in 0..500 {
        let contest = contest().new_tree(&mut runner).unwrap().current();
        let order: Vec<usize> = (0..contest.teams.len()).collect();
        for (count, guaranteed) in stopping.iter_mut().zip([false, true]) {
            *count += usize::from(contest.settle(&order, guaranteed).1 > 0);
        }
    }
    println!("of 500: evictions without and with quotas {stopping:?}");
    assert!(stopping.iter().all(|count| *count >= 100), "{stopping:?}");
}

/// Without quotas: to take the only job of the other would leave that with less than its own would have.
#[test]
fn a_part_that_is_no_quota_may_be_refused_to_who_comes_late() {
    let contest = Contest::new([5, 7], &[[5, 5], [0, 3]]);
    assert_eq!(contest.settle(&[0, 1], false), (vec![1, 0], 0));
    assert_eq!(contest.settle(&[0, 1], true), (vec![0, 2], 1), "half of the node, 3 cores, is its quota");
}

/// The first asks for all three cores at once. To take its only job would leave it with less than the other would have.
#[test]
fn asking_for_more_than_needed_can_gain_by_evictions() {
    let jobs = |requests: [Amounts; 2]| Contest::new([5, 3], &requests).settle(&[0, 1], false).0;
    assert_eq!(jobs([[0, 1], [0, 1]]), [2, 1]);
    assert_eq!(jobs([[0, 3], [0, 1]]), [1, 0], "three cores instead of two");
}

#[test]
fn who_stays_can_lose_when_another_never_comes() {
    let mut contest = Contest::new([4, 4], &[[1, 2], [1, 0], [0, 1]]);
    assert_eq!(contest.settle(&[0, 1, 2], false).0, [1, 3, 2]);
    contest.teams.pop();
    assert_eq!(contest.settle(&[0, 1], false).0, [2, 2]);
}

#[test]
fn more_of_a_resource_can_mean_fewer_jobs_after_evictions() {
    let teams = [[1, 1], [2, 2]];
    assert_eq!(Contest::new([5, 3], &teams).settle(&[0, 1], false).0, [3, 0]);
    assert_eq!(Contest::new([5, 4], &teams).settle(&[0, 1], false).0, [2, 1]);
}

/// Smallest known: the second team, twice as heavy.
#[test]
fn more_weight_can_mean_a_job_less_after_evictions() {
    let mut contest =
        Contest { capacity: [16, 9], teams: vec![([1, 2], 3), ([6, 1], 1), ([4, 3], 2), ([0, 2], 2)] };
    assert_eq!(contest.settle(&[3, 1, 2, 0], false).0[1], 2);
    contest.teams[1].1 = 2;
    assert_eq!(contest.settle(&[3, 1, 2, 0], false).0[1], 1);
}
