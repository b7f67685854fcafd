//! What every fluid optimum must keep, said once: the rows of the table of properties, for a division of amounts among
//! teams that can tell what a team would make of other amounts. And two divisions: one domain, also down a tree, and
//! pools; the third is in `speed_properties`.
//!
//! Each check says by how much a property is missed, nothing or less where it holds. Absent on purpose: which division
//! keeps which property; that is in `optimum_properties`, and what none keeps in `counterexamples`.

use crate::fluid_properties::{float, most, ratio};
use fairshare::{Fluid, PoolTeam, TeamId, Weight, pool_entitlements};

/// What one team holds.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    /// What it makes of it: tasks, an amount, a throughput.
    pub(crate) use_of: f64,
    /// Amounts by group or pool.
    pub(crate) amounts: Vec<f64>,
}

/// A division of amounts among teams.
pub(crate) trait Optimum: Clone + core::fmt::Debug {
    type Team: Clone;

    fn capacity(&self) -> &[u64];
    fn capacity_mut(&mut self) -> &mut Vec<u64>;
    fn teams(&self) -> &[Self::Team];
    fn teams_mut(&mut self) -> &mut Vec<Self::Team>;
    fn weight(team: &mut Self::Team) -> &mut Weight;
    /// What teams hold at the optimum.
    fn divide(&self) -> Vec<Held>;
    /// What a team could make of such amounts.
    fn useful(&self, team: usize, amounts: &[f64]) -> f64;
    /// The same with a smaller unit for a group, and what one use is then: one kind in many pools has one unit.
    fn in_other_units(&self, group: usize, factor: u64) -> (Self, f64);
    fn reversed(&self) -> Self {
        let mut reversed = self.clone();
        reversed.teams_mut().reverse();
        reversed
    }
    /// The part of everything that is a team's by weight.
    fn part(&self, team: usize) -> f64 {
        let all: f64 = (0..self.teams().len()).map(|team| weight_of(self, team)).sum();
        weight_of(self, team) / all
    }
    /// Whether two teams are weighed against each other.
    fn are_siblings(&self, _: usize, _: usize) -> bool {
        true
    }
}

/// By how much `more` is above `less`, in parts of the larger of them or of one.
fn above(more: f64, less: f64) -> f64 {
    (more - less) / more.abs().max(less.abs()).max(1.0)
}

/// The largest; what is no number is worse than all numbers.
fn worst(gaps: impl Iterator<Item = f64>) -> f64 {
    gaps.fold(f64::NEG_INFINITY, |worst, gap| if gap > worst || gap.is_nan() { gap } else { worst })
}

fn weight_of<O: Optimum>(case: &O, team: usize) -> f64 {
    ratio(*O::weight(&mut case.teams()[team].clone()))
}

/// Amounts that are not there, or below nothing, or more than a team has a use for.
pub(crate) fn unlawful<O: Optimum>(case: &O) -> f64 {
    let held = case.divide();
    let below = worst(held.iter().flat_map(|held| held.amounts.iter().map(|amount| -amount)));
    let beyond =
        worst(case.capacity().iter().enumerate().map(|(group, capacity)| {
            above(held.iter().map(|held| held.amounts[group]).sum(), float(*capacity))
        }));
    let idle = worst(
        held.iter().enumerate().map(|(team, held)| above(held.use_of, case.useful(team, &held.amounts))),
    );
    below.max(beyond).max(idle)
}

/// The same again, and with the teams the other way round.
pub(crate) fn by_chance<O: Optimum>(case: &O) -> f64 {
    let (held, again) = (case.divide(), case.divide());
    let other = case.reversed().divide();
    let differ = |a: &Held, b: &Held| above(a.use_of, b.use_of).abs();
    let same = held.iter().zip(&again).map(|(a, b)| if a.amounts == b.amounts { 0.0 } else { 1.0 });
    worst(same.chain(held.iter().zip(other.iter().rev()).map(|(a, b)| differ(a, b))))
}

/// What a part of everything by weight is worth more than what a team holds.
pub(crate) fn better_alone<O: Optimum>(case: &O) -> f64 {
    worst(case.divide().iter().enumerate().map(|(team, held)| {
        let part = case.part(team);
        let own: Vec<f64> = case.capacity().iter().map(|amount| float(*amount) * part).collect();
        above(case.useful(team, &own), held.use_of)
    }))
}

/// What a team would rather have of another's amounts, in proportion to their weights.
pub(crate) fn envy<O: Optimum>(case: &O) -> f64 {
    let held = case.divide();
    worst((0..held.len()).flat_map(|mine| {
        let held = &held;
        (0..held.len()).filter(move |its| case.are_siblings(mine, *its)).map(move |its| {
            let scale = weight_of(case, mine) / weight_of(case, its);
            let amounts: Vec<f64> = held[its].amounts.iter().map(|amount| amount * scale).collect();
            above(case.useful(mine, &amounts), held[mine].use_of)
        })
    }))
}

/// What a team gains by saying that it is another.
pub(crate) fn gain_of_a_lie<O: Optimum>(case: &O, team: usize, lie: &O::Team) -> f64 {
    let mut told = case.clone();
    told.teams_mut()[team] = lie.clone();
    let got = case.useful(team, &told.divide()[team].amounts);
    above(got, case.divide()[team].use_of)
}

/// What a sibling of the last team loses when that leaves.
pub(crate) fn loss_by_leaving<O: Optimum>(case: &O) -> f64 {
    let mut fewer = case.clone();
    fewer.teams_mut().pop();
    let (before, after) = (case.divide(), fewer.divide());
    let stay = (0..after.len()).filter(|team| case.are_siblings(*team, after.len()));
    worst(stay.map(|team| above(before[team].use_of, after[team].use_of)))
}

/// What somebody loses when there is more of a group or pool.
pub(crate) fn loss_by_more<O: Optimum>(case: &O, group: usize, more: u64) -> f64 {
    let mut larger = case.clone();
    larger.capacity_mut()[group] += more;
    worst(case.divide().iter().zip(larger.divide()).map(|(before, after)| above(before.use_of, after.use_of)))
}

/// What a team loses by a larger weight.
pub(crate) fn loss_by_weight<O: Optimum>(case: &O, team: usize, factor: u64) -> f64 {
    let mut heavier = case.clone();
    let weight = O::weight(&mut heavier.teams_mut()[team]);
    *weight = Weight::new(weight.numerator() * factor, weight.denominator()).unwrap();
    above(case.divide()[team].use_of, heavier.divide()[team].use_of)
}

/// What changes when a group or pool is counted in another unit; what is made of the amounts is told in the same unit.
pub(crate) fn change_by_units<O: Optimum>(case: &O, group: usize, factor: u64) -> f64 {
    let (scaled, unit) = case.in_other_units(group, factor);
    let scaled = scaled.divide().into_iter();
    worst(
        case.divide()
            .iter()
            .zip(scaled)
            .map(|(before, after)| above(before.use_of, after.use_of / unit).abs()),
    )
}

/// One domain, or a tree, where leaves alone hold something.
impl Optimum for Fluid {
    type Team = fairshare::FluidTeam;

    fn capacity(&self) -> &[u64] {
        &self.capacity
    }

    fn capacity_mut(&mut self) -> &mut Vec<u64> {
        &mut self.capacity
    }

    fn teams(&self) -> &[Self::Team] {
        &self.teams
    }

    fn teams_mut(&mut self) -> &mut Vec<Self::Team> {
        &mut self.teams
    }

    fn weight(team: &mut Self::Team) -> &mut Weight {
        &mut team.weight
    }

    fn divide(&self) -> Vec<Held> {
        let held = self.entitlements().unwrap().into_iter().zip(&self.teams);
        held.map(|(held, team)| {
            let use_of = held.tasks.to_f64();
            let mut amounts: Vec<f64> = team.request.iter().map(|need| use_of * float(*need)).collect();
            amounts.resize(self.capacity.len(), 0.0);
            Held { use_of, amounts }
        })
        .collect()
    }

    fn useful(&self, team: usize, amounts: &[f64]) -> f64 {
        let team = &self.teams[team];
        let asked = team.request.iter().zip(amounts).filter(|(need, _)| **need > 0);
        let tasks = asked.map(|(need, amount)| amount / float(*need)).reduce(f64::min);
        tasks.map_or(0.0, |tasks| tasks.min(most(self, team)))
    }

    fn in_other_units(&self, group: usize, factor: u64) -> (Self, f64) {
        let mut scaled = self.clone();
        scaled.capacity[group] *= factor;
        for team in &mut scaled.teams {
            if let Some(amount) = team.request.get_mut(group) {
                *amount *= factor;
            }
            for bound in [&mut team.quota, &mut team.limit] {
                if let Some(Some(amount)) = bound.get_mut(group) {
                    *amount *= factor;
                }
            }
        }
        (scaled, 1.0)
    }

    fn reversed(&self) -> Self {
        let mut reversed = self.clone();
        reversed.teams.reverse();
        let last = u32::try_from(self.teams.len()).unwrap() - 1;
        for team in &mut reversed.teams {
            team.parent =
                team.parent.map(|parent| TeamId::new(last - u32::try_from(parent.index()).unwrap()));
        }
        reversed
    }

    fn part(&self, team: usize) -> f64 {
        let siblings = (0..self.teams.len()).filter(|its| self.are_siblings(team, *its));
        let all: f64 = siblings.map(|its| ratio(self.teams[its].weight)).sum();
        let above = self.teams[team].parent.map_or(1.0, |parent| self.part(parent.index()));
        above * ratio(self.teams[team].weight) / all
    }

    fn are_siblings(&self, one: usize, other: usize) -> bool {
        self.teams[one].parent == self.teams[other].parent
    }
}

/// Pools of one kind, and who may use which.
#[derive(Clone, Debug)]
pub(crate) struct Pools {
    pub(crate) capacity: Vec<u64>,
    pub(crate) teams: Vec<PoolTeam>,
}

impl Optimum for Pools {
    type Team = PoolTeam;

    fn capacity(&self) -> &[u64] {
        &self.capacity
    }

    fn capacity_mut(&mut self) -> &mut Vec<u64> {
        &mut self.capacity
    }

    fn teams(&self) -> &[PoolTeam] {
        &self.teams
    }

    fn teams_mut(&mut self) -> &mut Vec<PoolTeam> {
        &mut self.teams
    }

    fn weight(team: &mut PoolTeam) -> &mut Weight {
        &mut team.weight
    }

    fn divide(&self) -> Vec<Held> {
        let rows = pool_entitlements(&self.capacity, &self.teams).unwrap().into_iter();
        rows.map(|row| Held {
            use_of: row.iter().sum::<fairshare::Exact>().to_f64(),
            amounts: row.iter().map(fairshare::Exact::to_f64).collect(),
        })
        .collect()
    }

    fn useful(&self, team: usize, amounts: &[f64]) -> f64 {
        let team = &self.teams[team];
        let mine = amounts.iter().enumerate().filter(|(pool, _)| team.eligible.contains(pool));
        mine.map(|(_, amount)| amount).sum::<f64>().min(team.demand.map_or(f64::INFINITY, float))
    }

    /// One kind has one unit: all pools change.
    fn in_other_units(&self, _: usize, factor: u64) -> (Self, f64) {
        let mut scaled = self.clone();
        scaled.capacity.iter_mut().for_each(|amount| *amount *= factor);
        for team in &mut scaled.teams {
            team.floor *= factor;
            team.demand = team.demand.map(|demand| demand * factor);
        }
        (scaled, float(factor))
    }
}
