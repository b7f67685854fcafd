//! Pools: constrained max-min over pools of one resource kind with eligibility.
//!
//! What teams can hold together is a polymatroid: no set of teams more than the pools that one of them may use. The
//! level rises until some set is full. That set is found as by Newton's method: try a level, ask a maximum flow whether
//! it fits, and where it does not, go down to the level at which the set behind the minimum cut just fits.
//!
//! Absent on purpose: several resources, and speeds. Layer 3; uses `exact`, `level`.

use std::collections::{BTreeMap, VecDeque};

use super::FluidError;
use super::exact::{Exact, Number};
use crate::share::Weight;

/// What one team asks of pools of one kind.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct PoolTeam {
    /// Weight among the teams.
    pub weight: Weight,
    /// Positions of the pools that it may use, in any order.
    pub eligible: Vec<usize>,
    /// The most it can use; `None`: endless.
    pub demand: Option<u64>,
    /// What it is guaranteed, in max form.
    pub floor: u64,
}

impl PoolTeam {
    /// A team of weight one with endless demand for these pools.
    #[must_use]
    pub fn new(eligible: Vec<usize>) -> Self {
        Self { weight: Weight::ONE, eligible, demand: None, floor: 0 }
    }

    /// With another weight.
    #[must_use]
    pub fn with_weight(mut self, weight: Weight) -> Self {
        self.weight = weight;
        self
    }

    /// With at most so much to use.
    #[must_use]
    pub fn with_demand(mut self, demand: u64) -> Self {
        self.demand = Some(demand);
        self
    }

    /// With a guarantee.
    #[must_use]
    pub fn with_floor(mut self, floor: u64) -> Self {
        self.floor = floor;
        self
    }
}

/// The amounts of each team in each pool at the constrained max-min optimum.
///
/// The totals of the teams are unique. How they are spread over the pools is not: teams that may use the same pools
/// are spread alike, and a set of pools that nobody contends for is filled in the order of the pools.
///
/// # Errors
///
/// [`FluidError::Pool`] for an eligible pool that there is not.
///
/// # Complexity
///
/// At most one round for each distinct set of eligible pools, each with a few maximum flows between those sets and the
/// pools.
///
/// # Examples
///
/// Eight H200 and four L4, for teams that may use the first, both, and the second:
///
/// ```
/// use fairshare::{Exact, PoolTeam, pool_entitlements};
/// let teams = [PoolTeam::new(vec![0]), PoolTeam::new(vec![0, 1]), PoolTeam::new(vec![1])];
/// let amounts = pool_entitlements(&[8, 4], &teams).unwrap();
/// assert_eq!(amounts[1], [Exact::from(4), Exact::from(0)]);
/// ```
///
/// # References
///
/// Ghodsi et al., "Choosy: max-min fair sharing for datacenter jobs with constraints", `EuroSys` 2013; Megiddo, "Optimal
/// flows in networks with multiple sources and sinks", 1974.
pub fn pool_entitlements(capacity: &[u64], teams: &[PoolTeam]) -> Result<Vec<Vec<Exact>>, FluidError> {
    let mut classes: BTreeMap<Vec<usize>, usize> = BTreeMap::new();
    let mut class = Vec::new();
    for (index, team) in teams.iter().enumerate() {
        if let Some(pool) = team.eligible.iter().find(|pool| **pool >= capacity.len()) {
            return Err(FluidError::Pool { team: index, pool: *pool });
        }
        let mut eligible = team.eligible.clone();
        eligible.sort_unstable();
        eligible.dedup();
        let next = classes.len();
        class.push(*classes.entry(eligible).or_insert(next));
    }
    let mut eligible = vec![Vec::new(); classes.len()];
    for (pools, at) in classes {
        eligible[at] = pools;
    }
    let network = Network { capacity: capacity.iter().map(|c| Exact::from(*c)).collect(), eligible };
    let bound = |demand: Option<u64>| demand.map(Exact::from);
    let floors: Vec<_> = teams
        .iter()
        .map(|team| {
            let floor = team.demand.map_or(team.floor, |demand| demand.min(team.floor));
            Want { least: Exact::from(0), most: Some(Exact::from(floor)), weight: weight(team) }
        })
        .collect();
    let least = network.level(&class, &floors);
    let wants: Vec<_> = teams
        .iter()
        .zip(least)
        .map(|(team, least)| Want { least, most: bound(team.demand), weight: weight(team) })
        .collect();
    let totals = network.level(&class, &wants);
    Ok(network.spread(&class, &totals))
}

fn weight(team: &PoolTeam) -> Exact {
    Exact::ratio(team.weight.numerator(), team.weight.denominator())
}

/// A team that holds the level times its weight, at least `least` and at most `most`.
#[derive(Clone)]
struct Want {
    least: Exact,
    most: Option<Exact>,
    weight: Exact,
}

/// Classes of teams that may use the same pools, and the pools.
struct Network {
    capacity: Vec<Exact>,
    eligible: Vec<Vec<usize>>,
}

/// A maximum flow from classes to pools.
struct Flow {
    /// By class and pool.
    through: Vec<Vec<Exact>>,
    /// What is left of each pool.
    spare: Vec<Exact>,
    /// Classes on the side of the source in the minimum cut: together they want more than all pools that one of them
    /// may use. None, where the whole demand fits.
    cut: Vec<bool>,
}

impl Network {
    /// The totals of the teams at the optimum.
    fn level(&self, class: &[usize], wants: &[Want]) -> Vec<Exact> {
        let mut totals: Vec<Option<Exact>> = vec![None; wants.len()];
        let mut frozen = vec![false; self.eligible.len()];
        while frozen.contains(&false) {
            let mut set = vec![true; self.eligible.len()];
            let (amounts, flow) = loop {
                let amounts = self.fit(class, wants, &totals, &set);
                let flow = self.flow(&self.demands(class, &amounts));
                if !flow.cut.contains(&true) {
                    break (amounts, flow);
                }
                set.clone_from(&flow.cut);
            };
            let full = self.full(&flow);
            let mut progress = false;
            for at in 0..frozen.len() {
                if !frozen[at] && (full[at] || set[at]) {
                    frozen[at] = true;
                    progress = true;
                }
            }
            if !progress {
                frozen.fill(true);
            }
            for (team, total) in totals.iter_mut().enumerate() {
                if frozen[class[team]] && total.is_none() {
                    *total = Some(amounts[team].clone());
                }
            }
        }
        totals.into_iter().map(|total| total.unwrap_or_else(|| Exact::from(0))).collect()
    }
    /// What every team holds at the highest level at which the classes `set` do not want more than their pools have.
    fn fit(&self, class: &[usize], wants: &[Want], totals: &[Option<Exact>], set: &[bool]) -> Vec<Exact> {
        let inside = |pool: usize| (0..set.len()).any(|at| set[at] && self.eligible[at].contains(&pool));
        let pools = self.capacity.iter().enumerate().filter(|(pool, _)| inside(*pool));
        let mut room = pools.fold(Exact::from(0), |sum, (_, capacity)| sum.plus(capacity));
        let mut rising = Vec::new();
        for (team, want) in wants.iter().enumerate().filter(|(team, _)| set[class[*team]]) {
            match &totals[team] {
                Some(total) => room = room.minus(total),
                None => rising.push(want),
            }
        }
        let level = highest_level(&room, &rising);
        let amount =
            |(want, total): (&Want, &Option<Exact>)| total.clone().unwrap_or_else(|| want.at(level.as_ref()));
        wants.iter().zip(totals).map(amount).collect()
    }

    fn demands(&self, class: &[usize], amounts: &[Exact]) -> Vec<Exact> {
        let mut demands = vec![Exact::from(0); self.eligible.len()];
        for (class, amount) in class.iter().zip(amounts) {
            demands[*class] = demands[*class].plus(amount);
        }
        demands
    }

    /// A maximum flow by shortest augmenting paths, whose number does not depend on the amounts.
    fn flow(&self, demands: &[Exact]) -> Flow {
        let pools = self.capacity.len();
        let mut through = vec![vec![Exact::from(0); pools]; demands.len()];
        let (mut left, mut spare) = (demands.to_vec(), self.capacity.clone());
        loop {
            let search = self.search(&through, &left, &spare);
            let Some(end) = search.end else {
                return Flow {
                    through,
                    spare,
                    cut: search.class.iter().map(|reached| *reached != Reached::No).collect(),
                };
            };
            // Back from the pool to the class that has something left, taking the narrowest place on the way.
            let (mut pool, mut path, mut most) = (end, Vec::new(), spare[end].clone());
            let first = loop {
                let class = search.pool[pool];
                path.push((class, pool, true));
                match search.class[class] {
                    Reached::Pool(before) => {
                        path.push((class, before, false));
                        most = most.smaller(through[class][before].clone());
                        pool = before;
                    }
                    _ => break class,
                }
            };
            most = most.smaller(left[first].clone());
            left[first] = left[first].minus(&most);
            spare[end] = spare[end].minus(&most);
            for (class, pool, more) in path {
                let flow = &mut through[class][pool];
                *flow = if more { flow.plus(&most) } else { flow.minus(&most) };
            }
        }
    }

    /// Breadth first from the classes that have something left to a pool that has.
    fn search(&self, through: &[Vec<Exact>], left: &[Exact], spare: &[Exact]) -> Search {
        let mut search =
            Search { class: vec![Reached::No; left.len()], pool: vec![usize::MAX; spare.len()], end: None };
        let mut queue = VecDeque::new();
        for class in (0..left.len()).filter(|class| !left[*class].is_zero()) {
            search.class[class] = Reached::Source;
            queue.push_back(class);
        }
        while let Some(class) = queue.pop_front() {
            for &pool in &self.eligible[class] {
                if search.pool[pool] != usize::MAX {
                    continue;
                }
                search.pool[pool] = class;
                if !spare[pool].is_zero() {
                    search.end = Some(pool);
                    return search;
                }
                for (other, through) in through.iter().enumerate() {
                    if search.class[other] == Reached::No && !through[pool].is_zero() {
                        search.class[other] = Reached::Pool(pool);
                        queue.push_back(other);
                    }
                }
            }
        }
        search
    }

    /// Classes that can hold no more, however the others are moved between their pools.
    fn full(&self, flow: &Flow) -> Vec<bool> {
        let mut roomy: Vec<bool> = flow.spare.iter().map(|spare| !spare.is_zero()).collect();
        let mut full = vec![true; self.eligible.len()];
        let mut found = true;
        while found {
            found = false;
            for ((full, eligible), through) in full.iter_mut().zip(&self.eligible).zip(&flow.through) {
                if *full && eligible.iter().any(|pool| roomy[*pool]) {
                    (*full, found) = (false, true);
                    for (roomy, through) in roomy.iter_mut().zip(through) {
                        *roomy |= !through.is_zero();
                    }
                }
            }
        }
        full
    }

    /// The amounts by team and pool: what a class holds in a pool is divided as the totals of its teams are.
    fn spread(&self, class: &[usize], totals: &[Exact]) -> Vec<Vec<Exact>> {
        let demands = self.demands(class, totals);
        let flow = self.flow(&demands);
        let team = |(class, total): (&usize, &Exact)| {
            let part = total.over(&demands[*class]);
            flow.through[*class].iter().map(|through| through.times(&part)).collect()
        };
        class.iter().zip(totals).map(team).collect()
    }
}

/// How a search got to a class.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reached {
    No,
    /// It has something left.
    Source,
    /// From a pool in which it holds something.
    Pool(usize),
}

/// How a search got to each class, and from which class to each pool.
struct Search {
    class: Vec<Reached>,
    pool: Vec<usize>,
    end: Option<usize>,
}

impl Want {
    /// What the team holds at a level; `None` stands for one that is never reached.
    fn at(&self, level: Option<&Exact>) -> Exact {
        let wanted = level.map(|level| level.times(&self.weight)).into_iter().chain(self.most.clone());
        wanted.reduce(Number::smaller).unwrap_or_else(|| Exact::from(0)).larger(self.least.clone())
    }
}

/// The highest level at which the teams hold `room` or less together; `None` where they do at every level.
fn highest_level(room: &Exact, wants: &[&Want]) -> Option<Exact> {
    let mut events: Vec<(Exact, bool, &Exact)> = Vec::new();
    let mut sum = Exact::from(0);
    for want in wants {
        sum = sum.plus(&want.least);
        if want.most.as_ref().is_some_and(|most| *most <= want.least) {
            continue;
        }
        events.push((want.least.over(&want.weight), true, &want.weight));
        if let Some(most) = &want.most {
            events.push((most.over(&want.weight), false, &want.weight));
        }
    }
    events.sort();
    let (mut level, mut growth) = (Exact::from(0), Exact::from(0));
    for (next, starts, weight) in events {
        let reached = sum.plus(&next.minus(&level).times(&growth));
        if reached > *room && !growth.is_zero() {
            break;
        }
        (sum, level) = (reached, next);
        growth = if starts { growth.plus(weight) } else { growth.minus(weight) };
    }
    (!growth.is_zero()).then(|| level.plus(&room.minus(&sum).over(&growth)))
}
