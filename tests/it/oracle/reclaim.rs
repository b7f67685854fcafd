//! The slow scheduler's judge of evictions, written from rules R0 to R3, and all legal plans of a small state by trying
//! every set of running jobs.
//!
//! It does not search for the plan that the crate should take: it checks the one taken, and can tell whether there was any.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeSet;

use fairshare::{EvictReason, Preemption, ResourceKind};

use super::{Oracle, Run, compare, kinds};

/// A waiting job's start that needs others to stop.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) run: Run,
    pub(crate) victims: Vec<usize>,
    pub(crate) reasons: Vec<EvictReason>,
}

impl Oracle {
    fn class(&self, number: usize) -> i32 {
        self.jobs[self.index_of(number)].class
    }

    fn leaf_of(&self, number: usize) -> usize {
        self.leaf(self.jobs[self.index_of(number)].team)
    }

    /// The children of the lowest member above both jobs; `None` where one leaf holds both.
    fn sides(&self, a: usize, b: usize) -> Option<(usize, usize)> {
        let (a, b) = (self.leaf_of(a), self.leaf_of(b));
        let (path_a, path_b) = (self.path(a), self.path(b));
        let lowest = *path_a.iter().find(|member| path_b.contains(member)).unwrap();
        let below = |path: &[usize]| path[path.iter().position(|at| *at == lowest)? - 1..].first().copied();
        if a == b { None } else { Some((below(&path_a)?, below(&path_b)?)) }
    }

    /// Jobs that run beyond a member's quota and now fit it count as guaranteed from now on: the highest class first, then
    /// the oldest.
    pub(super) fn promote(&mut self, member: usize, pool: usize) {
        let mut others: Vec<Run> = self.running.iter().filter(|other| other.pool == pool).cloned().collect();
        others.retain(|other| {
            self.is_below(other, member) && !self.guaranteed.contains(&(other.number, member))
        });
        others.sort_by_key(|other| {
            let job = &self.jobs[self.index_of(other.number)];
            (Reverse(job.class), job.submit, job.number)
        });
        for other in others {
            if self.within_quota(member, &other) {
                self.guaranteed.insert((other.number, member));
            }
        }
    }

    /// Takes running jobs away; whoever gains by it is promoted when all are gone.
    fn take_away(&mut self, victims: &[usize]) {
        let pool = self.running.iter().find(|run| victims.contains(&run.number)).map_or(0, |run| run.pool);
        let members: BTreeSet<usize> =
            victims.iter().flat_map(|victim| self.path(self.leaf_of(*victim))).collect();
        self.running.retain(|run| !victims.contains(&run.number));
        self.guaranteed.retain(|(number, _)| !victims.contains(number));
        for member in members {
            self.promote(member, pool);
        }
    }

    /// What a member holds of each kind, by value, counting ranks from (beyond the quota, class) up.
    fn ranked(&self, member: usize, class: i32) -> Vec<(ResourceKind, u128)> {
        let counts = |run: &&Run| {
            self.is_below(run, member)
                && (self.guaranteed.contains(&(run.number, member)) || self.class(run.number) >= class)
        };
        let held = |kind: ResourceKind| {
            let amount = |run: &Run| self.asks(run, kind) * self.value(run.pool, kind);
            self.running.iter().filter(counts).map(amount).sum()
        };
        kinds().map(|kind| (kind, held(kind))).collect()
    }

    /// Shares of these amounts over the weight, largest first.
    fn shares_of(&self, member: usize, held: &[(ResourceKind, u128)]) -> Vec<(u128, u128)> {
        let (weight, over) = self.weight(member);
        let mut shares = Vec::new();
        for (kind, amount) in held {
            let capacity: u128 = (0..self.config.pools.len())
                .map(|p| {
                    let pool = self.pool(p);
                    u128::from(pool.node[*kind].get()) * u128::from(pool.nodes) * self.value(p, *kind)
                })
                .sum();
            if capacity > 0 {
                shares.push((amount * over, capacity * weight));
            }
        }
        shares.sort_by(|a, b| compare(*b, *a));
        shares
    }

    /// Why a job may stop these others and start in their room, or why not.
    pub(crate) fn judge(&self, run: &Run, victims: &[usize]) -> Result<Plan, String> {
        let policy = &self.config.policy;
        let number = run.number;
        if policy.preemption == Preemption::None || victims.is_empty() {
            return Err("nobody may be stopped".to_owned());
        }
        if self.stopped.contains(&number) {
            return Err(format!("R3: job {number} was stopped itself"));
        }
        for victim in victims {
            let Some(its) = self.running.iter().find(|its| its.number == *victim && its.pool == run.pool)
            else {
                return Err(format!("job {victim} does not run there"));
            };
            let known = &self.jobs[self.index_of(*victim)];
            if !known.preemptible {
                return Err(format!("job {victim} may not be stopped"));
            }
            let least = i64::try_from(policy.bounds.minimum_run.get()).unwrap();
            if self.sides(number, *victim).is_some() && self.now < its.since + least {
                return Err(format!("job {victim} has not run for long enough"));
            }
        }
        if let Some(ratio) = policy.bounds.ratio_milli {
            let kind = kinds().find(|kind| self.asks(run, *kind) > 0).unwrap();
            let mut stopped = 0;
            for its in self.running.iter().filter(|its| victims.contains(&its.number)) {
                stopped += self.asks(its, kind);
            }
            if stopped * 1000 > self.asks(run, kind) * u128::from(ratio) {
                return Err("too much is stopped for what is asked".to_owned());
            }
        }
        if let Some(most) = policy.bounds.gpu_seconds_per_hour {
            let lost: u128 = victims.iter().map(|victim| self.would_lose(*victim)).sum();
            if self.lost_this_hour(run.pool) + lost > u128::from(most) * 1_000_000 {
                return Err("too much GPU time is lost in this hour".to_owned());
            }
        }
        // The state in which the victims are gone and the job runs.
        let mut then = self.clone();
        then.take_away(victims);
        let job = then.jobs[then.index_of(number)].clone();
        if then.is_denied(run) {
            return Err("the team may not hold more".to_owned());
        }
        let Some(nodes) = then.place_beside(&job, run.pool, run.alternative) else {
            return Err("there is no room".to_owned());
        };
        let run = Run { nodes, ..run.clone() };
        let waiting = then.index_of(number);
        then.waiting.retain(|index| *index != waiting);
        then.serve(&run);
        then.running.push(run.clone());
        let mut reasons = Vec::new();
        for victim in victims {
            reasons.push(self.rule(&then, number, *victim)?);
        }
        Ok(Plan { run, victims: victims.to_vec(), reasons })
    }

    /// The GPU time that a running job would lose: nobody saves anything.
    fn would_lose(&self, number: usize) -> u128 {
        let run = self.running.iter().find(|run| run.number == number).unwrap();
        self.asks(run, ResourceKind::GPU) * u128::try_from(self.now - run.since).unwrap()
    }

    fn lost_this_hour(&self, pool: usize) -> u128 {
        let (hour, lost) = self.lost[pool];
        if hour == self.now.div_euclid(3_600_000) { lost } else { 0 }
    }

    /// The end of a minimum run is an event from outside.
    pub(super) fn end_minimum_runs(&mut self, now: i64) {
        let least = i64::try_from(self.config.policy.bounds.minimum_run.get()).unwrap();
        let ends = |run: &Run| {
            let end = run.since + least;
            self.jobs[self.index_of(run.number)].preemptible && self.now < end && end <= now
        };
        if least > 0 && self.running.iter().any(ends) {
            self.stopped.clear();
        }
    }

    /// The rule by which one victim may be stopped.
    fn rule(&self, then: &Self, number: usize, victim: usize) -> Result<EvictReason, String> {
        let policy = &self.config.policy;
        let (class, its_class) = (self.class(number), self.class(victim));
        let Some((mine, its)) = self.sides(number, victim) else {
            let lower = its_class < class;
            return lower.then_some(EvictReason::OwnTeam).ok_or(format!("job {victim} is of the own team"));
        };
        if self.guaranteed.contains(&(victim, its)) {
            return Err(format!("job {victim} is guaranteed"));
        }
        if then.guaranteed.contains(&(number, mine)) {
            return Ok(EvictReason::Quota);
        }
        match its_class.cmp(&class) {
            Ordering::Less => Ok(EvictReason::Priority),
            Ordering::Greater => Err(format!("job {victim} is of a higher class")),
            Ordering::Equal if policy.preemption != Preemption::Reclaim => {
                Err(format!("job {victim} is of the same rank"))
            }
            Ordering::Equal => {
                let ours = then.shares_of(mine, &then.ranked(mine, class));
                let mut theirs = then.ranked(its, class);
                for (_, held) in &mut theirs {
                    *held = *held * 1000 / (1000 + u128::from(policy.bounds.hysteresis_milli));
                }
                let theirs = then.shares_of(its, &theirs);
                let more =
                    ours.iter().zip(&theirs).map(|(a, b)| compare(*a, *b)).find(|o| *o != Ordering::Equal);
                if more == Some(Ordering::Greater) {
                    return Err(format!("R2: member {mine} would hold {ours:?}, member {its} {theirs:?}"));
                }
                Ok(EvictReason::FairShare)
            }
        }
    }

    /// A bound on waste has run out. The crate lifts the rule so from each job once; the judge does each time, since it is not
    /// told which bound woke the crate, and `at_rest` shows that this ends.
    pub(crate) fn bounds_have_run_out(&mut self) {
        self.stopped.clear();
    }

    /// Whether the job could start as things are.
    pub(crate) fn fits_already(&self, plan: &Plan) -> bool {
        let job = &self.jobs[self.index_of(plan.run.number)];
        self.place_beside(job, plan.run.pool, plan.run.alternative).is_some() && !self.is_denied(&plan.run)
    }

    /// Whether the plan stops somebody without need.
    pub(crate) fn is_wasteful(&self, plan: &Plan) -> Option<usize> {
        plan.victims.iter().copied().find(|victim| {
            let others: Vec<usize> = plan.victims.iter().copied().filter(|other| other != victim).collect();
            let mut then = self.clone();
            then.take_away(&others);
            let job = &then.jobs[then.index_of(plan.run.number)];
            !then.is_denied(&plan.run)
                && then.place_beside(job, plan.run.pool, plan.run.alternative).is_some()
        })
    }

    /// Carries out a plan that was judged.
    pub(crate) fn preempt(&mut self, plan: &Plan) {
        let backs_off: Vec<bool> =
            plan.victims.iter().map(|victim| self.sides(plan.run.number, *victim).is_some()).collect();
        let lost: u128 = plan.victims.iter().map(|victim| self.would_lose(*victim)).sum();
        let lost = self.lost_this_hour(plan.run.pool) + lost;
        self.lost[plan.run.pool] = (self.now.div_euclid(3_600_000), lost);
        self.take_away(&plan.victims);
        self.release(plan.run.number);
        for victim in &plan.victims {
            self.ends_use(*victim, self.now);
        }
        self.serve(&plan.run);
        self.begins_use(&plan.run);
        self.running.push(plan.run.clone());
        let length = i64::try_from(self.config.policy.bounds.back_off.get()).unwrap();
        for (victim, backs_off) in plan.victims.iter().zip(backs_off) {
            self.stopped.insert(*victim);
            let index = self.index_of(*victim);
            if backs_off && length > 0 {
                self.backing_off.push((index, self.now + length));
            } else {
                self.waiting.push(index);
            }
        }
        self.hold_again();
    }

    /// Whoever may run beyond the quota again, or would not by any way to run, waits in line; whoever would leaves it.
    pub(super) fn keep_back_off(&mut self) {
        for (index, until) in core::mem::take(&mut self.backing_off) {
            let job = self.jobs[index].clone();
            let path = self.path(self.leaf(job.team));
            let top = path[path.len() - 2];
            let within = self.routes(&job).into_iter().all(|(pool, alternative)| {
                let nodes = Vec::new();
                self.within_quota(top, &Run { number: job.number, pool, alternative, nodes, since: self.now })
            });
            let in_line = self.waiting.contains(&index);
            if until > self.now {
                self.backing_off.push((index, until));
            }
            if (until <= self.now || within) && !in_line {
                self.waiting.push(index);
            } else if until > self.now && !within && in_line {
                self.waiting.retain(|waiting| *waiting != index);
                self.release(job.number);
            }
        }
    }

    /// The jobs, first in their lines, that could stop others by a legal plan that stops nobody without need; none where
    /// there are too many sets to try.
    pub(crate) fn missed(&self) -> Vec<usize> {
        if self.running.len() > 8 {
            return Vec::new();
        }
        let mut lines = Vec::new();
        let mut waiting: Vec<usize> = self.waiting.clone();
        waiting.sort_by_key(|index| self.own_order(&self.jobs[*index]));
        waiting.retain(|index| {
            let job = &self.jobs[*index];
            let data = (job.datasets.clone(), job.remotely);
            let line = (job.team, job.class, job.alternatives.clone(), data);
            let is_first = !lines.contains(&line);
            lines.push(line);
            is_first
        });
        let could = waiting.into_iter().map(|index| &self.jobs[index]).filter(|job| self.has_plan(job));
        could.map(|job| job.number).collect()
    }

    fn has_plan(&self, job: &super::Job) -> bool {
        self.routes(job).into_iter().any(|(pool, alternative)| {
            let run = Run { number: job.number, pool, alternative, nodes: Vec::new(), since: self.now };
            let here = self.running.iter().filter(|run| run.pool == pool).map(|run| run.number);
            let here: Vec<usize> = here.collect();
            (1..1_usize << here.len()).any(|set| {
                let members = (0..here.len()).filter(|bit| set >> bit & 1 == 1);
                let victims: Vec<usize> = members.map(|bit| here[bit]).collect();
                let plan = self.judge(&run, &victims).ok();
                plan.is_some_and(|plan| self.is_wasteful(&plan).is_none() && !self.fits_already(&plan))
            })
        })
    }
}
