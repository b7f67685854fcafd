//! The machines of a trace as a scenario that its jobs can run on.
//!
//! What the source says of its nodes is written as it stands. Where it says less than the jobs ask, the scenario says so
//! in a comment: quotas count GPUs alone, so that nodes made of them get enough of everything else. Absent on purpose:
//! reading the text (see `scenario`), and prices, which no trace has.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use super::cluster::{Cluster, GPUS_PER_NODE, NodeMake, QuotaSeries};
use super::model::{CPU, FIRST_OTHER, GPU, MEMORY, TraceShape};
use super::write::thousandths;

/// How many lists of pools are kept.
const LISTS_KEPT: usize = 10_000;

/// What the jobs of a trace ask of nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asks {
    /// The lists of pools that jobs name, the first ten thousand of them: no cluster has more.
    pub pools: BTreeSet<Arc<[String]>>,
    /// What a node of eight GPUs has to have so that no worker lacks it, and that workers with GPUs can use all eight.
    pub of_node: NodeMake,
}

impl Asks {
    /// What jobs of these shapes ask; `resources` names what comes after GPU, CPU and memory.
    pub(crate) fn new<'a>(shapes: impl Iterator<Item = &'a TraceShape>, resources: &[String]) -> Self {
        let mut asks = Self::default();
        shapes.for_each(|shape| asks.note(shape, resources));
        asks
    }

    /// The same with jobs of one shape more.
    pub(crate) fn note(&mut self, shape: &TraceShape, resources: &[String]) {
        for alternative in &shape.alternatives {
            let list = &alternative.pools;
            if !list.is_empty() && self.pools.len() < LISTS_KEPT && !self.pools.contains(list) {
                self.pools.insert(Arc::clone(list));
            }
            let gpu = alternative.amount(GPU);
            for &(index, amount) in &alternative.amounts {
                let all = (GPUS_PER_NODE * 1000).max(gpu);
                let of_node = if gpu > 0 {
                    (u128::from(amount) * u128::from(all)).div_ceil(u128::from(gpu))
                } else {
                    u128::from(amount)
                };
                let of_node = u64::try_from(of_node).unwrap_or(u64::MAX);
                let node = &mut self.of_node;
                let most = match index {
                    GPU => continue,
                    CPU => &mut node.cpu_milli,
                    MEMORY => &mut node.memory_bytes,
                    other => node.others.entry(resources[other - FIRST_OTHER].clone()).or_default(),
                };
                *most = of_node.max(*most);
            }
        }
    }

    /// The first pool that is in every list.
    fn common_pool(&self) -> Option<&String> {
        let (first, others) = (self.pools.first()?, self.pools.iter().skip(1));
        first.iter().filter(|pool| others.clone().all(|list| list.contains(pool))).min()
    }
}

impl Cluster {
    /// The cluster as tables of a scenario: a pool per make, the last day's quotas.
    ///
    /// Without a list of nodes, a pool of eight-GPU nodes is made of the sum of all quotas: as many as on the largest day,
    /// with a `[[capacity]]` for every day on which the number changed. Quotas become the teams' weights, and where there
    /// is exactly one GPU pool also guaranteed amounts. A team has one quota for the whole replay, so the days on which
    /// it changed stand above it in a comment.
    #[must_use]
    pub fn scenario(&self) -> String {
        self.scenario_for(&Asks::default()).0
    }

    /// The same for jobs that ask `asks`, and what should be said about it.
    ///
    /// Nodes of a flavor are a pool of its name, for that is what jobs name. Without a list of flavors, a flavor that all
    /// jobs name is taken to be the only pool.
    #[must_use]
    pub fn scenario_for(&self, asks: &Asks) -> (String, Vec<String>) {
        let mut text = String::new();
        let mut names = BTreeSet::new();
        let mut gpu_pools = Vec::new();
        for (name, make, count) in self.pools(asks) {
            write_pool(&mut text, &name, &make, count);
            if make.gpu_milli > 0 {
                gpu_pools.push(name.clone());
            }
            names.insert(name);
        }
        if let Some(quotas) = &self.quotas {
            self.write_quotas(quotas, asks, &mut text, &mut gpu_pools);
        }
        let mut warnings = Vec::new();
        let homeless = asks.pools.iter().filter(|list| !list.iter().any(|pool| names.contains(pool)));
        let absent: BTreeSet<&String> = homeless.flat_map(|list| list.iter()).collect();
        let (described, unknown): (Vec<&String>, Vec<&String>) =
            absent.into_iter().partition(|name| self.flavors.contains_key(*name));
        let no_node_left =
            "a node belongs to the flavor of which it has the most labels: add a pool for these jobs";
        let no_list = "name the list of flavors (`kubectl get resourceflavors -o json`) with the other files";
        for (names, what, how) in [
            (described, "flavors to which no node is left", no_node_left),
            (unknown, "pools of which no node is known", no_list),
        ] {
            if !names.is_empty() && !self.nodes.is_empty() {
                warnings.push(format!("jobs name {what}: {}; {how}", listed(&names)));
            }
        }
        (text, warnings)
    }

    /// Name, make and size of each pool.
    fn pools(&self, asks: &Asks) -> Vec<(String, NodeMake, u64)> {
        let mut groups: BTreeMap<(NodeMake, String), u64> = BTreeMap::new();
        for (make, count) in &self.nodes {
            let flavor = self.flavor(&make.labels).unwrap_or_default();
            let make = NodeMake { labels: BTreeMap::new(), ..make.clone() };
            *groups.entry((make, flavor)).or_default() += count;
        }
        if let (1, Some(only)) = (groups.len(), asks.common_pool())
            && self.flavors.is_empty()
        {
            groups = groups.into_iter().map(|((make, _), count)| ((make, only.clone()), count)).collect();
        }
        let mut used: BTreeMap<String, u32> = BTreeMap::new();
        let mut pools = Vec::new();
        for ((make, flavor), count) in groups {
            let stem = match (flavor.is_empty(), make.accelerator.as_str()) {
                (false, _) => flavor,
                (true, "") => plain_name(if make.gpu_milli > 0 { "gpu" } else { "cpu" }),
                (true, accelerator) => plain_name(accelerator),
            };
            let number = used.entry(stem.clone()).and_modify(|number| *number += 1).or_insert(1);
            let name = if *number == 1 { stem } else { format!("{stem}-{number}") };
            pools.push((name, make, count));
        }
        pools
    }

    /// The flavor of a node: of those whose labels it has, the one with the most, then the first by name.
    fn flavor(&self, labels: &BTreeMap<String, String>) -> Option<String> {
        let has = |(key, value): (&String, &String)| labels.get(key) == Some(value);
        let fits = self.flavors.iter().filter(|(_, wanted)| wanted.iter().all(has));
        let best = fits.min_by_key(|(name, wanted)| (std::cmp::Reverse(wanted.len()), *name));
        best.map(|(name, _)| name.clone())
    }

    fn write_quotas(&self, quotas: &QuotaSeries, asks: &Asks, text: &mut String, pools: &mut Vec<String>) {
        let Some((_, last)) = quotas.days.last() else { return };
        if self.nodes.is_empty() {
            let series = quotas.nodes();
            let most = series.iter().map(|(_, nodes)| *nodes).max().unwrap_or(0);
            if most > 0 {
                let make = NodeMake { gpu_milli: GPUS_PER_NODE * 1000, ..asks.of_node.clone() };
                if asks.of_node != NodeMake::default() {
                    text.push_str(
                        "# The quotas count GPUs. Of all else a node has as much as the largest job takes.\n",
                    );
                }
                write_pool(text, "gpu", &make, most);
                pools.push("gpu".to_owned());
                if series.iter().any(|(_, nodes)| *nodes != most) {
                    write_capacity(text, "gpu", &series);
                }
            }
        }
        for (index, (team, &gpus)) in quotas.teams.iter().zip(last).enumerate() {
            write_changes(text, &quotas.changes(index));
            let _ = writeln!(text, "[[team]]\nname = {}", toml_string(team));
            if gpus == 0 {
                text.push_str("# A weight is above zero.\n");
            }
            let _ = writeln!(text, "weight = {}", gpus.max(1));
            if let [pool] = &pools[..] {
                let _ = writeln!(text, "quota = {{ {} = {{ gpu = {gpus} }} }}", toml_key(pool));
            }
            text.push('\n');
        }
    }
}

/// How many names a warning spells out.
const NAMES_SHOWN: usize = 5;

/// The first names, and how many more there are.
fn listed(names: &[&String]) -> String {
    let shown: Vec<String> =
        names.iter().take(NAMES_SHOWN).map(|name| format!("`{}`", super::printable(name))).collect();
    let more = names.len().saturating_sub(NAMES_SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    shown.join(", ") + &more
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
    for (name, amount) in make.others.iter().filter(|(_, amount)| **amount > 0) {
        parts.push(format!("{} = {}", toml_key(name), thousandths(*amount)));
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

/// A key as it stands, or in quotes.
fn toml_key(text: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !text.is_empty() && text.bytes().all(bare) { text.to_owned() } else { toml_string(text) }
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
