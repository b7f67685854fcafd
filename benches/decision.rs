//! What one decision costs: a start that another job's end makes room for, by the number of teams and of waiting jobs.
//!
//! Every bench asserts that the decision it times is the right one: the team that was furthest below its share.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use fairshare::{
    Alternative, Config, Decision, JobId, JobSpec, PoolId, PoolSpec, Resources, Scheduler, ShapeId,
    ShapeSpec, Submission, TeamId, TeamSpec, Timestamp, Weight,
};

const NOW: Timestamp = Timestamp::ZERO;

/// A full pool with one running job a team, and `backlog` more waiting.
struct Full {
    scheduler: Scheduler,
    running: Vec<JobId>,
    /// The team of each job, by its slot.
    team_of: Vec<TeamId>,
    shape: ShapeId,
    teams: u32,
    next: u32,
}

impl Full {
    fn new(teams: u32, backlog: u32) -> Self {
        Self::of((0..teams).map(|team| TeamSpec::new(format!("team-{team}"))).collect(), backlog)
    }

    /// Teams of all weights between a fifth and one: hardly two have the same share.
    fn weighted(teams: u32, backlog: u32) -> Self {
        let mut at = 7_u64;
        let team = |number| {
            at = at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let weight = Weight::new(200_000 + (at >> 33) % 800_001, 1_000_000).expect("a positive weight");
            TeamSpec::new(format!("team-{number}")).with_weight(weight)
        };
        Self::of((0..teams).map(team).collect(), backlog)
    }

    fn of(specs: Vec<TeamSpec>, backlog: u32) -> Self {
        let teams = u32::try_from(specs.len()).expect("thousands");
        let pool = PoolSpec::new("gpu", teams, Resources::new().gpu(1)).as_divisible();
        let mut scheduler = Scheduler::new(Config::new(vec![pool], specs)).expect("a valid configuration");
        let shape = ShapeSpec::new(Alternative::new(Resources::new().gpu(1)));
        let shape = scheduler.intern(&shape).expect("a valid shape");
        let mut full = Self { scheduler, running: Vec::new(), team_of: Vec::new(), shape, teams, next: 0 };
        for _ in 0..teams + backlog {
            full.submit_next();
        }
        full.running = full.scheduler.schedule(NOW).expect("time stands still").iter().map(started).collect();
        assert_eq!(full.running.len(), teams as usize, "the pool is full");
        full
    }

    /// A job of the next team in turn joins its line.
    fn submit_next(&mut self) {
        let team = TeamId::new(self.next % self.teams);
        self.next += 1;
        self.submit(team);
    }

    fn submit(&mut self, team: TeamId) {
        let submitted =
            self.scheduler.submit(NOW, JobSpec::new(team, self.shape, NOW)).expect("a known team");
        let Submission::Queued(job) = submitted else { panic!("the job fits the pool") };
        if self.team_of.len() <= job.slot() {
            self.team_of.resize(job.slot() + 1, team);
        }
        self.team_of[job.slot()] = team;
    }

    /// One job ends, one joins the line, one starts: that of the team that has just lost one.
    fn turn(&mut self, at: usize) {
        let at = at % self.running.len();
        self.submit_next();
        self.scheduler.complete(NOW, self.running[at]).expect("it runs");
        let decisions = self.scheduler.schedule(NOW).expect("time stands still");
        assert_eq!(decisions.len(), 1, "one job takes the room of one");
        self.running[at] = started(&decisions[0]);
    }
}

fn started(decision: &Decision) -> JobId {
    match decision {
        Decision::Start { job, .. } => *job,
        other => panic!("nothing but starts here: {other:?}"),
    }
}

fn decisions(c: &mut Criterion) {
    let mut group = c.benchmark_group("submit, complete and one decision");
    for teams in [10, 100, 1_000, 10_000] {
        for backlog in [1_000, 1_000_000] {
            let mut full = Full::new(teams, backlog);
            let mut at = 0_usize;
            group.bench_function(
                BenchmarkId::new(format!("{teams} teams"), format!("{backlog} waiting")),
                |b| {
                    b.iter(|| {
                        at = at
                            .wrapping_mul(6_364_136_223_846_793_005)
                            .wrapping_add(1_442_695_040_888_963_407);
                        full.turn(black_box(at >> 33));
                    });
                },
            );
            full.scheduler.check_invariants().expect("the state is consistent");
        }
    }
    group.finish();
}

/// How many jobs end, come and start together where the three are timed apart.
const BATCH: usize = 1_000;

/// What is timed of a batch.
#[derive(Clone, Copy)]
enum Part {
    Submit,
    Complete,
    /// The lists take over what the ends have changed; one job starts.
    CatchUp,
    Decide,
}

impl Full {
    /// A batch of jobs comes, of the teams of as many that end, and as many start; how long one part of that took. Each
    /// team has as many in its line as before, in the long run: none runs dry. All but one of the nodes that have become
    /// free are down until the lists have caught up, so that a decision is timed alone, as the floor's is.
    fn batch(&mut self, part: Part, at: &mut u64) -> Duration {
        let mut ending: Vec<usize> = (0..BATCH).map(|_| self.draw(at)).collect();
        ending.sort_unstable();
        ending.dedup();
        let (submit, ()) = timed(|| {
            for at in &ending {
                self.submit(self.team_of[self.running[*at].slot()]);
            }
        });
        let (complete, ()) = timed(|| {
            for at in &ending {
                self.scheduler.complete(NOW, self.running[*at]).expect("it runs");
            }
        });
        let count = u32::try_from(ending.len()).expect("a batch");
        let mut started_at = ending.iter();
        let (catch_up, starts) = self.decide(self.teams - count + 1, started_at.by_ref().take(1));
        let (decide, more) = self.decide(self.teams, started_at);
        assert_eq!((starts, more), (1, count - 1), "as many start as there is room for");
        match part {
            Part::Submit => submit / count,
            Part::Complete => complete / count,
            Part::CatchUp => catch_up / count,
            Part::Decide => decide / (count - 1).max(1),
        }
    }

    /// So many nodes are up from now on, and jobs start in the room of others; how long deciding took, and how many.
    fn decide<'a>(&mut self, nodes: u32, room: impl Iterator<Item = &'a usize>) -> (Duration, u32) {
        self.scheduler.set_capacity(NOW, PoolId::new(0), nodes).expect("a known pool");
        let (took, decisions) = timed(|| self.scheduler.schedule(NOW).expect("time stands still"));
        let starts = u32::try_from(decisions.len()).expect("a batch");
        for (at, decision) in room.zip(decisions) {
            self.running[*at] = started(decision);
        }
        (took, starts)
    }

    fn draw(&self, at: &mut u64) -> usize {
        *at = at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(*at >> 33).expect("31 bits") % self.running.len()
    }
}

#[expect(clippy::disallowed_methods, reason = "a bench times a part of what it does")]
fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let since = Instant::now();
    let result = work();
    (since.elapsed(), result)
}

/// Each alone, of a thousand that happen together: what a start costs, and what the news of a job does.
fn apart(c: &mut Criterion) {
    for (part, name) in [
        (Part::Decide, "one decision"),
        (Part::Submit, "one submission"),
        (Part::Complete, "one completion"),
        (Part::CatchUp, "one completion, as the lists take it over"),
    ] {
        let mut group = c.benchmark_group(name);
        group.sample_size(10);
        for (teams, backlog) in [
            (1_000, 4_000),
            (1_000, 20_000),
            (1_000, 1_000_000),
            (10_000, 40_000),
            (10_000, 200_000),
            (10_000, 1_000_000),
        ] {
            let mut full = Full::weighted(teams, backlog);
            let mut at = 0_u64;
            group.bench_function(
                BenchmarkId::new(format!("{teams} teams"), format!("{backlog} waiting")),
                |b| {
                    b.iter_custom(|rounds| (0..rounds).map(|_| full.batch(part, &mut at)).sum());
                },
            );
            full.scheduler.check_invariants().expect("the state is consistent");
        }
        group.finish();
    }
}

criterion_group!(benches, decisions, apart);
criterion_main!(benches);
