//! The part of the slow scheduler that knows when running jobs end: reservations, and plans for everybody.
//!
//! Everything is worked out again from the jobs that run, at every question.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::{Held, Job, Oracle, Rule, Run, Spot, compare_keys, times};

impl Oracle {
    // Reservations.

    /// Whether a job runs past the end that was known.
    pub(crate) fn is_overdue(&self) -> bool {
        let known = |run: &Run| {
            self.jobs[self.index_of(run.number)].limit.or(self.jobs[self.index_of(run.number)].length)
        };
        self.running.iter().any(|run| known(run).is_some() && self.end(run) == Some(self.now + 1))
    }

    /// When a run ends, as far as its job says; never before the next instant.
    fn end(&self, run: &Run) -> Option<i64> {
        let job = &self.jobs[self.index_of(run.number)];
        let length = job.limit.or(job.length)?;
        let speed = u64::from(job.alternatives[run.alternative].speed_milli);
        let held = (length * 1000).div_ceil(speed) + self.moving(job, run.pool);
        Some((run.since + i64::try_from(held).unwrap()).max(self.now + 1))
    }

    /// Where the job would go in a pool now without delaying the job that has a reservation there.
    pub(super) fn place_beside(&self, job: &Job, pool: usize, alternative: usize) -> Option<Vec<Spot>> {
        let what = &job.alternatives[alternative];
        let anywhere = self.place(pool, what, &self.running, &[]);
        let Some(held) = self.held[pool].as_ref().filter(|held| held.run.number != job.number) else {
            return anywhere;
        };
        let run = Run { number: job.number, pool, alternative, nodes: anywhere.clone()?, since: self.now };
        if self.end(&run).is_some_and(|end| end <= held.start) {
            return anywhere;
        }
        if !self.pool(pool).divisible {
            return self.place(pool, what, &self.running, &held.run.nodes);
        }
        let mut then = self.still_running(held.start);
        then.push(run);
        let holder = &self.jobs[self.index_of(held.run.number)].alternatives[held.run.alternative];
        let over = then.iter().filter(|run| run.pool == pool).map(|run| {
            let what = &self.jobs[self.index_of(run.number)].alternatives[run.alternative];
            times(&what.request, u64::from(what.workers)).unwrap()
        });
        let taken = over.fold(times(&holder.request, u64::from(holder.workers)).unwrap(), |sum, amount| {
            sum.checked_add(&amount).unwrap()
        });
        taken.fits_in(&times(&self.pool(pool).node, self.up(pool) as u64).unwrap()).then_some(Vec::new())
    }

    /// The runs that have not ended by some instant after now.
    fn still_running(&self, at: i64) -> Vec<Run> {
        let runs = self.running.iter();
        runs.filter(|run| at <= self.now || self.end(run).is_none_or(|end| end > at)).cloned().collect()
    }

    /// The earliest start in a pool that all known ends allow.
    fn earliest(&self, number: usize, pool: usize, alternative: usize) -> Option<Held> {
        let ends = self.running.iter().filter(|run| run.pool == pool).filter_map(|run| self.end(run));
        let mut instants: Vec<i64> = ends.chain([self.now]).collect();
        instants.sort_unstable();
        let what = &self.jobs[self.index_of(number)].alternatives[alternative];
        instants.into_iter().find_map(|start| {
            let nodes = self.place(pool, what, &self.still_running(start), &[])?;
            Some(Held { run: Run { number, pool, alternative, nodes, since: start }, start })
        })
    }

    /// Works out again where and when the jobs with reservations can start; whether that changed anything.
    pub(super) fn hold_again(&mut self) -> bool {
        let before = self.held.clone();
        for pool in 0..self.held.len() {
            let held = self.held[pool].take();
            self.held[pool] =
                held.and_then(|held| self.earliest(held.run.number, held.run.pool, held.run.alternative));
        }
        self.held != before
    }

    pub(super) fn release(&mut self, number: usize) {
        for held in &mut self.held {
            held.take_if(|held| held.run.number == number);
        }
    }

    /// A job by one of its routes, nowhere in particular.
    fn by_route(&self, job: &Job, (pool, alternative): (usize, usize)) -> Run {
        Run { number: job.number, pool, alternative, nodes: Vec::new(), since: self.now }
    }

    /// The first job, of those that are `wanted`, that waits for a pool, may hold what it asks there, and holds no reservation in
    /// another, by the keys now.
    fn first_waiting(&self, pool: usize, wanted: &dyn Fn(&Job) -> bool) -> Option<Run> {
        let elsewhere = |job: &Job| {
            let mut others = self.held.iter().enumerate().filter(|(other, _)| *other != pool);
            others.any(|(_, held)| held.as_ref().is_some_and(|held| held.run.number == job.number))
        };
        self.first(0, &|job| {
            let runs = self.routes(job).into_iter().map(|route| self.by_route(job, route));
            runs.filter(|run| run.pool == pool && wanted(job) && !elsewhere(job))
                .find(|run| !self.is_denied(run))
        })
    }

    /// The first waiting job below a member, of those that `pick` gives a run, by the keys now.
    fn first(&self, member: usize, pick: &dyn Fn(&Job) -> Option<Run>) -> Option<Run> {
        let own = self.own_lines().into_iter().filter_map(|line| {
            let mut line = line.into_iter().filter(|job| !self.by_shares() || self.leaf(job.team) == member);
            line.find_map(|job| Some((self.order_between(job), pick(job)?)))
        });
        if let Some((_, run)) = own.min_by_key(|(order, _)| *order) {
            return Some(run);
        }
        let children = self.children(member).into_iter();
        let heads = children.filter_map(|child| Some((child, self.first(child, pick)?)));
        let first = heads.min_by(|(a, run_a), (b, run_b)| {
            let ties = |m: usize| (self.count_running(m), self.served[m], self.tie(m));
            let by_keys = || match self.rule {
                Rule::Hdrf => self.compare_rescaled((*a, None), (*b, None)),
                _ => compare_keys(&self.key(*a, None), &self.key(*b, None)),
            };
            let by_rank = self.rank_at(*a, run_a).cmp(&self.rank_at(*b, run_b));
            by_rank.then_with(by_keys).then_with(|| ties(*a).cmp(&ties(*b)))
        });
        first.map(|(_, run)| run)
    }

    /// Tier and class of a run at a member, the highest first.
    fn rank_at(&self, member: usize, run: &Run) -> (bool, Reverse<i32>) {
        (!self.within_quota(member, run), self.class_between(&self.jobs[self.index_of(run.number)]))
    }

    /// Whether a run would be of a higher rank than another.
    fn outranks(&self, run: &Run, other: &Run) -> bool {
        let job = |run: &Run| &self.jobs[self.index_of(run.number)];
        let path = |run: &Run| self.path(self.leaf(job(run).team));
        let (mine, its) = (path(run), path(other));
        if mine == its {
            return self.precedence(job(run)) < self.precedence(job(other));
        }
        if !self.by_shares() {
            return self.class_between(job(run)) < self.class_between(job(other));
        }
        let top = |path: &[usize], beside: &[usize]| *path.iter().rfind(|at| !beside.contains(at)).unwrap();
        self.rank_at(top(&mine, &its), run) < self.rank_at(top(&its, &mine), other)
    }

    /// Gives reservations to the blocked jobs that come first.
    pub(super) fn hold(&mut self) {
        let mut pool = 0;
        while pool < self.held.len() {
            let changed = self.hold_in(pool);
            pool = if changed { 0 } else { pool + 1 };
        }
    }

    fn hold_in(&mut self, pool: usize) -> bool {
        if self.held[pool].as_ref().is_some_and(|held| self.is_denied(&held.run)) {
            self.held[pool] = None;
            return true;
        }
        let Some(run) = self.first_waiting(pool, &|_| true) else { return false };
        let first = self.jobs[self.index_of(run.number)].clone();
        let none_closed = vec![false; self.held.len()];
        let can_start =
            |run: &Run| self.start_by(&self.jobs[self.index_of(run.number)], &none_closed).is_some();
        if can_start(&run) {
            return false;
        }
        if let Some(held) = &self.held[pool] {
            // Where classes decide inside a team alone, they do so whoever else waits.
            let team = self.leaf(self.jobs[self.index_of(held.run.number)].team);
            let own = self
                .first_waiting(pool, &|job| self.leaf(job.team) == team)
                .filter(|own| !self.across && !can_start(own));
            let mut rivals = [Some(run), own].into_iter().flatten();
            let lower = !self.moved[pool] && rivals.any(|rival| self.outranks(&rival, &held.run));
            if lower {
                self.held[pool] = None;
                self.moved[pool] = true;
            }
            return lower;
        }
        let mut vacant = self.routes(&first);
        vacant.retain(|(p, a)| self.held[*p].is_none() && !self.is_denied(&self.by_route(&first, (*p, *a))));
        let foremost = |p: usize| self.first_waiting(p, &|_| true).unwrap();
        let before = |p: usize| Some(foremost(p)).filter(|run| run.number != first.number);
        if vacant.iter().any(|(p, _)| before(*p).is_some_and(|run| can_start(&run))) {
            return false;
        }
        let routes = vacant.into_iter().filter(|(p, _)| before(*p).is_none());
        let starts = routes.filter_map(|(p, a)| self.earliest(first.number, p, a));
        let Some(best) = starts.min_by_key(|held| held.start) else { return false };
        let at = best.run.pool;
        self.held[at] = Some(best);
        true
    }

    // Conservative backfill.

    /// The earliest time at which a job could run beside those that run and those that are planned.
    fn slot(&self, job: &Job, allowed: Vec<(usize, usize)>, planned: &[Run]) -> Option<Run> {
        let everyone: Vec<&Run> = self.running.iter().chain(planned).collect();
        let end = |run: &Run| self.end(run).map(|end| end.max(run.since + 1));
        let mut slots = Vec::new();
        for (pool, alternative) in allowed {
            let here = everyone.iter().filter(|run| run.pool == pool);
            let mut instants: Vec<i64> = here.flat_map(|run| [Some(run.since), end(run)]).flatten().collect();
            instants.push(self.now);
            instants.retain(|at| *at >= self.now);
            instants.sort_unstable();
            slots.extend(instants.iter().find_map(|start| {
                let mut run = Run { number: job.number, pool, alternative, nodes: Vec::new(), since: *start };
                let during = |at: &&i64| *at >= start && end(&run).is_none_or(|end| **at < end);
                let moments: Vec<Vec<Run>> = (instants.iter().filter(during))
                    .map(|at| {
                        let runs = everyone.iter().copied();
                        let active = |run: &&Run| run.since <= *at && end(run).is_none_or(|end| end > *at);
                        runs.filter(active).cloned().collect()
                    })
                    .collect();
                run.nodes = self.place_while(pool, &job.alternatives[alternative], &moments, &[])?;
                Some(run)
            }));
        }
        slots.into_iter().min_by_key(|run| run.since)
    }

    /// What is true once the planned jobs whose time has come run.
    fn with_due(&self, running: &[Run], planned: &[Run]) -> Self {
        let due = planned.iter().filter(|run| run.since == self.now);
        Self { running: running.iter().chain(due).cloned().collect(), ..self.clone() }
    }

    /// Starts whatever has a slot now, until nothing has, where every waiting job gets one in order.
    pub(super) fn conservative_cycle(&mut self) -> Vec<Run> {
        let mut started = Vec::new();
        loop {
            let (served, clock, waiting) = (self.served.clone(), self.clock, self.waiting.clone());
            let (running, mut planned) = (self.running.clone(), Vec::<Run>::new());
            self.judged = Some((self.waiting.clone(), self.running.clone()));
            let guaranteed = self.guaranteed.clone();
            loop {
                let due = self.with_due(&running, &planned);
                // Limits count whatever is planned, what others keep only what really starts.
                let allowed = |job: &Job| -> Vec<(usize, usize)> {
                    let routes = self.routes(job).into_iter();
                    let run = |route| self.by_route(job, route);
                    routes.filter(|r| !due.is_denied(&run(*r)) && !self.is_limited(&run(*r))).collect()
                };
                let first = self.first(0, &|job| {
                    let route = allowed(job).first().or(self.routes(job).first()).copied();
                    route.map(|route| self.by_route(job, route))
                });
                let Some(first) = first else { break };
                let job = self.jobs[self.index_of(first.number)].clone();
                let allowed = allowed(&job);
                self.running.clone_from(&running);
                let slot = self.slot(&job, allowed, &planned);
                planned.extend(slot.clone());
                self.running.extend(planned.iter().cloned());
                if let Some(run) = slot {
                    self.serve(&run);
                    // What starts now is counted where it is planned, what starts later not at all.
                    self.starts[run.pool] -= u64::from(run.since != self.now);
                } else {
                    let index = self.index_of(job.number);
                    self.waiting.retain(|waiting| *waiting != index);
                }
            }
            (self.served, self.clock, self.waiting, self.running) = (served, clock, waiting, running.clone());
            self.judged = None;
            self.guaranteed = guaranteed;
            planned.retain(|run| run.since == self.now);
            let mut numbers = BTreeMap::new();
            for run in &mut planned {
                renumber(run, &running, &mut numbers);
            }
            for run in &planned {
                self.serve(run);
                self.starts[run.pool] -= 1;
                self.begins_use(run);
                self.running.push(run.clone());
            }
            if planned.is_empty() {
                return started;
            }
            started.extend(planned);
        }
    }
}

/// A plan tells all devices apart that are shared at any time; whoever starts gets the lowest ones that nobody shares now,
/// by `numbers` the same as others that are planned on them.
fn renumber(run: &mut Run, before: &[Run], numbers: &mut BTreeMap<(usize, usize, u32), u32>) {
    let pool = run.pool;
    let on = move |runs: &[Run], node: usize| -> Vec<u32> {
        let here = runs.iter().filter(|run| run.pool == pool).flat_map(|run| run.nodes.clone());
        here.filter(|spot| spot.node == node).filter_map(|spot| spot.device).collect()
    };
    for spot in &mut run.nodes {
        let Some(planned) = spot.device else { continue };
        let shared = on(before, spot.node);
        if shared.contains(&planned) && !numbers.contains_key(&(pool, spot.node, planned)) {
            continue;
        }
        let given = numbers.iter().filter(|((its, node, _), _)| (*its, *node) == (pool, spot.node));
        let given: Vec<u32> = given.map(|(_, number)| *number).collect();
        let lowest =
            (0..=u32::MAX).find(|number| !shared.contains(number) && !given.contains(number)).unwrap();
        spot.device = Some(*numbers.entry((pool, spot.node, planned)).or_insert(lowest));
    }
}
