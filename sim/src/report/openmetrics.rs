//! `metrics.txt`: the end of a run as `OpenMetrics`, under the names that Kueue's metrics have.
//!
//! So that a dashboard made for Kueue shows a simulation: teams are cluster queues, pools are flavors, `cohort` is the team
//! above. Only metrics that a run measures are there; counters are those of the whole run, gauges hold at its end. Reasons
//! of evictions are this program's rules. Buckets are Kueue's: 1 s, 2.5 s, then 5 s, doubling. Absent on purpose: times of
//! the machine (Kueue's durations of admission attempts).

use std::fmt::Write as _;

use fairshare::TeamSpec;

use crate::metrics::Demands;
use crate::record::{Fate, Record};
use crate::setup::Setup;
use crate::trace::Trace;

/// Upper ends of the buckets, ms.
const BUCKETS_MS: [u64; 14] = [
    1_000, 2_500, 5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 320_000, 640_000, 1_280_000, 2_560_000,
    5_120_000, 10_240_000,
];

/// The text of the file.
#[must_use]
pub fn text(setup: &Setup, trace: &Trace, record: &Record) -> String {
    let mut text = String::new();
    counts(setup, trace, record, &mut text);
    waits(setup, trace, record, &mut text);
    usage(setup, trace, record, &mut text);
    text.push_str("# EOF\n");
    text
}

/// The value of a label as the format writes it.
fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn family(name: &str, kind: &str, help: &str, text: &mut String) {
    let _ = writeln!(text, "# TYPE {name} {kind}\n# HELP {name} {help}");
}

fn team_of(setup: &Setup, trace: &Trace, row: usize) -> usize {
    setup.team_of[trace.jobs[row].team as usize].index()
}

/// Pending, admitted and evicted workloads.
fn counts(setup: &Setup, trace: &Trace, record: &Record, text: &mut String) {
    let teams = &setup.config.teams;
    let (mut pending, mut running, mut admitted) =
        (vec![0_u64; teams.len()], vec![0_u64; teams.len()], vec![0_u64; teams.len()]);
    for (row, outcome) in record.outcomes.iter().enumerate() {
        let team = team_of(setup, trace, row);
        pending[team] += u64::from(outcome.fate == Fate::Waiting);
        running[team] += u64::from(outcome.fate == Fate::Running);
        admitted[team] += u64::from(outcome.holds()) + u64::from(record.preemptions(row));
    }
    family("kueue_pending_workloads", "gauge", "Jobs that wait when the run ends", text);
    for (team, count) in teams.iter().zip(&pending) {
        let _ = writeln!(
            text,
            "kueue_pending_workloads{{cluster_queue=\"{}\",status=\"active\"}} {count}",
            label(&team.name)
        );
    }
    family("kueue_admitted_active_workloads", "gauge", "Jobs that run when the run ends", text);
    for (team, count) in teams.iter().zip(&running) {
        let _ = writeln!(
            text,
            "kueue_admitted_active_workloads{{cluster_queue=\"{}\"}} {count}",
            label(&team.name)
        );
    }
    family("kueue_admitted_workloads", "counter", "Starts, those after an eviction included", text);
    for (team, count) in teams.iter().zip(&admitted) {
        let _ = writeln!(
            text,
            "kueue_admitted_workloads_total{{cluster_queue=\"{}\"}} {count}",
            label(&team.name)
        );
    }
    let mut evicted: std::collections::BTreeMap<(usize, &str), u64> = std::collections::BTreeMap::new();
    for lost in &record.lost {
        let team = team_of(setup, trace, lost.row as usize);
        *evicted.entry((team, lost.cause.reason.as_str())).or_insert(0) += 1;
    }
    family("kueue_evicted_workloads", "counter", "Evictions, by the rule that allowed them", text);
    for ((team, reason), count) in evicted {
        let name = label(&teams[team].name);
        let _ = writeln!(
            text,
            "kueue_evicted_workloads_total{{cluster_queue=\"{name}\",reason=\"{reason}\"}} {count}"
        );
    }
}

/// Waits until the start that counted, as a histogram by team.
fn waits(setup: &Setup, trace: &Trace, record: &Record, text: &mut String) {
    let name = "kueue_admission_wait_time_seconds";
    family(name, "histogram", "Time spent waiting until the start that was not evicted", text);
    let mut by_team: Vec<Vec<u64>> = vec![Vec::new(); setup.config.teams.len()];
    for row in (0..trace.jobs.len()).filter(|row| record.outcomes[*row].holds()) {
        by_team[team_of(setup, trace, row)].push(record.wait_ms(trace, row));
    }
    for (team, waits) in setup.config.teams.iter().zip(&mut by_team).filter(|(_, waits)| !waits.is_empty()) {
        waits.sort_unstable();
        let queue = label(&team.name);
        for end in BUCKETS_MS {
            let count = waits.partition_point(|wait| *wait <= end);
            let seconds = fairshare::Millis::new(end);
            let _ = writeln!(text, "{name}_bucket{{cluster_queue=\"{queue}\",le=\"{seconds}\"}} {count}");
        }
        let count = waits.len();
        let sum: u64 = waits.iter().sum();
        let seconds = fairshare::Millis::new(sum);
        let _ = writeln!(
            text,
            "{name}_bucket{{cluster_queue=\"{queue}\",le=\"+Inf\"}} {count}\n\
             {name}_sum{{cluster_queue=\"{queue}\"}} {seconds}\n{name}_count{{cluster_queue=\"{queue}\"}} {count}"
        );
    }
}

/// Nominal quotas, and what running jobs hold at the end.
fn usage(setup: &Setup, trace: &Trace, record: &Record, text: &mut String) {
    let (teams, pools, kinds) = (&setup.config.teams, &setup.config.pools, &setup.config.kinds);
    let cohort =
        |team: &TeamSpec| team.parent.map_or(String::new(), |parent| label(&teams[parent.index()].name));
    family("kueue_cluster_queue_nominal_quota", "gauge", "Quota by pool and resource", text);
    for team in teams {
        for quota in &team.quota {
            let (pool, kind) = (&pools[quota.pool.index()].name, kinds.name(quota.kind));
            let amount = units(quota.kind, u128::from(quota.amount.get()));
            let _ = writeln!(
                text,
                "kueue_cluster_queue_nominal_quota{{cohort=\"{}\",cluster_queue=\"{}\",flavor=\"{}\",resource=\"{}\"}} {amount}",
                cohort(team),
                label(&team.name),
                label(pool),
                label(kind)
            );
        }
    }
    let demands = Demands::new(setup, trace);
    let mut held: std::collections::BTreeMap<(usize, usize, usize), u128> = std::collections::BTreeMap::new();
    for (row, outcome) in
        record.outcomes.iter().enumerate().filter(|(_, outcome)| outcome.fate == Fate::Running)
    {
        let place = record.place(outcome);
        for (kind, amount) in demands.of(trace, row, usize::from(place.alternative)).iter() {
            let key = (team_of(setup, trace, row), place.pool as usize, kind.index());
            *held.entry(key).or_insert(0) += u128::from(amount.get());
        }
    }
    family("kueue_cluster_queue_resource_usage", "gauge", "What running jobs hold when the run ends", text);
    for ((team, pool, kind), amount) in held {
        let kind = kinds.iter().nth(kind).unwrap_or(fairshare::ResourceKind::GPU);
        let _ = writeln!(
            text,
            "kueue_cluster_queue_resource_usage{{cohort=\"{}\",cluster_queue=\"{}\",flavor=\"{}\",resource=\"{}\"}} {}",
            cohort(&teams[team]),
            label(&teams[team].name),
            label(&pools[pool].name),
            label(kinds.name(kind)),
            units(kind, amount)
        );
    }
}

/// Whole units with up to three decimals; bytes are whole.
fn units(kind: fairshare::ResourceKind, amount: u128) -> String {
    let amount = u64::try_from(amount).unwrap_or(u64::MAX);
    if kind.is_bytes() { amount.to_string() } else { fairshare::Millis::new(amount).to_string() }
}
