//! Egress: what it costs to read data sets where they are not.
//!
//! Formula: a job that starts in a pool without a replica of a data set that it reads moves all of it there, in every
//! attempt anew but where the last one ended with a round of `gavel` in that pool: GB = Σ size / 10^9 bytes over such
//! attempts and data sets. It comes from a pool of the same cloud that has a replica, for nothing; else from the pool
//! that charges least for a GB that leaves it, the first of several. usd = Σ price × size, exact in micro-USD × bytes,
//! rounded once; parts by largest remainder, so that those of owners and those of teams add up to it. Unit: GB, US
//! dollars, seconds. Estimator: none, the sums are exact. Population: all attempts, never trimmed, evicted ones
//! included. Reads of data sets without a known size or replica are counted as `unknown` and in no figure. The dollars
//! stand beside the summary's `cost_usd`, which is what pools charge for time. `moving_s` = Σ time for which attempts
//! held their room while data sets came to it, as long as the link of the pool takes, evicted ones up to their end.
//! Source: the cost and the time between clouds of `SkyPilot`'s optimizer.

use std::collections::{BTreeMap, BTreeSet};

use fairshare::EvictReason;
use serde::Serialize;

use super::cost::apportion_by;
use crate::record::{LostAttempt, Record};
use crate::setup::Setup;
use crate::summary::dollars;
use crate::trace::{Interner, Trace, compare_names};

/// Bytes in a GB.
pub(crate) const GB: u128 = 1_000_000_000;

/// What was moved.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Egress {
    /// Data sets moved, each time that one was.
    pub moves: u64,
    /// How much.
    pub gb: f64,
    /// What that cost; null where no pool says what it charges.
    pub usd: Option<f64>,
    /// For how long jobs held their room while data sets came, over all attempts.
    pub moving_s: f64,
    /// Reads of data sets whose size or replica is not known.
    pub unknown: u64,
    /// By data set.
    pub by_dataset: Vec<Part>,
    /// By cost owner.
    pub by_owner: Vec<Part>,
    /// By team.
    pub by_team: Vec<Part>,
}

impl Egress {
    /// What is to be said of reads that are in no figure.
    pub(crate) fn caution(&self) -> Option<String> {
        let reads = match self.unknown {
            0 => return None,
            1 => "1 read".to_owned(),
            more => format!("{more} reads"),
        };
        Some(format!("{reads} of data sets without a known size or replica: what they move is in no figure"))
    }
}

/// A part of what was moved.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Part {
    /// Whose, or of what.
    pub name: String,
    /// How much.
    pub gb: f64,
    /// What that cost.
    pub usd: Option<f64>,
}

/// One data set that one attempt moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Move<'a> {
    /// The job's row.
    pub row: usize,
    /// Which data set.
    pub dataset: &'a str,
    /// Bytes; nothing where the size or every replica is unknown.
    pub size: Option<u64>,
    /// Index of the pool that it left.
    pub from: usize,
    /// What a GB costs, micro-USD.
    pub price: u64,
}

impl Move<'_> {
    /// Micro-USD × bytes per GB.
    pub(crate) fn money(&self) -> u128 {
        u128::from(self.size.unwrap_or(0)) * u128::from(self.price)
    }
}

/// Everything that attempts moved, in order of their rows; evicted attempts last. What an attempt of the same job had begun
/// to move when a round ended was moved by that one.
pub fn moves<'a>(setup: &'a Setup, trace: &'a Trace, record: &'a Record) -> impl Iterator<Item = Move<'a>> {
    let anew = |before: Option<&LostAttempt>, pool: u32| {
        before.is_none_or(|before| before.cause.reason != EvictReason::Round || before.pool != pool)
    };
    let mut before: BTreeMap<u32, &LostAttempt> = BTreeMap::new();
    let of_lost = |lost: &'a LostAttempt| {
        anew(before.insert(lost.row, lost), lost.pool).then_some((lost.row, lost.pool))
    };
    let lost: Vec<(u32, u32)> = record.lost.iter().filter_map(of_lost).collect();
    let last = (0_u32..).zip(&record.outcomes).filter(|(_, outcome)| outcome.holds());
    let last = last.map(|(row, outcome)| (row, record.place(outcome).pool));
    let last = last.filter(move |(row, pool)| anew(before.get(row).copied(), *pool));
    last.chain(lost).flat_map(move |(row, pool)| {
        let (row, pool) = (row as usize, pool as usize);
        let read: BTreeSet<&str> =
            trace.shapes[trace.jobs[row].shape as usize].datasets.iter().map(String::as_str).collect();
        read.into_iter().filter_map(move |dataset| one(setup, row, pool, dataset))
    })
}

/// For how long the last attempts of jobs moved data sets, up to their ends, by row, ms.
pub(crate) fn moved_ms(record: &Record) -> impl Iterator<Item = (u32, u64)> + '_ {
    record.moving.iter().map(|(row, moving_ms)| (*row, record.attempt_ms(*row).min(*moving_ms)))
}

/// For how long all attempts did.
fn moving_ms(record: &Record) -> u64 {
    let lost = record.lost.iter().map(LostAttempt::moved_ms);
    moved_ms(record).map(|(_, moved_ms)| moved_ms).chain(lost).fold(0, u64::saturating_add)
}

/// What starting in a pool moves of a data set; nothing where it has a replica.
fn one<'a>(setup: &Setup, row: usize, pool: usize, dataset: &'a str) -> Option<Move<'a>> {
    let has = |pool: &fairshare::PoolSpec| pool.datasets.iter().any(|name| name == "*" || name == dataset);
    if has(&setup.config.pools[pool]) {
        return None;
    }
    let cloud = |pool: usize| setup.places[pool].0.as_deref();
    let price = |from: usize| {
        let near = cloud(from).is_some() && cloud(from) == cloud(pool);
        let charged = setup.tariffs[from].as_ref().and_then(|tariff| tariff.egress_gb);
        if near { 0 } else { charged.map_or(0, fairshare::MicroUsd::get) }
    };
    let sources = setup.config.pools.iter().enumerate().filter(|(_, pool)| has(pool));
    let source = sources.map(|(from, _)| (price(from), from)).min();
    let size = setup.dataset_sizes.get(dataset).copied().filter(|_| source.is_some());
    let (price, from) = source.unwrap_or((0, pool));
    Some(Move { row, dataset, size, from, price })
}

/// All that was moved; nothing where the scenario says no sizes.
///
/// # Examples
///
/// 500 GB lie in a cloud that charges 0.12 dollars a GB. Both nodes there are taken by `1`, so `2` and `3` read them
/// from the other cloud, the latter on account of another owner; what `3` reads beside has no size:
///
/// ```
/// use fairshare_sim::metrics::egress::{Part, egress};
/// use fairshare_sim::{Scenario, Setup, simulate, trace::{Input, Trace, TraceOptions}};
/// let text = "[[dataset]]\nname = 'web'\nsize = '500GB'\n\
///             [[pool]]\nname = 'near'\ncloud = 'a'\nnodes = 2\nnode = { gpu = 1 }\ndatasets = ['web']\n\
///             price = { gpu_hour = 2, egress_gb = 0.12 }\n\
///             [[pool]]\nname = 'far'\ncloud = 'b'\nnodes = 2\nnode = { gpu = 1 }\nprice = { gpu_hour = 1 }\n\
///             [policy]\ndatasets = 'preferred'\n";
/// let scenario = Scenario::parse("egress", text, &[]).unwrap();
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("jobs.csv");
/// let jobs = "job_id,submit_s,run_s,team,gpu,workers,datasets,cost_owner\n\
///             1,0,60,a,1,2,web,\n2,1,10,a,1,1,web,\n3,2,10,a,1,1,web|books,ads\n";
/// std::fs::write(&path, jobs).unwrap();
/// let trace = Trace::load(&[Input { path, format: None }], &TraceOptions::default()).unwrap();
/// let setup = Setup::new(&scenario, &trace).unwrap();
/// let record = simulate(&setup, &trace, &mut (), &|| false).unwrap();
/// let found = egress(&setup, &trace, &record).unwrap();
/// assert_eq!((found.moves, found.gb, found.usd, found.unknown), (2, 1_000.0, Some(120.0), 1));
/// assert_eq!(found.moving_s, 800.0, "500 GB over 10 Gb/s, twice");
/// let half = |name: &str| Part { name: name.to_owned(), gb: 500.0, usd: Some(60.0) };
/// assert_eq!(found.by_owner, [half("a"), half("ads")]);
/// ```
#[must_use]
pub fn egress(setup: &Setup, trace: &Trace, record: &Record) -> Option<Egress> {
    let mut sums = Sums::default();
    sums.add(setup, trace, record);
    sums.egress(setup, trace)
}

/// Bytes, and micro-USD × bytes per GB.
type Amounts = [u128; 2];

/// The same of jobs that come in parts; owners and teams by their numbers in the trace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sums {
    all: Amounts,
    moves: u64,
    moving_ms: u64,
    unknown: u64,
    datasets: BTreeMap<String, Amounts>,
    owners: BTreeMap<u32, Amounts>,
    teams: BTreeMap<u32, Amounts>,
}

impl Sums {
    /// Adds what the jobs of a part moved; nothing where the scenario says no sizes.
    pub(crate) fn add(&mut self, setup: &Setup, trace: &Trace, record: &Record) {
        if setup.dataset_sizes.is_empty() {
            return;
        }
        self.moving_ms = self.moving_ms.saturating_add(moving_ms(record));
        for one in moves(setup, trace, record) {
            let Some(size) = one.size else {
                self.unknown += 1;
                continue;
            };
            self.moves += 1;
            let job = &trace.jobs[one.row];
            if !self.datasets.contains_key(one.dataset) {
                self.datasets.insert(one.dataset.to_owned(), Amounts::default());
            }
            let accounts = [
                Some(&mut self.all),
                self.datasets.get_mut(one.dataset),
                Some(self.owners.entry(job.owner).or_default()),
                Some(self.teams.entry(job.team).or_default()),
            ];
            for account in accounts.into_iter().flatten() {
                account[0] += u128::from(size);
                account[1] += one.money();
            }
        }
    }

    /// All that was moved; nothing where the scenario says no sizes.
    pub(crate) fn egress(&self, setup: &Setup, trace: &Trace) -> Option<Egress> {
        if setup.dataset_sizes.is_empty() {
            return None;
        }
        let charged = setup.tariffs.iter().flatten().any(|tariff| tariff.egress_gb.is_some());
        let usd = charged.then(|| micro(self.all[1]));
        let datasets = self.datasets.iter().map(|(name, sums)| (name.clone(), *sums)).collect();
        Some(Egress {
            moves: self.moves,
            gb: gigabytes(self.all[0]),
            usd: usd.map(dollars),
            moving_s: crate::summary::seconds(self.moving_ms),
            unknown: self.unknown,
            by_dataset: parts(datasets, usd),
            by_owner: parts(named(&trace.owners, &self.owners), usd),
            by_team: parts(named(&trace.teams, &self.teams), usd),
        })
    }
}

fn named(names: &Interner, sums: &BTreeMap<u32, Amounts>) -> Vec<(String, Amounts)> {
    sums.iter().map(|(number, sums)| (names.text(*number).to_owned(), *sums)).collect()
}

/// By name; the dollars of all add up to `whole` micro-USD.
fn parts(mut sums: Vec<(String, Amounts)>, whole: Option<u128>) -> Vec<Part> {
    sums.sort_by(|(a, _), (b, _)| compare_names(a, b));
    let exact: Vec<u128> = sums.iter().map(|(_, [_, money])| *money).collect();
    let micro = whole.map(|whole| apportion_by(&exact, GB, whole));
    let part = |(index, (name, [bytes, _])): (usize, (String, [u128; 2]))| Part {
        name,
        gb: gigabytes(bytes),
        usd: micro.as_ref().map(|micro| dollars(micro[index])),
    };
    sums.into_iter().enumerate().map(part).collect()
}

/// Micro-USD of micro-USD × bytes per GB, to the nearest.
pub(crate) const fn micro(exact: u128) -> u128 {
    (exact + GB / 2) / GB
}

/// GB of bytes.
fn gigabytes(bytes: u128) -> f64 {
    super::ratio(bytes, GB).unwrap_or(0.0)
}
