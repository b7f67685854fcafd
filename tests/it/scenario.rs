//! Text scenarios: an organisation, a history and what must come of it, in a file that a person can read.
//!
//! One line is one statement; `#` starts a comment. First the organisation (`kinds`, `policy`, `pool`, `team`, `shape`),
//! then what happens (`at`, `submit`, `complete`, `cancel`, `capacity`, `schedule`), each followed by what is expected
//! of it (`starts`, `evicts`, `record`, `running`, `waiting`, `share`, `taken`, `less`, `waits`). The files lie in `scenarios/`;
//! the tests below name them, and a file that no test names fails a test.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use fairshare::{
    Allowance, Alternative, Backfill, Budget, ClassScope, Config, Decision, EvictionBounds, JobId, JobSpec,
    MicroUsd, Millis, OrderName, PolicySpec, PoolId, PoolSpec, Preemption, Price, PriceUnit, Quantity,
    ResourceKind, ResourceKinds, Resources, Scheduler, ShapeId, ShapeSpec, Spending, Submission, TeamId,
    TeamSpec, Timestamp, Weight,
};

#[derive(Default)]
struct World {
    config: Config,
    shapes: BTreeMap<String, ShapeSpec>,
    scheduler: Option<Scheduler>,
    interned: BTreeMap<String, ShapeId>,
    /// Jobs by their names: `team.1`, `team.2`, ... in order of submission.
    jobs: BTreeMap<String, JobId>,
    names: BTreeMap<JobId, String>,
    counts: BTreeMap<String, usize>,
    now: Timestamp,
    last: Vec<Decision>,
    rejected: usize,
}

/// `ORDER [BACKFILL] [preemption=RULE] [minimum-run=SECONDS] ...`.
fn policy(words: &[&str]) -> PolicySpec {
    let value = |key: &str| words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
    let settings = ["priority", "preemption", "minimum-run", "back-off", "hysteresis-milli", "ratio-milli"];
    let mut policy = PolicySpec::new(OrderName::parse(words[0]).unwrap());
    for word in &words[1..] {
        match word.split_once('=') {
            None => policy.backfill = Backfill::parse(word).unwrap(),
            Some((key, _)) => {
                let known =
                    settings.contains(&key) || HISTORY.contains(&key) || key == "gpu-seconds-per-hour";
                assert!(known, "no such setting: `{word}`");
            }
        }
    }
    if let Some(scope) = value("priority") {
        policy.priority = ClassScope::parse(scope).unwrap();
    }
    history(&mut policy, &value);
    let mut bounds = EvictionBounds::default();
    let millis = |text: &str| Millis::from_secs(text.parse().unwrap()).unwrap();
    if let Some(seconds) = value("minimum-run") {
        bounds.minimum_run = millis(seconds);
    }
    if let Some(seconds) = value("back-off") {
        bounds.back_off = millis(seconds);
    }
    if let Some(milli) = value("hysteresis-milli") {
        bounds.hysteresis_milli = milli.parse().unwrap();
    }
    if let Some(milli) = value("ratio-milli") {
        bounds.ratio_milli = milli.parse().ok();
    }
    bounds.gpu_seconds_per_hour = value("gpu-seconds-per-hour").map(|text| text.parse().unwrap());
    let preemption = value("preemption").map_or(Preemption::None, |name| {
        Preemption::parse(name).unwrap_or_else(|| panic!("no preemption `{name}`"))
    });
    policy.with_preemption(preemption).with_bounds(bounds)
}

/// Settings of orders that look at past use.
const HISTORY: [&str; 7] = ["half-life", "rank-period", "max-age", "age", "fairshare", "size", "class"];

fn history<'a>(policy: &mut PolicySpec, value: &impl Fn(&str) -> Option<&'a str>) {
    let factors = &mut policy.factors;
    for (key, length) in [
        ("half-life", &mut policy.half_life),
        ("rank-period", &mut policy.rank_period),
        ("max-age", &mut factors.max_age),
    ] {
        let given = value(key).map(|text| Millis::from_secs(text.parse().unwrap()).unwrap());
        *length = given.unwrap_or(*length);
    }
    let [age, fairshare, size, class] =
        [&mut factors.age, &mut factors.fairshare, &mut factors.size, &mut factors.class];
    for (key, weight) in [("age", age), ("fairshare", fairshare), ("size", size), ("class", class)] {
        *weight = value(key).map_or(*weight, |text| text.parse().unwrap());
    }
}

impl World {
    fn amounts(&self, words: &[&str]) -> Resources {
        let mut amounts = Resources::new();
        for word in words {
            let Some((name, text)) = word.split_once('=') else { continue };
            let Some(kind) = self.config.kinds.find(name) else { continue };
            let amount =
                if kind.is_bytes() { Quantity::parse_bytes(text) } else { Quantity::parse_units(text) };
            amounts = amounts.with(kind, amount.unwrap_or_else(|| panic!("no amount: `{word}`")));
        }
        amounts
    }

    fn team(&self, name: &str) -> TeamId {
        let at = self.config.teams.iter().position(|team| team.name == name);
        TeamId::new(u32::try_from(at.unwrap_or_else(|| panic!("no team `{name}`"))).unwrap())
    }

    fn pool(&self, name: &str) -> PoolId {
        let at = self.config.pools.iter().position(|pool| pool.name == name);
        PoolId::new(u32::try_from(at.unwrap_or_else(|| panic!("no pool `{name}`"))).unwrap())
    }

    fn scheduler(&mut self) -> &mut Scheduler {
        let config = &self.config;
        self.scheduler.get_or_insert_with(|| Scheduler::new(config.clone()).unwrap())
    }

    fn define(&mut self, verb: &str, words: &[&str]) -> bool {
        let value = |key: &str| words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        let flag = |key: &str| words.contains(&key);
        match verb {
            "kinds" => {
                for name in words {
                    self.config.kinds.add(name).unwrap();
                }
            }
            "policy" => {
                self.config.policy = policy(words);
            }
            "pool" => {
                let mut pool = PoolSpec::new(words[0], words[1].parse().unwrap(), self.amounts(&words[2..]));
                pool.accelerator = value("accelerator").map(String::from);
                pool.divisible = flag("divisible");
                let hour = value("price").map(|usd| MicroUsd::parse(usd).unwrap());
                pool.price = hour.map(|hour| Price { unit: PriceUnit::Gpu, hour });
                self.config.pools.push(pool);
            }
            "team" => {
                let mut team = TeamSpec::new(words[0]);
                team.weight = value("weight").map_or(Weight::ONE, |text| Weight::parse(text).unwrap());
                let length = value("every").map(|text| Millis::from_secs(text.parse().unwrap()).unwrap());
                let gpu_seconds = value("gpu-seconds").map(|text| text.parse::<u64>().unwrap());
                let usd = value("usd").map(|text| MicroUsd::parse(text).unwrap());
                let most = gpu_seconds.map(|s| Spending::GpuMillis(s * 1_000)).or(usd.map(Spending::Usd));
                team.budget = most.zip(length).map(|(most, period)| Budget { most, period });
                team.parent = value("parent").map(|name| self.team(name));
                for word in words {
                    // `quota.POOL.RESOURCE=AMOUNT`, and the same for the other three.
                    let Some((path, _)) = word.split_once('=') else { continue };
                    let [what, pool, kind] = path.split('.').collect::<Vec<_>>()[..] else { continue };
                    let amounts = self.amounts(&[word.rsplit('.').next().unwrap()]);
                    let kind = self.config.kinds.find(kind).unwrap();
                    let allowance = Allowance::new(self.pool(pool), kind, amounts[kind]);
                    match what {
                        "quota" => team.quota.push(allowance),
                        "limit" => team.limit.push(allowance),
                        "borrow" => team.borrow.push(allowance),
                        "lend" => team.lend.push(allowance),
                        _ => panic!("no such allowance: `{word}`"),
                    }
                }
                self.config.teams.push(team);
            }
            "shape" => {
                let mut alternative = Alternative::new(self.amounts(&words[1..]));
                alternative.workers = value("workers").map_or(1, |text| text.parse().unwrap());
                if let Some(accelerator) = value("on") {
                    alternative = alternative.on(accelerator);
                }
                let class = value("class").map_or(0, |text| text.parse().unwrap());
                self.shapes.insert(words[0].to_owned(), ShapeSpec::new(alternative).with_class(class));
            }
            _ => return false,
        }
        true
    }

    fn submit(&mut self, team: &str, shape: &str, options: &[&str]) {
        let count =
            options.iter().find_map(|word| word.strip_prefix('x')).map_or(1, |text| text.parse().unwrap());
        let value = |key: &str| options.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        let seconds = |text: &str| Millis::from_secs(text.parse().unwrap()).unwrap();
        let (limit, estimate) = (value("limit").map(seconds), value("estimate").map(seconds));
        let spec = self.shapes.get(shape).unwrap_or_else(|| panic!("no shape `{shape}`")).clone();
        let (id, now) = (self.team(team), self.now);
        let interned = self.scheduler().intern(&spec).unwrap();
        self.interned.insert(shape.to_owned(), interned);
        for _ in 0..count {
            let mut job = JobSpec::new(id, interned, now);
            (job.time_limit, job.estimate) = (limit, estimate);
            job.preemptible = !options.contains(&"fixed");
            job.checkpoint = value("checkpoint").map(seconds);
            match self.scheduler().submit(now, job).unwrap() {
                Submission::Rejected(_) => self.rejected += 1,
                Submission::Queued(job) => {
                    let number = self.counts.entry(team.to_owned()).or_default();
                    *number += 1;
                    let name = format!("{team}.{number}");
                    self.jobs.insert(name.clone(), job);
                    self.names.insert(job, name);
                }
            }
        }
    }

    fn act(&mut self, verb: &str, words: &[&str]) -> bool {
        let now = self.now;
        match verb {
            "at" => self.now = Timestamp::from_secs(words[0].parse().unwrap()).unwrap(),
            "submit" => self.submit(words[0], words[1], &words[2..]),
            "complete" | "cancel" => {
                for name in words {
                    let job = self.jobs[*name];
                    let scheduler = self.scheduler();
                    if verb == "complete" {
                        scheduler.complete(now, job)
                    } else {
                        scheduler.cancel(now, job)
                    }
                    .unwrap();
                }
            }
            "capacity" => {
                let pool = self.pool(words[0]);
                self.scheduler().set_capacity(now, pool, words[1].parse().unwrap()).unwrap();
            }
            "schedule" => {
                self.last = self.scheduler().schedule(now).unwrap().to_vec();
                self.scheduler().check_invariants().unwrap();
            }
            _ => return false,
        }
        true
    }

    /// Names of the jobs, or of their teams, that the last cycle started or evicted.
    fn decided(&self, started: bool, by_job: bool) -> String {
        let mut text = String::new();
        for decision in &self.last {
            let job = match decision {
                Decision::Start { job, .. } if started => job,
                Decision::Evict { job, .. } if !started => job,
                _ => continue,
            };
            let name = &self.names[job];
            let name = if by_job { name } else { name.rsplit_once('.').unwrap().0 };
            let space = if text.is_empty() { "" } else { " " };
            write!(text, "{space}{name}").unwrap();
        }
        text
    }

    fn expect(&mut self, verb: &str, words: &[&str]) {
        let joined = words.join(" ");
        match verb {
            "starts" | "evicts" => {
                let by_job = joined.contains('.');
                assert_eq!(self.decided(verb == "starts", by_job), joined);
            }
            "record" => {
                let job = self.jobs[words[0]];
                let eviction = self.scheduler().evictions().iter().find(|eviction| eviction.job == job);
                let eviction = eviction.unwrap_or_else(|| panic!("`{}` was not evicted", words[0])).clone();
                assert_eq!(eviction.reason.as_str(), words[1], "why `{}` was evicted", words[0]);
                for word in &words[2..] {
                    let (what, expected) = word.split_once('=').unwrap();
                    let found = match what {
                        "for" => self.names[&eviction.by.unwrap()].clone(),
                        "lost" => eviction.lost.to_string(),
                        "before" => eviction.victim.before.dominant().to_string(),
                        "after" => eviction.victim.after.dominant().to_string(),
                        "its-before" => eviction.preemptor.as_ref().unwrap().before.dominant().to_string(),
                        "its-after" => eviction.preemptor.as_ref().unwrap().after.dominant().to_string(),
                        _ => panic!("no such part of a record: `{word}`"),
                    };
                    assert_eq!(found, expected, "{what} in the record of `{}`", words[0]);
                }
            }
            "running" => {
                for word in words {
                    let (team, count) = word.split_once('=').unwrap();
                    let id = self.team(team);
                    let running = self.scheduler().running(id).unwrap();
                    assert_eq!(running.to_string(), count, "jobs of `{team}` that run");
                }
            }
            "waiting" => assert_eq!(self.scheduler().waiting().to_string(), joined, "jobs that wait"),
            "rejected" => assert_eq!(self.rejected.to_string(), joined, "jobs rejected"),
            "share" => {
                let team = self.team(words[0]);
                assert_eq!(
                    self.scheduler().share_key(team).unwrap().dominant().to_string(),
                    words[1],
                    "{joined}"
                );
            }
            "less" => {
                let (a, b) = (self.team(words[0]), self.team(words[1]));
                let (a, b) = (self.scheduler().share_key(a).unwrap(), self.scheduler().share_key(b).unwrap());
                assert!(a < b, "{a} is not less than {b}");
            }
            "taken" => {
                let (pool, expected) = (self.pool(words[0]), self.amounts(&words[1..]));
                let scheduler = self.scheduler();
                let taken =
                    scheduler.capacity(pool).unwrap().checked_sub(&scheduler.free(pool).unwrap()).unwrap();
                assert_eq!(taken, expected, "taken in `{}`", words[0]);
            }
            "waits" => {
                let job = self.jobs[words[0]];
                let explanation = self.scheduler().explain(job).unwrap().to_string();
                let reason = joined.split_once(' ').unwrap().1;
                assert!(explanation.contains(reason), "`{reason}` is not in:\n{explanation}");
            }
            _ => panic!("no such statement: `{verb}`"),
        }
    }
}

/// Runs one file of `scenarios/`.
fn check(name: &str) {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/scenarios").join(name).with_extension("txt");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut world =
        World { config: Config::default().with_kinds(ResourceKinds::default()), ..World::default() };
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or("").trim();
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some((verb, words)) = words.split_first() else { continue };
        print_statement(&path, number + 1, line);
        if !world.define(verb, words) && !world.act(verb, words) {
            world.expect(verb, words);
        }
    }
}

#[expect(clippy::print_stdout, reason = "shown where a test fails: the last line is the one that did")]
fn print_statement(path: &Path, number: usize, line: &str) {
    println!("{}:{number}: {line}", path.display());
}

macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        $(#[test] fn $name() { check(stringify!($name)); })*

        #[test]
        fn every_file_is_run() {
            let known = [$(stringify!($name)),*];
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/scenarios");
            for file in std::fs::read_dir(folder).unwrap() {
                let name = file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned();
                assert!(known.contains(&name.as_str()), "no test runs scenarios/{name}.txt");
            }
        }
    };
}

scenarios!(
    capacity_loss_is_lawful,
    evict_for_fairness,
    livelock_of_two_rules,
    livelock_by_current_shares,
    quota_is_taken_back,
    priority_within_one_team,
    budgets_in_gpu_time,
    budgets_in_money,
    capacity_lost,
    classes_come_first,
    classes_within_a_team,
    discrete_order_rule,
    drf_discrete_trace,
    drf_discrete_trace_idtie,
    drf_naive_starvation,
    fair_tree_ranks,
    fair_tree_usage_decays,
    fifo_closes_its_pools,
    float_drift,
    gpus_by_price,
    hdrf_blocked_nodes,
    hdrf_naive_starvation,
    hdrf_vs_collapsed,
    impossible_jobs,
    inner_team_with_jobs,
    limits_and_lending,
    limits_of_a_department,
    multifactor_sums,
    parked_gang_wakes,
    priority_order,
    quota_comes_first,
    shortest_first,
    static_partition,
    static_shares_below_a_department,
    yarn_lexicographic_share,
);

#[test]
fn amounts_are_read_by_kind() {
    let world = World::default();
    assert_eq!(world.amounts(&["gpu=0.5", "memory=1GiB"])[ResourceKind::GPU], Quantity::new(500));
}
