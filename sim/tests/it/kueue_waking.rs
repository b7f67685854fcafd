//! Who waits under `order = "kueue"` while there is quota: nobody, at any instant, in any tree.
//!
//! What is available is worked out by a slow model of its own, from what every queue uses. Absent on purpose: preemption,
//! and queues whose head blocks those behind it (see `kueue_instants`).

use std::fmt::Write as _;

use fairshare_sim::Fate;

use crate::support::{Finished, Numbers, sim, simulate};

/// A cohort or a queue: what it owns itself, and its limits.
#[derive(Debug, Default)]
pub(crate) struct Node {
    pub(crate) parent: Option<usize>,
    pub(crate) is_queue: bool,
    own: Option<i64>,
    borrow: Option<i64>,
    lend: Option<i64>,
    /// Its head blocks those behind it.
    pub(crate) strict: bool,
}

/// Node 0 is above all that have no other parent, if the tree is not as written.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) nodes: Vec<Node>,
    as_written: bool,
}

impl Model {
    /// Up to four cohorts at any depth, most of them without quota, and two to six queues.
    pub(crate) fn random(seed: u64) -> Self {
        let mut numbers = Numbers(seed);
        let as_written = numbers.below(2) == 0;
        let mut nodes = vec![Node { own: numbers.maybe(50, 4), ..Node::default() }];
        let cohorts = 1 + numbers.index(4);
        for at in 0..cohorts + 2 + numbers.index(5) {
            let is_queue = at >= cohorts;
            let parent = numbers.index(at.min(cohorts) + 1);
            let own = numbers.maybe(if is_queue { 100 } else { 40 }, 5);
            let borrow = numbers.maybe(35, 2).filter(|_| own.is_some());
            let lend = numbers.maybe(25, 3).filter(|_| own.is_some());
            // Under none in a tree that is as written, else under the cohort above all.
            let parent = Some(parent).filter(|parent| !as_written || *parent > 0);
            nodes.push(Node { parent, is_queue, own, borrow, lend, strict: false });
        }
        Self { nodes, as_written }
    }

    fn children(&self, at: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.nodes.len()).filter(move |child| self.nodes[*child].parent == Some(at))
    }

    /// All that a subtree owns, whether it lends it or not.
    fn whole(&self, at: usize) -> i64 {
        self.nodes[at].own.unwrap_or(0) + self.children(at).map(|child| self.whole(child)).sum::<i64>()
    }

    /// What of a subtree reaches its node.
    fn quota(&self, at: usize) -> i64 {
        let lent = |child| self.quota(child) - self.kept(child);
        self.nodes[at].own.unwrap_or(0) + self.children(at).map(lent).sum::<i64>()
    }

    fn kept(&self, at: usize) -> i64 {
        self.nodes[at].lend.map_or(0, |lend| (self.quota(at) - lend).max(0))
    }

    /// What is used at a node, by what every queue uses.
    fn used(&self, at: usize, by: &[i64]) -> i64 {
        let beyond = |child| (self.used(child, by) - self.kept(child)).max(0);
        by[at] + self.children(at).map(beyond).sum::<i64>()
    }

    fn available(&self, at: usize, by: &[i64]) -> i64 {
        let (quota, used, kept) = (self.quota(at), self.used(at, by), self.kept(at));
        let Some(parent) = self.nodes[at].parent else { return quota - used };
        let lent_and_free = quota - kept - (used - kept).max(0);
        let above = self.available(parent, by);
        let above = self.nodes[at].borrow.map_or(above, |limit| above.min(lent_and_free + limit));
        (kept - used).max(0) + above
    }

    /// The tree as a scenario: teams have the quota of all that is below them.
    pub(crate) fn scenario(&self, fair_sharing: bool) -> String {
        let roots =
            (1..self.nodes.len()).filter(|at| self.nodes[*at].parent.is_none_or(|parent| parent == 0));
        let all = roots.map(|at| self.whole(at)).sum::<i64>()
            + self.nodes[0].own.filter(|_| !self.as_written).unwrap_or(0);
        let mut text = format!(
            "[[pool]]\nname = 'p'\nnodes = {}\nnode = {{ gpu = 1 }}\ndivisible = true\n[policy]\norder = 'kueue'\n\
             backfill = 'best-effort'\npreemption = 'none'\nfair_sharing = {fair_sharing}\n",
            all.max(1)
        );
        if self.as_written {
            text.push_str("tree = 'as-written'\n");
        }
        for (at, node) in self.nodes.iter().enumerate().skip(1) {
            let _ = writeln!(text, "[[team]]\nname = 't{at}'");
            if let Some(parent) = node.parent.filter(|parent| *parent > 0) {
                let _ = writeln!(text, "parent = 't{parent}'");
            }
            if node.strict {
                text.push_str("kueue = { spec = { queueingStrategy = 'StrictFIFO' } }\n");
            }
            let quota = node.own.map(|_| self.whole(at));
            for (key, amount) in [("quota", quota), ("borrow", node.borrow), ("lend", node.lend)] {
                if let Some(amount) = amount {
                    let _ = writeln!(text, "{key} = {{ p = {{ gpu = {amount} }} }}");
                }
            }
        }
        text
    }

    /// Whether a cohort without children would be read as a queue.
    pub(crate) fn has_idle_cohorts(&self) -> bool {
        (1..self.nodes.len()).any(|at| !self.nodes[at].is_queue && self.children(at).next().is_none())
    }
}

/// Jobs of all queues, some too large to run ever.
fn jobs(model: &Model, seed: u64) -> String {
    let mut numbers = Numbers(seed);
    let queues: Vec<usize> = (1..model.nodes.len()).filter(|at| model.nodes[*at].is_queue).collect();
    let mut text = String::from("job_id,submit_s,run_s,team,gpu\n");
    let mut submit = 0;
    for job in 0..20 {
        submit += numbers.below(3);
        let team = queues[numbers.index(queues.len())];
        let _ = writeln!(text, "{job},{submit},{},t{team},{}", 1 + numbers.below(6), 1 + numbers.below(4));
    }
    text
}

/// Jobs that wait at the end of an instant though there is quota for them: what they are told by, and since when.
fn idle_waits(model: &Model, finished: &Finished, amounts: &[i64]) -> Vec<(usize, i64)> {
    let Finished { trace, record, .. } = finished;
    let started = |row: usize| matches!(record.outcomes[row].fate, Fate::Ended);
    let team = |row: usize| trace.teams.text(trace.jobs[row].team)[1..].parse::<usize>().unwrap();
    let mut instants: Vec<i64> = trace.jobs.iter().map(|job| job.submit_ms).collect();
    instants.extend((0..amounts.len()).filter(|row| started(*row)).map(|row| record.outcomes[row].end_ms));
    let mut found = Vec::new();
    for now in instants {
        let runs = |row: &usize| {
            started(*row) && (record.outcomes[*row].start_ms..record.outcomes[*row].end_ms).contains(&now)
        };
        let mut used = vec![0; model.nodes.len()];
        for row in (0..amounts.len()).filter(runs) {
            used[team(row)] += amounts[row];
        }
        let waits = |row: &usize| {
            let outcome = &record.outcomes[*row];
            trace.jobs[*row].submit_ms <= now
                && (outcome.fate == Fate::Waiting || started(*row) && now < outcome.start_ms)
        };
        let fits = |row: &usize| amounts[*row] <= model.available(team(*row), &used);
        found.extend((0..amounts.len()).filter(waits).filter(fits).map(|row| (row, now)));
    }
    found
}

#[test]
fn nobody_waits_beside_quota_that_is_idle() {
    let (mut trees, mut ended, mut rejected) = (0, 0, 0);
    for seed in 0..400 {
        let model = Model::random(seed);
        if model.has_idle_cohorts() {
            continue;
        }
        let (scenario, text) = (model.scenario(seed % 2 == 0), jobs(&model, seed));
        let finished = simulate(&scenario, &text);
        let amounts: Vec<i64> =
            text.lines().skip(1).map(|row| row.rsplit(',').next().unwrap().parse().unwrap()).collect();
        let waits = idle_waits(&model, &finished, &amounts);
        assert!(waits.is_empty(), "seed {seed}: {waits:?}\n{scenario}\n{text}");
        let fates = finished.record.outcomes.iter().map(|outcome| outcome.fate);
        trees += 1;
        ended += fates.clone().filter(|fate| *fate == Fate::Ended).count();
        rejected += fates.clone().filter(|fate| *fate == Fate::Rejected).count();
        assert!(fates.clone().all(|fate| fate != Fate::Waiting), "seed {seed}: somebody waits for ever");
    }
    assert!(
        trees > 100 && ended > 500 && rejected > 100,
        "{trees} trees, {ended} ended, {rejected} rejected"
    );
}

#[test]
fn what_a_team_that_borrows_nothing_has_lent_comes_back() {
    let scenario = "
[[pool]]
name = 'p'
nodes = 2
node = { gpu = 1 }
divisible = true
[[team]]
name = 'owner'
quota = { p = { gpu = 2 } }
borrow = { p = { gpu = 0 } }
[[team]]
name = 'inner'
parent = 'owner'
[[team]]
name = 'guest'
[policy]
order = 'kueue'
preemption = 'none'
backfill = 'best-effort'
";
    let jobs = "job_id,submit_s,run_s,team,gpu\nlong,0,10,guest,2\nmine,1,5,inner,1\n";
    let times = [("long".to_owned(), 0, 10), ("mine".to_owned(), 10, 15)];
    assert_eq!(simulate(scenario, jobs).times(), times);
}

/// Two departments without quota of their own below a company, each with a queue.
fn departments() -> String {
    let head = "apiVersion: kueue.x-k8s.io/v1beta2\nkind:";
    let quota = |nominal: u32| {
        format!(
            "  resourceGroups:\n  - coveredResources: [nvidia.com/gpu]\n    flavors: [{{name: card, resources: \
             [{{name: nvidia.com/gpu, nominalQuota: {nominal}}}]}}]\n"
        )
    };
    let mut text = format!("{head} Cohort\nmetadata: {{name: company}}\nspec:\n{}", quota(2));
    for name in ["a", "b"] {
        let _ = write!(
            text,
            "---\n{head} Cohort\nmetadata: {{name: dept-{name}}}\nspec: {{parentName: company}}\n\
             ---\n{head} ClusterQueue\nmetadata: {{name: {name}}}\nspec:\n  cohortName: dept-{name}\n{}",
            quota(1)
        );
    }
    text
}

#[test]
fn a_cohort_without_quota_does_not_keep_others_out() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("k.yaml"), departments()).unwrap();
    let imported = sim(folder.path(), &["kueue", "import", "k.yaml"]);
    assert_eq!((imported.code, imported.stderr.as_str()), (0, ""));
    let starts = |jobs: &str| -> Vec<(String, i64)> {
        let finished = simulate(&imported.stdout, &format!("job_id,submit_s,run_s,team,gpu\n{jobs}"));
        finished.times().into_iter().map(|(name, start, _)| (name, start)).collect()
    };
    let named = |starts: &[(&str, i64)]| -> Vec<(String, i64)> {
        starts.iter().map(|(name, start)| ((*name).to_owned(), *start)).collect()
    };
    assert_eq!(starts("a1,0,10,a,4\nb1,1,10,b,4\n"), named(&[("a1", 0), ("b1", 10)]));
    // At 10 s the head of `a` asks less and came later, but borrows nothing, and so goes first; `b1` waits for it, and
    // `b2` does not.
    let more = "a1,0,10,a,4\nb1,1,10,b,4\nb2,2,5,b,1\na2,3,30,a,1\n";
    assert_eq!(starts(more), named(&[("a1", 0), ("b1", 40), ("b2", 10), ("a2", 10)]));
}
