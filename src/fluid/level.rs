//! Level: the event sweep over the water level, for one set of competitors.
//!
//! Every claim grows in proportion to the level from where it starts until it has enough or a group that it asks for
//! runs out. Between two such events everything is linear, so the sweep goes from event to event and nothing is
//! iterated towards.
//!
//! Invariant: what all hold together never passes the room of any group.
//! Absent on purpose: teams, trees, quotas; those become claims in `tree`. Layer 3; uses `exact`.

use super::exact::Number;

/// What one competitor holds at a level: `base + min((level - start) * rate, most) * step` from `start` on.
#[derive(Clone, Debug)]
pub(super) struct Claim<N> {
    /// What it holds before it starts, by group.
    pub(super) base: Vec<N>,
    /// The level at which it begins to grow.
    pub(super) start: N,
    /// What one step asks, by group.
    pub(super) step: Vec<N>,
    /// Steps by unit of level; zero: it never grows.
    pub(super) rate: N,
    /// The most steps; `None`: endless.
    pub(super) most: Option<N>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Waiting,
    Growing,
    Done,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Start,
    Enough,
}

#[derive(Clone, Debug)]
struct Event<N> {
    level: N,
    kind: Kind,
    claim: usize,
}

/// The sweep as it stands at `level`.
struct Sweep<'a, N> {
    room: &'a [N],
    level: N,
    /// What is held, by group, and by how much that grows by unit of level.
    used: Vec<N>,
    growth: Vec<N>,
    /// How many growing claims ask for the group: where there are none, `growth` is zero without rounding.
    growing: Vec<usize>,
    closed: Vec<bool>,
    claims: Vec<Claim<N>>,
    owner: Vec<usize>,
    phase: Vec<Phase>,
    /// Latest first, so that the next one is taken from the end.
    events: Vec<Event<N>>,
    held: Vec<Vec<N>>,
}

/// Raises the level until nobody can grow, and returns what each claim then holds, by group.
///
/// Where a group runs out, all claims that ask for it stop. `instead` is then asked for what such a competitor goes on
/// with, given its position, the groups that are closed, and the steps that it has left; that claim holds nothing yet
/// and counts for the same competitor. The bases together fit the room.
pub(super) fn fill<N: Number>(
    room: &[N],
    claims: Vec<Claim<N>>,
    mut instead: impl FnMut(usize, &[bool], Option<N>) -> Option<Claim<N>>,
) -> Vec<Vec<N>> {
    let groups = room.len();
    let mut sweep = Sweep {
        room,
        level: N::zero(),
        used: vec![N::zero(); groups],
        growth: vec![N::zero(); groups],
        growing: vec![0; groups],
        closed: vec![false; groups],
        held: vec![vec![N::zero(); groups]; claims.len()],
        claims: Vec::new(),
        owner: Vec::new(),
        phase: Vec::new(),
        events: Vec::new(),
    };
    for (owner, claim) in claims.into_iter().enumerate() {
        sweep.add(owner, claim);
    }
    // Latest first; of equal ones those of the first claims are taken first.
    let by_level = |a: &Event<N>, b: &Event<N>| {
        let order = b.level.partial_cmp(&a.level).unwrap_or(core::cmp::Ordering::Equal);
        order.then(b.claim.cmp(&a.claim))
    };
    sweep.events.sort_by(by_level);
    while let Some(closing) = sweep.next() {
        for (owner, start, left) in sweep.close(closing) {
            let Some(mut claim) = instead(owner, &sweep.closed, left) else { continue };
            claim.start = start.larger(sweep.level.clone());
            sweep.add(owner, claim);
            sweep.events.sort_by(by_level);
        }
    }
    sweep.held
}

impl<N: Number> Sweep<'_, N> {
    /// Takes up a claim with its events.
    fn add(&mut self, owner: usize, claim: Claim<N>) {
        let index = self.claims.len();
        let closed = claim.step.iter().zip(&self.closed).any(|(step, closed)| *closed && !step.is_zero());
        let none = claim.most.as_ref().is_some_and(N::is_zero);
        let grows = !claim.rate.is_zero() && !closed && !none;
        if grows {
            if let Some(most) = &claim.most {
                let level = claim.start.plus(&most.over(&claim.rate));
                self.events.push(Event { level, kind: Kind::Enough, claim: index });
            }
            self.events.push(Event { level: claim.start.clone(), kind: Kind::Start, claim: index });
        }
        for (group, base) in claim.base.iter().enumerate() {
            self.used[group] = self.used[group].plus(base);
            self.held[owner][group] = self.held[owner][group].plus(base);
        }
        self.phase.push(if grows { Phase::Waiting } else { Phase::Done });
        self.claims.push(claim);
        self.owner.push(owner);
    }

    /// Goes through events up to the next group that runs out; `None` where nobody grows any more.
    fn next(&mut self) -> Option<usize> {
        loop {
            if let Some((level, group)) = self.closing() {
                self.rise(&level);
                return Some(group);
            }
            let event = self.events.pop()?;
            self.rise(&event.level);
            match (event.kind, self.phase[event.claim]) {
                (Kind::Start, Phase::Waiting) => self.start(event.claim),
                (Kind::Enough, Phase::Growing) => drop(self.stop(event.claim)),
                _ => {}
            }
        }
    }

    /// The first group that runs out no later than the next event, and the level at which it does.
    fn closing(&self) -> Option<(N, usize)> {
        let ahead = self.events.last().map(|event| event.level.minus(&self.level));
        let mut first: Option<(N, usize)> = None;
        for group in (0..self.room.len()).filter(|group| !self.closed[*group]) {
            let slack = self.room[group].minus(&self.used[group]);
            let level = if slack.is_zero() {
                self.level.clone()
            } else if self.growing[group] == 0
                || ahead.as_ref().is_some_and(|ahead| ahead.times(&self.growth[group]) < slack)
            {
                continue;
            } else {
                self.level.plus(&slack.over(&self.growth[group]))
            };
            if first.as_ref().is_none_or(|(least, _)| level < *least) {
                first = Some((level, group));
            }
        }
        first
    }

    fn rise(&mut self, level: &N) {
        let ahead = level.minus(&self.level);
        if ahead.is_zero() {
            return;
        }
        for (used, growth) in self.used.iter_mut().zip(&self.growth) {
            *used = used.plus(&ahead.times(growth));
        }
        self.level = level.clone();
    }

    fn start(&mut self, index: usize) {
        self.phase[index] = Phase::Growing;
        let claim = &self.claims[index];
        for (group, step) in claim.step.iter().enumerate().filter(|(_, step)| !step.is_zero()) {
            self.growth[group] = self.growth[group].plus(&claim.rate.times(step));
            self.growing[group] += 1;
        }
    }

    /// Ends a claim at the present level and books what it holds; returns the steps that it has left.
    fn stop(&mut self, index: usize) -> Option<N> {
        let claim = &self.claims[index];
        let was_growing = self.phase[index] == Phase::Growing;
        self.phase[index] = Phase::Done;
        if !was_growing {
            return claim.most.clone();
        }
        let mut steps = self.level.minus(&claim.start).times(&claim.rate);
        if let Some(most) = &claim.most {
            steps = steps.smaller(most.clone());
        }
        for (group, step) in claim.step.iter().enumerate().filter(|(_, step)| !step.is_zero()) {
            let held = &mut self.held[self.owner[index]][group];
            *held = held.plus(&steps.times(step));
            self.growing[group] -= 1;
            let gone = claim.rate.times(step);
            let rest = self.growth[group].minus(&gone);
            self.growth[group] = match self.growing[group] {
                0 => N::zero(),
                // Rounded numbers lose too many digits where almost all of the growth goes.
                _ if rest.times(&N::whole(1024)) < gone => self.growth_of(group),
                _ => rest,
            };
        }
        claim.most.as_ref().map(|most| most.minus(&steps))
    }

    /// The growth of a group, added up afresh.
    fn growth_of(&self, group: usize) -> N {
        let growing = self.claims.iter().zip(&self.phase).filter(|(_, phase)| **phase == Phase::Growing);
        growing.fold(N::zero(), |sum, (claim, _)| sum.plus(&claim.rate.times(&claim.step[group])))
    }

    /// Closes a group; returns who was stopped by that, from where its claim was to start, and the steps left.
    fn close(&mut self, group: usize) -> Vec<(usize, N, Option<N>)> {
        self.closed[group] = true;
        let asks =
            |index: &usize| self.phase[*index] != Phase::Done && !self.claims[*index].step[group].is_zero();
        let stopped: Vec<usize> = (0..self.claims.len()).filter(asks).collect();
        stopped
            .into_iter()
            .map(|index| {
                let left = self.stop(index);
                (self.owner[index], self.claims[index].start.clone(), left)
            })
            .collect()
    }
}
