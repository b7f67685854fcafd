//! What indivisible jobs keep of the properties of the fluid optimum, and what they cannot: one node, endless queues, one
//! shape a team, as in model.md §5 and §9. What holds is a property; what does not is a counterexample, the smallest known.

use fairshare::{
    Alternative, Config, Decision, JobId, JobSpec, PoolSpec, Resources, Scheduler, ShapeSpec, Submission,
    TeamId, TeamSpec, Timestamp, Weight,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// What a node has, or a job asks: GPUs and cores.
pub(crate) type Amounts = [u64; 2];

/// A node, and teams that want it for more jobs than it holds.
#[derive(Clone, Debug)]
pub(crate) struct Contest {
    pub(crate) capacity: Amounts,
    pub(crate) teams: Vec<(Amounts, u64)>,
}

/// Who started in which order, and how many each.
pub(crate) struct Outcome {
    pub(crate) order: Vec<usize>,
    pub(crate) jobs: Vec<u64>,
}

pub(crate) fn amounts([gpu, cpu]: Amounts) -> Resources {
    Resources::new().gpu(gpu).cpu(cpu)
}

impl Contest {
    pub(crate) fn new(capacity: Amounts, requests: &[Amounts]) -> Self {
        Self { capacity, teams: requests.iter().map(|request| (*request, 1)).collect() }
    }

    pub(crate) fn decide(&self) -> Outcome {
        let now = Timestamp::ZERO;
        let team = |(number, (_, weight)): (usize, &(Amounts, u64))| {
            TeamSpec::new(format!("t{number}")).with_weight(Weight::new(*weight, 1).unwrap())
        };
        let pool = PoolSpec::new("node", 1, amounts(self.capacity));
        let config = Config::new(vec![pool], self.teams.iter().enumerate().map(team).collect());
        let mut scheduler = Scheduler::new(config).unwrap();
        let mut owners: Vec<(JobId, usize)> = Vec::new();
        for (number, (request, _)) in self.teams.iter().enumerate() {
            let shape = scheduler.intern(&ShapeSpec::new(Alternative::new(amounts(*request)))).unwrap();
            let team = TeamId::new(u32::try_from(number).unwrap());
            // More than the node could hold of anything.
            for _ in 0..=self.capacity[0].max(self.capacity[1]) {
                match scheduler.submit(now, JobSpec::new(team, shape, now)).unwrap() {
                    Submission::Queued(job) => owners.push((job, number)),
                    Submission::Rejected(rejection) => panic!("{rejection}"),
                }
            }
        }
        owners.sort_unstable();
        let owner = |decision: &Decision| {
            let Decision::Start { job, .. } = decision else { panic!("{decision:?}") };
            owners[owners.binary_search_by_key(job, |(job, _)| *job).unwrap()].1
        };
        let order: Vec<usize> = scheduler.schedule(now).unwrap().iter().map(owner).collect();
        let jobs = (0..self.teams.len()).map(|team| order.iter().filter(|its| **its == team).count() as u64);
        Outcome { jobs: jobs.collect(), order }
    }

    /// How many jobs of a team such amounts hold.
    pub(crate) fn holds(&self, team: usize, amounts: Amounts) -> u64 {
        let per_kind = amounts.into_iter().zip(self.teams[team].0).filter(|(_, asked)| *asked > 0);
        per_kind.map(|(amount, asked)| amount / asked).min().unwrap()
    }

    pub(crate) fn fits(&self, jobs: &[u64], one_more: usize) -> bool {
        (0..2).all(|kind| {
            let held: u64 =
                jobs.iter().zip(&self.teams).map(|(jobs, (request, _))| jobs * request[kind]).sum();
            held + self.teams[one_more].0[kind] <= self.capacity[kind]
        })
    }

    /// How many jobs each team has when a job of any of them lacks room for the first time.
    pub(crate) fn until_one_lacks_room(&self, order: &[usize]) -> Vec<u64> {
        let mut jobs = vec![0; self.teams.len()];
        for team in order {
            if !(0..self.teams.len()).all(|other| self.fits(&jobs, other)) {
                break;
            }
            jobs[*team] += 1;
        }
        jobs
    }

    /// The dominant share of so many jobs over the weight, as a fraction.
    pub(crate) fn share(&self, team: usize, jobs: u64) -> (u64, u64) {
        let (request, weight) = self.teams[team];
        let part = |kind: usize| (jobs * request[kind], self.capacity[kind] * weight);
        let (gpu, cpu) = (part(0), part(1));
        if gpu.0 * cpu.1 >= cpu.0 * gpu.1 { gpu } else { cpu }
    }
}

/// Whether a <= b + c.
fn at_most(a: (u64, u64), b: (u64, u64), c: (u64, u64)) -> bool {
    a.0 * b.1 * c.1 <= b.0 * a.1 * c.1 + c.0 * a.1 * b.1
}

pub(crate) fn contest() -> impl Strategy<Value = Contest> {
    let team = ((0_u64..=6, 0_u64..=6), 1_u64..=4);
    ((1_u64..=20, 1_u64..=20), vec(team, 2..=4), any::<bool>()).prop_filter_map(
        "a team asks for nothing",
        |((gpu, cpu), teams, weighted)| {
            let asked = |((a, b), weight): ((u64, u64), u64)| {
                ([a.min(gpu), b.min(cpu)], if weighted { weight } else { 1 })
            };
            let teams: Vec<(Amounts, u64)> = teams.into_iter().map(asked).collect();
            let all_ask = teams.iter().all(|(request, _)| *request != [0, 0]);
            all_ask.then_some(Contest { capacity: [gpu, cpu], teams })
        },
    )
}

proptest! {
    #[test]
    fn nothing_that_fits_is_left_waiting(contest in contest()) {
        let Outcome { jobs, .. } = contest.decide();
        for team in 0..jobs.len() {
            prop_assert!(!contest.fits(&jobs, team), "{jobs:?}: a job of team {team} has room");
        }
    }

    /// Sharing is worth it: by weight, what a part of the node of one's own would hold.
    #[test]
    fn nobody_has_less_than_a_part_of_ones_own_would_hold(contest in contest()) {
        let Outcome { jobs, .. } = contest.decide();
        let total: u64 = contest.teams.iter().map(|(_, weight)| weight).sum();
        for (team, has) in jobs.iter().enumerate() {
            let part = contest.capacity.map(|amount| amount * contest.teams[team].1 / total);
            prop_assert!(*has >= contest.holds(team, part), "{jobs:?}: team {team} would rather have {part:?}");
        }
    }

    /// Of equals, one job taken from another and one given to oneself ends all envy.
    #[test]
    fn envy_is_within_a_job_of_either(contest in contest()) {
        let equals = contest.teams.iter().map(|(request, _)| *request);
        let contest = Contest::new(contest.capacity, &equals.collect::<Vec<_>>());
        let Outcome { jobs, .. } = contest.decide();
        for (mine, has) in jobs.iter().enumerate() {
            for (its, other) in jobs.iter().enumerate().filter(|(its, _)| *its != mine) {
                let bundle = contest.teams[its].0.map(|amount| amount * other.saturating_sub(1));
                prop_assert!(has + 1 >= contest.holds(mine, bundle), "{jobs:?}: team {mine} envies team {its}");
            }
        }
    }

    /// As long as every team has room, nobody is ahead of another by more than that one's job.
    #[test]
    fn nobody_is_ahead_by_more_than_a_job(contest in contest()) {
        let Outcome { order, .. } = contest.decide();
        let jobs = contest.until_one_lacks_room(&order);
        let share = |team: usize| contest.share(team, jobs[team]);
        for ahead in 0..jobs.len() {
            for behind in 0..jobs.len() {
                let one = contest.share(behind, 1);
                prop_assert!(at_most(share(ahead), share(behind), one), "{jobs:?}: {ahead} before {behind}");
            }
        }
    }

    #[test]
    fn more_weight_never_means_fewer_jobs(contest in contest(), team in 0_usize..4, factor in 2_u64..=4) {
        let team = team % contest.teams.len();
        let mut heavier = contest.clone();
        heavier.teams[team].1 *= factor;
        prop_assert!(heavier.decide().jobs[team] >= contest.decide().jobs[team]);
    }

    #[test]
    fn another_unit_means_the_same_jobs(contest in contest(), kind in 0_usize..2, factor in 2_u64..=9) {
        let mut scaled = contest.clone();
        scaled.capacity[kind] *= factor;
        scaled.teams.iter_mut().for_each(|(request, _)| request[kind] *= factor);
        prop_assert_eq!(scaled.decide().order, contest.decide().order);
    }
}

/// Every team bounded by one resource: as long as all have room, shares differ by no more than the larger job.
#[test]
fn one_resource_is_shared_to_a_job() {
    let contest = Contest::new([24, 24], &[[2, 1], [3, 3], [5, 0]]);
    let Outcome { order, jobs } = contest.decide();
    let until = contest.until_one_lacks_room(&order);
    assert_eq!(until, [4, 3, 1], "8, 9 and 5 of 24 GPUs; no second job of 5 fits");
    assert_eq!(jobs, [5, 3, 1], "the last two go to the only job that fits: {order:?}");
}

/// Taking one job away is not always enough: the first job of the other did not fit any more.
#[test]
fn a_job_that_never_fits_can_be_envied_for_more_than_one() {
    assert_eq!(Contest::new([4, 1], &[[1, 0], [3, 0], [4, 1]]).decide().jobs, [4, 0, 0]);
}

#[test]
fn asking_for_more_than_needed_can_gain() {
    assert_eq!(Contest::new([10, 6], &[[4, 0], [6, 1]]).decide().jobs, [1, 1]);
    // It asks for more, so that the other's job comes too late; two of its jobs fit where one did.
    assert_eq!(Contest::new([10, 6], &[[5, 2], [6, 1]]).decide().jobs, [2, 0]);
}

#[test]
fn who_stays_can_lose_when_another_leaves() {
    let mut contest =
        Contest { capacity: [1, 2], teams: vec![([1, 1], 4), ([1, 0], 4), ([0, 2], 1), ([1, 2], 4)] };
    assert_eq!(contest.decide().jobs, [0, 1, 1, 0]);
    contest.teams.remove(1);
    assert_eq!(contest.decide().jobs, [1, 0, 0], "the third team had a job, and has none");
}

#[test]
fn more_of_a_resource_can_mean_fewer_jobs() {
    let teams = vec![([1, 0], 2), ([1, 1], 2)];
    assert_eq!(Contest { capacity: [2, 1], teams: teams.clone() }.decide().jobs, [2, 0]);
    assert_eq!(Contest { capacity: [2, 4], teams }.decide().jobs, [1, 1]);
}
