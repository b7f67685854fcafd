//! Kueue's own cases, by the library: `kueue/cases.txt`, one block a case, words and `key=value` pairs on a line.
//!
//! A failure means that a decision differs from Kueue's. Amounts are `FLAVOR/RESOURCE=AMOUNT`; a `quota` line belongs to
//! the node above it, an `expect` or `victim` line to the question above it.

use std::collections::{BTreeMap, BTreeSet};

use fairshare::Weight;
use fairshare::kueue::{
    BorrowWithinCohort, Cluster, ClusterQueue, Cohort, Pending, PodSet, Quota, QuotaRow, Reach,
    ResourceGroup, Settings, Strategy, Usage, Verdict, WeightedShare, Workload, decayed, entry_penalty,
    victim_order,
};

const CASES: &str = include_str!("kueue/cases.txt");

/// One line of a case.
struct Line<'a> {
    words: Vec<&'a str>,
}

impl<'a> Line<'a> {
    fn get(&self, key: &str) -> Option<&'a str> {
        self.pairs().find(|(known, _)| *known == key).map(|(_, value)| value)
    }

    fn number<T: std::str::FromStr + Default>(&self, key: &str) -> T
    where
        T::Err: std::fmt::Debug,
    {
        self.get(key).map(|text| text.parse().unwrap()).unwrap_or_default()
    }

    fn pairs(&self) -> impl Iterator<Item = (&'a str, &'a str)> + '_ {
        self.words.iter().filter_map(|word| word.split_once('='))
    }

    /// The words without `=`, but for the first.
    fn plain(&self) -> Vec<&'a str> {
        self.words[1..].iter().copied().filter(|word| !word.contains('=')).collect()
    }

    /// Flavor, resource, amount and whether it fits as it is.
    fn amounts(&self) -> Vec<(&'a str, &'a str, i64, bool)> {
        let amount = |(pair, value): (&'a str, &'a str)| {
            let (flavor, resource) = pair.split_once('/')?;
            let (number, fits) = value.strip_suffix(":fits").map_or((value, false), |number| (number, true));
            Some((flavor, resource, thousandths(number), fits))
        };
        self.pairs().filter_map(amount).collect()
    }

    fn weight(&self) -> Option<Weight> {
        self.get("weight").map_or(Some(Weight::ONE), Weight::parse)
    }
}

/// A decimal number of units; what is too large saturates, as amounts do.
fn thousandths(text: &str) -> i64 {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let part: i64 = format!("{part:0<3}").parse().unwrap();
    whole.parse::<i64>().unwrap().saturating_mul(1_000).saturating_add(part)
}

fn reach(word: Option<&str>) -> Reach {
    match word {
        None | Some("Never") => Reach::Never,
        Some("LowerPriority") => Reach::LowerPriority,
        Some("LowerOrNewerEqualPriority") => Reach::LowerOrNewerEqualPriority,
        Some("Any") => Reach::Any,
        Some(other) => panic!("unknown policy {other}"),
    }
}

/// What a case says of the cluster.
#[derive(Default)]
struct World {
    settings: Settings,
    cohorts: Vec<Cohort>,
    queues: Vec<ClusterQueue>,
    running: Vec<Workload>,
    last_is_queue: bool,
}

impl World {
    /// Takes in a line that describes the cluster; whether it was one.
    fn read(&mut self, line: &Line<'_>) -> bool {
        match line.words[0] {
            "cohort" => {
                let parent = line.get("in").map(str::to_owned);
                self.cohorts.push(Cohort { parent, weight: line.weight(), ..Cohort::new(line.words[1]) });
                self.last_is_queue = false;
            }
            "queue" => {
                let mut queue = ClusterQueue::new(line.words[1]);
                queue.cohort = line.get("in").map(str::to_owned);
                queue.weight = line.weight();
                queue.preemption.within_cluster_queue = reach(line.get("within"));
                queue.preemption.reclaim_within_cohort = reach(line.get("reclaim"));
                queue.preemption.borrow_within_cohort = line.get("borrow").map(|most| BorrowWithinCohort {
                    max_priority_threshold: (most != "any").then(|| most.parse().unwrap()),
                });
                self.queues.push(queue);
                self.last_is_queue = true;
            }
            "quota" => {
                let (flavor, resource, nominal, _) = line.amounts()[0];
                let limit = |key: &str| line.get(key).map(thousandths);
                let quota = Quota {
                    borrowing_limit: limit("borrow"),
                    lending_limit: limit("lend"),
                    ..Quota::new(resource, nominal)
                };
                let groups = if self.last_is_queue {
                    &mut self.queues.last_mut().unwrap().groups
                } else {
                    &mut self.cohorts.last_mut().unwrap().groups
                };
                add_quota(groups, flavor, quota);
            }
            "running" => {
                let usage = line
                    .amounts()
                    .into_iter()
                    .map(|(flavor, resource, amount, _)| (flavor, resource, amount));
                let mut workload = Workload::new(line.words[1], line.get("in").unwrap(), usage.collect());
                workload.priority = line.number("priority");
                workload.reserved_ms = line.number("since");
                workload.created_ms = line.number("created");
                workload.evicted = line.plain().contains(&"evicted");
                self.running.push(workload);
            }
            "fair" => {
                self.settings.fair_sharing = true;
                let named = line.plain();
                if !named.is_empty() {
                    let strategy = |name: &&str| match *name {
                        "LessThanOrEqualToFinalShare" => Strategy::LessThanOrEqualToFinalShare,
                        "LessThanInitialShare" => Strategy::LessThanInitialShare,
                        other => panic!("unknown strategy {other}"),
                    };
                    self.settings.strategies = named.iter().map(strategy).collect();
                }
            }
            _ => return false,
        }
        true
    }

    fn cluster(&self) -> Cluster {
        Cluster::new(self.settings.clone(), &self.cohorts, &self.queues, self.running.clone()).unwrap()
    }

    fn names(&self, workloads: impl IntoIterator<Item = usize>) -> Vec<&str> {
        workloads.into_iter().map(|workload| self.running[workload].name.as_str()).collect()
    }
}

/// A resource is in one group; flavors of one resource are in the same.
fn add_quota(groups: &mut Vec<ResourceGroup>, flavor: &str, quota: Quota) {
    let holds = |group: &ResourceGroup| {
        group.rows.iter().any(|row| {
            row.flavor == flavor || row.quotas.iter().any(|known| known.resource == quota.resource)
        })
    };
    let at = groups.iter().position(holds).unwrap_or_else(|| {
        groups.push(ResourceGroup::default());
        groups.len() - 1
    });
    let rows = &mut groups[at].rows;
    match rows.iter_mut().find(|row| row.flavor == flavor) {
        Some(row) => row.quotas.push(quota),
        None => rows.push(QuotaRow { flavor: flavor.to_owned(), quotas: vec![quota] }),
    }
}

fn pending(line: &Line<'_>) -> Pending {
    let requests = line.amounts().into_iter().map(|(_, resource, amount, _)| (resource, amount)).collect();
    let mut pending =
        Pending::new(line.words[1], line.get("in").unwrap(), vec![PodSet::new("main", 1, requests)]);
    pending.priority = line.number("priority");
    pending.created_ms = line.number("created");
    pending
}

/// The lines that follow the one at `at` and begin with `word`.
fn following<'a, 'b>(lines: &'b [Line<'a>], at: usize, word: &'b str) -> impl Iterator<Item = &'b Line<'a>> {
    lines[at + 1..].iter().take_while(move |line| line.words[0] == word)
}

fn preempts(world: &World, lines: &[Line<'_>], at: usize) {
    let line = &lines[at];
    let assigned: Vec<_> = line
        .amounts()
        .into_iter()
        .map(|(flavor, resource, amount, fits)| (flavor, resource, amount, !fits))
        .collect();
    let mut cluster = world.cluster();
    let before = cluster.shares();
    let victims = cluster.victims_of(&pending(line), &assigned);
    assert_eq!(cluster.shares(), before, "the search leaves something behind");
    let found: BTreeSet<(&str, &str)> = victims
        .iter()
        .map(|victim| (world.running[victim.workload].name.as_str(), victim.reason.as_str()))
        .collect();
    assert_eq!(found.len(), victims.len(), "a victim is taken twice");
    let expected = following(lines, at, "victim").map(|line| (line.words[1], line.words[2])).collect();
    assert_eq!(found, expected);
}

fn shares(world: &World, lines: &[Line<'_>]) {
    let extra = lines.iter().find(|line| line.words[0] == "extra");
    for line in lines.iter().filter(|line| line.words[0] == "share") {
        let name = line.words[1];
        let mut running = world.running.clone();
        if let (Some(extra), true) = (extra, world.queues.iter().any(|queue| queue.name == name)) {
            let usage =
                extra.amounts().into_iter().map(|(flavor, resource, amount, _)| (flavor, resource, amount));
            running.push(Workload::new("extra", name, usage.collect()));
        }
        let cluster = Cluster::new(world.settings.clone(), &world.cohorts, &world.queues, running).unwrap();
        let shares = cluster.shares();
        let share = shares.iter().find(|share| share.name == name).unwrap();
        assert_eq!(share.weighted, WeightedShare::Thousandths(line.words[2].parse().unwrap()), "{name}");
        assert_eq!(share.dominant_resource.as_deref().unwrap_or("-"), line.words[3], "{name}");
    }
}

fn cycles(world: &World, lines: &[Line<'_>]) {
    let jobs: Vec<Pending> = lines.iter().filter(|line| line.words[0] == "pending").map(pending).collect();
    let mut cluster = world.cluster();
    let outcome = cluster.cycle(&jobs);
    let named = |word: &str| lines.iter().find(|line| line.words[0] == word).unwrap().plain();
    let started: BTreeSet<&str> = jobs
        .iter()
        .zip(&outcome.verdicts)
        .filter(|(_, verdict)| matches!(verdict, Verdict::Start { .. }))
        .map(|(job, _)| job.name.as_str())
        .collect();
    assert_eq!(started, named("starts").into_iter().collect(), "{outcome:?}");
    let order: Vec<&str> = outcome.order.iter().map(|at| jobs[*at].name.as_str()).collect();
    assert_eq!(order, named("order"), "{outcome:?}");
    assert_eq!(world.cluster().shares(), cluster.shares(), "the cycle leaves something behind");
}

fn victims(lines: &[Line<'_>], at: usize) {
    let mut world = World::default();
    for line in following(lines, at, "candidate") {
        let queue = line.get("in").unwrap();
        if !world.queues.iter().any(|known| known.name == queue) {
            world.queues.push(ClusterQueue::new(queue));
        }
        let mut workload = Workload::new(line.words[1], queue, vec![]);
        workload.priority = line.number("priority");
        workload.reserved_ms = line.number("since");
        workload.evicted = line.plain().contains(&"evicted");
        workload.local_usage = line.get("local").map(|text| text.parse().unwrap());
        world.running.push(workload);
    }
    let order = victim_order(&world.cluster(), lines[at].get("preemptor").unwrap());
    let expected = lines.iter().find(|line| line.words[0] == "expect").unwrap().plain();
    assert_eq!(world.names(order), expected);
}

fn numbers<'a>(line: &Line<'a>, prefix: &str) -> BTreeMap<String, f64> {
    let named = |(key, value): (&'a str, &'a str)| {
        let name =
            if prefix.is_empty() { (!key.contains(':')).then_some(key) } else { key.strip_prefix(prefix) };
        Some((name?.to_owned(), value.parse().ok()?))
    };
    line.pairs().filter(|(key, _)| !["weight", "expect"].contains(key)).filter_map(named).collect()
}

fn heads(lines: &[Line<'_>]) {
    let by_usage = lines.iter().find(|line| line.words[0] == "by-local-usage");
    let factors = by_usage.map(|line| numbers(line, "")).unwrap_or_default();
    let locals: BTreeMap<&str, f64> = lines
        .iter()
        .filter(|line| line.words[0] == "local")
        .map(|line| {
            let usage = Usage { consumed: numbers(line, ""), ..Usage::default() };
            (line.words[1], usage.scalar(&factors, line.weight()))
        })
        .collect();
    let mut queue = ClusterQueue::new("cq").with_quotas("default", vec![Quota::new("cpu", 1)]);
    queue.admission_fair_sharing = by_usage.is_some();
    let mut cluster = Cluster::new(Settings::default(), &[], &[queue], Vec::new()).unwrap();
    let waiting = lines.iter().filter(|line| line.words[0] == "waiting").map(|line| {
        let mut pending = Pending::new(line.words[1], "cq", vec![PodSet::new("main", 1, vec![("cpu", 1)])]);
        pending.priority = line.number("priority");
        pending.local_usage = line.get("local").map(|local| locals[local]);
        pending
    });
    let waiting: Vec<Pending> = waiting.collect();
    let outcome = cluster.cycle(&waiting);
    let head = lines.iter().find(|line| line.words[0] == "head").unwrap().words[1];
    assert_eq!(waiting[outcome.order[0]].name, head);
}

fn close(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{found}, expected {expected}");
}

/// Runs one case; whether this is a kind that the library answers.
fn run(lines: &[Line<'_>]) -> bool {
    let mut world = World::default();
    let mut asked = false;
    for line in lines {
        world.read(line);
    }
    for (at, line) in lines.iter().enumerate() {
        match line.words[0] {
            "preempt" => preempts(&world, lines, at),
            "victims" => victims(lines, at),
            "starts" => cycles(&world, lines),
            "head" => heads(lines),
            "queues" => {
                let from: Vec<&str> = line.get("from").unwrap().split(',').collect();
                let found = world.cluster().queues_by_share(line.get("preemptor").unwrap(), &from);
                assert_eq!(found, lines[at + 1].plain());
            }
            "lendable" => {
                let found = world.cluster().lendable(&world.queues[0].name);
                assert_eq!(found, line.pairs().map(|(k, v)| (k.to_owned(), thousandths(v))).collect());
            }
            "scalar" => {
                let usage = Usage { consumed: numbers(line, ""), penalty: numbers(line, "penalty:") };
                close(usage.scalar(&numbers(line, "factor:"), line.weight()), line.number("expect"), 1e-9);
            }
            "decay" => {
                let (sample, half, current): (f64, f64, f64) =
                    (line.number("sample"), line.number("half"), line.number("use"));
                let mut usage: f64 = line.number("start");
                for _ in 0..line.number::<usize>("samples") {
                    usage = decayed(usage, current, sample, half);
                    assert!(usage <= current);
                }
                close(usage, line.number("expect"), line.number("tolerance"));
            }
            "penalty" => {
                for (_, value) in line.pairs().filter(|(_, value)| value.contains(':')) {
                    let (request, expected) = value.split_once(':').unwrap();
                    let found =
                        entry_penalty(request.parse().unwrap(), line.number("sample"), line.number("half"));
                    close(found, expected.parse().unwrap(), 1e-8);
                }
            }
            "share" if !asked => shares(&world, lines),
            _ => continue,
        }
        asked = true;
    }
    asked
}

/// A block of lines for each case, with its name.
fn cases() -> Vec<(&'static str, Vec<Line<'static>>)> {
    let mut cases: Vec<(&str, Vec<Line<'_>>)> = Vec::new();
    for line in CASES.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words[0] == "case" {
            cases.push((words[1], Vec::new()));
        } else {
            cases.last_mut().unwrap().1.push(Line { words });
        }
    }
    cases
}

#[test]
fn kueues_own_cases() {
    let cases = cases();
    assert_eq!(cases.len(), 78);
    let (mut failed, mut answered) = (Vec::new(), 0);
    for (name, lines) in &cases {
        let outcome = std::panic::catch_unwind(|| run(lines));
        match outcome {
            Ok(asked) => answered += usize::from(asked),
            Err(_) => failed.push(*name),
        }
    }
    println!("{answered} of {} cases are answered by the library", cases.len());
    assert!(failed.is_empty(), "{} fail: {failed:?}", failed.len());
    // A steady state is reached by a replay, not in a cycle.
    assert_eq!(answered, cases.len() - 1);
}
