//! Shares: what every team held and was entitled to over time, worked out once for all who tell of it.
//!
//! Instants, populations and limits are those of `fairness` and `entitlement`; a mean over a slice of time is that of the
//! instants in it, each for its part. Absent on purpose: the formulas.

use fairshare::TeamSpec;

use super::Demands;
use super::entitlement::{Entitlements, entitlements};
use super::fairness::{POINTS, jain, share_points};
use crate::record::Record;
use crate::setup::Setup;
use crate::trace::Trace;

/// What teams held and were entitled to at every instant.
///
/// # Examples
///
/// `x` holds three of four GPUs for 100 s and `y` the fourth, of two that it asks:
///
/// ```
/// use fairshare_sim::metrics::{Demands, shares::Shares};
/// use fairshare_sim::{Scenario, Setup, simulate, trace::{Input, Trace, TraceOptions}};
/// let text = "[[pool]]\nname = 'p'\nnodes = 1\nnode = { gpu = 4 }\n[policy]\norder = 'fifo'\n";
/// let scenario = Scenario::parse("shares", text, &[]).unwrap();
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("jobs.csv");
/// std::fs::write(&path, "job_id,submit_s,run_s,team,gpu\n1,0,100,x,3\n2,0,100,y,1\n3,0,100,y,1\n").unwrap();
/// let trace = Trace::load(&[Input { path, format: None }], &TraceOptions::default()).unwrap();
/// let setup = Setup::new(&scenario, &trace).unwrap();
/// let record = simulate(&setup, &trace, &mut (), &|| false).unwrap();
/// let shares = Shares::new(&setup, &trace, &record, &Demands::new(&setup, &trace));
/// let of_team = |points: &[f64]| (points[0], points[1_000]);
/// assert_eq!(shares.held.as_deref().map(of_team), Some((0.75, 0.25)));
/// assert_eq!(shares.entitled.map(|entitled| of_team(&entitled.points)), Some((0.5, 0.5)));
/// ```
#[derive(Clone, Debug)]
pub struct Shares {
    /// What they held, team after team; nothing where that is not measured.
    pub held: Option<Vec<f64>>,
    /// What they were entitled to; nothing where that is not measured.
    pub entitled: Option<Entitlements>,
}

impl Shares {
    /// Those of a run.
    #[must_use]
    pub fn new(setup: &Setup, trace: &Trace, record: &Record, demands: &Demands) -> Self {
        let held = share_points(setup, trace, record, demands);
        let entitled = held.as_ref().and_then(|held| entitlements(setup, trace, record, demands, held));
        Self { held, entitled }
    }
}

/// By team, the mean of the instants in every one of so many slices. An instant is the middle of a part of the time; where
/// a slice ends inside that part, it counts in both for what each has of it, so that the mean of the slices is that of the
/// instants.
///
/// # Examples
///
/// Of two slices each has half of the instants; of 240 the first has four and a sixth of the fifth:
///
/// ```
/// use fairshare_sim::metrics::shares::in_slices;
/// let mut points = vec![0.0; 1_000];
/// points[4] = 1.0;
/// assert_eq!(in_slices(&points, 2), [[1.0 / 500.0, 0.0]]);
/// let slices = in_slices(&points, 240);
/// assert_eq!(slices[0][..3], [40.0 / 1_000.0, 200.0 / 1_000.0, 0.0]);
/// ```
#[must_use]
pub fn in_slices(points: &[f64], slices: usize) -> Vec<Vec<f64>> {
    // A slice is `POINTS` steps long and what an instant stands for `slices`: all boundaries lie on steps.
    let mean = |points: &[f64], slice: usize| {
        let (from, to) = (slice * POINTS, (slice + 1) * POINTS);
        let part = (from / slices..to.div_ceil(slices)).map(|at| {
            let steps = to.min((at + 1) * slices) - from.max(at * slices);
            #[expect(clippy::cast_precision_loss, reason = "at most a thousand")]
            let steps = steps as f64;
            points[at] * steps
        });
        #[expect(clippy::cast_precision_loss, reason = "a thousand")]
        let all = POINTS as f64;
        part.sum::<f64>() / all
    };
    points.chunks(POINTS).map(|points| (0..slices).map(|slice| mean(points, slice)).collect()).collect()
}

/// Shares over weights, team after team, one list of slices or instants for each.
///
/// weighted share of a team = its share / its weight: what it holds for a unit of its weight. Dimensionless; of every team,
/// of its own jobs without those of the teams below it, as the share is; exact wherever the share is. Teams that are served
/// alike for their weights have the same. Source: Ghodsi et al., *Dominant Resource Fairness*, NSDI 2011, §4.3.
///
/// # Examples
///
/// `x` with a weight of 3 holds three of four GPUs, and `y` with a weight of 1/2 the fourth:
///
/// ```
/// use fairshare_sim::metrics::shares::over_weights;
/// use fairshare_sim::{Scenario, Setup, trace::Trace};
/// let text = "[[pool]]\nname = 'p'\nnodes = 1\nnode = { gpu = 4 }\n\
///             [[team]]\nname = 'x'\nweight = 3\n[[team]]\nname = 'y'\nweight = 0.5\n";
/// let setup = Setup::new(&Scenario::parse("weights", text, &[]).unwrap(), &Trace::default()).unwrap();
/// assert_eq!(over_weights(&setup, &[vec![0.75, 0.0], vec![0.25, 0.25]]), [[0.25, 0.0], [0.5, 0.5]]);
/// ```
#[must_use]
pub fn over_weights(setup: &Setup, shares: &[Vec<f64>]) -> Vec<Vec<f64>> {
    #[expect(clippy::cast_precision_loss, reason = "a weight, of which the ratio is printed")]
    let weight = |team: &TeamSpec| team.weight.numerator() as f64 / team.weight.denominator() as f64;
    let of_team = |(team, shares): (&TeamSpec, &Vec<f64>)| {
        let weight = weight(team);
        shares.iter().map(|share| share / weight).collect()
    };
    setup.config.teams.iter().zip(shares).map(of_team).collect()
}

/// How even shares over weights are in every slice, from those by team: Jain's index over the teams that submitted a
/// job, zero where nobody holds anything.
pub(crate) fn evenness(setup: &Setup, trace: &Trace, record: &Record, weighted: &[Vec<f64>]) -> Vec<f64> {
    let mut came = vec![false; setup.config.teams.len()];
    record.came(trace).iter().for_each(|job| came[setup.team_of[job.team as usize].index()] = true);
    let teams: Vec<&Vec<f64>> =
        weighted.iter().zip(came).filter(|(_, came)| *came).map(|(team, _)| team).collect();
    let of_slice = |slice: usize| {
        let weighted: Vec<f64> = teams.iter().map(|team| team[slice]).collect();
        jain(&weighted).unwrap_or(0.0)
    };
    (0..weighted.first().map_or(0, Vec::len)).map(of_slice).collect()
}
