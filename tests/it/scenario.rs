//! Text scenarios: an organisation, a history and what must come of it, in a file that a person can read.
//!
//! One line is one statement; `#` starts a comment. First the organisation (`kinds`, `policy`, `dataset`, `pool`, `team`,
//! `shape`), then what happens (`at`, `runs`, `submit`, `complete`, `cancel`, `capacity`, `schedule`), each followed
//! by what is expected of it (`starts`, `evicts`, `record`, `on`, `device`, `wakeup`, `running`, `waiting`, `share`,
//! `taken`, `less`, `waits`, `helps`, `queue`). The files lie in `scenarios/`; the tests below name them, and a file that no
//! test names fails a test.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use fairshare::{
    Allowance, Alternative, Backfill, Budget, ClassScope, Config, DatasetSpec, Decision, EvictionBounds,
    JobId, JobSpec, MicroUsd, Millis, NodeId, OrderName, Placed, Placement, PolicySpec, PoolId, PoolSpec,
    Preemption, Price, PriceUnit, Quantity, ResourceKind, ResourceKinds, Resources, Scheduler, ShapeId,
    ShapeSpec, Spending, Submission, TeamId, TeamSpec, Timestamp, Weight,
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
    let settings = [
        "priority",
        "preemption",
        "minimum-run",
        "back-off",
        "hysteresis-milli",
        "ratio-milli",
        "placement",
        "seed",
    ];
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
    let placement = value("placement").map_or(Placement::default(), |name| {
        Placement::parse(name).unwrap_or_else(|| panic!("no placement `{name}`"))
    });
    let seed = value("seed").map_or(0, |text| text.parse().unwrap());
    policy.with_preemption(preemption).with_bounds(bounds).with_placement(placement).with_seed(seed)
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

/// What follows `KEY=`.
fn value_of<'a>(words: &[&'a str], key: &str) -> Option<&'a str> {
    words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
}

fn names(words: &[&str], key: &str) -> Vec<String> {
    value_of(words, key).into_iter().flat_map(|text| text.split(',')).map(String::from).collect()
}

/// `NAME NODES AMOUNTS.. [accelerator=TYPE] [divisible] [domains=2,2] [price=USD] [data=NAMES] [cloud=NAME] ...`.
fn pool(words: &[&str], node: Resources) -> PoolSpec {
    let value = |key: &str| value_of(words, key);
    let flag = |key: &str| words.contains(&key);
    let mut pool = PoolSpec::new(words[0], words[1].parse().unwrap(), node);
    pool.accelerator = value("accelerator").map(String::from);
    pool.divisible = flag("divisible");
    (pool.datasets, pool.cloud) = (names(words, "data"), value("cloud").map(String::from));
    pool.egress_gb = value("egress-gb").map_or(pool.egress_gb, |usd| MicroUsd::parse(usd).unwrap());
    pool.link_mbps = value("link-mbps").map_or(pool.link_mbps, |text| text.parse().unwrap());
    let domains = value("domains").into_iter().flat_map(|text| text.split(','));
    pool.domains = domains.map(|nodes| nodes.parse().unwrap()).collect();
    let hour = value("price").map(|usd| MicroUsd::parse(usd).unwrap());
    pool.price = hour.map(|hour| Price { unit: PriceUnit::Gpu, hour });
    pool
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
        let value = |key: &str| value_of(words, key);
        let flag = |key: &str| words.contains(&key);
        match verb {
            "dataset" => {
                let bytes = Quantity::parse_bytes(words[1]).unwrap().get();
                self.config.datasets.push(DatasetSpec::new(words[0], bytes));
            }
            "kinds" => {
                for name in words {
                    self.config.kinds.add(name).unwrap();
                }
            }
            "policy" => {
                self.config.policy = policy(words);
            }
            "pool" => {
                let pool = pool(words, self.amounts(&words[2..]));
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
                alternative.across_domains = flag("across");
                if let Some(accelerator) = value("on") {
                    alternative = alternative.on(accelerator);
                }
                let class = value("class").map_or(0, |text| text.parse().unwrap());
                let mut shape = ShapeSpec::new(alternative).with_class(class);
                (shape.datasets, shape.reads_remotely) = (names(words, "reads"), flag("remotely"));
                self.shapes.insert(words[0].to_owned(), shape);
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
            job.restart = value("restart").map(seconds);
            match self.scheduler().submit(now, job).unwrap() {
                Submission::Rejected(_) => self.rejected += 1,
                Submission::Queued(job) => self.name(team, job),
            }
        }
    }

    fn name(&mut self, team: &str, job: JobId) {
        let number = self.counts.entry(team.to_owned()).or_default();
        *number += 1;
        let name = format!("{team}.{number}");
        self.jobs.insert(name.clone(), job);
        self.names.insert(job, name);
    }

    /// `runs TEAM SHAPE POOL [nodes=0,1] [fixed]`: a job that runs already, each worker on a node; `fixed`: for good.
    fn adopt(&mut self, team: &str, shape: &str, pool: &str, options: &[&str]) {
        let (id, pool, now) = (self.team(team), self.pool(pool), self.now);
        let spec = self.shapes[shape].clone();
        let shape = self.scheduler().intern(&spec).unwrap();
        let mut nodes: BTreeMap<NodeId, u32> = BTreeMap::new();
        let named = options.iter().find_map(|word| word.strip_prefix("nodes="));
        for node in named.into_iter().flat_map(|text| text.split(',')) {
            *nodes.entry(NodeId::new(node.parse().unwrap())).or_default() += 1;
        }
        let mut job = JobSpec::new(id, shape, now);
        job.preemptible = !options.contains(&"fixed");
        let placed = Placed::new(pool, now).on_nodes(nodes.into_iter().collect());
        let job = self.scheduler().adopt(now, job, &placed).unwrap();
        self.name(team, job);
    }

    fn act(&mut self, verb: &str, words: &[&str]) -> bool {
        let now = self.now;
        match verb {
            "runs" => self.adopt(words[0], words[1], words[2], &words[3..]),
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

    /// What is known of an eviction.
    fn expect_record(&mut self, words: &[&str]) {
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

    /// What would help a job: one of its remedies, in words.
    fn expect_remedy(&self, words: &[&str]) {
        let remedies = self.scheduler.as_ref().unwrap().remedies(self.jobs[words[0]]).unwrap();
        let name = |job| self.names[&job].clone();
        let told: Vec<String> = remedies.iter().map(|remedy| remedy.words(&name)).collect();
        let remedy = words[1..].join(" ");
        assert!(told.contains(&remedy), "`{remedy}` is not among {told:#?}");
    }

    fn expect(&mut self, verb: &str, words: &[&str]) {
        let joined = words.join(" ");
        match verb {
            "starts" | "evicts" => {
                let by_job = joined.contains('.');
                assert_eq!(self.decided(verb == "starts", by_job), joined);
            }
            "record" => self.expect_record(words),
            "queue" => {
                let queue = self.scheduler().queue();
                let teams = queue.iter().map(|job| self.names[job].rsplit_once('.').unwrap().0);
                assert_eq!(teams.collect::<Vec<_>>().join(" "), joined, "the order of service");
            }
            "on" => {
                let job = self.jobs[words[0]];
                let with_workers = words[1..].iter().any(|word| word.contains('x'));
                let shown = |(node, workers): (NodeId, u32)| {
                    if with_workers { format!("{node}x{workers}") } else { node.to_string() }
                };
                let nodes: Vec<String> = self.scheduler().placement(job).map(shown).collect();
                assert_eq!(nodes, words[1..], "the nodes of `{}`", words[0]);
            }
            "device" => {
                let job = self.jobs[words[0]];
                let devices = self.scheduler().devices(job).map(|(_, device, _)| device.to_string());
                assert_eq!(devices.collect::<Vec<_>>(), words[1..], "the devices of `{}`", words[0]);
            }
            "running" => {
                for word in words {
                    let (team, count) = word.split_once('=').unwrap();
                    let id = self.team(team);
                    let running = self.scheduler().running(id).unwrap();
                    assert_eq!(running.to_string(), count, "jobs of `{team}` that run");
                }
            }
            "wakeup" => {
                let wakeup = self.scheduler().next_wakeup().map(|at| at.to_string());
                assert_eq!(wakeup.unwrap_or_default(), joined, "the next wakeup");
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
            "helps" => self.expect_remedy(words),
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
    a_gang_starts_whole_or_not,
    a_limit_binds_in_each_resource,
    a_quota_is_of_its_pool,
    a_quota_is_of_its_team,
    bounds_are_named,
    budgets_and_reservations,
    budgets_in_gpu_time,
    budgets_in_money,
    capacity_loss_is_lawful,
    capacity_lost,
    classes_come_first,
    classes_within_a_team,
    discrete_order_rule,
    domains_are_the_tightest,
    domains_are_tried_in_turn,
    domains_are_waited_for,
    domains_give_way_together,
    domains_in_plans,
    domains_in_reservations,
    domains_lose_nodes,
    data_and_gpus_cost_least_together,
    dominant_shares,
    drf_discrete_trace,
    drf_discrete_trace_idtie,
    drf_naive_starvation,
    evict_for_fairness,
    eviction_bounds,
    back_off_lasts_beyond_the_quota,
    minimum_run_ends_unasked,
    budget_leaves_who_loses_less,
    budget_leaves_who_loses_less_on_nodes,
    reservation_later_lets_pass,
    reservation_moves_and_lets_search,
    reservation_withdrawn_lets_search,
    what_is_within_a_quota_is_first_in_line,
    fair_tree_by_time_alone,
    fair_tree_of_accounts,
    fair_tree_of_ties,
    fair_tree_ranks,
    fair_tree_usage_decays,
    fifo_closes_its_pools,
    float_drift,
    gangs_hold_nothing_in_part,
    gangs_one_after_the_other,
    gpus_are_charged,
    gpus_by_price,
    hdrf_blocked_nodes,
    hdrf_naive_starvation,
    hdrf_vs_collapsed,
    higher_tier_takes_the_reservation,
    lower_class_takes_the_reservation,
    next_of_a_team_takes_the_reservation,
    own_team_takes_the_reservation,
    start_in_another_pool_moves_a_reservation,
    reservations_do_not_go_round,
    holder_is_denied,
    huge_weights_evict_nobody_for_ever,
    impossible_jobs,
    inner_team_with_jobs,
    kept_is_lacking_too,
    kept_is_lacking_in_amounts,
    limits_and_lending,
    limits_and_reservations,
    limits_of_a_department,
    livelock_by_current_shares,
    livelock_of_two_rules,
    multifactor_sums,
    only_resources_of_pools_count,
    only_what_is_asked_decides_about_a_quota,
    order_below_an_inner_team,
    order_by_what_runs,
    order_in_chains_of_any_depth,
    order_in_chains_of_any_depth_later,
    order_in_chains_of_two,
    order_in_chains_of_two_later,
    order_when_an_inner_team_gets_jobs,
    order_when_memory_doubles,
    order_when_the_whole_is_smaller,
    order_with_classes_inside_teams,
    order_with_other_dominants,
    order_with_weights,
    parked_gang_wakes,
    parts_lie_on_one_device,
    parts_of_a_gang,
    parts_on_the_fullest_device,
    peers_limits_and_free_dimensions,
    peers_queue_priority,
    peers_reclaim_by_one_resource,
    plans_within_limits,
    placement_best_fit,
    placement_best_fit_gpu,
    placement_first_fit,
    placement_fragmentation,
    placement_fragmentation_gradient,
    placement_random,
    priority_order,
    priority_within_one_team,
    quota_comes_first,
    quota_is_taken_back,
    regress_01_fill_back,
    regress_01_victim_does_not_return_first,
    regress_02_huge_weights,
    regress_13_gangs_hold_nothing,
    regress_14_no_priority_inversion,
    regress_15_no_more_than_twice,
    regress_16_eviction_mirrors_service,
    regress_22_half_a_gang,
    remedies_behind_their_own_team,
    remedies_know_of_reservations,
    remedies_on_other_nodes,
    reclaim_looks_again_when_more_is_held_elsewhere,
    reclaim_of_parts,
    reclaim_on_the_first_of_equal_nodes,
    ratio_leaves_who_makes_most_room,
    ratio_leaves_who_makes_most_room_on_a_node,
    reclaim_puts_back_who_was_chosen_first,
    quota_is_reclaimed_from_who_may_be_stopped,
    servers_of_two_kinds_first_fit,
    shortest_first,
    static_partition,
    static_shares_below_a_department,
    the_higher_class_gets_the_last_node,
    weights_divide_the_slots,
    who_may_not_be_stopped_is_no_hope,
    what_is_guaranteed_gives_no_hope,
    who_finds_nobody_hides_no_quota,
    who_restarts_dearly_is_stopped_last,
    yarn_lexicographic_share,
);

#[test]
fn amounts_are_read_by_kind() {
    let world = World::default();
    assert_eq!(world.amounts(&["gpu=0.5", "memory=1GiB"])[ResourceKind::GPU], Quantity::new(500));
}
