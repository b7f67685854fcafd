//! Snapshot: a scheduler written down, and one built from what was written.
//!
//! Absent on purpose: what a snapshot holds (see `snapshot`), files. Layer 6; uses `snapshot`, `state`, `policy`.

use std::collections::BTreeSet;

use super::{Answer, Scheduler};
use crate::error::{Error, ErrorKind, SnapshotFault, SnapshotPart};
use crate::id::{JobId, NodeId, PoolId};
use crate::policy::own::Policy;
use crate::policy::{Demand, Order};
use crate::snapshot::{Decides, Float, Memory, PoolMemory, Reserved, Rounds, Snapshot, Turn};
use crate::state::{State, Status, inside};

impl Scheduler {
    /// Everything that later decisions depend on, as a plain value.
    ///
    /// What the last [`schedule`](Self::schedule) has answered is not in it, and counts as carried out: write a snapshot when
    /// it is.
    ///
    /// # Complexity
    ///
    /// O(most jobs ever alive at a time + shapes + teams + pools).
    ///
    /// # Examples
    ///
    /// See [`restore`](Self::restore).
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.state.snapshot(self.decides, self.answer != Answer::Open, self.policy.memory(&self.state))
    }

    /// A scheduler that goes on where another was written down: the same calls get the same answers from both, job by job and
    /// record by record. Only [`comparisons`](Self::comparisons) and [`reorderings`](Self::reorderings) begin at zero, and
    /// of the last cycle nothing is known that it has answered: [`evictions`](Self::evictions) has what was not answered yet
    /// alone, and [`explain`](Self::explain) tells no comparison that was [lost](crate::Lost::after_grant) in that cycle.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Snapshot`], which names the job, team, pool or shape that contradicts the rest; [`ErrorKind::TooLarge`]
    /// for a counter that could not go on; any contradiction in the configuration, as for [`new`](Self::new).
    ///
    /// # Complexity
    ///
    /// O(most jobs ever alive at a time x log + teams), and with quotas O(teams x pools).
    ///
    /// # Examples
    ///
    /// A service that ends between two decisions, and the one that is started in its place:
    ///
    /// ```
    /// use fairshare::{
    ///     Alternative, Config, JobSpec, PoolSpec, Resources, Scheduler, ShapeSpec, Submission, TeamId, TeamSpec, Timestamp,
    /// };
    /// let pool = PoolSpec::new("l4", 1, Resources::new().gpu(1));
    /// let teams = vec![TeamSpec::new("a"), TeamSpec::new("b")];
    /// let mut before = Scheduler::new(Config::new(vec![pool], teams)).unwrap();
    /// let shape = before.intern(&ShapeSpec::new(Alternative::new(Resources::new().gpu(1)))).unwrap();
    /// let now = Timestamp::ZERO;
    /// let [first, ..] = [0, 0, 1].map(|team| match before.submit(now, JobSpec::new(TeamId::new(team), shape, now)).unwrap() {
    ///     Submission::Queued(job) => job,
    ///     Submission::Rejected(_) => unreachable!(),
    /// });
    /// before.schedule(now).unwrap();
    ///
    /// let written = before.snapshot();
    /// // With the feature `serde`: `let written = serde_json::to_string(&before.snapshot())?`, and back.
    /// let mut after = Scheduler::restore(&written).unwrap();
    ///
    /// let later = Timestamp::from_millis(60_000);
    /// for scheduler in [&mut before, &mut after] {
    ///     scheduler.complete(later, first).unwrap();
    /// }
    /// assert_eq!(before.schedule(later).unwrap(), after.schedule(later).unwrap());
    /// ```
    pub fn restore(snapshot: &Snapshot) -> Result<Self, Error> {
        let own = match snapshot.decides {
            Decides::Configured => None,
            Decides::OwnOrder => Some("order"),
            Decides::OwnPolicy => Some("policy"),
        };
        check_version(snapshot)?;
        if let Some(what) = own {
            return Err(SnapshotFault::Own { what }.into());
        }
        Self::new(snapshot.config.clone())?.resumed(snapshot)
    }

    /// Like [`restore`](Self::restore), with an order of the caller's own in place of the configured one: the order that the
    /// scheduler had, or another. Where one of the caller's own follows another,
    /// [`with_config`](crate::Snapshot::with_config) makes the next cycle look at everything again, as it does for
    /// another configuration.
    ///
    /// # Errors
    ///
    /// As for [`restore`](Self::restore) and [`with_order`](Self::with_order).
    ///
    /// # Examples
    ///
    /// ```
    /// use fairshare::{Config, OrderName, PolicySpec, PoolSpec, Resources, Scheduler, TeamSpec};
    /// let pool = PoolSpec::new("l4", 1, Resources::new().gpu(1));
    /// let order = || PolicySpec::new(OrderName::Sjf).order();
    /// let config = Config::new(vec![pool], vec![TeamSpec::new("a")]);
    /// let snapshot = Scheduler::with_order(config, order()).unwrap().snapshot();
    /// assert!(Scheduler::restore(&snapshot).is_err(), "an order of one's own is not written down");
    /// assert!(Scheduler::restore_with_order(&snapshot, order()).is_ok());
    /// ```
    pub fn restore_with_order(snapshot: &Snapshot, order: Box<dyn Order>) -> Result<Self, Error> {
        check_version(snapshot)?;
        Self::with_order(snapshot.config.clone(), order)?.resumed(snapshot)
    }

    /// Like [`restore`](Self::restore), with a whole policy of the caller's own. What that policy has kept for itself is its
    /// own business: it is taken as it is given here, and told of nothing.
    ///
    /// # Errors
    ///
    /// As for [`restore`](Self::restore) and [`with_policy`](Self::with_policy).
    ///
    /// # Examples
    ///
    /// `tests/it/snapshot.rs` has one; see [`Policy`] for policies.
    pub fn restore_with_policy(snapshot: &Snapshot, policy: Box<dyn Policy>) -> Result<Self, Error> {
        check_version(snapshot)?;
        Self::with_policy(snapshot.config.clone(), policy)?.resumed(snapshot)
    }

    /// Takes over what a snapshot says; nothing has happened here yet.
    fn resumed(mut self, snapshot: &Snapshot) -> Result<Self, Error> {
        let policy = &self.policy;
        self.state.restore(snapshot, |state, spec| policy.rank(spec, &Demand::new(state, spec.shape)))?;
        let memory = &snapshot.memory;
        check_memory(&self.state, memory)?;
        let (mut waiting, mut running) = (Vec::new(), Vec::new());
        for (id, job) in self.state.jobs() {
            match job.status() {
                Status::Waiting => waiting.push((self.state.place(id), id)),
                Status::Running { since, .. } => running.push((since, self.state.place(id), id)),
                Status::Gone => {}
            }
        }
        // Whatever is in an order grows at its end.
        running.sort_unstable();
        for (.., id) in running {
            self.policy.adopted(&self.state, id);
        }
        waiting.sort_unstable();
        for (_, id) in waiting {
            self.policy.waits(&self.state, id);
        }
        if self.decides == snapshot.decides {
            self.policy.remember(&self.state, memory);
        } else {
            self.policy.remember(&self.state, &memory.clone().begun_again());
        }
        self.answer = Answer::Open;
        Ok(self)
    }
}

fn check_version(snapshot: &Snapshot) -> Result<(), Error> {
    let (found, known) = (snapshot.version, Snapshot::VERSION);
    if found == known { Ok(()) } else { Err(SnapshotFault::Version { found, known }.into()) }
}

/// Jobs that a policy remembers are there, and wait where they must.
fn check_memory(state: &State, memory: &Memory) -> Result<(), Error> {
    let (found, expected) = (memory.pools.len(), state.config.pools.len());
    if found != expected && found > 0 {
        return Err(SnapshotFault::Length { what: "remembered pools", found, expected }.into());
    }
    for id in memory.stopped.iter().chain(&memory.freed).copied() {
        state.job(id).map_err(inside(SnapshotPart::Job(id)))?;
    }
    memory.rounds.as_ref().map_or(Ok(()), |rounds| check_rounds(state, rounds))?;
    for id in memory.tried.iter().chain(&memory.tried_behind) {
        waits(state, *id).map_err(inside(SnapshotPart::Job(*id)))?;
    }
    let mut backing_off = BTreeSet::new();
    for back_off in &memory.backing_off {
        let refuse = inside(SnapshotPart::Job(back_off.job));
        waits(state, back_off.job).map_err(&refuse)?;
        if !backing_off.insert(back_off.job) {
            return Err(refuse(SnapshotFault::Twice("its back-off").into()));
        }
    }
    let outside = memory.backing_off.iter().filter(|back_off| !back_off.in_line);
    let outside: BTreeSet<JobId> = outside.map(|back_off| back_off.job).collect();
    let mut holders = BTreeSet::new();
    for (pool, known) in (0..).map(PoolId::new).zip(&memory.pools) {
        let PoolMemory { closed_by, reservation, .. } = known;
        let stands = |id: JobId| {
            waits(state, id)?;
            if outside.contains(&id) { Err(ErrorKind::NotWaiting(id).into()) } else { Ok(()) }
        };
        let refuse = inside(SnapshotPart::Pool(pool));
        closed_by.map_or(Ok(()), |id| stands(id).and_then(|()| asks_in(state, id, pool))).map_err(&refuse)?;
        let Some(held) = reservation else { continue };
        stands(held.job).and_then(|()| check_reserved(state, pool, held)).map_err(&refuse)?;
        if !holders.insert(held.job) {
            return Err(inside(SnapshotPart::Job(held.job))(SnapshotFault::Twice("its reservation").into()));
        }
    }
    Ok(())
}

/// What rounds tell is of the past, of jobs that are there, and an amount for each pool.
fn check_rounds(state: &State, rounds: &Rounds) -> Result<(), Error> {
    let mut times = [rounds.begun, rounds.allocated].into_iter().flatten();
    if let Some(seen) = times.find(|seen| *seen > state.now) {
        return Err(inside(SnapshotPart::Rounds)(ErrorKind::TimeBackwards { now: state.now, seen }.into()));
    }
    let expected = state.config.pools.len();
    let check = |what: &'static str, pools: &'static str, amounts: &[Float], may_be: fn(f64) -> bool| {
        if amounts.len() != expected {
            let found = amounts.len();
            return Err(Error::from(SnapshotFault::Length { what: pools, found, expected }));
        }
        let all =
            amounts.iter().map(|amount| amount.get()).all(|amount| amount.is_finite() && may_be(amount));
        if all { Ok(()) } else { Err(SnapshotFault::Amount(what).into()) }
    };
    check("what all have had", "pools in its rounds", &rounds.had, |amount| amount >= 0.0)
        .map_err(inside(SnapshotPart::Rounds))?;
    let mut seen = BTreeSet::new();
    for Turn { job, parts, had, owed } in &rounds.turns {
        let refuse = inside(SnapshotPart::Job(*job));
        state.job(*job).map_err(&refuse)?;
        if !seen.insert(*job) {
            return Err(refuse(SnapshotFault::Twice("its turn").into()));
        }
        let pools = "pools in the turn of a job";
        if let Some(parts) = parts {
            check("what it is due", pools, parts, |_| true).map_err(&refuse)?;
        }
        check("what it is owed", pools, owed, |_| true).map_err(&refuse)?;
        // What it is behind is divided by what it has had.
        check("what it has had", pools, had, |amount| amount > 0.0).map_err(&refuse)?;
    }
    Ok(())
}

/// A job can start in a pool.
fn asks_in(state: &State, id: JobId, pool: PoolId) -> Result<(), Error> {
    let mut routes = state.routes.shape(state.alive(id).shape).routes();
    let asks = routes.any(|route| state.routes.route(route).pool == pool);
    if asks { Ok(()) } else { Err(ErrorKind::NoRoute { pool, alternative: 0 }.into()) }
}

fn waits(state: &State, id: JobId) -> Result<(), Error> {
    let waits = state.job(id)?.status() == Status::Waiting;
    if waits { Ok(()) } else { Err(ErrorKind::NotWaiting(id).into()) }
}

/// A reservation is by a route of its job, on nodes that there are.
fn check_reserved(state: &State, pool: PoolId, held: &Reserved) -> Result<(), Error> {
    state.route_in(state.job(held.job)?.shape, pool, held.alternative)?;
    let known = state.ledger.pool(pool);
    let nodes = if known.is_divisible() { 0 } else { known.nodes_configured() };
    let is_there = held.nodes.iter().all(|node| *node < NodeId::new(nodes));
    if is_there && held.nodes.is_sorted_by(|a, b| a < b) {
        Ok(())
    } else {
        Err(ErrorKind::NoRoom(pool).into())
    }
}
