//! An inspection for people: aligned lines and two small pictures.
//!
//! Absent on purpose: computing anything but widths.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::error::printable;
use super::inspection::{Distribution, Inspection, PartStatistics};

/// Teams shown; the rest is in the JSON.
const TEAMS: usize = 15;
/// Letters of a team's name shown, so that a line fits 80 columns.
const TEAM_WIDTH: usize = 36;
/// Letters of what stands before a total.
const NAME_WIDTH: usize = 14;
/// Letters of a line.
const WIDTH: usize = 80;

impl Inspection {
    /// The inspection as text for a terminal, without colours; ends with a line end.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = String::new();
        self.write_sources(&mut text);
        self.write_totals(&mut text);
        if self.jobs > 0 {
            self.write_distributions(&mut text);
            self.write_arrivals(&mut text);
            self.write_teams(&mut text);
        }
        self.write_repairs(&mut text);
        for warning in &self.warnings {
            let _ = writeln!(text, "warning: {warning}");
        }
        text
    }

    fn write_sources(&self, text: &mut String) {
        for source in &self.sources {
            let how = if source.guessed { "told from its content" } else { "as named" };
            let _ = writeln!(text, "{}  format {} ({how})", source.path, source.format);
        }
        text.push('\n');
    }

    fn write_totals(&self, text: &mut String) {
        let mut line = |name: &str, value: String| {
            let _ = writeln!(text, "{name:<NAME_WIDTH$}{value}");
        };
        line("rows", grouped(self.rows));
        line("jobs", grouped(self.jobs));
        if self.jobs > 0 {
            line("teams", format!("{}, users {}", grouped(self.teams), grouped(self.users)));
            let unknown = "unknown: the source has no times".to_owned();
            line("span", if self.span_s.is_nan() { unknown } else { duration(self.span_s) });
        }
        for (name, parts) in [("partitions", &self.by_partition), ("queues", &self.by_queue)] {
            if !parts.is_empty() {
                line(name, format!("{}, most jobs: {}", grouped(parts.len() as u64), by_jobs(parts)));
            }
        }
        if self.gpu_hours > 0.0 {
            line("GPU-hours", rounded(self.gpu_hours));
        }
        if self.core_hours > 0.0 {
            line("core-hours", rounded(self.core_hours));
        }
        if self.gpu_hours_by_type.keys().any(|name| name != "any") {
            line("by type", by_type(&self.gpu_hours_by_type));
        }
        if let Some(nodes) = self.nodes {
            line("nodes", grouped(nodes));
        }
        if !self.gpus_by_type.is_empty() {
            let parts = self
                .gpus_by_type
                .iter()
                .map(|(name, count)| format!("{} {}", shortened(&printable(name), 20), rounded(*count)));
            line("GPUs", folded(parts));
        }
        if let Some(quotas) = &self.quotas {
            let (first, last) = (quotas.first_gpus, quotas.last_gpus);
            let (teams, days) = (quotas.teams.len(), grouped(quotas.days));
            line(
                "quotas",
                format!("{teams} teams, {days} days, {first} GPUs on the first, {last} on the last"),
            );
        }
        if self.constrained_jobs > 0 {
            line("bound to type", format!("{} jobs", grouped(self.constrained_jobs)));
        }
        if let Some(load) = &self.offered_load {
            let parts = [("gpu", load.gpu), ("cpu", load.cpu)];
            let parts = parts.iter().filter_map(|(name, load)| Some(format!("{name} {:.3}", (*load)?)));
            let pools = load.pools.iter().filter_map(|(name, load)| {
                Some(format!("{:.3} in {}", (*load)?, shortened(&printable(name), 20)))
            });
            let known: Vec<String> = parts.chain(pools).collect();
            // Where all jobs come at once there is none.
            if !known.is_empty() {
                line("offered load", joined(known.into_iter(), 60));
            }
        }
        let outcomes = self.status.iter().map(|(name, count)| format!("{name} {}", grouped(*count)));
        let outcomes = outcomes.collect::<Vec<_>>().join(", ");
        if !outcomes.is_empty() {
            line("outcome", outcomes);
        }
        if let Some(utilization) = self.recorded.as_ref().and_then(|recorded| recorded.utilization) {
            line("utilization", format!("{utilization:.3} as recorded, first to last submission"));
        }
        text.push('\n');
    }

    fn write_distributions(&self, text: &mut String) {
        let header = ["", "mean", "p50", "p90", "p95", "p99", "max"];
        for (column, name) in header.iter().enumerate() {
            let _ = if column == 0 { write!(text, "{name:<18}") } else { write!(text, " {name:>9}") };
        }
        text.push('\n');
        let recorded = self.recorded.as_ref();
        let size = if self.size_unit == "gpu" { "GPUs per job" } else { "CPUs per job" };
        let plain: fn(f64) -> String = rounded;
        let time: fn(f64) -> String = duration;
        for (name, distribution, show) in [
            (size, Some(&self.size), plain),
            ("run time", self.run_s.as_ref(), time),
            ("between arrivals", self.interarrival_s.as_ref(), time),
            ("recorded wait", recorded.map(|recorded| &recorded.wait_s), time),
            ("bounded slowdown", recorded.map(|recorded| &recorded.bounded_slowdown), plain),
        ] {
            if let Some(distribution) = distribution.filter(|distribution| distribution.count > 0) {
                write_distribution(text, name, distribution, show);
            }
        }
        let _ = writeln!(text, "quantiles: {}\n", self.quantiles);
    }

    fn write_arrivals(&self, text: &mut String) {
        if self.interarrival_s.is_none() {
            return;
        }
        let clock = &self.clock;
        let _ = writeln!(text, "arrivals by hour ({clock})     0  {}  23", bars(&self.arrivals_by_hour));
        let weekdays = if self.calendar { clock.as_str() } else { "day 0 counted as a Monday" };
        let _ =
            writeln!(text, "arrivals by weekday ({weekdays})  Mo {}  Su\n", bars(&self.arrivals_by_weekday));
    }

    fn write_teams(&self, text: &mut String) {
        let name = |team: &PartStatistics| shortened(&printable(&team.name), TEAM_WIDTH);
        let widths = self.by_team.iter().take(TEAMS).map(|team| name(team).chars().count());
        let width = widths.max().unwrap_or(0).max(4);
        let _ = writeln!(text, "{:<width$} {:>11} {:>14} {:>14}", "team", "jobs", "GPU-hours", "core-hours");
        for team in self.by_team.iter().take(TEAMS) {
            let _ = writeln!(
                text,
                "{:<width$} {:>11} {:>14} {:>14}",
                name(team),
                grouped(team.jobs),
                known(team.gpu_hours),
                known(team.core_hours)
            );
        }
        if self.by_team.len() > TEAMS {
            let _ = writeln!(text, "and {} more", grouped((self.by_team.len() - TEAMS) as u64));
        }
        text.push('\n');
    }

    fn write_repairs(&self, text: &mut String) {
        if self.repairs.is_empty() {
            text.push_str("repairs: none\n");
            return;
        }
        for source in &self.sources {
            for repair in source.repairs.values() {
                let lines: Vec<String> = repair.first_lines.iter().map(u64::to_string).collect();
                let more = if repair.count > lines.len() as u64 { ", …" } else { "" };
                let (rows, at) = if repair.count == 1 { ("row", "line") } else { ("rows", "lines") };
                let what = format!("repair: {} {rows}: {}", grouped(repair.count), repair.reason);
                let lines = format!("({at} {}{more})", lines.join(", "));
                let fits = what.chars().count() + lines.chars().count() < WIDTH;
                let gap = if fits { " " } else { "\n        " };
                let _ = writeln!(text, "{what}{gap}{lines}");
            }
        }
    }
}

fn write_distribution(text: &mut String, name: &str, of: &Distribution, show: fn(f64) -> String) {
    let _ = write!(text, "{name:<18}");
    for value in [of.mean, of.p50, of.p90, of.p95, of.p99, of.max] {
        let _ = write!(text, " {:>9}", value.map(show).unwrap_or_default());
    }
    text.push('\n');
}

/// One block per value, its height the value against the largest.
fn bars(values: &[u64]) -> String {
    const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = values.iter().copied().max().unwrap_or(0).max(1);
    let height = |value: u64| usize::try_from((value * 8).div_ceil(most)).unwrap_or(8).min(8);
    values.iter().map(|&value| BLOCKS[height(value)]).collect()
}

/// GPU-hours by type, most first, as many as fit beside the name of the line.
fn by_type(hours: &BTreeMap<String, f64>) -> String {
    let mut types: Vec<(&String, f64)> = hours.iter().map(|(name, hours)| (name, *hours)).collect();
    types.sort_by(|a, b| b.1.total_cmp(&a.1));
    let part =
        |(name, hours): &(&String, f64)| format!("{} {}", shortened(&printable(name), 20), rounded(*hours));
    joined(types.iter().map(part), 50)
}

/// Jobs by partition or queue, most first, as many as fit beside the name of the line.
fn by_jobs(parts: &[PartStatistics]) -> String {
    let mut order: Vec<&PartStatistics> = parts.iter().collect();
    order.sort_by_key(|part| std::cmp::Reverse(part.jobs));
    let shown = order
        .iter()
        .map(|part| format!("{} in {}", grouped(part.jobs), shortened(&printable(&part.name), 20)));
    joined(shown, 36)
}

/// Parts separated by commas until `width` letters, then how many more there are.
fn joined(parts: impl ExactSizeIterator<Item = String>, width: usize) -> String {
    let (mut text, count) = (String::new(), parts.len());
    for (index, part) in parts.enumerate() {
        if index > 0 && text.chars().count() + part.chars().count() > width {
            let _ = write!(text, " and {} more", count - index);
            break;
        }
        text += if index > 0 { ", " } else { "" };
        text += &part;
    }
    text
}

/// All parts, separated by commas, on as many lines as they need behind the name of the first.
fn folded(parts: impl Iterator<Item = String>) -> String {
    let (mut text, mut letters) = (String::new(), NAME_WIDTH);
    for part in parts {
        let more = part.chars().count();
        if text.is_empty() {
            letters += more;
        } else if letters + more + 3 <= WIDTH {
            text += ", ";
            letters += more + 2;
        } else {
            let _ = write!(text, ",\n{:NAME_WIDTH$}", "");
            letters = NAME_WIDTH + more;
        }
        text += &part;
    }
    text
}

/// The first letters of a name that is too long.
fn shortened(name: &str, most: usize) -> String {
    if name.chars().count() <= most {
        return name.to_owned();
    }
    name.chars().take(most - 1).chain(['…']).collect()
}

/// A whole number with commas.
fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of hours; a dash where nobody knows it.
fn known(hours: f64) -> String {
    if hours.is_nan() { "-".to_owned() } else { rounded(hours) }
}

/// A number with as many decimals as help: none from a hundred on, one from ten on, two below.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, and cut at 10^18")]
fn rounded(value: f64) -> String {
    if value >= 99.95 {
        grouped(value.min(1e18).round() as u64)
    } else {
        let text = if value >= 9.995 { format!("{value:.1}") } else { format!("{value:.2}") };
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

/// Seconds in the unit that keeps them short.
fn duration(seconds: f64) -> String {
    match seconds {
        value if value < 120.0 => format!("{} s", rounded(value)),
        value if value < 7200.0 => format!("{} min", rounded(value / 60.0)),
        value if value < 172_800.0 => format!("{} h", rounded(value / 3600.0)),
        value => format!("{} d", rounded(value / 86_400.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        assert_eq!(
            [grouped(1), grouped(1000), grouped(978_078)],
            ["1".to_owned(), "1,000".to_owned(), "978,078".to_owned()]
        );
        assert_eq!([rounded(0.5), rounded(12.34), rounded(999.6)], ["0.5", "12.3", "1,000"]);
        assert_eq!([duration(30.0), duration(7200.0), duration(864_000.0)], ["30 s", "2 h", "10 d"]);
        assert_eq!(bars(&[0, 1, 8]), " ▁█");
        let (long, short) = ("x".repeat(60), "y".repeat(4));
        let parts = [long.as_str(), &short, &short, &short];
        let shown = format!("{long},\n{:14}{short}, {short}, {short}", "");
        assert_eq!(folded(parts.map(str::to_owned).into_iter()), shown);
        let parts = [&long[..58], &short, ""];
        assert_eq!(
            folded(parts.map(str::to_owned).into_iter()),
            format!("{}, {short},\n{:14}", &long[..58], "")
        );
    }
}
