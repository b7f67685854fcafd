//! Decides again and again while many jobs wait: what one decision costs, for whoever counts instructions.
//!
//! `backlog JOBS DECISIONS`: a thousand teams, ten below each of a hundred below each of ten, share a full pool, JOBS more
//! wait, and DECISIONS times one job ends, one comes and one starts. The difference between two numbers of decisions is
//! what the decisions cost, without what was built before.

use std::error::Error;

use fairshare::{
    Alternative, Config, Decision, JobId, JobSpec, PoolSpec, Resources, Scheduler, ShapeSpec, TeamId,
    TeamSpec, Timestamp,
};

/// Departments, their groups, and the teams that have jobs.
const LEVELS: [u32; 3] = [10, 100, 1_000];
const NOW: Timestamp = Timestamp::ZERO;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u32>());
    let mut next = || arguments.next().ok_or("usage: backlog JOBS DECISIONS");
    let (backlog, decisions) = (next()??, next()??);
    let [departments, groups, teams] = LEVELS;
    let mut specs: Vec<TeamSpec> = Vec::new();
    for number in 0..departments + groups + teams {
        let mut team = TeamSpec::new(format!("team-{number}"));
        team.parent = match number {
            _ if number < departments => None,
            _ if number < departments + groups => Some(TeamId::new((number - departments) / 10)),
            _ => Some(TeamId::new(departments + (number - departments - groups) / 10)),
        };
        specs.push(team);
    }
    let pool = PoolSpec::new("gpu", teams, Resources::new().gpu(1)).as_divisible();
    let mut scheduler = Scheduler::new(Config::new(vec![pool], specs))?;
    let shape = scheduler.intern(&ShapeSpec::new(Alternative::new(Resources::new().gpu(1))))?;
    let submit = |scheduler: &mut Scheduler, number: u32| {
        let team = TeamId::new(departments + groups + number % teams);
        scheduler.submit(NOW, JobSpec::new(team, shape, NOW))
    };
    for number in 0..teams + backlog {
        let _ = submit(&mut scheduler, number)?;
    }
    let mut running: Vec<JobId> = scheduler.schedule(NOW)?.iter().filter_map(started).collect();
    for number in 0..decisions {
        let _ = submit(&mut scheduler, number)?;
        let at = number as usize * 7 % running.len();
        scheduler.complete(NOW, running[at])?;
        running[at] =
            scheduler.schedule(NOW)?.iter().find_map(started).ok_or("the room of one is for one")?;
    }
    Ok(())
}

fn started(decision: &Decision) -> Option<JobId> {
    match decision {
        Decision::Start { job, .. } => Some(*job),
        _ => None,
    }
}
