//! Tree: the entitlements of a team tree, one sweep a level.
//!
//! Going up, every team that has children is asked what it would take if it were alone: with all capacity (its *wish*),
//! and within its quota (its *floor*). Going down, what a team is entitled to is the room of its children. What some
//! level leaves unused, because a team's mixture cannot be taken in the proportions in which it was divided, is divided
//! among the leaves by the product of their fractions at every level, so that nothing is left that anybody could use.
//!
//! Invariant: a member stands before its descendants, which follow it without a gap.
//! Absent on purpose: jobs and pools. Layer 3; uses `exact`, `level`.

use super::exact::Number;
use super::level::{Claim, fill};
use super::{FloorForm, Fluid, FluidError, FluidTeam};
use crate::id::TeamId;

/// One competitor among siblings: a team, or the own jobs of a team that has children.
struct Member<N> {
    team: usize,
    children: Vec<usize>,
    /// One past its last descendant.
    end: usize,
    weight: N,
    quota: Vec<Option<u64>>,
    limit: Vec<Option<u64>>,
    /// Amounts of one task; all zero for a member with children.
    request: Vec<N>,
    /// The most tasks, limits included.
    tasks: Option<N>,
}

/// What a member wants, in the terms of its siblings' sweep.
#[derive(Clone)]
struct Wish<N> {
    /// What its quota holds of it.
    floor: Vec<N>,
    /// One step towards what it wants.
    step: Vec<N>,
    /// How many steps; `None`: endless.
    most: Option<N>,
}

/// The members, in an order in which parents stand before children, and what they compete for.
pub(super) struct Members<N> {
    capacity: Vec<N>,
    form: FloorForm,
    roots: Vec<usize>,
    list: Vec<Member<N>>,
}

impl<N: Number> Members<N> {
    pub(super) fn new(fluid: &Fluid) -> Result<Self, FluidError> {
        let teams = &fluid.teams;
        let mut children = vec![Vec::new(); teams.len()];
        let mut stack = Vec::new();
        for (index, team) in teams.iter().enumerate() {
            let id = TeamId::at(index);
            fluid.check(id, team)?;
            match team.parent {
                None => stack.push((index, None)),
                Some(parent) => match children.get_mut(parent.index()) {
                    Some(list) => list.push(index),
                    None => return Err(FluidError::Parent(id)),
                },
            }
        }
        stack.reverse();
        let capacity: Vec<N> = fluid.capacity.iter().map(|c| N::whole(*c)).collect();
        let mut tree = Self { capacity, form: fluid.form, roots: Vec::new(), list: Vec::new() };
        let mut seen = vec![false; teams.len()];
        while let Some((index, parent)) = stack.pop() {
            seen[index] = true;
            let at = tree.add(index, &teams[index], parent, children[index].is_empty());
            stack.extend(children[index].iter().rev().map(|child| (*child, Some(at))));
        }
        if let Some(index) = seen.iter().position(|seen| !seen) {
            return Err(FluidError::Parent(TeamId::at(index)));
        }
        tree.inherit();
        Ok(tree)
    }

    /// Adds a team, and its own jobs as a leaf of weight one where it has children too.
    fn add(&mut self, index: usize, team: &FluidTeam, parent: Option<usize>, leaf: bool) -> usize {
        let groups = self.capacity.len();
        let mut member = Member {
            team: index,
            children: Vec::new(),
            end: 0,
            weight: N::ratio(team.weight.numerator(), team.weight.denominator()),
            quota: padded(&team.quota, groups),
            limit: padded(&team.limit, groups),
            request: Vec::new(),
            tasks: Some(N::zero()),
        };
        let request: Vec<N> = team.request.iter().map(|amount| N::whole(*amount)).collect();
        let asks = team.request.iter().any(|amount| *amount > 0);
        let tasks = team.tasks.map(N::whole);
        let at = self.list.len();
        self.hang(at, parent);
        if leaf && asks {
            member.tasks = within(&request, &member.limit).into_iter().chain(tasks).reduce(N::smaller);
            member.request = request;
            self.list.push(member);
        } else {
            member.request = vec![N::zero(); groups];
            self.list.push(member);
            if asks {
                self.hang(at + 1, Some(at));
                self.list.push(Member {
                    team: index,
                    children: Vec::new(),
                    end: 0,
                    weight: N::whole(1),
                    quota: vec![None; groups],
                    limit: vec![None; groups],
                    request,
                    tasks,
                });
            }
        }
        at
    }

    fn hang(&mut self, member: usize, parent: Option<usize>) {
        match parent {
            Some(parent) => self.list[parent].children.push(member),
            None => self.roots.push(member),
        }
    }

    /// Completes what follows from the children: where descendants end, and the quota of a team that names none.
    fn inherit(&mut self) {
        for at in (0..self.list.len()).rev() {
            let children = core::mem::take(&mut self.list[at].children);
            let end = children.last().map_or(at + 1, |last| self.list[*last].end);
            self.list[at].end = end;
            if self.list[at].quota.iter().all(Option::is_none) {
                for child in &children {
                    for group in 0..self.capacity.len() {
                        if let Some(part) = self.list[*child].quota[group] {
                            let sum = self.list[at].quota[group].unwrap_or(0).saturating_add(part);
                            self.list[at].quota[group] = Some(sum);
                        }
                    }
                }
            }
            self.list[at].children = children;
        }
    }

    /// What every member holds at the optimum, by group.
    pub(super) fn solve(&self) -> Vec<Vec<N>> {
        let open = vec![false; self.capacity.len()];
        let wishes = self.wishes(0..self.list.len(), &open);
        let mut held = vec![Vec::new(); self.list.len()];
        let mut parts = vec![(self.roots.clone(), self.capacity.clone())];
        while let Some((siblings, room)) = parts.pop() {
            let wanted: Vec<&Wish<N>> = siblings.iter().map(|at| &wishes[*at]).collect();
            let amounts = self.divide(&siblings, &wanted, &room, true);
            for (at, amounts) in siblings.into_iter().zip(amounts) {
                if !self.list[at].children.is_empty() {
                    parts.push((self.list[at].children.clone(), amounts.clone()));
                }
                held[at] = amounts;
            }
        }
        self.sum_up(&mut held);
        if self.list.iter().any(|member| !member.children.is_empty()) {
            self.use_what_is_left(&mut held);
            self.sum_up(&mut held);
        }
        held
    }

    /// What the members `range`, whole subtrees, want of the groups that are not closed.
    fn wishes(&self, range: core::ops::Range<usize>, closed: &[bool]) -> Vec<Wish<N>> {
        let groups = self.capacity.len();
        let nothing =
            || Wish { floor: vec![N::zero(); groups], step: vec![N::zero(); groups], most: Some(N::zero()) };
        // The last first, until all are there.
        let mut wishes: Vec<Wish<N>> = Vec::with_capacity(range.len());
        for at in range.clone().rev() {
            let member = &self.list[at];
            if member.children.is_empty() {
                let blocked =
                    member.request.iter().zip(closed).any(|(need, closed)| *closed && !need.is_zero());
                wishes.push(if blocked { nothing() } else { leaf_wish(member) });
                continue;
            }
            let wanted: Vec<&Wish<N>> =
                member.children.iter().map(|child| &wishes[range.end - 1 - child]).collect();
            let room = bounded(&self.capacity, &member.limit);
            let step = total(&self.divide(&member.children, &wanted, &room, false), groups);
            // Within the quota, only what asks for something that the quota names.
            let named = |wish: &&Wish<N>| {
                wish.step.iter().zip(&member.quota).any(|(step, quota)| quota.is_some() && !step.is_zero())
            };
            let none = nothing();
            let guaranteed: Vec<&Wish<N>> =
                wanted.iter().map(|wish| if named(wish) { *wish } else { &none }).collect();
            let room = bounded(&room, &member.quota);
            let floor = total(&self.divide(&member.children, &guaranteed, &room, false), groups);
            wishes.push(Wish { floor, step, most: Some(N::whole(1)) });
        }
        wishes.reverse();
        wishes
    }

    /// Divides `room` among siblings: first their floors, then by level. With `regroup`, a team that has children and
    /// loses a group goes on with those of its children that can.
    fn divide(&self, siblings: &[usize], wishes: &[&Wish<N>], room: &[N], regroup: bool) -> Vec<Vec<N>> {
        let groups = self.capacity.len();
        let zero = vec![N::zero(); groups];
        let mut base = vec![zero.clone(); siblings.len()];
        if wishes.iter().any(|wish| wish.floor.iter().any(|amount| !amount.is_zero())) {
            let claims = siblings.iter().zip(wishes).map(|(at, wish)| {
                self.claim(zero.clone(), wish.floor.clone(), Some(N::whole(1)), &self.list[*at].weight)
            });
            base = fill(room, claims.collect(), |_, _, _| None);
        }
        let claims = siblings.iter().zip(wishes).zip(base).map(|((at, wish), base)| {
            let member = &self.list[*at];
            let (step, most) = if member.children.is_empty() {
                let done = multiple(&base, &wish.step);
                (wish.step.clone(), wish.most.as_ref().map(|most| most.minus(&done)))
            } else {
                let rest = wish.step.iter().zip(&base).map(|(want, have)| want.minus(have)).collect();
                (rest, wish.most.clone())
            };
            self.claim(base, step, most, &member.weight)
        });
        fill(room, claims.collect(), |owner, closed, left| {
            let at = siblings[owner];
            let member = &self.list[at];
            if !regroup || member.children.is_empty() {
                return None;
            }
            let wish = self.wishes(at..member.end, closed).into_iter().next()?;
            Some(self.claim(zero.clone(), wish.step, left, &member.weight))
        })
    }

    fn claim(&self, base: Vec<N>, step: Vec<N>, most: Option<N>, weight: &N) -> Claim<N> {
        let rate = match dominant(&step, &self.capacity) {
            Some(share) if !share.is_zero() => weight.over(&share),
            _ => N::zero(),
        };
        let start = match self.form {
            FloorForm::Max => dominant(&base, &self.capacity).unwrap_or_else(N::zero).over(weight),
            FloorForm::Additive => N::zero(),
        };
        Claim { base, start, step, rate, most }
    }

    /// Divides what no level could use among the leaves, within the limits of the teams above them.
    fn use_what_is_left(&self, held: &mut [Vec<N>]) {
        let groups = self.capacity.len();
        let (fractions, limits) = (self.fractions(), self.limits());
        let row = |at: usize, amounts: &[N]| -> Vec<N> {
            let inside = |member: usize| (member..self.list[member].end).contains(&at);
            let bound = limits.iter().map(
                |(member, group, _)| {
                    if inside(*member) { amounts[*group].clone() } else { N::zero() }
                },
            );
            amounts.iter().cloned().chain(bound).collect()
        };
        let room: Vec<N> = self
            .capacity
            .iter()
            .cloned()
            .chain(limits.iter().map(|(_, _, limit)| N::whole(*limit)))
            .collect();
        let leaves: Vec<usize> =
            (0..self.list.len()).filter(|at| self.list[*at].children.is_empty()).collect();
        let claims = leaves.iter().map(|at| {
            let (at, member) = (*at, &self.list[*at]);
            let done = multiple(&held[at], &member.request);
            let most = member.tasks.as_ref().map(|tasks| tasks.minus(&done));
            let mut claim = self.claim(held[at].clone(), member.request.clone(), most, &fractions[at]);
            claim.start = dominant(&claim.base, &self.capacity).unwrap_or_else(N::zero).over(&fractions[at]);
            Claim { base: row(at, &claim.base), step: row(at, &claim.step), ..claim }
        });
        let amounts = fill(&room, claims.collect(), |_, _, _| None);
        for (at, mut amounts) in leaves.into_iter().zip(amounts) {
            amounts.truncate(groups);
            held[at] = amounts;
        }
    }

    /// The product of a member's fractions of the weight at every level.
    fn fractions(&self) -> Vec<N> {
        let mut fractions = vec![N::whole(1); self.list.len()];
        let sum =
            |siblings: &[usize]| siblings.iter().fold(N::zero(), |sum, at| sum.plus(&self.list[*at].weight));
        let all = sum(&self.roots);
        for root in &self.roots {
            fractions[*root] = self.list[*root].weight.over(&all);
        }
        for (at, member) in self.list.iter().enumerate() {
            let all = sum(&member.children);
            for child in &member.children {
                fractions[*child] = fractions[at].times(&self.list[*child].weight.over(&all));
            }
        }
        fractions
    }

    /// The limits of members that have children, as rooms of their own.
    fn limits(&self) -> Vec<(usize, usize, u64)> {
        let inner = self.list.iter().enumerate().filter(|(_, member)| !member.children.is_empty());
        inner
            .flat_map(|(at, member)| {
                let named = member.limit.iter().enumerate();
                named.filter_map(move |(group, limit)| limit.map(|limit| (at, group, limit)))
            })
            .collect()
    }

    /// Makes what a team holds the sum of what its children do.
    fn sum_up(&self, held: &mut [Vec<N>]) {
        for (at, member) in self.list.iter().enumerate().rev() {
            if !member.children.is_empty() {
                let parts: Vec<Vec<N>> = member.children.iter().map(|child| held[*child].clone()).collect();
                held[at] = total(&parts, self.capacity.len());
            }
        }
    }

    /// Calls `each` with the team, whether it stands for the whole team, its tasks, and what it holds.
    pub(super) fn for_each(&self, held: &[Vec<N>], mut each: impl FnMut(usize, bool, N, Option<N>, &[N])) {
        let mut named = vec![false; self.list.len()];
        for (at, member) in self.list.iter().enumerate() {
            let whole = !core::mem::replace(&mut named[member.team], true);
            let tasks = multiple(&held[at], &member.request);
            each(member.team, whole, tasks, dominant(&held[at], &self.capacity), &held[at]);
        }
    }
}

fn padded(amounts: &[Option<u64>], groups: usize) -> Vec<Option<u64>> {
    (0..groups).map(|group| amounts.get(group).copied().flatten()).collect()
}

/// How many tasks the bounds hold: `None` where they name nothing that is asked for.
fn within<N: Number>(request: &[N], bounds: &[Option<u64>]) -> Option<N> {
    let quotient = |(need, bound): (&N, &Option<u64>)| {
        let bound = bound.filter(|_| !need.is_zero())?;
        Some(N::whole(bound).over(need))
    };
    request.iter().zip(bounds).filter_map(quotient).reduce(N::smaller)
}

/// The largest share; `None` where something is held of which there is none.
fn dominant<N: Number>(amounts: &[N], capacity: &[N]) -> Option<N> {
    let mut largest = N::zero();
    for (amount, capacity) in amounts.iter().zip(capacity).filter(|(amount, _)| !amount.is_zero()) {
        if capacity.is_zero() {
            return None;
        }
        largest = largest.larger(amount.over(capacity));
    }
    Some(largest)
}

fn total<N: Number>(parts: &[Vec<N>], groups: usize) -> Vec<N> {
    let sum = |group: usize| parts.iter().fold(N::zero(), |sum, part| sum.plus(&part[group]));
    (0..groups).map(sum).collect()
}

fn leaf_wish<N: Number>(member: &Member<N>) -> Wish<N> {
    let floor = within(&member.request, &member.quota).unwrap_or_else(N::zero);
    let floor = match &member.tasks {
        Some(tasks) => floor.smaller(tasks.clone()),
        None => floor,
    };
    let floor = member.request.iter().map(|need| need.times(&floor)).collect();
    Wish { floor, step: member.request.clone(), most: member.tasks.clone() }
}

fn bounded<N: Number>(room: &[N], bound: &[Option<u64>]) -> Vec<N> {
    let least = |(room, bound): (&N, &Option<u64>)| match bound {
        Some(bound) => room.clone().smaller(N::whole(*bound)),
        None => room.clone(),
    };
    room.iter().zip(bound).map(least).collect()
}

/// How many times `step` is in `base`, which is a multiple of it.
fn multiple<N: Number>(base: &[N], step: &[N]) -> N {
    let times = base.iter().zip(step).filter(|(_, step)| !step.is_zero()).map(|(base, step)| base.over(step));
    times.reduce(N::larger).unwrap_or_else(N::zero)
}
