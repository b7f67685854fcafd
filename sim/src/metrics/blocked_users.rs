//! Blocked users: the same as `blocked`, for every user of a team.
//!
//! Formula: a user is blocked at an instant at which one of the user's jobs in the team waits. entitlement of a user =
//! the user's max-min part of what the team is entitled to (see `entitlement`): whoever asks less than an equal part
//! gets what it asks, and the rest is divided equally among the others, where a user asks what all waiting and running
//! jobs of it ask, as a dominant share. Users whose dominant shares are of different kinds ask more in all than their
//! team, of which one kind is dominant; what is divided is then larger than what the team is entitled to, as many times.
//! Else the parts of all users add up to the team's. Unit: as in `blocked`. held, time and smallest as in `blocked`.
//! Jobs without a user are those of one user, `none`, or `(none)` where somebody is called so. Population: all jobs that were not rejected; estimator: sums over
//! the sampled instants. Not measured beyond 1,000 pairs of team and user, which is said: all users of a team are in
//! memory at once, with 17 KB each. Source: max-min fairness with demands, Bertsekas and Gallager, Data Networks, 2nd
//! edition, section 6.5.2. Absent on purpose: users without a team (each team is told apart).

use fairshare::ShareGroup;
use serde::Serialize;

use super::Demands;
use super::blocked::{Blocked, Instants, Waited, units};
use super::division::Division;
use super::entitlement::{Entitlements, float};
use super::fairness::{Grid, INSTANTS, POINTS, change};
use super::latency::Firsts;
use crate::record::{LostAttempt, Record, Stretch};
use crate::setup::Setup;
use crate::trace::{Trace, compare_names};

/// Most pairs of team and user.
const PAIRS: usize = 1_000;
/// Sums of shares that are closer than this, in parts of themselves, may be equal but for rounding.
const ROUNDING: f64 = 1e-9;

/// One user of a team who had to wait.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct BlockedUser {
    /// Name; `none` for jobs that name none, `(none)` where somebody is called so.
    pub name: String,
    /// What it was like.
    #[serde(flatten)]
    pub blocked: Blocked,
}

/// Why users are not measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unmeasured {
    /// No time passed, or no job names a user.
    Nobody,
    /// There are so many pairs of team and user.
    TooMany(usize),
}

impl Unmeasured {
    /// What is to be said of it.
    ///
    /// # Examples
    ///
    /// ```
    /// use fairshare_sim::metrics::blocked_users::Unmeasured;
    /// let said = "users who had to wait are not measured: there are 1001 pairs of team and user, at most 1000 are looked at";
    /// assert_eq!(Unmeasured::TooMany(1_001).caution().as_deref(), Some(said));
    /// assert_eq!(Unmeasured::Nobody.caution(), None);
    /// ```
    #[must_use]
    pub fn caution(self) -> Option<String> {
        let Self::TooMany(pairs) = self else { return None };
        Some(format!(
            "users who had to wait are not measured: there are {pairs} pairs of team and user, at most {PAIRS} are looked at"
        ))
    }
}

/// One user of one team at every point.
#[derive(Clone, Debug, Default)]
struct Profile {
    /// Dominant share of what is asked.
    asked: Vec<f64>,
    /// Dominant share of what is held.
    held: Vec<f64>,
    /// Whether a job waits.
    waits: Vec<bool>,
    /// What the smallest job asked that did not start when it came.
    smallest: Option<u64>,
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
/// let found = blocked_users(&setup, &trace, &record, &demands, &Firsts::new(&record), &entitled).unwrap();
/// let [b] = &found[0][..] else { panic!("b alone had to wait: {found:?}") };
/// assert_eq!((b.name.as_str(), b.blocked.time), ("b", 0.5));
/// assert_eq!((b.blocked.held_over_entitled, b.blocked.smallest_waiting), (Some(0.5), Some(3.0)));
/// ```
///
/// # Errors
///
/// [`Unmeasured`] where there is nobody to measure, or too many.
pub fn blocked_users(
    setup: &Setup,
    trace: &Trace,
    record: &Record,
    demands: &Demands,
    firsts: &Firsts,
    entitled: &Entitlements,
) -> Result<Vec<Vec<BlockedUser>>, Unmeasured> {
    let grid = Grid::of(trace, record).filter(|_| trace.users.iter().any(|name| !name.is_empty()));
    let grid = grid.ok_or(Unmeasured::Nobody)?;
    let teams = setup.config.teams.len();
    let rows: Vec<u32> = (0_u32..).take(trace.jobs.len()).collect();
    let by_team = Division::new(&rows, teams, |row| setup.team_of[trace.jobs[row].team as usize].index());
    let rows = by_team.sorted(rows);
    let mut numbers = Numbers::new(trace);
    let users: Vec<Vec<u32>> = by_team.parts(&rows).map(|rows| numbers.users(rows)).collect();
    let pairs: usize = users.iter().map(Vec::len).sum();
    if pairs > PAIRS {
        return Err(Unmeasured::TooMany(pairs));
    }
    let mut view = View::new(setup, trace, record, demands, firsts, (grid, entitled));
    let mut profiles: Vec<Profile> = Vec::new();
    let mut found = vec![Vec::new(); teams];
    for (team, (rows, users)) in by_team.parts(&rows).zip(&users).enumerate() {
        let by_user = numbers.divide(rows, users);
        if profiles.len() < users.len() {
            profiles.resize_with(users.len(), Profile::default);
        }
        let places = by_user.sorted(0..);
        for (profile, places) in profiles.iter_mut().zip(by_user.parts(&places)) {
            view.profile(rows, places, profile);
        }
        let profiles = &profiles[..users.len()];
        let [points, asked] = [&entitled.points, &entitled.asked].map(|all| &all[team * POINTS..][..POINTS]);
        for ((user, profile), instants) in users.iter().zip(profiles).zip(instants(profiles, points, asked)) {
            if let Some(blocked) = instants.blocked(INSTANTS, profile.smallest.map(units)) {
                let name = match trace.users.text(*user) {
                    "" => trace.users.unnamed(),
                    name => name.to_owned(),
                };
                found[team].push(BlockedUser { name, blocked });
            }
        }
        found[team].sort_by(|a: &BlockedUser, b| compare_names(&a.name, &b.name));
    }
    Ok(found)
}

/// The least that a job of a team asked that did not start when it came, by what is known of all its users.
#[must_use]
pub fn smallest_waiting(users: &[BlockedUser]) -> Option<f64> {
    users.iter().filter_map(|user| user.blocked.smallest_waiting).min_by(f64::total_cmp)
}

/// Users by their number within one team at a time.
struct Numbers<'a> {
    trace: &'a Trace,
    /// By user; the largest number for those who are not in the team.
    number: Vec<u32>,
}

impl<'a> Numbers<'a> {
    fn new(trace: &'a Trace) -> Self {
        Self { trace, number: vec![u32::MAX; trace.users.len()] }
    }

    /// Who submitted the jobs of a team, by name: sums over them are the same in whatever order their jobs come.
    fn users(&mut self, rows: &[u32]) -> Vec<u32> {
        let mut users = Vec::new();
        for row in rows {
            let user = self.trace.jobs[*row as usize].user;
            let number = &mut self.number[user as usize];
            if *number == u32::MAX {
                *number = 0;
                users.push(user);
            }
        }
        let name = |user: &u32| self.trace.users.text(*user);
        users.sort_by(|a, b| compare_names(name(a), name(b)));
        self.forget(&users);
        users
    }

    /// The places of each user's jobs among those of the team.
    fn divide(&mut self, rows: &[u32], users: &[u32]) -> Division {
        for (number, user) in (0_u32..).zip(users) {
            self.number[*user as usize] = number;
        }
        let number = |row: usize| self.number[self.trace.jobs[row].user as usize] as usize;
        let divided = Division::new(rows, users.len(), number);
        self.forget(users);
        divided
    }

    fn forget(&mut self, users: &[u32]) {
        for user in users {
            self.number[*user as usize] = u32::MAX;
        }
    }
}

/// Sums over the points at which each user waits, where a team is `entitled` to so much of what it `asks`.
fn instants(users: &[Profile], entitled: &[f64], asks: &[f64]) -> Vec<Instants> {
    let mut sums = vec![Instants::default(); users.len()];
    let mut asked = Vec::with_capacity(users.len());
    for (point, (entitled, asks)) in entitled.iter().zip(asks).enumerate() {
        if !users.iter().any(|user| user.waits[point]) {
            continue;
        }
        asked.clear();
        asked.extend(users.iter().map(|user| user.asked[point]).filter(|asked| *asked > 0.0));
        let all: f64 = asked.iter().sum();
        // Dominant shares of different kinds are no parts of one whole.
        let scale = if all > asks * (1.0 + ROUNDING) { all / asks } else { 1.0 };
        let most = level(&mut asked, entitled * scale);
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
    firsts: &'a Firsts,
    grid: Grid,
    groups: Vec<ShareGroup>,
    /// What a job of each shape asks of each group.
    by_shape: &'a [Vec<i128>],
    waited: Waited,
    /// Evicted attempts, by row.
    lost: Vec<Stretch>,
    changes: Changes,
}

/// What changes at every point, of one user; all zero between two users.
struct Changes {
    /// What is asked, group after group.
    asked: Vec<i128>,
    /// What is held, group after group.
    held: Vec<i128>,
    /// How many jobs wait.
    waiting: Vec<i128>,
}

impl<'a> View<'a> {
    fn new(
        setup: &Setup,
        trace: &'a Trace,
        record: &'a Record,
        demands: &'a Demands,
        firsts: &'a Firsts,
        (grid, entitled): (Grid, &'a Entitlements),
    ) -> Self {
        let groups = setup.config.share_groups().unwrap_or_default();
        let mut lost: Vec<Stretch> = record.lost.iter().map(LostAttempt::whole).collect();
        lost.sort_by_key(|attempt| attempt.row);
        let size = groups.len() * POINTS;
        let changes = Changes { asked: vec![0; size], held: vec![0; size], waiting: vec![0; POINTS] };
        let (by_shape, waited) = (&entitled.by_shape[..], Waited::new(setup));
        Self { trace, record, demands, firsts, grid, groups, by_shape, waited, lost, changes }
    }

    /// One user's jobs at every point: those at some places of `rows`.
    fn profile(&mut self, rows: &[u32], places: &[u32], profile: &mut Profile) {
        profile.smallest = None;
        for place in places {
            let row = rows[*place as usize];
            let asked = self.add(row);
            profile.smallest = profile.smallest.into_iter().chain(asked).min();
        }
        let Profile { asked, held, waits, .. } = profile;
        collect(&mut self.changes.asked, &self.groups, asked);
        collect(&mut self.changes.held, &self.groups, held);
        let mut level = 0;
        waits.clear();
        waits.extend(self.changes.waiting.iter_mut().map(|change| {
            level += std::mem::take(change);
            level > 0
        }));
    }

    /// Adds the changes that a job makes, and says what it asked if it did not start when it came.
    fn add(&mut self, row: u32) -> Option<u64> {
        let at = row as usize;
        let outcome = &self.record.outcomes[at];
        let end = self.record.leaves_ms(outcome)?;
        let job = &self.trace.jobs[at];
        let (from, to) = (self.grid.before(job.submit_ms), self.grid.before(end));
        if from < to {
            change(&mut self.changes.waiting, from, to, 1);
            let asked = self.changes.asked.chunks_exact_mut(POINTS);
            for (changes, amount) in asked.zip(&self.by_shape[job.shape as usize]) {
                change(changes, from, to, *amount);
            }
            if outcome.holds() {
                self.hold(self.record.last_attempt(row, outcome));
            }
            if outcome.evicted {
                let first = self.lost.partition_point(|attempt| attempt.row < at);
                let mut next = first;
                while let Some(attempt) = self.lost.get(next).filter(|attempt| attempt.row == at) {
                    self.hold(*attempt);
                    next += 1;
                }
            }
        }
        self.waited.asked(self.trace, self.record, self.demands, self.firsts, at)
    }

    fn hold(&mut self, stretch: Stretch) {
        let (from, to) = (self.grid.before(stretch.start_ms), self.grid.before(stretch.end_ms));
        change(&mut self.changes.waiting, from, to, -1);
        let demand = self.demands.of(self.trace, stretch.row, stretch.alternative);
        for (changes, group) in self.changes.held.chunks_exact_mut(POINTS).zip(&self.groups) {
            let value = u128::from(group.values[stretch.pool]) * u128::from(demand[group.kind].get());
            change(changes, from, to, i128::try_from(value).unwrap_or(i128::MAX));
        }
    }
}

/// From changes of each group at every point, which are zero again then, to dominant shares.
fn collect(changes: &mut [i128], groups: &[ShareGroup], shares: &mut Vec<f64>) {
    shares.clear();
    for (changes, group) in changes.chunks_exact_mut(POINTS).zip(groups) {
        let whole = float(u128::from(group.capacity));
        let (mut level, mut share) = (0_i128, 0.0);
        let of_point = |change: &mut i128| {
            if *change != 0 {
                level += std::mem::take(change);
                share = amount(level) / whole;
            }
            share
        };
        let of_group = changes.iter_mut().map(of_point);
        if shares.is_empty() {
            shares.extend(of_group);
        } else {
            for (largest, share) in shares.iter_mut().zip(of_group) {
                *largest = if share > *largest { share } else { *largest };
            }
        }
    }
    shares.resize(POINTS, 0.0);
}

/// An amount of a group, as far as that of a team is counted: to 2^64.
#[expect(clippy::cast_precision_loss, reason = "a rounded figure is what is asked for")]
fn amount(level: i128) -> f64 {
    u64::try_from(level).unwrap_or(u64::MAX) as f64
}
