//! Blocked users: the same as `blocked`, for every user of a team.
//!
//! A user is blocked at an instant at which one of the user's jobs in the team waits. entitlement of a user = the user's
//! max-min part of what the team is entitled to (see `entitlement`): whoever asks less than an equal part gets what it
//! asks, and the rest is divided equally among the others, where a user asks what all waiting and running jobs of it ask,
//! as a dominant share. The parts of all users add up to the team's. held, time and smallest as in `blocked`. Jobs without
//! a user are those of one user, `none`. Population: all jobs that were not rejected; estimator: sums over the sampled
//! instants. Not measured beyond 10,000 pairs of team and user. Source: max-min fairness with demands, Bertsekas and
//! Gallager, Data Networks, 2nd edition, section 6.5.2. Absent on purpose: users without a team (each team is told apart).

use std::collections::BTreeMap;

use fairshare::ShareGroup;
use serde::Serialize;

use super::Demands;
use super::blocked::{Blocked, Instants, smallest_waiting_of};
use super::division::Division;
use super::entitlement::{float, mean_value};
use super::fairness::{Grid, INSTANTS, POINTS};
use super::latency::Firsts;
use crate::record::{Fate, Record, Stretch};
use crate::setup::Setup;
use crate::trace::{Trace, compare_names};

/// Most pairs of team and user.
const PAIRS: usize = 10_000;

/// One user of a team who had to wait.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct BlockedUser {
    /// Name; `none` for jobs that name none.
    pub name: String,
    /// What it was like.
    #[serde(flatten)]
    pub blocked: Blocked,
}

/// One user of one team at every point.
struct Profile {
    /// Dominant share of what is asked.
    asked: Vec<f64>,
    /// Dominant share of what is held.
    held: Vec<f64>,
    /// Whether a job waits.
    waits: Vec<bool>,
}

/// The blocked users of every team, by name, from what teams are entitled to at every point.
///
/// # Examples
///
/// `a` holds three of four GPUs for 100 s, `b` the fourth, of four that it asks. Half each is their part, so `b` holds half
/// of what it is entitled to while its second job waits; `a` never waits:
///
/// ```
/// use fairshare_sim::metrics::{Demands, blocked_users::blocked_users, latency::Firsts};
/// use fairshare_sim::metrics::{entitlement::entitlements, fairness::share_points};
/// use fairshare_sim::{Scenario, Setup, simulate, trace::{Input, Trace, TraceOptions}};
/// let text = "[[pool]]\nname = 'p'\nnodes = 1\nnode = { gpu = 4 }\n[policy]\norder = 'fifo'\n";
/// let scenario = Scenario::parse("users", text, &[]).unwrap();
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("jobs.csv");
/// let jobs = "job_id,submit_s,run_s,team,user,gpu\n1,0,100,x,a,3\n2,0,100,x,b,1\n3,0,100,x,b,3\n";
/// std::fs::write(&path, jobs).unwrap();
/// let trace = Trace::load(&[Input { path, format: None }], &TraceOptions::default()).unwrap();
/// let setup = Setup::new(&scenario, &trace).unwrap();
/// let record = simulate(&setup, &trace, &mut (), &|| false).unwrap();
/// let demands = Demands::new(&setup, &trace);
/// let shares = share_points(&setup, &trace, &record, &demands).unwrap();
/// let entitled = entitlements(&setup, &trace, &record, &demands, &shares).unwrap();
/// let found = blocked_users(&setup, &trace, &record, &demands, &Firsts::new(&record), &entitled.points).unwrap();
/// let [b] = &found[0][..] else { panic!("b alone had to wait: {found:?}") };
/// assert_eq!((b.name.as_str(), b.blocked.time), ("b", 0.5));
/// assert_eq!((b.blocked.held_over_entitled, b.blocked.smallest_waiting), (Some(0.5), Some(3.0)));
/// ```
#[must_use]
pub fn blocked_users(
    setup: &Setup,
    trace: &Trace,
    record: &Record,
    demands: &Demands,
    firsts: &Firsts,
    entitled: &[f64],
) -> Option<Vec<Vec<BlockedUser>>> {
    let grid = Grid::of(trace, record).filter(|_| trace.users.iter().any(|name| !name.is_empty()))?;
    let pair_of_row = |row: usize| {
        let job = &trace.jobs[row];
        (setup.team_of[job.team as usize].index(), job.user)
    };
    let mut pairs: BTreeMap<(usize, u32), usize> =
        (0..trace.jobs.len()).map(|row| (pair_of_row(row), 0)).collect();
    if pairs.len() > PAIRS {
        return None;
    }
    pairs.values_mut().enumerate().for_each(|(number, pair)| *pair = number);
    let pair_of: Vec<usize> = (0..trace.jobs.len()).map(|row| pairs[&pair_of_row(row)]).collect();
    let pair = |row: usize| pair_of[row];
    let smallest = smallest_waiting_of(setup, trace, record, demands, firsts, (pairs.len(), &pair));
    let rows: Vec<u32> = (0_u32..).take(trace.jobs.len()).collect();
    let division = Division::new(&rows, pairs.len(), pair);
    let view = View::new(setup, trace, record, demands, grid);
    let users: Vec<((usize, u32), &[u32])> = pairs.keys().copied().zip(division.parts()).collect();
    let mut found = vec![Vec::new(); setup.config.teams.len()];
    let mut number = 0;
    for users in users.chunk_by(|(a, _), (b, _)| a.0 == b.0) {
        let team = users[0].0.0;
        let profiles: Vec<Profile> = users.iter().map(|(_, rows)| view.profile(rows)).collect();
        let instants = instants(&profiles, &entitled[team * POINTS..][..POINTS]);
        for (((_, user), _), instants) in users.iter().zip(instants) {
            if let Some(blocked) = instants.blocked(INSTANTS, smallest[number]) {
                let name = match trace.users.text(*user) {
                    "" => "none",
                    name => name,
                };
                found[team].push(BlockedUser { name: name.to_owned(), blocked });
            }
            number += 1;
        }
        found[team].sort_by(|a: &BlockedUser, b| compare_names(&a.name, &b.name));
    }
    Some(found)
}

/// Sums over the points at which each user waits, where a team is `entitled` to so much.
fn instants(users: &[Profile], entitled: &[f64]) -> Vec<Instants> {
    let mut sums = vec![Instants::default(); users.len()];
    let mut asked = Vec::with_capacity(users.len());
    for (point, entitled) in entitled.iter().enumerate() {
        if !users.iter().any(|user| user.waits[point]) {
            continue;
        }
        asked.clear();
        asked.extend(users.iter().map(|user| user.asked[point]).filter(|asked| *asked > 0.0));
        let most = level(&mut asked, *entitled);
        for (sum, user) in sums.iter_mut().zip(users).filter(|(_, user)| user.waits[point]) {
            sum.count += 1;
            sum.held += user.held[point];
            sum.entitled += user.asked[point].min(most);
        }
    }
    sums
}

/// The part that nobody passes when `whole` is divided by max-min among who asks so much: endless where it is enough for all.
///
/// # Examples
///
/// Of 8, whoever asks 1 gets that, and the others 3.5 each:
///
/// ```
/// use fairshare_sim::metrics::blocked_users::level;
/// assert_eq!(level(&mut [6.0, 1.0, 4.0], 8.0), 3.5);
/// assert_eq!(level(&mut [6.0, 1.0], 8.0), f64::INFINITY);
/// ```
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a number of users")]
pub fn level(asked: &mut [f64], whole: f64) -> f64 {
    asked.sort_unstable_by(f64::total_cmp);
    let mut left = whole;
    for (served, amount) in asked.iter().enumerate() {
        let part = left / (asked.len() - served) as f64;
        if *amount > part {
            return part;
        }
        left -= amount;
    }
    f64::INFINITY
}

/// What is looked at for every user.
struct View<'a> {
    trace: &'a Trace,
    record: &'a Record,
    demands: &'a Demands,
    grid: Grid,
    groups: Vec<ShareGroup>,
    /// What a unit counts, by shape and group.
    worth: Vec<Vec<f64>>,
    /// Stretches of evicted attempts, by row.
    lost: BTreeMap<usize, Vec<Stretch>>,
}

impl<'a> View<'a> {
    fn new(setup: &Setup, trace: &'a Trace, record: &'a Record, demands: &'a Demands, grid: Grid) -> Self {
        let groups = setup.config.share_groups().unwrap_or_default();
        let worth = (0..trace.shapes.len())
            .map(|shape| groups.iter().map(|group| mean_value(setup, trace, shape, group)).collect())
            .collect();
        let mut lost: BTreeMap<usize, Vec<Stretch>> = BTreeMap::new();
        if !record.lost.is_empty() {
            for stretch in record.stretches() {
                if record.outcomes[stretch.row].preemptions > 0 {
                    lost.entry(stretch.row).or_default().push(stretch);
                }
            }
        }
        Self { trace, record, demands, grid, groups, worth, lost }
    }

    /// One user's jobs at every point.
    fn profile(&self, rows: &[u32]) -> Profile {
        let width = self.groups.len();
        let mut asked = vec![0.0; width * POINTS];
        let mut held = vec![0_i64; width * POINTS];
        let (mut alive, mut running) = (vec![0_i64; POINTS], vec![0_i64; POINTS]);
        for row in rows {
            let row = *row as usize;
            let outcome = &self.record.outcomes[row];
            let end = match outcome.fate {
                Fate::Unseen | Fate::Rejected => continue,
                Fate::Ended => outcome.end_ms,
                Fate::Waiting | Fate::Running => self.record.end_ms,
            };
            let job = &self.trace.jobs[row];
            let (from, to) = (self.grid.before(job.submit_ms), self.grid.before(end));
            change(&mut alive, from, to, 1);
            let request = self.demands.of(self.trace, row, 0);
            for (index, group) in self.groups.iter().enumerate() {
                let worth = self.worth[job.shape as usize][index];
                let amount = float(u128::from(request[group.kind].get())) * worth;
                change(&mut asked[index * POINTS..][..POINTS], from, to, amount);
            }
            if outcome.preemptions == 0 {
                let stretch = Stretch {
                    row,
                    pool: outcome.pool as usize,
                    alternative: usize::from(outcome.alternative),
                    start_ms: outcome.start_ms,
                    end_ms: end,
                    lost: false,
                };
                if outcome.holds() {
                    self.hold(stretch, &mut running, &mut held);
                }
            }
            for stretch in self.lost.get(&row).into_iter().flatten() {
                self.hold(*stretch, &mut running, &mut held);
            }
        }
        let waits = {
            let (mut living, mut run) = (0, 0);
            let changes = alive.iter_mut().zip(&running);
            let waits = changes.map(|(alive, running)| {
                (living, run) = (living + *alive, run + running);
                *alive = living;
                living > run
            });
            waits.collect()
        };
        let mut profile = Profile { asked: vec![0.0; POINTS], held: vec![0.0; POINTS], waits };
        let groups = asked.chunks(POINTS).zip(held.chunks(POINTS)).zip(&self.groups);
        for ((asked, held), group) in groups {
            let whole = float(u128::from(group.capacity));
            let (mut asks, mut holds) = (0.0, 0_i64);
            for point in 0..POINTS {
                holds += held[point];
                // Where nobody is left, nothing may be left of sums of floats.
                asks = if alive[point] == 0 { 0.0 } else { asks + asked[point] };
                #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
                let share = holds as f64 / whole;
                profile.held[point] = profile.held[point].max(share);
                profile.asked[point] = profile.asked[point].max(asks / whole);
            }
        }
        profile
    }

    fn hold(&self, stretch: Stretch, running: &mut [i64], held: &mut [i64]) {
        let (from, to) = (self.grid.before(stretch.start_ms), self.grid.before(stretch.end_ms));
        change(running, from, to, 1);
        let demand = self.demands.of(self.trace, stretch.row, stretch.alternative);
        for (index, group) in self.groups.iter().enumerate() {
            // What a pool has of a group is valued at less than 2^53, so what is held is too.
            let value = group.values[stretch.pool].saturating_mul(demand[group.kind].get());
            let value = i64::try_from(value).unwrap_or(i64::MAX);
            change(&mut held[index * POINTS..][..POINTS], from, to, value);
        }
    }
}

/// Adds an amount from one point on, and takes it away from another on.
fn change<T>(changes: &mut [T], from: usize, to: usize, amount: T)
where
    T: Copy + std::ops::AddAssign + std::ops::SubAssign,
{
    if from < to {
        changes[from] += amount;
        if to < changes.len() {
            changes[to] -= amount;
        }
    }
}
