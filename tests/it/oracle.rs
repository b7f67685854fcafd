//! A slow scheduler, written from the model and sharing no code with the crate: no heaps, no lists, no hints.
//!
//! Every decision looks at every waiting job and every node, and compares shares as plain fractions. Where it differs
//! from the crate, one of the two misreads the model.

mod backfill;
mod data;
mod devices;
mod domains;
mod hierarchy;
mod history;
mod placement;
mod quota;
pub(crate) mod reclaim;

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeSet;

use fairshare::{
    Alternative, Backfill, ClassScope, Config, Eligible, OrderName, PoolSpec, PriceUnit, ResourceKind,
    Resources,
};

/// How teams are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rule {
    Drf,
    DrfCurrent,
    Hdrf,
    Fifo,
    Sjf,
    Static,
    FairTree,
    Multifactor,
}

#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) team: usize,
    pub(crate) class: i32,
    pub(crate) alternatives: Vec<Alternative>,
    pub(crate) datasets: Vec<String>,
    pub(crate) remotely: bool,
    pub(crate) submit: i64,
    /// Estimate.
    pub(crate) length: Option<u64>,
    pub(crate) limit: Option<u64>,
    pub(crate) preemptible: bool,
    /// The caller's number, in order of submission.
    pub(crate) number: usize,
}

/// Some workers on a node; on which device, where they ask parts of GPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) node: usize,
    pub(crate) workers: u64,
    pub(crate) device: Option<u32>,
}

/// A job that runs: where, by which alternative, on which nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) number: usize,
    pub(crate) pool: usize,
    pub(crate) alternative: usize,
    pub(crate) nodes: Vec<Spot>,
    pub(crate) since: i64,
}

/// Where and when the first blocked job of a pool can start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) run: Run,
    pub(crate) start: i64,
}

#[derive(Clone)]
pub(crate) struct Oracle {
    config: Config,
    rule: Rule,
    /// Whether a higher class comes first between teams too.
    across: bool,
    backfill: Backfill,
    held: Vec<Option<Held>>,
    now: i64,
    jobs: Vec<Job>,
    waiting: Vec<usize>,
    running: Vec<Run>,
    /// The nodes that are down; of a divisible pool as many numbers.
    down: Vec<BTreeSet<usize>>,
    served: Vec<u64>,
    clock: u64,
    /// Starts so far, by pool.
    starts: Vec<u64>,
    uses: Vec<history::Use>,
    /// When ranks by history are worked out next; those of the members, and of how many.
    next_ranks: i64,
    ranks: Vec<usize>,
    leaves: usize,
    /// Who waited and what ran when a plan for everybody was begun: by that it is judged who is blocked.
    judged: Option<(Vec<usize>, Vec<Run>)>,
    /// Where running jobs count as guaranteed: (number, member).
    guaranteed: BTreeSet<(usize, usize)>,
    /// Who was stopped for another job since the last event from outside.
    stopped: BTreeSet<usize>,
    /// By pool: its reservation was taken away for a higher rank since the last event from outside.
    moved: Vec<bool>,
    /// By pool: the hour in which GPU time was last lost, and how much.
    lost: Vec<(i64, u128)>,
    /// Who may not run beyond the quota again before some instant.
    backing_off: Vec<(usize, i64)>,
}

fn kinds() -> impl Iterator<Item = ResourceKind> {
    (0..fairshare::MAX_KINDS).filter_map(ResourceKind::new)
}

fn times(request: &Resources, by: u64) -> Option<Resources> {
    request.checked_mul(by)
}

impl Oracle {
    pub(crate) fn new(config: Config, rule: Rule) -> Self {
        let down = config.pools.iter().map(|_| BTreeSet::new()).collect();
        let pools = config.pools.len();
        let members = 2 * config.teams.len() + 1;
        Self {
            backfill: config.policy.backfill,
            across: config.policy.priority == ClassScope::AcrossTeams
                || config.policy.order == OrderName::Priority,
            held: vec![None; config.pools.len()],
            now: i64::MIN,
            config,
            rule,
            jobs: Vec::new(),
            waiting: Vec::new(),
            running: Vec::new(),
            down,
            served: vec![0; members],
            clock: 0,
            starts: vec![0; pools],
            judged: None,
            uses: Vec::new(),
            next_ranks: i64::MIN,
            ranks: Vec::new(),
            leaves: 0,
            guaranteed: BTreeSet::new(),
            stopped: BTreeSet::new(),
            moved: vec![false; pools],
            lost: vec![(0, 0); pools],
            backing_off: Vec::new(),
        }
    }

    /// Something has happened outside.
    fn event(&mut self) {
        self.stopped.clear();
        self.moved.fill(false);
    }

    pub(crate) fn submit(&mut self, job: Job) {
        let team = job.team;
        self.event();
        self.waiting.push(self.jobs.len());
        self.jobs.push(job);
        self.ranks_newcomer(team);
    }

    fn index_of(&self, number: usize) -> usize {
        self.jobs.iter().position(|job| job.number == number).unwrap()
    }

    pub(crate) fn complete(&mut self, number: usize, at: i64) {
        self.ends_use(number, at);
        let Some(at) = self.running.iter().position(|run| run.number == number) else { return };
        let run = self.running.remove(at);
        self.event();
        self.guaranteed.retain(|(its, _)| *its != number);
        for member in self.path(self.leaf(self.jobs[self.index_of(number)].team)) {
            self.promote(member, run.pool);
        }
    }

    pub(crate) fn withdraw(&mut self, number: usize) {
        let index = self.index_of(number);
        self.waiting.retain(|waiting| *waiting != index);
        self.backing_off.retain(|(waiting, _)| *waiting != index);
        self.event();
        self.release(number);
    }

    /// A running job waits again.
    pub(crate) fn evict(&mut self, number: usize, at: i64) {
        self.complete(number, at);
        self.waiting.push(self.index_of(number));
    }

    pub(crate) fn set_up(&mut self, pool: usize, up: usize) {
        self.event();
        self.down[pool] = (up..self.pool(pool).nodes as usize).collect();
    }

    /// A node goes down, or comes up if it is down; whether it is up then.
    pub(crate) fn turn(&mut self, pool: usize, node: usize) -> bool {
        self.event();
        let was_down = self.down[pool].remove(&node);
        if !was_down {
            self.down[pool].insert(node);
        }
        was_down
    }

    /// Whether a node is down and a later one up.
    pub(crate) fn has_hole(&self, pool: usize) -> bool {
        self.down[pool].first().is_some_and(|first| *first < self.up(pool))
    }

    fn up(&self, pool: usize) -> usize {
        self.pool(pool).nodes as usize - self.down[pool].len()
    }

    fn pool(&self, pool: usize) -> &PoolSpec {
        &self.config.pools[pool]
    }

    fn free_in_pool(&self, pool: usize, running: &[Run]) -> Resources {
        let mut free = times(&self.pool(pool).node, self.up(pool) as u64).unwrap();
        for run in running.iter().filter(|run| run.pool == pool) {
            let alternative = &self.jobs[self.index_of(run.number)].alternatives[run.alternative];
            free = free
                .checked_sub(&times(&alternative.request, u64::from(alternative.workers)).unwrap())
                .unwrap();
        }
        free
    }

    /// Alternatives and pools in which the job could ever start, best first.
    fn routes(&self, job: &Job) -> Vec<(usize, usize)> {
        let mut routes = Vec::new();
        for (a, alternative) in job.alternatives.iter().enumerate() {
            for (p, pool) in self.config.pools.iter().enumerate() {
                let eligible = match &alternative.pools {
                    Eligible::Any => true,
                    Eligible::Accelerator(name) => pool.accelerator.as_ref() == Some(name),
                    Eligible::Pools(ids) => ids.iter().any(|id| id.index() == p),
                };
                let workers = u64::from(alternative.workers);
                let Some(total) = times(&alternative.request, workers) else { continue };
                let capacity = times(&pool.node, u64::from(pool.nodes)).unwrap();
                let on_nodes = devices::empty(&pool.node).times(&alternative.request, workers);
                let on_nodes = on_nodes * self.most_together(p, alternative);
                let fits = total.fits_in(&capacity) && (pool.divisible || on_nodes >= workers);
                if eligible && fits && (job.remotely || self.moved(job, p).missing == 0) {
                    routes.push((p, a));
                }
            }
        }
        self.in_order(job, routes)
    }

    fn cost(&self, pool: usize, total: &Resources, speed: u32) -> u128 {
        let Some(price) = self.pool(pool).price else { return u128::MAX };
        assert_eq!(price.unit, PriceUnit::Gpu, "the generator prices GPUs");
        u128::from(price.hour.get()) * u128::from(total[ResourceKind::GPU].get()) * 1000 / u128::from(speed)
    }

    /// Where the job would go in a pool beside the jobs that run, other nodes than some.
    fn place(
        &self,
        pool: usize,
        alternative: &Alternative,
        running: &[Run],
        avoid: &[Spot],
    ) -> Option<Vec<Spot>> {
        self.place_while(pool, alternative, &[running.to_vec()], avoid)
    }

    /// Where the job would go beside what runs at each of some moments.
    fn place_while(
        &self,
        pool: usize,
        alternative: &Alternative,
        moments: &[Vec<Run>],
        avoid: &[Spot],
    ) -> Option<Vec<Spot>> {
        let total = times(&alternative.request, u64::from(alternative.workers))?;
        if !moments.iter().all(|running| total.fits_in(&self.free_in_pool(pool, running))) {
            return None;
        }
        if self.pool(pool).divisible {
            return Some(Vec::new());
        }
        let request = &alternative.request;
        let mut nodes: Vec<_> = (0..self.pool(pool).nodes as usize)
            .filter(|node| !self.down[pool].contains(node))
            .map(|node| (self.least_on_node(pool, node, request, moments), node))
            .collect();
        nodes.retain(|(_, node)| avoid.iter().all(|other| other.node != *node));
        nodes.retain(|(free, _)| free.fits(request));
        let mut nodes = self.choose_domain(pool, alternative, nodes);
        nodes.sort_by_key(|(free, node)| (self.placement_order(pool, request, *node, free), *node));
        let mut left = u64::from(alternative.workers);
        let mut chosen = Vec::new();
        for (free, node) in nodes {
            let here = free.times(request, left);
            if here > 0 {
                chosen.extend(self.seats(pool, request, node, free, here));
                left -= here;
            }
            if left == 0 {
                return Some(chosen);
            }
        }
        None
    }

    fn start_by(&self, job: &Job, closed: &[bool]) -> Option<Run> {
        self.routes(job).into_iter().filter(|(pool, _)| !closed[*pool]).find_map(|(pool, alternative)| {
            let run = Run { number: job.number, pool, alternative, nodes: Vec::new(), since: self.now };
            let denied = self.is_denied(&run);
            let nodes = self.place_beside(job, pool, alternative).filter(|_| !denied)?;
            Some(Run { nodes, ..run })
        })
    }

    fn own_order(&self, job: &Job) -> (Reverse<i32>, u64, i64, usize) {
        let rank = match self.rule {
            Rule::Sjf => job.length.or(job.limit).unwrap_or(u64::MAX),
            Rule::Multifactor => self.own_rank(job),
            _ => 0,
        };
        (self.precedence(job), rank, job.submit, job.number)
    }

    // Members: 0 is the root, 1 + t a team, 1 + teams + t the jobs that a team with children holds itself.

    fn has_children(&self, team: usize) -> bool {
        self.config.teams.iter().any(|other| other.parent.is_some_and(|parent| parent.index() == team))
    }

    fn leaf(&self, team: usize) -> usize {
        if self.has_children(team) { 1 + self.config.teams.len() + team } else { 1 + team }
    }

    /// Place among the siblings: a team's own jobs stand where the team does.
    pub(super) fn tie(&self, member: usize) -> usize {
        if member > self.config.teams.len() { self.parent(member) } else { member }
    }

    fn parent(&self, member: usize) -> usize {
        let teams = self.config.teams.len();
        if member > teams {
            return member - teams;
        }
        self.config.teams[member - 1].parent.map_or(0, |parent| 1 + parent.index())
    }

    fn children(&self, member: usize) -> Vec<usize> {
        let teams = self.config.teams.len();
        let own = (1 + teams..=2 * teams).filter(|m| self.has_children(m - teams - 1));
        (1..=teams).chain(own).filter(|child| self.parent(*child) == member).collect()
    }

    fn path(&self, leaf: usize) -> Vec<usize> {
        let mut path = vec![leaf];
        while *path.last().unwrap() != 0 {
            path.push(self.parent(*path.last().unwrap()));
        }
        path
    }

    fn weight(&self, member: usize) -> (u128, u128) {
        let teams = self.config.teams.len();
        if member > teams {
            return (1, 1);
        }
        let weight = self.config.teams[member - 1].weight;
        (u128::from(weight.numerator()), u128::from(weight.denominator()))
    }

    /// Capacity of a kind over all pools, by value.
    fn valued_capacity(&self, kind: ResourceKind) -> u128 {
        let pools = self.config.pools.iter().enumerate();
        let valued = |(p, pool): (usize, &PoolSpec)| {
            u128::from(pool.node[kind].get()) * u128::from(pool.nodes) * self.value(p, kind)
        };
        pools.map(valued).sum()
    }

    /// Price of a GPU where every GPU pool has one, else one.
    fn value(&self, pool: usize, kind: ResourceKind) -> u128 {
        let gpu_pools = self.config.pools.iter().filter(|pool| pool.node[ResourceKind::GPU].get() > 0);
        let priced = gpu_pools.clone().all(|pool| pool.price.is_some());
        if kind != ResourceKind::GPU || !priced {
            return 1;
        }
        self.pool(pool).price.map_or(0, |price| u128::from(price.hour.get()))
    }

    fn holding(&self, member: usize, extra: Option<&Run>, kind: ResourceKind) -> u128 {
        let runs = self.running.iter().chain(extra);
        runs.filter(|run| self.path(self.leaf(self.jobs[self.index_of(run.number)].team)).contains(&member))
            .map(|run| {
                let alternative = &self.jobs[self.index_of(run.number)].alternatives[run.alternative];
                u128::from(alternative.request[kind].get())
                    * u128::from(alternative.workers)
                    * self.value(run.pool, kind)
            })
            .sum()
    }

    /// Group shares over the weight as fractions, largest first.
    fn key(&self, member: usize, extra: Option<&Run>) -> Vec<(u128, u128)> {
        let (weight, over) = self.weight(member);
        let mut key = Vec::new();
        for kind in kinds() {
            let capacity = self.valued_capacity(kind);
            if capacity > 0 {
                key.push((self.holding(member, extra, kind) * over, capacity * weight));
            }
        }
        key.sort_by(|a, b| compare(*b, *a));
        key
    }

    fn count_running(&self, member: usize) -> usize {
        let below =
            |run: &&Run| self.path(self.leaf(self.jobs[self.index_of(run.number)].team)).contains(&member);
        self.running.iter().filter(below).count()
    }

    fn compare_members(&self, a: (usize, &Run), b: (usize, &Run)) -> Ordering {
        let class = |run: &Run| self.class_between(&self.jobs[self.index_of(run.number)]);
        let tier = |(member, run): (usize, &Run)| !self.within_quota(member, run);
        let by_class = tier(a).cmp(&tier(b)).then(class(a.1).cmp(&class(b.1)));
        let now = || compare_keys(&self.key(a.0, None), &self.key(b.0, None));
        let after = || compare_keys(&self.key(a.0, Some(a.1)), &self.key(b.0, Some(b.1)));
        let ties = |m: usize| (self.count_running(m), self.served[m], self.tie(m));
        let by_ties = ties(a.0).cmp(&ties(b.0));
        let rescaled = |a, b| self.compare_rescaled(a, b);
        match self.rule {
            Rule::Hdrf => by_class
                .then_with(|| rescaled((a.0, Some(a.1)), (b.0, Some(b.1))))
                .then_with(|| rescaled((a.0, None), (b.0, None)))
                .then(by_ties),
            Rule::Drf => by_class.then_with(after).then_with(now).then(by_ties),
            _ => by_class.then_with(now).then(by_ties),
        }
    }

    /// The head of a member: the run that it would be granted.
    fn head(&self, member: usize) -> Option<Run> {
        let closed = vec![false; self.config.pools.len()];
        let mut own: Vec<&Job> = self.waiting.iter().map(|index| &self.jobs[*index]).collect();
        own.retain(|job| self.leaf(job.team) == member);
        own.sort_by_key(|job| self.own_order(job));
        if self.backfill == Backfill::None {
            own.truncate(1);
        }
        if let Some(run) = own.into_iter().find_map(|job| self.start_by(job, &closed)) {
            return Some(run);
        }
        let children: Vec<(usize, Run)> =
            self.children(member).into_iter().filter_map(|child| Some((child, self.head(child)?))).collect();
        children.into_iter().min_by(|a, b| self.compare_members((a.0, &a.1), (b.0, &b.1))).map(|(_, run)| run)
    }

    /// The class of a job as far as it decides between teams.
    fn class_between(&self, job: &Job) -> Reverse<i32> {
        if self.across { self.precedence(job) } else { Reverse(0) }
    }

    /// Where a job stands among those of other teams, under an order that knows no shares.
    fn order_between(&self, job: &Job) -> (Reverse<i32>, i128, u64, i64, usize) {
        let (_, rank, submit, number) = self.own_order(job);
        // There, the rank is in what history makes of it.
        let rank = if self.rule == Rule::Multifactor { 0 } else { rank };
        (self.class_between(job), self.by_history(job), rank, submit, number)
    }

    /// The line of each team, in its own order.
    fn own_lines(&self) -> Vec<Vec<&Job>> {
        let line = |team: usize| {
            let jobs = self.waiting.iter().map(|index| &self.jobs[*index]);
            let mut line: Vec<&Job> = jobs.filter(|job| job.team == team).collect();
            line.sort_by_key(|job| self.own_order(job));
            line
        };
        (0..self.config.teams.len()).map(line).collect()
    }

    /// The first job of each team that can start; of these the first.
    fn next_of_teams(&self) -> Option<Run> {
        let closed = vec![false; self.config.pools.len()];
        let mut lines = self.own_lines();
        if self.backfill == Backfill::None {
            for line in &mut lines {
                line.truncate(1);
            }
        }
        let first = |line: Vec<&Job>| {
            line.into_iter().find_map(|job| Some((self.order_between(job), self.start_by(job, &closed)?)))
        };
        lines.into_iter().filter_map(first).min_by_key(|(order, _)| *order).map(|(_, run)| run)
    }

    fn by_shares(&self) -> bool {
        matches!(self.rule, Rule::Drf | Rule::DrfCurrent | Rule::Hdrf)
    }

    fn next(&self) -> Option<Run> {
        if self.by_shares() {
            return self.head(0);
        }
        if self.rule == Rule::Static || self.backfill != Backfill::None {
            return self.next_of_teams();
        }
        let mut closed = vec![false; self.config.pools.len()];
        loop {
            // Of each team the first job that any pool is still open to competes.
            let is_open = |job: &Job| self.routes(job).iter().any(|(pool, _)| !closed[*pool]);
            let fronts =
                self.own_lines().into_iter().filter_map(|line| line.into_iter().find(|job| is_open(job)));
            let job = fronts.min_by_key(|job| self.order_between(job))?;
            if let Some(run) = self.start_by(job, &closed) {
                return Some(run);
            }
            for (pool, _) in self.routes(job) {
                closed[pool] = true;
            }
        }
    }

    /// A waiting job is granted a run.
    fn serve(&mut self, run: &Run) {
        let index = self.index_of(run.number);
        self.waiting.retain(|waiting| *waiting != index);
        self.backing_off.retain(|(waiting, _)| *waiting != index);
        self.clock += 1;
        self.starts[run.pool] += 1;
        for member in self.path(self.leaf(self.jobs[index].team)) {
            self.served[member] = self.clock;
            if self.within_quota(member, run) {
                self.guaranteed.insert((run.number, member));
            }
        }
    }

    /// Every start of one cycle, in order.
    pub(crate) fn cycle(&mut self, now: i64) -> Vec<Run> {
        self.end_minimum_runs(now);
        self.now = now;
        self.rank_teams();
        if self.backfill == Backfill::Conservative {
            return self.conservative_cycle();
        }
        self.keep_back_off();
        self.hold_again();
        self.starts()
    }

    /// Every start until something must be stopped for the next, in order.
    pub(crate) fn starts(&mut self) -> Vec<Run> {
        let mut started = Vec::new();
        loop {
            self.keep_back_off();
            if self.backfill == Backfill::Easy {
                self.hold();
            }
            let Some(run) = self.next() else {
                if self.hold_again() {
                    continue;
                }
                return started;
            };
            self.release(run.number);
            self.serve(&run);
            self.begins_use(&run);
            self.running.push(run.clone());
            started.push(run);
        }
    }
}

fn compare(a: (u128, u128), b: (u128, u128)) -> Ordering {
    (a.0.checked_mul(b.1).unwrap()).cmp(&b.0.checked_mul(a.1).unwrap())
}

fn compare_keys(a: &[(u128, u128)], b: &[(u128, u128)]) -> Ordering {
    a.iter()
        .zip(b)
        .map(|(a, b)| compare(*a, *b))
        .find(|order| *order != Ordering::Equal)
        .unwrap_or(Ordering::Equal)
}
