//! Rejected: why a job can never start, in words with the names of the configuration.
//!
//! Absent on purpose: what is rejected (see `route` and `quota`). Layer 6; uses `decision`, `explain`.

use super::Scheduler;
use crate::decision::Rejection;
use crate::explain::Amount;
use crate::job::{Eligible, ShapeSpec};

impl Scheduler {
    /// Why a job of a shape was rejected, with the names of pools, teams, types, data sets and resources, and the amounts:
    /// for the person who has submitted it. [`Rejection`] itself prints a text that is the same for all jobs of its kind.
    ///
    /// # Examples
    ///
    /// ```
    /// use fairshare::{
    ///     Alternative, Config, JobSpec, PoolSpec, Resources, Scheduler, ShapeSpec, Submission, TeamId, TeamSpec, Timestamp,
    /// };
    /// let pool = PoolSpec::new("l4", 1, Resources::new().gpu(4));
    /// let mut scheduler = Scheduler::new(Config::new(vec![pool], vec![TeamSpec::new("a")])).unwrap();
    /// let spec = ShapeSpec::new(Alternative::new(Resources::new().gpu(5)));
    /// let shape = scheduler.intern(&spec).unwrap();
    /// let job = JobSpec::new(TeamId::new(0), shape, Timestamp::ZERO);
    /// let Submission::Rejected(why) = scheduler.submit(Timestamp::ZERO, job).unwrap() else { unreachable!() };
    /// assert_eq!(scheduler.why_rejected(&why, &spec), "a worker asks 5 gpu, a node of pool `l4` has 4");
    /// ```
    #[must_use]
    pub fn why_rejected(&self, rejection: &Rejection, shape: &ShapeSpec) -> String {
        let names = self.names();
        match rejection {
            Rejection::NoPool => {
                let types = shape.alternatives.iter().filter_map(|alternative| match &alternative.pools {
                    Eligible::Accelerator(name) => Some(format!("`{name}`")),
                    _ => None,
                });
                let types: Vec<String> = types.collect();
                if types.is_empty() {
                    return "the job names no pool that it may use".to_owned();
                }
                format!("no pool is of type {}, which the job asks for", types.join(" or "))
            }
            Rejection::NoReplica => {
                let sets: Vec<String> = shape.datasets.iter().map(|name| format!("`{name}`")).collect();
                format!("no pool that the job may use has a replica of {}", sets.join(" and "))
            }
            Rejection::TooLarge { pool, kind, requested, capacity, per_node } => {
                let (who, of) = if *per_node { ("a worker", "a node of ") } else { ("the job", "") };
                let [requested, capacity] = [*requested, *capacity].map(|amount| Amount(*kind, amount));
                let (pool, kind) = (names.pool(*pool), names.kind(*kind));
                format!("{who} asks {requested} {kind}, {of}pool `{pool}` has {capacity}")
            }
            Rejection::LargerThanDomain { pool, workers, most } => {
                let pool = names.pool(*pool);
                format!(
                    "{workers} workers, the largest fabric domain of pool `{pool}` has room for {most} of them"
                )
            }
            Rejection::Limit { pool, kind, team, requested, most } => {
                let team = team.map_or("?", |team| names.team(team));
                let [requested, most] = [*requested, *most].map(|amount| Amount(*kind, amount));
                let (pool, kind) = (names.pool(*pool), names.kind(*kind));
                format!(
                    "pool `{pool}`: it asks {requested} {kind}, team `{team}` may never hold more than {most}"
                )
            }
            Rejection::Kept { pool, kind, requested, kept } => {
                let [requested, kept] = [*requested, *kept].map(|amount| Amount(*kind, amount));
                let (pool, kind) = (names.pool(*pool), names.kind(*kind));
                format!("pool `{pool}`: it asks {requested} {kind}, other teams always keep {kept}")
            }
        }
    }
}
