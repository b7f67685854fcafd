//! `series.csv`: what was held, what was there and who waited, as averages over equal slices of time.
//!
//! One value a row: `from_s,to_s,measure,pool,resource,team,value`. Measures: `capacity`, `allocated`, `good` (held to
//! some good, see `metrics::utilization`) and, where anything was, `lost` (held for work that an eviction undid) by pool and
//! resource; `allocated` by pool and team of the pool's main resource; `waiting` by team, in jobs and in the GPUs that they
//! ask; `share`, `weighted_share` and `entitlement` by team (see `metrics::fairness`, `metrics::shares` and
//! `metrics::entitlement`, which say where they are not measured), as means of instants, each for its part of the slice, and
//! `jain` of these. A row without a team is about all of them. Amounts are in whole units, memory in GiB; rows of a team
//! with nothing are left out. `docs/results.md` tells readers the same. Absent on purpose: pictures (see `html`).

use std::io::{self, Write};
use std::iter;

use fairshare::{ResourceKind, Timestamp};

use super::csv::{Columns, Kind, field, header, push};
use crate::metrics::Demands;
use crate::metrics::queue;
use crate::metrics::series::{SLICES, Slices};
use crate::metrics::shares::{Shares, evenness, in_slices, over_weights};
use crate::metrics::utilization::{capacity, main_kind};
use crate::record::Record;
use crate::setup::Setup;
use crate::trace::Trace;

/// Columns of the file.
pub(super) const COLUMNS: Columns =
    &[(Kind::Number, "from_s,to_s"), (Kind::Text, "measure,pool,resource,team"), (Kind::Number, "value")];

/// Writes the file, with the [`Shares`] of the run; only the header where no time passed.
///
/// # Errors
///
/// What the writer says.
pub fn write(
    setup: &Setup,
    trace: &Trace,
    record: &Record,
    measured: &Shares,
    out: &mut impl Write,
) -> io::Result<()> {
    out.write_all(header(COLUMNS).as_bytes())?;
    let window = record.window(trace).filter(|(from, to)| to > from);
    let Some((from, to)) = window else { return Ok(()) };
    let empty = Slices::new(from, to, SLICES);
    let mut rows = Rows { out, slices: &empty, line: String::new() };
    allocated(setup, trace, record, &empty, &mut rows)?;
    waiting(setup, trace, record, &empty, &mut rows)?;
    shares(setup, trace, record, measured, &mut rows)
}

struct Rows<'a, W> {
    out: &'a mut W,
    slices: &'a Slices,
    line: String,
}

impl<W: Write> Rows<'_, W> {
    /// One row per slice; for a team only where there is something.
    fn write(&mut self, names: [&str; 4], values: &[f64]) -> io::Result<()> {
        for (index, value) in values.iter().enumerate() {
            if *value <= 0.0 && !names[3].is_empty() {
                continue;
            }
            self.line.clear();
            let [from, to] =
                [index, index + 1].map(|index| Timestamp::from_millis(self.slices.boundary(index)));
            push(&mut self.line, format_args!("{from},{to}"));
            for name in names {
                self.line.push(',');
                field(&mut self.line, name);
            }
            push(&mut self.line, format_args!(",{value}\n"));
            self.out.write_all(self.line.as_bytes())?;
        }
        Ok(())
    }
}

/// What of a kind is up in a pool, in every slice.
pub(super) fn up(
    setup: &Setup,
    pool: usize,
    kind: ResourceKind,
    empty: &Slices,
) -> impl Iterator<Item = f64> + use<> {
    let spec = &setup.config.pools[pool];
    let mut slices = empty.clone();
    for (from, to, nodes) in setup.capacities.stretches(pool, spec.nodes, empty.window()) {
        slices.add(from, to, spec.node[kind].get() * u64::from(nodes));
    }
    #[expect(clippy::cast_precision_loss, reason = "capacities are below 2^53")]
    let whole = setup.capacities.is_empty().then(|| capacity(spec)[kind].get() as f64);
    slices.averages().into_iter().map(move |average| whole.unwrap_or(average))
}

/// Smallest units in a unit of a kind.
fn scale(kind: ResourceKind) -> f64 {
    if kind.is_bytes() { f64::from(1 << 30) } else { 1_000.0 }
}

fn scaled(slices: &Slices, kind: ResourceKind) -> Vec<f64> {
    slices.averages().into_iter().map(|value| value / scale(kind)).collect()
}

fn allocated<W: Write>(
    setup: &Setup,
    trace: &Trace,
    record: &Record,
    empty: &Slices,
    rows: &mut Rows<'_, W>,
) -> io::Result<()> {
    let demands = Demands::new(setup, trace);
    let kinds: Vec<ResourceKind> = setup.config.kinds.iter().collect();
    for (index, pool) in setup.config.pools.iter().enumerate() {
        let main = main_kind(pool);
        let mut by_kind = vec![empty.clone(); kinds.len()];
        let (mut good, mut lost) = (by_kind.clone(), by_kind.clone());
        let mut is_lost = false;
        let mut by_team = vec![empty.clone(); setup.config.teams.len()];
        for stretch in record.stretches().filter(|stretch| stretch.pool == index) {
            let demand = demands.of(trace, stretch.row, stretch.alternative);
            let useful = record.good(trace, stretch);
            for (kind, amount) in demand.iter() {
                by_kind[kind.index()].add(stretch.start_ms, stretch.end_ms, amount.get());
                if let Some(useful) = useful {
                    good[kind.index()].add(useful.start_ms, useful.end_ms, amount.get());
                }
                if stretch.lost {
                    lost[kind.index()].add(stretch.start_ms, stretch.end_ms, amount.get());
                }
            }
            is_lost |= stretch.lost;
            let team = setup.team_of[trace.jobs[stretch.row].team as usize].index();
            by_team[team].add(stretch.start_ms, stretch.end_ms, demand[main].get());
        }
        for kind in kinds.iter().copied().filter(|kind| pool.node[*kind].get() > 0) {
            let name = setup.config.kinds.name(kind);
            let up: Vec<f64> = up(setup, index, kind, empty).map(|amount| amount / scale(kind)).collect();
            rows.write(["capacity", &pool.name, name, ""], &up)?;
            rows.write(["allocated", &pool.name, name, ""], &scaled(&by_kind[kind.index()], kind))?;
            rows.write(["good", &pool.name, name, ""], &scaled(&good[kind.index()], kind))?;
            if is_lost {
                rows.write(["lost", &pool.name, name, ""], &scaled(&lost[kind.index()], kind))?;
            }
        }
        for (team, slices) in setup.config.teams.iter().zip(&by_team) {
            let name = setup.config.kinds.name(main);
            rows.write(["allocated", &pool.name, name, &team.name], &scaled(slices, main))?;
        }
    }
    Ok(())
}

fn waiting<W: Write>(
    setup: &Setup,
    trace: &Trace,
    record: &Record,
    empty: &Slices,
    rows: &mut Rows<'_, W>,
) -> io::Result<()> {
    let demands = Demands::new(setup, trace);
    let waiting = queue::over_time(setup, trace, record, &demands, empty);
    let teams = setup.config.teams.iter().map(|team| team.name.as_str());
    for (name, slices) in iter::once("").chain(teams).zip(&waiting) {
        for (resource, slices) in ["jobs", "gpu"].into_iter().zip(slices) {
            rows.write(["waiting", "", resource, name], &scaled(slices, ResourceKind::GPU))?;
        }
    }
    Ok(())
}

/// What teams held and were entitled to, and how evenly it was divided.
fn shares<W: Write>(
    setup: &Setup,
    trace: &Trace,
    record: &Record,
    shares: &Shares,
    rows: &mut Rows<'_, W>,
) -> io::Result<()> {
    let Some(held) = &shares.held else { return Ok(()) };
    let held = in_slices(held, SLICES);
    let weighted = over_weights(setup, &held);
    rows.write(["jain", "", "", ""], &evenness(setup, trace, record, &weighted))?;
    let entitled = shares.entitled.as_ref().map(|entitled| in_slices(&entitled.points, SLICES));
    for (measure, values) in
        [("share", Some(held)), ("weighted_share", Some(weighted)), ("entitlement", entitled)]
    {
        for (team, values) in setup.config.teams.iter().zip(values.iter().flatten()) {
            rows.write([measure, "", "", &team.name], values)?;
        }
    }
    Ok(())
}
