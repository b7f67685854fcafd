//! The slow scheduler's history: the use of every job that ever ran, integrated again whenever ranks are worked out.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    reason = "small numbers, worked out the plain way"
)]

use std::cmp::Reverse;

use fairshare::{ResourceKind, Spending};

use super::{Job, Oracle, Rule, Run, kinds};

/// A job's use: of which team, how much of the capacity, from when until when.
#[derive(Clone, Debug)]
pub(super) struct Use {
    number: usize,
    team: usize,
    share: f64,
    /// Thousandths of a GPU, and the price of one by the hour.
    gpus_and_price: (u128, u128),
    start: i64,
    end: Option<i64>,
}

impl Oracle {
    pub(super) fn begins_use(&mut self, run: &Run) {
        let job = &self.jobs[self.index_of(run.number)];
        let (team, start) = (job.team, self.now);
        let what = &job.alternatives[run.alternative];
        let gpus = u128::from(what.request[ResourceKind::GPU].get()) * u128::from(what.workers);
        let price = self.pool(run.pool).price.map_or(0, |price| u128::from(price.hour.get()));
        self.uses.push(Use {
            number: run.number,
            team,
            share: self.size(job, run.pool, run.alternative),
            gpus_and_price: (gpus, price),
            start,
            end: None,
        });
    }

    pub(super) fn ends_use(&mut self, number: usize, at: i64) {
        let ended = self.uses.iter_mut().filter(|its| its.number == number && its.end.is_none());
        ended.for_each(|its| its.end = Some(at));
    }

    /// The children of a member that are ranked: jobs that a team with children holds itself, once there were any.
    fn ranked_children(&self, member: usize) -> Vec<usize> {
        let teams = self.config.teams.len();
        let had_jobs = |team: usize| self.jobs.iter().any(|job| job.team == team);
        let mut children = self.children(member);
        children.retain(|child| *child <= teams || had_jobs(child - teams - 1));
        children
    }

    /// A job is the first that its team holds itself beside its children's: everybody is ranked anew.
    pub(super) fn ranks_newcomer(&mut self, team: usize) {
        if self.has_children(team) && self.jobs.iter().filter(|job| job.team == team).count() == 1 {
            self.next_ranks = i64::MIN;
        }
    }

    /// The largest share of the capacity of a kind that a job asks.
    fn size(&self, job: &Job, pool: usize, alternative: usize) -> f64 {
        let what = &job.alternatives[alternative];
        let share = |kind| {
            let asked =
                u128::from(what.request[kind].get()) * u128::from(what.workers) * self.value(pool, kind);
            let capacity = self.valued_capacity(kind);
            if capacity == 0 { 0.0 } else { asked as f64 / capacity as f64 }
        };
        kinds().map(share).fold(0.0, f64::max)
    }

    /// Whether a team on the way from a leaf to the root has spent its budget.
    pub(super) fn has_spent(&self, leaf: usize) -> bool {
        let teams = self.config.teams.len();
        self.path(leaf).into_iter().filter(|member| (1..=teams).contains(member)).any(|member| {
            let Some(budget) = self.config.teams[member - 1].budget else { return false };
            let period = i64::try_from(budget.period.get()).unwrap();
            let begin = self.now.div_euclid(period) * period;
            let below = self.uses.iter().filter(|its| self.path(self.leaf(its.team)).contains(&member));
            let spent = below.map(|its| {
                let (start, end) = (its.start.max(begin), its.end.unwrap_or(self.now));
                let (gpus, price) = its.gpus_and_price;
                let rate = if matches!(budget.most, Spending::Usd(_)) { gpus * price } else { gpus };
                rate * u128::try_from((end - start).max(0)).unwrap()
            });
            let most = match budget.most {
                Spending::GpuMillis(most) => u128::from(most) * 1_000,
                Spending::Usd(usd) => u128::from(usd.get()) * 1_000 * 3_600_000,
                _ => unreachable!("no other spending exists"),
            };
            spent.sum::<u128>() >= most
        })
    }

    /// The decayed use below a member now.
    fn decayed(&self, member: usize) -> f64 {
        let half_life = self.config.policy.half_life.get() as f64;
        let factor = |since: i64| (-((self.now - since) as f64) / half_life).exp2();
        let below = self.uses.iter().filter(|its| self.path(self.leaf(its.team)).contains(&member));
        let used = |its: &Use| its.share * (factor(its.end.unwrap_or(self.now)) - factor(its.start));
        below.map(used).sum::<f64>() * half_life / std::f64::consts::LN_2
    }

    /// Weight over use, each as its part of what its siblings have; rounded, so that what should tie does.
    fn level(&self, member: usize) -> f64 {
        let siblings = self.ranked_children(self.parent(member));
        let weight = |member: usize| {
            let (top, bottom) = self.weight(member);
            top as f64 / bottom as f64
        };
        let part =
            |of: &dyn Fn(usize) -> f64| of(member) / siblings.iter().map(|other| of(*other)).sum::<f64>();
        let used = self.decayed(member);
        if used == 0.0 { f64::INFINITY } else { ((part(&weight) / part(&|m| self.decayed(m))) as f32).into() }
    }

    /// Works out the ranks of all leaves, best first, if it is time to.
    pub(super) fn rank_teams(&mut self) {
        if !matches!(self.rule, Rule::FairTree | Rule::Multifactor) || self.now < self.next_ranks {
            return;
        }
        let period = self.config.policy.rank_period.get() as i64;
        self.next_ranks = (self.now.div_euclid(period) + 1) * period;
        let mut ranked: Vec<(usize, bool)> = Vec::new();
        self.walk(self.ranked_children(0), false, &mut ranked);
        let (mut rank, count) = (0, ranked.len());
        self.ranks = vec![0; 2 * self.config.teams.len() + 1];
        for (place, (leaf, tied)) in ranked.into_iter().enumerate() {
            rank = if tied { rank } else { count - place };
            self.ranks[leaf] = rank;
        }
        self.leaves = count;
    }

    /// Appends the leaves at or below members, best first, and whether each ties with the one before.
    fn walk(&self, members: Vec<usize>, tied: bool, ranked: &mut Vec<(usize, bool)>) {
        let mut members: Vec<(f64, bool, usize)> =
            members.into_iter().map(|m| (self.level(m), !self.ranked_children(m).is_empty(), m)).collect();
        members.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
        let mut at = 0;
        while at < members.len() {
            let (level, inner, member) = members[at];
            let tied = if at == 0 { tied } else { members[at - 1].0 == level };
            if !inner {
                ranked.push((member, tied));
                at += 1;
                continue;
            }
            let same: Vec<usize> =
                members[at..].iter().take_while(|other| other.0 == level).map(|other| other.2).collect();
            at += same.len();
            self.walk(same.iter().flat_map(|member| self.ranked_children(*member)).collect(), tied, ranked);
        }
    }

    /// What history makes of a job among those of other teams: the smaller, the sooner.
    pub(super) fn by_history(&self, job: &Job) -> i128 {
        let rank = self.ranks.get(self.leaf(job.team)).copied().unwrap_or(0) as i128;
        let factors = &self.config.policy.factors;
        match self.rule {
            Rule::FairTree => -rank,
            Rule::Multifactor => {
                let fair = (i128::from(factors.fairshare) << 20) * rank / self.leaves.max(1) as i128;
                i128::from(self.own_rank(job)) - fair
            }
            _ => 0,
        }
    }

    /// A job's place in its team's own line under the multifactor rule: what age, size and class are worth.
    pub(super) fn own_rank(&self, job: &Job) -> u64 {
        let factors = &self.config.policy.factors;
        let units = |weight: u32| i128::from(weight) << 20;
        let (pool, alternative) = self.routes(job)[0];
        let what = &job.alternatives[alternative];
        let size = kinds().filter(|kind| self.valued_capacity(*kind) > 0).map(|kind| {
            let asked =
                u128::from(what.request[kind].get()) * u128::from(what.workers) * self.value(pool, kind);
            (asked * units(factors.size) as u128 / self.valued_capacity(kind)) as i128
        });
        let since_epoch =
            (i128::from(job.submit) * units(factors.age)).div_euclid(factors.max_age.get().into());
        let class = (i128::from(job.class) * units(factors.class)).div_euclid(1_000);
        u64::try_from((1_i128 << 63) + since_epoch - size.max().unwrap() - class).unwrap()
    }

    /// The class as far as it comes before everything else.
    pub(super) fn precedence(&self, job: &Job) -> Reverse<i32> {
        Reverse(if self.rule == Rule::Multifactor { 0 } else { job.class })
    }
}
