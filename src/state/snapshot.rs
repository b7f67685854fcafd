//! The state written down, and built again: jobs in their slots and where they run, who was served, what was spent.
//!
//! Built from a state in which nothing has happened, so that everything that follows from the jobs is booked as when they
//! came and started. What contradicts itself is refused before it is booked.
//! Absent on purpose: what policies remember (see `policy`). Layer 3; uses `state`, `snapshot`.

use core::cmp::Reverse;
use std::collections::BTreeSet;

use super::{State, Status};
use crate::decision::Decision;
use crate::error::{Error, ErrorKind, SnapshotFault, SnapshotPart};
use crate::history::History;
use crate::id::{JobId, NodeId, PoolId, TeamId};
use crate::job::{JobSpec, Placed};
use crate::ledger::Span;
use crate::placement;
use crate::quota::Quotas;
use crate::route::{Route, RouteId};
use crate::snapshot::{
    Decides, Float, Memory, PoolSnapshot, RunningJob, Snapshot, Spent, TeamSnapshot, Usage, WaitingJob,
};
use crate::time::Timestamp;
use crate::tree::MemberId;

/// Counters beyond this are refused, so that they never run over.
const COUNT_MAX: u64 = 1 << 62;

impl State {
    /// Everything that is true, and what else is to be remembered.
    pub(crate) fn snapshot(&self, decides: Decides, is_delivered: bool, memory: Memory) -> Snapshot {
        let (mut waiting, mut running) = (Vec::new(), Vec::new());
        for (id, known) in self.jobs() {
            let (spec, attempt, number) = (self.spec(id), known.attempt, self.place(id).number);
            match self.placed(id) {
                Some(placed) => {
                    let guaranteed = self.guaranteed_by(id, known.leaf).collect();
                    running.push(RunningJob { job: id, number, spec, attempt, placed, guaranteed });
                }
                None => waiting.push(WaitingJob { job: id, number, spec, attempt }),
            }
        }
        let is_exhausted = |group: &usize| {
            self.hierarchy.as_ref().is_some_and(|hierarchy| hierarchy.saturated() >> group & 1 == 1)
        };
        let groups = (0..self.values.count()).filter(is_exhausted);
        let next_ranks = self.history.as_ref().map(History::next);
        let (undelivered, evictions) =
            if is_delivered { (&[][..], &[][..]) } else { (&self.decisions[..], &self.evictions[..]) };
        Snapshot {
            version: Snapshot::VERSION,
            decides,
            config: self.config.clone(),
            now: self.now,
            submitted: self.jobs.count,
            shapes: self.routes.specs(),
            variants: self.routes.lengths(),
            pools: (0..self.config.pools.len()).map(|pool| self.pool_snapshot(PoolId::at(pool))).collect(),
            teams: (0..self.config.teams.len())
                .filter_map(|team| self.team_snapshot(TeamId::at(team)))
                .collect(),
            waiting,
            running,
            free: self.jobs.all_free().collect(),
            exhausted: groups.map(|group| self.values.kind(group)).collect(),
            next_ranks: next_ranks.filter(|next| *next > Timestamp::MIN),
            undelivered: undelivered.to_vec(),
            evictions: evictions.to_vec(),
            memory,
        }
    }

    /// Where a running job is.
    fn placed(&self, id: JobId) -> Option<Placed> {
        let Status::Running { route, since, .. } = self.alive(id).status() else { return None };
        let route = self.routes.route(route);
        let mut placed = Placed::new(route.pool, since).by_alternative(route.alternative);
        for Span { node, workers, device } in self.spans(id) {
            match device {
                Some(device) => placed.devices.push((node, device, workers)),
                None => placed.nodes.push((node, workers)),
            }
        }
        Some(placed)
    }

    /// The teams at which a job counts as guaranteed, its own first.
    fn guaranteed_by(&self, job: JobId, leaf: MemberId) -> impl Iterator<Item = TeamId> {
        let levels = self.tree.path(leaf).enumerate();
        let guaranteed = levels.filter(move |at| self.is_guaranteed_at(job, *at));
        guaranteed.filter_map(|(_, member)| self.tree.member(member).team)
    }

    fn pool_snapshot(&self, pool: PoolId) -> PoolSnapshot {
        let known = self.ledger.pool(pool);
        let asked = known.demand().map(|(request, workers)| (*request, workers)).collect();
        let nodes_up = known.nodes_up();
        let is_exception = |node: &NodeId| known.is_up(*node) != (*node < NodeId::new(nodes_up));
        let numbers = if known.is_divisible() { 0 } else { known.nodes_configured() };
        let exceptions = (0..numbers).map(NodeId::new).filter(is_exception).collect();
        PoolSnapshot { nodes_up, exceptions, starts: known.starts(), asked }
    }

    fn team_snapshot(&self, team: TeamId) -> Option<TeamSnapshot> {
        let (node, leaf) = (self.tree.node(team)?, self.tree.leaf(team)?);
        let usage = |member| self.history.as_ref()?.usage(&self.tree, member);
        Some(TeamSnapshot {
            served: self.tree.member(leaf).served,
            budget: self.budgets.spent(node),
            usage: usage(node),
            own_usage: if leaf == node { None } else { usage(leaf) },
            points: self.history.as_ref().map_or(0, |history| history.points(leaf)),
        })
    }

    /// Takes over everything that a snapshot says is true; nothing has happened here yet. Jobs rank as the policy has it.
    pub(crate) fn restore(
        &mut self,
        snapshot: &Snapshot,
        rank: impl Fn(&Self, &JobSpec) -> u64,
    ) -> Result<(), Error> {
        self.check_lengths(snapshot)?;
        self.now = snapshot.now;
        self.restore_shapes(snapshot)?;
        for (pool, known) in (0..).map(PoolId::new).zip(&snapshot.pools) {
            if known.nodes_up > self.ledger.pool(pool).nodes_configured() {
                return Err(inside(SnapshotPart::Pool(pool))(ErrorKind::TooMany("nodes up").into()));
            }
            self.ledger.set_nodes_up(pool, known.nodes_up);
            self.restore_exceptions(pool, known).map_err(inside(SnapshotPart::Pool(pool)))?;
        }
        self.restore_slots(snapshot, rank)?;
        let mut running: Vec<&RunningJob> = snapshot.running.iter().collect();
        // Whoever counts as guaranteed first stays so where a quota has become smaller.
        running.sort_by_cached_key(|run| {
            (Reverse(self.routes.get(run.spec.shape).map(|shape| shape.class)), self.place(run.job))
        });
        for run in running {
            self.restore_run(run).map_err(inside(SnapshotPart::Job(run.job)))?;
        }
        self.restore_past(snapshot)
    }

    /// As many parts as the configuration has, and counters that can go on.
    fn check_lengths(&self, snapshot: &Snapshot) -> Result<(), Error> {
        let Snapshot { config, pools, teams, .. } = snapshot;
        for (what, found, expected) in
            [("pools", pools.len(), config.pools.len()), ("teams", teams.len(), config.teams.len())]
        {
            if found != expected {
                return Err(SnapshotFault::Length { what, found, expected }.into());
            }
        }
        if snapshot.submitted > COUNT_MAX {
            return Err(ErrorKind::TooLarge { what: "the number of jobs submitted".to_owned() }.into());
        }
        for (team, known) in self.config.teams.iter().zip(teams) {
            if known.served > COUNT_MAX {
                let what = format!("the number of the last start of team `{}`", team.name);
                return Err(ErrorKind::TooLarge { what }.into());
            }
        }
        Ok(())
    }

    fn restore_shapes(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        let State { config, routes, values, .. } = self;
        let mut variants = snapshot.variants.iter().peekable();
        for (index, spec) in snapshot.shapes.iter().enumerate() {
            let shape = crate::ShapeId::at(index);
            let refuse = inside(SnapshotPart::Shape(shape));
            let length = variants.next_if(|(variant, _)| *variant == shape).map(|(_, length)| *length);
            match (routes.intern(spec, config, values), length) {
                (Ok(id), None) if id == shape => {}
                (Ok(id), Some(length)) if id < shape => {
                    routes.vary(id, length).ok_or_else(|| refuse(ErrorKind::TooMany("routes").into()))?;
                }
                (Ok(_), _) => return Err(refuse(SnapshotFault::Twice("the shape").into())),
                (Err(why), _) => return Err(refuse(why)),
            }
        }
        if let Some((shape, _)) = variants.next() {
            return Err(inside(SnapshotPart::Shape(*shape))(ErrorKind::UnknownShape(*shape).into()));
        }
        Ok(())
    }

    /// Puts every job into its slot, waiting.
    fn restore_slots(
        &mut self,
        snapshot: &Snapshot,
        rank: impl Fn(&Self, &JobSpec) -> u64,
    ) -> Result<(), Error> {
        let waiting = snapshot.waiting.iter().map(|job| (job.job, job.number, job.spec, job.attempt));
        let running = snapshot.running.iter().map(|job| (job.job, job.number, job.spec, job.attempt));
        let alive: Vec<(JobId, u64, JobSpec, u32)> = waiting.chain(running).collect();
        let slots = alive.len().saturating_add(snapshot.free.len());
        let mut is_taken = vec![false; slots];
        for id in alive.iter().map(|(id, ..)| *id).chain(snapshot.free.iter().copied()) {
            let refuse = inside(SnapshotPart::Job(id));
            let taken = is_taken.get_mut(id.slot()).ok_or_else(|| refuse(SnapshotFault::Slot.into()))?;
            if core::mem::replace(taken, true) {
                return Err(refuse(SnapshotFault::Twice("the slot").into()));
            }
        }
        let mut numbers: Vec<(u64, JobId)> = alive.iter().map(|(id, number, ..)| (*number, *id)).collect();
        numbers.sort_unstable();
        let twice = numbers.windows(2).find(|pair| pair[0].0 == pair[1].0).map(|pair| pair[1].1);
        if let Some(id) = twice {
            return Err(inside(SnapshotPart::Job(id))(SnapshotFault::Twice("the number").into()));
        }
        self.jobs.resize(slots);
        for (id, number, mut spec, attempt) in alive {
            // Prices may be others by now, and the order of its pools with them.
            if self.routes.get(spec.shape).is_some() {
                spec.shape = self.routes.for_length(spec.shape, spec.estimate_or_limit());
            }
            let leaf = self.leaf_of_restored(number, &spec, snapshot.submitted);
            let leaf = leaf.map_err(inside(SnapshotPart::Job(id)))?;
            let rank = rank(self, &spec);
            self.jobs.put(id, leaf, (spec, rank, number));
            self.jobs[id].attempt = attempt;
            self.counts_waiting(id, true);
        }
        for id in &snapshot.free {
            self.jobs.free(*id);
        }
        let for_ever = snapshot
            .waiting
            .iter()
            .find(|job| self.routes.get(job.spec.shape).is_some_and(|shape| shape.rejection.is_some()));
        if let Some(job) = for_ever {
            return Err(inside(SnapshotPart::Job(job.job))(SnapshotFault::NeverStarts.into()));
        }
        self.jobs.count = snapshot.submitted;
        Ok(())
    }

    /// The leaf of a job that can have been submitted as it is said to be.
    fn leaf_of_restored(&self, number: u64, spec: &JobSpec, submitted: u64) -> Result<MemberId, Error> {
        let leaf = self.leaf(spec.team)?;
        self.routes.get(spec.shape).ok_or(ErrorKind::UnknownShape(spec.shape))?;
        if spec.submit > self.now {
            return Err(ErrorKind::SubmitAfterNow { submit: spec.submit, now: self.now }.into());
        }
        if number >= submitted {
            return Err(ErrorKind::TooMany("jobs before it").into());
        }
        Ok(leaf)
    }

    /// A job that is in its slot runs where it is said to run.
    fn restore_run(&mut self, run: &RunningJob) -> Result<(), Error> {
        let RunningJob { job: id, spec, placed, .. } = run;
        let route_id = self.route_in(self.alive(*id).shape, placed.pool, placed.alternative)?;
        if placed.since > self.now || placed.since < spec.submit {
            return Err(ErrorKind::Since { since: placed.since, submit: spec.submit, now: self.now }.into());
        }
        let route = self.routes.route(route_id);
        let spans = self.restored_spans(route, placed).ok_or(ErrorKind::NoRoom(placed.pool))?;
        let mut guaranteed = BTreeSet::new();
        let leaf = self.alive(*id).leaf;
        for team in &run.guaranteed {
            let member = self.tree.node(*team).ok_or(ErrorKind::UnknownTeam(*team))?;
            if !self.tree.path(leaf).any(|above| above == member) {
                return Err(SnapshotFault::NotGuaranteed(*team).into());
            }
            if self.quotas.is_guaranteed(member, route) {
                guaranteed.insert(member);
            }
        }
        self.book_run(*id, route_id, &spans, placed.since, &guaranteed);
        Ok(())
    }

    fn book_run(
        &mut self,
        id: JobId,
        route_id: RouteId,
        spans: &[Span],
        since: Timestamp,
        guaranteed: &BTreeSet<MemberId>,
    ) {
        let route = self.routes.route(route_id);
        let leaf = self.jobs[id].leaf;
        if self.quotas.any() {
            let runs = (self.routes.shape(route.shape).class, self.jobs.place(id), id);
            let counts = |_: &Quotas, member| guaranteed.contains(&member);
            self.jobs[id].guaranteed = self.quotas.book(&self.tree, leaf, route, runs, counts);
        }
        self.scratch.clear();
        self.scratch.extend_from_slice(spans);
        self.runs_on_scratch(leaf, id, route_id, since);
    }

    /// Where the workers of a job are, if each has room there beside the others.
    fn restored_spans(&self, route: &Route, placed: &Placed) -> Option<Vec<Span>> {
        let whole = |(node, workers): &(NodeId, u32)| Span { node: *node, workers: *workers, device: None };
        let part = |(node, device, workers): &(NodeId, u32, u32)| Span {
            node: *node,
            workers: *workers,
            device: Some(*device),
        };
        let spans: Vec<Span> =
            placed.nodes.iter().map(whole).chain(placed.devices.iter().map(part)).collect();
        placement::seats_beside(self.ledger.pool(placed.pool), route, &spans).then_some(spans)
    }

    /// What has been, and does not follow from who is alive.
    fn restore_past(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        for (pool, known) in (0..).map(PoolId::new).zip(&snapshot.pools) {
            self.ledger.set_past(pool, known.starts, known.asked.iter().copied());
        }
        let teams = || (0..).map(TeamId::new).zip(&snapshot.teams);
        let leaves = teams().filter_map(|(team, known)| Some((self.tree.leaf(team)?, known.served)));
        let leaves: Vec<_> = leaves.collect();
        self.tree.set_served(leaves.into_iter());
        for (team, known) in teams() {
            self.restore_team(team, known).map_err(inside(SnapshotPart::Team(team)))?;
        }
        if let Some(history) = &mut self.history {
            let points = teams().filter_map(|(team, known)| Some((self.tree.leaf(team)?, known.points)));
            history.set_ranks(points, snapshot.next_ranks.unwrap_or(Timestamp::MIN));
        }
        if self.quotas.any() {
            let members: Vec<MemberId> = self.tree.ids().collect();
            for pool in 0..self.config.pools.len() {
                self.promote_at(&members, PoolId::at(pool));
            }
        }
        if let Some(hierarchy) = &mut self.hierarchy {
            let is_exhausted = |group: &usize| snapshot.exhausted.contains(&self.values.kind(*group));
            let groups = (0..self.values.count()).filter(is_exhausted);
            let saturated = groups.fold(0, |saturated, group| saturated | 1 << group);
            hierarchy.judge(&self.tree, &self.routes, saturated);
            hierarchy.reordered = 0;
        }
        self.check_undelivered(snapshot)?;
        (self.decisions, self.evictions) = (snapshot.undelivered.clone(), snapshot.evictions.clone());
        Ok(())
    }

    /// Whether the decisions that are not delivered are about what there is, and the evictions those of the records.
    fn check_undelivered(&self, snapshot: &Snapshot) -> Result<(), Error> {
        let (undelivered, evictions) = (&snapshot.undelivered, &snapshot.evictions);
        for decision in undelivered {
            let (Decision::Evict { job, pool, alternative, .. }
            | Decision::Start { job, pool, alternative, .. }) = *decision;
            let refused = inside(SnapshotPart::Job(job));
            self.check_named(job).map_err(&refused)?;
            if pool.index() >= self.config.pools.len() {
                return Err(refused(ErrorKind::UnknownPool(pool).into()));
            }
            // What somebody asked who is gone is not known.
            let alive = self.job(job).ok();
            let shape = alive.and_then(|known| snapshot.shapes.get(known.shape.index()));
            if shape.is_some_and(|shape| alternative as usize >= shape.alternatives.len()) {
                return Err(refused(ErrorKind::NoRoute { pool, alternative }.into()));
            }
            if let Decision::Evict { by: Some(by), .. } = *decision {
                self.check_named(by).map_err(inside(SnapshotPart::Job(by)))?;
            }
        }
        for eviction in evictions {
            let sides = [Some(&eviction.victim), eviction.preemptor.as_ref()];
            if let Some(side) = sides.into_iter().flatten().find(|side| self.tree.node(side.team).is_none()) {
                let unknown = ErrorKind::UnknownTeam(side.team).into();
                return Err(inside(SnapshotPart::Job(eviction.job))(unknown));
            }
        }
        let evicted = undelivered.iter().filter_map(|decision| match *decision {
            Decision::Evict { job, attempt, pool, reason, by, .. } => Some((job, attempt, pool, reason, by)),
            Decision::Start { .. } => None,
        });
        if !evicted.eq(evictions.iter().map(|its| (its.job, its.attempt, its.pool, its.reason, its.by))) {
            return Err(SnapshotFault::Evictions.into());
        }
        Ok(())
    }

    /// Whether there is, or was, a job.
    fn check_named(&self, id: JobId) -> Result<(), Error> {
        if id.slot() < self.jobs.len() { Ok(()) } else { Err(ErrorKind::UnknownJob(id).into()) }
    }

    /// Which nodes are down in place of others.
    fn restore_exceptions(&mut self, pool: PoolId, known: &PoolSnapshot) -> Result<(), Error> {
        let state = self.ledger.pool(pool);
        let are_nodes = known.exceptions.is_sorted_by(|a, b| a < b)
            && known.exceptions.last().is_none_or(|last| last.index() < state.nodes_configured() as usize);
        let down = known.exceptions.partition_point(|node| *node < NodeId::new(known.nodes_up));
        if state.is_divisible() && !known.exceptions.is_empty()
            || !are_nodes
            || down * 2 != known.exceptions.len()
        {
            return Err(SnapshotFault::Exceptions.into());
        }
        for (at, node) in known.exceptions.iter().enumerate() {
            self.ledger.set_node(pool, *node, at >= down);
        }
        Ok(())
    }

    /// What a team has spent and used: nothing until now, where it is not said, or in another unit.
    fn restore_team(&mut self, team: TeamId, known: &TeamSnapshot) -> Result<(), Error> {
        let (Some(node), Some(leaf)) = (self.tree.node(team), self.tree.leaf(team)) else { return Ok(()) };
        let counted = [known.budget.and_then(|spent| spent.counted)]
            .into_iter()
            .chain([known.usage, known.own_usage].map(|usage| usage.and_then(|usage| usage.counted)));
        if let Some(seen) = counted.flatten().find(|seen| *seen > self.now) {
            return Err(ErrorKind::TimeBackwards { now: self.now, seen }.into());
        }
        if let Some(begun) = self.budgets.spent(node) {
            let nothing = Spent { amount: 0, counted: Some(self.now), ..begun };
            let spent = known.budget.filter(|spent| spent.unit == begun.unit);
            self.budgets.set_spent(node, spent.unwrap_or(nothing));
        }
        let Some(history) = &mut self.history else { return Ok(()) };
        let own = (leaf != node).then_some((leaf, known.own_usage));
        for (member, usage) in [(node, known.usage)].into_iter().chain(own) {
            let is_counted = history.usage(&self.tree, member).is_some();
            let nothing = is_counted.then(|| Usage { used: Float::default(), counted: Some(self.now) });
            if let Some(usage) = usage.or(nothing)
                && !history.set_usage(&self.tree, member, usage)
            {
                return Err(ErrorKind::TooLarge { what: "what it has used".to_owned() }.into());
            }
        }
        Ok(())
    }
}

/// Names the part of the snapshot that is refused.
pub(crate) fn inside(part: SnapshotPart) -> impl Fn(Error) -> Error {
    move |why| SnapshotFault::In { part, why }.into()
}
