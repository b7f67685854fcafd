//! The machines that a trace ran on: node lists, and quotas over time.
//!
//! Absent on purpose: pools of a scenario; [`Cluster::scenario`] writes them as text for the scenario's own reader.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::write::thousandths;

/// GPUs of a node where only quotas are known.
const GPUS_PER_NODE: u64 = 8;

/// Nodes of equal make, and quotas.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cluster {
    /// How many nodes there are of each make.
    pub nodes: BTreeMap<NodeMake, u64>,
    /// Quotas by day, where the source has them.
    pub quotas: Option<QuotaSeries>,
}

/// What one node has.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeMake {
    /// Accelerator type; empty: none.
    pub accelerator: String,
    /// Milli-GPU.
    pub gpu_milli: u64,
    /// Milli-CPU.
    pub cpu_milli: u64,
    /// Bytes.
    pub memory_bytes: u64,
}

/// GPUs per team as a daily series.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QuotaSeries {
    /// Teams, in the order of the file's columns.
    pub teams: Vec<String>,
    /// Start of the day (ms since 1970) and the GPUs of every team.
    pub days: Vec<(i64, Vec<u64>)>,
}

impl QuotaSeries {
    /// The days on which the quota of team number `team` began or changed, and the GPUs from then on.
    ///
    /// ```
    /// use fairshare_sim::trace::QuotaSeries;
    /// let days = vec![(0, vec![8]), (1, vec![8]), (2, vec![0]), (3, vec![16])];
    /// let series = QuotaSeries { teams: vec!["a".to_owned()], days };
    /// assert_eq!(series.changes(0), [(0, 8), (2, 0), (3, 16)]);
    /// ```
    #[must_use]
    pub fn changes(&self, team: usize) -> Vec<(i64, u64)> {
        let mut changes: Vec<(i64, u64)> = Vec::new();
        for (day, gpus) in &self.days {
            let gpus = gpus.get(team).copied().unwrap_or(0);
            if changes.last().is_none_or(|(_, before)| *before != gpus) {
                changes.push((*day, gpus));
            }
        }
        changes
    }

    /// The days on which the number of nodes that all quotas together need began or changed, and that number from then on.
    fn nodes(&self) -> Vec<(i64, u64)> {
        let mut changes: Vec<(i64, u64)> = Vec::new();
        for (day, gpus) in &self.days {
            let gpus = gpus.iter().fold(0_u64, |sum, gpus| sum.saturating_add(*gpus));
            let nodes = gpus.div_ceil(GPUS_PER_NODE);
            if changes.last().is_none_or(|(_, before)| *before != nodes) {
                changes.push((*day, nodes));
            }
        }
        changes
    }
}

impl Cluster {
    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty() && self.quotas.is_none()
    }

    /// Adds one node.
    pub(crate) fn add(&mut self, make: NodeMake) {
        *self.nodes.entry(make).or_default() += 1;
    }

    /// Adds what another file says.
    pub(crate) fn merge(&mut self, other: Self) {
        for (make, count) in other.nodes {
            *self.nodes.entry(make).or_default() += count;
        }
        self.quotas = other.quotas.or(self.quotas.take());
    }

    /// How many nodes there are.
    #[must_use]
    pub fn node_count(&self) -> u64 {
        self.nodes.values().sum()
    }

    /// GPUs by type, in milli-GPU; types without GPUs are absent.
    #[must_use]
    pub fn gpus_by_type(&self) -> BTreeMap<&str, u64> {
        let mut types = BTreeMap::new();
        for (make, count) in &self.nodes {
            if make.gpu_milli > 0 {
                *types.entry(make.accelerator.as_str()).or_default() += make.gpu_milli * count;
            }
        }
        types
    }

    /// The cluster as tables of a scenario: a pool per make, the last day's quotas.
    ///
    /// Without a list of nodes, a pool of eight-GPU nodes is made of the sum of all quotas: as many as on the largest day,
    /// with a `[[capacity]]` for every day on which the number changed. Quotas become the teams' weights, and where there
    /// is exactly one GPU pool also guaranteed amounts. A team has one quota for the whole replay, so the days on which
    /// it changed stand above it in a comment.
    #[must_use]
    pub fn scenario(&self) -> String {
        let mut text = String::new();
        let mut pools = Vec::new();
        let mut used: BTreeMap<String, u32> = BTreeMap::new();
        for (make, count) in &self.nodes {
            let stem = if make.accelerator.is_empty() { "cpu" } else { make.accelerator.as_str() };
            let stem = plain_name(stem);
            let number = used.entry(stem.clone()).and_modify(|number| *number += 1).or_insert(1);
            let name = if *number == 1 { stem } else { format!("{stem}-{number}") };
            write_pool(&mut text, &name, make, *count);
            if make.gpu_milli > 0 {
                pools.push(name);
            }
        }
        if let Some(quotas) = &self.quotas {
            self.write_quotas(quotas, &mut text, &mut pools);
        }
        text
    }

    fn write_quotas(&self, quotas: &QuotaSeries, text: &mut String, pools: &mut Vec<String>) {
        let Some((_, last)) = quotas.days.last() else { return };
        if self.nodes.is_empty() {
            let series = quotas.nodes();
            let most = series.iter().map(|(_, nodes)| *nodes).max().unwrap_or(0);
            if most > 0 {
                let make = NodeMake { gpu_milli: GPUS_PER_NODE * 1000, ..NodeMake::default() };
                write_pool(text, "gpu", &make, most);
                pools.push("gpu".to_owned());
                if series.iter().any(|(_, nodes)| *nodes != most) {
                    write_capacity(text, "gpu", &series);
                }
            }
        }
        for (index, (team, &gpus)) in quotas.teams.iter().zip(last).enumerate() {
            if gpus == 0 {
                continue;
            }
            write_changes(text, &quotas.changes(index));
            let _ = write!(text, "[[team]]\nname = {}\nweight = {gpus}\n", toml_string(team));
            if let [pool] = &pools[..] {
                let _ = writeln!(text, "quota = {{ {pool} = {{ gpu = {gpus} }} }}");
            }
            text.push('\n');
        }
    }
}

fn write_pool(text: &mut String, name: &str, make: &NodeMake, count: u64) {
    let _ = writeln!(text, "[[pool]]\nname = {}", toml_string(name));
    if !make.accelerator.is_empty() {
        let _ = writeln!(text, "accelerator = {}", toml_string(&make.accelerator));
    }
    let mut parts = Vec::new();
    for (key, amount) in [("gpu", make.gpu_milli), ("cpu", make.cpu_milli)] {
        if amount > 0 {
            parts.push(format!("{key} = {}", thousandths(amount)));
        }
    }
    if make.memory_bytes > 0 {
        parts.push(format!("memory = \"{}\"", memory(make.memory_bytes)));
    }
    let _ = writeln!(text, "nodes = {count}\nnode = {{ {} }}\n", parts.join(", "));
}

/// An amount of memory to the byte, in the largest unit of which it is a whole number.
fn memory(bytes: u64) -> String {
    let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let whole = units.into_iter().find(|(_, unit)| bytes.is_multiple_of(*unit));
    whole.map_or_else(|| format!("{bytes}B"), |(name, unit)| format!("{}{name}", bytes / unit))
}

/// How many nodes of a pool are up from each day on.
fn write_capacity(text: &mut String, pool: &str, series: &[(i64, u64)]) {
    for (day, nodes) in series {
        let from = date(*day);
        let _ = writeln!(
            text,
            "[[capacity]]\npool = {}\nfrom = \"{from} 00:00:00\"\nnodes = {nodes}\n",
            toml_string(pool)
        );
    }
}

/// A comment with the quota from each day on, cut into lines.
fn write_changes(text: &mut String, changes: &[(i64, u64)]) {
    let shown = |(day, gpus): &(i64, u64)| format!("{} from {}", gpus, date(*day));
    for (index, line) in changes.chunks(4).enumerate() {
        let start = if index == 0 { "# GPUs: " } else { "#       " };
        let _ = writeln!(text, "{start}{}", line.iter().map(shown).collect::<Vec<_>>().join(", "));
    }
}

/// The date of a Unix time in ms.
fn date(unix_ms: i64) -> String {
    let timestamp = jiff::Timestamp::from_millisecond(unix_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    timestamp.strftime("%Y-%m-%d").to_string()
}

/// Letters, digits, `-` and `_`; everything else becomes `-`.
fn plain_name(text: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    text.chars().map(|letter| if plain(letter) { letter.to_ascii_lowercase() } else { '-' }).collect()
}

fn toml_string(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(letter);
            }
            letter if letter.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(letter));
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_reads_back_to_the_byte() {
        for bytes in [1, 1 << 30, 512 << 30, 3 << 20, 5 << 10, 512_000_000_000, 499_289_948 << 10, u64::MAX] {
            let text = memory(bytes);
            assert_eq!(
                fairshare::Quantity::parse_bytes(&text).map(fairshare::Quantity::get),
                Some(bytes),
                "{text}"
            );
        }
        assert_eq!((memory(512 << 30), memory(1_001)), ("512GiB".to_owned(), "1001B".to_owned()));
    }
}
